//! What the peers' parsers allocate, each named on the command line.

use std::process::ExitCode;

use allocation_counter::measure;
use bench::{
    codec::job::{self, Job},
    job::Result,
};
use bytes::BytesMut;
use redis::{Value, ValueCodec};
use redis_protocol::{resp2, resp3};
use tokio_util::codec::Decoder;

fn main() -> ExitCode {
    job::counting_subject(|job, input| match job.way.as_deref() {
        Some("redis-rs") => redis_rs(job, input),
        Some("redis-protocol-2") => in_pieces(job, input, |bytes| {
            use resp2::{decode::decode_range, types::RangeFrame as Frame};
            matches!(decode_range(bytes), Ok(Some((Frame::Array(_), _))))
        }),
        Some("redis-protocol-3") => in_pieces(job, input, |bytes| {
            use resp3::{decode::complete::decode_range, types::RangeFrame as Frame};
            matches!(decode_range(bytes), Ok(Some((Frame::Array { .. }, _))))
        }),
        way => Err(format!("no way {way:?}").into()),
    })
}

/// A parser of borrowed bytes, until `parse` says that the frame is complete. Walking over what it
/// gives takes nothing.
fn in_pieces(job: &Job, input: &[u8], parse: impl Fn(&[u8]) -> bool) -> Result<[u64; 2]> {
    let mut complete = false;
    let framed = measure(|| {
        let mut end = 0;
        while end < input.len() && !complete {
            end = input.len().min(end + job.chunk_of(input));
            complete = parse(&input[..end]);
        }
    });
    match complete {
        true => Ok([framed.count_total, 0]),
        false => Err("found no frame".into()),
    }
}

/// Its buffer is there before, so that only the parser counts.
fn redis_rs(job: &Job, input: &[u8]) -> Result<[u64; 2]> {
    let mut codec = ValueCodec::default();
    let mut buffer = BytesMut::with_capacity(input.len());
    let mut value = None;
    let framed = measure(|| {
        for chunk in input.chunks(job.chunk_of(input)) {
            buffer.extend_from_slice(chunk);
            if let Ok(Some(complete)) = codec.decode(&mut buffer) {
                value = Some(complete);
            }
        }
    });
    match value {
        Some(Value::Array(values)) if values.len() + 1 == job.values => Ok([framed.count_total, 0]),
        _ => Err("found no frame".into()),
    }
}
