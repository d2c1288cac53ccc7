//! The driver of an exchange: moves its bytes over connections to several nodes at once, on the caller's thread.
//!
//! Everything is written before anything is read, so that the nodes work at the same time. Then the connections are
//! read in turn, each for a moment: a node that is silent does not hold up what others have said.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use redis_cluster::{Cluster, Exchange, NodeId, Send, Source};
use redis_core::send::SendBuffer;
use redis_core::{Error, ErrorKind, Result};

use super::Shared;
use crate::connection::Progress;
use crate::pool::{Pool, Pooled};

/// How long one of several connections is read that has nothing to say, the first time around and at the most.
const SLICE: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(20);

/// An exchange on its way.
pub(super) struct Runner<'a, S: ?Sized> {
    shared: &'a Shared,
    source: &'a S,
    pub(super) exchange: Exchange,
    deadline: Option<Instant>,
    /// What is to be sent.
    sends: Vec<(Send, Option<Arc<Pool>>)>,
    flights: Vec<Flight>,
    /// Whose turn it is to be read.
    turn: usize,
    /// Turns since something came.
    quiet: usize,
    /// Connections that threads are opening, and where they come.
    opening: usize,
    opened: Option<(Sender<Opened>, Receiver<Opened>)>,
    /// The changes of the map that the exchange knows of.
    seen: u64,
    /// The connection that was answered last is kept, and whose it is.
    keeps: bool,
    pub(super) kept: Option<(NodeId, Pooled)>,
}

/// A request on a connection.
struct Flight {
    send: Send,
    connection: Pooled,
}

/// What came of opening a connection; the request is written already.
type Opened = (Send, Result<Pooled>);

/// Opens a connection and sends what it is for. What came of it is told when it is dropped, so that it always is.
struct Opening {
    send: Send,
    result: Option<Result<Pooled>>,
    to: Sender<Opened>,
}

impl Opening {
    fn run(mut self, pool: &Arc<Pool>, deadline: Option<Instant>, mut out: SendBuffer) {
        let opened = pool.acquire(Instant::now(), deadline).and_then(|mut connection| {
            let write = |to: &mut SendBuffer| to.append(&mut out);
            connection.send(Instant::now(), self.send.replies, deadline, write)?;
            Ok(connection)
        });
        self.result = Some(opened);
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(result) = self.result.take() {
            // Nobody may be there any more who wants to know: the connection goes back, or is closed.
            let _ = self.to.send((self.send, result));
        }
    }
}

impl<'a, S: Source + ?Sized> Runner<'a, S> {
    pub(super) fn new(
        shared: &'a Shared,
        source: &'a S,
        exchange: Exchange,
        deadline: Option<Instant>,
    ) -> Self {
        Self {
            shared,
            source,
            exchange,
            deadline,
            sends: Vec::new(),
            flights: Vec::new(),
            turn: 0,
            quiet: 0,
            opening: 0,
            opened: None,
            seen: 0,
            keeps: false,
            kept: None,
        }
    }

    /// Keeps the connection that was answered last.
    pub(super) fn keeping(mut self) -> Self {
        self.keeps = true;
        self
    }

    /// Runs until everything has an answer.
    pub(super) fn run(&mut self) {
        self.tell(|_, _, _| {});
        self.send();
        // Begin by waiting: nobody has answered yet.
        self.quiet = self.flights.len();
        while !self.exchange.is_over() {
            self.wait();
            if self.exchange.is_waiting() {
                self.tell(|exchange, _, now| exchange.handle_timeout(now));
            }
            self.send();
        }
    }

    /// Tells the exchange something, and takes what it wants sent.
    fn tell(&mut self, tell: impl FnOnce(&mut Exchange, &mut Cluster, Instant)) {
        let Self { shared, exchange, sends, seen, .. } = self;
        shared.change(|state| {
            let now = Instant::now();
            tell(exchange, &mut state.cluster, now);
            if state.changes != *seen {
                *seen = state.changes;
                exchange.handle_map(now, &mut state.cluster);
            }
            while let Some(send) = exchange.poll_send(now, &mut state.cluster) {
                let pool = state.pool(send.node, send.link);
                sends.push((send, pool));
            }
        });
    }

    fn failed(&mut self, send: Send, error: Error) {
        self.tell(|exchange, cluster, now| exchange.handle_failed(now, cluster, send.id, error));
    }

    /// Sends what is to be sent: first where that takes no waiting.
    fn send(&mut self) {
        while !self.sends.is_empty() {
            let mut cold = Vec::new();
            for (send, pool) in std::mem::take(&mut self.sends) {
                let Some(pool) = pool else {
                    let text = "the node is not in the cluster's map any more";
                    self.failed(send, Error::new(ErrorKind::Connect, text));
                    continue;
                };
                match pool.acquire_idle(Instant::now()) {
                    Some(connection) => self.begin(send, connection),
                    None => cold.push((send, pool)),
                }
            }
            let alone = cold.len() == 1 && self.is_idle() && !self.exchange.is_waiting();
            for (send, pool) in cold {
                match alone {
                    true => match pool.acquire(Instant::now(), self.deadline) {
                        Ok(connection) => self.begin(send, connection),
                        Err(error) => self.failed(send, error),
                    },
                    false => self.open(send, pool),
                }
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.flights.is_empty() && self.opening == 0
    }

    fn begin(&mut self, send: Send, mut connection: Pooled) {
        let Self { exchange, source, deadline, .. } = self;
        let write = |out: &mut SendBuffer| exchange.write(&send, *source, out);
        match connection.send(Instant::now(), send.replies, *deadline, write) {
            Ok(()) => self.flights.push(Flight { send, connection }),
            Err(error) => {
                drop(connection);
                self.failed(send, error);
            }
        }
    }

    /// Has a thread open a connection and send on it, so that nobody waits for that node.
    fn open(&mut self, send: Send, pool: Arc<Pool>) {
        let (to, _) = self.opened.get_or_insert_with(mpsc::channel);
        let mut out = SendBuffer::default();
        self.exchange.write(&send, self.source, &mut out);
        let error =
            Error::new(ErrorKind::Limit, "no thread can be started that opens a connection");
        let opening = Opening { send, result: Some(Err(error)), to: to.clone() };
        let deadline = self.deadline;
        let open = move || opening.run(&pool, deadline, out);
        self.opening += 1;
        // Where none can be started, dropping what it was given tells of the error.
        drop(thread::Builder::new().name("redis-cluster-open".to_owned()).spawn(open));
    }

    fn handle_opened(&mut self, (send, result): Opened) {
        self.opening -= 1;
        match result {
            Ok(connection) => self.flights.push(Flight { send, connection }),
            Err(error) => self.failed(send, error),
        }
    }

    /// Waits for something to come: a reply, a connection, another map, or a time.
    fn wait(&mut self) {
        while let Some((_, opened)) = &self.opened
            && let Ok(opened) = opened.try_recv()
        {
            self.handle_opened(opened);
        }
        if !self.sends.is_empty() || self.exchange.is_over() {
            return;
        }
        let due = self.exchange.poll_timeout();
        if self.is_idle() {
            return self.shared.wait_for_change(self.seen, due);
        }
        let now = Instant::now();
        let alone = self.flights.len() + self.opening == 1 && !self.exchange.is_waiting();
        let until = match alone {
            true => None,
            false => due.into_iter().chain([now + self.slice()]).min(),
        };
        match self.flights.is_empty() {
            true => self.wait_for_connection(now, until),
            false => self.read(now, until),
        }
    }

    /// How long to wait for one, while others may have something: not at all before each was looked at, and then the
    /// longer the longer all are silent.
    fn slice(&self) -> Duration {
        let count = self.flights.len().max(1);
        match self.quiet {
            quiet if quiet + 1 < count => Duration::ZERO,
            quiet => (SLICE * (1 << (quiet / count).min(5))).min(LONGEST),
        }
    }

    fn wait_for_connection(&mut self, now: Instant, until: Option<Instant>) {
        let Some((_, opened)) = &self.opened else { return };
        let opened = match until {
            None => opened.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(until) => opened.recv_timeout(until.saturating_duration_since(now)),
        };
        match opened {
            Ok(opened) => self.handle_opened(opened),
            Err(_) => self.quiet += 1,
        }
    }

    /// Reads the connection whose turn it is.
    fn read(&mut self, now: Instant, until: Option<Instant>) {
        self.turn %= self.flights.len();
        let Flight { send, connection } = &mut self.flights[self.turn];
        let send = *send;
        let mut frames: Vec<Bytes> = Vec::new();
        let result = connection.go_on(now, until, |run| frames.push(run));
        if result == Ok(Progress::Nothing) {
            self.quiet += 1;
            self.turn += 1;
            return;
        }
        self.quiet = 0;
        let mut taken = Ok(());
        self.tell(|exchange, cluster, now| {
            let mut frames = frames.into_iter();
            taken = frames.try_for_each(|run| exchange.handle_replies(now, cluster, send.id, run));
            let failure = taken.as_ref().err().or(result.as_ref().err());
            if let Some(error) = failure {
                exchange.handle_failed(now, cluster, send.id, error.clone());
            }
        });
        if result == Ok(Progress::Some) && taken.is_ok() {
            self.turn += 1;
            return;
        }
        let mut flight = self.flights.swap_remove(self.turn);
        if taken.is_err() {
            flight.connection.close();
        } else if self.keeps && result.is_ok() {
            self.kept = Some((send.node, flight.connection));
        }
    }
}
