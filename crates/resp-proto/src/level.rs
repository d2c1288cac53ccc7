//! What an open aggregate still waits for, counted or streamed, in one number.

use crate::error::ProtocolErrorKind;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Level {
    /// Elements still to come, or one of the streamed marks less the elements that came.
    pub(crate) left: u64,
    /// Aggregates open here, this one included.
    pub(crate) depth: usize,
}

/// In front of a frame: one value to come, nothing open.
pub(crate) const FRAME: Level = Level { left: 1, depth: 0 };

/// Marks a streamed aggregate. It counts down from an even number that no frame can exhaust, so
/// that elements are taken off as everywhere else, and its lowest bit tells a key from a value.
pub(crate) const STREAMED: u64 = 1 << 63;
pub(crate) const STREAMED_MAP: u64 = 1 << 62;
pub(crate) const STREAMED_START: u64 = 1 << 60;

impl Level {
    /// Closes a streamed aggregate at its `.`, which then counts as its last element.
    pub(crate) fn end_streamed(&mut self) -> Result<(), ProtocolErrorKind> {
        if self.left & STREAMED == 0 {
            return Err(ProtocolErrorKind::UnexpectedEnd);
        }
        if self.left & STREAMED_MAP != 0 && self.left & 1 != 0 {
            return Err(ProtocolErrorKind::OddMap);
        }
        self.left = 1;
        Ok(())
    }
}
