//! The replies of a pipeline, and the types that take all of them.

use super::describe::Names;
use super::sent::{Frames, Sent};
use crate::command::Queue;
use crate::error::{Delivery, Error, Result};
use crate::reply::{FromReply, Value};

/// Which command the next reply belongs to.
#[derive(Debug)]
pub(super) struct Decoder<'a> {
    sent: &'a Sent,
    pub(super) names: Names<'a>,
    /// Commands whose replies were taken.
    taken: u32,
    /// Of those to come: whose replies are not among the results.
    ignored: &'a [u32],
}

impl<'a> Decoder<'a> {
    pub(super) fn new(sent: &'a Sent) -> Self {
        Self { sent, names: Names::new(&sent.parts), taken: 0, ignored: &sent.ignored }
    }

    /// Takes the next reply.
    pub(super) fn next_as<T: FromReply>(&mut self, frames: &mut Frames<'_>) -> Result<T> {
        self.taken += 1;
        if T::EXACT {
            // It is decoded where it stands; only a failure has to look for its end.
            let run = frames.run().map_err(|error| self.explain(error))?;
            let mut reader = run.reader();
            if reader.fail_on_error().is_ok()
                && let Ok(value) = T::from_reply(&mut reader)
            {
                run.frames = reader.rest();
                return Ok(value);
            }
        }
        let frame = frames.next_frame().map_err(|error| self.explain(error))?;
        let mut reader = frame.reader();
        reader
            .fail_on_error()
            .and_then(|()| T::from_reply(&mut reader))
            .map_err(|error| self.explain(error))
    }

    /// Takes the next reply if it is not among the results, and tells whether its command failed.
    #[inline]
    pub(super) fn pass_ignored(&mut self, frames: &mut Frames<'_>) -> Option<Result<()>> {
        let (_, rest) = self.ignored.split_first().filter(|(next, _)| **next == self.taken)?;
        self.ignored = rest;
        Some(self.pass(frames))
    }

    fn pass(&mut self, frames: &mut Frames<'_>) -> Result<()> {
        self.taken += 1;
        let frame = frames.next_frame().map_err(|error| self.explain(error))?;
        frame.reader().fail_on_error().map_err(|error| self.explain(error))
    }

    fn explain(&mut self, error: Error) -> Error {
        self.sent.explain(&mut self.names, self.taken, error)
    }

    /// Whether all replies were taken.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.taken == self.sent.count
    }

    /// How many results are left.
    #[inline]
    fn len(&self) -> usize {
        (self.sent.count - self.taken) as usize - self.ignored.len()
    }
}

/// The results of one pipeline in order: one a command, but for those whose replies are ignored.
#[derive(Debug)]
pub struct Replies<'a> {
    pub(super) decoder: Decoder<'a>,
    frames: Frames<'a>,
}

impl<'a> Replies<'a> {
    pub(super) fn new(sent: &'a Sent, frames: Frames<'a>) -> Self {
        Self { decoder: Decoder::new(sent), frames }
    }

    /// All results as one value.
    ///
    /// # Errors
    ///
    /// The first failed command's error, whether its reply is ignored or not; `Decode` when the count or a
    /// type does not fit.
    pub fn decode<T: FromReplies>(&mut self) -> Result<T> {
        let value = T::from_replies(self)?;
        self.pass_ignored()?;
        Ok(value)
    }

    /// Each result with the key in its place.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    pub fn zip<K, V: FromReply, M: FromIterator<(K, V)>>(&mut self, keys: Vec<K>) -> Result<M> {
        self.expect(keys.len())?;
        let pairs = keys.into_iter().map(|key| Ok((key, self.next_as()?)));
        let map = pairs.collect::<Result<M>>()?;
        self.pass_ignored()?;
        Ok(map)
    }

    /// The next result. The one behind it comes next, whatever became of this one.
    ///
    /// # Errors
    ///
    /// The command's error, or `Decode`, with the command's position and text; before that, the error of a
    /// command in between whose reply is ignored.
    pub fn next_as<T: FromReply>(&mut self) -> Result<T> {
        if self.is_empty() {
            let results = self.decoder.sent.results();
            return Err(Error::decode(format!("there are only {results} replies")));
        }
        self.pass_ignored()?;
        self.decoder.next_as(&mut self.frames)
    }

    #[inline]
    fn pass_ignored(&mut self) -> Result<()> {
        while let Some(passed) = self.decoder.pass_ignored(&mut self.frames) {
            passed?;
        }
        Ok(())
    }

    /// Whether there are exactly `n` results left.
    ///
    /// # Errors
    ///
    /// `Decode`, saying how many there are.
    pub fn expect(&self, n: usize) -> Result<()> {
        match self.len() {
            len if len == n => Ok(()),
            len => Err(Error::decode(format!(
                "the pipeline has {len} replies and the type wants {n}: it takes one for each command"
            ))),
        }
    }

    /// How many results are left.
    #[inline]
    pub fn len(&self) -> usize {
        self.decoder.len()
    }

    /// Whether none is left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hands each result on with its place, from 0, errors in their places. Of commands whose replies are ignored
    /// nothing shows.
    pub fn each<T: FromReply>(&mut self, mut each: impl FnMut(usize, Result<T>)) {
        for index in 0..self.len() {
            while self.decoder.pass_ignored(&mut self.frames).is_some() {}
            each(index, self.decoder.next_as(&mut self.frames));
        }
    }

    /// Every result, errors in their places. Of commands whose replies are ignored nothing shows.
    pub fn all(&mut self) -> Vec<Result<Value>> {
        let mut all = Vec::with_capacity(self.len());
        self.each(|_, result| all.push(result));
        all
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
        let nothing = Sent {
            parts: Vec::new(),
            count: 0,
            ignored: Vec::new(),
            atomic: false,
            block: None,
            once: false,
            marks: Vec::new(),
            starts: Vec::new(),
        };
        Self::from_replies(&mut nothing.open([])?)
            .map_err(|error| error.with_delivery(Delivery::NotSent))
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
