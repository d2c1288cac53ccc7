//! Unit, integration and documentation tests, run by cargo and counted from what they print.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    time::{Duration, Instant},
};

use super::report::Counts;
use crate::{
    Result, check,
    process::{cargo, tied},
    workspace,
};

/// Runs all of them, their output shown as it comes.
pub(super) fn run() -> Result<(Counts, Duration)> {
    println!("== unit, integration and documentation tests");
    let began = Instant::now();
    let mut command = cargo();
    command.args(["test", "--workspace", "--no-fail-fast"]).current_dir(workspace());
    for package in check::EXCLUDED {
        command.args(["--exclude", package]);
    }
    let mut child = tied(&command).stdout(Stdio::piped()).spawn()?;
    let mut counts = Counts::default();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            counts += counted(&line).unwrap_or_default();
        }
    }
    let status = child.wait()?;
    if !status.success() && counts.failed == 0 {
        println!("`cargo test` failed ({status}): counted as one failure");
        counts.failed += 1;
    }
    Ok((counts, began.elapsed()))
}

/// The counts of a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; ..`.
fn counted(line: &str) -> Option<Counts> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut found = Counts::default();
    for part in counts.split("; ") {
        let Some((number, what)) = part.split_once(' ') else { continue };
        let Ok(number) = number.parse() else { continue };
        match what {
            "passed" => found.passed = number,
            "failed" => found.failed = number,
            "ignored" => found.skipped = number,
            _ => {}
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_counted_and_others_are_not() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; \
                    7 filtered out; finished in 0.01s";
        assert_eq!(counted(line), Some(Counts { passed: 12, failed: 3, skipped: 1 }));
        assert_eq!(
            counted("test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured"),
            Some(Counts::default())
        );
        assert_eq!(counted("test a::b ... ok"), None);
        assert_eq!(counted("running 3 tests"), None);
    }
}
