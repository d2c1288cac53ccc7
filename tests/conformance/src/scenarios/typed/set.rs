//! Sets.

use std::collections::BTreeSet;

use redis_core::types::Cursor;
use redis_core::{Commands, Execute, cmd};

use crate::scenario::{Context, Outcome, Scenario};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(members_of_a_set_come_and_go),
        Scenario::new(sets_are_united_intersected_and_subtracted),
        Scenario::new(sets_are_intersected_for_their_count).needs_command("SINTERCARD"),
        Scenario::new(sets_are_scanned),
    ]
}

fn sorted(members: Vec<String>) -> Vec<String> {
    members.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

async fn members_of_a_set_come_and_go<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    assert_eq!(client.sadd("s", ["a", "b", "c", "a"]).await?, 3);
    assert_eq!(client.scard("s").await?, 3);
    assert!(client.sismember("s", "a").await? && !client.sismember("s", "z").await?);
    assert_eq!(client.smismember("s", ["a", "z"]).await?, [true, false]);
    assert_eq!(sorted(client.smembers("s").await?), ["a", "b", "c"]);
    assert!(client.smove("s", "t", "a").await? && !client.smove("s", "t", "a").await?);
    cx.step("random members");
    assert_eq!(client.srandmember::<String>("t").await?.as_deref(), Some("a"));
    assert_eq!(client.execute(cmd::srandmember::<String>("t").count(-3)).await?, ["a", "a", "a"]);
    assert_eq!(client.srandmember::<String>("none").await?, None);
    assert_eq!(sorted(client.execute(cmd::srandmember("s").count(9)).await?), ["b", "c"]);
    assert_eq!(client.spop::<String>("t").await?.as_deref(), Some("a"));
    assert_eq!(client.spop::<String>("t").await?, None);
    assert_eq!(sorted(client.execute(cmd::spop("s").count(9)).await?), ["b", "c"]);
    assert_eq!(client.execute(cmd::spop::<String>("s").count(9)).await?, [""; 0]);
    client.sadd("s", ["a", "b"]).await?;
    assert_eq!(client.srem("s", ["a", "z"]).await?, 1);
    Ok(())
}

async fn sets_are_united_intersected_and_subtracted<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.sadd("x", ["a", "b"]).await?;
    client.sadd("y", ["b", "c"]).await?;
    let both = ["x", "y"];
    assert_eq!(sorted(client.sunion(both).await?), ["a", "b", "c"]);
    assert_eq!(sorted(client.sinter(both).await?), ["b"]);
    assert_eq!(sorted(client.sdiff(both).await?), ["a"]);
    assert_eq!(client.sunionstore("d", both).await?, 3);
    assert_eq!(client.sinterstore("d", both).await?, 1);
    assert_eq!(client.sdiffstore("d", both).await?, 1);
    cx.saw("stored", client.smembers::<String>("d").await?);
    Ok(())
}

async fn sets_are_intersected_for_their_count<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.sadd("x", ["a", "b", "c"]).await?;
    client.sadd("y", ["b", "c"]).await?;
    assert_eq!(client.sintercard(["x", "y"]).await?, 2);
    assert_eq!(client.execute(cmd::sintercard(["x", "y"]).limit(1)).await?, 1);
    Ok(())
}

async fn sets_are_scanned<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.sadd("s", ["a", "b", "c"]).await?;
    let page = client.sscan::<String>("s", Cursor::START).await?;
    assert!(page.cursor.is_done());
    assert_eq!(sorted(page.items), ["a", "b", "c"]);
    let scan = cmd::sscan::<String>("s", Cursor::START).matching("[ab]").count(100);
    assert_eq!(sorted(client.execute(scan).await?.items), ["a", "b"]);
    assert!(client.sscan::<String>("none", Cursor::START).await?.items.is_empty());
    cx.step("several pages");
    client.sadd("many", (0..1000).map(|n| format!("member {n}"))).await?;
    let (mut cursor, mut found) = (Cursor::START, Vec::new());
    loop {
        let page = client.execute(cmd::sscan::<String>("many", cursor).count(100)).await?;
        found.extend(page.items);
        cursor = page.cursor;
        if cursor.is_done() {
            break;
        }
    }
    assert_eq!(sorted(found).len(), 1000);
    Ok(())
}
