//! Runs seeds: `simulation --seeds N [--seed FIRST]`. A failure prints its seed and the command to replay it.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks by printing"
)]

use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (mut first, mut seeds) = (0, 2000);
    while let Some(arg) = args.next() {
        let value = args.next().and_then(|value| value.parse().ok());
        match (arg.as_str(), value) {
            ("--seed", Some(value)) => first = value,
            ("--seeds", Some(value)) => seeds = value,
            _ => {
                eprintln!("usage: simulation [--seeds N] [--seed FIRST]");
                return ExitCode::from(2);
            }
        }
    }
    let start = Instant::now();
    let mut failed = 0;
    for seed in first..first + seeds {
        if let Err(what) = simulation::run(seed) {
            failed += 1;
            println!("seed {seed}: {what}\n  replay: cargo xtask simulate --seed {seed} --seeds 1");
        }
    }
    println!("{seeds} seeds from {first} in {:.1?}", start.elapsed());
    println!("{} passed, {failed} failed", seeds - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
