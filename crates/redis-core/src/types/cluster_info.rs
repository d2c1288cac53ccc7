//! How a node sees its cluster as a whole: the reply of `CLUSTER INFO`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::str::FromStr;

use super::text::Fields;
use crate::error::Result;
use crate::reply::{FromReply, ReplyReader};

/// The reply of `CLUSTER INFO`; its fields' common `cluster_` is left out here.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ClusterInfo {
    /// Whether the node serves commands.
    pub state: ClusterState,
    /// How many slots belong to some node.
    pub slots_assigned: u64,
    /// How many of them belong to nodes that are well.
    pub slots_ok: u64,
    /// How many belong to nodes that this one does not reach.
    pub slots_pfail: u64,
    /// How many belong to nodes that most primaries do not reach.
    pub slots_fail: u64,
    /// How many nodes this one knows.
    pub known_nodes: u64,
    /// How many primaries serve slots.
    pub size: u64,
    /// The highest version of any node's claim to slots.
    pub current_epoch: u64,
    /// The version of this node's own claim.
    pub my_epoch: u64,
    /// Messages sent to other nodes.
    pub messages_sent: u64,
    /// Messages that came from other nodes.
    pub messages_received: u64,
    /// Messages sent, by kind.
    pub messages_sent_by_kind: BTreeMap<String, u64>,
    /// Messages that came, by kind.
    pub messages_received_by_kind: BTreeMap<String, u64>,
    /// How many links to nodes were closed for exceeding their buffer; since Redis 7.0.
    pub links_buffer_limit_exceeded: Option<u64>,
    /// What else the server prints, under its whole name.
    pub other: BTreeMap<String, String>,
}

/// Whether a cluster serves commands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClusterState {
    /// It does.
    Ok,
    /// It does not: slots are not served, or most primaries are not reached.
    Fail,
    /// A word of a newer server.
    Other(String),
}

impl FromStr for ClusterState {
    type Err = Infallible;

    fn from_str(word: &str) -> Result<Self, Infallible> {
        Ok(match word {
            "ok" => Self::Ok,
            "fail" => Self::Fail,
            other => Self::Other(other.to_owned()),
        })
    }
}

impl FromReply for ClusterInfo {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let mut fields = Fields::of_lines(&String::from_reply(reply)?)?;
        Ok(Self {
            state: fields.take("cluster_state")?,
            slots_assigned: fields.take("cluster_slots_assigned")?,
            slots_ok: fields.take("cluster_slots_ok")?,
            slots_pfail: fields.take("cluster_slots_pfail")?,
            slots_fail: fields.take("cluster_slots_fail")?,
            known_nodes: fields.take("cluster_known_nodes")?,
            size: fields.take("cluster_size")?,
            current_epoch: fields.take("cluster_current_epoch")?,
            my_epoch: fields.take("cluster_my_epoch")?,
            messages_sent: fields.take("cluster_stats_messages_sent")?,
            messages_received: fields.take("cluster_stats_messages_received")?,
            messages_sent_by_kind: fields.take_between("cluster_stats_messages_", "_sent")?,
            messages_received_by_kind: fields
                .take_between("cluster_stats_messages_", "_received")?,
            links_buffer_limit_exceeded: fields
                .take_option("total_cluster_links_buffer_limit_exceeded")?,
            other: fields.rest(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    /// Of Redis 8.6 beside another node, one field of Valkey 9.1 added.
    const INFO: &str = "cluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_slots_ok:16380\r\n\
        cluster_slots_pfail:4\r\ncluster_slots_fail:0\r\ncluster_nodes_pfail:1\r\ncluster_known_nodes:2\r\n\
        cluster_size:1\r\ncluster_current_epoch:3\r\ncluster_my_epoch:2\r\n\
        cluster_stats_messages_ping_sent:5\r\ncluster_stats_messages_auth-req_sent:1\r\ncluster_stats_messages_sent:6\r\n\
        cluster_stats_messages_pong_received:7\r\ncluster_stats_messages_received:7\r\n\
        total_cluster_links_buffer_limit_exceeded:0\r\n";

    #[test]
    fn text_of_a_real_node_is_read() {
        let frames = [
            format!("${}\r\n{INFO}\r\n", INFO.len()),
            format!("={}\r\ntxt:{INFO}\r\n", INFO.len() + 4),
        ];
        for frame in frames {
            let info: ClusterInfo = decode(frame.as_bytes()).unwrap();
            assert_eq!((info.state, info.slots_ok, info.slots_pfail), (ClusterState::Ok, 16380, 4));
            assert_eq!((info.current_epoch, info.my_epoch), (3, 2));
            assert_eq!((info.messages_sent, info.messages_received), (6, 7));
            assert_eq!(info.messages_sent_by_kind["auth-req"], 1);
            assert_eq!(info.messages_received_by_kind["pong"], 7);
            assert_eq!(info.links_buffer_limit_exceeded, Some(0));
            let other = BTreeMap::from([("cluster_nodes_pfail".to_owned(), "1".to_owned())]);
            assert_eq!(info.other, other);
        }
    }

    #[test]
    fn missing_field_is_named() {
        let error = decode::<ClusterInfo>(b"$16\r\ncluster_state:ok\r\n").unwrap_err();
        assert_eq!(error.message(), "the reply has no field `cluster_slots_assigned`");
    }
}
