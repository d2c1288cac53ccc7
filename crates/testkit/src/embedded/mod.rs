//! A small server in memory, for machines without a real one and for the examples: many clients at
//! once over TCP and a Unix socket, in RESP2 and RESP3, on std threads.
//!
//! ```
//! use std::{
//!     io::{Read, Write},
//!     net::TcpStream,
//! };
//!
//! use testkit::embedded::Embedded;
//!
//! let server = Embedded::start()?;
//! let mut client = TcpStream::connect(server.addr())?;
//! client.write_all(b"SET key value\r\nGET key\r\nQUIT\r\n")?;
//! let mut replies = String::new();
//! client.read_to_string(&mut replies)?;
//! assert_eq!(replies, "+OK\r\n$5\r\nvalue\r\n+OK\r\n");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! It answers as Redis 8.6 does, in the same words, as far as it knows the commands: strings and
//! counters, keys and deadlines, sets, lists, hashes, transactions, Pub/Sub, and what tools ask for
//! when they connect. There is nothing on disk, no password, no cluster and no blocking command.

mod blocking;
mod commands;
mod connection;
mod core;
mod failure;
mod glob;
mod outbox;
mod pubsub;
mod store;
mod transactions;
mod world;

use std::{
    env, fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    os::unix::{
        fs::DirBuilderExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

pub use self::{core::Core, world::Ran};

use self::{
    outbox::{Outbox, Socket},
    world::World,
};

/// A server that runs for as long as this value lives: dropping it closes all connections and waits
/// for its threads.
#[derive(Debug)]
pub struct Embedded {
    hub: Arc<Hub>,
    addr: SocketAddr,
    folder: PathBuf,
    socket: PathBuf,
    listeners: Vec<JoinHandle<()>>,
}

impl Embedded {
    /// Starts an empty server on a free port of this machine and on a Unix socket of its own.
    ///
    /// # Errors
    /// As [`Embedded::listen`].
    pub fn start() -> io::Result<Self> {
        Self::listen((Ipv4Addr::LOCALHOST, 0))
    }

    /// As [`Embedded::start`], on the address that is asked for.
    ///
    /// # Errors
    /// When it can't listen there, or the Unix socket or a thread can't be made.
    pub fn listen(addr: impl ToSocketAddrs) -> io::Result<Self> {
        let tcp = TcpListener::bind(addr)?;
        let addr = tcp.local_addr()?;
        let folder = own_folder()?;
        let socket = folder.join("socket");
        // From here on, a failure stops what there is.
        let mut server = Self { hub: Arc::default(), addr, folder, socket, listeners: Vec::new() };
        let unix = UnixListener::bind(&server.socket)?;
        let local = server.socket.display().to_string();
        server.spawn("embedded-tcp", move || {
            let (stream, peer) = tcp.accept()?;
            // Without it requests are answered all the same, only later.
            let _ = stream.set_nodelay(true);
            let local = stream.local_addr().unwrap_or(addr);
            Ok((Socket::Tcp(stream), peer.to_string(), local.to_string()))
        })?;
        server.spawn("embedded-unix", move || {
            let (stream, _) = unix.accept()?;
            Ok((Socket::Unix(stream), format!("{local}:0"), format!("{local}:0")))
        })?;
        Ok(server)
    }

    /// Where it listens for TCP.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The Unix socket it listens on.
    pub fn socket_path(&self) -> &Path {
        &self.socket
    }

    /// `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.addr)
    }

    fn spawn(
        &mut self,
        name: &str,
        accept: impl FnMut() -> io::Result<(Socket, String, String)> + Send + 'static,
    ) -> io::Result<()> {
        let hub = Arc::clone(&self.hub);
        let thread = thread::Builder::new().name(name.to_owned());
        self.listeners.push(thread.spawn(move || hub.take_clients(accept))?);
        Ok(())
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.hub.world().stop();
        self.hub.left.notify_all();
        // A listener looks up when somebody connects.
        let mut addr = self.addr;
        if addr.ip().is_unspecified() {
            addr.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        let tcp = TcpStream::connect(addr).is_ok();
        let unix = UnixStream::connect(&self.socket).is_ok();
        for (listener, woken) in self.listeners.drain(..).zip([tcp, unix]) {
            if woken {
                // Its panic has been shown, and this may run while another unwinds.
                let _ = listener.join();
            }
        }
        // What can't be removed is left to whoever clears the temporary folder.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Calls `handler` on Ctrl-C, or when the process is asked to end, instead of ending it; once a
/// process, and not together with [`stop_on_ctrl_c`](crate::servers::stop_on_ctrl_c).
///
/// # Errors
/// When there is a handler already.
pub fn on_ctrl_c(handler: impl FnMut() + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(handler).map_err(io::Error::other)
}

/// What the threads share.
#[derive(Debug, Default)]
struct Hub {
    world: Mutex<World>,
    /// A client has left, or the server stops.
    left: Condvar,
}

impl Hub {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves each client on threads of its own; all have ended on return.
    fn take_clients(&self, mut accept: impl FnMut() -> io::Result<(Socket, String, String)>) {
        thread::scope(|scope| {
            loop {
                let accepted = accept();
                let mut world = self.world();
                if world.is_stopping() {
                    return;
                }
                let (socket, addr, local) = match accepted {
                    Ok(accepted) => accepted,
                    // It hung up while it waited.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                    // Most likely out of files, which a client that leaves gives back.
                    Err(_) => {
                        drop(self.left.wait(world));
                        continue;
                    }
                };
                let outbox = Arc::new(Outbox::new(socket));
                let mailbox = Arc::clone(&outbox);
                let Some(session) = world.join(mailbox, addr, local) else {
                    return;
                };
                drop(world);
                let client = session.about.id;
                let thread = thread::Builder::new().name(format!("embedded-{client}"));
                let serve = || connection::serve(self, outbox, session);
                if thread.spawn_scoped(scope, serve).is_err() {
                    self.leave(client);
                }
            }
        });
    }

    fn leave(&self, client: u64) {
        self.world().leave(client);
        self.left.notify_all();
    }
}

/// An empty folder that nobody else may enter. Should this process be killed, the next that starts a
/// real server clears it: it is called as theirs are, with numbers that those do not reach.
fn own_folder() -> io::Result<PathBuf> {
    static NEXT: AtomicU64 = AtomicU64::new(1 << 32);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = env::temp_dir().join(format!("redis-testkit-{}-{number}", std::process::id()));
    // A folder of this name is one of an earlier process that had our id.
    let _ = fs::remove_dir_all(&folder);
    fs::DirBuilder::new().mode(0o700).create(&folder)?;
    Ok(folder)
}
