//! Commands that a shared connection refuses.

/// Commands that change the connection they are sent on, and what to call instead on a shared one.
pub(crate) const fn stateful() -> &'static [(&'static str, &'static str)] {
    const DATABASE: &str = "set the database in the configuration";
    const CREDENTIALS: &str = "set the credentials in the configuration";
    const HANDSHAKE: &str = "set protocol and credentials in the configuration";
    const PUBSUB: &str = "use `client.pubsub()`";
    const WATCH: &str = "use `client.watch(keys)`";
    const TRANSACTION: &str = "use `client.pipeline()` or `client.transaction(keys, ..)`";
    const READS: &str = "reads go to the server that is configured";
    const NAME: &str = "set the client name in the configuration";
    const TRACKING: &str = "client-side caching is not available on a shared connection";
    const OWN: &str = "it is not available on a shared connection";
    const REPLICATION: &str = "replication is not a client's business";
    const CLOSE: &str = "drop the client to close its connections";
    &[
        ("ASKING", "it is a part of following redirects"),
        ("AUTH", CREDENTIALS),
        ("CLIENT CACHING", TRACKING),
        ("CLIENT CAPA", HANDSHAKE),
        ("CLIENT IMPORT-SOURCE", OWN),
        ("CLIENT NO-EVICT", OWN),
        ("CLIENT NO-TOUCH", OWN),
        ("CLIENT REPLY", "each command gets its reply; use `client.pipeline()` to wait once for many"),
        ("CLIENT SETINFO", "the library names itself when it connects"),
        ("CLIENT SETNAME", NAME),
        ("CLIENT TRACKING", TRACKING),
        ("DISCARD", TRANSACTION),
        ("EXEC", TRANSACTION),
        ("HELLO", HANDSHAKE),
        ("MONITOR", "use `client.monitor()`, which has its own connection"),
        ("MULTI", TRANSACTION),
        ("PSUBSCRIBE", PUBSUB),
        ("PSYNC", REPLICATION),
        ("PUNSUBSCRIBE", PUBSUB),
        ("QUIT", CLOSE),
        ("READONLY", READS),
        ("READWRITE", READS),
        ("REPLCONF", REPLICATION),
        ("RESET", "connections are reset before they are used again"),
        ("RESTORE-ASKING", "use `RESTORE`"),
        ("SCRIPT DEBUG", "debug scripts with the server's own command line"),
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
