//! A peer: the parser and the encoder of the `redis` crate.
//!
//! It has no borrowed form: to find where a reply ends is to build its `Value`, strings copied. Of its
//! two parsers over the same grammar this is the one of its async connections; the blocking one,
//! `Parser`, costs the same or more. Its buffer is fed in chunks also where all bytes are there:
//! copied at once they would cost more, in fresh memory.

use std::{hint::black_box, process::ExitCode};

use bench::{
    codec::{
        job::{self, Job, Task},
        rows::CHUNK,
        workload::NUMBER,
    },
    job::Result,
    meter::Sample,
};
use bytes::BytesMut;
use redis::{Cmd, Value, ValueCodec};
use tokio_util::codec::Decoder;

fn main() -> ExitCode {
    job::subject(measure)
}

fn measure(job: &Job, input: &[u8]) -> Result<Sample> {
    let chunk = job.chunk.unwrap_or(CHUNK);
    let values = |take: fn(Value) -> usize| job.measure(|| decoded(black_box(input), chunk, take));
    match job.task {
        Task::Frame => values(|value| usize::from(black_box(value) != Value::Nil)),
        Task::Walk => values(|value| walk(&value)),
        Task::Vecs => values(copies),
        Task::Encode | Task::EncodeInteger => {
            // Used again, which is cheaper than a new one each time.
            let mut command = Cmd::new();
            job.measure_requests(input, Vec::clear, |out, key, value| {
                command.clear();
                match job.task {
                    Task::Encode => command.arg("SET").arg(key).arg(value),
                    _ => command.arg("INCRBY").arg(key).arg(black_box(NUMBER)),
                };
                command.write_packed_command(out);
            })
        }
        _ => job::not_mine(job),
    }
}

fn decoded(stream: &[u8], chunk: usize, take: fn(Value) -> usize) -> usize {
    let mut codec = ValueCodec::default();
    let mut buffer = BytesMut::new();
    let mut sum = 0;
    for chunk in stream.chunks(chunk) {
        buffer.extend_from_slice(chunk);
        while let Ok(Some(value)) = codec.decode(&mut buffer) {
            sum += take(value);
        }
    }
    sum
}

fn walk(value: &Value) -> usize {
    match value {
        Value::Int(value) => *value as usize,
        Value::BulkString(bytes) => bytes.len(),
        Value::SimpleString(text) => text.len(),
        Value::Okay => 2,
        Value::Array(values) => values.len() + values.iter().map(walk).sum::<usize>(),
        Value::Map(pairs) => {
            pairs.len() + pairs.iter().map(|(key, value)| walk(key) + walk(value)).sum::<usize>()
        }
        _ => 1,
    }
}

/// The strings of an array, taken out of it; gives their number.
fn copies(value: Value) -> usize {
    let Value::Array(values) = value else {
        return 0;
    };
    let copies: Vec<Vec<u8>> = values
        .into_iter()
        .filter_map(|value| match value {
            Value::BulkString(bytes) => Some(bytes),
            _ => None,
        })
        .collect();
    black_box(copies).len()
}
