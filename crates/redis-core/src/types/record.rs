//! What replies are read with: records that may grow, and text.

use std::borrow::Cow;

use resp_proto::{Limits, Scanner};

use crate::error::{Error, Result};
use crate::reply::{FromReply, ReplyReader};

/// Text that is UTF-8 in practice.
pub(super) fn utf8(text: Cow<'_, [u8]>) -> Result<String> {
    String::from_utf8(text.into_owned())
        .map_err(|error| Error::decode("the string is not UTF-8").with_source(error))
}

/// Text, where nothing is the empty string.
pub(super) fn not_empty(reply: &mut ReplyReader<'_>) -> Result<Option<String>> {
    Ok(Option::<String>::from_reply(reply)?.filter(|text| !text.is_empty()))
}

/// Starts a list that has at least `least` values; returns how many it has.
pub(super) fn record(reply: &mut ReplyReader<'_>, what: &str, least: usize) -> Result<usize> {
    match reply.list()? {
        Some(len) if len >= least => Ok(len),
        len => {
            let got = len.map_or_else(|| "unknown".to_owned(), |len| len.to_string());
            Err(Error::decode(format!(
                "expected {what} as a list of at least {least} values, got {got}"
            )))
        }
    }
}

/// Takes the values of a record that are not known.
pub(super) fn skip(reply: &mut ReplyReader<'_>, count: usize) -> Result<()> {
    (0..count).try_for_each(|_| reply.skip().map(drop))
}

/// How deep types that hold lists of themselves may be nested.
const DEPTH: usize = 64;

/// A list of values that hold such lists in turn: what is nested too deep is refused before it is read.
pub(super) fn nested<T: FromReply>(reply: &mut ReplyReader<'_>) -> Result<Vec<T>> {
    let value = reply.clone().skip()?;
    match Scanner::new(Limits { depth: DEPTH, ..Limits::default() }).scan(value) {
        Ok(_) => Vec::from_reply(reply),
        Err(error) => {
            Err(Error::decode(format!("a list nested deeper than {DEPTH}")).with_source(error))
        }
    }
}
