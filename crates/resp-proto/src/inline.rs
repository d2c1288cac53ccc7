//! Inline requests: a line of arguments, split as the servers split it.
//!
//! Redis' `sdssplitargs` (sds.c) is the specification: white space separates; double quotes with
//! `\n \r \t \b \a \xHH` and any other escaped byte as itself; single quotes with `\'` alone; a
//! closing quote ends its argument; a zero byte ends the line.

use alloc::vec::Vec;

use bytes::Bytes;

/// Splits `line` (without its line ending) and appends its arguments to `args`; gives the offset of
/// the first wrong byte when quotes are unbalanced.
///
/// Arguments without quotes are slices of the line, the others are copies.
pub(crate) fn split(line: &Bytes, args: &mut Vec<Bytes>) -> Result<(), usize> {
    let end = memchr::memchr(0, line).unwrap_or(line.len());
    let text = &line[..end];
    let mut at = 0;
    loop {
        at += text[at..].iter().take_while(|&&byte| is_space(byte)).count();
        if at == end {
            return Ok(());
        }
        let start = at;
        at += text[at..].iter().take_while(|&&byte| !is_space(byte) && !is_quote(byte)).count();
        if at == end || is_space(text[at]) {
            args.push(line.slice(start..at));
            continue;
        }
        let mut arg = text[start..at].to_vec();
        at = quoted(text, at, &mut arg)?;
        args.push(arg.into());
    }
}

/// Reads a quoted end of an argument, `text[at]` being the quote; gives where it ends.
fn quoted(text: &[u8], at: usize, arg: &mut Vec<u8>) -> Result<usize, usize> {
    let quote = text[at];
    let mut rest = &text[at + 1..];
    loop {
        rest = match *rest {
            [byte, ref behind @ ..] if byte == quote => {
                let at = text.len() - behind.len();
                return match behind.first() {
                    Some(&byte) if !is_space(byte) => Err(at),
                    _ => Ok(at),
                };
            }
            [b'\\', b'x', high, low, ref rest @ ..] if quote == b'"' && is_hex(high, low) => {
                arg.push(hex(high) << 4 | hex(low));
                rest
            }
            [b'\\', byte, ref rest @ ..] if quote == b'"' => {
                arg.push(match byte {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    byte => byte,
                });
                rest
            }
            [b'\\', b'\'', ref rest @ ..] if quote == b'\'' => {
                arg.push(b'\'');
                rest
            }
            [byte, ref rest @ ..] => {
                arg.push(byte);
                rest
            }
            [] => return Err(text.len()),
        };
    }
}

/// What C's `isspace` accepts.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'')
}

fn is_hex(high: u8, low: u8) -> bool {
    high.is_ascii_hexdigit() && low.is_ascii_hexdigit()
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}
