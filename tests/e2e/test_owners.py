# SPDX-License-Identifier: GPL-2.0-or-later
"""Whose socket it is: forked workers, threads, sockets that change hands, processes soon gone."""
import os
import shutil
from collections import Counter

import pytest

from kit.lab import PYTHON
from kit.wait import becomes, eventually

PREFORK = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
for _ in range(3):
    if not os.fork():
        held = []
        while True:
            connection, _ = listener.accept()
            connection.sendall(b"%d\\n" % os.getpid())
            held.append(connection)
os.wait()
"""

THREADS = """
import socket, sys, threading
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
held = []
def serve():
    while True:
        connection, _ = listener.accept()
        connection.sendall(b"%d\\n" % threading.get_native_id())
        held.append(connection)
for _ in range(3):
    threading.Thread(target=serve).start()
"""

PASSES_ON = """
import socket, subprocess, sys
port, worker = sys.argv[1:]
listener = socket.create_server(("127.0.0.1", int(port)))
mine, its = socket.socketpair()
subprocess.Popen(["/usr/bin/python3", worker, str(its.fileno())], pass_fds=[its.fileno()])
while True:
    connection, _ = listener.accept()
    socket.send_fds(mine, [b"x"], [connection.fileno()])
    connection.close()
"""

WORKER = """
import os, socket, sys
channel, held = socket.socket(fileno=int(sys.argv[1])), []
while True:
    for fd in socket.recv_fds(channel, 1, 1)[1]:
        held.append(socket.socket(fileno=fd))
        held[-1].sendall(b"%d\\n" % os.getpid())
        if len(held) == 3:
            for connection in held:
                connection.recv(1)
                connection.close()
"""

SPAWNS = """
import socket, subprocess, sys
port, child = sys.argv[1:]
listener = socket.create_server(("127.0.0.1", int(port)))
while True:
    connection, _ = listener.accept()
    subprocess.Popen(["/usr/bin/python3", child], stdin=connection, stdout=connection)
    connection.close()
"""

SPAWNED = """
import os, sys
print(os.getpid(), flush=True)
sys.stdin.readline()
"""


def call(lab, port, count):
    """Open connections; [(socket, the number that the server said)]."""
    clients = [lab.connect("127.0.0.1", port) for _ in range(count)]
    return [(client, int(client.makefile().readline())) for client in clients]


def server_pids(agent, port):
    return Counter(connection["server"].get("pid") for connection in agent.connections(port=port))


def test_forked_workers(lab, agent):
    port = lab.port()
    script = lab.script("prefork.py", PREFORK)
    parent = lab.python(script, port).listening(port)
    calls = call(lab, port, 12)
    edge = agent.edge(port, connects=12, active_connections=12, server=script.name)
    assert edge["accept_delay"]["count"] == 12
    told = Counter(pid for _, pid in calls)
    assert server_pids(agent, port) == told and parent.pid not in told
    assert Counter(event["server"]["pid"] for event in agent.events(port=port, type="accept")) == told


def test_threads(lab, agent):
    port = lab.port()
    server = lab.python(lab.script("threads.py", THREADS), port).listening(port)
    told = Counter(tid for _, tid in call(lab, port, 12))
    becomes(lambda: server_pids(agent, port), {server.pid: 12})
    assert Counter(connection["ends"]["server"]["tid"] for connection in agent.connections(port=port)) == told


def test_passed_on_to_another_process(lab, agent):
    """SCM_RIGHTS: who accepted is not who serves."""
    port = lab.port()
    worker = lab.script("worker.py", WORKER)
    acceptor = lab.script("acceptor.py", PASSES_ON)
    lab.python(acceptor, port, worker).listening(port)
    calls = call(lab, port, 3)
    worker_pid, = {pid for _, pid in calls}
    becomes(lambda: server_pids(agent, port), {worker_pid: 3})
    assert {connection["server"]["name"] for connection in agent.connections(port=port)} == {worker.name}
    for client, _ in calls:
        client.sendall(b"x")
        assert client.recv(1) == b""
        client.close()
    sums_become(agent, port, connects=3, closes=3, active_connections=0)


def test_served_by_a_child(lab, agent):
    """As inetd does it: the parent accepts, a program of its own serves."""
    port = lab.port()
    child, parent = lab.script("child.py", SPAWNED), lab.script("parent.py", SPAWNS)
    lab.python(parent, port, child).listening(port)
    calls = call(lab, port, 3)
    becomes(lambda: server_pids(agent, port), dict.fromkeys((pid for _, pid in calls), 1))
    assert {connection["server"]["name"] for connection in agent.connections(port=port)} == {child.name}
    for client, _ in calls:
        client.sendall(b"\n")
        assert client.recv(1) == b""
        client.close()
    sums_become(agent, port, connects=3, closes=3, active_connections=0)


def sums_become(agent, port, **wanted):
    """Owners may change while a connection is open, and edges with them: the sums stay right."""
    def sums():
        return {key: sum(edge[key] for edge in agent.edges(port)) for key in wanted}
    becomes(sums, wanted)
    agent.settle()
    assert sums() == wanted


PYTHON_CLIENT = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1]))).sendall(b'hello')"
SHELL_CLIENT = "exec 3<>/dev/tcp/127.0.0.1/$1; echo hello >&3"
NODE_CLIENT = "require('net').connect(process.argv[2], '127.0.0.1').end('hello')"
PERL_CLIENT = "use IO::Socket; IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $ARGV[0])->print('hello')"
JAVA_CLIENT = """
public class Client {
    public static void main(String[] arguments) throws Exception {
        try (var socket = new java.net.Socket("127.0.0.1", Integer.parseInt(arguments[0]))) {
            socket.getOutputStream().write("hello".getBytes());
        }
    }
}
"""


@pytest.mark.parametrize("program, name, source", [
    pytest.param(["python3"], "client.py", PYTHON_CLIENT, id="python"),
    pytest.param(["python3", "-u", "-X", "dev"], "client.py", PYTHON_CLIENT, id="python-with-options"),
    pytest.param(["bash"], "client.sh", SHELL_CLIENT, id="shell"),
    pytest.param(["perl"], "client.pl", PERL_CLIENT, id="perl", marks=pytest.mark.needs("perl")),
    pytest.param(["node"], "client.js", NODE_CLIENT, id="node", marks=pytest.mark.needs("node")),
])
def test_scripts_are_named_even_when_gone(lab, agent, program, name, source):
    port = lab.port()
    lab.responder(port)
    script = lab.script(name, source)
    client = lab.start(shutil.which(program[0]), *program[1:], script, port).succeed()
    assert not os.path.exists(f"/proc/{client.pid}")
    agent.edge(port, connects=1, closes=1, client=script.name, server=lab.named("responder.py"))
    assert {event["client"]["pid"] for event in agent.events(port=port)} == {client.pid}


def test_script_that_runs_itself(lab, agent):
    """By its #! line, and by a path relative to where it was started."""
    port = lab.port()
    lab.responder(port)
    script = lab.script("client", f"#!/usr/bin/python3 -u\n{PYTHON_CLIENT}")
    lab.start(f"./{script.name}", port, cwd=lab.folder).succeed()
    agent.edge(port, connects=1, closes=1, client=script.name)


@pytest.mark.needs("java")
def test_java_class_is_named(lab, agent):
    port = lab.port()
    lab.responder(port)
    source = lab.folder / "Client.java"
    source.write_text(JAVA_CLIENT)
    if shutil.which("javac"):
        lab.start("javac", "-d", lab.folder, source).succeed(60)
        lab.start("java", "-cp", lab.folder, "Client", port).succeed(60)
        name = "Client"
    else:
        pytest.skip("not installed: javac")
    agent.edge(port, connects=1, closes=1, client=name)


def test_many_short_lived_clients(lab, agent):
    """A process a connection, as shell scripts do: every one counted, none nameless."""
    port = lab.port()
    lab.responder(port)
    client = lab.script("client.sh", SHELL_CLIENT)
    loop = lab.script("loop.sh", f"for i in $(seq 200); do bash {client} {port} & done; wait")
    lab.start("bash", loop).succeed(60)
    agent.edge(port, connects=200, closes=200, client=client.name)
    assert len({event["client"]["pid"] for event in agent.events(port=port, type="connect")}) == 200


def test_named_by_a_rule(lab):
    port = lab.port()
    agent = lab.agent(f'rule "orders" {{ arguments = "*responder-{lab.token}.py*" }}\n')
    lab.responder(port)
    lab.caller("127.0.0.1", port).succeed()
    edge = agent.edge(port, connects=1, closes=1, server="orders", client=lab.named("caller.py"))
    assert edge["server"]["kind"] == "rule"
    agent.stop()


def test_exec_renames(lab, agent):
    """A process that becomes another program, with the connection still open."""
    port = lab.port()
    lab.responder(port)
    second = lab.script("second.py", "import socket, sys; s = socket.socket(fileno=int(sys.argv[1]))\n"
                        "print('second', flush=True); sys.stdin.read()")
    first = lab.script("first.py", f"""
import os, socket, sys
connection = socket.create_connection(("127.0.0.1", {port}))
os.set_inheritable(connection.fileno(), True)
sys.stdin.readline()
os.execv("/usr/bin/python3", ["python3", "{second}", str(connection.fileno())])
""")
    client = lab.python(first)
    agent.edge(port, connects=1, active_connections=1, client=first.name)
    client.tell("go")
    client.says("second")
    client.end_input()
    client.succeed()
    sums_become(agent, port, connects=1, closes=1, active_connections=0)
