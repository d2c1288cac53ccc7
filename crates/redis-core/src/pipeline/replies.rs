//! The replies of a pipeline, and the types that take all of them.

use super::sent::{Frames, Sent};
use crate::command::Queue;
use crate::error::{Error, Result};
use crate::reply::{FromReply, Value};

/// The replies of one pipeline, one a command, in order.
#[derive(Debug)]
pub struct Replies<'a> {
    pub(super) sent: &'a Sent,
    pub(super) frames: Frames<'a>,
    pub(super) next: u32,
}

impl Replies<'_> {
    /// The next command's reply. The one behind it comes next, whatever became of this one.
    ///
    /// # Errors
    ///
    /// The command's error, or `Decode`, with the command's position and text.
    pub fn next_as<T: FromReply>(&mut self) -> Result<T> {
        if self.next == self.sent.count {
            return Err(Error::decode(format!("there are only {} replies", self.next)));
        }
        self.next += 1;
        if T::EXACT {
            // It is decoded where it stands; only a failure has to look for its end.
            let run = self.frames.run()?;
            let mut reader = run.reader();
            if reader.fail_on_error().is_ok()
                && let Ok(value) = T::from_reply(&mut reader)
            {
                run.frames = reader.rest();
                return Ok(value);
            }
        }
        let frame = self.frames.next_frame()?;
        let mut reader = frame.reader();
        reader
            .fail_on_error()
            .and_then(|()| T::from_reply(&mut reader))
            .map_err(|error| self.sent.explain(self.next, error))
    }

    /// Whether there are exactly `n` replies left.
    ///
    /// # Errors
    ///
    /// `Decode`, saying how many there are.
    pub fn expect(&self, n: usize) -> Result<()> {
        match self.len() {
            len if len == n => Ok(()),
            len => Err(Error::decode(format!("the pipeline has {len} replies, the type {n}"))),
        }
    }

    /// How many replies are left.
    pub fn len(&self) -> usize {
        (self.sent.count - self.next) as usize
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every reply, errors in their places.
    pub fn all(&mut self) -> Vec<Result<Value>> {
        (0..self.len()).map(|_| self.next_as()).collect()
    }
}

/// A type that all replies of a pipeline decode to: a tuple, a list, an array, or `()`.
pub trait FromReplies: Sized {
    /// Takes all replies.
    ///
    /// # Errors
    ///
    /// The first failed command's error; `Decode` when the count or a type does not fit.
    fn from_replies(replies: &mut Replies<'_>) -> Result<Self>;

    /// What an empty pipeline gives, which is not sent.
    ///
    /// # Errors
    ///
    /// `Decode` when the type wants replies.
    fn from_nothing() -> Result<Self> {
        let nothing = Sent { parts: Vec::new(), count: 0, atomic: false, block: None, once: false };
        Self::from_replies(&mut nothing.open([])?)
    }
}

impl<T: FromReply> FromReplies for Vec<T> {
    fn from_replies(replies: &mut Replies<'_>) -> Result<Self> {
        (0..replies.len()).map(|_| replies.next_as()).collect()
    }
}

impl<T: FromReply, const N: usize> FromReplies for [T; N] {
    fn from_replies(replies: &mut Replies<'_>) -> Result<Self> {
        replies.expect(N)?;
        let list: Vec<T> = Vec::from_replies(replies)?;
        list.try_into().map_err(|_| Error::decode("the count of replies changed while decoding"))
    }
}

/// Whatever the replies are, unless one is an error.
impl FromReplies for () {
    fn from_replies(replies: &mut Replies<'_>) -> Result<Self> {
        (0..replies.len()).try_for_each(|_| replies.next_as())
    }
}

/// A tuple of commands, whose replies are a tuple too.
pub trait Batched {
    /// The replies.
    type Output: FromReplies;

    /// Queues all of them.
    fn queue_all<Q: Queue>(self, queue: Q) -> Q;
}
