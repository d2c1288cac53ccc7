//! Counters, each with one writer: every reply says how often the command ran so far.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redis_core::{Commands, QueueCommands};

use super::tally::{Fate, Tally, add};
use super::{Running, Soak};
use crate::client::Client;
use crate::scenario::{Failure, lock};
use crate::subject::Subject;

/// What one writer knows of its counter.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// The last value that it was told.
    last: i64,
    /// Commands that may have run since, or may still do so, by when they failed.
    doubts: VecDeque<Instant>,
}

/// What is on its way for longer never arrives: no fault lasts a tenth of this.
const LATE: Duration = Duration::from_secs(20);

impl Known {
    /// A call that raises the counter by `by`, one by one, was told these values.
    pub(super) fn told(&mut self, values: &[i64]) -> Result<(), String> {
        let (Some(&first), Some(&last)) = (values.first(), values.last()) else {
            return Ok(());
        };
        let before = self.last;
        let contiguous = values.windows(2).all(|pair| pair[1] > pair[0]);
        let ran = usize::try_from(last - before - values.len() as i64);
        let Some(ran) =
            ran.ok().filter(|&ran| first > before && contiguous && ran <= self.doubts.len())
        else {
            let doubts = self.doubts.len();
            return Err(format!("{values:?} follows {before} although {doubts} are in doubt"));
        };
        self.last = last;
        self.doubts.drain(..ran);
        self.doubts.retain(|failed| failed.elapsed() < LATE);
        Ok(())
    }

    pub(super) fn doubt(&mut self, commands: usize) {
        self.doubts.extend(std::iter::repeat_n(Instant::now(), commands));
    }
}

/// The counters, for the comparison at the end.
pub(super) struct Counters(Vec<(String, Arc<Mutex<Known>>)>);

pub(super) fn start<S: Subject>(soak: &Soak<S>, running: &mut Running) -> Counters {
    let mut counters = Counters(Vec::new());
    for n in 0..4 {
        let (key, soak) = (format!("counter:{n}"), soak.clone());
        let known = counters.add(&key);
        running.spawn::<S>(key.clone(), commands(soak, key, known));
    }
    for n in 0..3 {
        let (key, soak) = (format!("pipelined:{n}"), soak.clone());
        let known = counters.add(&key);
        running.spawn::<S>(key.clone(), pipelines(soak, key, n == 0, known));
    }
    for n in 0..2 {
        let (key, soak) = (format!("given-up:{n}"), soak.clone());
        let known = counters.add(&key);
        running.spawn::<S>(key.clone(), given_up(soak, key, known));
    }
    for n in 0..2 {
        running.spawn::<S>(format!("echo:{n}"), echoes(soak.clone(), n));
    }
    counters
}

pub(super) fn note(
    tally: &Tally,
    key: &str,
    known: &Mutex<Known>,
    by: usize,
    result: Result<Vec<i64>, Fate>,
) {
    let mut known = lock(known);
    match result {
        Ok(values) => {
            if let Err(what) = known.told(&values) {
                tally.violation(format!("{key}: {what}"));
            }
        }
        Err(Fate::MayHaveRun) => known.doubt(by),
        Err(Fate::DidNotRun) => {}
    }
}

async fn commands<S: Subject>(soak: Soak<S>, key: String, known: Arc<Mutex<Known>>) {
    while soak.goes_on().await {
        let result = soak.tally.note(soak.client.incr(&key).await);
        note(&soak.tally, &key, &known, 1, result.map(|n| vec![n]));
    }
}

async fn pipelines<S: Subject>(
    soak: Soak<S>,
    key: String,
    transaction: bool,
    known: Arc<Mutex<Known>>,
) {
    const COMMANDS: usize = 7;
    let mut pipeline = soak.client.pipeline();
    while soak.goes_on().await {
        pipeline.transaction(transaction);
        for _ in 0..COMMANDS {
            (&mut pipeline).incr(&key);
        }
        let result = soak.tally.note(pipeline.execute::<Vec<i64>>().await);
        note(&soak.tally, &key, &known, COMMANDS, result);
    }
}

/// Calls that are dropped at any time; without that, calls like others.
async fn given_up<S: Subject>(soak: Soak<S>, key: String, known: Arc<Mutex<Known>>) {
    let mut patience = 0;
    while soak.goes_on().await {
        patience = (patience + 7) % 40;
        let call = soak.client.incr(&key);
        if S::BLOCKS {
            let result = soak.tally.note(call.await);
            note(&soak.tally, &key, &known, 1, result.map(|n| vec![n]));
            continue;
        }
        let limit = S::sleep(Duration::from_micros(50 * patience));
        match crate::task::first(call, Box::pin(limit)).await {
            Some(result) => {
                let result = soak.tally.note(result);
                note(&soak.tally, &key, &known, 1, result.map(|n| vec![n]));
            }
            None => {
                add(&soak.tally.attempted, 1);
                add(&soak.tally.given_up, 1);
                lock(&known).doubt(1);
            }
        }
    }
}

/// Replies of many sizes, each its own.
async fn echoes<S: Subject>(soak: Soak<S>, task: u64) {
    let mut n: u64 = task;
    while soak.goes_on().await {
        n += 2;
        let size = [3, 100, 5_000, 60_000][(n / 2 % 4) as usize];
        let text = format!("{n}:{}", "x".repeat(size));
        match soak.tally.note(soak.client.echo::<String>(&text).await) {
            Ok(reply) if reply == text => {}
            Ok(reply) => soak.tally.violation(format!(
                "echo {n} of {size} bytes gave {} bytes: {:.20}",
                reply.len(),
                reply
            )),
            Err(_) => {}
        }
    }
}

impl Counters {
    /// One more, which is at zero.
    pub(super) fn add(&mut self, key: &str) -> Arc<Mutex<Known>> {
        let known = Arc::new(Mutex::new(Known::default()));
        self.0.push((key.to_owned(), known.clone()));
        known
    }

    pub(super) async fn check<S: Subject>(
        &self,
        direct: &Client<S>,
        tally: &Tally,
    ) -> Result<(), Failure> {
        for (key, known) in &self.0 {
            let Known { last, doubts } = lock(known).clone();
            let doubts = doubts.len() as i64;
            let there = direct.get::<i64>(key).await?.unwrap_or(0);
            if !(last..=last + doubts).contains(&there) {
                tally.violation(format!(
                    "{key} is {there}: {last} were acknowledged, {doubts} are in doubt"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubled_and_lost_commands_are_found_and_doubts_explain_some() {
        let mut known = Known::default();
        assert!(known.told(&[1]).is_ok());
        assert!(known.told(&[3]).is_err(), "it ran twice");
        known.doubt(2);
        assert!(known.told(&[3, 4]).is_ok());
        assert_eq!(known.doubts.len(), 1, "one of the two has shown");
        assert!(known.told(&[4]).is_err(), "it is another one's reply, or one was lost");
        assert!(known.told(&[7]).is_err(), "one doubt explains one");
    }
}
