//! The connection pool: threads wait here for a connection.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis_core::pool::{Acquired, Pool as Places};
use redis_core::{Config, Error, ErrorKind, Result};

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
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

impl Pool {
    pub(crate) fn new(config: Arc<Config>) -> Self {
        let state = State { places: Places::new(config.pool_size), lost: None };
        Self { config, state: Mutex::new(state), returned: Condvar::new() }
    }

    pub(crate) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The bookkeeping is whole after each call, so that a panic elsewhere does not matter.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an idle connection, opens one, or waits for one.
    pub(crate) fn acquire(self: &Arc<Self>) -> Result<Pooled> {
        let mut deadline = None;
        let mut state = self.lock();
        loop {
            match state.places.acquire() {
                Acquired::Idle(Idle { mut connection, since }) => {
                    let doubtful =
                        since.elapsed() >= STALE || state.lost.is_some_and(|lost| since <= lost);
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
                    pooled.connection = Some(Connection::open(&self.config)?);
                    return Ok(pooled);
                }
                Acquired::Full => {
                    let now = Instant::now();
                    let until = *deadline.get_or_insert_with(|| now + self.config.pool_timeout);
                    if until <= now {
                        return Err(Error::new(
                            ErrorKind::Limit,
                            format!(
                                "all {} connections of the pool were in use for {:?}: raise `pool_size` or `pool_timeout`",
                                self.config.pool_size, self.config.pool_timeout
                            ),
                        ));
                    }
                    state = self
                        .returned
                        .wait_timeout(state, until - now)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                }
            }
        }
    }
}

/// A connection on loan. It goes back when dropped, unless it owes something.
#[derive(Debug)]
pub(crate) struct Pooled {
    /// None while it is being opened, and once it was closed.
    connection: Option<Connection>,
    /// It has state that the next user must not find: it is closed when dropped.
    dedicated: bool,
    pool: Arc<Pool>,
}

impl Pooled {
    fn new(pool: &Arc<Pool>, connection: Option<Connection>) -> Self {
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
        let clean =
            self.connection.take().filter(|connection| !self.dedicated && connection.is_clean());
        let mut state = self.pool.lock();
        match clean {
            Some(connection) => state.places.release(Idle { connection, since: Instant::now() }),
            None => {
                state.places.forget();
                state.lost = Some(Instant::now());
            }
        }
        drop(state);
        self.pool.returned.notify_one();
    }
}
