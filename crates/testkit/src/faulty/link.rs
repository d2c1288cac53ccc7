//! One link: a client's socket, the server's for it, and the bytes on their way between them.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use nix::poll::PollFlags;
use socket2::SockRef;

use super::rules::{Direction, Ending, Flow, Rules};

/// What one direction keeps before it reads no more, unless it is to hold everything.
const KEPT: usize = 1 << 20;

/// Pieces that are written before the other links have their turn.
const TURN: usize = 256;

/// As many of them as let others run behind each: on a busy machine all would take seconds.
const POLITE: usize = 16;

const BUFFER: usize = 64 * 1024;

pub(super) struct Link {
    pub(super) client: TcpStream,
    /// None of a connection that was accepted to be silent.
    pub(super) server: Option<TcpStream>,
    silent: bool,
    pipes: [Pipe; 2],
}

/// The bytes on their way in one direction.
#[derive(Default)]
struct Pipe {
    pieces: VecDeque<Piece>,
    bytes: usize,
    /// The sender has said its last, and the receiver knows.
    ended: bool,
    told: bool,
    /// The receiver's buffers are full.
    blocked: bool,
    not_before: Option<Instant>,
}

struct Piece {
    due: Option<Instant>,
    bytes: Vec<u8>,
    written: usize,
}

impl Link {
    pub(super) fn new(client: TcpStream, server: Option<TcpStream>) -> io::Result<Self> {
        for stream in [Some(&client), server.as_ref()].into_iter().flatten() {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
        }
        let silent = server.is_none();
        Ok(Self { client, server, silent, pipes: Default::default() })
    }

    /// What to wait for on the client's and on the server's side.
    pub(super) fn interest(&self, rules: &Rules) -> [PollFlags; 2] {
        let mut interest = [PollFlags::empty(); 2];
        for direction in [Direction::ToServer, Direction::ToClient] {
            let (pipe, flow) = (&self.pipes[direction as usize], rules.flow[direction as usize]);
            let (from, to) = match direction {
                Direction::ToServer => (0, 1),
                Direction::ToClient => (1, 0),
            };
            if pipe.reads(flow, self.silent) {
                interest[from] |= PollFlags::POLLIN;
            }
            if pipe.blocked && !self.silent && flow != Flow::Stall && flow != Flow::Hold {
                interest[to] |= PollFlags::POLLOUT;
            }
        }
        interest
    }

    /// When there is something to do without anything happening.
    pub(super) fn due(&self, rules: &Rules) -> Option<Instant> {
        let due = |direction: Direction| {
            let (pipe, flow) = (&self.pipes[direction as usize], rules.flow[direction as usize]);
            let waits = matches!(flow, Flow::Stall | Flow::Hold | Flow::Swallow);
            if waits || self.silent || pipe.blocked {
                return None;
            }
            let first = pipe.pieces.front()?;
            first.due.into_iter().chain(pipe.not_before).max()
        };
        [due(Direction::ToServer), due(Direction::ToClient)].into_iter().flatten().min()
    }

    /// Bytes that wait in a direction.
    pub(super) fn held(&self, direction: Direction) -> usize {
        self.pipes[direction as usize].bytes
    }

    pub(super) fn client_has_ended(&self) -> bool {
        self.pipes[Direction::ToServer as usize].ended
    }

    /// Moves what can be moved. Returns whether there is more to move at once; an error is how the link
    /// is to end.
    pub(super) fn turn(&mut self, rules: &mut Rules, now: Instant) -> Result<bool, Ending> {
        let mut more = false;
        for direction in [Direction::ToServer, Direction::ToClient] {
            more |= self.turn_one(direction, rules, now)?;
        }
        if self.pipes.iter().all(|pipe| pipe.told) {
            return Err(Ending::Close);
        }
        Ok(more)
    }

    fn turn_one(
        &mut self,
        direction: Direction,
        rules: &mut Rules,
        now: Instant,
    ) -> Result<bool, Ending> {
        let pipe = &mut self.pipes[direction as usize];
        let flow = rules.flow[direction as usize];
        let (from, to) = match (direction, &self.server) {
            (Direction::ToServer, server) => (Some(&self.client), server.as_ref()),
            (Direction::ToClient, server) => (server.as_ref(), Some(&self.client)),
        };
        // Whichever side failed, the other one sees the same.
        let failed = |reader: bool| match (direction, reader) {
            (Direction::ToServer, true) | (Direction::ToClient, false) => Ending::ResetServer,
            _ => Ending::ResetClient,
        };
        if pipe.reads(flow, self.silent)
            && let Some(from) = from
        {
            pipe.read(from, flow, self.silent).map_err(|_| failed(true))?;
        }
        if self.silent {
            return Ok(false);
        }
        match to {
            Some(to) => pipe.write(to, direction, rules, now, || failed(false)),
            None => Ok(false),
        }
    }

    /// From now on nothing passes, and the link stays.
    pub(super) fn silence(&mut self) {
        self.silent = true;
        for pipe in &mut self.pipes {
            pipe.pieces.clear();
            pipe.bytes = 0;
        }
    }

    /// Closes both sides, one of them by a reset if so asked.
    pub(super) fn end(self, ending: Ending) {
        let reset = match ending {
            Ending::ResetClient => Some(&self.client),
            Ending::ResetServer => self.server.as_ref(),
            Ending::Close | Ending::Silence => None,
        };
        if let Some(stream) = reset {
            reset_on_close(stream);
        }
    }
}

/// Closing sends a reset instead of the end of the stream.
pub(super) fn reset_on_close(stream: &TcpStream) {
    // A socket that has ended already can't be reset.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

impl Pipe {
    fn reads(&self, flow: Flow, silent: bool) -> bool {
        !self.ended && flow != Flow::Stall && (silent || flow == Flow::Hold || self.bytes < KEPT)
    }

    fn read(&mut self, mut from: &TcpStream, flow: Flow, silent: bool) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER];
        match from.read(&mut buffer) {
            Ok(0) => self.ended = true,
            Ok(n) if !silent && flow != Flow::Swallow => {
                buffer.truncate(n);
                let due = match flow {
                    // From when it has come, which may be long after this turn began.
                    Flow::Delay(time) => Some(Instant::now() + time),
                    _ => None,
                };
                self.bytes += n;
                self.pieces.push_back(Piece { due, bytes: buffer, written: 0 });
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // Nobody is told of a silent link's end.
            Err(_) if silent => self.ended = true,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn write(
        &mut self,
        mut to: &TcpStream,
        direction: Direction,
        rules: &mut Rules,
        now: Instant,
        failed: impl Fn() -> Ending,
    ) -> Result<bool, Ending> {
        let flow = rules.flow[direction as usize];
        if matches!(flow, Flow::Stall | Flow::Hold) {
            return Ok(false);
        }
        if flow == Flow::Swallow {
            self.pieces.clear();
            self.bytes = 0;
        }
        self.blocked = false;
        for n in 0..TURN {
            let Some(first) = self.pieces.front_mut() else {
                break;
            };
            if first.due.into_iter().chain(self.not_before).max().is_some_and(|due| due > now) {
                return Ok(false);
            }
            let rest = &first.bytes[first.written..];
            let size = match flow {
                Flow::Pieces { size, .. } => size.clamp(1, rest.len()),
                _ => rest.len(),
            };
            let allowed = rules.may_pass(direction, size);
            let written = match to.write(&rest[..allowed]) {
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    return Ok(false);
                }
                Err(_) => return Err(failed()),
            };
            first.written += written;
            self.bytes -= written;
            if first.written == first.bytes.len() {
                self.pieces.pop_front();
            }
            if let Some(ending) = rules.passed(direction, written) {
                return Err(ending);
            }
            if let Flow::Pieces { pause, .. } = flow {
                if !pause.is_zero() {
                    self.not_before = Some(Instant::now() + pause);
                    return Ok(false);
                }
                // Whoever reads there may have this piece before the next one comes.
                if n < POLITE {
                    std::thread::yield_now();
                }
            }
        }
        if self.pieces.is_empty() && self.ended && !self.told {
            self.told = true;
            // It may have closed its side, too.
            let _ = to.shutdown(std::net::Shutdown::Write);
        }
        Ok(!self.pieces.is_empty())
    }
}
