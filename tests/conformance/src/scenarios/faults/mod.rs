//! Servers that are gone, silent or slow, and limits that are reached: every call ends with a clear
//! error that says how far its command got, and the client works again as soon as the server does.

mod bank;
mod crashes;
mod cuts;
mod refusals;
mod slow;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use redis_core::{
    Commands, Config, Delivery, Endpoint, Error, ErrorKind, Execute, QueueCommands, cmd,
};
use testkit::servers::{ServerOptions, Signal};

use super::blocking::blocked;
use crate::client::Client;
use crate::scenario::{Context, LONG, Outcome, Scenario, failed, open};
use crate::subject::Subject;

/// A deadline that is worth waiting for.
const SHORT: Duration = Duration::from_millis(200);

/// What every call here ends within: no other deadline than the one that it is to meet is as near.
const PROMPT: Duration = Duration::from_secs(5);

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    let mut list = vec![
        Scenario::new(nobody_listening_is_a_connect_error_that_was_not_sent),
        Scenario::new(silent_server_fails_the_handshake_at_its_deadline),
        Scenario::new(silent_server_fails_a_command_at_its_deadline),
        Scenario::new(late_reply_goes_to_nobody_else),
        Scenario::new(silent_server_fails_a_pipeline_at_its_deadline),
        Scenario::new(closed_connection_is_replaced),
        Scenario::new(server_killed_under_a_running_loop),
        Scenario::new(server_killed_under_many_tasks),
        Scenario::new(server_killed_under_a_blocking_command),
        Scenario::new(server_killed_under_a_large_pipeline),
        Scenario::new(server_gone_while_subscribed_is_found_and_comes_back),
        Scenario::new(full_pool_is_a_limit_error_after_its_timeout),
        Scenario::new(full_pool_fails_at_once_when_told_to),
        Scenario::new(place_in_the_pool_is_waited_for),
        Scenario::new(reply_beyond_the_limit_ends_its_connection_alone),
    ];
    list.extend(cuts::list());
    list.extend(slow::list());
    list.extend(crashes::list());
    list.extend(refusals::list());
    list.extend(bank::list());
    list
}

/// The link failed or was too slow, and the error says whether the command may have run.
fn is_clear(error: &Error) -> bool {
    match error.kind() {
        // An attempt before may have run, of what is sent again.
        ErrorKind::Connect | ErrorKind::Io | ErrorKind::Closed | ErrorKind::Timeout => {
            error.delivery() != Delivery::Replied
        }
        // What a server says of itself while it starts or ends.
        ErrorKind::Server => matches!(error.code(), Some("LOADING" | "SHUTDOWN")),
        _ => false,
    }
}

/// Runs commands until one succeeds; those before must fail clearly.
async fn until_it_works<S: Subject>(cx: &Context<S>, client: &Client<S>) -> Outcome {
    let mut unclear = None;
    cx.until("the client works again", async || match client.ping().await {
        Ok(()) => Ok(true),
        Err(error) if is_clear(&error) => Ok(false),
        Err(error) => {
            unclear.get_or_insert(error);
            Ok(true)
        }
    })
    .await?;
    match unclear {
        Some(error) => Err(format!("an unclear error: {error:?}").into()),
        None => Ok(()),
    }
}

async fn nobody_listening_is_a_connect_error_that_was_not_sent<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let mut own = cx.start_server(ServerOptions::new())?;
    let client = own.client_with::<S>(|config| config.backoff.cap = config.backoff.base)?;
    own.server.kill()?;
    for _ in 0..3 {
        let (result, took) = cx.timed(client.ping()).await;
        let error = failed(result)?;
        assert_eq!((error.kind(), error.delivery()), (ErrorKind::Connect, Delivery::NotSent));
        assert!(took < PROMPT, "{took:?}");
    }
    let error = failed(client.pipeline().ping().execute::<()>().await)?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Connect, Delivery::NotSent));
    let error = failed(client.watch(&["k"]).await.map(drop))?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Connect, Delivery::NotSent));
    let error = failed(client.pubsub().subscribe(&["c"]).await)?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Connect, Delivery::NotSent));
    cx.step("a host name that does not exist");
    let mut config = Config::default();
    // A name that no server of names need be asked for: one may take longer than there is time.
    config.endpoint = Endpoint::Tcp { host: "no such host".into(), port: 1 };
    let error = failed(open::<S>(config)?.ping().await)?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Connect, Delivery::NotSent));
    cx.step("once somebody listens");
    own.server.restart()?;
    client.ping().await?;
    Ok(())
}

async fn silent_server_fails_the_handshake_at_its_deadline<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new())?;
    let client = own.client_with::<S>(|config| config.connect_timeout = SHORT)?;
    own.server.signal(Signal::Stop)?;
    let (result, took) = cx.timed(client.incr("n")).await;
    let error = failed(result)?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Timeout, Delivery::NotSent));
    assert!(took >= SHORT && took < PROMPT, "{took:?}");
    own.server.signal(Signal::Continue)?;
    until_it_works(&cx, &client).await?;
    assert_eq!(client.incr("n").await?, 1);
    Ok(())
}

async fn silent_server_fails_a_command_at_its_deadline<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new())?;
    let client = own.client_with::<S>(|config| config.command_timeout = Some(SHORT))?;
    until_it_works(&cx, &client).await?;
    own.server.signal(Signal::Stop)?;
    let (result, took) = cx.timed(client.incr("n")).await;
    let error = failed(result)?;
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.delivery(), Delivery::MaybeExecuted);
    cx.saw("deadline", error);
    assert!(took >= SHORT && took < PROMPT, "{took:?}");
    own.server.signal(Signal::Continue)?;
    until_it_works(&cx, &client).await?;
    assert_eq!(cx.in_time(async || client.echo::<String>("mine").await).await?, "mine");
    let ran = cx.in_time(async || client.get::<i64>("n").await).await?;
    assert_eq!(ran, Some(1), "it was executed, as the error said");
    Ok(())
}

async fn late_reply_goes_to_nobody_else<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new())?;
    let client = own.client_with::<S>(|config| config.command_timeout = Some(SHORT))?;
    until_it_works(&cx, &client).await?;
    for round in 0..3 {
        own.server.signal(Signal::Stop)?;
        let tasks: Vec<_> = (0..5)
            .map(|task| {
                let client = client.clone();
                cx.spawn(async move { client.echo::<String>(format!("late {task}")).await })
            })
            .collect();
        cx.step(format!("round {round}: the deadlines"));
        for task in tasks {
            let error = failed(task.await?)?;
            // One that opened a connection for itself was not sent.
            assert!(error.is_timeout(), "{error:?}");
        }
        own.server.signal(Signal::Continue)?;
        until_it_works(&cx, &client).await?;
        cx.step(format!("round {round}: the replies"));
        for n in 0..20 {
            assert_eq!(cx.in_time(async || client.echo::<i64>(n).await).await?, n);
        }
    }
    Ok(())
}

async fn silent_server_fails_a_pipeline_at_its_deadline<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new())?;
    let client = own.client_with::<S>(|config| config.command_timeout = Some(SHORT))?;
    until_it_works(&cx, &client).await?;
    own.server.signal(Signal::Stop)?;
    for transaction in [true, false] {
        cx.step(format!("transaction {transaction}"));
        let mut pipeline = client.pipeline();
        pipeline.transaction(transaction);
        let (result, took) = cx.timed(pipeline.incr("n").incr("n").execute::<()>()).await;
        let error = failed(result)?;
        assert!(error.is_timeout(), "{error:?}");
        assert!(took < PROMPT, "{took:?}");
    }
    cx.step("more than the socket takes");
    let mut pipeline = client.pipeline();
    for _ in 0..100 {
        pipeline.push(cmd::set("k", vec![b'x'; 100_000]));
    }
    let (result, took) = cx.timed(pipeline.execute::<()>()).await;
    let error = failed(result)?;
    assert!(error.is_timeout(), "{error:?}");
    assert!(took < PROMPT, "{took:?}");
    own.server.signal(Signal::Continue)?;
    until_it_works(&cx, &client).await
}

async fn closed_connection_is_replaced<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| config.client_name = Some("victim".into()))?;
    let other = cx.client()?;
    for round in 0..5 {
        cx.step(format!("round {round}"));
        let id = client.client_id().await?;
        assert_eq!(other.execute(cmd::client_kill().ids([id])).await?, 1);
        until_it_works(&cx, &client).await?;
        assert_ne!(client.client_id().await?, id);
        assert_eq!(client.client_getname().await?.as_deref(), Some("victim"));
    }
    Ok(())
}

async fn server_killed_under_a_running_loop<S: Subject>(cx: Context<S>) -> Outcome {
    let mut own = cx.start_server(ServerOptions::new())?;
    let client = own.client_with::<S>(|config| config.backoff.cap = config.backoff.base)?;
    let running = client.clone();
    let done = Arc::new(AtomicU64::new(0));
    let counted = done.clone();
    cx.step("a loop of INCR");
    let task = cx.spawn(async move {
        loop {
            if let Err(error) = running.incr("n").await {
                return error;
            }
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    cx.until("it runs", async || Ok(done.load(Ordering::Relaxed) > 100)).await?;
    own.server.kill()?;
    cx.step("waiting for the loop's error");
    let error = task.await?;
    assert!(is_clear(&error), "{error:?}");
    cx.step("while the server is gone");
    for _ in 0..3 {
        let error = failed(client.incr("n").await)?;
        assert!(is_clear(&error), "{error:?}");
    }
    own.server.restart()?;
    until_it_works(&cx, &client).await?;
    assert_eq!(client.incr("fresh").await?, 1);
    Ok(())
}

async fn server_killed_under_many_tasks<S: Subject>(cx: Context<S>) -> Outcome {
    let mut own = cx.start_server(ServerOptions::new())?;
    let client = own.client::<S>()?;
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..20)
        .map(|task| {
            let (client, stop, done) = (client.clone(), stop.clone(), done.clone());
            let cx = cx.clone();
            cx.clone().spawn(async move {
                let mut unclear = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let result = match task % 3 {
                        0 => client.pipeline().incr("n").ping().execute::<()>().await,
                        1 => client.get::<String>("k").await.map(drop),
                        _ => client.incr("n").await.map(drop),
                    };
                    match result {
                        Ok(()) => drop(done.fetch_add(1, Ordering::Relaxed)),
                        Err(error) if is_clear(&error) => cx.sleep(Duration::from_millis(5)).await,
                        Err(error) => unclear.push(error),
                    }
                }
                unclear
            })
        })
        .collect();
    for round in 0..3 {
        cx.step(format!("round {round}"));
        let before = done.load(Ordering::Relaxed);
        cx.until("commands run", async || Ok(done.load(Ordering::Relaxed) > before + 200)).await?;
        own.server.restart()?;
    }
    let before = done.load(Ordering::Relaxed);
    cx.until("commands run again", async || Ok(done.load(Ordering::Relaxed) > before + 200))
        .await?;
    stop.store(true, Ordering::Relaxed);
    cx.step("waiting for the tasks");
    for task in tasks {
        let unclear = task.await?;
        assert!(unclear.is_empty(), "{unclear:?}");
    }
    Ok(())
}

async fn server_killed_under_a_blocking_command<S: Subject>(cx: Context<S>) -> Outcome {
    let mut own = cx.start_server(ServerOptions::new())?;
    let client = own.client::<S>()?;
    let blocking = client.clone();
    let task = cx.spawn(async move { blocking.blpop::<String, String>(["l"], None).await });
    cx.until("it blocks", async || {
        let info = client.execute(cmd::info().sections("clients")).await?;
        Ok(info.number::<u64>("blocked_clients")? == 1)
    })
    .await?;
    own.server.kill()?;
    cx.step("waiting for the blocked command's error");
    let error = failed(task.await?)?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Io, Delivery::MaybeExecuted));
    own.server.restart()?;
    until_it_works(&cx, &client).await
}

async fn server_killed_under_a_large_pipeline<S: Subject>(cx: Context<S>) -> Outcome {
    let mut own = cx.start_server(ServerOptions::new())?;
    let client = own.client_with::<S>(|config| config.command_timeout = None)?;
    client.ping().await?;
    own.server.signal(Signal::Stop)?;
    let mut pipeline = client.pipeline();
    for _ in 0..100 {
        pipeline.push(cmd::set("k", vec![b'x'; 100_000]));
    }
    let task = cx.spawn(async move { pipeline.execute::<()>().await });
    cx.until("it is under way", async || {
        let stats = client.stats();
        Ok(if S::BLOCKS { stats.pool_idle == 0 } else { stats.in_flight > 0 })
    })
    .await?;
    cx.sleep(SHORT).await;
    assert!(!task.is_done(), "no deadline, and nobody answers");
    own.server.kill()?;
    cx.step("waiting for the pipeline's error");
    let error = failed(task.await?)?;
    assert!(error.kind() == ErrorKind::Io && is_clear(&error), "{error:?}");
    own.server.restart()?;
    until_it_works(&cx, &client).await
}

async fn server_gone_while_subscribed_is_found_and_comes_back<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let mut own = cx.start_server(ServerOptions::new())?;
    let client = own.client::<S>()?;
    let mut pubsub = client.pubsub();
    pubsub.subscribe(&["c"]).await?;
    assert!(pubsub.get_message(LONG).await?.is_some());
    own.server.kill()?;
    cx.step("reading while the server is gone");
    for _ in 0..3 {
        match pubsub.get_message(Duration::from_millis(20)).await {
            Ok(message) => assert_eq!(message, None),
            Err(error) => assert!(is_clear(&error), "{error:?}"),
        }
    }
    own.server.restart()?;
    cx.step("reading until it is subscribed again");
    let notice = loop {
        match pubsub.get_message(LONG).await {
            Ok(Some(message)) => break message,
            Ok(None) => return Err("the subscriptions did not come back".into()),
            Err(error) => assert!(is_clear(&error), "{error:?}"),
        }
    };
    assert_eq!(notice.kind.as_str(), "resubscribed");
    until_it_works(&cx, &client).await?;
    assert_eq!(client.publish("c", "back").await?, 1);
    let message = pubsub.get_message(LONG).await?;
    assert_eq!(message.as_ref().and_then(|message| message.text()), Some("back"));
    Ok(())
}

async fn full_pool_is_a_limit_error_after_its_timeout<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| {
        config.pool_size = 2;
        config.pool_timeout = SHORT;
    })?;
    let held = [client.watch(&["k"]).await?, client.watch(&["k"]).await?];
    let (result, took) = cx.timed(client.watch(&["k"])).await;
    let error = failed(result.map(drop))?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Limit, Delivery::NotSent));
    assert!(error.to_string().contains("`pool_size`"), "{error}");
    assert!(took >= SHORT && took < PROMPT, "{took:?}");
    cx.step("once a place is free");
    drop(held);
    cx.until("it is taken", async || match client.watch(&["k"]).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Limit => Ok(false),
        Err(error) => Err(error),
    })
    .await?;
    Ok(())
}

async fn full_pool_fails_at_once_when_told_to<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| {
        config.pool_size = 1;
        config.pool_timeout = Duration::ZERO;
    })?;
    let held = client.watch(&["k"]).await?;
    let (result, took) = cx.timed(client.watch(&["k"])).await;
    assert_eq!(failed(result.map(drop))?.kind(), ErrorKind::Limit);
    assert!(took < PROMPT, "{took:?}");
    held.reset().await?;
    drop(client.watch(&["k"]).await?);
    Ok(())
}

async fn place_in_the_pool_is_waited_for<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| config.pool_size = 1)?;
    let held = client.watch(&["k"]).await?;
    let waiting: Vec<_> = (0..5)
        .map(|_| {
            let client = client.clone();
            cx.spawn(
                async move { client.watch(&["k"]).await?.multi().incr("k").execute::<()>().await },
            )
        })
        .collect();
    cx.sleep(Duration::from_millis(20)).await;
    assert!(waiting.iter().all(|task| !task.is_done()), "there is one place");
    drop(held);
    for task in waiting {
        cx.step("waiting for a task that waits for its place");
        task.await??;
    }
    assert_eq!(client.get::<i64>("k").await?, Some(5));
    Ok(())
}

async fn reply_beyond_the_limit_ends_its_connection_alone<S: Subject>(cx: Context<S>) -> Outcome {
    let writer = cx.client()?;
    writer.set("big", vec![b'x'; 100_000]).await?;
    let client = cx.client_with(|config| config.limits.bulk = 50_000)?;
    let error = failed(client.get::<Vec<u8>>("big").await)?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Protocol, Delivery::MaybeExecuted));
    cx.saw("too large", error);
    until_it_works(&cx, &client).await
}
