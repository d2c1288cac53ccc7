//! The data of all workloads, and its bytes on the wire, written without any client.

use std::ops::Range;

use crc16::{State, XMODEM};

use crate::job::{Job, Result, Workload};

/// How many slots a cluster has.
const SLOTS: usize = 16_384;

/// How many keys there are; tasks and pipelines go through them in turn.
pub const KEYS: usize = 1000;

/// The bytes of a key.
pub const KEY_LEN: usize = 16;

/// The bytes of a value.
pub const VALUE_LEN: usize = 64;

/// The value of every key.
pub const VALUE: [u8; VALUE_LEN] = [b'v'; VALUE_LEN];

/// The channel of all messages, whose payload is [`VALUE`].
pub const CHANNEL: &str = "channel";

/// How many messages are published at once. Of few bytes beside what a server keeps for a subscriber
/// that is behind (8 MB for a minute), and so many that asking for them costs next to nothing.
pub const WINDOW: usize = 4000;

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
pub fn gets(numbers: impl IntoIterator<Item = usize>) -> Vec<u8> {
    numbers.into_iter().flat_map(|number| request(&[b"GET", &key(number)])).collect()
}

/// One SET for each number.
pub fn sets(numbers: impl IntoIterator<Item = usize>) -> Vec<u8> {
    numbers.into_iter().flat_map(|number| request(&[b"SET", &key(number), &VALUE])).collect()
}

/// The numbers whose keys are this node's, of so many that share the slots evenly.
pub fn numbers_of(node: usize, nodes: usize, numbers: Range<usize>) -> Vec<usize> {
    let first = |node: usize| node * SLOTS / nodes;
    let own = first(node)..first(node + 1);
    let slot = |number: &usize| usize::from(State::<XMODEM>::calculate(&key(*number))) % SLOTS;
    numbers.filter(|number| own.contains(&slot(number))).collect()
}

/// A SUBSCRIBE to [`CHANNEL`].
pub fn subscribe() -> Vec<u8> {
    request(&[b"SUBSCRIBE", CHANNEL.as_bytes()])
}

/// How many bytes confirm it.
pub fn confirmation_len() -> usize {
    format!("*3\r\n$9\r\nsubscribe\r\n$7\r\n{CHANNEL}\r\n:1\r\n").len()
}

/// One PUBLISH for each message of a window.
pub fn publishes() -> Vec<u8> {
    request(&[b"PUBLISH", CHANNEL.as_bytes(), &VALUE]).repeat(WINDOW)
}

/// How many bytes a message has.
pub fn message_len() -> usize {
    request(&[b"message", CHANNEL.as_bytes(), &VALUE]).len()
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
    /// One GET for each task, or the whole pipeline; nothing for messages, which come by themselves.
    pub request: Vec<u8>,
    /// The bytes of all replies, or of a window of messages.
    pub reply_len: usize,
}

impl Exchange {
    /// The turns of `job`, as far as they are this node's.
    pub fn of(job: &Job, node: usize) -> Self {
        let own = |numbers| numbers_of(node, job.addrs.len(), numbers);
        let (request, reply_len) = match job.workload {
            Workload::Get => {
                let own = own(0..job.tasks);
                (gets(own.clone()), own.len() * get_reply_len())
            }
            Workload::PipelineSet => {
                let own = own(0..KEYS);
                (sets(own.clone()), own.len() * set_reply_len())
            }
            Workload::PipelineGet => {
                let own = own(0..KEYS);
                (gets(own.clone()), own.len() * get_reply_len())
            }
            Workload::GetMessage | Workload::Listen => (Vec::new(), WINDOW * message_len()),
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
    fn keys_are_shared_out_among_nodes() {
        let shares: Vec<_> = (0..3).map(|node| numbers_of(node, 3, 0..KEYS)).collect();
        assert_eq!(shares.concat().len(), KEYS);
        assert!(shares.iter().all(|share| share.len() > KEYS / 4));
        assert_eq!(numbers_of(0, 1, 0..KEYS).len(), KEYS);
    }

    #[test]
    fn requests_are_resp() {
        assert_eq!(gets(7..8), b"*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000007\r\n");
    }
}
