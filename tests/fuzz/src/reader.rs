//! A reader over bytes that no scanner has seen.

use resp_proto::{FrameReader, Limits, Scanner, Token, frame_kind};

/// A reader over any bytes ends, with or without an error, and its ways of reading agree.
///
/// Bytes: what is read.
pub fn reader(data: &[u8]) {
    let mut reader = FrameReader::new(data);
    loop {
        let before = reader.position();
        assert_eq!(reader.remaining().len() + before, data.len());
        let short = reader.clone().next_short_bulk();
        match reader.next_token() {
            Ok(Some(token)) => {
                assert!(reader.position() >= before + 3, "a token has three bytes or more");
                if let Some(short) = short {
                    assert_eq!(token, Token::BulkString(short));
                }
            }
            Ok(None) => {
                assert!(reader.is_empty());
                break;
            }
            Err(error) => {
                assert_eq!(short, None);
                assert_eq!(reader.position(), before, "the reader stays where it is");
                assert!((before..=data.len()).contains(&error.offset()), "{error}");
                break;
            }
        }
    }

    let mut reader = FrameReader::new(data);
    loop {
        let peeked = reader.peek_data();
        let next = reader.next_data();
        // By text, where a NaN is like another.
        assert_eq!(format!("{peeked:?}"), format!("{next:?}"), "peeking is reading");
        if !matches!(next, Ok(Some(_))) {
            break;
        }
    }

    let mut reader = FrameReader::new(data);
    loop {
        let before = reader.position();
        let Ok(value) = reader.skip_value() else { break };
        assert_eq!(value, &data[before..reader.position()]);
        assert!(!value.is_empty());
    }

    let _ = frame_kind(data);
    if let Ok(Some(len)) = Scanner::new(Limits::default()).scan(data) {
        let skipped = FrameReader::new(data).skip_value();
        assert_eq!(skipped, Ok(&data[..len]), "a frame is one value");
    }
}
