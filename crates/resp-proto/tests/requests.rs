//! Requests on the server's side: multibulk and inline, valid and invalid, however they are cut.

use bytes::{Bytes, BytesMut};
use resp_proto::{Limits, ProtocolError, ProtocolErrorKind as Kind, RequestDecoder};

/// All requests of a stream that arrives in pieces of these sizes (repeated).
fn requests_in_pieces(
    limits: Limits,
    stream: &[u8],
    sizes: &[usize],
) -> (Vec<Vec<Bytes>>, Result<usize, ProtocolError>) {
    let mut decoder = RequestDecoder::new(limits);
    let (mut input, mut args, mut requests) = (BytesMut::new(), Vec::new(), Vec::new());
    let mut sizes = sizes.iter().cycle();
    let mut rest = stream;
    loop {
        let piece = rest.len().min(sizes.next().copied().unwrap_or(1).max(1));
        input.extend_from_slice(&rest[..piece]);
        rest = &rest[piece..];
        loop {
            match decoder.decode(&mut input, &mut args) {
                Ok(true) => requests.push(args.clone()),
                Ok(false) => break,
                Err(error) => {
                    assert!(args.is_empty());
                    assert_eq!(decoder.decode(&mut input, &mut args), Err(error));
                    return (requests, Err(error));
                }
            }
        }
        if rest.is_empty() {
            return (requests, Ok(input.len()));
        }
    }
}

fn requests(stream: &[u8]) -> Vec<Vec<Bytes>> {
    let (requests, rest) = requests_in_pieces(Limits::default(), stream, &[stream.len()]);
    assert_eq!(rest, Ok(0), "{}", stream.escape_ascii());
    requests
}

#[test]
fn pipelined_requests_do_not_depend_on_where_the_bytes_are_cut() {
    let long = "x".repeat(300);
    let stream = format!(
        "*1\r\n$4\r\nPING\r\nping\r\n*0\r\n\r\n\n*-1\r\n \t\r\n\
         *3\r\n$3\r\nSET\r\n$0\r\n\r\n$300\r\n{long}\r\nset k \"a\\r\\nb\" 'c d'\n\
         *12\r\n{}",
        "$2\r\n\r\n\r\n".repeat(12)
    );
    let expected: Vec<Vec<&[u8]>> = vec![
        vec![b"PING"],
        vec![b"ping"],
        vec![b"SET", b"", long.as_bytes()],
        vec![b"set", b"k", b"a\r\nb", b"c d"],
        vec![b"\r\n"; 12],
    ];
    let stream = stream.as_bytes();
    assert_eq!(requests(stream), expected);
    for cut in 1..stream.len() {
        let (requests, rest) = requests_in_pieces(Limits::default(), stream, &[cut, stream.len()]);
        assert_eq!((requests, rest), (expected.iter().map(owned).collect(), Ok(0)), "cut at {cut}");
    }
    for size in 1..20 {
        let (requests, rest) = requests_in_pieces(Limits::default(), stream, &[size, 1, 2]);
        assert_eq!((requests, rest), (expected.iter().map(owned).collect(), Ok(0)));
    }
}

fn owned(args: &Vec<&[u8]>) -> Vec<Bytes> {
    args.iter().map(|arg| Bytes::copy_from_slice(arg)).collect()
}

#[test]
fn inline_lines_are_split_as_the_server_splits_them() {
    let cases: &[(&[u8], &[&[u8]])] = &[
        (b"get key", &[b"get", b"key"]),
        (b"  get\t\x0b\x0ckey  ", &[b"get", b"key"]),
        (b"set k \"\"", &[b"set", b"k", b""]),
        (b"set k ''", &[b"set", b"k", b""]),
        (br#"set k "a\"b""#, &[b"set", b"k", b"a\"b"]),
        (br"set k 'a\'b\n'", &[b"set", b"k", br"a'b\n"]),
        (br#"set k "\x41\x6a\xFF\n\r\t\b\a\q\\""#, &[b"set", b"k", b"Aj\xff\n\r\t\x08\x07q\\"]),
        (br#"set k "\x4""#, &[b"set", b"k", b"x4"]),
        (br#"set k "\xzz""#, &[b"set", b"k", b"xzz"]),
        (br#"set k ab"c d" e"#, &[b"set", b"k", b"abc d", b"e"]),
        (br"a\b c\ d", &[br"a\b", br"c\", b"d"]),
        (b"get key\0 more", &[b"get", b"key"]),
        (b"GET / HTTP/1.1", &[b"GET", b"/", b"HTTP/1.1"]),
        (b"$5", &[b"$5"]),
    ];
    for (line, args) in cases {
        for ending in [&b"\n"[..], b"\r\n"] {
            let stream = [line, ending].concat();
            assert_eq!(requests(&stream), [args.to_vec()], "{}", line.escape_ascii());
        }
    }
}

#[test]
fn unbalanced_quotes_are_an_error_where_they_show() {
    let cases: &[(&[u8], usize)] = &[
        (b"set \"k", 6),
        (b"set 'k", 6),
        (br#"set "k\""#, 8),
        (b"set 'k' \"", 9),
        (b"set \"k\"x", 7),
        (b"set 'k''x'", 7),
        (b"set \"a\0b\"", 6),
    ];
    for &(line, offset) in cases {
        let stream = [line, b"\r\nPING\r\n"].concat();
        for sizes in [&[1][..], &[100]] {
            let (requests, result) = requests_in_pieces(Limits::default(), &stream, sizes);
            assert!(requests.is_empty());
            let error = result.unwrap_err();
            assert_eq!((error.kind(), error.offset()), (Kind::UnbalancedQuotes, offset));
        }
    }
}

#[test]
fn invalid_requests_fail_at_the_first_wrong_byte() {
    let cases: &[(&[u8], Kind)] = &[
        (b"*\r", Kind::InvalidLength),
        (b"*x", Kind::InvalidLength),
        (b"*+", Kind::InvalidLength),
        (b"* ", Kind::InvalidLength),
        (b"*-2", Kind::InvalidLength),
        (b"*01", Kind::InvalidLength),
        (b"*?", Kind::InvalidLength),
        (b"*1\n", Kind::InvalidLength),
        (b"*1\rx", Kind::ExpectedCrlf),
        (b"*134217729", Kind::AggregateTooLong),
        (b"*1\r\n*", Kind::ExpectedBulk),
        (b"*1\r\n:", Kind::ExpectedBulk),
        (b"*1\r\n\r", Kind::ExpectedBulk),
        (b"*2\r\n$1\r\na\r\nx", Kind::ExpectedBulk),
        (b"*1\r\n$-", Kind::InvalidLength),
        (b"*1\r\n$?", Kind::InvalidLength),
        (b"*1\r\n$\r", Kind::InvalidLength),
        (b"*1\r\n$01", Kind::InvalidLength),
        (b"*1\r\n$1\r\r", Kind::ExpectedCrlf),
        (b"*1\r\n$536870913", Kind::BulkTooLong),
        (b"*1\r\n$1\r\nab", Kind::ExpectedCrlf),
        (b"*1\r\n$1\r\na\rb", Kind::ExpectedCrlf),
    ];
    for &(bytes, kind) in cases {
        let offset = bytes.len() - 1;
        let stream = [b"PING\r\n*0\r\n", bytes, b"\r\n\r\n"].concat();
        for sizes in [&[1][..], &[10 + offset, 1, 9], &[11 + offset, 9], &[1000]] {
            let (requests, result) = requests_in_pieces(Limits::default(), &stream, sizes);
            let error = result.unwrap_err();
            assert_eq!((error.kind(), error.offset()), (kind, offset), "{}", bytes.escape_ascii());
            assert_eq!(requests, [["PING"]]);
        }
        let (_, result) = requests_in_pieces(Limits::default(), &stream[..10 + offset], &[1000]);
        assert_eq!(result, Ok(offset), "{}", bytes.escape_ascii());
    }
}

#[test]
fn limits_hold_to_the_byte() {
    let inline = |inline| Limits { inline, ..Limits::default() };
    let bulk = |bulk| Limits { bulk, ..Limits::default() };
    let frame = |frame| Limits { frame, ..Limits::default() };
    let aggregate = |aggregate| Limits { aggregate, ..Limits::default() };
    let cases: &[(&[u8], Limits, Limits, Kind)] = &[
        (b"get key\r\n", inline(7), inline(6), Kind::InlineTooLong),
        (b"get key\n", inline(7), inline(6), Kind::InlineTooLong),
        (b"get key\r\n", frame(9), frame(8), Kind::FrameTooLong),
        (b"*2\r\n$1\r\na\r\n$4\r\nabcd\r\n", bulk(4), bulk(3), Kind::BulkTooLong),
        (b"*2\r\n$1\r\na\r\n$4\r\nabcd\r\n", aggregate(2), aggregate(1), Kind::AggregateTooLong),
        (b"*2\r\n$1\r\na\r\n$4\r\nabcd\r\n", frame(21), frame(20), Kind::FrameTooLong),
    ];
    for &(stream, enough, less, kind) in cases {
        let mut errors = Vec::new();
        for sizes in [&[1][..], &[3], &[1000]] {
            let (requests, rest) = requests_in_pieces(enough, stream, sizes);
            assert_eq!((requests.len(), rest), (1, Ok(0)), "{}", stream.escape_ascii());
            errors.push(requests_in_pieces(less, stream, sizes).1.unwrap_err());
        }
        assert_eq!(errors[0].kind(), kind, "{}", stream.escape_ascii());
        assert!(errors.iter().all(|error| *error == errors[0]), "{errors:?}");
    }
}

#[test]
fn an_endless_line_is_refused_before_it_ends() {
    let stream = vec![b'x'; 100_000];
    let (_, result) = requests_in_pieces(Limits::default(), &stream, &[1]);
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.offset()), (Kind::InlineTooLong, 64 * 1024 + 1));
}

#[test]
fn arguments_share_the_buffer() {
    let mut input = BytesMut::from("*2\r\n$3\r\nGET\r\n$3\r\nkey\r\nget key\r\n");
    let memory = input.as_ptr_range();
    let (mut decoder, mut args) = (RequestDecoder::new(Limits::default()), Vec::new());
    for _ in 0..2 {
        assert!(decoder.decode(&mut input, &mut args).unwrap());
        assert!(args.iter().all(|arg| memory.contains(&arg.as_ptr())));
    }
}

#[test]
fn hint_is_what_a_large_argument_still_needs() {
    let mut input = BytesMut::from("*2\r\n$1\r\na\r\n$1000\r\nxx");
    let (mut decoder, mut args) = (RequestDecoder::new(Limits::default()), Vec::new());
    assert_eq!(decoder.decode(&mut input, &mut args), Ok(false));
    assert_eq!(decoder.read_hint(), 1000);
    input.extend_from_slice(&[b'x'; 998]);
    assert_eq!(decoder.decode(&mut input, &mut args), Ok(false));
    assert_eq!(decoder.read_hint(), 2);
    input.extend_from_slice(b"\r\n");
    assert_eq!(decoder.decode(&mut input, &mut args), Ok(true));
    assert_eq!((args.len(), args[1].len(), decoder.read_hint()), (2, 1000, 0));
}

#[test]
fn reset_forgets_a_failure_and_half_a_request() {
    let mut decoder = RequestDecoder::new(Limits::default());
    let mut args = Vec::new();
    for half in [&b"*1\r\n$-5\r\n"[..], b"*2\r\n$4\r\nECHO\r\n$10\r\nab"] {
        let mut input = BytesMut::from(half);
        assert_ne!(decoder.decode(&mut input, &mut args), Ok(true));
        decoder.reset();
        assert_eq!(decoder.read_hint(), 0);
        let mut input = BytesMut::from("*1\r\n$4\r\nPING\r\n");
        assert_eq!(decoder.decode(&mut input, &mut args), Ok(true));
        assert_eq!(args, ["PING"]);
    }
}
