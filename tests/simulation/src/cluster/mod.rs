//! Clients of a cluster that changes under their hands: slots move, nodes go and come, views are old, links are
//! lost. Everything that happens, and when, comes from one seed.
//!
//! Owns the clock, and the client's side as an adapter has it: a link for each node, requests on it, and the
//! machines told what came. What the cluster is is in `model`, what users do and what must hold in `tasks`.

mod model;
mod plan;
mod tasks;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use redis_cluster::{Action, Cluster, ClusterConfig, Link, NodeId, ReadFrom, View};
use redis_core::{Config, Delivery, Endpoint, Error, ErrorKind, SLOTS, decode};

use self::model::{Model, PORT};
use self::plan::{Fault, Plan};
use self::tasks::Task;
use self::wire::{State, To, Wire};
use crate::pick;

/// Steps of one run, at the most.
const STEPS: usize = 400_000;

/// What did not hold.
type Check = Result<(), String>;

struct Client {
    cluster: Cluster,
    /// Who is asked for a view at the moment.
    asked: BTreeSet<NodeId>,
    /// When refreshes began, and how many views each asked for.
    began: Vec<Instant>,
    covered: usize,
}

struct World {
    plan: Plan,
    base: Instant,
    now: Instant,
    net: SmallRng,
    luck: SmallRng,
    model: Model,
    clients: Vec<Client>,
    wires: Vec<Wire>,
    tasks: Vec<Task>,
    next_strike: Option<Instant>,
    strikes: usize,
    /// What happens later of its own accord.
    later: Vec<(Instant, Later)>,
    partitions: BTreeMap<(usize, usize), Instant>,
    /// Something was lost on a link, or late.
    lossy: bool,
    trace: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug)]
enum Later {
    Migrate(u16),
    Promote(usize, bool),
    Up(usize),
}

/// Runs one seed. Gives the number of commands that the nodes ran.
///
/// # Errors
///
/// What did not hold.
pub(crate) fn run(seed: u64, trace: bool) -> Result<u64, (String, Vec<String>)> {
    let mut world = World::new(Plan::new(seed), trace);
    match world.go() {
        Ok(()) => Ok(world.model.commands),
        Err(what) => {
            let mut lines = vec![format!("plan: {}", world.plan)];
            lines.append(&mut world.trace.unwrap_or_default());
            Err((what, lines))
        }
    }
}

impl World {
    fn new(plan: Plan, traced: bool) -> Self {
        let (base, seed) = (Instant::now(), plan.seed);
        let rng = |part: u64| SmallRng::seed_from_u64(seed.wrapping_mul(31).wrapping_add(part));
        let (mut luck, net) = (rng(1), rng(2));
        let model = Model::new(base, &mut luck, plan.shards, plan.replicas, plan.lag, plan.hidden);
        let mut world = Self {
            base,
            now: base,
            net,
            luck,
            model,
            clients: Vec::new(),
            wires: Vec::new(),
            tasks: Vec::new(),
            next_strike: Some(base + plan.gap),
            strikes: if plan.faults.is_empty() { 0 } else { plan.strikes },
            later: Vec::new(),
            partitions: BTreeMap::new(),
            lossy: false,
            trace: traced.then(Vec::new),
            plan,
        };
        for client in 0..world.plan.clients {
            let mut rng = rng(100 + client as u64);
            world.add_client(client, &mut rng);
        }
        world
    }

    fn add_client(&mut self, at: usize, rng: &mut SmallRng) {
        let mut config = Config::default();
        config.max_retries = rng.random_range(0..4);
        config.command_timeout = None;
        config.connect_timeout = Duration::from_millis(300);
        if self.plan.deadlines {
            config.command_timeout = Some(Duration::from_millis(*pick(rng, &[700, 5000])));
        }
        let seeds = (0..rng.random_range(1..4))
            .map(|_| endpoint(rng.random_range(0..self.model.nodes.len())));
        let mut settings = ClusterConfig::new(seeds);
        settings.read_from = match rng.random_range(0..6) {
            0 => ReadFrom::PreferReplica,
            1 => ReadFrom::RoundRobin,
            2 => ReadFrom::LowestLatency,
            _ => ReadFrom::Primary,
        };
        settings.split_mset = true;
        settings.views = rng.random_range(1..4);
        settings.max_redirects = if self.plan.is_quiet() { 1000 } else { *pick(rng, &[3, 16]) };
        settings.check_interval = *pick(rng, &[None, Some(Duration::from_secs(5))]);
        settings.refresh_interval = Duration::from_millis(*pick(rng, &[100, 1000]));
        let cluster = Cluster::new(Arc::new(config), settings, rng.random());
        self.clients.push(Client {
            cluster,
            asked: BTreeSet::new(),
            began: Vec::new(),
            covered: 0,
        });
        for task in 0..self.plan.tasks {
            let seed = self.plan.seed.wrapping_mul(77) ^ ((at * 100 + task) as u64) << 32;
            let rng = SmallRng::seed_from_u64(seed);
            self.tasks.push(Task::new(at, self.tasks.len(), self.plan.ops, rng, self.now));
        }
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let at = (self.now - self.base).as_secs_f64() * 1000.0;
            trace.push(format!("{at:10.3} {}", line()));
        }
    }

    fn go(&mut self) -> Check {
        self.plant();
        for _ in 0..STEPS {
            self.settle()?;
            if self.tasks.iter().all(Task::is_over) {
                return self.finish();
            }
            let Some(due) = self.due() else {
                return Err("invariant 6: nothing more can happen, and somebody still waits".into());
            };
            self.now = self.now.max(due);
            self.step()?;
        }
        let waiting = self.tasks.iter().filter(|task| !task.is_over()).count();
        Err(format!("invariant 6: {STEPS} steps were not enough, {waiting} tasks wait"))
    }

    fn due(&self) -> Option<Instant> {
        let tasks = self.tasks.iter().filter_map(Task::due);
        let wires = self.wires.iter().filter_map(Wire::due);
        let clients = self.clients.iter().filter_map(|client| client.cluster.poll_timeout());
        let later = self.later.iter().map(|(at, _)| *at);
        let strike = self.next_strike.filter(|_| self.strikes > 0);
        tasks.chain(wires).chain(clients).chain(later).chain(strike).min()
    }

    fn step(&mut self) -> Check {
        let now = self.now;
        if self.strikes > 0 && self.next_strike.is_some_and(|at| at <= now) {
            self.strikes -= 1;
            self.strike()?;
            let gap = self.plan.gap.mul_f64(self.luck.random_range(0.0..=1.0));
            self.next_strike = Some(now + gap.max(Duration::from_micros(1)));
        }
        while let Some(at) = self.later.iter().position(|(at, _)| *at <= now) {
            let (_, later) = self.later.swap_remove(at);
            self.happen(later)?;
        }
        for client in 0..self.clients.len() {
            if self.clients[client].cluster.poll_timeout().is_some_and(|at| at <= now) {
                self.clients[client].cluster.handle_timeout(now);
            }
        }
        let start = match self.wires.len() {
            0 => 0,
            len => self.net.random_range(0..len),
        };
        for at in 0..self.wires.len() {
            let at = (at + start) % self.wires.len();
            if self.wires[at].due().is_some_and(|due| due <= now) {
                self.step_wire(at)?;
            }
        }
        self.wires.retain(|wire| !wire.is_over());
        self.step_tasks()
    }

    fn step_wire(&mut self, at: usize) -> Check {
        let now = self.now;
        let node = self.wires[at].conn.node;
        if let State::Opening(due) = self.wires[at].state
            && due <= now
        {
            let there = self.model.nodes.get(node).is_some_and(|node| node.up);
            if !there || self.wires[at].cut_off > now {
                return self.lose(at, ErrorKind::Connect);
            }
            self.wires[at].state = State::Open;
            self.wires[at].write(now, &mut self.net);
        }
        while self.wires[at].serve(now, &mut self.model, &mut self.net) {}
        for (to, unsent) in self.wires[at].expire(now) {
            self.lossy = true;
            self.fail(at, to, unsent, ErrorKind::Timeout)?;
        }
        if self.wires[at].state == State::Open {
            while let Some((to, frames)) = self.wires[at].receive(now) {
                self.deliver(at, to, frames.into())?;
            }
        }
        Ok(())
    }

    /// Loses a connection.
    fn lose(&mut self, at: usize, kind: ErrorKind) -> Check {
        self.lossy = true;
        let told = self.wires[at].lose(&mut self.net);
        let node = self.wires[at].conn.node;
        if !self.model.nodes.get(node).is_some_and(|node| node.up) {
            self.wires[at].drop_inbound();
        }
        self.note(|| format!("wire to {node} is lost: {kind:?}"));
        for (to, unsent) in told {
            self.fail(at, to, unsent, kind)?;
        }
        Ok(())
    }

    fn fail(&mut self, at: usize, to: To, unsent: bool, kind: ErrorKind) -> Check {
        let delivery = if unsent { Delivery::NotSent } else { Delivery::MaybeExecuted };
        let error = Error::new(kind, "lost").with_delivery(delivery);
        let (client, id, now) = (self.wires[at].client, self.wires[at].id, self.now);
        match to {
            To::Map => {
                self.answered(client, id);
                self.clients[client].cluster.handle_view(now, id, Err(error));
                Ok(())
            }
            To::Exchange(task, send) => self.exchange_failed(client, task, send, error),
            To::Task(task) => self.task_answered(task, id, Err(error)),
            To::Nobody => Ok(()),
        }
    }

    fn deliver(&mut self, at: usize, to: To, frames: Bytes) -> Check {
        let (client, id, now) = (self.wires[at].client, self.wires[at].id, self.now);
        let node = self.wires[at].conn.node;
        if to != To::Map {
            self.note(|| format!("{node} answers {to:?}: {}", text(&frames)));
        }
        match to {
            To::Map => {
                self.answered(client, id);
                let view = decode::<View>(&frames);
                self.clients[client].cluster.handle_view(now, id, view);
                Ok(())
            }
            To::Exchange(task, send) => self.exchange_answered(client, task, send, frames),
            To::Task(task) => self.task_answered(task, id, Ok(frames)),
            To::Nobody => Ok(()),
        }
    }

    fn answered(&mut self, client: usize, id: NodeId) {
        self.clients[client].asked.remove(&id);
    }

    /// Does what the clusters and tasks want, until they are silent.
    fn settle(&mut self) -> Check {
        loop {
            let mut quiet = true;
            for client in 0..self.clients.len() {
                while let Some(action) = self.clients[client].cluster.poll_action() {
                    quiet = false;
                    self.act(client, action)?;
                }
                let covered = self.clients[client].cluster.topology().coverage();
                if covered < self.clients[client].covered {
                    return Err("invariant 20: a view that knows less replaced one".into());
                }
                self.clients[client].covered = covered;
            }
            quiet &= !self.settle_tasks()?;
            if quiet {
                return Ok(());
            }
        }
    }

    fn act(&mut self, client: usize, action: Action) -> Check {
        match action {
            Action::Ask(node) => {
                let Client { cluster, asked, began, .. } = &mut self.clients[client];
                let interval = cluster.settings().refresh_interval;
                if let Some(at) = cluster.refreshed()
                    && began.last() != Some(&at)
                {
                    if began.last().is_some_and(|last| at < *last + interval) {
                        return Err("invariant 20: two refreshes within the throttle's time".into());
                    }
                    began.push(at);
                }
                asked.insert(node);
                let limit = cluster.settings().views;
                let late = asked.len() > limit && !self.lossy;
                if late {
                    return Err(format!("invariant 20: {} nodes are asked at once", asked.len()));
                }
                let bytes = Cluster::question().to_vec();
                self.submit(client, node, Link::Primary, None, (To::Map, 1, None), bytes)
            }
            Action::Forget(node) | Action::Reopen(node) => {
                let wires = self.wires.iter_mut();
                wires
                    .filter(|wire| wire.client == client && wire.id == node)
                    .for_each(|wire| wire.retired = true);
                Ok(())
            }
            Action::Changed => {
                self.map_changed(client);
                Ok(())
            }
        }
    }

    /// Sends a request on a link of a node, opened if need be.
    fn submit(
        &mut self,
        client: usize,
        node: NodeId,
        link: Link,
        own: Option<usize>,
        (to, replies, deadline): (To, u32, Option<Instant>),
        bytes: Vec<u8>,
    ) -> Check {
        let of = |wire: &Wire| {
            (wire.client, wire.id, wire.link, wire.own) == (client, node, link, own)
                && wire.state != State::Lost
                && !wire.retired
        };
        let at = match self.wires.iter().position(of) {
            Some(at) => at,
            None => {
                let port = match self.clients[client].cluster.endpoint(node) {
                    Some(Endpoint::Tcp { port, .. }) => usize::from(port - PORT),
                    _ => usize::MAX,
                };
                let delay = self.plan.delay;
                let cut_off = self.partitions.get(&(client, port)).copied().unwrap_or(self.base);
                let key = (client, node, link, own);
                self.wires.push(Wire::new(key, port, self.now, delay, cut_off));
                self.wires.len() - 1
            }
        };
        if to != To::Map {
            let to_node = self.wires[at].conn.node;
            self.note(|| format!("{to:?} to {to_node} {link:?}: {}", text(&bytes)));
        }
        self.wires[at].submit(self.now, &mut self.net, to, replies, deadline, bytes);
        Ok(())
    }

    fn strike(&mut self) -> Check {
        let fault = *pick(&mut self.luck, &self.plan.faults.clone());
        let now = self.now;
        let soon = |luck: &mut SmallRng, millis: u64| {
            now + Duration::from_millis(luck.random_range(0..=millis))
        };
        let slot = self.any_slot();
        let node = self.luck.random_range(0..self.model.nodes.len());
        self.note(|| format!("fault {fault:?}, slot {slot}, node {node}"));
        match fault {
            Fault::Migrate => {
                let down = self.model.nodes.iter().any(|node| !node.up);
                if !down && self.model.migrate(slot, &mut self.luck) {
                    self.later.push((soon(&mut self.luck, 200), Later::Migrate(slot)));
                }
            }
            Fault::Move => {
                if self.model.nodes.iter().all(|node| node.up) {
                    self.model.move_now(now, slot, &mut self.luck);
                }
            }
            Fault::Failover | Fault::Loss => {
                let shard = self.model.nodes[self.model.owner(slot)].shard;
                if let Some(node) = self.model.crash(shard) {
                    let promoted = soon(&mut self.luck, 1500);
                    self.later.push((promoted, Later::Promote(node, fault == Fault::Loss)));
                    let back = promoted + Duration::from_millis(self.luck.random_range(1..3000));
                    self.later.push((back, Later::Up(node)));
                    self.lose_all(|wire| wire.conn.node == node)?;
                }
            }
            Fault::Cut => {
                if !self.wires.is_empty() {
                    let at = self.luck.random_range(0..self.wires.len());
                    if self.wires[at].state == State::Open {
                        self.lose(at, ErrorKind::Io)?;
                    }
                }
            }
            Fault::Partition => {
                let client = self.luck.random_range(0..self.clients.len());
                let until = soon(&mut self.luck, 2000);
                self.lossy = true;
                self.partitions.insert((client, node), until);
                for wire in &mut self.wires {
                    if wire.client == client && wire.conn.node == node {
                        wire.cut_off = until;
                    }
                }
            }
            Fault::Loading => {
                self.model.nodes[node].loading_until = soon(&mut self.luck, 400);
            }
            Fault::Down => self.model.down_until = soon(&mut self.luck, 300),
            Fault::Partial => {
                let until = soon(&mut self.luck, 3000);
                // Where nothing may fail somebody always knows all.
                let node = if self.plan.is_quiet() { node - node % 4 } else { node };
                self.model.make_partial(node, until);
            }
            Fault::Unsubscribe => self.unsubscribe_one(),
        }
        if self.luck.random_bool(0.3) {
            self.model.replicate();
        }
        Ok(())
    }

    fn lose_all(&mut self, of: impl Fn(&Wire) -> bool) -> Check {
        while let Some(at) =
            self.wires.iter().position(|wire| of(wire) && wire.state != State::Lost)
        {
            self.lose(at, ErrorKind::Io)?;
        }
        self.wires.iter_mut().filter(|wire| of(wire)).for_each(Wire::drop_inbound);
        Ok(())
    }

    fn happen(&mut self, later: Later) -> Check {
        let now = self.now;
        match later {
            Later::Migrate(slot) => {
                if self.model.migrate_on(now, slot) {
                    let wait = Duration::from_millis(self.luck.random_range(0..40));
                    self.later.push((now + wait, later));
                } else {
                    self.note(|| format!("slot {slot} has moved"));
                }
            }
            Later::Promote(node, loss) => {
                self.note(|| format!("node {node} is replaced, with a loss: {loss}"));
                self.model.promote(now, node, loss);
            }
            Later::Up(node) => self.model.nodes[node].up = true,
        }
        Ok(())
    }

    fn any_slot(&mut self) -> u16 {
        let tag = *pick(&mut self.luck, &tasks::TAGS);
        match self.luck.random_bool(0.9) {
            true => redis_core::slot_of(tag.as_bytes()),
            false => self.luck.random_range(0..SLOTS),
        }
    }
}

fn endpoint(node: usize) -> Endpoint {
    Endpoint::Tcp { host: "h".into(), port: PORT + node as u16 }
}

fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", " ");
    text.chars().take(160).collect()
}
