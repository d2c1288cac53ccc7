//! The server itself: users, commands, memory, logs, replication, and its end.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis_core::cmd::{self, CommandLogType};
use redis_core::types::{
    AclContext, AclReason, AclVerdict, HotKeysMetrics, KeyFlag, LinkState, Role,
};
use redis_core::{Cmd, Commands, ErrorKind, Execute, slot_of};
use testkit::servers::ServerOptions;

use crate::client::Client;
use crate::scenario::{Context, Outcome, Scenario, failed, since};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(users_are_made_told_and_refused),
        Scenario::new(commands_tell_of_themselves),
        Scenario::new(reports_of_the_server_have_types),
        Scenario::new(slow_commands_are_remembered),
        Scenario::new(large_commands_are_remembered)
            .needs("COMMANDLOG", |server| server.name == "valkey" && since(server, 8, 1)),
        Scenario::new(latency_is_watched),
        Scenario::new(data_is_saved_exchanged_and_flushed),
        Scenario::new(modules_are_listed_and_refused),
        Scenario::new(hot_keys_are_measured).needs_command("HOTKEYS GET"),
        Scenario::new(slots_are_trimmed).needs_command("TRIMSLOTS"),
        Scenario::new(replicas_follow_and_take_over),
        Scenario::new(a_server_ends_when_it_is_told_to),
    ]
}

/// A file that is gone with this value.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> std::io::Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = format!("{name}-{}-{}", std::process::id(), now.as_nanos());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, "")?;
        Ok(Self(path))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // What is left in the system's folder for such files does no harm.
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn users_are_made_told_and_refused<S: Subject>(cx: Context<S>) -> Outcome {
    let file = File::new("users.acl")?;
    let own = cx.start_server(ServerOptions::new().arg("--aclfile").arg(&file.0))?;
    let client = own.client::<S>()?;
    let new = since(cx.installed(), 7, 0);
    assert_eq!(client.acl_whoami().await?, "default");
    client
        .acl_setuser("reader", ["on", ">pw", "+get", "~a*", "~b*", "resetchannels", "&c*"])
        .await?;
    client.acl_setuser("empty", [""; 0]).await?;
    let reader = client.acl_getuser("reader").await?.ok_or("no such user")?;
    assert!(reader.is_on() && !reader.flags.contains(&"nopass".to_owned()));
    assert_eq!((reader.passwords.len(), &*reader.commands), (1, "-@all +get"));
    assert_eq!(
        (&reader.keys[..], &reader.channels[..]),
        (&["~a*".into(), "~b*".into()][..], &["&c*".into()][..])
    );
    assert_eq!(reader.other.len(), 0);
    cx.saw("user", &reader);
    assert_eq!(client.acl_getuser("nobody").await?, None);
    assert_eq!(client.acl_users().await?, ["default", "empty", "reader"]);
    let listed = client.acl_list().await?;
    assert!(listed.iter().any(|line| line.starts_with("user reader on ")), "{listed:?}");
    if new {
        cx.step("selectors");
        client.acl_setuser("empty", ["%R~r*", "(+set ~z*)"]).await?;
        let user = client.acl_getuser("empty").await?.ok_or("no such user")?;
        assert_eq!((user.keys, user.selectors.len()), (vec!["%R~r*".into()], 1));
        assert_eq!(
            (&*user.selectors[0].commands, &user.selectors[0].keys[0][..]),
            ("-@all +set", &b"~z*"[..])
        );
        assert_eq!(client.acl_dryrun("reader", "get", ["a"]).await?, AclVerdict::Allowed);
        let verdict = client.acl_dryrun("reader", "set", ["a", "b"]).await?;
        assert!(matches!(verdict, AclVerdict::Denied(_)));
        cx.saw("denied", verdict);
    }
    cx.step("categories and passwords");
    let categories = client.acl_cat().await?;
    assert!(categories.contains(&"string".to_owned()));
    let commands = client.execute(cmd::acl_cat().category("string")).await?;
    assert!(commands.contains(&"get".to_owned()));
    let password = client.acl_genpass().await?;
    assert_eq!(password.len(), 64);
    assert_eq!(client.execute(cmd::acl_genpass().bits(20)).await?.len(), 5);
    cx.step("what is refused");
    let refused = own.client_with::<S>(|config| {
        config.username = Some("reader".into());
        config.password = Some("pw".into());
    })?;
    assert_eq!(failed(refused.get::<String>("other").await)?.code(), Some("NOPERM"));
    assert_eq!(failed(refused.incr("a").await)?.code(), Some("NOPERM"));
    let log = client.acl_log().await?;
    assert!(log.len() >= 2, "{log:?}");
    let latest = client.execute(cmd::acl_log().count(1)).await?;
    let [entry] = &latest[..] else { return Err("not one entry".into()) };
    assert_eq!((&entry.reason, &entry.context), (&AclReason::Command, &AclContext::TopLevel));
    assert_eq!((&entry.object[..], &*entry.username, entry.count), (&b"incr"[..], "reader", 1));
    assert_eq!(entry.client_info.user.as_deref(), Some("reader"));
    assert!(entry.age < Duration::from_secs(60) && entry.other.is_empty());
    cx.saw(
        "newer",
        (entry.entry_id.is_some(), entry.created.is_some(), entry.last_updated.is_some()),
    );
    assert_eq!(log[1].reason, AclReason::Key);
    client.acl_log_reset().await?;
    assert_eq!(client.acl_log().await?, []);
    cx.step("the file");
    client.acl_save().await?;
    assert_eq!(client.acl_deluser(["reader", "nobody"]).await?, 1);
    assert_eq!(client.acl_users().await?, ["default", "empty"]);
    client.acl_load().await?;
    assert_eq!(client.acl_users().await?, ["default", "empty", "reader"]);
    assert!(!client.acl_help().await?.is_empty());
    Ok(())
}

async fn commands_tell_of_themselves<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let count = client.command_count().await?;
    let all = client.command_info([""; 0]).await?;
    // Redis 6 takes an empty list at its word.
    assert!(all.len() as u64 == if since(cx.installed(), 7, 0) { count } else { 0 });
    let told = client.command_info(["get", "no-such-command", "sort"]).await?;
    let [Some(get), None, Some(sort)] = &told[..] else { return Err("not two commands".into()) };
    assert_eq!((&*get.name, get.arity, get.first_key, get.key_step), ("get", 2, 1, 1));
    assert!(get.flags.contains(&"readonly".to_owned()));
    assert!(get.acl_categories.contains(&"@read".to_owned()));
    cx.saw("get", get);
    cx.saw("sort", sort);
    let keys: Vec<String> = client.command_getkeys("mset", ["a", "1", "b", "2"]).await?;
    assert_eq!(keys, ["a", "b"]);
    cx.saw("no keys", failed(client.command_getkeys::<String>("ping", [""; 0]).await)?);
    assert!(!client.command_help().await?.is_empty());
    if !since(cx.installed(), 7, 0) {
        return Ok(());
    }
    cx.step("what 7.0 brought");
    let keys = client.command_getkeysandflags("lmove", ["a", "b", "left", "right"]).await?;
    assert_eq!((&keys[0].key[..], &keys[1].key[..]), (&b"a"[..], &b"b"[..]));
    assert_eq!(keys[0].flags, [KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete]);
    for details in all.iter().flatten() {
        for spec in &details.key_specs {
            let known = |flag: &KeyFlag| !matches!(flag, KeyFlag::Other(_));
            assert!(spec.flags.iter().all(known) && spec.other.is_empty(), "{details:?}");
        }
    }
    let names = client.command_list().await?;
    assert!(names.len() as u64 > count);
    let named = |list: Vec<String>, name: &str| list.iter().any(|known| known == name);
    assert!(named(client.execute(cmd::command_list().pattern("x*g*")).await?, "xgroup"));
    assert!(named(client.execute(cmd::command_list().acl_category("scripting")).await?, "eval"));
    assert!(!named(client.execute(cmd::command_list().module("none")).await?, "get"));
    let docs = client.command_docs(["geosearch", "no-such-command", "config"]).await?;
    assert_eq!(docs.keys().collect::<Vec<_>>(), ["config", "geosearch"]);
    assert_eq!(&*docs["geosearch"].group, "geo");
    cx.saw("geosearch", &docs["geosearch"]);
    let names: Vec<_> = docs["config"].subcommands.iter().map(|(name, _)| &**name).collect();
    assert!(names.contains(&"config|get"), "{names:?}");
    let docs = client.command_docs([""; 0]).await?;
    assert!(docs.len() as u64 >= count / 2);
    for (name, doc) in &docs {
        assert!(doc.other.is_empty(), "{name}: {:?}", doc.other);
        assert!(doc.arguments.iter().all(|argument| argument.other.is_empty()), "{name}");
    }
    Ok(())
}

async fn reports_of_the_server_have_types<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("k", "x".repeat(100)).await?;
    cx.step("INFO");
    let info = client.info().await?;
    assert_eq!(info.keyspace()?[&0].keys, 1);
    assert!(info.used_memory()? > 0 && !info.is_replica()? && info.connected_clients()? > 0);
    assert!(cx.installed().version.to_string().starts_with(info.version()?), "{info}");
    let info = client.execute(cmd::info().sections("commandstats")).await?;
    assert!(info.command_stats()?["set"].calls > 0);
    if since(cx.installed(), 7, 0) {
        let info = client.execute(cmd::info().sections(["clients", "errorstats"])).await?;
        info.error_stats()?;
        assert!(info.connected_clients()? > 0);
    }
    assert!(info.used_memory().is_err());
    client.config_resetstat().await?;
    let info = client.execute(cmd::info().sections("commandstats")).await?;
    assert!(!info.command_stats()?.contains_key("set"));
    cx.step("its clock");
    let ahead = |time: SystemTime| time.duration_since(SystemTime::now()).unwrap_or_default();
    let time = client.time().await?.0;
    assert!(
        ahead(time) < Duration::from_secs(60)
            && time > UNIX_EPOCH + Duration::from_secs(1_600_000_000)
    );
    assert!(client.lastsave().await?.0 <= time);
    cx.step("its memory");
    let stats = client.memory_stats().await?;
    assert_eq!(stats.keys_count, 1);
    assert!(stats.total_allocated > 0 && stats.dataset_percentage > 0.0);
    // Databases that other scenarios used may still have tables.
    let unknown: Vec<_> = stats.other.keys().filter(|name| !name.starts_with("db.")).collect();
    assert_eq!(unknown, [""; 0]);
    let usage = client.memory_usage("k").await?.ok_or("the key is gone")?;
    assert!(usage > 100);
    assert_eq!(client.execute(cmd::memory_usage("k").samples(0)).await?, Some(usage));
    assert_eq!(client.memory_usage("none").await?, None);
    client.memory_purge().await?;
    for text in [client.memory_doctor().await?, client.memory_malloc_stats().await?] {
        assert!(!text.is_empty());
    }
    assert!(!client.memory_help().await?.is_empty() && !client.config_help().await?.is_empty());
    cx.step("a piece of art");
    assert!(client.lolwut().await?.contains("ver"));
    assert!(client.execute(cmd::lolwut().version(5)).await?.contains("ver"));
    cx.step("its settings");
    assert_eq!(client.config_get("databases").await?["databases"], "16");
    if since(cx.installed(), 7, 0) {
        let settings = client.config_get(["databases", "maxmemor?"]).await?;
        assert_eq!((settings.len(), &*settings["maxmemory"]), (2, "0"));
    }
    assert_eq!(failed(client.config_rewrite().await)?.kind(), ErrorKind::Server);
    Ok(())
}

async fn slow_commands_are_remembered<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new().arg("--slowlog-log-slower-than").arg("0"))?;
    let client = own.client_with::<S>(|config| config.client_name = Some("slow".into()))?;
    client.set("k", "v").await?;
    let log = client.execute(cmd::slowlog_get().count(-1)).await;
    let log = if since(cx.installed(), 7, 0) { log? } else { client.slowlog_get().await? };
    let entry = log.iter().find(|entry| entry.args.first().is_some_and(|word| word == "SET"));
    let entry = entry.ok_or("the command is not there")?;
    assert_eq!(entry.args, ["SET", "k", "v"]);
    assert_eq!(entry.client_name.as_deref(), Some("slow"));
    assert!(entry.client_addr.is_some() && entry.duration < Duration::from_secs(60));
    assert!(entry.time > UNIX_EPOCH + Duration::from_secs(1_600_000_000));
    assert_eq!(client.execute(cmd::slowlog_get().count(1)).await?.len(), 1);
    assert!(client.slowlog_len().await? > 0);
    client.config_set([("slowlog-log-slower-than", "-1")]).await?;
    client.slowlog_reset().await?;
    assert_eq!(client.slowlog_len().await?, 0);
    assert_eq!(client.slowlog_get().await?, []);
    assert!(!client.slowlog_help().await?.is_empty());
    Ok(())
}

async fn large_commands_are_remembered<S: Subject>(cx: Context<S>) -> Outcome {
    let options = ServerOptions::new().arg("--commandlog-execution-slower-than").arg("0");
    let options = options.arg("--commandlog-request-larger-than").arg("1000");
    let own = cx.start_server(options.arg("--commandlog-reply-larger-than").arg("1000"))?;
    let client = own.client::<S>()?;
    client.set("k", "x".repeat(2000)).await?;
    client.get::<String>("k").await?;
    for (log, word) in [
        (CommandLogType::Slow, "SET"),
        (CommandLogType::LargeRequest, "SET"),
        (CommandLogType::LargeReply, "GET"),
    ] {
        cx.step(word);
        let entries = client.commandlog_get(-1, log).await?;
        let entry =
            entries.iter().find(|entry| entry.args.first().is_some_and(|first| first == word));
        let entry = entry.ok_or("the command is not there")?;
        match log {
            CommandLogType::Slow => assert!(entry.amount < 60_000_000),
            _ => assert!((2000..3000).contains(&entry.amount), "{entry:?}"),
        }
        assert!(client.commandlog_len(log).await? > 0);
    }
    client.commandlog_reset(CommandLogType::LargeReply).await?;
    assert_eq!(client.commandlog_len(CommandLogType::LargeReply).await?, 0);
    for log in [CommandLogType::Slow, CommandLogType::LargeRequest] {
        client.commandlog_reset(log).await?;
    }
    assert!(!client.commandlog_help().await?.is_empty());
    Ok(())
}

async fn latency_is_watched<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new().debug_commands())?;
    let client = own.client::<S>()?;
    // Any other command may be slow too, on a busy machine.
    let threshold = |millis| cmd::config_set([("latency-monitor-threshold", millis)]);
    let sleep = Cmd::<()>::raw("DEBUG SLEEP").arg(0.15);
    client.batch((threshold("100"), sleep, threshold("0"))).await?;
    let latest = client.latency_latest().await?;
    let event = latest.iter().find(|event| event.event == "command").ok_or("no such event")?;
    assert!(event.latest >= Duration::from_millis(149) && event.max >= event.latest, "{event:?}");
    cx.saw("counted", (event.sum.is_some(), event.count));
    let history = client.latency_history("command").await?;
    assert_eq!((history[0].time, history[0].latency), (event.time, event.latest));
    assert_eq!(client.latency_history("none").await?, []);
    assert!(client.latency_graph("command").await?.contains("command"));
    assert!(!client.latency_doctor().await?.is_empty());
    assert!(!client.latency_help().await?.is_empty());
    if since(cx.installed(), 7, 0) {
        cx.step("LATENCY HISTOGRAM");
        client.set("k", "v").await?;
        let commands = cmd::latency_histogram().commands(["set", "config", "none"]);
        let commands = client.execute(commands).await?;
        assert_eq!(commands["set"].calls, 1);
        assert_eq!(commands["set"].histogram.last().map(|(_, count)| *count), Some(1));
        assert!(client.latency_histogram().await?.len() > commands.len());
    }
    assert_eq!(client.execute(cmd::latency_reset().events(["command", "none"])).await?, 1);
    client.latency_reset().await?;
    assert_eq!(client.latency_latest().await?, []);
    Ok(())
}

async fn data_is_saved_exchanged_and_flushed<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new())?;
    let client = own.client::<S>()?;
    let is_quiet = async || -> redis_core::Result<bool> {
        let info = client.execute(cmd::info().sections("persistence")).await?;
        let busy = ["rdb_bgsave_in_progress", "aof_rewrite_in_progress"];
        Ok(busy.iter().all(|field| info.get(field) == Some("0")))
    };
    client.set("k", "zero").await?;
    cx.step("the disk");
    client.save().await?;
    client.bgsave().await?;
    cx.until("it is saved", is_quiet).await?;
    client.execute(cmd::bgsave().schedule()).await?;
    cx.until("it is saved", is_quiet).await?;
    if cx.valkey_since(8, 1) {
        assert_eq!(failed(client.bgsave_cancel().await)?.kind(), ErrorKind::Server);
    }
    client.bgrewriteaof().await?;
    cx.until("it is written", is_quiet).await?;
    let saved = client.lastsave().await?.0;
    assert!(saved.elapsed().unwrap_or_default() < Duration::from_secs(60));
    cx.step("databases");
    let one = own.client_with::<S>(|config| config.database = 1)?;
    client.swapdb(0, 1).await?;
    assert_eq!((client.dbsize().await?, one.dbsize().await?), (0, 1));
    for flush in [cmd::flushdb().synchronous(), cmd::flushdb().asynchronous()] {
        client.set("k", "v").await?;
        client.execute(flush).await?;
        assert_eq!((client.dbsize().await?, one.dbsize().await?), (0, 1));
    }
    for flush in [cmd::flushall().synchronous(), cmd::flushall().asynchronous()] {
        client.set("k", "v").await?;
        client.execute(flush).await?;
        assert_eq!((client.dbsize().await?, one.dbsize().await?), (0, 0));
    }
    Ok(())
}

async fn modules_are_listed_and_refused<S: Subject>(cx: Context<S>) -> Outcome {
    let options = ServerOptions::new();
    let allows = since(cx.installed(), 7, 0);
    let options = if allows { options.arg("--enable-module-command").arg("yes") } else { options };
    let own = cx.start_server(options)?;
    let client = own.client::<S>()?;
    let modules = client.module_list().await?;
    assert!(modules.iter().all(|module| !module.name.is_empty() && module.other.is_empty()));
    cx.saw("modules", modules);
    let file = "/no/such/module.so";
    cx.saw("load", failed(client.module_load(file, ["argument"]).await)?);
    cx.saw("unload", failed(client.module_unload("none").await)?);
    if allows {
        let load =
            cmd::module_loadex(file).config([("name", "value"), ("other", "1")]).args(["a", "b"]);
        cx.saw("loadex", failed(client.execute(load).await)?);
    }
    assert!(!client.module_help().await?.is_empty());
    Ok(())
}

async fn hot_keys_are_measured<S: Subject>(cx: Context<S>) -> Outcome {
    // A new cluster takes no writes for its first seconds.
    let options = ServerOptions::new().cluster();
    let own = cx.start_server(options.arg("--cluster-allow-reads-when-down").arg("yes"))?;
    let client = own.client::<S>()?;
    client.execute(Cmd::<()>::raw("CLUSTER ADDSLOTSRANGE").args([0, 16383])).await?;
    assert_eq!(client.hotkeys_get().await?, None);
    let start = cmd::hotkeys_start(HotKeysMetrics::CpuAndNet).count(5).sample(1);
    let slot = slot_of(b"hot");
    let slots = [slot, slot + 1, slot + 3];
    client.execute(start.duration(Duration::from_secs(100)).slots(slots)).await?;
    // A command may take less than the microsecond that counts.
    let is_measured = async || {
        client.exists("hot").await?;
        let reports = client.hotkeys_get().await?;
        Ok(reports.is_some_and(|reports| {
            reports[0].by_cpu_time.as_ref().is_some_and(|keys| !keys.is_empty())
        }))
    };
    cx.until("a key took its time", is_measured).await?;
    let reports = client.hotkeys_get().await?.ok_or("nothing is measured")?;
    let [report] = &reports[..] else { return Err("not one report".into()) };
    assert!(report.tracking_active && report.other.is_empty(), "{report:?}");
    assert_eq!(
        (report.sample_ratio, &report.selected_slots[..]),
        (1, &[slot..=slot + 1, slot + 3..=slot + 3][..])
    );
    let by_bytes = report.by_net_bytes.as_deref().ok_or("bytes are not measured")?;
    assert_eq!(&by_bytes[0].0[..], b"hot");
    assert_eq!(report.by_cpu_time.as_ref().map(Vec::len), Some(1));
    client.hotkeys_stop().await?;
    assert!(client.hotkeys_get().await?.is_some_and(|reports| !reports[0].tracking_active));
    client.hotkeys_reset().await?;
    assert_eq!(client.hotkeys_get().await?, None);
    cx.step("one metric");
    client.hotkeys_start(HotKeysMetrics::Net).await?;
    let reports = client.hotkeys_get().await?.ok_or("nothing is measured")?;
    assert_eq!((&reports[0].by_cpu_time, &reports[0].by_net_bytes), (&None, &Some(vec![])));
    client.hotkeys_stop().await?;
    client.hotkeys_reset().await?;
    client.hotkeys_start(HotKeysMetrics::Cpu).await?;
    client.hotkeys_stop().await?;
    assert!(!client.hotkeys_help().await?.is_empty());
    Ok(())
}

async fn slots_are_trimmed<S: Subject>(cx: Context<S>) -> Outcome {
    let own = cx.start_server(ServerOptions::new().cluster())?;
    let client = own.client::<S>()?;
    client.trimslots([(0, 1), (5, 9)]).await?;
    client.execute(Cmd::<()>::raw("CLUSTER ADDSLOTS").arg(7)).await?;
    cx.saw("a slot of its own", failed(client.trimslots([(7, 7)]).await)?);
    Ok(())
}

/// What the primary says of its first replica.
async fn replica_of<S: Subject>(client: &Client<S>) -> Result<Option<u16>, redis_core::Error> {
    match client.role().await? {
        Role::Primary { replicas, .. } => Ok(replicas.first().map(|replica| replica.port)),
        _ => Ok(None),
    }
}

async fn replicas_follow_and_take_over<S: Subject>(cx: Context<S>) -> Outcome {
    let options = ServerOptions::new().arg("--repl-diskless-sync-delay").arg("0");
    let (first, second) = (cx.start_server(options.clone())?, cx.start_server(options)?);
    let (one, two) = (first.client::<S>()?, second.client::<S>()?);
    assert!(
        matches!(one.role().await?, Role::Primary { offset: 0, ref replicas, .. } if replicas.is_empty())
    );
    cx.saw("no replica", failed(one.failover().await)?);
    cx.saw("no failover", failed(one.failover_abort().await)?);
    one.set("k", "v").await?;
    two.replicaof("127.0.0.1", first.server.port()).await?;
    cx.until("the replica follows", async || {
        let linked = match two.role().await? {
            Role::Replica { link, offset, host, port, .. } => {
                assert_eq!((&*host, port), ("127.0.0.1", first.server.port()));
                link == LinkState::Connected && offset.is_some()
            }
            _ => false,
        };
        Ok(linked && replica_of(&one).await? == Some(second.server.port()))
    })
    .await?;
    assert_eq!(two.get::<String>("k").await?.as_deref(), Some("v"));
    assert!(two.info().await?.is_replica()?);
    cx.until("a write is acknowledged", async || {
        Ok(one.wait(1, Duration::from_secs(1)).await? == 1)
    })
    .await?;
    cx.step("taking over");
    let over = cmd::failover().to("127.0.0.1", second.server.port()).force();
    one.execute(over.timeout(Duration::from_secs(10))).await?;
    cx.until("the replica has taken over", async || {
        Ok(replica_of(&two).await? == Some(first.server.port()))
    })
    .await?;
    cx.step("leaving");
    one.replicaof_no_one().await?;
    assert!(matches!(one.role().await?, Role::Primary { .. }));
    Ok(())
}

async fn a_server_ends_when_it_is_told_to<S: Subject>(cx: Context<S>) -> Outcome {
    let options = ServerOptions::new();
    let of_cluster = cx.valkey_since(9, 0);
    let mut own = cx.start_server(if of_cluster { options.cluster() } else { options })?;
    let client = own.client::<S>()?;
    let mut ends = vec![cmd::shutdown().no_save(), cmd::shutdown().save()];
    if since(cx.installed(), 7, 0) {
        cx.saw("no shutdown", failed(client.shutdown_abort().await)?);
        ends.push(cmd::shutdown().no_save().now().force());
    }
    if of_cluster {
        ends.extend([cmd::shutdown().safe(), cmd::shutdown().failover()]);
    }
    for (round, end) in ends.into_iter().enumerate() {
        cx.step(format!("round {round}"));
        let client = own.client::<S>()?;
        client.ping().await?;
        let error = failed(client.execute(end).await)?;
        assert!(matches!(error.kind(), ErrorKind::Io | ErrorKind::Closed), "{error:?}");
        own.server.restart()?;
    }
    Ok(())
}
