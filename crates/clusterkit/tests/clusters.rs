//! Clusters come up whole on every server, change as they are told, and leave nothing behind.

#![allow(clippy::unwrap_used, reason = "helpers of tests are test code")]

use std::{
    collections::BTreeSet,
    io,
    net::TcpStream,
    path::Path,
    slice, thread,
    time::{Duration, Instant},
};

use clusterkit::{Cluster, ClusterOptions, Node, migrates_atomically};
use redis_core::{Commands, SLOTS, slot_of, types::ClientInfo};
use testkit::{
    servers::{self, Installed, ServerOptions, Version},
    skipped,
};

/// Every server there is without fetching, at least one.
fn all() -> Vec<Installed> {
    let any = servers::any().unwrap();
    let found = servers::discover(&servers::folder(), false).found;
    if found.is_empty() { vec![any] } else { found }
}

/// On several servers at a time: most of it is waiting.
fn on_each(check: impl Fn(Installed) + Sync) {
    for some in all().chunks(3) {
        thread::scope(|scope| {
            for installed in some {
                scope.spawn(|| check(installed.clone()));
            }
        });
    }
}

fn start(installed: &Installed, options: ClusterOptions) -> Cluster {
    Cluster::start(installed, options).unwrap_or_else(|error| panic!("{installed}: {error}"))
}

/// Three primaries and nothing else.
fn bare() -> ClusterOptions {
    ClusterOptions::new().replicas(0)
}

/// Primaries other than the one that serves the slot.
fn others(cluster: &Cluster, slot: u16) -> Vec<Node> {
    let own = cluster.primary_of(slot).unwrap();
    cluster.primaries().unwrap().into_iter().filter(|node| *node != own).collect()
}

#[test]
fn three_primaries_with_a_replica_each_serve_all_slots_on_every_server() {
    on_each(|installed| {
        let cluster = start(&installed, ClusterOptions::new());
        let nodes = cluster.nodes();
        assert_eq!(cluster.primaries().unwrap(), nodes[..3], "{installed}");
        for primary in 0..3 {
            let replicas = cluster.replicas_of(&nodes[primary]).unwrap();
            assert_eq!(replicas, nodes[primary + 3..][..1], "{installed}");
        }
        let serving: Vec<_> =
            [0, 5460, 5461, SLOTS - 1].map(|slot| cluster.primary_of(slot).unwrap()).into();
        assert_eq!(serving, [0, 0, 1, 2].map(|at| nodes[at].clone()), "{installed}");
        let addresses: Vec<_> = nodes.iter().map(ToString::to_string).collect();
        assert_eq!(cluster.url(), format!("redis+cluster://{}", addresses.join(",")));

        let owner = cluster.primary_of(slot_of(b"k")).unwrap();
        cluster.client(&owner).unwrap().set("k", 1).unwrap();
        let other = &others(&cluster, slot_of(b"k"))[0];
        let error = cluster.client(other).unwrap().get::<i64>("k").unwrap_err();
        assert_eq!(error.code(), Some("MOVED"), "{installed}: {error}");
        assert!(error.to_string().contains(&owner.to_string()), "{installed}: {error}");
        assert!(cluster.is_as_started(), "{installed}");
    });
}

#[test]
fn replica_takes_over_and_the_old_primary_follows_it_on_every_server() {
    on_each(|installed| {
        let cluster = start(&installed, ClusterOptions::new());
        let old = cluster.primary_of(0).unwrap();
        let replica = cluster.replicas_of(&old).unwrap().remove(0);
        cluster.failover(&replica).unwrap();
        cluster.wait_settled().unwrap();
        assert_eq!(cluster.primary_of(0).unwrap(), replica, "{installed}");
        assert_eq!(cluster.replicas_of(&replica).unwrap(), slice::from_ref(&old), "{installed}");
        assert!(!cluster.is_as_started(), "{installed}");
        let error = cluster.failover(&replica).unwrap_err().to_string();
        assert!(error.contains("is no replica"), "{installed}: {error}");

        cluster.kill(&replica).unwrap();
        assert!(!cluster.is_running(&replica));
        cluster.failover(&old).unwrap();
        cluster.wait_settled().unwrap();
        assert_eq!(cluster.primary_of(0).unwrap(), old, "{installed}, without its primary");
        cluster.restart(&replica).unwrap();
        cluster.wait_settled().unwrap();
        assert_eq!(cluster.replicas_of(&old).unwrap(), [replica], "{installed}");
        assert!(cluster.is_as_started(), "{installed}");
    });
}

#[test]
fn slot_moves_key_by_key_on_every_server() {
    on_each(|installed| {
        let cluster = start(&installed, bare().server(ServerOptions::new().password("p@ss:1")));
        assert!(cluster.url().starts_with("redis+cluster://:p%40ss%3A1@127.0.0.1:"));
        let slot = slot_of(b"{a}");
        let (from, to) = (cluster.primary_of(slot).unwrap(), others(&cluster, slot).remove(0));
        let (source, target) = (cluster.client(&from).unwrap(), cluster.client(&to).unwrap());
        for number in 0..10 {
            source.set(format!("{{a}}{number}"), number).unwrap();
        }
        let moving = cluster.begin_move(slot, &to).unwrap();
        assert!(!cluster.is_as_started(), "{installed}");
        assert_eq!(cluster.move_keys(&moving, 4).unwrap(), 4, "{installed}");
        assert_eq!(target.cluster_countkeysinslot(slot).unwrap(), 4, "{installed}");
        let error = source.get::<i64>("{a}missing").unwrap_err();
        assert_eq!(error.code(), Some("ASK"), "{installed}");
        cluster.end_move(&moving).unwrap();
        assert_eq!(cluster.primary_of(slot).unwrap(), to, "{installed}");
        assert_eq!(target.cluster_countkeysinslot(slot).unwrap(), 10, "{installed}");
        assert_eq!(target.get::<i64>("{a}7").unwrap(), Some(7), "{installed}");

        cluster.move_slot(slot, &from).unwrap();
        assert_eq!(source.get::<i64>("{a}7").unwrap(), Some(7), "{installed}");
        let moving = cluster.begin_move(slot, &to).unwrap();
        cluster.cancel_move(&moving).unwrap();
        assert_eq!(source.get::<i64>("{a}missing").unwrap(), None, "{installed}");
        assert!(cluster.is_as_started(), "{installed}");
    });
}

#[test]
fn slots_move_all_at_once_where_the_server_can() {
    on_each(|installed| {
        let can = migrates_atomically(&installed);
        let cluster = start(&installed, bare().primaries(2));
        let to = others(&cluster, 0).remove(0);
        let moved = cluster.migrate_slots_atomically(0..=9, &to);
        if !can {
            let error = moved.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::Unsupported, "{error}");
            return;
        }
        moved.unwrap_or_else(|error| panic!("{installed}: {error}"));
        assert_eq!(cluster.primary_of(9).unwrap(), to, "{installed}");
        assert_ne!(cluster.primary_of(10).unwrap(), to, "{installed}");
        let from = cluster.primary_of(10).unwrap();
        cluster.migrate_slots_atomically(0..=9, &from).unwrap();
        cluster.migrate_slots_atomically(0..=9, &to).unwrap();
        assert_eq!(cluster.primary_of(0).unwrap(), to, "{installed}, again");
    });
}

#[test]
fn nodes_come_and_go_on_every_server() {
    on_each(|installed| {
        let cluster = start(&installed, bare().primaries(2));
        let primary = cluster.add_node().unwrap();
        assert_eq!(cluster.nodes().len(), 3, "{installed}");
        cluster.move_slot(0, &primary).unwrap();
        let replica = cluster.add_node().unwrap();
        cluster.replicate(&replica, &primary).unwrap();
        cluster.wait_settled().unwrap();
        assert_eq!(
            cluster.replicas_of(&primary).unwrap(),
            slice::from_ref(&replica),
            "{installed}"
        );

        let error = cluster.remove_node(&primary).unwrap_err().to_string();
        assert!(error.contains("has slots"), "{installed}: {error}");
        cluster.remove_node(&replica).unwrap();
        cluster.move_slot(0, &cluster.nodes()[0]).unwrap();
        cluster.remove_node(&primary).unwrap();
        cluster.wait_settled().unwrap();
        assert_eq!(cluster.nodes().len(), 2, "{installed}");
        assert!(cluster.is_as_started(), "{installed}");
        assert_eq!(cluster.kill(&primary).unwrap_err().kind(), io::ErrorKind::NotFound);
    });
}

#[test]
fn replica_takes_over_by_itself_where_that_is_asked_for() {
    let options =
        ClusterOptions::new().automatic_failover().node_timeout(Duration::from_millis(1500));
    let cluster = start(&servers::any().unwrap(), options);
    let old = cluster.primary_of(0).unwrap();
    let replica = cluster.replicas_of(&old).unwrap().remove(0);
    cluster.stop(&old).unwrap();
    cluster.wait_settled().unwrap();
    assert_eq!(cluster.primary_of(0).unwrap(), replica);
    cluster.go_on(&old).unwrap();
    cluster.wait_settled().unwrap();
    assert_eq!(cluster.replicas_of(&replica).unwrap(), [old]);
}

#[test]
fn nodes_call_themselves_by_a_host_name() {
    on_each(|installed| {
        let options = bare().primaries(1).hostname("localhost");
        if installed.version < Version::new(7, 0, 0) {
            let error = Cluster::start(&installed, options).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::Unsupported, "{error}");
            return;
        }
        let cluster = start(&installed, options);
        let slots = cluster.client(&cluster.nodes()[0]).unwrap().cluster_slots().unwrap();
        assert!(format!("{slots:?}").contains("localhost"), "{installed}: {slots:?}");
    });
}

#[test]
fn nodes_take_the_ports_that_were_asked_for() {
    let installed = servers::any().unwrap();
    let free = start(&installed, bare().primaries(1)).nodes()[0].port();
    let cluster = match Cluster::start(&installed, bare().primaries(1).first_port(free)) {
        Ok(cluster) => cluster,
        Err(error) => return skipped(format_args!("someone else took the port: {error}")),
    };
    assert_eq!(cluster.nodes()[0].port(), free);
    let taken = Cluster::start(&installed, bare().primaries(1).first_port(free)).unwrap_err();
    assert!(taken.to_string().contains("in use"), "{taken}");
    let beyond = Cluster::start(&installed, bare().primaries(1).first_port(55_536)).unwrap_err();
    assert_eq!(beyond.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn what_is_done_to_a_cluster_leaves_no_connection_to_its_nodes() {
    let cluster = start(&servers::any().unwrap(), ClusterOptions::new());
    let replica = cluster.replicas_of(&cluster.primary_of(0).unwrap()).unwrap().remove(0);
    cluster.failover(&replica).unwrap();
    cluster.wait_settled().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    for node in cluster.nodes() {
        let client = cluster.client(&node).unwrap();
        // Replicas and their primaries are connected with each other.
        let is_ours = |other: &ClientInfo| !other.flags.contains(['S', 'M']);
        let others = || client.client_list().unwrap().into_iter().filter(is_ours).count();
        while others() != 1 {
            assert!(Instant::now() < deadline, "{node}: {:?}", client.client_list().unwrap());
            thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn panic_in_the_owning_thread_leaves_no_process_and_no_folder() {
    let cluster = start(&servers::any().unwrap(), bare().primaries(2));
    let ports: BTreeSet<_> = cluster.nodes().iter().map(Node::port).collect();
    let client = cluster.client(&cluster.nodes()[0]).unwrap();
    let info = client.config_get("dir").unwrap();
    let folder = info.into_values().next().unwrap();
    assert!(Path::new(&folder).is_dir(), "{folder}");
    let owner = thread::spawn(move || {
        let _cluster = cluster;
        panic!("on purpose");
    });
    assert!(owner.join().is_err());
    assert!(!Path::new(&folder).exists());
    for port in ports {
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    }
}
