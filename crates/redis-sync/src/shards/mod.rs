//! The subscribers of a cluster's shard channels: one for each node that has some.
//!
//! Owns them, each with a thread that reads, and does what the machine of `redis-cluster` says, which decides what goes
//! where. No subscriber is locked while something else is, so that threads that read, subscribe and follow the map
//! never wait for each other in a ring.

mod follow;
mod link;
mod read;

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use redis_cluster::{Cluster, NodeId, Sharded, ShardedAction};
use redis_core::pubsub::{Family, PubSub as Machine};
use redis_core::{Error, Result, ToArg};

use self::link::Link;
pub(crate) use self::link::start_main;
pub(crate) use self::read::{Reader, Whom};
use crate::cluster::Nodes;
use crate::feed::{Feed, Guard, closed};
use crate::pubsub::{Handler, no_thread};
use crate::signal::Signal;

pub(crate) struct Shards {
    nodes: Arc<Nodes>,
    state: Mutex<State>,
    /// Of who does what the machine says: in the order in which it is said.
    turn: Mutex<()>,
    /// There is something for readers, or for those who wait for links.
    news: Signal,
    /// There is something for the thread that follows the map.
    work: Arc<Signal>,
}

struct State {
    machine: Sharded<Handler>,
    links: Vec<Arc<Link>>,
    /// How often the links have changed.
    version: u64,
    ignore_confirmations: bool,
    unattended: bool,
    /// Others than the reader may subscribe.
    shared: bool,
    /// There is a thread.
    started: bool,
    stopped: bool,
}

impl Shards {
    pub(crate) fn new(nodes: &Arc<Nodes>) -> Arc<Self> {
        let state = State {
            machine: Sharded::default(),
            links: Vec::new(),
            version: 0,
            ignore_confirmations: false,
            unattended: false,
            shared: false,
            started: false,
            stopped: false,
        };
        Arc::new(Self {
            nodes: nodes.clone(),
            state: Mutex::new(state),
            turn: Mutex::new(()),
            news: Signal::default(),
            work: Arc::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the machine, and with that of the nodes.
    fn with<T>(&self, change: impl FnOnce(&mut Sharded<Handler>, &mut Cluster) -> T) -> T {
        self.nodes.change(|state| change(&mut self.lock().machine, &mut state.cluster))
    }

    /// Others than the reader may subscribe from now on.
    pub(crate) fn share(&self) {
        self.lock().shared = true;
    }

    pub(crate) fn ignore_subscribe_messages(&self, ignore: bool) {
        let mut state = self.lock();
        state.ignore_confirmations = ignore;
        state.machine.ignore_subscribe_messages(ignore);
        let links = state.links.clone();
        drop(state);
        links.iter().for_each(|link| link.feed.lock().machine.ignore_subscribe_messages(ignore));
    }

    /// Whether any channel is wanted.
    pub(crate) fn has_channels(&self) -> bool {
        self.lock().machine.channels().next().is_some()
    }

    /// Whether all channels have handlers.
    pub(crate) fn check_handled(&self) -> Result<()> {
        self.lock().machine.check_handled()
    }

    /// From now on nobody takes messages but the handlers.
    pub(crate) fn leave_unattended(&self) {
        let mut state = self.lock();
        state.unattended = true;
        let links = state.links.clone();
        drop(state);
        links.iter().for_each(|link| link.feed.lock().machine.leave_unattended());
    }

    /// Subscribes, and waits until all links are ready that the channels need, or one of them fails once more.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        channels: impl IntoIterator<Item = (Bytes, Option<Handler>)>,
    ) -> Result<()> {
        self.start()?;
        let links = self.lock().links.clone();
        let failures = |link: &Arc<Link>| (link.node, link.feed.lock().machine.failures());
        let failures: Vec<_> = links.iter().map(failures).collect();
        let now = Instant::now();
        let channels: Vec<_> = channels.into_iter().collect();
        let names: Vec<_> = channels.iter().map(|(channel, _)| channel.clone()).collect();
        let since = self.with(|sharded, cluster| {
            let since = sharded.moment(cluster);
            sharded.subscribe(now, cluster, channels).map(|()| since)
        })?;
        self.settle(now);
        loop {
            let seen = self.news.count();
            if self.lock().stopped {
                return Err(closed());
            }
            let homes = self.with(|sharded, cluster| sharded.poll_homes(cluster, &names, since));
            if let Some(homes) = homes
                && self.are_ready(&homes?, &failures)?
            {
                return Ok(());
            }
            self.news.wait(seen, None);
        }
    }

    fn are_ready(&self, nodes: &[NodeId], failures: &[(NodeId, u64)]) -> Result<bool> {
        for node in nodes {
            let failures = failures.iter().find(|(known, _)| known == node).map_or(0, |of| of.1);
            let Some(link) = self.link(*node) else { return Ok(false) };
            let mut state = link.feed.lock();
            if state.machine.is_ready() {
                continue;
            }
            return match state.machine.failure_since(failures) {
                Some(error) => Err(error),
                None => Ok(false),
            };
        }
        Ok(true)
    }

    /// Ends subscriptions; with `None` all.
    pub(crate) fn unsubscribe(self: &Arc<Self>, channels: Option<Vec<Bytes>>) -> Result<()> {
        let mut state = self.lock();
        if state.stopped {
            return Err(closed());
        }
        state.machine.unsubscribe(channels);
        drop(state);
        self.settle(Instant::now());
        Ok(())
    }

    /// Asks each node that has channels for a sign of life; how many have some.
    pub(crate) fn ping(&self, text: &impl ToArg) -> Result<usize> {
        let links = self.lock().links.clone();
        let mut asked = 0;
        for link in links {
            let mut state = link.feed.lock();
            if state.machine.is_subscribed() {
                state.machine.ping(text)?;
                drop(link.feed.flush(state));
                asked += 1;
            }
        }
        Ok(asked)
    }

    pub(crate) fn is_subscribed(&self) -> bool {
        let state = self.lock();
        if state.machine.channels().next().is_some() {
            return true;
        }
        let links = state.links.clone();
        drop(state);
        links.iter().any(|link| link.feed.lock().machine.is_subscribed())
    }

    /// Does what the machine says, and writes what is to be written.
    fn settle(self: &Arc<Self>, now: Instant) -> bool {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut any = false;
        let mut spoke: Vec<Arc<Link>> = Vec::new();
        loop {
            let action = self.lock().machine.poll_action();
            let Some(action) = action else { break };
            any = true;
            let link = match action {
                ShardedAction::Subscribe(node, channels) => self.begin(node, now, |machine| {
                    let names = channels.into_iter().map(|channel| (channel, None));
                    machine.subscribe(now, Family::Shard, names).expect("a command has channels");
                }),
                ShardedAction::Adopt(node, channels) => {
                    self.begin(node, now, |machine| machine.adopt(now, channels))
                }
                ShardedAction::Unsubscribe(node, channels) => self.end(node, |state| {
                    state.machine.unsubscribe(now, Family::Shard, Some(channels));
                }),
                ShardedAction::Leave(node, channels) => {
                    self.end(node, |state| state.machine.leave(now, channels))
                }
                ShardedAction::Close(node) => self.end(node, |state| state.ending = true),
            };
            spoke.extend(link);
        }
        drop(turn);
        for link in spoke {
            link.feed.changed();
            drop(link.feed.flush(link.feed.lock()));
        }
        if any {
            self.news.raise();
            self.work.raise();
        }
        any
    }

    fn link(&self, node: NodeId) -> Option<Arc<Link>> {
        self.lock().links.iter().find(|link| link.node == node).cloned()
    }

    /// Has a node's link ask for something, made if need be.
    fn begin(
        self: &Arc<Self>,
        node: NodeId,
        now: Instant,
        ask: impl FnOnce(&mut Machine<Handler>),
    ) -> Option<Arc<Link>> {
        match self.link(node).map_or_else(|| self.open(node), |link| Ok(Some(link))) {
            Ok(Some(link)) => {
                let mut state = link.feed.lock();
                state.ending = false;
                ask(&mut state.machine);
                drop(state);
                Some(link)
            }
            Ok(None) => {
                self.lock().machine.handle_no_link(now, node, None);
                None
            }
            Err(error) => {
                self.lock().machine.handle_no_link(now, node, Some(error));
                None
            }
        }
    }

    /// Has a node's link end something.
    fn end(
        &self,
        node: NodeId,
        end: impl FnOnce(&mut Guard<'_, Machine<Handler>>),
    ) -> Option<Arc<Link>> {
        let link = self.link(node)?;
        end(&mut link.feed.lock());
        Some(link)
    }

    fn open(self: &Arc<Self>, node: NodeId) -> Result<Option<Arc<Link>>> {
        let Some(pool) = self.nodes.pool_of(node) else { return Ok(None) };
        let config = pool.config();
        let mut machine = Machine::of_node(config.clone(), self.nodes.next_seed());
        let mut state = self.lock();
        if state.stopped {
            return Ok(None);
        }
        machine.ignore_subscribe_messages(state.ignore_confirmations);
        if state.unattended {
            machine.leave_unattended();
        }
        let feed = Arc::new(Feed::new(machine, &pool));
        feed.lock().shared = true;
        let link = Arc::new(Link { node, endpoint: config.endpoint.clone(), feed });
        link::start(&link, pool, self).map_err(no_thread)?;
        state.links.push(link.clone());
        state.version += 1;
        Ok(Some(link))
    }

    /// Starts the thread that follows the map, with the first subscription.
    fn start(self: &Arc<Self>) -> Result<()> {
        self.nodes.subscribers_at_work()?;
        let mut state = self.lock();
        if state.stopped {
            return Err(closed());
        }
        if mem::replace(&mut state.started, true) {
            return Ok(());
        }
        drop(state);
        self.nodes.tell(&self.work);
        follow::start(self).map_err(|error| {
            self.lock().started = false;
            no_thread(error)
        })
    }

    /// There is no link to be had to a node.
    fn handle_no_link(self: &Arc<Self>, node: NodeId, error: Error) {
        let now = Instant::now();
        self.lock().machine.handle_no_link(now, node, Some(error));
        self.settle(now);
    }

    /// A link has moved something.
    pub(crate) fn handle_moved(&self, for_follower: bool) {
        self.news.raise();
        if for_follower {
            self.work.raise();
        }
    }

    /// Closes all connections and ends all threads.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        state.version += 1;
        let links = mem::take(&mut state.links);
        drop(state);
        links.iter().for_each(|link| link.feed.stop());
        self.news.raise();
        self.work.raise();
    }
}
