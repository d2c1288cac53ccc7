//! Which node serves which slot.
//!
//! Owns the table of slots and the nodes behind it, and the rules by which it changes. Knows nothing of
//! connections: whoever holds some keeps them by a node's index, or by its endpoint.
//!
//! The table has two bytes for each of the 16,384 slots, 32 KiB in all. Looking a slot up is two loads,
//! however scattered the ranges are, and a moved slot is one store: measured, 2 to 4 ns a look-up, where a
//! binary search took 20 with 500 ranges, and each slot that moves splits one of those.

mod vote;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use redis_core::{Endpoint, Error, ErrorKind, Result, SLOTS};

/// No shard.
const NONE: u16 = u16::MAX;

/// The most nodes a topology holds: a shard's index, at most as large as a node's, has two bytes.
const MAX_NODES: usize = NONE as usize;

/// What a node is to its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It serves the shard's slots.
    Primary,
    /// It holds a copy.
    Replica,
}

/// How a node is, to the knowledge of who was asked. `CLUSTER SLOTS` leaves out replicas that are not well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Online,
    /// It does not.
    Failed,
    /// It is not done with loading its data.
    Loading,
}

/// A node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    index: u16,
    shard: u16,
    endpoint: Endpoint,
    id: Option<Box<str>>,
    zone: Option<Box<str>>,
    role: Role,
    health: Health,
}

impl Node {
    /// Its place in [`Topology::nodes`]. It stays the same until the next [`accept`](Topology::accept) or
    /// [`merge`](Topology::merge); [`patch`](Topology::patch) only adds nodes behind the others.
    pub fn index(&self) -> usize {
        self.index.into()
    }

    /// Where the client reaches it. No two nodes have the same.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The id that the cluster knows it by, 40 hexadecimal digits; none for a node that only a redirect
    /// has named.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Its availability zone, where the server tells (Valkey 8.1 and later).
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// What it is to its shard.
    pub fn role(&self) -> Role {
        self.role
    }

    /// How it is.
    pub fn health(&self) -> Health {
        self.health
    }
}

/// A primary, its replicas, and no slots: the table has them.
#[derive(Clone, Debug)]
struct Shard {
    primary: u16,
    replicas: Vec<u16>,
}

/// What a [`Topology::patch`] did, and the node that has the slot now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patch {
    /// The node's [index](Node::index).
    pub node: usize,
    /// What it did.
    pub change: Change,
}

/// What became different by a [`Topology::patch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: the slot was that node's already. A node that redirects to itself wants a new connection.
    None,
    /// The slot is another shard's.
    Moved,
    /// A replica was named: it took over its shard, with all slots of it.
    Promoted,
    /// A node was named that was not known; it has this slot alone.
    Added,
}

/// Slots and nodes, as far as they are known. The default knows none.
///
/// # Examples
///
/// ```
/// use redis_cluster::{AddressMap, Change, Origin, Topology, View};
/// use redis_core::{Endpoint, decode};
///
/// let node = |host: &str, port| Endpoint::Tcp { host: host.into(), port };
/// let reply = b"*2\r\n\
///     *4\r\n:0\r\n:8191\r\n*2\r\n$2\r\nh1\r\n:1\r\n*2\r\n$2\r\nh2\r\n:2\r\n\
///     *3\r\n:8192\r\n:16383\r\n*2\r\n$2\r\nh3\r\n:3\r\n";
/// let origin =
///     Origin { answered: &node("h1", 1), tls: false, map: &AddressMap::default() };
///
/// let mut topology = Topology::default();
/// assert!(topology.accept(decode::<View>(reply)?.topology(&origin)));
/// assert!(topology.is_full());
/// assert_eq!(topology.node_of(5).unwrap().endpoint(), &node("h1", 1));
/// assert_eq!(topology.replicas_of(5).next().unwrap().endpoint(), &node("h2", 2));
///
/// // MOVED 5 h3:3
/// assert_eq!(topology.patch(5, &node("h3", 3))?.change, Change::Moved);
/// assert_eq!(topology.node_of(5).unwrap().endpoint(), &node("h3", 3));
/// assert_eq!(topology.node_of(6).unwrap().endpoint(), &node("h1", 1));
/// # Ok::<(), redis_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Topology {
    nodes: Vec<Node>,
    by_endpoint: BTreeMap<Endpoint, u16>,
    shards: Vec<Shard>,
    /// For each slot the shard's index, or `NONE`.
    slots: Box<[u16]>,
    covered: usize,
}

impl Default for Topology {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            by_endpoint: BTreeMap::new(),
            shards: Vec::new(),
            slots: vec![NONE; usize::from(SLOTS)].into(),
            covered: 0,
        }
    }
}

impl Topology {
    /// Replaces this by what another view of the cluster knows, unless that knows less: a partial view
    /// never replaces one that knows more slots. Says whether it replaced.
    ///
    /// If all nodes that can be asked know less, the cluster has lost slots, and [`merge`](Self::merge)
    /// takes over what they do know.
    #[must_use = "a view that was refused calls for another node's"]
    pub fn accept(&mut self, view: Self) -> bool {
        let better = view.covered > 0 && view.covered >= self.covered;
        if better {
            *self = view;
        }
        better
    }

    /// Replaces this by another view, and keeps what is known of the slots that the view lacks.
    pub fn merge(&mut self, mut view: Self) {
        let mut adopted = BTreeMap::new();
        for slot in 0..SLOTS {
            let shard = self.slots[usize::from(slot)];
            if shard != NONE && view.slots[usize::from(slot)] == NONE {
                let adopt = || view.adopt(self, shard);
                if let Some(shard) = *adopted.entry(shard).or_insert_with(adopt) {
                    view.assign(slot..=slot, shard);
                }
            }
        }
        *self = view;
    }

    /// Gives a slot to the node at `endpoint`, as `MOVED` says. All else stays, unless that node was a
    /// replica: then it took over its shard, and all slots of the shard are its own.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when there is no such slot. `Limit` when the node is not known and there are 65,535
    /// already, which takes a refresh to clear.
    pub fn patch(&mut self, slot: u16, endpoint: &Endpoint) -> Result<Patch> {
        let Some(&shard) = self.slots.get(usize::from(slot)) else {
            let text = format!("there is no slot {slot}: the last one is 16383");
            return Err(Error::new(ErrorKind::InvalidRequest, text));
        };
        let known = self.by_endpoint.get(endpoint).copied();
        let node = match known.or_else(|| self.add_node(endpoint.clone(), Health::Online)) {
            Some(node) => node,
            None => {
                let text = format!("the topology is full with {MAX_NODES} nodes: refresh it");
                return Err(Error::new(ErrorKind::Limit, text));
            }
        };
        let Node { shard: home, role, .. } = self.nodes[usize::from(node)];
        let change = if home == NONE {
            Change::Added
        } else if role == Role::Replica {
            self.promote(node);
            Change::Promoted
        } else if home == shard {
            Change::None
        } else {
            Change::Moved
        };
        let home = self.shard_of_primary(node);
        self.assign(slot..=slot, home);
        Ok(Patch { node: node.into(), change })
    }

    /// The primary that serves a slot.
    #[inline]
    pub fn node_of(&self, slot: u16) -> Option<&Node> {
        self.shard(slot).map(|shard| &self.nodes[usize::from(shard.primary)])
    }

    /// The replicas of the primary that serves a slot: those that are online.
    pub fn replicas_of(&self, slot: u16) -> impl Iterator<Item = &Node> + Clone {
        let replicas = self.shard(slot).into_iter().flat_map(|shard| &shard.replicas);
        replicas
            .map(|&node| &self.nodes[usize::from(node)])
            .filter(|node| node.health == Health::Online)
    }

    /// The primary of each shard, those included that have no slot but are known to be there.
    pub fn primaries(&self) -> impl Iterator<Item = &Node> {
        self.shards.iter().map(|shard| &self.nodes[usize::from(shard.primary)])
    }

    /// All nodes, in the order they were named; each at its [index](Node::index).
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node at an endpoint.
    pub fn find(&self, endpoint: &Endpoint) -> Option<&Node> {
        self.by_endpoint.get(endpoint).map(|&node| &self.nodes[usize::from(node)])
    }

    /// How many of the 16,384 slots have a node.
    pub fn coverage(&self) -> usize {
        self.covered
    }

    /// Whether every slot has a node.
    pub fn is_full(&self) -> bool {
        self.covered == usize::from(SLOTS)
    }

    #[inline]
    fn shard(&self, slot: u16) -> Option<&Shard> {
        self.shards.get(usize::from(*self.slots.get(usize::from(slot))?))
    }

    /// The index of the node at an endpoint, which becomes one if it is new; none when there are too many.
    pub(crate) fn add_node(&mut self, endpoint: Endpoint, health: Health) -> Option<u16> {
        if let Some(&node) = self.by_endpoint.get(&endpoint) {
            return Some(node);
        }
        if self.nodes.len() >= MAX_NODES {
            return None;
        }
        let index = self.nodes.len() as u16;
        self.by_endpoint.insert(endpoint.clone(), index);
        let role = Role::Replica;
        let (shard, id, zone) = (NONE, None, None);
        self.nodes.push(Node { index, shard, endpoint, id, zone, role, health });
        Some(index)
    }

    /// Notes what else is known of a node.
    pub(crate) fn describe(&mut self, node: u16, id: Option<&str>, zone: Option<&str>) {
        let node = &mut self.nodes[usize::from(node)];
        node.id = node.id.take().or_else(|| id.map(Into::into));
        node.zone = node.zone.take().or_else(|| zone.map(Into::into));
    }

    /// The shard whose primary a node is. One that was none gets a shard of its own.
    pub(crate) fn shard_of_primary(&mut self, node: u16) -> u16 {
        let Node { shard, role, .. } = self.nodes[usize::from(node)];
        if shard != NONE && role == Role::Primary {
            return shard;
        }
        if shard != NONE {
            self.shards[usize::from(shard)].replicas.retain(|&replica| replica != node);
        }
        // There are no more shards than nodes: each has a primary that is no other's.
        let shard = self.shards.len() as u16;
        self.shards.push(Shard { primary: node, replicas: Vec::new() });
        let node = &mut self.nodes[usize::from(node)];
        (node.shard, node.role) = (shard, Role::Primary);
        shard
    }

    /// Adds a node to a shard's replicas, unless it belongs to a shard already.
    pub(crate) fn add_replica(&mut self, shard: u16, node: u16) {
        let replica = &mut self.nodes[usize::from(node)];
        if replica.shard == NONE {
            (replica.shard, replica.role) = (shard, Role::Replica);
            self.shards[usize::from(shard)].replicas.push(node);
        }
    }

    /// Gives slots to a shard.
    pub(crate) fn assign(&mut self, slots: RangeInclusive<u16>, shard: u16) {
        let (first, last) = (usize::from(*slots.start()), usize::from(*slots.end()));
        for slot in &mut self.slots[first..=last] {
            self.covered += usize::from(*slot == NONE);
            *slot = shard;
        }
    }

    /// Swaps a replica with its shard's primary.
    fn promote(&mut self, node: u16) {
        let shard = self.nodes[usize::from(node)].shard;
        let Shard { primary, replicas } = &mut self.shards[usize::from(shard)];
        for replica in replicas.iter_mut().filter(|replica| **replica == node) {
            *replica = *primary;
        }
        self.nodes[usize::from(*primary)].role = Role::Replica;
        self.nodes[usize::from(node)].role = Role::Primary;
        self.nodes[usize::from(node)].health = Health::Online;
        *primary = node;
    }

    /// Takes a shard over from another topology, without its slots. A primary of it that is known here is
    /// left where it is: what it had goes to its shard.
    fn adopt(&mut self, other: &Self, shard: u16) -> Option<u16> {
        let Shard { primary, replicas } = &other.shards[usize::from(shard)];
        let mut take = |node: u16| {
            let node = &other.nodes[usize::from(node)];
            let index = self.add_node(node.endpoint.clone(), node.health)?;
            self.describe(index, node.id(), node.zone());
            Some(index)
        };
        let primary = take(*primary)?;
        let replicas: Vec<u16> = replicas.iter().filter_map(|&node| take(node)).collect();
        let shard = match self.nodes[usize::from(primary)].shard {
            NONE => self.shard_of_primary(primary),
            shard => shard,
        };
        for replica in replicas {
            self.add_replica(shard, replica);
        }
        Some(shard)
    }
}

#[cfg(test)]
mod tests;
