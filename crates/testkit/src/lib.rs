//! Real-server launcher, scripted server and simulated links for the workspace's tests.

pub mod pair;
pub mod scripted;
pub mod servers;
