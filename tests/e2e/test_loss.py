# SPDX-License-Identifier: GPL-2.0-or-later
"""What the agent cannot take in, it tells: nothing is missing without a number that says so."""
import signal

from kit.wait import becomes, eventually, fewer

TOO_SMALL = "ring_kbytes = 64\nsnapshot_milliseconds = 200\n"  # room for some 200 records


def total(agent, port, key):
    return sum(edge[key] for edge in agent.edges(port))


def ring_losses(agent):
    return {stage: count for stage, count in agent.dropped().items() if stage.startswith("ring_")}


def burst(lab, agent, port, count):
    """So many connections while the agent sleeps."""
    agent.process.signal(signal.SIGSTOP)
    lab.caller("127.0.0.1", port, "--connections", count, "--at-once", 5, "--send", 10, "--receive", 10).succeed(60)
    agent.process.signal(signal.SIGCONT)
    eventually(lambda: agent.answers("/livez"))
    agent.settle()


def check_recovered(lab, agent, port, held):
    """The truth again: what is open, and what comes from now on, to the last connection."""
    becomes(lambda: total(agent, port, "active_connections"), held)
    assert agent.metrics().value("hopscope_tcp_active_connections", server_port=port) == held
    assert len(agent.connections(port=port)) == held
    connects, closes, losses = total(agent, port, "connects"), total(agent, port, "closes"), ring_losses(agent)
    lab.caller("127.0.0.1", port, "--connections", 20).succeed()
    becomes(lambda: total(agent, port, "closes"), closes + 20)
    agent.settle()
    assert total(agent, port, "connects") == connects + 20
    assert total(agent, port, "closes") == closes + 20
    assert total(agent, port, "active_connections") == held
    assert ring_losses(agent) == losses
    assert agent.answers("/livez") and agent.answers("/readyz")


def test_ring_too_small(lab):
    """A burst while nobody reads."""
    agent = lab.agent(TOO_SMALL)
    port, opened, held = lab.port(), fewer(3000, 1000), 5
    lab.responder(port)
    holder = lab.caller("127.0.0.1", port, "--connections", held, "--hold")
    holder.says("holding")
    agent.edge(port, connects=held, active_connections=held)
    assert agent.dropped() == {}

    burst(lab, agent, port, opened)
    connects, closes = total(agent, port, "connects") - held, total(agent, port, "closes")
    losses = ring_losses(agent)
    print("lost:", losses, "connects:", connects, "closes:", closes)
    assert 0 < connects < opened, "a ring of this size has room for some, not for all"
    assert losses["ring_connection"] > 0
    assert opened - connects <= losses["ring_connection"]
    assert opened - closes <= losses["ring_connection"]
    lost = agent.cli("check").stdout
    assert all(stage in lost for stage in losses), lost
    check_recovered(lab, agent, port, held)

    holder.end_input()
    holder.succeed()
    becomes(lambda: total(agent, port, "active_connections"), 0)
    agent.stop()


def test_closes_are_lost(lab):
    """Connections that were known, and whose end nobody was told: the next pass finds out."""
    agent = lab.agent(TOO_SMALL)
    port, held = lab.port(), fewer(400, 100)
    lab.responder(port)
    holder = lab.caller("127.0.0.1", port, "--connections", held, "--send", 10, "--hold")
    holder.says("holding")
    becomes(lambda: total(agent, port, "active_connections"), held)
    before = ring_losses(agent)

    agent.process.signal(signal.SIGSTOP)
    other = lab.port()
    lab.responder(other)
    lab.caller("127.0.0.1", other, "--connections", fewer(1000, 500), "--at-once", 5).succeed(60)  # fills the ring
    holder.end_input()
    holder.succeed()
    agent.process.signal(signal.SIGCONT)
    becomes(lambda: total(agent, port, "active_connections"), 0)
    agent.settle()
    assert agent.connections(port=port) == []
    assert sum(ring_losses(agent).values()) > sum(before.values())
    assert total(agent, port, "connects") == total(agent, port, "closes") == held
    check_recovered(lab, agent, port, 0)
    agent.stop()


def test_opened_while_the_agent_slept(lab):
    """Connections whose begin was lost, and that are still there: the next pass finds them."""
    agent = lab.agent(TOO_SMALL)
    port, other, held = lab.port(), lab.port(), 50
    for listened in port, other:
        lab.responder(listened)
    agent.process.signal(signal.SIGSTOP)
    lab.caller("127.0.0.1", other, "--connections", fewer(1000, 500), "--at-once", 5).succeed(60)  # fills the ring
    holder = lab.caller("127.0.0.1", port, "--connections", held, "--send", 10, "--hold")
    holder.says("holding", 60)
    agent.process.signal(signal.SIGCONT)
    becomes(lambda: total(agent, port, "active_connections"), held)
    for connection in agent.connections(port=port):
        assert connection["client"]["pid"] == holder.pid
        assert connection["client"]["name"] == lab.named("caller.py")
    check_recovered(lab, agent, port, held)
    holder.end_input()
    holder.succeed()
    becomes(lambda: total(agent, port, "active_connections"), 0)
    agent.stop()


def test_tables_too_small(lab):
    """More clients than there may be edges: the rest is summed up elsewhere, and counted."""
    agent = lab.agent("max_edges = 16\nmax_connections = 1024\n")
    ports = [lab.port() for _ in range(40)]
    for port in ports:
        lab.listen(port)
        lab.connect("127.0.0.1", port)
    agent.settle()
    becomes(lambda: sum(edge["connects"] for edge in agent.document("graph")["items"]) >= len(ports), True)
    graph = agent.document("graph")["items"]
    assert {"~other"} <= {edge["server"]["name"] for edge in graph}
    assert agent.dropped()["edge_table"] > 0
    agent.stop()
