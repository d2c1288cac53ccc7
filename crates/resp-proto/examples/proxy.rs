//! A proxy that any client can talk through: bytes go on as they come, unchanged and in order, so
//! pipelines, pushes, MONITOR and commands that block work; beside that, requests and replies are
//! framed to tell how often and how long each command ran. Ctrl-C shows the table and ends it.
//!
//! `cargo run -p resp-proto --example proxy -- --listen 127.0.0.1:6381 --upstream 127.0.0.1:6379`

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that people run says what it does"
)]

use std::{
    collections::{BTreeMap, VecDeque},
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    process,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use resp_proto::{
    FrameKind, FrameReader, Frames, Limits, ProtocolError, RequestDecoder, Token, frame_kind,
};

mod shared;

fn main() -> io::Result<()> {
    let [listen, upstream] =
        shared::options([("--listen", "127.0.0.1:6381"), ("--upstream", "127.0.0.1:6379")])?;
    let table = Arc::new(Mutex::new(Table::default()));
    let shown = Arc::clone(&table);
    testkit::embedded::on_ctrl_c(move || {
        lock(&shown).print();
        process::exit(130);
    })?;
    let listener = TcpListener::bind(&listen)?;
    println!("listening on {} for {upstream}", listener.local_addr()?);
    for client in listener.incoming() {
        let (upstream, table) = (upstream.clone(), Arc::clone(&table));
        let served = client.and_then(|client| {
            let thread = thread::Builder::new().name("client".to_owned());
            thread.spawn(move || {
                if let Err(error) = forward(client, &upstream, &table) {
                    eprintln!("a client is gone: {error}");
                }
            })
        });
        if let Err(error) = served {
            eprintln!("a client could not be served: {error}");
        }
    }
    Ok(())
}

/// Takes a client's requests to the server on this thread, and the replies back on a second one.
fn forward(client: TcpStream, upstream: &str, table: &Mutex<Table>) -> io::Result<()> {
    let server = TcpStream::connect(upstream)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let meter = Mutex::new(Meter::default());
    thread::scope(|scope| {
        let back = thread::Builder::new().name("replies".to_owned());
        back.spawn_scoped(scope, || {
            let mut replies = Replies::new();
            let ended = pump(&server, &client, |bytes| {
                replies.see(bytes, &mut lock(&meter), table);
            });
            // The client hears of the server's end, and so does the thread that reads from it.
            let _ = client.shutdown(Shutdown::Both);
            ended
        })?;
        let mut requests = Requests::new();
        let ended = pump(&client, &server, |bytes| requests.see(bytes, &mut lock(&meter)));
        // Replies may be on their way yet: the server closes its half once it has sent them.
        let _ = server.shutdown(Shutdown::Write);
        ended
    })
}

/// Copies until the end; `see` looks at the bytes before they go on.
fn pump(mut from: &TcpStream, mut to: &TcpStream, mut see: impl FnMut(&[u8])) -> io::Result<()> {
    let mut chunk = vec![0; 64 << 10];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(len) => {
                see(&chunk[..len]);
                to.write_all(&chunk[..len])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The requests of a connection that wait for their replies.
#[derive(Default)]
struct Meter {
    waiting: VecDeque<Waiting>,
    /// In RESP2 pushes look like replies: those that come while this is set are none.
    listening: bool,
    monitoring: bool,
}

struct Waiting {
    name: String,
    since: Instant,
    /// Confirmations still to come, of a command that is answered by such.
    confirmations: Option<usize>,
}

/// Frames what a client sends.
struct Requests {
    decoder: RequestDecoder,
    input: BytesMut,
    args: Vec<Bytes>,
    silence: Silence,
    failed: bool,
}

/// What `CLIENT REPLY` asked for.
#[derive(PartialEq)]
enum Silence {
    None,
    Next,
    All,
}

impl Requests {
    fn new() -> Self {
        Self {
            decoder: RequestDecoder::new(Limits::default()),
            input: BytesMut::new(),
            args: Vec::new(),
            silence: Silence::None,
            failed: false,
        }
    }

    fn see(&mut self, bytes: &[u8], meter: &mut Meter) {
        if self.failed {
            return;
        }
        self.input.extend_from_slice(bytes);
        loop {
            match self.decoder.decode(&mut self.input, &mut self.args) {
                Ok(true) => self.request(meter),
                Ok(false) => return,
                // The server will say so, too, and hang up.
                Err(_) => {
                    self.failed = true;
                    return;
                }
            }
        }
    }

    fn request(&mut self, meter: &mut Meter) {
        let word = |at: usize| {
            let arg = self.args.get(at).map_or(&b""[..], |arg| arg);
            String::from_utf8_lossy(arg).to_ascii_lowercase()
        };
        let name = word(0);
        if name == "client" && word(1) == "reply" {
            self.silence = match word(2).as_str() {
                "off" => Silence::All,
                "skip" if self.silence == Silence::None => Silence::Next,
                "on" => Silence::None,
                _ => return,
            };
            if self.silence != Silence::None {
                return;
            }
        } else if self.silence != Silence::None {
            if self.silence == Silence::Next {
                self.silence = Silence::None;
            }
            return;
        }
        let confirmations = is_confirmation(name.as_bytes()).then(|| (self.args.len() - 1).max(1));
        meter.waiting.push_back(Waiting { name, since: Instant::now(), confirmations });
    }
}

/// Frames what a server sends.
struct Replies {
    frames: Frames,
    input: BytesMut,
    failed: bool,
}

impl Replies {
    fn new() -> Self {
        Self { frames: Frames::new(Limits::default()), input: BytesMut::new(), failed: false }
    }

    fn see(&mut self, bytes: &[u8], meter: &mut Meter, table: &Mutex<Table>) {
        if self.failed {
            return;
        }
        self.input.extend_from_slice(bytes);
        let seen = self.frames(meter, table);
        if let Err(error) = seen {
            eprintln!("the server's bytes go on, but are no RESP: {error}");
            self.failed = true;
        }
    }

    fn frames(&mut self, meter: &mut Meter, table: &Mutex<Table>) -> Result<(), ProtocolError> {
        while let Some(frame) = self.frames.next_frame(&mut self.input)? {
            if let Some((name, took)) = meter.answered(&frame)? {
                lock(table).add(name, took);
            }
        }
        Ok(())
    }
}

impl Meter {
    /// The command that a frame completes, and how long that took.
    fn answered(&mut self, frame: &[u8]) -> Result<Option<(String, Duration)>, ProtocolError> {
        let is_push = frame_kind(frame) == FrameKind::Push;
        let mut reader = FrameReader::new(frame);
        let first = reader.next_data()?;
        let kind = match first {
            Some(Token::Push(_)) | Some(Token::Array(Some(3 | 4))) => reader.next_data()?,
            _ => None,
        };
        if let Some(Token::BulkString(kind)) = kind {
            let waits = self.waiting.front().and_then(|front| front.confirmations);
            if is_confirmation(kind) && (is_push || self.listening || waits.is_some()) {
                reader.skip_value()?;
                let left = reader.next_data()?;
                self.listening = !is_push && left != Some(Token::Integer(0));
                return Ok(self.confirmed());
            }
            let is_message = matches!(kind, b"message" | b"pmessage" | b"smessage");
            if is_push || self.listening && is_message {
                return Ok(None);
            }
        } else if is_push {
            return Ok(None);
        }
        // What MONITOR shows begins with the time.
        if self.monitoring
            && let Some(Token::SimpleString([b'0'..=b'9', ..])) = first
        {
            return Ok(None);
        }
        let Some(done) = self.waiting.pop_front() else {
            return Ok(None);
        };
        let failed = frame_kind(frame) == FrameKind::Error;
        match done.name.as_str() {
            "monitor" if !failed => self.monitoring = true,
            "reset" => (self.monitoring, self.listening) = (false, false),
            _ => {}
        }
        Ok(Some((done.name, done.since.elapsed())))
    }

    fn confirmed(&mut self) -> Option<(String, Duration)> {
        let missing = self.waiting.front_mut()?.confirmations.as_mut()?;
        *missing -= 1;
        if *missing > 0 {
            return None;
        }
        let done = self.waiting.pop_front()?;
        Some((done.name, done.since.elapsed()))
    }
}

/// A command that is answered by a push for each of its arguments; the pushes are called so, too.
fn is_confirmation(name: &[u8]) -> bool {
    matches!(
        name,
        b"subscribe"
            | b"unsubscribe"
            | b"psubscribe"
            | b"punsubscribe"
            | b"ssubscribe"
            | b"sunsubscribe"
    )
}

/// What all connections together have seen.
#[derive(Default)]
struct Table(BTreeMap<String, Row>);

#[derive(Default)]
struct Row {
    count: u32,
    total: Duration,
    longest: Duration,
}

impl Table {
    fn add(&mut self, name: String, took: Duration) {
        let row = self.0.entry(name).or_default();
        row.count += 1;
        row.total += took;
        row.longest = row.longest.max(took);
    }

    fn print(&self) {
        println!("{:16} {:>10} {:>12} {:>12}", "command", "count", "mean us", "max us");
        for (name, row) in &self.0 {
            let mean = row.total.as_secs_f64() * 1e6 / f64::from(row.count.max(1));
            let longest = row.longest.as_secs_f64() * 1e6;
            println!("{name:16} {:>10} {mean:>12.1} {longest:>12.1}", row.count);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use testkit::embedded::Embedded;

    use super::*;

    /// Sends `requests` through a proxy to an embedded server; all replies, and what was counted.
    fn through(requests: &str) -> (String, BTreeMap<String, u32>) {
        let server = Embedded::start().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let table = Mutex::new(Table::default());
        let mut replies = String::new();
        thread::scope(|scope| {
            let proxy =
                scope.spawn(|| forward(accepted, &server.addr().to_string(), &table).unwrap());
            client.write_all(requests.as_bytes()).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            client.read_to_string(&mut replies).unwrap();
            proxy.join().unwrap();
        });
        let table = table.into_inner().unwrap();
        (replies, table.0.into_iter().map(|(name, row)| (name, row.count)).collect())
    }

    fn counts<const N: usize>(counts: [(&str, u32); N]) -> BTreeMap<String, u32> {
        counts.map(|(name, count)| (name.to_owned(), count)).into()
    }

    #[test]
    fn pipeline_comes_back_whole_and_counted() {
        let (replies, counted) = through(&"INCR n\r\nPING\r\n".repeat(5000));
        let wanted: String = (1..=5000).map(|n| format!(":{n}\r\n+PONG\r\n")).collect();
        assert!(replies == wanted);
        assert_eq!(counted, counts([("incr", 5000), ("ping", 5000)]));
    }

    #[test]
    fn pushes_are_no_replies_in_either_protocol() {
        let listen = "SUBSCRIBE a b\r\nPING\r\nUNSUBSCRIBE\r\nGET k\r\n";
        let (replies, counted) = through(listen);
        assert!(replies.ends_with("$1\r\nb\r\n:0\r\n$-1\r\n"), "{replies}");
        let names = [("get", 1), ("ping", 1), ("subscribe", 1), ("unsubscribe", 1)];
        assert_eq!(counted, counts(names));

        let (replies, counted) = through("HELLO 3\r\nSUBSCRIBE a\r\nPUBLISH a m\r\nGET k\r\n");
        assert!(replies.ends_with(":1\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nm\r\n_\r\n"));
        let names = [("get", 1), ("hello", 1), ("publish", 1), ("subscribe", 1)];
        assert_eq!(counted, counts(names));
    }

    #[test]
    fn what_the_server_refuses_is_its_own_to_say() {
        let (replies, counted) = through("PING\r\n*1\r\n:1\r\n");
        assert_eq!(replies, "+PONG\r\n-ERR Protocol error: expected '$', got ':'\r\n");
        assert_eq!(counted, counts([("ping", 1)]));
    }

    #[test]
    fn shown_commands_are_no_replies() {
        let mut meter = Meter::default();
        let mut requests = Requests::new();
        requests.see(b"MONITOR\r\nCLIENT REPLY SKIP\r\nGET k\r\nPING\r\n", &mut meter);
        let name = |done: Option<(String, Duration)>| done.map(|(name, _)| name);
        assert_eq!(name(meter.answered(b"+OK\r\n").unwrap()).as_deref(), Some("monitor"));
        let shown = b"+1700000000.123456 [0 127.0.0.1:1] \"PING\"\r\n";
        assert_eq!(name(meter.answered(shown).unwrap()), None);
        assert_eq!(name(meter.answered(b"+PONG\r\n").unwrap()).as_deref(), Some("ping"));
    }
}
