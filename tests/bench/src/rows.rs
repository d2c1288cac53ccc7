//! What there is to measure: subjects and rows.

use crate::{job::Workload, targets::Target};

/// Ours on tokio.
pub const OURS_TOKIO: &str = "ours-tokio";
/// The `redis` crate, blocking.
pub const REDIS_RS_SYNC: &str = "redis-rs-sync";
/// The `redis` crate on tokio.
pub const REDIS_RS_TOKIO: &str = "redis-rs-tokio";

/// Whose a subject is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// No client: the limit.
    Raw,
    /// This workspace's.
    Ours,
    /// Somebody else's.
    Peer,
}

/// How a subject waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// It blocks its thread.
    Sync,
    /// It is a task.
    Async,
}

/// A program that does jobs, called `bench-NAME`.
#[derive(Debug)]
pub struct Subject {
    /// What tables call it.
    pub name: &'static str,
    /// Whose it is.
    pub side: Side,
    /// The rows it takes part in; all, if none is said.
    pub flavour: Option<Flavour>,
    /// The most threads it can be told to use.
    pub threads: usize,
    /// Whether it can do pipelines over the nodes of a cluster.
    pub clusters: bool,
}

/// In the order of tables.
pub const SUBJECTS: [Subject; 8] = [
    Subject { name: "raw", side: Side::Raw, flavour: None, threads: usize::MAX, clusters: true },
    subject("raw-tokio", Side::Raw, Flavour::Async, 1),
    subject("ours-sync", Side::Ours, Flavour::Sync, 1).on_clusters(),
    subject(OURS_TOKIO, Side::Ours, Flavour::Async, usize::MAX).on_clusters(),
    subject("ours-smol", Side::Ours, Flavour::Async, 1).on_clusters(),
    subject(REDIS_RS_SYNC, Side::Peer, Flavour::Sync, 1).on_clusters(),
    // Not built by cargo.
    subject("hiredis", Side::Peer, Flavour::Sync, 1),
    subject(REDIS_RS_TOKIO, Side::Peer, Flavour::Async, usize::MAX),
];

const fn subject(name: &'static str, side: Side, flavour: Flavour, threads: usize) -> Subject {
    Subject { name, side, flavour: Some(flavour), threads, clusters: false }
}

impl Subject {
    const fn on_clusters(self) -> Self {
        Self { clusters: true, ..self }
    }
}

/// The same work for all subjects of one flavour.
#[derive(Debug)]
pub struct Row {
    /// The verb that runs it: `mux`, `pipeline`, `pubsub` or `cluster`.
    pub verb: &'static str,
    /// What tables call it.
    pub name: &'static str,
    /// The work.
    pub workload: Workload,
    /// How many tasks do it.
    pub tasks: usize,
    /// How many threads the runtime has.
    pub threads: usize,
    /// How many servers there are: 1, or the primaries of a cluster.
    pub nodes: usize,
    /// Whose row it is.
    pub flavour: Flavour,
    /// What ours should cost; the smol client's one is [`SMOL`].
    pub target: &'static [Target],
}

/// What the smol client may cost in any row.
pub const SMOL: &[Target] = &[Target::Tokio(1.15)];

/// In the order of tables.
pub const ROWS: [Row; 19] = [
    mux("get-sync", 1, 1, Flavour::Sync, &[Target::Raw(1.02)]),
    mux("get-1", 1, 1, Flavour::Async, &[Target::Raw(1.05)]),
    mux("get-16", 16, 1, Flavour::Async, &[peer(0.80, 0.87)]),
    mux("get-64", 64, 1, Flavour::Async, &[peer(0.60, 0.83)]),
    mux("get-256", 256, 1, Flavour::Async, &[peer(0.45, 0.61)]),
    mux("get-1024", 1024, 1, Flavour::Async, &[peer(0.35, 0.55)]),
    mux("get-1024-threads-2", 1024, 2, Flavour::Async, &[peer(0.60, 0.59)]),
    pipeline("set-sync", Workload::PipelineSet, Flavour::Sync, SYNC_PIPELINE),
    pipeline("get-sync", Workload::PipelineGet, Flavour::Sync, SYNC_PIPELINE),
    pipeline("set-async", Workload::PipelineSet, Flavour::Async, ASYNC_PIPELINE),
    pipeline("get-async", Workload::PipelineGet, Flavour::Async, ASYNC_PIPELINE),
    pubsub("get-message-sync", Workload::GetMessage, Flavour::Sync, SYNC_PUBSUB),
    pubsub("listen-sync", Workload::Listen, Flavour::Sync, SYNC_PUBSUB),
    pubsub("get-message-async", Workload::GetMessage, Flavour::Async, ASYNC_PUBSUB),
    pubsub("listen-async", Workload::Listen, Flavour::Async, ASYNC_PUBSUB),
    cluster("set-sync", Workload::PipelineSet, Flavour::Sync),
    cluster("get-sync", Workload::PipelineGet, Flavour::Sync),
    cluster("set-async", Workload::PipelineSet, Flavour::Async),
    cluster("get-async", Workload::PipelineGet, Flavour::Async),
];

const SYNC_PIPELINE: &[Target] = &[peer(0.45, 0.87), Target::Raw(2.0)];
const ASYNC_PIPELINE: &[Target] = &[peer(0.50, 0.77)];
// The peer that is measured is the only one that was.
const CLUSTER_PIPELINE: &[Target] = &[peer(0.5, 1.0)];
const SYNC_PUBSUB: &[Target] = &[peer(0.72, 0.31), Target::Raw(3.3)];
const ASYNC_PUBSUB: &[Target] = &[peer(0.36, 0.75), Target::Raw(5.6)];

const fn peer(times: f64, best: f64) -> Target {
    Target::Peer { times, best }
}

const fn mux(
    name: &'static str,
    tasks: usize,
    threads: usize,
    flavour: Flavour,
    target: &'static [Target],
) -> Row {
    Row { verb: "mux", name, workload: Workload::Get, tasks, threads, nodes: 1, flavour, target }
}

const fn pipeline(
    name: &'static str,
    workload: Workload,
    flavour: Flavour,
    target: &'static [Target],
) -> Row {
    Row { verb: "pipeline", name, workload, tasks: 1, threads: 1, nodes: 1, flavour, target }
}

const fn cluster(name: &'static str, workload: Workload, flavour: Flavour) -> Row {
    let target = CLUSTER_PIPELINE;
    Row { verb: "cluster", name, workload, tasks: 1, threads: 1, nodes: 3, flavour, target }
}

const fn pubsub(
    name: &'static str,
    workload: Workload,
    flavour: Flavour,
    target: &'static [Target],
) -> Row {
    Row { verb: "pubsub", name, workload, tasks: 1, threads: 1, nodes: 1, flavour, target }
}

impl Row {
    /// The subjects that take part.
    pub fn subjects(&self) -> impl Iterator<Item = &'static Subject> {
        let Self { flavour, threads, nodes, .. } = *self;
        SUBJECTS.iter().filter(move |subject| {
            // The only peer that sends pipelines to several nodes is a blocking one.
            let peer = nodes > 1 && subject.side == Side::Peer;
            subject.threads >= threads
                && (nodes == 1 || subject.clusters)
                && (peer || subject.flavour.is_none_or(|own| own == flavour))
        })
    }

    /// What `subject` should cost here.
    pub fn targets(&self, subject: &Subject) -> &'static [Target] {
        match (subject.side, subject.name) {
            (Side::Raw | Side::Peer, _) => &[],
            (Side::Ours, "ours-smol") => SMOL,
            (Side::Ours, _) => self.target,
        }
    }

    /// The row in full: verb and name.
    pub fn title(&self) -> String {
        format!("{} {}", self.verb, self.name)
    }
}
