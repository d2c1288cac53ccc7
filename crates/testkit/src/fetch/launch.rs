//! Starts processes that the system ends together with this one, where it can.
//!
//! That takes `setpriv --pdeathsig KILL`. The signal is sent when the *thread* that started the
//! process ends, so all are started from one thread, which lives as long as this process.

use std::{
    io,
    process::{Child, Command, Stdio},
    sync::{OnceLock, mpsc},
    thread,
};

/// The same program, arguments and folder (not more), tied to this process's life.
pub(crate) fn tied(command: &Command) -> Command {
    static SETPRIV: OnceLock<bool> = OnceLock::new();
    let can = *SETPRIV.get_or_init(|| {
        let mut trial = Command::new("setpriv");
        trial.args(["--pdeathsig", "KILL", "true"]);
        trial.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        trial.status().is_ok_and(|status| status.success())
    });
    let mut tied = if can {
        let mut setpriv = Command::new("setpriv");
        setpriv.args(["--pdeathsig", "KILL"]).arg(command.get_program());
        setpriv
    } else {
        Command::new(command.get_program())
    };
    tied.args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        tied.current_dir(folder);
    }
    tied
}

type Job = (Command, mpsc::Sender<io::Result<Child>>);

/// Starts `command` from the thread that never ends.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    static LAUNCHER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let gone = || io::Error::other("the thread that starts processes has panicked");
    let launcher = LAUNCHER.get_or_init(|| {
        let (jobs, queue) = mpsc::channel::<Job>();
        thread::spawn(move || {
            for (mut command, reply) in queue {
                let child = command.spawn();
                // The command may hold a pipe's end, which its reader waits for.
                drop(command);
                // Whoever asked waits for the answer.
                let _ = reply.send(child);
            }
        });
        jobs
    });
    let (reply, answer) = mpsc::channel();
    launcher.send((command, reply)).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}
