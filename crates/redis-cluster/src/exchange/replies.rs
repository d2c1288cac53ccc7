//! What came of a request: replies in the caller's order, as runs of the memory they came in.
//!
//! Owns how they are handed out. Knows nothing of how they came about.

use bytes::Bytes;
use redis_core::pipeline::{Gathered, Replies, Run, Sent};
use redis_core::{Error, ErrorKind, Result};

use super::Exchange;
use super::part::{Part, Place, State};
use crate::registry::NodeId;

/// Of a pipeline that is no transaction: its commands are the first parts.
impl Gathered for Exchange {
    #[inline]
    fn reply_to(&self, command: usize) -> Result<Run<'_>> {
        self.run_of(&self.parts[command])
    }
}

impl Exchange {
    pub(super) fn frame(&self, place: Place) -> &[u8] {
        &self.chunks[place.chunk as usize][place.start..place.end]
    }

    /// Whether everything has an answer.
    pub fn is_over(&self) -> bool {
        self.open == 0
    }

    /// The reply frame of a single command.
    ///
    /// # Errors
    ///
    /// Why there is none: what its last attempt failed with, and how far any of them got. An error that the
    /// server replied is a frame.
    pub fn take_reply(&mut self) -> Result<Bytes> {
        let run = self.reply()?;
        Ok(run.memory.map_or_else(Bytes::new, |memory| memory.slice_ref(run.frames)))
    }

    /// As [`take_reply`](Self::take_reply), where it is.
    ///
    /// # Errors
    ///
    /// As [`take_reply`](Self::take_reply).
    pub fn reply(&self) -> Result<Run<'_>> {
        match self.parts.get(0) {
            Some(part) => self.run_of(part),
            None => Err(self.unanswered().clone()),
        }
    }

    /// The replies of a pipeline or transaction, in the order of its commands.
    ///
    /// # Errors
    ///
    /// Of a transaction, as [`Sent::open`], and what it failed with as a whole. The commands of a plain pipeline
    /// fail one by one.
    pub fn replies<'a>(&'a self, sent: &'a Sent) -> Result<Replies<'a>> {
        match (&self.transaction, self.parts.get(0).map(|part| &part.state)) {
            (None, _) => Ok(sent.gather(self)),
            (Some(_), Some(State::Failed(error))) => Err(error.clone()),
            (Some(frames), _) => sent.open(frames.places.iter().map(|place| self.run(*place))),
        }
    }

    /// The reply of a part.
    #[inline]
    fn run_of(&self, part: &Part) -> Result<Run<'_>> {
        match part.state.result() {
            Some(result) => result.map(|place| self.run(place)).map_err(Error::clone),
            None => Err(self.unanswered().clone()),
        }
    }

    fn run(&self, place: Place) -> Run<'_> {
        let memory = &self.chunks[place.chunk as usize];
        Run { frames: &memory[place.start..place.end], memory: Some(memory) }
    }

    /// What each node answered to a command that went to many, and is over.
    pub fn each_reply(&self, command: usize) -> impl Iterator<Item = (NodeId, Result<Run<'_>>)> {
        let group = self.groups.iter().find(|group| group.whole as usize == command);
        group.into_iter().flat_map(move |group| {
            group
                .nodes
                .iter()
                .enumerate()
                .map(move |(at, node)| (*node, self.run_of(&self.parts[group.first as usize + at])))
        })
    }

    /// The error of those who ask too early.
    pub(super) fn unanswered(&self) -> &'static Error {
        static ERROR: std::sync::LazyLock<Error> = std::sync::LazyLock::new(|| {
            Error::new(
                ErrorKind::InvalidRequest,
                "the request is not over: its reply is still to come",
            )
        });
        &ERROR
    }
}
