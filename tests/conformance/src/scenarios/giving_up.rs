//! Calls that are dropped before they are done, or never begun: nobody else notices.

use std::pin::pin;

use redis_core::{Commands, Execute, QueueCommands, Result, cmd};

use crate::scenario::{Context, LONG, Outcome, Scenario};
use crate::subject::Subject;
use crate::task::{all, poll_once};

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(command_that_is_never_polled_sends_nothing),
        Scenario::new(reply_that_is_given_up_goes_to_nobody_else),
        Scenario::new(pipeline_that_is_given_up_keeps_step),
        Scenario::new(watch_that_is_given_up_gives_its_place_back),
        Scenario::new(blocking_command_that_is_given_up_takes_nothing).drops_waiting_calls(),
        Scenario::new(subscriptions_survive_a_read_that_is_given_up).drops_waiting_calls(),
        Scenario::new(many_commands_of_one_task_are_under_way_together),
    ]
}

async fn command_that_is_never_polled_sends_nothing<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    for _ in 0..10 {
        drop(client.incr("n"));
    }
    assert_eq!(client.get::<i64>("n").await?, None);
    Ok(())
}

async fn reply_that_is_given_up_goes_to_nobody_else<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    for n in 0..200 {
        cx.step(format!("command {n}"));
        let mut given_up = client.echo::<String>("given up");
        poll_once(&mut given_up).await.transpose()?;
        drop(given_up);
        assert_eq!(client.echo::<i64>(n).await?, n);
    }
    Ok(())
}

async fn pipeline_that_is_given_up_keeps_step<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    for n in 0..50 {
        for transaction in [true, false] {
            let mut pipeline = client.pipeline();
            let queued = pipeline.transaction(transaction).incr("given-up").incr("given-up");
            poll_once(&mut pin!(queued.execute::<()>())).await.transpose()?;
            assert_eq!(client.echo::<i64>(n).await?, n);
        }
    }
    let ran = client.get::<i64>("given-up").await?.unwrap_or(0);
    assert!(ran % 2 == 0 && ran <= 200, "{ran}: each as a whole or not at all");
    Ok(())
}

async fn watch_that_is_given_up_gives_its_place_back<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| config.pool_size = 1)?;
    for n in 0..10 {
        poll_once(&mut pin!(client.watch(&["k"]))).await.transpose()?;
        cx.step(format!("watch {n} after one that was given up"));
        client.watch(&["k"]).await?.multi().incr("n").execute::<()>().await?;
    }
    assert_eq!(client.get::<i64>("n").await?, Some(10));
    Ok(())
}

async fn blocking_command_that_is_given_up_takes_nothing<S: Subject>(cx: Context<S>) -> Outcome {
    let (client, other) = (cx.client()?, cx.client()?);
    let blocked = async |count: u64| -> Result<bool> {
        let info = other.execute(cmd::info().sections("clients")).await?;
        Ok(info.number::<u64>("blocked_clients")? == count)
    };
    let mut given_up = client.blpop::<String, String>(["l"], None);
    cx.until("it blocks", async || {
        poll_once(&mut given_up).await.transpose()?;
        blocked(1).await
    })
    .await?;
    drop(given_up);
    cx.until("the server holds it no longer", async || blocked(0).await).await?;
    other.rpush("l", "kept").await?;
    assert_eq!(client.lrange::<String>("l", 0, -1).await?, ["kept"]);
    Ok(())
}

async fn subscriptions_survive_a_read_that_is_given_up<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    pubsub.subscribe(&["c"]).await?;
    let mut seen = Vec::new();
    for n in 0..50 {
        client.publish("c", n).await?;
        // Whether it is there yet or not, nothing is lost.
        let read = poll_once(&mut pin!(pubsub.get_message(LONG))).await;
        seen.extend(read.transpose()?.flatten());
    }
    while seen.len() < 51 {
        cx.step(format!("{} messages of 51", seen.len()));
        seen.extend(pubsub.get_message(LONG).await?);
    }
    let texts: Vec<_> = seen.iter().filter_map(|message| message.text()).collect();
    assert_eq!(texts, (0..50).map(|n| n.to_string()).collect::<Vec<_>>());
    Ok(())
}

async fn many_commands_of_one_task_are_under_way_together<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let numbers = all((0..500).map(|n| client.echo::<i64>(n))).await;
    let numbers: Vec<i64> = numbers.into_iter().collect::<Result<_>>()?;
    assert_eq!(numbers, (0..500).collect::<Vec<_>>());
    let counts = all((0..100).map(|_| client.incr("n"))).await;
    let mut counts: Vec<i64> = counts.into_iter().collect::<Result<_>>()?;
    counts.sort_unstable();
    assert_eq!(counts, (1..=100).collect::<Vec<_>>());
    Ok(())
}
