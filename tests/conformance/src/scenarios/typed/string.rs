//! Strings.

use std::time::{Duration, SystemTime};

use redis_core::types::LcsMatches;
use redis_core::{Commands, Execute, cmd};

use crate::scenario::{Context, Outcome, Scenario, failed};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(values_are_set_read_and_changed_in_place),
        Scenario::new(set_takes_every_condition_and_expiry),
        Scenario::new(values_are_set_by_their_digest).needs_command("DIGEST"),
        Scenario::new(keys_are_deleted_if_their_value_is_this).needs_command("DELEX"),
        Scenario::new(key_is_deleted_if_its_value_equals).needs_command("DELIFEQ"),
        Scenario::new(several_values_are_set_with_one_expiry).needs_command("MSETEX"),
        Scenario::new(values_are_read_with_a_new_expiry),
        Scenario::new(common_subsequences_are_found).needs_command("LCS"),
    ]
}

const MINUTE: Duration = Duration::from_secs(60);

async fn values_are_set_read_and_changed_in_place<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.setex("k", MINUTE, "value").await?;
    client.psetex("k", MINUTE, "value").await?;
    assert_eq!(client.append("k", "!").await?, 6);
    assert_eq!(client.getrange::<String>("k", 1, -2).await?, "alue");
    assert_eq!(client.substr::<String>("k", 0, 2).await?, "val");
    assert_eq!(client.setrange("k", 6, "?").await?, 7);
    assert_eq!(client.strlen("k").await?, 7);
    assert_eq!(client.getset::<String>("k", "5").await?.as_deref(), Some("value!?"));
    assert_eq!((client.incr("k").await?, client.decr("k").await?), (6, 5));
    assert_eq!((client.incrby("k", 7).await?, client.decrby("k", 2).await?), (12, 10));
    assert_eq!(client.incrbyfloat("k", 0.5).await?, 10.5);
    assert_eq!(client.getdel::<f64>("k").await?, Some(10.5));
    assert_eq!(client.getdel::<f64>("k").await?, None);
    client.mset([("a", 1), ("b", 2)]).await?;
    assert!(!client.msetnx([("b", 3), ("c", 3)]).await?);
    assert!(client.msetnx([("c", 3)]).await?);
    assert_eq!(client.mget::<i64>(["a", "none", "c"]).await?, [Some(1), None, Some(3)]);
    assert!(client.setnx("d", 1).await? && !client.setnx("d", 2).await?);
    cx.saw("no number", failed(client.incrbyfloat("d", f64::NAN).await)?);
    Ok(())
}

async fn set_takes_every_condition_and_expiry<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let set = |value: &'static str| cmd::set("k", value);
    assert_eq!(client.execute(set("1").xx()).await?, None);
    assert_eq!(client.execute(set("1").nx()).await?, Some(()));
    assert_eq!(client.execute(set("2").nx()).await?, None);
    assert_eq!(client.execute(set("2").get::<String>()).await?.as_deref(), Some("1"));
    assert_eq!(client.execute(set("3").xx().get::<i64>()).await?, Some(2));
    let hour = SystemTime::now() + 60 * MINUTE;
    let whole = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
    client.execute(set("4").ex(MINUTE)).await?;
    client.execute(set("5").ex(Duration::from_millis(90_500))).await?;
    client.execute(set("6").ex_at(whole)).await?;
    client.execute(set("6").ex_at(hour)).await?;
    client.execute(set("7").keep_ttl()).await?;
    assert!(client.persist("k").await?, "the expiry was kept");
    let is_valkey = cx.valkey_since(8, 1);
    if is_valkey || cx.redis_since(8, 4) {
        assert_eq!(client.execute(set("8").if_eq("no")).await?, None);
        assert_eq!(client.execute(set("8").if_eq("7")).await?, Some(()));
    }
    if cx.redis_since(8, 4) {
        assert_eq!(client.execute(set("9").if_ne("8")).await?, None);
        assert_eq!(client.execute(set("9").if_ne("no")).await?, Some(()));
    }
    cx.saw("value", client.get::<String>("k").await?);
    Ok(())
}

async fn values_are_set_by_their_digest<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("k", "value").await?;
    let digest = client.digest("k").await?.ok_or("the key is there")?;
    cx.saw("DIGEST", &digest);
    assert_eq!(digest.len(), 16);
    assert_eq!(client.digest("none").await?, None);
    let set = |value: &'static str| cmd::set("k", value);
    assert_eq!(client.execute(set("1").if_digest_ne(&digest)).await?, None);
    assert_eq!(client.execute(set("2").if_digest_eq(&digest)).await?, Some(()));
    assert_eq!(client.execute(set("3").if_digest_eq(&digest)).await?, None);
    assert_eq!(client.execute(set("4").if_digest_ne(&digest)).await?, Some(()));
    Ok(())
}

async fn keys_are_deleted_if_their_value_is_this<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("k", "value").await?;
    let digest = client.digest("k").await?.ok_or("the key is there")?;
    let delete = || cmd::delex("k");
    assert!(!client.execute(delete().if_eq("no")).await?);
    assert!(!client.execute(delete().if_ne("value")).await?);
    assert!(!client.execute(delete().if_digest_eq("0000000000000000")).await?);
    assert!(!client.execute(delete().if_digest_ne(&digest)).await?);
    assert!(client.execute(delete().if_eq("value")).await?);
    client.set("k", "value").await?;
    assert!(client.execute(delete().if_ne("no")).await?);
    client.set("k", "value").await?;
    assert!(client.execute(delete().if_digest_eq(&digest)).await?);
    assert!(!client.execute(delete()).await?);
    cx.saw("left", client.exists("k").await?);
    Ok(())
}

async fn key_is_deleted_if_its_value_equals<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("k", "value").await?;
    assert!(!client.delifeq("k", "no").await?);
    assert!(client.delifeq("k", "value").await?);
    assert!(!client.delifeq("k", "value").await?);
    Ok(())
}

async fn several_values_are_set_with_one_expiry<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let set = || cmd::msetex([("a", 1), ("b", 2)]);
    assert!(!client.execute(set().xx()).await?);
    assert!(client.execute(set().nx().ex(MINUTE)).await?);
    assert!(!client.execute(set().nx()).await?);
    assert!(client.execute(set().xx().keep_ttl()).await?);
    assert!(client.persist("a").await?, "the expiry was kept");
    assert!(client.execute(set().ex(Duration::from_millis(90_500))).await?);
    let whole = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
    for time in [whole, whole + Duration::from_millis(250)] {
        assert!(client.execute(set().ex_at(time)).await?);
        assert!(client.persist("b").await?);
    }
    assert_eq!(client.mget::<i64>(["a", "b"]).await?, [Some(1), Some(2)]);
    Ok(())
}

async fn values_are_read_with_a_new_expiry<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("k", "value").await?;
    let get = || cmd::getex::<String>("k");
    assert_eq!(client.execute(get()).await?.as_deref(), Some("value"));
    assert!(!client.persist("k").await?);
    let whole = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
    let odd = Duration::from_millis(90_500);
    for get in [get().ex(MINUTE), get().ex(odd), get().ex_at(whole), get().ex_at(whole + odd)] {
        assert_eq!(client.execute(get).await?.as_deref(), Some("value"));
        assert!(client.persist("k").await?);
    }
    client.execute(get().ex(MINUTE)).await?;
    assert_eq!(client.execute(get().persist()).await?.as_deref(), Some("value"));
    assert!(!client.persist("k").await?);
    assert_eq!(client.getex::<String>("none").await?, None);
    Ok(())
}

async fn common_subsequences_are_found<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.mset([("a", "ohmytext"), ("b", "mynewtext")]).await?;
    assert_eq!(client.lcs::<String>("a", "b").await?, "mytext");
    assert_eq!(client.lcs_len("a", "b").await?, 6);
    let found: LcsMatches = client.lcs_idx("a", "b").await?;
    assert_eq!((found.len, found.matches.len()), (6, 2));
    let first = &found.matches[0];
    assert_eq!((&first.first, &first.second, first.len), (&(4..=7), &(5..=8), None));
    cx.saw("LCS IDX", found);
    let long = cmd::lcs_idx("a", "b").min_match_len(4).with_match_len();
    let found = client.execute(long).await?;
    assert_eq!((found.matches.len(), found.matches[0].len), (1, Some(4)));
    assert_eq!(client.lcs::<String>("a", "none").await?, "");
    assert_eq!(client.lcs_idx("a", "none").await?.matches, []);
    Ok(())
}
