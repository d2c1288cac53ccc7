//! Links that are slow, torn into bytes, held or stalled: nothing changes but the time, deadlines hold,
//! and nobody else waits.

use std::time::Duration;

use redis_core::pubsub::MessageKind;
use redis_core::{Cmd, Commands, Config, Delivery, Execute, QueueCommands, Value, cmd};
use testkit::faulty::Direction::{ToClient, ToServer};
use testkit::faulty::{Ending, Flow};

use super::{PROMPT, until_it_works};
use crate::scenario::{Context, LONG, Outcome, Scenario, failed};
use crate::subject::Subject;
use crate::task::poll_once;

/// A deadline that is worth waiting for.
const SHORT: Duration = Duration::from_millis(120);

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(everything_arrives_over_a_link_that_tears_it_into_bytes).over_tcp(),
        Scenario::new(messages_arrive_over_a_link_that_tears_them_into_bytes).over_tcp(),
        Scenario::new(distance_costs_a_pipeline_one_round_trip).over_tcp(),
        Scenario::new(reply_that_trickles_does_not_outlive_the_deadline).over_tcp(),
        Scenario::new(held_replies_fail_at_the_deadline_and_go_to_nobody_else).over_tcp(),
        Scenario::new(stalled_link_holds_nobody_else_up).over_tcp(),
        Scenario::new(commands_given_up_on_a_held_link_disturb_no_others)
            .over_tcp()
            .drops_waiting_calls(),
        Scenario::new(half_open_link_fails_commands_at_their_deadline).over_tcp(),
        Scenario::new(half_open_link_is_found_by_a_subscriber).over_tcp(),
        Scenario::new(subscriber_that_reads_seldom_loses_nothing),
        Scenario::new(idle_half_open_link_is_found_before_it_is_needed).over_tcp(),
    ]
}

async fn everything_arrives_over_a_link_that_tears_it_into_bytes<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let torn = Flow::Pieces { size: 1, pause: Duration::ZERO };
    proxy.flow(ToServer, torn);
    proxy.flow(ToClient, torn);
    // How long that takes is the machine's.
    let client = proxy.client_with::<S>(|config| config.command_timeout = None)?;
    cx.step("a pipeline with errors in the middle");
    client.set("text", "x").await?;
    let mut pipeline = client.pipeline();
    for n in 0..20_i64 {
        pipeline.push(if n % 10 == 5 { cmd::incr("text") } else { cmd::incr("n") });
    }
    let replies = pipeline.transaction(false).execute_all().await?;
    let mut expected = 0;
    for (n, reply) in replies.into_iter().enumerate() {
        if n % 10 == 5 {
            assert_eq!(failed(reply)?.delivery(), Delivery::Replied);
        } else {
            expected += 1;
            assert_eq!(reply?, Value::Integer(expected));
        }
    }
    cx.step("transactions");
    let (n, text): (i64, String) = client.pipeline().incr("n").get("text").execute().await?;
    assert_eq!((n, &*text), (expected + 1, "x"));
    let mut pipeline = client.pipeline();
    pipeline.push(Cmd::<()>::raw("NO-SUCH-COMMAND"));
    let error = failed(pipeline.incr("n").execute::<()>().await)?;
    cx.saw("refused while queueing", error);
    let watched = client.watch(&["n"]).await?;
    direct.incr("n").await?;
    assert!(failed(watched.multi().incr("n").execute::<()>().await)?.is_watch());
    cx.step("replies of every shape");
    let nested = "return {1, {2, {'', false}}, {}, {ok = 'fine'}, 'x'}";
    let seen: Value = client.eval(nested, [""; 0], [""; 0]).await?;
    let same: Value = direct.eval(nested, [""; 0], [""; 0]).await?;
    assert_eq!(seen, same);
    assert_eq!(client.get::<String>("none").await?, None);
    cx.step("large values");
    let large: Vec<u8> = (0..8_000_u32).map(|n| (n % 253) as u8).collect();
    client.set("large", &large).await?;
    assert!(client.get::<Vec<u8>>("large").await? == Some(large));
    cx.step("a blocking command");
    client.rpush("l", "x").await?;
    let popped = client.blpop::<String, String>(["l"], None).await?;
    assert_eq!(popped, Some(("l".to_owned(), "x".to_owned())));
    Ok(())
}

async fn messages_arrive_over_a_link_that_tears_them_into_bytes<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    proxy.flow(ToServer, Flow::Pieces { size: 1, pause: Duration::ZERO });
    proxy.flow(ToClient, Flow::Pieces { size: 3, pause: Duration::ZERO });
    let mut pubsub = proxy.client::<S>()?.pubsub();
    pubsub.subscribe(&["a"]).await?;
    pubsub.psubscribe(&["a*"]).await?;
    for _ in 0..2 {
        pubsub.get_message(LONG).await?.ok_or("a confirmation should have come")?;
    }
    for n in 0..50 {
        assert_eq!(direct.publish("a", n).await?, 2);
    }
    for n in 0..50 {
        for kind in ["message", "pmessage"] {
            let message = pubsub.get_message(LONG).await?.ok_or("a message should have come")?;
            assert_eq!((message.kind.as_str(), message.text()), (kind, Some(&*n.to_string())));
        }
    }
    let large = vec![b'\r'; 10_000];
    direct.publish("a", &large).await?;
    let message = pubsub.get_message(LONG).await?;
    assert!(message.as_ref().and_then(|message| message.payload()) == Some(&large[..]));
    Ok(())
}

async fn distance_costs_a_pipeline_one_round_trip<S: Subject>(cx: Context<S>) -> Outcome {
    let proxy = cx.proxy()?;
    let far = Duration::from_millis(20);
    let client = proxy.client::<S>()?;
    client.ping().await?;
    proxy.flow(ToServer, Flow::Delay(far));
    proxy.flow(ToClient, Flow::Delay(far));
    let mut pipeline = client.pipeline();
    for _ in 0..200 {
        pipeline.push(cmd::incr("n"));
    }
    let (replies, took) = cx.timed(pipeline.transaction(false).execute::<Vec<i64>>()).await;
    assert_eq!(replies?, (1..=200).collect::<Vec<_>>());
    let round_trip = 2 * far;
    assert!(took >= round_trip && took < 200 * round_trip, "{took:?}");
    Ok(())
}

async fn reply_that_trickles_does_not_outlive_the_deadline<S: Subject>(cx: Context<S>) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    direct.set("k", vec![b'x'; 10_000]).await?;
    let client = proxy.client_with::<S>(|config| config.command_timeout = Some(SHORT))?;
    until_it_works(&cx, &client).await?;
    proxy.flow(ToClient, Flow::Pieces { size: 1, pause: Duration::from_millis(10) });
    let (result, took) = cx.timed(client.get::<Vec<u8>>("k")).await;
    let error = failed(result)?;
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.delivery(), Delivery::MaybeExecuted);
    assert!(took >= SHORT && took < PROMPT, "{took:?}");
    proxy.heal();
    until_it_works(&cx, &client).await?;
    let value = cx.in_time(async || client.get::<Vec<u8>>("k").await).await?;
    assert_eq!(value.map(|value| value.len()), Some(10_000));
    Ok(())
}

async fn held_replies_fail_at_the_deadline_and_go_to_nobody_else<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let client = proxy.client_with::<S>(|config| config.command_timeout = Some(SHORT))?;
    until_it_works(&cx, &client).await?;
    proxy.flow(ToClient, Flow::Hold);
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            cx.spawn(async move { client.incr("n").await })
        })
        .collect();
    cx.step("the deadlines");
    let (mut not_sent, mut maybe) = (0, 0);
    for task in tasks {
        let error = failed(task.await?)?;
        assert!(error.is_timeout(), "{error:?}");
        match error.delivery() {
            // It waited for a connection of its own.
            Delivery::NotSent => not_sent += 1,
            Delivery::MaybeExecuted => maybe += 1,
            Delivery::Replied => return Err(format!("{error:?}").into()),
        }
    }
    assert!(maybe > 0 && (S::BLOCKS || not_sent == 0), "{not_sent} {maybe}");
    cx.until("all of them ran", async || Ok(direct.get::<i64>("n").await?.unwrap_or(0) >= maybe))
        .await?;
    let ran = direct.get::<i64>("n").await?.unwrap_or(0);
    assert_eq!(ran, maybe, "replies alone are held; each ran once");
    proxy.heal();
    until_it_works(&cx, &client).await?;
    for n in 0..50 {
        assert_eq!(cx.in_time(async || client.echo::<i64>(n).await).await?, n);
    }
    assert_eq!(direct.get::<i64>("n").await?, Some(ran), "nothing was sent again");
    if !S::BLOCKS {
        assert_eq!(proxy.connections(), 1, "late replies are thrown away in their places");
    }
    Ok(())
}

async fn stalled_link_holds_nobody_else_up<S: Subject>(cx: Context<S>) -> Outcome {
    let (proxy, other) = (cx.proxy()?, cx.proxy()?);
    let stalled = proxy.client_with::<S>(|config| config.command_timeout = Some(SHORT))?;
    let client = other.client::<S>()?;
    until_it_works(&cx, &stalled).await?;
    proxy.flow(ToServer, Flow::Stall);
    proxy.flow(ToClient, Flow::Stall);
    let tasks: Vec<_> = (0..4)
        .map(|n| {
            let stalled = stalled.clone();
            // One does not fit the buffers between, the others wait behind it or beside it.
            let size = if n == 0 { 24 << 20 } else { 10 };
            cx.spawn(async move { stalled.set(n, vec![b'x'; size]).await })
        })
        .collect();
    cx.step("beside the stalled link");
    for n in 0..200 {
        let (reply, took) = cx.timed(client.echo::<i64>(n)).await;
        assert_eq!(reply?, n);
        assert!(took < PROMPT, "{took:?}");
    }
    cx.step("the deadlines of the stalled ones");
    for task in tasks {
        let error = failed(task.await?)?;
        assert!(error.is_timeout() && error.delivery() != Delivery::Replied, "{error:?}");
    }
    proxy.heal();
    cx.step("once the link moves again");
    until_it_works(&cx, &stalled).await?;
    cx.in_time(async || stalled.set("k", "v").await).await?;
    assert_eq!(client.get::<String>("k").await?.as_deref(), Some("v"));
    Ok(())
}

async fn commands_given_up_on_a_held_link_disturb_no_others<S: Subject>(cx: Context<S>) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let client = proxy.client::<S>()?;
    client.ping().await?;
    proxy.flow(ToClient, Flow::Hold);
    let mut calls: Vec<_> = (0..40).map(|n| Some(client.execute(tagged(n)))).collect();
    for call in calls.iter_mut().flatten() {
        assert!(poll_once(call).await.is_none());
    }
    cx.until("all of them ran", async || Ok(direct.llen("ran").await? == 40)).await?;
    for (n, call) in calls.iter_mut().enumerate() {
        if n % 3 == 0 {
            *call = None;
        }
    }
    proxy.heal();
    for (n, call) in calls.into_iter().enumerate() {
        cx.step(format!("the reply of command {n}"));
        if let Some(call) = call {
            assert_eq!(call.await?, n as i64);
        }
    }
    cx.step("given up on a link that ends");
    proxy.flow(ToClient, Flow::Hold);
    let mut kept = client.execute(tagged(100));
    let mut given_up = client.execute(tagged(101));
    assert!(poll_once(&mut kept).await.is_none() && poll_once(&mut given_up).await.is_none());
    cx.until("both ran", async || Ok(direct.llen("ran").await? == 42)).await?;
    drop(given_up);
    proxy.end_links(Ending::ResetClient);
    proxy.heal();
    assert_eq!(failed(kept.await)?.delivery(), Delivery::MaybeExecuted);
    assert_eq!(client.echo::<i64>(7).await?, 7);
    let ran: Vec<i64> = direct.lrange("ran", 0, -1).await?;
    let all: std::collections::BTreeSet<_> = ran.iter().collect();
    assert_eq!(all.len(), ran.len(), "nothing ran twice");
    Ok(())
}

/// Notes that it ran, and replies with its number.
fn tagged(n: i64) -> Cmd<i64> {
    let source = "redis.call('RPUSH', KEYS[1], ARGV[1]) return tonumber(ARGV[1])";
    cmd::eval(source, ["ran"], [n])
}

/// How long a peer that is asked for a sign of life has for it: it may just be busy.
const PATIENCE: Duration = Duration::from_secs(1);

/// Peers that are silent for this long are asked for a sign of life.
fn watchful(config: &mut Config, silent: Duration) {
    config.health_interval = Some(silent);
    config.connect_timeout = PATIENCE;
}

async fn half_open_link_fails_commands_at_their_deadline<S: Subject>(cx: Context<S>) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let client = proxy.client_with::<S>(|config| {
        config.command_timeout = Some(SHORT);
        // Not before the command's own deadline.
        watchful(config, PATIENCE);
    })?;
    until_it_works(&cx, &client).await?;
    proxy.end_links(Ending::Silence);
    let (result, took) = cx.timed(client.incr("n")).await;
    let error = failed(result)?;
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.delivery(), Delivery::MaybeExecuted);
    assert!(took >= SHORT && took < PROMPT, "{took:?}");
    until_it_works(&cx, &client).await?;
    assert_eq!(cx.in_time(async || client.echo::<i64>(7).await).await?, 7);
    assert_eq!(direct.get::<i64>("n").await?, None, "it was lost on its way, and not sent again");
    Ok(())
}

async fn half_open_link_is_found_by_a_subscriber<S: Subject>(cx: Context<S>) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let mut pubsub = proxy.client_with::<S>(|config| watchful(config, SHORT))?.pubsub();
    pubsub.subscribe(&["c"]).await?;
    assert!(pubsub.get_message(LONG).await?.is_some());
    proxy.end_links(Ending::Silence);
    direct.publish("c", "lost").await?;
    let message = pubsub.get_message(LONG).await?;
    assert_eq!(message.map(|message| message.kind), Some(MessageKind::Resubscribed));
    // The server still holds the link that was lost.
    assert_eq!(direct.publish("c", "heard").await?, 2);
    let message = pubsub.get_message(LONG).await?;
    assert_eq!(message.as_ref().and_then(|message| message.text()), Some("heard"));
    Ok(())
}

async fn subscriber_that_reads_seldom_loses_nothing<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = cx.client_with(|config| watchful(config, SHORT))?.pubsub();
    pubsub.subscribe(&["c"]).await?;
    assert!(pubsub.get_message(LONG).await?.is_some());
    for n in 0..3 {
        // Longer than the peer has for a sign of life, which it gives, and nobody reads it.
        cx.sleep(PATIENCE + SHORT).await;
        assert_eq!(client.publish("c", n).await?, 1, "message {n}");
        let message = pubsub.get_message(LONG).await?;
        assert_eq!(message.as_ref().and_then(|message| message.text()), Some(&*n.to_string()));
    }
    Ok(())
}

async fn idle_half_open_link_is_found_before_it_is_needed<S: Subject>(cx: Context<S>) -> Outcome {
    let proxy = cx.proxy()?;
    let client = proxy.client_with::<S>(|config| watchful(config, SHORT))?;
    client.ping().await?;
    proxy.end_links(Ending::Silence);
    if S::BLOCKS {
        // It is asked for a sign of life when it is needed, if it was idle for long enough by then.
        cx.sleep(SHORT).await;
    } else {
        cx.until("it is given up", async || Ok(proxy.open_links() == 0)).await?;
    }
    assert_eq!(client.incr("n").await?, 1);
    Ok(())
}
