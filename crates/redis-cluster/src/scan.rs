//! A walk through all keys of a cluster, node after node.
//!
//! Owns which node is walked through next, and when a slot is done: a key that is there all the time is seen,
//! wherever its slot goes meanwhile. Knows nothing of connections: an adapter runs the commands.

use std::collections::BTreeMap;
use std::time::Instant;

use redis_core::scan::{Next, Scan};
use redis_core::types::{ClusterNode, NodeFlag, ScanPage};
use redis_core::{Cmd, Command, Error, ErrorKind, FromReply, Result, SLOTS};

use crate::address::{Address, Host};
use crate::cluster::Cluster;
use crate::registry::NodeId;

/// A walk: what a node says of its slots, its pages until it has no more, and again what it says of its slots. One
/// that it gave away meanwhile is walked through again where it is now; items may come twice, as those of any
/// `SCAN`. A slot that leaves a node and comes back to it, all during that node's own walk, is not noticed.
#[derive(Debug)]
pub struct ClusterScan<T> {
    first: Cmd<ScanPage<T>>,
    /// The slots that are not done.
    todo: Vec<bool>,
    left: usize,
    /// Where slots were sent to: there before the map says so.
    sent: BTreeMap<u16, NodeId>,
    walk: Option<Walk<T>>,
    /// Walks that were of no use.
    failed: u32,
}

#[derive(Debug)]
struct Walk<T> {
    node: NodeId,
    scan: Scan<T>,
    /// The slots that are done when the node has them at the beginning, and still at the end.
    slots: Vec<u16>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Before,
    Pages,
    After,
}

/// What a walk needs or has.
#[derive(Debug)]
pub enum ScanStep<T> {
    /// The next item.
    Item(T),
    /// Run this on that node, wherever its keys may be, and tell [`ClusterScan::handle_page`].
    Page(NodeId, Cmd<ScanPage<T>>),
    /// The same, for [`ClusterScan::handle_check`].
    Check(NodeId, Cmd<Vec<ClusterNode>>),
    /// There is no map: call again when it has changed, or [`ClusterScan::handle_late`].
    Wait,
    /// That was all.
    Done,
}

impl<T: FromReply> ClusterScan<T> {
    /// A walk that asks each node first for this page: a `SCAN` from the start, with its options.
    pub fn new(first: impl Command<Reply = ScanPage<T>>) -> Self {
        Self {
            first: first.into_cmd(),
            todo: vec![true; usize::from(SLOTS)],
            left: usize::from(SLOTS),
            sent: BTreeMap::new(),
            walk: None,
            failed: 0,
        }
    }

    /// Whether a walk of this command goes through the nodes: others page through one key.
    pub fn takes(first: &Cmd<ScanPage<T>>) -> bool {
        first.info().name == "SCAN"
    }

    /// What comes next.
    pub fn next_step(&mut self, now: Instant, cluster: &mut Cluster) -> ScanStep<T> {
        if let Some(walk) = &mut self.walk {
            if walk.stage != Stage::Pages {
                return ScanStep::Check(walk.node, Cmd::raw("CLUSTER NODES").idempotent());
            }
            match walk.scan.next_step() {
                Next::Item(item) => return ScanStep::Item(item),
                Next::Ask(page) => return ScanStep::Page(walk.node, page),
                Next::Done => {
                    walk.stage = Stage::After;
                    return self.next_step(now, cluster);
                }
            }
        }
        if self.left == 0 {
            return ScanStep::Done;
        }
        let next = (0..SLOTS).filter(|slot| self.todo[usize::from(*slot)]);
        let Some(node) = next.filter_map(|slot| self.node(cluster, slot)).next() else {
            cluster.refresh(now);
            return ScanStep::Wait;
        };
        let of_node =
            |slot: &u16| self.todo[usize::from(*slot)] && self.node(cluster, *slot) == Some(node);
        let slots = (0..SLOTS).filter(of_node).collect();
        let scan = Scan::new(self.first.clone());
        self.walk = Some(Walk { node, scan, slots, stage: Stage::Before });
        self.next_step(now, cluster)
    }

    fn node(&self, cluster: &Cluster, slot: u16) -> Option<NodeId> {
        let sent = self.sent.get(&slot).copied();
        sent.filter(|node| cluster.endpoint(*node).is_some()).or_else(|| cluster.primary_of(slot))
    }

    /// What came of a page.
    ///
    /// # Errors
    ///
    /// The one handed in, when it has failed too often, or can't go better.
    pub fn handle_page(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        page: Result<ScanPage<T>>,
    ) -> Result<()> {
        let Some(walk) = &mut self.walk else { return page.map(drop) };
        match walk.scan.handle_page(page) {
            Ok(()) => Ok(()),
            Err(error) => self.start_over(now, cluster, error),
        }
    }

    /// Walks through the node's slots again, wherever they are then.
    fn start_over(&mut self, now: Instant, cluster: &mut Cluster, error: Error) -> Result<()> {
        if let Some(walk) = self.walk.take() {
            self.sent.retain(|slot, _| !walk.slots.contains(slot));
        }
        self.failed += 1;
        cluster.refresh(now);
        let hopeless = matches!(error.kind(), ErrorKind::Decode | ErrorKind::InvalidRequest);
        match hopeless || self.failed > cluster.settings().max_redirects {
            true => Err(error),
            false => Ok(()),
        }
    }

    /// There was no map for too long: gives why, and ends the walk.
    pub fn handle_late(&mut self, cluster: &Cluster) -> Error {
        (self.left, self.walk) = (0, None);
        cluster.nowhere("every slot")
    }

    /// What a node says of its slots, once all of its pages are there.
    ///
    /// # Errors
    ///
    /// The one handed in, when it has failed too often; `Server` when slots went from node to node all the time.
    pub fn handle_check(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        nodes: Result<Vec<ClusterNode>>,
    ) -> Result<()> {
        let nodes = match nodes {
            Ok(nodes) => nodes,
            Err(error) => return self.start_over(now, cluster, error),
        };
        let Some(mut walk) = self.walk.take() else { return Ok(()) };
        let (node, before) = (walk.node, walk.stage == Stage::Before);
        let Some(own) = nodes.iter().find(|node| node.is(&NodeFlag::Myself)) else {
            let error = Error::decode("CLUSTER NODES does not say which node answered");
            return self.start_over(now, cluster, error);
        };
        let mut kept = Vec::new();
        let claimed = walk.slots.len();
        for slot in walk.slots {
            let away = own.migrating.iter().find(|(migrating, _)| *migrating == slot);
            let coming = own.importing.iter().any(|(importing, _)| *importing == slot);
            // What was not seen where it comes from is here by now.
            let here = has(own, slot) || coming && self.sent.get(&slot) == Some(&node);
            let next = match away {
                // Some of its keys are there already, and all will be.
                Some((_, id)) if !before => nodes.iter().find(|node| node.id == *id),
                _ if here => {
                    kept.push(slot);
                    continue;
                }
                _ => nodes.iter().find(|node| has(node, slot)),
            };
            self.sent.remove(&slot);
            if let Some(next) = next.and_then(|next| reach(cluster, node, next)) {
                self.sent.insert(slot, next);
            }
        }
        if kept.len() < claimed {
            self.failed += 1;
            cluster.refresh(now);
        }
        if !before {
            self.left -= kept.len();
            kept.iter().for_each(|slot| self.todo[usize::from(*slot)] = false);
        } else if !kept.is_empty() {
            (walk.slots, walk.stage) = (kept, Stage::Pages);
            self.walk = Some(walk);
        }
        if self.failed > cluster.settings().max_redirects {
            let text = "slots moved all the while: some keys of the cluster were not seen";
            return Err(Error::new(ErrorKind::Server, text));
        }
        Ok(())
    }
}

fn has(node: &ClusterNode, slot: u16) -> bool {
    node.slots.iter().any(|range| range.start <= slot && slot <= range.end)
}

/// The node that another one tells of.
fn reach(cluster: &mut Cluster, from: NodeId, told: &ClusterNode) -> Option<NodeId> {
    if let Some(node) = cluster.node_of_id(&told.id) {
        return Some(node);
    }
    let host = match told.hostname.as_deref().unwrap_or(&told.ip) {
        "" => Host::Same,
        host => Host::parse(host.as_bytes()),
    };
    cluster.reach_node(from, &Address { host, port: told.port })
}

#[cfg(test)]
mod tests {
    use redis_core::types::Cursor;
    use redis_core::{cmd, decode};

    use super::*;
    use crate::cluster::three;

    fn page(cursor: u64, keys: &[&str]) -> Result<ScanPage<String>> {
        let mut text = format!("*2\r\n:{cursor}\r\n*{}\r\n", keys.len());
        keys.iter().for_each(|key| text.push_str(&format!("${}\r\n{key}\r\n", key.len())));
        decode(text.as_bytes())
    }

    /// What node `own` says, each with its slots.
    fn nodes(own: u16, slots: [&str; 3]) -> Result<Vec<ClusterNode>> {
        let mut text = String::new();
        for (port, slots) in (1..).zip(slots) {
            let myself = if port == own { "myself," } else { "" };
            text.push_str(&format!(
                "id{port} h:{port}@9 {myself}master - 0 0 1 connected {slots}\n"
            ));
        }
        decode(format!("${}\r\n{text}\r\n", text.len()).as_bytes())
    }

    const SLOTS_OF: [&str; 3] = ["0-5460", "5461-10922", "10923-16383"];

    /// Walks with what the nodes say of their slots, by the order of the walks. Gives the ports.
    fn walk(said: &[[&str; 3]]) -> (Vec<u16>, Result<()>) {
        let (mut cluster, now) = three(|settings| settings.max_redirects = 3);
        let mut scan = ClusterScan::new(cmd::scan::<String>(Cursor::START));
        let (mut ports, mut said) = (Vec::new(), said.iter());
        let (mut last, mut before) = (SLOTS_OF, true);
        loop {
            let done = match scan.next_step(now, &mut cluster) {
                ScanStep::Item(_) => Ok(()),
                ScanStep::Page(_, cmd) => {
                    let first = cmd.words().nth(1) == Some(b"0");
                    let next = if first { page(5, &["a"]) } else { page(0, &["b"]) };
                    scan.handle_page(now, &mut cluster, next)
                }
                ScanStep::Check(node, _) => {
                    let Some(redis_core::Endpoint::Tcp { port, .. }) = cluster.endpoint(node)
                    else {
                        panic!("an unknown node")
                    };
                    let port = *port;
                    match before {
                        true => ports.push(port),
                        false => last = *said.next().unwrap_or(&last),
                    }
                    before = !before;
                    scan.handle_check(now, &mut cluster, nodes(port, last))
                }
                ScanStep::Wait => panic!("there is a map"),
                ScanStep::Done => return (ports, Ok(())),
            };
            if done.is_err() {
                return (ports, done);
            }
        }
    }

    #[test]
    fn every_node_is_walked_through_once() {
        assert_eq!(walk(&[]), (vec![1, 2, 3], Ok(())));
    }

    #[test]
    fn a_slot_that_moved_is_walked_through_where_it_is() {
        // From 2 to 1, which was done before.
        let moved = ["0-5461", "5462-10922", "10923-16383"];
        assert_eq!(walk(&[SLOTS_OF, moved]).0, [1, 2, 1, 3]);
        // From 1 to 3, which comes anyway.
        let moved = ["1-5460", "5461-10922", "0 10923-16383"];
        assert_eq!(walk(&[moved, moved, moved]).0, [1, 3, 2]);
    }

    #[test]
    fn a_slot_on_its_way_is_walked_through_on_both_sides() {
        let moving = ["0-5460 [5461-<-id2]", "5461-10922 [5461->-id1]", "10923-16383"];
        assert_eq!(walk(&[SLOTS_OF, moving]), (vec![1, 2, 1, 3], Ok(())));
    }

    #[test]
    fn a_node_that_fails_is_left_and_asked_again() {
        let (mut cluster, now) = three(|settings| settings.max_redirects = 2);
        let mut scan = ClusterScan::new(cmd::scan::<String>(Cursor::START));
        let lost = || Err(Error::new(ErrorKind::Io, "lost"));
        for failed in 1..4 {
            let ScanStep::Check(..) = scan.next_step(now, &mut cluster) else { panic!("a check") };
            scan.handle_check(now, &mut cluster, nodes(1, SLOTS_OF)).unwrap();
            let ScanStep::Page(..) = scan.next_step(now, &mut cluster) else { panic!("a page") };
            assert_eq!(scan.handle_page(now, &mut cluster, lost()).is_err(), failed == 3);
            assert!(cluster.poll_timeout().is_some());
        }
    }

    #[test]
    fn slots_that_never_rest_are_an_error() {
        let one = ["1-5460", "0 5461-10922", "10923-16383"];
        // Slot 0 is always at another node than the one that says so.
        let (ports, result) = walk(&[one, SLOTS_OF, one, SLOTS_OF, one, SLOTS_OF, one]);
        assert!(result.is_err(), "{ports:?}");
    }
}
