//! The machines under a simulated network.
//!
//! Each seed is a run of its own: a workload, a link with its faults, and checks of what must hold
//! whatever happens. A failure names its seed, which replays it.

pub mod commands;
pub mod subscriptions;

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use testkit::pair::Faults;

/// Runs every workload with one seed.
///
/// # Errors
///
/// What did not hold, with the workload's name.
pub fn run(seed: u64) -> Result<(), String> {
    commands::run(seed).map_err(|what| format!("commands: {what}"))?;
    subscriptions::run(seed).map_err(|what| format!("subscriptions: {what}"))
}

/// The link's behaviour in a run: one run in four has no losses at all.
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
    #[test]
    fn nothing_breaks_in_the_first_seeds() {
        for seed in 0..300 {
            if let Err(what) = super::run(seed) {
                panic!("seed {seed}: {what}");
            }
        }
    }
}
