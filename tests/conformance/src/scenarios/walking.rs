//! Walking through keys and collections, page by page.

use std::collections::BTreeSet;

use redis_core::types::Cursor;
use redis_core::{Commands, ErrorKind, Execute, cmd};

use crate::scenario::{Context, Outcome, Scenario, failed};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(walk_comes_by_every_key_and_follows_its_options),
        Scenario::new(walk_fetches_no_page_before_it_is_needed),
        Scenario::new(fields_members_and_scores_are_walked_through),
        Scenario::new(error_in_a_walk_is_its_last_item),
    ]
}

const ALL: usize = usize::MAX;

async fn walk_comes_by_every_key_and_follows_its_options<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    for n in 0..300 {
        client.set(format!("walk:{n}"), n).await?;
        client.sadd(format!("other:{n}"), "member").await?;
    }
    let scan = || cmd::scan::<String>(Cursor::START);
    let keys = client.scan_iter(scan().count(7), ALL).await?;
    let keys: BTreeSet<_> = keys.into_iter().collect();
    assert_eq!(keys.len(), 600);
    let some = client.scan_iter(scan().count(100).matching("walk:*"), ALL).await?;
    let some: BTreeSet<_> = some.into_iter().collect();
    assert_eq!((some.len(), some.iter().all(|key| key.starts_with("walk:"))), (300, true));
    let sets = client.scan_iter(scan().count(100).key_type("set"), ALL).await?;
    let sets: BTreeSet<_> = sets.into_iter().collect();
    assert_eq!((sets.len(), sets.iter().all(|key| key.starts_with("other:"))), (300, true));
    cx.saw("keys, some, sets", (keys.len(), some.len(), sets.len()));
    Ok(())
}

async fn walk_fetches_no_page_before_it_is_needed<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    for n in 0..100 {
        client.set(format!("lazy:{n}"), n).await?;
    }
    let first = client.scan_iter(cmd::scan::<String>(Cursor::START).count(10), 1).await?;
    assert_eq!(first.len(), 1);
    let info = client.execute(cmd::info().sections(["commandstats"])).await?;
    let stats = info.command_stats()?;
    cx.saw("pages asked for", stats["scan"].calls);
    assert_eq!(stats["scan"].calls, 1);
    Ok(())
}

async fn fields_members_and_scores_are_walked_through<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let names: Vec<_> = (0..1000).map(|n| format!("n{n:04}")).collect();
    for part in names.chunks(100) {
        client.hset("walk:hash", part.iter().map(|name| (name, name))).await?;
        client.sadd("walk:set", part).await?;
        client.zadd("walk:zset", part.iter().map(|name| (1.5, name))).await?;
    }
    let pairs = cmd::hscan::<String, String>("walk:hash", Cursor::START);
    let pairs: BTreeSet<_> = client.scan_iter(pairs, ALL).await?.into_iter().collect();
    assert!(pairs.iter().map(|(field, _)| field).eq(&names));
    assert!(pairs.iter().all(|(field, value)| field == value));
    let members = cmd::sscan::<String>("walk:set", Cursor::START).count(50);
    let members: BTreeSet<_> = client.scan_iter(members, ALL).await?.into_iter().collect();
    assert!(members.iter().eq(&names));
    let scored = cmd::zscan::<String>("walk:zset", Cursor::START);
    let scored = client.scan_iter(scored, ALL).await?;
    let scored: BTreeSet<_> = scored
        .into_iter()
        .map(|(member, score)| {
            assert_eq!(score, 1.5);
            member
        })
        .collect();
    assert!(scored.iter().eq(&names));
    cx.saw("walked", (pairs.len(), members.len(), scored.len()));
    Ok(())
}

async fn error_in_a_walk_is_its_last_item<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("walk:text", "v").await?;
    let members = cmd::sscan::<String>("walk:text", Cursor::START);
    let error = failed(client.scan_iter(members, ALL).await)?;
    cx.saw("error", (error.kind(), error.code()));
    assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some("WRONGTYPE")));
    Ok(())
}
