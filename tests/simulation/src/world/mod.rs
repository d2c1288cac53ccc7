//! Clients, a network and a server: everything that happens, and when, comes from one seed.
//!
//! Owns the clock and the order of events. What clients ask is in `tasks`, what they are is in `link`,
//! what goes wrong is in `faults`, and what must hold is in `audit`.

mod audit;
mod faults;
mod link;
mod network;
mod plan;
mod tasks;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use redis_core::batch::Ticket;
use redis_core::connection::{Event, Role};
use redis_core::pubsub::{Overflow, PubSub};
use redis_core::session::{Action, Session};
use redis_core::{Config, Error, ErrorKind, Protocol};
use resp_proto::{Limits, Scanner};
use testkit::embedded::Core;

pub use self::audit::Violation;
use self::audit::{Audit, Check, Peer, broken, text};
use self::link::{Kind, Link, Style};
use self::network::{Piece, Wire};
pub(crate) use self::plan::Plan;
use self::plan::{Fault, Work};
use self::tasks::{Places, Task};
use crate::pick;

/// Steps of one run, at the most.
const STEPS: usize = 300_000;

/// How long subscriptions may take to be as wanted, once nothing goes wrong any more.
const CALM: Duration = Duration::from_secs(60);

/// How late an answer may be: an adapter looks at its inbox a little after it was filled.
const SLACK: Duration = Duration::from_millis(20);

/// What a finished run tells.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Commands that the server ran.
    pub(crate) commands: u64,
    /// One line an event, if they were asked for.
    pub(crate) trace: Vec<String>,
}

/// What became of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// A task waits for it.
    Live(usize),
    /// Nobody waits for what becomes of this operation.
    Nobodys(u64),
    Answered,
    Abandoned,
}

/// What a machine told its driver.
enum Told {
    Frames(Ticket, Bytes, bool),
    Failed(Ticket, Error, Option<Instant>),
    Ready(u64),
    Closed(u64, Error),
}

struct Client {
    config: Arc<Config>,
    shared: u64,
    dedicated: Places,
    blocking: Places,
    pubsub: u64,
    wanted: BTreeSet<(&'static str, Bytes)>,
    /// Where the last message of each subscription was among all that were published.
    heard: BTreeMap<(&'static str, Bytes), usize>,
    messages: i64,
    notices: u32,
}

pub(crate) struct World {
    plan: Plan,
    base: Instant,
    now: Instant,
    /// Choices of the network, of faults, and of adapters.
    net: SmallRng,
    luck: SmallRng,
    server: Core,
    /// The server's process is not there before this time.
    down_until: Option<Instant>,
    stalled_until: Instant,
    loading_until: Option<Instant>,
    refusing_until: Instant,
    next_strike: Option<Instant>,
    strikes: usize,
    /// Handshakes to refuse.
    sabotage: u32,
    clients: Vec<Client>,
    links: BTreeMap<u64, Link>,
    wires: BTreeMap<u64, Wire>,
    tasks: Vec<Task>,
    tickets: BTreeMap<u64, Life>,
    next: u64,
    audit: Audit,
    trace: Option<Vec<String>>,
    healed: bool,
    /// All tasks are over: what they leave behind settles until then.
    calm_until: Option<Instant>,
    /// Clients whose subscriptions were as wanted, late in that time.
    settled: BTreeSet<usize>,
}

impl World {
    /// Runs a plan to its end.
    ///
    /// # Errors
    ///
    /// What did not hold, and the trace up to there.
    pub(crate) fn run(plan: Plan, traced: bool) -> Result<Report, (Violation, Report)> {
        let mut world = Self::new(plan, traced);
        let result = world.go();
        let report = Report {
            commands: world.audit.commands,
            trace: world.trace.take().unwrap_or_default(),
        };
        match result {
            Ok(()) => Ok(report),
            Err(violation) => Err((violation, report)),
        }
    }

    fn new(plan: Plan, traced: bool) -> Self {
        let base = Instant::now();
        let seed = plan.seed;
        let rng = |part: u64| SmallRng::seed_from_u64(seed.wrapping_mul(31).wrapping_add(part));
        let password = plan.password.then_some("secret");
        let mut world = Self {
            base,
            now: base,
            net: rng(1),
            luck: rng(2),
            server: Core::new(password, plan.hello),
            down_until: None,
            stalled_until: base,
            loading_until: None,
            refusing_until: base,
            next_strike: None,
            strikes: plan.strikes,
            sabotage: 0,
            clients: Vec::new(),
            links: BTreeMap::new(),
            wires: BTreeMap::new(),
            tasks: Vec::new(),
            tickets: BTreeMap::new(),
            next: 0,
            audit: Audit::new(base),
            trace: traced.then(Vec::new),
            healed: false,
            calm_until: None,
            settled: BTreeSet::new(),
            plan,
        };
        if world.plan.faults.is_empty() {
            world.strikes = 0;
        }
        world.next_strike = Some(base + world.plan.gap);
        for client in 0..world.plan.clients {
            world.add_client(client, &mut rng(10 + client as u64));
        }
        world
    }

    fn add_client(&mut self, at: usize, rng: &mut SmallRng) {
        let mut config = Config::default();
        let quiet = self.plan.is_quiet();
        config.protocol = *pick(rng, &[Protocol::Resp2, Protocol::Resp3]);
        config.password = self.plan.password.then(|| "secret".into());
        config.database = rng.random_range(0..3);
        config.client_name = rng.random_bool(0.5).then(|| format!("client-{at}"));
        config.max_in_flight = *pick(rng, &[1, 4, 1000]);
        config.max_unsent = *pick(rng, &[0, 100, 1 << 20]);
        config.pool_size = rng.random_range(1..4);
        config.pool_min = rng.random_range(0..2);
        config.connect_timeout = Duration::from_millis(*pick(rng, &[300, 2000]));
        config.command_timeout =
            *pick(rng, &[Some(Duration::from_millis(700)), Some(Duration::from_secs(5)), None]);
        config.pool_timeout = Duration::from_millis(*pick(rng, &[0, 500, 5000]));
        config.max_retries = rng.random_range(0..4);
        config.max_transaction_attempts = *pick(rng, &[3, 1000]);
        config.health_interval = Some(Duration::from_secs(30));
        // Long enough for all subscriptions to be restored.
        let age = if self.plan.window < 300 { 5000 } else { 400 };
        config.max_age = *pick(rng, &[None, None, Some(Duration::from_millis(age))]);
        config.max_idle = *pick(rng, &[None, Some(Duration::from_millis(100))]);
        config.max_backlog = *pick(rng, &[0, 300, 1 << 20]);
        let overflow = [Overflow::DropOldest, Overflow::DropNewest, Overflow::Backpressure];
        config.overflow = *pick(rng, &overflow);
        if quiet && self.plan.work.contains(&Work::PubSub) {
            // A subscriber misses messages while its connection is replaced.
            config.max_age = None;
        } else if rng.random_bool(0.25) {
            config.overflow = Overflow::Disconnect;
        }
        if !quiet && self.plan.has(Fault::Deadlines) {
            config.health_interval =
                *pick(rng, &[None, Some(Duration::from_millis(300)), Some(Duration::from_secs(5))]);
        }
        if quiet || !self.plan.has(Fault::Deadlines) {
            config.connect_timeout = Duration::from_secs(1000);
            config.command_timeout = Some(Duration::from_secs(1000));
            config.pool_timeout = Duration::from_secs(1000);
            config.max_transaction_attempts = 1_000_000;
        }
        let config = Arc::new(config);
        let seed = rng.random();
        let now = self.now;
        let session = Session::new(config.clone(), Role::Commands, seed);
        let shared =
            self.add_link(Link::new(at, Style::Shared, Kind::Session(Box::new(session)), now));
        let machine = PubSub::new(config.clone(), seed ^ 1);
        let pubsub =
            self.add_link(Link::new(at, Style::Subscriber, Kind::PubSub(Box::new(machine)), now));
        self.clients.push(Client {
            dedicated: Places::new(&config),
            blocking: Places::new(&config),
            config,
            shared,
            pubsub,
            wanted: BTreeSet::new(),
            heard: BTreeMap::new(),
            messages: 0,
            notices: 0,
        });
        for work in self.plan.work.clone() {
            let tasks = if work == Work::PubSub { 1 } else { self.plan.tasks };
            for task in 0..tasks {
                let seed = (at * 100 + task * 10) as u64 + work as u64;
                let rng = SmallRng::seed_from_u64(self.plan.seed.wrapping_mul(77) ^ (seed << 32));
                self.tasks.push(Task::new(at, work, self.plan.ops, rng, now));
            }
        }
    }

    fn add_link(&mut self, link: Link) -> u64 {
        self.next += 1;
        self.links.insert(self.next, link);
        self.next
    }

    /// A line for the trace.
    fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let at = (self.now - self.base).as_secs_f64() * 1000.0;
            trace.push(format!("{at:10.3} {}", line()));
        }
    }

    /// A line for bytes that moved: pieces that follow each other share one.
    fn note_bytes(&mut self, link: u64, what: &str, n: usize) {
        let Some(trace) = &mut self.trace else { return };
        let head = format!("link {link}: {what} ");
        let before = trace.last().and_then(|line| line.get(11..)?.strip_prefix(&head));
        let before = before.and_then(|rest| rest.strip_suffix(" bytes")?.parse::<usize>().ok());
        if before.is_some() {
            trace.pop();
        }
        self.note(|| format!("{head}{} bytes", before.unwrap_or(0) + n));
    }

    fn go(&mut self) -> Check {
        for _ in 0..STEPS {
            self.settle()?;
            if self.tasks.iter().all(Task::is_over) {
                if !self.healed {
                    self.heal()?;
                    continue;
                }
                // What is not there by then never comes.
                let end = *self.calm_until.get_or_insert(self.now + CALM);
                if self.now > end - CALM / 2 {
                    // Connections that are replaced all the time are rarely whole at one moment.
                    let whole = (0..self.clients.len()).filter(|client| self.has_wanted(*client));
                    let whole: Vec<usize> = whole.collect();
                    self.settled.extend(whole);
                }
                let all = self.settled.len() == self.clients.len();
                if self.is_quiescent() || all || self.now > end {
                    return self.finish();
                }
            }
            let Some(due) = self.due() else {
                return match self.tasks.iter().all(Task::is_over) {
                    true => self.finish(),
                    false => Err(broken(6, "nothing more can happen, and somebody still waits")),
                };
            };
            self.now = self.now.max(due);
            self.step()?;
        }
        let waiting = self.tasks.iter().filter(|task| !task.is_over()).count();
        Err(broken(6, format!("{STEPS} steps were not enough, {waiting} tasks wait")))
    }

    /// When the next thing happens.
    fn due(&mut self) -> Option<Instant> {
        let mut due: Option<Instant> = None;
        let mut at = |time: Option<Instant>| {
            due = due.into_iter().chain(time).min();
        };
        at(self
            .server
            .poll_timeout()
            .map(|millis| self.base + Duration::from_millis(millis as u64)));
        at(self.next_strike);
        at(self.down_until);
        at(self.loading_until);
        for link in self.links.values_mut() {
            at(link.opening.flatten());
            // Nobody looks at a blocking client's connection while it is idle.
            if link.style != Style::Sync || link.loan.is_some() {
                at(link.due(self.now));
            }
        }
        for wire in self.wires.values() {
            at(self.server_reads(wire));
            at(self.client_reads(wire));
        }
        for task in &self.tasks {
            at(task.due());
        }
        due
    }

    /// When the server reads from the wire.
    fn server_reads(&self, wire: &Wire) -> Option<Instant> {
        let blocked = self.plan.strict && !wire.backlog.is_empty();
        let due = wire.to_server.due().filter(|_| !blocked)?;
        Some(due.max(self.stalled_until))
    }

    /// When the client reads from the wire.
    fn client_reads(&self, wire: &Wire) -> Option<Instant> {
        let due = wire.to_client.due()?;
        if wire.client_gone {
            return Some(due);
        }
        let link = self.links.get(&wire.link)?;
        // A blocking client reads while it waits for something.
        let idle = link.style == Style::Sync && link.loan.is_none();
        (!idle && link.takes_input() && !self.is_held_up(link.loan)).then(|| due.max(link.reads_at))
    }

    /// Lets everything happen that is due.
    fn step(&mut self) -> Check {
        let now = self.now;
        if self.down_until.is_some_and(|until| until <= now) {
            self.down_until = None;
            self.note(|| "the server is up".into());
        }
        if self.loading_until.is_some_and(|until| until <= now) {
            self.loading_until = None;
            self.server.set_loading(false);
            self.audit.miss_scripts();
        }
        if self.next_strike.is_some_and(|at| at <= now) {
            self.strike()?;
        }
        let millis = self.millis();
        if self.server.poll_timeout().is_some_and(|due| due <= millis) {
            self.server.handle_timeout(millis);
            self.look_at_server()?;
        }
        // Connections are served in any order, bytes of each in theirs.
        let mut wires: Vec<u64> = self.wires.keys().copied().collect();
        if wires.len() > 1 && self.net.random_bool(0.5) {
            let at = self.net.random_range(0..wires.len());
            wires.rotate_left(at);
        }
        for id in wires {
            if self
                .wires
                .get(&id)
                .and_then(|wire| self.server_reads(wire))
                .is_some_and(|at| at <= now)
            {
                self.arrive_at_server(id)?;
            }
            if self
                .wires
                .get(&id)
                .and_then(|wire| self.client_reads(wire))
                .is_some_and(|at| at <= now)
            {
                self.arrive_at_client(id)?;
            }
        }
        let ids: Vec<u64> = self.links.keys().copied().collect();
        for id in ids {
            let Some(link) = self.links.get_mut(&id) else { continue };
            let idle = link.style == Style::Sync && link.loan.is_none();
            if !idle && link.machine().poll_timeout().is_some_and(|at| at <= now) {
                link.machine().handle_timeout(now);
                self.note(|| format!("link {id}: timeout"));
            }
            let opening = self.links.get(&id).and_then(|link| link.opening).flatten();
            if opening.is_some_and(|at| at <= now) {
                self.open(id);
            }
        }
        Ok(())
    }

    fn millis(&self) -> i64 {
        (self.now - self.base).as_millis() as i64
    }

    /// Takes what machines, tasks and the server have to say, until they are silent.
    fn settle(&mut self) -> Check {
        for _ in 0..10_000 {
            let mut told = Vec::new();
            let ids: Vec<u64> = self.links.keys().copied().collect();
            for id in &ids {
                self.settle_link(*id, &mut told)?;
            }
            let mut busy = !told.is_empty();
            for told in told {
                self.tell(told)?;
            }
            for task in 0..self.tasks.len() {
                busy |= self.turn(task)?;
            }
            if !busy {
                return self.look_at_pools();
            }
        }
        Err(broken(6, "machines and tasks never rest"))
    }

    fn settle_link(&mut self, id: u64, told: &mut Vec<Told>) -> Check {
        self.flush(id, told)?;
        loop {
            let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
            let Some(action) = link.machine().poll_action() else { break };
            match action {
                Action::Open(_) => self.begin_open(id),
                Action::Close => self.close_link(id),
            }
        }
        self.transmit(id)?;
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        while let Some(event) = link.machine().poll_event() {
            told.push(match event {
                Event::Ready => Told::Ready(id),
                Event::Failed { ticket, error, deadline } => Told::Failed(ticket, error, deadline),
                Event::Closed(error) => Told::Closed(id, error),
                Event::Replies { .. } | Event::Push(_) => {
                    return Err(broken(1, "a reply came without an input"));
                }
            });
        }
        if link.style == Style::Subscriber {
            self.check_backlog(id)?;
            if self.read_messages(id)? {
                // There is something to do again, which the reader knew first.
                return self.settle_link(id, told);
            }
        }
        Ok(())
    }

    fn begin_open(&mut self, id: u64) {
        let delay = self.plan.delay.mul_f64(self.net.random());
        let hangs = self.plan.has(Fault::Refuse)
            && !self.healed
            && self.plan.has(Fault::Deadlines)
            && self.net.random_bool(0.05);
        let at = (!hangs).then_some(self.now + delay);
        self.note(|| format!("link {id}: connecting{}", if hangs { " to nowhere" } else { "" }));
        if let Some(link) = self.links.get_mut(&id) {
            link.opening = Some(at);
        }
    }

    /// The attempt to connect is decided.
    fn open(&mut self, id: u64) {
        let refused = self.down_until.is_some() || self.refusing_until > self.now;
        let now = self.now;
        let Some(link) = self.links.get_mut(&id) else { return };
        link.opening = None;
        if refused {
            link.machine().handle_open_failed(now, io::ErrorKind::ConnectionRefused.into());
            return self.note(|| format!("link {id}: refused"));
        }
        let config = &self.clients[link.client].config;
        let peer = self.server.connect();
        let resp3 = config.protocol == Protocol::Resp3 && self.plan.hello;
        let mut about = Peer {
            database: config.database as usize,
            name: config.client_name.clone().unwrap_or_default().into(),
            protocol: if resp3 { resp_proto::Protocol::Resp3 } else { resp_proto::Protocol::Resp2 },
            sabotaged: false,
            again: link.opened > 0,
            exclusive: matches!(link.style, Style::Dedicated | Style::Sync),
            last: None,
        };
        link.opened += 1;
        if self.sabotage > 0 {
            self.sabotage -= 1;
            about.sabotaged = true;
            let steps = [
                ("HELLO", "ERR no such step today"),
                ("AUTH", "WRONGPASS invalid username-password pair or user is disabled."),
                ("SELECT", "ERR DB index is out of range"),
                ("CLIENT", "ERR no such step today"),
            ];
            let (step, error) = *pick(&mut self.luck, &steps);
            self.server.refuse(peer, step, error);
        }
        self.audit.peers.insert(peer, about);
        self.next += 1;
        let wire = self.next;
        self.wires.insert(wire, Wire::new(id, peer));
        link.wire = Some(wire);
        link.machine().handle_opened();
        self.note(|| format!("link {id}: connected, the server's {peer}"));
    }

    /// The machine wants no socket any longer.
    fn close_link(&mut self, id: u64) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&id) else { return };
        link.opening = None;
        let Some(wire) = link.wire.take().and_then(|wire| self.wires.get_mut(&wire)) else {
            return;
        };
        wire.client_gone = true;
        wire.to_client.lose();
        // What was written still arrives, or a reset overtakes it.
        if self.net.random_bool(0.5) {
            wire.to_server.lose();
        }
        wire.to_server.swallows = false;
        wire.to_server.end(None, now, &self.plan, &mut self.net);
        self.note(|| format!("link {id}: closed"));
    }

    fn transmit(&mut self, id: u64) -> Check {
        let now = self.now;
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        let Some(wire) = link.wire.and_then(|wire| self.wires.get_mut(&wire)) else {
            return Ok(());
        };
        let (mut total, mut early) = (0, false);
        while let Some(transmit) = link.machine().poll_transmit() {
            let room = wire.to_server.room(&self.plan);
            let bytes: Vec<u8> = transmit
                .slices()
                .iter()
                .flat_map(|slice| slice.iter())
                .copied()
                .take(room)
                .collect();
            if bytes.is_empty() {
                break;
            }
            link.machine().handle_transmitted(bytes.len());
            early |= !wire.meter.write(&bytes);
            wire.to_server.write(&bytes, now, &self.plan, &mut self.net);
            total += bytes.len();
        }
        if total > 0 {
            self.note_bytes(id, "wrote", total);
        }
        match early {
            true => Err(broken(9, "a command was written before the handshake was answered")),
            false => Ok(()),
        }
    }

    fn arrive_at_server(&mut self, id: u64) -> Check {
        let now = self.now;
        let Some(wire) = self.wires.get_mut(&id) else { return Ok(()) };
        let peer = wire.peer;
        match wire.to_server.pop() {
            Some(Piece::Bytes(bytes)) => {
                if let Some(peer) = peer {
                    let millis = (now - self.base).as_millis() as i64;
                    self.server.handle_input(peer, &bytes, millis);
                    return self.look_at_server();
                }
            }
            Some(Piece::End(_)) => {
                if let Some(peer) = wire.peer.take() {
                    self.server.handle_disconnect(peer);
                }
                wire.backlog.clear();
                wire.to_client.end(None, now, &self.plan, &mut self.net);
            }
            None => {}
        }
        self.forget_wire(id);
        Ok(())
    }

    /// Takes what the server has written, and what it ran.
    fn look_at_server(&mut self) -> Check {
        for ran in self.server.take_log() {
            self.note(|| {
                let transaction = ran.transaction.map(|n| format!(" in transaction {n}"));
                let words = text(&ran.args.join(&b' '));
                let (client, reply) = (ran.client, text(&ran.reply));
                format!("server {client}: {words}{} -> {reply}", transaction.unwrap_or_default())
            });
            self.audit.ran(&ran, self.now)?;
        }
        self.pour();
        Ok(())
    }

    /// Moves what the server has written to where there is room.
    fn pour(&mut self) {
        let now = self.now;
        for wire in self.wires.values_mut() {
            let Some(peer) = wire.peer else { continue };
            if wire.backlog.is_empty() || !self.plan.strict {
                wire.backlog.append(&mut self.server.poll_output(peer));
            }
            wire.closing |= self.server.is_closing(peer);
            if wire.to_client.is_ended() {
                wire.backlog.clear();
            }
            let room = wire.to_client.room(&self.plan).min(wire.backlog.len());
            if room > 0 {
                let bytes: Vec<u8> = wire.backlog.drain(..room).collect();
                wire.to_client.write(&bytes, now, &self.plan, &mut self.net);
            }
            if wire.closing && wire.backlog.is_empty() {
                wire.peer = None;
                self.server.handle_disconnect(peer);
                wire.to_client.end(None, now, &self.plan, &mut self.net);
            }
        }
    }

    fn arrive_at_client(&mut self, id: u64) -> Check {
        let now = self.now;
        let Some(wire) = self.wires.get_mut(&id) else { return Ok(()) };
        let piece = wire.to_client.pop();
        let (of, gone) = (wire.link, wire.client_gone);
        let Some(link) = self.links.get_mut(&of).filter(|_| !gone) else {
            self.forget_wire(id);
            return Ok(());
        };
        match piece {
            Some(Piece::Bytes(bytes)) => {
                wire.meter.read(&bytes);
                wire.unread.extend_from_slice(&bytes);
                let mut events = Vec::new();
                let used = link.machine().handle_input(now, &wire.unread, &mut events);
                let told: Vec<Told> = events
                    .into_iter()
                    .filter_map(|event| match event {
                        Event::Replies { ticket, range, done, .. } => {
                            let frames = Bytes::copy_from_slice(&wire.unread[range]);
                            Some(Told::Frames(ticket, frames, done))
                        }
                        _ => None,
                    })
                    .collect();
                wire.unread.drain(..used);
                if let Ok(Some(_)) = Scanner::new(Limits::default()).scan(&wire.unread) {
                    return Err(broken(16, format!("link {of} keeps a whole frame back")));
                }
                if self.plan.has(Fault::SlowReader) && self.net.random_bool(0.1) {
                    link.reads_at = now + Duration::from_millis(self.net.random_range(0..20));
                }
                self.note_bytes(of, "read", bytes.len());
                for told in told {
                    self.tell(told)?;
                }
            }
            Some(Piece::End(why)) => {
                link.wire = None;
                wire.client_gone = true;
                wire.to_server.swallows = false;
                wire.to_server.end(None, now, &self.plan, &mut self.net);
                link.machine().handle_disconnect(now, why);
                self.note(|| format!("link {of}: lost, {why:?}"));
            }
            None => {}
        }
        self.pour();
        Ok(())
    }

    /// Both ends are gone.
    fn forget_wire(&mut self, id: u64) {
        let over = self.wires.get(&id).is_some_and(|wire| {
            wire.peer.is_none() && wire.client_gone && wire.to_server.is_empty()
        });
        if over {
            self.wires.remove(&id);
        }
    }

    /// Nothing is on its way, and what is wanted is there.
    fn is_quiescent(&self) -> bool {
        let still = |wire: &Wire| wire.to_server.is_empty() && self.client_reads(wire).is_none();
        let whole = (0..self.clients.len()).all(|client| self.has_wanted(client))
            && self.links.values().all(|link| link.away_until <= self.now);
        // What was left for nobody is still sent.
        let left = self.tickets.values().any(|life| matches!(life, Life::Nobodys(_)));
        whole && !left && self.wires.values().all(still)
    }

    /// Whether the server has the subscriptions that the client wants.
    fn has_wanted(&self, client: usize) -> bool {
        let of = &self.clients[client];
        let link = &self.links[&of.pubsub];
        let wire = link.wire.and_then(|wire| self.wires.get(&wire));
        let there = wire.and_then(|wire| wire.peer).map(|peer| self.server.subscriptions(peer));
        of.wanted.iter().eq(there.iter().flatten().collect::<BTreeSet<_>>())
    }

    /// Everybody is answered: what is left is compared.
    fn finish(&mut self) -> Check {
        for client in 0..self.clients.len() {
            if !self.settled.contains(&client) && !self.has_wanted(client) {
                let wanted = &self.clients[client].wanted;
                return Err(broken(
                    11,
                    format!("client {client} wants {wanted:?}, not all is there"),
                ));
            }
        }
        if self.plan.is_quiet() {
            let heard: i64 = self.clients.iter().map(|client| client.messages).sum();
            if heard != self.audit.copies {
                let copies = self.audit.copies;
                return Err(broken(11, format!("{copies} messages were sent, {heard} read")));
            }
        }
        self.close_sessions()?;
        if let Some((ticket, life)) =
            self.tickets.iter().find(|(_, life)| matches!(life, Life::Nobodys(_)))
        {
            return Err(broken(6, format!("request {ticket} is {life:?} and was never answered")));
        }
        self.audit.finish(self.plan.is_quiet())
    }

    /// Sessions that are closed end, and leave nothing behind.
    fn close_sessions(&mut self) -> Check {
        for client in 0..self.clients.len() {
            let id = self.clients[client].shared;
            let now = self.now;
            if let Some(session) = self.links.get_mut(&id).and_then(Link::session) {
                session.close(now);
            }
        }
        for _ in 0..STEPS {
            self.settle()?;
            let open = self.clients.iter().map(|client| client.shared).find(
                |id| !matches!(&self.links[id].kind, Kind::Session(session) if session.is_over()),
            );
            if open.is_none() {
                return Ok(());
            }
            let Some(due) = self.due() else { break };
            self.now = self.now.max(due);
            self.step()?;
        }
        Err(broken(6, "a closed session never ends"))
    }

    /// What a failed exchange says of the server, which is a good one.
    fn is_lie(error: &Error) -> Check {
        match error.kind() {
            ErrorKind::Protocol => {
                Err(broken(4, format!("a good server was said to err: {error}")))
            }
            _ => Ok(()),
        }
    }
}
