//! How long framing, walking and encoding take, in memory: nanoseconds per value, the best and the
//! median of several rounds.
//!
//! `cargo run --release -p resp-proto --example codec_bench [part of a row's name]`

#![allow(clippy::print_stdout, reason = "a benchmark reports on stdout")]

use std::{hint::black_box, time::Instant};

use bytes::BytesMut;
use resp_proto::{
    FrameKind, FrameReader, Frames, Limits, RequestEncoder, Scanner, Token, frame_kind, request,
};

const CHUNK: usize = 16 * 1024;
const ROUNDS: usize = 15;

fn main() {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let row = |name: &str, values: usize, work: &mut dyn FnMut() -> usize| {
        if !name.contains(&filter) {
            return;
        }
        let mut times: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let start = Instant::now();
                black_box(work());
                start.elapsed().as_nanos() as f64 / values as f64
            })
            .collect();
        times.sort_by(f64::total_cmp);
        println!("{name:58} {:8.2} best {:8.2} median", times[0], times[ROUNDS / 2]);
    };

    let bulks = b"$5\r\nhello\r\n".repeat(3_000_000);
    row("limit: skip small bulks unchecked", 3_000_000, &mut || skip(&bulks));
    row("frame small bulks, 16 KiB chunks", 3_000_000, &mut || frame(&bulks, CHUNK));
    row("frame and kind of small bulks, 16 KiB chunks", 3_000_000, &mut || kinds(&bulks, CHUNK));
    row("frame and walk small bulks, one buffer", 3_000_000, &mut || walk(&bulks, bulks.len()));
    row("frame and walk small bulks, 16 KiB chunks", 3_000_000, &mut || walk(&bulks, CHUNK));
    row("walk small bulks", 3_000_000, &mut || tokens(&bulks));
    row("frame small bulks into Bytes", 3_000_000, &mut || owned(&bulks));
    drop(bulks);

    let integers: Vec<u8> = (0..3_000_000).flat_map(|n| format!(":{n}\r\n").into_bytes()).collect();
    row("frame integers, 16 KiB chunks", 3_000_000, &mut || frame(&integers, CHUNK));
    row("frame and walk integers, one buffer", 3_000_000, &mut || walk(&integers, integers.len()));
    drop(integers);
    let integers = b":1\r\n".repeat(3_000_000);
    row("frame and walk integers of one digit", 3_000_000, &mut || walk(&integers, integers.len()));
    drop(integers);

    let integers = b":1234\r\n".repeat(3_000_000);
    row("frame and walk integers of four digits", 3_000_000, &mut || walk(&integers, CHUNK));
    drop(integers);

    let ok = b"+OK\r\n".repeat(3_000_000);
    row("frame +OK, 16 KiB chunks", 3_000_000, &mut || frame(&ok, CHUNK));
    row("frame and walk +OK, 16 KiB chunks", 3_000_000, &mut || walk(&ok, CHUNK));
    drop(ok);
    let mixed = b"+OK\r\n$5\r\nhello\r\n:12345\r\n$-1\r\n".repeat(500_000);
    row("frame and walk OK, bulk, integer, null", 2_000_000, &mut || walk(&mixed, CHUNK));
    drop(mixed);

    let element = [b"$32\r\n", &[b'x'; 32][..], b"\r\n"].concat();
    let array = [b"*100000\r\n", &element.repeat(100_000)[..]].concat();
    let ten =
        |work: fn(&[u8], usize) -> usize| (0..10).map(|_| work(black_box(&array), CHUNK)).sum();
    row("limit: skip 32-byte bulks unchecked", 1_000_000, &mut || {
        ten(|array, _| skip(&array[9..]))
    });
    row("frame array of 100,000 32-byte bulks, 16 KiB chunks", 1_000_000, &mut || ten(frame));
    row("frame and walk the same", 1_000_000, &mut || ten(walk));
    row("frame and decode the same into Vec<Vec<u8>>", 1_000_000, &mut || ten(decode));
    drop(array);

    let bulk = [b"$1024\r\n", &[b'x'; 1024][..], b"\r\n"].concat();
    let kibs = bulk.repeat(1_000);
    row("frame 1,000 bulks of 1 KiB, 16 KiB chunks", 100_000, &mut || {
        (0..100).map(|_| frame(black_box(&kibs), CHUNK)).sum()
    });

    let inner = "%3\r\n$2\r\nid\r\n:1234\r\n$4\r\nname\r\n$5\r\nvalue\r\n$2\r\nok\r\n#t\r\n";
    let outer = format!("%3\r\n$1\r\na\r\n{inner}$1\r\nb\r\n{inner}$1\r\nc\r\n{inner}");
    let maps = outer.repeat(100_000).into_bytes();
    let values = 100_000 * (1 + 3 * (1 + 1 + 6));
    row("frame nested maps, 16 KiB chunks", values, &mut || frame(&maps, CHUNK));
    row("frame and walk nested maps, one buffer", values, &mut || walk(&maps, maps.len()));
    row("frame and walk nested maps, 16 KiB chunks", values, &mut || walk(&maps, CHUNK));
    drop(maps);

    let scores = b"*4\r\n$1\r\na\r\n,1.5\r\n$1\r\nb\r\n,1234.5678\r\n".repeat(100_000);
    row("frame and walk scores", 500_000, &mut || walk(&scores, CHUNK));
    drop(scores);

    let (key, value) = ([b'k'; 16], [b'v'; 64]);
    let mut out = Vec::new();
    row("encode SET key(16) value(64), pieces", 1_000_000, &mut || {
        encode(&mut out, |out| {
            request::array_header(out, 3);
            request::bulk(out, b"SET");
            request::bulk(out, black_box(&key));
            request::bulk(out, black_box(&value));
        })
    });
    row("encode SET key(16) value(64), RequestEncoder", 1_000_000, &mut || {
        encode(&mut out, |out| {
            let mut encoder = RequestEncoder::new(out);
            encoder.command(3).arg(b"SET").arg(black_box(&key)).arg(black_box(&value)).finish();
        })
    });
    row("encode SET key(16) value(64), lengths unknown", 1_000_000, &mut || {
        let (key, value) = (black_box(&key[..]), black_box(&value[..]));
        encode(&mut out, |out| {
            request::array_header(out, 3);
            request::bulk(out, black_box(&b"SET"[..]));
            request::bulk(out, key);
            request::bulk(out, value);
        })
    });
    row("encode INCRBY key(16) integer", 1_000_000, &mut || {
        encode(&mut out, |out| {
            request::array_header(out, 3);
            request::bulk(out, b"INCRBY");
            request::bulk(out, black_box(&key));
            request::integer(out, black_box(123_456));
        })
    });
}

/// Frames a stream that arrives in chunks; gives the number of frames.
fn frames(stream: &[u8], chunk: usize, mut take: impl FnMut(&[u8])) -> usize {
    let mut scanner = Scanner::new(Limits::default());
    let (mut start, mut end, mut count) = (0, 0, 0);
    while end < stream.len() {
        end = stream.len().min(end + chunk);
        let input = &stream[..end];
        while let Ok(Some(len)) = scanner.scan(&input[start..]) {
            take(&input[start..start + len]);
            start += len;
            count += 1;
        }
    }
    assert_eq!(start, stream.len(), "the whole stream is frames");
    count
}

/// What cannot be avoided: reads the lengths of bulks and jumps, trusting the bytes.
fn skip(stream: &[u8]) -> usize {
    let (mut at, mut count) = (0, 0);
    while at < stream.len() {
        let mut len = 0;
        at += 1;
        while stream[at] != b'\r' {
            len = len * 10 + usize::from(stream[at] - b'0');
            at += 1;
        }
        at += len + 4;
        count += 1;
    }
    count
}

fn frame(stream: &[u8], chunk: usize) -> usize {
    frames(stream, chunk, |_| ())
}

fn kinds(stream: &[u8], chunk: usize) -> usize {
    let mut replies = 0;
    frames(stream, chunk, |frame| replies += usize::from(frame_kind(frame) == FrameKind::Reply));
    replies
}

fn walk(stream: &[u8], chunk: usize) -> usize {
    let mut sum = 0;
    frames(stream, chunk, |frame| sum += tokens(frame));
    sum
}

/// Reads every token and touches what it holds.
fn tokens(frame: &[u8]) -> usize {
    let mut reader = FrameReader::new(frame);
    let mut sum = 0usize;
    while let Ok(Some(token)) = reader.next_token() {
        sum = sum.wrapping_add(match token {
            Token::BulkString(bytes) | Token::SimpleString(bytes) => bytes.len(),
            Token::Integer(value) => value as usize,
            Token::Map(Some(pairs)) => pairs,
            Token::Array(Some(count)) => count,
            _ => 1,
        });
    }
    sum
}

fn decode(stream: &[u8], chunk: usize) -> usize {
    let mut sum = 0;
    frames(stream, chunk, |frame| {
        let mut reader = FrameReader::new(frame);
        let mut values: Vec<Vec<u8>> = Vec::new();
        while let Ok(Some(token)) = reader.next_data() {
            match token {
                Token::Array(Some(count)) => {
                    values.reserve(count.min(reader.remaining().len() / 4))
                }
                Token::BulkString(bytes) => values.push(bytes.to_vec()),
                _ => {}
            }
        }
        sum += black_box(values).len();
    });
    sum
}

fn owned(stream: &[u8]) -> usize {
    let mut frames = Frames::new(Limits::default());
    let mut buffer = BytesMut::new();
    let mut count = 0;
    for chunk in stream.chunks(CHUNK) {
        buffer.extend_from_slice(chunk);
        while let Ok(Some(frame)) = frames.next_frame(&mut buffer) {
            count += black_box(frame).len();
        }
    }
    count
}

/// A million requests into a buffer that is emptied now and then.
fn encode(out: &mut Vec<u8>, one: impl Fn(&mut Vec<u8>)) -> usize {
    let mut total = 0;
    for _ in 0..10_000 {
        out.clear();
        for _ in 0..100 {
            one(out);
        }
        total += black_box(&*out).len();
    }
    total
}
