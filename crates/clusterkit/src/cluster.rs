//! A running cluster: who is who, and what can be done to its nodes.

use std::{
    fmt, io,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use redis_core::{
    Commands, Config, cmd,
    types::{ClusterNode, NodeFlag, SlotRange},
};
use redis_sync::Client;
use testkit::servers::{Installed, Server};

use crate::{
    form,
    members::{Members, config},
    node::Node,
    options::ClusterOptions,
    view::{Layout, Seen, layout, said, settled},
    wait::{Look, until},
};

/// After this time a replica has given up to take over: servers allow it 5 s.
const TAKING_OVER: Duration = Duration::from_secs(6);

/// A cluster that runs for as long as this value lives. Any thread may change it, also while others use it.
#[derive(Debug)]
pub struct Cluster {
    installed: Installed,
    options: ClusterOptions,
    members: Members,
    /// How many nodes there have been.
    launched: AtomicUsize,
    /// Who served what once all had started.
    first: Layout,
}

impl Cluster {
    /// Starts a cluster with nothing in it, and waits until all nodes know each other, all slots are served
    /// and all replicas follow their primaries.
    ///
    /// # Errors
    /// When a node can't be started, refuses, or is not ready within 60 s (the error says what it lacks);
    /// `Unsupported` where this server can't do what the options ask for.
    pub fn start(installed: &Installed, options: ClusterOptions) -> io::Result<Self> {
        options.check(installed)?;
        let mut cluster = Self {
            installed: installed.clone(),
            options,
            members: Members::default(),
            launched: AtomicUsize::new(0),
            first: Layout::new(),
        };
        form::form(&cluster)?;
        cluster.first = cluster.layout()?;
        Ok(cluster)
    }

    /// What was started.
    pub fn installed(&self) -> &Installed {
        &self.installed
    }

    /// All nodes, running or not: at first the primaries, in the order of their slots, then the first replica
    /// of each, and so on.
    pub fn nodes(&self) -> Vec<Node> {
        self.members.nodes()
    }

    /// `redis+cluster://HOST:PORT,HOST:PORT,..` with every node, and the password if there is one.
    pub fn url(&self) -> String {
        let nodes = self.nodes();
        // Which has escaped the password.
        let first = nodes.first().and_then(|node| self.members.at(node, Server::url).ok());
        let first = first.unwrap_or_default().replacen("redis://", "redis+cluster://", 1);
        nodes.iter().skip(1).fold(first, |url, node| format!("{url},{node}"))
    }

    /// `rediss+cluster://HOST:PORT` with the first node, when nodes listen for TLS.
    pub fn tls_url(&self) -> Option<String> {
        let first = self.nodes().into_iter().next()?;
        let url = self.members.at(&first, Server::tls_url).ok()??;
        Some(url.replacen("rediss://", "rediss+cluster://", 1))
    }

    /// How to reach a single node.
    ///
    /// # Errors
    /// When it is no node of this cluster.
    pub fn config(&self, node: &Node) -> io::Result<Config> {
        self.members.at(node, config)
    }

    /// A client of a single node.
    ///
    /// # Errors
    /// When it is no node of this cluster.
    pub fn client(&self, node: &Node) -> io::Result<Client> {
        Client::new(self.config(node)?).map_err(|error| said(node, &error))
    }

    /// The primaries, those that are down included, in the order in which they came.
    ///
    /// # Errors
    /// When no node answers.
    pub fn primaries(&self) -> io::Result<Vec<Node>> {
        self.those(|node| node.is(&NodeFlag::Primary))
    }

    /// The replicas of a primary, those that are down included.
    ///
    /// # Errors
    /// When no node answers.
    pub fn replicas_of(&self, primary: &Node) -> io::Result<Vec<Node>> {
        self.those(|node| node.primary.as_ref() == Some(&primary.id))
    }

    /// The primary that serves a slot.
    ///
    /// # Errors
    /// When nobody does.
    pub fn primary_of(&self, slot: u16) -> io::Result<Node> {
        let serves = |node: &ClusterNode| node.slots.iter().any(|range| range.contains(slot));
        let found = self.those(serves)?.pop();
        found.ok_or_else(|| io::Error::other(format!("no node serves the slot {slot}")))
    }

    /// The slots that a node serves.
    ///
    /// # Errors
    /// When no node answers.
    pub fn slots_of(&self, node: &Node) -> io::Result<Vec<SlotRange>> {
        Ok(self.layout()?.remove(&node.id).map(|(slots, _)| slots).unwrap_or_default())
    }

    /// Whether the node's process is there, frozen or not.
    pub fn is_running(&self, node: &Node) -> bool {
        self.members.at(node, Server::is_running).unwrap_or(false)
    }

    /// The node's process.
    ///
    /// # Errors
    /// When it is no node of this cluster.
    pub fn pid(&self, node: &Node) -> io::Result<u32> {
        self.members.at(node, Server::pid)
    }

    /// What the node has logged.
    ///
    /// # Errors
    /// When it is no node of this cluster.
    pub fn log(&self, node: &Node) -> io::Result<String> {
        self.members.at(node, Server::log)
    }

    /// Has a replica take over, and returns when every node that runs has heard of it. Where its primary
    /// does not answer, it takes over without.
    ///
    /// # Errors
    /// When the node refuses, is no replica, or has not taken over within 60 s.
    pub fn failover(&self, replica: &Node) -> io::Result<()> {
        let nodes = self.members.run(replica, cmd::cluster_nodes())?;
        let own = nodes.into_iter().find(|node| node.id == replica.id);
        let Some(primary) = own.and_then(|own| own.primary) else {
            return Err(io::Error::other(format!("{replica} is no replica")));
        };
        let is_primary = |nodes: &[ClusterNode]| {
            let found = nodes.iter().find(|node| node.id == replica.id);
            found.is_some_and(|node| node.is(&NodeFlag::Primary))
        };
        let mut asked: Option<Instant> = None;
        until(format_args!("{replica} is a primary"), || {
            if is_primary(&self.members.run(replica, cmd::cluster_nodes())?) {
                return Ok(Ok(()));
            }
            // The others refuse who takes over soon after another; then nothing more comes of it.
            if asked.is_none_or(|asked| asked.elapsed() > TAKING_OVER) {
                let answers = self.members.running().iter().any(|seen| seen.node.id == primary);
                match answers {
                    true => self.members.run(replica, cmd::cluster_failover())?,
                    false => self.members.run(replica, cmd::cluster_failover().force())?,
                }
                asked = Some(Instant::now());
            }
            Ok(Err("it is a replica still".to_owned()))
        })?;
        self.until_all(format_args!("know that {replica} is a primary"), |_, nodes| {
            if is_primary(nodes) { Ok(()) } else { Err("it is a replica".to_owned()) }
        })
    }

    /// Kills a node, as a crash would; it still belongs to the cluster.
    ///
    /// # Errors
    /// When it is no node of this cluster, or the servers of this process were ended by a signal.
    pub fn kill(&self, node: &Node) -> io::Result<()> {
        self.members.kill(node)
    }

    /// Freezes a node: its sockets stay open and nobody answers.
    ///
    /// # Errors
    /// When it does not run.
    pub fn stop(&self, node: &Node) -> io::Result<()> {
        self.members.freeze(node, true)
    }

    /// Thaws a node.
    ///
    /// # Errors
    /// When it does not run.
    pub fn go_on(&self, node: &Node) -> io::Result<()> {
        self.members.freeze(node, false)
    }

    /// Starts a node again, with its id, its address and what it knew of the cluster, but without its keys.
    /// One that runs is killed first.
    ///
    /// # Errors
    /// As [`Server::restart`].
    pub fn restart(&self, node: &Node) -> io::Result<()> {
        self.members.restart(node)
    }

    /// Adds a primary without slots, and returns when all nodes that run have met it.
    ///
    /// # Errors
    /// When it can't be started, or is not met within 60 s.
    pub fn add_node(&self) -> io::Result<Node> {
        let others: Vec<_> = self.members.running().into_iter().map(|seen| seen.node).collect();
        let node = form::launch(self)?;
        form::meet(self, &node, &others)?;
        form::until_met(self)?;
        Ok(node)
    }

    /// Makes a node that has no slots a replica. [`wait_settled`](Self::wait_settled) tells when it follows.
    ///
    /// # Errors
    /// When it refuses, or is not known as one within 60 s.
    pub fn replicate(&self, replica: &Node, primary: &Node) -> io::Result<()> {
        self.members.run(replica, cmd::cluster_replicate(&primary.id))?;
        self.until_all(format_args!("know that {replica} is a replica of {primary}"), |_, nodes| {
            let found = nodes.iter().find(|node| node.id == replica.id);
            match found.and_then(|node| node.primary.as_ref()) {
                Some(named) if *named == primary.id => Ok(()),
                named => Err(format!("its primary is {named:?}")),
            }
        })
    }

    /// Ends a node for good, has those that run forget it, and returns when they have. Those that don't run
    /// still know it when they come back.
    ///
    /// # Errors
    /// When it has slots or replicas, or is not forgotten within 60 s.
    pub fn remove_node(&self, node: &Node) -> io::Result<()> {
        let layout = self.layout()?;
        let slots = layout.get(&node.id).is_some_and(|(slots, _)| !slots.is_empty());
        let followed = layout.values().any(|(_, primary)| primary.as_ref() == Some(&node.id));
        if slots || followed {
            let what = if slots { "slots" } else { "replicas" };
            return Err(io::Error::other(format!("{node} has {what}, which must go first")));
        }
        self.members.remove(node);
        self.until_all(format_args!("have forgotten {node}"), |seen, nodes| {
            if nodes.iter().all(|one| one.id != node.id) {
                return Ok(());
            }
            // Since Redis 7.2 those who forget tell the others, so that it may be unknown by now.
            let forgot = seen.client.cluster_forget(&node.id);
            Err(format!("it was told to, and said {forgot:?}"))
        })
    }

    /// Returns when every node that answers sees the same cluster: all slots served, all others that answer
    /// well, replicas in step with their primaries.
    ///
    /// # Errors
    /// When that takes 60 s; what is amiss is told.
    pub fn wait_settled(&self) -> io::Result<()> {
        until(format_args!("the cluster of {} has settled", self.installed), || {
            let running = self.members.running();
            Ok(settled(&running, self.nodes().len()))
        })
    }

    /// Whether it is whole, and every slot and replica is where it was in the beginning.
    pub fn is_as_started(&self) -> bool {
        let moves = |node: &ClusterNode| !node.migrating.is_empty() || !node.importing.is_empty();
        let check = || -> io::Result<bool> {
            let running = self.members.running();
            let mut same = running.len() == self.first.len();
            for seen in &running {
                let nodes = seen.nodes()?;
                same &= layout(&nodes) == self.first && !nodes.iter().any(moves);
            }
            Ok(same)
        };
        check().unwrap_or(false)
    }

    pub(crate) fn options(&self) -> &ClusterOptions {
        &self.options
    }

    /// The number of the node that is launched next.
    pub(crate) fn next_number(&self) -> usize {
        self.launched.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn members(&self) -> &Members {
        &self.members
    }

    /// Returns when `check` finds what it looks for in what every node that answers says.
    pub(crate) fn until_all(
        &self,
        what: impl fmt::Display,
        check: impl Fn(&Seen, &[ClusterNode]) -> Look<()>,
    ) -> io::Result<()> {
        until(format_args!("all nodes {what}"), || {
            let look = |seen: &Seen| {
                // One that is killed meanwhile is not among those that answer any more.
                let nodes = seen.nodes().map_err(|error| error.to_string())?;
                check(seen, &nodes).map_err(|instead| format!("as {} sees it {instead}", seen.node))
            };
            Ok(match &self.members.running()[..] {
                [] => Err("no node runs".to_owned()),
                running => running.iter().try_for_each(look),
            })
        })
    }

    pub(crate) fn password(&self) -> io::Result<Option<String>> {
        let node = self.nodes().into_iter().next();
        let node = node.ok_or_else(|| io::Error::other("the cluster has no node"))?;
        self.members.at(&node, |server| server.password().map(str::to_owned))
    }

    /// Who serves what, as the first node that runs sees it.
    fn layout(&self) -> io::Result<Layout> {
        Ok(layout(&self.view()?))
    }

    fn view(&self) -> io::Result<Vec<ClusterNode>> {
        match self.members.running().first() {
            Some(seen) => seen.nodes(),
            None => Err(io::Error::other("no node of the cluster runs")),
        }
    }

    /// The members that a node says are such.
    fn those(&self, such: impl Fn(&ClusterNode) -> bool) -> io::Result<Vec<Node>> {
        let view = self.view()?;
        let is_such = |node: &Node| view.iter().any(|one| one.id == node.id && such(one));
        Ok(self.nodes().into_iter().filter(is_such).collect())
    }
}
