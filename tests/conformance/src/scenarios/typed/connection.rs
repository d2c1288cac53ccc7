//! What the server knows of connections, and what it does to them.

use std::time::Duration;

use redis_core::cmd::ClientType;
use redis_core::types::{ClientInfo, TrackingFlag, TrackingRedirect};
use redis_core::{Commands, ErrorKind, Execute, cmd};
use testkit::servers::ServerOptions;

use crate::scenario::{Context, LONG, Outcome, Scenario, TICK, failed, since};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(connections_are_told_with_types),
        Scenario::new(connections_are_listed_by_every_filter),
        Scenario::new(connections_are_killed_by_every_filter),
        Scenario::new(paused_clients_wait_until_the_end_of_the_pause),
        Scenario::new(blocked_clients_are_unblocked_from_outside),
        Scenario::new(channels_and_their_subscribers_are_counted),
    ]
}

async fn connections_are_told_with_types<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| {
        config.client_name = Some("told".into());
        config.database = 3;
    })?;
    let own = client.client_info().await?;
    assert_eq!((own.id, own.db, own.name.as_deref()), (client.client_id().await?, 3, Some("told")));
    assert!(own.has_flag(if own.addr.ends_with(":0") { 'U' } else { 'N' }), "{}", own.flags);
    assert_eq!((own.multi, own.user.as_deref()), (None, Some("default")));
    assert!(own.laddr.is_some() && own.fd.is_some() && own.tot_mem.is_some());
    assert_eq!(own.other.len(), 0, "{:?}", own.other);
    cx.saw("since 7.0", (own.ssub, own.redir));
    let listed = client.client_list().await?;
    let listed: Vec<&ClientInfo> = listed.iter().filter(|client| client.id == own.id).collect();
    assert_eq!((listed.len(), &listed[0].addr, &listed[0].name), (1, &own.addr, &own.name));
    cx.step("client-side caching, which is off");
    let tracking = client.client_trackinginfo().await?;
    assert_eq!(tracking.flags, [TrackingFlag::Off]);
    assert_eq!(tracking.redirect, client.client_getredir().await?);
    assert_eq!(tracking.redirect, TrackingRedirect::Off);
    cx.saw("tracking", tracking);
    assert!(!client.client_help().await?.is_empty());
    assert_eq!(client.execute(cmd::ping().message::<String>("hi")).await?, "hi");
    Ok(())
}

async fn connections_are_listed_by_every_filter<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| config.client_name = Some("listed".into()))?;
    let own = client.client_info().await?;
    let ids = |listed: Vec<ClientInfo>| listed.iter().map(|client| client.id).collect::<Vec<_>>();
    let listed = client.execute(cmd::client_list().ids([own.id])).await?;
    assert_eq!(ids(listed), [own.id]);
    let listed = client.execute(cmd::client_list().client_type(ClientType::Normal)).await?;
    assert!(ids(listed).contains(&own.id));
    for client_type in [ClientType::Master, ClientType::Replica, ClientType::Pubsub] {
        let listed = client.execute(cmd::client_list().client_type(client_type)).await?;
        assert!(!ids(listed).contains(&own.id));
    }
    if !cx.valkey_since(9, 0) {
        return Ok(());
    }
    cx.step("what Valkey alone has");
    let laddr = own.laddr.clone().unwrap_or_default();
    let matching = cmd::client_list()
        .ids([own.id])
        .client_type(ClientType::Normal)
        .user("default")
        .addr(&own.addr)
        .laddr(&laddr)
        .skip_me(false)
        .name("listed")
        .flags(&own.flags)
        .lib_name(own.lib_name.as_deref().unwrap_or_default())
        .lib_ver(own.lib_ver.as_deref().unwrap_or_default())
        .db(own.db)
        .not_client_type(ClientType::Replica)
        .not_id([own.id + 1_000_000])
        .not_addr("1.2.3.4:5")
        .not_laddr("1.2.3.4:5")
        .not_name("other")
        .not_flags("S")
        .not_lib_name("other")
        .not_lib_ver("0")
        .not_db(own.db + 1)
        .not_capa("r")
        .not_ip("1.2.3.4");
    assert_eq!(ids(client.execute(matching).await?), [own.id]);
    let hour = Duration::from_secs(3600);
    for none in [
        cmd::client_list().ids([own.id]).max_age(hour),
        cmd::client_list().ids([own.id]).idle(hour),
        cmd::client_list().ids([own.id]).capa("r"),
        cmd::client_list().ids([own.id]).ip("1.2.3.4"),
        cmd::client_list().ids([own.id]).skip_me(true),
        cmd::client_list().ids([own.id]).not_user("default"),
    ] {
        assert_eq!(ids(client.execute(none).await?), [0_u64; 0]);
    }
    for not in [ClientType::Master, ClientType::Pubsub] {
        let listed = client.execute(cmd::client_list().ids([own.id]).not_client_type(not)).await?;
        assert_eq!(ids(listed), [own.id]);
    }
    let listed = cmd::client_list().ids([own.id]).not_client_type(ClientType::Normal);
    assert_eq!(ids(client.execute(listed).await?), [0_u64; 0]);
    Ok(())
}

async fn connections_are_killed_by_every_filter<S: Subject>(cx: Context<S>) -> Outcome {
    let victim = cx.client_with(|config| config.client_name = Some("victim".into()))?;
    let client = cx.client()?;
    let told = victim.client_info().await?;
    let laddr = told.laddr.clone().unwrap_or_default();
    let own = client.client_id().await?;
    let alive = cmd::client_kill().ids([own]).skip_me(true);
    assert_eq!(client.execute(alive).await?, 0);
    let kill = cmd::client_kill()
        .ids([told.id])
        .client_type(ClientType::Normal)
        .user("default")
        .addr(&told.addr)
        .laddr(&laddr)
        .skip_me(false);
    assert_eq!(client.execute(kill).await?, 1);
    let missing = own + 1_000_000;
    for client_type in [
        ClientType::Normal,
        ClientType::Master,
        ClientType::Slave,
        ClientType::Replica,
        ClientType::Pubsub,
    ] {
        let kill = cmd::client_kill().ids([missing]).client_type(client_type);
        assert_eq!(client.execute(kill).await?, 0);
    }
    let hour = Duration::from_secs(3600);
    if cx.redis_since(7, 4) || cx.valkey_since(8, 0) {
        assert_eq!(client.execute(cmd::client_kill().ids([missing]).max_age(hour)).await?, 0);
    }
    cx.step("by its address");
    cx.saw("no such address", failed(client.client_kill_addr("1.2.3.4:5").await)?);
    // All connections through a Unix socket have the same.
    if !told.addr.ends_with(":0") {
        let addr = cx.client()?.client_info().await?.addr;
        // That connection may be closed already.
        if let Err(error) = client.client_kill_addr(&addr).await {
            assert_eq!(error.kind(), ErrorKind::Server);
        }
    }
    if !cx.valkey_since(9, 0) {
        return Ok(());
    }
    cx.step("what Valkey alone has");
    let victim = cx.client_with(|config| config.client_name = Some("victim".into()))?;
    let told = victim.client_info().await?;
    let filters = cmd::client_kill()
        .ids([told.id, missing])
        .name("victim")
        .flags(&told.flags)
        .lib_name(told.lib_name.as_deref().unwrap_or_default())
        .lib_ver(told.lib_ver.as_deref().unwrap_or_default())
        .db(told.db)
        .not_client_type(ClientType::Replica)
        .not_id([own])
        .not_addr("1.2.3.4:5")
        .not_laddr("1.2.3.4:5")
        .not_name("other")
        .not_flags("S")
        .not_lib_name("other")
        .not_lib_ver("0")
        .not_db(told.db + 1)
        .not_capa("r")
        .not_ip("1.2.3.4");
    for none in [
        filters.clone().idle(hour),
        filters.clone().capa("r"),
        filters.clone().ip("1.2.3.4"),
        filters.clone().client_type(ClientType::Primary),
        filters.clone().not_user("default"),
    ] {
        assert_eq!(client.execute(none).await?, 0);
    }
    assert_eq!(client.execute(filters).await?, 1);
    for not in [
        ClientType::Normal,
        ClientType::Master,
        ClientType::Primary,
        ClientType::Slave,
        ClientType::Pubsub,
    ] {
        let kill = cmd::client_kill().ids([missing]).not_client_type(not);
        assert_eq!(client.execute(kill).await?, 0);
    }
    Ok(())
}

async fn paused_clients_wait_until_the_end_of_the_pause<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new())?;
    let client = own.client::<S>()?;
    let pause = Duration::from_millis(50);
    for command in [cmd::client_pause(pause), cmd::client_pause(pause).all()] {
        let (result, took) = cx
            .timed(async {
                client.execute(command).await?;
                client.ping().await
            })
            .await;
        result?;
        assert!(took + TICK >= pause, "{took:?}");
    }
    cx.step("writes alone, for longer than the scenario may take");
    client.execute(cmd::client_pause(Duration::from_secs(3600)).writes()).await?;
    assert_eq!(client.get::<String>("k").await?, None);
    let writing = client.clone();
    let write = cx.spawn(async move { writing.set("k", "v").await });
    let other = own.client::<S>()?;
    cx.until("a write waits", async || {
        let info = other.execute(cmd::info().sections("clients")).await?;
        Ok(info.number::<u64>("blocked_clients")? == 1)
    })
    .await?;
    other.client_unpause().await?;
    write.await??;
    assert_eq!(client.get::<String>("k").await?.as_deref(), Some("v"));
    Ok(())
}

async fn blocked_clients_are_unblocked_from_outside<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    assert!(!client.client_unblock(client.client_id().await?).await?);
    for (round, as_error) in [None, Some(false), Some(true)].into_iter().enumerate() {
        cx.step(format!("round {round}"));
        let name = format!("blocked-{round}");
        let waiting = cx.client_with(|config| config.client_name = Some(name.clone()))?;
        let task = cx.spawn(async move { waiting.blpop::<String, String>(["l"], None).await });
        let mut id = None;
        cx.until("it blocks", async || {
            let listed = client.client_list().await?;
            let blocked = |client: &&ClientInfo| {
                client.has_flag('b') && client.name.as_deref() == Some(&*name)
            };
            id = listed.iter().find(blocked).map(|client| client.id);
            Ok(id.is_some())
        })
        .await?;
        let unblock = cmd::client_unblock(id.ok_or("nothing is blocked")?);
        let unblock = match as_error {
            None => unblock,
            Some(false) => unblock.with_timeout(),
            Some(true) => unblock.with_error(),
        };
        assert!(client.execute(unblock).await?);
        match as_error {
            Some(true) => assert_eq!(failed(task.await?)?.code(), Some("UNBLOCKED")),
            _ => assert_eq!(task.await??, None),
        }
    }
    Ok(())
}

async fn channels_and_their_subscribers_are_counted<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pubsub = client.pubsub();
    pubsub.subscribe(&["typed:a", "typed:b"]).await?;
    pubsub.psubscribe(&["typed:*"]).await?;
    while pubsub.get_message(LONG).await?.is_some_and(|m| m.kind.as_str() != "psubscribe") {}
    let channels = cmd::pubsub_channels::<String>().pattern("typed:*");
    let mut channels = client.execute(channels).await?;
    channels.sort();
    assert_eq!(channels, ["typed:a", "typed:b"]);
    assert!(client.pubsub_channels::<String>().await?.len() >= 2);
    let counts = client.pubsub_numsub::<String>(["typed:a", "typed:none"]).await?;
    assert_eq!(counts, [("typed:a".to_owned(), 1), ("typed:none".to_owned(), 0)]);
    assert!(client.pubsub_numpat().await? >= 1);
    assert_eq!(client.publish("typed:a", "m").await?, 2);
    assert!(!client.pubsub_help().await?.is_empty());
    if since(cx.installed(), 7, 0) {
        cx.step("shard channels");
        assert_eq!(client.pubsub_shardchannels::<String>().await?, [""; 0]);
        let channels = cmd::pubsub_shardchannels::<String>().pattern("typed:*");
        assert_eq!(client.execute(channels).await?, [""; 0]);
        let counts = client.pubsub_shardnumsub::<String>(["typed:a"]).await?;
        assert_eq!(counts, [("typed:a".to_owned(), 0)]);
        assert_eq!(client.spublish("typed:a", "m").await?, 0);
    }
    Ok(())
}
