//! What derived code needs: every name in one place, whichever crate shows it, and the steps that need
//! not be written out for each type.

use std::borrow::Cow;

use crate::error::Error;

pub use crate::command::{Arg, Args, One, ToArg, ToArgs, ToPairs, Written};
pub use crate::error::Result;
pub use crate::reply::{FromReply, ReplyReader};

/// Decodes one field's value; an error says which.
#[inline]
pub fn field<T>(
    name: &'static str,
    reply: &mut ReplyReader<'_>,
    take: impl FnOnce(&mut ReplyReader<'_>) -> Result<T>,
) -> Result<T> {
    take(reply).map_err(|error| error.in_field(name))
}

/// The value of a field that has to be there.
#[inline]
pub fn required<T>(name: &'static str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| Error::decode(format!("the reply has no field `{name}`")))
}

/// The name of a field that has no place of its own.
pub fn text(name: &[u8]) -> Result<String> {
    match String::from_utf8_lossy(name) {
        Cow::Borrowed(name) => Ok(name.to_owned()),
        Cow::Owned(name) => Err(Error::decode(format!("the field name `{name}` is not UTF-8"))),
    }
}

/// The error for a word that an enum does not have.
#[cold]
pub fn no_such_word(known: &[&str], word: &[u8]) -> Error {
    let known: Vec<_> = known.iter().map(|known| format!("`{known}`")).collect();
    let (known, len) = (known.join(", "), word.len());
    Error::decode(format!("expected one of {known}, got a string of {len} bytes"))
}

#[cfg(test)]
mod tests {
    use redis_derive::{FromReply, ToArg, ToArgs};

    use crate::reply::decode;

    #[derive(Debug, PartialEq, FromReply, ToArg)]
    enum Word {
        Yes,
    }

    #[derive(Debug, PartialEq, FromReply, ToArgs)]
    struct Fields {
        word: Word,
    }

    #[test]
    fn derives_work_inside_the_crate_that_they_name() {
        let fields = decode::<Fields>(b"*2\r\n+word\r\n+Yes\r\n").unwrap();
        assert_eq!(fields, Fields { word: Word::Yes });
        assert_eq!(crate::cmd::hset("key", &fields).words().last(), Some(&b"Yes"[..]));
    }
}
