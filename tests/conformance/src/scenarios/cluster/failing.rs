//! Nodes that are replaced, die, fall silent and come back: the others' commands go on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use clusterkit::{Cluster, ClusterOptions, Node};
use redis_cluster::Route;
use redis_core::types::ClusterState;
use redis_core::{
    Commands, Delivery, Error, ErrorKind, QueueCommands, Result, Value, cmd, slot_of,
};

use super::commands::keys_of;
use super::load::{Load, patient};
use crate::client::Client;
use crate::scenario::{Context, Failure, Outcome, Scenario, failed};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(a_failover_loses_no_write_and_doubles_none),
        Scenario::new(a_node_that_dies_fails_its_own_commands_alone),
        Scenario::new(a_node_that_is_stopped_holds_up_no_others),
        Scenario::new(a_cluster_that_is_down_says_so_and_is_waited_for),
    ]
}

/// First a replica takes over because it is told to, then because its primary died.
async fn a_failover_loses_no_write_and_doubles_none<S: Subject>(cx: Context<S>) -> Outcome {
    let options =
        ClusterOptions::new().automatic_failover().node_timeout(Duration::from_millis(1500));
    let cluster = cx.start_cluster(options).await?;
    let slot = slot_of(b"a");
    let old = cluster.primary_of(slot)?;
    let replica = cluster.replicas_of(&old)?.pop().ok_or("the primary has no replica")?;
    let load = Load::start(&cx, &cluster, "a").await?;
    let (way, next) = (cluster.clone(), replica.clone());
    cx.aside(move || way.failover(&next)).await??;
    load.goes_on(&cx).await?;
    load.end(&cx).await?;
    cx.step("the primary is to die");
    let way = cluster.clone();
    cx.aside(move || way.wait_settled()).await??;
    let primary = cluster.primary_of(slot)?;
    let client = cx.client_of(&cluster, |_| ())?;
    let tally = Arc::new(Tally::default());
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let (own, stop, tally) = (client.clone(), stop.clone(), tally.clone());
            let pause = cx.clone();
            cx.spawn(async move { count(pause, own, format!("{{a}}n:{task}"), stop, tally).await })
        })
        .collect();
    cx.until("writes are replicated", async || Ok(tally.replicated() > 20)).await?;
    cluster.kill(&primary)?;
    cx.until("another is the primary", async || {
        Ok(cluster.primary_of(slot).is_ok_and(|node| node != primary))
    })
    .await?;
    let before = tally.all();
    cx.until("writes go on", async || Ok(tally.all() > before + 20)).await?;
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        let counted = task.await??;
        let value = client.get::<i64>(&counted.key).await?.unwrap_or(0);
        let fits = counted.replicated <= value && value <= counted.acknowledged + counted.unknown;
        assert!(fits, "{value} of {counted:?}");
    }
    Ok(())
}

/// How many writes of all tasks were acknowledged.
#[derive(Default)]
struct Tally {
    all: AtomicU64,
    replicated: AtomicU64,
}

impl Tally {
    fn all(&self) -> u64 {
        self.all.load(Ordering::Relaxed)
    }

    fn replicated(&self) -> u64 {
        self.replicated.load(Ordering::Relaxed)
    }
}

/// What was told of the increments of a key.
#[derive(Debug)]
struct Counted {
    key: String,
    acknowledged: i64,
    /// May have happened, or not.
    unknown: i64,
    /// At least so many were known by a replica as well.
    replicated: i64,
}

/// Increments a key, whatever happens.
async fn count<S: Subject>(
    cx: Context<S>,
    client: Client<S>,
    key: String,
    stop: Arc<AtomicBool>,
    tally: Arc<Tally>,
) -> std::result::Result<Counted, Failure> {
    let mut counted = Counted { key, acknowledged: 0, unknown: 0, replicated: 0 };
    while !stop.load(Ordering::Relaxed) {
        let mut told = client.incr(&counted.key).await;
        if told.is_ok() {
            counted.acknowledged += 1;
            // On a connection of its own: it may not be that of the command before.
            let mut watched = match client.watch(&[&counted.key]).await {
                Ok(watched) => watched,
                Err(_) => continue,
            };
            told = watched.incr(&counted.key).await;
            if told.is_ok() {
                counted.acknowledged += 1;
                tally.all.fetch_add(1, Ordering::Relaxed);
                let replicas = watched.wait(1, Duration::from_millis(500)).await;
                if let (Ok(value), Ok(1..)) = (&told, replicas) {
                    counted.replicated = *value;
                    tally.replicated.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        match told {
            Ok(value) => {
                let most = counted.acknowledged + counted.unknown;
                assert!(value <= most, "{value} of {counted:?}");
            }
            Err(error) if error.delivery() == Delivery::MaybeExecuted => counted.unknown += 1,
            Err(_) => cx.sleep(Duration::from_millis(5)).await,
        }
    }
    Ok(counted)
}

/// Three primaries, of which those that are there serve on when one is not.
async fn start<S: Subject>(
    cx: &Context<S>,
) -> std::result::Result<(Arc<Cluster>, Vec<String>, Node), Failure> {
    let options = ClusterOptions::new().replicas(0);
    let options = options.arg("--cluster-require-full-coverage").arg("no");
    let cluster = cx.start_cluster(options).await?;
    let keys = keys_of(&cluster)?;
    let node = cluster.primary_of(slot_of(keys[1].as_bytes()))?;
    Ok((cluster, keys, node))
}

/// What came of each key's command in one pipeline.
async fn each<S: Subject>(client: &Client<S>, keys: &[String]) -> Result<Vec<Result<Value>>> {
    let mut pipeline = client.pipeline();
    for key in keys {
        pipeline.incr(key);
    }
    pipeline.execute_all().await
}

async fn a_node_that_dies_fails_its_own_commands_alone<S: Subject>(cx: Context<S>) -> Outcome {
    let (cluster, keys, node) = start(&cx).await?;
    // What fails is tried again with these waits in between.
    let client = cx.client_of(&cluster, |config| config.backoff.cap = Duration::from_millis(50))?;
    assert_eq!(each(&client, &keys).await?, [const { Ok(Value::Integer(1)) }; 3]);
    let own = client.clone();
    let list = format!("{{{}}}list", keys[1]);
    let popped = cx.spawn(async move { own.blpop::<String, String>([list], None).await });
    let there = cx.node_client(&cluster, &node)?;
    cx.until("it waits", async || Ok(there.info().await?.number::<u64>("blocked_clients")? == 1))
        .await?;
    cluster.kill(&node)?;
    let error = failed(popped.await?)?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Io, Delivery::MaybeExecuted));
    cx.until("nobody can connect", async || {
        let error = client.incr(&keys[1]).await.err();
        Ok(error.is_some_and(|error| error.kind() == ErrorKind::Connect))
    })
    .await?;
    for _ in 0..3 {
        let all = each(&client, &keys).await?;
        let error = all[1].as_ref().err().ok_or("its node is dead")?;
        assert_eq!((error.kind(), error.delivery()), (ErrorKind::Connect, Delivery::NotSent));
        assert!(all[0].is_ok() && all[2].is_ok(), "{all:?}");
        let error = failed(client.get::<i64>(&keys[1]).await)?;
        assert_eq!((error.kind(), error.delivery()), (ErrorKind::Connect, Delivery::NotSent));
        assert!(error.to_string().contains(&node.to_string()), "{error}");
        let error = failed(client.watch(&[&keys[1]]).await.map(drop))?;
        assert_eq!(error.kind(), ErrorKind::Connect);
    }
    assert_eq!(client.get::<i64>(&keys[0]).await?, Some(4));
    let sizes = client.execute_on_each(Route::Primaries, cmd::dbsize()).await?;
    let sizes: BTreeMap<String, bool> =
        sizes.into_iter().map(|(at, size)| (at.to_string(), size.is_ok())).collect();
    assert!(sizes.iter().all(|(at, is_ok)| *is_ok == (*at != node.to_string())), "{sizes:?}");
    cx.step("it comes back, without its keys");
    let way = cluster.clone();
    cx.aside(move || way.restart(&node).and_then(|()| way.wait_settled())).await??;
    assert_eq!(each(&client, &keys[1..2]).await?, [Ok(Value::Integer(1))]);
    Ok(())
}

async fn a_node_that_is_stopped_holds_up_no_others<S: Subject>(cx: Context<S>) -> Outcome {
    let (cluster, keys, node) = start(&cx).await?;
    let client = cx.client_of(&cluster, |_| ())?;
    let hasty = cx.client_of(&cluster, |config| {
        config.command_timeout = Some(Duration::from_secs(2));
    })?;
    for client in [&client, &hasty] {
        each(client, &keys).await?;
    }
    // What has a connection is sent.
    hasty.warm_up(4).await?;
    cluster.stop(&node)?;
    cx.step("while one waits for it, alone and in a pipeline");
    let (own, key) = (hasty.clone(), keys[1].clone());
    let alone = cx.spawn(async move { own.get::<i64>(key).await });
    let (own, all) = (hasty.clone(), keys.clone());
    let piped = cx.spawn(async move { each(&own, &all).await });
    for key in [&keys[0], &keys[2]] {
        for _ in 0..50 {
            client.append(key, "0").await?;
        }
    }
    let mut pipeline = client.pipeline();
    for _ in 0..50 {
        pipeline.get(&keys[0]).ignore().append(&keys[2], "1").ignore();
    }
    pipeline.execute::<()>().await?;
    cx.step("one that asks it for the map first");
    let late = cx.client_of(&cluster, |config| {
        let seeds = &mut config.cluster.as_mut().expect("it is a cluster").seeds;
        seeds.sort_by_key(|seed| seed.to_string() != node.to_string());
    })?;
    assert!(late.get::<String>(&keys[0]).await?.is_some());
    let error = failed(alone.await?)?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Timeout, Delivery::MaybeExecuted));
    let all = piped.await??;
    let error = all[1].as_ref().err().ok_or("its node is stopped")?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Timeout, Delivery::MaybeExecuted));
    assert!(all[0].is_ok() && all[2].is_ok(), "{all:?}");
    cluster.go_on(&node)?;
    let way = cluster.clone();
    cx.aside(move || way.wait_settled()).await??;
    for client in [&client, &hasty, &late] {
        let value = cx.in_time(async || client.get::<i64>(&keys[1]).await).await?;
        assert!(matches!(value, Some(2 | 3)), "{value:?}");
    }
    Ok(())
}

async fn a_cluster_that_is_down_says_so_and_is_waited_for<S: Subject>(cx: Context<S>) -> Outcome {
    let options = ClusterOptions::new().replicas(0).node_timeout(Duration::from_secs(1));
    let cluster = cx.start_cluster(options).await?;
    let keys = keys_of(&cluster)?;
    let node = cluster.primary_of(slot_of(keys[1].as_bytes()))?;
    let hasty = cx.client_of(&cluster, |config| {
        config.command_timeout = Some(Duration::from_secs(2));
    })?;
    let client = cx.client_of(&cluster, patient)?;
    for client in [&hasty, &client] {
        each(client, &keys).await?;
    }
    cluster.kill(&node)?;
    let others = [&keys[0], &keys[2]];
    for key in others {
        let there = cluster.primary_of(slot_of(key.as_bytes()))?;
        let there = cx.node_client(&cluster, &there)?;
        cx.until("the cluster is down", async || {
            Ok(there.cluster_info().await?.state == ClusterState::Fail)
        })
        .await?;
    }
    let is_down = |error: Error| match error.is_timeout() {
        // On a busy machine the deadline may pass while it waits before it would ask again.
        true => {
            assert_eq!(error.delivery(), Delivery::NotSent, "{error}");
            assert!(error.to_string().contains("CLUSTERDOWN"), "{error}");
        }
        false => {
            let told = (error.code(), error.delivery());
            assert_eq!(told, (Some("CLUSTERDOWN"), Delivery::Replied), "{error}");
        }
    };
    is_down(failed(hasty.incr(others[0]).await)?);
    let all = each(&hasty, &[others[0].clone(), others[1].clone()]).await?;
    for reply in all {
        is_down(failed(reply)?);
    }
    let (own, key) = (client.clone(), others[0].clone());
    let waits = cx.spawn(async move { own.incr(key).await });
    let (own, all) = (client.clone(), [others[0].clone(), others[1].clone()]);
    let piped = cx.spawn(async move { each(&own, &all).await });
    let way = cluster.clone();
    cx.aside(move || way.restart(&node).and_then(|()| way.wait_settled())).await??;
    let alone = waits.await??;
    let piped: Vec<Value> = piped.await??.into_iter().collect::<Result<_>>()?;
    let first = if alone == 3 { 4 } else { 3 };
    assert_eq!(piped, [Value::Integer(first), Value::Integer(3)]);
    let back = async || Ok(client.get::<i64>(&keys[1]).await?.is_none());
    cx.until("the node is back, without its keys", back).await?;
    Ok(())
}
