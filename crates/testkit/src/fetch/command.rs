//! Runs one helper program to its end under a deadline and keeps what it said.
//! Knows nothing of what is fetched.

use std::{
    io::{self, Read},
    process::{Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use super::launch::{spawn, tied};

/// What a program left behind.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    /// Standard output and standard error, in the order written.
    pub(crate) output: String,
}

impl Finished {
    /// The line to show when the program failed: the last one that says "error", else the last one.
    pub(crate) fn complaint(&self) -> String {
        let lines = || self.output.lines().map(str::trim).filter(|line| !line.is_empty());
        let line = lines()
            .rfind(|line| line.starts_with("E:") || line.to_lowercase().contains("error"))
            .or_else(|| lines().next_back());
        match line {
            Some(line) => line.chars().take(240).collect(),
            None => format!("it said nothing ({})", self.status),
        }
    }
}

/// Runs `command` to its end. A program that outlives `limit`, or this process, is killed.
/// Of `command`, program, arguments and folder count.
///
/// # Errors
/// In words, when the program can't be started, outlives `limit`, or ends unsuccessfully.
pub(crate) fn run(command: Command, limit: Duration) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let finished = finish_as(&program, tied(&command), limit)?;
    if finished.status.success() {
        Ok(finished.output)
    } else {
        Err(format!("`{program}` failed: {}", finished.complaint()))
    }
}

/// Runs `command` to its end, whatever that is. A program that outlives `limit` is killed.
pub(crate) fn finish(command: Command, limit: Duration) -> Result<Finished, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    finish_as(&program, command, limit)
}

fn finish_as(program: &str, mut command: Command, limit: Duration) -> Result<Finished, String> {
    let failed = |what: &str, error: io::Error| format!("`{program}` {what}: {error}");

    let (mut reader, writer) = io::pipe().map_err(|e| failed("has no pipe", e))?;
    let again = writer.try_clone().map_err(|e| failed("has no pipe", e))?;
    command.stdin(Stdio::null()).stdout(writer).stderr(again);
    let mut child = spawn(command).map_err(|e| failed("could not be started", e))?;

    let output = Arc::new(Mutex::new(Vec::new()));
    let (done, ended) = mpsc::channel::<()>();
    let sink = Arc::clone(&output);
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = reader.read(&mut chunk) {
            sink.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..read]);
        }
        drop(done);
    });

    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(1);
    let status = loop {
        match child.try_wait().map_err(|e| failed("could not be waited for", e))? {
            Some(status) => break status,
            None if Instant::now() >= deadline => {
                // Whether it could be killed or not, the caller learns that it hung.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("`{program}` did not end within {limit:?} and was killed"));
            }
            None => {
                thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(20));
            }
        }
    };
    // A grandchild may hold the pipe open: what it would say is not waited for.
    let _ = ended.recv_timeout(Duration::from_secs(5));
    let output = output.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Finished { status, output: String::from_utf8_lossy(&output).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_holds_both_streams() {
        let said = run(shell("echo out; echo err >&2"), Duration::from_secs(10)).unwrap();
        assert_eq!(said, "out\nerr\n");
    }

    #[test]
    fn failure_shows_the_line_that_says_error() {
        let error =
            run(shell("echo ERROR: no such thing; echo bye; exit 3"), Duration::from_secs(10))
                .unwrap_err();
        assert_eq!(error, "`sh` failed: ERROR: no such thing");
    }

    #[test]
    fn hung_program_is_killed_at_the_deadline() {
        let error = run(shell("exec sleep 1000"), Duration::from_millis(20)).unwrap_err();
        assert!(error.contains("did not end within 20ms"), "{error}");
    }

    #[test]
    fn missing_program_is_named() {
        let error = finish(Command::new("no-such-program"), Duration::from_secs(9)).err().unwrap();
        assert!(error.contains("`no-such-program` could not be started"), "{error}");
    }
}
