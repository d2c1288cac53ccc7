//! How servers become a cluster.

use std::{io, ops::RangeInclusive};

use redis_core::{Commands, SLOTS, types::NodeFlag};
use redis_sync::Client;
use testkit::servers::{Installed, Server};

use crate::{
    cluster::Cluster,
    members::config,
    node::Node,
    options::{ClusterOptions, is_modern},
    view::said,
    wait::until,
};

/// Starts the nodes and returns when they serve all slots and all replicas follow.
pub(crate) fn form(cluster: &Cluster) -> io::Result<()> {
    let ClusterOptions { primaries, replicas, .. } = *cluster.options();
    for number in 0..primaries * (1 + replicas) {
        launch(cluster, number)?;
    }
    let nodes = cluster.nodes();
    for (number, node) in (0..).zip(&nodes) {
        let client = cluster.client(node)?;
        let give = || {
            // With epochs of their own they need not settle who goes first.
            client.cluster_set_config_epoch(number + 1)?;
            match shares(primaries).nth(number as usize) {
                Some(slots) => add_slots(cluster.installed(), &client, slots),
                None => Ok(()),
            }
        };
        give().map_err(|error| said(node, &error))?;
    }
    for (number, node) in nodes.iter().enumerate() {
        meet(cluster, node, &nodes[number + 1..])?;
    }
    until_met(cluster)?;
    for (number, replica) in nodes[primaries..].iter().enumerate() {
        cluster.replicate(replica, &nodes[number % primaries])?;
    }
    cluster.wait_settled()
}

/// Starts a node that knows no other.
pub(crate) fn launch(cluster: &Cluster, number: usize) -> io::Result<Node> {
    let options = cluster.options().node(cluster.installed(), number)?;
    let server = Server::start(cluster.installed(), options)?;
    let id = Client::new(config(&server)).and_then(|client| client.cluster_myid());
    let id = id.map_err(|error| io::Error::other(format!("{}: {error}", server.addr())))?;
    let node = Node { id, addr: server.addr() };
    cluster.members().add(node.clone(), server);
    Ok(node)
}

/// Makes the node know the others.
pub(crate) fn meet(cluster: &Cluster, node: &Node, others: &[Node]) -> io::Result<()> {
    let client = cluster.client(node)?;
    for other in others {
        let met = client.cluster_meet(other.addr.ip().to_string(), other.port());
        met.map_err(|error| said(node, &error))?;
    }
    Ok(())
}

/// Returns when each node that runs knows all others.
pub(crate) fn until_met(cluster: &Cluster) -> io::Result<()> {
    let running = cluster.members().running()?;
    let members = cluster.nodes().len();
    until("all nodes know each other", || {
        for seen in &running {
            let nodes = seen.nodes()?;
            let met = nodes.iter().filter(|node| !node.is(&NodeFlag::Handshake)).count();
            if met != members || nodes.len() != members {
                let known = nodes.len();
                let text = format!("{} has met {met} of {members}, and knows {known}", seen.node);
                return Ok(Err(text));
            }
        }
        Ok(Ok(()))
    })
}

/// The slots in as many parts, none larger than another by more than one.
fn shares(parts: usize) -> impl Iterator<Item = RangeInclusive<u16>> {
    let slots = usize::from(SLOTS);
    let bound = move |part: usize| u16::try_from(part * slots / parts).expect("at most 16384");
    (0..parts).map(move |part| bound(part)..=bound(part + 1) - 1)
}

fn add_slots(
    installed: &Installed,
    client: &Client,
    slots: RangeInclusive<u16>,
) -> redis_core::Result<()> {
    match is_modern(installed) {
        true => client.cluster_addslotsrange([slots]),
        false => client.cluster_addslots(slots),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_even_and_leave_nothing_out() {
        assert_eq!(shares(1).collect::<Vec<_>>(), [0..=16_383]);
        assert_eq!(shares(3).collect::<Vec<_>>(), [0..=5460, 5461..=10_921, 10_922..=16_383]);
        let sizes: Vec<_> = shares(7).map(|share| share.len()).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 16_384);
        assert!(sizes.iter().all(|size| (2340..=2341).contains(size)), "{sizes:?}");
    }
}
