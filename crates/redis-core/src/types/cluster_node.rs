//! Nodes of a cluster, as `CLUSTER NODES`, `CLUSTER REPLICAS` and `CLUSTER LINKS` tell of them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use resp_proto::Token;

use super::SlotRange;
use super::time::at;
use crate::error::{Error, Result};
use crate::reply::{FromReply, ReplyReader};

/// One line of `CLUSTER NODES`. `Vec<ClusterNode>` decodes the whole text, and the list of lines that
/// `CLUSTER REPLICAS` replies.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ClusterNode {
    /// The node's id: 40 hexadecimal digits.
    pub id: String,
    /// Its address as others know it; empty where it does not know its own.
    pub ip: String,
    /// Its port for clients; 0 where it is not known.
    pub port: u16,
    /// Its port for the other nodes; since Redis 4.0.
    pub bus_port: Option<u16>,
    /// Its host name, where it announces one; since Redis 7.0.
    pub hostname: Option<String>,
    /// What else the node announces, such as its shard.
    pub announced: BTreeMap<String, String>,
    /// What it is and how it is.
    pub flags: Vec<NodeFlag>,
    /// The id of its primary, if it is a replica.
    pub primary: Option<String>,
    /// When the ping was sent that it has not answered.
    pub ping_sent: Option<SystemTime>,
    /// When it last answered one.
    pub pong_received: Option<SystemTime>,
    /// The version of its claim to its slots.
    pub config_epoch: u64,
    /// Whether the link to it is up.
    pub connected: bool,
    /// The slots it serves.
    pub slots: Vec<SlotRange>,
    /// The slots on their way from it, and the ids of the nodes that get them; known of the node that
    /// replied alone.
    pub migrating: Vec<(u16, String)>,
    /// The slots on their way to it, and the ids of the nodes that give them; known of the node that
    /// replied alone.
    pub importing: Vec<(u16, String)>,
}

impl ClusterNode {
    /// Whether the node has the flag.
    pub fn is(&self, flag: &NodeFlag) -> bool {
        self.flags.contains(flag)
    }

    fn of_line(line: &str) -> Result<Self> {
        Self::parts(line).map_err(|what| Error::decode(format!("{what} in the line `{line}`")))
    }

    fn parts(line: &str) -> Result<Self, String> {
        let mut words = line.split_ascii_whitespace();
        let mut word = |what: &str| words.next().ok_or_else(|| format!("no {what}"));
        let id = word("id")?.to_owned();
        let address = word("address")?;
        let flags = word("flags")?;
        let primary = word("primary")?;
        let ping_sent = time("ping", word("ping")?)?;
        let pong_received = time("pong", word("pong")?)?;
        let config_epoch = number("config epoch", word("config epoch")?)?;
        let connected = word("link state")? == "connected";

        let mut announced = address.split(',');
        let address = announced.next().unwrap_or_default();
        let hostname = announced.next().filter(|name| !name.is_empty()).map(str::to_owned);
        let announced = announced.filter_map(|field| field.split_once('='));
        let announced = announced.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let (address, bus_port) = match address.rsplit_once('@') {
            Some((address, port)) => (address, Some(number("bus port", port)?)),
            None => (address, None),
        };
        let (ip, port) =
            address.rsplit_once(':').ok_or_else(|| format!("no port in `{address}`"))?;

        let mut node = Self {
            id,
            ip: ip.to_owned(),
            port: number("port", port)?,
            bus_port,
            hostname,
            announced: announced.collect(),
            flags: flags.split(',').filter(|flag| *flag != "noflags").map(NodeFlag::from).collect(),
            primary: Some(primary).filter(|id| *id != "-").map(str::to_owned),
            ping_sent,
            pong_received,
            config_epoch,
            connected,
            slots: Vec::new(),
            migrating: Vec::new(),
            importing: Vec::new(),
        };
        for slots in words {
            let moved = slots.strip_prefix('[').and_then(|moved| moved.strip_suffix(']'));
            let Some(moved) = moved else {
                node.slots.push(slots.parse().map_err(|error: Error| error.message().to_owned())?);
                continue;
            };
            if let Some((slot, to)) = moved.split_once("->-") {
                node.migrating.push((number("slot", slot)?, to.to_owned()));
            } else if let Some((slot, from)) = moved.split_once("-<-") {
                node.importing.push((number("slot", slot)?, from.to_owned()));
            } else {
                return Err(format!("`{moved}` is no slot that moves"));
            }
        }
        Ok(node)
    }
}

fn number<T: std::str::FromStr>(what: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is no {what}"))
}

/// Milliseconds since 1970; 0 is never.
fn time(what: &str, text: &str) -> Result<Option<SystemTime>, String> {
    let time = at(Duration::from_millis(number(what, text)?)).map_err(|error| error.to_string())?;
    Ok(Some(time).filter(|time| *time != UNIX_EPOCH))
}

impl FromReply for ClusterNode {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        Self::of_line(&String::from_reply(reply)?)
    }

    fn list_from_reply(reply: &mut ReplyReader<'_>) -> Result<Vec<Self>> {
        if !matches!(reply.peek()?, Token::Array(_) | Token::Set(_)) {
            let text = String::from_reply(reply)?;
            return text.lines().map(Self::of_line).collect();
        }
        let len = reply.list()?;
        let mut nodes = Vec::with_capacity(reply.capacity(len));
        reply.each(len, |reply| {
            nodes.push(Self::from_reply(reply)?);
            Ok(())
        })?;
        Ok(nodes)
    }
}

/// What a node of a cluster is, and how it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NodeFlag {
    /// It is the one that replied.
    Myself,
    /// It is a primary.
    Primary,
    /// It is a replica.
    Replica,
    /// The one that replied does not reach it.
    PossiblyFailing,
    /// Most primaries do not reach it.
    Failing,
    /// It is being met.
    Handshake,
    /// Its address is not known.
    NoAddress,
    /// It, a replica, never replaces its primary.
    NoFailover,
    /// A word of a newer server.
    Other(String),
}

impl From<&str> for NodeFlag {
    fn from(word: &str) -> Self {
        match word {
            "myself" => Self::Myself,
            "master" | "primary" => Self::Primary,
            "slave" | "replica" => Self::Replica,
            "fail?" => Self::PossiblyFailing,
            "fail" => Self::Failing,
            "handshake" => Self::Handshake,
            "noaddr" => Self::NoAddress,
            "nofailover" => Self::NoFailover,
            other => Self::Other(other.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::reply::decode;

    /// Of Redis 7.0, the replica's last fields as Redis 7.2 and Valkey print them.
    const NODES: &str = "\
        87bf5206 127.0.0.1:32554@42554 master - 0 1795345413230 2 connected 8192-16383\n\
        c295e66e 127.0.0.1:32553@42553,node.example myself,master - 0 0 0 connected 0-4 6 [5->-87bf5206] [7-<-87bf5206]\n\
        52631f8c ::1:32555@42555,,tls-port=0,shard-id=69bc slave,fail? c295e66e 1795345413000 0 0 disconnected\n";

    #[test]
    fn lines_of_real_nodes_are_read() {
        let frames = [
            format!("${}\r\n{NODES}\r\n", NODES.len()),
            format!("={}\r\ntxt:{NODES}\r\n", NODES.len() + 4),
        ];
        for frame in frames {
            let nodes: Vec<ClusterNode> = decode(frame.as_bytes()).unwrap();
            let [other, own, replica] = &nodes[..] else { panic!("{nodes:?}") };
            assert_eq!((&*other.id, &*other.ip, other.port), ("87bf5206", "127.0.0.1", 32554));
            assert_eq!((other.bus_port, other.config_epoch), (Some(42554), 2));
            assert_eq!((other.flags.as_slice(), &other.primary), (&[NodeFlag::Primary][..], &None));
            let pong = UNIX_EPOCH + Duration::from_millis(1_795_345_413_230);
            assert_eq!((other.ping_sent, other.pong_received), (None, Some(pong)));
            assert_eq!((other.connected, &other.slots), (true, &vec![(8192, 16383).into()]));

            assert_eq!(own.hostname.as_deref(), Some("node.example"));
            assert!(own.is(&NodeFlag::Myself) && own.is(&NodeFlag::Primary));
            assert_eq!(own.slots, [(0, 4).into(), 6.into()]);
            assert_eq!(own.migrating, [(5, "87bf5206".to_owned())]);
            assert_eq!(own.importing, [(7, "87bf5206".to_owned())]);

            assert_eq!((&*replica.ip, &replica.hostname), ("::1", &None));
            assert_eq!(replica.announced["shard-id"], "69bc");
            assert_eq!(replica.flags, [NodeFlag::Replica, NodeFlag::PossiblyFailing]);
            assert_eq!(replica.primary.as_deref(), Some("c295e66e"));
            assert!(!replica.connected && replica.slots.is_empty());
        }
    }

    #[test]
    fn list_of_lines_is_read_too() {
        let line = NODES.lines().next().unwrap();
        let frame = format!("*1\r\n${}\r\n{line}\r\n", line.len());
        let nodes: Vec<ClusterNode> = decode(frame.as_bytes()).unwrap();
        assert_eq!(nodes[0].id, "87bf5206");
        assert_eq!(decode::<Vec<ClusterNode>>(b"*0\r\n").unwrap(), []);
    }

    proptest! {
        #[test]
        fn damaged_lines_are_nodes_or_errors(at in 0..NODES.len(), with in "[ -~\n]{0,3}") {
            let damaged = format!("{}{with}{}", &NODES[..at], &NODES[at + 1..]);
            for line in damaged.lines() {
                if let Err(error) = ClusterNode::of_line(line) {
                    prop_assert!(error.message().contains(line));
                }
            }
        }
    }

    #[test]
    fn malformed_lines_are_named() {
        let error = |line: &str| ClusterNode::of_line(line).unwrap_err().message().to_owned();
        assert_eq!(error("id"), "no address in the line `id`");
        assert_eq!(
            error("id host master - 0 0 0 connected"),
            "no port in `host` in the line `id host master - 0 0 0 connected`"
        );
        assert!(error("id :x@1 master - 0 0 0 connected").starts_with("`x` is no port"));
        assert!(error("id :1@1 master - a 0 0 connected").starts_with("`a` is no ping"));
        assert!(error("id :1@1 master - 0 0 0 connected 1-x").starts_with("`1-x` is no slot"));
        assert!(error("id :1@1 master - 0 0 0 connected [1]").starts_with("`1` is no slot that"));
    }
}
