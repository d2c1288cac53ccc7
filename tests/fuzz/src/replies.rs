//! Replies in pieces are framed as in one, and what was framed can be read.

use bytes::BytesMut;
use resp_proto::{
    FrameKind, FrameReader, Frames, Limits, ProtocolError, ProtocolErrorKind, Scanner, Token,
    frame_kind,
};

use crate::input::{Cuts, Input};

/// The frames' lengths and the error of a stream do not depend on its pieces; accepted frames are
/// read without an error; an error names the first byte that shows it.
///
/// Bytes: limits, cuts, and the stream.
pub fn reply_chunks(data: &[u8]) {
    let mut input = Input::new(data);
    let (limits, cuts) = (input.limits(), input.cuts());
    let stream = input.rest();

    let whole = outcome(limits, stream, Cuts::every(stream.len()));
    assert_eq!(whole, outcome(limits, stream, cuts.clone()), "in pieces");
    assert_eq!(whole, outcome(limits, stream, Cuts::every(1)), "byte by byte");
    assert_eq!(whole, outcome_of_frames(limits, stream, cuts), "as `Bytes`");

    let (lens, error) = whole;
    let framed = lens.iter().sum();
    if let Some(error) = error {
        let before = &stream[..framed + error.offset()];
        let innocent = outcome(limits, before, Cuts::every(before.len()));
        assert_eq!(innocent, (lens.clone(), None), "nothing is wrong in front of the error");
        let offset_of_limit = error.kind() == ProtocolErrorKind::FrameTooLong;
        assert!(framed + error.offset() < stream.len() || offset_of_limit, "{error}");
    }
    let mut rest = &stream[..framed];
    for len in lens {
        let (frame, behind) = rest.split_at(len);
        assert!(len <= limits.frame, "a frame within the limit");
        check_frame(frame, &limits);
        rest = behind;
    }
}

/// The lengths of the stream's frames, and how it fails if it does.
fn outcome(limits: Limits, stream: &[u8], mut cuts: Cuts) -> (Vec<usize>, Option<ProtocolError>) {
    let mut scanner = Scanner::new(limits);
    let (mut lens, mut start, mut end) = (Vec::new(), 0, 0);
    // No frame is complete before the scanner has what it said it lacks.
    let mut earliest = 0;
    loop {
        match scanner.scan(&stream[start..end]) {
            Ok(Some(len)) => {
                assert!(len > 0 && start + len <= end, "a frame lies in the input");
                assert!(start + len >= earliest, "a frame ended before its hint");
                assert_eq!(scanner.read_hint(), 0, "a new frame lacks nothing yet");
                lens.push(len);
                start += len;
                earliest = 0;
            }
            Ok(None) if end == stream.len() => return (lens, None),
            Ok(None) => {
                let hint = scanner.read_hint();
                earliest = end.saturating_add(hint);
                assert!(hint <= limits.bulk.saturating_add(2), "a hint within the limit");
                end = stream.len().min(end + cuts.next().unwrap_or(1));
            }
            Err(error) => {
                assert_eq!(scanner.scan(&stream[start..]), Err(error), "errors stay");
                scanner.reset();
                assert_eq!(
                    scanner.scan(b"+\r"),
                    Scanner::new(limits).scan(b"+\r"),
                    "until a reset"
                );
                return (lens, Some(error));
            }
        }
    }
}

/// As [`outcome`], by taking frames off a buffer.
fn outcome_of_frames(
    limits: Limits,
    mut stream: &[u8],
    mut cuts: Cuts,
) -> (Vec<usize>, Option<ProtocolError>) {
    let mut frames = Frames::new(limits);
    let (mut lens, mut buffer) = (Vec::new(), BytesMut::new());
    loop {
        match frames.next_frame(&mut buffer) {
            Ok(Some(frame)) => lens.push(frame.len()),
            Ok(None) if stream.is_empty() => return (lens, None),
            Ok(None) => {
                let len = cuts.next().unwrap_or(1).min(stream.len());
                buffer.extend_from_slice(&stream[..len]);
                stream = &stream[len..];
            }
            Err(error) => return (lens, Some(error)),
        }
    }
}

/// Reads an accepted frame in every way.
fn check_frame(frame: &[u8], limits: &Limits) {
    let mut reader = FrameReader::new(frame);
    let (mut tokens, mut shape) = (0, Shape::default());
    while let Some(token) = reader.next_token().expect("an accepted frame can be read") {
        tokens += 1;
        shape.take(&token, limits.depth);
        match token {
            Token::BulkString(bytes) | Token::BlobError(bytes) | Token::Chunk(bytes) => {
                assert!(bytes.len() <= limits.bulk, "a string within the limit");
            }
            Token::Array(Some(count)) | Token::Set(Some(count)) | Token::Push(count) => {
                assert!(count <= limits.aggregate, "an aggregate within the limit");
            }
            Token::Map(Some(pairs)) | Token::Attribute(pairs) => {
                assert!(2 * pairs <= limits.aggregate, "an aggregate within the limit");
            }
            _ => {}
        }
    }
    assert!(reader.is_empty() && tokens * 3 <= frame.len(), "a token has three bytes or more");
    assert!(shape.open.is_empty() && shape.complete == 1, "a frame is one value");

    let mut reader = FrameReader::new(frame);
    assert_eq!(reader.skip_value(), Ok(frame), "a frame is one value");
    let mut reader = FrameReader::new(frame);
    let first = reader.next_data().expect("an accepted frame can be read");
    let kind = match first.expect("a frame is more than attributes") {
        Token::SimpleError(_) | Token::BlobError(_) => FrameKind::Error,
        Token::Push(_) => FrameKind::Push,
        _ => FrameKind::Reply,
    };
    assert_eq!(frame_kind(frame), kind, "the kind is that of the first data");
    while reader.next_data().expect("an accepted frame can be read").is_some() {}
    assert!(reader.is_empty());
}

/// What the tokens so far have opened and not closed, by a plain stack.
#[derive(Default)]
struct Shape {
    open: Vec<Open>,
    /// Whole values that are in nothing else.
    complete: usize,
    /// An attribute is behind us, and not yet the value that it is about.
    attributed: bool,
}

enum Open {
    Counted(usize),
    /// How many values of its pairs are to come; the value behind them is not inside.
    Attribute(usize),
    /// How many elements came, and whether they are pairs.
    Streamed(usize, bool),
    Chunks,
}

impl Shape {
    fn take(&mut self, token: &Token<'_>, depth: usize) {
        let in_chunks = matches!(self.open.last(), Some(Open::Chunks));
        assert_eq!(
            in_chunks,
            matches!(token, Token::Chunk(_)) || in_chunks && *token == Token::End
        );
        let attributed = std::mem::replace(&mut self.attributed, *token == Token::Attribute(0));
        let opened = match *token {
            Token::Chunk(_) | Token::Attribute(0) => return,
            Token::Attribute(pairs) => Open::Attribute(2 * pairs),
            Token::Array(Some(count)) | Token::Set(Some(count)) | Token::Push(count)
                if count > 0 =>
            {
                Open::Counted(count)
            }
            Token::Map(Some(pairs)) if pairs > 0 => Open::Counted(2 * pairs),
            Token::Array(None) | Token::Set(None) => Open::Streamed(0, false),
            Token::Map(None) => Open::Streamed(0, true),
            Token::StreamedString => Open::Chunks,
            Token::End => {
                assert!(!attributed, "an attribute of nothing");
                match self.open.pop().expect("an end of something") {
                    Open::Counted(_) | Open::Attribute(_) => panic!("an end of something counted"),
                    Open::Streamed(count, true) => assert_eq!(count % 2, 0, "a key and no value"),
                    Open::Streamed(..) | Open::Chunks => {}
                }
                return self.close();
            }
            _ => return self.close(),
        };
        self.open.push(opened);
        let aggregates = self.open.iter().filter(|open| !matches!(open, Open::Chunks));
        assert!(aggregates.count() <= depth, "too deep");
    }

    /// A value is complete, and with it perhaps what it is in.
    fn close(&mut self) {
        loop {
            match self.open.last_mut() {
                None => return self.complete += 1,
                Some(Open::Counted(1)) => drop(self.open.pop()),
                Some(Open::Attribute(1)) => {
                    self.open.pop();
                    return self.attributed = true;
                }
                Some(Open::Counted(left) | Open::Attribute(left)) => return *left -= 1,
                Some(Open::Streamed(count, _)) => return *count += 1,
                Some(Open::Chunks) => unreachable!("chunks hold no values"),
            }
        }
    }
}
