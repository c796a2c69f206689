#!/usr/bin/python3
"""Writes the seed corpora: small, valid inputs from which a fuzzer starts. Run it from here."""
import pathlib
import re
import struct

CORPUS = pathlib.Path(__file__).parent / "corpus"
HEADER = (pathlib.Path(__file__).parents[2] / "include/hopscope/event.h").read_text()
NOW = 1_000_000_000
OPEN, SAMPLE, CLOSE = 1, 3, 2

CONNECTION = int(re.search(r"sizeof\(struct hs_ev_connection\) == (\d+)", HEADER)[1])
CONNECTION_OPEN = int(re.search(r"HS_EV_CONNECTION_OPEN_SIZE (\d+)", HEADER)[1])


def event(kind, size, at):
    return struct.pack("<HHIQ", kind, size, 0, at)


def v4(text):
    return b"\0" * 10 + b"\xff\xff" + bytes(int(n) for n in text.split("."))


def sock(kind, size, at, cookie, local, lport, remote, rport, pid, role, state, old, phase, netns=1):
    return (event(kind, size, at) + struct.pack("<Q", cookie) + v4(local) + v4(remote)
            + struct.pack("<HHI", lport, rport, netns) + struct.pack("<IIBBBBI", pid, pid, role, state, old, phase, 0))


def process(pid, comm, exe, args, cgroup, host="node", at=NOW):
    texts = exe + b"\0" + args + cgroup
    body = struct.pack("<IIQQ", pid, 1, 5, 7) + comm.ljust(16, b"\0") + host.encode().ljust(64, b"\0")
    body += struct.pack("<HHHH", len(exe) + 1, len(args), len(cgroup), 0) + texts
    size = (16 + len(body) + 7) & ~7
    return event(1, size, at) + body.ljust(size - 16, b"\0")


def tcp(acked, received):
    return struct.pack("<QQ", acked, received) + struct.pack("<30I", *([3] * 30)) + b"\0" * 16


def connection(at, cookie, end, phase, state, old, acked=0, received=0, start=NOW, established=NOW + 100, accepted=0):
    local, lport, remote, rport, pid, role = end
    size = CONNECTION_OPEN if phase == OPEN else CONNECTION
    head = sock(2, size, at, cookie, local, lport, remote, rport, pid, role, state, old, phase)
    head += struct.pack("<QQIIQQ", start, established, pid, pid, 99, accepted)
    return (head.ljust(CONNECTION_OPEN, b"\0") + tcp(acked, received))[:size]


def listener(at, cookie, phase, pid=20):
    return sock(4, 120, at, cookie, "127.0.0.1", 80, "0.0.0.0", 0, pid, 0, 10, 7, phase) + struct.pack(
        "<IIIIIIQQ", 1, 128, 0, 0, 0, 0, 5, 1000)


def talk(*turns, late=False):
    """An input of l7.c: (who, bytes) pairs, who being "c" or "s"."""
    parts = [bytes([late])]
    for who, text in turns:
        for at in range(0, len(text), 8191):
            piece = text[at:at + 8191]
            parts.append(bytes([(0x80 if who == "s" else 0) | len(piece) >> 8, len(piece) & 255, 3]) + piece)
    return b"".join(parts)


CLIENT = ("127.0.0.1", 40000, "127.0.0.1", 80, 10, 1)
SERVER = ("127.0.0.1", 80, "127.0.0.1", 40000, 20, 2)
QUIET = ("127.0.0.1", 80, "127.0.0.1", 40001, 21, 2)  # no record of its own for accept()
PROCESSES = [
    process(10, b"curl", b"curl", b"curl\0http://localhost/\0", b"user.slice\0"),
    process(20, b"nginx", b"/usr/sbin/nginx", b"nginx: worker process\0", b"nginx.service\0system.slice\0"),
    process(21, b"python3", b"python3.11", b"python3\0-u\0/srv/app.py\0", b"docker-" + b"a1" * 32 + b".scope\0system.slice\0"),
    process(22, b"java", b"java", b"java\0-cp\0a:b\0-Xmx1g\0com.example.Main\0",
            b"cri-containerd-" + b"0f" * 32 + b".scope\0kubepods-burstable-pod01234567_89ab_cdef_0123_456789abcdef.slice\0"
            b"kubepods-burstable.slice\0kubepods.slice\0", "web-7d4b9c6f5d-x2x9k"),
    process(23, b"we\"ird\n", b"x", b"a\xff\xfe\0", b"\\x2d\xc3\x28\0"),
]


def spine():
    yield from PROCESSES
    yield listener(NOW, 5, 1)
    yield event(9, 24, NOW + 1) + struct.pack("<II", 1, 0)
    yield listener(NOW + 2, 5, 3)
    yield connection(NOW + 100, 1, CLIENT, 1, 1, 2)
    yield sock(3, 80, NOW + 150, 2, "127.0.0.1", 80, "127.0.0.1", 40000, 20, 2, 1, 0, 0)
    yield connection(NOW + 160, 1, CLIENT, 3, 1, 0, 10, 20)
    yield event(9, 24, NOW + 200) + struct.pack("<II", 1, 1)
    yield sock(5, 112, NOW + 300, 1, "127.0.0.1", 40000, "127.0.0.1", 80, 10, 1, 1, 0, 0) + struct.pack("<IIIIiIII", 4, 1, 1, 200000, 0, 0, 0, 0)
    yield sock(6, 88, NOW + 400, 2, "127.0.0.1", 80, "127.0.0.1", 40000, 20, 2, 1, 0, 0) + struct.pack("<Ii", 0, -1)
    yield connection(NOW + 450, 3, QUIET, SAMPLE, 1, 0, 1, 2, accepted=NOW + 420)
    yield connection(NOW + 500, 2, SERVER, CLOSE, 7, 9, 20, 10, accepted=NOW + 149)
    yield connection(NOW + 550, 3, QUIET, CLOSE, 7, 9, 3, 4, accepted=NOW + 420)
    yield connection(NOW + 600, 1, CLIENT, 2, 7, 5, 10, 20)


def faults():
    yield PROCESSES[0]
    yield connection(NOW, 7, ("10.0.0.1", 1000, "10.0.0.2", 81, 10, 1), 2, 7, 2, established=0)
    yield sock(8, 96, NOW, 0, "0.0.0.0", 0, "10.0.0.9", 82, 10, 1, 7, 0, 0) + struct.pack("<iIQ", 101, 0, 5)
    yield sock(7, 96, NOW, 7, "10.0.0.1", 1000, "10.0.0.2", 81, 10, 1, 7, 0, 0) + struct.pack("<iIQ", 111, 0, 0)
    yield sock(6, 88, NOW, 0, "10.0.0.1", 83, "10.0.0.2", 4000, 0, 0, 7, 0, 0) + struct.pack("<Ii", 1, 3)
    yield sock(5, 112, NOW, 5, "10.0.0.1", 80, "10.0.0.2", 4001, 0, 2, 10, 0, 0) + struct.pack("<IIIIiIII", 1, 1, 1, 0, 0, 1, 4, 3)
    yield event(10, 88, NOW) + struct.pack("<9Q", *range(9))


def write(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


header = b"HOPSCOPE" + struct.pack("<IIqII", 2, 160, 12345, 999, 0) + b"node".ljust(64, b"\0") + b"6.1.0".ljust(64, b"\0")
for name, records in (("spine", spine), ("faults", faults)):
    write("model", name, b"".join(records()))
    write("recording", name, header + b"".join(records()))
for number, record in enumerate(PROCESSES):
    write("identity", f"process{number}", record)
write("config", "all", b'listen = "127.0.0.1:9464"\nlog_level = "debug"\nring_kbytes = 512\nmax_edges = 64\n'
      b'rule "orders" {\n\texecutable = "java"\n\targuments = "*orders*"\n\tnamespace = "shop"\n}\n'
      b'max_routes = 64\nroutes = { "/users/{id}/orders", "/shop/*/cart" }\n')
write("config", "wrong", b'ring_kbytes = 1\nrule { }\nlisten = "\n')

GET = b"GET /users/7?q=1 HTTP/1.1\r\nHost: a\r\n\r\n"
write("l7", "http1", talk(("c", GET), ("s", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"),
                          ("c", b"POST /u HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
                          ("s", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"),
                          ("c", b"GET /w HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
                          ("s", b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x02hi")))
write("l7", "http1_late", talk(("s", b"</html>"), ("c", GET * 3), ("s", b"HTTP/1.1 204 No Content\r\n\r\n" * 3), late=True))


def dns_name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"


def dns(number, name, flags=0x100, kind=1, answers=()):
    records = b"".join(owner + struct.pack(">HHIH", rtype, 1, 60, len(data)) + data for owner, rtype, data in answers)
    return struct.pack(">HHHHHH", number, flags, 1, len(answers), 0, 0) + dns_name(name) + struct.pack(">HH", kind, 1) + records


def datagram(message, arrives=False, server=False, socket=0, who=0, wait=1):
    """A step of dns.c."""
    return struct.pack(">BBH", arrives << 7 | socket << 5 | server << 4 | who, wait, len(message)) + message


def framed(*messages):
    return b"".join(struct.pack(">H", len(message)) + message for message in messages)


ALIAS = [(b"\xc0\x0c", 5, dns_name("edge.net")), (dns_name("edge.net"), 1, bytes([203, 0, 113, 9])),
         (dns_name("edge.net"), 28, b"\x20\x01" + b"\0" * 14)]
A_QUERY, A_ANSWER = dns(7, "www.Example.com"), dns(7, "www.example.com", 0x8180, answers=ALIAS)
write("dns", "answered", datagram(A_QUERY) + datagram(A_QUERY, True, True) + datagram(A_ANSWER, server=True, who=1)
      + datagram(A_ANSWER, True))
write("dns", "remote", datagram(A_QUERY, True, True, who=9) + datagram(dns(7, "www.example.com", 0x8182), server=True, who=9))
write("dns", "search", b"".join(
    datagram(dns(number, name)) + datagram(dns(number, name, 0x8183), True)
    for number, name in enumerate(("db.a.b", "db.b", "db", "x.y", "x.y.a.b"))))
write("dns", "retried", datagram(A_QUERY) * 3 + datagram(dns(8, "www.example.com"), wait=40) + datagram(A_ANSWER, True, wait=200))
write("l7", "dns", talk(("c", framed(A_QUERY, dns(9, "b.test", kind=28))),
                        ("s", framed(dns(9, "b.test", 0x8183, 28), A_ANSWER)), ("c", framed(dns(1, "a", kind=252)))))
write("l7", "dns_late", talk(("s", framed(A_ANSWER)), ("c", framed(A_QUERY)), ("s", framed(A_ANSWER)), late=True))
