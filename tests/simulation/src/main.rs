//! Runs seeds: `simulation --seeds N [--seed FIRST]`. A failure prints its seed and the command to replay it.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks by printing"
)]

use std::process::ExitCode;
use std::time::Instant;

use simulation::Settings;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let mut settings =
        Settings { first: 0, seeds: 2000, jobs: 1, keep_going: true, cluster: false, lines: 60 };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--stop" => settings.keep_going = false,
            "--cluster" => settings.cluster = true,
            _ => {}
        }
        if matches!(arg.as_str(), "--stop" | "--cluster") {
            continue;
        }
        let value = args.next().and_then(|value| value.parse().ok());
        match (arg.as_str(), value) {
            ("--seed", Some(value)) => settings.first = value,
            ("--seeds", Some(value)) => settings.seeds = value,
            ("--lines", Some(value)) => settings.lines = value as usize,
            ("--jobs", Some(value)) if value > 0 => settings.jobs = value as usize,
            _ => {
                eprintln!(
                    "usage: simulation [--seeds N] [--seed FIRST] [--jobs J] [--lines L] [--stop] [--cluster]"
                );
                return ExitCode::from(2);
            }
        }
    }
    // A panic is reported with its seed.
    std::panic::set_hook(Box::new(|_| {}));
    let start = Instant::now();
    let tally = simulation::run_all(&settings, |failure| println!("{failure}"));
    let took = start.elapsed();
    let per_minute = tally.seeds as f64 * 60.0 / took.as_secs_f64().max(0.001);
    println!(
        "{} seeds from {} in {took:.1?}: {per_minute:.0} a minute, {} commands run",
        tally.seeds, settings.first, tally.commands
    );
    println!("{} passed, {} failed", tally.seeds - tally.failed, tally.failed);
    if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
