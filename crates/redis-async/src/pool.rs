//! Links of a single user each: for blocking commands and watches.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Instant;

use redis_core::batch::Deadline;
use redis_core::config::Seeds;
use redis_core::pool::{Acquired, Pool as Places};
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

struct State {
    places: Places<Arc<Link>>,
    waiting: Vec<Waker>,
}

impl Pool {
    pub(crate) fn new(
        config: Arc<Config>,
        runtime: Arc<dyn Runtime>,
        seeds: Arc<Seeds>,
    ) -> Arc<Self> {
        let state = State { places: Places::new(config.pool_size), waiting: Vec::new() };
        Arc::new(Self { config, runtime, seeds, state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A link for a command with this deadline. The time it takes counts from the first poll.
    pub(crate) fn acquire(self: &Arc<Self>, deadline: Deadline) -> Acquire {
        let pool = self.clone();
        Box::pin(async move {
            let start = Instant::now();
            let deadline = deadline.at(start);
            let until = pool.config.pool_deadline(start, deadline);
            let deadline = deadline.map_or(Deadline::Never, Deadline::At);
            if let Some(pooled) = pool.try_acquire(None) {
                return Ok((pooled, deadline));
            }
            let mut timer = pool.runtime.timer();
            poll_fn(|cx| {
                if let Some(pooled) = pool.try_acquire(Some(cx.waker())) {
                    return Poll::Ready(Ok((pooled, deadline)));
                }
                timer.poll_at(cx, until).map(|()| Err(pool.config.pool_is_full()))
            })
            .await
        })
    }

    /// An idle link or a new one; otherwise `waker` is woken when it is worth another try.
    fn try_acquire(self: &Arc<Self>, waker: Option<&Waker>) -> Option<Pooled> {
        let mut state = self.lock();
        loop {
            let link = match state.places.acquire() {
                // Its peer may have closed it meanwhile.
                Acquired::Idle(link) if !link.is_clean() => {
                    state.places.forget();
                    continue;
                }
                Acquired::Idle(link) => link,
                Acquired::Place => {
                    Link::once(self.config.clone(), self.runtime.clone(), self.seeds.clone())
                }
                Acquired::Full => {
                    state.waiting.extend(waker.cloned());
                    return None;
                }
            };
            return Some(Pooled { link, dedicated: false, pool: self.clone() });
        }
    }

    /// Closes what is idle.
    pub(crate) fn close(&self) {
        let idle = self.lock().places.drain();
        idle.iter().for_each(|link| link.close(Closing::Drain));
    }
}

/// A link on loan. It goes back when dropped, unless something is under way or its state is not as it was.
pub(crate) struct Pooled {
    link: Arc<Link>,
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
        if !clean {
            self.link.close(Closing::Now);
        }
        let mut state = self.pool.lock();
        match clean {
            true => state.places.release(self.link.clone()),
            false => state.places.forget(),
        }
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }
}
