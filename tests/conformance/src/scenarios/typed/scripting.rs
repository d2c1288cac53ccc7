//! Scripts and functions of the server.

use bytes::Bytes;
use redis_core::types::{FunctionFlag, FunctionLibrary};
use redis_core::{Commands, Error, Execute, Value, cmd};
use testkit::servers::ServerOptions;

use crate::scenario::{Context, Outcome, Scenario, failed};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(scripts_are_known_shown_and_forgotten),
        Scenario::new(running_script_and_function_are_killed),
        Scenario::new(functions_are_listed_and_called).needs_command("FUNCTION LIST"),
        Scenario::new(functions_are_dumped_and_restored).needs_command("FUNCTION DUMP"),
    ]
}

async fn scripts_are_known_shown_and_forgotten<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let script = "return {KEYS[1], ARGV[1]}";
    let sha = client.script_load(script).await?;
    assert_eq!(client.script_exists([&*sha, "none"]).await?, [true, false]);
    let both = ("k".to_owned(), "a".to_owned());
    assert_eq!(client.eval::<(String, String)>(script, ["k"], ["a"]).await?, both);
    assert_eq!(client.evalsha::<(String, String)>(&sha, ["k"], ["a"]).await?, both);
    if cx.has("EVAL_RO") {
        cx.step("scripts that only read");
        assert_eq!(client.eval_ro::<(String, String)>(script, ["k"], ["a"]).await?, both);
        assert_eq!(client.evalsha_ro::<(String, String)>(&sha, ["k"], ["a"]).await?, both);
        let writes = "return redis.call('SET', KEYS[1], 1)";
        cx.saw("write", failed(client.eval_ro::<Value>(writes, ["k"], [""; 0]).await)?);
    }
    if cx.has("SCRIPT SHOW") {
        assert_eq!(client.script_show::<String>(&sha).await?, script);
        let error = failed(client.script_show::<String>("0".repeat(40)).await)?;
        assert_eq!(error.code(), Some("NOSCRIPT"));
    }
    cx.step("SCRIPT FLUSH");
    client.execute(cmd::script_flush().synchronous()).await?;
    assert_eq!(client.script_exists(&sha).await?, [false]);
    client.script_load(script).await?;
    client.execute(cmd::script_flush().asynchronous()).await?;
    client.script_flush().await?;
    assert_eq!(client.script_exists(&sha).await?, [false]);
    assert_eq!(failed(client.script_kill().await)?.code(), Some("NOTBUSY"));
    assert!(client.script_help().await?.iter().any(|line| line.starts_with("EXISTS")));
    Ok(())
}

async fn running_script_and_function_are_killed<S: Subject>(cx: Context<S>) -> Outcome {
    let server = cx.start_server(ServerOptions::new())?;
    // On a connection that both share the order to stop would wait for what it is to stop.
    let (runs, watches) = (server.client::<S>()?, server.client::<S>()?);
    watches.config_set([("lua-time-limit", 5)]).await?;
    let spinning = {
        let runs = runs.clone();
        cx.spawn(async move { runs.eval::<Value>("while true do end", [""; 0], [""; 0]).await })
    };
    cx.until("the script runs and is killed", async || killed(watches.script_kill().await)).await?;
    assert_eq!(failed(spinning.await?)?.code(), Some("ERR"));

    if !cx.has("FUNCTION KILL") {
        return Ok(());
    }
    assert_eq!(failed(watches.function_kill().await)?.code(), Some("NOTBUSY"));
    let code = "#!lua name=slow\nredis.register_function{function_name='spin', \
                callback=function() while true do end end, flags={'no-writes'}}";
    watches.function_load(code).await?;
    let spinning =
        cx.spawn(
            async move { runs.execute(cmd::fcall_ro::<Value>("spin", ["k"], ["a", "b"])).await },
        );
    cx.until("the function runs", async || match watches.function_stats().await {
        Ok(stats) => Ok(stats.running_script.is_some()),
        Err(error) if error.code() == Some("BUSY") => Ok(false),
        Err(error) => Err(error),
    })
    .await?;
    let stats = watches.function_stats().await?;
    let running = stats.running_script.ok_or("nothing runs")?;
    assert_eq!(running.command, ["FCALL_RO", "spin", "1", "k", "a", "b"]);
    cx.saw("running", (running.name, running.command, running.other, stats.engines));
    cx.until("it is killed", async || killed(watches.function_kill().await)).await?;
    assert_eq!(failed(spinning.await?)?.code(), Some("ERR"));
    Ok(())
}

/// Whether it was there to be killed.
fn killed(result: Result<(), Error>) -> Result<bool, Error> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.code() == Some("NOTBUSY") => Ok(false),
        Err(error) => Err(error),
    }
}

const CODE: &str = "#!lua name=mine\n\
    redis.register_function{function_name='mine_says', callback=function(keys, args) return args[1] end, \
    flags={'no-writes', 'allow-stale'}, description='says it'}\n\
    redis.register_function('mine_counts', function(keys) return #keys end)";

/// The libraries in an order that does not change.
fn sorted(mut libraries: Vec<FunctionLibrary>) -> Vec<FunctionLibrary> {
    libraries.iter_mut().for_each(|library| library.functions.sort_by(|a, b| a.name.cmp(&b.name)));
    libraries.sort_by(|a, b| a.library_name.cmp(&b.library_name));
    libraries
}

async fn functions_are_listed_and_called<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.execute(cmd::function_flush().synchronous()).await?;
    assert_eq!(client.function_load(CODE).await?, "mine");
    cx.saw("twice", failed(client.function_load(CODE).await)?);
    assert_eq!(client.execute(cmd::function_load(CODE).replace()).await?, "mine");

    let libraries = sorted(client.function_list().await?);
    let [library] = &libraries[..] else { return Err(format!("{libraries:?}").into()) };
    assert_eq!((&*library.library_name, &*library.engine), ("mine", "LUA"));
    assert_eq!((&library.library_code, library.other.len()), (&None, 0));
    let [counts, says] = &library.functions[..] else { return Err(format!("{library:?}").into()) };
    assert_eq!((&*counts.name, &counts.description, counts.flags.len()), ("mine_counts", &None, 0));
    assert_eq!((&*says.name, says.description.as_deref()), ("mine_says", Some("says it")));
    assert_eq!(says.flags.len(), 2);
    assert!(says.flags.contains(&FunctionFlag::NoWrites));
    assert!(says.flags.contains(&FunctionFlag::AllowStale));
    cx.step("FUNCTION LIST with its options");
    let with_code = client.execute(cmd::function_list().library("m*").with_code()).await?;
    assert_eq!(with_code[0].library_code.as_deref(), Some(CODE));
    assert_eq!(client.execute(cmd::function_list().library("none")).await?, []);

    cx.step("FCALL");
    assert_eq!(client.fcall::<String>("mine_says", ["k"], ["hi"]).await?, "hi");
    assert_eq!(client.fcall_ro::<String>("mine_says", [""; 0], ["hi"]).await?, "hi");
    assert_eq!(client.fcall::<u64>("mine_counts", ["{k}1", "{k}2"], [""; 0]).await?, 2);
    cx.saw("may write", failed(client.fcall_ro::<u64>("mine_counts", [""; 0], [""; 0]).await)?);
    let stats = client.function_stats().await?;
    assert_eq!(stats.running_script, None);
    let lua = &stats.engines["LUA"];
    assert_eq!((lua.libraries_count, lua.functions_count), (1, 2));
    cx.saw("FUNCTION STATS", stats);
    assert!(client.function_help().await?.iter().any(|line| line.starts_with("DELETE")));

    client.function_delete("mine").await?;
    cx.saw("deleted", failed(client.function_delete("mine").await)?);
    Ok(())
}

async fn functions_are_dumped_and_restored<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.execute(cmd::function_flush().asynchronous()).await?;
    client.function_load(CODE).await?;
    let dump: Bytes = client.function_dump().await?;
    let loaded = sorted(client.function_list().await?);
    cx.saw("there already", failed(client.function_restore(&dump).await)?);
    cx.saw("append", failed(client.execute(cmd::function_restore(&dump).append()).await)?);
    client.execute(cmd::function_restore(&dump).replace()).await?;
    client.execute(cmd::function_restore(&dump).flush()).await?;
    assert_eq!(sorted(client.function_list().await?), loaded);
    client.function_flush().await?;
    assert_eq!(client.function_list().await?, []);
    client.execute(cmd::function_restore(&dump).append()).await?;
    assert_eq!(sorted(client.function_list().await?), loaded);
    client.function_flush().await?;
    Ok(())
}
