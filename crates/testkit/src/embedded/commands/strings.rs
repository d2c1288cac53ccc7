//! Strings and counters.

use bytes::Bytes;

use super::{Call, Done, integer, is};
use crate::embedded::{
    failure::{Failure, OVERFLOW, SYNTAX, invalid_expire, wrong_arity},
    store::{Value, owned},
};

pub(super) fn get(call: &mut Call<'_>) -> Done {
    let key = &call.args[1];
    let value = call.keys().read::<Bytes>(key)?.cloned();
    call.bulk_or_null(value.as_ref())
}

#[derive(Default)]
struct SetOptions {
    /// Some(true): only if it is there.
    exists: Option<bool>,
    keep_deadline: bool,
    get: bool,
    deadline: Option<i64>,
}

pub(super) fn set(call: &mut Call<'_>) -> Done {
    let (key, value) = (&call.args[1], &call.args[2]);
    let options = set_options(&call.args[3..], call.now)?;
    let mut keys = call.keys();
    let before = match options.get {
        true => keys.read::<Bytes>(key)?.cloned(),
        false => None,
    };
    let there = keys.exists(key);
    let done = options.exists.is_none_or(|wanted| wanted == there);
    if done {
        let kept = keys.deadline(key).flatten().filter(|_| options.keep_deadline);
        keys.put(key, Value::String(owned(value)), options.deadline.or(kept));
    }
    match (options.get, done) {
        (true, _) => call.bulk_or_null(before.as_ref()),
        (false, true) => call.ok(),
        (false, false) => call.bulk_or_null(None),
    }
}

fn set_options(mut args: &[Bytes], now: i64) -> Result<SetOptions, Failure> {
    let mut options = SetOptions::default();
    while let [word, rest @ ..] = args {
        args = rest;
        let unit = [("ex", 1000, now), ("px", 1, now), ("exat", 1000, 0), ("pxat", 1, 0)];
        if is(word, "nx") && options.exists != Some(true) {
            options.exists = Some(false);
        } else if is(word, "xx") && options.exists != Some(false) {
            options.exists = Some(true);
        } else if is(word, "get") {
            options.get = true;
        } else if is(word, "keepttl") && options.deadline.is_none() {
            options.keep_deadline = true;
        } else if let Some((_, unit, from)) = unit.iter().find(|(name, _, _)| is(word, name))
            && options.deadline.is_none()
            && !options.keep_deadline
            && let [amount, rest @ ..] = args
        {
            args = rest;
            let amount = integer(amount)?;
            let deadline = amount.checked_mul(*unit).and_then(|span| span.checked_add(*from));
            let deadline = deadline.filter(|_| amount > 0);
            options.deadline = Some(deadline.ok_or_else(|| invalid_expire("set"))?);
        } else {
            return Err(SYNTAX);
        }
    }
    Ok(options)
}

pub(super) fn mget(call: &mut Call<'_>) -> Done {
    let names = &call.args[1..];
    let mut keys = call.keys();
    // A value of another type is as good as none.
    let values: Vec<_> =
        names.iter().map(|key| keys.read::<Bytes>(key).ok().flatten().cloned()).collect();
    call.reply().array(values.len());
    values.iter().try_for_each(|value| call.bulk_or_null(value.as_ref()))
}

pub(super) fn mset(call: &mut Call<'_>) -> Done {
    let (pairs, rest) = call.args[1..].as_chunks::<2>();
    if !rest.is_empty() {
        return Err(wrong_arity("mset"));
    }
    let mut keys = call.keys();
    for [key, value] in pairs {
        keys.put(key, Value::String(owned(value)), None);
    }
    call.ok()
}

pub(super) fn incr(call: &mut Call<'_>) -> Done {
    add(call, 1)
}

pub(super) fn decr(call: &mut Call<'_>) -> Done {
    add(call, -1)
}

pub(super) fn incrby(call: &mut Call<'_>) -> Done {
    let by = integer(&call.args[2])?;
    add(call, by)
}

pub(super) fn decrby(call: &mut Call<'_>) -> Done {
    let by = integer(&call.args[2])?;
    let by = by.checked_neg().ok_or("ERR decrement would overflow")?;
    add(call, by)
}

fn add(call: &mut Call<'_>, by: i64) -> Done {
    let key = &call.args[1];
    let mut keys = call.keys();
    let before = keys.read::<Bytes>(key)?.map_or(Ok(0), integer)?;
    let sum = before.checked_add(by).ok_or(OVERFLOW)?;
    keys.change(key, |value: &mut Bytes| {
        *value = sum.to_string().into();
        Ok(((), true))
    })?;
    call.reply().integer(sum);
    Ok(())
}

pub(super) fn append(call: &mut Call<'_>) -> Done {
    let (key, more) = (&call.args[1], &call.args[2]);
    let len = call.keys().change(key, |value: &mut Bytes| {
        *value = [&value[..], more].concat().into();
        Ok((value.len(), true))
    })?;
    call.integer(len)
}

pub(super) fn strlen(call: &mut Call<'_>) -> Done {
    let key = &call.args[1];
    let len = call.keys().read::<Bytes>(key)?.map_or(0, Bytes::len);
    call.integer(len)
}
