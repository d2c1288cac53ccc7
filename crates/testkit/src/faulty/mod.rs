//! A TCP proxy whose links are cut, slowed down, held and silenced while they are in use.
//!
//! One thread moves the bytes of all links. What a method of [`FaultProxy`] asks for holds when it
//! returns: no byte moves under the earlier rules afterwards.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//!
//! use testkit::faulty::{Direction, Ending, FaultProxy};
//!
//! let server = TcpListener::bind("127.0.0.1:0")?;
//! let proxy = FaultProxy::start(server.local_addr()?)?;
//! proxy.cut_after(Direction::ToServer, 3, Ending::Close);
//!
//! TcpStream::connect(proxy.addr())?.write_all(b"PING\r\n")?;
//! let mut arrived = Vec::new();
//! server.accept()?.0.read_to_end(&mut arrived)?;
//! assert_eq!(arrived, b"PIN");
//! # Ok::<(), std::io::Error>(())
//! ```

mod link;
mod mover;
mod rules;
#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::net::UnixStream,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

pub use self::rules::{Arrivals, Direction, Ending, Flow};
use self::rules::{Counts, Cut, Rules};
use crate::servers::free_port;

/// How long the waiting helpers wait.
const PATIENCE: Duration = Duration::from_secs(20);

/// A proxy in front of one server; it ends with this value, its links with it.
pub struct FaultProxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    changes: mpsc::Sender<Change>,
    wake: UnixStream,
    thread: Option<thread::JoinHandle<()>>,
}

impl fmt::Debug for FaultProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultProxy").field("addr", &self.addr).finish_non_exhaustive()
    }
}

/// What the thread tells.
#[derive(Default)]
struct Shared {
    counts: Mutex<Counts>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A change of the rules, and who waits until it holds.
struct Change {
    make: Box<dyn FnOnce(&mut Rules) + Send>,
    holds: mpsc::Sender<()>,
}

impl FaultProxy {
    /// Starts a proxy on a port of its own; everything passes.
    ///
    /// # Errors
    /// When no port or thread can be had.
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        let (addr, listener) = listen()?;
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let shared = Arc::new(Shared::default());
        let (changes, asked) = mpsc::channel();
        let mover = mover::Mover::new(shared.clone(), asked, upstream, listener, woken)?;
        let thread =
            thread::Builder::new().name("fault proxy".to_owned()).spawn(move || mover.run())?;
        Ok(Self { addr, shared, changes, wake, thread: Some(thread) })
    }

    /// Sets what becomes of the bytes of all links, present and to come, in one direction.
    pub fn flow(&self, direction: Direction, flow: Flow) {
        self.change(move |rules| rules.flow[direction as usize] = flow);
    }

    /// Ends the link that carries the `bytes`-th byte from now on in this direction, right behind that
    /// byte; with zero, before the first. Further cuts are made one after the other, each counted from
    /// the one before it.
    pub fn cut_after(&self, direction: Direction, bytes: usize, ending: Ending) {
        let cut = Cut { left: bytes, ending };
        self.change(move |rules| rules.cuts[direction as usize].push_back(cut));
    }

    /// Ends all links.
    pub fn end_links(&self, ending: Ending) {
        self.change(move |rules| rules.end_links = Some(ending));
    }

    /// Sets what becomes of new connections. Links are not affected.
    pub fn arrivals(&self, arrivals: Arrivals) {
        self.change(move |rules| rules.arrivals = arrivals);
    }

    /// Everything passes from now on; cuts that were not made are not made. What was lost stays lost,
    /// and silent links stay silent.
    pub fn heal(&self) {
        self.change(Rules::heal);
    }

    /// Waits until this many connections were accepted, since the start.
    ///
    /// # Errors
    /// When that takes longer than 20 s.
    pub fn until_connections(&self, count: usize) -> io::Result<()> {
        self.until(&format!("{count} connections"), |counts| counts.connections >= count)
    }

    /// Waits until this many bytes were passed on in this direction, since the start.
    ///
    /// # Errors
    /// As [`until_connections`](Self::until_connections).
    pub fn until_bytes(&self, direction: Direction, count: u64) -> io::Result<()> {
        self.until(&format!("{count} bytes"), |counts| counts.passed[direction as usize] >= count)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Connections accepted since the start.
    pub fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// Links whose client has not ended its side, silent ones included.
    pub fn open_links(&self) -> usize {
        self.shared.lock().open
    }

    /// Cuts that wait for their byte.
    pub fn cuts_to_come(&self) -> usize {
        self.shared.lock().cuts
    }

    /// Bytes passed on since the start.
    pub fn bytes(&self, direction: Direction) -> u64 {
        self.shared.lock().passed[direction as usize]
    }

    /// Bytes that have come and wait here.
    pub fn held(&self, direction: Direction) -> usize {
        self.shared.lock().held[direction as usize]
    }

    fn change(&self, make: impl FnOnce(&mut Rules) + Send + 'static) {
        let (holds, held) = mpsc::channel();
        let change = Change { make: Box::new(make), holds };
        if self.changes.send(change).is_ok() {
            self.wake();
            // Without the thread there is nothing to change.
            let _ = held.recv();
        }
    }

    fn wake(&self) {
        // A full pipe wakes as well as one more byte would.
        let _ = (&self.wake).write(&[0]);
    }

    fn until(&self, what: &str, holds: impl Fn(&Counts) -> bool) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut counts = self.shared.lock();
        while !holds(&counts) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let text = format!("no {what} within {PATIENCE:?}");
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            let waited = self.shared.changed.wait_timeout(counts, left);
            counts = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        // Without anyone to ask for changes it ends.
        self.changes = mpsc::channel().0;
        self.wake();
        if let Some(thread) = self.thread.take() {
            // A panic there was told by its hook.
            let _ = thread.join();
        }
    }
}

/// Listens on a port that outgoing connections never get: it can be given up and taken again.
fn listen() -> io::Result<(SocketAddr, TcpListener)> {
    const ATTEMPTS: usize = 20;
    let mut attempt = 1;
    loop {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        match TcpListener::bind(addr) {
            Err(_) if attempt < ATTEMPTS => attempt += 1,
            bound => return Ok((addr, bound?)),
        }
    }
}
