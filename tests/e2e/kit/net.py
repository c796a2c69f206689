# SPDX-License-Identifier: GPL-2.0-or-later
"""Network namespaces of the tests' own, and the wires between them."""
import contextlib
import ctypes
import itertools
import os
import subprocess
from collections import namedtuple

from kit.process import LISTEN, TIME_WAIT, sockets
from kit.wait import eventually

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000

End = namedtuple("End", "device v4 v6")
numbers = itertools.count()
subnets = itertools.count()


def run(*argv, **options):
    done = subprocess.run([str(arg) for arg in argv], capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


class Space:
    """A network namespace with nothing but loopback in it."""

    def __init__(self, name):
        self.name = f"hs{os.getpid()}.{next(numbers)}{name}"
        self.path = f"/run/netns/{self.name}"
        self.prefix = ["nsenter", f"--net={self.path}", "--"]
        run("ip", "netns", "add", self.name)
        run("ip", "-n", self.name, "link", "set", "lo", "up")

    def remove(self):
        run("ip", "netns", "delete", self.name)

    @property
    def inode(self):
        return os.stat(self.path).st_ino

    @contextlib.contextmanager
    def inside(self):
        """This thread is in the namespace: sockets it makes belong there for good."""
        with open("/proc/thread-self/ns/net") as before, open(self.path) as there:
            enter(there)
            try:
                yield self
            finally:
                enter(before)

    def run(self, *argv, **options):
        return run(*self.prefix, *argv, **options)

    def ip(self, *argv):
        return run("ip", "-n", self.name, *argv)

    def nft(self, rules):
        self.run("nft", "-f", "-", input=rules)

    def filter(self, hook, rule):
        self.nft(f"table inet hopscope {{\n chain {hook} {{\n type filter hook {hook} priority 0\n {rule}\n}}\n}}\n")

    def drop(self, hook, rule):
        """Drop what matches on its way in ("input") or out ("output"), until pass_all()."""
        self.filter(hook, f"{rule} drop")

    def pass_all(self):
        self.nft("delete table inet hopscope")

    def sysctl(self, name, value):
        with self.inside(), open(f"/proc/sys/net/{name}", "w") as file:
            file.write(str(value))

    def counters(self, group="Tcp"):
        """A group of /proc/net/snmp or netstat."""
        with self.inside():
            lines = open("/proc/thread-self/net/snmp").readlines() + open("/proc/thread-self/net/netstat").readlines()
        names, values = [line.split()[1:] for line in lines if line.startswith(f"{group}:")]
        return dict(zip(names, map(int, values)))


def retransmits(*spaces):
    """Segments sent again, by the kernel's own count."""
    return sum(space.counters()["RetransSegs"] for space in spaces)


def quiet(*spaces):
    """Wait until no connection there has anything more to send or to wait for."""
    def busy():
        for space in spaces:
            with space.inside():
                if {state for _, _, state in sockets("thread-self")} - {LISTEN, TIME_WAIT}:
                    return True
        return False
    eventually(lambda: not busy(), 60, "the last FIN")


def enter(namespace):
    if libc.setns(namespace.fileno(), CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def new_subnet():
    """Two bytes that no other link has, of this test process or one that runs at the same time."""
    return os.getpid() % 256, next(subnets) % 256


def plug(device, index, subnet):
    """Give the device its addresses; the End."""
    space, name = device
    high, low = subnet
    end = End(name, f"10.{high}.{low}.{index}", f"fd00:{high:x}:{low:x}::{index:x}")
    space.ip("addr", "add", f"{end.v4}/24", "dev", name)
    space.ip("addr", "add", f"{end.v6}/64", "dev", name, "nodad")
    space.ip("link", "set", name, "up")
    return end


def link(left, right):
    """A wire from one namespace to another; its two Ends."""
    subnet, names = new_subnet(), [f"v{next(numbers)}" for _ in range(2)]
    left.ip("link", "add", names[0], "type", "veth", "peer", "name", names[1], "netns", right.name)
    ends = plug((left, names[0]), 1, subnet), plug((right, names[1]), 2, subnet)
    for space, name in zip((left, right), names):
        wait_for_carrier(space, name)
    return ends


def lan(switch, *spaces):
    """A bridge in one namespace, the others plugged into it, as pods of a node are; their Ends."""
    subnet, bridge = new_subnet(), f"br{next(numbers)}"
    switch.ip("link", "add", bridge, "type", "bridge")
    switch.ip("link", "set", bridge, "up")
    ends = []
    for index, space in enumerate(spaces, 1):
        names = [f"v{next(numbers)}" for _ in range(2)]
        switch.ip("link", "add", names[0], "master", bridge, "type", "veth",
                  "peer", "name", names[1], "netns", space.name)
        switch.ip("link", "set", names[0], "up")
        ends.append(plug((space, names[1]), index, subnet))
        wait_for_carrier(space, names[1])
    return ends


def wait_for_carrier(space, device):
    eventually(lambda: "LOWER_UP" in space.ip("link", "show", device), what=f"carrier on {device}")
