# SPDX-License-Identifier: GPL-2.0-or-later
"""Each hook may be refused. The agent runs without it, says what that costs, and the rest works."""
import errno
import socket

import pytest

from kit.wait import becomes

# What `check` says is lost.
LOST = {
    "connection": "only what a snapshot pass meets is seen",
    "connect": "connects that fail without sending anything",
    "accept": "accept delays",
    "retransmit": 'kind="untraced"',
    "retransmit_syn_ack": 'kind="syn_ack"',
    "reset_received": "resets received",
    "reset_sent": "resets sent",
    "socket_error": "no error events",
    "drop": "drops on this node",
    "icmp": "looks like a cancelled connect",
    "payload": "connections only: no requests",
    "read": "queue and service times",
    "snapshot": "only connections opened after the agent",
}


def hooks(agent):
    """The agent's hooks, by name, as its API tells."""
    return {hook["hook"]: hook for hook in agent.document("status")["hooks"]}


def without(lab, *refused):
    """An agent to which these hooks are refused, and which says so everywhere."""
    agent = lab.agent(f'max_events = 1048576\nsnapshot_milliseconds = 200\ndisable = "{",".join(refused)}"\n')
    told = agent.metrics().by("hook", "hopscope_hook_attached")
    assert set(told) == set(LOST)
    assert {hook for hook in refused if told[hook]} == set()
    check = agent.cli("check")
    assert check.returncode == 1, check
    assert check.stderr == ""
    for name in refused:
        line, = [line for line in check.stdout.splitlines() if line.split()[:2] == ["missing", name]]
        assert "lost: " in line and LOST[name] in line
        assert not hooks(agent)[name]["attached"]
        assert f"hook {name} is not attached (switched off by configuration): " in agent.log
    assert "switched off by configuration" in check.stdout
    return agent


def call(lab, port, count=10):
    lab.caller("127.0.0.1", port, "--connections", count, "--send", 10, "--receive", 20).succeed()


def counted_exactly(lab, agent, port, count):
    """Not edge(), which waits for snapshot passes."""
    def counts():
        return [(edge["client"]["name"], edge["server"]["name"], edge["connects"], edge["closes"],
                 edge["active_connections"], edge["failed_connects"], edge["sent_bytes"], edge["received_bytes"])
                for edge in agent.edges(port)]
    becomes(counts, [(lab.named("caller.py"), lab.named("responder.py"), count, count, 0, 0, 18 * count, 20 * count)])


@pytest.mark.parametrize("name", [name for name in LOST if name != "connection"])
def test_connections_are_counted_without(lab, name):
    """Servers that are older than the agent, and servers that are not."""
    old, new = lab.port(), lab.port()
    lab.responder(old)
    agent = without(lab, name)
    lab.responder(new)
    for port in old, new:
        call(lab, port)
        counted_exactly(lab, agent, port, 10)
    edge, = agent.edges(new)
    assert edge["connect_duration"]["count"] == edge["connection_duration"]["count"] == 10
    assert edge["accept_delay"]["count"] == (0 if name == "accept" else 10 if hooks(agent)["accept"]["attached"] else 0)
    assert agent.dropped() == {}
    agent.stop()


def test_no_accept(lab):
    agent, port = without(lab, "accept"), lab.port()
    lab.responder(port)
    call(lab, port)
    agent.edge(port, connects=10, closes=10, client=lab.named("caller.py"), server=lab.named("responder.py"))
    assert {event["type"] for event in agent.events(port=port)} == {"connect", "close"}
    assert agent.listener(port)["accepts"] == 0
    agent.stop()


def test_no_connect(lab):
    """What never sent a SYN is not known; what did is."""
    agent, port, refused, space = without(lab, "connect"), lab.port(), lab.port(), lab.space()
    with space.inside(), socket.socket() as client:
        assert client.connect_ex(("192.0.2.1", port)) == errno.ENETUNREACH
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", refused)) == errno.ECONNREFUSED
    agent.edge(refused, failed_connects=1, failures={"refused": 1})
    assert agent.edges(port) == []
    agent.stop()


def test_no_snapshot(lab):
    """No more than what happens: nothing of what was there, and no listener's queue."""
    old, new = lab.port(), lab.port()
    lab.listen(old)
    lab.connect("127.0.0.1", old)
    agent = without(lab, "snapshot")
    assert agent.answers("/readyz"), "there is nothing to wait for"
    lab.responder(new)
    holder = lab.caller("127.0.0.1", new, "--connections", 3, "--send", 10, "--receive", 20, "--hold")
    holder.says("holding")
    becomes(lambda: [edge["active_connections"] for edge in agent.edges(new)], [3])
    assert agent.edges(old) == agent.connections(port=old) == []
    assert {connection["client"]["pid"] for connection in agent.connections(port=new)} == {holder.pid}
    holder.popen.stdin.close()
    holder.succeed()
    counted_exactly(lab, agent, new, 3)
    assert agent.metrics().value("hopscope_snapshots_total") == 0
    agent.stop()


def test_no_connection(lab):
    """The passes alone: what stays is seen, with its owners and its bytes, and what went is gone."""
    agent, port = without(lab, "connection"), lab.port()
    server = lab.responder(port)
    holder = lab.caller("127.0.0.1", port, "--connections", 3, "--send", 10, "--receive", 20, "--hold")
    holder.says("holding")
    becomes(lambda: len(agent.connections(port=port)), 3)
    agent.settle()
    for connection in agent.connections(port=port):
        assert (connection["client"]["pid"], connection["server"]["pid"]) == (holder.pid, server.pid)
        assert (connection["sent_bytes"], connection["received_bytes"]) == (18, 20)
    edge, = agent.edges(port)
    assert (edge["client"]["name"], edge["server"]["name"]) == (lab.named("caller.py"), lab.named("responder.py"))
    assert edge["active_connections"] == 3
    assert agent.listener(port)["server"]["pid"] == server.pid
    agent.stop()


def test_no_retransmit(lab):
    """Counted by the socket, without a kind."""
    agent, port = without(lab, "retransmit"), lab.port()
    near, _, far, far_end = lab.wired()
    far.drop("input", f"tcp dport {port} limit rate 1/day burst 1 packets")
    with far.inside():
        listener = lab.listen(port, far_end.v4)
    with near.inside():
        client = lab.connect(far_end.v4, port)
    listener.accept()[0].close()
    client.close()
    edge = agent.edge(port, connects=1, closes=1, retransmitted_segments=1)
    assert edge["retransmits"] == {"client": {"untraced": 1}, "server": {}}
    assert agent.events(port=port, type="retransmit") == []
    agent.stop()


def test_no_resets(lab):
    agent, port = without(lab, "reset_received", "reset_sent"), lab.port()
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
    agent.edge(port, failures={"refused": 1}, resets={"client": 0, "server": 0})
    assert agent.events(port=port, type="reset") == []
    agent.stop()


RUNGS = ["fexit", "cgroup", "syscalls"]


def switched_off(hook, rungs):
    return f'disable = "{",".join(f"{hook}:{rung}" for rung in rungs)}"\n'


@pytest.mark.parametrize("hook", ["accept", "connect"])
@pytest.mark.parametrize("left", RUNGS)
def test_one_rung_left(lab, hook, left):
    """Whatever this kernel lets us have does the same."""
    off = [rung for rung in RUNGS if rung != left]
    agent = lab.agent(switched_off(hook, off))
    told = hooks(agent)[hook]
    rungs = {rung["rung"]: rung for rung in told["ladder"]}
    above = off[:RUNGS.index(left)] if told["attached"] else off  # what is below is not tried
    assert all(rungs[rung]["refusal"] == "switched off by configuration" for rung in above)
    assert told.get("rung") == (left if told["attached"] else None)
    assert agent.cli("check").returncode == (0 if told["attached"] else 1)
    if told["attached"]:
        assert agent.metrics().all("hopscope_hook_info", hook=hook, rung=left)
        works(lab, agent, hook)
    else:
        assert rungs[left]["refusal"], "the kernel's own words"
    agent.stop()


@pytest.mark.parametrize("hook", ["accept", "connect"])
def test_some_rung_works(lab, hook):
    """The best that this kernel lets us have is in use; with all switched off none is."""
    agent = lab.agent()
    told = hooks(agent)[hook]
    first = next(rung["rung"] for rung in told["ladder"] if not rung.get("refusal"))
    assert told["attached"] and told["rung"] == first
    agent.stop()
    agent = lab.agent(switched_off(hook, RUNGS))
    assert not hooks(agent)[hook]["attached"]
    agent.stop()


def works(lab, agent, hook):
    port, space = lab.port(), lab.space()
    if hook == "accept":
        lab.responder(port)
        call(lab, port)
        assert agent.edge(port, connects=10, closes=10)["accept_delay"]["count"] == 10
    else:
        with space.inside(), socket.socket() as client:
            assert client.connect_ex(("192.0.2.1", port)) == errno.ENETUNREACH
        agent.edge(port, failures={"unreachable": 1})


def test_nothing_left(lab):
    agent = lab.agent(f'disable = "{",".join(LOST)}"\n', wait=False)
    assert agent.process.wait() == 1
    line, = agent.log.splitlines()
    assert line.startswith("hopscope: every hook is switched off by configuration")
    assert agent.process.output == ""
    assert not agent.socket.exists()


@pytest.mark.parametrize("wrong", ["acept", "accept:kprobe", "accept,,connect", "accept, connexion"])
def test_unknown_hook(lab, wrong):
    """A name that is not one: where it is, and what could be there."""
    agent = lab.agent(f'\ndisable = "{wrong}"\n', wait=False)
    assert agent.process.wait() == 1
    line, = agent.log.splitlines()
    assert f"{agent.config}:2: " in line and "disable" in line
