//! What the server runs, read by whoever wants to see it.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_core::Stream;
use redis_core::Result;
use redis_core::monitor::{Monitor as Machine, MonitorEntry};

use crate::feed::Feed;
use crate::pool::{Pool, Reserved};

/// The commands that a server runs, whoever sends them, on a connection of its own.
///
/// It costs the server a good part of its speed. What is not read waits with the server, which ends the connection
/// of those that fall too far behind. A connection that has ended is not opened again. Dropping the monitor
/// closes it.
pub struct Monitor {
    feed: Feed<Machine>,
    _place: Reserved,
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").finish_non_exhaustive()
    }
}

impl Monitor {
    pub(crate) async fn open(pool: &Arc<Pool>, seed: u64) -> Result<Self> {
        let place = pool.reserve().await?;
        let machine = Machine::new(pool.config().clone(), Instant::now(), seed);
        let feed = Feed::new(machine, pool.runtime().clone());
        let mut monitor = Self { feed, _place: place };
        poll_fn(|cx| monitor.poll_started(cx)).await?;
        Ok(monitor)
    }

    /// The next command, waiting for it at most this long; with zero what is there now. None at the deadline.
    ///
    /// # Errors
    ///
    /// `Decode` for a line that can't be read, which the next one is not affected by; why the connection ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn next_command(&mut self, timeout: Duration) -> Result<Option<MonitorEntry>> {
        let deadline = Instant::now().checked_add(timeout);
        poll_fn(|cx| self.poll_entry(cx, deadline)).await
    }

    /// The commands from now on, waiting for each. Why the connection ended is the last item.
    pub fn listen(&mut self) -> MonitorStream<'_> {
        MonitorStream { monitor: self }
    }

    fn poll_started(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            if self.feed.machine.is_started() {
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

    fn poll_entry(
        &mut self,
        cx: &mut Context<'_>,
        deadline: Option<Instant>,
    ) -> Poll<Result<Option<MonitorEntry>>> {
        loop {
            if let Some(entry) = self.feed.machine.poll_entry() {
                return Poll::Ready(entry.map(Some));
            }
            // The deadline is looked at after what is there: that counts.
            if self.feed.turn(cx) {
                continue;
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Poll::Ready(Ok(None));
            }
            if self.feed.poll_timer(cx, deadline).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

/// The commands that a server runs, made by [`Monitor::listen`].
#[must_use = "streams do nothing unless polled"]
pub struct MonitorStream<'a> {
    monitor: &'a mut Monitor,
}

impl MonitorStream<'_> {
    /// The next command; `None` behind the error that says why the connection ended.
    ///
    /// # Errors
    ///
    /// As [`Monitor::next_command`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<MonitorEntry>> {
        poll_fn(|cx| self.poll_item(cx)).await
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<MonitorEntry>>> {
        match self.monitor.feed.machine.is_done() {
            true => Poll::Ready(None),
            false => self.monitor.poll_entry(cx, None).map(Result::transpose),
        }
    }
}

impl Stream for MonitorStream<'_> {
    type Item = Result<MonitorEntry>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_item(cx)
    }
}

impl fmt::Debug for MonitorStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitorStream").finish_non_exhaustive()
    }
}
