//! What the users of a cluster do, and what must hold for each of their commands.
//!
//! Owns the operations, as an adapter runs them on the machines, and the comparison of what users were told with
//! what the nodes ran.

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
use redis_core::send::SendBuffer;
use redis_core::types::{ClusterNode, Cursor, ScanPage};
use redis_core::{Cmd, Delivery, Error, ErrorKind, Result, Value, cmd, decode, slot_of, watch};

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
    subscriptions: Option<Sharded>,
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
        Options { deadline, target, split_pairs: true, seed }
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
            if self.tasks[at].rng.random_bool(0.3) {
                sharded.unsubscribe(channels);
            } else {
                sharded.subscribe(now, &mut self.clients[client].cluster, channels);
            }
            self.tasks[at].subscriptions = Some(sharded);
        }
        let lossless = !self.plan.has(Fault::Loss);
        let doing = match self.tasks[at].rng.random_range(0..12) {
            0..=3 => self.draw_single(at, lossless),
            4..=7 => self.draw_pipeline(at, lossless),
            8..=9 => self.draw_transaction(at),
            10 => self.draw_watch(at),
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
        let tag = *pick(&mut self.tasks[at].rng, &TAGS);
        let cmd = watch::watch(format!("{{{tag}}}watched")).ok()?;
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

    // What must hold.

    fn check(&mut self, at: usize, mut running: Running, asked: &[Asked]) -> Check {
        match &running.commands {
            Commands::One(_) => {
                let reply = running.exchange.take_reply();
                self.check_one(at, &asked[0], reply.as_deref().map_err(Clone::clone))
            }
            Commands::Many(sent) if sent.is_atomic() => {
                let result = running.exchange.replies(sent).map(|mut replies| replies.all());
                self.check_transaction(at, asked, result)
            }
            Commands::Many(sent) => {
                let replies = running.exchange.replies(sent);
                let all = replies
                    .map_err(|error| format!("a pipeline failed as a whole: {error}"))?
                    .all();
                if all.len() != asked.len() {
                    return Err(format!("invariant 4: {} replies for {}", all.len(), asked.len()));
                }
                for (asked, reply) in asked.iter().zip(all) {
                    self.check_value(at, asked, reply)?;
                }
                Ok(())
            }
        }
    }

    fn check_one(&mut self, at: usize, asked: &Asked, reply: Result<&[u8]>) -> Check {
        self.check_value(at, asked, reply.and_then(decode::<Value>))
    }

    fn runs(&self, asked: &Asked) -> Vec<usize> {
        let runs = |word: &Bytes| {
            self.model.log.get(&(asked.name.to_owned(), word.clone())).map_or(0, Vec::len)
        };
        asked.words.iter().map(runs).collect()
    }

    fn check_value(&mut self, at: usize, asked: &Asked, reply: Result<Value>) -> Check {
        let runs = self.runs(asked);
        let name = asked.name;
        let words = || String::from_utf8_lossy(&asked.words.join(&b' ')).into_owned();
        self.note(|| format!("task {at}: {name} is over: {reply:?}"));
        if asked.once {
            if runs.iter().any(|runs| *runs > 1) {
                return Err(format!("invariant 7: {name} {} ran twice", words()));
            }
            self.tasks[at].once.extend(asked.words.iter().map(|word| (name, word.clone())));
        }
        let value = match reply {
            Ok(value) => value,
            Err(error) => return self.check_error(at, asked, &error),
        };
        if runs.contains(&0) {
            return Err(format!("invariant 1: {name} {} has a reply and never ran", words()));
        }
        if !self.lossy && runs.iter().any(|runs| *runs > 1) {
            return Err(format!("{name} {} ran again because of others", words()));
        }
        match &asked.want {
            Want::Anything => Ok(()),
            Want::Exactly(want) if *want == value => Ok(()),
            Want::Exactly(want) => {
                Err(format!("invariant 1: {name} {} is {value:?} and not {want:?}", words()))
            }
            Want::Logged => {
                let logged = asked.words.iter().any(|word| {
                    let runs = &self.model.log[&(name.to_owned(), word.clone())];
                    runs.iter().any(|ran| decode::<Value>(&ran.reply) == Ok(value.clone()))
                });
                match logged {
                    true => Ok(()),
                    false => {
                        Err(format!("invariant 1: {value:?} is no reply to {name} {}", words()))
                    }
                }
            }
        }
    }

    fn check_error(&mut self, at: usize, asked: &Asked, error: &Error) -> Check {
        let name = asked.name;
        if self.tasks[at].quiet {
            return Err(format!("nothing could go wrong, and {name} failed: {error:?}"));
        }
        if error.kind() == ErrorKind::Protocol {
            return Err(format!("invariant 4: {error}"));
        }
        if error.delivery() == Delivery::NotSent {
            self.tasks[at].unsent.extend(asked.words.iter().map(|word| (name, word.clone())));
        }
        let refused = error.is_server() && asked.words.len() == 1;
        if refused && asked.once && self.runs(asked)[0] > 0 {
            return Err(format!("invariant 1: {name} ran, and its reply is {error}"));
        }
        Ok(())
    }

    fn check_transaction(
        &mut self,
        at: usize,
        asked: &[Asked],
        result: Result<Vec<Result<Value>>>,
    ) -> Check {
        match result {
            Ok(all) => {
                for (asked, reply) in asked.iter().zip(all) {
                    self.check_value(at, asked, reply)?;
                }
                Ok(())
            }
            Err(error) => {
                let all =
                    asked.iter().flat_map(|asked| &asked.words).map(|word| ("SET", word.clone()));
                self.tasks[at].once.extend(all);
                asked.iter().try_for_each(|asked| self.check_error(at, asked, &error))
            }
        }
    }

    // Watches.

    /// Goes on after WATCH, on its own link.
    fn watched(&mut self, at: usize) -> Check {
        let Doing::Watch(watching) = &mut self.tasks[at].doing else { return Ok(()) };
        let Some(mut running) = watching.running.take() else { return Ok(()) };
        let reply = running.exchange.take_reply().and_then(|frame| decode::<()>(&frame));
        if let Err(error) = reply {
            if self.plan.is_quiet() {
                return Err(format!("nothing could go wrong, and WATCH failed: {error:?}"));
            }
            return self.end_watch(at);
        }
        let word = self.tasks[at].word("w");
        let Doing::Watch(watching) = &mut self.tasks[at].doing else { return Ok(()) };
        let cmd = Cmd::<()>::raw("GET").key(format!("{{{}}}watched", watching.tag)).arg(&word);
        self.send_own(at, 1, cmd.to_vec())
    }

    /// Sends on the link that watches, if it is still there.
    fn send_own(&mut self, at: usize, replies: u32, bytes: Vec<u8>) -> Check {
        let client = self.tasks[at].client;
        let Doing::Watch(watching) = &self.tasks[at].doing else { return Ok(()) };
        let node = watching.node;
        let there = self
            .wires
            .iter()
            .any(|wire| wire.own == Some(at) && Some(wire.id) == node && wire.state == State::Open);
        let Some(node) = node.filter(|_| there) else { return self.watch_again(at) };
        let deadline = self.clients[client].cluster.config().command_timeout;
        let deadline = deadline.map(|timeout| self.now + timeout);
        self.submit(client, node, Link::Primary, Some(at), (To::Task(at), replies, deadline), bytes)
    }

    pub(super) fn task_answered(&mut self, at: usize, id: NodeId, answer: Result<Bytes>) -> Check {
        if at >= SUBSCRIBERS {
            return self.subscriber_answered(at, id, answer);
        }
        let Doing::Watch(watching) = &mut self.tasks[at].doing else { return Ok(()) };
        let tag = watching.tag;
        let Some(sent) = watching.sent.take() else {
            // What GET gave.
            let value = answer.and_then(|frame| decode::<Option<u64>>(&frame));
            let Ok(value) = value else { return self.watch_again(at) };
            let mut pipeline = Pipeline::atomic();
            let next = value.unwrap_or(0) + 1;
            pipeline.push(Cmd::<()>::raw("SET").key(format!("{{{tag}}}watched")).arg(next));
            let Ok(sent) = pipeline.take_watched() else {
                return Err("a transaction is refused".into());
            };
            let (replies, bytes) = (sent.replies(), sent.parts().concat());
            watching.sent = Some(sent);
            return self.send_own(at, replies, bytes);
        };
        let result = answer.and_then(|frames| {
            // It may come in pieces, of which the others are at the link.
            let run = Run { frames: &frames, memory: None };
            sent.open([run])?.decode::<()>()
        });
        let counted = self.tasks[at].counted.entry(tag).or_default();
        match result.map_err(watch::lost).map_err(watch_error) {
            Ok(()) => {
                counted.0 += 1;
                self.end_watch(at)
            }
            Err(error) if error.is_watch() => self.watch_again(at),
            Err(error) if self.plan.is_quiet() => {
                Err(format!("invariant 8: a watch ends with what is no watch error: {error:?}"))
            }
            Err(error) => {
                if error.delivery() == Delivery::MaybeExecuted {
                    counted.1 += 1;
                }
                self.end_watch(at)
            }
        }
    }

    fn watch_again(&mut self, at: usize) -> Check {
        self.close_own(at);
        let Doing::Watch(watching) = &mut self.tasks[at].doing else { return Ok(()) };
        watching.attempts += 1;
        let (attempts, tag) = (watching.attempts, watching.tag);
        if attempts > 20 {
            return self.end_watch(at);
        }
        let Ok(cmd) = watch::watch(format!("{{{tag}}}watched")) else { return Ok(()) };
        let running = self.run(at, Commands::One(cmd), Target::Auto, true);
        self.tasks[at].doing =
            Doing::Watch(Box::new(Watching { tag, running, node: None, sent: None, attempts }));
        Ok(())
    }

    fn end_watch(&mut self, at: usize) -> Check {
        self.close_own(at);
        self.tasks[at].doing = Doing::Idle(self.now);
        Ok(())
    }

    fn close_own(&mut self, at: usize) {
        for wire in self.wires.iter_mut().filter(|wire| wire.own == Some(at)) {
            wire.state = State::Lost;
            wire.pending.clear();
        }
    }

    // Scans.

    fn scan_on(&mut self, at: usize) -> Check {
        let (now, client) = (self.now, self.tasks[at].client);
        let Doing::Scan(scanning) = &mut self.tasks[at].doing else { return Ok(()) };
        let cluster = &mut self.clients[client].cluster;
        if let Some(mut running) = scanning.running.take() {
            let reply = running.exchange.take_reply();
            let told = match scanning.checks {
                true => {
                    let nodes = reply.and_then(|frame| decode::<Vec<ClusterNode>>(&frame));
                    scanning.scan.handle_check(now, cluster, nodes)
                }
                false => {
                    let page = reply.and_then(|frame| decode::<ScanPage<String>>(&frame));
                    scanning.scan.handle_page(now, cluster, page)
                }
            };
            if let Err(error) = told {
                if self.plan.is_quiet() && error.kind() != ErrorKind::Server {
                    return Err(format!("nothing could go wrong, and a scan failed: {error:?}"));
                }
                self.tasks[at].doing = Doing::Idle(now);
                return Ok(());
            }
        }
        let (node, cmd) = match scanning.scan.next_step(now, cluster) {
            ScanStep::Item(key) => {
                scanning.seen.insert(key);
                return Ok(());
            }
            ScanStep::Page(node, page) => {
                scanning.checks = false;
                (node, page.returning())
            }
            ScanStep::Check(node, check) => {
                scanning.checks = true;
                (node, check.returning())
            }
            ScanStep::Wait => {
                scanning.waits = true;
                return Ok(());
            }
            ScanStep::Done => {
                let keys = TAGS.iter().flat_map(|tag| {
                    let scans = (0..4).map(move |n| format!("{{{tag}}}scan{n}"));
                    scans.chain([format!("{{{tag}}}stable")])
                });
                let missed: Vec<_> = keys
                    .filter(|key| !scanning.seen.contains(key))
                    .filter(|key| !self.model.came_back(key, scanning.since))
                    .collect();
                if !missed.is_empty() {
                    return Err(format!(
                        "a scan has missed {missed:?}, which were there all along"
                    ));
                }
                self.note(|| format!("task {at}: a scan has seen all keys"));
                self.tasks[at].doing = Doing::Idle(now);
                return Ok(());
            }
        };
        let running = self.run(at, Commands::One(cmd), Target::Node(node), false);
        if let Doing::Scan(scanning) = &mut self.tasks[at].doing {
            scanning.running = running;
        }
        Ok(())
    }

    // Sharded subscriptions.

    fn settle_subscriptions(&mut self, at: usize) -> std::result::Result<bool, String> {
        let mut any = false;
        let client = self.tasks[at].client;
        while let Some(action) =
            self.tasks[at].subscriptions.as_mut().and_then(Sharded::poll_action)
        {
            any = true;
            self.note(|| format!("task {at}: {action:?}"));
            let (name, node, channels) = match action {
                ShardedAction::Subscribe(node, channels) => ("SSUBSCRIBE", node, channels),
                ShardedAction::Unsubscribe(node, channels) => ("SUNSUBSCRIBE", node, channels),
                ShardedAction::Close(node) => {
                    let own = Some(at + SUBSCRIBERS);
                    let of = |wire: &&mut Wire| wire.own == own && wire.id == node;
                    self.wires.iter_mut().filter(of).for_each(|wire| wire.state = State::Lost);
                    continue;
                }
            };
            if channels.iter().any(|channel| slot_of(channel) != slot_of(&channels[0])) {
                return Err("invariant 12: channels of several slots in one command".into());
            }
            if name == "SUNSUBSCRIBE" {
                // The server has forgotten, or does so when the link ends.
                for wire in self
                    .wires
                    .iter_mut()
                    .filter(|wire| wire.own == Some(at + SUBSCRIBERS) && wire.id == node)
                {
                    wire.conn.channels.retain(|channel| !channels.contains(channel));
                }
                continue;
            }
            for channel in channels {
                self.ask_channel(at, client, node, channel)?;
            }
        }
        Ok(any)
    }

    fn ask_channel(&mut self, at: usize, client: usize, node: NodeId, channel: Bytes) -> Check {
        let own = at + SUBSCRIBERS;
        let bytes = Cmd::<()>::raw("SSUBSCRIBE").key(&channel).to_vec();
        self.submit(client, node, Link::Primary, Some(own), (To::Task(own), 1, None), bytes)
    }

    /// A subscriber's link says something: looks which of its channels are not there, as their machine would.
    fn subscriber_answered(&mut self, own: usize, id: NodeId, answer: Result<Bytes>) -> Check {
        let at = own - SUBSCRIBERS;
        let refused = match answer.map(|frame| decode::<()>(&frame)) {
            Ok(Err(error)) => error,
            Ok(Ok(())) => return Ok(()),
            // The link is lost: what it had is restored on the next one.
            Err(_) => {
                let again = self.now + AGAIN;
                self.tasks[at].restores = Some(again);
                return Ok(());
            }
        };
        if refused.code() == Some("CROSSSLOT") {
            return Err("invariant 12: channels of several slots in one command".into());
        }
        let (now, client) = (self.now, self.tasks[at].client);
        let Some(sharded) = &mut self.tasks[at].subscriptions else { return Ok(()) };
        let slot = match redis_cluster::Refusal::of(&refused) {
            Some(redis_cluster::Refusal::Moved(to) | redis_cluster::Refusal::Ask(to)) => {
                Some(to.slot)
            }
            _ => None,
        };
        // Which channel it was is known by its order on a real link; here by who has it.
        let lost: Vec<(Bytes, NodeId)> = sharded
            .channels()
            .filter(|channel| slot.is_none_or(|slot| slot_of(channel) == slot))
            .filter_map(|channel| Some((channel.clone(), sharded.node_of(channel)?)))
            .filter(|(channel, node)| {
                if *node != id {
                    return false;
                }
                let of = |wire: &Wire| wire.own == Some(own) && wire.id == *node;
                !self.wires.iter().any(|wire| of(wire) && wire.conn.channels.contains(channel))
            })
            .collect();
        for (channel, node) in lost {
            let cluster = &mut self.clients[client].cluster;
            sharded.handle_refused(now, cluster, node, &channel, Some(&refused));
        }
        Ok(())
    }

    /// Nodes end subscriptions of slots that left them, and links that were lost come back.
    pub(super) fn check_subscribers(&mut self) -> Check {
        let now = self.now;
        for at in 0..self.tasks.len() {
            let (own, client) = (at + SUBSCRIBERS, self.tasks[at].client);
            let Some(mut sharded) = self.tasks[at].subscriptions.take() else { continue };
            let mut ended = Vec::new();
            for wire in self.wires.iter_mut().filter(|wire| wire.own == Some(own)) {
                let node = wire.conn.node;
                let model = &self.model;
                let (id, lost) = (wire.id, wire.state == State::Lost);
                wire.conn.channels.retain(|channel| {
                    let stays = !lost && model.owner(slot_of(channel)) == node;
                    if !stays && !lost {
                        ended.push((id, channel.clone()));
                    }
                    stays
                });
            }
            for (node, channel) in ended {
                let cluster = &mut self.clients[client].cluster;
                sharded.handle_unsubscribed(now, cluster, node, &channel);
            }
            self.tasks[at].restores = self.tasks[at].restores.filter(|due| *due > now);
            let restores = self.tasks[at].restores.is_none();
            let wanted: Vec<(Bytes, NodeId)> = sharded
                .channels()
                .filter(|_| restores)
                .filter_map(|channel| Some((channel.clone(), sharded.node_of(channel)?)))
                .collect();
            self.tasks[at].subscriptions = Some(sharded);
            for (channel, node) in wanted {
                let there = self.wires.iter().any(|wire| {
                    wire.own == Some(own)
                        && wire.id == node
                        && wire.state != State::Lost
                        && (wire.conn.channels.contains(&channel) || !wire.pending.is_empty())
                });
                if !there && self.clients[client].cluster.endpoint(node).is_some() {
                    self.ask_channel(at, client, node, channel)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn unsubscribe_one(&mut self) {
        let now = self.now;
        for at in 0..self.tasks.len() {
            let (own, client) = (at + SUBSCRIBERS, self.tasks[at].client);
            let Some(sharded) = &mut self.tasks[at].subscriptions else { continue };
            let of = |wire: &&mut Wire| wire.own == Some(own) && !wire.conn.channels.is_empty();
            if let Some(wire) = self.wires.iter_mut().find(of)
                && let Some(channel) = wire.conn.channels.pop_first()
            {
                let cluster = &mut self.clients[client].cluster;
                sharded.handle_unsubscribed(now, cluster, wire.id, &channel);
            }
        }
    }

    // The end.

    /// What has to hold once all is over.
    pub(super) fn finish(&mut self) -> Check {
        self.settle_down()?;
        if let Some(unasked) = self.model.unasked.take().filter(|_| !self.lossy) {
            return Err(format!("ASK was followed without ASKING: {unasked}"));
        }
        let mut counted: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for task in &self.tasks {
            let runs = |(name, word): &(&'static str, Bytes)| {
                self.model.log.get(&((*name).to_owned(), word.clone())).map_or(&[][..], |runs| runs)
            };
            let shown = |word: &Bytes| String::from_utf8_lossy(word).into_owned();
            for asked in &task.once {
                if runs(asked).len() > 1 {
                    return Err(format!("invariant 7: {} {} ran twice", asked.0, shown(&asked.1)));
                }
            }
            for asked in &task.unsent {
                if !runs(asked).is_empty() {
                    let text = format!("{} {}", asked.0, shown(&asked.1));
                    return Err(format!("invariant 7: {text} ran, and was said not to be sent"));
                }
            }
            for commands in &task.transactions {
                let units: Vec<Vec<(usize, u64)>> = commands
                    .iter()
                    .map(|asked| runs(asked).iter().map(|ran| (ran.node, ran.unit)).collect())
                    .collect();
                if units.iter().any(|unit| *unit != units[0]) {
                    return Err(format!("invariant 8: a transaction ran in part: {units:?}"));
                }
            }
            for (tag, (sure, maybe)) in &task.counted {
                let all = counted.entry(tag).or_default();
                (all.0, all.1) = (all.0 + sure, all.1 + maybe);
            }
        }
        if self.plan.has(Fault::Loss) {
            return Ok(());
        }
        for (tag, (sure, maybe)) in counted {
            let count = self.model.peek(format!("{{{tag}}}watched").into());
            if count < sure || count > sure + maybe {
                let told = format!("{sure} transactions succeeded and {maybe} may have");
                return Err(format!("invariant 8: {tag} was counted to {count}, {told}"));
            }
        }
        Ok(())
    }

    /// Lets what is under way come to its end, and subscriptions to where they belong.
    fn settle_down(&mut self) -> Check {
        self.strikes = 0;
        let end = self.now + CALM;
        loop {
            self.settle()?;
            let missing = self.missing();
            let still = self.later.is_empty() && !self.model.is_moving();
            if missing.is_none() && still || self.lossy && self.now > end {
                return Ok(());
            }
            let Some(due) = self.due().filter(|due| *due <= end) else {
                return match missing {
                    Some(missing) => Err(format!("invariant 12: {missing} is subscribed nowhere")),
                    None => Ok(()),
                };
            };
            self.now = self.now.max(due);
            self.step()?;
        }
    }

    /// A channel that is wanted and not subscribed at its slot's node.
    fn missing(&self) -> Option<String> {
        for (at, task) in self.tasks.iter().enumerate() {
            for channel in task.subscriptions.iter().flat_map(Sharded::channels) {
                let owner = self.model.owner(slot_of(channel));
                let there = self.wires.iter().any(|wire| {
                    wire.own == Some(at + SUBSCRIBERS)
                        && wire.state == State::Open
                        && wire.conn.node == owner
                        && wire.conn.channels.contains(channel)
                });
                if !there {
                    return Some(String::from_utf8_lossy(channel).into_owned());
                }
            }
        }
        None
    }
}
