//! What the server runs, read by whoever wants to see it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis_core::Result;
use redis_core::monitor::{Monitor as Machine, MonitorEntry};

use crate::feed::Feed;
use crate::pool::Pool;

/// The commands that a server runs, whoever sends them, on a connection of its own.
///
/// It costs the server a good part of its speed. What is not read waits with the server, which ends the connection
/// of those that fall too far behind. A connection that has ended is not opened again. Dropping the monitor
/// closes it.
///
/// # Examples
///
/// ```no_run
/// # let client = redis_sync::Client::open("redis://localhost")?;
/// for entry in client.monitor()?.listen() {
///     let entry = entry?;
///     println!("{:?} in {}: {:?}", entry.client, entry.database, entry.args);
/// }
/// # Ok::<(), redis_sync::Error>(())
/// ```
pub struct Monitor {
    feed: Feed<Machine>,
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").finish_non_exhaustive()
    }
}

impl Monitor {
    pub(crate) fn open(pool: &Arc<Pool>, seed: u64) -> Result<Self> {
        let place = pool.reserve()?;
        let machine = Machine::new(pool.config().clone(), Instant::now(), seed);
        let feed = Feed::new(machine, pool);
        let mut state = feed.lock();
        state.place = Some(place);
        while !state.machine.is_started() {
            if let Some(error) = state.machine.poll_error() {
                return Err(error);
            }
            state = feed.turn(state, Instant::now(), None)?;
        }
        drop(state);
        Ok(Self { feed })
    }

    /// The next command, waiting for it at most this long; with zero what is there now. None at the deadline.
    ///
    /// # Errors
    ///
    /// `Decode` for a line that can't be read, which the next one is not affected by; why the connection ended.
    pub fn next_command(&mut self, timeout: Duration) -> Result<Option<MonitorEntry>> {
        self.next_before(Instant::now().checked_add(timeout))
    }

    /// The commands from now on, waiting for each. Why the connection ended is the last item.
    pub fn listen(&mut self) -> impl Iterator<Item = Result<MonitorEntry>> {
        std::iter::from_fn(|| {
            let done = self.feed.lock().machine.is_done();
            if done { None } else { self.next_before(None).transpose() }
        })
    }

    fn next_before(&self, deadline: Option<Instant>) -> Result<Option<MonitorEntry>> {
        let mut state = self.feed.lock();
        let mut last = false;
        loop {
            if let Some(entry) = state.machine.poll_entry() {
                return entry.map(Some);
            }
            if last {
                return Ok(None);
            }
            let now = Instant::now();
            // Once more after the deadline: what is there counts.
            last = deadline.is_some_and(|deadline| deadline <= now);
            state = self.feed.turn(state, now, deadline)?;
        }
    }
}
