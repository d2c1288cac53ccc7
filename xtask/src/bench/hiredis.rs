//! Builds the subjects that cargo can't: programs in C, on a library out of a package.

use std::{fs, path::Path, process::Command};

use testkit::{libraries, servers};

use crate::workspace;

/// A subject in C.
pub(super) struct Program {
    name: &'static str,
    /// Where its source is, in the package `bench`.
    source: &'static str,
    options: &'static [&'static str],
}

/// The client.
pub(super) const CLIENT: Program =
    Program { name: "bench-hiredis", source: "src/bin/hiredis.c", options: &[] };

/// The reader and the encoder, whose allocations are counted by wrappers in the program.
pub(super) const CODEC: Program = Program {
    name: "bench-codec-hiredis",
    source: "src/bin/codec/hiredis.c",
    options: &["-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc"],
};

/// Compiles the program into `programs`, with the optimization that others are built with.
///
/// # Errors
/// In words, when there is no compiler or no library: the machine lacks something, and the other
/// subjects do without.
pub(super) fn build(program: &Program, programs: &Path) -> Result<(), String> {
    // Looked for first, so that nothing is fetched in vain.
    run(Command::new("cc").arg("--version"))?;
    let unpacked = libraries::hiredis(&servers::folder(), &|line| eprintln!("{line}"))?;
    let usr = unpacked.join("usr");
    let library = fs::read_dir(usr.join("lib"))
        .map_err(|e| format!("`{}`: {e}", usr.display()))?
        .flatten()
        .map(|entry| entry.path().join("libhiredis.a"))
        .find(|path| path.exists())
        .ok_or_else(|| format!("no static library in `{}`", usr.display()))?;
    let mut command = Command::new("cc");
    command
        .args(["-std=gnu11", "-O3", "-Wall", "-Wextra", "-I"])
        .arg(usr.join("include"))
        .arg("-o")
        .arg(programs.join(program.name))
        .arg(workspace().join("tests/bench").join(program.source))
        .arg(library)
        .args(program.options);
    run(&mut command)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("`cc` could not be started: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            let lines = || said.lines().filter(|line| line.contains("error"));
            let line = lines().next().or_else(|| said.lines().last()).unwrap_or("it said nothing");
            Err(format!("`cc` failed: {line}"))
        }
    }
}
