//! Real-server launcher, embedded server, scripted server and simulated links for the workspace's tests.

pub mod embedded;
mod fetch;
pub mod pair;
pub mod scripted;
pub mod servers;
