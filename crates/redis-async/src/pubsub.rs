//! Subscriptions on a connection of their own. A task moves its bytes, so that a reader who is away loses no more
//! than it has to.

use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::ops::{ControlFlow, Deref};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_core::Stream;
use redis_core::pubsub::{Family, Message, PubSub as Machine, names, nothing_to_wait_for};
use redis_core::{Endpoint, Error, ErrorKind, Result, ToArg, ToArgs};

use crate::pool::Pool;
use crate::runtime::Timer;
use crate::shards::{Reader, Shards, Whom};
use crate::stop::Stop;
use crate::subscriber::{Guard, Subscriber, closed, no_task};

/// Messages that a task takes before others have their turn.
const TURN: usize = 64;

/// Called without anything locked, by the one who reads.
pub(crate) type Handler = Arc<Mutex<dyn FnMut(&Message) + Send>>;

/// Subscriptions and their messages, on a connection of their own.
///
/// Everything that changes the subscriptions is a method of its [`PubSubHandle`], which other tasks may have too:
/// they subscribe while this one reads.
///
/// A lost connection is opened again and everything subscribed again. A reader who is away loses no more than
/// [`Overflow`](crate::Overflow) says: at most `max_backlog` bytes of messages are held. Dropping it closes the
/// connection.
///
/// Of a cluster there is such a connection for channels and patterns, to any node, and one for each node that has shard
/// channels. The reader reads all in turn.
pub struct PubSub {
    handle: PubSubHandle,
    seed: u64,
    timer: Option<Box<dyn Timer>>,
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
        self.subscriber.stop();
        if let Some(shards) = &self.shards {
            shards.stop();
        }
    }
}

impl PubSub {
    pub(crate) fn new(pool: Arc<Pool>, seed: u64, shards: Option<Arc<Shards>>) -> Self {
        let machine = Machine::new(pool.config().clone(), seed);
        let subscriber = Subscriber::new(machine, pool.runtime().clone());
        let handle = PubSubHandle { subscriber, pool, shards };
        Self { handle, seed, timer: None, reader: Reader::default() }
    }

    /// What other tasks subscribe by while this one reads. Cheap to clone.
    pub fn handle(&self) -> PubSubHandle {
        self.subscriber.lock().shared = true;
        if let Some(shards) = &self.shards {
            shards.share();
        }
        self.handle.clone()
    }

    /// Whether confirmations and notices are kept from the reader. They take effect either way.
    pub fn ignore_subscribe_messages(&mut self, ignore: bool) -> &mut Self {
        self.subscriber.lock().machine().ignore_subscribe_messages(ignore);
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
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no message.
    pub async fn get_message(&mut self, timeout: Duration) -> Result<Option<Message>> {
        let deadline = Instant::now().checked_add(timeout);
        poll_fn(|cx| self.poll_message(cx, false, deadline)).await
    }

    /// As [`get_message`](Self::get_message), of a cluster's shard channels alone: those at one node, or those at all
    /// nodes, which take turns.
    ///
    /// # Errors
    ///
    /// As [`get_message`](Self::get_message); `InvalidRequest` when no shard channel is subscribed at the node, or the
    /// client is not one of a cluster.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no message.
    pub async fn get_sharded_message(
        &mut self,
        target_node: Option<&Endpoint>,
        timeout: Duration,
    ) -> Result<Option<Message>> {
        let deadline = Instant::now().checked_add(timeout);
        let whom = target_node.map_or(Whom::Nodes, Whom::Node);
        let Some(shards) = self.handle.shards.clone() else {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                "the client is not one of a cluster: use `get_message`",
            ));
        };
        let reader = &mut self.reader;
        let next = poll_fn(|cx| shards.poll_message(cx, reader, whom, false, deadline)).await?;
        Ok(next.and_then(hand_over))
    }

    /// The messages from now on, waiting for each; those that go to their handlers are left out. Ends when nothing
    /// is subscribed any longer.
    ///
    /// An error is an item like the others: a lost connection is opened again, and the messages go on. The one
    /// that ends them is a refusal of the credentials.
    pub fn listen(&mut self) -> PubSubStream<'_> {
        PubSubStream { pubsub: self }
    }

    /// Reads in a task of its own, which calls the handlers. It takes all subscriptions with it: none are left here.
    ///
    /// `on_error` is given what goes wrong, such as each failed attempt to connect again, and says whether to go
    /// on. What a reader gets as [`Resubscribed`](crate::MessageKind::Resubscribed) or
    /// [`Lagged`](crate::MessageKind::Lagged) goes there too, as errors of the kinds `Io` and `Limit`. The task also ends when nothing is subscribed any longer, and when the credentials are refused.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when nothing is subscribed, or a subscription has no handler: nothing changes then.
    /// `Connect` when no task can be started, as outside of the runtime: the subscriptions are gone then.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// # use redis_async::{Client, Result};
    /// # async fn run(client: Client) -> Result<()> {
    /// let mut pubsub = client.pubsub();
    /// pubsub.subscribe_with("news", |message| println!("{:?}", message.text())).await?;
    /// let task = pubsub.run_in_task(|error| {
    ///     eprintln!("{error}");
    ///     ControlFlow::Continue(())
    /// })?;
    /// // Messages go to the handler meanwhile.
    /// task.stop();
    /// # Ok(())
    /// # }
    /// ```
    pub fn run_in_task(
        &mut self,
        on_error: impl FnMut(&Error) -> ControlFlow<()> + Send + Unpin + 'static,
    ) -> Result<PubSubTask> {
        self.leave_to_handlers()?;
        let runtime = self.subscriber.runtime().clone();
        let shards = self.shards.as_ref().and_then(|shards| shards.another());
        let next = Self::new(self.pool.clone(), self.seed.wrapping_add(1), shards);
        let stop = Arc::<Stop>::default();
        let pubsub = mem::replace(self, next);
        let handle = pubsub.handle.clone();
        let running = Running { pubsub, stop: stop.clone(), on_error };
        runtime.spawn(Box::pin(running)).map_err(no_task)?;
        Ok(PubSubTask { stop, handle })
    }

    fn leave_to_handlers(&self) -> Result<()> {
        let mut state = self.subscriber.lock();
        let Some(shards) = &self.shards else {
            return state.machine().leave_to_handlers();
        };
        let of_main = state.machine().check_handled();
        let main_has_some = state.machine().is_wanted();
        drop(state);
        match shards.has_channels() {
            true if main_has_some => of_main.and(shards.check_handled())?,
            true => shards.check_handled()?,
            false => of_main?,
        }
        self.subscriber.lock().machine().leave_unattended();
        shards.leave_unattended();
        Ok(())
    }

    /// Whether listening has come to its end.
    fn is_over(&self) -> bool {
        match &self.shards {
            Some(shards) => shards.is_over(&self.subscriber),
            None => self.subscriber.lock().machine().is_over(),
        }
    }

    /// The next message, unless it went to its handler, the deadline passes, or listening is over, where it can be.
    fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
        ends: bool,
        deadline: Option<Instant>,
    ) -> Poll<Result<Option<Message>>> {
        let Self { handle: PubSubHandle { subscriber, shards, .. }, timer, reader, .. } = self;
        if let Some(shards) = shards {
            let whom = Whom::All(subscriber);
            let next = ready!(shards.poll_message(cx, reader, whom, ends, deadline))?;
            return Poll::Ready(Ok(next.and_then(hand_over)));
        }
        let mut state = subscriber.lock();
        let polled = loop {
            if ends && state.machine().is_over() {
                break Poll::Ready(Ok(None));
            }
            if let Some(next) = state.poll_message() {
                break Poll::Ready(next.map(Some));
            }
            if state.is_stopped() {
                break Poll::Ready(Err(closed()));
            }
            match deadline {
                None if state.machine().is_idle() && !state.shared => {
                    break Poll::Ready(Err(nothing_to_wait_for()));
                }
                // The deadline is looked at after what is there: that counts.
                Some(deadline) if deadline <= Instant::now() => {
                    if state.turn(cx) {
                        continue;
                    }
                    break Poll::Ready(Ok(None));
                }
                _ => {}
            }
            state.reader_waits(cx);
            if let Some(deadline) = deadline {
                let timer = timer.get_or_insert_with(|| subscriber.runtime().timer());
                if timer.poll_at(cx, deadline).is_ready() {
                    continue;
                }
            }
            break Poll::Pending;
        };
        let due = state.take_due();
        drop(state);
        due.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(ready!(polled)?.and_then(hand_over)))
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

/// Changes the subscriptions of a [`PubSub`], from any task, also while another one reads.
///
/// Names are bytes. What is asked for takes effect in the order of the calls; the confirmations are messages, which
/// the reader gets. Once the `PubSub` is gone, calls fail with an error of kind `Closed`.
#[derive(Clone)]
pub struct PubSubHandle {
    subscriber: Arc<Subscriber>,
    pool: Arc<Pool>,
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
    /// What a connection fails with: this waits for one. The names stay wanted, and it is tried again. `Connect` when no
    /// task can be started, as outside of the runtime. `Limit` when the pool has no place for the first subscription's
    /// connection, `Closed` when the `PubSub` is gone: nothing is wanted then.
    ///
    /// # Cancel safety
    ///
    /// What was asked for by then stays so: nothing is lost.
    pub async fn subscribe<M>(&self, channels: impl ToArgs<M>) -> Result<()> {
        self.add(Family::Channel, names(channels)?.into_iter().map(|name| (name, None))).await
    }

    /// Subscribes to a channel whose messages go to `handler` instead of the reader. It runs while
    /// messages are read, in the reader's task.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    ///
    /// # Cancel safety
    ///
    /// What was asked for by then stays so: nothing is lost.
    pub async fn subscribe_with(
        &self,
        channel: impl ToArg,
        handler: impl FnMut(&Message) + Send + 'static,
    ) -> Result<()> {
        self.add_with(Family::Channel, channel, Arc::new(Mutex::new(handler))).await
    }

    /// Subscribes to patterns, as the server matches them: `h?llo`, `h*llo`, `h[ae]llo`.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    ///
    /// # Cancel safety
    ///
    /// What was asked for by then stays so: nothing is lost.
    pub async fn psubscribe<M>(&self, patterns: impl ToArgs<M>) -> Result<()> {
        self.add(Family::Pattern, names(patterns)?.into_iter().map(|name| (name, None))).await
    }

    /// As [`subscribe_with`](Self::subscribe_with), for a pattern.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    ///
    /// # Cancel safety
    ///
    /// What was asked for by then stays so: nothing is lost.
    pub async fn psubscribe_with(
        &self,
        pattern: impl ToArg,
        handler: impl FnMut(&Message) + Send + 'static,
    ) -> Result<()> {
        self.add_with(Family::Pattern, pattern, Arc::new(Mutex::new(handler))).await
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
    ///
    /// # Cancel safety
    ///
    /// What was asked for by then stays so: nothing is lost.
    pub async fn ssubscribe<M>(&self, channels: impl ToArgs<M>) -> Result<()> {
        self.add(Family::Shard, names(channels)?.into_iter().map(|name| (name, None))).await
    }

    /// As [`subscribe_with`](Self::subscribe_with), for a shard channel.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    ///
    /// # Cancel safety
    ///
    /// What was asked for by then stays so: nothing is lost.
    pub async fn ssubscribe_with(
        &self,
        channel: impl ToArg,
        handler: impl FnMut(&Message) + Send + 'static,
    ) -> Result<()> {
        self.add_with(Family::Shard, channel, Arc::new(Mutex::new(handler))).await
    }

    /// Ends subscriptions to channels.
    ///
    /// # Errors
    ///
    /// `Closed` when the `PubSub` is gone.
    ///
    /// # Cancel safety
    ///
    /// What was asked for by then stays so: nothing is lost.
    pub async fn unsubscribe<M>(&self, channels: impl ToArgs<M>) -> Result<()> {
        self.remove(Family::Channel, Some(names(channels)?)).await
    }

    /// Ends all subscriptions to channels.
    ///
    /// # Errors
    ///
    /// `Closed` when the `PubSub` is gone.
    ///
    /// # Cancel safety
    ///
    /// What was asked for by then stays so: nothing is lost.
    pub async fn unsubscribe_all(&self) -> Result<()> {
        self.remove(Family::Channel, None).await
    }

    /// Ends subscriptions to patterns.
    ///
    /// # Errors
    ///
    /// `Closed` when the `PubSub` is gone.
    ///
    /// # Cancel safety
    ///
    /// What was asked for by then stays so: nothing is lost.
    pub async fn punsubscribe<M>(&self, patterns: impl ToArgs<M>) -> Result<()> {
        self.remove(Family::Pattern, Some(names(patterns)?)).await
    }

    /// Ends all subscriptions to patterns.
    ///
    /// # Errors
    ///
    /// `Closed` when the `PubSub` is gone.
    ///
    /// # Cancel safety
    ///
    /// What was asked for by then stays so: nothing is lost.
    pub async fn punsubscribe_all(&self) -> Result<()> {
        self.remove(Family::Pattern, None).await
    }

    /// Ends subscriptions to shard channels.
    ///
    /// # Errors
    ///
    /// `Closed` when the `PubSub` is gone.
    ///
    /// # Cancel safety
    ///
    /// What was asked for by then stays so: nothing is lost.
    pub async fn sunsubscribe<M>(&self, channels: impl ToArgs<M>) -> Result<()> {
        self.remove(Family::Shard, Some(names(channels)?)).await
    }

    /// Ends all subscriptions to shard channels.
    ///
    /// # Errors
    ///
    /// `Closed` when the `PubSub` is gone.
    ///
    /// # Cancel safety
    ///
    /// What was asked for by then stays so: nothing is lost.
    pub async fn sunsubscribe_all(&self) -> Result<()> {
        self.remove(Family::Shard, None).await
    }

    /// Whether anything is subscribed, or asked for.
    pub fn is_subscribed(&self) -> bool {
        self.subscriber.lock().machine().is_subscribed()
            || self.shards.as_ref().is_some_and(|shards| shards.is_subscribed())
    }

    /// Asks the server for a sign of life: the reader gets a [`Pong`](crate::MessageKind::Pong) with this text. Of a
    /// cluster each node is asked where something is subscribed.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when nothing is subscribed, so that there is no connection; `Io`, `NotSent` while it is lost;
    /// `Closed` when the `PubSub` is gone.
    ///
    /// # Cancel safety
    ///
    /// The reader may get the answer all the same.
    pub async fn ping(&self, text: impl ToArg) -> Result<()> {
        self.ask_for_life(&text)?;
        poll_fn(|cx| self.subscriber.poll_flush(cx)).await;
        if let Some(shards) = &self.shards {
            poll_fn(|cx| shards.poll_flush(cx)).await;
        }
        Ok(())
    }

    /// Asks all that there are.
    fn ask_for_life(&self, text: &impl ToArg) -> Result<()> {
        let main = self.open()?.machine().is_subscribed();
        let asked = match &self.shards {
            Some(shards) => shards.ping(text)?,
            None => 0,
        };
        match main || asked == 0 {
            true => self.open()?.machine().ping(text),
            false => Ok(()),
        }
    }

    fn open(&self) -> Result<Guard<'_>> {
        let state = self.subscriber.lock();
        match state.is_stopped() {
            true => Err(closed()),
            false => Ok(state),
        }
    }

    async fn add_with(&self, family: Family, name: impl ToArg, handler: Handler) -> Result<()> {
        self.add(family, names(name)?.into_iter().zip([Some(handler)])).await
    }

    async fn add(
        &self,
        family: Family,
        names: impl IntoIterator<Item = (Bytes, Option<Handler>)>,
    ) -> Result<()> {
        if let Some(shards) = self.shards.as_ref().filter(|_| family == Family::Shard) {
            let wait = shards.subscribe(names)?;
            // As below.
            poll_fn(|cx| shards.poll_ready(cx, &wait)).await?;
            poll_fn(|cx| shards.poll_flush(cx)).await;
            return Ok(());
        }
        if self.open()?.place.is_none() {
            let place = self.pool.reserve().await?;
            // Another one may have been faster.
            self.open()?.place.get_or_insert(place);
        }
        let failures = self.subscribe_to(family, names)?;
        // Until the link is ready, so that a failure is this call's; the names stay wanted.
        poll_fn(|cx| self.subscriber.poll_ready(cx, failures)).await?;
        poll_fn(|cx| self.subscriber.poll_flush(cx)).await;
        Ok(())
    }

    /// Returns how many failures there were before.
    fn subscribe_to(
        &self,
        family: Family,
        names: impl IntoIterator<Item = (Bytes, Option<Handler>)>,
    ) -> Result<u64> {
        let mut state = self.open()?;
        let failures = state.machine().failures();
        state.machine().subscribe(Instant::now(), family, names)?;
        self.subscriber.start(state)?;
        Ok(failures)
    }

    async fn remove(&self, family: Family, names: Option<Vec<Bytes>>) -> Result<()> {
        if let Some(shards) = self.shards.as_ref().filter(|_| family == Family::Shard) {
            shards.unsubscribe(names)?;
            poll_fn(|cx| shards.poll_flush(cx)).await;
            return Ok(());
        }
        self.open()?.machine().unsubscribe(Instant::now(), family, names);
        poll_fn(|cx| self.subscriber.poll_flush(cx)).await;
        Ok(())
    }
}

/// The messages of subscriptions, made by [`PubSub::listen`].
#[must_use = "streams do nothing unless polled"]
pub struct PubSubStream<'a> {
    pubsub: &'a mut PubSub,
}

impl PubSubStream<'_> {
    /// The next message; `None` when nothing is subscribed any longer.
    ///
    /// # Errors
    ///
    /// As [`PubSub::get_message`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no message.
    pub async fn next(&mut self) -> Option<Result<Message>> {
        poll_fn(|cx| self.poll_item(cx)).await
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message>>> {
        loop {
            let message = ready!(self.pubsub.poll_message(cx, true, None));
            if let Some(item) = message.transpose() {
                return Poll::Ready(Some(item));
            }
            // If not, it went to its handler.
            if self.pubsub.is_over() {
                return Poll::Ready(None);
            }
        }
    }
}

impl Stream for PubSubStream<'_> {
    type Item = Result<Message>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_item(cx)
    }
}

impl fmt::Debug for PubSubStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PubSubStream").finish_non_exhaustive()
    }
}

/// A task that reads the messages of its subscriptions, started by [`PubSub::run_in_task`]. Dropping this stops it.
#[must_use = "the task stops when this is dropped"]
pub struct PubSubTask {
    stop: Arc<Stop>,
    handle: PubSubHandle,
}

impl fmt::Debug for PubSubTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PubSubTask").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}

impl PubSubTask {
    /// What other tasks subscribe by meanwhile: with handlers, since nobody takes other messages.
    pub fn handle(&self) -> PubSubHandle {
        self.handle.clone()
    }

    /// Ends the task, which closes its connection; does not wait for it.
    pub fn stop(&self) {
        self.stop.stop();
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.stop.is_ended()
    }

    /// Waits until the task has ended: stop it first, unless it ends by itself.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the task.
    pub async fn join(self) {
        poll_fn(|cx| self.stop.poll_ended(cx)).await;
    }
}

impl Drop for PubSubTask {
    fn drop(&mut self) {
        self.stop.stop();
    }
}

/// What the task does.
struct Running<F> {
    pubsub: PubSub,
    stop: Arc<Stop>,
    on_error: F,
}

impl<F: FnMut(&Error) -> ControlFlow<()> + Unpin> Future for Running<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { pubsub, stop, on_error } = self.get_mut();
        for _ in 0..TURN {
            if pubsub.is_over() || stop.poll_stopped(cx).is_ready() {
                return Poll::Ready(());
            }
            if let Err(error) = ready!(pubsub.poll_message(cx, true, None))
                && on_error(&error).is_break()
            {
                return Poll::Ready(());
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<F> Drop for Running<F> {
    fn drop(&mut self) {
        self.stop.ended();
    }
}
