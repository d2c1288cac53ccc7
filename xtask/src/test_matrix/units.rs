//! Unit, integration and documentation tests, run by cargo and counted from what they print.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    time::{Duration, Instant},
};

use super::report::Counts;
use crate::{
    Result,
    process::{cargo, tied},
    workspace,
};

/// The default members: nobody who tests has to build the peers of the benchmarks. Then what has a feature, with it.
const RUNS: [&[&str]; 3] = [
    &[],
    &["--package", "redis-core", "--features", "json"],
    &[
        "--package",
        "redis-async",
        "--package",
        "redis-sync",
        "--package",
        "redis-tokio",
        "--package",
        "redis-smol",
        "--features",
        "redis-sync/tls,redis-tokio/tls,redis-smol/tls",
        "--lib",
        "--test",
        "tls",
    ],
];

/// What came of them.
#[derive(Default)]
pub(super) struct Units {
    pub(super) counts: Counts,
    pub(super) took: Duration,
    /// The names of those that failed: their output is far above when all is done.
    pub(super) failed: Vec<String>,
    /// What those say that could not run; cargo counts them among the passed ones.
    pub(super) skipped: Vec<String>,
}

/// Runs all of them, their output shown as it comes.
pub(super) fn run() -> Result<Units> {
    println!("== unit, integration and documentation tests");
    let began = Instant::now();
    let mut units = Units::default();
    for arguments in RUNS {
        add(arguments, &mut units)?;
    }
    units.took = began.elapsed();
    Ok(units)
}

fn add(arguments: &[&str], units: &mut Units) -> Result<()> {
    let mut command = cargo();
    command.args(["test", "--no-fail-fast"]).args(arguments).current_dir(workspace());
    let mut child = tied(&command).stdout(Stdio::piped()).spawn()?;
    let mut counts = Counts::default();
    let (failed, skipped) = (&mut units.failed, &mut units.skipped);
    let told = skipped.len();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            counts += counted(&line).unwrap_or_default();
            failed.extend(failure(&line).map(str::to_owned));
            skipped.extend(skip(&line).map(str::to_owned));
        }
    }
    let status = child.wait()?;
    if !status.success() && counts.failed == 0 {
        failed.push(format!("`cargo test` itself ({status})"));
        counts.failed += 1;
    }
    let told = skipped.len() - told;
    counts.skipped += told;
    counts.passed = counts.passed.saturating_sub(told);
    units.counts += counts;
    Ok(())
}

/// The name in a line such as `test a::b ... FAILED`.
fn failure(line: &str) -> Option<&str> {
    line.strip_prefix("test ")?.strip_suffix(" ... FAILED")
}

/// What a test says through `testkit::skipped`. With one test at a time its name goes before.
fn skip(line: &str) -> Option<&str> {
    let said = match line.strip_prefix("test ") {
        Some(test) => test.split_once(" ... ")?.1,
        None => line,
    };
    said.strip_prefix("skipped: ")
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

    #[test]
    fn failures_are_named() {
        assert_eq!(failure("test a::b ... FAILED"), Some("a::b"));
        assert_eq!(failure("test a::b ... ok"), None);
    }

    #[test]
    fn skips_are_told_apart_from_what_passed() {
        assert_eq!(skip("skipped: a::b: no tool"), Some("a::b: no tool"));
        assert_eq!(skip("test a::b ... skipped: main: no tool"), Some("main: no tool"));
        assert_eq!(skip("test a::skipped: ... ok"), None);
        assert_eq!(skip("test a::b ... ok"), None);
    }
}
