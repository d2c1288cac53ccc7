//! Commands of the group `list`.

use super::{As, Entry, entry};

pub(super) fn entries() -> Vec<Entry> {
    let pop = |command, doc| {
        entry(command, "Option<V>", doc)
            .ty("count", As::Type("u64"))
            .turns("count", "Option<V>", "Option<Vec<V>>")
            .note("count", "Removes up to so many elements, and returns them as a list.")
    };
    let blocking_pop = |command, doc| entry(command, "Option<(K, V)>", doc).ty("timeout", As::Timeout);
    vec![
        entry("BLMOVE", "Option<V>", "Moves an element from list to list, waiting for one.")
            .rename("wherefrom", "from")
            .rename("whereto", "to")
            .ty("wherefrom", As::Enum("Side"))
            .ty("whereto", As::Enum("Side"))
            .ty("timeout", As::Timeout),
        entry("BLMPOP", "Option<(K, Vec<V>)>", "Removes elements of the first list that has one, waiting for it.")
            .ty("timeout", As::Timeout)
            .ty("where", As::Enum("Side"))
            .rename("where", "side")
            .ty("count", As::Type("u64"))
            .note("COUNT", "Removes up to so many elements, instead of one."),
        blocking_pop("BLPOP", "Removes the first element of the first list that has one, waiting for it.")
            .example(r#"cmd::blpop::<String, String>(["urgent", "jobs"], Duration::from_secs(5))"#, "BLPOP urgent jobs 5")
            .example(r#"cmd::blpop::<String, String>(["jobs"], None)"#, "BLPOP jobs 0"),
        blocking_pop("BRPOP", "Removes the last element of the first list that has one, waiting for it."),
        entry("BRPOPLPUSH", "Option<V>", "Moves the last element of a list to the front of another, waiting for one.")
            .ty("timeout", As::Timeout),
        entry("LINDEX", "Option<V>", "Gets the element at an index; negative ones count from the end."),
        entry("LINSERT", "i64", "Adds an element beside another; returns the new length, -1 if the other is not there, 0 without the list.")
            .rename("where", "place")
            .ty("where", As::Enum("Place")),
        entry("LLEN", "u64", "How many elements a list has.")
            .example(r#"cmd::llen("jobs")"#, "LLEN jobs"),
        entry("LMOVE", "Option<V>", "Moves an element from list to list.")
            .rename("wherefrom", "from")
            .rename("whereto", "to")
            .ty("wherefrom", As::Enum("Side"))
            .ty("whereto", As::Enum("Side"))
            .example(r#"cmd::lmove::<String>("jobs", "running", Side::Left, Side::Right)"#, "LMOVE jobs running LEFT RIGHT"),
        entry("LMPOP", "Option<(K, Vec<V>)>", "Removes elements of the first list that has one.")
            .ty("where", As::Enum("Side"))
            .rename("where", "side")
            .ty("count", As::Type("u64"))
            .note("COUNT", "Removes up to so many elements, instead of one."),
        entry("LPOS", "Option<u64>", "The index of an element that equals this one.")
            .ty("num-matches", As::Type("u64"))
            .ty("len", As::Type("u64"))
            .rename("num-matches", "matches")
            .turns("COUNT", "Option<u64>", "Vec<u64>")
            .note("RANK", "Begins with the match of this rank: 1 is the first, -1 the last.")
            .note("COUNT", "The indexes of up to so many matches, 0 meaning all.")
            .note("MAXLEN", "Looks at this many elements at the most, 0 meaning all."),
        pop("LPOP", "Removes and returns the first element.")
            .example(r#"cmd::lpop::<String>("jobs")"#, "LPOP jobs")
            .example(r#"cmd::lpop::<String>("jobs").count(10)"#, "LPOP jobs 10"),
        entry("LPUSH", "u64", "Adds elements in front, one after the other; returns the new length.")
            .example(r#"cmd::lpush("jobs", "a")"#, "LPUSH jobs a")
            .example(r#"cmd::lpush("jobs", ["b", "c"])"#, "LPUSH jobs b c"),
        entry("LPUSHX", "u64", "Adds elements in front of a list that exists; returns the new length."),
        entry("LRANGE", "Vec<V>", "Gets the elements from `start` to `stop`, both included.")
            .example(r#"cmd::lrange::<String>("jobs", 0, -1)"#, "LRANGE jobs 0 -1"),
        entry("LREM", "u64", "Removes up to `count` elements equal to one; negative: from the end, 0: all."),
        entry("LSET", "()", "Replaces the element at an index."),
        entry("LTRIM", "()", "Keeps only the elements from `start` to `stop`, both included.")
            .example(r#"cmd::ltrim("jobs", 0, 99)"#, "LTRIM jobs 0 99"),
        pop("RPOP", "Removes and returns the last element.")
            .example(r#"cmd::rpop::<String>("jobs")"#, "RPOP jobs"),
        entry("RPOPLPUSH", "Option<V>", "Moves the last element of a list to the front of another."),
        entry("RPUSH", "u64", "Adds elements at the end; returns the new length.")
            .example(r#"cmd::rpush("jobs", ["a", "b"])"#, "RPUSH jobs a b"),
        entry("RPUSHX", "u64", "Adds elements at the end of a list that exists; returns the new length."),
    ]
}
