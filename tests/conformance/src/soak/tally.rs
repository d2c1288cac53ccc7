//! What the workloads count, and what they found wrong.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use redis_core::{Delivery, Error, ErrorKind, Result};

use crate::scenario::lock;

/// More than these are not kept.
const KEPT: usize = 20;

/// Counts over all workloads.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Calls: a command, a pipeline or a transaction each.
    pub(super) attempted: AtomicU64,
    pub(super) acknowledged: AtomicU64,
    /// Failed, and may have run.
    pub(super) doubtful: AtomicU64,
    pub(super) not_sent: AtomicU64,
    /// Answered by an error.
    pub(super) refused: AtomicU64,
    /// Dropped before they were done.
    pub(super) given_up: AtomicU64,
    /// Watched transactions that another one came before.
    pub(super) conflicts: AtomicU64,
    pub(super) messages: AtomicU64,
    /// Subscriptions that were made anew.
    pub(super) losses: AtomicU64,
    pub(super) popped: AtomicU64,
    violations: Mutex<Vec<String>>,
}

pub(super) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

/// What a caller knows of its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    DidNotRun,
    MayHaveRun,
}

impl Tally {
    pub(super) fn violation(&self, what: String) {
        let mut violations = lock(&self.violations);
        if violations.len() < KEPT {
            violations.push(what);
        }
    }

    pub(super) fn violations(&self) -> Vec<String> {
        lock(&self.violations).clone()
    }

    /// Counts a call.
    pub(super) fn note<T>(&self, result: Result<T>) -> Result<T, Fate> {
        add(&self.attempted, 1);
        match result {
            Ok(value) => {
                add(&self.acknowledged, 1);
                Ok(value)
            }
            Err(error) => Err(self.fate(&error)),
        }
    }

    /// An error that says something impossible is a violation.
    pub(super) fn expect(&self, error: &Error) {
        if !is_expected(error) {
            self.violation(format!("an error that nothing here explains: {error:?}"));
        }
    }

    /// What an error says of its call.
    pub(super) fn fate(&self, error: &Error) -> Fate {
        self.expect(error);
        match error.delivery() {
            _ if error.is_watch() => {
                add(&self.conflicts, 1);
                Fate::DidNotRun
            }
            Delivery::NotSent => {
                add(&self.not_sent, 1);
                Fate::DidNotRun
            }
            Delivery::Replied => {
                add(&self.refused, 1);
                Fate::DidNotRun
            }
            Delivery::MaybeExecuted => {
                add(&self.doubtful, 1);
                Fate::MayHaveRun
            }
        }
    }
}

fn is_expected(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Connect
        | ErrorKind::Io
        | ErrorKind::Closed
        | ErrorKind::Timeout
        | ErrorKind::Limit => error.delivery() != Delivery::Replied,
        // A server that comes back loads what it had.
        ErrorKind::Server => matches!(error.code(), Some("LOADING" | "SHUTDOWN")),
        ErrorKind::Watch => true,
        _ => false,
    }
}
