//! Runs other programs for a verb: with a heading, their output shown as it comes, and a deadline.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{Result, workspace};

/// Runs `command` to its end, its output shown under `heading`. One that outlives `limit` is
/// killed.
///
/// # Errors
/// When it can't be started, outlives `limit`, or ends unsuccessfully.
pub(crate) fn run(heading: &str, command: &mut Command, limit: Duration) -> Result<()> {
    println!("== {heading}");
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child =
        command.spawn().map_err(|e| format!("`{program}` could not be started: {e}"))?;
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(1);
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("{heading}: `{program}` failed ({status})").into()),
            None if Instant::now() >= deadline => {
                child.kill()?;
                child.wait()?;
                return Err(format!("{heading}: `{program}` did not end within {limit:?}").into());
            }
            None => {
                thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(50));
            }
        }
    }
}

/// This toolchain's cargo.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Builds a package and returns its program.
///
/// # Errors
/// When it does not build, or has no program.
pub(crate) fn build_program(package: &str, features: &[&str]) -> Result<PathBuf> {
    let features = features.join(",");
    build(&["--package", package, "--features", &features])?
        .pop()
        .ok_or_else(|| format!("{package} has no program").into())
}

/// Builds what `args` pick and returns the programs.
///
/// # Errors
/// When it does not build.
pub(crate) fn build(args: &[&str]) -> Result<Vec<PathBuf>> {
    let mut command = cargo();
    command
        .args(["build", "--message-format", "json-render-diagnostics"])
        .args(args)
        .current_dir(workspace());
    let output = tied(&command).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("`cargo build {}` failed ({})", args.join(" "), output.status).into());
    }
    let messages = String::from_utf8(output.stdout)?;
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).collect())
}

/// The same program, arguments and folder (not more), asked to end when this process does, where the
/// system can do that: on Ctrl-C a terminal tells all of them, a plain signal reaches this one alone.
pub(crate) fn tied(command: &Command) -> Command {
    const TIE: [&str; 2] = ["--pdeathsig", "TERM"];
    static SETPRIV: OnceLock<bool> = OnceLock::new();
    let can = *SETPRIV.get_or_init(|| {
        let mut trial = Command::new("setpriv");
        trial.args(TIE).arg("true").stdout(Stdio::null()).stderr(Stdio::null());
        trial.status().is_ok_and(|status| status.success())
    });
    let mut tied = match can {
        true => Command::new("setpriv"),
        false => Command::new(command.get_program()),
    };
    if can {
        tied.args(TIE).arg(command.get_program());
    }
    tied.args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        tied.current_dir(folder);
    }
    tied
}
