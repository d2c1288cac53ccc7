//! Links that end in the middle of something, at a byte of the scenario's choice: what surely did not
//! arrive and what does no harm is sent again, everything else is an error that says what is known.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use redis_core::pubsub::MessageKind;
use redis_core::{Cmd, Command, Commands, Delivery, ErrorKind, Execute, QueueCommands, cmd};
use testkit::faulty::Direction::{ToClient, ToServer};
use testkit::faulty::{Arrivals, Direction, Ending};

use super::{PROMPT, blocked, until_it_works};
use crate::scenario::{Context, LONG, Outcome, Scenario, failed};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(cut_before_the_connection_is_ready_is_not_noticed).over_tcp(),
        Scenario::new(refused_connection_is_tried_again_until_one_is_accepted).over_tcp(),
        Scenario::new(silent_connection_is_given_up_and_another_one_opened).over_tcp(),
        Scenario::new(command_cut_while_it_is_written_is_sent_again_whole).over_tcp(),
        Scenario::new(write_whose_link_is_cut_is_an_error_and_never_runs_twice)
            .over_tcp()
            .not_over_tls(HIDDEN),
        Scenario::new(read_whose_link_is_cut_is_sent_again).over_tcp(),
        Scenario::new(write_that_was_marked_idempotent_is_sent_again).over_tcp(),
        Scenario::new(doubt_of_an_early_attempt_outlives_later_ones).over_tcp(),
        Scenario::new(pipeline_cut_in_the_middle_runs_what_had_arrived_once)
            .over_tcp()
            .not_over_tls(HIDDEN),
        Scenario::new(transaction_cut_anywhere_is_applied_whole_or_not_at_all)
            .over_tcp()
            .not_over_tls(HIDDEN),
        Scenario::new(pipeline_of_reads_is_sent_again_when_its_link_is_cut).over_tcp(),
        Scenario::new(watched_transaction_cut_at_its_end_is_not_run_again)
            .over_tcp()
            .not_over_tls(HIDDEN),
        Scenario::new(blocking_pop_whose_reply_is_cut_is_a_stated_doubt).over_tcp(),
        Scenario::new(subscriber_cut_within_a_message_goes_on_behind_it).over_tcp(),
        Scenario::new(cut_links_leave_no_connection_and_no_place_behind).over_tcp(),
    ]
}

/// What can be cut between bytes of a command is whole, or nothing, as a record of TLS.
const HIDDEN: &str = "it cuts between bytes of commands, which TLS hides";

/// A place to cut a link at.
type Place = (Direction, usize);

/// Places within and around a command of so many bytes and its reply.
fn places(command: usize, reply: usize) -> [Place; 8] {
    [
        (ToServer, 0),
        (ToServer, 1),
        (ToServer, command / 2),
        (ToServer, command - 1),
        (ToServer, command),
        (ToClient, 0),
        (ToClient, 1),
        (ToClient, reply - 1),
    ]
}

const DOUBT: (ErrorKind, Delivery) = (ErrorKind::Io, Delivery::MaybeExecuted);

async fn cut_before_the_connection_is_ready_is_not_noticed<S: Subject>(cx: Context<S>) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let cuts = [(ToServer, 0), (ToServer, 5), (ToClient, 0), (ToClient, 5)];
    for (n, (direction, bytes)) in (1..).zip(cuts) {
        for ending in [Ending::Close, Ending::ResetClient, Ending::ResetServer] {
            cx.until("the link before is gone", async || Ok(proxy.open_links() == 0)).await?;
            cx.step(format!("{ending:?} after {bytes} bytes {direction:?}"));
            let client = proxy.client::<S>()?;
            proxy.cut_after(direction, bytes, ending);
            let before = proxy.connections();
            client.incr(n).await?;
            assert_eq!((proxy.cuts_to_come(), proxy.connections()), (0, before + 2));
        }
        assert_eq!(direct.get::<i64>(n).await?, Some(3), "each ran once");
    }
    Ok(())
}

async fn refused_connection_is_tried_again_until_one_is_accepted<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    cx.step("while nobody listens");
    proxy.arrivals(Arrivals::Refuse);
    let (result, took) = cx.timed(proxy.client::<S>()?.incr("n")).await;
    let error = failed(result)?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::Connect, Delivery::NotSent));
    assert!(took < PROMPT, "{took:?}");
    cx.step("while each connection is reset");
    proxy.arrivals(Arrivals::Reset);
    let client = proxy.client_with::<S>(|config| {
        config.max_retries = 10_000;
        config.backoff.cap = Duration::from_millis(5);
    })?;
    let running = client.clone();
    let task = cx.spawn(async move { running.incr("n").await });
    cx.until("several attempts have failed", async || Ok(proxy.connections() > 3)).await?;
    assert!(!task.is_done());
    proxy.heal();
    cx.step("waiting for the attempt that succeeds");
    assert_eq!(task.await??, 1);
    assert_eq!(direct.get::<i64>("n").await?, Some(1));
    Ok(())
}

async fn silent_connection_is_given_up_and_another_one_opened<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let client = proxy.client_with::<S>(|config| {
        config.connect_timeout = Duration::from_millis(200);
        config.max_retries = 10_000;
    })?;
    proxy.arrivals(Arrivals::Silence);
    let running = client.clone();
    let task = cx.spawn(async move { running.incr("n").await });
    cx.until("it has met the silence", async || Ok(proxy.connections() > 0)).await?;
    proxy.arrivals(Arrivals::Accept);
    cx.step("waiting for the attempt that succeeds");
    assert_eq!(task.await??, 1);
    assert_eq!(direct.get::<i64>("n").await?, Some(1));
    Ok(())
}

async fn command_cut_while_it_is_written_is_sent_again_whole<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let client = proxy.client_with::<S>(|config| config.command_timeout = None)?;
    client.ping().await?;
    // More than the buffers between hold, so that the last byte can't have been written by then.
    let large = Bytes::from(vec![b'x'; 24 << 20]);
    proxy.cut_after(ToServer, 100_000, Ending::ResetClient);
    let appended = client.execute(Cmd::<usize>::raw("APPEND").key("k").arg(large.clone())).await?;
    assert_eq!((appended, proxy.cuts_to_come()), (large.len(), 0));
    assert_eq!(direct.strlen("k").await?, large.len() as u64, "it was appended once");
    Ok(())
}

async fn write_whose_link_is_cut_is_an_error_and_never_runs_twice<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let client = proxy.client::<S>()?;
    let bytes = cmd::incr("n").to_vec().len();
    let mut ran = 0;
    for ending in [Ending::Close, Ending::ResetClient] {
        for (direction, after) in places(bytes, b":1\r\n".len()) {
            cx.step(format!("{ending:?} after {after} bytes {direction:?}"));
            client.execute(cmd::get::<i64>("n")).await?;
            proxy.cut_after(direction, after, ending);
            let error = failed(client.incr("n").await)?;
            assert_eq!((error.kind(), error.delivery()), DOUBT, "{error:?}");
            assert_eq!(proxy.cuts_to_come(), 0);
            ran += i64::from(direction == ToClient || after == bytes);
            cx.until("it ran if it had arrived whole", async || {
                Ok(direct.get::<i64>("n").await?.unwrap_or(0) >= ran)
            })
            .await?;
            assert_eq!(client.get::<i64>("n").await?.unwrap_or(0), ran);
        }
    }
    assert_eq!(direct.get::<i64>("n").await?, Some(ran));
    Ok(())
}

async fn read_whose_link_is_cut_is_sent_again<S: Subject>(cx: Context<S>) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let client = proxy.client::<S>()?;
    direct.set("k", "value").await?;
    let bytes = cmd::get::<String>("k").to_vec().len();
    client.get::<String>("k").await?;
    for ending in [Ending::Close, Ending::ResetClient, Ending::ResetServer] {
        for (direction, after) in places(bytes, b"$5\r\nvalue\r\n".len()) {
            cx.step(format!("{ending:?} after {after} bytes {direction:?}"));
            proxy.cut_after(direction, after, ending);
            let before = proxy.connections();
            assert_eq!(client.get::<String>("k").await?.as_deref(), Some("value"));
            assert_eq!((proxy.cuts_to_come(), proxy.connections()), (0, before + 1));
        }
    }
    Ok(())
}

async fn write_that_was_marked_idempotent_is_sent_again<S: Subject>(cx: Context<S>) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let client = proxy.client::<S>()?;
    client.ping().await?;
    for (n, cut) in (0_i64..).zip(places(cmd::set("k", 1).into_cmd().to_vec().len(), 5)) {
        cx.step(format!("cut at {cut:?}"));
        proxy.cut_after(cut.0, cut.1, Ending::ResetClient);
        client.execute(cmd::set("k", n).into_cmd().idempotent()).await?;
        assert_eq!((direct.get::<i64>("k").await?, proxy.cuts_to_come()), (Some(n), 0));
    }
    cx.step("a command that is not what it was said to be");
    let incr = cmd::incr("n").idempotent();
    proxy.cut_after(ToClient, 0, Ending::ResetClient);
    assert_eq!(client.execute(incr).await?, 2, "it ran twice, as it was told to");
    Ok(())
}

async fn doubt_of_an_early_attempt_outlives_later_ones<S: Subject>(cx: Context<S>) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let client = proxy.client_with::<S>(|config| config.max_retries = 2)?;
    client.ping().await?;
    let before = proxy.connections();
    proxy.cut_after(ToClient, 0, Ending::ResetClient);
    // The other two attempts do not get as far as a connection.
    proxy.cut_after(ToClient, 0, Ending::ResetClient);
    proxy.cut_after(ToClient, 0, Ending::ResetClient);
    let error = failed(client.execute(cmd::incr("n").idempotent()).await)?;
    assert_eq!((proxy.connections(), proxy.cuts_to_come()), (before + 2, 0), "{error:?}");
    assert_eq!(direct.get::<i64>("n").await?, Some(1), "the first attempt ran");
    assert_eq!(error.delivery(), Delivery::MaybeExecuted, "{error:?}");
    assert_eq!(client.incr("n").await?, 2);
    Ok(())
}

async fn pipeline_cut_in_the_middle_runs_what_had_arrived_once<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let client = proxy.client::<S>()?;
    let one = cmd::incr("0:0").to_vec().len();
    let cuts = [(ToServer, one * 4 + one / 2, 4), (ToServer, one * 8, 8), (ToClient, 10, 9)];
    for (round, (direction, after, ran)) in cuts.into_iter().enumerate() {
        cx.step(format!("after {after} bytes {direction:?}"));
        let keys: Vec<_> = (0..9).map(|n| format!("{round}:{n}")).collect();
        until_it_works(&cx, &client).await?;
        let mut pipeline = client.pipeline();
        keys.iter().for_each(|key| pipeline.push(cmd::incr(key)));
        proxy.cut_after(direction, after, Ending::ResetClient);
        let error = failed(pipeline.transaction(false).execute::<Vec<i64>>().await)?;
        assert_eq!((error.kind(), error.delivery()), DOUBT, "{error:?}");
        cx.until("those that had arrived ran", async || Ok(direct.exists(&keys).await? >= ran))
            .await?;
        let counts: Vec<Option<i64>> = direct.mget(&keys).await?;
        let expected: Vec<_> = (0..9).map(|n| (n < ran).then_some(1)).collect();
        assert_eq!(counts, expected);
    }
    Ok(())
}

async fn transaction_cut_anywhere_is_applied_whole_or_not_at_all<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let client = proxy.client::<S>()?;
    let multi = Cmd::<()>::raw("MULTI").to_vec().len();
    let exec = Cmd::<()>::raw("EXEC").to_vec().len();
    let whole = multi + 3 * cmd::incr("00").to_vec().len() + exec;
    let cuts = [
        (ToServer, 1),
        (ToServer, multi),
        (ToServer, multi + 30),
        (ToServer, whole - exec),
        (ToServer, whole - 1),
        (ToServer, whole),
        (ToClient, 0),
        (ToClient, 7),
        (ToClient, 40),
    ];
    for (round, (direction, after)) in cuts.into_iter().enumerate() {
        cx.step(format!("after {after} bytes {direction:?}"));
        let keys: Vec<_> = (0..3).map(|n| format!("{round}{n}")).collect();
        until_it_works(&cx, &client).await?;
        let mut pipeline = client.pipeline();
        keys.iter().for_each(|key| pipeline.push(cmd::incr(key)));
        proxy.cut_after(direction, after, Ending::ResetClient);
        let error = failed(pipeline.execute::<Vec<i64>>().await)?;
        assert_eq!((error.kind(), error.delivery()), DOUBT, "{error:?}");
        let applied = direction == ToClient || after == whole;
        let expected = vec![applied.then_some(1_i64); 3];
        cx.until("it was applied if it had arrived whole", async || {
            Ok(!applied || direct.mget::<i64>(&keys).await? == expected)
        })
        .await?;
        assert_eq!(direct.mget::<i64>(&keys).await?, expected);
    }
    Ok(())
}

async fn pipeline_of_reads_is_sent_again_when_its_link_is_cut<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let client = proxy.client::<S>()?;
    direct.set("k", "value").await?;
    client.ping().await?;
    for transaction in [true, false] {
        for (direction, after) in [(ToServer, 0), (ToServer, 25), (ToClient, 0), (ToClient, 9)] {
            cx.step(format!("after {after} bytes {direction:?}, transaction {transaction}"));
            proxy.cut_after(direction, after, Ending::ResetClient);
            let mut pipeline = client.pipeline();
            let queued = pipeline.transaction(transaction).get("k").exists("k");
            let replies: (String, u64) = queued.execute().await?;
            assert_eq!((replies, proxy.cuts_to_come()), (("value".to_owned(), 1), 0));
        }
    }
    Ok(())
}

async fn watched_transaction_cut_at_its_end_is_not_run_again<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let client = proxy.client::<S>()?;
    let mut bytes = Cmd::<()>::raw("MULTI").to_vec().len();
    bytes += cmd::incr("k0").to_vec().len() + Cmd::<()>::raw("EXEC").to_vec().len();
    for (key, cut, ran) in
        [("k0", (ToServer, bytes - 1), 0), ("k1", (ToServer, bytes), 1), ("k2", (ToClient, 0), 1)]
    {
        cx.step(format!("cut at {cut:?}"));
        let attempts = AtomicU32::new(0);
        let keys = [key];
        let result = client.transaction::<(i64,), _, _>(&keys, |mut watched| {
            attempts.fetch_add(1, Ordering::Relaxed);
            let proxy = &proxy;
            async move {
                watched.get::<i64>(key).await?;
                proxy.cut_after(cut.0, cut.1, Ending::ResetClient);
                Ok(watched.multi().incr(key))
            }
        });
        let error = failed(result.await)?;
        assert_eq!((error.kind(), error.delivery()), DOUBT, "{error:?}");
        assert_eq!(attempts.into_inner(), 1);
        cx.until("it ran if it had arrived whole", async || Ok(direct.exists(key).await? >= ran))
            .await?;
        assert_eq!(direct.get::<u64>(key).await?.unwrap_or(0), ran);
    }
    Ok(())
}

async fn blocking_pop_whose_reply_is_cut_is_a_stated_doubt<S: Subject>(cx: Context<S>) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let client = proxy.client::<S>()?;
    for after in [0, 10] {
        let popping = client.clone();
        let task = cx.spawn(async move { popping.blpop::<String, String>(["l"], None).await });
        blocked(&cx, &direct, 1).await?;
        proxy.cut_after(ToClient, after, Ending::ResetClient);
        direct.rpush("l", "popped").await?;
        let error = failed(task.await?)?;
        assert_eq!((error.kind(), error.delivery()), DOUBT, "{error:?}");
    }
    cx.step("a pop whose link ends before there is anything");
    let popping = client.clone();
    let task = cx.spawn(async move { popping.blpop::<String, String>(["l"], None).await });
    blocked(&cx, &direct, 1).await?;
    proxy.end_links(Ending::ResetClient);
    let error = failed(task.await?)?;
    assert_eq!((error.kind(), error.delivery()), DOUBT, "{error:?}");
    blocked(&cx, &direct, 0).await?;
    direct.rpush("l", "kept").await?;
    let popped = client.blpop::<String, String>(["l"], None).await?;
    assert_eq!(popped, Some(("l".to_owned(), "kept".to_owned())));
    Ok(())
}

async fn subscriber_cut_within_a_message_goes_on_behind_it<S: Subject>(cx: Context<S>) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let client = proxy.client::<S>()?;
    let mut pubsub = client.pubsub();
    pubsub.subscribe(&["c"]).await?;
    pubsub.get_message(LONG).await?;
    for (round, ending) in [Ending::Close, Ending::ResetClient].into_iter().enumerate() {
        for after in [0, 3, 20] {
            cx.step(format!("{ending:?} after {after} bytes"));
            direct.publish("c", "before").await?;
            let message = pubsub.get_message(LONG).await?;
            assert_eq!(message.as_ref().and_then(|message| message.text()), Some("before"));
            proxy.cut_after(ToClient, after, ending);
            direct.publish("c", "torn").await?;
            let message = pubsub.get_message(LONG).await?;
            let kind = message.as_ref().map(|message| message.kind);
            assert_eq!(kind, Some(MessageKind::Resubscribed), "{message:?}");
            assert_eq!(direct.publish("c", round).await?, 1);
            let message = pubsub.get_message(LONG).await?;
            let text = message.as_ref().and_then(|message| message.text());
            assert_eq!(text, Some(&*round.to_string()));
        }
    }
    Ok(())
}

async fn cut_links_leave_no_connection_and_no_place_behind<S: Subject>(cx: Context<S>) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let client = proxy.client_with::<S>(|config| {
        config.pool_size = 1;
        config.client_name = Some("broken".into());
    })?;
    for round in 0..5 {
        cx.step(format!("round {round}"));
        until_it_works(&cx, &client).await?;
        proxy.cut_after(ToClient, 1, Ending::ResetClient);
        failed(client.incr("n").await)?;
        let watched = client.watch(&["k"]).await?;
        proxy.cut_after(ToServer, 1, Ending::Close);
        let error = failed(watched.multi().incr("k").execute::<()>().await)?;
        assert_ne!(error.kind(), ErrorKind::Limit);
        failed(client.pipeline().set("k", 1).incr("n").execute::<(i64,)>().await).ok();
    }
    until_it_works(&cx, &client).await?;
    drop(client.watch(&["k"]).await?);
    let left = async || {
        let clients = direct.client_list().await?;
        let broken = clients.iter().filter(|client| client.name.as_deref() == Some("broken"));
        Ok::<_, redis_core::Error>(broken.count())
    };
    cx.until("what was cut is gone from the server", async || Ok(left().await? <= 2)).await?;
    drop(client);
    cx.until("the rest is gone with the client", async || Ok(left().await? == 0)).await?;
    Ok(())
}
