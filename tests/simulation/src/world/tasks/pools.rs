//! The pools of a client, as its adapters use them: who has which connection, who waits, how many there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use rand::RngExt;
use redis_core::batch::Deadline;
use redis_core::connection::Role;
use redis_core::pool::{Acquired, Idle, Pool, Trust};
use redis_core::session::{Machine as _, Session};
use redis_core::{Block, Config, ErrorKind};

use super::super::audit::{Check, Nature, Outcome, Violation, broken};
use super::super::link::{Blocking, Kind, Link, Style};
use super::super::network::Piece;
use super::super::{Client, World};
use super::{Op, State, What};
use crate::pick;

/// A pool, and what is known of it without asking it.
pub(crate) struct Places {
    pool: Pool<u64>,
    /// How many connections there may be.
    size: usize,
    /// It was not looked at since something was done to it.
    changed: bool,
}

impl Places {
    pub(crate) fn new(config: &Config) -> Self {
        Self { pool: Pool::new(config), size: config.pool_size, changed: false }
    }
}

/// What a task that waits for a connection is woken by.
#[derive(Default)]
pub(super) struct Woken(AtomicBool);

impl Woken {
    /// Whether it was woken since this was last asked.
    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Client {
    fn places(&mut self, style: Style) -> &mut Places {
        if style == Style::Sync { &mut self.blocking } else { &mut self.dedicated }
    }
}

impl World {
    /// Does something to the bookkeeping of a pool, and wakes whoever can have a connection then: the one way
    /// in which adapters touch it.
    fn change<T>(
        &mut self,
        client: usize,
        style: Style,
        change: impl FnOnce(&mut Pool<u64>) -> T,
    ) -> T {
        let places = self.clients[client].places(style);
        places.changed = true;
        let changed = change(&mut places.pool);
        if let Some(waker) = places.pool.poll_wake() {
            waker.wake();
        }
        changed
    }

    /// Everybody rests: whether pools keep to their sizes, and nobody waits for what there is.
    pub(in crate::world) fn look_at_pools(&mut self) -> Check {
        for client in 0..self.clients.len() {
            for style in [Style::Dedicated, Style::Sync] {
                let places = self.clients[client].places(style);
                let size = places.size;
                if !std::mem::take(&mut places.changed) {
                    continue;
                }
                let of_pool = |link: &&Link| link.client == client && link.style == style;
                let (mut count, mut idle) = (0, 0);
                for link in self.links.values().filter(of_pool) {
                    count += 1;
                    idle += usize::from(link.loan.is_none());
                }
                if count > size && idle > 0 {
                    return Err(broken(
                        16,
                        format!("{idle} of {count} connections are kept in a pool of {size}"),
                    ));
                }
                let waits = self.tasks.iter().position(|task| {
                    let of_style = task.op.as_ref().is_some_and(|op| op.style == style);
                    task.client == client && of_style && matches!(task.state, State::Waits(_))
                });
                if let Some(waits) = waits.filter(|_| idle > 0 || count < size) {
                    return Err(broken(
                        6,
                        format!("task {waits} waits, {count} of {size} are open, {idle} idle"),
                    ));
                }
            }
        }
        Ok(())
    }

    /// A connection more of a pool.
    fn add_pooled(&mut self, client: usize, style: Style, kind: Kind) -> Result<u64, Violation> {
        let id = self.add_link(Link::new(client, style, kind, self.now));
        let of_pool = |link: &&Link| link.client == client && link.style == style;
        let count = self.links.values().filter(of_pool).count();
        let most = self.clients[client].places(style).size;
        match count <= most {
            true => Ok(id),
            false => Err(broken(16, format!("{count} connections in a pool of {most}"))),
        }
    }

    fn add_dedicated(&mut self, client: usize) -> Result<u64, Violation> {
        let config = self.clients[client].config.clone();
        let seed = self.net.random();
        let session = Session::once(config, Role::Commands, seed);
        self.add_pooled(client, Style::Dedicated, Kind::Session(Box::new(session)))
    }

    fn add_blocking(&mut self, client: usize, deadline: Option<Instant>) -> Result<u64, Violation> {
        let blocking = Blocking::new(&self.clients[client].config, self.now, deadline);
        self.add_pooled(client, Style::Sync, Kind::Sync(Box::new(blocking)))
    }

    pub(super) fn acquire_dedicated(&mut self, at: usize) -> Result<Option<u64>, Violation> {
        let client = self.tasks[at].client;
        loop {
            match self.acquire(at, Style::Dedicated) {
                Acquired::Idle(Idle { connection: id, .. }) if self.is_clean(id) => {
                    return Ok(Some(id));
                }
                Acquired::Idle(Idle { connection: id, .. }) => {
                    self.change(client, Style::Dedicated, Pool::forget);
                    self.drop_link(id);
                }
                Acquired::Place => return self.add_dedicated(client).map(Some),
                Acquired::Wait(_) => return Ok(None),
            }
        }
    }

    pub(super) fn acquire_blocking(
        &mut self,
        at: usize,
        deadline: Option<Instant>,
    ) -> Result<Option<u64>, Violation> {
        let client = self.tasks[at].client;
        loop {
            match self.acquire(at, Style::Sync) {
                Acquired::Idle(Idle { connection: id, trust, .. }) => {
                    if trust == Trust::Fresh || self.is_alive(id)? {
                        return Ok(Some(id));
                    }
                    self.change(client, Style::Sync, Pool::forget);
                    self.drop_link(id);
                }
                Acquired::Place => return self.add_blocking(client, deadline).map(Some),
                Acquired::Wait(_) => return Ok(None),
            }
        }
    }

    /// A connection of the task's pool, in the task's turn.
    fn acquire(&mut self, at: usize, style: Style) -> Acquired<u64> {
        let now = self.now;
        let task = &self.tasks[at];
        let (client, turn, waker) = (task.client, task.turn, Waker::from(task.woken.clone()));
        let (acquired, expired) = self.change(client, style, |pool| {
            let expired = pool.expire(now);
            (pool.acquire(now, turn, &waker), expired)
        });
        expired.into_iter().for_each(|old| self.drop_link(old));
        self.tasks[at].turn = match &acquired {
            Acquired::Wait(turn) => Some(*turn),
            _ => None,
        };
        acquired
    }

    /// The task waits for no connection any longer.
    pub(super) fn give_up_turn(&mut self, at: usize) {
        let task = &mut self.tasks[at];
        let client = task.client;
        let style = task.op.as_ref().map_or(Style::Shared, |op| op.style);
        if let Some(turn) = task.turn.take() {
            self.change(client, style, |pool| pool.give_up(turn));
        }
    }

    /// Reads what has arrived on an idle connection, as the blocking client does now and then.
    fn is_alive(&mut self, id: u64) -> Result<bool, Violation> {
        let now = self.now;
        loop {
            let Some(link) = self.links.get_mut(&id) else { return Ok(false) };
            let Some(wire) = link.wire.and_then(|wire| self.wires.get_mut(&wire)) else {
                return Ok(false);
            };
            if wire.to_client.due().is_none_or(|due| due > now) {
                return Ok(self.is_clean(id));
            }
            match wire.to_client.pop() {
                Some(Piece::Bytes(bytes)) => {
                    wire.meter.read(&bytes);
                    wire.unread.extend_from_slice(&bytes);
                    let mut events = Vec::new();
                    let used = link.machine().handle_input(now, &wire.unread, &mut events);
                    wire.unread.drain(..used);
                }
                _ => return Ok(false),
            }
        }
    }

    /// Whether another exchange may follow on a connection that is nobody's.
    fn is_clean(&mut self, id: u64) -> bool {
        let unread = |link: &Link, world: &Self| {
            link.wire.and_then(|wire| world.wires.get(&wire)).is_none_or(|w| w.unread.is_empty())
        };
        let Some(link) = self.links.get(&id) else { return false };
        match &link.kind {
            Kind::Session(session) => {
                session.in_flight() == 0 && link.inbox.is_empty() && !session.is_over()
            }
            Kind::Sync(blocking) => {
                let conn = &blocking.conn;
                conn.is_ready()
                    && conn.in_flight() == 0
                    && link.wire.is_some()
                    && unread(link, self)
            }
            Kind::PubSub(_) => false,
        }
    }

    /// Gives the operation's connection back, or closes it.
    pub(super) fn release(&mut self, at: usize) {
        let now = self.now;
        let client = self.tasks[at].client;
        let Some(op) = &mut self.tasks[at].op else { return };
        let (style, dedicated) = (op.style, op.dedicated);
        let Some(id) = op.link.take().filter(|_| style != Style::Shared) else { return };
        let clean = self.is_clean(id);
        let Some(link) = self.links.get_mut(&id) else { return };
        link.loan = None;
        let born = link.born;
        let old = self.change(client, style, |pool| match (clean, dedicated) {
            (true, false) => pool.release(id, born, now),
            (true, true) => {
                pool.forget();
                Some(id)
            }
            (false, _) => {
                pool.forget_lost(now);
                Some(id)
            }
        });
        if let Some(old) = old {
            if let Some(session) = self.links.get_mut(&old).and_then(Link::session) {
                session.close(now);
                session.handle_disconnect(now, None);
            }
            self.drop_link(old);
        }
    }

    fn drop_link(&mut self, id: u64) {
        self.close_link(id);
        self.links.remove(&id);
    }

    /// A user of pools changes the size of one, or has connections opened before they are needed.
    pub(super) fn see_to_pools(&mut self, at: usize) -> Check {
        let task = &mut self.tasks[at];
        let client = task.client;
        let pause = *pick(&mut task.rng, &[0, 1, 10, 100]);
        let style = *pick(&mut task.rng, &[Style::Dedicated, Style::Sync]);
        let (warms, number) = (task.rng.random_bool(0.3), task.rng.random_range(0..5));
        task.state = State::Sleeps(self.now + Duration::from_millis(pause));
        if warms {
            return self.begin_to_warm_up(at, style, number);
        }
        self.resize(client, style, number)
    }

    fn resize(&mut self, client: usize, style: Style, size: usize) -> Check {
        let resized = self.change(client, style, |pool| pool.resize(size));
        self.note(|| format!("client {client}: pool of {style:?} to have {size}, {resized:?}"));
        let least = self.clients[client].config.pool_min.max(1);
        match resized {
            Ok(excess) => {
                self.clients[client].places(style).size = size;
                for id in excess {
                    if let Some(session) = self.links.get_mut(&id).and_then(Link::session) {
                        session.close(self.now);
                    }
                    self.drop_link(id);
                }
                match size < least {
                    true => Err(broken(16, format!("a pool of {size}, and {least} are needed"))),
                    false => Ok(()),
                }
            }
            Err(error) if error.kind() == ErrorKind::InvalidRequest && size < least => Ok(()),
            Err(error) => Err(broken(16, format!("no pool of {size}: {error}"))),
        }
    }

    /// As an async client does it, or as the blocking one.
    fn begin_to_warm_up(&mut self, at: usize, style: Style, wanted: usize) -> Check {
        self.next += 1;
        let id = self.next;
        let cancel_at = self.cancel_at(at).filter(|_| style != Style::Sync);
        let config = self.clients[self.tasks[at].client].config.clone();
        let what = What::WarmUp { wanted, left: wanted, style };
        let until = (style == Style::Sync).then(|| self.now + config.connect_timeout);
        let deadline = Deadline::from(config.timeout(Block::Never));
        let op = Op { until, cancel_at, ..Op::new(id, what, Style::Shared, deadline) };
        self.tasks[at].op = Some(op);
        self.invoke(at, Nature::default());
        match style {
            Style::Sync => self.warm_up(at),
            // The connection that all share comes first.
            _ => self.attempt(at),
        }
    }

    /// The next connection that is opened before it is needed, if there is to be one.
    pub(super) fn warm_up(&mut self, at: usize) -> Check {
        let now = self.now;
        let client = self.tasks[at].client;
        let config = self.clients[client].config.clone();
        let Some(op) = &mut self.tasks[at].op else { return Ok(()) };
        let What::WarmUp { wanted, left, style } = &mut op.what else { return Ok(()) };
        op.style = *style;
        let (style, wanted) = (*style, *wanted);
        let another = *left > 0;
        *left = left.saturating_sub(1);
        op.retry = None;
        let taken =
            another && self.change(client, style, |pool| pool.open() < wanted && pool.take_place());
        if !taken {
            return self.resolve(at, Outcome::Done);
        }
        let until = self.tasks[at].op.as_ref().and_then(|op| op.until);
        let id = match style {
            Style::Sync => self.add_blocking(client, until)?,
            _ => self.add_dedicated(client)?,
        };
        let deadline = Deadline::from(config.timeout(Block::Never)).from_now(now);
        let Some(op) = &mut self.tasks[at].op else { return Ok(()) };
        op.link = Some(id);
        op.deadline = deadline;
        if let Some(link) = self.links.get_mut(&id) {
            link.loan = Some(at);
        }
        self.tasks[at].state = State::Opens;
        match style {
            Style::Sync => Ok(()),
            _ => self.exchange(at),
        }
    }
}
