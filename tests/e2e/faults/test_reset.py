# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections that are reset, lost with a process, or kept though they are over."""
import errno
import signal

from kit import cgroup
from kit.beyond import ACK, FIN, RST, answer_to
from kit.fault import TIMED_OUT, Skip, Table, at_least, finding
from kit.wait import eventually

faults = Table("resets, deaths and leaks", config="close_wait_seconds = 3\n")
scenario = faults.scenario

# The client asks, and exits with the errno of what follows; 0 for the end of the stream.
ASKS = """
connection.sendall(b"hello" * 10)
print("asked", flush=True)
try:
    sys.exit(0 if not connection.recv(100) else 1)
except OSError as error:
    sys.exit(error.errno)
"""


def peers(site, server, client=ASKS, backlog=128, **options):
    """Server, client, and the port, in two namespaces."""
    near, _, far, far_end = site.wired()
    port = site.port()
    serving = site.serve(port, server, space=far, backlog=backlog, **options)
    return serving, site.client(far_end.v4, port, client, space=near), port


# ---- the server's process dies ----

DOES_NOT_READ = "connection, _ = listener.accept()\nselect.select([connection], [], [])\n"
READS = "connection, _ = listener.accept()\nconnection.recv(50)\n"
WAITS = "print('asked', flush=True)\nsys.stdin.read()\n"


def died(site, server, how, number=None, client_error=errno.ECONNRESET, **more):
    serving, client, port = peers(site, server)
    serving.says("asked")
    if number is not None:
        serving.signal(number)
    assert client.wait() == client_error, client
    yield finding(("reset", "aborted"), "peer", "peer_process_died", "proved", stage="transfer",
                  client=site.named("client.py"), server=site.named("server.py"), **more)


@scenario("kill -9 of the server, with a request that it has not read")
def killed_unread(site):
    yield from died(site, DOES_NOT_READ + WAITS, "killed", signal.SIGKILL, evidence={"server.exit_signal": 9},
                    timeline=["established", "accepted@server", "closed@server", "reset_received@client"])


@scenario("kill -9 of the server while it works on a request: the stream just ends")
def killed_read(site):
    yield from died(site, READS + WAITS, "killed", signal.SIGKILL, client_error=0, evidence={"server.exit_signal": 9})


@scenario("the server crashes (SIGSEGV) with a request under way")
def crashed(site):
    yield from died(site, DOES_NOT_READ + "print('asked', flush=True)\nimport resource\n"
                    "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nos.kill(os.getpid(), signal.SIGSEGV)\n", "crashed",
                    evidence={"server.exit_signal": 11})


@scenario("the server ends by an exception with a request under way")
def exited(site):
    yield from died(site, DOES_NOT_READ + "print('asked', flush=True)\nos._exit(3)\n", "exited",
                    evidence={"server.exit_status": 3})


@scenario("the server is killed while it had five clients")
def killed_many(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    server = site.serve(port, "held = [listener.accept()[0] for _ in range(5)]\nfor connection in held:\n"
                        "    select.select([connection], [], [])\n" + WAITS, space=far)
    clients = [site.client(far_end.v4, port, ASKS, space=near) for _ in range(5)]
    server.says("asked")
    server.signal(signal.SIGKILL)
    for client in clients:
        assert client.wait() == errno.ECONNRESET
    yield finding("reset", "peer", "peer_process_died", "proved", count=5, evidence={"server.exit_signal": 9})


@scenario("the server is killed by the OOM killer of its control group")
def oom(site):
    group = cgroup.Cgroup("memory")
    if not group.mounted:
        raise Skip("no memory controller of control groups version 1 here")
    near, _, far, far_end = site.wired()
    port = site.port()
    with group:
        group.write("memory.limit_in_bytes", 64 << 20)
        script = site.script("server.py", f"""
import select, socket
listener = socket.create_server(("0.0.0.0", {port}))
connection, _ = listener.accept()
select.select([connection], [], [])
held = []
while True:
    held.append(bytearray(b"x") * (1 << 20))
""")
        server = site.start(*group.prefix, *far.prefix, "/usr/bin/python3", script)
        eventually(lambda: f":{port}" in far.run("ss", "-ltnH"))
        client = site.client(far_end.v4, port, ASKS, space=near)
        assert client.wait() == errno.ECONNRESET
        assert server.wait() == -9
        yield finding("reset", "peer", "peer_process_died", "proved",
                      evidence={"server.exit_signal": 9, "server.oom_killed": 1})


@scenario("the client is killed while the server answers: the server's kernel is told")
def client_killed(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.serve(port, """
connection, _ = listener.accept()
connection.recv(5)
try:
    while True:
        connection.sendall(b"x" * 65536)
except OSError as error:
    print("error", error.errno, flush=True)
sys.stdin.read()
""", space=far)
    client = site.client(far_end.v4, port, "connection.sendall(b'hello')\nconnection.recv(1000)\nprint('begun', flush=True)\n"
                         "sys.stdin.read()\n", space=near)
    client.says("begun")
    client.signal(signal.SIGKILL)
    yield finding(("reset", "aborted"), "peer", "peer_process_died", "proved", evidence={"client.exit_signal": 9})


# ---- resets on purpose, and by neglect ----

@scenario("the server closes without reading the request")
def unread(site):
    _, client, port = peers(site, DOES_NOT_READ + "connection.close()\n" + WAITS)
    assert client.wait() == errno.ECONNRESET
    yield finding("reset", "peer", "reset_unread_data", "proved", stage="transfer", server=site.named("server.py"),
                  timeline=["established", "accepted@server", "closed@server", "reset_received@client"])


@scenario("nginx closes on an upload that it has not read (return 444)")
def upload_refused(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.nginx(port, "return 444;", http="client_max_body_size 0;", space=far)
    client = site.client(far_end.v4, port, """
try:
    connection.sendall(b"PUT / HTTP/1.1\\r\\nHost: server\\r\\nContent-Length: 20000000\\r\\n\\r\\n" + bytes(20_000_000))
except OSError as error:
    sys.exit(error.errno)
""", space=near)
    assert client.wait() in (errno.ECONNRESET, errno.EPIPE), client
    yield finding("reset", "peer", "reset_unread_data", "proved", stage="transfer", client=site.named("client.py"),
                  server="nginx")


@scenario("the server closes with SO_LINGER 0")
def linger(site):
    _, client, port = peers(site, READS + "connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, "
                            "struct.pack('ii', 1, 0))\nconnection.close()\n" + WAITS)
    assert client.wait() == errno.ECONNRESET
    yield finding("reset", "peer", "reset_by_linger", "proved", stage="transfer",
                  timeline=["closed@server", "reset_received@client"])


@scenario("nginx resets a client that is too slow (reset_timedout_connection)")
def nginx_resets(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.nginx(port, "", http="reset_timedout_connection on; client_header_timeout 1s;", space=far)
    client = site.client(far_end.v4, port, "connection.sendall(b'GET / HT')\n" + ASKS.split("\n", 2)[2], space=near)
    assert client.wait() == errno.ECONNRESET, client
    yield finding("reset", "peer", "reset_by_linger", "proved", stage="transfer", server="nginx")


@scenario("the client closes with SO_LINGER 0 while the server works for it")
def client_linger(site):
    _, client, port = peers(site, READS + "try:\n    connection.recv(1)\nexcept OSError as error:\n    print(error.errno)\n" +
                            WAITS, "connection.sendall(b'hello')\nconnection.setsockopt(socket.SOL_SOCKET, "
                            "socket.SO_LINGER, struct.pack('ii', 1, 0))\nconnection.close()\n")
    assert client.wait() == 0
    yield finding("reset", ("peer", "application"), "reset_by_linger", "proved")


@scenario("the server closes its listener over clients that it has not accepted")
def listener_closed(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    server = site.serve(port, "sys.stdin.readline()\nlistener.close()\nsys.stdin.read()\n", space=far)
    client = site.client(far_end.v4, port, ASKS, space=near)
    client.says("asked")
    server.tell("close")
    assert client.wait() == errno.ECONNRESET
    yield finding("reset", "peer", ("unknown", "reset_unread_data", "peer_process_died"), None, stage="accept")


@scenario("the server is killed over clients that it has not accepted")
def killed_unaccepted(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    server = site.serve(port, "sys.stdin.read()\n", space=far)
    client = site.client(far_end.v4, port, ASKS, space=near)
    client.says("asked")
    server.signal(signal.SIGKILL)
    assert client.wait() == errno.ECONNRESET
    yield finding("reset", "peer", "peer_process_died", ("proved", "inferred"), stage="accept")


# ---- idle connections ----

@scenario("the server closed the idle connection, and the client's pool did not look")
def stale_closed(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.nginx(port, "return 200;", http="keepalive_timeout 6s;", space=far)
    client = site.client(far_end.v4, port, """
request = b"GET / HTTP/1.1\\r\\nHost: server\\r\\n\\r\\n"
connection.sendall(request)
connection.recv(65536)
time.sleep(7)
connection.sendall(request)
print("asked again", flush=True)
time.sleep(0.2)
try:
    connection.sendall(request)
except BrokenPipeError:
    sys.exit(1)
""", space=near)
    assert client.wait() == 1
    yield finding("reset", "peer", "stale_connection", "proved", stage="transfer", server="nginx")


@scenario("something on the way has forgotten the idle connection, and resets its next use")
def stale_forgotten(site):
    near, far, wire = site.wire()
    port = site.port()
    site.serve(port, "connection, _ = listener.accept()\nconnection.sendall(connection.recv(50))\n" + WAITS, space=far)
    client = site.client(wire.server_end.end.v4, port, """
connection.sendall(b"hello")
connection.recv(5)
print("greeted", flush=True)
time.sleep(6)
""" + ASKS, space=near)
    client.says("greeted")

    def forgets(packet):
        if packet.to_server and packet.payload:
            wire.send(False, answer_to(packet, RST | ACK))
        return not packet.to_server
    eventually(lambda: near.counters()["InSegs"] >= 2)
    wire.rule = forgets
    assert client.wait() == errno.ECONNRESET
    yield finding("reset", "peer", "stale_connection", "inferred", stage="transfer")


@scenario("a host beyond this node has forgotten the idle connection")
def stale_there(site):
    space = site.near()
    host, port = site.beyond(space), site.port()
    accepted = host.accept(port)
    client = site.client(host.address, port, """
connection.sendall(b"hello")
connection.recv(5)
print("greeted", flush=True)
time.sleep(6)
""" + ASKS, space=space)
    eventually(lambda: accepted and accepted[0].data)
    accepted[0].write(b"hello")
    client.says("greeted")
    accepted[0].on_data = lambda packet: accepted[0].host.send(answer_to(packet, RST | ACK))
    assert client.wait() == errno.ECONNRESET
    yield finding("reset", "peer", "stale_connection", "inferred", stage="transfer", server=host.address)


@scenario("a host beyond this node resets in the middle of a request")
def reset_there(site):
    space = site.near()
    host, port = site.beyond(space), site.port()
    accepted = host.accept(port)
    client = site.client(host.address, port, ASKS, space=space)
    eventually(lambda: accepted and accepted[0].data)
    accepted[0].reset()
    assert client.wait() == errno.ECONNRESET
    yield finding("reset", "peer", "unknown", "unknown", stage="transfer")


@scenario("the FIN of the server is lost, the server is gone, and the client's next request is reset")
def stale_fin_lost(site):
    near, far, wire = site.wire()
    far.sysctl("ipv4/tcp_orphan_retries", 1)
    port = site.port()
    site.nginx(port, "return 200;", http="keepalive_timeout 3s;", space=far)
    client = site.client(wire.server_end.end.v4, port, """
request = b"GET / HTTP/1.1\\r\\nHost: server\\r\\n\\r\\n"
connection.sendall(request)
connection.recv(65536)
print("answered", flush=True)
sys.stdin.readline()
""" + ASKS, space=near)
    client.says("answered")
    eventually(lambda: near.counters()["InSegs"] >= 3)
    wire.rule = lambda packet: not packet.flags & FIN or packet.to_server
    eventually(lambda: wire.lost)
    eventually(lambda: not far.run("ss", "-tanH", "state", "connected", f"sport = :{port}"), 30)
    eventually(lambda: near.run("ss", "-tnH", "state", "established"))
    wire.mend()
    client.tell("go")
    assert client.wait() == errno.ECONNRESET
    yield finding("reset", "peer", "stale_connection", ("inferred", "proved"), stage="transfer")


# ---- leaks and limits ----

@scenario("the server never closes what its client closed (close_wait_seconds = 3)")
def close_wait_server(site):
    _, client, port = peers(site, READS + WAITS, "connection.sendall(b'hello')\nconnection.close()\n")
    assert client.wait() == 0
    yield finding("stuck", "pending", "close_wait_leak", "proved", stage="transfer", stuck=1,
                  server=site.named("server.py"))


@scenario("the client never closes what nginx closed (close_wait_seconds = 3)")
def close_wait_client(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.nginx(port, "return 200;", space=far)
    site.client(far_end.v4, port, "connection.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')\nwhile connection.recv(65536): pass\n" +
                WAITS, space=near).says("asked")
    yield finding("stuck", "pending", "close_wait_leak", "proved", stage="transfer", stuck=1,
                  client=site.named("client.py"), server="nginx")


@scenario("ten sockets leak: one finding")
def close_wait_many(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.serve(port, "held = [listener.accept()[0] for _ in range(10)]\n" + WAITS, space=far)
    for _ in range(10):
        site.client(far_end.v4, port, "connection.sendall(b'hello')\nconnection.close()\n", space=near).succeed()
    yield finding("stuck", "pending", "close_wait_leak", "proved", count=10, stuck=10)


# Those that came first, and wait too.
NOT_ACCEPTED = finding("stuck", "pending", "fd_exhausted", "proved", stage="accept", count=at_least(1), stuck=at_least(1))


@scenario("the server has no file descriptors left: it cannot accept")
def no_descriptors(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    server = site.serve(port, """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))
held = []
while True:
    try:
        held.append(listener.accept()[0])
    except OSError as error:
        print("errno", error.errno, flush=True)
        time.sleep(0.2)
""", space=far)
    with near.inside():
        for _ in range(8):
            site.connect(far_end.v4, port)
    server.says(f"errno {errno.EMFILE}")
    client = site.curl(far_end.v4, port, "-m", 3, space=near)
    assert client.wait() == TIMED_OUT
    yield [finding("aborted", "application", "fd_exhausted", "proved", stage="accept", client=site.named("curl"),
                   server=site.named("server.py"), evidence={"server.open_files": 8, "server.open_files_limit": 8}),
           NOT_ACCEPTED]


@scenario("nginx with a small worker_rlimit_nofile")
def no_descriptors_nginx(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    server = site.nginx(port, "return 200;", main="worker_rlimit_nofile 14;", space=far)
    with near.inside():
        for _ in range(14):
            site.connect(far_end.v4, port)
    server.says("Too many open files")
    client = site.curl(far_end.v4, port, "-m", 3, space=near)
    assert client.wait() == TIMED_OUT
    yield [finding("aborted", "application", "fd_exhausted", "proved", stage="accept", client=site.named("curl"),
                   server="nginx"), NOT_ACCEPTED]


test_fault = faults.test()
