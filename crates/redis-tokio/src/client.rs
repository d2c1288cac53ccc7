//! The shared async client, on this runtime.

use std::ops::Deref;
use std::sync::Arc;

use redis_async::{Command, Config, Endpoint, Execute, FromReply, ReplyFuture, Result};

use crate::runtime::Tokio;

/// The client: [`redis_async::Client`] on tokio.
#[derive(Clone, Debug)]
pub struct Client(redis_async::Client);

impl Client {
    /// A client for a URL such as `redis://user:password@host:6379/0`, `redis+unix:///path?db=1` or, of a cluster,
    /// `redis+cluster://host:7000,host:7001`; with the feature `tls` also `rediss://host:6380` and the like.
    /// Nothing is connected before the first command.
    ///
    /// # Errors
    ///
    /// `Config` when the URL is not one, and as [`new`](Self::new).
    pub fn open(url: &str) -> Result<Self> {
        Self::new(url.parse()?)
    }

    /// A client for a configuration. Nothing is connected before the first command.
    ///
    /// # Errors
    ///
    /// `Config` when the settings do not fit together, when a certificate or key that they name can't be used, and when they
    /// want TLS without the feature `tls`.
    pub fn new(config: Config) -> Result<Self> {
        redis_async::Client::new(config, Arc::new(Tokio)).map(Self)
    }
}

impl Client {
    /// As [`redis_async::Client::node`].
    pub fn node(&self, endpoint: &Endpoint) -> Self {
        Self(self.0.node(endpoint))
    }
}

impl Deref for Client {
    type Target = redis_async::Client;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'a> Execute for &'a Client {
    type Output<R: FromReply> = ReplyFuture<'a, R>;

    fn execute<C: Command>(self, command: C) -> ReplyFuture<'a, C::Reply> {
        self.0.execute(command)
    }
}

#[cfg(all(test, not(feature = "tls")))]
mod tests {
    use redis_async::ErrorKind;

    use super::Client;

    #[test]
    fn urls_of_tls_are_refused_by_a_build_without_it() {
        for url in ["rediss://localhost", "valkeys+cluster://localhost"] {
            let error = Client::open(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            assert!(error.to_string().contains("feature `tls`"), "{error}");
        }
    }
}
