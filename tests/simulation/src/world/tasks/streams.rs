//! Results that are handed on as they come, as the adapters' `execute_each` does it: each once, in order,
//! and no more of them held than there is room for.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::RngExt;
use redis_core::batch::Ticket;
use redis_core::pipeline::{Each, Run, Sent};
use redis_core::{Result, Value, decode};
use resp_proto::{FrameReader, Token};

use super::super::audit::{Check, Outcome, Violation, broken, tag};
use super::super::link::Style;
use super::super::{Life, SLACK, World};
use super::{State, What};
use crate::pick;

/// A pipeline whose results are handed on, and how far that has come.
pub(super) struct Stream {
    pub(super) sent: Sent,
    pub(super) atomic: bool,
    /// The commands whose replies are among the results.
    pub(super) shown: Vec<u32>,
    /// Runs of frames that were taken, in this attempt.
    taken: Vec<Bytes>,
    /// Runs that are there and not taken, and their bytes.
    held: Vec<Bytes>,
    bytes: usize,
    /// With so many bytes held nothing is read.
    most: usize,
    /// When the user, who takes time for each result, comes back to take more.
    takes_at: Option<Instant>,
    /// Results handed on, in all attempts.
    handed_on: usize,
    /// The user wants no more than these.
    wants: usize,
    /// No more comes: all was there, or why not.
    ended: Option<Result<()>>,
}

impl Stream {
    pub(super) fn new(
        sent: Sent,
        atomic: bool,
        shown: Vec<u32>,
        most: usize,
        wants: usize,
    ) -> Self {
        Self {
            sent,
            atomic,
            shown,
            taken: Vec::new(),
            held: Vec::new(),
            bytes: 0,
            most,
            takes_at: None,
            handed_on: 0,
            wants,
            ended: None,
        }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.takes_at
    }

    /// It is sent, for the first time or again.
    pub(super) fn begin(&mut self, id: u64) -> Check {
        self.taken.clear();
        self.held.clear();
        (self.bytes, self.takes_at, self.ended) = (0, None, None);
        match self.handed_on {
            0 => Ok(()),
            n => Err(broken(4, format!("operation {id} is sent again, and {n} results are out"))),
        }
    }

    /// Whether its connection is not to be read for now.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= self.most
    }

    /// The raw replies of its commands that have been taken, as far as they can be told apart.
    fn replies<'a>(&self, all: &'a [u8]) -> Vec<&'a [u8]> {
        let mut reader = FrameReader::new(all);
        if self.atomic {
            for _ in 0..self.sent.replies() - 1 {
                if reader.skip_value().is_err() {
                    return Vec::new();
                }
            }
            if !matches!(reader.next_token(), Ok(Some(Token::Array(Some(_))))) {
                return Vec::new();
            }
        }
        std::iter::from_fn(|| reader.skip_value().ok()).collect()
    }
}

impl World {
    /// Some replies have come for a stream.
    pub(super) fn hold(&mut self, at: usize, ticket: Ticket, frames: Bytes, done: bool) -> Check {
        let now = self.now;
        let task = &mut self.tasks[at];
        let Some(op) = &mut task.op else { return Ok(()) };
        let What::Each(stream) = &mut op.what else { return Ok(()) };
        stream.bytes += frames.len();
        stream.held.push(frames);
        let pause = match op.style {
            // Whoever waits for replies hands them on at once.
            Style::Sync => 0,
            _ => *pick(&mut task.rng, &[0, 0, 1, 30]),
        };
        stream.takes_at.get_or_insert(now + Duration::from_millis(pause));
        if !done {
            return Ok(());
        }
        self.tickets.insert(ticket.0, Life::Answered);
        self.audit.answered(op.id);
        self.end_stream(at, Ok(()))
    }

    /// A stream's exchange is over. What came before is still handed on.
    pub(super) fn end_stream(&mut self, at: usize, how: Result<()>) -> Check {
        let now = self.now;
        let Some(op) = &mut self.tasks[at].op else { return Ok(()) };
        let What::Each(stream) = &mut op.what else { return Ok(()) };
        if let Some(until) = op.until.filter(|until| now > *until + SLACK) {
            let late = now - until;
            return Err(broken(6, format!("operation {} was over {late:?} late", op.id)));
        }
        match &how {
            // The time that its user takes from now on is not the client's.
            Ok(()) => op.until = None,
            Err(_) => stream.takes_at = Some(now),
        }
        stream.takes_at.get_or_insert(now);
        stream.ended = Some(how);
        Ok(())
    }

    /// Hands on what is there, if its user is.
    pub(super) fn look_at_stream(&mut self, at: usize) -> std::result::Result<bool, Violation> {
        let now = self.now;
        let Some(op) = &mut self.tasks[at].op else { return Ok(false) };
        let (id, style, link) = (op.id, op.style, op.link);
        let What::Each(stream) = &mut op.what else { return Ok(false) };
        if stream.takes_at.is_none_or(|takes_at| takes_at > now) {
            return Ok(false);
        }
        stream.takes_at = None;
        stream.bytes = 0;
        let fresh = std::mem::take(&mut stream.held);
        let ended = stream.ended.take();
        let handed_on = self.hand_on(at, fresh)?;
        let Some(op) = &mut self.tasks[at].op else { return Ok(true) };
        let What::Each(stream) = &mut op.what else { return Ok(true) };
        let (n, shown) = (stream.handed_on, stream.shown.len());
        if n >= stream.wants {
            self.give_up_stream(at)?;
            return Ok(true);
        }
        let slow = style == Style::Sync && self.tasks[at].rng.random_bool(0.2);
        if let Some(link) = link.and_then(|link| self.links.get_mut(&link)).filter(|_| slow) {
            link.reads_at = link.reads_at.max(now + Duration::from_millis(5));
        }
        match (handed_on, ended) {
            (Err(error), _) => {
                Self::is_lie(&error)?;
                self.attempt_failed(at, error, true)?;
            }
            (Ok(()), None) => {}
            (Ok(()), Some(Err(error))) => self.attempt_failed(at, error, true)?,
            (Ok(()), Some(Ok(()))) => {
                if n != shown {
                    return Err(broken(4, format!("operation {id}: {n} of {shown} results")));
                }
                self.audit.attempted(id, None);
                self.resolve(at, Outcome::Done)?;
            }
        }
        Ok(true)
    }

    /// Hands on these frames, and compares the results with what the server answered.
    fn hand_on(
        &mut self,
        at: usize,
        fresh: Vec<Bytes>,
    ) -> std::result::Result<Result<()>, Violation> {
        let Some(op) = &mut self.tasks[at].op else { return Ok(Ok(())) };
        let id = op.id;
        let What::Each(stream) = &mut op.what else { return Ok(Ok(())) };
        let known = stream.taken.len();
        stream.taken.extend(fresh);
        // It borrows what is sent, and so can't be kept beside it: those before are told again.
        let mut each = Each::new(&stream.sent);
        let mut results: Vec<(usize, Result<Value>)> = Vec::new();
        let mut handled = Ok(());
        for (n, run) in stream.taken.iter().enumerate() {
            let mut take = |place, result| {
                if n >= known {
                    results.push((place, result));
                }
            };
            handled = each.handle_replies(Run { frames: run, memory: Some(run) }, &mut take);
            if handled.is_err() {
                break;
            }
        }
        let all = stream.taken.concat();
        let replies = stream.replies(&all);
        for (place, told) in results {
            let next = stream.handed_on;
            stream.handed_on += 1;
            let n = stream.shown.get(next).filter(|_| place == next);
            let Some((n, frame)) = n.and_then(|n| Some((*n, *replies.get(*n as usize)?))) else {
                let what = format!("operation {id} got result {place} where {next} was due");
                return Err(broken(4, what));
            };
            self.audit.reply(id, n, frame, self.now)?;
            let wanted = decode::<Value>(frame);
            let same = match (&told, &wanted) {
                (Ok(told), Ok(wanted)) => told == wanted,
                (Err(told), Err(wanted)) => told.message() == wanted.message(),
                _ => false,
            };
            if !same {
                let who = tag(id, n);
                return Err(broken(4, format!("{who} gave {told:?}, not {wanted:?}")));
            }
        }
        Ok(handled)
    }

    /// The user wants no more: the future is dropped, or the closure panics.
    fn give_up_stream(&mut self, at: usize) -> Check {
        if let Some(op) = &mut self.tasks[at].op {
            // Nobody looks at what the blocking client's connection still owes.
            op.dedicated |= op.style == Style::Sync;
        }
        self.cancel(at)
    }

    /// Whether a connection is not to be read, since its user does not take what is there.
    pub(in crate::world) fn is_held_up(&self, loan: Option<usize>) -> bool {
        let op = loan.and_then(|at| self.tasks[at].op.as_ref());
        op.is_some_and(|op| match &op.what {
            What::Each(stream) => op.style != Style::Sync && stream.is_full(),
            _ => false,
        })
    }

    /// Whether the task waits for the results of a stream.
    pub(super) fn is_streaming(&self, at: usize) -> bool {
        let op = self.tasks[at].op.as_ref();
        matches!(self.tasks[at].state, State::Exchanges(_))
            && op.is_some_and(|op| matches!(op.what, What::Each(_)))
    }
}
