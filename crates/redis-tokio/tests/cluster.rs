//! The async client on clusters of real servers, where scenarios can't see: futures that are dropped, runtimes that
//! end.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::time::Duration;

use clusterkit::{Cluster, ClusterOptions};
use redis_tokio::{Client, Commands, QueueCommands, Value, cmd};
use testkit::servers;

fn start() -> (Cluster, Client) {
    let installed = servers::any().unwrap();
    let cluster = Cluster::start(&installed, ClusterOptions::new().replicas(0)).unwrap();
    let client = Client::open(&cluster.url()).unwrap();
    (cluster, client)
}

#[tokio::test]
async fn commands_and_pipelines_go_to_all_nodes() {
    let (_cluster, client) = start();
    for n in 0..100 {
        client.set(format!("k{n}"), n).await.unwrap();
    }
    for n in 0..100 {
        assert_eq!(client.get::<i64>(format!("k{n}")).await.unwrap(), Some(n));
    }
    let mut pipeline = client.pipeline();
    for n in 0..1000 {
        pipeline.incr(format!("k{}", n % 100));
    }
    pipeline.lpush("k0", "x").get("k1");
    let all = pipeline.execute_all().await.unwrap();
    assert_eq!(all.len(), 1002);
    for (n, reply) in all[..1000].iter().enumerate() {
        let n = n as i64;
        assert_eq!(reply, &Ok(Value::Integer(n % 100 + n / 100 + 1)));
    }
    assert_eq!(all[1000].as_ref().unwrap_err().code(), Some("WRONGTYPE"));
    assert_eq!(client.dbsize().await.unwrap(), 100);
    let (a, b) = client.batch((cmd::get::<i64>("k0"), cmd::incr("k5"))).await.unwrap();
    assert_eq!((a, b), (Some(10), 16));
    let values: Vec<Option<i64>> = client.mget(["k0", "k1", "none"]).await.unwrap();
    assert_eq!(values, [Some(10), Some(11), None]);
    let mut scan = client.scan_iter(cmd::scan::<String>(redis_tokio::types::Cursor::START));
    let mut keys = std::collections::BTreeSet::new();
    while let Some(key) = scan.next().await {
        keys.insert(key.unwrap());
    }
    assert_eq!(keys.len(), 100);
    let ((), n) = client
        .transaction(["k7"], async |mut watched| {
            let n: i64 = watched.get("k7").await?.unwrap();
            Ok(watched.multi().set("k7", n + 1).returning(n))
        })
        .await
        .unwrap();
    assert_eq!(client.get::<i64>("k7").await.unwrap(), Some(n + 1));
    let popper = client.clone();
    let pop = tokio::spawn(async move { popper.blpop::<String, String>(["list"], None).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    client.rpush("list", "item").await.unwrap();
    assert_eq!(pop.await.unwrap().unwrap(), Some(("list".into(), "item".into())));
    let mut pubsub = client.pubsub();
    pubsub.subscribe(["news"]).await.unwrap();
    assert!(pubsub.get_message(Duration::from_secs(20)).await.unwrap().is_some());
    client.publish("news", "hello").await.unwrap();
    let message = pubsub.get_message(Duration::from_secs(20)).await.unwrap().unwrap();
    assert_eq!(message.text(), Some("hello"));
}
