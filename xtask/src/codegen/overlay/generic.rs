//! Commands of the group `generic`.

use super::{As, Entry, entry};

pub(super) fn entries() -> Vec<Entry> {
    let expire = |command, argument, name, doc| {
        entry(command, "bool", doc)
            .rename(argument, name)
            .note("NX", "Only if the key has no expiry.")
            .note("XX", "Only if the key has an expiry.")
            .note("GT", "Only if this is later than the present expiry.")
            .note("LT", "Only if this is earlier than the present expiry.")
    };
    vec![
        entry("COPY", "bool", "Copies a value to another key; false if that exists already.")
            .ty("destination-db", As::Type("u64"))
            .note("DB", "Copies to this database.")
            .note("REPLACE", "Replaces what the other key holds."),
        entry("DEL", "u64", "Deletes keys; returns how many there were."),
        entry("EXISTS", "u64", "Counts how many of the keys exist; a key given twice counts twice."),
        expire("EXPIRE", "seconds", "ttl", "Lets a key expire after a time to live, rounded up to whole seconds."),
        expire("EXPIREAT", "unix-time-seconds", "time", "Lets a key expire at a time, rounded up to whole seconds."),
        entry("KEYS", "Vec<K>", "Lists all keys that match a pattern; blocks the server meanwhile."),
        entry("OBJECT ENCODING", "Option<String>", "How the server keeps a value in memory, such as `listpack`."),
        entry("OBJECT FREQ", "Option<u64>", "How often a key is used, on a logarithmic scale."),
        entry("OBJECT IDLETIME", "Option<u64>", "Seconds since a key was last used."),
        entry("OBJECT REFCOUNT", "Option<u64>", "How many references to a value the server has."),
        entry("PERSIST", "bool", "Removes a key's expiry; false if it had none."),
        expire("PEXPIRE", "milliseconds", "ttl", "Lets a key expire after a time to live, rounded up to whole milliseconds."),
        expire("PEXPIREAT", "unix-time-milliseconds", "time", "Lets a key expire at a time, rounded up to whole milliseconds."),
        entry("PTTL", "i64", "Milliseconds until a key expires; -1 without an expiry, -2 without the key."),
        entry("RANDOMKEY", "Option<K>", "Any key of the database."),
        entry("RENAME", "()", "Renames a key, replacing what has the new name."),
        entry("RENAMENX", "bool", "Renames a key unless the new name is taken."),
        entry("TOUCH", "u64", "Marks keys as just used; returns how many exist."),
        entry("TTL", "i64", "Seconds until a key expires; -1 without an expiry, -2 without the key."),
        entry("TYPE", "String", "The type of a key's value, such as `string` or `zset`; `none` without the key.")
            .name("key_type"),
        entry("UNLINK", "u64", "Deletes keys and frees their memory in the background; returns how many there were."),
    ]
}
