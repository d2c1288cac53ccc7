//! Encoded commands as text that fits an error message.

use std::fmt::Write as _;

use bytes::Bytes;

/// How much of a command an error shows, in characters.
const SHOWN: usize = 100;

/// The command behind the first `skip` ones, as text that fits an error message.
pub(super) fn describe(parts: &[Bytes], skip: u32) -> String {
    let mut cursor = Cursor { parts, at: 0 };
    for _ in 0..skip {
        cursor.command(&mut |_| {});
    }
    let mut text = String::new();
    cursor.command(&mut |arg| {
        if !text.is_empty() {
            text.push(' ');
        }
        let _ = write!(text, "{}", String::from_utf8_lossy(&arg[..arg.len().min(2 * SHOWN)]));
    });
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push_str("...");
    }
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Walks encoded commands; where they end, it stays.
struct Cursor<'a> {
    parts: &'a [Bytes],
    at: usize,
}

impl Cursor<'_> {
    fn command(&mut self, arg: &mut dyn FnMut(&[u8])) {
        for _ in 0..self.number() {
            let len = self.number();
            let bytes = self.take(len);
            arg(&bytes);
            self.take(2);
        }
    }

    /// The number on a header line such as `$3\r\n`.
    fn number(&mut self) -> usize {
        let mut number = 0;
        loop {
            match self.take(1).first() {
                Some(b'\n') | None => return number,
                Some(digit @ b'0'..=b'9') => number = number * 10 + usize::from(digit - b'0'),
                Some(_) => {}
            }
        }
    }

    fn take(&mut self, n: usize) -> Bytes {
        let mut gathered = Vec::new();
        while let Some(part) = self.parts.first() {
            let rest = part.len() - self.at;
            if gathered.is_empty() && rest > n {
                self.at += n;
                return part.slice(self.at - n..self.at);
            }
            let step = rest.min(n - gathered.len());
            gathered.extend_from_slice(&part[self.at..self.at + step]);
            self.at += step;
            if self.at == part.len() {
                (self.parts, self.at) = (&self.parts[1..], 0);
            }
            if gathered.len() == n {
                break;
            }
        }
        gathered.into()
    }
}
