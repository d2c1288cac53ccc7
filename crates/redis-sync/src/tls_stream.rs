//! TLS on a TCP socket that two threads use at once, one to read and one to write.
//!
//! What rustls does is done in memory, under a lock that is held for moments: never while the socket is waited for.
//! Records go out in the order in which they were made, under a lock that only writers take, so that a reader
//! never waits for a peer that does not read.

use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use redis_core::{Config, Endpoint, Result};
use redis_tls::refused;
use redis_tls::rustls::ClientConnection;

use crate::stream::MOMENT;

/// How much is asked of the socket at once: some full records.
const CHUNK: usize = 64 * 1024;

/// What every connection of a client needs to begin TLS; nothing where it wants none.
#[derive(Clone, Debug)]
pub(crate) struct Connector(Option<redis_tls::Connector>);

impl Connector {
    /// Reads the certificates that the settings name.
    pub(crate) fn new(config: &Config) -> Result<Self> {
        redis_tls::Connector::new(config).map(Self)
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.0.is_none()
    }

    /// Does the handshake on an open socket. `WouldBlock` means that the deadline has passed.
    pub(crate) fn connect(
        &self,
        socket: TcpStream,
        endpoint: &Endpoint,
        deadline: Instant,
    ) -> io::Result<TlsStream> {
        let Some(connector) = &self.0 else { return Err(io::ErrorKind::Unsupported.into()) };
        let name = connector.server_name(endpoint)?;
        let session = ClientConnection::new(connector.client_config(), name)
            .map_err(|error| refused(&error))?;
        let mut stream = TlsStream {
            shared: Arc::new(Shared {
                socket,
                session: Mutex::new(session),
                outgoing: Mutex::new(Outgoing::default()),
            }),
            incoming: Incoming::default(),
        };
        stream.shake_hands(deadline)?;
        Ok(stream)
    }
}

/// A handle to a stream. One reads at a time; any may write.
#[derive(Debug)]
pub(crate) struct TlsStream {
    shared: Arc<Shared>,
    incoming: Incoming,
}

#[derive(Debug)]
struct Shared {
    socket: TcpStream,
    session: Mutex<ClientConnection>,
    outgoing: Mutex<Outgoing>,
}

/// Records that have come and are not read.
#[derive(Debug, Default)]
struct Incoming {
    space: Vec<u8>,
    start: usize,
    end: usize,
}

/// Records that the socket has not taken.
#[derive(Debug, Default)]
struct Outgoing {
    records: Vec<u8>,
    start: usize,
    /// The last byte of what they hold has not been reported as written.
    owed: bool,
}

impl TlsStream {
    pub(crate) fn socket(&self) -> &TcpStream {
        &self.shared.socket
    }

    /// A handle for another thread.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { shared: self.shared.clone(), incoming: Incoming::default() })
    }

    /// As the socket reads. `WouldBlock` also when what came held nothing for the reader: look at the clock and come
    /// again. The end of the socket is that of the stream, with a farewell or without: frames tell themselves
    /// whether they are whole.
    pub(crate) fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        if let Some(n) = self.decrypt(space)? {
            return Ok(n);
        }
        match self.incoming.fill(&self.shared.socket)? {
            0 => Ok(0),
            _ => self.decrypt(space)?.ok_or_else(|| io::ErrorKind::WouldBlock.into()),
        }
    }

    /// What there is without asking the socket; none where it has to be asked.
    fn decrypt(&mut self, space: &mut [u8]) -> io::Result<Option<usize>> {
        let mut session = self.shared.session();
        let mut n = 0;
        loop {
            match session.reader().read(&mut space[n..]) {
                Ok(0) => return Ok(Some(n)),
                Ok(more) => n += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if n == space.len() || self.incoming.is_empty() {
                return Ok((n > 0).then_some(n));
            }
            match self.incoming.hand_over(&mut session) {
                // What came before is good.
                Err(_) if n > 0 => return Ok(Some(n)),
                handed_over => handed_over?,
            }
        }
    }

    /// Writes some of it, as the socket does. After `WouldBlock` the same bytes have to come again.
    pub(crate) fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let Shared { socket, outgoing, .. } = &*self.shared;
        let mut outgoing = outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        outgoing.flush(socket)?;
        if std::mem::take(&mut outgoing.owed) {
            return Ok(1);
        }
        let mut session = self.shared.session();
        let n = session.writer().write_vectored(slices)?;
        outgoing.take(&mut session)?;
        drop(session);
        match outgoing.flush(socket) {
            Ok(()) => Ok(n),
            // The peer may have read all records but the last, which is not whole: nobody has its last byte. With
            // that one outstanding somebody comes again, to write what is left or to hear of the error.
            Err(error) => {
                outgoing.owed = true;
                if n > 1 { Ok(n - 1) } else { Err(error) }
            }
        }
    }

    fn shake_hands(&mut self, deadline: Instant) -> io::Result<()> {
        let Self { shared, incoming } = self;
        let socket = &shared.socket;
        // Nobody else has the stream by now.
        let mut outgoing = shared.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut session = shared.session();
        while session.is_handshaking() || session.wants_write() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let left = left.max(MOMENT);
            socket.set_read_timeout(Some(left))?;
            socket.set_write_timeout(Some(left))?;
            outgoing.take(&mut session)?;
            // The loop looks at the clock.
            let step = outgoing.flush(socket).and_then(|()| match session.is_handshaking() {
                true => incoming.fill(socket),
                false => Ok(1),
            });
            match step {
                Ok(0) => {
                    let text = "the server closed the connection during the TLS handshake";
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            while !incoming.is_empty() && session.is_handshaking() {
                if let Err(error) = incoming.hand_over(&mut session) {
                    // The server is told why, if it takes that at once.
                    let _ = outgoing.take(&mut session).and_then(|()| outgoing.flush(socket));
                    return Err(error);
                }
            }
        }
        socket.set_read_timeout(None)?;
        socket.set_write_timeout(None)
    }
}

impl Shared {
    fn session(&self) -> MutexGuard<'_, ClientConnection> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    /// Says farewell, if nothing is in its way.
    fn drop(&mut self) {
        let outgoing = self.outgoing.get_mut().unwrap_or_else(PoisonError::into_inner);
        let session = self.session.get_mut().unwrap_or_else(PoisonError::into_inner);
        if outgoing.is_empty() && self.socket.set_nonblocking(true).is_ok() {
            session.send_close_notify();
            // The peer may be gone already.
            let _ = outgoing.take(session).and_then(|()| outgoing.flush(&self.socket));
        }
    }
}

impl Incoming {
    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Reads from the socket once.
    fn fill(&mut self, mut socket: &TcpStream) -> io::Result<usize> {
        debug_assert!(self.is_empty(), "records are read once those before them are");
        self.space.resize(CHUNK, 0);
        let n = loop {
            match socket.read(&mut self.space) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        (self.start, self.end) = (0, n);
        Ok(n)
    }

    /// Gives some of it to rustls, which takes a little at a time.
    fn hand_over(&mut self, session: &mut ClientConnection) -> io::Result<()> {
        let mut rest = &self.space[self.start..self.end];
        match session.read_tls(&mut rest)? {
            // It takes nothing behind a farewell.
            0 => self.start = self.end,
            n => self.start += n,
        }
        session.process_new_packets().map(drop).map_err(|error| refused(&error))
    }
}

impl Outgoing {
    fn is_empty(&self) -> bool {
        self.start == self.records.len()
    }

    /// Takes what rustls has to send.
    fn take(&mut self, session: &mut ClientConnection) -> io::Result<()> {
        while session.wants_write() {
            session.write_tls(&mut self.records)?;
        }
        Ok(())
    }

    /// Writes everything, as long as the socket takes some of it.
    fn flush(&mut self, mut socket: &TcpStream) -> io::Result<()> {
        while self.start < self.records.len() {
            match socket.write(&self.records[self.start..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.start += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.records.clear();
        self.start = 0;
        Ok(())
    }
}
