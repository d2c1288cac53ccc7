//! Lua scripts that the server keeps: named by their SHA-1, sent whole where the server lacks them.
//!
//! Owns the hash and the rule when the source is sent. Sending is the connection's.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;

use crate::command::{Args, Cmd, Command, ToArg, ToArgs};
use crate::error::Error;
use crate::generated::info;
use crate::reply::FromReply;

/// A Lua script; its reply decodes to `R`. Cheap to clone.
///
/// A call is sent as `EVALSHA`, which names the script by the SHA-1 of its source. When the server does not
/// have it, which it tells by `NOSCRIPT` before anything runs, the same call is sent again as `EVAL` on the
/// same connection: that runs it, and the server keeps it from then on. In a pipeline or transaction, whose
/// other commands must not run twice, the first call of each script is sent as `EVAL` at once and all
/// others as `EVALSHA`. So a script must not return an error of its own that begins with `NOSCRIPT`.
///
/// Where that first call of a pipeline without a transaction is refused before it runs, as by a server that is
/// loading or for a key that the user may not touch, or the server is told to forget its scripts in the
/// middle, the calls behind it may be answered with `NOSCRIPT`; those have not run.
///
/// # Examples
///
/// ```
/// use redis_core::{Command as _, Script};
///
/// let add = Script::<i64>::new("return redis.call('INCRBY', KEYS[1], ARGV[1])");
/// assert_eq!(add.sha1(), "8cd00688c05c46bde4a2e60658ef20a2e5c0b248");
/// let call = add.key("visits").arg(5).into_cmd();
/// assert_eq!(call.words().nth(1), Some(add.sha1().as_bytes()));
/// ```
pub struct Script<R> {
    source: Arc<Source>,
    read_only: bool,
    reply: PhantomData<fn() -> R>,
}

#[derive(Debug)]
pub(crate) struct Source {
    text: Bytes,
    sha1: String,
}

impl<R> Script<R> {
    /// A script with this source.
    pub fn new(source: impl Into<Bytes>) -> Self {
        let text = source.into();
        let sha1 = sha1_smol::Sha1::from(&text).digest().to_string();
        Self { source: Arc::new(Source { text, sha1 }), read_only: false, reply: PhantomData }
    }

    /// Says that the script only reads: `EVALSHA_RO`, which a replica runs too and which is sent again when
    /// its connection is lost. Since Redis 7.0; the server refuses what writes.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// The SHA-1 of the source, in hexadecimal.
    pub fn sha1(&self) -> &str {
        &self.source.sha1
    }

    /// The source.
    pub fn source(&self) -> &Bytes {
        &self.source.text
    }

    /// A call without keys and arguments, which can be added.
    pub fn call(&self) -> Call<R> {
        Call { script: self.clone(), keys: Args::default(), args: Args::default() }
    }

    /// A call with this key, `KEYS[1]`.
    pub fn key(&self, key: impl ToArg) -> Call<R> {
        self.call().key(key)
    }

    /// A call with these keys.
    pub fn keys<M>(&self, keys: impl ToArgs<M>) -> Call<R> {
        self.call().keys(keys)
    }

    /// A call with this argument, `ARGV[1]`.
    pub fn arg(&self, value: impl ToArg) -> Call<R> {
        self.call().arg(value)
    }

    /// A call with these arguments.
    pub fn args<M>(&self, values: impl ToArgs<M>) -> Call<R> {
        self.call().args(values)
    }
}

impl<R> Clone for Script<R> {
    fn clone(&self) -> Self {
        Self { source: self.source.clone(), read_only: self.read_only, reply: PhantomData }
    }
}

/// Shows the hash alone: the source may be long, and hold secrets.
impl<R> fmt::Debug for Script<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Script({})", self.sha1())
    }
}

/// One call of a [`Script`]: a command, once its keys and arguments are added.
#[derive(Debug)]
pub struct Call<R> {
    script: Script<R>,
    keys: Args,
    args: Args,
}

impl<R> Call<R> {
    /// Adds a key. On a cluster all must be in one slot.
    #[must_use]
    pub fn key(mut self, key: impl ToArg) -> Self {
        self.keys.push_key(key);
        self
    }

    /// Adds keys.
    #[must_use]
    pub fn keys<M>(mut self, keys: impl ToArgs<M>) -> Self {
        keys.to_keys(&mut self.keys);
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, value: impl ToArg) -> Self {
        self.args.push(value);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<M>(mut self, values: impl ToArgs<M>) -> Self {
        values.to_args(&mut self.args);
        self
    }
}

impl<R: FromReply> Command for Call<R> {
    type Reply = R;

    fn into_cmd(self) -> Cmd<R> {
        let Script { source, read_only, .. } = self.script;
        let info = if read_only { &info::EVALSHA_RO } else { &info::EVALSHA };
        let mut args = Args::default();
        args.push(source.sha1.as_str());
        args.push(self.keys.len());
        args.append(self.keys);
        args.append(self.args);
        Cmd::of_script(info, args, source)
    }
}

impl<R> Cmd<R> {
    /// The call with the script's source, if it is one that names the script by its hash: for those who can't send
    /// again what a server may have run.
    pub fn with_source(&self) -> Option<Self> {
        let source = self.script()?;
        let mut args = Args::default();
        args.push(&source.text);
        let keyed = self.arguments().first_key().is_some();
        for (at, arg) in self.arguments().iter().enumerate().skip(1) {
            match at {
                2 if keyed => args.push_key(arg),
                _ => args.push(arg),
            }
        }
        let read_only = std::ptr::eq(self.info(), &info::EVALSHA_RO);
        Some(self.replaced(if read_only { &info::EVAL_RO } else { &info::EVAL }, args))
    }

    /// Whether it may have to be sent twice: it calls a script that the server may lack.
    #[inline]
    pub fn calls_script(&self) -> bool {
        self.script().is_some()
    }

    /// What to send at once, on the same connection, when a command failed like this: the source of the
    /// script that the server lacks. Nothing has run then.
    #[inline]
    pub fn after_missing_script(&self, error: &Error) -> Option<Self> {
        self.script()?;
        (error.code() == Some("NOSCRIPT")).then(|| self.with_source())?
    }
}

/// The scripts that one pipeline has the server learn.
#[derive(Debug, Default)]
pub(crate) struct Learnt(Vec<Arc<Source>>);

impl Learnt {
    /// Whether the server has the script by now; from now on it does.
    pub(crate) fn knows(&mut self, source: &Arc<Source>) -> bool {
        let known = self.0.iter().any(|known| known.sha1 == source.sha1);
        if !known {
            self.0.push(source.clone());
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Pipeline;

    fn script() -> Script<i64> {
        Script::new("return 1")
    }

    fn words<R>(cmd: &Cmd<R>) -> Vec<String> {
        cmd.words().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }

    #[test]
    fn a_call_names_the_script_by_its_hash() {
        // As `redis-cli script load 'return 1'` says.
        let sha1 = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
        let cmd = script().arg(7).key("a").keys(["b", "c"]).args(["x", "y"]).into_cmd();
        assert_eq!(words(&cmd), ["EVALSHA", sha1, "3", "a", "b", "c", "7", "x", "y"]);
        assert_eq!(cmd.arguments().first_key(), Some(&b"a"[..]));
        assert!(!cmd.is_repeatable());
        let cmd = script().read_only().call().into_cmd();
        assert_eq!(words(&cmd), ["EVALSHA_RO", sha1, "0"]);
        assert!(cmd.is_repeatable());
    }

    #[test]
    fn a_missing_script_is_sent_whole_and_once() {
        let missing = Error::server(b"NOSCRIPT No matching script");
        let cmd = script().key("a").key("b").arg("x").into_cmd().idempotent();
        assert!(cmd.after_missing_script(&Error::server(b"ERR no")).is_none());
        let whole = cmd.after_missing_script(&missing).unwrap();
        assert_eq!(words(&whole), ["EVAL", "return 1", "2", "a", "b", "x"]);
        assert_eq!(whole.slot(), cmd.slot());
        assert!(whole.is_repeatable());
        assert!(whole.after_missing_script(&missing).is_none());
        let whole = script().read_only().arg("k").into_cmd().after_missing_script(&missing);
        let whole = whole.unwrap();
        assert_eq!(words(&whole), ["EVAL_RO", "return 1", "0", "k"]);
        assert_eq!(whole.slot(), None);
        let raw = Cmd::<i64>::raw("EVALSHA").arg("abc").arg(0);
        assert!(raw.after_missing_script(&missing).is_none(), "its source is not known");
    }

    #[test]
    fn large_arguments_survive_the_way_to_the_source() {
        let large = Bytes::from(vec![b'x'; 100_000]);
        let cmd = script().key(&large).arg(&large).into_cmd();
        let whole = cmd.with_source().unwrap();
        assert_eq!(whole.words().nth(3), Some(&large[..]));
        assert_eq!(whole.words().nth(4), Some(&large[..]));
        assert_eq!((whole.slot(), whole.slot().is_some()), (cmd.slot(), true));
    }

    #[test]
    fn the_first_call_in_a_pipeline_carries_the_source() {
        let (one, two) = (script(), Script::<i64>::new("return 2"));
        let mut pipeline = Pipeline::atomic();
        pipeline.set_transaction(false);
        for script in [&one, &one.clone(), &two, &one] {
            pipeline.push(script.key("k"));
        }
        let sent = pipeline.take().unwrap().unwrap();
        let bytes = String::from_utf8(sent.parts().concat()).unwrap();
        let names: Vec<_> = bytes.split("\r\n").filter(|word| word.starts_with("EVAL")).collect();
        assert_eq!(names, ["EVAL", "EVALSHA", "EVAL", "EVALSHA"]);
        // Another pipeline may go to another server.
        pipeline.push(one.key("k"));
        let sent = pipeline.take().unwrap().unwrap();
        assert!(sent.parts().concat().windows(8).any(|word| word == b"return 1"));
    }

    #[test]
    fn a_call_whose_reply_nobody_sees_carries_the_source() {
        let sent = script().key("k").arg(5).into_cmd().for_nobody().unwrap();
        assert_eq!(words(&sent), ["EVAL", "return 1", "1", "k", "5"]);
        let plain = Cmd::<()>::raw("SET").arg("k").arg(1).for_nobody().unwrap();
        assert_eq!(words(&plain), ["SET", "k", "1"]);
        for refused in ["BLPOP", "SELECT", ""] {
            let error = Cmd::<()>::raw(refused).for_nobody().unwrap_err();
            assert_eq!(error.kind(), crate::error::ErrorKind::InvalidRequest, "{refused}");
        }
    }
}
