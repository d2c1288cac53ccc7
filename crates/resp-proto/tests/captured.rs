//! Replies of real servers, as `cargo xtask capture` wrote them down, framed and read however they are cut.

mod common;

use std::{
    collections::BTreeSet,
    fs, mem,
    path::{Path, PathBuf},
};

use bytes::BytesMut;
use resp_proto::{Frames, Limits, Token};

use common::{frames, frames_in_pieces, tokens};

/// The files by name, with what is in them.
fn captured() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captured");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    assert_eq!(files.len(), 7, "three servers, two protocols, and a long status");
    let name = |file: &Path| file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    files.iter().map(|file| (name(file), fs::read(file).expect("a file"))).collect()
}

/// The frames of a stream that ends with one.
fn split(stream: &[u8]) -> Vec<&[u8]> {
    let mut rest = stream;
    let lens = frames(stream).expect("servers speak the protocol");
    let split = |len| {
        let (frame, behind) = rest.split_at(len);
        rest = behind;
        frame
    };
    let frames = lens.into_iter().map(split).collect();
    assert!(rest.is_empty(), "the last frame is incomplete");
    frames
}

/// A frame that comes in two pieces is there once the second is.
fn comes_whole_after_a_cut(frame: &[u8], cut: usize) {
    let mut frames = Frames::new(Limits::default());
    let mut buffer = BytesMut::from(&frame[..cut]);
    assert_eq!(frames.next_frame(&mut buffer), Ok(None), "cut at {cut}");
    buffer.extend_from_slice(&frame[cut..]);
    let whole = frames.next_frame(&mut buffer).expect("a valid frame");
    assert_eq!(whole.as_deref(), Some(frame), "cut at {cut}");
}

#[test]
fn captured_replies_are_read_wherever_they_are_cut() {
    for (name, stream) in captured() {
        let frames = split(&stream);
        assert!(!frames.is_empty(), "{name}");
        for frame in frames {
            // What the tokens are depends on nothing but these bytes.
            assert!(tokens(frame).is_ok(), "{name}: {}", frame.escape_ascii());
            // A prime, so that the cuts of a long frame fall everywhere.
            let step = if frame.len() < 32 * 1024 { 1 } else { 10_007 };
            for cut in (1..frame.len()).step_by(step) {
                comes_whole_after_a_cut(frame, cut);
            }
            for from_end in 1..frame.len().min(4) {
                comes_whole_after_a_cut(frame, frame.len() - from_end);
            }
        }
    }
}

#[test]
fn captured_streams_are_framed_alike_in_any_pieces() {
    for (name, stream) in captured() {
        let whole = frames(&stream).unwrap();
        for sizes in [&[1][..], &[2, 3, 5], &[16], &[1000, 1, 7], &[1448], &[16 * 1024]] {
            let pieces = frames_in_pieces(Limits::default(), &stream, sizes);
            assert_eq!(pieces.as_ref(), Ok(&whole), "{name} in {sizes:?}");
        }
    }
}

#[test]
fn captured_replies_have_every_type_that_servers_send() {
    let double = Token::Double(0.0);
    let verbatim = Token::Verbatim { format: *b"txt", text: b"" };
    // Blob errors and everything streamed are in the specification, and no server sends them.
    let of_resp2 = [
        Token::SimpleString(b""),
        Token::SimpleError(b""),
        Token::Integer(0),
        Token::BulkString(b""),
        Token::Array(Some(0)),
        Token::Null,
    ];
    let of_resp3 = [
        Token::Boolean(true),
        double,
        Token::BigNumber(b""),
        verbatim,
        Token::Map(Some(0)),
        Token::Set(Some(0)),
        Token::Push(0),
        Token::Attribute(0),
    ];
    let kinds = |tokens: &[Token<'_>]| -> BTreeSet<String> {
        tokens.iter().map(|token| format!("{:?}", mem::discriminant(token))).collect()
    };
    for (name, stream) in captured() {
        let found = kinds(&tokens(&stream).unwrap());
        if name.ends_with("-resp2") {
            assert_eq!(found, kinds(&of_resp2), "{name}");
        } else if name.ends_with("-resp3") {
            assert_eq!(found, kinds(&[&of_resp2[..], &of_resp3].concat()), "{name}");
        }
    }
}

#[test]
fn status_of_600_kilobytes_is_one_line() {
    let captured = captured();
    let (_, stream) = captured.iter().find(|(name, _)| name.ends_with("-long-status")).unwrap();
    assert_eq!(tokens(stream).unwrap()[0], Token::SimpleString(&b"long status ".repeat(51200)));
}
