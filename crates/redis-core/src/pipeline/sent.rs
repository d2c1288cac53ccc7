//! Commands on their way: how many replies they want, and what those of a transaction say as a whole.

use std::fmt;
use std::ops::Range;
use std::vec;

use bytes::Bytes;
use resp_proto::{FrameReader, Token};

use super::describe::Names;
use super::mark::Mark;
use super::replies::Replies;
use crate::command::Block;
use crate::error::{Delivery, Error, ErrorKind, Result};
use crate::reply::ReplyReader;

/// Commands on their way, kept to tell their replies apart and to name them in errors.
#[derive(Clone, Debug)]
pub struct Sent {
    pub(super) parts: Vec<Bytes>,
    pub(super) count: u32,
    /// The commands whose replies are not among the results, counted from 0, in order.
    pub(super) ignored: Vec<u32>,
    pub(super) atomic: bool,
    pub(super) block: Option<Block>,
    pub(super) once: bool,
    pub(super) marks: Vec<Mark>,
    /// Where each part begins that is not MULTI; nothing without marks.
    pub(super) starts: Vec<usize>,
}

/// A run of whole reply frames, and the memory that it is part of where that can be shared.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// The frames.
    pub frames: &'a [u8],
    /// What large `Bytes` are to share.
    pub memory: Option<&'a Bytes>,
}

impl Sent {
    /// The encoded commands, MULTI and EXEC included.
    pub fn parts(&self) -> &[Bytes] {
        &self.parts
    }

    /// How many reply frames will come.
    pub fn replies(&self) -> u32 {
        self.count + if self.atomic { 2 } else { 0 }
    }

    /// How many results come of it: as many as there are commands, but for those whose replies are ignored.
    pub fn results(&self) -> usize {
        self.count as usize - self.ignored.len()
    }

    /// How long the server may hold the connection; `Never` for most.
    pub fn block(&self) -> Block {
        self.block.unwrap_or(Block::Never)
    }

    /// Whether it does no harm when all of it runs twice.
    pub fn is_repeatable(&self) -> bool {
        !self.once
    }

    /// Looks at all replies that came.
    ///
    /// # Errors
    ///
    /// For a transaction: the error of the first command that was refused while queueing, `Watch` when a
    /// watched key changed, or what EXEC failed with; nothing was applied then. When MULTI itself was
    /// refused, as to a user who has no right to it, its error: the commands ran one by one. `Protocol` when
    /// the replies can't be these commands': the connection is out of step and must be closed.
    pub fn open<'a>(&'a self, runs: impl IntoIterator<Item = Run<'a>>) -> Result<Replies<'a>> {
        let mut frames = Frames::new(runs);
        if self.atomic {
            let mut queueing = Queueing::default();
            frames = loop {
                let frame = frames.next_frame()?;
                if let Some(results) = queueing.handle_frame(self, frame)? {
                    break Frames::of(results);
                }
            };
        }
        Ok(Replies::new(self, frames))
    }

    /// Looks at replies that were gathered one by one. The commands were not sent as a transaction.
    pub fn gather<'a>(&'a self, replies: &'a dyn Gathered) -> Replies<'a> {
        Replies::new(self, Frames::gathered(replies, self.commands()))
    }

    /// Whether MULTI and EXEC are around it.
    pub fn is_atomic(&self) -> bool {
        self.atomic
    }

    /// How many commands it has.
    pub fn commands(&self) -> usize {
        self.count as usize
    }

    /// The error of the command at this position, which counts from 1.
    pub(super) fn explain(&self, names: &mut Names<'_>, position: u32, error: Error) -> Error {
        let command = names.describe(position - 1 + u32::from(self.atomic));
        error.with_context(format!("command {position} of {} (`{command}`)", self.count))
    }
}

/// What comes before the replies of a transaction: what MULTI says, whether each command was queued, and
/// the one frame that EXEC gives.
#[derive(Debug, Default)]
pub(super) struct Queueing {
    /// Frames that have come.
    seen: u32,
    /// The first refusal: nothing will be applied.
    refused: Option<Error>,
}

impl Queueing {
    /// Takes the next frame. With the last one come the commands' replies.
    pub(super) fn handle_frame<'a>(
        &mut self,
        sent: &Sent,
        frame: Run<'a>,
    ) -> Result<Option<Run<'a>>> {
        let position = self.seen;
        self.seen += 1;
        if position <= sent.count {
            if self.refused.is_none()
                && let Err(error) = frame.reader().fail_on_error()
            {
                self.refused = Some(match position {
                    // The commands behind it were written already: the server takes them for plain ones.
                    0 => error.with_context(
                        "MULTI was refused, so that the commands ran one by one, if at all",
                    ),
                    _ => sent.explain(&mut Names::new(&sent.parts), position, error),
                });
            }
            return Ok(None);
        }
        if let Some(error) = self.refused.take() {
            return Err(error);
        }
        let mut reader = frame.reader();
        match reader.token().map_err(|error| error.with_context("EXEC"))? {
            Token::Null => {
                let error = Error::new(
                    ErrorKind::Watch,
                    "a watched key changed, so that nothing was applied: start over",
                );
                Err(error.with_delivery(Delivery::Replied))
            }
            Token::Array(Some(len)) if len == sent.count as usize => {
                Ok(Some(Run { frames: reader.rest(), memory: frame.memory }))
            }
            _ => Err(out_of_step()),
        }
    }
}

pub(super) fn out_of_step() -> Error {
    Error::new(
        ErrorKind::Protocol,
        "the replies do not match the commands: the connection is out of step",
    )
    .with_delivery(Delivery::MaybeExecuted)
}

/// Replies that came one by one, by several ways.
pub trait Gathered: fmt::Debug + Sync {
    /// The reply frame of the command at this position, counted from 0.
    ///
    /// # Errors
    ///
    /// Why there is none.
    fn reply_to(&self, command: usize) -> Result<Run<'_>>;
}

/// Frames, run by run.
#[derive(Debug)]
pub(super) struct Frames<'a> {
    now: Run<'a>,
    rest: Rest<'a>,
}

#[derive(Debug)]
enum Rest<'a> {
    Runs(vec::IntoIter<Run<'a>>),
    Gathered(&'a dyn Gathered, Range<usize>),
}

impl<'a> Frames<'a> {
    pub(super) fn new(runs: impl IntoIterator<Item = Run<'a>>) -> Self {
        let runs: Vec<_> = runs.into_iter().collect();
        Self { now: Run { frames: &[], memory: None }, rest: Rest::Runs(runs.into_iter()) }
    }

    /// So many, of which some may be missing.
    fn gathered(replies: &'a dyn Gathered, count: usize) -> Self {
        Self { now: Run { frames: &[], memory: None }, rest: Rest::Gathered(replies, 0..count) }
    }

    /// Those of one run.
    pub(super) fn of(run: Run<'a>) -> Self {
        Self { now: run, rest: Rest::Runs(Vec::new().into_iter()) }
    }

    /// Whether no frame is left in the run that is looked at.
    #[inline]
    pub(super) fn is_run_over(&self) -> bool {
        self.now.frames.is_empty()
    }

    /// The run that the next frame is in.
    #[inline]
    pub(super) fn run(&mut self) -> Result<&mut Run<'a>> {
        while self.now.frames.is_empty() {
            let next = match &mut self.rest {
                Rest::Runs(runs) => runs.next().map(Ok),
                Rest::Gathered(replies, left) => left.next().map(|at| replies.reply_to(at)),
            };
            self.now = next.ok_or_else(out_of_step)??;
        }
        Ok(&mut self.now)
    }

    pub(super) fn next_frame(&mut self) -> Result<Run<'a>> {
        let run = self.run()?;
        let mut reader = FrameReader::new(run.frames);
        let frame = reader.skip_value().map_err(Error::from)?;
        run.frames = reader.remaining();
        Ok(Run { frames: frame, memory: run.memory })
    }
}

impl<'a> Run<'a> {
    #[inline]
    pub(super) fn reader(&self) -> ReplyReader<'a> {
        match self.memory {
            Some(memory) => ReplyReader::shared(self.frames, memory),
            None => ReplyReader::new(self.frames),
        }
    }
}
