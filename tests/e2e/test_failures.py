# SPDX-License-Identifier: GPL-2.0-or-later
"""connect() that fails, by what the application got."""
import errno
import os
import socket
from collections import Counter

import pytest

from kit import net
from kit.wait import eventually, patience

REASON_OF = {
    errno.ECONNREFUSED: "refused",
    errno.ETIMEDOUT: "timed_out",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTUNREACH: "unreachable",
    errno.EADDRNOTAVAIL: "no_ports",
    errno.EADDRINUSE: "in_use",
    errno.EACCES: "denied",
    errno.EPERM: "denied",
    errno.ECONNRESET: "reset",
}


def fails(address, port, timeout=None, source=None):
    """Try; the errno."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as client:
        client.settimeout(timeout and patience(timeout))
        if source:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind(source)
        try:
            return client.connect_ex((address, port))
        except TimeoutError:
            return errno.EAGAIN


def failed(agent, port, count, error, **more):
    """The edge: count failures and nothing else. The API, the metrics and the events agree."""
    reason = REASON_OF.get(error, "other")
    edge = agent.edge(port, failed_connects=count, failures={reason: count}, connects=0, closes=0, cancelled=0,
                      active_connections=0, sent_bytes=0, received_bytes=0, **more)
    assert agent.metrics().value("hopscope_tcp_connect_failures_total", reason=reason, server_port=port) == count
    events = agent.events(port=port, type="failure", reason=reason)
    assert [event["error"] for event in events] == [errno.errorcode[error]] * count
    assert {event["client"]["pid"] for event in events} == {os.getpid()}
    return edge


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_refused_on_loopback(lab, agent, address):
    port = lab.port()
    for _ in range(3):
        assert fails(address, port) == errno.ECONNREFUSED
    edge = failed(agent, port, 3, errno.ECONNREFUSED, resets={"client": 0, "server": 3})
    assert (edge["server"]["name"], edge["server"]["kind"]) == (address, "address")


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_refused_by_another_namespace(lab, agent, family):
    near, _, far, far_end = lab.wired()
    port, address = lab.port(), getattr(far_end, family)
    with near.inside():
        for _ in range(3):
            assert fails(address, port) == errno.ECONNREFUSED
    edge = failed(agent, port, 3, errno.ECONNREFUSED, resets={"client": 0, "server": 3})
    assert edge["server"]["name"] == address


def test_refused_by_a_rule(lab, agent):
    """An ICMP message, not a RST."""
    near, _, far, far_end = lab.wired()
    port = lab.port()
    far.filter("input", f"tcp dport {port} reject with icmpx port-unreachable")
    with near.inside():
        assert fails(far_end.v4, port) == errno.ECONNREFUSED
    failed(agent, port, 1, errno.ECONNREFUSED, resets={"client": 0, "server": 0})


def test_short_lived_clients_are_named(lab, agent):
    """Gone before anybody could look into /proc."""
    port, uids = lab.port(), (0, 65534)
    script = lab.script("client.py", "import socket, sys; socket.socket().connect_ex(('127.0.0.1', int(sys.argv[1])))")
    for uid in uids:
        lab.start("setpriv", f"--reuid={uid}", "--clear-groups", "--", "/usr/bin/python3", script, port).succeed()
    agent.edge(port, failures={"refused": len(uids)}, client=script.name)


def test_gave_up_after_syn_retries(lab, agent):
    near, _, far, far_end = lab.wired()
    port = lab.port()
    far.drop("input", f"tcp dport {port}")
    with near.inside():
        client = socket.socket()
        client.settimeout(patience(2.5))
        with pytest.raises(TimeoutError):
            client.connect((far_end.v4, port))
        client.close()
    again = net.retransmits(near)
    assert again >= 1
    edge = agent.edge(port, failed_connects=1, failures={"gave_up": 1}, connects=0, cancelled=0,
                      retransmits={"client": {"syn": again}, "server": {}})
    assert edge["connect_duration"]["count"] == 0
    failure, = agent.events(port=port, type="failure")
    assert failure["retransmitted_segments"] == again
    assert 2.5 <= failure["duration_seconds"] < patience(2.5) + 2
    assert len(agent.events(port=port, type="retransmit", retransmit_kind="syn", sender="client")) == again


def test_timed_out(lab, agent):
    near, _, far, far_end = lab.wired()
    port = lab.port()
    far.drop("input", f"tcp dport {port}")
    near.sysctl("ipv4/tcp_syn_retries", 1)
    with near.inside():
        assert fails(far_end.v4, port, 30) == errno.ETIMEDOUT
    failed(agent, port, 1, errno.ETIMEDOUT, retransmits={"client": {"syn": net.retransmits(near)}, "server": {}})


@pytest.mark.parametrize("address", ["10.255.0.1", "fd00:ffff::1"])
def test_no_route(lab, agent, address):
    """connect() returns it at once: no TCP tracepoint ever sees it."""
    port, space = lab.port(), lab.space()
    with space.inside():
        assert fails(address, port) == errno.ENETUNREACH
    edge = failed(agent, port, 1, errno.ENETUNREACH)
    assert edge["server"]["name"] == address


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_no_neighbour(lab, agent, family):
    """Nobody answers ARP or neighbour discovery."""
    near, end, _, far_end = lab.wired()
    port = lab.port()
    near.sysctl(f"ip{family}/neigh/{end.device}/retrans_time_ms", 100)
    nobody = {"v4": far_end.v4 + "7", "v6": far_end.v6 + "7"}[family]
    with near.inside():
        assert fails(nobody, port, 30) == errno.EHOSTUNREACH
    failed(agent, port, 1, errno.EHOSTUNREACH)


@pytest.mark.parametrize("route, error", [("unreachable", errno.EHOSTUNREACH), ("prohibit", errno.EACCES),
                                          ("blackhole", errno.EINVAL)])
def test_route_that_refuses(lab, agent, route, error):
    port, space = lab.port(), lab.space()
    space.ip("route", "add", route, "10.255.0.0/16")
    with space.inside():
        assert fails("10.255.0.1", port) == error
    failed(agent, port, 1, error)


def test_no_ports(lab, agent):
    near, _, far, far_end = lab.wired()
    port = lab.port()
    near.sysctl("ipv4/ip_local_port_range", "40000 40001")
    with far.inside():
        lab.listen(port, far_end.v4)
    with near.inside():
        for _ in range(2):
            lab.connect(far_end.v4, port)
        for _ in range(3):
            assert fails(far_end.v4, port) == errno.EADDRNOTAVAIL
    edge = agent.edge(port, connects=2, active_connections=2, failures={"no_ports": 3}, failed_connects=3)
    assert edge["closes"] == 0


def test_tuple_in_use(lab, agent):
    """The same four numbers again. What the kernel calls that is what we call it."""
    port = lab.port()
    lab.listen(port)
    first = lab.socket()
    first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    first.bind(("127.0.0.1", 0))
    first.connect(("127.0.0.1", port))
    error = fails("127.0.0.1", port, source=first.getsockname())
    agent.edge(port, connects=1, active_connections=1, failures={REASON_OF[error]: 1})


def test_cancelled_at_once_is_no_failure(lab, agent):
    near, _, far, far_end = lab.wired()
    port = lab.port()
    far.drop("input", f"tcp dport {port}")
    with near.inside():
        for _ in range(3):
            client = socket.socket()
            client.setblocking(False)
            assert client.connect_ex((far_end.v4, port)) == errno.EINPROGRESS
            client.close()
    agent.edge(port, cancelled=3, failed_connects=0, failures={}, connects=0, closes=0, active_connections=0)
    assert agent.events(port=port, type="failure") == []


@pytest.mark.needs("curl")
def test_happy_eyeballs(lab, agent):
    """curl tries IPv6, hears nothing for 50 ms, takes IPv4: one connect, one cancelled, no failure."""
    near, _, far, far_end = lab.wired()
    port = lab.port()
    far.drop("input", f"meta nfproto ipv6 tcp dport {port}")
    lab.start("/usr/bin/python3", "-m", "http.server", port, "--bind", "::", space=far, cwd=lab.folder).listening(port)
    lab.start(lab.copy("curl"), "-sS", "--noproxy", "*", "--happy-eyeballs-timeout-ms", 50, "--resolve",
              f"server:{port}:[{far_end.v6}],{far_end.v4}", f"http://server:{port}/", space=near).succeed()
    eventually(lambda: sum(edge["closes"] for edge in agent.edges(port)) == 1)
    agent.settle()
    total = Counter()
    for edge in agent.edges(port):
        total.update({key: edge[key] for key in ("connects", "closes", "cancelled", "failed_connects")})
        assert edge["client"]["name"] == lab.named("curl")
    assert total == {"connects": 1, "closes": 1, "cancelled": 1, "failed_connects": 0}


def test_non_blocking_refused(lab, agent):
    """The error is picked up later, by getsockopt(): still one failure."""
    near, _, _, far_end = lab.wired()
    port = lab.port()
    with near.inside():
        client = lab.socket()
        client.setblocking(False)
        assert client.connect_ex((far_end.v4, port)) == errno.EINPROGRESS
    eventually(lambda: client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED)
    failed(agent, port, 1, errno.ECONNREFUSED)


def test_a_socket_tries_again(lab, agent):
    """The same socket: refused, then accepted, then asked again while connected."""
    port = lab.port()
    client = lab.socket()
    assert client.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
    listener = lab.listen(port)
    client.connect(("127.0.0.1", port))
    assert client.connect_ex(("127.0.0.1", port)) == errno.EISCONN
    listener.accept()[0].close()
    client.close()
    edges = {}
    eventually(lambda: sum(edge["closes"] for edge in agent.edges(port)) == 1)
    agent.settle()
    for edge in agent.edges(port):
        edges[edge["server"]["kind"]] = edge["connects"], edge["closes"], edge["failures"]
    assert edges == {"address": (0, 0, {"refused": 1}), "process": (1, 1, {})}
