"""A mixed workload of Python's package `redis`.

    mixed.py HOST PORT PROTOCOL (all|basic)

`basic` leaves out what the server in memory does not have. Ends with `ok N checks`.
"""

import faulthandler
import sys
import threading

import redis

HOST, PORT, PROTOCOL, EXTENT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
LIMIT = 60
checks = 0


def check(what, given, wanted):
    global checks
    if given != wanted:
        sys.exit(f"{what}: {str(given)[:200]} and not {str(wanted)[:200]}")
    checks += 1


def refused(what, error, call):
    global checks
    try:
        given = call()
    except error:
        checks += 1
    else:
        sys.exit(f"{what}: {given} and no {error.__name__}")


def connect(**options):
    return redis.Redis(
        host=HOST,
        port=PORT,
        protocol=PROTOCOL,
        socket_timeout=LIMIT,
        **{"decode_responses": True, **options},
    )


def strings(r):
    check("set", r.set("s", "v"), True)
    check("get", r.get("s"), "v")
    check("get of none", r.get("none"), None)
    check("set nx", r.set("s", "w", nx=True), None)
    check("set get", r.set("s", "w", get=True), "v")
    check("append", r.append("s", "xyz"), 4)
    check("strlen", r.strlen("s"), 4)
    check("mset", r.mset({"a": 1, "b": "zwei"}), True)
    check("mget", r.mget("a", "none", "b"), ["1", None, "zwei"])
    check("incr", [r.incr("n") for _ in range(5)], [1, 2, 3, 4, 5])
    check("decrby", r.decrby("n", 7), -2)
    check("expire", (r.expire("s", 100), r.ttl("s")), (True, 100))
    check("persist", (r.persist("s"), r.ttl("s")), (True, -1))
    check("type", (r.type("s"), r.type("none")), ("string", "none"))
    check("unicode", (r.set("ü", "日本語"), r.get("ü")), (True, "日本語"))
    refused("incr of a word", redis.ResponseError, lambda: r.incr("s"))
    refused("lpush to a string", redis.ResponseError, lambda: r.lpush("s", "x"))
    refused("an unknown command", redis.ResponseError, lambda: r.execute_command("NOPE"))
    check("delete", (r.delete("s", "a", "none"), r.exists("s", "b")), (2, 1))


def collections(r):
    check("hset", r.hset("h", mapping={"f": "v", "g": "w"}), 2)
    check("hget", (r.hget("h", "f"), r.hget("h", "none")), ("v", None))
    check("hgetall", (r.hgetall("h"), r.hgetall("none")), ({"f": "v", "g": "w"}, {}))
    check("hdel", (r.hdel("h", "f", "none"), r.hlen("h")), (1, 1))
    check("sadd", (r.sadd("set", "a", "b", "a"), r.smembers("set")), (2, {"a", "b"}))
    check("sismember", (r.sismember("set", "a"), r.sismember("set", "z")), (1, 0))
    check("srem", (r.srem("set", "a"), r.scard("set")), (1, 1))
    check("rpush", (r.rpush("l", "b", "c"), r.lpush("l", "a")), (2, 3))
    check("lrange", (r.lrange("l", 0, -1), r.lrange("none", 0, -1)), (["a", "b", "c"], []))
    check("llen", r.llen("l"), 3)


def binary():
    r = connect(decode_responses=False)
    every = bytes(range(256)) * 16
    check("every byte", (r.set(every, every), r.get(every)), (True, every))
    ends = b"\r\n$-1\r\n*1\r\n+OK\r\n\x00"
    check("the protocol's own", (r.set("e", ends), r.get("e")), (True, ends))
    check("nothing", (r.set("e", b""), r.get("e")), (True, b""))
    large = bytes((n * 31 + n // 256) % 256 for n in range(1 << 20))
    check("1 MiB", (r.set("large", large), r.get("large")), (True, large))
    with r.pipeline(transaction=False) as pipe:
        for n in range(8):
            pipe.set(f"large:{n}", large[n:]).get(f"large:{n}")
        wanted = [part for n in range(8) for part in (True, large[n:])]
        check("several MiB in a pipeline", pipe.execute(), wanted)
    r.close()


def pipelines(r):
    with r.pipeline(transaction=False) as pipe:
        for n in range(5_000):
            pipe.set(f"p:{n}", n).get(f"p:{n}").incr("p")
        wanted = [part for n in range(5_000) for part in (True, str(n), n + 1)]
        check("15,000 commands", pipe.execute(), wanted)
    with r.pipeline(transaction=False) as pipe:
        pipe.set("w", "word").incr("w").get("w")
        replies = pipe.execute(raise_on_error=False)
        check("an error in its place", (replies[0], replies[2]), (True, "word"))
        check("the error", isinstance(replies[1], redis.ResponseError), True)


def transactions(r):
    with r.pipeline(transaction=True) as pipe:
        replies = pipe.set("t", 1).incr("t").hset("th", "f", "v").hgetall("th").execute()
        check("multi and exec", replies, [True, 2, 1, {"f": "v"}])
    with r.pipeline() as pipe:
        pipe.watch("t")
        value = int(pipe.get("t"))
        pipe.multi()
        check("nobody in between", pipe.set("t", value + 1).get("t").execute(), [True, "3"])
    with r.pipeline() as pipe:
        pipe.watch("t")
        r.set("t", "changed")
        pipe.multi()
        pipe.set("t", "lost")
        refused("somebody in between", redis.WatchError, pipe.execute)
    check("nothing was applied", r.get("t"), "changed")

    def add(pipe):
        value = int(pipe.get("c") or 0)
        pipe.multi()
        pipe.set("c", value + 1)

    def many():
        own = connect()
        for _ in range(25):
            own.transaction(add, "c")
        own.close()

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check("transactions of several threads", r.get("c"), "100")


def messages(r):
    def data(message):
        return message and (message["type"], message["channel"], message["data"])

    with r.pubsub() as p:
        p.subscribe("news")
        p.psubscribe("n?ws*")
        check("subscribed", data(p.get_message(timeout=LIMIT)), ("subscribe", "news", 1))
        check("to a pattern", data(p.get_message(timeout=LIMIT)), ("psubscribe", "n?ws*", 2))
        check("receivers", r.publish("news", "it is here"), 2)
        check("message", data(p.get_message(timeout=LIMIT)), ("message", "news", "it is here"))
        check("by its pattern", data(p.get_message(timeout=LIMIT)), ("pmessage", "news", "it is here"))
        p.ping()
        # In RESP3 the package takes the reply for a message of type `P`.
        check("ping", p.get_message(timeout=LIMIT)["type"], "pong" if PROTOCOL == 2 else "P")
        for n in range(500):
            r.publish("news", n)
        seen = [data(p.get_message(timeout=LIMIT)) for _ in range(1_000)]
        kinds = ("message", "pmessage")
        wanted = [(kind, "news", str(n)) for n in range(500) for kind in kinds]
        check("1,000 messages in order", seen, wanted)
        p.unsubscribe("news")
        check("unsubscribed", data(p.get_message(timeout=LIMIT)), ("unsubscribe", "news", 1))
        p.punsubscribe()
        check("from all", data(p.get_message(timeout=LIMIT)), ("punsubscribe", "n?ws*", 0))
    check("nobody listens", r.publish("news", "x"), 0)


def blocking(r):
    found = []
    own = connect()
    waiter = threading.Thread(target=lambda: found.append(own.blpop("queue", timeout=LIMIT)))
    waiter.start()
    while r.info("clients")["blocked_clients"] == 0:
        pass
    check("others are not held up", [r.incr("m") for _ in range(100)], list(range(1, 101)))
    check("rpush", r.rpush("queue", "job"), 1)
    waiter.join(LIMIT)
    check("blpop", [tuple(pair) for pair in found], [("queue", "job")])
    check("blpop of nothing", r.blpop("queue", timeout=0.01), None)
    own.close()


def scripts(r):
    check("eval", r.eval("return {KEYS[1], ARGV[1], 7}", 1, "k", "v"), ["k", "v", 7])
    put = r.register_script("redis.call('SET', KEYS[1], ARGV[1]); return redis.call('GET', KEYS[1])")
    check("a script that is loaded", put(keys=["k"], args=["by script"]), "by script")
    refused("a script's error", redis.ResponseError, lambda: r.eval("return redis.error_reply('ERR x')", 0))


def others(r):
    check("zadd", r.zadd("z", {"a": 1.5, "b": 2}), 2)
    pairs = [tuple(pair) for pair in r.zrange("z", 0, -1, withscores=True)]
    check("zrange", pairs, [("a", 1.5), ("b", 2.0)])
    check("zscore", (r.zscore("z", "a"), r.zscore("z", "none")), (1.5, None))
    r.mset({f"scan:{n}": n for n in range(500)})
    check("scan", len(set(r.scan_iter("scan:*"))), 500)
    check("xadd", r.xadd("x", {"f": "v"}, id="1-1"), "1-1")
    check("xrange", r.xrange("x"), [("1-1", {"f": "v"})])
    check("monitor", watched(r), "GET seen")


def watched(r):
    with connect().monitor() as monitor:
        r.get("seen")
        while True:
            command = monitor.next_command()["command"]
            if "seen" in command:
                return command


def main():
    # Where it hangs, should it.
    faulthandler.dump_traceback_later(LIMIT + 40, exit=True)
    r = connect()
    check("ping", r.ping(), True)
    r.flushall()
    parts = [strings, collections, pipelines, transactions, messages]
    if EXTENT == "all":
        parts += [blocking, scripts, others]
    for part in parts:
        part(r)
    binary()
    check("database", connect(db=1).dbsize(), 0)
    check("name", connect(client_name="me").client_getname(), "me")
    r.close()
    print(f"ok {checks} checks")


main()
