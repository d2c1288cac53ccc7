//! Commands without a builder, and why.

/// The table's commands that are left to `Cmd::raw`, each with the reason.
pub(crate) fn raw() -> Vec<(&'static str, &'static str)> {
    Vec::new()
}
