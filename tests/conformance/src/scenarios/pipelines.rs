//! Pipelines: what is sent, in which order, and how replies and errors come back.

use std::time::Duration;

use bytes::Bytes;
use redis_core::{
    Cmd, Commands, Config, Delivery, Endpoint, Error, ErrorKind, Execute, QueueCommands, Value, cmd,
};
use testkit::faulty::Direction::ToClient;
use testkit::faulty::Flow;
use testkit::servers::ServerOptions;

use super::blocking::{SHORT, outlives_the_usual_deadline};
use crate::client::Client;
use crate::scenario::{Context, Failure, LONG, Outcome, Scenario, TICK, failed, open};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(nothing_is_sent_before_execute),
        Scenario::new(commands_of_a_pipeline_do_not_wait_for_replies).over_tcp(),
        Scenario::new(pipeline_is_one_transaction_by_default),
        Scenario::new(pipeline_without_transaction_sends_its_commands_alone),
        Scenario::new(results_have_each_the_type_that_is_asked_for),
        Scenario::new(replies_come_in_the_order_of_the_commands),
        Scenario::new(pipeline_is_empty_after_execute_and_can_be_used_again),
        Scenario::new(len_counts_what_is_queued_and_clear_empties_it),
        Scenario::new(empty_pipeline_returns_empty_without_a_round_trip),
        Scenario::new(first_error_names_its_position_command_and_text),
        Scenario::new(long_command_is_shortened_in_its_error),
        Scenario::new(commands_around_a_failed_one_have_run),
        Scenario::new(execute_all_has_errors_in_their_places),
        Scenario::new(command_refused_while_queueing_is_the_error_and_nothing_is_applied),
        Scenario::new(reply_that_does_not_convert_fails_alone_and_keeps_step),
        Scenario::new(count_of_results_must_fit_the_replies),
        Scenario::new(one_connection_stays_in_step_after_every_kind_of_failure),
        Scenario::new(transaction_without_the_right_to_multi_says_what_became_of_it),
        Scenario::new(pipelines_beyond_the_limits_of_a_connection_take_turns),
        Scenario::new(twenty_thousand_commands_go_in_one_pipeline),
        Scenario::new(large_values_go_both_ways_in_one_pipeline),
        Scenario::new(batch_infers_its_tuple),
        Scenario::new(stateful_command_in_a_pipeline_is_refused_by_its_position),
        Scenario::new(atomic_pipelines_of_many_tasks_do_not_mix),
        Scenario::new(blocking_command_in_a_transaction_does_not_block),
        Scenario::new(blocking_command_in_a_plain_pipeline_waits),
    ]
}

/// How often the server has run MULTI, EXEC and PING since the scenario began.
async fn calls<S: Subject>(client: &Client<S>) -> Result<[u64; 3], Failure> {
    let info = client.execute(cmd::info().sections("commandstats")).await?;
    let stats = info.command_stats()?;
    Ok(["multi", "exec", "ping"].map(|name| stats.get(name).map_or(0, |stats| stats.calls)))
}

async fn nothing_is_sent_before_execute<S: Subject>(cx: Context<S>) -> Outcome {
    let (client, other) = (cx.client()?, cx.client()?);
    for transaction in [true, false] {
        let mut pipeline = client.pipeline();
        for _ in 0..1_000 {
            let _ = pipeline.transaction(transaction).incr("n").ping();
        }
        // The connection that a pipeline would use does something else meanwhile.
        client.set("beside", 1).await?;
        assert_eq!(other.get::<i64>("n").await?, None);
        assert_eq!(calls(&other).await?, [0, 0, 0]);
        drop(pipeline);
    }
    assert_eq!(calls(&client).await?, [0, 0, 0]);
    Ok(())
}

async fn commands_of_a_pipeline_do_not_wait_for_replies<S: Subject>(cx: Context<S>) -> Outcome {
    let (proxy, direct) = (cx.proxy()?, cx.client()?);
    let client = proxy.client::<S>()?;
    client.ping().await?;
    for (key, transaction) in [("one", true), ("two", false)] {
        proxy.flow(ToClient, Flow::Hold);
        let mut pipeline = client.pipeline();
        pipeline.transaction(transaction);
        for _ in 0..100 {
            let _ = pipeline.incr(key);
        }
        let task = cx.spawn(async move { pipeline.execute::<Vec<i64>>().await });
        cx.until("all of them ran", async || Ok(direct.get::<i64>(key).await? == Some(100)))
            .await?;
        assert!(!task.is_done(), "no reply has come");
        proxy.heal();
        cx.step("waiting for the replies");
        assert_eq!(task.await??, (1..=100).collect::<Vec<_>>());
    }
    Ok(())
}

async fn pipeline_is_one_transaction_by_default<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.pipeline().ping().ping().execute::<()>().await?;
    assert_eq!(calls(&client).await?, [1, 1, 2]);
    client.batch((cmd::ping(), cmd::ping())).await?;
    assert_eq!(calls(&client).await?, [2, 2, 4]);
    Ok(())
}

async fn pipeline_without_transaction_sends_its_commands_alone<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    let mut pipeline = client.pipeline();
    pipeline.transaction(false);
    for _ in 0..2 {
        pipeline.ping().ping().execute::<()>().await?;
    }
    assert_eq!(calls(&client).await?, [0, 0, 4]);
    cx.step("and back on");
    pipeline.transaction(true).ping().execute::<()>().await?;
    assert_eq!(calls(&client).await?, [1, 1, 5]);
    Ok(())
}

async fn results_have_each_the_type_that_is_asked_for<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("auto_number", 5).await?;
    for transaction in [true, false] {
        let mut pipeline = client.pipeline();
        pipeline.transaction(transaction);
        let (_, added, number): ((), i64, i64) =
            pipeline.set("foo", "bar").sadd("faz", ["baz"]).incr("auto_number").execute().await?;
        cx.saw("tuple", (added, number));
        let values: Vec<Value> = pipeline.get("foo").get("none").scard("faz").execute().await?;
        cx.saw("values", values);
        let texts: Vec<Option<String>> = pipeline.get("foo").get("none").execute().await?;
        assert_eq!(texts, [Some("bar".to_owned()), None]);
        let numbers: [i64; 2] = pipeline.scard("faz").strlen("foo").execute().await?;
        assert_eq!(numbers, [1, 3]);
        pipeline.set("foo", "bar").execute::<()>().await?;
    }
    Ok(())
}

async fn replies_come_in_the_order_of_the_commands<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    for transaction in [true, false] {
        let mut pipeline = client.pipeline();
        pipeline.transaction(transaction);
        for n in 0..500 {
            pipeline.push(cmd::echo::<i64>(n));
        }
        let numbers: Vec<i64> = pipeline.execute().await?;
        assert_eq!(numbers, (0..500).collect::<Vec<_>>());
    }
    Ok(())
}

async fn pipeline_is_empty_after_execute_and_can_be_used_again<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    let mut pipeline = client.pipeline();
    assert_eq!(pipeline.incr("n").execute::<(i64,)>().await?, (1,));
    assert_eq!(pipeline.len(), 0);
    assert!(pipeline.execute::<Vec<i64>>().await?.is_empty());
    assert_eq!(pipeline.incr("n").incr("n").execute::<(i64, i64)>().await?, (2, 3));
    cx.step("after an error");
    failed(pipeline.lpush("n", "x").execute::<()>().await)?;
    assert_eq!(pipeline.len(), 0);
    assert_eq!(pipeline.incr("n").execute::<(i64,)>().await?, (4,));
    Ok(())
}

async fn len_counts_what_is_queued_and_clear_empties_it<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pipeline = client.pipeline();
    assert_eq!(pipeline.len(), 0);
    pipeline.set("k", 1).incr("k");
    assert_eq!(pipeline.len(), 2);
    pipeline.clear();
    assert_eq!(pipeline.len(), 0);
    pipeline.execute::<()>().await?;
    assert_eq!(client.get::<i64>("k").await?, None);
    Ok(())
}

async fn empty_pipeline_returns_empty_without_a_round_trip<S: Subject>(cx: Context<S>) -> Outcome {
    let mut config = Config::default();
    config.endpoint = Endpoint::Unix("/nowhere/socket".into());
    let client = open::<S>(config)?;
    for transaction in [true, false] {
        let mut pipeline = client.pipeline();
        pipeline.transaction(transaction);
        assert_eq!(pipeline.execute::<Vec<Value>>().await?, []);
        assert!(pipeline.execute_all().await?.is_empty());
        pipeline.execute::<()>().await?;
        cx.saw("wants one", failed(pipeline.execute::<(i64,)>().await)?);
    }
    Ok(())
}

async fn first_error_names_its_position_command_and_text<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("text", "x").await?;
    for transaction in [true, false] {
        let mut pipeline = client.pipeline();
        pipeline.transaction(transaction);
        let queued = pipeline.set("a", 1).lpush("text", "y").incr("text").set("b", 2);
        let error = failed(queued.execute::<()>().await)?;
        assert_eq!(error.code(), Some("WRONGTYPE"));
        assert_eq!((error.kind(), error.delivery()), (ErrorKind::Server, Delivery::Replied));
        let shown = error.to_string();
        assert!(shown.contains("command 2 of 4") && shown.contains("LPUSH text y"), "{shown}");
        cx.saw("error", error);
    }
    Ok(())
}

async fn long_command_is_shortened_in_its_error<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("text", "x").await?;
    let error = failed(client.pipeline().lpush("text", "é".repeat(9_999)).execute::<()>().await)?;
    let shown = error.to_string();
    let command = shown.split('`').nth(1).unwrap_or_default();
    assert_eq!(command.chars().count(), 103, "{shown}");
    assert!(command.ends_with("..."));
    cx.saw("shortened", error);
    Ok(())
}

async fn commands_around_a_failed_one_have_run<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    for (key, transaction) in [("one", true), ("two", false)] {
        let mut pipeline = client.pipeline();
        pipeline.transaction(transaction);
        let queued = pipeline.set(key, 1).lpush(key, "x").incr(key);
        failed(queued.execute::<()>().await)?;
        assert_eq!(client.get::<i64>(key).await?, Some(2));
    }
    Ok(())
}

async fn execute_all_has_errors_in_their_places<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    for transaction in [true, false] {
        let mut pipeline = client.pipeline();
        pipeline.transaction(transaction);
        let queued = pipeline.set("k", 1).lpush("k", "x").get("k").hget("k", "f").incr("k");
        let all = queued.execute_all().await?;
        let failures: Vec<_> = all.iter().map(Result::is_err).collect();
        assert_eq!(failures, [false, true, false, true, false]);
        cx.saw("all", all);
        client.ping().await?;
    }
    Ok(())
}

async fn command_refused_while_queueing_is_the_error_and_nothing_is_applied<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    for round in ["execute", "execute_all"] {
        let mut pipeline = client.pipeline();
        let _ = pipeline.set("k", 1);
        pipeline.push(Cmd::<()>::raw("NO-SUCH-COMMAND").arg("x"));
        let _ = pipeline.incr("k");
        pipeline.push(Cmd::<()>::raw("GET"));
        let error = match round {
            "execute" => failed(pipeline.execute::<()>().await)?,
            _ => failed(pipeline.execute_all().await)?,
        };
        assert_eq!((error.kind(), error.delivery()), (ErrorKind::Server, Delivery::Replied));
        let shown = error.to_string();
        assert!(shown.contains("command 2 of 4") && !shown.contains("EXECABORT"), "{shown}");
        cx.saw(round, error);
        assert_eq!(client.get::<i64>("k").await?, None, "nothing is applied");
    }
    client.pipeline().ping().execute::<()>().await?;
    Ok(())
}

async fn reply_that_does_not_convert_fails_alone_and_keeps_step<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    for transaction in [true, false] {
        let mut pipeline = client.pipeline();
        pipeline.transaction(transaction);
        let queued = pipeline.set("k", "text").get("k").set("l", "end");
        let error = failed(queued.execute::<((), i64, ())>().await)?;
        assert_eq!((error.kind(), error.delivery()), (ErrorKind::Decode, Delivery::Replied));
        assert!(error.to_string().contains("command 2 of 3"), "{error}");
        cx.saw("error", error);
        assert_eq!(client.get::<String>("l").await?.as_deref(), Some("end"));
        let error = failed(pipeline.get("none").get("k").execute::<(String, String)>().await)?;
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert_eq!(client.echo::<i64>(7).await?, 7);
    }
    Ok(())
}

async fn count_of_results_must_fit_the_replies<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pipeline = client.pipeline();
    let error = failed(pipeline.incr("n").incr("n").execute::<(i64, i64, i64)>().await)?;
    assert_eq!(error.kind(), ErrorKind::Decode);
    cx.saw("too many", error);
    cx.saw("too few", failed(pipeline.incr("n").incr("n").execute::<[i64; 1]>().await)?);
    assert_eq!(client.get::<i64>("n").await?, Some(4));
    Ok(())
}

async fn one_connection_stays_in_step_after_every_kind_of_failure<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    client.rpush("list", ["a", "b", "c"]).await?;
    let id = client.client_id().await?;
    let in_step = async |what: &str| {
        cx.step(what);
        for n in 0..3 {
            assert_eq!(client.echo::<i64>(n).await?, n, "{what}");
        }
        assert_eq!(client.client_id().await?, id, "{what}");
        Ok::<_, Failure>(())
    };
    for transaction in [true, false] {
        let mut pipeline = client.pipeline();
        pipeline.transaction(transaction);
        failed(pipeline.incr("list").get("list").ping().execute::<()>().await)?;
        in_step("errors of the server").await?;
        let queued = pipeline.incr("list").ping().incr("list");
        assert_eq!(queued.execute_all().await?.iter().filter(|reply| reply.is_err()).count(), 2);
        in_step("errors in their places").await?;
        let queued = pipeline.lrange("list", 0, -1).echo("x").ping();
        failed(queued.execute::<(Vec<i64>, String, ())>().await)?;
        in_step("an element that does not convert").await?;
        let queued = pipeline.lrange("list", 0, -1).echo("x");
        failed(queued.execute::<(i64, i64)>().await)?;
        in_step("a list that is no number").await?;
        failed(pipeline.ping().ping().execute::<(String, String, String)>().await)?;
        in_step("too few replies").await?;
        failed(pipeline.ping().ping().execute::<[String; 1]>().await)?;
        in_step("too many replies").await?;
        pipeline.push(Cmd::<()>::raw("GET"));
        pipeline.push(Cmd::<()>::raw("NO-SUCH-COMMAND").args(["many", "words"]));
        failed(pipeline.ping().execute::<()>().await)?;
        in_step("refused by the server").await?;
        pipeline.push(Cmd::<()>::raw("SELECT").arg(1));
        failed(pipeline.ping().execute::<()>().await)?;
        in_step("refused before it was sent").await?;
    }
    failed(client.batch((cmd::incr("list"), cmd::get::<i64>("list"))).await)?;
    in_step("a batch").await?;
    failed(client.get::<i64>("list").await)?;
    failed(client.lrange::<i64>("list", 0, -1).await)?;
    in_step("single commands").await
}

async fn transaction_without_the_right_to_multi_says_what_became_of_it<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let own = cx.start_server(ServerOptions::new())?;
    let admin = own.client::<S>()?;
    let user = ["plain", "on", ">pw", "~*", "+@all", "-multi"];
    admin.execute(Cmd::<()>::raw("ACL SETUSER").args(user)).await?;
    let client = own.client_with::<S>(|config| {
        config.username = Some("plain".into());
        config.password = Some("pw".into());
        config.pool_size = 1;
    })?;
    let told = |error: &Error, n: i64| {
        assert_eq!((error.code(), error.delivery()), (Some("NOPERM"), Delivery::Replied));
        assert!(error.to_string().contains("MULTI was refused"), "{n}: {error}");
    };
    let error = failed(client.pipeline().incr("n").incr("n").execute::<()>().await)?;
    told(&error, 2);
    cx.saw("pipeline", &error);
    assert_eq!(client.get::<i64>("n").await?, Some(2), "they ran, as the error says");
    cx.step("with a watch, which EXEC does not end then");
    let watched = client.watch(&["k"]).await?;
    told(&failed(watched.multi().incr("n").execute::<()>().await)?, 3);
    admin.execute(Cmd::<()>::raw("ACL SETUSER").args(["plain", "+multi"])).await?;
    admin.incr("k").await?;
    let watched = client.watch(&["other"]).await?;
    assert_eq!(watched.multi().incr("n").execute::<(i64,)>().await?, (4,));
    assert_eq!(client.pipeline().incr("n").execute::<(i64,)>().await?, (5,));
    Ok(())
}

async fn pipelines_beyond_the_limits_of_a_connection_take_turns<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client_with(|config| {
        config.max_in_flight = 1;
        config.max_unsent = 100;
    })?;
    let tasks: Vec<_> = (0..6)
        .map(|task| {
            let client = client.clone();
            cx.spawn(async move {
                let mut pipeline = client.pipeline();
                pipeline.transaction(task % 2 == 0);
                for n in 0..2_000 {
                    pipeline.push(cmd::echo::<i64>(task * 10_000 + n));
                }
                pipeline.execute::<Vec<i64>>().await
            })
        })
        .collect();
    for (task, replies) in (0..).zip(tasks) {
        cx.step(format!("the pipeline of task {task}"));
        let expected: Vec<_> = (0..2_000).map(|n| task * 10_000 + n).collect();
        assert!(replies.await?? == expected, "task {task}");
    }
    Ok(())
}

async fn twenty_thousand_commands_go_in_one_pipeline<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    for transaction in [true, false] {
        cx.step(format!("transaction {transaction}"));
        let mut pipeline = client.pipeline();
        pipeline.transaction(transaction);
        for n in 0..10_000 {
            pipeline.push(cmd::set(format!("key:{n}"), n));
            pipeline.push(cmd::incr("sum"));
        }
        assert_eq!(pipeline.len(), 20_000);
        let all: Vec<Value> = pipeline.execute().await?;
        assert_eq!(all.len(), 20_000);
        let last = if transaction { 10_000 } else { 20_000 };
        assert_eq!(all[19_999], Value::Integer(last));
    }
    assert_eq!(client.dbsize().await?, 10_001);
    Ok(())
}

async fn large_values_go_both_ways_in_one_pipeline<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let value = |n: u8| vec![n; 256 * 1024];
    for transaction in [true, false] {
        cx.step(format!("transaction {transaction}"));
        let mut pipeline = client.pipeline();
        pipeline.transaction(transaction);
        // What comes back is more than any socket holds while it is still being written.
        for n in 0..32_u8 {
            pipeline.push(cmd::set(format!("k{n}"), Bytes::from(value(n))));
            pipeline.push(cmd::get::<Bytes>(format!("k{n}")));
        }
        let all: Vec<Value> = pipeline.execute().await?;
        assert_eq!(all.len(), 64);
        for n in 0..32_u8 {
            let reply = &all[2 * usize::from(n) + 1];
            assert!(reply.as_bytes() == Some(&value(n)[..]), "value {n}");
        }
    }
    client.ping().await?;
    Ok(())
}

async fn batch_infers_its_tuple<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let (_, value, number) =
        client.batch((cmd::set("k", "v"), cmd::get::<String>("k"), cmd::incr("j"))).await?;
    assert_eq!((value.as_deref(), number), (Some("v"), 1));
    let error = failed(client.batch((cmd::incr("j"), cmd::incr("k"))).await)?;
    assert_eq!(error.code(), Some("ERR"));
    cx.saw("error", error);
    Ok(())
}

async fn stateful_command_in_a_pipeline_is_refused_by_its_position<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    let mut pipeline = client.pipeline();
    for name in ["SELECT", "MULTI", "SUBSCRIBE", "WATCH"] {
        let _ = pipeline.set("k", 1);
        pipeline.push(Cmd::<()>::raw(name).arg(1));
        let error = failed(pipeline.execute::<()>().await)?;
        assert_eq!(
            (error.kind(), error.delivery()),
            (ErrorKind::InvalidRequest, Delivery::NotSent)
        );
        assert!(error.to_string().contains("command 2"), "{error}");
        cx.saw(name, error);
        assert_eq!(pipeline.len(), 0);
    }
    assert_eq!(client.get::<i64>("k").await?, None, "nothing was sent");
    pipeline.set("k", 1).execute::<()>().await?;
    Ok(())
}

async fn atomic_pipelines_of_many_tasks_do_not_mix<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let tasks: Vec<_> = (0..20)
        .map(|task| {
            let client = client.clone();
            cx.spawn(async move {
                for _ in 0..20 {
                    let mut pipeline = client.pipeline();
                    for _ in 0..10 {
                        pipeline.push(cmd::incr("shared"));
                    }
                    pipeline.push(cmd::echo::<i64>(task));
                    let mut all: Vec<i64> = pipeline.execute().await?;
                    assert_eq!(all.pop(), Some(task));
                    // Nobody else was in between.
                    assert_eq!(all, (all[0]..all[0] + 10).collect::<Vec<_>>());
                }
                Ok::<_, redis_core::Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    assert_eq!(client.get::<i64>("shared").await?, Some(4_000));
    Ok(())
}

async fn blocking_command_in_a_transaction_does_not_block<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let popped: (Value, i64) = client.pipeline().blpop(["none"], None).incr("n").execute().await?;
    assert_eq!(popped, (Value::Null, 1));
    Ok(())
}

async fn blocking_command_in_a_plain_pipeline_waits<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let mut pipeline = client.pipeline();
    pipeline.transaction(false);
    let wait = Duration::from_millis(100);
    let queued = pipeline.blpop(["none"], wait).incr("n");
    let (popped, took) = cx.timed(queued.execute::<(Option<(String, String)>, i64)>()).await;
    assert_eq!(popped?, (None, 1));
    assert!(took + TICK >= wait, "{took:?}");
    cx.step("for longer than the usual deadline, which comes on top");
    let patient = cx.client_with(|config| config.command_timeout = Some(SHORT))?;
    let waiting = cx.spawn(async move {
        let mut pipeline = patient.pipeline();
        let queued = pipeline.transaction(false).blpop(["l"], LONG).incr("n");
        queued.execute::<(Option<(String, String)>, i64)>().await
    });
    outlives_the_usual_deadline(&cx, &client, &waiting).await?;
    client.rpush("l", "late").await?;
    assert_eq!(waiting.await??, (Some(("l".to_owned(), "late".to_owned())), 2));
    Ok(())
}
