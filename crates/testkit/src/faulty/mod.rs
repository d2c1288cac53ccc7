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
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

pub use self::rules::{Arrivals, Direction, Ending, Flow};
use self::rules::{Cut, Rules};
use crate::servers::free_port;

/// How long the waiting helpers wait.
const PATIENCE: Duration = Duration::from_secs(20);

/// A proxy in front of one server; it ends with this value, its links with it.
pub struct FaultProxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    wake: UnixStream,
    thread: Option<thread::JoinHandle<()>>,
}

impl fmt::Debug for FaultProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultProxy").field("addr", &self.addr).finish_non_exhaustive()
    }
}

/// Where the handle and the thread meet.
#[derive(Default)]
struct Shared {
    rules: Mutex<Rules>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        let mover = mover::Mover::new(shared.clone(), upstream, listener, woken)?;
        let thread =
            thread::Builder::new().name("fault proxy".to_owned()).spawn(move || mover.run())?;
        Ok(Self { addr, shared, wake, thread: Some(thread) })
    }

    /// Sets what becomes of the bytes of all links, present and to come, in one direction.
    pub fn flow(&self, direction: Direction, flow: Flow) {
        self.change(|rules| rules.flow[direction as usize] = flow);
    }

    /// Ends the link that carries the `bytes`-th byte from now on in this direction, right behind that
    /// byte; with zero, before the first. Further cuts are made one after the other, each counted from
    /// the one before it.
    pub fn cut_after(&self, direction: Direction, bytes: usize, ending: Ending) {
        let cut = Cut { left: bytes, ending };
        self.change(|rules| rules.cuts[direction as usize].push_back(cut));
    }

    /// Ends all links.
    pub fn end_links(&self, ending: Ending) {
        self.change(|rules| rules.end_links = Some(ending));
    }

    /// Sets what becomes of new connections. Links are not affected.
    pub fn arrivals(&self, arrivals: Arrivals) {
        self.change(|rules| rules.arrivals = arrivals);
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
        self.until(&format!("{count} connections"), |rules| rules.connections >= count)
    }

    /// Waits until this many bytes were passed on in this direction, since the start.
    ///
    /// # Errors
    /// As [`until_connections`](Self::until_connections).
    pub fn until_bytes(&self, direction: Direction, count: u64) -> io::Result<()> {
        self.until(&format!("{count} bytes"), |rules| rules.passed[direction as usize] >= count)
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
        self.shared.lock().cuts.iter().map(|cuts| cuts.len()).sum()
    }

    /// Bytes passed on since the start.
    pub fn bytes(&self, direction: Direction) -> u64 {
        self.shared.lock().passed[direction as usize]
    }

    /// Bytes that have come and wait here.
    pub fn held(&self, direction: Direction) -> usize {
        self.shared.lock().held[direction as usize]
    }

    fn change(&self, change: impl FnOnce(&mut Rules)) {
        let mut rules = self.shared.lock();
        change(&mut rules);
        rules.asked += 1;
        let asked = rules.asked;
        self.wake();
        while rules.done < asked {
            rules = self.shared.changed.wait(rules).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn wake(&self) {
        // A full pipe wakes as well as one more byte would.
        let _ = (&self.wake).write(&[0]);
    }

    fn until(&self, what: &str, holds: impl Fn(&Rules) -> bool) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut rules = self.shared.lock();
        while !holds(&rules) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let text = format!("no {what} within {PATIENCE:?}");
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            let waited = self.shared.changed.wait_timeout(rules, left);
            rules = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.lock().over = true;
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
