//! What a run is made of: drawn from its seed, and smaller when a failure is looked for.

use std::fmt;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::pick;

/// What a simulated user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Commands on the connection that all tasks of a client share.
    Shared,
    /// Pipelines and transactions there.
    Pipelines,
    /// Pops that wait, each on a connection of its own.
    Blocking,
    /// Transactions that watch, likewise.
    Watching,
    /// Commands, pipelines, pops and watches as the blocking client does them.
    Sync,
    /// Subscriptions.
    PubSub,
    /// Pools that grow and shrink, and connections that are opened before they are needed.
    Pools,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A connection is reset for both ends, for the client first, or for the server first.
    Reset,
    /// The server hangs up, behind what it has written.
    HangUp,
    /// Bytes of a connection vanish without an error, in one direction or both.
    HalfOpen,
    /// The server does nothing for a while.
    Stall,
    /// The server starts again, with its data.
    Restart,
    /// The server starts again, without its data.
    Loss,
    /// Connections are refused for a while, or nobody answers.
    Refuse,
    /// A step of the next handshake is refused.
    Handshake,
    /// The server sends a push that nobody asked for.
    Push,
    /// A client reads nothing for a while.
    SlowReader,
    /// The server refuses whatever needs data for a while.
    Loading,
    /// A client closes the connection that its tasks share, whatever is under way.
    Close,
    /// Tasks are cancelled.
    Cancel,
    /// Deadlines are short.
    Deadlines,
}

/// All of a run that is not drawn on the way. Every part is smaller without another one changing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Clients, each with a configuration of its own.
    pub(crate) clients: usize,
    /// Tasks of each client and kind of work.
    pub(crate) tasks: usize,
    /// Operations of each task.
    pub(crate) ops: usize,
    pub(crate) work: Vec<Work>,
    pub(crate) faults: Vec<Fault>,
    /// How many faults there are.
    pub(crate) strikes: usize,
    /// The longest time between two of them.
    pub(crate) gap: Duration,
    /// No piece on the network is longer, in bytes.
    pub(crate) piece: usize,
    /// No piece takes longer to arrive.
    pub(crate) delay: Duration,
    /// Bytes on their way in one direction: beyond that, writing waits.
    pub(crate) window: usize,
    /// The server reads nothing from a client that does not read.
    pub(crate) strict: bool,
    pub(crate) password: bool,
    /// The server knows `HELLO`.
    pub(crate) hello: bool,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let rng = &mut SmallRng::seed_from_u64(seed ^ 0x5eed);
        let half = |rng: &mut SmallRng| rng.random_bool(0.5);
        let all = [
            Work::Shared,
            Work::Pipelines,
            Work::Blocking,
            Work::Watching,
            Work::Sync,
            Work::PubSub,
            Work::Pools,
        ];
        let mut work: Vec<Work> = all.into_iter().filter(|_| rng.random_bool(0.6)).collect();
        if work.is_empty() {
            work.push(*pick(rng, &all));
        }
        let all = [
            Fault::Reset,
            Fault::HangUp,
            Fault::HalfOpen,
            Fault::Stall,
            Fault::Restart,
            Fault::Loss,
            Fault::Refuse,
            Fault::Handshake,
            Fault::Push,
            Fault::SlowReader,
            Fault::Loading,
            Fault::Close,
            Fault::Cancel,
            Fault::Deadlines,
        ];
        // One run in five has nothing that could make an operation fail.
        let quiet = rng.random_bool(0.2);
        let harmless = |fault: &Fault| matches!(fault, Fault::Push | Fault::SlowReader);
        let faults =
            all.into_iter().filter(|fault| half(rng) && (!quiet || harmless(fault))).collect();
        let delay = *pick(rng, &[0, 1, 5, 60]);
        // A handshake has to fit into its time.
        let least = if delay > 5 { 5000 } else { 16 };
        Self {
            seed,
            clients: rng.random_range(1..=3),
            tasks: rng.random_range(1..=3),
            ops: rng.random_range(1..=10),
            work,
            faults,
            strikes: rng.random_range(0..12),
            gap: Duration::from_millis(*pick(rng, &[2, 20, 100, 500])),
            piece: *pick(rng, &[1, 5, 20, 200, 5000]),
            delay: Duration::from_millis(delay),
            window: least.max(*pick(rng, &[16, 300, 5000, 100_000])),
            strict: half(rng),
            password: half(rng),
            hello: rng.random_bool(0.85),
        }
    }

    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    /// Whether every operation has to succeed.
    pub(crate) fn is_quiet(&self) -> bool {
        self.faults.iter().all(|fault| matches!(fault, Fault::Push | Fault::SlowReader))
    }

    /// Plans that are a step smaller, the largest steps first.
    pub(crate) fn smaller(&self) -> Vec<Self> {
        let mut plans = Vec::new();
        let mut add = |change: &dyn Fn(&mut Self)| {
            let mut plan = self.clone();
            change(&mut plan);
            if plan != *self {
                plans.push(plan);
            }
        };
        add(&|plan| plan.faults.clear());
        add(&|plan| plan.clients = 1);
        add(&|plan| plan.tasks = 1);
        add(&|plan| plan.ops = plan.ops.div_ceil(2));
        add(&|plan| plan.strikes /= 2);
        for work in &self.work {
            if self.work.len() > 1 {
                add(&|plan| plan.work.retain(|other| other != work));
            }
        }
        for fault in &self.faults {
            add(&|plan| plan.faults.retain(|other| other != fault));
        }
        add(&|plan| plan.ops = plan.ops.saturating_sub(1).max(1));
        add(&|plan| plan.strikes = plan.strikes.saturating_sub(1));
        add(&|plan| plan.piece = 5000);
        add(&|plan| plan.window = 100_000);
        add(&|plan| plan.delay = Duration::ZERO);
        add(&|plan| plan.password = false);
        add(&|plan| plan.hello = true);
        plans
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clients, tasks, ops, work, faults, strikes, gap, piece, delay, window, .. } =
            self;
        write!(
            f,
            "clients {clients}, tasks {tasks}, ops {ops} of {work:?}; {strikes} strikes within \
             {gap:?} of {faults:?}; pieces {piece}, delay {delay:?}, window {window}"
        )?;
        let flags =
            [(self.strict, "strict"), (self.password, "password"), (!self.hello, "no HELLO")];
        flags.iter().filter(|(on, _)| *on).try_for_each(|(_, name)| write!(f, ", {name}"))
    }
}
