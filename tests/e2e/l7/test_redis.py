# SPDX-License-Identifier: GPL-2.0-or-later
"""Redis: every command counted under its name, with its error, whatever the client does."""
import re
import time

import pytest

from kit.wait import becomes, eventually, fewer

DURATION = "db_client_operation_duration_seconds"
LOSSES = ("hopscope_l7_undecoded_bytes_total", "hopscope_l7_undecoded_messages_total", "hopscope_l7_lost_calls_total",
          "hopscope_l7_lost_segments_total")

pytestmark = pytest.mark.needs("redis-server", "redis-cli", "redis-benchmark")


@pytest.fixture
def redis(lab):
    port = lab.port()
    lab.start("redis-server", "--port", port, "--save", "", "--appendonly", "no", "--dir", lab.folder).listening(port)
    return port


def operations(agent, port, **labels):
    """How many calls of which command."""
    found = agent.metrics().by("db_operation_name", f"{DURATION}_count", server_port=port, db_system_name="redis", **labels)
    return {name: int(count) for name, count in found.items()}


def errors(agent, port):
    """How many of which error."""
    found = agent.metrics().all(f"{DURATION}_count", server_port=port)
    return {(sample.labels["db_operation_name"], sample.labels["error_type"]): int(sample.value)
            for sample in found if "error_type" in sample.labels}


def nothing_lost(agent):
    metrics = agent.metrics()
    assert [metrics.value(name, protocol="redis") for name in LOSSES] == [0, 0, 0, 0]
    assert metrics.value("hopscope_dropped_total", stage="ring_data") == 0


def counted_by_redis(lab, port):
    """What the server says it has run since the last CONFIG RESETSTAT."""
    text = lab.start("redis-cli", "-p", port, "info", "commandstats").succeed().output
    return {name.upper().replace("|", " "): int(count)
            for name, count in re.findall(r"cmdstat_([\w|-]+):calls=(\d+)", text)}


def script(lab, port, source):
    """A client that runs what is said of `r`, a connection that is open by then, when its input ends."""
    head = f"import redis, sys\nr = redis.Redis(port={port})\nr.ping()\nprint('ready', flush=True)\nsys.stdin.read()\n"
    client = lab.python(lab.script("client.py", head + source))
    client.says("ready")
    return client


@pytest.mark.parametrize("pipeline", [1, 16, 300])
def test_benchmark(lab, agent, redis, pipeline):
    """As many as the server has run, of each command."""
    count = fewer(60000 if pipeline > 1 else 20000, 3000)
    lab.start("redis-benchmark", "-p", redis, "-n", count, "-c", 20, "-P", pipeline, "-q",
              "-t", "ping,set,get,incr,lpush,rpop,hset,mset").succeed(120)
    wanted = counted_by_redis(lab, redis)
    becomes(lambda: operations(agent, redis, client="redis-benchmark"), wanted)
    assert wanted["SET"] == wanted["HSET"] >= count
    assert sum(wanted.values()) >= 8 * count
    assert errors(agent, redis) == {}
    nothing_lost(agent)


def test_deep_pipeline(lab, agent, redis):
    """More at one time than may be calls at one time, from the first byte of a connection."""
    count = fewer(50000, 5000)
    client = script(lab, redis, f"""
pipe = redis.Redis(port=r.connection_pool.connection_kwargs["port"]).pipeline(transaction=False)
for number in range({count}):
    pipe.set(f"key:{{number}}", "x" * (number % 200))
    pipe.incr("count")
assert len(pipe.execute()) == 2 * {count}
""")
    client.end_input()
    client.succeed(60)
    becomes(lambda: operations(agent, redis), {"PING": 1, "SET": count, "INCRBY": count})
    nothing_lost(agent)


def test_followed_in_the_kernel(lab, agent, redis):
    """By it or by us: as many as were asked, whatever comes in between, on the same connection and on others."""
    count = fewer(4000, 1000)
    client = script(lab, redis, f"""
p = r.pubsub()
p.subscribe("channel")
for number in range({count}):
    r.set("key", "x" * (number % 300))
    assert len(r.get("key")) == number % 300
    if number % 10 == 0:
        pipe = r.pipeline(transaction=False)
        for other in range(5):
            pipe.incr("count").lpush("list", other).get("key").lrange("list", 0, 3)
        assert len(pipe.execute()) == 20
    if number % 1000 == 999:
        with r.pipeline(transaction=True) as pipe:
            pipe.incr("count").get("key").execute()
        try:
            r.incr("list")
        except redis.ResponseError:
            pass
        assert r.blpop("list")
        assert r.set("large", "x" * 300000) and len(r.get("large")) == 300000
        assert r.publish("channel", number)
""")
    client.end_input()
    client.succeed(120)
    seldom, pipelines = count // 1000, count // 10
    becomes(lambda: operations(agent, redis), {
        "PING": 1, "SUBSCRIBE": 1, "SET": count + seldom, "GET": count + 5 * pipelines + 2 * seldom,
        "INCRBY": 5 * pipelines + 2 * seldom, "LPUSH": 5 * pipelines, "LRANGE": 5 * pipelines, "MULTI": seldom,
        "EXEC": seldom, "BLPOP": seldom, "PUBLISH": seldom})
    assert errors(agent, redis) == {("INCRBY", "WRONGTYPE"): seldom}
    assert agent.metrics().value("hopscope_events_total", kind="counted") > 0
    nothing_lost(agent)


def test_follow(lab, agent, redis):
    """Who follows sees each of them, the kernel's too."""
    count = 2000
    client = script(lab, redis, f"""
for number in range({count}):
    r.get("key")
for number in range(300):
    r.set("key", number)
""")
    follower = lab.start("curl", "-sN", "--noproxy", "*", f"http://127.0.0.1:{agent.port}/api/v1/requests?follow=1&last=0")

    def is_followed():
        lab.start("redis-cli", "-p", redis, "echo", "x").succeed()
        return '"ECHO"' in follower.output
    eventually(is_followed)
    client.end_input()
    client.succeed(60)
    eventually(lambda: (follower.output.count('"SET"'), follower.output.count('"GET"')) == (300, count))
    nothing_lost(agent)


def test_transactions_scripts_and_errors(lab, agent, redis):
    client = script(lab, redis, """
def fails(run, *arguments):
    try:
        run(*arguments)
    except redis.ResponseError as error:
        return
    sys.exit("no error")
with r.pipeline(transaction=True) as pipe:
    pipe.set("a", "text").lpush("list", 1, 2, 3).get("a").execute()
fails(r.incr, "a")
fails(r.lpush, "a", 1)
fails(r.execute_command, "NONSENSE")
fails(r.execute_command, "CONFIG", "SET", "nonsense", "1")
assert r.eval("redis.call('set', KEYS[1], 1) return {1, {2, 'three'}}", 1, "k") == [1, [2, b"three"]]
fails(r.evalsha, "0" * 40, 0)
fails(r.eval, "return redis.error_reply('user:1234 is no word')", 0)
assert r.object("encoding", "list")
r.client_setname("name")
r.xgroup_create("stream", "group", mkstream=True)
""")
    client.end_input()
    client.succeed()
    becomes(lambda: operations(agent, redis), {
        "PING": 1, "MULTI": 1, "EXEC": 1, "SET": 1, "LPUSH": 2, "GET": 1, "INCRBY": 1, "_OTHER": 1, "CONFIG SET": 1,
        "EVAL": 2, "EVALSHA": 1, "OBJECT ENCODING": 1, "CLIENT SETNAME": 1, "XGROUP CREATE": 1})
    assert errors(agent, redis) == {
        ("INCRBY", "ERR"): 1, ("LPUSH", "WRONGTYPE"): 1, ("_OTHER", "ERR"): 1, ("CONFIG SET", "ERR"): 1,
        ("EVALSHA", "NOSCRIPT"): 1, ("EVAL", "_OTHER"): 1}
    assert "1234" not in agent.metrics().text
    nothing_lost(agent)


def test_publish_and_subscribe(lab, agent, redis):
    """Messages are nobody's answers."""
    client = script(lab, redis, """
p = r.pubsub()
p.subscribe("one", "two")
p.psubscribe("t*")
for number in range(3):
    assert p.get_message(timeout=10)["type"].endswith("subscribe")
for number in range(100):
    assert r.publish("one", number) == 1
    assert r.publish("two", "x" * 10000) == 2
for number in range(300):
    assert p.get_message(timeout=10)["type"] in ("message", "pmessage")
p.ping()
assert p.get_message(timeout=10)["type"] == "pong"
p.unsubscribe()
p.punsubscribe("t*")
for number in range(3):
    assert p.get_message(timeout=10)["type"].endswith("unsubscribe")
""")
    client.end_input()
    client.succeed()
    becomes(lambda: operations(agent, redis), {"PING": 2, "SUBSCRIBE": 1, "PSUBSCRIBE": 1, "PUBLISH": 200,
                                               "UNSUBSCRIBE": 1, "PUNSUBSCRIBE": 1})
    assert errors(agent, redis) == {}
    nothing_lost(agent)


def test_blocking(lab, agent, redis):
    """It lasts as long as it waits, and is over when the answer comes."""
    waiter = script(lab, redis, "assert r.blpop('queue') == (b'queue', b'item')")
    waiter.end_input()
    becomes(lambda: operations(agent, redis), {"PING": 1})
    begun = time.monotonic()
    eventually(lambda: "blocked_clients:1" in lab.start("redis-cli", "-p", redis, "info", "clients").succeed().output)
    eventually(lambda: time.monotonic() - begun > 0.5)
    waited = time.monotonic() - begun
    lab.start("redis-cli", "-p", redis, "rpush", "queue", "item").succeed()
    waiter.succeed()
    becomes(lambda: operations(agent, redis).get("BLPOP"), 1)
    assert agent.metrics().value(f"{DURATION}_sum", server_port=redis, db_operation_name="BLPOP") > waited * 0.9
    nothing_lost(agent)


def test_cli(lab, agent, redis):
    """RESP3, and words in a line as people type them."""
    commands = lab.folder / "commands"
    commands.write_text("hset h a 1 b 2\nhgetall h\nsadd s 1 2 3\nsmembers s\nzadd z 1.5 x\nzscore z x\nget none\nlpop h\n")
    lab.start("redis-cli", "-3", "-p", redis, stdin=open(commands)).succeed()
    becomes(lambda: operations(agent, redis), {
        "HELLO": 1, "COMMAND DOCS": 1, "HSET": 1, "HGETALL": 1, "SADD": 1, "SMEMBERS": 1, "ZADD": 1, "ZSCORE": 1, "GET": 1, "LPOP": 1})
    assert errors(agent, redis) == {("LPOP", "WRONGTYPE"): 1}
    client = lab.connect("127.0.0.1", redis, timeout=10)
    client.sendall(b"PING\r\n")
    assert client.recv(100) == b"+PONG\r\n"
    client.sendall(b"set typed 'a value'\r\nget typed\r\n")
    answer = b""
    while len(answer) < len(b"+OK\r\n$7\r\na value\r\n"):
        answer += client.recv(100)
    becomes(lambda: {name: count for name, count in operations(agent, redis).items() if name in ("PING", "SET", "GET")},
            {"PING": 1, "SET": 1, "GET": 2})
    nothing_lost(agent)


def test_server_that_dies(lab, agent):
    """What was asked and never answered is an error."""
    port = lab.port()
    server = lab.start("redis-server", "--port", port, "--save", "", "--dir", lab.folder).listening(port)
    client = script(lab, port, "r.blpop('queue')")
    client.end_input()
    eventually(lambda: "blocked_clients:1" in lab.start("redis-cli", "-p", port, "info", "clients").succeed().output)
    server.signal(9)
    assert client.wait() != 0
    becomes(lambda: errors(agent, port).get(("BLPOP", "unanswered")), 1)


@pytest.mark.needs("redis-server")
def test_replica(lab, agent, redis):
    """The stream to a replica is no conversation: nothing of it is counted, or lost."""
    port = lab.port()
    lab.start("redis-server", "--port", port, "--save", "", "--dir", lab.folder, "--replicaof", "127.0.0.1", redis).listening(port)
    eventually(lambda: "master_link_status:up" in lab.start("redis-cli", "-p", port, "info", "replication").succeed().output)
    lab.start("redis-benchmark", "-p", redis, "-n", 2000, "-q", "-t", "set").succeed(60)
    becomes(lambda: operations(agent, redis, client="redis-benchmark")["SET"], 2000)
    replica = operations(agent, redis, client="redis-server")
    assert replica["PSYNC"] == 1
    assert set(replica) <= {"PING", "REPLCONF", "PSYNC", "AUTH"}
    nothing_lost(agent)
