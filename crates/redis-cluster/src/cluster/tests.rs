use std::fmt::Write as _;

use redis_core::decode;

use super::*;
use crate::AddressMap;
use crate::address::{Address, Host};

fn at(port: u16) -> Endpoint {
    Endpoint::Tcp { host: "h".into(), port }
}

/// Ranges with a primary's port and its replicas', as `CLUSTER SLOTS` tells them.
pub(crate) fn view(shards: &[(u16, u16, u16, &[u16])]) -> Result<View> {
    let mut text = format!("*{}\r\n", shards.len());
    for (first, last, primary, replicas) in shards {
        write!(text, "*{}\r\n:{first}\r\n:{last}\r\n", 3 + replicas.len()).unwrap();
        for port in [primary].into_iter().chain(*replicas) {
            write!(text, "*2\r\n$1\r\nh\r\n:{port}\r\n").unwrap();
        }
    }
    decode(text.as_bytes())
}

const THREE: [(u16, u16, u16, &[u16]); 3] =
    [(0, 5460, 1, &[11]), (5461, 10922, 2, &[12]), (10923, 16383, 3, &[13])];

/// A cluster with one seed on port 9, which is not known yet.
fn unknown(change: impl FnOnce(&mut ClusterConfig)) -> (Cluster, Instant) {
    let mut settings = ClusterConfig::new([at(9)]);
    settings.check_interval = None;
    change(&mut settings);
    (Cluster::new(Arc::new(Config::default()), settings, 1), Instant::now())
}

/// Three primaries with a replica each: 1 and 11, 2 and 12, 3 and 13.
pub(crate) fn three(change: impl FnOnce(&mut ClusterConfig)) -> (Cluster, Instant) {
    let (mut cluster, now) = unknown(change);
    cluster.refresh(now);
    cluster.handle_timeout(now);
    let nodes = asked(&mut cluster);
    cluster.handle_view(now, nodes[0], view(&THREE));
    while !cluster.topology().is_full() || cluster.refresh.is_under_way() {
        for node in asked(&mut cluster) {
            cluster.handle_view(now, node, view(&THREE));
        }
    }
    while cluster.poll_action().is_some() {}
    (cluster, now)
}

fn asked(cluster: &mut Cluster) -> Vec<NodeId> {
    let actions = std::iter::from_fn(|| cluster.poll_action());
    actions
        .filter_map(|action| if let Action::Ask(node) = action { Some(node) } else { None })
        .collect()
}

fn port(cluster: &Cluster, node: NodeId) -> u16 {
    match cluster.endpoint(node) {
        Some(Endpoint::Tcp { port, .. }) => *port,
        _ => 0,
    }
}

fn owner(cluster: &Cluster, slot: u16) -> u16 {
    cluster.primary_of(slot).map_or(0, |node| port(cluster, node))
}

fn to(slot: u16, port: u16) -> Redirect {
    Redirect { slot, to: Address { host: Host::Same, port } }
}

/// Begins the refresh that is wanted.
fn begin(cluster: &mut Cluster) -> (Vec<NodeId>, Instant) {
    let due = cluster.poll_timeout().expect("a refresh is wanted");
    cluster.handle_timeout(due);
    (asked(cluster), due)
}

#[test]
fn nothing_is_asked_before_it_is_wanted_and_then_once() {
    let (mut cluster, now) = unknown(|_| {});
    cluster.handle_timeout(now);
    assert_eq!((cluster.poll_action(), cluster.poll_timeout()), (None, None));
    for _ in 0..5 {
        cluster.refresh(now);
        cluster.handle_timeout(now);
    }
    let seeds = asked(&mut cluster);
    assert_eq!(seeds.len(), 1, "one refresh at a time");
    assert_eq!(port(&cluster, seeds[0]), 9);
    cluster.handle_view(now, seeds[0], view(&THREE));
    assert_eq!(owner(&cluster, 6000), 2, "the first view is enough to begin with");
    assert_eq!(cluster.poll_action(), Some(Action::Changed));
    for node in asked(&mut cluster) {
        cluster.handle_view(now, node, view(&THREE));
    }
    assert_eq!(cluster.poll_action(), Some(Action::Forget(seeds[0])), "it goes by another name");
    assert_eq!(cluster.poll_action(), Some(Action::Changed));
}

#[test]
fn refreshes_are_throttled_whatever_calls_for_them() {
    let (mut cluster, now) = three(|_| {});
    let interval = cluster.settings().refresh_interval;
    let mut began = now;
    for _ in 0..20 {
        for slot in 0..50 {
            let from = cluster.primary_of(slot).unwrap();
            cluster.handle_moved(began, from, &to(slot, 3));
        }
        let (nodes, due) = begin(&mut cluster);
        assert!(due >= began + interval && due <= began + interval.mul_f64(1.3));
        assert_eq!(nodes.len(), 3);
        for node in nodes {
            assert!(cluster.poll_timeout().is_some());
            cluster.handle_view(due, node, view(&THREE));
        }
        assert_eq!(owner(&cluster, 7), 1);
        began = due;
    }
}

#[test]
fn ids_survive_refreshes_and_what_is_gone_is_forgotten() {
    let (mut cluster, now) = three(|_| {});
    let before: Vec<NodeId> = cluster.nodes().map(|(node, _)| node).collect();
    cluster.refresh(now);
    let (nodes, due) = begin(&mut cluster);
    let four: [(u16, u16, u16, &[u16]); 3] =
        [(0, 5460, 11, &[1]), (5461, 10922, 4, &[12]), (10923, 16383, 3, &[13])];
    nodes.iter().for_each(|node| cluster.handle_view(due, *node, view(&four)));
    let gone: Vec<_> = std::iter::from_fn(|| cluster.poll_action()).collect();
    let two = before[2];
    assert_eq!(gone, [Action::Forget(two), Action::Changed]);
    assert_eq!(cluster.endpoint(two), None);
    for (node, _) in cluster.nodes() {
        assert_eq!(before.contains(&node), port(&cluster, node) != 4);
    }
    assert_eq!((owner(&cluster, 0), owner(&cluster, 6000)), (11, 4));
}

#[test]
fn a_partial_view_replaces_nothing_and_others_are_asked() {
    let (mut cluster, now) = three(|settings| settings.views = 1);
    cluster.refresh(now);
    let (mut nodes, due) = begin(&mut cluster);
    let mut count = 0;
    while let Some(node) = nodes.pop() {
        count += 1;
        assert!(cluster.topology().is_full());
        cluster.handle_view(due, node, view(&[(0, 99, 4, &[])]));
        nodes = asked(&mut cluster);
    }
    assert!(count > 3, "{count} were asked");
    assert!(cluster.topology().is_full(), "what nobody knows better stays");
    assert_eq!((owner(&cluster, 5), owner(&cluster, 100)), (4, 1));
}

#[test]
fn a_first_view_that_is_partial_is_completed_by_the_nodes_it_names() {
    let (mut cluster, now) = unknown(|settings| settings.views = 1);
    cluster.refresh(now);
    cluster.handle_timeout(now);
    let seeds = asked(&mut cluster);
    cluster.handle_view(now, seeds[0], view(&THREE[..2]));
    let others = asked(&mut cluster);
    assert_eq!(others.len(), 1);
    cluster.handle_view(now, others[0], view(&THREE));
    assert!(cluster.topology().is_full());
    assert_eq!(asked(&mut cluster), []);
}

#[test]
fn a_redirect_counts_at_once_and_outlives_views_that_are_older() {
    let (mut cluster, now) = three(|_| {});
    let from = cluster.primary_of(5).unwrap();
    let node = cluster.handle_moved(now, from, &to(5, 3)).unwrap();
    assert_eq!((owner(&cluster, 5), owner(&cluster, 6), port(&cluster, node)), (3, 1, 3));
    let (nodes, due) = begin(&mut cluster);
    cluster.handle_moved(due, from, &to(6, 2));
    nodes.iter().for_each(|node| cluster.handle_view(due, *node, view(&THREE)));
    assert_eq!(owner(&cluster, 5), 1, "the views are younger than that");
    assert_eq!(owner(&cluster, 6), 2, "and older than this");
    assert!(cluster.poll_timeout().is_some(), "they may have been too old for more");
}

#[test]
fn redirects_of_every_form_are_followed() {
    let (mut cluster, now) = three(|_| {});
    let from = cluster.primary_of(5).unwrap();
    let mut ask = |host, port| {
        let to = Redirect { slot: 5, to: Address { host, port } };
        cluster.handle_ask(from, &to).map(|node| cluster.endpoint(node).unwrap().to_string())
    };
    let named = Host::Named("2001:db8::1".into());
    assert_eq!(ask(Host::Same, 2), Some("h:2".into()));
    assert_eq!(ask(named, 7), Some("[2001:db8::1]:7".into()));
    assert_eq!(ask(Host::Unknown, 7), None);
    assert_eq!(owner(&cluster, 5), 1, "ASK changes nothing");
    let unknown = Redirect { slot: 5, to: Address { host: Host::Unknown, port: 7 } };
    assert_eq!(cluster.handle_moved(now, from, &unknown), None);
    assert!(cluster.poll_timeout().is_some(), "but somebody may know");
    assert_eq!(cluster.poll_action(), None);
    assert_eq!(cluster.handle_moved(now, from, &to(5, 1)), Some(from));
    assert_eq!(cluster.poll_action(), Some(Action::Reopen(from)), "it sends to itself");
}

#[test]
fn a_node_that_ask_named_stays_although_no_view_knows_it() {
    let (mut cluster, now) = three(|_| {});
    let from = cluster.primary_of(5).unwrap();
    let new = cluster.handle_ask(from, &to(5, 77)).unwrap();
    for kept in [true, false] {
        cluster.refresh(now);
        let (nodes, due) = begin(&mut cluster);
        nodes.iter().for_each(|node| cluster.handle_view(due, *node, view(&THREE)));
        assert_eq!(cluster.endpoint(new).is_some(), kept);
    }
}

#[test]
fn seeds_are_asked_again_when_no_node_answers_and_waits_grow() {
    let (mut cluster, now) = three(|_| {});
    cluster.refresh(now);
    let (mut nodes, mut due) = begin(&mut cluster);
    let refused = || Err(Error::new(ErrorKind::Connect, "refused"));
    let mut ports = Vec::new();
    while !nodes.is_empty() {
        for node in nodes {
            ports.push(port(&cluster, node));
            cluster.handle_view(due, node, refused());
        }
        nodes = asked(&mut cluster);
    }
    ports.sort_unstable();
    assert_eq!(ports, [1, 2, 3, 9, 11, 12, 13]);
    assert!(cluster.topology().is_full());
    assert_eq!(cluster.poll_timeout(), None, "nobody wants it any more");
    cluster.refresh(due);
    for _ in 0..4 {
        (nodes, due) = begin(&mut cluster);
        while !nodes.is_empty() {
            nodes.iter().for_each(|node| cluster.handle_view(due, *node, refused()));
            nodes = asked(&mut cluster);
        }
        cluster.refresh(due);
    }
    assert!(cluster.nowhere("slot 5").to_string().contains("refused"));
}

#[test]
fn a_node_that_does_not_answer_is_not_waited_for() {
    let (mut cluster, now) = three(|_| {});
    cluster.refresh(now);
    let (nodes, due) = begin(&mut cluster);
    cluster.handle_view(due, nodes[0], view(&THREE));
    cluster.handle_view(due, nodes[0], view(&[(0, 16383, 4, &[])]));
    let late = cluster.poll_timeout().unwrap();
    assert!(late > due);
    cluster.handle_timeout(late);
    let others = asked(&mut cluster);
    assert_eq!(others.len(), 2, "two more in their place");
    others.iter().for_each(|node| cluster.handle_view(late, *node, view(&THREE)));
    cluster.handle_view(late, nodes[1], view(&[(0, 16383, 4, &[])]));
    assert!(!cluster.refresh.is_under_way());
    assert_eq!(owner(&cluster, 0), 1);
}

#[test]
fn the_map_is_looked_after_now_and_then() {
    let (mut cluster, now) =
        three(|settings| settings.check_interval = Some(Duration::from_secs(60)));
    let due = cluster.poll_timeout().unwrap();
    assert!(due >= now + Duration::from_secs(60) && due <= now + Duration::from_secs(75));
    let (nodes, _) = begin(&mut cluster);
    assert_eq!(nodes.len(), 3);
}

#[test]
fn announced_addresses_are_translated() {
    let (mut cluster, now) = unknown(|settings| {
        settings.address_map = AddressMap::from_fn(|_, port| Some(("out".into(), port + 100)));
    });
    cluster.refresh(now);
    cluster.handle_timeout(now);
    let seeds = asked(&mut cluster);
    cluster.handle_view(now, seeds[0], view(&THREE));
    let primary = cluster.primary_of(0).unwrap();
    assert_eq!(cluster.endpoint(primary).unwrap().to_string(), "out:101");
    let node = cluster.handle_moved(now, primary, &to(0, 2)).unwrap();
    assert_eq!(cluster.endpoint(node).unwrap().to_string(), "out:102");
    assert_eq!(cluster.primary_of(6000), Some(node));
}

#[test]
fn links_to_replicas_say_readonly_and_others_do_not() {
    let (cluster, _) = three(|_| {});
    let (node, _) = cluster.nodes().find(|(_, role)| *role == Role::Replica).unwrap();
    let config = cluster.link_config(node, Link::Replica).unwrap();
    assert_eq!(config.on_connect[0].words().collect::<Vec<_>>(), [b"READONLY"]);
    assert!(config.check().is_ok());
    assert_eq!(config.endpoint, at(11));
    assert!(cluster.link_config(node, Link::Primary).unwrap().on_connect.is_empty());
}

#[test]
fn reads_go_where_they_are_to_and_round_a_node_that_failed() {
    let (mut cluster, now) = three(|settings| settings.read_from = ReadFrom::PreferReplica);
    let find =
        |cluster: &Cluster, reads: Option<u32>, avoid| match cluster.find(5, reads, now, avoid) {
            Found::Node(node, link) => (port(cluster, node), link),
            Found::Nowhere => (0, Link::Primary),
        };
    assert_eq!(find(&cluster, None, None), (1, Link::Primary));
    assert_eq!(find(&cluster, Some(0), None), (11, Link::Replica));
    let replica = cluster.node_at(&at(11));
    assert_eq!(find(&cluster, Some(0), Some(replica)), (1, Link::Primary));
    cluster.handle_failure(now, replica);
    assert_eq!(find(&cluster, Some(0), None), (1, Link::Primary));
    cluster.handle_answer(replica, None);
    assert_eq!(find(&cluster, Some(0), None), (11, Link::Replica));
}

/// 1,000 nodes, 500 shards, slots in as many ranges.
fn large() -> Result<View> {
    let ends = |shard: u16| (u32::from(shard) * 16384 / 500) as u16;
    let replicas: Vec<[u16; 1]> = (0..500).map(|shard| [2000 + shard]).collect();
    let shards: Vec<(u16, u16, u16, &[u16])> = (0..500u16)
        .map(|shard| {
            (ends(shard), ends(shard + 1) - 1, 1000 + shard, &replicas[usize::from(shard)][..])
        })
        .collect();
    view(&shards)
}

#[test]
fn refreshing_a_thousand_nodes_asks_three_of_those_in_use_and_opens_nothing() {
    let (mut cluster, now) = unknown(|_| {});
    cluster.refresh(now);
    cluster.handle_timeout(now);
    let seeds = asked(&mut cluster);
    cluster.handle_view(now, seeds[0], large());
    for node in asked(&mut cluster) {
        cluster.handle_view(now, node, large());
    }
    while cluster.poll_action().is_some() {}
    assert_eq!(cluster.nodes().count(), 1000);
    let used: Vec<NodeId> = cluster.primaries().step_by(7).take(3).collect();
    used.iter().for_each(|node| cluster.handle_use(*node));
    for _ in 0..10 {
        cluster.refresh(now);
        let (mut nodes, due) = begin(&mut cluster);
        nodes.sort_unstable();
        assert_eq!(nodes, used, "those that have a connection already");
        let before: Vec<_> = cluster.nodes().collect();
        nodes.iter().for_each(|node| cluster.handle_view(due, *node, large()));
        assert_eq!(cluster.poll_action(), Some(Action::Changed));
        assert_eq!(cluster.poll_action(), None, "no node is opened, closed or asked");
        assert!(before.iter().copied().eq(cluster.nodes()), "every id stays");
    }
}

/// `cargo test --release -p redis-cluster refresh_costs -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
#[allow(clippy::print_stdout, reason = "it measures")]
fn refresh_costs() {
    let (mut cluster, now) = unknown(|_| {});
    cluster.refresh(now);
    cluster.handle_timeout(now);
    let seeds = asked(&mut cluster);
    cluster.handle_view(now, seeds[0], large());
    for node in asked(&mut cluster) {
        cluster.handle_view(now, node, large());
    }
    for parsed in [true, false] {
        let start = Instant::now();
        for _ in 0..100 {
            cluster.refresh(now);
            let (nodes, due) = begin(&mut cluster);
            let view = large();
            for node in nodes {
                let view = if parsed { large() } else { view.clone() };
                cluster.handle_view(due, node, view);
            }
            while cluster.poll_action().is_some() {}
        }
        println!("text and parsing {parsed}: {:?} a refresh of three views", start.elapsed() / 100);
    }
}

#[test]
fn what_any_node_serves_goes_round_and_leaves_out_those_that_failed() {
    let (cluster, now) = unknown(|settings| settings.seeds = vec![at(8), at(9)]);
    let of = |cluster: &Cluster| {
        let mut ports: Vec<_> = (0..6).map(|_| cluster.any_endpoint(now)).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    };
    assert_eq!(of(&cluster), [at(8), at(9)], "seeds, while there is no map");
    let (mut cluster, now) = three(|_| {});
    assert_eq!(of(&cluster), [at(1), at(2), at(3)]);
    let failed = cluster.primary_of(0).unwrap();
    cluster.handle_failure(now, failed);
    assert_eq!(of(&cluster), [at(2), at(3)]);
}
