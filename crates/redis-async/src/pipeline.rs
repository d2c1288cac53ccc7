//! Pipelines over the shared link.

use std::sync::Arc;
use std::time::Instant;

use redis_cluster::Target;
use redis_core::pipeline::{Each, FromReplies, Pipeline as Queued, Replies, Run, Sent};
use redis_core::retry::Unit;
use redis_core::{Block, Command, FromReply, Queue, Result, Value};

use crate::attempts::Attempts;
use crate::client::{Servers, Shared};
use crate::nodes::Nodes;
use crate::request::{On, open, send, send_each};

/// Commands that are sent together. Queue them by chaining or one statement each, then execute.
#[derive(Debug)]
pub struct Pipeline {
    shared: Arc<Shared>,
    queued: Queued,
}

impl Pipeline {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let queued = shared.queue();
        Self { shared, queued }
    }

    /// Whether the commands run between MULTI and EXEC, without others in between: the default.
    pub fn transaction(&mut self, transaction: bool) -> &mut Self {
        self.queued.set_transaction(transaction);
        self
    }

    /// Leaves the reply of the command that was queued last out of the results, whether it succeeds or fails;
    /// it still counts in the positions that errors name. [`execute`](Self::execute) and
    /// [`execute_zip`](Self::execute_zip) fail with its error as with any other's;
    /// [`execute_all`](Self::execute_all) and [`execute_each`](Self::execute_each) do not show it.
    ///
    /// Where nothing is queued, executing the pipeline fails with `InvalidRequest`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use redis_async::{Client, QueueCommands, Result};
    /// # async fn run(client: Client) -> Result<()> {
    /// let (visits,): (i64,) =
    ///     client.pipeline().set("last", "now").ignore().incr("visits").execute().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn ignore(&mut self) -> &mut Self {
        self.queued.ignore();
        self
    }

    /// Sends what is queued and decodes the replies, in order; the pipeline is empty afterwards and can
    /// be used again. An empty one is not sent.
    ///
    /// # Errors
    ///
    /// The first failed command's error, with its position and text: all others have run, or none in a
    /// transaction that was refused while queueing. `Decode` when a reply, or their number, does not fit
    /// `T`. What a connection fails with.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the commands up: what was not written never is; otherwise they may run,
    /// a transaction as a whole, and their replies are thrown away.
    pub async fn execute<T: FromReplies>(&mut self) -> Result<T> {
        execute(&self.shared, &mut self.queued).await
    }

    /// As [`execute`](Self::execute), with every reply, and errors in their places.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when a command can't be sent; what a connection, or the transaction as a whole,
    /// fails with.
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute).
    pub async fn execute_all(&mut self) -> Result<Vec<Result<Value>>> {
        let Some(sent) = self.queued.take()? else { return Ok(Vec::new()) };
        exchange(&self.shared, &sent, |replies| Ok(replies.all())).await
    }

    /// Sends what is queued and hands each reply on as soon as it is read, with its place among the results,
    /// from 0. No more of them is kept than about 320 KiB, so that pipelines of any size take no more memory
    /// than their commands: while `each`, or the task that polls this future, is slow, the connection is
    /// not read. That connection comes from the pool and has no other user meanwhile. The pipeline is empty
    /// afterwards; an empty one is not sent.
    ///
    /// A command that fails is an `Err` in its place, and the others go on. The replies of a transaction come
    /// in one frame, which is kept until it is whole; they are handed on then. `command_timeout` counts from
    /// the first poll to the last reply, what `each` takes included. It is sent again only if surely nothing
    /// of it was sent. Should `each` panic, the connection is closed.
    ///
    /// # Errors
    ///
    /// What the pipeline fails with as a whole: `InvalidRequest` when a command can't be sent; `Limit` when
    /// the pool has no connection within `pool_timeout`; what a connection or its deadline fails with, after
    /// some results perhaps; of a transaction the first refusal while queueing, and then nothing was
    /// applied, nor handed on.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes its connection. Of the commands that were written some may run, a
    /// transaction as a whole.
    ///
    /// # Examples
    ///
    /// ```
    /// # use redis_async::{Client, QueueCommands, Result};
    /// # async fn run(client: Client) -> Result<()> {
    /// let mut pipeline = client.pipeline();
    /// pipeline.transaction(false);
    /// for user in 0..1_000_000 {
    ///     pipeline.get(format!("score:{user}"));
    /// }
    /// let mut sum = 0;
    /// let each = |user, score: Result<Option<i64>>| match score {
    ///     Ok(score) => sum += score.unwrap_or(0),
    ///     Err(error) => eprintln!("user {user}: {error}"),
    /// };
    /// pipeline.execute_each(each).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn execute_each<T: FromReply>(
        &mut self,
        each: impl FnMut(usize, Result<T>),
    ) -> Result<()> {
        let Some(sent) = self.queued.take()? else { return Ok(()) };
        stream(&self.shared, &sent, each).await
    }

    /// As [`execute`](Self::execute), with the results under these keys: as a map, a list of pairs, or
    /// whatever else collects them. There is one key for each result, in the order of the commands.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute); `InvalidRequest`, before anything is sent, when there are more or fewer
    /// keys than results.
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::collections::HashMap;
    /// # use redis_async::{Client, QueueCommands, Result};
    /// # async fn run(client: Client) -> Result<()> {
    /// let lists = ["inbox", "outbox"];
    /// let mut pipeline = client.pipeline();
    /// for list in lists {
    ///     pipeline.llen(list);
    /// }
    /// let lengths: HashMap<&str, u64> = pipeline.execute_zip(lists).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn execute_zip<K, V: FromReply, M: FromIterator<(K, V)>>(
        &mut self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<M> {
        let keys: Vec<K> = keys.into_iter().collect();
        let Some(sent) = self.queued.take_zipped(keys.len())? else {
            return Ok(M::from_iter([]));
        };
        exchange(&self.shared, &sent, |replies| replies.zip(keys)).await
    }

    /// Empties the queue.
    pub fn clear(&mut self) {
        self.queued.clear();
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

pub(crate) async fn execute<T: FromReplies>(shared: &Shared, queued: &mut Queued) -> Result<T> {
    let Some(sent) = queued.take()? else { return T::from_nothing() };
    exchange(shared, &sent, |replies| replies.decode()).await
}

/// Sends the commands, again if need be, and decodes their replies.
async fn exchange<T>(
    shared: &Shared,
    sent: &Sent,
    decode: impl FnOnce(&mut Replies<'_>) -> Result<T>,
) -> Result<T> {
    let one = match &shared.servers {
        Servers::One(one) => one,
        Servers::Cluster(nodes) => return over_nodes(nodes, sent, decode).await,
    };
    let mut attempts = Attempts::new(shared, one, sent.into());
    let result = async {
        loop {
            // The link that all share, unless a command in it can hold it.
            let on = match sent.block() {
                Block::Never => On::Shared(&one.link),
                _ => On::Pooled(attempts.acquire().await?),
            };
            match send(&on, sent, attempts.deadline).await {
                Ok(runs) => return open(&on, sent, &runs, decode),
                Err(failed) => {
                    drop(on);
                    attempts.again(failed).await?;
                }
            }
        }
    };
    let result = result.await;
    attempts.over();
    result
}

/// Sends the commands to the nodes of a cluster, and decodes their replies.
async fn over_nodes<T>(
    nodes: &Arc<Nodes>,
    sent: &Sent,
    decode: impl FnOnce(&mut Replies<'_>) -> Result<T>,
) -> Result<T> {
    let (config, began) = (nodes.config(), Instant::now());
    let deadline = config.timeout(sent.block()).map(|timeout| began + timeout);
    let exchange = nodes.run(sent, Target::Auto, deadline).await?;
    config.tell_if_slow(sent, began.elapsed());
    exchange.replies(sent).and_then(|mut replies| decode(&mut replies))
}

/// Sends the commands, again if surely nothing of them was sent, and hands their replies on as they come.
async fn stream<T: FromReply>(
    shared: &Shared,
    sent: &Sent,
    mut each: impl FnMut(usize, Result<T>),
) -> Result<()> {
    let one = match &shared.servers {
        Servers::One(one) => one,
        Servers::Cluster(nodes) => {
            let hand_on = |replies: &mut Replies<'_>| {
                replies.each(&mut each);
                Ok(())
            };
            return over_nodes(nodes, sent, hand_on).await;
        }
    };
    let mut attempts = Attempts::new(shared, one, Unit::streamed(sent));
    let result = async {
        loop {
            // One that is slow to take them stops its connection's reading: no others may be on it.
            let on = On::Pooled(attempts.acquire().await?);
            let mut replies = Each::new(sent);
            let handle = |run: Run<'_>| replies.handle_replies(run, &mut each);
            match send_each(&on, sent, attempts.deadline, handle).await {
                Ok(()) => return Ok(()),
                Err(failed) => {
                    drop(on);
                    attempts.again(failed).await?;
                }
            }
        }
    };
    let result = result.await;
    attempts.over();
    result
}

impl Queue for &mut Pipeline {
    fn queue<C: Command>(self, command: C) -> Self {
        self.queued.push(command);
        self
    }
}
