# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line beside a live agent: what it prints, what it exits with, what it says when it cannot."""
import fcntl
import html
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from collections import Counter
from datetime import datetime, timezone

import pytest

from kit.agent import HOPSCOPE, hopscope
from kit.lab import make_lab
from kit.wait import eventually, patience

READING = "graph", "connections", "listeners", "observe", "check"


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
def scene(lab, agent):
    """Two calls, one connection that stays, one refusal."""
    lab.called, lab.refused = lab.port(), lab.port()
    lab.responder(lab.called, name="web.py")
    lab.caller("127.0.0.1", lab.called, "--connections", 2, name="app.py").succeed()
    lab.caller("127.0.0.1", lab.called, "--hold", name="held.py").says("holding")
    with pytest.raises(ConnectionRefusedError):
        lab.connect("127.0.0.1", lab.refused)
    agent.settle()
    return lab


def lines(done):
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout.splitlines()


def items(done):
    return json.loads("".join(lines(done)))["items"]


def events(done):
    return [json.loads(line) for line in lines(done)]


# ---- formats ----

def test_graph_formats(scene, agent):
    named, port = scene.named, str(scene.called)
    edges = items(agent.cli("graph", "-o", "json", "--port", port))
    assert {(edge["client"]["name"], edge["connects"]) for edge in edges} == {(named("app.py"), 2), (named("held.py"), 1)}

    table = lines(agent.cli("graph", "--port", port))
    wide = lines(agent.cli("graph", "-o", "wide", "--port", port))
    assert len(table) == len(wide) == 3
    assert set(table[0].split()) < set(wide[0].split())
    for line in table[1:] + wide[1:]:
        assert re.match(rf"({named('app.py')}|{named('held.py')}) +{named('web.py')}:{port} ", line)
    assert len(lines(agent.cli("graph", "--no-headers", "--port", port))) == 2
    failing, = lines(agent.cli("graph", "--no-headers", "--port", scene.refused))
    assert failing.endswith("refused 1")

    mermaid = lines(agent.cli("graph", "-o", "mermaid"))
    assert mermaid[0] == "flowchart LR"
    nodes = {name: node for node, name in re.findall(r'^ *(\w+)\["(.*)"\]$', "\n".join(mermaid), re.M)}
    assert any(line.strip().startswith(f"{nodes[named('app.py')]} -->|\":{port} ") and
               line.endswith(nodes[named("web.py")]) for line in mermaid)


@pytest.mark.needs("dot")
def test_dot_draws_it(scene, agent):
    drawn = subprocess.run(["dot", "-Tsvg"], input=agent.cli("graph", "-o", "dot").stdout, capture_output=True,
                           text=True, timeout=patience(20))
    assert (drawn.returncode, drawn.stderr) == (0, "")
    assert scene.named("app.py") in html.unescape(drawn.stdout) and "</svg>" in drawn.stdout


def test_tables(scene, agent):
    port = str(scene.called)
    client, server = sorted(lines(agent.cli("connections", "--no-headers", "--port", port)), key=lambda line: "<" in line)
    assert re.match(rf"ESTAB +0 +0 +{scene.named('held.py')}:\d+ +> {scene.named('web.py')}:{port} ", client)
    assert re.match(rf"ESTAB +0 +0 +{scene.named('web.py')}:{port} +< {scene.named('held.py')}:\d+ ", server)
    listener, = lines(agent.cli("listeners", "--no-headers", "--port", port))
    assert re.match(rf"{scene.named('web.py')} +0.0.0.0:{port} +\d+ +0/1024 +0 +3 ", listener)
    types = [line.split()[3] for line in lines(agent.cli("observe", "--port", port))]
    assert Counter(types) == {"CONNECT": 3, "ACCEPT": 3, "CLOSE": 2}


# ---- observe ----

def test_observe_filters(scene, agent):
    def observe(*options):
        return events(agent.cli("observe", "-o", "json", *options))
    port = scene.called
    assert [event["type"] for event in observe("--port", port, "--type", "close")] == ["close"] * 2
    assert len(observe("--port", port, "--type", "close", "--type", "accept")) == 5
    assert len(observe("--name", scene.named("held.py"))) == 2
    assert len(observe("--name", f"he*{scene.token}.py", "--type", "accept")) == 1
    assert len(observe("--to-port", port, "--not", "--name", scene.named("held.py"))) == 6
    assert len(observe("--port", port, "--last", 2)) == 2
    failure, = observe("--type", "failure", "--to-port", scene.refused)
    assert (failure["reason"], failure["client"]["pid"]) == ("refused", os.getpid())
    nothing = agent.cli("observe", "--type", "failure", "--reason", "timed_out", "--port", scene.refused)
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert nothing.stderr == "hopscope observe: no event of the past matches\n"


def test_observe_since(lab, agent):
    port = lab.port()
    lab.responder(port)
    lab.caller("127.0.0.1", port, "--connections", 2).succeed()
    eventually(lambda: len(agent.events(port=port)) == 6)
    between = datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")
    lab.caller("127.0.0.1", port).succeed()
    eventually(lambda: len(agent.events(port=port)) == 9)

    def count(*options):
        return len(lines(agent.cli("observe", "--port", port, *options)))
    assert count("--since", between) == 3
    assert count("--since", "10m") == 9
    assert count("--since", "10m", "--last", 4) == 4


def test_observe_follows(lab, agent):
    """Connect, accept, close and failure as they happen, in this order."""
    port = lab.port()
    server = lab.responder(port)
    follower = lab.start(HOPSCOPE, "observe", "-f", "-o", "json", "--port", port, "--socket", agent.socket,
                         preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))

    def types():
        found = [json.loads(line) for line in follower.output.splitlines(keepends=True) if line.endswith("\n")]
        return [event["type"] for event in found if event["type"] in ("connect", "accept", "close", "failure")]
    def call():
        before = len(types())
        lab.caller("127.0.0.1", port).succeed()
        eventually(lambda: len(types()) >= before + 3)
        return types()[before:]
    eventually(lambda: call() == ["connect", "accept", "close"])  # accept() at once: a moment after following began
    for _ in range(3):
        assert call() == ["connect", "accept", "close"]
    wanted = types()
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        lab.connect("127.0.0.1", port)
    eventually(lambda: types() == wanted + ["failure"])
    follower.signal(signal.SIGINT)
    assert follower.wait(5) in (-signal.SIGINT, 130)  # a shell tells them alike
    assert follower.errors == ""


def test_agent_of_a_follower_ends(lab):
    """It says so, and ends too."""
    agent = lab.agent()
    follower = lab.start(HOPSCOPE, "observe", "-f", "--socket", agent.socket)
    lab.caller("127.0.0.1", lab.port())
    follower.says(".")
    agent.stop()
    assert follower.wait(10) != 0
    line, = follower.errors.splitlines()
    assert line.startswith("hopscope observe: ")


# ---- exit codes, and the line that explains them ----

def refused(done, status, *words):
    assert (done.returncode, done.stdout) == (status, ""), done
    line, = done.stderr.splitlines()
    assert line.startswith("hopscope")
    assert all(str(word) in line for word in words), line


def test_wrong_command_lines():
    refused(hopscope("grpah"), 64, "grpah", "did you mean graph?")
    refused(hopscope("graph", "--outptu", "json"), 64, "--outptu", "did you mean --output?")
    refused(hopscope("graph", "-o", "yaml"), 64, "yaml", "mermaid")
    refused(hopscope("graph", "-x"), 64, "-x")
    refused(hopscope("graph", "--port", "http"), 64, "--port", "65535", "http")
    refused(hopscope("graph", "--port"), 64, "--port")
    refused(hopscope("observe", "--type", "conect"), 64, "conect", "connect")
    refused(hopscope("observe", "--since", "yesterday"), 64, "yesterday")
    refused(hopscope("observe", "--ip", "10.0.0.0/33"), 64, "10.0.0.0/33")
    refused(hopscope("graph", "more"), 64, "more")
    refused(hopscope("record"), 64, "FILE")
    refused(hopscope("agent", "--log-level", "loud"), 64, "loud", "debug")


@pytest.mark.parametrize("command", [*READING, "routes", "requests"])
def test_no_agent_there(lab, command):
    """A socket that was asked for: nothing is loaded instead."""
    refused(hopscope(command, "--socket", lab.folder / "none.sock"), 69, lab.folder / "none.sock", "no agent")


def test_check(lab, agent):
    assert agent.cli("check").returncode == 0
    document = json.loads("".join(lines(agent.cli("check", "-o", "json"))))
    assert all(hook["attached"] for hook in document["hooks"])
    less = lab.agent('disable = "reset_sent"\n')
    done = less.cli("check")
    assert (done.returncode, done.stderr) == (1, "")
    assert re.search(r"^ +\S.* reset_sent ", done.stdout, re.M)


def agent_refuses(lab, *words, config="", options=(), wrong=None):
    """It ends with one line that has these words, and the place of what is wrong in its configuration."""
    agent = lab.agent(config, options, wait=False)
    assert agent.process.wait(20) == 1, agent.process
    line, = agent.log.splitlines()
    if wrong:
        number = agent.config.read_text().splitlines().index(wrong) + 1
        words = f"{agent.config}:{number}: ", *words
    assert line.startswith("hopscope: ") and all(str(word) in line for word in words), line


def test_address_in_use(lab, agent):
    address = f"127.0.0.1:{agent.port}"
    agent_refuses(lab, address, "in use", "--listen", options=["--listen", address])
    agent_refuses(lab, agent.socket, "another agent", "--socket", options=["--socket", agent.socket])
    assert agent.answers("/livez") and agent.cli("graph").returncode == 0


def test_wrong_configuration(lab):
    """The file, the line, what was expected."""
    agent_refuses(lab, "max_edges", "integer", config="# ours\nmax_events = 5000\nmax_edges = many\n", wrong="max_edges = many")
    agent_refuses(lab, "from 16 to", config="\n\nmax_events = 5\n# end\n", wrong="max_events = 5")
    agent_refuses(lab, "max_edgs", config="max_edgs = 5000\n", wrong="max_edgs = 5000")
    agent_refuses(lab, "loud", "debug", config='log_level = "loud"\n', wrong='log_level = "loud"')
    agent_refuses(lab, lab.folder / "none.conf", "No such file", options=["--config", lab.folder / "none.conf"])
    agent_refuses(lab, lab.folder, "directory", options=["--config", lab.folder])


# ---- colour ----

def on_terminal(*argv, columns=80, lines=24, **environment):
    """What it writes to a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    settings = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen([str(arg) for arg in argv], stdin=theirs, stdout=theirs, stderr=theirs,
                               env=settings | {"TERM": "xterm"} | environment)
    os.close(theirs)
    written = b""
    try:
        while chunk := os.read(ours, 65536):
            written += chunk
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    assert process.wait(patience(10)) == 0
    return written.decode()


def test_colour(scene, agent):
    for command in READING:
        argv = HOPSCOPE, command, "--socket", agent.socket
        assert "\x1b" not in agent.cli(command).stdout
        assert "\x1b[" in agent.cli(command, "--color", "always").stdout
        assert "\x1b[" in on_terminal(*argv)
        for plain in on_terminal(*argv, NO_COLOR="1"), on_terminal(*argv, TERM="dumb"), on_terminal(*argv, "--color=never"):
            assert "\x1b" not in plain


def test_tables_fit_the_terminal(scene, agent):
    for columns in 80, 40:
        for command in "graph", "connections", "listeners":
            text = on_terminal(HOPSCOPE, command, "--socket", agent.socket, "--no-color", columns=columns)
            assert str(scene.called) in text
            assert max(map(len, text.splitlines())) <= columns, text


# ---- completion ----

@pytest.mark.parametrize("shell", [pytest.param(shell, marks=pytest.mark.needs(shell)) for shell in ("bash", "zsh", "fish")])
def test_completion(shell):
    script = hopscope("completion", shell)
    assert script.returncode == 0 and "connections" in script.stdout
    checked = subprocess.run([shell, "-n"], input=script.stdout, capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_completion_in_bash():
    """It knows commands and options."""
    def complete(*words):
        program = f"""source <({HOPSCOPE} completion bash)
            COMP_WORDS=({' '.join(words)}) COMP_CWORD={len(words) - 1}
            function=$(complete -p hopscope | sed 's/.*-F \\([^ ]*\\).*/\\1/')
            $function hopscope {words[-1]} {words[-2]}; printf '%s\\n' "${{COMPREPLY[@]}}" """
        done = subprocess.run(["bash", "-c", program], capture_output=True, text=True)
        return {word.strip() for word in done.stdout.splitlines()}
    assert complete("hopscope", "gr") == {"graph"}
    assert complete("hopscope", "observe", "--fo") == {"--follow"}


# ---- top ----

class Screen:
    """A terminal of a given size, with one program in it."""

    def __init__(self, lab, columns, lines, *argv):
        self.tmux = ["tmux", "-f", "/dev/null", "-L", f"hopscope-{lab.token}-{columns}"]
        lab.stack.callback(lambda: self.call("kill-server"))
        command = " ".join(f"'{arg}'" for arg in argv)
        made = self.call("new-session", "-d", "-x", columns, "-y", lines, f"{command}; echo ended $?; read line")
        assert made.returncode == 0, made

    def call(self, *argv):
        return subprocess.run(self.tmux + [str(arg) for arg in argv], capture_output=True, text=True,
                              env=os.environ | {"LC_ALL": "C.UTF-8", "TERM": "xterm"})

    def text(self):
        return self.call("capture-pane", "-p").stdout

    def shows(self, text):
        eventually(lambda: text in self.text(), what=f"{text!r} on the screen")

    def press(self, *keys):
        self.call("send-keys", *keys)


@pytest.mark.needs("tmux")
@pytest.mark.parametrize("columns, lines", [(80, 24), (40, 10)])
def test_top(scene, agent, columns, lines):
    """What fails now is on top, so it is there however small the screen and busy the machine."""
    screen = Screen(scene, columns, lines, HOPSCOPE, "top", "--socket", agent.socket)

    failing = scene.port()

    def shows_edge():
        with pytest.raises(ConnectionRefusedError):
            scene.connect("127.0.0.1", failing)
        return str(failing) in screen.text()
    eventually(shows_edge)
    assert max(map(len, screen.text().splitlines())) <= columns
    screen.press("Tab")
    screen.shows("BACKLOG")
    screen.press("?")
    screen.shows("quit")
    screen.press("Escape")
    screen.press("q")
    screen.shows("ended 0")


def test_top_without_a_terminal(agent):
    refused(agent.cli("top"), 1, "terminal", "graph --watch")


# ---- without an agent ----

ALONE = "unshare", "-m", "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh"  # no agent at /run/hopscope.sock


@pytest.mark.parametrize("command", READING)
def test_no_agent_at_all(lab, command):
    """One is loaded for as long as the command runs. It sees what was there before it."""
    port = lab.port()
    lab.responder(port)
    lab.caller("127.0.0.1", port, "--hold").says("holding")
    options = ["--port", port] if command != "check" else []
    done = hopscope(command, "-o", "json", *options, wrapper=ALONE)
    assert done.returncode == 0, done
    notice, *more = done.stderr.splitlines()
    assert notice == "hopscope: no agent at /run/hopscope.sock: watching from here while this command runs"
    if command == "observe":
        assert (done.stdout, len(more)) == ("", 1)  # nothing has happened yet
        return
    assert more == []
    document = json.loads(done.stdout)
    if command == "graph":
        edge, = document["items"]
        assert (edge["client"]["name"], edge["server"]["name"]) == (lab.named("caller.py"), lab.named("responder.py"))
        assert edge["active_connections"] == 1
    elif command == "connections":
        assert len(document["items"]) == 1
    elif command == "listeners":
        assert document["items"][0]["backlog_limit"] == 1024


def test_not_root(lab):
    """No agent, and no right to load one: said in one line."""
    nobody = "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"
    program = lab.folder / "hopscope"
    program.write_bytes(HOPSCOPE.read_bytes())
    program.chmod(0o755)
    for folder in program.parents[:3]:
        folder.chmod(0o755)
    done = subprocess.run([*ALONE, *nobody, program, "graph"], capture_output=True, text=True, timeout=patience(20))
    refused(done, 77, "/run/hopscope.sock", "root", "CAP_BPF")
