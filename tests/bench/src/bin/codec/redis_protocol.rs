//! A peer: `redis-protocol`, its parsers of RESP2 and RESP3.
//!
//! They read borrowed bytes and give ranges of them; a frame that is not complete is read from its
//! start again when more has come.

use std::{hint::black_box, process::ExitCode};

use bench::{
    codec::{
        job::{self, Job, Task},
        workload::NUMBER,
    },
    job::Result,
    meter::Sample,
};
use bytes::{Bytes, BytesMut};
use redis_protocol::{error::RedisProtocolError, resp2, resp3};

/// What a decoder gives for the bytes: a frame and its length.
type Decoded<F> = Result<Option<(F, usize)>, RedisProtocolError>;

fn main() -> ExitCode {
    job::subject(|job, input| match job.way.as_deref() {
        Some("resp2") => measure(job, input, &Resp2),
        Some("resp3") => measure(job, input, &Resp3),
        way => Err(format!("no way {way:?}").into()),
    })
}

/// One of the two parsers, which look alike and share no trait.
trait Parser {
    /// A frame of ranges.
    type Range;
    /// A frame that shares the bytes.
    type Shared;
    /// A frame of copies.
    type Owned;

    fn range(&self, bytes: &[u8]) -> Decoded<Self::Range>;
    fn shared(&self, bytes: &Bytes) -> Decoded<Self::Shared>;
    fn split(&self, bytes: &mut BytesMut) -> Decoded<Self::Shared>;
    fn owned(&self, bytes: &[u8]) -> Decoded<Self::Owned>;

    fn walk(&self, frame: &Self::Range) -> usize;
    fn shares(&self, frame: Self::Shared) -> usize;
    fn copies(&self, frame: Self::Owned) -> usize;

    fn set(&self, out: &mut BytesMut, args: [&[u8]; 3]);
}

fn measure<P: Parser>(job: &Job, input: &[u8], parser: &P) -> Result<Sample> {
    let chunk = job.chunk_of(input);
    match job.task {
        Task::Frame => job.measure(|| {
            frames(
                black_box(input),
                chunk,
                |bytes| parser.range(bytes),
                |frame| usize::from(std::mem::size_of_val(black_box(&frame)) > 0),
            )
        }),
        Task::Walk => job.measure(|| {
            frames(
                black_box(input),
                chunk,
                |bytes| parser.range(bytes),
                |frame| parser.walk(&frame),
            )
        }),
        Task::Vecs => job.measure(|| {
            frames(
                black_box(input),
                chunk,
                |bytes| parser.owned(bytes),
                |frame| parser.copies(frame),
            )
        }),
        Task::Bytes if job.chunk.is_none() => {
            let input = Bytes::copy_from_slice(input);
            job.measure(|| {
                let (mut rest, mut sum) = (input.clone(), 0);
                while let Ok(Some((frame, len))) = parser.shared(black_box(&rest)) {
                    sum += parser.shares(frame);
                    let _ = rest.split_to(len);
                }
                sum
            })
        }
        Task::Bytes => job.measure(|| {
            let (mut buffer, mut sum) = (BytesMut::new(), 0);
            for chunk in black_box(input).chunks(chunk) {
                buffer.extend_from_slice(chunk);
                while let Ok(Some((frame, _))) = parser.split(&mut buffer) {
                    sum += parser.shares(frame);
                }
            }
            sum
        }),
        Task::Encode => job.measure_requests(input, BytesMut::clear, |out, key, value| {
            parser.set(out, [b"SET", key, value]);
        }),
        // Integers are written as text, and the text is the caller's to make.
        Task::EncodeInteger => job.measure_requests(input, BytesMut::clear, |out, key, _| {
            parser.set(out, [b"INCRBY", key, black_box(NUMBER).to_string().as_bytes()]);
        }),
        _ => job::not_mine(job),
    }
}

/// The sum of what `take` says of each frame of a stream that arrives in chunks.
fn frames<F>(
    stream: &[u8],
    chunk: usize,
    decode: impl Fn(&[u8]) -> Decoded<F>,
    take: impl Fn(F) -> usize,
) -> usize {
    let (mut start, mut end, mut sum) = (0, 0, 0);
    while end < stream.len() {
        end = stream.len().min(end + chunk);
        // An empty input is an error to it, and not incomplete.
        while start < end
            && let Ok(Some((frame, len))) = decode(&stream[start..end])
        {
            sum += take(frame);
            start += len;
        }
    }
    sum
}

struct Resp2;

impl Parser for Resp2 {
    type Range = resp2::types::RangeFrame;
    type Shared = resp2::types::BytesFrame;
    type Owned = resp2::types::OwnedFrame;

    fn range(&self, bytes: &[u8]) -> Decoded<Self::Range> {
        resp2::decode::decode_range(bytes)
    }

    fn shared(&self, bytes: &Bytes) -> Decoded<Self::Shared> {
        resp2::decode::decode_bytes(bytes)
    }

    fn split(&self, bytes: &mut BytesMut) -> Decoded<Self::Shared> {
        Ok(resp2::decode::decode_bytes_mut(bytes)?.map(|(frame, len, _)| (frame, len)))
    }

    fn owned(&self, bytes: &[u8]) -> Decoded<Self::Owned> {
        resp2::decode::decode(bytes)
    }

    fn walk(&self, frame: &Self::Range) -> usize {
        use resp2::types::RangeFrame as Frame;
        match frame {
            Frame::SimpleString((start, end)) | Frame::BulkString((start, end)) => end - start,
            Frame::Integer(value) => *value as usize,
            Frame::Array(frames) => {
                frames.len() + frames.iter().map(|frame| self.walk(frame)).sum::<usize>()
            }
            Frame::Error(_) | Frame::Null => 1,
        }
    }

    fn shares(&self, frame: Self::Shared) -> usize {
        use resp2::types::BytesFrame as Frame;
        match frame {
            Frame::Array(frames) => strings(frames, |frame| match frame {
                Frame::BulkString(bytes) => Some(bytes),
                _ => None,
            }),
            frame => usize::from(black_box(frame) != Frame::Null),
        }
    }

    fn copies(&self, frame: Self::Owned) -> usize {
        use resp2::types::OwnedFrame as Frame;
        let Frame::Array(frames) = frame else {
            return 0;
        };
        strings(frames, |frame| match frame {
            Frame::BulkString(bytes) => Some(bytes),
            _ => None,
        })
    }

    fn set(&self, out: &mut BytesMut, args: [&[u8]; 3]) {
        use resp2::types::BorrowedFrame as Frame;
        let args = args.map(Frame::BulkString);
        let _ = resp2::encode::extend_encode_borrowed(out, &Frame::Array(&args), false);
    }
}

struct Resp3;

impl Parser for Resp3 {
    type Range = resp3::types::RangeFrame;
    type Shared = resp3::types::BytesFrame;
    type Owned = resp3::types::OwnedFrame;

    fn range(&self, bytes: &[u8]) -> Decoded<Self::Range> {
        resp3::decode::complete::decode_range(bytes)
    }

    fn shared(&self, bytes: &Bytes) -> Decoded<Self::Shared> {
        resp3::decode::complete::decode_bytes(bytes)
    }

    fn split(&self, bytes: &mut BytesMut) -> Decoded<Self::Shared> {
        Ok(resp3::decode::complete::decode_bytes_mut(bytes)?.map(|(frame, len, _)| (frame, len)))
    }

    fn owned(&self, bytes: &[u8]) -> Decoded<Self::Owned> {
        resp3::decode::complete::decode(bytes)
    }

    fn walk(&self, frame: &Self::Range) -> usize {
        use resp3::types::RangeFrame as Frame;
        match frame {
            Frame::SimpleString { data: (start, end), .. }
            | Frame::BlobString { data: (start, end), .. } => end - start,
            Frame::Number { data, .. } => *data as usize,
            Frame::Array { data, .. } => {
                data.len() + data.iter().map(|frame| self.walk(frame)).sum::<usize>()
            }
            Frame::Map { data, .. } => {
                let pairs = data.iter().map(|(key, value)| self.walk(key) + self.walk(value));
                data.len() + pairs.sum::<usize>()
            }
            _ => 1,
        }
    }

    fn shares(&self, frame: Self::Shared) -> usize {
        use resp3::types::BytesFrame as Frame;
        match frame {
            Frame::Array { data, .. } => strings(data, |frame| match frame {
                Frame::BlobString { data, .. } => Some(data),
                _ => None,
            }),
            frame => usize::from(!matches!(black_box(frame), Frame::Null)),
        }
    }

    fn copies(&self, frame: Self::Owned) -> usize {
        use resp3::types::OwnedFrame as Frame;
        let Frame::Array { data, .. } = frame else {
            return 0;
        };
        strings(data, |frame| match frame {
            Frame::BlobString { data, .. } => Some(data),
            _ => None,
        })
    }

    fn set(&self, out: &mut BytesMut, args: [&[u8]; 3]) {
        use resp3::types::BorrowedFrame as Frame;
        let args = args.map(|data| Frame::BlobString { data, attributes: None });
        let request = Frame::Array { data: &args, attributes: None };
        let _ = resp3::encode::complete::extend_encode_borrowed(out, &request, false);
    }
}

/// The strings of an array, taken out of it; gives their number.
fn strings<F, S>(frames: Vec<F>, string: impl Fn(F) -> Option<S>) -> usize {
    let strings: Vec<S> = frames.into_iter().filter_map(string).collect();
    black_box(strings).len()
}
