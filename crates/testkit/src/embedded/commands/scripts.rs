//! Scripts of the model: a source is one command, its words as the server would call it, with `KEYS[n]`
//! and `ARGV[n]` in it.

use bytes::Bytes;

use super::{Call, Done, find, integer};
use crate::embedded::failure::SYNTAX;

pub(super) fn eval(call: &mut Call<'_>) -> Done {
    let count = usize::try_from(integer(&call.args[2])?).unwrap_or(0);
    let rest = &call.args[3..];
    if count > rest.len() {
        return Err("ERR Number of keys can't be greater than number of args".into());
    }
    let (keys, values) = rest.split_at(count);
    let source = String::from_utf8_lossy(&call.args[1]).into_owned();
    let word = |word: &str| {
        let of = |name: &str| {
            let number = word.strip_prefix(name)?.strip_suffix(']')?;
            number.parse::<usize>().ok()?.checked_sub(1)
        };
        match (of("KEYS["), of("ARGV[")) {
            (Some(n), _) => keys.get(n).cloned(),
            (_, Some(n)) => values.get(n).cloned(),
            _ => Some(Bytes::copy_from_slice(word.as_bytes())),
        }
    };
    let args: Option<Vec<Bytes>> = source.split_ascii_whitespace().map(word).collect();
    let args = args.filter(|args| !args.is_empty()).ok_or(SYNTAX)?;
    let mut inner = Call {
        args: &args,
        world: call.world,
        session: call.session,
        out: call.out,
        now: call.now,
    };
    let run = find(&inner)?.run;
    run(&mut inner)
}
