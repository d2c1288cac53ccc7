//! Keys of whatever type, and their deadlines.

use super::{Call, Done, integer, is};
use crate::embedded::{
    failure::{SYNTAX, invalid_expire},
    glob,
    store::{DATABASES, Value},
};

pub(super) fn del(call: &mut Call<'_>) -> Done {
    let names = &call.args[1..];
    let mut keys = call.keys();
    let removed = names.iter().filter(|key| keys.remove(key)).count();
    call.integer(removed)
}

pub(super) fn exists(call: &mut Call<'_>) -> Done {
    let names = &call.args[1..];
    let mut keys = call.keys();
    let there = names.iter().filter(|key| keys.exists(key)).count();
    call.integer(there)
}

pub(super) fn expire(call: &mut Call<'_>) -> Done {
    set_deadline(call, 1000, "expire")
}

pub(super) fn pexpire(call: &mut Call<'_>) -> Done {
    set_deadline(call, 1, "pexpire")
}

fn set_deadline(call: &mut Call<'_>, unit: i64, command: &str) -> Done {
    let (key, now) = (&call.args[1], call.now);
    let span = integer(&call.args[2])?;
    let deadline = span.checked_mul(unit).and_then(|span| span.checked_add(now));
    let deadline = deadline.ok_or_else(|| invalid_expire(command))?;
    let condition = match &call.args[3..] {
        [] => None,
        [word] => Some(word),
        _ => return Err(SYNTAX),
    };
    let mut keys = call.keys();
    let Some(before) = keys.deadline(key) else {
        return call.integer(0);
    };
    let holds = match condition {
        None => true,
        Some(word) if is(word, "nx") => before.is_none(),
        Some(word) if is(word, "xx") => before.is_some(),
        Some(word) if is(word, "gt") => before.is_some_and(|before| deadline > before),
        Some(word) if is(word, "lt") => before.is_none_or(|before| deadline < before),
        Some(word) => {
            let word = String::from_utf8_lossy(word);
            return Err(format!("ERR Unsupported option {word}").into());
        }
    };
    let done = holds && keys.set_deadline(key, Some(deadline));
    call.integer(usize::from(done))
}

pub(super) fn persist(call: &mut Call<'_>) -> Done {
    let key = &call.args[1];
    let mut keys = call.keys();
    let mortal = keys.deadline(key).flatten().is_some();
    let done = mortal && keys.set_deadline(key, None);
    call.integer(usize::from(done))
}

pub(super) fn ttl(call: &mut Call<'_>) -> Done {
    time_left(call, |milliseconds| (milliseconds + 500) / 1000)
}

pub(super) fn pttl(call: &mut Call<'_>) -> Done {
    time_left(call, |milliseconds| milliseconds)
}

fn time_left(call: &mut Call<'_>, unit: fn(i64) -> i64) -> Done {
    let (key, now) = (&call.args[1], call.now);
    let left = match call.keys().deadline(key) {
        None => -2,
        Some(None) => -1,
        Some(Some(deadline)) => unit(deadline - now),
    };
    call.reply().integer(left);
    Ok(())
}

pub(super) fn keys(call: &mut Call<'_>) -> Done {
    let pattern = &call.args[1];
    let mut names = call.keys().names();
    names.retain(|name| glob::matches(pattern, name));
    call.bulks(&names)
}

pub(super) fn kind(call: &mut Call<'_>) -> Done {
    let key = &call.args[1];
    let name = match call.keys().value(key) {
        None => "none",
        Some(Value::String(_)) => "string",
        Some(Value::List(_)) => "list",
        Some(Value::Set(_)) => "set",
        Some(Value::Hash(_)) => "hash",
    };
    call.reply().simple_string(name.as_bytes());
    Ok(())
}

pub(super) fn dbsize(call: &mut Call<'_>) -> Done {
    let count = call.keys().names().len();
    call.integer(count)
}

pub(super) fn flushdb(call: &mut Call<'_>) -> Done {
    is_flush(call)?;
    call.keys().clear();
    call.ok()
}

pub(super) fn flushall(call: &mut Call<'_>) -> Done {
    is_flush(call)?;
    for database in 0..DATABASES {
        call.world.store.keys(database, call.now).clear();
    }
    call.ok()
}

fn is_flush(call: &Call<'_>) -> Done {
    match &call.args[1..] {
        [] => Ok(()),
        [word] if is(word, "sync") || is(word, "async") => Ok(()),
        _ => Err(SYNTAX),
    }
}
