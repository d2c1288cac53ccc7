//! The scenarios, a file for each part of the client. A scenario's name is its function's.

mod backlogs;
mod blocking;
mod clients;
pub(crate) mod cluster;
mod commands;
mod faults;
mod giving_up;
mod handshake;
mod monitoring;
mod pipelines;
mod pubsub;
mod scripts;
mod sharing;
mod streaming;
mod subscriptions;
mod telling;
mod typed;
mod walking;
mod watching;

use crate::scenario::Scenario;
use crate::subject::Subject;

/// Those of a single server; a cluster has its own.
pub(crate) fn standalone<S: Subject>() -> Vec<Scenario<S>> {
    let mut all = Vec::new();
    all.extend(commands::list());
    all.extend(handshake::list());
    all.extend(pipelines::list());
    all.extend(streaming::list());
    all.extend(watching::list());
    all.extend(pubsub::list());
    all.extend(backlogs::list());
    all.extend(subscriptions::list());
    all.extend(blocking::list());
    all.extend(sharing::list());
    all.extend(clients::list());
    all.extend(giving_up::list());
    all.extend(faults::list());
    all.extend(typed::list());
    all.extend(walking::list());
    all.extend(telling::list());
    all.extend(scripts::list());
    all.extend(monitoring::list());
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_tell_a_behaviour() {
        let mut all = standalone::<redis_sync::Client>();
        all.extend(cluster::list());
        let names: BTreeSet<_> = all.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), all.len());
        for name in names {
            assert!(name.split('_').count() > 2, "`{name}` says too little");
        }
    }
}
