//! Values as JSON text, by serde.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{FromReply, ReplyReader};
use crate::command::{Arg, ToArg, Written};
use crate::error::{Error, Result};

/// A value that is JSON on the server: one string. Needs the feature `json`.
///
/// As an argument it may hold a reference. A value that serde can't serialize makes its command an error
/// before it is sent; text that is not the JSON of a `T` is a `Decode` error. Both have serde's message, which
/// may show a part of the text. Null is no JSON text: decode to `Option<Json<T>>` where a key may be missing.
///
/// # Examples
///
/// ```
/// use redis_core::{Json, cmd, decode};
/// use std::collections::BTreeMap;
///
/// let scores = BTreeMap::from([("ada".to_owned(), vec![1, 2])]);
/// let set = cmd::set("scores", Json(&scores));
///
/// let Json(read) = decode::<Json<BTreeMap<String, Vec<u32>>>>(b"$13\r\n{\"ada\":[1,2]}\r\n")?;
/// assert_eq!(read, scores);
/// # Ok::<(), redis_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Json<T>(pub T);

impl<T: Serialize> ToArg for Json<T> {
    fn to_arg(&self, arg: Arg<'_>) -> Written {
        match serde_json::to_vec(&self.0) {
            Ok(text) => arg.owned(text),
            Err(error) => arg.invalid(format!("the value can't be JSON: {error}")),
        }
    }
}

impl<T: DeserializeOwned> FromReply for Json<T> {
    const EXACT: bool = true;

    fn from_reply(reply: &mut ReplyReader<'_>) -> Result<Self> {
        let text = reply.string()?;
        serde_json::from_slice(&text).map(Self).map_err(|error| {
            Error::decode(format!("the string is not the JSON of the type: {error}"))
                .with_source(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::command::Cmd;
    use crate::error::ErrorKind;
    use crate::reply::decode;

    #[test]
    fn json_is_one_string_both_ways() {
        let value = BTreeMap::from([("a".to_owned(), vec![1.5, 2.0])]);
        let cmd = Cmd::<()>::raw("SET").key("k").arg(Json(&value));
        assert_eq!(cmd.arguments().get(2), Some(&br#"{"a":[1.5,2.0]}"#[..]));
        assert!(cmd.check().is_ok());
        let Json(read) =
            decode::<Json<BTreeMap<String, Vec<f64>>>>(b"$15\r\n{\"a\":[1.5,2.0]}\r\n").unwrap();
        assert_eq!(read, value);
        assert_eq!(decode::<Option<Json<u64>>>(b"$-1\r\n").unwrap(), None);
    }

    #[test]
    fn large_json_is_not_copied_again() {
        let text = "x".repeat(20_000);
        let cmd = Cmd::<()>::raw("SET").key("k").arg(Json(&text));
        assert_eq!(cmd.arguments().get(2).map(<[u8]>::len), Some(20_002));
        assert!(cmd.arguments().plain().is_none());
    }

    #[test]
    fn value_that_is_no_json_is_refused_before_it_is_sent() {
        let value = BTreeMap::from([((1, 2), 3)]);
        let error = Cmd::<()>::raw("SET").key("k").arg(Json(&value)).check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(error.to_string(), "SET: the value can't be JSON: key must be a string");
    }

    #[test]
    fn text_that_is_no_json_is_a_decode_error_with_the_reason() {
        let error = decode::<Json<u64>>(b"$2\r\n{}\r\n").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.to_string().starts_with(
            "the string is not the JSON of the type: invalid type: map, expected u64"
        ));
        assert!(std::error::Error::source(&error).is_some());
    }
}
