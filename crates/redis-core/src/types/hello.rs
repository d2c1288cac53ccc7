//! What a server says of itself when it is greeted.

use std::collections::BTreeMap;

use redis_derive::FromReply;

use crate::reply::Value;

use super::module_info::ModuleInfo;
use super::record::not_empty;

/// The reply to `HELLO`.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[non_exhaustive]
pub struct Hello {
    /// `redis` or `valkey`.
    pub server: String,
    /// The server's version.
    pub version: String,
    /// The protocol that is spoken from now on: 2 or 3.
    #[redis(rename = "proto")]
    pub protocol: u8,
    /// The connection's id on the server.
    pub id: u64,
    /// How the server is deployed.
    pub mode: ServerMode,
    /// The server's part in replication.
    pub role: ServerRole,
    /// The modules it has loaded.
    pub modules: Vec<ModuleInfo>,
    /// Where it runs, where that is configured; Valkey 8.1 and newer.
    #[redis(default, with = not_empty)]
    pub availability_zone: Option<String>,
    /// What newer servers tell too.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

/// How a server is deployed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, FromReply)]
#[redis(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ServerMode {
    /// By itself, or with replicas.
    Standalone,
    /// As a node of a cluster.
    Cluster,
    /// As a Sentinel.
    Sentinel,
    /// Another one, by the server's name of it.
    #[redis(other)]
    Other(String),
}

/// A server's part in replication, in a word.
#[derive(Clone, Debug, PartialEq, Eq, Hash, FromReply)]
#[redis(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ServerRole {
    /// `master`: it takes writes.
    #[redis(rename = "master")]
    Primary,
    /// `replica`: it follows a primary.
    Replica,
    /// Another one, by the server's name of it.
    #[redis(other)]
    Other(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    fn frame(resp3: bool) -> Vec<u8> {
        let protocol = if resp3 { 3 } else { 2 };
        let head = if resp3 { "%7" } else { "*14" };
        format!(
            "{head}\r\n$6\r\nserver\r\n$6\r\nvalkey\r\n$7\r\nversion\r\n$5\r\n9.1.2\r\n$5\r\nproto\r\n\
             :{protocol}\r\n$2\r\nid\r\n:24\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n\
             $6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"
        )
        .into_bytes()
    }

    #[test]
    fn hello_is_the_same_in_both_protocols_but_for_the_protocol() {
        let mut resp2 = decode::<Hello>(&frame(false)).unwrap();
        let resp3 = decode::<Hello>(&frame(true)).unwrap();
        assert_eq!((resp2.protocol, resp3.protocol), (2, 3));
        resp2.protocol = 3;
        assert_eq!(resp2, resp3);
        assert_eq!((&*resp3.server, &*resp3.version, resp3.id), ("valkey", "9.1.2", 24));
        assert_eq!((resp3.mode, resp3.role), (ServerMode::Standalone, ServerRole::Primary));
    }
}
