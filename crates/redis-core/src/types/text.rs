//! What replies that are text have in common: fields by name, words of a fixed choice; and
//! how arguments say that they can't be sent.
//!
//! Owns how a field is taken out and what its absence or another form says. Knows no reply by name.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use crate::command::{Arg, ToArg, Written};
use crate::error::{Error, Result};
use crate::reply::{FromReply, ReplyReader};

/// Texts by name, to be taken one by one; what is left is what a newer server added.
#[derive(Debug)]
pub(super) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// Of lines `name:value`; empty lines and those that begin with `#` are none.
    pub(super) fn of_lines(text: &str) -> Result<Self> {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let fields = lines.map(|line| {
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| Error::decode(format!("the line `{line}` is no `name:value`")))?;
            Ok((name.to_owned(), value.to_owned()))
        });
        fields.collect::<Result<_>>().map(Self)
    }

    /// The field's value, which must be there.
    pub(super) fn take<T: FromStr>(&mut self, name: &str) -> Result<T> {
        self.take_option(name)?
            .ok_or_else(|| Error::decode(format!("the reply has no field `{name}`")))
    }

    /// The field's value, where there is one.
    pub(super) fn take_option<T: FromStr>(&mut self, name: &str) -> Result<Option<T>> {
        let Some(text) = self.0.remove(name) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| Error::decode(format!("the field `{name}` is `{text}`")))
    }

    /// The field's value in milliseconds, which must be there; a time below zero counts as none.
    pub(super) fn take_millis(&mut self, name: &str) -> Result<Duration> {
        self.take::<i64>(name).map(|ms| Duration::from_millis(ms.try_into().unwrap_or(0)))
    }

    /// The field's value in milliseconds, where there is one.
    pub(super) fn take_millis_option(&mut self, name: &str) -> Result<Option<Duration>> {
        let ms: Option<i64> = self.take_option(name)?;
        Ok(ms.map(|ms| Duration::from_millis(ms.try_into().unwrap_or(0))))
    }

    /// The values of all fields with this beginning and end, by what is between.
    pub(super) fn take_between<T: FromStr>(
        &mut self,
        start: &str,
        end: &str,
    ) -> Result<BTreeMap<String, T>> {
        let between = |name: &String| {
            let middle = name.strip_prefix(start)?.strip_suffix(end)?;
            Some((name.clone(), middle.to_owned()))
        };
        let names: Vec<_> = self.0.keys().filter_map(between).collect();
        names.into_iter().map(|(name, middle)| Ok((middle, self.take(&name)?))).collect()
    }

    /// What was not taken.
    pub(super) fn rest(self) -> BTreeMap<String, String> {
        self.0
    }
}

/// A map, or a flat list of pairs, of which all values are text.
impl FromReply for Fields {
    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        BTreeMap::from_reply(reply).map(Self)
    }
}

/// In place of arguments that can't be sent, and why.
pub(super) struct Refused(pub(super) &'static str);

impl ToArg for Refused {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        arg.invalid(self.0)
    }
}

/// A word of a fixed choice.
pub(super) fn word<T: for<'a> From<&'a str>>(reply: &mut ReplyReader<'_>) -> Result<T> {
    let text = reply.string()?;
    std::str::from_utf8(&text)
        .map(T::from)
        .map_err(|error| Error::decode("the word is not UTF-8").with_source(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_taken_by_name_and_the_rest_is_kept() {
        let mut fields = Fields::of_lines("# Some\r\n\r\na:1\r\nx_b_y:2\r\nc:d:e\r\n").unwrap();
        assert_eq!(fields.take::<u64>("a").unwrap(), 1);
        assert_eq!(fields.take_option::<u64>("a").unwrap(), None);
        assert_eq!(fields.take_between::<u64>("x_", "_y").unwrap()["b"], 2);
        assert_eq!(fields.rest(), BTreeMap::from([("c".into(), "d:e".into())]));
    }

    #[test]
    fn what_is_missing_or_malformed_is_named() {
        let mut fields = Fields::of_lines("a:x\n").unwrap();
        let missing = fields.take::<u64>("b").unwrap_err();
        assert_eq!(missing.message(), "the reply has no field `b`");
        let malformed = fields.take::<u64>("a").unwrap_err();
        assert_eq!(malformed.message(), "the field `a` is `x`");
        let line = Fields::of_lines("a:x\nno colon\n").unwrap_err();
        assert_eq!(line.message(), "the line `no colon` is no `name:value`");
    }
}
