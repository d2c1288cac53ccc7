//! Publish and subscribe: confirmations, messages, handlers, and what a lost link does to them.

use std::ops::ControlFlow;
use std::sync::mpsc;
use std::time::Duration;

use redis_core::keyspace::{self, KeyEvent, Notification};
use redis_core::pubsub::{Message, MessageKind};
use redis_core::{Commands, Error, ErrorKind, Execute, Result, cmd};
use testkit::servers::ServerOptions;

use crate::client::{Client, PubSub};
use crate::scenario::{Context, Failure, LONG, Outcome, Scenario, failed};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(confirmations_count_the_subscriptions),
        Scenario::new(message_arrives_once_for_each_subscription_that_matches),
        Scenario::new(unsubscribing_is_confirmed_and_counts_down),
        Scenario::new(unsubscribing_ends_the_messages),
        Scenario::new(handler_takes_the_messages_of_its_channel),
        Scenario::new(handler_takes_the_messages_of_its_pattern),
        Scenario::new(later_handler_replaces_the_earlier_one),
        Scenario::new(confirmations_can_be_ignored),
        Scenario::new(get_message_without_time_gives_what_is_there),
        Scenario::new(get_message_gives_none_at_its_deadline),
        Scenario::new(get_message_before_any_subscription_gives_none_at_its_deadline),
        Scenario::new(names_and_payloads_are_any_bytes),
        Scenario::new(messages_keep_their_order),
        Scenario::new(large_message_arrives_whole),
        Scenario::new(subscribing_twice_counts_once),
        Scenario::new(subscribing_to_nothing_is_refused),
        Scenario::new(subscriptions_do_not_disturb_commands),
        Scenario::new(subscribers_and_monitors_take_places_of_the_pool),
        Scenario::new(dropped_pubsub_is_no_subscriber_any_more),
        Scenario::new(lost_link_is_opened_again_and_said_once),
        Scenario::new(lost_link_is_hidden_with_the_confirmations),
        Scenario::new(pubsub_commands_have_typed_replies),
        Scenario::new(listening_ends_with_the_last_subscription),
        Scenario::new(listening_goes_on_after_a_lost_link),
        Scenario::new(listening_ends_when_the_credentials_are_refused),
        Scenario::new(what_happens_to_keys_is_published_as_events),
        Scenario::new(handlers_run_beside_until_they_are_stopped),
        Scenario::new(running_beside_is_refused_without_handlers_and_loses_nothing),
        Scenario::new(running_beside_survives_a_lost_link),
        Scenario::new(error_handler_decides_whether_to_go_on),
        Scenario::new(shard_channels_are_separate_from_channels).needs_command("SSUBSCRIBE"),
        Scenario::new(shard_channels_are_subscribed_again).needs_command("SSUBSCRIBE"),
    ]
}

/// A message as one line.
fn line(message: &Message) -> String {
    let kind = message.kind.as_str();
    let channel = message.channel.escape_ascii();
    let pattern = message.pattern.as_ref().map(|pattern| pattern.escape_ascii().to_string());
    let data = match (message.payload(), message.count()) {
        (Some(payload), _) => payload.escape_ascii().to_string(),
        (None, Some(count)) => count.to_string(),
        (None, None) => "-".to_owned(),
    };
    format!("{kind} {channel} {} {data}", pattern.unwrap_or_else(|| "-".to_owned()))
}

/// The next message, which must come.
async fn next<S: Subject>(pubsub: &mut PubSub<S>) -> Result<Message, Failure> {
    Ok(pubsub.get_message(LONG).await?.ok_or("a message should have come")?)
}

/// The next `n` messages, as lines.
async fn lines<S: Subject>(pubsub: &mut PubSub<S>, n: usize) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    for _ in 0..n {
        lines.push(line(&next(pubsub).await?));
    }
    Ok(lines)
}

async fn confirmations_count_the_subscriptions<S: Subject>(cx: Context<S>) -> Outcome {
    let mut pubsub = cx.client()?.pubsub();
    assert!(!pubsub.is_subscribed());
    pubsub.subscribe(&["a", "b"]).await?;
    pubsub.psubscribe(&["a-*"]).await?;
    let lines = lines(&mut pubsub, 3).await?;
    assert_eq!(lines, ["subscribe a - 1", "subscribe b - 2", "psubscribe a-* - 3"]);
    assert!(pubsub.is_subscribed());
    Ok(())
}

async fn message_arrives_once_for_each_subscription_that_matches<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    pubsub.subscribe(&["my-first-channel", "my-second-channel"]).await?;
    pubsub.psubscribe(&["my-*"]).await?;
    lines(&mut pubsub, 3).await?;
    assert_eq!(client.publish("my-first-channel", "some data").await?, 2);
    let lines = lines(&mut pubsub, 2).await?;
    let expected =
        ["message my-first-channel - some data", "pmessage my-first-channel my-* some data"];
    assert_eq!(lines, expected);
    assert_eq!(client.publish("another", "x").await?, 0);
    Ok(())
}

async fn unsubscribing_is_confirmed_and_counts_down<S: Subject>(cx: Context<S>) -> Outcome {
    let mut pubsub = cx.client()?.pubsub();
    pubsub.subscribe(&["a", "b", "c"]).await?;
    pubsub.psubscribe(&["p*", "q*"]).await?;
    lines(&mut pubsub, 5).await?;
    cx.step("one");
    pubsub.unsubscribe(&["b"]).await?;
    assert_eq!(lines(&mut pubsub, 1).await?, ["unsubscribe b - 4"]);
    cx.step("all channels");
    pubsub.unsubscribe_all().await?;
    let mut names = Vec::new();
    for count in [3, 2] {
        let message = next(&mut pubsub).await?;
        assert_eq!((message.kind, message.count()), (MessageKind::Unsubscribe, Some(count)));
        names.push(message.channel);
    }
    names.sort();
    assert_eq!(names, ["a", "c"]);
    cx.step("patterns");
    pubsub.punsubscribe(&["p*"]).await?;
    pubsub.punsubscribe_all().await?;
    assert_eq!(lines(&mut pubsub, 2).await?, ["punsubscribe p* - 1", "punsubscribe q* - 0"]);
    assert!(!pubsub.is_subscribed());
    Ok(())
}

async fn unsubscribing_ends_the_messages<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    pubsub.subscribe(&["a", "b"]).await?;
    pubsub.unsubscribe(&["a"]).await?;
    lines(&mut pubsub, 3).await?;
    assert_eq!(client.publish("a", "lost").await?, 0);
    assert_eq!(client.publish("b", "heard").await?, 1);
    assert_eq!(lines(&mut pubsub, 1).await?, ["message b - heard"]);
    cx.step("and subscribing again brings them back");
    pubsub.unsubscribe_all().await?;
    pubsub.subscribe(&["a"]).await?;
    assert_eq!(lines(&mut pubsub, 2).await?, ["unsubscribe b - 0", "subscribe a - 1"]);
    assert_eq!(client.publish("a", "heard").await?, 1);
    assert_eq!(lines(&mut pubsub, 1).await?, ["message a - heard"]);
    Ok(())
}

async fn handler_takes_the_messages_of_its_channel<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    let (handled, seen) = mpsc::channel();
    let handler = move |message: &Message| {
        handled.send(line(message)).expect("the scenario listens");
    };
    pubsub.subscribe_with("my-channel", handler).await?;
    pubsub.subscribe(&["other"]).await?;
    assert_eq!(lines(&mut pubsub, 2).await?, ["subscribe my-channel - 1", "subscribe other - 2"]);
    assert_eq!(client.publish("my-channel", "awesome data").await?, 1);
    assert_eq!(pubsub.get_message(LONG).await?, None, "it was handled");
    assert_eq!(seen.try_recv()?, "message my-channel - awesome data");
    client.publish("other", "plain").await?;
    assert_eq!(lines(&mut pubsub, 1).await?, ["message other - plain"]);
    assert!(seen.try_recv().is_err());
    Ok(())
}

async fn handler_takes_the_messages_of_its_pattern<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    let (handled, seen) = mpsc::channel();
    let handler = move |message: &Message| {
        handled.send(line(message)).expect("the scenario listens");
    };
    pubsub.psubscribe_with("my-*", handler).await?;
    pubsub.subscribe(&["my-channel"]).await?;
    lines(&mut pubsub, 2).await?;
    assert_eq!(client.publish("my-channel", "both").await?, 2);
    let both = [pubsub.get_message(LONG).await?, pubsub.get_message(LONG).await?];
    let shown: Vec<_> = both.iter().flatten().map(line).collect();
    assert_eq!(shown, ["message my-channel - both"]);
    assert_eq!(seen.try_recv()?, "pmessage my-channel my-* both");
    Ok(())
}

async fn later_handler_replaces_the_earlier_one<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    let (handled, seen) = mpsc::channel();
    for name in ["first", "second"] {
        let handled = handled.clone();
        let handler = move |_: &Message| handled.send(name).expect("the scenario listens");
        pubsub.subscribe_with("c", handler).await?;
    }
    lines(&mut pubsub, 2).await?;
    client.publish("c", "x").await?;
    assert_eq!(pubsub.get_message(LONG).await?, None);
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), ["second"]);
    Ok(())
}

async fn confirmations_can_be_ignored<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    pubsub.ignore_subscribe_messages();
    pubsub.subscribe(&["my-channel"]).await?;
    subscribers(&cx, &client, "my-channel", 1).await?;
    assert_eq!(pubsub.get_message(Duration::from_millis(20)).await?, None);
    assert_eq!(client.publish("my-channel", "my data").await?, 1);
    assert_eq!(lines(&mut pubsub, 1).await?, ["message my-channel - my data"]);
    pubsub.unsubscribe_all().await?;
    cx.until("it is confirmed", async || {
        assert_eq!(pubsub.get_message(Duration::from_millis(20)).await?, None);
        Ok(!pubsub.is_subscribed())
    })
    .await?;
    Ok(())
}

/// Waits until a channel has so many subscribers.
async fn subscribers<S: Subject>(
    cx: &Context<S>,
    client: &Client<S>,
    channel: &str,
    count: u64,
) -> Result<()> {
    cx.until(&format!("{channel} has {count} subscribers"), async || {
        let counts: Vec<(String, u64)> = client.pubsub_numsub([channel]).await?;
        Ok(counts == [(channel.to_owned(), count)])
    })
    .await
}

/// Waits until the server has so many patterns.
async fn patterns<S: Subject>(cx: &Context<S>, client: &Client<S>, count: u64) -> Result<()> {
    cx.until(&format!("there are {count} patterns"), async || {
        Ok(client.pubsub_numpat().await? == count)
    })
    .await
}

async fn get_message_without_time_gives_what_is_there<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    pubsub.subscribe(&["c"]).await?;
    lines(&mut pubsub, 1).await?;
    assert_eq!(pubsub.get_message(Duration::ZERO).await?, None);
    for n in 0..3 {
        client.publish("c", n).await?;
    }
    // It was sent; when it is there depends on the system alone.
    let mut seen = Vec::new();
    cx.until("all have arrived", async || {
        seen.extend(pubsub.get_message(Duration::ZERO).await?.map(|message| line(&message)));
        Ok(seen.len() == 3)
    })
    .await?;
    assert_eq!(seen, ["message c - 0", "message c - 1", "message c - 2"]);
    assert_eq!(pubsub.get_message(Duration::ZERO).await?, None);
    Ok(())
}

async fn get_message_gives_none_at_its_deadline<S: Subject>(cx: Context<S>) -> Outcome {
    let mut pubsub = cx.client()?.pubsub();
    pubsub.subscribe(&["c"]).await?;
    lines(&mut pubsub, 1).await?;
    for millis in [1, 30, 100] {
        let timeout = Duration::from_millis(millis);
        let (message, took) = cx.timed(pubsub.get_message(timeout)).await;
        assert_eq!(message?, None);
        assert!(took >= timeout && took < LONG, "{took:?}");
    }
    Ok(())
}

async fn get_message_before_any_subscription_gives_none_at_its_deadline<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    assert_eq!(pubsub.get_message(Duration::ZERO).await?, None);
    let timeout = Duration::from_millis(50);
    let (message, took) = cx.timed(pubsub.get_message(timeout)).await;
    assert_eq!(message?, None);
    assert!(took >= timeout, "{took:?}");
    cx.step("and it works afterwards");
    pubsub.subscribe(&["c"]).await?;
    lines(&mut pubsub, 1).await?;
    pubsub.unsubscribe_all().await?;
    lines(&mut pubsub, 1).await?;
    assert_eq!(pubsub.get_message(timeout).await?, None, "after the last subscription, too");
    Ok(())
}

async fn names_and_payloads_are_any_bytes<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    let odd: [&[u8]; 4] = [b"\r\n", &[0, 0xff, b'\n'], b"", b"$1\r\nx\r\n"];
    pubsub.subscribe(&odd).await?;
    pubsub.psubscribe(&[b"\xff*"]).await?;
    lines(&mut pubsub, 5).await?;
    for bytes in odd {
        assert_eq!(client.publish(bytes, bytes).await?, 1);
        let message = next(&mut pubsub).await?;
        assert_eq!((&message.channel[..], message.payload()), (bytes, Some(bytes)));
    }
    client.publish(b"\xff\xfe", b"\0").await?;
    let message = next(&mut pubsub).await?;
    assert_eq!(message.pattern.as_deref(), Some(&b"\xff*"[..]));
    assert_eq!((&message.channel[..], message.payload()), (&b"\xff\xfe"[..], Some(&b"\0"[..])));
    assert_eq!(message.text(), Some("\0"));
    pubsub.unsubscribe(&odd).await?;
    lines(&mut pubsub, 4).await?;
    Ok(())
}

async fn messages_keep_their_order<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    pubsub.subscribe(&["c"]).await?;
    lines(&mut pubsub, 1).await?;
    let publisher = client.clone();
    let publishing = cx.spawn(async move {
        let mut pipeline = publisher.pipeline();
        for n in 0..5_000 {
            pipeline.push(cmd::publish("c", n));
        }
        pipeline.transaction(false).execute::<Vec<u64>>().await
    });
    for n in 0..5_000 {
        cx.step(format!("message {n}"));
        assert_eq!(next(&mut pubsub).await?.text(), Some(&*n.to_string()));
    }
    publishing.await??;
    Ok(())
}

async fn large_message_arrives_whole<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    pubsub.subscribe(&["c"]).await?;
    lines(&mut pubsub, 1).await?;
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 253) as u8).collect();
    assert_eq!(client.publish("c", &large).await?, 1);
    assert!(next(&mut pubsub).await?.payload() == Some(&large[..]));
    client.publish("c", "small").await?;
    assert_eq!(lines(&mut pubsub, 1).await?, ["message c - small"]);
    Ok(())
}

async fn subscribing_twice_counts_once<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    pubsub.subscribe(&["c"]).await?;
    pubsub.subscribe(&["c", "d"]).await?;
    let lines = lines(&mut pubsub, 3).await?;
    assert_eq!(lines, ["subscribe c - 1", "subscribe c - 1", "subscribe d - 2"]);
    assert_eq!(client.publish("c", "x").await?, 1);
    Ok(())
}

async fn subscribing_to_nothing_is_refused<S: Subject>(cx: Context<S>) -> Outcome {
    let mut pubsub = cx.client()?.pubsub();
    let error = failed(pubsub.subscribe(&[""; 0]).await)?;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    cx.saw("no channel", error);
    assert!(!pubsub.is_subscribed());
    Ok(())
}

async fn subscriptions_do_not_disturb_commands<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| config.pool_size = 3)?;
    let mut pubsub = client.pubsub();
    let mut second = client.pubsub();
    pubsub.subscribe(&["c"]).await?;
    second.subscribe(&["c"]).await?;
    for n in 0..50 {
        client.set("k", n).await?;
        client.publish("c", n).await?;
        assert_eq!(client.get::<i64>("k").await?, Some(n));
    }
    lines(&mut pubsub, 51).await?;
    lines(&mut second, 51).await?;
    Ok(())
}

async fn dropped_pubsub_is_no_subscriber_any_more<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    pubsub.subscribe(&["c"]).await?;
    subscribers(&cx, &client, "c", 1).await?;
    drop(pubsub);
    subscribers(&cx, &client, "c", 0).await?;
    Ok(())
}

async fn subscribers_and_monitors_take_places_of_the_pool<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| {
        config.pool_size = 2;
        config.pool_timeout = Duration::ZERO;
    })?;
    cx.step("an idle connection makes room");
    client.blpop::<String, String>(["none"], Some(Duration::from_millis(1))).await?;
    let mut pubsub = client.pubsub();
    pubsub.subscribe(&["c"]).await?;
    let monitor = client.monitor().await?;
    assert_eq!(client.stats().pool_open, 2);
    let mut second = client.pubsub();
    let error = failed(second.subscribe(&["c"]).await)?;
    assert_eq!((error.kind(), second.is_subscribed()), (ErrorKind::Limit, false));
    cx.saw("subscribing", error);
    cx.saw("monitoring", failed(client.monitor().await.map(drop))?);
    drop(monitor);
    second.subscribe(&["c"]).await?;
    drop((pubsub, second));
    assert_eq!(client.stats().pool_open, 0);
    Ok(())
}

/// Closes the links of all subscribers from the server's side.
async fn kill<S: Subject>(client: &Client<S>) -> Result<u64> {
    client.execute(cmd::client_kill().client_type(cmd::ClientType::Pubsub)).await
}

async fn lost_link_is_opened_again_and_said_once<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    pubsub.subscribe(&["a", "b"]).await?;
    pubsub.psubscribe(&["p*"]).await?;
    let (handled, seen) = mpsc::channel();
    let handler = move |message: &Message| {
        handled.send(line(message)).expect("the scenario listens");
    };
    pubsub.subscribe_with("handled", handler).await?;
    lines(&mut pubsub, 4).await?;
    for round in 0..3 {
        cx.step(format!("round {round}"));
        assert_eq!(kill(&client).await?, 1);
        assert_eq!(next(&mut pubsub).await?.kind, MessageKind::Resubscribed);
        assert_eq!(client.publish("a", round).await?, 1);
        assert_eq!(client.publish("p1", round).await?, 1);
        assert_eq!(client.publish("handled", round).await?, 1);
        let expected = [format!("message a - {round}"), format!("pmessage p1 p* {round}")];
        assert_eq!(lines(&mut pubsub, 2).await?, expected);
        assert_eq!(pubsub.get_message(LONG).await?, None);
        assert_eq!(seen.try_recv()?, format!("message handled - {round}"));
        assert_eq!(pubsub.get_message(Duration::from_millis(20)).await?, None, "said once");
    }
    cx.step("what was unsubscribed stays so");
    pubsub.unsubscribe(&["b"]).await?;
    lines(&mut pubsub, 1).await?;
    assert_eq!(kill(&client).await?, 1);
    assert_eq!(next(&mut pubsub).await?.kind, MessageKind::Resubscribed);
    assert_eq!(client.publish("b", "x").await?, 0);
    Ok(())
}

async fn lost_link_is_hidden_with_the_confirmations<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    pubsub.ignore_subscribe_messages();
    pubsub.subscribe(&["a"]).await?;
    subscribers(&cx, &client, "a", 1).await?;
    assert_eq!(kill(&client).await?, 1);
    // Reading is what reconnects.
    cx.until("it is subscribed again", async || {
        assert_eq!(pubsub.get_message(Duration::from_millis(5)).await?, None);
        let counts: Vec<(String, u64)> = client.pubsub_numsub(["a"]).await?;
        Ok(counts[0].1 == 1)
    })
    .await?;
    client.publish("a", "heard").await?;
    assert_eq!(lines(&mut pubsub, 1).await?, ["message a - heard"]);
    Ok(())
}

async fn pubsub_commands_have_typed_replies<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    let mut second = client.pubsub();
    pubsub.subscribe(&["foo", "bar"]).await?;
    pubsub.psubscribe(&["f*", "g*"]).await?;
    second.subscribe(&["bar"]).await?;
    second.psubscribe(&["f*"]).await?;
    lines(&mut pubsub, 4).await?;
    lines(&mut second, 2).await?;
    let mut channels: Vec<String> = client.pubsub_channels().await?;
    channels.sort();
    assert_eq!(channels, ["bar", "foo"]);
    let some: Vec<Vec<u8>> = client.execute(cmd::pubsub_channels().pattern("f*")).await?;
    assert_eq!(some, [b"foo"]);
    let counts: Vec<(String, u64)> = client.pubsub_numsub(["foo", "bar", "baz"]).await?;
    assert_eq!(counts, [("foo".into(), 1), ("bar".into(), 2), ("baz".into(), 0)]);
    assert_eq!(client.pubsub_numsub::<String>([""; 0]).await?, []);
    assert_eq!(client.pubsub_numpat().await?, 2);
    Ok(())
}

async fn listening_ends_with_the_last_subscription<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    assert!(pubsub.heard(1).await.is_empty(), "nothing is subscribed");
    let (handled, seen) = mpsc::channel();
    let handler = move |message: &Message| {
        handled.send(line(message)).expect("the scenario listens");
    };
    pubsub.subscribe_with("handled", handler).await?;
    pubsub.subscribe(&["c"]).await?;
    pubsub.psubscribe(&["p*"]).await?;
    lines(&mut pubsub, 3).await?;
    for channel in ["handled", "c", "handled", "p1"] {
        client.publish(channel, "m").await?;
    }
    let heard: Vec<_> = pubsub.heard(2).await.into_iter().collect::<Result<_>>()?;
    let heard: Vec<_> = heard.iter().map(line).collect();
    assert_eq!(heard, ["message c - m", "pmessage p1 p* m"]);
    assert_eq!(seen.try_iter().count(), 2);
    pubsub.unsubscribe_all().await?;
    pubsub.punsubscribe_all().await?;
    let heard = pubsub.heard(10).await;
    assert_eq!(heard.len(), 3, "the confirmations, and then its end: {heard:?}");
    cx.step("with the confirmations hidden");
    pubsub.ignore_subscribe_messages();
    pubsub.subscribe(&["c"]).await?;
    subscribers(&cx, &client, "c", 1).await?;
    client.publish("c", "last").await?;
    let heard = pubsub.heard(1).await.remove(0)?;
    assert_eq!(line(&heard), "message c - last");
    pubsub.unsubscribe_all().await?;
    assert!(pubsub.heard(1).await.is_empty());
    Ok(())
}

async fn listening_goes_on_after_a_lost_link<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    pubsub.subscribe(&["c"]).await?;
    lines(&mut pubsub, 1).await?;
    let publisher = client.clone();
    let task = cx.spawn(async move {
        kill(&publisher).await?;
        while publisher.publish("c", "heard").await? == 0 {}
        Ok::<_, Error>(())
    });
    let heard: Vec<_> = pubsub.heard(2).await.into_iter().collect::<Result<_>>()?;
    let heard: Vec<_> = heard.iter().map(line).collect();
    assert_eq!(heard, ["resubscribed  - -", "message c - heard"]);
    task.await??;
    Ok(())
}

async fn listening_ends_when_the_credentials_are_refused<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new())?;
    let admin = own.client::<S>()?;
    admin.acl_setuser("guest", ["on", ">pw", "+@all", "&*"]).await?;
    let guest = own.client_with::<S>(|config| {
        config.username = Some("guest".into());
        config.password = Some("pw".into());
    })?;
    let mut pubsub = guest.pubsub();
    pubsub.subscribe(&["c"]).await?;
    lines(&mut pubsub, 1).await?;
    // The server closes the connections of a user that it forgets.
    admin.acl_deluser("guest").await?;
    let mut heard = pubsub.heard(10).await;
    let last = heard.pop().ok_or("it said nothing")?;
    assert_eq!(failed(last)?.kind(), ErrorKind::Auth);
    assert!(pubsub.heard(1).await.is_empty());
    Ok(())
}

async fn shard_channels_are_separate_from_channels<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    pubsub.subscribe(&["c"]).await?;
    // Each name in a command of its own: they may be in different slots.
    pubsub.ssubscribe(&["c", "d"]).await?;
    let expected = ["subscribe c - 1", "ssubscribe c - 1", "ssubscribe d - 2"];
    assert_eq!(lines(&mut pubsub, 3).await?, expected);
    assert_eq!((client.publish("c", 1).await?, client.spublish("c", 2).await?), (1, 1));
    assert_eq!(lines(&mut pubsub, 2).await?, ["message c - 1", "smessage c - 2"]);
    let (handled, seen) = mpsc::channel();
    let handler = move |message: &Message| {
        handled.send(line(message)).expect("the scenario listens");
    };
    pubsub.ssubscribe_with("d", handler).await?;
    assert_eq!(lines(&mut pubsub, 1).await?, ["ssubscribe d - 2"]);
    client.spublish("d", 3).await?;
    assert_eq!(pubsub.get_message(LONG).await?, None);
    assert_eq!(seen.try_recv()?, "smessage d - 3");
    pubsub.sunsubscribe(&["c"]).await?;
    pubsub.sunsubscribe_all().await?;
    assert_eq!(lines(&mut pubsub, 2).await?, ["sunsubscribe c - 1", "sunsubscribe d - 0"]);
    assert_eq!((client.publish("c", 4).await?, client.spublish("c", 5).await?), (1, 0));
    assert_eq!(lines(&mut pubsub, 1).await?, ["message c - 4"]);
    Ok(())
}

async fn shard_channels_are_subscribed_again<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    let names: Vec<_> = (0..20).map(|n| format!("shard-{n}")).collect();
    pubsub.ssubscribe(&names).await?;
    lines(&mut pubsub, 20).await?;
    assert_eq!(kill(&client).await?, 1);
    assert_eq!(next(&mut pubsub).await?.kind, MessageKind::Resubscribed);
    for name in &names {
        assert_eq!(client.spublish(name, "m").await?, 1);
    }
    let expected: Vec<_> = names.iter().map(|name| format!("smessage {name} - m")).collect();
    assert_eq!(lines(&mut pubsub, 20).await?, expected);
    Ok(())
}

async fn what_happens_to_keys_is_published_as_events<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new())?;
    let client = own.client::<S>()?;
    let other = own.client_with::<S>(|config| config.database = 2)?;
    client.config_set([("notify-keyspace-events", "KEA")]).await?;
    let mut pubsub = client.pubsub();
    pubsub.ignore_subscribe_messages();
    pubsub.psubscribe(&[keyspace::events(None, None)]).await?;
    patterns(&cx, &client, 1).await?;
    client.set("k", 1).await?;
    other.rpush(b"\xff\0".as_slice(), ["e"]).await?;
    // Not over before the server has it, which would be another event.
    client.pexpire("k", Duration::from_millis(100)).await?;
    // It is noticed as expired when it is looked for, if not before.
    cx.until("it has expired", async || Ok(client.exists("k").await? == 0)).await?;
    for (database, key, event) in [
        (0, &b"k"[..], KeyEvent::Set),
        (2, b"\xff\0", KeyEvent::RPush),
        (0, b"k", KeyEvent::Expire),
        (0, b"k", KeyEvent::Expired),
    ] {
        let message = next(&mut pubsub).await?;
        let seen = Notification::read(&message).ok_or("a message of another kind")?;
        assert_eq!((seen.database, &seen.key[..], seen.event), (database, key, event));
    }
    let mut pubsub = client.pubsub();
    pubsub.ignore_subscribe_messages();
    pubsub.psubscribe(&[keyspace::keys(Some(2), Some("user:*"))]).await?;
    patterns(&cx, &client, 2).await?;
    client.set("user:1", "in another database").await?;
    other.set("page:1", "another key").await?;
    other.hset("user:1", [("name", "Ada")]).await?;
    let seen = Notification::read(&next(&mut pubsub).await?).ok_or("a message of another kind")?;
    assert_eq!((seen.database, &seen.key[..], seen.event), (2, &b"user:1"[..], KeyEvent::HSet));
    Ok(())
}

/// A handler that sends its messages as lines, and where they arrive.
fn lines_sent() -> (impl FnMut(&Message) + Send + 'static, mpsc::Receiver<String>) {
    let (sender, receiver) = mpsc::channel();
    // Nobody may listen any longer.
    (move |message: &Message| drop(sender.send(line(message))), receiver)
}

async fn handlers_run_beside_until_they_are_stopped<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    let (handler, of_channel) = lines_sent();
    pubsub.subscribe_with("c", handler).await?;
    let (handler, of_pattern) = lines_sent();
    pubsub.psubscribe_with("p*", handler).await?;
    let running = pubsub.run_beside(|error| panic!("{error}"))?;
    assert!(!pubsub.is_subscribed(), "it took them with it");
    subscribers(&cx, &client, "c", 1).await?;
    for n in 0..10 {
        client.publish("c", n).await?;
        client.publish("p1", n).await?;
    }
    let (mut channel, mut pattern) = (Vec::new(), Vec::new());
    cx.until("all have come", async || {
        channel.extend(of_channel.try_iter());
        pattern.extend(of_pattern.try_iter());
        Ok(channel.len() + pattern.len() == 20)
    })
    .await?;
    assert_eq!(channel, (0..10).map(|n| format!("message c - {n}")).collect::<Vec<_>>());
    assert_eq!(pattern, (0..10).map(|n| format!("pmessage p1 p* {n}")).collect::<Vec<_>>());
    assert!(!running.is_finished());
    running.stop();
    running.join().await;
    subscribers(&cx, &client, "c", 0).await?;
    cx.step("dropped");
    let (handler, _) = lines_sent();
    pubsub.subscribe_with("c", handler).await?;
    let running = pubsub.run_beside(|error| panic!("{error}"))?;
    subscribers(&cx, &client, "c", 1).await?;
    drop(running);
    subscribers(&cx, &client, "c", 0).await?;
    Ok(())
}

async fn running_beside_is_refused_without_handlers_and_loses_nothing<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    let refused =
        |pubsub: &mut PubSub<S>| failed(pubsub.run_beside(|_| ControlFlow::Break(())).map(drop));
    let error = refused(&mut pubsub)?;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    cx.saw("nothing", error);
    let (handler, _) = lines_sent();
    pubsub.subscribe_with("a", handler).await?;
    pubsub.psubscribe(&[b"b\xff*"]).await?;
    let error = refused(&mut pubsub)?;
    assert!(error.to_string().contains("pattern `b\\xff*` has no handler"), "{error}");
    lines(&mut pubsub, 2).await?;
    client.publish(b"b\xff1".as_slice(), "m").await?;
    assert_eq!(lines(&mut pubsub, 1).await?, ["pmessage b\\xff1 b\\xff* m"]);
    Ok(())
}

async fn running_beside_survives_a_lost_link<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    let (handler, seen) = lines_sent();
    pubsub.subscribe_with("c", handler).await?;
    let (errors, told) = mpsc::channel();
    let running = pubsub.run_beside(move |error| {
        let _ = errors.send(error.clone());
        ControlFlow::Continue(())
    })?;
    for _ in 0..3 {
        subscribers(&cx, &client, "c", 1).await?;
        client.publish("c", "m").await?;
        cx.until("it has come", async || Ok(seen.try_iter().next().is_some())).await?;
        assert_eq!(kill(&client).await?, 1);
        cx.until("the loss is told", async || {
            let error = told.try_iter().next();
            assert!(error.as_ref().is_none_or(|error| error.kind() == ErrorKind::Io), "{error:?}");
            Ok(error.is_some_and(|error| error.to_string().contains("subscribed again")))
        })
        .await?;
    }
    running.stop();
    running.join().await;
    Ok(())
}

async fn error_handler_decides_whether_to_go_on<S: Subject>(cx: Context<S>) -> Outcome {
    let mut own = cx.start_server(ServerOptions::new())?;
    let client = own.client::<S>()?;
    let mut pubsub = client.pubsub();
    let (handler, seen) = lines_sent();
    pubsub.subscribe_with("c", handler).await?;
    let (errors, told) = mpsc::channel();
    let running = pubsub.run_beside(move |error| {
        let _ = errors.send(error.kind());
        ControlFlow::Continue(())
    })?;
    own.server.kill()?;
    cx.until("an attempt to connect has failed", async || Ok(told.try_recv().is_ok())).await?;
    assert!(!running.is_finished());
    own.server.restart()?;
    cx.until("it hears again", async || {
        client.publish("c", "m").await?;
        Ok(seen.try_iter().next().is_some())
    })
    .await?;
    running.stop();
    running.join().await;
    cx.step("one that gives up");
    let (handler, _) = lines_sent();
    pubsub.subscribe_with("c", handler).await?;
    let running = pubsub.run_beside(|_| ControlFlow::Break(()))?;
    own.server.kill()?;
    running.join().await;
    Ok(())
}
