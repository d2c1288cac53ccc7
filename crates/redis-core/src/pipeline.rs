//! Several commands sent as one, and their replies.
//!
//! Owns the queue, what goes around it (MULTI and EXEC), and how the replies are told apart: which one
//! belongs to which command, and which error is the one to report. Knows nothing of connections.

use std::fmt::Write as _;

use bytes::Bytes;
use resp_proto::{FrameReader, Token};

use crate::command::{Block, Command, Queue};
use crate::error::{Delivery, Error, ErrorKind, Result};
use crate::reply::{FromReply, ReplyReader, Value};
use crate::send::SendBuffer;

const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

/// How much of a command an error shows, in characters.
const SHOWN: usize = 100;

/// Queued commands.
#[derive(Debug, Default)]
pub struct Pipeline {
    out: SendBuffer,
    count: u32,
    plain: bool,
    block: Option<Block>,
    /// One of the commands must not run twice.
    once: bool,
    /// The first command that can't be sent.
    refused: Option<Error>,
}

impl Pipeline {
    /// An empty queue that is sent between MULTI and EXEC.
    pub fn atomic() -> Self {
        Self::default()
    }

    /// Whether the commands run as one transaction, without others in between: the default.
    pub fn set_transaction(&mut self, transaction: bool) {
        self.plain = !transaction;
    }

    /// Adds a command.
    pub fn push<C: Command>(&mut self, command: C) {
        let cmd = command.into_cmd();
        self.count += 1;
        if let Err(error) = cmd.check() {
            let position = self.count;
            self.refused.get_or_insert_with(|| error.with_context(format!("command {position}")));
            return;
        }
        if cmd.is_blocking() {
            self.block = Some(match (self.block, cmd.block()) {
                (None, block) => block,
                (Some(Block::For(a)), Block::For(b)) => Block::For(a + b),
                _ => Block::Forever,
            });
        }
        self.once = self.once || !cmd.is_repeatable();
        cmd.encode(&mut self.out);
    }

    /// Takes everything out of the queue, ready to be sent; the queue is empty then. None when it was.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when a command can't be sent; nothing is left of any then.
    pub fn take(&mut self) -> Result<Option<Sent>> {
        let queued = std::mem::take(self);
        self.plain = queued.plain;
        // It is likely to be filled again as it was.
        self.out.reserve(queued.out.len());
        match queued.refused {
            Some(error) => Err(error),
            None if queued.count == 0 => Ok(None),
            None => Ok(Some(queued.into_sent())),
        }
    }

    /// As [`take`](Self::take), for a transaction on a watching connection: an empty one is sent too.
    ///
    /// # Errors
    ///
    /// As [`take`](Self::take).
    pub fn take_watched(self) -> Result<Sent> {
        match self.refused {
            Some(error) => Err(error),
            None => Ok(self.into_sent()),
        }
    }

    fn into_sent(mut self) -> Sent {
        let atomic = !self.plain;
        let mut parts = Vec::new();
        if atomic {
            parts.push(Bytes::from_static(MULTI));
        }
        self.out.drain_into(&mut parts);
        if atomic {
            parts.push(Bytes::from_static(EXEC));
        }
        // Inside MULTI nothing blocks.
        let block = self.block.filter(|_| !atomic);
        Sent { parts, count: self.count, atomic, block, once: self.once }
    }

    /// Empties the queue.
    pub fn clear(&mut self) {
        let plain = self.plain;
        *self = Self { plain, ..Self::default() };
    }

    /// How many commands are queued.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl Queue for &mut Pipeline {
    fn queue<C: Command>(self, command: C) -> Self {
        self.push(command);
        self
    }
}

/// Commands on their way, kept to tell their replies apart and to name them in errors.
#[derive(Clone, Debug)]
pub struct Sent {
    parts: Vec<Bytes>,
    count: u32,
    atomic: bool,
    block: Option<Block>,
    once: bool,
}

/// A run of whole reply frames, and the memory that it is part of where that can be shared.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// The frames.
    pub frames: &'a [u8],
    /// What large `Bytes` are to share.
    pub memory: Option<&'a Bytes>,
}

impl Sent {
    /// The encoded commands, MULTI and EXEC included.
    pub fn parts(&self) -> &[Bytes] {
        &self.parts
    }

    /// How many reply frames will come.
    pub fn replies(&self) -> u32 {
        self.count + if self.atomic { 2 } else { 0 }
    }

    /// How long the server may hold the connection; `Never` for most.
    pub fn block(&self) -> Block {
        self.block.unwrap_or(Block::Never)
    }

    /// Whether it does no harm when all of it runs twice.
    pub fn is_repeatable(&self) -> bool {
        !self.once
    }

    /// Looks at all replies that came.
    ///
    /// # Errors
    ///
    /// For a transaction: the error of the first command that was refused while queueing, `Watch` when a
    /// watched key changed, or what EXEC failed with; nothing was applied then. When MULTI itself was
    /// refused, as to a user who has no right to it, its error: the commands ran one by one. `Protocol` when
    /// the replies can't be these commands': the connection is out of step and must be closed.
    pub fn open<'a>(&'a self, runs: impl IntoIterator<Item = Run<'a>>) -> Result<Replies<'a>> {
        let mut frames = Frames { runs: runs.into_iter().collect(), at: 0 };
        if !self.atomic {
            return Ok(Replies { sent: self, frames, next: 0 });
        }
        let multi = frames.next_frame()?;
        // The commands behind it were written already, and the server has taken them for plain ones.
        multi.reader().fail_on_error().map_err(|error| {
            error.with_context("MULTI was refused, so that the commands ran one by one")
        })?;
        let mut refused = None;
        for position in 1..=self.count {
            let queued = frames.next_frame()?;
            if let Err(error) = queued.reader().fail_on_error() {
                refused.get_or_insert_with(|| self.explain(position, error));
            }
        }
        let exec = frames.next_frame()?;
        if let Some(error) = refused {
            return Err(error);
        }
        let mut reader = exec.reader();
        let len = match reader.token().map_err(|error| error.with_context("EXEC"))? {
            Token::Null => {
                return Err(Error::new(
                    ErrorKind::Watch,
                    "a watched key changed, so that nothing was applied: read it again and start over",
                ));
            }
            Token::Array(Some(len)) => len,
            _ => return Err(out_of_step()),
        };
        if len != self.count as usize {
            return Err(out_of_step());
        }
        let frames =
            Frames { runs: vec![Run { frames: reader.rest(), memory: exec.memory }], at: 0 };
        Ok(Replies { sent: self, frames, next: 0 })
    }

    fn explain(&self, position: u32, error: Error) -> Error {
        let skip = position - 1 + u32::from(self.atomic);
        let command = describe(&self.parts, skip);
        error.with_context(format!("command {position} of {} (`{command}`)", self.count))
    }
}

fn out_of_step() -> Error {
    Error::new(
        ErrorKind::Protocol,
        "the replies do not match the commands: the connection is out of step",
    )
    .with_delivery(Delivery::MaybeExecuted)
}

/// Frames, run by run.
#[derive(Debug)]
struct Frames<'a> {
    runs: Vec<Run<'a>>,
    at: usize,
}

impl<'a> Frames<'a> {
    /// The run that the next frame is in.
    #[inline]
    fn run(&mut self) -> Result<&mut Run<'a>> {
        while self.runs.get(self.at).is_some_and(|run| run.frames.is_empty()) {
            self.at += 1;
        }
        self.runs.get_mut(self.at).ok_or_else(out_of_step)
    }

    fn next_frame(&mut self) -> Result<Run<'a>> {
        let run = self.run()?;
        let mut reader = FrameReader::new(run.frames);
        let frame = reader.skip_value().map_err(Error::from)?;
        run.frames = reader.remaining();
        Ok(Run { frames: frame, memory: run.memory })
    }
}

impl<'a> Run<'a> {
    #[inline]
    fn reader(&self) -> ReplyReader<'a> {
        match self.memory {
            Some(memory) => ReplyReader::shared(self.frames, memory),
            None => ReplyReader::new(self.frames),
        }
    }
}

/// The replies of one pipeline, one a command, in order.
#[derive(Debug)]
pub struct Replies<'a> {
    sent: &'a Sent,
    frames: Frames<'a>,
    next: u32,
}

impl Replies<'_> {
    /// The next command's reply. The one behind it comes next, whatever became of this one.
    ///
    /// # Errors
    ///
    /// The command's error, or `Decode`, with the command's position and text.
    pub fn next_as<T: FromReply>(&mut self) -> Result<T> {
        if self.next == self.sent.count {
            return Err(Error::decode(format!("there are only {} replies", self.next)));
        }
        self.next += 1;
        if T::EXACT {
            // It is decoded where it stands; only a failure has to look for its end.
            let run = self.frames.run()?;
            let mut reader = run.reader();
            if reader.fail_on_error().is_ok()
                && let Ok(value) = T::from_reply(&mut reader)
            {
                run.frames = reader.rest();
                return Ok(value);
            }
        }
        let frame = self.frames.next_frame()?;
        let mut reader = frame.reader();
        reader
            .fail_on_error()
            .and_then(|()| T::from_reply(&mut reader))
            .map_err(|error| self.sent.explain(self.next, error))
    }

    /// Whether there are exactly `n` replies left.
    ///
    /// # Errors
    ///
    /// `Decode`, saying how many there are.
    pub fn expect(&self, n: usize) -> Result<()> {
        match self.len() {
            len if len == n => Ok(()),
            len => Err(Error::decode(format!(
                "the pipeline has {len} replies and the type wants {n}: it takes one for each command"
            ))),
        }
    }

    /// How many replies are left.
    pub fn len(&self) -> usize {
        (self.sent.count - self.next) as usize
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every reply, errors in their places.
    pub fn all(&mut self) -> Vec<Result<Value>> {
        (0..self.len()).map(|_| self.next_as()).collect()
    }
}

/// A type that all replies of a pipeline decode to: a tuple, a list, an array, or `()`.
pub trait FromReplies: Sized {
    /// Takes all replies.
    ///
    /// # Errors
    ///
    /// The first failed command's error; `Decode` when the count or a type does not fit.
    fn from_replies(replies: &mut Replies<'_>) -> Result<Self>;

    /// What an empty pipeline gives, which is not sent.
    ///
    /// # Errors
    ///
    /// `Decode` when the type wants replies.
    fn from_nothing() -> Result<Self> {
        let nothing = Sent { parts: Vec::new(), count: 0, atomic: false, block: None, once: false };
        Self::from_replies(&mut nothing.open([])?)
            .map_err(|error| error.with_delivery(Delivery::NotSent))
    }
}

impl<T: FromReply> FromReplies for Vec<T> {
    fn from_replies(replies: &mut Replies<'_>) -> Result<Self> {
        (0..replies.len()).map(|_| replies.next_as()).collect()
    }
}

impl<T: FromReply, const N: usize> FromReplies for [T; N] {
    fn from_replies(replies: &mut Replies<'_>) -> Result<Self> {
        replies.expect(N)?;
        let list: Vec<T> = Vec::from_replies(replies)?;
        list.try_into().map_err(|_| Error::decode("the count of replies changed while decoding"))
    }
}

/// Whatever the replies are, unless one is an error.
impl FromReplies for () {
    fn from_replies(replies: &mut Replies<'_>) -> Result<Self> {
        (0..replies.len()).try_for_each(|_| replies.next_as())
    }
}

/// A tuple of commands, whose replies are a tuple too.
pub trait Batched {
    /// The replies.
    type Output: FromReplies;

    /// Queues all of them.
    fn queue_all<Q: Queue>(self, queue: Q) -> Q;
}

/// The command behind the first `skip` ones, as text that fits an error message.
fn describe(parts: &[Bytes], skip: u32) -> String {
    let mut cursor = Cursor { parts, at: 0 };
    for _ in 0..skip {
        cursor.command(&mut |_| {});
    }
    let mut text = String::new();
    cursor.command(&mut |arg| {
        if !text.is_empty() {
            text.push(' ');
        }
        let _ = write!(text, "{}", String::from_utf8_lossy(&arg[..arg.len().min(2 * SHOWN)]));
    });
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push_str("...");
    }
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Walks encoded commands; where they end, it stays.
struct Cursor<'a> {
    parts: &'a [Bytes],
    at: usize,
}

impl Cursor<'_> {
    fn command(&mut self, arg: &mut dyn FnMut(&[u8])) {
        for _ in 0..self.number() {
            let len = self.number();
            let bytes = self.take(len);
            arg(&bytes);
            self.take(2);
        }
    }

    /// The number on a header line such as `$3\r\n`.
    fn number(&mut self) -> usize {
        let mut number = 0;
        loop {
            match self.take(1).first() {
                Some(b'\n') | None => return number,
                Some(digit @ b'0'..=b'9') => number = number * 10 + usize::from(digit - b'0'),
                Some(_) => {}
            }
        }
    }

    fn take(&mut self, n: usize) -> Bytes {
        let mut gathered = Vec::new();
        while let Some(part) = self.parts.first() {
            let rest = part.len() - self.at;
            if gathered.is_empty() && rest > n {
                self.at += n;
                return part.slice(self.at - n..self.at);
            }
            let step = rest.min(n - gathered.len());
            gathered.extend_from_slice(&part[self.at..self.at + step]);
            self.at += step;
            if self.at == part.len() {
                (self.parts, self.at) = (&self.parts[1..], 0);
            }
            if gathered.len() == n {
                break;
            }
        }
        gathered.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Cmd;

    fn sent(transaction: bool, commands: &[&str]) -> Sent {
        let mut pipeline = Pipeline::atomic();
        pipeline.set_transaction(transaction);
        for command in commands {
            pipeline.push(Cmd::<()>::raw(command));
        }
        pipeline.take().unwrap().unwrap()
    }

    fn runs(frames: &[u8]) -> [Run<'_>; 1] {
        [Run { frames, memory: None }]
    }

    #[test]
    fn a_pipeline_is_empty_after_it_was_taken() {
        let mut pipeline = Pipeline::atomic();
        pipeline.set_transaction(false);
        assert!(pipeline.take().unwrap().is_none());
        pipeline.push(Cmd::<()>::raw("PING"));
        assert_eq!(pipeline.len(), 1);
        let sent = pipeline.take().unwrap().unwrap();
        assert_eq!(sent.parts().concat(), b"*1\r\n$4\r\nPING\r\n");
        assert_eq!(sent.replies(), 1);
        assert!(pipeline.is_empty() && pipeline.plain);
    }

    #[test]
    fn a_transaction_is_wrapped_in_multi_and_exec() {
        let sent = sent(true, &["A", "B"]);
        assert_eq!(
            sent.parts().concat(),
            [MULTI, b"*1\r\n$1\r\nA\r\n*1\r\n$1\r\nB\r\n", EXEC].concat()
        );
        assert_eq!(sent.replies(), 4);
        let frames = b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n$1\r\nx\r\n";
        let list: Vec<Value> = Vec::from_replies(&mut sent.open(runs(frames)).unwrap()).unwrap();
        assert_eq!(list, [Value::Integer(1), Value::String("x".into())]);
    }

    #[test]
    fn the_first_failed_command_is_the_error_with_its_position_and_text() {
        let sent = sent(false, &["A", "LPUSH key", "C"]);
        let frames = b":1\r\n-WRONGTYPE no\r\n-ERR later\r\n";
        let error = <()>::from_replies(&mut sent.open(runs(frames)).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "command 2 of 3 (`LPUSH key`): WRONGTYPE no");
        assert_eq!(error.code(), Some("WRONGTYPE"));
        let all = sent.open(runs(frames)).unwrap().all();
        assert_eq!(all[0].as_ref().unwrap(), &Value::Integer(1));
        assert_eq!(all[2].as_ref().unwrap_err().code(), Some("ERR"));
    }

    #[test]
    fn a_command_refused_while_queueing_is_the_error_of_the_transaction() {
        let sent = sent(true, &["A", "B"]);
        let frames = b"+OK\r\n+QUEUED\r\n-ERR unknown command 'B'\r\n-EXECABORT discarded\r\n";
        let error = sent.open(runs(frames)).unwrap_err();
        assert_eq!(error.to_string(), "command 2 of 2 (`B`): ERR unknown command 'B'");
    }

    #[test]
    fn null_from_exec_is_a_watch_error() {
        for null in ["*-1\r\n", "_\r\n"] {
            let sent = sent(true, &["A"]);
            let frames = format!("+OK\r\n+QUEUED\r\n{null}");
            assert!(sent.open(runs(frames.as_bytes())).unwrap_err().is_watch());
        }
    }

    #[test]
    fn exec_with_the_wrong_number_of_replies_is_out_of_step() {
        let sent = sent(true, &["A", "B"]);
        let frames = b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*1\r\n:1\r\n";
        assert_eq!(sent.open(runs(frames)).unwrap_err().kind(), ErrorKind::Protocol);
    }

    #[test]
    fn a_reply_that_does_not_convert_fails_alone() {
        let sent = sent(false, &["A", "B"]);
        let mut replies = sent.open(runs(b"*2\r\n$1\r\nx\r\n:1\r\n:7\r\n")).unwrap();
        assert_eq!(replies.next_as::<i64>().unwrap_err().kind(), ErrorKind::Decode);
        assert_eq!(replies.next_as::<i64>().unwrap(), 7);
    }

    #[test]
    fn replies_may_come_in_several_runs() {
        let sent = sent(false, &["A", "B", "C"]);
        let runs =
            [b":1\r\n:2\r\n".as_slice(), b":3\r\n"].map(|frames| Run { frames, memory: None });
        assert_eq!(<[i64; 3]>::from_replies(&mut sent.open(runs).unwrap()).unwrap(), [1, 2, 3]);
    }

    #[test]
    fn a_refused_command_stops_the_pipeline_before_it_is_sent() {
        let mut pipeline = Pipeline::atomic();
        pipeline.push(Cmd::<()>::raw("PING"));
        pipeline.push(Cmd::<()>::raw("SELECT").arg(1));
        let error = pipeline.take().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().starts_with("command 2: SELECT"), "{error}");
        assert!(pipeline.is_empty());
    }

    #[test]
    fn long_commands_are_shortened_in_errors() {
        let mut pipeline = Pipeline::atomic();
        pipeline.push(Cmd::<()>::raw("A").arg(Bytes::from(vec![b'x'; 100_000])));
        pipeline.push(Cmd::<()>::raw("B").arg("é".repeat(200)));
        let sent = pipeline.take().unwrap().unwrap();
        assert_eq!(describe(&sent.parts, 1), format!("A {}...", "x".repeat(98)));
        assert_eq!(describe(&sent.parts, 2), format!("B {}...", "é".repeat(98)));
        assert_eq!(describe(&sent.parts, 3), "EXEC");
        assert_eq!(describe(&sent.parts, 4), "");
    }

    #[test]
    fn an_empty_pipeline_gives_what_holds_no_replies() {
        assert_eq!(Vec::<Value>::from_nothing().unwrap(), []);
        <()>::from_nothing().unwrap();
        assert_eq!(<[i64; 1]>::from_nothing().unwrap_err().kind(), ErrorKind::Decode);
    }
}
