//! What several views of one cluster say together.
//!
//! Owns whose word counts where they differ: for each slot that of most.

use std::collections::BTreeMap;

use redis_core::{Endpoint, SLOTS};

use super::{NONE, Topology};

impl Topology {
    /// Each slot with the primary that most nodes name, of as many the one that `before` names; all else as the
    /// view says that knows most slots. Each view comes with the number of nodes that have it. None without one.
    pub fn agreed(mut views: Vec<(Self, usize)>, before: &Self) -> Option<Self> {
        // The first of those that know most.
        let most = views.iter().map(|(view, _)| view.covered).max()?;
        let best = views.iter().position(|(view, _)| view.covered == most)?;
        let (mut base, own_votes) = views.swap_remove(best);
        if views.is_empty() {
            return Some(base);
        }
        // The same numbers for the same primaries in all views.
        let mut numbers = BTreeMap::new();
        let mut names: Vec<Vec<u16>> = Vec::new();
        for view in [&base, before].into_iter().chain(views.iter().map(|(view, _)| view)) {
            let number = |endpoint| {
                let next = numbers.len() as u16;
                *numbers.entry(endpoint).or_insert(next)
            };
            let primaries: Vec<&Endpoint> = view.primaries().map(super::Node::endpoint).collect();
            names.push(primaries.into_iter().map(number).collect());
        }
        let name = |view: &Self, at: usize, slot: usize| match view.slots[slot] {
            NONE => NONE,
            shard => names[at][usize::from(shard)],
        };
        let mut changes = Vec::new();
        for slot in 0..usize::from(SLOTS) {
            let own = name(&base, 0, slot);
            let others = || {
                views
                    .iter()
                    .enumerate()
                    .map(|(at, (view, votes))| (name(view, at + 2, slot), *votes))
            };
            if others().all(|(name, _)| name == own) {
                continue;
            }
            let was = name(before, 1, slot);
            let all = || others().chain([(own, own_votes)]);
            let votes = |name: u16| -> usize {
                all().filter(|(other, _)| *other == name).map(|(_, votes)| votes).sum()
            };
            let known = all().map(|(name, _)| name).enumerate().filter(|(_, name)| *name != NONE);
            // Of as many votes: what was, then what the base says.
            let rank = |name: u16| (votes(name), name == was, name == own);
            if let Some((at, name)) = known.max_by_key(|(_, name)| rank(*name))
                && name != own
            {
                changes.push((slot as u16, at));
            }
        }
        for (slot, at) in changes {
            let (view, _) = &views[at];
            let Some(node) = view.node_of(slot) else { continue };
            if base.find(node.endpoint()).is_none() {
                base.adopt(view, view.slots[usize::from(slot)]);
            }
            // A replica that most take for a primary has taken over its shard. A full base keeps what it says.
            drop(base.patch(slot, &node.endpoint().clone()));
        }
        Some(base)
    }
}
