//! What a server can be started with.

use std::{ffi::OsString, path::PathBuf};

/// A server's TLS identity: PEM files.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The server's certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authority that signs the certificates of servers and clients.
    pub authority: PathBuf,
    /// Whether a client must show a certificate, too.
    pub client_must_authenticate: bool,
}

/// How to start a [`Server`](super::Server). The default is an empty primary without a password.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    pub(super) port: Option<u16>,
    pub(super) password: Option<String>,
    pub(super) databases: Option<u32>,
    pub(super) cluster: bool,
    pub(super) debug_commands: bool,
    pub(super) tls: Option<TlsFiles>,
    pub(super) sentinel: Option<String>,
    pub(super) args: Vec<OsString>,
}

impl ServerOptions {
    /// The default.
    pub fn new() -> Self {
        Self::default()
    }

    /// The port to listen on for TCP; by default one that is free.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// The default user's password (`requirepass`); a replica authenticates to its primary with
    /// the same one.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// How many databases there are; 16 by default.
    #[must_use]
    pub fn databases(mut self, count: u32) -> Self {
        self.databases = Some(count);
        self
    }

    /// Starts a cluster node, with no slots and knowing no other node.
    #[must_use]
    pub fn cluster(mut self) -> Self {
        self.cluster = true;
        self
    }

    /// Allows `DEBUG`, which servers refuse by default since 7.0.
    #[must_use]
    pub fn debug_commands(mut self) -> Self {
        self.debug_commands = true;
        self
    }

    /// Also listens for TLS, on a second port; the server must be built with it.
    #[must_use]
    pub fn tls(mut self, files: TlsFiles) -> Self {
        self.tls = Some(files);
        self
    }

    /// Starts a Sentinel with this configuration, e.g. `sentinel monitor NAME HOST PORT QUORUM`.
    #[must_use]
    pub fn sentinel(mut self, configuration: impl Into<String>) -> Self {
        self.sentinel = Some(configuration.into());
        self
    }

    /// One more word on the command line; later ones win: `.arg("--maxmemory").arg("10mb")`.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }
}
