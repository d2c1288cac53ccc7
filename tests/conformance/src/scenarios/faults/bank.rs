//! Transfers between accounts while their links are cut, torn and delayed: no money is lost or made, at no
//! moment, and what each caller was told is what the ledger says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use redis_core::{Commands, Delivery, Error, QueueCommands, Value};
use testkit::faulty::{Direction, Ending, Flow};

use super::is_clear;
use crate::client::Client;
use crate::scenario::{Context, Failure, Outcome, Proxied, Scenario};
use crate::subject::Subject;
use crate::task::Join;

const ACCOUNTS: usize = 6;
const EACH: i64 = 100;
const WORKERS: u64 = 4;

/// Things that go wrong, one after the other.
const FAULTS: usize = 60;

/// What faults and transfers are drawn from.
const SEED: u64 = 7;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![Scenario::new(transfers_over_faulty_links_keep_every_balance_and_promise).over_tcp()]
}

fn account(n: usize) -> String {
    format!("account:{n}")
}

/// How a transfer ended, as its caller was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Moved,
    /// There was not enough money.
    Refused,
    NotApplied,
    Unknown,
}

/// One user's transfers, by the ids that the ledger knows them by.
type Book = BTreeMap<String, Told>;

/// Moves money, unless there is too little of it.
async fn transfer<S: Subject>(
    client: &Client<S>,
    id: &str,
    [from, to]: [usize; 2],
    amount: i64,
) -> Result<Told, Error> {
    let (from, to) = (account(from), account(to));
    let keys = [&*from, &*to];
    let moved = client.transaction::<Vec<Value>, _, _>(&keys, |mut watched| {
        let (from, to) = (from.clone(), to.clone());
        let entry = format!("{id} {from} {to} {amount}");
        async move {
            let balances: Vec<Option<i64>> = watched.mget([&from, &to]).await?;
            let &[Some(left), Some(right)] = &*balances else {
                return Err(Error::decode("two accounts have two balances"));
            };
            let transaction = watched.multi();
            if left < amount {
                // That is so only if nobody has changed it meanwhile, which an empty transaction tells.
                return Ok(transaction.returning(Told::Refused));
            }
            let transaction = transaction.set(from, left - amount).set(to, right + amount);
            Ok(transaction.rpush("ledger", [entry]).returning(Told::Moved))
        }
    });
    moved.await.map(|(_, told)| told)
}

async fn transfers<S: Subject>(
    client: Client<S>,
    worker: u64,
    stop: Arc<AtomicBool>,
    ended: Arc<AtomicU64>,
) -> Result<Book, Failure> {
    let mut rng = SmallRng::seed_from_u64(SEED + worker);
    let mut book = Book::new();
    while !stop.load(Ordering::Relaxed) {
        let id = format!("{worker}.{}", book.len());
        let from = rng.random_range(0..ACCOUNTS);
        let to = (from + rng.random_range(1..ACCOUNTS)) % ACCOUNTS;
        let told = match transfer(&client, &id, [from, to], rng.random_range(1..=80)).await {
            Ok(told) => told,
            Err(error) if !error.is_watch() && !is_clear(&error) => {
                return Err(format!("transfer {id} failed unclearly: {error:?}").into());
            }
            Err(error) if error.delivery() == Delivery::MaybeExecuted => Told::Unknown,
            Err(_) => Told::NotApplied,
        };
        book.insert(id, told);
        ended.fetch_add(1, Ordering::Relaxed);
    }
    Ok(book)
}

/// Reads all balances and the ledger at one moment, and compares them. Gives how often each transfer is
/// in the ledger.
async fn audit<S: Subject>(direct: &Client<S>) -> Result<BTreeMap<String, usize>, Failure> {
    let accounts: Vec<_> = (0..ACCOUNTS).map(account).collect();
    let (balances, ledger): (Vec<i64>, Vec<String>) =
        direct.pipeline().mget(&accounts).lrange("ledger", 0, -1).execute().await?;
    let mut expected: BTreeMap<_, _> = accounts.iter().map(|account| (&**account, EACH)).collect();
    let mut seen = BTreeMap::new();
    for entry in &ledger {
        let words: Vec<_> = entry.split(' ').collect();
        let &[id, from, to, amount] = &*words else {
            return Err(format!("`{entry}` is no entry of the ledger").into());
        };
        let amount: i64 = amount.parse()?;
        *expected.entry(from).or_default() -= amount;
        *expected.entry(to).or_default() += amount;
        *seen.entry(id.to_owned()).or_default() += 1;
    }
    if !expected.values().eq(&balances) || balances.iter().any(|balance| *balance < 0) {
        return Err(format!("the balances are {balances:?}, by the ledger {expected:?}").into());
    }
    match balances.iter().sum::<i64>() == EACH * ACCOUNTS as i64 {
        true => Ok(seen),
        false => Err(format!("money was made or lost: {balances:?}").into()),
    }
}

/// Makes faults, one after the other: the next one comes when the last one has met somebody.
async fn mischief<S: Subject>(
    cx: &Context<S>,
    proxy: &Proxied,
    ended: &AtomicU64,
    workers: &[Join<Result<Book, Failure>>],
) -> Result<(), Failure> {
    let mut rng = SmallRng::seed_from_u64(SEED);
    for fault in 0..FAULTS {
        let direction = [Direction::ToServer, Direction::ToClient][rng.random_range(0..2_usize)];
        let ending =
            [Ending::Close, Ending::ResetClient, Ending::ResetServer][rng.random_range(0..3_usize)];
        let before = ended.load(Ordering::Relaxed);
        match rng.random_range(0..8) {
            0 => {
                let far = Duration::from_millis(rng.random_range(0..3));
                proxy.flow(direction, Flow::Delay(far));
            }
            1 => {
                let size = rng.random_range(1..40);
                proxy.flow(direction, Flow::Pieces { size, pause: Duration::ZERO });
            }
            2 => proxy.end_links(ending),
            3 => proxy.heal(),
            _ => proxy.cut_after(direction, rng.random_range(0..700), ending),
        }
        cx.until(&format!("fault {fault} has met somebody"), async || {
            let ended = ended.load(Ordering::Relaxed);
            // Whoever ends before he is told to has failed, which he says himself.
            let failed = workers.iter().any(Join::is_done);
            Ok(failed || proxy.cuts_to_come() == 0 && ended > before + 2)
        })
        .await?;
    }
    proxy.heal();
    Ok(())
}

async fn transfers_over_faulty_links_keep_every_balance_and_promise<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    direct.mset((0..ACCOUNTS).map(|n| (account(n), EACH)).collect::<Vec<_>>()).await?;
    let (stop, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients = [proxy.client::<S>()?, proxy.client::<S>()?];
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let client = clients[worker as usize % clients.len()].clone();
            cx.spawn(transfers(client, worker, stop.clone(), ended.clone()))
        })
        .collect();
    let (reader, reads) = (direct.clone(), stop.clone());
    let auditor = cx.spawn(async move {
        let mut audits = 0;
        while !reads.load(Ordering::Relaxed) {
            audit(&reader).await?;
            audits += 1;
            S::sleep(Duration::from_millis(1)).await;
        }
        Ok::<u32, Failure>(audits)
    });
    let made = mischief(&cx, &proxy, &ended, &workers).await;
    stop.store(true, Ordering::Relaxed);
    cx.step("waiting for the workers");
    let mut book = Book::new();
    for worker in workers {
        book.extend(worker.await??);
    }
    assert!(auditor.await?? > 0);
    made?;
    cx.step("comparing what was told with the ledger");
    let seen = audit(&direct).await?;
    let mut counts = BTreeMap::new();
    for (id, told) in &book {
        let times = seen.get(id).copied().unwrap_or(0);
        let fits = match told {
            Told::Moved => times == 1,
            Told::Refused | Told::NotApplied => times == 0,
            Told::Unknown => times <= 1,
        };
        assert!(fits, "transfer {id} is {times} times in the ledger, its caller was told {told:?}");
        *counts.entry(format!("{told:?}")).or_insert(0) += 1;
    }
    assert!(seen.keys().all(|id| book.contains_key(id)), "nobody asked for some of {seen:?}");
    for told in [Told::Moved, Told::Refused] {
        assert!(counts.contains_key(&format!("{told:?}")), "too little has happened: {counts:?}");
    }
    cx.step("once everything is over");
    for client in clients {
        client
            .transaction::<(i64,), _, _>(
                &["n"],
                |watched| async move { Ok(watched.multi().incr("n")) },
            )
            .await?;
    }
    Ok(())
}
