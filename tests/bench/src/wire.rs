//! The data of all workloads, and its bytes on the wire, written without any client.

use std::ops::Range;

use crate::job::{Job, Result, Workload};

/// How many keys there are; tasks and pipelines go through them in turn.
pub const KEYS: usize = 1000;

/// The bytes of a key.
pub const KEY_LEN: usize = 16;

/// The bytes of a value.
pub const VALUE_LEN: usize = 64;

/// The value of every key.
pub const VALUE: [u8; VALUE_LEN] = [b'v'; VALUE_LEN];

/// The key of a number; numbers past [`KEYS`] start over.
pub fn key(number: usize) -> [u8; KEY_LEN] {
    let mut key = *b"key:000000000000";
    let mut rest = number % KEYS;
    for digit in key.iter_mut().rev().take(3) {
        *digit += u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    key
}

/// One GET for each number.
pub fn gets(numbers: Range<usize>) -> Vec<u8> {
    numbers.flat_map(|number| request(&[b"GET", &key(number)])).collect()
}

/// One SET for each number.
pub fn sets(numbers: Range<usize>) -> Vec<u8> {
    numbers.flat_map(|number| request(&[b"SET", &key(number), &VALUE])).collect()
}

/// How many bytes answer a GET.
pub fn get_reply_len() -> usize {
    format!("${VALUE_LEN}\r\n\r\n").len() + VALUE_LEN
}

/// How many bytes answer a SET.
pub fn set_reply_len() -> usize {
    b"+OK\r\n".len()
}

/// One turn of a job: what is written at once, and how many bytes answer.
pub struct Exchange {
    /// One GET for each task, or the whole pipeline.
    pub request: Vec<u8>,
    /// The bytes of all replies.
    pub reply_len: usize,
}

impl Exchange {
    /// The turns of `job`.
    pub fn of(job: &Job) -> Self {
        let (request, reply_len) = match job.workload {
            Workload::Get => (gets(0..job.tasks), job.tasks * get_reply_len()),
            Workload::PipelineSet => (sets(0..KEYS), KEYS * set_reply_len()),
            Workload::PipelineGet => (gets(0..KEYS), KEYS * get_reply_len()),
        };
        Self { request, reply_len }
    }

    /// How many bytes are still to come when `read` of `left` came.
    ///
    /// # Errors
    /// When the server has hung up or answered something else.
    pub fn left(&self, left: usize, read: usize) -> Result<usize> {
        match left.checked_sub(read) {
            Some(left) if read > 0 => Ok(left),
            Some(_) => Err("the server has hung up".into()),
            None => Err("more bytes than the replies have".into()),
        }
    }
}

fn request(args: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bytes.extend(format!("${}\r\n", arg.len()).bytes());
        bytes.extend(*arg);
        bytes.extend(b"\r\n");
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_numbered_and_start_over() {
        assert_eq!(&key(0), b"key:000000000000");
        assert_eq!(&key(987), b"key:000000000987");
        assert_eq!(key(KEYS + 42), *b"key:000000000042");
    }

    #[test]
    fn requests_are_resp() {
        assert_eq!(gets(7..8), b"*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000007\r\n");
    }
}
