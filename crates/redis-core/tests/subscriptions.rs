//! Subscriptions of many on a link that commands share, over the simulated pair.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use redis_core::batch::{Batch, Deadline, Ticket};
use redis_core::pubsub::{Family, Overflow, SubscriptionId};
use redis_core::{Cmd, Config, Error, ErrorKind, Protocol};
use testkit::multiplexed::Multiplexed;
use testkit::pair::{Faults, Pair, Told};
use testkit::scripted::Scripted;

type Link = Pair<Multiplexed, Scripted>;

fn link() -> Link {
    link_to(Config::default(), Scripted::default())
}

fn link_to(config: Config, server: Scripted) -> Link {
    Pair::new(7, Instant::now(), Multiplexed::new(config, 7), server, Faults::NONE)
}

/// A server whose user may subscribe to nothing that begins with `no`.
fn guarded() -> Scripted {
    Scripted::default().script(|args, reply| {
        let subscribes = args[0].to_ascii_uppercase().ends_with(b"SUBSCRIBE");
        let refused = subscribes
            && !args[0].to_ascii_uppercase().ends_with(b"UNSUBSCRIBE")
            && args[1..].iter().any(|name| name.starts_with(b"no"));
        if refused {
            reply.simple_error(b"NOPERM No permissions to access a channel");
        }
        refused
    })
}

/// Lets everything happen that is due.
fn settle(link: &mut Link) {
    let now = link.now();
    link.machine.settle(now);
    link.sleep(Duration::from_secs(20));
}

fn somebody(link: &mut Link) -> SubscriptionId {
    link.machine.subscriptions.open().expect("the configuration allows it")
}

fn ask(link: &mut Link, id: SubscriptionId, family: Family, names: &[&'static str]) {
    let names = names.iter().map(|name| Bytes::from_static(name.as_bytes())).collect();
    link.machine.subscriptions.subscribe(id, family, names).expect("the server is fit for it");
}

fn subscribe(link: &mut Link, id: SubscriptionId, names: &[&'static str]) {
    ask(link, id, Family::Channel, names);
}

fn unsubscribe(link: &mut Link, id: SubscriptionId, name: &'static str) {
    let names = Some(vec![Bytes::from_static(name.as_bytes())]);
    link.machine.subscriptions.unsubscribe(id, Family::Channel, names);
}

/// Everything that waits for a reader, a line each.
fn heard(link: &mut Link, id: SubscriptionId) -> Vec<String> {
    settle(link);
    let next = || link.machine.subscriptions.poll_message(id);
    std::iter::from_fn(next)
        .map(|message| match message {
            Ok(message) => {
                let (kind, channel) = (message.kind.as_str(), message.channel.escape_ascii());
                match (message.text(), message.count()) {
                    (Some(text), _) => format!("{kind} {channel} {text}"),
                    (None, Some(count)) => format!("{kind} {channel} {count}"),
                    (None, None) => kind.to_owned(),
                }
            }
            Err(error) => error.to_string(),
        })
        .collect()
}

fn push(link: &mut Link, words: &[&str]) {
    let mut bytes = format!(">{}\r\n", words.len());
    for word in words {
        bytes.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    assert!(link.push(bytes.as_bytes()), "there is a link");
}

fn publish(link: &mut Link, channel: &str, text: &str) {
    push(link, &["message", channel, text]);
    settle(link);
}

fn submit(link: &mut Link, ticket: u64) {
    let mut batch = Batch::default();
    batch.push(Ticket(ticket), &Cmd::<()>::raw("ECHO").arg(ticket), Deadline::Never);
    let now = link.now();
    link.machine.session.submit(now, &mut batch).expect("there is room");
}

/// The commands that were run, but for fences and the handshake.
fn ran(link: &mut Link) -> Vec<String> {
    let text = |args: &Vec<Bytes>| {
        let words: Vec<_> = args.iter().map(|arg| arg.escape_ascii().to_string()).collect();
        words.join(" ")
    };
    let ran = link.server.ran.iter().map(text).filter(|text| !text.starts_with("CLIENT "));
    let ran = ran.filter(|text| !text.starts_with("PING")).collect();
    link.server.ran.clear();
    ran
}

#[test]
fn the_server_is_asked_once_for_each_name_and_everybody_hears_it() {
    let mut link = link();
    let (a, b) = (somebody(&mut link), somebody(&mut link));
    subscribe(&mut link, a, &["x", "y"]);
    assert_eq!(heard(&mut link, a), ["subscribe x 1", "subscribe y 2"]);
    subscribe(&mut link, b, &["y", "z"]);
    assert_eq!(heard(&mut link, b), ["subscribe y 1", "subscribe z 2"]);
    assert_eq!(ran(&mut link), ["SUBSCRIBE x y", "SUBSCRIBE z"]);
    for (channel, text) in [("x", "1"), ("y", "2"), ("z", "3")] {
        publish(&mut link, channel, text);
    }
    assert_eq!(heard(&mut link, a), ["message x 1", "message y 2"]);
    assert_eq!(heard(&mut link, b), ["message y 2", "message z 3"]);
    unsubscribe(&mut link, a, "y");
    assert_eq!(heard(&mut link, a), ["unsubscribe y 1"]);
    assert_eq!(ran(&mut link), [""; 0], "another one wants it");
    publish(&mut link, "y", "4");
    assert_eq!(heard(&mut link, a), [""; 0]);
    assert_eq!(heard(&mut link, b), ["message y 4"]);
    link.machine.subscriptions.close(b);
    settle(&mut link);
    assert_eq!(ran(&mut link), ["UNSUBSCRIBE y z"]);
    link.machine.subscriptions.close(a);
    settle(&mut link);
    assert_eq!(ran(&mut link), ["UNSUBSCRIBE x"]);
    assert!(link.server.subscribed.is_empty());
}

#[test]
fn subscribing_again_is_confirmed_again_and_counts_once() {
    let mut link = link();
    let a = somebody(&mut link);
    subscribe(&mut link, a, &["x", "x"]);
    subscribe(&mut link, a, &["x"]);
    assert_eq!(heard(&mut link, a), ["subscribe x 1"]);
    subscribe(&mut link, a, &["x"]);
    ask(&mut link, a, Family::Pattern, &["p*"]);
    assert_eq!(heard(&mut link, a), ["subscribe x 1", "psubscribe p* 2"]);
    link.machine.subscriptions.unsubscribe(a, Family::Pattern, None);
    unsubscribe(&mut link, a, "x");
    unsubscribe(&mut link, a, "x");
    assert_eq!(heard(&mut link, a), ["punsubscribe p* 1", "unsubscribe x 0", "unsubscribe x 0"]);
    assert!(link.machine.subscriptions.is_over(a));
}

#[test]
fn messages_on_their_way_to_a_subscription_before_are_not_those_of_the_next() {
    let mut link = link();
    let a = somebody(&mut link);
    subscribe(&mut link, a, &["x"]);
    assert_eq!(heard(&mut link, a), ["subscribe x 1"]);
    unsubscribe(&mut link, a, "x");
    subscribe(&mut link, a, &["x"]);
    push(&mut link, &["message", "x", "early"]);
    assert_eq!(heard(&mut link, a), ["unsubscribe x 0", "subscribe x 1"]);
    publish(&mut link, "x", "late");
    assert_eq!(heard(&mut link, a), ["message x late"]);
    assert_eq!(link.server.subscribed.len(), 1);
}

/// Invariants 1 and 13.
#[test]
fn refusals_are_told_to_those_who_asked_and_shift_no_reply() {
    let mut link = link_to(Config::default(), guarded());
    let (a, b) = (somebody(&mut link), somebody(&mut link));
    submit(&mut link, 1);
    subscribe(&mut link, a, &["yes"]);
    assert_eq!(heard(&mut link, a), ["subscribe yes 1"]);
    for ticket in 2..5 {
        submit(&mut link, ticket);
        subscribe(&mut link, b, &["fine", "no", "also"]);
        let now = link.now();
        link.machine.settle(now);
        submit(&mut link, 10 * ticket);
        let told = heard(&mut link, b);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told.iter().any(|text| text.starts_with("SUBSCRIBE no: NOPERM")), "{told:?}");
        assert!(told.contains(&"subscribe also 2".to_owned()), "{told:?}");
        link.machine.subscriptions.unsubscribe(b, Family::Channel, None);
        heard(&mut link, b);
    }
    assert_eq!(heard(&mut link, a), [""; 0]);
    for told in link.told.drain(..) {
        if let Told::Replies { ticket, frames, .. } = told {
            let text = ticket.0.to_string();
            assert_eq!(frames, format!("${}\r\n{text}\r\n", text.len()));
        }
    }
    assert_eq!(link.server.connections, 1);
}

#[test]
fn a_refusal_names_what_was_refused() {
    let mut link = link_to(Config::default(), guarded());
    let (a, b) = (somebody(&mut link), somebody(&mut link));
    subscribe(&mut link, a, &["no"]);
    subscribe(&mut link, b, &["no"]);
    let refused = "SUBSCRIBE no: NOPERM No permissions to access a channel";
    let failures = link.machine.subscriptions.failures(a);
    settle(&mut link);
    let settled = link.machine.subscriptions.poll_settled(a, failures).expect("it is answered");
    assert_eq!(settled.map_err(|error| error.to_string()), Err(refused.to_owned()));
    assert_eq!(heard(&mut link, a), [""; 0], "the one who waited was told");
    assert_eq!(heard(&mut link, b), [refused]);
    assert!(link.machine.subscriptions.is_over(a) && link.machine.subscriptions.is_over(b));
    let failures = link.machine.subscriptions.failures(a);
    subscribe(&mut link, a, &["yes", "no", "yes also"]);
    settle(&mut link);
    let settled = link.machine.subscriptions.poll_settled(a, failures).expect("it is answered");
    assert_eq!(settled.map_err(|error| error.to_string()), Err(refused.to_owned()));
    assert_eq!(heard(&mut link, a), ["subscribe yes 1", "subscribe yes also 2"]);
}

/// Invariant 11.
#[test]
fn after_a_loss_everything_wanted_is_subscribed_again_and_each_is_told_once() {
    let mut link = link();
    let (a, b, c) = (somebody(&mut link), somebody(&mut link), somebody(&mut link));
    subscribe(&mut link, a, &["x", "y"]);
    ask(&mut link, b, Family::Pattern, &["p*"]);
    subscribe(&mut link, b, &["y"]);
    settle(&mut link);
    let before = link.server.subscribed.clone();
    heard(&mut link, a);
    heard(&mut link, b);
    link.reset();
    // Comes while there is no link, to a name that was subscribed before.
    subscribe(&mut link, c, &["x"]);
    settle(&mut link);
    assert_eq!(link.server.subscribed, before);
    assert_eq!(heard(&mut link, a), ["resubscribed"]);
    assert_eq!(heard(&mut link, b), ["resubscribed"]);
    assert_eq!(heard(&mut link, c), ["subscribe x 1"]);
    assert_eq!(link.server.connections, 2, "also though nobody sends a command");
    publish(&mut link, "x", "1");
    assert_eq!(heard(&mut link, a), ["message x 1"]);
    assert_eq!(heard(&mut link, c), ["message x 1"]);
}

#[test]
fn a_loss_before_the_confirmation_is_made_up_for() {
    let mut link = link();
    let a = somebody(&mut link);
    subscribe(&mut link, a, &["x"]);
    settle(&mut link);
    subscribe(&mut link, a, &["y"]);
    let now = link.now();
    link.machine.settle(now);
    link.reset();
    assert_eq!(heard(&mut link, a), ["subscribe x 1", "resubscribed", "subscribe y 2"]);
    assert_eq!(link.server.subscribed.len(), 2);
}

#[test]
fn a_name_that_is_refused_after_a_loss_is_lost_alone() {
    let allowed = Arc::new(Mutex::new(true));
    let server = Scripted::default().script({
        let allowed = allowed.clone();
        move |args, reply| {
            let refused = args.iter().any(|arg| arg == "b")
                && args[0].eq_ignore_ascii_case(b"SUBSCRIBE")
                && !*allowed.lock().unwrap();
            if refused {
                reply.simple_error(b"NOPERM No permissions to access a channel");
            }
            refused
        }
    });
    let mut link = link_to(Config::default(), server);
    let (a, b) = (somebody(&mut link), somebody(&mut link));
    subscribe(&mut link, a, &["a", "b", "c"]);
    subscribe(&mut link, b, &["c"]);
    heard(&mut link, a);
    heard(&mut link, b);
    *allowed.lock().unwrap() = false;
    link.reset();
    let told = heard(&mut link, a);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("SUBSCRIBE b: NOPERM"), "{told:?}");
    assert_eq!(told[1], "resubscribed");
    assert_eq!(heard(&mut link, b), ["resubscribed"]);
    assert_eq!(link.server.subscribed.len(), 2);
}

/// Invariant 13.
#[test]
fn a_shard_channel_that_the_server_ends_is_asked_for_again() {
    let server = Scripted::default().script(|args, reply| {
        let known = args[0].eq_ignore_ascii_case(b"SSUBSCRIBE");
        if known {
            reply.push(3).bulk(b"ssubscribe").bulk(&args[1]).integer(1);
        }
        known
    });
    let mut link = link_to(Config::default(), server);
    let a = somebody(&mut link);
    ask(&mut link, a, Family::Shard, &["s", "t"]);
    assert_eq!(heard(&mut link, a), ["ssubscribe s 1", "ssubscribe t 2"]);
    submit(&mut link, 1);
    link.push(b">3\r\n$12\r\nsunsubscribe\r\n$1\r\ns\r\n:0\r\n");
    assert_eq!(heard(&mut link, a), ["sunsubscribe s 1", "ssubscribe s 2"]);
    assert_eq!(ran(&mut link), ["SSUBSCRIBE s", "SSUBSCRIBE t", "ECHO 1", "SSUBSCRIBE s"]);
    assert!(
        matches!(&link.told[..], [.., Told::Replies { frames, .. }] if frames == "$1\r\n1\r\n")
    );
}

/// Invariant 17.
#[test]
fn a_slow_reader_loses_its_own_messages_and_is_told_how_many() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let mut config = Config::default();
        (config.overflow, config.max_backlog) = (overflow, 100);
        let mut link = link_to(config, Scripted::default());
        let (slow, fast) = (somebody(&mut link), somebody(&mut link));
        subscribe(&mut link, slow, &["x"]);
        subscribe(&mut link, fast, &["x"]);
        heard(&mut link, slow);
        heard(&mut link, fast);
        for number in 0..5 {
            publish(&mut link, "x", &number.to_string());
            assert_eq!(heard(&mut link, fast), [format!("message x {number}")]);
            assert!(link.machine.subscriptions.backlog(slow) <= 100);
        }
        let expected = match overflow {
            Overflow::DropOldest => ["lagged  3", "message x 3", "message x 4"],
            _ => ["message x 0", "message x 1", "lagged  3"],
        };
        assert_eq!(heard(&mut link, slow), expected);
    }
}

#[test]
fn disconnecting_ends_the_subscriptions_of_the_slow_reader_alone() {
    let mut config = Config::default();
    (config.overflow, config.max_backlog) = (Overflow::Disconnect, 100);
    let mut link = link_to(config, Scripted::default());
    let (slow, fast) = (somebody(&mut link), somebody(&mut link));
    subscribe(&mut link, slow, &["x", "y"]);
    subscribe(&mut link, fast, &["x"]);
    heard(&mut link, slow);
    heard(&mut link, fast);
    for number in 0..4 {
        publish(&mut link, "x", &number.to_string());
        assert_eq!(heard(&mut link, fast), [format!("message x {number}")]);
    }
    let told = heard(&mut link, slow);
    assert_eq!(told[..2], ["message x 0", "message x 1"]);
    assert!(told[2].ends_with("the subscriptions were ended"), "{told:?}");
    assert_eq!(told.len(), 3);
    assert!(link.machine.subscriptions.is_over(slow));
    assert_eq!((link.server.connections, link.server.subscribed.len()), (1, 1));
    subscribe(&mut link, slow, &["x"]);
    assert_eq!(heard(&mut link, slow), ["subscribe x 1"]);
}

fn unfit(error: Option<Error>) -> String {
    let error = error.expect("it can't be subscribed there");
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    error.to_string()
}

#[test]
fn where_it_cannot_be_the_error_names_what_can() {
    let mut config = Config::default();
    config.protocol = Protocol::Resp2;
    let mut link = link_to(config, Scripted::default());
    assert!(unfit(link.machine.subscriptions.open().err()).contains("client.pubsub()"));

    let mut config = Config::default();
    config.overflow = Overflow::Backpressure;
    let mut link = link_to(config, Scripted::default());
    let text = unfit(link.machine.subscriptions.open().err());
    assert!(text.contains("DropOldest") && text.contains("client.pubsub()"), "{text}");

    let old = Scripted::default().script(|_, _| false).without_hello();
    let mut link = link_to(Config::default(), old);
    let a = somebody(&mut link);
    subscribe(&mut link, a, &["x"]);
    settle(&mut link);
    let failed = link.machine.subscriptions.poll_settled(a, 0).expect("it is settled");
    let text = unfit(failed.err());
    assert!(text.contains("RESP3") && text.contains("client.pubsub()"), "{text}");
    assert!(!link.machine.subscriptions.is_subscribed(a));
    let names = vec![Bytes::from_static(b"x")];
    let again = link.machine.subscriptions.subscribe(a, Family::Channel, names);
    assert_eq!(unfit(again.err()), text);
    assert_eq!(heard(&mut link, a), [""; 0]);
    submit(&mut link, 1);
    settle(&mut link);
    assert!(matches!(&link.told[..], [.., Told::Replies { .. }]), "commands still run");
}

#[test]
fn a_link_that_cannot_be_had_is_told_and_tried_again() {
    let mut link = link();
    link.set_faults(Faults { refuse: 1.0, ..Faults::NONE });
    let a = somebody(&mut link);
    subscribe(&mut link, a, &["x"]);
    settle(&mut link);
    let failed = link.machine.subscriptions.poll_settled(a, 0).expect("it has failed");
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Connect);
    assert!(heard(&mut link, a).iter().all(|text| text.contains("failed")));
    link.set_faults(Faults::NONE);
    let failures = link.machine.subscriptions.failures(a);
    settle(&mut link);
    assert!(matches!(link.machine.subscriptions.poll_settled(a, failures), Some(Ok(()))));
}

#[test]
fn refused_credentials_are_not_tried_again_before_something_else_is_subscribed() {
    let mut link = link_to(Config::default(), Scripted::default().password("secret"));
    let a = somebody(&mut link);
    subscribe(&mut link, a, &["x"]);
    settle(&mut link);
    assert_eq!(link.server.connections, 1);
    assert!(!link.machine.subscriptions.is_over(a), "it has not been told");
    let error = link.machine.subscriptions.poll_message(a).expect("it is told").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(link.machine.subscriptions.is_over(a));
    subscribe(&mut link, a, &["y"]);
    settle(&mut link);
    assert_eq!(link.server.connections, 2);
}

#[test]
fn a_silent_link_is_asked_for_a_sign_of_life() {
    let mut link = link();
    let a = somebody(&mut link);
    subscribe(&mut link, a, &["x"]);
    settle(&mut link);
    link.server.ran.clear();
    link.sleep(Duration::from_secs(100));
    assert!(link.server.ran.iter().any(|args| args[0] == "PING"));
}
