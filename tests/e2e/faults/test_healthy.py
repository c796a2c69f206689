# SPDX-License-Identifier: GPL-2.0-or-later
"""What looks like trouble to the kernel and is none: nothing is found."""
import glob
import shutil
import signal

from kit import net
from kit.beyond import SYN
from kit.fault import Skip, Table
from kit.wait import eventually, fewer

faults = Table("healthy")
scenario = faults.scenario

# Long enough for what takes a while to be noticed: two seconds of hanging, and a pass more.
WATCHED = 4


def watch(site, seconds=WATCHED):
    """Let the agent look at what is there for so long."""
    uptime = lambda: site.agent.document("status")["uptime_seconds"]
    begun = uptime()
    eventually(lambda: uptime() > begun + seconds)


@scenario("happy eyeballs: IPv6 is not answered, IPv4 is, the first connect is cancelled")
def happy_eyeballs(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.nginx(port, "return 200;", space=far)
    far.drop("input", f"meta nfproto ipv6 tcp dport {port}")
    for _ in range(10):
        site.start(site.copy_once("curl"), "-sSf", "--noproxy", "*", "--happy-eyeballs-timeout-ms", 100, "--resolve",
                   f"server:{port}:[{far_end.v6}],{far_end.v4}", f"http://server:{port}/", space=near).succeed()
    yield None


@scenario("connects that are cancelled at once")
def cancelled(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.nginx(port, "return 200;", space=far)
    site.python(site.script("client.py", """
import socket, sys
for _ in range(100):
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex((sys.argv[1], int(sys.argv[2])))
    client.close()
"""), far_end.v4, port, space=near).succeed()
    yield None


@scenario("a pool closes its idle connections after 6 s")
def pool_closes(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.nginx(port, "return 200;", space=far)
    site.python(site.script("client.py", """
import socket, sys, time
pool = [socket.create_connection((sys.argv[1], int(sys.argv[2]))) for _ in range(10)]
for connection in pool:
    connection.sendall(b"GET / HTTP/1.1\\r\\nHost: server\\r\\n\\r\\n")
    connection.recv(65536)
time.sleep(6)
for connection in pool:
    connection.close()
"""), far_end.v4, port, space=near).succeed()
    yield None


@scenario("a pool closes connections that it has never used")
def pool_unused(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.nginx(port, "return 200;", space=far)
    site.python(site.script("client.py", """
import socket, sys, time
pool = [socket.create_connection((sys.argv[1], int(sys.argv[2]))) for _ in range(10)]
time.sleep(4)
for connection in pool:
    connection.close()
"""), far_end.v4, port, space=near).succeed()
    yield None


@scenario("the server closes idle connections first, the client sees it and connects anew")
def server_closes(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.nginx(port, "return 200;", http="keepalive_timeout 1s;", space=far)
    site.python(site.script("client.py", """
import select, socket, sys
for _ in range(3):
    connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    connection.sendall(b"GET / HTTP/1.1\\r\\nHost: server\\r\\n\\r\\n")
    connection.recv(65536)
    select.select([connection], [], [])
    assert connection.recv(1) == b""
    connection.close()
"""), far_end.v4, port, space=near).succeed()
    yield None


@scenario("the client half-closes, and the server goes on answering for 5 s")
def half_close(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.serve(port, """
connection, _ = listener.accept()
while connection.recv(100): pass
for _ in range(10):
    connection.sendall(b"more")
    time.sleep(0.5)
connection.close()
""", space=far)
    client = site.client(far_end.v4, port, "connection.sendall(b'hello')\nconnection.shutdown(socket.SHUT_WR)\n"
                         "while connection.recv(100): pass\n", space=near)
    client.succeed()
    yield None


@scenario("a server that forks for each connection, children that exit")
def forks(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.serve(port, """
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    connection, _ = listener.accept()
    if not os.fork():
        connection.recv(100)
        connection.sendall(b"hello")
        os._exit(0)
    connection.close()
""", space=far)
    for _ in range(20):
        site.client(far_end.v4, port, "connection.sendall(b'hello')\nwhile connection.recv(100): pass\n",
                    space=near).succeed()
    yield None


@scenario("clients that exit without closing what they have finished with")
def exits(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.nginx(port, "return 200;", space=far)
    for _ in range(5):
        site.client(far_end.v4, port, "connection.sendall(b'GET / HTTP/1.1\\r\\nHost: server\\r\\n\\r\\n')\n"
                    "connection.recv(65536)\nos._exit(0)\n", space=near).succeed()
    yield None


@scenario("10,000 short connections", alone=True)
def many(site):
    port = site.port()
    site.responder(port)
    site.caller("127.0.0.1", port, "--connections", fewer(10_000, 500), "--at-once", 4, "--requests", 1, "--send", 100,
                "--receive", 100).succeed(120)
    yield None


@scenario("ab and wrk, with and without keep-alive", alone=True)
def load(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.nginx(port, "return 200 'hello';", space=far)
    url = f"http://{far_end.v4}:{port}/"
    if not shutil.which("ab"):
        raise Skip("not installed: ab")
    site.start("ab", "-q", "-n", fewer(5000, 300), "-c", 20, url, space=near).succeed(60)
    site.start("ab", "-q", "-k", "-n", fewer(5000, 300), "-c", 20, url, space=near).succeed(60)
    yield None


@scenario("non-blocking connects that are waited for")
def non_blocking(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.responder(port, space=far)
    site.python(site.script("client.py", """
import asyncio, sys
async def one():
    reader, writer = await asyncio.open_connection(sys.argv[1], int(sys.argv[2]))
    writer.write(bytes(3) + b"\\5" + bytes(3) + b"\\5" + b"hello")
    await reader.readexactly(5)
    writer.close()
    await writer.wait_closed()
async def main():
    await asyncio.gather(*(one() for _ in range(200)))
asyncio.run(main())
"""), far_end.v4, port, space=near).succeed()
    yield None


@scenario("a proxy with its upstream")
def proxy(site):
    near, _, far, far_end = site.wired()
    port, upstream = site.port(), site.port()
    site.nginx(upstream, "return 200 'hello';", space=far)
    site.nginx(port, f"proxy_pass http://127.0.0.1:{upstream};", space=far)
    for _ in range(20):
        site.curl(far_end.v4, port, "-f", space=near).succeed()
    yield None


@scenario("idle keep-alive connections")
def idle(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.responder(port, space=far)
    holder = site.caller(far_end.v4, port, "--connections", 20, "--requests", 1, "--send", 10, "--receive", 10, "--hold",
                         space=near)
    holder.says("holding")
    watch(site, 8)
    yield None
    holder.tell("again")
    holder.says("again")
    holder.end_input()
    holder.succeed()
    yield None


@scenario("long polls: the answer comes after 6 s")
def long_poll(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.serve(port, """
connection, _ = listener.accept()
connection.recv(65536)
time.sleep(6)
connection.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nhello")
connection.close()
""", space=far)
    site.curl(far_end.v4, port, "-f", space=near).succeed()
    yield None


@scenario("an event stream, closed by the client after some events")
def event_stream(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.serve(port, """
connection, _ = listener.accept()
connection.recv(65536)
connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Type: text/event-stream\\r\\n\\r\\n")
while not select.select([connection], [], [], 0.5)[0]:
    connection.sendall(b"data: hello\\n\\n")
connection.close()
""", space=far)
    client = site.client(far_end.v4, port, """
connection.sendall(b"GET / HTTP/1.1\\r\\nHost: server\\r\\n\\r\\n")
text = b""
while text.count(b"data:") < 8:
    text += connection.recv(100)
connection.close()
""", space=near)
    client.succeed()
    yield None


@scenario("a quiet event stream (an event each 3 s), closed by the client between two")
def quiet_stream(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.serve(port, """
connection, _ = listener.accept()
connection.recv(65536)
connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Type: text/event-stream\\r\\n\\r\\n")
while not select.select([connection], [], [], 3)[0]:
    connection.sendall(b"data: hello\\n\\n")
connection.close()
""", space=far)
    site.client(far_end.v4, port, """
connection.sendall(b"GET / HTTP/1.1\\r\\nHost: server\\r\\n\\r\\n")
text = b""
while text.count(b"data:") < 2:
    text += connection.recv(100)
time.sleep(2)
connection.close()
""", space=near).succeed()
    yield None


@scenario("a client that only sends, as log shippers do, and closes after a while")
def sends_only(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.serve(port, "while True:\n    connection, _ = listener.accept()\n    while connection.recv(65536): pass\n"
               "    connection.close()\n", space=far)
    site.client(far_end.v4, port, "connection.sendall(b'a line\\n')\ntime.sleep(2.5)\nconnection.close()\n",
                space=near).succeed()
    yield None


@scenario("a client that only sends, to a host beyond this node")
def sends_only_there(site):
    space = site.near()
    host, port = site.beyond(space), site.port()
    accepted = host.accept(port)
    client = site.client(host.address, port, "connection.sendall(b'a line\\n')\ntime.sleep(2.5)\nconnection.close()\n",
                         space=space)
    eventually(lambda: accepted and accepted[0].ended)
    accepted[0].finish()
    client.succeed()
    yield None


@scenario("a slow reader that keeps on reading")
def slow_reader(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.nginx(port, "", space=far)
    (site.folder / f"nginx{port}" / "big").write_bytes(b"x" * 3_000_000)
    site.curl(far_end.v4, port, "--limit-rate", "500k", path="/big", space=near).succeed()
    yield None


@scenario("a server that accepts late, after 1.5 s, and answers")
def accepted_late(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.serve(port, """
select.select([listener], [], [])
time.sleep(1.5)
connection, _ = listener.accept()
connection.recv(65536)
connection.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nhello")
connection.close()
""", space=far)
    site.curl(far_end.v4, port, "-f", space=near).succeed()
    yield None


@scenario("some packets get lost and are sent again: it recovers")
def some_loss(site):
    near, far, wire = site.wire()
    port = site.port()
    site.responder(port, space=far)
    counter = iter(range(1 << 30))
    wire.rule = lambda packet: packet.flags & SYN or next(counter) % 25
    site.caller(wire.server_end.end.v4, port, "--connections", 10, "--at-once", 5, "--requests", 3, "--send", 20000,
                "--receive", 20000, space=near).succeed(60)
    wire.mend()
    yield None


@scenario("one SYN is lost, the next one is answered")
def one_syn(site):
    near, far, wire = site.wire()
    port = site.port()
    site.nginx(port, "return 200;", space=far)
    wire.rule = lambda packet: packet.flags != SYN or wire.lost
    site.curl(wire.server_end.end.v4, port, "-f", space=near).succeed()
    assert wire.lost == 1
    yield None


@scenario("health checks: connect and close")
def health_checks(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.nginx(port, "return 200;", space=far)
    with near.inside():
        for _ in range(50):
            site.connect(far_end.v4, port).close()
    watch(site, 2)
    yield None


@scenario("a server that is told to stop and drains: SIGQUIT to nginx")
def drains(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    server = site.nginx(port, "limit_rate 200k;", space=far)
    (site.folder / f"nginx{port}" / "big").write_bytes(b"x" * 600_000)
    client = site.curl(far_end.v4, port, path="/big", space=near)
    eventually(lambda: near.counters()["InSegs"] > 10)
    server.signal(signal.SIGQUIT)
    client.succeed()
    server.succeed()
    yield None


@scenario("redis: a client that quits, one that just exits, a subscriber that waits")
def redis(site):
    port = site.port()
    site.start("redis-server", "--port", port, "--save", "", "--appendonly", "no", "--dir", site.folder).listening(port)
    for command in (["set", "a", "b"], ["get", "a"], ["quit"]):
        site.start("redis-cli", "-p", port, *command).succeed()
    waiting = site.start("redis-cli", "-p", port, "subscribe", "news")
    blocked = site.start("redis-cli", "-p", port, "blpop", "list", "0")
    waiting.says("subscribe")
    watch(site, 6)
    site.start("redis-cli", "-p", port, "rpush", "list", "x").succeed()
    blocked.succeed()
    yield None
    waiting.signal(signal.SIGTERM)
    waiting.wait()
    yield None


@scenario("PostgreSQL: clients that quit, a query of 5 s, one that waits for nothing")
def postgresql(site):
    initdb = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    if not initdb or not shutil.which("psql"):
        raise Skip("not installed: postgresql")
    port, as_postgres = site.port(), ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]
    data = site.folder / "data"
    data.mkdir()
    shutil.chown(data, "postgres", "postgres")
    site.start(*as_postgres, initdb[-1], "-D", data, "-A", "trust", "-N", "-U", "postgres", "--no-locale").succeed(60)
    site.start(*as_postgres, initdb[-1].replace("initdb", "postgres"), "-D", data, "-p", port, "-h", "127.0.0.1",
               "-k", "", "-F").listening(port)
    database = f"host=127.0.0.1 port={port} user=postgres sslmode=disable gssencmode=disable"
    for query in "select 1", "select repeat('x', 1000000)", "select pg_sleep(5)":
        site.start("psql", "-At", database, "-c", query).succeed()
    session = site.start("psql", "-At", database)
    session.tell("select 'hello';")
    session.says("hello")
    watch(site, 6)
    session.end_input()
    session.succeed()
    yield None


@scenario("TLS: openssl s_server and s_client")
def tls(site):
    if not shutil.which("openssl"):
        raise Skip("not installed: openssl")
    port = site.port()
    net.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=server", "-keyout",
            site.folder / "key", "-out", site.folder / "cert")
    site.start("openssl", "s_server", "-quiet", "-www", "-accept", port, "-key", site.folder / "key", "-cert",
               site.folder / "cert").listening(port)
    for _ in range(5):
        site.start(site.copy_once("curl"), "-sSkf", "--noproxy", "*", "-o", "/dev/null", f"https://127.0.0.1:{port}/").succeed()
    yield None


test_fault = faults.test()
