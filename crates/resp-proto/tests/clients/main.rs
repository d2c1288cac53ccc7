//! Clients of others on the two programs of `examples/`: the proxy, and the server in memory that the
//! kv-server is. `redis-cli`, `redis-benchmark` and Python's `redis` are found or fetched by
//! `testkit::tools`; a test that lacks its tool says so.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests are test code; the proxy is a program that says what it does"
)]

mod benchmark;
mod cli;
#[path = "../../examples/proxy/forward.rs"]
mod forward;
mod garbage;
#[path = "../../examples/proxy/meter.rs"]
mod meter;
mod proxied;
mod python;
mod setup;
mod terminal;
