//! Subscriptions on a connection of their own, driven by whoever reads.

use std::fmt;
use std::mem;
use std::ops::{ControlFlow, Deref};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use redis_core::pubsub::{Family, Message, Overflow, PubSub as Machine, names};
use redis_core::{Endpoint, Error, ErrorKind, Result, ToArg, ToArgs};

use crate::client::Servers;
use crate::feed::{Feed, Guard, closed};
use crate::keeper;
use crate::shards::{self, Reader, Shards, Whom};

/// Called without anything locked, by the one who reads.
pub(crate) type Handler = Arc<Mutex<dyn FnMut(&Message) + Send>>;

/// Subscriptions and their messages, on a connection of their own.
///
/// Everything that changes the subscriptions is a method of its [`PubSubHandle`], which other threads may have too:
/// they subscribe while this one reads.
///
/// A lost connection is opened again and everything subscribed again. A reader who is away loses no more than
/// [`Overflow`] says: a thread stands in, which sleeps while there is a reader, and holds at most `max_backlog`
/// bytes of messages. With [`Overflow::Backpressure`] there is none. Dropping it closes the connection.
///
/// Of a cluster there is such a connection for channels and patterns, to any node, and one for each node that has shard
/// channels. A thread reads each, at all times, and the reader takes from all in turn.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// # let client = redis_sync::Client::open("redis://localhost")?;
/// let mut pubsub = client.pubsub();
/// pubsub.subscribe(["news"])?;
/// while let Some(message) = pubsub.get_message(Duration::from_secs(1))? {
///     println!("{}: {:?}", message.kind.as_str(), message.text());
/// }
/// # Ok::<(), redis_sync::Error>(())
/// ```
pub struct PubSub {
    handle: PubSubHandle,
    seed: u64,
    reader: Reader,
}

impl fmt::Debug for PubSub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PubSub").field("subscribed", &self.is_subscribed()).finish_non_exhaustive()
    }
}

impl Deref for PubSub {
    type Target = PubSubHandle;

    fn deref(&self) -> &PubSubHandle {
        &self.handle
    }
}

impl Drop for PubSub {
    fn drop(&mut self) {
        self.handle.stop();
    }
}

impl PubSub {
    pub(crate) fn new(servers: Servers, seed: u64) -> Self {
        let (pool, shards) = match &servers {
            Servers::One(pool) => (pool, None),
            Servers::Cluster(nodes) => (nodes.subscribers(), Some(Shards::new(nodes))),
        };
        let machine = Machine::new(pool.config().clone(), seed);
        let feed = Arc::new(Feed::new(machine, pool));
        Self { handle: PubSubHandle { feed, servers, shards }, seed, reader: Reader::default() }
    }

    /// What other threads subscribe by while this one reads. Cheap to clone.
    pub fn handle(&self) -> PubSubHandle {
        self.feed.lock().shared = true;
        if let Some(shards) = &self.shards {
            shards.share();
        }
        self.handle.clone()
    }

    /// Whether confirmations and notices are kept from the reader. They take effect either way.
    pub fn ignore_subscribe_messages(&mut self, ignore: bool) -> &mut Self {
        self.feed.lock().machine.ignore_subscribe_messages(ignore);
        if let Some(shards) = &self.shards {
            shards.ignore_subscribe_messages(ignore);
        }
        self
    }

    /// The next message, waiting for it at most this long; with zero what is there now. None at the
    /// deadline, and for a message that went to its handler.
    ///
    /// # Errors
    ///
    /// What a connection or the server fails with. Reading on connects again.
    pub fn get_message(&mut self, timeout: Duration) -> Result<Option<Message>> {
        self.next(false, Some(timeout))
    }

    /// As [`get_message`](Self::get_message), of a cluster's shard channels alone: those at one node, or those at all
    /// nodes, which take turns.
    ///
    /// # Errors
    ///
    /// As [`get_message`](Self::get_message); `InvalidRequest` when no shard channel is subscribed at the node, or the
    /// client is not one of a cluster.
    pub fn get_sharded_message(
        &mut self,
        target_node: Option<&Endpoint>,
        timeout: Duration,
    ) -> Result<Option<Message>> {
        let Some(shards) = &self.handle.shards else {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                "the client is not one of a cluster: use `get_message`",
            ));
        };
        let whom = target_node.map_or(Whom::Nodes, Whom::Node);
        let next = shards.next(&mut self.reader, whom, false, Some(timeout))?;
        Ok(next.and_then(hand_over))
    }

    /// The messages from now on, waiting for each; those that go to their handlers are left out. Ends when nothing
    /// is subscribed any longer.
    ///
    /// An error is an item like the others: a lost connection is opened again, and the messages go on. The one
    /// that ends them is a refusal of the credentials.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # let client = redis_sync::Client::open("redis://localhost")?;
    /// let mut pubsub = client.pubsub();
    /// pubsub.subscribe(["news"])?;
    /// for message in pubsub.listen() {
    ///     println!("{:?}", message?.text());
    /// }
    /// # Ok::<(), redis_sync::Error>(())
    /// ```
    pub fn listen(&mut self) -> impl Iterator<Item = Result<Message>> {
        std::iter::from_fn(|| {
            loop {
                if let Some(item) = self.next(true, None).transpose() {
                    return Some(item);
                }
                // If not, it went to its handler.
                if self.is_over() {
                    return None;
                }
            }
        })
    }

    /// Reads in a thread of its own, which sleeps while there is nothing to read and calls the handlers. It takes all
    /// subscriptions with it: none are left here.
    ///
    /// `on_error` is given what goes wrong, such as each failed attempt to connect again, and says whether to go
    /// on. What a reader gets as [`Resubscribed`](crate::MessageKind::Resubscribed) or
    /// [`Lagged`](crate::MessageKind::Lagged) goes there too, as errors of the kinds `Io` and `Limit`. The thread also ends when nothing is subscribed any longer, and when the credentials are refused.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when nothing is subscribed, or a subscription has no handler: nothing changes then.
    /// `Limit` when the system has no thread left: the subscriptions are gone then.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::ops::ControlFlow;
    /// # let client = redis_sync::Client::open("redis://localhost")?;
    /// let mut pubsub = client.pubsub();
    /// pubsub.subscribe_with("news", |message| println!("{:?}", message.text()))?;
    /// let thread = pubsub.run_in_thread(|error| {
    ///     eprintln!("{error}");
    ///     ControlFlow::Continue(())
    /// })?;
    /// // Messages go to the handler meanwhile.
    /// thread.stop();
    /// # Ok::<(), redis_sync::Error>(())
    /// ```
    pub fn run_in_thread(
        &mut self,
        on_error: impl FnMut(&Error) -> ControlFlow<()> + Send + 'static,
    ) -> Result<PubSubThread> {
        self.leave_to_handlers()?;
        let next = Self::new(self.servers.clone(), self.seed.wrapping_add(1));
        let mut pubsub = mem::replace(self, next);
        let handle = pubsub.handle.clone();
        let run = move || pubsub.run(on_error);
        match thread::Builder::new().name("redis-pubsub".to_owned()).spawn(run) {
            Ok(thread) => Ok(PubSubThread { handle, thread: Some(thread) }),
            Err(error) => Err(no_thread(error)),
        }
    }

    fn run(&mut self, mut on_error: impl FnMut(&Error) -> ControlFlow<()>) {
        while !self.feed.lock().is_stopped() && !self.is_over() {
            if let Err(error) = self.next(true, None)
                && !self.feed.lock().is_stopped()
                && on_error(&error).is_break()
            {
                return;
            }
        }
    }

    fn leave_to_handlers(&self) -> Result<()> {
        let mut state = self.feed.lock();
        let Some(shards) = &self.shards else {
            return state.machine.leave_to_handlers();
        };
        let of_main = state.machine.check_handled();
        let main_has_some = state.machine.is_wanted();
        drop(state);
        match shards.has_channels() {
            true if main_has_some => of_main.and(shards.check_handled())?,
            true => shards.check_handled()?,
            false => of_main?,
        }
        self.feed.lock().machine.leave_unattended();
        shards.leave_unattended();
        Ok(())
    }

    /// Whether listening has come to its end.
    fn is_over(&self) -> bool {
        match &self.shards {
            Some(shards) => shards.is_over(&self.feed),
            None => self.feed.lock().machine.is_over(),
        }
    }

    /// The next message, unless it went to its handler, the time passes, or listening is over, where it can be.
    fn next(&mut self, ends: bool, timeout: Option<Duration>) -> Result<Option<Message>> {
        if let Some(shards) = &self.handle.shards {
            let whom = Whom::All(&self.handle.feed);
            let next = shards.next(&mut self.reader, whom, ends, timeout)?;
            return Ok(next.and_then(hand_over));
        }
        let mut state = self.feed.lock();
        // A message that is there needs no look at the clock.
        let mut start = None;
        let mut last = false;
        loop {
            if ends && state.machine.is_over() {
                self.feed.leave(state);
                return Ok(None);
            }
            if let Some(result) = state.machine.poll_message() {
                self.feed.leave(state);
                return Ok(hand_over(result?));
            }
            if last {
                self.feed.leave(state);
                return Ok(None);
            }
            let now = Instant::now();
            let start = *start.get_or_insert(now);
            let deadline = timeout.and_then(|timeout| start.checked_add(timeout));
            // Once more after the deadline: what is there counts.
            last = deadline.is_some_and(|deadline| deadline <= now);
            state = self.feed.turn(state, now, deadline)?;
        }
    }
}

/// Calls the handler of a message, if it has one: then there is nothing for the reader.
fn hand_over((message, handler): (Message, Option<Handler>)) -> Option<Message> {
    let Some(handler) = handler else {
        return Some(message);
    };
    // One that panicked is called again, as it would be without the lock.
    handler.lock().unwrap_or_else(PoisonError::into_inner)(&message);
    None
}

/// Changes the subscriptions of a [`PubSub`], from any thread, also while another one reads.
///
/// Names are bytes. What is asked for takes effect in the order of the calls; the confirmations are messages, which
/// the reader gets. Once the `PubSub` is gone, calls fail with an error of kind `Closed`.
///
/// # Examples
///
/// ```no_run
/// # let client = redis_sync::Client::open("redis://localhost")?;
/// let mut pubsub = client.pubsub();
/// pubsub.subscribe(["news"])?;
/// let handle = pubsub.handle();
/// let reader = std::thread::spawn(move || {
///     for message in pubsub.listen() {
///         println!("{:?}", message);
///     }
/// });
/// handle.subscribe(["weather"])?;
/// # Ok::<(), redis_sync::Error>(())
/// ```
#[derive(Clone)]
pub struct PubSubHandle {
    feed: Arc<Feed<Machine<Handler>>>,
    servers: Servers,
    /// Of a cluster: what has the shard channels.
    shards: Option<Arc<Shards>>,
}

impl fmt::Debug for PubSubHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PubSubHandle").finish_non_exhaustive()
    }
}

impl PubSubHandle {
    /// Subscribes to channels. The confirmations are messages.
    ///
    /// # Errors
    ///
    /// What a connection fails with: this waits for one. The names stay wanted, and reading connects again. `Limit` when the
    /// pool has no place for the first subscription's connection, `Closed` when the `PubSub` is gone: nothing is wanted
    /// then.
    pub fn subscribe<M>(&self, channels: impl ToArgs<M>) -> Result<()> {
        self.add(Family::Channel, names(channels)?.into_iter().map(|name| (name, None)))
    }

    /// Subscribes to a channel whose messages go to `handler` instead of the reader. It runs while
    /// messages are read, in the reader's thread.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn subscribe_with(
        &self,
        channel: impl ToArg,
        handler: impl FnMut(&Message) + Send + 'static,
    ) -> Result<()> {
        self.add_with(Family::Channel, channel, Arc::new(Mutex::new(handler)))
    }

    /// Subscribes to patterns, as the server matches them: `h?llo`, `h*llo`, `h[ae]llo`.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn psubscribe<M>(&self, patterns: impl ToArgs<M>) -> Result<()> {
        self.add(Family::Pattern, names(patterns)?.into_iter().map(|name| (name, None)))
    }

    /// As [`subscribe_with`](Self::subscribe_with), for a pattern.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn psubscribe_with(
        &self,
        pattern: impl ToArg,
        handler: impl FnMut(&Message) + Send + 'static,
    ) -> Result<()> {
        self.add_with(Family::Pattern, pattern, Arc::new(Mutex::new(handler)))
    }

    /// Subscribes to shard channels, whose messages stay with the node that holds their slot. Since Redis 7.0.
    ///
    /// On a cluster each is subscribed at that node, on a connection that takes a place in the node's pool, and again at
    /// another one when the slot moves or a replica takes over: [`Resubscribed`](crate::MessageKind::Resubscribed) tells
    /// that messages in between are gone. The counts of confirmations are those of the node.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe). Without a place for a connection the names stay wanted, and it is tried again.
    pub fn ssubscribe<M>(&self, channels: impl ToArgs<M>) -> Result<()> {
        self.add(Family::Shard, names(channels)?.into_iter().map(|name| (name, None)))
    }

    /// As [`subscribe_with`](Self::subscribe_with), for a shard channel.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn ssubscribe_with(
        &self,
        channel: impl ToArg,
        handler: impl FnMut(&Message) + Send + 'static,
    ) -> Result<()> {
        self.add_with(Family::Shard, channel, Arc::new(Mutex::new(handler)))
    }

    /// Ends subscriptions to channels.
    ///
    /// # Errors
    ///
    /// `Closed` when the `PubSub` is gone.
    pub fn unsubscribe<M>(&self, channels: impl ToArgs<M>) -> Result<()> {
        self.remove(Family::Channel, Some(names(channels)?))
    }

    /// Ends all subscriptions to channels.
    ///
    /// # Errors
    ///
    /// `Closed` when the `PubSub` is gone.
    pub fn unsubscribe_all(&self) -> Result<()> {
        self.remove(Family::Channel, None)
    }

    /// Ends subscriptions to patterns.
    ///
    /// # Errors
    ///
    /// `Closed` when the `PubSub` is gone.
    pub fn punsubscribe<M>(&self, patterns: impl ToArgs<M>) -> Result<()> {
        self.remove(Family::Pattern, Some(names(patterns)?))
    }

    /// Ends all subscriptions to patterns.
    ///
    /// # Errors
    ///
    /// `Closed` when the `PubSub` is gone.
    pub fn punsubscribe_all(&self) -> Result<()> {
        self.remove(Family::Pattern, None)
    }

    /// Ends subscriptions to shard channels.
    ///
    /// # Errors
    ///
    /// `Closed` when the `PubSub` is gone.
    pub fn sunsubscribe<M>(&self, channels: impl ToArgs<M>) -> Result<()> {
        self.remove(Family::Shard, Some(names(channels)?))
    }

    /// Ends all subscriptions to shard channels.
    ///
    /// # Errors
    ///
    /// `Closed` when the `PubSub` is gone.
    pub fn sunsubscribe_all(&self) -> Result<()> {
        self.remove(Family::Shard, None)
    }

    /// Whether anything is subscribed, or asked for.
    pub fn is_subscribed(&self) -> bool {
        self.feed.lock().machine.is_subscribed()
            || self.shards.as_ref().is_some_and(|shards| shards.is_subscribed())
    }

    /// Asks the server for a sign of life: the reader gets a [`Pong`](crate::MessageKind::Pong) with this text. Of a
    /// cluster each node is asked where something is subscribed.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when nothing is subscribed, so that there is no connection; `Io`, `NotSent` while it is lost;
    /// `Closed` when the `PubSub` is gone.
    pub fn ping(&self, text: impl ToArg) -> Result<()> {
        let main = self.open()?.machine.is_subscribed();
        let asked = match &self.shards {
            Some(shards) => shards.ping(&text)?,
            None => 0,
        };
        if main || asked == 0 {
            let mut state = self.open()?;
            state.machine.ping(text)?;
            self.feed.leave(self.feed.flush(state));
        }
        Ok(())
    }

    fn stop(&self) {
        self.feed.stop();
        if let Some(shards) = &self.shards {
            shards.stop();
        }
    }

    fn open(&self) -> Result<Guard<'_, Machine<Handler>>> {
        let state = self.feed.lock();
        match state.is_stopped() {
            true => Err(closed()),
            false => Ok(state),
        }
    }

    fn add_with(&self, family: Family, name: impl ToArg, handler: Handler) -> Result<()> {
        self.add(family, names(name)?.into_iter().zip([Some(handler)]))
    }

    fn add(
        &self,
        family: Family,
        names: impl IntoIterator<Item = (Bytes, Option<Handler>)>,
    ) -> Result<()> {
        if let Some(shards) = self.shards.as_ref().filter(|_| family == Family::Shard) {
            return shards.subscribe(names);
        }
        let pool = match &self.servers {
            Servers::One(pool) => pool,
            Servers::Cluster(nodes) => nodes.subscribers_at_work()?,
        };
        let mut state = self.open()?;
        if state.place.is_none() {
            drop(state);
            let place = pool.reserve()?;
            state = self.open()?;
            // Another one may have been faster.
            state.place.get_or_insert(place);
        }
        let failures = state.machine.failures();
        state.machine.subscribe(Instant::now(), family, names)?;
        if let Some(shards) = self.shards.as_ref().filter(|_| !state.kept) {
            shards::start_main(&self.feed, shards).map_err(no_thread)?;
            state.kept = true;
        } else if !state.kept && self.feed.config().overflow != Overflow::Backpressure {
            keeper::start(&self.feed, Machine::needs_reader).map_err(no_thread)?;
            state.kept = true;
        }
        self.feed.changed();
        // Until the link is ready, so that a failure is this call's; the names stay wanted.
        while !state.machine.is_ready() {
            if let Some(error) = state.machine.failure_since(failures) {
                self.feed.leave(state);
                return Err(error);
            }
            state = self.feed.turn(state, Instant::now(), None)?;
        }
        self.feed.leave(self.feed.flush(state));
        Ok(())
    }

    fn remove(&self, family: Family, names: Option<Vec<Bytes>>) -> Result<()> {
        if let Some(shards) = self.shards.as_ref().filter(|_| family == Family::Shard) {
            return shards.unsubscribe(names);
        }
        let mut state = self.open()?;
        state.machine.unsubscribe(Instant::now(), family, names);
        self.feed.changed();
        self.feed.leave(self.feed.flush(state));
        Ok(())
    }
}

pub(crate) fn no_thread(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Limit, format!("no thread can be started: {error}")).with_source(error)
}

/// A thread that reads the messages of its subscriptions, started by [`PubSub::run_in_thread`]. Dropping this stops
/// it.
#[must_use = "the thread stops when this is dropped"]
pub struct PubSubThread {
    handle: PubSubHandle,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for PubSubThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PubSubThread")
            .field("finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

impl PubSubThread {
    /// What other threads subscribe by meanwhile: with handlers, since nobody takes other messages.
    pub fn handle(&self) -> PubSubHandle {
        self.handle.clone()
    }

    /// Ends the thread, which closes its connection; does not wait for it. A handler that is running ends first, and
    /// so does an attempt to connect.
    pub fn stop(&self) {
        self.handle.stop();
    }

    /// Whether the thread has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until the thread has ended: stop it first, unless it ends by itself.
    ///
    /// # Errors
    ///
    /// What a handler panicked with.
    pub fn join(mut self) -> thread::Result<()> {
        self.thread.take().map_or(Ok(()), JoinHandle::join)
    }
}

impl Drop for PubSubThread {
    fn drop(&mut self) {
        self.handle.stop();
    }
}
