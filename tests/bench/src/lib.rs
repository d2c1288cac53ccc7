//! What is measured, how, and what it should cost: the library of `cargo xtask bench`.
//!
//! A *subject* is a program that does a [`Job`](job::Job) with one client and prints what the work
//! cost its process; the subjects are the binaries of this package. The [`runner`] starts a server,
//! runs the subjects of every [row](rows) in turn, round by round, so that a noisy machine is noisy
//! for all alike, and compares the medians with the [`targets`].
//!
//! The library knows no client: `cargo xtask` builds it without any.

pub mod callgrind;
pub mod job;
pub mod meter;
pub mod pin;
pub mod report;
pub mod rows;
pub mod runner;
pub mod targets;
pub mod wire;
