//! Derive macros: structs and enums from replies, and to arguments.
//!
//! Use them through `redis-sync`, `redis-tokio`, `redis-smol`, `redis-async` or `redis-core`, which show them
//! under the names of their traits. What is written names its crate, so there is a macro for each of those
//! crates; those without a prefix are for `redis-core`. This crate depends on nothing, and knows of the
//! others no more than where the names it writes are found: in their hidden module `derive`.

mod attributes;
mod case;
mod expand;
mod parse;
mod template;

use proc_macro::TokenStream;

use crate::expand::{Derive, expand};

/// Decodes a struct from a map of its fields, or an enum from the server's word.
///
/// # Structs with named fields
///
/// The reply is a map: a RESP3 map, a flat list of names and values (RESP2), or a list of pairs. Each
/// field takes the value of its name, decoded with the `FromReply` of its type; of a name that comes twice
/// the last value. Names that the struct lacks are passed over. A field that is missing, or whose value
/// does not decode, is an error of the kind `Decode` that names it; but an `Option` (any type whose path
/// ends so) is `None` when it is missing or null.
///
/// | attribute | on | does |
/// | --- | --- | --- |
/// | `rename = ".."` | a field | its name in the reply |
/// | `default` | a field | `Default::default()` when it is missing |
/// | `with = path` | a field | decodes by this `fn(&mut ReplyReader<'_>) -> Result<T>`, where `T` is the field's type |
/// | `skip` | a field | is not in the reply: `Default::default()` |
/// | `other` | a field | takes all names that have no field: a `BTreeMap<String, V>` or `HashMap<String, V>` |
/// | `rename_all = ".."` | the struct | spells the names of all fields without a `rename`: `snake_case`, `kebab-case`, `camelCase`, `PascalCase`, `lowercase` and `UPPERCASE` (words joined by nothing), `SCREAMING_SNAKE_CASE`, `SCREAMING-KEBAB-CASE`; without it names are as in Rust |
/// | `crate = path` | the struct | the crate that the code refers to, where a dependency has another name |
///
/// A hash that does not exist is an empty map to `HGETALL`, not null: `Option<User>` fails as `User` does, at
/// the first field that has to be there. Where a hash may be missing give all fields defaults, or ask
/// `EXISTS` in the same pipeline.
///
/// ```
/// use redis_core::{FromReply, decode};
///
/// #[derive(Debug, PartialEq, FromReply)]
/// #[redis(rename_all = "kebab-case")]
/// struct Job {
///     id: u64,
///     queue_name: String,
///     worker: Option<String>,
///     #[redis(default)]
///     attempts: u32,
/// }
///
/// let flat = b"*4\r\n$2\r\nid\r\n$1\r\n7\r\n$10\r\nqueue-name\r\n$4\r\nmail\r\n";
/// let map = b"%2\r\n$2\r\nid\r\n:7\r\n$10\r\nqueue-name\r\n$4\r\nmail\r\n";
/// let job = Job { id: 7, queue_name: "mail".into(), worker: None, attempts: 0 };
/// assert_eq!(decode::<Job>(flat)?, job);
/// assert_eq!(decode::<Job>(map)?, job);
///
/// let error = decode::<Job>(b"*2\r\n$2\r\nid\r\n$1\r\n7\r\n").unwrap_err();
/// assert_eq!(error.to_string(), "the reply has no field `queue-name`");
/// # Ok::<(), redis_core::Error>(())
/// ```
///
/// # Enums of words
///
/// Each variant without fields is one word, compared exactly: its name in Rust, unless `rename` or
/// `rename_all` says otherwise. One variant may be `#[redis(other)] Other(String)`, for words that are
/// not known yet; without it such a word is a `Decode` error.
///
/// ```
/// use redis_core::{FromReply, decode};
///
/// #[derive(Debug, PartialEq, FromReply)]
/// #[redis(rename_all = "lowercase")]
/// enum Role {
///     #[redis(rename = "master")]
///     Primary,
///     Replica,
///     #[redis(other)]
///     Other(String),
/// }
///
/// assert_eq!(decode::<Role>(b"$6\r\nmaster\r\n")?, Role::Primary);
/// assert_eq!(decode::<Role>(b"+replica\r\n")?, Role::Replica);
/// assert_eq!(decode::<Role>(b"+sentinel\r\n")?, Role::Other("sentinel".into()));
/// # Ok::<(), redis_core::Error>(())
/// ```
///
/// # What does not compile
///
/// ```compile_fail
/// #[derive(redis_core::FromReply)]
/// struct NoNames(u64);
/// ```
///
/// ```compile_fail
/// #[derive(redis_core::FromReply)]
/// struct Unit;
/// ```
///
/// ```compile_fail
/// #[derive(redis_core::FromReply)]
/// union Either { a: u32, b: f32 }
/// ```
///
/// ```compile_fail
/// #[derive(redis_core::FromReply)]
/// enum WithFields { A { x: u64 } }
/// ```
///
/// ```compile_fail
/// #[derive(redis_core::FromReply)]
/// struct UnknownWord { #[redis(renamed = "y")] x: u64 }
/// ```
///
/// ```compile_fail
/// #[derive(redis_core::FromReply)]
/// struct NotAString { #[redis(rename = y)] x: u64 }
/// ```
///
/// ```compile_fail
/// #[derive(redis_core::FromReply)]
/// #[redis(rename_all = "Kebab")]
/// struct UnknownSpelling { x: u64 }
/// ```
///
/// ```compile_fail
/// #[derive(redis_core::FromReply)]
/// struct SameName { x: u64, #[redis(rename = "x")] y: u64 }
/// ```
///
/// ```compile_fail
/// struct NoReply;
/// #[derive(redis_core::FromReply)]
/// struct FieldThatIsNone { x: NoReply }
/// ```
#[proc_macro_derive(FromReply, attributes(redis))]
pub fn from_reply(input: TokenStream) -> TokenStream {
    expand(Derive::FromReply, input, "::redis_core")
}

/// Writes an enum as the server's word.
///
/// Variants and attributes are those of the derive of `FromReply` for enums.
///
/// ```
/// use redis_core::{Cmd, ToArg};
///
/// #[derive(ToArg)]
/// #[redis(rename_all = "UPPERCASE")]
/// enum Side {
///     Left,
///     Right,
/// }
///
/// let cmd = Cmd::<String>::raw("LMOVE").key("a").key("b").arg(Side::Left).arg(Side::Right);
/// assert_eq!(cmd.arguments().get(3), Some(&b"LEFT"[..]));
/// ```
///
/// A struct is no single argument:
///
/// ```compile_fail
/// #[derive(redis_core::ToArg)]
/// struct User { name: String }
/// ```
///
/// ```compile_fail
/// #[derive(redis_core::ToArg)]
/// enum NotAWord { A(u64) }
/// ```
#[proc_macro_derive(ToArg, attributes(redis))]
pub fn to_arg(input: TokenStream) -> TokenStream {
    expand(Derive::ToArg, input, "::redis_core")
}

/// Writes a struct with named fields as `name value name value ..`, for `HSET`, `XADD` and the like.
///
/// Implements `ToPairs` and `ToArgs` for the struct and for references to it. A field that is an `Option`
/// and `None` is left out, and so are those with `skip` or `other`; the other attributes are those of the
/// derive of `FromReply`, of which `default` and `with` mean nothing here. A command of which every field is
/// left out is an error before it is sent, as an empty list is.
///
/// ```
/// use redis_core::{FromReply, ToArgs, cmd};
///
/// #[derive(FromReply, ToArgs)]
/// struct User {
///     name: String,
///     #[redis(rename = "mail")]
///     address: Option<String>,
/// }
///
/// let user = User { name: "Ada".into(), address: None };
/// assert_eq!(cmd::hset("user:1", &user).to_vec(), cmd::hset("user:1", [("name", "Ada")]).to_vec());
/// ```
///
/// An enum has no fields to write:
///
/// ```compile_fail
/// #[derive(redis_core::ToArgs)]
/// enum Side { Left, Right }
/// ```
///
/// ```compile_fail
/// #[derive(redis_core::ToArgs)]
/// struct NotAnArgument { list: Vec<String> }
/// ```
#[proc_macro_derive(ToArgs, attributes(redis))]
pub fn to_args(input: TokenStream) -> TokenStream {
    expand(Derive::ToArgs, input, "::redis_core")
}

/// [`FromReply`](macro@FromReply) for those who depend on `redis-async`.
#[proc_macro_derive(AsyncFromReply, attributes(redis))]
pub fn async_from_reply(input: TokenStream) -> TokenStream {
    expand(Derive::FromReply, input, "::redis_async")
}

/// [`ToArg`](macro@ToArg) for those who depend on `redis-async`.
#[proc_macro_derive(AsyncToArg, attributes(redis))]
pub fn async_to_arg(input: TokenStream) -> TokenStream {
    expand(Derive::ToArg, input, "::redis_async")
}

/// [`ToArgs`](macro@ToArgs) for those who depend on `redis-async`.
#[proc_macro_derive(AsyncToArgs, attributes(redis))]
pub fn async_to_args(input: TokenStream) -> TokenStream {
    expand(Derive::ToArgs, input, "::redis_async")
}

/// [`FromReply`](macro@FromReply) for those who depend on `redis-smol`.
#[proc_macro_derive(SmolFromReply, attributes(redis))]
pub fn smol_from_reply(input: TokenStream) -> TokenStream {
    expand(Derive::FromReply, input, "::redis_smol")
}

/// [`ToArg`](macro@ToArg) for those who depend on `redis-smol`.
#[proc_macro_derive(SmolToArg, attributes(redis))]
pub fn smol_to_arg(input: TokenStream) -> TokenStream {
    expand(Derive::ToArg, input, "::redis_smol")
}

/// [`ToArgs`](macro@ToArgs) for those who depend on `redis-smol`.
#[proc_macro_derive(SmolToArgs, attributes(redis))]
pub fn smol_to_args(input: TokenStream) -> TokenStream {
    expand(Derive::ToArgs, input, "::redis_smol")
}

/// [`FromReply`](macro@FromReply) for those who depend on `redis-sync`.
#[proc_macro_derive(SyncFromReply, attributes(redis))]
pub fn sync_from_reply(input: TokenStream) -> TokenStream {
    expand(Derive::FromReply, input, "::redis_sync")
}

/// [`ToArg`](macro@ToArg) for those who depend on `redis-sync`.
#[proc_macro_derive(SyncToArg, attributes(redis))]
pub fn sync_to_arg(input: TokenStream) -> TokenStream {
    expand(Derive::ToArg, input, "::redis_sync")
}

/// [`ToArgs`](macro@ToArgs) for those who depend on `redis-sync`.
#[proc_macro_derive(SyncToArgs, attributes(redis))]
pub fn sync_to_args(input: TokenStream) -> TokenStream {
    expand(Derive::ToArgs, input, "::redis_sync")
}

/// [`FromReply`](macro@FromReply) for those who depend on `redis-tokio`.
#[proc_macro_derive(TokioFromReply, attributes(redis))]
pub fn tokio_from_reply(input: TokenStream) -> TokenStream {
    expand(Derive::FromReply, input, "::redis_tokio")
}

/// [`ToArg`](macro@ToArg) for those who depend on `redis-tokio`.
#[proc_macro_derive(TokioToArg, attributes(redis))]
pub fn tokio_to_arg(input: TokenStream) -> TokenStream {
    expand(Derive::ToArg, input, "::redis_tokio")
}

/// [`ToArgs`](macro@ToArgs) for those who depend on `redis-tokio`.
#[proc_macro_derive(TokioToArgs, attributes(redis))]
pub fn tokio_to_args(input: TokenStream) -> TokenStream {
    expand(Derive::ToArgs, input, "::redis_tokio")
}
