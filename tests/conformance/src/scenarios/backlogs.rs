//! Subscribers that are slow, shared, or many: what waits for a reader who is away, subscribing while somebody else
//! reads, and large registries over a crash.

use std::time::Duration;

use redis_core::pubsub::{MessageKind, Overflow};
use redis_core::{Commands, Error, ErrorKind, Execute, Result, cmd};
use testkit::servers::ServerOptions;

use crate::client::{Client, PubSub};
use crate::scenario::{Context, Failure, LONG, Outcome, OwnServer, Scenario, failed};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(reader_who_is_away_loses_the_oldest_and_is_told_how_many),
        Scenario::new(reader_who_is_away_loses_the_newest_and_is_told_how_many),
        Scenario::new(reader_who_is_away_holds_up_the_server_by_choice),
        Scenario::new(reader_who_is_away_is_disconnected_by_choice),
        Scenario::new(reader_who_is_away_keeps_its_connection),
        Scenario::new(subscribing_while_another_task_reads),
        Scenario::new(ping_is_answered_by_a_pong_among_the_messages),
        Scenario::new(handle_outlives_its_subscriber_and_says_so),
        Scenario::new(hundred_channels_and_twenty_patterns_survive_a_crash),
    ]
}

/// Messages of a kilobyte, which a small backlog and what systems hold for a connection are full of before long.
const MANY: u64 = 16_000;

/// Fits about sixty of them.
const BACKLOG: usize = 64 * 1024;

/// A subscriber of `c` that is not read, and a server of its own whose patience is unlimited.
async fn stalled<S: Subject>(
    cx: &Context<S>,
    overflow: Overflow,
) -> Result<(OwnServer, Client<S>, PubSub<S>), Failure> {
    let own = cx.start_server(ServerOptions::new())?;
    let client = own.client::<S>()?;
    client.config_set([("client-output-buffer-limit", "pubsub 0 0 0")]).await?;
    let slow = own.client_with::<S>(|config| {
        (config.overflow, config.max_backlog) = (overflow, BACKLOG);
    })?;
    let mut pubsub = slow.pubsub();
    pubsub.subscribe(&["c"]).await?;
    let confirmed = pubsub.get_message(LONG).await?.ok_or("it is not confirmed")?;
    assert_eq!(confirmed.kind, MessageKind::Subscribe);
    Ok((own, client, pubsub))
}

async fn publish<S: Subject>(client: &Client<S>, numbers: std::ops::Range<u64>) -> Outcome {
    for first in numbers.clone().step_by(500) {
        let mut pipeline = client.pipeline();
        for number in first..numbers.end.min(first + 500) {
            pipeline.push(cmd::publish("c", format!("{number:01000}")));
        }
        pipeline.transaction(false).execute::<()>().await?;
    }
    Ok(())
}

/// Whether the server holds back what its subscribers have not taken.
async fn holds_back<S: Subject>(client: &Client<S>) -> Result<bool> {
    let list = cmd::client_list().client_type(cmd::ClientType::Pubsub);
    let subscribers = client.execute(list).await?;
    Ok(subscribers.iter().any(|client| client.obl + client.oll + client.omem > 0))
}

/// Reads until so many messages were read or missed: how many were missed. Each is where it belongs.
async fn account<S: Subject>(pubsub: &mut PubSub<S>, all: u64) -> Result<u64, Failure> {
    let (mut position, mut missed) = (0, 0);
    while position < all {
        let message = pubsub.get_message(LONG).await?.ok_or("a message should have come")?;
        match (message.kind, message.count()) {
            (MessageKind::Lagged, Some(count)) => {
                assert!(count > 0);
                (position, missed) = (position + count as u64, missed + count as u64);
            }
            _ => {
                assert_eq!(message.text().map(str::parse), Some(Ok(position)));
                position += 1;
            }
        }
    }
    assert_eq!(position, all);
    Ok(missed)
}

async fn drops<S: Subject>(cx: Context<S>, overflow: Overflow) -> Outcome {
    let (_own, client, mut pubsub) = stalled(&cx, overflow).await?;
    publish(&client, 0..MANY).await?;
    cx.until("everything is taken from the server", async || Ok(!holds_back(&client).await?))
        .await?;
    assert!(account(&mut pubsub, MANY).await? > 0, "it all found room");
    cx.step("it goes on");
    client.publish("c", "next").await?;
    let next = pubsub.get_message(LONG).await?.ok_or("a message should have come")?;
    assert_eq!(next.text(), Some("next"));
    Ok(())
}

async fn reader_who_is_away_loses_the_oldest_and_is_told_how_many<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    drops(cx, Overflow::DropOldest).await
}

async fn reader_who_is_away_loses_the_newest_and_is_told_how_many<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    drops(cx, Overflow::DropNewest).await
}

async fn reader_who_is_away_holds_up_the_server_by_choice<S: Subject>(cx: Context<S>) -> Outcome {
    let (_own, client, mut pubsub) = stalled(&cx, Overflow::Backpressure).await?;
    publish(&client, 0..MANY).await?;
    assert!(holds_back(&client).await?, "it all found room");
    assert_eq!(account(&mut pubsub, MANY).await?, 0);
    Ok(())
}

async fn reader_who_is_away_is_disconnected_by_choice<S: Subject>(cx: Context<S>) -> Outcome {
    let (_own, client, mut pubsub) = stalled(&cx, Overflow::Disconnect).await?;
    publish(&client, 0..MANY).await?;
    cx.until("the connection is gone", async || {
        let counts: Vec<(String, u64)> = client.pubsub_numsub(["c"]).await?;
        Ok(counts[0].1 == 0)
    })
    .await?;
    let mut position = 0;
    let error = loop {
        match pubsub.get_message(LONG).await {
            Ok(message) => {
                let message = message.ok_or("a message should have come")?;
                assert_eq!(message.text().map(str::parse), Some(Ok(position)));
                position += 1;
            }
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Limit);
    cx.saw("error", error);
    assert!(0 < position && position < MANY, "{position}");
    let next = pubsub.get_message(LONG).await?.ok_or("it is not subscribed again")?;
    assert_eq!(next.kind, MessageKind::Resubscribed);
    client.publish("c", "next").await?;
    let next = pubsub.get_message(LONG).await?.ok_or("a message should have come")?;
    assert_eq!(next.text(), Some("next"));
    Ok(())
}

async fn reader_who_is_away_keeps_its_connection<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new())?;
    let watchful = own.client_with::<S>(|config| {
        config.health_interval = Some(Duration::from_millis(20));
        config.connect_timeout = LONG;
    })?;
    let client = own.client::<S>()?;
    let mut pubsub = watchful.pubsub();
    pubsub.subscribe(&["c"]).await?;
    cx.until("the server was asked for signs of life", async || {
        let stats = client.execute(cmd::info().sections("commandstats")).await?.command_stats()?;
        Ok(stats.get("ping").is_some_and(|ping| ping.calls >= 5))
    })
    .await?;
    client.publish("c", "x").await?;
    let mut kinds = Vec::new();
    for _ in 0..2 {
        kinds.push(pubsub.get_message(LONG).await?.ok_or("a message should have come")?.kind);
    }
    assert_eq!(kinds, [MessageKind::Subscribe, MessageKind::Message]);
    Ok(())
}

async fn subscribing_while_another_task_reads<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    let handle = pubsub.handle();
    // Nothing is subscribed yet: with a handle around, waiting is no mistake.
    let reading = cx.spawn(async move {
        let mut lines = Vec::new();
        while lines.len() < 5 {
            let message = pubsub.get_message(LONG).await?.ok_or("a message should have come")?;
            let text = message.text().map(str::to_owned).or(message.count().map(|n| n.to_string()));
            let channel = message.channel.escape_ascii();
            lines.push(format!("{} {channel} {}", message.kind.as_str(), text.unwrap_or_default()));
        }
        Ok::<_, Failure>(lines)
    });
    handle.clone().subscribe(&["c"]).await?;
    handle.subscribe(&["d"]).await?;
    cx.until("both are subscribed", async || {
        let counts: Vec<(String, u64)> = client.pubsub_numsub(["c", "d"]).await?;
        Ok(counts.iter().all(|(_, count)| *count == 1))
    })
    .await?;
    client.publish("d", "x").await?;
    handle.ping("p").await?;
    handle.unsubscribe(&["c"]).await?;
    let expected = ["subscribe c 1", "subscribe d 2", "message d x", "pong  p", "unsubscribe c 1"];
    assert_eq!(reading.await??, expected);
    Ok(())
}

async fn ping_is_answered_by_a_pong_among_the_messages<S: Subject>(cx: Context<S>) -> Outcome {
    let mut pubsub = cx.client()?.pubsub();
    let error = failed(pubsub.ping("x").await)?;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    cx.saw("before any subscription", error);
    pubsub.subscribe(&["c"]).await?;
    for text in ["x", "", "health"] {
        pubsub.ping(text).await?;
    }
    let mut texts = Vec::new();
    for _ in 0..4 {
        let message = pubsub.get_message(LONG).await?.ok_or("a message should have come")?;
        texts.push(format!("{} {:?}", message.kind.as_str(), message.text()));
    }
    assert_eq!(
        texts,
        ["subscribe None", "pong Some(\"x\")", "pong Some(\"\")", "pong Some(\"health\")"]
    );
    Ok(())
}

async fn handle_outlives_its_subscriber_and_says_so<S: Subject>(cx: Context<S>) -> Outcome {
    let pubsub = cx.client()?.pubsub();
    let handle = pubsub.handle();
    handle.subscribe(&["c"]).await?;
    drop(pubsub);
    for result in [handle.subscribe(&["d"]).await, handle.ping("x").await] {
        assert_eq!(failed(result)?.kind(), ErrorKind::Closed);
    }
    Ok(())
}

async fn hundred_channels_and_twenty_patterns_survive_a_crash<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let mut own = cx.start_server(ServerOptions::new())?;
    let client = own.client::<S>()?;
    let mut pubsub = client.pubsub();
    let name =
        |kind: &str, number: usize| [kind.as_bytes(), b"\xff\r\n\0", &[number as u8]].concat();
    let channels: Vec<_> = (0..100).map(|number| name("channel", number)).collect();
    let patterns: Vec<_> =
        (100..120).map(|number| [name("pattern", number), b"*".to_vec()].concat()).collect();
    pubsub.subscribe(&channels).await?;
    pubsub.psubscribe(&patterns).await?;
    for _ in 0..120 {
        pubsub.get_message(LONG).await?.ok_or("it is not confirmed")?;
    }
    own.server.kill()?;
    own.server.restart()?;
    cx.step("the notice");
    let told = loop {
        match pubsub.get_message(LONG).await {
            Ok(message) => break message.ok_or("it is not subscribed again")?.kind,
            Err(error) => assert!(is_of_a_crash(&error), "{error}"),
        }
    };
    assert_eq!(told, MessageKind::Resubscribed);
    assert_eq!(client.pubsub_numpat().await?, 20);
    let mut expected = Vec::new();
    for channel in &channels {
        assert_eq!(client.publish(channel, "x").await?, 1);
        expected.push((MessageKind::Message, channel.clone()));
    }
    for pattern in &patterns {
        let channel = [&pattern[..pattern.len() - 1], b"more"].concat();
        assert_eq!(client.publish(&channel, "x").await?, 1);
        expected.push((MessageKind::PMessage, channel));
    }
    cx.step("the messages");
    for expected in expected {
        let message = pubsub.get_message(LONG).await?.ok_or("a message should have come")?;
        assert_eq!((message.kind, message.channel.to_vec()), expected);
    }
    Ok(())
}

fn is_of_a_crash(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Connect | ErrorKind::Io | ErrorKind::Timeout)
        || error.code() == Some("LOADING")
}
