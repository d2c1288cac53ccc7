//! Builds the one subject that cargo can't: a program in C, on a library out of a package.

use std::{fs, path::Path, process::Command};

use testkit::{libraries, servers};

use crate::workspace;

/// Counted by wrappers in the program.
const WRAPPED: &str = "-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc";

/// Compiles the program into `programs`, with the optimization that others are built with.
///
/// # Errors
/// In words, when there is no compiler or no library: the machine lacks something, and the other
/// subjects do without.
pub(super) fn build(programs: &Path) -> Result<(), String> {
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
        .arg(programs.join("bench-codec-hiredis"))
        .arg(workspace().join("tests/bench/src/bin/codec/hiredis.c"))
        .arg(library)
        .arg(WRAPPED);
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
