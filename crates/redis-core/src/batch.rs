//! Requests that are encoded, in the order they will be written.
//!
//! A batch is what callers fill and a connection empties: bytes and bookkeeping grow together, so their
//! orders can't diverge. Owns taking an entry back, bytes included. Knows nothing of what is sent already.

use std::time::{Duration, Instant};

use bytes::Bytes;
use resp_proto::Sink;

use crate::command::Cmd;
use crate::send::SendBuffer;

/// Names a request to the one who submitted it. Tickets of requests under way at one time must differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// When a request is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// Never.
    Never,
    /// This long after the connection takes it.
    In(Duration),
    /// At this time.
    At(Instant),
}

impl Deadline {
    /// The time itself, for a request that is taken now.
    #[inline]
    pub fn at(self, now: Instant) -> Option<Instant> {
        match self {
            Self::Never => None,
            Self::In(timeout) => now.checked_add(timeout),
            Self::At(time) => Some(time),
        }
    }

    /// The same deadline as a time, which counts from now where it was not one.
    #[must_use]
    pub fn from_now(self, now: Instant) -> Self {
        self.at(now).into()
    }

    /// The time itself, where it is known without knowing when the request is taken.
    pub fn known(self) -> Option<Instant> {
        match self {
            Self::At(time) => Some(time),
            Self::In(_) | Self::Never => None,
        }
    }
}

impl From<Option<Instant>> for Deadline {
    #[inline]
    fn from(time: Option<Instant>) -> Self {
        time.map_or(Self::Never, Self::At)
    }
}

impl From<Option<Duration>> for Deadline {
    #[inline]
    fn from(timeout: Option<Duration>) -> Self {
        timeout.map_or(Self::Never, Self::In)
    }
}

/// One request of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) ticket: Ticket,
    /// Reply frames that answer it: at least 1.
    pub(crate) replies: u32,
    /// Its encoded bytes.
    pub(crate) len: usize,
    pub(crate) deadline: Deadline,
    /// It is answered by pushes, with a fence behind it.
    pub(crate) fenced: bool,
}

/// Encoded requests in order.
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) out: SendBuffer,
    pub(crate) entries: Vec<Entry>,
}

impl Batch {
    /// Adds a request of one command.
    #[inline]
    pub fn push<R>(&mut self, ticket: Ticket, cmd: &Cmd<R>, deadline: Deadline) {
        let before = self.out.len();
        cmd.encode(&mut self.out);
        let len = self.out.len() - before;
        self.entries.push(Entry { ticket, replies: 1, len, deadline, fenced: false });
    }

    /// Adds a request of several commands, encoded, that have `replies` replies together.
    ///
    /// # Panics
    ///
    /// When `replies` is zero: nothing would ever answer the ticket.
    pub fn push_encoded(
        &mut self,
        ticket: Ticket,
        parts: &[Bytes],
        replies: u32,
        deadline: Deadline,
    ) {
        assert!(replies > 0, "a request without replies is never answered");
        let mut len = 0;
        for part in parts {
            len += part.len();
            if part.len() < crate::command::SEGMENT {
                self.out.put(part);
            } else {
                self.out.push_shared(part.clone());
            }
        }
        self.entries.push(Entry { ticket, replies, len, deadline, fenced: false });
    }

    /// Adds a request that has `replies` replies together; `write` appends its bytes.
    ///
    /// # Panics
    ///
    /// When `replies` is zero: nothing would ever answer the ticket.
    pub fn push_with(
        &mut self,
        ticket: Ticket,
        replies: u32,
        deadline: Deadline,
        write: impl FnOnce(&mut SendBuffer),
    ) {
        assert!(replies > 0, "a request without replies is never answered");
        let before = self.out.len();
        write(&mut self.out);
        let len = self.out.len() - before;
        self.entries.push(Entry { ticket, replies, len, deadline, fenced: false });
    }

    /// Adds a command that pushes answer, or an error: what a subscriber sends on a connection of commands, which
    /// must speak RESP3. A `HELLO` goes behind it as a fence, so that something answers in its place in any case: the
    /// request's only reply is the fence's, or there are two, of which the first is the error.
    ///
    /// No other command will do as a fence: it answers while the server has no data, whatever the user may run. A
    /// `PING` that is refused, behind a command that was not, could not be told from a command that was refused.
    pub fn push_fenced(&mut self, ticket: Ticket, command: &mut SendBuffer) {
        let before = self.out.len();
        self.out.append(command);
        Cmd::<()>::raw("HELLO").arg(3).encode(&mut self.out);
        let len = self.out.len() - before;
        let deadline = Deadline::Never;
        self.entries.push(Entry { ticket, replies: 1, len, deadline, fenced: true });
    }

    /// Moves all requests of `other` behind these.
    pub fn append(&mut self, other: &mut Self) {
        self.out.append(&mut other.out);
        self.entries.append(&mut other.entries);
    }

    /// Takes a request back, its bytes included. False when it is not here.
    pub fn take_back(&mut self, ticket: Ticket) -> bool {
        // The latest are the likeliest: go from the end.
        let mut end = self.out.len();
        for at in (0..self.entries.len()).rev() {
            let start = end - self.entries[at].len;
            if self.entries[at].ticket == ticket {
                self.out.remove(start..end);
                self.entries.remove(at);
                return true;
            }
            end = start;
        }
        false
    }

    /// Takes back every request whose deadline has passed, and turns relative deadlines into times: a
    /// batch that waits for its connection is held to this each time it is looked at.
    pub fn expire(&mut self, now: Instant, mut expired: impl FnMut(Ticket)) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        let mut start = 0;
        let out = &mut self.out;
        self.entries.retain_mut(|entry| {
            let Some(time) = entry.deadline.at(now) else {
                start += entry.len;
                return true;
            };
            if time <= now {
                out.remove(start..start + entry.len);
                expired(entry.ticket);
                return false;
            }
            entry.deadline = Deadline::At(time);
            next = Some(next.map_or(time, |next| next.min(time)));
            start += entry.len;
            true
        });
        next
    }

    /// Takes back everything.
    pub fn clear(&mut self, mut taken: impl FnMut(Ticket, Deadline)) {
        self.out.clear();
        for entry in self.entries.drain(..) {
            taken(entry.ticket, entry.deadline);
        }
    }

    /// How many requests there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Their bytes.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.out.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cmd(word: &str) -> Cmd<()> {
        Cmd::raw(word)
    }

    #[test]
    fn a_request_taken_back_leaves_no_bytes_and_no_entry() {
        let mut batch = Batch::default();
        for (n, word) in ["A", "BB", "CCC"].iter().enumerate() {
            batch.push(Ticket(n as u64), &cmd(word), Deadline::Never);
        }
        assert!(batch.take_back(Ticket(1)));
        assert!(!batch.take_back(Ticket(1)));
        assert_eq!(batch.out.to_vec(), [cmd("A").to_vec(), cmd("CCC").to_vec()].concat());
        assert!(batch.take_back(Ticket(2)));
        assert!(batch.take_back(Ticket(0)));
        assert!(batch.is_empty() && batch.bytes() == 0);
    }

    #[test]
    fn deadlines_cover_the_wait_in_a_batch() {
        let start = Instant::now();
        let later = |millis| start + Duration::from_millis(millis);
        let mut batch = Batch::default();
        batch.push(Ticket(0), &cmd("A"), Deadline::In(Duration::from_millis(10)));
        batch.push(Ticket(1), &cmd("BB"), Deadline::Never);
        batch.push(Ticket(2), &cmd("CCC"), Deadline::At(later(5)));
        assert_eq!(batch.expire(start, |_| panic!("nothing is due")), Some(later(5)));
        let mut expired = Vec::new();
        assert_eq!(batch.expire(later(5), |ticket| expired.push(ticket)), Some(later(10)));
        assert_eq!(batch.expire(later(10), |ticket| expired.push(ticket)), None);
        assert_eq!(expired, [Ticket(2), Ticket(0)]);
        assert_eq!(batch.out.to_vec(), cmd("BB").to_vec());
    }
}
