//! What one node says the cluster looks like: the replies of `CLUSTER SLOTS` and `CLUSTER SHARDS`.
//!
//! Owns their shapes, in RESP2 and RESP3 and over all versions. What the addresses in them mean depends
//! on who answered, so that a view becomes a topology in a second step.

use redis_core::{Endpoint, Error, FromReply, ReplyReader, Result, SLOTS};
use resp_proto::Token;

use crate::address::{Address, Host, Origin};
use crate::topology::{Health, Role, Topology};

/// The reply of `CLUSTER SLOTS` or `CLUSTER SHARDS`, whichever was asked for.
///
/// # Examples
///
/// ```
/// use redis_cluster::{AddressMap, Origin, View};
/// use redis_core::{Endpoint, decode};
///
/// let reply = b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$0\r\n\r\n:7000\r\n";
/// let view: View = decode(reply)?;
///
/// let answered = Endpoint::Tcp { host: "seed.example".into(), port: 7000 };
/// let topology = view.topology(&Origin {
///     answered: &answered,
///     tls: false,
///     map: &AddressMap::default(),
/// });
/// assert_eq!(topology.node_of(12182).unwrap().endpoint(), &answered);
/// # Ok::<(), redis_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    shards: Vec<Shard>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Shard {
    /// First and last slot of each range.
    ranges: Vec<(u16, u16)>,
    nodes: Vec<Announced>,
}

/// A node as it is announced.
#[derive(Clone, Debug, PartialEq)]
struct Announced {
    /// The host to prefer.
    host: Host,
    /// What else there is where the preferred one is unknown.
    spare: Option<Host>,
    port: Option<u16>,
    tls_port: Option<u16>,
    id: Option<String>,
    zone: Option<String>,
    role: Role,
    health: Health,
}

impl View {
    /// The topology as seen from where the reply came from.
    ///
    /// Nodes that can't be reached by what is known of them are left out, and so are the slots of a shard
    /// whose primary is such a one: [`Topology::coverage`] tells. A range that is named twice is the
    /// later one's.
    pub fn topology(&self, origin: &Origin<'_>) -> Topology {
        let mut topology = Topology::default();
        for shard in &self.shards {
            shard.add_to(&mut topology, origin);
        }
        topology
    }
}

impl View {
    /// Whether it means the same whoever said it: every host is named.
    pub(crate) fn is_absolute(&self) -> bool {
        let mut nodes = self.shards.iter().flat_map(|shard| &shard.nodes);
        nodes.all(|node| matches!(node.host, Host::Named(_)))
    }
}

impl Shard {
    fn add_to(&self, topology: &mut Topology, origin: &Origin<'_>) {
        let mut primary = None;
        let mut replicas = Vec::new();
        for announced in &self.nodes {
            let Some(endpoint) = announced.endpoint(origin) else {
                continue;
            };
            let Some(node) = topology.add_node(endpoint, announced.health) else {
                continue;
            };
            topology.describe(node, announced.id.as_deref(), announced.zone.as_deref());
            match announced.role {
                Role::Replica => replicas.push(node),
                Role::Primary => {
                    // A primary that was failed over stays in its shard until it returns.
                    let better = match primary {
                        None => true,
                        Some((_, health)) => health != Health::Online,
                    };
                    if better {
                        primary = Some((node, announced.health));
                    }
                }
            }
        }
        // One without slots counts while it is there: it may get some.
        let Some((primary, _)) =
            primary.filter(|(_, health)| !self.ranges.is_empty() || *health == Health::Online)
        else {
            return;
        };
        let shard = topology.shard_of_primary(primary);
        for replica in replicas {
            topology.add_replica(shard, replica);
        }
        for &(first, last) in &self.ranges {
            topology.assign(first..=last, shard);
        }
    }
}

impl Announced {
    fn new(role: Role) -> Self {
        Self {
            host: Host::Unknown,
            spare: None,
            port: None,
            tls_port: None,
            id: None,
            zone: None,
            role,
            health: Health::Online,
        }
    }

    fn endpoint(&self, origin: &Origin<'_>) -> Option<Endpoint> {
        let port =
            if origin.tls { self.tls_port.or(self.port) } else { self.port.or(self.tls_port) }?;
        let reach = |host: &Host| Address { host: host.clone(), port }.endpoint(origin);
        reach(&self.host).or_else(|| self.spare.as_ref().and_then(reach)).or_else(|| {
            // Over a Unix socket a node that does not know its own address is the one behind it.
            let local = self.host == Host::Same && matches!(origin.answered, Endpoint::Unix(_));
            local.then(|| origin.answered.clone())
        })
    }

    /// Keeps an address that stands in for an unknown one; an IP goes before a host name.
    fn set_spare(&mut self, text: Option<String>, first: bool) {
        let host = text.map(|text| Host::parse(text.as_bytes()));
        if let Some(host @ Host::Named(_)) = host
            && (first || self.spare.is_none())
        {
            self.spare = Some(host);
        }
    }

    /// Reads `[host, port, id, metadata, ..]` of `CLUSTER SLOTS`; none where it is something else.
    fn of_slots(reply: &mut ReplyReader<'_>, role: Role) -> Result<Option<Self>> {
        if !matches!(reply.peek()?, Token::Array(_)) {
            reply.skip()?;
            return Ok(None);
        }
        let mut node = Self::new(role);
        let len = reply.list()?;
        let mut at = 0;
        reply.each(len, |reply| {
            at += 1;
            match at {
                1 => node.host = host(reply)?,
                2 => node.port = port(reply)?,
                3 => node.id = text(reply)?,
                // Since Redis 7.0.
                4 => node.read_fields(reply)?,
                _ => reply.skip().map(drop)?,
            }
            Ok(())
        })?;
        Ok(Some(node))
    }

    /// Reads the map of a node of `CLUSTER SHARDS`.
    fn of_shards(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let mut node = Self::new(Role::Replica);
        node.read_fields(reply)?;
        Ok(node)
    }

    fn read_fields(&mut self, reply: &mut ReplyReader<'_>) -> Result<()> {
        if !matches!(reply.peek()?, Token::Map(_) | Token::Array(_)) {
            return reply.skip().map(drop);
        }
        reply.pairs(|reply| {
            match &*reply.string()? {
                b"endpoint" => self.host = host(reply)?,
                b"ip" => {
                    let ip = text(reply)?;
                    self.set_spare(ip, true);
                }
                b"hostname" => {
                    let name = text(reply)?;
                    self.set_spare(name, false);
                }
                b"port" => self.port = port(reply)?,
                b"tls-port" => self.tls_port = port(reply)?,
                b"id" => self.id = text(reply)?,
                b"availability-zone" => self.zone = text(reply)?,
                b"role" => {
                    self.role = match text(reply)?.as_deref() {
                        Some("master" | "primary") => Role::Primary,
                        _ => Role::Replica,
                    }
                }
                b"health" => {
                    self.health = match text(reply)?.as_deref() {
                        Some("fail" | "failed") => Health::Failed,
                        Some("loading") => Health::Loading,
                        _ => Health::Online,
                    }
                }
                _ => reply.skip().map(drop)?,
            }
            Ok(())
        })
    }
}

impl Shard {
    /// Reads `[first, last, node, ..]` of `CLUSTER SLOTS`: the first node is the primary.
    fn of_slots(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let mut shard = Self::default();
        let (mut at, mut first) = (0, 0);
        let len = reply.list()?;
        reply.each(len, |reply| {
            at += 1;
            match at {
                1 => first = i64::from_reply(reply)?,
                2 => shard.ranges.push(range(first, i64::from_reply(reply)?)?),
                _ => {
                    let role = if at == 3 { Role::Primary } else { Role::Replica };
                    shard.nodes.extend(Announced::of_slots(reply, role)?);
                }
            }
            Ok(())
        })?;
        Ok(shard)
    }

    /// Reads the map of a shard of `CLUSTER SHARDS`.
    fn of_shards(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let mut shard = Self::default();
        reply.pairs(|reply| {
            match &*reply.string()? {
                b"slots" => {
                    let ends = Vec::<i64>::from_reply(reply)?;
                    if ends.len() % 2 != 0 {
                        return Err(Error::decode("a slot range of a shard has no end"));
                    }
                    for ends in ends.chunks_exact(2) {
                        shard.ranges.push(range(ends[0], ends[1])?);
                    }
                }
                b"nodes" => {
                    let len = reply.list()?;
                    reply.each(len, |reply| {
                        shard.nodes.push(Announced::of_shards(reply)?);
                        Ok(())
                    })?;
                }
                _ => reply.skip().map(drop)?,
            }
            Ok(())
        })?;
        Ok(shard)
    }
}

/// Accepts either reply: an element of `CLUSTER SLOTS` starts with a number.
impl FromReply for View {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let len = reply.list()?;
        let mut shards = Vec::new();
        reply.each(len, |reply| {
            let mut ahead = reply.clone();
            let is_slots = matches!(ahead.token()?, Token::Array(_))
                && matches!(ahead.peek(), Ok(Token::Integer(_)));
            shards.push(if is_slots { Shard::of_slots(reply)? } else { Shard::of_shards(reply)? });
            Ok(())
        })?;
        Ok(Self { shards })
    }
}

fn range(first: i64, last: i64) -> Result<(u16, u16)> {
    let slot = |n: i64| u16::try_from(n).ok().filter(|&n| n < SLOTS);
    match (slot(first), slot(last)) {
        (Some(first), Some(last)) if first <= last => Ok((first, last)),
        _ => Err(Error::decode(format!("slots {first} to {last} are no range within 0 to 16383"))),
    }
}

/// A string, or none where there is something else.
fn text(reply: &mut ReplyReader<'_>) -> Result<Option<String>> {
    match reply.peek()? {
        Token::BulkString(_) | Token::SimpleString(_) | Token::Verbatim { .. } => {
            let text = reply.string()?;
            Ok(Some(String::from_utf8_lossy(&text).into_owned()).filter(|text| !text.is_empty()))
        }
        _ => reply.skip().map(|_| None),
    }
}

/// A preferred host: null is the one that was asked, as an empty one is.
fn host(reply: &mut ReplyReader<'_>) -> Result<Host> {
    Ok(text(reply)?.map_or(Host::Same, |text| Host::parse(text.as_bytes())))
}

/// A port that can be connected to.
fn port(reply: &mut ReplyReader<'_>) -> Result<Option<u16>> {
    let port = Option::<i64>::from_reply(reply)?;
    Ok(port.and_then(|port| u16::try_from(port).ok()).filter(|&port| port != 0))
}

#[cfg(test)]
mod tests;
