//! The Sans-IO cluster layer of a Redis and Valkey client.
//!
//! Owns what a cluster's clients have to know and decide: which node serves which slot, what a node's
//! refusal means, and which words of a command are keys. Opens no socket, reads no clock and draws no
//! random number: replies and errors come in, nodes and slots come out.

mod address;
mod keys;
mod redirect;
mod same_slot;
mod topology;
mod view;

pub use crate::address::{Address, AddressMap, Host, Origin};
pub use crate::keys::{KeyPositions, Placement, key_positions, placement};
pub use crate::redirect::{Redirect, Refusal};
pub use crate::same_slot::SameSlot;
pub use crate::topology::{Change, Health, Node, Patch, Role, Topology};
pub use crate::view::View;
