//! The driver: moves the bytes of one connection.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use redis_core::batch::{Batch, Ticket};
use redis_core::config::TlsRefusal;
use redis_core::connection::{Connection as Machine, Event, Role, SubmitError};
use redis_core::pipeline::{Run, Sent};
use redis_core::recv::RecvBuffer;
use redis_core::send::SendBuffer;
use redis_core::{
    Block, Cmd, Config, Delivery, Error, ErrorKind, FromReply, Result, decode, decode_shared,
};

use crate::stream::Stream;
use crate::tls_stream::Connector;
use crate::writing::Writing;

/// Up to this many bytes fit any socket's empty send buffer, so that writing them can't block on a peer
/// that itself waits for us to read.
const FITS: usize = 2 * 1024;

/// From this size on a reply's memory is shared with the values decoded from it instead of copied.
const SHARE: usize = 64 * 1024;

/// An open connection that one thread uses at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    machine: Machine,
    stream: Stream,
    config: Arc<Config>,
    recv: RecvBuffer,
    batch: Batch,
    events: Vec<Event>,
    /// What the peer did not take at once.
    writing: Option<Writing>,
}

/// What came of reading a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Nothing,
    Some,
    /// The last reply of the request.
    Over,
}

/// The replies of one exchange, as ranges of the read buffer.
#[derive(Debug, Default)]
struct Received {
    /// Contiguous runs of frames; nearly always one.
    runs: Vec<Range<usize>>,
    only: Option<Range<usize>>,
    /// All bytes that were looked at.
    used: usize,
}

impl Received {
    fn add(&mut self, range: Range<usize>) {
        match &mut self.only {
            None => self.only = Some(range),
            Some(only) if self.runs.is_empty() && only.end == range.start => only.end = range.end,
            Some(_) => self.runs.push(range),
        }
    }

    fn runs(&self) -> impl Iterator<Item = Range<usize>> {
        self.only.iter().chain(&self.runs).cloned()
    }
}

impl Connection {
    /// Opens a connection and does the handshake. A command waits for it, so that it takes no longer than
    /// that may.
    pub(crate) fn open(
        config: &Arc<Config>,
        connector: &Connector,
        deadline: Option<Instant>,
    ) -> Result<Self> {
        let start = Instant::now();
        let until = start + config.connect_timeout;
        let deadline = deadline.map_or(until, |deadline| deadline.min(until));
        let mut machine = Machine::within(config.clone(), Role::Commands, start, deadline);
        let stream = match Stream::connect(connector, &config.endpoint, deadline) {
            Ok(stream) => stream,
            Err(error) => {
                if error.kind() == io::ErrorKind::WouldBlock {
                    machine.handle_timeout(Instant::now());
                    failure(&mut machine)?;
                }
                return Err(machine.handle_open_failed(error));
            }
        };
        let mut connection = Self {
            machine,
            stream,
            config: config.clone(),
            recv: RecvBuffer::default(),
            batch: Batch::default(),
            events: Vec::new(),
            writing: None,
        };
        // Whatever the server said of the handshake, the command that wanted the connection was not sent.
        connection.greet(deadline).map_err(|error| error.with_delivery(Delivery::NotSent))?;
        Ok(connection)
    }

    fn greet(&mut self, deadline: Instant) -> Result<()> {
        let mut received = Received::default();
        loop {
            self.write()?;
            if self.machine.is_ready() {
                break;
            }
            let now = Instant::now();
            if deadline <= now {
                return Err(self.config.no_connection_in_time());
            }
            self.receive_until(&mut received, now, Some(deadline))?;
        }
        self.recv.consume(received.used);
        Ok(())
    }

    /// Whether another exchange may follow: nothing is owed in either direction.
    pub(crate) fn is_clean(&self) -> bool {
        self.machine.is_ready()
            && self.machine.in_flight() == 0
            && self.recv.data().is_empty()
            && self.writing.is_none()
    }

    /// Whether the peer has neither closed nor said anything since the last exchange.
    pub(crate) fn is_alive(&mut self) -> bool {
        match self.stream.read_now(self.recv.space(0)) {
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
            Ok(0) => false,
            Ok(n) => {
                // Pushes may come at any time.
                self.recv.advance(n);
                let mut events = Vec::new();
                let used = self.machine.handle_input(Instant::now(), self.recv.data(), &mut events);
                self.recv.consume(used);
                self.is_clean()
            }
        }
    }

    /// Whether the peer gives a sign of life, where the machine wants one; all before the deadline.
    pub(crate) fn answers(&mut self, deadline: Option<Instant>) -> bool {
        let now = Instant::now();
        self.machine.handle_timeout(now);
        let mut received = Received::default();
        let mut alive = self.write().unwrap_or(false);
        while alive && self.machine.in_flight() > 0 {
            let now = Instant::now();
            let until = self.machine.poll_timeout().into_iter().chain(deadline).min();
            alive = deadline.is_none_or(|deadline| now < deadline)
                && self.receive_until(&mut received, now, until).is_ok();
        }
        self.recv.consume(received.used);
        alive
    }

    /// Sends one command and decodes its reply.
    pub(crate) fn execute<R: FromReply>(&mut self, cmd: &Cmd<R>) -> Result<R> {
        let deadline = self.deadline(cmd.block());
        let began = Instant::now();
        let result = self.execute_before(cmd, began, deadline);
        self.config.tell_if_slow(cmd, began.elapsed());
        result
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Until when something that begins now may take, if the server may hold it so long.
    pub(crate) fn deadline(&self, block: Block) -> Option<Instant> {
        self.config.timeout(block).map(|timeout| Instant::now() + timeout)
    }

    /// As [`execute`](Self::execute), for a caller that looked at the clock already.
    pub(crate) fn execute_before<R: FromReply>(
        &mut self,
        cmd: &Cmd<R>,
        now: Instant,
        deadline: Option<Instant>,
    ) -> Result<R> {
        let result = self.execute_once(cmd, now, deadline);
        if let Err(error) = &result
            && let Some(whole) = cmd.after_missing_script(error)
        {
            return self.execute_once(&whole, Instant::now(), deadline);
        }
        result
    }

    fn execute_once<R: FromReply>(
        &mut self,
        cmd: &Cmd<R>,
        now: Instant,
        deadline: Option<Instant>,
    ) -> Result<R> {
        self.execute_as(cmd, now, deadline, decode_run)
    }

    /// Sends one command and hands its reply to `open`.
    pub(crate) fn execute_as<R, T>(
        &mut self,
        cmd: &Cmd<R>,
        now: Instant,
        deadline: Option<Instant>,
        open: impl FnOnce(Run<'_>) -> Result<T>,
    ) -> Result<T> {
        self.batch.push(Ticket(0), cmd, deadline.into());
        let received = self.exchange(now)?;
        let Some(range) = received.only else { return Err(no_reply()) };
        let result = if range.len() < SHARE {
            let result = open(Run { frames: &self.recv.data()[range], memory: None });
            self.recv.consume(received.used);
            result
        } else {
            let memory = self.recv.take(received.used).slice(range);
            open(Run { frames: &memory, memory: Some(&memory) })
        };
        self.note(result)
    }

    /// Sends commands together and decodes their replies.
    pub(crate) fn execute_sent<T>(
        &mut self,
        sent: &Sent,
        deadline: Option<Instant>,
        decode: impl FnOnce(&Sent, Vec<Run<'_>>) -> Result<T>,
    ) -> Result<T> {
        self.batch.push_encoded(Ticket(0), sent.parts(), sent.replies(), deadline.into());
        let received = self.exchange(Instant::now())?;
        let result = if received.used < SHARE {
            let data = self.recv.data();
            let runs = received.runs().map(|range| Run { frames: &data[range], memory: None });
            let result = decode(sent, runs.collect());
            self.recv.consume(received.used);
            result
        } else {
            let memory = self.recv.take(received.used);
            let runs =
                received.runs().map(|range| Run { frames: &memory[range], memory: Some(&memory) });
            decode(sent, runs.collect())
        };
        self.note(result)
    }

    /// Sends commands together and hands their replies on as they come. When `handle` panics the connection
    /// may still owe replies; it is not clean then.
    pub(crate) fn execute_each(
        &mut self,
        sent: &Sent,
        deadline: Option<Instant>,
        mut handle: impl FnMut(Run<'_>) -> Result<()>,
    ) -> Result<()> {
        self.batch.push_encoded(Ticket(0), sent.parts(), sent.replies(), deadline.into());
        let result = self
            .exchange_with(Instant::now(), |recv, received| hand_on(recv, received, &mut handle));
        self.note(result.map(drop))
    }

    /// The replies are not those of the requests: nothing more is sent.
    pub(crate) fn close(&mut self) {
        self.machine.close();
    }

    /// A reply that can't belong to its request makes the connection unusable.
    fn note<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result
            && error.kind() == ErrorKind::Protocol
        {
            self.machine.close();
        }
        result
    }

    /// Sends the batch, which is one request, and waits for all of its replies.
    fn exchange(&mut self, now: Instant) -> Result<Received> {
        self.exchange_with(now, |_, _| Ok(()))
    }

    /// As [`exchange`](Self::exchange); `look` has a look at what has come after each read, and may take it.
    fn exchange_with(
        &mut self,
        mut now: Instant,
        mut look: impl FnMut(&mut RecvBuffer, &mut Received) -> Result<()>,
    ) -> Result<Received> {
        self.begin(now)?;
        if self.writing.is_some() {
            now = Instant::now();
        }
        let mut received = Received::default();
        while !self.is_answered() {
            self.advance(&mut received, now, None, &mut look)?;
            now = Instant::now();
        }
        self.end()?;
        Ok(received)
    }

    /// Sends one request that has so many replies, which [`go_on`](Self::go_on) takes; `write` appends its bytes.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        replies: u32,
        deadline: Option<Instant>,
        write: impl FnOnce(&mut SendBuffer),
    ) -> Result<()> {
        self.batch.push_with(Ticket(0), replies, deadline.into(), write);
        self.begin(now)
    }

    /// Waits until then, or the request's deadline, for replies, and hands on what has come.
    pub(crate) fn go_on(
        &mut self,
        now: Instant,
        until: Option<Instant>,
        mut handle: impl FnMut(Bytes),
    ) -> Result<Progress> {
        let (before, mut replies) = (self.recv.data().len(), false);
        let mut handle = |run: Run<'_>| {
            replies = true;
            handle(match run.memory {
                Some(memory) => memory.slice_ref(run.frames),
                None => Bytes::copy_from_slice(run.frames),
            });
            Ok(())
        };
        let mut received = Received::default();
        self.advance(&mut received, now, until, &mut |recv, received| {
            hand_on(recv, received, &mut handle)
        })?;
        if self.is_answered() {
            self.end()?;
            return Ok(Progress::Over);
        }
        let came = replies || self.recv.data().len() != before;
        Ok(if came { Progress::Some } else { Progress::Nothing })
    }

    /// Submits the batch, which is one request, and writes it. What the peer does not take for now is left to a
    /// thread, so that reading never stops.
    fn begin(&mut self, now: Instant) -> Result<()> {
        match self.machine.submit(now, &mut self.batch) {
            Ok(()) => {}
            Err(SubmitError::Closed) => {
                return Err(Error::new(ErrorKind::Closed, "the connection was closed"));
            }
            Err(SubmitError::Full) => {
                return Err(Error::new(ErrorKind::Limit, "the connection is full"));
            }
        }
        if !self.write()? {
            let pieces = self.machine.share_transmit();
            let writing = Writing::start(&self.stream, pieces);
            self.writing = Some(writing.map_err(|error| lost(&mut self.machine, error))?);
        }
        Ok(())
    }

    /// Waits for bytes, at most until then. An error ends the connection's use.
    fn advance(
        &mut self,
        received: &mut Received,
        now: Instant,
        until: Option<Instant>,
        look: &mut impl FnMut(&mut RecvBuffer, &mut Received) -> Result<()>,
    ) -> Result<()> {
        let until = self.machine.poll_timeout().into_iter().chain(until).min();
        let result = self.receive_until(received, now, until);
        // What came before a failure is looked at all the same.
        let mut result = look(&mut self.recv, received).and(result);
        if let Some(writing) = &mut self.writing {
            let end = writing.poll_end();
            self.machine.handle_transmitted(writing.progress());
            match end {
                Some(Err(error)) if result.is_ok() => {
                    result = Err(lost(&mut self.machine, error));
                }
                None if result.is_ok() => return Ok(()),
                // Unless it is done, its thread may wait for a peer that reads nothing.
                _ => self.writing = None,
            }
        }
        result
    }

    /// Whether all replies have come.
    fn is_answered(&self) -> bool {
        self.machine.in_flight() == 0
    }

    /// All replies have come: the request must have been written by now.
    fn end(&mut self) -> Result<()> {
        let Some(mut writing) = self.writing.take() else { return Ok(()) };
        let end = writing.wait(self.config.connect_timeout);
        self.machine.handle_transmitted(writing.progress());
        match end {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(lost(&mut self.machine, error)),
            // The peer has answered everything without having read everything: that was the last.
            None => {
                self.machine.handle_disconnect(None);
                Ok(())
            }
        }
    }

    /// Writes everything. False when that would block and there is more than surely fits.
    fn write(&mut self) -> Result<bool> {
        let large = self.machine.unsent() > FITS;
        if large && let Err(error) = self.stream.set_nonblocking(true) {
            return Err(lost(&mut self.machine, error));
        }
        let mut result = Ok(true);
        while let Some(transmit) = self.machine.poll_transmit() {
            match self.stream.writer().write(transmit.slices()) {
                Ok(n) => self.machine.handle_transmitted(n),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    result = Ok(false);
                    break;
                }
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        if large && let Err(error) = self.stream.set_nonblocking(false) {
            result = Err(error);
        }
        result.map_err(|error| {
            let told = self.read_what_is_left();
            lost(&mut self.machine, told.unwrap_or(error))
        })
    }

    /// Writing failed: what a server says before it closes tells more of the reason, and so does TLS.
    fn read_what_is_left(&mut self) -> Option<io::Error> {
        // Of an exchange that has begun to be answered the reason is not to come.
        while self.recv.data().is_empty() {
            match self.stream.read_now(self.recv.space(0)) {
                Ok(n @ 1..) => self.recv.advance(n),
                Ok(_) => break,
                Err(error) => return Some(error).filter(TlsRefusal::is_in),
            }
            let mut events = Vec::new();
            let used = self.machine.handle_input(Instant::now(), self.recv.data(), &mut events);
            self.recv.consume(used);
        }
        None
    }

    fn receive_until(
        &mut self,
        received: &mut Received,
        now: Instant,
        until: Option<Instant>,
    ) -> Result<()> {
        let Self { machine, stream, recv, events, .. } = self;
        receive(machine, stream, recv, events, received, now, until)
    }
}

/// Hands on what has been received, and forgets it.
fn hand_on(
    recv: &mut RecvBuffer,
    received: &mut Received,
    handle: impl FnMut(Run<'_>) -> Result<()>,
) -> Result<()> {
    let received = std::mem::take(received);
    if received.used < SHARE {
        let data = recv.data();
        let mut runs = received.runs().map(|range| Run { frames: &data[range], memory: None });
        let result = runs.try_for_each(handle);
        recv.consume(received.used);
        result
    } else {
        let memory = recv.take(received.used);
        received
            .runs()
            .map(|range| Run { frames: &memory[range], memory: Some(&memory) })
            .try_for_each(handle)
    }
}

/// Waits for bytes or a deadline, and takes what came of it.
fn receive(
    machine: &mut Machine,
    stream: &mut Stream,
    recv: &mut RecvBuffer,
    events: &mut Vec<Event>,
    received: &mut Received,
    now: Instant,
    until: Option<Instant>,
) -> Result<()> {
    match stream.read(recv.space(machine.read_hint()), now, until) {
        Ok(0) => machine.handle_disconnect(None),
        Ok(n) => {
            recv.advance(n);
            let base = received.used;
            received.used += machine.handle_input(now, &recv.data()[base..], events);
            for event in events.drain(..) {
                // Pushes on such a connection are for nobody.
                if let Event::Replies { range, .. } = event {
                    received.add(base + range.start..base + range.end);
                }
            }
            // Replies that keep coming do not put a deadline off.
            if until.is_some_and(|until| until <= now) {
                machine.handle_timeout(now);
            }
        }
        Err(error)
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
        {
            machine.handle_timeout(Instant::now());
        }
        Err(error) => machine.handle_broken(error),
    }
    failure(machine)
}

/// What the machine says went wrong, if anything did.
fn failure(machine: &mut Machine) -> Result<()> {
    let mut result = Ok(());
    while let Some(event) = machine.poll_event() {
        if let Event::Failed { error, .. } | Event::Closed(error) = event
            && result.is_ok()
        {
            result = Err(error);
        }
    }
    result
}

/// The socket failed: what that means for what is under way.
fn lost(machine: &mut Machine, why: io::Error) -> Error {
    machine.handle_broken(why);
    match failure(machine) {
        Err(error) => error,
        Ok(()) => Error::new(ErrorKind::Closed, "the connection was closed"),
    }
}

/// Decodes a single reply.
pub(crate) fn decode_run<R: FromReply>(run: Run<'_>) -> Result<R> {
    match run.memory {
        None => decode(run.frames),
        Some(memory) => decode_shared(&memory.slice_ref(run.frames)),
    }
}

fn no_reply() -> Error {
    Error::new(ErrorKind::Protocol, "the exchange ended without a reply")
}
