//! How a server documents its commands.

use std::collections::BTreeMap;

use redis_derive::FromReply;

use crate::reply::Value;

use super::record::nested;

/// How a server documents one of its commands.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[non_exhaustive]
pub struct CommandDoc {
    /// What it does, in a sentence.
    pub summary: Option<String>,
    /// The version that brought it.
    pub since: Option<String>,
    /// The group it belongs to, such as `string`.
    pub group: String,
    /// How its time grows with what it is given.
    pub complexity: Option<String>,
    /// The module that brought it.
    pub module: Option<String>,
    /// Flags such as `deprecated` and `syscmd`.
    #[redis(default)]
    pub doc_flags: Vec<String>,
    /// The version that deprecated it.
    pub deprecated_since: Option<String>,
    /// What to use instead.
    pub replaced_by: Option<String>,
    /// Versions, and what each changed.
    #[redis(default)]
    pub history: Vec<(String, String)>,
    /// Its arguments in their order.
    #[redis(default, with = nested)]
    pub arguments: Vec<ArgumentDoc>,
    /// Its subcommands, as in `config|get`.
    #[redis(default, with = nested)]
    pub subcommands: Vec<(String, CommandDoc)>,
    /// What newer servers tell too.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

/// How a server documents an argument of a command.
#[derive(Clone, Debug, PartialEq, FromReply)]
#[non_exhaustive]
pub struct ArgumentDoc {
    /// Its name.
    pub name: String,
    /// What it is.
    #[redis(rename = "type")]
    pub kind: ArgumentKind,
    /// Its name to show; 7.2 and newer.
    pub display_text: Option<String>,
    /// Which of the command's key specifications finds it, where it is a key.
    pub key_spec_index: Option<u64>,
    /// The word before it, or that it is.
    pub token: Option<String>,
    /// What it does, in a sentence.
    pub summary: Option<String>,
    /// The version that brought it.
    pub since: Option<String>,
    /// The version that deprecated it.
    pub deprecated_since: Option<String>,
    /// `optional`, `multiple` and `multiple_token`.
    #[redis(default)]
    pub flags: Vec<String>,
    /// What it consists of, or has to be one of.
    #[redis(default, with = nested)]
    pub arguments: Vec<ArgumentDoc>,
    /// What newer servers tell too.
    #[redis(other)]
    pub other: BTreeMap<String, Value>,
}

/// What an argument is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, FromReply)]
#[redis(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ArgumentKind {
    /// Any text.
    String,
    /// An integer.
    Integer,
    /// A number.
    Double,
    /// A key.
    Key,
    /// A glob-style pattern.
    Pattern,
    /// A point in time: seconds or milliseconds since 1970.
    UnixTime,
    /// A word by itself.
    PureToken,
    /// One of several arguments.
    #[redis(rename = "oneof")]
    OneOf,
    /// Several arguments together.
    Block,
    /// Another one, by the server's name of it.
    #[redis(other)]
    Other(std::string::String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::decode;

    type Docs = BTreeMap<String, CommandDoc>;

    /// The documentation of one command in RESP2, or in RESP3 with maps and sets.
    fn frame(resp3: bool) -> Vec<u8> {
        let (map, set) = if resp3 { ("%", "~") } else { ("*", "*") };
        let pairs = |n: usize| format!("{map}{}", if resp3 { n } else { 2 * n });
        let inner = format!(
            "{}\r\n$4\r\nname\r\n$1\r\nm\r\n$4\r\ntype\r\n$10\r\npure-token\r\n$5\r\ntoken\r\n$1\r\nM\r\n",
            pairs(3)
        );
        let argument = format!(
            "{}\r\n$4\r\nname\r\n$4\r\nunit\r\n$4\r\ntype\r\n$5\r\noneof\r\n$5\r\nflags\r\n{set}1\r\n+optional\r\n\
             $9\r\narguments\r\n*1\r\n{inner}",
            pairs(4)
        );
        let sub =
            format!("{}\r\n$5\r\na|sub\r\n{}\r\n$5\r\ngroup\r\n$3\r\ngeo\r\n", pairs(1), pairs(1));
        format!(
            "{}\r\n$1\r\na\r\n{}\r\n$7\r\nsummary\r\n$1\r\nx\r\n$5\r\nsince\r\n$5\r\n6.2.0\r\n\
             $5\r\ngroup\r\n$3\r\ngeo\r\n$9\r\ndoc_flags\r\n{set}1\r\n+deprecated\r\n$7\r\nhistory\r\n\
             {set}1\r\n*2\r\n$5\r\n7.0.0\r\n$3\r\nAdd\r\n$9\r\narguments\r\n*1\r\n{argument}\
             $11\r\nsubcommands\r\n{sub}",
            pairs(1),
            pairs(7),
        )
        .into_bytes()
    }

    #[test]
    fn documentation_is_the_same_in_both_protocols() {
        let docs = decode::<Docs>(&frame(false)).unwrap();
        assert_eq!(decode::<Docs>(&frame(true)).unwrap(), docs);
        let doc = &docs["a"];
        assert_eq!((doc.summary.as_deref(), &*doc.group), (Some("x"), "geo"));
        assert_eq!(doc.history, [("7.0.0".to_owned(), "Add".to_owned())]);
        assert_eq!(doc.doc_flags, ["deprecated"]);
        let unit = &doc.arguments[0];
        assert_eq!((&*unit.name, &unit.kind), ("unit", &ArgumentKind::OneOf));
        assert_eq!(unit.flags, ["optional"]);
        assert_eq!(unit.arguments[0].kind, ArgumentKind::PureToken);
        assert_eq!(unit.arguments[0].token.as_deref(), Some("M"));
        let (name, sub) = &doc.subcommands[0];
        assert_eq!((&**name, &*sub.group, sub.arguments.len()), ("a|sub", "geo", 0));
        assert_eq!(decode::<Docs>(b"*0\r\n").unwrap(), Docs::new());
    }

    #[test]
    fn arguments_nested_without_end_are_refused() {
        let level = b"*6\r\n$4\r\nname\r\n$1\r\nm\r\n$4\r\ntype\r\n$5\r\nblock\r\n$9\r\narguments\r\n*1\r\n";
        let frame = [level.repeat(100_000), b"*0\r\n".to_vec()].concat();
        assert!(decode::<ArgumentDoc>(&frame).is_err());
    }
}
