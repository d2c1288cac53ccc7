//! Every builder with every option: what is sent is accepted, and the reply decodes to its value. A file a group.

mod bits;
mod cluster;
mod connection;
mod generic;
mod geo;
mod hash;
mod list;
mod module;
mod scripting;
mod sentinel;
mod server;
mod set;
mod sorted_set;
mod stream;
mod string;

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
    all.extend(bits::list());
    all.extend(geo::list());
    all.extend(hash::list());
    all.extend(list::list());
    all.extend(set::list());
    all.extend(sorted_set::list());
    all.extend(stream::list());
    all.extend(string::list());
    all
}
