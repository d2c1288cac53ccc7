//! Real-server launcher, clients of others, embedded server, scripted server, faulty and simulated
//! links for the workspace's tests.

pub mod embedded;
pub mod faulty;
mod fetch;
pub mod libraries;
pub mod multiplexed;
pub mod pair;
pub mod scripted;
pub mod servers;
mod skip;
pub mod tools;

pub use skip::skipped;
