//! The connection pool: threads wait here for a connection.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis_core::pool::{Acquired, Pool as Places};
use redis_core::{Block, Config, Result};

use crate::connection::Connection;

/// A connection that was idle for longer is looked at before it is used: that costs system calls.
const STALE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Pool {
    config: Arc<Config>,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Debug)]
struct State {
    places: Places<Idle>,
    /// When a connection was lost last: those that were idle then may be lost too.
    lost: Option<Instant>,
    /// Threads that wait for a connection: without any there is nobody to notify, which is a system call.
    waiting: usize,
}

#[derive(Debug)]
struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

impl Pool {
    pub(crate) fn new(config: Arc<Config>) -> Self {
        let state = State { places: Places::new(config.pool_size), lost: None, waiting: 0 };
        Self { config, state: Mutex::new(state), returned: Condvar::new() }
    }

    pub(crate) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The bookkeeping is whole after each call, so that a panic elsewhere does not matter.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection for what the server may hold so long.
    pub(crate) fn acquire_for(self: &Arc<Self>, block: Block) -> Result<Pooled> {
        let start = Instant::now();
        self.acquire(start, self.config.timeout(block).map(|timeout| start + timeout))
    }

    /// Takes an idle connection, opens one, or waits for one: all of it before the deadline.
    pub(crate) fn acquire(
        self: &Arc<Self>,
        start: Instant,
        deadline: Option<Instant>,
    ) -> Result<Pooled> {
        let mut state = self.lock();
        loop {
            match state.places.acquire() {
                Acquired::Idle(Idle { mut connection, since }) => {
                    let doubtful = start.saturating_duration_since(since) >= STALE
                        || state.lost.is_some_and(|lost| since <= lost);
                    drop(state);
                    if !doubtful || connection.is_alive() {
                        return Ok(Pooled::new(self, Some(connection)));
                    }
                    drop(connection);
                    state = self.lock();
                    state.places.forget();
                }
                Acquired::Place => {
                    drop(state);
                    let mut pooled = Pooled::new(self, None);
                    pooled.connection = Some(Box::new(Connection::open(&self.config, deadline)?));
                    return Ok(pooled);
                }
                Acquired::Full => {
                    let now = Instant::now();
                    let until = self.config.pool_deadline(start, deadline);
                    if until <= now {
                        return Err(self.config.pool_is_full());
                    }
                    state.waiting += 1;
                    state = self
                        .returned
                        .wait_timeout(state, until - now)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                    state.waiting -= 1;
                }
            }
        }
    }
}

/// A connection on loan. It goes back when dropped, unless it owes something.
#[derive(Debug)]
pub(crate) struct Pooled {
    /// None while it is being opened, and once it was closed.
    connection: Option<Box<Connection>>,
    /// It has state that the next user must not find: it is closed when dropped.
    dedicated: bool,
    pool: Arc<Pool>,
}

impl Pooled {
    fn new(pool: &Arc<Pool>, connection: Option<Box<Connection>>) -> Self {
        Self { connection, dedicated: false, pool: pool.clone() }
    }

    /// From now on the connection has state of its own.
    pub(crate) fn dedicated(mut self) -> Self {
        self.dedicated = true;
        self
    }

    /// The connection is as any other again.
    pub(crate) fn shared(&mut self) {
        self.dedicated = false;
    }
}

impl Deref for Pooled {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("a connection on loan is open")
    }
}

impl DerefMut for Pooled {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("a connection on loan is open")
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let clean = self.connection.take().filter(|connection| connection.is_clean());
        let mut state = self.pool.lock();
        match clean {
            Some(connection) if !self.dedicated => {
                state.places.release(Idle { connection, since: Instant::now() });
            }
            Some(_) => state.places.forget(),
            None => {
                state.places.forget();
                state.lost = Some(Instant::now());
            }
        }
        let waited_for = state.waiting > 0;
        drop(state);
        if waited_for {
            self.pool.returned.notify_one();
        }
    }
}
