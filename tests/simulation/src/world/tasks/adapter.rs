//! The adapter: how a request reaches a connection, and what becomes of that connection.

use std::time::Duration;

use rand::RngExt;
use redis_core::batch::{Batch, Deadline, Ticket};
use redis_core::connection::SubmitError;
use redis_core::{Cmd, Delivery, Error, ErrorKind, Value};

use super::super::audit::{Check, Violation, broken};
use super::super::link::{Kind, Style};
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
        let style = op.style;
        match &mut op.what {
            What::Watch { step, .. } => {
                *step = Step::Watch;
                if op.retry.is_none() {
                    op.deadline = fresh;
                }
            }
            // The async client remembers that the server lacked the script, the blocking one asks again.
            What::One { whole, .. } if style == Style::Sync => *whole = None,
            _ => {}
        }
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

    /// Puts the operation's next request on its connection.
    pub(super) fn exchange(&mut self, at: usize) -> Check {
        let fresh = self.deadline_of_step(at);
        let Some(op) = &mut self.tasks[at].op else { return Ok(()) };
        match &op.what {
            // A script that is sent again as a whole has no more time for it.
            What::Watch { step: Step::Write, .. } => op.deadline = fresh.from_now(self.now),
            What::Watch { step, .. } if *step != Step::Watch => op.deadline = fresh,
            _ => {}
        }
        self.submit(at)
    }

    /// As [`exchange`](Self::exchange), before the same deadline as what came before.
    pub(super) fn submit(&mut self, at: usize) -> Check {
        let now = self.now;
        self.next += 1;
        let ticket = Ticket(self.next);
        let Some(op) = &mut self.tasks[at].op else { return Ok(()) };
        let Some(id) = op.link else { return Ok(()) };
        let style = op.style;
        if let What::Each(stream) = &mut op.what {
            stream.begin(op.id)?;
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

    /// Leaves a command on the connection that all share, for nobody to hear what becomes of it.
    pub(super) fn leave(&mut self, at: usize, id: u64, cmd: &Cmd<Value>) -> Result<(), Error> {
        let now = self.now;
        let of = &self.clients[self.tasks[at].client];
        let config = of.config.clone();
        let Some(link) = self.links.get_mut(&of.shared) else { return Ok(()) };
        let Kind::Session(session) = &link.kind else { return Ok(()) };
        let under_way = session.in_flight() + link.inbox.len();
        let unsent = session.unsent() + link.inbox.bytes();
        if session.is_over() {
            return Err(Error::new(ErrorKind::Closed, "the connection was closed"));
        }
        if under_way >= config.max_in_flight || unsent > config.max_unsent {
            return Err(Error::new(ErrorKind::Limit, "the connection has no room"));
        }
        self.next += 1;
        self.tickets.insert(self.next, Life::Nobodys(id));
        link.inbox.push(Ticket(self.next), cmd, config.timeout(cmd.block()).into());
        link.flush_at.get_or_insert(now);
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
        if link.and_then(|link| link.blocking()).is_none_or(|blocking| !blocking.conn.is_ready()) {
            return Ok(false);
        }
        match self.tasks[at].op.as_ref().map(|op| &op.what) {
            // The handshake is all that was wanted.
            Some(What::WarmUp { .. }) => {
                self.release(at);
                self.warm_up(at)?;
            }
            _ => self.exchange(at)?,
        }
        Ok(true)
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
}
