//! The arguments of one command, encoded as they are added.
//!
//! Owns the encoding of values as arguments and the storage they are kept in until a connection takes
//! them: inside the command itself while they are few bytes, on the heap after that, and by reference
//! for large `Bytes`. Knows nothing of which command they belong to.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZero;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use resp_proto::{Sink, request};

use crate::send::SendBuffer;

/// Bytes of encoded arguments that a command holds without allocating.
const INLINE: usize = 110;

/// A `Bytes` argument of at least this many bytes is kept by reference instead of copied.
pub(crate) const SEGMENT: usize = 16 * 1024;

/// Encoded arguments: each one `$<len>\r\n<bytes>\r\n`.
#[derive(Clone)]
pub struct Args {
    count: u32,
    /// Where the first key's bytes lie: start and length within `store`'s own bytes.
    key: Option<(u32, u32)>,
    store: Store,
}

#[derive(Clone)]
enum Store {
    Inline { len: u8, buf: [u8; INLINE] },
    Heap { buf: Vec<u8>, segments: Vec<Segment>, invalid: Option<Box<str>> },
}

/// A large argument's bytes, that belong between `at - 1` and `at` of the buffer.
#[derive(Clone)]
struct Segment {
    at: usize,
    bytes: Bytes,
}

impl Default for Args {
    fn default() -> Self {
        Self { count: 0, key: None, store: Store::Inline { len: 0, buf: [0; INLINE] } }
    }
}

/// Shows how many there are alone: arguments may be secrets.
impl fmt::Debug for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Args({})", self.count)
    }
}

impl Sink for Store {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        match self {
            Self::Inline { len, buf } => {
                let start = usize::from(*len);
                if let Some(room) = buf.get_mut(start..start + bytes.len()) {
                    room.copy_from_slice(bytes);
                    *len += bytes.len() as u8;
                } else {
                    self.spill(bytes);
                }
            }
            Self::Heap { buf, .. } => buf.extend_from_slice(bytes),
        }
    }
}

impl Store {
    #[cold]
    fn spill(&mut self, bytes: &[u8]) {
        let held = self.bytes();
        let mut buf = Vec::with_capacity((held.len() + bytes.len()).max(2 * INLINE) + 16);
        buf.extend_from_slice(held);
        buf.extend_from_slice(bytes);
        *self = Self::Heap { buf, segments: Vec::new(), invalid: None };
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Inline { len, buf } => &buf[..usize::from(*len)],
            Self::Heap { buf, .. } => buf,
        }
    }

    fn segments(&self) -> &[Segment] {
        match self {
            Self::Inline { .. } => &[],
            Self::Heap { segments, .. } => segments,
        }
    }

    fn invalid(&self) -> Option<&str> {
        match self {
            Self::Inline { .. } => None,
            Self::Heap { invalid, .. } => invalid.as_deref(),
        }
    }

    /// Keeps the first reason.
    #[cold]
    fn set_invalid(&mut self, reason: Box<str>) {
        if let Self::Inline { .. } = self {
            self.spill(&[]);
        }
        if let Self::Heap { invalid, .. } = self {
            invalid.get_or_insert(reason);
        }
    }

    fn segment(&mut self, bytes: Bytes) {
        self.segment_at(self.bytes().len(), bytes);
    }

    fn segment_at(&mut self, at: usize, bytes: Bytes) {
        if let Self::Inline { .. } = self {
            self.spill(&[]);
        }
        if let Self::Heap { segments, .. } = self {
            segments.push(Segment { at, bytes });
        }
    }
}

impl Args {
    /// Adds one argument.
    #[inline]
    pub fn push(&mut self, value: impl ToArg) {
        value.to_arg(Arg { args: self });
    }

    /// Adds one argument that is a key.
    #[inline]
    pub fn push_key(&mut self, key: impl ToArg) {
        if self.key.is_some() {
            return self.push(key);
        }
        let before = self.store.bytes().len();
        let segments = self.store.segments().len();
        self.push(key);
        // A key that is large enough to be a segment is looked up there when it is asked for.
        let encoded = &self.store.bytes()[before..];
        let referenced = self.store.segments().len() > segments;
        let header = match encoded.len() {
            // `$n` and `$nn`, each with its line end, and that of the key.
            6..=15 if !referenced => 4,
            17..=106 if !referenced => 5,
            _ => encoded.iter().position(|&b| b == b'\n').map_or(0, |at| at + 1),
        };
        let len = if referenced { 0 } else { encoded.len() - header - 2 };
        self.key = Some(((before + header) as u32, len as u32));
    }

    /// Moves all arguments of `other` to the end of these.
    pub(crate) fn append(&mut self, other: Self) {
        let at = self.store.bytes().len();
        if self.key.is_none() {
            self.key = other.key.map(|(start, len)| (at as u32 + start, len));
        }
        self.count += other.count;
        self.store.put(other.store.bytes());
        if let Store::Heap { segments, invalid, .. } = other.store {
            if let Some(reason) = invalid {
                self.store.set_invalid(reason);
            }
            for Segment { at: within, bytes } in segments {
                self.store.segment_at(at + within, bytes);
            }
        }
    }

    /// Adds the arguments of `other` again, as keys.
    pub(crate) fn append_keys(&mut self, other: &Self) {
        other.iter().for_each(|key| self.push_key(key));
        if let Some(reason) = other.invalid() {
            self.store.set_invalid(reason.into());
        }
    }

    /// Why one of them can't be sent.
    #[inline]
    pub(crate) fn invalid(&self) -> Option<&str> {
        self.store.invalid()
    }

    /// How many arguments there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The first key's bytes, where a builder marked one.
    pub fn first_key(&self) -> Option<&[u8]> {
        let (start, len) = self.key?;
        let start = start as usize;
        if len == 0
            && let Some(segment) = self.store.segments().iter().find(|segment| segment.at == start)
        {
            return Some(&segment.bytes);
        }
        self.store.bytes().get(start..start + len as usize)
    }

    /// The argument at `index`, counted from 0. All before it are walked over: use [`iter`](Self::iter)
    /// for more than one.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.iter().nth(index)
    }

    /// The arguments' bytes in their order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let bytes = self.store.bytes();
        let mut segments = self.store.segments().iter().peekable();
        let mut at = 0;
        std::iter::from_fn(move || {
            let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
            let header = rest.iter().position(|&b| b == b'\n')? + 1;
            let start = at + header;
            let (body, next) = match segments.next_if(|segment| segment.at == start) {
                Some(segment) => (&segment.bytes[..], start + 2),
                None => {
                    let len =
                        std::str::from_utf8(&rest[1..header - 2]).ok()?.parse::<usize>().ok()?;
                    (bytes.get(start..start + len)?, start + len + 2)
                }
            };
            at = next;
            Some(body)
        })
    }

    /// Bytes of all arguments together, encoded.
    #[inline]
    pub(crate) fn encoded_len(&self) -> usize {
        let segments: usize = self.store.segments().iter().map(|segment| segment.bytes.len()).sum();
        self.store.bytes().len() + segments
    }

    /// All encoded bytes, when none is kept by reference.
    #[inline]
    pub(crate) fn plain(&self) -> Option<&[u8]> {
        self.store.segments().is_empty().then(|| self.store.bytes())
    }

    /// Appends the encoded arguments.
    #[inline]
    pub(crate) fn write_to(&self, out: &mut SendBuffer) {
        let bytes = self.store.bytes();
        let mut from = 0;
        for segment in self.store.segments() {
            out.put(&bytes[from..segment.at]);
            out.push_shared(segment.bytes.clone());
            from = segment.at;
        }
        out.put(&bytes[from..]);
    }
}

/// The place of one argument, to be filled by [`ToArg::to_arg`].
#[derive(Debug)]
pub struct Arg<'a> {
    args: &'a mut Args,
}

/// Proof that an argument was written: only the methods of [`Arg`] make one.
#[derive(Debug)]
pub struct Written(());

impl Arg<'_> {
    /// Writes the argument's bytes.
    #[inline]
    pub fn bytes(self, bytes: &[u8]) -> Written {
        request::bulk(&mut self.args.store, bytes);
        self.written()
    }

    /// Writes the argument's bytes; large ones (16 KiB and more) are kept by reference and never copied.
    pub fn shared(self, bytes: &Bytes) -> Written {
        if bytes.len() < SEGMENT {
            return self.bytes(bytes);
        }
        request::bulk_header(&mut self.args.store, bytes.len());
        self.args.store.segment(bytes.clone());
        self.args.store.put(b"\r\n");
        self.written()
    }

    /// Writes the argument's bytes, of which large ones are kept as they are.
    #[cfg(feature = "json")]
    pub(crate) fn owned(self, bytes: Vec<u8>) -> Written {
        if bytes.len() < SEGMENT { self.bytes(&bytes) } else { self.shared(&bytes.into()) }
    }

    /// Writes an integer in decimal.
    #[inline]
    pub fn integer(self, value: i64) -> Written {
        request::integer(&mut self.args.store, value);
        self.written()
    }

    /// Writes an unsigned integer in decimal.
    #[inline]
    pub fn unsigned(self, value: u64) -> Written {
        request::unsigned(&mut self.args.store, value);
        self.written()
    }

    /// Writes the shortest text that reads back as the same number; `inf`, `-inf`, `nan` for the others.
    pub fn double(self, value: f64) -> Written {
        request::double(&mut self.args.store, value);
        self.written()
    }

    /// Says that the value can't be an argument: its command is an error before it is sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use redis_core::{Arg, ToArg, Written, cmd};
    ///
    /// struct Even(i64);
    ///
    /// impl ToArg for Even {
    ///     fn to_arg(&self, arg: Arg<'_>) -> Written {
    ///         match self.0 % 2 {
    ///             0 => arg.integer(self.0),
    ///             _ => arg.invalid(format!("{} is odd", self.0)),
    ///         }
    ///     }
    /// }
    ///
    /// assert!(cmd::set("key", Even(2)).into_cmd().check().is_ok());
    /// let error = cmd::set("key", Even(3)).into_cmd().check().unwrap_err();
    /// assert_eq!(error.to_string(), "SET: 3 is odd");
    /// # use redis_core::Command;
    /// ```
    pub fn invalid(self, reason: impl Into<String>) -> Written {
        self.args.store.set_invalid(reason.into().into());
        self.bytes(b"")
    }

    #[inline]
    fn written(self) -> Written {
        self.args.count += 1;
        Written(())
    }
}

/// A value that can be an argument: exactly one.
///
/// | type | written as |
/// | --- | --- |
/// | `str`, `[u8]`, `[u8; N]`, `Vec<u8>`, `Bytes`, `String`, `char` | its bytes |
/// | integers, `NonZero` | decimal digits |
/// | `f32`, `f64` | the shortest text that reads back as the same number; `inf`, `-inf`, `nan` |
/// | `bool` | `1` or `0` |
/// | `IpAddr`, `SocketAddr` | their text |
/// | references, `Box`, `Rc`, `Arc` and `Cow` of such | what they hold |
/// | enums that derive `ToArg` | a word |
///
/// `u8` is none, so that a list of them is always one string and never a list of numbers. An `Option` is none,
/// there is no null in a command. `Duration` and `SystemTime` are none: commands count in seconds and in
/// milliseconds, and the builders' parameters know in which. Paths are none, as their bytes are the
/// system's own: `path.as_os_str().as_encoded_bytes()` has them.
///
/// # Examples
///
/// ```
/// use redis_core::{Arg, ToArg, Written};
///
/// struct UserId(u64);
///
/// impl ToArg for UserId {
///     fn to_arg(&self, arg: Arg<'_>) -> Written {
///         arg.unsigned(self.0)
///     }
/// }
/// ```
pub trait ToArg {
    /// Writes the value into its place.
    fn to_arg(&self, arg: Arg<'_>) -> Written;
}

impl<T: ToArg + ?Sized> ToArg for &T {
    #[inline]
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        (**self).to_arg(arg)
    }
}

impl<T: ToArg + ?Sized> ToArg for &mut T {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        (**self).to_arg(arg)
    }
}

impl<T: ToArg + ?Sized> ToArg for Box<T> {
    #[inline]
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        (**self).to_arg(arg)
    }
}

impl<T: ToArg + ?Sized> ToArg for Rc<T> {
    #[inline]
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        (**self).to_arg(arg)
    }
}

impl<T: ToArg + ?Sized> ToArg for Arc<T> {
    #[inline]
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        (**self).to_arg(arg)
    }
}

impl ToArg for str {
    #[inline]
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.bytes(self.as_bytes())
    }
}

impl ToArg for String {
    #[inline]
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.bytes(self.as_bytes())
    }
}

impl ToArg for [u8] {
    #[inline]
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.bytes(self)
    }
}

impl<const N: usize> ToArg for [u8; N] {
    #[inline]
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.bytes(self)
    }
}

impl ToArg for Vec<u8> {
    #[inline]
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.bytes(self)
    }
}

impl<T: ToArg + ToOwned + ?Sized> ToArg for Cow<'_, T> {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        (**self).to_arg(arg)
    }
}

impl ToArg for char {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.bytes(self.encode_utf8(&mut [0; 4]).as_bytes())
    }
}

impl ToArg for IpAddr {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.bytes(self.to_string().as_bytes())
    }
}

impl ToArg for SocketAddr {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.bytes(self.to_string().as_bytes())
    }
}

impl ToArg for Bytes {
    #[inline]
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.shared(self)
    }
}

/// `1` or `0`.
impl ToArg for bool {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.bytes(if *self { b"1" } else { b"0" })
    }
}

impl ToArg for i8 {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.integer((*self).into())
    }
}

impl ToArg for i16 {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.integer((*self).into())
    }
}

impl ToArg for i32 {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.integer((*self).into())
    }
}

impl ToArg for i64 {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.integer(*self)
    }
}

impl ToArg for i128 {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.bytes(self.to_string().as_bytes())
    }
}

impl ToArg for u128 {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.bytes(self.to_string().as_bytes())
    }
}

impl ToArg for NonZero<i32> {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        self.get().to_arg(arg)
    }
}

impl ToArg for NonZero<i64> {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        self.get().to_arg(arg)
    }
}

impl ToArg for NonZero<u16> {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        self.get().to_arg(arg)
    }
}

impl ToArg for NonZero<u32> {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        self.get().to_arg(arg)
    }
}

impl ToArg for NonZero<u64> {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        self.get().to_arg(arg)
    }
}

impl ToArg for NonZero<usize> {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        self.get().to_arg(arg)
    }
}

impl ToArg for isize {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.integer(*self as i64)
    }
}

impl ToArg for u16 {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.unsigned((*self).into())
    }
}

impl ToArg for u32 {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.unsigned((*self).into())
    }
}

impl ToArg for u64 {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.unsigned(*self)
    }
}

impl ToArg for usize {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.unsigned(*self as u64)
    }
}

/// As the shortest text of the `f32` itself, not of the `f64` it converts to.
impl ToArg for f32 {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        if self.is_finite() {
            arg.bytes(self.to_string().as_bytes())
        } else {
            arg.double((*self).into())
        }
    }
}

impl ToArg for f64 {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.double(*self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(args: &Args) -> Vec<u8> {
        let mut out = SendBuffer::default();
        args.write_to(&mut out);
        assert_eq!(out.len(), args.encoded_len());
        out.to_vec()
    }

    #[test]
    fn arguments_are_encoded_in_order() {
        let mut args = Args::default();
        args.push_key("key");
        args.push(-7i64);
        args.push(true);
        args.push(&b"\r\n"[..]);
        assert_eq!(encoded(&args), b"$3\r\nkey\r\n$2\r\n-7\r\n$1\r\n1\r\n$2\r\n\r\n\r\n");
        assert_eq!(args.len(), 4);
        assert_eq!(args.first_key(), Some(&b"key"[..]));
        assert_eq!(args.get(3), Some(&b"\r\n"[..]));
        assert_eq!(args.get(4), None);
        assert_eq!(args.iter().collect::<Vec<_>>(), [&b"key"[..], b"-7", b"1", b"\r\n"]);
    }

    #[test]
    fn arguments_that_outgrow_the_command_move_to_the_heap() {
        for len in 0..4 * INLINE {
            let value = vec![b'v'; len];
            let mut args = Args::default();
            args.push("first");
            args.push_key(&value);
            args.push("last");
            assert_eq!(args.get(0), Some(&b"first"[..]), "{len}");
            assert_eq!(args.first_key(), Some(&value[..]), "{len}");
            assert_eq!(args.get(1), Some(&value[..]), "{len}");
            assert_eq!(args.get(2), Some(&b"last"[..]), "{len}");
        }
    }

    #[test]
    fn large_bytes_are_kept_by_reference() {
        let large = Bytes::from(vec![7; SEGMENT]);
        let mut args = Args::default();
        args.push_key(&large);
        args.push("tail");
        assert_eq!(args.first_key().map(<[u8]>::as_ptr), Some(large.as_ptr()));
        assert_eq!(args.get(0).map(<[u8]>::len), Some(SEGMENT));
        assert_eq!(args.get(1), Some(&b"tail"[..]));
        let mut out = SendBuffer::default();
        args.write_to(&mut out);
        assert!(out.slices().any(|slice| slice.as_ptr() == large.as_ptr()));
        assert_eq!(out.len(), args.encoded_len());
    }

    #[test]
    fn appended_arguments_keep_their_key_and_segments() {
        let large = Bytes::from(vec![7; SEGMENT]);
        let mut tail = Args::default();
        tail.push("word");
        tail.push_key(&large);
        tail.push("last");
        let mut args = Args::default();
        args.push("head");
        args.append(tail);
        assert_eq!(args.len(), 4);
        let key = args.first_key().map(<[u8]>::as_ptr);
        assert_eq!(key, Some(large.as_ptr()));
        assert_eq!(args.get(0), Some(&b"head"[..]));
        assert_eq!(args.get(2).map(<[u8]>::len), Some(SEGMENT));
        assert_eq!(args.get(3), Some(&b"last"[..]));
    }

    #[test]
    fn values_of_std_are_written_as_their_text() {
        let mut args = Args::default();
        args.push(Box::<str>::from("box"));
        args.push(Arc::<[u8]>::from(&b"arc"[..]));
        args.push(Rc::new("rc".to_owned()));
        args.push(Cow::Borrowed("cow"));
        args.push(Cow::<[u8]>::Owned(b"bytes".to_vec()));
        args.push('\u{e9}');
        args.push(i128::MIN);
        args.push(u128::MAX);
        args.push(NonZero::<u64>::MAX);
        args.push(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]));
        args.push(SocketAddr::from(([127, 0, 0, 1], 6379)));
        let expected = [
            "box",
            "arc",
            "rc",
            "cow",
            "bytes",
            "\u{e9}",
            "-170141183460469231731687303715884105728",
            "340282366920938463463374607431768211455",
            "18446744073709551615",
            "::1",
            "127.0.0.1:6379",
        ];
        assert_eq!(args.iter().collect::<Vec<_>>(), expected.map(str::as_bytes));
    }

    #[test]
    fn invalid_value_stays_so_wherever_its_arguments_go() {
        struct Never(&'static str);
        impl ToArg for Never {
            fn to_arg(&self, arg: Arg<'_>) -> Written {
                arg.invalid(self.0)
            }
        }
        let mut tail = Args::default();
        tail.push(Never("first"));
        tail.push(Never("second"));
        assert_eq!(tail.len(), 2);
        assert_eq!(tail.invalid(), Some("first"));
        let mut args = Args::default();
        args.push("a");
        assert_eq!(args.invalid(), None);
        args.append_keys(&tail);
        args.append(Args::default());
        assert_eq!((args.len(), args.invalid()), (3, Some("first")));
        let mut args = Args::default();
        args.append(tail);
        assert_eq!((args.clone().len(), args.clone().invalid()), (2, Some("first")));
        assert_eq!(size_of::<Store>(), INLINE + 2);
    }

    #[test]
    fn an_empty_key_is_a_key() {
        let mut args = Args::default();
        args.push_key("");
        assert_eq!(args.first_key(), Some(&b""[..]));
    }
}
