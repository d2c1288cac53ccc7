//! Which request a reply is for, and what all of them took. Sees bytes, moves none.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::Mutex,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use resp_proto::{
    FrameKind, FrameReader, Frames, Limits, ProtocolError, RequestDecoder, Token, frame_kind,
};

use crate::forward::lock;

/// The requests of a connection that wait for their replies.
#[derive(Default)]
pub(crate) struct Meter {
    waiting: VecDeque<Waiting>,
    /// In RESP2 pushes look like replies: those that come while this is set are none.
    listening: bool,
    monitoring: bool,
}

struct Waiting {
    name: String,
    since: Instant,
    /// Confirmations still to come, of a command that is answered by such.
    confirmations: Option<usize>,
}

/// Frames what a client sends.
pub(crate) struct Requests {
    decoder: RequestDecoder,
    input: BytesMut,
    args: Vec<Bytes>,
    silence: Silence,
    failed: bool,
}

/// What `CLIENT REPLY` asked for.
#[derive(PartialEq)]
enum Silence {
    None,
    Next,
    All,
}

impl Requests {
    pub(crate) fn new() -> Self {
        Self {
            decoder: RequestDecoder::new(Limits::default()),
            input: BytesMut::new(),
            args: Vec::new(),
            silence: Silence::None,
            failed: false,
        }
    }

    pub(crate) fn see(&mut self, bytes: &[u8], meter: &mut Meter) {
        if self.failed {
            return;
        }
        self.input.extend_from_slice(bytes);
        loop {
            match self.decoder.decode(&mut self.input, &mut self.args) {
                Ok(true) => self.request(meter),
                Ok(false) => return,
                // The server will say so, too, and hang up.
                Err(_) => {
                    self.failed = true;
                    return;
                }
            }
        }
    }

    fn request(&mut self, meter: &mut Meter) {
        let word = |at: usize| {
            let arg = self.args.get(at).map_or(&b""[..], |arg| arg);
            String::from_utf8_lossy(arg).to_ascii_lowercase()
        };
        let name = word(0);
        if name == "client" && word(1) == "reply" {
            self.silence = match word(2).as_str() {
                "off" => Silence::All,
                "skip" if self.silence == Silence::None => Silence::Next,
                "on" => Silence::None,
                _ => return,
            };
            if self.silence != Silence::None {
                return;
            }
        } else if self.silence != Silence::None {
            if self.silence == Silence::Next {
                self.silence = Silence::None;
            }
            return;
        }
        let confirmations = is_confirmation(name.as_bytes()).then(|| (self.args.len() - 1).max(1));
        meter.waiting.push_back(Waiting { name, since: Instant::now(), confirmations });
    }
}

/// Frames what a server sends.
pub(crate) struct Replies {
    frames: Frames,
    input: BytesMut,
    failed: bool,
}

impl Replies {
    pub(crate) fn new() -> Self {
        Self { frames: Frames::new(Limits::default()), input: BytesMut::new(), failed: false }
    }

    pub(crate) fn see(&mut self, bytes: &[u8], meter: &mut Meter, table: &Mutex<Table>) {
        if self.failed {
            return;
        }
        self.input.extend_from_slice(bytes);
        let seen = self.frames(meter, table);
        if let Err(error) = seen {
            eprintln!("the server's bytes go on, but are no RESP: {error}");
            self.failed = true;
        }
    }

    fn frames(&mut self, meter: &mut Meter, table: &Mutex<Table>) -> Result<(), ProtocolError> {
        while let Some(frame) = self.frames.next_frame(&mut self.input)? {
            if let Some((name, took)) = meter.answered(&frame)? {
                lock(table).add(name, took);
            }
        }
        Ok(())
    }
}

impl Meter {
    /// The command that a frame completes, and how long that took.
    pub(crate) fn answered(
        &mut self,
        frame: &[u8],
    ) -> Result<Option<(String, Duration)>, ProtocolError> {
        let is_push = frame_kind(frame) == FrameKind::Push;
        let mut reader = FrameReader::new(frame);
        let first = reader.next_data()?;
        let kind = match first {
            Some(Token::Push(_)) | Some(Token::Array(Some(3 | 4))) => reader.next_data()?,
            _ => None,
        };
        if let Some(Token::BulkString(kind)) = kind {
            let waits = self.waiting.front().and_then(|front| front.confirmations);
            if is_confirmation(kind) && (is_push || self.listening || waits.is_some()) {
                reader.skip_value()?;
                let left = reader.next_data()?;
                self.listening = !is_push && left != Some(Token::Integer(0));
                return Ok(self.confirmed());
            }
            let is_message = matches!(kind, b"message" | b"pmessage" | b"smessage");
            if is_push || self.listening && is_message {
                return Ok(None);
            }
        } else if is_push {
            return Ok(None);
        }
        // What MONITOR shows begins with the time.
        if self.monitoring
            && let Some(Token::SimpleString([b'0'..=b'9', ..])) = first
        {
            return Ok(None);
        }
        let Some(done) = self.waiting.pop_front() else {
            return Ok(None);
        };
        let failed = frame_kind(frame) == FrameKind::Error;
        match done.name.as_str() {
            "monitor" if !failed => self.monitoring = true,
            "reset" => (self.monitoring, self.listening) = (false, false),
            _ => {}
        }
        Ok(Some((done.name, done.since.elapsed())))
    }

    fn confirmed(&mut self) -> Option<(String, Duration)> {
        let missing = self.waiting.front_mut()?.confirmations.as_mut()?;
        *missing -= 1;
        if *missing > 0 {
            return None;
        }
        let done = self.waiting.pop_front()?;
        Some((done.name, done.since.elapsed()))
    }
}

/// A command that is answered by a push for each of its arguments; the pushes are called so, too.
fn is_confirmation(name: &[u8]) -> bool {
    matches!(
        name,
        b"subscribe"
            | b"unsubscribe"
            | b"psubscribe"
            | b"punsubscribe"
            | b"ssubscribe"
            | b"sunsubscribe"
    )
}

/// What all connections together have seen.
#[derive(Default)]
pub(crate) struct Table(BTreeMap<String, Row>);

#[derive(Default)]
struct Row {
    count: u32,
    total: Duration,
    longest: Duration,
}

impl Table {
    fn add(&mut self, name: String, took: Duration) {
        let row = self.0.entry(name).or_default();
        row.count += 1;
        row.total += took;
        row.longest = row.longest.max(took);
    }

    /// How often each command was answered.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> BTreeMap<&str, u32> {
        self.0.iter().map(|(name, row)| (name.as_str(), row.count)).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:16} {:>10} {:>12} {:>12}", "command", "count", "mean us", "max us")?;
        for (name, row) in &self.0 {
            let mean = row.total.as_secs_f64() * 1e6 / f64::from(row.count.max(1));
            let longest = row.longest.as_secs_f64() * 1e6;
            writeln!(f, "{name:16} {:>10} {mean:>12.1} {longest:>12.1}", row.count)?;
        }
        Ok(())
    }
}
