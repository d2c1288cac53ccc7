//! Two async runtimes and plain threads in one process fight over one key with `transaction`: no
//! increment is lost and none is doubled.

#![allow(clippy::unwrap_used, reason = "helpers of tests are test code")]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use redis_core::{Backoff, Commands as _, Config, Protocol, QueueCommands as _, Result};
use testkit::servers::{self, Installed, Server, ServerOptions};
use testkit::skipped;

/// Increments of each runtime; there are ten thousand together.
const TOKIO: i64 = 4_000;
const SMOL: i64 = 4_000;
const THREADS: i64 = 2_000;

/// Users of each runtime. They conflict all the time: more of them would mostly wait.
const USERS: i64 = 2;

const KEY: &str = "fought:over";

/// What each increment set the key to.
type Numbers = Vec<i64>;

/// How often a watch was begun, by all.
#[derive(Clone, Default)]
struct Attempts(Arc<AtomicU64>);

impl Attempts {
    fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn config(server: &Server, protocol: Protocol) -> Config {
    let mut config = Config::tcp(Ipv4Addr::LOCALHOST.to_string(), server.port());
    config.protocol = protocol;
    config.backoff = Backoff { base: Duration::from_micros(500), cap: Duration::from_millis(4) };
    config
}

/// An async client's increments. It takes the client by value, as a spawned task has to.
async fn increment(client: redis_async::Client, times: i64, attempts: Attempts) -> Result<Numbers> {
    let mut numbers = Vec::new();
    for _ in 0..times {
        let ((), next) = client
            .transaction([KEY], |mut watched| {
                attempts.count();
                async move {
                    let now: i64 = watched.get(KEY).await?.unwrap_or(0);
                    Ok(watched.multi().set(KEY, now + 1).returning(now + 1))
                }
            })
            .await?;
        numbers.push(next);
    }
    Ok(numbers)
}

fn on_tokio(config: Config, attempts: &Attempts) -> Result<Numbers> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let client = redis_tokio::Client::new(config)?;
        let users: Vec<_> = (0..USERS)
            .map(|_| tokio::spawn(increment((*client).clone(), TOKIO / USERS, attempts.clone())))
            .collect();
        let mut numbers = Vec::new();
        for user in users {
            numbers.extend(user.await.unwrap()?);
        }
        Ok(numbers)
    })
}

fn on_smol(config: Config, attempts: &Attempts) -> Result<Numbers> {
    smol::block_on(async {
        let client = redis_smol::Client::new(config)?;
        let users: Vec<_> = (0..USERS)
            .map(|_| smol::spawn(increment((*client).clone(), SMOL / USERS, attempts.clone())))
            .collect();
        let mut numbers = Vec::new();
        for user in users {
            numbers.extend(user.await?);
        }
        Ok(numbers)
    })
}

fn on_threads(config: Config, attempts: &Attempts) -> Result<Numbers> {
    let client = redis_sync::Client::new(config)?;
    thread::scope(|scope| {
        let users: Vec<_> = (0..USERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut numbers = Vec::new();
                    for _ in 0..THREADS / USERS {
                        let ((), next) = client.transaction([KEY], |mut watched| {
                            attempts.count();
                            let now: i64 = watched.get(KEY)?.unwrap_or(0);
                            Ok(watched.multi().set(KEY, now + 1).returning(now + 1))
                        })?;
                        numbers.push(next);
                    }
                    Ok::<_, redis_core::Error>(numbers)
                })
            })
            .collect();
        let mut numbers = Vec::new();
        for user in users {
            numbers.extend(user.join().unwrap()?);
        }
        Ok(numbers)
    })
}

fn fight(installed: &Installed, protocol: Protocol) {
    let server = Server::start(installed, ServerOptions::new()).unwrap();
    let config = config(&server, protocol);
    let attempts = Attempts::default();
    let runtimes: [fn(Config, &Attempts) -> Result<Numbers>; 3] = [on_tokio, on_smol, on_threads];
    let numbers: Vec<Numbers> = thread::scope(|scope| {
        let running: Vec<_> = runtimes
            .map(|run| {
                let (config, attempts) = (config.clone(), &attempts);
                scope.spawn(move || run(config, attempts))
            })
            .into_iter()
            .collect();
        running.into_iter().map(|runtime| runtime.join().unwrap().unwrap()).collect()
    });
    let counts: Vec<_> = numbers.iter().map(Vec::len).collect();
    assert_eq!(counts, [TOKIO as usize, SMOL as usize, THREADS as usize]);
    let mut times = BTreeMap::new();
    numbers.iter().flatten().for_each(|number| *times.entry(*number).or_insert(0) += 1);
    let whole = TOKIO + SMOL + THREADS;
    let wrong: Vec<_> = times.iter().filter(|(_, times)| **times != 1).collect();
    assert!(wrong.is_empty(), "{installed}, {protocol:?}: set more than once: {wrong:?}");
    assert!(times.keys().copied().eq(1..=whole), "{installed}, {protocol:?}: some are missing");
    let client = redis_sync::Client::new(config).unwrap();
    assert_eq!(client.get::<i64>(KEY).unwrap(), Some(whole));
    let attempts = attempts.0.load(Ordering::Relaxed);
    assert!(attempts > whole as u64, "nobody was ever in anybody's way: {attempts} attempts");
}

/// On the newest server of a family that is there.
fn fight_on(family: &str, protocol: Protocol) {
    let found = servers::discover(&servers::folder(), false).found;
    match found.iter().filter(|installed| installed.name == family).max_by_key(|of| of.version) {
        Some(installed) => fight(installed, protocol),
        None => skipped(format_args!("no {family} server is here")),
    }
}

#[test]
fn ten_thousand_increments_of_two_runtimes_and_threads_are_each_there_once_on_redis() {
    fight_on("redis", Protocol::Resp2);
    fight_on("redis", Protocol::Resp3);
}

#[test]
fn ten_thousand_increments_of_two_runtimes_and_threads_are_each_there_once_on_valkey() {
    fight_on("valkey", Protocol::Resp2);
    fight_on("valkey", Protocol::Resp3);
}
