# SPDX-License-Identifier: GPL-2.0-or-later
"""
What one test works with: a token in the names of its programs, a folder, ports of its own, and
everything it starts. All of it is gone when the test ends. Other tests and other agents may run
at the same time: what they do has other names and other ports.
"""
import contextlib
import itertools
import os
import shutil
import socket
import tempfile
from pathlib import Path

from kit import net
from kit.agent import Agent
from kit.process import Process, sockets

PROGRAMS = Path(__file__).resolve().parents[1] / "programs"
PYTHON = "/usr/bin/python3"

numbers = itertools.count()

# Out of the range that the kernel gives to clients. Test processes that run at the same time
# begin at places of their own.
PORTS = range(10000, 32000)
ports = itertools.cycle(PORTS)
for _ in range(os.getpid() % 44 * 500):
    next(ports)


class Lab:
    def __init__(self, folder, stack):
        self.folder, self.stack = Path(folder), stack
        self.token = f"{os.getpid():x}{next(numbers):x}"

    # ---- names and ports ----

    def port(self):
        """A port that nobody uses."""
        used = {local for local, _, _ in sockets()}
        return next(port for port in ports if port not in used)

    def named(self, name):
        """name with the token before its suffix: web.py is web-TOKEN.py."""
        stem, dot, suffix = name.partition(".")
        return f"{stem}-{self.token}{dot}{suffix}"

    def script(self, name, source=None, like=None):
        """A program under a name of its own: its source, or a file of programs/."""
        path = self.folder / self.named(name)
        if not path.exists():  # it may be starting from there
            path.write_text(source if source is not None else (PROGRAMS / (like or name)).read_text())
            path.chmod(0o755)
        return path

    def copy(self, program):
        """An installed program under a name of its own."""
        path = self.folder / self.named(Path(program).name)
        shutil.copy(os.path.realpath(shutil.which(program)), path)
        return path

    # ---- processes ----

    def start(self, *argv, space=None, **options):
        process = Process(argv, self.folder / f"{next(numbers)}", space, **options)
        self.stack.callback(process.stop)
        return process

    def python(self, script, *arguments, **options):
        return self.start(PYTHON, script, *arguments, **options)

    def responder(self, port, *options, address="0.0.0.0", name="responder.py", **started):
        """Our server, listening; see programs/responder.py."""
        return self.python(self.script(name, like="responder.py"), address, port, *options, **started).listening(port)

    def caller(self, address, port, *options, name="caller.py", **started):
        """Our client; see programs/caller.py."""
        return self.python(self.script(name, like="caller.py"), address, port, *options, **started)

    def agent(self, config="", options=(), wrapper=(), wait=True, **more):
        folder = self.folder / f"agent{next(numbers)}"
        folder.mkdir()
        agent = Agent(folder, self.port(), config, options, wrapper, **more)
        self.stack.callback(lambda: agent.process and agent.process.stop())
        return agent.start(wait)

    # ---- network ----

    def space(self, name=""):
        space = net.Space(name)
        self.stack.callback(space.remove)
        return space

    def wired(self):
        """Two namespaces and a wire: client, its End, server, its End."""
        client, server = self.space("client"), self.space("server")
        ends = net.link(client, server)
        return client, ends[0], server, ends[1]

    def lan(self, *names):
        """Namespaces on one bridge, as pods are: [(space, End), ...]."""
        switch, spaces = self.space("switch"), [self.space(name) for name in names]
        return list(zip(spaces, net.lan(switch, *spaces)))

    # ---- sockets of this process ----

    def socket(self, family=socket.AF_INET):
        made = socket.socket(family, socket.SOCK_STREAM)
        self.stack.callback(made.close)
        return made

    def listen(self, port, address="127.0.0.1", backlog=128):
        """A listener of this process."""
        listener = self.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(backlog)
        return listener

    def connect(self, address, port, timeout=None):
        client = self.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        client.settimeout(timeout)
        client.connect((address, port))
        return client


@contextlib.contextmanager
def make_lab():
    with tempfile.TemporaryDirectory(prefix="hopscope-e2e-") as folder:
        os.chmod(folder, 0o755)  # some servers run as other users
        with contextlib.ExitStack() as stack:
            yield Lab(folder, stack)
