//! Commands without a builder, and why.

/// The table's commands that are left to `Cmd::raw`, each with the reason.
pub(crate) fn raw() -> Vec<(&'static str, &'static str)> {
    vec![
        ("ASKING", "it is a part of following redirects"),
        ("CLUSTER", "it is nothing without a subcommand"),
        ("CLUSTER SYNCSLOTS", "nodes send it to each other"),
        ("DISCARD", "transactions have a type of their own"),
        ("EXEC", "transactions have a type of their own"),
        ("FUNCTION", "it is nothing without a subcommand"),
        ("MULTI", "transactions have a type of their own"),
        ("READONLY", "it changes the connection"),
        ("READWRITE", "it changes the connection"),
        ("SCRIPT", "it is nothing without a subcommand"),
        ("SCRIPT DEBUG", "debugging is for the server's own command line"),
        ("UNWATCH", "watches have a type of their own"),
        ("WATCH", "watches have a type of their own"),
    ]
}
