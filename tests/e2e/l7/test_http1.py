# SPDX-License-Identifier: GPL-2.0-or-later
"""HTTP/1 between real servers and clients: every call once, by route and status, as they count themselves."""
import json
import re
import signal
import threading

import pytest

from kit import beyond
from kit.agent import HOPSCOPE, hopscope
from kit.l7 import (HTTP_CLIENT, HTTP_SERVER, count_to, counted, http_count_to, lost, requests, routes, service_graph,
                    sum_of)
from kit.wait import eventually, fewer

MIB = 1 << 20
REQUEST_BODY, RESPONSE_BODY = "http_server_request_body_size_bytes", "http_server_response_body_size_bytes"

NGINX = """
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    keepalive_requests 1000000;
    sendfile on;
    client_max_body_size 64m;
    if_modified_since before;
    server {{
        listen {port};
        listen {deferred} deferred;
        root {folder}/www;
        location /users/ {{ return 200 "somebody"; }}
        location /broken {{ return 500 "no"; }}
        location /busy {{ return 503; }}
        location /none {{ return 204; }}
        location /moved {{ return 301 /users/1; }}
        location /upload/ {{ dav_methods PUT; create_full_put_path on; }}
    }}
}}
"""


@pytest.fixture
def agent(lab):
    """As the one of all tests, with a longer memory of calls: other programs of this machine make some too."""
    agent = lab.agent("max_events = 1048576\nmax_requests = 65536\n")
    yield agent
    assert agent.dropped() == {}
    agent.stop()


class Nginx:
    def __init__(self, lab):
        self.port, self.deferred, self.folder = lab.port(), lab.port(), lab.folder
        www = lab.folder / "www"
        (www / "upload").mkdir(parents=True)
        (www / "large").write_bytes(b"x" * 20 * MIB)
        (www / "small").write_bytes(b"y" * 100)
        (www / "upload").chmod(0o777)
        config = lab.folder / "nginx.conf"
        config.write_text(NGINX.format(folder=lab.folder, port=self.port, deferred=self.deferred))
        lab.start("nginx", "-c", config, "-e", lab.folder / "error.log").listening(self.port)

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def logged(self):
        """How often it answered, by status."""
        found = {}
        for line in open(self.folder / "access.log"):
            status = re.search(r'" (\d{3}) ', line)[1]
            found[status] = found.get(status, 0) + 1
        return found


@pytest.fixture
def nginx(lab):
    return Nginx(lab)


def curl(lab, *arguments):
    return lab.start("curl", "-s", "-S", "-m", "20", "--noproxy", "*", *arguments).succeed()


def nothing_lost(agent):
    assert lost(agent, "http") == {}


@pytest.mark.needs("nginx", "curl")
def test_methods_routes_statuses(lab, agent, nginx):
    for number in range(7):
        curl(lab, nginx.url(f"/users/{number}"))
    curl(lab, *[nginx.url("/users/me?secret=1")] * 3)  # one connection
    curl(lab, "-I", nginx.url("/users/8"))
    curl(lab, "-d", "a=1", nginx.url("/users/9"))
    curl(lab, nginx.url("/broken"), nginx.url("/busy"), nginx.url("/none"), nginx.url("/not-there"))
    curl(lab, "-L", nginx.url("/moved"))
    http_count_to(agent, nginx.port, {
        ("GET", "/users/{id}", "200"): 8, ("GET", "/users/me", "200"): 3, ("HEAD", "/users/{id}", "200"): 1,
        ("POST", "/users/{id}", "200"): 1, ("GET", "/broken", "500"): 1, ("GET", "/busy", "503"): 1,
        ("GET", "/none", "204"): 1, ("GET", "/not-there", "404"): 1, ("GET", "/moved", "301"): 1,
    }, client="curl", server="nginx")
    assert counted(agent, nginx.port, HTTP_SERVER, "error_type") == {"": 16, "500": 1, "503": 1}
    assert counted(agent, nginx.port, HTTP_SERVER, "network_protocol_version", "url_scheme") == {("1.1", "http"): 18}
    assert counted(agent, nginx.port, HTTP_CLIENT, "client") == {}
    assert "secret" not in agent.metrics().text + agent.request("/api/v1/requests").text
    nothing_lost(agent)


@pytest.mark.needs("nginx", "wrk")
def test_wrk(lab, agent, nginx):
    """Kept connections, as many calls as it can: wrk's own count, and nginx's log."""
    connections = 8
    for path, status in ("/users/7", "200"), ("/broken", "500"):
        run = lab.start("wrk", "-t", 2, "-c", connections, "-d", fewer("2s", "4s"), nginx.url(path)).succeed(60)
        done = int(re.search(r"(\d+) requests in", run.output)[1])
        failed = int((re.search(r"Non-2xx or 3xx responses: (\d+)", run.output) or [0, 0])[1])
        assert failed == (done if status == "500" else 0) and done > 100
        agent.settle()
        count = counted(agent, nginx.port, HTTP_SERVER, "http_response_status_code")
        assert set(count) <= {"200", "500", ""}
        # What was under way when wrk stopped was answered, though wrk counts it no more.
        assert done <= count[status] <= done + connections
    assert {key: value for key, value in count.items() if key} == nginx.logged
    calls, failures, types = service_graph(agent, "wrk", "nginx")
    assert calls == sum(count.values()) and types == {""}
    assert count["500"] <= failures <= count["500"] + count.get("", 0)
    nothing_lost(agent)


@pytest.mark.needs("nginx", "ab")
@pytest.mark.parametrize("keep", [False, True])
def test_ab(lab, agent, nginx, keep):
    """HTTP/1.0; a connection for each call, or kept on request."""
    count = fewer(2000, 200)
    run = lab.start("ab", "-q", "-n", count, "-c", 8, *(["-k"] if keep else []), nginx.url("/small")).succeed(60)
    assert re.search(rf"Complete requests: +{count}\n", run.output) and re.search(r"Failed requests: +0\n", run.output)
    count_to(agent, nginx.port, HTTP_SERVER, ("http_route", "http_response_status_code", "network_protocol_version"),
             {("/small", "200", "1.0"): count}, client="ab")
    assert sum_of(agent, nginx.port, RESPONSE_BODY) == 100 * count
    nothing_lost(agent)


@pytest.mark.needs("nginx", "ab", "curl")
def test_deferred(lab, agent, nginx):
    """The first request of each connection arrives with the end of its handshake: at the listener."""
    count, url = fewer(2000, 200), f"http://127.0.0.1:{nginx.deferred}"
    lab.start("ab", "-q", "-n", count, "-c", 8, f"{url}/small").succeed(60)
    for _ in range(5):
        curl(lab, f"{url}/users/1", f"{url}/none", f"{url}/not-there")
        curl(lab, "-d", "x" * 30000, f"{url}/users/2")
    http_count_to(agent, nginx.deferred, {
        ("GET", "/small", "200"): count, ("GET", "/users/{id}", "200"): 5, ("GET", "/none", "204"): 5,
        ("GET", "/not-there", "404"): 5, ("POST", "/users/{id}", "200"): 5})
    nothing_lost(agent)


def pipeline(client, paths):
    """All requests in one segment; when all answers have come."""
    client.sendall(b"".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in paths))
    got = b""
    while got.count(b"HTTP/1.1 ") < len(paths):
        chunk = client.recv(65536)
        assert chunk, got
        got += chunk


@pytest.mark.needs("nginx")
def test_pipelined(lab, agent, nginx):
    """Several requests in one segment, and answers in their order."""
    client = lab.connect("127.0.0.1", nginx.port, timeout=20)
    for _ in range(20):
        pipeline(client, ["/users/1", "/broken", "/small", "/none", "/not-there"])
    client.close()
    http_count_to(agent, nginx.port, {("GET", route, status): 20 for route, status in (
        ("/users/{id}", "200"), ("/broken", "500"), ("/small", "200"), ("/none", "204"), ("/not-there", "404"))})
    nothing_lost(agent)


@pytest.mark.needs("nginx")
def test_pipelined_beyond_a_head(lab, agent, nginx):
    """More answers in one turn than the usual head of it that is read: of a connection that is known to do so, all."""
    client = lab.connect("127.0.0.1", nginx.port, timeout=20)
    pipeline(client, ["/small"] * 3)
    http_count_to(agent, nginx.port, {("GET", "/small", "200"): 3})
    for _ in range(5):
        pipeline(client, ["/not-there"] * 100)
    client.close()
    http_count_to(agent, nginx.port, {("GET", "/small", "200"): 3, ("GET", "/not-there", "404"): 500})
    nothing_lost(agent)


@pytest.mark.needs("nginx")
def test_pipelined_at_once(lab, agent, nginx):
    """The same in the first turn of a connection, and when it has not done so before."""
    first, second = [lab.connect("127.0.0.1", nginx.port, timeout=20) for _ in range(2)]
    pipeline(first, ["/not-there"] * 100)
    pipeline(second, ["/small"])
    pipeline(second, ["/not-there"] * 100)
    http_count_to(agent, nginx.port, {("GET", "/small", "200"): 1, ("GET", "/not-there", "404"): 200})
    pipeline(second, ["/small"])
    pipeline(second, ["/not-there"] * 100)
    first.close()
    second.close()
    http_count_to(agent, nginx.port, {("GET", "/small", "200"): 2, ("GET", "/not-there", "404"): 300})
    nothing_lost(agent)


@pytest.mark.needs("nginx")
def test_pipelined_beyond_what_is_read(lab, agent, nginx):
    """More than is read of a turn, in the first one of a connection: what cannot be told is counted as lost."""
    client, count = lab.connect("127.0.0.1", nginx.port, timeout=20), 1000
    pipeline(client, ["/not-there"] * count)
    client.close()

    def accounted():
        told = counted(agent, nginx.port, HTTP_SERVER, "http_response_status_code")
        return sum(told.values()) + lost(agent, "http").get("lost_calls", 0) >= count and told
    assert 0 < eventually(accounted).get("404", 0) <= count


@pytest.mark.needs("nginx", "curl")
def test_large_bodies(lab, agent, nginx):
    """Twenty megabytes by sendfile, and five up; their sizes to the byte, and what follows on the connection."""
    body = lab.folder / "upload"
    body.write_bytes(b"z" * 5 * MIB)
    for _ in range(3):
        curl(lab, "-o", "/dev/null", "-o", "/dev/null", nginx.url("/large"), nginx.url("/small"))
    curl(lab, "-T", body, nginx.url("/upload/one"))
    curl(lab, "-H", "Expect: 100-continue", "-T", body, nginx.url("/upload/two"))
    http_count_to(agent, nginx.port, {
        ("GET", "/large", "200"): 3, ("GET", "/small", "200"): 3, ("PUT", "/upload/one", "201"): 1,
        ("PUT", "/upload/two", "201"): 1,
    })
    assert sum_of(agent, nginx.port, RESPONSE_BODY, http_route="/large") == 60 * MIB
    assert sum_of(agent, nginx.port, RESPONSE_BODY, http_route="/small") == 300
    assert sum_of(agent, nginx.port, REQUEST_BODY, http_route="/upload/one") == 5 * MIB
    assert sum_of(agent, nginx.port, REQUEST_BODY, http_route="/upload/two") == 5 * MIB
    nothing_lost(agent)


@pytest.mark.needs("nginx", "curl")
def test_without_a_body(lab, agent, nginx):
    """A length in the answer to HEAD, and in 304, is of no body that comes."""
    stamp = "Thu, 01 Jan 2099 00:00:00 GMT"
    curl(lab, "-I", nginx.url("/large"), nginx.url("/small"))
    curl(lab, "-H", f"If-Modified-Since: {stamp}", nginx.url("/large"), nginx.url("/small"))
    curl(lab, nginx.url("/none"), nginx.url("/users/1"))
    http_count_to(agent, nginx.port, {
        ("HEAD", "/large", "200"): 1, ("HEAD", "/small", "200"): 1, ("GET", "/large", "304"): 1,
        ("GET", "/small", "304"): 1, ("GET", "/none", "204"): 1, ("GET", "/users/{id}", "200"): 1,
    })
    assert sum_of(agent, nginx.port, RESPONSE_BODY) == len("somebody")
    nothing_lost(agent)


NODE = """
const http = require('http')
const server = http.createServer((request, response) => {
    if (request.url === '/chunked' || request.url === '/large') {
        for (let i = 0; i < (request.url === '/large' ? 50 : 5); i++) response.write('x'.repeat(i * 100))
        response.end()
    } else if (request.url === '/wait') {
        setTimeout(() => response.end('late'), 1200)
    } else if (request.url === '/die') {
        request.socket.destroy()
    } else {
        response.end('hello')
    }
})
server.on('upgrade', (request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\r\\n')
    socket.on('data', data => socket.write(data))
    socket.on('end', () => socket.end())
})
server.listen(Number(process.argv[2]), '127.0.0.1')
"""


@pytest.fixture
def node(lab):
    port = lab.port()
    lab.start("node", lab.script("server.js", NODE), port).listening(port)
    return port


@pytest.mark.needs("node", "curl")
def test_chunked(lab, agent, node):
    url = f"http://127.0.0.1:{node}/"
    for _ in range(5):
        curl(lab, "-o", "/dev/null", "-o", "/dev/null", url + "chunked", url)
    http_count_to(agent, node, {("GET", "/chunked", "200"): 5, ("GET", "/", "200"): 5})
    assert sum_of(agent, node, RESPONSE_BODY, http_route="/") == 25
    assert sum_of(agent, node, RESPONSE_BODY, http_route="/chunked") == 5 * sum(i * 100 for i in range(5))
    nothing_lost(agent)


@pytest.mark.needs("node", "curl")
def test_large_chunked(lab, agent, node):
    """Chunks beyond the 4 KiB of a turn that are read; and in a request."""
    url, body = f"http://127.0.0.1:{node}/", lab.folder / "upload"
    body.write_bytes(b"z" * MIB)
    for _ in range(5):
        curl(lab, "-o", "/dev/null", "-o", "/dev/null", url + "large", url)
    curl(lab, "-H", "Transfer-Encoding: chunked", "-T", body, url + "upload")
    http_count_to(agent, node, {("GET", "/large", "200"): 5, ("GET", "/", "200"): 5, ("PUT", "/upload", "200"): 1})


def echo(lab, port, frames):
    """A websocket that says what looks like anything but HTTP, and like HTTP."""
    client = lab.connect("127.0.0.1", port, timeout=20)
    client.sendall(b"GET /socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(1024)
    for frame in frames:
        client.sendall(frame)
        got = b""
        while len(got) < len(frame):
            got += client.recv(65536)
        assert got == frame
    client.close()


@pytest.mark.needs("node", "curl")
def test_upgrade(lab, agent, node):
    """101 ends the call; what the connection speaks then is nobody's HTTP."""
    echo(lab, node, [b"\x82\x85\0\0\0\0hello", b"\x81\xfe\x01\0" + b"m" * 260] * 20)
    curl(lab, f"http://127.0.0.1:{node}/after")
    http_count_to(agent, node, {("GET", "/socket", "101"): 1, ("GET", "/after", "200"): 1})


@pytest.mark.needs("node")
def test_without_an_answer(lab, agent, node):
    """The server closes, and a client that gives up: calls that failed, with the time they took."""
    assert lab.start("curl", "-s", "-m", "20", "--noproxy", "*", f"http://127.0.0.1:{node}/die").wait() == 52
    client = lab.connect("127.0.0.1", node, timeout=20)
    client.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
    threading.Event().wait(0.3)  # how long it has patience is what is measured
    client.close()
    count_to(agent, node, HTTP_SERVER, ("http_route", "http_response_status_code", "error_type"),
             {("/die", "", "unanswered"): 1, ("/wait", "", "unanswered"): 1})
    assert 0.25 < sum_of(agent, node, HTTP_SERVER, http_route="/wait") < 1.2
    failed, = requests(agent, node, target="/die")
    assert (failed["outcome"], failed["failed"], "status" in failed) == ("unanswered", True, False)
    nothing_lost(agent)


@pytest.mark.needs("curl")
def test_beyond_this_node(lab, agent):
    """A server that runs elsewhere: the client's metrics, in which 404 is an error, and a virtual node."""
    space, port = lab.space(), lab.port()
    host = beyond.Host(space)
    lab.stack.callback(host.close)
    accepted = host.accept(port)
    client = lab.start("curl", "-s", "-m", "20", "--noproxy", "*", f"http://{host.address}:{port}/a/1", space=space)
    connection = eventually(lambda: accepted and accepted[0], what="a connection")
    eventually(lambda: connection.data.endswith(b"\r\n\r\n"), what="a request")
    connection.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
    connection.finish()
    client.succeed()
    http_count_to(agent, port, {("GET", "/a/{id}", "404"): 1}, HTTP_CLIENT)
    assert counted(agent, port, HTTP_CLIENT, "client", "server", "server_address", "error_type") == \
        {("curl", host.address, host.address, "404"): 1}
    assert counted(agent, port, HTTP_SERVER, "client") == {}
    assert service_graph(agent, "curl", host.address) == (1, 0, {"virtual_node"})
    nothing_lost(agent)


# ---- what people see ----

def lines(done):
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout.splitlines()


def follow(lab, agent, nginx, *argv):
    """Every call is kept from now on; the follower, who has seen the first ones."""
    follower = lab.start(*argv)

    def followed():
        curl(lab, nginx.url("/users/me"))
        return '"/users/me"' in follower.output
    eventually(followed)
    return follower


@pytest.fixture
def scene(lab, agent, nginx):
    follow(lab, agent, nginx, "curl", "-sN", "--noproxy", "*",
           f"http://127.0.0.1:{agent.port}/api/v1/requests?follow=1&last=0")
    curl(lab, *[nginx.url(f"/users/{number}") for number in range(9)])
    curl(lab, nginx.url("/broken"))
    curl(lab, "-d", "a=1", nginx.url("/users/9"))
    for method, route, status, count in (("GET", "/users/{id}", 200, 9), ("GET", "/broken", 500, 1),
                                         ("POST", "/users/{id}", 200, 1)):
        http_count_to(agent, nginx.port, {(method, route, str(status)): count}, http_request_method=method,
                      http_route=route)
    return nginx


@pytest.mark.needs("nginx", "curl")
def test_documents(agent, scene):
    edge, = [edge for edge in agent.edges(scene.port) if edge["client"]["name"] == "curl"]
    assert (edge["failed_calls"], edge["protocols"]) == (1, ["http"])
    assert edge["call_duration"]["count"] == edge["calls"] > 11 and 0 < edge["call_duration"]["p99_seconds"] < 5
    assert edge["rates"]["calls_per_second"] > 0 and 0 < edge["call_error_ratio"] < 0.5
    found = routes(agent, scene.port)
    assert set(found) == {("GET", "/users/{id}"), ("GET", "/broken"), ("POST", "/users/{id}"), ("GET", "/users/me")}
    assert sum(route["calls"] for route in found.values()) == edge["calls"]
    assert found["GET", "/users/{id}"]["calls"] == 9
    assert found["GET", "/broken"]["statuses"] == [{"status": "500", "calls": 1}]
    assert found["GET", "/broken"]["error_ratio"] == 1
    recent = [item for item in requests(agent, scene.port) if item["target"] != "/users/me"]
    assert len(recent) == 11
    assert recent[9]["target"] == "/broken" and recent[9]["failed"] and recent[9]["status"] == "500"
    assert recent[0]["route"] == "/users/{id}" and recent[0]["response_bytes"] == len("somebody")
    assert recent[0]["duration_seconds"] >= recent[0]["wait_seconds"] > 0
    assert recent[-1]["request_bytes"] == 3
    status = agent.document("status")
    assert {item["protocol"]: item["calls"] for item in status["protocols"]}["http"] >= 11


@pytest.mark.needs("nginx", "curl")
def test_commands(agent, scene):
    port = str(scene.port)

    def show(*arguments):
        return lines(agent.cli(*arguments, "--port", port))

    head, *edges = show("graph")
    assert {"REQ/S", "ERR%", "P50", "P99"} <= set(head.split()) and len(edges) == 1
    head, first, *rest = show("routes")
    assert first.startswith("GET /broken") and " 100 " in first and len(rest) == 3
    assert len(show("routes", "--method", "post", "--no-headers")) == 1
    assert len(show("requests", "--not", "--route", "/users/me")) == 12
    assert len(show("requests", "--last", 3, "--no-headers")) == 3
    assert len(show("requests", "--since", "1h", "--route", "/users/{id}", "--no-headers")) == 10
    failed, = show("requests", "--status", "5xx", "--no-headers")
    assert "GET /broken" in failed and " 500 " in failed and f"curl > nginx:{port}" in failed
    assert len(show("requests", "--not", "--status", "500", "--protocol", "http", "--route", "/users/{id}",
                    "--no-headers")) == 10
    document = json.loads("".join(show("requests", "-o", "json", "--method", "POST")))
    assert document["kind"] == "RequestList" and [item["route"] for item in document["items"]] == ["/users/{id}"]
    nothing = agent.cli("requests", "--slower-than", "1h", "--port", port)
    assert (nothing.returncode, nothing.stdout) == (0, "") and "matches" in nothing.stderr


@pytest.mark.needs("nginx", "curl")
def test_requests_follow(lab, agent, nginx):
    """Every one of them while somebody follows, however many there are; by its route where the kernel tells of it."""
    follower = follow(lab, agent, nginx, HOPSCOPE, "requests", "-f", "-o", "json", "--port", nginx.port,
                      "--last", "0", "--socket", agent.socket)
    count = fewer(500, 100)
    curl(lab, *[nginx.url(f"/users/{number}") for number in range(count)])

    def seen():
        found = [json.loads(line) for line in follower.output.splitlines(keepends=True) if line.endswith("\n")]
        return [item["target"] for item in found if item["route"] == "/users/{id}"]
    eventually(lambda: len(seen()) >= count)
    assert len(seen()) == count
    assert all(target in (f"/users/{number}", "/users/{id}") for number, target in enumerate(seen()))


@pytest.mark.needs("nginx", "curl")
def test_recording(lab, nginx):
    """What was recorded shows the same calls anywhere."""
    path = lab.folder / "recording"
    recorder = lab.start(HOPSCOPE, "record", path)
    recorder.says("recording to")
    curl(lab, nginx.url("/users/1"), nginx.url("/broken"), nginx.url("/users/2"))
    recorder.signal(signal.SIGINT)
    recorder.wait()

    def show(*arguments):
        return lines(hopscope(*arguments, "--input", path, "--port", nginx.port, "--no-headers"))
    assert len(show("requests")) == 3
    failed, = show("requests", "--status", "500")
    assert "GET /broken" in failed
    assert len(show("routes")) == 2


@pytest.mark.needs("nginx", "curl")
def test_named_routes(lab, nginx):
    """Patterns of the configuration come before folding."""
    agent = lab.agent('routes = { "/users/me", "/users/{name}" }\n')
    curl(lab, *[nginx.url(f"/users/{name}") for name in ("me", "jo", "an", "7")])
    http_count_to(agent, nginx.port, {("GET", "/users/me", "200"): 1, ("GET", "/users/{name}", "200"): 3})
    agent.stop()
