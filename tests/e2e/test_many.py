# SPDX-License-Identifier: GPL-2.0-or-later
"""Many idle connections: all of them told, in bounded memory, and none left when they are gone."""
from kit.lab import PYTHON
from kit.wait import becomes, fewer

COUNT = fewer(1500, 200)
MEMORY = 48 << 20


def start(lab, name, *arguments):
    """programs/NAME, with room for so many sockets."""
    return lab.start("prlimit", "--nofile=8192", PYTHON, lab.script(name), *arguments)


def test_many_connections(lab):
    port, agent = lab.port(), lab.agent()
    server = start(lab, "responder.py", "0.0.0.0", port).listening(port)
    client = start(lab, "caller.py", "127.0.0.1", port, "--connections", COUNT, "--send", 10, "--hold")
    client.says("holding", 60)

    edge = agent.edge(port, connects=COUNT, active_connections=COUNT, closes=0, sent_bytes=18 * COUNT)
    assert (edge["client"]["name"], edge["server"]["name"]) == (lab.named("caller.py"), lab.named("responder.py"))
    connections = agent.connections(port=port)
    assert len(connections) == COUNT
    assert {(item["client"]["name"], item["client"]["pid"], item["server"]["name"], item["server"]["pid"],
             item["state"], item["sent_bytes"]) for item in connections} == \
        {(lab.named("caller.py"), client.pid, lab.named("responder.py"), server.pid, "established", 18)}
    assert len({item["client"]["port"] for item in connections}) == COUNT

    rows = agent.cli("connections", "--no-headers", "--port", port).stdout.splitlines()
    assert len(rows) == 2 * COUNT

    metrics = agent.metrics()
    assert metrics.value("hopscope_tcp_active_connections", server_port=port) == COUNT
    assert metrics.value("hopscope_connections") >= COUNT
    used = metrics.value("process_resident_memory_bytes") + metrics.value("hopscope_map_memory_bytes")
    assert used <= MEMORY, f"{used / 2**20:.1f} MiB"

    client.popen.stdin.close()
    client.succeed()
    agent.edge(port, connects=COUNT, closes=COUNT, active_connections=0)
    assert agent.connections(port=port) == []
    assert agent.metrics().value("hopscope_tcp_active_connections", server_port=port) == 0
    assert agent.dropped() == {}
    agent.stop()


def test_older_than_the_agent(lab):
    """The same, found by the agent when it comes: right ends and direction without any event."""
    port = lab.port()
    server = start(lab, "responder.py", "0.0.0.0", port).listening(port)
    client = start(lab, "caller.py", "127.0.0.1", port, "--connections", COUNT, "--hold")
    client.says("holding", 60)
    agent = lab.agent()
    connections = agent.connections(port=port)
    assert len(connections) == COUNT
    assert {(item["client"]["pid"], item["server"]["pid"]) for item in connections} == {(client.pid, server.pid)}
    edge = agent.edge(port, connects=0, active_connections=COUNT)
    assert edge["client"]["name"] == lab.named("caller.py")
    client.popen.stdin.close()
    client.succeed()
    becomes(lambda: agent.connections(port=port), [])
    agent.edge(port, connects=0, closes=COUNT, active_connections=0)
    agent.stop()
