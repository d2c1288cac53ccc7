//! What a client is still to be sent: replies, for which its own thread waits when there are too
//! many, and pushes, which nobody waits for.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    os::unix::net::UnixStream,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::world::Mailbox;

/// From here on a client's requests wait until it has read replies.
const FULL: usize = 1 << 20;
/// A client that lets more than this pile up is cut off by the next push.
pub(super) const BOUND: usize = 8 << 20;

/// A connection of either kind.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => (&*stream).read(buffer),
            Self::Unix(stream) => (&*stream).read(buffer),
        }
    }

    pub(super) fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(Some(timeout)),
            Self::Unix(stream) => stream.set_read_timeout(Some(timeout)),
        }
    }

    fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => (&*stream).write_all(bytes),
            Self::Unix(stream) => (&*stream).write_all(bytes),
        }
    }

    /// One that the peer has closed can't be shut down, and needs not be.
    fn shutdown(&self, how: Shutdown) {
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Unix(stream) => stream.shutdown(how),
        };
    }
}

#[derive(Debug)]
pub(super) struct Outbox {
    pub(super) socket: Socket,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    bytes: Vec<u8>,
    /// Nothing is added any more.
    ended: bool,
}

impl Outbox {
    pub(super) fn new(socket: Socket) -> Self {
        Self { socket, queue: Mutex::default(), changed: Condvar::new() }
    }

    /// Adds replies, which go out at the next [`wake`](Self::wake).
    pub(super) fn append(&self, bytes: &[u8]) {
        let mut queue = self.lock();
        if !queue.ended {
            queue.bytes.extend_from_slice(bytes);
        }
    }

    /// Has what is there sent.
    pub(super) fn wake(&self) {
        self.changed.notify_all();
    }

    /// Waits while the client is behind with its replies; false when it has been cut off.
    pub(super) fn wait_for_room(&self) -> bool {
        let mut queue = self.lock();
        while queue.bytes.len() > FULL && !queue.ended {
            self.changed.notify_all();
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        !queue.ended
    }

    /// Nothing follows what is there.
    pub(super) fn finish(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    /// Sends what there is and what comes, to the end.
    pub(super) fn send_all(&self) {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let mut queue = self.lock();
            while queue.bytes.is_empty() && !queue.ended {
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            std::mem::swap(&mut bytes, &mut queue.bytes);
            drop(queue);
            if bytes.is_empty() {
                return self.socket.shutdown(Shutdown::Write);
            }
            self.changed.notify_all();
            if self.socket.write_all(&bytes).is_err() {
                return self.cut();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mailbox for Outbox {
    fn push(&self, bytes: &[u8]) -> bool {
        let mut queue = self.lock();
        if queue.ended {
            return false;
        }
        queue.bytes.extend_from_slice(bytes);
        let late = queue.bytes.len() > BOUND;
        drop(queue);
        if late {
            self.cut();
        } else {
            self.changed.notify_all();
        }
        !late
    }

    /// Whoever reads or writes the connection comes back.
    fn cut(&self) {
        let mut queue = self.lock();
        queue.ended = true;
        queue.bytes = Vec::new();
        self.socket.shutdown(Shutdown::Both);
        self.changed.notify_all();
    }
}
