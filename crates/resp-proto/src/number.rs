//! Decimal text to numbers and back, for the header lines of the protocol.
//!
//! The readers here take a line that is there as a whole and answer `None` for anything unusual:
//! what exactly is wrong, and where, is the scanner's to say.

/// Takes a `\r\n` off the front.
#[inline(always)]
pub(crate) fn crlf(bytes: &[u8]) -> Option<&[u8]> {
    match bytes.split_first_chunk() {
        Some((end, rest)) if u16::from_le_bytes(*end) == CRLF => Some(rest),
        _ => None,
    }
}

const CRLF: u16 = u16::from_le_bytes(*b"\r\n");

/// Reads the digits of a length and the `\r\n` behind them; gives the value and what follows.
///
/// `None` when the line is incomplete, not plain digits, has a leading zero or does not fit.
#[inline(always)]
pub(crate) fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    // The digits are counted by branches, which are predicted, so that the next header is read
    // before this one's length is known. One load covers nearly all headers there are.
    if let Some((&head, _)) = bytes.split_first_chunk() {
        let head = u64::from_le_bytes(head);
        if (head >> 8) as u16 == CRLF {
            return Some((digit(head as u8)?, &bytes[3..]));
        }
        if (head >> 16) as u16 == CRLF {
            return Some((two_digits(head)?, &bytes[4..]));
        }
        if (head >> 24) as u16 == CRLF {
            return Some((two_digits(head)? * 10 + digit((head >> 16) as u8)?, &bytes[5..]));
        }
        if (head >> 32) as u16 == CRLF {
            let (c, d) = (digit((head >> 16) as u8)?, digit((head >> 24) as u8)?);
            return Some((two_digits(head)? * 100 + c * 10 + d, &bytes[6..]));
        }
    }
    long_length(bytes)
}

/// As [`length`], for one or two digits; `None` also for more.
#[inline(always)]
pub(crate) fn short_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&head, _) = bytes.split_first_chunk()?;
    let head = u32::from_le_bytes(head);
    if (head >> 8) as u16 == CRLF {
        Some((digit(head as u8)?, &bytes[3..]))
    } else if (head >> 16) as u16 == CRLF {
        Some((two_digits(u64::from(head))?, &bytes[4..]))
    } else {
        None
    }
}

/// The number in the two lowest bytes, of which the first is not zero.
#[inline(always)]
fn two_digits(head: u64) -> Option<usize> {
    let (a, b) = (head as u8, (head >> 8) as u8);
    if !matches!(a, b'1'..=b'9') || !b.is_ascii_digit() {
        return None;
    }
    // The next header's address waits for this sum, so the checks stay out of it.
    Some(usize::from(a) * 10 + usize::from(b) - usize::from(b'0') * 11)
}

#[inline(never)]
fn long_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    if let [b'0', b'0'..=b'9', ..] = bytes {
        return None;
    }
    let (value, rest) = magnitude(bytes)?;
    Some((usize::try_from(value).ok()?, rest))
}

/// Reads an integer and the `\r\n` behind it; gives the value and what follows.
#[inline(always)]
pub(crate) fn integer(bytes: &[u8]) -> Option<(i64, &[u8])> {
    if let [a, b'\r', b'\n', rest @ ..] = bytes {
        return Some((digit(*a)? as i64, rest));
    }
    if let Some(first) = first_eight(bytes) {
        let count = leading_digits(first);
        if count.wrapping_sub(1) < 7 {
            let rest = crlf(bytes.get(count..)?)?;
            return Some((eight_digits(first, count) as i64, rest));
        }
    }
    long_integer(bytes)
}

/// Out of line, so that short integers need few registers.
#[inline(never)]
fn long_integer(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        _ => (false, bytes),
    };
    let (value, rest) = magnitude(digits)?;
    Some((signed(negative, value)?, rest))
}

/// What follows an integer and its `\r\n`; as [`integer`], without its value.
#[inline(always)]
pub(crate) fn skip_integer(bytes: &[u8]) -> Option<&[u8]> {
    if let [b'0'..=b'9', b'\r', b'\n', rest @ ..] = bytes {
        return Some(rest);
    }
    if let Some(first) = first_eight(bytes) {
        let count = leading_digits(first);
        // Seven digits fit, whatever they are.
        if count.wrapping_sub(1) < 7 {
            return crlf(bytes.get(count..)?);
        }
    }
    long_integer(bytes).map(|(_, rest)| rest)
}

/// Reads digits and the `\r\n` behind them.
#[inline(always)]
fn magnitude(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let Some(first) = first_eight(bytes) else {
        return any_magnitude(bytes);
    };
    let count = leading_digits(first);
    if count < 8 {
        let rest = crlf(bytes.get(count..)?)?;
        return if count > 0 { Some((eight_digits(first, count), rest)) } else { None };
    }
    let behind = &bytes[8..];
    let Some(second) = first_eight(behind) else {
        return any_magnitude(bytes);
    };
    let count = leading_digits(second);
    if count == 8 {
        return any_magnitude(bytes);
    }
    let rest = crlf(behind.get(count..)?)?;
    let high = eight_digits(first, 8) * TENS[count];
    Some((if count > 0 { high + eight_digits(second, count) } else { high }, rest))
}

const TENS: [u64; 8] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// The first eight bytes, the first in the lowest place, with zeros for what is not there; `None`
/// for less than four, which are not worth it.
#[inline(always)]
fn first_eight(bytes: &[u8]) -> Option<u64> {
    if let Some(&first) = bytes.first_chunk() {
        return Some(u64::from_le_bytes(first));
    }
    // Two halves that overlap, where they are equal.
    let (&low, &high) = (bytes.first_chunk()?, bytes.last_chunk()?);
    let (low, high) = (u32::from_le_bytes(low), u32::from_le_bytes(high));
    Some(u64::from(low) | u64::from(high) << (8 * (bytes.len() - 4)))
}

const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);

/// How many of eight bytes, the first in the lowest place, are digits before the first that is not.
#[inline(always)]
fn leading_digits(bytes: u64) -> usize {
    // A digit is left with its value; the high bit of a byte ends up set when that exceeds nine. What
    // such a byte carries over reaches only those behind it.
    let values = bytes ^ ZEROS;
    let others = (values | values.wrapping_add(0x7676_7676_7676_7676)) & 0x8080_8080_8080_8080;
    (others.trailing_zeros() / 8) as usize
}

/// The number that the first `count` of eight bytes write, 1 to 8 digits.
#[inline(always)]
fn eight_digits(bytes: u64, count: usize) -> u64 {
    // Zeros move in from the front, then neighbours are combined: digits, pairs, fours.
    let digits = (bytes ^ ZEROS) << (64 - 8 * count);
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    (fours * 10_000 + (fours >> 32)) & 0xffff_ffff
}

#[inline(never)]
fn any_magnitude(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = digit(*bytes.first()?)? as u64;
    let mut rest = bytes.get(1..)?;
    loop {
        match rest {
            [b'\r', b'\n', rest @ ..] => return Some((value, rest)),
            [next, tail @ ..] => {
                value = value.checked_mul(10)?.checked_add(digit(*next)? as u64)?;
                rest = tail;
            }
            [] => return None,
        }
    }
}

/// The integer of this sign and magnitude, if it fits.
pub(crate) fn signed(negative: bool, magnitude: u64) -> Option<i64> {
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

#[inline(always)]
fn digit(byte: u8) -> Option<usize> {
    let value = byte.wrapping_sub(b'0');
    if value <= 9 { Some(value as usize) } else { None }
}

/// The decimal text of a number, in place.
pub(crate) struct Decimal {
    text: [u8; 20],
    start: u8,
}

const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
2021222324252627282930313233343536373839\
4041424344454647484950515253545556575859\
6061626364656667686970717273747576777879\
8081828384858687888990919293949596979899";

impl Decimal {
    #[inline]
    pub(crate) fn unsigned(mut value: u64) -> Self {
        let mut text = [0; 20];
        let mut start = 20;
        while value >= 100 {
            let pair = (value % 100) as usize * 2;
            value /= 100;
            start -= 2;
            text[start] = PAIRS[pair];
            text[start + 1] = PAIRS[pair + 1];
        }
        if value >= 10 {
            let pair = value as usize * 2;
            start -= 2;
            text[start] = PAIRS[pair];
            text[start + 1] = PAIRS[pair + 1];
        } else {
            start -= 1;
            text[start] = b'0' + value as u8;
        }
        Self { text, start: start as u8 }
    }

    /// At most 19 digits and a sign.
    #[inline]
    pub(crate) fn signed(value: i64) -> Self {
        let mut decimal = Self::unsigned(value.unsigned_abs());
        if value < 0 {
            decimal.start -= 1;
            decimal.text[decimal.start as usize] = b'-';
        }
        decimal
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text[self.start as usize..]
    }
}

/// The shortest decimal text that reads back as the same double, in place.
///
/// `inf`, `-inf`, `nan` and `-0` are written so; an exponent is used where digits alone would be long.
pub(crate) struct DoubleText {
    text: [u8; 32],
    len: usize,
}

impl DoubleText {
    pub(crate) fn new(value: f64) -> Self {
        use core::fmt::Write;

        let mut out = Self { text: [0; 32], len: 0 };
        let size = value.abs();
        // At most 17 digits, a point, a sign, and either five zeros or an exponent: 32 bytes hold it.
        let written = if value.is_nan() {
            out.write_str("nan")
        } else if size == 0.0 || (1e-5..1e16).contains(&size) || size.is_infinite() {
            write!(out, "{value}")
        } else {
            write!(out, "{value:e}")
        };
        debug_assert!(written.is_ok(), "the text of a double fits 32 bytes");
        out
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text[..self.len]
    }
}

impl core::fmt::Write for DoubleText {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let end = self.len + text.len();
        self.text.get_mut(self.len..end).ok_or(core::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, vec::Vec};

    use super::*;

    #[test]
    fn numbers_of_every_length_are_read_alike_at_the_end_of_a_buffer_and_before() {
        let mut value = 0u64;
        for digits in 1..=20 {
            value = value.wrapping_mul(10).wrapping_add(digits % 10);
            for value in [value, 10u64.saturating_pow(digits as u32 - 1), value | 1] {
                let line = format!("{value}\r\n");
                for behind in ["", "x", "$5\r\nhello\r\nand much more"] {
                    let bytes = format!("{line}{behind}");
                    let expected = Some((value, behind.as_bytes()));
                    assert_eq!(magnitude(bytes.as_bytes()), expected);
                    assert_eq!(any_magnitude(bytes.as_bytes()), expected);
                    let expected = Some((value as usize, behind.as_bytes()));
                    assert_eq!(length(bytes.as_bytes()), expected);
                    for at in 0..line.len() {
                        for wrong in [b'/', b':', b' ', b'\r', b'\n', b'0' | 0x80] {
                            let mut bytes = bytes.clone().into_bytes();
                            if bytes[at] != wrong {
                                bytes[at] = wrong;
                                assert_eq!(magnitude(&bytes), any_magnitude(&bytes));
                                assert_eq!(magnitude(&bytes), None, "{}", bytes.escape_ascii());
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn lengths_have_no_leading_zero_and_integers_have_digits() {
        for zeros in 1..12 {
            let line = format!("{}1\r\n$5\r\nhello\r\n", "0".repeat(zeros));
            assert_eq!(length(line.as_bytes()), None);
            assert_eq!(integer(line.as_bytes()).map(|(value, _)| value), Some(1));
            assert!(skip_integer(line.as_bytes()).is_some());
            assert_eq!(length(format!("0{}\r\n", "1".repeat(zeros)).as_bytes()), None);
        }
        for line in ["\r\n$5\r\nhello\r\n", "-\r\n$5\r\nhello\r\n", "+-1\r\n$5\r\nhello\r\n"] {
            assert_eq!(length(line.as_bytes()), None);
            assert_eq!(integer(line.as_bytes()), None);
            assert_eq!(skip_integer(line.as_bytes()), None);
        }
    }

    #[test]
    fn integers_are_written_as_the_standard_library_does() {
        let mut values: Vec<u64> = (0..1_000).collect();
        values.extend((0..64).flat_map(|shift| [1u64 << shift, (1u64 << shift) - 1]));
        values.push(u64::MAX);
        for value in values {
            assert_eq!(Decimal::unsigned(value).as_bytes(), format!("{value}").as_bytes());
            let value = value as i64;
            for value in [value, value.wrapping_neg()] {
                assert_eq!(Decimal::signed(value).as_bytes(), format!("{value}").as_bytes());
            }
        }
    }

    #[test]
    fn doubles_of_any_size_fit_and_read_back() {
        let mut bits = 0x1234_5678_9abc_def0u64;
        for _ in 0..100_000 {
            // Any mixing does; every exponent comes up.
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let value = f64::from_bits(bits);
            let text = DoubleText::new(value);
            let read: f64 = core::str::from_utf8(text.as_bytes()).unwrap().parse().unwrap();
            assert!(read == value || (read.is_nan() && value.is_nan()), "{value:?}");
        }
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (3.0, "3"),
            (0.1, "0.1"),
            (-1.5, "-1.5"),
            (1e-5, "0.00001"),
            (1e-7, "1e-7"),
            (1e15, "1000000000000000"),
            (1e16, "1e16"),
            (f64::MAX, "1.7976931348623157e308"),
            (-f64::MIN_POSITIVE, "-2.2250738585072014e-308"),
            (5e-324, "5e-324"),
            (-1.234_567_890_123_456_7e-5, "-0.000012345678901234568"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (-f64::NAN, "nan"),
        ] {
            assert_eq!(DoubleText::new(value).as_bytes(), text.as_bytes());
        }
    }
}
