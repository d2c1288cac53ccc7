//! The limit: trusts the bytes, reads lengths and jumps; copies what must be copied, once.

use std::{hint::black_box, process::ExitCode};

use bench::{
    codec::job::{self, Job, Task},
    job::Result,
    meter::Sample,
};

fn main() -> ExitCode {
    job::subject(measure)
}

fn measure(job: &Job, input: &[u8]) -> Result<Sample> {
    match job.task {
        // Where values end is all that it finds out, not what they are.
        Task::Frame | Task::Walk => job.measure(|| {
            let mut values = 0;
            skip(black_box(input), |_| values += 1);
            if values == job.values { job.sum } else { values }
        }),
        Task::Bytes | Task::Vecs => job.measure(|| {
            // Memory of their own, as who owns them needs; one piece of it, large enough.
            let mut copies = Vec::with_capacity(input.len());
            let mut leaves = 0;
            skip(black_box(input), |body| {
                if let Some(body) = body {
                    copies.extend_from_slice(body);
                    leaves += 1;
                }
            });
            black_box(copies);
            leaves
        }),
        Task::Encode | Task::EncodeInteger => {
            let clear = |out: &mut Vec<u8>| out.clear();
            job.measure_requests(input, clear, |out, _, _| {
                out.extend_from_slice(black_box(input));
            })
        }
        _ => job::not_mine(job),
    }
}

/// Calls `each` for every value, with the body of a bulk string.
#[inline(always)]
fn skip<'a>(stream: &'a [u8], mut each: impl FnMut(Option<&'a [u8]>)) {
    let mut at = 0;
    while at < stream.len() {
        let is_bulk = stream[at] == b'$' && stream[at + 1] != b'-';
        at += 1;
        if is_bulk {
            let mut len = 0;
            while stream[at] != b'\r' {
                len = len * 10 + usize::from(stream[at] - b'0');
                at += 1;
            }
            at += 2;
            each(Some(&stream[at..at + len]));
            at += len + 2;
        } else {
            while stream[at] != b'\r' {
                at += 1;
            }
            at += 2;
            each(None);
        }
    }
}
