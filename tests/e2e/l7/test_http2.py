# SPDX-License-Identifier: GPL-2.0-or-later
"""HTTP/2 and gRPC in clear text, by servers and clients of other people: every call, by route and result."""
import re
from collections import Counter

import pytest

from kit.wait import becomes, eventually, fewer

HTTP, RPC = "http_server_request_duration_seconds", "rpc_server_call_duration_seconds"


def calls(agent, port, name, *labels):
    """How many, by these labels; only those of HTTP/2."""
    found = Counter()
    for sample in agent.metrics().all(f"{name}_count", server_port=port):
        if name == RPC or sample.labels["network_protocol_version"] == "2":
            found[tuple(sample.labels.get(label, "") for label in labels)] += int(sample.value)
    return +found


def requests(agent, port):
    return calls(agent, port, HTTP, "http_request_method", "http_route", "http_response_status_code", "error_type")


def rpcs(agent, port):
    return calls(agent, port, RPC, "rpc_method", "rpc_response_status_code", "error_type")


def check(agent, probe, port, wanted):
    """All of them, and two passes later no more."""
    becomes(lambda: probe(agent, port), Counter(wanted))
    agent.settle()
    assert probe(agent, port) == Counter(wanted)


def lost(agent, stage):
    return agent.metrics().value(f"hopscope_l7_{stage}_total", protocol="http")


# ---- nghttpd, h2load ----

@pytest.fixture
def nghttpd(lab):
    port, root = lab.port(), lab.folder / "www"
    root.mkdir()
    (root / "small").write_text("small")
    (root / "large").write_bytes(b"x" * 100000)
    lab.start("nghttpd", "--no-tls", "-a", "127.0.0.1", "-d", root, "-n", 2, port).listening(port)
    return port


def h2load(lab, port, count, clients, streams, *paths, options=()):
    run = lab.start("h2load", "-n", count, "-c", clients, "-m", streams, *options,
                    *[f"http://127.0.0.1:{port}/{path}" for path in paths]).succeed(60)
    assert f"{count} done" in run.output
    return run


@pytest.mark.needs("nghttpd", "h2load")
def test_many_streams(lab, agent, nghttpd):
    """Fifty requests at a time on each connection."""
    count = fewer(4000, 200)
    h2load(lab, nghttpd, count, 4, 50, "small", "missing")
    check(agent, requests, nghttpd, {("GET", "/small", "200", ""): count // 2, ("GET", "/missing", "404", ""): count // 2})


@pytest.mark.needs("nghttpd", "h2load")
def test_large_responses(lab, agent, nghttpd):
    """Frames of several responses among each other, from the first one of a connection on."""
    h2load(lab, nghttpd, 20, 2, 10, "large", "small")
    check(agent, requests, nghttpd, {("GET", "/large", "200", ""): 10, ("GET", "/small", "200", ""): 10})
    assert agent.metrics().value("http_server_response_body_size_bytes_sum", server_port=nghttpd) == 10 * 100005


@pytest.mark.needs("nghttpd", "h2load")
def test_request_bodies(lab, agent, nghttpd):
    (lab.folder / "body").write_bytes(b"x" * 5000)
    h2load(lab, nghttpd, 20, 2, 5, "small", options=["-d", lab.folder / "body"])
    check(agent, requests, nghttpd, {("POST", "/small", "200", ""): 20})
    assert agent.metrics().value("http_server_request_body_size_bytes_sum", server_port=nghttpd) == 20 * 5000


# ---- curl, nginx, Apache ----

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log; user root;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} http2;
    location /users {{ return 200 "a user"; }}
    location /nothing {{ return 204; }}
    location /broken {{ return 503; }}
  }}
}}
"""

APACHE = """
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
ErrorLog {folder}/apache.log
DefaultRuntimeDir {folder}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule http2_module /usr/lib/apache2/modules/mod_http2.so
User www-data
Group www-data
Protocols h2c http/1.1
DocumentRoot {folder}
"""


@pytest.fixture
def nginx(lab):
    port = lab.port()
    (lab.folder / "nginx.conf").write_text(NGINX.format(folder=lab.folder, port=port))
    lab.start("/usr/sbin/nginx", "-c", lab.folder / "nginx.conf").listening(port)
    return port


def curl(lab, *arguments):
    return lab.start("curl", "-sS", *arguments).succeed()


@pytest.mark.needs("nginx", "curl", "nghttp")
def test_prior_knowledge(lab, agent, nginx):
    """Identifiers in paths are folded, queries left out."""
    base, h2 = f"http://127.0.0.1:{nginx}", "--http2-prior-knowledge"
    lab.start("nghttp", "-n", *[f"{base}/{path}" for path in ("users/17?token=secret", "users/18", "nothing", "broken")]).succeed()
    curl(lab, h2, "-I", f"{base}/users/19")
    check(agent, requests, nginx, {
        ("GET", "/users/{id}", "200", ""): 2, ("GET", "/nothing", "204", ""): 1, ("GET", "/broken", "503", "503"): 1,
        ("HEAD", "/users/{id}", "200", ""): 1})
    assert "secret" not in agent.metrics().text


@pytest.mark.needs("apache2", "curl")
def test_upgrade(lab, agent):
    """The request that asked in HTTP/1.1 is answered on stream 1."""
    port = lab.port()
    (lab.folder / "first").write_text("the first")
    (lab.folder / "apache.conf").write_text(APACHE.format(folder=lab.folder, port=port))
    lab.start("/usr/sbin/apache2", "-DFOREGROUND", "-f", lab.folder / "apache.conf").listening(port)
    for path in "first", "first", "none":
        run = curl(lab, "--http2", "-o", lab.folder / "answer", "-w", "%{http_version}", f"http://127.0.0.1:{port}/{path}")
        assert run.output == "2"
    check(agent, requests, port, {("GET", "/first", "200", ""): 2, ("GET", "/none", "404", ""): 1})
    assert not [sample for sample in agent.metrics().all(f"{HTTP}_count", server_port=port)
                if sample.labels["network_protocol_version"] != "2"]


# ---- gRPC ----

SERVER = """
import sys, time
from concurrent import futures
import grpc

def echo(request, context):
    return request

def fail(request, context):
    context.abort(grpc.StatusCode[request.decode()], "as you like")

def slow(request, context):
    while context.is_active():
        time.sleep(0.01)
    return b""

def count(request, context):
    for number in range(int(request)):
        yield b"x" * 1000

def chat(requests, context):
    for request in requests:
        yield request

def upload(requests, context):
    return str(sum(map(len, requests))).encode()

methods = {
    "Echo": grpc.unary_unary_rpc_method_handler(echo), "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "Slow": grpc.unary_unary_rpc_method_handler(slow), "Count": grpc.unary_stream_rpc_method_handler(count),
    "Chat": grpc.stream_stream_rpc_method_handler(chat), "Upload": grpc.stream_unary_rpc_method_handler(upload),
}
server = grpc.server(futures.ThreadPoolExecutor(8))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Kit", methods),))
server.add_insecure_port("127.0.0.1:" + sys.argv[1])
server.start()
server.wait_for_termination()
"""

CLIENT = """
import sys
import grpc

def status(call):
    try:
        call()
        return "OK"
    except grpc.RpcError as error:
        return error.code().name

channel = grpc.insecure_channel("127.0.0.1:" + sys.argv[1])
unary = lambda name: channel.unary_unary("/test.Kit/" + name)

def scenario():
    for _ in range(20):
        assert unary("Echo")(b"hello") == b"hello"
    assert len(list(channel.unary_stream("/test.Kit/Count")(b"50"))) == 50
    assert list(channel.stream_stream("/test.Kit/Chat")(iter([b"a", b"b"]))) == [b"a", b"b"]
    assert channel.stream_unary("/test.Kit/Upload")(iter([b"x" * 20000] * 5)) == b"100000"
    for name in "NOT_FOUND", "NOT_FOUND", "UNAVAILABLE":
        assert status(lambda: unary("Fail")(name.encode())) == name
    assert status(lambda: unary("Nowhere")(b"")) == "UNIMPLEMENTED"
    assert status(lambda: unary("Slow")(b"", timeout=0.3)) == "DEADLINE_EXCEEDED"
    call = unary("Slow").future(b"", timeout=60)
    assert unary("Echo")(b"") == b""  # sent behind the call that will be cancelled: the server has that one
    call.cancel()
    assert call.cancelled()

def many():
    futures = [unary("Echo").future(b"x" * 100) for _ in range(int(sys.argv[3]))]
    for future in futures:
        future.result()

globals()[sys.argv[2]]()
channel.close()
"""


@pytest.fixture
def grpc(lab):
    port = lab.port()
    lab.python(lab.script("server.py", SERVER), port).listening(port)
    return port


def grpc_client(lab, port, *arguments):
    return lab.python(lab.script("client.py", CLIENT), port, *arguments)


def test_grpc(lab, agent, grpc):
    """Unary and streams, every kind of end."""
    grpc_client(lab, grpc, "scenario").succeed(60)
    becomes(lambda: sum(rpcs(agent, grpc).values()), 30)
    agent.settle()
    found = rpcs(agent, grpc)
    slow = {key: value for key, value in found.items() if key[0] == "test.Kit/Slow"}
    assert found - Counter(slow) == Counter({
        ("test.Kit/Echo", "OK", ""): 21, ("test.Kit/Count", "OK", ""): 1, ("test.Kit/Chat", "OK", ""): 1,
        ("test.Kit/Upload", "OK", ""): 1, ("test.Kit/Fail", "NOT_FOUND", ""): 2,
        ("test.Kit/Fail", "UNAVAILABLE", "UNAVAILABLE"): 1, ("test.Kit/Nowhere", "UNIMPLEMENTED", "UNIMPLEMENTED"): 1})
    # Whoever is first: the client withdraws what is over its deadline, or the server says so.
    assert sum(slow.values()) == 2 and set(slow) <= {
        ("test.Kit/Slow", "", "cancelled"), ("test.Kit/Slow", "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED")}, slow
    assert ("test.Kit/Slow", "", "cancelled") in slow


def test_grpc_at_once(lab, agent, grpc):
    count = fewer(2000, 100)
    grpc_client(lab, grpc, "many", count).succeed(60)
    check(agent, rpcs, grpc, {("test.Kit/Echo", "OK", ""): count})


# ---- older than the agent ----

OLD_CLIENT = """
import sys
import grpc
channel = grpc.insecure_channel("127.0.0.1:" + sys.argv[1])
call = channel.unary_unary("/test.Kit/Echo")
call(b"before")
print("connected", flush=True)
for line in sys.stdin:
    for _ in range(int(line)):
        call(b"hello")
    print("called", line, flush=True)
"""


def test_older_connection(lab, grpc):
    """
    Its tables were filled before the agent came: what they hide is unknown, and nothing is taken for
    something else. What is said for the first time is known from then on.
    """
    client = lab.python(lab.script("old.py", OLD_CLIENT), grpc)
    client.says("connected")
    agent = lab.agent()
    client.tell("10")
    client.says("called 10")

    def count():
        everything = calls(agent, grpc, HTTP, "http_route", "http_response_status_code")
        everything.update(calls(agent, grpc, RPC, "rpc_method", "rpc_response_status_code"))
        return everything
    eventually(lambda: sum(count().values()) >= 9, what="calls of a connection that is older")
    agent.settle()
    found = count()
    given_up = lost(agent, "lost_calls") + lost(agent, "undecoded_messages")
    assert sum(found.values()) <= 10 <= sum(found.values()) + given_up
    for route, status in found:
        assert route in ("", "test.Kit/Echo", "/test.Kit/Echo") and status in ("", "200", "OK"), found
    agent.stop()
