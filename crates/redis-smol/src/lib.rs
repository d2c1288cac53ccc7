//! An async Redis and Valkey client on smol.
//!
//! A [`Client`] is one connection that any number of tasks share; blocking commands, watches,
//! subscriptions and monitors get connections of their own by themselves. Connections are driven by smol's global
//! executor, so that the client works under any executor, `smol::block_on` included.
//!
//! ```no_run
//! use redis_smol::{Client, Commands};
//!
//! # async fn run() -> redis_smol::Result<()> {
//! let client = Client::open("redis://localhost")?;
//! client.set("greeting", "hello").await?;
//! let greeting: Option<String> = client.get("greeting").await?;
//! assert_eq!(greeting.as_deref(), Some("hello"));
//! # Ok(())
//! # }
//! ```
//!
//! Structs and enums of your own are replies and arguments by derives, types of serde with the feature
//! `json`.
//!
//! ```no_run
//! use redis_smol::{Client, Commands, FromReply, ToArg, ToArgs};
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
//! # async fn run() -> redis_smol::Result<()> {
//! let client = Client::open("redis://localhost")?;
//! let ada = User { name: "Ada".to_owned(), role: Role::Admin, mail: None };
//! client.hset("user:1", &ada).await?;
//! let user: User = client.hgetall("user:1").await?;
//! assert_eq!(user.name, "Ada");
//! # Ok(())
//! # }
//! ```

mod client;
mod runtime;
mod socket;

#[cfg(feature = "json")]
pub use redis_async::Json;
#[doc(hidden)]
pub use redis_async::derive;
pub use redis_async::derive::{FromReply, ToArg, ToArgs};
pub use redis_async::{
    Arg, Args, Backoff, Batched, Block, Cmd, Command, Commands, Config, Delivery, Endpoint, Error,
    ErrorKind, Execute, FromReplies, Limits, Message, MessageData, MessageKind, Monitor,
    MonitorClient, MonitorEntry, MonitorStream, One, Overflow, Pipeline, Protocol, PubSub,
    PubSubHandle, PubSubStream, PubSubTask, Queue, QueueCommands, ReplyFuture, ReplyReader, Result,
    Routed, ScanStream, Script, Secret, Subscription, SubscriptionStream, ToPairs, Transaction,
    Value, Watched, WatchedReply, Written, cluster, cmd, keyspace, telemetry, tls, types,
};
pub use redis_derive::{SmolFromReply as FromReply, SmolToArg as ToArg, SmolToArgs as ToArgs};

pub use crate::client::Client;
pub use crate::runtime::Smol;
