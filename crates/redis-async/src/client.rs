//! The client: one shared link, a pool of dedicated ones, and one call for each way to use them.

use std::collections::hash_map::RandomState;
use std::future::poll_fn;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Instant;

use redis_cluster::{Route, Topology};
use redis_core::batch::Deadline;
use redis_core::config::Seeds;
use redis_core::pipeline::{Batched, FromReplies, Pipeline as Queued};
use redis_core::telemetry::Stats;
use redis_core::types::ScanPage;
use redis_core::watch::{self, Attempts as Conflicts};
use redis_core::{
    Cmd, Command, Config, Endpoint, Error, ErrorKind, Execute, FromReply, Result, ToArgs, cmd,
};

use crate::attempts::Attempts;
use crate::inbox::Closing;
use crate::link::Link;
use crate::monitor::Monitor;
use crate::nodes::Nodes;
use crate::pipeline::{self, Pipeline};
use crate::pool::Pool;
use crate::pubsub::PubSub;
use crate::request::ReplyFuture;
use crate::routed::Routed;
use crate::runtime::Runtime;
use crate::scan::ScanStream;
use crate::secured::secured;
use crate::shards::Shards;
use crate::watch::{Transaction, Watched};

/// A client. Cloning it is cheap; all clones share one connection, on which the commands of any number
/// of tasks are under way together. Blocking commands, watches and [`pubsub`](Self::pubsub) get connections
/// of their own by themselves.
///
/// Running a command never changes the client. Its database is part of the configuration: use one client
/// for each. The connections close when the last clone is dropped.
///
/// Of a cluster it has one such connection for each node that it needs, and a pool: each command goes to the node
/// that serves its keys.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    runtime: Arc<dyn Runtime>,
    seeds: Arc<Seeds>,
    pub(crate) servers: Servers,
}

/// What there is behind a client.
pub(crate) enum Servers {
    One(One),
    Cluster(Arc<Nodes>),
}

/// One server: a link that all share, and others of a single user each.
pub(crate) struct One {
    pub(crate) link: Arc<Link>,
    pub(crate) pool: Arc<Pool>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Shared {
    /// A pipeline as it is by default: a transaction, but where its commands may be for several nodes.
    pub(crate) fn queue(&self) -> Queued {
        match &self.servers {
            Servers::One(_) => Queued::atomic(),
            Servers::Cluster(_) => Queued::marked(),
        }
    }

    pub(crate) async fn sleep_until(&self, time: Instant) {
        let mut timer = self.runtime.timer();
        poll_fn(|cx| timer.poll_at(cx, time)).await;
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        match &self.servers {
            Servers::One(one) => {
                one.link.close(Closing::Drain);
                one.pool.close();
            }
            Servers::Cluster(nodes) => nodes.close(),
        }
    }
}

impl Client {
    /// A client for a configuration, on a runtime. Nothing is connected before the first command.
    ///
    /// # Errors
    ///
    /// `Config` when the settings do not fit together, when a certificate or key that they name can't be used, and when they
    /// want TLS without the feature `tls`.
    pub fn new(config: Config, runtime: Arc<dyn Runtime>) -> Result<Self> {
        let runtime = secured(&config, runtime)?;
        Self::on(config, runtime)
    }

    /// A client whose runtime connects as the settings want.
    fn on(mut config: Config, runtime: Arc<dyn Runtime>) -> Result<Self> {
        config.begin()?;
        let seeds = Arc::new(Seeds::new(*config.seed.get_or_insert_with(random)));
        let config = Arc::new(config);
        let servers = match config.cluster.clone() {
            Some(cluster) => Servers::Cluster(Nodes::new(&config, cluster, &runtime, &seeds)),
            None => Servers::One(One {
                link: Link::new(config.clone(), runtime.clone(), seeds.clone()),
                pool: Pool::new(config.clone(), runtime.clone(), seeds.clone()),
            }),
        };
        Ok(Self { shared: Arc::new(Shared { config, runtime, seeds, servers }) })
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Starts a pipeline: commands are queued and sent together, as one transaction unless
    /// [`transaction(false)`](Pipeline::transaction) says otherwise.
    pub fn pipeline(&self) -> Pipeline {
        Pipeline::new(self.shared.clone())
    }

    /// Runs a tuple of commands as one transaction; the reply types are those of the commands.
    ///
    /// # Errors
    ///
    /// As [`Pipeline::execute`].
    ///
    /// # Cancel safety
    ///
    /// As [`Pipeline::execute`].
    pub async fn batch<B: Batched>(&self, commands: B) -> Result<B::Output> {
        let mut queue = self.shared.queue();
        commands.queue_all(&mut queue);
        pipeline::execute(&self.shared, &mut queue).await
    }

    /// Watches keys on a connection of its own: commands on the [`Watched`] run at once, and its
    /// transaction is applied only if no watched key has changed by then.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` without a key; what a connection or the server fails with.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes its connection; nothing is watched.
    pub async fn watch<M>(&self, keys: impl ToArgs<M>) -> Result<Watched> {
        self.watch_by(&watch::watch(keys)?).await
    }

    async fn watch_by(&self, cmd: &Cmd<()>) -> Result<Watched> {
        let one = match &self.shared.servers {
            Servers::One(one) => one,
            Servers::Cluster(nodes) => {
                let (pooled, node) = nodes.watch(cmd).await.map_err(watch::not_begun)?;
                return Watched::of(pooled, nodes.clone(), node, cmd);
            }
        };
        let mut attempts = Attempts::new(&self.shared, one, cmd.into());
        let result = async {
            loop {
                let connection = attempts.acquire().await?;
                let deadline = attempts.deadline;
                match Watched::start(connection, cmd.clone(), deadline).await {
                    Ok(watched) => return Ok(watched),
                    Err(error) => attempts.again((error, deadline)).await?,
                }
            }
        };
        result.await.map_err(watch::not_begun)
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
    /// # Cancel safety
    ///
    /// Dropping the future closes its connection. A transaction that was written by then may be applied,
    /// as a whole.
    pub async fn transaction<T: FromReplies, V, M, F: Future<Output = Result<Transaction<V>>>>(
        &self,
        keys: impl ToArgs<M>,
        mut attempt: impl FnMut(Watched) -> F,
    ) -> Result<(T, V)> {
        let keys = watch::watch(keys)?;
        let mut attempts = Conflicts::new(self.config(), self.shared.seeds.next_seed());
        loop {
            let error = match self.try_transaction(&keys, &mut attempt).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let wait = attempts.after(error)?;
            self.shared.sleep_until(Instant::now() + wait).await;
        }
    }

    async fn try_transaction<T: FromReplies, V, F: Future<Output = Result<Transaction<V>>>>(
        &self,
        keys: &Cmd<()>,
        attempt: &mut impl FnMut(Watched) -> F,
    ) -> Result<(T, V)> {
        let watched = self.watch_by(keys).await?;
        attempt(watched).await?.execute_returning().await
    }

    /// Changes how many connections the pool may have, of this client and its clones. Of too many, idle ones
    /// are closed at once and others when they are given back.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when the size is 0 or less than `pool_min`; nothing changes then.
    pub fn resize_pool(&self, size: usize) -> Result<()> {
        match &self.shared.servers {
            Servers::One(one) => one.pool.resize(size),
            Servers::Cluster(nodes) => nodes.resize(size),
        }
    }

    /// Leaves a command for the shared connection and returns at once: it goes out in order with all others,
    /// and its reply, or error, is read and thrown away in its place.
    ///
    /// Nobody hears what becomes of it: it is never sent again, and is lost with the connection, with the
    /// runtime, or when `command_timeout` passes before it is written. When the last client is dropped, what
    /// was left by then is still sent. It counts in [`Stats::in_flight`] until its reply is there.
    ///
    /// The first use of a client starts the task behind its connection, and so belongs into the runtime; later
    /// ones can come from any thread.
    ///
    /// # Errors
    ///
    /// Nothing was sent then. `InvalidRequest` for a command that can't be sent, would change the
    /// connection for others, or may block; `Limit` when the connection has no room (`max_in_flight`,
    /// `max_unsent`) or others wait for some; `Closed` when it takes nothing any more; `Connect` when the task
    /// behind it can't be started, as outside of the runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// # use redis_async::{Client, Commands, Result, cmd};
    /// # async fn run(client: Client) -> Result<()> {
    /// client.fire_and_forget(cmd::incr("visits"))?;
    /// let visits: Option<i64> = client.get("visits").await?;
    /// assert!(visits >= Some(1), "it was sent before");
    /// # Ok(())
    /// # }
    /// ```
    pub fn fire_and_forget<C: Command>(&self, command: C) -> Result<()> {
        let cmd = command.into_cmd().for_nobody()?;
        match &self.shared.servers {
            Servers::One(one) => one.link.submit_for_nobody(&cmd),
            Servers::Cluster(nodes) => nodes.submit_for_nobody(&cmd),
        }
    }

    /// Opens the shared connection, and others until the pool has this many, or as many as it may.
    ///
    /// # Errors
    ///
    /// Why one could not be opened; those that were opened stay.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes what was not open yet.
    pub async fn warm_up(&self, connections: usize) -> Result<()> {
        let pools = match &self.shared.servers {
            Servers::One(one) => {
                self.execute(cmd::ping()).await?;
                vec![one.pool.clone()]
            }
            Servers::Cluster(nodes) => {
                self.route(Route::Primaries).execute(cmd::ping()).await?;
                nodes.primary_pools()
            }
        };
        for pool in pools {
            for _ in 0..connections {
                let Some(pooled) = pool.one_more(connections) else { break };
                ReplyFuture::pooled(pooled, cmd::ping().into_cmd()).await?;
            }
        }
        Ok(())
    }

    /// What was counted since the client was made, and what its connections have now.
    pub fn stats(&self) -> Stats {
        match &self.shared.servers {
            Servers::One(one) => {
                let mut stats = one.pool.stats();
                stats.in_flight = one.link.under_way();
                stats
            }
            Servers::Cluster(nodes) => nodes.stats(),
        }
    }

    /// Walks through keys, or the fields or members of one key: what `cmd::scan`, `cmd::hscan`, `cmd::sscan`
    /// or `cmd::zscan` describes. Each page is fetched when the items of the one before are used up.
    ///
    /// As the server promises: what is there all the while comes at least once, and may come again.
    ///
    /// # Examples
    ///
    /// ```
    /// # use redis_async::{Client, Result, cmd, types::Cursor};
    /// # async fn run(client: Client) -> Result<()> {
    /// let mut keys = client.scan_iter(cmd::scan::<String>(Cursor::START).matching("user:*").count(500));
    /// while let Some(key) = keys.next().await {
    ///     println!("{}", key?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn scan_iter<T: FromReply>(
        &self,
        first: impl Command<Reply = ScanPage<T>>,
    ) -> ScanStream<'_, T> {
        ScanStream::new(self, first.into_cmd())
    }

    /// Subscriptions on a connection of their own, which takes a place in the pool. Nothing is connected before the
    /// first one. Those on the shared connection are made by [`subscribe`](Self::subscribe). On a cluster it keeps the
    /// client alive, which knows where the nodes are.
    pub fn pubsub(&self) -> PubSub {
        let (pool, shards) = match &self.shared.servers {
            Servers::One(one) => (&one.pool, None),
            Servers::Cluster(nodes) => (nodes.anywhere(), Some(Shards::new(nodes, &self.shared))),
        };
        PubSub::new(pool.clone(), self.shared.seeds.next_seed(), shards)
    }

    /// The commands that the server runs from now on, whoever sends them, on a connection of its own, which
    /// takes a place in the pool. Connects at once.
    ///
    /// # Errors
    ///
    /// `Limit` when the pool has no place; what a connection fails with; the server's error when this user may not
    /// monitor.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub async fn monitor(&self) -> Result<Monitor> {
        match &self.shared.servers {
            Servers::One(one) => Monitor::open(&one.pool, self.shared.seeds.next_seed()).await,
            Servers::Cluster(_) => Err(Error::new(
                ErrorKind::InvalidRequest,
                "a cluster has many nodes: monitor one of them, by `client.node(endpoint)`",
            )),
        }
    }

    /// Chooses nodes of a cluster by hand for a command; see [`Routed`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use redis_async::{Client, Commands, Result, cluster::Route};
    /// # async fn run(client: Client) -> Result<()> {
    /// let keys_in_all: u64 = client.route(Route::Primaries).dbsize().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn route(&self, route: Route) -> Routed<'_> {
        Routed::new(self, route)
    }

    /// A client of one server alone, with the settings of this one otherwise and connections of its own: of a
    /// cluster's node, for what concerns that node, as its `monitor`.
    pub fn node(&self, endpoint: &Endpoint) -> Self {
        let mut config = self.config().clone();
        (config.cluster, config.endpoint) = (None, endpoint.clone());
        config.seed = Some(self.shared.seeds.next_seed());
        let client = Self::on(config, self.shared.runtime.clone());
        client.expect("settings that were good for all nodes are good for one")
    }

    /// Which node serves what, as far as it is known now; none of a client that is not one of a cluster.
    pub fn topology(&self) -> Option<Topology> {
        self.nodes().map(|nodes| nodes.topology())
    }

    pub(crate) fn nodes(&self) -> Option<&Arc<Nodes>> {
        match &self.shared.servers {
            Servers::One(_) => None,
            Servers::Cluster(nodes) => Some(nodes),
        }
    }
}

impl<'a> Execute for &'a Client {
    type Output<R: FromReply> = ReplyFuture<'a, R>;

    fn execute<C: Command>(self, command: C) -> ReplyFuture<'a, C::Reply> {
        let cmd = command.into_cmd();
        if let Err(error) = cmd.check() {
            return ReplyFuture::refused(error, cmd);
        }
        let one = match &self.shared.servers {
            Servers::One(one) => one,
            Servers::Cluster(nodes) => return ReplyFuture::routed(nodes, cmd),
        };
        if cmd.is_blocking() {
            let deadline = Deadline::from(self.config().timeout(cmd.block()));
            return ReplyFuture::dedicated(one.pool.acquire(deadline), cmd);
        }
        ReplyFuture::on(&one.link, cmd)
    }
}

/// A seed: std's hasher keys are the randomness that needs no dependency.
fn random() -> u64 {
    RandomState::new().hash_one(0)
}
