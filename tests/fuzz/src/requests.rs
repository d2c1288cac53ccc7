//! Requests in pieces are decoded as in one.

use bytes::{Bytes, BytesMut};
use resp_proto::{Limits, ProtocolError, ProtocolErrorKind, RequestDecoder, RequestEncoder};

use crate::input::{Cuts, Input};

/// The requests and the error of a stream do not depend on its pieces; what was decoded is decoded
/// again from its own encoding; an error names the first byte that shows it.
///
/// Bytes: limits, cuts, and the stream.
pub fn request_chunks(data: &[u8]) {
    let mut input = Input::new(data);
    let (limits, cuts) = (input.limits(), input.cuts());
    let stream = input.rest();

    let whole = outcome(limits, stream, Cuts::every(stream.len()));
    assert_eq!(whole, outcome(limits, stream, cuts), "in pieces");
    assert_eq!(whole, outcome(limits, stream, Cuts::every(1)), "byte by byte");

    let Outcome { requests, left, error } = whole;
    if let Some(error) = error
        // Of these the whole line is gone, and the offset counts from its start.
        && error.kind() != ProtocolErrorKind::UnbalancedQuotes
    {
        let start = stream.len() - left;
        let before = &stream[..start + error.offset()];
        let innocent = outcome(limits, before, Cuts::every(before.len()));
        assert_eq!(innocent.error, None, "nothing is wrong in front of the error");
        assert_eq!(innocent.requests, requests);
    }

    let encoded: Vec<u8> = requests.iter().flat_map(|request| encode(request)).collect();
    let again = outcome(Limits::default(), &encoded, Cuts::every(encoded.len()));
    assert_eq!(again, Outcome { requests, left: 0, error: None });
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) requests: Vec<Vec<Bytes>>,
    /// The bytes not taken.
    pub(crate) left: usize,
    pub(crate) error: Option<ProtocolError>,
}

pub(crate) fn outcome(limits: Limits, stream: &[u8], mut cuts: Cuts) -> Outcome {
    let mut decoder = RequestDecoder::new(limits);
    let (mut buffer, mut args, mut requests) = (BytesMut::new(), Vec::new(), Vec::new());
    let (mut rest, mut taken) = (stream, 0);
    loop {
        match decoder.decode(&mut buffer, &mut args) {
            Ok(true) => {
                let end = stream.len() - rest.len() - buffer.len();
                check_request(&stream[taken..end], &args);
                taken = end;
                requests.push(args.clone());
                assert_eq!(decoder.read_hint(), 0, "a new request lacks nothing yet");
            }
            Ok(false) if rest.is_empty() => {
                assert!(args.is_empty());
                return Outcome { requests, left: buffer.len(), error: None };
            }
            Ok(false) => {
                assert!(
                    decoder.read_hint() <= limits.bulk.saturating_add(2),
                    "a hint in the limit"
                );
                let len = cuts.next().unwrap_or(1).min(rest.len());
                buffer.extend_from_slice(&rest[..len]);
                rest = &rest[len..];
            }
            Err(error) => {
                assert!(args.is_empty());
                let left = buffer.len() + rest.len();
                buffer.extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
                assert_eq!(decoder.decode(&mut buffer, &mut args), Err(error), "errors stay");
                return Outcome { requests, left, error: Some(error) };
            }
        }
    }
}

/// Compares a request with the bytes it was in, behind any number of empty ones.
fn check_request(mut bytes: &[u8], args: &[Bytes]) {
    assert!(!args.is_empty(), "empty requests are skipped");
    while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
        let (line, rest) = bytes.split_at(end + 1);
        match line {
            b"*0\r\n" | b"*-1\r\n" => bytes = rest,
            // There is one way alone to write it.
            [b'*', ..] => return assert_eq!(bytes, encode(args), "as it would be written"),
            _ if rest.is_empty() => return,
            _ => bytes = rest,
        }
    }
    panic!("a request ends with a line ending");
}

fn encode(request: &[Bytes]) -> Vec<u8> {
    let mut encoded = Vec::new();
    let mut encoder = RequestEncoder::new(&mut encoded);
    encoder.command(request.len());
    for arg in request {
        encoder.arg(arg);
    }
    encoder.finish();
    encoded
}
