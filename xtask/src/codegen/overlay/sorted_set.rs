//! Commands of the group `sorted-set`.

use super::{As, Entry, entry};

pub(super) fn entries() -> Vec<Entry> {
    let rank = |command, doc| {
        entry(command, "Option<u64>", doc).turns("WITHSCORE", "Option<u64>", "Option<(u64, f64)>")
    };
    let pop = |command, doc| {
        entry(command, "Vec<(M, f64)>", doc)
            .ty("count", As::Type("u64"))
            .note("count", "Removes up to so many members, instead of one.")
    };
    let blocking_pop = |command, doc| entry(command, "Option<(K, M, f64)>", doc).ty("timeout", As::Timeout);
    let scores = |entry: Entry| entry.ty("min", As::Any).ty("max", As::Any);
    vec![
        blocking_pop("BZPOPMAX", "Removes the member with the highest score of the first sorted set that has one, waiting for it."),
        blocking_pop("BZPOPMIN", "Removes the member with the lowest score of the first sorted set that has one, waiting for it."),
        entry("ZADD", "u64", "Adds members with their scores; returns how many are new.")
            .rename("data", "members")
            .turns("INCR", "u64", "Option<f64>")
            .note("NX", "Only adds members, never changes a score.")
            .note("XX", "Only changes scores, never adds a member.")
            .note("GT", "Changes a score only to a greater one; new members are added.")
            .note("LT", "Changes a score only to a smaller one; new members are added.")
            .note(
                "INCR",
                "Increments the score of the one member given; returns the new one, or `None` if a \
                 condition did not hold.",
            ),
        entry("ZCARD", "u64", "How many members a sorted set has."),
        scores(entry("ZCOUNT", "u64", "Counts the members with scores from `min` to `max`; `(` before a score leaves it out.")),
        entry("ZINCRBY", "f64", "Increments a member's score; returns the new one.")
            .rename("increment", "by")
            .ty("increment", As::Type("f64")),
        entry("ZMSCORE", "Vec<Option<f64>>", "The scores of members."),
        pop("ZPOPMAX", "Removes and returns the members with the highest scores."),
        pop("ZPOPMIN", "Removes and returns the members with the lowest scores."),
        entry("ZRANGE", "Vec<M>", "Lists the members from `start` to `stop`, both included.")
            .turns("WITHSCORES", "Vec<M>", "Vec<(M, f64)>"),
        rank("ZRANK", "The position of a member, from 0, lowest score first."),
        entry("ZREM", "u64", "Removes members; returns how many there were."),
        entry("ZREMRANGEBYRANK", "u64", "Removes the members at positions `start` to `stop`; returns how many."),
        scores(entry("ZREMRANGEBYSCORE", "u64", "Removes the members with scores from `min` to `max`; returns how many.")),
        rank("ZREVRANK", "The position of a member, from 0, highest score first."),
        entry("ZSCORE", "Option<f64>", "The score of a member."),
    ]
}
