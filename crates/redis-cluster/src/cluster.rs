//! What all requests of one client share: the map, the nodes behind it, and when the map is asked for.
//!
//! Owns which node serves what, and what follows from a redirect or a failure for those who come later. Knows
//! nothing of connections: nodes have ids, and the adapter keeps links by them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use redis_core::config::{ClusterConfig, ReadFrom};
use redis_core::pipeline::Mark;
use redis_core::retry::is_refusal;
use redis_core::{Block, Cmd, Config, Delivery, Endpoint, Error, ErrorKind, Result};

use crate::address::{Address, Origin};
use crate::plan::{Plan, Route, Scope, Target, plan, slot_of_one};
use crate::read::{Candidate as Readable, choose};
use crate::redirect::Redirect;
use crate::refresh::{Candidate, Outcome, Refresh};
use crate::registry::{NodeId, Registry};
use crate::topology::{Role, Topology};
use crate::view::View;

/// What a cluster wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Run [`Cluster::question`] on this node, and tell [`Cluster::handle_view`] what came of it.
    Ask(NodeId),
    /// The node is gone from the map: close its links, once what is under way on them is answered.
    Forget(NodeId),
    /// The node sends its own commands to itself, so that its address has become another server's: open its
    /// links anew.
    Reopen(NodeId),
    /// The map has changed, or could not be had: call [`Exchange::handle_map`](crate::Exchange::handle_map) of
    /// those that wait.
    Changed,
}

/// Which of a node's links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Link {
    /// The one that is used while the node is a primary.
    Primary,
    /// One that has said `READONLY`: for reads from a replica, and for nothing else.
    Replica,
}

/// A slot's node, or another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Node(NodeId, Link),
    /// The map is not there yet, or lacks the slot.
    Nowhere,
}

/// The shared state of a cluster client.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::time::Instant;
///
/// use redis_cluster::{Action, Cluster, ClusterConfig};
/// use redis_core::{Config, Endpoint, decode};
///
/// let seed = Endpoint::Tcp { host: "seed.example".into(), port: 7000 };
/// let mut cluster = Cluster::new(Arc::new(Config::default()), ClusterConfig::new([seed]), 1);
/// let now = Instant::now();
/// cluster.refresh(now);
/// cluster.handle_timeout(now);
///
/// let Some(Action::Ask(node)) = cluster.poll_action() else { panic!("nothing is known yet") };
/// let reply = decode(b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$2\r\nh1\r\n:7000\r\n");
/// cluster.handle_view(now, node, reply);
/// assert!(cluster.topology().is_full());
/// assert_eq!(cluster.endpoint(cluster.primary_of(12182).unwrap()).unwrap().to_string(), "h1:7000");
/// ```
#[derive(Debug)]
pub struct Cluster {
    config: Arc<Config>,
    settings: ClusterConfig,
    topology: Topology,
    /// Of each node of the topology, at its index.
    ids: Vec<NodeId>,
    registry: Registry,
    refresh: Refresh,
    /// What redirects said since the refresh under way began: its views may be older.
    patched: Vec<(u16, Endpoint)>,
    /// Refreshes that have ended.
    rounds: u64,
    /// Why the last refresh brought nothing.
    error: Option<Error>,
    turn: AtomicU32,
    actions: VecDeque<Action>,
}

impl Cluster {
    /// A cluster of which nothing is known but its seeds. `config` is that of every connection, but for the
    /// endpoint.
    pub fn new(config: Arc<Config>, settings: ClusterConfig, seed: u64) -> Self {
        let patience = config.connect_timeout + config.command_timeout.unwrap_or_default();
        Self {
            refresh: Refresh::new(&settings, config.backoff, patience, seed),
            config,
            settings,
            topology: Topology::default(),
            ids: Vec::new(),
            registry: Registry::default(),
            patched: Vec::new(),
            rounds: 0,
            error: None,
            turn: AtomicU32::new(seed as u32),
            actions: VecDeque::new(),
        }
    }

    /// What [`Action::Ask`] asks for.
    pub fn question() -> Cmd<View> {
        Cmd::raw("CLUSTER SLOTS").idempotent()
    }

    /// Asks for the map, as soon as the throttle lets it. One that is under way may be older than the wish: then
    /// another one follows.
    pub fn refresh(&mut self, now: Instant) {
        self.refresh.want(now);
    }

    /// What a node said the cluster looks like.
    pub fn handle_view(&mut self, now: Instant, node: NodeId, view: Result<View>) {
        let Some(answered) = self.registry.endpoint(node).cloned() else { return };
        let map = &self.settings.address_map;
        let origin = Origin { answered: &answered, tls: self.config.tls.is_some(), map };
        let first = match self.refresh.handle_answer(node, &origin, view) {
            None => return,
            Some(Ok(topology)) => {
                self.registry.handle_answer(node, None);
                Some(topology).filter(|_| self.topology.coverage() == 0).cloned()
            }
            Some(Err(_)) => {
                self.registry.handle_failure(node, now);
                None
            }
        };
        if let Some(first) = first {
            // Nothing is known: whoever waits can begin.
            self.replace(first);
            self.refresh.offer(&self.ids);
            self.actions.push_back(Action::Changed);
        }
        self.go_on(now);
    }

    /// Looks whether it is time to ask for the map, and for those who did not answer.
    pub fn handle_timeout(&mut self, now: Instant) {
        for node in self.refresh.late(now) {
            let error =
                Error::new(ErrorKind::Timeout, "a node did not say what the cluster looks like");
            self.handle_view(now, node, Err(error));
        }
        if self.refresh.is_due(now) {
            let candidates = self.candidates(now);
            self.patched.clear();
            self.refresh.begin(now, candidates);
            self.go_on(now);
        }
    }

    /// Whom to ask: first those in use that are well, so that nothing has to be opened; the seeds last.
    fn candidates(&mut self, now: Instant) -> VecDeque<Candidate> {
        let mut known = self.ids.clone();
        self.refresh.shuffle(&mut known);
        let registry = &self.registry;
        known.sort_by_key(|node| (registry.is_avoided(*node, now), !registry.is_used(*node)));
        let seeds = self.settings.seeds.iter().cloned().map(Candidate::Seed);
        known.into_iter().map(Candidate::Node).chain(seeds).collect()
    }

    /// Asks who is to be asked, and ends the refresh when nobody is.
    fn go_on(&mut self, now: Instant) {
        while let Some(candidate) = self.refresh.next_candidate() {
            let node = match candidate {
                Candidate::Node(node) => node,
                Candidate::Seed(endpoint) => self.registry.intern(&endpoint),
            };
            if self.refresh.ask(now, node) {
                self.actions.push_back(Action::Ask(node));
            }
        }
        if let Some(outcome) = self.refresh.finish(now) {
            self.conclude(outcome);
        }
    }

    fn conclude(&mut self, outcome: Outcome) {
        self.rounds += 1;
        self.error = outcome.error;
        if let Some(view) = Topology::agreed(outcome.views, &self.topology) {
            // Of slots that nobody could tell of, what was known stays.
            let mut next = std::mem::take(&mut self.topology);
            next.merge(view);
            for (slot, endpoint) in std::mem::take(&mut self.patched) {
                // A full topology learns of the node by the next refresh.
                drop(next.patch(slot, &endpoint));
            }
            self.replace(next);
            let Self { registry, actions, .. } = self;
            registry.retain(&self.ids, |node| actions.push_back(Action::Forget(node)));
            self.error = None;
        }
        self.actions.push_back(Action::Changed);
    }

    fn replace(&mut self, topology: Topology) {
        self.topology = topology;
        self.ids.clear();
        for node in self.topology.nodes() {
            self.ids.push(self.registry.intern(node.endpoint()));
        }
    }

    /// A node said that a slot is another one's. Gives that one; none where it can't be told.
    pub fn handle_moved(&mut self, now: Instant, from: NodeId, to: &Redirect) -> Option<NodeId> {
        self.refresh.want(now);
        let endpoint = self.reach(from, &to.to)?;
        let patch = self.topology.patch(to.slot, &endpoint).ok()?;
        let node = self.registry.intern(&endpoint);
        if self.ids.len() < self.topology.nodes().len() {
            // A patch adds nodes behind the others.
            self.ids.push(node);
        }
        debug_assert_eq!(self.ids[patch.node], node, "ids and nodes are side by side");
        if self.refresh.is_under_way() {
            self.patched.push((to.slot, endpoint));
        }
        if node == from {
            self.actions.push_back(Action::Reopen(node));
        }
        self.actions.push_back(Action::Changed);
        Some(node)
    }

    /// A node said that another one is to be asked this once. Gives that one; none where it can't be told.
    pub fn handle_ask(&mut self, from: NodeId, to: &Redirect) -> Option<NodeId> {
        self.reach_node(from, &to.to)
    }

    fn reach(&self, from: NodeId, to: &Address) -> Option<Endpoint> {
        let answered = self.registry.endpoint(from)?;
        let map = &self.settings.address_map;
        to.endpoint(&Origin { answered, tls: self.config.tls.is_some(), map })
    }

    /// The node at an address that another one tells of.
    pub(crate) fn reach_node(&mut self, from: NodeId, to: &Address) -> Option<NodeId> {
        let endpoint = self.reach(from, to)?;
        // One without slots of its own is in no view.
        Some(self.node_at(&endpoint))
    }

    /// The node that the cluster knows by this id, if the map names ids.
    pub(crate) fn node_of_id(&self, id: &str) -> Option<NodeId> {
        let node = self.topology.nodes().iter().find(|node| node.id() == Some(id))?;
        Some(self.ids[node.index()])
    }

    /// A link to a node was lost or could not be had, or the node does not serve: the map may be old, and reads
    /// go elsewhere for a moment.
    pub fn handle_failure(&mut self, now: Instant, node: NodeId) {
        self.registry.handle_failure(node, now);
        self.refresh.want(now);
    }

    /// As [`handle_failure`](Self::handle_failure), where [`any_endpoint`](Self::any_endpoint) led to: others come first.
    pub fn handle_unreachable(&mut self, now: Instant, endpoint: &Endpoint) {
        if let Some(node) = self.registry.find(endpoint) {
            self.handle_failure(now, node);
        }
    }

    /// A node answered, after so long where that was measured.
    pub fn handle_answer(&mut self, node: NodeId, took: Option<Duration>) {
        self.registry.handle_answer(node, took);
    }

    /// A node has a link.
    pub fn handle_use(&mut self, node: NodeId) {
        self.registry.handle_use(node);
    }

    /// What to do next, if anything.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.refresh.poll_timeout()
    }

    /// The primary of a slot: a look into the table and two loads.
    #[inline]
    pub fn primary_of(&self, slot: u16) -> Option<NodeId> {
        self.topology.node_of(slot).map(|node| self.ids[node.index()])
    }

    /// Where a single command goes that has one key, as nearly all have, without an [`Exchange`](crate::Exchange):
    /// should the answer be an error, or none come, one goes on from there with
    /// [`Exchange::resume`](crate::Exchange::resume). None where it takes an exchange to tell.
    #[inline]
    pub fn route<R>(&self, now: Instant, cmd: &Cmd<R>) -> Option<(NodeId, Link)> {
        let mark = Mark::of(cmd);
        let slot = slot_of_one(&mark).filter(|_| mark.block == Block::Never)?;
        let turn = || self.next_turn();
        let reads = self.settings.read_from != ReadFrom::Primary && mark.info.is_readonly();
        if reads && self.settings.read_from == ReadFrom::LowestLatency {
            // Exchanges are measured.
            return None;
        }
        match self.find(slot, reads.then(turn), now, None) {
            Found::Node(node, link) => Some((node, link)),
            Found::Nowhere => None,
        }
    }

    /// Where a command goes that is sent once, whatever is answered.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for one that concerns several nodes, or whose keys can't be told; `Connect` while there is
    /// no map.
    pub fn route_once<R>(&self, now: Instant, cmd: &Cmd<R>) -> Result<(NodeId, Link)> {
        let mark = Mark::of(cmd);
        let found = match plan(cmd, 0, &mark, Target::Auto, false, &mut Vec::new())? {
            Plan::Slot(slot) => self.find(slot, None, now, None),
            Plan::Any => self.any(self.next_turn(), now),
            Plan::Node(node) => Found::Node(node, Link::Primary),
            Plan::Every(..) | Plan::Split(_) | Plan::Unknown => {
                let name = mark.info.name;
                return Err(Error::new(
                    ErrorKind::InvalidRequest,
                    format!("{name} concerns several nodes of the cluster: execute it"),
                ));
            }
        };
        match found {
            Found::Node(node, link) => Ok((node, link)),
            Found::Nowhere => Err(self.nowhere("its slot")),
        }
    }

    /// The node for a command with keys in this slot: one that only reads goes where
    /// [`read_from`](ClusterConfig::read_from) says. `turn` makes those who take turns do so.
    #[inline]
    pub(crate) fn find(
        &self,
        slot: u16,
        reads: Option<u32>,
        now: Instant,
        avoid: Option<NodeId>,
    ) -> Found {
        let Some(primary) = self.topology.node_of(slot) else { return Found::Nowhere };
        let id = self.ids[primary.index()];
        let Some(turn) = reads.filter(|_| self.settings.read_from != ReadFrom::Primary) else {
            return Found::Node(id, Link::Primary);
        };
        let nodes = [primary].into_iter().chain(self.topology.replicas_of(slot));
        let candidates = nodes.map(|node| {
            let (id, zone) = (self.ids[node.index()], node.zone());
            Readable { id, zone, replica: node.role() == Role::Replica }
        });
        let read_from = &self.settings.read_from;
        let chosen = choose(read_from, candidates, turn, &self.registry, now, avoid);
        match chosen {
            Some(chosen) if chosen.replica => Found::Node(chosen.id, Link::Replica),
            _ => Found::Node(id, Link::Primary),
        }
    }

    /// A primary for what can run on any: in turn, those that just failed last.
    pub(crate) fn any(&self, turn: u32, now: Instant) -> Found {
        let count = self.topology.primaries().count().max(1);
        let start = turn as usize % count;
        let nodes = self.topology.primaries().map(|node| self.ids[node.index()]).enumerate();
        let rank = |(at, id): &(usize, NodeId)| {
            (self.registry.is_avoided(*id, now), (at + count - start) % count)
        };
        match nodes.min_by_key(rank) {
            Some((_, id)) => Found::Node(id, Link::Primary),
            None => Found::Nowhere,
        }
    }

    /// The primaries of all shards that have slots, or are known to be there.
    pub fn primaries(&self) -> impl Iterator<Item = NodeId> {
        self.topology.primaries().map(|node| self.ids[node.index()])
    }

    /// All nodes of the map: primaries, and replicas, which are told apart.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, Role)> {
        self.topology.nodes().iter().map(|node| (self.ids[node.index()], node.role()))
    }

    /// Where a node is; none once it was forgotten.
    pub fn endpoint(&self, node: NodeId) -> Option<&Endpoint> {
        self.registry.endpoint(node)
    }

    /// The node at an endpoint, as a seed or a redirect names it.
    pub fn node_at(&mut self, endpoint: &Endpoint) -> NodeId {
        let node = self.registry.intern(endpoint);
        self.registry.name(node);
        node
    }

    /// The nodes that a user chose.
    pub fn target(&mut self, route: &Route) -> Target {
        match route {
            Route::Node(endpoint) => Target::Node(self.node_at(endpoint)),
            Route::Primaries => Target::Every(Scope::Primaries),
            Route::Replicas => Target::Every(Scope::Replicas),
            Route::Nodes => Target::Every(Scope::Nodes),
        }
    }

    /// Where to connect for what any node serves, as publish/subscribe: another one each time, those that just
    /// failed last, and the seeds in turn while nothing else is known.
    pub fn any_endpoint(&self, now: Instant) -> Endpoint {
        let turn = self.next_turn();
        let known = match self.any(turn, now) {
            Found::Node(node, _) => self.registry.endpoint(node),
            Found::Nowhere => None,
        };
        let seeds = &self.settings.seeds;
        let seed =
            || seeds.get(turn as usize % seeds.len().max(1)).unwrap_or(&self.config.endpoint);
        known.unwrap_or_else(seed).clone()
    }

    /// The configuration of a link: that of all with the node's endpoint, and `READONLY` where that is said.
    pub fn link_config(&self, node: NodeId, link: Link) -> Option<Config> {
        let mut config = (*self.config).clone();
        config.cluster = None;
        config.endpoint = self.registry.endpoint(node)?.clone();
        config.fails_fast = true;
        if link == Link::Replica {
            config.on_connect.push(Cmd::raw("READONLY"));
        }
        Some(config)
    }

    /// The map.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The configuration that all connections share.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The settings.
    pub fn settings(&self) -> &ClusterConfig {
        &self.settings
    }

    /// Another number each time, for those who take turns.
    pub(crate) fn next_turn(&self) -> u32 {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    /// How many refreshes have ended.
    pub(crate) fn rounds(&self) -> u64 {
        self.rounds
    }

    /// When the last refresh began.
    pub fn refreshed(&self) -> Option<Instant> {
        self.refresh.began()
    }

    /// Why there is no node for something.
    pub(crate) fn nowhere(&self, what: &str) -> Error {
        match &self.error {
            // Who is refused need not ask again. Of a handshake, the error says where and what.
            Some(error) if is_refusal(error) => match error.delivery() {
                Delivery::NotSent => error.clone(),
                _ => error.clone().with_context("CLUSTER SLOTS").with_delivery(Delivery::NotSent),
            },
            Some(error) => {
                let text = format!("no node of the cluster could say where {what} is: {error}");
                Error::new(ErrorKind::Connect, text).with_source(error.clone())
            }
            None => Error::new(ErrorKind::Connect, format!("no node of the cluster serves {what}")),
        }
    }
}

#[cfg(test)]
pub(crate) use self::tests::three;
#[cfg(test)]
mod tests;
