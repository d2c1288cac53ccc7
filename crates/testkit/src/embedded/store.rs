//! The keys, their values and their deadlines. Knows no commands and no connections; time is a
//! parameter, in milliseconds since the Unix epoch.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use super::{
    failure::{Failure, WRONG_TYPE},
    transactions::Watches,
};

/// As many databases as servers have unless told otherwise.
pub(super) const DATABASES: usize = 16;

pub(super) type List = VecDeque<Bytes>;
pub(super) type Set = BTreeSet<Bytes>;
pub(super) type Hash = BTreeMap<Bytes, Bytes>;

#[derive(Debug)]
pub(super) enum Value {
    String(Bytes),
    List(List),
    Set(Set),
    Hash(Hash),
}

/// What a value can be taken for, if it is of that kind.
pub(super) trait Kind: Default {
    fn of(value: &Value) -> Option<&Self>;
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
    fn into_value(self) -> Value;
    /// A key of such a value does not exist.
    fn is_empty(&self) -> bool;
}

#[derive(Debug)]
struct Entry {
    value: Value,
    deadline: Option<i64>,
}

type Entries = BTreeMap<Bytes, Entry>;

/// All databases, and who watches their keys.
#[derive(Debug)]
pub(super) struct Store {
    databases: Vec<Entries>,
    pub(super) watches: Watches,
}

impl Default for Store {
    fn default() -> Self {
        let databases = (0..DATABASES).map(|_| Entries::new()).collect();
        Self { databases, watches: Watches::default() }
    }
}

impl Store {
    /// One database as it is `now`.
    pub(super) fn keys(&mut self, database: usize, now: i64) -> Keys<'_> {
        let entries = &mut self.databases[database];
        Keys { entries, watches: &mut self.watches, database, now }
    }
}

/// A database at a point in time: keys whose deadline has passed are not there.
#[derive(Debug)]
pub(super) struct Keys<'a> {
    entries: &'a mut Entries,
    watches: &'a mut Watches,
    database: usize,
    now: i64,
}

impl Keys<'_> {
    /// The key's value, if it has one of this kind.
    pub(super) fn read<K: Kind>(&mut self, key: &Bytes) -> Result<Option<&K>, Failure> {
        match self.value(key) {
            Some(value) => K::of(value).map(Some).ok_or(WRONG_TYPE),
            None => Ok(None),
        }
    }

    /// Changes the key's value, which is there afterwards unless it is empty. The closure also says
    /// whether it has changed anything.
    pub(super) fn change<K: Kind, T>(
        &mut self,
        key: &Bytes,
        change: impl FnOnce(&mut K) -> Result<(T, bool), Failure>,
    ) -> Result<T, Failure> {
        self.expire(key);
        let (told, changed) = match self.entries.get_mut(key) {
            Some(entry) => {
                let value = K::of_mut(&mut entry.value).ok_or(WRONG_TYPE)?;
                let told = change(value)?;
                if value.is_empty() {
                    self.entries.remove(key);
                }
                told
            }
            None => {
                let mut value = K::default();
                let told = change(&mut value)?;
                if !value.is_empty() {
                    let entry = Entry { value: value.into_value(), deadline: None };
                    self.entries.insert(owned(key), entry);
                }
                told
            }
        };
        if changed {
            self.watches.touch(self.database, key);
        }
        Ok(told)
    }

    /// Puts a value in place of whatever was there.
    pub(super) fn put(&mut self, key: &Bytes, value: Value, deadline: Option<i64>) {
        self.entries.insert(owned(key), Entry { value, deadline });
        self.watches.touch(self.database, key);
        self.expire(key);
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, key: &Bytes) -> bool {
        self.expire(key);
        let removed = self.entries.remove(key).is_some();
        if removed {
            self.watches.touch(self.database, key);
        }
        removed
    }

    /// Removes the key if its deadline has passed.
    pub(super) fn expire(&mut self, key: &Bytes) {
        let passed = |entry: &Entry| entry.deadline.is_some_and(|deadline| deadline <= self.now);
        if self.entries.get(key).is_some_and(passed) {
            self.entries.remove(key);
            self.watches.touch(self.database, key);
        }
    }

    /// Gives a key that is there another deadline, or none; false if it is not there.
    pub(super) fn set_deadline(&mut self, key: &Bytes, deadline: Option<i64>) -> bool {
        self.expire(key);
        let Some(entry) = self.entries.get_mut(key) else {
            return false;
        };
        entry.deadline = deadline;
        self.watches.touch(self.database, key);
        self.expire(key);
        true
    }

    /// Removes all keys.
    pub(super) fn clear(&mut self) {
        for key in std::mem::take(self.entries).into_keys() {
            self.watches.touch(self.database, &key);
        }
    }

    pub(super) fn value(&mut self, key: &Bytes) -> Option<&Value> {
        self.expire(key);
        self.entries.get(key).map(|entry| &entry.value)
    }

    pub(super) fn exists(&mut self, key: &Bytes) -> bool {
        self.value(key).is_some()
    }

    /// The deadline of a key that is there.
    pub(super) fn deadline(&mut self, key: &Bytes) -> Option<Option<i64>> {
        self.expire(key);
        self.entries.get(key).map(|entry| entry.deadline)
    }

    /// All keys, in order.
    pub(super) fn names(&mut self) -> Vec<Bytes> {
        let names: Vec<_> = self.entries.keys().cloned().collect();
        names.into_iter().filter(|key| self.exists(key)).collect()
    }

    /// How many keys there are, and how many of them have a deadline.
    pub(super) fn counts(&self) -> (usize, usize) {
        let mortal = self.entries.values().filter(|entry| entry.deadline.is_some()).count();
        (self.entries.len(), mortal)
    }
}

/// A copy, since an argument keeps the whole input that it came with.
pub(super) fn owned(arg: &Bytes) -> Bytes {
    Bytes::copy_from_slice(arg)
}

impl Kind for Bytes {
    fn of(value: &Value) -> Option<&Self> {
        if let Value::String(string) = value { Some(string) } else { None }
    }

    fn of_mut(value: &mut Value) -> Option<&mut Self> {
        if let Value::String(string) = value { Some(string) } else { None }
    }

    fn into_value(self) -> Value {
        Value::String(self)
    }

    fn is_empty(&self) -> bool {
        false
    }
}

impl Kind for List {
    fn of(value: &Value) -> Option<&Self> {
        if let Value::List(list) = value { Some(list) } else { None }
    }

    fn of_mut(value: &mut Value) -> Option<&mut Self> {
        if let Value::List(list) = value { Some(list) } else { None }
    }

    fn into_value(self) -> Value {
        Value::List(self)
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }
}

impl Kind for Set {
    fn of(value: &Value) -> Option<&Self> {
        if let Value::Set(set) = value { Some(set) } else { None }
    }

    fn of_mut(value: &mut Value) -> Option<&mut Self> {
        if let Value::Set(set) = value { Some(set) } else { None }
    }

    fn into_value(self) -> Value {
        Value::Set(self)
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }
}

impl Kind for Hash {
    fn of(value: &Value) -> Option<&Self> {
        if let Value::Hash(hash) = value { Some(hash) } else { None }
    }

    fn of_mut(value: &mut Value) -> Option<&mut Self> {
        if let Value::Hash(hash) = value { Some(hash) } else { None }
    }

    fn into_value(self) -> Value {
        Value::Hash(self)
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Bytes = Bytes::from_static(b"key");

    fn text(text: &'static str) -> Value {
        Value::String(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn key_is_gone_from_its_deadline_on() {
        let mut store = Store::default();
        store.keys(0, 0).put(&KEY, text("value"), Some(10));
        assert!(store.keys(0, 9).exists(&KEY));
        assert!(!store.keys(1, 9).exists(&KEY));
        assert!(!store.keys(0, 10).exists(&KEY));
    }

    #[test]
    fn change_and_expiry_reach_those_who_watch() {
        let mut store = Store::default();
        store.keys(0, 0).put(&KEY, text("value"), Some(10));
        store.watches.watch(7, 0, &KEY);
        assert!(store.keys(0, 9).exists(&KEY) && !store.watches.is_dirty(7));
        store.keys(0, 10).expire(&KEY);
        assert!(store.watches.is_dirty(7));
        store.watches.unwatch(7);
        assert!(!store.watches.is_dirty(7));
        store.watches.watch(7, 0, &KEY);
        store.keys(0, 11).put(&KEY, text("new"), None);
        assert!(store.watches.is_dirty(7));
    }

    #[test]
    fn value_that_becomes_empty_is_removed() {
        let mut store = Store::default();
        let mut keys = store.keys(0, 0);
        let add = |set: &mut Set| Ok(((), set.insert(KEY)));
        keys.change(&KEY, add).unwrap();
        assert!(keys.exists(&KEY));
        keys.change(&KEY, |set: &mut Set| Ok(((), set.remove(&KEY)))).unwrap();
        assert!(!keys.exists(&KEY));
        keys.put(&KEY, text("value"), None);
        assert!(keys.change(&KEY, add).is_err() && keys.read::<List>(&KEY).is_err());
    }
}
