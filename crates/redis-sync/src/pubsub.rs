//! Subscriptions on a connection of their own, driven by whoever reads.

use std::fmt;
use std::mem;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use redis_core::pubsub::{Family, Message, PubSub as Machine, names};
use redis_core::{Config, Error, ErrorKind, Result, ToArg, ToArgs};

use crate::feed::Feed;
use crate::stop::Stop;

type Handler = Box<dyn FnMut(&Message) + Send>;

/// Subscriptions and their messages, on a connection of their own.
///
/// Names are bytes. A lost connection is opened again and everything subscribed again, while messages
/// are read. Dropping it closes the connection.
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
    feed: Feed<Machine<Handler>>,
    config: Arc<Config>,
    seed: u64,
}

impl fmt::Debug for PubSub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PubSub")
            .field("subscribed", &self.feed.machine.is_subscribed())
            .finish_non_exhaustive()
    }
}

impl PubSub {
    pub(crate) fn new(config: Arc<Config>, seed: u64) -> Self {
        let feed = Feed::new(Machine::new(config.clone(), seed), config.clone());
        Self { feed, config, seed }
    }

    /// Whether confirmations and notices are kept from the reader. They take effect either way.
    pub fn ignore_subscribe_messages(&mut self, ignore: bool) -> &mut Self {
        self.feed.machine.ignore_subscribe_messages(ignore);
        self
    }

    /// Subscribes to channels. The confirmations are messages.
    ///
    /// # Errors
    ///
    /// What a connection fails with. The names stay wanted: reading connects again.
    pub fn subscribe<M>(&mut self, channels: impl ToArgs<M>) -> Result<()> {
        self.add(Family::Channel, names(channels)?.into_iter().map(|name| (name, None)))
    }

    /// Subscribes to a channel whose messages go to `handler` instead of the reader. It runs while
    /// messages are read, in the reader's thread.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn subscribe_with(
        &mut self,
        channel: impl ToArg,
        handler: impl FnMut(&Message) + Send + 'static,
    ) -> Result<()> {
        self.add_with(Family::Channel, channel, Box::new(handler))
    }

    /// Subscribes to patterns, as the server matches them: `h?llo`, `h*llo`, `h[ae]llo`.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn psubscribe<M>(&mut self, patterns: impl ToArgs<M>) -> Result<()> {
        self.add(Family::Pattern, names(patterns)?.into_iter().map(|name| (name, None)))
    }

    /// As [`subscribe_with`](Self::subscribe_with), for a pattern.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn psubscribe_with(
        &mut self,
        pattern: impl ToArg,
        handler: impl FnMut(&Message) + Send + 'static,
    ) -> Result<()> {
        self.add_with(Family::Pattern, pattern, Box::new(handler))
    }

    /// Subscribes to shard channels, whose messages stay with the node that holds their slot. Since Redis 7.0.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn ssubscribe<M>(&mut self, channels: impl ToArgs<M>) -> Result<()> {
        self.add(Family::Shard, names(channels)?.into_iter().map(|name| (name, None)))
    }

    /// As [`subscribe_with`](Self::subscribe_with), for a shard channel.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn ssubscribe_with(
        &mut self,
        channel: impl ToArg,
        handler: impl FnMut(&Message) + Send + 'static,
    ) -> Result<()> {
        self.add_with(Family::Shard, channel, Box::new(handler))
    }

    /// Ends subscriptions to channels.
    ///
    /// # Errors
    ///
    /// What a connection fails with.
    pub fn unsubscribe<M>(&mut self, channels: impl ToArgs<M>) -> Result<()> {
        self.remove(Family::Channel, Some(names(channels)?))
    }

    /// Ends all subscriptions to channels.
    ///
    /// # Errors
    ///
    /// What a connection fails with.
    pub fn unsubscribe_all(&mut self) -> Result<()> {
        self.remove(Family::Channel, None)
    }

    /// Ends subscriptions to patterns.
    ///
    /// # Errors
    ///
    /// What a connection fails with.
    pub fn punsubscribe<M>(&mut self, patterns: impl ToArgs<M>) -> Result<()> {
        self.remove(Family::Pattern, Some(names(patterns)?))
    }

    /// Ends all subscriptions to patterns.
    ///
    /// # Errors
    ///
    /// What a connection fails with.
    pub fn punsubscribe_all(&mut self) -> Result<()> {
        self.remove(Family::Pattern, None)
    }

    /// Ends subscriptions to shard channels.
    ///
    /// # Errors
    ///
    /// What a connection fails with.
    pub fn sunsubscribe<M>(&mut self, channels: impl ToArgs<M>) -> Result<()> {
        self.remove(Family::Shard, Some(names(channels)?))
    }

    /// Ends all subscriptions to shard channels.
    ///
    /// # Errors
    ///
    /// What a connection fails with.
    pub fn sunsubscribe_all(&mut self) -> Result<()> {
        self.remove(Family::Shard, None)
    }

    /// Whether anything is subscribed, or asked for.
    pub fn is_subscribed(&self) -> bool {
        self.feed.machine.is_subscribed()
    }

    /// The next message, waiting for it at most this long; with zero what is there now. None at the
    /// deadline, and for a message that went to its handler.
    ///
    /// # Errors
    ///
    /// What a connection or the server fails with. Reading on connects again.
    pub fn get_message(&mut self, timeout: Duration) -> Result<Option<Message>> {
        let deadline = Instant::now().checked_add(timeout);
        self.next(|_| false, deadline)
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
                if self.feed.machine.is_over() {
                    return None;
                }
                if let Some(item) = self.next(Machine::is_over, None).transpose() {
                    return Some(item);
                }
            }
        })
    }

    /// Reads in a thread of its own, which sleeps while there is nothing to read and calls the handlers. It takes all
    /// subscriptions with it: none are left here.
    ///
    /// `on_error` is given what goes wrong, such as each failed attempt to connect again, and says whether to go
    /// on. The thread also ends when nothing is subscribed any longer, and when the credentials are refused.
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
        self.feed.machine.check_handled()?;
        let next = Self::new(self.config.clone(), self.seed.wrapping_add(1));
        let mut pubsub = mem::replace(self, next);
        let stop = pubsub.feed.stop().clone();
        let run = move || pubsub.run(on_error);
        match thread::Builder::new().name("redis-pubsub".to_owned()).spawn(run) {
            Ok(thread) => Ok(PubSubThread { stop, thread: Some(thread) }),
            Err(error) => {
                Err(Error::new(ErrorKind::Limit, format!("no thread can be started: {error}"))
                    .with_source(error))
            }
        }
    }

    fn run(&mut self, mut on_error: impl FnMut(&Error) -> ControlFlow<()>) {
        let stop = self.feed.stop().clone();
        while !stop.is_stopped() && !self.feed.machine.is_over() {
            let next = self.next(|machine| stop.is_stopped() || machine.is_over(), None);
            if let Err(error) = next
                && !stop.is_stopped()
                && on_error(&error).is_break()
            {
                return;
            }
        }
    }

    /// The next message, unless it went to its handler, the deadline passes, or `ends` says so.
    fn next(
        &mut self,
        ends: impl Fn(&Machine<Handler>) -> bool,
        deadline: Option<Instant>,
    ) -> Result<Option<Message>> {
        let mut last = false;
        loop {
            if let Some(result) = self.feed.machine.poll_message() {
                let (message, handler) = result?;
                return Ok(match handler {
                    Some(handler) => {
                        handler(&message);
                        None
                    }
                    None => Some(message),
                });
            }
            if last || ends(&self.feed.machine) {
                return Ok(None);
            }
            let now = Instant::now();
            // Once more after the deadline: what is there counts.
            last = deadline.is_some_and(|deadline| deadline <= now);
            self.feed.turn(now, deadline)?;
        }
    }

    fn add_with(&mut self, family: Family, name: impl ToArg, handler: Handler) -> Result<()> {
        self.add(family, names(name)?.into_iter().zip([Some(handler)]))
    }

    fn add(
        &mut self,
        family: Family,
        names: impl IntoIterator<Item = (Bytes, Option<Handler>)>,
    ) -> Result<()> {
        self.feed.machine.subscribe(Instant::now(), family, names)?;
        // Until the link is ready, so that a failure is this call's; the names stay wanted.
        while !self.feed.machine.is_ready() {
            self.feed.turn(Instant::now(), None)?;
            if let Some(error) = self.feed.machine.poll_error() {
                return Err(error);
            }
        }
        self.feed.flush();
        Ok(())
    }

    fn remove(&mut self, family: Family, names: Option<Vec<Bytes>>) -> Result<()> {
        self.feed.machine.unsubscribe(Instant::now(), family, names);
        self.feed.flush();
        Ok(())
    }
}

/// A thread that reads the messages of its subscriptions, started by [`PubSub::run_in_thread`]. Dropping this stops
/// it.
#[derive(Debug)]
#[must_use = "the thread stops when this is dropped"]
pub struct PubSubThread {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

impl PubSubThread {
    /// Ends the thread, which closes its connection; does not wait for it. A handler that is running ends first, and
    /// so does an attempt to connect.
    pub fn stop(&self) {
        self.stop.stop();
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
        self.stop.stop();
    }
}
