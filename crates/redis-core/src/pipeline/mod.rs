//! Several commands sent as one, and their replies.
//!
//! Owns the queue, what goes around it (MULTI and EXEC), and how the replies are told apart: which one
//! belongs to which command, and which error is the one to report. Knows nothing of connections.

mod describe;
mod each;
mod mark;
mod replies;
mod sent;
#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use self::each::Each;
pub use self::mark::Mark;
pub use self::replies::{Batched, FromReplies, Replies};
pub use self::sent::{Gathered, Run, Sent};
use crate::command::{Block, Cmd, Command, Queue};
use crate::error::{Error, ErrorKind, Result};
use crate::script::Learnt;
use crate::send::SendBuffer;

const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

/// How many bytes a pipeline that was sent reserves for the next time, at the most.
const RESERVED: usize = 256 * 1024;

/// Queued commands.
#[derive(Debug, Default)]
pub struct Pipeline {
    out: SendBuffer,
    count: u32,
    /// The commands whose replies are not among the results, counted from 0, in order.
    ignored: Vec<u32>,
    plain: bool,
    block: Option<Block>,
    /// One of the commands must not run twice.
    once: bool,
    scripts: Learnt,
    /// What is known of each command, where that is kept.
    marks: Option<Vec<Mark>>,
    /// The first command that can't be sent.
    refused: Option<Error>,
}

impl Pipeline {
    /// An empty queue that is sent between MULTI and EXEC.
    pub fn atomic() -> Self {
        Self::default()
    }

    /// An empty queue whose commands are sent one by one, each to where it belongs: it keeps [marks](Self::mark).
    pub fn marked() -> Self {
        Self { plain: true, marks: Some(Vec::new()), ..Self::default() }
    }

    /// Whether the commands run as one transaction, without others in between: the default.
    pub fn set_transaction(&mut self, transaction: bool) {
        self.plain = !transaction;
    }

    /// Keeps what has to be known of each command to send it by itself, from the next one on. A script is
    /// then sent with its source each time: which servers know it can't be told.
    pub fn mark(&mut self) {
        self.marks.get_or_insert_default();
    }

    /// Adds a command.
    pub fn push<C: Command>(&mut self, command: C) {
        let cmd = command.into_cmd();
        if let Err(error) = cmd.check() {
            return self.refuse(error);
        }
        self.count += 1;
        if cmd.is_blocking() {
            self.block = Some(match (self.block, cmd.block()) {
                (None, block) => block,
                (Some(Block::For(a)), Block::For(b)) => Block::For(a + b),
                _ => Block::Forever,
            });
        }
        self.once = self.once || !cmd.is_repeatable();
        if let Some(script) = cmd.script()
            && (self.marks.is_some() || !self.scripts.knows(script))
            && let Some(whole) = cmd.with_source()
        {
            return self.append(&whole);
        }
        self.append(&cmd);
    }

    #[inline(always)] // Twice, of which one is rare.
    fn append<R>(&mut self, cmd: &Cmd<R>) {
        cmd.encode(&mut self.out);
        if let Some(marks) = &mut self.marks {
            marks.push(Mark::new(cmd, self.out.len()));
        }
    }

    /// Takes the place of a command that can't be sent: the first of them is why the pipeline can't.
    pub fn refuse(&mut self, error: Error) {
        self.count += 1;
        let position = self.count;
        self.refused.get_or_insert_with(|| error.with_context(format!("command {position}")));
    }

    /// Leaves the reply of the command that was queued last out of the results.
    ///
    /// Without one, [`take`](Self::take) fails with `InvalidRequest`.
    pub fn ignore(&mut self) {
        match self.count.checked_sub(1) {
            Some(last) if self.ignored.last() == Some(&last) => {}
            Some(last) => self.ignored.push(last),
            None => {
                let text = "nothing is queued that could be ignored: queue the command first";
                self.refused.get_or_insert_with(|| Error::new(ErrorKind::InvalidRequest, text));
            }
        }
    }

    /// Takes everything out of the queue, ready to be sent; the queue is empty then. None when it was.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when a command can't be sent; nothing is left of any then.
    pub fn take(&mut self) -> Result<Option<Sent>> {
        let queued = std::mem::take(self);
        self.plain = queued.plain;
        self.marks = queued.marks.as_ref().map(|_| Vec::new());
        // It is likely to be filled again as it was; what is large is better not held twice.
        self.out.reserve(queued.out.len().min(RESERVED));
        match queued.refused {
            Some(error) => Err(error),
            None if queued.count == 0 => Ok(None),
            None => Ok(Some(queued.into_sent())),
        }
    }

    /// As [`take`](Self::take), where each result is to go with one of so many keys.
    ///
    /// # Errors
    ///
    /// As [`take`](Self::take); `InvalidRequest` also when there are more or fewer keys than results.
    pub fn take_zipped(&mut self, keys: usize) -> Result<Option<Sent>> {
        let results = self.count as usize - self.ignored.len();
        let sent = self.take()?;
        if results == keys {
            return Ok(sent);
        }
        Err(Error::new(
            ErrorKind::InvalidRequest,
            format!(
                "{keys} keys do not fit {results} results: give one for each reply that is not ignored"
            ),
        ))
    }

    /// As [`take`](Self::take), for a transaction on a watching connection: an empty one is sent too.
    ///
    /// # Errors
    ///
    /// As [`take`](Self::take).
    pub fn take_watched(self) -> Result<Sent> {
        match self.refused {
            Some(error) => Err(error),
            None => Ok(self.into_sent()),
        }
    }

    fn into_sent(mut self) -> Sent {
        let atomic = !self.plain;
        let mut parts = Vec::new();
        if atomic {
            parts.push(Bytes::from_static(MULTI));
        }
        self.out.drain_into(&mut parts);
        if atomic {
            parts.push(Bytes::from_static(EXEC));
        }
        // Inside MULTI nothing blocks.
        let block = self.block.filter(|_| !atomic);
        let marks = self.marks.unwrap_or_default();
        let mut starts = Vec::new();
        if !marks.is_empty() {
            let mut at = 0;
            starts.extend(parts[usize::from(atomic)..].iter().map(|part| {
                at += part.len();
                at - part.len()
            }));
        }
        let Self { count, ignored, once, .. } = self;
        Sent { parts, count, ignored, atomic, block, once, marks, starts }
    }

    /// Empties the queue.
    pub fn clear(&mut self) {
        let (plain, marks) = (self.plain, self.marks.as_ref().map(|_| Vec::new()));
        *self = Self { plain, marks, ..Self::default() };
    }

    /// How many commands are queued.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl Queue for &mut Pipeline {
    fn queue<C: Command>(self, command: C) -> Self {
        self.push(command);
        self
    }
}
