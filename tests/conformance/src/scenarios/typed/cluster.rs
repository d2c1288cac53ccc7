//! The cluster as its nodes tell of it, and what operators do to them.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis_core::types::{
    ClusterCursor, ClusterState, LinkDirection, MigrationOperation, MigrationTasks, NodeFlag,
    NodeHealth, NodeRole, SlotMetric, SlotMove, SlotRange, SlotState,
};
use redis_core::{Cmd, Commands, Execute, Result, cmd};
use testkit::servers::ServerOptions;

use crate::client::Client;
use crate::scenario::{Context, Outcome, OwnServer, Scenario, failed, since};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(cluster_node_tells_of_itself_and_its_slots)
            .not_over_tls("which of its ports a node names there differs by version"),
        Scenario::new(cluster_node_without_others_refuses_what_needs_them),
        Scenario::new(cluster_nodes_meet_replicate_and_fail_over),
        Scenario::new(slots_move_between_cluster_nodes).needs(
            "migration of slots by the servers",
            |server| {
                server.name == "valkey" && since(server, 9, 0)
                    || server.name == "redis" && since(server, 8, 4)
            },
        ),
    ]
}

/// Whether the server has this subcommand; servers before 7.0 have no table of theirs.
fn has<S: Subject>(cx: &Context<S>, command: &str) -> bool {
    since(cx.installed(), 7, 0) && cx.has(command)
}

fn start<S: Subject>(cx: &Context<S>) -> std::io::Result<OwnServer> {
    // Replicas are served at once, and nodes are told apart within a second.
    let mut options = ServerOptions::new().cluster().debug_commands();
    options = options.arg("--repl-diskless-sync-delay").arg("0");
    if has(cx, "CLUSTER SLOT-STATS") {
        options = options.arg("--cluster-slot-stats-enabled").arg("yes");
    }
    cx.start_server(options)
}

async fn add_slots<S: Subject>(
    cx: &Context<S>,
    client: &Client<S>,
    slots: SlotRange,
) -> Result<()> {
    if has(cx, "CLUSTER ADDSLOTSRANGE") {
        client.cluster_addslotsrange([slots]).await
    } else {
        client.cluster_addslots(slots.start..=slots.end).await
    }
}

async fn cluster_node_tells_of_itself_and_its_slots<S: Subject>(cx: Context<S>) -> Outcome {
    let server = start(&cx)?;
    let (client, port) = (server.client::<S>()?, server.server.port());
    let id = client.cluster_myid().await?;
    assert_eq!(id.len(), 40);
    client.cluster_set_config_epoch(3).await?;
    let bump = client.cluster_bumpepoch().await?;
    assert_eq!((bump.epoch, bump.is_new), (3, false));
    add_slots(&cx, &client, (0..=99).into()).await?;
    client.cluster_addslots([200, 12182]).await?;

    cx.step("CLUSTER NODES, SLOTS and SHARDS");
    let slots: [SlotRange; 3] = [(0..=99).into(), 200.into(), 12182.into()];
    let nodes = client.cluster_nodes().await?;
    let [node] = &nodes[..] else { return Err(format!("{nodes:?}").into()) };
    assert_eq!((&node.id, node.port, node.bus_port), (&id, port, Some(port + 10_000)));
    assert_eq!(node.flags, [NodeFlag::Myself, NodeFlag::Primary]);
    assert_eq!((&node.slots[..], &node.primary, node.config_epoch), (&slots[..], &None, 3));
    assert_eq!((node.ping_sent, node.pong_received, node.connected), (None, None, true));
    cx.saw("node", (&node.ip, &node.hostname, &node.announced));
    let listed = client.cluster_slots().await?;
    assert_eq!(listed.iter().map(|slots| slots.slots).collect::<Vec<_>>(), slots);
    let [listed] = &listed[0].nodes[..] else { return Err(format!("{listed:?}").into()) };
    assert_eq!((listed.port, &listed.id), (port, &Some(id.clone())));
    cx.saw("node of CLUSTER SLOTS", (&listed.endpoint, &listed.metadata));
    if has(&cx, "CLUSTER SHARDS") {
        let shards = client.cluster_shards().await?;
        let [shard] = &shards[..] else { return Err(format!("{shards:?}").into()) };
        assert_eq!((&shard.slots[..], shard.other.len()), (&slots[..], 0));
        if cx.valkey_since(9, 1) {
            assert_eq!(shard.id, Some(client.cluster_myshardid().await?));
        }
        let [node] = &shard.nodes[..] else { return Err(format!("{shard:?}").into()) };
        assert_eq!((&node.id, node.port, node.tls_port), (&id, Some(port), None));
        assert_eq!((&node.role, &node.health), (&NodeRole::Primary, &NodeHealth::Online));
        cx.saw("node of CLUSTER SHARDS", (&node.ip, &node.endpoint, &node.hostname, &node.other));
    }
    if has(&cx, "CLUSTER MYSHARDID") {
        assert_eq!(client.cluster_myshardid().await?.len(), 40);
    }
    if has(&cx, "CLUSTER LINKS") {
        assert_eq!(client.cluster_links().await?, []);
    }
    assert_eq!(client.cluster_replicas(&id).await?, []);
    assert_eq!(client.cluster_slaves(&id).await?, []);
    assert_eq!(client.cluster_count_failure_reports(&id).await?, 0);
    let info = client.cluster_info().await?;
    assert_eq!((&info.state, info.slots_assigned), (&ClusterState::Fail, 102));
    assert_eq!((info.known_nodes, info.current_epoch, info.my_epoch), (1, 3, 3));
    assert_eq!((info.messages_sent, info.messages_sent_by_kind.len()), (0, 0));
    cx.saw("CLUSTER INFO", info);
    assert!(client.cluster_help().await?.iter().any(|line| line.starts_with("ADDSLOTS")));

    cx.step("slots and keys");
    assert_eq!(client.cluster_keyslot("foo").await?, 12182);
    assert_eq!(client.cluster_getkeysinslot::<String>(12182, 9).await?, [""; 0]);
    // A node of which not every slot is served takes no key; this makes some in spite of that.
    client.execute(Cmd::<()>::raw("DEBUG POPULATE").arg(2).arg("{foo}")).await?;
    assert_eq!(client.cluster_countkeysinslot(12182).await?, 2);
    let keys: BTreeSet<String> =
        client.cluster_getkeysinslot(12182, 9).await?.into_iter().collect();
    assert_eq!(keys, BTreeSet::from(["{foo}:0", "{foo}:1"].map(str::to_owned)));
    if has(&cx, "CLUSTER SLOT-STATS") {
        cx.step("CLUSTER SLOT-STATS");
        let of = client.execute(cmd::cluster_slot_stats_range(12000..=12182)).await?;
        assert_eq!(of.iter().map(|of| (of.slot, of.key_count)).collect::<Vec<_>>(), [(12182, 2)]);
        assert_eq!(of[0].memory_bytes.is_some(), cx.redis_since(8, 4));
        assert_eq!((of[0].cpu.is_some(), of[0].network_bytes_in.is_some()), (true, true));
        let by = |metric| cmd::cluster_slot_stats(metric).limit(2);
        let most = client.execute(by(SlotMetric::KeyCount).desc()).await?;
        assert_eq!(most.iter().map(|of| of.slot).collect::<Vec<_>>(), [12182, 0]);
        let least = client.execute(by(SlotMetric::KeyCount).asc()).await?;
        assert_eq!(least.iter().map(|of| of.slot).collect::<Vec<_>>(), [0, 1]);
        for metric in [SlotMetric::Cpu, SlotMetric::NetworkIn, SlotMetric::NetworkOut] {
            assert_eq!(client.execute(by(metric)).await?.len(), 2);
        }
        if cx.redis_since(8, 4) {
            assert_eq!(client.execute(by(SlotMetric::Memory)).await?[0].slot, 12182);
        }
    }
    if has(&cx, "CLUSTER FLUSHSLOT") {
        client.execute(cmd::cluster_flushslot(12182).synchronous()).await?;
        client.execute(cmd::cluster_flushslot(12182).asynchronous()).await?;
        client.cluster_flushslot(12182).await?;
        assert_eq!(client.cluster_countkeysinslot(12182).await?, 0);
    }
    client.flushall().await?;

    cx.step("slots are given up");
    client.cluster_delslots([200]).await?;
    if has(&cx, "CLUSTER DELSLOTSRANGE") {
        let ranges = [SlotRange::from(0..=9), (12182, 12182).into()];
        client.cluster_delslotsrange(ranges).await?;
        assert_eq!(client.cluster_nodes().await?[0].slots, [(10..=99).into()]);
    }
    client.cluster_flushslots().await?;
    assert_eq!(client.cluster_nodes().await?[0].slots, []);
    client.cluster_saveconfig().await?;
    Ok(())
}

async fn cluster_node_without_others_refuses_what_needs_them<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let server = start(&cx)?;
    let client = server.client::<S>()?;
    let (id, nobody) = (client.cluster_myid().await?, "0".repeat(40));
    client.cluster_addslots([5]).await?;
    cx.saw("MEET", failed(client.cluster_meet("nowhere", 7000).await)?);
    let to = SlotState::Migrating(nobody.clone());
    cx.saw("SETSLOT", failed(client.cluster_setslot(5, to).await)?);
    let from = SlotState::Importing(nobody.clone());
    cx.saw("SETSLOT", failed(client.cluster_setslot(6, from).await)?);
    client.cluster_setslot(5, SlotState::Stable).await?;
    client.cluster_setslot(5, SlotState::Node(id.clone())).await?;
    if cx.valkey_since(8, 0) {
        let stable = cmd::cluster_setslot(5, SlotState::Stable);
        client.execute(stable.timeout(Duration::from_millis(100))).await?;
    }
    cx.saw("FORGET", failed(client.cluster_forget(&nobody).await)?);
    cx.saw("REPLICATE", failed(client.cluster_replicate(&nobody).await)?);
    cx.saw("REPLICAS", failed(client.cluster_replicas(&nobody).await)?);
    cx.saw("FAILOVER", failed(client.cluster_failover().await)?);
    cx.saw("FAILOVER FORCE", failed(client.execute(cmd::cluster_failover().force()).await)?);
    cx.saw("FAILOVER TAKEOVER", failed(client.execute(cmd::cluster_failover().takeover()).await)?);
    if has(&cx, "CLUSTER MIGRATION") {
        let task = || MigrationTasks::Id(nobody.clone());
        assert_eq!(client.cluster_migration_status(MigrationTasks::All).await?, []);
        assert_eq!(client.cluster_migration_status(task()).await?, []);
        assert_eq!(client.cluster_migration_cancel(MigrationTasks::All).await?, 0);
        assert_eq!(client.cluster_migration_cancel(task()).await?, 0);
        let own = cmd::cluster_migration_import([SlotRange::from(5)]);
        cx.saw("MIGRATION IMPORT", failed(client.execute(own).await)?);
    }
    if has(&cx, "CLUSTER GETSLOTMIGRATIONS") {
        assert_eq!(client.cluster_getslotmigrations().await?, []);
        cx.saw("CANCELSLOTMIGRATIONS", failed(client.cluster_cancelslotmigrations().await)?);
        let moved = SlotMove::to(&nobody, [5.into()]);
        cx.saw("MIGRATESLOTS", failed(client.cluster_migrateslots([moved]).await)?);
    }
    client.execute(cmd::cluster_reset().soft()).await?;
    assert_eq!(client.cluster_myid().await?, id);
    client.execute(cmd::cluster_reset().hard()).await?;
    assert_ne!(client.cluster_myid().await?, id);
    client.cluster_reset().await?;
    Ok(())
}

/// Waits until each node sees all of them and is connected with them.
async fn until_met<S: Subject>(cx: &Context<S>, nodes: &[&Client<S>]) -> Result<()> {
    cx.until("all nodes know each other", async || {
        for node in nodes {
            let known = node.cluster_nodes().await?;
            let met = |flag| known.iter().all(|node| node.connected && !node.is(flag));
            if known.len() < nodes.len() || !met(&NodeFlag::Handshake) {
                return Ok(false);
            }
        }
        Ok(true)
    })
    .await
}

async fn cluster_nodes_meet_replicate_and_fail_over<S: Subject>(cx: Context<S>) -> Outcome {
    let servers = [start(&cx)?, start(&cx)?];
    let (primary, replica) = (servers[0].client::<S>()?, servers[1].client::<S>()?);
    add_slots(&cx, &primary, (0..=199).into()).await?;
    let (primary_id, replica_id) = (primary.cluster_myid().await?, replica.cluster_myid().await?);
    let port = servers[1].server.port();
    let meet = cmd::cluster_meet("127.0.0.1", port).bus_port(port + 10_000);
    primary.execute(meet).await?;
    until_met(&cx, &[&primary, &replica]).await?;
    if has(&cx, "CLUSTER LINKS") {
        let links = primary.cluster_links().await?;
        let directions: BTreeSet<_> =
            links.iter().map(|link| link.direction == LinkDirection::To).collect();
        assert_eq!(directions, BTreeSet::from([false, true]));
        for link in links {
            assert_eq!((&link.node, link.other.len()), (&replica_id, 0));
            assert!(link.create_time > SystemTime::now() - Duration::from_secs(60));
            assert!(link.events.starts_with('r'));
        }
    }
    cx.step("a slot that moves");
    primary.cluster_setslot(5, SlotState::Migrating(replica_id.clone())).await?;
    replica.cluster_setslot(5, SlotState::Importing(primary_id.clone())).await?;
    let own = async |client: &Client<S>| -> Result<_> {
        let nodes = client.cluster_nodes().await?;
        Ok(nodes.into_iter().find(|node| node.is(&NodeFlag::Myself)))
    };
    let (to, from) = (own(&primary).await?, own(&replica).await?);
    assert_eq!(to.map(|node| node.migrating), Some(vec![(5, replica_id.clone())]));
    assert_eq!(from.map(|node| node.importing), Some(vec![(5, primary_id.clone())]));
    primary.cluster_setslot(5, SlotState::Stable).await?;
    replica.cluster_setslot(5, SlotState::Stable).await?;

    cx.step("CLUSTER REPLICATE");
    replica.cluster_replicate(&primary_id).await?;
    cx.until("the replica is up to date", async || {
        Ok(replica.info().await?.get("master_link_status") == Some("up"))
    })
    .await?;
    let seen = own(&replica).await?.ok_or("it does not see itself")?;
    assert!(seen.is(&NodeFlag::Replica));
    assert_eq!(seen.primary, Some(primary_id.clone()));
    cx.until("the primary knows its replica", async || {
        let replicas = primary.cluster_replicas(&primary_id).await?;
        Ok(replicas.iter().any(|node| node.id == replica_id))
    })
    .await?;
    let info = primary.cluster_info().await?;
    assert!(info.messages_sent > 0 && !info.messages_sent_by_kind.is_empty());
    assert!(info.messages_received_by_kind.values().all(|count| *count > 0));
    let nodes = primary.cluster_nodes().await?;
    let node =
        nodes.iter().find(|node| node.id == replica_id).ok_or("it does not see the other")?;
    assert!(node.pong_received > Some(UNIX_EPOCH + Duration::from_secs(1_600_000_000)));

    if cx.valkey_since(9, 0) {
        cx.step("CLUSTER REPLICATE NO ONE");
        replica.cluster_replicate_no_one().await?;
        assert_eq!(own(&replica).await?.and_then(|node| node.primary), None);
        replica.cluster_replicate(&primary_id).await?;
    }

    cx.step("CLUSTER FAILOVER");
    replica.execute(cmd::cluster_failover().force()).await?;
    replica.execute(cmd::cluster_failover().takeover()).await?;
    cx.until("the replica is a primary", async || {
        Ok(own(&replica).await?.is_some_and(|node| node.is(&NodeFlag::Primary)))
    })
    .await?;
    replica.cluster_forget(&primary_id).await?;
    Ok(())
}

async fn slots_move_between_cluster_nodes<S: Subject>(cx: Context<S>) -> Outcome {
    let servers = [start(&cx)?, start(&cx)?];
    let (from, to) = (servers[0].client::<S>()?, servers[1].client::<S>()?);
    from.cluster_addslotsrange([0..=8191]).await?;
    to.cluster_addslotsrange([8192..=16383]).await?;
    to.cluster_set_config_epoch(2).await?;
    let (from_id, to_id) = (from.cluster_myid().await?, to.cluster_myid().await?);
    from.cluster_meet("127.0.0.1", servers[1].server.port()).await?;
    until_met(&cx, &[&from, &to]).await?;
    cx.until("the cluster serves commands", async || {
        let states = [from.cluster_info().await?.state, to.cluster_info().await?.state];
        Ok(states == [ClusterState::Ok, ClusterState::Ok])
    })
    .await?;
    let ranges: [SlotRange; 2] = [(0..=10).into(), 20.into()];
    if has(&cx, "CLUSTER MIGRATION") {
        let id = to.cluster_migration_import(ranges).await?;
        cx.until("the slots have moved", async || {
            let tasks = to.cluster_migration_status(MigrationTasks::Id(id.clone())).await?;
            Ok(tasks.iter().any(|task| task.state == "completed"))
        })
        .await?;
        let tasks = to.cluster_migration_status(MigrationTasks::All).await?;
        let [task] = &tasks[..] else { return Err(format!("{tasks:?}").into()) };
        assert_eq!((&task.id, &task.source, &task.dest), (&id, &from_id, &to_id));
        assert_eq!((&task.slots[..], &task.operation), (&ranges[..], &MigrationOperation::Import));
        assert!(task.create_time <= task.start_time && task.start_time <= task.end_time);
        cx.saw("task", (&task.last_error, &task.other));
        let tasks = from.cluster_migration_status(MigrationTasks::All).await?;
        assert_eq!(tasks[0].operation, MigrationOperation::Export);
    } else {
        let moves = [SlotMove::to(&to_id, ranges), SlotMove::to(&to_id, [30.into()])];
        from.cluster_migrateslots(moves).await?;
        cx.until("the slots have moved", async || {
            let migrations = from.cluster_getslotmigrations().await?;
            Ok(migrations.iter().filter(|migration| migration.state == "success").count() == 2)
        })
        .await?;
        let migrations = from.cluster_getslotmigrations().await?;
        let of_both = migrations.iter().find(|migration| migration.slot_ranges == ranges);
        let of_both = of_both.ok_or("one migration is missing")?;
        assert_eq!((&of_both.source_node, &of_both.target_node), (&from_id, &to_id));
        assert_eq!((&of_both.operation, &*of_both.message), (&MigrationOperation::Export, ""));
        assert!(of_both.create_time <= of_both.last_update_time);
        cx.saw("migration", &of_both.other);
        let other = to.cluster_getslotmigrations().await?;
        assert!(other.iter().all(|other| other.operation == MigrationOperation::Import));
    }
    cx.until("the slots are where they belong", async || {
        let nodes = to.cluster_nodes().await?;
        let node = nodes.into_iter().find(|node| node.id == to_id);
        Ok(node.is_some_and(|node| node.slots.starts_with(&ranges)))
    })
    .await?;
    if has(&cx, "CLUSTERSCAN") {
        cx.step("CLUSTERSCAN");
        // `foo` is in slot 12182, which the second node serves.
        to.set("foo", 1).await?;
        to.set("{foo}bar", 2).await?;
        let scan = |cursor| cmd::clusterscan::<String>(cursor).slot(12182).count(100);
        let page = to.execute(scan(ClusterCursor::default())).await?;
        assert!(page.keys.is_empty() && !page.cursor.is_done());
        let page = to.execute(scan(page.cursor)).await?;
        assert_eq!(page.keys.into_iter().collect::<BTreeSet<_>>().len(), 2);
        assert!(page.cursor.is_done());
        let some = scan(ClusterCursor::default()).matching("*b?r").of_type("string");
        let page = to.execute(some).await?;
        let some = scan(page.cursor).matching("*b?r").of_type("string");
        assert_eq!(to.execute(some).await?.keys, ["{foo}bar"]);
    }
    Ok(())
}
