//! What is written: requests with their announced arguments, replies in either protocol.

use bytes::BytesMut;
use resp_proto::{
    FrameReader, Limits, Protocol, ReplyEncoder, RequestEncoder, Scanner, Sink, Token, request,
};

#[test]
fn lengths_of_every_size_are_written() {
    for len in [0, 1, 9, 10, 99, 100, 999, 1000, 12345] {
        let arg = vec![b'x'; len];
        let mut out = Vec::new();
        request::bulk(&mut out, &arg);
        let expected = [format!("${len}\r\n").as_bytes(), &arg, b"\r\n"].concat();
        assert_eq!(out, expected);
        assert_eq!(request::bulk_len(len), expected.len());
        let mut out = BytesMut::new();
        request::bulk_header(&mut out, len);
        assert_eq!(out, format!("${len}\r\n"));
        let mut out = Vec::new();
        request::array_header(&mut out, len);
        assert_eq!(out, format!("*{len}\r\n").into_bytes());
        assert_eq!(request::array_header_len(len), out.len());
    }
}

#[test]
fn numbers_are_written_as_arguments() {
    let mut out = Vec::new();
    let mut encoder = RequestEncoder::new(&mut out);
    encoder.command(8).integer(0).integer(i64::MIN).unsigned(u64::MAX).unsigned(99);
    encoder.double(-0.0).double(1e300).double(f64::NAN).double(f64::INFINITY);
    encoder.finish();
    assert_eq!(
        out,
        b"*8\r\n$1\r\n0\r\n$20\r\n-9223372036854775808\r\n$20\r\n18446744073709551615\r\n$2\r\n99\r\n\
          $2\r\n-0\r\n$5\r\n1e300\r\n$3\r\nnan\r\n$3\r\ninf\r\n"
    );
}

#[test]
fn a_sink_of_ones_own_gets_the_same_bytes() {
    #[derive(Default)]
    struct Inline {
        bytes: [u8; 32],
        len: usize,
    }
    impl Sink for Inline {
        fn put(&mut self, bytes: &[u8]) {
            self.bytes[self.len..][..bytes.len()].copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }
    let mut out = Inline::default();
    request::array_header(&mut out, 1);
    request::bulk(&mut out, b"PING");
    assert_eq!(&out.bytes[..out.len], b"*1\r\n$4\r\nPING\r\n");
}

#[test]
fn a_prefix_made_at_compile_time_is_the_one_written() {
    const PREFIX: [u8; request::command_prefix_len(123, &["CONFIG", "GET", "abcdefghijk"])] =
        request::command_prefix(123, &["CONFIG", "GET", "abcdefghijk"]);
    let mut out = Vec::new();
    request::array_header(&mut out, 123);
    for arg in ["CONFIG", "GET", "abcdefghijk"] {
        request::bulk(&mut out, arg.as_bytes());
    }
    assert_eq!(PREFIX, *out);
}

#[test]
#[should_panic(expected = "at least the command's name")]
fn an_empty_request_is_refused() {
    RequestEncoder::new(&mut Vec::new()).command(0);
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "1 arguments of a request are missing")]
fn a_missing_argument_is_noticed() {
    RequestEncoder::new(&mut Vec::new()).command(2).arg(b"GET").finish();
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "more arguments than announced")]
fn an_argument_too_many_is_noticed() {
    RequestEncoder::new(&mut Vec::new()).command(1).arg(b"GET").arg(b"key");
}

#[test]
fn every_reply_type_has_a_rendering_in_both_protocols() {
    let written = |protocol| {
        let mut out = Vec::new();
        let mut encoder = ReplyEncoder::new(&mut out, protocol);
        encoder.simple_string(b"a\r\nb\n").simple_error(b"ERR a\rb").blob_error(b"ERR a\nb");
        encoder.integer(7).integer(-123).integer(i64::MAX).integer(i64::MIN);
        encoder.bulk(b"a\r\n").null().null_array().boolean(true).boolean(false);
        encoder.double(1.5).double(f64::NEG_INFINITY).big_number(b"-12").verbatim(*b"txt", b"hi");
        encoder.array(12).map(2).set(2).push(2);
        String::from_utf8(out).unwrap()
    };
    let common = "+a  b \r\n-ERR a b\r\n";
    let integers =
        ":7\r\n:-123\r\n:9223372036854775807\r\n:-9223372036854775808\r\n$3\r\na\r\n\r\n";
    assert_eq!(
        written(Protocol::Resp2),
        format!(
            "{common}-ERR a b\r\n{integers}$-1\r\n*-1\r\n:1\r\n:0\r\n\
             $3\r\n1.5\r\n$4\r\n-inf\r\n$3\r\n-12\r\n$2\r\nhi\r\n*12\r\n*4\r\n*2\r\n*2\r\n"
        )
    );
    assert_eq!(
        written(Protocol::Resp3),
        format!(
            "{common}!7\r\nERR a\nb\r\n{integers}_\r\n_\r\n#t\r\n#f\r\n\
             ,1.5\r\n,-inf\r\n(-12\r\n=6\r\ntxt:hi\r\n*12\r\n%2\r\n~2\r\n>2\r\n"
        )
    );
}

#[test]
fn strings_in_pieces_and_facts_beside_a_value_read_back() {
    let written = |protocol| {
        let mut out = Vec::new();
        let mut reply = ReplyEncoder::new(&mut out, protocol);
        reply.attribute(1, |reply| {
            reply.bulk(b"ttl").integer(60);
        });
        reply.streamed_string(&[b"hel", b"", b"lo"]);
        out
    };
    assert_eq!(written(Protocol::Resp2), b"$5\r\nhello\r\n");
    let resp3 = written(Protocol::Resp3);
    assert_eq!(Scanner::new(Limits::default()).scan(&resp3), Ok(Some(resp3.len())));
    let mut reader = FrameReader::new(&resp3);
    assert_eq!(reader.next_data(), Ok(Some(Token::StreamedString)));
    assert_eq!(reader.next_data(), Ok(Some(Token::Chunk(b"hel"))));
    assert_eq!(reader.next_data(), Ok(Some(Token::Chunk(b"lo"))));
    assert_eq!(reader.next_data(), Ok(Some(Token::End)));
    assert_eq!(reader.next_data(), Ok(None));
}
