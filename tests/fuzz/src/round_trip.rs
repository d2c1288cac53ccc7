//! What the encoders write is read back as the same.

use resp_proto::{FrameReader, Limits, Protocol, ReplyEncoder, RequestEncoder, Scanner, Token};

use crate::{
    input::{Cuts, Input},
    requests::{Outcome, outcome},
};

/// Replies and requests of any values, encoded, cut and decoded, are the same values.
///
/// Bytes: a protocol, and values until they run out, every other of them as a request's argument too.
pub fn round_trip(data: &[u8]) {
    replies(data);
    requests(data);
    inline_requests(data);
}

/// What must be read.
enum Expected<'a> {
    Token(Token<'a>),
    /// A bulk string that says this number.
    Text(f64),
    /// A line whose endings became spaces.
    Line(u8, &'a [u8]),
}

fn replies(data: &[u8]) {
    let mut input = Input::new(data);
    let protocol = if input.byte() & 1 == 0 { Protocol::Resp3 } else { Protocol::Resp2 };
    let (mut stream, mut expected, mut lens) = (Vec::new(), Vec::new(), Vec::new());
    while !input.is_empty() && lens.len() < 50 {
        let start = stream.len();
        value(&mut input, protocol, 0, &mut stream, &mut expected);
        lens.push(stream.len() - start);
    }

    let mut scanner = Scanner::new(Limits::default());
    let mut start = 0;
    for &len in &lens {
        assert_eq!(scanner.scan(&stream[start..start + len - 1]), Ok(None), "incomplete");
        assert_eq!(scanner.scan(&stream[start..]), Ok(Some(len)), "the frame as it was written");
        start += len;
    }

    let mut reader = FrameReader::new(&stream);
    for expected in &expected {
        let token = reader.next_token().expect("what was written can be read");
        let token = token.expect("as many tokens as were written");
        match (expected, token) {
            (Expected::Token(Token::Double(a)), Token::Double(b)) => same(*a, b),
            (Expected::Text(a), Token::BulkString(text)) => {
                let text = std::str::from_utf8(text).expect("a number is ASCII");
                same(*a, text.parse().expect("a number"));
            }
            (Expected::Line(b'+', line), Token::SimpleString(text))
            | (Expected::Line(_, line), Token::SimpleError(text)) => {
                let spaced = |&byte: &u8| if b"\r\n".contains(&byte) { b' ' } else { byte };
                assert!(line.iter().map(spaced).eq(text.iter().copied()), "a line, spaced");
            }
            (Expected::Token(a), b) => assert_eq!(*a, b),
            (_, token) => panic!("{token:?} was not written"),
        }
    }
    assert!(reader.is_empty());
}

fn same(a: f64, b: f64) {
    assert!(a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(), "{a:?} became {b:?}");
}

/// Writes one value, with what is inside it.
fn value<'a>(
    input: &mut Input<'a>,
    protocol: Protocol,
    depth: usize,
    out: &mut Vec<u8>,
    expected: &mut Vec<Expected<'a>>,
) {
    const NUMBERS: [&[u8]; 4] =
        [b"0", b"-12", b"+7", b"3492890328409238509324850943850943825024385"];
    let resp2 = protocol == Protocol::Resp2;
    let kind = input.byte() % 20;
    let kind = if depth < 12 { kind } else { kind % 12 };
    let mut encoder = ReplyEncoder::new(out, protocol);
    let mut inside = 0;
    let mut end: &[u8] = b"";
    let token = match kind {
        0..=2 => {
            let len = usize::from(input.byte());
            let text = input.bytes(len);
            match kind {
                0 => encoder.simple_string(text),
                1 => encoder.simple_error(text),
                _ => encoder.blob_error(text),
            };
            expected.push(match kind {
                0 => Expected::Line(b'+', text),
                2 if !resp2 => Expected::Token(Token::BlobError(text)),
                _ => Expected::Line(b'-', text),
            });
            return;
        }
        3 => {
            let value = input.word() as i64;
            encoder.integer(value);
            Token::Integer(value)
        }
        4 => {
            let value = i64::from(input.byte() as i8) << (input.byte() % 56);
            encoder.integer(value);
            Token::Integer(value)
        }
        5 => {
            let len = usize::from(input.byte());
            let bytes = input.bytes(len);
            encoder.bulk(bytes);
            Token::BulkString(bytes)
        }
        6 => {
            encoder.null();
            Token::Null
        }
        7 => {
            encoder.null_array();
            Token::Null
        }
        8 => {
            let value = input.byte() & 1 == 1;
            encoder.boolean(value);
            if resp2 { Token::Integer(value.into()) } else { Token::Boolean(value) }
        }
        9 => {
            let value = f64::from_bits(input.word());
            encoder.double(value);
            if resp2 {
                expected.push(Expected::Text(value));
                return;
            }
            Token::Double(value)
        }
        10 => {
            let digits = NUMBERS[usize::from(input.byte()) % NUMBERS.len()];
            encoder.big_number(digits);
            if resp2 { Token::BulkString(digits) } else { Token::BigNumber(digits) }
        }
        11 => {
            let format = std::array::from_fn(|_| input.byte());
            let len = usize::from(input.byte());
            let text = input.bytes(len);
            encoder.verbatim(format, text);
            if resp2 { Token::BulkString(text) } else { Token::Verbatim { format, text } }
        }
        12..16 => {
            let count = usize::from(input.byte() % 6);
            inside = if kind == 15 { 2 * count } else { count };
            match kind {
                12 => encoder.array(count),
                13 => encoder.set(count),
                14 => encoder.push(count),
                _ => encoder.map(count),
            };
            match kind {
                _ if resp2 => Token::Array(Some(inside)),
                12 => Token::Array(Some(count)),
                13 => Token::Set(Some(count)),
                14 => Token::Push(count),
                _ => Token::Map(Some(count)),
            }
        }
        // What servers do not write, and the encoder has no call for.
        16 => {
            let pairs = usize::from(input.byte() % 4);
            inside = 2 * pairs + 1;
            out.extend_from_slice(format!("|{pairs}\r\n").as_bytes());
            Token::Attribute(pairs)
        }
        17 | 18 => {
            let count = usize::from(input.byte() % 6);
            inside = if kind == 18 { 2 * count } else { count };
            out.extend_from_slice(if kind == 18 { b"%?\r\n" } else { b"*?\r\n" });
            end = b".\r\n";
            if kind == 18 { Token::Map(None) } else { Token::Array(None) }
        }
        _ => {
            out.extend_from_slice(b"$?\r\n");
            expected.push(Expected::Token(Token::StreamedString));
            for _ in 0..input.byte() % 4 {
                let len = usize::from(input.byte());
                let chunk = input.bytes(len);
                if !chunk.is_empty() {
                    out.extend_from_slice(format!(";{}\r\n", chunk.len()).as_bytes());
                    out.extend_from_slice(chunk);
                    out.extend_from_slice(b"\r\n");
                    expected.push(Expected::Token(Token::Chunk(chunk)));
                }
            }
            out.extend_from_slice(b";0\r\n");
            Token::End
        }
    };
    expected.push(Expected::Token(token));
    for _ in 0..inside {
        value(input, protocol, depth + 1, out, expected);
    }
    if !end.is_empty() {
        out.extend_from_slice(end);
        expected.push(Expected::Token(Token::End));
    }
}

fn requests(data: &[u8]) {
    let mut input = Input::new(data);
    let cuts = input.cuts();
    let (mut stream, mut written) = (Vec::new(), Vec::new());
    let mut encoder = RequestEncoder::new(&mut stream);
    while !input.is_empty() {
        let args = usize::from(input.byte() % 7) + 1;
        encoder.command(args);
        let mut request = Vec::new();
        for _ in 0..args {
            let kind = input.byte();
            let arg = match kind % 4 {
                0 => Arg::Integer(input.word() as i64),
                1 => Arg::Unsigned(input.word()),
                2 => Arg::Double(f64::from_bits(input.word())),
                _ => Arg::Bytes(input.bytes(usize::from(kind) >> 1)),
            };
            match arg {
                Arg::Integer(value) => encoder.integer(value),
                Arg::Unsigned(value) => encoder.unsigned(value),
                Arg::Double(value) => encoder.double(value),
                Arg::Bytes(bytes) => encoder.arg(bytes),
            };
            request.push(arg);
        }
        written.push(request);
    }
    encoder.finish();

    let Outcome { requests, left, error } = outcome(Limits::default(), &stream, cuts);
    assert_eq!((left, error, requests.len()), (0, None, written.len()));
    assert_eq!(outcome(Limits::default(), &stream, Cuts::every(stream.len())).requests, requests);
    for (read, written) in requests.iter().zip(&written) {
        assert_eq!(read.len(), written.len());
        for (read, written) in read.iter().zip(written) {
            let text = || std::str::from_utf8(read).expect("a number is ASCII");
            match *written {
                Arg::Integer(value) => assert_eq!(text(), value.to_string()),
                Arg::Unsigned(value) => assert_eq!(text(), value.to_string()),
                Arg::Double(value) => same(value, text().parse().expect("a number")),
                Arg::Bytes(bytes) => assert_eq!(read, bytes),
            }
        }
    }
}

enum Arg<'a> {
    Integer(i64),
    Unsigned(u64),
    Double(f64),
    Bytes(&'a [u8]),
}

/// Arguments in quotes, as a person would have to type them.
fn inline_requests(data: &[u8]) {
    let mut input = Input::new(data);
    let cuts = input.cuts();
    let (mut stream, mut written) = (Vec::new(), Vec::new());
    while !input.is_empty() {
        let mut request = Vec::new();
        for _ in 0..=input.byte() % 4 {
            let choice = input.byte();
            let arg = input.bytes(usize::from(choice >> 1));
            // Single quotes have no way to write a line ending.
            match choice & 1 == 0 || arg.iter().any(|byte| b"\r\n\0\\".contains(byte)) {
                true => double_quoted(arg, &mut stream),
                false => single_quoted(arg, &mut stream),
            }
            stream.push(b' ');
            request.push(arg);
        }
        stream.extend_from_slice(b"\r\n");
        written.push(request);
    }
    let Outcome { requests, left, error } = outcome(Limits::default(), &stream, cuts);
    assert_eq!((left, error), (0, None));
    assert_eq!(requests, written);
}

fn double_quoted(arg: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in arg {
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            7 => out.extend_from_slice(b"\\a"),
            8 => out.extend_from_slice(b"\\b"),
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b' '..=b'~' => out.push(byte),
            _ => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    out.push(b'"');
}

fn single_quoted(arg: &[u8], out: &mut Vec<u8>) {
    out.push(b'\'');
    for &byte in arg {
        if byte == b'\'' {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'\'');
}
