//! What every builder sends, with each of its options, and what its reply's type is.

mod data;
mod generic;
mod nodes;
mod rules;
mod server;

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use redis_core::cmd::{self, Aggregate, Bitwise, ClientType, CommandLogType, Extreme, Place, Side};
use redis_core::types::*;
use redis_core::{
    Block, Cmd, Command, Commands, ErrorKind, Execute, FromReply, Queue, QueueCommands, Result,
    ToArg, Value, lookup,
};

/// Checks a command and gives its words, separated by spaces.
pub(crate) fn words(command: impl Command) -> String {
    let cmd = command.into_cmd();
    if let Err(error) = cmd.check() {
        panic!("{error}");
    }
    split(&cmd.to_vec())
}

/// Checks that a command can be sent, and consists of these words.
#[track_caller]
pub(crate) fn sends(command: impl Command, expected: &str) {
    assert_eq!(words(command), expected);
}

/// The words of an encoded command. None of the tests' words has a line break or a space.
pub(crate) fn split(encoded: &[u8]) -> String {
    let text = std::str::from_utf8(encoded).expect("the tests' words are text");
    let mut lines = text.split_terminator("\r\n");
    let count = lines.next().expect("an array header");
    let mut words = Vec::new();
    while let (Some(len), Some(word)) = (lines.next(), lines.next()) {
        assert_eq!(len, format!("${}", word.len()));
        words.push(word);
    }
    assert_eq!(count, format!("*{}", words.len()));
    words.join(" ")
}

/// Why a command can't be sent.
pub(crate) fn refusal(command: impl Command) -> String {
    let error = command.into_cmd().check().expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    error.to_string()
}

/// Compiles if the command's reply is an `R`.
pub(crate) fn replies<R: FromReply>(command: impl Command<Reply = R>) -> impl Command<Reply = R> {
    command
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn at(duration: Duration) -> SystemTime {
    UNIX_EPOCH + duration
}

pub(crate) const NONE: [&str; 0] = [];
