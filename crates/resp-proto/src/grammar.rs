//! The grammars of short lines: lengths, integers, nulls, booleans, big numbers and doubles.
//!
//! One byte at a time, so that a line may be cut anywhere and still fails at its first wrong byte.

use crate::{error::ProtocolErrorKind, number};

/// How far a line has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    /// Nothing more than the line ending may come.
    Complete,
    Boolean,
    BigNumber,
    BigNumberSigned,
    BigNumberDigits,
    Double,
    DoubleSigned,
    DoubleDigits,
    DoublePoint,
    DoubleFraction,
    DoubleExponent,
    DoubleExponentSigned,
    DoubleExponentDigits,
    DoubleI,
    DoubleIn,
    DoubleN,
    DoubleNa,
}

impl Text {
    /// Takes one byte that is not the line ending.
    pub(crate) fn step(self, byte: u8) -> Result<Self, ProtocolErrorKind> {
        let digit = byte.is_ascii_digit();
        Ok(match (self, byte) {
            (Self::Boolean, b't' | b'f') => Self::Complete,

            (Self::BigNumber, b'+' | b'-') => Self::BigNumberSigned,
            (Self::BigNumber | Self::BigNumberSigned | Self::BigNumberDigits, _) if digit => {
                Self::BigNumberDigits
            }

            (Self::Double, b'+' | b'-') => Self::DoubleSigned,
            (Self::Double | Self::DoubleSigned, b'i') => Self::DoubleI,
            (Self::DoubleI, b'n') => Self::DoubleIn,
            (Self::DoubleIn, b'f') => Self::Complete,
            (Self::Double | Self::DoubleSigned, b'n') => Self::DoubleN,
            (Self::DoubleN, b'a') => Self::DoubleNa,
            (Self::DoubleNa, b'n') => Self::Complete,
            (Self::Double | Self::DoubleSigned | Self::DoubleDigits, _) if digit => {
                Self::DoubleDigits
            }
            (Self::DoubleDigits, b'.') => Self::DoublePoint,
            (Self::DoublePoint | Self::DoubleFraction, _) if digit => Self::DoubleFraction,
            (Self::DoubleDigits | Self::DoubleFraction, b'e' | b'E') => Self::DoubleExponent,
            (Self::DoubleExponent, b'+' | b'-') => Self::DoubleExponentSigned,
            (Self::DoubleExponent | Self::DoubleExponentSigned | Self::DoubleExponentDigits, _)
                if digit =>
            {
                Self::DoubleExponentDigits
            }

            _ => return Err(self.error()),
        })
    }

    /// Whether the line may end here.
    pub(crate) fn may_end(self) -> bool {
        matches!(
            self,
            Self::Complete
                | Self::BigNumberDigits
                | Self::DoubleDigits
                | Self::DoubleFraction
                | Self::DoubleExponentDigits
        )
    }

    /// What is wrong when a byte does not fit here.
    pub(crate) fn error(self) -> ProtocolErrorKind {
        match self {
            Self::Complete => ProtocolErrorKind::ExpectedCrlf,
            Self::Boolean => ProtocolErrorKind::InvalidBoolean,
            Self::BigNumber | Self::BigNumberSigned | Self::BigNumberDigits => {
                ProtocolErrorKind::InvalidBigNumber
            }
            _ => ProtocolErrorKind::InvalidDouble,
        }
    }

    /// Reads a whole line with its `\r\n`; gives its text and what follows, `None` when anything is wrong.
    pub(crate) fn line(mut self, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
        if self == Self::Double
            && let Some(found) = plain_decimal(bytes)
        {
            return Some(found);
        }
        for (end, &byte) in bytes.iter().enumerate() {
            if byte == b'\r' {
                let rest = bytes.get(end + 1..)?.strip_prefix(b"\n")?;
                return self.may_end().then_some((&bytes[..end], rest));
            }
            self = self.step(byte).ok()?;
        }
        None
    }
}

/// The line of a double that is digits, or digits, a point and digits, as nearly all are.
fn plain_decimal(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let sign = usize::from(bytes.first() == Some(&b'-'));
    let integral = digits(bytes.get(sign..)?);
    let mut end = sign + integral;
    if bytes.get(end) == Some(&b'.') {
        let fraction = digits(bytes.get(end + 1..)?);
        if fraction == 0 {
            return None;
        }
        end += 1 + fraction;
    }
    if integral == 0 {
        return None;
    }
    Some((&bytes[..end], number::crlf(&bytes[end..])?))
}

/// How far the digits of a length or count have been read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    Empty,
    Zero,
    Digits(usize),
    Minus,
    MinusOne,
    Streamed,
}

/// What may stand in place of a length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forms {
    /// `-1`
    pub(crate) null: bool,
    /// `?`
    pub(crate) streamed: bool,
}

impl Length {
    /// Takes one byte that is not the line ending. Values beyond `usize` come out as its maximum.
    pub(crate) fn step(self, byte: u8, forms: Forms) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Empty, b'0') => Self::Zero,
            (Self::Empty, b'1'..=b'9') => Self::Digits(usize::from(byte - b'0')),
            (Self::Digits(count), b'0'..=b'9') => {
                Self::Digits(count.saturating_mul(10).saturating_add(usize::from(byte - b'0')))
            }
            (Self::Empty, b'-') if forms.null => Self::Minus,
            (Self::Minus, b'1') => Self::MinusOne,
            (Self::Empty, b'?') if forms.streamed => Self::Streamed,
            _ => return None,
        })
    }
}

/// How far the line of an integer has been read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Integer {
    Empty,
    Signed { negative: bool },
    Digits { negative: bool, magnitude: u64 },
}

impl Integer {
    /// Takes one byte that is not the line ending; `None` also when the integer no longer fits.
    pub(crate) fn step(self, byte: u8) -> Option<Self> {
        let (negative, magnitude) = match (self, byte) {
            (Self::Empty, b'+' | b'-') => {
                return Some(Self::Signed { negative: byte == b'-' });
            }
            (Self::Empty, _) => (false, 0),
            (Self::Signed { negative }, _) => (negative, 0),
            (Self::Digits { negative, magnitude }, _) => (negative, magnitude),
        };
        if !byte.is_ascii_digit() {
            return None;
        }
        let magnitude = magnitude.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
        number::signed(negative, magnitude)?;
        Some(Self::Digits { negative, magnitude })
    }
}
