# SPDX-License-Identifier: GPL-2.0-or-later
"""Control groups of the tests' own, and the smallest BPF programs that are attached to them."""
import ctypes
import itertools
import os
import platform
import signal
import struct
from pathlib import Path

from kit.net import libc
from kit.wait import eventually

BPF_PROG_LOAD, BPF_PROG_ATTACH = 5, 8
CGROUP_SKB, CGROUP_SOCK_ADDR = 8, 18
INGRESS, EGRESS, INET4_CONNECT = 0, 1, 10
SYS_BPF = {"x86_64": 321, "aarch64": 280}
RETURN_0 = struct.pack("<BBhi", 0xb7, 0, 0, 0) + struct.pack("<BBhi", 0x95, 0, 0, 0)

numbers = itertools.count()


def mount_point(version):
    """Where control groups are: "2", or a controller of version 1. None: nowhere."""
    for line in open("/proc/self/mounts"):
        _, where, kind, options = line.split()[:4]
        if kind == "cgroup2" if version == "2" else kind == "cgroup" and version in options.split(","):
            return Path(where)
    return None


def bpf(command, attributes):
    data = ctypes.create_string_buffer(attributes, max(len(attributes), 128))
    result = libc.syscall(SYS_BPF[platform.machine()], command, data, len(data))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf({command})")
    return result


def returns_0(kind, attach):
    code, text = ctypes.create_string_buffer(RETURN_0), ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack("<IIQQIIQII16sII", kind, len(RETURN_0) // 8, ctypes.addressof(code),
                             ctypes.addressof(text), 0, 0, 0, 0, 0, b"", 0, attach)
    return bpf(BPF_PROG_LOAD, attributes)


class Cgroup:
    """A control group; .prefix starts a command in it. version "2", or a controller of version 1."""

    def __init__(self, version="2"):
        mounted = mount_point(version)
        self.path = mounted and mounted / f"hopscope-e2e-{os.getpid()}-{next(numbers)}"
        self.mounted = bool(mounted)

    @property
    def prefix(self):
        return ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', self.path]

    def __enter__(self):
        self.path.mkdir()
        return self

    def __exit__(self, *_):
        def gone():
            for pid in (self.path / "cgroup.procs").read_text().split():
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            try:
                self.path.rmdir()
            except OSError:
                return False
            return True
        eventually(gone)

    def write(self, name, value):
        (self.path / name).write_text(str(value))

    def attach(self, kind, where):
        program, folder = returns_0(kind, where), os.open(self.path, os.O_RDONLY)
        try:
            bpf(BPF_PROG_ATTACH, struct.pack("<IIII", folder, program, where, 0))
        finally:
            os.close(folder)
            os.close(program)

    def drop_egress(self):
        self.attach(CGROUP_SKB, EGRESS)

    def drop_ingress(self):
        self.attach(CGROUP_SKB, INGRESS)

    def deny_connect(self):
        self.attach(CGROUP_SOCK_ADDR, INET4_CONNECT)
