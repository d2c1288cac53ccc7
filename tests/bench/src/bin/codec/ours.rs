//! Ours: resp-proto alone, without what clients make of it.

use std::{hint::black_box, process::ExitCode};

use bench::{
    codec::{
        job::{self, Job, Task},
        workload::{KEY, NUMBER, VALUE},
    },
    job::Result,
    meter::Sample,
};
use bytes::{Bytes, BytesMut};
use resp_proto::{
    FrameKind, FrameReader, Frames, Limits, RequestEncoder, Scanner, Token, frame_kind, request,
};

fn main() -> ExitCode {
    job::subject(measure)
}

fn measure(job: &Job, input: &[u8]) -> Result<Sample> {
    let chunk = job.chunk_of(input);
    let clear = |out: &mut Vec<u8>| out.clear();
    match job.task {
        Task::Frame => job.measure(|| frames(black_box(input), chunk, |_| ())),
        Task::Kinds => job.measure(|| {
            let mut replies = 0;
            frames(black_box(input), chunk, |frame| {
                replies += usize::from(frame_kind(frame) == FrameKind::Reply);
            });
            replies
        }),
        Task::Walk => job.measure(|| {
            let mut sum = 0;
            frames(black_box(input), chunk, |frame| sum += tokens(frame));
            sum
        }),
        Task::Bytes if job.chunk.is_none() => {
            let input = Bytes::copy_from_slice(input);
            job.measure(|| {
                let mut leaves = 0;
                frames(black_box(&input), chunk, |frame| leaves += shares(frame, &input));
                leaves
            })
        }
        Task::Bytes => job.measure(|| owned(black_box(input), chunk)),
        Task::Vecs => job.measure(|| {
            let mut leaves = 0;
            frames(black_box(input), chunk, |frame| leaves += copies(frame));
            leaves
        }),
        Task::Encode => job.measure_requests(input, clear, |out, key, value| {
            RequestEncoder::new(out).command(3).arg(b"SET").arg(key).arg(value).finish();
        }),
        Task::EncodeSized => job.measure_requests(input, clear, |out, key, value| {
            if let (Some(key), Some(value)) = (key.as_array(), value.as_array()) {
                let (key, value): (&[u8; KEY.len()], &[u8; VALUE.len()]) = (key, value);
                RequestEncoder::new(out).command(3).arg(b"SET").arg(key).arg(value).finish();
            }
        }),
        Task::EncodePieces => job.measure_requests(input, clear, |out, key, value| {
            request::array_header(out, 3);
            request::bulk(out, b"SET");
            request::bulk(out, key);
            request::bulk(out, value);
        }),
        Task::EncodeInteger => job.measure_requests(input, clear, |out, key, _| {
            request::array_header(out, 3);
            request::bulk(out, b"INCRBY");
            request::bulk(out, key);
            request::integer(out, black_box(NUMBER));
        }),
        Task::Allocations => job::not_mine(job),
    }
}

/// Frames a stream that arrives in chunks; gives the number of frames.
fn frames<'a>(stream: &'a [u8], chunk: usize, mut take: impl FnMut(&'a [u8])) -> usize {
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
    count
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

/// An array into parts of `shared`, which holds its bytes; gives their number.
fn shares(frame: &[u8], shared: &Bytes) -> usize {
    leaves(frame, |bytes| shared.slice_ref(bytes))
}

/// An array into copies; gives their number.
fn copies(frame: &[u8]) -> usize {
    leaves(frame, <[u8]>::to_vec)
}

fn leaves<T>(frame: &[u8], leaf: impl Fn(&[u8]) -> T) -> usize {
    let mut reader = FrameReader::new(frame);
    let mut values = Vec::new();
    while let Ok(Some(token)) = reader.next_data() {
        match token {
            // No more than can be there, whatever the header says.
            Token::Array(Some(count)) => values.reserve(count.min(reader.remaining().len() / 4)),
            Token::BulkString(bytes) => values.push(leaf(bytes)),
            _ => {}
        }
    }
    black_box(values).len()
}

/// Chunks are put into one buffer, and frames are taken off it without a copy.
fn owned(stream: &[u8], chunk: usize) -> usize {
    let mut frames = Frames::new(Limits::default());
    let mut buffer = BytesMut::new();
    let mut count = 0;
    for chunk in stream.chunks(chunk) {
        buffer.extend_from_slice(chunk);
        while let Ok(Some(frame)) = frames.next_frame(&mut buffer) {
            count += match frame.first() {
                Some(b'*') => shares(&frame, &frame),
                _ => usize::from(!black_box(frame).is_empty()),
            };
        }
    }
    count
}
