//! How a snippet runs, and how it is judged: on a server of its own, by what it prints.

use std::error::Error;
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use testkit::servers::{self, Server, ServerOptions};
use testkit::{skipped, tools};

/// No Python program here takes as long.
const LIMIT: Duration = Duration::from_secs(60);

/// A snippet and what it is to print.
pub(crate) struct Snippet {
    prints: &'static str,
    /// The oldest major version of a server that can run it.
    since: u16,
    said: Mutex<String>,
    url: OnceLock<String>,
}

impl Snippet {
    pub(crate) const fn new(prints: &'static str, since: u16) -> Self {
        Self { prints, since, said: Mutex::new(String::new()), url: OnceLock::new() }
    }

    /// A line that the snippet prints.
    pub(crate) fn says(&self, line: fmt::Arguments<'_>) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.push_str(&format!("{line}\n"));
    }

    /// The URL of its server.
    pub(crate) fn url(&self) -> &str {
        self.url.get().expect("a snippet runs on its server")
    }

    /// Runs a snippet in Rust.
    pub(crate) fn run(&self, snippet: impl FnOnce() -> Result<(), Box<dyn Error>>) {
        let Some(server) = server(self.since) else { return };
        self.url.set(server.url()).expect("a snippet runs once");
        snippet().unwrap();
        assert_eq!(*self.said.lock().unwrap(), self.prints, "it printed something else");
    }

    /// Runs a snippet in Python.
    pub(crate) fn run_python(&self, program: &str) {
        if let Some(said) = python(program, self.since) {
            assert_eq!(said, self.prints, "it printed something else");
        }
    }
}

/// What a program in Python prints, on a server of its own in place of the one at port 6379.
pub(crate) fn python(program: &str, since: u16) -> Option<String> {
    let python = tools::get(tools::PYTHON).map_err(skipped).ok()?;
    let server = server(since)?;
    let program = program.replace("6379", &server.port().to_string());
    // What it compiles it leaves nowhere.
    Some(python.run(&["-B", "-c", &program], LIMIT).unwrap())
}

pub(crate) fn on_tokio<T>(task: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(task)
}

/// A server with nothing in it. Without one the test is skipped, which this says.
fn server(since: u16) -> Option<Server> {
    match servers::any() {
        Ok(installed) if installed.version.major < since => {
            skipped(format!("{installed} is too old"));
            None
        }
        Ok(installed) => Some(Server::start(&installed, ServerOptions::new()).unwrap()),
        Err(why) => {
            skipped(why.to_string().replace('\n', ";"));
            None
        }
    }
}
