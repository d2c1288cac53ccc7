//! async-io's sockets, without the system call that would only say that there is nothing more to read.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_io::{Async, IoSafe};
use futures_io::{AsyncRead, AsyncWrite};

/// A socket that waits to be told of new bytes when the last read took all there were.
pub(crate) struct Drained<S> {
    socket: Async<S>,
    drained: bool,
}

impl<S> Drained<S> {
    pub(crate) fn new(socket: Async<S>) -> Self {
        Self { socket, drained: false }
    }
}

impl<S: IoSafe + Unpin> AsyncRead for Drained<S>
where
    Async<S>: AsyncRead,
{
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.drained {
            ready!(self.socket.poll_readable(cx))?;
        }
        let n = ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        self.drained = n < buf.len();
        Poll::Ready(Ok(n))
    }
}

impl<S: IoSafe + Unpin> AsyncWrite for Drained<S>
where
    Async<S>: AsyncWrite,
{
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(cx)
    }
}
