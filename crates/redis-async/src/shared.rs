//! Subscriptions on the connection that a client's commands share.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_core::Stream;
use redis_core::pubsub::{Family, Message, SubscriptionId, Subscriptions, names};
use redis_core::{Error, ErrorKind, Result, ToArgs};

use crate::client::{Client, Servers, Shared};
use crate::link::Link;
use crate::runtime::Timer;

/// Subscriptions and their messages, on the connection that the client's commands share: made by
/// [`Client::subscribe`], [`Client::psubscribe`] and [`Client::ssubscribe`].
///
/// It takes no connection and no place in the pool, so that a client can have many. The server is subscribed once to
/// each name, however many want it, and each of them gets all messages: it hears what it would hear on a
/// connection of its own, counts of subscriptions included. What others have subscribed to already is confirmed
/// before what the server has to be asked for.
///
/// A lost connection is opened again and everything subscribed again. A reader who is away loses no more than
/// [`Overflow`](crate::Overflow) says: at most `max_backlog` bytes of messages are held for each. Dropping it
/// unsubscribes from what nobody else wants; while it is there the connection stays, also without a client.
///
/// A [`PubSub`](crate::PubSub) has a connection of its own: for RESP2 and for servers older than Redis 7.2, for
/// handlers, for so many messages that replies would wait behind them, and for back-pressure.
pub struct Subscription {
    /// Keeps the connection.
    _client: Arc<Shared>,
    link: Arc<Link>,
    id: SubscriptionId,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("subscribed", &self.is_subscribed())
            .finish_non_exhaustive()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.lock().close(self.id);
        // If nothing drives it any longer, nothing is subscribed either.
        self.link().rouse_if_driven();
    }
}

impl Client {
    /// Subscribes to channels on the connection that all commands share.
    ///
    /// Returns when the server has confirmed it: what is published from then on is received. The confirmations are
    /// messages all the same, as those of a [`PubSub`](crate::PubSub).
    ///
    /// # Errors
    ///
    /// Nothing is subscribed then. `InvalidRequest` without a name; under RESP2, whether configured or all that the
    /// server speaks; when the server is older than Redis 7.2, which mixes messages into the replies of
    /// transactions; on a cluster; and with `Overflow::Backpressure`. What the connection fails with; `Timeout` when
    /// `command_timeout` passes; the server's refusal.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future unsubscribes.
    ///
    /// # Examples
    ///
    /// ```
    /// # use redis_async::{Client, Commands, Result};
    /// # async fn run(client: Client) -> Result<()> {
    /// let mut news = client.subscribe(["news", "weather"]).await?;
    /// news.ignore_subscribe_messages(true);
    /// client.publish("news", "it works").await?;
    /// while let Some(message) = news.listen().next().await {
    ///     println!("{:?}", message?.text());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn subscribe<M>(&self, channels: impl ToArgs<M>) -> Result<Subscription> {
        self.subscription(Family::Channel, names(channels)?).await
    }

    /// As [`subscribe`](Self::subscribe), for patterns, as the server matches them: `h?llo`, `h*llo`, `h[ae]llo`.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future unsubscribes.
    pub async fn psubscribe<M>(&self, patterns: impl ToArgs<M>) -> Result<Subscription> {
        self.subscription(Family::Pattern, names(patterns)?).await
    }

    /// As [`subscribe`](Self::subscribe), for shard channels. The server must be the one that has their slots.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future unsubscribes.
    pub async fn ssubscribe<M>(&self, channels: impl ToArgs<M>) -> Result<Subscription> {
        self.subscription(Family::Shard, names(channels)?).await
    }

    async fn subscription(&self, family: Family, names: Vec<Bytes>) -> Result<Subscription> {
        let client = self.shared.clone();
        let link = match &client.servers {
            Servers::One(one) => one.link.clone(),
            Servers::Cluster(_) => {
                return Err(Error::new(
                    ErrorKind::InvalidRequest,
                    "the commands of a cluster's client share no single connection: use `client.pubsub()`",
                ));
            }
        };
        let id = link.subscriptions().open()?;
        let mut subscription = Subscription { _client: client, link, id };
        subscription.add(family, names).await?;
        Ok(subscription)
    }
}

impl Subscription {
    /// Subscribes to more channels. Returns when the server has confirmed it, and what was asked for before.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` without a name, or when the server has become unfit, as [`Client::subscribe`] says; nothing
    /// changes then. The server's refusal, of the first name that it refuses: such names are not wanted, others are.
    /// What the connection fails with, and `Timeout` when `command_timeout` passes: the names stay wanted, and it is
    /// tried again.
    ///
    /// # Cancel safety
    ///
    /// What was asked for by then stays so, and its failure goes to the reader: nothing is lost.
    pub async fn subscribe<M>(&mut self, channels: impl ToArgs<M>) -> Result<()> {
        self.add(Family::Channel, names(channels)?).await
    }

    /// Subscribes to more patterns.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    ///
    /// # Cancel safety
    ///
    /// What was asked for by then stays so, and its failure goes to the reader: nothing is lost.
    pub async fn psubscribe<M>(&mut self, patterns: impl ToArgs<M>) -> Result<()> {
        self.add(Family::Pattern, names(patterns)?).await
    }

    /// Subscribes to more shard channels.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    ///
    /// # Cancel safety
    ///
    /// What was asked for by then stays so, and its failure goes to the reader: nothing is lost.
    pub async fn ssubscribe<M>(&mut self, channels: impl ToArgs<M>) -> Result<()> {
        self.add(Family::Shard, names(channels)?).await
    }

    /// Ends subscriptions to channels, at once: no message of theirs comes any more.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when one is no name; nothing changes then.
    ///
    /// # Cancel safety
    ///
    /// It is done at the first poll: nothing is waited for.
    pub async fn unsubscribe<M>(&mut self, channels: impl ToArgs<M>) -> Result<()> {
        self.remove(Family::Channel, Some(names(channels)?));
        Ok(())
    }

    /// Ends all subscriptions to channels.
    ///
    /// # Errors
    ///
    /// None: as the others, for the like of a [`PubSub`](crate::PubSub).
    ///
    /// # Cancel safety
    ///
    /// It is done at the first poll: nothing is waited for.
    pub async fn unsubscribe_all(&mut self) -> Result<()> {
        self.remove(Family::Channel, None);
        Ok(())
    }

    /// As [`unsubscribe`](Self::unsubscribe), for patterns.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when one is no name; nothing changes then.
    ///
    /// # Cancel safety
    ///
    /// It is done at the first poll: nothing is waited for.
    pub async fn punsubscribe<M>(&mut self, patterns: impl ToArgs<M>) -> Result<()> {
        self.remove(Family::Pattern, Some(names(patterns)?));
        Ok(())
    }

    /// Ends all subscriptions to patterns.
    ///
    /// # Errors
    ///
    /// None: as the others, for the like of a [`PubSub`](crate::PubSub).
    ///
    /// # Cancel safety
    ///
    /// It is done at the first poll: nothing is waited for.
    pub async fn punsubscribe_all(&mut self) -> Result<()> {
        self.remove(Family::Pattern, None);
        Ok(())
    }

    /// As [`unsubscribe`](Self::unsubscribe), for shard channels.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when one is no name; nothing changes then.
    ///
    /// # Cancel safety
    ///
    /// It is done at the first poll: nothing is waited for.
    pub async fn sunsubscribe<M>(&mut self, channels: impl ToArgs<M>) -> Result<()> {
        self.remove(Family::Shard, Some(names(channels)?));
        Ok(())
    }

    /// Ends all subscriptions to shard channels.
    ///
    /// # Errors
    ///
    /// None: as the others, for the like of a [`PubSub`](crate::PubSub).
    ///
    /// # Cancel safety
    ///
    /// It is done at the first poll: nothing is waited for.
    pub async fn sunsubscribe_all(&mut self) -> Result<()> {
        self.remove(Family::Shard, None);
        Ok(())
    }

    /// Whether confirmations and notices are kept from the reader, but for losses that are the reader's own:
    /// [`Lagged`](crate::MessageKind::Lagged). Those that wait already are not.
    pub fn ignore_subscribe_messages(&mut self, ignore: bool) -> &mut Self {
        self.lock().ignore_subscribe_messages(self.id, ignore);
        self
    }

    /// Whether anything is subscribed, or asked for.
    pub fn is_subscribed(&self) -> bool {
        self.lock().is_subscribed(self.id)
    }

    /// The next message, waiting for it at most this long; with zero what is there now. None at the deadline.
    ///
    /// # Errors
    ///
    /// What the connection fails with while it is opened again; that the server refuses a name, which is not wanted
    /// any longer then. `Limit` with `Overflow::Disconnect`, when the reader was too slow: all its subscriptions
    /// are ended then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no message.
    pub async fn get_message(&mut self, timeout: Duration) -> Result<Option<Message>> {
        let deadline = Instant::now().checked_add(timeout);
        let (mut looked, mut timer) = (false, None);
        poll_fn(|cx| {
            let link = &self.link;
            if let Some(message) = next(&mut link.subscriptions(), self.id, cx) {
                return Poll::Ready(message.map(Some));
            }
            // The driver takes what has come: it has its turn first, also where nobody waits for anything.
            if !std::mem::replace(&mut looked, true) && timeout.is_zero() {
                link.rouse_if_driven();
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let Some(deadline) = deadline else { return Poll::Pending };
            let over = timeout.is_zero() || poll_timer(&mut timer, link, cx, deadline).is_ready();
            if over { Poll::Ready(Ok(None)) } else { Poll::Pending }
        })
        .await
    }

    /// The messages from now on, waiting for each. Ends when nothing is subscribed any longer.
    ///
    /// An error is an item like the others: a lost connection is opened again, and the messages go on. The one
    /// that ends them is a refusal of the credentials.
    pub fn listen(&mut self) -> SubscriptionStream<'_> {
        SubscriptionStream { subscription: self }
    }

    fn link(&self) -> &Arc<Link> {
        &self.link
    }

    fn lock(&self) -> MutexGuard<'_, Subscriptions> {
        self.link().subscriptions()
    }

    async fn add(&mut self, family: Family, names: Vec<Bytes>) -> Result<()> {
        let (id, failures) = (self.id, self.lock().failures(self.id));
        self.lock().subscribe(id, family, names)?;
        self.link().rouse()?;
        let timeout = self.link().config().command_timeout;
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut timer = None;
        poll_fn(|cx| {
            let link = &self.link;
            let mut subscriptions = link.subscriptions();
            if let Some(settled) = subscriptions.poll_settled(id, failures) {
                return Poll::Ready(settled);
            }
            subscriptions.wait(id, cx.waker());
            drop(subscriptions);
            let Some(deadline) = deadline else { return Poll::Pending };
            ready!(poll_timer(&mut timer, link, cx, deadline));
            Poll::Ready(Err(Error::new(
                ErrorKind::Timeout,
                "the deadline passed before the subscription was confirmed: see `command_timeout`",
            )))
        })
        .await
    }

    fn remove(&mut self, family: Family, names: Option<Vec<Bytes>>) {
        self.lock().unsubscribe(self.id, family, names);
        // If nothing drives it any longer, nothing is subscribed either.
        self.link().rouse_if_driven();
    }
}

/// The next message; without one the reader waits.
fn next(
    subscriptions: &mut Subscriptions,
    id: SubscriptionId,
    cx: &Context<'_>,
) -> Option<Result<Message>> {
    let message = subscriptions.poll_message(id);
    if message.is_none() {
        subscriptions.wait(id, cx.waker());
    }
    message
}

fn poll_timer(
    timer: &mut Option<Box<dyn Timer>>,
    link: &Link,
    cx: &mut Context<'_>,
    deadline: Instant,
) -> Poll<()> {
    timer.get_or_insert_with(|| link.runtime().timer()).poll_at(cx, deadline)
}

/// The messages of a [`Subscription`], made by [`Subscription::listen`].
#[must_use = "streams do nothing unless polled"]
pub struct SubscriptionStream<'a> {
    subscription: &'a mut Subscription,
}

impl SubscriptionStream<'_> {
    /// The next message; `None` when nothing is subscribed any longer.
    ///
    /// # Errors
    ///
    /// As [`Subscription::get_message`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no message.
    pub async fn next(&mut self) -> Option<Result<Message>> {
        poll_fn(|cx| self.poll_item(cx)).await
    }

    fn poll_item(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Message>>> {
        let id = self.subscription.id;
        let mut subscriptions = self.subscription.lock();
        if subscriptions.is_over(id) {
            return Poll::Ready(None);
        }
        match next(&mut subscriptions, id, cx) {
            Some(message) => Poll::Ready(Some(message)),
            None => Poll::Pending,
        }
    }
}

impl Stream for SubscriptionStream<'_> {
    type Item = Result<Message>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_item(cx)
    }
}

impl fmt::Debug for SubscriptionStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionStream").finish_non_exhaustive()
    }
}
