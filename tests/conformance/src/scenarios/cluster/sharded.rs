//! Shard channels of a cluster: subscribed where their slots are, wherever these go.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::mpsc;

use clusterkit::{Cluster, ClusterOptions, Node};
use redis_core::pubsub::MessageKind;
use redis_core::{Commands, Endpoint, ErrorKind, QueueCommands, slot_of};

use crate::client::PubSub;
use crate::scenario::{Context, Failure, LONG, Outcome, Scenario, failed};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(shard_channels_of_all_nodes_are_heard).needs_command("SSUBSCRIBE"),
        Scenario::new(nodes_with_a_backlog_are_read_in_turn).needs_command("SSUBSCRIBE"),
        Scenario::new(listening_ends_however_close_the_last_confirmations_are)
            .needs_command("SSUBSCRIBE"),
        Scenario::new(listening_ends_with_the_last_shard_channel).needs_command("SSUBSCRIBE"),
        Scenario::new(shard_channels_follow_their_slot).needs_command("SSUBSCRIBE"),
        Scenario::new(shard_channels_end_while_their_slot_moves).needs_command("SSUBSCRIBE"),
        Scenario::new(shard_channels_are_subscribed_at_who_takes_over).needs_command("SSUBSCRIBE"),
        Scenario::new(shard_channels_outlive_the_crash_of_their_node).needs_command("SSUBSCRIBE"),
    ]
}

/// Channels of all nodes, some of which share a slot.
fn names() -> Vec<Vec<u8>> {
    let mut names: Vec<_> = (0..20u8).map(|n| vec![b'c', 0xff, b'\r', b'\n', n]).collect();
    names.extend((0..3u8).map(|n| vec![b'{', b'a', b'}', n]));
    names
}

fn endpoint(node: &Node) -> Endpoint {
    Endpoint::Tcp { host: node.addr().ip().to_string(), port: node.port() }
}

/// The channels with subscribers, and how many these are, at all nodes that run.
async fn subscribed<S: Subject>(
    cx: &Context<S>,
    cluster: &Cluster,
) -> Result<BTreeMap<Vec<u8>, (u64, Node)>, Failure> {
    let mut all = BTreeMap::new();
    for node in cluster.nodes().into_iter().filter(|node| cluster.is_running(node)) {
        let client = cx.node_client(cluster, &node)?;
        let channels: Vec<Vec<u8>> = client.pubsub_shardchannels().await?;
        for (channel, count) in client.pubsub_shardnumsub::<Vec<u8>>(channels).await? {
            assert_eq!(all.insert(channel, (count, node.clone())), None, "it is at one node");
        }
    }
    Ok(all)
}

/// Invariant 11: what is wanted is what the servers have, each channel once, at its slot's node.
async fn is_as_wanted<S: Subject>(
    cx: &Context<S>,
    cluster: &Cluster,
    wanted: &[Vec<u8>],
) -> Outcome {
    let all = subscribed(cx, cluster).await?;
    let names: BTreeSet<_> = all.keys().cloned().collect();
    assert_eq!(names, wanted.iter().cloned().collect());
    for (channel, (count, node)) in all {
        assert_eq!(count, 1, "{}", channel.escape_ascii());
        assert_eq!(node, cluster.primary_of(slot_of(&channel))?);
    }
    Ok(())
}

async fn confirmed<S: Subject>(pubsub: &mut PubSub<S>, count: usize) -> Outcome {
    for _ in 0..count {
        let message = pubsub.get_message(LONG).await?.ok_or("a confirmation should come")?;
        assert_eq!(message.kind, MessageKind::SSubscribe);
    }
    Ok(())
}

/// Reads until there are so many notices that subscriptions are there again, over what goes wrong meanwhile.
async fn resubscribed<S: Subject>(pubsub: &mut PubSub<S>, notices: usize) -> Outcome {
    let mut seen = 0;
    while seen < notices {
        if let Ok(Some(message)) = pubsub.get_message(LONG).await {
            assert_eq!(message.kind, MessageKind::Resubscribed, "{message:?}");
            seen += 1;
        }
    }
    Ok(())
}

/// Publishes to each channel, and hears each once and nothing else; but `again` that there are some again.
async fn publish_and_hear<S: Subject>(
    cx: &Context<S>,
    cluster: &Cluster,
    pubsub: &mut PubSub<S>,
    channels: &[Vec<u8>],
    text: &str,
    again: bool,
) -> Outcome {
    let publisher = cx.client_of(cluster, |_| ())?;
    for channel in channels {
        assert_eq!(publisher.spublish(channel, text).await?, 1, "{}", channel.escape_ascii());
    }
    let mut missing: BTreeSet<_> = channels.iter().cloned().collect();
    while !missing.is_empty() {
        let message = pubsub.get_message(LONG).await?.ok_or("a message is missing")?;
        if message.kind == MessageKind::Resubscribed && again {
            continue;
        }
        assert_eq!((message.kind, message.text()), (MessageKind::SMessage, Some(text)));
        assert!(missing.remove(&message.channel[..]), "{message:?} comes twice");
    }
    Ok(())
}

async fn shard_channels_of_all_nodes_are_heard<S: Subject>(cx: Context<S>) -> Outcome {
    let cluster = cx.cluster();
    let (client, names) = (cx.client_of(&cluster, |_| ())?, names());
    let mut pubsub = client.pubsub();
    assert!(!pubsub.is_subscribed());
    pubsub.ssubscribe(&names).await?;
    pubsub.subscribe(&["c"]).await?;
    assert!(pubsub.is_subscribed());
    let mut kinds = BTreeMap::new();
    for _ in 0..names.len() + 1 {
        let message = pubsub.get_message(LONG).await?.ok_or("a confirmation should come")?;
        *kinds.entry(message.kind.as_str()).or_insert(0) += 1;
    }
    assert_eq!(kinds, [("subscribe", 1), ("ssubscribe", names.len())].into());
    is_as_wanted(&cx, &cluster, &names).await?;
    publish_and_hear(&cx, &cluster, &mut pubsub, &names, "to all", false).await?;
    cx.step("one node at a time");
    for node in cluster.primaries()? {
        let mut own = Vec::new();
        for name in &names {
            if cluster.primary_of(slot_of(name))? == node {
                own.push(name);
            }
        }
        for name in &own {
            assert_eq!(client.spublish(name, "m").await?, 1);
        }
        assert!(!own.is_empty());
        for name in own {
            let message = pubsub.get_sharded_message(Some(&endpoint(&node)), LONG).await?;
            assert_eq!(message.ok_or("a message should come")?.channel, name[..]);
        }
    }
    cx.step("a channel is not a shard channel's");
    client.publish("c", "unsharded").await?;
    client.spublish(&names[0], "sharded").await?;
    let message = pubsub.get_sharded_message(None, LONG).await?.ok_or("it should come")?;
    assert_eq!(message.text(), Some("sharded"));
    let message = pubsub.get_message(LONG).await?.ok_or("it should come")?;
    assert_eq!(message.text(), Some("unsharded"));
    cx.step("where nothing is subscribed");
    let replica = cluster.replicas_of(&cluster.primaries()?[0])?.remove(0);
    let error = failed(pubsub.get_sharded_message(Some(&endpoint(&replica)), LONG).await)?;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let mut of_node = cx.node_client(&cluster, &replica)?.pubsub();
    let error = failed(of_node.get_sharded_message(None, LONG).await)?;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    cx.step("a sign of life of each");
    pubsub.ping("all well").await?;
    for _ in 0..4 {
        let pong = pubsub.get_message(LONG).await?.ok_or("a pong should come")?;
        assert_eq!((pong.kind, pong.text()), (MessageKind::Pong, Some("all well")));
    }
    Ok(())
}

async fn nodes_with_a_backlog_are_read_in_turn<S: Subject>(cx: Context<S>) -> Outcome {
    let cluster = cx.cluster();
    let client = cx.client_of(&cluster, |_| ())?;
    let mut pubsub = client.pubsub();
    let mut channels = Vec::new();
    for node in cluster.primaries()? {
        let mut channel = String::from("turns");
        while cluster.primary_of(slot_of(channel.as_bytes()))? != node {
            channel.push('+');
        }
        channels.push((channel, node));
    }
    let names: Vec<_> = channels.iter().map(|(channel, _)| channel).collect();
    pubsub.ssubscribe(&names).await?;
    confirmed(&mut pubsub, names.len()).await?;
    for (channel, _) in &channels {
        // As one transaction: the node sends all of them at once.
        let mut pipeline = client.pipeline();
        pipeline.transaction(true);
        for n in 0..50 {
            pipeline.spublish(channel, n);
        }
        assert_eq!(pipeline.execute::<Vec<i64>>().await?, [1; 50]);
    }
    // Where the first has come all of them have.
    for (channel, node) in &channels {
        let message = pubsub.get_sharded_message(Some(&endpoint(node)), LONG).await?;
        assert_eq!(message.ok_or("a message should come")?.channel, channel.as_bytes());
    }
    let mut taken = BTreeMap::new();
    for _ in 0..20 * channels.len() {
        let message = pubsub.get_message(LONG).await?.ok_or("a message should come")?;
        *taken.entry(message.channel).or_insert(0) += 1;
    }
    assert!(taken.len() == channels.len() && taken.values().all(|n| *n == 20), "{taken:?}");
    Ok(())
}

async fn listening_ends_however_close_the_last_confirmations_are<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let cluster = cx.cluster();
    let (client, names) = (cx.client_of(&cluster, |_| ())?, names());
    let mut pubsub = client.pubsub();
    for turn in 0..100 {
        let some = &names[..1 + turn % names.len()];
        pubsub.ssubscribe(some).await?;
        confirmed(&mut pubsub, some.len()).await?;
        pubsub.sunsubscribe_all().await?;
        let heard = pubsub.heard(1000).await;
        let heard = heard.into_iter().collect::<redis_core::Result<Vec<_>>>()?;
        let others = heard.iter().filter(|message| message.kind != MessageKind::SUnsubscribe);
        assert_eq!((heard.len(), others.count()), (some.len(), 0), "turn {turn}: {heard:?}");
    }
    Ok(())
}

async fn listening_ends_with_the_last_shard_channel<S: Subject>(cx: Context<S>) -> Outcome {
    let cluster = cx.cluster();
    let (client, names) = (cx.client_of(&cluster, |_| ())?, names());
    let mut pubsub = client.pubsub();
    pubsub.ssubscribe(&names).await?;
    confirmed(&mut pubsub, names.len()).await?;
    pubsub.sunsubscribe(&names[..5]).await?;
    pubsub.sunsubscribe_all().await?;
    let heard: Vec<_> = pubsub.heard(1000).await.into_iter().collect::<redis_core::Result<_>>()?;
    let (ends, others): (Vec<_>, Vec<_>) =
        heard.into_iter().partition(|message| message.kind == MessageKind::SUnsubscribe);
    assert!(others.is_empty(), "{others:?}");
    let mut ended: Vec<_> = ends.into_iter().map(|message| message.channel.to_vec()).collect();
    ended.sort();
    let mut expected = names.clone();
    expected.sort();
    assert_eq!(ended, expected);
    assert!(!pubsub.is_subscribed());
    is_as_wanted(&cx, &cluster, &[]).await?;
    cx.step("handlers of all nodes");
    let (handled, seen) = mpsc::channel();
    for name in ["a", "b", "c"] {
        let handled = handled.clone();
        pubsub.ssubscribe_with(name, move |_| handled.send(name).unwrap_or_default()).await?;
    }
    pubsub.ssubscribe(&["unhandled"]).await?;
    let error = failed(pubsub.run_beside(|_| ControlFlow::Continue(())).map(drop))?;
    assert!(error.to_string().starts_with("shard channel `unhandled` has no handler"), "{error}");
    pubsub.sunsubscribe(&["unhandled"]).await?;
    let running = pubsub.run_beside(|_| ControlFlow::Continue(()))?;
    for name in ["a", "b", "c"] {
        cx.until("it is subscribed", async || Ok(client.spublish(name, "m").await? == 1)).await?;
    }
    cx.until("all are handled", async || {
        let mut all: BTreeSet<_> = ["a", "b", "c"].into();
        while !all.is_empty() {
            match seen.try_recv() {
                Ok(name) => drop(all.remove(name)),
                Err(_) => cx.sleep(std::time::Duration::from_millis(2)).await,
            }
        }
        Ok(true)
    })
    .await?;
    assert!(!pubsub.is_subscribed(), "it took them with it");
    running.stop();
    running.join().await;
    cx.until("its links are closed", async || Ok(client.spublish("a", "m").await? == 0)).await?;
    Ok(())
}

async fn shard_channels_follow_their_slot<S: Subject>(cx: Context<S>) -> Outcome {
    let cluster = cx.start_cluster(ClusterOptions::new().replicas(0)).await?;
    let client = cx.client_of(&cluster, |_| ())?;
    let mut pubsub = client.pubsub();
    let names = names();
    pubsub.ssubscribe(&names).await?;
    confirmed(&mut pubsub, names.len()).await?;
    let slot = slot_of(b"a");
    let home = cluster.primary_of(slot)?;
    let others = cluster.primaries()?.into_iter().filter(|node| *node != home);
    for (turn, node) in others.chain([home.clone()]).enumerate() {
        cx.step(format!("to another node, the move {turn}"));
        let (way, to) = (cluster.clone(), node.clone());
        cx.aside(move || way.move_slot(slot, &to)).await??;
        resubscribed(&mut pubsub, 1).await?;
        is_as_wanted(&cx, &cluster, &names).await?;
        publish_and_hear(&cx, &cluster, &mut pubsub, &names, &format!("{turn}"), false).await?;
    }
    cx.step("a handler comes with its channel");
    let (handled, seen) = mpsc::channel();
    let name = "{a}\0";
    pubsub
        .ssubscribe_with(name, move |message| {
            drop(handled.send(message.text().map(str::to_owned)));
        })
        .await?;
    confirmed(&mut pubsub, 1).await?;
    let to = cluster.primaries()?.into_iter().find(|node| *node != home).ok_or("one primary")?;
    let way = cluster.clone();
    cx.aside(move || way.move_slot(slot, &to)).await??;
    resubscribed(&mut pubsub, 1).await?;
    assert_eq!(client.spublish(name, "handled").await?, 1);
    assert_eq!(pubsub.get_message(LONG).await?, None);
    assert_eq!(seen.try_recv()?.as_deref(), Some("handled"));
    cx.step("the end");
    pubsub.sunsubscribe_all().await?;
    let ended = pubsub.heard(1000).await;
    assert_eq!(ended.len(), names.len());
    is_as_wanted(&cx, &cluster, &[]).await
}

async fn shard_channels_end_while_their_slot_moves<S: Subject>(cx: Context<S>) -> Outcome {
    let cluster = cx.start_cluster(ClusterOptions::new().replicas(0)).await?;
    let client = cx.client_of(&cluster, |_| ())?;
    let mut pubsub = client.pubsub();
    let names: Vec<_> = (0..40).map(|n| format!("{{a}}{n}").into_bytes()).collect();
    pubsub.ssubscribe(&names).await?;
    confirmed(&mut pubsub, names.len()).await?;
    let slot = slot_of(b"a");
    let home = cluster.primary_of(slot)?;
    let (gone, kept) = names.split_at(30);
    let others: Vec<_> = cluster.primaries()?.into_iter().filter(|node| *node != home).collect();
    for (turn, gone) in gone.chunks(10).enumerate() {
        let (way, to) = (cluster.clone(), [&others[0], &others[1], &home][turn].clone());
        let moving = cx.aside(move || way.move_slot(slot, &to));
        for name in gone {
            pubsub.sunsubscribe(std::slice::from_ref(name)).await?;
        }
        moving.await??;
    }
    let mut ended = BTreeSet::new();
    while ended.len() < gone.len() {
        if let Ok(Some(message)) = pubsub.get_message(LONG).await
            && message.kind == MessageKind::SUnsubscribe
        {
            assert!(ended.insert(message.channel));
        }
    }
    cx.step("what is wanted is where it belongs");
    let wanted: BTreeMap<_, _> =
        kept.iter().map(|name| (name.clone(), (1, home.clone()))).collect();
    while subscribed(&cx, &cluster).await? != wanted {
        // What has to be done for that needs no reader, but the blocking client's may do it.
        let _ = pubsub.get_message(std::time::Duration::from_millis(1)).await;
    }
    pubsub.ignore_subscribe_messages();
    publish_and_hear(&cx, &cluster, &mut pubsub, kept, "at last", true).await
}

async fn shard_channels_are_subscribed_at_who_takes_over<S: Subject>(cx: Context<S>) -> Outcome {
    let cluster = cx.start_cluster(ClusterOptions::new()).await?;
    let client = cx.client_of(&cluster, |_| ())?;
    let mut pubsub = client.pubsub();
    let names = names();
    pubsub.ssubscribe(&names).await?;
    confirmed(&mut pubsub, names.len()).await?;
    let old = cluster.primary_of(slot_of(b"a"))?;
    let replica = cluster.replicas_of(&old)?.remove(0);
    let (way, next) = (cluster.clone(), replica.clone());
    cx.aside(move || way.failover(&next)).await??;
    // A command finds out where no node has said so.
    client.set("a", 1).await?;
    resubscribed(&mut pubsub, 1).await?;
    cx.until("nothing is left behind", async || {
        let at_old = cx.node_client(&cluster, &old).map_err(|_| ErrorKind::Connect);
        let Ok(at_old) = at_old else { return Ok(false) };
        Ok(at_old.pubsub_shardchannels::<Vec<u8>>().await?.is_empty())
    })
    .await?;
    is_as_wanted(&cx, &cluster, &names).await?;
    publish_and_hear(&cx, &cluster, &mut pubsub, &names, "after", true).await
}

async fn shard_channels_outlive_the_crash_of_their_node<S: Subject>(cx: Context<S>) -> Outcome {
    let cluster = cx.start_cluster(ClusterOptions::new()).await?;
    let client = cx.client_of(&cluster, |_| ())?;
    let mut pubsub = client.pubsub();
    let names = names();
    pubsub.ssubscribe(&names).await?;
    confirmed(&mut pubsub, names.len()).await?;
    let old = cluster.primary_of(slot_of(b"a"))?;
    let replica = cluster.replicas_of(&old)?.remove(0);
    cluster.kill(&old)?;
    let way = cluster.clone();
    cx.aside(move || way.failover(&replica)).await??;
    resubscribed(&mut pubsub, 1).await?;
    is_as_wanted(&cx, &cluster, &names).await?;
    publish_and_hear(&cx, &cluster, &mut pubsub, &names, "after", true).await
}
