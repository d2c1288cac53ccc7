//! The Sans-IO cluster layer of a Redis and Valkey client.
//!
//! Owns what a cluster's clients have to know and decide: which node serves which slot, what a node's
//! refusal means, and which words of a command are keys. Opens no socket, reads no clock and draws no
//! random number: replies and errors come in, nodes and slots come out.

mod address;
mod cluster;
mod exchange;
mod keys;
mod merge;
mod plan;
mod read;
mod redirect;
mod refresh;
mod registry;
mod same_slot;
mod scan;
mod sharded;
mod topology;
mod view;
mod watch;

pub use crate::address::{Address, Host, Origin};
pub use crate::cluster::{Action, Cluster, Link};
pub use crate::exchange::{Exchange, Options, Send, SendId, Source};
pub use crate::keys::{KeyPositions, Placement, key_positions, placement};
pub use crate::plan::{Route, Scope, Target};
pub use crate::redirect::{Redirect, Refusal};
pub use crate::registry::NodeId;
pub use crate::same_slot::SameSlot;
pub use crate::scan::{ClusterScan, ScanStep};
pub use crate::sharded::{Sharded, ShardedAction, Since};
pub use crate::topology::{Change, Health, Node, Patch, Role, Topology};
pub use crate::view::View;
pub use crate::watch::watch_error;
pub use redis_core::config::{AddressMap, ClusterConfig, ReadFrom};
