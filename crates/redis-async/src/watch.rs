//! Optimistic locking on a connection of its own.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use redis_cluster::{NodeId, SameSlot};
use redis_core::batch::Deadline;
use redis_core::pipeline::{FromReplies, Pipeline as Queued};
use redis_core::{Cmd, Command, Error, Execute, FromReply, Queue, Result, ToArgs, watch};

use crate::nodes::Nodes;
use crate::pool::Pooled;
use crate::request::{On, ReplyFuture, open, send};

/// A connection that watches keys. Commands run at once; [`multi`](Self::multi) starts the transaction.
/// Dropping it closes the connection; [`reset`](Self::reset) keeps it.
///
/// A command that is lost with its link is a `Watch` error, since the watch is gone. If it writes and may
/// have run, the error's delivery is `MaybeExecuted`.
#[derive(Debug)]
pub struct Watched {
    connection: Pooled,
    /// On a cluster: whose connection it is.
    member: Option<Member>,
}

/// A node of a cluster, and the slot that is watched there.
#[derive(Debug)]
struct Member {
    nodes: Arc<Nodes>,
    node: NodeId,
    slot: SameSlot,
}

impl Watched {
    pub(crate) async fn start(
        mut connection: Pooled,
        watch: Cmd<()>,
        deadline: Deadline,
    ) -> Result<Self> {
        connection.set_dedicated(true);
        ReplyFuture::watched_before(connection.link(), watch, deadline).await?;
        Ok(Self { connection, member: None })
    }

    /// On a connection to a node of a cluster that watches by this command.
    pub(crate) fn of(
        connection: Pooled,
        nodes: Arc<Nodes>,
        node: NodeId,
        cmd: &Cmd<()>,
    ) -> Result<Self> {
        let member = Some(Member { nodes, node, slot: SameSlot::new("watch") });
        let mut watched = Self { connection, member };
        watched.check_slot(cmd)?;
        Ok(watched)
    }

    /// On a cluster keys of other slots are other nodes', which know nothing of the watch.
    fn check_slot<R>(&mut self, cmd: &Cmd<R>) -> Result<()> {
        let Some(member) = &mut self.member else { return Ok(()) };
        let words: Vec<&[u8]> = cmd.words().collect();
        member.slot.add_command(cmd.info(), &words)
    }

    /// Watches more keys.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` without a key, and on a cluster for one in another slot; `Watch` when the link was lost.
    ///
    /// # Cancel safety
    ///
    /// After dropping the future the keys may be watched or not.
    pub async fn watch<M>(&mut self, keys: impl ToArgs<M>) -> Result<()> {
        let cmd = watch::watch(keys)?;
        self.run(cmd).await
    }

    /// Runs a command at once.
    fn run<R: FromReply>(&mut self, cmd: Cmd<R>) -> WatchedReply<'_, R> {
        let reply = match self.check_slot(&cmd) {
            Ok(()) => ReplyFuture::watched(self.connection.link(), cmd),
            Err(error) => ReplyFuture::refused(error, cmd),
        };
        WatchedReply { reply, member: self.member.as_ref() }
    }

    /// Starts queueing: what follows is applied by [`Transaction::execute`], or not at all.
    ///
    /// There is no way back: neither a second `multi` nor a `watch` behind it compiles.
    ///
    /// ```compile_fail,E0599
    /// # fn nested(watched: redis_async::Watched) {
    /// watched.multi().multi();
    /// # }
    /// ```
    /// ```compile_fail,E0382
    /// # fn late(mut watched: redis_async::Watched) {
    /// let transaction = watched.multi();
    /// let watching = watched.watch(["other"]);
    /// # }
    /// ```
    pub fn multi(self) -> Transaction {
        Transaction { watched: self, queued: Queued::atomic(), value: () }
    }

    /// Stops watching; the connection stays this one's, and [`watch`](Self::watch) can be called again.
    ///
    /// # Errors
    ///
    /// `Watch` when the link was lost.
    ///
    /// # Cancel safety
    ///
    /// After dropping the future the keys may still be watched.
    pub async fn unwatch(&mut self) -> Result<()> {
        self.run(watch::unwatch()).await
    }

    /// Stops watching and gives the connection back.
    ///
    /// # Errors
    ///
    /// `Watch` when the link was lost; the connection is closed then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub async fn reset(mut self) -> Result<()> {
        self.unwatch().await?;
        self.connection.set_dedicated(false);
        Ok(())
    }
}

/// The reply of a command on a [`Watched`].
///
/// # Cancel safety
///
/// As [`ReplyFuture`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct WatchedReply<'a, R> {
    reply: ReplyFuture<'a, R>,
    member: Option<&'a Member>,
}

impl<R: FromReply> Future for WatchedReply<'_, R> {
    type Output = Result<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<R>> {
        let (repeatable, member) = (self.reply.is_repeatable(), self.member);
        Pin::new(&mut self.reply)
            .poll(cx)
            .map_err(|error| watch::lost_before_multi(explain(member, error), repeatable))
    }
}

/// What an error means: on a cluster a redirect is the end of the watch.
fn explain(member: Option<&Member>, error: Error) -> Error {
    match member {
        Some(Member { nodes, node, .. }) => nodes.watch_failed(*node, error),
        None => error,
    }
}

impl<'a> Execute for &'a mut Watched {
    type Output<R: FromReply> = WatchedReply<'a, R>;

    fn execute<C: Command>(self, command: C) -> WatchedReply<'a, C::Reply> {
        let cmd = command.into_cmd();
        match watch::check(&cmd) {
            Ok(()) => self.run(cmd),
            Err(error) => WatchedReply { reply: ReplyFuture::refused(error, cmd), member: None },
        }
    }
}

/// Commands that are applied together if no watched key has changed. Each call that queues one returns
/// the transaction.
#[derive(Debug)]
#[must_use = "nothing is applied before `execute`; what is queued is moved by each call"]
pub struct Transaction<V = ()> {
    watched: Watched,
    queued: Queued,
    value: V,
}

impl<V> Transaction<V> {
    /// Gives the value that [`Client::transaction`](crate::Client::transaction) returns beside the replies.
    pub fn returning<U>(self, value: U) -> Transaction<U> {
        Transaction { watched: self.watched, queued: self.queued, value }
    }

    /// Leaves the reply of the command that was queued last out of the results. Its error is still the one
    /// that [`execute`](Self::execute) fails with.
    ///
    /// Where nothing is queued, [`execute`](Self::execute) fails with `InvalidRequest`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use redis_async::{Client, QueueCommands, Result};
    /// # async fn run(client: Client) -> Result<()> {
    /// let watched = client.watch("stock").await?;
    /// let (left,): (i64,) =
    ///     watched.multi().set("sold", "now").ignore().decr("stock").execute().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn ignore(mut self) -> Self {
        self.queued.ignore();
        self
    }

    /// Applies the commands, and decodes their replies. An empty transaction is sent too: it tells
    /// whether a watched key has changed.
    ///
    /// # Errors
    ///
    /// `Watch` when a watched key has changed or the link was lost before: nothing was applied.
    /// Otherwise as [`Pipeline::execute`](crate::Pipeline::execute).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection; what was written by then may be applied, as a whole.
    pub async fn execute<T: FromReplies>(self) -> Result<T> {
        self.execute_returning().await.map(|(replies, _)| replies)
    }

    pub(crate) async fn execute_returning<T: FromReplies>(self) -> Result<(T, V)> {
        let Self { watched: Watched { mut connection, member }, queued, value } = self;
        let sent = queued.take_watched()?;
        let on = On::Watched(connection.link());
        let deadline = Deadline::from(on.as_ref().config().timeout(sent.block()));
        let began = Instant::now();
        let result = match send(&on, &sent, deadline).await {
            Ok(runs) => open(&on, &sent, &runs, |replies| replies.decode()),
            Err((error, _)) => Err(error),
        };
        on.as_ref().config().tell_if_slow(&sent, began.elapsed());
        connection.set_dedicated(!watch::is_over(&result));
        let replies = result.map_err(|error| watch::lost(explain(member.as_ref(), error)))?;
        Ok((replies, value))
    }

    /// How many commands are queued.
    pub fn len(&self) -> usize {
        self.queued.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.queued.is_empty()
    }
}

impl<V> Queue for Transaction<V> {
    fn queue<C: Command>(mut self, command: C) -> Self {
        let cmd = command.into_cmd();
        match self.watched.check_slot(&cmd) {
            Ok(()) => self.queued.push(cmd),
            Err(error) => self.queued.refuse(error),
        }
        self
    }
}
