//! Optimistic locking: WATCH, what follows it, and the helper that tries again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use redis_core::types::ClientInfo;
use redis_core::{
    Backoff, Cmd, Commands, Delivery, Error, ErrorKind, Execute, Queue, QueueCommands, Value, cmd,
};
use testkit::faulty::{Direction, Ending};
use testkit::servers::ServerOptions;

use crate::client::{Client, Watched};
use crate::scenario::{Context, Outcome, Scenario, failed};
use crate::subject::Subject;
use crate::task::poll_once;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(watch_has_a_connection_of_its_own),
        Scenario::new(commands_after_watch_run_at_once),
        Scenario::new(transaction_is_applied_when_nothing_changed),
        Scenario::new(changed_key_is_a_watch_error_and_nothing_is_applied),
        Scenario::new(any_of_the_watched_keys_counts),
        Scenario::new(own_change_after_watch_is_a_conflict_too),
        Scenario::new(empty_transaction_tells_of_a_conflict),
        Scenario::new(error_in_a_watched_transaction_names_its_command),
        Scenario::new(watch_without_a_key_is_refused),
        Scenario::new(stateful_command_while_watching_is_refused),
        Scenario::new(unwatch_forgets_the_keys),
        Scenario::new(reset_gives_the_connection_back_clean),
        Scenario::new(dropped_watch_leaves_nothing_watched),
        Scenario::new(dropped_transaction_leaves_nothing_queued),
        Scenario::new(many_watches_leak_no_connections),
        Scenario::new(no_end_of_a_watch_leaves_a_trace_on_the_server),
        Scenario::new(transaction_given_up_anywhere_leaves_no_trace).drops_waiting_calls(),
        Scenario::new(lost_link_while_watching_is_a_watch_error),
        Scenario::new(lost_link_before_exec_is_a_watch_error_or_a_stated_doubt),
        Scenario::new(read_lost_while_watching_starts_over_and_write_is_a_stated_doubt).over_tcp(),
        Scenario::new(watch_whose_link_is_cut_is_sent_again).over_tcp(),
        Scenario::new(transaction_returns_replies_and_value),
        Scenario::new(transaction_runs_again_after_a_conflict),
        Scenario::new(transaction_runs_again_after_a_lost_link),
        Scenario::new(transaction_passes_other_errors_through_at_once),
        Scenario::new(transaction_gives_up_at_its_limit),
        Scenario::new(clients_incrementing_one_key_lose_nothing),
        Scenario::new(watch_on_a_lost_link_is_sent_on_another),
        Scenario::new(watch_waits_for_a_server_that_is_down),
    ]
}

async fn watch_has_a_connection_of_its_own<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut one = client.watch(&["k"]).await?;
    let mut two = client.watch(&["k"]).await?;
    let shared = client.client_id().await?;
    let ids: BTreeSet<_> = [one.client_id().await?, two.client_id().await?, shared].into();
    assert_eq!(ids.len(), 3);
    cx.step("commands and pipelines of the client beside them");
    for _ in 0..10 {
        assert_eq!(client.client_id().await?, shared);
        let (id,): (u64,) = client.pipeline().client_id().execute().await?;
        assert_eq!(id, shared);
    }
    assert_eq!(one.multi().incr("k").execute::<(i64,)>().await?, (1,));
    assert!(failed(two.multi().incr("k").execute::<()>().await)?.is_watch());
    Ok(())
}

async fn commands_after_watch_run_at_once<S: Subject>(cx: Context<S>) -> Outcome {
    let (client, other) = (cx.client()?, cx.client()?);
    let mut watched = client.watch(&["k"]).await?;
    assert_eq!(watched.get::<i64>("k").await?, None);
    watched.set("side", "now").await?;
    assert_eq!(other.get::<String>("side").await?.as_deref(), Some("now"));
    let id = watched.client_id().await?;
    assert_eq!(watched.client_id().await?, id, "one connection for all of it");
    cx.saw("error", failed(watched.incr("side").await)?);
    assert_eq!(watched.multi().incr("k").execute::<(i64,)>().await?, (1,));
    Ok(())
}

async fn transaction_is_applied_when_nothing_changed<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("k", 41).await?;
    let mut watched = client.watch(&["k"]).await?;
    let n: i64 = watched.get("k").await?.unwrap_or(0);
    let transaction = watched.multi().set("k", n + 1).get("k").sadd("s", ["m"]);
    let (_, now, added): ((), i64, bool) = transaction.execute().await?;
    assert_eq!((now, added), (42, true));
    assert_eq!(client.get::<i64>("k").await?, Some(42));
    Ok(())
}

async fn changed_key_is_a_watch_error_and_nothing_is_applied<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (client, other) = (cx.client()?, cx.client()?);
    let watched = client.watch(&["k"]).await?;
    other.set("k", "theirs").await?;
    let error = failed(watched.multi().set("k", "ours").set("l", 1).execute::<()>().await)?;
    assert!(error.is_watch(), "{error:?}");
    cx.saw("conflict", error);
    assert_eq!(client.get::<String>("k").await?.as_deref(), Some("theirs"));
    assert_eq!(client.exists("l").await?, 0);
    Ok(())
}

async fn any_of_the_watched_keys_counts<S: Subject>(cx: Context<S>) -> Outcome {
    let (client, other) = (cx.client()?, cx.client()?);
    for changed in ["a", "b", "c"] {
        let mut watched = client.watch(&["a", "b"]).await?;
        watched.watch(&["c"]).await?;
        other.incr(changed).await?;
        let error = failed(watched.multi().ping().execute::<()>().await)?;
        assert!(error.is_watch(), "{changed}: {error:?}");
    }
    let watched = client.watch(&["a", "b"]).await?;
    other.incr("c").await?;
    watched.multi().ping().execute::<()>().await?;
    Ok(())
}

async fn own_change_after_watch_is_a_conflict_too<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut watched = client.watch(&["k"]).await?;
    watched.set("k", "at once").await?;
    let error = failed(watched.multi().set("k", "later").execute::<()>().await)?;
    assert!(error.is_watch(), "{error:?}");
    Ok(())
}

async fn empty_transaction_tells_of_a_conflict<S: Subject>(cx: Context<S>) -> Outcome {
    let (client, other) = (cx.client()?, cx.client()?);
    let watched = client.watch(&["k"]).await?;
    assert_eq!(watched.multi().execute::<Vec<Value>>().await?, []);
    let watched = client.watch(&["k"]).await?;
    other.incr("k").await?;
    let error = failed(watched.multi().execute::<Vec<Value>>().await)?;
    assert!(error.is_watch(), "{error:?}");
    Ok(())
}

async fn error_in_a_watched_transaction_names_its_command<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("text", "x").await?;
    let watched = client.watch(&["k"]).await?;
    let error = failed(watched.multi().set("k", 1).incr("text").execute::<()>().await)?;
    cx.saw("failed", error);
    assert_eq!(client.get::<i64>("k").await?, Some(1), "the others are applied");
    cx.step("refused while queueing");
    let watched = client.watch(&["k"]).await?;
    let bad = Cmd::<()>::raw("NO-SUCH-COMMAND");
    let transaction = Queue::queue(watched.multi().incr("k"), bad);
    let error = failed(transaction.execute::<()>().await)?;
    assert!(error.to_string().contains("command 2 of 2"), "{error}");
    cx.saw("refused", error);
    assert_eq!(client.get::<i64>("k").await?, Some(1));
    cx.step("refused before sending");
    let watched = client.watch(&["k"]).await?;
    let error = failed(watched.multi().incr("k").del([""; 0]).execute::<()>().await)?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::InvalidRequest, Delivery::NotSent));
    assert_eq!(client.get::<i64>("k").await?, Some(1));
    client.pipeline().incr("k").execute::<()>().await?;
    Ok(())
}

async fn watch_without_a_key_is_refused<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let error = failed(client.watch(&[]).await.map(drop))?;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    cx.saw("no key", error);
    Ok(())
}

async fn stateful_command_while_watching_is_refused<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut watched = client.watch(&["k"]).await?;
    for name in ["MULTI", "EXEC", "SELECT"] {
        let error = failed(watched.execute(Cmd::<()>::raw(name)).await)?;
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{name}");
    }
    assert_eq!(watched.multi().incr("k").execute::<(i64,)>().await?, (1,));
    Ok(())
}

async fn unwatch_forgets_the_keys<S: Subject>(cx: Context<S>) -> Outcome {
    let (client, other) = (cx.client()?, cx.client()?);
    let mut watched = client.watch(&["k"]).await?;
    other.incr("k").await?;
    watched.unwatch().await?;
    watched.watch(&["l"]).await?;
    other.incr("k").await?;
    assert_eq!(watched.multi().incr("l").execute::<(i64,)>().await?, (1,));
    Ok(())
}

async fn reset_gives_the_connection_back_clean<S: Subject>(cx: Context<S>) -> Outcome {
    let other = cx.client()?;
    let client = cx.client_with(|config| config.pool_size = 1)?;
    let mut watched = client.watch(&["k"]).await?;
    let id = watched.client_id().await?;
    watched.reset().await?;
    other.incr("k").await?;
    let mut watched = client.watch(&["l"]).await?;
    assert_eq!(watched.client_id().await?, id, "it was given back, not closed");
    other.incr("k").await?;
    assert_eq!(watched.multi().incr("l").execute::<(i64,)>().await?, (1,));
    Ok(())
}

async fn dropped_watch_leaves_nothing_watched<S: Subject>(cx: Context<S>) -> Outcome {
    let other = cx.client()?;
    let client = cx.client_with(|config| config.pool_size = 1)?;
    for _ in 0..5 {
        drop(client.watch(&["k"]).await?);
        other.incr("k").await?;
        client.pipeline().incr("l").execute::<(i64,)>().await?;
        let watched = client.watch(&["l"]).await?;
        watched.multi().incr("m").execute::<(i64,)>().await?;
    }
    assert_eq!(client.get::<i64>("m").await?, Some(5));
    Ok(())
}

async fn dropped_transaction_leaves_nothing_queued<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| config.pool_size = 1)?;
    for _ in 0..5 {
        drop(client.watch(&["k"]).await?.multi().incr("k"));
        client.ping().await?;
    }
    assert_eq!(client.get::<i64>("k").await?, None);
    Ok(())
}

async fn many_watches_leak_no_connections<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client_with(|config| config.client_name = Some("counted".into()))?;
    for n in 0..50 {
        let watched = client.watch(&["k"]).await?;
        match n % 3 {
            0 => drop(watched),
            1 => watched.reset().await?,
            _ => watched.multi().incr("k").execute::<()>().await?,
        }
    }
    let other = cx.client()?;
    cx.until("all but two connections are closed", async || {
        let clients = other.client_list().await?;
        let counted = clients.iter().filter(|client| client.name.as_deref() == Some("counted"));
        Ok(counted.count() <= 2)
    })
    .await?;
    Ok(())
}

/// Waits until no connection of this name watches or queues, and there are at most so many.
async fn no_trace<S: Subject>(cx: &Context<S>, other: &Client<S>, name: &str) -> Outcome {
    // Whoever still watches the key is marked by that.
    other.incr("k").await?;
    cx.until("no connection watches or queues", async || {
        let clients = other.client_list().await?;
        let ours = clients.iter().filter(|client| client.name.as_deref() == Some(name));
        let clean = |client: &ClientInfo| {
            let marked = client.has_flag('x') || client.has_flag('d');
            !marked && client.watch.unwrap_or(0) == 0
        };
        Ok(ours.clone().count() <= 2 && ours.clone().all(clean))
    })
    .await?;
    Ok(())
}

async fn no_end_of_a_watch_leaves_a_trace_on_the_server<S: Subject>(cx: Context<S>) -> Outcome {
    let other = cx.client()?;
    let client = cx.client_with(|config| {
        config.client_name = Some("watching".into());
        config.pool_size = 1;
    })?;
    client.set("text", "x").await?;
    for round in 0..14 {
        let mut watched = client.watch(&["k", "l"]).await?;
        match round {
            0 => drop(watched),
            1 => watched.reset().await?,
            2 => {
                watched.unwatch().await?;
                drop(watched);
            }
            3 => {
                watched.unwatch().await?;
                watched.reset().await?;
            }
            4 => drop(watched.multi().incr("k")),
            5 => watched.multi().incr("k").execute::<()>().await?,
            6 => watched.multi().execute::<()>().await?,
            7 => {
                other.incr("k").await?;
                drop(failed(watched.multi().incr("k").execute::<()>().await)?);
            }
            8 => {
                other.incr("k").await?;
                watched.reset().await?;
            }
            9 => drop(failed(watched.multi().incr("text").execute::<()>().await)?),
            10 => {
                let bad = Cmd::<()>::raw("GET");
                let transaction = Queue::queue(watched.multi(), bad);
                drop(failed(transaction.execute::<()>().await)?);
            }
            11 => drop(failed(watched.multi().del([""; 0]).execute::<()>().await)?),
            12 => drop(failed(watched.multi().get("text").execute::<(i64,)>().await)?),
            _ => {
                failed(watched.incr("text").await)?;
                drop(watched);
            }
        }
        no_trace(&cx, &other, "watching").await?;
        cx.step(format!("the next one after round {round}"));
        client.watch(&["m"]).await?.multi().incr("n").execute::<()>().await?;
    }
    assert_eq!(client.get::<i64>("n").await?, Some(14));
    Ok(())
}

async fn transaction_given_up_anywhere_leaves_no_trace<S: Subject>(cx: Context<S>) -> Outcome {
    let other = cx.client()?;
    let client = cx.client_with(|config| {
        config.client_name = Some("given-up".into());
        config.pool_size = 1;
    })?;
    for steps in 0..60 {
        cx.step(format!("given up after {steps} steps"));
        let keys = ["k", "pair:a"];
        let mut transaction =
            Box::pin(client.transaction::<(), _, _>(&keys, |mut watched| async move {
                watched.get::<i64>("pair:a").await?;
                Ok(watched.multi().incr("pair:a").incr("pair:b"))
            }));
        for _ in 0..steps / 4 {
            if poll_once(&mut transaction).await.transpose()?.is_some() {
                break;
            }
            // Others have their turn: how far it gets by then does not matter.
            cx.sleep(Duration::ZERO).await;
            other.ping().await?;
        }
        drop(transaction);
        no_trace(&cx, &other, "given-up").await?;
        let pair: Vec<Option<i64>> = other.mget(["pair:a", "pair:b"]).await?;
        assert_eq!(pair[0], pair[1], "each as a whole or not at all");
    }
    cx.step("the place is free");
    client.watch(&["k"]).await?.multi().incr("n").execute::<()>().await?;
    Ok(())
}

/// Closes the link of a watching connection from the server's side.
async fn kill<S: Subject>(cx: &Context<S>, watched: &mut Watched<S>) -> Result<(), Error> {
    let id = watched.client_id().await?;
    let killed = cx.client()?.execute(cmd::client_kill().ids([id])).await?;
    assert_eq!(killed, 1);
    Ok(())
}

async fn lost_link_while_watching_is_a_watch_error<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut watched = client.watch(&["k"]).await?;
    kill(&cx, &mut watched).await?;
    let error = failed(watched.get::<i64>("k").await)?;
    assert!(error.is_watch(), "{error:?}");
    cx.step("there is no way back to the watch");
    let error = failed(watched.get::<i64>("k").await)?;
    assert!(error.is_watch(), "{error:?}");
    let error = failed(watched.multi().incr("k").execute::<()>().await)?;
    assert!(error.is_watch(), "{error:?}");
    assert_eq!(client.get::<i64>("k").await?, None);
    Ok(())
}

async fn lost_link_before_exec_is_a_watch_error_or_a_stated_doubt<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    let mut watched = client.watch(&["k"]).await?;
    kill(&cx, &mut watched).await?;
    let error = failed(watched.multi().incr("k").execute::<()>().await)?;
    // Whether the loss is known before EXEC is written is a race where another thread looks.
    let doubt = (error.kind(), error.delivery()) == (ErrorKind::Io, Delivery::MaybeExecuted);
    assert!(error.is_watch() || doubt, "{error:?}");
    assert_eq!(client.get::<i64>("k").await?, None);
    assert_eq!(client.watch(&["k"]).await?.multi().incr("k").execute::<(i64,)>().await?, (1,));
    Ok(())
}

async fn read_lost_while_watching_starts_over_and_write_is_a_stated_doubt<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let client = proxy.client::<S>()?;
    let attempts = Arc::new(AtomicU32::new(0));
    for (round, write) in (1..).zip([false, true]) {
        cx.step(format!("write: {write}"));
        let proxy = &proxy;
        attempts.store(0, Ordering::Relaxed);
        let result = client.transaction::<(i64,), _, _>(&["k"], |mut watched| {
            let attempt = attempts.fetch_add(1, Ordering::Relaxed);
            async move {
                if attempt == 0 {
                    // The command runs, and its reply is lost.
                    proxy.cut_after(Direction::ToClient, 0, Ending::ResetClient);
                }
                match write {
                    true => drop(watched.incr("beside").await?),
                    false => drop(watched.get::<i64>("k").await?),
                }
                Ok(watched.multi().incr("k"))
            }
        });
        let result = result.await;
        match write {
            false => {
                assert_eq!((result?.0, attempts.load(Ordering::Relaxed)), ((round,), 2));
            }
            true => {
                let error = failed(result)?;
                assert!(error.is_watch(), "{error:?}");
                assert_eq!(error.delivery(), Delivery::MaybeExecuted, "{error:?}");
                assert_eq!(attempts.load(Ordering::Relaxed), 1);
            }
        }
    }
    assert_eq!(direct.get::<i64>("beside").await?, Some(1), "it ran, and did not run again");
    assert_eq!(direct.get::<i64>("k").await?, Some(1));
    Ok(())
}

async fn watch_whose_link_is_cut_is_sent_again<S: Subject>(cx: Context<S>) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let client = proxy.client::<S>()?;
    client.watch(&["k"]).await?.reset().await?;
    let cuts = [
        (Direction::ToServer, 0),
        (Direction::ToServer, 9),
        (Direction::ToClient, 0),
        (Direction::ToClient, 2),
    ];
    for (round, (direction, after)) in (1..).zip(cuts) {
        cx.step(format!("after {after} bytes {direction:?}"));
        proxy.cut_after(direction, after, Ending::ResetClient);
        let watched = client.watch(&["k"]).await?;
        assert_eq!(proxy.cuts_to_come(), 0);
        assert_eq!(watched.multi().incr("k").execute::<(i64,)>().await?, (round,));
        let watched = client.watch(&["k"]).await?;
        direct.incr("other").await?;
        watched.reset().await?;
    }
    cx.step("as often as the limit says");
    let client = proxy.client_with::<S>(|config| config.max_retries = 1)?;
    client.watch(&["k"]).await?.reset().await?;
    for _ in 0..2 {
        // The second one meets the handshake of the next connection.
        proxy.cut_after(Direction::ToServer, 0, Ending::ResetClient);
    }
    let error = failed(client.watch(&["k"]).await.map(drop))?;
    assert!(error.is_disconnected() && error.delivery() == Delivery::NotSent, "{error:?}");
    assert_eq!(proxy.cuts_to_come(), 0);
    Ok(())
}

async fn transaction_returns_replies_and_value<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("seq", 7).await?;
    let (replies, next) = client
        .transaction::<(Value, i64), _, _>(&["seq"], |mut watched| async move {
            let n: i64 = watched.get("seq").await?.unwrap_or(0);
            Ok(watched.multi().set("seq", n + 1).strlen("seq").returning(n + 1))
        })
        .await?;
    cx.saw("replies", replies);
    assert_eq!(next, 8);
    assert_eq!(client.get::<i64>("seq").await?, Some(8));
    Ok(())
}

async fn transaction_runs_again_after_a_conflict<S: Subject>(cx: Context<S>) -> Outcome {
    let (client, other) = (cx.client()?, cx.client()?);
    let attempts = Arc::new(AtomicU32::new(0));
    let (_, next) = client
        .transaction::<(), _, _>(&["seq"], |mut watched| {
            let attempt = attempts.fetch_add(1, Ordering::Relaxed);
            let other = other.clone();
            async move {
                let n: i64 = watched.get("seq").await?.unwrap_or(0);
                if attempt < 3 {
                    other.incrby("seq", 10).await?;
                }
                Ok(watched.multi().set("seq", n + 1).returning(n + 1))
            }
        })
        .await?;
    assert_eq!((next, attempts.load(Ordering::Relaxed)), (31, 4));
    assert_eq!(client.get::<i64>("seq").await?, Some(31));
    Ok(())
}

async fn transaction_runs_again_after_a_lost_link<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let attempts = Arc::new(AtomicU32::new(0));
    let ((next,), ()) = client
        .transaction::<(i64,), _, _>(&["seq"], |mut watched| {
            let attempt = attempts.fetch_add(1, Ordering::Relaxed);
            let cx = cx.clone();
            async move {
                if attempt == 0 {
                    kill(&cx, &mut watched).await?;
                    watched.get::<i64>("seq").await?;
                }
                Ok(watched.multi().incr("seq"))
            }
        })
        .await?;
    assert_eq!((next, attempts.load(Ordering::Relaxed)), (1, 2));
    Ok(())
}

async fn transaction_passes_other_errors_through_at_once<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("text", "x").await?;
    let attempts = Arc::new(AtomicU32::new(0));
    let error = client
        .transaction::<(), _, _>(&["k"], |mut watched| {
            attempts.fetch_add(1, Ordering::Relaxed);
            async move {
                watched.incr("text").await?;
                Ok(watched.multi().incr("k"))
            }
        })
        .await;
    cx.saw("of the closure", failed(error)?);
    let error = client
        .transaction::<(), _, _>(&["k"], |watched| {
            attempts.fetch_add(1, Ordering::Relaxed);
            async move { Ok(watched.multi().incr("text")) }
        })
        .await;
    cx.saw("of the transaction", failed(error)?);
    assert_eq!(attempts.load(Ordering::Relaxed), 2);
    client.pipeline().incr("k").execute::<(i64,)>().await?;
    Ok(())
}

async fn transaction_gives_up_at_its_limit<S: Subject>(cx: Context<S>) -> Outcome {
    let other = cx.client()?;
    let client = cx.client_with(|config| config.max_transaction_attempts = 3)?;
    let attempts = Arc::new(AtomicU32::new(0));
    let error = client
        .transaction::<(), _, _>(&["k"], |watched| {
            attempts.fetch_add(1, Ordering::Relaxed);
            let other = other.clone();
            async move {
                other.incr("k").await?;
                Ok(watched.multi().set("k", "never"))
            }
        })
        .await;
    let error = failed(error)?;
    assert!(error.is_watch(), "{error:?}");
    cx.saw("given up", error);
    assert_eq!(attempts.load(Ordering::Relaxed), 3);
    Ok(())
}

async fn clients_incrementing_one_key_lose_nothing<S: Subject>(cx: Context<S>) -> Outcome {
    const EACH: i64 = 50;
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let client = cx.client_with(|config| {
                config.backoff =
                    Backoff { base: Duration::from_millis(1), cap: Duration::from_millis(5) };
            });
            cx.spawn(async move {
                let client = client?;
                for _ in 0..EACH {
                    client
                        .transaction::<(), _, _>(&["seq"], |mut watched| async move {
                            let n: i64 = watched.get("seq").await?.unwrap_or(0);
                            Ok(watched.multi().set("seq", n + 1))
                        })
                        .await?;
                }
                Ok::<_, Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    assert_eq!(cx.client()?.get::<i64>("seq").await?, Some(3 * EACH));
    Ok(())
}

async fn watch_on_a_lost_link_is_sent_on_another<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    for n in 0..5 {
        let mut watched = client.watch(&["k"]).await?;
        let id = watched.client_id().await?;
        watched.reset().await?;
        // The connection has gone back to the pool, and was just used.
        let killed = cx.client()?.execute(cmd::client_kill().ids([id])).await?;
        assert_eq!(killed, 1);
        let watched = client.watch(&["k"]).await?;
        assert_eq!(watched.multi().incr("k").execute::<(i64,)>().await?, (n + 1,));
    }
    Ok(())
}

async fn watch_waits_for_a_server_that_is_down<S: Subject>(cx: Context<S>) -> Outcome {
    let mut own = cx.start_server(ServerOptions::new())?;
    let client = own.client_with::<S>(|config| {
        config.max_retries = u32::MAX;
        config.backoff.cap = config.backoff.base;
        // How long the server takes to come back is the machine's.
        config.command_timeout = None;
    })?;
    client.watch(&["k"]).await?.reset().await?;
    own.server.kill()?;
    let waiting = client.clone();
    let task = cx.spawn(async move {
        waiting
            .transaction::<(i64,), _, _>(
                &["k"],
                |watched| async move { Ok(watched.multi().incr("k")) },
            )
            .await
    });
    cx.until("it was tried again", async || Ok(client.stats().retries > 1)).await?;
    own.server.restart()?;
    assert_eq!(task.await??, ((1,), ()));
    Ok(())
}
