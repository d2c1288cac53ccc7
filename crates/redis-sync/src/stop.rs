//! Ends a thread that reads, wherever it waits: for bytes, or for its next attempt to connect.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::stream::Stream;

#[derive(Debug, Default)]
pub(crate) struct Stop {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    /// What the thread may be reading.
    socket: Option<Stream>,
}

impl Stop {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        if let Some(socket) = state.socket.take() {
            socket.shutdown();
        }
        self.changed.notify_all();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.lock().stopped
    }

    /// The thread reads this from now on.
    pub(crate) fn watch(&self, stream: &Stream) -> io::Result<()> {
        let mut state = self.lock();
        match state.stopped {
            true => stream.shutdown(),
            false => state.socket = Some(stream.try_clone()?),
        }
        Ok(())
    }

    /// The thread reads nothing any longer.
    pub(crate) fn forget(&self) {
        self.lock().socket = None;
    }

    /// Waits until then, or until it is stopped.
    pub(crate) fn wait_until(&self, until: Instant) {
        let mut state = self.lock();
        while !state.stopped {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.changed.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}
