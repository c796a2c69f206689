# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes that tests start. Output goes to files, so nobody blocks and all of it can be read."""
import contextlib
import os
import re
import signal
import socket
import struct
import subprocess

from kit.wait import eventually, patience

LISTEN, TIME_WAIT = "0A", "06"
SOCKET = re.compile(r"^ *\d+: [0-9A-F]+:([0-9A-F]+) [0-9A-F]+:([0-9A-F]+) ([0-9A-F]+) ", re.M)


class Process:
    def __init__(self, argv, log, space=None, **options):
        self.argv = [str(arg) for arg in argv]
        self.log = log  # path without suffix
        prefix = space.prefix if space else []
        with open(f"{log}.out", "wb") as out, open(f"{log}.err", "wb") as err:
            self.popen = subprocess.Popen(prefix + self.argv, stdin=options.pop("stdin", subprocess.PIPE),
                                          stdout=out, stderr=err, start_new_session=True, **options)
        self.pid = self.popen.pid

    def __repr__(self):
        return f"<{' '.join(self.argv)}: {self.returncode}>\n{self.output}{self.errors}"

    @property
    def output(self):
        return open(f"{self.log}.out", errors="surrogateescape").read()

    @property
    def errors(self):
        return open(f"{self.log}.err", errors="surrogateescape").read()

    @property
    def returncode(self):
        return self.popen.poll()

    @property
    def running(self):
        return self.returncode is None

    def says(self, pattern, timeout=15):
        """Wait for output that matches; the match."""
        def probe():
            match = re.search(pattern, self.output + self.errors)
            if not match and not self.running:
                raise AssertionError(f"ended without saying {pattern!r}: {self!r}")
            return match
        return eventually(probe, timeout, f"{pattern!r} from {self!r}")

    def tell(self, line):
        self.popen.stdin.write(line.encode() + b"\n")
        self.popen.stdin.flush()

    def end_input(self):
        if self.popen.stdin:
            with contextlib.suppress(BrokenPipeError):
                self.popen.stdin.close()

    def listening(self, port, timeout=15):
        """Wait until its network namespace has a listener there. It costs no connection."""
        def probe():
            assert self.running, f"ended: {self!r}"
            return any(state == LISTEN and local == port for local, _, state in sockets(self.pid))
        eventually(probe, timeout, f"a listener on {port}: {self!r}")
        return self

    def signal(self, number):
        self.popen.send_signal(number)

    def wait(self, timeout=30):
        """Its exit status."""
        try:
            return self.popen.wait(patience(timeout))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running: {self!r}") from None

    def succeed(self, timeout=30):
        assert self.wait(timeout) == 0, self
        return self

    def stop(self):
        """End it and its children, whatever they do."""
        self.end_input()
        if self.running:
            self.popen.send_signal(signal.SIGCONT)
            self.popen.terminate()
            try:
                self.popen.wait(patience(5))
            except subprocess.TimeoutExpired:
                self.popen.kill()
        self.popen.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # what it left behind


def sockets(pid="self"):
    """(local port, remote port, state) of the TCP sockets in the process's network namespace."""
    found = []
    for name in "tcp", "tcp6":
        with contextlib.suppress(OSError):
            found += SOCKET.findall(open(f"/proc/{pid}/net/{name}").read())
    return [(int(local, 16), int(remote, 16), state) for local, remote, state in found]


def reset(connection):
    """Close with a RST instead of a FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
