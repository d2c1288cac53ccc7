//! Scripts of the model: a source is one command, its words as the server would call it, with `KEYS[n]`
//! and `ARGV[n]` in it. The server knows the sources that it has run or was given, by their hashes.

use std::collections::BTreeMap;

use bytes::Bytes;
use redis_core::Script;

use super::{Call, Done, find, integer, is, unknown_subcommand};
use crate::embedded::failure::{SYNTAX, wrong_arity};

/// The sources that a server knows. They are not part of its data: each start begins without.
#[derive(Debug, Default)]
pub(in crate::embedded) struct Scripts(BTreeMap<String, Bytes>);

impl Scripts {
    /// Keeps a source; its hash.
    fn learn(&mut self, source: &Bytes) -> String {
        let sha1 = Script::<()>::new(source.clone()).sha1().to_owned();
        self.0.entry(sha1.clone()).or_insert_with(|| source.clone());
        sha1
    }

    fn find(&self, sha1: &[u8]) -> Option<&Bytes> {
        self.0.get(&String::from_utf8_lossy(sha1).to_ascii_lowercase())
    }
}

pub(super) fn eval(call: &mut Call<'_>) -> Done {
    let source = call.args[1].clone();
    call.world.scripts.learn(&source);
    execute(call, &source)
}

pub(super) fn evalsha(call: &mut Call<'_>) -> Done {
    let source = call.world.scripts.find(&call.args[1]).cloned();
    execute(call, &source.ok_or("NOSCRIPT No matching script. Please use EVAL.")?)
}

pub(super) fn script(call: &mut Call<'_>) -> Done {
    let args = call.args;
    match &args[2..] {
        [source] if is(&args[1], "load") => {
            let sha1 = call.world.scripts.learn(source);
            call.reply().bulk(sha1.as_bytes());
            Ok(())
        }
        [] if is(&args[1], "flush") => flush(call),
        [how] if is(&args[1], "flush") && (is(how, "async") || is(how, "sync")) => flush(call),
        [_, ..] if is(&args[1], "flush") => Err(SYNTAX),
        hashes @ [_, ..] if is(&args[1], "exists") => {
            let known = hashes.iter().map(|sha1| call.world.scripts.find(sha1).is_some());
            let known: Vec<bool> = known.collect();
            let mut reply = call.reply();
            reply.array(known.len());
            for known in known {
                reply.integer(known.into());
            }
            Ok(())
        }
        _ if is(&args[1], "load") => Err(wrong_arity("script|load")),
        _ if is(&args[1], "exists") => Err(wrong_arity("script|exists")),
        _ => Err(unknown_subcommand(args, "SCRIPT")),
    }
}

fn flush(call: &mut Call<'_>) -> Done {
    call.world.scripts = Scripts::default();
    call.ok()
}

fn execute(call: &mut Call<'_>, source: &Bytes) -> Done {
    let count = usize::try_from(integer(&call.args[2])?).unwrap_or(0);
    let rest = &call.args[3..];
    if count > rest.len() {
        return Err("ERR Number of keys can't be greater than number of args".into());
    }
    let (keys, values) = rest.split_at(count);
    let source = String::from_utf8_lossy(source);
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
