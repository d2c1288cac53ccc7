//! What a client tells of itself: notices and counts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis_core::telemetry::Notice;
use redis_core::{Commands, ErrorKind, QueueCommands};
use testkit::servers::ServerOptions;

use crate::scenario::{Context, Outcome, Scenario, failed, lock};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(observer_hears_of_connections_retries_and_slow_commands),
        Scenario::new(commands_are_slow_on_any_connection_and_blocking_ones_never),
        Scenario::new(wait_for_a_full_pool_is_told_and_counted),
        Scenario::new(pool_is_warmed_up_and_keeps_what_it_is_to_keep),
        Scenario::new(pool_whose_connections_are_in_use_is_warm),
        Scenario::new(full_pool_names_the_size_that_it_has_now),
        Scenario::new(pool_that_grows_lets_those_in_who_wait_and_one_that_shrinks_closes),
    ]
}

async fn observer_hears_of_connections_retries_and_slow_commands<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let mut own = cx.start_server(ServerOptions::new())?;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let observer = heard.clone();
    let client = own.client_with::<S>(|config| {
        config.slow_command = Some(Duration::ZERO);
        config.observer = Some(
            (move |notice: &Notice<'_>| {
                lock(&observer).push(match notice {
                    Notice::Connected { server, .. } => format!("connected to {:?}", server.mode),
                    Notice::ConnectFailed { error, .. } => format!("failed: {:?}", error.kind()),
                    Notice::Lost { error, .. } => format!("lost: {:?}", error.kind()),
                    Notice::Retrying { command, failed, .. } => {
                        format!("{command} again after {failed}")
                    }
                    Notice::Slow { command, .. } => format!("{command} was slow"),
                    _ => "something else".to_owned(),
                });
            })
            .into(),
        );
    })?;
    client.set("k", "v").await?;
    let seen = std::mem::take(&mut *lock(&heard));
    cx.saw("heard", seen.len());
    assert!(seen[0].starts_with("connected to"), "{seen:?}");
    assert!(seen[1] == "SET was slow", "{seen:?}");

    // The server says that it is gone in the middle of a command that only reads.
    cx.step("killing the server");
    own.server.kill()?;
    let error = client.get::<String>("k").await;
    assert!(error.is_err());
    let seen = std::mem::take(&mut *lock(&heard));
    assert!(seen.iter().any(|line| line.starts_with("lost: ")), "{seen:?}");
    assert!(seen.iter().any(|line| line == "GET again after 1"), "{seen:?}");
    assert!(seen.iter().any(|line| line == "failed: Connect"), "{seen:?}");
    let stats = client.stats();
    assert_eq!((stats.connected, stats.lost), (1, 1));
    assert!(stats.retries >= 1 && stats.connect_failed >= 1 && stats.slow >= 1, "{stats:?}");
    Ok(())
}

async fn commands_are_slow_on_any_connection_and_blocking_ones_never<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let slow = Arc::new(Mutex::new(Vec::new()));
    let told = slow.clone();
    let client = cx.client_with(|config| {
        config.slow_command = Some(Duration::ZERO);
        config.observer = Some(
            (move |notice: &Notice<'_>| {
                if let Notice::Slow { command, .. } = notice {
                    lock(&told).push((*command).to_owned());
                }
            })
            .into(),
        );
    })?;
    client.blpop::<String, String>(["none"], Duration::from_millis(1)).await?;
    client.incr("k").await?;
    let mut watched = client.watch(&["k"]).await?;
    watched.get::<i64>("k").await?;
    let _: (i64,) = watched.multi().incr("k").execute().await?;
    let _: (i64,) = client.pipeline().incr("k").execute().await?;
    assert_eq!(*lock(&slow), ["INCR", "WATCH", "GET", "pipeline", "pipeline"]);
    Ok(())
}

async fn wait_for_a_full_pool_is_told_and_counted<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| config.pool_size = 1)?;
    let watched = client.watch(&["k"]).await?;
    let other = client.clone();
    let waiting = cx.spawn(async move {
        let watched = other.watch(&["k"]).await?;
        watched.reset().await
    });
    cx.until("the other one waits", async || Ok(client.stats().pool_waiting == 1)).await?;
    watched.reset().await?;
    waiting.await??;
    let stats = client.stats();
    cx.saw("waits, waiting, open", (stats.pool_waits, stats.pool_waiting, stats.pool_open));
    assert_eq!((stats.pool_waits, stats.pool_waiting, stats.pool_open), (1, 0, 1));
    Ok(())
}

async fn pool_is_warmed_up_and_keeps_what_it_is_to_keep<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| {
        config.pool_min = 2;
        config.max_idle = Some(Duration::ZERO);
    })?;
    assert_eq!(client.stats().pool_open, 0, "nothing is opened before it is asked for");
    client.warm_up(3).await?;
    let open = client.stats().pool_open;
    client.watch(&["k"]).await?.reset().await?;
    let kept = client.stats().pool_open;
    cx.saw("open, kept", (open, kept));
    assert_eq!((open, kept), (3, 2));
    Ok(())
}

async fn pool_whose_connections_are_in_use_is_warm<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| {
        config.pool_size = 1;
        config.pool_timeout = Duration::ZERO;
    })?;
    let watched = client.watch(&["k"]).await?;
    client.warm_up(1).await?;
    assert_eq!(client.stats().pool_open, 1);
    watched.reset().await?;
    Ok(())
}

async fn full_pool_names_the_size_that_it_has_now<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| {
        config.pool_size = 3;
        config.pool_timeout = Duration::ZERO;
    })?;
    client.resize_pool(1)?;
    let watched = client.watch(&["k"]).await?;
    let error = failed(client.watch(&["k"]).await.map(drop))?;
    assert!(error.message().contains("all 1 connections"), "{error}");
    watched.reset().await?;
    Ok(())
}

async fn pool_that_grows_lets_those_in_who_wait_and_one_that_shrinks_closes<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client_with(|config| config.pool_size = 1)?;
    let first = client.watch(&["k"]).await?;
    let tasks: Vec<_> = (0..2)
        .map(|_| {
            let other = client.clone();
            cx.spawn(async move { other.watch(&["k"]).await })
        })
        .collect();
    cx.until("two wait", async || Ok(client.stats().pool_waiting == 2)).await?;
    client.resize_pool(3)?;
    let mut held = vec![first];
    for task in tasks {
        held.push(task.await??);
    }
    assert_eq!(client.stats().pool_open, 3);
    let last = held.pop();
    for watched in held {
        watched.reset().await?;
    }
    assert_eq!(failed(client.resize_pool(0))?.kind(), ErrorKind::InvalidRequest);
    client.resize_pool(1)?;
    assert_eq!(client.stats().pool_open, 1, "idle ones go at once");
    if let Some(last) = last {
        last.reset().await?;
    }
    assert_eq!((client.stats().pool_open, client.stats().pool_idle), (1, 1));
    Ok(())
}
