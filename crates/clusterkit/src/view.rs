//! What nodes say of the cluster and of themselves.

use std::{collections::BTreeMap, io};

use redis_core::{
    Commands, SLOTS,
    types::{ClusterNode, ClusterState, NodeFlag, SlotRange},
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

    /// Whether the node is well, and sees that all `members` are there and those in `all` well.
    pub(crate) fn is_settled(&self, all: &[Self], members: usize) -> redis_core::Result<Look<()>> {
        let node = &self.node;
        let info = self.client.cluster_info()?;
        if info.state != ClusterState::Ok {
            return Ok(Err(format!("{node} is in the state {:?}", info.state)));
        }
        let nodes = self.client.cluster_nodes()?;
        if nodes.len() != members {
            return Ok(Err(format!("{node} knows {} nodes of {members}", nodes.len())));
        }
        let well = |id: &str| all.iter().any(|one| one.node.id == id);
        for other in &nodes {
            if other.is(&NodeFlag::Handshake) || well(&other.id) && !is_reached(other) {
                return Ok(Err(format!(
                    "{node} does not reach {}: {:?}",
                    name(other),
                    other.flags
                )));
            }
            if !other.slots.is_empty() && !well(&other.id) {
                return Ok(Err(format!(
                    "{node} says that {} has slots, which is down",
                    name(other)
                )));
            }
        }
        let info = self.client.info()?;
        let own = nodes.iter().find(|other| other.id == node.id);
        if let Some(primary) = own.and_then(|own| own.primary.as_ref()) {
            let link = info.get("master_link_status").unwrap_or("no link");
            if link != "up" || !well(primary) {
                return Ok(Err(format!("the link of {node} to its primary is `{link}`")));
            }
        }
        let ours = |other: &&ClusterNode| other.primary.as_deref() == Some(&*node.id);
        let replicas = nodes.iter().filter(ours).filter(|other| well(&other.id)).count();
        let online = |(name, value): &(&str, &str)| {
            let number = name.strip_prefix("slave").is_some_and(|rest| rest.parse::<u32>().is_ok());
            number && value.contains("state=online")
        };
        match info.fields().filter(online).count() {
            online if online < replicas => {
                Ok(Err(format!("{online} replicas of {node} are online, of {replicas}")))
            }
            _ => Ok(Ok(())),
        }
    }
}

/// Who serves what, as all of these nodes see it.
pub(crate) fn agreed(all: &[Seen]) -> io::Result<Look<Layout>> {
    let mut found: Option<(&Node, Layout)> = None;
    for seen in all {
        let layout = layout(&seen.nodes()?);
        match &found {
            None => found = Some((&seen.node, layout)),
            Some((other, known)) if *known != layout => {
                let text = format!("{other} sees {known:?}, {} sees {layout:?}", seen.node);
                return Ok(Err(text));
            }
            Some(_) => {}
        }
    }
    Ok(found.map(|(_, layout)| layout).ok_or_else(|| "no node runs".to_owned()))
}

pub(crate) fn layout(nodes: &[ClusterNode]) -> Layout {
    let entry = |node: &ClusterNode| (node.id.clone(), (node.slots.clone(), node.primary.clone()));
    nodes.iter().map(entry).collect()
}

/// How many slots nobody serves.
pub(crate) fn unserved(layout: &Layout) -> usize {
    let served: usize = layout.values().flat_map(|(slots, _)| slots).map(|range| range.len()).sum();
    usize::from(SLOTS) - served
}

/// A node's answer as an error.
pub(crate) fn said(node: &Node, error: &redis_core::Error) -> io::Error {
    io::Error::other(format!("{node}: {error}"))
}

fn is_reached(node: &ClusterNode) -> bool {
    let ill = [NodeFlag::PossiblyFailing, NodeFlag::Failing, NodeFlag::NoAddress];
    node.connected && !ill.iter().any(|flag| node.is(flag))
}

fn name(node: &ClusterNode) -> String {
    format!("{}:{}", node.ip, node.port)
}
