//! The bugs that the simulation of a cluster has to find: each a few edits below `crates/redis-cluster/src`.

use super::mutants::{Mutant, mutant};

pub(super) static MUTANTS: &[Mutant] = &[
    mutant(
        "ask-is-followed-without-asking",
        &[("exchange/part.rs", "matches!(self.redirect(), Some((_, true)))", "false")],
    ),
    mutant(
        "neighbour-of-a-redirected-command-goes-again",
        &[(
            "exchange/refused.rs",
            "            self.restart();\n            self.get_ready(at);\n            return true;",
            "            self.restart();\n            self.get_ready(at);\n            if at > 0 && at < self.commands && matches!(self.part(at - 1).state, State::Done { .. }) {\n                self.open += 1;\n                self.get_ready(at - 1);\n            }\n            return true;",
        )],
    ),
    mutant(
        "what-may-have-run-on-a-node-is-sent-again",
        &[(
            "exchange/mod.rs",
            "            self.retry(now, cluster, at, error.clone());",
            "            self.retry(now, cluster, at, error.clone().with_delivery(Delivery::NotSent));",
        )],
    ),
    mutant(
        "replies-of-a-node-are-taken-by-the-next-part",
        &[(
            "exchange/mod.rs",
            "        let next = self.part(at).next;\n        let asking",
            "        let next = self.part(at).next;\n        let next = if next != NONE && self.part(next).next != NONE && at % 7 == 3 { self.part(next).next } else { next };\n        let asking",
        )],
    ),
    mutant(
        "parts-are-merged-in-the-order-of-slots",
        &[(
            "merge.rs",
            "    for owner in owners {\n",
            "    let mut owners = owners.to_vec();\n    owners.sort_unstable();\n    for owner in &owners {\n",
        )],
    ),
    mutant(
        "transaction-that-was-applied-is-sent-again",
        &[(
            "exchange/transaction.rs",
            "        if self.plain || !is_error(exec) {\n            return None;\n        }",
            "        if self.commands > 1 && !is_error(exec) && self.places.len() % 2 == 1 {\n            return Some(Error::server(b\"TRYAGAIN\"));\n        }\n        if self.plain || !is_error(exec) {\n            return None;\n        }",
        )],
    ),
    mutant(
        "transaction-keeps-the-replies-of-a-refused-attempt",
        &[(
            "exchange/transaction.rs",
            "        *self = Self::new(self.commands as usize);",
            "        self.refused = None;",
        )],
    ),
    mutant(
        "partial-view-replaces-what-is-known",
        &[("cluster.rs", "            next.merge(view);", "            next = view;")],
    ),
    mutant(
        "refreshes-are-not-throttled",
        &[(
            "refresh.rs",
            "(now + spread.max(failed)).max(began + least)",
            "(now + spread.max(failed)).max(began.min(now) + least / 1000)",
        )],
    ),
    mutant(
        "every-known-node-is-asked-at-once",
        &[(
            "refresh.rs",
            "votes + round.asked.len() >= self.views;",
            "votes + round.asked.len() >= 12 * self.views;",
        )],
    ),
    mutant(
        "nobody-hears-that-the-map-is-there",
        &[(
            "exchange/mod.rs",
            "            let State::Stranded(round) = part.state else { continue };",
            "            let State::Stranded(round) = part.state else { continue };\n            if round < 9 {\n                continue;\n            }",
        )],
    ),
    mutant(
        "reads-of-replicas-go-to-links-of-primaries",
        &[(
            "cluster.rs",
            "            Some(chosen) if chosen.replica => Found::Node(chosen.id, Link::Replica),",
            "            Some(chosen) if chosen.replica => Found::Node(id, Link::Replica),",
        )],
    ),
    mutant(
        "scan-does-not-look-at-slots-that-moved",
        &[(
            "scan.rs",
            "                _ if here => {",
            "                _ if here || !before => {",
        )],
    ),
    mutant(
        "channels-stay-where-their-slot-was",
        &[(
            "sharded.rs",
            "            if wish.node == node || wish.again.is_some() {",
            "            if wish.node.is_some() || wish.again.is_some() {",
        )],
    ),
    mutant(
        "ended-subscription-is-forgotten",
        &[(
            "sharded.rs",
            "        let due = self.take_waiting(|slot| slots.contains(&slot), false);",
            "        let (due, _) = (Vec::new(), slots);
        self.wanted.values_mut().for_each(|wish| wish.again = Some(now + AGAIN));",
        )],
    ),
    mutant(
        "channels-of-all-slots-go-in-one-command",
        &[(
            "sharded.rs",
            "                come.entry((node, wish.slot)).or_default().push(channel);",
            "                come.entry((node, 0)).or_default().push(channel);",
        )],
    ),
    mutant(
        "what-the-reader-knows-is-news-elsewhere",
        &[(
            "sharded.rs",
            "                let come = if wish.told { &mut back } else { &mut new };",
            "                let come = if wish.told { &mut new } else { &mut back };",
        )],
    ),
    mutant(
        "redirect-while-watching-is-an-error",
        &[("watch.rs", "    if !moved {", "    if !moved || moved {")],
    ),
];
