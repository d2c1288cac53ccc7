//! Decimal text to numbers and back, for the header lines of the protocol.
//!
//! The readers here take a line that is there as a whole and answer `None` for anything unusual:
//! what exactly is wrong, and where, is the scanner's to say.

/// Reads the digits of a length and the `\r\n` behind them; gives the value and what follows.
///
/// `None` when the line is incomplete, not plain digits, has a leading zero or does not fit.
#[inline(always)]
pub(crate) fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [a, b'\r', b'\n', rest @ ..] => Some((digit(*a)?, rest)),
        [a, b, b'\r', b'\n', rest @ ..] => {
            let (a, b) = (leading_digit(*a)?, digit(*b)?);
            Some((a * 10 + b, rest))
        }
        [a, b, c, b'\r', b'\n', rest @ ..] => {
            let (a, b, c) = (leading_digit(*a)?, digit(*b)?, digit(*c)?);
            Some((a * 100 + b * 10 + c, rest))
        }
        _ => long_length(bytes),
    }
}

#[inline(never)]
fn long_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = leading_digit(*bytes.first()?)?;
    let mut rest = bytes.get(1..)?;
    loop {
        match rest {
            [b'\r', b'\n', rest @ ..] => return Some((value, rest)),
            [next, tail @ ..] => {
                value = value.checked_mul(10)?.checked_add(digit(*next)?)?;
                rest = tail;
            }
            [] => return None,
        }
    }
}

/// Reads an integer and the `\r\n` behind it; gives the value and what follows.
#[inline(always)]
pub(crate) fn integer(bytes: &[u8]) -> Option<(i64, &[u8])> {
    match bytes {
        [a, b'\r', b'\n', rest @ ..] => Some((digit(*a)? as i64, rest)),
        [a, b, b'\r', b'\n', rest @ ..] if a.is_ascii_digit() => {
            Some(((digit(*a)? * 10 + digit(*b)?) as i64, rest))
        }
        _ => long_integer(bytes),
    }
}

#[inline(never)]
fn long_integer(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (negative, mut rest) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, bytes),
    };
    let mut value = digit(*rest.first()?)? as u64;
    rest = rest.get(1..)?;
    loop {
        match rest {
            [b'\r', b'\n', rest @ ..] => return Some((signed(negative, value)?, rest)),
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
    if negative {
        0i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

#[inline(always)]
fn digit(byte: u8) -> Option<usize> {
    let value = byte.wrapping_sub(b'0');
    if value <= 9 {
        Some(value as usize)
    } else {
        None
    }
}

#[inline(always)]
fn leading_digit(byte: u8) -> Option<usize> {
    let value = byte.wrapping_sub(b'1');
    if value <= 8 {
        Some(value as usize + 1)
    } else {
        None
    }
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
        Self {
            text,
            start: start as u8,
        }
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

        let mut out = Self {
            text: [0; 32],
            len: 0,
        };
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
        self.text
            .get_mut(self.len..end)
            .ok_or(core::fmt::Error)?
            .copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
