//! Finding where a simple string or simple error ends.

/// Splits a line that is there as a whole from its `\r\n`; gives it and what follows.
///
/// `None` when the line is incomplete, or holds a `\r` or `\n` that is not the other's half.
#[inline(always)]
pub(crate) fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    if let [b'O', b'K', b'\r', b'\n', rest @ ..] = bytes {
        return Some((&bytes[..2], rest));
    }
    any_line(bytes)
}

#[inline(never)]
fn any_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    // A vector search costs more to start than most status lines have bytes.
    let near = bytes.iter().take(16).position(|byte| matches!(byte, b'\r' | b'\n'));
    let end = match near {
        Some(end) => end,
        None => 16 + memchr::memchr2(b'\r', b'\n', bytes.get(16..)?)?,
    };
    let rest = bytes.get(end..)?.strip_prefix(b"\r\n")?;
    Some((&bytes[..end], rest))
}
