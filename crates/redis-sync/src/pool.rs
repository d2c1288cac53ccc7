//! The connection pool: threads wait here for a connection.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

use redis_core::pool::{Acquired, Idle, Pool as Places, Trust, Turn};
use redis_core::telemetry::{Notice, Stats};
use redis_core::{Config, Result};

use crate::connection::Connection;
use crate::tls_stream::Connector;

#[derive(Debug)]
pub(crate) struct Pool {
    config: Arc<Config>,
    connector: Connector,
    state: Mutex<State>,
}

type State = Places<Box<Connection>>;

/// Wakes a thread that waits for a connection.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Pool {
    pub(crate) fn new(config: Arc<Config>, connector: Connector) -> Self {
        let state = Mutex::new(Places::new(&config));
        Self { config, connector, state }
    }

    pub(crate) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    pub(crate) fn connector(&self) -> &Connector {
        &self.connector
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The bookkeeping is whole after each call, so that a panic elsewhere does not matter.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something to the bookkeeping, and wakes whoever can have a connection then.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let changed = change(&mut state);
        let waker = state.poll_wake();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        changed
    }

    /// Takes an idle connection, opens one, or waits for one: all of it before the deadline.
    pub(crate) fn acquire(
        self: &Arc<Self>,
        start: Instant,
        deadline: Option<Instant>,
    ) -> Result<Pooled> {
        loop {
            let (acquired, expired) = self.change(|state| {
                let expired = state.expire(start);
                (state.acquire(start, None, Waker::noop()), expired)
            });
            // Closing them is not done under the lock.
            drop(expired);
            let acquired = match acquired {
                Acquired::Wait(turn) => self.wait(turn, start, deadline)?,
                acquired => acquired,
            };
            let Acquired::Idle(idle) = acquired else { return self.open(deadline) };
            if let Some(pooled) = self.look_at(idle, deadline) {
                return Ok(pooled);
            }
        }
    }

    /// Takes an idle connection, if there is one that can be used without waiting for anything.
    pub(crate) fn acquire_idle(self: &Arc<Self>, now: Instant) -> Option<Pooled> {
        loop {
            let (idle, expired) = self.change(|state| {
                let expired = state.expire(now);
                (state.take_idle(now), expired)
            });
            drop(expired);
            if let Some(pooled) = self.look_at(idle?, Some(now)) {
                return Some(pooled);
            }
        }
    }

    /// An idle connection, unless it turns out to be lost.
    fn look_at(
        self: &Arc<Self>,
        idle: Idle<Box<Connection>>,
        deadline: Option<Instant>,
    ) -> Option<Pooled> {
        let mut pooled = self.lend(Some((idle.connection, idle.born)));
        let usable = match idle.trust {
            Trust::Fresh => true,
            Trust::Look => pooled.is_alive(),
            Trust::Ask => pooled.is_alive() && pooled.answers(deadline),
        };
        if usable {
            return Some(pooled);
        }
        // Another one: this is no sign that the others are lost.
        pooled.dedicated = true;
        None
    }

    /// As [`acquire`](Self::acquire), unless that means waiting for others: opens a connection beyond the pool's size
    /// then, which its user is to close.
    pub(crate) fn acquire_at_once(
        self: &Arc<Self>,
        now: Instant,
        deadline: Option<Instant>,
    ) -> Result<Borrowed> {
        if let Some(pooled) = self.acquire_idle(now) {
            return Ok(Borrowed::Pooled(pooled));
        }
        if self.change(State::take_place) {
            return self.open(deadline).map(Borrowed::Pooled);
        }
        Connection::open(&self.config, &self.connector, deadline).map(Box::new).map(Borrowed::Extra)
    }

    /// Takes the place for a connection that is not the pool's to lend; an idle one is closed for it.
    pub(crate) fn reserve(self: &Arc<Self>) -> Result<Reserved> {
        let start = Instant::now();
        let acquired = self.change(|state| state.acquire(start, None, Waker::noop()));
        if let Acquired::Wait(turn) = acquired {
            self.wait(turn, start, None)?;
        }
        Ok(Reserved(self.clone()))
    }

    /// Opens a connection in a place that was taken for it.
    fn open(self: &Arc<Self>, deadline: Option<Instant>) -> Result<Pooled> {
        let mut pooled = self.lend(None);
        let connection = Connection::open(&self.config, &self.connector, deadline)?;
        pooled.connection = Some((Box::new(connection), Instant::now()));
        Ok(pooled)
    }

    fn lend(self: &Arc<Self>, connection: Option<(Box<Connection>, Instant)>) -> Pooled {
        Pooled { connection, dedicated: false, pool: self.clone() }
    }

    /// Changes how many connections there may be.
    pub(crate) fn resize(&self, size: usize) -> Result<()> {
        // Closing them is not done under the lock.
        self.change(|state| state.resize(size)).map(drop)
    }

    /// What was counted, and what the pool has.
    pub(crate) fn stats(&self) -> Stats {
        let mut stats = self.config.stats();
        self.add_to(&mut stats);
        stats
    }

    /// Adds what the pool has.
    pub(crate) fn add_to(&self, stats: &mut Stats) {
        self.lock().add_to(stats);
    }

    /// Opens connections until there are this many, or as many as there may be.
    pub(crate) fn warm_up(self: &Arc<Self>, connections: usize) -> Result<()> {
        let until = Instant::now() + self.config.connect_timeout;
        for _ in 0..connections {
            if !self.change(|state| state.open() < connections && state.take_place()) {
                break;
            }
            drop(self.open(Some(until))?);
        }
        Ok(())
    }

    /// Waits for its turn, which another thread's call for a connection has found.
    fn wait(
        &self,
        turn: Turn,
        start: Instant,
        deadline: Option<Instant>,
    ) -> Result<Acquired<Box<Connection>>> {
        let until = self.config.pool_deadline(start, deadline);
        let began = Instant::now();
        let told = || self.config.tell(&Notice::Waited { took: began.elapsed() });
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            let now = Instant::now();
            let acquired = self.change(|state| state.acquire(now, Some(turn), &waker));
            if !matches!(acquired, Acquired::Wait(_)) {
                told();
                return Ok(acquired);
            }
            if until <= now {
                self.change(|state| state.give_up(turn));
                told();
                return Err(self.config.pool_is_full(self.lock().size()));
            }
            thread::park_timeout(until - now);
        }
    }
}

/// A connection of the pool, or one beside it.
#[derive(Debug)]
pub(crate) enum Borrowed {
    Pooled(Pooled),
    Extra(Box<Connection>),
}

impl DerefMut for Borrowed {
    fn deref_mut(&mut self) -> &mut Connection {
        match self {
            Self::Pooled(pooled) => pooled,
            Self::Extra(connection) => connection,
        }
    }
}

impl Deref for Borrowed {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match self {
            Self::Pooled(pooled) => pooled,
            Self::Extra(connection) => connection,
        }
    }
}

/// A place in the pool, given back when dropped.
#[derive(Debug)]
pub(crate) struct Reserved(Arc<Pool>);

impl Drop for Reserved {
    fn drop(&mut self) {
        self.0.change(State::forget);
    }
}

/// A connection on loan. It goes back when dropped, unless it owes something.
#[derive(Debug)]
pub(crate) struct Pooled {
    /// And when it was opened. None while it is being opened, and once it was closed.
    connection: Option<(Box<Connection>, Instant)>,
    /// It has state that the next user must not find: it is closed when dropped.
    dedicated: bool,
    pool: Arc<Pool>,
}

impl Pooled {
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
        let (connection, _) = self.connection.as_ref().expect("a connection on loan is open");
        connection
    }
}

impl DerefMut for Pooled {
    fn deref_mut(&mut self) -> &mut Connection {
        let (connection, _) = self.connection.as_mut().expect("a connection on loan is open");
        connection
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let clean = self.connection.take().filter(|(connection, _)| connection.is_clean());
        let dedicated = self.dedicated;
        let closed = self.pool.change(|state| match clean {
            Some((connection, born)) if !dedicated => {
                state.release(connection, born, Instant::now())
            }
            Some((connection, _)) => {
                state.forget();
                Some(connection)
            }
            None => {
                state.forget_lost(Instant::now());
                None
            }
        });
        drop(closed);
    }
}
