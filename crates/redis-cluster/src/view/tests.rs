use proptest::prelude::*;
use redis_core::decode;

use super::*;
use crate::AddressMap;

fn s(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

fn i(n: i64) -> String {
    format!(":{n}\r\n")
}

fn a(values: &[String]) -> String {
    format!("*{}\r\n{}", values.len(), values.concat())
}

/// A map: as such under RESP3, as a flat list under RESP2.
fn m(resp3: bool, pairs: &[(&str, String)]) -> String {
    let flat: String = pairs.iter().map(|(key, value)| s(key) + value).collect();
    if resp3 {
        format!("%{}\r\n{flat}", pairs.len())
    } else {
        format!("*{}\r\n{flat}", 2 * pairs.len())
    }
}

fn null(resp3: bool) -> String {
    if resp3 { "_\r\n".into() } else { "$-1\r\n".into() }
}

fn tcp(host: &str, port: u16) -> Endpoint {
    Endpoint::Tcp { host: host.into(), port }
}

fn seen_from(reply: &str, answered: &Endpoint, tls: bool) -> Topology {
    let map = AddressMap::default();
    decode::<View>(reply.as_bytes()).unwrap().topology(&Origin { answered, tls, map: &map })
}

fn seen(reply: &str) -> Topology {
    seen_from(reply, &tcp("seed.example", 7000), false)
}

/// `host:port*` for each node that serves a slot: the primary, then its replicas.
fn serving(topology: &Topology, slot: u16) -> Vec<String> {
    let nodes = topology.node_of(slot).into_iter().chain(topology.replicas_of(slot));
    nodes.map(|node| node.endpoint().to_string()).collect()
}

#[test]
fn slots_of_redis_6_2_are_read() {
    let primary = a(&[s("127.0.0.1"), i(18067), s("0934fe2490303a00334c2916ffc598b725ad0e19")]);
    let replica = a(&[s("127.0.0.1"), i(18068), s("71064d7e5551f2176ac9753b2e6fba751437a2be")]);
    let topology = seen(&a(&[a(&[i(0), i(16383), primary, replica])]));
    assert!(topology.is_full());
    assert_eq!(serving(&topology, 16383), ["127.0.0.1:18067", "127.0.0.1:18068"]);
    let primary = topology.node_of(0).unwrap();
    assert_eq!(primary.id(), Some("0934fe2490303a00334c2916ffc598b725ad0e19"));
    assert_eq!((primary.role(), primary.health()), (Role::Primary, Health::Online));
    assert_eq!(topology.nodes()[1].role(), Role::Replica);
}

#[test]
fn slots_with_metadata_name_the_zone_and_prefer_the_preferred_host() {
    for resp3 in [false, true] {
        let metadata = m(
            resp3,
            &[("ip", s("127.0.0.1")), ("future", a(&[i(1)])), ("availability-zone", s("zone-a"))],
        );
        let node = a(&[s("node.example"), i(18045), s("f385"), metadata, s("more"), i(1)]);
        let topology = seen(&a(&[a(&[i(0), i(16383), node])]));
        assert_eq!(serving(&topology, 1), ["node.example:18045"]);
        assert_eq!(topology.nodes()[0].zone(), Some("zone-a"));
    }
}

#[test]
fn host_that_is_null_or_empty_is_the_one_that_answered() {
    for resp3 in [false, true] {
        for host in [null(resp3), s("")] {
            let metadata = m(resp3, &[("ip", s("127.0.0.1")), ("hostname", s("node.example"))]);
            let node = a(&[host, i(18047), s("553c"), metadata]);
            let reply = a(&[a(&[i(0), i(16383), node])]);
            assert_eq!(serving(&seen(&reply), 1), ["seed.example:18047"]);
            let socket = Endpoint::Unix("/run/redis.sock".into());
            let topology = seen_from(&reply, &socket, false);
            assert_eq!(serving(&topology, 1), ["127.0.0.1:18047"], "no host to reuse");
        }
    }
    let alone = a(&[a(&[i(0), i(16383), a(&[s(""), i(6379), s("553c"), a(&[])])])]);
    let socket = Endpoint::Unix("/run/redis.sock".into());
    assert_eq!(seen_from(&alone, &socket, false).node_of(1).unwrap().endpoint(), &socket);
}

#[test]
fn unknown_host_is_replaced_by_the_ip_or_leaves_its_slots_uncovered() {
    let node = |metadata| a(&[s("?"), i(1), s("id"), metadata]);
    let with = |pairs: &[(&str, String)]| seen(&a(&[a(&[i(0), i(16383), node(m(false, pairs))])]));
    assert_eq!(serving(&with(&[("ip", s("::1"))]), 1), ["[::1]:1"]);
    let both = [("hostname", s("n.example")), ("ip", s("10.0.0.1"))];
    assert_eq!(serving(&with(&both), 1), ["10.0.0.1:1"]);
    assert_eq!(serving(&with(&[("hostname", s("n.example"))]), 1), ["n.example:1"]);
    let topology = with(&[("ip", s(""))]);
    assert_eq!((topology.coverage(), topology.nodes().len()), (0, 0));
}

#[test]
fn nodes_that_are_null_or_have_no_port_are_left_out() {
    let good = || a(&[s("h"), i(1), s("id")]);
    let range = |first, last, nodes: &[String]| a(&[&[i(first), i(last)], nodes].concat());
    let topology = seen(&a(&[
        range(0, 9, &[good(), null(false), a(&[s("h"), i(0), s("x")]), a(&[])]),
        range(10, 19, &[null(true), good()]),
        range(20, 29, &[]),
        range(30, 39, &[a(&[s("h"), null(true)])]),
        range(40, 49, &[a(&[s("h"), i(65536)])]),
    ]));
    assert_eq!(topology.coverage(), 10);
    assert_eq!(topology.nodes().len(), 1);
    assert_eq!(serving(&topology, 9), ["h:1"]);
}

#[test]
fn ranges_of_one_primary_are_one_shard() {
    let node = |port| a(&[s("h"), i(port), s(&format!("id{port}"))]);
    let topology = seen(&a(&[
        a(&[i(0), i(99), node(1), node(2)]),
        a(&[i(100), i(199), node(3)]),
        a(&[i(200), i(299), node(1), node(4), node(2)]),
    ]));
    assert_eq!(topology.primaries().count(), 2);
    assert_eq!(serving(&topology, 0), ["h:1", "h:2", "h:4"]);
    assert_eq!(serving(&topology, 299), ["h:1", "h:2", "h:4"]);
    assert_eq!(serving(&topology, 100), ["h:3"]);
}

#[test]
fn node_that_is_primary_and_replica_is_a_primary() {
    let node = |port| a(&[s("h"), i(port)]);
    let topology =
        seen(&a(&[a(&[i(0), i(9), node(1), node(2)]), a(&[i(10), i(19), node(2), node(1)])]));
    assert_eq!(serving(&topology, 0), ["h:1"]);
    assert_eq!(serving(&topology, 10), ["h:2"]);
    assert_eq!(topology.nodes()[1].role(), Role::Primary);
}

fn shard_node(resp3: bool, port: i64, role: &str, health: &str) -> String {
    let fields = [
        ("id", s(&format!("id{port}"))),
        ("port", i(port)),
        ("tls-port", i(port + 1000)),
        ("ip", s("127.0.0.1")),
        ("endpoint", s("127.0.0.1")),
        ("hostname", s("node.example")),
        ("role", s(role)),
        ("replication-offset", i(0)),
        ("health", s(health)),
        ("availability-zone", s("zone-a")),
    ];
    m(resp3, &fields)
}

fn shard(resp3: bool, slots: &[i64], nodes: &[String]) -> String {
    let slots: Vec<String> = slots.iter().map(|&slot| i(slot)).collect();
    m(resp3, &[("slots", a(&slots)), ("nodes", a(nodes)), ("id", s("d38dd6223169"))])
}

#[test]
fn shards_are_read() {
    for resp3 in [false, true] {
        let node = |port, role, health| shard_node(resp3, port, role, health);
        let reply = a(&[
            shard(
                resp3,
                &[0, 99, 200, 16383],
                &[
                    node(2, "replica", "loading"),
                    node(1, "master", "online"),
                    node(3, "replica", "online"),
                    node(4, "replica", "failed"),
                ],
            ),
            shard(resp3, &[100, 199], &[node(5, "master", "fail")]),
            shard(resp3, &[], &[node(6, "master", "online")]),
            shard(resp3, &[], &[node(7, "master", "fail")]),
        ]);
        let topology = seen(&reply);
        assert!(topology.is_full());
        assert_eq!(serving(&topology, 99), ["127.0.0.1:1", "127.0.0.1:3"]);
        assert_eq!(serving(&topology, 100), ["127.0.0.1:5"]);
        assert_eq!(topology.node_of(100).unwrap().health(), Health::Failed);
        assert_eq!(topology.nodes().len(), 7);
        let primaries: Vec<_> = topology.primaries().filter_map(|node| node.id()).collect();
        assert_eq!(primaries, ["id1", "id5", "id6"]);
        assert_eq!(topology.nodes()[0].zone(), Some("zone-a"));
        let topology = seen_from(&reply, &tcp("seed.example", 1), true);
        assert_eq!(serving(&topology, 99), ["127.0.0.1:1001", "127.0.0.1:1003"]);
    }
}

#[test]
fn shard_after_a_failover_has_the_primary_that_is_online() {
    for roles in [["fail", "online"], ["online", "fail"]] {
        let nodes =
            [shard_node(false, 1, "master", roles[0]), shard_node(false, 2, "primary", roles[1])];
        let topology = seen(&a(&[shard(false, &[0, 16383], &nodes)]));
        assert_eq!(topology.node_of(0).unwrap().health(), Health::Online);
        assert_eq!(topology.primaries().count(), 1);
        assert_eq!(topology.replicas_of(0).count(), 0);
    }
}

#[test]
fn shards_use_the_same_rules_for_hosts() {
    for (endpoint, expected) in [("", "seed.example:1"), ("?", "127.0.0.1:1"), ("h", "h:1")] {
        let fields = [
            ("port", i(1)),
            ("ip", s("127.0.0.1")),
            ("endpoint", s(endpoint)),
            ("role", s("master")),
        ];
        let topology = seen(&a(&[shard(true, &[0, 16383], &[m(true, &fields)])]));
        assert_eq!(serving(&topology, 0), [expected]);
    }
}

#[test]
fn node_that_has_a_tls_port_alone_is_reached_there() {
    let fields = [("tls-port", i(2)), ("endpoint", s("h")), ("role", s("master"))];
    let reply = a(&[shard(true, &[0, 16383], &[m(true, &fields)])]);
    assert_eq!(serving(&seen_from(&reply, &tcp("s", 1), true), 0), ["h:2"]);
}

#[test]
fn addresses_are_mapped() {
    let reply = a(&[a(&[i(0), i(16383), a(&[s("10.0.0.1"), i(1)]), a(&[s("10.0.0.2"), i(1)])])]);
    let map = AddressMap::from_fn(|host, _| (host == "10.0.0.1").then(|| ("out".into(), 11)));
    let answered = tcp("out", 11);
    let origin = Origin { answered: &answered, tls: false, map: &map };
    let topology = decode::<View>(reply.as_bytes()).unwrap().topology(&origin);
    assert_eq!(serving(&topology, 0), ["out:11", "10.0.0.2:1"]);
}

#[test]
fn cluster_without_slots_is_an_empty_view() {
    let topology = seen("*0\r\n");
    assert_eq!((topology.coverage(), topology.is_full()), (0, false));
    assert_eq!(topology.node_of(0), None);
}

#[test]
fn what_is_no_view_is_an_error() {
    for reply in [
        "-ERR This instance has cluster support disabled\r\n".to_owned(),
        null(true),
        s("text"),
        a(&[i(1)]),
        a(&[a(&[i(0)]), s("x")]),
        a(&[a(&[i(0), s("x")])]),
        a(&[a(&[i(5), i(4)])]),
        a(&[a(&[i(0), i(16384)])]),
        a(&[a(&[i(-1), i(4)])]),
        a(&[a(&[i(65536), i(65540)])]),
        a(&[a(&[s("slots")])]),
        a(&[shard(true, &[0], &[])]),
        a(&[shard(false, &[0, 99999], &[])]),
    ] {
        assert!(decode::<View>(reply.as_bytes()).is_err(), "{reply:?}");
    }
    let refused = decode::<View>(b"-NOPERM no\r\n").unwrap_err();
    assert_eq!(refused.code(), Some("NOPERM"));
}

#[test]
fn more_nodes_than_fit_are_left_out() {
    let ranges = (0..70_000).map(|n| {
        let node = a(&[s(&format!("h{}", n / 60_000)), i(n % 60_000 + 1)]);
        a(&[i(n % 16384), i(n % 16384), node])
    });
    let topology = seen(&a(&ranges.collect::<Vec<_>>()));
    assert!(topology.is_full());
    assert_eq!(topology.nodes().len(), 65_535);
}

proptest! {
    #[test]
    fn damaged_replies_never_panic(
        cut in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        resp3 in any::<bool>(),
        shards in any::<bool>(),
    ) {
        let nodes = [shard_node(resp3, 1, "master", "online"), shard_node(resp3, 2, "replica", "online")];
        let slots = a(&[i(0), i(16383), a(&[s("h"), i(1), s("id"), m(resp3, &[("ip", s("::1"))])])]);
        let mut reply =
            if shards { a(&[shard(resp3, &[0, 16383], &nodes)]) } else { a(&[slots]) }.into_bytes();
        let at = cut.index(reply.len());
        reply[at] = byte;
        let _ = decode::<View>(&reply).map(|view| {
            let map = AddressMap::default();
            view.topology(&Origin { answered: &tcp("s", 1), tls: false, map: &map })
        });
        let _ = decode::<View>(&reply[..at]);
    }
}
