# SPDX-License-Identifier: GPL-2.0-or-later
"""
With exactly the capabilities that k8s/ asks for, and not one more: as root with few capabilities
(the DaemonSet), and as a user of its own (the systemd unit). What works is what `check` tells.
"""
import errno
import json
import os
import pwd
import re
import shutil
import socket
from pathlib import Path

import pytest

from kit.agent import HOPSCOPE, PROJECT, hopscope
from kit.lab import PYTHON, make_lab
from kit.wait import becomes

UNIT = PROJECT / "k8s/hopscope.service"
DAEMON_SET = PROJECT / "k8s/base/daemonset.yaml"
NOBODY = pwd.getpwnam("nobody")
AS_NOBODY = ["setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups"]
TRACEFS = "/sys/kernel/tracing"
SERVER = r"""
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    client, _ = listener.accept()
    client.recv(4096)
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    client.close()
"""


def of_unit(key):
    return sorted(re.search(rf"^{key}=(.*)$", UNIT.read_text(), re.M)[1].split())


def of_daemon_set():
    """The list behind `add:`, an item a line or all in one."""
    found = re.search(r"^( *)add:((?:.*\n)(?:\1 *- .*\n|\1? *#.*\n)*)", DAEMON_SET.read_text(), re.M)
    items = re.sub(r"#.*", "", found[2])
    return sorted(f"CAP_{word}" for word in re.findall(r"[A-Z][A-Z_]+", items))


GIVEN = of_unit("CapabilityBoundingSet")


def only(capabilities, *, nobody=False):
    """A command that runs another with these capabilities, and no way to others."""
    names = [name.removeprefix("CAP_").lower() for name in capabilities]
    bounded = ",".join(["-all", *(f"+{name}" for name in names)])
    command = ["setpriv", "--no-new-privs", f"--bounding-set={bounded}", f"--inh-caps={bounded}"]
    return command + ([f"--ambient-caps={bounded}", *AS_NOBODY[1:]] if nobody else [])


def with_tracefs(mounted, then=":"):
    """A mount namespace where it is, or is not."""
    clean = f"while umount {TRACEFS} 2>/dev/null; do :; done"
    mount = f"mount -t tracefs tracefs {TRACEFS}" if mounted else ":"
    return ["unshare", "--mount", "sh", "-c", f'{clean}; {mount} && {then} && exec "$@"', "sh"]


def hooks(agent):
    return {hook["hook"]: hook for hook in agent.document("status")["hooks"]}


@pytest.fixture(scope="module")
def best():
    """The rungs that this kernel lets an all-powerful agent have, by hook."""
    with make_lab() as lab:
        agent = lab.agent()
        told = {name: hook.get("rung") for name, hook in hooks(agent).items()}
        agent.stop()
    return told


def paranoid():
    return int(Path("/proc/sys/kernel/perf_event_paranoid").read_text())


def start(lab, capabilities, *, nobody=False, mounted=False):
    """An agent that has them, and is seen to have no others."""
    owner = f"chown -R {NOBODY.pw_uid} {lab.folder}" if nobody else ":"  # as systemd does for its socket's folder
    wrapper = [*with_tracefs(mounted, owner), *only(capabilities, nobody=nobody)]
    agent = lab.agent("max_events = 1048576\nsnapshot_milliseconds = 200\n", wrapper=wrapper)
    status = Path(f"/proc/{agent.pid}/status").read_text()
    assert re.search(r"^NoNewPrivs:\t1$", status, re.M)
    assert re.search(r"^Uid:\t(\d+)", status, re.M)[1] == str(NOBODY.pw_uid if nobody else 0)
    has = {capability["capability"] for capability in agent.document("status")["capabilities"] if capability["present"]}
    assert has == set(capabilities)
    bits = [int(re.search(rf"^Cap{kind}:\t(\w+)$", status, re.M)[1], 16) for kind in ("Prm", "Eff", "Bnd")]
    assert {bin(mask).count("1") for mask in bits} == {len(capabilities)}
    return agent


def servers_of_others(lab):
    """By port, the name of a server and its process: of nobody, and of root."""
    made = {}
    for name, prefix in ("others.py", AS_NOBODY), ("roots.py", []):
        port = lab.port()
        script = lab.script(name, SERVER)
        made[port] = script.name, lab.start(*prefix, PYTHON, script, port, cwd=lab.folder).listening(port)
    return made


def get(lab, port, *prefix):
    lab.start(*prefix, "curl", "-sS", "--noproxy", "*", "-o", "/dev/null", f"http://127.0.0.1:{port}/").succeed()


def check_what_is_attached(lab, agent, older):
    """What is attached works, what is not costs what `check` says, and no more."""
    told = hooks(agent)
    missing = {name for name, hook in told.items() if not hook["attached"]}
    assert missing <= {"connect", "accept"}, "those have other rungs; the rest needs no more than this"
    check = agent.cli("check")
    assert check.returncode == (1 if missing else 0), check
    for name in missing:
        assert re.search(rf"^  missing +{name} .*lost: ", check.stdout, re.M)
        for rung in told[name]["ladder"]:
            assert f"{rung['rung']} refused: {rung['error']}: {rung['refusal']}" in check.stdout

    newer = servers_of_others(lab)
    for port, (name, server) in (older | newer).items():
        get(lab, port)
        get(lab, port, *AS_NOBODY)
        edge = agent.edge(port, connects=2, closes=2, server=name, client="curl")
        assert edge["accept_delay"]["count"] == (0 if "accept" in missing else 2)
        assert edge["connect_duration"]["count"] == 2 and edge["received_bytes"] > 0
        assert agent.listener(port)["server"]["pid"] == server.pid
        assert agent.listener(port)["server"]["name"] == name
    port, space = lab.port(), lab.space()
    with space.inside(), socket.socket() as client:
        assert client.connect_ex(("192.0.2.1", port)) == errno.ENETUNREACH
    if "connect" in missing:
        agent.settle()
        assert agent.edges(port) == []
    else:
        agent.edge(port, failures={"unreachable": 1})
    assert agent.dropped() == {}


def test_the_same_everywhere():
    """The unit, the DaemonSet and this file mean the same set."""
    assert of_unit("AmbientCapabilities") == GIVEN
    assert "CAP_SYS_ADMIN" not in GIVEN
    assert of_daemon_set() == GIVEN


@pytest.mark.needs("curl", "setpriv")
@pytest.mark.parametrize("more", [(), ("CAP_SYS_ADMIN",)], ids=["given", "and-sys-admin"])
@pytest.mark.parametrize("mounted", [True, False], ids=["tracefs", "no-tracefs"])
@pytest.mark.parametrize("nobody", [False, True], ids=["root", "user"])
def test_given(lab, best, nobody, mounted, more):
    older = servers_of_others(lab)
    agent = start(lab, [*GIVEN, *more], nobody=nobody, mounted=mounted)
    told = {name: hook.get("rung") for name, hook in hooks(agent).items()}
    for name, rung in best.items():
        # Tracefs, and the right to a tracepoint, is all they could lack.
        if rung != "syscalls" or (mounted and paranoid() < 3):
            assert told[name] == rung, name
    check_what_is_attached(lab, agent, older)
    agent.stop()


@pytest.mark.needs("curl", "setpriv")
def test_without_net_admin(lab):
    """Payload is read at system calls: that takes no capability that the other hooks do not need."""
    agent = start(lab, [name for name in GIVEN if name != "CAP_NET_ADMIN"])
    assert hooks(agent)["payload"]["rung"] == "syscalls"
    for port in servers_of_others(lab):
        get(lab, port)
        becomes(lambda: [edge["calls"] for edge in agent.edges(port)], [1])
    agent.stop()


@pytest.mark.needs("setpriv")
@pytest.mark.parametrize("capabilities", [(), ("CAP_BPF",), ("CAP_PERFMON",), ("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH")],
                         ids=lambda capabilities: "+".join(capabilities) or "none")
@pytest.mark.parametrize("nobody", [False, True], ids=["root", "user"])
def test_not_enough(lab, nobody, capabilities):
    """One line that says which are missing, and no agent."""
    path = lab.folder / "agent.sock"
    done = hopscope("agent", "--no-listen", "--socket", path, wrapper=only(capabilities, nobody=nobody))
    assert done.returncode == 77
    line, = done.stderr.splitlines()
    assert line.startswith("hopscope: ")
    for name in "CAP_BPF", "CAP_PERFMON":
        assert (name in line) == (name not in capabilities), line
    assert done.stdout == "" and not path.exists()


# ---- readers ----


@pytest.fixture
def readable(lab):
    """A copy of the program that everybody can run."""
    program = lab.folder / "hopscope"
    shutil.copy(HOPSCOPE, program)
    return program


def run_as_nobody(lab, program, *arguments):
    process = lab.start(*AS_NOBODY, program, *arguments)
    process.wait()
    return process


@pytest.mark.parametrize("command", ["graph", "connections", "listeners", "observe", "check"])
def test_reader_without_an_agent(lab, readable, command):
    """Nobody cannot watch; which permission it takes is said."""
    if os.path.exists("/run/hopscope.sock"):
        pytest.skip("an agent runs on this machine")
    process = run_as_nobody(lab, readable, command)
    assert process.returncode == 77
    assert re.fullmatch(rf"hopscope {command}: no agent at /run/hopscope\.sock .*CAP_BPF.*\n", process.errors)
    assert process.output == ""


@pytest.mark.parametrize("command", ["graph", "connections", "listeners", "observe", "check"])
def test_reader_that_may_not_ask(lab, agent, readable, command):
    agent.folder.chmod(0o755)
    assert agent.socket.stat().st_mode & 0o007 == 0
    process = run_as_nobody(lab, readable, command, "--socket", agent.socket)
    assert process.returncode == 77
    assert process.errors == f"hopscope {command}: not permitted to ask the agent at {agent.socket}: try as root\n"
    assert process.output == ""


def test_root_asks_the_agent_of_a_user(lab):
    """As `hopscope graph` does where systemd runs the agent."""
    agent, port = start(lab, GIVEN, nobody=True), lab.port()
    lab.listen(port)
    lab.connect("127.0.0.1", port)
    becomes(lambda: sum(edge["active_connections"] for edge in agent.edges(port)), 1)
    done = agent.cli("graph", "-o", "json")
    assert done.returncode == 0
    assert port in [item["server"]["port"] for item in json.loads(done.stdout)["items"]]
    agent.stop()
