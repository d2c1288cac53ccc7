//! Publishing, connections and the server itself.

use crate::*;

#[test]
fn pubsub() {
    sends(cmd::publish("c", "m"), "PUBLISH c m");
    sends(cmd::pubsub_channels::<String>(), "PUBSUB CHANNELS");
    sends(cmd::pubsub_channels::<String>().pattern("a*"), "PUBSUB CHANNELS a*");
    sends(cmd::pubsub_numpat(), "PUBSUB NUMPAT");
    sends(cmd::pubsub_numsub::<String>(["a", "b"]), "PUBSUB NUMSUB a b");
    sends(cmd::pubsub_numsub::<String>(NONE), "PUBSUB NUMSUB");
    sends(cmd::pubsub_shardchannels::<String>(), "PUBSUB SHARDCHANNELS");
    let pattern = cmd::pubsub_shardchannels::<String>().pattern("a*");
    sends(pattern, "PUBSUB SHARDCHANNELS a*");
    sends(cmd::pubsub_shardnumsub::<String>(["a"]), "PUBSUB SHARDNUMSUB a");
    sends(cmd::spublish("c", "m"), "SPUBLISH c m");
    sends(cmd::pubsub_help(), "PUBSUB HELP");
    assert_eq!(cmd::spublish("{a}c", "m").slot(), cmd::get::<Value>("a").slot());
    assert_eq!(cmd::publish("c", "m").slot(), None);
}

#[test]
fn connection() {
    sends(cmd::client_getname(), "CLIENT GETNAME");
    sends(cmd::client_id(), "CLIENT ID");
    sends(cmd::client_info(), "CLIENT INFO");
    sends(replies::<Vec<ClientInfo>>(cmd::client_list()), "CLIENT LIST");
    sends(replies::<TrackingRedirect>(cmd::client_getredir()), "CLIENT GETREDIR");
    sends(cmd::client_help(), "CLIENT HELP");
    sends(cmd::client_kill_addr("a:1"), "CLIENT KILL a:1");
    sends(cmd::client_pause(ms(7)), "CLIENT PAUSE 7");
    sends(cmd::client_pause(secs(7)).writes(), "CLIENT PAUSE 7000 WRITE");
    sends(cmd::client_pause(secs(7)).writes().all(), "CLIENT PAUSE 7000 ALL");
    sends(replies::<TrackingInfo>(cmd::client_trackinginfo()), "CLIENT TRACKINGINFO");
    sends(replies::<bool>(cmd::client_unblock(7)), "CLIENT UNBLOCK 7");
    sends(cmd::client_unblock(7).with_timeout(), "CLIENT UNBLOCK 7 TIMEOUT");
    sends(cmd::client_unblock(7).with_error(), "CLIENT UNBLOCK 7 ERROR");
    sends(cmd::client_unpause(), "CLIENT UNPAUSE");
    sends(cmd::echo::<String>("hi"), "ECHO hi");
    sends(replies::<()>(cmd::ping()), "PING");
    sends(replies::<String>(cmd::ping().message("hi")), "PING hi");
}

#[test]
fn client_kill_and_list_have_every_filter() {
    let killed = cmd::client_kill()
        .ids([7, 8])
        .client_type(ClientType::Normal)
        .user("u")
        .addr("a:1")
        .laddr("b:2")
        .skip_me(false)
        .max_age(secs(9))
        .name("n")
        .idle(secs(8))
        .flags("N")
        .lib_name("l")
        .lib_ver("v")
        .db(3)
        .capa("r")
        .ip("i")
        .not_client_type(ClientType::Replica)
        .not_id([1, 2])
        .not_user("u")
        .not_addr("a")
        .not_laddr("b")
        .not_name("n")
        .not_flags("M")
        .not_lib_name("l")
        .not_lib_ver("v")
        .not_db(4)
        .not_capa("r")
        .not_ip("i");
    let rest = "TYPE NORMAL USER u ADDR a:1 LADDR b:2 SKIPME NO MAXAGE 9 NAME n IDLE 8 FLAGS N \
                LIB-NAME l LIB-VER v DB 3 CAPA r IP i NOT-TYPE REPLICA NOT-ID 1 2 NOT-USER u \
                NOT-ADDR a NOT-LADDR b NOT-NAME n NOT-FLAGS M NOT-LIB-NAME l NOT-LIB-VER v \
                NOT-DB 4 NOT-CAPA r NOT-IP i";
    sends(killed, &format!("CLIENT KILL ID 7 8 {rest}"));
    sends(cmd::client_kill().skip_me(true), "CLIENT KILL SKIPME YES");
    assert_eq!(refusal(cmd::client_kill()), "CLIENT KILL: needs at least one option");
    let listed = cmd::client_list()
        .client_type(ClientType::Normal)
        .ids([7, 8])
        .user("u")
        .addr("a:1")
        .laddr("b:2")
        .skip_me(false)
        .max_age(secs(9))
        .name("n")
        .idle(secs(8))
        .flags("N")
        .lib_name("l")
        .lib_ver("v")
        .db(3)
        .capa("r")
        .ip("i")
        .not_client_type(ClientType::Replica)
        .not_id([1, 2])
        .not_user("u")
        .not_addr("a")
        .not_laddr("b")
        .not_name("n")
        .not_flags("M")
        .not_lib_name("l")
        .not_lib_ver("v")
        .not_db(4)
        .not_capa("r")
        .not_ip("i");
    let rest = rest.replacen("TYPE NORMAL", "TYPE NORMAL ID 7 8", 1);
    sends(listed, &format!("CLIENT LIST {rest}"));
    let empty = refusal(cmd::client_list().ids([]));
    assert_eq!(empty, "CLIENT LIST: the list of one of its options is empty");
}

#[test]
fn server() {
    sends(cmd::config_get("max*"), "CONFIG GET max*");
    sends(cmd::config_get(["a", "b"]), "CONFIG GET a b");
    sends(cmd::config_help(), "CONFIG HELP");
    sends(cmd::config_resetstat(), "CONFIG RESETSTAT");
    sends(cmd::config_rewrite(), "CONFIG REWRITE");
    sends(cmd::config_set([("a", 1), ("b", 2)]), "CONFIG SET a 1 b 2");
    sends(cmd::dbsize(), "DBSIZE");
    sends(cmd::flushall(), "FLUSHALL");
    sends(cmd::flushall().asynchronous(), "FLUSHALL ASYNC");
    sends(cmd::flushall().synchronous(), "FLUSHALL SYNC");
    sends(cmd::flushdb(), "FLUSHDB");
    sends(cmd::flushdb().asynchronous(), "FLUSHDB ASYNC");
    sends(cmd::flushdb().synchronous(), "FLUSHDB SYNC");
    sends(cmd::info(), "INFO");
    sends(cmd::info().sections("server"), "INFO server");
    sends(cmd::info().sections(["server", "memory"]), "INFO server memory");
    sends(replies::<ServerTime>(cmd::time()), "TIME");
    sends(replies::<ServerTime>(cmd::lastsave()), "LASTSAVE");
    sends(cmd::lolwut(), "LOLWUT");
    sends(cmd::lolwut().version(5), "LOLWUT VERSION 5");
    sends(replies::<Option<u64>>(cmd::memory_usage("k")), "MEMORY USAGE k");
    sends(cmd::memory_usage("k").samples(0), "MEMORY USAGE k SAMPLES 0");
    sends(replies::<MemoryStats>(cmd::memory_stats()), "MEMORY STATS");
    sends(cmd::memory_malloc_stats(), "MEMORY MALLOC-STATS");
    sends(cmd::memory_doctor(), "MEMORY DOCTOR");
    sends(cmd::memory_help(), "MEMORY HELP");
    sends(cmd::memory_purge(), "MEMORY PURGE");
    sends(replies::<Role>(cmd::role()), "ROLE");
    sends(cmd::swapdb(0, 3), "SWAPDB 0 3");
    sends(cmd::trimslots([(0, 1), (5, 9)]), "TRIMSLOTS RANGES 2 0 1 5 9");
}

#[test]
fn users() {
    sends(cmd::acl_cat(), "ACL CAT");
    sends(cmd::acl_cat().category("string"), "ACL CAT string");
    sends(cmd::acl_deluser(["a", "b"]), "ACL DELUSER a b");
    sends(replies::<AclVerdict>(cmd::acl_dryrun("u", "set", ["k", "v"])), "ACL DRYRUN u set k v");
    sends(cmd::acl_genpass(), "ACL GENPASS");
    sends(cmd::acl_genpass().bits(20), "ACL GENPASS 20");
    sends(replies::<Option<AclUser>>(cmd::acl_getuser("u")), "ACL GETUSER u");
    sends(replies::<Vec<AclLogEntry>>(cmd::acl_log()), "ACL LOG");
    sends(cmd::acl_log().count(3), "ACL LOG 3");
    sends(replies::<()>(cmd::acl_log_reset()), "ACL LOG RESET");
    sends(cmd::acl_setuser("u", NONE), "ACL SETUSER u");
    sends(cmd::acl_setuser("u", ["on", "+@read"]), "ACL SETUSER u on +@read");
    sends(cmd::acl_help(), "ACL HELP");
    sends(replies::<Vec<String>>(cmd::acl_list()), "ACL LIST");
    sends(cmd::acl_load(), "ACL LOAD");
    sends(cmd::acl_save(), "ACL SAVE");
    sends(replies::<Vec<String>>(cmd::acl_users()), "ACL USERS");
    sends(replies::<String>(cmd::acl_whoami()), "ACL WHOAMI");
}

#[test]
fn what_servers_tell_of_commands() {
    sends(cmd::command_docs(NONE), "COMMAND DOCS");
    sends(cmd::command_docs(["get", "set"]), "COMMAND DOCS get set");
    sends(replies::<Vec<String>>(cmd::command_getkeys("get", ["k"])), "COMMAND GETKEYS get k");
    sends(cmd::command_getkeysandflags("get", "k"), "COMMAND GETKEYSANDFLAGS get k");
    sends(cmd::command_info("get"), "COMMAND INFO get");
    sends(cmd::command_list(), "COMMAND LIST");
    sends(cmd::command_list().module("m"), "COMMAND LIST FILTERBY MODULE m");
    let category = cmd::command_list().module("m").acl_category("read");
    sends(category, "COMMAND LIST FILTERBY ACLCAT read");
    sends(cmd::command_list().pattern("x*"), "COMMAND LIST FILTERBY PATTERN x*");
    sends(replies::<u64>(cmd::command_count()), "COMMAND COUNT");
    sends(cmd::command_help(), "COMMAND HELP");
}

#[test]
fn logs_and_measures() {
    sends(cmd::commandlog_get(-1, CommandLogType::Slow), "COMMANDLOG GET -1 SLOW");
    sends(cmd::commandlog_len(CommandLogType::LargeReply), "COMMANDLOG LEN LARGE-REPLY");
    sends(cmd::commandlog_reset(CommandLogType::LargeRequest), "COMMANDLOG RESET LARGE-REQUEST");
    sends(cmd::slowlog_get(), "SLOWLOG GET");
    sends(cmd::slowlog_get().count(-1), "SLOWLOG GET -1");
    sends(cmd::slowlog_help(), "SLOWLOG HELP");
    sends(replies::<u64>(cmd::slowlog_len()), "SLOWLOG LEN");
    sends(cmd::slowlog_reset(), "SLOWLOG RESET");
    sends(cmd::commandlog_help(), "COMMANDLOG HELP");
    sends(cmd::latency_histogram(), "LATENCY HISTOGRAM");
    sends(cmd::latency_histogram().commands(["get", "set"]), "LATENCY HISTOGRAM get set");
    sends(cmd::latency_history("fork"), "LATENCY HISTORY fork");
    sends(cmd::latency_reset(), "LATENCY RESET");
    sends(cmd::latency_reset().events("fork"), "LATENCY RESET fork");
    sends(cmd::latency_doctor(), "LATENCY DOCTOR");
    sends(cmd::latency_graph("fork"), "LATENCY GRAPH fork");
    sends(cmd::latency_help(), "LATENCY HELP");
    sends(replies::<Vec<LatencyEvent>>(cmd::latency_latest()), "LATENCY LATEST");
    sends(cmd::hotkeys_start(HotKeysMetrics::Net), "HOTKEYS START METRICS 1 NET");
    let start = cmd::hotkeys_start(HotKeysMetrics::CpuAndNet).count(5).duration(ms(1001));
    let all = "HOTKEYS START METRICS 2 CPU NET COUNT 5 DURATION 2 SAMPLE 3 SLOTS 2 7 9";
    sends(start.sample(3).slots([7, 9]), all);
    sends(replies::<Option<Vec<HotKeys>>>(cmd::hotkeys_get()), "HOTKEYS GET");
    sends(cmd::hotkeys_help(), "HOTKEYS HELP");
    sends(cmd::hotkeys_reset(), "HOTKEYS RESET");
    sends(cmd::hotkeys_stop(), "HOTKEYS STOP");
}

#[test]
fn what_servers_are_told_to_do() {
    sends(cmd::bgsave(), "BGSAVE");
    sends(cmd::bgsave().schedule(), "BGSAVE SCHEDULE");
    sends(cmd::bgsave_cancel(), "BGSAVE CANCEL");
    sends(cmd::bgrewriteaof(), "BGREWRITEAOF");
    sends(cmd::save(), "SAVE");
    sends(cmd::failover(), "FAILOVER");
    let failover = cmd::failover().timeout(ms(7)).to("h", 6379).force();
    sends(failover, "FAILOVER TO h 6379 FORCE TIMEOUT 7");
    assert_eq!(refusal(cmd::failover().force()), "FAILOVER: `force` needs `to`");
    sends(cmd::failover_abort(), "FAILOVER ABORT");
    sends(cmd::module_load("/m", ["a", "b"]), "MODULE LOAD /m a b");
    sends(cmd::module_loadex("/m"), "MODULE LOADEX /m");
    let load = cmd::module_loadex("/m").args(["c"]).config([("a", 1), ("b", 2)]);
    sends(load, "MODULE LOADEX /m CONFIG a 1 CONFIG b 2 ARGS c");
    sends(cmd::module_help(), "MODULE HELP");
    sends(replies::<Vec<ModuleInfo>>(cmd::module_list()), "MODULE LIST");
    sends(cmd::module_unload("m"), "MODULE UNLOAD m");
    sends(cmd::replicaof("h", 6379), "REPLICAOF h 6379");
    sends(cmd::replicaof_no_one(), "REPLICAOF NO ONE");
    sends(cmd::shutdown(), "SHUTDOWN");
    sends(cmd::shutdown().save().no_save(), "SHUTDOWN NOSAVE");
    let shutdown = cmd::shutdown().save().now().force().safe().failover();
    sends(shutdown, "SHUTDOWN SAVE NOW FORCE SAFE FAILOVER");
    sends(cmd::shutdown_abort(), "SHUTDOWN ABORT");
}
