//! Pipelines over the pool.

use std::sync::Arc;

use redis_core::pipeline::{FromReplies, Pipeline as Queued};
use redis_core::{Command, Queue, Result, Value};

use crate::pool::Pool;

/// Commands that are sent together. Queue them by chaining or one statement each, then execute.
#[derive(Debug)]
pub struct Pipeline {
    pool: Arc<Pool>,
    queued: Queued,
}

impl Pipeline {
    pub(crate) fn new(pool: Arc<Pool>) -> Self {
        Self { pool, queued: Queued::atomic() }
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
        execute(&self.pool, &mut self.queued)
    }

    /// As [`execute`](Self::execute), with every reply, and errors in their places.
    ///
    /// # Errors
    ///
    /// What a connection, or the transaction as a whole, fails with.
    pub fn execute_all(&mut self) -> Result<Vec<Result<Value>>> {
        match self.queued.take()? {
            Some(sent) => self.pool.acquire_for(sent.block())?.execute_each(&sent),
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

pub(crate) fn execute<T: FromReplies>(pool: &Arc<Pool>, queued: &mut Queued) -> Result<T> {
    match queued.take()? {
        Some(sent) => pool.acquire_for(sent.block())?.execute_all(&sent),
        None => T::from_nothing(),
    }
}

impl Queue for &mut Pipeline {
    fn queue<C: Command>(self, command: C) -> Self {
        self.queued.push(command);
        self
    }
}
