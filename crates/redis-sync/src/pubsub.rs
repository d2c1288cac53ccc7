//! Subscriptions on a connection of their own, driven by whoever reads.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use redis_core::connection::Event;
use redis_core::pubsub::{Family, Message, PubSub as Machine, names, nothing_to_wait_for};
use redis_core::recv::RecvBuffer;
use redis_core::session::{Action, Machine as _};
use redis_core::{Config, Result, ToArg, ToArgs};

use crate::stream::Stream;

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
    machine: Machine<Handler>,
    config: Arc<Config>,
    stream: Option<Stream>,
    recv: RecvBuffer,
    events: Vec<Event>,
}

impl fmt::Debug for PubSub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PubSub")
            .field("subscribed", &self.machine.is_subscribed())
            .finish_non_exhaustive()
    }
}

impl PubSub {
    pub(crate) fn new(config: Arc<Config>, seed: u64) -> Self {
        let machine = Machine::new(config.clone(), seed);
        Self { machine, config, stream: None, recv: RecvBuffer::default(), events: Vec::new() }
    }

    /// Whether confirmations and notices are kept from the reader. They take effect either way.
    pub fn ignore_subscribe_messages(&mut self, ignore: bool) -> &mut Self {
        self.machine.ignore_subscribe_messages(ignore);
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

    /// Whether anything is subscribed, or asked for.
    pub fn is_subscribed(&self) -> bool {
        self.machine.is_subscribed()
    }

    /// The next message, waiting for it at most this long; with zero what is there now. None at the
    /// deadline, and for a message that went to its handler.
    ///
    /// # Errors
    ///
    /// What a connection or the server fails with. Reading on connects again.
    pub fn get_message(&mut self, timeout: Duration) -> Result<Option<Message>> {
        let deadline = Instant::now().checked_add(timeout);
        let mut last = false;
        loop {
            if let Some(result) = self.machine.poll_message() {
                let (message, handler) = result?;
                return Ok(match handler {
                    Some(handler) => {
                        handler(&message);
                        None
                    }
                    None => Some(message),
                });
            }
            if last {
                return Ok(None);
            }
            let now = Instant::now();
            // Once more after the deadline: what is there counts.
            last = deadline.is_some_and(|deadline| deadline <= now);
            self.turn(now, deadline)?;
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
        self.machine.subscribe(Instant::now(), family, names)?;
        // Until the link is ready, so that a failure is this call's; the names stay wanted.
        while !self.machine.is_ready() {
            self.turn(Instant::now(), None)?;
            if let Some(error) = self.machine.poll_error() {
                return Err(error);
            }
        }
        self.flush()
    }

    fn remove(&mut self, family: Family, names: Option<Vec<Bytes>>) -> Result<()> {
        self.machine.unsubscribe(Instant::now(), family, names);
        self.flush()
    }

    /// Does what the machine asks, then waits for bytes until the deadline.
    fn turn(&mut self, now: Instant, deadline: Option<Instant>) -> Result<()> {
        self.machine.handle_timeout(now);
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Close => self.stream = None,
                Action::Open(endpoint) => {
                    self.recv = RecvBuffer::default();
                    // What a subscriber writes is small: a peer that takes none of it for so long is gone.
                    let timeout = self.config.connect_timeout;
                    let opened = Stream::connect(&endpoint, now + timeout)
                        .and_then(|stream| stream.set_write_timeout(timeout).map(|()| stream));
                    match opened {
                        Ok(stream) => {
                            self.stream = Some(stream);
                            self.machine.handle_opened();
                        }
                        Err(error) => self.machine.handle_open_failed(Instant::now(), error),
                    }
                }
            }
        }
        self.flush()?;
        let until = [deadline, self.machine.poll_timeout()].into_iter().flatten().min();
        let Some(stream) = &mut self.stream else {
            // Nothing to read from: a new attempt is due, or the reader's time is up.
            match until {
                Some(until) => thread::sleep(until.saturating_duration_since(now)),
                None => return Err(nothing_to_wait_for()),
            }
            return Ok(());
        };
        match stream.read(self.recv.space(self.machine.read_hint()), now, until) {
            Ok(0) => self.machine.handle_disconnect(Instant::now(), None),
            Ok(n) => {
                self.recv.advance(n);
                let used =
                    self.machine.handle_input(Instant::now(), self.recv.data(), &mut self.events);
                self.recv.consume(used);
            }
            Err(error)
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) => self.machine.handle_disconnect(Instant::now(), Some(error.kind())),
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        while let (Some(stream), Some(transmit)) = (&self.stream, self.machine.poll_transmit()) {
            match stream.writer().write(transmit.slices()) {
                Ok(n) => self.machine.handle_transmitted(n),
                Err(error) => self.machine.handle_disconnect(Instant::now(), Some(error.kind())),
            }
        }
        Ok(())
    }
}
