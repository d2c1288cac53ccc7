//! How a test says that it could not run.

use std::{
    fmt,
    io::{self, Write},
    thread,
};

/// Says that the test on this thread is skipped, and why: `skipped: NAME: REASON`, on a line of
/// standard output that the test harness does not swallow and `cargo xtask test-matrix` counts.
/// The test returns then; one that says nothing has passed.
pub fn skipped(reason: impl fmt::Display) {
    let thread = thread::current();
    let line = format!("skipped: {}: {reason}\n", thread.name().unwrap_or("a test"));
    // The harness swallows what `println!` writes. Who can't be told needs no telling.
    let _ = io::stdout().lock().write_all(line.as_bytes());
}
