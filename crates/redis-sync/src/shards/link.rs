//! What leads to a node, and the thread that reads from it: a reader waits for all of them together.

use std::io;
use std::sync::Arc;
use std::thread;

use redis_cluster::NodeId;
use redis_core::Endpoint;
use redis_core::pubsub::PubSub as Machine;

use super::Shards;
use crate::feed::Feed;
use crate::pool::Pool;
use crate::pubsub::Handler;

pub(crate) struct Link {
    pub(super) node: NodeId,
    pub(super) endpoint: Endpoint,
    pub(super) feed: Arc<Feed<Machine<Handler>>>,
}

/// Starts the thread of a node's link, which ends with it.
pub(super) fn start(link: &Arc<Link>, pool: Arc<Pool>, shards: &Arc<Shards>) -> io::Result<()> {
    let (link, shards) = (link.clone(), shards.clone());
    let read = move || {
        loop {
            let state = link.feed.lock();
            if state.place.is_none() && state.machine.is_wanted() && !state.is_stopped() {
                drop(state);
                match pool.reserve() {
                    Ok(place) => link.feed.lock().place = Some(place),
                    Err(error) => shards.handle_no_link(link.node, error),
                }
                continue;
            }
            let rests = |state: &crate::feed::State<Machine<Handler>>| {
                state.place.is_none() || state.machine.needs_reader()
            };
            if !link.feed.work(state, rests) {
                return;
            }
            let state = link.feed.lock();
            let for_follower = state.machine.has_report() || state.ending;
            drop(state);
            shards.handle_moved(for_follower);
        }
    };
    thread::Builder::new().name("redis-pubsub-node".to_owned()).spawn(read).map(drop)
}

/// Starts the thread of what has the channels and patterns, which has its place already.
pub(crate) fn start_main(
    feed: &Arc<Feed<Machine<Handler>>>,
    shards: &Arc<Shards>,
) -> io::Result<()> {
    let (feed, shards) = (feed.clone(), shards.clone());
    let read = move || {
        while feed.work(feed.lock(), |state| state.machine.needs_reader()) {
            shards.handle_moved(false);
        }
    };
    thread::Builder::new().name("redis-pubsub-any".to_owned()).spawn(read).map(drop)
}
