//! Keeps servers from outliving whoever started them. Knows processes and folders, not servers.
//!
//! Four nets, each for what the one before can't catch:
//! 1. The owner drops its [`Ward`], also while unwinding.
//! 2. On Ctrl-C or a request to terminate, a handler ends all of them ([`stop_on_ctrl_c`]).
//! 3. When this process is killed, the system ends them, where it can (see `launch`).
//! 4. What is left all the same (folders; processes where there is no `setpriv`) the next run
//!    clears: folders carry their owner's process id in the name.
//!
//! Processes are waited for under the registry's lock only, so that a process id taken from it
//! under the lock can't have passed to a stranger.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, MutexGuard, Once, OnceLock, PoisonError},
};

use crate::fetch::launch::{spawn, tied};

/// Folders are called `redis-testkit-OWNER-NUMBER`.
const PREFIX: &str = "redis-testkit-";
const PID_FILE: &str = "pid";

static REGISTRY: Mutex<Registry> =
    Mutex::new(Registry { next: 0, closing: false, wards: BTreeMap::new() });

struct Registry {
    next: u64,
    /// The process is ending: nothing may be started any more.
    closing: bool,
    wards: BTreeMap<u64, Guarded>,
}

struct Guarded {
    folder: PathBuf,
    child: Option<Child>,
    pid: u32,
}

impl Guarded {
    fn end(&mut self) -> Option<ExitStatus> {
        let mut child = self.child.take()?;
        // A process that has ended already can't be killed, and waiting for it tells.
        let _ = child.kill();
        child.wait().ok()
    }
}

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A private folder and the process that lives in it; both end with this.
#[derive(Debug)]
pub(super) struct Ward {
    id: u64,
    folder: PathBuf,
}

impl Ward {
    /// Makes an empty folder, which nobody else may enter.
    pub(super) fn new() -> io::Result<Self> {
        static LEFTOVERS: Once = Once::new();
        LEFTOVERS.call_once(clear_leftovers);

        let mut registry = registry();
        registry.refuse_when_closing()?;
        let id = registry.next;
        registry.next += 1;
        let folder = env::temp_dir().join(format!("{PREFIX}{}-{id}", std::process::id()));
        // A folder of this name is one of an earlier process that had our id.
        let _ = fs::remove_dir_all(&folder);
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        registry.wards.insert(id, Guarded { folder: folder.clone(), child: None, pid: 0 });
        Ok(Self { id, folder })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts a process, its outputs going to the folder's log; the one before it is ended.
    /// Of `command`, program, arguments and folder count.
    pub(super) fn spawn(&self, command: Command) -> io::Result<()> {
        let mut registry = registry();
        registry.refuse_when_closing()?;
        let guarded = registry.ward(self.id)?;
        guarded.end();
        let log = File::options().create(true).append(true).open(self.folder.join(LOG_FILE))?;
        let mut command = tied(&command);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = spawn(command)?;
        guarded.pid = child.id();
        guarded.child = Some(child);
        fs::write(self.folder.join(PID_FILE), guarded.pid.to_string())
    }

    /// The process id of the last process started.
    pub(super) fn pid(&self) -> u32 {
        registry().ward(self.id).map_or(0, |guarded| guarded.pid)
    }

    /// Whether the process has ended by itself or otherwise.
    pub(super) fn has_ended(&self) -> io::Result<bool> {
        let mut registry = registry();
        let guarded = registry.ward(self.id)?;
        let Some(child) = &mut guarded.child else {
            return Ok(true);
        };
        let ended = child.try_wait()?.is_some();
        if ended {
            guarded.child = None;
        }
        Ok(ended)
    }

    /// Kills the process and waits for its end.
    pub(super) fn kill(&self) -> io::Result<()> {
        registry().ward(self.id)?.end();
        Ok(())
    }

    /// Sends a signal by its short name, e.g. `STOP`, if the process runs.
    pub(super) fn signal(&self, name: &str) -> io::Result<()> {
        let mut registry = registry();
        match &registry.ward(self.id)?.child {
            Some(child) => send_signal(child.id(), name),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "the server does not run")),
        }
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        let mut registry = registry();
        if let Some(mut guarded) = registry.wards.remove(&self.id) {
            guarded.end();
            // A folder that can't be removed is left to the next run.
            let _ = fs::remove_dir_all(&guarded.folder);
        }
    }
}

impl Registry {
    fn ward(&mut self, id: u64) -> io::Result<&mut Guarded> {
        let gone = || io::Error::new(io::ErrorKind::NotFound, "the server was ended by a signal");
        self.wards.get_mut(&id).ok_or_else(gone)
    }

    fn refuse_when_closing(&self) -> io::Result<()> {
        match self.closing {
            true => Err(io::Error::new(io::ErrorKind::Interrupted, "this process is ending")),
            false => Ok(()),
        }
    }

    fn end_all(&mut self) {
        self.closing = true;
        for (_, mut guarded) in std::mem::take(&mut self.wards) {
            guarded.end();
            let _ = fs::remove_dir_all(&guarded.folder);
        }
    }
}

/// From now on Ctrl-C, and a request to terminate or hang up, ends all servers of this process,
/// removes their folders and exits with code 130.
///
/// # Errors
/// When the system refuses, or the handler was set by other code through `ctrlc`. Calling this
/// twice is fine.
pub fn stop_on_ctrl_c() -> io::Result<()> {
    static SET: OnceLock<Result<(), String>> = OnceLock::new();
    SET.get_or_init(|| {
        // Not `try_set_handler`: a shell starts what runs in its background with Ctrl-C ignored.
        ctrlc::set_handler(|| {
            let mut registry = registry();
            registry.end_all();
            // Under the lock, so that no server starts any more.
            std::process::exit(130);
        })
        .map_err(|e| e.to_string())
    })
    .clone()
    .map_err(io::Error::other)
}

/// What a process writes to its outputs, in its folder.
pub(super) const LOG_FILE: &str = "log";

/// Sends a signal through the shell, whose `kill` every system has.
fn send_signal(pid: u32, name: &str) -> io::Result<()> {
    let mut shell = Command::new("sh");
    shell.args(["-c", "kill -\"$1\" \"$2\"", "sh", name, &pid.to_string()]);
    let output = shell.stdin(Stdio::null()).output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned())),
    }
}

/// Ends what the dead runs of other processes left in the folder for temporary files.
pub(super) fn clear_leftovers() {
    for entry in fs::read_dir(env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| {
            let (owner, number) = name.strip_prefix(PREFIX)?.split_once('-')?;
            number.parse::<u64>().ok()?;
            owner.parse::<u32>().ok()
        });
        if owner.is_some_and(|owner| !exists(owner)) {
            clear(&entry.path());
        }
    }
}

fn clear(folder: &Path) {
    let pid = fs::read_to_string(folder.join(PID_FILE)).ok().and_then(|pid| pid.parse().ok());
    if let Some(pid) = pid {
        // The id may have passed to a stranger; a server of ours works in its folder.
        let works_in = fs::read_link(format!("/proc/{pid}/cwd"));
        if works_in.is_ok_and(|works_in| works_in == folder) {
            let _ = send_signal(pid, "KILL");
        }
    }
    // Another run may be clearing it, too; or it is another user's.
    let _ = fs::remove_dir_all(folder);
}

/// Whether a process has this id. When that can't be told, it has.
fn exists(pid: u32) -> bool {
    if Path::new("/proc/self").exists() {
        Path::new(&format!("/proc/{pid}")).exists()
    } else {
        // "No such process" is the only failure for a signal that is none, but for a stranger's.
        send_signal(pid, "0").map_or_else(|e| e.to_string().contains("permitted"), |()| true)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn folder_of_a_dead_owner_is_cleared_and_of_a_living_one_kept() {
        let mut child = Command::new("true").spawn().unwrap();
        let dead = child.id();
        child.wait().unwrap();
        let of_dead = env::temp_dir().join(format!("{PREFIX}{dead}-0"));
        let of_living = env::temp_dir().join(format!("{PREFIX}{}-999999", std::process::id()));
        fs::create_dir_all(&of_dead).unwrap();
        fs::create_dir_all(&of_living).unwrap();
        clear_leftovers();
        let (dead_left, living_left) = (of_dead.exists(), of_living.exists());
        fs::remove_dir_all(&of_living).unwrap();
        assert_eq!((dead_left, living_left), (false, true));
    }

    #[test]
    fn process_outlives_the_thread_that_asked_for_it_and_not_its_ward() {
        let (ward, task) = thread::spawn(|| {
            let ward = Ward::new().unwrap();
            let mut command = Command::new("sleep");
            command.arg("1000").current_dir(ward.folder());
            ward.spawn(command).unwrap();
            (ward, fs::read_link("/proc/thread-self").map(|task| Path::new("/proc").join(task)))
        })
        .join()
        .unwrap();
        // A joined thread may still be ending; it has sent its children's signals when it is gone.
        while task.as_ref().is_ok_and(|task| task.exists()) {
            thread::yield_now();
        }
        assert!(!ward.has_ended().unwrap());
        let (pid, folder) = (ward.pid(), ward.folder().to_owned());
        assert!(exists(pid) && folder.exists());
        drop(ward);
        assert!(!exists(pid) && !folder.exists());
    }
}
