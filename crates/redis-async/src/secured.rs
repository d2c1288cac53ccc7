//! TLS between any runtime's sockets and the drivers, by futures-rustls.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use futures_io::{AsyncRead, AsyncWrite};
use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use redis_core::{Config, Endpoint, Result};
use redis_tls::{Connector, explain};

use crate::runtime::{BoxFuture, Runtime, Socket, Timer};

/// How much is asked of a socket at once: some full records.
const CHUNK: usize = 64 * 1024;

/// The runtime whose sockets are as the settings want them.
pub(crate) fn secured(config: &Config, runtime: Arc<dyn Runtime>) -> Result<Arc<dyn Runtime>> {
    Ok(match Connector::new(config)? {
        Some(connector) => Arc::new(Secured { runtime, connector }),
        None => runtime,
    })
}

/// A runtime that does the handshake of TLS as a part of connecting.
struct Secured {
    runtime: Arc<dyn Runtime>,
    connector: Connector,
}

impl Runtime for Secured {
    fn connect(&self, endpoint: Endpoint) -> BoxFuture<io::Result<Box<dyn Socket>>> {
        let name = self.connector.server_name(&endpoint);
        let connector = TlsConnector::from(self.connector.client_config());
        let connecting = self.runtime.connect(endpoint);
        Box::pin(async move {
            let name = name?;
            let socket = Records::new(connecting.await?);
            let stream = connector.connect(name, socket).await.map_err(explain)?;
            Ok(Box::new(Secure(stream)) as Box<dyn Socket>)
        })
    }

    fn timer(&self) -> Box<dyn Timer> {
        self.runtime.timer()
    }

    fn spawn(&self, task: BoxFuture<()>) -> io::Result<()> {
        self.runtime.spawn(task)
    }
}

/// A socket of TLS, with errors in words.
struct Secure(TlsStream<Records>);

impl AsyncRead for Secure {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match ready!(Pin::new(&mut self.0).poll_read(cx, buf)) {
            // An end without a farewell is one as well: frames tell themselves whether they are whole.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(0)),
            read => Poll::Ready(read.map_err(explain)),
        }
    }
}

impl AsyncWrite for Secure {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf).map_err(explain)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs).map_err(explain)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx).map_err(explain)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}

impl Drop for Secure {
    /// Says farewell, if the socket takes it at once.
    fn drop(&mut self) {
        let _ = Pin::new(&mut self.0).poll_close(&mut Context::from_waker(Waker::noop()));
    }
}

/// A socket that is asked for many records at once: rustls takes 4 KiB at a time.
struct Records {
    socket: Box<dyn Socket>,
    space: Vec<u8>,
    start: usize,
    end: usize,
}

impl Records {
    fn new(socket: Box<dyn Socket>) -> Self {
        Self { socket, space: Vec::new(), start: 0, end: 0 }
    }
}

impl AsyncRead for Records {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Self { socket, space, start, end } = self.get_mut();
        if start == end {
            space.resize(CHUNK, 0);
            (*start, *end) = (0, ready!(Pin::new(socket).poll_read(cx, space))?);
        }
        let n = buf.len().min(*end - *start);
        buf[..n].copy_from_slice(&space[*start..*start + n]);
        *start += n;
        Poll::Ready(Ok(n))
    }
}

impl AsyncWrite for Records {
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
