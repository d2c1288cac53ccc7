//! What is measured, how, and what it should cost: the library of `cargo xtask bench`.
//!
//! A *subject* is a program that does a [`Job`](job::Job) with one client and prints what the work
//! cost its process; the subjects are the binaries of this package. The [`runner`] starts a server,
//! runs the subjects of every [row](rows) in turn, round by round, so that a noisy machine is noisy
//! for all alike, and compares the medians with the [`targets`].
//!
//! ```text
//! cargo xtask bench                                   every row with a server, medians of 7 rounds
//! cargo xtask bench mux --row get-64,get-1024 --subject ours,redis-rs --rounds 15
//! cargo xtask bench pipeline --cpus own               client and server on processors of their own
//! cargo xtask bench pubsub                            a subscriber's CPU for each message
//! cargo xtask bench --callgrind --subject ours        instructions an operation, under valgrind
//! cargo xtask bench codec                             no server and no client: see [`codec`]
//! ```
//!
//! Client and server share one processor unless told otherwise: how they wake each other then costs
//! the same in every run, where across processors of a virtual machine it differs severalfold from
//! run to run. The row with two threads is the exception, and is as noisy as the machine.
//!
//! The library knows no client: `cargo xtask` builds it without any.

pub mod callgrind;
pub mod codec;
pub mod job;
pub mod meter;
pub mod pin;
pub mod publisher;
pub mod report;
pub mod rows;
pub mod runner;
pub mod targets;
pub mod wire;
