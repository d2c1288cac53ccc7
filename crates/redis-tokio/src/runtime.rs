//! tokio as a runtime: connect, wait, spawn.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use redis_async::{BoxFuture, Endpoint, Runtime, Socket, Timer};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::runtime::Handle;
use tokio::time::Sleep;

use crate::socket::Compat;

/// The tokio runtime that a command is first polled in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokio;

impl Runtime for Tokio {
    fn connect(&self, endpoint: Endpoint) -> BoxFuture<io::Result<Box<dyn Socket>>> {
        Box::pin(async move {
            Ok(match endpoint {
                Endpoint::Tcp { host, port } => {
                    let stream = TcpStream::connect((host, port)).await?;
                    stream.set_nodelay(true)?;
                    Box::new(Compat(stream)) as Box<dyn Socket>
                }
                #[cfg(unix)]
                Endpoint::Unix(path) => Box::new(Compat(UnixStream::connect(path).await?)),
                #[cfg(not(unix))]
                Endpoint::Unix(_) => return Err(io::ErrorKind::Unsupported.into()),
            })
        })
    }

    fn timer(&self) -> Box<dyn Timer> {
        Box::new(Clock(None))
    }

    fn spawn(&self, task: BoxFuture<()>) -> io::Result<()> {
        Handle::try_current().map_err(io::Error::other)?.spawn(task);
        Ok(())
    }
}

/// A sleep that is moved rather than made anew.
struct Clock(Option<Pin<Box<Sleep>>>);

impl Timer for Clock {
    fn poll_at(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        let at = at.into();
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use redis_async::{Delivery, ErrorKind, cmd};

    use crate::Client;

    #[test]
    fn a_command_for_nobody_needs_the_runtime_and_says_so() {
        let client = Client::open("redis://localhost:1").unwrap();
        for _ in 0..2 {
            let error = client.fire_and_forget(cmd::incr("n")).unwrap_err();
            assert_eq!((error.kind(), error.delivery()), (ErrorKind::Connect, Delivery::NotSent));
            assert!(error.to_string().starts_with("no task can be started: "), "{error}");
        }
        assert_eq!(client.stats().in_flight, 0);
    }
}
