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

/// What follows the bulk strings at `rest` that are as long as the one before them, which is the first
/// `len` bytes of `one`; at most `left` of them. Gives how many are left then.
///
/// Where each begins is known without reading how long the one before it is, so the processor need
/// not wait for one header to find the next.
#[inline(never)] // Keeps the registers of the loop over bulk strings free.
pub(crate) fn equal_bulks<'a>(
    one: &[u8],
    len: usize,
    mut rest: &'a [u8],
    mut left: u64,
) -> (&'a [u8], u64) {
    // All of the header up to its `\n`, which is among the eight bytes for lengths of up to five digits.
    let Some((first, _)) = one.split_first_chunk::<8>() else {
        return (rest, left);
    };
    let Some(end) = first.iter().position(|&byte| byte == b'\n') else {
        return (rest, left);
    };
    let (first, behind) = (u64::from_le_bytes(*first), 8 * (7 - end));
    while left > 0
        && let Some((&head, _)) = rest.split_first_chunk()
        && (u64::from_le_bytes(head) ^ first) << behind == 0
        && let Some((bulk, tail)) = rest.split_at_checked(len)
        && bulk.ends_with(b"\r\n")
    {
        rest = tail;
        left -= 1;
    }
    (rest, left)
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

/// What follows so many bulk strings: the elements of a message, or of another short list.
#[inline(never)] // The other frames are shorter still.
fn few_bulks<'a>(count: usize, mut rest: &'a [u8], limits: &Limits) -> Option<&'a [u8]> {
    if count > limits.aggregate || limits.depth == 0 {
        return None;
    }
    for _ in 0..count {
        let [b'$', tail @ ..] = rest else {
            return None;
        };
        rest = bulk(tail, limits.bulk)?;
    }
    Some(rest)
}

/// The length of the frame `input` starts with, if that is one of the commonest and there as a whole.
#[inline(always)]
pub(crate) fn common_frame(input: &[u8], limits: &Limits) -> Option<usize> {
    let rest = match input {
        [b'$', tail @ ..] => bulk(tail, limits.bulk)?,
        [b'+', b'O', b'K', b'\r', b'\n', rest @ ..] => rest,
        [b':', tail @ ..] => number::skip_integer(tail)?,
        [b'*' | b'>', count @ b'1'..=b'9', b'\r', b'\n', rest @ ..] => {
            few_bulks(usize::from(count - b'0'), rest, limits)?
        }
        _ => return None,
    };
    let len = input.len() - rest.len();
    if len <= limits.frame { Some(len) } else { None }
}
