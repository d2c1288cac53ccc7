//! Links of a single user each: for blocking commands and watches.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Instant;

use redis_core::batch::Deadline;
use redis_core::config::Seeds;
use redis_core::pool::{Acquired, Pool as Places, Turn};
use redis_core::telemetry::{Notice, Stats};
use redis_core::{Config, Result};

use crate::inbox::Closing;
use crate::link::Link;
use crate::runtime::{BoxFuture, Runtime};

/// Waits for a link of its own; the deadline is that of the command that wants it.
pub(crate) type Acquire = BoxFuture<Result<(Pooled, Deadline)>>;

pub(crate) struct Pool {
    config: Arc<Config>,
    runtime: Arc<dyn Runtime>,
    seeds: Arc<Seeds>,
    state: Mutex<State>,
}

type State = Places<Arc<Link>>;

impl Pool {
    pub(crate) fn new(
        config: Arc<Config>,
        runtime: Arc<dyn Runtime>,
        seeds: Arc<Seeds>,
    ) -> Arc<Self> {
        let state = Mutex::new(Places::new(&config));
        Arc::new(Self { config, runtime, seeds, state })
    }

    pub(crate) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    pub(crate) fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.runtime
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A link for a command with this deadline. The time it takes counts from the first poll.
    pub(crate) fn acquire(self: &Arc<Self>, deadline: Deadline) -> Acquire {
        let pool = self.clone();
        Box::pin(async move {
            let start = Instant::now();
            let deadline = deadline.from_now(start);
            let until = pool.config.pool_deadline(start, deadline.known());
            let mut place = Place { pool: &pool, turn: None };
            if let Some(pooled) = place.try_acquire(Waker::noop()) {
                return Ok((pooled, deadline));
            }
            let mut timer = pool.runtime.timer();
            let waited = poll_fn(|cx| {
                if let Some(pooled) = place.try_acquire(cx.waker()) {
                    return Poll::Ready(Ok((pooled, deadline)));
                }
                timer.poll_at(cx, until).map(|()| Err(pool.config.pool_is_full(pool.lock().size())))
            })
            .await;
            pool.config.tell(&Notice::Waited { took: start.elapsed() });
            waited
        })
    }

    /// Takes the place for a connection that is not the pool's to lend; an idle one is closed for it.
    pub(crate) async fn reserve(self: &Arc<Self>) -> Result<Reserved> {
        let (mut pooled, _) = self.acquire(Deadline::Never).await?;
        pooled.set_dedicated(true);
        pooled.link.close(Closing::Now);
        Ok(Reserved(pooled))
    }

    /// A new link, unless the pool has this many or no place that nobody waits for.
    pub(crate) fn one_more(self: &Arc<Self>, connections: usize) -> Option<Pooled> {
        let taken = self.change(|state| state.open() < connections && state.take_place());
        taken.then(|| self.open(Instant::now()))
    }

    /// A new link in a place that was taken for it.
    fn open(self: &Arc<Self>, now: Instant) -> Pooled {
        let (config, runtime) = (self.config.clone(), self.runtime.clone());
        self.lend(Link::once(config, runtime, self.seeds.clone()), now)
    }

    fn lend(self: &Arc<Self>, link: Arc<Link>, born: Instant) -> Pooled {
        Pooled { link, born, dedicated: false, pool: self.clone() }
    }

    /// Changes how many connections there may be.
    pub(crate) fn resize(&self, size: usize) -> Result<()> {
        let excess = self.change(|state| state.resize(size))?;
        excess.iter().for_each(|link| link.close(Closing::Drain));
        Ok(())
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

    /// Closes what is idle.
    pub(crate) fn close(&self) {
        let idle = self.lock().drain();
        idle.iter().for_each(|link| link.close(Closing::Drain));
    }
}

/// A place in the queue of those who wait for a link, which is given up when dropped.
struct Place<'a> {
    pool: &'a Arc<Pool>,
    turn: Option<Turn>,
}

impl Place<'_> {
    /// An idle link or a new one; otherwise `waker` is woken when it is worth another try.
    fn try_acquire(&mut self, waker: &Waker) -> Option<Pooled> {
        let pool = self.pool;
        loop {
            let now = Instant::now();
            let (acquired, expired) = pool.change(|state| {
                let expired = state.expire(now);
                (state.acquire(now, self.turn, waker), expired)
            });
            expired.iter().for_each(|link| link.close(Closing::Drain));
            let pooled = match acquired {
                Acquired::Wait(turn) => {
                    self.turn = Some(turn);
                    return None;
                }
                // Its peer may have closed it meanwhile, or it is waiting for a sign of life.
                Acquired::Idle(idle) if !idle.connection.is_clean() => {
                    self.turn = None;
                    idle.connection.close(Closing::Now);
                    pool.change(Places::forget);
                    continue;
                }
                Acquired::Idle(idle) => pool.lend(idle.connection, idle.born),
                Acquired::Place => pool.open(now),
            };
            self.turn = None;
            return Some(pooled);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(turn) = self.turn {
            self.pool.change(|state| state.give_up(turn));
        }
    }
}

/// A place in the pool, given back when dropped.
#[derive(Debug)]
pub(crate) struct Reserved(#[expect(dead_code, reason = "it is there to be dropped")] Pooled);

/// A link on loan. It goes back when dropped, unless something is under way or its state is not as it was.
pub(crate) struct Pooled {
    link: Arc<Link>,
    born: Instant,
    dedicated: bool,
    pool: Arc<Pool>,
}

impl std::fmt::Debug for Pooled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pooled").field("link", &self.link).finish_non_exhaustive()
    }
}

impl Pooled {
    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Whether the connection has state that the next user must not find.
    pub(crate) fn set_dedicated(&mut self, dedicated: bool) {
        self.dedicated = dedicated;
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let clean = !self.dedicated && self.link.is_clean();
        let closed = self.pool.change(|state| {
            if clean {
                return state.release(self.link.clone(), self.born, Instant::now());
            }
            state.forget();
            Some(self.link.clone())
        });
        if let Some(link) = closed {
            link.close(Closing::Now);
        }
    }
}
