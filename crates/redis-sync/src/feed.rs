//! A machine whose reader moves its bytes: there is no thread behind it.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use redis_core::connection::Event;
use redis_core::pubsub::nothing_to_wait_for;
use redis_core::recv::RecvBuffer;
use redis_core::session::{Action, Machine};
use redis_core::{Config, Result};

use crate::stop::Stop;
use crate::stream::Stream;

pub(crate) struct Feed<M> {
    pub(crate) machine: M,
    config: Arc<Config>,
    stream: Option<Stream>,
    /// By which another thread ends the reading.
    stop: Arc<Stop>,
    recv: RecvBuffer,
    events: Vec<Event>,
}

impl<M: Machine> Feed<M> {
    pub(crate) fn new(machine: M, config: Arc<Config>) -> Self {
        Self {
            machine,
            config,
            stream: None,
            stop: Arc::default(),
            recv: RecvBuffer::default(),
            events: Vec::new(),
        }
    }

    /// What ends the reading of another thread.
    pub(crate) fn stop(&self) -> &Arc<Stop> {
        &self.stop
    }

    /// Does what the machine asks, then waits for bytes until the deadline.
    pub(crate) fn turn(&mut self, now: Instant, deadline: Option<Instant>) -> Result<()> {
        // Nobody may have read for long: what has come by now tells more of the peer than the clock.
        let overdue = self.machine.poll_timeout().is_some_and(|due| due <= now);
        let has_come = overdue && self.read_now();
        self.machine.handle_timeout(now);
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Close => {
                    self.stream = None;
                    self.stop.forget();
                }
                Action::Open(endpoint) => {
                    self.recv = RecvBuffer::default();
                    // What a subscriber writes is small: a peer that takes none of it for so long is gone.
                    let timeout = self.config.connect_timeout;
                    let opened = Stream::connect(&endpoint, now + timeout).and_then(|stream| {
                        stream.set_write_timeout(timeout)?;
                        self.stop.watch(&stream)?;
                        Ok(stream)
                    });
                    match opened {
                        Ok(stream) => {
                            self.stream = Some(stream);
                            self.machine.handle_opened();
                        }
                        // What that means is to be looked at before anything is waited for.
                        Err(error) => {
                            self.machine.handle_open_failed(Instant::now(), error);
                            return Ok(());
                        }
                    }
                }
            }
        }
        self.flush();
        if has_come {
            return Ok(());
        }
        let until = [deadline, self.machine.poll_timeout()].into_iter().flatten().min();
        let Some(stream) = &mut self.stream else {
            // Nothing to read from: a new attempt is due, or the reader's time is up.
            match until {
                Some(until) => self.stop.wait_until(until),
                None => return Err(nothing_to_wait_for()),
            }
            return Ok(());
        };
        let read = stream.read(self.recv.space(self.machine.read_hint()), now, until);
        self.take(read);
        Ok(())
    }

    /// Reads what is there. False when there is nothing.
    fn read_now(&mut self) -> bool {
        let Some(stream) = &self.stream else { return false };
        let read = stream.read_now(self.recv.space(self.machine.read_hint()));
        self.take(read)
    }

    /// Hands on what was read, or the end. False when there was nothing.
    fn take(&mut self, read: io::Result<usize>) -> bool {
        match read {
            Ok(0) => self.machine.handle_disconnect(Instant::now(), None),
            Ok(n) => {
                self.recv.advance(n);
                let used =
                    self.machine.handle_input(Instant::now(), self.recv.data(), &mut self.events);
                self.recv.consume(used);
            }
            Err(error)
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
            {
                return false;
            }
            Err(error) => self.machine.handle_disconnect(Instant::now(), Some(error.kind())),
        }
        true
    }

    /// Writes what there is to write.
    pub(crate) fn flush(&mut self) {
        while let (Some(stream), Some(transmit)) = (&self.stream, self.machine.poll_transmit()) {
            match stream.writer().write(transmit.slices()) {
                Ok(n) => self.machine.handle_transmitted(n),
                Err(error) => self.machine.handle_disconnect(Instant::now(), Some(error.kind())),
            }
        }
    }
}
