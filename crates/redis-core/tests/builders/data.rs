//! Strings, collections, streams, places and bits.

use crate::*;

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
