//! What is said before the first request: protocol, credentials, database, names.
//!
//! Everything goes out in one write. A server that does not know `HELLO` (before Redis 6) is greeted
//! again in RESP2. The handshake fails on anything it was told to set and could not.

use std::collections::VecDeque;
use std::time::Instant;

use resp_proto::Token;

use crate::command::Cmd;
use crate::config::{Config, Protocol, Secret};
use crate::error::{Error, ErrorKind, Result};
use crate::reply::{FromReply, ReplyReader, Value, decode};
use crate::send::SendBuffer;

/// What the server said of itself in its reply to `HELLO`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerInfo {
    /// The protocol that is spoken: 2 or 3.
    pub protocol: u8,
    /// `redis` or `valkey`, where the server told.
    pub server: Option<String>,
    /// The server's version, where it told.
    pub version: Option<String>,
    /// The connection's id on the server, where it told.
    pub id: Option<i64>,
    /// `standalone`, `cluster` or `sentinel`, where the server told.
    pub mode: Option<String>,
    /// `master` or `replica`, where the server told.
    pub role: Option<String>,
}

#[derive(Debug)]
pub(super) struct Handshake {
    deadline: Instant,
    /// What the replies to come answer, in order.
    expected: VecDeque<Step>,
    /// The server does not know HELLO: what follows it is void, and is said again in RESP2.
    fallback: bool,
    /// There was a reply.
    answered: bool,
    /// What its first reply refused although nothing depends on it.
    refused: Option<Error>,
    info: ServerInfo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Hello,
    Auth,
    SetName,
    Select,
    /// What the configuration has besides, by its place there.
    Own(usize),
    SetInfo,
}

pub(super) enum Progress {
    Wait,
    Done(Box<ServerInfo>),
    Failed(Error),
}

impl Handshake {
    pub(super) fn start(config: &Config, deadline: Instant, out: &mut SendBuffer) -> Self {
        let mut handshake = Self {
            deadline,
            expected: VecDeque::new(),
            fallback: false,
            answered: false,
            refused: None,
            info: ServerInfo { protocol: 2, ..ServerInfo::default() },
        };
        match config.protocol {
            Protocol::Resp3 => handshake.say_hello(config, out),
            Protocol::Resp2 => handshake.say_without_hello(config, out),
        }
        handshake
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) fn handle_reply(
        &mut self,
        config: &Config,
        frame: &[u8],
        out: &mut SendBuffer,
    ) -> Progress {
        let Some(step) = self.expected.pop_front() else {
            return Progress::Failed(Error::new(
                ErrorKind::Protocol,
                "the server sent more replies than the handshake has",
            ));
        };
        if let Err(error) = self.check(step, config, frame) {
            return Progress::Failed(error);
        }
        if !self.expected.is_empty() {
            return Progress::Wait;
        }
        if std::mem::take(&mut self.fallback) {
            self.say_without_hello(config, out);
            return Progress::Wait;
        }
        Progress::Done(Box::new(std::mem::take(&mut self.info)))
    }

    fn check(&mut self, step: Step, config: &Config, frame: &[u8]) -> Result<()> {
        let first = !std::mem::replace(&mut self.answered, true);
        let outcome = match step {
            Step::Hello => decode::<Hello>(frame).map(|hello| self.info = hello.0),
            _ => decode::<()>(frame),
        };
        let Err(error) = outcome else { return Ok(()) };
        if step == Step::Hello && is_unknown(&error, config.password.is_some()) {
            self.fallback = true;
            return Ok(());
        }
        if self.fallback {
            return Ok(());
        }
        let what = match step {
            Step::Hello => "HELLO".to_owned(),
            Step::Auth => "AUTH".to_owned(),
            Step::SetName => "CLIENT SETNAME".to_owned(),
            Step::Select => format!("SELECT {}", config.database),
            Step::Own(n) => {
                let name = config.on_connect[n].words().next().unwrap_or_default();
                String::from_utf8_lossy(name).into_owned()
            }
            Step::SetInfo => "CLIENT SETINFO".to_owned(),
        };
        let error = error.with_context(format!("{what} while connecting to {}", config.endpoint));
        // Servers before 7.2 do not know CLIENT SETINFO; nothing depends on it.
        if step == Step::SetInfo {
            if first && !is_about_the_command(&error) {
                self.refused = Some(error);
            }
            return Ok(());
        }
        Err(error)
    }

    /// What the server refused before it closed the connection: one that has no place for another client
    /// says so in the place of its first reply, whatever that was to answer.
    pub(super) fn take_refused(&mut self) -> Option<Error> {
        self.refused.take()
    }

    fn say_hello(&mut self, config: &Config, out: &mut SendBuffer) {
        let mut hello = Cmd::<()>::raw("HELLO").arg(3);
        if let Some(password) = &config.password {
            let username = config.username.as_deref().unwrap_or("default");
            hello = hello.arg("AUTH").arg(username).arg(password.reveal());
        }
        if let Some(name) = &config.client_name {
            hello = hello.arg("SETNAME").arg(name);
        }
        self.say(Step::Hello, &hello, out);
        self.say_common(config, out);
    }

    fn say_without_hello(&mut self, config: &Config, out: &mut SendBuffer) {
        if let Some(password) = config.password.as_ref().map(Secret::reveal) {
            let auth = match &config.username {
                Some(username) => Cmd::raw("AUTH").arg(username).arg(password),
                None => Cmd::raw("AUTH").arg(password),
            };
            self.say(Step::Auth, &auth, out);
        }
        if let Some(name) = &config.client_name {
            self.say(Step::SetName, &Cmd::raw("CLIENT SETNAME").arg(name), out);
        }
        self.say_common(config, out);
    }

    fn say_common(&mut self, config: &Config, out: &mut SendBuffer) {
        if config.database != 0 {
            self.say(Step::Select, &Cmd::raw("SELECT").arg(config.database), out);
        }
        for (n, cmd) in config.on_connect.iter().enumerate() {
            self.say(Step::Own(n), cmd, out);
        }
        let info = |name: &str, value: &str| Cmd::raw("CLIENT SETINFO").arg(name).arg(value);
        self.say(Step::SetInfo, &info("LIB-NAME", env!("CARGO_PKG_NAME")), out);
        self.say(Step::SetInfo, &info("LIB-VER", env!("CARGO_PKG_VERSION")), out);
    }

    fn say(&mut self, step: Step, cmd: &Cmd<()>, out: &mut SendBuffer) {
        cmd.encode(out);
        self.expected.push_back(step);
    }
}

/// Whether the error says that HELLO, or version 3 of it, does not exist. A server that wants the
/// credentials which HELLO has just given does not know HELLO: Valkey 9.1 wants them first.
fn is_unknown(error: &Error, authenticated: bool) -> bool {
    match error.code() {
        Some("NOPROTO") => true,
        Some("NOAUTH") => authenticated,
        _ => error.to_string().to_ascii_lowercase().starts_with("err unknown command"),
    }
}

/// Whether the error is about the command that it answers: the server does not know it, or the user has no
/// right to it. Such a server goes on.
fn is_about_the_command(error: &Error) -> bool {
    error.code() == Some("NOPERM")
        || error.message().to_ascii_lowercase().starts_with("err unknown")
}

struct Hello(ServerInfo);

impl FromReply for Hello {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let mut info = ServerInfo { protocol: 2, ..ServerInfo::default() };
        reply.pairs(|reply| {
            let name = reply.string()?;
            let text = |value: &Value| value.as_str().map(str::to_owned);
            if matches!(reply.peek()?, Token::Array(_)) {
                return reply.skip().map(drop);
            }
            let value = Value::from_reply(reply)?;
            match &*name {
                b"server" => info.server = text(&value),
                b"version" => info.version = text(&value),
                b"proto" => info.protocol = if value.as_integer() == Some(3) { 3 } else { 2 },
                b"id" => info.id = value.as_integer(),
                b"mode" => info.mode = text(&value),
                b"role" => info.role = text(&value),
                _ => {}
            }
            Ok(())
        })?;
        Ok(Self(info))
    }
}
