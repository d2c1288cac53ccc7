//! smol as a runtime: connect, wait, spawn.

use std::io;
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use async_io::Async;
use redis_async::{BoxFuture, Endpoint, Runtime, Socket, Timer};

use crate::socket::Drained;

/// async-io's sockets and timers, and an executor: smol's global one, or another that is given.
#[derive(Clone, Default)]
pub struct Smol {
    executor: Option<Arc<smol::Executor<'static>>>,
}

impl Smol {
    /// Connections are driven by this executor, which must be run by someone.
    pub fn on(executor: Arc<smol::Executor<'static>>) -> Self {
        Self { executor: Some(executor) }
    }
}

impl std::fmt::Debug for Smol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Smol").field("global", &self.executor.is_none()).finish()
    }
}

impl Runtime for Smol {
    fn connect(&self, endpoint: Endpoint) -> BoxFuture<io::Result<Box<dyn Socket>>> {
        Box::pin(async move {
            Ok(match endpoint {
                Endpoint::Tcp { host, port } => {
                    Box::new(connect_tcp(host, port).await?) as Box<dyn Socket>
                }
                #[cfg(unix)]
                Endpoint::Unix(path) => {
                    Box::new(Drained::new(Async::<UnixStream>::connect(path).await?))
                }
                #[cfg(not(unix))]
                Endpoint::Unix(_) => return Err(io::ErrorKind::Unsupported.into()),
            })
        })
    }

    fn timer(&self) -> Box<dyn Timer> {
        Box::new(Clock(None))
    }

    fn spawn(&self, task: BoxFuture<()>) -> io::Result<()> {
        match &self.executor {
            Some(executor) => executor.spawn(task).detach(),
            None => smol::spawn(task).detach(),
        }
        Ok(())
    }
}

async fn connect_tcp(host: String, port: u16) -> io::Result<Drained<TcpStream>> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
    for address in smol::net::resolve((host, port)).await? {
        match Async::<TcpStream>::connect(address).await {
            Ok(socket) => {
                socket.get_ref().set_nodelay(true)?;
                return Ok(Drained::new(socket));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A timer that is moved rather than made anew.
struct Clock(Option<(Instant, async_io::Timer)>);

impl Timer for Clock {
    fn poll_at(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        let (set, timer) = self.0.get_or_insert_with(|| (at, async_io::Timer::at(at)));
        if *set != at {
            *set = at;
            timer.set_at(at);
        }
        let polled = Pin::new(timer).poll(cx).map(drop);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}
