//! What resp-proto allocates. A program of its own, since an allocator that counts costs time.

use std::process::ExitCode;

use allocation_counter::measure;
use bench::{
    codec::job::{self, Job},
    job::Result,
};
use resp_proto::{FrameReader, Limits, Scanner};

fn main() -> ExitCode {
    job::counting_subject(count)
}

fn count(job: &Job, input: &[u8]) -> Result<[u64; 2]> {
    let mut scanned = Ok(None);
    let framed = measure(|| {
        let mut scanner = Scanner::new(Limits::default());
        let mut end = 0;
        while end < input.len() && scanned == Ok(None) {
            end = input.len().min(end + job.chunk_of(input));
            scanned = scanner.scan(&input[..end]);
        }
    });
    if scanned != Ok(Some(input.len())) {
        return Err(format!("found {scanned:?} in {} bytes", input.len()).into());
    }
    let mut tokens = 0;
    let walked = measure(|| {
        let mut reader = FrameReader::new(input);
        while let Ok(Some(_)) = reader.next_token() {
            tokens += 1;
        }
    });
    match tokens == job.values {
        true => Ok([framed.count_total, walked.count_total]),
        false => Err(format!("walked over {tokens} values").into()),
    }
}
