//! Optimistic locking on a connection of its own.

use std::sync::Arc;
use std::time::Instant;

use redis_cluster::{NodeId, SameSlot};
use redis_core::pipeline::{FromReplies, Pipeline as Queued};
use redis_core::{
    Cmd, Command, Error, ErrorKind, Execute, FromReply, Queue, Result, ToArgs, watch,
};

use crate::cluster::Nodes;
use crate::pool::Pooled;

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
    /// On a connection that watches.
    pub(crate) fn on(connection: Pooled) -> Self {
        Self { connection: connection.dedicated(), member: None }
    }

    /// On a connection to a node of a cluster that watches by this command.
    pub(crate) fn of(
        connection: Pooled,
        nodes: Arc<Nodes>,
        node: NodeId,
        cmd: &Cmd<()>,
    ) -> Result<Self> {
        let slot = SameSlot::new("watch");
        let mut watched = Self::on(connection);
        watched.member = Some(Member { nodes, node, slot });
        watched.check_slot(cmd)?;
        Ok(watched)
    }

    /// On a cluster keys of other slots are other nodes', which know nothing of the watch.
    fn check_slot<R>(&mut self, cmd: &Cmd<R>) -> Result<()> {
        let Some(member) = &mut self.member else { return Ok(()) };
        let words: Vec<&[u8]> = cmd.words().collect();
        member.slot.add_command(cmd.info(), &words)
    }

    /// What an error means: on a cluster a redirect is the end of the watch.
    fn explain(&self, error: Error) -> Error {
        match &self.member {
            Some(Member { nodes, node, .. }) => nodes.handle_watch_error(*node, error),
            None => error,
        }
    }

    /// Watches more keys.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` without a key, and on a cluster for one in another slot; `Watch` when the link was lost.
    pub fn watch<M>(&mut self, keys: impl ToArgs<M>) -> Result<()> {
        self.run(&watch::watch(keys)?)
    }

    /// Runs a command at once.
    fn run<R: FromReply>(&mut self, cmd: &Cmd<R>) -> Result<R> {
        self.check_slot(cmd)?;
        let result = self.connection.execute(cmd);
        result.map_err(|error| watch::lost_before_multi(self.explain(error), cmd.is_repeatable()))
    }

    /// Starts queueing: what follows is applied by [`Transaction::execute`], or not at all.
    ///
    /// There is no way back: neither a second `multi` nor a `watch` behind it compiles.
    ///
    /// ```compile_fail,E0599
    /// # fn nested(watched: redis_sync::Watched) {
    /// watched.multi().multi();
    /// # }
    /// ```
    /// ```compile_fail,E0382
    /// # fn late(mut watched: redis_sync::Watched) {
    /// let transaction = watched.multi();
    /// watched.watch(["other"]);
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
    pub fn unwatch(&mut self) -> Result<()> {
        self.run(&watch::unwatch())
    }

    /// Stops watching and gives the connection back.
    ///
    /// # Errors
    ///
    /// `Watch` when the link was lost; the connection is closed then.
    pub fn reset(mut self) -> Result<()> {
        self.unwatch()?;
        self.connection.shared();
        Ok(())
    }
}

impl Execute for &mut Watched {
    type Output<R: FromReply> = Result<R>;

    fn execute<C: Command>(self, command: C) -> Result<C::Reply> {
        let cmd = command.into_cmd();
        watch::check(&cmd)?;
        self.run(&cmd)
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
        let Self { watched, queued, .. } = self;
        Transaction { watched, queued, value }
    }

    /// Leaves the reply of the command that was queued last out of the results. Its error is still the one
    /// that [`execute`](Self::execute) fails with.
    ///
    /// Where nothing is queued, [`execute`](Self::execute) fails with `InvalidRequest`.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use redis_sync::{Client, QueueCommands};
    /// # let client = Client::open("redis://localhost")?;
    /// let watched = client.watch("stock")?;
    /// let (left,): (i64,) = watched.multi().set("sold", "now").ignore().decr("stock").execute()?;
    /// # Ok::<(), redis_sync::Error>(())
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
    pub fn execute<T: FromReplies>(self) -> Result<T> {
        self.execute_returning().map(|(replies, _)| replies)
    }

    pub(crate) fn execute_returning<T: FromReplies>(self) -> Result<(T, V)> {
        let Self { mut watched, queued, value } = self;
        let sent = queued.take_watched()?;
        // A link that was lost before anything is written is a conflict; found later, it is a doubt.
        if !watched.connection.is_alive() {
            let error = Error::new(ErrorKind::Io, "the server closed the connection");
            return Err(watch::lost(watched.explain(error)));
        }
        let connection = &mut watched.connection;
        let deadline = connection.deadline(sent.block());
        let began = Instant::now();
        let result =
            connection.execute_sent(&sent, deadline, |sent, runs| sent.open(runs)?.decode());
        connection.config().tell_if_slow(&sent, began.elapsed());
        if watch::is_over(&result) {
            connection.shared();
        }
        let result = result.map_err(|error| watch::lost(watched.explain(error)));
        result.map(|replies| (replies, value))
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
