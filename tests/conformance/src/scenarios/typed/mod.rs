//! Every builder with every option: what is sent is accepted, and the reply decodes to its value. A file a group.

mod cluster;
mod module;
mod scripting;
mod sentinel;
mod connection;
mod generic;
mod server;

use crate::scenario::Scenario;
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    let mut all = Vec::new();
    all.extend(cluster::list());
    all.extend(module::list());
    all.extend(scripting::list());
    all.extend(sentinel::list());
    all.extend(generic::list());
    all.extend(connection::list());
    all.extend(server::list());
    all
}
