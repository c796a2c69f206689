# SPDX-License-Identifier: GPL-2.0-or-later
"""Just enough of Redis' and PostgreSQL's protocols for the demo, on the standard library."""
import socket
import struct


class Redis:
    """One connection, kept open."""

    def __init__(self, address):
        self.stream = socket.create_connection(address, timeout=5).makefile("rwb")

    def command(self, *words):
        self.stream.write(b"*%d\r\n" % len(words))
        for word in words:
            self.stream.write(b"$%d\r\n%s\r\n" % (len(word), word))
        self.stream.flush()
        reply = self.stream.readline()
        if reply[:1] == b"$" and reply[1:2] != b"-":
            return self.stream.read(int(reply[1:]) + 2)[:-2]
        return reply[1:].strip()


def postgres(address, query):
    """Connects, asks, and leaves: the rows as lists of bytes."""
    with socket.create_connection(address, timeout=5) as connection:
        stream = connection.makefile("rwb")
        body = struct.pack("!i", 3 << 16) + b"user\0shop\0database\0postgres\0\0"
        stream.write(struct.pack("!i", len(body) + 4) + body)
        send(stream, b"Q", query.encode() + b"\0")
        ready, rows = 0, []
        while ready < 2:  # after the greeting, and after the query
            kind, body = receive(stream)
            if kind == b"E":
                raise OSError("postgres: " + body.decode(errors="replace").replace("\0", " "))
            if kind == b"D":
                rows.append(row(body))
            ready += kind == b"Z"
        send(stream, b"X", b"")
    return rows


def send(stream, kind, body):
    stream.write(kind + struct.pack("!i", len(body) + 4) + body)
    stream.flush()


def receive(stream):
    head = stream.read(5)
    if len(head) < 5:
        raise OSError("postgres: connection closed")
    return head[:1], stream.read(struct.unpack("!i", head[1:])[0] - 4)


def row(body):
    values, at = [], 2
    for _ in range(struct.unpack("!h", body[:2])[0]):
        length = struct.unpack("!i", body[at:at + 4])[0]
        values.append(body[at + 4:at + 4 + max(length, 0)])
        at += 4 + max(length, 0)
    return values
