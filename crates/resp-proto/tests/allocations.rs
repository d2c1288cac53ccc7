//! What framing, reading and decoding allocate, counted; and that hostile announcements take nothing.

mod common;

use allocation_counter::{AllocationInfo, measure};
use bytes::{Bytes, BytesMut};
use resp_proto::{
    FrameReader, Limits, ProtocolError, ProtocolErrorKind as Kind, RequestDecoder, Scanner, Token,
    frame_kind,
};

/// The most that anything hostile may take.
const FLAT: u64 = 16 * 1024;

/// An array of this many short strings of different lengths.
fn array(elements: usize) -> Vec<u8> {
    let mut frame = format!("*{elements}\r\n").into_bytes();
    for i in 0..elements {
        let text = format!("element:{}", i * i);
        frame.extend_from_slice(format!("${}\r\n{text}\r\n", text.len()).as_bytes());
    }
    frame
}

/// A map of maps of maps, with arrays and sets in them, every level of `width` pairs.
fn maps(depth: usize, width: usize, out: &mut Vec<u8>) {
    if depth == 0 {
        return out.extend_from_slice(b"*2\r\n:1\r\n~1\r\n,1.5\r\n");
    }
    out.extend_from_slice(format!("%{width}\r\n").as_bytes());
    for i in 0..width {
        out.extend_from_slice(format!("+key{i}\r\n").as_bytes());
        maps(depth - 1, width, out);
    }
}

fn frame_in_pieces(frame: &[u8], size: usize) -> AllocationInfo {
    measure(|| {
        let mut scanner = Scanner::new(Limits::default());
        let ends = (size..frame.len()).step_by(size);
        for end in ends {
            assert_eq!(scanner.scan(&frame[..end]), Ok(None));
        }
        assert_eq!(scanner.scan(frame), Ok(Some(frame.len())));
    })
}

fn walk(frame: &[u8]) -> AllocationInfo {
    measure(|| {
        let mut reader = FrameReader::new(frame);
        while reader.next_token().expect("a scanned frame").is_some() {}
        let mut reader = FrameReader::new(frame);
        while reader.next_data().expect("a scanned frame").is_some() {}
        let mut reader = FrameReader::new(frame);
        assert_eq!(reader.skip_value(), Ok(frame));
        frame_kind(frame);
    })
}

#[test]
fn array_of_a_thousand_strings_takes_two_allocations_to_frame_and_none_to_walk() {
    let frame = array(1000);
    for size in [frame.len(), 4096, 1000, 1] {
        let framed = frame_in_pieces(&frame, size);
        assert!(framed.count_total <= 2, "pieces of {size}: {framed:?}");
    }
    assert_eq!(walk(&frame).count_total, 0);
}

#[test]
fn nested_maps_take_what_their_depth_needs_and_none_to_walk() {
    let mut frame = Vec::new();
    maps(6, 4, &mut frame);
    for size in [frame.len(), 100, 1] {
        let framed = frame_in_pieces(&frame, size);
        assert!(framed.count_total <= 3 && framed.bytes_max <= 512, "pieces of {size}: {framed:?}");
    }
    assert_eq!(walk(&frame).count_total, 0);
}

#[test]
fn scanner_keeps_its_memory_from_frame_to_frame() {
    let mut frame = Vec::new();
    maps(6, 4, &mut frame);
    let mut scanner = Scanner::new(Limits::default());
    assert_eq!(scanner.scan(&frame), Ok(Some(frame.len())));
    let again = measure(|| {
        for _ in 0..10 {
            assert_eq!(scanner.scan(&frame), Ok(Some(frame.len())));
        }
    });
    assert_eq!(again.count_total, 0);
}

#[test]
fn request_takes_no_allocation_an_argument() {
    let mut input = BytesMut::from(&array(1000)[..]);
    let (mut decoder, mut args) = (RequestDecoder::new(Limits::default()), Vec::new());
    let decoded = measure(|| assert_eq!(decoder.decode(&mut input, &mut args), Ok(true)));
    assert_eq!(args.len(), 1000);
    // Two lists that grow, and what the arguments share.
    assert!((1..=30).contains(&decoded.count_total), "{decoded:?}");

    let mut input = BytesMut::from(&array(1000)[..]);
    let again = measure(|| assert_eq!(decoder.decode(&mut input, &mut args), Ok(true)));
    assert!(again.count_total <= 2, "{again:?}");
}

/// What a scanner makes of hostile bytes, at once and byte by byte, and what it took.
fn refused(stream: &[u8]) -> (ProtocolError, u64) {
    let mut errors = [None; 2];
    let took = measure(|| {
        let mut scanner = Scanner::new(Limits::default());
        errors[0] = scanner.scan(stream).err();
        let mut scanner = Scanner::new(Limits::default());
        errors[1] = (1..=stream.len()).find_map(|end| scanner.scan(&stream[..end]).err());
    });
    assert_eq!(errors[0], errors[1]);
    (errors[0].expect("the bytes are refused"), took.bytes_max)
}

#[test]
fn four_billion_elements_in_twelve_bytes_are_refused_and_take_nothing() {
    for kind in ["*", "~", ">", "%", "|"] {
        let announcement = format!("{kind}4294967295");
        let (error, peak) = refused(announcement.as_bytes());
        assert_eq!((error.kind(), peak), (Kind::AggregateTooLong, 0), "{announcement}");
    }
    // As many as are allowed: nothing is wrong yet, and nothing is reserved.
    for header in ["*134217728\r\n", "%67108864\r\n", "$536870912\r\n"] {
        let took = measure(|| {
            assert_eq!(Scanner::new(Limits::default()).scan(header.as_bytes()), Ok(None));
            let mut reader = FrameReader::new(header.as_bytes());
            assert!(reader.skip_value().is_err());
        });
        assert!(took.bytes_max <= 256, "{header:?}: {took:?}");
    }
}

#[test]
fn twenty_kilobytes_of_nested_arrays_are_refused_and_take_little() {
    for (header, tail) in
        [("*1\r\n", ""), ("%1\r\n+\r\n", ""), ("*?\r\n", ""), ("*2\r\n", ":1\r\n")]
    {
        let times = 20_000 / header.len();
        let stream = [header.repeat(times), tail.repeat(times)].concat();
        let (error, peak) = refused(stream.as_bytes());
        assert_eq!(error.kind(), Kind::TooDeep, "{header:?}");
        assert!(peak <= FLAT, "{header:?}: {peak} bytes");
        assert!(error.offset() < 130 * header.len(), "at once: {error}");
        // A reader has no stack that could overflow.
        let walked = measure(|| {
            let mut reader = FrameReader::new(stream.as_bytes());
            while let Ok(Some(token)) = reader.next_token() {
                assert_ne!(token, Token::Null);
            }
            let _ = FrameReader::new(stream.as_bytes()).skip_value();
        });
        assert_eq!(walked.count_total, 0);
    }
}

#[test]
fn every_negative_length_is_refused_at_once_and_takes_nothing() {
    for kind in ["$", "*", "~", ">", "%", "|", "=", "!", "$?\r\n;"] {
        for number in ["-1", "-0", "-2", "-10", "-4294967295", "-9223372036854775808"] {
            if matches!((kind, number), ("$" | "*", "-1")) {
                continue;
            }
            let (error, peak) = refused(format!("{kind}{number}\r\n").as_bytes());
            assert_eq!((error.kind(), peak), (Kind::InvalidLength, 0), "{kind}{number}");
            // The sign shows it, or for `$` and `*`, which know `-1`, what follows that.
            let shown = if matches!(kind, "$" | "*") { 1..=3 } else { 1..=5 };
            assert!(shown.contains(&error.offset()), "{kind}{number}: {error}");
        }
    }
    for kind in ["$", "*"] {
        assert_eq!(common::tokens(format!("{kind}-1\r\n").as_bytes()), Ok(vec![Token::Null]));
    }
}

#[test]
fn hostile_requests_are_refused_and_take_little() {
    let refused = |stream: &[u8]| {
        let mut error = None;
        let mut input = BytesMut::from(stream);
        let took = measure(|| {
            let mut args: Vec<Bytes> = Vec::new();
            let mut decoder = RequestDecoder::new(Limits::default());
            error = decoder.decode(&mut input, &mut args).err();
        });
        assert!(took.bytes_max <= FLAT, "{}: {took:?}", stream.escape_ascii());
        error.map(|error| error.kind())
    };
    assert_eq!(refused(b"*4294967295\r\n"), Some(Kind::AggregateTooLong));
    assert_eq!(refused(b"*134217728\r\n$1\r\na\r\n"), None);
    assert_eq!(refused(b"*1\r\n$4294967295\r\n"), Some(Kind::BulkTooLong));
    assert_eq!(refused(b"*1\r\n$536870912\r\n"), None);
    assert_eq!(refused(&b"*1\r\n".repeat(5000)), Some(Kind::ExpectedBulk));
    for number in ["-2", "-10", "-4294967295", "-9223372036854775808"] {
        assert_eq!(refused(format!("*{number}\r\n").as_bytes()), Some(Kind::InvalidLength));
        assert_eq!(refused(format!("*1\r\n${number}\r\n").as_bytes()), Some(Kind::InvalidLength));
    }
    assert_eq!(refused(b"*1\r\n$-1\r\n"), Some(Kind::InvalidLength));
}
