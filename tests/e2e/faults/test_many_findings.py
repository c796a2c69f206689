# SPDX-License-Identifier: GPL-2.0-or-later
"""Several faults at once, and one fault many times."""
import os

from kit.fault import REFUSED, TIMED_OUT, Table, finding
from kit.wait import fewer

faults = Table("many")
scenario = faults.scenario

# Before 6.10 nothing tells of a reset without a socket, and in a namespace without any its address is not known.
SURE = "proved", "inferred"

REFUSALS = fewer(10_000, 1000)


def resident(agent):
    """Bytes."""
    return int(open(f"/proc/{agent.pid}/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE")


@scenario("10,000 refused connects are one finding, and cost no memory each", alone=True)
def refused_often(site):
    port = site.port()
    script = site.script("client.py", """
import socket, sys
for _ in range(int(sys.argv[2])):
    with socket.socket() as client:
        client.connect_ex(("127.0.0.1", int(sys.argv[1])))
""")
    site.python(script, port, REFUSALS).succeed(120)
    yield finding("refused", "peer", "no_listener", "proved", count=REFUSALS, client=script.name)
    before = resident(site.agent)
    site.python(script, port, REFUSALS).succeed(120)
    yield finding("refused", "peer", "no_listener", "proved", count=2 * REFUSALS, client=script.name)
    grown = resident(site.agent) - before
    assert grown < 4 << 20, f"{grown} bytes more"


@scenario("faults of many kinds between the same two namespaces at the same time")
def at_once(site):
    near, _, far, far_end = site.wired()
    refused, rejected, dropped, silent, works = (site.port() for _ in range(5))
    far.nft(f"""
table inet hopscope {{
    chain input {{
        type filter hook input priority 0
        tcp dport {rejected} reject with tcp reset
        tcp dport {dropped} drop
    }}
}}
""")
    server = site.serve(silent, "connection, _ = listener.accept()\nconnection.recv(65536)\nsys.stdin.read()\n", space=far)
    site.nginx(works, "return 200;", space=far)
    clients = {port: [site.curl(far_end.v4, port, "-f", "-m", 3, space=near) for _ in range(count)]
               for port, count in ((refused, 3), (rejected, 2), (dropped, 2), (silent, 1), (works, 5))}
    ends = {port: {client.wait() for client in started} for port, started in clients.items()}
    assert ends == {refused: {REFUSED}, rejected: {REFUSED}, dropped: {TIMED_OUT}, silent: {TIMED_OUT}, works: {0}}
    curl = site.named("curl")
    yield [finding("refused", "peer", "no_listener", "proved", count=3, client=curl),
           finding("refused", "peer", "rejected", ("proved", "inferred"), count=2, client=curl),
           finding("gave_up", "application", "dropped_ingress", "proved", count=2, client=curl),
           finding("aborted", "application", "server_thinking", ("proved", "inferred"), count=1, client=curl)]


@scenario("the same port fails in two ways, one after the other")
def same_port(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    for _ in range(2):
        assert site.curl(far_end.v4, port, space=near).wait() == REFUSED
    far.drop("input", f"tcp dport {port}")
    assert site.curl(far_end.v4, port, "--connect-timeout", 2.5, space=near).wait() == TIMED_OUT
    far.pass_all()
    assert site.curl(far_end.v4, port, space=near).wait() == REFUSED
    yield [finding("refused", "peer", "no_listener", SURE, count=3),
           finding("gave_up", "application", "dropped_ingress", "proved", count=1)]


@scenario("two clients with the same fault are two findings")
def two_clients(site):
    near, _, _, far_end = site.wired()
    port = site.port()
    scripts = [site.script(name, "import socket, sys; socket.socket().connect_ex((sys.argv[1], int(sys.argv[2])))")
               for name in ("one.py", "two.py")]
    for script in scripts:
        for _ in range(2):
            site.python(script, far_end.v4, port, space=near).succeed()
    yield [finding("refused", "peer", "no_listener", SURE, count=2, client=script.name) for script in scripts]


@scenario("50 connections of one client to a dead host")
def all_hang(site):
    space = site.near()
    host, port = site.beyond(space), site.port()
    client = site.python(site.script("client.py", """
import socket, sys
held = []
for _ in range(50):
    held.append(socket.socket())
    held[-1].setblocking(False)
    held[-1].connect_ex((sys.argv[1], int(sys.argv[2])))
sys.stdin.read()
"""), host.address, port, space=space)
    yield finding("stuck", "pending", "no_answer", "inferred", count=50, stuck=50)
    client.end_input()
    client.succeed()
    yield finding("gave_up", "application", "no_answer", "inferred", count=50, stuck=0)


test_fault = faults.test()
