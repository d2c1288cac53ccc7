//! Encoded commands as text that fits an error message.

use bytes::Bytes;

/// How much of a command an error shows, in characters.
pub(super) const SHOWN: usize = 100;

/// Shows encoded commands, in order. What was passed is never looked at again, so that showing every one
/// of a million commands costs no more than walking through them once.
#[derive(Clone, Debug)]
pub(super) struct Names<'a> {
    cursor: Cursor<'a>,
    /// Commands that the cursor has passed.
    passed: u32,
}

impl<'a> Names<'a> {
    pub(super) fn new(parts: &'a [Bytes]) -> Self {
        Self { cursor: Cursor { parts, at: 0 }, passed: 0 }
    }

    /// The command behind the first `skip` ones; nothing of those that were shown already.
    pub(super) fn describe(&mut self, skip: u32) -> String {
        for _ in self.passed..skip {
            self.cursor.command(None);
        }
        let mut text = String::new();
        self.cursor.command(Some(&mut text));
        self.passed = skip + 1;
        if let Some((end, _)) = text.char_indices().nth(SHOWN) {
            text.truncate(end);
            text.push_str("...");
        }
        text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
    }

    /// Bytes that were not looked at yet.
    #[cfg(test)]
    pub(super) fn left(&self) -> usize {
        self.cursor.parts.iter().map(Bytes::len).sum::<usize>() - self.cursor.at
    }
}

/// Walks encoded commands; where they end, it stays.
#[derive(Clone, Debug)]
struct Cursor<'a> {
    parts: &'a [Bytes],
    at: usize,
}

impl Cursor<'_> {
    /// Passes one command; appends it to the text until there is more than is shown.
    fn command(&mut self, mut text: Option<&mut String>) {
        for _ in 0..self.number() {
            let mut len = self.number();
            if let Some(text) = text.as_deref_mut().filter(|text| text.len() <= 4 * SHOWN) {
                if !text.is_empty() {
                    text.push(' ');
                }
                let mut head = Vec::new();
                let shown = len.min(2 * SHOWN);
                self.walk(shown, |bytes| head.extend_from_slice(bytes));
                text.push_str(&String::from_utf8_lossy(&head));
                len -= shown;
            }
            self.walk(len + 2, |_| {});
        }
    }

    /// The number on a header line such as `$3\r\n`.
    fn number(&mut self) -> usize {
        let mut number = 0;
        loop {
            match self.byte() {
                Some(b'\n') | None => return number,
                Some(digit @ b'0'..=b'9') => number = number * 10 + usize::from(digit - b'0'),
                Some(_) => {}
            }
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let mut byte = None;
        self.walk(1, |bytes| byte = bytes.first().copied());
        byte
    }

    /// Passes `n` bytes, piece by piece.
    fn walk(&mut self, mut n: usize, mut pass: impl FnMut(&[u8])) {
        while n > 0
            && let Some(part) = self.parts.first()
        {
            let step = n.min(part.len() - self.at);
            if step > 0 {
                pass(&part[self.at..self.at + step]);
            }
            n -= step;
            self.at += step;
            if self.at == part.len() {
                (self.parts, self.at) = (&self.parts[1..], 0);
            }
        }
    }
}
