//! What stands for TLS where the crate is built without it: nothing can be connected, and nobody gets so far.

use std::io;
use std::net::TcpStream;
use std::time::Instant;

use redis_core::{Config, Endpoint, Result};

/// What every connection of a client needs to begin TLS.
#[derive(Clone, Debug)]
pub(crate) struct Connector;

impl Connector {
    /// Refuses settings that want TLS.
    pub(crate) fn new(config: &Config) -> Result<Self> {
        config.refuse_tls().map(|()| Self)
    }

    pub(crate) fn is_plain(&self) -> bool {
        true
    }

    pub(crate) fn connect(&self, _: TcpStream, _: &Endpoint, _: Instant) -> io::Result<TlsStream> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// No stream at all.
#[derive(Debug)]
pub(crate) enum TlsStream {}

impl TlsStream {
    pub(crate) fn socket(&self) -> &TcpStream {
        match *self {}
    }

    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        match *self {}
    }

    pub(crate) fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn write(&self, _: &[io::IoSlice<'_>]) -> io::Result<usize> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use redis_core::ErrorKind;

    use crate::Client;

    #[test]
    fn urls_of_tls_are_refused_by_a_build_without_it() {
        for url in ["rediss://localhost", "valkeys+cluster://localhost"] {
            let error = Client::open(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            assert!(error.to_string().contains("feature `tls`"), "{error}");
        }
    }
}
