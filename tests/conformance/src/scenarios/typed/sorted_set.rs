//! Sorted sets.

use std::time::Duration;

use redis_core::cmd::{Aggregate, Extreme};
use redis_core::types::{Cursor, LexBound, ScoreBound};
use redis_core::{Commands, Execute, Result, cmd};

use crate::client::Client;
use crate::scenario::{Context, Outcome, Scenario};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(members_are_added_on_conditions),
        Scenario::new(members_are_listed_by_rank_score_and_bytes),
        Scenario::new(ranges_of_members_are_stored_counted_and_removed),
        Scenario::new(deprecated_ranges_still_work),
        Scenario::new(sorted_sets_are_united_intersected_and_subtracted),
        Scenario::new(sorted_sets_are_intersected_for_their_count).needs_command("ZINTERCARD"),
        Scenario::new(lowest_and_highest_members_are_popped),
        Scenario::new(members_of_the_first_sorted_set_are_popped).needs_command("ZMPOP"),
        Scenario::new(ranks_and_scores_are_looked_up),
        Scenario::new(random_members_come_with_their_scores),
        Scenario::new(sorted_sets_are_scanned),
    ]
}

fn scored<const N: usize>(pairs: [(&str, f64); N]) -> Vec<(String, f64)> {
    pairs.map(|(member, score)| (member.to_owned(), score)).into()
}

/// `a` to `e` with scores 1 to 5.
async fn add<S: Subject>(client: &Client<S>, key: &str) -> Result<()> {
    let members = [(1.0, "a"), (2.0, "b"), (3.0, "c"), (4.0, "d"), (5.0, "e")];
    assert_eq!(client.zadd(key, members).await?, 5);
    Ok(())
}

async fn members_are_added_on_conditions<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client, "z").await?;
    let put = |members: [(f64, &'static str); 2]| cmd::zadd("z", members);
    assert_eq!(client.execute(put([(9.0, "a"), (9.0, "new")]).nx()).await?, 1);
    assert_eq!(client.execute(put([(1.5, "a"), (9.0, "none")]).xx()).await?, 0);
    assert_eq!(client.execute(put([(1.75, "a"), (9.0, "none")]).xx().ch()).await?, 1);
    assert_eq!(client.execute(put([(1.0, "a"), (2.5, "b")]).gt().ch()).await?, 1);
    assert_eq!(client.execute(put([(1.0, "a"), (9.0, "b")]).lt().ch()).await?, 1);
    let increment = |by, member: &'static str| cmd::zadd("z", [(by, member)]).incr();
    assert_eq!(client.execute(increment(2.0, "a")).await?, Some(3.0));
    assert_eq!(client.execute(increment(2.0, "none").xx()).await?, None);
    cx.saw("scores", client.execute(cmd::zrange::<String>("z", 0, -1).with_scores()).await?);
    assert_eq!(client.zincrby("z", -0.5, "a").await?, 2.5);
    assert_eq!(client.zcard("z").await?, 6);
    Ok(())
}

async fn members_are_listed_by_rank_score_and_bytes<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client, "z").await?;
    cx.step("by rank");
    assert_eq!(client.zrange::<String>("z", 1, -2).await?, ["b", "c", "d"]);
    assert_eq!(client.execute(cmd::zrange::<String>("z", 0, 1).rev()).await?, ["e", "d"]);
    let both = cmd::zrange::<String>("z", 0, 0).rev().with_scores();
    assert_eq!(client.execute(both).await?, scored([("e", 5.0)]));
    cx.step("by score");
    let above = ScoreBound::Excluded(2.0);
    let infinite = f64::INFINITY;
    assert_eq!(client.zrange_by_score::<String>("z", above, 4).await?, ["c", "d"]);
    let limited = cmd::zrange_by_score::<String>("z", above, infinite).limit(1, 2).with_scores();
    assert_eq!(client.execute(limited).await?, scored([("d", 4.0), ("e", 5.0)]));
    let down = cmd::zrange_by_score::<String>("z", infinite, above).rev().limit(1, -1);
    assert_eq!(client.execute(down).await?, ["d", "c"]);
    cx.step("by bytes");
    client.zadd("l", ["a", "b", "c", "d"].map(|member| (0.0, member))).await?;
    let (min, max) = (LexBound::Min, LexBound::Max);
    assert_eq!(client.zrange_by_lex::<String>("l", "b", max.clone()).await?, ["b", "c", "d"]);
    let limited = cmd::zrange_by_lex::<String>("l", LexBound::excluded("a"), max).limit(1, 1);
    assert_eq!(client.execute(limited).await?, ["c"]);
    let down = cmd::zrange_by_lex::<String>("l", "c", min).rev();
    assert_eq!(client.execute(down).await?, ["c", "b", "a"]);
    assert!(client.zrange::<String>("none", 0, -1).await?.is_empty());
    Ok(())
}

async fn ranges_of_members_are_stored_counted_and_removed<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client, "z").await?;
    let above = ScoreBound::Excluded(2.0);
    cx.step("ZRANGESTORE");
    assert_eq!(client.zrangestore("d", "z", 0, 1).await?, 2);
    assert_eq!(client.execute(cmd::zrangestore("d", "z", 0, 1).rev()).await?, 2);
    assert_eq!(client.zrange::<String>("d", 0, -1).await?, ["d", "e"]);
    let store = cmd::zrangestore_by_score("d", "z", above, f64::INFINITY).limit(0, 2);
    assert_eq!(client.execute(store).await?, 2);
    assert_eq!(client.zrange::<String>("d", 0, -1).await?, ["c", "d"]);
    let store = cmd::zrangestore_by_score("d", "z", f64::INFINITY, above).rev().limit(0, 2);
    assert_eq!(client.execute(store).await?, 2);
    client.zadd("l", ["a", "b", "c", "d"].map(|member| (0.0, member))).await?;
    assert_eq!(client.zrangestore_by_lex("d", "l", "b", LexBound::Max).await?, 3);
    let store = cmd::zrangestore_by_lex("d", "l", "c", LexBound::Min).rev().limit(1, 1);
    assert_eq!(client.execute(store).await?, 1);
    cx.saw("stored", client.zrange::<String>("d", 0, -1).await?);
    cx.step("counting and removing");
    assert_eq!(client.zcount("z", above, 4.0).await?, 2);
    assert_eq!(client.zcount("z", f64::NEG_INFINITY, f64::INFINITY).await?, 5);
    assert_eq!(client.zlexcount("l", LexBound::Min, LexBound::excluded("c")).await?, 2);
    assert_eq!(client.zremrangebylex("l", "b", "c").await?, 2);
    assert_eq!(client.zremrangebyscore("z", above, 3).await?, 1);
    assert_eq!(client.zremrangebyrank("z", 0, 1).await?, 2);
    assert_eq!(client.zrange::<String>("z", 0, -1).await?, ["d", "e"]);
    assert_eq!(client.zrem("z", ["d", "none"]).await?, 1);
    Ok(())
}

async fn deprecated_ranges_still_work<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client, "z").await?;
    let above = ScoreBound::Excluded(2.0);
    let infinite = f64::INFINITY;
    assert_eq!(client.zrevrange::<String>("z", 0, 1).await?, ["e", "d"]);
    let both = cmd::zrevrange::<String>("z", 0, 0).with_scores();
    assert_eq!(client.execute(both).await?, scored([("e", 5.0)]));
    assert_eq!(client.zrangebyscore::<String>("z", above, 3).await?, ["c"]);
    let all = cmd::zrangebyscore::<String>("z", above, infinite).limit(1, 1).with_scores();
    assert_eq!(client.execute(all).await?, scored([("d", 4.0)]));
    assert_eq!(client.zrevrangebyscore::<String>("z", 3, above).await?, ["c"]);
    let all = cmd::zrevrangebyscore::<String>("z", infinite, above).limit(1, 1).with_scores();
    assert_eq!(client.execute(all).await?, scored([("d", 4.0)]));
    client.zadd("l", ["a", "b", "c"].map(|member| (0.0, member))).await?;
    let up = cmd::zrangebylex::<String>("l", LexBound::Min, "c").limit(1, 5);
    assert_eq!(client.execute(up).await?, ["b", "c"]);
    let down = cmd::zrevrangebylex::<String>("l", LexBound::Max, "a").limit(1, 5);
    assert_eq!(client.execute(down).await?, ["b", "a"]);
    Ok(())
}

async fn sorted_sets_are_united_intersected_and_subtracted<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.zadd("x", [(1.0, "a"), (2.0, "b")]).await?;
    client.zadd("y", [(10.0, "b"), (20.0, "c")]).await?;
    let both = ["x", "y"];
    cx.step("ZUNION");
    assert_eq!(client.zunion::<String>(both).await?, ["a", "b", "c"]);
    let union = || cmd::zunion::<String>(both).weights([2.0, 0.5]);
    let sums = union().aggregate(Aggregate::Sum).with_scores();
    assert_eq!(client.execute(sums).await?, scored([("a", 2.0), ("b", 9.0), ("c", 10.0)]));
    let lowest = union().aggregate(Aggregate::Min).with_scores();
    assert_eq!(client.execute(lowest).await?, scored([("a", 2.0), ("b", 4.0), ("c", 10.0)]));
    let highest = union().aggregate(Aggregate::Max).with_scores();
    assert_eq!(client.execute(highest).await?, scored([("a", 2.0), ("b", 5.0), ("c", 10.0)]));
    let store = || cmd::zunionstore("d", both);
    assert_eq!(client.execute(store()).await?, 3);
    let store = |how| store().weights([1.0, 2.0]).aggregate(how);
    for how in [Aggregate::Sum, Aggregate::Min, Aggregate::Max] {
        assert_eq!(client.execute(store(how)).await?, 3);
        let stored = cmd::zrange::<String>("d", 0, -1).with_scores();
        cx.saw("ZUNIONSTORE", client.execute(stored).await?);
    }
    cx.step("ZINTER");
    assert_eq!(client.zinter::<String>(both).await?, ["b"]);
    for (how, score) in [(Aggregate::Sum, 9.0), (Aggregate::Min, 4.0), (Aggregate::Max, 5.0)] {
        let inter = cmd::zinter::<String>(both).weights([2.0, 0.5]).aggregate(how);
        assert_eq!(client.execute(inter.with_scores()).await?, scored([("b", score)]));
        let store = cmd::zinterstore("d", both).weights([2.0, 0.5]).aggregate(how);
        assert_eq!(client.execute(store).await?, 1);
        assert_eq!(client.zscore("d", "b").await?, Some(score));
    }
    cx.step("ZDIFF");
    assert_eq!(client.zdiff::<String>(both).await?, ["a"]);
    let diff = cmd::zdiff::<String>(both).with_scores();
    assert_eq!(client.execute(diff).await?, scored([("a", 1.0)]));
    assert_eq!(client.zdiffstore("d", ["y", "x"]).await?, 1);
    assert_eq!(client.zrange::<String>("d", 0, -1).await?, ["c"]);
    Ok(())
}

async fn sorted_sets_are_intersected_for_their_count<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client, "x").await?;
    add(&client, "y").await?;
    assert_eq!(client.zintercard(["x", "y"]).await?, 5);
    assert_eq!(client.execute(cmd::zintercard(["x", "y"]).limit(2)).await?, 2);
    Ok(())
}

async fn lowest_and_highest_members_are_popped<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client, "z").await?;
    assert_eq!(client.zpopmin::<String>("z").await?, scored([("a", 1.0)]));
    assert_eq!(client.zpopmax::<String>("z").await?, scored([("e", 5.0)]));
    let two = client.execute(cmd::zpopmin::<String>("z").count(2)).await?;
    assert_eq!(two, scored([("b", 2.0), ("c", 3.0)]));
    let rest = client.execute(cmd::zpopmax::<String>("z").count(9)).await?;
    assert_eq!(rest, scored([("d", 4.0)]));
    assert!(client.zpopmin::<String>("z").await?.is_empty());
    add(&client, "z").await?;
    let popped = |member: &str, score| Some(("z".to_owned(), member.to_owned(), score));
    let second = Duration::from_secs(1);
    let lowest = client.bzpopmin::<String, String>(["none", "z"], second).await?;
    assert_eq!(lowest, popped("a", 1.0));
    assert_eq!(client.bzpopmax::<String, String>(["z"], None).await?, popped("e", 5.0));
    let soon = Duration::from_millis(1);
    assert_eq!(client.bzpopmin::<String, String>(["none"], soon).await?, None);
    assert_eq!(client.bzpopmax::<String, String>(["none"], soon).await?, None);
    Ok(())
}

async fn members_of_the_first_sorted_set_are_popped<S: Subject>(cx: Context<S>) -> Outcome {
    type Popped = Option<(String, Vec<(String, f64)>)>;
    let client = cx.client()?;
    add(&client, "z").await?;
    let popped = |members| Some(("z".to_owned(), members));
    let lowest: Popped = client.zmpop(["none", "z"], Extreme::Min).await?;
    assert_eq!(lowest, popped(scored([("a", 1.0)])));
    let two: Popped = client.execute(cmd::zmpop(["z"], Extreme::Max).count(2)).await?;
    assert_eq!(two, popped(scored([("e", 5.0), ("d", 4.0)])));
    let second = Duration::from_secs(1);
    let one: Popped = client.bzmpop(second, ["none", "z"], Extreme::Max).await?;
    assert_eq!(one, popped(scored([("c", 3.0)])));
    let rest: Popped = client.execute(cmd::bzmpop(None, ["z"], Extreme::Min).count(2)).await?;
    assert_eq!(rest, popped(scored([("b", 2.0)])));
    assert_eq!(client.zmpop::<String, String>(["z"], Extreme::Min).await?, None);
    let soon = Duration::from_millis(1);
    assert_eq!(client.bzmpop::<String, String>(soon, ["z"], Extreme::Min).await?, None);
    Ok(())
}

async fn ranks_and_scores_are_looked_up<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client, "z").await?;
    assert_eq!(client.zrank("z", "b").await?, Some(1));
    assert_eq!(client.zrevrank("z", "b").await?, Some(3));
    assert_eq!(client.zrank("z", "none").await?, None);
    assert_eq!(client.zscore("z", "b").await?, Some(2.0));
    assert_eq!(client.zmscore("z", ["e", "none"]).await?, [Some(5.0), None]);
    if cx.redis_since(7, 2) || cx.valkey_since(7, 2) {
        let rank = |member: &'static str| cmd::zrank("z", member).with_score();
        assert_eq!(client.execute(rank("b")).await?, Some((1, 2.0)));
        assert_eq!(client.execute(rank("none")).await?, None);
        let rank = cmd::zrevrank("z", "b").with_score();
        assert_eq!(client.execute(rank).await?, Some((3, 2.0)));
    }
    Ok(())
}

async fn random_members_come_with_their_scores<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client, "z").await?;
    assert!(client.zrandmember::<String>("z").await?.is_some_and(|member| member.len() == 1));
    assert_eq!(client.zrandmember::<String>("none").await?, None);
    let mut all = client.execute(cmd::zrandmember::<String>("z").count(9)).await?;
    all.sort();
    assert_eq!(all, ["a", "b", "c", "d", "e"]);
    assert_eq!(client.execute(cmd::zrandmember::<String>("z").count(-9)).await?.len(), 9);
    let mut all = client.execute(cmd::zrandmember::<String>("z").count(9).with_scores()).await?;
    all.sort_by(|a, b| a.1.total_cmp(&b.1));
    assert_eq!(all[..2], scored([("a", 1.0), ("b", 2.0)]));
    let none = client.execute(cmd::zrandmember::<String>("none").count(2).with_scores()).await?;
    assert_eq!(none, []);
    Ok(())
}

async fn sorted_sets_are_scanned<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client, "z").await?;
    let page = client.zscan::<String>("z", Cursor::START).await?;
    assert!(page.cursor.is_done());
    assert_eq!(page.items, scored([("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 4.0), ("e", 5.0)]));
    let scan = || cmd::zscan::<String>("z", Cursor::START).matching("[ab]").count(100);
    assert_eq!(client.execute(scan()).await?.items, scored([("a", 1.0), ("b", 2.0)]));
    if cx.valkey_since(8, 1) {
        assert_eq!(client.execute(scan().no_scores()).await?.items, ["a", "b"]);
    }
    cx.step("several pages");
    client.zadd("many", (0..500).map(|n| (f64::from(n), n))).await?;
    let (mut cursor, mut found) = (Cursor::START, Vec::new());
    loop {
        let page = client.execute(cmd::zscan::<u32>("many", cursor).count(50)).await?;
        found.extend(page.items.into_iter().map(|(member, _)| member));
        cursor = page.cursor;
        if cursor.is_done() {
            break;
        }
    }
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, (0..500).collect::<Vec<u32>>());
    Ok(())
}
