//! A server's part in replication.

use redis_derive::FromReply;

use crate::error::{Error, Result};
use crate::reply::{FromReply, ReplyReader};

use super::record::{record, skip, utf8};

/// A server's part in replication.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// It takes writes.
    #[non_exhaustive]
    Primary {
        /// How many bytes of replication it has sent out.
        offset: u64,
        /// Those that follow it.
        replicas: Vec<RoleReplica>,
    },
    /// It follows a primary.
    #[non_exhaustive]
    Replica {
        /// The primary's host or address.
        host: String,
        /// The primary's port.
        port: u16,
        /// How far the link to it is.
        link: LinkState,
        /// How many bytes of replication it has got; none before the first synchronization.
        offset: Option<u64>,
    },
    /// It watches over others.
    #[non_exhaustive]
    Sentinel {
        /// The names of the primaries it watches.
        primaries: Vec<String>,
    },
}

/// A replica as its primary sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoleReplica {
    /// Its host or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How many bytes of replication it has acknowledged.
    pub offset: u64,
}

/// How far a replica's link to its primary is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, FromReply)]
#[redis(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LinkState {
    /// `none`: it was not asked for yet.
    None,
    /// `connect`: the replica has to connect.
    Connect,
    /// `connecting`: it does.
    Connecting,
    /// `handshake`: it greets its primary.
    Handshake,
    /// `sync`: it takes over the data.
    Sync,
    /// `connected`: it follows.
    Connected,
    /// Another state, by the server's name of it.
    #[redis(other)]
    Other(String),
}

impl FromReply for Role {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let len = record(reply, "a role", 2)?;
        let name = utf8(reply.string()?)?;
        let (role, known) = match name.as_str() {
            "master" | "primary" if len >= 3 => {
                let offset = u64::from_reply(reply)?;
                (Self::Primary { offset, replicas: Vec::from_reply(reply)? }, 3)
            }
            "slave" | "replica" if len >= 5 => {
                let host = String::from_reply(reply)?;
                let port = u16::from_reply(reply)?;
                let link = LinkState::from_reply(reply)?;
                let offset = u64::try_from(i64::from_reply(reply)?).ok();
                (Self::Replica { host, port, link, offset }, 5)
            }
            "sentinel" => (Self::Sentinel { primaries: Vec::from_reply(reply)? }, 2),
            _ => return Err(Error::decode(format!("`{name}` of {len} values is no known role"))),
        };
        skip(reply, len - known)?;
        Ok(role)
    }
}

impl FromReply for RoleReplica {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let len = record(reply, "a replica", 3)?;
        let replica = Self {
            host: String::from_reply(reply)?,
            port: u16::from_reply(reply)?,
            offset: u64::from_reply(reply)?,
        };
        skip(reply, len - 3)?;
        Ok(replica)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    #[test]
    fn a_primary_names_its_replicas() {
        let role = decode::<Role>(
            b"*3\r\n$6\r\nmaster\r\n:14\r\n*1\r\n*3\r\n$9\r\n127.0.0.1\r\n$5\r\n27602\r\n$2\r\n14\r\n",
        );
        let replica = RoleReplica { host: "127.0.0.1".into(), port: 27602, offset: 14 };
        assert_eq!(role.unwrap(), Role::Primary { offset: 14, replicas: vec![replica] });
        let alone = decode::<Role>(b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
        assert_eq!(alone.unwrap(), Role::Primary { offset: 0, replicas: Vec::new() });
    }

    #[test]
    fn a_replica_without_data_has_no_offset() {
        let frame = |state: &str, offset: i64| {
            let len = state.len();
            format!(
                "*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:27605\r\n${len}\r\n{state}\r\n:{offset}\r\n"
            )
        };
        let role =
            |link, offset| Role::Replica { host: "127.0.0.1".into(), port: 27605, link, offset };
        let read = |state, offset| decode::<Role>(frame(state, offset).as_bytes()).unwrap();
        assert_eq!(read("handshake", -1), role(LinkState::Handshake, None));
        assert_eq!(read("connected", 14), role(LinkState::Connected, Some(14)));
        assert_eq!(read("new", 0), role(LinkState::Other("new".into()), Some(0)));
    }

    #[test]
    fn a_sentinel_names_what_it_watches() {
        let role = decode::<Role>(b"*2\r\n$8\r\nsentinel\r\n*1\r\n$2\r\nmy\r\n").unwrap();
        assert_eq!(role, Role::Sentinel { primaries: vec!["my".into()] });
    }

    #[test]
    fn what_is_no_role_is_named() {
        let error = decode::<Role>(b"*2\r\n$5\r\nslave\r\n$1\r\nx\r\n").unwrap_err();
        assert_eq!(error.to_string(), "`slave` of 2 values is no known role");
        assert!(decode::<Role>(b"*0\r\n").is_err());
    }
}
