"""What the guide to clusters says of redis-py: the rows of its table that compare. Prints nothing when all holds."""

import redis
from redis.exceptions import CrossSlotTransactionError, RedisClusterException

r = redis.RedisCluster(host="localhost", port=7000, decode_responses=True)


def refused(call, kind=RedisClusterException):
    try:
        call()
    except kind:
        return True
    return False


def fill():
    for key in "abc":
        r.set(key, 1)


# Over several slots: MGET and MSET by other names, DEL and the like by their own, but not in a pipeline.
fill()
assert refused(lambda: r.mget("a", "b")) and refused(lambda: r.mset({"a": 1, "b": 2}))
assert r.mget_nonatomic("a", "b") == ["1", "1"]
assert refused(lambda: r.rename("a", "b"))
assert r.exists("a", "b", "c") == 3 and r.delete("a", "b", "none") == 2
assert refused(lambda: r.pipeline().mget("{a}1", "{a}2"))
assert refused(lambda: r.pipeline().delete("a", "b").execute())

# Without keys: one node, unless nodes are named.
fill()
assert r.dbsize() == 1 and len(r.keys()) == 1
assert r.dbsize(target_nodes=r.PRIMARIES) == 3

# Pipelines: commands without keys and scripts are refused, and what fails stops none of the others.
assert refused(lambda: r.pipeline().dbsize()) and refused(lambda: r.pipeline().publish("a", "1"))
add = r.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
assert add(["n"], [5]) == 5
assert refused(lambda: add(["n"], [5], client=r.pipeline()))
r.set("text", "x")
try:
    r.pipeline().set("a", 5).incr("text").set("c", 5).execute()
    raise AssertionError("a text is no number")
except redis.ResponseError as error:
    assert str(error).startswith("Command # 2 (INCRBY text 1) of pipeline caused error: "), error
assert r.get("a") == "5" and r.get("c") == "5"

# Transactions and watches: of one slot.
two = r.pipeline(transaction=True).set("a", 7).set("b", 7)
assert refused(two.execute, CrossSlotTransactionError)
assert r.get("a") == "5"
with r.pipeline(transaction=True) as watching:
    watching.watch("a")
    assert refused(lambda: watching.get("b"), CrossSlotTransactionError)
