//! Which node of a shard serves a command that only reads.
//!
//! Owns the choice. Knows nothing of slots and commands.

use std::time::Instant;

use redis_core::config::ReadFrom;

use crate::registry::{NodeId, Registry};

/// A node of a shard that can be read from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) id: NodeId,
    pub(crate) zone: Option<&'a str>,
    pub(crate) replica: bool,
}

/// Chooses among the primary, which is the first, and its replicas; `turn` goes up from one choice to the
/// next, `avoid` failed this very request.
pub(crate) fn choose<'a>(
    read_from: &ReadFrom,
    candidates: impl Iterator<Item = Candidate<'a>> + Clone,
    turn: u32,
    registry: &Registry,
    now: Instant,
    avoid: Option<NodeId>,
) -> Option<Candidate<'a>> {
    let count = candidates.clone().count();
    // The first node in turn, the others behind it.
    let start = match read_from {
        ReadFrom::Random => scatter(turn) as usize,
        _ => turn as usize,
    };
    let rank = |(at, candidate): &(usize, Candidate<'_>)| {
        let failed = Some(candidate.id) == avoid || registry.is_avoided(candidate.id, now);
        let choice = match read_from {
            ReadFrom::PreferReplica => u32::from(!candidate.replica),
            ReadFrom::RoundRobin | ReadFrom::Random => 0,
            // Whole microseconds are enough; what is unknown comes first.
            ReadFrom::LowestLatency => registry.latency(candidate.id).map_or(0, |us| us as u32),
            ReadFrom::Zone(zone) => match (candidate.zone == Some(zone), candidate.replica) {
                (true, true) => 0,
                (true, false) => 1,
                (false, true) => 2,
                (false, false) => 3,
            },
            // Primaries, and what there may be in later versions.
            _ => u32::from(candidate.replica),
        };
        // Replicas take turns among themselves: the primary is not one of them.
        let replicas = count.saturating_sub(1).max(1);
        let turns = match read_from {
            ReadFrom::PreferReplica | ReadFrom::Zone(_) if candidate.replica => {
                (at - 1 + replicas - start % replicas) % replicas
            }
            ReadFrom::RoundRobin | ReadFrom::Random => (at + count - start % count) % count,
            _ => 0,
        };
        (failed, choice, turns)
    };
    candidates.enumerate().min_by_key(rank).map(|(_, candidate)| candidate)
}

/// Numbers in a row as numbers without an order.
fn scatter(n: u32) -> u32 {
    let mut x = u64::from(n).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x >> 32) as u32
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use redis_core::Endpoint;

    use super::*;

    /// A primary in zone `a` and replicas in `b`, `b` and `c`.
    fn shard() -> (Registry, Vec<Candidate<'static>>) {
        let mut registry = Registry::default();
        let zones = ["a", "b", "b", "c"].into_iter().enumerate();
        let candidates = zones.map(|(at, zone)| {
            let id = registry.intern(&Endpoint::Tcp { host: "h".into(), port: at as u16 + 1 });
            Candidate { id, zone: Some(zone), replica: at > 0 }
        });
        let candidates = candidates.collect();
        (registry, candidates)
    }

    #[test]
    fn each_strategy_has_its_order() {
        let (registry, shard) = shard();
        let now = Instant::now();
        let row = |read: &ReadFrom| {
            let chosen = (0..6).map(|turn| {
                let all = shard.iter().copied();
                choose(read, all, turn, &registry, now, None).unwrap().id.index()
            });
            chosen.collect::<Vec<_>>()
        };
        let zone = |name: &str| ReadFrom::Zone(name.into());
        for (read, expected) in [
            (ReadFrom::Primary, [0, 0, 0, 0, 0, 0]),
            (ReadFrom::PreferReplica, [1, 2, 3, 1, 2, 3]),
            (ReadFrom::RoundRobin, [0, 1, 2, 3, 0, 1]),
            (zone("a"), [0, 0, 0, 0, 0, 0]),
            (zone("c"), [3, 3, 3, 3, 3, 3]),
            (zone("elsewhere"), [1, 2, 3, 1, 2, 3]),
        ] {
            assert_eq!(row(&read), expected, "{read:?}");
        }
        let mut at_random = row(&ReadFrom::Random);
        at_random.sort_unstable();
        at_random.dedup();
        assert!(at_random.len() > 1);
        let in_zone = row(&zone("b"));
        assert!(in_zone.contains(&1) && in_zone.contains(&2) && !in_zone.contains(&3));
    }

    #[test]
    fn nodes_that_failed_come_last_and_fast_ones_first() {
        let (mut registry, shard) = shard();
        let now = Instant::now();
        let choose = |read: &ReadFrom, registry: &Registry, avoid| {
            super::choose(read, shard.iter().copied(), 0, registry, now, avoid).unwrap().id.index()
        };
        assert_eq!(choose(&ReadFrom::PreferReplica, &registry, Some(shard[1].id)), 2);
        for (at, us) in [(0, 900), (1, 300), (2, 200), (3, 400)] {
            assert_eq!(choose(&ReadFrom::LowestLatency, &registry, None), at);
            registry.handle_answer(shard[at].id, Some(Duration::from_micros(us)));
        }
        assert_eq!(choose(&ReadFrom::LowestLatency, &registry, None), 2);
        registry.handle_failure(shard[2].id, now);
        assert_eq!(choose(&ReadFrom::LowestLatency, &registry, None), 1);
        for candidate in &shard {
            registry.handle_failure(candidate.id, now);
        }
        assert_eq!(choose(&ReadFrom::Primary, &registry, None), 0, "somebody has to be asked");
    }
}
