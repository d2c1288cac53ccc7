//! Slots that move while a client uses them.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use clusterkit::{Cluster, ClusterOptions, Moving, Node, migrates_atomically};
use redis_core::types::Cursor;
use redis_core::{Commands, QueueCommands, Value, cmd, slot_of};

use super::load::{Load, another, calls, errors, patient};
use crate::client::{Client, Watched};
use crate::scenario::{Context, Failure, Outcome, Scenario, failed, since};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(commands_of_every_kind_go_on_while_a_slot_moves),
        Scenario::new(keys_of_half_moved_slots_are_asked_for_where_they_are),
        Scenario::new(what_needs_keys_of_both_sides_waits_for_the_end_of_the_move),
        Scenario::new(slots_that_move_with_all_keys_at_once_disturb_nobody)
            .needs("atomic slot migration", migrates_atomically),
        Scenario::new(tasks_that_are_redirected_at_once_ask_for_the_map_a_few_times),
        Scenario::new(a_watch_is_lost_with_its_slot_and_the_next_attempt_finds_it),
        Scenario::new(a_walk_sees_every_stable_key_while_slots_move),
        Scenario::new(nodes_that_join_are_found_and_those_that_leave_are_forgotten),
    ]
}

async fn begin<S: Subject>(
    cx: &Context<S>,
    cluster: &Arc<Cluster>,
    slot: u16,
    to: &Node,
) -> Result<Moving, Failure> {
    let (way, to) = (cluster.clone(), to.clone());
    Ok(cx.aside(move || way.begin_move(slot, &to)).await??)
}

async fn hand_over<S: Subject>(
    cx: &Context<S>,
    cluster: &Arc<Cluster>,
    moving: &Moving,
    most: u64,
) -> Result<usize, Failure> {
    let (way, moving) = (cluster.clone(), moving.clone());
    Ok(cx.aside(move || way.move_keys(&moving, most)).await??)
}

async fn end<S: Subject>(cx: &Context<S>, cluster: &Arc<Cluster>, moving: &Moving) -> Outcome {
    let (way, moving) = (cluster.clone(), moving.clone());
    Ok(cx.aside(move || way.end_move(&moving)).await??)
}

/// The whole of it.
async fn move_slot<S: Subject>(
    cx: &Context<S>,
    cluster: &Arc<Cluster>,
    slot: u16,
    to: &Node,
) -> Outcome {
    let (way, to) = (cluster.clone(), to.clone());
    Ok(cx.aside(move || way.move_slot(slot, &to)).await??)
}

async fn commands_of_every_kind_go_on_while_a_slot_moves<S: Subject>(cx: Context<S>) -> Outcome {
    let cluster = cx.cluster();
    let slot = slot_of(b"a");
    let from = cluster.primary_of(slot)?;
    let to = another(&cluster, &from)?;
    let load = Load::start(&cx, &cluster, "a").await?;
    for to in [&to, &from] {
        let moving = begin(&cx, &cluster, slot, to).await?;
        load.goes_on(&cx).await?;
        while hand_over(&cx, &cluster, &moving, 3).await? > 0 {
            load.goes_on(&cx).await?;
        }
        end(&cx, &cluster, &moving).await?;
        load.goes_on(&cx).await?;
    }
    load.end(&cx).await?;
    for code in ["MOVED", "ASK"] {
        let count = errors(&cx, &cluster, &cluster.primaries()?, code).await?;
        assert!(count > 0, "nobody was told {code}");
    }
    Ok(())
}

async fn keys_of_half_moved_slots_are_asked_for_where_they_are<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (client, cluster) = (cx.cluster_client()?, cx.cluster());
    let slot = slot_of(b"a");
    let from = cluster.primary_of(slot)?;
    let to = another(&cluster, &from)?;
    let keys: Vec<String> = (0..10).map(|n| format!("{{a}}{n}")).collect();
    for key in &keys {
        client.set(key, 0).await?;
    }
    let moving = begin(&cx, &cluster, slot, &to).await?;
    assert_eq!(hand_over(&cx, &cluster, &moving, 5).await?, 5);
    let there = cx.node_client(&cluster, &to)?;
    let gone: Vec<String> = there.cluster_getkeysinslot(slot, 10).await?;
    assert_eq!(gone.len(), 5);
    for key in &keys {
        assert_eq!(client.incr(key).await?, 1, "{key}");
    }
    cx.step("a pipeline with neighbours of other slots");
    let mut pipeline = client.pipeline();
    for (n, key) in keys.iter().enumerate() {
        pipeline.incr(format!("near:{n}")).incr(key).lpush(key, "x").incr(format!("near:{n}"));
    }
    let all = pipeline.execute_all().await?;
    for replies in all.chunks(4) {
        let number = |n| Ok(Value::Integer(n));
        assert_eq!([&replies[0], &replies[1], &replies[3]], [&number(1), &number(2), &number(2)]);
        let error = replies[2].as_ref().err().ok_or("a number is no list")?;
        assert_eq!(error.code(), Some("WRONGTYPE"), "{error}");
    }
    cx.step("transactions and scripts of one side");
    let script = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
    let here: Vec<String> = keys.iter().filter(|key| !gone.contains(key)).cloned().collect();
    let asking = async || calls(&cx, &cluster, std::slice::from_ref(&to), "asking").await;
    for (side, asked) in [(&gone, 1), (&here, 0)] {
        let before = asking().await?;
        pipeline.transaction(true).incr(&side[0]).ping().incr(&side[1]).incr(&side[0]);
        assert_eq!(pipeline.execute::<(i64, (), i64, i64)>().await?, (3, (), 3, 4));
        assert_eq!(asking().await? - before, asked, "it is redirected as a whole");
        assert_eq!(client.eval::<i64>(script, [&side[0]], [6]).await?, 10);
        let values = client.mget(&side[..2]).await?;
        assert_eq!(values, [Some(10), Some(3)]);
    }
    cx.step("a key that nobody has is made where the slot is going");
    assert_eq!(client.get::<i64>("{a}new").await?, None);
    client.set("{a}new", 1).await?;
    assert_eq!(client.incr("{a}new").await?, 2);
    assert_eq!(there.cluster_countkeysinslot(slot).await?, 6);
    let moved = errors(&cx, &cluster, &cluster.primaries()?, "MOVED").await?;
    assert_eq!(moved, 0, "an ASK is for one command and changes no map");
    end(&cx, &cluster, &moving).await?;
    assert_eq!(client.incr("{a}new").await?, 3);
    move_slot(&cx, &cluster, slot, &from).await
}

async fn what_needs_keys_of_both_sides_waits_for_the_end_of_the_move<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let cluster = cx.cluster();
    let client = cx.client_of(&cluster, patient)?;
    let slot = slot_of(b"a");
    let from = cluster.primary_of(slot)?;
    let to = another(&cluster, &from)?;
    client.mset([("{a}1", 1), ("{a}2", 2)]).await?;
    let moving = begin(&cx, &cluster, slot, &to).await?;
    assert_eq!(hand_over(&cx, &cluster, &moving, 1).await?, 1);
    let own = client.clone();
    let alone = cx.spawn(async move { own.mget::<i64>(["{a}1", "{a}2"]).await });
    let own = client.clone();
    let piped = cx.spawn(async move {
        let mut pipeline = own.pipeline();
        pipeline.incr("near:1").mget(["{a}1", "other", "{a}2"]).incr("near:1").get("{a}1");
        pipeline.execute::<(i64, Vec<Option<i64>>, i64, i64)>().await
    });
    let own = client.clone();
    let script = "return redis.call('EXISTS', KEYS[1], KEYS[2])";
    let scripted =
        cx.spawn(async move { own.eval::<i64>(script, ["{a}1", "{a}2"], [""; 0]).await });
    let own = client.clone();
    let applied = cx.spawn(async move {
        let mut pipeline = own.pipeline();
        pipeline.transaction(true).incrby("{a}1", 0).incrby("{a}2", 0).incr("{a}3");
        pipeline.execute::<(i64, i64, i64)>().await
    });
    let mut waited = 0;
    while waited < 8 {
        cx.step("waiting until they are told to come again");
        waited = errors(&cx, &cluster, &cluster.primaries()?, "TRYAGAIN").await?;
    }
    assert_eq!(client.get::<i64>("{a}3").await?, None, "nothing of a transaction was applied");
    let done = [alone.is_done(), piped.is_done(), scripted.is_done(), applied.is_done()];
    assert_eq!(done, [false; 4]);
    assert_eq!(client.get::<i64>("near:1").await?, Some(2), "neighbours have not waited");
    end(&cx, &cluster, &moving).await?;
    assert_eq!(alone.await??, [Some(1), Some(2)]);
    assert_eq!(piped.await??, (1, vec![Some(1), None, Some(2)], 2, 1));
    assert_eq!(scripted.await??, 2);
    assert_eq!(applied.await??, (1, 2, 1));
    move_slot(&cx, &cluster, slot, &from).await
}

async fn slots_that_move_with_all_keys_at_once_disturb_nobody<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let cluster = cx.cluster();
    let slot = slot_of(b"a");
    let from = cluster.primary_of(slot)?;
    let to = another(&cluster, &from)?;
    let load = Load::start(&cx, &cluster, "a").await?;
    for to in [to, from] {
        let way = cluster.clone();
        cx.aside(move || way.migrate_slots_atomically(slot - 100..=slot, &to)).await??;
        load.goes_on(&cx).await?;
    }
    load.end(&cx).await?;
    let moved = errors(&cx, &cluster, &cluster.primaries()?, "MOVED").await?;
    assert!(moved > 0, "nobody was told");
    Ok(())
}

async fn tasks_that_are_redirected_at_once_ask_for_the_map_a_few_times<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (client, cluster) = (cx.cluster_client()?, cx.cluster());
    let slot = slot_of(b"a");
    let from = cluster.primary_of(slot)?;
    let to = another(&cluster, &from)?;
    client.incr("{a}0").await?;
    move_slot(&cx, &cluster, slot, &to).await?;
    for node in cluster.nodes() {
        cx.node_client(&cluster, &node)?.config_resetstat().await?;
    }
    let tasks: Vec<_> = (0..50)
        .map(|task| {
            let client = client.clone();
            cx.spawn(async move {
                let mut pipeline = client.pipeline();
                for n in 0..10 {
                    pipeline.incr(format!("{{a}}{task}:{n}"));
                }
                let counts: Vec<i64> = pipeline.execute().await?;
                assert_eq!(counts, [1; 10]);
                client.incr(format!("{{a}}{task}:0")).await
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await??, 2);
    }
    let asked = calls(&cx, &cluster, &cluster.nodes(), "cluster|slots").await?;
    let moved = errors(&cx, &cluster, std::slice::from_ref(&from), "MOVED").await?;
    assert!(moved >= 10, "{moved} were told");
    // Each refresh asks three nodes.
    assert!(asked <= 12, "the map was asked for {asked} times by {moved} redirects");
    move_slot(&cx, &cluster, slot, &from).await
}

async fn a_watch_is_lost_with_its_slot_and_the_next_attempt_finds_it<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (client, cluster) = (cx.cluster_client()?, cx.cluster());
    let slot = slot_of(b"a");
    let from = cluster.primary_of(slot)?;
    let to = another(&cluster, &from)?;
    client.mset([("{a}1", 1), ("{a}2", 2)]).await?;
    cx.step("at EXEC, by ASK and by MOVED");
    let watched = client.watch(&["{a}1"]).await?;
    let moving = begin(&cx, &cluster, slot, &to).await?;
    hand_over(&cx, &cluster, &moving, 10).await?;
    let error = failed(watched.multi().incr("{a}1").execute::<(i64,)>().await)?;
    assert!(error.is_watch(), "{error}");
    cx.saw("half moved", error.kind());
    end(&cx, &cluster, &moving).await?;
    client.set("{a}1", 1).await?;
    let watched = client.watch(&["{a}1"]).await?;
    move_slot(&cx, &cluster, slot, &from).await?;
    let error = failed(watched.multi().incr("{a}1").execute::<(i64,)>().await)?;
    assert!(error.is_watch(), "{error}");
    assert_eq!(client.get::<i64>("{a}1").await?, Some(1), "nothing was applied");
    cx.step("a command between WATCH and MULTI");
    let mut watched = client.watch(&["{a}1"]).await?;
    move_slot(&cx, &cluster, slot, &to).await?;
    let error = failed(watched.get::<i64>("{a}1").await)?;
    assert!(error.is_watch(), "{error}");
    drop(watched);
    cx.step("a transaction starts over");
    let attempts = AtomicUsize::new(0);
    let attempt = |mut watched: Watched<S>| {
        let first = attempts.fetch_add(1, Ordering::Relaxed) == 0;
        let (way, from) = (cluster.clone(), from.clone());
        async move {
            let n: i64 = watched.get::<i64>("{a}1").await?.unwrap_or(0);
            if first {
                let moved = crate::task::aside(move || way.move_slot(slot, &from)).await;
                assert!(matches!(moved, Ok(Ok(()))), "{moved:?}");
            }
            Ok(watched.multi().set("{a}1", n + 10).incr("{a}1").returning(n))
        }
    };
    let (((), count), read) = client.transaction::<((), i64), _, _>(&["{a}1"], attempt).await?;
    assert_eq!((read, count), (1, 12));
    assert_eq!(attempts.load(Ordering::Relaxed), 2);
    Ok(())
}

async fn a_walk_sees_every_stable_key_while_slots_move<S: Subject>(cx: Context<S>) -> Outcome {
    let (client, cluster) = (cx.cluster_client()?, cx.cluster());
    let slots = [slot_of(b"a"), slot_of(b"b"), slot_of(b"c")];
    let mut stable = BTreeSet::new();
    let mut pipeline = client.pipeline();
    for n in 0..300 {
        let tag = ["{a}", "{b}", "{c}", ""].get(n % 4).copied().unwrap_or_default();
        let key = format!("{tag}k:{n}");
        pipeline.set(&key, n).ignore();
        stable.insert(key);
    }
    pipeline.execute::<()>().await?;
    let over = Arc::new(AtomicBool::new(false));
    let (own, ends, expected) = (cx.client_of(&cluster, patient)?, over.clone(), stable.clone());
    let walks = Arc::new(AtomicUsize::new(0));
    let walked = walks.clone();
    let walker = cx.spawn(async move {
        while !ends.load(Ordering::Relaxed) {
            let walk = cmd::scan::<String>(Cursor::START).count(15);
            let found = match own.scan_iter(walk, usize::MAX).await {
                Ok(found) => found.into_iter().collect::<BTreeSet<_>>(),
                // It says so where slots never rest.
                Err(error) => return ControlFlow::Break(error.to_string()),
            };
            let missing: Vec<_> = expected.difference(&found).collect();
            if !missing.is_empty() {
                return ControlFlow::Break(format!("lost {missing:?}"));
            }
            walked.fetch_add(1, Ordering::Relaxed);
        }
        ControlFlow::Continue(())
    });
    let walked = async |cx: &Context<S>| {
        let before = walks.load(Ordering::Relaxed);
        let gone_on = async || Ok(walks.load(Ordering::Relaxed) > before || walker.is_done());
        cx.until("a walk comes to its end", gone_on).await
    };
    for slot in slots {
        let from = cluster.primary_of(slot)?;
        for to in [&another(&cluster, &from)?, &from] {
            let moving = begin(&cx, &cluster, slot, to).await?;
            while hand_over(&cx, &cluster, &moving, 30).await? > 0 {}
            walked(&cx).await?;
            end(&cx, &cluster, &moving).await?;
        }
    }
    walked(&cx).await?;
    over.store(true, Ordering::Relaxed);
    assert_eq!(walker.await?, ControlFlow::Continue(()));
    Ok(())
}

async fn nodes_that_join_are_found_and_those_that_leave_are_forgotten<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let cluster = cx.start_cluster(ClusterOptions::new().replicas(0)).await?;
    let client = cx.client_of(&cluster, |config| {
        config.client_name = Some("ours".into());
        let settings = config.cluster.as_mut().expect("it is a cluster");
        settings.refresh_interval = Duration::from_millis(50);
        settings.check_interval = Some(Duration::from_millis(100));
    })?;
    let slot = slot_of(b"a");
    let from = cluster.primary_of(slot)?;
    client.set("{a}1", 1).await?;
    assert_eq!(client.topology().map(|known| known.primaries().count()), Some(3));
    let way = cluster.clone();
    let add = move || way.add_node().and_then(|new| way.wait_settled().map(|()| new));
    let new = cx.aside(add).await??;
    let there = cx.node_client(&cluster, &new)?;
    let ours = async || {
        let connected = there.client_list().await?;
        let count = connected.iter().filter(|other| other.name.as_deref() == Some("ours")).count();
        Ok::<_, redis_core::Error>(count)
    };
    let knows = |client: &Client<S>| {
        let known = client.topology().is_some_and(|known| {
            known.nodes().iter().any(|node| node.endpoint().to_string() == new.to_string())
        });
        Ok(known)
    };
    move_slot(&cx, &cluster, slot, &new).await?;
    assert_eq!(client.incr("{a}1").await?, 2);
    let held = client.watch(&["{a}1"]).await?;
    cx.until("the new node is known", async || knows(&client)).await?;
    assert_eq!(there.get::<i64>("{a}1").await?, Some(2));
    assert!(ours().await? > 0);
    move_slot(&cx, &cluster, slot, &from).await?;
    let error = failed(held.multi().incr("{a}1").execute::<(i64,)>().await)?;
    assert!(error.is_watch(), "{error}");
    let way = cluster.clone();
    let gone = new.clone();
    let remove = move || way.remove_node(&gone);
    // Before Redis 7.0 a primary that has given its last slot away may become a replica.
    let mut remove = Some(remove);
    if !since(cx.installed(), 7, 0)
        && let Some(remove) = remove.take()
    {
        cx.aside(remove).await??;
    }
    cx.until("the node without slots is forgotten", async || {
        client.incr("{a}1").await?;
        Ok(!knows(&client)?)
    })
    .await?;
    if let Some(remove) = remove {
        cx.until("its links are closed", async || Ok(ours().await? == 0)).await?;
        cx.aside(remove).await??;
    }
    for n in 0..20 {
        client.incr(format!("k:{n}")).await?;
    }
    assert_eq!(client.topology().map(|known| known.nodes().len()), Some(3));
    Ok(())
}
