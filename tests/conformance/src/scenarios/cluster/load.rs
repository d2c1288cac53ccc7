//! Counters that tasks count up while a cluster is changed: each knows what every one of its replies must be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use clusterkit::{Cluster, Node};
use redis_core::{Commands, Execute, QueueCommands, cmd};

use crate::client::Client;
use crate::scenario::{Context, Failure, Outcome};
use crate::subject::Subject;
use crate::task::Join;

/// Each way of sending has so many tasks.
const TASKS: usize = 2;

/// Tasks that go on until they are told to end, and fail at the first reply that is not right.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    /// How often each task that no half-moved slot holds up has gone around.
    rounds: Vec<Arc<AtomicU64>>,
    tasks: Vec<Join<Outcome>>,
}

impl Load {
    /// Begins, with keys in the slot of `tag` and elsewhere; returns when all tasks go around.
    pub(super) async fn start<S: Subject>(
        cx: &Context<S>,
        cluster: &Cluster,
        tag: &str,
    ) -> Result<Self, Failure> {
        // What has to wait for the end of a move may wait for it.
        let client = cx.client_of(cluster, patient)?;
        let mut load = Self { stop: Arc::default(), rounds: Vec::new(), tasks: Vec::new() };
        for task in 0..TASKS {
            let keys = |name: &str| {
                let tagged = (0..2).map(|n| format!("{{{tag}}}{name}:{task}:{n}"));
                tagged.chain((0..4).map(|n| format!("{name}:{task}:{n}"))).collect::<Vec<_>>()
            };
            let rounds: Arc<AtomicU64> = Arc::default();
            load.rounds.push(rounds.clone());
            let (own, stop) = (client.clone(), load.stop.clone());
            load.tasks.push(cx.spawn(one_by_one(own, keys("single"), stop, rounds)));
            let (own, stop) = (client.clone(), load.stop.clone());
            load.tasks.push(cx.spawn(together(own, keys("group"), stop)));
        }
        load.goes_on(cx).await?;
        Ok(load)
    }

    /// Returns when every task has gone around a few times more.
    pub(super) async fn goes_on<S: Subject>(&self, cx: &Context<S>) -> Outcome {
        let now = |rounds: &Arc<AtomicU64>| rounds.load(Ordering::Relaxed);
        let before: Vec<_> = self.rounds.iter().map(now).collect();
        cx.until("the load goes on", async || {
            let more = self.rounds.iter().zip(&before).all(|(at, before)| now(at) > before + 2);
            // What failed is told at the end.
            Ok(more || self.tasks.iter().any(Join::is_done))
        })
        .await?;
        Ok(())
    }

    /// Ends it.
    pub(super) async fn end<S: Subject>(self, cx: &Context<S>) -> Outcome {
        cx.step("waiting for the load to end");
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await??;
        }
        Ok(())
    }
}

/// For what waits until a slot has moved.
pub(super) fn patient(config: &mut redis_core::Config) {
    config.command_timeout = Some(Duration::from_secs(60));
    config.cluster.as_mut().expect("it is a cluster").max_redirects = 10_000;
}

/// Commands and pipelines, which know of one key each.
async fn one_by_one<S: Subject>(
    client: Client<S>,
    keys: Vec<String>,
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
) -> Outcome {
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        for key in &keys {
            assert_eq!(client.incr(key).await?, count + 1, "{key}");
        }
        let mut pipeline = client.pipeline();
        for key in &keys {
            pipeline.incr(key).get(key);
        }
        let values: Vec<i64> = pipeline.execute().await?;
        assert_eq!(values, vec![count + 2; 2 * keys.len()]);
        count += 2;
        rounds.fetch_add(1, Ordering::Relaxed);
    }
    let values: Vec<Option<i64>> = client.mget(&keys).await?;
    assert_eq!(values, vec![Some(count); keys.len()], "what was acknowledged is there once");
    Ok(())
}

/// Transactions, scripts and commands of several keys.
async fn together<S: Subject>(
    client: Client<S>,
    keys: Vec<String>,
    stop: Arc<AtomicBool>,
) -> Outcome {
    let mut count = 0;
    let both = "return redis.call('INCR', KEYS[1]) + redis.call('INCR', KEYS[2])";
    while !stop.load(Ordering::Relaxed) {
        let mut pipeline = client.pipeline();
        pipeline.transaction(true).incr(&keys[0]).incr(&keys[1]);
        assert_eq!(pipeline.execute::<(i64, i64)>().await?, (count + 1, count + 1));
        let sum: i64 = client.eval(both, &keys[..2], [""; 0]).await?;
        assert_eq!(sum, 2 * (count + 2));
        count += 2;
        pipeline.transaction(false);
        for key in &keys[2..] {
            pipeline.set(key, count).ignore();
        }
        let (values,): (Vec<Option<i64>>,) = pipeline.mget(&keys).execute().await?;
        assert_eq!(values, vec![Some(count); keys.len()]);
    }
    let values: Vec<Option<i64>> = client.mget(&keys).await?;
    assert_eq!(values, vec![Some(count); keys.len()], "what was acknowledged is there once");
    Ok(())
}

/// How often these nodes answered with this error.
pub(super) async fn errors<S: Subject>(
    cx: &Context<S>,
    cluster: &Cluster,
    nodes: &[Node],
    code: &str,
) -> Result<u64, Failure> {
    let mut count = 0;
    for node in nodes {
        let client = cx.node_client(cluster, node)?;
        let info = client.execute(cmd::info().sections("all")).await?;
        count += info.error_stats()?.get(code).copied().unwrap_or(0);
    }
    Ok(count)
}

/// How often these nodes ran this command, or for want of anything finer those of its name.
pub(super) async fn calls<S: Subject>(
    cx: &Context<S>,
    cluster: &Cluster,
    nodes: &[Node],
    name: &str,
) -> Result<u64, Failure> {
    let mut count = 0;
    for node in nodes {
        let client = cx.node_client(cluster, node)?;
        let info = client.execute(cmd::info().sections("all")).await?;
        let stats = info.command_stats()?;
        // Before Redis 7.0 subcommands are counted together.
        let found = stats.get(name).or_else(|| stats.get(name.split('|').next()?));
        count += found.map_or(0, |stats| stats.calls);
    }
    Ok(count)
}

/// Some primary that is not this one.
pub(super) fn another(cluster: &Cluster, than: &Node) -> Result<Node, Failure> {
    let found = cluster.primaries()?.into_iter().find(|node| node != than);
    Ok(found.ok_or("there is one primary alone")?)
}
