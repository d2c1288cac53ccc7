//! Reads from replicas: which nodes serve them, and what becomes of them when a replica is lost.

use std::net::SocketAddr;
use std::time::Duration;

use clusterkit::{Cluster, Node};
use redis_core::config::ReadFrom;
use redis_core::types::ClusterSlotsNode;
use redis_core::{Cmd, Commands, Execute, QueueCommands, cmd, slot_of};
use testkit::faulty::{Direction, FaultProxy, Flow};

use super::commands::keys_of;
use super::load::{calls, errors};
use crate::client::Client;
use crate::scenario::{Context, Failure, Outcome, Scenario, since};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(reads_go_where_the_strategy_says_and_writes_to_primaries),
        Scenario::new(reads_stay_in_their_zone).needs("zones in CLUSTER SLOTS", |server| {
            server.name == "valkey" && since(server, 9, 1)
        }),
        Scenario::new(reads_go_to_the_node_that_answers_first),
        Scenario::new(links_to_replicas_come_back_as_such),
        Scenario::new(reads_of_a_lost_replica_go_to_its_primary),
    ]
}

async fn reads_go_to_the_node_that_answers_first<S: Subject>(cx: Context<S>) -> Outcome {
    let (keys, cluster) = (write(&cx).await?, cx.cluster());
    let mut proxies = Vec::new();
    for node in cluster.nodes() {
        let proxy = FaultProxy::start(node.addr())?;
        proxies.push((node, proxy));
    }
    let client = cx.client_of(&cluster, |config| {
        let settings = config.cluster.as_mut().expect("it is a cluster");
        settings.read_from = ReadFrom::LowestLatency;
        let addr = |addr: SocketAddr| (addr.ip().to_string(), addr.port());
        let pairs = proxies.iter().map(|(node, proxy)| (addr(node.addr()), addr(proxy.addr())));
        settings.address_map = pairs.collect();
    })?;
    let key = &keys[0];
    let primary = cluster.primary_of(slot_of(key.as_bytes()))?;
    let replica = cluster.replicas_of(&primary)?.remove(0);
    for (slow, delay, fast) in [(&primary, 50, &replica), (&replica, 200, &primary)] {
        cx.step(format!("{slow} is slow"));
        for (node, proxy) in &proxies {
            proxy.heal();
            if node == slow {
                proxy.flow(Direction::ToClient, Flow::Delay(Duration::from_millis(delay)));
            }
        }
        let served = async || calls(&cx, &cluster, std::slice::from_ref(fast), "get").await;
        // What both were before is forgotten by and by.
        for turn in 0.. {
            let before = served().await?;
            for _ in 0..20 {
                assert_eq!(client.get::<i64>(key).await?, Some(1));
            }
            if served().await? == before + 20 {
                break;
            }
            assert!(turn < 20, "some reads are still slow");
        }
    }
    Ok(())
}

/// The primaries, and the replicas, one of each.
fn roles(cluster: &Cluster) -> Result<(Vec<Node>, Vec<Node>), Failure> {
    let primaries = cluster.primaries()?;
    let mut replicas = Vec::new();
    for primary in &primaries {
        replicas.extend(cluster.replicas_of(primary)?);
    }
    Ok((primaries, replicas))
}

fn reader<S: Subject>(cx: &Context<S>, read_from: ReadFrom) -> Result<Client<S>, Failure> {
    cx.client_of(&cx.cluster(), |config| {
        config.client_name = Some("ours".into());
        let settings = config.cluster.as_mut().expect("it is a cluster");
        settings.read_from = read_from;
        // Nothing else tells of a replica that is named again.
        settings.check_interval = Some(Duration::from_millis(200));
    })
}

/// Writes a key of each primary, and returns when the replicas have it and every node names them: one that has
/// replicated nothing is named by nobody.
async fn write<S: Subject>(cx: &Context<S>) -> Result<Vec<String>, Failure> {
    let (client, cluster) = (cx.cluster_client()?, cx.cluster());
    let keys = keys_of(&cluster)?;
    for key in &keys {
        client.set(key, 1).await?;
    }
    for replica in roles(&cluster)?.1 {
        let there = cx.node_client(&cluster, &replica)?;
        cx.until("the replicas have it", async || Ok(there.dbsize().await? == 1)).await?;
    }
    for node in cluster.nodes() {
        let there = cx.node_client(&cluster, &node)?;
        let named = async || {
            let ranges = there.cluster_slots().await?;
            Ok(ranges.iter().all(|range| range.nodes.len() == 2))
        };
        cx.until("the replicas are named", named).await?;
    }
    Ok(keys)
}

/// Reads each key 20 times alone and 20 times in pipelines. Gives how many of the reads primaries and replicas
/// served.
async fn read<S: Subject>(
    cx: &Context<S>,
    client: &Client<S>,
    keys: &[String],
) -> Result<(u64, u64), Failure> {
    let cluster = cx.cluster();
    let (primaries, replicas) = roles(&cluster)?;
    let before = (
        calls(cx, &cluster, &primaries, "get").await?,
        calls(cx, &cluster, &replicas, "get").await?,
    );
    for _ in 0..20 {
        for key in keys {
            assert_eq!(client.get::<i64>(key).await?, Some(1));
        }
        let mut pipeline = client.pipeline();
        for key in keys {
            pipeline.get(key);
        }
        assert_eq!(pipeline.execute::<Vec<i64>>().await?, vec![1; keys.len()]);
    }
    let after = (
        calls(cx, &cluster, &primaries, "get").await?,
        calls(cx, &cluster, &replicas, "get").await?,
    );
    Ok((after.0 - before.0, after.1 - before.1))
}

async fn reads_go_where_the_strategy_says_and_writes_to_primaries<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let keys = write(&cx).await?;
    let cluster = cx.cluster();
    for (read_from, by_primaries, by_replicas) in [
        (ReadFrom::Primary, true, false),
        (ReadFrom::PreferReplica, false, true),
        (ReadFrom::RoundRobin, true, true),
        (ReadFrom::Random, true, true),
    ] {
        cx.step(format!("{read_from:?}"));
        let client = reader(&cx, read_from.clone())?;
        let (primaries, replicas) = read(&cx, &client, &keys).await?;
        assert_eq!(primaries + replicas, 120);
        let served = (primaries > 0, replicas > 0);
        assert_eq!(served, (by_primaries, by_replicas), "{read_from:?}: {primaries}, {replicas}");
        let mut pipeline = client.pipeline();
        for key in &keys {
            client.append(key, "0").await?;
            pipeline.append(key, "0").ignore().set(key, 1).ignore();
        }
        pipeline.execute::<()>().await?;
        let mut pipeline = client.pipeline();
        pipeline.transaction(true).get(&keys[0]).set(&keys[0], 1);
        assert_eq!(pipeline.execute::<(i64, ())>().await?, (1, ()));
        for (key, replica) in keys.iter().zip(roles(&cluster)?.1) {
            let read_only = vec![Cmd::raw("READONLY")];
            let there =
                cx.node_client_with(&cluster, &replica, |config| config.on_connect = read_only)?;
            let has = async || Ok(there.get::<String>(key).await?.as_deref() == Some("1"));
            cx.until("the replicas have it", has).await?;
        }
    }
    let moved = errors(&cx, &cluster, &cluster.nodes(), "MOVED").await?;
    assert_eq!(moved, 0, "no replica was asked for more than it serves");
    Ok(())
}

async fn reads_stay_in_their_zone<S: Subject>(cx: Context<S>) -> Outcome {
    let keys = write(&cx).await?;
    let cluster = cx.cluster();
    let (primaries, replicas) = roles(&cluster)?;
    let name = async |nodes: &[Node], zone: &str| {
        for node in nodes {
            cx.node_client(&cluster, node)?.config_set([("availability-zone", zone)]).await?;
        }
        Ok::<_, Failure>(())
    };
    name(&primaries, "near").await?;
    name(&replicas, "far").await?;
    for node in cluster.nodes() {
        let there = cx.node_client(&cluster, &node)?;
        let has = |node: &ClusterSlotsNode, zone: &str| {
            node.metadata.get("availability-zone").is_some_and(|named| named == zone)
        };
        let named = async || {
            let ranges = there.cluster_slots().await?;
            Ok(ranges.iter().all(|one| has(&one.nodes[0], "near") && has(&one.nodes[1], "far")))
        };
        cx.until("the zones are named", named).await?;
    }
    for (zone, expected) in [("near", (120, 0)), ("far", (0, 120)), ("nowhere", (0, 120))] {
        let client = reader(&cx, ReadFrom::Zone(zone.into()))?;
        assert_eq!(read(&cx, &client, &keys).await?, expected, "{zone}");
    }
    name(&cluster.nodes(), "").await
}

async fn links_to_replicas_come_back_as_such<S: Subject>(cx: Context<S>) -> Outcome {
    let keys = write(&cx).await?;
    let (client, cluster) = (reader(&cx, ReadFrom::PreferReplica)?, cx.cluster());
    for _ in 0..2 {
        assert_eq!(read(&cx, &client, &keys).await?, (0, 120));
        for replica in roles(&cluster)?.1 {
            let there = cx.node_client(&cluster, &replica)?;
            for other in there.client_list().await? {
                if other.name.as_deref() == Some("ours") {
                    there.execute(cmd::client_kill().ids([other.id])).await?;
                }
            }
        }
        // A read that meets the end of its connection goes to the primary; only for a moment.
        cx.until("replicas are read from", async || {
            for key in &keys {
                client.get::<i64>(key).await?;
            }
            let read = read(&cx, &client, &keys).await;
            Ok(matches!(read, Ok((0, 120))))
        })
        .await?;
    }
    let moved = errors(&cx, &cluster, &cluster.nodes(), "MOVED").await?;
    assert_eq!(moved, 0, "every connection has said READONLY");
    Ok(())
}

async fn reads_of_a_lost_replica_go_to_its_primary<S: Subject>(cx: Context<S>) -> Outcome {
    let keys = write(&cx).await?;
    let (client, cluster) = (reader(&cx, ReadFrom::PreferReplica)?, cx.cluster());
    let lost = roles(&cluster)?.1.swap_remove(1);
    assert_eq!(read(&cx, &client, &keys).await?, (0, 120));
    cluster.kill(&lost)?;
    for _ in 0..20 {
        let mut pipeline = client.pipeline();
        for key in &keys {
            assert_eq!(client.get::<i64>(key).await?, Some(1), "{key}");
            pipeline.get(key);
        }
        assert_eq!(pipeline.execute::<Vec<i64>>().await?, [1; 3]);
    }
    let way = cluster.clone();
    let back = lost.clone();
    cx.aside(move || way.restart(&back).and_then(|()| way.wait_settled())).await??;
    let there = cx.node_client(&cluster, &lost)?;
    cx.until("it is read from again", async || {
        for key in &keys {
            client.get::<i64>(key).await?;
        }
        let info = there.execute(cmd::info().sections("all")).await?;
        Ok(info.command_stats()?.contains_key("get"))
    })
    .await
    .map_err(Into::into)
}
