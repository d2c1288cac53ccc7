//! The workspace's own verbs, run as `cargo xtask VERB`.

fn main() {}
