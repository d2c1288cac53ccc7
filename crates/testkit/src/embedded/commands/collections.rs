//! Sets, lists and hashes.

use bytes::Bytes;

use super::{Call, Done, integer};
use crate::embedded::{
    failure::{Failure, wrong_arity},
    store::{Hash, Kind, List, Set, owned},
};

pub(super) fn sadd(call: &mut Call<'_>) -> Done {
    let (key, members) = (&call.args[1], &call.args[2..]);
    let added = call.keys().change(key, |set: &mut Set| {
        let added = members.iter().filter(|member| set.insert(owned(member))).count();
        Ok((added, added > 0))
    })?;
    call.integer(added)
}

pub(super) fn srem(call: &mut Call<'_>) -> Done {
    let (key, members) = (&call.args[1], &call.args[2..]);
    let removed = call.keys().change(key, |set: &mut Set| {
        let removed = members.iter().filter(|member| set.remove(*member)).count();
        Ok((removed, removed > 0))
    })?;
    call.integer(removed)
}

pub(super) fn smembers(call: &mut Call<'_>) -> Done {
    let members: Vec<_> = copy::<Set>(call)?.into_iter().collect();
    let mut reply = call.reply();
    reply.set(members.len());
    for member in members {
        reply.bulk(&member);
    }
    Ok(())
}

pub(super) fn scard(call: &mut Call<'_>) -> Done {
    let key = &call.args[1];
    let count = call.keys().read::<Set>(key)?.map_or(0, Set::len);
    call.integer(count)
}

pub(super) fn sismember(call: &mut Call<'_>) -> Done {
    let (key, member) = (&call.args[1], &call.args[2]);
    let there = call.keys().read::<Set>(key)?.is_some_and(|set| set.contains(member));
    call.integer(usize::from(there))
}

pub(super) fn lpush(call: &mut Call<'_>) -> Done {
    push(call, List::push_front)
}

pub(super) fn rpush(call: &mut Call<'_>) -> Done {
    push(call, List::push_back)
}

fn push(call: &mut Call<'_>, push: fn(&mut List, Bytes)) -> Done {
    let (key, values) = (&call.args[1], &call.args[2..]);
    let len = call.keys().change(key, |list: &mut List| {
        values.iter().for_each(|value| push(list, owned(value)));
        Ok((list.len(), true))
    })?;
    call.integer(len)
}

pub(super) fn lrange(call: &mut Call<'_>) -> Done {
    let key = &call.args[1];
    let (first, last) = (integer(&call.args[2])?, integer(&call.args[3])?);
    let values: Vec<_> = match call.keys().read::<List>(key)? {
        Some(list) => {
            let len = list.len() as i64;
            // Negative ones count from the end.
            let place =
                |at: i64| if at < 0 { (at.saturating_add(len)).max(0) } else { at.min(len) };
            let end = if last < -len { 0 } else { (place(last) + 1).min(len) };
            let start = place(first).min(end);
            list.range(start as usize..end as usize).cloned().collect()
        }
        None => Vec::new(),
    };
    call.bulks(&values)
}

pub(super) fn llen(call: &mut Call<'_>) -> Done {
    let key = &call.args[1];
    let len = call.keys().read::<List>(key)?.map_or(0, List::len);
    call.integer(len)
}

pub(super) fn hset(call: &mut Call<'_>) -> Done {
    let key = &call.args[1];
    let (pairs, rest) = call.args[2..].as_chunks::<2>();
    if !rest.is_empty() {
        return Err(wrong_arity("hset"));
    }
    let added = call.keys().change(key, |hash: &mut Hash| {
        let new = |[field, value]: &&[Bytes; 2]| hash.insert(owned(field), owned(value)).is_none();
        Ok((pairs.iter().filter(new).count(), true))
    });
    call.integer(added?)
}

pub(super) fn hget(call: &mut Call<'_>) -> Done {
    let (key, field) = (&call.args[1], &call.args[2]);
    let value = call.keys().read::<Hash>(key)?.and_then(|hash| hash.get(field)).cloned();
    call.bulk_or_null(value.as_ref())
}

pub(super) fn hgetall(call: &mut Call<'_>) -> Done {
    let hash = copy::<Hash>(call)?;
    let mut reply = call.reply();
    reply.map(hash.len());
    for (field, value) in hash {
        reply.bulk(&field).bulk(&value);
    }
    Ok(())
}

pub(super) fn hdel(call: &mut Call<'_>) -> Done {
    let (key, fields) = (&call.args[1], &call.args[2..]);
    let removed = call.keys().change(key, |hash: &mut Hash| {
        let removed = fields.iter().filter(|field| hash.remove(*field).is_some()).count();
        Ok((removed, removed > 0))
    })?;
    call.integer(removed)
}

pub(super) fn hlen(call: &mut Call<'_>) -> Done {
    let key = &call.args[1];
    let len = call.keys().read::<Hash>(key)?.map_or(0, Hash::len);
    call.integer(len)
}

/// The whole value of the key that is the first argument, empty if it is not there.
fn copy<K: Kind + Clone>(call: &mut Call<'_>) -> Result<K, Failure> {
    let key = &call.args[1];
    Ok(call.keys().read::<K>(key)?.cloned().unwrap_or_default())
}
