//! Servers that answer and will not serve: loading, read-only, out of memory, busy, paused, full. Their
//! errors arrive with their codes, what may pass by itself is waited for, and everything else is final.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use redis_core::{
    Cmd, Command, Commands, Config, Delivery, Error, ErrorKind, Execute, QueueCommands, Result, cmd,
};
use testkit::servers::{Server, ServerOptions};

use super::{PROMPT, until_it_works};
use crate::client::Client;
use crate::scenario::{Context, Failure, LONG, Outcome, OwnServer, Scenario, TICK, failed, since};
use crate::subject::Subject;

/// A deadline that is worth waiting for.
const SHORT: Duration = Duration::from_millis(100);

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(full_server_is_a_clear_error_and_passes)
            .not_over_tls("a full server closes before TLS has begun, without a word"),
        Scenario::new(loading_server_is_waited_for)
            .needs("setting for how often it answers while it loads", |server| since(server, 7, 0)),
        Scenario::new(replica_refuses_writes_once_and_serves_reads),
        Scenario::new(replica_without_its_primary_is_waited_for),
        Scenario::new(server_out_of_memory_refuses_writes_once_and_serves_reads),
        Scenario::new(busy_server_is_a_server_error_and_passes),
        Scenario::new(paused_writes_wait_and_reads_go_on),
        Scenario::new(paused_server_delays_everything),
    ]
}

/// The server's answer, of this code.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>, code: &str) {
    let error = result.expect_err("it was to be refused");
    assert_eq!(error.code(), Some(code), "{error:?}");
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Server, Delivery::Replied));
}

/// How often a command came and was refused before it ran.
async fn rejected<S: Subject>(client: &Client<S>, command: &str) -> Result<u64> {
    let info = client.execute(cmd::info().sections("commandstats")).await?;
    let counts = info.get(&format!("cmdstat_{command}")).unwrap_or_default();
    let count = counts.split(',').find_map(|count| count.strip_prefix("rejected_calls="));
    Ok(count.and_then(|count| count.parse().ok()).unwrap_or(0))
}

async fn set<S: Subject>(client: &Client<S>, setting: &str, value: &str) -> Result<()> {
    client.config_set([(setting, value)]).await
}

/// For commands that wait until a server serves them.
fn patient(config: &mut Config) {
    config.max_retries = 10_000;
    config.backoff.cap = Duration::from_millis(10);
}

/// Takes all places of a server that are left.
fn fill(server: &Server) -> std::io::Result<Vec<UnixStream>> {
    let mut all = Vec::new();
    loop {
        let mut stream = UnixStream::connect(server.socket_path())?;
        stream.set_read_timeout(Some(LONG))?;
        let mut said = [0; 4];
        let answer = stream.write_all(b"PING\r\n").and_then(|()| stream.read_exact(&mut said));
        if answer.is_err() || said != *b"+PON" {
            return Ok(all);
        }
        all.push(stream);
    }
}

async fn full_server_is_a_clear_error_and_passes<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new().arg("--maxclients").arg("6"))?;
    let direct = own.client::<S>()?;
    let client = own.client_with::<S>(|config| config.backoff.cap = config.backoff.base)?;
    direct.ping().await?;
    let mut places = Vec::new();
    cx.until("all places are taken", async || {
        places.extend(fill(&own.server).map_err(|error| {
            Error::new(ErrorKind::Connect, "filling the server failed").with_source(error)
        })?);
        Ok(places.len() == 5)
    })
    .await?;
    for _ in 0..3 {
        let error = failed(client.incr("n").await)?;
        assert_eq!((error.kind(), error.delivery()), (ErrorKind::Server, Delivery::NotSent));
        assert!(error.to_string().contains("max number of clients"), "{error:?}");
    }
    let patient = own.client_with::<S>(|config| {
        config.max_retries = u32::MAX;
        config.backoff.cap = config.backoff.base;
    })?;
    let task = cx.spawn({
        let patient = patient.clone();
        async move { patient.incr("m").await }
    });
    cx.until("one waits for a place", async || Ok(patient.stats().retries > 0)).await?;
    cx.step("once there are places");
    places.truncate(2);
    assert_eq!(task.await??, 1);
    cx.until("the server has seen them go", async || {
        let info = direct.execute(cmd::info().sections("clients")).await?;
        Ok(info.number::<u64>("connected_clients")? <= 4)
    })
    .await?;
    until_it_works(&cx, &client).await?;
    assert_eq!(client.incr("n").await?, 1);
    Ok(())
}

async fn loading_server_is_waited_for<S: Subject>(cx: Context<S>) -> Outcome {
    let options = ServerOptions::new()
        .debug_commands()
        .arg("--loading-process-events-interval-bytes")
        .arg("1024");
    let own = cx.start_server(options)?;
    let (client, waiting) = (own.client::<S>()?, own.client_with::<S>(patient)?);
    let admin = own.client_with::<S>(|config| config.command_timeout = None)?;
    let hasty = own.client_with::<S>(|config| config.max_retries = 0)?;
    for client in [&client, &waiting, &hasty] {
        client.ping().await?;
    }
    admin.execute(Cmd::<()>::raw("DEBUG POPULATE 10000 key 100")).await?;
    // Microseconds a key, until it is told to hurry: it is seen however late somebody looks.
    set(&admin, "key-load-delay", "4000").await?;
    let reloading = cx.spawn(async move { admin.execute(Cmd::<()>::raw("DEBUG RELOAD")).await });
    let mut refusal = None;
    cx.until("it loads", async || {
        refusal = hasty.get::<String>("k").await.err();
        Ok(refusal.is_some())
    })
    .await?;
    refused(Err::<(), _>(refusal.ok_or("just seen")?), "LOADING");
    assert!(!reloading.is_done());
    cx.step("a new connection while it loads, and commands that wait");
    let arriving = own.client_with::<S>(patient)?;
    let calls = [waiting, arriving].map(|client| {
        let waits = client.clone();
        (client, cx.spawn(async move { waits.incr("n").await }))
    });
    cx.until("both were refused", async || {
        Ok(calls.iter().all(|(client, _)| client.stats().retries > 0))
    })
    .await?;
    set(&client, "key-load-delay", "0").await?;
    let mut counts = [0; 2];
    for (count, (_, call)) in counts.iter_mut().zip(calls) {
        *count = call.await??;
    }
    counts.sort_unstable();
    assert_eq!(counts, [1, 2], "each ran once");
    reloading.await??;
    assert_eq!(client.get::<i64>("n").await?, Some(2));
    Ok(())
}

async fn replica<S: Subject>(cx: &Context<S>) -> std::result::Result<OwnServer, Failure> {
    let own = cx.start_server(ServerOptions::new())?;
    let client = own.client::<S>()?;
    client.set("k", 1).await?;
    // Of a primary that is not there.
    client.execute(cmd::replicaof("127.0.0.1", 1)).await?;
    Ok(own)
}

async fn replica_refuses_writes_once_and_serves_reads<S: Subject>(cx: Context<S>) -> Outcome {
    let own = replica(&cx).await?;
    let client = own.client::<S>()?;
    refused(client.incr("k").await, "READONLY");
    assert_eq!(rejected(&client, "incr").await?, 1, "it was sent once");
    let mut pipeline = client.pipeline();
    pipeline.transaction(false).get("k").incr("k").get("k");
    let replies = pipeline.execute_all().await?;
    let codes: Vec<_> =
        replies.iter().map(|reply| reply.as_ref().err().and_then(Error::code)).collect();
    assert_eq!(codes, [None, Some("READONLY"), None]);
    let error = failed(client.pipeline().get("k").incr("k").execute::<()>().await)?;
    assert_eq!(
        (error.code(), error.delivery()),
        (Some("READONLY"), Delivery::Replied),
        "{error:?}"
    );
    cx.saw("in a transaction", error);
    assert_eq!(client.get::<i64>("k").await?, Some(1));
    client.execute(cmd::replicaof_no_one()).await?;
    assert_eq!(client.incr("k").await?, 2);
    Ok(())
}

async fn replica_without_its_primary_is_waited_for<S: Subject>(cx: Context<S>) -> Outcome {
    let own = replica(&cx).await?;
    let client = own.client_with::<S>(|config| config.max_retries = 1)?;
    set(&client, "replica-serve-stale-data", "no").await?;
    refused(client.get::<i64>("k").await, "MASTERDOWN");
    assert_eq!(rejected(&client, "get").await?, 2, "it was sent again");
    let waiting = own.client_with::<S>(patient)?;
    let task = cx.spawn(async move { waiting.get::<i64>("k").await });
    cx.until("it was refused", async || Ok(rejected(&client, "get").await? > 3)).await?;
    set(&client, "replica-serve-stale-data", "yes").await?;
    cx.step("waiting for the attempt that succeeds");
    assert_eq!(task.await??, Some(1));
    Ok(())
}

async fn server_out_of_memory_refuses_writes_once_and_serves_reads<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let own = cx.start_server(ServerOptions::new())?;
    let client = own.client::<S>()?;
    client.set("k", "v").await?;
    set(&client, "maxmemory", "1").await?;
    refused(client.set("k", "other").await, "OOM");
    assert_eq!(rejected(&client, "set").await?, 1, "it was sent once");
    let marked = cmd::set("k", "other").into_cmd();
    refused(client.execute(marked.idempotent()).await, "OOM");
    assert_eq!(
        rejected(&client, "set").await?,
        2,
        "what may run twice does not make a refusal better"
    );
    assert_eq!(client.get::<String>("k").await?.as_deref(), Some("v"));
    let mut pipeline = client.pipeline();
    pipeline.transaction(false).get("k").set("k", "other").del("none").get("k");
    let replies = pipeline.execute_all().await?;
    let codes: Vec<_> =
        replies.iter().map(|reply| reply.as_ref().err().and_then(Error::code)).collect();
    assert_eq!(codes, [None, Some("OOM"), None, None]);
    let error = failed(client.pipeline().del("k").set("k", "x").execute::<()>().await)?;
    assert_eq!((error.code(), error.delivery()), (Some("OOM"), Delivery::Replied), "{error:?}");
    assert_eq!(client.get::<String>("k").await?.as_deref(), Some("v"), "nothing was applied");
    set(&client, "maxmemory", "0").await?;
    client.set("k", "other").await?;
    Ok(())
}

async fn busy_server_is_a_server_error_and_passes<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new().arg("--lua-time-limit").arg("10"))?;
    let (client, admin) = (own.client::<S>()?, own.client::<S>()?);
    client.ping().await?;
    admin.ping().await?;
    let looping = own.client_with::<S>(|config| config.command_timeout = None)?;
    let script =
        cx.spawn(async move { looping.eval::<()>("while true do end", [""; 0], [""; 0]).await });
    let mut refusal = None;
    cx.until("it is busy", async || {
        refusal = client.get::<String>("k").await.err();
        Ok(refusal.is_some())
    })
    .await?;
    refused(Err::<(), _>(refusal.ok_or("just seen")?), "BUSY");
    refused(client.incr("n").await, "BUSY");
    admin.execute(cmd::script_kill()).await?;
    cx.step("the script that was killed");
    let error = failed(script.await?)?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Server, Delivery::Replied));
    cx.until("it serves again", async || match client.incr("n").await {
        Ok(n) => Ok(n == 1),
        Err(error) if error.code() == Some("BUSY") => Ok(false),
        Err(error) => Err(error),
    })
    .await?;
    Ok(())
}

async fn paused_writes_wait_and_reads_go_on<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new())?;
    let (client, admin) = (own.client::<S>()?, own.client::<S>()?);
    let hasty = own.client_with::<S>(|config| config.command_timeout = Some(SHORT))?;
    until_it_works(&cx, &hasty).await?;
    client.ping().await?;
    admin.execute(cmd::client_pause(Duration::from_secs(60)).writes()).await?;
    cx.step("a deadline while writes are paused");
    let (result, took) = cx.timed(hasty.incr("n")).await;
    let error = failed(result)?;
    assert!(error.is_timeout() && error.delivery() == Delivery::MaybeExecuted, "{error:?}");
    assert!(took >= SHORT && took < PROMPT, "{took:?}");
    let waiting = client.clone();
    let task = cx.spawn(async move { waiting.incr("m").await });
    for n in 0..20 {
        assert_eq!(admin.echo::<i64>(n).await?, n);
        assert_eq!(admin.get::<i64>("m").await?, None);
    }
    assert!(!task.is_done());
    admin.execute(cmd::client_unpause()).await?;
    cx.step("the write that waited");
    assert_eq!(task.await??, 1);
    until_it_works(&cx, &hasty).await?;
    let ran = admin.get::<i64>("n").await?.unwrap_or(0);
    assert!(ran <= 1, "{ran}");
    cx.in_time(async || hasty.set("m", 2).await).await?;
    assert_eq!(admin.get::<i64>("m").await?, Some(2));
    Ok(())
}

async fn paused_server_delays_everything<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new())?;
    let (client, admin) = (own.client::<S>()?, own.client::<S>()?);
    client.ping().await?;
    let (result, took) = cx
        .timed(async {
            admin.execute(cmd::client_pause(SHORT).all()).await?;
            let tasks: Vec<_> = (0..5)
                .map(|n| {
                    let client = client.clone();
                    cx.spawn(async move { client.echo::<i64>(n).await })
                })
                .collect();
            for (n, task) in (0..).zip(tasks) {
                assert_eq!(task.await??, n);
            }
            Ok::<_, Failure>(())
        })
        .await;
    assert!(took + TICK >= SHORT && took < PROMPT, "{took:?}");
    result
}
