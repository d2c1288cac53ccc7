//! Types of replies and arguments that have a shape of their own, one file an idea.
//!
//! Each decodes to the same value under RESP2 and RESP3, and keeps what newer servers add.

mod cluster_info;
mod cluster_node;
mod cluster_scan;
mod cluster_shard;
mod function;
mod sentinel;
mod slot;
mod slot_migration;
mod text;
mod vector;

pub use cluster_info::*;
pub use cluster_node::*;
pub use cluster_scan::*;
pub use cluster_shard::*;
pub use function::*;
pub use sentinel::*;
pub use slot::*;
pub use slot_migration::*;
pub use vector::*;
