//! The nodes of a cluster: what all requests of one client share.
//!
//! Owns the links and pools of each node, opened on demand, and who is woken when the map changes. Which node
//! gets what is decided by the machine of `redis-cluster`.

mod running;
mod worker;

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use redis_cluster::{
    Action, Cluster, ClusterConfig, Exchange, Link as Which, NodeId, Options, Route, Source,
    Target, Topology,
};
use redis_core::batch::Deadline;
use redis_core::config::{Seeds, Whereabouts};
use redis_core::pipeline::Run;
use redis_core::telemetry::Stats;
use redis_core::{
    Cmd, Config, Endpoint, Error, ErrorKind, FromReply, Result, Value, decode, decode_shared,
};

use self::running::Running;
use self::worker::Worker;
use crate::inbox::Closing;
use crate::link::Link;
use crate::pool::{Pool, Pooled};
use crate::runtime::Runtime;
use crate::subscriber::no_task;

/// A future on the heap.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A node, and which of its links.
pub(crate) type At = (NodeId, Which);

pub(crate) struct Nodes {
    config: Arc<Config>,
    runtime: Arc<dyn Runtime>,
    seeds: Arc<Seeds>,
    state: Mutex<State>,
    /// Those who may be on any node have their places here.
    anywhere: Arc<Pool>,
}

struct State {
    machine: Cluster,
    /// Of each node, at twice its index, and of its link for replicas behind it.
    ends: Vec<Option<End>>,
    /// How many connections each pool may have, where that was changed.
    pool_size: Option<usize>,
    /// Nodes that the worker is to ask for the map.
    asks: Vec<NodeId>,
    /// How often the map has changed.
    changes: u64,
    /// Of those who wait for that.
    waiting: Vec<Waker>,
    /// There is a worker.
    working: bool,
    /// Of the worker, while it waits, and until when.
    worker: Option<(Waker, Option<Instant>)>,
    closed: bool,
}

/// What leads to a node.
struct End {
    node: NodeId,
    config: Arc<Config>,
    link: Arc<Link>,
    pool: Option<Arc<Pool>>,
}

impl End {
    /// Nothing more is asked of it; what is under way is answered.
    fn close(&self) {
        self.link.close(Closing::Drain);
        if let Some(pool) = &self.pool {
            pool.close();
        }
    }
}

impl std::fmt::Debug for Nodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nodes").finish_non_exhaustive()
    }
}

impl Nodes {
    pub(crate) fn new(
        config: &Arc<Config>,
        cluster: ClusterConfig,
        runtime: &Arc<dyn Runtime>,
        seeds: &Arc<Seeds>,
    ) -> Arc<Self> {
        let machine = Cluster::new(config.clone(), cluster, seeds.next_seed());
        let state = State {
            machine,
            ends: Vec::new(),
            pool_size: None,
            asks: Vec::new(),
            changes: 0,
            waiting: Vec::new(),
            working: false,
            worker: None,
            closed: false,
        };
        Arc::new_cyclic(|nodes: &Weak<Self>| {
            let mut anywhere = (**config).clone();
            let (asked, told, seed) = (nodes.clone(), nodes.clone(), config.endpoint.clone());
            let next = move || match asked.upgrade() {
                Some(nodes) => nodes.with(|state| state.machine.any_endpoint(Instant::now())),
                None => seed.clone(),
            };
            let lost = move |endpoint: &Endpoint| {
                let Some(nodes) = told.upgrade() else { return };
                nodes.with(|state| state.machine.handle_unreachable(Instant::now(), endpoint));
            };
            anywhere.whereabouts = Some(Whereabouts::new(next, lost));
            Self {
                anywhere: Pool::new(Arc::new(anywhere), runtime.clone(), seeds.clone()),
                config: config.clone(),
                runtime: runtime.clone(),
                seeds: seeds.clone(),
                state: Mutex::new(state),
            }
        })
    }

    pub(crate) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    pub(crate) fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.runtime
    }

    /// The places of those who may be on any node.
    pub(crate) fn anywhere(&self) -> &Arc<Pool> {
        &self.anywhere
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The bookkeeping is whole after each call, so that a panic elsewhere does not matter.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something to the state, and what follows from it; wakes without the lock.
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut wake = Vec::new();
        let mut state = self.lock();
        let changed = change(&mut state);
        let ended = state.settle(&mut wake);
        drop(state);
        ended.iter().for_each(End::close);
        wake.into_iter().for_each(Waker::wake);
        changed
    }

    /// Starts the worker, with the first request.
    fn start(self: &Arc<Self>) -> Result<()> {
        if std::mem::replace(&mut self.lock().working, true) {
            return Ok(());
        }
        self.runtime.spawn(Box::pin(Worker::new(self.clone()))).map_err(no_task)
    }

    /// The link for a command, where that is plain.
    #[inline]
    pub(crate) fn route<R>(self: &Arc<Self>, cmd: &Cmd<R>) -> Result<Option<(Arc<Link>, At)>> {
        let mut state = self.lock();
        if !state.working {
            drop(state);
            self.start()?;
            state = self.lock();
        }
        let Some(at) = state.machine.route(Instant::now(), cmd) else { return Ok(None) };
        Ok(state.end(self, at).map(|end| (end.link.clone(), at)))
    }

    /// Runs one command, to its reply frame.
    pub(crate) fn execute<'a>(
        self: &'a Arc<Self>,
        cmd: Cmd<Value>,
        target: Target,
        deadline: Deadline,
    ) -> Boxed<'a, Result<Bytes>> {
        Box::pin(async move {
            let deadline = deadline.at(Instant::now());
            let cmd = target.for_many(&cmd).unwrap_or(cmd);
            let exchange = self.run(&cmd, target, deadline).await?;
            self.after(cmd, exchange, target, deadline).await
        })
    }

    /// Goes on with one command that was sent to a node, and was refused or got no answer.
    pub(crate) fn resume<'a>(
        self: &'a Arc<Self>,
        cmd: Cmd<Value>,
        at: At,
        outcome: Result<Bytes>,
        deadline: Option<Instant>,
    ) -> Boxed<'a, Result<Bytes>> {
        Box::pin(async move {
            let options = self.options(Target::Auto, deadline);
            let mut running = Running::resume(self, &cmd, options, at)?;
            running.handle_first(outcome);
            let exchange = running.finish().await?;
            self.after(cmd, exchange, Target::Auto, deadline).await
        })
    }

    /// The reply, or that of the same script with its source.
    async fn after(
        self: &Arc<Self>,
        cmd: Cmd<Value>,
        mut exchange: Exchange,
        target: Target,
        deadline: Option<Instant>,
    ) -> Result<Bytes> {
        let frame = exchange.take_reply()?;
        if !cmd.calls_script() {
            return Ok(frame);
        }
        let missing = decode::<()>(&frame).err();
        match missing.and_then(|error| cmd.after_missing_script(&error)) {
            Some(whole) => self.run(&whole, target, deadline).await?.take_reply(),
            None => Ok(frame),
        }
    }

    /// Runs what the source has, until everything is answered.
    pub(crate) async fn run<S: Source + Sync + ?Sized>(
        self: &Arc<Self>,
        source: &S,
        target: Target,
        deadline: Option<Instant>,
    ) -> Result<Exchange> {
        self.start()?;
        Running::new(self, source, self.options(target, deadline))?.finish().await
    }

    /// Runs one command on each of the nodes that were chosen.
    pub(crate) async fn execute_on_each<R: FromReply>(
        self: &Arc<Self>,
        cmd: &Cmd<R>,
        route: Route,
    ) -> Result<Vec<(Endpoint, Result<R>)>> {
        let deadline = self.config.timeout(cmd.block()).map(|timeout| Instant::now() + timeout);
        let target = self.target(&route);
        let whole = target.for_many(cmd);
        let mut exchange = self.run(whole.as_ref().unwrap_or(cmd), target, deadline).await?;
        let decoded = |run: Run<'_>| match run.memory {
            Some(memory) => decode_shared(&memory.slice_ref(run.frames)),
            None => decode(run.frames),
        };
        if let Target::Node(node) = target {
            let reply = exchange.reply().and_then(decoded);
            return Ok(self.endpoint(node).map(|endpoint| (endpoint, reply)).into_iter().collect());
        }
        let each = exchange.each_reply(0).filter_map(|(node, reply)| {
            // One that has gone meanwhile has no name any more.
            Some((self.endpoint(node)?, reply.and_then(decoded)))
        });
        let each: Vec<_> = each.collect();
        match each.is_empty() {
            // It went to none, and says why.
            true => exchange.take_reply().map(|_| each),
            false => Ok(each),
        }
    }

    /// Watches keys: on the connection of the node that has them.
    pub(crate) async fn watch(self: &Arc<Self>, cmd: &Cmd<()>) -> Result<(Pooled, NodeId)> {
        self.start()?;
        let deadline = self.config.timeout(cmd.block()).map(|timeout| Instant::now() + timeout);
        Running::new(self, cmd, self.options(Target::Auto, deadline))?.connection().await
    }

    /// Connections of a single user each to a node, unless it was forgotten.
    pub(crate) fn pool_of(&self, node: NodeId) -> Option<Arc<Pool>> {
        self.with(|state| {
            let size = state.pool_size;
            state.end(self, (node, Which::Primary)).map(|end| end.pool(self, size))
        })
    }

    pub(crate) fn next_seed(&self) -> u64 {
        self.seeds.next_seed()
    }

    fn options(&self, target: Target, deadline: Option<Instant>) -> Options {
        Options { deadline, target, seed: self.seeds.next_seed() }
    }

    /// The nodes that a user chose.
    pub(crate) fn target(&self, route: &Route) -> Target {
        self.with(|state| state.machine.target(route))
    }

    /// Where a node is.
    pub(crate) fn endpoint(&self, node: NodeId) -> Option<Endpoint> {
        self.lock().machine.endpoint(node).cloned()
    }

    /// The map as it is known.
    pub(crate) fn topology(&self) -> Topology {
        self.lock().machine.topology().clone()
    }

    /// What an error on a watching connection of a node means, also to those who come later.
    pub(crate) fn watch_failed(&self, node: NodeId, error: Error) -> Error {
        self.with(|state| state.machine.handle_watch_error(Instant::now(), node, error))
    }

    /// Leaves a command for a node, whose reply is for nobody.
    pub(crate) fn submit_for_nobody<R>(self: &Arc<Self>, cmd: &Cmd<R>) -> Result<()> {
        self.start()?;
        let link = self.with(|state| {
            let at = state.machine.route_once(Instant::now(), cmd).inspect_err(|_| {
                // The next one may find a map.
                state.machine.refresh(Instant::now());
            })?;
            state.end(self, at).map(|end| end.link.clone()).ok_or_else(gone)
        })?;
        link.submit_for_nobody(cmd)
    }

    /// Does something with the machine, under the lock.
    pub(crate) fn with_machine<T>(&self, change: impl FnOnce(&mut Cluster) -> T) -> T {
        self.with(|state| change(&mut state.machine))
    }

    /// Waits for the map to change, unless it has since it was this old.
    pub(crate) fn poll_change(self: &Arc<Self>, cx: &Context<'_>, since: u64) -> Poll<Result<()>> {
        self.start()?;
        let mut state = self.lock();
        if state.changes != since {
            return Poll::Ready(Ok(()));
        }
        state.wait(cx);
        Poll::Pending
    }

    /// How often the map has changed.
    pub(crate) fn changes(&self) -> u64 {
        self.lock().changes
    }

    /// Changes how many connections each pool may have.
    pub(crate) fn resize(&self, size: usize) -> Result<()> {
        self.anywhere.resize(size)?;
        let pools = self.with(|state| {
            state.pool_size = Some(size);
            state.pools()
        });
        pools.iter().try_for_each(|pool| pool.resize(size))
    }

    /// The pools of all primaries, made if need be.
    pub(crate) fn primary_pools(self: &Arc<Self>) -> Vec<Arc<Pool>> {
        self.with(|state| {
            let primaries: Vec<_> = state.machine.primaries().collect();
            let ends = primaries.into_iter().filter_map(|node| {
                let size = state.pool_size;
                state.end(self, (node, Which::Primary)).map(|end| end.pool(self, size))
            });
            ends.collect()
        })
    }

    /// What was counted, and what all links and pools have.
    pub(crate) fn stats(&self) -> Stats {
        let mut stats = self.config.stats();
        self.anywhere.add_to(&mut stats);
        let (pools, links) = self.with(|state| {
            let links: Vec<_> = state.ends.iter().flatten().map(|end| end.link.clone()).collect();
            (state.pools(), links)
        });
        pools.iter().for_each(|pool| pool.add_to(&mut stats));
        stats.in_flight = links.iter().map(|link| link.under_way()).sum();
        stats
    }

    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let ends = std::mem::take(&mut state.ends);
        let worker = state.worker.take();
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        ends.iter().flatten().for_each(End::close);
        self.anywhere.close();
        waiting.into_iter().chain(worker.map(|(waker, _)| waker)).for_each(Waker::wake);
    }
}

impl State {
    /// Does what the machine asks for. Gives what is to be closed without the lock.
    fn settle(&mut self, wake: &mut Vec<Waker>) -> Vec<End> {
        let mut ended = Vec::new();
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Ask(node) => self.asks.push(node),
                Action::Forget(node) | Action::Reopen(node) => {
                    let ends = self.ends.iter_mut().skip(2 * node.index()).take(2);
                    let of_node = |end: &mut End| end.node == node;
                    ended.extend(ends.filter_map(|end| end.take_if(of_node)));
                }
                Action::Changed => {
                    self.changes += 1;
                    wake.append(&mut self.waiting);
                }
            }
        }
        let due = self.machine.poll_timeout();
        let asks = !self.asks.is_empty();
        let earlier =
            |armed: &Option<Instant>| due.is_some_and(|due| armed.is_none_or(|armed| due < armed));
        if let Some((waker, _)) = self.worker.take_if(|(_, armed)| asks || earlier(armed)) {
            wake.push(waker);
        }
        ended
    }

    /// What leads to a node; none once it was forgotten.
    fn end(&mut self, nodes: &Nodes, (node, which): At) -> Option<&mut End> {
        let index = 2 * node.index() + usize::from(which == Which::Replica);
        if self.ends.len() <= index {
            self.ends.resize_with(index + 1, || None);
        }
        let place = &mut self.ends[index];
        if place.as_ref().is_none_or(|end| end.node != node) {
            if self.closed {
                return None;
            }
            let config = Arc::new(self.machine.link_config(node, which)?);
            let link = Link::new(config.clone(), nodes.runtime.clone(), nodes.seeds.clone());
            self.machine.handle_use(node);
            *place = Some(End { node, config, link, pool: None });
        }
        place.as_mut()
    }

    fn pools(&self) -> Vec<Arc<Pool>> {
        self.ends.iter().flatten().filter_map(|end| end.pool.clone()).collect()
    }

    fn wait(&mut self, cx: &Context<'_>) {
        if !self.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
    }
}

impl End {
    /// Connections of a single user each, made if need be.
    fn pool(&mut self, nodes: &Nodes, size: Option<usize>) -> Arc<Pool> {
        let make = || {
            let mut config = (*self.config).clone();
            config.pool_size = size.unwrap_or(config.pool_size);
            Pool::new(Arc::new(config), nodes.runtime.clone(), nodes.seeds.clone())
        };
        self.pool.get_or_insert_with(make).clone()
    }
}

/// The node was forgotten just now.
fn gone() -> Error {
    Error::new(ErrorKind::Connect, "the node is not in the cluster's map any more")
}
