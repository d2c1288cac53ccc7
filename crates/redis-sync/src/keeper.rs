//! The thread that stands in for a reader who is away, so that a slow reader is not the server's to cut off.
//!
//! While there is a reader it sleeps: messages reach a reader who waits without passing through another thread.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use redis_core::session::Machine;

use crate::feed::Feed;

/// How long a reader is away before somebody stands in: much shorter than it takes to fill what the system and the
/// server hold for it.
const GRACE: Duration = Duration::from_millis(100);

/// Starts the thread, which ends with the feed. `rests` says that there is nothing to do for now.
pub(crate) fn start<M>(feed: &Arc<Feed<M>>, rests: fn(&M) -> bool) -> io::Result<()>
where
    M: Machine + Send + 'static,
{
    let feed = feed.clone();
    let keep = move || {
        while feed.wait_for_absence(GRACE, rests) {
            feed.stand_in(rests);
        }
    };
    thread::Builder::new().name("redis-pubsub-keeper".to_owned()).spawn(keep).map(drop)
}
