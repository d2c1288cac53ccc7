//! Commands, pipelines and transactions of a cluster's client, while the cluster stays as it is.

use std::collections::BTreeSet;

use clusterkit::Cluster;
use redis_cluster::Route;
use redis_core::pubsub::MessageKind;
use redis_core::types::Cursor;
use redis_core::{
    Cmd, Commands, Delivery, ErrorKind, Execute, Queue, QueueCommands, Result, Script, Value, cmd,
    slot_of,
};

use crate::client::Client;
use crate::scenario::{Context, Failure, LONG, Outcome, Scenario, failed};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(commands_go_to_the_nodes_of_their_keys),
        Scenario::new(any_node_will_do_as_seed_and_dead_ones_are_passed_over),
        Scenario::new(cluster_that_can_not_be_reached_is_one_clear_error),
        Scenario::new(pipelines_go_to_all_nodes_and_replies_come_in_order),
        Scenario::new(a_command_that_fails_within_a_pipeline_disturbs_no_other),
        Scenario::new(pipelines_are_no_transactions_unless_they_are_asked_to_be),
        Scenario::new(transactions_run_within_one_slot),
        Scenario::new(keys_of_several_slots_are_refused_before_anything_is_sent),
        Scenario::new(commands_over_several_slots_are_split_and_their_replies_merged),
        Scenario::new(a_split_mset_has_to_be_asked_for),
        Scenario::new(commands_without_keys_follow_the_table),
        Scenario::new(nodes_can_be_chosen_by_hand),
        Scenario::new(a_client_of_one_node_is_that_nodes_alone),
        Scenario::new(scripts_run_where_their_keys_are),
        Scenario::new(keys_that_only_the_server_finds_are_asked_for),
        Scenario::new(the_whole_cluster_is_walked_through),
        Scenario::new(results_are_handed_on_one_by_one_in_order),
        Scenario::new(blocking_commands_wait_at_their_node_and_hold_nobody_up),
        Scenario::new(transactions_with_watched_keys_are_applied_or_start_over),
        Scenario::new(messages_reach_subscribers_at_any_node),
        Scenario::new(tasks_share_one_client),
        Scenario::new(pools_are_counted_and_limited_node_by_node),
    ]
}

/// A key of each primary, in the order of the slots.
pub(super) fn keys_of(cluster: &Cluster) -> std::result::Result<Vec<String>, Failure> {
    let mut found = BTreeSet::new();
    let mut keys = Vec::new();
    for n in 0.. {
        let key = format!("key:{n}");
        let node = cluster.primary_of(slot_of(key.as_bytes()))?;
        if found.insert(node.to_string()) {
            keys.push((slot_of(key.as_bytes()), key));
        }
        if keys.len() == 3 {
            break;
        }
    }
    keys.sort();
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

async fn commands_go_to_the_nodes_of_their_keys<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.cluster_client()?;
    for n in 0..300 {
        client.set(format!("k:{n}"), n).await?;
    }
    for n in 0..300 {
        assert_eq!(client.get::<i64>(format!("k:{n}")).await?, Some(n));
    }
    let cluster = cx.cluster();
    for node in cluster.primaries()? {
        let own = cx.node_client(&cluster, &node)?;
        let keys = own.dbsize().await?;
        assert!((50..200).contains(&keys), "{keys} keys at {node}");
        let errors = own.execute(cmd::info().sections("all")).await?.error_stats()?;
        assert_eq!(errors.get("MOVED"), None, "nobody was sent to the wrong node");
    }
    cx.saw("wrong type", failed(client.lpush("k:1", "x").await)?);
    let topology = client.topology().ok_or("it is a cluster")?;
    assert!(topology.is_full());
    assert_eq!(topology.primaries().count(), 3);
    Ok(())
}

async fn any_node_will_do_as_seed_and_dead_ones_are_passed_over<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let cluster = cx.cluster();
    let seeds = cx.config_of(&cluster)?.cluster.ok_or("it is a cluster")?.seeds;
    for seed in &seeds {
        let only = |config: &mut redis_core::Config| {
            config.cluster.as_mut().expect("it is a cluster").seeds = vec![seed.clone()];
        };
        let client: Client<S> = cx.client_of(&cluster, only)?;
        for n in 0..10 {
            client.incr(format!("k:{n}")).await?;
        }
    }
    // Nobody listens there any longer.
    let dead = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let dead = redis_core::Endpoint::Tcp { host: "127.0.0.1".into(), port: dead.port() };
    let client: Client<S> = cx.client_of(&cluster, |config| {
        let seed = seeds[0].clone();
        config.cluster.as_mut().expect("it is a cluster").seeds = vec![dead, seed];
    })?;
    assert_eq!(client.get::<usize>("k:1").await?, Some(seeds.len()));
    Ok(())
}

async fn cluster_that_can_not_be_reached_is_one_clear_error<S: Subject>(cx: Context<S>) -> Outcome {
    let cluster = cx.cluster();
    let dead = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let dead = redis_core::Endpoint::Tcp { host: "127.0.0.1".into(), port: dead.port() };
    let text = dead.to_string();
    let client: Client<S> = cx.client_of(&cluster, |config| {
        config.cluster.as_mut().expect("it is a cluster").seeds = vec![dead];
        config.max_retries = 1;
    })?;
    let error = failed(client.get::<String>("k").await)?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Connect, Delivery::NotSent));
    assert!(error.to_string().contains(&text), "{error}");
    let mut pipeline = client.pipeline();
    pipeline.get("a").get("b");
    let all = pipeline.execute_all().await?;
    assert!(
        all.iter()
            .all(|reply| matches!(reply, Err(error) if error.delivery() == Delivery::NotSent))
    );
    let error = failed(client.watch(&["k"]).await.map(drop))?;
    assert_eq!(error.kind(), ErrorKind::Connect);
    Ok(())
}

async fn pipelines_go_to_all_nodes_and_replies_come_in_order<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.cluster_client()?;
    let mut pipeline = client.pipeline();
    for n in 0..1000 {
        pipeline.set(format!("k:{n}"), n).ignore().incr(format!("k:{n}"));
    }
    let numbers: Vec<i64> = pipeline.execute().await?;
    assert_eq!(numbers, (1..=1000).collect::<Vec<_>>());
    assert_eq!(pipeline.len(), 0);
    for n in 0..1000 {
        pipeline.get(format!("k:{}", 999 - n));
    }
    let numbers: Vec<i64> = pipeline.execute().await?;
    assert_eq!(numbers, (1..=1000).rev().collect::<Vec<_>>());
    let (a, b, c) = client
        .batch((cmd::get::<i64>("k:1"), cmd::incr("k:2"), cmd::del(["k:3", "k:4", "none"])))
        .await?;
    assert_eq!((a, b, c), (Some(2), 4, 2));
    pipeline.set("large", vec![b'x'; 1_000_000]).get("large").get("k:5");
    let ((), large, five): ((), Vec<u8>, i64) = pipeline.execute().await?;
    assert_eq!((large.len(), five), (1_000_000, 6));
    Ok(())
}

async fn a_command_that_fails_within_a_pipeline_disturbs_no_other<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.cluster_client()?;
    let keys = keys_of(&cx.cluster())?;
    client.set(&keys[1], "text").await?;
    let mut pipeline = client.pipeline();
    for key in &keys {
        pipeline.incr(key);
    }
    for key in &keys {
        pipeline.append(key, "0");
    }
    let all = pipeline.execute_all().await?;
    assert_eq!(all.len(), 6);
    let number = |n| Ok(Value::Integer(n));
    assert_eq!(
        [&all[0], &all[2], &all[3], &all[4], &all[5]],
        [&number(1), &number(1), &number(2), &number(5), &number(2)]
    );
    let error = all[1].as_ref().err().ok_or("a text is no number")?;
    assert_eq!(error.delivery(), Delivery::Replied);
    for key in &keys {
        pipeline.incr(key);
    }
    let error = failed(pipeline.execute::<(i64, i64, i64)>().await)?;
    assert!(error.to_string().starts_with("command 2 of 3 (`INCR "), "{error}");
    assert_eq!(client.get::<i64>(&keys[2]).await?, Some(11), "those behind it ran");
    Ok(())
}

async fn pipelines_are_no_transactions_unless_they_are_asked_to_be<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.cluster_client()?;
    let mut pipeline = client.pipeline();
    pipeline.incr("{a}1").incr("{a}2");
    assert_eq!(pipeline.execute::<(i64, i64)>().await?, (1, 1));
    let _: (Option<i64>, i64) = client.batch((cmd::get("{a}1"), cmd::incr("{a}2"))).await?;
    assert_eq!(multis(&cx).await?, 0);
    pipeline.transaction(true).incr("{a}1").incr("{a}2");
    assert_eq!(pipeline.execute::<(i64, i64)>().await?, (2, 3));
    assert_eq!(multis(&cx).await?, 1);
    Ok(())
}

/// How many transactions the primaries have begun.
async fn multis<S: Subject>(cx: &Context<S>) -> std::result::Result<u64, Failure> {
    let cluster = cx.cluster();
    let mut count = 0;
    for node in cluster.primaries()? {
        let info = cx.node_client(&cluster, &node)?.execute(cmd::info().sections("all")).await?;
        count += info.command_stats()?.get("multi").map_or(0, |stats| stats.calls);
    }
    Ok(count)
}

async fn transactions_run_within_one_slot<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.cluster_client()?;
    for key in keys_of(&cx.cluster())? {
        let mut pipeline = client.pipeline();
        pipeline
            .transaction(true)
            .set(format!("{{{key}}}n"), 1)
            .incr(format!("{{{key}}}n"))
            .lpush(format!("{{{key}}}l"), ["a", "b"])
            .ping();
        let ((), n, len, ()): ((), i64, i64, ()) = pipeline.execute().await?;
        assert_eq!((n, len), (2, 2));
        pipeline.incr(format!("{{{key}}}n")).incr(format!("{{{key}}}l"));
        let all = pipeline.execute_all().await?;
        assert_eq!(all[0], Ok(Value::Integer(3)));
        assert_eq!(all[1].as_ref().err().and_then(|error| error.code()), Some("WRONGTYPE"));
        pipeline.incr(format!("{{{key}}}n")).queue(Cmd::<Value>::raw("GET"));
        let error = failed(pipeline.execute::<(i64, Value)>().await)?;
        assert!(error.to_string().contains("command 2"), "{error}");
        assert_eq!(client.get::<i64>(format!("{{{key}}}n")).await?, Some(3), "it was discarded");
    }
    Ok(())
}

async fn keys_of_several_slots_are_refused_before_anything_is_sent<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.cluster_client()?;
    let mut pipeline = client.pipeline();
    pipeline.transaction(true).set("a", 1).set("b", 2);
    let refused = [
        failed(pipeline.execute::<()>().await)?,
        failed(client.watch(&["a", "b"]).await.map(drop))?,
        failed(client.rename("a", "b").await)?,
        failed(client.sunionstore("a", ["b", "c"]).await)?,
        failed(client.execute(Script::<i64>::new("return 1").key("a").key("b")).await)?,
    ];
    for error in refused {
        assert_eq!(
            (error.kind(), error.delivery()),
            (ErrorKind::InvalidRequest, Delivery::NotSent)
        );
        let text = error.to_string();
        assert!(text.contains("key `b` hashes to slot 3300"), "{text}");
        cx.saw("refused", error);
    }
    pipeline.transaction(false).set("a", 1).rename("a", "b").set("c", 2);
    let error = failed(pipeline.execute::<()>().await)?;
    assert!(error.to_string().starts_with("command 2: key `b`"), "{error}");
    assert_eq!(client.exists(["a", "b", "c"]).await?, 0, "nothing was sent");
    Ok(())
}

async fn commands_over_several_slots_are_split_and_their_replies_merged<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.cluster_client()?;
    for n in 0..100 {
        client.set(format!("k:{n}"), n).await?;
    }
    let keys = |numbers: std::ops::Range<i64>| numbers.map(|n| format!("k:{n}"));
    let values: Vec<Option<i64>> = client.mget(keys(50..150)).await?;
    let expected = |n| (n < 100).then_some(n);
    assert_eq!(values, (50..150).map(expected).collect::<Vec<_>>());
    assert_eq!(client.exists(keys(90..110)).await?, 10);
    assert_eq!(client.touch(keys(90..110)).await?, 10);
    let mut pipeline = client.pipeline();
    pipeline.get("k:1").mget(["k:2", "k:3", "none"]).del(keys(0..2)).unlink(keys(2..5)).get("k:5");
    let (one, some, deleted, unlinked, five): (i64, Vec<Option<i64>>, i64, i64, i64) =
        pipeline.execute().await?;
    assert_eq!((one, some), (1, vec![Some(2), Some(3), None]));
    assert_eq!((deleted, unlinked, five), (2, 3, 5));
    assert_eq!(client.dbsize().await?, 95);
    Ok(())
}

async fn a_split_mset_has_to_be_asked_for<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.cluster_client()?;
    let pairs = [("a", 1), ("b", 2), ("{a}c", 3)];
    let error = failed(client.mset(pairs).await)?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::InvalidRequest, Delivery::NotSent));
    assert!(error.to_string().contains("see `split_mset`"), "{error}");
    cx.saw("refused", error);
    client.mset([("{a}1", 1), ("{a}2", 2)]).await?;
    let splits = cx.client_of(&cx.cluster(), |config| {
        config.cluster.as_mut().expect("it is a cluster").split_mset = true;
    })?;
    splits.mset(pairs).await?;
    let values: Vec<Option<i64>> = splits.mget(["a", "b", "{a}c", "{a}1"]).await?;
    assert_eq!(values, [Some(1), Some(2), Some(3), Some(1)]);
    Ok(())
}

async fn commands_without_keys_follow_the_table<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.cluster_client()?;
    let keys: BTreeSet<String> = (0..60).map(|n| format!("k:{n}")).collect();
    for key in &keys {
        client.set(key, 1).await?;
    }
    assert_eq!(client.dbsize().await?, 60, "a sum");
    let found: Vec<String> = client.keys("k:*").await?;
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), keys);
    let one: Option<String> = client.randomkey().await?;
    assert!(one.is_some_and(|key| keys.contains(&key)));
    client.ping().await?;
    assert_eq!(client.publish("nobody", "x").await?, 0);
    let script = "return 7";
    let sha = client.script_load(script).await?;
    for (_, there) in client.execute_on_each(Route::Primaries, cmd::script_exists([&sha])).await? {
        assert_eq!(there?, [true]);
    }
    assert_eq!(client.script_exists([&sha, &"0".repeat(40)]).await?, [true, false]);
    client.script_flush().await?;
    assert_eq!(client.script_exists([&sha]).await?, [false]);
    client.config_set([("slowlog-log-slower-than", "12345")]).await?;
    for (_, set) in
        client.execute_on_each(Route::Nodes, cmd::config_get("slowlog-log-slower-than")).await?
    {
        assert_eq!(set?.into_values().collect::<Vec<String>>(), ["12345"]);
    }
    client.config_set([("slowlog-log-slower-than", "10000")]).await?;
    client.flushall().await?;
    assert_eq!(client.dbsize().await?, 0);
    Ok(())
}

async fn nodes_can_be_chosen_by_hand<S: Subject>(cx: Context<S>) -> Outcome {
    let (client, cluster) = (cx.cluster_client()?, cx.cluster());
    let key = &keys_of(&cluster)?[0];
    client.set(key, 1).await?;
    let sizes = client.execute_on_each(Route::Primaries, cmd::dbsize()).await?;
    let sizes: Vec<_> = sizes.into_iter().map(|(_, size)| size).collect::<Result<_>>()?;
    assert_eq!((sizes.len(), sizes.iter().sum::<u64>()), (3, 1));
    let roles = client.execute_on_each(Route::Replicas, cmd::info()).await?;
    assert_eq!(roles.len(), 3);
    for (_, info) in roles {
        assert!(info?.is_replica()?);
    }
    assert_eq!(client.execute_on_each(Route::Nodes, cmd::ping()).await?.len(), 6);
    assert_eq!(client.execute_on(Route::Primaries, cmd::dbsize()).await?, 1);
    let other = cluster.primary_of(16_383)?;
    let endpoint: redis_core::Config = format!("redis://{other}").parse()?;
    let there = Route::Node(endpoint.endpoint);
    assert_eq!(client.execute_on(there.clone(), cmd::dbsize()).await?, 0);
    let error = failed(client.execute_on(there.clone(), cmd::get::<i64>(key)).await)?;
    assert_eq!(error.code(), Some("MOVED"), "what it answers is the answer");
    let each = client.execute_on_each(there, cmd::ping()).await?;
    let each: Vec<_> = each.into_iter().map(|(at, pong)| (at.to_string(), pong)).collect();
    assert_eq!(each, [(other.to_string(), Ok(()))]);
    let single = cx.node_client(&cluster, &other)?;
    let error = failed(single.execute_on(Route::Nodes, cmd::ping()).await)?;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(single.topology().map(|_| ()), None);
    Ok(())
}

async fn a_client_of_one_node_is_that_nodes_alone<S: Subject>(cx: Context<S>) -> Outcome {
    let (client, cluster) = (cx.cluster_client()?, cx.cluster());
    let key = &keys_of(&cluster)?[1];
    client.set(key, 1).await?;
    let topology = client.topology().ok_or("it is a cluster")?;
    let owner = topology.node_of(slot_of(key.as_bytes())).ok_or("the slot is served")?;
    let node = client.node(owner.endpoint());
    assert_eq!(node.get::<i64>(key).await?, Some(1));
    assert_eq!(node.dbsize().await?, 1);
    let error = failed(client.monitor().await.map(|_| ()))?;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("client.node(endpoint)"), "{error}");
    let mut monitor = node.monitor().await?;
    client.incr(key).await?;
    let seen = monitor.next_command(LONG).await?.ok_or("the command was run there")?;
    assert_eq!(seen.args, ["INCR".into(), bytes::Bytes::from(key.clone())]);
    Ok(())
}

async fn scripts_run_where_their_keys_are<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.cluster_client()?;
    let add = Script::<i64>::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    let keys = keys_of(&cx.cluster())?;
    for key in &keys {
        assert_eq!(client.execute(add.key(key).arg(5)).await?, 5, "it is loaded where it lacks");
        assert_eq!(client.execute(add.key(key).arg(2)).await?, 7);
    }
    client.script_flush().await?;
    let mut pipeline = client.pipeline();
    for key in keys.iter().chain(&keys) {
        pipeline.queue(add.key(key).arg(1));
    }
    assert_eq!(pipeline.execute::<Vec<i64>>().await?, [8, 8, 8, 9, 9, 9]);
    client.script_flush().await?;
    pipeline.transaction(true).queue(add.key(&keys[0]).arg(1)).queue(add.key(&keys[0]).arg(1));
    assert_eq!(pipeline.execute::<(i64, i64)>().await?, (10, 11));
    let none = Script::<String>::new("return 'anywhere'");
    assert_eq!(client.execute(none.call()).await?, "anywhere");
    let error = failed(
        client
            .execute(Script::<i64>::new("return redis.call('LPUSH', KEYS[1], 1)").key(&keys[0]))
            .await,
    )?;
    assert!(error.to_string().contains("WRONGTYPE"), "{error}");
    Ok(())
}

async fn keys_that_only_the_server_finds_are_asked_for<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.cluster_client()?;
    let keys = keys_of(&cx.cluster())?;
    for key in &keys {
        client.rpush(key, [3, 1, 2]).await?;
        // Where it stores can be anywhere among its words.
        let store = format!("{{{key}}}sorted");
        let sort = Cmd::<i64>::raw("SORT").arg(key).arg("STORE").arg(&store);
        assert_eq!(client.execute(sort).await?, 3);
        let sorted: Vec<i64> = client.lrange(&store, 0, -1).await?;
        assert_eq!(sorted, [1, 2, 3]);
        let eval = Cmd::<i64>::raw("EVAL").arg("return redis.call('LLEN', KEYS[1])").arg(1);
        assert_eq!(client.execute(eval.arg(key)).await?, 3);
    }
    Ok(())
}

async fn the_whole_cluster_is_walked_through<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.cluster_client()?;
    let keys: BTreeSet<String> = (0..500).map(|n| format!("k:{n}")).collect();
    let mut pipeline = client.pipeline();
    for key in &keys {
        pipeline.set(key, 1);
    }
    pipeline.sadd("members", 0..200).execute::<()>().await?;
    let walk = cmd::scan::<String>(Cursor::START).matching("k:*").count(20);
    let found = client.scan_iter(walk, usize::MAX).await?;
    assert!(found.len() >= 500);
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), keys);
    let members = client.scan_iter(cmd::sscan::<i64>("members", Cursor::START), 1000).await?;
    assert_eq!(members.into_iter().collect::<BTreeSet<_>>(), (0..200).collect());
    let few = client.scan_iter(cmd::scan::<String>(Cursor::START), 3).await?;
    assert_eq!(few.len(), 3);
    let error = failed(client.execute(cmd::scan::<String>(Cursor::START)).await)?;
    assert!(error.to_string().contains("scan_iter"), "{error}");
    Ok(())
}

async fn results_are_handed_on_one_by_one_in_order<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.cluster_client()?;
    let mut pipeline = client.pipeline();
    for n in 0..2000 {
        pipeline.incr(format!("k:{}", n % 50));
    }
    pipeline.lpush("k:1", "x").ignore().lpush("k:2", "x").get("k:3");
    let mut seen = Vec::new();
    pipeline.execute_each(|at, reply: Result<i64>| seen.push((at, reply.ok()))).await?;
    let expected = (0..2000).map(|n| (n, Some(n as i64 / 50 + 1)));
    assert!(seen.into_iter().eq(expected.chain([(2000, None), (2001, Some(40))])));
    Ok(())
}

async fn blocking_commands_wait_at_their_node_and_hold_nobody_up<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.cluster_client()?;
    let keys = keys_of(&cx.cluster())?;
    let pops: Vec<_> = keys
        .iter()
        .map(|key| {
            let (client, key) = (client.clone(), key.clone());
            cx.spawn(async move { client.blpop::<String, String>([key], None).await })
        })
        .collect();
    cx.until("all of them wait", async || {
        let waiting = client.execute_on_each(Route::Primaries, cmd::info()).await?;
        let mut blocked = 0;
        for (_, info) in waiting {
            blocked += info?.number::<usize>("blocked_clients")?;
        }
        Ok(blocked == 3)
    })
    .await?;
    for key in &keys {
        assert_eq!(client.get::<String>(format!("{{{key}}}other")).await?, None);
        client.rpush(key, "item").await?;
    }
    for (pop, key) in pops.into_iter().zip(&keys) {
        assert_eq!(pop.await??, Some((key.clone(), "item".to_owned())));
    }
    Ok(())
}

async fn transactions_with_watched_keys_are_applied_or_start_over<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.cluster_client()?;
    for key in keys_of(&cx.cluster())? {
        let watched = client.watch(&[&key]).await?;
        client.set(&key, "other").await?;
        let error = failed(watched.multi().set(&key, "lost").execute::<()>().await)?;
        assert!(error.is_watch(), "{error}");
        client.set(&key, 0).await?;
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let (client, key) = (client.clone(), key.clone());
                cx.spawn(async move {
                    for _ in 0..10 {
                        let add = |mut watched: crate::client::Watched<S>| {
                            let key = key.clone();
                            async move {
                                let n: i64 = watched.get(&key).await?.unwrap_or(0);
                                Ok(watched.multi().set(&key, n + 1).returning(n))
                            }
                        };
                        client.transaction::<(), _, _>(&[&key], add).await?;
                    }
                    Ok::<_, redis_core::Error>(())
                })
            })
            .collect();
        for task in tasks {
            task.await??;
        }
        assert_eq!(client.get::<i64>(&key).await?, Some(40));
        let watched = client.watch(&[&key]).await?;
        watched.reset().await?;
    }
    Ok(())
}

async fn messages_reach_subscribers_at_any_node<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.cluster_client()?;
    let mut subscribers = Vec::new();
    for _ in 0..4 {
        let mut pubsub = client.pubsub();
        pubsub.subscribe(&["news"]).await?;
        pubsub.psubscribe(&["n*s"]).await?;
        for kind in [MessageKind::Subscribe, MessageKind::PSubscribe] {
            let confirmed = pubsub.get_message(LONG).await?.ok_or("a confirmation")?;
            assert_eq!(confirmed.kind, kind);
        }
        subscribers.push(pubsub);
    }
    client.publish("news", "hello").await?;
    for pubsub in &mut subscribers {
        for _ in 0..2 {
            let message = pubsub.get_message(LONG).await?.ok_or("a message")?;
            assert_eq!(message.text(), Some("hello"));
        }
    }
    Ok(())
}

async fn tasks_share_one_client<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.cluster_client()?;
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let client = client.clone();
            cx.spawn(async move {
                for n in 0..50 {
                    client.incr(format!("k:{n}")).await?;
                    let mut pipeline = client.pipeline();
                    for key in 0..20 {
                        pipeline.set(format!("{task}:{key}"), n).get(format!("{task}:{key}"));
                    }
                    let values: Vec<Value> = pipeline.execute().await?;
                    let own = values.iter().skip(1).step_by(2);
                    let expected = Value::String(bytes::Bytes::from(n.to_string()));
                    assert!(own.into_iter().all(|value| *value == expected), "{values:?}");
                }
                Ok::<_, redis_core::Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    let counts: Vec<Option<i64>> = client.mget((0..50).map(|n| format!("k:{n}"))).await?;
    assert!(counts.iter().all(|count| *count == Some(8)), "{counts:?}");
    Ok(())
}

async fn pools_are_counted_and_limited_node_by_node<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.cluster_client()?;
    client.warm_up(2).await?;
    assert!(client.stats().pool_open >= 6, "two for each primary: {:?}", client.stats());
    client.resize_pool(1)?;
    let keys = keys_of(&cx.cluster())?;
    let held = client.watch(&[&keys[0]]).await?;
    let elsewhere = client.watch(&[&keys[1]]).await?;
    drop(elsewhere);
    drop(held);
    let error = failed(client.resize_pool(0))?;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    Ok(())
}
