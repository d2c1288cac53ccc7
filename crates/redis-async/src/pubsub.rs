//! Subscriptions on a connection of their own, driven by whoever reads: there is no task behind it.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_core::Stream;
use redis_core::pubsub::{Family, Message, PubSub as Machine, names, nothing_to_wait_for};
use redis_core::{Config, Result, ToArg, ToArgs};

use crate::feed::Feed;
use crate::runtime::Runtime;

type Handler = Box<dyn FnMut(&Message) + Send>;

/// Subscriptions and their messages, on a connection of their own.
///
/// Names are bytes. A lost connection is opened again and everything subscribed again, while messages
/// are read. Dropping it closes the connection.
pub struct PubSub {
    feed: Feed<Machine<Handler>>,
}

impl fmt::Debug for PubSub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PubSub")
            .field("subscribed", &self.feed.machine.is_subscribed())
            .finish_non_exhaustive()
    }
}

impl PubSub {
    pub(crate) fn new(config: Arc<Config>, runtime: Arc<dyn Runtime>, seed: u64) -> Self {
        Self { feed: Feed::new(Machine::new(config, seed), runtime) }
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
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: what was asked for by then is sent by the next call that reads or subscribes.
    pub async fn subscribe<M>(&mut self, channels: impl ToArgs<M>) -> Result<()> {
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
    /// Nothing is lost: what was asked for by then is sent by the next call that reads or subscribes.
    pub async fn subscribe_with(
        &mut self,
        channel: impl ToArg,
        handler: impl FnMut(&Message) + Send + 'static,
    ) -> Result<()> {
        self.add_with(Family::Channel, channel, Box::new(handler)).await
    }

    /// Subscribes to patterns, as the server matches them: `h?llo`, `h*llo`, `h[ae]llo`.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: what was asked for by then is sent by the next call that reads or subscribes.
    pub async fn psubscribe<M>(&mut self, patterns: impl ToArgs<M>) -> Result<()> {
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
    /// Nothing is lost: what was asked for by then is sent by the next call that reads or subscribes.
    pub async fn psubscribe_with(
        &mut self,
        pattern: impl ToArg,
        handler: impl FnMut(&Message) + Send + 'static,
    ) -> Result<()> {
        self.add_with(Family::Pattern, pattern, Box::new(handler)).await
    }

    /// Subscribes to shard channels, whose messages stay with the node that holds their slot. Since Redis 7.0.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: what was asked for by then is sent by the next call that reads or subscribes.
    pub async fn ssubscribe<M>(&mut self, channels: impl ToArgs<M>) -> Result<()> {
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
    /// Nothing is lost: what was asked for by then is sent by the next call that reads or subscribes.
    pub async fn ssubscribe_with(
        &mut self,
        channel: impl ToArg,
        handler: impl FnMut(&Message) + Send + 'static,
    ) -> Result<()> {
        self.add_with(Family::Shard, channel, Box::new(handler)).await
    }

    /// Ends subscriptions to channels.
    ///
    /// # Errors
    ///
    /// What a connection fails with.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: what was asked for by then is sent by the next call that reads or subscribes.
    pub async fn unsubscribe<M>(&mut self, channels: impl ToArgs<M>) -> Result<()> {
        self.remove(Family::Channel, Some(names(channels)?)).await
    }

    /// Ends all subscriptions to channels.
    ///
    /// # Errors
    ///
    /// What a connection fails with.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: what was asked for by then is sent by the next call that reads or subscribes.
    pub async fn unsubscribe_all(&mut self) -> Result<()> {
        self.remove(Family::Channel, None).await
    }

    /// Ends subscriptions to patterns.
    ///
    /// # Errors
    ///
    /// What a connection fails with.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: what was asked for by then is sent by the next call that reads or subscribes.
    pub async fn punsubscribe<M>(&mut self, patterns: impl ToArgs<M>) -> Result<()> {
        self.remove(Family::Pattern, Some(names(patterns)?)).await
    }

    /// Ends all subscriptions to patterns.
    ///
    /// # Errors
    ///
    /// What a connection fails with.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: what was asked for by then is sent by the next call that reads or subscribes.
    pub async fn punsubscribe_all(&mut self) -> Result<()> {
        self.remove(Family::Pattern, None).await
    }

    /// Ends subscriptions to shard channels.
    ///
    /// # Errors
    ///
    /// What a connection fails with.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: what was asked for by then is sent by the next call that reads or subscribes.
    pub async fn sunsubscribe<M>(&mut self, channels: impl ToArgs<M>) -> Result<()> {
        self.remove(Family::Shard, Some(names(channels)?)).await
    }

    /// Ends all subscriptions to shard channels.
    ///
    /// # Errors
    ///
    /// What a connection fails with.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: what was asked for by then is sent by the next call that reads or subscribes.
    pub async fn sunsubscribe_all(&mut self) -> Result<()> {
        self.remove(Family::Shard, None).await
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
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no message.
    pub async fn get_message(&mut self, timeout: Duration) -> Result<Option<Message>> {
        let deadline = Instant::now().checked_add(timeout);
        poll_fn(|cx| self.poll_message(cx, |_| false, deadline)).await
    }

    /// The messages from now on, waiting for each; those that go to their handlers are left out. Ends when nothing
    /// is subscribed any longer.
    ///
    /// An error is an item like the others: a lost connection is opened again, and the messages go on. The one
    /// that ends them is a refusal of the credentials.
    pub fn listen(&mut self) -> PubSubStream<'_> {
        PubSubStream { pubsub: self }
    }

    /// The next message, unless it went to its handler, the deadline passes, or `ends` says so.
    fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
        ends: impl Fn(&Machine<Handler>) -> bool,
        deadline: Option<Instant>,
    ) -> Poll<Result<Option<Message>>> {
        loop {
            if let Some(result) = self.feed.machine.poll_message() {
                return Poll::Ready(result.map(|(message, handler)| match handler {
                    Some(handler) => {
                        handler(&message);
                        None
                    }
                    None => Some(message),
                }));
            }
            if ends(&self.feed.machine) {
                return Poll::Ready(Ok(None));
            }
            // The deadline is looked at after what is there: that counts.
            if self.feed.turn(cx) {
                continue;
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Poll::Ready(Ok(None));
            }
            if deadline.is_none() && self.feed.machine.is_idle() {
                return Poll::Ready(Err(nothing_to_wait_for()));
            }
            if self.feed.poll_timer(cx, deadline).is_pending() {
                return Poll::Pending;
            }
        }
    }

    async fn add_with(&mut self, family: Family, name: impl ToArg, handler: Handler) -> Result<()> {
        self.add(family, names(name)?.into_iter().zip([Some(handler)])).await
    }

    async fn add(
        &mut self,
        family: Family,
        names: impl IntoIterator<Item = (Bytes, Option<Handler>)>,
    ) -> Result<()> {
        self.feed.machine.subscribe(Instant::now(), family, names)?;
        // Until the link is ready, so that a failure is this call's; the names stay wanted.
        poll_fn(|cx| self.poll_ready(cx)).await?;
        poll_fn(|cx| self.feed.poll_flush(cx)).await;
        Ok(())
    }

    async fn remove(&mut self, family: Family, names: Option<Vec<Bytes>>) -> Result<()> {
        self.feed.machine.unsubscribe(Instant::now(), family, names);
        poll_fn(|cx| self.feed.poll_flush(cx)).await;
        Ok(())
    }

    /// Waits until the link is ready, or fails.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            if self.feed.machine.is_ready() {
                return Poll::Ready(Ok(()));
            }
            if let Some(error) = self.feed.machine.poll_error() {
                return Poll::Ready(Err(error));
            }
            if !self.feed.turn(cx) && self.feed.poll_timer(cx, None).is_pending() {
                return Poll::Pending;
            }
        }
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
        while !self.pubsub.feed.machine.is_over() {
            let message = ready!(self.pubsub.poll_message(cx, Machine::is_over, None));
            if let Some(item) = message.transpose() {
                return Poll::Ready(Some(item));
            }
        }
        Poll::Ready(None)
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
