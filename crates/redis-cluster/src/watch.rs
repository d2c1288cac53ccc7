//! What a redirect means to somebody who watches.
//!
//! Owns that rule: a watch is of one connection, and its slot is not there any more.

use redis_core::{Delivery, Error, ErrorKind};

use crate::redirect::Refusal;

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
