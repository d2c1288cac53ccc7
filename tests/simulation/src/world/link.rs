//! The client's side of a connection: a machine, and what an adapter keeps beside it.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use redis_core::batch::Batch;
use redis_core::connection::{Connection, Event, Role, SubmitError};
use redis_core::pubsub::PubSub;
use redis_core::send::Transmit;
use redis_core::session::{Action, Machine, Session};
use redis_core::{Config, Error, ErrorKind};

/// Whose rules the link is used by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Many tasks at once.
    Shared,
    /// One task, for as long as it has it, as the async client does it.
    Dedicated,
    /// Likewise, as the blocking client does it.
    Sync,
    Subscriber,
}

pub(crate) enum Kind {
    Session(Box<Session>),
    Sync(Box<Blocking>),
    PubSub(Box<PubSub<u8>>),
}

pub(crate) struct Link {
    pub(crate) client: usize,
    pub(crate) style: Style,
    pub(crate) kind: Kind,
    pub(crate) wire: Option<u64>,
    /// A connection is being opened: when that is decided. `None` inside: nobody ever answers.
    pub(crate) opening: Option<Option<Instant>>,
    /// Requests that the machine was not given.
    pub(crate) inbox: Batch,
    pub(crate) inbox_due: Option<Instant>,
    pub(crate) flush_at: Option<Instant>,
    /// Nothing is read before this time.
    pub(crate) reads_at: Instant,
    /// Nobody takes a subscriber's messages before this time.
    pub(crate) away_until: Instant,
    /// The task that has it on loan.
    pub(crate) loan: Option<usize>,
    /// Exchanges begun.
    pub(crate) used: u32,
    pub(crate) born: Instant,
    /// Connections opened.
    pub(crate) opened: u32,
}

impl Link {
    pub(crate) fn new(client: usize, style: Style, kind: Kind, now: Instant) -> Self {
        Self {
            client,
            style,
            kind,
            wire: None,
            opening: None,
            inbox: Batch::default(),
            inbox_due: None,
            flush_at: None,
            reads_at: now,
            away_until: now,
            loan: None,
            used: 0,
            born: now,
            opened: 0,
        }
    }

    pub(crate) fn machine(&mut self) -> &mut dyn Machine {
        match &mut self.kind {
            Kind::Session(session) => &mut **session,
            Kind::Sync(blocking) => &mut **blocking,
            Kind::PubSub(pubsub) => &mut **pubsub,
        }
    }

    pub(crate) fn session(&mut self) -> Option<&mut Session> {
        match &mut self.kind {
            Kind::Session(session) => Some(session),
            _ => None,
        }
    }

    pub(crate) fn blocking(&mut self) -> Option<&mut Blocking> {
        match &mut self.kind {
            Kind::Sync(blocking) => Some(blocking),
            _ => None,
        }
    }

    pub(crate) fn pubsub(&mut self) -> Option<&mut PubSub<u8>> {
        match &mut self.kind {
            Kind::PubSub(pubsub) => Some(pubsub),
            _ => None,
        }
    }

    /// When its machine, its inbox or its messages want to be looked at.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Instant> {
        let timer = self.machine().poll_timeout();
        let back = Some(self.away_until).filter(|&back| back > now);
        [timer, back, self.flush_at, self.inbox_due].into_iter().flatten().min()
    }

    /// Whether what comes for it is read. A subscriber's is not while too much waits for its reader.
    pub(crate) fn takes_input(&self) -> bool {
        !matches!(&self.kind, Kind::PubSub(pubsub) if !pubsub.takes_input())
    }
}

/// The socket of a blocking client: a connection, and whether it is open.
pub(crate) struct Blocking {
    pub(crate) conn: Connection,
    config: Arc<Config>,
    open: bool,
    over: bool,
    actions: VecDeque<Action>,
    events: VecDeque<Event>,
}

impl Blocking {
    pub(crate) fn new(config: &Arc<Config>, now: Instant, deadline: Option<Instant>) -> Self {
        let until = now + config.connect_timeout;
        let until = deadline.map_or(until, |deadline| deadline.min(until));
        Self {
            conn: Connection::within(config.clone(), Role::Commands, now, until),
            config: config.clone(),
            open: false,
            over: false,
            actions: VecDeque::from([Action::Open(config.endpoint.clone())]),
            events: VecDeque::new(),
        }
    }

    pub(crate) fn submit(&mut self, now: Instant, batch: &mut Batch) -> Result<(), SubmitError> {
        self.conn.submit(now, batch)
    }

    fn look(&mut self) {
        if self.conn.is_closed() && !std::mem::replace(&mut self.over, true) {
            self.actions.push_back(Action::Close);
        }
    }
}

impl Machine for Blocking {
    fn handle_opened(&mut self) {
        self.open = true;
    }

    fn handle_open_failed(&mut self, _now: Instant, error: io::Error) {
        self.over = true;
        let endpoint = &self.config.endpoint;
        let error =
            Error::new(ErrorKind::Connect, format!("connecting to {endpoint} failed: {error}"));
        self.events.push_back(Event::Closed(error));
    }

    fn handle_input(&mut self, now: Instant, input: &[u8], events: &mut Vec<Event>) -> usize {
        let used = self.conn.handle_input(now, input, events);
        self.look();
        used
    }

    fn handle_transmitted(&mut self, n: usize) {
        self.conn.handle_transmitted(n);
    }

    fn handle_disconnect(&mut self, _now: Instant, why: Option<io::ErrorKind>) {
        self.conn.handle_disconnect(why);
        self.look();
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.conn.handle_timeout(now);
        self.look();
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.conn.poll_event().or_else(|| self.events.pop_front())
    }

    fn poll_transmit(&mut self) -> Option<Transmit<'_>> {
        if self.open { self.conn.poll_transmit() } else { None }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.conn.poll_timeout()
    }

    fn read_hint(&self) -> usize {
        self.conn.read_hint()
    }
}
