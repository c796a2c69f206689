# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent comes and goes, in good order or not. What it watches does not notice."""
import json
import re
import signal
import socket
import time
from pathlib import Path

import pytest

from kit.net import run
from kit.wait import SLOW, eventually, fewer, patience

KINDS = "prog", "map", "link"
READY_SECONDS = 20 if SLOW else 1  # under full load; what is emulated loads programs very slowly


def bpf_held(pid):
    """Ids of the BPF programs, maps and links that a process has open, by kind."""
    held = {kind: set() for kind in KINDS}
    for file in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            text = file.read_text()
        except FileNotFoundError:  # closed meanwhile
            continue
        for kind, number in re.findall(r"^(prog|map|link)_id:\s*(\d+)$", text, re.M):
            held[kind].add(int(number))
    assert all(held.values()), f"an agent holds {held}?"
    return held


def bpf_left(held):
    """Those of them that the kernel still has. It does not give an id a second time."""
    there = {kind: {item["id"] for item in json.loads(run("bpftool", kind, "show", "-j"))} for kind in KINDS}
    return {kind: ids & there[kind] for kind, ids in held.items() if ids & there[kind]}


def all_freed(held):
    eventually(lambda: not bpf_left(held), what=f"the kernel frees {held}")


def tracefs_mounts():
    return [line for line in open("/proc/self/mounts") if line.split()[2] in ("tracefs", "debugfs", "bpf")]


class Load:
    """nginx and wrk on connections that stay, in a namespace of their own, until end()."""
    connections = 16

    def __init__(self, lab):
        self.port, self.space = lab.port(), lab.space()
        self.server, self.client = lab.copy("nginx"), lab.copy("wrk")
        config = lab.folder / "nginx.conf"
        config.write_text(f"""
            daemon off; user root; worker_processes 1; pid {lab.folder}/nginx.pid; error_log {lab.folder}/error.log;
            events {{}}
            http {{ access_log off; keepalive_requests 1000000000;
                    server {{ listen {self.port}; location / {{ return 200 "hello"; }} }} }}""")
        lab.start(self.server, "-c", config, space=self.space).listening(self.port)
        gentle = ["nice", "-n", 15] if SLOW else []
        self.wrk = lab.start(*gentle, self.client, "-d", "1h", "-t", 1, "-c", self.connections, f"http://127.0.0.1:{self.port}/",
                             space=self.space)
        eventually(lambda: self.segments() > 1000)
        self.opened = self.space.counters()["ActiveOpens"]

    def segments(self):
        return self.space.counters()["OutSegs"]

    def rate(self):
        """Segments a second, now."""
        begun, before = time.monotonic(), self.segments()
        eventually(lambda: time.monotonic() - begun > 0.3)
        return (self.segments() - before) / (time.monotonic() - begun)

    def unaffected(self, before):
        """No slower than other programs of this machine can make it."""
        eventually(lambda: self.rate() > before * 0.6, what=f"{before} segments/s again")

    def end(self):
        """No connection broke, no request failed."""
        assert self.space.counters()["ActiveOpens"] == self.opened
        self.wrk.signal(signal.SIGINT)
        self.wrk.succeed()
        assert re.search(r"[1-9]\d* requests in", self.wrk.output)
        assert "errors" not in self.wrk.output and "Non-2xx" not in self.wrk.output, self.wrk


@pytest.mark.needs("nginx", "wrk", "bpftool")
def test_killed_under_load(lab):
    load = Load(lab)
    before = load.rate()
    agent = lab.agent()
    live = {"connects": 0, "closes": 0, "active_connections": load.connections}
    agent.edge(load.port, client=load.client.name, server=load.server.name, **live)
    for _ in range(fewer(3, 1)):
        held, stale = bpf_held(agent.pid), agent.socket.stat().st_mtime_ns
        agent.kill()
        assert agent.socket.stat().st_mtime_ns == stale, "nobody was there to remove it"
        all_freed(held)
        load.unaffected(before)

        agent.start()
        assert agent.seconds_to_ready < READY_SECONDS
        assert agent.socket.stat().st_mtime_ns > stale
        agent.edge(load.port, client=load.client.name, server=load.server.name, **live)
        graph = agent.cli("graph", "-o", "json")
        assert graph.returncode == 0 and load.client.name in graph.stdout, graph
        load.unaffected(before)
    load.end()
    agent.edge(load.port, connects=0, closes=load.connections, active_connections=0)
    assert agent.dropped() == {}
    agent.stop()


def test_killed_in_the_middle_of_short_connections(lab):
    """Whatever the dead agent had counted, the next one counts exactly what comes after it."""
    agent, port = lab.agent(), lab.port()
    lab.responder(port)

    def counted():
        """Connects and closes. A connection whose client was gone already is on another edge."""
        named = [edge for edge in agent.edges(port) if edge["client"]["name"] == lab.named("caller.py")]
        assert all(edge["server"]["name"] == lab.named("responder.py") for edge in named)
        return sum(edge["connects"] for edge in named), sum(edge["closes"] for edge in named)

    caller = lab.caller("127.0.0.1", port, "--connections", 1_000_000, "--send", 10, "--receive", 10)
    eventually(lambda: counted()[0] > 20)
    agent.kill()
    agent.start()
    eventually(lambda: counted()[0] > 20)
    caller.stop()
    agent.settle()
    connects, closes = counted()
    assert closes - connects in (0, 1), "one may have been open when the agent came"
    lab.caller("127.0.0.1", port, "--connections", 50).succeed()
    agent.settle()
    assert counted() == (connects + 50, closes + 50)
    assert agent.dropped() == {}
    agent.stop()


@pytest.mark.needs("bpftool")
def test_killed_while_it_starts(lab):
    """At any moment: the next one starts all the same."""
    agent = lab.agent()
    whole = agent.seconds_to_ready
    agent.stop()
    for part in 0.1, 0.3, 0.5, 0.7, 0.9:
        agent.start(wait=False)
        eventually(lambda: time.monotonic() - agent.begun > whole * part)
        agent.kill()
    agent.start()
    assert agent.cli("check", "-o", "json").returncode in (0, 1)
    agent.stop()


@pytest.mark.needs("bpftool")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_clean_end(lab, number):
    """Exit status 0, and nothing of it stays: no socket, no mount, nothing in the kernel."""
    mounts = tracefs_mounts()
    agent = lab.agent()
    held = bpf_held(agent.pid)
    assert tracefs_mounts() == mounts
    agent.process.signal(number)
    agent.process.wait(10)
    agent.stop()  # checks the status, what it said and its socket
    all_freed(held)
    assert tracefs_mounts() == mounts
    assert [path.name for path in agent.folder.iterdir() if not path.name.startswith("agent.")] == []


def test_terminated_while_readers_follow(lab):
    """A reader that stays for as long as the agent does not keep it."""
    agent = lab.agent()
    reader = lab.start(*[agent.argv[0], "observe", "--follow", "-o", "json", "--socket", agent.socket])
    port = lab.port()
    lab.listen(port)
    lab.connect("127.0.0.1", port)
    reader.says(f'"port":{port}')
    begun = time.monotonic()
    agent.stop()
    assert time.monotonic() - begun < patience(2)
    reader.wait()
    assert re.fullmatch(r"hopscope observe: .*\n", reader.errors), "one line says why it ended"


def test_the_socket_of_a_living_agent_is_its_own(lab):
    first = lab.agent()
    second = lab.agent(options=["--socket", first.socket], wait=False)
    assert second.process.wait() == 1
    assert str(first.socket) in second.log.splitlines()[-1]
    assert first.cli("graph").returncode == 0
    first.stop()


def test_a_file_in_the_place_of_the_socket_is_kept(lab):
    path = lab.folder / "notes"
    path.write_text("important")
    agent = lab.agent(options=["--socket", path], wait=False)
    assert agent.process.wait() == 1
    assert str(path) in agent.log.splitlines()[-1]
    assert path.read_text() == "important"


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_the_service_manager_is_told(lab, abstract):
    """As systemd does with Type=notify: ready when it is, stopping when it is told to."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        name = f"{lab.folder}/notify"
        manager.bind("\0" + name if abstract else name)
        manager.settimeout(patience(20))
        agent = lab.agent(wrapper=["env", f"NOTIFY_SOCKET={'@' * abstract}{name}"], wait=False)
        assert manager.recv(100) == b"READY=1"
        assert agent.answers("/readyz")
        agent.stop()
        assert manager.recv(100) == b"STOPPING=1"
