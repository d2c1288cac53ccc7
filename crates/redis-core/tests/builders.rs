//! What every builder sends, with each of its options, and what its reply's type is.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use redis_core::cmd::{self, Aggregate, Bitwise, ClientType, CommandLogType, Extreme, Place, Side};
use redis_core::types::*;
use redis_core::{
    Block, Cmd, Command, Commands, ErrorKind, Execute, FromReply, Queue, QueueCommands, Result,
    ToArg, Value, lookup,
};

/// Checks a command and gives its words, separated by spaces.
fn words(command: impl Command) -> String {
    let cmd = command.into_cmd();
    if let Err(error) = cmd.check() {
        panic!("{error}");
    }
    split(&cmd.to_vec())
}

/// Checks that a command can be sent, and consists of these words.
#[track_caller]
fn sends(command: impl Command, expected: &str) {
    assert_eq!(words(command), expected);
}

/// The words of an encoded command. None of the tests' words has a line break or a space.
fn split(encoded: &[u8]) -> String {
    let text = std::str::from_utf8(encoded).expect("the tests' words are text");
    let mut lines = text.split_terminator("\r\n");
    let count = lines.next().expect("an array header");
    let mut words = Vec::new();
    while let (Some(len), Some(word)) = (lines.next(), lines.next()) {
        assert_eq!(len, format!("${}", word.len()));
        words.push(word);
    }
    assert_eq!(count, format!("*{}", words.len()));
    words.join(" ")
}

/// Why a command can't be sent.
fn refusal(command: impl Command) -> String {
    let error = command.into_cmd().check().expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    error.to_string()
}

/// Compiles if the command's reply is an `R`.
fn replies<R: FromReply>(command: impl Command<Reply = R>) -> impl Command<Reply = R> {
    command
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn at(duration: Duration) -> SystemTime {
    UNIX_EPOCH + duration
}

const NONE: [&str; 0] = [];

#[test]
fn generic() {
    sends(cmd::copy("a", "b"), "COPY a b");
    sends(cmd::copy("a", "b").replace().db(3), "COPY a b DB 3 REPLACE");
    sends(replies::<Option<Bytes>>(cmd::dump("k")), "DUMP k");
    sends(cmd::del("a"), "DEL a");
    sends(cmd::del(["a", "b"]), "DEL a b");
    sends(cmd::exists(vec!["a".to_owned()]), "EXISTS a");
    sends(cmd::expire("k", secs(5)), "EXPIRE k 5");
    sends(cmd::expire("k", ms(5001)).nx(), "EXPIRE k 6 NX");
    sends(cmd::expire("k", secs(5)).nx().xx(), "EXPIRE k 5 XX");
    sends(cmd::expire("k", secs(5)).gt(), "EXPIRE k 5 GT");
    sends(replies::<bool>(cmd::expire("k", secs(5)).lt()), "EXPIRE k 5 LT");
    sends(cmd::expireat("k", at(secs(9))), "EXPIREAT k 9");
    sends(cmd::expireat("k", at(secs(9))).nx(), "EXPIREAT k 9 NX");
    sends(cmd::expireat("k", at(secs(9))).xx(), "EXPIREAT k 9 XX");
    sends(cmd::expireat("k", at(secs(9))).gt(), "EXPIREAT k 9 GT");
    sends(cmd::expireat("k", at(ms(8001))).lt(), "EXPIREAT k 9 LT");
    sends(replies::<ExpireTime<1>>(cmd::expiretime("k")), "EXPIRETIME k");
    sends(replies::<KeyType>(cmd::key_type("k")), "TYPE k");
    sends(replies::<Vec<String>>(cmd::keys("a*")), "KEYS a*");
    sends(cmd::object_encoding("k"), "OBJECT ENCODING k");
    sends(cmd::object_freq("k"), "OBJECT FREQ k");
    sends(cmd::object_help(), "OBJECT HELP");
    sends(replies::<Option<Seconds>>(cmd::object_idletime("k")), "OBJECT IDLETIME k");
    sends(cmd::object_refcount("k"), "OBJECT REFCOUNT k");
    sends(cmd::persist("k"), "PERSIST k");
    sends(cmd::pexpire("k", secs(1)), "PEXPIRE k 1000");
    sends(cmd::pexpire("k", Duration::from_micros(1)).nx(), "PEXPIRE k 1 NX");
    sends(cmd::pexpire("k", ms(7)).xx(), "PEXPIRE k 7 XX");
    sends(cmd::pexpire("k", ms(7)).gt(), "PEXPIRE k 7 GT");
    sends(cmd::pexpire("k", ms(7)).lt(), "PEXPIRE k 7 LT");
    sends(cmd::pexpireat("k", at(ms(7))), "PEXPIREAT k 7");
    sends(cmd::pexpireat("k", at(ms(7))).nx(), "PEXPIREAT k 7 NX");
    sends(cmd::pexpireat("k", at(ms(7))).xx(), "PEXPIREAT k 7 XX");
    sends(cmd::pexpireat("k", at(ms(7))).gt(), "PEXPIREAT k 7 GT");
    sends(cmd::pexpireat("k", at(ms(7))).lt(), "PEXPIREAT k 7 LT");
    sends(cmd::move_key("k", 3), "MOVE k 3");
    sends(replies::<ExpireTime>(cmd::pexpiretime("k")), "PEXPIRETIME k");
    sends(replies::<Ttl>(cmd::pttl("k")), "PTTL k");
    sends(cmd::randomkey::<String>(), "RANDOMKEY");
    sends(cmd::rename("a", "b"), "RENAME a b");
    sends(cmd::renamenx("a", "b"), "RENAMENX a b");
    sends(cmd::touch(["a", "b"].iter()), "TOUCH a b");
    sends(replies::<Ttl<1>>(cmd::ttl("k")), "TTL k");
    sends(cmd::unlink([1, 2]), "UNLINK 1 2");
    let scan = cmd::scan::<String>(Cursor::START);
    sends(scan.clone(), "SCAN 0");
    let scan = scan.matching("a*").count(7).key_type(KeyType::SortedSet);
    sends(scan, "SCAN 0 MATCH a* COUNT 7 TYPE zset");
}

#[test]
fn migrate_and_restore_have_every_option() {
    let migrate = || cmd::migrate("h", 6379, "k", 3, ms(1001));
    sends(replies::<Migrated>(migrate()), "MIGRATE h 6379 k 3 1001");
    let all = migrate().copy().replace().auth("pw");
    sends(all.clone(), "MIGRATE h 6379 k 3 1001 COPY REPLACE AUTH pw");
    sends(all.auth2("u", "pw"), "MIGRATE h 6379 k 3 1001 COPY REPLACE AUTH2 u pw");
    // The helper splits at spaces: the empty word shows as two of them.
    let keys = cmd::migrate_keys("h", 1, 0, secs(1), ["a", "b"]).copy().replace().auth2("u", "pw");
    sends(keys, "MIGRATE h 1  0 1000 COPY REPLACE AUTH2 u pw KEYS a b");
    let none = refusal(cmd::migrate_keys("h", 1, 0, secs(1), NONE).auth("pw"));
    assert_eq!(none, "MIGRATE: needs at least one key");
    assert_eq!(migrate().into_cmd().slot(), cmd::get::<Value>("k").slot());
    sends(cmd::restore("k", secs(2), "v"), "RESTORE k 2000 v");
    sends(cmd::restore("k", None, "v").replace().freq(3), "RESTORE k 0 v REPLACE FREQ 3");
    let idle = cmd::restore("k", RestoreTtl::Never, "v").idle_time(ms(1001));
    sends(idle, "RESTORE k 0 v IDLETIME 2");
    sends(cmd::restore_at("k", at(ms(7)), "v"), "RESTORE k 7 v ABSTTL");
    let all = cmd::restore_at("k", at(ms(7)), "v").replace().idle_time(secs(1)).freq(2);
    sends(all, "RESTORE k 7 v REPLACE ABSTTL IDLETIME 1 FREQ 2");
}

#[test]
fn sort_has_every_option() {
    sends(replies::<Vec<String>>(cmd::sort("k")), "SORT k");
    let sort = cmd::sort::<String>("k").by("w_*").limit(1, -1).desc().alpha();
    sends(sort.clone(), "SORT k BY w_* LIMIT 1 -1 DESC ALPHA");
    let got = replies::<Vec<Option<String>>>(sort.get(["#", "n_*"]).asc());
    sends(got, "SORT k BY w_* LIMIT 1 -1 GET # GET n_* ASC ALPHA");
    let stored = cmd::sort::<String>("k").get(["n_*"]).store("to");
    sends(replies::<u64>(stored), "SORT k GET n_* STORE to");
    let sort = cmd::sort_ro::<i64>("k").by("w_*").limit(0, 2).asc().alpha();
    sends(
        replies::<Vec<Option<i64>>>(sort.get(["#"])),
        "SORT_RO k BY w_* LIMIT 0 2 GET # ASC ALPHA",
    );
}

#[test]
fn waiting_for_replicas_says_for_how_long() {
    let wait = cmd::wait(2, ms(1500));
    assert_eq!(wait.block(), Block::For(ms(1500)));
    sends(wait, "WAIT 2 1500");
    let forever = cmd::waitaof(1, 2, None);
    assert_eq!(forever.block(), Block::Forever);
    sends(replies::<AofAcks>(forever), "WAITAOF 1 2 0");
}

#[test]
fn strings() {
    sends(cmd::append("k", "v"), "APPEND k v");
    sends(cmd::decr("k"), "DECR k");
    sends(cmd::decrby("k", 2), "DECRBY k 2");
    sends(cmd::get::<String>("k"), "GET k");
    sends(cmd::getdel::<String>("k"), "GETDEL k");
    sends(cmd::getex::<String>("k"), "GETEX k");
    sends(cmd::getex::<String>("k").ex(secs(1)), "GETEX k EX 1");
    sends(cmd::getex::<String>("k").ex(ms(1)), "GETEX k PX 1");
    sends(cmd::getex::<String>("k").ex_at(at(secs(7))), "GETEX k EXAT 7");
    sends(cmd::getex::<String>("k").ex_at(at(ms(7))), "GETEX k PXAT 7");
    sends(cmd::getex::<String>("k").ex(ms(1)).persist(), "GETEX k PERSIST");
    sends(cmd::getrange::<String>("k", 0, -1), "GETRANGE k 0 -1");
    sends(cmd::getset::<String>("k", "v"), "GETSET k v");
    sends(cmd::incr("k"), "INCR k");
    sends(cmd::incrby("k", -3), "INCRBY k -3");
    sends(cmd::incrbyfloat("k", 0.5), "INCRBYFLOAT k 0.5");
    sends(cmd::mget::<i64>(["a", "b"]), "MGET a b");
    sends(cmd::mset([("a", 1), ("b", 2)]), "MSET a 1 b 2");
    sends(cmd::mset(&HashMap::from([("a", 1)])), "MSET a 1");
    sends(cmd::msetnx([("a", "x")]), "MSETNX a x");
    sends(cmd::psetex("k", ms(3), "v"), "PSETEX k 3 v");
    sends(cmd::setex("k", secs(3), "v"), "SETEX k 3 v");
    sends(cmd::setnx("k", "v"), "SETNX k v");
    sends(cmd::setrange("k", 4, "v"), "SETRANGE k 4 v");
    sends(cmd::strlen("k"), "STRLEN k");
    sends(cmd::substr::<String>("k", 0, -1), "SUBSTR k 0 -1");
    sends(cmd::delex("k"), "DELEX k");
    sends(cmd::delex("k").if_eq("v"), "DELEX k IFEQ v");
    sends(cmd::delex("k").if_ne("v"), "DELEX k IFNE v");
    sends(cmd::delex("k").if_digest_eq("00ff"), "DELEX k IFDEQ 00ff");
    sends(cmd::delex("k").if_digest_ne("00ff"), "DELEX k IFDNE 00ff");
    sends(cmd::delifeq("k", "v"), "DELIFEQ k v");
    sends(replies::<Option<String>>(cmd::digest("k")), "DIGEST k");
    sends(replies::<String>(cmd::lcs("a", "b")), "LCS a b");
    sends(replies::<u64>(cmd::lcs_len("a", "b")), "LCS a b LEN");
    let matches = cmd::lcs_idx("a", "b").min_match_len(4).with_match_len();
    sends(replies::<LcsMatches>(matches), "LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN");
    let msetex = || cmd::msetex([("a", 1), ("b", 2)]);
    sends(replies::<bool>(msetex()), "MSETEX 2 a 1 b 2");
    sends(msetex().nx().ex(secs(5)), "MSETEX 2 a 1 b 2 NX EX 5");
    sends(msetex().xx().ex_at(at(ms(5))), "MSETEX 2 a 1 b 2 XX PXAT 5");
    sends(msetex().keep_ttl(), "MSETEX 2 a 1 b 2 KEEPTTL");
}

#[test]
fn set_has_every_option() {
    sends(replies::<()>(cmd::set("k", "v")), "SET k v");
    sends(cmd::set("k", "v").ex(secs(60)), "SET k v EX 60");
    sends(cmd::set("k", "v").ex(ms(1500)), "SET k v PX 1500");
    sends(cmd::set("k", "v").ex_at(at(secs(60))), "SET k v EXAT 60");
    sends(cmd::set("k", "v").ex_at(at(ms(60))), "SET k v PXAT 60");
    sends(cmd::set("k", "v").ex(secs(1)).keep_ttl(), "SET k v KEEPTTL");
    sends(replies::<Option<()>>(cmd::set("k", "v").nx()), "SET k v NX");
    sends(cmd::set("k", "v").nx().xx(), "SET k v XX");
    sends(cmd::set("k", "v").xx().nx(), "SET k v NX");
    sends(cmd::set("k", "v").if_eq("x"), "SET k v IFEQ x");
    sends(cmd::set("k", "v").if_ne("x"), "SET k v IFNE x");
    sends(cmd::set("k", "v").if_digest_eq("0f"), "SET k v IFDEQ 0f");
    sends(cmd::set("k", "v").if_digest_ne("0f"), "SET k v IFDNE 0f");
    let get = || cmd::set("k", "v").get::<String>();
    sends(replies::<Option<String>>(get()), "SET k v GET");
    sends(replies::<Option<String>>(get().nx()), "SET k v NX GET");
    sends(get().xx(), "SET k v XX GET");
    sends(get().if_eq("x"), "SET k v IFEQ x GET");
    sends(get().if_ne("x"), "SET k v IFNE x GET");
    sends(get().if_digest_eq("x"), "SET k v IFDEQ x GET");
    sends(get().if_digest_ne("x"), "SET k v IFDNE x GET");
    let all = cmd::set("k", "v").ex(secs(9)).nx().get::<i64>();
    sends(replies::<Option<i64>>(all), "SET k v NX GET EX 9");
    sends(cmd::set("k", "v").returning::<Value>(), "SET k v");
}

#[test]
fn hashes() {
    sends(cmd::hdel("k", "f"), "HDEL k f");
    sends(cmd::hdel("k", ["f", "g"]), "HDEL k f g");
    sends(cmd::hexists("k", "f"), "HEXISTS k f");
    let expire = replies::<Vec<FieldExpiry>>(cmd::hexpire("k", secs(5), "f"));
    sends(expire, "HEXPIRE k 5 FIELDS 1 f");
    sends(cmd::hexpire("k", secs(5), ["f", "g"]).nx(), "HEXPIRE k 5 NX FIELDS 2 f g");
    sends(cmd::hexpire("k", secs(5), "f").xx(), "HEXPIRE k 5 XX FIELDS 1 f");
    sends(cmd::hexpire("k", secs(5), "f").gt(), "HEXPIRE k 5 GT FIELDS 1 f");
    sends(cmd::hexpire("k", secs(5), "f").lt(), "HEXPIRE k 5 LT FIELDS 1 f");
    sends(cmd::hexpireat("k", at(secs(5)), "f"), "HEXPIREAT k 5 FIELDS 1 f");
    sends(cmd::hexpireat("k", at(secs(5)), "f").nx(), "HEXPIREAT k 5 NX FIELDS 1 f");
    sends(cmd::hexpireat("k", at(secs(5)), "f").xx(), "HEXPIREAT k 5 XX FIELDS 1 f");
    sends(cmd::hexpireat("k", at(secs(5)), "f").gt(), "HEXPIREAT k 5 GT FIELDS 1 f");
    sends(cmd::hexpireat("k", at(secs(5)), "f").lt(), "HEXPIREAT k 5 LT FIELDS 1 f");
    let time = replies::<Vec<ExpireTime<1>>>(cmd::hexpiretime("k", "f"));
    sends(time, "HEXPIRETIME k FIELDS 1 f");
    sends(cmd::hget::<String>("k", "f"), "HGET k f");
    sends(cmd::hgetall::<HashMap<String, i64>>("k"), "HGETALL k");
    sends(cmd::hgetdel::<String>("k", ["f"]), "HGETDEL k FIELDS 1 f");
    let getex = || cmd::hgetex::<String>("k", ["f", "g"]);
    sends(getex(), "HGETEX k FIELDS 2 f g");
    sends(getex().ex(secs(1)), "HGETEX k EX 1 FIELDS 2 f g");
    sends(getex().ex_at(at(ms(1))), "HGETEX k PXAT 1 FIELDS 2 f g");
    sends(getex().persist(), "HGETEX k PERSIST FIELDS 2 f g");
    sends(cmd::hincrby("k", "f", 2), "HINCRBY k f 2");
    sends(cmd::hincrbyfloat("k", "f", 2.5), "HINCRBYFLOAT k f 2.5");
    sends(cmd::hkeys::<String>("k"), "HKEYS k");
    sends(cmd::hlen("k"), "HLEN k");
    sends(cmd::hmget::<String>("k", ["f", "g"]), "HMGET k f g");
    sends(replies::<Vec<FieldPersist>>(cmd::hpersist("k", "f")), "HPERSIST k FIELDS 1 f");
    sends(cmd::hpexpire("k", secs(5), "f"), "HPEXPIRE k 5000 FIELDS 1 f");
    sends(cmd::hpexpire("k", ms(5), "f").nx(), "HPEXPIRE k 5 NX FIELDS 1 f");
    sends(cmd::hpexpire("k", ms(5), "f").xx(), "HPEXPIRE k 5 XX FIELDS 1 f");
    sends(cmd::hpexpire("k", ms(5), "f").gt(), "HPEXPIRE k 5 GT FIELDS 1 f");
    sends(cmd::hpexpire("k", ms(5), "f").lt(), "HPEXPIRE k 5 LT FIELDS 1 f");
    sends(cmd::hpexpireat("k", at(ms(5)), "f"), "HPEXPIREAT k 5 FIELDS 1 f");
    sends(cmd::hpexpireat("k", at(ms(5)), "f").nx(), "HPEXPIREAT k 5 NX FIELDS 1 f");
    sends(cmd::hpexpireat("k", at(ms(5)), "f").xx(), "HPEXPIREAT k 5 XX FIELDS 1 f");
    sends(cmd::hpexpireat("k", at(ms(5)), "f").gt(), "HPEXPIREAT k 5 GT FIELDS 1 f");
    sends(cmd::hpexpireat("k", at(ms(5)), "f").lt(), "HPEXPIREAT k 5 LT FIELDS 1 f");
    sends(cmd::hpexpiretime("k", "f"), "HPEXPIRETIME k FIELDS 1 f");
    sends(cmd::hpttl("k", "f"), "HPTTL k FIELDS 1 f");
    sends(cmd::hset("k", [("f", 1), ("g", 2)]), "HSET k f 1 g 2");
    let setex = || cmd::hsetex("k", [("f", 1), ("g", 2)]);
    sends(setex(), "HSETEX k FIELDS 2 f 1 g 2");
    sends(setex().fnx().ex(secs(3)), "HSETEX k FNX EX 3 FIELDS 2 f 1 g 2");
    sends(setex().fxx().keep_ttl(), "HSETEX k FXX KEEPTTL FIELDS 2 f 1 g 2");
    sends(setex().ex_at(at(secs(3))), "HSETEX k EXAT 3 FIELDS 2 f 1 g 2");
    sends(cmd::hsetnx("k", "f", 1), "HSETNX k f 1");
    sends(cmd::hstrlen("k", "f"), "HSTRLEN k f");
    sends(replies::<Vec<Ttl<1>>>(cmd::httl("k", "f")), "HTTL k FIELDS 1 f");
    sends(cmd::hvals::<String>("k"), "HVALS k");
    sends(setex().nx().fxx(), "HSETEX k NX FXX FIELDS 2 f 1 g 2");
    sends(setex().xx().fnx(), "HSETEX k XX FNX FIELDS 2 f 1 g 2");
    sends(cmd::hmset("k", [("f", 1)]), "HMSET k f 1");
    sends(replies::<Option<String>>(cmd::hrandfield("k")), "HRANDFIELD k");
    let random = || cmd::hrandfield("k").count(-2);
    sends(replies::<Vec<String>>(random()), "HRANDFIELD k -2");
    let random = replies::<Vec<(String, i64)>>(random().with_values());
    sends(random, "HRANDFIELD k -2 WITHVALUES");
    let page = cmd::hscan("k", Cursor::START).matching("a*").count(9);
    let page = replies::<ScanPage<(String, i64)>>(page);
    sends(page, "HSCAN k 0 MATCH a* COUNT 9");
    let page = cmd::hscan_no_values("k", Cursor::START).matching("a*").count(9);
    sends(replies::<ScanPage<String>>(page), "HSCAN k 0 MATCH a* COUNT 9 NOVALUES");
}

#[test]
fn lists() {
    let blmove = cmd::blmove::<String>("a", "b", Side::Left, Side::Right, ms(2500));
    sends(blmove, "BLMOVE a b LEFT RIGHT 2.5");
    sends(cmd::blpop::<String, String>(["a", "b"], secs(1)), "BLPOP a b 1");
    sends(cmd::brpop::<String, String>(["a"], None), "BRPOP a 0");
    sends(cmd::lindex::<String>("k", -1), "LINDEX k -1");
    sends(cmd::linsert("k", Place::Before, "p", "e"), "LINSERT k BEFORE p e");
    sends(cmd::linsert("k", Place::After, "p", "e"), "LINSERT k AFTER p e");
    sends(cmd::llen("k"), "LLEN k");
    let lmove = cmd::lmove::<String>("a", "b", Side::Right, Side::Left);
    sends(lmove, "LMOVE a b RIGHT LEFT");
    sends(replies::<Option<i64>>(cmd::lpop("k")), "LPOP k");
    sends(replies::<Option<Vec<i64>>>(cmd::lpop::<i64>("k").count(2)), "LPOP k 2");
    sends(replies::<Option<u64>>(cmd::lpos("k", "e")), "LPOS k e");
    let lpos = cmd::lpos("k", "e").rank(-1).count(0).maxlen(9);
    sends(replies::<Vec<u64>>(lpos), "LPOS k e RANK -1 COUNT 0 MAXLEN 9");
    sends(cmd::lpush("k", "e"), "LPUSH k e");
    sends(cmd::lpushx("k", ["e", "f"]), "LPUSHX k e f");
    sends(cmd::lrange::<String>("k", 0, -1), "LRANGE k 0 -1");
    sends(cmd::lrem("k", -2, "e"), "LREM k -2 e");
    sends(cmd::lset("k", 0, "e"), "LSET k 0 e");
    sends(cmd::ltrim("k", 0, 9), "LTRIM k 0 9");
    sends(cmd::rpop::<String>("k"), "RPOP k");
    sends(cmd::rpop::<String>("k").count(3), "RPOP k 3");
    sends(cmd::rpush("k", vec![1, 2]), "RPUSH k 1 2");
    sends(cmd::rpushx("k", 1.5), "RPUSHX k 1.5");
    sends(cmd::rpoplpush::<String>("a", "b"), "RPOPLPUSH a b");
    sends(cmd::brpoplpush::<String>("a", "b", ms(500)), "BRPOPLPUSH a b 0.5");
    type Popped = Option<(String, Vec<String>)>;
    let pop = replies::<Popped>(cmd::lmpop(["a", "b"], Side::Left).count(2));
    sends(pop, "LMPOP 2 a b LEFT COUNT 2");
    let pop = replies::<Popped>(cmd::blmpop(None, ["a"], Side::Right).count(2));
    sends(pop, "BLMPOP 0 1 a RIGHT COUNT 2");
}

#[test]
fn sets() {
    sends(cmd::sadd("k", "m"), "SADD k m");
    sends(cmd::sadd("k", b"m"), "SADD k m");
    sends(cmd::sadd("k", vec![b'm', b'n']), "SADD k mn");
    sends(cmd::sadd("k", (0..3).map(|n| n * n)), "SADD k 0 1 4");
    sends(cmd::scard("k"), "SCARD k");
    sends(cmd::sdiff::<String>(["a", "b"]), "SDIFF a b");
    sends(cmd::sdiffstore("d", ["a", "b"]), "SDIFFSTORE d a b");
    sends(cmd::sinter::<String>(["a", "b"]), "SINTER a b");
    sends(cmd::sintercard(["a", "b"]), "SINTERCARD 2 a b");
    sends(cmd::sintercard(["a", "b"]).limit(3), "SINTERCARD 2 a b LIMIT 3");
    sends(cmd::sinterstore("d", ["a", "b"]), "SINTERSTORE d a b");
    sends(cmd::sismember("k", "m"), "SISMEMBER k m");
    sends(cmd::smembers::<String>("k"), "SMEMBERS k");
    sends(cmd::smismember("k", ["m", "n"]), "SMISMEMBER k m n");
    sends(cmd::smove("a", "b", "m"), "SMOVE a b m");
    sends(replies::<Option<String>>(cmd::spop("k")), "SPOP k");
    sends(replies::<Vec<String>>(cmd::spop::<String>("k").count(2)), "SPOP k 2");
    sends(cmd::srandmember::<String>("k"), "SRANDMEMBER k");
    sends(cmd::srandmember::<String>("k").count(-2), "SRANDMEMBER k -2");
    sends(cmd::srem("k", ["m"]), "SREM k m");
    sends(cmd::sunion::<String>(["a", "b"]), "SUNION a b");
    sends(cmd::sunionstore("d", "a"), "SUNIONSTORE d a");
    let page = cmd::sscan("k", Cursor::START).matching("a*").count(9);
    sends(replies::<ScanPage<String>>(page), "SSCAN k 0 MATCH a* COUNT 9");
}

#[test]
fn sorted_sets() {
    sends(cmd::bzpopmax::<String, String>(["a"], secs(1)), "BZPOPMAX a 1");
    sends(cmd::bzpopmin::<String, String>(["a", "b"], None), "BZPOPMIN a b 0");
    let zadd = || cmd::zadd("k", [(1.0, "m"), (-2.5, "n")]);
    sends(replies::<u64>(zadd()), "ZADD k 1 m -2.5 n");
    sends(zadd().nx().xx(), "ZADD k XX 1 m -2.5 n");
    sends(zadd().nx().ch(), "ZADD k NX CH 1 m -2.5 n");
    sends(zadd().gt().lt(), "ZADD k LT 1 m -2.5 n");
    sends(zadd().xx().gt(), "ZADD k XX GT 1 m -2.5 n");
    let incr = cmd::zadd("k", [(1.5, "m")]).incr();
    sends(replies::<Option<f64>>(incr), "ZADD k INCR 1.5 m");
    sends(cmd::zcard("k"), "ZCARD k");
    let above = ScoreBound::Excluded(1.0);
    sends(cmd::zcount("k", above, f64::INFINITY), "ZCOUNT k (1 inf");
    sends(cmd::zincrby("k", 1.5, "m"), "ZINCRBY k 1.5 m");
    sends(cmd::zmscore("k", ["m", "n"]), "ZMSCORE k m n");
    sends(cmd::zpopmax::<String>("k"), "ZPOPMAX k");
    sends(cmd::zpopmin::<String>("k").count(2), "ZPOPMIN k 2");
    sends(cmd::zpopmax::<String>("k").count(2), "ZPOPMAX k 2");
    sends(replies::<Vec<String>>(cmd::zrange("k", 0, -1)), "ZRANGE k 0 -1");
    let scores = cmd::zrange::<String>("k", 5, -1).rev().with_scores();
    sends(replies::<Vec<(String, f64)>>(scores), "ZRANGE k 5 -1 REV WITHSCORES");
    let scores = cmd::zrange_by_score::<String>("k", above, 5).rev().limit(2, 10).with_scores();
    let scores = replies::<Vec<(String, f64)>>(scores);
    sends(scores, "ZRANGE k (1 5 BYSCORE REV LIMIT 2 10 WITHSCORES");
    let lex = || cmd::zrange_by_lex::<String>("k", "a", LexBound::Max);
    sends(lex(), "ZRANGE k [a + BYLEX");
    sends(lex().rev().limit(0, -1), "ZRANGE k [a + BYLEX REV LIMIT 0 -1");
    sends(cmd::zrangestore("d", "k", 0, 5).rev(), "ZRANGESTORE d k 0 5 REV");
    let store = cmd::zrangestore_by_score("d", "k", above, 5).rev().limit(1, 2);
    sends(store, "ZRANGESTORE d k (1 5 BYSCORE REV LIMIT 1 2");
    let store = cmd::zrangestore_by_lex("d", "k", LexBound::Min, LexBound::excluded("b"));
    sends(store.rev().limit(1, 2), "ZRANGESTORE d k - (b BYLEX REV LIMIT 1 2");
    sends(
        cmd::zrangebylex::<String>("k", LexBound::Min, "b").limit(1, 2),
        "ZRANGEBYLEX k - [b LIMIT 1 2",
    );
    sends(
        cmd::zrevrangebylex::<String>("k", LexBound::Max, "b").limit(1, 2),
        "ZREVRANGEBYLEX k + [b LIMIT 1 2",
    );
    sends(
        cmd::zrangebyscore::<String>("k", above, 5).limit(1, 2).with_scores(),
        "ZRANGEBYSCORE k (1 5 WITHSCORES LIMIT 1 2",
    );
    sends(
        cmd::zrevrangebyscore::<String>("k", 5, above).limit(1, 2).with_scores(),
        "ZREVRANGEBYSCORE k 5 (1 WITHSCORES LIMIT 1 2",
    );
    sends(cmd::zrevrange::<String>("k", 0, 5).with_scores(), "ZREVRANGE k 0 5 WITHSCORES");
    sends(cmd::zlexcount("k", LexBound::Min, "b"), "ZLEXCOUNT k - [b");
    sends(cmd::zremrangebylex("k", LexBound::Min, "b"), "ZREMRANGEBYLEX k - [b");
    sends(replies::<Option<u64>>(cmd::zrank("k", "m")), "ZRANK k m");
    let rank = replies::<Option<(u64, f64)>>(cmd::zrank("k", "m").with_score());
    sends(rank, "ZRANK k m WITHSCORE");
    sends(cmd::zrem("k", "m"), "ZREM k m");
    sends(cmd::zremrangebyrank("k", 0, 5), "ZREMRANGEBYRANK k 0 5");
    sends(cmd::zremrangebyscore("k", f64::NEG_INFINITY, 5), "ZREMRANGEBYSCORE k -inf 5");
    sends(cmd::zrevrank("k", "m"), "ZREVRANK k m");
    sends(cmd::zrevrank("k", "m").with_score(), "ZREVRANK k m WITHSCORE");
    sends(cmd::zscore("k", "m"), "ZSCORE k m");
    sends(replies::<Option<String>>(cmd::zrandmember("k")), "ZRANDMEMBER k");
    let random = || cmd::zrandmember("k").count(-2);
    sends(replies::<Vec<String>>(random()), "ZRANDMEMBER k -2");
    let random = replies::<Vec<(String, f64)>>(random().with_scores());
    sends(random, "ZRANDMEMBER k -2 WITHSCORES");
    let scan = || cmd::zscan("k", Cursor::START);
    let page = replies::<ScanPage<(String, f64)>>(scan().matching("a*").count(9));
    sends(page, "ZSCAN k 0 MATCH a* COUNT 9");
    sends(replies::<ScanPage<String>>(scan().no_scores()), "ZSCAN k 0 NOSCORES");
}

#[test]
fn several_sorted_sets() {
    type Popped = Option<(String, Vec<(String, f64)>)>;
    let pop = replies::<Popped>(cmd::zmpop(["a", "b"], Extreme::Min).count(2));
    sends(pop, "ZMPOP 2 a b MIN COUNT 2");
    let pop = replies::<Popped>(cmd::bzmpop(ms(1500), ["a"], Extreme::Max).count(2));
    sends(pop, "BZMPOP 1.5 1 a MAX COUNT 2");
    sends(cmd::zdiff::<String>(["a", "b"]).with_scores(), "ZDIFF 2 a b WITHSCORES");
    sends(cmd::zdiffstore("d", ["a", "b"]), "ZDIFFSTORE d 2 a b");
    sends(replies::<Vec<String>>(cmd::zinter(["a", "b"])), "ZINTER 2 a b");
    let inter = cmd::zinter(["a", "b"]).weights([1.5, 2.0]).aggregate(Aggregate::Sum);
    let inter = replies::<Vec<(String, f64)>>(inter.with_scores());
    sends(inter, "ZINTER 2 a b WEIGHTS 1.5 2 AGGREGATE SUM WITHSCORES");
    sends(cmd::zintercard(["a", "b"]).limit(3), "ZINTERCARD 2 a b LIMIT 3");
    let store = cmd::zinterstore("d", "a").weights([2.0]).aggregate(Aggregate::Min);
    sends(store, "ZINTERSTORE d 1 a WEIGHTS 2 AGGREGATE MIN");
    let union = cmd::zunion::<String>(["a"]).weights([2.0]).aggregate(Aggregate::Max);
    sends(union.with_scores(), "ZUNION 1 a WEIGHTS 2 AGGREGATE MAX WITHSCORES");
    let store = cmd::zunionstore("d", "a").weights([2.0]).aggregate(Aggregate::Max);
    sends(store, "ZUNIONSTORE d 1 a WEIGHTS 2 AGGREGATE MAX");
}

#[test]
fn streams() {
    let xadd = || cmd::xadd("k", AddId::Auto, [("f", "v")]);
    sends(replies::<StreamId>(xadd()), "XADD k * f v");
    sends(cmd::xadd("k", (5, 1), [("f", "v")]), "XADD k 5-1 f v");
    sends(cmd::xadd("k", AddId::AutoSequence(5), [("f", "v")]), "XADD k 5-* f v");
    let plain = replies::<Option<StreamId>>(xadd().no_mkstream().keep_ref());
    sends(plain, "XADD k NOMKSTREAM KEEPREF * f v");
    sends(xadd().del_ref(), "XADD k DELREF * f v");
    sends(xadd().acked(), "XADD k ACKED * f v");
    sends(xadd().idempotent_auto("p"), "XADD k IDMPAUTO p * f v");
    sends(xadd().idempotent("p", "i"), "XADD k IDMP p i * f v");
    sends(xadd().trim(StreamTrim::max_len(9).exactly()), "XADD k MAXLEN = 9 * f v");
    let trimmed = xadd().trim(StreamTrim::min_id((1, 0)).limit(5));
    sends(trimmed, "XADD k MINID ~ 1-0 LIMIT 5 * f v");
    let trim = |trim| cmd::xtrim("k", trim);
    sends(trim(StreamTrim::max_len(9)).keep_ref(), "XTRIM k MAXLEN 9 KEEPREF");
    sends(trim(StreamTrim::max_len(9).approximately()).del_ref(), "XTRIM k MAXLEN ~ 9 DELREF");
    sends(trim(StreamTrim::min_id((9, 1))).acked(), "XTRIM k MINID 9-1 ACKED");
    sends(cmd::xlen("k"), "XLEN k");
    let range = replies::<Vec<StreamEntry<Value>>>(cmd::xrange("k", (1, 1), StreamBound::Max));
    sends(range, "XRANGE k 1-1 +");
    let range = cmd::xrange::<Value>("k", StreamBound::Min, StreamBound::Millis(5)).count(2);
    sends(range, "XRANGE k - 5 COUNT 2");
    let above = StreamBound::Excluded(StreamId::new(1, 1));
    sends(cmd::xrevrange::<Value>("k", StreamBound::Max, above), "XREVRANGE k + (1-1");
    sends(cmd::xrevrange::<Value>("k", (9, 9), above).count(2), "XREVRANGE k 9-9 (1-1 COUNT 2");
    let read = cmd::xread([("a", ReadFrom::from((1, 1))), ("b", ReadFrom::New)]);
    let read = replies::<Option<StreamEntries<String, Value>>>(read);
    sends(read, "XREAD STREAMS a b 1-1 $");
    let read = || cmd::xread::<String, Value>([("a", (1, 1))]);
    assert_eq!(read().into_cmd().slot(), Some(redis_core::slot_of(b"a")));
    assert_eq!(read().into_cmd().block(), Block::Never);
    sends(read().count(2).block(ms(1500)), "XREAD COUNT 2 BLOCK 1500 STREAMS a 1-1");
    assert_eq!(read().block(ms(1500)).into_cmd().block(), Block::For(ms(1500)));
    sends(read().block(None), "XREAD BLOCK 0 STREAMS a 1-1");
    assert_eq!(read().block(None).into_cmd().block(), Block::Forever);
    let none = cmd::xread::<String, Value>([("", ReadFrom::New); 0]);
    assert_eq!(refusal(none), "XREAD: needs at least one stream");
    sends(cmd::xsetid("k", (9, 9)), "XSETID k 9-9");
    let set = cmd::xsetid("k", (9, 9)).entries_added(5).max_deleted_id((1, 1));
    sends(set, "XSETID k 9-9 ENTRIESADDED 5 MAXDELETEDID 1-1");
    sends(cmd::xdel("k", [StreamId::new(1, 1)]), "XDEL k 1-1");
    let del = || cmd::xdelex("k", ["1-1", "1-2"]);
    sends(replies::<Vec<EntryDeletion>>(del()), "XDELEX k IDS 2 1-1 1-2");
    sends(del().keep_ref(), "XDELEX k KEEPREF IDS 2 1-1 1-2");
    sends(del().del_ref(), "XDELEX k DELREF IDS 2 1-1 1-2");
    sends(del().acked(), "XDELEX k ACKED IDS 2 1-1 1-2");
    let set = cmd::xcfgset("k").idmp_duration(ms(4001)).idmp_maxsize(9);
    sends(set, "XCFGSET k IDMP-DURATION 5 IDMP-MAXSIZE 9");
    sends(cmd::xidmprecord("k", "p", "i", (1, 1)), "XIDMPRECORD k p i 1-1");
}

#[test]
fn consumer_groups() {
    let id = StreamId::new(1, 1);
    sends(cmd::xgroup_create("k", "g", GroupStart::End), "XGROUP CREATE k g $");
    let create = cmd::xgroup_create("k", "g", id).mkstream().entries_read(5);
    sends(create, "XGROUP CREATE k g 1-1 MKSTREAM ENTRIESREAD 5");
    sends(cmd::xgroup_setid("k", "g", id).entries_read(5), "XGROUP SETID k g 1-1 ENTRIESREAD 5");
    sends(cmd::xgroup_createconsumer("k", "g", "c"), "XGROUP CREATECONSUMER k g c");
    sends(replies::<u64>(cmd::xgroup_delconsumer("k", "g", "c")), "XGROUP DELCONSUMER k g c");
    sends(cmd::xgroup_destroy("k", "g"), "XGROUP DESTROY k g");
    sends(cmd::xgroup_help(), "XGROUP HELP");
    sends(cmd::xinfo_help(), "XINFO HELP");
    sends(replies::<Vec<GroupInfo>>(cmd::xinfo_groups("k")), "XINFO GROUPS k");
    sends(replies::<Vec<ConsumerInfo>>(cmd::xinfo_consumers("k", "g")), "XINFO CONSUMERS k g");
    sends(replies::<StreamInfo<Value>>(cmd::xinfo_stream("k")), "XINFO STREAM k");
    let full = || cmd::xinfo_stream("k").full();
    sends(replies::<StreamInfoFull<Value>>(full()), "XINFO STREAM k FULL");
    sends(full().count(0), "XINFO STREAM k FULL COUNT 0");
    let read = || cmd::xreadgroup("g", "c", [("a", GroupReadFrom::New), ("b", id.into())]);
    let plain = replies::<Option<StreamEntries<String, Value>>>(read());
    sends(plain, "XREADGROUP GROUP g c STREAMS a b > 1-1");
    let all = read().count(2).block(None).no_ack().claim(ms(7));
    let all = replies::<Option<DeliveredEntries<String, Value>>>(all);
    sends(all, "XREADGROUP GROUP g c COUNT 2 BLOCK 0 CLAIM 7 NOACK STREAMS a b > 1-1");
    sends(cmd::xack("k", "g", [id, id]), "XACK k g 1-1 1-1");
    sends(cmd::xackdel("k", "g", id).acked(), "XACKDEL k g ACKED IDS 1 1-1");
    sends(replies::<PendingSummary>(cmd::xpending("k", "g")), "XPENDING k g");
    let range = || cmd::xpending_range("k", "g", StreamBound::Min, id, 10);
    sends(replies::<Vec<PendingEntry>>(range()), "XPENDING k g - 1-1 10");
    sends(range().idle(ms(5)).consumer("c"), "XPENDING k g IDLE 5 - 1-1 10 c");
    let claim = || cmd::xclaim::<Value>("k", "g", "c", ms(5), [id]);
    sends(replies::<Vec<StreamEntry<Value>>>(claim()), "XCLAIM k g c 5 1-1");
    let all = claim().idle(ms(1)).retry_count(3).force().last_id(id);
    sends(all, "XCLAIM k g c 5 1-1 IDLE 1 RETRYCOUNT 3 FORCE LASTID 1-1");
    let all = cmd::xclaim_just_id("k", "g", "c", ms(5), id);
    let all = replies::<Vec<StreamId>>(all.idle(ms(1)).retry_count(3).force().last_id(id));
    sends(all, "XCLAIM k g c 5 1-1 IDLE 1 RETRYCOUNT 3 FORCE JUSTID LASTID 1-1");
    sends(claim().time(at(ms(9))), "XCLAIM k g c 5 1-1 TIME 9");
    let claim = || cmd::xautoclaim::<Value>("k", "g", "c", ms(5), StreamBound::Min);
    let plain = replies::<AutoClaimed<StreamEntry<Value>>>(claim().count(2));
    sends(plain, "XAUTOCLAIM k g c 5 - COUNT 2");
    let ids = cmd::xautoclaim_just_id("k", "g", "c", ms(5), (1, 1)).count(2);
    let ids = replies::<AutoClaimed<StreamId>>(ids);
    sends(ids, "XAUTOCLAIM k g c 5 1-1 COUNT 2 JUSTID");
}

#[test]
fn places() {
    let add = || cmd::geoadd("k", [(1.5, 2.0, "m"), (3.0, -4.0, "n")]);
    sends(replies::<u64>(add()), "GEOADD k 1.5 2 m 3 -4 n");
    sends(add().nx(), "GEOADD k NX 1.5 2 m 3 -4 n");
    sends(add().xx().ch(), "GEOADD k XX CH 1.5 2 m 3 -4 n");
    sends(cmd::geodist("k", "m", "n"), "GEODIST k m n");
    sends(cmd::geodist("k", "m", "n").unit(GeoUnit::Feet), "GEODIST k m n ft");
    sends(replies::<Vec<Option<String>>>(cmd::geohash("k", ["m", "n"])), "GEOHASH k m n");
    sends(replies::<Vec<Option<GeoPoint>>>(cmd::geopos("k", "m")), "GEOPOS k m");
    let circle = || GeoArea::circle(GeoCenter::member("m"), 2.0, GeoUnit::Kilometres);
    let search = || cmd::geosearch("k", circle());
    sends(replies::<Vec<String>>(search()), "GEOSEARCH k FROMMEMBER m BYRADIUS 2 km");
    let with = search().desc().count(3).any().with(GeoWith::DISTANCE | GeoWith::HASH);
    let with = replies::<Vec<GeoMatch<String>>>(with);
    let expected = "GEOSEARCH k FROMMEMBER m BYRADIUS 2 km DESC COUNT 3 ANY WITHDIST WITHHASH";
    sends(with, expected);
    let rectangle = GeoArea::rectangle((1.0, 2.0), 3.0, 4.0, GeoUnit::Metres);
    let store = cmd::geosearchstore("d", "k", rectangle).asc().count(1).store_distances();
    sends(store, "GEOSEARCHSTORE d k FROMLONLAT 1 2 BYBOX 3 4 m ASC COUNT 1 STOREDIST");
    let around = || cmd::georadius::<String>("k", 1.0, 2.0, 3.0, GeoUnit::Miles);
    let with = around().with(GeoWith::POINT).count(2).any().asc();
    let with = replies::<Vec<GeoMatch<String>>>(with);
    sends(with, "GEORADIUS k 1 2 3 mi WITHCOORD COUNT 2 ANY ASC");
    sends(replies::<u64>(around().store("d")), "GEORADIUS k 1 2 3 mi STORE d");
    let near = || cmd::georadiusbymember::<String>("k", "m", 3.0, GeoUnit::Miles);
    let store = replies::<u64>(near().desc().store_distances("d"));
    sends(store, "GEORADIUSBYMEMBER k m 3 mi DESC STOREDIST d");
    let near = cmd::georadiusbymember_ro::<String>("k", "m", 3.0, GeoUnit::Miles);
    sends(near.desc(), "GEORADIUSBYMEMBER_RO k m 3 mi DESC");
    let around = cmd::georadius_ro::<String>("k", 1.0, 2.0, 3.0, GeoUnit::Miles);
    sends(around.with(GeoWith::HASH), "GEORADIUS_RO k 1 2 3 mi WITHHASH");
}

#[test]
fn bits() {
    sends(cmd::bitcount("k"), "BITCOUNT k");
    sends(cmd::bitcount("k").range(0, -1), "BITCOUNT k 0 -1");
    sends(cmd::bitcount("k").range(0, -1).byte(), "BITCOUNT k 0 -1 BYTE");
    sends(cmd::bitcount("k").bit().range(0, 9), "BITCOUNT k 0 9 BIT");
    assert!(refusal(cmd::bitcount("k").bit()).contains("`range`"));
    sends(cmd::bitpos("k", true), "BITPOS k 1");
    sends(cmd::bitpos("k", false).start(2), "BITPOS k 0 2");
    sends(cmd::bitpos("k", false).start(2).end(-1).bit(), "BITPOS k 0 2 -1 BIT");
    sends(cmd::bitpos("k", false).start(2).end(-1).byte(), "BITPOS k 0 2 -1 BYTE");
    assert!(refusal(cmd::bitpos("k", true).end(3)).contains("`start`"));
    assert!(refusal(cmd::bitpos("k", true).start(3).bit()).contains("`end`"));
    sends(cmd::getbit("k", 7), "GETBIT k 7");
    sends(replies::<bool>(cmd::setbit("k", 7, true)), "SETBIT k 7 1");
    sends(cmd::bitop(Bitwise::Diff1, "d", ["a", "b"]), "BITOP DIFF1 d a b");
    sends(cmd::bitop(Bitwise::Not, "d", "a"), "BITOP NOT d a");
    let u8 = BitType::Unsigned(8);
    let operations = [
        BitOperation::get(u8, 0),
        BitOperation::set(u8, BitOffset::Index(1), 7),
        BitOperation::increment(u8, 0, -1).overflow(Overflow::Fail),
    ];
    let field = replies::<Vec<Option<i64>>>(cmd::bitfield("k", operations));
    sends(field, "BITFIELD k GET u8 0 SET u8 #1 7 OVERFLOW FAIL INCRBY u8 0 -1");
    sends(cmd::bitfield_ro("k", [BitGet::new(u8, 0)]), "BITFIELD_RO k GET u8 0");
    sends(cmd::pfadd("k", NONE), "PFADD k");
    sends(replies::<bool>(cmd::pfadd("k", ["a", "b"])), "PFADD k a b");
    sends(cmd::pfcount(["k", "l"]), "PFCOUNT k l");
    sends(cmd::pfmerge("d", ["k", "l"]), "PFMERGE d k l");
}

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
}

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
}

#[test]
fn logs_and_measures() {
    sends(cmd::commandlog_get(-1, CommandLogType::Slow), "COMMANDLOG GET -1 SLOW");
    sends(cmd::commandlog_len(CommandLogType::LargeReply), "COMMANDLOG LEN LARGE-REPLY");
    sends(cmd::commandlog_reset(CommandLogType::LargeRequest), "COMMANDLOG RESET LARGE-REQUEST");
    sends(cmd::slowlog_get(), "SLOWLOG GET");
    sends(cmd::slowlog_get().count(-1), "SLOWLOG GET -1");
    sends(cmd::latency_histogram(), "LATENCY HISTOGRAM");
    sends(cmd::latency_histogram().commands(["get", "set"]), "LATENCY HISTOGRAM get set");
    sends(cmd::latency_history("fork"), "LATENCY HISTORY fork");
    sends(cmd::latency_reset(), "LATENCY RESET");
    sends(cmd::latency_reset().events("fork"), "LATENCY RESET fork");
    sends(cmd::hotkeys_start(HotKeysMetrics::Net), "HOTKEYS START METRICS 1 NET");
    let start = cmd::hotkeys_start(HotKeysMetrics::CpuAndNet).count(5).duration(ms(1001));
    let all = "HOTKEYS START METRICS 2 CPU NET COUNT 5 DURATION 2 SAMPLE 3 SLOTS 2 7 9";
    sends(start.sample(3).slots([7, 9]), all);
}

#[test]
fn what_servers_are_told_to_do() {
    sends(cmd::bgsave(), "BGSAVE");
    sends(cmd::bgsave().schedule(), "BGSAVE SCHEDULE");
    sends(cmd::bgsave_cancel(), "BGSAVE CANCEL");
    sends(cmd::failover(), "FAILOVER");
    let failover = cmd::failover().timeout(ms(7)).to("h", 6379).force();
    sends(failover, "FAILOVER TO h 6379 FORCE TIMEOUT 7");
    assert_eq!(refusal(cmd::failover().force()), "FAILOVER: `force` needs `to`");
    sends(cmd::failover_abort(), "FAILOVER ABORT");
    sends(cmd::module_load("/m", ["a", "b"]), "MODULE LOAD /m a b");
    sends(cmd::module_loadex("/m"), "MODULE LOADEX /m");
    let load = cmd::module_loadex("/m").args(["c"]).config([("a", 1), ("b", 2)]);
    sends(load, "MODULE LOADEX /m CONFIG a 1 CONFIG b 2 ARGS c");
    sends(cmd::replicaof("h", 6379), "REPLICAOF h 6379");
    sends(cmd::replicaof_no_one(), "REPLICAOF NO ONE");
    sends(cmd::shutdown(), "SHUTDOWN");
    sends(cmd::shutdown().save().no_save(), "SHUTDOWN NOSAVE");
    let shutdown = cmd::shutdown().save().now().force().safe().failover();
    sends(shutdown, "SHUTDOWN SAVE NOW FORCE SAFE FAILOVER");
    sends(cmd::shutdown_abort(), "SHUTDOWN ABORT");
}

#[test]
fn empty_lists_are_refused_before_sending() {
    assert_eq!(refusal(cmd::del(NONE)), "DEL: needs at least one key");
    assert_eq!(refusal(cmd::mget::<String>(NONE)), "MGET: needs at least one key");
    assert_eq!(refusal(cmd::sadd("k", NONE)), "SADD: needs at least one member");
    assert_eq!(refusal(cmd::mset([("", ""); 0])), "MSET: needs at least one key");
    assert_eq!(refusal(cmd::hset("k", [("", ""); 0])), "HSET: needs at least one field");
    assert_eq!(refusal(cmd::zadd("k", [(0.0, ""); 0])), "ZADD: needs at least one member");
    assert_eq!(
        refusal(cmd::xadd("k", AddId::Auto, [("", ""); 0])),
        "XADD: needs at least one field"
    );
    assert_eq!(refusal(cmd::sintercard(NONE)), "SINTERCARD: needs at least one key");
    assert_eq!(refusal(cmd::hsetex("k", [("", ""); 0])), "HSETEX: needs at least one field");
    assert_eq!(refusal(cmd::httl("k", NONE)), "HTTL: needs at least one field");
}

#[test]
fn times_that_mean_something_else_are_refused() {
    let zero = "SET: a time to live of zero: delete the key instead";
    assert_eq!(refusal(cmd::set("k", "v").ex(Duration::ZERO)), zero);
    let past = "SET: an expiry that is not after 1970";
    assert_eq!(refusal(cmd::set("k", "v").ex_at(UNIX_EPOCH)), past);
    let zero = "BLPOP: a timeout of zero means none to the server: use `None` for that";
    assert_eq!(refusal(cmd::blpop::<Value, Value>(["k"], Duration::ZERO)), zero);
}

#[test]
fn blocking_commands_say_for_how_long() {
    sends(cmd::blpop::<String, String>(["a"], ms(2)), "BLPOP a 0.002");
    assert_eq!(cmd::blpop::<Value, Value>(["k"], secs(2)).block(), Block::For(secs(2)));
    assert_eq!(cmd::blpop::<Value, Value>(["k"], None).block(), Block::Forever);
    assert_eq!(cmd::lpop::<Value>("k").into_cmd().block(), Block::Never);
    // Older servers would take a millisecond and less for none.
    let short = cmd::blpop::<Value, Value>(["k"], Duration::from_micros(100));
    sends(short, "BLPOP k 0.0011");
}

#[test]
fn the_first_key_decides_the_slot() {
    let slot = |key: &str| cmd::get::<Value>(key).slot();
    assert_eq!(cmd::mset([("a", "1"), ("b", "2")]).slot(), slot("a"));
    assert_eq!(cmd::eval::<Value>("s", ["a", "b"], ["c"]).slot(), slot("a"));
    assert_eq!(cmd::eval::<Value>("s", NONE, ["c"]).slot(), None);
    assert_eq!(cmd::sintercard(["a"]).into_cmd().slot(), slot("a"));
    assert_eq!(cmd::zadd("a", [(1.0, "b")]).into_cmd().slot(), slot("a"));
}

#[test]
fn debug_shows_no_argument() {
    let secret = "hunter2";
    let shown = [
        format!("{:?}", cmd::set("k", secret).if_eq(secret)),
        format!("{:?}", cmd::zadd("k", [(1.0, secret)])),
        format!("{:?}", cmd::ping().message::<String>(secret)),
    ];
    for shown in shown {
        assert!(!shown.contains(secret), "{shown}");
    }
}

struct Recorder;

impl Execute for Recorder {
    type Output<R: FromReply> = String;

    fn execute<C: Command>(self, command: C) -> String {
        words(command)
    }
}

#[derive(Default)]
struct Recorded(Vec<String>);

impl Queue for Recorded {
    fn queue<C: Command>(mut self, command: C) -> Self {
        self.0.push(words(command));
        self
    }
}

#[test]
fn commands_are_methods_of_what_executes() {
    assert_eq!(Recorder.get::<String>("k"), "GET k");
    assert_eq!(Recorder.set("k", "v"), "SET k v");
    assert_eq!(Recorder.sadd("k", ["a", "b"]), "SADD k a b");
    assert_eq!(Recorder.blpop::<String, i64>(["k"], secs(1)), "BLPOP k 1");
    assert_eq!(Recorder.eval::<()>("s", ["k"], [1]), "EVAL s 1 k 1");
    assert_eq!(Recorder.ping(), "PING");
}

#[test]
fn commands_chain_on_what_queues() {
    let queued = Recorded::default()
        .set("foo", "bar")
        .sadd("faz", "baz")
        .incr("auto_number")
        .hgetall("h")
        .queue(cmd::set("k", "v").nx());
    let expected = ["SET foo bar", "SADD faz baz", "INCR auto_number", "HGETALL h", "SET k v NX"];
    assert_eq!(queued.0, expected);
}

#[test]
fn batches_have_the_tuple_of_their_replies() {
    use redis_core::pipeline::{Batched, FromReplies};

    fn queued<B: Batched<Output = O>, O: FromReplies>(batch: B) -> Vec<String> {
        batch.queue_all(Recorded::default()).0
    }
    let batch = (cmd::get::<i64>("k"), cmd::incr("j"), cmd::set("k", 1).nx());
    let queued = queued::<_, (Option<i64>, i64, Option<()>)>(batch);
    assert_eq!(queued, ["GET k", "INCR j", "SET k 1 NX"]);
}

#[test]
fn lookup_finds_every_command_of_the_table() {
    let table = include_str!("../commands/commands.json");
    let mut found = 0;
    for line in table.lines().filter(|line| line.starts_with('"')) {
        let name = line.split('"').nth(1).expect("a name in quotes");
        let lower = name.to_ascii_lowercase();
        let words: Vec<&[u8]> = lower.split(' ').map(str::as_bytes).collect();
        let info = lookup(&words).unwrap_or_else(|| panic!("{name} is not found"));
        assert_eq!(info.name, name);
        assert_eq!(usize::from(info.words), words.len());
        let mut head = Vec::new();
        for word in name.split(' ') {
            head.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
        }
        assert_eq!(info.head, head);
        found += 1;
    }
    assert_eq!(found, 426);
    assert!(lookup(&[b"NO", b"SUCH"]).is_none());
}

#[test]
fn stateful_commands_are_refused_and_name_the_right_call() {
    for (name, hint) in [
        ("SELECT 1", "set the database in the configuration"),
        ("multi", "use `client.pipeline()` or `client.transaction(keys, ..)`"),
        ("CLIENT SETNAME me", "set the client name in the configuration"),
        ("SUBSCRIBE c", "use `client.pubsub()`"),
        ("WATCH k", "use `client.watch(keys)`"),
        ("MONITOR", "it is not available on a shared connection"),
    ] {
        let reason = refusal(Cmd::<Value>::raw(name));
        assert!(reason.ends_with(hint), "{reason}");
    }
    assert!(Cmd::<Value>::raw("CLIENT LIST").check().is_ok());
}

#[test]
fn user_types_are_arguments_everywhere() -> Result<()> {
    struct UserId(u64);
    impl ToArg for UserId {
        fn to_arg(&self, arg: redis_core::Arg<'_>) -> redis_core::Written {
            arg.unsigned(self.0)
        }
    }
    let users = [UserId(1), UserId(2)];
    sends(cmd::del(&users[0]), "DEL 1");
    sends(cmd::del(&users), "DEL 1 2");
    sends(cmd::del(users.iter().rev()), "DEL 2 1");
    cmd::del(users).check()
}
