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


def pg(*messages):
    """PostgreSQL's messages: (type, body) pairs."""
    return b"".join(kind + struct.pack(">I", len(body) + 4) + body for kind, body in messages)


STARTUP = pg((b"", b"\0\3\0\0user\0postgres\0\0"))
WELCOME = pg((b"R", b"\0\0\0\0"), (b"S", b"TimeZone\0UTC\0"), (b"Z", b"I"))
ROW = (b"D", b"\0\1\0\0\0\0011")
READY = (b"Z", b"I")
PARSE, BIND = (b"P", b"s\0select * from t where a = $1\0\0\0"), (b"B", b"c\0s\0\0\0\0\0\0\0")
EXECUTE, SYNC = (b"E", b"c\0\0\0\0\0"), (b"S", b"")
ERROR = (b"E", b"SERROR\0C42P01\0Mx\0\0")
write("l7", "postgresql", talk(
    ("c", b"\0\0\0\x08\x04\xd2\x16/"), ("s", b"N"), ("c", STARTUP), ("s", WELCOME),
    ("c", pg((b"Q", b"WITH x AS (SELECT 'a''b' FROM \"s\".t) INSERT INTO u SELECT $q$ y $q$ FROM x -- z\0"))),
    ("s", pg((b"N", b"SNOTICE\0\0"), (b"C", b"INSERT 0 1\0"), READY)),
    ("c", pg(PARSE, (b"D", b"Ss\0"), BIND, EXECUTE, BIND, EXECUTE, SYNC, (b"C", b"Ss\0"), SYNC)),
    ("s", pg((b"1", b""), (b"n", b""), (b"2", b""), ROW, (b"s", b""), ERROR, READY, (b"3", b""), READY)),
    ("c", pg((b"Q", b"copy t from stdin\0"))), ("s", pg((b"G", b"\0\0\2\0\0\0\0"))),
    ("c", pg((b"d", b"1\n"), (b"c", b""))), ("s", pg((b"C", b"COPY 1\0"), READY)), ("c", pg((b"X", b"")))))
write("l7", "postgresql_late", talk(("s", pg(ROW, READY)), ("c", pg(BIND, EXECUTE, SYNC)),
                                    ("s", pg((b"2", b""), ROW, (b"C", b"SELECT 1\0"), READY)), late=True))


def my(number, *packets):
    """MySQL's packets of one turn."""
    return b"".join(struct.pack("<I", len(body) | (number + at) << 24) + body for at, body in enumerate(packets))


GREETING = my(0, b"\n10.11.19-MariaDB\0\4\0\0\0abcdefgh\0\xfe\xf7\x08\2\0\xff\x81\x15" + b"\0" * 10 + b"abcdefghijkl\0")
LOGIN = my(1, b"\x8d\xa2\x3b\0" + b"\0" * 28 + b"u\0\0")
OK, EOF = b"\0\1\0\2\0\0\0", b"\xfe\0\0\x02\0"
COLUMN = b"\3def\1d\1t\1t\1a\1a\x0c\x3f\0\x0b\0\0\0\3\0\0\0\0\0"
write("l7", "mysql", talk(
    ("s", GREETING), ("c", LOGIN), ("s", my(2, OK)),
    ("c", my(0, b"\3/*!40101 select `a` from `d`.`t` where b = \"x\" */ # z")),
    ("s", my(1, b"\1", COLUMN, EOF, b"\0011", b"\xfe\0\0\x0a\0", OK)),
    ("c", my(0, b"\x16insert into t values (?)")), ("s", my(1, b"\0\1\0\0\0\0\0\1\0\0\0\0", COLUMN, EOF)),
    ("c", my(0, b"\x17\1\0\0\0\0\1\0\0\0\0\1\xfe\0\0011")), ("s", my(1, b"\xff\x7a\4#42S02x")),
    ("c", my(0, b"\3load data local infile 'x' into table t")), ("s", my(1, b"\xfbx")), ("c", my(2, b"1\n", b"")),
    ("s", my(4, OK)), ("c", my(0, b"\x19\1\0\0\0")), ("c", my(0, b"\x1c\1\0\0\0\1\0\0\0")), ("s", my(1, b"\0\0\1x", EOF)),
    ("c", my(0, b"\x0e")), ("s", my(1, OK)), ("c", my(0, b"\4t\0")), ("s", my(1, COLUMN, EOF)), ("c", my(0, b"\1"))))
write("l7", "mysql_late", talk(("s", my(7, b"1", EOF)), ("c", my(0, b"\3\0\1select 1 from t")),
                               ("s", my(1, b"\1", COLUMN, b"\0011", b"\xfe\0\0\2\0\0\0")), late=True))
def frame(kind, flags, stream, payload=b""):
    """Of HTTP/2: DATA 0, HEADERS 1, RST_STREAM 3, SETTINGS 4, PUSH_PROMISE 5, GOAWAY 7, CONTINUATION 9."""
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream) + payload


def literal(name, value, opcode=0x40):
    return bytes([opcode, len(name)]) + name + bytes([len(value)]) + value


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = frame(4, 0, 0)
GRPC = b"\x83\x86" + b"\x44\x06/a.B/C" + literal(b"content-type", b"application/grpc") + literal(b"grpc-timeout", b"100m", 0x10)
TRAILERS = literal(b"grpc-status", b"14")
write("l7", "http2", talk(
    ("c", PREFACE + frame(4, 0, 0, b"\0\5\0\0\x80\0\0\1\0\0\0\0") + frame(1, 0x25, 1, b"\x80\0\0\0\x0f\x82\x84")
     + frame(1, 0x08, 3, b"\2\x83\x44\4/abc\0\0") + frame(9, 0, 3) + frame(9, 4, 3, b"\x86")
     + frame(0, 0x09, 3, b"\1body\0")),
    ("s", SETTINGS + frame(4, 1, 0) + frame(5, 4, 1, b"\0\0\0\2\x82\x84") + frame(1, 4, 3, b"\x48\x03103")
     + frame(1, 4, 3, b"\x88") + frame(1, 5, 1, b"\xbe") + frame(0, 0, 3, b"data") + frame(3, 0, 3, b"\0\0\0\2")
     + frame(7, 0, 0, b"\0\0\0\1\0\0\0\0bye"))))
write("l7", "grpc", talk(
    ("c", PREFACE + SETTINGS + frame(1, 4, 1, GRPC) + frame(0, 1, 1, b"\0\0\0\0\0") + frame(1, 5, 3, b"\x83\x86\xc0\xbf\xbe")),
    ("s", SETTINGS + frame(1, 4, 1, b"\x88\xbe") + frame(1, 5, 1, TRAILERS) + frame(1, 5, 3, b"\x88\xbe")),
    ("c", frame(1, 5, 5, b"\x20\x3f\xe1\x1f\x83\x44\2/x") + frame(3, 0, 5, b"\0\0\0\x08"))))
write("l7", "http2_late", talk(
    ("s", b"\xbe rest" + frame(1, 5, 5, b"\x88")), ("s", frame(1, 5, 5, b"\xbe\x88")), ("c", frame(1, 5, 7, b"\x82\xbf\x7e\1x\xbe")),
    ("s", frame(1, 4, 7, b"\xff\x80\1") + frame(1, 5, 7, TRAILERS)), ("c", frame(1, 5, 9, b"\x82\xbe")), late=True))
write("l7", "http2_upgrade", talk(
    ("c", b"GET /up HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
    ("s", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" + SETTINGS),
    ("c", PREFACE + SETTINGS + frame(1, 5, 3, b"\x82\x84")), ("s", frame(1, 5, 3, b"\x88") + frame(1, 5, 1, b"\x8d"))))
write("l7", "redis", talk(("c", b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\nbc\r\n*2\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\nPING\r\n*1\r\n$4\r\nEXEC\r\n"),
                          ("s", b"+OK\r\n*2\r\n$1\r\nx\r\n$-1\r\n+PONG\r\n*2\r\n:1\r\n-ERR no\r\n"),
                          ("c", b"*3\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n$1\r\nb\r\n*1\r\n$11\r\nUNSUBSCRIBE\r\n"),
                          ("s", b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n"
                           b">3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n"),
                          ("c", b"*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$4\r\nSKIP\r\n")))
write("l7", "redis3", talk(("c", b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n" + b"*1\r\n$4\r\nINFO\r\n" * 5),
                           ("s", b"%1\r\n+a\r\n#t\r\n|1\r\n+b\r\n_\r\n*?\r\n~1\r\n,1\r\n.\r\n$?\r\n;2\r\nab\r\n;0\r\n!3\r\nERR\r\n=7\r\ntxt:abc\r\n(1\r\n"
                            b">2\r\n+invalidate\r\n*-1\r\n"), late=True))
CAPTURES = (pathlib.Path(__file__).parents[1] / "unit/l7/tls_captures.h").read_text()
for name, turns in re.findall(r"struct turn (\w+)\[\] = {(.*?)\n};", CAPTURES, re.S):
    write("l7", f"tls_{name}", talk(*((side.lower(), bytes.fromhex("".join(re.findall(r"\\x(..)", text))))
                                     for side, text in re.findall(r"HS_([CS])\w+,(.*?), \d+ }", turns, re.S))))


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
