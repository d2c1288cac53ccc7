//! The targets under the mutator, for machines where libFuzzer cannot be had.
//!
//! Usage: `fuzz TARGET SECONDS SEED FOLDER`. An input that trips is written into the folder.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to people by printing"
)]

use std::{
    env,
    error::Error,
    fs, panic,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use fuzz::{Mutator, TARGETS};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let [target, seconds, seed, folder] = &args[..] else {
        eprintln!("usage: fuzz TARGET SECONDS SEED FOLDER");
        return ExitCode::from(2);
    };
    match run(target, seconds, seed, Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(target: &str, seconds: &str, seed: &str, folder: &Path) -> Result<(), Box<dyn Error>> {
    let Some(target) = TARGETS.iter().find(|known| known.name == target) else {
        return Err(format!("no target `{target}`").into());
    };
    let end = Instant::now() + Duration::from_secs(seconds.parse()?);
    let mut mutator = Mutator::new(seed.parse()?);
    let inputs: Vec<_> = target.inputs()?.into_iter().map(|(_, bytes)| bytes).collect();
    if inputs.is_empty() {
        return Err(format!("{} is empty", target.corpus().display()).into());
    }
    let mut runs = 0u64;
    while Instant::now() < end {
        for _ in 0..1000 {
            let bytes = mutator.mutate(&inputs);
            runs += 1;
            if panic::catch_unwind(|| (target.run)(&bytes)).is_err() {
                fs::create_dir_all(folder)?;
                let file = folder.join(format!("crash-{seed}-{runs}"));
                fs::write(&file, &bytes)?;
                return Err(format!("{} trips over {}", target.name, file.display()).into());
            }
        }
    }
    println!("{}: {runs} mutated inputs, none trips", target.name);
    Ok(())
}
