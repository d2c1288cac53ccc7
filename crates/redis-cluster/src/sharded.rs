//! Sharded subscriptions: which node each channel is subscribed at.
//!
//! Owns that, what the reader was told of it, and where a channel goes when its slot does. Subscribing, and doing so
//! again after a lost link, is done by a [`PubSub`](redis_core::pubsub::PubSub) for each node that has channels.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use redis_core::pubsub::{
    Family, Message, MessageData, MessageKind, Report, has_no_handler, needs_a_name,
    nothing_to_run_for,
};
use redis_core::{Error, Result, slot_of};

use crate::cluster::Cluster;
use crate::redirect::{Refusal, is_unwell};
use crate::registry::NodeId;

/// The wait before a channel is asked for again where it was refused.
const AGAIN: Duration = Duration::from_millis(100);

/// Refusals of a channel that are followed without a wait.
const AT_ONCE: u32 = 3;

/// Notices that wait for a reader. The latest takes the place of the one before it then.
const NOTICES: usize = 256;

/// What is to be done on the subscriber's link of a node. The channels of one are in one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardedAction {
    /// [`subscribe`](redis_core::pubsub::PubSub::subscribe): the confirmations are news to the reader.
    Subscribe(NodeId, Vec<Bytes>),
    /// [`adopt`](redis_core::pubsub::PubSub::adopt): they were subscribed elsewhere before.
    Adopt(NodeId, Vec<Bytes>),
    /// [`unsubscribe`](redis_core::pubsub::PubSub::unsubscribe): the user wants them no longer.
    Unsubscribe(NodeId, Vec<Bytes>),
    /// [`leave`](redis_core::pubsub::PubSub::leave): they are subscribed elsewhere from now on.
    Leave(NodeId, Vec<Bytes>),
    /// Nothing is wanted there any more: the link can be closed, once what it was asked is answered.
    Close(NodeId),
}

#[derive(Debug)]
struct Wish<H> {
    slot: u16,
    node: Option<NodeId>,
    handler: Option<H>,
    /// The reader was told that it is subscribed: to ask another node for it is no news.
    told: bool,
    /// Refusals since the last confirmation.
    refusals: u32,
    /// When to look again, whatever the map says.
    again: Option<Instant>,
}

/// Channels for each command.
type Commands = BTreeMap<(NodeId, u16), Vec<Bytes>>;

/// The sharded subscriptions of one subscriber. `H` is what the adapter keeps as a handler.
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
/// let mut sharded = Sharded::<fn(&[u8])>::default();
/// sharded.subscribe(now, &mut cluster, [("news".into(), None)])?;
/// let Some(ShardedAction::Subscribe(_, channels)) = sharded.poll_action() else { panic!() };
/// assert_eq!(channels, ["news"]);
/// # Ok::<(), redis_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Sharded<H> {
    wanted: BTreeMap<Bytes, Wish<H>>,
    actions: VecDeque<ShardedAction>,
    /// How many channels each node has; those that have no node wait for the map.
    nodes: BTreeMap<NodeId, usize>,
    /// What no node's link can tell the reader.
    notices: VecDeque<Result<Message>>,
    /// How often there was no link to be had, and why the last time.
    failures: u64,
    failure: Option<Error>,
    ignore_confirmations: bool,
}

/// A moment: what was known of a cluster and its subscriptions then.
#[derive(Clone, Copy, Debug)]
pub struct Since {
    rounds: u64,
    failures: u64,
}

impl<H> Default for Sharded<H> {
    fn default() -> Self {
        Self {
            wanted: BTreeMap::new(),
            actions: VecDeque::new(),
            nodes: BTreeMap::new(),
            notices: VecDeque::new(),
            failures: 0,
            failure: None,
            ignore_confirmations: false,
        }
    }
}

impl<H> Sharded<H> {
    /// Whether confirmations are kept from the reader.
    pub fn ignore_subscribe_messages(&mut self, ignore: bool) {
        self.ignore_confirmations = ignore;
    }

    /// Subscribes to channels, each with its handler, if any: that of an earlier subscription is replaced.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` without a channel.
    pub fn subscribe(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        channels: impl IntoIterator<Item = (Bytes, Option<H>)>,
    ) -> Result<()> {
        let mut names = Vec::new();
        let mut repeated = Commands::new();
        for (channel, handler) in channels {
            match self.wanted.get_mut(&channel) {
                Some(wish) => {
                    (wish.handler, wish.told) = (handler, false);
                    if let Some(node) = wish.node {
                        repeated.entry((node, wish.slot)).or_default().push(channel.clone());
                    }
                }
                None => {
                    let slot = slot_of(&channel);
                    let wish =
                        Wish { slot, node: None, handler, told: false, refusals: 0, again: None };
                    self.wanted.insert(channel.clone(), wish);
                }
            }
            names.push(channel);
        }
        if names.is_empty() {
            return Err(needs_a_name(Family::Shard));
        }
        self.act(repeated, ShardedAction::Subscribe);
        self.place(now, cluster, names);
        Ok(())
    }

    /// Ends subscriptions; with `None` all.
    pub fn unsubscribe(&mut self, channels: Option<Vec<Bytes>>) {
        let channels = channels.unwrap_or_else(|| self.wanted.keys().cloned().collect());
        let mut gone = Commands::new();
        for channel in channels {
            match self.wanted.remove(&channel) {
                Some(Wish { slot, node: Some(node), .. }) => {
                    gone.entry((node, slot)).or_default().push(channel);
                }
                // No node has it, so that none confirms it.
                _ => self.confirm_end(channel),
            }
        }
        self.release(&gone);
        self.act(gone, ShardedAction::Unsubscribe);
        self.close_unused();
    }

    fn confirm_end(&mut self, channel: Bytes) {
        if !self.ignore_confirmations {
            let (kind, data) = (MessageKind::SUnsubscribe, MessageData::Count(0));
            self.notices.push_back(Ok(Message { kind, channel, pattern: None, data }));
        }
    }

    /// The map has changed: channels follow their slots.
    pub fn handle_map(&mut self, now: Instant, cluster: &mut Cluster) {
        let all = self.wanted.keys().cloned().collect();
        self.place(now, cluster, all);
    }

    /// Brings channels to the nodes that have their slots.
    fn place(&mut self, now: Instant, cluster: &mut Cluster, channels: Vec<Bytes>) {
        let (mut left, mut new, mut back) = (Commands::new(), Commands::new(), Commands::new());
        let mut lost = false;
        for channel in channels {
            let Some(wish) = self.wanted.get_mut(&channel) else { continue };
            let node = cluster.primary_of(wish.slot);
            lost |= node.is_none();
            if wish.node == node || wish.again.is_some() {
                continue;
            }
            if let Some(before) = wish.node {
                left.entry((before, wish.slot)).or_default().push(channel.clone());
            }
            wish.node = node;
            if let Some(node) = node {
                let come = if wish.told { &mut back } else { &mut new };
                come.entry((node, wish.slot)).or_default().push(channel);
            }
        }
        if lost {
            cluster.refresh(now);
        }
        for ((node, _), channels) in new.iter().chain(&back) {
            *self.nodes.entry(*node).or_default() += channels.len();
        }
        self.release(&left);
        // First what comes from the old node ends, so that nothing is told by both.
        self.act(left, ShardedAction::Leave);
        self.act(new, ShardedAction::Subscribe);
        self.act(back, ShardedAction::Adopt);
        self.close_unused();
    }

    fn act(&mut self, commands: Commands, action: fn(NodeId, Vec<Bytes>) -> ShardedAction) {
        self.actions
            .extend(commands.into_iter().map(|((node, _), channels)| action(node, channels)));
    }

    fn release(&mut self, commands: &Commands) {
        for ((node, _), channels) in commands {
            self.release_some(*node, channels.len());
        }
    }

    fn release_some(&mut self, node: NodeId, count: usize) {
        if let Some(channels) = self.nodes.get_mut(&node) {
            *channels -= count;
        }
    }

    /// Closes links without channels, unless one may be back in a moment.
    fn close_unused(&mut self) {
        if !self.nodes.values().any(|channels| *channels == 0) || self.is_placing() {
            return;
        }
        let unused = self.nodes.extract_if(.., |_, channels| *channels == 0);
        self.actions.extend(unused.map(|(node, _)| ShardedAction::Close(node)));
    }

    /// A link of a node has something to say.
    pub fn handle_report(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        node: NodeId,
        report: Report,
    ) {
        match report {
            Report::Confirmed(channel) => {
                if let Some(wish) = self.wish_at(node, &channel) {
                    (wish.told, wish.refusals) = (true, 0);
                }
            }
            // The slot is leaving the node.
            Report::Ended(channel) => {
                if let Some(wish) = self.wish_at(node, &channel) {
                    wish.node = None;
                    cluster.refresh(now);
                    let next = cluster.primary_of(wish.slot);
                    self.handle_gone(now, cluster, node, channel, next);
                }
            }
            Report::Refused(channel, error) => {
                self.handle_refused(now, cluster, node, channel, error);
            }
            Report::Lost => cluster.handle_failure(now, node),
        }
    }

    fn wish_at(&mut self, node: NodeId, channel: &[u8]) -> Option<&mut Wish<H>> {
        self.wanted.get_mut(channel).filter(|wish| wish.node == Some(node))
    }

    fn handle_refused(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        node: NodeId,
        channel: Bytes,
        error: Error,
    ) {
        let Some(wish) = self.wish_at(node, &channel) else { return };
        wish.node = None;
        wish.refusals += 1;
        let next = match Refusal::of(&error) {
            Some(Refusal::Moved(to)) => cluster.handle_moved(now, node, &to),
            Some(_) => {
                cluster.refresh(now);
                None
            }
            None if is_unwell(&error) => {
                cluster.handle_failure(now, node);
                None
            }
            // It is the user's error, wherever the channel is.
            None => {
                self.wanted.remove(&channel);
                self.release_some(node, 1);
                self.notify(error.with_context("SSUBSCRIBE"));
                return self.close_unused();
            }
        };
        if matches!(next, Some(next) if next == node) {
            // Who answers there is another one than who has the address.
            self.abandon(now, node);
        }
        self.handle_gone(now, cluster, node, channel, next);
    }

    /// A channel is not subscribed at a node any longer, and the map says where it is to be.
    fn handle_gone(
        &mut self,
        now: Instant,
        cluster: &mut Cluster,
        node: NodeId,
        channel: Bytes,
        next: Option<NodeId>,
    ) {
        self.release_some(node, 1);
        let Some(wish) = self.wanted.get_mut(&channel) else { return };
        if next.is_none_or(|next| next == node) || wish.refusals > AT_ONCE {
            // The map knows of no other: it will before long.
            wish.again = Some(now + AGAIN);
            return;
        }
        // What is in the slot goes together, so that the reader is told once.
        let slot = wish.slot;
        let together = self.take_waiting(|waiting| waiting == slot, true);
        self.place(now, cluster, together);
    }

    /// The channels of slots, which wait no longer: all, or those that waited.
    fn take_waiting(&mut self, is_meant: impl Fn(u16) -> bool, all: bool) -> Vec<Bytes> {
        let meant = self.wanted.iter_mut().filter(|(_, wish)| is_meant(wish.slot));
        let meant = meant.filter_map(|(channel, wish)| {
            let waited = wish.again.take().is_some();
            (waited || all).then(|| channel.clone())
        });
        meant.collect()
    }

    /// There is no link to be had to a node, for a reason that is not the node's; without one, because it was forgotten
    /// just now.
    pub fn handle_no_link(&mut self, now: Instant, node: NodeId, error: Option<Error>) {
        if let Some(error) = error {
            self.failures += 1;
            self.failure = Some(error.clone());
            self.notify(error);
        }
        self.abandon(now, node);
    }

    /// Closes the link to a node; what is wanted there is asked for on another one, in a moment.
    fn abandon(&mut self, now: Instant, node: NodeId) {
        let mut left = Commands::new();
        for (channel, wish) in &mut self.wanted {
            if wish.node == Some(node) {
                (wish.node, wish.again) = (None, Some(now + AGAIN));
                left.entry((node, wish.slot)).or_default().push(channel.clone());
            }
        }
        self.act(left, ShardedAction::Leave);
        if self.nodes.remove(&node).is_some() {
            self.actions.push_back(ShardedAction::Close(node));
        }
    }

    fn notify(&mut self, error: Error) {
        if self.notices.len() >= NOTICES
            && let Some(last @ Err(_)) = self.notices.back_mut()
        {
            *last = Err(error);
            return;
        }
        self.notices.push_back(Err(error));
    }

    /// Asks again for what was refused.
    pub fn handle_timeout(&mut self, now: Instant, cluster: &mut Cluster) {
        if self.poll_timeout().is_none_or(|due| now < due) {
            return;
        }
        let due = |wish: &&Wish<H>| wish.again.is_some_and(|again| again <= now);
        let slots: BTreeSet<u16> = self.wanted.values().filter(due).map(|wish| wish.slot).collect();
        let due = self.take_waiting(|slot| slots.contains(&slot), false);
        self.place(now, cluster, due);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.wanted.values().filter_map(|wish| wish.again).min()
    }

    /// What to do next, if anything.
    pub fn poll_action(&mut self) -> Option<ShardedAction> {
        self.actions.pop_front()
    }

    /// What the reader is to be told, apart from what comes by the links.
    pub fn poll_notice(&mut self) -> Option<Result<Message>> {
        self.notices.pop_front()
    }

    /// Where these channels are subscribed, or about to be: for somebody who waits for the links. None while that is
    /// to be found out.
    ///
    /// # Errors
    ///
    /// Why it could not be found out since then, or why there is no link: the reader is not told of that then.
    pub fn poll_homes(
        &mut self,
        cluster: &Cluster,
        channels: &[Bytes],
        since: Since,
    ) -> Option<Result<Vec<NodeId>>> {
        if self.failures > since.failures
            && let Some(failure) = self.failure.clone()
        {
            self.notices.pop_back_if(|notice| notice.is_err());
            return Some(Err(failure));
        }
        let mut nodes = Vec::new();
        for channel in channels {
            match self.wanted.get(channel) {
                Some(Wish { node: Some(node), .. }) => nodes.push(*node),
                Some(Wish { again: None, .. }) if cluster.rounds() > since.rounds => {
                    let slot = format!("the slot of channel `{}`", channel.escape_ascii());
                    return Some(Err(cluster.nowhere(&slot)));
                }
                Some(Wish { again: None, .. }) => return None,
                // It is asked for again in a moment, or somebody wants it no longer.
                _ => {}
            }
        }
        nodes.sort_unstable();
        nodes.dedup();
        Some(Ok(nodes))
    }

    /// This moment: for [`poll_homes`](Self::poll_homes).
    pub fn moment(&self, cluster: &Cluster) -> Since {
        Since { rounds: cluster.rounds(), failures: self.failures }
    }

    /// The handler of a channel's messages, if it has one.
    pub fn handler(&self, channel: &[u8]) -> Option<&H> {
        self.wanted.get(channel)?.handler.as_ref()
    }

    /// Whether nobody has to be there to take messages: something is subscribed, and all of it has handlers.
    ///
    /// # Errors
    ///
    /// `InvalidRequest`, naming a channel without a handler.
    pub fn check_handled(&self) -> Result<()> {
        if self.wanted.is_empty() {
            return Err(nothing_to_run_for());
        }
        match self.wanted.iter().find(|(_, wish)| wish.handler.is_none()) {
            Some((channel, _)) => Err(has_no_handler(Family::Shard, channel)),
            None => Ok(()),
        }
    }

    /// Whether any channel has no node at the moment.
    pub fn is_placing(&self) -> bool {
        self.wanted.values().any(|wish| wish.node.is_none())
    }

    /// Whether [`poll_action`](Self::poll_action) has something.
    pub fn has_action(&self) -> bool {
        !self.actions.is_empty()
    }

    /// Whether [`poll_notice`](Self::poll_notice) has something.
    pub fn has_notice(&self) -> bool {
        !self.notices.is_empty()
    }

    /// Where a channel is subscribed, or is about to be.
    pub fn node_of(&self, channel: &[u8]) -> Option<NodeId> {
        self.wanted.get(channel).and_then(|wish| wish.node)
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
    use crate::{Address, Host, Redirect};

    // Slots: a 15495 and foo 12182 on 3, b 3300 and hello 866 on 1.

    type Channels = Sharded<&'static str>;

    fn actions(sharded: &mut Channels, cluster: &Cluster) -> Vec<String> {
        let port = |node| match cluster.endpoint(node) {
            Some(Endpoint::Tcp { port, .. }) => *port,
            _ => 0,
        };
        let said = |node, what: &str, channels: Vec<Bytes>| {
            let names = channels.iter().map(|name| String::from_utf8_lossy(name).into_owned());
            format!("{} {what} {}", port(node), names.collect::<Vec<_>>().join(" "))
        };
        std::iter::from_fn(|| sharded.poll_action())
            .map(|action| match action {
                ShardedAction::Subscribe(node, list) => said(node, "+", list),
                ShardedAction::Adopt(node, list) => said(node, "++", list),
                ShardedAction::Unsubscribe(node, list) => said(node, "-", list),
                ShardedAction::Leave(node, list) => said(node, "--", list),
                ShardedAction::Close(node) => format!("{} closed", port(node)),
            })
            .collect()
    }

    fn subscribe(sharded: &mut Channels, cluster: &mut Cluster, now: Instant, names: &[&str]) {
        let names = names.iter().map(|name| (Bytes::copy_from_slice(name.as_bytes()), None));
        sharded.subscribe(now, cluster, names).unwrap();
    }

    fn subscribed() -> (Channels, Cluster, Instant) {
        let (mut cluster, now) = three(|_| {});
        let mut sharded = Sharded::default();
        subscribe(&mut sharded, &mut cluster, now, &["a", "b", "{a}x", "hello"]);
        let expected = ["1 + hello", "1 + b", "3 + a {a}x"];
        assert_eq!(actions(&mut sharded, &cluster), expected, "one slot a command");
        (sharded, cluster, now)
    }

    fn confirmed() -> (Channels, Cluster, Instant) {
        let (mut sharded, mut cluster, now) = subscribed();
        for channel in ["a", "b", "{a}x", "hello"] {
            let node = sharded.node_of(channel.as_bytes()).unwrap();
            sharded.handle_report(now, &mut cluster, node, Report::Confirmed(channel.into()));
        }
        assert_eq!(actions(&mut sharded, &cluster), [""; 0]);
        (sharded, cluster, now)
    }

    fn refused(channel: &'static str, error: &str) -> Report {
        Report::Refused(channel.into(), Error::server(error.as_bytes()))
    }

    fn move_slot(cluster: &mut Cluster, now: Instant, slot: u16, port: u16) {
        let from = cluster.primary_of(slot).unwrap();
        let to = Redirect { slot, to: Address { host: Host::Same, port } };
        cluster.handle_moved(now, from, &to);
    }

    fn notices(sharded: &mut Channels) -> Vec<String> {
        std::iter::from_fn(|| sharded.poll_notice())
            .map(|notice| match notice {
                Ok(message) => {
                    format!("{} {}", message.kind.as_str(), message.channel.escape_ascii())
                }
                Err(error) => error.to_string(),
            })
            .collect()
    }

    #[test]
    fn channels_are_grouped_by_slot_and_links_closed_behind_the_last() {
        let (mut sharded, cluster, _) = subscribed();
        sharded.unsubscribe(Some(vec!["a".into(), "b".into()]));
        assert_eq!(actions(&mut sharded, &cluster), ["1 - b", "3 - a"]);
        sharded.unsubscribe(None);
        let expected = ["1 - hello", "3 - {a}x", "1 closed", "3 closed"];
        assert_eq!(actions(&mut sharded, &cluster), expected);
        assert_eq!(sharded.channels().count(), 0);
    }

    #[test]
    fn channels_follow_their_slot_and_what_the_reader_knew_is_no_news() {
        let (mut sharded, mut cluster, now) = confirmed();
        let first = cluster.primary_of(3300).unwrap();
        move_slot(&mut cluster, now, 3300, 3);
        sharded.handle_map(now, &mut cluster);
        assert_eq!(actions(&mut sharded, &cluster), ["1 -- b", "3 ++ b"]);
        // A node says so itself.
        let moved = || refused("hello", "MOVED 866 h:2");
        sharded.handle_report(now, &mut cluster, first, moved());
        assert_eq!(actions(&mut sharded, &cluster), ["2 ++ hello", "1 closed"]);
        sharded.handle_report(now, &mut cluster, first, moved());
        assert_eq!(actions(&mut sharded, &cluster), [""; 0], "it is there no more");
    }

    #[test]
    fn all_channels_of_a_slot_go_together() {
        let (mut sharded, mut cluster, now) = confirmed();
        let node = cluster.primary_of(15495).unwrap();
        sharded.handle_report(now, &mut cluster, node, Report::Ended("a".into()));
        let later = now + Duration::from_millis(1);
        sharded.handle_report(later, &mut cluster, node, Report::Ended("{a}x".into()));
        assert_eq!(actions(&mut sharded, &cluster), [""; 0]);
        let due = sharded.poll_timeout().unwrap();
        sharded.handle_timeout(due, &mut cluster);
        assert_eq!(actions(&mut sharded, &cluster), ["3 ++ a {a}x"]);
        let moved = || refused("a", "MOVED 15495 h:2");
        sharded.handle_report(due, &mut cluster, node, moved());
        assert_eq!(actions(&mut sharded, &cluster), ["3 -- {a}x", "2 ++ a {a}x", "3 closed"]);
    }

    #[test]
    fn what_was_never_confirmed_is_still_news_elsewhere() {
        let (mut sharded, mut cluster, now) = subscribed();
        move_slot(&mut cluster, now, 3300, 3);
        sharded.handle_map(now, &mut cluster);
        assert_eq!(actions(&mut sharded, &cluster), ["1 -- b", "3 + b"]);
    }

    #[test]
    fn subscribing_again_is_news_again() {
        let (mut sharded, mut cluster, now) = confirmed();
        let node = cluster.primary_of(3300).unwrap();
        sharded.subscribe(now, &mut cluster, [("b".into(), Some("handler"))]).unwrap();
        assert_eq!(actions(&mut sharded, &cluster), ["1 + b"]);
        assert_eq!((sharded.handler(b"b"), sharded.handler(b"a")), (Some(&"handler"), None));
        sharded.unsubscribe(Some(vec!["b".into(), "hello".into()]));
        assert_eq!(actions(&mut sharded, &cluster), ["1 - hello", "1 - b", "1 closed"]);
        sharded.handle_report(now, &mut cluster, node, Report::Confirmed("b".into()));
        assert_eq!(sharded.node_of(b"b"), None);
    }

    #[test]
    fn a_subscription_that_was_ended_is_asked_for_again() {
        let (mut sharded, mut cluster, now) = confirmed();
        let node = cluster.primary_of(3300).unwrap();
        sharded.handle_report(now, &mut cluster, node, Report::Ended("b".into()));
        assert_eq!(actions(&mut sharded, &cluster), [""; 0]);
        assert!(cluster.poll_timeout().is_some(), "the map is old");
        let due = sharded.poll_timeout().unwrap();
        sharded.handle_timeout(due, &mut cluster);
        assert_eq!(actions(&mut sharded, &cluster), ["1 ++ b"], "nobody knew better");
        assert_eq!(sharded.poll_timeout(), None);
        sharded.handle_report(due, &mut cluster, node, Report::Ended("nobody wants it".into()));
        assert_eq!(actions(&mut sharded, &cluster), [""; 0]);
    }

    #[test]
    fn a_node_that_does_not_serve_is_asked_again_and_keeps_its_link() {
        let (mut sharded, mut cluster, now) = confirmed();
        let node = cluster.primary_of(3300).unwrap();
        for error in ["CLUSTERDOWN The cluster is down", "LOADING data", "TRYAGAIN later"] {
            for channel in ["b", "hello"] {
                sharded.handle_report(now, &mut cluster, node, refused(channel, error));
            }
            assert_eq!(actions(&mut sharded, &cluster), [""; 0], "{error}");
            let due = sharded.poll_timeout().unwrap();
            sharded.handle_timeout(due, &mut cluster);
            assert_eq!(actions(&mut sharded, &cluster), ["1 ++ hello", "1 ++ b"]);
        }
        assert_eq!(notices(&mut sharded), [""; 0]);
    }

    #[test]
    fn a_channel_that_is_sent_around_has_to_wait() {
        let (mut sharded, mut cluster, now) = confirmed();
        let mut told = 0;
        for turn in 0..20 {
            let Some(node) = sharded.node_of(b"b") else { break };
            let to = if turn % 2 == 0 { "MOVED 3300 h:2" } else { "MOVED 3300 h:1" };
            sharded.handle_report(now, &mut cluster, node, refused("b", to));
            told += 1;
        }
        assert_eq!(told, AT_ONCE + 1);
        assert_eq!(sharded.poll_timeout(), Some(now + AGAIN));
    }

    #[test]
    fn a_refusal_that_is_not_the_clusters_is_the_readers_and_ends_the_wish() {
        let (mut sharded, mut cluster, now) = subscribed();
        let node = cluster.primary_of(15495).unwrap();
        for channel in ["a", "{a}x"] {
            sharded.handle_report(now, &mut cluster, node, refused(channel, "NOPERM not this one"));
        }
        assert_eq!(notices(&mut sharded), ["SSUBSCRIBE: NOPERM not this one"; 2]);
        assert_eq!(actions(&mut sharded, &cluster), ["3 closed"]);
        assert_eq!(sharded.channels().count(), 2);
    }

    #[test]
    fn an_address_that_is_anothers_by_now_is_connected_to_anew() {
        let (mut sharded, mut cluster, now) = confirmed();
        let node = cluster.primary_of(3300).unwrap();
        sharded.handle_report(now, &mut cluster, node, refused("b", "MOVED 3300 h:1"));
        assert_eq!(actions(&mut sharded, &cluster), ["1 -- hello", "1 closed"]);
        let due = sharded.poll_timeout().unwrap();
        sharded.handle_timeout(due, &mut cluster);
        assert_eq!(actions(&mut sharded, &cluster), ["1 ++ hello", "1 ++ b"]);
    }

    #[test]
    fn without_a_link_it_is_tried_again_and_both_reader_and_caller_can_know() {
        let (mut sharded, mut cluster, now) = subscribed();
        let (node, since) = (cluster.primary_of(3300).unwrap(), sharded.moment(&cluster));
        let homes = sharded.poll_homes(&cluster, &["b".into(), "hello".into()], since);
        assert_eq!(homes, Some(Ok(vec![node])));
        let full = || Error::new(redis_core::ErrorKind::Limit, "the pool is full");
        sharded.handle_no_link(now, node, Some(full()));
        assert_eq!(actions(&mut sharded, &cluster), ["1 -- hello", "1 -- b", "1 closed"]);
        assert_eq!(sharded.poll_homes(&cluster, &["b".into()], since), Some(Err(full())));
        assert_eq!(notices(&mut sharded), [""; 0], "the caller knows");
        let due = sharded.poll_timeout().unwrap();
        sharded.handle_timeout(due, &mut cluster);
        assert_eq!(actions(&mut sharded, &cluster), ["1 + hello", "1 + b"]);
        sharded.handle_no_link(due, node, Some(full()));
        assert_eq!(notices(&mut sharded), ["the pool is full"]);
    }

    #[test]
    fn the_end_of_what_no_node_has_is_confirmed_all_the_same() {
        let (mut sharded, mut cluster, now) = confirmed();
        let node = cluster.primary_of(3300).unwrap();
        sharded.handle_report(now, &mut cluster, node, Report::Ended("b".into()));
        sharded.unsubscribe(Some(vec!["b".into(), "other".into()]));
        assert_eq!(notices(&mut sharded), ["sunsubscribe b", "sunsubscribe other"]);
        assert_eq!(actions(&mut sharded, &cluster), [""; 0]);
        sharded.ignore_subscribe_messages(true);
        sharded.unsubscribe(Some(vec!["b".into()]));
        assert_eq!(notices(&mut sharded), [""; 0]);
    }
}
