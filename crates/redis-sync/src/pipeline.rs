//! Pipelines over the pool.

use redis_core::pipeline::{FromReplies, Pipeline as Queued, Run, Sent};
use redis_core::retry::Unit;
use redis_core::{Command, Queue, Result, Value};

use crate::client::Client;

/// Commands that are sent together. Queue them by chaining or one statement each, then execute.
#[derive(Debug)]
pub struct Pipeline {
    client: Client,
    queued: Queued,
}

impl Pipeline {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, queued: Queued::atomic() }
    }

    /// Whether the commands run between MULTI and EXEC, without others in between: the default.
    pub fn transaction(&mut self, transaction: bool) -> &mut Self {
        self.queued.set_transaction(transaction);
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
    /// What a connection, or the transaction as a whole, fails with.
    pub fn execute_all(&mut self) -> Result<Vec<Result<Value>>> {
        match self.queued.take()? {
            Some(sent) => exchange(&self.client, &sent, |sent, runs| Ok(sent.open(runs)?.all())),
            None => Ok(Vec::new()),
        }
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
        Some(sent) => exchange(client, &sent, |sent, runs| T::from_replies(&mut sent.open(runs)?)),
        None => T::from_nothing(),
    }
}

/// Sends the commands, again if need be, and decodes their replies.
fn exchange<T>(
    client: &Client,
    sent: &Sent,
    decode: impl Fn(&Sent, Vec<Run<'_>>) -> Result<T>,
) -> Result<T> {
    client.attempt(Unit::from(sent), |mut connection, _, deadline| {
        connection.execute_sent(sent, deadline, &decode)
    })
}

impl Queue for &mut Pipeline {
    fn queue<C: Command>(self, command: C) -> Self {
        self.queued.push(command);
        self
    }
}
