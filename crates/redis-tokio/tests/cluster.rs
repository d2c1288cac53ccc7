//! The async client on a cluster of real servers, where scenarios can't see: futures that are dropped, runtimes that
//! end.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::pin::pin;
use std::task::{Context, Waker};

use clusterkit::{Cluster, ClusterOptions};
use redis_tokio::{Client, Commands, QueueCommands};
use testkit::servers;
use tokio::runtime::{Builder, Runtime};

fn start() -> (Cluster, Client) {
    let installed = servers::any().unwrap();
    let cluster = Cluster::start(&installed, ClusterOptions::new().replicas(0)).unwrap();
    let client = Client::open(&cluster.url()).unwrap();
    (cluster, client)
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn requests_that_are_dropped_disturb_nobody() {
    let (_cluster, client) = start();
    runtime().block_on(async {
        for n in 0..200 {
            let mut pipeline = client.pipeline();
            for key in 0..30 {
                pipeline.incr(format!("{n}:{key}"));
            }
            {
                // The first ones are dropped while nothing is known of the cluster, others before and after writing.
                let mut execute = pin!(pipeline.execute::<Vec<i64>>());
                let mut cx = Context::from_waker(Waker::noop());
                for _ in 0..n % 4 {
                    if execute.as_mut().poll(&mut cx).is_ready() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            let (a, b) = (format!("a:{n}"), format!("b:{n}"));
            client.pipeline().set(&a, n).set(&b, n + 1).execute::<()>().await.unwrap();
            let (first, second) = (client.get::<i64>(&a), client.get::<i64>(&b));
            assert_eq!((first.await.unwrap(), second.await.unwrap()), (Some(n), Some(n + 1)));
        }
    });
}

#[test]
fn client_outlives_the_runtime_that_kept_its_map() {
    let (_cluster, client) = start();
    for round in 1..=3 {
        // What the one before drove ends with it: connections, and who asks for the map.
        runtime().block_on(async {
            for key in 0..20 {
                let key = format!("k:{key}");
                assert_eq!(client.incr(&key).await.unwrap(), round);
            }
        });
    }
}
