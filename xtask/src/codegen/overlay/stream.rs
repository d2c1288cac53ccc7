//! Commands of the group `stream`.

use super::{As, Entry, entry};

pub(super) fn entries() -> Vec<Entry> {
    let range = |command, doc| {
        entry(command, "Vec<(String, T)>", doc)
            .ty("count", As::Type("u64"))
            .note("COUNT", "How many entries at the most.")
    };
    vec![
        entry("XADD", "String", "Adds an entry to a stream; returns its id. `*` as id lets the server choose.")
            .ty("id-selector", As::Any)
            .rename("id-selector", "id")
            .rename("data", "fields")
            .turns("NOMKSTREAM", "String", "Option<String>")
            .setter("idmpauto-with-pid", "idempotent_auto")
            .setter("idmp-with-pid-iid", "idempotent")
            .note("idmpauto-with-pid", "Adds the entry once for this producer and content.")
            .note("idmp-with-pid-iid", "Adds the entry once for this producer and its own id of the message.")
            .note("MAXLEN", "Trims the stream to this many entries.")
            .note("MINID", "Trims the entries with a lower id.")
            .ty("count", As::Type("u64"))
            .note("LIMIT", "Trims at most this many entries; for `approximately` only."),
        entry("XLEN", "u64", "How many entries a stream has."),
        range("XRANGE", "The entries with ids from `start` to `end`, `-` and `+` being the ends of the stream."),
        range("XREVRANGE", "The entries with ids from `end` down to `start`, newest first."),
    ]
}
