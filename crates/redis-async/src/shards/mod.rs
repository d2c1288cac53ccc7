//! The subscribers of a cluster's shard channels: one for each node that has some.
//!
//! Owns them, and does what the machine of `redis-cluster` says, which decides what goes where. No subscriber is locked
//! while something else is, so that tasks that read, subscribe and follow the map never wait for each other in a ring.

mod follow;
mod read;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use bytes::Bytes;
use redis_cluster::{Cluster, NodeId, Sharded, ShardedAction, Since};
use redis_core::pubsub::{Family, PubSub as Machine};
use redis_core::{Endpoint, Result, ToArg};

use self::follow::Follower;
pub(crate) use self::read::{Reader, Whom};
use crate::client::Shared;
use crate::nodes::Nodes;
use crate::pool::{Pool, Reserved};
use crate::pubsub::Handler;
use crate::subscriber::{Subscriber, closed, no_task};

pub(crate) struct Shards {
    nodes: Arc<Nodes>,
    state: Mutex<State>,
    /// Of who does what the machine says: in the order in which it is said.
    turn: Mutex<()>,
}

struct State {
    machine: Sharded<Handler>,
    links: Vec<Arc<Link>>,
    /// How often the links have changed.
    version: u64,
    /// Those that are to have a place in their node's pool.
    placeless: Vec<(Arc<Link>, Arc<Pool>)>,
    /// The client stays while its nodes are needed.
    client: Option<Arc<Shared>>,
    ignore_confirmations: bool,
    unattended: bool,
    /// Others than the reader may subscribe.
    shared: bool,
    /// There is a task.
    started: bool,
    /// Of the task.
    task: Option<Waker>,
    /// Of who reads.
    reader: Option<Waker>,
    /// Of who waits for links.
    waiting: Vec<Waker>,
    stopped: bool,
}

/// What leads to a node.
pub(crate) struct Link {
    node: NodeId,
    endpoint: Endpoint,
    subscriber: Arc<Subscriber>,
}

/// Somebody who waits for the links of channels.
pub(crate) struct Wait {
    channels: Vec<Bytes>,
    since: Since,
    /// How often the links had failed before.
    failures: Vec<(NodeId, u64)>,
}

impl Shards {
    pub(crate) fn new(nodes: &Arc<Nodes>, client: &Arc<Shared>) -> Arc<Self> {
        let state = State {
            machine: Sharded::default(),
            links: Vec::new(),
            version: 0,
            placeless: Vec::new(),
            client: Some(client.clone()),
            ignore_confirmations: false,
            unattended: false,
            shared: false,
            started: false,
            task: None,
            reader: None,
            waiting: Vec::new(),
            stopped: false,
        };
        Arc::new(Self { nodes: nodes.clone(), state: Mutex::new(state), turn: Mutex::new(()) })
    }

    /// Another one of the same client, without subscriptions.
    pub(crate) fn another(&self) -> Option<Arc<Self>> {
        let client = self.lock().client.clone()?;
        Some(Self::new(&self.nodes, &client))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the machine, and with that of the nodes.
    fn with<T>(&self, change: impl FnOnce(&mut Sharded<Handler>, &mut Cluster) -> T) -> T {
        self.nodes.with_machine(|cluster| change(&mut self.lock().machine, cluster))
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
        for link in links {
            link.subscriber.lock().machine().ignore_subscribe_messages(ignore);
        }
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
        links.iter().for_each(|link| link.subscriber.lock().machine().leave_unattended());
    }

    pub(crate) fn subscribe(
        self: &Arc<Self>,
        channels: impl IntoIterator<Item = (Bytes, Option<Handler>)>,
    ) -> Result<Wait> {
        self.start()?;
        let links = self.lock().links.clone();
        let failures = links.iter().map(|link| {
            let failures = link.subscriber.lock().machine().failures();
            (link.node, failures)
        });
        let failures = failures.collect();
        let now = Instant::now();
        let channels: Vec<_> = channels.into_iter().collect();
        let names = channels.iter().map(|(channel, _)| channel.clone()).collect();
        let since = self.with(|sharded, cluster| {
            let since = sharded.moment(cluster);
            sharded.subscribe(now, cluster, channels).map(|()| since)
        })?;
        self.settle(now);
        Ok(Wait { channels: names, since, failures })
    }

    /// Waits until all links are ready that the channels need, or one of them fails once more.
    pub(crate) fn poll_ready(&self, cx: &mut Context<'_>, wait: &Wait) -> Poll<Result<()>> {
        let mut state = self.lock();
        if state.stopped {
            return Poll::Ready(Err(closed()));
        }
        if !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.waiting.push(cx.waker().clone());
        }
        drop(state);
        let Wait { channels, since, failures } = wait;
        let homes = self.with(|sharded, cluster| sharded.poll_homes(cluster, channels, *since));
        let Some(homes) = homes else { return Poll::Pending };
        for node in homes? {
            let failures = failures.iter().find(|(known, _)| *known == node).map_or(0, |of| of.1);
            let link = self.lock().links.iter().find(|link| link.node == node).cloned();
            let Some(link) = link else { return Poll::Pending };
            match ready!(link.subscriber.poll_ready(cx, failures)) {
                // The channel went elsewhere meanwhile, and the link was not needed any longer.
                Err(_) if link.subscriber.lock().ending => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                ready => ready?,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Ends subscriptions; with `None` all.
    pub(crate) fn unsubscribe(&self, channels: Option<Vec<Bytes>>) -> Result<()> {
        let mut state = self.lock();
        if state.stopped {
            return Err(closed());
        }
        state.machine.unsubscribe(channels);
        drop(state);
        self.settle(Instant::now());
        Ok(())
    }

    /// Waits until what was asked is written, or the links are lost.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<()> {
        let links = self.lock().links.clone();
        for link in links {
            ready!(link.subscriber.poll_flush(cx));
        }
        Poll::Ready(())
    }

    /// Asks each node that has channels for a sign of life; how many have some.
    pub(crate) fn ping(&self, text: &impl ToArg) -> Result<usize> {
        let links = self.lock().links.clone();
        let mut asked = 0;
        for link in links {
            let mut state = link.subscriber.lock();
            if state.machine().is_subscribed() {
                state.machine().ping(text)?;
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
        links.iter().any(|link| link.subscriber.lock().machine().is_subscribed())
    }

    /// Does what the machine says.
    fn settle(&self, now: Instant) -> bool {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut any = false;
        loop {
            let action = self.lock().machine.poll_action();
            let Some(action) = action else { break };
            any = true;
            match action {
                ShardedAction::Subscribe(node, channels) => self.begin(node, now, |machine| {
                    let names = channels.into_iter().map(|channel| (channel, None));
                    machine.subscribe(now, Family::Shard, names).expect("a command has channels");
                }),
                ShardedAction::Adopt(node, channels) => {
                    self.begin(node, now, |machine| machine.adopt(now, channels));
                }
                ShardedAction::Unsubscribe(node, channels) => self.end(node, |machine| {
                    machine.unsubscribe(now, Family::Shard, Some(channels));
                }),
                ShardedAction::Leave(node, channels) => {
                    self.end(node, |machine| machine.leave(now, channels));
                }
                ShardedAction::Close(node) => {
                    if let Some(link) = self.link(node) {
                        link.subscriber.lock().ending = true;
                    }
                }
            }
        }
        drop(turn);
        if any {
            self.wake();
        }
        any
    }

    fn link(&self, node: NodeId) -> Option<Arc<Link>> {
        self.lock().links.iter().find(|link| link.node == node).cloned()
    }

    /// Has a node's link ask for something, made if need be.
    fn begin(&self, node: NodeId, now: Instant, ask: impl FnOnce(&mut Machine<Handler>)) {
        let Some(link) = self.link(node).or_else(|| self.open(node)) else {
            return self.lock().machine.handle_no_link(now, node, None);
        };
        let mut state = link.subscriber.lock();
        state.ending = false;
        ask(state.machine());
        if state.place.is_some() {
            // It is started, unless its runtime is gone: then so is the task that follows.
            let _ = link.subscriber.start(state);
            return;
        }
        if std::mem::replace(&mut state.queued, true) {
            return;
        }
        drop(state);
        let Some(pool) = self.nodes.pool_of(node) else {
            link.subscriber.lock().queued = false;
            return self.lock().machine.handle_no_link(now, node, None);
        };
        self.lock().placeless.push((link, pool));
    }

    /// Has a node's link end something.
    fn end(&self, node: NodeId, end: impl FnOnce(&mut Machine<Handler>)) {
        if let Some(link) = self.link(node) {
            let mut state = link.subscriber.lock();
            end(state.machine());
            // As above; one that waits for its place has nothing to say.
            if state.place.is_some() {
                let _ = link.subscriber.start(state);
            }
        }
    }

    fn open(&self, node: NodeId) -> Option<Arc<Link>> {
        let pool = self.nodes.pool_of(node)?;
        let config = pool.config();
        let mut machine = Machine::of_node(config.clone(), self.nodes.next_seed());
        let mut state = self.lock();
        if state.stopped {
            return None;
        }
        machine.ignore_subscribe_messages(state.ignore_confirmations);
        if state.unattended {
            machine.leave_unattended();
        }
        let subscriber = Subscriber::new(machine, pool.runtime().clone());
        let link = Arc::new(Link { node, endpoint: config.endpoint.clone(), subscriber });
        state.links.push(link.clone());
        state.version += 1;
        Some(link)
    }

    /// Wakes all who may have to look.
    fn wake(&self) {
        let mut state = self.lock();
        let mut wakers = std::mem::take(&mut state.waiting);
        wakers.extend(state.reader.take());
        wakers.extend(state.task.clone());
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Those who wait for links look again.
    fn wake_waiting(&self) {
        let waiting = std::mem::take(&mut self.lock().waiting);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Starts the task, with the first subscription.
    fn start(self: &Arc<Self>) -> Result<()> {
        let mut state = self.lock();
        if state.stopped {
            return Err(closed());
        }
        if std::mem::replace(&mut state.started, true) {
            return Ok(());
        }
        let client = state.client.clone();
        drop(state);
        let follower = Box::pin(Follower::new(self.clone()));
        self.nodes.runtime().spawn(follower).map_err(|error| {
            // The task was dropped, which is the end only where there was one.
            let mut state = self.lock();
            (state.started, state.stopped, state.client) = (false, false, client);
            no_task(error)
        })
    }

    /// Closes all connections and ends the task.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        state.version += 1;
        let links = std::mem::take(&mut state.links);
        let placeless = std::mem::take(&mut state.placeless);
        let client = state.client.take();
        drop(state);
        links.iter().for_each(|link| link.subscriber.stop());
        drop((placeless, client));
        self.wake();
    }
}

impl Link {
    /// It has the place that it waited for.
    fn begin(&self, place: Reserved) {
        let mut state = self.subscriber.lock();
        state.queued = false;
        let unused = match state.ending || state.is_stopped() {
            true => Some(place),
            false => state.place.replace(place),
        };
        // See above.
        let _ = self.subscriber.start(state);
        drop(unused);
    }
}
