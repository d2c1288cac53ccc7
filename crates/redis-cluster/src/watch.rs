//! What a redirect means to somebody who watches.
//!
//! Owns that rule: a watch is of one connection, and its slot is not there any more.

use std::time::Instant;

use redis_core::{Delivery, Error, ErrorKind};

use crate::cluster::Cluster;
use crate::redirect::Refusal;
use crate::registry::NodeId;

impl Cluster {
    /// Learns from an error on a connection that watches at this node, so that the next attempt goes right, and
    /// gives what it means there: see [`watch_error`].
    pub fn handle_watch_error(&mut self, now: Instant, node: NodeId, error: Error) -> Error {
        match Refusal::of(&error) {
            Some(Refusal::Moved(to)) => drop(self.handle_moved(now, node, &to)),
            Some(Refusal::Down) => self.refresh(now),
            None if error.is_disconnected() || error.is_timeout() => self.handle_failure(now, node),
            _ => {}
        }
        watch_error(error)
    }
}

/// What an error on a watching connection means: where the node says that another one has the slot, or that
/// nobody has it now, the watch is worth nothing. Nothing was applied, and all is to start over.
///
/// # Examples
///
/// ```
/// use redis_cluster::watch_error;
/// use redis_core::Error;
///
/// let error = watch_error(Error::server(b"MOVED 3999 127.0.0.1:6381"));
/// assert!(error.is_watch());
/// assert!(!watch_error(Error::server(b"ERR no")).is_watch());
/// ```
pub fn watch_error(error: Error) -> Error {
    let moved = matches!(
        Refusal::of(&error),
        Some(Refusal::Moved(_) | Refusal::Ask(_) | Refusal::TryAgain | Refusal::Down)
    );
    if !moved {
        return error;
    }
    Error::new(ErrorKind::Watch, format!("the slot of the watched keys is on its way: {error}"))
        .with_delivery(Delivery::Replied)
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::three;

    #[test]
    fn the_next_attempt_goes_where_a_redirect_said() {
        let (mut cluster, now) = three(|_| {});
        let node = cluster.primary_of(0).expect("slot 0 is served");
        let error = cluster.handle_watch_error(now, node, Error::server(b"MOVED 0 h:3"));
        assert!(error.is_watch());
        let next = cluster.primary_of(0).expect("slot 0 is served");
        assert_ne!(next, node);
        assert_eq!(cluster.endpoint(next).map(ToString::to_string), Some("h:3".into()));
    }

    #[test]
    fn a_lost_watch_is_a_reason_to_look_at_the_map() {
        let (mut cluster, now) = three(|settings| settings.check_interval = None);
        let node = cluster.primary_of(0).expect("slot 0 is served");
        let wrong = Error::server(b"WRONGTYPE no");
        assert_eq!(cluster.handle_watch_error(now, node, wrong.clone()), wrong);
        let before = cluster.poll_timeout();
        let lost = Error::new(ErrorKind::Io, "lost");
        assert_eq!(cluster.handle_watch_error(now, node, lost.clone()), lost);
        assert!(before.is_none() && cluster.poll_timeout().is_some());
    }
}
