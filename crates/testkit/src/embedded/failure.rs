//! What commands are refused with, in the servers' own words.

use std::borrow::Cow;

/// The text of an error reply, its code first.
#[derive(Debug)]
pub(super) struct Failure(pub(super) Cow<'static, str>);

pub(super) const WRONG_TYPE: Failure =
    Failure(Cow::Borrowed("WRONGTYPE Operation against a key holding the wrong kind of value"));
pub(super) const NOT_AN_INTEGER: Failure =
    Failure(Cow::Borrowed("ERR value is not an integer or out of range"));
pub(super) const SYNTAX: Failure = Failure(Cow::Borrowed("ERR syntax error"));
pub(super) const OVERFLOW: Failure =
    Failure(Cow::Borrowed("ERR increment or decrement would overflow"));

impl From<&'static str> for Failure {
    fn from(text: &'static str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// The command, or `command|subcommand`, got too few or too many arguments.
pub(super) fn wrong_arity(command: &str) -> Failure {
    format!("ERR wrong number of arguments for '{command}' command").into()
}

pub(super) fn invalid_expire(command: &str) -> Failure {
    format!("ERR invalid expire time in '{command}' command").into()
}
