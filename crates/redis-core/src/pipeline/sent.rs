//! Commands on their way: how many replies they want, and what those of a transaction say as a whole.

use bytes::Bytes;
use resp_proto::{FrameReader, Token};

use super::describe::describe;
use super::replies::Replies;
use crate::command::Block;
use crate::error::{Delivery, Error, ErrorKind, Result};
use crate::reply::ReplyReader;

/// Commands on their way, kept to tell their replies apart and to name them in errors.
#[derive(Clone, Debug)]
pub struct Sent {
    pub(super) parts: Vec<Bytes>,
    pub(super) count: u32,
    pub(super) atomic: bool,
    pub(super) block: Option<Block>,
    pub(super) once: bool,
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
    /// watched key changed, or what EXEC failed with; nothing was applied then. `Protocol` when the
    /// replies can't be these commands': the connection is out of step and must be closed.
    pub fn open<'a>(&'a self, runs: impl IntoIterator<Item = Run<'a>>) -> Result<Replies<'a>> {
        let mut frames = Frames { runs: runs.into_iter().collect(), at: 0 };
        if !self.atomic {
            return Ok(Replies { sent: self, frames, next: 0 });
        }
        let multi = frames.next_frame()?;
        multi.reader().fail_on_error().map_err(|error| error.with_context("MULTI"))?;
        let mut refused = None;
        for position in 1..=self.count {
            let queued = frames.next_frame()?;
            if let Err(error) = queued.reader().fail_on_error() {
                refused.get_or_insert_with(|| self.explain(position, error));
            }
        }
        let exec = frames.next_frame()?;
        if let Some(error) = refused {
            return Err(error);
        }
        let mut reader = exec.reader();
        let len = match reader.token().map_err(|error| error.with_context("EXEC"))? {
            Token::Null => {
                return Err(Error::new(
                    ErrorKind::Watch,
                    "a watched key changed: nothing was applied",
                ));
            }
            Token::Array(Some(len)) => len,
            _ => return Err(out_of_step()),
        };
        if len != self.count as usize {
            return Err(out_of_step());
        }
        let frames =
            Frames { runs: vec![Run { frames: reader.rest(), memory: exec.memory }], at: 0 };
        Ok(Replies { sent: self, frames, next: 0 })
    }

    pub(super) fn explain(&self, position: u32, error: Error) -> Error {
        let skip = position - 1 + u32::from(self.atomic);
        let command = describe(&self.parts, skip);
        error.with_context(format!("command {position} of {} (`{command}`)", self.count))
    }
}

fn out_of_step() -> Error {
    Error::new(
        ErrorKind::Protocol,
        "the replies do not match the commands: the connection is out of step",
    )
    .with_delivery(Delivery::MaybeExecuted)
}

/// Frames, run by run.
#[derive(Debug)]
pub(super) struct Frames<'a> {
    pub(super) runs: Vec<Run<'a>>,
    pub(super) at: usize,
}

impl<'a> Frames<'a> {
    /// The run that the next frame is in.
    #[inline]
    pub(super) fn run(&mut self) -> Result<&mut Run<'a>> {
        while self.runs.get(self.at).is_some_and(|run| run.frames.is_empty()) {
            self.at += 1;
        }
        self.runs.get_mut(self.at).ok_or_else(out_of_step)
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
