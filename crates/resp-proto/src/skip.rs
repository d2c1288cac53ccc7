//! Skipping values that are there as a whole, as fast as their bytes allow.
//!
//! Everything here answers `None` for what is incomplete, unusual or wrong, and leaves no trace: the
//! scanner then looks byte by byte.

use crate::{grammar::Text, limits::Limits, line, number};

/// What follows a bulk string, if it is there as a whole.
#[inline(always)]
pub(crate) fn bulk(tail: &[u8], limit: usize) -> Option<&[u8]> {
    let (len, body) = number::length(tail)?;
    if len > limit {
        return None;
    }
    number::crlf(body.get(len..)?)
}

/// What follows a value that is neither an aggregate nor a bulk string, if it is there as a whole.
#[inline(never)] // Keeps the registers of the loop over bulk strings free.
pub(crate) fn leaf(kind: u8, tail: &[u8], limit: usize) -> Option<&[u8]> {
    match kind {
        b':' => number::skip_integer(tail),
        b'+' | b'-' => line::line(tail).map(|(_, rest)| rest),
        b'_' => number::crlf(tail),
        b'#' => match tail {
            [b't' | b'f', tail @ ..] => number::crlf(tail),
            _ => None,
        },
        b',' => Text::Double.line(tail).map(|(_, rest)| rest),
        b'!' => bulk(tail, limit),
        _ => None,
    }
}

/// The length of the frame `input` starts with, if that is one of the commonest and there as a whole.
#[inline(always)]
pub(crate) fn common_frame(input: &[u8], limits: &Limits) -> Option<usize> {
    let rest = match input {
        [b'$', tail @ ..] => bulk(tail, limits.bulk)?,
        [b'+', b'O', b'K', b'\r', b'\n', rest @ ..] => rest,
        [b':', tail @ ..] => number::skip_integer(tail)?,
        _ => return None,
    };
    let len = input.len() - rest.len();
    if len <= limits.frame { Some(len) } else { None }
}
