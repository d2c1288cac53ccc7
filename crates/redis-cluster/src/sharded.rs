//! Sharded subscriptions: which node each channel is subscribed at.
//!
//! Owns that, and where a channel goes when its slot does. Subscribing, and doing so again after a lost link, is
//! done by a [`PubSub`](redis_core::pubsub::PubSub) for each node that has channels.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use redis_core::{Error, slot_of};

use crate::cluster::Cluster;
use crate::redirect::Refusal;
use crate::registry::NodeId;

/// The wait before a channel is asked for again where it was refused.
const AGAIN: Duration = Duration::from_millis(100);

/// What is to be done on the subscriber's link of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardedAction {
    /// `SSUBSCRIBE` these channels, which are in one slot.
    Subscribe(NodeId, Vec<Bytes>),
    /// `SUNSUBSCRIBE` these, and do not restore them.
    Unsubscribe(NodeId, Vec<Bytes>),
    /// Nothing is subscribed there any more: the link can be closed.
    Close(NodeId),
}

#[derive(Debug)]
struct Home {
    slot: u16,
    node: Option<NodeId>,
    /// When to look again, whatever the map says.
    again: Option<Instant>,
}

/// The sharded subscriptions of one subscriber.
///
/// # Examples
///
/// ```
/// # use std::sync::Arc;
/// # use std::time::Instant;
/// # use redis_cluster::{Action, Cluster, ClusterConfig};
/// # use redis_core::{Config, Endpoint, decode};
/// use redis_cluster::{Sharded, ShardedAction};
///
/// # let seed = Endpoint::Tcp { host: "h1".into(), port: 7000 };
/// # let mut cluster = Cluster::new(Arc::new(Config::default()), ClusterConfig::new([seed]), 1);
/// # let now = Instant::now();
/// # cluster.refresh(now);
/// # cluster.handle_timeout(now);
/// # let Some(Action::Ask(node)) = cluster.poll_action() else { panic!() };
/// # cluster.handle_view(now, node, decode(b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$2\r\nh1\r\n:7000\r\n"));
/// let mut sharded = Sharded::default();
/// sharded.subscribe(now, &mut cluster, ["news".into()]);
/// let Some(ShardedAction::Subscribe(_, channels)) = sharded.poll_action() else { panic!() };
/// assert_eq!(channels, ["news"]);
/// ```
#[derive(Debug, Default)]
pub struct Sharded {
    wanted: BTreeMap<Bytes, Home>,
    actions: VecDeque<ShardedAction>,
    /// Channels that have no node wait for the map.
    nodes: BTreeMap<NodeId, usize>,
}

impl Sharded {
    /// Subscribes to channels.
    pub fn subscribe(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        channels: impl IntoIterator<Item = Bytes>,
    ) {
        for channel in channels {
            let home = Home { slot: slot_of(&channel), node: None, again: None };
            self.wanted.entry(channel).or_insert(home);
        }
        self.place(now, cluster);
    }

    /// Ends subscriptions; without channels, all.
    pub fn unsubscribe(&mut self, channels: impl IntoIterator<Item = Bytes>) {
        let channels: BTreeSet<Bytes> = channels.into_iter().collect();
        let gone = self
            .wanted
            .extract_if(.., |channel, _| channels.is_empty() || channels.contains(channel));
        let homes: Vec<_> = gone.map(|(channel, home)| (channel, home.slot, home.node)).collect();
        self.leave(homes);
    }

    fn leave(&mut self, homes: Vec<(Bytes, u16, Option<NodeId>)>) {
        let mut commands: BTreeMap<(NodeId, u16), Vec<Bytes>> = BTreeMap::new();
        for (channel, slot, node) in homes {
            if let Some(node) = node {
                commands.entry((node, slot)).or_default().push(channel);
            }
        }
        for ((node, _), channels) in commands {
            let left = self.nodes.get_mut(&node).map(|count| {
                *count -= channels.len();
                *count
            });
            self.actions.push_back(ShardedAction::Unsubscribe(node, channels));
            if left == Some(0) {
                self.nodes.remove(&node);
                self.actions.push_back(ShardedAction::Close(node));
            }
        }
    }

    /// The map has changed: channels follow their slots.
    pub fn handle_map(&mut self, now: Instant, cluster: &mut Cluster) {
        self.place(now, cluster);
    }

    /// Brings each channel to the node that has its slot.
    fn place(&mut self, now: Instant, cluster: &mut Cluster) {
        let (mut left, mut come) = (Vec::new(), BTreeMap::<(NodeId, u16), Vec<Bytes>>::new());
        let mut lost = false;
        for (channel, home) in &mut self.wanted {
            let node = cluster.primary_of(home.slot);
            lost |= node.is_none();
            if home.node == node || home.again.is_some() {
                continue;
            }
            if home.node.is_some() {
                left.push((channel.clone(), home.slot, home.node));
            }
            home.node = node;
            if let Some(node) = node {
                come.entry((node, home.slot)).or_default().push(channel.clone());
            }
        }
        if lost {
            cluster.refresh(now);
        }
        // First the new ones: a link that is needed again is not closed.
        for ((node, _), channels) in come {
            *self.nodes.entry(node).or_default() += channels.len();
            self.actions.push_back(ShardedAction::Subscribe(node, channels));
        }
        self.leave(left);
    }

    /// A node ended a subscription that is wanted, without being asked to: the slot is leaving it.
    pub fn handle_unsubscribed(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        node: NodeId,
        channel: &[u8],
    ) {
        self.handle_refused(now, cluster, node, channel, None);
    }

    /// A node refused a subscription, or ended it.
    pub fn handle_refused(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        node: NodeId,
        channel: &[u8],
        error: Option<&Error>,
    ) {
        let Some((channel, home)) = self
            .wanted
            .iter_mut()
            .find(|(wanted, home)| **wanted == channel && home.node == Some(node))
        else {
            return;
        };
        let left = vec![(channel.clone(), home.slot, home.node.take())];
        let moved = match error.and_then(Refusal::of) {
            Some(Refusal::Moved(to)) => cluster.handle_moved(now, node, &to),
            _ => {
                cluster.refresh(now);
                cluster.primary_of(home.slot)
            }
        };
        // The map knows of no other: it will before long.
        home.again = (moved.is_none() || moved == Some(node)).then(|| now + AGAIN);
        self.leave(left);
        self.place(now, cluster);
    }

    /// Asks again for what was refused.
    pub fn handle_timeout(&mut self, now: Instant, cluster: &mut Cluster) {
        if self.poll_timeout().is_none_or(|due| now < due) {
            return;
        }
        for home in self.wanted.values_mut() {
            home.again = home.again.filter(|due| now < *due);
        }
        self.place(now, cluster);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.wanted.values().filter_map(|home| home.again).min()
    }

    /// What to do next, if anything.
    pub fn poll_action(&mut self) -> Option<ShardedAction> {
        self.actions.pop_front()
    }

    /// Where a channel is subscribed, or is about to be.
    pub fn node_of(&self, channel: &[u8]) -> Option<NodeId> {
        self.wanted.get(channel).and_then(|home| home.node)
    }

    /// Every channel that is wanted.
    pub fn channels(&self) -> impl Iterator<Item = &Bytes> {
        self.wanted.keys()
    }
}

#[cfg(test)]
mod tests {
    use redis_core::Endpoint;

    use super::*;
    use crate::cluster::three;

    // Slots: a 15495 and foo 12182 on 3, b 3300 and hello 866 on 1.

    fn actions(sharded: &mut Sharded, cluster: &Cluster) -> Vec<String> {
        let port = |node| match cluster.endpoint(node) {
            Some(Endpoint::Tcp { port, .. }) => *port,
            _ => 0,
        };
        let names = |channels: Vec<Bytes>| {
            channels
                .iter()
                .map(|name| String::from_utf8_lossy(name).into_owned())
                .collect::<Vec<_>>()
        };
        std::iter::from_fn(|| sharded.poll_action())
            .map(|action| match action {
                ShardedAction::Subscribe(node, list) => {
                    format!("{} + {}", port(node), names(list).join(" "))
                }
                ShardedAction::Unsubscribe(node, list) => {
                    format!("{} - {}", port(node), names(list).join(" "))
                }
                ShardedAction::Close(node) => format!("{} closed", port(node)),
            })
            .collect()
    }

    fn subscribed() -> (Sharded, Cluster, Instant) {
        let (mut cluster, now) = three(|_| {});
        let mut sharded = Sharded::default();
        let channels = ["a", "b", "{a}x", "hello"];
        sharded.subscribe(now, &mut cluster, channels.map(Bytes::from));
        let expected = ["1 + hello", "1 + b", "3 + a {a}x"];
        assert_eq!(actions(&mut sharded, &cluster), expected, "one slot a command");
        (sharded, cluster, now)
    }

    #[test]
    fn channels_are_grouped_by_slot_and_links_closed_behind_the_last() {
        let (mut sharded, cluster, _) = subscribed();
        sharded.unsubscribe(["a".into(), "b".into()]);
        assert_eq!(actions(&mut sharded, &cluster), ["1 - b", "3 - a"]);
        sharded.unsubscribe([]);
        let expected = ["1 - hello", "1 closed", "3 - {a}x", "3 closed"];
        assert_eq!(actions(&mut sharded, &cluster), expected);
        assert_eq!(sharded.channels().count(), 0);
    }

    #[test]
    fn channels_follow_their_slot() {
        let (mut sharded, mut cluster, now) = subscribed();
        let from = cluster.primary_of(3300).unwrap();
        let to = |slot, port| crate::Redirect {
            slot,
            to: crate::Address { host: crate::Host::Same, port },
        };
        cluster.handle_moved(now, from, &to(3300, 3));
        sharded.handle_map(now, &mut cluster);
        assert_eq!(actions(&mut sharded, &cluster), ["3 + b", "1 - b"]);
        // A node says so itself.
        let moved = Error::server(b"MOVED 866 h:2");
        sharded.handle_refused(now, &mut cluster, from, b"hello", Some(&moved));
        assert_eq!(actions(&mut sharded, &cluster), ["1 - hello", "1 closed", "2 + hello"]);
        sharded.handle_refused(now, &mut cluster, from, b"hello", Some(&moved));
        assert_eq!(actions(&mut sharded, &cluster), [""; 0], "it is there no more");
    }

    #[test]
    fn a_subscription_that_was_ended_is_asked_for_again() {
        let (mut sharded, mut cluster, now) = subscribed();
        let node = cluster.primary_of(3300).unwrap();
        sharded.handle_unsubscribed(now, &mut cluster, node, b"b");
        assert_eq!(actions(&mut sharded, &cluster), ["1 - b"]);
        assert!(cluster.poll_timeout().is_some(), "the map is old");
        let due = sharded.poll_timeout().unwrap();
        sharded.handle_timeout(due, &mut cluster);
        assert_eq!(actions(&mut sharded, &cluster), ["1 + b"], "nobody knew better");
        assert_eq!(sharded.poll_timeout(), None);
        sharded.handle_unsubscribed(due, &mut cluster, node, b"nobody wants it");
        assert_eq!(actions(&mut sharded, &cluster), [""; 0]);
    }
}
