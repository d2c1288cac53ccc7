//! Runs other programs for a verb: with a heading, their output shown as it comes, and a deadline.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::Result;

/// Runs `command` to its end, its output shown under `heading`. One that outlives `limit` is
/// killed.
///
/// # Errors
/// When it can't be started, outlives `limit`, or ends unsuccessfully.
pub(crate) fn run(heading: &str, command: &mut Command, limit: Duration) -> Result<()> {
    println!("== {heading}");
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child =
        command.spawn().map_err(|e| format!("`{program}` could not be started: {e}"))?;
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(1);
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("{heading}: `{program}` failed ({status})").into()),
            None if Instant::now() >= deadline => {
                child.kill()?;
                child.wait()?;
                return Err(format!("{heading}: `{program}` did not end within {limit:?}").into());
            }
            None => {
                thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(50));
            }
        }
    }
}

/// This toolchain's cargo.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
