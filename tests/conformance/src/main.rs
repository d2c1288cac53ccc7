//! What every client must do: scenarios written once, run on each runtime.
//!
//! One process runs one combination of runtime, server, deployment, protocol and transport, and prints
//! one JSON object a line: `{"begun": NAME}`, then NAME's report; at last `{"end": true}`. `cargo xtask
//! test-matrix` starts these processes and compares what they saw.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to its caller by printing"
)]

mod client;
mod coverage;
mod deployed;
mod runner;
mod scenario;
mod scenarios;
mod soak;
mod subject;
mod task;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use redis_core::Protocol;
use serde_json::{Value, json};
use testkit::servers;

use crate::runner::{Report, Verdict};
use crate::scenario::{Combination, Deployment, Transport};
use crate::subject::Subject;
#[cfg(any(feature = "tokio", feature = "smol"))]
use crate::subject::asynchronous::On;

const USAGE: &str = "usage: conformance --runtime RUNTIME --server 'NAME VERSION' --protocol 2|3 \
                     --transport tcp|unix|tls [--deployment standalone|cluster] [--scenario PART]..
       conformance --soak SECONDS --seed SEED --runtime RUNTIME --server 'NAME VERSION' --protocol 2|3
       conformance --list";

fn main() -> ExitCode {
    match start(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conformance: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(mut words: impl Iterator<Item = String>) -> io::Result<()> {
    let usage = || io::Error::other(USAGE);
    let (mut runtime, mut server, mut protocol, mut transport) = (None, None, None, None);
    let mut deployment = Deployment::Standalone;
    let (mut soak, mut seed) = (None, None);
    let mut parts = Vec::new();
    while let Some(word) = words.next() {
        if word == "--list" {
            return list();
        }
        let value = words.next().ok_or_else(usage)?;
        match &*word {
            "--runtime" => runtime = Some(value),
            "--server" => server = Some(value),
            "--protocol" => protocol = Some(value),
            "--transport" => transport = Some(value),
            "--deployment" => {
                deployment = match &*value {
                    "standalone" => Deployment::Standalone,
                    "cluster" => Deployment::Cluster,
                    _ => return Err(usage()),
                };
            }
            "--scenario" => parts.push(value),
            "--soak" => soak = Some(value.parse().map_err(|_| usage())?),
            "--seed" => seed = Some(value.parse().map_err(|_| usage())?),
            _ => return Err(usage()),
        }
    }
    let server = server.ok_or_else(usage)?;
    let found = servers::discover(&servers::folder(), false).found;
    let installed = found.into_iter().find(|installed| installed.to_string() == server);
    let combination = Combination {
        installed: installed.ok_or_else(|| io::Error::other(format!("no server `{server}`")))?,
        deployment,
        protocol: match protocol.as_deref() {
            Some("2") => Protocol::Resp2,
            Some("3") => Protocol::Resp3,
            _ => return Err(usage()),
        },
        transport: match transport.as_deref() {
            Some("tcp") => Transport::Tcp,
            Some("unix") => Transport::Unix,
            Some("tls") => Transport::Tls,
            None if soak.is_some() => Transport::Tcp,
            _ => return Err(usage()),
        },
    };
    servers::stop_on_ctrl_c()?;
    runner::keep_panics();
    let what = match soak {
        Some(seconds) => What::Soak(Duration::from_secs(seconds), seed.ok_or_else(usage)?),
        None => What::Scenarios(parts),
    };
    run_on(&runtime.ok_or_else(usage)?, &combination, &what)
}

/// What is run on a combination.
enum What {
    /// Those whose name contains one of these, or all.
    Scenarios(Vec<String>),
    /// For so long, from this seed.
    Soak(Duration, u64),
}

type Run = fn(&Combination, &What) -> io::Result<()>;

const SYNC: &[(&str, Run)] = &[("sync", |at, what| run::<redis_sync::Client>(at, false, what))];

#[cfg(feature = "tokio")]
const TOKIO: &[(&str, Run)] = &[
    ("tokio", |at, what| run::<On<redis_tokio::Client>>(at, false, what)),
    ("tokio-threads", |at, what| run::<On<redis_tokio::Client>>(at, true, what)),
];
#[cfg(not(feature = "tokio"))]
const TOKIO: &[(&str, Run)] = &[];

#[cfg(feature = "smol")]
const SMOL: &[(&str, Run)] = &[("smol", |at, what| run::<On<redis_smol::Client>>(at, false, what))];
#[cfg(not(feature = "smol"))]
const SMOL: &[(&str, Run)] = &[];

fn run_on(runtime: &str, combination: &Combination, what: &What) -> io::Result<()> {
    let mut runtimes = [SYNC, TOKIO, SMOL].into_iter().flatten();
    match runtimes.find(|(name, _)| *name == runtime) {
        Some((_, run)) => run(combination, what),
        None => Err(io::Error::other(format!("this was built without the runtime `{runtime}`"))),
    }
}

fn run<S: Subject>(combination: &Combination, threads: bool, what: &What) -> io::Result<()> {
    let parts = match what {
        What::Scenarios(parts) => parts,
        &What::Soak(time, seed) => {
            coverage::stop();
            let Combination { installed, protocol, .. } = combination.clone();
            let options = soak::Options { installed, protocol, threads, time, seed };
            let mut report = soak::run::<S>(&options)?;
            if let Some(violations) = report["violations"].as_array_mut() {
                violations.extend(runner::take_panics().into_iter().map(Value::from));
            }
            return print(&report);
        }
    };
    let mut scenarios = match combination.deployment {
        Deployment::Standalone => scenarios::standalone::<S>(),
        Deployment::Cluster => scenarios::cluster::list::<S>(),
    };
    scenarios.retain(|scenario| {
        parts.is_empty() || parts.iter().any(|part| scenario.name.contains(&**part))
    });
    let begun = |name: &str| print(&json!({ "begun": name }));
    runner::run(combination, threads, scenarios, begun, |report| print(&shown(report)))?;
    print(&json!({ "end": true }))
}

fn shown(report: Report) -> Value {
    let (verdict, text) = match report.verdict {
        Verdict::Passed => ("passed", None),
        Verdict::Failed(text) => ("failed", Some(text)),
        Verdict::Skipped(reason) => ("skipped", Some(reason)),
    };
    json!({
        "scenario": report.scenario,
        "verdict": verdict,
        "text": text,
        "millis": u64::try_from(report.took.as_millis()).unwrap_or(u64::MAX),
        "transcript": report.transcript,
        "commands": report.commands,
    })
}

fn list() -> io::Result<()> {
    let standalone = scenarios::standalone::<redis_sync::Client>();
    for scenario in standalone.into_iter().chain(scenarios::cluster::list()) {
        writeln!(io::stdout(), "{}", scenario.name)?;
    }
    Ok(())
}

/// One line at once: whoever reads it may stop this process at any time.
fn print(value: &Value) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{value}")
}
