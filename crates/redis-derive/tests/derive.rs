//! What the derives write, on frames of both protocols.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use redis_core::{
    Cmd, ErrorKind, FromReply, ReplyReader, Result, ToArg, ToArgs, Value, cmd, decode,
};

/// A map of strings as RESP3 sends it, as RESP2 does, and as a list of pairs.
fn frames(fields: &[(&str, &str)]) -> [Vec<u8>; 3] {
    let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
    let pairs: Vec<_> = fields.iter().map(|(a, b)| bulk(a) + &bulk(b)).collect();
    [
        format!("%{}\r\n{}", fields.len(), pairs.concat()),
        format!("*{}\r\n{}", 2 * fields.len(), pairs.concat()),
        format!("*{}\r\n*2\r\n{}", fields.len(), pairs.join("*2\r\n")),
    ]
    .map(String::into_bytes)
}

fn each<T: FromReply>(fields: &[(&str, &str)]) -> Vec<Result<T>> {
    frames(fields).iter().map(|frame| decode(frame)).collect()
}

fn all<T: FromReply + PartialEq + std::fmt::Debug>(fields: &[(&str, &str)], expected: T) {
    for value in each::<T>(fields) {
        assert_eq!(value.expect("the fields fit"), expected);
    }
}

fn fails<T: FromReply>(fields: &[(&str, &str)], message: &str) {
    for value in each::<T>(fields) {
        let error = value.err().expect("the fields do not fit");
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert_eq!(error.to_string(), message);
    }
}

#[derive(Clone, Debug, PartialEq, FromReply, ToArgs)]
struct User {
    name: String,
    age: u32,
    mail: Option<String>,
}

fn ada() -> User {
    User { name: "Ada".into(), age: 36, mail: None }
}

#[test]
fn struct_decodes_from_a_map_in_any_shape() {
    all(&[("name", "Ada"), ("age", "36")], ada());
    all(
        &[("age", "36"), ("mail", "a@b"), ("name", "Ada")],
        User { mail: Some("a@b".into()), ..ada() },
    );
    all(&[("name", "Ada"), ("age", "36"), ("unknown", "x")], ada());
    all(&[("name", "x"), ("name", "Ada"), ("age", "36")], ada());
    let streamed = b"%?\r\n+name\r\n$3\r\nAda\r\n+age\r\n:36\r\n+mail\r\n_\r\n.\r\n";
    assert_eq!(decode::<User>(streamed).unwrap(), ada());
    let null = b"*6\r\n$4\r\nname\r\n$3\r\nAda\r\n$3\r\nage\r\n:36\r\n$4\r\nmail\r\n$-1\r\n";
    assert_eq!(decode::<User>(null).unwrap(), ada());
    // What is passed over may be anything.
    let nested = b"%3\r\n+x\r\n*2\r\n:1\r\n%1\r\n+a\r\n_\r\n+name\r\n+Ada\r\n+age\r\n:36\r\n";
    assert_eq!(decode::<User>(nested).unwrap(), ada());
    let list = b"*1\r\n%2\r\n+name\r\n+Ada\r\n+age\r\n:36\r\n";
    assert_eq!(decode::<Vec<User>>(list).unwrap(), [ada()]);
}

#[test]
fn fields_that_do_not_fit_are_named() {
    fails::<User>(&[("name", "Ada")], "the reply has no field `age`");
    fails::<User>(&[], "the reply has no field `name`");
    fails::<Option<User>>(&[], "the reply has no field `name`");
    fails::<User>(
        &[("name", "Ada"), ("age", "old")],
        "field `age`: expected text that is an integer within u32",
    );
    let error = decode::<User>(b"%1\r\n+name\r\n_\r\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "field `name`: expected a string, got null: decode to an `Option`"
    );
    assert_eq!(decode::<Option<User>>(b"*-1\r\n").unwrap(), None);
    let error = decode::<User>(b"%1\r\n+name\r\n-ERR no\r\n").unwrap_err();
    assert_eq!(error.code(), Some("ERR"));
    for cut in [&b"%1\r\n"[..], b"%1\r\n+name\r\n", b"%1\r\n+name\r\n$3\r\nA", b"*1\r\n+name\r\n"] {
        assert!(decode::<User>(cut).is_err());
    }
}

fn seconds(reply: &mut ReplyReader<'_>) -> Result<Duration> {
    u64::from_reply(reply).map(Duration::from_secs)
}

#[derive(Debug, Default, PartialEq, FromReply)]
#[redis(rename_all = "kebab-case")]
#[non_exhaustive]
/// Documented, and with attributes of others.
#[must_use]
pub(crate) struct Info {
    /// Documented.
    pub(crate) max_len: u64,
    #[redis(rename = "Idle")]
    #[redis(with = self::seconds)]
    pub idle: Duration,
    #[redis(default)]
    r#type: String,
    #[redis(skip)]
    cache: Vec<u8>,
    full: std::option::Option<Vec<(String, i64)>>,
    #[redis(other)]
    other: BTreeMap<String, Value>,
}

#[test]
fn attributes_say_how_fields_are_read() {
    let Info { max_len, idle, r#type, full, other, .. } = decode(
        b"%5\r\n+max-len\r\n:5\r\n+Idle\r\n:3\r\n+type\r\n+t\r\n+full\r\n%1\r\n+a\r\n:1\r\n+new-field\r\n*1\r\n:1\r\n",
    )
    .unwrap();
    assert_eq!((max_len, idle, r#type.as_str()), (5, Duration::from_secs(3), "t"));
    assert_eq!(full.unwrap()[0], ("a".into(), 1));
    assert_eq!(other.len(), 1);
    assert_eq!(other["new-field"], Value::Array(vec![Value::Integer(1)]));
    let expected = Info { max_len: 1, idle: Duration::from_secs(2), ..Info::default() };
    all(&[("max-len", "1"), ("Idle", "2")], expected);
    fails::<Info>(&[("max-len", "1")], "the reply has no field `Idle`");
    fails::<Info>(&[("Idle", "x")], "field `Idle`: expected text that is an integer within u64");
}

#[derive(ToArgs)]
struct Page<'a, K: Clone + ToArg = String, V = u64, const N: usize = 2>
where
    V: Copy,
    Vec<K>: Clone,
{
    key: K,
    value: V,
    #[redis(skip)]
    find: fn(&'a K) -> Option<V>,
    #[redis(skip)]
    rest: [u8; N],
    optional: Option<V>,
}

#[test]
fn generics_bounds_and_where_clauses_are_kept() {
    #[derive(Debug, PartialEq, FromReply)]
    struct Pair<A, B: Default + Copy>
    where
        A: PartialEq,
    {
        a: A,
        #[redis(default)]
        b: B,
    }
    all(&[("a", "1")], Pair::<u8, f64> { a: 1, b: 0.0 });
    all(&[("a", "x"), ("b", "1")], Pair::<String, bool> { a: "x".into(), b: true });
}

#[test]
fn nested_structs_name_the_whole_way() {
    #[derive(Debug, PartialEq, FromReply)]
    struct Outer {
        user: User,
        #[redis(other)]
        rest: HashMap<String, String>,
    }
    let frame = b"*4\r\n+user\r\n*4\r\n+name\r\n+Ada\r\n+age\r\n:36\r\n+x\r\n+y\r\n";
    let outer: Outer = decode(frame).unwrap();
    assert_eq!(outer.user, ada());
    assert_eq!(outer.rest, HashMap::from([("x".to_owned(), "y".to_owned())]));
    let error = decode::<Outer>(b"*2\r\n+user\r\n*2\r\n+age\r\n:-1\r\n").unwrap_err();
    assert_eq!(error.to_string(), "field `user`: field `age`: the integer -1 does not fit u32");
}

macro_rules! declare {
    ($vis:vis $name:ident { $($field:ident: $ty:ty = $word:literal),* }) => {
        #[derive(Debug, PartialEq, FromReply, ToArgs)]
        $vis struct $name { $(#[redis(rename = $word)] $vis $field: $ty),* }
    };
}

declare!(pub(crate) Declared { one: Option<u64> = "1", two: String = "2" });

#[test]
fn types_and_words_from_other_macros_are_understood() {
    all(&[("2", "b")], Declared { one: None, two: "b".into() });
    let cmd = cmd::hset("k", Declared { one: None, two: "b".into() });
    assert_eq!(cmd.words().collect::<Vec<_>>(), [&b"HSET"[..], b"k", b"2", b"b"]);
}

#[derive(Clone, Debug, PartialEq, FromReply, ToArg)]
#[redis(rename_all = "kebab-case")]
enum Kind {
    String,
    SortedSet,
    #[redis(rename = "ReJSON-RL")]
    Json,
}

#[derive(Clone, Debug, PartialEq, FromReply, ToArg)]
enum Open {
    Yes,
    #[redis(other)]
    Other(String),
}

#[test]
fn enums_are_words() {
    for (kind, word) in [(Kind::String, "string"), (Kind::SortedSet, "sorted-set")] {
        assert_eq!(decode::<Kind>(format!("+{word}\r\n").as_bytes()).unwrap(), kind);
        assert_eq!(Cmd::<()>::raw("X").arg(kind).arguments().get(1), Some(word.as_bytes()));
    }
    assert_eq!(decode::<Kind>(b"$9\r\nReJSON-RL\r\n").unwrap(), Kind::Json);
    let error = decode::<Kind>(b"+STRING\r\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected one of `string`, `sorted-set`, `ReJSON-RL`, got a string of 6 bytes"
    );
    assert_eq!(decode::<Option<Kind>>(b"_\r\n").unwrap(), None);
    assert_eq!(decode::<Kind>(b":1\r\n").unwrap_err().kind(), ErrorKind::Decode);
    let words = decode::<Vec<Open>>(b"*3\r\n+Yes\r\n$2\r\nno\r\n+Yes\r\n").unwrap();
    assert_eq!(words, [Open::Yes, Open::Other("no".into()), Open::Yes]);
    let cmd = Cmd::<()>::raw("X").args(words);
    assert_eq!(cmd.words().collect::<Vec<_>>(), [&b"X"[..], b"Yes", b"no", b"Yes"]);
}

#[test]
fn struct_writes_its_fields_as_pairs() {
    let user = User { mail: Some("a@b".into()), ..ada() };
    let expected = [&b"HSET"[..], b"k", b"name", b"Ada", b"age", b"36", b"mail", b"a@b"];
    assert_eq!(cmd::hset("k", &user).words().collect::<Vec<_>>(), expected);
    assert_eq!(cmd::hset("k", user.clone()).words().collect::<Vec<_>>(), expected);
    let raw = Cmd::<u64>::raw("HSET").key("k").args(&user);
    assert_eq!(raw.words().collect::<Vec<_>>(), expected);
    assert_eq!(cmd::hset("k", ada()).words().count(), 6);
    assert_eq!(Cmd::<u64>::raw("HSET").key("k").args(ada()).words().count(), 6);
    let page = Page::<'_, _, _, 1> {
        key: "a",
        value: 1.5,
        find: |_| None,
        rest: [0],
        optional: Some(2.5),
    };
    let expected = [&b"HSET"[..], b"k", b"key", b"a", b"value", b"1.5", b"optional", b"2.5"];
    assert_eq!((page.find)(&"a").map(|_| page.rest), None);
    assert_eq!(cmd::hset("k", &page).words().collect::<Vec<_>>(), expected);
}

#[test]
fn struct_without_any_field_to_write_is_refused() {
    #[derive(ToArgs)]
    struct Nothing {
        a: Option<u64>,
    }
    let error = cmd::hset("k", &Nothing { a: None }).check().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(cmd::hset("k", Nothing { a: Some(1) }).check().is_ok());
}

#[test]
fn pairs_come_from_maps_lists_and_references() {
    let expected = cmd::hset("k", [("a", 1)]).to_vec();
    let map = BTreeMap::from([("a", 1)]);
    let list = vec![("a".to_owned(), 1)];
    assert_eq!(cmd::hset("k", &map).to_vec(), expected);
    assert_eq!(cmd::hset("k", map).to_vec(), expected);
    assert_eq!(cmd::hset("k", &list).to_vec(), expected);
    assert_eq!(cmd::hset("k", &list[..]).to_vec(), expected);
    assert_eq!(cmd::hset("k", list.iter().map(|(a, b)| (a, b))).to_vec(), expected);
    assert_eq!(cmd::hset("k", list).to_vec(), expected);
}

mod renamed {
    pub(crate) use redis_core::derive;
}

#[test]
fn crate_is_found_where_it_is_said_to_be() {
    #[derive(Debug, PartialEq, FromReply, ToArgs)]
    #[redis(crate = "renamed")]
    struct Text {
        a: u64,
    }
    #[derive(Debug, PartialEq, FromReply, ToArg)]
    #[redis(crate = crate::renamed, rename_all = "lowercase")]
    enum Path {
        A,
    }
    all(&[("a", "1")], Text { a: 1 });
    assert_eq!(decode::<Path>(b"+a\r\n").unwrap(), Path::A);
}

/// Names of the prelude are not taken from the user's scope.
#[allow(dead_code, reason = "they are only there to be in the way")]
mod hostile {
    pub(crate) struct Option;
    pub(crate) struct Result;
    pub(crate) struct Ok;
    pub(crate) struct Some;
    pub(crate) struct None;
    pub(crate) struct String;
    pub(crate) trait Default {}

    #[derive(Debug, redis_core::FromReply, redis_core::ToArgs)]
    pub(crate) struct Fields {
        reply: u64,
        field: u64,
        args: ::std::option::Option<u64>,
        #[redis(default)]
        value: u64,
    }
}

#[test]
fn names_in_scope_do_not_matter() {
    let fields = each::<hostile::Fields>(&[("reply", "1"), ("field", "2")]);
    assert!(fields.into_iter().all(|fields| fields.is_ok()));
}
