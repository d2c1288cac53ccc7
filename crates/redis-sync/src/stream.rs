//! Sockets: TCP, with TLS or without, or Unix; with deadlines.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use redis_core::Endpoint;
use redis_core::config::TlsRefusal;

use crate::tls_stream::{Connector, TlsStream};

/// The shortest time a socket is told to wait: zero would mean forever.
pub(crate) const MOMENT: Duration = Duration::from_millis(1);

/// An open socket. Writing takes `&self` and has a handle of its own where need be, so that two threads can read and
/// write at once.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: Socket,
    /// The read timeout the socket has.
    timeout: Option<Duration>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    Tls(TlsStream),
}

impl Stream {
    /// Opens a socket to the first address that answers, before the deadline. Looking a host name up, and
    /// connecting to a Unix socket, can't be interrupted: std has no deadline for them. An error of kind `WouldBlock`
    /// means that the deadline may have passed during the handshake of TLS.
    pub(crate) fn connect(
        connector: &Connector,
        endpoint: &Endpoint,
        deadline: Instant,
    ) -> io::Result<Self> {
        let socket = match endpoint {
            Endpoint::Tcp { host, port } => {
                let socket = connect_tcp(host, *port, deadline)?;
                match connector.is_plain() {
                    true => Socket::Tcp(socket),
                    false => Socket::Tls(connector.connect(socket, endpoint, deadline)?),
                }
            }
            Endpoint::Unix(_) if !connector.is_plain() => {
                return Err(TlsRefusal::new("a Unix socket has no TLS").into());
            }
            #[cfg(unix)]
            Endpoint::Unix(path) => Socket::Unix(UnixStream::connect(path)?),
            #[cfg(not(unix))]
            Endpoint::Unix(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        Ok(Self { socket, timeout: None })
    }

    /// Reads what is there, or waits for it until the deadline. An error of kind `WouldBlock` means that
    /// it may have passed: look at the clock.
    pub(crate) fn read(
        &mut self,
        space: &mut [u8],
        now: Instant,
        deadline: Option<Instant>,
    ) -> io::Result<usize> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
        if left.is_some_and(|left| left.is_zero()) {
            return self.read_now(space);
        }
        // Changing the timeout is a system call: a shorter one that is set already will do, since the
        // caller looks at the clock and comes again.
        let keep = match (self.timeout, left) {
            (None, None) => true,
            (Some(set), Some(left)) => set <= left + MOMENT && set * 2 > left,
            _ => false,
        };
        if !keep {
            self.timeout = left.map(|left| left.max(MOMENT));
            match &self.socket {
                Socket::Tcp(socket) => socket.set_read_timeout(self.timeout)?,
                #[cfg(unix)]
                Socket::Unix(socket) => socket.set_read_timeout(self.timeout)?,
                Socket::Tls(stream) => stream.socket().set_read_timeout(self.timeout)?,
            }
        }
        read(&mut self.socket, space)
    }

    /// Reads what is there without waiting; `WouldBlock` when there is nothing.
    pub(crate) fn read_now(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.set_nonblocking(true)?;
        let result = read(&mut self.socket, space);
        self.set_nonblocking(false)?;
        result
    }

    pub(crate) fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        match &self.socket {
            Socket::Tcp(socket) => socket.set_nonblocking(nonblocking),
            #[cfg(unix)]
            Socket::Unix(socket) => socket.set_nonblocking(nonblocking),
            Socket::Tls(stream) => stream.socket().set_nonblocking(nonblocking),
        }
    }

    /// Writes everything, as long as the peer takes some of it in time.
    pub(crate) fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let n = self.writer().write(&[IoSlice::new(bytes)])?;
            bytes = &bytes[n..];
        }
        Ok(())
    }

    pub(crate) fn writer(&self) -> Writer<'_> {
        Writer(&self.socket)
    }

    /// Bounds how long a write may wait for the peer: it fails with `WouldBlock` then.
    pub(crate) fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        match &self.socket {
            Socket::Tcp(socket) => socket.set_write_timeout(Some(timeout.max(MOMENT))),
            #[cfg(unix)]
            Socket::Unix(socket) => socket.set_write_timeout(Some(timeout.max(MOMENT))),
            Socket::Tls(stream) => stream.socket().set_write_timeout(Some(timeout.max(MOMENT))),
        }
    }

    /// A second handle to the same socket.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        let socket = match &self.socket {
            Socket::Tcp(socket) => Socket::Tcp(socket.try_clone()?),
            #[cfg(unix)]
            Socket::Unix(socket) => Socket::Unix(socket.try_clone()?),
            Socket::Tls(stream) => stream.try_clone().map(Socket::Tls)?,
        };
        Ok(Self { socket, timeout: self.timeout })
    }

    /// Ends both directions: whoever reads or writes in another thread returns.
    pub(crate) fn shutdown(&self) {
        // The peer may be gone already; nothing else can fail.
        let _ = match &self.socket {
            Socket::Tcp(socket) => socket.shutdown(Shutdown::Both),
            #[cfg(unix)]
            Socket::Unix(socket) => socket.shutdown(Shutdown::Both),
            Socket::Tls(stream) => stream.socket().shutdown(Shutdown::Both),
        };
    }
}

fn connect_tcp(host: &str, port: u16, deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
    for address in (host, port).to_socket_addrs()? {
        let left = deadline.saturating_duration_since(Instant::now());
        match TcpStream::connect_timeout(&address, left.max(MOMENT)) {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                return Ok(socket);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn read(socket: &mut Socket, space: &mut [u8]) -> io::Result<usize> {
    loop {
        let result = match socket {
            Socket::Tcp(socket) => socket.read(space),
            #[cfg(unix)]
            Socket::Unix(socket) => socket.read(space),
            Socket::Tls(stream) => stream.read(space),
        };
        match result {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// The writing half of a stream.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a>(&'a Socket);

impl Writer<'_> {
    pub(crate) fn write(self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            let result = match (self.0, slices) {
                (Socket::Tcp(socket), [slice]) => (&*socket).write(slice),
                (Socket::Tcp(socket), slices) => (&*socket).write_vectored(slices),
                #[cfg(unix)]
                (Socket::Unix(socket), [slice]) => (&*socket).write(slice),
                #[cfg(unix)]
                (Socket::Unix(socket), slices) => (&*socket).write_vectored(slices),
                (Socket::Tls(stream), slices) => stream.write(slices),
            };
            match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}
