//! What a cluster can be started with.

use std::{ffi::OsString, io, time::Duration};

use testkit::servers::{Installed, ServerOptions, TlsFiles, Version};

/// How to start a [`Cluster`](crate::Cluster). The default is three primaries with a replica each, none of
/// which takes over by itself.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    pub(crate) primaries: usize,
    pub(crate) replicas: usize,
    pub(crate) first_port: Option<u16>,
    pub(crate) node_timeout: Duration,
    pub(crate) automatic_failover: bool,
    pub(crate) hostname: Option<String>,
    pub(crate) server: ServerOptions,
    pub(crate) args: Vec<OsString>,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            primaries: 3,
            replicas: 1,
            first_port: None,
            node_timeout: Duration::from_secs(2),
            automatic_failover: false,
            hostname: None,
            server: ServerOptions::new(),
            args: Vec::new(),
        }
    }
}

impl ClusterOptions {
    /// The default.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many primaries share the slots; 3 by default.
    #[must_use]
    pub fn primaries(mut self, count: usize) -> Self {
        self.primaries = count;
        self
    }

    /// How many replicas each primary has; 1 by default.
    #[must_use]
    pub fn replicas(mut self, count: usize) -> Self {
        self.replicas = count;
        self
    }

    /// The first node's port, the others' follow; by default each has any that is free.
    #[must_use]
    pub fn first_port(mut self, port: u16) -> Self {
        self.first_port = Some(port);
        self
    }

    /// After how long a silence a node counts as failing (`cluster-node-timeout`); 2 s by default.
    #[must_use]
    pub fn node_timeout(mut self, timeout: Duration) -> Self {
        self.node_timeout = timeout;
        self
    }

    /// Lets replicas take over from a primary that fails. Without it, a busy machine changes nothing, and
    /// [`failover`](crate::Cluster::failover) still does.
    #[must_use]
    pub fn automatic_failover(mut self) -> Self {
        self.automatic_failover = true;
        self
    }

    /// Every node calls itself by this name instead of its address, e.g. `localhost`; since Redis 7.0.
    #[must_use]
    pub fn hostname(mut self, name: impl Into<String>) -> Self {
        self.hostname = Some(name.into());
        self
    }

    /// How each node is started besides, e.g. with a password.
    #[must_use]
    pub fn server(mut self, options: ServerOptions) -> Self {
        self.server = options;
        self
    }

    /// Nodes also listen for TLS, and speak nothing else with each other; clients of this cluster's own stay with plain
    /// text.
    #[must_use]
    pub fn tls(mut self, files: TlsFiles) -> Self {
        self.server = self.server.tls(files);
        self.arg("--tls-cluster").arg("yes").arg("--tls-replication").arg("yes")
    }

    /// One more word on each node's command line; later ones win, and all of them over these options.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// What can't be started is refused before anything is.
    pub(crate) fn check(&self, installed: &Installed) -> io::Result<()> {
        let refuse = |kind, text: String| Err(io::Error::new(kind, text));
        if self.primaries == 0 {
            return refuse(io::ErrorKind::InvalidInput, "a cluster needs a primary".to_owned());
        }
        if self.hostname.is_some() && !is_modern(installed) {
            let text = format!("nodes of {installed} announce no host name (since 7.0)");
            return refuse(io::ErrorKind::Unsupported, text);
        }
        Ok(())
    }

    /// Those of the node with this number, from 0.
    pub(crate) fn node(&self, installed: &Installed, number: usize) -> io::Result<ServerOptions> {
        let mut options = self.server.clone().cluster();
        let mut set = |name: &str, value: &str| {
            options = options.clone().arg(format!("--{name}")).arg(value);
        };
        set("cluster-node-timeout", &self.node_timeout.as_millis().to_string());
        // A replica that waits for others to sync with is only slower to start.
        set("repl-diskless-sync", "yes");
        set("repl-diskless-sync-delay", "0");
        // No replica changes its primary unless a test says so.
        set("cluster-migration-barrier", "1000");
        if is_modern(installed) {
            set("cluster-allow-replica-migration", "no");
        }
        if !self.automatic_failover {
            set("cluster-replica-no-failover", "yes");
        }
        if let Some(name) = &self.hostname {
            set("cluster-announce-hostname", name);
            set("cluster-preferred-endpoint-type", "hostname");
        }
        let mut options = self.args.iter().fold(options, ServerOptions::arg);
        if let Some(first) = self.first_port {
            let port = u16::try_from(number).ok().and_then(|number| first.checked_add(number));
            // The bus has the port 10,000 above.
            let port = port.filter(|port| *port <= u16::MAX - 10_000).ok_or_else(|| {
                let text = format!("node {number} behind port {first} is beyond port 55535");
                io::Error::new(io::ErrorKind::InvalidInput, text)
            })?;
            options = options.port(port);
        }
        Ok(options)
    }
}

/// Whether it is a Redis since 7.0 or a Valkey.
pub(crate) fn is_modern(installed: &Installed) -> bool {
    installed.version >= Version::new(7, 0, 0)
}
