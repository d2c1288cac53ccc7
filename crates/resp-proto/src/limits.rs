//! How much one peer may ask of the parser: plain numbers, set once per connection.
//!
//! The limits say what is refused; they never make anything be reserved.

/// Bounds on what a peer may send, each checked before anything is stored.
///
/// Nothing is allocated ahead of the data, whatever the limits say: they turn absurd announcements
/// into errors early, and bound what a peer can make its reader buffer.
///
/// ```
/// use resp_proto::{Limits, ProtocolErrorKind, Scanner};
///
/// let mut scanner = Scanner::new(Limits { bulk: 1024, ..Limits::default() });
/// let error = scanner.scan(b"$1025\r\n").unwrap_err();
/// assert_eq!(error.kind(), ProtocolErrorKind::BulkTooLong);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Aggregates open at once, attributes included; 128 by default. A flat array needs 1, and an
    /// empty aggregate none.
    pub depth: usize,
    /// Bytes of one bulk string, blob error or verbatim string (its format included), or of all
    /// chunks of a streamed string; 512 MiB by default, as the servers' `proto-max-bulk-len`.
    pub bulk: usize,
    /// Elements one aggregate may announce, a map's or an attribute's pair counting as two; 2^27 by
    /// default, which a frame of the default size can just hold. Streamed aggregates announce
    /// nothing and are bounded by `frame`. On the server side: arguments of one request.
    pub aggregate: usize,
    /// Bytes of one frame, or on the server side of one request; 1 GiB by default.
    pub frame: usize,
    /// Bytes of one inline request without its line ending, server side; 64 KiB by default, as the servers have it.
    pub inline: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 128, bulk: 512 << 20, aggregate: 1 << 27, frame: 1 << 30, inline: 64 << 10 }
    }
}

impl Limits {
    /// Nothing refused but what the machine's own integers cannot hold.
    pub(crate) const NONE: Self = Self {
        depth: usize::MAX,
        bulk: usize::MAX,
        aggregate: usize::MAX,
        frame: usize::MAX,
        inline: usize::MAX,
    };
}
