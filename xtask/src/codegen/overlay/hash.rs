//! Commands of the group `hash`.

use super::{As, Entry, entry};

pub(super) fn entries() -> Vec<Entry> {
    let expire = |command, argument, name, doc| {
        entry(command, "Vec<FieldExpiry>", doc)
            .rename(argument, name)
            .note("NX", "Only fields without an expiry.")
            .note("XX", "Only fields with an expiry.")
            .note("GT", "Only fields whose present expiry is earlier.")
            .note("LT", "Only fields whose present expiry is later, or that have none.")
    };
    let scan = |reply, doc| {
        entry("HSCAN", reply, doc)
            .ty("cursor", As::Type("Cursor"))
            .ty("count", As::Type("u64"))
            .note("MATCH", "Only fields that match this pattern.")
            .note("COUNT", "About how many fields to look at.")
    };
    vec![
        entry("HDEL", "u64", "Removes fields; returns how many there were.")
            .example(r#"cmd::hdel("user:1", "mail")"#, "HDEL user:1 mail"),
        entry("HEXISTS", "bool", "Whether a hash has a field.")
            .example(r#"cmd::hexists("user:1", "mail")"#, "HEXISTS user:1 mail"),
        entry("HGET", "Option<V>", "Gets the value of a field.")
            .example(r#"cmd::hget::<String>("user:1", "name")"#, "HGET user:1 name"),
        entry("HGETALL", "T", "Gets all fields and values; decodes to a map or a list of pairs.")
            .example(r#"cmd::hgetall::<HashMap<String, String>>("user:1")"#, "HGETALL user:1"),
        entry("HINCRBY", "i64", "Increments a field's number; returns the new one.").rename("increment", "by")
            .example(r#"cmd::hincrby("user:1", "visits", 1)"#, "HINCRBY user:1 visits 1"),
        entry("HINCRBYFLOAT", "f64", "Increments a field's floating-point number; returns the new one.")
            .rename("increment", "by"),
        entry("HKEYS", "Vec<F>", "Lists the fields of a hash."),
        entry("HLEN", "u64", "How many fields a hash has."),
        entry("HMGET", "Vec<Option<V>>", "Gets the values of fields.")
            .example(r#"cmd::hmget::<String>("user:1", ["name", "mail"])"#, "HMGET user:1 name mail"),
        entry("HMSET", "()", "As `hset`, without telling how many are new.").rename("data", "fields"),
        entry("HRANDFIELD", "Option<F>", "Returns a random field.")
            .setter("options", "count")
            .turns("options", "Option<F>", "Vec<F>")
            .turns("WITHVALUES", "Vec<F>", "Vec<(F, V)>")
            .setter("WITHVALUES", "with_values")
            .note("options", "So many different fields; negative: exactly so many, which may repeat.")
            .note("WITHVALUES", "Returns their values too."),
        entry("HSET", "u64", "Sets fields; returns how many are new.").rename("data", "fields")
            .example(r#"cmd::hset("user:1", [("name", "Ann"), ("mail", "ann@example.com")])"#, "HSET user:1 name Ann mail ann@example.com"),
        entry("HSETNX", "bool", "Sets a field unless it exists."),
        entry("HSTRLEN", "u64", "The length of a field's value in bytes; 0 without it."),
        expire("HEXPIRE", "seconds", "ttl", "Lets fields expire after a time to live, rounded up to whole seconds; tells what became of each.")
            .example(r#"cmd::hexpire("user:1", Duration::from_secs(60), ["code"])"#, "HEXPIRE user:1 60 FIELDS 1 code"),
        expire("HEXPIREAT", "unix-time-seconds", "time", "Lets fields expire at a time, rounded up to whole seconds; tells what became of each."),
        entry("HEXPIRETIME", "Vec<ExpireTime<1>>", "When fields expire, in whole seconds."),
        entry("HGETDEL", "Vec<Option<V>>", "Gets the values of fields and deletes them."),
        entry("HGETEX", "Vec<Option<V>>", "Gets the values of fields and sets when they expire."),
        entry("HPERSIST", "Vec<FieldPersist>", "Removes the expiry of fields; tells what became of each."),
        expire("HPEXPIRE", "milliseconds", "ttl", "Lets fields expire after a time to live, rounded up to whole milliseconds; tells what became of each."),
        expire("HPEXPIREAT", "unix-time-milliseconds", "time", "Lets fields expire at a time, rounded up to whole milliseconds; tells what became of each."),
        entry("HPEXPIRETIME", "Vec<ExpireTime>", "When fields expire."),
        entry("HPTTL", "Vec<Ttl>", "How long fields are still to live."),
        scan("ScanPage<(F, V)>", "A page of a hash's fields and values.").without("novalues")
            .example(r#"cmd::hscan::<String, String>("user:1", Cursor::START).count(100)"#, "HSCAN user:1 0 COUNT 100"),
        scan("ScanPage<F>", "A page of a hash's fields.").name("hscan_no_values").promote("novalues"),
        entry("HSETEX", "bool", "Sets fields and when they expire; false if a condition did not hold.")
            .with_valkey()
            .rename("data", "fields")
            .note("NX", "Only if there is no such hash; Valkey alone has this.")
            .note("XX", "Only if there is such a hash; Valkey alone has this.")
            .note("FNX", "Only if none of the fields exists.")
            .note("FXX", "Only if all of the fields exist."),
        entry("HTTL", "Vec<Ttl<1>>", "How long fields are still to live, in whole seconds."),
        entry("HVALS", "Vec<V>", "Lists the values of a hash."),
    ]
}
