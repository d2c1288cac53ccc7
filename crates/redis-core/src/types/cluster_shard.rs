//! Who serves which slots, as `CLUSTER SHARDS` and `CLUSTER SLOTS` tell it.

use std::collections::BTreeMap;

use redis_derive::FromReply;

use super::SlotRange;
use super::text::word;
use crate::error::{Error, Result};
use crate::reply::{FromReply, ReplyReader, Value};

/// One primary with its replicas and slots: an element of the reply of `CLUSTER SHARDS`.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[redis(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct ClusterShard {
    /// The slots it serves.
    #[redis(with = ranges)]
    pub slots: Vec<SlotRange>,
    /// The nodes, in no order that means something.
    pub nodes: Vec<ClusterShardNode>,
    /// The shard's id; Valkey 9.1 alone.
    pub id: Option<String>,
    /// What else the server tells.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

/// A node of a [`ClusterShard`].
#[derive(Clone, Debug, PartialEq, FromReply)]
#[redis(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct ClusterShardNode {
    /// The node's id.
    pub id: String,
    /// Its port without TLS, where it has one.
    pub port: Option<u16>,
    /// Its port with TLS, where it has one.
    pub tls_port: Option<u16>,
    /// Its IP address; empty where it does not know its own.
    pub ip: String,
    /// The address to prefer; empty where it is that of the node that replied, or unknown.
    pub endpoint: Option<String>,
    /// Its host name, where it announces one.
    pub hostname: Option<String>,
    /// What it is.
    pub role: NodeRole,
    /// How many bytes of the primary's changes it has.
    pub replication_offset: u64,
    /// How it is.
    pub health: NodeHealth,
    /// Where it stands; Valkey since 8.1, if configured.
    pub availability_zone: Option<String>,
    /// What else the server tells.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

/// A flat list of first and last slots.
fn ranges(reply: &mut ReplyReader<'_>) -> Result<Vec<SlotRange>> {
    let pairs = Vec::<(u16, u16)>::from_reply(reply)?;
    Ok(pairs.into_iter().map(SlotRange::from).collect())
}

/// What a node of a cluster is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, FromReply)]
#[redis(rename_all = "lowercase")]
#[non_exhaustive]
pub enum NodeRole {
    /// It takes writes.
    #[redis(rename = "master")]
    Primary,
    /// It follows a primary.
    Replica,
    /// A word of a newer server.
    #[redis(other)]
    Other(String),
}

/// How a node of a cluster is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NodeHealth {
    /// It is there.
    Online,
    /// It is held to be gone.
    Failed,
    /// It has not the whole data yet.
    Loading,
    /// A word of a newer server.
    Other(String),
}

impl From<&str> for NodeHealth {
    fn from(word: &str) -> Self {
        match word {
            "online" => Self::Online,
            "fail" | "failed" => Self::Failed,
            "loading" => Self::Loading,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl FromReply for NodeHealth {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        word(reply)
    }
}

/// A range of slots and who serves it: an element of the reply of `CLUSTER SLOTS`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ClusterSlots {
    /// The slots.
    pub slots: SlotRange,
    /// The primary first, then its replicas.
    pub nodes: Vec<ClusterSlotsNode>,
}

/// A node of [`ClusterSlots`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ClusterSlotsNode {
    /// The address to prefer: none where it is unknown, empty where the node does not know its own; both
    /// mean that of the node that replied.
    pub endpoint: Option<String>,
    /// The port.
    pub port: u16,
    /// The node's id; since Redis 4.0.
    pub id: Option<String>,
    /// More of it: other addresses (`ip`, `hostname`), where it stands (`availability-zone`).
    pub metadata: BTreeMap<String, String>,
}

impl FromReply for ClusterSlots {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let len = reply.list()?;
        let (mut bounds, mut nodes) = (Vec::with_capacity(2), Vec::new());
        reply.each(len, |reply| {
            if bounds.len() < 2 {
                bounds.push(u16::from_reply(reply)?);
            } else {
                nodes.push(ClusterSlotsNode::from_reply(reply)?);
            }
            Ok(())
        })?;
        match bounds[..] {
            [start, end] => Ok(Self { slots: SlotRange { start, end }, nodes }),
            _ => Err(Error::decode("expected the first and the last slot of a range")),
        }
    }
}

impl FromReply for ClusterSlotsNode {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let len = reply.list()?;
        let (mut endpoint, mut port) = (None, None);
        let (mut id, mut metadata) = (None, BTreeMap::new());
        let mut at = 0;
        reply.each(len, |reply| {
            match at {
                0 => endpoint = FromReply::from_reply(reply)?,
                1 => port = Some(u16::from_reply(reply)?),
                2 => id = Some(String::from_reply(reply)?),
                3 => metadata = FromReply::from_reply(reply)?,
                _ => drop(reply.skip()?),
            }
            at += 1;
            Ok(())
        })?;
        let port = port.ok_or_else(|| Error::decode("the reply has a node without a port"))?;
        Ok(Self { endpoint, port, id, metadata })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    #[test]
    fn shards_are_the_same_in_both_protocols() {
        // Of Valkey 9.1, which prints the shard's id last.
        let node = "$2\r\nid\r\n$2\r\na8\r\n$4\r\nport\r\n:7000\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n\
            $8\r\nendpoint\r\n$0\r\n\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$18\r\nreplication-offset\r\n:65\r\n\
            $6\r\nhealth\r\n$7\r\nloading\r\n$17\r\navailability-zone\r\n$6\r\nzone-a\r\n";
        let slots = "$5\r\nslots\r\n*4\r\n:0\r\n:99\r\n:200\r\n:200\r\n$5\r\nnodes\r\n*1\r\n";
        let id = "$2\r\nid\r\n$2\r\n4f\r\n$3\r\nnew\r\n:1\r\n";
        for (outer, inner) in [("*8", "*16"), ("%4", "%8")] {
            let frame = format!("*1\r\n{outer}\r\n{slots}{inner}\r\n{node}{id}");
            let shards: Vec<ClusterShard> = decode(frame.as_bytes()).unwrap();
            let [shard] = &shards[..] else { panic!("{shards:?}") };
            assert_eq!(shard.slots, [(0, 99).into(), 200.into()]);
            assert_eq!(
                (shard.id.as_deref(), &shard.other["new"]),
                (Some("4f"), &Value::Integer(1))
            );
            let node = &shard.nodes[0];
            assert_eq!((&*node.id, node.port, node.tls_port), ("a8", Some(7000), None));
            assert_eq!((&*node.ip, node.endpoint.as_deref()), ("127.0.0.1", Some("")));
            assert_eq!((&node.role, &node.health), (&NodeRole::Primary, &NodeHealth::Loading));
            assert_eq!(node.replication_offset, 65);
            assert_eq!(node.availability_zone.as_deref(), Some("zone-a"));
        }
    }

    #[test]
    fn slots_are_the_same_in_both_protocols() {
        // Of Redis 8.6 with `cluster-preferred-endpoint-type unknown-endpoint`.
        for (null, map) in [("$-1", "*2"), ("_", "%1")] {
            let frame = format!(
                "*1\r\n*3\r\n:0\r\n:16383\r\n*4\r\n{null}\r\n:7000\r\n$2\r\n17\r\n{map}\r\n$2\r\nip\r\n$0\r\n\r\n"
            );
            let slots: Vec<ClusterSlots> = decode(frame.as_bytes()).unwrap();
            assert_eq!(slots[0].slots, (0, 16383).into());
            let node = &slots[0].nodes[0];
            assert_eq!((&node.endpoint, node.port, node.id.as_deref()), (&None, 7000, Some("17")));
            assert_eq!(node.metadata["ip"], "");
        }
    }

    #[test]
    fn slots_of_old_servers_have_neither_metadata_nor_id() {
        let slots: ClusterSlots = decode(b"*3\r\n:0\r\n:5\r\n*2\r\n$0\r\n\r\n:7000\r\n").unwrap();
        let node = &slots.nodes[0];
        assert_eq!((node.endpoint.as_deref(), &node.id, node.metadata.len()), (Some(""), &None, 0));
        let error = decode::<ClusterSlots>(b"*1\r\n:0\r\n").unwrap_err();
        assert_eq!(error.message(), "expected the first and the last slot of a range");
        let error = decode::<ClusterSlots>(b"*3\r\n:0\r\n:5\r\n*1\r\n$0\r\n\r\n").unwrap_err();
        assert_eq!(error.message(), "the reply has a node without a port");
    }
}
