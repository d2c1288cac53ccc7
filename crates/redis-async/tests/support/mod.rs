//! A runtime in memory: sockets lead to a scripted server, tasks run when the test says so, and nothing
//! happens by itself.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    missing_docs,
    dead_code,
    reason = "a part of the tests beside it, each of which uses what it needs"
)]

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use bytes::BytesMut;
use futures_io::{AsyncRead, AsyncWrite};
use redis_async::{BoxFuture, Client, Config, Endpoint, Runtime, Socket, Timer};
use resp_proto::{Limits, RequestDecoder};
use testkit::scripted::{Scripted, Server as _};

/// The runtime, the network and the server, seen from the test.
#[derive(Clone)]
pub struct Lab(Arc<Mutex<State>>);

struct State {
    server: Scripted,
    tasks: Vec<(BoxFuture<()>, Arc<Flag>)>,
    wires: Vec<Weak<Mutex<Wire>>>,
    /// Replies stay on the server's side while this is set.
    hold: bool,
    /// Sockets take no bytes while this is set.
    full: bool,
    /// Sockets take bytes and send none on while this is set.
    corked: bool,
    /// Writing fails while this is set, and reading does not tell why.
    unwritable: bool,
    /// Connections are refused while this is set.
    refuse: bool,
    writes: usize,
    /// Bytes that clients have read.
    read: usize,
}

#[derive(Default)]
struct Wire {
    decoder: Option<RequestDecoder>,
    /// Taken by the socket, and not flushed.
    taken: Vec<u8>,
    arrived: BytesMut,
    held: Vec<u8>,
    to_client: VecDeque<u8>,
    reset: bool,
    /// The server has closed it: what it said before can still be read.
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Whether a task was woken.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Lab {
    pub fn new(server: Scripted) -> Self {
        Self(Arc::new(Mutex::new(State {
            server,
            tasks: Vec::new(),
            wires: Vec::new(),
            hold: false,
            full: false,
            corked: false,
            unwritable: false,
            refuse: false,
            writes: 0,
            read: 0,
        })))
    }

    pub fn client(&self, config: Config) -> Client {
        Client::new(config, Arc::new(self.clone())).unwrap()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Runs all tasks until none was woken.
    pub fn run(&self) {
        loop {
            let mut tasks = std::mem::take(&mut self.state().tasks);
            let mut progress = false;
            tasks.retain_mut(|(task, flag)| {
                if !flag.0.swap(false, Ordering::SeqCst) {
                    return true;
                }
                progress = true;
                let waker = Waker::from(flag.clone());
                task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
            });
            let mut state = self.state();
            progress |= !state.tasks.is_empty();
            tasks.append(&mut state.tasks);
            state.tasks = tasks;
            if !progress {
                return;
            }
        }
    }

    /// Runs tasks and the future in turn until it is ready.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        let flag = Arc::new(Flag::default());
        let waker = Waker::from(flag.clone());
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return output;
            }
            self.run();
            assert!(flag.0.swap(false, Ordering::SeqCst), "the future waits for what never comes");
        }
    }

    /// Runs tasks and the future while the clock goes on, until the future is ready.
    pub fn wait_for<F: Future + Unpin>(&self, future: &mut F) -> F::Output {
        loop {
            if let Poll::Ready(output) = poll_once(future) {
                return output;
            }
            for (_, flag) in &self.state().tasks {
                flag.0.store(true, Ordering::SeqCst);
            }
            self.run();
        }
    }

    /// The runtime is shut down: its tasks are dropped.
    pub fn shut_down(&self) {
        let tasks = std::mem::take(&mut self.state().tasks);
        drop(tasks);
    }

    pub fn tasks(&self) -> usize {
        self.state().tasks.len()
    }

    /// Connections that are open on the client's side.
    pub fn open_connections(&self) -> usize {
        self.state().wires.iter().filter(|wire| wire.upgrade().is_some()).count()
    }

    pub fn hold_replies(&self, hold: bool) {
        let wires = {
            let mut state = self.state();
            state.hold = hold;
            state.wires.clone()
        };
        for wire in wires.iter().filter_map(Weak::upgrade).filter(|_| !hold) {
            let mut wire = wire.lock().unwrap();
            let held = std::mem::take(&mut wire.held);
            wire.to_client.extend(held);
            wire.reader.take().into_iter().for_each(Waker::wake);
        }
    }

    pub fn fill_sockets(&self, full: bool) {
        let wires = {
            let mut state = self.state();
            state.full = full;
            state.wires.clone()
        };
        for wire in wires.iter().filter_map(Weak::upgrade).filter(|_| !full) {
            wire.lock().unwrap().writer.take().into_iter().for_each(Waker::wake);
        }
    }

    /// Sockets take bytes and send them on when they are flushed, once this ends.
    pub fn cork_sockets(&self, corked: bool) {
        let wires = {
            let mut state = self.state();
            state.corked = corked;
            state.wires.clone()
        };
        for wire in wires.iter().filter_map(Weak::upgrade).filter(|_| !corked) {
            wire.lock().unwrap().writer.take().into_iter().for_each(Waker::wake);
        }
    }

    /// From now on every write fails.
    pub fn fail_writes(&self) {
        self.state().unwritable = true;
    }

    /// From now on connections are refused.
    pub fn refuse_connections(&self) {
        self.state().refuse = true;
    }

    /// Every connection is reset.
    pub fn reset(&self) {
        let wires = self.state().wires.clone();
        for wire in wires.iter().filter_map(Weak::upgrade) {
            let mut wire = wire.lock().unwrap();
            wire.reset = true;
            wire.reader.take().into_iter().for_each(Waker::wake);
        }
    }

    /// The server closes every connection.
    pub fn close(&self) {
        let wires = self.state().wires.clone();
        for wire in wires.iter().filter_map(Weak::upgrade) {
            let mut wire = wire.lock().unwrap();
            wire.closed = true;
            wire.reader.take().into_iter().for_each(Waker::wake);
        }
    }

    /// What the server ran, as words, without the handshake.
    pub fn ran(&self) -> Vec<String> {
        let words = |args: &Vec<bytes::Bytes>| {
            args.iter()
                .map(|arg| String::from_utf8_lossy(arg).into_owned())
                .collect::<Vec<_>>()
                .join(" ")
        };
        self.state().server.ran.iter().map(words).collect()
    }

    /// How many times clients connected.
    pub fn connections(&self) -> usize {
        self.state().server.connections
    }

    /// How many bytes clients have read.
    pub fn read(&self) -> usize {
        self.state().read
    }

    /// How many writes sockets took.
    pub fn writes(&self) -> usize {
        self.state().writes
    }
}

/// Polls a future once, with a waker that does nothing.
pub fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

impl Runtime for Lab {
    fn connect(&self, _: Endpoint) -> BoxFuture<io::Result<Box<dyn Socket>>> {
        let lab = self.clone();
        Box::pin(async move {
            let wire = Arc::new(Mutex::new(Wire {
                decoder: Some(RequestDecoder::new(Limits::default())),
                ..Wire::default()
            }));
            let mut state = lab.state();
            if state.refuse {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            state.server.connected();
            state.wires.push(Arc::downgrade(&wire));
            drop(state);
            Ok(Box::new(End { lab, wire }) as Box<dyn Socket>)
        })
    }

    fn timer(&self) -> Box<dyn Timer> {
        Box::new(Clock)
    }

    fn spawn(&self, task: BoxFuture<()>) -> io::Result<()> {
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        self.state().tasks.push((task, flag));
        Ok(())
    }
}

/// Only what is due already counts: no test waits for a time.
struct Clock;

impl Timer for Clock {
    fn poll_at(&mut self, _: &mut Context<'_>, at: Instant) -> Poll<()> {
        if at <= Instant::now() { Poll::Ready(()) } else { Poll::Pending }
    }
}

struct End {
    lab: Lab,
    wire: Arc<Mutex<Wire>>,
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut wire = self.wire.lock().unwrap();
        if wire.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let n = buf.len().min(wire.to_client.len());
        if n == 0 && wire.closed {
            return Poll::Ready(Ok(0));
        }
        if n == 0 {
            wire.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        for (to, from) in buf.iter_mut().zip(wire.to_client.drain(..n)) {
            *to = from;
        }
        self.lab.state().read += n;
        Poll::Ready(Ok(n))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut wire = self.wire.lock().unwrap();
        let mut state = self.lab.state();
        if wire.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if wire.closed || state.unwritable {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if state.full {
            wire.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.writes += 1;
        match state.corked {
            true => wire.taken.extend_from_slice(buf),
            false => arrive(&mut wire, &mut state, buf),
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut wire = self.wire.lock().unwrap();
        let mut state = self.lab.state();
        let taken = std::mem::take(&mut wire.taken);
        if state.corked && !taken.is_empty() {
            wire.taken = taken;
            wire.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        arrive(&mut wire, &mut state, &taken);
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Bytes come to the server, which answers.
fn arrive(wire: &mut Wire, state: &mut State, bytes: &[u8]) {
    wire.arrived.extend_from_slice(bytes);
    let mut args = Vec::new();
    let mut out = Vec::new();
    let decoder = wire.decoder.as_mut().unwrap();
    while decoder.decode(&mut wire.arrived, &mut args).unwrap() {
        state.server.request(&args, &mut out);
        args.clear();
    }
    if state.hold {
        wire.held.extend(out);
    } else if !out.is_empty() {
        wire.to_client.extend(out);
        wire.reader.take().into_iter().for_each(Waker::wake);
    }
}
