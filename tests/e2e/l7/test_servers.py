# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers that work in other ways than most: by io_uring, or one request at a time while others wait."""
import pytest

from kit.l7 import HTTP_SERVER, count_to, http_count_to, lost
from kit.lab import PROGRAMS
from kit.net import run
from kit.wait import SLOW, fewer


@pytest.mark.needs("cc", "h2load")
def test_io_uring(lab, agent):
    """No system call of its own for what it accepts, reads and writes."""
    program, port = lab.folder / lab.named("uring"), lab.port()
    run("cc", "-O2", "-o", program, PROGRAMS / "uring.c", "-luring")
    lab.start(program, port).listening(port)
    count = fewer(4000, 200)
    for clients in 1, 16:
        done = lab.start("h2load", "--h1", "-n", count, "-c", clients, f"http://127.0.0.1:{port}/users/7").succeed(60)
        assert f"{count} succeeded" in done.output, done.output
    http_count_to(agent, port, {("GET", "/users/{id}", "200"): 2 * count}, client="h2load", server=program.name)
    edge = agent.edge(port, server=program.name)
    assert edge["queue_duration"]["count"] == edge["service_duration"]["count"] == 2 * count
    assert lost(agent, "http") == {}


WORKER = """
import select, socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=64)
count, keep = int(sys.argv[2]), sys.argv[3] == "keep"

def serve(connection):
    connection.recv(65536)
    time.sleep(float(sys.argv[4]))
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")

held = [listener.accept()[0] for _ in range(count)] if keep else []
print("ready", flush=True)
sys.stdin.readline()
for number in range(count):
    serve(held[number] if keep else listener.accept()[0])
print("served", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("queue", ["keep", "accept"])
def test_one_slow_worker(lab, agent, queue):
    """
    All requests are there before it begins; it reads one, works, answers, and reads the next: so each waits for
    those before it, in its socket or in the accept queue.
    """
    port, count, work = lab.port(), 10, 0.05
    worker = lab.python(lab.script("worker.py", WORKER), port, count, queue, work).listening(port)
    clients = [lab.connect("127.0.0.1", port, timeout=60) for _ in range(count)]
    worker.says("ready")
    for client in clients:
        client.sendall(b"GET /job HTTP/1.1\r\nHost: x\r\n\r\n")
    worker.tell("go")
    worker.says("served")
    for client in clients:
        assert client.recv(100).endswith(b"ok")
    count_to(agent, port, HTTP_SERVER, ("http_route",), {"/job": count})
    metrics = agent.metrics()
    service, waited, all_of_it = (metrics.value(f"{name}_sum", server_port=port) for name in (
        "hopscope_service_duration_seconds", "hopscope_queue_duration_seconds", HTTP_SERVER))
    for name in "queue", "service":
        assert metrics.value(f"hopscope_{name}_duration_seconds_count", server_port=port) == count
    assert count * work <= service <= count * work * (3 if SLOW else 1.2)
    wanted = sum(range(count)) * service / count  # those before it, one by one
    assert abs(waited - wanted) <= wanted * (0.5 if SLOW else 0.15)
    assert abs(service + waited - all_of_it) <= all_of_it * 0.01
    worker.tell("end")


DEFERRED = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log /dev/null;
events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {folder}/body;
    server {{ listen 127.0.0.1:{port} deferred; location / {{ return 200 "ok"; }} }}
}}
"""


@pytest.mark.needs("nginx", "ab")
@pytest.mark.parametrize("older", [False, True])
def test_deferred_accept(lab, older):
    """The request completes the handshake (TCP_DEFER_ACCEPT): there is no connection yet when it arrives."""
    port, count = lab.port(), fewer(1000, 100)
    agent = None if older else lab.agent()
    (lab.folder / "nginx.conf").write_text(DEFERRED.format(folder=lab.folder, port=port))
    lab.start("nginx", "-p", lab.folder, "-c", lab.folder / "nginx.conf").listening(port)
    agent = agent or lab.agent()
    lab.start("ab", "-q", "-n", count, "-c", 8, f"http://127.0.0.1:{port}/users/7").succeed(60)
    http_count_to(agent, port, {("GET", "/users/{id}", "200"): count}, client="ab", server="nginx")
    agent.stop()
