//! Makes a failing run smaller, as long as it fails with the same invariant.

use crate::world::{Plan, World};
use crate::{Failure, guarded};

/// Runs that are tried.
const TRIES: usize = 300;

/// How a plan fails: the invariant, in words, and the end of the trace. A panic leaves no trace.
fn failure(plan: &Plan, traced: bool) -> Option<(u8, String, Vec<String>)> {
    match guarded(|| World::run(plan.clone(), traced)) {
        Ok(Ok(_)) => None,
        Ok(Err((violation, report))) => Some((violation.invariant, violation.what, report.trace)),
        Err(panic) => Some((21, panic, Vec::new())),
    }
}

pub(crate) fn shrink(seed: u64, lines: usize) -> Failure {
    let mut plan = Plan::new(seed);
    let Some((invariant, mut what, _)) = failure(&plan, false) else {
        let what = "it failed once, and not again: the run is not deterministic".into();
        return Failure { seed, what, trace: Vec::new(), option: "" };
    };
    let mut tries = 0;
    'smaller: loop {
        for smaller in plan.smaller() {
            tries += 1;
            if tries > TRIES {
                break 'smaller;
            }
            if let Some((same, how, _)) = failure(&smaller, false)
                && same == invariant
            {
                (plan, what) = (smaller, how);
                continue 'smaller;
            }
        }
        break;
    }
    let mut trace = failure(&plan, true).map(|(_, _, trace)| trace).unwrap_or_default();
    let skipped = trace.len().saturating_sub(lines);
    trace.drain(..skipped);
    trace.insert(0, format!("plan: {plan}"));
    if skipped > 0 {
        trace.insert(1, format!(".. {skipped} lines"));
    }
    let what = format!("invariant {invariant}: {what}");
    Failure { seed, what, trace, option: "" }
}
