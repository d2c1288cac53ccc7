//! Instructions instead of time, which no noise changes: runs a program under valgrind's callgrind.
//! The kernel's share is not in them.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::job::Result;

/// Two counts of operations for so many tasks. Their difference takes away start and end.
pub fn ops(tasks: u64) -> (u64, u64) {
    let few = (4 * tasks).max(4_000);
    (few, 6 * few)
}

/// Runs `program`, whose arguments are still to be added, and writes its profile to `profile`.
pub fn command(program: &Path, profile: &Path) -> Command {
    let mut command = Command::new("valgrind");
    command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", profile.display()));
    command.arg(program);
    command
}

/// How many instructions a command of [`command`] took.
///
/// # Errors
/// When valgrind is not there, or the program failed.
pub fn instructions(command: &mut Command) -> Result<u64> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("valgrind could not be started: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    match collected(&said).filter(|_| output.status.success()) {
        Some(count) => Ok(count),
        None => Err(format!("valgrind: {}: {said}", output.status).into()),
    }
}

/// From the line `==PID== Collected : COUNT`.
fn collected(said: &str) -> Option<u64> {
    let (_, count) = said.split_once("Collected :")?;
    count.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_is_found() {
        let said = "==7== Events    : Ir\n==7== Collected : 227443\n==7== \n";
        assert_eq!(collected(said), Some(227_443));
        assert_eq!(collected(""), None);
    }
}
