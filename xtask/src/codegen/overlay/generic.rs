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
    let migrate = |entry: Entry| {
        entry
            .ty("port", As::Type("u16"))
            .ty("destination-db", As::Type("u64"))
            .rename("destination-db", "db")
            .ty("timeout", As::Millis)
            .rename("auth", "password")
            .note("COPY", "Leaves them here, too.")
            .note("REPLACE", "Replaces what the other server has.")
            .note("AUTH", "Authenticates to the other server with this password.")
            .note("AUTH2", "Authenticates to the other server as this user.")
    };
    let restore = |entry: Entry| {
        entry
            .ty("frequency", As::Type("u64"))
            .rename("serialized-value", "value")
            .rename("seconds", "time")
            .setter("IDLETIME", "idle_time")
            .note("REPLACE", "Replaces what the key holds.")
            .note("IDLETIME", "As if it was not used for this time, rounded up to whole seconds.")
            .note("FREQ", "As if it was used so often, on the scale of `object_freq`.")
    };
    let sort = |entry: Entry| {
        entry
            .ty("offset", As::Type("u64"))
            .turns("GET", "Vec<T>", "Vec<Option<T>>")
            .note("BY", "Sorts by the values of other keys: the pattern with the element for its `*`.")
            .note("LIMIT", "Skips `offset` elements and returns at most `count`; all where that is negative.")
            .note("GET", "Returns the values of other keys instead: each pattern with the element for its `*`, which `#` is by itself.")
            .note("ASC", "Lowest first, as without this.")
            .note("DESC", "Highest first.")
            .note("ALPHA", "Sorts texts instead of numbers.")
    };
    vec![
        entry("COPY", "bool", "Copies a value to another key; false if that exists already.")
            .ty("destination-db", As::Type("u64"))
            .rename("destination-db", "db")
            .note("DB", "Copies to this database.")
            .note("REPLACE", "Replaces what the other key holds."),
        entry("DEL", "u64", "Deletes keys; returns how many there were.")
            .example(r#"cmd::del("a")"#, "DEL a")
            .example(r#"cmd::del(["a", "b"])"#, "DEL a b"),
        entry("DUMP", "Option<Bytes>", "A value as `restore` takes it, in the server's own format."),
        entry("EXISTS", "u64", "Counts how many of the keys exist; a key given twice counts twice.")
            .example(r#"cmd::exists("a")"#, "EXISTS a"),
        expire("EXPIRE", "seconds", "ttl", "Lets a key expire after a time to live, rounded up to whole seconds.")
            .example(r#"cmd::expire("session", Duration::from_secs(60))"#, "EXPIRE session 60")
            .example(r#"cmd::expire("session", Duration::from_secs(60)).gt()"#, "EXPIRE session 60 GT"),
        expire("EXPIREAT", "unix-time-seconds", "time", "Lets a key expire at a time, rounded up to whole seconds.")
            .example(r#"cmd::expireat("offer", SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000))"#, "EXPIREAT offer 1800000000"),
        entry("EXPIRETIME", "ExpireTime<1>", "When a key expires, to the second."),
        entry("KEYS", "Vec<K>", "Lists all keys that match a pattern; blocks the server meanwhile."),
        migrate(entry("MIGRATE", "Migrated", "Moves a key to another server, over a connection of this server's own."))
            .pick("key-selector", "key")
            .without("KEYS"),
        migrate(entry("MIGRATE", "Migrated", "Moves keys to another server, over a connection of this server's own."))
            .name("migrate_keys")
            .pick("key-selector", "empty-string")
            .promote("keys")
            .rename("keys", "keys"),
        entry("MOVE", "bool", "Moves a key to another database; false if it is not there, or is there already.")
            .name("move_key")
            .ty("db", As::Type("u64")),
        entry("OBJECT ENCODING", "Option<Encoding>", "How the server keeps a value in memory."),
        entry("OBJECT FREQ", "Option<u64>", "How often a key is used, on a logarithmic scale."),
        entry("OBJECT HELP", "Vec<String>", "What the server says of the `OBJECT` commands, in lines."),
        entry("OBJECT IDLETIME", "Option<Seconds>", "How long a key was not used, in whole seconds."),
        entry("OBJECT REFCOUNT", "Option<u64>", "How many references to a value the server has."),
        entry("PERSIST", "bool", "Removes a key's expiry; false if it had none.")
            .example(r#"cmd::persist("session")"#, "PERSIST session"),
        expire("PEXPIRE", "milliseconds", "ttl", "Lets a key expire after a time to live, rounded up to whole milliseconds.")
            .example(r#"cmd::pexpire("lock", Duration::from_millis(1500))"#, "PEXPIRE lock 1500"),
        expire("PEXPIREAT", "unix-time-milliseconds", "time", "Lets a key expire at a time, rounded up to whole milliseconds."),
        entry("PEXPIRETIME", "ExpireTime", "When a key expires."),
        entry("PTTL", "Ttl", "How long a key is still to live.")
            .example(r#"cmd::pttl("session")"#, "PTTL session"),
        entry("RANDOMKEY", "Option<K>", "Any key of the database."),
        entry("RENAME", "()", "Renames a key, replacing what has the new name.")
            .example(r#"cmd::rename("draft", "page")"#, "RENAME draft page"),
        entry("RENAMENX", "bool", "Renames a key unless the new name is taken."),
        restore(entry("RESTORE", "()", "Makes a key of a value that `dump` gave, expiring after a time to live or never."))
            .ty("ttl", As::Into("RestoreTtl"))
            .without("ABSTTL"),
        restore(entry("RESTORE", "()", "Makes a key of a value that `dump` gave, expiring at a time.").name("restore_at"))
            .ty("ttl", As::UnixMillis)
            .rename("ttl", "time")
            .promote("absttl"),
        entry("SCAN", "ScanPage<K>", "A page of the database's keys.")
            .ty("cursor", As::Type("Cursor"))
            .ty("count", As::Type("u64"))
            .rename("type", "key_type")
            .setter("TYPE", "key_type")
            .note("MATCH", "Only keys that match this pattern.")
            .note("COUNT", "About how many keys to look at.")
            .note("TYPE", "Only keys whose value has this type.")
            .example("cmd::scan::<String>(Cursor::START)", "SCAN 0")
            .example(r#"cmd::scan::<String>(Cursor::START).matching("user:*").count(100)"#, "SCAN 0 MATCH user:* COUNT 100"),
        sort(entry("SORT", "Vec<T>", "The sorted elements of a list, set or sorted set."))
            .turns("STORE", "_", "u64")
            .note("STORE", "Stores them as a list; returns how many there are."),
        sort(entry("SORT_RO", "Vec<T>", "As `sort`, for replicas too.")),
        entry("TOUCH", "u64", "Marks keys as just used; returns how many exist."),
        entry("TTL", "Ttl<1>", "How long a key is still to live, in whole seconds.")
            .example(r#"cmd::ttl("session")"#, "TTL session"),
        entry("TYPE", "KeyType", "The type of a key's value.").name("key_type")
            .example(r#"cmd::key_type("session")"#, "TYPE session"),
        entry("UNLINK", "u64", "Deletes keys and frees their memory in the background; returns how many there were.")
            .example(r#"cmd::unlink(["a", "b"])"#, "UNLINK a b"),
        entry("WAIT", "u64", "Waits until replicas have what this connection wrote; returns how many have it.")
            .ty("numreplicas", As::Type("u64"))
            .rename("numreplicas", "replicas")
            .ty("timeout", As::TimeoutMillis),
        entry("WAITAOF", "AofAcks", "Waits until what this connection wrote is on the disks of the server and of replicas.")
            .ty("numlocal", As::Type("u64"))
            .rename("numlocal", "local")
            .ty("numreplicas", As::Type("u64"))
            .rename("numreplicas", "replicas")
            .ty("timeout", As::TimeoutMillis),
    ]
}
