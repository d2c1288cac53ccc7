//! What an application can hear and count of its client.
//!
//! Owns the notices, and the counters that go with them. Tells as it happens; decides nothing.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::config::Endpoint;
use crate::connection::ServerInfo;
use crate::error::Error;

/// Something that happened to a client.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub enum Notice<'a> {
    /// A connection is open and its handshake done.
    Connected {
        /// Where to.
        endpoint: &'a Endpoint,
        /// What the server said of itself.
        server: &'a ServerInfo,
    },
    /// A connection could not be opened, or its handshake failed.
    ConnectFailed {
        /// Where to.
        endpoint: &'a Endpoint,
        /// Why.
        error: &'a Error,
    },
    /// A connection that was open is gone, and the client had not closed it.
    Lost {
        /// Where to.
        endpoint: &'a Endpoint,
        /// Why.
        error: &'a Error,
    },
    /// A command or pipeline failed and is sent again.
    Retrying {
        /// The command's name; `pipeline` for a pipeline or transaction.
        command: &'a str,
        /// Why it failed.
        error: &'a Error,
        /// How often it has failed.
        failed: u32,
        /// How long from now.
        wait: Duration,
    },
    /// A command or pipeline took at least [`slow_command`](crate::Config::slow_command), attempts and waits
    /// included. One that may block takes the time that it was given, and is never slow.
    Slow {
        /// The command's name; `pipeline` for a pipeline.
        command: &'a str,
        /// From being asked for to its reply or error.
        took: Duration,
    },
    /// Someone waited for a connection of a full pool, in vain or not.
    Waited {
        /// How long.
        took: Duration,
    },
}

/// Hears of what happens, as it happens, on the thread or task where it does: it must not block, nor wait for
/// the client it hears of. Closures are observers.
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn notice(&self, notice: &Notice<'_>);
}

impl<F: Fn(&Notice<'_>) + Send + Sync + 'static> Observer for F {
    fn notice(&self, notice: &Notice<'_>) {
        self(notice);
    }
}

/// An observer as a setting.
#[derive(Clone)]
pub struct SharedObserver(Arc<dyn Observer>);

impl<T: Observer> From<T> for SharedObserver {
    fn from(observer: T) -> Self {
        Self(Arc::new(observer))
    }
}

impl fmt::Debug for SharedObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedObserver")
    }
}

/// Counts since a client was made, and what it has now.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections whose handshake succeeded.
    pub connected: u64,
    /// Attempts to connect that failed.
    pub connect_failed: u64,
    /// Connections that were lost.
    pub lost: u64,
    /// Requests that were sent again.
    pub retries: u64,
    /// Requests that took at least `slow_command`.
    pub slow: u64,
    /// Waits for a connection of a full pool.
    pub pool_waits: u64,
    /// Connections of the pool that exist or are being opened, now.
    pub pool_open: usize,
    /// Those of them that nobody uses.
    pub pool_idle: usize,
    /// Who waits for one of them.
    pub pool_waiting: usize,
    /// Requests under way on an async client's shared connection.
    pub in_flight: usize,
}

/// The counters of one client.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    connected: AtomicU64,
    connect_failed: AtomicU64,
    lost: AtomicU64,
    retries: AtomicU64,
    slow: AtomicU64,
    pool_waits: AtomicU64,
}

impl Counters {
    fn count(&self, notice: &Notice<'_>) {
        let counter = match notice {
            Notice::Connected { .. } => &self.connected,
            Notice::ConnectFailed { .. } => &self.connect_failed,
            Notice::Lost { .. } => &self.lost,
            Notice::Retrying { .. } => &self.retries,
            Notice::Slow { .. } => &self.slow,
            Notice::Waited { .. } => &self.pool_waits,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            connected: read(&self.connected),
            connect_failed: read(&self.connect_failed),
            lost: read(&self.lost),
            retries: read(&self.retries),
            slow: read(&self.slow),
            pool_waits: read(&self.pool_waits),
            ..Stats::default()
        }
    }
}

/// Counts, and tells the observer if there is one.
pub(crate) fn tell(counters: &Counters, observer: Option<&SharedObserver>, notice: &Notice<'_>) {
    counters.count(notice);
    if let Some(observer) = observer {
        observer.0.notice(notice);
    }
}

/// An observer that writes each notice as an event of the crate `tracing`, under the target `redis`.
#[cfg(feature = "tracing")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Tracing;

#[cfg(feature = "tracing")]
impl Observer for Tracing {
    fn notice(&self, notice: &Notice<'_>) {
        match notice {
            Notice::Connected { endpoint, server } => {
                let version = server.version.as_deref();
                tracing::info!(target: "redis", %endpoint, version, "connected");
            }
            Notice::ConnectFailed { endpoint, error } => {
                tracing::warn!(target: "redis", %endpoint, %error, "connecting failed");
            }
            Notice::Lost { endpoint, error } => {
                tracing::warn!(target: "redis", %endpoint, %error, "connection lost");
            }
            Notice::Retrying { command, error, failed, wait } => {
                tracing::info!(target: "redis", command, %error, failed, ?wait, "sending again");
            }
            Notice::Slow { command, took } => {
                tracing::warn!(target: "redis", command, ?took, "slow command");
            }
            Notice::Waited { took } => {
                tracing::info!(target: "redis", ?took, "waited for a connection");
            }
        }
    }
}
