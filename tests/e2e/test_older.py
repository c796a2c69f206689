# SPDX-License-Identifier: GPL-2.0-or-later
"""What was there before the agent came."""
import pytest

from kit.wait import becomes


@pytest.fixture(params=["loopback", "ipv6", "namespaces"])
def older(request, lab):
    """A server and a client with four open connections, and only then the agent."""
    port, near, far, address = lab.port(), None, None, "127.0.0.1"
    if request.param == "ipv6":
        address = "::1"
    elif request.param == "namespaces":
        near, _, far, far_end = lab.wired()
        address = far_end.v4
    server = lab.responder(port, address=address, space=far)
    client = lab.caller(address, port, "--connections", 4, "--send", 100, "--receive", 200, "--hold", space=near)
    client.says("holding")
    agent = lab.agent()
    yield agent, port, client, server
    agent.stop()


def test_older_connections(lab, older):
    agent, port, client, server = older
    edge = agent.edge(port, active_connections=4, connects=0, closes=0, failed_connects=0,
                      client=lab.named("caller.py"), server=lab.named("responder.py"))
    assert edge["connect_duration"]["count"] == edge["accept_delay"]["count"] == 0, "nobody saw those"
    assert edge["rtt"]["count"] >= 4

    found = agent.connections(port=port)
    assert len(found) == 4
    for connection in found:
        assert connection["state"] == "established"
        assert connection["client"]["pid"] == connection["ends"]["client"]["pid"] == client.pid
        assert connection["server"]["pid"] == connection["ends"]["server"]["pid"] == server.pid
        assert connection["client"]["name"] == lab.named("caller.py")
        assert connection["server"]["name"] == lab.named("responder.py")
        assert connection["sent_bytes"] == 108 and connection["received_bytes"] == 200
    assert agent.events(port=port) == []

    listener = agent.listener(port)
    assert (listener["server"]["name"], listener["server"]["pid"]) == (lab.named("responder.py"), server.pid)
    assert (listener["backlog"], listener["backlog_limit"], listener["drops"]) == (0, 1024, 0)


def test_older_connections_go_on(lab, older):
    """Bytes go on from where they were when the agent came; the end is told as any other."""
    agent, port, client, _ = older
    before = agent.edge(port, active_connections=4)
    client.tell("once more")
    client.says("again")
    agent.edge(port, active_connections=4, sent_bytes=before["sent_bytes"] + 4 * 108,
               received_bytes=before["received_bytes"] + 4 * 200)
    client.end_input()
    client.succeed()
    agent.edge(port, active_connections=0, connects=0, closes=4)
    assert agent.connections(port=port) == []
    assert len(agent.events(port=port, type="close")) == 4


def test_older_listener_new_connections(lab):
    port = lab.port()
    server = lab.responder(port)
    agent = lab.agent()
    client = lab.caller("127.0.0.1", port, "--connections", 2).succeed()
    agent.edge(port, connects=2, closes=2, client=lab.named("caller.py"), server=lab.named("responder.py"))
    close, _ = agent.events(port=port, type="close")
    assert (close["client"]["pid"], close["server"]["pid"]) == (client.pid, server.pid)
    agent.stop()


def test_long_lived_bytes_are_counted_while_it_lives(lab, agent):
    port = lab.port()
    lab.responder(port)
    client = lab.caller("127.0.0.1", port, "--connections", 3, "--send", 1000, "--receive", 5000, "--hold")
    client.says("holding")
    for requests in 1, 2, 3:
        agent.edge(port, active_connections=3, connects=3, closes=0,
                   sent_bytes=3 * requests * 1008, received_bytes=3 * requests * 5000)
        metrics = agent.metrics()
        assert metrics.value("hopscope_tcp_sent_bytes_total", server_port=port) == 3 * requests * 1008
        client.tell("more")
        becomes(lambda: client.output.count("again"), requests)


def test_client_with_a_port_of_its_own(lab):
    """Direction is not guessed from port numbers: this client is bound to a low one."""
    server_port, client_port = lab.port(), 700 + lab.port() % 300
    listener = lab.listen(server_port)
    client = lab.socket()
    client.bind(("127.0.0.1", client_port))
    client.connect(("127.0.0.1", server_port))
    listener.accept()
    agent = lab.agent()
    agent.edge(server_port, active_connections=1, connects=0)
    assert agent.edges(client_port) == []
    agent.stop()


def test_older_server_whose_listener_is_gone(lab):
    """Bound by hand on both sides, no listener to ask: one connection all the same."""
    port = lab.port()
    listener = lab.listen(port)
    lab.connect("127.0.0.1", port)
    server, _ = listener.accept()
    listener.close()
    agent = lab.agent()
    agent.edge(port, active_connections=1, connects=0)
    server.close()
    agent.stop()
