//! The rule that some things hold only within one slot: transactions, watched keys, scripts.
//!
//! Owns the check before anything is sent, and its error.

use redis_core::{CommandInfo, Error, ErrorKind, Result, slot_of};

use crate::keys::key_positions;

/// No key is shown longer than this.
const SHOWN: usize = 64;

/// Checks that keys share a slot, one after the other.
///
/// # Examples
///
/// ```
/// use redis_cluster::SameSlot;
///
/// let mut check = SameSlot::new("transaction");
/// assert_eq!(check.add(b"a")?, 15495);
/// assert_eq!(check.add(b"{a}:seen")?, 15495);
/// assert_eq!(
///     check.add(b"b").unwrap_err().to_string(),
///     "key `b` hashes to slot 3300, the transaction is in slot 15495 (key `a`): \
///      give keys that belong together the same `{tag}`"
/// );
/// assert_eq!(check.slot(), Some(15495));
/// # Ok::<(), redis_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SameSlot {
    what: &'static str,
    /// The slot, and the key that set it, shortened.
    first: Option<(u16, Box<[u8]>)>,
}

impl SameSlot {
    /// A check of what holds in one slot: `transaction`, `command`, `watch`.
    pub fn new(what: &'static str) -> Self {
        Self { what, first: None }
    }

    /// Adds a key and gives its slot. The first key sets the slot.
    ///
    /// # Errors
    ///
    /// `InvalidRequest`, naming both keys and slots, when the key is in another slot than the first. It is
    /// not added then.
    pub fn add(&mut self, key: &[u8]) -> Result<u16> {
        let slot = slot_of(key);
        match &self.first {
            None => {
                self.first = Some((slot, key[..key.len().min(SHOWN + 1)].into()));
                Ok(slot)
            }
            Some((expected, _)) if *expected == slot => Ok(slot),
            Some((expected, first)) => {
                let (key, first, what) = (shown(key), shown(first), self.what);
                Err(Error::new(
                    ErrorKind::InvalidRequest,
                    format!(
                        "key `{key}` hashes to slot {slot}, the {what} is in slot {expected} \
                         (key `{first}`): give keys that belong together the same `{{tag}}`"
                    ),
                ))
            }
        }
    }

    /// Adds the keys of a command, as far as they can be told without asking a server. `words` are all of its words.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub fn add_command<W: AsRef<[u8]>>(&mut self, info: &CommandInfo, words: &[W]) -> Result<()> {
        let keys = key_positions(info, words).into_iter().flatten();
        keys.map(|at| words[at].as_ref()).try_for_each(|key| self.add(key).map(drop))
    }

    /// The slot of the keys added; none before the first.
    pub fn slot(&self) -> Option<u16> {
        self.first.as_ref().map(|(slot, _)| *slot)
    }
}

/// A key as text: bytes that are none are escaped, and a long one is cut.
fn shown(key: &[u8]) -> String {
    let text = key[..key.len().min(SHOWN)].escape_ascii().to_string();
    if key.len() > SHOWN { text + ".." } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_one_slot_pass_and_the_first_sets_it() {
        let mut check = SameSlot::new("transaction");
        assert_eq!(check.slot(), None);
        for key in [&b"{user1000}.following"[..], b"{user1000}.followers", b"user1000"] {
            assert_eq!(check.add(key).unwrap(), slot_of(b"user1000"));
        }
        assert_eq!(check.slot(), Some(slot_of(b"user1000")));
    }

    #[test]
    fn key_of_another_slot_is_named_and_not_added() {
        let mut check = SameSlot::new("command");
        check.add(b"a").unwrap();
        let error = check.add(b"\x00\xff").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        let text = error.to_string();
        assert!(text.starts_with("key `\\x00\\xff` hashes to slot "), "{text}");
        assert!(text.contains("the command is in slot 15495 (key `a`)"), "{text}");
        assert_eq!(check.add(b"a").unwrap(), 15495);
    }

    #[test]
    fn long_keys_are_cut_in_the_error() {
        let long = [b'x'; 10_000];
        let mut check = SameSlot::new("watch");
        check.add(&long).unwrap();
        let text = check.add(b"a").unwrap_err().to_string();
        assert!(text.contains(&format!("(key `{}..`)", "x".repeat(SHOWN))), "{text}");
        let text = check.add(&[b'y'; SHOWN]).unwrap_err().to_string();
        assert!(text.contains(&format!("key `{}` ", "y".repeat(SHOWN))), "{text}");
    }

    #[test]
    fn keys_of_commands_are_checked_wherever_they_are() {
        let mut check = SameSlot::new("watch");
        let mut add = |text: &str| {
            let words: Vec<&str> = text.split(' ').collect();
            let info = redis_core::lookup(&[words[0].as_bytes()]).unwrap();
            check.add_command(info, &words)
        };
        for fits in ["WATCH a {a}b", "PING b", "XREAD STREAMS {a}s 0", "EVAL b 1 a b"] {
            add(fits).unwrap();
        }
        for other in ["GET b", "MGET a b", "XREAD STREAMS b 0"] {
            let error = add(other).unwrap_err();
            assert!(error.to_string().starts_with("key `b` hashes to slot 3300, the watch"));
        }
    }
}
