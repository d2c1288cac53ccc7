//! Numbers of any width within a value, and what is done with them.

use super::short::short;
use crate::command::{Arg, Args, One, ToArg, ToArgs, Written};

/// A number's width in bits, and whether it has a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BitType {
    /// Two's complement with 1 to 64 bits.
    Signed(u8),
    /// Without a sign, with 1 to 63 bits.
    Unsigned(u8),
}

impl ToArg for BitType {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        match self {
            Self::Signed(bits) => short(arg, format_args!("i{bits}")),
            Self::Unsigned(bits) => short(arg, format_args!("u{bits}")),
        }
    }
}

/// Where a number begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BitOffset {
    /// At this bit, counted from 0.
    Bit(u64),
    /// At this index of a row of numbers of the same width, counted from 0.
    Index(u64),
}

impl From<u64> for BitOffset {
    fn from(bit: u64) -> Self {
        Self::Bit(bit)
    }
}

impl ToArg for BitOffset {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        match self {
            Self::Bit(bit) => arg.unsigned(*bit),
            Self::Index(index) => short(arg, format_args!("#{index}")),
        }
    }
}

/// What happens to a number that does not fit its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// It wraps around.
    Wrap,
    /// It becomes the nearest that fits.
    Saturate,
    /// Nothing is changed, and the operation gives none.
    Fail,
}

impl ToArg for Overflow {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.bytes(match self {
            Self::Wrap => b"WRAP",
            Self::Saturate => b"SAT",
            Self::Fail => b"FAIL",
        })
    }
}

/// Reads a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitGet {
    ty: BitType,
    offset: BitOffset,
}

impl BitGet {
    /// Reads the number at an offset.
    pub fn new(ty: BitType, offset: impl Into<BitOffset>) -> Self {
        Self { ty, offset: offset.into() }
    }
}

impl ToArgs<One> for BitGet {
    fn to_args(self, args: &mut Args) {
        args.push("GET");
        args.push(self.ty);
        args.push(self.offset);
    }
}

/// Reads or writes a number.
///
/// # Examples
///
/// ```
/// use redis_core::cmd;
/// use redis_core::types::{BitOffset, BitOperation, BitType, Overflow};
///
/// let counter = BitType::Unsigned(4);
/// let operations = [
///     BitOperation::set(counter, BitOffset::Index(0), 14),
///     BitOperation::increment(counter, BitOffset::Index(0), 3).overflow(Overflow::Saturate),
///     BitOperation::get(counter, BitOffset::Index(1)),
/// ];
/// let command = cmd::bitfield("counters", operations);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitOperation {
    overflow: Option<Overflow>,
    ty: BitType,
    offset: BitOffset,
    action: Action,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Get,
    Set(i64),
    Increment(i64),
}

impl BitOperation {
    /// Reads the number at an offset.
    pub fn get(ty: BitType, offset: impl Into<BitOffset>) -> Self {
        Self { overflow: None, ty, offset: offset.into(), action: Action::Get }
    }

    /// Writes the number at an offset, and gives the one before.
    pub fn set(ty: BitType, offset: impl Into<BitOffset>, value: i64) -> Self {
        Self { overflow: None, ty, offset: offset.into(), action: Action::Set(value) }
    }

    /// Adds to the number at an offset, and gives the new one.
    pub fn increment(ty: BitType, offset: impl Into<BitOffset>, by: i64) -> Self {
        Self { overflow: None, ty, offset: offset.into(), action: Action::Increment(by) }
    }

    /// What happens when the number does not fit, here and in the operations behind; they wrap without. Nothing for a read.
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = Some(overflow);
        self
    }
}

impl From<BitGet> for BitOperation {
    fn from(get: BitGet) -> Self {
        Self::get(get.ty, get.offset)
    }
}

impl ToArgs<One> for BitOperation {
    fn to_args(self, args: &mut Args) {
        if let Some(overflow) = self.overflow.filter(|_| self.action != Action::Get) {
            args.push("OVERFLOW");
            args.push(overflow);
        }
        args.push(match self.action {
            Action::Get => "GET",
            Action::Set(_) => "SET",
            Action::Increment(_) => "INCRBY",
        });
        args.push(self.ty);
        args.push(self.offset);
        if let Action::Set(value) | Action::Increment(value) = self.action {
            args.push(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(operation: impl Into<BitOperation>) -> String {
        let mut args = Args::default();
        operation.into().to_args(&mut args);
        let words: Vec<_> = args.iter().map(String::from_utf8_lossy).collect();
        words.join(" ")
    }

    #[test]
    fn operations_are_written_as_the_server_spells_them() {
        let (i5, u8) = (BitType::Signed(5), BitType::Unsigned(8));
        assert_eq!(words(BitGet::new(u8, 7)), "GET u8 7");
        assert_eq!(words(BitOperation::get(i5, BitOffset::Index(3))), "GET i5 #3");
        assert_eq!(words(BitOperation::set(i5, 0, -3)), "SET i5 0 -3");
        let increment = BitOperation::increment(u8, 1, 2);
        assert_eq!(words(increment), "INCRBY u8 1 2");
        assert_eq!(words(increment.overflow(Overflow::Fail)), "OVERFLOW FAIL INCRBY u8 1 2");
        assert_eq!(words(increment.overflow(Overflow::Saturate)), "OVERFLOW SAT INCRBY u8 1 2");
        assert_eq!(words(increment.overflow(Overflow::Wrap)), "OVERFLOW WRAP INCRBY u8 1 2");
        assert_eq!(words(BitOperation::get(u8, 1).overflow(Overflow::Fail)), "GET u8 1");
    }
}
