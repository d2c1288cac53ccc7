//! Clusters of real servers for tests: formed on private ports, changed and broken as a test asks, and
//! always stopped. All of it goes through our own client's commands to single nodes.
//!
//! ```no_run
//! use clusterkit::{Cluster, ClusterOptions};
//!
//! let installed = testkit::servers::any()?;
//! let cluster = Cluster::start(&installed, ClusterOptions::new())?;
//! let replica = cluster.replicas_of(&cluster.primary_of(0)?)?.remove(0);
//! cluster.failover(&replica)?;
//! assert_eq!(cluster.primary_of(0)?, replica);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! It is a crate beside `testkit` because the bottom layers are tested with that one, and it knows none of
//! the clients.

mod cluster;
mod form;
mod members;
mod migrate;
mod node;
mod options;
mod view;
mod wait;

pub use self::{
    cluster::Cluster,
    members::CLIENT_NAME,
    migrate::{Moving, migrates_atomically},
    node::Node,
    options::ClusterOptions,
};
