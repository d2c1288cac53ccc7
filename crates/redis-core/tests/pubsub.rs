//! Subscriptions over the simulated pair: what is asked, what comes back, and what a loss changes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use redis_core::pubsub::{Family, Message, MessageKind, Overflow, PubSub};
use redis_core::session::{Action, Machine};
use redis_core::{Config, Endpoint, ErrorKind, Protocol};
use testkit::pair::{Faults, Pair};
use testkit::scripted::Scripted;

type Subscriber = Pair<PubSub<&'static str>, Scripted>;

const PROTOCOLS: [Protocol; 2] = [Protocol::Resp2, Protocol::Resp3];

fn subscriber(protocol: Protocol, server: Scripted) -> Subscriber {
    let mut config = Config::default();
    config.protocol = protocol;
    subscriber_with(config, server)
}

fn subscriber_with(config: Config, server: Scripted) -> Subscriber {
    let machine = PubSub::new(Arc::new(config), 7);
    Pair::new(7, Instant::now(), machine, server, Faults::NONE)
}

/// Has room for two messages of a few bytes.
fn slow_subscriber(overflow: Overflow) -> Subscriber {
    let mut config = Config::default();
    (config.overflow, config.max_backlog) = (overflow, 100);
    let mut pair = subscriber_with(config, Scripted::default());
    subscribe(&mut pair, Family::Channel, &[b"a"]);
    assert_eq!(shown(&messages(&mut pair)), ["subscribe a 1"]);
    pair
}

/// Publishes numbered messages, which come one by one.
fn publish(pair: &mut Subscriber, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let text = number.to_string();
        pair.push(&push(Protocol::Resp3, &[b"message", b"a", text.as_bytes()]));
        pair.sleep(Duration::from_secs(1));
    }
}

fn subscribe(pair: &mut Subscriber, family: Family, names: &[&'static [u8]]) {
    let names = names.iter().map(|name| (Bytes::from_static(name), None));
    pair.machine.subscribe(pair.now(), family, names).expect("there are names");
}

/// Lets everything happen, and reads what came.
fn messages(pair: &mut Subscriber) -> Vec<Message> {
    pair.sleep(Duration::from_secs(20));
    let mut messages = Vec::new();
    while let Some(message) = pair.machine.poll_message() {
        messages.push(message.expect("a good server refuses nothing").0);
    }
    messages
}

fn shown(messages: &[Message]) -> Vec<String> {
    let name = |bytes: &Bytes| bytes.escape_ascii().to_string();
    messages
        .iter()
        .map(|message| {
            let kind = message.kind.as_str();
            let channel = name(&message.channel);
            match (&message.pattern, message.text(), message.count()) {
                (Some(pattern), text, _) => format!("{kind} {} {channel} {text:?}", name(pattern)),
                (None, _, Some(count)) => format!("{kind} {channel} {count}"),
                (None, text, None) => format!("{kind} {channel} {text:?}"),
            }
        })
        .collect()
}

/// A push as the protocol has it.
fn push(protocol: Protocol, words: &[&[u8]]) -> Vec<u8> {
    let mark = if protocol == Protocol::Resp3 { '>' } else { '*' };
    let mut bytes = format!("{mark}{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend(b"\r\n");
    }
    bytes
}

#[test]
fn nothing_is_connected_before_the_first_subscription() {
    let mut pair = subscriber(Protocol::Resp3, Scripted::default());
    assert!(!pair.step());
    assert_eq!(pair.server.connections, 0);
}

#[test]
fn confirmations_and_messages_are_the_same_in_both_protocols() {
    for protocol in PROTOCOLS {
        let mut pair = subscriber(protocol, Scripted::default());
        subscribe(&mut pair, Family::Channel, &[b"a", b"\xff\r\n"]);
        subscribe(&mut pair, Family::Pattern, &[b"a*"]);
        let confirmed = messages(&mut pair);
        assert_eq!(
            shown(&confirmed),
            ["subscribe a 1", "subscribe \\xff\\r\\n 2", "psubscribe a* 3"]
        );
        assert!(pair.push(&push(protocol, &[b"message", b"a", b"hello"])));
        assert!(pair.push(&push(protocol, &[b"pmessage", b"a*", b"a", b"hello"])));
        let published = messages(&mut pair);
        assert_eq!(
            shown(&published),
            ["message a Some(\"hello\")", "pmessage a* a Some(\"hello\")"]
        );
        let now = pair.now();
        pair.machine.unsubscribe(now, Family::Channel, None);
        pair.machine.unsubscribe(now, Family::Pattern, Some(vec![Bytes::from_static(b"a*")]));
        let ended = messages(&mut pair);
        assert_eq!(
            shown(&ended),
            ["unsubscribe a 2", "unsubscribe \\xff\\r\\n 1", "punsubscribe a* 0"]
        );
        assert!(!pair.machine.is_subscribed());
    }
}

/// Invariant 11.
#[test]
fn after_a_loss_everything_wanted_is_subscribed_again_and_the_reader_is_told_once() {
    for protocol in PROTOCOLS {
        let mut pair = subscriber(protocol, Scripted::default());
        subscribe(&mut pair, Family::Channel, &[b"a", b"b", b"gone"]);
        subscribe(&mut pair, Family::Pattern, &[b"p*"]);
        let now = pair.now();
        pair.machine.unsubscribe(now, Family::Channel, Some(vec![Bytes::from_static(b"gone")]));
        messages(&mut pair);
        let before = pair.server.subscribed.clone();
        pair.reset();
        let told = messages(&mut pair);
        assert_eq!(
            told.iter().map(|message| message.kind).collect::<Vec<_>>(),
            [MessageKind::Resubscribed]
        );
        assert_eq!((pair.server.connections, &pair.server.subscribed), (2, &before));
    }
}

#[test]
fn ignored_confirmations_and_notices_take_effect_all_the_same() {
    let mut pair = subscriber(Protocol::Resp3, Scripted::default());
    pair.machine.ignore_subscribe_messages(true);
    subscribe(&mut pair, Family::Channel, &[b"a"]);
    assert_eq!(messages(&mut pair), []);
    pair.reset();
    assert_eq!(messages(&mut pair), []);
    assert_eq!(pair.server.subscribed.len(), 1);
}

#[test]
fn subscribing_again_replaces_the_handler() {
    let mut pair = subscriber(Protocol::Resp3, Scripted::default());
    let name = Bytes::from_static(b"a");
    for handler in [Some("first"), Some("second"), None] {
        pair.machine
            .subscribe(pair.now(), Family::Channel, [(name.clone(), handler)])
            .expect("there are names");
        messages(&mut pair);
        pair.push(&push(Protocol::Resp3, &[b"message", b"a", b"x"]));
        pair.sleep(Duration::from_secs(20));
        let (_, found) = pair.machine.poll_message().unwrap().unwrap();
        assert_eq!(found, handler);
    }
    let error = pair.machine.leave_to_handlers().unwrap_err();
    assert!(error.to_string().starts_with("channel `a` has no handler"), "{error}");
}

#[test]
fn a_refused_subscription_is_an_error_and_is_not_wanted_any_longer() {
    for protocol in PROTOCOLS {
        let server = Scripted::default().script(|args, reply| {
            let refused = args[0] == "SUBSCRIBE" && args.contains(&Bytes::from_static(b"secret"));
            if refused {
                reply.simple_error(b"NOPERM no access to the channel");
            }
            refused
        });
        let mut pair = subscriber(protocol, server);
        subscribe(&mut pair, Family::Channel, &[b"open"]);
        messages(&mut pair);
        subscribe(&mut pair, Family::Channel, &[b"secret"]);
        pair.sleep(Duration::from_secs(20));
        let error = pair.machine.poll_message().unwrap().unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some("NOPERM")));
        pair.reset();
        assert_eq!(messages(&mut pair).len(), 1, "only the notice");
        assert_eq!(pair.server.subscribed.len(), 1);
    }
}

#[test]
fn subscribe_unsubscribe_subscribe_before_reading_ends_subscribed() {
    let mut pair = subscriber(Protocol::Resp2, Scripted::default());
    subscribe(&mut pair, Family::Channel, &[b"a"]);
    let now = pair.now();
    pair.machine.unsubscribe(now, Family::Channel, None);
    subscribe(&mut pair, Family::Channel, &[b"a"]);
    messages(&mut pair);
    assert_eq!(pair.server.subscribed.len(), 1);
    assert!(pair.machine.is_subscribed());
}

#[test]
fn a_wrong_password_is_told_to_the_reader() {
    let mut config: Config = "redis://:wrong@localhost".parse().unwrap();
    config.backoff.base = config.backoff.cap;
    let machine = PubSub::<()>::new(Arc::new(config), 1);
    let server = Scripted::default().password("right");
    let mut pair = Pair::new(1, Instant::now(), machine, server, Faults::NONE);
    pair.machine
        .subscribe(pair.now(), Family::Channel, [(Bytes::from_static(b"a"), None)])
        .expect("there are names");
    let mut kind = None;
    pair.run_until("the reader is told", |pair| {
        kind = pair.machine.poll_message().map(|message| message.unwrap_err().kind());
        kind.is_some()
    })
    .unwrap();
    assert_eq!(kind, Some(ErrorKind::Auth));
    assert_eq!(pair.server.connections, 1);
}

/// Invariant 17.
#[test]
fn reader_who_is_away_is_told_how_many_messages_it_missed() {
    for (overflow, expected) in [
        (Overflow::DropOldest, ["lagged  None", "message a Some(\"7\")", "message a Some(\"8\")"]),
        (Overflow::DropNewest, ["message a Some(\"0\")", "message a Some(\"1\")", "lagged  None"]),
    ] {
        let mut pair = slow_subscriber(overflow);
        publish(&mut pair, 0..9);
        let got = messages(&mut pair);
        let lagged = got.iter().find(|message| message.kind == MessageKind::Lagged).unwrap();
        assert_eq!(lagged.count(), Some(7), "{overflow:?}");
        assert_eq!(shown(&got), expected.map(|line| line.replace("None", "7")));
    }
}

/// Invariant 17.
#[test]
fn reader_who_is_away_holds_up_the_server_and_the_link_is_not_taken_for_dead() {
    let mut pair = slow_subscriber(Overflow::Backpressure);
    for number in 0..5u32 {
        let text = number.to_string();
        pair.push(&push(Protocol::Resp3, &[b"message", b"a", text.as_bytes()]));
    }
    // Much longer than a peer may be silent.
    pair.sleep(Duration::from_secs(1000));
    assert!(pair.machine.is_held() && !pair.machine.takes_input());
    let expected: Vec<_> = (0..5).map(|n| format!("message a Some(\"{n}\")")).collect();
    let mut got = Vec::new();
    pair.run_until("all messages are read", |pair| {
        got.extend(pair.machine.poll_message().map(|message| message.unwrap().0));
        got.len() == 5
    })
    .unwrap();
    assert_eq!(shown(&got), expected);
    pair.sleep(Duration::from_secs(1000));
    assert_eq!(pair.server.connections, 1);
}

/// Invariants 11 and 17.
#[test]
fn reader_who_is_away_loses_the_link_and_has_it_again_once_everything_is_taken() {
    let mut pair = slow_subscriber(Overflow::Disconnect);
    publish(&mut pair, 0..4);
    pair.sleep(Duration::from_secs(1000));
    assert_eq!((pair.server.connections, pair.machine.is_ready()), (1, false));
    for number in 0..2 {
        let (message, _) = pair.machine.poll_message().unwrap().unwrap();
        assert_eq!(message.text(), Some(&*number.to_string()));
    }
    let error = pair.machine.poll_message().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    pair.sleep(Duration::ZERO);
    assert_eq!(shown(&messages(&mut pair)), ["resubscribed  None"]);
    assert_eq!((pair.server.connections, pair.server.subscribed.len()), (2, 1));
    publish(&mut pair, 9..10);
    assert_eq!(shown(&messages(&mut pair)), ["message a Some(\"9\")"]);
}

#[test]
fn ping_is_answered_by_a_pong_where_there_is_a_link() {
    for protocol in PROTOCOLS {
        let mut pair = subscriber(protocol, Scripted::default());
        let error = pair.machine.ping("x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        subscribe(&mut pair, Family::Channel, &[b"a"]);
        assert_eq!(pair.machine.ping("x").unwrap_err().kind(), ErrorKind::Io);
        messages(&mut pair);
        pair.machine.ping("x").unwrap();
        assert_eq!(shown(&messages(&mut pair)), ["pong  Some(\"x\")"], "{protocol:?}");
    }
}

#[test]
fn failure_is_told_to_who_waits_for_the_link_and_not_again_to_the_reader() {
    let mut pair = subscriber(Protocol::Resp3, Scripted::default());
    pair.set_faults(Faults { refuse: 1.0, ..Faults::NONE });
    let failures = pair.machine.failures();
    subscribe(&mut pair, Family::Channel, &[b"a"]);
    assert_eq!(pair.machine.failure_since(failures), None);
    pair.run_until("it has failed", |pair| pair.machine.failures() > failures).unwrap();
    let error = pair.machine.failure_since(failures).unwrap();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(pair.machine.poll_message().is_none());
    let failures = pair.machine.failures();
    assert_eq!(pair.machine.failure_since(failures), None);
    pair.run_until("it has failed again", |pair| pair.machine.failures() > failures).unwrap();
    let error = pair.machine.poll_message().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
}

#[test]
fn subscriber_that_may_be_anywhere_tries_others_before_it_fails() {
    let mut config = Config::default();
    config.max_retries = 2;
    let next = || Endpoint::Tcp { host: "node".into(), port: 7000 };
    config.whereabouts = Some(redis_core::config::Whereabouts::new(next, |_| {}));
    let (mut machine, mut now) = (PubSub::<()>::new(Arc::new(config), 1), Instant::now());
    machine.subscribe(now, Family::Channel, [(Bytes::from_static(b"c"), None)]).unwrap();
    for round in 0..2 {
        for attempt in 0..3 {
            assert_eq!(machine.failure_since(round), None, "there is another one: {attempt}");
            while !matches!(machine.poll_action(), Some(Action::Open(_))) {
                now += Duration::from_millis(100);
                machine.handle_timeout(now);
            }
            machine.handle_open_failed(now, std::io::ErrorKind::ConnectionRefused.into());
        }
        let error = machine.failure_since(round).unwrap();
        assert_eq!((error.kind(), machine.failures()), (ErrorKind::Connect, round + 1));
    }
}
