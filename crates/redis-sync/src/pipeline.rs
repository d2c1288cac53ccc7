//! Pipelines over the pool.

use redis_core::pipeline::{Each, FromReplies, Pipeline as Queued, Replies, Run, Sent};
use redis_core::retry::Unit;
use redis_core::{Command, FromReply, Queue, Result, Value};

use crate::client::{Client, Servers};

/// Commands that are sent together. Queue them by chaining or one statement each, then execute.
#[derive(Debug)]
pub struct Pipeline {
    client: Client,
    queued: Queued,
}

impl Pipeline {
    pub(crate) fn new(client: Client) -> Self {
        let queued = client.queue();
        Self { client, queued }
    }

    /// Whether the commands run between MULTI and EXEC, without others in between: the default, but on a cluster,
    /// where their keys must be in one slot then.
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
    /// ```no_run
    /// # use redis_sync::{Client, QueueCommands};
    /// # let client = Client::open("redis://localhost")?;
    /// let (visits,): (i64,) =
    ///     client.pipeline().set("last", "now").ignore().incr("visits").execute()?;
    /// # Ok::<(), redis_sync::Error>(())
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
    pub fn execute<T: FromReplies>(&mut self) -> Result<T> {
        execute(&self.client, &mut self.queued)
    }

    /// As [`execute`](Self::execute), with every reply, and errors in their places.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when a command can't be sent; what a connection, or the transaction as a whole,
    /// fails with.
    pub fn execute_all(&mut self) -> Result<Vec<Result<Value>>> {
        match self.queued.take()? {
            Some(sent) => exchange(&self.client, &sent, |mut replies| Ok(replies.all())),
            None => Ok(Vec::new()),
        }
    }

    /// Sends what is queued and hands each reply on as soon as it is read, with its place among the results,
    /// from 0. None is kept, so that pipelines of any size take no more memory than their commands. The
    /// pipeline is empty afterwards; an empty one is not sent.
    ///
    /// A command that fails is an `Err` in its place, and the others go on. The replies of a transaction come
    /// in one frame, which is kept until it is whole; they are handed on then. `command_timeout` counts from
    /// the call to the last reply, what `each` takes included. It is sent again only if surely nothing of
    /// it was sent. Nothing is read while `each` runs. It may use the client, on another connection of the pool.
    /// Should it panic, this one is closed. On a cluster, where replies come from several nodes at once, they are handed
    /// on when the last one is there.
    ///
    /// # Errors
    ///
    /// What the pipeline fails with as a whole: `InvalidRequest` when a command can't be sent; what a
    /// connection or its deadline fails with, after some results perhaps; of a transaction the first refusal
    /// while queueing, and then nothing was applied, nor handed on.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use redis_sync::{Client, QueueCommands};
    /// # let client = Client::open("redis://localhost")?;
    /// let mut pipeline = client.pipeline();
    /// pipeline.transaction(false);
    /// for user in 0..1_000_000 {
    ///     pipeline.get(format!("score:{user}"));
    /// }
    /// let mut sum = 0;
    /// pipeline.execute_each(|user, score: redis_sync::Result<Option<i64>>| match score {
    ///     Ok(score) => sum += score.unwrap_or(0),
    ///     Err(error) => eprintln!("user {user}: {error}"),
    /// })?;
    /// # Ok::<(), redis_sync::Error>(())
    /// ```
    pub fn execute_each<T: FromReply>(
        &mut self,
        mut each: impl FnMut(usize, Result<T>),
    ) -> Result<()> {
        let Some(sent) = self.queued.take()? else { return Ok(()) };
        match &self.client.servers {
            Servers::One(pool) => {
                self.client.attempt(pool, Unit::streamed(&sent), |mut connection, _, deadline| {
                    let mut replies = Each::new(&sent);
                    let handle = |run: Run<'_>| replies.handle_replies(run, &mut each);
                    connection.execute_each(&sent, deadline, handle)
                })
            }
            Servers::Cluster(_) => exchange(&self.client, &sent, |mut replies| {
                replies.each(&mut each);
                Ok(())
            }),
        }
    }

    /// As [`execute`](Self::execute), with the results under these keys: as a map, a list of pairs, or
    /// whatever else collects them. There is one key for each result, in the order of the commands.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute); `InvalidRequest`, before anything is sent, when there are more or fewer
    /// keys than results.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use std::collections::HashMap;
    /// # use redis_sync::{Client, QueueCommands};
    /// # let client = Client::open("redis://localhost")?;
    /// let lists = ["inbox", "outbox"];
    /// let mut pipeline = client.pipeline();
    /// for list in lists {
    ///     pipeline.llen(list);
    /// }
    /// let lengths: HashMap<&str, u64> = pipeline.execute_zip(lists)?;
    /// # Ok::<(), redis_sync::Error>(())
    /// ```
    pub fn execute_zip<K, V: FromReply, M: FromIterator<(K, V)>>(
        &mut self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<M> {
        let keys: Vec<K> = keys.into_iter().collect();
        let Some(sent) = self.queued.take_zipped(keys.len())? else {
            return Ok(M::from_iter([]));
        };
        let mut keys = Some(keys);
        exchange(&self.client, &sent, |mut replies| {
            let keys = keys.take().expect("replies that were decoded are not asked for again");
            replies.zip(keys)
        })
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

pub(crate) fn execute<T: FromReplies>(client: &Client, queued: &mut Queued) -> Result<T> {
    match queued.take()? {
        Some(sent) => exchange(client, &sent, |mut replies| replies.decode()),
        None => T::from_nothing(),
    }
}

/// Sends the commands, again if need be, and decodes their replies.
fn exchange<T>(
    client: &Client,
    sent: &Sent,
    mut decode: impl FnMut(Replies<'_>) -> Result<T>,
) -> Result<T> {
    match &client.servers {
        Servers::One(pool) => {
            client.attempt(pool, Unit::from(sent), |mut connection, _, deadline| {
                connection.execute_sent(sent, deadline, |sent, runs| decode(sent.open(runs)?))
            })
        }
        Servers::Cluster(nodes) => decode(nodes.execute_sent(sent)?.replies(sent)?),
    }
}

impl Queue for &mut Pipeline {
    fn queue<C: Command>(self, command: C) -> Self {
        self.queued.push(command);
        self
    }
}
