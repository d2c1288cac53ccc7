//! The client: a shared pool, and one call for each way to use it.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use redis_cluster::{Route, Topology};
use redis_core::config::Seeds;
use redis_core::pipeline::{Batched, FromReplies, Pipeline as Queued};
use redis_core::retry::{Retry, Unit};
use redis_core::telemetry::Stats;
use redis_core::types::ScanPage;
use redis_core::watch::Attempts;
use redis_core::{
    Cmd, Command, Config, Endpoint, Error, ErrorKind, Execute, FromReply, Result, ToArgs, watch,
};

use crate::cluster::{Nodes, Routed};
use crate::monitor::Monitor;
use crate::pipeline::Pipeline;
use crate::pool::{Pool, Pooled};
use crate::pubsub::PubSub;
use crate::scan::ScanIter;
use crate::tls_stream::Connector;
use crate::watch::{Transaction, Watched};

/// A client. Cloning it is cheap, and all clones share one pool; threads can share one by reference.
///
/// Running a command never changes the client. Its database is part of the configuration: use one client
/// for each.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) servers: Servers,
    pub(crate) seeds: Arc<Seeds>,
}

/// Where a client's commands go.
#[derive(Clone, Debug)]
pub(crate) enum Servers {
    One(Arc<Pool>),
    Cluster(Arc<Nodes>),
}

impl Client {
    /// A client for a URL such as `redis://user:password@host:6379/0` or `redis+unix:///path?db=1`; with the feature `tls`
    /// also `rediss://host:6380` and the like. Nothing is connected before the first command.
    ///
    /// # Errors
    ///
    /// `Config` when the URL is not one, and as [`new`](Self::new).
    pub fn open(url: &str) -> Result<Self> {
        Self::new(url.parse()?)
    }

    /// A client for a configuration. Nothing is connected before the first command.
    ///
    /// # Errors
    ///
    /// `Config` when the settings do not fit together, when a certificate or key that they name can't be used, and when they
    /// want TLS without the feature `tls`.
    pub fn new(config: Config) -> Result<Self> {
        let connector = Connector::new(&config)?;
        Self::with(config, connector)
    }

    fn with(mut config: Config, connector: Connector) -> Result<Self> {
        config.begin()?;
        let seeds = Arc::new(Seeds::new(*config.seed.get_or_insert_with(random)));
        let servers = match config.cluster.clone() {
            Some(settings) => {
                Servers::Cluster(Arc::new(Nodes::new(config, connector, settings, seeds.clone())))
            }
            None => Servers::One(Arc::new(Pool::new(Arc::new(config), connector))),
        };
        Ok(Self { servers, seeds })
    }

    fn connector(&self) -> &Connector {
        match &self.servers {
            Servers::One(pool) => pool.connector(),
            Servers::Cluster(nodes) => nodes.subscribers().connector(),
        }
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        match &self.servers {
            Servers::One(pool) => pool.config(),
            Servers::Cluster(nodes) => nodes.config(),
        }
    }

    /// The nodes by hand: what the route names gets a command, wherever its keys are.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use redis_sync::{Client, Commands, cluster::Route};
    /// # let client = Client::open("redis+cluster://localhost:7000")?;
    /// let keys: u64 = client.route(Route::Replicas).dbsize()?;
    /// # Ok::<(), redis_sync::Error>(())
    /// ```
    pub fn route(&self, route: Route) -> Routed<'_> {
        Routed { client: self, route }
    }

    /// A client for one node alone, with the same settings and a pool of its own.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use redis_sync::Client;
    /// # let client = Client::open("redis+cluster://localhost:7000")?;
    /// for node in client.topology().iter().flat_map(|map| map.nodes()) {
    ///     for entry in client.node(node.endpoint()).monitor()?.listen().take(10) {
    ///         println!("{:?}", entry?.args);
    ///     }
    /// }
    /// # Ok::<(), redis_sync::Error>(())
    /// ```
    pub fn node(&self, endpoint: &Endpoint) -> Self {
        let mut config = self.config().clone();
        (config.cluster, config.endpoint) = (None, endpoint.clone());
        config.seed = Some(self.seeds.next_seed());
        Self::with(config, self.connector().clone())
            .expect("settings that were good for all nodes are good for one")
    }

    /// What is known of the cluster's nodes; nothing before the first command. None where the server is no cluster.
    pub fn topology(&self) -> Option<Topology> {
        match &self.servers {
            Servers::One(_) => None,
            Servers::Cluster(nodes) => Some(nodes.topology()),
        }
    }

    /// Starts a pipeline: commands are queued and sent together, as one transaction unless
    /// [`transaction(false)`](Pipeline::transaction) says otherwise. On a cluster it is the other way round: each
    /// command goes to the node that serves it unless `transaction(true)` says that all are in one slot.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use redis_sync::{Client, QueueCommands};
    /// # let client = Client::open("redis://localhost")?;
    /// let (_, added, number): ((), i64, i64) =
    ///     client.pipeline().set("foo", "bar").sadd("faz", ["baz"]).incr("auto_number").execute()?;
    /// # Ok::<(), redis_sync::Error>(())
    /// ```
    pub fn pipeline(&self) -> Pipeline {
        Pipeline::new(self.clone())
    }

    /// Runs a tuple of commands as one transaction; the reply types are those of the commands. On a cluster they are
    /// a pipeline without one.
    ///
    /// # Errors
    ///
    /// As [`Pipeline::execute`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use redis_sync::{Client, cmd};
    /// # let client = Client::open("redis://localhost")?;
    /// let (value, count) = client.batch((cmd::get::<String>("key"), cmd::incr("count")))?;
    /// # Ok::<(), redis_sync::Error>(())
    /// ```
    pub fn batch<B: Batched>(&self, commands: B) -> Result<B::Output> {
        let mut queue = self.queue();
        commands.queue_all(&mut queue);
        crate::pipeline::execute(self, &mut queue)
    }

    /// An empty queue, as pipelines begin.
    pub(crate) fn queue(&self) -> Queued {
        match self.servers {
            Servers::One(_) => Queued::atomic(),
            Servers::Cluster(_) => Queued::marked(),
        }
    }

    /// Watches keys on a connection of its own: commands on the [`Watched`] run at once, and its
    /// transaction is applied only if no watched key has changed by then.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` without a key, and on a cluster when the keys are in several slots; what a connection or the
    /// server fails with.
    pub fn watch<M>(&self, keys: impl ToArgs<M>) -> Result<Watched> {
        self.watch_by(&watch::watch(keys)?)
    }

    fn watch_by(&self, cmd: &Cmd<()>) -> Result<Watched> {
        match &self.servers {
            Servers::One(pool) => self
                .attempt(pool, Unit::from(cmd), |mut connection, now, deadline| {
                    connection.execute_before(cmd, now, deadline)?;
                    Ok(Watched::on(connection))
                })
                .map_err(watch::not_begun),
            Servers::Cluster(nodes) => {
                let (node, connection) = nodes.watch(cmd)?;
                Watched::of(connection, nodes.clone(), node, cmd)
            }
        }
    }

    /// Watches keys and runs `attempt`, which reads what it needs and returns the transaction to apply;
    /// starts over, after a growing wait, as long as a watched key changes in between. Returns the
    /// transaction's replies and the value given to [`Transaction::returning`].
    ///
    /// # Errors
    ///
    /// What `attempt` fails with, unless that is a watch error; `Watch` when `max_transaction_attempts`
    /// are used up; what a connection or the server fails with. When the link is lost while the
    /// transaction is applied, or behind a command of `attempt` that writes, the error says `MaybeExecuted`,
    /// and nothing is run again.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use redis_sync::{Client, Commands, QueueCommands};
    /// # let client = Client::open("redis://localhost")?;
    /// let (_, next): ((), i64) = client.transaction(["seq"], |mut watched| {
    ///     let current: i64 = watched.get("seq")?.unwrap_or(0);
    ///     Ok(watched.multi().set("seq", current + 1).returning(current + 1))
    /// })?;
    /// # Ok::<(), redis_sync::Error>(())
    /// ```
    pub fn transaction<T: FromReplies, V, M>(
        &self,
        keys: impl ToArgs<M>,
        mut attempt: impl FnMut(Watched) -> Result<Transaction<V>>,
    ) -> Result<(T, V)> {
        let keys = watch::watch(keys)?;
        let mut attempts = Attempts::new(self.config(), self.seeds.next_seed());
        loop {
            let result = self
                .watch_by(&keys)
                .and_then(&mut attempt)
                .and_then(Transaction::execute_returning);
            match result {
                Ok(done) => return Ok(done),
                Err(error) => thread::sleep(attempts.after(error)?),
            }
        }
    }

    /// Sends a command or pipeline on a connection of the pool, again if need be, all before its deadline.
    pub(crate) fn attempt<T>(
        &self,
        pool: &Arc<Pool>,
        unit: Unit,
        mut send: impl FnMut(Pooled, Instant, Option<Instant>) -> Result<T>,
    ) -> Result<T> {
        let began = Instant::now();
        let deadline = self.config().timeout(unit.block()).map(|timeout| began + timeout);
        let (mut now, mut retry) = (began, None);
        let result = loop {
            let pooled = pool.acquire(now, deadline);
            let error = match pooled.and_then(|connection| send(connection, now, deadline)) {
                Err(error) => error,
                done => break done,
            };
            let retry = retry.get_or_insert_with(|| Retry::new(unit, self.seeds.next_seed()));
            match retry.after(self.config(), error, Instant::now(), deadline) {
                Ok(wait) => thread::sleep(wait),
                Err(error) => break Err(error),
            }
            now = Instant::now();
        };
        if self.config().slow_command.is_some() {
            self.config().tell_if_slow(unit, began.elapsed());
        }
        result
    }

    /// What was counted since the client was made, and what its pool has now: on a cluster those of all nodes.
    pub fn stats(&self) -> Stats {
        match &self.servers {
            Servers::One(pool) => pool.stats(),
            Servers::Cluster(nodes) => nodes.stats(),
        }
    }

    /// Changes how many connections the pool may have, of this client and its clones: on a cluster that of each node.
    /// Of too many, idle ones are closed at once and others when they are given back.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when the size is 0 or less than `pool_min`; nothing changes then.
    pub fn resize_pool(&self, size: usize) -> Result<()> {
        match &self.servers {
            Servers::One(pool) => pool.resize(size),
            Servers::Cluster(nodes) => nodes.resize(size),
        }
    }

    /// Opens connections until the pool has this many, or as many as it may: on a cluster that of each primary.
    ///
    /// # Errors
    ///
    /// Why one could not be opened; those that were opened stay.
    pub fn warm_up(&self, connections: usize) -> Result<()> {
        match &self.servers {
            Servers::One(pool) => pool.warm_up(connections),
            Servers::Cluster(nodes) => nodes.warm_up(connections),
        }
    }

    /// Walks through keys, or the fields or members of one key: what `cmd::scan`, `cmd::hscan`, `cmd::sscan`
    /// or `cmd::zscan` describes. Each page is fetched when the items of the one before are used up.
    ///
    /// As the server promises: what is there all the while comes at least once, and may come again. Keys are those
    /// of all nodes of a cluster.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use redis_sync::{Client, cmd, types::Cursor};
    /// # let client = Client::open("redis://localhost")?;
    /// for key in client.scan_iter(cmd::scan::<String>(Cursor::START).matching("user:*").count(500)) {
    ///     println!("{}", key?);
    /// }
    /// for pair in client.scan_iter(cmd::hscan::<String, String>("user:1", Cursor::START)) {
    ///     let (field, value) = pair?;
    ///     println!("{field} = {value}");
    /// }
    /// # Ok::<(), redis_sync::Error>(())
    /// ```
    pub fn scan_iter<T: FromReply>(
        &self,
        first: impl Command<Reply = ScanPage<T>>,
    ) -> ScanIter<'_, T> {
        ScanIter::new(self, first.into_cmd())
    }

    /// Subscriptions on a connection of their own, which takes a place in the pool. Nothing is connected before the
    /// first one. On a cluster the connection is one to any node, and the place one of `pool_size` for all subscribers.
    pub fn pubsub(&self) -> PubSub {
        PubSub::new(self.servers.clone(), self.seeds.next_seed())
    }

    /// The commands that the server runs from now on, whoever sends them, on a connection of its own, which
    /// takes a place in the pool. Connects at once.
    ///
    /// # Errors
    ///
    /// `Limit` when the pool has no place; what a connection fails with; the server's error when this user may not
    /// monitor; `InvalidRequest` on a cluster.
    pub fn monitor(&self) -> Result<Monitor> {
        match &self.servers {
            Servers::One(pool) => Monitor::open(pool, self.seeds.next_seed()),
            Servers::Cluster(_) => Err(Error::new(
                ErrorKind::InvalidRequest,
                "each node of a cluster shows its own commands: use `client.node(endpoint).monitor()`",
            )),
        }
    }
}

impl Execute for &Client {
    type Output<R: FromReply> = Result<R, Error>;

    fn execute<C: Command>(self, command: C) -> Result<C::Reply> {
        let cmd = command.into_cmd();
        cmd.check()?;
        match &self.servers {
            Servers::One(pool) => {
                self.attempt(pool, Unit::from(&cmd), |mut connection, now, deadline| {
                    connection.execute_before(&cmd, now, deadline)
                })
            }
            Servers::Cluster(nodes) => nodes.execute(&cmd),
        }
    }
}

/// A seed: std's hasher keys are the randomness that needs no dependency.
fn random() -> u64 {
    RandomState::new().hash_one(0)
}
