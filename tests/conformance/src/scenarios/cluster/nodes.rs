//! What a client of a single node sees of the cluster around it.

use clusterkit::ClusterOptions;
use redis_core::{Cmd, Commands, Delivery, ErrorKind, slot_of};

use crate::scenario::{Context, Outcome, Scenario, failed};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(a_node_refuses_keys_of_another_with_moved),
        Scenario::new(a_replica_reads_where_every_connection_says_readonly),
        Scenario::new(slots_move_with_their_keys),
        Scenario::new(a_primary_that_was_replaced_refuses_what_it_served),
    ]
}

async fn a_node_refuses_keys_of_another_with_moved<S: Subject>(cx: Context<S>) -> Outcome {
    let cluster = cx.cluster();
    let owner = cluster.primary_of(slot_of(b"k"))?;
    cx.node_client(&cluster, &owner)?.set("k", 1).await?;
    for node in cluster.nodes().into_iter().filter(|node| *node != owner) {
        cx.step(format!("at {node}"));
        let client = cx.node_client(&cluster, &node)?;
        let error = failed(client.get::<i64>("k").await)?;
        assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some("MOVED")));
        assert_eq!(error.delivery(), Delivery::Replied);
        assert!(error.message().ends_with(&format!("{} {owner}", slot_of(b"k"))), "{error}");
        cx.saw("refused", error);
    }
    Ok(())
}

async fn a_replica_reads_where_every_connection_says_readonly<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let cluster = cx.cluster();
    let primary = cluster.primary_of(slot_of(b"k"))?;
    let replica = cluster.replicas_of(&primary)?.pop().ok_or("the primary has no replica")?;
    let writer = cx.node_client(&cluster, &primary)?;
    let read_only = vec![Cmd::raw("READONLY")];
    let reader = cx.node_client_with(&cluster, &replica, |config| config.on_connect = read_only)?;
    writer.set("k", "v").await?;
    cx.until("the replica has it", async || {
        Ok(reader.get::<String>("k").await?.as_deref() == Some("v"))
    })
    .await?;
    cx.saw("a write", failed(reader.set("k", 2).await)?);
    Ok(())
}

async fn slots_move_with_their_keys<S: Subject>(cx: Context<S>) -> Outcome {
    let cluster = cx.cluster();
    let slot = slot_of(b"a");
    let from = cluster.primary_of(slot)?;
    let to = cluster.primaries()?.into_iter().find(|node| *node != from).ok_or("one primary")?;
    let (source, target) = (cx.node_client(&cluster, &from)?, cx.node_client(&cluster, &to)?);
    for number in 0..10 {
        source.set(format!("{{a}}{number}"), number).await?;
    }
    cx.step("half of them are on their way");
    let moving = cluster.begin_move(slot, &to)?;
    assert_eq!(cluster.move_keys(&moving, 5)?, 5);
    assert_eq!(target.cluster_countkeysinslot(slot).await?, 5);
    cx.saw("a key that is not here", failed(source.get::<i64>("{a}none").await)?);
    cx.saw("without ASKING", failed(target.get::<i64>("{a}none").await)?);
    cx.step("all of them are there");
    let (moved, way) = (moving.clone(), cluster.clone());
    cx.aside(move || way.end_move(&moved)).await??;
    for number in 0..10 {
        assert_eq!(target.get::<i64>(format!("{{a}}{number}")).await?, Some(number));
    }
    assert_eq!(source.cluster_countkeysinslot(slot).await?, 0);
    cx.saw("a key that was here", failed(source.get::<i64>("{a}1").await)?);
    cx.step("and back");
    cx.aside(move || cluster.move_slot(slot, &from)).await??;
    assert_eq!(source.get::<i64>("{a}9").await?, Some(9));
    Ok(())
}

async fn a_primary_that_was_replaced_refuses_what_it_served<S: Subject>(cx: Context<S>) -> Outcome {
    let cluster = cx.start_cluster(ClusterOptions::new()).await?;
    let old = cluster.primary_of(slot_of(b"k"))?;
    let replica = cluster.replicas_of(&old)?.pop().ok_or("the primary has no replica")?;
    let (before, after) = (cx.node_client(&cluster, &old)?, cx.node_client(&cluster, &replica)?);
    before.set("k", 1).await?;
    cx.saw("before", failed(after.incr("k").await)?);
    let (way, next) = (cluster.clone(), replica.clone());
    cx.aside(move || way.failover(&next)).await??;
    assert_eq!(after.incr("k").await?, 2);
    cx.saw("after", failed(before.incr("k").await)?);
    assert_eq!(cluster.primary_of(slot_of(b"k"))?, replica);
    Ok(())
}
