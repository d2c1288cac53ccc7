//! `check`: everything that can be known without running the tests. All steps run; any failure
//! fails the verb.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    Result, Verb,
    args::Args,
    codegen,
    process::{self, cargo},
    tidy, workspace,
};

pub(crate) const VERB: Verb = Verb {
    name: "check",
    options: "",
    purpose: "format, lints, documentation, generated code, tidy",
    run,
};

const LIMIT: Duration = Duration::from_secs(30 * 60);

/// Packages left out of lints and documentation, e.g. those that only hold peers to measure.
const EXCLUDED: &[&str] = &[];

/// Features that only add: with them all code is looked at.
const FEATURES: &str = "redis-sync/json,redis-tokio/json,redis-smol/json,\
                        redis-sync/tracing,redis-tokio/tracing,redis-smol/tracing,\
                        conformance/tls";

/// What stands for a feature is looked at without it.
const PLAIN: [&str; 4] = ["--package", "redis-sync", "--package", "redis-async"];

type Step = (&'static str, fn() -> Result<()>);

const STEPS: &[Step] = &[
    ("format", format),
    ("clippy", clippy),
    ("doc", doc),
    ("codegen", codegen::verify),
    ("tidy", tidy::tidy),
];

fn run(args: Args) -> Result<()> {
    args.finish()?;
    let mut rows = Vec::new();
    for (name, step) in STEPS {
        let began = Instant::now();
        let result = step();
        rows.push((name, began.elapsed(), result));
    }
    println!("\n== summary");
    for (name, took, result) in &rows {
        match result {
            Ok(()) => println!("ok      {name:8} {took:.1?}"),
            Err(error) => println!("FAILED  {name:8} {took:.1?}  {error}"),
        }
    }
    match rows.iter().filter(|(_, _, result)| result.is_err()).count() {
        0 => Ok(()),
        failed => Err(format!("{failed} of {} steps failed", rows.len()).into()),
    }
}

fn format() -> Result<()> {
    let mut command = cargo();
    process::run(
        "format",
        command.args(["fmt", "--all", "--check"]).current_dir(workspace()),
        LIMIT,
    )
}

fn clippy() -> Result<()> {
    let mut command = on_workspace("clippy");
    process::run("clippy", command.args(["--all-targets", "--", "-D", "warnings"]), LIMIT)?;
    let mut command = cargo();
    command.arg("clippy").args(PLAIN).args(["--", "-D", "warnings"]);
    process::run("clippy", command.current_dir(workspace()), LIMIT)
}

fn doc() -> Result<()> {
    let mut command = on_workspace("doc");
    process::run("doc", command.arg("--no-deps").env("RUSTDOCFLAGS", "-D warnings"), LIMIT)
}

fn on_workspace(verb: &str) -> Command {
    let mut command = cargo();
    command.args([verb, "--workspace", "--features", FEATURES]).current_dir(workspace());
    for package in EXCLUDED {
        command.args(["--exclude", package]);
    }
    command
}
