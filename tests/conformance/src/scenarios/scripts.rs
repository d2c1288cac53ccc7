//! Scripts that are sent by their hash.

use bytes::Bytes;
use redis_core::{
    Commands, Error, ErrorKind, Execute, Queue, QueueCommands, Result, Script, Value, cmd,
};
use testkit::servers::ServerOptions;

use crate::client::Client;
use crate::scenario::{Context, Failure, Outcome, Scenario, failed};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(script_is_sent_by_its_hash_and_whole_only_where_it_is_missing),
        Scenario::new(script_that_fails_has_run_once),
        Scenario::new(scripts_are_learnt_within_a_plain_pipeline),
        Scenario::new(scripts_are_learnt_within_a_transaction),
        Scenario::new(script_runs_while_keys_are_watched),
        Scenario::new(many_tasks_call_a_script_that_is_missing),
        Scenario::new(script_that_only_reads_is_refused_to_write).needs_command("EVALSHA_RO"),
        Scenario::new(server_that_lost_its_scripts_is_told_again),
        Scenario::new(large_keys_and_arguments_reach_the_script),
        Scenario::new(function_is_called_with_keys_and_arguments).needs_command("FCALL"),
    ]
}

fn add() -> Script<i64> {
    Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])")
}

/// How often the server was sent a hash, and how often a source, since the scenario began.
async fn calls<S: Subject>(client: &Client<S>) -> Result<[u64; 2], Failure> {
    let info = client.execute(cmd::info().sections("commandstats")).await?;
    let stats = info.command_stats()?;
    Ok(["evalsha", "eval"].map(|name| stats.get(name).map_or(0, |stats| stats.calls)))
}

async fn script_is_sent_by_its_hash_and_whole_only_where_it_is_missing<S: Subject>(
    cx: Context<S>,
) -> Outcome {
    let client = cx.client()?;
    client.script_flush().await?;
    let add = add();
    assert_eq!(client.execute(add.key("n").arg(5)).await?, 5);
    assert_eq!(calls(&client).await?, [1, 1]);
    assert_eq!(client.script_exists(add.sha1()).await?, [true]);
    for n in 6..9 {
        assert_eq!(client.execute(add.key("n").arg(1)).await?, n);
    }
    assert_eq!(calls(&client).await?, [4, 1]);
    cx.step("the reply's type");
    let error = failed(client.execute(Script::<i64>::new("return 'five'").call()).await)?;
    assert_eq!(error.kind(), ErrorKind::Decode);
    let both = Script::<(Bytes, i64)>::new("return {ARGV[1], #KEYS}");
    let reply = client.execute(both.keys(["a", "b"]).arg(&b"\xff\r\n"[..])).await?;
    assert_eq!(reply, (Bytes::from_static(b"\xff\r\n"), 2));
    Ok(())
}

async fn script_that_fails_has_run_once<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.script_flush().await?;
    let fails =
        Script::<Value>::new("redis.call('INCR', KEYS[1]) return redis.call('LPUSH', KEYS[1], 1)");
    for n in 1..=2 {
        let error = failed(client.execute(fails.key("n")).await)?;
        assert_eq!(error.kind(), ErrorKind::Server);
        assert_eq!(client.get::<i64>("n").await?, Some(n));
    }
    let error = failed(client.execute(Script::<Value>::new("this is no Lua").call()).await)?;
    assert_eq!(error.kind(), ErrorKind::Server);
    Ok(())
}

async fn scripts_are_learnt_within_a_plain_pipeline<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.script_flush().await?;
    let (add, get) = (add(), Script::<i64>::new("return redis.call('GET', KEYS[1])"));
    let mut pipeline = client.pipeline();
    pipeline.transaction(false);
    for round in 1..=2 {
        pipeline.set("n", 10).queue(add.key("n").arg(1)).queue(get.key("n"));
        pipeline.queue(add.key("n").arg(2)).incr("n");
        let replies: ((), i64, String, i64, i64) = pipeline.execute().await?;
        assert_eq!(replies, ((), 11, "11".to_owned(), 13, 14));
        // A pipeline can't look first: its first call of each script carries the source.
        assert_eq!(calls(&client).await?, [round, 2 * round]);
    }
    assert_eq!(client.execute(add.key("n").arg(1)).await?, 15);
    assert_eq!(calls(&client).await?, [3, 4]);
    Ok(())
}

async fn scripts_are_learnt_within_a_transaction<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.script_flush().await?;
    let add = add();
    let mut pipeline = client.pipeline();
    pipeline.queue(add.key("n").arg(1)).queue(add.key("n").arg(2)).queue(add.key("n").arg(3));
    assert_eq!(pipeline.execute::<[i64; 3]>().await?, [1, 3, 6]);
    assert_eq!(calls(&client).await?, [2, 1]);
    client.script_flush().await?;
    let batch = client.batch((add.key("n").arg(1), cmd::get::<i64>("n"), add.key("n").arg(1)));
    assert_eq!(batch.await?, (7, Some(7), 8));
    cx.step("one that fails is named by its source");
    let fails = Script::<i64>::new("return redis.call('LPUSH', KEYS[1], 1)");
    let mut pipeline = client.pipeline();
    let queued = pipeline.incr("m").queue(fails.key("n"));
    let error = failed(queued.execute::<(i64, i64)>().await)?;
    let text = error.to_string();
    let named = "command 2 of 2 (`EVAL return redis.call('LPUSH', KEYS[1], 1) 1 n`): ";
    assert!(text.starts_with(named), "{text}");
    Ok(())
}

async fn script_runs_while_keys_are_watched<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.script_flush().await?;
    let (add, get) = (add(), Script::<i64>::new("return tonumber(redis.call('GET', KEYS[1]))"));
    client.set("n", 1).await?;
    let mut watched = client.watch(&["n"]).await?;
    let n = watched.execute(get.key("n")).await?;
    assert_eq!(watched.multi().queue(add.key("n").arg(n)).execute::<(i64,)>().await?, (2,));
    client.script_flush().await?;
    let mut watched = client.watch(&["n"]).await?;
    let n = watched.execute(get.key("n")).await?;
    client.incr("n").await?;
    let changed = watched.multi().queue(add.key("n").arg(n)).execute::<(i64,)>().await;
    assert!(failed(changed)?.is_watch());
    assert_eq!(client.get::<i64>("n").await?, Some(3));
    Ok(())
}

async fn many_tasks_call_a_script_that_is_missing<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.script_flush().await?;
    let add = add();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (client, add) = (client.clone(), add.clone());
            cx.spawn(async move {
                for _ in 0..50 {
                    client.execute(add.key("n").arg(1)).await?;
                }
                Ok::<_, Error>(())
            })
        })
        .collect();
    for _ in 0..10 {
        client.script_flush().await?;
    }
    for task in tasks {
        task.await??;
    }
    assert_eq!(client.get::<i64>("n").await?, Some(400));
    Ok(())
}

async fn script_that_only_reads_is_refused_to_write<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.script_flush().await?;
    client.set("k", "v").await?;
    let get = Script::<String>::new("return redis.call('GET', KEYS[1])").read_only();
    assert_eq!(client.execute(get.key("k")).await?, "v");
    assert_eq!(client.execute(get.key("k")).await?, "v");
    assert_eq!(calls(&client).await?, [0, 0], "the read-only forms are other commands");
    let mut pipeline = client.pipeline();
    let replies = pipeline.queue(get.key("k")).queue(get.key("k")).execute::<[String; 2]>().await?;
    assert_eq!(replies, ["v", "v"]);
    let error = failed(client.execute(add().read_only().key("n").arg(1)).await)?;
    assert_eq!((error.kind(), client.exists("n").await?), (ErrorKind::Server, 0));
    Ok(())
}

async fn server_that_lost_its_scripts_is_told_again<S: Subject>(cx: Context<S>) -> Outcome {
    let mut own = cx.start_server(ServerOptions::new())?;
    let client = own.client::<S>()?;
    let add = add();
    assert_eq!(client.execute(add.key("n").arg(1)).await?, 1);
    own.server.kill()?;
    own.server.restart()?;
    cx.until("it is connected again", async || Ok(client.ping().await.is_ok())).await?;
    assert_eq!(client.execute(add.key("n").arg(1)).await?, 1);
    Ok(())
}

async fn large_keys_and_arguments_reach_the_script<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.script_flush().await?;
    let large = Bytes::from(vec![b'x'; 100_000]);
    let sizes = Script::<Vec<i64>>::new("return {#KEYS[1], #KEYS[2], #ARGV[1], #ARGV[2]}");
    let call = || sizes.key("k").key(&large).arg(&large).arg("");
    for _ in 0..2 {
        assert_eq!(client.execute(call()).await?, [1, 100_000, 100_000, 0]);
    }
    let queued = client.pipeline().queue(call()).queue(call()).execute::<[Vec<i64>; 2]>().await?;
    assert_eq!(queued[0], queued[1]);
    Ok(())
}

async fn function_is_called_with_keys_and_arguments<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new())?;
    let client = own.client::<S>()?;
    let code = "#!lua name=sums\nredis.register_function('add', \
                function(keys, args) return redis.call('INCRBY', keys[1], args[1]) end)";
    assert_eq!(client.function_load(code).await?, "sums");
    assert_eq!(client.fcall::<i64>("add", ["n"], [2]).await?, 2);
    let mut pipeline = client.pipeline();
    let replies = pipeline.fcall("add", ["n"], [3]).incr("n").execute::<(i64, i64)>().await?;
    assert_eq!(replies, (5, 6));
    Ok(())
}
