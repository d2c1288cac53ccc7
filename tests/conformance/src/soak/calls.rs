//! Counters that are raised by scripts, by pipelines whose results are handed on as they come, and by
//! commands whose replies are for nobody.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis_core::{Commands, Execute, QueueCommands, Script, cmd};

use super::counters::{Counters, Known, note};
use super::tally::{Fate, Tally, add};
use super::{Running, Soak};
use crate::scenario::lock;
use crate::subject::Subject;

/// Calls of a streamed pipeline.
const STREAMED: usize = 100;

/// Commands for nobody between two that are waited for.
const LEFT: usize = 20;

pub(super) fn start<S: Subject>(soak: &Soak<S>, counters: &mut Counters, running: &mut Running) {
    for n in 0..2 {
        let (key, soak) = (format!("scripted:{n}"), soak.clone());
        let known = counters.add(&key);
        running.spawn::<S>(key.clone(), scripts(soak, key, known));
    }
    let (key, of) = ("scripted-together".to_owned(), soak.clone());
    let known = counters.add(&key);
    running.spawn::<S>(key.clone(), scripts_together(of, key, known));
    for n in 0..2 {
        let (key, soak) = (format!("streamed:{n}"), soak.clone());
        let known = counters.add(&key);
        running.spawn::<S>(key.clone(), streams(soak, key, known, n == 0));
    }
    // A call that blocks waits for its reply.
    if !S::BLOCKS {
        let (key, of) = ("forgotten".to_owned(), soak.clone());
        let known = counters.add(&key);
        running.spawn::<S>(key.clone(), forgotten(of, key, known));
    }
}

/// One of two scripts that do the same, so that the server lacks now this one and now the other.
fn increment(n: usize) -> Script<i64> {
    Script::new(format!("return redis.call('INCR', KEYS[1]) -- {}", n % 2))
}

async fn scripts<S: Subject>(soak: Soak<S>, key: String, known: Arc<Mutex<Known>>) {
    let mut n = 0;
    while soak.goes_on().await {
        n += 1;
        let result = soak.tally.note(soak.client.execute(increment(n).key(&key)).await);
        note(&soak.tally, &key, &known, 1, result.map(|n| vec![n]));
    }
}

/// In a transaction: in a plain pipeline scripts may be forgotten between two calls.
async fn scripts_together<S: Subject>(soak: Soak<S>, key: String, known: Arc<Mutex<Known>>) {
    const CALLS: usize = 5;
    let mut pipeline = soak.client.pipeline();
    while soak.goes_on().await {
        (0..CALLS).for_each(|n| pipeline.push(increment(n).key(&key)));
        let result = soak.tally.note(pipeline.execute::<Vec<i64>>().await);
        note(&soak.tally, &key, &known, CALLS, result);
    }
}

/// What one streamed pipeline has handed on.
#[derive(Default)]
struct Handed {
    values: Vec<i64>,
    /// Commands that the server refused.
    refused: usize,
    /// A result that came where another one was due.
    astray: Option<usize>,
}

impl Handed {
    fn len(&self) -> usize {
        self.values.len() + self.refused
    }
}

async fn streams<S: Subject>(soak: Soak<S>, key: String, known: Arc<Mutex<Known>>, gives_up: bool) {
    let mut patience = 0;
    while soak.goes_on().await {
        patience = (patience + 7) % 40;
        let mut pipeline = soak.client.pipeline();
        pipeline.transaction(false);
        for _ in 0..STREAMED {
            (&mut pipeline).incr(&key);
        }
        let handed = Mutex::new(Handed::default());
        let each = |place: usize, result: redis_core::Result<i64>| {
            let mut handed = lock(&handed);
            if place != handed.len() {
                handed.astray.get_or_insert(place);
            }
            match result {
                Ok(value) => handed.values.push(value),
                Err(error) => {
                    soak.tally.expect(&error);
                    handed.refused += 1;
                }
            }
        };
        let result = if S::BLOCKS || !gives_up {
            Some(soak.tally.note(pipeline.execute_each(each).await))
        } else {
            let limit = Box::pin(S::sleep(Duration::from_micros(200 * patience)));
            let call = Box::pin(pipeline.execute_each(each));
            crate::task::first(call, limit).await.map(|result| soak.tally.note(result))
        };
        if result.is_none() {
            add(&soak.tally.attempted, 1);
            add(&soak.tally.given_up, 1);
        }
        let handed = handed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        compare(&soak.tally, &key, &mut lock(&known), &handed, result);
    }
}

/// Compares what was handed on with what the call came to: `None` when it was given up.
fn compare(
    tally: &Tally,
    key: &str,
    known: &mut Known,
    handed: &Handed,
    result: Option<Result<(), Fate>>,
) {
    let len = handed.len();
    if let Some(place) = handed.astray {
        tally.violation(format!("{key}: a result came out of place, at {place}"));
    }
    if let Err(what) = known.told(&handed.values) {
        tally.violation(format!("{key}: {what}"));
    }
    match result {
        Some(Ok(())) if len == STREAMED => {}
        Some(Ok(())) => tally.violation(format!("{key}: {len} of {STREAMED} results came")),
        Some(Err(Fate::DidNotRun)) if len == 0 => {}
        Some(Err(Fate::DidNotRun)) => {
            tally.violation(format!("{key}: {len} results came of what was not sent"));
        }
        Some(Err(Fate::MayHaveRun)) | None => known.doubt(STREAMED.saturating_sub(len)),
    }
}

/// Nobody knows what became of a command that was left; one that is waited for tells how many have run.
async fn forgotten<S: Subject>(soak: Soak<S>, key: String, known: Arc<Mutex<Known>>) {
    while soak.goes_on().await {
        for _ in 0..LEFT {
            match soak.tally.note(soak.client.fire_and_forget(cmd::incr(&key))) {
                Ok(()) | Err(Fate::MayHaveRun) => lock(&known).doubt(1),
                Err(Fate::DidNotRun) => break,
            }
        }
        let result = soak.tally.note(soak.client.incr(&key).await);
        note(&soak.tally, &key, &known, 1, result.map(|n| vec![n]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_that_are_missing_doubled_or_out_of_place_are_found() {
        let tally = Tally::default();
        let mut known = Known::default();
        let mut handed = Handed { values: (1..=STREAMED as i64).collect(), ..Handed::default() };
        compare(&tally, "k", &mut known, &handed, Some(Ok(())));
        handed.values = vec![STREAMED as i64 + 1];
        compare(&tally, "k", &mut known, &handed, None);
        assert_eq!(tally.violations(), Vec::<String>::new());
        compare(&tally, "k", &mut known, &handed, None);
        assert_eq!(tally.violations().len(), 1, "the same value came twice");
        handed.values = vec![2 * STREAMED as i64];
        compare(&tally, "k", &mut known, &handed, Some(Err(Fate::DidNotRun)));
        assert_eq!(tally.violations().len(), 2, "it was not sent");
        handed = Handed { astray: Some(7), ..Handed::default() };
        compare(&tally, "k", &mut known, &handed, Some(Ok(())));
        assert_eq!(tally.violations().len(), 4, "out of place, and most are missing");
    }
}
