//! Keys of any type.

use crate::*;

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
