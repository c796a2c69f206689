# SPDX-License-Identifier: GPL-2.0-or-later
"""A bug report is a file: written by `record`, read by every command with --input."""
import gzip
import json
import re
import signal
import subprocess
from collections import Counter

import pytest

from kit.agent import HOPSCOPE, hopscope
from kit.lab import make_lab
from kit.wait import fewer, patience


def record(lab, file, *options):
    """hopscope record, attached."""
    recorder = lab.start(HOPSCOPE, "record", file, *options, stdin=subprocess.DEVNULL)
    recorder.says("recording to ")
    return recorder


def read(command, file, *options):
    done = hopscope(command, "-o", "json", "--input", file, *options)
    assert (done.returncode, done.stderr) == (0, ""), done
    if command == "observe":
        return [json.loads(line) for line in done.stdout.splitlines()]
    return json.loads(done.stdout)["items"]


@pytest.fixture(scope="module")
def lab():
    with make_lab() as lab:
        yield lab


@pytest.fixture(scope="module")
def recording(lab):
    """Three short calls, two that stay open, and a refusal; ended by Ctrl-C."""
    lab.called, lab.refused = lab.port(), lab.port()
    file = lab.folder / "bug.hops"
    recorder = record(lab, file)
    lab.server = lab.responder(lab.called)
    lab.caller("127.0.0.1", lab.called, "--connections", 3, "--send", 1000, "--receive", 20000).succeed()
    lab.holder = lab.caller("127.0.0.1", lab.called, "--connections", 2, "--send", 10, "--hold", name="holder.py")
    lab.holder.says("holding")
    with pytest.raises(ConnectionRefusedError):
        lab.connect("127.0.0.1", lab.refused)
    recorder.signal(signal.SIGINT)
    assert recorder.wait(10) == 0, recorder
    assert recorder.errors == f"hopscope: recording to {file}; Ctrl-C ends it\n"
    return file


def test_read_again(lab, recording):
    edges = {edge["client"]["name"]: edge for edge in read("graph", recording, "--port", lab.called)}
    short, held = edges[lab.named("caller.py")], edges[lab.named("holder.py")]
    assert len(edges) == 2
    assert short["server"]["name"] == held["server"]["name"] == lab.named("responder.py")
    assert (short["connects"], short["closes"], short["active_connections"]) == (3, 3, 0)
    assert (short["sent_bytes"], short["received_bytes"]) == (3 * 1008, 3 * 20000)
    assert (held["connects"], held["closes"], held["active_connections"]) == (2, 0, 2)
    assert short["accept_delay"]["count"] == short["connect_duration"]["count"] == 3
    refused, = read("graph", recording, "--port", lab.refused)
    assert refused["failures"] == {"refused": 1}

    connections = read("connections", recording, "--port", lab.called)
    assert [(item["client"]["pid"], item["server"]["pid"], item["sent_bytes"]) for item in connections] == \
        [(lab.holder.pid, lab.server.pid, 18)] * 2

    listener, = read("listeners", recording, "--port", lab.called)
    assert (listener["server"]["name"], listener["server"]["pid"]) == (lab.named("responder.py"), lab.server.pid)
    assert (listener["backlog"], listener["backlog_limit"], listener["accepts"]) == (0, 1024, 5)

    types = Counter(event["type"] for event in read("observe", recording, "--port", lab.called, "--last", 1000))
    assert types == {"connect": 5, "accept": 5, "close": 3}
    failure, = read("observe", recording, "--type", "failure", "--port", lab.refused)
    assert (failure["reason"], failure["error"]) == ("refused", "ECONNREFUSED")


def test_tables(lab, recording):
    """Nothing that happened since then is in them, and nothing is loaded to write them."""
    lab.caller("127.0.0.1", lab.called, name="later.py").succeed()
    for command in "graph", "connections", "listeners", "observe":
        done = hopscope(command, "--input", recording, "--port", lab.called)
        assert (done.returncode, done.stderr) == (0, "")
        assert lab.named("responder.py") in done.stdout
        assert "later" not in done.stdout
    assert read("graph", recording) == read("graph", recording)


def test_duration(lab):
    """It ends by itself; what was open before it came is in it."""
    port, file = lab.port(), lab.folder / "short.hops"
    lab.responder(port)
    lab.caller("127.0.0.1", port, "--connections", 2, "--hold").says("holding")
    recorder = record(lab, file, "--duration", patience(1.5))
    lab.caller("127.0.0.1", port).succeed()
    assert recorder.wait(10) == 0, recorder
    edge, = read("graph", file, "--port", port)
    assert (edge["connects"], edge["active_connections"]) == (1, 2)
    assert len(read("connections", file, "--port", port)) == 2


def test_truncated(lab, recording):
    """Cut anywhere: told, and not taken for the whole."""
    whole = recording.read_bytes()
    file = lab.folder / "cut.hops"
    for length in len(whole) // 2, len(whole) - 1, len(whole) - 9:
        file.write_bytes(whole[:length])
        refused(file, "damaged or cut off")
    half = len(whole) // 2
    file.write_bytes(whole[:half] + b"\x55" * 100 + whole[half + 100:])
    refused(file)


def refused(file, *words):
    for command in "graph", "observe", "connections", "listeners":
        done = hopscope(command, "--input", file)
        assert done.returncode == 65, done
        assert done.stdout == ""
        line, = done.stderr.splitlines()
        assert str(file) in line
        assert all(word in line for word in words), line


def test_foreign(lab):
    file = lab.folder / "foreign"
    for content in b"", b"hello\n", b"\0" * 100000, gzip.compress(b"x" * 100000), gzip.compress(b""):
        file.write_bytes(content)
        refused(file, "not a recording")


def test_missing(lab):
    refused(lab.folder / "missing", "No such file")


def test_of_another_version(lab, recording):
    content = bytearray(gzip.decompress(recording.read_bytes()))
    content[8:12] = (999).to_bytes(4, "little")
    file = lab.folder / "future.hops"
    file.write_bytes(gzip.compress(content))
    refused(file, "version 999")


@pytest.mark.parametrize("file, why", [("/proc/self/nothing/x.hops", "No such file or directory"),
                                       ("/", "Is a directory")])
def test_unwritable(file, why):
    done = hopscope("record", file, "--duration", "100ms")
    assert done.returncode == 1
    assert done.stderr == f"hopscope: {file}: {why}\n"


def test_full_disk():
    done = hopscope("record", "/dev/full", "--duration", "100ms")
    assert done.returncode == 74
    assert done.stderr.splitlines()[-1] == "hopscope: /dev/full: No space left on device"


@pytest.mark.needs("redis-server", "redis-benchmark")
def test_fast(lab):
    """More than the ring holds between two turns is in the file; what comes while nobody reads is told to be missing."""
    port, file, count = lab.port(), lab.folder / "fast.hops", fewer(60000, 5000)
    lab.start("redis-server", "--port", port, "--save", "", "--dir", lab.folder).listening(port)

    def benchmark(*options):
        lab.start("redis-benchmark", "-p", port, "-t", "set", "-q", *options).succeed(60)

    recorder = record(lab, file)
    benchmark("-n", count)
    recorder.signal(signal.SIGSTOP)
    benchmark("-n", 40000, "-P", 16, "-d", 400)
    recorder.signal(signal.SIGCONT)
    recorder.signal(signal.SIGINT)
    assert recorder.wait(patience(20)) == 0, recorder
    lost = re.search(r"\nhopscope: ring_data: not in the recording: (\d+) records, the ring was full\n$", recorder.errors)
    assert int(lost[1]) > 1000, recorder.errors
    route, = [route for route in read("routes", file, "--port", port) if route["operation"] == "SET"]
    assert count <= route["calls"] < count + 40000
