//! The task that lets shard channels follow their slots: it learns of new maps and of what nodes end or refuse, and
//! waits for the places of new links.

use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use redis_core::Result;

use super::{Link, Shards};
use crate::pool::Reserved;
use crate::pump::Progress;
use crate::runtime::{BoxFuture, Timer};

/// Ends with the subscriptions, or with its runtime.
pub(super) struct Follower {
    shards: Arc<Shards>,
    /// How old the map is that it knows.
    changes: u64,
    waiting: Vec<(Arc<Link>, BoxFuture<Result<Reserved>>)>,
    timer: Box<dyn Timer>,
}

impl Follower {
    pub(super) fn new(shards: Arc<Shards>) -> Self {
        let timer = shards.nodes.runtime().timer();
        Self { shards, changes: 0, waiting: Vec::new(), timer }
    }

    /// Looks at the map, if there is another one.
    fn look(&mut self, now: Instant, cx: &Context<'_>) -> Progress {
        let Self { shards, changes, .. } = self;
        // Where the nodes have no task, they get none here either.
        let Poll::Ready(Ok(())) = shards.nodes.poll_change(cx, *changes) else { return false };
        *changes = shards.nodes.changes();
        shards.with(|sharded, cluster| sharded.handle_map(now, cluster));
        // Also those who wait for a channel's node without which there is nothing to do.
        shards.wake_waiting();
        true
    }

    /// Waits for places.
    fn place(&mut self, now: Instant, cx: &mut Context<'_>) -> Progress {
        let Self { shards, waiting, .. } = self;
        let new = std::mem::take(&mut shards.lock().placeless);
        let mut progress = !new.is_empty();
        for (link, pool) in new {
            let place = Box::pin(async move { pool.reserve().await });
            waiting.push((link, place));
        }
        waiting.retain_mut(|(link, place)| {
            let mut state = link.subscriber.lock();
            if state.ending {
                state.queued = false;
                return false;
            }
            drop(state);
            let Poll::Ready(place) = place.as_mut().poll(cx) else { return true };
            progress = true;
            match place {
                Ok(place) => link.begin(place),
                Err(error) => {
                    link.subscriber.lock().queued = false;
                    shards.lock().machine.handle_no_link(now, link.node, Some(error));
                }
            }
            false
        });
        progress
    }
}

impl Shards {
    /// Takes what the links report, and closes those that are not needed any longer.
    fn collect(&self, now: Instant, cx: &Context<'_>) -> Progress {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let links = self.lock().links.clone();
        let mut reports = Vec::new();
        let mut over = Vec::new();
        for link in links {
            let mut state = link.subscriber.lock();
            while let Some(report) = state.machine().poll_report() {
                reports.push((link.node, report));
            }
            let place = state.rest();
            let due = state.take_due();
            let machine = state.machine();
            let is_over = machine.is_idle() && machine.is_over();
            match &mut state.follower {
                Some(follower) => follower.clone_from(cx.waker()),
                None => state.follower = Some(cx.waker().clone()),
            }
            let is_over = is_over && state.ending && !state.queued;
            drop(state);
            drop(place);
            due.into_iter().for_each(Waker::wake);
            if is_over {
                over.push(link);
            }
        }
        if !over.is_empty() {
            let mut state = self.lock();
            state.links.retain(|link| over.iter().all(|over| over.node != link.node));
            state.version += 1;
            drop(state);
            over.iter().for_each(|link| link.subscriber.stop());
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

impl Future for Follower {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            let mut state = this.shards.lock();
            if state.stopped {
                return Poll::Ready(());
            }
            match &mut state.task {
                Some(task) => task.clone_from(cx.waker()),
                None => state.task = Some(cx.waker().clone()),
            }
            drop(state);
            let now = Instant::now();
            let mut progress = this.shards.collect(now, cx);
            progress |= this.look(now, cx);
            this.shards.with(|sharded, cluster| sharded.handle_timeout(now, cluster));
            progress |= this.shards.settle(now);
            progress |= this.place(now, cx);
            if progress {
                continue;
            }
            let due = this.shards.lock().machine.poll_timeout();
            match due {
                Some(due) if this.timer.poll_at(cx, due).is_ready() => {}
                _ => return Poll::Pending,
            }
        }
    }
}

impl Drop for Follower {
    /// Also with its runtime: then nobody follows anything any longer.
    fn drop(&mut self) {
        self.shards.stop();
    }
}
