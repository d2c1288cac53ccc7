//! Commands of every group, their arguments and their replies' types.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use redis_core::cmd::Side;
use redis_core::types::{self, AddId, ScoreBound, StreamBound, StreamId, Ttl};
use redis_core::{
    Cmd, Commands, Config, Delivery, Endpoint, ErrorKind, Execute, FromReply, ToArgs, Value, cmd,
};

use crate::scenario::{Context, Outcome, Scenario, failed, open};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(strings_round_trip),
        Scenario::new(several_keys_are_set_and_read_together),
        Scenario::new(keys_and_values_are_any_bytes),
        Scenario::new(empty_value_is_not_a_missing_key),
        Scenario::new(integers_keep_their_whole_range),
        Scenario::new(floats_are_the_same_under_both_protocols),
        Scenario::new(null_is_none),
        Scenario::new(null_without_an_option_is_a_decode_error_and_the_next_reply_is_right),
        Scenario::new(hashes_round_trip),
        Scenario::new(structs_round_trip_as_hashes),
        Scenario::new(lists_round_trip),
        Scenario::new(sets_round_trip),
        Scenario::new(sorted_sets_round_trip),
        Scenario::new(streams_round_trip),
        Scenario::new(keys_are_renamed_counted_and_deleted),
        Scenario::new(expiry_options_reach_the_server),
        Scenario::new(options_of_set_change_its_reply),
        Scenario::new(set_if_equal_compares_on_the_server).needs("SET .. IFEQ", |server| {
            match server.name {
                "valkey" => crate::scenario::since(server, 8, 1),
                _ => crate::scenario::since(server, 8, 4),
            }
        }),
        Scenario::new(scripts_take_keys_and_arguments_and_return_any_type),
        Scenario::new(server_commands_have_typed_replies),
        Scenario::new(wrong_type_is_a_server_error_that_was_replied),
        Scenario::new(server_error_leaves_the_client_usable),
        Scenario::new(five_megabytes_go_both_ways),
        Scenario::new(long_lists_arrive_whole),
        Scenario::new(raw_commands_reach_what_has_no_builder),
        Scenario::new(unknown_command_is_a_server_error),
        Scenario::new(any_reply_is_a_value),
        Scenario::new(stateful_commands_are_refused_and_the_right_call_named),
        Scenario::new(empty_lists_are_refused_before_anything_is_sent),
        Scenario::new(empty_command_is_refused),
    ]
}

async fn strings_round_trip<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    cx.step("SET and its relatives");
    client.set("k", "value").await?;
    assert_eq!(client.get::<String>("k").await?.as_deref(), Some("value"));
    assert_eq!(client.append("k", "!").await?, 6);
    assert_eq!(client.strlen("k").await?, 6);
    assert_eq!(client.getrange::<String>("k", 1, 3).await?, "alu");
    assert_eq!(client.setrange("k", 0, "V").await?, 6);
    assert_eq!(client.getset::<String>("k", "new").await?.as_deref(), Some("Value!"));
    assert_eq!(client.getdel::<String>("k").await?.as_deref(), Some("new"));
    assert!(client.setnx("k", "1").await?);
    assert!(!client.setnx("k", "2").await?);
    cx.step("one value as several types");
    assert_eq!(client.get::<i64>("k").await?, Some(1));
    assert_eq!(client.get::<bool>("k").await?, Some(true));
    assert_eq!(client.get::<Vec<u8>>("k").await?, Some(b"1".to_vec()));
    assert_eq!(client.get::<Bytes>("k").await?, Some(Bytes::from("1")));
    cx.saw("as value", client.get::<Value>("k").await?);
    Ok(())
}

async fn several_keys_are_set_and_read_together<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.mset([("a", 1), ("b", 2)]).await?;
    let values: Vec<Option<i64>> = client.mget(["b", "none", "a"]).await?;
    assert_eq!(values, [Some(2), None, Some(1)]);
    assert!(!client.msetnx([("a", 3), ("c", 3)]).await?);
    assert_eq!(client.get::<i64>("c").await?, None);
    assert!(client.msetnx([("c", 3)]).await?);
    Ok(())
}

async fn keys_and_values_are_any_bytes<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let all: Vec<u8> = (0..=255).collect();
    let odd: [&[u8]; 6] = [b"\r\n", b"\0", b"$5\r\nfalse\r\n", b" ", &[0xff, 0xfe], &all];
    for bytes in odd {
        cx.step(format!("{bytes:?}"));
        client.set(bytes, bytes).await?;
        assert_eq!(client.get::<Vec<u8>>(bytes).await?.as_deref(), Some(bytes));
        client.hset("hash", [(bytes, bytes)]).await?;
        assert_eq!(client.hget::<Vec<u8>>("hash", bytes).await?.as_deref(), Some(bytes));
    }
    let keys: BTreeSet<Vec<u8>> = client.hkeys("hash").await?.into_iter().collect();
    assert_eq!(keys, odd.iter().map(|bytes| bytes.to_vec()).collect());
    cx.step("a text that is not UTF-8");
    let error = failed(client.get::<String>([0xff, 0xfe]).await)?;
    assert_eq!(error.kind(), ErrorKind::Decode);
    cx.saw("not UTF-8", &error);
    Ok(())
}

async fn empty_value_is_not_a_missing_key<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("", "").await?;
    assert_eq!(client.get::<String>("").await?.as_deref(), Some(""));
    assert_eq!(client.get::<Bytes>("").await?, Some(Bytes::new()));
    assert_eq!(client.exists("").await?, 1);
    assert_eq!(client.echo::<String>("").await?, "");
    Ok(())
}

async fn integers_keep_their_whole_range<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    for number in [i64::MIN, -1, 0, 1, i64::MAX] {
        client.set("n", number).await?;
        assert_eq!(client.get::<i64>("n").await?, Some(number));
        assert_eq!(client.incrby("n", 0).await?, number);
    }
    client.set("n", u64::MAX).await?;
    assert_eq!(client.get::<u64>("n").await?, Some(u64::MAX));
    assert_eq!(client.del("n").await?, 1);
    assert_eq!((client.incr("n").await?, client.decr("n").await?), (1, 0));
    assert_eq!((client.incrby("n", 40).await?, client.decrby("n", 50).await?), (40, -10));
    cx.step("beyond the range");
    client.set("n", i64::MAX).await?;
    cx.saw("overflow", failed(client.incr("n").await)?);
    cx.saw("does not fit", failed(client.get::<u8>("n").await)?);
    Ok(())
}

async fn floats_are_the_same_under_both_protocols<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("f", 0.1).await?;
    assert_eq!(client.get::<f64>("f").await?, Some(0.1));
    assert_eq!(client.incrbyfloat("f", 0.25).await?, 0.35);
    assert_eq!(client.hincrbyfloat("h", "f", -1.5).await?, -1.5);
    client.zadd("z", [(f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf"), (1e300, "big")]).await?;
    assert_eq!(client.zscore("z", "inf").await?, Some(f64::INFINITY));
    assert_eq!(client.zscore("z", "-inf").await?, Some(f64::NEG_INFINITY));
    assert_eq!(client.zscore("z", "big").await?, Some(1e300));
    assert_eq!(client.zscore("z", "none").await?, None);
    cx.saw("shortest text", client.get::<String>("f").await?);
    Ok(())
}

async fn null_is_none<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    assert_eq!(client.get::<String>("none").await?, None);
    assert_eq!(client.hget::<String>("none", "f").await?, None);
    assert_eq!(client.lpop::<String>("none").await?, None);
    assert_eq!(client.execute(cmd::lpop::<String>("none").count(2)).await?, None);
    assert_eq!(client.execute(cmd::zrank("none", "m")).await?, None);
    assert_eq!(client.get::<Value>("none").await?, None);
    assert_eq!(client.execute(Cmd::<Value>::raw("GET").arg("none")).await?, Value::Null);
    Ok(())
}

async fn null_without_an_option_is_a_decode_error_and_the_next_reply_is_right<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    client.set("k", "right").await?;
    for _ in 0..3 {
        let error = failed(client.execute(Cmd::<String>::raw("GET").arg("none")).await)?;
        assert_eq!((error.kind(), error.delivery()), (ErrorKind::Decode, Delivery::Replied));
        cx.saw("null", error);
        assert_eq!(client.get::<String>("k").await?.as_deref(), Some("right"));
    }
    Ok(())
}

async fn hashes_round_trip<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    assert_eq!(client.hset("h", [("a", 1), ("b", 2)]).await?, 2);
    assert_eq!(client.hset("h", [("a", 10), ("c", 3)]).await?, 1);
    assert_eq!(client.hget::<i64>("h", "a").await?, Some(10));
    let all: BTreeMap<String, i64> = client.hgetall("h").await?;
    cx.saw("HGETALL", &all);
    assert_eq!(all.len(), 3);
    let pairs: Vec<(String, i64)> = client.hgetall("h").await?;
    assert_eq!(pairs.into_iter().collect::<BTreeMap<_, _>>(), all);
    assert_eq!(client.hgetall::<BTreeMap<String, String>>("none").await?, BTreeMap::new());
    assert_eq!(client.hmget::<i64>("h", ["c", "none"]).await?, [Some(3), None]);
    assert_eq!(client.hincrby("h", "a", 5).await?, 15);
    assert_eq!((client.hlen("h").await?, client.hstrlen("h", "a").await?), (3, 2));
    assert!(client.hexists("h", "a").await? && !client.hexists("h", "z").await?);
    assert!(!client.hsetnx("h", "a", 1).await? && client.hsetnx("h", "d", 1).await?);
    let mut values: Vec<i64> = client.hvals("h").await?;
    values.sort_unstable();
    assert_eq!(values, [1, 2, 3, 15]);
    assert_eq!(client.hdel("h", ["a", "b", "none"]).await?, 2);
    Ok(())
}

#[derive(Clone, Debug, PartialEq, FromReply, ToArgs)]
#[redis(rename_all = "kebab-case")]
struct User {
    full_name: String,
    age: u32,
    mail: Option<String>,
    #[redis(default)]
    visits: u64,
}

#[derive(Debug, PartialEq, FromReply)]
#[redis(rename_all = "lowercase")]
enum KeyType {
    Hash,
    Stream,
    #[redis(other)]
    Other(String),
}

async fn structs_round_trip_as_hashes<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let ada = User { full_name: "Ada".into(), age: 36, mail: Some("a@b".into()), visits: 2 };
    let bob = User { full_name: "Bob".into(), age: 7, mail: None, visits: 0 };
    cx.step("HSET of a struct, HGETALL into one");
    assert_eq!(client.hset("ada", &ada).await?, 4);
    assert_eq!(client.hset("bob", bob.clone()).await?, 3);
    assert_eq!(client.hgetall::<User>("ada").await?, ada);
    assert_eq!(client.hgetall::<User>("bob").await?, bob);
    client.hset("ada", [("unknown", "field")]).await?;
    assert_eq!(client.hgetall::<User>("ada").await?, ada);
    cx.step("fields that are missing");
    client.hdel("bob", ["visits", "age"]).await?;
    for key in ["bob", "nobody"] {
        let error = failed(client.hgetall::<User>(key).await)?;
        assert_eq!(error.kind(), ErrorKind::Decode);
        cx.saw("missing", error);
    }
    cx.step("XADD of a struct, TYPE as an enum");
    client.xadd("log", (1, 1), &ada).await?;
    client.set("text", "").await?;
    let type_of = |key| client.execute(Cmd::<KeyType>::raw("TYPE").key(key));
    assert_eq!(type_of("ada").await?, KeyType::Hash);
    assert_eq!(type_of("log").await?, KeyType::Stream);
    assert_eq!(type_of("text").await?, KeyType::Other("string".into()));
    Ok(())
}

async fn lists_round_trip<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    assert_eq!(client.rpush("l", ["b", "c"]).await?, 2);
    assert_eq!(client.lpush("l", "a").await?, 3);
    assert_eq!(client.lrange::<String>("l", 0, -1).await?, ["a", "b", "c"]);
    assert_eq!(client.lindex::<String>("l", -1).await?.as_deref(), Some("c"));
    assert_eq!(client.lindex::<String>("l", 9).await?, None);
    client.lset("l", 1, "B").await?;
    assert_eq!(client.llen("l").await?, 3);
    let moved: Option<String> = client.lmove("l", "m", Side::Left, Side::Right).await?;
    assert_eq!(moved.as_deref(), Some("a"));
    assert_eq!(client.lpop::<String>("l").await?.as_deref(), Some("B"));
    client.rpush("l", ["x", "x", "y"]).await?;
    assert_eq!(client.lrem("l", 1, "x").await?, 1);
    client.ltrim("l", 1, -1).await?;
    let popped: Option<Vec<String>> = client.execute(cmd::rpop("l").count(9)).await?;
    assert_eq!(popped, Some(vec!["y".to_owned(), "x".to_owned()]));
    assert_eq!(client.lrange::<String>("l", 0, -1).await?, [""; 0]);
    cx.saw("index out of range", failed(client.lset("m", 9, "x").await)?);
    Ok(())
}

async fn sets_round_trip<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    assert_eq!(client.sadd("s", ["a", "b", "c"]).await?, 3);
    assert_eq!(client.sadd("s", "a").await?, 0);
    let sorted = |members: Vec<String>| members.into_iter().collect::<BTreeSet<_>>();
    cx.saw("SMEMBERS", sorted(client.smembers("s").await?));
    assert_eq!(client.scard("s").await?, 3);
    assert!(client.sismember("s", "a").await? && !client.sismember("s", "z").await?);
    assert_eq!(client.smismember("s", ["a", "z"]).await?, [true, false]);
    client.sadd("t", ["b", "d"]).await?;
    cx.saw("SINTER", sorted(client.sinter(["s", "t"]).await?));
    cx.saw("SUNION", sorted(client.sunion(["s", "t"]).await?));
    cx.saw("SDIFF", sorted(client.sdiff(["s", "t"]).await?));
    assert_eq!(client.srem("s", ["a", "z"]).await?, 1);
    Ok(())
}

async fn sorted_sets_round_trip<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    assert_eq!(client.zadd("z", [(1.0, "a"), (2.5, "b"), (3.0, "c")]).await?, 3);
    let changed = client.execute(cmd::zadd("z", [(2.0, "b"), (9.0, "d")]).xx().ch()).await?;
    assert_eq!(changed, 1);
    let score = client.execute(cmd::zadd("z", [(0.5, "a")]).incr()).await?;
    assert_eq!(score, Some(1.5));
    let names: Vec<String> = client.zrange("z", 0, -1).await?;
    assert_eq!(names, ["a", "b", "c"]);
    let scores = client.execute(cmd::zrange::<String>("z", 0, -1).rev().with_scores()).await?;
    let expected = [("c", 3.0), ("b", 2.0), ("a", 1.5)].map(|(name, n)| (name.to_owned(), n));
    assert_eq!(scores, expected);
    let above = ScoreBound::Excluded(1.5);
    let page: Vec<String> =
        client.execute(cmd::zrange_by_score("z", above, f64::INFINITY).limit(0, 1)).await?;
    assert_eq!(page, ["b"]);
    assert_eq!(client.zmscore("z", ["a", "none"]).await?, [Some(1.5), None]);
    assert_eq!(
        (client.zrank("z", "c").await?, client.zrevrank("z", "c").await?),
        (Some(2), Some(0))
    );
    assert_eq!(client.zincrby("z", 10.25, "a").await?, 11.75);
    assert_eq!((client.zrem("z", ["a", "none"]).await?, client.zcard("z").await?), (1, 2));
    Ok(())
}

async fn streams_round_trip<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let id = client.xadd("x", (1, 1), [("f", "v"), ("g", "w")]).await?;
    assert_eq!(id, StreamId::new(1, 1));
    assert_eq!(client.xadd("x", (2, 0), [("f", "v2")]).await?, StreamId::new(2, 0));
    assert_eq!(client.xlen("x").await?, 2);
    type Fields = BTreeMap<String, String>;
    let (min, max) = (StreamBound::Min, StreamBound::Max);
    cx.saw("XRANGE", client.xrange::<Fields>("x", min, max).await?);
    let newest = client.execute(cmd::xrevrange::<Fields>("x", max, min).count(1)).await?;
    assert_eq!(newest[0].id, StreamId::new(2, 0));
    cx.saw("id that is not newer", failed(client.xadd("x", (1, 0), [("f", "v")]).await)?);
    let id = client.execute(cmd::xadd("none", AddId::Auto, [("f", "v")]).no_mkstream()).await?;
    assert_eq!(id, None);
    Ok(())
}

async fn keys_are_renamed_counted_and_deleted<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.mset([("a", "1"), ("b", "2"), ("c", "3")]).await?;
    assert_eq!(client.exists(["a", "a", "none"]).await?, 2);
    assert_eq!(client.touch(["a", "none"]).await?, 1);
    client.rename("a", "d").await?;
    assert!(!client.renamenx("b", "d").await?);
    let mut keys: Vec<String> = client.keys("*").await?;
    keys.sort();
    assert_eq!(keys, ["b", "c", "d"]);
    assert_eq!(client.key_type("b").await?, types::KeyType::String);
    assert_eq!(client.key_type("none").await?, types::KeyType::None);
    assert_eq!((client.del("b").await?, client.unlink(["c", "none"]).await?), (1, 1));
    assert_eq!(client.dbsize().await?, 1);
    cx.saw("no such key", failed(client.rename("none", "x").await)?);
    Ok(())
}

async fn expiry_options_reach_the_server<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let within = |ttl: Option<Duration>, limit: u64| {
        let limit = Duration::from_millis(limit);
        assert!(ttl.is_some_and(|ttl| ttl > limit / 2 && ttl <= limit), "{ttl:?}");
    };
    cx.step("SET");
    client.execute(cmd::set("k", "v").ex(Duration::from_secs(100))).await?;
    within(client.ttl("k").await?.remaining(), 100_000);
    client.execute(cmd::set("k", "v").ex(Duration::from_millis(99_500))).await?;
    within(client.pttl("k").await?.remaining(), 99_500);
    client.execute(cmd::set("k", "w").keep_ttl()).await?;
    within(client.pttl("k").await?.remaining(), 99_500);
    client.set("k", "v").await?;
    assert_eq!(client.ttl("k").await?, Ttl::Persistent);
    assert_eq!(client.ttl("none").await?, Ttl::NoKey);
    let at = SystemTime::now() + Duration::from_secs(1000);
    client.execute(cmd::set("k", "v").ex_at(at)).await?;
    within(client.ttl("k").await?.remaining(), 1_001_000);
    cx.step("EXPIRE and its relatives");
    assert!(client.expire("k", Duration::from_secs(50)).await?);
    within(client.ttl("k").await?.remaining(), 50_000);
    assert!(client.pexpire("k", Duration::from_millis(7_777)).await?);
    within(client.pttl("k").await?.remaining(), 7_777);
    assert!(client.expireat("k", at).await? && client.pexpireat("k", at).await?);
    within(client.ttl("k").await?.remaining(), 1_001_000);
    assert!(!client.expire("none", Duration::from_secs(1)).await?);
    client.execute(cmd::getex::<String>("k").ex(Duration::from_secs(20))).await?;
    within(client.ttl("k").await?.remaining(), 20_000);
    client.execute(cmd::getex::<String>("k").persist()).await?;
    assert_eq!(client.ttl("k").await?, Ttl::Persistent);
    assert!(!client.persist("k").await?);
    client.setex("k", Duration::from_secs(30), "v").await?;
    within(client.ttl("k").await?.remaining(), 30_000);
    client.psetex("k", Duration::from_millis(40_000), "v").await?;
    within(client.pttl("k").await?.remaining(), 40_000);
    cx.step("an expiry that passes");
    client.execute(cmd::set("short", "v").ex(Duration::from_millis(1))).await?;
    cx.until("the key is gone", async || Ok(client.exists("short").await? == 0)).await?;
    cx.saw("no time at all", failed(client.execute(cmd::set("k", "v").ex(Duration::ZERO)).await)?);
    Ok(())
}

async fn options_of_set_change_its_reply<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    assert_eq!(client.execute(cmd::set("k", "a").xx()).await?, None);
    assert_eq!(client.execute(cmd::set("k", "a").nx()).await?, Some(()));
    assert_eq!(client.execute(cmd::set("k", "b").nx()).await?, None);
    assert_eq!(client.execute(cmd::set("k", "c").get::<String>()).await?.as_deref(), Some("a"));
    let before = client.execute(cmd::set("k", "d").get::<String>().xx()).await?;
    assert_eq!(before.as_deref(), Some("c"));
    assert_eq!(client.execute(cmd::set("new", "d").get::<String>()).await?, None);
    Ok(())
}

async fn set_if_equal_compares_on_the_server<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("k", "a").await?;
    assert_eq!(client.execute(cmd::set("k", "b").if_eq("x")).await?, None);
    assert_eq!(client.execute(cmd::set("k", "b").if_eq("a")).await?, Some(()));
    assert_eq!(client.get::<String>("k").await?.as_deref(), Some("b"));
    Ok(())
}

async fn scripts_take_keys_and_arguments_and_return_any_type<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    let script = "return {KEYS[1], ARGV[1], #KEYS, false, {1, 2.9}, redis.status_reply('FINE')}";
    let reply: Value = client.eval(script, ["key"], ["argument"]).await?;
    cx.saw("EVAL", reply);
    cx.step("by its SHA-1");
    let sha = client.script_load("return tonumber(ARGV[1]) + 1").await?;
    assert_eq!(client.evalsha::<i64>(&sha, [""; 0], [41]).await?, 42);
    assert_eq!(client.script_exists([&*sha, "none"]).await?, [true, false]);
    client.script_flush().await?;
    let error = failed(client.evalsha::<i64>(&sha, [""; 0], [41]).await)?;
    assert_eq!(error.code(), Some("NOSCRIPT"));
    let error =
        failed(client.eval::<()>("return redis.error_reply('MINE x')", [""; 0], [""; 0]).await)?;
    assert_eq!(error.code(), Some("MINE"));
    Ok(())
}

async fn server_commands_have_typed_replies<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.ping().await?;
    assert_eq!(client.execute(cmd::ping().message::<String>("hi")).await?, "hi");
    assert_eq!(client.echo::<String>("hi").await?, "hi");
    assert!(client.time().await?.0 > UNIX_EPOCH + Duration::from_secs(1_600_000_000));
    assert_eq!(client.config_get("maxmem*y").await?["maxmemory"], "0");
    assert_eq!(client.config_get("databases").await?["databases"], "16");
    client.config_set([("maxmemory", "100mb")]).await?;
    assert_eq!(client.config_get("maxmemory").await?["maxmemory"], "104857600");
    client.config_set([("maxmemory", "0")]).await?;
    assert!(!client.info().await?.version()?.is_empty());
    assert!(client.execute(cmd::info().sections("clients")).await?.connected_clients()? > 0);
    assert!(client.client_id().await? > 0);
    assert!(client.client_info().await?.id > 0);
    client.set("k", "v").await?;
    client.flushdb().await?;
    client.flushall().await?;
    assert_eq!(client.dbsize().await?, 0);
    Ok(())
}

async fn wrong_type_is_a_server_error_that_was_replied<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("k", "text").await?;
    let error = failed(client.lpush("k", "x").await)?;
    assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some("WRONGTYPE")));
    assert_eq!(error.delivery(), Delivery::Replied);
    cx.saw("wrong type", error);
    let error = failed(client.incr("k").await)?;
    assert_eq!(error.code(), Some("ERR"));
    cx.saw("not a number", error);
    Ok(())
}

async fn server_error_leaves_the_client_usable<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("k", "text").await?;
    let before = client.client_id().await?;
    for _ in 0..100 {
        failed(client.lpush("k", "x").await)?;
        assert_eq!(client.get::<String>("k").await?.as_deref(), Some("text"));
    }
    assert_eq!(client.client_id().await?, before, "an error reply is no reason to reconnect");
    Ok(())
}

async fn five_megabytes_go_both_ways<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let big: Vec<u8> = (0..5 * 1024 * 1024_u32).map(|n| (n % 251) as u8).collect();
    cx.step("SET from a slice");
    client.set("slice", &big).await?;
    cx.step("SET from shared bytes");
    client.set("shared", Bytes::from(big.clone())).await?;
    cx.step("GET");
    for key in ["slice", "shared"] {
        assert!(client.get::<Vec<u8>>(key).await?.as_ref() == Some(&big), "{key} as a vector");
        assert!(client.get::<Bytes>(key).await?.as_deref() == Some(&big[..]), "{key} as bytes");
    }
    cx.step("ECHO");
    assert!(client.echo::<Bytes>(&big).await? == big);
    Ok(())
}

async fn long_lists_arrive_whole<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let numbers: Vec<i64> = (0..50_000).collect();
    assert_eq!(client.rpush("l", &numbers).await?, 50_000);
    assert_eq!(client.lrange::<i64>("l", 0, -1).await?, numbers);
    let keys: Vec<String> = (0..5_000).map(|n| format!("none:{n}")).collect();
    assert_eq!(client.mget::<String>(&keys).await?, vec![None; 5_000]);
    Ok(())
}

async fn raw_commands_reach_what_has_no_builder<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("k", 1).await?;
    let encoding: String = client.execute(Cmd::raw("OBJECT ENCODING").key("k")).await?;
    assert_eq!(encoding, "int");
    let bits: u64 = client.execute(Cmd::raw("BITCOUNT").key("k")).await?;
    assert_eq!(bits, 3);
    let range: String = client.execute(Cmd::raw("GETRANGE").key("k").args([0, -1])).await?;
    assert_eq!(range, "1");
    Ok(())
}

async fn unknown_command_is_a_server_error<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let error = failed(client.execute(Cmd::<()>::raw("NO-SUCH-COMMAND").arg("x")).await)?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Server, Delivery::Replied));
    cx.saw("unknown", error);
    client.ping().await?;
    Ok(())
}

async fn any_reply_is_a_value<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let value =
        async |name: &str, args: &[&str]| client.execute(Cmd::<Value>::raw(name).args(args)).await;
    cx.saw("status", value("SET", &["k", "v"]).await?);
    cx.saw("string", value("GET", &["k"]).await?);
    cx.saw("null", value("GET", &["none"]).await?);
    cx.saw("integer", value("STRLEN", &["k"]).await?);
    cx.saw("list", value("MGET", &["k", "none"]).await?);
    cx.saw("empty list", value("LRANGE", &["none", "0", "-1"]).await?);
    Ok(())
}

/// A client whose server is nowhere: whatever it sends fails with `Connect`.
fn nowhere() -> Config {
    let mut config = Config::default();
    config.endpoint = Endpoint::Unix("/nowhere/socket".into());
    config
}

async fn stateful_commands_are_refused_and_the_right_call_named<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = open::<S>(nowhere())?;
    let refused: [(&str, &[&str]); 14] = [
        ("SELECT", &["1"]),
        ("AUTH", &["x"]),
        ("HELLO", &["3"]),
        ("RESET", &[]),
        ("SUBSCRIBE", &["c"]),
        ("PSUBSCRIBE", &["c"]),
        ("UNSUBSCRIBE", &[]),
        ("MONITOR", &[]),
        ("MULTI", &[]),
        ("EXEC", &[]),
        ("WATCH", &["k"]),
        ("QUIT", &[]),
        ("CLIENT REPLY", &["OFF"]),
        ("CLIENT SETNAME", &["x"]),
    ];
    for (name, args) in refused {
        cx.step(name);
        let error = failed(client.execute(Cmd::<()>::raw(name).args(args)).await)?;
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{name}: {error}");
        assert_eq!(error.delivery(), Delivery::NotSent);
        cx.saw(name, error.to_string());
        let lower = Cmd::<()>::raw(&name.to_lowercase()).args(args);
        assert_eq!(failed(client.execute(lower).await)?.kind(), ErrorKind::InvalidRequest);
    }
    Ok(())
}

async fn empty_lists_are_refused_before_anything_is_sent<S: Subject>(cx: Context<S>) -> Outcome {
    let client = open::<S>(nowhere())?;
    let none = [""; 0];
    for error in [
        failed(client.del(none).await)?,
        failed(client.mget::<String>(none).await)?,
        failed(client.mset([("", ""); 0]).await)?,
        failed(client.lpush("k", none).await)?,
        failed(client.sadd("k", none).await)?,
        failed(client.hset("k", [("", ""); 0]).await)?,
        failed(client.zadd("k", [(1.0, ""); 0]).await)?,
        failed(client.blpop::<String, String>(none, Duration::from_secs(1)).await)?,
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(error.delivery(), Delivery::NotSent);
        cx.saw("refused", error.to_string());
    }
    Ok(())
}

async fn empty_command_is_refused<S: Subject>(cx: Context<S>) -> Outcome {
    let client = open::<S>(nowhere())?;
    let error = failed(client.execute(Cmd::<()>::raw("")).await)?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::InvalidRequest, Delivery::NotSent));
    cx.saw("empty", error);
    Ok(())
}
