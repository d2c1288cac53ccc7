//! Subscriptions to shard channels at one node of a cluster: what it ends and refuses, and what the reader hears of it.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use redis_core::pubsub::{Family, PubSub, Report};
use redis_core::{Config, Protocol};
use testkit::pair::{Faults, Pair};
use testkit::scripted::Scripted;

/// What the node answers next, where that is an error.
type Refusals = Arc<Mutex<VecDeque<Option<&'static str>>>>;

struct Node {
    pair: Pair<PubSub<()>, Scripted>,
    refusals: Refusals,
}

impl Node {
    fn new(protocol: Protocol) -> Self {
        let refusals = Refusals::default();
        let mut channels = BTreeSet::new();
        let next = refusals.clone();
        let server = Scripted::default().script(move |args, reply| {
            let name: &[u8] = match &args[0][..] {
                b"SSUBSCRIBE" => b"ssubscribe",
                b"SUNSUBSCRIBE" => b"sunsubscribe",
                b"HELLO" => {
                    channels.clear();
                    return false;
                }
                _ => return false,
            };
            assert_eq!(args.len(), 2, "one channel a command");
            if let Some(Some(error)) = next.lock().unwrap().pop_front() {
                reply.simple_error(error.as_bytes());
                return true;
            }
            match name {
                b"ssubscribe" => channels.insert(args[1].clone()),
                _ => channels.remove(&args[1]),
            };
            let count = channels.len() as i64;
            reply.push(3).bulk(name).bulk(&args[1]).integer(count);
            true
        });
        let mut config = Config::default();
        config.protocol = protocol;
        let machine = PubSub::of_node(Arc::new(config), 7);
        Self { pair: Pair::new(7, Instant::now(), machine, server, Faults::NONE), refusals }
    }

    fn subscribe(&mut self, channels: &[&'static str]) {
        let names = channels.iter().map(|name| (Bytes::from(*name), None));
        let now = self.pair.now();
        self.pair.machine.subscribe(now, Family::Shard, names).unwrap();
    }

    fn unsubscribe(&mut self, channel: &'static str) {
        let now = self.pair.now();
        self.pair.machine.unsubscribe(now, Family::Shard, Some(vec![channel.into()]));
    }

    fn adopt(&mut self, channels: &[&'static str]) {
        let now = self.pair.now();
        self.pair.machine.adopt(now, channels.iter().map(|name| Bytes::from(*name)).collect());
    }

    fn leave(&mut self, channel: &'static str) {
        let now = self.pair.now();
        self.pair.machine.leave(now, vec![channel.into()]);
    }

    fn refuse(&mut self, answers: &[Option<&'static str>]) {
        self.refusals.lock().unwrap().extend(answers);
    }

    /// The node says something by itself.
    fn push(&mut self, words: &[&str]) {
        let mut bytes = format!(">{}\r\n", words.len());
        for word in words {
            match word.parse::<i64>() {
                Ok(number) => bytes += &format!(":{number}\r\n"),
                Err(_) => bytes += &format!("${}\r\n{word}\r\n", word.len()),
            }
        }
        assert!(self.pair.push(bytes.as_bytes()));
    }

    /// What the reader hears.
    fn told(&mut self) -> Vec<String> {
        self.pair.sleep(Duration::from_secs(20));
        std::iter::from_fn(|| self.pair.machine.poll_message())
            .map(|message| match message {
                Ok((message, _)) => {
                    let (kind, channel) = (message.kind.as_str(), message.channel.escape_ascii());
                    let text = message.text().map(|text| format!(" {text}"));
                    format!("{kind} {channel}{}", text.unwrap_or_default())
                }
                Err(error) => error.to_string(),
            })
            .collect()
    }

    /// What the cluster's subscriber hears.
    fn reports(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.pair.machine.poll_report())
            .map(|report| match report {
                Report::Confirmed(channel) => format!("{} there", channel.escape_ascii()),
                Report::Ended(channel) => format!("{} ended", channel.escape_ascii()),
                Report::Refused(channel, error) => format!("{}: {error}", channel.escape_ascii()),
                Report::Lost => "lost".to_owned(),
            })
            .collect()
    }
}

// Slots: a 15495, b 3300.

#[test]
fn adopted_channels_are_told_of_together_once_all_are_there() {
    let mut node = Node::new(Protocol::Resp3);
    node.adopt(&["a", "b"]);
    assert_eq!(node.told(), ["resubscribed "]);
    assert_eq!(node.reports(), ["a there", "b there"]);
    node.subscribe(&["c"]);
    node.adopt(&["d"]);
    assert_eq!(node.told(), ["ssubscribe c", "resubscribed "]);
}

/// Invariant 11.
#[test]
fn adopted_and_new_channels_are_there_again_after_a_loss() {
    let mut node = Node::new(Protocol::Resp3);
    node.adopt(&["a"]);
    node.subscribe(&["b"]);
    assert_eq!(node.told(), ["resubscribed ", "ssubscribe b"]);
    node.reports();
    node.pair.reset();
    assert_eq!(node.told(), ["resubscribed "]);
    assert_eq!(node.reports(), ["lost", "a there", "b there"]);
}

#[test]
fn what_the_node_ends_is_reported_and_not_told() {
    let mut node = Node::new(Protocol::Resp3);
    node.subscribe(&["a", "b"]);
    assert_eq!(node.told(), ["ssubscribe a", "ssubscribe b"]);
    node.reports();
    node.push(&["sunsubscribe", "a", "1"]);
    node.push(&["sunsubscribe", "nobody wants it", "1"]);
    assert_eq!(node.told(), [""; 0]);
    assert_eq!(node.reports(), ["a ended"]);
    node.pair.reset();
    assert_eq!(node.told(), ["resubscribed "]);
    assert_eq!(node.reports(), ["lost", "b there"], "it is another node's");
}

#[test]
fn what_the_node_refuses_is_reported_and_restores_nothing() {
    let mut node = Node::new(Protocol::Resp3);
    node.refuse(&[Some("MOVED 15495 h:2"), None, Some("MOVED 15495 h:2")]);
    node.subscribe(&["a", "b"]);
    assert_eq!(node.told(), ["ssubscribe b"]);
    node.adopt(&["a"]);
    assert_eq!(node.told(), [""; 0]);
    assert_eq!(node.reports(), ["a: MOVED 15495 h:2", "b there", "a: MOVED 15495 h:2"]);
    assert!(node.pair.machine.is_subscribed());
    node.unsubscribe("b");
    assert_eq!(node.told(), ["sunsubscribe b"]);
    assert!(!node.pair.machine.is_subscribed());
}

/// Invariant 13.
#[test]
fn an_ending_that_was_not_asked_for_takes_the_place_of_no_answer() {
    let mut node = Node::new(Protocol::Resp3);
    node.subscribe(&["a"]);
    assert_eq!(node.told(), ["ssubscribe a"]);
    node.reports();
    // The slot leaves while the user asks for the end; the refusal of that is not the next command's.
    node.refuse(&[Some("MOVED 15495 h:2"), None]);
    node.push(&["sunsubscribe", "a", "0"]);
    node.unsubscribe("a");
    node.subscribe(&["b"]);
    assert_eq!(node.told(), ["sunsubscribe a", "ssubscribe b"]);
    assert_eq!(node.reports(), ["b there"]);
    // The same, when it is wanted again by then.
    node.refuse(&[Some("MOVED 3300 h:2"); 2]);
    node.push(&["sunsubscribe", "b", "0"]);
    node.unsubscribe("b");
    node.subscribe(&["b"]);
    assert_eq!(node.told(), ["sunsubscribe b"]);
    assert_eq!(node.reports(), ["b: MOVED 3300 h:2"]);
}

#[test]
fn the_refused_end_of_what_was_never_there_is_confirmed() {
    let mut node = Node::new(Protocol::Resp3);
    node.subscribe(&["b"]);
    node.told();
    node.refuse(&[Some("MOVED 15495 h:2"); 2]);
    node.subscribe(&["a"]);
    node.unsubscribe("a");
    assert_eq!(node.told(), ["sunsubscribe a"]);
    assert_eq!(node.reports(), ["b there"]);
}

#[test]
fn of_what_goes_to_another_node_the_reader_hears_nothing_more() {
    let mut node = Node::new(Protocol::Resp3);
    node.subscribe(&["a", "b"]);
    node.told();
    node.reports();
    node.leave("a");
    node.push(&["smessage", "a", "twice"]);
    node.push(&["smessage", "b", "once"]);
    assert_eq!(node.told(), ["smessage b once"]);
    // Its confirmation was under way.
    node.subscribe(&["c"]);
    node.leave("c");
    assert_eq!(node.told(), [""; 0]);
    assert!(node.pair.server.ran.ends_with(&[
        vec!["SSUBSCRIBE".into(), "c".into()],
        vec!["SUNSUBSCRIBE".into(), "c".into()]
    ]));
}

#[test]
fn a_link_that_rests_is_opened_again_when_it_is_needed() {
    let mut node = Node::new(Protocol::Resp3);
    node.subscribe(&["a"]);
    node.told();
    node.unsubscribe("a");
    let now = node.pair.now();
    assert!(!node.pair.machine.rest(now), "the end is not confirmed");
    assert_eq!(node.told(), ["sunsubscribe a"]);
    let now = node.pair.now();
    assert!(node.pair.machine.rest(now));
    assert_eq!(node.told(), [""; 0]);
    assert!(node.pair.machine.is_idle() && node.pair.machine.is_over());
    assert_eq!((node.reports(), node.pair.server.connections), (vec!["a there".to_owned()], 1));
    node.adopt(&["a"]);
    assert_eq!(node.told(), ["resubscribed "]);
    assert_eq!((node.reports(), node.pair.server.connections), (vec!["a there".to_owned()], 2));
}

#[test]
fn resp2_is_the_same() {
    let mut node = Node::new(Protocol::Resp2);
    node.refuse(&[None, Some("CLUSTERDOWN Hash slot not served")]);
    node.subscribe(&["a", "b"]);
    assert_eq!(node.told(), ["ssubscribe a"]);
    assert_eq!(node.reports(), ["a there", "b: CLUSTERDOWN Hash slot not served"]);
}
