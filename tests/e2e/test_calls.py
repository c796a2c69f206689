# SPDX-License-Identifier: GPL-2.0-or-later
"""A call is one edge, with both ends, the right direction and the exact bytes."""
from pathlib import Path

import pytest

from kit import net
from kit.lab import PYTHON
from kit.wait import becomes

ADDRESSES = {
    "ipv4": ("0.0.0.0", "127.0.0.1"),
    "ipv6": ("::", "::1"),
    "mapped": ("::", "127.0.0.1"),  # an IPv6 socket reached by IPv4
}


@pytest.mark.parametrize("kind", ADDRESSES)
def test_call(lab, agent, kind):
    bound, called = ADDRESSES[kind]
    port = lab.port()
    server = lab.responder(port, address=bound)
    client = lab.caller(called, port, "--connections", 3, "--requests", 2, "--send", 1000, "--receive", 50000).succeed()

    edge = agent.edge(port, connects=3, closes=3)
    assert edge["client"]["name"] == lab.named("caller.py")
    assert edge["server"]["name"] == lab.named("responder.py")
    assert edge["sent_bytes"] == 3 * 2 * (8 + 1000)
    assert edge["received_bytes"] == 3 * 2 * 50000
    assert edge["active_connections"] == edge["failed_connects"] == edge["cancelled"] == 0
    for histogram in "connect_duration", "accept_delay", "connection_duration":
        assert edge[histogram]["count"] == 3
        assert 0 < edge[histogram]["sum_seconds"] < 60
    assert edge["rtt"]["count"] >= 3

    events = agent.events(port=port)
    assert sorted(event["type"] for event in events) == ["accept"] * 3 + ["close"] * 3 + ["connect"] * 3
    for event in events:
        assert event["client"]["pid"] == client.pid
        assert event["client"]["address"] == event["server"]["address"] == called
        if event["type"] != "connect":  # which may come before accept(), that tells who serves
            assert event["server"]["pid"] == server.pid


def start_nginx(lab, port, body):
    (lab.folder / "file").write_text(body)
    config = lab.folder / "nginx.conf"
    config.write_text(f"""
        daemon off; user root; worker_processes 2; pid {lab.folder}/nginx.pid; error_log {lab.folder}/error.log;
        events {{}}
        http {{ access_log off; server {{ listen {port}; listen [::]:{port}; root {lab.folder}; }} }}""")
    return lab.start(lab.copy("nginx"), "-c", config).listening(port)


def children(pid):
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


@pytest.mark.needs("nginx", "curl")
def test_nginx_and_curl(lab, agent):
    port, body = lab.port(), "x" * 123456
    nginx, curl = start_nginx(lab, port, body), lab.copy("curl")
    requests = responses = 0
    for address in "127.0.0.1", "[::1]":
        url = f"http://{address}:{port}/file"
        run = lab.start(curl, "-sS", "--noproxy", "*", "-w", r"%{size_request} %{size_header} %{size_download}\n",
                        "-o", lab.folder / "1", url, "-o", lab.folder / "2", url).succeed()
        for line in run.output.splitlines():
            request, header, download = map(int, line.split())
            assert download == len(body)
            requests, responses = requests + request, responses + header + download

    edge = agent.edge(port, connects=2, closes=2, sent_bytes=requests, received_bytes=responses)
    assert (edge["client"]["name"], edge["server"]["name"]) == (curl.name, lab.named("nginx"))
    accepts = agent.events(port=port, type="accept")
    assert {event["server"]["pid"] for event in accepts} <= children(nginx.pid)


def test_http_server_of_python(lab, agent):
    """python3 -m: the module is the name."""
    port = lab.port()
    server = lab.start(PYTHON, "-m", "http.server", port, "--bind", "::", cwd=lab.folder).listening(port)
    for address in "127.0.0.1", "[::1]":
        lab.start("curl", "-sS", "--noproxy", "*", f"http://{address}:{port}/").succeed()
    edge = agent.edge(port, connects=2, closes=2)
    assert (edge["client"]["name"], edge["server"]["name"]) == ("curl", "http.server")
    assert {event["server"]["pid"] for event in agent.events(port=port, type="close")} == {server.pid}


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_between_namespaces(lab, agent, family):
    """Pods on a bridge: one edge, though each namespace sees only its own end."""
    (near, _), (far, far_end) = lab.lan("client", "server")
    port = lab.port()
    server = lab.responder(port, address="::", space=far)
    client = lab.caller(getattr(far_end, family), port, "--connections", 5, "--send", 10, "--receive", 20, space=near)
    client.succeed()

    edge = agent.edge(port, connects=5, closes=5, sent_bytes=5 * 18, received_bytes=5 * 20)
    assert (edge["client"]["name"], edge["server"]["name"]) == (lab.named("caller.py"), lab.named("responder.py"))
    assert edge["connect_duration"]["count"] == edge["accept_delay"]["count"] == 5
    for event in agent.events(port=port, type="close"):
        assert (event["client"]["pid"], event["client"]["netns"]) == (client.pid, near.inode)
        assert (event["server"]["pid"], event["server"]["netns"]) == (server.pid, far.inode)


def test_same_addresses_twice(lab, agent):
    """Two pairs of namespaces with the same addresses and ports, at the same time."""
    port, subnet, pairs = lab.port(), net.new_subnet(), {}
    for pair in "one", "two":
        near, far = lab.space(), lab.space()
        near.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", far.name)
        net.plug((near, "eth0"), 1, subnet)
        pairs[pair] = near, far, net.plug((far, "eth0"), 2, subnet)
        near.sysctl("ipv4/ip_local_port_range", "40000 40031")  # so that whole tuples are the same
        lab.responder(port, space=far, name=f"{pair}-server.py")
    callers = [lab.caller(end.v4, port, "--connections", 10, "--send", size, "--hold", space=near, name=f"{pair}-client.py")
               for size, (pair, (near, _, end)) in enumerate(pairs.items(), 100)]
    for caller in callers:
        caller.says("holding")

    def edges():
        return {(edge["client"]["name"], edge["server"]["name"]): (edge["connects"], edge["active_connections"])
                for edge in agent.edges(port)}
    names = [(lab.named(f"{pair}-client.py"), lab.named(f"{pair}-server.py")) for pair in pairs]
    becomes(edges, {name: (10, 10) for name in names})
    agent.settle()
    assert edges() == {name: (10, 10) for name in names}
    for caller in callers:
        caller.end_input()
        caller.succeed()
    becomes(edges, {name: (10, 0) for name in names})
    assert {edge["sent_bytes"] for edge in agent.edges(port)} == {10 * 108, 10 * 109}


def test_two_agents_side_by_side(lab, agent):
    """They count the same: neither takes anything from the other, or for the other's."""
    other, port = lab.agent(), lab.port()
    lab.responder(port)
    lab.caller("127.0.0.1", port, "--connections", 500, "--send", 10).succeed()
    for each in agent, other:
        each.edge(port, connects=500, closes=500, sent_bytes=500 * 18,
                  client=lab.named("caller.py"), server=lab.named("responder.py"))
    other.stop()
