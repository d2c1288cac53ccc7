//! What the users of a cluster do.
//!
//! Owns the operations, as an adapter runs them on the machines.

mod audit;
mod sharded;
mod walk;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::RngExt;
use rand::rngs::SmallRng;
use redis_cluster::{
    ClusterScan, Exchange, Link, NodeId, Options, Role, ScanStep, SendId, Sharded, ShardedAction,
    Target, watch_error,
};
use redis_core::pipeline::{Pipeline, Run, Sent};
use redis_core::pubsub::Report;
use redis_core::send::SendBuffer;
use redis_core::types::{ClusterNode, Cursor, ScanPage};
use redis_core::{
    Cmd, Delivery, Error, ErrorKind, Result, Value, cmd, decode, slot_of, watch as watching,
};

use super::plan::Fault;
use super::wire::{State, To, Wire};
use super::{Check, World};
use crate::pick;

/// Each is a slot.
pub(super) const TAGS: [&str; 10] = ["a", "b", "c", "foo", "hello", "k1", "k2", "k3", "zz", "q"];

/// Tasks that subscribe have numbers from here on.
const SUBSCRIBERS: usize = 1000;

/// How long subscriptions may take to be where they are wanted, once nothing changes any more.
const CALM: Duration = Duration::from_secs(60);

/// How long a subscriber waits before it connects again.
const AGAIN: Duration = Duration::from_millis(20);

/// What is known of one command.
struct Asked {
    name: &'static str,
    /// A word of its own, by which the log knows it; of one with several keys each.
    words: Vec<Bytes>,
    /// It may run once at the most.
    once: bool,
    want: Want,
}

/// What its reply has to be.
enum Want {
    /// What the node replied.
    Logged,
    /// This.
    Exactly(Value),
    Anything,
}

enum Commands {
    One(Cmd<()>),
    Many(Sent),
}

struct Running {
    commands: Commands,
    exchange: Exchange,
    /// It has a link of its own, for what comes behind it.
    own: bool,
}

enum Doing {
    Idle(Instant),
    Commands(Box<Running>, Vec<Asked>),
    Watch(Box<Watching>),
    Scan(Box<Scanning>),
    Over,
}

struct Watching {
    tag: &'static str,
    /// Of WATCH, until it is answered.
    running: Option<Running>,
    /// Where it watches.
    node: Option<NodeId>,
    /// What was sent behind it.
    sent: Option<Sent>,
    attempts: u32,
}

struct Scanning {
    scan: ClusterScan<String>,
    seen: BTreeSet<String>,
    since: Instant,
    running: Option<Running>,
    checks: bool,
    waits: bool,
}

pub(super) struct Task {
    client: usize,
    id: usize,
    left: usize,
    rng: SmallRng,
    doing: Doing,
    /// Commands that failed without having been sent, and those that may have run once.
    unsent: Vec<(&'static str, Bytes)>,
    once: Vec<(&'static str, Bytes)>,
    transactions: Vec<Vec<(&'static str, Bytes)>>,
    /// Of each counter that is watched: how often it went up, and how often it may have.
    counted: BTreeMap<&'static str, (u64, u64)>,
    subscriptions: Option<Sharded<()>>,
    /// Channels whose subscription the reader was told of.
    told: BTreeSet<Bytes>,
    /// When a subscriber's lost link is opened again.
    restores: Option<Instant>,
    serial: u64,
    quiet: bool,
}

impl Task {
    pub(super) fn new(
        client: usize,
        id: usize,
        ops: usize,
        mut rng: SmallRng,
        now: Instant,
    ) -> Self {
        let begin = now + Duration::from_millis(rng.random_range(0..20));
        let subscriptions = rng.random_bool(0.4).then(Sharded::default);
        Self {
            client,
            id,
            left: ops,
            rng,
            doing: Doing::Idle(begin),
            unsent: Vec::new(),
            once: Vec::new(),
            transactions: Vec::new(),
            counted: BTreeMap::new(),
            subscriptions,
            told: BTreeSet::new(),
            restores: None,
            serial: 0,
            quiet: false,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.doing, Doing::Over)
    }

    fn running(&mut self) -> Option<&mut Running> {
        match &mut self.doing {
            Doing::Commands(running, _) => Some(running),
            Doing::Watch(watching) => watching.running.as_mut(),
            Doing::Scan(scanning) => scanning.running.as_mut(),
            Doing::Idle(_) | Doing::Over => None,
        }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        let own = match &self.doing {
            Doing::Idle(at) => Some(*at),
            Doing::Commands(running, _) => running.exchange.poll_timeout(),
            Doing::Watch(watching) => {
                watching.running.as_ref().and_then(|running| running.exchange.poll_timeout())
            }
            Doing::Scan(scanning) => {
                scanning.running.as_ref().and_then(|running| running.exchange.poll_timeout())
            }
            Doing::Over => None,
        };
        let subscriptions = self.subscriptions.as_ref().and_then(Sharded::poll_timeout);
        own.into_iter().chain(subscriptions).chain(self.restores).min()
    }

    fn word(&mut self, text: &str) -> Bytes {
        self.serial += 1;
        format!("{text}#{}.{}", self.id, self.serial).into()
    }

    /// Draws a command.
    fn draw(&mut self, plant: &mut Vec<(Bytes, Bytes)>, lossless: bool) -> (Cmd<()>, Asked) {
        let tag = *pick(&mut self.rng, &TAGS);
        let key = format!("{{{tag}}}{}", self.rng.random_range(0..3));
        let asked = |name, words, once, want| Asked { name, words, once, want };
        match self.rng.random_range(0..14) {
            0..=3 => {
                let word = self.word("r");
                let cmd = Cmd::raw("GET").key(key).arg(&word);
                (cmd, asked("GET", vec![word], false, Want::Logged))
            }
            4..=6 => {
                let word = self.word(&key);
                let cmd = Cmd::raw("SET").key(key).arg(&word);
                (cmd, asked("SET", vec![word], true, Want::Logged))
            }
            7..=8 => {
                let word = self.word("i");
                let cmd = Cmd::raw("INCR").key(format!("{{{tag}}}n")).arg(&word);
                (cmd, asked("INCR", vec![word], true, Want::Logged))
            }
            9 => {
                let tags = self.some_tags();
                let values = tags.iter().map(|tag| Value::String(stable(tag).1));
                let want = Want::Exactly(Value::Array(values.collect()));
                let cmd = Cmd::raw("MGET").keys(tags.iter().map(|tag| stable(tag).0));
                (cmd, asked("MGET", Vec::new(), false, want))
            }
            10 => {
                let tags = self.some_tags();
                let name = *pick(&mut self.rng, &["EXISTS", "TOUCH"]);
                let want = Want::Exactly(Value::Integer(tags.len() as i64));
                let cmd = Cmd::raw(name).keys(tags.iter().map(|tag| stable(tag).0));
                (cmd, asked(name, Vec::new(), false, want))
            }
            11 => {
                let name = *pick(&mut self.rng, &["DEL", "UNLINK"]);
                let keys: Vec<Bytes> =
                    self.some_tags().iter().map(|tag| self.word(&format!("{{{tag}}}d"))).collect();
                plant.extend(keys.iter().map(|key| (key.clone(), Bytes::from_static(b"x"))));
                let want = match lossless {
                    true => Want::Exactly(Value::Integer(keys.len() as i64)),
                    false => Want::Anything,
                };
                (Cmd::raw(name).keys(&keys), asked(name, keys, true, want))
            }
            12 => {
                let keys: Vec<Bytes> =
                    self.some_tags().iter().map(|tag| self.word(&format!("{{{tag}}}m"))).collect();
                let mut cmd = Cmd::raw("MSET");
                for key in &keys {
                    cmd = cmd.key(key).arg("v");
                }
                (cmd, asked("MSET", keys, true, Want::Logged))
            }
            _ => (Cmd::raw("DBSIZE"), asked("DBSIZE", Vec::new(), false, Want::Anything)),
        }
    }

    fn some_tags(&mut self) -> Vec<&'static str> {
        (0..self.rng.random_range(1..6)).map(|_| *pick(&mut self.rng, &TAGS)).collect()
    }
}

/// A key that is there all the time, and its value.
fn stable(tag: &str) -> (Bytes, Bytes) {
    (format!("{{{tag}}}stable").into(), format!("stable {tag}").into())
}

impl World {
    /// Puts the keys there that stay.
    pub(super) fn plant(&mut self) {
        for tag in TAGS {
            let (key, value) = stable(tag);
            self.model.plant(key, value);
            for n in 0..4 {
                self.model.plant(format!("{{{tag}}}scan{n}").into(), Bytes::from_static(b"x"));
            }
        }
        self.model.replicate();
    }

    fn options(&self, task: usize, target: Target, seed: u64) -> Options {
        let client = &self.clients[self.tasks[task].client];
        let deadline = client.cluster.config().command_timeout.map(|timeout| self.now + timeout);
        Options { deadline, target, seed }
    }

    fn run(
        &mut self,
        task: usize,
        commands: Commands,
        target: Target,
        own: bool,
    ) -> Option<Running> {
        let seed = self.tasks[task].rng.random();
        let options = self.options(task, target, seed);
        let cluster = &self.clients[self.tasks[task].client].cluster;
        let exchange = match &commands {
            Commands::One(cmd) => Exchange::new(cluster, cmd, options),
            Commands::Many(sent) => Exchange::new(cluster, sent, options),
        };
        Some(Running { commands, exchange: exchange.ok()?, own })
    }

    /// Begins the next operation of a task.
    fn begin(&mut self, at: usize) -> Check {
        if self.tasks[at].left == 0 {
            self.tasks[at].doing = Doing::Over;
            return Ok(());
        }
        self.tasks[at].left -= 1;
        self.tasks[at].quiet = self.plan.is_quiet();
        let now = self.now;
        if let Some(mut sharded) = self.tasks[at].subscriptions.take() {
            let client = self.tasks[at].client;
            let channels: Vec<Bytes> =
                self.tasks[at].some_tags().into_iter().map(Bytes::from).collect();
            self.tasks[at].told.retain(|channel| !channels.contains(channel));
            if self.tasks[at].rng.random_bool(0.3) {
                sharded.unsubscribe(Some(channels));
            } else {
                let channels = channels.into_iter().map(|channel| (channel, None));
                let cluster = &mut self.clients[client].cluster;
                sharded.subscribe(now, cluster, channels).map_err(|error| error.to_string())?;
            }
            self.tasks[at].subscriptions = Some(sharded);
        }
        let lossless = !self.plan.has(Fault::Loss);
        let doing = match self.tasks[at].rng.random_range(0..14) {
            0..=3 => self.draw_single(at, lossless),
            4..=7 => self.draw_pipeline(at, lossless),
            8..=9 => self.draw_transaction(at),
            10..=12 => self.draw_watch(at),
            _ => {
                let scan = ClusterScan::new(cmd::scan::<String>(Cursor::START));
                let (seen, running) = (BTreeSet::new(), None);
                Some(Doing::Scan(Box::new(Scanning {
                    scan,
                    seen,
                    running,
                    since: now,
                    checks: false,
                    waits: false,
                })))
            }
        };
        match doing {
            Some(doing) => self.tasks[at].doing = doing,
            None => return Err("a request that fits was refused".into()),
        }
        Ok(())
    }

    fn plant_all(&mut self, plant: Vec<(Bytes, Bytes)>) {
        plant.into_iter().for_each(|(key, value)| self.model.plant(key, value));
    }

    fn draw_single(&mut self, at: usize, lossless: bool) -> Option<Doing> {
        let mut plant = Vec::new();
        let (cmd, asked) = self.tasks[at].draw(&mut plant, lossless);
        self.plant_all(plant);
        let running = self.run(at, Commands::One(cmd), Target::Auto, false)?;
        Some(Doing::Commands(Box::new(running), vec![asked]))
    }

    fn draw_pipeline(&mut self, at: usize, lossless: bool) -> Option<Doing> {
        let (mut plant, mut all) = (Vec::new(), Vec::new());
        let mut pipeline = Pipeline::atomic();
        pipeline.set_transaction(false);
        pipeline.mark();
        for _ in 0..self.tasks[at].rng.random_range(1..30) {
            let (cmd, asked) = self.tasks[at].draw(&mut plant, lossless);
            pipeline.push(cmd);
            all.push(asked);
        }
        self.plant_all(plant);
        let sent = pipeline.take().ok().flatten()?;
        let running = self.run(at, Commands::Many(sent), Target::Auto, false)?;
        Some(Doing::Commands(Box::new(running), all))
    }

    fn draw_transaction(&mut self, at: usize) -> Option<Doing> {
        let task = &mut self.tasks[at];
        let tag = *pick(&mut task.rng, &TAGS);
        let mut all = Vec::new();
        let mut pipeline = Pipeline::atomic();
        pipeline.mark();
        for _ in 0..task.rng.random_range(1..5) {
            let (word, n) = (task.word("t"), task.rng.random_range(0..3));
            let (name, want) = ("SET", Want::Logged);
            // Keys that are there already, or not.
            pipeline.push(Cmd::<()>::raw(name).key(format!("{{{tag}}}{n}")).arg(&word));
            all.push(Asked { name, words: vec![word], once: true, want });
        }
        task.transactions
            .push(all.iter().map(|asked| (asked.name, asked.words[0].clone())).collect());
        let sent = pipeline.take().ok().flatten()?;
        let running = self.run(at, Commands::Many(sent), Target::Auto, false)?;
        Some(Doing::Commands(Box::new(running), all))
    }

    fn draw_watch(&mut self, at: usize) -> Option<Doing> {
        // Few, so that they meet each other and slots on their way.
        let tag = *pick(&mut self.tasks[at].rng, &TAGS[..3]);
        let cmd = watching::watch(format!("{{{tag}}}watched")).ok()?;
        let running = self.run(at, Commands::One(cmd), Target::Auto, true);
        let (node, sent) = (None, None);
        Some(Doing::Watch(Box::new(Watching { tag, running, node, sent, attempts: 0 })))
    }

    pub(super) fn step_tasks(&mut self) -> Check {
        let now = self.now;
        for at in 0..self.tasks.len() {
            let client = self.tasks[at].client;
            if let Some(sharded) = &mut self.tasks[at].subscriptions {
                sharded.handle_timeout(now, &mut self.clients[client].cluster);
            }
            if matches!(self.tasks[at].doing, Doing::Idle(due) if due <= now) {
                self.begin(at)?;
            }
            if let Some(running) = self.tasks[at].running() {
                running.exchange.handle_timeout(now);
            }
        }
        self.check_subscribers()
    }

    /// Sends what tasks have to send, and takes what is over. True when something was done.
    pub(super) fn settle_tasks(&mut self) -> std::result::Result<bool, String> {
        let mut any = false;
        for at in 0..self.tasks.len() {
            let (now, client) = (self.now, self.tasks[at].client);
            loop {
                let cluster = &mut self.clients[client].cluster;
                let Some(running) = self.tasks[at].running() else { break };
                let Some(send) = running.exchange.poll_send(now, cluster) else { break };
                any = true;
                let role =
                    cluster.nodes().find(|(node, _)| *node == send.node).map(|(_, role)| role);
                if send.link == Link::Replica && role != Some(Role::Replica) {
                    return Err("a link for reads of a node that is no replica".into());
                }
                let mut out = SendBuffer::default();
                match &running.commands {
                    Commands::One(cmd) => running.exchange.write(&send, cmd, &mut out),
                    Commands::Many(sent) => running.exchange.write(&send, sent, &mut out),
                }
                let own = running.own.then_some(at);
                if let Doing::Watch(watching) = &mut self.tasks[at].doing {
                    watching.node = Some(send.node);
                }
                let deadline = cluster.config().command_timeout.map(|timeout| now + timeout);
                let to = (To::Exchange(at, send.id), send.replies, deadline);
                self.submit(client, send.node, send.link, own, to, out.to_vec())?;
            }
            any |= self.advance(at)?;
            any |= self.settle_subscriptions(at)?;
        }
        Ok(any)
    }

    /// Takes what a task's exchange came to.
    fn advance(&mut self, at: usize) -> std::result::Result<bool, String> {
        let over = self.tasks[at].running().is_some_and(|running| running.exchange.is_over());
        match &self.tasks[at].doing {
            Doing::Commands(..) if over => {
                let idle =
                    Doing::Idle(self.now + Duration::from_millis(self.net.random_range(0..30)));
                let doing = std::mem::replace(&mut self.tasks[at].doing, idle);
                let Doing::Commands(running, asked) = doing else { return Ok(false) };
                self.check(at, *running, &asked)?;
                Ok(true)
            }
            Doing::Watch(watching) if over && watching.running.is_some() => {
                self.watched(at)?;
                Ok(true)
            }
            Doing::Scan(scanning) if over || scanning.running.is_none() && !scanning.waits => {
                self.scan_on(at)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    pub(super) fn map_changed(&mut self, client: usize) {
        let now = self.now;
        for task in self.tasks.iter_mut().filter(|task| task.client == client) {
            let cluster = &mut self.clients[client].cluster;
            if let Some(running) = task.running() {
                running.exchange.handle_map(now, cluster);
            }
            if let Doing::Scan(scanning) = &mut task.doing {
                scanning.waits = false;
            }
            if let Some(sharded) = &mut task.subscriptions {
                sharded.handle_map(now, cluster);
            }
        }
    }

    pub(super) fn exchange_answered(
        &mut self,
        client: usize,
        task: usize,
        send: SendId,
        frames: Bytes,
    ) -> Check {
        let now = self.now;
        let cluster = &mut self.clients[client].cluster;
        // A reply to what is over is nobody's: the task has another exchange by then.
        let Some(running) = self.tasks[task].running() else { return Ok(()) };
        let taken = running.exchange.handle_replies(now, cluster, send, frames);
        taken.map_err(|error| format!("invariant 4: {error}"))
    }

    pub(super) fn exchange_failed(
        &mut self,
        client: usize,
        task: usize,
        send: SendId,
        error: Error,
    ) -> Check {
        let now = self.now;
        let cluster = &mut self.clients[client].cluster;
        if let Some(running) = self.tasks[task].running() {
            running.exchange.handle_failed(now, cluster, send, error);
        }
        Ok(())
    }
}
