//! The adapter: how a request reaches a connection, and what becomes of that connection.

use std::task::Waker;
use std::time::{Duration, Instant};

use rand::RngExt;
use redis_core::batch::{Batch, Deadline, Ticket};
use redis_core::connection::{Role, SubmitError};
use redis_core::pool::{Acquired, Idle, Trust};
use redis_core::session::{Machine as _, Session};
use redis_core::{Delivery, Error, ErrorKind};

use super::super::audit::{Check, Violation, broken};
use super::super::link::{Blocking, Kind, Link, Style};
use super::super::network::Piece;
use super::super::plan::Fault;
use super::super::{Life, Told, World};
use super::{State, Step, What};
use crate::pick;

impl World {
    /// Sends the operation, once it has a connection.
    pub(super) fn attempt(&mut self, at: usize) -> Check {
        let now = self.now;
        let client = self.tasks[at].client;
        let config = self.clients[client].config.clone();
        let fresh = self.deadline_of_step(at);
        let Some(op) = &mut self.tasks[at].op else { return Ok(()) };
        if let What::Watch { step, .. } = &mut op.what {
            *step = Step::Watch;
            if op.retry.is_none() {
                op.deadline = fresh;
            }
        }
        let style = op.style;
        // Time in a pool's queue counts.
        if style != Style::Shared && !matches!(op.deadline, Deadline::At(_)) {
            op.deadline = op.deadline.from_now(now);
        }
        let deadline = op.deadline.at(now);
        let found = match style {
            Style::Shared => Some(self.clients[client].shared),
            Style::Dedicated => self.acquire_dedicated(at)?,
            _ => self.acquire_blocking(at, deadline)?,
        };
        let Some(link) = found else {
            let until = match self.tasks[at].state {
                State::Waits(until) => until,
                _ => config.pool_deadline(now, deadline),
            };
            self.tasks[at].state = State::Waits(until);
            return Ok(());
        };
        let Some(op) = &mut self.tasks[at].op else { return Ok(()) };
        op.link = Some(link);
        op.dedicated = matches!(op.what, What::Watch { .. });
        if style != Style::Shared
            && let Some(link) = self.links.get_mut(&link)
        {
            link.loan = Some(at);
        }
        self.tasks[at].state = State::Opens;
        match style {
            Style::Sync => Ok(()),
            _ => self.exchange(at),
        }
    }

    /// Each step of a watch has a deadline of its own, which may pass in the middle of it.
    fn deadline_of_step(&mut self, at: usize) -> Deadline {
        let task = &mut self.tasks[at];
        let watches = task.op.as_ref().is_some_and(|op| matches!(op.what, What::Watch { .. }));
        let usual = self.clients[task.client].config.command_timeout;
        match usual {
            Some(_) if watches && self.plan.has(Fault::Deadlines) && task.rng.random_bool(0.1) => {
                Deadline::In(Duration::from_millis(*pick(&mut task.rng, &[0, 2, 30, 300])))
            }
            usual => Deadline::from(usual),
        }
    }

    /// A connection more of a pool.
    fn add_pooled(&mut self, client: usize, style: Style, kind: Kind) -> Result<u64, Violation> {
        let id = self.add_link(Link::new(client, style, kind, self.now));
        let of_pool = |link: &&Link| link.client == client && link.style == style;
        let (count, most) =
            (self.links.values().filter(of_pool).count(), self.clients[client].config.pool_size);
        match count <= most {
            true => Ok(id),
            false => Err(broken(16, format!("{count} connections in a pool of {most}"))),
        }
    }

    fn acquire_dedicated(&mut self, at: usize) -> Result<Option<u64>, Violation> {
        let client = self.tasks[at].client;
        for old in self.clients[client].dedicated.expire(self.now) {
            self.drop_link(old);
        }
        loop {
            match self.acquire(at, Style::Dedicated) {
                Acquired::Idle(Idle { connection: id, .. }) if self.is_clean(id) => {
                    return Ok(Some(id));
                }
                Acquired::Idle(Idle { connection: id, .. }) => {
                    self.clients[client].dedicated.forget();
                    self.drop_link(id);
                }
                Acquired::Place => {
                    let config = self.clients[client].config.clone();
                    let seed = self.net.random();
                    let session = Session::once(config, Role::Commands, seed);
                    let kind = Kind::Session(session);
                    return self.add_pooled(client, Style::Dedicated, kind).map(Some);
                }
                Acquired::Wait(_) => return Ok(None),
            }
        }
    }

    /// A connection of the task's pool, in the task's turn.
    fn acquire(&mut self, at: usize, style: Style) -> Acquired<u64> {
        let task = &mut self.tasks[at];
        let of = &mut self.clients[task.client];
        let pool = if style == Style::Sync { &mut of.blocking } else { &mut of.dedicated };
        let acquired = pool.acquire(self.now, task.turn, Waker::noop());
        task.turn = match &acquired {
            Acquired::Wait(turn) => Some(*turn),
            _ => None,
        };
        acquired
    }

    /// The task waits for no connection any longer.
    pub(super) fn give_up_turn(&mut self, at: usize) {
        let task = &mut self.tasks[at];
        if let Some(turn) = task.turn.take() {
            let of = &mut self.clients[task.client];
            of.blocking.give_up(turn);
            of.dedicated.give_up(turn);
        }
    }

    fn acquire_blocking(
        &mut self,
        at: usize,
        deadline: Option<Instant>,
    ) -> Result<Option<u64>, Violation> {
        let client = self.tasks[at].client;
        for old in self.clients[client].blocking.expire(self.now) {
            self.drop_link(old);
        }
        loop {
            match self.acquire(at, Style::Sync) {
                Acquired::Idle(Idle { connection: id, trust, .. }) => {
                    if trust == Trust::Fresh || self.is_alive(id)? {
                        return Ok(Some(id));
                    }
                    self.clients[client].blocking.forget();
                    self.drop_link(id);
                }
                Acquired::Place => {
                    let blocking = Blocking::new(&self.clients[client].config, self.now, deadline);
                    let kind = Kind::Sync(blocking);
                    return self.add_pooled(client, Style::Sync, kind).map(Some);
                }
                Acquired::Wait(_) => return Ok(None),
            }
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

    /// Puts the operation's next request on its connection.
    pub(super) fn exchange(&mut self, at: usize) -> Check {
        let now = self.now;
        self.next += 1;
        let ticket = Ticket(self.next);
        let fresh = self.deadline_of_step(at);
        let Some(op) = &mut self.tasks[at].op else { return Ok(()) };
        let Some(id) = op.link else { return Ok(()) };
        let style = op.style;
        if matches!(&op.what, What::Watch { step, .. } if *step != Step::Watch) {
            op.deadline = fresh;
        }
        self.tickets.insert(ticket.0, Life::Live(at));
        self.tasks[at].state = State::Exchanges(ticket);
        let mut batch = Batch::default();
        self.push_request(&mut batch, at, ticket);
        let late = self.net.random_bool(0.3);
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        let wire = link.wire.and_then(|wire| self.wires.get(&wire));
        if style != Style::Shared
            && link.used > 0
            && wire.is_some_and(|wire| wire.meter.is_used() && !wire.meter.is_even())
        {
            return Err(broken(5, format!("link {id} is used again and still owes something")));
        }
        link.used += 1;
        if let Some(blocking) = link.blocking() {
            if let Err(why) = blocking.submit(now, &mut batch) {
                self.tickets.insert(ticket.0, Life::Answered);
                return self.refused(at, why);
            }
            return Ok(());
        }
        link.inbox.append(&mut batch);
        link.flush_at = Some(if late { now + Duration::from_millis(1) } else { now });
        Ok(())
    }

    fn refused(&mut self, at: usize, why: SubmitError) -> Check {
        let error = match why {
            SubmitError::Closed => Error::new(ErrorKind::Closed, "the connection was closed"),
            SubmitError::Full => Error::new(ErrorKind::Limit, "the connection is full"),
        };
        self.exchange_failed(at, error)
    }

    /// Hands the inbox to the session; what that has no room for waits under its deadlines.
    pub(in crate::world) fn flush(&mut self, id: u64, told: &mut Vec<Told>) -> Check {
        let now = self.now;
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        let waits = link.flush_at.is_some_and(|at| at > now);
        if link.inbox.is_empty() || (waits && link.inbox_due.is_none_or(|due| due > now)) {
            if link.inbox.is_empty() {
                link.flush_at = None;
                link.inbox_due = None;
            }
            return Ok(());
        }
        link.flush_at = None;
        link.inbox_due = None;
        let config = &self.clients[link.client].config;
        let Kind::Session(session) = &mut link.kind else { return Ok(()) };
        let before = (session.in_flight(), session.unsent());
        // While a connection is replaced, what waits for the next one is limited apart.
        let replaced = link.wire.is_some() && !session.is_ready();
        match session.submit(now, &mut link.inbox) {
            Ok(()) => {
                let full = before.0 >= config.max_in_flight || before.1 > config.max_unsent;
                if full && !replaced {
                    return Err(broken(
                        16,
                        format!(
                            "link {id} took more with {} requests, {} bytes",
                            before.0, before.1
                        ),
                    ));
                }
                if !link.inbox.is_empty() {
                    return Err(broken(3, "a batch that was taken is not empty"));
                }
            }
            Err(why) => {
                let (kind, what) = match why {
                    SubmitError::Full => (ErrorKind::Timeout, "the deadline passed in the inbox"),
                    SubmitError::Closed => (ErrorKind::Closed, "the connection was closed"),
                };
                let error = Error::new(kind, what).with_delivery(Delivery::NotSent);
                let mut fail = |ticket| told.push(Told::Failed(ticket, error.clone(), Some(now)));
                match why {
                    SubmitError::Full => link.inbox_due = link.inbox.expire(now, fail),
                    SubmitError::Closed => link.inbox.clear(|ticket, _| fail(ticket)),
                }
            }
        }
        Ok(())
    }

    /// A blocking client waits for its handshake.
    pub(super) fn look_at_opening(&mut self, at: usize) -> Result<bool, Violation> {
        let link = self.tasks[at].op.as_ref().and_then(|op| op.link);
        let link = link.and_then(|link| self.links.get_mut(&link));
        if link.and_then(|link| link.blocking()).is_some_and(|blocking| blocking.conn.is_ready()) {
            self.exchange(at)?;
            return Ok(true);
        }
        Ok(false)
    }

    /// A blocking client waits until its connection owes nothing.
    pub(super) fn look_at_exchange(&mut self, at: usize) -> Result<bool, Violation> {
        let State::Exchanges(ticket) = self.tasks[at].state else { return Ok(false) };
        let link = self.tasks[at].op.as_ref().and_then(|op| op.link);
        let link = link.and_then(|link| self.links.get_mut(&link));
        let Some(blocking) = link.and_then(|link| link.blocking()) else { return Ok(false) };
        if blocking.conn.in_flight() > 0 || self.tickets.get(&ticket.0) != Some(&Life::Live(at)) {
            return Ok(false);
        }
        if self.tasks[at].op.as_ref().is_none_or(|op| op.frames.is_empty()) {
            return Ok(false);
        }
        self.tickets.insert(ticket.0, Life::Answered);
        self.answered(at)?;
        Ok(true)
    }

    /// Gives up a request, wherever it is.
    pub(super) fn abandon(&mut self, id: u64, ticket: Ticket) {
        self.tickets.insert(ticket.0, Life::Abandoned);
        let Some(link) = self.links.get_mut(&id) else { return };
        if !link.inbox.take_back(ticket)
            && let Some(session) = link.session()
        {
            session.abandon(ticket);
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
        let of = &mut self.clients[client];
        let pool = if style == Style::Sync { &mut of.blocking } else { &mut of.dedicated };
        let old = match clean && !dedicated {
            true => match pool.release(id, born, now) {
                Some(old) => Some(old),
                None => return,
            },
            false => None,
        };
        match old {
            Some(_) => {}
            None if clean => pool.forget(),
            None => pool.forget_lost(now),
        }
        if let Some(session) = link.session() {
            session.close(now);
            session.handle_disconnect(now, None);
        }
        self.drop_link(id);
    }

    fn drop_link(&mut self, id: u64) {
        self.close_link(id);
        self.links.remove(&id);
    }
}
