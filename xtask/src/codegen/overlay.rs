//! What the servers' table can't say: our words, reply types and nicer names, one entry a builder.
//!
//! A Rust table: it needs no parser, the compiler checks it, and an entry that names an argument the
//! table does not have fails the generator. Everything not said here is derived from the table.

/// One builder of one command. A command may have several, each with another `name`.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) command: &'static str,
    /// The reply's Rust type; single capital letters in it are the caller's choice.
    pub(crate) reply: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) name: Option<&'static str>,
    /// Parameters by the table's argument name.
    pub(crate) renamed: Vec<(&'static str, &'static str)>,
    pub(crate) typed: Vec<(&'static str, As)>,
    pub(crate) promoted: Vec<&'static str>,
    pub(crate) omitted: Vec<&'static str>,
    pub(crate) picked: Vec<(&'static str, &'static str)>,
    /// Setters and their words, by token (or argument name, where there is no token).
    pub(crate) setters: Vec<(&'static str, &'static str)>,
    pub(crate) notes: Vec<(&'static str, &'static str)>,
    /// Reply types before and after an option, by token (or argument name).
    pub(crate) turns: Vec<(&'static str, &'static str, &'static str)>,
}

/// What type an argument has, where the table's own type is too wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum As {
    /// Any single argument.
    Any,
    /// A Rust type that is an argument and `Copy`.
    Type(&'static str),
    /// A `Duration`, sent as whole seconds.
    Seconds,
    /// How long to wait; `None` for ever.
    Timeout,
    /// An enum of this name, made from the choice's words.
    Enum(&'static str),
}

fn entry(command: &'static str, reply: &'static str, doc: &'static str) -> Entry {
    Entry {
        command,
        reply,
        doc,
        name: None,
        renamed: Vec::new(),
        typed: Vec::new(),
        promoted: Vec::new(),
        omitted: Vec::new(),
        picked: Vec::new(),
        setters: Vec::new(),
        notes: Vec::new(),
        turns: Vec::new(),
    }
}

impl Entry {
    /// The function's name, where the command's own is no good one.
    fn name(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// Names the parameter of an argument.
    fn rename(mut self, argument: &'static str, name: &'static str) -> Self {
        self.renamed.push((argument, name));
        self
    }

    /// Gives an argument a type.
    fn ty(mut self, argument: &'static str, ty: As) -> Self {
        self.typed.push((argument, ty));
        self
    }

    /// Makes an optional argument a parameter.
    fn promote(mut self, argument: &'static str) -> Self {
        self.promoted.push(argument);
        self
    }

    /// Leaves an optional argument out.
    #[allow(
        dead_code,
        reason = "part of the overlay's vocabulary; commands to come need it"
    )]
    fn omit(mut self, argument: &'static str) -> Self {
        self.omitted.push(argument);
        self
    }

    /// Takes one branch of a choice and leaves the others out.
    fn pick(mut self, choice: &'static str, branch: &'static str) -> Self {
        self.picked.push((choice, branch));
        self
    }

    /// Names the setter of an option.
    fn setter(mut self, option: &'static str, name: &'static str) -> Self {
        self.setters.push((option, name));
        self
    }

    /// Describes an option in our words.
    fn note(mut self, option: &'static str, doc: &'static str) -> Self {
        self.notes.push((option, doc));
        self
    }

    /// Says that options, separated by spaces, change the reply's type; `_` stands for any type before.
    fn turns(mut self, options: &'static str, from: &'static str, to: &'static str) -> Self {
        self.turns
            .extend(options.split(' ').map(|option| (option, from, to)));
        self
    }
}

/// Setter and description of options that many commands share, by token.
pub(crate) const WORDS: &[(&str, &str, &str)] = &[
    ("NX", "nx", "Only if it does not exist."),
    ("XX", "xx", "Only if it exists."),
    (
        "GT",
        "gt",
        "Only if the new value is greater than the present one.",
    ),
    (
        "LT",
        "lt",
        "Only if the new value is less than the present one.",
    ),
    (
        "CH",
        "ch",
        "Counts changed elements too, not only added ones.",
    ),
    ("IFEQ", "if_eq", "Only if the present value is this one."),
    (
        "IFNE",
        "if_ne",
        "Only if the present value is not this one.",
    ),
    (
        "IFDEQ",
        "if_digest_eq",
        "Only if the digest of the present value is this one, in hexadecimal.",
    ),
    (
        "IFDNE",
        "if_digest_ne",
        "Only if the digest of the present value is not this one, in hexadecimal.",
    ),
    ("KEEPTTL", "keep_ttl", "Keeps the present expiry."),
    ("PERSIST", "persist", "Removes the expiry."),
    (
        "EX",
        "ex",
        "Expires after this time to live, rounded up to whole milliseconds; sends `EX` or `PX`.",
    ),
    (
        "EXAT",
        "ex_at",
        "Expires at this time, rounded up to whole milliseconds; sends `EXAT` or `PXAT`.",
    ),
    ("COUNT", "count", "How many at the most."),
    (
        "LIMIT",
        "limit",
        "Skips `offset` elements and returns at most `count`.",
    ),
    ("REV", "rev", "In the opposite order."),
    ("BYSCORE", "by_score", "`start` and `stop` are scores."),
    (
        "BYLEX",
        "by_lex",
        "`start` and `stop` are members, in the order of their bytes.",
    ),
    ("WITHSCORES", "with_scores", "Returns the scores too."),
    ("WITHSCORE", "with_score", "Returns the score too."),
    (
        "ASYNC",
        "asynchronous",
        "Frees the memory in the background.",
    ),
    ("SYNC", "synchronous", "Frees the memory before replying."),
    (
        "NOMKSTREAM",
        "no_mkstream",
        "Does not create the stream if it is missing.",
    ),
    ("=", "exactly", "Trims to the threshold exactly."),
    (
        "~",
        "approximately",
        "May keep some more entries, which is much cheaper.",
    ),
    (
        "KEEPREF",
        "keep_ref",
        "Keeps references to trimmed entries in consumer groups.",
    ),
    (
        "DELREF",
        "del_ref",
        "Removes references to trimmed entries from consumer groups.",
    ),
    (
        "ACKED",
        "acked",
        "Trims only entries that every consumer group has acknowledged.",
    ),
    (
        "SKIPME",
        "skip_me",
        "Whether the caller's own connection is left out.",
    ),
    ("MAXAGE", "max_age", "Only connections at least this old."),
];

/// Every command that has a builder, by group.
pub(crate) fn entries() -> Vec<Entry> {
    [
        generic(),
        strings(),
        hashes(),
        lists(),
        sets(),
        sorted_sets(),
        streams(),
        scripting(),
        pubsub(),
        connection(),
        server(),
    ]
    .concat()
}

fn generic() -> Vec<Entry> {
    let expire = |command, argument, name, doc| {
        entry(command, "bool", doc)
            .rename(argument, name)
            .note("NX", "Only if the key has no expiry.")
            .note("XX", "Only if the key has an expiry.")
            .note("GT", "Only if this is later than the present expiry.")
            .note("LT", "Only if this is earlier than the present expiry.")
    };
    vec![
        entry("DEL", "u64", "Deletes keys; returns how many there were."),
        entry(
            "EXISTS",
            "u64",
            "Counts how many of the keys exist; a key given twice counts twice.",
        ),
        expire(
            "EXPIRE",
            "seconds",
            "ttl",
            "Lets a key expire after a time to live, rounded up to whole seconds.",
        ),
        expire(
            "EXPIREAT",
            "unix-time-seconds",
            "time",
            "Lets a key expire at a time, rounded up to whole seconds.",
        ),
        entry(
            "KEYS",
            "Vec<K>",
            "Lists all keys that match a pattern; blocks the server meanwhile.",
        ),
        entry(
            "PERSIST",
            "bool",
            "Removes a key's expiry; false if it had none.",
        ),
        expire(
            "PEXPIRE",
            "milliseconds",
            "ttl",
            "Lets a key expire after a time to live, rounded up to whole milliseconds.",
        ),
        expire(
            "PEXPIREAT",
            "unix-time-milliseconds",
            "time",
            "Lets a key expire at a time, rounded up to whole milliseconds.",
        ),
        entry(
            "PTTL",
            "i64",
            "Milliseconds until a key expires; -1 without an expiry, -2 without the key.",
        ),
        entry(
            "RENAME",
            "()",
            "Renames a key, replacing what has the new name.",
        ),
        entry(
            "RENAMENX",
            "bool",
            "Renames a key unless the new name is taken.",
        ),
        entry(
            "TOUCH",
            "u64",
            "Marks keys as just used; returns how many exist.",
        ),
        entry(
            "TTL",
            "i64",
            "Seconds until a key expires; -1 without an expiry, -2 without the key.",
        ),
        entry(
            "TYPE",
            "String",
            "The type of a key's value, such as `string` or `zset`; `none` without the key.",
        )
        .name("key_type"),
        entry(
            "UNLINK",
            "u64",
            "Deletes keys and frees their memory in the background; returns how many there were.",
        ),
    ]
}

fn strings() -> Vec<Entry> {
    vec![
        entry(
            "APPEND",
            "u64",
            "Appends to a value; returns its new length in bytes.",
        ),
        entry(
            "DECR",
            "i64",
            "Decrements a number by one; returns the new one.",
        ),
        entry("DECRBY", "i64", "Decrements a number; returns the new one.")
            .rename("decrement", "by"),
        entry("GET", "Option<V>", "Gets the value of a key."),
        entry(
            "GETDEL",
            "Option<V>",
            "Gets the value of a key and deletes it.",
        ),
        entry(
            "GETEX",
            "Option<V>",
            "Gets the value of a key and sets when it expires.",
        ),
        entry(
            "GETRANGE",
            "V",
            "Gets a part of a value, from byte `start` to byte `end`, both included.",
        ),
        entry(
            "GETSET",
            "Option<V>",
            "Sets the value of a key and returns the one before.",
        ),
        entry(
            "INCR",
            "i64",
            "Increments a number by one; returns the new one.",
        ),
        entry("INCRBY", "i64", "Increments a number; returns the new one.")
            .rename("increment", "by"),
        entry(
            "INCRBYFLOAT",
            "f64",
            "Increments a floating-point number; returns the new one.",
        )
        .rename("increment", "by"),
        entry("MGET", "Vec<Option<V>>", "Gets the values of keys."),
        entry("MSET", "()", "Sets the values of keys."),
        entry(
            "MSETNX",
            "bool",
            "Sets the values of keys if none of them exists.",
        ),
        entry(
            "PSETEX",
            "()",
            "Sets the value of a key that expires, with milliseconds.",
        )
        .rename("milliseconds", "ttl"),
        entry("SET", "()", "Sets the value of a key.")
            .turns("NX XX IFEQ IFNE IFDEQ IFDNE", "()", "Option<()>")
            .turns("NX XX IFEQ IFNE IFDEQ IFDNE", "Option<V>", "Option<V>")
            .turns("GET", "_", "Option<V>")
            .ty("ifdeq-digest", As::Any)
            .ty("ifdne-digest", As::Any)
            .note(
                "GET",
                "Returns the value before, whether or not the new one is set.",
            ),
        entry(
            "SETEX",
            "()",
            "Sets the value of a key that expires, with whole seconds.",
        )
        .rename("seconds", "ttl"),
        entry("SETNX", "bool", "Sets the value of a key unless it exists."),
        entry(
            "SETRANGE",
            "u64",
            "Overwrites a part of a value from byte `offset` on; returns its new length.",
        )
        .ty("offset", As::Type("u64")),
        entry(
            "STRLEN",
            "u64",
            "The length of a value in bytes; 0 without the key.",
        ),
    ]
}

fn hashes() -> Vec<Entry> {
    vec![
        entry(
            "HDEL",
            "u64",
            "Removes fields; returns how many there were.",
        ),
        entry("HEXISTS", "bool", "Whether a hash has a field."),
        entry("HGET", "Option<V>", "Gets the value of a field."),
        entry(
            "HGETALL",
            "T",
            "Gets all fields and values; decodes to a map or a list of pairs.",
        ),
        entry(
            "HINCRBY",
            "i64",
            "Increments a field's number; returns the new one.",
        )
        .rename("increment", "by"),
        entry(
            "HINCRBYFLOAT",
            "f64",
            "Increments a field's floating-point number; returns the new one.",
        )
        .rename("increment", "by"),
        entry("HKEYS", "Vec<F>", "Lists the fields of a hash."),
        entry("HLEN", "u64", "How many fields a hash has."),
        entry("HMGET", "Vec<Option<V>>", "Gets the values of fields."),
        entry("HSET", "u64", "Sets fields; returns how many are new.").rename("data", "fields"),
        entry("HSETNX", "bool", "Sets a field unless it exists."),
        entry(
            "HSTRLEN",
            "u64",
            "The length of a field's value in bytes; 0 without it.",
        ),
        entry("HVALS", "Vec<V>", "Lists the values of a hash."),
    ]
}

fn lists() -> Vec<Entry> {
    let pop = |command, doc| {
        entry(command, "Option<V>", doc)
            .ty("count", As::Type("u64"))
            .turns("count", "Option<V>", "Option<Vec<V>>")
            .note(
                "count",
                "Removes up to so many elements, and returns them as a list.",
            )
    };
    let blocking_pop =
        |command, doc| entry(command, "Option<(K, V)>", doc).ty("timeout", As::Timeout);
    vec![
        entry(
            "BLMOVE",
            "Option<V>",
            "Moves an element from list to list, waiting for one.",
        )
        .rename("wherefrom", "from")
        .rename("whereto", "to")
        .ty("wherefrom", As::Enum("Side"))
        .ty("whereto", As::Enum("Side"))
        .ty("timeout", As::Timeout),
        blocking_pop(
            "BLPOP",
            "Removes the first element of the first list that has one, waiting for it.",
        ),
        blocking_pop(
            "BRPOP",
            "Removes the last element of the first list that has one, waiting for it.",
        ),
        entry(
            "LINDEX",
            "Option<V>",
            "Gets the element at an index; negative ones count from the end.",
        ),
        entry("LLEN", "u64", "How many elements a list has."),
        entry("LMOVE", "Option<V>", "Moves an element from list to list.")
            .rename("wherefrom", "from")
            .rename("whereto", "to")
            .ty("wherefrom", As::Enum("Side"))
            .ty("whereto", As::Enum("Side")),
        pop("LPOP", "Removes and returns the first element."),
        entry(
            "LPUSH",
            "u64",
            "Adds elements in front, one after the other; returns the new length.",
        ),
        entry(
            "LRANGE",
            "Vec<V>",
            "Gets the elements from `start` to `stop`, both included.",
        ),
        entry(
            "LREM",
            "u64",
            "Removes up to `count` elements equal to one; negative: from the end, 0: all.",
        ),
        entry("LSET", "()", "Replaces the element at an index."),
        entry(
            "LTRIM",
            "()",
            "Keeps only the elements from `start` to `stop`, both included.",
        ),
        pop("RPOP", "Removes and returns the last element."),
        entry(
            "RPUSH",
            "u64",
            "Adds elements at the end; returns the new length.",
        ),
    ]
}

fn sets() -> Vec<Entry> {
    vec![
        entry("SADD", "u64", "Adds members; returns how many are new."),
        entry("SCARD", "u64", "How many members a set has."),
        entry(
            "SDIFF",
            "Vec<M>",
            "The members of the first set that no other has.",
        ),
        entry("SINTER", "Vec<M>", "The members that all sets have."),
        entry("SISMEMBER", "bool", "Whether a set has a member."),
        entry("SMEMBERS", "Vec<M>", "All members of a set."),
        entry(
            "SMISMEMBER",
            "Vec<bool>",
            "Whether a set has each of the members.",
        ),
        entry(
            "SREM",
            "u64",
            "Removes members; returns how many there were.",
        ),
        entry("SUNION", "Vec<M>", "The members that any of the sets has."),
    ]
}

fn sorted_sets() -> Vec<Entry> {
    let rank = |command, doc| {
        entry(command, "Option<u64>", doc).turns("WITHSCORE", "Option<u64>", "Option<(u64, f64)>")
    };
    vec![
        entry(
            "ZADD",
            "u64",
            "Adds members with their scores; returns how many are new.",
        )
        .rename("data", "members")
        .turns("INCR", "u64", "Option<f64>")
        .note("NX", "Only adds members, never changes a score.")
        .note("XX", "Only changes scores, never adds a member.")
        .note(
            "GT",
            "Changes a score only to a greater one; new members are added.",
        )
        .note(
            "LT",
            "Changes a score only to a smaller one; new members are added.",
        )
        .note(
            "INCR",
            "Increments the score of the one member given; returns the new one, or `None` if a \
                 condition did not hold.",
        ),
        entry("ZCARD", "u64", "How many members a sorted set has."),
        entry(
            "ZINCRBY",
            "f64",
            "Increments a member's score; returns the new one.",
        )
        .rename("increment", "by")
        .ty("increment", As::Type("f64")),
        entry("ZMSCORE", "Vec<Option<f64>>", "The scores of members."),
        entry(
            "ZRANGE",
            "Vec<M>",
            "Lists the members from `start` to `stop`, both included.",
        )
        .turns("WITHSCORES", "Vec<M>", "Vec<(M, f64)>"),
        rank(
            "ZRANK",
            "The position of a member, from 0, lowest score first.",
        ),
        entry(
            "ZREM",
            "u64",
            "Removes members; returns how many there were.",
        ),
        rank(
            "ZREVRANK",
            "The position of a member, from 0, highest score first.",
        ),
        entry("ZSCORE", "Option<f64>", "The score of a member."),
    ]
}

fn streams() -> Vec<Entry> {
    let range = |command, doc| {
        entry(command, "Vec<(String, T)>", doc)
            .ty("count", As::Type("u64"))
            .note("COUNT", "How many entries at the most.")
    };
    vec![
        entry(
            "XADD",
            "String",
            "Adds an entry to a stream; returns its id. `*` as id lets the server choose.",
        )
        .ty("id-selector", As::Any)
        .rename("id-selector", "id")
        .rename("data", "fields")
        .turns("NOMKSTREAM", "String", "Option<String>")
        .setter("idmpauto-with-pid", "idempotent_auto")
        .setter("idmp-with-pid-iid", "idempotent")
        .note(
            "idmpauto-with-pid",
            "Adds the entry once for this producer and content.",
        )
        .note(
            "idmp-with-pid-iid",
            "Adds the entry once for this producer and its own id of the message.",
        )
        .note("MAXLEN", "Trims the stream to this many entries.")
        .note("MINID", "Trims the entries with a lower id.")
        .ty("count", As::Type("u64"))
        .note(
            "LIMIT",
            "Trims at most this many entries; for `approximately` only.",
        ),
        entry("XLEN", "u64", "How many entries a stream has."),
        range(
            "XRANGE",
            "The entries with ids from `start` to `end`, `-` and `+` being the ends of the stream.",
        ),
        range(
            "XREVRANGE",
            "The entries with ids from `end` down to `start`, newest first.",
        ),
    ]
}

fn scripting() -> Vec<Entry> {
    let eval = |command, doc| entry(command, "T", doc).promote("key").promote("arg");
    vec![
        eval("EVAL", "Runs a script with keys and arguments."),
        eval(
            "EVALSHA",
            "Runs a script that the server has, named by its SHA-1 in hexadecimal.",
        ),
        eval("EVALSHA_RO", "As `evalsha`, for scripts that only read."),
        eval("EVAL_RO", "As `eval`, for scripts that only read."),
        entry(
            "SCRIPT EXISTS",
            "Vec<bool>",
            "Whether the server has each of the scripts, named by their SHA-1.",
        )
        .rename("sha1", "shas"),
        entry("SCRIPT FLUSH", "()", "Forgets all scripts."),
        entry(
            "SCRIPT LOAD",
            "String",
            "Loads a script; returns its SHA-1 in hexadecimal.",
        ),
    ]
}

fn pubsub() -> Vec<Entry> {
    let pattern = "Only channels that match a pattern.";
    vec![
        entry(
            "PUBLISH",
            "u64",
            "Publishes a message; returns how many clients of this node got it.",
        ),
        entry(
            "PUBSUB CHANNELS",
            "Vec<C>",
            "The channels that have subscribers.",
        )
        .note("pattern", pattern),
        entry(
            "PUBSUB NUMPAT",
            "u64",
            "How many patterns have subscribers.",
        ),
        entry(
            "PUBSUB NUMSUB",
            "Vec<(C, u64)>",
            "How many subscribers each of the channels has.",
        )
        .promote("channel"),
        entry(
            "PUBSUB SHARDCHANNELS",
            "Vec<C>",
            "The shard channels that have subscribers.",
        )
        .note("pattern", pattern),
        entry(
            "PUBSUB SHARDNUMSUB",
            "Vec<(C, u64)>",
            "How many subscribers each of the shard channels has.",
        )
        .promote("shardchannel")
        .rename("shardchannel", "channels"),
        entry(
            "SPUBLISH",
            "u64",
            "Publishes a message to a shard channel; returns how many clients got it.",
        )
        .rename("shardchannel", "channel"),
    ]
}

fn connection() -> Vec<Entry> {
    vec![
        entry(
            "CLIENT GETNAME",
            "Option<String>",
            "The name of this connection.",
        ),
        entry("CLIENT ID", "u64", "The id of this connection."),
        entry(
            "CLIENT INFO",
            "String",
            "What the server knows of this connection, as it prints it.",
        ),
        entry(
            "CLIENT KILL",
            "u64",
            "Closes connections that match all of the filters; returns how many.",
        )
        .pick("filter", "new-format")
        .ty("client-id", As::Type("u64"))
        .ty("client-type", As::Enum("ClientType"))
        .ty("maxage", As::Seconds)
        .setter("TYPE", "client_type")
        .note("ID", "The connection with this id.")
        .note("TYPE", "Connections of this type.")
        .note("USER", "Connections authenticated as this user.")
        .note("ADDR", "The connection from this `address:port`.")
        .note("LADDR", "Connections to this `address:port` of the server."),
        entry(
            "CLIENT LIST",
            "String",
            "The connections, one a line, as the server prints them.",
        )
        .ty("client-type", As::Enum("ClientType"))
        .ty("client-id", As::Type("u64"))
        .setter("TYPE", "client_type")
        .setter("ID", "ids")
        .note("TYPE", "Only connections of this type.")
        .note("ID", "Only connections with these ids."),
        entry("ECHO", "V", "Returns the message."),
        entry("PING", "()", "Asks for a sign of life.")
            .turns("message", "_", "V")
            .note("message", "Returns this message."),
    ]
}

fn server() -> Vec<Entry> {
    vec![
        entry(
            "CONFIG GET",
            "std::collections::HashMap<String, String>",
            "The settings that match patterns.",
        ),
        entry(
            "CONFIG RESETSTAT",
            "()",
            "Resets the statistics that `INFO` shows.",
        ),
        entry(
            "CONFIG REWRITE",
            "()",
            "Writes the present settings to the configuration file.",
        ),
        entry("CONFIG SET", "()", "Changes settings.").rename("data", "settings"),
        entry("DBSIZE", "u64", "How many keys the database has."),
        entry("FLUSHALL", "()", "Deletes all keys of all databases."),
        entry("FLUSHDB", "()", "Deletes all keys of the database."),
        entry(
            "INFO",
            "String",
            "Facts and statistics of the server, as it prints them.",
        )
        .setter("section", "sections")
        .note("section", "Only these sections."),
        entry(
            "TIME",
            "(u64, u64)",
            "The server's time: seconds since 1970, and microseconds on top.",
        ),
    ]
}

/// Commands that change the connection they are sent on, and what to call instead on a shared one.
pub(crate) const fn stateful() -> &'static [(&'static str, &'static str)] {
    const DATABASE: &str = "set the database in the configuration";
    const CREDENTIALS: &str = "set the credentials in the configuration";
    const HANDSHAKE: &str = "set protocol and credentials in the configuration";
    const PUBSUB: &str = "use `client.pubsub()`";
    const WATCH: &str = "use `client.watch(keys)`";
    const TRANSACTION: &str = "use `client.pipeline()` or `client.transaction(keys, ..)`";
    const READS: &str = "set the read routing in the configuration";
    const NAME: &str = "set the client name in the configuration";
    const TRACKING: &str = "open a connection of its own for client-side caching";
    const OWN: &str = "open a connection of its own for it";
    const REPLICATION: &str = "replication is not a client's business";
    const CLOSE: &str = "drop the client to close its connections";
    &[
        ("ASKING", "redirects are followed by the cluster client"),
        ("AUTH", CREDENTIALS),
        ("CLIENT CACHING", TRACKING),
        ("CLIENT CAPA", HANDSHAKE),
        ("CLIENT IMPORT-SOURCE", OWN),
        ("CLIENT NO-EVICT", OWN),
        ("CLIENT NO-TOUCH", OWN),
        (
            "CLIENT REPLY",
            "each command gets its reply; use `client.pipeline()` to wait once for many",
        ),
        (
            "CLIENT SETINFO",
            "set the library name in the configuration",
        ),
        ("CLIENT SETNAME", NAME),
        ("CLIENT TRACKING", TRACKING),
        ("DISCARD", TRANSACTION),
        ("EXEC", TRANSACTION),
        ("HELLO", HANDSHAKE),
        ("MONITOR", "use `client.monitor()`"),
        ("MULTI", TRANSACTION),
        ("PSUBSCRIBE", PUBSUB),
        ("PSYNC", REPLICATION),
        ("PUNSUBSCRIBE", PUBSUB),
        ("QUIT", CLOSE),
        ("READONLY", READS),
        ("READWRITE", READS),
        ("REPLCONF", REPLICATION),
        ("RESET", "connections are reset before they are used again"),
        (
            "RESTORE-ASKING",
            "use `RESTORE`; redirects are followed by the cluster client",
        ),
        (
            "SCRIPT DEBUG",
            "debug scripts with the server's own command line",
        ),
        ("SELECT", DATABASE),
        ("SSUBSCRIBE", PUBSUB),
        ("SUBSCRIBE", PUBSUB),
        ("SUNSUBSCRIBE", PUBSUB),
        ("SYNC", REPLICATION),
        ("UNSUBSCRIBE", PUBSUB),
        ("UNWATCH", WATCH),
        ("WATCH", WATCH),
    ]
}
