//! The codec alone, in memory: what framing, walking, decoding and encoding cost, ours and others'.
//!
//! The same design as for clients, without a server: a subject is a program that does one
//! [`Job`](job::Job) and prints what it cost, the [`runner`] has all of them do each
//! [row](rows::ROWS) in turn. The bytes of every [`Workload`](workload::Workload) are written to a
//! file that all subjects read, also those that are not written in Rust.
//!
//! ```text
//! cargo xtask bench codec                           rows with targets, medians of 7 rounds
//! cargo xtask bench codec --row walk,frame-ok --no-peers --rounds 3
//! cargo xtask bench codec --row all --subject ours
//! ```
//!
//! What is measured is the CPU time, user and system, of a loop on one thread over bytes that were
//! read before. Each pass over the bytes must come to the sum that the workload is known to have, so
//! that nobody is fast by doing less. What is built is freed in the pass, too. glibc is told to keep
//! freed memory, for all alike: whether it would otherwise give it back to the system depends on what
//! a program freed before.
//!
//! "In chunks" means that the bytes come in pieces of 16 KiB, as reads of a socket bring them, so
//! that frames are cut anywhere. Who parses a borrowed slice is shown a longer one each time; who
//! has a buffer of his own must copy each chunk into it, which is part of his cost.

pub mod job;
pub mod report;
pub mod rows;
pub mod runner;
pub mod workload;
