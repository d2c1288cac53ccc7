//! Programs of others, fetched into the workspace's cache folder without installing them. Knows
//! packages, folders and processes; not what the programs are for (`servers` and `tools` do).

pub(crate) mod command;
pub(crate) mod debian;
pub(crate) mod launch;
pub(crate) mod store;
pub(crate) mod wheel;

use std::{
    env,
    ffi::OsString,
    fmt,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Something that was wanted and can't be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// For people, e.g. `redis 8.0`.
    pub what: String,
    /// Why it can't be had.
    pub reason: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.reason)
    }
}

/// The workspace's own cache folder, which git ignores.
pub fn folder() -> PathBuf {
    // Two levels above this crate's manifest is the workspace.
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_folder.ancestors().nth(2).unwrap_or(crate_folder).join(".servers")
}

/// The value of an environment variable that is set and not empty.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// The first program of this name on the PATH.
pub(crate) fn on_the_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| {
        file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    })
}
