//! What a frame is made of, one step at a time.

/// One header or value of a frame, borrowed from its bytes.
///
/// Aggregates announce how many elements follow; those that are streamed (`None`) go on until
/// [`End`](Self::End).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token<'a> {
    /// `_`, `$-1` or `*-1`.
    Null,
    /// `+`: a line of text, such as `OK`.
    SimpleString(&'a [u8]),
    /// `-`: an error as a line of text, its code first.
    SimpleError(&'a [u8]),
    /// `!`: an error of any bytes, its code first.
    BlobError(&'a [u8]),
    /// `:`
    Integer(i64),
    /// `,`
    Double(f64),
    /// `#`
    Boolean(bool),
    /// `(`: decimal digits of any number, perhaps after a sign.
    BigNumber(&'a [u8]),
    /// `$`
    BulkString(&'a [u8]),
    /// `=`: text and how to show it, such as `txt` or `mkd`.
    Verbatim {
        /// The three bytes in front of the colon.
        format: [u8; 3],
        /// What is behind the colon.
        text: &'a [u8],
    },
    /// `*`: this many elements follow.
    Array(Option<usize>),
    /// `%`: this many pairs follow, twice as many values.
    Map(Option<usize>),
    /// `~`: this many elements follow.
    Set(Option<usize>),
    /// `>`: this many elements follow, none of them an answer to a request.
    Push(usize),
    /// `|`: this many pairs follow, and then the value that they are about.
    Attribute(usize),
    /// `$?`: chunks follow, up to [`End`](Self::End).
    StreamedString,
    /// `;`: a piece of a streamed string, never empty.
    Chunk(&'a [u8]),
    /// `.`, the end of a streamed aggregate, or `;0`, that of a streamed string.
    End,
}
