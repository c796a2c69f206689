# SPDX-License-Identifier: GPL-2.0-or-later
"""The HTTP server among slow, hostile and many clients: others are served, events are counted."""
import contextlib
import http.client
import json
import socket
import time

import pytest

from kit.wait import SLOW, eventually, fewer, patience

HALF = b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: "
SOON = patience(1)


def answered_soon(agent, path="/metrics"):
    begun = time.monotonic()
    assert agent.request(path).status == 200
    assert time.monotonic() - begun < SOON


def counts_on(lab, agent):
    """New calls are still counted, all of them."""
    port, count = lab.port(), fewer(200, 20)
    lab.responder(port)
    lab.caller("127.0.0.1", port, "--connections", count, "--at-once", 5).succeed()
    agent.edge(port, connects=count, closes=count)


def ask_raw(address, data):
    """What comes back for these bytes, as far as it comes by itself."""
    with socket.create_connection(address, timeout=patience(15)) as client:
        client.sendall(data)
        client.settimeout(patience(0.3))
        answer = b""
        with contextlib.suppress(ConnectionResetError, TimeoutError):
            while chunk := client.recv(65536):
                answer += chunk
    return answer


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else None


# ---- slow ----

def half_requests(lab, address, count):
    clients = [lab.connect(*address, timeout=patience(15)) for _ in range(count)]
    for client in clients:
        client.sendall(HALF)
    return clients


def test_half_requests(lab, agent):
    """Sixty clients that never finish what they began."""
    clients = half_requests(lab, ("127.0.0.1", agent.port), 60)
    for path in "/metrics", "/api/v1/graph", "/livez":
        answered_soon(agent, path)
    counts_on(lab, agent)
    for client in clients:
        client.close()
    answered_soon(agent)


def test_all_places_taken(lab, agent):
    """The unix socket has places of its own; the address has some again after ten seconds."""
    half_requests(lab, ("127.0.0.1", agent.port), 64)
    begun = time.monotonic()
    assert agent.cli("graph").returncode == 0
    assert time.monotonic() - begun < SOON
    eventually(lambda: agent.answers("/metrics"), 15)
    counts_on(lab, agent)


def test_slow_host(lab):
    """One host beyond loopback takes all it can get: others are served at once."""
    far, _, near, near_end = lab.wired()
    agent = lab.agent(wrapper=near.prefix, options=["--listen", "0.0.0.0:9464"], wait=False)
    agent.port = 9464
    with near.inside():
        agent.ready()
    with far.inside():
        clients = [lab.socket() for _ in range(64)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex((near_end.v4, agent.port))
    for client in clients:
        with contextlib.suppress(OSError):
            client.sendall(HALF)
    with near.inside():
        for _ in range(5):
            answered_soon(agent)
        counts_on(lab, agent)
        agent.stop()


# ---- hostile ----

def test_garbage(lab, agent):
    address = "127.0.0.1", agent.port
    for data in (b"\0" * 1000, b"\xff" * 100000, b"\r\n" * 1000, b"GET\r\n\r\n", b"GET /metrics\r\n\r\n",
                 b"GET /metrics HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
                 b"GET /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"GET /%00%ff/../../etc/passwd HTTP/1.1\r\n\r\n",
                 b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"):
        answer = ask_raw(address, data)
        assert not answer or status_of(answer) in (200, 400, 404, 405, 413, 414, 501, 505), data[:40]
        assert b"root:" not in answer
    answered_soon(agent)
    counts_on(lab, agent)


def test_oversized(lab, agent):
    address = "127.0.0.1", agent.port
    request = b"GET /metrics HTTP/1.1\r\nHost: x\r\n"
    for data in (request + b"X-Big: " + b"x" * 200000 + b"\r\n\r\n",
                 request + b"X-Many: y\r\n" * 20000 + b"\r\n",
                 b"GET /" + b"x" * 200000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                 b"GET /api/v1/events?" + b"last=1&" * 2000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it did not want to hear it all
            assert status_of(ask_raw(address, data)) in (None, 400, 413, 414, 431)
    answered_soon(agent)


def test_not_found(agent):
    for path in "/nothing", "/metrics/", "/api/v1/graphs", "/api/v2/graph", "/..%2f", "/METRICS":
        response = agent.request(path)
        error = json.loads(response.text)
        assert (response.status, error["apiVersion"], error["kind"]) == (404, "hopscope/v1", "Error"), path
        assert response.headers["Content-Type"] == "application/json"


def test_not_allowed(agent):
    for method in "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "NONSENSE":
        response = agent.request("/metrics", method=method)
        assert response.status == 405, method
        assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD"}


def test_head(agent):
    response = agent.request("/metrics", method="HEAD")
    assert (response.status, response.body) == (200, b"")
    assert response.headers["Content-Type"].startswith("text/plain")


def test_bad_queries(agent):
    for query in "?last=many", "?last=-1", "?since=yesterday", "?follow=maybe", "?lats=3":
        response = agent.request(f"/api/v1/events{query}")
        assert response.status == 400, query
        assert json.loads(response.text)["kind"] == "Error"


def test_alive_and_ready(agent):
    for path in "/livez", "/readyz":
        assert agent.request(path).status == 200


# ---- many, and slow to read ----

def numbers(lines):
    """Check that events and Lost lines leave no gap; (events, lost)."""
    events = lost = 0
    expected = None
    for document in map(json.loads, lines):
        if document["kind"] == "Lost":
            lost += document["events"]
            expected = expected and expected + document["events"]
            continue
        assert expected in (None, document["number"])
        expected = document["number"] + 1
        events += 1
    return events, lost


def follow(lab, agent, buffer=None):
    """A follower's socket, after the head of the response."""
    client = lab.socket()
    if buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.settimeout(patience(20))
    client.connect(("127.0.0.1", agent.port))
    client.sendall(b"GET /api/v1/events?follow=1&last=0 HTTP/1.1\r\nHost: x\r\n\r\n")
    return client


def read_until(client, port):
    """Lines, to the last event of a connection to that port."""
    response = http.client.HTTPResponse(client)
    response.begin()
    assert response.status == 200
    lines = []
    while True:
        lines.append(response.readline())
        event = json.loads(lines[-1])
        if event.get("type") == "close" and event["server"]["port"] == port:
            return lines


@pytest.mark.skipif(SLOW, reason="an emulated 6.1 tells of 1,115 accepts of 2,000, with no word of the rest: not understood yet")
def test_slow_follower(lab):
    """It misses what it did not read in time and is told how much; nobody waits for it."""
    agent = lab.agent("max_events = 1024\n")
    port, last, count = lab.port(), lab.port(), fewer(8000, 2000)
    slow = follow(lab, agent, 4096)
    lab.responder(port)
    lab.responder(last, name="last.py")
    follower = lab.start("curl", "-sN", "--noproxy", "*", f"http://127.0.0.1:{agent.port}/api/v1/events?follow=1&last=0")
    lab.caller("127.0.0.1", port, "--connections", count, "--at-once", 4).succeed(90)
    answered_soon(agent)
    agent.edge(port, connects=count, closes=count)
    lab.caller("127.0.0.1", last).succeed()
    eventually(lambda: f'"port":{last}' in follower.output)

    seen, lost = numbers(read_until(slow, last))
    assert lost > 0 and seen + lost >= 3 * count
    seen, lost = numbers(line for line in follower.output.splitlines(keepends=True) if line.endswith("\n"))
    assert seen + lost >= 3 * count
    assert seen > count
    assert set(agent.dropped()) <= {"event_stream"}
    agent.stop()


def test_many_followers(lab, agent):
    """There are places for 32; they leave when they close."""
    port = lab.port()
    lab.responder(port)
    followers = [follow(lab, agent) for _ in range(32)]
    def next_is_refused():
        return agent.request("/api/v1/events?follow=1").status == 503
    eventually(next_is_refused)
    lab.caller("127.0.0.1", port, "--connections", 5).succeed()
    for follower in followers:
        assert numbers(read_until(follower, port))[0] >= 3
        follower.close()
    answered_soon(agent)
    again = follow(lab, agent)

    def reads():
        lab.caller("127.0.0.1", port).succeed()
        return read_until(again, port)
    assert reads()
