//! Servers that crash, freeze and come back, and connections that they close: what was acknowledged
//! happened once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use redis_core::pubsub::MessageKind;
use redis_core::{Commands, Delivery, Error, ErrorKind, Execute, QueueCommands, cmd};
use testkit::servers::{ServerOptions, Signal};

use super::{blocked, is_clear, until_it_works};
use crate::client::Client;
use crate::scenario::{Context, LONG, Outcome, Scenario, failed};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(crashes_under_load_double_nothing),
        Scenario::new(frozen_server_delivers_its_messages_later_and_once),
        Scenario::new(killing_every_connection_at_once_is_told_to_each_user),
    ]
}

/// The replies of INCR on one key: an error may stand for one that ran, a crash loses them all.
#[derive(Default)]
struct Counter {
    last: i64,
    doubts: i64,
}

impl Counter {
    fn note(&mut self, result: Result<i64, Error>) -> Result<(), String> {
        match result {
            Ok(n) => {
                let most = if n > self.last { self.last + 1 } else { 1 };
                if n > most + self.doubts {
                    let Self { last, doubts } = self;
                    return Err(format!("{n} follows {last} although {doubts} are in doubt"));
                }
                *self = Self { last: n, doubts: 0 };
            }
            Err(error) if is_clear(&error) => {
                self.doubts += i64::from(error.delivery() == Delivery::MaybeExecuted);
            }
            Err(error) => return Err(format!("an unclear error: {error:?}")),
        }
        Ok(())
    }
}

async fn crashes_under_load_double_nothing<S: Subject>(cx: Context<S>) -> Outcome {
    let mut own = cx.start_server(ServerOptions::new())?;
    let client = own.client::<S>()?;
    let stop = Arc::new(AtomicBool::new(false));
    let done: Vec<_> = (0..8).map(|_| Arc::new(AtomicU64::new(0))).collect();
    let tasks: Vec<_> = (0..8_u32)
        .zip(&done)
        .map(|(key, done)| {
            let (client, stop, done) = (client.clone(), stop.clone(), done.clone());
            let cx = cx.clone();
            cx.clone().spawn(async move {
                let mut counter = Counter::default();
                while !stop.load(Ordering::Relaxed) {
                    let result = match key % 2 {
                        0 => client.incr(key).await,
                        _ => client.pipeline().incr(key).execute::<(i64,)>().await.map(|(n,)| n),
                    };
                    match result.is_ok() {
                        true => drop(done.fetch_add(1, Ordering::Relaxed)),
                        false => cx.sleep(Duration::from_millis(2)).await,
                    }
                    counter.note(result)?;
                }
                Ok::<_, String>(counter)
            })
        })
        .collect();
    for round in 0..3 {
        let so_far = || done.iter().map(|done| done.load(Ordering::Relaxed));
        let before: Vec<_> = so_far().collect();
        // Of each task: the last crash is behind all of them then.
        cx.until(&format!("commands run in round {round}"), async || {
            Ok(so_far().zip(&before).all(|(now, before)| now > before + 10))
        })
        .await?;
        if round < 2 {
            own.server.restart()?;
        }
    }
    stop.store(true, Ordering::Relaxed);
    cx.step("waiting for the tasks");
    for (key, task) in (0..8_u32).zip(tasks) {
        let Counter { last, doubts } = task.await??;
        let there = client.get::<i64>(key).await?.unwrap_or(0);
        assert!((last..=last + doubts).contains(&there), "{there} of {last} and {doubts} doubts");
    }
    Ok(())
}

async fn frozen_server_delivers_its_messages_later_and_once<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new())?;
    let client = own.client::<S>()?;
    let mut pubsub = client.pubsub();
    pubsub.subscribe(&["c"]).await?;
    assert!(pubsub.get_message(LONG).await?.is_some());
    client.ping().await?;
    own.server.signal(Signal::Stop)?;
    let publisher = client.clone();
    let publishing = cx.spawn(async move { publisher.publish("c", "late").await });
    assert_eq!(pubsub.get_message(Duration::from_millis(40)).await?, None);
    assert!(!publishing.is_done());
    own.server.signal(Signal::Continue)?;
    cx.step("once the server goes on");
    assert_eq!(publishing.await??, 1);
    let message = pubsub.get_message(LONG).await?;
    assert_eq!(message.as_ref().and_then(|message| message.text()), Some("late"));
    assert_eq!(pubsub.get_message(Duration::from_millis(10)).await?, None);
    Ok(())
}

async fn killing_every_connection_at_once_is_told_to_each_user<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (client, admin): (Client<S>, _) = (cx.client()?, cx.client()?);
    admin.set("k", 1).await?;
    for round in 0..3 {
        cx.step(format!("round {round}"));
        client.ping().await?;
        let mut pubsub = client.pubsub();
        pubsub.subscribe(&["c"]).await?;
        assert!(pubsub.get_message(LONG).await?.is_some());
        let watched = client.watch(&["k"]).await?;
        let popping = client.clone();
        let pop = cx.spawn(async move { popping.blpop::<String, String>(["l"], None).await });
        blocked(&cx, &admin, 1).await?;
        // Whoever asks is not killed. The subscriber comes last: one that connects again is a normal client until it has
        // subscribed, and would be killed twice.
        admin.execute(cmd::client_kill().client_type(cmd::ClientType::Normal)).await?;
        admin.execute(cmd::client_kill().client_type(cmd::ClientType::Pubsub)).await?;
        cx.step(format!("round {round}: the pop"));
        let error = failed(pop.await?)?;
        assert_eq!((error.kind(), error.delivery()), (ErrorKind::Io, Delivery::MaybeExecuted));
        cx.step(format!("round {round}: the watch"));
        let error = failed(watched.multi().incr("k").execute::<()>().await)?;
        // The loss was found before the transaction was written, or not.
        assert!(error.is_watch() || error.delivery() == Delivery::MaybeExecuted, "{error:?}");
        cx.step(format!("round {round}: the subscriber"));
        let message = pubsub.get_message(LONG).await?;
        assert_eq!(message.map(|message| message.kind), Some(MessageKind::Resubscribed));
        cx.step(format!("round {round}: the client"));
        until_it_works(&cx, &client).await?;
        assert_eq!(client.get::<i64>("k").await?, Some(1), "the transaction was not applied");
        admin.rpush("l", "kept").await?;
        let popped = client.blpop::<String, String>(["l"], None).await?;
        assert_eq!(popped.map(|(_, value)| value).as_deref(), Some("kept"));
    }
    Ok(())
}
