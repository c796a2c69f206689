# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of programs, threads and cgroups are bytes from anybody: they come out valid everywhere."""
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from kit.agent import HOPSCOPE
from kit.lab import PROGRAMS, PYTHON, make_lab
from kit.metrics import Metrics
from kit.wait import eventually

HOSTILE = [
    b'quote"',
    b"back\\slash\\n",
    b"new\nline",
    b"tab\tand\rreturn",
    b"escape\x1b[31m\x1b]0;title\x07",
    b"invalid\xff\xfe\xc3\x28\xed\xa0\x80",
    b"c1\xc2\x9b31m",
    "rtl\u202eevil\u200b".encode(),
    "käse-日本語-\U0001f980".encode(),
    b'{};,= #<>&|$`\'%s%n',
    b'"} 1\nfake_total 1\n# ',
    b"..",
    b" ",
    b"long" * 55,
]
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")  # but for the newline between rows


@pytest.fixture(scope="module")
def lab():
    with make_lab() as lab:
        yield lab


@pytest.fixture(scope="module")
def agent(lab):
    """One for all tests here: they only look."""
    agent = lab.agent("max_events = 1048576\n")
    yield agent
    assert agent.dropped() == {}
    agent.stop()


@pytest.fixture(scope="module")
def calls(lab, agent):
    """A server, and a client for each name: its script, itself and its thread are called so."""
    port = lab.port()
    lab.responder(port)
    for name in HOSTILE:
        folder = lab.folder / f"folder{len(os.listdir(lab.folder))}"
        folder.mkdir()
        script = bytes(folder) + b"/" + name + f"-{lab.token}.py".encode()
        with open(script, "wb") as file:
            file.write(b"import ctypes, sys\n"
                       b"ctypes.CDLL(None).prctl(15, bytes.fromhex(sys.argv.pop()), 0, 0, 0)\n")
            file.write((PROGRAMS / "caller.py").read_bytes())
        subprocess.run([PYTHON, script, "127.0.0.1", str(port), name[:15].hex()], check=True)
    held = lab.caller("127.0.0.1", port, "--hold")
    held.says("holding")
    eventually(lambda: sum(edge["closes"] for edge in agent.edges(port)) == len(HOSTILE))
    agent.settle()
    return port


def check_everywhere(agent, port, clients):
    """All formats are valid; the names of the edges' clients."""
    metrics = agent.metrics()
    check = subprocess.run(["promtool", "check", "metrics"], input=metrics.text, capture_output=True, text=True)
    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")
    in_metrics = {sample.labels["client"] for sample in
                  metrics.all("hopscope_tcp_connects_total", server_port=port) if sample.value}
    openmetrics = Metrics(agent.request("/metrics", {"Accept": "application/openmetrics-text; version=1.0.0"}).text)
    assert metrics.samples and openmetrics.samples

    for document in "graph", "connections", "listeners", "status":
        assert not CONTROL.search(agent.request(f"/api/v1/{document}").text.replace("\n", ""))
        agent.document(document)
    in_graph = {edge["client"]["name"] for edge in agent.edges(port)}
    assert in_graph == in_metrics and len(in_graph) == clients
    for name in in_graph:
        assert not CONTROL.search(name + "\n") and "\n" not in name
        assert len(name.encode()) <= 95
    assert {event["client"]["name"] for event in agent.events(port=port, type="connect")} == in_graph

    for command in "graph", "connections", "listeners", "observe":
        for options in ["-o", "table"], ["-o", "wide"], ["--color", "never", "-o", "json"]:
            if command == "observe" and "wide" in options:
                continue
            done = subprocess.run([HOPSCOPE, command, *options, "--socket", agent.socket], capture_output=True)
            assert done.returncode == 0
            assert not CONTROL.search(done.stdout.decode()), (command, options)
    for form in "dot", "mermaid":
        assert not CONTROL.search(agent.cli("graph", "-o", form).stdout.replace("\t", ""))
    return in_graph


@pytest.mark.needs("promtool")
def test_names_of_programs(lab, agent, calls):
    port = calls
    found = check_everywhere(agent, port, len(HOSTILE) + 1)
    for name in HOSTILE:
        if re.fullmatch(rb"[ -~]+", name) and len(name) < 60:
            assert name.decode() + f"-{lab.token}.py" in found
    # a row each, whatever is in a name
    assert len(agent.cli("graph", "--no-headers", "--port", port).stdout.splitlines()) == len(HOSTILE) + 1
    comms = [event["client"]["comm"] for event in agent.events(port=port, type="connect")]
    assert all(not CONTROL.search(comm) and "\n" not in comm for comm in comms)


@pytest.mark.needs("dot")
def test_pictures(agent, calls):
    drawn = subprocess.run(["dot", "-Tsvg"], input=agent.cli("graph", "-o", "dot").stdout, capture_output=True, text=True)
    assert (drawn.returncode, drawn.stderr) == (0, "")


def test_filter_by_such_a_name(lab, agent, calls):
    """A name as it is shown is a filter that finds it."""
    port = calls
    for edge in agent.edges(port):
        name = edge["client"]["name"]
        pattern = re.sub(r"[\\*?[\]]", "?", name)
        found = json.loads(agent.cli("graph", "-o", "json", "--port", port, "--client", pattern).stdout)["items"]
        assert name in [item["client"]["name"] for item in found]


@pytest.mark.needs("promtool")
def test_executable(lab, agent):
    """Not a script but the program itself."""
    port = lab.port()
    lab.responder(port)
    program = bytes(lab.folder) + b'/prog"\\\n\x1b[1m\xff' + lab.token.encode()
    with open(program, "wb") as file:
        file.write(Path(os.path.realpath("/usr/bin/curl")).read_bytes())
    os.chmod(program, 0o755)
    subprocess.run([program, "-s", "-m", "1", "--noproxy", "*", "telnet://127.0.0.1:%d" % port], stdin=subprocess.DEVNULL)
    eventually(lambda: [edge["closes"] for edge in agent.edges(port)] == [1])
    agent.settle()
    name, = check_everywhere(agent, port, 1)
    assert name == f'prog"\\??[1m?{lab.token}'


def cgroup_root():
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup2" and "rw" in options.split(",") and os.access(where, os.W_OK):
            return os.fsencode(where)
    pytest.skip("no cgroup v2 that can be written")


@pytest.fixture
def cgroup(lab):
    """A hostile unit: all that a cgroup may be called, without a newline."""
    path = cgroup_root() + b'/evil"\\\x1b[31m\x07\xff ' + lab.token.encode() + b".service"
    try:
        os.mkdir(path)
    except OSError as error:
        pytest.skip(f"cannot make a cgroup: {error}")
    yield path
    eventually(lambda: not Path(os.fsdecode(path), "cgroup.procs").read_text())
    os.rmdir(path)


@pytest.mark.needs("promtool")
def test_cgroup(lab, agent, cgroup):
    port = lab.port()
    lab.responder(port)
    inside = ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', cgroup]
    script = lab.script("caller.py")
    subprocess.run([*inside, PYTHON, script, "127.0.0.1", str(port)], check=True)
    eventually(lambda: [edge["closes"] for edge in agent.edges(port)] == [1])
    agent.settle()
    name, = check_everywhere(agent, port, 1)
    assert name == f'evil"\\?[31m?? {lab.token}'
    event, = agent.events(port=port, type="connect")
    assert event["client"]["unit"] == name + ".service"
