//! Commands of the group `bitmap`.

use super::{As, Entry, entry};

pub(super) fn entries() -> Vec<Entry> {
    let units = |entry: Entry| {
        entry
            .note("BYTE", "`start` and `end` are bytes, as without.")
            .note("BIT", "`start` and `end` are bits.")
    };
    vec![
        units(entry("BITCOUNT", "u64", "Counts the bits that are set."))
            .note("range", "Only from `start` to `end`, both included; negative ones count from the end.")
            .example(r#"cmd::bitcount("seen")"#, "BITCOUNT seen")
            .example(r#"cmd::bitcount("seen").range(0, 99).bit()"#, "BITCOUNT seen 0 99 BIT"),
        entry("BITFIELD", "Vec<Option<i64>>", "Reads and writes numbers of any width; none where `Overflow::Fail` held back a write.")
            .promote("operation")
            .ty("operation", As::Words("BitOperation")),
        entry("BITFIELD_RO", "Vec<i64>", "Reads numbers of any width.")
            .promote("get-block")
            .rename("get-block", "gets")
            .ty("get-block", As::Words("BitGet")),
        entry("BITOP", "u64", "Combines values bit by bit and stores the result; returns its length in bytes.")
            .ty("operation", As::Enum("Bitwise"))
            .rename("destkey", "destination"),
        units(entry("BITPOS", "i64", "The position of the first bit that is set, or is not; -1 if there is none."))
            .ty("bit", As::Type("bool"))
            .setter("range", "start")
            .setter("end-unit-block", "end")
            .note("range", "From here on; negative ones count from the end.")
            .note("end-unit-block", "Up to here, included; negative ones count from the end."),
        entry("GETBIT", "bool", "Reads one bit.").ty("offset", As::Type("u64"))
            .example(r#"cmd::getbit("seen", 7)"#, "GETBIT seen 7"),
        entry("SETBIT", "bool", "Writes one bit; returns the one before.")
            .ty("offset", As::Type("u64"))
            .ty("value", As::Type("bool"))
            .example(r#"cmd::setbit("seen", 7, true)"#, "SETBIT seen 7 1"),
    ]
}
