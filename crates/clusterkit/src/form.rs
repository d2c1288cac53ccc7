//! How servers become a cluster.

use std::{io, ops::RangeInclusive};

use redis_core::{SLOTS, cmd, types::NodeFlag};
use testkit::servers::Server;

use crate::{
    cluster::Cluster,
    node::Node,
    options::{ClusterOptions, is_modern},
};

/// Starts the nodes and returns when they serve all slots and all replicas follow.
pub(crate) fn form(cluster: &Cluster) -> io::Result<()> {
    let ClusterOptions { primaries, replicas, .. } = *cluster.options();
    for _ in 0..primaries * (1 + replicas) {
        launch(cluster)?;
    }
    let nodes = cluster.nodes();
    for (number, node) in (1..).zip(&nodes) {
        // With epochs of their own they need not settle who goes first.
        cluster.members().run(node, cmd::cluster_set_config_epoch(number))?;
    }
    for (node, slots) in nodes.iter().zip(shares(primaries)) {
        let add = match is_modern(cluster.installed()) {
            true => cmd::cluster_addslotsrange([slots]),
            false => cmd::cluster_addslots(slots),
        };
        cluster.members().run(node, add)?;
    }
    for (number, node) in nodes.iter().enumerate() {
        meet(cluster, node, &nodes[number + 1..])?;
    }
    until_met(cluster)?;
    for (number, replica) in nodes[primaries..].iter().enumerate() {
        let primary = &nodes[number % primaries];
        cluster.members().run(replica, cmd::cluster_replicate(primary.id()))?;
    }
    cluster.wait_settled()
}

/// Starts a node that knows no other.
pub(crate) fn launch(cluster: &Cluster) -> io::Result<Node> {
    let options = cluster.options().node(cluster.installed(), cluster.next_number())?;
    cluster.members().add(Server::start(cluster.installed(), options)?)
}

/// Makes the node know the others.
pub(crate) fn meet(cluster: &Cluster, node: &Node, others: &[Node]) -> io::Result<()> {
    for other in others {
        // Where nodes speak TLS with each other, that is the port they are known by.
        let port = cluster.members().at(other, Server::tls_port)?.unwrap_or(other.port());
        let meet = cmd::cluster_meet(other.addr.ip().to_string(), port);
        cluster.members().run(node, meet)?;
    }
    Ok(())
}

/// Returns when each node that runs knows all others.
pub(crate) fn until_met(cluster: &Cluster) -> io::Result<()> {
    let members = cluster.nodes().len();
    cluster.until_all("know each other", |_, nodes| {
        let met = nodes.iter().filter(|node| !node.is(&NodeFlag::Handshake)).count();
        match (met, nodes.len()) {
            whole if whole == (members, members) => Ok(()),
            (met, known) => Err(format!("it has met {met} of {members}, and knows {known}")),
        }
    })
}

/// The slots in as many parts, none larger than another by more than one.
fn shares(parts: usize) -> impl Iterator<Item = RangeInclusive<u16>> {
    let slots = usize::from(SLOTS);
    let bound = move |part: usize| u16::try_from(part * slots / parts).expect("at most 16384");
    (0..parts).map(move |part| bound(part)..=bound(part + 1) - 1)
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
