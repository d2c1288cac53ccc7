//! The blocking client on real clusters: three nodes with a third of the slots each.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::ops::RangeInclusive;
use std::thread;
use std::time::{Duration, Instant};

use redis_sync::cluster::Route;
use redis_sync::{
    Client, Cmd, Command, Commands, Config, Endpoint, Error, ErrorKind, Execute, QueueCommands,
    Result, Script, Value, cmd,
};
use testkit::servers::{self, Server, ServerOptions, Signal};

const PATIENCE: Duration = Duration::from_secs(60);

/// Three nodes, and what speaks to each of them alone.
struct Nodes {
    servers: Vec<Server>,
    plain: Vec<Client>,
}

const SLOTS: [RangeInclusive<u16>; 3] = [0..=5460, 5461..=10922, 10923..=16383];

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

impl Nodes {
    fn start() -> Self {
        Self::start_with(|options| options)
    }

    fn start_with(options: impl Fn(ServerOptions) -> ServerOptions) -> Self {
        let installed = servers::any().unwrap();
        let options = options(
            ServerOptions::new().cluster().arg("--cluster-require-full-coverage").arg("no"),
        );
        let servers: Vec<_> =
            (0..3).map(|_| Server::start(&installed, options.clone()).unwrap()).collect();
        let plain: Vec<_> =
            servers.iter().map(|server| Client::open(&server.url()).unwrap()).collect();
        for (at, (client, slots)) in plain.iter().zip(SLOTS).enumerate() {
            let run = |cmd: Cmd<()>| client.execute(cmd).unwrap();
            run(Cmd::raw("CLUSTER SET-CONFIG-EPOCH").arg(at + 1));
            run(Cmd::raw("CLUSTER ADDSLOTS").args(slots));
            run(Cmd::raw("CLUSTER MEET").arg("127.0.0.1").arg(servers[0].port()));
        }
        let nodes = Self { servers, plain };
        wait_until("all nodes know all slots", || {
            nodes.plain.iter().all(|client| {
                let info: String = client.execute(Cmd::raw("CLUSTER INFO")).unwrap();
                let shards: Vec<Value> = client.execute(Cmd::raw("CLUSTER SLOTS")).unwrap();
                info.contains("cluster_state:ok") && shards.len() == 3
            })
        });
        nodes
    }

    fn config(&self) -> Config {
        Config::cluster([self.endpoint(0)])
    }

    fn client(&self) -> Client {
        Client::new(self.config()).unwrap()
    }

    fn client_with(&self, change: impl FnOnce(&mut Config)) -> Client {
        let mut config = self.config();
        change(&mut config);
        Client::new(config).unwrap()
    }

    fn endpoint(&self, at: usize) -> Endpoint {
        Endpoint::Tcp { host: "127.0.0.1".into(), port: self.servers[at].port() }
    }

    fn id(&self, at: usize) -> String {
        self.plain[at].execute(Cmd::raw("CLUSTER MYID")).unwrap()
    }
}

/// The node that serves a key, from 0.
fn home(key: &str) -> usize {
    let slot = redis_core::slot_of(key.as_bytes());
    SLOTS.iter().position(|slots| slots.contains(&slot)).unwrap()
}

/// A key of each node.
const KEYS: [&str; 3] = ["b", "c", "a"];

fn raw(text: &str) -> Cmd<Value> {
    Cmd::raw(text)
}

#[test]
fn commands_go_to_the_nodes_that_serve_their_keys() {
    let nodes = Nodes::start();
    let client = nodes.client();
    assert_eq!(KEYS.map(home), [0, 1, 2]);
    for n in 0..1000 {
        client.set(format!("key:{n}"), n).unwrap();
    }
    for n in 0..1000 {
        assert_eq!(client.get::<usize>(format!("key:{n}")).unwrap(), Some(n));
    }
    for plain in &nodes.plain {
        assert!(plain.dbsize().unwrap() > 200);
    }
    let map = client.topology().unwrap();
    assert!(map.is_full() && map.nodes().len() == 3);
    let error = client.lpush("key:1", "x").unwrap_err();
    assert_eq!(error.code(), Some("WRONGTYPE"));
    assert!(nodes.plain[0].topology().is_none());
}
