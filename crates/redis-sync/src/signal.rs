//! Something that threads wait for.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Counts how often it happened: who has looked before it did does not miss it.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    count: Mutex<u64>,
    raised: Condvar,
}

impl Signal {
    fn lock(&self) -> MutexGuard<'_, u64> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn raise(&self) {
        *self.lock() += 1;
        self.raised.notify_all();
    }

    /// How often it happened.
    pub(crate) fn count(&self) -> u64 {
        *self.lock()
    }

    /// Waits until it has happened since it had so often, or until this time.
    pub(crate) fn wait(&self, seen: u64, until: Option<Instant>) {
        let mut count = self.lock();
        while *count == seen {
            count = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => self.raised.wait(count).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return,
                Some(left) => {
                    let waited = self.raised.wait_timeout(count, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}
