//! Which commands a scenario sent by their builders: what `cargo xtask test-matrix` counts.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use redis_core::{Cmd, lookup};

use crate::scenario::lock;

/// A command's words, as text, the long ones shortened.
pub(crate) type Words = Vec<String>;

/// Longer commands are not what shows a builder's options.
const MOST: usize = 64;
/// Longer words are values.
const LONGEST: usize = 64;

/// Commands since the last look. Scenarios run one after the other.
static SENT: Mutex<BTreeSet<Words>> = Mutex::new(BTreeSet::new());

static STOPPED: AtomicBool = AtomicBool::new(false);

/// Notes a command, unless it was put together by hand or is refused before it is sent.
pub(crate) fn sent<R>(cmd: &Cmd<R>) {
    if STOPPED.load(Ordering::Relaxed) {
        return;
    }
    if cmd.check().is_err() {
        return;
    }
    let name = cmd.info().name;
    let words: Vec<_> = name.split(' ').map(str::as_bytes).collect();
    let built = cmd.words().count() == words.len() + cmd.arguments().len();
    if lookup(&words).is_none() || !built || cmd.arguments().len() > MOST {
        return;
    }
    let text = |word: &[u8]| String::from_utf8_lossy(&word[..word.len().min(LONGEST)]).into_owned();
    let mut words = vec![name.to_owned()];
    words.extend(cmd.arguments().iter().map(text));
    lock(&SENT).insert(words);
}

/// From now on nothing is kept: for runs so long that it would be too much.
pub(crate) fn stop() {
    STOPPED.store(true, Ordering::Relaxed);
}

/// The commands since the last look.
pub(crate) fn take() -> BTreeSet<Words> {
    std::mem::take(&mut *lock(&SENT))
}
