//! Moves the bytes of one machine: opens its socket, writes what it gives, reads what comes.
//!
//! Owns the socket and the read buffer. Decides nothing: what an outcome means is the machine's.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_io::{AsyncRead, AsyncWrite};
use redis_core::connection::Event;
use redis_core::recv::RecvBuffer;
use redis_core::session::{Action, Machine};

use crate::runtime::{BoxFuture, Runtime, Socket, Timer};

/// How long a socket that takes nothing any longer is read for what its peer said last.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Whether anything moved: then it is worth another look.
pub(crate) type Progress = bool;

#[derive(Default)]
pub(crate) struct Pump {
    socket: Option<Box<dyn Socket>>,
    connecting: Option<BoxFuture<io::Result<Box<dyn Socket>>>>,
    timer: Option<Box<dyn Timer>>,
    /// Writing failed; what the peer said before is still to be read.
    broken: Option<(io::ErrorKind, Instant)>,
    /// The socket may hold what it took.
    unflushed: bool,
    pub(crate) recv: RecvBuffer,
}

impl Pump {
    /// Does what the machine asks for.
    pub(crate) fn act(
        &mut self,
        machine: &mut impl Machine,
        runtime: &dyn Runtime,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Progress {
        let mut progress = false;
        while let Some(action) = machine.poll_action() {
            progress = true;
            self.close();
            self.recv = RecvBuffer::default();
            self.connecting = match action {
                Action::Open(endpoint) => Some(runtime.connect(endpoint)),
                Action::Close => None,
            };
        }
        if let Some(connecting) = &mut self.connecting
            && let Poll::Ready(result) = connecting.as_mut().poll(cx)
        {
            progress = true;
            self.connecting = None;
            match result {
                Ok(socket) => {
                    self.socket = Some(socket);
                    machine.handle_opened();
                }
                Err(error) => machine.handle_open_failed(now, error),
            }
        }
        progress
    }

    /// Writes until everything is written or the socket takes no more. When that fails the socket is lost
    /// once everything that has come is read.
    pub(crate) fn write(&mut self, machine: &mut impl Machine, cx: &mut Context<'_>) -> Progress {
        let mut progress = false;
        while self.broken.is_none()
            && let (Some(socket), Some(transmit)) = (&mut self.socket, machine.poll_transmit())
        {
            let written = match transmit.slices() {
                [slice] => Pin::new(socket).poll_write(cx, slice),
                slices => Pin::new(socket).poll_write_vectored(cx, slices),
            };
            match written {
                Poll::Ready(Ok(0)) => self.break_off(io::ErrorKind::WriteZero),
                Poll::Ready(Ok(n)) => {
                    machine.handle_transmitted(n);
                    self.unflushed = true;
                }
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Poll::Ready(Err(error)) => self.break_off(error.kind()),
                Poll::Pending => return progress,
            }
            progress = true;
        }
        self.flush(cx);
        progress
    }

    /// Has the socket send what it took: TLS may hold some of it.
    fn flush(&mut self, cx: &mut Context<'_>) {
        while self.unflushed
            && self.broken.is_none()
            && let Some(socket) = &mut self.socket
        {
            match Pin::new(socket).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Poll::Ready(Err(error)) => self.break_off(error.kind()),
                Poll::Pending => return,
            }
        }
    }

    /// Reads once. Returns how many bytes of `recv` the machine has used up: take or consume them.
    pub(crate) fn read(
        &mut self,
        machine: &mut impl Machine,
        now: Instant,
        cx: &mut Context<'_>,
        events: &mut Vec<Event>,
    ) -> Option<usize> {
        let socket = self.socket.as_mut()?;
        let space = self.recv.space(machine.read_hint());
        match Pin::new(socket).poll_read(cx, space) {
            // Where a write has failed a read is ready before long: with what has come, the end, or the error.
            // Runtimes learn of it a little later, and until then what a server said last is not lost.
            Poll::Pending => match self.broken {
                Some((why, since)) if now >= since + LAST_WORDS => self.lost(machine, Some(why)),
                _ => return None,
            },
            Poll::Ready(Ok(0)) => self.lost(machine, self.broken.map(|(why, _)| why)),
            Poll::Ready(Ok(n)) => {
                self.recv.advance(n);
                return Some(machine.handle_input(now, self.recv.data(), events));
            }
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Poll::Ready(Err(error)) => {
                machine.handle_broken(Instant::now(), error);
                self.close();
            }
        }
        Some(0)
    }

    /// Nothing is written any longer.
    fn break_off(&mut self, why: io::ErrorKind) {
        self.broken = Some((why, Instant::now()));
    }

    /// When to read again, though nothing has come.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.broken.map(|(_, since)| since + LAST_WORDS)
    }

    fn lost(&mut self, machine: &mut impl Machine, why: Option<io::ErrorKind>) {
        machine.handle_disconnect(Instant::now(), why);
        self.close();
    }

    fn close(&mut self) {
        self.socket = None;
        self.broken = None;
        self.unflushed = false;
    }

    /// Ready when the time has come.
    pub(crate) fn poll_timer(
        &mut self,
        runtime: &dyn Runtime,
        cx: &mut Context<'_>,
        at: Instant,
    ) -> Poll<()> {
        self.timer.get_or_insert_with(|| runtime.timer()).poll_at(cx, at)
    }

    /// Whether there is a socket to read from.
    pub(crate) fn is_open(&self) -> bool {
        self.socket.is_some()
    }

    /// Whether there is a socket that takes bytes, now or later.
    pub(crate) fn can_write(&self) -> bool {
        self.socket.is_some() && self.broken.is_none()
    }

    /// Whether everything that the socket took is on its way.
    pub(crate) fn is_flushed(&self) -> bool {
        !self.unflushed || !self.can_write()
    }
}
