//! What a server runs, as MONITOR shows it, over one link of its own.
//!
//! Owns how a line is read, and which lines are this connection's own signs of life. Knows nothing of sockets.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use resp_proto::Token;

use crate::command::Cmd;
use crate::config::Config;
use crate::connection::{Event, Role, question};
use crate::error::{Error, Result};
use crate::reply::ReplyReader;
use crate::send::SendBuffer;
use crate::session::{Machine as _, Reads, Session};

/// One command that the server ran.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MonitorEntry {
    /// When, by the server's clock, to the microsecond.
    pub time: SystemTime,
    /// The database it ran in.
    pub database: u32,
    /// Who asked for it.
    pub client: MonitorClient,
    /// Its name and arguments, byte for byte. The server shows `(redacted)` for secrets.
    pub args: Vec<Bytes>,
}

/// Who asked for a command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MonitorClient {
    /// A client that is connected over TCP.
    Tcp(SocketAddr),
    /// A client that is connected over the Unix socket with this path.
    Unix(String),
    /// A script or function.
    Lua,
    /// Anything else, as the server wrote it.
    Other(String),
}

impl MonitorEntry {
    /// Reads a line such as `1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`.
    ///
    /// # Errors
    ///
    /// `Decode`, naming what is not as it should be.
    ///
    /// # Examples
    ///
    /// ```
    /// use redis_core::monitor::{MonitorClient, MonitorEntry};
    ///
    /// let entry = MonitorEntry::parse(br#"1339518083.107412 [0 [::1]:60866] "set" "k" "\x00\"\n""#)?;
    /// assert!(matches!(entry.client, MonitorClient::Tcp(addr) if addr.is_ipv6()));
    /// assert_eq!(entry.args, [&b"set"[..], b"k", b"\0\"\n"]);
    /// # Ok::<(), redis_core::Error>(())
    /// ```
    pub fn parse(line: &[u8]) -> Result<Self> {
        let wrong = |what| Error::decode(format!("a line of MONITOR has no {what}"));
        let (time, rest) = split(line, b" [").ok_or_else(|| wrong("client"))?;
        let time = read_time(time).ok_or_else(|| wrong("time"))?;
        let (database, rest) = split(rest, b" ").ok_or_else(|| wrong("client"))?;
        let database = text(database).parse().map_err(|_| wrong("database"))?;
        // Addresses may hold brackets and paths spaces; arguments begin with a quote.
        let (client, args) = split(rest, b"] \"").ok_or_else(|| wrong("arguments"))?;
        let args = read_args(args).ok_or_else(|| wrong("arguments that are quoted"))?;
        Ok(Self { time, database, client: read_client(client), args })
    }
}

fn split<'a>(line: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let start = memchr::memmem::find(line, at)?;
    Some((&line[..start], &line[start + at.len()..]))
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// `1339518083.107412`
fn read_time(time: &[u8]) -> Option<SystemTime> {
    let (seconds, micros) = split(time, b".")?;
    let seconds = std::str::from_utf8(seconds).ok()?.parse().ok()?;
    let micros: u32 =
        std::str::from_utf8(micros).ok().filter(|text| text.len() == 6)?.parse().ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, 1000 * micros))
}

fn read_client(client: &[u8]) -> MonitorClient {
    let client = text(client);
    if client == "lua" {
        MonitorClient::Lua
    } else if let Some(path) = client.strip_prefix("unix:") {
        MonitorClient::Unix(path.to_owned())
    } else {
        match client.parse() {
            Ok(addr) => MonitorClient::Tcp(addr),
            Err(_) => MonitorClient::Other(client.into_owned()),
        }
    }
}

/// Arguments from behind the first quote on.
fn read_args(mut rest: &[u8]) -> Option<Vec<Bytes>> {
    let mut args = Vec::new();
    loop {
        let (arg, behind) = read_arg(rest)?;
        args.push(arg);
        match behind {
            [] => return Some(args),
            [b' ', b'"', behind @ ..] => rest = behind,
            _ => return None,
        }
    }
}

/// One argument from behind its first quote on; what follows the last one.
fn read_arg(mut rest: &[u8]) -> Option<(Bytes, &[u8])> {
    let mut arg = Vec::new();
    loop {
        let plain = memchr::memchr2(b'"', b'\\', rest)?;
        arg.extend_from_slice(&rest[..plain]);
        rest = &rest[plain..];
        let (byte, behind) = match rest {
            [b'"', behind @ ..] => return Some((arg.into(), behind)),
            [_, b'x', high, low, behind @ ..] => (16 * hex(*high)? + hex(*low)?, behind),
            [_, escaped, behind @ ..] => (unescaped(*escaped)?, behind),
            _ => return None,
        };
        arg.push(byte);
        rest = behind;
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

fn unescaped(letter: u8) -> Option<u8> {
    Some(match letter {
        b'"' | b'\\' => letter,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'a' => 7,
        b'b' => 8,
        _ => return None,
    })
}

/// The commands that a server runs, from MONITOR on until the connection ends.
#[derive(Debug)]
pub struct Monitor {
    session: Session,
    /// What this connection asks when the server is silent: not shown.
    own: Cow<'static, str>,
    started: bool,
    entries: VecDeque<Result<MonitorEntry>>,
    over: Option<Error>,
    done: bool,
}

impl Monitor {
    /// Connects at once.
    pub fn new(config: Arc<Config>, now: Instant, seed: u64) -> Self {
        let role = Role::Monitor { token: seed };
        let mut session = Session::once(config, role, seed);
        session.want(now, true);
        Self {
            session,
            own: question(role),
            started: false,
            entries: VecDeque::new(),
            over: None,
            done: false,
        }
    }

    /// Whether the server has said that it shows what it runs.
    pub fn is_started(&self) -> bool {
        self.started
    }

    /// Whether the reader was told of the end.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Why the connection ended, or never was.
    pub fn poll_error(&mut self) -> Option<Error> {
        let error = self.over.clone()?;
        self.done = true;
        Some(error)
    }

    /// The next command; behind the last one why the connection ended, again and again.
    pub fn poll_entry(&mut self) -> Option<Result<MonitorEntry>> {
        if let Some(entry) = self.entries.pop_front() {
            return Some(entry);
        }
        self.poll_error().map(Err)
    }
}

impl Reads for Monitor {
    fn session(&self) -> &Session {
        &self.session
    }

    fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    fn take_events(&mut self, _: Instant) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Ready => {
                    let mut out = SendBuffer::default();
                    Cmd::<()>::raw("MONITOR").encode(&mut out);
                    self.session.send_unanswered(&mut out);
                }
                Event::Closed(error) => {
                    self.over.get_or_insert(error);
                }
                _ => {}
            }
        }
    }

    fn handle_push(&mut self, now: Instant, frame: &[u8]) {
        let mut reply = ReplyReader::new(frame);
        let line = match reply.token() {
            Ok(Token::SimpleString(line)) => line,
            // It was not allowed, say.
            Err(error) => {
                self.over = Some(error.with_context("MONITOR"));
                return self.session.close(now);
            }
            Ok(_) => return,
        };
        if !self.started {
            self.started = true;
            return;
        }
        let entry = MonitorEntry::parse(line);
        let is_own = entry.as_ref().is_ok_and(|entry| match &entry.args[..] {
            [name, text] => name == "PING" && *text == self.own.as_bytes(),
            _ => false,
        });
        if !is_own {
            self.entries.push_back(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(line: &str) -> MonitorEntry {
        MonitorEntry::parse(line.as_bytes()).unwrap()
    }

    #[test]
    fn lines_of_every_kind_of_client_are_read() {
        let tcp = entry(r#"1339518083.107412 [0 127.0.0.1:60866] "keys" "*""#);
        let time = SystemTime::UNIX_EPOCH + Duration::from_micros(1_339_518_083_107_412);
        assert_eq!((tcp.time, tcp.database), (time, 0));
        assert_eq!(tcp.client, MonitorClient::Tcp("127.0.0.1:60866".parse().unwrap()));
        assert_eq!(tcp.args, ["keys", "*"]);
        for (client, read) in [
            ("[::1]:60866", MonitorClient::Tcp("[::1]:60866".parse().unwrap())),
            ("unix:/srv/a b/c].sock", MonitorClient::Unix("/srv/a b/c].sock".into())),
            ("lua", MonitorClient::Lua),
            ("?:0", MonitorClient::Other("?:0".into())),
        ] {
            let line = entry(&format!(r#"1.000001 [15 {client}] "ping" "] \"""#));
            assert_eq!((line.client, line.database), (read, 15));
            assert_eq!(line.args, ["ping", "] \""]);
        }
    }

    #[test]
    fn every_escape_is_undone() {
        let args =
            entry(r#"1.000000 [0 lua] "" "\\" "\"" "\n\r\t\a\b" "\x00\xff" "a\\" "\\x41""#).args;
        let expected: [&[u8]; 7] =
            [b"", b"\\", b"\"", b"\n\r\t\x07\x08", b"\0\xff", b"a\\", b"\\x41"];
        assert_eq!(args, expected);
    }

    #[test]
    fn lines_that_are_not_of_this_shape_are_errors() {
        for line in [
            "",
            "OK",
            r#"1.0 [0 lua] "a""#,
            r#"x.000000 [0 lua] "a""#,
            r#"99999999999999999999.000000 [0 lua] "a""#,
            r#"1.000000 [x lua] "a""#,
            r#"1.000000 [0 lua]"#,
            r#"1.000000 [0 lua] "a"#,
            r#"1.000000 [0 lua] "a\"#,
            r#"1.000000 [0 lua] "a\x4"#,
            r#"1.000000 [0 lua] "a\q""#,
            r#"1.000000 [0 lua] "a" b"#,
        ] {
            let error = MonitorEntry::parse(line.as_bytes()).unwrap_err();
            assert!(error.to_string().contains("a line of MONITOR has no "), "{line}: {error}");
        }
    }

    /// As the servers' `sdscatrepr` writes them.
    fn escaped(arg: &[u8]) -> String {
        let letter = |&byte: &u8| match byte {
            b'"' | b'\\' => format!("\\{}", char::from(byte)),
            b'\n' => "\\n".into(),
            b'\r' => "\\r".into(),
            b'\t' => "\\t".into(),
            7 => "\\a".into(),
            8 => "\\b".into(),
            b' '..=b'~' => char::from(byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        };
        format!("\"{}\"", arg.iter().map(letter).collect::<String>())
    }

    proptest! {
        #[test]
        fn what_a_server_escapes_is_read_back(
            args in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..5),
        ) {
            let words: Vec<_> = args.iter().map(|arg| escaped(arg)).collect();
            let line = format!("1.000000 [0 127.0.0.1:1] {}", words.join(" "));
            prop_assert_eq!(entry(&line).args, args);
        }

        #[test]
        fn no_line_panics(line in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = MonitorEntry::parse(&line);
            let _ = MonitorEntry::parse(&[b"1.000000 [0 lua] \"", &line[..]].concat());
        }
    }
}
