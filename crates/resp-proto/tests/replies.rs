//! Frames and tokens of every type, valid and invalid, however the bytes are cut.

mod common;

use resp_proto::{
    FrameKind, FrameReader, Limits, ProtocolErrorKind as Kind, Scanner, Token as T, frame_kind,
};

use common::{frames, frames_in_pieces, tokens};

/// One frame each, with its tokens.
fn valid() -> Vec<(Vec<u8>, Vec<T<'static>>)> {
    let long: &'static [u8] = Vec::leak(vec![b'x'; 600 * 1024]);
    let line: &'static [u8] = b"a line that is longer than a vector register of any kind is wide";
    let mut cases: Vec<(Vec<u8>, Vec<T<'static>>)> = Vec::new();
    let mut case = |frame: &[u8], tokens: &[T<'static>]| cases.push((frame.into(), tokens.into()));

    case(b"+OK\r\n", &[T::SimpleString(b"OK")]);
    case(b"+\r\n", &[T::SimpleString(b"")]);
    case(b"+PONG\r\n", &[T::SimpleString(b"PONG")]);
    case(b"+\xff\x00 x\r\n", &[T::SimpleString(b"\xff\x00 x")]);
    case(&[b"+", line, b"\r\n"].concat(), &[T::SimpleString(line)]);
    case(b"-ERR no\r\n", &[T::SimpleError(b"ERR no")]);
    case(&[b"-", long, b"\r\n"].concat(), &[T::SimpleError(long)]);

    case(b":0\r\n", &[T::Integer(0)]);
    case(b":-0\r\n", &[T::Integer(0)]);
    case(b":7\r\n", &[T::Integer(7)]);
    case(b":+7\r\n", &[T::Integer(7)]);
    case(b":-1\r\n", &[T::Integer(-1)]);
    case(b":42\r\n", &[T::Integer(42)]);
    case(b":007\r\n", &[T::Integer(7)]);
    case(b":123456\r\n", &[T::Integer(123456)]);
    case(b":9223372036854775807\r\n", &[T::Integer(i64::MAX)]);
    case(b":-9223372036854775808\r\n", &[T::Integer(i64::MIN)]);
    case(b":00000000000000000000000000001\r\n", &[T::Integer(1)]);

    case(b"$0\r\n\r\n", &[T::BulkString(b"")]);
    case(b"$5\r\nhello\r\n", &[T::BulkString(b"hello")]);
    case(b"$2\r\n\r\n\r\n", &[T::BulkString(b"\r\n")]);
    case(b"$12\r\nabcdefghijkl\r\n", &[T::BulkString(b"abcdefghijkl")]);
    case(&[b"$614400\r\n", long, b"\r\n"].concat(), &[T::BulkString(long)]);
    case(b"!7\r\nERR a\r\n\r\n", &[T::BlobError(b"ERR a\r\n")]);
    case(b"=8\r\ntxt:some\r\n", &[T::Verbatim { format: *b"txt", text: b"some" }]);
    case(b"=4\r\n\r\n::\r\n", &[T::Verbatim { format: *b"\r\n:", text: b"" }]);

    case(b"$-1\r\n", &[T::Null]);
    case(b"*-1\r\n", &[T::Null]);
    case(b"_\r\n", &[T::Null]);
    case(b"#t\r\n", &[T::Boolean(true)]);
    case(b"#f\r\n", &[T::Boolean(false)]);

    case(b",1.5\r\n", &[T::Double(1.5)]);
    case(b",-0\r\n", &[T::Double(-0.0)]);
    case(b",10\r\n", &[T::Double(10.0)]);
    case(b",+1.25e+3\r\n", &[T::Double(1250.0)]);
    case(b",1E-2\r\n", &[T::Double(0.01)]);
    case(b",1e400\r\n", &[T::Double(f64::INFINITY)]);
    case(b",inf\r\n", &[T::Double(f64::INFINITY)]);
    case(b",-inf\r\n", &[T::Double(f64::NEG_INFINITY)]);
    case(
        b"(3492890328409238509324850943850943825024385\r\n",
        &[T::BigNumber(b"3492890328409238509324850943850943825024385")],
    );
    case(b"(-12\r\n", &[T::BigNumber(b"-12")]);

    case(b"*0\r\n", &[T::Array(Some(0))]);
    case(b"%0\r\n", &[T::Map(Some(0))]);
    case(b"~0\r\n", &[T::Set(Some(0))]);
    case(b">0\r\n", &[T::Push(0)]);
    case(
        b"*3\r\n$1\r\na\r\n$-1\r\n*-1\r\n",
        &[T::Array(Some(3)), T::BulkString(b"a"), T::Null, T::Null],
    );
    case(
        b"*2\r\n*2\r\n:1\r\n*0\r\n*1\r\n+x\r\n",
        &[
            T::Array(Some(2)),
            T::Array(Some(2)),
            T::Integer(1),
            T::Array(Some(0)),
            T::Array(Some(1)),
            T::SimpleString(b"x"),
        ],
    );
    case(
        b"%2\r\n+a\r\n%1\r\n:1\r\n:2\r\n+b\r\n~1\r\n#t\r\n",
        &[
            T::Map(Some(2)),
            T::SimpleString(b"a"),
            T::Map(Some(1)),
            T::Integer(1),
            T::Integer(2),
            T::SimpleString(b"b"),
            T::Set(Some(1)),
            T::Boolean(true),
        ],
    );
    case(
        b">2\r\n+message\r\n$1\r\nx\r\n",
        &[T::Push(2), T::SimpleString(b"message"), T::BulkString(b"x")],
    );
    // EXEC of a SUBSCRIBE: the server pushes inside the array.
    case(b"*1\r\n>1\r\n:1\r\n", &[T::Array(Some(1)), T::Push(1), T::Integer(1)]);

    case(
        b"$?\r\n;4\r\nHell\r\n;1\r\no\r\n;0\r\n",
        &[T::StreamedString, T::Chunk(b"Hell"), T::Chunk(b"o"), T::End],
    );
    case(b"$?\r\n;0\r\n", &[T::StreamedString, T::End]);
    case(
        b"*?\r\n:1\r\n*?\r\n.\r\n*2\r\n:2\r\n:3\r\n.\r\n",
        &[
            T::Array(None),
            T::Integer(1),
            T::Array(None),
            T::End,
            T::Array(Some(2)),
            T::Integer(2),
            T::Integer(3),
            T::End,
        ],
    );
    case(
        b"%?\r\n+a\r\n:1\r\n+b\r\n$?\r\n;1\r\nx\r\n;0\r\n.\r\n",
        &[
            T::Map(None),
            T::SimpleString(b"a"),
            T::Integer(1),
            T::SimpleString(b"b"),
            T::StreamedString,
            T::Chunk(b"x"),
            T::End,
            T::End,
        ],
    );
    case(b"~?\r\n.\r\n", &[T::Set(None), T::End]);
    case(b"*2\r\n*?\r\n.\r\n:1\r\n", &[T::Array(Some(2)), T::Array(None), T::End, T::Integer(1)]);

    case(
        b"|1\r\n+ttl\r\n:3600\r\n$1\r\na\r\n",
        &[T::Attribute(1), T::SimpleString(b"ttl"), T::Integer(3600), T::BulkString(b"a")],
    );
    case(
        b"|0\r\n|1\r\n|1\r\n:1\r\n:2\r\n:3\r\n*0\r\n:4\r\n",
        &[
            T::Attribute(0),
            T::Attribute(1),
            T::Attribute(1),
            T::Integer(1),
            T::Integer(2),
            T::Integer(3),
            T::Array(Some(0)),
            T::Integer(4),
        ],
    );
    case(
        b"*?\r\n|1\r\n:1\r\n:2\r\n:3\r\n|0\r\n:4\r\n.\r\n",
        &[
            T::Array(None),
            T::Attribute(1),
            T::Integer(1),
            T::Integer(2),
            T::Integer(3),
            T::Attribute(0),
            T::Integer(4),
            T::End,
        ],
    );
    case(
        b"*2\r\n:1\r\n|1\r\n:2\r\n*1\r\n:3\r\n*1\r\n:4\r\n",
        &[
            T::Array(Some(2)),
            T::Integer(1),
            T::Attribute(1),
            T::Integer(2),
            T::Array(Some(1)),
            T::Integer(3),
            T::Array(Some(1)),
            T::Integer(4),
        ],
    );
    cases
}

/// Bytes that fail at their last byte, at once and not before.
const INVALID: &[(&[u8], Kind)] = &[
    (b"H", Kind::UnknownType(b'H')),
    (b"\r", Kind::UnknownType(b'\r')),
    (b" ", Kind::UnknownType(b' ')),
    (b".", Kind::UnexpectedEnd),
    (b";", Kind::UnexpectedChunk),
    (b"$\r", Kind::InvalidLength),
    (b"$-2", Kind::InvalidLength),
    (b"$--", Kind::InvalidLength),
    (b"$-\r", Kind::InvalidLength),
    (b"$-11", Kind::InvalidLength),
    (b"$-0", Kind::InvalidLength),
    (b"$+", Kind::InvalidLength),
    (b"$ ", Kind::InvalidLength),
    (b"$5 ", Kind::InvalidLength),
    (b"$5\n", Kind::InvalidLength),
    (b"$00", Kind::InvalidLength),
    (b"$05", Kind::InvalidLength),
    (b"$x", Kind::InvalidLength),
    (b"$1234x", Kind::InvalidLength),
    (b"$5\rh", Kind::ExpectedCrlf),
    (b"$?x", Kind::InvalidLength),
    (b"$1\r\nab", Kind::ExpectedCrlf),
    (b"$1\r\na\n", Kind::ExpectedCrlf),
    (b"$1\r\na\ra", Kind::ExpectedCrlf),
    (b"$536870913", Kind::BulkTooLong),
    (b"$999999999", Kind::BulkTooLong),
    (b"!-", Kind::InvalidLength),
    (b"!?", Kind::InvalidLength),
    (b"=-", Kind::InvalidLength),
    (b"=3\r", Kind::InvalidVerbatim),
    (b"=0\r", Kind::InvalidVerbatim),
    (b"=5\r\ntext", Kind::InvalidVerbatim),
    (b"*-2", Kind::InvalidLength),
    (b"*+", Kind::InvalidLength),
    (b"*\r", Kind::InvalidLength),
    (b"*134217729", Kind::AggregateTooLong),
    (b"%-", Kind::InvalidLength),
    (b"%67108865", Kind::AggregateTooLong),
    (b"%92233720", Kind::AggregateTooLong),
    (b"~-", Kind::InvalidLength),
    (b">-", Kind::InvalidLength),
    (b">?", Kind::InvalidLength),
    (b"|-", Kind::InvalidLength),
    (b"|?", Kind::InvalidLength),
    (b"*1\r\n\r", Kind::UnknownType(b'\r')),
    (b"*1\r\n.", Kind::UnexpectedEnd),
    (b"*?\r\n*1\r\n.", Kind::UnexpectedEnd),
    (b"*?\r\n|0\r\n.", Kind::UnexpectedEnd),
    (b"*?\r\n|1\r\n:1\r\n:1\r\n.", Kind::UnexpectedEnd),
    (b"*?\r\n.x", Kind::ExpectedCrlf),
    (b"%?\r\n:1\r\n.", Kind::OddMap),
    (b"%?\r\n:1\r\n:2\r\n:3\r\n.", Kind::OddMap),
    (b"*?\r\n;", Kind::UnexpectedChunk),
    (b"$?\r\n$", Kind::ExpectedChunk),
    (b"$?\r\n.", Kind::ExpectedChunk),
    (b"$?\r\n;?", Kind::InvalidLength),
    (b"$?\r\n;-", Kind::InvalidLength),
    (b"$?\r\n;1\r\nx\r\n+", Kind::ExpectedChunk),
    (b":\r", Kind::InvalidInteger),
    (b":-\r", Kind::InvalidInteger),
    (b":+-", Kind::InvalidInteger),
    (b":1-", Kind::InvalidInteger),
    (b":1 ", Kind::InvalidInteger),
    (b": ", Kind::InvalidInteger),
    (b":1\n", Kind::InvalidInteger),
    (b":9223372036854775808", Kind::InvalidInteger),
    (b":-9223372036854775809", Kind::InvalidInteger),
    (b":1\rx", Kind::ExpectedCrlf),
    (b"+a\n", Kind::ExpectedCrlf),
    (b"+a\ra", Kind::ExpectedCrlf),
    (b"-a\r\r", Kind::ExpectedCrlf),
    (b"_x", Kind::ExpectedCrlf),
    (b"_\n", Kind::ExpectedCrlf),
    (b"#x", Kind::InvalidBoolean),
    (b"#\r", Kind::InvalidBoolean),
    (b"#tt", Kind::ExpectedCrlf),
    (b",\r", Kind::InvalidDouble),
    (b",.", Kind::InvalidDouble),
    (b",1.\r", Kind::InvalidDouble),
    (b",1e\r", Kind::InvalidDouble),
    (b",1e+\r", Kind::InvalidDouble),
    (b",1.5.", Kind::InvalidDouble),
    (b",infi", Kind::ExpectedCrlf),
    (b",ix", Kind::InvalidDouble),
    (b",N", Kind::InvalidDouble),
    (b"(\r", Kind::InvalidBigNumber),
    (b"(-\r", Kind::InvalidBigNumber),
    (b"(1.", Kind::InvalidBigNumber),
];

#[test]
fn every_type_is_framed_and_read() {
    for (frame, expected) in valid() {
        let what = String::from_utf8_lossy(&frame[..frame.len().min(60)]);
        assert_eq!(frames(&frame), Ok(vec![frame.len()]), "{what}");
        assert_eq!(tokens(&frame).unwrap(), expected, "{what}");
        let mut reader = FrameReader::new(&frame);
        assert_eq!(reader.skip_value().unwrap(), frame, "{what}");
        assert!(reader.is_empty());
    }
}

#[test]
fn frames_do_not_depend_on_where_the_bytes_are_cut() {
    for (frame, _) in valid().iter().filter(|(frame, _)| frame.len() < 1000) {
        let stream = [&frame[..], b"+next\r\n", frame].concat();
        let expected = vec![frame.len(), 7, frame.len()];
        assert_eq!(frames(&stream), Ok(expected.clone()));
        assert_eq!(frames_in_pieces(Limits::default(), &stream, &[1]), Ok(expected.clone()));
        for cut in 1..stream.len() {
            let sizes = [cut, stream.len()];
            let lens = frames_in_pieces(Limits::default(), &stream, &sizes);
            assert_eq!(lens, Ok(expected.clone()), "{} cut at {cut}", stream.escape_ascii());
        }
        for step in 2..9 {
            let lens = frames_in_pieces(Limits::default(), &stream, &[step, 1, step + 3]);
            assert_eq!(lens, Ok(expected.clone()));
        }
    }
}

#[test]
fn frames_in_a_row_are_one_readable_run() {
    let cases = valid();
    let stream: Vec<u8> = cases.iter().flat_map(|(frame, _)| frame.clone()).collect();
    let expected: Vec<_> = cases.iter().flat_map(|(_, tokens)| tokens.clone()).collect();
    assert_eq!(frames(&stream), Ok(cases.iter().map(|(frame, _)| frame.len()).collect()));
    assert_eq!(tokens(&stream), Ok(expected));
}

#[test]
fn invalid_bytes_fail_at_the_first_wrong_byte() {
    for &(bytes, kind) in INVALID {
        let what = bytes.escape_ascii();
        let offset = bytes.len() - 1;
        for prefix in [&b""[..], b"*2\r\n:1\r\n", b"%?\r\n:1\r\n*?\r\n"] {
            // In a streamed array these bytes mean something else.
            if prefix.ends_with(b"?\r\n") && bytes.starts_with(b".") {
                continue;
            }
            let offset = prefix.len() + offset;
            // What follows must not matter, and lets the paths for whole values run.
            for behind in ["", "\r\n\r\n", "\n:1\r\n$5\r\nhello\r\n", "0\r\n$5\r\nhello\r\n"] {
                let stream = [prefix, bytes, behind.as_bytes()].concat();
                for sizes in [&[stream.len()][..], &[1], &[offset.max(1), 1, 9], &[offset + 1, 9]] {
                    let error = frames_in_pieces(Limits::default(), &stream, sizes).unwrap_err();
                    assert_eq!((error.kind(), error.offset()), (kind, offset), "{what}");
                }
            }
            let stream = [prefix, bytes].concat();
            assert_eq!(frames(&stream[..offset]), Ok(vec![]), "{what}");
        }
    }
}

#[test]
fn any_wrong_byte_in_a_run_of_equal_strings_is_found_where_it_is() {
    for len in [0, 1, 7, 12, 100, 300] {
        let one = format!("${len}\r\n{}\r\n", "x".repeat(len));
        let other = format!("${}\r\n{}\r\n", len + 1, "x".repeat(len + 1));
        let run = [one.repeat(9), other, one.repeat(2)].concat();
        let array = [b"*12\r\n", run.as_bytes()].concat();
        assert_eq!(frames(&array), Ok(vec![array.len()]));
        let step = 1 + len / 50;
        for at in (5..array.len()).step_by(step) {
            for wrong in *b"\r\n0$x9" {
                let mut bytes = array.clone();
                bytes[at] = wrong;
                let expected = frames_in_pieces(Limits::default(), &bytes, &[1]);
                assert_eq!(frames(&bytes), expected, "{}", bytes.escape_ascii());
            }
        }
    }
}

#[test]
fn reader_gives_the_scanners_error_for_a_wrong_token() {
    for &(bytes, kind) in INVALID {
        let structural = matches!(
            kind,
            Kind::UnexpectedEnd
                | Kind::UnexpectedChunk
                | Kind::ExpectedChunk
                | Kind::OddMap
                | Kind::BulkTooLong
                | Kind::AggregateTooLong
        );
        if !structural {
            let stream = [b":1\r\n", bytes].concat();
            let error = tokens(&stream).unwrap_err();
            assert_eq!((error.kind(), error.offset()), (kind, stream.len() - 1));
        }
    }
}

#[test]
fn reader_reads_an_end_whatever_follows() {
    let mut reader = FrameReader::new(b";0\r\n\r\n");
    assert_eq!(reader.next_token(), Ok(Some(T::End)));
    let error = reader.next_token().unwrap_err();
    assert_eq!((error.kind(), error.offset()), (Kind::UnknownType(b'\r'), 4));
}

#[test]
fn reader_says_when_a_value_is_cut() {
    for (frame, _) in valid().iter().filter(|(frame, _)| frame.len() < 1000) {
        for cut in 0..frame.len() {
            let error = FrameReader::new(&frame[..cut]).skip_value().unwrap_err();
            assert_eq!((error.kind(), error.offset()), (Kind::Truncated, cut));
        }
    }
}

#[test]
fn an_error_stays_until_reset() {
    let mut scanner = Scanner::new(Limits::default());
    let error = scanner.scan(b"?").unwrap_err();
    assert_eq!(scanner.scan(b"+OK\r\n"), Err(error));
    assert_eq!(scanner.scan(b"$2\r\nhi\r\n"), Err(error));
    assert_eq!(error.to_string(), "at byte 0: no RESP type begins with `?`");
    scanner.reset();
    assert_eq!(scanner.scan(b"$2\r\nhi\r\n"), Ok(Some(8)));
}

#[test]
fn reset_forgets_half_a_frame() {
    for part in
        [&b"*2\r\n:1"[..], b"$5\r\nhe", b"$?\r\n;1\r\na", b"=9\r\nt", b"+a", b"*2\r\n*2\r\n"]
    {
        let mut scanner = Scanner::new(Limits::default());
        assert_eq!(scanner.scan(part), Ok(None));
        scanner.reset();
        assert_eq!(scanner.read_hint(), 0);
        assert_eq!(scanner.scan(b"*1\r\n:1\r\n"), Ok(Some(8)));
    }
}

#[test]
fn nan_is_read_with_either_sign() {
    for frame in [b",nan\r\n".as_slice(), b",-nan\r\n"] {
        assert_eq!(frames(frame), Ok(vec![frame.len()]));
        assert!(matches!(tokens(frame).unwrap()[..], [T::Double(value)] if value.is_nan()));
    }
    assert!(matches!(tokens(b",-0\r\n").unwrap()[..], [T::Double(v)] if v.is_sign_negative()));
}

#[test]
fn five_thousand_nested_arrays_are_too_deep() {
    let stream = b"*1\r\n".repeat(5000);
    for sizes in [&[stream.len()][..], &[1], &[7]] {
        let error = frames_in_pieces(Limits::default(), &stream, sizes).unwrap_err();
        // The `\r` of the 129th.
        assert_eq!((error.kind(), error.offset()), (Kind::TooDeep, 128 * 4 + 2));
    }
    // The reader needs no limit: it does not recurse.
    assert_eq!(tokens(&stream).unwrap().len(), 5000);
    let error = FrameReader::new(&stream).skip_value().unwrap_err();
    assert_eq!(error.kind(), Kind::Truncated);
}

#[test]
fn depth_counts_what_is_open_and_nothing_else() {
    let limits = Limits { depth: 2, ..Limits::default() };
    let ok: &[&[u8]] = &[
        b"*1\r\n*1\r\n*0\r\n",
        b"*2\r\n*1\r\n:1\r\n*1\r\n:2\r\n",
        b"*3\r\n*1\r\n:1\r\n*1\r\n:2\r\n*1\r\n*0\r\n",
        b"*?\r\n*?\r\n.\r\n*?\r\n.\r\n.\r\n",
        b"|1\r\n:1\r\n*1\r\n:2\r\n*1\r\n*1\r\n:1\r\n",
        b"*?\r\n|1\r\n:1\r\n:2\r\n*1\r\n:1\r\n.\r\n",
        b"*1\r\n|1\r\n:1\r\n:2\r\n*1\r\n:1\r\n",
    ];
    let too_deep: &[&[u8]] = &[
        b"*1\r\n*1\r\n*1\r\n:1\r\n",
        b"*2\r\n*1\r\n:1\r\n*1\r\n*1\r\n:1\r\n",
        b"*?\r\n*?\r\n*?\r\n.\r\n.\r\n.\r\n",
        b"|1\r\n:1\r\n*1\r\n*1\r\n:2\r\n:3\r\n",
        b"*1\r\n*1\r\n|1\r\n:1\r\n:1\r\n:1\r\n",
        b"*?\r\n|1\r\n:1\r\n*1\r\n:2\r\n*1\r\n*1\r\n:1\r\n.\r\n",
    ];
    for sizes in [[1].as_slice(), &[1000]] {
        for frame in ok {
            let lens = frames_in_pieces(limits, frame, sizes);
            assert_eq!(lens, Ok(vec![frame.len()]), "{}", frame.escape_ascii());
        }
        for frame in too_deep {
            let error = frames_in_pieces(limits, frame, sizes).unwrap_err();
            assert_eq!(error.kind(), Kind::TooDeep, "{}", frame.escape_ascii());
        }
    }
}

#[test]
fn limits_hold_to_the_byte() {
    let bulk = |bulk| Limits { bulk, ..Limits::default() };
    let frame = |frame| Limits { frame, ..Limits::default() };
    let aggregate = |aggregate| Limits { aggregate, ..Limits::default() };
    let cases: &[(&[u8], Limits, Limits, Kind)] = &[
        (b"$5\r\nhello\r\n", bulk(5), bulk(4), Kind::BulkTooLong),
        (b"*1\r\n$5\r\nhello\r\n", bulk(5), bulk(4), Kind::BulkTooLong),
        (b"!5\r\nhello\r\n", bulk(5), bulk(4), Kind::BulkTooLong),
        (b"=5\r\ntxt:x\r\n", bulk(5), bulk(4), Kind::BulkTooLong),
        (b"$?\r\n;2\r\nab\r\n;3\r\ncde\r\n;0\r\n", bulk(5), bulk(4), Kind::BulkTooLong),
        (b"$5\r\nhello\r\n", frame(11), frame(10), Kind::FrameTooLong),
        (b"*2\r\n:1\r\n$1\r\na\r\n", frame(15), frame(14), Kind::FrameTooLong),
        (b"+hello\r\n", frame(8), frame(7), Kind::FrameTooLong),
        (b"*2\r\n:1\r\n:2\r\n", frame(12), frame(11), Kind::FrameTooLong),
        (b"*3\r\n:1\r\n:2\r\n:3\r\n", aggregate(3), aggregate(2), Kind::AggregateTooLong),
        (b"%1\r\n:1\r\n:2\r\n", aggregate(2), aggregate(1), Kind::AggregateTooLong),
        (b"|1\r\n:1\r\n:2\r\n:3\r\n", aggregate(2), aggregate(1), Kind::AggregateTooLong),
    ];
    for &(bytes, enough, less, kind) in cases {
        let what = bytes.escape_ascii();
        let mut errors = Vec::new();
        for sizes in [&[1][..], &[2, 3], &[1000]] {
            assert_eq!(frames_in_pieces(enough, bytes, sizes), Ok(vec![bytes.len()]), "{what}");
            errors.push(frames_in_pieces(less, bytes, sizes).unwrap_err());
        }
        assert_eq!(errors[0].kind(), kind, "{what}");
        assert!(errors.iter().all(|error| *error == errors[0]), "{what}: {errors:?}");
    }
}

#[test]
fn unlimited_counts_do_not_overflow() {
    let limits = Limits {
        depth: usize::MAX,
        bulk: usize::MAX,
        aggregate: usize::MAX,
        frame: usize::MAX,
        inline: usize::MAX,
    };
    let cases: &[(&[u8], Kind)] = &[
        (b"$18446744073709551615\r\n", Kind::FrameTooLong),
        (b"$99999999999999999999\r\n", Kind::FrameTooLong),
        (b"%9223372036854775807\r\n", Kind::AggregateTooLong),
        (b"*18446744073709551615\r\n", Kind::AggregateTooLong),
        (b"|18446744073709551615\r\n", Kind::AggregateTooLong),
    ];
    for &(bytes, kind) in cases {
        for sizes in [&[1][..], &[1000]] {
            let error = frames_in_pieces(limits, bytes, sizes).unwrap_err();
            assert_eq!(error.kind(), kind, "{}", bytes.escape_ascii());
        }
        assert!(FrameReader::new(bytes).skip_value().is_err());
    }
}

#[test]
fn hint_is_what_a_large_bulk_still_needs() {
    let mut scanner = Scanner::new(Limits::default());
    let frame = b"*2\r\n$1000\r\n".iter().copied().chain([b'x'; 1000]).chain(*b"\r\n:1\r\n");
    let frame: Vec<u8> = frame.collect();
    assert_eq!(scanner.scan(&frame[..8]), Ok(None));
    assert_eq!(scanner.read_hint(), 0);
    assert_eq!(scanner.scan(&frame[..11]), Ok(None));
    assert_eq!(scanner.read_hint(), 1002);
    assert_eq!(scanner.scan(&frame[..511]), Ok(None));
    assert_eq!(scanner.read_hint(), 502);
    assert_eq!(scanner.scan(&frame[..1012]), Ok(None));
    assert_eq!(scanner.read_hint(), 1);
    assert_eq!(scanner.scan(&frame[..1013]), Ok(None));
    assert_eq!(scanner.read_hint(), 0);
    assert_eq!(scanner.scan(&frame), Ok(Some(frame.len())));
    assert_eq!(scanner.read_hint(), 0);

    assert_eq!(scanner.scan(b"=10\r\nt"), Ok(None));
    assert_eq!(scanner.read_hint(), 11);
}

#[test]
fn kind_of_a_frame_ignores_attributes() {
    let attribute = b"|1\r\n+a\r\n*1\r\n-no\r\n".as_slice();
    let cases: &[(&[u8], FrameKind)] = &[
        (b"+OK\r\n", FrameKind::Reply),
        (b"*1\r\n-ERR\r\n", FrameKind::Reply),
        (b"-ERR\r\n", FrameKind::Error),
        (b"!3\r\nERR\r\n", FrameKind::Error),
        (b">1\r\n:1\r\n", FrameKind::Push),
    ];
    for &(frame, kind) in cases {
        assert_eq!(frame_kind(frame), kind);
        assert_eq!(frame_kind(&[attribute, frame].concat()), kind);
        assert_eq!(frame_kind(&[attribute, b"|0\r\n", frame].concat()), kind);
    }
    assert_eq!(frame_kind(b""), FrameKind::Reply);
    assert_eq!(frame_kind(b"|1\r\n"), FrameKind::Reply);
}

#[test]
fn data_is_read_without_attributes() {
    let frame = b"|1\r\n+k\r\n*?\r\n:9\r\n.\r\n*2\r\n|0\r\n:1\r\n|1\r\n|1\r\n:7\r\n:7\r\n:8\r\n:8\r\n:2\r\n";
    assert_eq!(frames(frame), Ok(vec![frame.len()]));
    let mut reader = FrameReader::new(frame);
    assert_eq!(reader.peek_data(), Ok(Some(T::Array(Some(2)))));
    assert_eq!(reader.position(), 0);
    assert_eq!(reader.next_data(), Ok(Some(T::Array(Some(2)))));
    assert_eq!(reader.next_data(), Ok(Some(T::Integer(1))));
    let rest = reader.remaining();
    assert_eq!(reader.clone().skip_value(), Ok(rest));
    assert_eq!(reader.peek_data(), Ok(Some(T::Integer(2))));
    assert_eq!(reader.next_data(), Ok(Some(T::Integer(2))));
    assert_eq!(reader.next_data(), Ok(None));
    assert_eq!(reader.position(), frame.len());
}

#[test]
fn feeding_byte_by_byte_is_linear() {
    // Quadratic work would be 10^12 steps here and never end.
    let mut scanner = Scanner::new(Limits::default());
    let len = 1 << 20;
    let bulk = [format!("${len}\r\n").as_bytes(), &vec![b'\n'; len], b"\r\n"].concat();
    let line = [b"+", &vec![b'x'; len][..], b"\r\n"].concat();
    let array = [b"*262144\r\n".as_slice(), &b":1\r\n".repeat(len / 4)].concat();
    let number = [b"(", &vec![b'1'; len][..], b"\r\n"].concat();
    for frame in [bulk, line, array, number] {
        for end in 0..frame.len() {
            assert_eq!(scanner.scan(&frame[..end]), Ok(None));
        }
        assert_eq!(scanner.scan(&frame), Ok(Some(frame.len())));
    }
}
