"""What the guides say of redis-py: the rows of their tables that compare. Prints nothing when all holds."""

import select
import socket
import threading

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

SERVER = 6379


def client(port=SERVER, **settings):
    return redis.Redis(port=port, decode_responses=True, **settings)


def proxy():
    """A port that leads to the server. Who says `unanswered` is cut off once the server has answered."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            near = listener.accept()[0]
            threading.Thread(target=move, args=(near,), daemon=True).start()

    def move(near):
        doomed = False
        with near, socket.create_connection(("127.0.0.1", SERVER)) as far:
            while True:
                for source in select.select([near, far], [], [])[0]:
                    data = source.recv(65536)
                    if not data or (doomed and source is far):
                        return
                    doomed = doomed or b"unanswered" in data
                    (far if source is near else near).sendall(data)

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def raises(kind, call):
    try:
        call()
    except kind as error:
        return str(error)
    raise AssertionError(f"no {kind.__name__}")


def calls(name):
    return r.info("commandstats").get(f"cmdstat_{name}", {}).get("calls", 0)


r = client()
# As many attempts as there are by default, without the waits between them.
impatient = {"retry": Retry(NoBackoff(), r.get_retry().get_retries())}
cut_off = client(proxy(), **impatient)

# Pipelines: atomic by default.
before = calls("exec")
r.pipeline().ping().execute()
assert calls("exec") == before + 1
r.pipeline(transaction=False).ping().execute()
assert calls("exec") == before + 1

# The first error is raised with its position and text, the others have run; the pipeline is empty then.
r.set("text", "x")
pipe = r.pipeline().set("a", 1).lpush("text", "y").incr("a")
assert "Command # 2 (LPUSH text y) of pipeline" in raises(redis.ResponseError, pipe.execute)
assert r.get("a") == "2" and len(pipe) == 0
assert pipe.incr("a").execute() == [3]

# All replies.
replies = pipe.incr("a").lpush("text", "y").execute(raise_on_error=False)
assert replies[0] == 4 and isinstance(replies[1], redis.ResponseError)

# Refused while queueing: raised in any case, nothing has run.
for raise_on_error in (True, False):
    pipe.incr("a").execute_command("NO-SUCH", "x")
    text = raises(redis.ResponseError, lambda: pipe.execute(raise_on_error=raise_on_error))
    assert "Command # 2 (NO-SUCH x)" in text
assert r.get("a") == "4"

# What was cut off after it ran is sent again, up to 3 times, whatever is in it.
for transaction in (True, False):
    pipe = cut_off.pipeline(transaction=transaction).incr(f"ran {transaction}").echo("unanswered")
    raises(redis.ConnectionError, pipe.execute)
    assert r.get(f"ran {transaction}") == "4"

# There is no deadline by default. With one, what it gave up waiting for is sent again, too, though the
# command was to wait for longer.
assert r.get_connection_kwargs()["socket_timeout"] is None
pipe = client(socket_timeout=0.5, **impatient).pipeline(transaction=False)
pipe.incr("waited").blpop("nothing", 30)
raises(redis.TimeoutError, pipe.execute)
assert int(r.get("waited")) > 1

# A connection that was lost before: sent again.
other = client()
r.client_kill_filter(_id=other.client_id())
assert other.pipeline().incr("resent").execute() == [1]

# SELECT moves a pooled connection, whoever uses it next.
other = client()
other.pipeline(transaction=False).execute_command("SELECT", 1).execute()
other.set("moved", 1)
assert r.get("moved") is None

# Empty ones are not sent.
before = calls("exec")
assert r.pipeline().execute() == [] and calls("exec") == before


# WATCH: mistakes are found when they run.
def nested():
    pipe = r.pipeline()
    pipe.watch("k")
    pipe.multi()
    pipe.multi()


def watch_behind_multi():
    pipe = r.pipeline()
    pipe.watch("k")
    pipe.multi()
    pipe.watch("l")


assert "nested" in raises(redis.RedisError, nested)
assert "WATCH after a MULTI" in raises(redis.RedisError, watch_behind_multi)

# An empty transaction tells of a conflict.
pipe = r.pipeline()
pipe.watch("k")
r.incr("k")
pipe.multi()
raises(redis.WatchError, pipe.execute)

# The helper goes on without limit and without a wait.
attempts = 0


def conflicting(pipe):
    global attempts
    attempts += 1
    if attempts <= 1200:
        r.incr("k")
    pipe.multi()
    pipe.get("k")
    return "value"


assert len(r.transaction(conflicting, "k")) == 1
assert attempts == 1201
assert r.transaction(conflicting, "k", value_from_callable=True) == "value"
attempts = 1199
assert len(r.transaction(conflicting, "k", watch_delay=0.001)) == 1 and attempts == 1201

# Without `multi` the commands run at once, and the transaction is empty; without keys there is no WATCH.
before = calls("watch")
assert r.transaction(lambda pipe: pipe.multi() or pipe.incr("unwatched")) == [1]
assert calls("watch") == before
assert r.transaction(lambda pipe: pipe.incr("at once"), "k") == []
assert r.get("at once") == "1"

# A connection that was lost before WATCH: it is sent again on another one.
other = client()
r.client_kill_filter(_id=other.client_id())
assert other.pipeline().watch("k")

# A link that is lost while watching is a watch error.
pipe = r.pipeline()
pipe.watch("k")
client().client_kill_filter(_id=pipe.client_id())
raises(redis.WatchError, lambda: pipe.get("k"))

# So is a deadline that passes.
pipe = client(socket_timeout=0.5).pipeline()
pipe.watch("k")
assert "TimeoutError" in raises(redis.WatchError, lambda: pipe.blpop("nothing", 0))

# At EXEC as well, though it has run: the helper applies it twice.
attempts = 0


def unanswered(pipe):
    global attempts
    attempts += 1
    pipe.multi()
    pipe.incr("twice")
    if attempts == 1:
        pipe.echo("unanswered")


cut_off.transaction(unanswered, "twice")
assert r.get("twice") == "2" and attempts == 2

# Giving up without `reset` sends UNWATCH when the pipeline is collected.
before = calls("unwatch")
pipe = r.pipeline()
pipe.watch("k")
del pipe
assert calls("unwatch") == before + 1

# Scripts: a missing one is loaded, and called again.
script = r.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
before = [calls(name) for name in ("evalsha", "script|load")]
assert script(keys=["scripted"], args=[1]) == 1
assert [calls(name) for name in ("evalsha", "script|load")] in (
    [before[0] + 2, before[1] + 1],
    [before[0] + 2, before[1]],  # Servers before 7.0 count no subcommands.
)

# In a pipeline the server is asked first, and told what is missing.
r.script_flush()
before = r.info("stats")["total_commands_processed"]
pipe = r.pipeline()
script(keys=["scripted"], args=[1], client=pipe)
assert pipe.execute() == [2]
# MULTI, EVALSHA and EXEC, INFO itself, SCRIPT EXISTS and SCRIPT LOAD, and what the script calls.
assert r.info("stats")["total_commands_processed"] - before in (6, 7)

# One whose answer is lost runs again.
script = cut_off.register_script("return {redis.call('INCR', KEYS[1]), ARGV[1]}")
script(keys=["again"], args=["answered"])
try:
    script(keys=["again"], args=["unanswered"])
except redis.ConnectionError:
    pass
assert int(r.get("again")) > 2
