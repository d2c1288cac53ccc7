//! RESP2 and RESP3 as Sans-IO state machines, for clients, proxies and servers.
//!
//! The caller owns the buffers and moves the bytes. A client writes requests with [`request`] or
//! [`RequestEncoder`], finds the ends of replies and pushes with a [`Scanner`], and reads them with a
//! [`FrameReader`]:
//!
//! ```
//! use resp_proto::{FrameReader, Limits, RequestEncoder, Scanner, Token};
//!
//! let mut output = Vec::new();
//! RequestEncoder::new(&mut output).command(2).arg(b"GET").arg(b"key").finish();
//! assert_eq!(output, b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n");
//!
//! let input = b"$5\r\nvalue\r\n"; // what the server sent, perhaps in pieces
//! let mut scanner = Scanner::new(Limits::default());
//! if let Some(len) = scanner.scan(input)? {
//!     let mut reader = FrameReader::new(&input[..len]);
//!     assert_eq!(reader.next_data()?, Some(Token::BulkString(b"value")));
//! }
//! # Ok::<(), resp_proto::ProtocolError>(())
//! ```
//!
//! A server, or a proxy, takes requests off its input with a [`RequestDecoder`] and answers with a
//! [`ReplyEncoder`] in the [`Protocol`] of the connection:
//!
//! ```
//! use bytes::BytesMut;
//! use resp_proto::{Limits, Protocol, ReplyEncoder, RequestDecoder};
//!
//! let mut input = BytesMut::from("*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n");
//! let (mut decoder, mut args) = (RequestDecoder::new(Limits::default()), Vec::new());
//! let mut output = Vec::new();
//! while decoder.decode(&mut input, &mut args)? {
//!     ReplyEncoder::new(&mut output, Protocol::Resp3).bulk(&args[1]);
//! }
//! assert_eq!(output, b"$2\r\nhi\r\n");
//! # Ok::<(), resp_proto::ProtocolError>(())
//! ```
//!
//! Whatever a peer sends, nothing panics, nothing recurses, and nothing is allocated ahead of the
//! data; see [`Limits`]. RESP3 is read as <https://github.com/redis/redis-specifications> has it,
//! RESP2 is a part of it.
//!
//! The feature `std`, on by default, only turns on the same feature of the dependencies; the crate
//! needs `alloc` alone.

#![no_std]

extern crate alloc;

mod error;
mod frames;
mod grammar;
mod header;
mod inline;
mod level;
mod limits;
mod line;
mod number;
mod reader;
mod reply_encoder;
pub mod request;
mod request_decoder;
mod request_encoder;
mod scanner;
mod sink;
mod skip;
mod token;

pub use crate::{
    error::{ProtocolError, ProtocolErrorKind},
    frames::Frames,
    limits::Limits,
    reader::{FrameKind, FrameReader, frame_kind},
    reply_encoder::{Protocol, ReplyEncoder},
    request_decoder::RequestDecoder,
    request_encoder::RequestEncoder,
    scanner::Scanner,
    sink::Sink,
    token::Token,
};
