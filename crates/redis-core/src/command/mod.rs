//! Commands as values: what is sent, and the type of what comes back.
//!
//! Owns how a command is put together and encoded. Knows nothing of connections.

mod args;
mod info;
mod option;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use resp_proto::{Sink, request};

pub(crate) use self::args::SEGMENT;
pub use self::args::{Arg, Args, ToArg, Written};
pub use self::info::{
    BeginSearch, CommandInfo, FindKeys, Flags, KeyFlags, KeySpec, RequestPolicy, ResponsePolicy,
    Servers, lookup,
};
pub(crate) use self::option::{Choice, Expiry, millis, seconds, unix_millis, unix_seconds};
pub use self::option::{Many, One, ToArgs, ToPairs};

use crate::error::{Error, ErrorKind, Result};
use crate::reply::FromReply;
use crate::script::Source;
use crate::send::SendBuffer;
use crate::slot::slot_of;

/// Something that can be executed: a [`Cmd`], or a builder that becomes one.
pub trait Command: Sized {
    /// What the server's reply is decoded to.
    type Reply: FromReply;

    /// The finished command.
    fn into_cmd(self) -> Cmd<Self::Reply>;
}

/// One command with its arguments; its reply decodes to `R`.
///
/// # Examples
///
/// ```
/// use redis_core::{Cmd, cmd};
///
/// let typed = cmd::get::<String>("greeting");
/// let raw: Cmd<Option<String>> = Cmd::raw("GET").arg("greeting");
/// assert_eq!(typed.to_vec(), raw.to_vec());
/// ```
pub struct Cmd<R> {
    info: &'static CommandInfo,
    args: Args,
    block: Block,
    invalid: Option<&'static str>,
    idempotent: bool,
    /// What the arguments name by its hash.
    script: Option<Arc<Source>>,
    reply: PhantomData<fn() -> R>,
}

/// Commands that change a connection in ways that nothing else in a configuration says.
const SETUP: [&str; 7] = [
    "CLIENT CAPA",
    "CLIENT IMPORT-SOURCE",
    "CLIENT NO-EVICT",
    "CLIENT NO-TOUCH",
    "CLIENT TRACKING",
    "READONLY",
    "READWRITE",
];

/// How long a command may hold its connection on the server's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// It does not: the usual deadline holds.
    Never,
    /// At most for this long, on top of the usual deadline.
    For(Duration),
    /// Until something happens: no deadline.
    Forever,
}

impl<R> Cmd<R> {
    /// Starts a command that the table knows.
    #[inline]
    pub fn new(info: &'static CommandInfo) -> Self {
        Self {
            info,
            args: Args::default(),
            block: Block::Never,
            invalid: None,
            idempotent: false,
            script: None,
            reply: PhantomData,
        }
    }

    /// A call of a script.
    pub(crate) fn of_script(info: &'static CommandInfo, args: Args, script: Arc<Source>) -> Self {
        Self { args, script: Some(script), ..Self::new(info) }
    }

    /// The same command in other words.
    pub(crate) fn replaced(&self, info: &'static CommandInfo, args: Args) -> Self {
        let Self { block, invalid, idempotent, .. } = *self;
        Self { args, block, invalid, idempotent, ..Self::new(info) }
    }

    /// The script that is called by its hash.
    #[inline]
    pub(crate) fn script(&self) -> Option<&Arc<Source>> {
        self.script.as_ref()
    }

    /// Starts any command by its name. The words of a subcommand go into `name` or are added as arguments.
    ///
    /// # Examples
    ///
    /// ```
    /// use redis_core::Cmd;
    ///
    /// let cmd = Cmd::<i64>::raw("OBJECT FREQ").arg("key");
    /// assert_eq!(cmd.to_vec(), b"*3\r\n$6\r\nOBJECT\r\n$4\r\nFREQ\r\n$3\r\nkey\r\n");
    /// ```
    pub fn raw(name: &str) -> Self {
        let mut cmd = Self::new(&info::RAW);
        for word in name.split_ascii_whitespace() {
            cmd.args.push(word);
        }
        cmd
    }

    /// Adds an argument.
    #[inline]
    #[must_use]
    pub fn arg(mut self, value: impl ToArg) -> Self {
        self.args.push(value);
        self
    }

    /// Adds an argument that is a key: on a cluster the command goes where the first one lives.
    #[inline]
    #[must_use]
    pub fn key(mut self, key: impl ToArg) -> Self {
        self.args.push_key(key);
        self
    }

    /// Adds each value as an argument; of a struct that derives `ToArgs` each field's name and value.
    #[must_use]
    pub fn args<M>(mut self, values: impl ToArgs<M>) -> Self {
        values.to_args(&mut self.args);
        self
    }

    /// Adds each value as an argument that is a key.
    #[must_use]
    pub fn keys<T: ToArg>(mut self, keys: impl IntoIterator<Item = T>) -> Self {
        for key in keys {
            self.args.push_key(key);
        }
        self
    }

    /// Says how long the server may hold the command.
    #[must_use]
    pub fn blocking(mut self, block: Block) -> Self {
        self.block = block;
        self
    }

    /// Makes the command an error before it is sent, unless `ok`. The first reason is kept.
    #[must_use]
    pub fn require(mut self, ok: bool, reason: &'static str) -> Self {
        if !ok && self.invalid.is_none() {
            self.invalid = Some(reason);
        }
        self
    }

    /// Says that it does no harm when the command runs twice: it is sent again when the connection is lost
    /// and nobody knows whether it ran.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use redis_core::{Command as _, cmd};
    ///
    /// let touch = cmd::expire("session:1", Duration::from_secs(600)).into_cmd().idempotent();
    /// assert!(touch.is_repeatable());
    /// assert!(!cmd::incr("visits").is_repeatable());
    /// assert!(cmd::get::<String>("name").is_repeatable());
    /// ```
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Whether it does no harm when the command runs twice: it only reads, or was marked so.
    pub fn is_repeatable(&self) -> bool {
        self.idempotent || self.info().is_readonly()
    }

    /// The same command, its reply decoded to another type.
    #[must_use]
    pub fn returning<T>(self) -> Cmd<T> {
        let Self { info, args, block, invalid, idempotent, script, .. } = self;
        Cmd { info, args, block, invalid, idempotent, script, reply: PhantomData }
    }

    /// What the command table says of the command; for raw ones found by their first words.
    #[inline]
    pub fn info(&self) -> &'static CommandInfo {
        if std::ptr::eq(self.info, &info::RAW) { self.raw_info() } else { self.info }
    }

    fn raw_info(&self) -> &'static CommandInfo {
        let found = match (self.args.get(0), self.args.get(1)) {
            (Some(first), Some(second)) => lookup(&[first, second]).or_else(|| lookup(&[first])),
            (Some(first), None) => lookup(&[first]),
            _ => None,
        };
        found.unwrap_or(&info::RAW)
    }

    /// How long the server may hold the command. A raw command that blocks may do so forever.
    pub fn block(&self) -> Block {
        match self.block {
            Block::Never if self.is_blocking() => Block::Forever,
            block => block,
        }
    }

    /// Whether the command can hold its connection, and so needs one of its own.
    pub fn is_blocking(&self) -> bool {
        self.block != Block::Never
            || (std::ptr::eq(self.info, &info::RAW) && self.info().flags.contains(Flags::BLOCKING))
    }

    /// The arguments behind the command's name; for raw commands the name too.
    pub fn arguments(&self) -> &Args {
        &self.args
    }

    /// All words of the command as sent: its name's, then its arguments.
    ///
    /// # Examples
    ///
    /// ```
    /// use redis_core::cmd;
    ///
    /// let get = cmd::get::<String>("key");
    /// assert_eq!(get.words().collect::<Vec<_>>(), [&b"GET"[..], b"key"]);
    /// ```
    pub fn words(&self) -> impl Iterator<Item = &[u8]> {
        let name = self.info.name.split(' ').take(usize::from(self.info.words));
        name.map(str::as_bytes).chain(self.args.iter())
    }

    /// The cluster slot of the first key, where the command's builder marked one.
    pub fn slot(&self) -> Option<u16> {
        self.args.first_key().map(slot_of)
    }

    /// Whether the command can be sent on a connection that others share.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when it is empty, when its builder found it incomplete or one of its values is no
    /// argument, or when it would change
    /// the state of the connection: the message names the call to use instead.
    #[inline]
    pub fn check(&self) -> Result<()> {
        if self.invalid.is_none()
            && self.args.invalid().is_none()
            && !std::ptr::eq(self.info, &info::RAW)
            && !self.info.is_stateful()
        {
            return Ok(());
        }
        self.check_slow()
    }

    /// Whether the command can be a part of setting a connection up: it has one reply, and does nothing that the
    /// rest of the configuration says.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check); `InvalidRequest` also for a command that may block.
    pub(crate) fn check_setup(&self) -> Result<()> {
        let name = self.info().name;
        if self.is_blocking() {
            let text = format!("{name} may block: a connection is not set up by waiting");
            return Err(Error::new(ErrorKind::InvalidRequest, text));
        }
        match self.check_slow() {
            Err(_) if SETUP.contains(&name) && self.args.invalid().is_none() => Ok(()),
            checked => checked,
        }
    }

    fn check_slow(&self) -> Result<()> {
        if let Some(reason) = self.invalid.or(self.args.invalid()) {
            let name = self.info().name;
            return Err(Error::new(ErrorKind::InvalidRequest, format!("{name}: {reason}")));
        }
        if std::ptr::eq(self.info, &info::RAW) && self.args.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                "the command is empty: give it a name",
            ));
        }
        match self.info().instead {
            Some(instead) => Err(Error::new(
                ErrorKind::InvalidRequest,
                format!("{} would change the connection for others: {instead}", self.info().name),
            )),
            None => Ok(()),
        }
    }

    /// The command as it is sent where nobody waits for its reply: a script goes with its source, since nobody
    /// could send that after its hash was refused.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check); `InvalidRequest` also when it may hold the connection.
    pub fn for_nobody(self) -> Result<Self> {
        self.check()?;
        if self.is_blocking() {
            let name = self.info().name;
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                format!(
                    "{name} may hold the connection that all share: execute it and await its reply"
                ),
            ));
        }
        Ok(self.with_source().unwrap_or(self))
    }

    /// Appends the whole command: name and arguments as one array of bulk strings.
    #[inline]
    pub fn encode(&self, out: &mut SendBuffer) {
        let words = usize::from(self.info.words) + self.args.len();
        if let Some(args) = self.args.plain()
            && words < 10
        {
            // Nearly every command: three pieces, one look at where they go.
            let header = [b'*', b'0' + words as u8, b'\r', b'\n'];
            return out.put_all([&header, self.info.head, args]);
        }
        request::array_header(out, words);
        out.put(self.info.head);
        self.args.write_to(out);
    }

    /// Bytes that [`Cmd::encode`] appends, at the most.
    #[inline]
    pub fn encoded_len(&self) -> usize {
        16 + self.info.head.len() + self.args.encoded_len()
    }

    /// The encoded command.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = SendBuffer::default();
        self.encode(&mut out);
        out.to_vec()
    }
}

impl<R: FromReply> Command for Cmd<R> {
    type Reply = R;

    #[inline]
    fn into_cmd(self) -> Self {
        self
    }
}

impl<R> Clone for Cmd<R> {
    fn clone(&self) -> Self {
        Self {
            info: self.info,
            args: self.args.clone(),
            block: self.block,
            invalid: self.invalid,
            idempotent: self.idempotent,
            script: self.script.clone(),
            reply: PhantomData,
        }
    }
}

/// Shows the name alone: arguments may be secrets.
impl<R> fmt::Debug for Cmd<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cmd")
            .field("name", &self.info().name)
            .field("arguments", &self.args.len())
            .finish_non_exhaustive()
    }
}

/// Runs commands: implemented by every client, connection and watch of every runtime.
pub trait Execute: Sized {
    /// What a call gives: a `Result<R>`, or a future of one.
    type Output<R: FromReply>;

    /// Runs one command.
    fn execute<C: Command>(self, command: C) -> Self::Output<C::Reply>;
}

/// Queues commands: implemented by every pipeline and transaction of every runtime.
pub trait Queue: Sized {
    /// Adds one command behind those that are queued already: any command, with its options, a raw one, or the
    /// call of a [`Script`](crate::Script).
    fn queue<C: Command>(self, command: C) -> Self;
}
