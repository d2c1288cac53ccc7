//! What the generated builders put commands together with.
//!
//! Owns how lists, choices, durations and points in time become arguments. Knows no command by name.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Args, Block, Cmd, ToArg};

/// Marks the [`ToArgs`] of a single value.
#[derive(Debug)]
pub enum One {}

/// Marks the [`ToArgs`] of a list.
#[derive(Debug)]
pub enum Many {}

/// One value, or any iterable of values: `"a"`, `["a", "b"]`, `&names`, `ids.iter().map(..)`.
///
/// The parameter is inferred; it only keeps the two implementations apart.
pub trait ToArgs<M> {
    /// Writes the values, each as one argument.
    fn to_args(self, args: &mut Args);

    /// Writes the values, each as one argument that is a key.
    fn to_keys(self, args: &mut Args)
    where
        Self: Sized,
    {
        let mut list = Args::default();
        self.to_args(&mut list);
        args.append_keys(&list);
    }
}

impl<T: ToArg> ToArgs<One> for T {
    #[inline]
    fn to_args(self, args: &mut Args) {
        args.push(self);
    }

    #[inline]
    fn to_keys(self, args: &mut Args) {
        args.push_key(self);
    }
}

impl<I: IntoIterator<Item: ToArg>> ToArgs<Many> for I {
    fn to_args(self, args: &mut Args) {
        self.into_iter().for_each(|value| args.push(value));
    }

    fn to_keys(self, args: &mut Args) {
        self.into_iter().for_each(|key| args.push_key(key));
    }
}

/// Pairs of values: a map, any iterable of tuples, or a struct that derives `ToArgs`.
///
/// # Examples
///
/// ```
/// use redis_core::cmd;
/// use std::collections::BTreeMap;
///
/// let fields = BTreeMap::from([("a", 1), ("b", 2)]);
/// let hset = cmd::hset("key", &fields);
/// assert_eq!(hset.to_vec(), cmd::hset("key", [("a", 1), ("b", 2)]).to_vec());
/// ```
pub trait ToPairs {
    /// Writes the pairs, each as two arguments.
    fn to_pairs(self, args: &mut Args);
}

impl<I: IntoIterator<Item: Pair>> ToPairs for I {
    fn to_pairs(self, args: &mut Args) {
        self.into_iter().for_each(|pair| pair.to_pair(args));
    }
}

/// Two values, or a reference to two.
pub trait Pair {
    /// Writes both.
    fn to_pair(self, args: &mut Args);
}

impl<A: ToArg, B: ToArg> Pair for (A, B) {
    #[inline]
    fn to_pair(self, args: &mut Args) {
        args.push(self.0);
        args.push(self.1);
    }
}

impl<A: ToArg, B: ToArg> Pair for &(A, B) {
    #[inline]
    fn to_pair(self, args: &mut Args) {
        args.push(&self.0);
        args.push(&self.1);
    }
}

/// One option with its values, kept until the command is finished.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    word: Option<&'static str>,
    /// Apart, so that a builder whose options have no value stays small.
    values: Option<Box<Args>>,
}

impl Choice {
    /// An option that starts with a word.
    pub(crate) fn word(word: &'static str) -> Self {
        Self { word: Some(word), values: None }
    }

    /// An option that is its values alone.
    pub(crate) fn plain() -> Self {
        Self { word: None, values: None }
    }

    /// Adds a value.
    pub(crate) fn arg(mut self, value: impl ToArg) -> Self {
        self.values.get_or_insert_default().push(value);
        self
    }

    /// Adds a value that is a key.
    pub(crate) fn key(mut self, key: impl ToArg) -> Self {
        self.values.get_or_insert_default().push_key(key);
        self
    }

    /// Adds a list of values.
    pub(crate) fn list<M>(mut self, values: impl ToArgs<M>) -> Self {
        values.to_args(self.values.get_or_insert_default());
        self
    }

    /// Adds how many values there are, then the values.
    pub(crate) fn counted_list<M>(mut self, values: impl ToArgs<M>) -> Self {
        let mut list = Args::default();
        values.to_args(&mut list);
        let all = self.values.get_or_insert_default();
        all.push(list.len());
        all.append(list);
        self
    }

    /// Adds each value behind the word.
    pub(crate) fn each<T: ToArg>(
        mut self,
        word: &'static str,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let all = self.values.get_or_insert_default();
        for value in values {
            all.push(word);
            all.push(value);
        }
        self
    }

    /// Adds each pair behind the word.
    pub(crate) fn each_pair(mut self, word: &'static str, pairs: impl ToPairs) -> Self {
        let mut list = Args::default();
        pairs.to_pairs(&mut list);
        let all = self.values.get_or_insert_default();
        for (at, value) in list.iter().enumerate() {
            if at % 2 == 0 {
                all.push(word);
            }
            all.push(value);
        }
        self
    }
}

/// When a key expires, or that its expiry stays or goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expiry {
    /// `EX` or `PX`.
    In(Duration),
    /// `EXAT` or `PXAT`.
    At(SystemTime),
    /// `KEEPTTL` or `PERSIST`.
    Word(&'static str),
}

impl<R> Cmd<R> {
    /// Adds one value or a list of them, of which there must be one at least.
    #[inline]
    pub(crate) fn some_args<M>(mut self, values: impl ToArgs<M>, empty: &'static str) -> Self {
        let before = self.args.len();
        values.to_args(&mut self.args);
        let ok = self.args.len() > before;
        self.require(ok, empty)
    }

    /// Adds one key or a list of them, of which there must be one at least.
    #[inline]
    pub(crate) fn some_keys<M>(mut self, keys: impl ToArgs<M>, empty: &'static str) -> Self {
        let before = self.args.len();
        keys.to_keys(&mut self.args);
        let ok = self.args.len() > before;
        self.require(ok, empty)
    }

    /// Adds a list of values.
    pub(crate) fn any_args<M>(mut self, values: impl ToArgs<M>) -> Self {
        values.to_args(&mut self.args);
        self
    }

    /// Adds a list of keys.
    pub(crate) fn any_keys<M>(mut self, keys: impl ToArgs<M>) -> Self {
        keys.to_keys(&mut self.args);
        self
    }

    /// Adds how many values there are, then the values.
    pub(crate) fn any_counted_args<M>(mut self, values: impl ToArgs<M>) -> Self {
        let mut list = Args::default();
        values.to_args(&mut list);
        self.args.push(list.len());
        self.args.append(list);
        self
    }

    /// Adds how many keys there are, then the keys.
    pub(crate) fn any_counted_keys<M>(mut self, keys: impl ToArgs<M>) -> Self {
        let mut list = Args::default();
        keys.to_keys(&mut list);
        self.args.push(list.len());
        self.args.append(list);
        self
    }

    /// As [`any_counted_args`](Self::any_counted_args), of which there must be one at least.
    pub(crate) fn some_counted_args<M>(self, values: impl ToArgs<M>, empty: &'static str) -> Self {
        let before = self.args.len() + 1;
        let cmd = self.any_counted_args(values);
        let ok = cmd.args.len() > before;
        cmd.require(ok, empty)
    }

    /// As [`any_counted_keys`](Self::any_counted_keys), of which there must be one at least.
    pub(crate) fn some_counted_keys<M>(self, keys: impl ToArgs<M>, empty: &'static str) -> Self {
        let before = self.args.len() + 1;
        let cmd = self.any_counted_keys(keys);
        let ok = cmd.args.len() > before;
        cmd.require(ok, empty)
    }

    /// Adds pairs of values, of which there must be one at least.
    pub(crate) fn some_pairs(mut self, pairs: impl ToPairs, empty: &'static str) -> Self {
        let before = self.args.len();
        pairs.to_pairs(&mut self.args);
        let ok = self.args.len() > before;
        self.require(ok, empty)
    }

    /// Adds how many pairs there are, then the pairs, of which there must be one at least.
    pub(crate) fn some_counted_pairs(mut self, pairs: impl ToPairs, empty: &'static str) -> Self {
        let mut list = Args::default();
        pairs.to_pairs(&mut list);
        let ok = !list.is_empty();
        self.args.push(list.len() / 2);
        self.args.append(list);
        self.require(ok, empty)
    }

    /// Adds pairs of a key and a value, of which there must be one at least.
    pub(crate) fn some_key_pairs<K: ToArg, V: ToArg>(
        mut self,
        pairs: impl IntoIterator<Item = (K, V)>,
        empty: &'static str,
    ) -> Self {
        let before = self.args.len();
        for (key, value) in pairs {
            self.args.push_key(key);
            self.args.push(value);
        }
        let ok = self.args.len() > before;
        self.require(ok, empty)
    }

    /// Adds how many pairs of a key and a value there are, then the pairs, of which there must be one at least.
    pub(crate) fn some_counted_key_pairs<K: ToArg, V: ToArg>(
        mut self,
        pairs: impl IntoIterator<Item = (K, V)>,
        empty: &'static str,
    ) -> Self {
        let mut list = Args::default();
        for (key, value) in pairs {
            list.push_key(key);
            list.push(value);
        }
        let ok = !list.is_empty();
        self.args.push(list.len() / 2);
        self.args.append(list);
        self.require(ok, empty)
    }

    /// Adds all keys, then the value of each, of which there must be one at least.
    pub(crate) fn some_key_columns<K: ToArg, V: ToArg>(
        mut self,
        pairs: impl IntoIterator<Item = (K, V)>,
        empty: &'static str,
    ) -> Self {
        let before = self.args.len();
        let mut values = Args::default();
        for (key, value) in pairs {
            self.args.push_key(key);
            values.push(value);
        }
        self.args.append(values);
        let ok = self.args.len() > before;
        self.require(ok, empty)
    }

    /// Adds groups of three values, of which there must be one at least.
    pub(crate) fn some_triples<A: ToArg, B: ToArg, C: ToArg>(
        mut self,
        triples: impl IntoIterator<Item = (A, B, C)>,
        empty: &'static str,
    ) -> Self {
        let before = self.args.len();
        for (a, b, c) in triples {
            self.args.push(a);
            self.args.push(b);
            self.args.push(c);
        }
        let ok = self.args.len() > before;
        self.require(ok, empty)
    }

    /// Adds what writes several arguments each, of which there must be one at least.
    pub(crate) fn some_words<T: ToArgs<One>>(
        mut self,
        words: impl IntoIterator<Item = T>,
        empty: &'static str,
    ) -> Self {
        let before = self.args.len();
        words.into_iter().for_each(|words| words.to_args(&mut self.args));
        let ok = self.args.len() > before;
        self.require(ok, empty)
    }

    /// Adds what writes several arguments each.
    pub(crate) fn any_words<T: ToArgs<One>>(mut self, words: impl IntoIterator<Item = T>) -> Self {
        words.into_iter().for_each(|words| words.to_args(&mut self.args));
        self
    }

    /// Adds arguments that were put together apart.
    pub(crate) fn rest(mut self, rest: Cmd<()>) -> Self {
        self.args.append(rest.args);
        self.invalid = self.invalid.or(rest.invalid);
        if self.block == Block::Never {
            self.block = rest.block;
        }
        self
    }

    /// Adds a word, if it is wanted.
    #[inline]
    pub(crate) fn flag(self, word: &'static str, wanted: bool) -> Self {
        if wanted { self.arg(word) } else { self }
    }

    /// Adds a value, if there is one.
    #[inline]
    pub(crate) fn optional(self, value: Option<impl ToArg>) -> Self {
        match value {
            Some(value) => self.arg(value),
            None => self,
        }
    }

    /// Adds a word and its value, if there is one.
    #[inline]
    pub(crate) fn option(self, word: &'static str, value: Option<impl ToArg>) -> Self {
        match value {
            Some(value) => self.arg(word).arg(value),
            None => self,
        }
    }

    /// Adds an option that was put together before. A word whose list is empty makes the command invalid.
    #[inline]
    pub(crate) fn choice(mut self, choice: Option<Choice>) -> Self {
        let Some(Choice { word, values }) = choice else {
            return self;
        };
        if let Some(word) = word {
            self.args.push(word);
        }
        match values {
            Some(values) if values.is_empty() => {
                self.require(word.is_none(), "the list of one of its options is empty")
            }
            Some(values) => {
                self.args.append(*values);
                self
            }
            None => self,
        }
    }

    /// Adds when the key expires. A time to live is rounded up to whole milliseconds.
    #[inline]
    pub(crate) fn expiry(self, expiry: Option<Expiry>) -> Self {
        match expiry {
            None => self,
            Some(Expiry::Word(word)) => self.arg(word),
            Some(Expiry::In(ttl)) => {
                let ms = millis(ttl);
                let cmd = self.require(ms > 0, "a time to live of zero: delete the key instead");
                if ms % 1000 == 0 { cmd.arg("EX").arg(ms / 1000) } else { cmd.arg("PX").arg(ms) }
            }
            Some(Expiry::At(time)) => {
                let ms = unix_millis(time);
                let cmd = self.require(ms > 0, "an expiry that is not after 1970");
                if ms % 1000 == 0 {
                    cmd.arg("EXAT").arg(ms / 1000)
                } else {
                    cmd.arg("PXAT").arg(ms)
                }
            }
        }
    }

    /// Adds how long the server may wait: seconds with up to three decimals, 0 for ever.
    pub(crate) fn timeout(self, timeout: Option<Duration>) -> Self {
        self.waiting(timeout, |cmd, ms| match ms {
            // Redis 6.2 makes no milliseconds of `0.001`, and so waits for ever.
            1 => cmd.arg("0.0011"),
            ms => cmd.arg(ms as f64 / 1000.0),
        })
    }

    /// Adds how long the server may wait: milliseconds, 0 for ever.
    pub(crate) fn timeout_millis(self, timeout: Option<Duration>) -> Self {
        self.waiting(timeout, Self::arg)
    }

    /// Adds a word and [`timeout_millis`](Self::timeout_millis), if there is one.
    pub(crate) fn timeout_millis_option(
        self,
        word: &'static str,
        timeout: Option<Option<Duration>>,
    ) -> Self {
        match timeout {
            Some(timeout) => self.arg(word).timeout_millis(timeout),
            None => self,
        }
    }

    fn waiting(self, timeout: Option<Duration>, write: fn(Self, i64) -> Self) -> Self {
        const ZERO: &str = "a timeout of zero means none to the server: use `None` for that";
        match timeout {
            None => write(self, 0).blocking(Block::Forever),
            Some(timeout) => {
                let ms = millis(timeout);
                write(self, ms).require(ms > 0, ZERO).blocking(Block::For(timeout))
            }
        }
    }
}

/// Whole seconds, rounded up.
pub(crate) fn seconds(duration: Duration) -> i64 {
    let whole = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    whole.saturating_add((duration.subsec_nanos() > 0).into())
}

/// Whole milliseconds, rounded up: what is not zero stays so.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}

/// Whole seconds since 1970, rounded up.
pub(crate) fn unix_seconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => seconds(after),
        Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |s| -s),
    }
}

/// Whole milliseconds since 1970, rounded up.
pub(crate) fn unix_millis(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => millis(after),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_round_up() {
        assert_eq!(seconds(Duration::from_millis(1)), 1);
        assert_eq!(seconds(Duration::from_secs(2)), 2);
        assert_eq!(seconds(Duration::MAX), i64::MAX);
        assert_eq!(millis(Duration::from_nanos(1)), 1);
        assert_eq!(millis(Duration::ZERO), 0);
        assert_eq!(millis(Duration::MAX), i64::MAX);
    }

    #[test]
    fn times_before_1970_are_negative() {
        let time = UNIX_EPOCH - Duration::from_millis(1500);
        assert_eq!(unix_seconds(time), -1);
        assert_eq!(unix_millis(time), -1500);
    }
}
