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
//!
//! Structs and enums of your own are replies and arguments by derives, types of serde with the feature
//! `json`.
//!
//! ```no_run
//! use redis_sync::{Client, Commands, FromReply, ToArg, ToArgs};
//!
//! #[derive(ToArg, FromReply)]
//! #[redis(rename_all = "lowercase")]
//! enum Role {
//!     Admin,
//!     Guest,
//! }
//!
//! #[derive(ToArgs, FromReply)]
//! struct User {
//!     name: String,
//!     role: Role,
//!     mail: Option<String>,
//! }
//!
//! let client = Client::open("redis://localhost")?;
//! let ada = User { name: "Ada".to_owned(), role: Role::Admin, mail: None };
//! client.hset("user:1", &ada)?;
//! let user: User = client.hgetall("user:1")?;
//! assert_eq!(user.name, "Ada");
//! # Ok::<(), redis_sync::Error>(())
//! ```

mod client;
pub mod cluster;
mod connection;
mod feed;
mod keeper;
mod monitor;
mod pipeline;
mod pool;
mod pubsub;
mod scan;
mod shards;
mod signal;
mod stream;
#[cfg_attr(not(feature = "tls"), path = "no_tls.rs")]
mod tls_stream;
mod watch;
mod writing;

/// The settings of TLS. With the feature `tls`, URLs of `rediss` and `rediss+cluster` and clients with [`Config::tls`] speak
/// it; without, they are refused.
pub mod tls {
    pub use redis_core::config::{Identity, Pem, Roots, Tls};
}

#[cfg(feature = "json")]
pub use redis_core::Json;
#[doc(hidden)]
pub use redis_core::derive;
pub use redis_core::derive::{FromReply, ToArg, ToArgs};
pub use redis_core::monitor::{MonitorClient, MonitorEntry};
pub use redis_core::pipeline::{Batched, FromReplies};
pub use redis_core::pubsub::{Message, MessageData, MessageKind, Overflow};
pub use redis_core::{
    Arg, Args, Backoff, Block, Cmd, Command, Commands, Config, Delivery, Endpoint, Error,
    ErrorKind, Execute, Limits, One, Protocol, Queue, QueueCommands, ReplyReader, Result, Script,
    Secret, ToPairs, Value, Written, cmd, keyspace, telemetry, types,
};
pub use redis_derive::{SyncFromReply as FromReply, SyncToArg as ToArg, SyncToArgs as ToArgs};

pub use crate::client::Client;
pub use crate::monitor::Monitor;
pub use crate::pipeline::Pipeline;
pub use crate::pubsub::{PubSub, PubSubHandle, PubSubThread};
pub use crate::scan::ScanIter;
pub use crate::watch::{Transaction, Watched};
