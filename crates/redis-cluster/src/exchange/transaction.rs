//! The replies of a transaction on a cluster: whether it ran, or was refused as a whole.
//!
//! Owns when it can go elsewhere: only when EXEC was refused too, so that nothing of it was applied.

use redis_core::Error;

use super::part::Place;
use crate::merge::is_error;

/// The replies of one attempt, so far.
#[derive(Debug)]
pub(super) struct Frames {
    commands: u32,
    pub(super) places: Vec<Place>,
    /// The first error of a command while it was queued.
    refused: Option<Error>,
    /// MULTI itself was refused: the commands ran one by one.
    plain: bool,
}

impl Frames {
    pub(super) fn new(commands: usize) -> Self {
        Self { commands: commands as u32, places: Vec::new(), refused: None, plain: false }
    }

    /// Forgets what an attempt was told.
    pub(super) fn restart(&mut self) {
        *self = Self::new(self.commands as usize);
    }

    /// Keeps a frame. True when it was the last one, that of EXEC.
    pub(super) fn take(&mut self, place: Place, frame: &[u8]) -> bool {
        self.places.push(place);
        let seen = self.places.len() as u32;
        if seen < self.total() && is_error(frame) {
            self.plain |= seen == 1;
            if self.refused.is_none() {
                self.refused = redis_core::decode::<()>(frame).err();
            }
        }
        seen == self.total()
    }

    /// Why nothing was applied, with what EXEC said; none where something may have been.
    pub(super) fn refusal(&mut self, exec: &[u8]) -> Option<Error> {
        if self.plain || !is_error(exec) {
            return None;
        }
        self.refused.take().or_else(|| redis_core::decode::<()>(exec).err())
    }

    /// How many frames answer it: those of MULTI and EXEC among them.
    pub(super) fn total(&self) -> u32 {
        self.commands + 2
    }
}
