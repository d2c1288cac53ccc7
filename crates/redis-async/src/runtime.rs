//! What a runtime gives: sockets, timers, tasks. An adapter implements this and nothing else.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_io::{AsyncRead, AsyncWrite};
use redis_core::Endpoint;

/// A boxed future that can move between threads.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// An open socket: one virtual call a system call.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// A timer that is set anew for each wait.
pub trait Timer: Send {
    /// Ready when `at` has come; wakes the task then, however often it was asked before.
    fn poll_at(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()>;
}

/// A runtime.
pub trait Runtime: Send + Sync + 'static {
    /// Opens a socket, to the first address that answers; TCP without delay.
    fn connect(&self, endpoint: Endpoint) -> BoxFuture<io::Result<Box<dyn Socket>>>;

    /// A timer that is not set.
    fn timer(&self) -> Box<dyn Timer>;

    /// Runs a task in the background.
    ///
    /// # Errors
    ///
    /// When the runtime is not running here.
    fn spawn(&self, task: BoxFuture<()>) -> io::Result<()>;
}
