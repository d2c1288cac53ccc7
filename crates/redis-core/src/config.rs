//! What a client is told: where the server is, who it is to be, and its limits.
//!
//! Owns the settings with their defaults. Secrets never show in `Debug`.

mod cluster;
mod tls;
mod url;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub use self::cluster::{AddressMap, ClusterConfig, ReadFrom};
pub use self::tls::{Identity, Pem, Roots, Tls, TlsRefusal};
use crate::command::{Block, Cmd};
use crate::error::{Error, ErrorKind, Result};
use crate::pubsub::Overflow;
use crate::retry::Unit;
use crate::telemetry::{self, Counters, Notice, SharedObserver, Stats};

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// A host name or address, and a port.
    Tcp {
        /// Name, IPv4 address, or IPv6 address without brackets.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// A Unix socket's path.
    Unix(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Which protocol to speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// RESP2, always.
    Resp2,
    /// RESP3 by `HELLO 3`; RESP2 with a server that does not know it.
    #[default]
    Resp3,
}

/// A text that is shown as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<T: Into<String>> From<T> for Secret {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// Waits between attempts: exponential, each drawn at random from zero to the full wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The longest wait before the second attempt; it doubles from one attempt to the next.
    pub base: Duration,
    /// No wait is longer.
    pub cap: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: Duration::from_millis(10), cap: Duration::from_secs(1) }
    }
}

impl Backoff {
    /// The wait before the attempt that follows `failed` failed ones.
    pub fn wait(&self, failed: u32, rng: &mut impl rand::Rng) -> Duration {
        let full = self.base.saturating_mul(1 << failed.saturating_sub(1).min(20)).min(self.cap);
        // 32 random bits are enough of a grid for waits of up to a second.
        let fraction = f64::from(rng.next_u32()) / f64::from(u32::MAX);
        full.mul_f64(fraction)
    }
}

/// Seeds for the parts of one client: each its own, all from one.
#[derive(Debug)]
pub struct Seeds(AtomicU64);

impl Seeds {
    /// All from this one.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// The next part's.
    pub fn next_seed(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// Says where to connect next, and hears where that was in vain.
#[derive(Clone)]
pub struct Whereabouts {
    next: Arc<dyn Fn() -> Endpoint + Send + Sync>,
    lost: Arc<dyn Fn(&Endpoint) + Send + Sync>,
}

impl Whereabouts {
    /// By two functions. They are called by machines, and so under their locks.
    pub fn new(
        next: impl Fn() -> Endpoint + Send + Sync + 'static,
        lost: impl Fn(&Endpoint) + Send + Sync + 'static,
    ) -> Self {
        Self { next: Arc::new(next), lost: Arc::new(lost) }
    }
}

impl fmt::Debug for Whereabouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Whereabouts(..)")
    }
}

/// Everything a client is told. Start from [`Config::default`], [`Config::tcp`], [`Config::unix`] or a URL,
/// and set what differs.
///
/// # Examples
///
/// ```
/// use redis_core::{Config, Endpoint};
///
/// let mut config: Config = "redis://app:secret@cache.example:6380/2".parse()?;
/// config.pool_size = 4;
/// assert_eq!(config.endpoint, Endpoint::Tcp { host: "cache.example".into(), port: 6380 });
/// assert_eq!(config.database, 2);
/// assert!(!format!("{config:?}").contains("secret"));
/// # Ok::<(), redis_core::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the server listens. Default: `127.0.0.1:6379`. Of a cluster its nodes say that themselves.
    pub endpoint: Endpoint,
    /// That the servers are a cluster, and how to deal with it. Default: none, there is one server.
    pub cluster: Option<ClusterConfig>,
    /// How to speak TLS, which needs the feature `tls` of the client's crate. Default: none, which is plain text.
    pub tls: Option<Tls>,
    /// The ACL user. Default: none, which is the server's `default` user.
    pub username: Option<String>,
    /// The password. Default: none.
    pub password: Option<Secret>,
    /// The database each connection selects. Default: 0.
    pub database: u32,
    /// The name each connection gives itself. Default: none.
    pub client_name: Option<String>,
    /// What each connection runs before any other command, and again when it is opened again: such as `READONLY`
    /// on a cluster's replica, or `CLIENT NO-EVICT ON`. One that fails, fails the connection. Default: nothing.
    pub on_connect: Vec<Cmd<()>>,
    /// The protocol to ask for. Default: RESP3.
    pub protocol: Protocol,
    /// How long opening a connection may take, its handshake included. Default: 5 s.
    pub connect_timeout: Duration,
    /// How long a command may take from being asked for to its reply: waiting for a connection, opening it
    /// and waiting in queues included. Default: 10 s. None waits forever.
    pub command_timeout: Option<Duration>,
    /// How long a peer may be silent before it is asked for a sign of life with a `PING`; when nothing comes
    /// within `connect_timeout` of that, the connection is lost. Nobody is asked while commands wait
    /// for their replies: those have deadlines. Once one has passed, `connect_timeout` is enough of
    /// silence. Default: 30 s. None never asks.
    pub health_interval: Option<Duration>,
    /// How old a connection may become: then it is replaced by a new one, once everything under way on it is
    /// answered. Default: none, which keeps connections for ever.
    pub max_age: Option<Duration>,
    /// How long a connection of a pool may be idle before it is closed, when the pool is next used. Default:
    /// 10 minutes. None keeps idle connections.
    pub max_idle: Option<Duration>,
    /// How many connections a pool keeps, however long they are idle. They are not opened before they are
    /// needed, or asked for by `warm_up`. Default: 0.
    pub pool_min: usize,
    /// The most connections in a pool. Default: 32.
    pub pool_size: usize,
    /// How long to wait for a connection of a full pool. Default: 5 s. Zero fails at once.
    pub pool_timeout: Duration,
    /// The most requests under way on one connection. Default: 65,536.
    pub max_in_flight: usize,
    /// The most bytes waiting to be written on one connection before callers wait. One request more than
    /// this is let through, so that any single one fits. Default: 16 MiB.
    pub max_unsent: usize,
    /// The most bytes of published messages that wait for a subscriber's reader, what holds them included. A single
    /// message always fits. Default: 16 MiB.
    pub max_backlog: usize,
    /// What happens to messages beyond `max_backlog`. Default: the oldest are dropped, and the reader is told.
    pub overflow: Overflow,
    /// Limits on what the server may send.
    pub limits: resp_proto::Limits,
    /// Waits between attempts to connect, to send again, and at transactions. Default: 10 ms, doubling up
    /// to 1 s.
    pub backoff: Backoff,
    /// How often a request that failed is sent again, see [`Retry`](crate::retry::Retry): those that surely
    /// did not reach the server, and commands that only read or were marked
    /// [idempotent](crate::Cmd::idempotent). All attempts share one deadline. Default: 3.
    pub max_retries: u32,
    /// How often `transaction` starts over when a watched key changed. Default: 1,000.
    pub max_transaction_attempts: u32,
    /// From how long on a command is [slow](Notice::Slow). Default: none, which does not look.
    pub slow_command: Option<Duration>,
    /// Hears of what happens to the client. Default: none.
    pub observer: Option<SharedObserver>,
    /// Where subscribers and others connect who may be on any of several servers: asked before each connection, it
    /// takes the place of `endpoint`. For adapters.
    #[doc(hidden)]
    pub whereabouts: Option<Whereabouts>,
    /// Requests that come after an attempt to connect has failed, and before the next one, fail as it did instead of
    /// waiting for that: in a cluster another node may have what they want by then. Set for the links to a
    /// cluster's nodes.
    #[doc(hidden)]
    pub fails_fast: bool,
    /// Seed of all random choices. Default: none, which lets the adapter pick one.
    pub seed: Option<u64>,
    pub(crate) counters: Arc<Counters>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: Endpoint::Tcp { host: "127.0.0.1".into(), port: 6379 },
            cluster: None,
            tls: None,
            username: None,
            password: None,
            database: 0,
            client_name: None,
            on_connect: Vec::new(),
            protocol: Protocol::default(),
            connect_timeout: Duration::from_secs(5),
            command_timeout: Some(Duration::from_secs(10)),
            health_interval: Some(Duration::from_secs(30)),
            max_age: None,
            max_idle: Some(Duration::from_secs(10 * 60)),
            pool_min: 0,
            pool_size: 32,
            pool_timeout: Duration::from_secs(5),
            max_in_flight: 65_536,
            max_unsent: 16 * 1024 * 1024,
            max_backlog: 16 * 1024 * 1024,
            overflow: Overflow::default(),
            limits: resp_proto::Limits::default(),
            backoff: Backoff::default(),
            max_retries: 3,
            max_transaction_attempts: 1000,
            slow_command: None,
            observer: None,
            whereabouts: None,
            fails_fast: false,
            seed: None,
            counters: Arc::default(),
        }
    }
}

impl Config {
    /// The defaults, for a server at a host and port.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self { endpoint: Endpoint::Tcp { host: host.into(), port }, ..Self::default() }
    }

    /// The defaults, for a server at a Unix socket.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self { endpoint: Endpoint::Unix(path.into()), ..Self::default() }
    }

    /// The defaults, for a cluster that has nodes at these endpoints.
    pub fn cluster(seeds: impl IntoIterator<Item = Endpoint>) -> Self {
        let cluster = ClusterConfig::new(seeds);
        let mut config = Self::default();
        if let Some(seed) = cluster.seeds.first() {
            config.endpoint = seed.clone();
        }
        Self { cluster: Some(cluster), ..config }
    }

    /// The same settings, over TLS.
    #[must_use]
    pub fn tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// These settings for another connection: where it goes may have changed.
    pub(crate) fn again(self: &Arc<Self>) -> Arc<Self> {
        match &self.whereabouts {
            Some(Whereabouts { next, .. }) => {
                let mut config = (**self).clone();
                config.endpoint = next();
                Arc::new(config)
            }
            None => self.clone(),
        }
    }

    /// The connection was lost, or could not be had.
    pub(crate) fn lost(&self) {
        if let Some(Whereabouts { lost, .. }) = &self.whereabouts {
            lost(&self.endpoint);
        }
    }

    /// How long a request may take, from being asked for to its reply: `command_timeout`, and on top of
    /// it what the server may hold it for.
    pub fn timeout(&self, block: Block) -> Option<Duration> {
        match block {
            Block::Never => self.command_timeout,
            Block::For(time) => self.command_timeout.map(|timeout| timeout.saturating_add(time)),
            Block::Forever => None,
        }
    }

    /// When to stop waiting for a connection of a pool, for a command with this deadline.
    pub fn pool_deadline(&self, start: Instant, deadline: Option<Instant>) -> Instant {
        let until = start + self.pool_timeout;
        deadline.map_or(until, |deadline| until.min(deadline))
    }

    /// The error of a pool of this size, as it is now, that had no connection to give before the deadline.
    pub fn pool_is_full(&self, size: usize) -> Error {
        Error::new(
            ErrorKind::Limit,
            format!(
                "all {size} connections of the pool were in use: raise `pool_size` or `pool_timeout`"
            ),
        )
    }

    /// The error of a deadline that passed while there was no connection.
    pub fn no_connection_in_time(&self) -> Error {
        let text = "the deadline passed before there was a connection to";
        let Self { endpoint, .. } = self;
        Error::new(
            ErrorKind::Timeout,
            format!(
                "{text} {endpoint}: see `connect_timeout` and `command_timeout`{}",
                self.silence()
            ),
        )
    }

    /// What else the silence of a server may mean.
    pub(crate) fn silence(&self) -> &'static str {
        match self.tls {
            Some(_) => "; one that speaks no TLS there may not answer at all",
            None => "",
        }
    }

    /// Makes the settings those of one client: they are checked, and what is counted begins at zero.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn begin(&mut self) -> Result<()> {
        self.check()?;
        self.counters = Arc::default();
        Ok(())
    }

    /// For adapters that were built without TLS.
    ///
    /// # Errors
    ///
    /// `Config` when the settings want it.
    #[doc(hidden)]
    pub fn refuse_tls(&self) -> Result<()> {
        match self.tls {
            Some(_) => Err(Error::new(
                ErrorKind::Config,
                "there is no TLS in this build: enable the feature `tls` of the client's crate",
            )),
            None => Ok(()),
        }
    }

    /// Counts what happened, and tells the observer.
    pub fn tell(&self, notice: &Notice<'_>) {
        telemetry::tell(&self.counters, self.observer.as_ref(), notice);
    }

    /// Tells of a command or pipeline that took so long, if that is slow.
    pub fn tell_if_slow(&self, unit: impl Into<Unit>, took: Duration) {
        if self.slow_command.is_some_and(|limit| took >= limit) {
            let Unit { name: command, block, .. } = unit.into();
            if block == Block::Never {
                self.tell(&Notice::Slow { command, took });
            }
        }
    }

    /// What was counted.
    pub fn stats(&self) -> Stats {
        self.counters.stats()
    }

    /// Whether the settings fit together.
    ///
    /// # Errors
    ///
    /// `Config`, naming the setting.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: &str| Err(Error::new(ErrorKind::Config, what));
        if self.username.is_some() && self.password.is_none() {
            return wrong("a username needs a password");
        }
        if self.pool_size == 0 {
            return wrong("`pool_size` must be at least 1");
        }
        if self.pool_min > self.pool_size {
            return wrong("`pool_min` must not be more than `pool_size`");
        }
        if self.max_in_flight == 0 {
            return wrong("`max_in_flight` must be at least 1");
        }
        if let Some(name) = &self.client_name
            && !name.bytes().all(|b| (b'!'..=b'~').contains(&b))
        {
            return wrong("`client_name` must be printable ASCII without spaces");
        }
        if let Some(cluster) = &self.cluster {
            if cluster.seeds.is_empty() {
                return wrong("a cluster needs a seed: the endpoint of one of its nodes");
            }
            if cluster.views == 0 {
                return wrong("`views` of a cluster must be at least 1");
            }
        }
        if let Some(tls) = &self.tls {
            if matches!(self.endpoint, Endpoint::Unix(_)) {
                return wrong("a Unix socket has no TLS: leave `tls` out");
            }
            if let Roots::Only(roots) = &tls.roots
                && roots.is_empty()
            {
                return wrong("`roots` of TLS must name an authority: nobody could be trusted");
            }
        }
        for cmd in &self.on_connect {
            if let Err(error) = cmd.check_setup() {
                return wrong(&format!("`on_connect`: {error}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_cap_and_is_jittered() {
        use rand::SeedableRng;
        let mut rng = rand::rngs::SmallRng::seed_from_u64(1);
        let backoff = Backoff::default();
        let longest = |failed: u32, rng: &mut rand::rngs::SmallRng| {
            (0..1000).map(|_| backoff.wait(failed, rng)).max().unwrap()
        };
        assert!(longest(1, &mut rng) <= Duration::from_millis(10));
        assert!(longest(3, &mut rng) > Duration::from_millis(35));
        assert!(longest(3, &mut rng) <= Duration::from_millis(40));
        assert!(longest(60, &mut rng) <= Duration::from_secs(1));
    }
}
