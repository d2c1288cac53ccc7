//! A machine whose reader moves its bytes; other threads may change it meanwhile.
//!
//! Whoever waits for something takes the turn: does what the machine asks, and reads. One at a time has it, the
//! others wait for what comes of it. Nothing is locked while a socket is waited for.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis_core::connection::Event;
use redis_core::pubsub::{PubSub, nothing_to_wait_for};
use redis_core::recv::RecvBuffer;
use redis_core::session::{Action, Machine};
use redis_core::{Config, Endpoint, Error, ErrorKind, Result};

use crate::pool::{Pool, Reserved};
use crate::stream::Stream;
use crate::tls_stream::Connector;

pub(crate) struct Feed<M> {
    config: Arc<Config>,
    connector: Connector,
    state: Mutex<State<M>>,
    /// Somebody's turn is over, or there is something else to look at.
    moved: Condvar,
    /// The keeper has to look whether it is wanted.
    left: Condvar,
    /// Who writes: bytes are taken from the machine and written in one order.
    writing: Mutex<()>,
}

pub(crate) type Guard<'a, M> = MutexGuard<'a, State<M>>;

pub(crate) struct State<M> {
    pub(crate) machine: M,
    /// What is read from, while nobody does.
    reader: Option<Reader>,
    writer: Option<Arc<Stream>>,
    events: Vec<Event>,
    /// The connection's place in the pool.
    pub(crate) place: Option<Reserved>,
    /// Somebody has the turn.
    turning: bool,
    /// Threads that wait for what comes of another's turn.
    waiting: usize,
    stopped: bool,
    /// Others than the reader may subscribe.
    pub(crate) shared: bool,
    /// How often the reader has left.
    visits: u64,
    pub(crate) kept: bool,
    keeper_sleeps: bool,
    /// It is to rest once everything is answered.
    pub(crate) ending: bool,
}

struct Reader {
    stream: Stream,
    recv: RecvBuffer,
}

impl<M> State<M> {
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped
    }
}

impl<M: Machine> Feed<M> {
    pub(crate) fn new(machine: M, pool: &Pool) -> Self {
        let state = State {
            machine,
            reader: None,
            writer: None,
            events: Vec::new(),
            place: None,
            turning: false,
            waiting: 0,
            stopped: false,
            shared: false,
            visits: 0,
            kept: false,
            keeper_sleeps: false,
            ending: false,
        };
        let (moved, left) = (Condvar::new(), Condvar::new());
        Self {
            config: pool.config().clone(),
            connector: pool.connector().clone(),
            state: Mutex::new(state),
            moved,
            left,
            writing: Mutex::new(()),
        }
    }

    pub(crate) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    pub(crate) fn lock(&self) -> Guard<'_, M> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what the machine asks, then waits for bytes until the deadline; or waits for what comes of the turn that
    /// somebody else has.
    pub(crate) fn turn<'a>(
        &'a self,
        mut state: Guard<'a, M>,
        now: Instant,
        deadline: Option<Instant>,
    ) -> Result<Guard<'a, M>> {
        if state.stopped {
            return Err(closed());
        }
        if state.turning {
            state.waiting += 1;
            state = self.wait(state, deadline);
            state.waiting -= 1;
            return Ok(state);
        }
        state.turning = true;
        let (mut state, result) = self.take_turn(state, now, deadline);
        state.turning = false;
        if state.waiting > 0 {
            self.moved.notify_all();
        }
        result.map(|()| state)
    }

    fn take_turn<'a>(
        &'a self,
        mut state: Guard<'a, M>,
        now: Instant,
        deadline: Option<Instant>,
    ) -> (Guard<'a, M>, Result<()>) {
        // Nobody may have read for long: what has come by now tells more of the peer than the clock.
        let mut has_come = false;
        if state.machine.poll_timeout().is_some_and(|due| due <= now) {
            (state, has_come) = self.read(state, now, Some(now));
        }
        state.machine.handle_timeout(now);
        while let Some(action) = state.machine.poll_action() {
            (state.reader, state.writer) = (None, None);
            if let Action::Open(endpoint) = action {
                drop(state);
                let opened = self.open(&endpoint, now);
                state = self.lock();
                match opened {
                    Ok((reader, writer)) => {
                        if state.stopped {
                            return (state, Ok(()));
                        }
                        (state.reader, state.writer) = (Some(reader), Some(writer));
                        state.machine.handle_opened();
                    }
                    // What that means is to be looked at before anything is waited for.
                    Err(error) => {
                        let now = Instant::now();
                        if error.kind() == io::ErrorKind::WouldBlock {
                            state.machine.handle_timeout(now);
                        }
                        state.machine.handle_open_failed(now, error);
                        return (state, Ok(()));
                    }
                }
            }
        }
        state = self.flush(state);
        if has_come {
            return (state, Ok(()));
        }
        let until = [deadline, state.machine.poll_timeout()].into_iter().flatten().min();
        if state.reader.is_some() {
            return (self.read(state, now, until).0, Ok(()));
        }
        // Nothing to read from: a new attempt is due, the reader's time is up, or somebody else subscribes.
        if until.is_none() && !state.shared {
            return (state, Err(nothing_to_wait_for()));
        }
        (self.wait(state, until), Ok(()))
    }

    fn open(&self, endpoint: &Endpoint, now: Instant) -> io::Result<(Reader, Arc<Stream>)> {
        // What a subscriber writes is small: a peer that takes none of it for so long is gone.
        let timeout = self.config.connect_timeout;
        let stream = Stream::connect(&self.connector, endpoint, now + timeout)?;
        stream.set_write_timeout(timeout)?;
        let writer = Arc::new(stream.try_clone()?);
        Ok((Reader { stream, recv: RecvBuffer::default() }, writer))
    }

    /// Reads what is there, or waits for it until then; whether something has come.
    fn read<'a>(
        &'a self,
        mut state: Guard<'a, M>,
        now: Instant,
        until: Option<Instant>,
    ) -> (Guard<'a, M>, bool) {
        let Some(mut reader) = state.reader.take() else {
            return (state, false);
        };
        let hint = state.machine.read_hint();
        drop(state);
        let result = reader.stream.read(reader.recv.space(hint), now, until);
        state = self.lock();
        if state.stopped {
            return (state, false);
        }
        let State { machine, events, .. } = &mut *state;
        let mut has_come = true;
        match result {
            Ok(0) => machine.handle_disconnect(Instant::now(), None),
            Ok(n) => {
                reader.recv.advance(n);
                let used = machine.handle_input(Instant::now(), reader.recv.data(), events);
                reader.recv.consume(used);
            }
            Err(error)
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
            {
                has_come = false;
            }
            Err(error) => machine.handle_broken(Instant::now(), error),
        }
        state.reader = Some(reader);
        (state, has_come)
    }

    /// Writes what there is to write.
    pub(crate) fn flush<'a>(&'a self, mut state: Guard<'a, M>) -> Guard<'a, M> {
        while state.writer.is_some() && state.machine.poll_transmit().is_some() {
            drop(state);
            let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            state = self.lock();
            let Some(writer) = state.writer.clone() else {
                return state;
            };
            let mut bytes = Vec::new();
            while let Some(transmit) = state.machine.poll_transmit() {
                transmit.slices().iter().for_each(|slice| bytes.extend_from_slice(slice));
                let n = transmit.len();
                state.machine.handle_transmitted(n);
            }
            drop(state);
            let written = writer.write_all(&bytes);
            state = self.lock();
            if let Err(error) = written {
                // Who reads learns of it.
                writer.shutdown();
                if state.writer.as_ref().is_some_and(|current| Arc::ptr_eq(current, &writer)) {
                    state.machine.handle_broken(Instant::now(), error);
                }
            }
        }
        state
    }

    /// Waits until then, or until there is something to look at.
    fn wait<'a>(&'a self, state: Guard<'a, M>, until: Option<Instant>) -> Guard<'a, M> {
        wait(&self.moved, state, until.map(|at| at.saturating_duration_since(Instant::now())))
    }

    /// Somebody has changed what the machine wants.
    pub(crate) fn changed(&self) {
        self.moved.notify_all();
        self.left.notify_one();
    }

    /// The reader has what it came for.
    pub(crate) fn leave(&self, mut state: Guard<'_, M>) {
        state.visits += 1;
        if state.keeper_sleeps {
            state.keeper_sleeps = false;
            self.left.notify_one();
        }
    }

    /// For the keeper: waits until the reader has been away for so long. False when everything is over.
    pub(crate) fn wait_for_absence(&self, grace: Duration, held: impl Fn(&M) -> bool) -> bool {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return false;
            }
            if state.turning || held(&state.machine) {
                state.keeper_sleeps = true;
                state = wait(&self.left, state, None);
                state.keeper_sleeps = false;
                continue;
            }
            let visits = state.visits;
            state = wait(&self.left, state, Some(grace));
            if !state.turning && state.visits == visits && !held(&state.machine) {
                return !state.stopped;
            }
        }
    }

    /// For the keeper: has the turn until somebody else waits for it, or there is nothing to do.
    pub(crate) fn stand_in(&self, held: impl Fn(&M) -> bool) {
        let mut state = self.lock();
        while !state.stopped && !state.turning && state.waiting == 0 && !held(&state.machine) {
            match self.turn(state, Instant::now(), None) {
                Ok(next) => state = next,
                Err(_) => return,
            }
        }
    }

    /// For a thread that reads all the time: has the turn once, or waits until something changes where there is nothing
    /// to do. False when everything is over.
    pub(crate) fn work(&self, state: Guard<'_, M>, rests: impl Fn(&State<M>) -> bool) -> bool {
        if state.stopped {
            return false;
        }
        let state = match rests(&state) {
            true => self.wait(state, None),
            // Without a deadline it has only the end to tell of.
            false => match self.turn(state, Instant::now(), None) {
                Ok(state) => state,
                Err(_) => self.lock(),
            },
        };
        !state.stopped
    }

    /// Ends everything: whoever reads, in any thread, comes back.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        state.reader = None;
        if let Some(writer) = state.writer.take() {
            writer.shutdown();
        }
        let place = state.place.take();
        drop(state);
        drop(place);
        self.moved.notify_all();
        self.left.notify_all();
    }
}

impl<H> Feed<PubSub<H>> {
    /// Closes the connection, if nothing is to be said on it any more; gives its place back without the lock.
    pub(crate) fn rest(&self, state: &mut State<PubSub<H>>, now: Instant) -> Option<Reserved> {
        if !state.ending || state.machine.is_subscribed() {
            return None;
        }
        if state.machine.rest(now) {
            // Who reads comes back.
            if let Some(writer) = state.writer.take() {
                writer.shutdown();
            }
            self.changed();
        }
        state.place.take_if(|_| state.machine.is_idle())
    }
}

fn wait<'a, M>(condition: &Condvar, state: Guard<'a, M>, left: Option<Duration>) -> Guard<'a, M> {
    match left {
        None => condition.wait(state).unwrap_or_else(PoisonError::into_inner),
        Some(left) if left.is_zero() => state,
        Some(left) => condition.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
    }
}

/// The error of everything that was stopped.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the subscriptions were closed")
}
