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

/// What a record holds at most. No more is written at once, so that an error means that the peer has none of it: it can't
/// read a record that is not whole.
const RECORD: usize = 16 * 1024;

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
        let buf = &buf[..buf.len().min(RECORD)];
        Pin::new(&mut self.0).poll_write(cx, buf).map_err(explain)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut room = RECORD;
        let fits = |slice: &&IoSlice<'_>| match room.checked_sub(slice.len()) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        };
        match bufs.iter().take_while(fits).count() {
            0 => self.poll_write(cx, bufs.first().map_or(&[], |first| &first[..])),
            n => Pin::new(&mut self.0).poll_write_vectored(cx, &bufs[..n]).map_err(explain),
        }
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

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::Mutex;

    use redis_core::config::{Pem, Roots, Tls};
    use redis_tls::rustls::crypto::ring;
    use redis_tls::rustls::pki_types::pem::PemObject;
    use redis_tls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use redis_tls::rustls::{ServerConfig, ServerConnection};
    use testkit::servers::Certificates;
    use testkit::skipped;

    use super::*;

    /// A server in memory, whose link is reset when it has carried so many bytes more.
    struct Peer {
        session: ServerConnection,
        left: Option<usize>,
        read: usize,
    }

    #[derive(Clone)]
    struct End(Arc<Mutex<Peer>>);

    impl AsyncRead for End {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            mut buf: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            let mut peer = self.0.lock().unwrap();
            match peer.session.wants_write() {
                true => Poll::Ready(peer.session.write_tls(&mut buf)),
                false => Poll::Pending,
            }
        }
    }

    impl AsyncWrite for End {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            let mut peer = self.0.lock().unwrap();
            // A socket takes what fits, and not whole records.
            let n = peer.left.unwrap_or(usize::MAX).min(buf.len()).min(5_000);
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            peer.left = peer.left.map(|left| left - n);
            let mut rest = &buf[..n];
            while !rest.is_empty() {
                peer.session.read_tls(&mut rest)?;
                peer.session.process_new_packets().map_err(io::Error::other)?;
                let mut plain = Vec::new();
                // It would wait for more.
                let _ = peer.session.reader().read_to_end(&mut plain);
                peer.read += plain.len();
            }
            Poll::Ready(Ok(n))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// A runtime whose connections all lead there.
    struct Lab(End);

    impl Runtime for Lab {
        fn connect(&self, _: Endpoint) -> BoxFuture<io::Result<Box<dyn Socket>>> {
            let end = self.0.clone();
            Box::pin(async move { Ok(Box::new(end) as Box<dyn Socket>) })
        }

        fn timer(&self) -> Box<dyn Timer> {
            unreachable!("nothing waits")
        }

        fn spawn(&self, _: BoxFuture<()>) -> io::Result<()> {
            unreachable!("nothing runs beside")
        }
    }

    fn connect(certificates: &Certificates) -> (End, Box<dyn Socket>) {
        let files = certificates.server();
        let chain = CertificateDer::pem_file_iter(&files.certificate).unwrap();
        let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
        let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.map(Result::unwrap).collect(), key)
            .unwrap();
        let session = ServerConnection::new(Arc::new(server)).unwrap();
        let end = End(Arc::new(Mutex::new(Peer { session, left: None, read: 0 })));
        let mut tls = Tls::new();
        tls.roots = Roots::Only(vec![Pem::file(certificates.authority())]);
        let config = Config::tcp("localhost", 6379).tls(tls);
        let runtime = secured(&config, Arc::new(Lab(end.clone()))).unwrap();
        let mut connecting = runtime.connect(config.endpoint);
        match connecting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(socket) => (end, socket.unwrap()),
            Poll::Pending => panic!("everything is in memory"),
        }
    }

    #[test]
    fn what_a_peer_can_read_counts_as_written_whatever_resets_its_link() {
        let Ok(certificates) = Certificates::new() else {
            return skipped("`openssl` makes no certificate");
        };
        let cx = &mut Context::from_waker(Waker::noop());
        let data = vec![b'x'; 30_000];
        for left in (0..200_000).step_by(7_777) {
            for vectored in [false, true] {
                let (end, mut socket) = connect(&certificates);
                end.0.lock().unwrap().left = Some(left);
                let mut written = 0;
                loop {
                    let slices = [&data[..10], &data[..2_000], &data, &data].map(IoSlice::new);
                    let poll = match vectored {
                        true => Pin::new(&mut socket).poll_write_vectored(cx, &slices),
                        false => Pin::new(&mut socket).poll_write(cx, &data),
                    };
                    match poll {
                        Poll::Ready(Ok(n)) => written += n,
                        Poll::Ready(Err(_)) => break,
                        Poll::Pending => panic!("the socket takes some or fails"),
                    }
                }
                let read = end.0.lock().unwrap().read;
                assert!(read <= written, "{read} were read of {written}, {left} bytes on the link");
            }
        }
    }
}
