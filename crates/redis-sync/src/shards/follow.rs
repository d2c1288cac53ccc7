//! The thread that lets shard channels follow their slots: it learns of new maps and of what nodes end or refuse.

use std::io;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Instant;

use super::Shards;

/// Starts the thread, which ends with the subscriptions.
pub(super) fn start(shards: &Arc<Shards>) -> io::Result<()> {
    let shards = shards.clone();
    let follow = move || {
        let mut changes = 0;
        loop {
            let seen = shards.work.count();
            if shards.lock().stopped {
                return;
            }
            let now = Instant::now();
            let mut progress = shards.collect(now);
            let known = shards.nodes.changes();
            if known != changes {
                changes = known;
                shards.with(|sharded, cluster| sharded.handle_map(now, cluster));
                // Also those who wait for a channel's node without which there is nothing to do.
                shards.news.raise();
                progress = true;
            }
            shards.with(|sharded, cluster| sharded.handle_timeout(now, cluster));
            progress |= shards.settle(now);
            if !progress {
                let due = shards.lock().machine.poll_timeout();
                shards.work.wait(seen, due);
            }
        }
    };
    thread::Builder::new().name("redis-pubsub-follow".to_owned()).spawn(follow).map(drop)
}

impl Shards {
    /// Takes what the links report, and closes those that are not needed any longer.
    fn collect(&self, now: Instant) -> bool {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let links = self.lock().links.clone();
        let mut reports = Vec::new();
        let mut over = Vec::new();
        for link in links {
            let mut state = link.feed.lock();
            while let Some(report) = state.machine.poll_report() {
                reports.push((link.node, report));
            }
            let place = link.feed.rest(&mut state, now);
            let is_over = state.ending && state.machine.is_idle() && state.machine.is_over();
            drop(state);
            drop(place);
            if is_over {
                over.push(link);
            }
        }
        if !over.is_empty() {
            let mut state = self.lock();
            state.links.retain(|link| over.iter().all(|over| over.node != link.node));
            state.version += 1;
            drop(state);
            over.iter().for_each(|link| link.feed.stop());
        }
        drop(turn);
        let progress = !reports.is_empty();
        if progress {
            self.with(|sharded, cluster| {
                for (node, report) in reports {
                    sharded.handle_report(now, cluster, node, report);
                }
            });
        }
        progress
    }
}
