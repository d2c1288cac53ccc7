//! Commands of the group `string`.

use super::{As, Entry, entry};

pub(super) fn entries() -> Vec<Entry> {
    vec![
        entry("APPEND", "u64", "Appends to a value; returns its new length in bytes."),
        entry("DECR", "i64", "Decrements a number by one; returns the new one."),
        entry("DECRBY", "i64", "Decrements a number; returns the new one.").rename("decrement", "by"),
        entry("GET", "Option<V>", "Gets the value of a key."),
        entry("GETDEL", "Option<V>", "Gets the value of a key and deletes it."),
        entry("GETEX", "Option<V>", "Gets the value of a key and sets when it expires."),
        entry("GETRANGE", "V", "Gets a part of a value, from byte `start` to byte `end`, both included."),
        entry("GETSET", "Option<V>", "Sets the value of a key and returns the one before."),
        entry("INCR", "i64", "Increments a number by one; returns the new one."),
        entry("INCRBY", "i64", "Increments a number; returns the new one.").rename("increment", "by"),
        entry("INCRBYFLOAT", "f64", "Increments a floating-point number; returns the new one.")
            .rename("increment", "by"),
        entry("MGET", "Vec<Option<V>>", "Gets the values of keys."),
        entry("MSET", "()", "Sets the values of keys."),
        entry("MSETNX", "bool", "Sets the values of keys if none of them exists."),
        entry("PSETEX", "()", "Sets the value of a key that expires, with milliseconds.")
            .rename("milliseconds", "ttl"),
        entry("SET", "()", "Sets the value of a key.")
            .turns("NX XX IFEQ IFNE IFDEQ IFDNE", "()", "Option<()>")
            .turns("NX XX IFEQ IFNE IFDEQ IFDNE", "Option<V>", "Option<V>")
            .turns("GET", "_", "Option<V>")
            .ty("ifdeq-digest", As::Any)
            .ty("ifdne-digest", As::Any)
            .note("NX", "Only if the key does not exist.")
            .note("IFEQ", "Only if the present value is this one; on Valkey from 8.1 on.")
            .note("XX", "Only if the key exists.")
            .note("GET", "Returns the value before, whether or not the new one is set; together with `nx` from 7.0 on."),
        entry("SETEX", "()", "Sets the value of a key that expires, with whole seconds.").rename("seconds", "ttl"),
        entry("SETNX", "bool", "Sets the value of a key unless it exists."),
        entry("SETRANGE", "u64", "Overwrites a part of a value from byte `offset` on; returns its new length.")
            .ty("offset", As::Type("u64")),
        entry("STRLEN", "u64", "The length of a value in bytes; 0 without the key."),
    ]
}
