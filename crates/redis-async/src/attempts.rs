//! A request that is sent again, if need be. Whether it is and when is decided by `redis_core::retry`.

use std::time::Instant;

use redis_core::batch::Deadline;
use redis_core::retry::{Retry, Unit};
use redis_core::{Error, Result};

use crate::client::{One, Shared};
use crate::pool::Pooled;

/// The attempts at one request, all before its deadline.
pub(crate) struct Attempts<'a> {
    shared: &'a Shared,
    one: &'a One,
    unit: Unit,
    began: Instant,
    pub(crate) deadline: Deadline,
    /// None before the first failure.
    retry: Option<Retry>,
}

impl<'a> Attempts<'a> {
    pub(crate) fn new(shared: &'a Shared, one: &'a One, unit: Unit) -> Self {
        let deadline = Deadline::from(shared.config.timeout(unit.block()));
        Self { shared, one, unit, began: Instant::now(), deadline, retry: None }
    }

    /// A connection of its own.
    pub(crate) async fn acquire(&mut self) -> Result<Pooled> {
        let acquired = self.one.pool.acquire(self.deadline).await;
        let (pooled, left) = acquired.map_err(|error| match &self.retry {
            Some(retry) => retry.last(error),
            None => error,
        })?;
        self.deadline = left;
        Ok(pooled)
    }

    /// After a failure: waits until it is time for another attempt, or hands the error back.
    pub(crate) async fn again(&mut self, (error, left): (Error, Deadline)) -> Result<()> {
        let Self { shared, one, unit, .. } = *self;
        let now = Instant::now();
        self.deadline = left.from_now(now);
        let retry = self.retry.get_or_insert_with(|| Retry::new(unit, one.link.next_seed()));
        let wait = retry.after(&shared.config, error, now, self.deadline.known())?;
        shared.sleep_until(now + wait).await;
        Ok(())
    }

    /// There are no more of them.
    pub(crate) fn over(&self) {
        self.shared.config.tell_if_slow(self.unit, self.began.elapsed());
    }
}
