//! Requests one argument at a time, with the announced count checked.

use alloc::vec::Vec;

use crate::request;

/// Writes requests into a buffer and sees to it that each has the arguments it announced.
///
/// ```
/// let mut buffer = Vec::new();
/// let mut encoder = resp_proto::RequestEncoder::new(&mut buffer);
/// encoder.command(3).arg(b"INCRBY").arg(b"counter").integer(5);
/// encoder.command(1).arg(b"PING").finish();
/// assert_eq!(
///     buffer,
///     b"*3\r\n$6\r\nINCRBY\r\n$7\r\ncounter\r\n$1\r\n5\r\n*1\r\n$4\r\nPING\r\n",
/// );
/// ```
///
/// In builds with debug assertions, a request with fewer or more arguments than announced panics, at
/// the next [`command`](Self::command) or [`finish`](Self::finish): every later request of the
/// connection would be misread.
#[derive(Debug)]
pub struct RequestEncoder<'a> {
    out: &'a mut Vec<u8>,
    /// Arguments announced and not yet written.
    missing: usize,
}

impl<'a> RequestEncoder<'a> {
    /// An encoder that appends to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, missing: 0 }
    }

    /// Starts a request of `args` arguments, the command's name among them.
    ///
    /// # Panics
    ///
    /// When `args` is 0: servers send no reply to an empty request, so whoever waits for one would
    /// take the next request's. With debug assertions, also when the request before is incomplete.
    #[inline]
    pub fn command(&mut self, args: usize) -> &mut Self {
        assert!(args > 0, "a request has at least the command's name");
        self.finish();
        request::array_header(self.out, args);
        self.missing = args;
        self
    }

    /// Writes one argument.
    #[inline]
    pub fn arg(&mut self, arg: &[u8]) -> &mut Self {
        self.count();
        request::bulk(self.out, arg);
        self
    }

    /// Writes an integer as one argument.
    #[inline]
    pub fn integer(&mut self, value: i64) -> &mut Self {
        self.count();
        request::integer(self.out, value);
        self
    }

    /// Writes an unsigned integer as one argument.
    #[inline]
    pub fn unsigned(&mut self, value: u64) -> &mut Self {
        self.count();
        request::unsigned(self.out, value);
        self
    }

    /// Writes a double as one argument, as [`request::double`] does.
    #[inline]
    pub fn double(&mut self, value: f64) -> &mut Self {
        self.count();
        request::double(self.out, value);
        self
    }

    /// Says that no more is to come.
    ///
    /// # Panics
    ///
    /// With debug assertions, when the last request is incomplete.
    #[inline]
    pub fn finish(&mut self) {
        // Not left to a `Drop`, which could not tell that a panic is already under way.
        debug_assert!(self.missing == 0, "{} arguments of a request are missing", self.missing);
    }

    #[inline]
    fn count(&mut self) {
        debug_assert!(self.missing > 0, "a request has more arguments than announced");
        self.missing = self.missing.wrapping_sub(1);
    }
}
