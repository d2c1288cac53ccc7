//! What a connection over TLS is told: whom to trust, and who the client is.
//!
//! Owns the settings, and the name of what an adapter reports when TLS is refused. Certificates are read and
//! checked by the adapters, with the feature `tls`.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// TLS, with every certificate verified. Start from [`Tls::new`] and set what differs.
///
/// # Examples
///
/// ```
/// use redis_core::Config;
/// use redis_core::config::{Pem, Roots, Tls};
///
/// let mut tls = Tls::new();
/// tls.roots = Roots::Only(vec![Pem::file("/etc/redis/ca.pem")]);
/// let config = Config::tcp("cache.example", 6380).tls(tls);
/// assert!(config.tls.is_some());
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Whose signature a server's certificate needs. Default: that of one whom the system trusts.
    pub roots: Roots,
    /// What the client shows to servers that ask for a certificate. Default: none.
    pub identity: Option<Identity>,
    /// The name, or IP address, that the server's certificate has to have. Default: the host of the endpoint.
    pub server_name: Option<String>,
    /// Takes any certificate of anybody, whatever its name, signature or age: whoever is on the way reads and changes
    /// everything. For tests alone. Default: no.
    pub danger_accept_any_certificate: bool,
}

impl Tls {
    /// The defaults: the system's roots, and full verification.
    pub fn new() -> Self {
        Self::default()
    }
}

/// Whose signature a server's certificate needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Roots {
    /// That of an authority in the system's store.
    #[default]
    System,
    /// That of an authority in the system's store, or of one of these.
    SystemAnd(Vec<Pem>),
    /// That of one of these authorities.
    Only(Vec<Pem>),
}

/// Who the client is: a certificate, and the private key to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, and behind it those that lead to an authority the server knows.
    pub certificate: Pem,
    /// The private key: PKCS #8, PKCS #1 or SEC 1.
    pub key: Pem,
}

/// Certificates or a private key in PEM: the lines between `-----BEGIN` and `-----END`. Its `Debug` shows a path but no
/// contents.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pem {
    /// A file, read once when a client is made.
    File(PathBuf),
    /// The text itself.
    Bytes(Vec<u8>),
}

impl Pem {
    /// The contents of a file, read once when a client is made.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File(path.into())
    }

    /// The text itself.
    pub fn bytes(text: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(text.into())
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Bytes(_) => f.write_str("Bytes(***)"),
        }
    }
}

/// Why there can be no TLS with a server: what an adapter hands to
/// [`handle_open_failed`](crate::session::Machine::handle_open_failed) within an [`io::Error`]. Another attempt would
/// end alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsRefusal(String);

impl TlsRefusal {
    /// The reason, and the setting that helps.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// Whether this is why a socket failed.
    pub fn is_in(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Self>())
    }
}

impl fmt::Display for TlsRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for TlsRefusal {}

impl From<TlsRefusal> for io::Error {
    fn from(refusal: TlsRefusal) -> Self {
        Self::new(io::ErrorKind::InvalidData, refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_never_show() {
        let (certificate, key) = (Pem::file("/c.pem"), Pem::bytes("hunter2"));
        let tls = Tls { identity: Some(Identity { certificate, key }), ..Tls::new() };
        let shown = format!("{tls:?}");
        assert!(shown.contains("/c.pem") && shown.contains("***"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(!shown.contains(&format!("{:?}", b"hunter2")), "{shown}");
    }

    #[test]
    fn refusal_is_known_within_an_error_of_a_socket() {
        assert!(TlsRefusal::is_in(&TlsRefusal::new("no").into()));
        assert!(!TlsRefusal::is_in(&io::ErrorKind::InvalidData.into()));
        assert!(!TlsRefusal::is_in(&io::Error::other("no")));
    }
}
