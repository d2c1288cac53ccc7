//! The machines under a simulated network: random work, random faults, and checks of what must hold
//! whatever happens. A failure names its seed, which replays it.

mod cluster;
pub mod commands;
pub mod shared;
mod shrink;
pub mod subscriptions;
mod world;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use testkit::pair::Faults;

pub use self::world::Violation;
use self::world::{Plan, World};

/// Which seeds to run, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The first seed.
    pub first: u64,
    /// How many.
    pub seeds: u64,
    /// Threads, each with seeds of its own.
    pub jobs: usize,
    /// Whether the seeds behind one that fails are run.
    pub keep_going: bool,
    /// Whether the workload is a cluster's.
    pub cluster: bool,
    /// How many lines of a failure's trace are shown: its last ones. With zero it is not made smaller.
    pub lines: usize,
}

/// What came of all seeds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Seeds that were run.
    pub seeds: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Commands that the servers ran in the large workload.
    pub commands: u64,
}

/// A seed that failed.
#[derive(Debug)]
pub struct Failure {
    /// It replays the failure.
    pub seed: u64,
    /// What did not hold.
    pub what: String,
    /// How it came to that, in the smallest run that was found.
    pub trace: Vec<String>,
    /// The option of the workload.
    pub option: &'static str,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.what)?;
        self.trace.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        let Self { option, seed, .. } = self;
        write!(f, "  replay: cargo xtask simulate{option} --seed {seed} --seeds 1")
    }
}

/// Runs seeds on several threads, and hands each failure to `report` as it is found.
pub fn run_all(settings: &Settings, report: impl Fn(&Failure) + Sync) -> Tally {
    let next = AtomicU64::new(settings.first);
    let end = settings.first.saturating_add(settings.seeds);
    let tally = Mutex::new(Tally::default());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return;
            }
            let result = match settings.cluster {
                true => run_cluster(seed, settings.lines),
                false => run(seed, settings.lines),
            };
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.seeds += 1;
            match result {
                Ok(commands) => tally.commands += commands,
                Err(failure) => {
                    tally.failed += 1;
                    report(&failure);
                    if !settings.keep_going {
                        next.store(end, Ordering::Relaxed);
                    }
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..settings.jobs {
            scope.spawn(work);
        }
        work();
    });
    tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Runs every workload with one seed. Gives the number of commands that ran in the large one.
///
/// # Errors
///
/// What did not hold, and in the large workload how it came to that.
pub fn run(seed: u64, lines: usize) -> Result<u64, Failure> {
    let small = || {
        commands::run(seed).map_err(|what| format!("commands: {what}"))?;
        subscriptions::run(seed).map_err(|what| format!("subscriptions: {what}"))?;
        shared::run(seed).map_err(|what| format!("shared: {what}"))
    };
    let plain = |what| Failure { seed, what, trace: Vec::new(), option: "" };
    guarded(small).and_then(|result| result).map_err(plain)?;
    match guarded(|| World::run(Plan::new(seed), false)) {
        Ok(Ok(report)) => Ok(report.commands),
        Ok(Err((violation, _))) if lines == 0 => {
            Err(plain(format!("invariant {}: {}", violation.invariant, violation.what)))
        }
        Err(panic) if lines == 0 => Err(plain(panic)),
        Ok(Err(_)) | Err(_) => Err(shrink::shrink(seed, lines)),
    }
}

/// Runs a cluster's workload with one seed. Gives the number of commands that its nodes ran.
///
/// # Errors
///
/// What did not hold, and how it came to that.
pub fn run_cluster(seed: u64, lines: usize) -> Result<u64, Failure> {
    let failure = |what, trace| Failure { seed, what, trace, option: " --cluster" };
    match guarded(|| cluster::run(seed, false)) {
        Ok(Ok(commands)) => Ok(commands),
        Ok(Err((what, _))) if lines == 0 => Err(failure(what, Vec::new())),
        Err(panic) => Err(failure(panic, Vec::new())),
        Ok(Err((what, _))) => {
            let again = guarded(|| cluster::run(seed, true));
            let Ok(Err((_, mut trace))) = again else { return Err(failure(what, Vec::new())) };
            // The plan, and the end.
            let skipped = trace.len().saturating_sub(lines);
            if skipped > 1 {
                trace.splice(1..skipped, [format!(".. {skipped} lines")]);
            }
            Err(failure(what, trace))
        }
    }
}

/// A panic is a failure as any other: what it says.
fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        format!("invariant 21: a panic: {}", text.unwrap_or("without a text"))
    })
}

/// The link's behaviour in a run of a pair: one run in four has no losses at all.
fn faults(rng: &mut SmallRng) -> Faults {
    let lossy = rng.random_bool(0.75);
    Faults {
        piece: *pick(rng, &[1, 3, 17, 200, 5000]),
        delay: Duration::from_millis(*pick(rng, &[0, 1, 20, 400])),
        window: *pick(rng, &[1, 10, 100, 100_000]),
        refuse: if lossy { *pick(rng, &[0.0, 0.2, 0.7]) } else { 0.0 },
        reset: if lossy { *pick(rng, &[0.0, 0.001, 0.02]) } else { 0.0 },
    }
}

fn pick<'a, T>(rng: &mut SmallRng, from: &'a [T]) -> &'a T {
    &from[rng.random_range(0..from.len())]
}

fn generator(seed: u64, workload: u64) -> SmallRng {
    SmallRng::seed_from_u64(seed.wrapping_mul(2).wrapping_add(workload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_in_the_first_seeds() {
        for cluster in [false, true] {
            let settings =
                Settings { first: 0, seeds: 50, jobs: 1, keep_going: false, cluster, lines: 60 };
            let tally = run_all(&settings, |failure| panic!("{failure}"));
            assert!(tally.commands > 1000, "nothing happens");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_run() {
        for seed in 0..5 {
            let trace = || {
                let result = World::run(Plan::new(seed), true);
                result.unwrap_or_else(|(violation, _)| panic!("{violation:?}")).trace
            };
            assert!(trace() == trace(), "seed {seed}");
        }
    }
}
