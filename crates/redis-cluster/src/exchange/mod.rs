//! One request of a user, whatever it takes: a command, a pipeline, a transaction, or parts of commands for many
//! nodes.
//!
//! Owns what is sent where, what each answer or failure means for the command that it belongs to and for no
//! other, and the replies in the caller's order. Knows nothing of connections.

mod few;
mod part;
mod refused;
mod replies;
mod source;
#[cfg(test)]
mod tests;
mod transaction;

use std::ops::Range;
use std::time::Instant;

use bytes::Bytes;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use redis_core::pipeline::Mark;
use redis_core::retry::{Retry, Unit};
use redis_core::send::SendBuffer;
use redis_core::{Block, Cmd, Delivery, Error, ErrorKind, Result};
use resp_proto::{FrameReader, Sink as _, request};

use self::few::Few;
use self::part::{Form, Goal, NONE, Part, Place, State, Trouble};
pub use self::source::Source;
use self::transaction::Frames;
use crate::cluster::{Cluster, Found, Link};
use crate::merge::{Merge, Merged, is_error};
use crate::plan::{Plan, Scope, Target, plan, slot_of_all, slot_of_one};
use crate::registry::NodeId;
use crate::topology::Role;

const ASKING: &[u8] = b"*1\r\n$6\r\nASKING\r\n";

/// How a request is to be dealt with, beyond what its commands say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Until when an answer is wanted. None waits for ever.
    pub deadline: Option<Instant>,
    /// Which nodes get it.
    pub target: Target,
    /// Seed of the waits.
    pub seed: u64,
}

/// Names what was sent together, to the exchange that sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SendId(u32);

/// Something to send, as one request of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a request that is not sent is never answered"]
pub struct Send {
    /// What [`Exchange::handle_replies`] and [`Exchange::handle_failed`] are told with.
    pub id: SendId,
    /// Where it goes.
    pub node: NodeId,
    /// On which of the node's links.
    pub link: Link,
    /// For how long the server may hold it; unless that is `Never`, it wants a connection of its own.
    pub block: Block,
    /// How many reply frames will come.
    pub replies: u32,
}

/// What was sent together and is not answered in full.
#[derive(Debug)]
struct Flight {
    node: NodeId,
    /// The part whose reply is next.
    next: u32,
    /// It has an ASKING before it, whose reply is first.
    asking: bool,
    sent_at: Instant,
}

/// What is about to be sent together.
#[derive(Clone, Copy, Debug)]
struct Outgoing {
    node: NodeId,
    link: Link,
    head: u32,
    tail: u32,
    replies: u32,
    block: Block,
}

/// A command that is several parts.
#[derive(Debug)]
struct Group {
    /// The part that stands for the whole.
    whole: u32,
    first: u32,
    count: u32,
    /// Parts that are not over.
    open: u32,
    merge: Merge,
    /// Whom the parts are for, where they go to nodes and not to slots.
    nodes: Vec<NodeId>,
}

/// One request and its way to an answer.
///
/// # Examples
///
/// ```
/// # use std::sync::Arc;
/// # use std::time::Instant;
/// # use redis_cluster::{Action, Cluster, Exchange, Options, ClusterConfig, Source as _};
/// # use redis_core::send::SendBuffer;
/// # use redis_core::{Config, Endpoint, cmd, decode};
/// # let seed = Endpoint::Tcp { host: "h1".into(), port: 7000 };
/// # let mut cluster = Cluster::new(Arc::new(Config::default()), ClusterConfig::new([seed]), 1);
/// # let now = Instant::now();
/// # cluster.refresh(now);
/// # cluster.handle_timeout(now);
/// # let Some(Action::Ask(node)) = cluster.poll_action() else { panic!() };
/// # cluster.handle_view(now, node, decode(b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$2\r\nh1\r\n:7000\r\n"));
/// use redis_core::Command as _;
///
/// let get = cmd::get::<String>("greeting").into_cmd();
/// let mut exchange = Exchange::new(&cluster, &get, Options::default())?;
/// while let Some(send) = exchange.poll_send(now, &mut cluster) {
///     let mut out = SendBuffer::default();
///     exchange.write(&send, &get, &mut out);
///     // `out` goes to `send.node`; what it answers:
///     exchange.handle_replies(now, &mut cluster, send.id, b"$5\r\nhello\r\n"[..].into())?;
/// }
/// assert!(exchange.is_over());
/// assert_eq!(exchange.take_reply()?, "$5\r\nhello\r\n");
/// # Ok::<(), redis_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Exchange {
    options: Options,
    turn: u32,
    /// Commands of the caller: the first parts are theirs.
    commands: u32,
    parts: Few<Part>,
    /// What the parts are, for the rules of [`Retry`].
    units: Few<Unit>,
    groups: Vec<Group>,
    /// Encoded commands that the source does not have: parts of others.
    own: Vec<u8>,
    /// Each of them.
    ranges: Vec<Range<usize>>,
    /// The memory of replies.
    chunks: Few<Bytes>,
    transaction: Option<Box<Frames>>,
    flights: Few<Flight>,
    outgoing: Vec<Outgoing>,
    /// The line of parts that are ready.
    head: u32,
    tail: u32,
    /// Parts of the caller's commands that are not over.
    open: u32,
    /// Parts that wait for a time, or for a map.
    waiting: u32,
    /// No part waits for an earlier time.
    earliest: Option<Instant>,
}

impl Exchange {
    /// A request for what the source has.
    ///
    /// # Errors
    ///
    /// `InvalidRequest`, naming the keys, where what has to be in one slot is not: a transaction, a command that
    /// can't be split. Nothing is sent then.
    pub fn new<S: Source + ?Sized>(
        cluster: &Cluster,
        source: &S,
        options: Options,
    ) -> Result<Self> {
        let mut exchange = Self {
            options,
            turn: cluster.next_turn(),
            commands: 0,
            parts: Few::default(),
            units: Few::default(),
            groups: Vec::new(),
            own: Vec::new(),
            ranges: Vec::new(),
            chunks: Few::default(),
            transaction: None,
            flights: Few::default(),
            outgoing: Vec::new(),
            head: NONE,
            tail: NONE,
            open: 0,
            waiting: 0,
            earliest: None,
        };
        if source.is_atomic() {
            exchange.transaction = Some(Box::new(Frames::new(source.len())));
            let goal = match (options.target, slot_of_all(source)?) {
                (Target::Node(node), _) => Goal::Node(node, Link::Primary),
                (_, Some(slot)) => Goal::Slot(slot),
                (_, None) => Goal::Any,
            };
            exchange.commands = 1;
            exchange.units.push(source.unit());
            exchange.add(Part::new(goal, Form::All, 0));
        } else {
            exchange.commands = source.len() as u32;
            exchange.parts.reserve(source.len());
            let mut plans = Vec::new();
            let splits_pairs = cluster.settings().split_mset;
            for index in 0..source.len() {
                exchange.plan(source, index, splits_pairs, &mut plans).map_err(
                    |error| match source.len() {
                        1 => error,
                        _ => error.with_context(format!("command {}", index + 1)),
                    },
                )?;
            }
            // Behind the parts of the commands as such.
            for (whole, parts, merge) in plans {
                exchange.add_group(whole, parts, merge, Vec::new());
            }
        }
        exchange.open = exchange.commands;
        exchange.line_up();
        Ok(exchange)
    }

    /// A request for a single command that was sent already, where [`Cluster::route`] said, and what it was sent as:
    /// its replies, or its failure, are to be told next.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn resume<R>(
        now: Instant,
        cluster: &mut Cluster,
        cmd: &Cmd<R>,
        options: Options,
        (node, link): (NodeId, Link),
    ) -> Result<(Self, Send)> {
        let mut exchange = Self::new(cluster, cmd, options)?;
        (exchange.head, exchange.tail) = (NONE, NONE);
        let outgoing = exchange.outgoing(node, link, 0);
        let send = exchange.fly(now, cluster, outgoing);
        Ok((exchange, send))
    }

    fn plan<S: Source + ?Sized>(
        &mut self,
        source: &S,
        index: usize,
        splits_pairs: bool,
        splits: &mut Vec<(u32, Vec<Part>, Merge)>,
    ) -> Result<()> {
        let mark = source.mark(index);
        let reads = mark.info.is_readonly() && mark.block == Block::Never;
        let unit = self.unit(&mark);
        let mut part = Part::new(Goal::Any, Form::Command(index as u32), unit);
        part.reads = reads;
        if let (Target::Auto, Some(slot)) = (self.options.target, slot_of_one(&mark)) {
            // Nearly every command.
            part.goal = Goal::Slot(slot);
            self.add(part);
            return Ok(());
        }
        match plan(source, index, &mark, self.options.target, splits_pairs, &mut self.own)? {
            Plan::Slot(slot) => part.goal = Goal::Slot(slot),
            Plan::Any => {}
            Plan::Node(node) => part.goal = Goal::Node(node, Link::Primary),
            Plan::Every(scope, merge) => {
                part.goal = Goal::Every(scope);
                // The group has its parts once it is known who they are for.
                part.group = self.groups.len() as u32;
                let (whole, first) = (index as u32, NONE);
                let nodes = Vec::new();
                self.groups.push(Group { whole, first, count: 0, open: 0, merge, nodes });
            }
            Plan::Split(split) => {
                let part_of = |&(slot, start, end): &(u16, usize, usize)| {
                    let form = self.own_form(start..end);
                    Part { reads, ..Part::new(Goal::Slot(slot), form, unit) }
                };
                let parts = split.parts.iter().map(part_of).collect();
                splits.push((index as u32, parts, split.merge));
            }
            Plan::Unknown => {
                let words = source.words(index);
                let start = self.own.len();
                request::array_header(&mut self.own, 2 + words.len());
                for word in [&b"COMMAND"[..], b"GETKEYS"].into_iter().chain(words) {
                    request::bulk(&mut self.own, word);
                }
                part.asks_keys = true;
                part.form = self.own_form(start..self.own.len());
            }
        }
        self.add(part);
        Ok(())
    }

    /// These of the exchange's own bytes, as what is written for a part.
    fn own_form(&mut self, range: Range<usize>) -> Form {
        self.ranges.push(range);
        Form::Own((self.ranges.len() - 1) as u32)
    }

    /// The number of a command's unit: for most that of the command before.
    #[inline]
    fn unit(&mut self, mark: &Mark) -> u32 {
        if !self.units.last().is_some_and(|unit| unit.is_of(mark)) {
            self.units.push(Unit::of(mark));
        }
        self.units.len() as u32 - 1
    }

    fn add(&mut self, part: Part) -> u32 {
        self.parts.push(part);
        (self.parts.len() - 1) as u32
    }

    /// Puts several parts in the place of one.
    fn add_group(&mut self, whole: u32, parts: Vec<Part>, merge: Merge, nodes: Vec<NodeId>) {
        let (first, count) = (self.parts.len() as u32, parts.len() as u32);
        let group = self.groups.len() as u32;
        self.groups.push(Group { whole, first, count, open: count, merge, nodes });
        self.part(whole).state = State::Grouped(group);
        for part in parts {
            self.add(Part { group, ..part });
        }
    }

    fn part(&mut self, at: u32) -> &mut Part {
        &mut self.parts[at as usize]
    }

    /// Puts all commands in the line.
    fn line_up(&mut self) {
        if self.groups.is_empty() && self.commands > 0 {
            // Each is one part, and those lie in their order.
            (self.head, self.tail) = (0, self.commands - 1);
            (1..self.commands).for_each(|next| self.part(next - 1).next = next);
            return;
        }
        (0..self.commands).for_each(|part| self.get_ready(part));
    }

    /// Puts a part, or the parts of its group, at the end of the line.
    fn get_ready(&mut self, at: u32) {
        let part = self.part(at);
        if let State::Grouped(group) = part.state {
            let Group { first, count, .. } = self.groups[group as usize];
            return (first..first + count).for_each(|part| self.get_ready(part));
        }
        (part.state, part.next) = (State::Ready, NONE);
        match self.tail {
            NONE => self.head = at,
            tail => self.part(tail).next = at,
        }
        self.tail = at;
    }

    /// What to send next, if anything. A driver asks after each input, until there is nothing.
    pub fn poll_send(&mut self, now: Instant, cluster: &mut Cluster) -> Option<Send> {
        if self.outgoing.is_empty()
            && self.head != NONE
            && let Some(outgoing) = self.route_ready(now, cluster)
        {
            return Some(self.fly(now, cluster, outgoing));
        }
        let outgoing = self.outgoing.pop()?;
        Some(self.fly(now, cluster, outgoing))
    }

    /// Finds the nodes of all parts in the line, and puts those together that go to the same link. The only one
    /// is handed back.
    fn route_ready(&mut self, now: Instant, cluster: &mut Cluster) -> Option<Outgoing> {
        if self.head == self.tail {
            let only = std::mem::replace(&mut self.head, NONE);
            self.tail = NONE;
            if let Some((node, link)) = self.route(now, cluster, only) {
                return Some(self.outgoing(node, link, only));
            }
            // It may have become several.
            if self.head == NONE {
                return None;
            }
        }
        // For each node and link its place in the list.
        let mut places: Vec<u32> = Vec::new();
        while self.head != NONE {
            let at = self.head;
            self.head = self.part(at).next;
            if self.head == NONE {
                self.tail = NONE;
            }
            let Some((node, link)) = self.route(now, cluster, at) else { continue };
            let (replies, block) = self.depart(at);
            let key = node.index() * 2 + usize::from(link == Link::Replica);
            if places.len() <= key {
                places.resize(key + 1, NONE);
            }
            match self.outgoing.get_mut(places[key] as usize) {
                Some(outgoing) => {
                    let tail = std::mem::replace(&mut outgoing.tail, at);
                    outgoing.replies += replies;
                    outgoing.block = together(outgoing.block, block);
                    self.part(tail).next = at;
                }
                None => {
                    places[key] = self.outgoing.len() as u32;
                    self.outgoing.push(Outgoing { node, link, head: at, tail: at, replies, block });
                }
            }
        }
        self.outgoing.reverse();
        None
    }

    /// Where a part goes now. Without a place for it, it waits or is over.
    #[inline]
    fn route(&mut self, now: Instant, cluster: &mut Cluster, at: u32) -> Option<(NodeId, Link)> {
        let part = &self.parts[at as usize];
        if let (Goal::Slot(slot), None) = (part.goal, &part.trouble)
            && let reads = part.reads.then_some(self.turn)
            && let Found::Node(node, link) = cluster.find(slot, reads, now, None)
        {
            // Nearly every part. What is in the map has a place.
            return Some((node, link));
        }
        self.route_any(now, cluster, at)
    }

    fn route_any(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        at: u32,
    ) -> Option<(NodeId, Link)> {
        let turn = self.turn;
        let part = self.part(at);
        let found = match (part.redirect(), part.goal) {
            (Some((node, _)), _) => Found::Node(node, Link::Primary),
            (None, Goal::Slot(slot)) => {
                let avoid = part.trouble().and_then(|trouble| trouble.avoid);
                cluster.find(slot, part.reads.then_some(turn), now, avoid)
            }
            (None, Goal::Any) => cluster.any(turn, now),
            (None, Goal::Node(node, link)) => Found::Node(node, link),
            (None, Goal::Every(scope)) => {
                if self.spread(cluster, at, scope) {
                    return None;
                }
                if cluster.topology().coverage() > 0 {
                    cluster.refresh(now);
                    let text = "the cluster's map has no node of the kind that was asked for";
                    self.fail(at, Error::new(ErrorKind::Connect, text));
                    return None;
                }
                Found::Nowhere
            }
        };
        match found {
            Found::Node(node, link) if cluster.endpoint(node).is_some() => Some((node, link)),
            Found::Node(..) if self.part(at).redirect().is_some() => {
                // The node it was sent to is gone: its slot has one.
                self.part(at).forget_redirect();
                self.route_any(now, cluster, at)
            }
            Found::Node(..) => {
                let text = "the node is not in the cluster's map any more";
                self.fail(at, Error::new(ErrorKind::Connect, text));
                None
            }
            Found::Nowhere => {
                cluster.refresh(now);
                self.strand(cluster, at);
                None
            }
        }
    }

    fn strand(&mut self, cluster: &Cluster, at: u32) {
        self.part(at).state = State::Stranded(cluster.rounds());
        self.waiting += 1;
        self.wait_until(self.options.deadline);
    }

    fn wait_until(&mut self, time: Option<Instant>) {
        self.earliest = self.earliest.into_iter().chain(time).min();
    }

    /// Makes a part for each of many nodes. False when none is known.
    fn spread(&mut self, cluster: &Cluster, at: u32, scope: Scope) -> bool {
        let wanted = |role| match scope {
            Scope::Primaries => role == Role::Primary,
            Scope::Replicas => role == Role::Replica,
            Scope::Nodes => true,
        };
        let nodes: Vec<(NodeId, Role)> =
            cluster.nodes().filter(|(_, role)| wanted(*role)).collect();
        if nodes.is_empty() {
            return false;
        }
        let (group, first) = (self.part(at).group, self.parts.len() as u32);
        let part = self.part(at);
        let (form, unit) = (part.form, part.unit);
        part.state = State::Grouped(group);
        for (node, role) in &nodes {
            let link = if *role == Role::Replica { Link::Replica } else { Link::Primary };
            let part = Part::new(Goal::Node(*node, link), form, unit);
            self.add(Part { group, ..part });
        }
        // In the place of the whole: what was queued behind it stays behind it on every node.
        for part in (first..first + nodes.len() as u32).rev() {
            self.part(part).next = self.head;
            if self.head == NONE {
                self.tail = part;
            }
            self.head = part;
        }
        let group = &mut self.groups[group as usize];
        (group.first, group.count, group.open) = (first, nodes.len() as u32, nodes.len() as u32);
        group.nodes = nodes.into_iter().map(|(node, _)| node).collect();
        true
    }

    /// Notes that parts are on their way.
    fn fly(&mut self, now: Instant, cluster: &mut Cluster, outgoing: Outgoing) -> Send {
        let Outgoing { node, link, head, replies, block, .. } = outgoing;
        cluster.handle_use(node);
        let asking = self.part(head).is_asking();
        let id = SendId(self.flights.len() as u32);
        self.flights.push(Flight { node, next: head, asking, sent_at: now });
        Send { id, node, link, block, replies }
    }

    /// A part by itself, as it goes to its node.
    fn outgoing(&mut self, node: NodeId, link: Link, at: u32) -> Outgoing {
        let (replies, block) = self.depart(at);
        Outgoing { node, link, head: at, tail: at, replies, block }
    }

    /// A part is about to be sent: how many frames will answer it, and for how long the server may hold it.
    #[inline(always)]
    fn depart(&mut self, at: u32) -> (u32, Block) {
        let commands = self.commands_within(at);
        let part = self.part(at);
        (part.state, part.next) = (State::Sent, NONE);
        let (replies, unit) = (commands + u32::from(part.is_asking()), part.unit);
        (replies, self.units[unit as usize].block())
    }

    /// Reply frames of a part.
    fn commands_within(&self, at: u32) -> u32 {
        match (&self.parts[at as usize].form, &self.transaction) {
            (Form::All, Some(frames)) => frames.total(),
            _ => 1,
        }
    }

    /// Appends what is sent: the commands, with what goes before them.
    pub fn write<S: Source + ?Sized>(&self, send: &Send, source: &S, out: &mut SendBuffer) {
        let mut at = self.flights.get(send.id.0 as usize).map_or(NONE, |flight| flight.next);
        while let Some(part) = self.parts.get(at as usize).filter(|_| at != NONE) {
            if part.is_asking() {
                out.put(ASKING);
            }
            match &part.form {
                Form::Command(index) => source.write(*index as usize, out),
                Form::All => source.write_all(out),
                Form::Own(range) => out.put(&self.own[self.ranges[*range as usize].clone()]),
            }
            at = part.next;
        }
    }

    /// Takes reply frames of what was sent: whole ones, in their order, and as many as have come.
    ///
    /// # Errors
    ///
    /// `Protocol` when there are more than were asked for, or the bytes are no frames: the connection is out of
    /// step and must be closed, and [`handle_failed`](Self::handle_failed) told.
    pub fn handle_replies(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        id: SendId,
        frames: Bytes,
    ) -> Result<()> {
        let chunk = self.chunks.len() as u32;
        self.chunks.push(frames.clone());
        let Some(flight) = self.flights.get(id.0 as usize) else { return Err(out_of_step()) };
        let (node, took) = (flight.node, now.saturating_duration_since(flight.sent_at));
        cluster.handle_answer(node, Some(took));
        let mut reader = FrameReader::new(&frames);
        while !reader.is_empty() {
            let start = reader.position();
            let frame = reader.skip_value().map_err(Error::from)?;
            let place = Place { chunk, start, end: reader.position() };
            let flight = &mut self.flights[id.0 as usize];
            if std::mem::take(&mut flight.asking) {
                continue;
            }
            let at = flight.next;
            if at == NONE {
                return Err(out_of_step());
            }
            if let Some(frames) = &mut self.transaction
                && !frames.take(place, frame)
            {
                continue;
            }
            self.go_past(id);
            self.handle_reply(now, cluster, at, node, place, frame);
        }
        Ok(())
    }

    /// The next reply is that of the part behind.
    fn go_past(&mut self, id: SendId) {
        let at = self.flights[id.0 as usize].next;
        let next = self.part(at).next;
        let asking =
            self.parts.get(next as usize).is_some_and(|part| next != NONE && part.is_asking());
        let flight = &mut self.flights[id.0 as usize];
        (flight.next, flight.asking) = (next, asking);
    }

    /// What was sent will get no (further) reply: each command that waits for one is sent again or fails, by the
    /// rules of [`Retry`].
    pub fn handle_failed(&mut self, now: Instant, cluster: &mut Cluster, id: SendId, error: Error) {
        let Some(flight) = self.flights.get_mut(id.0 as usize) else { return };
        let node = flight.node;
        let mut at = std::mem::replace(&mut flight.next, NONE);
        if at == NONE {
            return;
        }
        if error.is_disconnected() || error.is_timeout() {
            cluster.handle_failure(now, node);
        }
        while at != NONE {
            let part = self.part(at);
            let next = part.next;
            let trouble = part.trouble_mut();
            (trouble.avoid, trouble.redirect) = (Some(node), None);
            self.retry(now, cluster, at, error.clone());
            at = next;
        }
    }

    /// Waits and goes again after a failure, or is over.
    fn retry(&mut self, now: Instant, cluster: &mut Cluster, at: u32, error: Error) {
        let (seed, deadline) = (self.options.seed ^ u64::from(at), self.options.deadline);
        self.restart();
        let unit = self.units[self.parts[at as usize].unit as usize];
        let part = self.part(at);
        let retry = part.trouble_mut().retry.get_or_insert_with(|| Retry::new(unit, seed));
        match retry.after(cluster.config(), error.clone(), now, deadline) {
            Ok(wait) => {
                self.part(at).trouble_mut().last = Some(error);
                self.wait(at, now + wait);
            }
            Err(error) => self.fail(at, error),
        }
    }

    fn wait(&mut self, at: u32, until: Instant) {
        self.part(at).state = State::Waiting(until);
        self.waiting += 1;
        self.wait_until(Some(until));
    }

    /// The map has changed, or could not be had: parts that had nowhere to go look again.
    pub fn handle_map(&mut self, now: Instant, cluster: &mut Cluster) {
        if self.waiting == 0 {
            return;
        }
        for at in 0..self.parts.len() as u32 {
            let part = self.part(at);
            let State::Stranded(round) = part.state else { continue };
            let found = match part.goal {
                Goal::Slot(slot) => cluster.primary_of(slot).is_some(),
                _ => cluster.topology().coverage() > 0,
            };
            if found {
                self.waiting -= 1;
                self.get_ready(at);
            } else if cluster.rounds() > round {
                self.waiting -= 1;
                let what = match self.part(at).goal {
                    Goal::Slot(slot) => format!("slot {slot}"),
                    _ => "any slot".into(),
                };
                let error = cluster.nowhere(&what);
                self.retry(now, cluster, at, error);
            }
        }
    }

    /// Sends again what has waited for long enough, and gives up what is too late.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.waiting == 0 || self.earliest.is_none_or(|earliest| now < earliest) {
            return;
        }
        self.earliest = None;
        let late = self.options.deadline.is_some_and(|deadline| deadline <= now);
        for at in 0..self.parts.len() as u32 {
            match self.part(at).state {
                State::Waiting(_) | State::Stranded(_) if late => {
                    self.waiting -= 1;
                    let error = too_late(self.part(at).trouble());
                    self.fail(at, error);
                }
                State::Waiting(until) if until <= now => {
                    self.waiting -= 1;
                    self.get_ready(at);
                }
                State::Waiting(until) => self.wait_until(Some(until)),
                State::Stranded(_) => self.wait_until(self.options.deadline),
                _ => {}
            }
        }
    }

    /// Whether a part waits for a time or for a map: then [`handle_map`](Self::handle_map) is to be called.
    pub fn is_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.waiting {
            0 => None,
            _ => self.earliest.into_iter().chain(self.options.deadline).min(),
        }
    }

    fn fail(&mut self, at: u32, error: Error) {
        self.part(at).state = State::Failed(error);
        self.handle_over(at);
    }

    /// A part is over: perhaps the last one of its group, or of all.
    fn handle_over(&mut self, at: u32) {
        if at < self.commands {
            self.open -= 1;
            return;
        }
        let at = self.part(at).group as usize;
        self.groups[at].open -= 1;
        if self.groups[at].open > 0 {
            return;
        }
        let Group { whole, first, count, ref merge, .. } = self.groups[at];
        let parts = (first..first + count).map(|at| match self.parts[at as usize].state.result() {
            Some(result) => result.map(|place| self.frame(place)),
            None => Err(self.unanswered()),
        });
        let parts: Vec<_> = parts.collect();
        let state = match merge.apply(&parts) {
            Merged::As(at) => match parts[at] {
                Ok(_) => match self.parts[first as usize + at].state.result() {
                    Some(Ok(place)) => place.into(),
                    _ => State::Failed(out_of_step()),
                },
                // Others may have run, and their replies are lost to the caller.
                Err(error) => State::Failed(match error.delivery() {
                    Delivery::NotSent if !parts.iter().all(|part| is_unsent(part)) => {
                        error.clone().with_delivery(Delivery::MaybeExecuted)
                    }
                    _ => error.clone(),
                }),
            },
            Merged::Frame(frame) => {
                let place = Place { chunk: self.chunks.len() as u32, start: 0, end: frame.len() };
                self.chunks.push(frame.into());
                place.into()
            }
            Merged::Failed(error) => State::Failed(error),
        };
        self.part(whole).state = state;
        self.handle_over(whole);
    }
}

fn is_unsent(part: &Result<&[u8], &Error>) -> bool {
    part.is_err_and(|error| error.delivery() == Delivery::NotSent)
}

/// The error of a command that waited to be sent again for too long.
fn too_late(trouble: Option<&Trouble>) -> Error {
    let text = "the deadline passed before a node of the cluster could run the command";
    let error = match trouble.and_then(|trouble| trouble.last.clone()) {
        Some(last) => Error::new(ErrorKind::Timeout, format!("{text}: {last}")).with_source(last),
        None => Error::new(ErrorKind::Timeout, text),
    };
    match trouble.and_then(|trouble| trouble.retry.as_ref()) {
        Some(retry) => retry.last(error),
        None => error,
    }
}

fn out_of_step() -> Error {
    let text = "a node sent a reply that nothing was asked for: the connection is out of step";
    Error::new(ErrorKind::Protocol, text).with_delivery(Delivery::MaybeExecuted)
}

/// How long a server may hold what is sent together.
#[inline]
fn together(one: Block, other: Block) -> Block {
    match (one, other) {
        (Block::Never, block) | (block, Block::Never) => block,
        (Block::For(one), Block::For(other)) => Block::For(one + other),
        _ => Block::Forever,
    }
}
