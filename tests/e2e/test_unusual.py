# SPDX-License-Identifier: GPL-2.0-or-later
"""What TCP allows and few programs do. Still: each connection once, bytes exact."""
import errno
import os
import socket
import threading

import pytest

from kit import net
from kit.wait import becomes, eventually

AF_UNSPEC = b"\0" * 16


def test_half_closed(lab, agent):
    """The client is done, the server goes on for a while: open until both are."""
    port = lab.port()
    listener = lab.listen(port)
    client = lab.connect("127.0.0.1", port)
    server, _ = listener.accept()
    client.sendall(b"x" * 100)
    client.shutdown(socket.SHUT_WR)
    assert server.recv(200, socket.MSG_WAITALL) == b"x" * 100
    server.sendall(b"y" * 300)
    agent.edge(port, connects=1, closes=0, active_connections=1, sent_bytes=100, received_bytes=300)
    connection, = agent.connections(port=port)
    assert connection["ends"]["client"]["state"] == "fin_wait_2"
    assert connection["ends"]["server"]["state"] == "close_wait"
    server.sendall(b"y" * 50)
    server.close()
    assert len(client.recv(350, socket.MSG_WAITALL)) == 350
    client.close()
    agent.edge(port, connects=1, closes=1, active_connections=0, sent_bytes=100, received_bytes=350)


def test_one_socket_many_connections(lab, agent):
    """connect(), disconnect by AF_UNSPEC, connect again: three connections of one socket."""
    port = lab.port()
    listener = lab.listen(port)
    client = lab.socket()
    for size in 10, 20, 30:
        client.connect(("127.0.0.1", port))
        server, _ = listener.accept()
        client.sendall(b"x" * size)
        assert len(server.recv(size, socket.MSG_WAITALL)) == size
        disconnect(client)
        server.close()
    client.close()
    edge = agent.edge(port, connects=3, closes=3, active_connections=0, sent_bytes=60)
    assert edge["accept_delay"]["count"] == edge["connect_duration"]["count"] == 3


def disconnect(client):
    """Python knows no such address."""
    assert net.libc.connect(client.fileno(), AF_UNSPEC, len(AF_UNSPEC)) == 0


def test_client_becomes_listener(lab, agent):
    """A socket that has been a client and listens afterwards."""
    first, second = lab.port(), lab.port()
    listener = lab.listen(first)
    changes = lab.socket()
    changes.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    changes.bind(("127.0.0.1", second))
    changes.connect(("127.0.0.1", first))
    listener.accept()[0].close()
    assert changes.recv(1) == b""
    disconnect(changes)
    changes.listen()
    client = lab.connect("127.0.0.1", second)
    changes.accept()[0].close()
    client.close()
    for port in first, second:
        agent.edge(port, connects=1, closes=1, active_connections=0)
    assert agent.listener(second)["accepts"] == 1


def test_connected_to_itself(lab, agent):
    """A socket can be both ends of a connection."""
    port = lab.port()
    alone = lab.socket()
    alone.bind(("127.0.0.1", port))
    alone.connect(("127.0.0.1", port))
    alone.sendall(b"x" * 10)
    assert alone.recv(10, socket.MSG_WAITALL) == b"x" * 10
    agent.edge(port, connects=1, active_connections=1)
    alone.close()
    agent.edge(port, connects=1, closes=1, active_connections=0, failed_connects=0)


def test_simultaneous_open(lab, agent):
    """Two SYNs that cross: both are clients, and it is one connection."""
    near, near_end, far, far_end = lab.wired()
    ports = lab.port(), lab.port()
    ends = []
    for space, end, port in (near, near_end, ports[0]), (far, far_end, ports[1]):
        with space.inside():
            ends.append(lab.socket())
            ends[-1].bind((end.v4, port))
            ends[-1].setblocking(False)
    near.drop("input", "tcp flags & (syn | ack) == syn limit rate 1/day burst 1 packets")
    far.drop("input", "tcp flags & (syn | ack) == syn limit rate 1/day burst 1 packets")
    assert ends[0].connect_ex((far_end.v4, ports[1])) == errno.EINPROGRESS
    assert ends[1].connect_ex((near_end.v4, ports[0])) == errno.EINPROGRESS
    for end in ends:
        end.settimeout(30)
        eventually(lambda: connected(end), 30)
    ends[0].sendall(b"x" * 10)
    assert len(ends[1].recv(10, socket.MSG_WAITALL)) == 10
    ends[0].close()
    assert ends[1].recv(1) == b""
    ends[1].close()

    keys = "connects", "closes", "active_connections", "failed_connects"
    counts = lambda: tuple(map(sum, zip(*(sums(agent, port, keys) for port in ports))))
    eventually(lambda: counts()[1] > 0)
    agent.settle()
    assert counts() in [(1, 1, 0, 0), (2, 2, 0, 0)], "once, or once from either end"


def connected(end):
    try:
        return bool(end.getpeername())
    except OSError:
        return False


def test_fast_open(lab, agent):
    """TCP Fast Open: data in the SYN, accepted before the handshake is done."""
    near, _, far, far_end = lab.wired()
    for space in near, far:
        space.sysctl("ipv4/tcp_fastopen", 0x603)  # both sides, without cookies
    port = lab.port()
    with far.inside():
        listener = lab.listen(port, far_end.v4)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
    for _ in range(3):
        with near.inside():
            client = lab.socket()
        client.sendto(b"x" * 100, socket.MSG_FASTOPEN, (far_end.v4, port))
        server, _ = listener.accept()
        assert len(server.recv(100, socket.MSG_WAITALL)) == 100
        server.sendall(b"y" * 200)
        assert len(client.recv(200, socket.MSG_WAITALL)) == 200
        client.close()
        assert server.recv(1) == b""
        server.close()
    assert far.counters("TcpExt")["TCPFastOpenPassive"] == 3
    agent.edge(port, connects=3, closes=3, active_connections=0, failed_connects=0, sent_bytes=300, received_bytes=600)


def test_listeners_that_share_a_port(lab, agent):
    """SO_REUSEPORT: the kernel spreads the calls, each server gets an edge of its own name."""
    port, count = lab.port(), 60
    source = """
import socket, sys
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(64)
print("listening", flush=True)
accepted = 0
listener.settimeout(0.1)
for line in sys.stdin:
    try:
        while True:
            connection, _ = listener.accept()
            connection.close()
            accepted += 1
    except TimeoutError:
        print("accepted", accepted, flush=True)
"""
    servers = {}
    for name in "one.py", "two.py":
        script = lab.script(name, source)
        servers[script.name] = lab.python(script, port)
        servers[script.name].says("listening")
    clients = [lab.connect("127.0.0.1", port) for _ in range(count)]
    told = {}
    for name, server in servers.items():
        server.tell("accept")
        told[name] = int(server.says(r"accepted (\d+)")[1])
    assert sum(told.values()) == count and all(told.values())
    for client in clients:
        client.close()

    def counted():
        return {edge["server"]["name"]: (edge["connects"], edge["closes"]) for edge in agent.edges(port)}
    becomes(counted, {name: (accepted, accepted) for name, accepted in told.items()})
    agent.settle()
    assert counted() == {name: (accepted, accepted) for name, accepted in told.items()}


def test_accepted_late(lab, agent):
    """The server sleeps for a while: the delay is told, and the connection counts before that."""
    port = lab.port()
    listener = lab.listen(port)
    client = lab.connect("127.0.0.1", port)
    client.sendall(b"x" * 10)
    agent.edge(port, connects=1, active_connections=1, sent_bytes=10)
    eventually(lambda: agent.listener(port)["oldest_wait_seconds"] > 1)
    server, _ = listener.accept()
    edge = agent.edge(port, connects=1, active_connections=1)
    assert edge["accept_delay"]["count"] == 1
    assert edge["accept_delay"]["sum_seconds"] > 1
    client.close()
    server.close()
    agent.edge(port, connects=1, closes=1, active_connections=0)


def test_closed_before_it_was_accepted(lab, agent):
    """The client is gone before the server looks: still a connection, still its bytes."""
    port = lab.port()
    listener = lab.listen(port)
    client = lab.connect("127.0.0.1", port)
    client.sendall(b"x" * 10)
    client.close()
    eventually(lambda: agent.edges(port))
    agent.settle()
    server, _ = listener.accept()
    assert server.recv(20, socket.MSG_WAITALL) == b"x" * 10
    server.close()
    edge = agent.edge(port, connects=1, closes=1, active_connections=0, sent_bytes=10)
    assert edge["client"]["name"] == edge["server"]["name"]


def test_a_shared_socket_is_closed_by_the_last(lab, agent):
    """A child that keeps a copy: open until it closes that, too."""
    port = lab.port()
    listener = lab.listen(port)
    client = lab.connect("127.0.0.1", port)
    holder = lab.start("/usr/bin/python3", "-c", "import sys; sys.stdin.read()", pass_fds=[client.fileno()])
    server, _ = listener.accept()
    client.close()
    agent.edge(port, connects=1, closes=0, active_connections=1)
    becomes(lambda: [item["client"]["pid"] for item in agent.connections(port=port)], [holder.pid])
    holder.end_input()
    holder.succeed()
    assert server.recv(1) == b""
    server.close()
    becomes(lambda: sums(agent, port), (1, 1, 0))
    agent.settle()
    assert sums(agent, port) == (1, 1, 0)


def sums(agent, port, keys=("connects", "closes", "active_connections")):
    return tuple(sum(edge[key] for edge in agent.edges(port)) for key in keys)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_multipath(lab, agent, family):
    """MPTCP: the subflow is TCP, and counts as that."""
    try:
        port, protocol = lab.port(), socket.IPPROTO_MPTCP
        address = "127.0.0.1" if family == socket.AF_INET else "::1"
        listener = socket.socket(family, socket.SOCK_STREAM, protocol)
    except OSError as error:
        pytest.skip(f"this kernel has no MPTCP: {error}")
    with listener:
        listener.bind((address, port))
        listener.listen()
        with socket.socket(family, socket.SOCK_STREAM, protocol) as client:
            client.connect((address, port))
            server, _ = listener.accept()
            client.sendall(b"x" * 100)
            assert len(server.recv(100, socket.MSG_WAITALL)) == 100
        server.close()
    agent.edge(port, connects=1, closes=1, active_connections=0, failed_connects=0)


def test_threads_connect_at_once(lab, agent):
    """Many threads of one process, failures and successes in between."""
    good, bad = lab.port(), lab.port()
    lab.responder(good)

    def work():
        for _ in range(50):
            socket.create_connection(("127.0.0.1", good)).close()
            assert socket.socket().connect_ex(("127.0.0.1", bad)) == errno.ECONNREFUSED
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    agent.edge(good, connects=400, closes=400, failed_connects=0)
    agent.edge(bad, connects=0, closes=0, failed_connects=400, failures={"refused": 400})
    assert {event["client"]["pid"] for event in agent.events(port=bad, type="failure")} == {os.getpid()}
