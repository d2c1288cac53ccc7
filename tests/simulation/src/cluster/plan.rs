//! What a run on a cluster is made of, drawn from its seed.

use std::fmt;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::pick;

/// What goes wrong, or changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A slot moves key by key, with ASK in between.
    Migrate,
    /// A slot moves at once.
    Move,
    /// A primary goes down; a replica takes over after a while.
    Failover,
    /// The same, and what was written last is lost.
    Loss,
    /// A connection is lost, whatever is on its way.
    Cut,
    /// Nothing gets through between a client and a node, for a while.
    Partition,
    /// A node loads its data.
    Loading,
    /// The whole cluster says that it is down.
    Down,
    /// A node's view of the cluster lacks some slots.
    Partial,
    /// A subscriber is told that it does not subscribe any more.
    Unsubscribe,
}

impl Fault {
    /// Whether an operation may fail for it, if it has time enough.
    fn hurts(self) -> bool {
        !matches!(self, Self::Migrate | Self::Move | Self::Partial | Self::Unsubscribe)
    }
}

/// All of a run that is not drawn on the way.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) shards: usize,
    pub(super) replicas: usize,
    pub(super) clients: usize,
    pub(super) tasks: usize,
    pub(super) ops: usize,
    pub(super) faults: Vec<Fault>,
    pub(super) strikes: usize,
    pub(super) gap: Duration,
    /// The longest way of a message.
    pub(super) delay: Duration,
    /// How old a node's view may be.
    pub(super) lag: Duration,
    /// Hosts are left out of views and redirects.
    pub(super) hidden: bool,
    /// Whether commands have deadlines.
    pub(super) deadlines: bool,
}

impl Plan {
    pub(super) fn new(seed: u64) -> Self {
        let rng = &mut SmallRng::seed_from_u64(seed ^ 0xc105_7e12);
        let all = [
            Fault::Migrate,
            Fault::Migrate,
            Fault::Move,
            Fault::Failover,
            Fault::Loss,
            Fault::Cut,
            Fault::Partition,
            Fault::Loading,
            Fault::Down,
            Fault::Partial,
            Fault::Unsubscribe,
        ];
        // Two runs in five have nothing that an operation could fail for.
        let quiet = rng.random_bool(0.4);
        let faults: Vec<Fault> = all
            .into_iter()
            .filter(|fault| rng.random_bool(0.5) && !(quiet && fault.hurts()))
            .collect();
        let shards = if rng.random_bool(0.01) { 500 } else { *pick(rng, &[3, 3, 4, 6, 20]) };
        Self {
            seed,
            shards,
            replicas: if shards == 500 { 1 } else { rng.random_range(0..3) },
            clients: rng.random_range(1..=2),
            tasks: rng.random_range(1..=4),
            ops: rng.random_range(1..=12),
            faults,
            strikes: rng.random_range(0..16),
            gap: Duration::from_millis(*pick(rng, &[2, 20, 100, 500])),
            delay: Duration::from_millis(*pick(rng, &[0, 1, 5, 40])),
            lag: Duration::from_millis(*pick(rng, &[0, 0, 50, 500])),
            hidden: rng.random_bool(0.3),
            deadlines: !quiet && rng.random_bool(0.8),
        }
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    /// Whether every operation has to succeed.
    pub(super) fn is_quiet(&self) -> bool {
        !self.faults.iter().any(|fault| fault.hurts()) && !self.deadlines
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shards, replicas, clients, tasks, ops, faults, strikes, gap, .. } = self;
        let Self { delay, lag, hidden, deadlines, .. } = self;
        write!(
            f,
            "{shards} shards of 1+{replicas}; clients {clients}, tasks {tasks}, ops {ops}; \
             {strikes} strikes within {gap:?} of {faults:?}; delay {delay:?}, lag {lag:?}, \
             hidden {hidden}, deadlines {deadlines}"
        )
    }
}
