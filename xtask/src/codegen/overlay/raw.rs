//! Commands without a builder, and why.

/// The table's commands that are left to `Cmd::raw`, each with the reason.
pub(crate) fn raw() -> Vec<(&'static str, &'static str)> {
    vec![
        ("PFDEBUG", "it shows how the server keeps a value, for its developers"),
        ("PFSELFTEST", "it tests the server's own code, for its developers"),
        ("XGROUP", "it is nothing without one of its subcommands"),
        ("XINFO", "it is nothing without one of its subcommands"),
    ]
}
