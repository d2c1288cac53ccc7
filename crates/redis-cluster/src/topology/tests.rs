use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn at(port: u16) -> Endpoint {
    Endpoint::Tcp { host: "h".into(), port }
}

/// Shards of a first and last slot, a primary's port, and its replicas'.
fn topology(shards: &[(u16, u16, u16, &[u16])]) -> Topology {
    let mut topology = Topology::default();
    for &(first, last, primary, replicas) in shards {
        let primary = topology.add_node(at(primary), Health::Online).unwrap();
        let shard = topology.shard_of_primary(primary);
        for &replica in replicas {
            let replica = topology.add_node(at(replica), Health::Online).unwrap();
            topology.add_replica(shard, replica);
        }
        topology.assign(first..=last, shard);
    }
    topology
}

fn ports(topology: &Topology, slot: u16) -> Vec<u16> {
    let nodes = topology.node_of(slot).into_iter().chain(topology.replicas_of(slot));
    nodes
        .map(|node| match node.endpoint() {
            Endpoint::Tcp { port, .. } => *port,
            Endpoint::Unix(_) => 0,
        })
        .collect()
}

fn check(topology: &Topology) {
    let covered = (0..SLOTS).filter(|&slot| topology.node_of(slot).is_some()).count();
    assert_eq!(topology.coverage(), covered);
    let mut seen = BTreeSet::new();
    for (index, shard) in topology.shards.iter().enumerate() {
        let primary = &topology.nodes[usize::from(shard.primary)];
        assert_eq!(primary.role, Role::Primary);
        for &node in [shard.primary].iter().chain(&shard.replicas) {
            assert!(seen.insert(node), "node {node} is in two shards");
            assert_eq!(usize::from(topology.nodes[usize::from(node)].shard), index);
        }
        let replica = |&node: &u16| topology.nodes[usize::from(node)].role == Role::Replica;
        assert!(shard.replicas.iter().all(replica));
    }
    for (index, node) in topology.nodes.iter().enumerate() {
        assert_eq!(node.index(), index);
        assert_eq!(topology.find(node.endpoint()), Some(node));
        assert_eq!(node.shard != NONE, seen.contains(&node.index));
    }
    assert!(topology.slots.iter().all(|&s| s == NONE || usize::from(s) < topology.shards.len()));
}

#[test]
fn slots_beyond_the_last_have_no_node() {
    let mut topology = topology(&[(0, 16383, 1, &[2])]);
    assert!(topology.is_full());
    assert_eq!(topology.node_of(16384), None);
    assert_eq!(topology.replicas_of(u16::MAX).count(), 0);
    let error = topology.patch(16384, &at(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}

#[test]
fn partial_view_never_replaces_a_full_one() {
    let mut full = topology(&[(0, 16383, 1, &[])]);
    assert!(!full.accept(topology(&[(0, 16382, 2, &[])])));
    assert!(!full.accept(Topology::default()));
    assert_eq!(ports(&full, 0), [1]);
    assert!(full.accept(topology(&[(0, 16383, 2, &[])])));
    assert_eq!(ports(&full, 0), [2]);
}

#[test]
fn partial_view_replaces_one_that_knows_no_more() {
    let mut known = Topology::default();
    assert!(!known.accept(Topology::default()));
    assert!(known.accept(topology(&[(0, 99, 1, &[])])));
    assert!(!known.accept(topology(&[(0, 98, 2, &[])])));
    assert!(known.accept(topology(&[(100, 199, 3, &[])])));
    assert!(ports(&known, 0).is_empty());
    assert_eq!(ports(&known, 100), [3]);
}

#[test]
fn merge_takes_what_the_view_knows_and_keeps_the_rest() {
    let mut known = topology(&[(0, 99, 1, &[2]), (100, 199, 3, &[4]), (200, 16383, 5, &[6])]);
    // 3 is gone with its slots; 1 is now a replica of 2; 5 lost half of its slots to 7.
    known.merge(topology(&[(0, 99, 2, &[1]), (200, 299, 7, &[]), (300, 16383, 5, &[])]));
    check(&known);
    assert!(known.is_full());
    assert_eq!(ports(&known, 0), [2, 1]);
    assert_eq!(ports(&known, 100), [3, 4]);
    assert_eq!(ports(&known, 200), [7]);
    assert_eq!(ports(&known, 300), [5]);
}

#[test]
fn merge_leaves_roles_to_the_view() {
    let mut known = topology(&[(0, 99, 1, &[2]), (100, 199, 3, &[])]);
    known.merge(topology(&[(0, 99, 2, &[3])]));
    check(&known);
    assert_eq!(ports(&known, 150), [2, 3], "3 is a replica of 2 now");
}

#[test]
fn patch_of_a_known_primary_moves_the_slot_alone() {
    let mut known = topology(&[(0, 99, 1, &[2]), (100, 16383, 3, &[])]);
    let patch = known.patch(5, &at(3)).unwrap();
    assert_eq!(patch, Patch { node: 2, change: Change::Moved });
    check(&known);
    assert_eq!(ports(&known, 5), [3]);
    assert_eq!(ports(&known, 6), [1, 2]);
}

#[test]
fn patch_of_a_replica_promotes_it_for_the_whole_shard() {
    let mut known = topology(&[(0, 99, 1, &[2, 4]), (100, 16383, 3, &[])]);
    let patch = known.patch(5, &at(4)).unwrap();
    assert_eq!(patch, Patch { node: 2, change: Change::Promoted });
    check(&known);
    assert_eq!(ports(&known, 99), [4, 2, 1]);
    assert_eq!(known.patch(6, &at(4)).unwrap().change, Change::None);
    // Another shard's replica has taken over there, and got this slot besides.
    assert_eq!(known.patch(200, &at(1)).unwrap().change, Change::Promoted);
    check(&known);
    assert_eq!(ports(&known, 200), [1, 2, 4]);
    assert_eq!(ports(&known, 201), [3]);
}

#[test]
fn patch_of_a_new_node_adds_it_behind_the_others() {
    let mut known = topology(&[(0, 98, 1, &[])]);
    assert_eq!(known.patch(5, &at(9)).unwrap(), Patch { node: 1, change: Change::Added });
    assert_eq!(known.patch(99, &at(9)).unwrap(), Patch { node: 1, change: Change::Moved });
    check(&known);
    assert_eq!((known.coverage(), known.primaries().count()), (100, 2));
    assert_eq!(ports(&known, 5), [9]);
    assert_eq!(known.nodes()[1].id(), None);
}

#[test]
fn patch_of_the_same_node_changes_nothing() {
    let mut known = topology(&[(0, 16383, 1, &[])]);
    assert_eq!(known.patch(5, &at(1)).unwrap(), Patch { node: 0, change: Change::None });
    check(&known);
}

#[test]
fn redirects_to_ever_new_nodes_are_bounded() {
    let mut known = topology(&[(0, 16383, 1, &[])]);
    for port in 2..=u16::MAX {
        known.patch(port % SLOTS, &at(port)).unwrap();
    }
    let other = Endpoint::Tcp { host: "i".into(), port: 1 };
    let error = known.patch(1, &other).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    check(&known);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_changes_leave_nodes_in_one_shard_and_never_lose_slots(
        steps in prop::collection::vec(
            (0..4u8, prop::collection::vec((0..SLOTS, 0..SLOTS, 1..9u16, prop::collection::vec(1..9u16, 0..3)), 1..4)),
            1..12,
        ),
    ) {
        let mut known = Topology::default();
        for (step, shards) in steps {
            let shards: Vec<(u16, u16, u16, &[u16])> = shards
                .iter()
                .map(|(a, b, primary, replicas)| (*a.min(b), *a.max(b), *primary, &replicas[..]))
                .collect();
            let before = known.coverage();
            let view = topology(&shards);
            check(&view);
            match step {
                0 => {
                    let covered = view.coverage();
                    prop_assert_eq!(known.accept(view), covered >= before);
                }
                1 => {
                    let served: Vec<u16> = (0..SLOTS).filter(|&s| view.node_of(s).is_some()).collect();
                    let primaries: Vec<Vec<u16>> = served.iter().map(|&s| ports(&view, s)).collect();
                    known.merge(view);
                    for (slot, expected) in served.into_iter().zip(primaries) {
                        prop_assert_eq!(ports(&known, slot)[0], expected[0]);
                    }
                }
                _ => {
                    let (slot, _, primary, _) = shards[0];
                    let patch = known.patch(slot, &at(primary)).unwrap();
                    prop_assert_eq!(ports(&known, slot)[0], primary);
                    prop_assert_eq!(known.nodes()[patch.node].endpoint(), &at(primary));
                }
            }
            check(&known);
            prop_assert!(known.coverage() >= before);
        }
    }
}

#[test]
fn where_views_differ_most_of_them_are_right() {
    let view = |at: u16| topology(&[(0, 99, 1, &[11]), (100, at, 2, &[]), (at + 1, 16383, 3, &[])]);
    let old = view(200);
    for (views, owner) in [
        (vec![view(300)], 2),
        (vec![view(300), view(200), view(300)], 2),
        (vec![view(300), view(200), view(200)], 3),
        // As many on both sides: what was known stays.
        (vec![view(300), view(200)], 3),
        // One that knows less has no say where it knows nothing.
        (vec![view(300), topology(&[(0, 99, 1, &[])])], 2),
    ] {
        let agreed =
            Topology::agreed(views.into_iter().map(|view| (view, 1)).collect(), &old).unwrap();
        check(&agreed);
        assert!(agreed.is_full());
        assert_eq!(ports(&agreed, 250), [owner]);
        assert_eq!(ports(&agreed, 5), [1, 11]);
    }
    assert!(Topology::agreed(Vec::new(), &old).is_none());
    let agreed = Topology::agreed(vec![(view(300), 1), (view(200), 2)], &view(300)).unwrap();
    assert_eq!(ports(&agreed, 250), [3]);
}

#[test]
fn views_that_each_lack_something_are_put_together() {
    let low = topology(&[(0, 9000, 1, &[])]);
    let high = topology(&[(8000, 16383, 2, &[3])]);
    let agreed = Topology::agreed(vec![(low, 1), (high, 1)], &Topology::default()).unwrap();
    check(&agreed);
    assert!(agreed.is_full());
    assert_eq!((ports(&agreed, 0), ports(&agreed, 16383)), (vec![1], vec![2, 3]));
}
