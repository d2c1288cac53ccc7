//! Whether the peer is still there.
//!
//! Owns when a silent peer is asked for a sign of life, and when it is given up. Everything that arrives is
//! one, so that a busy connection is never asked.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use resp_proto::{FrameReader, Token};

use super::Role;
use crate::config::Config;

/// What a PING of a connection with this role says, and its answer: nobody else asks so. On one that
/// monitors, those of other connections are seen too.
pub(crate) fn question(role: Role) -> Cow<'static, str> {
    match role {
        Role::Monitor { token } => Cow::Owned(format!("health-check-{token:016x}")),
        Role::Commands | Role::Subscriber => Cow::Borrowed("health-check"),
    }
}

/// The watch over one connection's silence.
#[derive(Debug)]
pub(super) struct Health {
    interval: Option<Duration>,
    patience: Duration,
    question: Cow<'static, str>,
    heard: Instant,
    asked: Option<Instant>,
}

/// How such a server begins its refusals.
const WITHOUT_DATA: [&str; 2] = ["LOADING ", "MASTERDOWN "];

/// What it is time for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// Send a PING with what [`Health::ask`] says.
    Ask,
    /// The peer is gone.
    Lost,
}

impl Health {
    pub(super) fn new(config: &Config, role: Role, now: Instant) -> Self {
        let Config { health_interval: interval, connect_timeout: patience, .. } = *config;
        Self { interval, patience, question: question(role), heard: now, asked: None }
    }

    pub(super) fn handle_input(&mut self, now: Instant) {
        self.heard = now;
    }

    pub(super) fn handle_absence(&mut self, now: Instant) {
        self.heard = now;
    }

    /// When there is something to do. `waits`: answers are owed to those who have deadlines of their own,
    /// or may be held for ever; `overdue`: some are owed to nobody any longer.
    pub(super) fn poll_timeout(&self, waits: bool, overdue: bool) -> Option<Instant> {
        let interval = self.interval?;
        if let Some(asked) = self.asked {
            return Some(self.heard.max(asked) + self.patience);
        }
        match (waits, overdue) {
            (_, true) => Some(self.heard + interval.min(self.patience)),
            (true, false) => None,
            (false, false) => Some(self.heard + interval),
        }
    }

    pub(super) fn due(&self, now: Instant, waits: bool, overdue: bool) -> Due {
        match self.poll_timeout(waits, overdue) {
            Some(due) if due <= now && self.asked.is_some() => Due::Lost,
            Some(due) if due <= now => Due::Ask,
            _ => Due::Nothing,
        }
    }

    /// The question, which is put now.
    pub(super) fn ask(&mut self, now: Instant) -> &str {
        self.asked = Some(now);
        &self.question
    }

    /// The answer has come.
    pub(super) fn answered(&mut self) {
        self.asked = None;
    }

    /// Whether this frame is the answer that a subscriber gets: a bulk string, or `pong` and the string; or a
    /// refusal of a server without data, which runs no PING then and takes every subscription.
    pub(super) fn is_answer(&self, frame: &[u8]) -> bool {
        if self.asked.is_none() {
            return false;
        }
        let answer = self.question.as_bytes();
        let mut reader = FrameReader::new(frame);
        let mut next = || reader.next_data().ok().flatten();
        match next() {
            Some(Token::BulkString(text)) => text == answer,
            Some(Token::SimpleError(text)) => {
                WITHOUT_DATA.iter().any(|code| text.starts_with(code.as_bytes()))
            }
            Some(Token::Array(Some(2)) | Token::Push(2)) => {
                next() == Some(Token::BulkString(b"pong"))
                    && next() == Some(Token::BulkString(answer))
            }
            _ => false,
        }
    }

    /// When the peer last sent anything.
    pub(super) fn heard(&self) -> Instant {
        self.heard
    }
}
