//! Pops, and who waits for an element to pop.

use bytes::Bytes;

use super::{
    commands::{Call, Done},
    store::List,
};

/// A client's pop that found nothing.
#[derive(Clone, Debug)]
pub(super) struct Blocked {
    /// The command as it came.
    pub(super) args: Vec<Bytes>,
    /// When it gives up, in milliseconds since the Unix epoch.
    pub(super) deadline: Option<i64>,
}

pub(super) fn lpop(call: &mut Call<'_>) -> Done {
    pop(call, List::pop_front)
}

pub(super) fn rpop(call: &mut Call<'_>) -> Done {
    pop(call, List::pop_back)
}

fn pop(call: &mut Call<'_>, pop: fn(&mut List) -> Option<Bytes>) -> Done {
    let key = &call.args[1];
    let popped = take(call, key, pop)?;
    match &popped {
        Some(value) => call.reply().bulk(value),
        None => call.reply().null(),
    };
    Ok(())
}

fn take(
    call: &mut Call<'_>,
    key: &Bytes,
    pop: fn(&mut List) -> Option<Bytes>,
) -> Result<Option<Bytes>, super::failure::Failure> {
    call.keys().change(key, |list: &mut List| {
        let popped = pop(list);
        let changed = popped.is_some();
        Ok((popped, changed))
    })
}

pub(super) fn blpop(call: &mut Call<'_>) -> Done {
    wait(call, List::pop_front)
}

pub(super) fn brpop(call: &mut Call<'_>) -> Done {
    wait(call, List::pop_back)
}

fn wait(call: &mut Call<'_>, pop: fn(&mut List) -> Option<Bytes>) -> Done {
    let [keys @ .., timeout] = &call.args[1..] else { unreachable!("the arity was checked") };
    let seconds: Option<f64> = std::str::from_utf8(timeout).ok().and_then(|text| text.parse().ok());
    let seconds = seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
    let seconds = seconds.ok_or("ERR timeout is not a float or out of range")?;
    for key in keys {
        if let Some(value) = take(call, key, pop)? {
            call.reply().array(2).bulk(key).bulk(&value);
            return Ok(());
        }
    }
    // Nothing waits inside a transaction.
    if call.session.executing.is_some() {
        call.reply().null_array();
        return Ok(());
    }
    let deadline = (seconds > 0.0).then_some(call.now + (seconds * 1000.0) as i64);
    call.session.blocked = Some(Blocked { args: call.args.to_vec(), deadline });
    Ok(())
}
