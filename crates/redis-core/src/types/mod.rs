//! Replies and arguments that have a shape of their own, one file an idea.
//!
//! Owns what the servers' documents, lines and records look like as Rust values, the same under RESP2
//! and RESP3. Knows no command by name and nothing of connections.

mod scan;

pub use self::scan::*;
