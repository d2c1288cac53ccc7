//! What holds for any values, any bytes and any cuts.

mod common;

use bytes::{Bytes, BytesMut};
use proptest::{collection::vec, prelude::*};
use resp_proto::{
    FrameKind, FrameReader, Limits, Protocol, ProtocolError, ReplyEncoder, RequestDecoder,
    RequestEncoder, Scanner, Token, frame_kind,
};

use common::{frames_in_pieces, tokens};

/// Any value that a server may send.
#[derive(Clone, Debug)]
enum Value {
    Simple(Vec<u8>),
    Error(Vec<u8>),
    Blob(Vec<u8>),
    Integer(i64),
    Double(f64),
    Boolean(bool),
    Big(String),
    Bulk(Vec<u8>),
    Verbatim([u8; 3], Vec<u8>),
    Null,
    Array(Vec<Value>),
    Set(Vec<Value>),
    Push(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Attributed(Vec<(Value, Value)>, Box<Value>),
    StreamedString(Vec<Vec<u8>>),
    StreamedArray(Vec<Value>),
    StreamedMap(Vec<(Value, Value)>),
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>().prop_filter("no line ending", |byte| !b"\r\n".contains(byte)), 0..40)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        line().prop_map(Value::Simple),
        line().prop_map(Value::Error),
        vec(any::<u8>(), 0..40).prop_map(Value::Blob),
        any::<i64>().prop_map(Value::Integer),
        (-1000i64..1000).prop_map(Value::Integer),
        any::<f64>().prop_map(Value::Double),
        any::<bool>().prop_map(Value::Boolean),
        "[+-]?[0-9]{1,40}".prop_map(Value::Big),
        vec(any::<u8>(), 0..120).prop_map(Value::Bulk),
        vec(any::<u8>(), 0..9).prop_map(Value::Bulk),
        (any::<[u8; 3]>(), vec(any::<u8>(), 0..20)).prop_map(|(f, t)| Value::Verbatim(f, t)),
        Just(Value::Null),
        vec(vec(any::<u8>(), 1..20), 0..4).prop_map(Value::StreamedString),
    ];
    leaf.prop_recursive(6, 60, 5, |value| {
        let pairs = vec((value.clone(), value.clone()), 0..4);
        prop_oneof![
            vec(value.clone(), 0..6).prop_map(Value::Array),
            vec(value.clone(), 0..6).prop_map(Value::Set),
            vec(value.clone(), 0..6).prop_map(Value::Push),
            pairs.clone().prop_map(Value::Map),
            (pairs.clone(), value.clone()).prop_map(|(a, v)| Value::Attributed(a, Box::new(v))),
            vec(value, 0..6).prop_map(Value::StreamedArray),
            pairs.prop_map(Value::StreamedMap),
        ]
    })
}

/// Writes a value; `tokens` and `data` are what must be read, with and without attributes.
fn write<'a>(
    value: &'a Value,
    out: &mut Vec<u8>,
    tokens: &mut Vec<Token<'a>>,
    data: &mut Vec<Token<'a>>,
) {
    let mut encoder = ReplyEncoder::new(out, Protocol::Resp3);
    let token = match value {
        Value::Simple(text) => {
            encoder.simple_string(text);
            Token::SimpleString(text)
        }
        Value::Error(text) => {
            encoder.simple_error(text);
            Token::SimpleError(text)
        }
        Value::Blob(text) => {
            encoder.blob_error(text);
            Token::BlobError(text)
        }
        &Value::Integer(value) => {
            encoder.integer(value);
            Token::Integer(value)
        }
        &Value::Double(value) => {
            encoder.double(value);
            Token::Double(value)
        }
        &Value::Boolean(value) => {
            encoder.boolean(value);
            Token::Boolean(value)
        }
        Value::Big(digits) => {
            encoder.big_number(digits.as_bytes());
            Token::BigNumber(digits.as_bytes())
        }
        Value::Bulk(bytes) => {
            encoder.bulk(bytes);
            Token::BulkString(bytes)
        }
        Value::Verbatim(format, text) => {
            encoder.verbatim(*format, text);
            Token::Verbatim { format: *format, text }
        }
        Value::Null => {
            encoder.null();
            Token::Null
        }
        Value::Array(values) => {
            encoder.array(values.len());
            Token::Array(Some(values.len()))
        }
        Value::Set(values) => {
            encoder.set(values.len());
            Token::Set(Some(values.len()))
        }
        Value::Push(values) => {
            encoder.push(values.len());
            Token::Push(values.len())
        }
        Value::Map(pairs) => {
            encoder.map(pairs.len());
            Token::Map(Some(pairs.len()))
        }
        Value::Attributed(pairs, _) => {
            out.extend_from_slice(format!("|{}\r\n", pairs.len()).as_bytes());
            Token::Attribute(pairs.len())
        }
        Value::StreamedString(_) => {
            out.extend_from_slice(b"$?\r\n");
            Token::StreamedString
        }
        Value::StreamedArray(_) => {
            out.extend_from_slice(b"*?\r\n");
            Token::Array(None)
        }
        Value::StreamedMap(_) => {
            out.extend_from_slice(b"%?\r\n");
            Token::Map(None)
        }
    };
    tokens.push(token);
    if !matches!(token, Token::Attribute(_)) {
        data.push(token);
    }
    let end = match value {
        Value::Array(values) | Value::Set(values) | Value::Push(values) => {
            values.iter().for_each(|value| write(value, out, tokens, data));
            return;
        }
        Value::Map(pairs) => {
            pairs.iter().for_each(|(k, v)| {
                write(k, out, tokens, data);
                write(v, out, tokens, data);
            });
            return;
        }
        Value::Attributed(pairs, value) => {
            let mut hidden = Vec::new();
            pairs.iter().for_each(|(k, v)| {
                write(k, out, tokens, &mut hidden);
                write(v, out, tokens, &mut hidden);
            });
            write(value, out, tokens, data);
            return;
        }
        Value::StreamedString(chunks) => {
            for chunk in chunks {
                out.extend_from_slice(format!(";{}\r\n", chunk.len()).as_bytes());
                out.extend_from_slice(chunk);
                out.extend_from_slice(b"\r\n");
                tokens.push(Token::Chunk(chunk));
                data.push(Token::Chunk(chunk));
            }
            b";0\r\n".as_slice()
        }
        Value::StreamedArray(values) => {
            values.iter().for_each(|value| write(value, out, tokens, data));
            b".\r\n"
        }
        Value::StreamedMap(pairs) => {
            pairs.iter().for_each(|(k, v)| {
                write(k, out, tokens, data);
                write(v, out, tokens, data);
            });
            b".\r\n"
        }
        _ => return,
    };
    out.extend_from_slice(end);
    tokens.push(Token::End);
    data.push(Token::End);
}

/// Bytes that look like the protocol often enough to get deep into it.
fn almost_resp() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::sample::select(vec![
            "\r\n",
            "\r",
            "\n",
            "$",
            "*",
            "%",
            "~",
            ">",
            "|",
            ":",
            "+",
            "-",
            "_\r\n",
            "#t\r\n",
            ".\r\n",
            ";0\r\n",
            ";1\r\nx\r\n",
            "$?\r\n",
            "*?\r\n",
            "%?\r\n",
            "~?\r\n",
            "$-1\r\n",
            "*-1\r\n",
            "*0\r\n",
            "*1\r\n",
            "*2\r\n",
            "%1\r\n",
            "|1\r\n",
            "|0\r\n",
            ">1\r\n",
            "$0\r\n\r\n",
            "$1\r\na\r\n",
            "$5\r\nhello\r\n",
            "=5\r\ntxt:a\r\n",
            "=",
            "!1\r\n!\r\n",
            ",1.5\r\n",
            ",inf\r\n",
            ",",
            "(123\r\n",
            "(",
            ":1\r\n",
            ":-12345678901\r\n",
            "+OK\r\n",
            "-ERR\r\n",
            "+a line of text\r\n",
            "$12\r\nhello, world\r\n",
            "0",
            "1",
            "9",
            "99999999999999999999",
            "?",
            "e",
            " ",
            "\"",
            "'",
            "\\x41",
            "\0",
            "get key\r\n",
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        vec(any::<u8>(), 0..3),
    ];
    vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    vec(1usize..12, 1..8)
}

fn small_limits() -> impl Strategy<Value = Limits> {
    (0usize..4, 0usize..20, 0usize..6, 0usize..120, 0usize..20).prop_map(
        |(depth, bulk, aggregate, frame, inline)| Limits { depth, bulk, aggregate, frame, inline },
    )
}

/// The frames of a stream, and where and why it fails if it does.
fn outcome(limits: Limits, stream: &[u8], sizes: &[usize]) -> (Vec<usize>, Option<ProtocolError>) {
    let mut scanner = Scanner::new(limits);
    let (mut lens, mut start, mut end) = (Vec::new(), 0, 0);
    let mut sizes = sizes.iter().cycle();
    loop {
        match scanner.scan(&stream[start..end]) {
            Ok(Some(len)) => {
                lens.push(len);
                start += len;
            }
            Ok(None) if end == stream.len() => return (lens, None),
            Ok(None) => end = stream.len().min(end + sizes.next().expect("sizes repeat")),
            Err(error) => return (lens, Some(error)),
        }
    }
}

/// Compares tokens; a NaN is as good as any other.
fn same(read: &[Token<'_>], written: &[Token<'_>]) -> bool {
    read.len() == written.len()
        && read.iter().zip(written).all(|pair| match pair {
            (Token::Double(a), Token::Double(b)) => {
                a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
            }
            (a, b) => a == b,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn replies_are_read_as_they_were_written(values in vec(value(), 1..4), sizes in sizes()) {
        let (mut stream, mut lens) = (Vec::new(), Vec::new());
        let (mut written, mut data) = (Vec::new(), Vec::new());
        for value in &values {
            let start = stream.len();
            write(value, &mut stream, &mut written, &mut data);
            lens.push(stream.len() - start);
        }
        for sizes in [&sizes[..], &[stream.len()], &[1]] {
            prop_assert_eq!(frames_in_pieces(Limits::default(), &stream, sizes), Ok(lens.clone()));
        }
        prop_assert!(same(&tokens(&stream).unwrap(), &written));

        let mut reader = FrameReader::new(&stream);
        let mut read = Vec::new();
        while let Some(token) = reader.next_data().unwrap() {
            read.push(token);
        }
        prop_assert!(same(&read, &data));

        let mut reader = FrameReader::new(&stream);
        for (value, len) in values.iter().zip(lens) {
            prop_assert_eq!(reader.skip_value().unwrap().len(), len);
            let kind = frame_kind(&stream[reader.position() - len..]);
            let mut innermost = value;
            while let Value::Attributed(_, value) = innermost {
                innermost = value;
            }
            prop_assert_eq!(kind, match innermost {
                Value::Error(_) | Value::Blob(_) => FrameKind::Error,
                Value::Push(_) => FrameKind::Push,
                _ => FrameKind::Reply,
            });
        }
    }

    #[test]
    fn any_bytes_fail_alike_in_any_pieces(
        stream in almost_resp(),
        sizes in sizes(),
        limits in prop_oneof![Just(Limits::default()), small_limits()],
    ) {
        let (lens, error) = outcome(limits, &stream, &[stream.len().max(1)]);
        prop_assert_eq!((lens.clone(), error), outcome(limits, &stream, &sizes));
        prop_assert_eq!((lens.clone(), error), outcome(limits, &stream, &[1]));
        let start: usize = lens.iter().sum();
        if let Some(error) = error {
            // Without the byte it names, there is nothing wrong yet.
            let (before, none) = outcome(limits, &stream[..start + error.offset()], &[1000]);
            prop_assert_eq!((before, none), (lens.clone(), None));
        }
        // What was framed can be read.
        let mut rest = &stream[..start];
        for len in lens {
            let (frame, behind) = rest.split_at(len);
            prop_assert!(len <= limits.frame);
            prop_assert!(tokens(frame).is_ok());
            let mut reader = FrameReader::new(frame);
            prop_assert!(reader.peek_data().unwrap().is_some());
            prop_assert_eq!(reader.skip_value(), Ok(frame));
            rest = behind;
        }
    }

    #[test]
    fn a_reader_over_any_bytes_does_not_panic(bytes in almost_resp()) {
        let _ = tokens(&bytes);
        let mut reader = FrameReader::new(&bytes);
        while let Ok(Some(_)) = reader.next_data() {}
        let mut reader = FrameReader::new(&bytes);
        while let Ok(value) = reader.skip_value() {
            prop_assert!(!value.is_empty());
        }
        let _ = frame_kind(&bytes);
    }

    #[test]
    fn requests_are_decoded_as_they_were_encoded(
        requests in vec(vec(vec(any::<u8>(), 0..150), 1..6), 1..5),
        sizes in sizes(),
    ) {
        let mut stream = Vec::new();
        let mut encoder = RequestEncoder::new(&mut stream);
        for request in &requests {
            encoder.command(request.len());
            for arg in request {
                encoder.arg(arg);
            }
        }
        encoder.finish();
        for sizes in [&sizes[..], &[stream.len()], &[1]] {
            let (decoded, error) = decode(Limits::default(), &stream, sizes);
            prop_assert_eq!(error, None);
            prop_assert_eq!(&decoded, &requests);
        }
    }

    #[test]
    fn any_request_bytes_are_decoded_alike_in_any_pieces(
        stream in almost_resp(),
        sizes in sizes(),
        limits in prop_oneof![Just(Limits::default()), small_limits()],
    ) {
        let whole = decode(limits, &stream, &[stream.len().max(1)]);
        prop_assert_eq!(&whole, &decode(limits, &stream, &sizes));
        prop_assert_eq!(&whole, &decode(limits, &stream, &[1]));
    }
}

fn decode(
    limits: Limits,
    stream: &[u8],
    sizes: &[usize],
) -> (Vec<Vec<Bytes>>, Option<ProtocolError>) {
    let mut decoder = RequestDecoder::new(limits);
    let (mut input, mut args, mut requests) = (BytesMut::new(), Vec::new(), Vec::new());
    let mut rest = stream;
    for &size in sizes.iter().cycle() {
        let (piece, behind) = rest.split_at(size.min(rest.len()));
        input.extend_from_slice(piece);
        rest = behind;
        loop {
            match decoder.decode(&mut input, &mut args) {
                Ok(true) => requests.push(args.clone()),
                Ok(false) => break,
                Err(error) => return (requests, Some(error)),
            }
        }
        if rest.is_empty() {
            break;
        }
    }
    (requests, None)
}
