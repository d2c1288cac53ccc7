//! Subscriptions over a link that is lost again and again: what is wanted is what the server has.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::RngExt;
use redis_core::pubsub::{Family, MessageKind, PubSub};
use redis_core::{Config, Protocol};
use testkit::pair::{Faults, Pair};
use testkit::scripted::Scripted;

/// Runs one seed. Checks invariant 11.
///
/// # Errors
///
/// What did not hold.
pub fn run(seed: u64) -> Result<(), String> {
    let mut rng = super::generator(seed, 1);
    let mut config = Config::default();
    config.protocol = *super::pick(&mut rng, &[Protocol::Resp2, Protocol::Resp3]);
    let faults = super::faults(&mut rng);
    let machine = PubSub::<()>::new(Arc::new(config), rng.random());
    let mut pair = Pair::new(rng.random(), Instant::now(), machine, Scripted::default(), faults);
    let mut wanted = BTreeSet::new();
    let mut notices = 0;
    for _ in 0..rng.random_range(1..80) {
        let (family, kind) = *super::pick(
            &mut rng,
            &[(Family::Channel, "subscribe"), (Family::Pattern, "psubscribe")],
        );
        let names: Vec<Bytes> = (0..rng.random_range(1..4))
            .map(|_| {
                Bytes::copy_from_slice(super::pick::<&[u8]>(
                    &mut rng,
                    &[b"a", b"b", b"c\0", b"", b"\xff"],
                ))
            })
            .collect();
        let now = pair.now();
        match rng.random_range(0..12) {
            0..=2 => {
                wanted.extend(names.iter().map(|name| (kind, name.clone())));
                let names = names.into_iter().map(|name| (name, None));
                pair.machine.subscribe(now, family, names).map_err(|error| error.to_string())?;
            }
            3 => {
                for name in &names {
                    wanted.remove(&(kind, name.clone()));
                }
                pair.machine.unsubscribe(now, family, Some(names));
            }
            4 => {
                wanted.retain(|(of, _)| *of != kind);
                pair.machine.unsubscribe(now, family, None);
            }
            5 => pair.reset(),
            6 => pair.sleep(Duration::from_millis(rng.random_range(0..3000))),
            _ => drop(pair.step()),
        }
        drain(&mut pair, &mut notices)?;
    }
    pair.set_faults(Faults::NONE);
    pair.run_until("the server has what is wanted", |pair| {
        let _ = drain(pair, &mut notices);
        wanted.is_empty() || pair.machine.is_ready() && pair.server.subscribed == wanted
    })?;
    // It stays so: what is still on its way changes nothing.
    // Long enough for the peer to be asked for a sign of life, too.
    pair.sleep(Duration::from_secs(100));
    drain(&mut pair, &mut notices)?;
    match wanted.is_empty() || pair.server.subscribed == wanted {
        true => Ok(()),
        false => Err(format!(
            "invariant 11: wanted {wanted:?}, the server has {:?}",
            pair.server.subscribed
        )),
    }
}

/// Reads all messages; a good server's are confirmations and notices.
fn drain(pair: &mut Pair<PubSub<()>, Scripted>, notices: &mut usize) -> Result<(), String> {
    while let Some(message) = pair.machine.poll_message() {
        match message {
            Ok((message, None)) if !message.kind.is_published() => {
                *notices += usize::from(message.kind == MessageKind::Resubscribed);
                if *notices >= pair.server.connections {
                    return Err("invariant 11: more than one notice for one loss".into());
                }
            }
            Ok((message, _)) => return Err(format!("invariant 11: nobody published {message:?}")),
            Err(error) if error.is_disconnected() || error.is_timeout() => {}
            Err(error) => {
                return Err(format!("invariant 11: a good server refused something: {error}"));
            }
        }
    }
    Ok(())
}
