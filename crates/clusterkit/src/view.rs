//! What nodes say of the cluster and of themselves.

use std::{collections::BTreeMap, fmt, io};

use redis_core::{
    Commands, SLOTS,
    types::{ClusterNode, ClusterState, InfoReply, NodeFlag, SlotRange},
};
use redis_sync::Client;

use crate::{node::Node, wait::Look};

/// Who serves what: by node id its slots, and its primary if it is a replica.
pub(crate) type Layout = BTreeMap<String, (Vec<SlotRange>, Option<String>)>;

/// A node that answers, and a connection to it.
pub(crate) struct Seen {
    pub(crate) node: Node,
    pub(crate) client: Client,
}

impl Seen {
    /// What the node's `CLUSTER NODES` says.
    pub(crate) fn nodes(&self) -> io::Result<Vec<ClusterNode>> {
        self.client.cluster_nodes().map_err(|error| said(&self.node, &error))
    }

    /// What it says of its state, and of itself.
    fn state(&self) -> io::Result<(ClusterState, InfoReply)> {
        let ask = || Ok((self.client.cluster_info()?.state, self.client.info()?));
        ask().map_err(|error| said(&self.node, &error))
    }

    /// Whether the node, which sees these nodes, is well, and sees that all `members` are there and those in
    /// `running` well.
    fn is_settled(&self, nodes: &[ClusterNode], running: &[Self], members: usize) -> Look<()> {
        let node = &self.node;
        let well = |id: &str| running.iter().any(|one| one.node.id == id);
        let (state, info) = self.state().map_err(|error| error.to_string())?;
        if state != ClusterState::Ok {
            return Err(format!("{node} is in the state {state:?}"));
        }
        if nodes.len() != members {
            return Err(format!("{node} knows {} nodes of {members}", nodes.len()));
        }
        for other in nodes {
            let (port, flags) = (other.port, &other.flags);
            if other.is(&NodeFlag::Handshake) || well(&other.id) && !is_reached(other) {
                return Err(format!("{node} does not reach that of port {port}: {flags:?}"));
            }
            if !other.slots.is_empty() && !well(&other.id) {
                return Err(format!("{node} sees slots at that of port {port}, which is down"));
            }
        }
        let own = nodes.iter().find(|other| other.id == node.id);
        if let Some(primary) = own.and_then(|own| own.primary.as_ref()) {
            let link = info.get("master_link_status").unwrap_or("no link");
            if link != "up" || !well(primary) {
                return Err(format!("the link of {node} to its primary is `{link}`"));
            }
        }
        let follows = |other: &&ClusterNode| other.primary.as_deref() == Some(&*node.id);
        let replicas = nodes.iter().filter(follows).filter(|other| well(&other.id)).count();
        match info.fields().filter(is_online_replica).count() {
            online if online < replicas => {
                Err(format!("{online} replicas of {node} are online, of {replicas}"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether all of these nodes are well, and see the same cluster, in which every slot is served.
pub(crate) fn settled(running: &[Seen], members: usize) -> Look<()> {
    let mut agreed: Option<(&Node, Layout)> = None;
    for seen in running {
        let nodes = seen.nodes().map_err(|error| error.to_string())?;
        seen.is_settled(&nodes, running, members)?;
        let layout = layout(&nodes);
        match &agreed {
            None => agreed = Some((&seen.node, layout)),
            Some((other, known)) if *known != layout => {
                return Err(format!("{other} sees {known:?}, {} sees {layout:?}", seen.node));
            }
            Some(_) => {}
        }
    }
    match agreed {
        None => Err("no node runs".to_owned()),
        Some((_, layout)) => match unserved(&layout) {
            0 => Ok(()),
            count => Err(format!("nobody serves {count} slots")),
        },
    }
}

pub(crate) fn layout(nodes: &[ClusterNode]) -> Layout {
    let entry = |node: &ClusterNode| (node.id.clone(), (node.slots.clone(), node.primary.clone()));
    nodes.iter().map(entry).collect()
}

/// How many slots nobody serves.
fn unserved(layout: &Layout) -> usize {
    let served: usize = layout.values().flat_map(|(slots, _)| slots).map(|range| range.len()).sum();
    usize::from(SLOTS) - served
}

/// A node's answer as an error.
pub(crate) fn said(node: impl fmt::Display, error: &redis_core::Error) -> io::Error {
    io::Error::other(format!("{node}: {error}"))
}

fn is_reached(node: &ClusterNode) -> bool {
    let ill = [NodeFlag::PossiblyFailing, NodeFlag::Failing, NodeFlag::NoAddress];
    node.connected && !ill.iter().any(|flag| node.is(flag))
}

/// `slave0: ip=..,port=..,state=online,..`
fn is_online_replica((name, value): &(&str, &str)) -> bool {
    let numbered = name.strip_prefix("slave").is_some_and(|number| number.parse::<u32>().is_ok());
    numbered && value.contains("state=online")
}
