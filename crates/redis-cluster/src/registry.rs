//! The nodes that a client knows, under ids that survive changes of the map.
//!
//! Owns which endpoint an id stands for, how a node did lately, and when an id ends. Knows nothing of slots.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use redis_core::Endpoint;

/// For how long reads go elsewhere, where they can, after a node failed.
const AVOIDED: Duration = Duration::from_secs(1);

/// A node of one client: cheap to copy, and the same for as long as the node is in the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId {
    index: u32,
    /// Counts how often the index was used.
    generation: u32,
}

impl NodeId {
    /// A small number that no other node of the client has at the same time: for tables of links.
    pub fn index(self) -> usize {
        self.index as usize
    }
}

#[derive(Debug)]
struct Entry {
    generation: u32,
    /// None while the index is free.
    endpoint: Option<Endpoint>,
    /// Something was sent there.
    used: bool,
    /// Somebody named it since the last refresh: it stays although no view knows it.
    named: bool,
    /// It failed, and is better left alone until then.
    avoid: Option<Instant>,
    /// How long it takes to answer, smoothed, in microseconds.
    latency: Option<f32>,
}

/// All nodes.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    entries: Vec<Entry>,
    by_endpoint: BTreeMap<Endpoint, u32>,
    free: Vec<u32>,
}

impl Registry {
    /// The id of the node at an endpoint, if it has one.
    pub(crate) fn find(&self, endpoint: &Endpoint) -> Option<NodeId> {
        self.by_endpoint.get(endpoint).map(|index| self.id(*index))
    }

    /// The id of the node at an endpoint, new if need be.
    pub(crate) fn intern(&mut self, endpoint: &Endpoint) -> NodeId {
        if let Some(node) = self.find(endpoint) {
            return node;
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry {
                generation: 0,
                endpoint: None,
                used: false,
                named: false,
                avoid: None,
                latency: None,
            });
            // One entry is larger than the count can grow.
            (self.entries.len() - 1) as u32
        });
        self.by_endpoint.insert(endpoint.clone(), index);
        let entry = &mut self.entries[index as usize];
        entry.endpoint = Some(endpoint.clone());
        self.id(index)
    }

    fn id(&self, index: u32) -> NodeId {
        NodeId { index, generation: self.entries[index as usize].generation }
    }

    /// Keeps a node through the next refresh, whatever that says.
    pub(crate) fn name(&mut self, node: NodeId) {
        if let Some(entry) = self.get_mut(node) {
            entry.named = true;
        }
    }

    /// Ends the ids of all nodes but these, and of those that were named since the last time.
    pub(crate) fn retain(&mut self, keep: &[NodeId], mut gone: impl FnMut(NodeId)) {
        let mut kept = vec![false; self.entries.len()];
        keep.iter().for_each(|node| kept[node.index()] = true);
        for (index, entry) in self.entries.iter_mut().enumerate() {
            let named = std::mem::take(&mut entry.named);
            if kept[index] || named {
                continue;
            }
            if let Some(endpoint) = entry.endpoint.take() {
                let index = index as u32;
                gone(NodeId { index, generation: entry.generation });
                self.by_endpoint.remove(&endpoint);
                self.free.push(index);
                (entry.used, entry.avoid, entry.latency) = (false, None, None);
                entry.generation = entry.generation.wrapping_add(1);
            }
        }
    }

    pub(crate) fn handle_use(&mut self, node: NodeId) {
        if let Some(entry) = self.get_mut(node) {
            entry.used = true;
        }
    }

    pub(crate) fn handle_failure(&mut self, node: NodeId, now: Instant) {
        if let Some(entry) = self.get_mut(node) {
            entry.avoid = Some(now + AVOIDED);
        }
    }

    pub(crate) fn handle_answer(&mut self, node: NodeId, took: Option<Duration>) {
        if let Some(entry) = self.get_mut(node) {
            entry.avoid = None;
            if let Some(took) = took {
                let took = took.as_secs_f32() * 1e6;
                entry.latency = Some(entry.latency.map_or(took, |old| old + (took - old) / 8.0));
            }
        }
    }

    fn get_mut(&mut self, node: NodeId) -> Option<&mut Entry> {
        self.entries.get_mut(node.index()).filter(|entry| entry.generation == node.generation)
    }

    fn get(&self, node: NodeId) -> Option<&Entry> {
        self.entries.get(node.index()).filter(|entry| entry.generation == node.generation)
    }

    /// Where the node is; none once it was forgotten.
    pub(crate) fn endpoint(&self, node: NodeId) -> Option<&Endpoint> {
        self.get(node).and_then(|entry| entry.endpoint.as_ref())
    }

    pub(crate) fn is_used(&self, node: NodeId) -> bool {
        self.get(node).is_some_and(|entry| entry.used)
    }

    /// Whether it failed a moment ago.
    pub(crate) fn is_avoided(&self, node: NodeId, now: Instant) -> bool {
        self.get(node).is_some_and(|entry| entry.avoid.is_some_and(|until| now < until))
    }

    /// How long it takes to answer, in microseconds; none before the first answer.
    pub(crate) fn latency(&self, node: NodeId) -> Option<f32> {
        self.get(node).and_then(|entry| entry.latency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> Endpoint {
        Endpoint::Tcp { host: "h".into(), port }
    }

    #[test]
    fn ids_survive_and_are_not_those_of_later_nodes() {
        let mut nodes = Registry::default();
        let (a, b, c) = (nodes.intern(&at(1)), nodes.intern(&at(2)), nodes.intern(&at(3)));
        nodes.name(c);
        let mut gone = Vec::new();
        nodes.retain(&[a], |node| gone.push(node));
        assert_eq!(gone, [b]);
        assert_eq!((nodes.intern(&at(1)), nodes.endpoint(b)), (a, None));
        let d = nodes.intern(&at(4));
        assert_eq!(d.index(), b.index());
        assert_ne!(d, b);
        assert_eq!((nodes.endpoint(b), nodes.endpoint(d)), (None, Some(&at(4))));
        nodes.retain(&[a, d], |node| gone.push(node));
        assert_eq!(gone, [b, c], "a name holds for one refresh");
    }

    #[test]
    fn failures_are_remembered_for_a_moment_and_answers_end_that() {
        let (mut nodes, now) = (Registry::default(), Instant::now());
        let a = nodes.intern(&at(1));
        nodes.handle_failure(a, now);
        assert!(nodes.is_avoided(a, now) && !nodes.is_avoided(a, now + AVOIDED));
        nodes.handle_answer(a, Some(Duration::from_micros(80)));
        assert!(!nodes.is_avoided(a, now));
        nodes.handle_answer(a, Some(Duration::from_micros(160)));
        assert_eq!(nodes.latency(a).map(f32::round), Some(90.0));
    }
}
