//! The folder that keeps what was fetched between runs: one slot (a folder) each.
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
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant},
};

const MANIFEST: &str = "manifest";
/// In a command's words: the slot's own folder, and the folder of all slots.
pub(crate) const SLOT: &str = "{slot}";
pub(crate) const SLOTS: &str = "{slots}";
/// Two of the longest programs run under the lock, each with its own deadline.
const LOCK_LIMIT: Duration = Duration::from_secs(25 * 60);

/// Told what is going on, one line at a time, from any thread.
pub(crate) type Progress<'a> = &'a (dyn Fn(&str) + Sync);

/// What a slot can be filled with.
pub(crate) trait Wanted: Sync + Sized {
    /// What there is once the slot is filled.
    type Found: Clone + Send + Sync;

    /// The folder in the cache that holds it, e.g. `redis-8.0`.
    fn slot(&self) -> String;

    /// What is fetched and from where, for people.
    fn source(&self) -> String;

    /// Puts it into the empty folder `stage`, runs it there, and says how to run it.
    fn make(&self, stage: &Path, fetcher: &Fetcher<'_, Self>) -> Result<Recipe, String>;

    /// Runs `recipe`, whose words are `command` in the filled folder `slot`, and says what it is.
    fn look_at(
        &self,
        recipe: Recipe,
        command: Vec<OsString>,
        slot: &Path,
    ) -> Result<Self::Found, String>;
}

/// How to run what a slot holds.
#[derive(Debug, Default)]
pub(crate) struct Recipe {
    /// How it was had, for people.
    pub(crate) how: String,
    /// Program and leading arguments, with [`SLOT`] and [`SLOTS`] for the folders.
    pub(crate) command: Vec<String>,
    /// What takes too long to find out each time: a word and its value, one line.
    pub(crate) facts: BTreeMap<String, String>,
}

impl Recipe {
    fn read(manifest: &str) -> Self {
        let mut recipe = Self::default();
        for line in manifest.lines() {
            match line.split_once(' ') {
                Some(("how", how)) => recipe.how = how.to_owned(),
                Some(("command", word)) => recipe.command.push(word.to_owned()),
                Some((fact, value)) => drop(recipe.facts.insert(fact.to_owned(), value.to_owned())),
                None => {}
            }
        }
        recipe
    }

    fn manifest(&self) -> String {
        let facts = self.facts.iter().map(|(fact, value)| format!("{fact} {value}\n"));
        let words = self.command.iter().map(|word| format!("command {word}\n"));
        facts.chain([format!("how {}\n", self.how)]).chain(words).collect()
    }
}

pub(crate) struct Store {
    root: PathBuf,
}

impl Store {
    pub(crate) fn new(root: &Path) -> Self {
        // Programs are run in folders of their own: their commands must not be relative.
        Self { root: std::path::absolute(root).unwrap_or_else(|_| root.to_owned()) }
    }

    /// What is in `wanted`'s slot, after it was run; `None` for an empty slot.
    pub(crate) fn load<W: Wanted>(&self, wanted: &W) -> Result<Option<W::Found>, String> {
        let slot = self.root.join(wanted.slot());
        let Ok(manifest) = fs::read_to_string(slot.join(MANIFEST)) else {
            return Ok(None);
        };
        let recipe = Recipe::read(&manifest);
        let command = self.expand(&recipe.command, &slot);
        wanted
            .look_at(recipe, command, &slot)
            .map(Some)
            .map_err(|why| format!("the copy in {} does not run: {why}", slot.display()))
    }

    /// Fills the slots of `lacking`, in parallel; a result each, in their order.
    pub(crate) fn fetch<W: Wanted>(
        &self,
        lacking: &[&W],
        progress: Progress<'_>,
    ) -> Vec<Result<W::Found, String>> {
        let fetcher = match self.lock(progress) {
            Ok(lock) => Fetcher { store: self, progress, slots: Mutex::default(), _lock: lock },
            Err(why) => return lacking.iter().map(|_| Err(why.clone())).collect(),
        };
        thread::scope(|scope| {
            let fetches: Vec<_> =
                lacking.iter().map(|wanted| scope.spawn(|| fetcher.obtain(*wanted))).collect();
            fetches
                .into_iter()
                .map(|fetch| fetch.join().unwrap_or_else(|_| Err("its fetch panicked".into())))
                .collect()
        })
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
                        progress("waiting for another process that is fetching, too");
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
pub(crate) struct Fetcher<'a, W: Wanted> {
    store: &'a Store,
    progress: Progress<'a>,
    /// A slot that another one builds on is filled once, whoever asks first.
    slots: Mutex<BTreeMap<String, Arc<Cell<W>>>>,
    _lock: File,
}

type Cell<W> = OnceLock<Result<<W as Wanted>::Found, String>>;

impl<W: Wanted> Fetcher<'_, W> {
    /// Fills `wanted`'s slot, unless that has been done.
    pub(crate) fn obtain(&self, wanted: &W) -> Result<W::Found, String> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let cell = Arc::clone(slots.entry(wanted.slot()).or_default());
        drop(slots);
        cell.get_or_init(|| {
            // Whoever held the lock before may have fetched it.
            if let Ok(Some(found)) = self.store.load(wanted) {
                return Ok(found);
            }
            let place = self.place(wanted);
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

    /// The folder of `wanted`'s slot.
    pub(crate) fn place(&self, wanted: &W) -> PathBuf {
        self.store.root.join(wanted.slot())
    }

    /// The words of `recipe` for the folder `slot`.
    pub(crate) fn command(&self, recipe: &Recipe, slot: &Path) -> Vec<OsString> {
        self.store.expand(&recipe.command, slot)
    }

    fn make(&self, wanted: &W, place: &Path) -> Result<W::Found, String> {
        let stage = self.store.root.join(format!("stage-{}-{}", std::process::id(), wanted.slot()));
        let _ = fs::remove_dir_all(&stage);
        fs::create_dir(&stage).map_err(|e| format!("`{}`: {e}", stage.display()))?;
        (self.progress)(&format!("fetching {}", wanted.source()));
        let made = wanted.make(&stage, self).and_then(|recipe| self.keep(recipe, &stage, place));
        // After success it has been moved away.
        let _ = fs::remove_dir_all(&stage);
        let recipe = made?;
        let command = self.command(&recipe, place);
        wanted.look_at(recipe, command, place)
    }

    fn keep(&self, recipe: Recipe, stage: &Path, place: &Path) -> Result<Recipe, String> {
        let moved = || {
            fs::write(stage.join(MANIFEST), recipe.manifest())?;
            if place.exists() {
                // What is there does not run, else nothing would have been fetched.
                fs::remove_dir_all(place)?;
            }
            fs::rename(stage, place)
        };
        moved().map_err(|e| format!("`{}`: {e}", place.display()))?;
        Ok(recipe)
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, process::Command};

    use super::*;
    use crate::fetch::command::run;

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

    /// A script that says something.
    struct Script {
        slot: &'static str,
        /// What the fetched one says; nothing can't be fetched.
        says: Option<&'static str>,
        /// It can't be made without this one.
        needs: Option<&'static Script>,
    }

    impl Script {
        fn write(&self, folder: &Path, says: &str) {
            fs::create_dir_all(folder).unwrap();
            let program = folder.join("program");
            fs::write(&program, format!("#!/bin/sh\necho {says}\n")).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    impl Wanted for Script {
        /// What it says, and how it was had.
        type Found = (String, String);

        fn slot(&self) -> String {
            self.slot.to_owned()
        }

        fn source(&self) -> String {
            format!("{} from nowhere", self.slot)
        }

        fn make(&self, stage: &Path, fetcher: &Fetcher<'_, Self>) -> Result<Recipe, String> {
            if let Some(needed) = self.needs {
                fetcher.obtain(needed)?;
            }
            self.write(stage, self.says.ok_or("there is none")?);
            let command = vec![format!("{SLOT}/program")];
            Ok(Recipe { how: "by fetching".to_owned(), command, facts: BTreeMap::new() })
        }

        fn look_at(
            &self,
            recipe: Recipe,
            command: Vec<OsString>,
            _: &Path,
        ) -> Result<Self::Found, String> {
            let said = run(Command::new(&command[0]), Duration::from_secs(20))?;
            match said.contains("broken") {
                true => Err(said),
                false => Ok((said.trim().to_owned(), recipe.how)),
            }
        }
    }

    static FIRST: Script = Script { slot: "first", says: Some("fetched"), needs: None };
    static SECOND: Script = Script { slot: "second", says: Some("both"), needs: Some(&FIRST) };
    static NONE: Script = Script { slot: "none", says: None, needs: None };

    fn fill(root: &Path, script: &Script, says: &str) {
        let slot = root.join(script.slot());
        script.write(&slot, says);
        fs::write(slot.join(MANIFEST), "how by hand\nsize large\ncommand {slot}/program\n")
            .unwrap();
    }

    fn found(says: &str, how: &str) -> (String, String) {
        (says.to_owned(), how.to_owned())
    }

    #[test]
    fn filled_slot_loads_with_what_it_says() {
        let folder = Folder::new("load");
        let store = Store::new(&folder.0);
        assert_eq!(store.load(&FIRST), Ok(None));
        fill(&folder.0, &FIRST, "hello");
        assert_eq!(store.load(&FIRST), Ok(Some(found("hello", "by hand"))));
    }

    #[test]
    fn slot_that_does_not_run_is_reported_and_fetched_again() {
        let folder = Folder::new("broken");
        let store = Store::new(&folder.0);
        fill(&folder.0, &FIRST, "broken");
        assert!(store.load(&FIRST).unwrap_err().contains("does not run"));
        assert_eq!(store.fetch(&[&FIRST], &|_| ()), [Ok(found("fetched", "by fetching"))]);
        assert_eq!(store.load(&FIRST), Ok(Some(found("fetched", "by fetching"))));
    }

    #[test]
    fn slot_that_others_need_is_fetched_once() {
        let folder = Folder::new("needs");
        let said = Mutex::new(Vec::new());
        let results = Store::new(&folder.0)
            .fetch(&[&FIRST, &SECOND], &|line| said.lock().unwrap().push(line.to_owned()));
        assert_eq!(
            results,
            [Ok(found("fetched", "by fetching")), Ok(found("both", "by fetching"))]
        );
        let mut said = said.into_inner().unwrap();
        said.sort();
        assert_eq!(said, ["fetching first from nowhere", "fetching second from nowhere"]);
    }

    #[test]
    fn failed_fetch_leaves_nothing_and_is_not_tried_again() {
        let folder = Folder::new("failed");
        let store = Store::new(&folder.0);
        let tries = Mutex::new(0);
        for _ in 0..2 {
            let results = store.fetch(&[&NONE], &|_| *tries.lock().unwrap() += 1);
            assert_eq!(results, [Err("there is none".to_owned())]);
        }
        assert_eq!(*tries.lock().unwrap(), 1);
        let names = fs::read_dir(&folder.0).unwrap().flatten().map(|entry| entry.file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["lock"]);
    }

    #[test]
    fn recipe_is_the_same_after_writing_and_reading() {
        let facts = BTreeMap::from([("tls".to_owned(), "yes".to_owned())]);
        let command = vec!["a".to_owned(), "b c".to_owned()];
        let recipe = Recipe { how: "by hand".to_owned(), command, facts };
        let read = Recipe::read(&recipe.manifest());
        assert_eq!(
            (read.how, read.command, read.facts),
            (recipe.how, recipe.command, recipe.facts)
        );
    }

    #[test]
    fn dead_stage_is_cleared_under_the_lock_and_slots_stay() {
        let folder = Folder::new("stage");
        let store = Store::new(&folder.0);
        fill(&folder.0, &FIRST, "hello");
        let stage = folder.0.join("stage-second");
        fs::create_dir_all(stage.join("half")).unwrap();
        assert_eq!(store.fetch(&[&FIRST], &|_| ()), [Ok(found("hello", "by hand"))]);
        assert!(!stage.exists());
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
