//! `bench`: ours and others on one server, what an operation costs each of them.

use std::{env, str::FromStr, time::Duration};

use bench::{job::Length, pin::Place, runner::Plan};

use crate::{
    Result, Verb,
    args::Args,
    process::{self, cargo},
    workspace,
};

pub(crate) const VERB: Verb = Verb {
    name: "bench",
    options: "[mux] [pipeline] [--rounds N] [--seconds S] [--row NAME] [--subject NAME] \
              [--server NAME] [--no-peers] [--cpus shared|own|any] [--callgrind]",
    purpose: "client CPU per operation beside other clients",
    run,
};

const VERBS: [&str; 2] = ["mux", "pipeline"];

/// The features that bring this workspace's clients.
const OURS: [&str; 3] = ["sync", "tokio", "smol"];

/// A build of everything, from nothing, on a slow machine.
const LIMIT: Duration = Duration::from_secs(60 * 60);

fn run(mut args: Args) -> Result<()> {
    let rounds: usize = number(&mut args, "--rounds")?.unwrap_or(7).max(1);
    let seconds: f64 = number(&mut args, "--seconds")?.unwrap_or(0.25);
    let rows = list(args.value("--row")?);
    let subjects = list(args.value("--subject")?);
    let server = args.value("--server")?;
    let peers = !args.flag("--no-peers");
    let cpus = args.value("--cpus")?;
    let callgrind = args.flag("--callgrind");
    let mut verbs: Vec<_> = std::iter::from_fn(|| args.word()).collect();
    args.finish()?;
    if let Some(verb) = verbs.iter().find(|verb| !VERBS.contains(&verb.as_str())) {
        return Err(format!("`{verb}` is none of {}", VERBS.join(", ")).into());
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

    build(peers)?;
    // This program is TARGET/debug/xtask.
    let own = env::current_exe()?;
    let target = own.ancestors().nth(2).ok_or("this program is in no target folder")?;
    let length = Duration::try_from_secs_f64(seconds)?;
    let plan = Plan {
        verbs,
        rows,
        subjects,
        server,
        peers,
        rounds,
        length: Length::For(length),
        server_place,
        client_place,
        programs: target.join("release"),
    };
    let progress = |line: &str| eprintln!("{line}");
    let table = match callgrind {
        true => plan.count(&target.join("callgrind"), &progress),
        false => plan.measure(&progress),
    };
    println!("{}", table.map_err(|error| error.to_string())?);
    Ok(())
}

/// Builds the subjects. Line numbers for profiles change no instruction.
fn build(peers: bool) -> Result<()> {
    let mut features = OURS.to_vec();
    if peers {
        features.push("peers");
    }
    let mut command = cargo();
    command
        .args(["build", "--release", "--package", "bench", "--bins"])
        .args(["--features", &features.join(",")])
        .env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only")
        .current_dir(workspace());
    process::run("build", &mut command, LIMIT)
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
