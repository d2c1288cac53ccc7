//! Clusters: nodes that are chosen by hand, and what is known of them.
//!
//! Owns what the threads of a client share: the machine that knows the nodes, a pool for each of their links, the lock
//! around both, under which nothing waits, and those who are told of what changes. Whatever has to be decided is the
//! machine's to say.

mod exchange;
mod requests;
mod routed;
mod worker;

use std::mem;
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use redis_cluster::{Action, Cluster, Exchange, Link, NodeId, Options, Source};
pub use redis_cluster::{AddressMap, ClusterConfig, Health, Node, ReadFrom, Role, Route, Topology};
use redis_core::config::{Seeds, Whereabouts};
use redis_core::telemetry::Stats;
use redis_core::{Cmd, Config, Endpoint, Error, ErrorKind, Result};

pub use self::routed::Routed;
use crate::pool::Pool;
use crate::signal::Signal;
use crate::tls_stream::Connector;

/// The nodes of a cluster, for the clients that share them. The last one takes the background thread with it.
#[derive(Debug)]
pub(crate) struct Nodes {
    shared: Arc<Shared>,
    seeds: Arc<Seeds>,
    /// What connections take their places from that are no node's in particular: those of subscribers.
    subscribers: Arc<Pool>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    config: Arc<Config>,
    state: Mutex<State>,
    /// The map has changed, or could not be had.
    changed: Condvar,
    /// The worker has something to do before it meant to look again.
    work: Condvar,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) cluster: Cluster,
    connector: Connector,
    /// By the small numbers of the nodes.
    pools: Vec<Option<Pools>>,
    /// What `resize_pool` said.
    pool_size: Option<usize>,
    /// How often the map has changed, or could not be had.
    pub(crate) changes: u64,
    /// Who is told of that besides.
    watchers: Vec<Weak<Signal>>,
    /// Who is to be asked for the map.
    asks: Vec<NodeId>,
    works: bool,
    /// When the worker looks again, unless it is woken.
    looks_at: Option<Instant>,
    ended: bool,
}

#[derive(Debug)]
struct Pools {
    node: NodeId,
    primary: Option<Arc<Pool>>,
    replica: Option<Arc<Pool>>,
}

impl State {
    /// The pool of a link, new if need be; none of a node that is no more.
    fn pool(&mut self, node: NodeId, link: Link) -> Option<Arc<Pool>> {
        let at = node.index();
        if self.pools.len() <= at {
            self.pools.resize_with(at + 1, || None);
        }
        let pools = self.pools[at].take_if(|pools| pools.node == node);
        let pools =
            self.pools[at].insert(pools.unwrap_or(Pools { node, primary: None, replica: None }));
        let pool = match link {
            Link::Primary => &mut pools.primary,
            Link::Replica => &mut pools.replica,
        };
        if pool.is_none() {
            let config = self.cluster.link_config(node, link)?;
            let new = Arc::new(Pool::new(Arc::new(config), self.connector.clone()));
            if let Some(size) = self.pool_size {
                // The size was good for the others.
                drop(new.resize(size));
            }
            *pool = Some(new);
        }
        pool.clone()
    }

    fn all_pools(&self) -> impl Iterator<Item = &Arc<Pool>> {
        self.pools.iter().flatten().flat_map(|pools| pools.primary.iter().chain(&pools.replica))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The machine is whole after each call, so that a panic elsewhere does not matter.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the machine something, and sees to what it wants done.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        let closed = self.settle(&mut state);
        drop(state);
        // Closing connections is not done under the lock.
        drop(closed);
        result
    }

    fn settle(&self, state: &mut State) -> Vec<Pools> {
        let mut closed = Vec::new();
        while let Some(action) = state.cluster.poll_action() {
            match action {
                Action::Ask(node) => state.asks.push(node),
                // Connections on loan are closed when they are given back to a pool that nobody has.
                Action::Forget(node) | Action::Reopen(node) => {
                    let pools = state.pools.get_mut(node.index());
                    closed.extend(pools.and_then(|pools| pools.take_if(|of| of.node == node)));
                }
                Action::Changed => {
                    state.changes += 1;
                    self.changed.notify_all();
                    state.watchers.retain(|watcher| match watcher.upgrade() {
                        Some(signal) => {
                            signal.raise();
                            true
                        }
                        None => false,
                    });
                }
            }
        }
        let due = state.cluster.poll_timeout();
        let sooner = due.is_some_and(|due| state.looks_at.is_none_or(|looks_at| due < looks_at));
        if sooner || !state.asks.is_empty() {
            self.work.notify_one();
        }
        closed
    }

    /// Waits until the map has changed since then, or until this time.
    fn wait_for_change(&self, seen: u64, until: Option<Instant>) {
        let state = self.lock();
        if state.changes == seen {
            drop(wait(&self.changed, state, until));
        }
    }
}

fn wait<'a>(
    condition: &Condvar,
    state: MutexGuard<'a, State>,
    until: Option<Instant>,
) -> MutexGuard<'a, State> {
    match until.map(|until| until.saturating_duration_since(Instant::now())) {
        None => condition.wait(state).unwrap_or_else(PoisonError::into_inner),
        Some(left) if left.is_zero() => state,
        Some(left) => condition.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
    }
}

impl Deref for Nodes {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        let mut state = self.lock();
        state.ended = true;
        let closed = mem::take(&mut state.pools);
        drop(state);
        drop(closed);
        self.work.notify_one();
    }
}

impl Nodes {
    pub(crate) fn new(
        config: Config,
        connector: Connector,
        settings: ClusterConfig,
        seeds: Arc<Seeds>,
    ) -> Self {
        let mut own = config.clone();
        let config = Arc::new(config);
        let state = State {
            cluster: Cluster::new(config.clone(), settings, seeds.next_seed()),
            connector: connector.clone(),
            pools: Vec::new(),
            pool_size: None,
            changes: 0,
            watchers: Vec::new(),
            asks: Vec::new(),
            works: false,
            looks_at: None,
            ended: false,
        };
        let (changed, work) = (Condvar::new(), Condvar::new());
        let shared = Arc::new(Shared { config, state: Mutex::new(state), changed, work });
        let (asked, told) = (shared.clone(), shared.clone());
        let next = move || asked.lock().cluster.any_endpoint(Instant::now());
        let lost = move |endpoint: &Endpoint| {
            told.change(|state| state.cluster.handle_unreachable(Instant::now(), endpoint));
        };
        (own.cluster, own.whereabouts) = (None, Some(Whereabouts::new(next, lost)));
        Self { shared, seeds, subscribers: Arc::new(Pool::new(Arc::new(own), connector)) }
    }

    pub(crate) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    pub(crate) fn subscribers(&self) -> &Arc<Pool> {
        &self.subscribers
    }

    /// Tells the machine something that may have to be followed by asking for the map.
    fn begin<T>(&self, begin: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        self.change(|state| {
            if !state.works {
                worker::start(&self.shared).map_err(no_thread)?;
                state.works = true;
            }
            begin(state)
        })
    }

    fn exchange<S: Source + ?Sized>(&self, source: &S, options: Options) -> Result<Exchange> {
        self.begin(|state| Exchange::new(&state.cluster, source, options))
    }

    pub(crate) fn next_seed(&self) -> u64 {
        self.seeds.next_seed()
    }

    /// As [`subscribers`](Self::subscribers), for one who is about to connect.
    pub(crate) fn subscribers_at_work(&self) -> Result<&Arc<Pool>> {
        self.begin(|state| {
            if state.cluster.topology().coverage() == 0 {
                state.cluster.refresh(Instant::now());
            }
            Ok(&self.subscribers)
        })
    }

    /// Connections of a single user each to a node, unless it was forgotten.
    pub(crate) fn pool_of(&self, node: NodeId) -> Option<Arc<Pool>> {
        self.change(|state| state.pool(node, Link::Primary))
    }

    /// How often the map has changed, or could not be had.
    pub(crate) fn changes(&self) -> u64 {
        self.lock().changes
    }

    /// Raises the signal when it does, for as long as somebody has it.
    pub(crate) fn tell(&self, signal: &Arc<Signal>) {
        self.lock().watchers.push(Arc::downgrade(signal));
    }

    /// What an error on a connection that watches means.
    pub(crate) fn handle_watch_error(&self, node: NodeId, error: Error) -> Error {
        let now = Instant::now();
        self.change(|state| state.cluster.handle_watch_error(now, node, error))
    }

    /// Waits until the map is another one than the one seen, for somebody who found nothing in it and began so long
    /// ago. False when a command would have no more time.
    ///
    /// # Errors
    ///
    /// `Limit` when the system has no thread left that would ask for the map.
    pub(crate) fn wait_for_map(&self, seen: u64, began: Instant) -> Result<bool> {
        self.begin(|_| Ok(()))?;
        let deadline = self.config.command_timeout.map(|timeout| began + timeout);
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Ok(false);
        }
        self.wait_for_change(seen, deadline);
        Ok(true)
    }

    /// Opens connections to all primaries.
    pub(crate) fn warm_up(&self, connections: usize) -> Result<()> {
        // Whatever any node runs waits for the map.
        self.execute(&Cmd::<()>::raw("PING"))?;
        let pools: Vec<_> = self.change(|state| {
            let primaries: Vec<_> = state.cluster.primaries().collect();
            primaries.into_iter().filter_map(|node| state.pool(node, Link::Primary)).collect()
        });
        pools.iter().try_for_each(|pool| pool.warm_up(connections))
    }

    /// What is known of the nodes.
    pub(crate) fn topology(&self) -> Topology {
        self.lock().cluster.topology().clone()
    }

    pub(crate) fn resize(&self, size: usize) -> Result<()> {
        // All have the same limits: when one may have this size, all may.
        self.subscribers.resize(size)?;
        let pools: Vec<_> = self.change(|state| {
            state.pool_size = Some(size);
            state.all_pools().cloned().collect()
        });
        pools.iter().try_for_each(|pool| pool.resize(size))
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = self.subscribers.stats();
        let pools: Vec<_> = self.lock().all_pools().cloned().collect();
        pools.iter().for_each(|pool| pool.add_to(&mut stats));
        stats
    }
}

fn no_thread(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Limit, format!("no thread can be started: {error}")).with_source(error)
}
