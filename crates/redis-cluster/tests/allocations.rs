//! What a request costs: counted, not timed.

use std::sync::Arc;
use std::time::Instant;

use allocation_counter::measure;
use bytes::Bytes;
use redis_cluster::{Action, Cluster, ClusterConfig, Exchange, Options};
use redis_core::pipeline::Pipeline;
use redis_core::send::SendBuffer;
use redis_core::{Cmd, Command as _, Config, Endpoint, cmd, decode};

fn cluster(now: Instant) -> Cluster {
    let seed = Endpoint::Tcp { host: "h".into(), port: 1 };
    let mut cluster = Cluster::new(Arc::new(Config::default()), ClusterConfig::new([seed]), 1);
    cluster.refresh(now);
    cluster.handle_timeout(now);
    let view = b"*2\r\n*3\r\n:0\r\n:8191\r\n*2\r\n$1\r\nh\r\n:1\r\n\
        *3\r\n:8192\r\n:16383\r\n*2\r\n$1\r\nh\r\n:2\r\n";
    while let Some(action) = cluster.poll_action() {
        if let Action::Ask(node) = action {
            cluster.handle_view(now, node, decode(view));
        }
    }
    assert!(cluster.topology().is_full());
    cluster
}

#[test]
fn a_command_that_is_answered_at_once_allocates_nothing() {
    let now = Instant::now();
    let mut cluster = cluster(now);
    let get = cmd::get::<String>("key").into_cmd();
    let reply = Bytes::from_static(b"$5\r\nvalue\r\n");
    let mut out = SendBuffer::default();
    get.encode(&mut out);
    let info = measure(|| {
        for _ in 0..100 {
            let mut exchange = Exchange::new(&cluster, &get, Options::default()).unwrap();
            let send = exchange.poll_send(now, &mut cluster).unwrap();
            out.advance(out.len());
            exchange.write(&send, &get, &mut out);
            exchange.handle_replies(now, &mut cluster, send.id, reply.clone()).unwrap();
            assert!(exchange.is_over());
            assert_eq!(exchange.take_reply().unwrap(), reply);
        }
    });
    assert_eq!(info.count_total, 0);
}

#[test]
fn commands_of_a_pipeline_allocate_nothing_each() {
    let now = Instant::now();
    let mut cluster = cluster(now);
    let mut count = |commands: usize| {
        let mut pipeline = Pipeline::atomic();
        pipeline.set_transaction(false);
        pipeline.mark();
        (0..commands).for_each(|n| pipeline.push(Cmd::<()>::new(lookup()).key(n as i64)));
        let sent = pipeline.take().unwrap().unwrap();
        let replies: Bytes = "+OK\r\n".repeat(commands).into();
        let info = measure(|| {
            let mut exchange = Exchange::new(&cluster, &sent, Options::default()).unwrap();
            while let Some(send) = exchange.poll_send(now, &mut cluster) {
                let frames = replies.slice(..5 * send.replies as usize);
                exchange.handle_replies(now, &mut cluster, send.id, frames).unwrap();
            }
            assert!(exchange.is_over());
        });
        info.count_total
    };
    let (few, many) = (count(10), count(10_000));
    assert_eq!(few, many);
}

fn lookup() -> &'static redis_core::CommandInfo {
    redis_core::lookup(&[b"GET"]).expect("GET is in the table")
}
