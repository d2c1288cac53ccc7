//! A node as tests name it.

use std::{fmt, net::SocketAddr};

/// A node of a [`Cluster`](crate::Cluster): its name only, the cluster keeps the server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    pub(crate) id: String,
    pub(crate) addr: SocketAddr,
}

impl Node {
    /// Its id: 40 hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where it listens for clients.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The port of that address.
    pub fn port(&self) -> u16 {
        self.addr.port()
    }
}

/// Its address.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.addr.fmt(f)
    }
}
