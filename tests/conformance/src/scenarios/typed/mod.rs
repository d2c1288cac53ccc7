//! Every builder with every option: what is sent is accepted, and the reply decodes to its value. A file a group.

mod connection;
mod generic;
mod server;

use crate::scenario::Scenario;
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    let mut all = Vec::new();
    all.extend(generic::list());
    all.extend(connection::list());
    all.extend(server::list());
    all
}
