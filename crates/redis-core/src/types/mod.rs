//! Replies and arguments that have a shape of their own, one file an idea.
//!
//! Owns what the servers' documents, lines and records look like as Rust values, the same under RESP2
//! and RESP3. Knows no command by name and nothing of connections.

mod bitfield;
mod field_expiry;
mod geo;
mod lcs;
mod scan;
mod short;
mod sorted_set;
mod stream;
mod stream_arguments;
mod stream_id;
mod stream_info;
mod time;
mod ttl;

pub use self::bitfield::*;
pub use self::field_expiry::*;
pub use self::geo::*;
pub use self::lcs::*;
pub use self::scan::*;
pub use self::sorted_set::*;
pub use self::stream::*;
pub use self::stream_arguments::*;
pub use self::stream_id::*;
pub use self::stream_info::*;
pub use self::time::*;
pub use self::ttl::*;
