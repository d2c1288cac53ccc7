//! A blocking Redis and Valkey client.
//!
//! Every decision is taken by the machines of `redis-core`; this crate moves their bytes on std threads,
//! without an async runtime. A [`Client`] is shared by reference or clone; each command takes a
//! connection from its pool and gives it back.
//!
//! ```no_run
//! use redis_sync::{Client, Commands};
//!
//! let client = Client::open("redis://localhost")?;
//! client.set("greeting", "hello")?;
//! let greeting: Option<String> = client.get("greeting")?;
//! assert_eq!(greeting.as_deref(), Some("hello"));
//! # Ok::<(), redis_sync::Error>(())
//! ```

mod client;
mod connection;
mod pipeline;
mod pool;
mod pubsub;
mod stream;
mod watch;

pub use redis_core::pipeline::{Batched, FromReplies};
pub use redis_core::pubsub::{Message, MessageData, MessageKind};
pub use redis_core::{
    Arg, Backoff, Block, Cmd, Command, Commands, Config, Delivery, Endpoint, Error, ErrorKind, Execute,
    FromReply, Protocol, Queue, QueueCommands, Result, Secret, ToArg, Value, cmd, Limits, ReplyReader, Written, ToArgs,
};

pub use crate::client::Client;
pub use crate::pipeline::Pipeline;
pub use crate::pubsub::PubSub;
pub use crate::watch::{Transaction, Watched};
