//! Commands of a pipeline one by one: for those who do not send all of it to the same server.
//!
//! Owns where each command is among the encoded ones, and what has to be known to send it elsewhere, or again.
//! Knows nothing of where that is.

use std::ops::Range;

use bytes::Bytes;

use super::sent::Sent;
use crate::command::{Block, Cmd, CommandInfo, SEGMENT};
use crate::send::SendBuffer;
use resp_proto::Sink as _;

/// What is known of one command of a pipeline, see [`Pipeline::mark`](super::Pipeline::mark).
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    /// What the command table says of it.
    pub info: &'static CommandInfo,
    /// The slot of the first key, where the command's builder marked one.
    pub slot: Option<u16>,
    /// How long the server may hold it.
    pub block: Block,
    /// Whether it does no harm when it runs twice.
    pub repeatable: bool,
    /// Where its encoding ends, counted from that of the first command.
    pub(super) end: usize,
}

impl Mark {
    /// Of a command by itself.
    pub fn of<R>(cmd: &Cmd<R>) -> Self {
        Self::new(cmd, 0)
    }

    /// Of a command whose encoding ends there.
    #[inline]
    pub(super) fn new<R>(cmd: &Cmd<R>, end: usize) -> Self {
        let (info, slot, block) = (cmd.info(), cmd.slot(), cmd.block());
        Self { info, slot, block, repeatable: cmd.is_repeatable(), end }
    }
}

impl Sent {
    /// What is known of each command; nothing where the pipeline was not asked to keep it.
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// Appends one command as it is encoded, without MULTI and EXEC. Nothing where it has no mark.
    pub fn write_command(&self, index: usize, out: &mut SendBuffer) {
        self.pieces(index, |part, range| {
            if range.len() < SEGMENT {
                out.put(&part[range]);
            } else {
                out.push_shared(part.slice(range));
            }
        });
    }

    /// The words of one command. None where it has no mark.
    pub fn words(&self, index: usize) -> Vec<&[u8]> {
        let (mut words, mut left) = (Vec::new(), None);
        self.pieces(index, |part, range| {
            let mut rest = &part[range];
            // A word is in one piece; its header may be the end of the piece before, its line end in the next.
            loop {
                if left.is_none() {
                    let Some(end) = memchr::memchr(b'\n', rest) else { break };
                    let (header, behind) = rest.split_at(end + 1);
                    rest = behind;
                    if let Some(digits) = header.strip_prefix(b"$") {
                        left = std::str::from_utf8(digits.trim_ascii_end())
                            .ok()
                            .and_then(|digits| digits.parse::<usize>().ok());
                    }
                    continue;
                }
                match left.filter(|len| *len <= rest.len() && (*len == 0 || !rest.is_empty())) {
                    Some(len) => {
                        let (word, behind) = rest.split_at(len);
                        words.push(word);
                        // What is left of the line is passed as a header without a length.
                        (left, rest) = (None, behind);
                    }
                    None => break,
                }
            }
        });
        words
    }

    /// The pieces of the encoded parts that one command has.
    fn pieces<'a>(&'a self, index: usize, mut each: impl FnMut(&'a Bytes, Range<usize>)) {
        let Some(mark) = self.marks.get(index) else { return };
        let mut start = index.checked_sub(1).map_or(0, |before| self.marks[before].end);
        let parts = self.parts.get(usize::from(self.atomic)..).unwrap_or_default();
        if let [part, ..] = parts
            && mark.end <= part.len()
        {
            // Nearly every command: in the first part, which is the only one where no value is large.
            return each(part, start..mark.end);
        }
        let first = self.starts.partition_point(|at| *at <= start).saturating_sub(1);
        for (part, at) in parts.iter().zip(&self.starts).skip(first) {
            if start >= mark.end {
                return;
            }
            let range = start - at..part.len().min(mark.end - at);
            start += range.len();
            each(part, range);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Pipeline;

    #[test]
    fn each_command_is_found_among_the_others() {
        let large = Bytes::from(vec![b'x'; 100_000]);
        for atomic in [false, true] {
            let mut pipeline = Pipeline::atomic();
            pipeline.set_transaction(atomic);
            pipeline.mark();
            let commands = [
                Cmd::<()>::raw("GET").key("a"),
                Cmd::raw("SET").key("b").arg(&large),
                Cmd::raw("SET").key("").arg(""),
                Cmd::raw("MSET").key("c").arg(&large).arg("d").arg(&large),
                Cmd::raw("PING"),
            ];
            commands.iter().for_each(|cmd| pipeline.push(cmd.clone()));
            let sent = pipeline.take().unwrap().unwrap();
            assert_eq!(sent.marks().len(), commands.len());
            for (index, cmd) in commands.iter().enumerate() {
                let mut out = SendBuffer::default();
                sent.write_command(index, &mut out);
                assert_eq!(out.to_vec(), cmd.to_vec(), "{index}");
                let words: Vec<&[u8]> = cmd.words().collect();
                assert!(sent.words(index) == words, "{index}");
                assert_eq!(sent.marks()[index].slot, cmd.slot());
            }
            assert!(sent.marks()[0].repeatable && !sent.marks()[1].repeatable);
            pipeline.push(Cmd::<()>::raw("PING"));
            assert_eq!(pipeline.take().unwrap().unwrap().marks().len(), 1, "it is not forgotten");
        }
    }
}
