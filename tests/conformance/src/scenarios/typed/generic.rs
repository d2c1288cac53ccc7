//! Keys of any type: their expiry, their way to other places, and the walk over all of them.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis_core::types::{
    AofAcks, Cursor, Encoding, ExpireTime, KeyType, Migrated, RestoreTtl, Ttl,
};
use redis_core::{Commands, ErrorKind, Execute, cmd};
use testkit::servers::ServerOptions;

use crate::scenario::{Context, LONG, Outcome, Scenario, TICK, failed, since};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(keys_are_copied_and_moved_between_databases),
        Scenario::new(dumped_values_are_restored_with_every_option),
        Scenario::new(expiry_is_set_on_conditions_and_told_in_both_units),
        Scenario::new(all_keys_are_seen_by_walking_in_pages),
        Scenario::new(elements_are_sorted_in_every_way),
        Scenario::new(objects_tell_how_they_are_kept),
        Scenario::new(keys_move_to_another_server),
        Scenario::new(waiting_for_replicas_counts_them),
        Scenario::new(waiting_for_disks_counts_them).needs_command("WAITAOF"),
    ]
}

async fn keys_are_copied_and_moved_between_databases<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let other = cx.client_with(|config| config.database = 9)?;
    client.set("k", "v").await?;
    assert!(client.copy("k", "copy").await?);
    assert!(!client.copy("k", "copy").await?);
    client.set("k", "w").await?;
    assert!(client.execute(cmd::copy("k", "copy").replace()).await?);
    assert_eq!(client.get::<String>("copy").await?.as_deref(), Some("w"));
    assert!(client.execute(cmd::copy("k", "there").db(9)).await?);
    assert_eq!(other.get::<String>("there").await?.as_deref(), Some("w"));
    assert!(client.move_key("k", 9).await?);
    assert!(!client.move_key("k", 9).await?);
    assert_eq!(other.get::<String>("k").await?.as_deref(), Some("w"));
    let key: Option<String> = client.randomkey().await?;
    assert_eq!(key.as_deref(), Some("copy"));
    Ok(())
}

async fn dumped_values_are_restored_with_every_option<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.rpush("l", ["a", "b"]).await?;
    let dumped = client.dump("l").await?.ok_or("the list is gone")?;
    assert_eq!(client.dump("none").await?, None);
    cx.step("with a time to live, and without");
    client.restore("forever", RestoreTtl::Never, &dumped).await?;
    assert_eq!(client.ttl("forever").await?, Ttl::Persistent);
    client.restore("short", Duration::from_secs(100), &dumped).await?;
    let left = client.pttl("short").await?.remaining();
    assert!(left.is_some_and(|left| left > Duration::from_secs(50)), "{left:?}");
    let at = UNIX_EPOCH + Duration::from_millis(4_000_000_000_123);
    client.restore_at("until", at, &dumped).await?;
    if since(cx.installed(), 7, 0) {
        assert_eq!(client.pexpiretime("until").await?, ExpireTime::At(at));
    }
    cx.step("over another value");
    let error = failed(client.restore("short", RestoreTtl::Never, &dumped).await)?;
    assert_eq!(error.code(), Some("BUSYKEY"));
    cx.saw("taken", error);
    let idle = Duration::from_secs(1000);
    client
        .execute(cmd::restore("short", RestoreTtl::Never, &dumped).replace().idle_time(idle))
        .await?;
    let now = client.object_idletime("short").await?.ok_or("the list is gone")?;
    assert!(now.0 >= idle && now.0 < 2 * idle, "{now:?}");
    client.execute(cmd::restore("short", RestoreTtl::Never, &dumped).replace().freq(7)).await?;
    client.execute(cmd::restore_at("until", at, &dumped).replace().idle_time(idle)).await?;
    client.execute(cmd::restore_at("until", at, &dumped).replace().freq(7)).await?;
    for key in ["forever", "short", "until"] {
        assert_eq!(client.lrange::<String>(key, 0, -1).await?, ["a", "b"]);
    }
    cx.saw("no value", failed(client.restore("bad", RestoreTtl::Never, "x").await)?);
    Ok(())
}

async fn expiry_is_set_on_conditions_and_told_in_both_units<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    let (soon, later) = (4_000_000_000, 4_000_000_100);
    client.set("k", "v").await?;
    assert_eq!(client.ttl("k").await?, Ttl::Persistent);
    assert_eq!((client.ttl("none").await?, client.pttl("none").await?), (Ttl::NoKey, Ttl::NoKey));
    assert!(client.expireat("k", at(soon)).await? && client.pexpireat("k", at(soon)).await?);
    let left = at(soon).duration_since(SystemTime::now())?;
    let close = |told: Option<Duration>| {
        let told = told.unwrap_or_default();
        assert!(told <= left + Duration::from_secs(1) && told + Duration::from_secs(60) > left);
    };
    close(client.ttl("k").await?.remaining());
    close(client.pttl("k").await?.remaining());
    assert!(client.persist("k").await? && !client.persist("k").await?);
    if !since(cx.installed(), 7, 0) {
        return Ok(());
    }
    cx.step("conditions");
    let (short, long) = (Duration::from_secs(1_000_000), Duration::from_secs(2_000_000));
    for (holds, command) in [
        (false, cmd::expire("k", short).xx()),
        (true, cmd::expire("k", short).nx()),
        (false, cmd::expire("k", short).nx()),
        (true, cmd::expire("k", long).gt()),
        (false, cmd::expire("k", short).gt()),
        (true, cmd::expire("k", short).lt()),
    ] {
        assert_eq!(client.execute(command).await?, holds);
    }
    for (holds, command) in [
        (false, cmd::pexpire("k", short).nx()),
        (true, cmd::pexpire("k", short).xx()),
        (true, cmd::pexpire("k", long).gt()),
        (false, cmd::pexpire("k", short).gt()),
        (true, cmd::pexpire("k", short).lt()),
    ] {
        assert_eq!(client.execute(command).await?, holds);
    }
    for (holds, command) in [
        (false, cmd::expireat("k", at(soon)).nx()),
        (true, cmd::expireat("k", at(soon)).xx()),
        (true, cmd::expireat("k", at(later)).gt()),
        (true, cmd::expireat("k", at(soon)).lt()),
    ] {
        assert_eq!(client.execute(command).await?, holds);
    }
    for (holds, command) in [
        (false, cmd::pexpireat("k", at(soon)).nx()),
        (true, cmd::pexpireat("k", at(soon)).xx()),
        (true, cmd::pexpireat("k", at(later)).gt()),
        (true, cmd::pexpireat("k", at(soon)).lt()),
    ] {
        assert_eq!(client.execute(command).await?, holds);
    }
    cx.step("the time itself");
    assert_eq!(client.expiretime("k").await?, ExpireTime::At(at(soon)));
    let exactly = at(soon) + Duration::from_millis(7);
    assert!(client.pexpireat("k", exactly).await?);
    assert_eq!(client.pexpiretime("k").await?, ExpireTime::At(exactly));
    client.persist("k").await?;
    assert_eq!(client.expiretime("k").await?, ExpireTime::Persistent);
    assert_eq!(client.pexpiretime("none").await?, ExpireTime::NoKey);
    Ok(())
}

async fn all_keys_are_seen_by_walking_in_pages<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let names: BTreeSet<String> = (0..100).map(|n| format!("key:{n}")).collect();
    client.mset(names.iter().map(|name| (name, "v"))).await?;
    client.rpush("key:list", "v").await?;
    client.set("other", "v").await?;
    let (mut cursor, mut pages, mut seen) = (Cursor::START, 0, BTreeSet::new());
    loop {
        let scan = cmd::scan::<String>(cursor).matching("key:*").count(20);
        let page = client.execute(scan.key_type(KeyType::String)).await?;
        pages += 1;
        seen.extend(page.items);
        cursor = page.cursor;
        if cursor.is_done() {
            break;
        }
    }
    assert!(pages > 1);
    assert_eq!(seen, names);
    let all: Vec<String> = client.keys("key:*").await?;
    assert_eq!(all.len(), 101);
    assert_eq!(client.key_type("key:list").await?, KeyType::List);
    Ok(())
}

async fn elements_are_sorted_in_every_way<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.rpush("l", [3, 1, 2]).await?;
    client
        .mset([("w_1", "30"), ("w_2", "10"), ("w_3", "20"), ("n_1", "one"), ("n_3", "three")])
        .await?;
    assert_eq!(client.sort::<i64>("l").await?, [1, 2, 3]);
    assert_eq!(client.execute(cmd::sort::<i64>("l").desc()).await?, [3, 2, 1]);
    assert_eq!(client.execute(cmd::sort::<i64>("l").asc().limit(1, 1)).await?, [2]);
    assert_eq!(client.execute(cmd::sort::<i64>("l").limit(1, -1)).await?, [2, 3]);
    assert_eq!(client.execute(cmd::sort::<i64>("l").by("w_*")).await?, [2, 3, 1]);
    assert_eq!(client.execute(cmd::sort::<i64>("l").by("nosort")).await?, [3, 1, 2]);
    let names: Vec<Option<String>> = client.execute(cmd::sort("l").get(["#", "n_*"])).await?;
    cx.saw("SORT GET", &names);
    let expected = [Some("1"), Some("one"), Some("2"), None, Some("3"), Some("three")];
    assert_eq!(names.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
    client.rpush("words", ["b", "a", "C"]).await?;
    assert_eq!(client.execute(cmd::sort::<String>("words").alpha()).await?, ["C", "a", "b"]);
    let stored = cmd::sort::<String>("l").get(["n_*"]).desc().store("sorted");
    assert_eq!(client.execute(stored).await?, 3);
    assert_eq!(client.lrange::<String>("sorted", 0, -1).await?, ["three", "", "one"]);
    assert_eq!(client.execute(cmd::sort::<i64>("l").store("sorted")).await?, 3);
    assert_eq!(client.sort::<i64>("none").await?, [0_i64; 0]);
    cx.saw("no numbers", failed(client.sort::<String>("words").await)?);
    if since(cx.installed(), 7, 0) {
        cx.step("SORT_RO");
        assert_eq!(client.sort_ro::<i64>("l").await?, [1, 2, 3]);
        let sort = cmd::sort_ro::<i64>("l").by("w_*").limit(0, 2).desc();
        assert_eq!(client.execute(sort).await?, [1, 3]);
        let sort = cmd::sort_ro::<String>("words").alpha().asc().get(["#"]);
        let words: Vec<_> = client.execute(sort).await?.into_iter().flatten().collect();
        assert_eq!(words, ["C", "a", "b"]);
    }
    Ok(())
}

async fn objects_tell_how_they_are_kept<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new().arg("--maxmemory-policy").arg("allkeys-lfu"))?;
    let client = own.client::<S>()?;
    client.set("int", 12345).await?;
    client.set("text", "x".repeat(1000)).await?;
    client.rpush("list", ["a", "b"]).await?;
    client.sadd("set", [1, 2]).await?;
    assert_eq!(client.object_encoding("int").await?, Some(Encoding::Int));
    assert_eq!(client.object_encoding("text").await?, Some(Encoding::Raw));
    assert_eq!(client.object_encoding("set").await?, Some(Encoding::IntSet));
    let list = client.object_encoding("list").await?;
    assert!(!matches!(list, None | Some(Encoding::Other(_))), "{list:?}");
    cx.saw("list", list);
    assert_eq!(client.object_encoding("none").await?, None);
    assert!(client.object_refcount("text").await? >= Some(1));
    let frequency = client.object_freq("int").await?;
    assert!(frequency.is_some_and(|frequency| frequency > 0), "{frequency:?}");
    assert_eq!(
        (client.object_freq("none").await?, client.object_idletime("none").await?),
        (None, None)
    );
    client.config_set([("maxmemory-policy", "noeviction")]).await?;
    let idle = client.object_idletime("text").await?.ok_or("the text is gone")?;
    cx.saw("how long", Duration::from(idle) < Duration::from_secs(1_000_000_000));
    cx.saw("no frequency", failed(client.object_freq("int").await)?);
    assert!(!client.object_help().await?.is_empty());
    Ok(())
}

async fn keys_move_to_another_server<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new().password("secret"))?;
    let (client, there) = (cx.client()?, own.client::<S>()?);
    there.acl_setuser("mover", ["on", ">pw", "~*", "+@all"]).await?;
    let (host, port, wait) = ("127.0.0.1", own.server.port(), LONG);
    client.mset([("a", "1"), ("b", "2"), ("c", "3")]).await?;
    cx.step("one key");
    let migrate = || cmd::migrate(host, port, "a", 0, wait);
    let error = failed(client.execute(migrate()).await)?;
    assert_eq!(error.kind(), ErrorKind::Server);
    assert_eq!(client.execute(migrate().auth("secret").copy()).await?, Migrated::Done);
    assert_eq!(client.exists("a").await?, 1);
    let again = migrate().auth2("mover", "pw").copy();
    assert!(failed(client.execute(again).await)?.to_string().contains("BUSYKEY"));
    let again = migrate().auth2("mover", "pw").replace();
    assert_eq!(client.execute(again.clone()).await?, Migrated::Done);
    assert_eq!((client.exists("a").await?, there.exists("a").await?), (0, 1));
    assert_eq!(client.execute(again).await?, Migrated::NoKey);
    cx.step("several keys");
    let migrate = || cmd::migrate_keys(host, port, 3, wait, ["b", "c", "none"]);
    let copied = client.execute(migrate().auth("secret").copy()).await?;
    assert_eq!(copied, Migrated::Done);
    let moved = client.execute(migrate().auth2("mover", "pw").replace()).await?;
    assert_eq!(moved, Migrated::Done);
    assert_eq!(client.exists(["b", "c"]).await?, 0);
    let three = own.client_with::<S>(|config| config.database = 3)?;
    assert_eq!(three.mget::<i64>(["b", "c"]).await?, [Some(2), Some(3)]);
    Ok(())
}

async fn waiting_for_replicas_counts_them<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("k", "v").await?;
    assert_eq!(client.wait(0, None).await?, 0);
    let wait = Duration::from_millis(50);
    let (count, took) = cx.timed(client.wait(1, wait)).await;
    assert_eq!(count?, 0);
    assert!(took + TICK >= wait, "{took:?}");
    let error = failed(client.wait(1, Duration::ZERO).await)?;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    Ok(())
}

async fn waiting_for_disks_counts_them<S: Subject>(cx: Context<S>) -> Outcome {
    let options = ServerOptions::new().arg("--appendonly").arg("yes");
    let own = cx.start_server(options.arg("--appendfsync").arg("always"))?;
    let client = own.client::<S>()?;
    client.set("k", "v").await?;
    let acks: AofAcks = client.waitaof(1, 0, LONG).await?;
    assert_eq!((acks.local, acks.replicas), (1, 0));
    let acks = client.waitaof(0, 1, Duration::from_millis(20)).await?;
    assert_eq!(acks.replicas, 0);
    let shared = cx.client()?;
    cx.saw("no append-only file", failed(shared.waitaof(1, 0, None).await)?);
    Ok(())
}
