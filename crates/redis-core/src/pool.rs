//! Which connections of a pool are idle, who waits for one, and whether one more may be opened.
//!
//! Owns the counts, the ages, the queue, and how far an idle connection is to be trusted. Opening, looking,
//! closing and waking are the adapter's.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::telemetry::Stats;

/// A connection that was idle for longer is looked at before it is used, which costs system calls.
const STALE: Duration = Duration::from_secs(1);

/// Bookkeeping of connections of type `C`.
#[derive(Debug)]
pub struct Pool<C> {
    /// The one used last is at the end.
    idle: Vec<Kept<C>>,
    /// When a connection was lost last: those that were idle then may be lost too.
    lost: Option<Instant>,
    /// Connections that exist or are being opened, idle ones included.
    open: usize,
    min: usize,
    max: usize,
    max_idle: Option<Duration>,
    max_age: Option<Duration>,
    health_interval: Option<Duration>,
    /// In the order they came.
    waiting: VecDeque<(Turn, Waker)>,
    next_turn: u64,
}

/// A connection that nobody uses.
#[derive(Debug)]
struct Kept<C> {
    connection: C,
    born: Instant,
    /// When it was given back.
    since: Instant,
}

/// A connection that was idle until now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idle<C> {
    /// The connection.
    pub connection: C,
    /// When it was opened.
    pub born: Instant,
    /// What to do before it is used.
    pub trust: Trust,
}

/// How far a connection is to be trusted that nobody has watched while it was idle. An adapter that watches
/// its idle connections need not ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Use it.
    Fresh,
    /// Read what has come meanwhile: its end, perhaps.
    Look,
    /// Look, and then ask the peer for a sign of life: it was silent for `health_interval`.
    Ask,
}

/// A place in the queue of those who wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn(u64);

/// What [`Pool::acquire`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Acquired<C> {
    /// An idle connection: the one used last.
    Idle(Idle<C>),
    /// None is idle, but there is a place for one more, which is taken now. Open one, and give the place
    /// back with [`Pool::forget`] if that fails.
    Place,
    /// All are in use, or others came before: wait to be woken.
    Wait(Turn),
}

impl<C> Pool<C> {
    /// An empty pool with the sizes and ages of a configuration.
    pub fn new(config: &Config) -> Self {
        let Config { pool_min: min, pool_size: max, max_idle, max_age, .. } = *config;
        let health_interval = config.health_interval;
        Self {
            idle: Vec::new(),
            lost: None,
            open: 0,
            min,
            max,
            max_idle,
            max_age,
            health_interval,
            waiting: VecDeque::new(),
            next_turn: 0,
        }
    }

    /// Takes a connection or the place for one, in the order of the callers: `turn` is that of an earlier
    /// call that had to wait, whose place in the queue is kept.
    pub fn acquire(&mut self, now: Instant, turn: Option<Turn>, waker: &Waker) -> Acquired<C> {
        let first = self.waiting.front().map(|(turn, _)| *turn);
        if first.is_none() || first == turn {
            let found = match self.idle.pop() {
                Some(Kept { connection, born, since }) => {
                    Some(Acquired::Idle(Idle { connection, born, trust: self.trust(now, since) }))
                }
                None if self.open < self.max => {
                    self.open += 1;
                    Some(Acquired::Place)
                }
                None => None,
            };
            if let Some(found) = found {
                if first.is_some() {
                    self.waiting.pop_front();
                }
                return found;
            }
        }
        if let Some((turn, own)) = self.waiting.iter_mut().find(|(of, _)| Some(*of) == turn) {
            own.clone_from(waker);
            return Acquired::Wait(*turn);
        }
        self.next_turn += 1;
        let turn = Turn(self.next_turn);
        self.waiting.push_back((turn, waker.clone()));
        Acquired::Wait(turn)
    }

    fn trust(&self, now: Instant, since: Instant) -> Trust {
        let idle = now.saturating_duration_since(since);
        if self.health_interval.is_some_and(|interval| idle >= interval) {
            Trust::Ask
        } else if idle >= STALE || self.lost.is_some_and(|lost| since <= lost) {
            Trust::Look
        } else {
            Trust::Fresh
        }
    }

    /// Takes the connection used last, if nobody waits for it and the peer need not be asked for a sign of life
    /// first.
    pub fn take_idle(&mut self, now: Instant) -> Option<Idle<C>> {
        let trust = self.trust(now, self.idle.last()?.since);
        if !self.waiting.is_empty() || trust == Trust::Ask {
            return None;
        }
        let Kept { connection, born, .. } = self.idle.pop()?;
        Some(Idle { connection, born, trust })
    }

    /// Takes the place for one more connection, if there is one and nobody waits for it; as
    /// [`Acquired::Place`].
    pub fn take_place(&mut self) -> bool {
        let room = self.open < self.max && self.waiting.is_empty();
        self.open += usize::from(room);
        room
    }

    /// Stops waiting.
    pub fn give_up(&mut self, turn: Turn) {
        self.waiting.retain(|(of, _)| *of != turn);
    }

    /// Gives back a connection that owes nothing. One that has become too old is returned, to be closed.
    #[must_use = "a connection that is returned is to be closed"]
    pub fn release(&mut self, connection: C, born: Instant, now: Instant) -> Option<C> {
        let old = self.max_age.is_some_and(|age| now.saturating_duration_since(born) >= age);
        if old || self.open > self.max {
            self.open -= 1;
            return Some(connection);
        }
        self.idle.push(Kept { connection, born, since: now });
        None
    }

    /// Gives back the place of a connection that was closed, or could not be used.
    pub fn forget(&mut self) {
        self.open -= 1;
    }

    /// Gives back the place of a connection that failed or could not be opened: others may be lost, too.
    pub fn forget_lost(&mut self, now: Instant) {
        self.lost = Some(now);
        self.forget();
    }

    /// Who can have a connection or a place now: wake whoever it is after each call that may have made
    /// room, which are [`acquire`](Self::acquire), [`give_up`](Self::give_up), [`release`](Self::release)
    /// and [`forget`](Self::forget).
    pub fn poll_wake(&self) -> Option<Waker> {
        let room = !self.idle.is_empty() || self.open < self.max;
        self.waiting.front().filter(|_| room).map(|(_, waker)| waker.clone())
    }

    /// Takes out what was idle for too long or has become too old, to close it; of the former only what is
    /// more than the pool keeps.
    pub fn expire(&mut self, now: Instant) -> Vec<C> {
        let Self { max_idle, max_age, .. } = *self;
        let beyond = |limit: Option<Duration>, since: Instant| {
            limit.is_some_and(|limit| now.saturating_duration_since(since) >= limit)
        };
        // The one that was idle longest is the first.
        let longest = self.idle.first().is_some_and(|idle| beyond(max_idle, idle.since));
        if !longest && max_age.is_none() {
            return Vec::new();
        }
        let mut spare = self.open.saturating_sub(self.min);
        let stale = |idle: &mut Kept<C>| {
            let out = beyond(max_age, idle.born) || spare > 0 && beyond(max_idle, idle.since);
            spare = spare.saturating_sub(usize::from(out));
            out
        };
        let out: Vec<_> = self.idle.extract_if(.., stale).map(|idle| idle.connection).collect();
        self.open -= out.len();
        out
    }

    /// Takes all idle connections out, to close them.
    pub fn drain(&mut self) -> Vec<C> {
        self.open -= self.idle.len();
        std::mem::take(&mut self.idle).into_iter().map(|idle| idle.connection).collect()
    }

    /// Changes how many connections there may be. Of too many, those that are given back are closed; idle
    /// ones beyond the size are returned, to be closed now.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when the size is 0 or less than `pool_min`.
    pub fn resize(&mut self, max: usize) -> Result<Vec<C>> {
        if max < self.min.max(1) {
            let text =
                format!("a pool of {max} is too small: give it {} at least", self.min.max(1));
            return Err(Error::new(ErrorKind::InvalidRequest, text));
        }
        self.max = max;
        let excess = self.open.saturating_sub(max).min(self.idle.len());
        self.open -= excess;
        Ok(self.idle.drain(..excess).map(|idle| idle.connection).collect())
    }

    /// How many connections there may be.
    pub fn size(&self) -> usize {
        self.max
    }

    /// Connections that exist or are being opened.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Adds what the pool has now to what was counted.
    pub fn add_to(&self, stats: &mut Stats) {
        stats.pool_open += self.open;
        stats.pool_idle += self.idle.len();
        stats.pool_waiting += self.waiting.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(size: usize) -> (Pool<u8>, Instant) {
        let config = Config {
            pool_size: size,
            max_idle: Some(Duration::from_secs(60)),
            max_age: Some(Duration::from_secs(100)),
            ..Config::default()
        };
        (Pool::new(&config), Instant::now())
    }

    /// Open, idle and waiting.
    fn stats(pool: &Pool<u8>) -> (usize, usize, usize) {
        let mut stats = Stats::default();
        pool.add_to(&mut stats);
        (stats.pool_open, stats.pool_idle, stats.pool_waiting)
    }

    fn take(pool: &mut Pool<u8>) -> Option<u8> {
        match pool.acquire(Instant::now(), None, Waker::noop()) {
            Acquired::Idle(idle) => Some(idle.connection),
            _ => None,
        }
    }

    fn wait(pool: &mut Pool<u8>) -> Turn {
        match pool.acquire(Instant::now(), None, Waker::noop()) {
            Acquired::Wait(turn) => turn,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_last_connection_given_back_is_the_next_one_taken() {
        let (mut pool, now) = pool(2);
        assert_eq!(pool.acquire(Instant::now(), None, Waker::noop()), Acquired::Place);
        assert_eq!(pool.acquire(Instant::now(), None, Waker::noop()), Acquired::Place);
        assert_eq!(pool.release(1, now, now), None);
        assert_eq!(pool.release(2, now, now), None);
        assert_eq!((take(&mut pool), take(&mut pool)), (Some(2), Some(1)));
    }

    #[test]
    fn a_failed_connection_gives_its_place_back() {
        let (mut pool, now) = pool(1);
        assert_eq!(pool.acquire(Instant::now(), None, Waker::noop()), Acquired::Place);
        pool.forget();
        assert_eq!(pool.acquire(Instant::now(), None, Waker::noop()), Acquired::Place);
        assert_eq!(pool.release(1, now, now), None);
        assert_eq!(pool.drain(), [1]);
        assert_eq!(stats(&pool), (0, 0, 0));
    }

    #[test]
    fn those_who_wait_are_served_in_the_order_they_came() {
        let (mut pool, now) = pool(1);
        assert_eq!(pool.acquire(Instant::now(), None, Waker::noop()), Acquired::Place);
        let (first, second) = (wait(&mut pool), wait(&mut pool));
        assert!(pool.poll_wake().is_none(), "there is nothing to have");
        assert_eq!(pool.release(1, now, now), None);
        assert!(pool.poll_wake().is_some());
        let third = wait(&mut pool);
        assert_eq!(
            pool.acquire(Instant::now(), Some(second), Waker::noop()),
            Acquired::Wait(second)
        );
        assert!(matches!(
            pool.acquire(Instant::now(), Some(first), Waker::noop()),
            Acquired::Idle(_)
        ));
        pool.forget();
        pool.give_up(second);
        assert_eq!(pool.acquire(Instant::now(), Some(third), Waker::noop()), Acquired::Place);
        assert_eq!(stats(&pool), (1, 0, 0));
    }

    #[test]
    fn an_idle_connection_can_be_had_without_waiting_or_not_at_all() {
        let (mut pool, now) = pool(1);
        assert_eq!(pool.take_idle(now), None);
        assert_eq!(pool.acquire(now, None, Waker::noop()), Acquired::Place);
        assert_eq!(pool.release(1, now, now), None);
        assert_eq!(pool.take_idle(now + Duration::from_secs(40)), None, "it is to be asked first");
        assert_eq!(pool.take_idle(now).map(|idle| idle.connection), Some(1));
        let turn = wait(&mut pool);
        assert_eq!(pool.release(1, now, now), None);
        assert_eq!(pool.take_idle(now), None, "somebody came before");
        pool.give_up(turn);
        assert!(pool.take_idle(now).is_some());
    }

    #[test]
    fn the_longer_a_connection_was_idle_the_less_it_is_trusted() {
        let (mut pool, now) = pool(1);
        let at = |millis| now + Duration::from_millis(millis);
        assert_eq!(pool.acquire(now, None, Waker::noop()), Acquired::Place);
        for (given_back, taken, lost, trust) in [
            (0, 999, None, Trust::Fresh),
            (999, 1_999, None, Trust::Look),
            (1_999, 31_999, None, Trust::Ask),
            (31_999, 32_000, Some(31_998), Trust::Fresh),
            (32_000, 32_001, Some(32_000), Trust::Look),
        ] {
            pool.lost = lost.map(at);
            assert_eq!(pool.release(1, now, at(given_back)), None);
            let idle = Idle { connection: 1, born: now, trust };
            assert_eq!(pool.acquire(at(taken), None, Waker::noop()), Acquired::Idle(idle));
        }
    }

    #[test]
    fn idle_and_old_connections_go() {
        let (mut pool, now) = pool(3);
        for _ in 0..3 {
            assert_eq!(pool.acquire(Instant::now(), None, Waker::noop()), Acquired::Place);
        }
        let at = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(pool.release(1, now, at(100)), Some(1), "it is too old to be kept");
        assert_eq!(pool.release(2, now, at(20)), None);
        assert_eq!(pool.release(3, at(50), at(70)), None);
        assert_eq!(pool.expire(at(79)), [0; 0]);
        assert_eq!(pool.expire(at(80)), [2], "it was idle for too long");
        assert_eq!(pool.expire(at(130)), [3]);
        assert_eq!(pool.open(), 0);
    }

    #[test]
    fn idle_connections_stay_up_to_the_number_that_is_kept() {
        let config = Config { pool_min: 1, max_idle: Some(Duration::ZERO), ..Config::default() };
        let (mut pool, now) = (Pool::<u8>::new(&config), Instant::now());
        for _ in 0..3 {
            assert_eq!(pool.acquire(Instant::now(), None, Waker::noop()), Acquired::Place);
        }
        for connection in 1..=3 {
            assert_eq!(pool.release(connection, now, now), None);
        }
        assert_eq!(pool.expire(now), [1, 2]);
        assert_eq!(pool.expire(now), [0; 0]);
        assert_eq!(stats(&pool), (1, 1, 0));
    }

    #[test]
    fn a_smaller_pool_closes_what_is_too_many_and_a_larger_one_has_room() {
        let (mut pool, now) = pool(3);
        for _ in 0..3 {
            assert_eq!(pool.acquire(Instant::now(), None, Waker::noop()), Acquired::Place);
        }
        assert_eq!(pool.release(1, now, now), None);
        assert_eq!(pool.resize(0).unwrap_err().kind(), ErrorKind::InvalidRequest);
        assert_eq!(pool.resize(1).unwrap(), [1]);
        assert_eq!(pool.release(2, now, now), Some(2));
        let turn = wait(&mut pool);
        assert_eq!(pool.resize(2).unwrap(), [0; 0]);
        assert!(pool.poll_wake().is_some());
        assert_eq!(pool.acquire(Instant::now(), Some(turn), Waker::noop()), Acquired::Place);
    }
}
