//! How a snippet runs, and how it is judged: on a server or cluster with nothing in it, by what it prints.

use std::error::Error;
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use testkit::{skipped, tools};

use crate::place::{Place, Wanted};

/// No Python program here takes as long.
const LIMIT: Duration = Duration::from_secs(60);

/// A snippet and what it is to print.
pub(crate) struct Snippet {
    prints: &'static str,
    /// The oldest major version of a server that can run it.
    since: u16,
    wanted: Wanted,
    said: Mutex<String>,
    url: OnceLock<String>,
}

impl Snippet {
    pub(crate) const fn new(prints: &'static str, since: u16, wanted: Wanted) -> Self {
        Self { prints, since, wanted, said: Mutex::new(String::new()), url: OnceLock::new() }
    }

    /// A line that the snippet prints.
    pub(crate) fn says(&self, line: fmt::Arguments<'_>) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.push_str(&format!("{line}\n"));
    }

    /// The URL of its server or cluster.
    pub(crate) fn url(&self) -> &str {
        self.url.get().expect("a snippet runs on its server or cluster")
    }

    /// Runs a snippet in Rust.
    pub(crate) fn run(&self, snippet: impl FnOnce() -> Result<(), Box<dyn Error>>) {
        let Some(place) = Place::find(self.wanted, self.since) else { return };
        self.url.set(place.url()).expect("a snippet runs once");
        snippet().unwrap();
        assert_eq!(*self.said.lock().unwrap(), self.prints, "it printed something else");
    }

    /// Runs a snippet in Python.
    pub(crate) fn run_python(&self, program: &str) {
        if let Some(said) = python(program, self.since, self.wanted) {
            assert_eq!(said, self.prints, "it printed something else");
        }
    }
}

/// What a program in Python prints, in place of the server at port 6379 or the cluster at port 7000.
pub(crate) fn python(program: &str, since: u16, wanted: Wanted) -> Option<String> {
    let python = tools::get(tools::PYTHON).map_err(skipped).ok()?;
    let place = Place::find(wanted, since)?;
    let port = match wanted {
        Wanted::Server => "6379",
        Wanted::Cluster => "7000",
    };
    let program = program.replace(port, &place.port().to_string());
    // What it compiles it leaves nowhere.
    Some(python.run(&["-B", "-c", &program], LIMIT).unwrap())
}

pub(crate) fn on_tokio<T>(task: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(task)
}
