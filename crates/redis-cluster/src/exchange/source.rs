//! Where an exchange has its commands from.
//!
//! Owns nothing: commands stay with the caller, encoded once, and are written when they are sent.

use redis_core::Cmd;
use redis_core::pipeline::{Mark, Sent};
use redis_core::retry::Unit;
use redis_core::send::SendBuffer;

/// One command, or those of a pipeline that [marks](redis_core::pipeline::Pipeline::mark) them.
pub trait Source {
    /// How many commands there are.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether they are one transaction.
    fn is_atomic(&self) -> bool {
        false
    }

    /// What is known of one.
    fn mark(&self, index: usize) -> Mark;

    /// All words of one.
    fn words(&self, index: usize) -> Vec<&[u8]>;

    /// Appends one as it is sent.
    fn write(&self, index: usize, out: &mut SendBuffer);

    /// Appends all of them, MULTI and EXEC included.
    fn write_all(&self, out: &mut SendBuffer) {
        (0..self.len()).for_each(|index| self.write(index, out));
    }

    /// What all of them are, where they are sent as one.
    fn unit(&self) -> Unit {
        Unit::of(&self.mark(0))
    }
}

impl<R> Source for Cmd<R> {
    fn len(&self) -> usize {
        1
    }

    fn mark(&self, _: usize) -> Mark {
        Mark::of(self)
    }

    fn words(&self, _: usize) -> Vec<&[u8]> {
        Cmd::words(self).collect()
    }

    fn write(&self, _: usize, out: &mut SendBuffer) {
        self.encode(out);
    }
}

/// # Panics
///
/// Where the pipeline kept no marks, which is a bug of the caller.
impl Source for Sent {
    fn len(&self) -> usize {
        self.commands()
    }

    fn is_atomic(&self) -> bool {
        Self::is_atomic(self)
    }

    fn mark(&self, index: usize) -> Mark {
        self.marks()[index]
    }

    fn words(&self, index: usize) -> Vec<&[u8]> {
        Self::words(self, index)
    }

    fn write(&self, index: usize, out: &mut SendBuffer) {
        self.write_command(index, out);
    }

    fn write_all(&self, out: &mut SendBuffer) {
        self.parts().iter().for_each(|part| out.push_shared(part.clone()));
    }

    fn unit(&self) -> Unit {
        Unit::transaction(self)
    }
}
