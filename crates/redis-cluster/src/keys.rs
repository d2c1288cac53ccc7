//! Which words of a command are keys, and so where it can run.
//!
//! Owns the reading of the command table's key specs, and the four commands that these do not describe.
//! The server's own answer is `COMMAND GETKEYS`; this gives the same for every command it accepts.

use std::collections::BTreeSet;
use std::iter::{FusedIterator, StepBy};
use std::ops::Range;
use std::slice;

use redis_core::{BeginSearch, CommandInfo, FindKeys, Flags, KeyFlags, KeySpec, slot_of};

/// Where a command can run, by the slots of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// On any node, or as the command's request policy says: it has no keys.
    Keyless,
    /// On the node that serves this slot.
    Slot(u16),
    /// On no single node, its keys being in these slots (at least two, ascending, each once): it is to be
    /// split, where its request policy allows, or refused.
    Slots(Vec<u16>),
    /// The table can't say: `COMMAND GETKEYS` with the same words tells.
    Unknown,
}

/// Where a command can run.
///
/// `words` are all words of the command, its name included. A command that the server would refuse for its
/// syntax is placed by those keys that can be made out: the server says what is wrong.
///
/// # Examples
///
/// ```
/// use redis_cluster::{Placement, placement};
/// use redis_core::{lookup, slot_of};
///
/// let of = |words: &[&str]| match lookup(&[words[0].as_bytes()]) {
///     Some(info) => placement(info, words),
///     None => Placement::Unknown,
/// };
/// assert_eq!(of(&["GET", "foo"]), Placement::Slot(12182));
/// assert_eq!(of(&["MGET", "a", "b"]), Placement::Slots(vec![3300, 15495]));
/// assert_eq!(of(&["EVAL", "return 1", "0", "foo"]), Placement::Keyless);
/// assert_eq!(of(&["MY.COMMAND", "foo"]), Placement::Unknown);
/// ```
pub fn placement<W: AsRef<[u8]>>(info: &CommandInfo, words: &[W]) -> Placement {
    let Some(keys) = key_positions(info, words) else {
        return Placement::Unknown;
    };
    let mut slots = keys.map(|at| slot_of(words[at].as_ref()));
    let Some(first) = slots.next() else {
        return Placement::Keyless;
    };
    let Some(other) = slots.find(|&slot| slot != first) else {
        return Placement::Slot(first);
    };
    let all: BTreeSet<u16> = slots.chain([first, other]).collect();
    Placement::Slots(all.into_iter().collect())
}

/// The positions of a command's keys among its words, the name's first word being 0; none where only the
/// server can say (`COMMAND GETKEYS`). Words that are hashed to a slot as keys are count as such: channels
/// of sharded publish/subscribe, the cursor of `CLUSTERSCAN`.
///
/// What does not fit the command's syntax gives no key: no position is beyond the words.
///
/// # Examples
///
/// ```
/// use redis_cluster::key_positions;
/// use redis_core::lookup;
///
/// let words = ["XREAD", "COUNT", "2", "STREAMS", "a", "b", "0", "0"];
/// let info = lookup(&[b"XREAD"]).unwrap();
/// assert_eq!(key_positions(info, &words).unwrap().collect::<Vec<_>>(), [4, 5]);
/// ```
pub fn key_positions<'a, W: AsRef<[u8]>>(
    info: &CommandInfo,
    words: &'a [W],
) -> Option<KeyPositions<'a, W>> {
    let (first, second) = match info.name {
        "MIGRATE" => (migrate(words), NO_KEYS),
        "SORT" => (one(1), sort_store(words)),
        // Its patterns name keys, too, but in a cluster only such as stay within the slot are allowed.
        "SORT_RO" => (one(1), NO_KEYS),
        "GEORADIUS" => (one(1), georadius_store(words, 6)),
        "GEORADIUSBYMEMBER" => (one(1), georadius_store(words, 5)),
        _ if is_described(info, words.len()) => {
            let (first, second) = (steps(NO_KEYS), steps(NO_KEYS));
            return Some(KeyPositions { words, first, second, specs: info.keys.iter() });
        }
        _ => return None,
    };
    let within = |span: Span| steps(if span.end <= words.len() { span } else { NO_KEYS });
    Some(KeyPositions { words, first: within(first), second: within(second), specs: [].iter() })
}

/// Whether the key specs of the command are the whole truth.
fn is_described(info: &CommandInfo, words: usize) -> bool {
    // A command that the table lacks, or a subcommand: then it was its container that was found.
    let is_unknown = info.words == 0;
    let is_container = info.words == 1 && info.flags == Flags::NONE && info.keys.is_empty();
    let told = |spec: &KeySpec| {
        let is_unknown = spec.begin == BeginSearch::Unknown || spec.find == FindKeys::Unknown;
        !is_unknown && !spec.flags.contains(KeyFlags::INCOMPLETE)
    };
    !(is_unknown || is_container && words > 1) && info.keys.iter().all(told)
}

/// The positions of a command's keys, from [`key_positions`]: in the order of the command's key specs.
#[derive(Clone, Debug)]
pub struct KeyPositions<'a, W> {
    words: &'a [W],
    first: StepBy<Range<usize>>,
    second: StepBy<Range<usize>>,
    specs: slice::Iter<'static, KeySpec>,
}

impl<W: AsRef<[u8]>> Iterator for KeyPositions<'_, W> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        loop {
            if let Some(at) = self.first.next().or_else(|| self.second.next()) {
                return Some(at);
            }
            let spec = self.specs.next()?;
            self.first = steps(span(spec, self.words).unwrap_or(NO_KEYS));
        }
    }
}

impl<W: AsRef<[u8]>> FusedIterator for KeyPositions<'_, W> {}

/// Every `step`th position from `first` on, before `end`.
#[derive(Clone, Copy)]
struct Span {
    first: usize,
    end: usize,
    step: usize,
}

const NO_KEYS: Span = Span { first: 0, end: 0, step: 1 };

fn one(at: usize) -> Span {
    Span { first: at, end: at + 1, step: 1 }
}

fn steps(span: Span) -> StepBy<Range<usize>> {
    (span.first..span.end).step_by(span.step.max(1))
}

/// Where a spec finds its keys; none where the words do not fit it.
fn span<W: AsRef<[u8]>>(spec: &KeySpec, words: &[W]) -> Option<Span> {
    let begin = match spec.begin {
        BeginSearch::Index(at) => usize::from(at),
        BeginSearch::Keyword { word, from } => behind(word, from, words)?,
        BeginSearch::Unknown => return None,
    };
    let len = words.len();
    let (first, last, step) = match spec.find {
        FindKeys::Range { last, step, limit } => {
            let back = usize::from(last.unsigned_abs());
            let last = match (last, limit) {
                (0.., _) => begin + back,
                (_, 0 | 1) => len.checked_sub(back)?,
                (_, limit) => {
                    (begin + len.checked_sub(begin)? / usize::from(limit)).checked_sub(back)?
                }
            };
            (begin, last, usize::from(step))
        }
        FindKeys::KeyNum { at, first, step } => {
            let count = words.get(begin + usize::from(at))?.as_ref();
            let count: usize = std::str::from_utf8(count).ok()?.parse().ok()?;
            let (first, step) = (begin + usize::from(first), usize::from(step));
            let last = count.checked_sub(1)?.checked_mul(step)?.checked_add(first)?;
            (first, last, step)
        }
        FindKeys::Unknown => return None,
    };
    (first <= last && last < len).then_some(Span { first, end: last + 1, step })
}

/// The position behind a keyword, which is looked for from a position on, or backwards from one that is
/// counted from the end.
fn behind<W: AsRef<[u8]>>(word: &str, from: i16, words: &[W]) -> Option<usize> {
    let found = |at: &usize| is(&words[*at], word);
    let start = usize::from(from.unsigned_abs());
    let at = if from >= 0 {
        (start..words.len()).find(found)
    } else {
        // The name itself is no keyword.
        (1..=words.len().checked_sub(start)?).rev().find(found)
    };
    at.map(|at| at + 1)
}

/// `MIGRATE host port key db timeout [COPY] [REPLACE] [AUTH p | AUTH2 u p] [KEYS key ..]`, the first key
/// empty where `KEYS` follow. A password may be any word, so options are read from the front.
fn migrate<W: AsRef<[u8]>>(words: &[W]) -> Span {
    let mut at = 6;
    while let Some(word) = words.get(at) {
        if is(word, "KEYS") && at + 1 < words.len() {
            let keys = Span { first: at + 1, end: words.len(), step: 1 };
            return if words[3].as_ref().is_empty() { keys } else { NO_KEYS };
        }
        at += if is(word, "AUTH") {
            2
        } else if is(word, "AUTH2") {
            3
        } else {
            1
        };
    }
    one(3)
}

/// `SORT key [BY p] [LIMIT n n] [GET p ..] [ASC | DESC] [ALPHA] [STORE key]`: the last `STORE` counts.
fn sort_store<W: AsRef<[u8]>>(words: &[W]) -> Span {
    let mut store = NO_KEYS;
    let mut at = 2;
    while let Some(word) = words.get(at) {
        if is(word, "STORE") && at + 1 < words.len() {
            store = one(at + 1);
        }
        at += if is(word, "LIMIT") {
            3
        } else if is(word, "BY") || is(word, "GET") {
            2
        } else {
            1
        };
    }
    store
}

/// `GEORADIUS .. [STORE key | STOREDIST key]`: the last one counts.
fn georadius_store<W: AsRef<[u8]>>(words: &[W], options: usize) -> Span {
    let mut store = NO_KEYS;
    let mut at = options;
    while let Some(word) = words.get(at) {
        let is_store = is(word, "STORE") || is(word, "STOREDIST");
        if is_store && at + 1 < words.len() {
            store = one(at + 1);
        }
        at += if is_store { 2 } else { 1 };
    }
    store
}

fn is<W: AsRef<[u8]>>(word: &W, name: &str) -> bool {
    word.as_ref().eq_ignore_ascii_case(name.as_bytes())
}

#[cfg(test)]
mod tests;
