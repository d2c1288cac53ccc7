//! Real servers for tests: finds Redis and Valkey binaries or fetches them, starts them on private
//! ports and sockets, and always stops them.
//!
//! ```no_run
//! use testkit::servers::{self, Server, ServerOptions};
//!
//! let installed = servers::any()?;
//! let server = Server::start(&installed, ServerOptions::new().password("secret"))?;
//! assert_eq!(server.url(), format!("redis://:secret@{}", server.addr()));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! A server ends with the [`Server`] that owns it, also when the owner's thread panics; with the
//! process, also when that is killed (where `setpriv` is on the PATH); and on Ctrl-C, once
//! [`stop_on_ctrl_c`] was called.

mod certificates;
mod fetched;
mod life;
mod options;
mod probe;
mod server;
mod wanted;

use std::{
    ffi::{OsStr, OsString},
    fmt, io,
    path::Path,
};

pub(crate) use self::server::free_port;
use self::wanted::{WANTED, Wanted};
pub use self::{
    certificates::Certificates,
    life::stop_on_ctrl_c,
    options::{ServerOptions, TlsFiles},
    probe::Version,
    server::{Server, Signal},
};
use crate::fetch::{self, store::Store};
pub use crate::fetch::{Missing, folder};

/// The environment variable that names a server's binary to use before all others.
pub const SERVER_BIN: &str = "REDIS_SERVER_BIN";

/// A server that this machine can start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// `redis` or `valkey`.
    pub name: &'static str,
    /// What its binary says.
    pub version: Version,
    /// How it was found, for people.
    pub how: String,
    /// The program and the arguments that come before a server's own; the server's binary is last.
    pub command: Vec<OsString>,
    /// Whether it was built with TLS.
    pub tls: bool,
}

impl Installed {
    /// Looks at the server's binary `path`.
    ///
    /// # Errors
    /// In words, when it does not run or is no Redis or Valkey server.
    pub fn at(path: &Path, how: &str) -> Result<Self, String> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let command = vec![path.into_os_string()];
        let (name, version) = probe::identity(&command)?;
        let tls = probe::has_tls(&command);
        Ok(Self { name, version, how: how.to_owned(), command, tls })
    }

    /// The server's own binary (the program may be a loader that runs it).
    pub fn binary(&self) -> &Path {
        Path::new(self.command.last().map_or(OsStr::new(""), OsString::as_os_str))
    }
}

impl fmt::Display for Installed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// The servers this machine has, and those it lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Each product and version once; the first is the one to use when any will do.
    pub found: Vec<Installed>,
    /// What could not be had.
    pub missing: Vec<Missing>,
}

impl Report {
    /// The servers found.
    ///
    /// # Errors
    /// When there is none; the text says why, and how to get one.
    pub fn at_least_one(self) -> io::Result<Vec<Installed>> {
        if !self.found.is_empty() {
            return Ok(self.found);
        }
        let mut text = String::from("no Redis or Valkey server on this machine");
        for Missing { what, reason } in &self.missing {
            text.push_str(&format!("\n  {what}: {reason}"));
        }
        text.push_str(&format!(
            "\ninstall `redis-server` or `valkey-server`, set {SERVER_BIN} to a server's binary, \
             or run `cargo xtask servers` with a network"
        ));
        Err(io::Error::new(io::ErrorKind::NotFound, text))
    }

    fn add(&mut self, installed: Installed) {
        let same =
            |known: &Installed| (known.name, known.version) == (installed.name, installed.version);
        if !self.found.iter().any(same) {
            self.found.push(installed);
        }
    }

    fn look_at(&mut self, path: &Path, how: &str) {
        match Installed::at(path, how) {
            Ok(installed) => self.add(installed),
            Err(reason) => self.missing.push(Missing { what: how.to_owned(), reason }),
        }
    }

    fn has(&self, wanted: &Wanted) -> bool {
        self.found.iter().any(|known| {
            (known.name, (known.version.major, known.version.minor)) == (wanted.name, wanted.series)
        })
    }
}

/// Finds servers: the one [`SERVER_BIN`] names, those on the PATH, those in the cache folder
/// `dir`; with `fetch`, those still wanted are then fetched into `dir`.
///
/// A fetch that fails is a row in [`Report::missing`], and is not tried again by this process.
pub fn discover(dir: &Path, fetch: bool) -> Report {
    discover_with(dir, fetch, &|_| ())
}

/// As [`discover`]; `progress` is told, from any thread, what is being fetched.
pub fn discover_with(dir: &Path, fetch: bool, progress: &(dyn Fn(&str) + Sync)) -> Report {
    let mut report = Report::default();
    given(&mut report);

    let store = Store::new(dir);
    let absent = |loaded: Result<Option<Installed>, String>| {
        loaded.and_then(|found| found.ok_or_else(|| "not fetched yet".to_owned()))
    };
    let mut rows: Vec<_> =
        WANTED.iter().map(|wanted| (wanted, absent(store.load(wanted)))).collect();
    rows.retain(|(wanted, found)| found.is_ok() || !report.has(wanted));
    if fetch {
        let lacking: Vec<_> = rows.iter_mut().filter(|(_, found)| found.is_err()).collect();
        let wanted: Vec<_> = lacking.iter().map(|(wanted, _)| *wanted).collect();
        if !wanted.is_empty() {
            let results = store.fetch(&wanted, progress);
            lacking.into_iter().zip(results).for_each(|(row, result)| row.1 = result);
        }
    }
    for (wanted, found) in rows {
        match found {
            Ok(installed) => report.add(installed),
            Err(reason) => {
                let what = format!("{} {}.{}", wanted.name, wanted.series.0, wanted.series.1);
                report.missing.push(Missing { what, reason });
            }
        }
    }
    report
}

/// All servers this machine has or can fetch.
///
/// # Errors
/// As [`Report::at_least_one`].
pub fn ensure() -> io::Result<Vec<Installed>> {
    discover(&folder(), true).at_least_one()
}

/// One server, whichever: nothing is fetched if there is one, and no other is looked at.
///
/// # Errors
/// As [`Report::at_least_one`].
pub fn any() -> io::Result<Installed> {
    let mut report = Report::default();
    given(&mut report);
    let store = Store::new(&folder());
    let cached = || WANTED.iter().find_map(|wanted| store.load(wanted).ok().flatten());
    match report.found.into_iter().next().or_else(cached) {
        Some(installed) => Ok(installed),
        None => Ok(ensure()?.swap_remove(0)),
    }
}

/// One server, whichever, that was built with TLS, and certificates for it and for its clients. Nothing is fetched.
///
/// # Errors
/// When no such server was found, or there is no `openssl` command.
pub fn any_secure() -> io::Result<(Installed, Certificates)> {
    let found = discover(&folder(), false).found;
    let Some(installed) = found.into_iter().find(|installed| installed.tls) else {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no server was built with TLS"));
    };
    Ok((installed, Certificates::new()?))
}

/// Such a server, started and listening for TLS.
///
/// # Errors
/// As [`any_secure`], and when the server does not start.
pub fn secure(client_must_authenticate: bool) -> io::Result<(Server, Certificates)> {
    let (installed, certificates) = any_secure()?;
    let files = TlsFiles { client_must_authenticate, ..certificates.server() };
    Ok((Server::start(&installed, ServerOptions::new().tls(files))?, certificates))
}

/// Adds what the machine's owner provides.
fn given(report: &mut Report) {
    if let Some(path) = fetch::variable(SERVER_BIN) {
        report.look_at(Path::new(&path), SERVER_BIN);
    }
    for name in ["valkey-server", "redis-server"] {
        if let Some(file) = fetch::on_the_path(name) {
            report.look_at(&file, "on the PATH");
        }
    }
}
