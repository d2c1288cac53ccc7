//! What goes wrong, drawn from a seed: on the links, and with the server.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};
use testkit::faulty::{Arrivals, Direction, Ending, FaultProxy, Flow};
use testkit::servers::{Server, Signal};

use crate::subject::Subject;

/// A crash every so often: the server takes its time to come back.
const BETWEEN_CRASHES: Duration = Duration::from_secs(15);

/// How often each kind of fault was made.
pub(super) type Faults = BTreeMap<&'static str, u64>;

/// The thread that makes the faults.
pub(super) struct Mischief {
    /// Dropped when it is over.
    stop: mpsc::Sender<()>,
    thread: thread::JoinHandle<io::Result<(Faults, Server)>>,
}

impl Mischief {
    pub(super) fn start(server: Server, proxy: Arc<FaultProxy>, seed: u64) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let rng = SmallRng::seed_from_u64(seed);
        let faults = Faults::new();
        let work = Work { server, proxy, rng, faults, stopped, crashed: Instant::now() };
        let thread = thread::Builder::new().name("mischief".into()).spawn(move || work.run())?;
        Ok(Self { stop, thread })
    }

    /// Everything works from now on.
    pub(super) async fn end<S: Subject>(self) -> io::Result<(Faults, Server)> {
        drop(self.stop);
        while !self.thread.is_finished() {
            S::sleep(Duration::from_millis(2)).await;
        }
        self.thread.join().map_err(|_| io::Error::other("the thread that makes faults panicked"))?
    }
}

struct Work {
    server: Server,
    proxy: Arc<FaultProxy>,
    rng: SmallRng,
    faults: Faults,
    stopped: mpsc::Receiver<()>,
    crashed: Instant,
}

impl Work {
    fn run(mut self) -> io::Result<(Faults, Server)> {
        while self.wait(20..150) {
            let name = self.one()?;
            *self.faults.entry(name).or_default() += 1;
        }
        self.proxy.heal();
        self.server.signal(Signal::Continue)?;
        Ok((self.faults, self.server))
    }

    /// Waits for so many milliseconds. False when it is over.
    fn wait(&mut self, range: std::ops::Range<u64>) -> bool {
        let time = Duration::from_millis(self.rng.random_range(range));
        self.stopped.recv_timeout(time) == Err(RecvTimeoutError::Timeout)
    }

    fn direction(&mut self) -> Direction {
        if self.rng.random_bool(0.5) { Direction::ToServer } else { Direction::ToClient }
    }

    fn ending(&mut self) -> Ending {
        match self.rng.next_u32() % 4 {
            0 => Ending::Close,
            1 => Ending::ResetClient,
            2 => Ending::ResetServer,
            _ => Ending::Silence,
        }
    }

    /// One fault, from its beginning to its end.
    fn one(&mut self) -> io::Result<&'static str> {
        if self.crashed.elapsed() >= BETWEEN_CRASHES {
            self.server.restart()?;
            self.crashed = Instant::now();
            return Ok("crash");
        }
        Ok(match self.rng.next_u32() % 17 {
            0 => {
                let ending = self.ending();
                self.proxy.end_links(ending);
                "end of all links"
            }
            1..=5 => {
                let bytes = self.rng.random_range(0..3_000);
                let (direction, ending) = (self.direction(), self.ending());
                self.proxy.cut_after(direction, bytes, ending);
                "cut"
            }
            6 | 7 => {
                let delay = Duration::from_millis(self.rng.random_range(1..30));
                self.flow(Flow::Delay(delay), 50..300);
                "delay"
            }
            8 | 9 => {
                let size = self.rng.random_range(1..40);
                self.flow(Flow::Pieces { size, pause: Duration::ZERO }, 50..300);
                "pieces"
            }
            10 => {
                self.flow(Flow::Stall, 20..500);
                "stall"
            }
            11 => {
                self.flow(Flow::Hold, 20..500);
                "hold"
            }
            12 => {
                let arrivals = [Arrivals::Refuse, Arrivals::Reset, Arrivals::Silence];
                self.proxy.arrivals(arrivals[self.rng.random_range(0..3)]);
                self.proxy.end_links(Ending::ResetClient);
                self.wait(20..200);
                self.proxy.heal();
                "no new links"
            }
            13 => {
                self.server.signal(Signal::Stop)?;
                self.wait(20..500);
                self.server.signal(Signal::Continue)?;
                "freeze"
            }
            14 => {
                let kind = if self.rng.random_bool(0.5) { "normal" } else { "pubsub" };
                ask(self.server.socket_path(), &format!("CLIENT KILL TYPE {kind}"))?;
                "kill of all clients"
            }
            15 => {
                ask(self.server.socket_path(), "SCRIPT FLUSH")?;
                "flush of all scripts"
            }
            _ => {
                let (time, mode) = (self.rng.random_range(20..300), self.rng.random_bool(0.5));
                let mode = if mode { "ALL" } else { "WRITE" };
                ask(self.server.socket_path(), &format!("CLIENT PAUSE {time} {mode}"))?;
                self.wait(time..time + 20);
                "pause"
            }
        })
    }

    fn flow(&mut self, flow: Flow, time: std::ops::Range<u64>) {
        let direction = self.direction();
        self.proxy.flow(direction, flow);
        if self.rng.random_bool(0.3) {
            self.proxy.flow(Direction::ToServer, flow);
            self.proxy.flow(Direction::ToClient, flow);
        }
        self.wait(time);
        self.proxy.heal();
    }
}

/// Says something to the server; it need not answer well.
fn ask(socket: &Path, command: &str) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    stream.read_exact(&mut [0])
}
