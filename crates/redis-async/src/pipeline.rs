//! Pipelines over the shared link.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Instant;

use redis_core::batch::Deadline;
use redis_core::pipeline::{FromReplies, Pipeline as Queued, Replies, Sent};
use redis_core::retry::Retry;
use redis_core::{Block, Command, Queue, Result, Value};

use crate::client::Shared;
use crate::request::{On, open, send};

/// Commands that are sent together. Queue them by chaining or one statement each, then execute.
#[derive(Debug)]
pub struct Pipeline {
    shared: Arc<Shared>,
    queued: Queued,
}

impl Pipeline {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, queued: Queued::atomic() }
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
    /// What a connection, or the transaction as a whole, fails with.
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute).
    pub async fn execute_all(&mut self) -> Result<Vec<Result<Value>>> {
        let Some(sent) = self.queued.take()? else { return Ok(Vec::new()) };
        exchange(&self.shared, &sent, |replies| Ok(replies.all())).await
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
    exchange(shared, &sent, T::from_replies).await
}

/// Sends the commands, again if need be, and decodes their replies.
async fn exchange<T>(
    shared: &Shared,
    sent: &Sent,
    decode: impl FnOnce(&mut Replies<'_>) -> Result<T>,
) -> Result<T> {
    let began = Instant::now();
    let result = attempt(shared, sent, decode).await;
    shared.config.tell_if_slow(sent, began.elapsed());
    result
}

async fn attempt<T>(
    shared: &Shared,
    sent: &Sent,
    decode: impl FnOnce(&mut Replies<'_>) -> Result<T>,
) -> Result<T> {
    let mut retry: Option<Retry> = None;
    let mut deadline = Deadline::from(shared.config.timeout(sent.block()));
    loop {
        // The link that all share, unless a command in it can hold it.
        let on = match sent.block() {
            Block::Never => On::Shared(&shared.link),
            _ => {
                let acquired = shared.pool.acquire(deadline).await;
                let (pooled, left) = acquired.map_err(|error| match &retry {
                    Some(retry) => retry.last(error),
                    None => error,
                })?;
                deadline = left;
                On::Pooled(pooled)
            }
        };
        let (error, left) = match send(&on, sent, deadline).await {
            Ok(runs) => return open(&on, sent, &runs, decode),
            Err(failed) => failed,
        };
        let now = Instant::now();
        deadline = left.from_now(now);
        let retry = retry.get_or_insert_with(|| Retry::new(sent, shared.link.next_seed()));
        let until = now + retry.after(&shared.config, error, now, deadline.known())?;
        let mut timer = shared.link.runtime().timer();
        poll_fn(|cx| timer.poll_at(cx, until)).await;
    }
}

impl Queue for &mut Pipeline {
    fn queue<C: Command>(self, command: C) -> Self {
        self.queued.push(command);
        self
    }
}
