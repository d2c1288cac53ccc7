//! What the tests of the reply side share: cutting a stream into pieces, and reading all of it.

#![allow(dead_code, reason = "each test file uses its part")]

use resp_proto::{FrameReader, Limits, ProtocolError, Scanner, Token};

/// The lengths of all frames of `stream`, given to one scanner in pieces of these sizes (repeated).
pub(crate) fn frames_in_pieces(
    limits: Limits,
    stream: &[u8],
    sizes: &[usize],
) -> Result<Vec<usize>, ProtocolError> {
    let mut scanner = Scanner::new(limits);
    let mut lens = Vec::new();
    let (mut start, mut end) = (0, 0);
    let mut sizes = sizes.iter().cycle();
    loop {
        while let Some(len) = scanner.scan(&stream[start..end])? {
            lens.push(len);
            start += len;
        }
        if end == stream.len() {
            return Ok(lens);
        }
        end = stream.len().min(end + sizes.next().copied().unwrap_or(1).max(1));
    }
}

pub(crate) fn frames(stream: &[u8]) -> Result<Vec<usize>, ProtocolError> {
    frames_in_pieces(Limits::default(), stream, &[stream.len()])
}

pub(crate) fn tokens(frame: &[u8]) -> Result<Vec<Token<'_>>, ProtocolError> {
    let mut reader = FrameReader::new(frame);
    let mut tokens = Vec::new();
    while let Some(token) = reader.next_token()? {
        tokens.push(token);
    }
    Ok(tokens)
}
