//! The clients of others that ours are tested beside: finds `redis-cli`, `redis-benchmark` and
//! Python's package `redis`, or fetches them. Like the servers they are not installed, and once
//! fetched need no network.
//!
//! ```no_run
//! use testkit::tools;
//!
//! match tools::get(tools::CLI) {
//!     Ok(cli) => assert!(cli.command().arg("--version").status()?.success()),
//!     Err(missing) => testkit::skipped(&missing),
//! }
//! # Ok::<(), std::io::Error>(())
//! ```

mod fetched;
mod wanted;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    path::Path,
    process::Command,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use self::wanted::{KITS, KNOWN, Kit, Known};
pub use crate::fetch::{Missing, folder};
use crate::{
    fetch::{
        self,
        command::run,
        store::{Progress, Store},
    },
    servers::Version,
};

/// The servers' own command line.
pub const CLI: &str = "redis-cli";
/// The servers' own load generator.
pub const BENCHMARK: &str = "redis-benchmark";
/// A Python that has the package `redis`.
pub const PYTHON: &str = "python-redis";

/// Long enough for a loaded machine; a tool that says its version needs milliseconds.
const LIMIT: Duration = Duration::from_secs(60);

/// A tool that this machine can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// One of this module's constants.
    pub name: &'static str,
    /// What it says; of [`PYTHON`] the package's.
    pub version: Version,
    /// How it was found, for people.
    pub how: String,
    /// The program and the arguments that come before its own.
    pub words: Vec<OsString>,
}

impl Tool {
    /// A command that runs it.
    pub fn command(&self) -> Command {
        let mut words = self.words.iter();
        let mut command = Command::new(words.next().map_or("".as_ref(), OsString::as_os_str));
        command.args(words);
        command
    }

    /// Runs it with these arguments to its end, and returns what it printed, complaints included. One that
    /// outlives `limit`, or this process, is killed.
    ///
    /// # Errors
    /// In words, when it can't be started, outlives `limit`, or ends unsuccessfully.
    pub fn run(&self, arguments: &[&str], limit: Duration) -> Result<String, String> {
        let mut command = self.command();
        command.args(arguments);
        run(command, limit)
    }

    /// Runs the tool that `words` are, and sees whether it will do.
    fn at(known: &Known, words: Vec<OsString>, how: &str) -> Result<Self, String> {
        let mut tool =
            Self { name: known.name, version: Version::new(0, 0, 0), how: how.to_owned(), words };
        let mut command = tool.command();
        command.args(known.question).current_dir(std::env::temp_dir());
        let said = run(command, LIMIT)?;
        tool.version = said
            .split_whitespace()
            .find_map(Version::parse)
            .ok_or_else(|| format!("it told no version: {}", said.trim()))?;
        match tool.version.major < known.oldest {
            true => Err(format!("{} is older than {}", tool.version, known.oldest)),
            false => Ok(tool),
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// The tools this machine has, and those it lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Each at most once.
    pub found: Vec<Tool>,
    /// What could not be had.
    pub missing: Vec<Missing>,
}

/// Finds each tool: the program its environment variable names (`REDIS_CLI_BIN`,
/// `REDIS_BENCHMARK_BIN`, `REDIS_PYTHON_BIN`), the one on the PATH, the one in the cache folder
/// `dir`; with `fetch`, those still wanted are then fetched into `dir`. `progress` is told, from any
/// thread, what is being fetched.
///
/// A fetch that fails is a row in [`Report::missing`], and is not tried again by this process.
pub fn discover_with(dir: &Path, fetch: bool, progress: &(dyn Fn(&str) + Sync)) -> Report {
    let names: Vec<_> = KNOWN.iter().map(|known| known.name).collect();
    find(&names, dir, fetch, progress)
}

/// The tool of this name, found or fetched; looked for once by this process.
///
/// # Errors
/// When it can't be had, with the reason.
pub fn get(name: &str) -> Result<Tool, Missing> {
    type Cell = Arc<OnceLock<Result<Tool, Missing>>>;
    static KEPT: Mutex<BTreeMap<String, Cell>> = Mutex::new(BTreeMap::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let cell = Arc::clone(kept.entry(name.to_owned()).or_default());
    drop(kept);
    cell.get_or_init(|| {
        let mut report = find(&[name], &folder(), true, &|_| ());
        report.found.pop().ok_or_else(|| {
            let unknown =
                || Missing { what: name.to_owned(), reason: "no such tool is known".to_owned() };
            report.missing.pop().unwrap_or_else(unknown)
        })
    })
    .clone()
}

fn find(names: &[&str], dir: &Path, fetch: bool, progress: Progress<'_>) -> Report {
    let mut report = Report::default();
    let store = Store::new(dir);
    let wanted = KNOWN.iter().filter(|known| names.contains(&known.name));
    let mut rows: Vec<_> = wanted
        .map(|known| match given(known, &mut report) {
            Some(tool) => (known, Ok(tool)),
            None => (known, cached(known, &store)),
        })
        .collect();
    let lacking: Vec<&Kit> = KITS
        .iter()
        .filter(|kit| rows.iter().any(|(known, row)| row.is_err() && kit.holds(known)))
        .collect();
    if fetch && !lacking.is_empty() {
        for (kit, made) in lacking.iter().zip(store.fetch(&lacking, progress)) {
            for (known, row) in &mut rows {
                if row.is_err() && kit.holds(known) {
                    *row = made.clone().and_then(|tools| pick(tools, known));
                }
            }
        }
    }
    for (known, row) in rows {
        match row {
            Ok(tool) => report.found.push(tool),
            Err(reason) => report.missing.push(Missing { what: known.name.to_owned(), reason }),
        }
    }
    report
}

/// What the machine's owner provides; the report is told of what will not do.
fn given(known: &Known, report: &mut Report) -> Option<Tool> {
    let named = fetch::variable(known.variable).map(|path| (path, known.variable));
    let on_the_path = fetch::on_the_path(known.program).map(|path| (path.into(), "on the PATH"));
    for (path, how) in named.into_iter().chain(on_the_path) {
        match Tool::at(known, vec![path], how) {
            Ok(tool) => return Some(tool),
            // A Python that lacks a package is nothing to tell of.
            Err(_) if known.name == PYTHON && how != known.variable => {}
            Err(reason) => {
                report.missing.push(Missing { what: format!("{} {how}", known.name), reason });
            }
        }
    }
    None
}

fn cached(known: &Known, store: &Store) -> Result<Tool, String> {
    let kit = KITS.iter().find(|kit| kit.holds(known)).ok_or("it is not on the list")?;
    let tools = store.load(kit)?.ok_or("not fetched yet")?;
    pick(tools, known)
}

fn pick(tools: Vec<Tool>, known: &Known) -> Result<Tool, String> {
    let tool = tools.into_iter().find(|tool| tool.name == known.name);
    tool.ok_or_else(|| "it is not in what was fetched".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_in_one_kit() {
        for known in &KNOWN {
            assert_eq!(KITS.iter().filter(|kit| kit.holds(known)).count(), 1, "{}", known.name);
        }
    }

    #[test]
    fn version_is_the_first_word_that_is_one() {
        let at = |script: &str| {
            let known = Known { question: &[], ..KNOWN[0] };
            Tool::at(&known, ["sh", "-c", script].map(OsString::from).into(), "by hand")
        };
        let tool = at("echo redis-cli 8.0.2 built 1.2.3").unwrap();
        assert_eq!((tool.to_string().as_str(), tool.how.as_str()), ("redis-cli 8.0.2", "by hand"));
        assert!(at("echo redis-cli").unwrap_err().contains("told no version"));
        assert_eq!(at("echo redis-cli 5.0.14").unwrap_err(), "5.0.14 is older than 7");
        assert!(at("exit 3").unwrap_err().contains("failed"));
    }

    #[test]
    fn unknown_tool_is_missing() {
        assert!(get("redis-nothing").unwrap_err().reason.contains("no such tool"));
    }

    #[test]
    fn without_fetching_the_cache_stays_untouched() {
        let folder = std::env::temp_dir().join(format!("tools-{}-none", std::process::id()));
        let report = discover_with(&folder, false, &|line| panic!("{line}"));
        assert!(!folder.exists());
        let there = |name| report.found.iter().any(|tool| tool.name == name);
        let reason = |name| report.missing.iter().find(|missing| missing.what == name);
        for known in &KNOWN {
            let reason = reason(known.name).map(|missing| missing.reason.as_str());
            let wanted = if there(known.name) { None } else { Some("not fetched yet") };
            assert_eq!(reason, wanted, "{}", known.name);
        }
    }
}
