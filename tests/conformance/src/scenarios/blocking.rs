//! Commands that wait on the server.

use std::time::Duration;

use redis_core::cmd::Side;
use redis_core::{Cmd, Commands, Execute, cmd};

use crate::client::Client;
use crate::scenario::{Context, LONG, Outcome, Scenario, TICK};
use crate::subject::Subject;
use crate::task::Join;

/// A deadline that blocking commands outlive.
pub(super) const SHORT: Duration = Duration::from_millis(150);

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(blpop_wakes_when_another_client_pushes),
        Scenario::new(blpop_takes_what_is_there_at_once),
        Scenario::new(blpop_gives_none_when_its_time_is_over),
        Scenario::new(usual_deadline_comes_on_top_of_the_time_of_blpop),
        Scenario::new(blpop_without_a_timeout_outlives_the_usual_deadline),
        Scenario::new(raw_blocking_command_outlives_the_usual_deadline),
        Scenario::new(blocking_move_waits_and_moves),
        Scenario::new(blocking_command_delays_nobody_on_the_same_client),
        Scenario::new(many_blocking_commands_wait_side_by_side),
    ]
}

/// Waits until the server holds so many clients.
pub(super) async fn blocked<S: Subject>(
    cx: &Context<S>,
    client: &Client<S>,
    count: u64,
) -> redis_core::Result<()> {
    cx.until(&format!("{count} clients are blocked"), async || {
        let info = client.execute(cmd::info().sections("clients")).await?;
        Ok(info.number::<u64>("blocked_clients")? == count)
    })
    .await
}

/// Waits until a call blocks, and for longer than [`SHORT`], which must not end it.
pub(super) async fn outlives_the_usual_deadline<S: Subject, T>(
    cx: &Context<S>,
    client: &Client<S>,
    waiting: &Join<T>,
) -> redis_core::Result<()> {
    blocked(cx, client, 1).await?;
    cx.sleep(2 * SHORT).await;
    assert!(!waiting.is_done(), "it still waits");
    Ok(())
}

type Popped = Option<(String, String)>;

fn popped(key: &str, value: &str) -> Popped {
    Some((key.to_owned(), value.to_owned()))
}

async fn blpop_wakes_when_another_client_pushes<S: Subject>(cx: Context<S>) -> Outcome {
    let (client, other) = (cx.client()?, cx.client()?);
    let waiting = cx.spawn(async move {
        client.blpop::<String, String>(["a", "b"], Duration::from_secs(20)).await
    });
    blocked(&cx, &other, 1).await?;
    assert!(!waiting.is_done());
    other.rpush("b", "woken").await?;
    cx.step("waiting for the reply");
    assert_eq!(waiting.await??, popped("b", "woken"));
    Ok(())
}

async fn blpop_takes_what_is_there_at_once<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.rpush("l", ["1", "2"]).await?;
    let first: Popped = client.blpop(["l"], None).await?;
    assert_eq!(first, popped("l", "1"));
    let last: Popped = client.brpop(["none", "l"], Duration::from_secs(1)).await?;
    assert_eq!(last, popped("l", "2"));
    Ok(())
}

async fn blpop_gives_none_when_its_time_is_over<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let time = Duration::from_millis(100);
    let (reply, took) = cx.timed(client.blpop::<String, String>(["none"], time)).await;
    assert_eq!(reply?, None);
    assert!(took + TICK >= time, "{took:?}");
    client.ping().await?;
    Ok(())
}

async fn usual_deadline_comes_on_top_of_the_time_of_blpop<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| config.command_timeout = Some(SHORT))?;
    let other = cx.client()?;
    let waiting = cx.spawn(async move { client.blpop::<String, String>(["l"], LONG).await });
    outlives_the_usual_deadline(&cx, &other, &waiting).await?;
    other.rpush("l", "late").await?;
    assert_eq!(waiting.await??, popped("l", "late"));
    Ok(())
}

async fn blpop_without_a_timeout_outlives_the_usual_deadline<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client_with(|config| config.command_timeout = Some(SHORT))?;
    let other = cx.client()?;
    let waiting = cx.spawn(async move { client.blpop::<String, String>(["l"], None).await });
    outlives_the_usual_deadline(&cx, &other, &waiting).await?;
    other.rpush("l", "late").await?;
    assert_eq!(waiting.await??, popped("l", "late"));
    Ok(())
}

async fn raw_blocking_command_outlives_the_usual_deadline<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| config.command_timeout = Some(SHORT))?;
    let other = cx.client()?;
    let waiting =
        cx.spawn(async move { client.execute(Cmd::<Popped>::raw("BLPOP").key("l").arg(0)).await });
    outlives_the_usual_deadline(&cx, &other, &waiting).await?;
    other.rpush("l", "late").await?;
    assert_eq!(waiting.await??, popped("l", "late"));
    Ok(())
}

async fn blocking_move_waits_and_moves<S: Subject>(cx: Context<S>) -> Outcome {
    let (client, other) = (cx.client()?, cx.client()?);
    let mover = client.clone();
    let waiting = cx.spawn(async move {
        let wait = Duration::from_secs(20);
        mover.blmove::<String>("from", "to", Side::Left, Side::Right, wait).await
    });
    blocked(&cx, &other, 1).await?;
    other.rpush("from", "x").await?;
    assert_eq!(waiting.await??.as_deref(), Some("x"));
    assert_eq!(client.lrange::<String>("to", 0, -1).await?, ["x"]);
    Ok(())
}

async fn blocking_command_delays_nobody_on_the_same_client<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let blocking = client.clone();
    let waiting = cx.spawn(async move { blocking.blpop::<String, String>(["l"], None).await });
    blocked(&cx, &client, 1).await?;
    for n in 0..100 {
        cx.step(format!("command {n} beside the blocked one"));
        assert_eq!(client.incr("n").await?, n + 1);
    }
    assert!(!waiting.is_done());
    client.rpush("l", "end").await?;
    assert_eq!(waiting.await??, popped("l", "end"));
    Ok(())
}

async fn many_blocking_commands_wait_side_by_side<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let waiting: Vec<_> = (0..10)
        .map(|n| {
            let client = client.clone();
            cx.spawn(async move { client.blpop::<i64, i64>([n], None).await })
        })
        .collect();
    blocked(&cx, &client, 10).await?;
    for n in (0..10).rev() {
        client.rpush(n, n * n).await?;
    }
    for (n, waiting) in (0..).zip(waiting) {
        assert_eq!(waiting.await??, Some((n, n * n)));
    }
    Ok(())
}
