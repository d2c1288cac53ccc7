//! Scripts, functions, nodes of a cluster and vector sets.

use crate::*;

#[test]
fn scripting() {
    sends(cmd::eval::<i64>("s", ["k"], [1, 2]), "EVAL s 1 k 1 2");
    sends(cmd::eval::<i64>("s", NONE, NONE), "EVAL s 0");
    sends(cmd::eval_ro::<i64>("s", NONE, [1]), "EVAL_RO s 0 1");
    sends(cmd::evalsha::<i64>("s", ["k", "l"], NONE), "EVALSHA s 2 k l");
    sends(cmd::evalsha_ro::<i64>("s", ["k"], NONE), "EVALSHA_RO s 1 k");
    sends(cmd::script_exists(["a", "b"]), "SCRIPT EXISTS a b");
    sends(cmd::script_flush(), "SCRIPT FLUSH");
    sends(cmd::script_flush().synchronous(), "SCRIPT FLUSH SYNC");
    sends(cmd::script_flush().asynchronous(), "SCRIPT FLUSH ASYNC");
    sends(cmd::script_load("s"), "SCRIPT LOAD s");
    sends(replies::<String>(cmd::script_show("a")), "SCRIPT SHOW a");
    sends(cmd::script_kill(), "SCRIPT KILL");
    sends(cmd::script_help(), "SCRIPT HELP");
}

#[test]
fn functions() {
    sends(cmd::fcall::<i64>("f", ["k"], [1, 2]), "FCALL f 1 k 1 2");
    sends(cmd::fcall_ro::<i64>("f", NONE, NONE), "FCALL_RO f 0");
    sends(cmd::function_list(), "FUNCTION LIST");
    let list = cmd::function_list().with_code().library("a*");
    sends(replies::<Vec<FunctionLibrary>>(list), "FUNCTION LIST LIBRARYNAME a* WITHCODE");
    sends(cmd::function_load("code"), "FUNCTION LOAD code");
    sends(cmd::function_load("code").replace(), "FUNCTION LOAD REPLACE code");
    sends(cmd::function_restore("d"), "FUNCTION RESTORE d");
    sends(cmd::function_restore("d").flush().append(), "FUNCTION RESTORE d APPEND");
    sends(cmd::function_restore("d").replace(), "FUNCTION RESTORE d REPLACE");
    sends(cmd::function_restore("d").flush(), "FUNCTION RESTORE d FLUSH");
    sends(cmd::function_delete("l"), "FUNCTION DELETE l");
    sends(cmd::function_flush().asynchronous(), "FUNCTION FLUSH ASYNC");
    sends(cmd::function_flush().synchronous(), "FUNCTION FLUSH SYNC");
    sends(replies::<FunctionStats>(cmd::function_stats()), "FUNCTION STATS");
    sends(replies::<bytes::Bytes>(cmd::function_dump()), "FUNCTION DUMP");
    sends(cmd::function_kill(), "FUNCTION KILL");
    sends(cmd::function_help(), "FUNCTION HELP");
}

#[test]
fn cluster() {
    sends(cmd::cluster_addslots([1, 2]), "CLUSTER ADDSLOTS 1 2");
    sends(cmd::cluster_delslots(3..=4), "CLUSTER DELSLOTS 3 4");
    sends(cmd::cluster_addslotsrange([0..=9]), "CLUSTER ADDSLOTSRANGE 0 9");
    let ranges = [SlotRange::from(7), (8, 9).into()];
    sends(cmd::cluster_delslotsrange(ranges), "CLUSTER DELSLOTSRANGE 7 7 8 9");
    sends(cmd::cluster_failover(), "CLUSTER FAILOVER");
    sends(cmd::cluster_failover().force(), "CLUSTER FAILOVER FORCE");
    sends(cmd::cluster_failover().force().takeover(), "CLUSTER FAILOVER TAKEOVER");
    sends(cmd::cluster_flushslot(1).asynchronous(), "CLUSTER FLUSHSLOT 1 ASYNC");
    sends(cmd::cluster_flushslot(1).synchronous(), "CLUSTER FLUSHSLOT 1 SYNC");
    sends(cmd::cluster_getkeysinslot::<String>(1, 2), "CLUSTER GETKEYSINSLOT 1 2");
    sends(cmd::cluster_meet("h", 1), "CLUSTER MEET h 1");
    sends(cmd::cluster_meet("h", 1).bus_port(2), "CLUSTER MEET h 1 2");
    sends(cmd::cluster_replicate("id"), "CLUSTER REPLICATE id");
    sends(cmd::cluster_replicate_no_one(), "CLUSTER REPLICATE NO ONE");
    sends(cmd::cluster_reset().hard(), "CLUSTER RESET HARD");
    sends(cmd::cluster_reset().soft(), "CLUSTER RESET SOFT");
    let migrating = SlotState::Migrating("id".into());
    sends(cmd::cluster_setslot(1, migrating), "CLUSTER SETSLOT 1 MIGRATING id");
    let importing = cmd::cluster_setslot(1, SlotState::Importing("id".into())).timeout(ms(5));
    sends(importing, "CLUSTER SETSLOT 1 IMPORTING id TIMEOUT 5");
    sends(cmd::cluster_setslot(1, SlotState::Node("id".into())), "CLUSTER SETSLOT 1 NODE id");
    sends(cmd::cluster_setslot(1, SlotState::Stable), "CLUSTER SETSLOT 1 STABLE");
    sends(cmd::cluster_slot_stats_range(1..=2), "CLUSTER SLOT-STATS SLOTSRANGE 1 2");
    let stats = cmd::cluster_slot_stats(SlotMetric::Cpu).limit(3).asc();
    sends(stats, "CLUSTER SLOT-STATS ORDERBY CPU-USEC LIMIT 3 ASC");
    let stats = cmd::cluster_slot_stats(SlotMetric::NetworkIn).desc();
    sends(replies::<Vec<SlotStats>>(stats), "CLUSTER SLOT-STATS ORDERBY NETWORK-BYTES-IN DESC");
    sends(replies::<Vec<ClusterNode>>(cmd::cluster_nodes()), "CLUSTER NODES");
    sends(replies::<Vec<ClusterNode>>(cmd::cluster_replicas("id")), "CLUSTER REPLICAS id");
    sends(replies::<ClusterInfo>(cmd::cluster_info()), "CLUSTER INFO");
    sends(replies::<Vec<ClusterShard>>(cmd::cluster_shards()), "CLUSTER SHARDS");
    sends(replies::<Vec<ClusterSlots>>(cmd::cluster_slots()), "CLUSTER SLOTS");
    sends(replies::<EpochBump>(cmd::cluster_bumpepoch()), "CLUSTER BUMPEPOCH");
    sends(cmd::cluster_count_failure_reports("id"), "CLUSTER COUNT-FAILURE-REPORTS id");
    sends(cmd::cluster_countkeysinslot(7), "CLUSTER COUNTKEYSINSLOT 7");
    sends(cmd::cluster_flushslots(), "CLUSTER FLUSHSLOTS");
    sends(cmd::cluster_forget("id"), "CLUSTER FORGET id");
    sends(cmd::cluster_help(), "CLUSTER HELP");
    sends(replies::<u16>(cmd::cluster_keyslot("k")), "CLUSTER KEYSLOT k");
    sends(replies::<Vec<ClusterLink>>(cmd::cluster_links()), "CLUSTER LINKS");
    sends(replies::<String>(cmd::cluster_myid()), "CLUSTER MYID");
    sends(replies::<String>(cmd::cluster_myshardid()), "CLUSTER MYSHARDID");
    sends(cmd::cluster_saveconfig(), "CLUSTER SAVECONFIG");
    sends(cmd::cluster_set_config_epoch(3), "CLUSTER SET-CONFIG-EPOCH 3");
    sends(replies::<Vec<ClusterNode>>(cmd::cluster_slaves("id")), "CLUSTER SLAVES id");
}

#[test]
fn slots_on_their_way() {
    let moves =
        [SlotMove::to("a", [(0..=1).into(), 3.into()]), SlotMove::to("b", [SlotRange::from(5)])];
    sends(
        cmd::cluster_migrateslots(moves),
        "CLUSTER MIGRATESLOTS SLOTSRANGE 0 1 3 3 NODE a SLOTSRANGE 5 5 NODE b",
    );
    assert_eq!(
        refusal(cmd::cluster_migrateslots([SlotMove::to("a", [])])),
        "CLUSTER MIGRATESLOTS: a move needs at least one range of slots"
    );
    sends(cmd::cluster_getslotmigrations(), "CLUSTER GETSLOTMIGRATIONS");
    sends(cmd::cluster_cancelslotmigrations(), "CLUSTER CANCELSLOTMIGRATIONS");
    sends(cmd::cluster_migration_import([0..=1]), "CLUSTER MIGRATION IMPORT 0 1");
    let one = || MigrationTasks::Id("t".into());
    sends(cmd::cluster_migration_status(one()), "CLUSTER MIGRATION STATUS ID t");
    sends(cmd::cluster_migration_status(MigrationTasks::All), "CLUSTER MIGRATION STATUS ALL");
    sends(cmd::cluster_migration_cancel(one()), "CLUSTER MIGRATION CANCEL ID t");
    sends(cmd::cluster_migration_cancel(MigrationTasks::All), "CLUSTER MIGRATION CANCEL ALL");
    let scan = cmd::clusterscan::<String>(ClusterCursor::default());
    let scan = scan.slot(1).of_type("hash").count(2).matching("a*");
    sends(scan, "CLUSTERSCAN 0 MATCH a* COUNT 2 TYPE hash SLOT 1");
}

#[test]
fn vector_sets() {
    let add = cmd::vadd("k", [0.5_f64, 1.0], "e").reduce(1).cas().q8().noquant().ef(2).m(3);
    let add = add.attributes("{}");
    let expected = "VADD k REDUCE 1 VALUES 2 0.5 1 e CAS NOQUANT EF 2 SETATTR {} M 3";
    sends(replies::<bool>(add), expected);
    sends(cmd::vadd("k", [0.0_f32], "e").bin(), "VADD k FP32 \0\0\0\0 e BIN");
    let empty = "a vector needs at least one number";
    assert_eq!(refusal(cmd::vadd("k", Vec::<f32>::new(), "e")), format!("VADD: {empty}"));
    assert_eq!(refusal(cmd::vsim::<String>("k", Vec::<f64>::new())), format!("VSIM: {empty}"));
    let like = || VectorQuery::element("e");
    sends(replies::<Vec<String>>(cmd::vsim("k", like())), "VSIM k ELE e");
    let some = cmd::vsim::<String>("k", like()).count(1).within(0.5).ef(2).filter("x").filter_ef(3);
    let all = some.truth().no_thread().with_scores();
    let expected = "WITHSCORES COUNT 1 EPSILON 0.5 EF 2 FILTER x FILTER-EF 3 TRUTH NOTHREAD";
    sends(replies::<Vec<(String, f64)>>(all), &format!("VSIM k ELE e {expected}"));
    let attributes = cmd::vsim_with_attributes::<String>("k", [1.0_f64]);
    sends(
        replies::<Vec<(String, Option<String>)>>(attributes.clone()),
        "VSIM k VALUES 1 1 WITHATTRIBS",
    );
    sends(
        replies::<Vec<ScoredElement<String>>>(attributes.with_scores()),
        "VSIM k VALUES 1 1 WITHSCORES WITHATTRIBS",
    );
    sends(replies::<Option<Vec<f32>>>(cmd::vemb("k", "e")), "VEMB k e");
    sends(replies::<Option<RawVector>>(cmd::vemb("k", "e").raw()), "VEMB k e RAW");
    sends(cmd::vlinks::<String>("k", "e").with_scores(), "VLINKS k e WITHSCORES");
    sends(replies::<Option<String>>(cmd::vrandmember("k")), "VRANDMEMBER k");
    sends(cmd::vrandmember::<String>("k").count(-2), "VRANDMEMBER k -2");
    sends(cmd::vrange::<String>("k", "-", "+").count(2), "VRANGE k - + 2");
    sends(cmd::vsetattr("k", "e", "{}"), "VSETATTR k e {}");
    sends(replies::<Option<String>>(cmd::vgetattr("k", "e")), "VGETATTR k e");
    sends(cmd::vcard("k"), "VCARD k");
    sends(cmd::vdim("k"), "VDIM k");
    sends(replies::<Option<VectorSetInfo>>(cmd::vinfo("k")), "VINFO k");
    sends(replies::<bool>(cmd::vismember("k", "e")), "VISMEMBER k e");
    sends(replies::<bool>(cmd::vrem("k", "e")), "VREM k e");
}
