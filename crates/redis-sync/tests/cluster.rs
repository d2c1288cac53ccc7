//! The blocking client on clusters of real servers.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use clusterkit::{Cluster, ClusterOptions, Node};
use redis_sync::cluster::Route;
use redis_sync::types::Cursor;
use redis_sync::{
    Client, Cmd, Commands, Config, Delivery, Endpoint, ErrorKind, Execute, MessageKind,
    QueueCommands, Result, Script, Value, cmd,
};
use testkit::servers::{self, ServerOptions};

const PATIENCE: Duration = Duration::from_secs(60);

/// A key of each node, in the order of the nodes: their slots are 3300, 7365 and 15495.
const KEYS: [&str; 3] = ["b", "c", "a"];
const SLOTS: [u16; 3] = [3300, 7365, 15495];

fn start_with(change: impl FnOnce(ClusterOptions) -> ClusterOptions) -> Cluster {
    let options =
        ClusterOptions::new().replicas(0).arg("--cluster-require-full-coverage").arg("no");
    Cluster::start(&servers::any().unwrap(), change(options)).unwrap()
}

fn start() -> (Cluster, Client) {
    let cluster = start_with(|options| options);
    let client = Client::open(&cluster.url()).unwrap();
    (cluster, client)
}

fn client_with(cluster: &Cluster, change: impl FnOnce(&mut Config)) -> Client {
    let mut config: Config = cluster.url().parse().unwrap();
    change(&mut config);
    Client::new(config).unwrap()
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The nodes by the slots of `KEYS`, and what speaks to each alone.
fn homes(cluster: &Cluster) -> ([Node; 3], [Client; 3]) {
    let nodes = SLOTS.map(|slot| cluster.primary_of(slot).unwrap());
    let clients = nodes.each_ref().map(|node| cluster.client(node).unwrap());
    (nodes, clients)
}

fn endpoint(node: &Node) -> Endpoint {
    Endpoint::Tcp { host: node.addr().ip().to_string(), port: node.port() }
}

#[test]
fn commands_go_to_the_nodes_that_serve_their_keys() {
    let (cluster, client) = start();
    assert!(client.topology().unwrap().nodes().is_empty(), "nothing was asked for yet");
    thread::scope(|scope| {
        for thread in 0..8 {
            let client = &client;
            scope.spawn(move || {
                for n in (thread..1000).step_by(8) {
                    client.set(format!("key:{n}"), n).unwrap();
                    assert_eq!(client.get::<usize>(format!("key:{n}")).unwrap(), Some(n));
                }
            });
        }
    });
    let map = client.topology().unwrap();
    assert!(map.is_full() && map.nodes().len() == 3);
    let error = client.lpush("key:1", "x").unwrap_err();
    assert_eq!(error.code(), Some("WRONGTYPE"));
    let wrong: Result<i64> = client.execute(Cmd::raw("GET").key("not a number"));
    assert_eq!(wrong.unwrap_err().kind(), ErrorKind::Decode);
    let (_, plain) = homes(&cluster);
    let sizes = plain.each_ref().map(|client| client.dbsize().unwrap());
    assert!(sizes.iter().all(|size| *size > 200));

    // Without keys.
    assert_eq!(client.dbsize().unwrap(), 1000);
    assert_eq!(client.keys::<String>("key:*").unwrap().len(), 1000);
    let pong: String = client.execute(Cmd::raw("PING")).unwrap();
    assert_eq!(pong, "PONG");
    let sha: String = client.script_load("return 'loaded'").unwrap();
    for client in &plain {
        assert_eq!(client.script_exists(&sha).unwrap(), [true]);
    }

    // Walks.
    let scan = cmd::scan::<String>(Cursor::START).matching("key:*").count(50);
    let all: BTreeSet<String> = client.scan_iter(scan).map(Result::unwrap).collect();
    assert_eq!(all.len(), 1000);
    client.hset("hash", [("field", "value")]).unwrap();
    let fields = client.scan_iter(cmd::hscan::<String, String>("hash", Cursor::START));
    let fields: Vec<_> = fields.map(Result::unwrap).collect();
    assert_eq!(fields, [("field".to_owned(), "value".to_owned())]);

    // In parts.
    let values: Vec<Option<usize>> = client.mget(["key:1", "none", "key:2", "key:3"]).unwrap();
    assert_eq!(values, [Some(1), None, Some(2), Some(3)]);
    assert_eq!(client.exists(["key:1", "key:2", "key:3", "none"]).unwrap(), 3);
    assert_eq!(client.del(["key:1", "key:2", "key:3", "none"]).unwrap(), 3);
    let pairs = [("a", 1), ("b", 2), ("c", 3)];
    let error = client.mset(pairs).unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::InvalidRequest, Delivery::NotSent));
    assert!(error.to_string().contains("key `b`"), "{error}");
    let splits = client_with(&cluster, |config| config.cluster.as_mut().unwrap().split_mset = true);
    splits.mset(pairs).unwrap();
    assert_eq!(client.mget::<i64>(["a", "b", "c"]).unwrap(), [Some(1), Some(2), Some(3)]);

    // Scripts: nobody has this one yet.
    let script = Script::<i64>::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
    for (n, key) in (11..).step_by(1).zip(["a", "b", "c"]) {
        assert_eq!(client.execute(script.key(key).arg(10)).unwrap(), n);
    }

    let loaded = Script::<Vec<i64>>::new("return {1}");
    client.node(&endpoint(&homes(&cluster).0[0])).execute(loaded.call()).unwrap();
    let all = client.route(Route::Primaries).execute_on_each(loaded.call()).unwrap();
    assert!(all.len() == 3 && all.iter().all(|(_, reply)| *reply == Ok(vec![1])), "{all:?}");

    // By hand.
    assert_eq!(client.route(Route::Primaries).dbsize().unwrap(), client.dbsize().unwrap());
    let routed = client.route(Route::Nodes);
    let each = routed.clone().execute_on_each(cmd::dbsize()).unwrap();
    let sum: i64 = each.iter().map(|(_, size)| *size.as_ref().unwrap() as i64).sum();
    assert_eq!((each.len(), sum), (3, client.dbsize().unwrap() as i64));
    let (nodes, _) = homes(&cluster);
    let at = Route::Node(endpoint(&nodes[0]));
    assert_eq!(client.route(at.clone()).dbsize().unwrap(), plain[0].dbsize().unwrap());
    let moved = client.route(at.clone()).get::<i64>("a").unwrap_err();
    assert_eq!(moved.code(), Some("MOVED"), "what a node says that was named is the answer");
    let each = client.route(at).execute_on_each(cmd::dbsize()).unwrap();
    assert_eq!(each[0].0, endpoint(&nodes[0]));
    let error = client.route(Route::Replicas).dbsize().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    let one = client.node(&endpoint(&nodes[0]));
    assert_eq!(one.get::<i64>("b").unwrap(), Some(12));
    assert!(one.topology().is_none());
    let error = one.route(Route::Nodes).dbsize().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let error = client.monitor().unwrap_err();
    assert!(error.to_string().contains("client.node("), "{error}");

    client.flushall().unwrap();
    assert!(plain.iter().all(|client| client.dbsize().unwrap() == 0));
}

#[test]
fn pools_are_those_of_the_nodes() {
    let (_cluster, client) = start();
    client.warm_up(2).unwrap();
    assert_eq!(client.stats().pool_open, 6);
    client.resize_pool(1).unwrap();
    assert_eq!(client.stats().pool_open, 3);
    assert_eq!(client.resize_pool(0).unwrap_err().kind(), ErrorKind::InvalidRequest);
    // One blocks the only connection of its node, and no other.
    thread::scope(|scope| {
        let pop = scope.spawn(|| client.blpop::<String, String>(["a"], None));
        wait_until("it blocks", || client.stats().pool_idle == 2);
        client.set("b", 1).unwrap();
        client.resize_pool(2).unwrap();
        client.rpush("a", "item").unwrap();
        assert_eq!(pop.join().unwrap().unwrap(), Some(("a".to_owned(), "item".to_owned())));
    });
}

#[test]
fn pipelines_reach_all_nodes_and_keep_their_order() {
    let (cluster, client) = start();
    client.set("text", "no number").unwrap();
    let mut pipeline = client.pipeline();
    for n in 0..1000 {
        match n {
            500 => pipeline.incr("text"),
            _ => pipeline.set(format!("key:{n}"), n).ignore().get(format!("key:{n}")),
        };
    }
    assert_eq!(pipeline.len(), 1999);
    let replies = pipeline.execute_all().unwrap();
    assert_eq!(replies.len(), 1000);
    for (n, reply) in replies.iter().enumerate() {
        match n {
            500 => assert_eq!(reply.as_ref().unwrap_err().code(), Some("ERR")),
            _ => assert_eq!(reply, &Ok(Value::String(n.to_string().into())), "{n}"),
        }
    }
    for n in 0..1000 {
        pipeline.get(format!("key:{n}"));
    }
    let mut seen = Vec::new();
    pipeline
        .execute_each(|index, value: Result<Option<usize>>| seen.push((index, value.unwrap())))
        .unwrap();
    let expected = |n: usize| (n, Some(n).filter(|n| *n != 500));
    assert!(seen.iter().enumerate().all(|(n, seen)| *seen == expected(n)), "{seen:?}");
    pipeline.set("a", 1).incr("text").set("b", 2);
    let error = pipeline.execute::<()>().unwrap_err();
    assert!(error.to_string().starts_with("command 2 of 3 (`INCR text`)"), "{error}");
    assert_eq!(client.get::<i64>("b").unwrap(), Some(2));
    let (a, b) = client.batch((cmd::get::<i64>("a"), cmd::incr("b"))).unwrap();
    assert_eq!((a, b), (Some(1), 3));
    let (values, size, n): (Vec<Option<i64>>, i64, i64) =
        client.pipeline().mget(["a", "b"]).dbsize().del(["a", "b", "c"]).execute().unwrap();
    assert_eq!((values, size, n), (vec![Some(1), Some(3)], 1002, 2));

    // More than any socket takes at once, to each node.
    let large = "x".repeat(1 << 20);
    for n in 0..30 {
        pipeline.set(format!("large:{n}"), &large);
    }
    pipeline.execute::<()>().unwrap();
    for n in 0..30 {
        pipeline.get(format!("large:{n}"));
    }
    let values: Vec<String> = pipeline.execute().unwrap();
    assert!(values.len() == 30 && values.iter().all(|value| *value == large));

    // Scripts, which no node has.
    let script = Script::<i64>::new("return redis.call('INCRBY', KEYS[1], 7)");
    let mut scripts = client.pipeline();
    for key in ["a", "b", "c", "a"] {
        redis_sync::Queue::queue(&mut scripts, script.key(key));
    }
    assert_eq!(scripts.execute::<Vec<i64>>().unwrap(), [7, 7, 7, 14]);

    // Transactions, in one slot.
    let mut transaction = client.pipeline();
    transaction.transaction(true).set("{a}1", 1).incr("{a}1");
    assert_eq!(transaction.execute::<((), i64)>().unwrap(), ((), 2));
    transaction.set("a", 1).set("b", 2);
    let error = transaction.execute::<()>().unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::InvalidRequest, Delivery::NotSent));
    assert!(error.to_string().contains("key `b`"), "{error}");
    assert_eq!(client.get::<i64>("a").unwrap(), Some(14), "nothing was sent");
    drop(cluster);
}

#[test]
fn commands_follow_slots_that_move() {
    let (cluster, client) = start();
    let (nodes, plain) = homes(&cluster);
    for key in KEYS {
        client.set(key, 0).unwrap();
    }
    cluster.move_slot(SLOTS[0], &nodes[1]).unwrap();
    assert_eq!(client.incr("b").unwrap(), 1);
    let mut pipeline = client.pipeline();
    pipeline.incr("a").incr("b").incr("c");
    assert_eq!(pipeline.execute::<(i64, i64, i64)>().unwrap(), (1, 2, 1));
    let knows = |client: &Client, slot, node: &Node| {
        let map = client.topology().unwrap();
        map.node_of(slot).is_some_and(|found| *found.endpoint() == endpoint(node))
    };
    wait_until("the map is refreshed", || knows(&client, SLOTS[0], &nodes[1]));
    // A transaction goes elsewhere as a whole.
    cluster.move_slot(SLOTS[0], &nodes[2]).unwrap();
    pipeline.transaction(true).incr("b").incr("b");
    assert_eq!(pipeline.execute::<(i64, i64)>().unwrap(), (3, 4));
    assert_eq!(plain[2].get::<i64>("b").unwrap(), Some(4));

    // On its way: some keys are here, some there.
    client.set("{c}2", 0).unwrap();
    let moving = cluster.begin_move(SLOTS[1], &nodes[0]).unwrap();
    cluster.move_keys(&moving, 1).unwrap();
    let mut pipeline = client.pipeline();
    for n in 1..50 {
        assert_eq!(client.incr("c").unwrap(), 2 * n);
        assert_eq!(client.incr("{c}2").unwrap(), 2 * n - 1);
        pipeline.incr("c").incr("a").incr("{c}2");
        assert_eq!(pipeline.execute::<(i64, i64, i64)>().unwrap(), (2 * n + 1, n + 1, 2 * n));
    }
    assert!(knows(&client, SLOTS[1], &nodes[1]), "ASK is no move");
    // Seen wherever they are.
    let keys = client.scan_iter(cmd::scan::<String>(Cursor::START));
    let keys: BTreeSet<String> = keys.map(Result::unwrap).collect();
    assert_eq!(keys, ["a", "b", "c", "{c}2"].map(str::to_owned).into());
    cluster.end_move(&moving).unwrap();
    assert_eq!(client.incr("c").unwrap(), 100);
}

#[test]
fn watches_end_where_slots_move_and_transactions_start_over() {
    let (cluster, client) = start();
    let (nodes, plain) = homes(&cluster);
    let error = client.watch(["a", "b"]).unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::InvalidRequest, Delivery::NotSent));
    assert!(error.to_string().contains("key `b`"), "{error}");

    let mut watched = client.watch("a").unwrap();
    assert_eq!(watched.get::<i64>("a").unwrap(), None);
    watched.multi().set("a", 1).execute::<((),)>().unwrap();
    let watched = client.watch("a").unwrap();
    client.set("a", 2).unwrap();
    let error = watched.multi().set("a", 3).execute::<()>().unwrap_err();
    assert!(error.is_watch(), "{error:?}");
    client.watch("a").unwrap().reset().unwrap();

    // Keys of other slots are not this connection's.
    let mut watched = client.watch("a").unwrap();
    let error = watched.get::<i64>("b").unwrap_err();
    assert!(error.to_string().contains("key `b` hashes to slot 3300, the watch is in"), "{error}");
    assert_eq!(watched.get::<i64>("{a}2").unwrap(), None);
    let error = watched.multi().set("a", 4).set("b", 4).execute::<()>().unwrap_err();
    assert!(error.to_string().starts_with("command 2: key `b`"), "{error}");
    assert_eq!(client.get::<i64>("a").unwrap(), Some(2));

    // The slot goes while it is watched.
    let watched = client.watch("b").unwrap();
    cluster.move_slot(SLOTS[0], &nodes[1]).unwrap();
    let error = watched.multi().set("b", 1).execute::<()>().unwrap_err();
    assert!(error.is_watch(), "{error:?}");
    let mut attempts = 0;
    let (_, last): (((),), i64) = client
        .transaction(["b"], |mut watched| {
            attempts += 1;
            let value: Option<i64> = watched.get("b")?;
            if attempts == 1 {
                cluster.move_slot(SLOTS[0], &nodes[2]).unwrap();
            }
            let next = value.unwrap_or(0) + 1;
            Ok(watched.multi().set("b", next).returning(next))
        })
        .unwrap();
    assert_eq!((attempts, last), (2, 1));
    assert_eq!(plain[2].get::<i64>("b").unwrap(), Some(1));

    // Many at once.
    client.set("n", 0).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let add = |mut watched: redis_sync::Watched| {
                        let n: i64 = watched.get("n")?.unwrap_or(0);
                        Ok(watched.multi().set("n", n + 1))
                    };
                    client.transaction::<((),), _, _>("n", add).unwrap();
                }
            });
        }
    });
    assert_eq!(client.get::<i64>("n").unwrap(), Some(100));
}

#[test]
fn a_frozen_node_holds_up_nobody_but_its_own_commands() {
    let (cluster, client) = start();
    let (nodes, plain) = homes(&cluster);
    for key in KEYS {
        client.set(key, 0).unwrap();
    }
    client.warm_up(1).unwrap();
    // Which the client does not know of yet.
    cluster.move_slot(SLOTS[1], &nodes[2]).unwrap();
    cluster.stop(&nodes[0]).unwrap();
    thread::scope(|scope| {
        let pipeline = scope
            .spawn(|| client.pipeline().incr("b").incr("a").incr("c").execute::<(i64, i64, i64)>());
        // A redirect is followed meanwhile.
        wait_until("what other nodes have runs", || plain[2].get::<i64>("c").unwrap() == Some(1));
        for n in 0..100 {
            assert_eq!(client.incr("c").unwrap(), n + 2);
        }
        assert!(!pipeline.is_finished());
        cluster.go_on(&nodes[0]).unwrap();
        assert_eq!(pipeline.join().unwrap().unwrap(), (1, 1, 1));
    });

    let hasty =
        client_with(&cluster, |config| config.command_timeout = Some(Duration::from_secs(2)));
    hasty.warm_up(1).unwrap();
    cluster.stop(&nodes[0]).unwrap();
    let mut pipeline = hasty.pipeline();
    pipeline.incr("b").incr("a").incr("b").incr("c");
    let replies = pipeline.execute_all().unwrap();
    assert_eq!((&replies[1], &replies[3]), (&Ok(Value::Integer(2)), &Ok(Value::Integer(102))));
    for reply in [&replies[0], &replies[2]] {
        let error = reply.as_ref().unwrap_err();
        assert_eq!((error.kind(), error.delivery()), (ErrorKind::Timeout, Delivery::MaybeExecuted));
        assert!(error.to_string().contains(&nodes[0].to_string()), "{error}");
    }
    // The handshake of another connection does not come to an end, unless one is left that asked for the map.
    pipeline.incr("b").incr("a").incr("c");
    let replies = pipeline.execute_all().unwrap();
    assert_eq!((&replies[1], &replies[2]), (&Ok(Value::Integer(3)), &Ok(Value::Integer(103))));
    let error = replies[0].as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_ne!(error.delivery(), Delivery::Replied);
    cluster.go_on(&nodes[0]).unwrap();
    client.incr("b").unwrap();
}

#[test]
fn a_node_that_is_gone_fails_its_own_commands() {
    let (cluster, client) = start();
    let (nodes, _) = homes(&cluster);
    for key in KEYS {
        client.set(key, 0).unwrap();
    }
    cluster.kill(&nodes[0]).unwrap();
    let mut pipeline = client.pipeline();
    for round in 1..20 {
        assert_eq!(client.incr("a").unwrap(), 2 * round - 1);
        let error = client.get::<i64>("b").unwrap_err();
        let kinds = [ErrorKind::Connect, ErrorKind::Io, ErrorKind::Server];
        assert!(kinds.contains(&error.kind()), "{error:?}");
        pipeline.incr("a").get("b").incr("c");
        let replies = pipeline.execute_all().unwrap();
        assert_eq!(
            (&replies[0], &replies[2]),
            (&Ok(Value::Integer(2 * round)), &Ok(Value::Integer(round)))
        );
        let error = replies[1].as_ref().unwrap_err();
        assert!(kinds.contains(&error.kind()), "{error:?}");
    }
}

#[test]
fn wrong_credentials_are_one_clear_error() {
    let cluster = start_with(|options| options.server(ServerOptions::new().password("right")));
    let client = Client::open(&cluster.url()).unwrap();
    client.set("a", 1).unwrap();
    let wrong = client_with(&cluster, |config| config.password = Some("wrong".into()));
    let error = wrong.get::<i64>("a").unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Auth, Delivery::NotSent), "{error}");
    let error = wrong.pipeline().get("a").get("b").execute::<()>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "{error}");
    let error = wrong.watch("a").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "{error}");
}

#[test]
fn no_node_that_answers_is_an_error_that_names_one() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut config: Config = format!("redis+cluster://{nobody}").parse().unwrap();
    config.command_timeout = Some(Duration::from_secs(3));
    config.cluster.as_mut().unwrap().refresh_interval = Duration::from_millis(10);
    let client = Client::new(config).unwrap();
    let error = client.get::<i64>("a").unwrap_err();
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Connect, Delivery::NotSent));
    assert!(error.to_string().contains(&nobody.to_string()), "{error}");
    let mut scan = client.scan_iter(cmd::scan::<String>(Cursor::START));
    let error = scan.next().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    assert!(scan.next().is_none());
    let error = client.pubsub().subscribe(["news"]).unwrap_err();
    assert!(error.to_string().contains(&nobody.to_string()), "{error}");
}

#[test]
fn subscribers_are_served_by_any_node_and_outlive_it() {
    let (cluster, client) = start();
    let (nodes, plain) = homes(&cluster);
    client.set("a", 1).unwrap();
    let mut pubsub = client.pubsub();
    pubsub.subscribe(["news"]).unwrap();
    let next = |pubsub: &mut redis_sync::PubSub| loop {
        match pubsub.get_message(PATIENCE) {
            Ok(message) => return message.expect("a message comes"),
            Err(error) => assert!(error.is_disconnected() || error.is_timeout(), "{error}"),
        }
    };
    assert_eq!(next(&mut pubsub).kind, MessageKind::Subscribe);
    for (n, client) in plain.iter().enumerate() {
        client.publish("news", n).unwrap();
        assert_eq!(next(&mut pubsub).text(), Some(&*n.to_string()));
    }
    let holds = |client: &Client| client.pubsub_numsub::<String>(["news"]).unwrap()[0].1 == 1;
    let at = plain.iter().position(holds).expect("one of them has the subscriber");
    cluster.kill(&nodes[at]).unwrap();
    assert_eq!(next(&mut pubsub).kind, MessageKind::Resubscribed);
    let other = &plain[(at + 1) % 3];
    other.publish("news", "again").unwrap();
    assert_eq!(next(&mut pubsub).text(), Some("again"));
    // New ones pass the dead one by.
    let subscribers: Vec<_> = (0..6).map(|_| client.pubsub()).collect();
    subscribers.iter().for_each(|pubsub| pubsub.subscribe(["others"]).unwrap());
}
