# SPDX-License-Identifier: GPL-2.0-or-later
"""
A network beyond this node: packets that leave by a TUN device are gone for the kernel here, and
what happens to them is told by nobody. Network namespaces alone cannot do that: the kernel that
drops a packet between two of them is the one that is watched.
"""
import fcntl
import itertools
import os
import random
import select
import socket
import struct
import subprocess
import threading
import time

from kit import net
from kit.wait import eventually

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 0x0001, 0x1000
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ICMP, TCP = 1, 6

numbers = itertools.count()


class Packet:
    """An IP packet. What is not TCP over IPv4 has flags of 0 and ports of None."""

    def __init__(self, data, to_server=None):
        self.data, self.to_server = data, to_server
        self.flags, self.sport, self.dport, self.payload = 0, None, None, b""
        if data[0] >> 4 == 4 and data[9] == TCP:
            self.source, self.destination = data[12:16], data[16:20]
            start = (data[0] & 15) * 4
            self.header = start
            self.sport, self.dport, self.seq, self.ack, offset, self.flags = struct.unpack_from("!HHIIBB", data, start)
            self.flags &= FIN | SYN | RST | PSH | ACK
            self.options = data[start + 20:start + (offset >> 4) * 4]
            self.payload = data[start + (offset >> 4) * 4:struct.unpack_from("!H", data, 2)[0]]

    def __len__(self):
        return len(self.data)

    @property
    def bare(self):
        """An acknowledgment and nothing else, as the third packet of a handshake is."""
        return self.flags == ACK and not self.payload


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip_packet(source, destination, protocol, payload):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0, source, destination)
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def tcp_packet(source, sport, destination, dport, seq, ack, flags, window, options=b"", payload=b""):
    offset = (20 + len(options)) // 4 << 4
    segment = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff, offset, flags, window, 0, 0)
    segment += options + payload
    pseudo = source + destination + struct.pack("!HH", TCP, len(segment))
    segment = segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]
    return ip_packet(source, destination, TCP, segment)


def answer_to(packet, flags, payload=b""):
    """What the other end would say to a packet of a connection."""
    length = len(packet.payload) + bool(packet.flags & (SYN | FIN))
    return tcp_packet(packet.destination, packet.dport, packet.source, packet.sport, packet.ack,
                      packet.seq + length, flags, 65535, payload=payload)


def icmp_unreachable(packet, code, source=None):
    """The message of a router or host that would not deliver the packet."""
    body = struct.pack("!BBHI", 3, code, 0, 0) + packet.data[:packet.header + 8]
    body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    return ip_packet(source or packet.destination, packet.source, ICMP, body)


class Tun:
    """A TUN device in a namespace, with the .1 of a subnet; all other addresses there are behind it."""

    def __init__(self, space, index=1, subnet=None):
        high, low = subnet or net.new_subnet()
        self.space, self.device = space, f"t{next(numbers)}"
        if not os.path.exists("/dev/net/tun"):
            subprocess.run(["modprobe", "tun"], check=True)
            eventually(lambda: os.path.exists("/dev/net/tun"))  # another thread may be the one that loads it
        with space.inside():
            self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH22x", self.device.encode(), IFF_TUN | IFF_NO_PI))
        self.end = net.plug((space, self.device), index, (high, low))

    def read(self):
        try:
            return os.read(self.fd, 65536)
        except BlockingIOError:
            return None

    def write(self, data):
        os.write(self.fd, data)

    def close(self):
        os.close(self.fd)


class Loop:
    """Hands packets to handle(tun, data) in a thread of its own until closed."""

    def __init__(self, *tuns):
        self.tuns, self.lock = tuns, threading.RLock()
        self.stopped = os.eventfd(0)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        fds = {tun.fd: tun for tun in self.tuns}
        while True:
            ready, _, _ = select.select([*fds, self.stopped], [], [])
            if self.stopped in ready:
                return
            for fd in ready:
                while data := fds[fd].read():
                    with self.lock:
                        self.handle(fds[fd], data)

    def close(self):
        os.eventfd_write(self.stopped, 1)
        self.thread.join()
        os.close(self.stopped)
        for tun in self.tuns:
            tun.close()


class Wire(Loop):
    """
    Two namespaces with a network between them that nobody here sees. rule(packet) says what
    becomes of a packet: True passes it, False loses it, HOLD keeps it until release(), bytes are
    passed instead. What is not TCP over IPv4 always passes.
    """
    HOLD = object()

    def __init__(self, client, server):
        subnet = net.new_subnet()
        self.client_end, self.server_end = Tun(client, 1, subnet), Tun(server, 2, subnet)
        self.rule, self.held, self.lost = lambda packet: True, [], 0
        super().__init__(self.client_end, self.server_end)

    def handle(self, tun, data):
        packet = Packet(data, to_server=tun is self.client_end)
        fate = self.rule(packet) if packet.flags else True
        if fate is self.HOLD:
            self.held.append(packet)
        elif isinstance(fate, bytes):
            self.send(packet.to_server, fate)
        elif fate:
            self.send(packet.to_server, data)
        else:
            self.lost += 1

    def send(self, to_server, data):
        (self.server_end if to_server else self.client_end).write(data)

    def cut(self):
        """Lose everything from now on."""
        self.rule = lambda packet: False

    def mend(self):
        self.rule = lambda packet: True

    def release(self, wanted=lambda packet: True):
        with self.lock:
            held, self.held = self.held, []
            for packet in held:
                if wanted(packet):
                    self.send(packet.to_server, packet.data)


class Host(Loop):
    """
    A host beyond this node, with as much TCP as the tests need. It has every address of its
    subnet. What it does with a packet is for serve(): connections, or a function of the packet.
    """

    def __init__(self, space):
        self.tun = Tun(space)
        self.address = self.tun.end.v4[:-2] + ".2"
        self.served, self.connections = {}, {}
        super().__init__(self.tun)

    def serve(self, port, handler):
        """handler(packet), for packets to that port which are of no connection yet."""
        self.served[port] = handler

    def accept(self, port, **options):
        """A server on that port; the list of its connections, as they come."""
        accepted = []

        def handler(packet):
            if packet.flags == SYN:
                accepted.append(Connection(self, packet, **options))
        self.serve(port, handler)
        return accepted

    def refuse(self, port):
        self.serve(port, lambda packet: self.send(answer_to(packet, RST | ACK)))

    def connect(self, address, port, **options):
        """A connection to a server of this node, established."""
        connection = Connection(self, None, (socket.inet_aton(address), port), **options)
        eventually(lambda: connection.established, what="a SYN-ACK")
        return connection

    def send(self, data):
        self.tun.write(data)

    def handle(self, tun, data):
        packet = Packet(data)
        if not packet.flags:
            return
        connection = self.connections.get((packet.source, packet.sport, packet.dport))
        if connection and packet.flags != SYN:
            connection.take(packet)
        elif packet.dport in self.served:
            self.served[packet.dport](packet)


class Connection:
    """
    The host's end of a connection. It acknowledges what comes in order, and keeps it in .data;
    silent = True makes it deaf and dumb, window is what it announces, on_data(packet) is called
    instead of the acknowledgment.
    """

    def __init__(self, host, syn=None, to=None, window=65535):
        self.host, self.window, self.silent = host, window, False
        self.data, self.established, self.was_reset, self.ended = b"", False, False, False
        self.seq, self.on_data = random.getrandbits(31), None
        self.last = time.monotonic()
        if syn:
            self.local, self.local_port = syn.destination, syn.dport
            self.remote, self.remote_port = syn.source, syn.sport
            self.ack = syn.seq + 1
        else:
            self.local, self.local_port = socket.inet_aton(host.address), random.randrange(33000, 60000)
            self.remote, self.remote_port = to
            self.ack = 0
        host.connections[self.remote, self.remote_port, self.local_port] = self
        self.send(SYN | ACK if syn else SYN, options=struct.pack("!BBH", 2, 4, 1460))
        self.seq += 1

    def send(self, flags=ACK, payload=b"", options=b"", window=None):
        window = self.window if window is None else window
        self.host.send(tcp_packet(self.local, self.local_port, self.remote, self.remote_port, self.seq, self.ack,
                                  flags, window, options, payload))

    def write(self, payload):
        """One segment."""
        with self.host.lock:
            self.send(ACK | PSH, payload)
            self.seq += len(payload)

    def finish(self):
        with self.host.lock:
            self.send(FIN | ACK)
            self.seq += 1

    def reset(self):
        with self.host.lock:
            self.send(RST | ACK)
            self.forget()

    def forget(self):
        """As if it had never been: what comes now is a stranger's."""
        self.host.connections.pop((self.remote, self.remote_port, self.local_port), None)

    def take(self, packet):
        self.was_reset |= bool(packet.flags & RST)
        if self.silent or self.was_reset:
            return
        if packet.flags & SYN:
            self.ack = packet.seq + 1
            self.send()
        self.established = True
        fresh = packet.seq == self.ack & 0xffffffff and (packet.payload or packet.flags & FIN)
        if fresh:
            self.data += packet.payload
            self.ack += len(packet.payload) + bool(packet.flags & FIN)
            self.ended |= bool(packet.flags & FIN)
        if self.on_data and fresh:
            self.on_data(packet)
        elif packet.payload or packet.flags & FIN or packet.seq != self.ack & 0xffffffff:
            self.send()
