//! Commands of the group `hash`.

use super::{Entry, entry};

pub(super) fn entries() -> Vec<Entry> {
    let expire = |command, argument, name, doc| {
        entry(command, "Vec<i64>", doc)
            .rename(argument, name)
            .note("NX", "Only fields without an expiry.")
            .note("XX", "Only fields with an expiry.")
            .note("GT", "Only fields whose present expiry is earlier.")
            .note("LT", "Only fields whose present expiry is later, or that have none.")
    };
    vec![
        entry("HDEL", "u64", "Removes fields; returns how many there were."),
        entry("HEXISTS", "bool", "Whether a hash has a field."),
        entry("HGET", "Option<V>", "Gets the value of a field."),
        entry("HGETALL", "T", "Gets all fields and values; decodes to a map or a list of pairs."),
        entry("HINCRBY", "i64", "Increments a field's number; returns the new one.").rename("increment", "by"),
        entry("HINCRBYFLOAT", "f64", "Increments a field's floating-point number; returns the new one.")
            .rename("increment", "by"),
        entry("HKEYS", "Vec<F>", "Lists the fields of a hash."),
        entry("HLEN", "u64", "How many fields a hash has."),
        entry("HMGET", "Vec<Option<V>>", "Gets the values of fields."),
        entry("HSET", "u64", "Sets fields; returns how many are new.").rename("data", "fields"),
        entry("HSETNX", "bool", "Sets a field unless it exists."),
        entry("HSTRLEN", "u64", "The length of a field's value in bytes; 0 without it."),
        expire("HEXPIRE", "seconds", "ttl", "Lets fields expire after a time to live, rounded up to whole seconds. For each field: 1 if that was set, 0 if a condition did not hold, 2 if it was deleted at once, -2 without the field."),
        expire("HEXPIREAT", "unix-time-seconds", "time", "Lets fields expire at a time, rounded up to whole seconds; returns as `hexpire`."),
        entry("HEXPIRETIME", "Vec<i64>", "When fields expire, in seconds since 1970; -1 without an expiry, -2 without the field."),
        entry("HGETDEL", "Vec<Option<V>>", "Gets the values of fields and deletes them."),
        entry("HGETEX", "Vec<Option<V>>", "Gets the values of fields and sets when they expire."),
        entry("HPERSIST", "Vec<i64>", "Removes the expiry of fields; for each field: 1 if it had one, -1 if not, -2 without the field."),
        expire("HPEXPIRE", "milliseconds", "ttl", "Lets fields expire after a time to live, rounded up to whole milliseconds; returns as `hexpire`."),
        expire("HPEXPIREAT", "unix-time-milliseconds", "time", "Lets fields expire at a time, rounded up to whole milliseconds; returns as `hexpire`."),
        entry("HPEXPIRETIME", "Vec<i64>", "When fields expire, in milliseconds since 1970; -1 without an expiry, -2 without the field."),
        entry("HPTTL", "Vec<i64>", "Milliseconds until fields expire; -1 without an expiry, -2 without the field."),
        entry("HSETEX", "bool", "Sets fields and when they expire; false if a condition did not hold.")
            .rename("data", "fields")
            .note("FNX", "Only if none of the fields exists.")
            .note("FXX", "Only if all of the fields exist."),
        entry("HTTL", "Vec<i64>", "Seconds until fields expire; -1 without an expiry, -2 without the field."),
        entry("HVALS", "Vec<V>", "Lists the values of a hash."),
    ]
}
