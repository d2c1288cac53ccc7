//! The async client that every runtime's adapter shares.
//!
//! Use it through `redis-tokio` or `redis-smol`. This crate knows sockets, timers and tasks only by the
//! [`Runtime`] trait, and futures-io; every decision is taken by the machines of `redis-core`.
//!
//! The derives name this crate, for adapters that show no derives of their own:
//!
//! ```
//! use redis_async::{FromReply, ToArg, ToArgs};
//!
//! #[derive(FromReply, ToArg)]
//! enum Role {
//!     Admin,
//! }
//!
//! #[derive(FromReply, ToArgs)]
//! struct User {
//!     role: Role,
//! }
//! ```

mod attempts;
mod client;
mod feed;
mod inbox;
mod link;
mod monitor;
mod nodes;
mod pipeline;
mod pool;
mod pubsub;
mod pump;
mod request;
mod routed;
mod runtime;
mod scan;
#[cfg_attr(not(feature = "tls"), path = "no_tls.rs")]
mod secured;
mod shards;
mod shared;
mod stop;
mod subscriber;
mod watch;

/// What concerns clusters alone.
pub mod cluster {
    pub use redis_cluster::{Health, Node, Role, Route, Topology};
    pub use redis_core::config::{AddressMap, ClusterConfig, ReadFrom};
}

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
pub use redis_derive::{AsyncFromReply as FromReply, AsyncToArg as ToArg, AsyncToArgs as ToArgs};

pub use crate::client::Client;
pub use crate::monitor::{Monitor, MonitorStream};
pub use crate::pipeline::Pipeline;
pub use crate::pubsub::{PubSub, PubSubHandle, PubSubStream, PubSubTask};
pub use crate::request::ReplyFuture;
pub use crate::routed::Routed;
pub use crate::runtime::{BoxFuture, Runtime, Socket, Timer};
pub use crate::scan::ScanStream;
pub use crate::shared::{Subscription, SubscriptionStream};
pub use crate::watch::{Transaction, Watched, WatchedReply};
