//! A queue: elements with ids go in, and come out of blocking pops, each at most once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis_core::Commands;

use super::tally::{Fate, Tally, add};
use super::{Running, Soak};
use crate::client::Client;
use crate::scenario::{Failure, lock};
use crate::subject::Subject;

const KEY: &str = "queue";

/// What is known of an element that has not come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pushed {
    OnItsWay,
    Acknowledged,
    MayBeThere,
}

#[derive(Default)]
struct State {
    outstanding: BTreeMap<u64, Pushed>,
    /// Pops that may have taken an element with them.
    doubtful_pops: u64,
}

#[derive(Default)]
pub(super) struct Queue {
    next: AtomicU64,
    state: Mutex<State>,
}

pub(super) fn start<S: Subject>(soak: &Soak<S>, running: &mut Running) -> Arc<Queue> {
    let queue = Arc::new(Queue::default());
    for n in 0..2 {
        running.spawn::<S>(format!("pushes:{n}"), pushes(soak.clone(), queue.clone()));
    }
    for n in 0..3 {
        running.spawn::<S>(format!("pops:{n}"), pops(soak.clone(), queue.clone(), n));
    }
    queue
}

async fn pushes<S: Subject>(soak: Soak<S>, queue: Arc<Queue>) {
    while soak.goes_on().await {
        let id = queue.next.fetch_add(1, Ordering::Relaxed);
        lock(&queue.state).outstanding.insert(id, Pushed::OnItsWay);
        let result = soak.tally.note(soak.client.rpush(KEY, id).await);
        let mut state = lock(&queue.state);
        match (result, state.outstanding.get_mut(&id)) {
            (Ok(_), Some(pushed)) => *pushed = Pushed::Acknowledged,
            (Err(Fate::MayHaveRun), Some(pushed)) => *pushed = Pushed::MayBeThere,
            (Err(Fate::DidNotRun), Some(_)) => drop(state.outstanding.remove(&id)),
            (Err(Fate::DidNotRun), None) => {
                soak.tally.violation(format!("element {id} came out and was said not to be in"));
            }
            // It has come out already.
            (_, None) => {}
        }
    }
}

async fn pops<S: Subject>(soak: Soak<S>, queue: Arc<Queue>, n: u64) {
    let mut round = n;
    while soak.goes_on().await {
        round += 1;
        let call = soak.client.blpop::<String, u64>([KEY], Duration::from_millis(300));
        let result = if S::BLOCKS || !round.is_multiple_of(5) {
            call.await
        } else {
            let limit = S::sleep(Duration::from_micros(200 * (round % 50)));
            match crate::task::first(call, Box::pin(limit)).await {
                Some(result) => result,
                None => {
                    add(&soak.tally.attempted, 1);
                    add(&soak.tally.given_up, 1);
                    lock(&queue.state).doubtful_pops += 1;
                    continue;
                }
            }
        };
        match soak.tally.note(result) {
            Ok(Some((_, id))) => {
                add(&soak.tally.popped, 1);
                queue.came_out(&soak.tally, id);
            }
            Ok(None) | Err(Fate::DidNotRun) => {}
            Err(Fate::MayHaveRun) => lock(&queue.state).doubtful_pops += 1,
        }
    }
}

impl Queue {
    fn came_out(&self, tally: &Tally, id: u64) {
        if lock(&self.state).outstanding.remove(&id).is_none() {
            tally.violation(format!("element {id} came out twice, or never went in"));
        }
    }

    pub(super) async fn check<S: Subject>(
        &self,
        direct: &Client<S>,
        tally: &Tally,
    ) -> Result<(), Failure> {
        let left: Vec<u64> = direct.lrange(KEY, 0, -1).await?;
        left.into_iter().for_each(|id| self.came_out(tally, id));
        let state = lock(&self.state);
        let lost = state.outstanding.values();
        let lost = lost.filter(|pushed| **pushed == Pushed::Acknowledged).count() as u64;
        if lost > state.doubtful_pops {
            let doubts = state.doubtful_pops;
            tally
                .violation(format!("{lost} elements are gone although {doubts} pops are in doubt"));
        }
        Ok(())
    }
}
