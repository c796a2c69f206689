# SPDX-License-Identifier: GPL-2.0-or-later
"""Accept queues: how full, how full they may get, what is dropped, how long one waits."""
import errno
import re
import time

import pytest

from kit.wait import eventually

LIMIT = 3
JIFFY = 0.01  # the kernel counts the waiting time in them


@pytest.fixture
def full(lab, agent):
    """A listener that accepts nothing, its queue full, and a client too many."""
    lab.at, lab.where = lab.port(), lab.space()
    with lab.where.inside():
        lab.listener = lab.listen(lab.at, backlog=LIMIT)
        lab.begun = time.monotonic()
        lab.clients = [lab.connect("127.0.0.1", lab.at) for _ in range(LIMIT + 1)]
        lab.queued = time.monotonic()
        lab.late = [lab.socket() for _ in range(2)]
        for late in lab.late:
            late.setblocking(False)
            assert late.connect_ex(("127.0.0.1", lab.at)) == errno.EINPROGRESS
    return lab


def labels(lab):
    return {"server_port": lab.at, "address": "127.0.0.1"}


def test_full_queue(agent, full):
    eventually(lambda: "oldest_wait_seconds" in agent.listener(full.at))  # not in its first jiffy
    listener = eventually(lambda: (found := agent.listener(full.at))["drops"] >= 2 and found)
    assert (listener["backlog"], listener["backlog_limit"]) == (LIMIT + 1, LIMIT)
    assert listener["accepts"] == 0
    assert 0 < listener["oldest_wait_seconds"] < time.monotonic() - full.begun + JIFFY

    agent.settle()
    metrics = agent.metrics()
    assert metrics.value("hopscope_tcp_listen_backlog", **labels(full)) == LIMIT + 1
    assert metrics.value("hopscope_tcp_listen_backlog_limit", **labels(full)) == LIMIT
    assert metrics.value("hopscope_tcp_listen_drops_total", **labels(full)) >= 2

    row, = agent.cli("listeners", "--no-headers", "--port", full.at).stdout.splitlines()
    columns = re.fullmatch(r"(\S+) +127.0.0.1:(\d+) +(\d+) +(\S+) +(\d+) +0 +- +- +(\S+)", row)
    assert columns[4] == f"{LIMIT + 1}/{LIMIT}"
    assert int(columns[5]) >= 2
    assert re.fullmatch(r"[\d.]+m?s", columns[6]), "how long the oldest has waited"


def test_drops_are_the_kernels(agent, full):
    """The listener has its network namespace for itself: the namespace's count is its own."""
    eventually(lambda: full.where.counters("TcpExt")["ListenDrops"] >= 3)

    def same():
        before = full.where.counters("TcpExt")["ListenDrops"]
        return agent.listener(full.at)["drops"] == before == full.where.counters("TcpExt")["ListenDrops"]
    eventually(same)


def test_accept_after_a_pause(agent, full):
    """Those who waited are counted with their wait, the queue is empty, and nobody waits any more."""
    eventually(lambda: agent.listener(full.at).get("oldest_wait_seconds", 0) >= 1)
    begun, accepted = time.monotonic(), [full.listener.accept()[0] for _ in range(LIMIT + 1)]
    done = time.monotonic()
    listener = eventually(lambda: (found := agent.listener(full.at))["accepts"] >= LIMIT + 1 and found)
    assert listener["accept_delay"]["sum_seconds"] >= (LIMIT + 1) * (begun - full.queued)
    assert listener["accept_delay"]["count"] == listener["accepts"]

    def of_those_accepted():
        events = [event for event in agent.events(port=full.at, type="accept")]
        ports = {client.getsockname()[1] for client in full.clients}
        return [event["delay_seconds"] for event in events if event["client"]["port"] in ports]
    delays = eventually(lambda: len(found := of_those_accepted()) == LIMIT + 1 and found)
    assert begun - full.queued <= min(delays) <= max(delays) <= done - full.begun

    for _ in full.late:  # their SYN is sent again, and there is room now
        accepted.append(full.listener.accept()[0])
    agent.settle()
    listener = agent.listener(full.at)
    assert (listener["backlog"], listener["accepts"]) == (0, LIMIT + 3)
    assert listener.get("oldest_wait_seconds", 0) == 0
    metrics = agent.metrics()
    assert metrics.value("hopscope_tcp_listen_backlog", **labels(full)) == 0
    name = "hopscope_tcp_accept_delay_seconds"
    assert metrics.value(f"{name}_count", server_port=full.at) == LIMIT + 3
    assert metrics.value(f"{name}_sum", server_port=full.at) == pytest.approx(listener["accept_delay"]["sum_seconds"])
    for end in accepted:
        end.close()


def test_listener_that_ends(lab, agent):
    """It is gone from all lists, and another on the same port begins at nothing."""
    port = lab.port()
    server = lab.responder(port, 7)
    lab.caller("127.0.0.1", port, "--connections", 3).succeed()
    eventually(lambda: agent.listener(port)["accepts"] == 3)
    assert agent.listener(port)["backlog_limit"] == 7
    server.stop()
    eventually(lambda: port not in [item["server"]["port"] for item in agent.document("listeners")["items"]])
    eventually(lambda: not agent.metrics().all("hopscope_tcp_listen_backlog_limit", server_port=port))
    lab.responder(port, 9)
    found = eventually(lambda: [item for item in agent.document("listeners")["items"] if item["server"]["port"] == port])
    assert [(item["backlog_limit"], item["accepts"]) for item in found] == [(9, 0)]
