//! Commands of the group `hyperloglog`.

use super::{Entry, entry};

pub(super) fn entries() -> Vec<Entry> {
    vec![
        entry("PFADD", "bool", "Counts elements; whether the estimate may have changed.").promote("element")
            .example(r#"cmd::pfadd("visitors", ["ann", "bob"])"#, "PFADD visitors ann bob"),
        entry("PFCOUNT", "u64", "Estimates how many different elements were counted.")
            .example(r#"cmd::pfcount("visitors")"#, "PFCOUNT visitors"),
        entry("PFMERGE", "()", "Joins what was counted of several keys into one.")
            .rename("destkey", "destination")
            .promote("sourcekey")
            .rename("sourcekey", "sources"),
    ]
}
