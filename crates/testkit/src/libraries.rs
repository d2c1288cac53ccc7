//! Libraries of others that ours are measured beside. Like servers and tools they are not installed, and
//! once fetched need no network.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::fetch::{
    debian::{self, Release},
    store::{Fetcher, Recipe, Store, Wanted},
};

/// The reader in C that the codec is measured beside, to be linked against its static library.
struct Hiredis;

const RELEASE: Release =
    Release { number: 13, codename: "trixie", packages: &["libhiredis-dev"], programs: &[] };

/// The folder of the slot that holds what was in the packages.
const FILES: &str = "files";

impl Wanted for Hiredis {
    type Found = PathBuf;

    fn slot(&self) -> String {
        "hiredis".to_owned()
    }

    fn source(&self) -> String {
        RELEASE.how()
    }

    fn make(&self, stage: &Path, _: &Fetcher<'_, Self>) -> Result<Recipe, String> {
        debian::unpack(&RELEASE, stage, &stage.join(FILES))?;
        Ok(Recipe { how: RELEASE.how(), ..Recipe::default() })
    }

    fn look_at(&self, _: Recipe, _: Vec<OsString>, slot: &Path) -> Result<PathBuf, String> {
        let files = slot.join(FILES);
        match files.join("usr/include/hiredis/read.h").exists() {
            true => Ok(files),
            false => Err(format!("`{}` has no header of it", files.display())),
        }
    }
}

/// The folder that holds hiredis' headers and its static library below `usr`, in the cache folder
/// `dir`; fetched if it is not there. Nothing is installed.
///
/// # Errors
/// In words, when it can't be fetched.
pub fn hiredis(dir: &Path, progress: &(dyn Fn(&str) + Sync)) -> Result<PathBuf, String> {
    let store = Store::new(dir);
    if let Ok(Some(files)) = store.load(&Hiredis) {
        return Ok(files);
    }
    store.fetch(&[&Hiredis], progress).pop().unwrap_or_else(|| Err("nothing was fetched".into()))
}
