//! Replies and arguments that have a shape of their own, one file an idea.
//!
//! Owns what the servers' documents, lines and records look like as Rust values, the same under RESP2
//! and RESP3. Knows no command by name and nothing of connections.

mod acl;
mod aof;
mod client_info;
mod command_details;
mod command_docs;
mod hello;
mod hotkeys;
mod info;
mod key_flag;
mod key_type;
mod latency;
mod memory;
mod migrated;
mod module_info;
mod object;
mod record;
mod restore_ttl;
mod role;
mod scan;
mod slowlog;
mod time;
mod tracking;
mod ttl;

pub use self::acl::*;
pub use self::aof::*;
pub use self::client_info::*;
pub use self::command_details::*;
pub use self::command_docs::*;
pub use self::hello::*;
pub use self::hotkeys::*;
pub use self::info::*;
pub use self::key_flag::*;
pub use self::key_type::*;
pub use self::latency::*;
pub use self::memory::*;
pub use self::migrated::*;
pub use self::module_info::*;
pub use self::object::*;
pub use self::restore_ttl::*;
pub use self::role::*;
pub use self::scan::*;
pub use self::slowlog::*;
pub use self::time::*;
pub use self::tracking::*;
pub use self::ttl::*;
