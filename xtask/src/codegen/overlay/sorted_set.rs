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
    let scores = |entry: Entry| entry.ty("min", As::Into("ScoreBound")).ty("max", As::Into("ScoreBound"));
    let members = |entry: Entry| entry.ty("min", As::Into("LexBound")).ty("max", As::Into("LexBound"));
    let limit = |entry: Entry| entry.ty("count", As::Type("i64")).note("LIMIT", "Skips `offset` members and returns at most `count`, a negative one meaning all.");
    let by_rank = |entry: Entry| entry.without("sortby").without("LIMIT");
    let by_score = |entry: Entry| limit(entry).pick("sortby", "byscore").promote("byscore");
    let by_member = |entry: Entry| limit(entry).pick("sortby", "bylex").promote("bylex");
    let members_pop = |command, doc| {
        entry(command, "Option<(K, ScoredMembers<M>)>", doc)
            .ty("where", As::Enum("Extreme"))
            .rename("where", "which")
            .ty("count", As::Type("u64"))
            .note("COUNT", "Removes up to so many members, instead of one.")
    };
    let scored = |entry: Entry| entry.turns("WITHSCORES", "Vec<M>", "Vec<(M, f64)>");
    let weighed = |entry: Entry| {
        entry
            .ty("weight", As::Type("f64"))
            .ty("aggregate", As::Enum("Aggregate"))
            .note("WEIGHTS", "Multiplies the scores of each set by its weight.")
            .note("AGGREGATE", "What becomes of a member's scores in several sets; `Sum` without.")
    };
    vec![
        members_pop("BZMPOP", "Removes members of the first sorted set that has one, waiting for it.").ty("timeout", As::Timeout),
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
            )
            .example(r#"cmd::zadd("scores", [(7.0, "ann"), (9.5, "bob")])"#, "ZADD scores 7 ann 9.5 bob")
            .example(r#"cmd::zadd("scores", [(8.0, "ann")]).gt().ch()"#, "ZADD scores GT CH 8 ann"),
        entry("ZCARD", "u64", "How many members a sorted set has.")
            .example(r#"cmd::zcard("scores")"#, "ZCARD scores"),
        scores(entry("ZCOUNT", "u64", "Counts the members with scores from `min` to `max`.")),
        scored(entry("ZDIFF", "Vec<M>", "The members of the first sorted set that no other has.")),
        entry("ZDIFFSTORE", "u64", "Stores the members of the first sorted set that no other has; returns how many."),
        entry("ZINCRBY", "f64", "Increments a member's score; returns the new one.")
            .rename("increment", "by")
            .ty("increment", As::Type("f64"))
            .example(r#"cmd::zincrby("scores", 1.5, "ann")"#, "ZINCRBY scores 1.5 ann"),
        scored(weighed(entry("ZINTER", "Vec<M>", "The members that all sorted sets have."))),
        entry("ZINTERCARD", "u64", "Counts the members that all sorted sets have.")
            .ty("limit", As::Type("u64"))
            .note("LIMIT", "Stops counting at this many."),
        weighed(entry("ZINTERSTORE", "u64", "Stores the members that all sorted sets have; returns how many.")),
        members(entry("ZLEXCOUNT", "u64", "Counts the members from `min` to `max`, all of which have the same score.")),
        members_pop("ZMPOP", "Removes members of the first sorted set that has one."),
        entry("ZMSCORE", "Vec<Option<f64>>", "The scores of members."),
        pop("ZPOPMAX", "Removes and returns the members with the highest scores."),
        pop("ZPOPMIN", "Removes and returns the members with the lowest scores.")
            .example(r#"cmd::zpopmin::<String>("queue")"#, "ZPOPMIN queue"),
        entry("ZRANDMEMBER", "Option<M>", "Returns a random member.")
            .setter("options", "count")
            .turns("options", "Option<M>", "Vec<M>")
            .turns("WITHSCORES", "Vec<M>", "Vec<(M, f64)>")
            .note("options", "So many different members; negative: exactly so many, which may repeat."),
        scored(by_rank(entry("ZRANGE", "Vec<M>", "Lists the members at positions `start` to `stop`, both included; negative ones count from the end.")))
            .ty("start", As::Type("i64"))
            .ty("stop", As::Type("i64"))
            .note("REV", "Highest score first.")
            .example(r#"cmd::zrange::<String>("scores", 0, 9).rev().with_scores()"#, "ZRANGE scores 0 9 REV WITHSCORES"),
        by_member(entry("ZRANGE", "Vec<M>", "Lists the members from `start` to `stop`, all of which have the same score."))
            .name("zrange_by_lex")
            .ty("start", As::Into("LexBound"))
            .ty("stop", As::Into("LexBound"))
            .without("WITHSCORES")
            .note("REV", "From the greater `start` down to `stop`."),
        scored(by_score(entry("ZRANGE", "Vec<M>", "Lists the members with scores from `start` to `stop`.")))
            .name("zrange_by_score")
            .ty("start", As::Into("ScoreBound"))
            .ty("stop", As::Into("ScoreBound"))
            .note("REV", "From the higher `start` down to `stop`."),
        limit(members(entry("ZRANGEBYLEX", "Vec<M>", "As `zrange_by_lex`."))),
        limit(scored(scores(entry("ZRANGEBYSCORE", "Vec<M>", "As `zrange_by_score`.")))),
        by_rank(entry("ZRANGESTORE", "u64", "Stores the members at positions `start` to `stop`; returns how many."))
            .rename("dst", "destination")
            .rename("src", "source")
            .ty("min", As::Type("i64"))
            .ty("max", As::Type("i64"))
            .rename("min", "start")
            .rename("max", "stop")
            .note("REV", "Positions count from the highest score."),
        members(by_member(entry("ZRANGESTORE", "u64", "Stores the members from `start` to `stop`, all of which have the same score; returns how many.")))
            .name("zrangestore_by_lex")
            .rename("dst", "destination")
            .rename("src", "source")
            .rename("min", "start")
            .rename("max", "stop")
            .note("REV", "From the greater `start` down to `stop`."),
        scores(by_score(entry("ZRANGESTORE", "u64", "Stores the members with scores from `start` to `stop`; returns how many.")))
            .name("zrangestore_by_score")
            .rename("dst", "destination")
            .rename("src", "source")
            .rename("min", "start")
            .rename("max", "stop")
            .note("REV", "From the higher `start` down to `stop`."),
        rank("ZRANK", "The position of a member, from 0, lowest score first.")
            .example(r#"cmd::zrank("scores", "ann")"#, "ZRANK scores ann"),
        entry("ZREM", "u64", "Removes members; returns how many there were.")
            .example(r#"cmd::zrem("scores", "ann")"#, "ZREM scores ann"),
        members(entry("ZREMRANGEBYLEX", "u64", "Removes the members from `min` to `max`, all of which have the same score; returns how many.")),
        entry("ZREMRANGEBYRANK", "u64", "Removes the members at positions `start` to `stop`; returns how many."),
        scores(entry("ZREMRANGEBYSCORE", "u64", "Removes the members with scores from `min` to `max`; returns how many."))
            .example(r#"cmd::zremrangebyscore("scores", f64::NEG_INFINITY, ScoreBound::Excluded(5.0))"#, "ZREMRANGEBYSCORE scores -inf (5"),
        scored(entry("ZREVRANGE", "Vec<M>", "As `zrange` with `rev`.")),
        limit(members(entry("ZREVRANGEBYLEX", "Vec<M>", "As `zrange_by_lex` with `rev`."))),
        limit(scored(scores(entry("ZREVRANGEBYSCORE", "Vec<M>", "As `zrange_by_score` with `rev`.")))),
        rank("ZREVRANK", "The position of a member, from 0, highest score first."),
        entry("ZSCAN", "ScanPage<(M, f64)>", "A page of a sorted set's members and their scores.")
            .with_valkey()
            .ty("cursor", As::Type("Cursor"))
            .ty("count", As::Type("u64"))
            .turns("NOSCORES", "ScanPage<(M, f64)>", "ScanPage<M>")
            .setter("NOSCORES", "no_scores")
            .note("COUNT", "About how many members to look at.")
            .note("NOSCORES", "Returns the members alone."),
        entry("ZSCORE", "Option<f64>", "The score of a member.")
            .example(r#"cmd::zscore("scores", "ann")"#, "ZSCORE scores ann"),
        scored(weighed(entry("ZUNION", "Vec<M>", "The members that any of the sorted sets has."))),
        weighed(entry("ZUNIONSTORE", "u64", "Stores the members that any of the sorted sets has; returns how many.")),
    ]
}
