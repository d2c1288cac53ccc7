//! Runs scenarios one after the other, each in a thread of its own: one that hangs or panics is a
//! failure that says where, and those behind it run all the same.

use std::collections::BTreeSet;
use std::io;
use std::panic;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::coverage::{self, Words};
use crate::deployed::Deployed;
use crate::scenario::{Combination, Context, Outcome, Progress, Scenario, lock};
use crate::subject::Subject;

/// What became of a scenario.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) scenario: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) took: Duration,
    pub(crate) transcript: Vec<String>,
    /// What it sent by builders.
    pub(crate) commands: BTreeSet<Words>,
}

#[derive(Debug)]
pub(crate) enum Verdict {
    Passed,
    Failed(String),
    Skipped(String),
}

/// Panics since the last look, with their places.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// From now on panics are kept for the report.
pub(crate) fn keep_panics() {
    panic::set_hook(Box::new(|info| {
        let thread = thread::current();
        let text = info.payload_as_str().unwrap_or("a panic without text");
        let place = info.location().map(|place| format!(" at {place}"));
        let place = place.unwrap_or_default();
        let name = thread.name().unwrap_or("a thread without name");
        lock(&PANICS).push(format!("{name} panicked{place}: {text}"));
    }));
}

/// The panics since the last look.
pub(crate) fn take_panics() -> Vec<String> {
    std::mem::take(&mut *lock(&PANICS))
}

/// Runs the scenarios on a server or cluster that they share; `begun` and `ended` hear of each.
pub(crate) fn run<S: Subject>(
    combination: &Combination,
    threads: bool,
    scenarios: Vec<Scenario<S>>,
    mut begun: impl FnMut(&str) -> io::Result<()>,
    mut ended: impl FnMut(Report) -> io::Result<()>,
) -> io::Result<()> {
    let mut deployed: Option<Deployed> = None;
    for scenario in scenarios {
        let name = scenario.name;
        if let Some(reason) = scenario.lacks(combination) {
            let verdict = Verdict::Skipped(reason);
            let took = Duration::ZERO;
            let (transcript, commands) = (Vec::new(), BTreeSet::new());
            ended(Report { scenario: name, verdict, took, transcript, commands })?;
            continue;
        }
        begun(name)?;
        // Whoever made it unusable was reported.
        let shared = match deployed.take().filter(|deployed| deployed.clear().is_ok()) {
            Some(cleared) => cleared,
            None => {
                let new = Deployed::start(combination)?;
                new.clear()?;
                new
            }
        };
        ended(one(combination, threads, deployed.insert(shared), scenario)?)?;
    }
    Ok(())
}

fn one<S: Subject>(
    combination: &Combination,
    threads: bool,
    deployed: &Deployed,
    scenario: Scenario<S>,
) -> io::Result<Report> {
    let progress = Arc::new(Mutex::new(Progress::default()));
    let cx = Context::<S>::new(combination.clone(), deployed, progress.clone())?;
    let name = scenario.name;
    let deadline = scenario.deadline;
    let (done, result) = mpsc::channel();
    let start = Instant::now();
    let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
        let outcome = S::drive(threads, (scenario.body)(cx));
        // Nobody listens any more after the deadline.
        let _ = done.send(outcome);
    })?;
    let result = result.recv_timeout(deadline);
    let took = start.elapsed();
    let verdict = match result {
        Ok(Ok(outcome)) => verdict(outcome),
        Ok(Err(error)) => Verdict::Failed(format!("the runtime could not be started: {error}")),
        Err(RecvTimeoutError::Timeout) => Verdict::Failed(format!("hung for {deadline:?}")),
        Err(RecvTimeoutError::Disconnected) => {
            // It panicked, which the hook has kept.
            let _ = thread.join();
            Verdict::Failed(String::new())
        }
    };
    let panics = take_panics().join("; ");
    let progress = lock(&progress);
    let verdict = match verdict {
        Verdict::Failed(text) => Verdict::Failed(explain(&progress.step, &text, &panics)),
        Verdict::Passed if !panics.is_empty() => {
            Verdict::Failed(explain("something beside the scenario", "", &panics))
        }
        verdict => verdict,
    };
    let transcript = progress.transcript.clone();
    Ok(Report { scenario: name, verdict, took, transcript, commands: coverage::take() })
}

fn verdict(outcome: Outcome) -> Verdict {
    match outcome {
        Ok(()) => Verdict::Passed,
        Err(error) => Verdict::Failed(error.to_string()),
    }
}

fn explain(step: &str, text: &str, panics: &str) -> String {
    let parts = [step, text, panics];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use redis_core::Protocol;
    use redis_sync::Client;

    use super::*;
    use crate::scenario::{Deployment, Transport};

    async fn never_ends(cx: Context<Client>) -> Outcome {
        cx.step("the place of the hang");
        std::future::pending().await
    }

    async fn panics_in_a_task(cx: Context<Client>) -> Outcome {
        cx.step("the task");
        cx.spawn(async { panic!("out of order") }).await?;
        Ok(())
    }

    async fn passes_behind_them(cx: Context<Client>) -> Outcome {
        cx.saw("at", cx.config().endpoint.to_string());
        Ok(())
    }

    #[test]
    fn hangs_and_panics_are_told_with_their_place_and_others_still_run() {
        let installed = testkit::servers::any().expect("there is a server");
        let combination = Combination {
            installed,
            deployment: Deployment::Standalone,
            protocol: Protocol::Resp3,
            transport: Transport::Tcp,
        };
        let mut hanging = Scenario::new(never_ends);
        // Time enough to come to that place.
        hanging.deadline = Duration::from_secs(2);
        let scenarios =
            vec![hanging, Scenario::new(panics_in_a_task), Scenario::new(passes_behind_them)];
        let mut reports = Vec::new();
        let hook = panic::take_hook();
        keep_panics();
        let ran = run(
            &combination,
            false,
            scenarios,
            |_| Ok(()),
            |report| {
                reports.push(report);
                Ok(())
            },
        );
        panic::set_hook(hook);
        ran.expect("the server starts");
        let [hung, panicked, passed] = &reports[..] else { panic!("{reports:?}") };
        let text = |report: &Report| match &report.verdict {
            Verdict::Failed(text) => text.clone(),
            verdict => panic!("{verdict:?}"),
        };
        assert!(text(hung).starts_with("the place of the hang: hung for"), "{}", text(hung));
        let told = text(panicked);
        assert!(told.contains("out of order") && told.contains("runner.rs:"), "{told}");
        assert!(matches!(passed.verdict, Verdict::Passed), "{passed:?}");
        assert_eq!(passed.transcript, ["at: \"SERVER\""]);
    }
}
