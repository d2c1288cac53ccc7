//! Puts bugs into a copy of the workspace, one at a time, and sees whether the simulation finds them.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::mutants::Mutant;
use super::{cluster_mutants, mutants};
use crate::process::{self, cargo};
use crate::{Result, workspace};

/// Seeds within which a bug has to be found.
const SEEDS: &str = "1000";

/// A mutant that runs for longer waits for something that never comes.
const LIMIT: Duration = Duration::from_secs(180);

/// Mutants of one crate, and the workload that has to find them.
pub(super) struct Suite {
    mutants: &'static [Mutant],
    /// Where their files are.
    sources: &'static str,
    /// The option of the workload.
    option: Option<&'static str>,
}

pub(super) static CORE: Suite =
    Suite { mutants: mutants::MUTANTS, sources: "crates/redis-core/src", option: None };

pub(super) static CLUSTER: Suite = Suite {
    mutants: cluster_mutants::MUTANTS,
    sources: "crates/redis-cluster/src",
    option: Some("--cluster"),
};

/// Runs all mutants of a suite, or those of these names, with commas between them.
pub(super) fn run_all(suite: &'static Suite, only: Option<&str>) -> Result<()> {
    let named = |mutant: &&Mutant| {
        only.is_none_or(|names| names.split(',').any(|name| name == mutant.name))
    };
    let chosen: Vec<&Mutant> = suite.mutants.iter().filter(named).collect();
    if chosen.is_empty() {
        return Err("no mutant has that name".into());
    }
    let bench = Bench::new(suite)?;
    // Without this a bug that is there anyway would catch them all.
    if let Some(found) = bench.run()? {
        return Err(format!("without a bug on purpose there is one: {}", found.what).into());
    }
    let mut survivors = Vec::new();
    println!("{:<42} {:>6} {:>8}  found", "mutant", "seed", "seconds");
    for mutant in chosen {
        let start = Instant::now();
        bench.apply(mutant)?;
        let found = bench.run();
        bench.restore(mutant)?;
        let seconds = start.elapsed().as_secs_f64();
        match found? {
            Some(Found { seed, what }) => {
                let what: String = what.chars().take(90).collect();
                println!("{:<42} {seed:>6} {seconds:>8.1}  {what}", mutant.name);
            }
            None => {
                println!("{:<42} {:>6} {seconds:>8.1}  nothing", mutant.name, "-");
                survivors.push(mutant.name);
            }
        }
    }
    match survivors.is_empty() {
        true => Ok(()),
        false => Err(format!("not found within {SEEDS} seeds: {}", survivors.join(", ")).into()),
    }
}

/// How a bug was found.
struct Found {
    seed: String,
    what: String,
}

/// A copy of the workspace.
struct Bench {
    suite: &'static Suite,
    root: PathBuf,
}

impl Bench {
    fn new(suite: &'static Suite) -> Result<Self> {
        let root = workspace().join("target/mutants/workspace");
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(workspace())
            .output()
            .map_err(|e| format!("`git ls-files` could not be started: {e}"))?;
        if !listed.status.success() {
            return Err("`git ls-files` failed".into());
        }
        let listed = String::from_utf8(listed.stdout)?;
        let mut there = BTreeSet::new();
        for path in listed.split_terminator('\0') {
            copy(&workspace().join(path), &root.join(path))?;
            there.insert(root.join(path));
        }
        remove_others(&root, &there)?;
        Ok(Self { suite, root })
    }

    fn apply(&self, mutant: &Mutant) -> Result<()> {
        for (file, search, replace) in mutant.edits {
            let path = self.root.join(self.suite.sources).join(file);
            let text = fs::read_to_string(&path)?;
            let count = text.matches(search).count();
            if count != 1 {
                return Err(format!(
                    "mutant `{}`: its text is {count} times in {file}, not once: bring it up to date",
                    mutant.name
                )
                .into());
            }
            fs::write(&path, text.replace(search, replace))?;
        }
        Ok(())
    }

    fn restore(&self, mutant: &Mutant) -> Result<()> {
        for (file, ..) in mutant.edits {
            let path = Path::new(self.suite.sources).join(file);
            fs::copy(workspace().join(&path), self.root.join(&path))?;
        }
        Ok(())
    }

    /// Builds the copy and runs seeds until one fails.
    fn run(&self) -> Result<Option<Found>> {
        let target = workspace().join("target/mutants/target");
        let mut build = cargo();
        build
            .args(["build", "--quiet", "--package", "simulation"])
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &target)
            .env("CARGO_INCREMENTAL", "1")
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            // A bug may leave something unused.
            .env("RUSTFLAGS", "--cap-lints=allow");
        let built = build.stdin(Stdio::null()).status()?;
        if !built.success() {
            return Err("the mutated workspace does not build".into());
        }
        let mut run = Command::new(target.join("debug/simulation"));
        run.args(["--seeds", SEEDS, "--stop", "--lines", "0"]).args(self.suite.option);
        let mut child = process::tied(&run).stdout(Stdio::piped()).spawn()?;
        let end = Instant::now() + LIMIT;
        let status = loop {
            match child.try_wait()? {
                Some(status) => break status,
                None if Instant::now() < end => thread::sleep(Duration::from_millis(20)),
                None => {
                    child.kill()?;
                    child.wait()?;
                    let what = format!("it did not end within {LIMIT:?}");
                    return Ok(Some(Found { seed: "?".to_owned(), what }));
                }
            }
        };
        if status.success() {
            return Ok(None);
        }
        let mut text = String::new();
        child.stdout.take().map(|mut out| out.read_to_string(&mut text)).transpose()?;
        let line = text.lines().find_map(|line| line.strip_prefix("seed "));
        let (seed, what) = line.and_then(|line| line.split_once(": ")).unwrap_or(("?", &text));
        Ok(Some(Found { seed: seed.to_owned(), what: what.to_owned() }))
    }
}

/// Removes files of an earlier copy that the workspace has no longer.
fn remove_others(folder: &Path, keep: &BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            remove_others(&path, keep)?;
        } else if !keep.contains(&path) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Copies a file unless it is there already, so that what did not change is not built again.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let Ok(bytes) = fs::read(from) else {
        // It was removed and git has not been told yet.
        return match to.exists() {
            true => Ok(fs::remove_file(to)?),
            false => Ok(()),
        };
    };
    if fs::read(to).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    Ok(fs::write(to, bytes)?)
}
