//! Bytes between clients and the server: cut, late, limited, lost.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use bytes::BytesMut;
use rand::RngExt;
use rand::rngs::SmallRng;
use resp_proto::{FrameKind, Limits, RequestDecoder, Scanner, frame_kind};

use super::plan::Plan;

/// What arrives.
#[derive(Debug)]
pub(crate) enum Piece {
    Bytes(Vec<u8>),
    /// Nothing follows: the peer has closed, or the connection failed.
    End(Option<io::ErrorKind>),
}

/// One direction of a connection. Nothing overtakes anything.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    pieces: VecDeque<(Instant, Piece)>,
    len: usize,
    /// What is written is never seen again.
    pub(crate) swallows: bool,
    ended: bool,
}

impl Pipe {
    pub(crate) fn due(&self) -> Option<Instant> {
        self.pieces.front().map(|piece| piece.0)
    }

    pub(crate) fn pop(&mut self) -> Option<Piece> {
        let (_, piece) = self.pieces.pop_front()?;
        if let Piece::Bytes(bytes) = &piece {
            self.len -= bytes.len();
        }
        Some(piece)
    }

    /// How many bytes can be written.
    pub(crate) fn room(&self, plan: &Plan) -> usize {
        let room = plan.window.saturating_sub(self.len);
        // A few bytes of room are not told: they would be filled one by one.
        if self.ended || room < plan.window.div_ceil(4) { 0 } else { room }
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.ended
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(crate) fn write(
        &mut self,
        mut bytes: &[u8],
        now: Instant,
        plan: &Plan,
        rng: &mut SmallRng,
    ) {
        if self.swallows {
            // They stay where they are, and take up room.
            self.len += bytes.len();
            return;
        }
        // Long ones are cut as well, but not to dust.
        let longest = plan.piece.max(bytes.len() / 16);
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(rng.random_range(1..=longest.min(bytes.len())));
            bytes = rest;
            self.len += piece.len();
            self.put(Piece::Bytes(piece.to_vec()), now, plan, rng);
        }
    }

    /// Nothing more is written.
    pub(crate) fn end(
        &mut self,
        why: Option<io::ErrorKind>,
        now: Instant,
        plan: &Plan,
        rng: &mut SmallRng,
    ) {
        if !std::mem::replace(&mut self.ended, true) {
            self.put(Piece::End(why), now, plan, rng);
        }
    }

    /// What is on its way is lost.
    pub(crate) fn lose(&mut self) {
        self.pieces.retain(|(_, piece)| matches!(piece, Piece::End(_)));
        self.len = 0;
    }

    fn put(&mut self, piece: Piece, now: Instant, plan: &Plan, rng: &mut SmallRng) {
        let arrival = now + plan.delay.mul_f64(rng.random());
        let arrival = self.pieces.back().map_or(arrival, |last| last.0.max(arrival));
        self.pieces.push_back((arrival, piece));
    }
}

/// A connection as the network sees it, from the client's `connect` to both ends' close.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) link: u64,
    pub(crate) to_server: Pipe,
    pub(crate) to_client: Pipe,
    /// The server's number for it, while the server has it.
    pub(crate) peer: Option<u64>,
    /// What the server has written and the network has no room for.
    pub(crate) backlog: Vec<u8>,
    /// The server closes behind its backlog.
    pub(crate) closing: bool,
    pub(crate) client_gone: bool,
    /// What the client was given and has not used up.
    pub(crate) unread: Vec<u8>,
    pub(crate) meter: Meter,
}

impl Wire {
    pub(crate) fn new(link: u64, peer: u64) -> Self {
        Self {
            link,
            to_server: Pipe::default(),
            to_client: Pipe::default(),
            peer: Some(peer),
            backlog: Vec::new(),
            closing: false,
            client_gone: false,
            unread: Vec::new(),
            meter: Meter::default(),
        }
    }
}

/// Counts what goes over a connection, without asking either end.
#[derive(Debug)]
pub(crate) struct Meter {
    decoder: RequestDecoder,
    written: BytesMut,
    scanner: Scanner,
    read: Vec<u8>,
    /// Whole commands that the client has written.
    pub(crate) commands: u64,
    /// Those of them that are of the handshake.
    greetings: u64,
    /// Whole replies that the client has read.
    pub(crate) replies: u64,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            decoder: RequestDecoder::new(Limits::default()),
            written: BytesMut::new(),
            scanner: Scanner::new(Limits::default()),
            read: Vec::new(),
            commands: 0,
            greetings: 0,
            replies: 0,
        }
    }
}

impl Meter {
    /// The client has written these. False when a user's command comes before the handshake is answered.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> bool {
        self.written.extend_from_slice(bytes);
        let (mut args, mut fine) = (Vec::new(), true);
        while self.decoder.decode(&mut self.written, &mut args).unwrap_or(false) {
            if !is_greeting(&args[0]) && self.commands == self.greetings {
                fine &= self.replies >= self.commands;
            } else if is_greeting(&args[0]) {
                self.greetings += 1;
            }
            self.commands += 1;
        }
        fine
    }

    /// The client has read these.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        self.read.extend_from_slice(bytes);
        let mut used = 0;
        while let Ok(Some(len)) = self.scanner.scan(&self.read[used..]) {
            if frame_kind(&self.read[used..used + len]) != FrameKind::Push {
                self.replies += 1;
            }
            used += len;
        }
        self.read.drain(..used);
    }

    /// Whether anything but the handshake was said.
    pub(crate) fn is_used(&self) -> bool {
        self.commands > self.greetings
    }

    /// Whether everything that was asked is answered, and nothing is half asked.
    pub(crate) fn is_even(&self) -> bool {
        self.commands == self.replies && self.written.is_empty()
    }
}

/// Whether the command is part of a handshake: no workload has it.
pub(crate) fn is_greeting(name: &[u8]) -> bool {
    [&b"HELLO"[..], b"AUTH", b"SELECT", b"CLIENT"].contains(&name)
}
