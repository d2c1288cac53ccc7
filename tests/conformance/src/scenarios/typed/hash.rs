//! Hashes, and when their fields expire.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis_core::types::{Cursor, ExpireTime, FieldExpiry, FieldPersist, Ttl};
use redis_core::{Commands, Execute, cmd};
use testkit::servers::Installed;

use crate::scenario::{Context, Outcome, Scenario, since};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(fields_are_set_read_and_counted),
        Scenario::new(random_fields_come_with_their_values),
        Scenario::new(hashes_are_scanned),
        Scenario::new(fields_get_an_expiry_on_conditions)
            .needs("expiries of fields", keeps_expiries_of_fields),
        Scenario::new(expiries_of_fields_are_shown_and_removed)
            .needs("expiries of fields", keeps_expiries_of_fields),
        Scenario::new(fields_are_read_with_a_new_expiry).needs("HGETEX", keeps_expiries_of_fields),
        Scenario::new(fields_are_set_with_an_expiry).needs("HSETEX", keeps_expiries_of_fields),
        Scenario::new(fields_are_read_and_deleted_at_once)
            .needs("HGETDEL", keeps_expiries_of_fields),
    ]
}

/// Whether fields of hashes can expire: on Redis from 8.0 on (some commands from 7.4), on Valkey from 9.0.
fn keeps_expiries_of_fields(server: &Installed) -> bool {
    since(server, if server.name == "valkey" { 9 } else { 8 }, 0)
}

const MINUTE: Duration = Duration::from_secs(60);

/// A time that both whole seconds and milliseconds hold, an hour from now.
fn in_an_hour() -> SystemTime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + Duration::from_secs(now.as_secs() + 3600)
}

fn is_within(left: Option<Duration>, most: Duration) -> bool {
    left.is_some_and(|left| left <= most && left + Duration::from_secs(30) > most)
}

async fn fields_are_set_read_and_counted<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    assert_eq!(client.hset("h", [("a", "1"), ("b", "2")]).await?, 2);
    client.hmset("h", [("b", "3"), ("c", "text")]).await?;
    assert!(client.hsetnx("h", "d", "").await? && !client.hsetnx("h", "d", "x").await?);
    assert_eq!(client.hget::<i64>("h", "b").await?, Some(3));
    assert_eq!(client.hmget::<String>("h", ["a", "none"]).await?, [Some("1".into()), None]);
    assert_eq!(client.hgetall::<BTreeMap<String, String>>("h").await?.len(), 4);
    let (mut keys, mut values) =
        (client.hkeys::<String>("h").await?, client.hvals::<String>("h").await?);
    keys.sort();
    values.sort();
    cx.saw("fields and values", (keys, values));
    assert_eq!((client.hlen("h").await?, client.hstrlen("h", "c").await?), (4, 4));
    assert!(client.hexists("h", "a").await? && !client.hexists("h", "none").await?);
    assert_eq!(client.hincrby("h", "a", 5).await?, 6);
    assert_eq!(client.hincrbyfloat("h", "a", 0.5).await?, 6.5);
    assert_eq!(client.hdel("h", ["a", "none"]).await?, 1);
    Ok(())
}

async fn random_fields_come_with_their_values<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.hset("h", [("a", 1), ("b", 2)]).await?;
    assert!(client.hrandfield::<String>("h").await?.is_some());
    assert_eq!(client.hrandfield::<String>("none").await?, None);
    let mut fields = client.execute(cmd::hrandfield::<String>("h").count(9)).await?;
    fields.sort();
    assert_eq!(fields, ["a", "b"]);
    assert_eq!(client.execute(cmd::hrandfield::<String>("h").count(-5)).await?.len(), 5);
    let both = cmd::hrandfield::<String>("h").count(9).with_values::<i64>();
    let mut both = client.execute(both).await?;
    both.sort();
    assert_eq!(both, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    let none = cmd::hrandfield::<String>("none").count(1).with_values::<i64>();
    assert_eq!(client.execute(none).await?, []);
    Ok(())
}

async fn hashes_are_scanned<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.hset("h", [("a", 1), ("b", 2), ("c", 3)]).await?;
    let mut page = client.hscan::<String, i64>("h", Cursor::START).await?;
    assert!(page.cursor.is_done());
    page.items.sort();
    assert_eq!(page.items, [("a".to_owned(), 1), ("b".to_owned(), 2), ("c".to_owned(), 3)]);
    let scan = cmd::hscan::<String, i64>("h", Cursor::START).matching("a*").count(100);
    assert_eq!(client.execute(scan).await?.items, [("a".to_owned(), 1)]);
    if cx.redis_since(7, 4) || cx.valkey_since(8, 0) {
        let scan = cmd::hscan_no_values::<String>("h", Cursor::START).matching("a*").count(100);
        assert_eq!(client.execute(scan).await?.items, ["a"]);
    }
    cx.step("several pages");
    client.hset("many", (0..1000).map(|n| (n, n))).await?;
    let (mut cursor, mut found) = (Cursor::START, BTreeMap::new());
    loop {
        let page = client.execute(cmd::hscan::<u32, u32>("many", cursor).count(100)).await?;
        found.extend(page.items);
        cursor = page.cursor;
        if cursor.is_done() {
            break;
        }
    }
    assert!(found.len() == 1000 && found.iter().all(|(field, value)| field == value));
    Ok(())
}

async fn fields_get_an_expiry_on_conditions<S: Subject>(cx: Context<S>) -> Outcome {
    use FieldExpiry::{Deleted, Missing, Set, Unchanged};
    let client = cx.client()?;
    client.hset("h", [("a", 1), ("b", 2)]).await?;
    let (minute, hour) = (MINUTE, 60 * MINUTE);
    cx.step("HEXPIRE");
    let expire = |ttl, field: &'static str| cmd::hexpire("h", ttl, field);
    assert_eq!(client.hexpire("h", minute, ["a", "none"]).await?, [Set, Missing]);
    assert_eq!(client.hexpire("none", minute, "a").await?, [Missing]);
    assert_eq!(client.execute(expire(minute, "a").nx()).await?, [Unchanged]);
    assert_eq!(client.execute(expire(minute, "b").xx()).await?, [Unchanged]);
    assert_eq!(client.execute(expire(hour, "a").gt()).await?, [Set]);
    assert_eq!(client.execute(expire(hour * 2, "a").lt()).await?, [Unchanged]);
    cx.step("HPEXPIRE");
    let expire = |ttl, field: &'static str| cmd::hpexpire("h", ttl, field);
    assert_eq!(client.hpexpire("h", minute, ["a", "none"]).await?, [Set, Missing]);
    assert_eq!(client.execute(expire(minute, "a").nx()).await?, [Unchanged]);
    assert_eq!(client.execute(expire(minute, "b").xx()).await?, [Unchanged]);
    assert_eq!(client.execute(expire(hour, "a").gt()).await?, [Set]);
    assert_eq!(client.execute(expire(hour * 2, "a").lt()).await?, [Unchanged]);
    cx.step("HEXPIREAT");
    let (soon, late) = (in_an_hour(), in_an_hour() + hour);
    let expire = |time, field: &'static str| cmd::hexpireat("h", time, field);
    assert_eq!(client.hexpireat("h", soon, ["a", "none"]).await?, [Set, Missing]);
    assert_eq!(client.execute(expire(soon, "a").nx()).await?, [Unchanged]);
    assert_eq!(client.execute(expire(soon, "b").xx()).await?, [Unchanged]);
    assert_eq!(client.execute(expire(late, "a").gt()).await?, [Set]);
    assert_eq!(client.execute(expire(soon, "a").lt()).await?, [Set]);
    cx.step("HPEXPIREAT");
    let expire = |time, field: &'static str| cmd::hpexpireat("h", time, field);
    assert_eq!(client.hpexpireat("h", soon, ["a", "none"]).await?, [Set, Missing]);
    assert_eq!(client.execute(expire(soon, "a").nx()).await?, [Unchanged]);
    assert_eq!(client.execute(expire(soon, "b").xx()).await?, [Unchanged]);
    assert_eq!(client.execute(expire(late, "a").gt()).await?, [Set]);
    assert_eq!(client.execute(expire(soon, "a").lt()).await?, [Set]);
    let past = UNIX_EPOCH + MINUTE;
    assert_eq!(client.hpexpireat("h", past, "b").await?, [Deleted]);
    Ok(())
}

async fn expiries_of_fields_are_shown_and_removed<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.hset("h", [("a", 1), ("b", 2)]).await?;
    let time = in_an_hour();
    client.hexpireat("h", time, "a").await?;
    let all = ["a", "b", "none"];
    let times = client.hexpiretime("h", all).await?;
    assert_eq!(times, [ExpireTime::At(time), ExpireTime::Persistent, ExpireTime::NoKey]);
    let times = client.hpexpiretime("h", all).await?;
    assert_eq!(times, [ExpireTime::At(time), ExpireTime::Persistent, ExpireTime::NoKey]);
    let left = client.httl("h", all).await?;
    assert!(is_within(left[0].remaining(), 60 * MINUTE), "{left:?}");
    assert_eq!(left[1..], [Ttl::Persistent, Ttl::NoKey]);
    let left = client.hpttl("h", all).await?;
    assert!(is_within(left[0].remaining(), 60 * MINUTE), "{left:?}");
    assert_eq!(left[1..], [Ttl::Persistent, Ttl::NoKey]);
    let removed = client.hpersist("h", all).await?;
    use FieldPersist::{Missing, Removed, Unchanged};
    assert_eq!(removed, [Removed, Unchanged, Missing]);
    assert_eq!(client.hpttl("none", "a").await?, [Ttl::NoKey]);
    Ok(())
}

async fn fields_are_read_with_a_new_expiry<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.hset("h", [("a", 1), ("b", 2)]).await?;
    let get = || cmd::hgetex::<i64>("h", ["a", "none"]);
    let expected = [Some(1), None];
    let left = async || Ok::<_, redis_core::Error>(client.hpttl("h", "a").await?[0]);
    assert_eq!(client.execute(get()).await?, expected);
    assert_eq!(left().await?, Ttl::Persistent);
    assert_eq!(client.execute(get().ex(MINUTE)).await?, expected);
    assert!(is_within(left().await?.remaining(), MINUTE));
    assert_eq!(client.execute(get().ex(Duration::from_millis(120_500))).await?, expected);
    assert!(is_within(left().await?.remaining(), Duration::from_millis(120_500)));
    for time in [in_an_hour(), in_an_hour() + Duration::from_millis(250)] {
        assert_eq!(client.execute(get().ex_at(time)).await?, expected);
        assert_eq!(client.hpexpiretime("h", "a").await?, [ExpireTime::At(time)]);
    }
    assert_eq!(client.execute(get().persist()).await?, expected);
    assert_eq!(left().await?, Ttl::Persistent);
    Ok(())
}

async fn fields_are_set_with_an_expiry<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let set = |field: &'static str| cmd::hsetex("h", [(field, 1)]);
    assert!(client.execute(set("a")).await?);
    assert!(!client.execute(set("a").fnx()).await?);
    assert!(!client.execute(set("none").fxx()).await?);
    assert!(client.execute(set("b").fnx().ex(MINUTE)).await?);
    assert!(is_within(client.hpttl("h", "b").await?[0].remaining(), MINUTE));
    assert!(client.execute(set("b").fxx().keep_ttl()).await?);
    assert!(is_within(client.hpttl("h", "b").await?[0].remaining(), MINUTE));
    assert!(client.execute(set("b").ex(Duration::from_millis(90_500))).await?);
    for time in [in_an_hour(), in_an_hour() + Duration::from_millis(250)] {
        assert!(client.execute(set("b").ex_at(time)).await?);
        assert_eq!(client.hpexpiretime("h", "b").await?, [ExpireTime::At(time)]);
    }
    if cx.valkey_since(9, 1) {
        cx.step("conditions on the key");
        assert!(!client.execute(set("c").nx()).await?);
        assert!(client.execute(set("c").xx().fnx()).await?);
    }
    Ok(())
}

async fn fields_are_read_and_deleted_at_once<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.hset("h", [("a", 1), ("b", 2)]).await?;
    assert_eq!(client.hgetdel::<i64>("h", ["a", "none"]).await?, [Some(1), None]);
    assert_eq!(client.hgetdel::<i64>("h", ["a", "b"]).await?, [None, Some(2)]);
    assert_eq!(client.exists("h").await?, 0);
    Ok(())
}
