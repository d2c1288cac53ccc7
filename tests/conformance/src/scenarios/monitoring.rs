//! What the server runs, as MONITOR shows it.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use redis_core::monitor::{MonitorClient, MonitorEntry};
use redis_core::{Commands, Endpoint, Error, ErrorKind, Execute, Result, cmd};
use testkit::servers::ServerOptions;

use crate::client::Monitor;
use crate::scenario::{Context, Failure, LONG, Outcome, Scenario, failed};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(monitor_shows_every_byte_of_every_argument),
        Scenario::new(monitor_shows_when_where_and_for_whom_a_command_ran),
        Scenario::new(idle_monitor_goes_on_and_its_own_signs_of_life_are_not_shown),
        Scenario::new(monitor_ends_with_its_connection_and_says_why),
        Scenario::new(user_who_may_not_monitor_is_told_so),
        Scenario::new(monitor_that_is_dropped_leaves_no_connection),
    ]
}

/// The next command with this name.
async fn next<S: Subject>(monitor: &mut Monitor<S>, name: &str) -> Result<MonitorEntry, Failure> {
    loop {
        match monitor.next_command(LONG).await? {
            Some(entry) if entry.args[0].eq_ignore_ascii_case(name.as_bytes()) => return Ok(entry),
            Some(_) => {}
            None => return Err(format!("`{name}` was not shown").into()),
        }
    }
}

async fn monitor_shows_every_byte_of_every_argument<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut monitor = client.monitor().await?;
    let every: Vec<u8> = (0..=255).collect();
    let args: [&[u8]; 6] = [b"ends in \\", b"", b"\"", b"\\x41\r\n", b"] \"", &every];
    for arg in args {
        client.echo::<Bytes>(arg).await?;
        assert_eq!(next(&mut monitor, "ECHO").await?.args[1], arg);
    }
    client.mset(args.map(|arg| (arg, arg))).await?;
    let shown = next(&mut monitor, "MSET").await?.args;
    assert_eq!(shown[1..], args.iter().flat_map(|arg| [*arg, *arg]).collect::<Vec<_>>());
    Ok(())
}

async fn monitor_shows_when_where_and_for_whom_a_command_ran<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    let other = cx.client_with(|config| config.database = 3)?;
    let mut monitor = client.monitor().await?;
    other.echo::<String>("where").await?;
    let entry = next(&mut monitor, "ECHO").await?;
    assert_eq!(entry.database, 3);
    let age = SystemTime::now().duration_since(entry.time).unwrap_or_default();
    assert!(age < Duration::from_secs(60), "{age:?}");
    match (&cx.config().endpoint, &entry.client) {
        (Endpoint::Unix(path), MonitorClient::Unix(shown)) => {
            assert_eq!(path.to_str(), Some(&**shown))
        }
        (Endpoint::Tcp { .. }, MonitorClient::Tcp(address)) => assert!(address.ip().is_loopback()),
        other => panic!("{other:?}"),
    }
    let none: [&str; 0] = [];
    other.eval::<String>("return redis.call('ECHO', 'script')", none, none).await?;
    let entry = next(&mut monitor, "ECHO").await?;
    assert_eq!((entry.client, entry.database), (MonitorClient::Lua, 3));
    cx.step("commands in a transaction come in their order");
    let _: Vec<String> =
        client.batch((cmd::echo("a"), cmd::echo("b"))).await.map(|(a, b)| vec![a, b])?;
    for text in ["a", "b"] {
        assert_eq!(next(&mut monitor, "ECHO").await?.args[1], text);
    }
    Ok(())
}

async fn idle_monitor_goes_on_and_its_own_signs_of_life_are_not_shown<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let own = cx.start_server(ServerOptions::new())?;
    let watchful = own.client_with::<S>(|config| {
        config.health_interval = Some(Duration::from_millis(20));
        config.command_timeout = Some(Duration::from_secs(10));
    })?;
    let client = own.client::<S>()?;
    client.ping().await?;
    let mut monitor = watchful.monitor().await?;
    cx.until("it was asked for three signs of life", async || {
        assert_eq!(monitor.next_command(Duration::from_millis(50)).await?, None);
        let stats = client.execute(cmd::info().sections("commandstats")).await?.command_stats()?;
        // What this asks is shown, and nothing else.
        let shown = monitor.next_command(LONG).await?;
        assert!(shown.is_some_and(|shown| shown.args[0].eq_ignore_ascii_case(b"INFO")));
        Ok(stats.get("ping").is_some_and(|ping| ping.calls >= 4))
    })
    .await?;
    client.echo::<String>("a").await?;
    assert_eq!(next(&mut monitor, "ECHO").await?.args[1], "a");
    Ok(())
}

async fn monitor_ends_with_its_connection_and_says_why<S: Subject>(cx: Context<S>) -> Outcome {
    let mut own = cx.start_server(ServerOptions::new())?;
    let client = own.client::<S>()?;
    let mut monitor = client.monitor().await?;
    client.echo::<String>("last").await?;
    cx.until("it is shown", async || {
        Ok(monitor
            .listen(1)
            .await
            .pop()
            .transpose()?
            .is_some_and(|entry| entry.args[0].eq_ignore_ascii_case(b"ECHO")))
    })
    .await?;
    own.server.kill()?;
    let mut shown = monitor.listen(10).await;
    assert_eq!(shown.len(), 1, "{shown:?}");
    let error = failed(shown.remove(0))?;
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(monitor.listen(10).await.is_empty());
    assert_eq!(failed(monitor.next_command(Duration::ZERO).await)?.kind(), ErrorKind::Io);
    let error = failed(client.monitor().await.map(drop))?;
    assert_eq!(error.kind(), ErrorKind::Connect);
    own.server.restart()?;
    cx.until("it serves again", async || Ok(client.ping().await.is_ok())).await?;
    let mut monitor = client.monitor().await?;
    client.echo::<String>("again").await?;
    assert_eq!(next(&mut monitor, "ECHO").await?.args[1], "again");
    Ok(())
}

async fn user_who_may_not_monitor_is_told_so<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new())?;
    let admin = own.client::<S>()?;
    admin.acl_setuser("guest", ["on", ">pw", "+@all", "-monitor"]).await?;
    let guest = own.client_with::<S>(|config| {
        config.username = Some("guest".into());
        config.password = Some("pw".into());
    })?;
    let error = failed(guest.monitor().await.map(drop))?;
    assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some("NOPERM")));
    cx.saw("error", error);
    guest.ping().await?;
    Ok(())
}

async fn monitor_that_is_dropped_leaves_no_connection<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let monitors = async || {
        let listed = client.execute(cmd::client_list()).await?;
        Ok::<_, Error>(listed.iter().filter(|client| client.flags.contains('O')).count())
    };
    let monitor = client.monitor().await?;
    assert_eq!(monitors().await?, 1);
    drop(monitor);
    cx.until("the server has noticed", async || Ok(monitors().await? == 0)).await?;
    Ok(())
}
