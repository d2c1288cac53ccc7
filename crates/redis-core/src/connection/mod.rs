//! The life of one socket: handshake, requests and their replies, pushes, deadlines, the end.
//!
//! Owns which reply belongs to which request, whatever is cut, abandoned, timed out or lost. Knows
//! nothing of sockets, of reconnecting, or of what a command means.

mod handshake;
mod health;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use resp_proto::{FrameKind, Scanner, frame_kind};

pub use self::handshake::ServerInfo;
use self::handshake::{Handshake, Progress};
pub(crate) use self::health::question;
use self::health::{Due, Health};
use crate::batch::{Batch, Ticket};
use crate::command::Cmd;
use crate::config::{Config, TlsRefusal};
use crate::error::{Delivery, Error, ErrorKind};
use crate::send::{SendBuffer, Transmit};
use crate::telemetry::Notice;

/// What a connection is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Requests and their replies, in order.
    #[default]
    Commands,
    /// Whatever the server sends once it is ready is a push: messages, confirmations, errors.
    Subscriber,
    /// As `Subscriber`, for MONITOR, which shows its own signs of life too: the token tells them from others.
    Monitor {
        /// Unlike those of other connections.
        token: u64,
    },
}

/// Why a batch was not taken. It is left as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmitError {
    /// `max_in_flight` or `max_unsent` is reached: submit again when replies have come.
    Full,
    /// The connection is closed, or closing.
    Closed,
}

/// What came of the machine's inputs.
#[derive(Clone, Debug)]
pub enum Event {
    /// The handshake is done; requests are written from now on.
    Ready,
    /// Replies of one request: whole frames, one behind the other.
    Replies {
        /// The request.
        ticket: Ticket,
        /// Where the frames are in the input just handled.
        range: Range<usize>,
        /// How many frames.
        count: u32,
        /// Whether these are the request's last.
        done: bool,
    },
    /// A request will get no (further) reply.
    Failed {
        /// The request.
        ticket: Ticket,
        /// Why, and whether it may have run.
        error: Error,
        /// Until when an answer was wanted.
        deadline: Option<Instant>,
    },
    /// A frame that answers no request: where it is in the input just handled.
    Push(Range<usize>),
    /// The connection is over: close the socket. The last event.
    Closed(Error),
}

impl Event {
    /// Whether it tells that this request failed.
    pub(crate) fn fails(&self, of: Ticket) -> bool {
        matches!(self, Self::Failed { ticket, .. } if *ticket == of)
    }
}

/// One connection, from its first byte to its last.
#[derive(Debug)]
pub struct Connection {
    config: Arc<Config>,
    role: Role,
    state: State,
    scanner: Scanner,
    /// Handshake bytes: they go before anything in `out`.
    greeting: SendBuffer,
    out: SendBuffer,
    pending: VecDeque<Pending>,
    /// No request's deadline is before this time. It may be earlier than all of them.
    earliest: Option<Instant>,
    events: VecDeque<Event>,
    info: ServerInfo,
    health: Health,
    /// Requests in `pending` that nobody waits for.
    overdue: usize,
    /// Others there that have a fence: without a deadline, though the server answers them at once.
    fenced: usize,
    /// While it is closing: when bytes were last known to be written, and how many were left.
    draining: Option<(Instant, usize)>,
}

/// The ticket of what the connection asks for itself.
const OWN: Ticket = Ticket(u64::MAX);

#[derive(Debug)]
enum State {
    Handshake(Handshake),
    Ready,
    /// No further requests; over when the last reply is in.
    Draining,
    Closed,
}

/// A request that was taken and is not answered in full.
#[derive(Debug)]
struct Pending {
    ticket: Ticket,
    deadline: Option<Instant>,
    /// Its encoded bytes.
    len: usize,
    /// Replies still to come.
    replies: u32,
    /// It is one command: the server can run nothing of it before it has all of it.
    single: bool,
    /// Nobody waits for it any more: its replies are read and thrown away.
    abandoned: bool,
    fence: Fence,
}

/// Where a request stands that pushes answer: see [`Batch::push_fenced`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fence {
    /// It is not one.
    None,
    /// What comes is the fence's reply, or the error of the command before it.
    Ahead,
    /// The command was refused: what comes is the fence's reply.
    Refused,
}

impl Pending {
    /// Takes a reply into account. False when it can't be one of this request's.
    fn pass_fence(&mut self, kind: FrameKind, frame: &[u8]) -> bool {
        match (self.fence, kind) {
            (Fence::Ahead, FrameKind::Error) => {
                self.fence = Fence::Refused;
                self.replies += 1;
                true
            }
            (Fence::Refused, FrameKind::Error) => true,
            _ => matches!(frame, [b'%' | b'|', ..]),
        }
    }
}

impl Connection {
    /// A connection whose socket was opened just now. The handshake is ready to be transmitted.
    pub fn new(config: Arc<Config>, role: Role, now: Instant) -> Self {
        let deadline = now + config.connect_timeout;
        Self::within(config, role, now, deadline)
    }

    /// As [`new`](Self::new), with another deadline for the handshake than `connect_timeout` from now.
    pub fn within(config: Arc<Config>, role: Role, now: Instant, deadline: Instant) -> Self {
        let mut greeting = SendBuffer::default();
        let handshake = Handshake::start(&config, deadline, &mut greeting);
        Self {
            scanner: Scanner::new(config.limits),
            health: Health::new(&config, role, now),
            overdue: 0,
            fenced: 0,
            draining: None,
            config,
            role,
            state: State::Handshake(handshake),
            greeting,
            out: SendBuffer::default(),
            pending: VecDeque::new(),
            earliest: None,
            events: VecDeque::new(),
            info: ServerInfo::default(),
        }
    }

    /// Takes all requests of the batch, which is left empty. They are written once the handshake is done.
    ///
    /// # Errors
    ///
    /// [`SubmitError`]; nothing is taken then.
    pub fn submit(&mut self, now: Instant, batch: &mut Batch) -> Result<(), SubmitError> {
        match self.state {
            State::Draining | State::Closed => return Err(SubmitError::Closed),
            State::Handshake(_) | State::Ready => {}
        }
        if !self.has_room() {
            return Err(SubmitError::Full);
        }
        self.out.append(&mut batch.out);
        for entry in batch.entries.drain(..) {
            let deadline = entry.deadline.at(now);
            if let Some(deadline) = deadline {
                self.earliest =
                    Some(self.earliest.map_or(deadline, |earliest| earliest.min(deadline)));
            }
            self.fenced += usize::from(entry.fenced);
            self.pending.push_back(Pending {
                ticket: entry.ticket,
                deadline,
                len: entry.len,
                replies: entry.replies,
                single: entry.replies == 1 && !entry.fenced,
                abandoned: false,
                fence: if entry.fenced { Fence::Ahead } else { Fence::None },
            });
        }
        Ok(())
    }

    /// Queues bytes that are answered by pushes, if at all: what a subscriber sends.
    pub fn send_unanswered(&mut self, bytes: &mut SendBuffer) {
        if matches!(self.state, State::Handshake(_) | State::Ready) {
            self.out.append(bytes);
        }
    }

    /// Gives up a request: bytes that are not written are taken back, otherwise its replies are read and
    /// thrown away in their place. No event follows for it.
    pub fn abandon(&mut self, ticket: Ticket) {
        self.events.retain(|event| !event.fails(ticket));
        let mut end = self.out.len();
        for at in (0..self.pending.len()).rev() {
            let pending = &mut self.pending[at];
            let unsent = pending.len <= end;
            if pending.ticket == ticket && !pending.abandoned {
                self.fenced -= usize::from(pending.fence != Fence::None);
                if unsent {
                    self.out.remove(end - pending.len..end);
                    self.pending.remove(at);
                } else {
                    pending.abandoned = true;
                    self.overdue += 1;
                }
                break;
            }
            end = end.saturating_sub(pending.len);
        }
        self.end_if_drained();
    }

    /// Takes what was read. `input` starts at the first byte that earlier calls did not use up. Replies
    /// and pushes go to `events` as ranges of `input`; everything else comes from
    /// [`poll_event`](Self::poll_event). Returns how many bytes are used up: the rest is the beginning of
    /// a frame, to be handed in again with what follows it.
    pub fn handle_input(&mut self, now: Instant, input: &[u8], events: &mut Vec<Event>) -> usize {
        self.health.handle_input(now);
        let mut used = 0;
        while !self.is_closed() {
            match self.scanner.scan(&input[used..]) {
                Ok(Some(len)) => {
                    let range = used..used + len;
                    used += len;
                    self.handle_frame(&input[range.clone()], range, events);
                }
                Ok(None) => return used,
                Err(error) => self.fail(error.into()),
            }
        }
        input.len()
    }

    #[inline]
    fn handle_frame(&mut self, frame: &[u8], range: Range<usize>, events: &mut Vec<Event>) {
        let kind = frame_kind(frame);
        if let State::Handshake(_) = self.state {
            return self.handle_greeting(kind, frame, range, events);
        }
        if self.role != Role::Commands && self.health.is_answer(frame) {
            return self.health.answered();
        }
        if kind == FrameKind::Push || self.role != Role::Commands {
            return events.push(Event::Push(range));
        }
        let Some(front) = self.pending.front_mut() else {
            return self.fail(
                Error::new(
                    ErrorKind::Protocol,
                    "the server sent a reply that nothing was asked for",
                )
                .with_delivery(Delivery::MaybeExecuted),
            );
        };
        if front.fence != Fence::None {
            return self.handle_fenced(kind, frame, range, events);
        }
        self.answer(range, events);
    }

    #[cold]
    #[inline(never)]
    fn handle_fenced(
        &mut self,
        kind: FrameKind,
        frame: &[u8],
        range: Range<usize>,
        events: &mut Vec<Event>,
    ) {
        let Some(front) = self.pending.front_mut() else { return };
        if !front.pass_fence(kind, frame) {
            return self.fail(
                Error::new(ErrorKind::Protocol, "the server answered a subscription with a reply")
                    .with_delivery(Delivery::MaybeExecuted),
            );
        }
        self.fenced -= usize::from(front.replies == 1 && !front.abandoned);
        self.answer(range, events);
    }

    /// What has come is the next reply of the oldest request.
    #[inline(always)]
    fn answer(&mut self, range: Range<usize>, events: &mut Vec<Event>) {
        let Some(front) = self.pending.front_mut() else { return };
        front.replies -= 1;
        let done = front.replies == 0;
        if !front.abandoned {
            let ticket = front.ticket;
            match events.last_mut() {
                Some(Event::Replies { ticket: last, range: run, count, done: last_done })
                    if *last == ticket && !*last_done && run.end == range.start =>
                {
                    run.end = range.end;
                    *count += 1;
                    *last_done = done;
                }
                _ => events.push(Event::Replies { ticket, range, count: 1, done }),
            }
        }
        if done {
            if front.abandoned {
                self.overdue -= 1;
                if front.ticket == OWN {
                    self.health.answered();
                }
            }
            self.pending.pop_front();
            if self.pending.is_empty() {
                self.earliest = None;
            }
            self.end_if_drained();
        }
    }

    fn handle_greeting(
        &mut self,
        kind: FrameKind,
        frame: &[u8],
        range: Range<usize>,
        events: &mut Vec<Event>,
    ) {
        if kind == FrameKind::Push {
            return events.push(Event::Push(range));
        }
        let State::Handshake(handshake) = &mut self.state else {
            return;
        };
        match handshake.handle_reply(&self.config, frame, &mut self.greeting) {
            Progress::Wait => {}
            Progress::Done(_) if !self.greeting.is_empty() => self.fail(Error::new(
                ErrorKind::Protocol,
                "the server answered a handshake that it did not have",
            )),
            Progress::Done(info) => {
                self.info = *info;
                self.state = State::Ready;
                let (endpoint, server) = (&self.config.endpoint, &self.info);
                self.config.tell(&Notice::Connected { endpoint, server });
                self.events.push_back(Event::Ready);
            }
            Progress::Failed(error) => self.fail(error),
        }
    }

    /// The first `n` bytes of the last transmit are written.
    pub fn handle_transmitted(&mut self, n: usize) {
        match self.state {
            State::Handshake(_) => self.greeting.advance(n),
            State::Closed => {}
            _ => self.out.advance(n),
        }
    }

    /// The socket is gone: `why`, or its peer closed it.
    pub fn handle_disconnect(&mut self, why: Option<io::ErrorKind>) {
        if let State::Handshake(handshake) = &mut self.state
            && let Some(refused) = handshake.take_refused()
        {
            return self.fail(refused);
        }
        self.fail(self.lost(why));
    }

    /// Reading from the socket or writing to it failed.
    pub fn handle_broken(&mut self, error: io::Error) {
        match TlsRefusal::is_in(&error) {
            true => drop(self.handle_open_failed(error)),
            false => self.handle_disconnect(Some(error.kind())),
        }
    }

    fn lost(&self, why: Option<io::ErrorKind>) -> Error {
        let endpoint = &self.config.endpoint;
        match why {
            Some(why) => {
                let text = format!("the connection to {endpoint} was lost: {why}");
                Error::new(ErrorKind::Io, text).with_source(io::Error::from(why))
            }
            None => Error::new(ErrorKind::Io, format!("{endpoint} closed the connection")),
        }
    }

    /// For a while nobody read: the peer's silence begins now.
    pub(crate) fn handle_absence(&mut self, now: Instant) {
        self.health.handle_absence(now);
    }

    /// Looks for deadlines that have passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let State::Handshake(handshake) = &self.state
            && handshake.deadline() <= now
        {
            return self.fail(Error::new(
                ErrorKind::Timeout,
                format!(
                    "the handshake with {} took longer than `connect_timeout` or the command may wait{}",
                    self.config.endpoint,
                    self.config.silence()
                ),
            ));
        }
        if self.earliest.is_some_and(|earliest| earliest <= now) {
            self.expire(now);
            self.end_if_drained();
        }
        let due = match self.state {
            State::Ready => self.health.due(now, self.waits(), self.overdue > 0),
            State::Draining => self.drains_in_vain(now),
            _ => Due::Nothing,
        };
        match due {
            Due::Nothing => {}
            Due::Ask => self.ask(now),
            Due::Lost => self.handle_disconnect(Some(io::ErrorKind::TimedOut)),
        }
    }

    /// Whether a connection that is closing has waited long enough for answers that are for nobody.
    fn drains_in_vain(&mut self, now: Instant) -> Due {
        let unsent = self.out.len();
        if self.draining.is_none_or(|(_, before)| before != unsent) {
            self.draining = Some((now, unsent));
        }
        match self.drained_by() {
            Some(until) if until <= now => Due::Lost,
            _ => Due::Nothing,
        }
    }

    /// Whether answers are owed that may take as long as their requests' deadlines allow.
    fn waits(&self) -> bool {
        self.pending.len() > self.fenced
    }

    /// Until when a connection that is closing waits for answers that are for nobody.
    fn drained_by(&self) -> Option<Instant> {
        let nobody_waits = self.overdue + self.fenced == self.pending.len();
        let heard = self.health.heard();
        let last = self.draining.map_or(heard, |(moved, _)| moved.max(heard));
        nobody_waits.then(|| last + self.config.connect_timeout)
    }

    /// Asks the peer for a sign of life.
    fn ask(&mut self, now: Instant) {
        let before = self.out.len();
        Cmd::<()>::raw("PING").arg(self.health.ask(now)).encode(&mut self.out);
        if self.role == Role::Commands {
            self.overdue += 1;
            self.pending.push_back(Pending {
                ticket: OWN,
                deadline: None,
                len: self.out.len() - before,
                replies: 1,
                single: true,
                abandoned: true,
                fence: Fence::None,
            });
        }
    }

    fn expire(&mut self, now: Instant) {
        self.earliest = None;
        // Positions in `out` are counted from its end, where the latest request's bytes are.
        let mut start = self.pending.iter().map(|pending| pending.len).sum::<usize>();
        let mut kept = VecDeque::with_capacity(self.pending.len());
        for mut pending in self.pending.drain(..) {
            let behind = start - pending.len;
            let due =
                !pending.abandoned && pending.deadline.is_some_and(|deadline| deadline <= now);
            let unsent = start <= self.out.len();
            if due {
                let delivery = if unsent { Delivery::NotSent } else { Delivery::MaybeExecuted };
                let endpoint = &self.config.endpoint;
                let error = Error::new(
                    ErrorKind::Timeout,
                    format!("the deadline passed before {endpoint} replied: see `command_timeout`"),
                );
                let error = error.with_delivery(delivery);
                let Pending { ticket, deadline, .. } = pending;
                self.events.push_back(Event::Failed { ticket, error, deadline });
                pending.abandoned = true;
                self.overdue += usize::from(!unsent);
            } else if let Some(deadline) = pending.deadline.filter(|_| !pending.abandoned) {
                self.earliest =
                    Some(self.earliest.map_or(deadline, |earliest| earliest.min(deadline)));
            }
            if due && unsent {
                let end = self.out.len() - behind;
                self.out.remove(end - pending.len..end);
            } else {
                kept.push_back(pending);
            }
            start = behind;
        }
        self.pending = kept;
    }

    /// Ends the connection once everything under way is answered. Further requests are refused.
    pub fn close(&mut self) {
        match self.state {
            State::Handshake(_) => self.fail(closed()),
            State::Ready => {
                self.state = State::Draining;
                self.end_if_drained();
            }
            State::Draining | State::Closed => {}
        }
    }

    fn end_if_drained(&mut self) {
        if matches!(self.state, State::Draining) && self.pending.is_empty() {
            self.fail(closed());
        }
    }

    /// There is no socket for it: ends the connection, and says why. A server may tell that it refuses TLS only behind
    /// what was said first; once the connection is ready this is the loss of any socket.
    pub fn handle_open_failed(&mut self, error: io::Error) -> Error {
        let error = match self.state {
            State::Handshake(_) => {
                let refused = TlsRefusal::is_in(&error);
                let kind = if refused { ErrorKind::Tls } else { ErrorKind::Connect };
                let text = format!("connecting to {} failed: {error}", self.config.endpoint);
                Error::new(kind, text).with_source(error)
            }
            _ => self.lost(Some(error.kind())),
        };
        self.fail(error.clone());
        error
    }

    /// Ends the connection now: every request is answered with the error and how far it got.
    fn fail(&mut self, error: Error) {
        if self.is_closed() {
            return;
        }
        let endpoint = &self.config.endpoint;
        match self.state {
            State::Handshake(_) => {
                self.config.tell(&Notice::ConnectFailed { endpoint, error: &error });
            }
            _ if error.kind() != ErrorKind::Closed => {
                self.config.tell(&Notice::Lost { endpoint, error: &error });
            }
            _ => {}
        }
        self.state = State::Closed;
        let not_sent = error.clone().with_delivery(Delivery::NotSent);
        let maybe = error.clone().with_delivery(Delivery::MaybeExecuted);
        let mut start = self.pending.iter().map(|pending| pending.len).sum::<usize>();
        for pending in self.pending.drain(..) {
            let behind = start - pending.len;
            let unsent = start <= self.out.len() || (pending.single && behind < self.out.len());
            start = behind;
            if !pending.abandoned {
                let error = if unsent { not_sent.clone() } else { maybe.clone() };
                let Pending { ticket, deadline, .. } = pending;
                self.events.push_back(Event::Failed { ticket, error, deadline });
            }
        }
        self.earliest = None;
        self.out.clear();
        self.greeting.clear();
        self.events.push_back(Event::Closed(error));
    }

    /// What to write now, if anything.
    #[inline]
    pub fn poll_transmit(&mut self) -> Option<Transmit<'_>> {
        match self.state {
            State::Handshake(_) => self.greeting.transmit(),
            State::Closed => None,
            _ => self.out.transmit(),
        }
    }

    /// What is to be written, as shared pieces: for a driver that writes in one thread and reads in
    /// another. Each piece that is written still goes to [`handle_transmitted`](Self::handle_transmitted).
    pub fn share_transmit(&mut self) -> Vec<Bytes> {
        match self.state {
            State::Handshake(_) => self.greeting.share(),
            State::Closed => Vec::new(),
            _ => self.out.share(),
        }
    }

    /// The next event that is not a part of an input.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), at the latest.
    #[inline]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Handshake(handshake) => {
                let deadline = handshake.deadline();
                Some(self.earliest.map_or(deadline, |earliest| earliest.min(deadline)))
            }
            State::Ready => {
                let health = self.health.poll_timeout(self.waits(), self.overdue > 0);
                match (self.earliest, health) {
                    (Some(earliest), Some(health)) => Some(earliest.min(health)),
                    (earliest, health) => earliest.or(health),
                }
            }
            State::Draining => [self.earliest, self.drained_by()].into_iter().flatten().min(),
            State::Closed => None,
        }
    }

    /// Bytes still missing of a large reply: room for them can be made at once.
    pub fn read_hint(&self) -> usize {
        self.scanner.read_hint()
    }

    /// Whether a batch would be taken now.
    pub fn has_room(&self) -> bool {
        self.pending.len() < self.config.max_in_flight && self.out.len() <= self.config.max_unsent
    }

    /// Requests that are not answered in full, abandoned ones included.
    #[inline]
    pub fn in_flight(&self) -> usize {
        self.pending.len()
    }

    /// Bytes that are not written.
    pub fn unsent(&self) -> usize {
        self.out.len()
    }

    /// Whether the handshake is done and the connection is not closing.
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready)
    }

    /// Whether the connection is over.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// What the server said of itself; empty before the handshake is done.
    pub fn server_info(&self) -> &ServerInfo {
        &self.info
    }

    /// When the server last sent anything, or the connection was opened.
    pub fn heard(&self) -> Instant {
        self.health.heard()
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the connection was closed")
}
