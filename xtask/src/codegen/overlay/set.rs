//! Commands of the group `set`.

use super::{As, Entry, entry};

pub(super) fn entries() -> Vec<Entry> {
    let store = |command, doc| entry(command, "u64", doc);
    let any = |command, doc| {
        entry(command, "Option<M>", doc)
            .turns("count", "Option<M>", "Vec<M>")
    };
    vec![
        entry("SADD", "u64", "Adds members; returns how many are new.")
            .example(r#"cmd::sadd("tags", ["red", "green"])"#, "SADD tags red green"),
        entry("SCARD", "u64", "How many members a set has.")
            .example(r#"cmd::scard("tags")"#, "SCARD tags"),
        entry("SDIFF", "Vec<M>", "The members of the first set that no other has."),
        entry("SINTER", "Vec<M>", "The members that all sets have.")
            .example(r#"cmd::sinter::<String>(["tags:1", "tags:2"])"#, "SINTER tags:1 tags:2"),
        store("SDIFFSTORE", "Stores the members of the first set that no other has; returns how many."),
        entry("SINTERCARD", "u64", "Counts the members that all sets have.")
            .ty("limit", As::Type("u64"))
            .note("LIMIT", "Stops counting at this many."),
        store("SINTERSTORE", "Stores the members that all sets have; returns how many."),
        entry("SISMEMBER", "bool", "Whether a set has a member.")
            .example(r#"cmd::sismember("tags", "red")"#, "SISMEMBER tags red"),
        entry("SMEMBERS", "Vec<M>", "All members of a set.")
            .example(r#"cmd::smembers::<String>("tags")"#, "SMEMBERS tags"),
        entry("SMISMEMBER", "Vec<bool>", "Whether a set has each of the members."),
        entry("SMOVE", "bool", "Moves a member from set to set; false if it was not in the first."),
        any("SPOP", "Removes and returns a random member.")
            .ty("count", As::Type("u64"))
            .note("count", "Removes up to so many members, and returns them as a list.")
            .example(r#"cmd::spop::<String>("tags")"#, "SPOP tags")
            .example(r#"cmd::spop::<String>("tags").count(2)"#, "SPOP tags 2"),
        any("SRANDMEMBER", "Returns a random member.")
            .note("count", "So many different members; negative: exactly so many, which may repeat."),
        entry("SREM", "u64", "Removes members; returns how many there were.")
            .example(r#"cmd::srem("tags", "red")"#, "SREM tags red"),
        entry("SSCAN", "ScanPage<M>", "A page of a set's members.")
            .ty("cursor", As::Type("Cursor"))
            .ty("count", As::Type("u64"))
            .note("COUNT", "About how many members to look at."),
        entry("SUNION", "Vec<M>", "The members that any of the sets has."),
        store("SUNIONSTORE", "Stores the members that any of the sets has; returns how many."),
    ]
}
