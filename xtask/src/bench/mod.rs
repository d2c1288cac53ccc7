//! `bench`: ours and others on one server, what an operation costs each of them; `bench codec`: the
//! same of the codec alone, in memory; `bench build`: what it costs to have them.

mod compile;
mod hiredis;

use std::{
    env,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use bench::{codec, job::Length, pin::Place, runner::Plan};

use crate::{
    Result, Verb,
    args::Args,
    process::{self, cargo},
    workspace,
};

pub(crate) const VERB: Verb = Verb {
    name: "bench",
    options: "[mux] [pipeline] [pubsub] [cluster] | build [--no-peers] | codec [--rounds N] [--seconds S] [--row NAME] [--subject NAME] \
              [--no-peers] [--server NAME] [--cpus shared|own|any] [--callgrind]",
    purpose: "client CPU per operation beside other clients; codec: ns per value in memory; build: CPU seconds, crates and bytes of a small program",
    run,
};

const VERBS: [&str; 4] = ["mux", "pipeline", "pubsub", "cluster"];

/// Need no server, and are not run with the others.
const CODEC: &str = "codec";
const BUILD: &str = "build";

/// The features that bring this workspace's clients.
const OURS: [&str; 3] = ["sync", "tokio", "smol"];

/// A build of everything, from nothing, on a slow machine.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// What both kinds of rows can be told.
struct Choice {
    rows: Vec<String>,
    subjects: Vec<String>,
    peers: bool,
    rounds: usize,
    /// How long each run is.
    seconds: Option<f64>,
}

fn run(mut args: Args) -> Result<()> {
    if args.flag(BUILD) {
        let peers = !args.flag("--no-peers");
        args.finish()?;
        return compile::run(peers);
    }
    let choice = Choice {
        rounds: number(&mut args, "--rounds")?.unwrap_or(7).max(1),
        seconds: number(&mut args, "--seconds")?,
        rows: list(args.value("--row")?),
        subjects: list(args.value("--subject")?),
        peers: !args.flag("--no-peers"),
    };
    let server = args.value("--server")?;
    let cpus = args.value("--cpus")?;
    let callgrind = args.flag("--callgrind");
    let mut verbs: Vec<_> = std::iter::from_fn(|| args.word()).collect();
    args.finish()?;
    if verbs == [CODEC] {
        if server.is_some() || cpus.is_some() || callgrind {
            return Err("`bench codec` knows no --server, --cpus and --callgrind".into());
        }
        return run_codec(choice);
    }
    if let Some(verb) = verbs.iter().find(|verb| !VERBS.contains(&verb.as_str())) {
        return Err(match verb.as_str() {
            CODEC => "`codec` runs alone".into(),
            _ => format!("`{verb}` is none of {}, {CODEC}, {BUILD}", VERBS.join(", ")).into(),
        });
    }
    if verbs.is_empty() {
        verbs = VERBS.map(str::to_owned).into();
    }

    let (server_place, client_place) = match cpus.as_deref() {
        None | Some("shared") => (Place::Last, Place::Last),
        Some("own") => (Place::Last, Place::First),
        Some("any") => (Place::Any, Place::Any),
        Some(other) => return Err(format!("`--cpus {other}` is none of shared, own, any").into()),
    };

    let Choice { rows, subjects, peers, rounds, seconds } = choice;
    let mut features = OURS.to_vec();
    if peers {
        features.push("peers");
    }
    build(&features, &[])?;
    let target = target()?;
    let programs = target.join("release");
    if peers && let Err(why) = hiredis::build(&hiredis::CLIENT, &programs) {
        eprintln!("hiredis is left out: {why}");
    }
    let plan = Plan {
        verbs,
        rows,
        subjects,
        server,
        peers,
        rounds,
        length: Length::For(Duration::try_from_secs_f64(seconds.unwrap_or(0.25))?),
        server_place,
        client_place,
        programs,
    };
    let progress = |line: &str| eprintln!("{line}");
    let table = match callgrind {
        true => plan.count(&target.join("callgrind"), &progress),
        false => plan.measure(&progress),
    };
    println!("{}", table.map_err(|error| error.to_string())?);
    Ok(())
}

fn run_codec(choice: Choice) -> Result<()> {
    let Choice { rows, subjects, peers, rounds, seconds } = choice;
    let peers = peers && codec::runner::asks_for_peers(&subjects);
    let features = if peers { ["codec", "peers"].as_slice() } else { &["codec"] };
    build(features, &codec::rows::programs(peers))?;
    let target = target()?;
    let programs = target.join("release");
    let missing = match peers {
        true => missing(&programs),
        false => Vec::new(),
    };
    let plan = codec::runner::Plan {
        rows,
        subjects,
        peers,
        rounds,
        time: Duration::try_from_secs_f64(seconds.unwrap_or(0.05))?,
        programs,
        missing,
        streams: target.join("bench-codec"),
    };
    let table = plan.measure(&|line| eprintln!("{line}"));
    println!("{}", table.map_err(|error| error.to_string())?);
    Ok(())
}

/// The subjects that can't be built here.
fn missing(programs: &Path) -> Vec<(&'static str, String)> {
    let built = hiredis::build(&hiredis::CODEC, programs);
    built.err().map(|why| (codec::rows::HIREDIS, why)).into_iter().collect()
}

/// Builds these subjects, or all that the features allow. Line numbers for profiles change no
/// instruction.
fn build(features: &[&str], programs: &[String]) -> Result<()> {
    let mut command = cargo();
    command
        .args(["build", "--release", "--package", "bench"])
        .args(["--features", &features.join(",")])
        .env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only")
        .current_dir(workspace());
    if programs.is_empty() {
        command.arg("--bins");
    }
    for program in programs {
        command.args(["--bin", program]);
    }
    process::run("build", &mut command, LIMIT)
}

/// Cargo's folder: this program is TARGET/debug/xtask.
fn target() -> Result<PathBuf> {
    let own = env::current_exe()?;
    Ok(own.ancestors().nth(2).ok_or("this program is in no target folder")?.to_owned())
}

fn number<T: FromStr>(args: &mut Args, name: &str) -> Result<Option<T>> {
    let Some(text) = args.value(name)? else {
        return Ok(None);
    };
    let number = text.parse().map_err(|_| format!("`{name} {text}` is no number"))?;
    Ok(Some(number))
}

/// The names of a list such as `tokio,smol`.
fn list(text: Option<String>) -> Vec<String> {
    text.iter().flat_map(|text| text.split(',')).map(str::to_owned).collect()
}
