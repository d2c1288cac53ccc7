//! The simulated pair: a machine and a server over a link in memory.
//!
//! The link cuts the stream at any byte, delays each piece, takes only so much at a time, refuses and
//! resets connections, and loses what was on its way then. All of it, time included, comes from one
//! seed: no threads, no sleeps, and the same seed gives the same run.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use redis_core::batch::Ticket;
use redis_core::connection::Event;
use redis_core::session::{Action, Machine};
use redis_core::{Error, Result};
use resp_proto::{Limits, RequestDecoder};

use crate::scripted::Server;

/// What may go wrong on the link.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// No piece is longer, in bytes.
    pub piece: usize,
    /// No piece takes longer to arrive.
    pub delay: Duration,
    /// The most bytes on their way to the server: beyond that, writing waits.
    pub window: usize,
    /// How likely an attempt to connect is refused, from 0 to 1.
    pub refuse: f64,
    /// How likely the arrival of a piece is a reset instead, from 0 to 1. What is on its way is lost.
    pub reset: f64,
}

impl Faults {
    /// Cuts and delays, but loses nothing.
    pub const NONE: Self = Self {
        piece: 40,
        delay: Duration::from_millis(5),
        window: 1 << 20,
        refuse: 0.0,
        reset: 0.0,
    };
}

/// What a machine told its driver.
#[derive(Clone, Debug)]
pub enum Told {
    /// Replies of a request: whole frames.
    Replies {
        /// The request.
        ticket: Ticket,
        /// The frames.
        frames: Bytes,
        /// Whether they are its last.
        done: bool,
    },
    /// A frame that answers no request.
    Push(Bytes),
    /// A request gets no (further) reply.
    Failed(Ticket, Error),
    /// The handshake is done.
    Ready,
    /// The connection is over.
    Closed(Error),
}

/// A machine and the server it talks to.
#[derive(Debug)]
pub struct Pair<M, S> {
    /// The machine under test: call its verbs, then [`step`](Self::step).
    pub machine: M,
    /// The server.
    pub server: S,
    /// What the machine has told since it was last taken.
    pub told: Vec<Told>,
    faults: Faults,
    rng: SmallRng,
    now: Instant,
    link: Link,
    events: Vec<Event>,
}

#[derive(Debug)]
enum Link {
    Down,
    Opening(Instant),
    Up(Box<Wire>),
}

#[derive(Debug)]
struct Wire {
    to_server: Pipe,
    to_client: Pipe,
    decoder: RequestDecoder,
    arrived: BytesMut,
    /// What the machine was given and has not used up.
    unread: Vec<u8>,
}

/// Pieces in order, each with the time of its arrival.
#[derive(Debug, Default)]
struct Pipe {
    pieces: VecDeque<(Instant, Vec<u8>)>,
    len: usize,
}

impl Pipe {
    fn due(&self) -> Option<Instant> {
        self.pieces.front().map(|piece| piece.0)
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        let (_, piece) = self.pieces.pop_front()?;
        self.len -= piece.len();
        Some(piece)
    }
}

impl<M: Machine, S: Server> Pair<M, S> {
    /// A pair that is not connected.
    pub fn new(seed: u64, now: Instant, machine: M, server: S, faults: Faults) -> Self {
        Self {
            machine,
            server,
            told: Vec::new(),
            faults,
            rng: SmallRng::seed_from_u64(seed),
            now,
            link: Link::Down,
            events: Vec::new(),
        }
    }

    /// The time it is for the machine.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// From now on the link behaves like this.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// Resets the connection, if there is one.
    pub fn reset(&mut self) {
        if let Link::Up(_) = self.link {
            self.link = Link::Down;
            self.machine.handle_disconnect(self.now, Some(io::ErrorKind::ConnectionReset));
            self.settle();
        }
    }

    /// The server sends bytes of its own accord. False when nobody is connected.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        match &mut self.link {
            Link::Up(wire) => {
                send(&mut self.rng, &self.faults, self.now, &mut wire.to_client, bytes);
                true
            }
            _ => false,
        }
    }

    /// Lets the next thing happen: a piece arrives, a connection opens, or a timer runs out. False when
    /// nothing is left that could.
    pub fn step(&mut self) -> bool {
        self.settle();
        let (to_server, to_client, opening) = match &self.link {
            Link::Down => (None, None, None),
            Link::Opening(at) => (None, None, Some(*at)),
            Link::Up(wire) => (wire.to_server.due(), self.to_client_due(wire), None),
        };
        let timer = self.machine.poll_timeout();
        let Some(at) = [to_server, to_client, opening, timer].into_iter().flatten().min() else {
            return false;
        };
        self.now = self.now.max(at);
        if timer == Some(at) {
            self.machine.handle_timeout(self.now);
        } else if opening == Some(at) {
            self.open();
        } else if self.rng.random_bool(self.faults.reset) {
            self.reset();
        } else if to_server == Some(at) {
            self.arrive_at_server();
        } else {
            self.arrive_at_client();
        }
        self.settle();
        true
    }

    /// Steps until `done`. An error tells that nothing is left that could happen, or that it takes more
    /// than a million steps.
    ///
    /// # Errors
    ///
    /// As said, with `what` was waited for.
    pub fn run_until(
        &mut self,
        what: &str,
        mut done: impl FnMut(&mut Self) -> bool,
    ) -> Result<(), String> {
        for _ in 0..1_000_000 {
            self.settle();
            if done(self) {
                return Ok(());
            }
            if !self.step() {
                return match done(self) {
                    true => Ok(()),
                    false => Err(format!("nothing more can happen, and not yet: {what}")),
                };
            }
        }
        Err(format!("a million steps were not enough: {what}"))
    }

    /// Lets time pass while nothing else is due.
    pub fn sleep(&mut self, time: Duration) {
        let until = self.now + time;
        let mut steps = 0;
        while self.next_due().is_some_and(|due| due <= until) {
            self.step();
            steps += 1;
            assert!(steps < 1_000_000, "the machine never rests");
        }
        self.now = self.now.max(until);
        self.machine.handle_timeout(self.now);
        self.settle();
    }

    fn next_due(&mut self) -> Option<Instant> {
        self.settle();
        let link = match &self.link {
            Link::Down => None,
            Link::Opening(at) => Some(*at),
            Link::Up(wire) => {
                [wire.to_server.due(), self.to_client_due(wire)].into_iter().flatten().min()
            }
        };
        [link, self.machine.poll_timeout()].into_iter().flatten().min()
    }

    /// When something arrives at the machine, unless it wants nothing for now.
    fn to_client_due(&self, wire: &Wire) -> Option<Instant> {
        wire.to_client.due().filter(|_| self.machine.takes_input())
    }

    /// Takes what the machine gives, until it gives nothing more.
    fn settle(&mut self) {
        while let Some(action) = self.machine.poll_action() {
            self.link = match action {
                Action::Open(_) => Link::Opening(self.now + delay(&mut self.rng, &self.faults)),
                Action::Close => Link::Down,
            };
        }
        if let Link::Up(wire) = &mut self.link {
            while let Some(transmit) = self.machine.poll_transmit() {
                let room = self.faults.window.saturating_sub(wire.to_server.len);
                let bytes: Vec<u8> = transmit
                    .slices()
                    .iter()
                    .flat_map(|slice| slice.iter())
                    .copied()
                    .take(room)
                    .collect();
                if bytes.is_empty() {
                    break;
                }
                self.machine.handle_transmitted(bytes.len());
                send(&mut self.rng, &self.faults, self.now, &mut wire.to_server, &bytes);
            }
        }
        while let Some(event) = self.machine.poll_event() {
            self.told.push(match event {
                Event::Failed { ticket, error, .. } => Told::Failed(ticket, error),
                Event::Closed(error) => Told::Closed(error),
                Event::Ready => Told::Ready,
                Event::Replies { .. } | Event::Push(_) => unreachable!("these come with an input"),
            });
        }
    }

    fn open(&mut self) {
        if self.rng.random_bool(self.faults.refuse) {
            self.link = Link::Down;
            self.machine.handle_open_failed(self.now, io::ErrorKind::ConnectionRefused.into());
            return;
        }
        self.link = Link::Up(Box::new(Wire {
            to_server: Pipe::default(),
            to_client: Pipe::default(),
            decoder: RequestDecoder::new(Limits::default()),
            arrived: BytesMut::new(),
            unread: Vec::new(),
        }));
        self.server.connected();
        self.machine.handle_opened();
    }

    fn arrive_at_server(&mut self) {
        let Link::Up(wire) = &mut self.link else { return };
        wire.arrived.extend(wire.to_server.pop().unwrap_or_default());
        let mut args = Vec::new();
        let mut out = Vec::new();
        while wire
            .decoder
            .decode(&mut wire.arrived, &mut args)
            .expect("a machine's requests are the protocol")
        {
            self.server.request(&args, &mut out);
            args.clear();
        }
        send(&mut self.rng, &self.faults, self.now, &mut wire.to_client, &out);
    }

    fn arrive_at_client(&mut self) {
        let Link::Up(wire) = &mut self.link else { return };
        wire.unread.extend(wire.to_client.pop().unwrap_or_default());
        let used = self.machine.handle_input(self.now, &wire.unread, &mut self.events);
        for event in self.events.drain(..) {
            let frames = |range| Bytes::copy_from_slice(&wire.unread[range]);
            match event {
                Event::Replies { ticket, range, done, .. } => {
                    self.told.push(Told::Replies { ticket, frames: frames(range), done });
                }
                Event::Push(range) => self.told.push(Told::Push(frames(range))),
                _ => {}
            }
        }
        wire.unread.drain(..used);
    }
}

fn delay(rng: &mut SmallRng, faults: &Faults) -> Duration {
    faults.delay.mul_f64(rng.random())
}

/// Cuts bytes into pieces and puts them on their way; none overtakes another.
fn send(rng: &mut SmallRng, faults: &Faults, now: Instant, pipe: &mut Pipe, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at(rng.random_range(1..=faults.piece.min(bytes.len())));
        bytes = rest;
        let arrival = now + delay(rng, faults);
        let arrival = pipe.pieces.back().map_or(arrival, |last| last.0.max(arrival));
        pipe.len += piece.len();
        pipe.pieces.push_back((arrival, piece.to_vec()));
    }
}
