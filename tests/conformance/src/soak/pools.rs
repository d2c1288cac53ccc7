//! A pool that grows and shrinks under all the others, and is warmed up again.

use std::time::{Duration, Instant};

use super::tally::Tally;
use super::{END, POOL, Running, Soak};
use crate::client::Client;
use crate::subject::Subject;

/// No smaller, so that the other workloads get on.
const LEAST: usize = 3;

pub(super) fn start<S: Subject>(soak: &Soak<S>, running: &mut Running) {
    running.spawn::<S>("pool", resizes(soak.clone()));
}

async fn resizes<S: Subject>(soak: Soak<S>) {
    let mut n = 0;
    while soak.goes_on().await {
        n += 1;
        let size = LEAST + n * 5 % (POOL - LEAST + 1);
        if let Err(error) = soak.client.resize_pool(size) {
            soak.tally.violation(format!("no pool of {size}: {error}"));
        }
        if n % 3 == 0 {
            let _ = soak.tally.note(soak.client.warm_up(size).await);
        }
        S::sleep(Duration::from_millis(20)).await;
    }
}

/// Nobody uses a connection any more: shrinks the pool a last time. How many connections it keeps.
pub(super) async fn check<S: Subject>(client: &Client<S>, tally: &Tally) -> usize {
    if let Err(error) = client.resize_pool(LEAST) {
        tally.violation(format!("no pool of {LEAST}: {error}"));
    }
    let start = Instant::now();
    while client.stats().pool_open > LEAST && start.elapsed() < END {
        S::sleep(Duration::from_millis(5)).await;
    }
    let stats = client.stats();
    let (open, waiting) = (stats.pool_open, stats.pool_waiting);
    if open > LEAST || waiting > 0 {
        tally.violation(format!("a pool of {LEAST} has {open} connections, {waiting} wait"));
    }
    LEAST
}
