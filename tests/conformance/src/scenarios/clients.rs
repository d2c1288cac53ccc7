//! What a client is to its users: it refuses what would change it, keeps its connections clean, and tries
//! again within limits.

use std::collections::HashMap;
use std::time::Duration;

use redis_core::types::ClientInfo;
use redis_core::{
    Cmd, Commands, Delivery, Error, ErrorKind, Execute, QueueCommands, Result, Secret, Value, cmd,
};
use testkit::faulty::Direction::ToClient;
use testkit::faulty::{Arrivals, Flow};
use testkit::servers::ServerOptions;

use crate::client::Client;
use crate::scenario::{Context, Failure, Outcome, Scenario, failed};
use crate::subject::Subject;

/// A deadline that is worth waiting for.
const SHORT: Duration = Duration::from_millis(200);

/// What every call here ends within.
const PROMPT: Duration = Duration::from_secs(5);

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(nothing_that_runs_changes_the_connection),
        Scenario::new(refused_commands_name_the_call_to_use),
        Scenario::new(connection_given_back_last_is_used_first),
        Scenario::new(connection_that_owes_replies_is_never_used_again).over_tcp(),
        Scenario::new(connection_that_died_idle_is_not_noticed_by_a_watch),
        Scenario::new(each_call_with_a_wrong_password_is_one_auth),
        Scenario::new(attempts_end_at_their_limit_and_at_the_deadline).over_tcp(),
    ]
}

async fn nothing_that_runs_changes_the_connection<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| {
        config.database = 3;
        config.client_name = Some("same".into());
    })?;
    client.set("text", "x").await?;
    let before = client.client_info().await?;
    cx.step("a script that selects a database");
    let select = "redis.call('SELECT', 5) return redis.call('SET', KEYS[1], 1)";
    client.eval::<()>(select, ["elsewhere"], [""; 0]).await?;
    cx.step("commands that fail");
    failed(client.incr("text").await)?;
    failed(client.get::<i64>("text").await)?;
    failed(client.execute(Cmd::<()>::raw("NO-SUCH-COMMAND")).await)?;
    failed(client.execute(Cmd::<()>::raw("SELECT").arg(7)).await)?;
    cx.step("pipelines that fail");
    for transaction in [true, false] {
        let mut pipeline = client.pipeline();
        let queued = pipeline.transaction(transaction).incr("text").set("k", 1);
        failed(queued.execute::<()>().await)?;
        pipeline.push(Cmd::<()>::raw("GET"));
        failed(pipeline.execute::<()>().await)?;
    }
    cx.step("a watch that is dropped, and a transaction that is not applied");
    drop(client.watch(&["k"]).await?);
    let watched = client.watch(&["k"]).await?;
    client.incr("k").await?;
    failed(watched.multi().incr("k").execute::<()>().await)?;
    let after = client.client_info().await?;
    let state = |info: ClientInfo| (info.db, info.name, info.resp, info.flags, info.user);
    assert_eq!(state(before), state(after));
    assert_eq!(client.get::<i64>("k").await?, Some(2));
    Ok(())
}

/// Words that change a connection, and a part of what is said to call instead.
const STATEFUL: [(&str, &str); 22] = [
    ("SELECT 1", "database in the configuration"),
    ("AUTH secret", "credentials in the configuration"),
    ("HELLO 3", "protocol and credentials in the configuration"),
    ("CLIENT SETNAME me", "client name in the configuration"),
    ("RESET", "connections are reset"),
    ("SUBSCRIBE c", "`client.pubsub()`"),
    ("PSUBSCRIBE c", "`client.pubsub()`"),
    ("SSUBSCRIBE c", "`client.pubsub()`"),
    ("UNSUBSCRIBE", "`client.pubsub()`"),
    ("PUNSUBSCRIBE", "`client.pubsub()`"),
    ("SUNSUBSCRIBE", "`client.pubsub()`"),
    ("MONITOR", "`client.monitor()`"),
    ("MULTI", "`client.pipeline()`"),
    ("EXEC", "`client.transaction(keys, ..)`"),
    ("DISCARD", "`client.pipeline()`"),
    ("WATCH k", "`client.watch(keys)`"),
    ("UNWATCH", "`client.watch(keys)`"),
    ("QUIT", "drop the client"),
    ("CLIENT REPLY OFF", "`client.pipeline()`"),
    ("CLIENT REPLY SKIP", "`client.pipeline()`"),
    ("CLIENT TRACKING ON", "client-side caching"),
    ("READONLY", "reads go to"),
];

/// The same command in the ways that it can be put together.
fn spellings(words: &str) -> [Cmd<()>; 4] {
    let mut parts = words.split(' ');
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    [
        Cmd::raw(words),
        Cmd::raw(&words.to_lowercase()),
        Cmd::raw(first).args(&rest),
        Cmd::raw("").arg(first.to_lowercase()).args(&rest),
    ]
}

async fn refused_commands_name_the_call_to_use<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut watched = client.watch(&["k"]).await?;
    for (words, instead) in STATEFUL {
        cx.step(words);
        let refused = |error: Error, instead: &str| {
            let kind = (error.kind(), error.delivery());
            assert_eq!(kind, (ErrorKind::InvalidRequest, Delivery::NotSent), "{words}");
            let text = error.to_string();
            assert!(text.contains(instead), "{words}: {text}");
            text
        };
        for spelling in spellings(words) {
            let alone = refused(failed(client.execute(spelling.clone()).await)?, instead);
            let mut pipeline = client.pipeline();
            pipeline.set("k", 1).push(spelling.clone());
            let queued = refused(failed(pipeline.execute::<()>().await)?, instead);
            assert_eq!(queued, format!("command 2: {alone}"));
            let own = match words {
                "MULTI" | "EXEC" | "DISCARD" => "`watched.multi()`",
                "WATCH k" => "`watched.watch(keys)`",
                "UNWATCH" => "`watched.unwatch()`",
                _ => instead,
            };
            refused(failed(watched.execute(spelling).await)?, own);
        }
    }
    cx.step("nothing was sent");
    assert_eq!(watched.multi().incr("k").execute::<(i64,)>().await?, (1,));
    let info = client.execute(cmd::info().sections("commandstats")).await?;
    let stats = info.command_stats()?;
    for (name, calls) in [("set", 0), ("multi", 1), ("exec", 1), ("watch", 1), ("select", 0)] {
        assert_eq!(stats.get(name).map_or(0, |stats| stats.calls), calls, "{name}");
    }
    Ok(())
}

async fn connection_given_back_last_is_used_first<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut watched = client.watch(&["k"]).await?;
        open.push((watched.client_id().await?, watched));
    }
    let mut ids = Vec::new();
    for at in [0, 1, 0] {
        let (id, watched) = open.remove(at);
        watched.reset().await?;
        ids.push(id);
    }
    cx.step("taking them again");
    let mut taken = Vec::new();
    for id in ids.into_iter().rev() {
        let mut watched = client.watch(&["k"]).await?;
        assert_eq!(watched.client_id().await?, id);
        taken.push(watched);
    }
    Ok(())
}

async fn connection_that_owes_replies_is_never_used_again<S: Subject>(cx: Context<S>) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let client = proxy.client_with::<S>(|config| {
        config.pool_size = 1;
        config.command_timeout = Some(SHORT);
    })?;
    for round in 1..=3 {
        cx.step(format!("round {round}: a transaction whose replies are held"));
        let (watched, id) = cx
            .in_time(async || {
                let mut watched = client.watch(&["k"]).await?;
                let id = watched.client_id().await?;
                Ok((watched, id))
            })
            .await?;
        proxy.flow(ToClient, Flow::Hold);
        let transaction = watched.multi().incr("k").get("k");
        let error = failed(transaction.execute::<(i64, i64)>().await)?;
        assert!(error.is_timeout() && error.delivery() == Delivery::MaybeExecuted, "{error:?}");
        cx.until("it ran", async || Ok(direct.get::<i64>("k").await? == Some(round))).await?;
        proxy.heal();
        cx.step(format!("round {round}: the place is another connection's"));
        let answered = async || {
            let mut watched = client.watch(&["k"]).await?;
            assert_ne!(watched.client_id().await?, id);
            for n in 0..10 {
                assert_eq!(watched.echo::<i64>(n).await?, n);
            }
            watched.reset().await
        };
        cx.in_time(answered).await?;
    }
    Ok(())
}

async fn connection_that_died_idle_is_not_noticed_by_a_watch<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (client, other) = (cx.client()?, cx.client()?);
    for round in 1..=10 {
        let mut watched = client.watch(&["k"]).await?;
        let id = watched.client_id().await?;
        watched.reset().await?;
        assert_eq!(other.execute(cmd::client_kill().ids([id])).await?, 1);
        cx.step(format!("round {round}: the next watch"));
        let mut watched = client.watch(&["k"]).await?;
        let id = watched.client_id().await?;
        watched.reset().await?;
        assert_eq!(other.execute(cmd::client_kill().ids([id])).await?, 1);
        cx.step(format!("round {round}: the next transaction"));
        let transaction = client.transaction::<(i64,), _, _>(&["k"], |watched| async move {
            Ok(watched.multi().incr("k"))
        });
        assert_eq!(transaction.await?.0, (round,));
    }
    Ok(())
}

/// How often wrong passwords were tried.
async fn refused_logins<S: Subject>(admin: &Client<S>) -> Result<i64> {
    let log: Vec<HashMap<String, Value>> = admin.execute(Cmd::raw("ACL LOG")).await?;
    Ok(log.iter().filter_map(|entry| entry["count"].as_integer()).sum())
}

async fn each_call_with_a_wrong_password_is_one_auth<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new().password("right"))?;
    let admin = own.client::<S>()?;
    let client = own.client_with::<S>(|config| config.password = Some(Secret::new("wrong")))?;
    for round in 0..3 {
        let errors = [
            failed(client.get::<i64>("k").await)?,
            failed(client.pipeline().get("k").execute::<()>().await)?,
            failed(client.watch(&["k"]).await.map(drop))?,
            failed(client.blpop::<String, String>(["l"], None).await)?,
        ];
        for error in errors {
            assert_eq!((error.kind(), error.delivery()), (ErrorKind::Auth, Delivery::NotSent));
            assert_eq!(error.code(), Some("WRONGPASS"), "{error}");
        }
        cx.step("a subscriber");
        let error = failed(client.pubsub().subscribe(&["c"]).await)?;
        assert_eq!((error.kind(), error.code()), (ErrorKind::Auth, Some("WRONGPASS")));
        cx.step("a transaction");
        let attempted = client.transaction::<(), _, _>(&["k"], |watched| async move {
            Ok(watched.multi().incr("k"))
        });
        assert_eq!(failed(attempted.await)?.kind(), ErrorKind::Auth);
        assert_eq!(refused_logins(&admin).await?, 6 * (round + 1), "one for each call");
    }
    Ok(())
}

/// A single write, a pipeline and a watch, each under way alone: their errors.
async fn calls<S: Subject>(client: &Client<S>) -> std::result::Result<[Error; 3], Failure> {
    Ok([
        failed(client.incr("n").await)?,
        failed(client.pipeline().incr("n").execute::<()>().await)?,
        failed(client.watch(&["n"]).await.map(drop))?,
    ])
}

async fn attempts_end_at_their_limit_and_at_the_deadline<S: Subject>(cx: Context<S>) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    proxy.arrivals(Arrivals::Reset);
    for retries in [0, 2] {
        cx.step(format!("{retries} retries"));
        let client = proxy.client_with::<S>(|config| config.max_retries = retries)?;
        let before = proxy.connections();
        for error in calls(&client).await? {
            assert!(error.is_disconnected() && error.delivery() == Delivery::NotSent, "{error:?}");
        }
        let most = before + 3 * (retries as usize + 1);
        // A client may see its reset a moment before it is counted.
        cx.until("all attempts are counted", async || Ok(proxy.connections() >= most)).await?;
        assert_eq!(proxy.connections(), most);
    }
    cx.step("any number of retries until the deadline");
    let client = proxy.client_with::<S>(|config| {
        config.max_retries = u32::MAX;
        config.command_timeout = Some(SHORT);
        config.backoff.cap = Duration::from_millis(5);
    })?;
    loop {
        let before = proxy.connections();
        let (errors, took) = cx.timed(calls(&client)).await;
        for error in errors? {
            assert_eq!(error.delivery(), Delivery::NotSent, "{error:?}");
        }
        assert!(took < PROMPT, "{took:?}");
        // A busy machine may not leave the time for more than an attempt each.
        if proxy.connections() > before + 3 {
            break;
        }
    }
    proxy.heal();
    assert_eq!(cx.in_time(async || client.echo::<i64>(7).await).await?, 7);
    assert_eq!(direct.get::<i64>("n").await?, None, "nothing of all that ran");
    assert_eq!(direct.incr("n").await?, 1);
    Ok(())
}
