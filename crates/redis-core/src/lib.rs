//! The Sans-IO core of a Redis and Valkey client.
//!
//! Everything that is decided is decided here, without sockets, clocks, threads or randomness of its
//! own: how a command is encoded, which reply belongs to which request, what a lost connection means
//! for each of them, and how replies become Rust values. The adapters (`redis-sync`, `redis-tokio`,
//! `redis-smol`) move bytes and wait for timers.

// What the derives write names this crate as those who depend on it do.
#[allow(unused_extern_crates, reason = "only written code names it")]
extern crate self as redis_core;

pub mod batch;
mod command;
pub mod config;
pub mod connection;
#[doc(hidden)]
pub mod derive;
mod error;
#[doc(hidden)]
pub mod examples;
mod generated;
pub mod monitor;
pub mod pipeline;
pub mod pool;
pub mod pubsub;
pub mod recv;
mod reply;
pub mod retry;
pub mod scan;
mod script;
pub mod send;
pub mod session;
mod slot;
pub mod telemetry;
pub mod types;
pub mod watch;

pub use crate::command::{
    Arg, Args, BeginSearch, Block, Cmd, Command, CommandInfo, Execute, FindKeys, Flags, KeyFlags,
    KeySpec, Many, One, Queue, RequestPolicy, ResponsePolicy, Servers, ToArg, ToArgs, ToPairs,
    Written, lookup,
};
pub use crate::config::{Backoff, Config, Endpoint, Protocol, Secret};
pub use crate::error::{Delivery, Error, ErrorKind, Result};
pub use crate::generated::commands::Commands;
pub use crate::generated::queue::QueueCommands;
#[cfg(feature = "json")]
pub use crate::reply::Json;
pub use crate::reply::{FromReply, Len, ReplyReader, Value, decode, decode_shared};
pub use crate::script::{Call, Script};
pub use crate::slot::{SLOTS, slot_of};
pub use redis_derive::{FromReply, ToArg, ToArgs};
pub use resp_proto::Limits;

/// Builders of commands, one function a command.
pub mod cmd {
    pub use crate::generated::builders::*;
}
