//! What holds of clusters. These run with `--deployment cluster`, on three primaries with a replica each.

mod commands;
mod failing;
mod load;
mod moving;
mod naming;
mod nodes;
mod reading;
mod sharded;

use crate::scenario::Scenario;
use crate::subject::Subject;

/// Every scenario of a cluster.
pub(crate) fn list<S: Subject>() -> Vec<Scenario<S>> {
    let mut all = Vec::new();
    all.extend(nodes::list());
    all.extend(sharded::list());
    all.extend(commands::list());
    all.extend(moving::list());
    all.extend(failing::list());
    all.extend(reading::list());
    all.extend(naming::list());
    all
}
