//! An async Redis and Valkey client on tokio.
//!
//! A [`Client`] is one connection that any number of tasks share; blocking commands, watches and
//! subscriptions get connections of their own by themselves. Use it inside a tokio runtime with its I/O
//! and time drivers enabled, of either flavor.
//!
//! ```no_run
//! use redis_tokio::{Client, Commands};
//!
//! # async fn run() -> redis_tokio::Result<()> {
//! let client = Client::open("redis://localhost")?;
//! client.set("greeting", "hello").await?;
//! let greeting: Option<String> = client.get("greeting").await?;
//! assert_eq!(greeting.as_deref(), Some("hello"));
//! # Ok(())
//! # }
//! ```

mod client;
mod runtime;
mod socket;

pub use redis_async::{
    Arg, Backoff, Batched, Block, Cmd, Command, Commands, Config, Delivery, Endpoint, Error, ErrorKind,
    Execute, FromReplies, FromReply, Message, MessageData, MessageKind, Pipeline, Protocol, PubSub,
    Queue, QueueCommands, ReplyFuture, Result, Secret, ToArg, ToArgs, Transaction, Value, Watched,
    WatchedReply, cmd, Limits, ReplyReader, Written,
};

pub use crate::client::Client;
pub use crate::runtime::Tokio;

/// The examples of the workspace's README, as doc tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod readme {}
