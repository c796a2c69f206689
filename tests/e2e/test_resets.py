# SPDX-License-Identifier: GPL-2.0-or-later
"""Resets by the end that sent them, each once, whichever ends are on this node."""
import os
import signal
import socket

import pytest

from kit.lab import PYTHON
from kit.process import reset


def pair(lab, port, listener, address, space=None):
    if space:
        with space.inside():
            client = lab.connect(address, port)
    else:
        client = lab.connect(address, port)
    return client, listener.accept()[0]


@pytest.mark.parametrize("sender", ["client", "server"])
@pytest.mark.parametrize("where", ["loopback", "namespaces"])
def test_linger(lab, agent, sender, where):
    """SO_LINGER 0: close() throws the connection away."""
    port, near, address = lab.port(), None, "127.0.0.1"
    if where == "loopback":
        listener = lab.listen(port)
    else:
        near, _, far, far_end = lab.wired()
        address = far_end.v4
        with far.inside():
            listener = lab.listen(port, address)
    for _ in range(3):
        client, server = pair(lab, port, listener, address, near)
        reset(client if sender == "client" else server)
        (server if sender == "client" else client).close()
    edge = agent.edge(port, connects=3, closes=3, failed_connects=0, active_connections=0)
    assert edge["resets"] == {"client": 0, "server": 0} | {sender: 3}
    events = agent.events(port=port, type="reset")
    assert [event["sender"] for event in events] == [sender] * 3
    for event in events:
        assert event["client"]["pid"] == event["server"]["pid"] == os.getpid()


@pytest.mark.parametrize("sender", ["client", "server"])
def test_unread_data(lab, agent, sender):
    """close() with data that nobody has read."""
    port = lab.port()
    client, server = pair(lab, port, lab.listen(port), "127.0.0.1")
    closes, writes = (client, server) if sender == "client" else (server, client)
    writes.sendall(b"unread")
    assert closes.recv(6, socket.MSG_PEEK | socket.MSG_WAITALL) == b"unread"
    closes.close()
    with pytest.raises(ConnectionResetError):
        writes.recv(1)
    writes.close()
    edge = agent.edge(port, connects=1, closes=1)
    assert edge["resets"] == {"client": 0, "server": 0} | {sender: 1}
    close, = agent.events(port=port, type="close")
    assert close.get("error") in (None, "ECONNRESET")


def test_killed_server(lab, agent):
    """A server that dies with requests unread resets all of its clients."""
    port = lab.port()
    script = lab.script("server.py", """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
held = [listener.accept() for _ in range(5)]
for connection, _ in held:
    connection.recv(1, socket.MSG_PEEK)
print("unread", flush=True)
listener.accept()
""")
    server = lab.python(script, port).listening(port)
    clients = [lab.connect("127.0.0.1", port) for _ in range(5)]
    for client in clients:
        client.sendall(b"hello")
    server.says("unread")
    server.signal(signal.SIGKILL)
    server.wait()
    for client in clients:
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        client.close()
    agent.edge(port, connects=5, closes=5, resets={"client": 0, "server": 5}, server=script.name)


def test_listener_closed_over_its_queue(lab, agent):
    """Connections that nobody had accepted when the listener went away."""
    port = lab.port()
    listener = lab.listen(port)
    clients = [lab.connect("127.0.0.1", port) for _ in range(4)]
    listener.close()
    for client in clients:
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        client.close()
    edge = agent.edge(port, connects=4, closes=4, resets={"client": 0, "server": 4}, active_connections=0)
    assert edge["accept_delay"]["count"] == 0


def test_stranger(lab, agent):
    """A segment for a connection that is gone: the answer is a reset without a socket."""
    near, near_end, far, far_end = lab.wired()
    port = lab.port()
    with far.inside():
        listener = lab.listen(port, far_end.v4)
    client, server = pair(lab, port, listener, far_end.v4, near)
    far.drop("output", f"tcp sport {port}")
    reset(server)  # nobody hears of it
    far.pass_all()
    client.sendall(b"is anybody there?")
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    client.close()
    agent.edge(port, connects=1, closes=1, resets={"client": 0, "server": 1})
