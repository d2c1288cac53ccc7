//! The workspace's own verbs, run as `cargo xtask VERB`. One module a verb; this file only picks.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to people by printing"
)]

mod args;
mod bench;
mod capture;
mod check;
mod cluster;
mod codegen;
mod demo;
mod fuzz;
mod process;
mod servers;
mod simulate;
mod soak;
mod test_matrix;
mod tidy;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use self::args::Args;

/// What a verb ends with: an error's text is shown, and the exit code is 1.
type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// The verb failed, and its last line has said so.
#[derive(Debug)]
struct Told;

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("failed, as told")
    }
}

impl std::error::Error for Told {}

/// A verb: its name, its options and its purpose for `help`, and what it does.
struct Verb {
    name: &'static str,
    options: &'static str,
    purpose: &'static str,
    run: fn(Args) -> Result<()>,
}

const VERBS: &[Verb] = &[
    servers::VERB,
    demo::VERB,
    cluster::VERB,
    test_matrix::VERB,
    check::VERB,
    tidy::VERB,
    codegen::VERB,
    simulate::VERB,
    soak::VERB,
    bench::VERB,
    fuzz::VERB,
    capture::VERB,
];

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_default();
    if name.is_empty() || ["help", "-h", "--help"].contains(&name.as_str()) {
        help();
        return ExitCode::SUCCESS;
    }
    let Some(verb) = VERBS.iter().find(|verb| verb.name == name) else {
        eprintln!("error: no verb `{name}`; `cargo xtask help` lists them");
        return ExitCode::from(2);
    };
    // Every verb may start servers, and none may leave one behind.
    let ran = testkit::servers::stop_on_ctrl_c()
        .map_err(Into::into)
        .and_then(|()| (verb.run)(Args::new(words.collect())));
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Told>() => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            match error.is::<args::Misuse>() {
                true => {
                    eprintln!("usage: cargo xtask {} {}", verb.name, verb.options);
                    ExitCode::from(2)
                }
                false => ExitCode::FAILURE,
            }
        }
    }
}

/// The workspace's folder.
fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

fn help() {
    println!("usage: cargo xtask VERB [OPTIONS]\n");
    for Verb { name, options, purpose, .. } in VERBS {
        match format!("{name} {options}") {
            usage if usage.len() > 28 => println!("  {usage}\n  {:28} {purpose}", ""),
            usage => println!("  {usage:28} {purpose}"),
        }
    }
    println!("  {:28} this list", "help");
}
