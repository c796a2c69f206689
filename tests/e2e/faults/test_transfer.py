# SPDX-License-Identifier: GPL-2.0-or-later
"""Established connections over which nothing moves any more."""
import errno
import signal
import struct

from kit import cgroup
from kit.beyond import SYN, tcp_packet
from kit.fault import TIMED_OUT, Skip, Table, at_least, finding
from kit.wait import eventually

faults = Table("established, and nothing moves")
scenario = faults.scenario

USER_TIMEOUT = "connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 2500)\n"
KEEPALIVE = """
connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
for option in socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL:
    connection.setsockopt(socket.IPPROTO_TCP, option, 1)
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2)
"""

# A client that says "hello", waits for a line of input, and then does what it has to.
GREETS = """
connection.sendall(b"hello")
connection.recv(5, socket.MSG_WAITALL)
print("greeted", flush=True)
sys.stdin.readline()
"""

# … writes once, and waits for the answer: exits with the errno it got.
ASKS = GREETS + """
try:
    connection.sendall(b"x" * int(sys.argv[1]))
    print("asked", flush=True)
    connection.recv(1)
except OSError as error:
    sys.exit(error.errno)
"""

# … writes until somebody stops it.
FLOODS = GREETS + """
try:
    while True:
        connection.sendall(b"x" * 65536)
except OSError as error:
    sys.exit(error.errno)
"""

# A server that answers whatever comes.
ECHOES = """
connection, _ = listener.accept()
while data := connection.recv(1 << 20):
    connection.sendall(data[:5])
sys.stdin.read()
"""

# … that reads the greeting, and nothing after it.
READS_ONCE = """
connection, _ = listener.accept()
connection.sendall(connection.recv(5, socket.MSG_WAITALL))
sys.stdin.read()
"""


def greeted(site, space, address, port, source, *arguments):
    client = site.client(address, port, source, *arguments, space=space)
    client.says("greeted")
    return client


def connected(site, client_source, *arguments, server=ECHOES):
    """Over a wire between two namespaces: near, End, far, End, port, client."""
    near, near_end, far, far_end = site.wired()
    port = site.port()
    site.serve(port, server, space=far)
    return near, near_end, far, far_end, port, greeted(site, near, far_end.v4, port, client_source, *arguments)


def connected_beyond(site, client_source, *arguments, server=ECHOES, before=None):
    """Over a network that is not this node's: near, far, wire, port, client."""
    near, far, wire = site.wire()
    if before:
        before(near)
    port = site.port()
    site.serve(port, server, space=far)
    return near, far, wire, port, greeted(site, near, wire.server_end.end.v4, port, client_source, *arguments)


def connected_away(site, client_source, *arguments, **options):
    """To a host beyond this node: near, host, the host's Connection, port, client."""
    space = site.near()
    host, port = site.beyond(space), site.port()
    accepted = host.accept(port, **options)
    client = site.client(host.address, port, client_source, *arguments, space=space)
    eventually(lambda: accepted and accepted[0].data == b"hello")
    accepted[0].write(b"hello")
    client.says("greeted")
    return space, host, accepted[0], port, client


def rtos(space):
    return space.counters("TcpExt")["TCPTimeouts"]


def zero_window(space):
    """Somebody there waits for a window: the persist timer runs."""
    return "timer:(persist" in space.run("ss", "-tanoH")


# ---- the other end does not read ----

@scenario("the server has accepted, and does not read; then the client is killed")
def server_not_reading(site):
    near, _, far, _, port, client = connected(site, FLOODS, server=READS_ONCE)
    client.tell("go")
    eventually(lambda: zero_window(near))
    yield finding("stuck", "pending", "peer_not_reading", "proved", stage="transfer", stuck=1,
                  client=site.named("client.py"), server=site.named("server.py"),
                  evidence={"client.unacked": at_least(1000), "client.send_window": 0},
                  timeline=["syn_sent@client", "established@client", "accepted@server", "now"])


@scenario("the server is stopped (SIGSTOP) while curl uploads, and curl gives up")
def stopped_server(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    body = site.folder / "body"
    body.write_bytes(b"x" * 50_000_000)
    server = site.serve(port, "connection, _ = listener.accept()\nprint('reads', flush=True)\n"
                        "while connection.recv(4096): time.sleep(0.01)\n", space=far)
    client = site.curl(far_end.v4, port, "-m", 6, "-H", "Expect:", "-T", body, space=near)
    server.says("reads")
    server.signal(signal.SIGSTOP)
    eventually(lambda: zero_window(near))
    assert client.wait() == TIMED_OUT
    yield finding("aborted", "application", "peer_not_reading", "proved", stage="transfer", client=site.named("curl"),
                  server=site.named("server.py"))


@scenario("a host beyond this node announces a window of zero")
def window_of_zero_there(site):
    near, host, peer, port, client = connected_away(site, FLOODS)
    peer.window = 0
    client.tell("go")
    eventually(lambda: zero_window(near))
    yield finding("stuck", "pending", "peer_not_reading", "proved", stage="transfer", stuck=1,
                  evidence={"client.send_window": 0})


@scenario("TCP_USER_TIMEOUT ends a client whose server does not read")
def window_of_zero_user_timeout(site):
    near, _, far, _, port, client = connected(site, USER_TIMEOUT + FLOODS, server=READS_ONCE)
    client.tell("go")
    assert client.wait() == errno.ETIMEDOUT
    yield finding("timed_out", "user_timeout", "peer_not_reading", "proved", stage="transfer", stuck=0)


@scenario("a window of zero, and then no answer to any probe: net.ipv4.tcp_retries2 ends it")
def window_of_zero_then_silence(site):
    near, host, peer, port, client = connected_away(site, FLOODS)
    near.sysctl("ipv4/tcp_retries2", 3)
    peer.window = 0
    client.tell("go")
    eventually(lambda: zero_window(near))
    peer.silent = True
    assert client.wait() == errno.ETIMEDOUT
    yield finding("timed_out", "zero_window_limit", "peer_not_reading", "proved", stage="transfer")


@scenario("a client beyond this node sends, and the stopped server here does not read")
def local_not_reading(site):
    space = site.space("server")
    host, port = site.beyond(space), site.port()
    server = site.serve(port, READS_ONCE, space=space)
    peer = host.connect(host.tun.end.v4, port)
    peer.write(b"hello")
    eventually(lambda: peer.data == b"hello")
    server.signal(signal.SIGSTOP)
    for _ in range(10):
        peer.write(b"x" * 1000)
    yield finding("stuck", "pending", "local_not_reading", "proved", stage="transfer", stuck=1,
                  server=site.named("server.py"),
                  evidence={"server.unread": 10000, "server.process_state": "T"})


@scenario("a client here that is stopped while a host beyond this node answers")
def stopped_client(site):
    near, host, peer, port, client = connected_away(site, ASKS, 1000)
    client.signal(signal.SIGSTOP)
    for _ in range(10):
        peer.write(b"x" * 1000)
    yield finding("stuck", "pending", "local_not_reading", "proved", stage="transfer", stuck=1,
                  client=site.named("client.py"),
                  evidence={"client.unread": 10000, "client.process_state": "T"})


# ---- segments get lost ----

@scenario("the network between dies: it hangs, and then TCP_USER_TIMEOUT ends it")
def cut_user_timeout(site):
    near, far, wire, port, client = connected_beyond(site, USER_TIMEOUT.replace("2500", "8000") + ASKS, 1000)
    wire.cut()
    client.tell("go")
    eventually(lambda: rtos(near) >= 2)
    yield finding("stuck", "pending", "path_loss", "inferred", stage="transfer", stuck=1,
                  timeline=["established", "accepted@server", "sent_again@client", "now"])
    assert client.wait() == errno.ETIMEDOUT
    yield finding("timed_out", "user_timeout", "path_loss", "inferred", stage="transfer",
                  evidence={"client.user_timeout": 8, "client.rto_retransmits": at_least(2)},
                  timeline=["established", "sent_again@client", "sent_again@client", "ended"])


@scenario("the network between dies: net.ipv4.tcp_retries2 ends it")
def cut_retries(site):
    near, far, wire, port, client = connected_beyond(site, ASKS, 1000)
    near.sysctl("ipv4/tcp_retries2", 3)
    wire.cut()
    client.tell("go")
    assert client.wait() == errno.ETIMEDOUT
    yield finding("timed_out", "retransmission_limit", "path_loss", "inferred", stage="transfer")


@scenario("the other end of a long transfer vanishes: the server is the one that hangs")
def cut_download(site):
    near, far, wire = site.wire()
    far.sysctl("ipv4/tcp_retries2", 3)
    port = site.port()
    site.nginx(port, "limit_rate 200k;", space=far)
    (site.folder / f"nginx{port}" / "big").write_bytes(b"x" * 5_000_000)
    client = site.curl(wire.server_end.end.v4, port, path="/big", space=near)
    eventually(lambda: f":{port}" in near.run("ss", "-tnH"))
    eventually(lambda: near.counters()["InSegs"] > 20)
    wire.cut()
    eventually(lambda: rtos(far) >= 3)
    yield finding("timed_out", "retransmission_limit", "path_loss", "inferred", stage="transfer", server="nginx")


@scenario("the network between dies with a large request under way")
def cut_large(site):
    near, far, wire, port, client = connected_beyond(site, USER_TIMEOUT + "connection.sendall(b'x' * 100_000)\n" + ASKS, 100_000,
                                                     server="""
connection, _ = listener.accept()
connection.recv(100_000, socket.MSG_WAITALL)
while data := connection.recv(1 << 20):
    connection.sendall(data[:5])
""")
    wire.cut()
    client.tell("go")
    assert client.wait() == errno.ETIMEDOUT
    yield finding("timed_out", "user_timeout", "path_loss", "inferred", stage="transfer")


@scenario("a host beyond this node dies without a word")
def host_dies(site):
    near, host, peer, port, client = connected_away(site, ASKS, 1000)
    near.sysctl("ipv4/tcp_retries2", 3)
    peer.silent = True
    client.tell("go")
    assert client.wait() == errno.ETIMEDOUT
    yield finding("timed_out", "retransmission_limit", "path_loss", "inferred", stage="transfer", server=host.address)


@scenario("a client beyond this node dies while it is answered")
def client_host_dies(site):
    space = site.space("server")
    space.sysctl("ipv4/tcp_retries2", 3)
    host, port = site.beyond(space), site.port()
    site.nginx(port, "limit_rate 200k;", space=space)
    (site.folder / f"nginx{port}" / "big").write_bytes(b"x" * 5_000_000)
    peer = host.connect(host.tun.end.v4, port)
    peer.write(b"GET /big HTTP/1.0\r\n\r\n")
    eventually(lambda: len(peer.data) > 20000)
    peer.silent = True
    eventually(lambda: rtos(space) >= 3)
    yield finding("timed_out", "retransmission_limit", "path_loss", "inferred", stage="transfer", server="nginx")


@scenario("the hardware address of the peer is gone")
def neighbour_gone(site):
    near, near_end, far, far_end, port, client = connected(site, USER_TIMEOUT + ASKS, 1000)
    near.ip("neigh", "replace", far_end.v4, "lladdr", "02:00:00:00:00:99", "dev", near_end.device, "nud", "permanent")
    client.tell("go")
    assert client.wait() == errno.ETIMEDOUT
    yield finding("timed_out", "user_timeout", "path_loss", "inferred", stage="transfer")


@scenario("the device of the client goes down")
def link_down(site):
    near, near_end, far, far_end, port, client = connected(site, USER_TIMEOUT + ASKS, 1000)
    far.ip("link", "set", far_end.device, "down")
    client.tell("go")
    assert client.wait() in (errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH)
    yield finding("timed_out", "user_timeout", ("path_loss", "neighbor_failed", "dropped_egress", "dropped_ingress"),
                  ("inferred", "proved"), stage="transfer")


@scenario("curl waits for an answer that gets lost, and gives up")
def cut_curl(site):
    near, far, wire = site.wire()
    port = site.port()
    site.serve(port, "connection, _ = listener.accept()\nconnection.recv(10)\nprint('asked', flush=True)\n"
               "sys.stdin.readline()\nconnection.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\n')\nsys.stdin.read()",
               space=far)
    wire.rule = lambda packet: packet.to_server or packet.flags & SYN
    client = site.curl(wire.server_end.end.v4, port, "-m", 4, space=near)
    assert client.wait() == TIMED_OUT
    yield finding("aborted", "application", "path_loss", "inferred", stage="transfer")


# ---- dropped on this node ----

@scenario("a firewall rule at the server drops the segments: TCP_USER_TIMEOUT ends it")
def input_rule(site):
    near, _, far, _, port, client = connected(site, USER_TIMEOUT + ASKS, 1000)
    far.drop("input", f"tcp dport {port}")
    client.tell("go")
    assert client.wait() == errno.ETIMEDOUT
    yield finding("timed_out", "user_timeout", "dropped_ingress", "proved", stage="transfer",
                  evidence={"server.drop_reason": "NETFILTER_DROP"},
                  timeline=["established", "dropped@server", "sent_again@client", "ended"])


@scenario("a firewall rule at the client drops what it sends: net.ipv4.tcp_retries2 ends it")
def output_rule(site):
    near, _, far, _, port, client = connected(site, ASKS, 1000)
    near.sysctl("ipv4/tcp_retries2", 3)
    near.drop("output", f"tcp dport {port}")
    client.tell("go")
    assert client.wait() == errno.ETIMEDOUT
    yield finding("timed_out", "retransmission_limit", "dropped_egress", "proved", stage="transfer",
                  evidence={"client.drop_reason": "NETFILTER_DROP"})


@scenario("a firewall rule at the client drops the acknowledgments")
def acknowledgments_dropped(site):
    near, _, far, _, port, client = connected(site, USER_TIMEOUT + ASKS, 1000)
    near.drop("input", f"tcp sport {port}")
    client.tell("go")
    assert client.wait() == errno.ETIMEDOUT
    yield finding("timed_out", "user_timeout", "dropped_ingress", "proved", stage="transfer",
                  evidence={"client.drop_reason": "NETFILTER_DROP"})


@scenario("keep-alive probes are not answered: the network is gone")
def keepalive(site):
    near, far, wire, port, client = connected_beyond(site, KEEPALIVE + GREETS + """
try:
    connection.recv(1)
except OSError as error:
    sys.exit(error.errno)
""")
    wire.cut()
    client.tell("go")
    assert client.wait() == errno.ETIMEDOUT
    yield finding("timed_out", "keepalive", "peer_silent", "inferred", stage="transfer",
                  evidence={"client.keepalive_probes": at_least(1)}, timeline=["established", "ended"])


@scenario("keep-alive probes to a host beyond this node that is dead")
def keepalive_there(site):
    near, host, peer, port, client = connected_away(site, KEEPALIVE + GREETS + """
try:
    connection.recv(1)
except OSError as error:
    sys.exit(error.errno)
""")
    peer.silent = True
    client.tell("go")
    assert client.wait() == errno.ETIMEDOUT
    yield finding("timed_out", "keepalive", "peer_silent", "inferred", stage="transfer")


@scenario("keep-alive probes are dropped by a firewall rule")
def keepalive_dropped(site):
    near, _, far, _, port, client = connected(site, KEEPALIVE + GREETS + """
try:
    connection.recv(1)
except OSError as error:
    sys.exit(error.errno)
""")
    far.drop("input", f"tcp dport {port}")
    client.tell("go")
    assert client.wait() == errno.ETIMEDOUT
    yield finding("timed_out", "keepalive", "dropped_ingress", "proved", stage="transfer",
                  evidence={"server.drop_reason": "NETFILTER_DROP"})


@scenario("the control group of the server has no memory left for what arrives, and nobody reads it")
def memory(site):
    group = cgroup.Cgroup("memory")
    if not group.mounted:
        raise Skip("no memory controller of control groups version 1 here: it alone limits that of TCP")
    near, _, far, far_end = site.wired()
    port = site.port()
    script = site.script("server.py", f"""
import socket, sys
listener = socket.create_server(("0.0.0.0", {port}))
connection, _ = listener.accept()
connection.sendall(connection.recv(5, socket.MSG_WAITALL))
sys.stdin.read()
""")
    with group:
        group.write("memory.kmem.tcp.limit_in_bytes", 4096)
        site.start(*group.prefix, *far.prefix, "/usr/bin/python3", script)
        eventually(lambda: f":{port}" in far.run("ss", "-ltnH"))
        client = greeted(site, near, far_end.v4, port, USER_TIMEOUT.replace("2500", "6000") + ASKS, 600_000)
        client.tell("go")
        assert client.wait() == errno.ETIMEDOUT
        yield finding("timed_out", "user_timeout", "memory_pressure", "proved", stage="transfer",
                      server=site.named("server.py"), evidence={"server.drop_reason": "PROTO_MEM"})


# A server in whose read() the kernel waits for a page of memory, and keeps the socket to itself meanwhile.
READS_NOWHERE = """
import ctypes, fcntl, mmap, platform, threading
memory = mmap.mmap(-1, 65536)
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
faults = ctypes.CDLL(None).syscall({"x86_64": 323, "aarch64": 282}[platform.machine()], os.O_CLOEXEC)  # userfaultfd
fcntl.ioctl(faults, 0xc018aa3f, struct.pack("QQQ", 0xaa, 0, 0))  # UFFDIO_API
fcntl.ioctl(faults, 0xc020aa00, struct.pack("QQQQ", start, 65536, 1, 0))  # UFFDIO_REGISTER, of missing pages
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
connection, _ = listener.accept()
connection.sendall(connection.recv(5, socket.MSG_WAITALL))
threading.Thread(target=lambda: connection.recv_into(memory), daemon=True).start()
sys.stdin.read()
os._exit(0)
"""


@scenario("what comes while a call has the socket to itself does not fit into its backlog")
def socket_backlog(site):
    near, near_end, far, far_end = site.wired()
    port = site.port()
    site.serve(port, READS_NOWHERE, space=far)
    near.ip("route", "replace", f"{far_end.v4}/32", "dev", near_end.device, "initcwnd", "1000")
    client = greeted(site, near, far_end.v4, port, """
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
""" + GREETS + """
for _ in range(600):
    connection.sendall(b"x")
    time.sleep(0.001)  # of another timestamp, so that they are not joined
sys.stdin.read()
""")
    client.tell("go")
    eventually(lambda: far.counters("TcpExt")["TCPBacklogDrop"] >= 10)
    yield finding("stuck", "pending", "backlog_dropped", "proved", stage="transfer", stuck=1,
                  client=site.named("client.py"), server=site.named("server.py"),
                  evidence={"server.drop_reason": "SOCKET_BACKLOG", "server.socket_backlog_drops": at_least(10)})


# ---- only what is small passes ----

@scenario("a network that loses packets of more than 1000 bytes, and does not say so")
def mtu(site):
    near, far, wire, port, client = connected_beyond(site, USER_TIMEOUT.replace("2500", "8000") + ASKS, 100_000)
    wire.rule = lambda packet: len(packet) <= 1000
    client.tell("go")
    eventually(lambda: rtos(near) >= 2)
    yield finding("stuck", "pending", "mtu_blackhole", "inferred", stage="transfer", stuck=1)
    assert client.wait() == errno.ETIMEDOUT
    yield finding("timed_out", "user_timeout", "mtu_blackhole", "inferred", stage="transfer")


@scenario("the same from a busy connection that has sent a lot in small segments before")
def mtu_later(site):
    near, far, wire, port, client = connected_beyond(site, USER_TIMEOUT + """
for _ in range(100):
    connection.sendall(b"x" * 500)
    connection.recv(5, socket.MSG_WAITALL)
""" + ASKS, 100_000)
    wire.rule = lambda packet: len(packet) <= 1000
    client.tell("go")
    assert client.wait() == errno.ETIMEDOUT
    yield finding("timed_out", "user_timeout", "mtu_blackhole", "inferred", stage="transfer")


@scenario("a host beyond this node that gets small segments only")
def mtu_there(site):
    near, host, peer, port, client = connected_away(site, USER_TIMEOUT + ASKS, 100_000)
    take = peer.take
    peer.take = lambda packet: len(packet) <= 1000 and take(packet)
    client.tell("go")
    assert client.wait() == errno.ETIMEDOUT
    yield finding("timed_out", "user_timeout", "mtu_blackhole", "inferred", stage="transfer")


@scenario("the answer is too large for the way back: nginx hangs, curl gives up")
def mtu_answer(site):
    near, far, wire = site.wire()
    port = site.port()
    site.nginx(port, "", space=far)
    (site.folder / f"nginx{port}" / "big").write_bytes(b"x" * 100_000)
    wire.rule = lambda packet: packet.to_server or len(packet) <= 1000
    client = site.curl(wire.server_end.end.v4, port, "-m", 5, path="/big", space=near)
    assert client.wait() == TIMED_OUT
    yield finding("aborted", "application", "mtu_blackhole", "inferred", stage="transfer", server="nginx")


@scenario("a link whose other end has a smaller MTU, and drops without a word")
def mtu_link(site):
    near, near_end, far, far_end, port, client = connected(site, USER_TIMEOUT + ASKS, 100_000)
    near.ip("link", "set", near_end.device, "gso_max_segs", 1)
    far.ip("link", "set", far_end.device, "mtu", 1000)
    client.tell("go")
    if client.wait() != errno.ETIMEDOUT:
        raise AssertionError("it passed")
    yield finding("timed_out", "user_timeout", ("mtu_blackhole", "dropped_ingress", "dropped_egress"),
                  ("inferred", "proved"), stage="transfer")


# ---- the kernel rejects ----

@scenario("something on the way turns back the TCP timestamps: the server rejects what comes")
def timestamps(site):
    near, far, wire, port, client = connected_beyond(site, USER_TIMEOUT + ASKS, 1000)
    wire.rule = lambda packet: older(packet) if packet.to_server else True
    client.tell("go")
    assert client.wait() == errno.ETIMEDOUT
    assert far.counters("TcpExt")["PAWSEstab"] >= 1
    yield finding("timed_out", "user_timeout", "timestamp_rejected", "proved", stage="transfer")


def older(packet):
    """The packet as if sent long ago."""
    options, at = bytearray(packet.options), 0
    while at < len(options):
        if options[at] == 8:
            value, = struct.unpack_from("!I", options, at + 2)
            struct.pack_into("!I", options, at + 2, (value - 100_000) & 0xffffffff)
        at += 1 if options[at] < 2 else options[at + 1]
    window, = struct.unpack_from("!H", packet.data, packet.header + 14)
    return tcp_packet(packet.source, packet.sport, packet.destination, packet.dport, packet.seq, packet.ack,
                      packet.flags, window, bytes(options), packet.payload)


# ---- nobody answers, though everything arrived ----

def waiting(site, space, address, port, count=1):
    """A client whose requests wait until give_up(): a time limit may be too short for a busy machine to see it hang."""
    client = site.client(address, port, """
held = [connection] + [socket.create_connection(connection.getpeername()) for _ in range(int(sys.argv[1]) - 1)]
for one in held:
    one.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
print("asked", flush=True)
sys.stdin.readline()
for one in held:
    one.close()
""", count, space=space)
    client.says("asked")
    return client


def give_up(client):
    client.tell("give up")
    client.succeed()


ASKED_AND_SILENT = """
connection, _ = listener.accept()
connection.recv(65536)
print("asked", flush=True)
sys.stdin.read()
"""


@scenario("the server has read the request and does not answer: curl gives up after 2.5 s")
def server_thinking(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    server = site.serve(port, ASKED_AND_SILENT, space=far)
    client = site.curl(far_end.v4, port, "-m", 2.5, space=near)
    server.says("asked")
    assert client.wait() == TIMED_OUT
    yield finding("aborted", "application", "server_thinking", ("inferred", "proved"), stage="transfer",
                  client=site.named("curl"), server=site.named("server.py"),
                  timeline=["syn_sent@client", "established@client", "accepted@server", "closed@client"])


@scenario("nginx, whose upstream does not answer: both calls are told")
def upstream_thinking(site):
    near, _, far, far_end = site.wired()
    port, upstream = site.port(), site.port()
    server = site.serve(upstream, ASKED_AND_SILENT, address="127.0.0.1", space=far)
    site.nginx(port, f"proxy_pass http://127.0.0.1:{upstream}; proxy_read_timeout 2s;", space=far)
    client = site.curl(far_end.v4, port, "-f", space=near)
    server.says("asked")
    assert client.wait() == 22
    yield finding("aborted", "application", "server_thinking", ("inferred", "proved"), stage="transfer",
                  client="nginx", server=site.named("server.py"))


@scenario("a host beyond this node acknowledges the request and does not answer")
def server_thinking_there(site):
    space = site.near()
    host, port = site.beyond(space), site.port()
    accepted = host.accept(port)
    client = site.curl(host.address, port, "-m", 2.5, space=space)
    eventually(lambda: accepted and accepted[0].data)
    assert client.wait() == TIMED_OUT
    yield finding("aborted", "application", "server_thinking", "inferred", stage="transfer")


@scenario("a stopped server: the kernel has taken the connection and the request, nobody has accepted it")
def never_accepted(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    server = site.serve(port, ASKED_AND_SILENT, space=far)
    server.signal(signal.SIGSTOP)
    client = waiting(site, near, far_end.v4, port)
    yield finding("stuck", "pending", "server_thinking", ("inferred", "proved"), stage="accept", stuck=1)
    give_up(client)
    yield finding("aborted", "application", "server_thinking", ("inferred", "proved"), stage="accept",
                  client=site.named("client.py"), server=site.named("server.py"))


@scenario("redis that sleeps: the client gives up")
def redis_sleeps(site):
    port = site.port()
    site.start("redis-server", "--port", port, "--save", "", "--appendonly", "no", "--dir", site.folder,
               "--enable-debug-command", "yes").listening(port)
    site.start("timeout", 10, "redis-cli", "-p", port, "debug", "sleep", "6")
    eventually(lambda: site.agent.connections(port=port))
    client = site.python(site.script("client.py", """
import socket, sys
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=2.5)
client.sendall(b"PING\\r\\n")
try:
    client.recv(10)
except TimeoutError:
    sys.exit(1)
"""), port)
    assert client.wait() == 1
    yield finding("aborted", "application", "server_thinking", ("inferred", "proved"),
                  client=site.named("client.py"), server="redis-server")


POOLED = """
import http.server, redis, sys
pool = redis.BlockingConnectionPool(host="127.0.0.1", port=int(sys.argv[2]), max_connections=2, timeout=None)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        redis.Redis(connection_pool=pool).blpop("work")
        self.send_response(200)
        self.end_headers()
http.server.ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
"""


@scenario("a pool of two connections to redis, both wait there, and three more requests wait for one of them")
def pool_exhausted(site):
    near, _, far, far_end = site.wired()
    port, behind = site.port(), site.port()
    site.start("redis-server", "--port", behind, "--save", "", "--appendonly", "no", "--dir", site.folder,
               space=far).listening(behind)
    pooled = site.script("pooled.py", POOLED)
    site.python(pooled, port, behind, space=far).listening(port)
    client = waiting(site, near, far_end.v4, port, 5)
    held = dict(client=pooled.name, server="redis-server", stage="transfer", count=2)
    yield finding("stuck", "pending", "pool_exhausted", "inferred", stuck=2,
                  evidence={"client.pool_connections": 2, "client.pool_waiting": 3}, **held)
    give_up(client)
    yield [finding("aborted", "application", "server_thinking", "proved", count=5, client=site.named("client.py"),
                   server=pooled.name),
           finding("stuck", "pending", "pool_exhausted", "inferred", stuck=0, **held)]


test_fault = faults.test()
