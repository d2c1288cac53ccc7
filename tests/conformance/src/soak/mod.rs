//! The soak: every workload at once on one runtime, through a proxy and on a server that misbehave from a
//! seed, for minutes. At the end what the clients were told is compared with what the server has.
//!
//! The server keeps a log on disk, so that what it acknowledged outlives its crashes: every difference at
//! the end is a bug of the client.

mod bank;
mod calls;
mod channel;
mod counters;
mod mischief;
mod pools;
mod process;
mod queue;
mod tally;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis_core::{Commands, Config, Endpoint};
use serde_json::{Value, json};
use testkit::faulty::{Ending, FaultProxy};
use testkit::servers::{Installed, Server, ServerOptions};

use self::mischief::Mischief;
use self::process::Usage;
use self::tally::Tally;
use crate::client::Client;
use crate::scenario::open;
use crate::subject::Subject;
use crate::task::{self, Join};

/// Commands end before this, whatever happens.
const DEADLINE: Duration = Duration::from_millis(400);

/// What a peer may be silent for, and how long opening a connection may take.
const PATIENCE: Duration = Duration::from_millis(300);

/// What every task ends within once it is told to.
const END: Duration = Duration::from_secs(30);

/// Connections of the pool, in all clients.
const POOL: usize = 8;

/// The share of the time after which memory is measured for the first time.
const WARM_UP: u32 = 4;

/// Of resident memory: more than this on top of half as much again is a leak.
const SLACK: u64 = 24 << 20;

/// What is run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) installed: Installed,
    pub(crate) protocol: redis_core::Protocol,
    pub(crate) threads: bool,
    pub(crate) time: Duration,
    pub(crate) seed: u64,
}

/// What the workloads are given.
pub(crate) struct Soak<S> {
    /// Through the proxy.
    client: Client<S>,
    tally: Arc<Tally>,
    stop: Arc<AtomicBool>,
}

impl<S: Clone> Clone for Soak<S> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), tally: self.tally.clone(), stop: self.stop.clone() }
    }
}

impl<S: Subject> Soak<S> {
    /// Whether to go on; others have their turn meanwhile.
    async fn goes_on(&self) -> bool {
        S::sleep(Duration::from_millis(1)).await;
        !self.stop.load(Ordering::Relaxed)
    }
}

/// Runs everything on one runtime, and gives the report.
pub(crate) fn run<S: Subject>(options: &Options) -> io::Result<Value> {
    let server = ServerOptions::new()
        .arg("--appendonly")
        .arg("yes")
        .arg("--appendfsync")
        .arg("no")
        .arg("--auto-aof-rewrite-min-size")
        .arg("16mb");
    let server = Server::start(&options.installed, server)?;
    let proxy = Arc::new(FaultProxy::start(server.addr())?);
    let mut config = Config::default();
    config.protocol = options.protocol;
    config.seed = Some(options.seed);
    let mut direct = config.clone();
    direct.endpoint = Endpoint::Unix(server.socket_path().to_owned());
    direct.command_timeout = Some(END);
    // The server is gone now and then.
    direct.max_retries = 1_000;
    direct.backoff.cap = Duration::from_millis(20);
    config.endpoint = Endpoint::Tcp { host: "127.0.0.1".into(), port: proxy.addr().port() };
    config.command_timeout = Some(DEADLINE);
    config.connect_timeout = PATIENCE;
    config.pool_timeout = PATIENCE;
    config.health_interval = Some(PATIENCE);
    config.backoff.cap = Duration::from_millis(50);
    config.pool_size = POOL;
    let mischief = Mischief::start(server, proxy.clone(), options.seed)?;
    let soaked = S::drive(options.threads, soak::<S>(options, config, direct, &proxy, mischief))?;
    soaked.map_err(io::Error::other)
}

async fn soak<S: Subject>(
    options: &Options,
    config: Config,
    direct: Config,
    proxy: &FaultProxy,
    mischief: Mischief,
) -> Result<Value, crate::scenario::Failure> {
    let direct = open::<S>(direct)?;
    let soak = Soak { client: open::<S>(config)?, tally: Arc::default(), stop: Arc::default() };
    let began = Instant::now();
    let mut running = Running::default();
    let mut counters = counters::start(&soak, &mut running);
    calls::start(&soak, &mut counters, &mut running);
    let bank = bank::start(&soak, &direct, &mut running).await?;
    let queue = queue::start(&soak, &mut running);
    channel::start(&soak, &mut running);
    pools::start(&soak, &mut running);
    S::sleep(options.time / WARM_UP).await;
    let warm = Usage::now()?;
    S::sleep(options.time.saturating_sub(began.elapsed())).await;

    // From here on everything works, and everybody comes to an end.
    let (faults, server) = mischief.end::<S>().await?;
    soak.stop.store(true, Ordering::Relaxed);
    let hung = running.end::<S>().await;
    let tally = soak.tally.clone();
    if !hung.is_empty() {
        tally.violation(format!("hung: {}", hung.join(", ")));
    }
    let ended = Usage::now()?;
    if ended.memory > warm.memory + warm.memory / 2 + SLACK {
        tally.violation(format!("memory grew from {} to {} bytes", warm.memory, ended.memory));
    }
    counters.check(&direct, &tally).await?;
    bank.check(&direct, &tally).await?;
    queue.check(&direct, &tally).await?;
    connections(soak, proxy, &direct).await?;
    drop(server);
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Ok(json!({
        "attempted": count(&tally.attempted),
        "acknowledged": count(&tally.acknowledged),
        "doubtful": count(&tally.doubtful),
        "not_sent": count(&tally.not_sent),
        "refused": count(&tally.refused),
        "given_up": count(&tally.given_up),
        "conflicts": count(&tally.conflicts),
        "messages": count(&tally.messages),
        "losses": count(&tally.losses),
        "popped": count(&tally.popped),
        "faults": faults,
        "links": proxy.connections(),
        "memory": [warm.memory, ended.memory],
        "most_threads": warm.threads.max(ended.threads),
        "violations": tally.violations(),
    }))
}

/// Idle clients keep what they are allowed to; without clients nothing is left.
async fn connections<S: Subject>(
    soak: Soak<S>,
    proxy: &FaultProxy,
    direct: &Client<S>,
) -> Result<(), crate::scenario::Failure> {
    let Soak { client, tally, .. } = soak;
    let most = pools::check(&client, &tally).await + usize::from(!S::BLOCKS);
    let start = Instant::now();
    while proxy.open_links() > most && start.elapsed() < END {
        S::sleep(Duration::from_millis(5)).await;
    }
    if let open @ 1.. = proxy.open_links().saturating_sub(most) {
        tally.violation(format!("{open} connections more than an idle client has"));
    }
    drop(client);
    while proxy.open_links() > 0 && start.elapsed() < 2 * END {
        S::sleep(Duration::from_millis(5)).await;
    }
    if let open @ 1.. = proxy.open_links() {
        tally.violation(format!("{open} connections are left without a client"));
    }
    // Of half-open links the proxy has kept the server's side.
    proxy.end_links(Ending::Close);
    while direct.client_list().await?.len() > 1 {
        if start.elapsed() > 3 * END {
            tally.violation("the server has connections that nobody knows of".to_owned());
            break;
        }
        S::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// The tasks, by name.
#[derive(Default)]
pub(crate) struct Running(Vec<(String, Join<()>)>);

impl Running {
    fn spawn<S: Subject>(
        &mut self,
        name: impl Into<String>,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.0.push((name.into(), task::spawn::<S, ()>(task)));
    }

    /// Waits for all of them; the names of those that do not come to an end.
    async fn end<S: Subject>(self) -> Vec<String> {
        let deadline = Instant::now() + END;
        let mut running = self.0;
        while !running.is_empty() && Instant::now() < deadline {
            running.retain(|(_, task)| !task.is_done());
            S::sleep(Duration::from_millis(2)).await;
        }
        running.into_iter().map(|(name, _)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short<S: Subject>() {
        let options = Options {
            installed: testkit::servers::any().expect("there is a server"),
            protocol: redis_core::Protocol::Resp3,
            threads: false,
            time: Duration::from_millis(1_500),
            seed: 1,
        };
        let report = run::<S>(&options).expect("the server and the proxy start");
        assert_eq!(report["violations"], json!([]), "{report:#}");
        assert!(report["acknowledged"].as_u64() > Some(100), "{report:#}");
    }

    #[test]
    fn a_short_soak_of_the_blocking_client_finds_nothing_wrong() {
        short::<redis_sync::Client>();
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn a_short_soak_on_tokio_finds_nothing_wrong() {
        short::<crate::subject::asynchronous::On<redis_tokio::Client>>();
    }

    #[cfg(feature = "smol")]
    #[test]
    fn a_short_soak_on_smol_finds_nothing_wrong() {
        short::<crate::subject::asynchronous::On<redis_smol::Client>>();
    }
}
