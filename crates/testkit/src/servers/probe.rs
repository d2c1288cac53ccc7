//! Asks a server's binary what it is: product, version, and whether it was built with TLS.

use std::{ffi::OsString, fmt, process::Command, time::Duration};

use crate::fetch::command::{Finished, finish};

/// A server's version, ordered as releases are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// 8 in 8.0.2.
    pub major: u16,
    /// 0 in 8.0.2.
    pub minor: u16,
    /// 2 in 8.0.2.
    pub patch: u16,
}

impl Version {
    /// The version `major.minor.patch`.
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }

    /// Reads `8.0.2`; a pre-release mark behind the numbers is ignored.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?.parse().ok()?;
        let patch = parts.next().unwrap_or("0");
        let end = patch.find(|c: char| !c.is_ascii_digit()).unwrap_or(patch.len());
        Some(Self::new(major, minor, patch[..end].parse().ok()?))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Long enough for a loaded machine; a server that prints its version needs milliseconds.
const LIMIT: Duration = Duration::from_secs(20);

/// What `command --version` says: the product's name and its version.
pub(super) fn identity(command: &[OsString]) -> Result<(&'static str, Version), String> {
    let finished = ask(command, &["--version"])?;
    if !finished.status.success() {
        return Err(format!("`--version` failed: {}", finished.complaint()));
    }
    parse_identity(&finished.output)
        .ok_or_else(|| format!("not a Redis or Valkey server: {}", finished.complaint()))
}

/// Whether the server behind `command` was built with TLS.
///
/// It is asked for a TLS port without a certificate and for no other port. That ends every build
/// before it listens; only one with TLS gets as far as missing the certificate. Its options alone
/// tell nothing: builds without TLS accept them, too.
pub(super) fn has_tls(command: &[OsString]) -> bool {
    let asked = ask(command, &["--port", "0", "--tls-port", "1", "--save", ""]);
    asked.is_ok_and(|finished| finished.output.contains("No tls-cert-file configured"))
}

fn ask(command: &[OsString], args: &[&str]) -> Result<Finished, String> {
    let (program, leading) = command.split_first().ok_or("the command is empty")?;
    let mut process = Command::new(program);
    process.args(leading).args(args).current_dir(std::env::temp_dir());
    finish(process, LIMIT)
}

/// Finds `Redis server v=8.0.2 ..` or `Valkey server v=9.1.2 ..`.
fn parse_identity(output: &str) -> Option<(&'static str, Version)> {
    output.lines().find_map(|line| {
        let (name, rest) = [("redis", "Redis server v="), ("valkey", "Valkey server v=")]
            .into_iter()
            .find_map(|(name, start)| Some((name, line.strip_prefix(start)?)))?;
        Some((name, Version::parse(rest.split_whitespace().next()?)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_products_are_recognized() {
        let redis = "Redis server v=6.2.5 sha=00000000:0 malloc=jemalloc-5.1.0 bits=64";
        assert_eq!(parse_identity(redis), Some(("redis", Version::new(6, 2, 5))));
        let valkey = "warning: something\nValkey server v=9.1.2 sha=00000000:1 malloc=libc";
        assert_eq!(parse_identity(valkey), Some(("valkey", Version::new(9, 1, 2))));
        assert_eq!(parse_identity("Other server v=1.2.3"), None);
    }

    #[test]
    fn version_ignores_a_pre_release_mark() {
        assert_eq!(Version::parse("8.2.0-rc1"), Some(Version::new(8, 2, 0)));
        assert_eq!(Version::parse("8.2"), Some(Version::new(8, 2, 0)));
        assert_eq!(Version::parse("eight"), None);
        assert!(Version::new(8, 10, 0) > Version::new(8, 9, 9));
    }

    #[test]
    fn program_that_is_no_server_is_refused() {
        let error = identity(&["echo".into()]).unwrap_err();
        assert!(error.contains("not a Redis or Valkey server"), "{error}");
    }
}
