//! The pieces of a request: an array of bulk strings, written straight into a [`Sink`].
//!
//! Knows no command names and keeps no count: see [`RequestEncoder`](crate::RequestEncoder).

use crate::{
    header::header,
    number::{Decimal, DoubleText},
    sink::Sink,
};

/// Writes `*args\r\n`, the start of a request of `args` arguments, the command's name among them.
///
/// ```
/// use resp_proto::request;
///
/// let mut out = Vec::new();
/// request::array_header(&mut out, 2);
/// request::bulk(&mut out, b"GET");
/// request::bulk(&mut out, b"key");
/// assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n");
/// ```
#[inline]
pub fn array_header(out: &mut impl Sink, args: usize) {
    header(out, b'*', args);
}

/// Writes one argument.
#[inline]
pub fn bulk(out: &mut impl Sink, arg: &[u8]) {
    header(out, b'$', arg.len());
    out.put(arg);
    out.put(b"\r\n");
}

/// Writes `$len\r\n`; the caller sends the `len` bytes of the argument and a `\r\n` behind them.
#[inline]
pub fn bulk_header(out: &mut impl Sink, len: usize) {
    header(out, b'$', len);
}

/// Writes an integer as one argument.
///
/// ```
/// let mut out = Vec::new();
/// resp_proto::request::integer(&mut out, -42);
/// assert_eq!(out, b"$3\r\n-42\r\n");
/// ```
#[inline]
pub fn integer(out: &mut impl Sink, value: i64) {
    bulk(out, Decimal::signed(value).as_bytes());
}

/// Writes an unsigned integer as one argument.
#[inline]
pub fn unsigned(out: &mut impl Sink, value: u64) {
    bulk(out, Decimal::unsigned(value).as_bytes());
}

/// Writes a double as one argument: the shortest text that reads back as the same value, and
/// `inf`, `-inf`, `nan`, `-0`.
///
/// ```
/// let mut out = Vec::new();
/// resp_proto::request::double(&mut out, 0.1);
/// resp_proto::request::double(&mut out, f64::NEG_INFINITY);
/// assert_eq!(out, b"$3\r\n0.1\r\n$4\r\n-inf\r\n");
/// ```
pub fn double(out: &mut impl Sink, value: f64) {
    bulk(out, DoubleText::new(value).as_bytes());
}

/// The bytes that [`array_header`] writes for this many arguments.
pub const fn array_header_len(args: usize) -> usize {
    digits(args) + 3
}

/// The bytes that [`bulk`] writes for an argument of `len` bytes.
///
/// ```
/// assert_eq!(resp_proto::request::bulk_len(5), b"$5\r\nhello\r\n".len());
/// ```
pub const fn bulk_len(len: usize) -> usize {
    digits(len) + 3 + len + 2
}

/// The bytes of [`command_prefix`]: the header of a request and its first arguments.
pub const fn command_prefix_len(args: usize, first: &[&str]) -> usize {
    let mut len = array_header_len(args);
    let mut i = 0;
    while i < first.len() {
        len += bulk_len(first[i].len());
        i += 1;
    }
    len
}

/// The start of a request of `args` arguments, up to and with the `first` ones, made at compile time.
///
/// # Panics
///
/// When `N` is not [`command_prefix_len`] of the same arguments: in a constant, at compile time.
///
/// ```
/// use resp_proto::request;
///
/// const GET: [u8; request::command_prefix_len(2, &["GET"])] = request::command_prefix(2, &["GET"]);
/// assert_eq!(&GET, b"*2\r\n$3\r\nGET\r\n");
/// ```
pub const fn command_prefix<const N: usize>(args: usize, first: &[&str]) -> [u8; N] {
    assert!(N == command_prefix_len(args, first), "N must be command_prefix_len of the arguments");
    let mut out = [0; N];
    let mut at = const_header(&mut out, 0, b'*', args);
    let mut i = 0;
    while i < first.len() {
        let arg = first[i].as_bytes();
        at = const_header(&mut out, at, b'$', arg.len());
        let mut j = 0;
        while j < arg.len() {
            out[at] = arg[j];
            at += 1;
            j += 1;
        }
        out[at] = b'\r';
        out[at + 1] = b'\n';
        at += 2;
        i += 1;
    }
    out
}

const fn const_header(out: &mut [u8], at: usize, kind: u8, value: usize) -> usize {
    let end = at + digits(value) + 3;
    out[at] = kind;
    out[end - 2] = b'\r';
    out[end - 1] = b'\n';
    let mut left = value;
    let mut i = end - 2;
    while i > at + 1 {
        i -= 1;
        out[i] = b'0' + (left % 10) as u8;
        left /= 10;
    }
    end
}

const fn digits(mut value: usize) -> usize {
    let mut digits = 1;
    while value >= 10 {
        value /= 10;
        digits += 1;
    }
    digits
}
