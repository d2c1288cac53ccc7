//! Results that are handed on as they come, that nobody wants, or that go under keys; and commands whose
//! replies are for nobody.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis_core::{
    Cmd, Commands, Config, Delivery, Endpoint, ErrorKind, QueueCommands, Result, Script, Value, cmd,
};
use testkit::faulty::Direction::{ToClient, ToServer};
use testkit::faulty::{Ending, Flow};

use super::blocking::{SHORT, outlives_the_usual_deadline};
use crate::client::{Client, Pipeline};
use crate::scenario::{Context, LONG, Outcome, Scenario, TICK, failed, open};
use crate::subject::Subject;
use crate::task::poll_once;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(results_are_handed_on_in_order_with_errors_in_their_places),
        Scenario::new(results_handed_on_have_the_type_that_the_closure_asks_for),
        Scenario::new(empty_pipeline_hands_nothing_on_without_a_round_trip),
        Scenario::new(transaction_refused_while_queueing_hands_nothing_on),
        Scenario::new(blocking_command_in_a_streamed_pipeline_waits),
        Scenario::new(a_million_results_are_handed_on),
        Scenario::new(large_values_are_handed_on_while_others_are_written),
        Scenario::new(streamed_pipeline_holds_nobody_else_up),
        Scenario::new(streamed_pipeline_cut_before_it_is_sent_is_sent_again).over_tcp(),
        Scenario::new(streamed_pipeline_cut_in_the_middle_hands_on_each_result_once).over_tcp(),
        Scenario::new(streamed_pipeline_over_a_torn_link_keeps_step).over_tcp(),
        Scenario::new(streamed_pipeline_that_is_given_up_closes_its_connection)
            .drops_waiting_calls(),
        Scenario::new(ignored_replies_are_not_among_the_results),
        Scenario::new(ignored_command_that_fails_is_the_error_of_the_whole),
        Scenario::new(ignored_replies_of_a_watched_transaction_are_left_out),
        Scenario::new(ignoring_before_any_command_is_refused),
        Scenario::new(results_go_under_their_keys),
        Scenario::new(keys_that_do_not_fit_are_refused_before_anything_is_sent),
        Scenario::new(commands_for_nobody_run_in_order_with_others).does_not_wait(),
        Scenario::new(commands_for_nobody_that_fail_disturb_no_reply).does_not_wait(),
        Scenario::new(commands_for_nobody_that_cannot_be_sent_are_refused).does_not_wait(),
        Scenario::new(commands_for_nobody_are_sent_before_the_last_client_goes).does_not_wait(),
    ]
}

/// A pipeline of this client, as a transaction or not.
fn pipeline<S: Subject>(client: &Client<S>, transaction: bool) -> Pipeline<S> {
    let mut pipeline = client.pipeline();
    pipeline.transaction(transaction);
    pipeline
}

async fn results_are_handed_on_in_order_with_errors_in_their_places<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    for transaction in [true, false] {
        let mut pipeline = pipeline(&client, transaction);
        let queued = pipeline.set("k", 1).lpush("k", "x").get("k").hget("k", "f").incr("k");
        let mut seen: Vec<Result<Value>> = Vec::new();
        queued
            .execute_each(|index, reply| {
                assert_eq!(index, seen.len());
                seen.push(reply);
            })
            .await?;
        let failures: Vec<_> = seen.iter().map(Result::is_err).collect();
        assert_eq!(failures, [false, true, false, true, false]);
        cx.saw("all", seen);
        assert_eq!(pipeline.len(), 0);
        client.ping().await?;
    }
    cx.step("many of them");
    for transaction in [true, false] {
        let mut pipeline = pipeline(&client, transaction);
        for n in 0..5_000_i64 {
            if n % 7 == 3 {
                pipeline.push(cmd::lpush("k", "x"));
            } else {
                pipeline.push(cmd::echo::<i64>(n));
            }
        }
        let mut expected = 0_i64;
        let each = |index: usize, reply: Result<i64>| {
            assert_eq!(index, expected as usize);
            match reply {
                Ok(n) => assert_eq!(n, expected),
                Err(error) => {
                    let text = format!("command {} of 5000 (`LPUSH k x`): ", expected + 1);
                    assert!(expected % 7 == 3 && error.to_string().starts_with(&text), "{error}");
                }
            }
            expected += 1;
        };
        pipeline.execute_each(each).await?;
        assert_eq!(expected, 5_000);
    }
    Ok(())
}

async fn results_handed_on_have_the_type_that_the_closure_asks_for<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    for transaction in [true, false] {
        let mut pipeline = pipeline(&client, transaction);
        let queued = pipeline.set("k", "text").get("k").set("k", 5).get("k").get("none");
        let mut seen = Vec::new();
        queued.execute_each(|_, reply: Result<Option<i64>>| seen.push(reply)).await?;
        let kinds: Vec<_> = seen.iter().map(|reply| reply.as_ref().err()).collect();
        assert!(kinds[1].is_some_and(|error| error.kind() == ErrorKind::Decode), "{kinds:?}");
        assert_eq!((&seen[3], &seen[4]), (&Ok(Some(5)), &Ok(None)));
        cx.saw("seen", seen);
        assert_eq!(client.echo::<i64>(7).await?, 7);
    }
    Ok(())
}

async fn empty_pipeline_hands_nothing_on_without_a_round_trip<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let mut config = Config::default();
    config.endpoint = Endpoint::Unix("/nowhere/socket".into());
    let client = open::<S>(config)?;
    for transaction in [true, false] {
        cx.step(format!("transaction {transaction}"));
        let mut pipeline = pipeline(&client, transaction);
        let each = |_, reply: Result<Value>| panic!("{reply:?} was handed on");
        pipeline.execute_each(each).await?;
        assert!(pipeline.execute_zip::<&str, Value, HashMap<_, _>>([]).await?.is_empty());
    }
    Ok(())
}

async fn transaction_refused_while_queueing_hands_nothing_on<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    for _ in 0..2 {
        let mut pipeline = client.pipeline();
        let _ = pipeline.set("k", 1);
        pipeline.push(Cmd::<()>::raw("NO-SUCH-COMMAND").arg("x"));
        let _ = pipeline.incr("k");
        let each = |_, reply: Result<Value>| panic!("{reply:?} was handed on");
        let error = failed(pipeline.execute_each(each).await)?;
        assert_eq!((error.kind(), error.delivery()), (ErrorKind::Server, Delivery::Replied));
        assert!(error.to_string().contains("command 2 of 3"), "{error}");
        cx.saw("refused", error);
        assert_eq!(client.get::<i64>("k").await?, None, "nothing is applied");
    }
    cx.step("a command that can't be sent");
    let mut pipeline = client.pipeline();
    let _ = pipeline.set("k", 1);
    pipeline.push(Cmd::<()>::raw("SELECT").arg(1));
    let each = |_, reply: Result<Value>| panic!("{reply:?} was handed on");
    let error = failed(pipeline.execute_each(each).await)?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::InvalidRequest, Delivery::NotSent));
    Ok(())
}

async fn blocking_command_in_a_streamed_pipeline_waits<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut timed = pipeline(&client, false);
    let wait = Duration::from_millis(100);
    let queued = timed.incr("n").blpop(["none"], wait).incr("n");
    let mut seen = Vec::new();
    let (done, took) =
        cx.timed(queued.execute_each(|_, reply: Result<Value>| seen.push(reply))).await;
    done?;
    assert_eq!(seen, [Ok(Value::Integer(1)), Ok(Value::Null), Ok(Value::Integer(2))]);
    assert!(took + TICK >= wait, "{took:?}");
    cx.step("for longer than the usual deadline, which comes on top");
    let patient = cx.client_with(|config| config.command_timeout = Some(SHORT))?;
    let waiting = cx.spawn(async move {
        let mut pipeline = pipeline(&patient, false);
        let mut seen = Vec::new();
        let queued = pipeline.incr("n").lpop("none").blpop(["l"], LONG).incr("n");
        let done = queued.execute_each(|_, reply: Result<Value>| seen.push(reply)).await;
        done.map(|()| seen)
    });
    outlives_the_usual_deadline(&cx, &client, &waiting).await?;
    client.rpush("l", "late").await?;
    let seen = waiting.await??;
    assert_eq!((seen.len(), &seen[0]), (4, &Ok(Value::Integer(3))));
    assert_eq!(seen[3], Ok(Value::Integer(4)));
    cx.saw("popped", &seen[2]);
    Ok(())
}

async fn a_million_results_are_handed_on<S: Subject>(cx: Context<S>) -> Outcome {
    // How long that takes is the machine's.
    let client = cx.client_with(|config| config.command_timeout = None)?;
    let mut pipeline = pipeline(&client, false);
    cx.step("queueing");
    for _ in 0..1_000_000 {
        pipeline.push(cmd::incr("n"));
    }
    cx.step("executing");
    let mut seen = 0;
    let each = |index: usize, reply: Result<usize>| {
        seen += 1;
        assert!(reply == Ok(seen) && index + 1 == seen, "{index}: {reply:?}");
    };
    pipeline.execute_each(each).await?;
    assert_eq!(seen, 1_000_000);
    assert_eq!(client.get::<usize>("n").await?, Some(1_000_000));
    Ok(())
}

async fn large_values_are_handed_on_while_others_are_written<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    // What comes back is more than any socket holds while the rest is still being written.
    let mut pipeline = pipeline(&client, false);
    for n in 0..256_u32 {
        pipeline.push(cmd::echo::<Vec<u8>>(vec![n as u8; 100_000]));
    }
    let mut seen = 0;
    let each = |index: usize, reply: Result<Vec<u8>>| {
        assert!(reply.is_ok_and(|value| value == vec![index as u8; 100_000]), "value {index}");
        seen += 1;
    };
    pipeline.execute_each(each).await?;
    assert_eq!(seen, 256);
    client.ping().await?;
    Ok(())
}

async fn streamed_pipeline_holds_nobody_else_up<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let other = client.clone();
    let task = cx.spawn(async move {
        for n in 0..200 {
            assert_eq!(other.echo::<i64>(n).await?, n);
        }
        Ok::<_, redis_core::Error>(())
    });
    let mut pipeline = pipeline(&client, false);
    for n in 0..2_000_i64 {
        pipeline.push(cmd::echo::<i64>(n));
    }
    let mut sum = 0;
    pipeline.execute_each(|_, reply: Result<i64>| sum += reply.unwrap_or_default()).await?;
    assert_eq!(sum, 1_999 * 1_000);
    task.await??;
    Ok(())
}

async fn streamed_pipeline_cut_before_it_is_sent_is_sent_again<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    for (n, direction) in [(1, ToServer), (2, ToClient)] {
        cx.step(format!("{direction:?}"));
        let client = proxy.client::<S>()?;
        // The connection ends before its handshake is done.
        proxy.cut_after(direction, 5, Ending::ResetClient);
        let before = proxy.connections();
        let mut seen = Vec::new();
        let mut pipeline = pipeline(&client, false);
        let queued = pipeline.incr("a").incr("b");
        queued.execute_each(|_, reply: Result<i64>| seen.push(reply)).await?;
        assert_eq!(seen, [Ok(n), Ok(n)]);
        assert_eq!((proxy.cuts_to_come(), proxy.connections()), (0, before + 2));
    }
    assert_eq!(direct.get::<i64>("a").await?, Some(2));
    Ok(())
}

async fn streamed_pipeline_cut_in_the_middle_hands_on_each_result_once<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let client = proxy.client::<S>()?;
    let count = 2_000;
    for (round, ending) in [Ending::Close, Ending::ResetClient].into_iter().enumerate() {
        for after in [0, 3, 4, 1_001] {
            for reads in [false, true] {
                cx.step(format!("{ending:?} after {after} bytes, reads: {reads}"));
                let key = |n: usize| format!("{round}:{after}:{n}");
                // The connection is there, so that nothing but the replies is counted.
                let mut warm = pipeline(&client, false);
                warm.incr("warm").execute_each(|_, _: Result<i64>| {}).await?;
                let before = proxy.connections();
                let mut pipeline = pipeline(&client, false);
                for n in 0..count {
                    match reads {
                        true => pipeline.push(cmd::exists(key(n))),
                        false => pipeline.push(cmd::incr(key(n))),
                    }
                }
                proxy.cut_after(ToClient, after, ending);
                let mut seen = Vec::new();
                let each = |index, reply: Result<i64>| seen.push((index, reply));
                let error = failed(pipeline.execute_each(each).await)?;
                let doubt = (ErrorKind::Io, Delivery::MaybeExecuted);
                assert_eq!((error.kind(), error.delivery()), doubt, "{error:?}");
                // `:1` is four bytes; what a reset overtakes is lost.
                assert!(seen.len() <= after / 4, "{}", seen.len());
                for (n, (index, reply)) in seen.into_iter().enumerate() {
                    assert_eq!(index, n);
                    assert!(reads || reply == Ok(1), "{reply:?}");
                }
                assert_eq!((proxy.cuts_to_come(), proxy.connections()), (0, before));
                let ran: Vec<Option<i64>> = direct.mget((0..count).map(key)).await?;
                assert!(ran.iter().flatten().all(|times| *times == 1), "nothing ran twice");
            }
        }
    }
    Ok(())
}

async fn streamed_pipeline_over_a_torn_link_keeps_step<S: Subject>(cx: Context<S>) -> Outcome {
    let proxy = cx.proxy()?;
    proxy.flow(ToServer, Flow::Pieces { size: 3, pause: Duration::ZERO });
    proxy.flow(ToClient, Flow::Pieces { size: 1, pause: Duration::ZERO });
    let client = proxy.client::<S>()?;
    for transaction in [true, false] {
        let mut pipeline = pipeline(&client, transaction);
        let queued = pipeline.echo("a").ignore().lpush("text", 1).set("text", "x").incr("text");
        let mut seen = Vec::new();
        queued.echo("b").execute_each(|_, reply: Result<Value>| seen.push(reply)).await?;
        assert_eq!((seen.len(), seen[3].clone()), (4, Ok(Value::String("b".into()))));
        cx.saw("seen", seen);
        client.del("text").await?;
    }
    Ok(())
}

async fn streamed_pipeline_that_is_given_up_closes_its_connection<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let direct = cx.client()?;
    let client = cx.client_with(|config| {
        config.pool_size = 1;
        config.client_name = Some("streams".into());
    })?;
    client.ping().await?;
    let connections = async || -> Result<usize> {
        let clients = direct.client_list().await?;
        let ours = clients.iter().filter(|client| client.name.as_deref() == Some("streams"));
        Ok(ours.count())
    };
    let value = vec![b'x'; 1_000];
    direct.set("k", &value).await?;
    let mut seen = 0;
    for wanted in [0, 1, 1_000] {
        cx.step(format!("given up after {wanted} results"));
        let mut pipeline = pipeline(&client, false);
        for _ in 0..20_000 {
            pipeline.push(cmd::get::<Vec<u8>>("k"));
        }
        // However fast they come, it is not at its end.
        pipeline.push(cmd::blpop::<String, String>(["none"], None));
        let so_far = AtomicUsize::new(0);
        let mut streamed = Box::pin(pipeline.execute_each(|index, reply: Result<Vec<u8>>| {
            assert!(reply.is_ok_and(|reply| reply == value), "reply {index}");
            so_far.store(index + 1, Ordering::Relaxed);
        }));
        let begun = async || -> Result<bool> { Ok(connections().await? == 2) };
        cx.until("it has come so far", async || {
            poll_once(&mut streamed).await.transpose()?;
            Ok(so_far.load(Ordering::Relaxed) >= wanted && begun().await?)
        })
        .await?;
        drop(streamed);
        seen += so_far.into_inner();
        cx.until("its connection is gone", async || Ok(connections().await? == 1)).await?;
    }
    assert!(seen < 60_000, "none of them came to its end");
    let mut numbers = Vec::new();
    let mut pipeline = pipeline(&client, false);
    let queued = pipeline.echo(1).echo(2).echo(3);
    queued.execute_each(|_, reply: Result<i64>| numbers.push(reply)).await?;
    assert_eq!(numbers, [Ok(1), Ok(2), Ok(3)]);
    Ok(())
}

async fn ignored_replies_are_not_among_the_results<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    for transaction in [true, false] {
        let mut pipeline = pipeline(&client, transaction);
        queue_some(&mut pipeline);
        let (n, text): (i64, String) = pipeline.execute().await?;
        assert_eq!((n, &*text), (2, "x"));
        queue_some(&mut pipeline);
        let all = pipeline.execute_all().await?;
        assert_eq!(all, [Ok(Value::Integer(2)), Ok(Value::String("x".into()))]);
        queue_some(&mut pipeline);
        assert_eq!(pipeline.execute::<[Value; 2]>().await?.len(), 2);
        queue_some(&mut pipeline);
        assert_eq!(pipeline.execute::<Vec<Value>>().await?.len(), 2);
        queue_some(&mut pipeline);
        let mut seen = Vec::new();
        pipeline.execute_each(|index, reply: Result<Value>| seen.push((index, reply))).await?;
        assert_eq!(seen.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 1]);
        cx.saw("seen", seen);
        queue_some(&mut pipeline);
        cx.saw("wants all", failed(pipeline.execute::<[Value; 5]>().await)?);
        pipeline.ping().ignore().execute::<()>().await?;
    }
    Ok(())
}

/// Five commands with two results.
fn queue_some<S: Subject>(pipeline: &mut Pipeline<S>) {
    let _ = pipeline.set("k", 1).ignore().incr("k").set("l", "x").ignore().get("l");
    let _ = pipeline.ping().ignore();
    assert_eq!(pipeline.len(), 5);
}

async fn ignored_command_that_fails_is_the_error_of_the_whole<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    client.set("text", "x").await?;
    for transaction in [true, false] {
        let mut pipeline = pipeline(&client, transaction);
        let queued = pipeline.set("k", 1).incr("text").ignore().incr("k");
        let error = failed(queued.execute::<((), i64)>().await)?;
        assert!(error.to_string().starts_with("command 2 of 3 (`INCR text`)"), "{error}");
        cx.saw("in the middle", error);
        let queued = pipeline.incr("k").incr("text").ignore();
        let error = failed(queued.execute::<(i64,)>().await)?;
        assert!(error.to_string().starts_with("command 2 of 2 (`INCR text`)"), "{error}");
        cx.step("it shows nowhere else");
        let queued = pipeline.set("k", 1).incr("text").ignore().incr("k");
        assert_eq!(queued.execute_all().await?.len(), 2);
        let queued = pipeline.incr("text").ignore().incr("k");
        let mut seen = Vec::new();
        queued.execute_each(|index, reply: Result<i64>| seen.push((index, reply))).await?;
        assert_eq!(seen, [(0, Ok(3))]);
        client.ping().await?;
    }
    cx.step("refused while queueing it fails everything");
    let mut pipeline = client.pipeline();
    pipeline.push(Cmd::<()>::raw("NO-SUCH-COMMAND"));
    let queued = pipeline.ignore().incr("k");
    assert_eq!(failed(queued.execute_all().await)?.kind(), ErrorKind::Server);
    Ok(())
}

async fn ignored_replies_of_a_watched_transaction_are_left_out<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    let watched = client.watch(&["k"]).await?;
    let transaction = watched.multi().set("k", 1).ignore().incr("k").set("l", "x").ignore();
    assert_eq!(transaction.execute::<(i64,)>().await?, (2,));
    let watched = client.watch(&["k"]).await?;
    let transaction = watched.multi().incr("k").incr("l").ignore();
    cx.saw("fails", failed(transaction.execute::<(i64,)>().await)?);
    let watched = client.watch(&["k"]).await?;
    let error = failed(watched.multi().ignore().execute::<()>().await)?;
    assert_eq!((error.kind(), error.delivery()), (ErrorKind::InvalidRequest, Delivery::NotSent));
    assert_eq!(client.get::<i64>("k").await?, Some(3));
    Ok(())
}

async fn ignoring_before_any_command_is_refused<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pipeline = client.pipeline();
    for _ in 0..2 {
        let error = failed(pipeline.ignore().set("k", 1).execute::<()>().await)?;
        assert_eq!(
            (error.kind(), error.delivery()),
            (ErrorKind::InvalidRequest, Delivery::NotSent)
        );
        cx.saw("nothing queued", error);
        assert_eq!(pipeline.len(), 0);
    }
    assert_eq!(client.get::<i64>("k").await?, None, "nothing was sent");
    assert_eq!(pipeline.set("k", 1).ignore().incr("k").execute::<(i64,)>().await?, (2,));
    Ok(())
}

async fn results_go_under_their_keys<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.rpush("inbox", [1, 2, 3]).await?;
    client.rpush("outbox", [1]).await?;
    let lists = ["inbox", "outbox", "none"];
    for transaction in [true, false] {
        let mut pipeline = pipeline(&client, transaction);
        let queue = |pipeline: &mut Pipeline<S>| {
            let _ = pipeline.incr("n").ignore();
            for list in lists {
                pipeline.push(cmd::llen(list));
            }
        };
        queue(&mut pipeline);
        let lengths: HashMap<&str, u64> = pipeline.execute_zip(lists).await?;
        assert_eq!(lengths, HashMap::from([("inbox", 3), ("outbox", 1), ("none", 0)]));
        queue(&mut pipeline);
        let lengths: BTreeMap<String, u64> = pipeline.execute_zip(lists.map(str::to_owned)).await?;
        cx.saw("sorted", lengths);
        queue(&mut pipeline);
        let lengths: Vec<(usize, u64)> = pipeline.execute_zip(0..3).await?;
        assert_eq!(lengths, [(0, 3), (1, 1), (2, 0)]);
        let queued = pipeline.llen("inbox").incr("inbox");
        let zipped = queued.execute_zip::<_, u64, Vec<_>>(["a", "b"]).await;
        let error = failed(zipped)?;
        assert!(error.to_string().starts_with("command 2 of 2 (`INCR inbox`)"), "{error}");
    }
    Ok(())
}

async fn keys_that_do_not_fit_are_refused_before_anything_is_sent<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    let mut pipeline = client.pipeline();
    for keys in [vec![], vec!["a"], vec!["a", "b", "c"]] {
        let queued = pipeline.incr("n").incr("n").incr("n").ignore();
        let error = failed(queued.execute_zip::<_, i64, Vec<_>>(keys).await)?;
        assert_eq!(
            (error.kind(), error.delivery()),
            (ErrorKind::InvalidRequest, Delivery::NotSent)
        );
        cx.saw("keys", error);
        assert_eq!(pipeline.len(), 0);
    }
    assert_eq!(client.get::<i64>("n").await?, None, "nothing was sent");
    Ok(())
}

async fn commands_for_nobody_run_in_order_with_others<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    for n in 0..500 {
        client.fire_and_forget(cmd::rpush("l", [n]))?;
        if n % 50 == 0 {
            assert_eq!(client.rpush("l", ["x"]).await?, u64::try_from(n + n / 50 + 2)?);
        }
    }
    let script = Script::<i64>::new("return redis.call('rpush', KEYS[1], 'script')");
    client.fire_and_forget(script.key("l"))?;
    assert_eq!(client.llen("l").await?, 511);
    let list: Vec<String> = client.lrange("l", 0, -1).await?;
    let numbers = list.iter().filter_map(|text| text.parse::<i64>().ok());
    assert!(numbers.eq(0..500), "{list:?}");
    cx.until("nothing is under way", async || Ok(client.stats().in_flight == 0)).await?;
    Ok(())
}

async fn commands_for_nobody_that_fail_disturb_no_reply<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("text", "x").await?;
    for n in 0..100 {
        client.fire_and_forget(cmd::incr("text"))?;
        client.fire_and_forget(Cmd::<()>::raw("NO-SUCH-COMMAND"))?;
        assert_eq!(client.echo::<i64>(n).await?, n);
    }
    Ok(())
}

async fn commands_for_nobody_that_cannot_be_sent_are_refused<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    for name in ["SELECT", "SUBSCRIBE", "BLPOP", "MULTI"] {
        let error = failed(client.fire_and_forget(Cmd::<()>::raw(name).arg(1)))?;
        assert_eq!(
            (error.kind(), error.delivery()),
            (ErrorKind::InvalidRequest, Delivery::NotSent)
        );
        cx.saw(name, error);
    }
    cx.step("no room");
    let client = cx.client_with(|config| config.max_in_flight = 3)?;
    client.ping().await?;
    for n in 0.. {
        // Their replies make room again at any time.
        match client.fire_and_forget(cmd::incr("n")) {
            Ok(()) => {}
            Err(error) => {
                assert_eq!((error.kind(), error.delivery()), (ErrorKind::Limit, Delivery::NotSent));
                cx.until("they are answered", async || Ok(client.stats().in_flight == 0)).await?;
                assert_eq!(client.get::<i64>("n").await?, Some(n));
                return Ok(());
            }
        }
    }
    Ok(())
}

async fn commands_for_nobody_are_sent_before_the_last_client_goes<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let direct = cx.client()?;
    for warm in [true, false] {
        let client = cx.client()?;
        if warm {
            client.ping().await?;
        }
        for _ in 0..100 {
            client.fire_and_forget(cmd::incr(warm))?;
        }
        drop(client);
        cx.until("all of them ran", async || Ok(direct.get::<i64>(warm).await? == Some(100)))
            .await?;
    }
    Ok(())
}
