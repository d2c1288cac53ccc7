//! Commands of the group `string`.

use super::{As, Entry, entry};

pub(super) fn entries() -> Vec<Entry> {
    vec![
        entry("APPEND", "u64", "Appends to a value; returns its new length in bytes.")
            .example(r#"cmd::append("log", "line")"#, "APPEND log line"),
        entry("DECR", "i64", "Decrements a number by one; returns the new one.")
            .example(r#"cmd::decr("stock")"#, "DECR stock"),
        entry("DECRBY", "i64", "Decrements a number; returns the new one.").rename("decrement", "by"),
        entry("DELEX", "bool", "Deletes a string; false if the key does not exist or a condition did not hold.")
            .ty("ifdeq-digest", As::Any)
            .ty("ifdne-digest", As::Any),
        entry("DELIFEQ", "bool", "Deletes a key if its value is this one; Valkey alone has this."),
        entry("DIGEST", "Option<String>", "A digest of a value: 16 hexadecimal digits."),
        entry("GET", "Option<V>", "Gets the value of a key.")
            .example(r#"cmd::get::<String>("greeting")"#, "GET greeting"),
        entry("GETDEL", "Option<V>", "Gets the value of a key and deletes it.")
            .example(r#"cmd::getdel::<String>("token")"#, "GETDEL token"),
        entry("GETEX", "Option<V>", "Gets the value of a key and sets when it expires.")
            .example(r#"cmd::getex::<String>("token").ex(Duration::from_secs(60))"#, "GETEX token EX 60")
            .example(r#"cmd::getex::<String>("token").persist()"#, "GETEX token PERSIST"),
        entry("GETRANGE", "V", "Gets a part of a value, from byte `start` to byte `end`, both included.")
            .example(r#"cmd::getrange::<String>("log", 0, -1)"#, "GETRANGE log 0 -1"),
        entry("GETSET", "Option<V>", "Sets the value of a key and returns the one before."),
        entry("INCR", "i64", "Increments a number by one; returns the new one.")
            .example(r#"cmd::incr("visits")"#, "INCR visits"),
        entry("INCRBY", "i64", "Increments a number; returns the new one.").rename("increment", "by")
            .example(r#"cmd::incrby("visits", 10)"#, "INCRBY visits 10"),
        entry("INCRBYFLOAT", "f64", "Increments a floating-point number; returns the new one.")
            .rename("increment", "by")
            .example(r#"cmd::incrbyfloat("price", 0.5)"#, "INCRBYFLOAT price 0.5"),
        entry("LCS", "V", "The longest common subsequence of two values.")
            .without("len")
            .without("idx")
            .without("MINMATCHLEN")
            .without("WITHMATCHLEN"),
        entry("LCS", "LcsMatches", "Where two values have the parts of their longest common subsequence.")
            .name("lcs_idx")
            .promote("idx")
            .without("len")
            .ty("min-match-len", As::Type("u64"))
            .rename("min-match-len", "len")
            .setter("MINMATCHLEN", "min_match_len")
            .setter("WITHMATCHLEN", "with_match_len")
            .note("MINMATCHLEN", "Only parts of at least this length.")
            .note("WITHMATCHLEN", "The length of each part too."),
        entry("LCS", "u64", "The length of the longest common subsequence of two values in bytes.")
            .name("lcs_len")
            .promote("len")
            .without("idx")
            .without("MINMATCHLEN")
            .without("WITHMATCHLEN"),
        entry("MGET", "Vec<Option<V>>", "Gets the values of keys.")
            .example(r#"cmd::mget::<String>(["a", "b"])"#, "MGET a b"),
        entry("MSET", "()", "Sets the values of keys.")
            .example(r#"cmd::mset([("a", 1), ("b", 2)])"#, "MSET a 1 b 2"),
        entry("MSETEX", "bool", "Sets the values of keys and when they expire; false if a condition did not hold.")
            .note("NX", "Only if none of the keys exists.")
            .note("XX", "Only if all of the keys exist."),
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
            .note("GET", "Returns the value before, whether or not the new one is set; together with `nx` from 7.0 on.")
            .example(r#"cmd::set("greeting", "hello")"#, "SET greeting hello")
            .example(r#"cmd::set("greeting", "hello").ex(Duration::from_secs(60))"#, "SET greeting hello EX 60")
            .example(r#"cmd::set("lock", "owner").nx().ex(Duration::from_millis(1500))"#, "SET lock owner NX PX 1500")
            .example(r#"cmd::set("greeting", "hi").get::<String>()"#, "SET greeting hi GET"),
        entry("SETEX", "()", "Sets the value of a key that expires, with whole seconds.").rename("seconds", "ttl"),
        entry("SETNX", "bool", "Sets the value of a key unless it exists."),
        entry("SETRANGE", "u64", "Overwrites a part of a value from byte `offset` on; returns its new length.")
            .ty("offset", As::Type("u64")),
        entry("STRLEN", "u64", "The length of a value in bytes; 0 without the key.")
            .example(r#"cmd::strlen("log")"#, "STRLEN log"),
        entry("SUBSTR", "V", "As `getrange`."),
    ]
}
