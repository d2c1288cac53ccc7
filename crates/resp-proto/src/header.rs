//! The header lines of lengths and counts, written: a type byte, digits, `\r\n`.

use crate::{number::Decimal, sink::Sink};

/// Writes a type byte, a number and `\r\n`.
#[inline(always)]
pub(crate) fn header(out: &mut impl Sink, kind: u8, value: usize) {
    // Pieces of a constant length become plain stores.
    if value < 10 {
        out.put(&[kind, b'0' + value as u8, b'\r', b'\n']);
    } else if value < 100 {
        out.put(&[kind, b'0' + (value / 10) as u8, b'0' + (value % 10) as u8, b'\r', b'\n']);
    } else {
        long_header(out, kind, value);
    }
}

#[inline(never)]
fn long_header(out: &mut impl Sink, kind: u8, value: usize) {
    out.put(&[kind]);
    out.put(Decimal::unsigned(value as u64).as_bytes());
    out.put(b"\r\n");
}
