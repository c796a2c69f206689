# SPDX-License-Identifier: GPL-2.0-or-later
"""connect() that fails, and why: from the dead address to the empty table of ports."""
import contextlib
import errno
import socket
import subprocess

from kit import cgroup, net
from kit.beyond import SYN, icmp_unreachable, tcp_packet
from kit.fault import REFUSED, TIMED_OUT, Skip, Table, at_least, finding, patient
from kit.wait import eventually

faults = Table("connect() fails")
scenario = faults.scenario

GIVE_UP = ("--connect-timeout", "2.5")


def ends(client, code, text=""):
    """curl ended so, and its log says that."""
    assert client.wait() == code and text in client.errors, client


def counted(space, name, group="TcpExt"):
    return space.counters(group)[name]


def acquaint(space, end):
    """Its neighbour is known there, without a word of TCP."""
    with space.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.sendto(b"", (end.v4, 9))
    eventually(lambda: "lladdr" in space.ip("neigh", "show", end.v4))


# ---- nobody answers ----

@scenario("the address is dead; curl waits 2.5 s")
def dead_address(site):
    space = site.near()
    host, port = site.beyond(space), site.port()
    ends(site.curl(host.address, port, *GIVE_UP, space=space), TIMED_OUT)
    assert net.retransmits(space) >= 1
    yield finding("gave_up", "application", "no_answer", "inferred", stage="connect",
                  client=site.named("curl"), server=host.address,
                  evidence={"client.syn_retransmits": net.retransmits(space)},
                  timeline=["syn_sent@client", "syn_sent_again@client", "closed@client"])


@scenario("the address is dead; the kernel gives up after net.ipv4.tcp_syn_retries")
def dead_address_kernel(site):
    space = site.near(retries=1)
    host, port = site.beyond(space), site.port()
    ends(site.curl(host.address, port, "-v", space=space), TIMED_OUT, "Connection timed out")
    yield finding("timed_out", "syn_retries", "no_answer", "inferred", stage="connect",
                  evidence={"client.syn_retransmits": 1},
                  timeline=["syn_sent@client", "syn_sent_again@client", "ended"])


@scenario("the address is dead; TCP_USER_TIMEOUT ends connect()")
def dead_address_user_timeout(site):
    space = site.near()
    host, port = site.beyond(space), site.port()
    client = site.python(site.script("client.py", """
import socket, sys
client = socket.socket()
client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 2000)
sys.exit(client.connect_ex((sys.argv[1], int(sys.argv[2]))))
"""), host.address, port, space=space)
    assert client.wait() == 110
    yield finding("timed_out", "user_timeout", "no_answer", "inferred", stage="connect",
                  timeline=["syn_sent@client", "syn_sent_again@client", "ended"])


@scenario("SYN go to a hardware address that nobody has any more")
def dead_neighbour(site):
    near, near_end, _, far_end = site.wired()
    patient(near, 1)
    port = site.port()
    near.ip("neigh", "replace", far_end.v4, "lladdr", "02:00:00:00:00:99", "dev", near_end.device, "nud", "permanent")
    ends(site.curl(far_end.v4, port, "-v", space=near), TIMED_OUT, "Connection timed out")
    yield finding("timed_out", "syn_retries", "no_answer", "inferred", stage="connect")


@scenario("it hangs: said while curl still waits, then as what it came to")
def still_connecting(site):
    space = site.near()
    host, port = site.beyond(space), site.port()
    client = site.curl(host.address, port, "--connect-timeout", 7, space=space)
    eventually(lambda: net.retransmits(space) >= 2)  # at 3 s before Linux 6.5, a third one at 7 s
    yield finding("stuck", "pending", "no_answer", "inferred", stage="connect", stuck=1,
                  timeline=["syn_sent@client", "syn_sent_again@client", "now"])
    ends(client, TIMED_OUT)
    yield finding("gave_up", "application", "no_answer", "inferred", stage="connect", stuck=0)


# ---- dropped on this node ----

@scenario("a firewall rule in the client's namespace drops SYN on their way out")
def output_rule(site):
    near, _, _, far_end = site.wired()
    port = site.port()
    near.drop("output", f"tcp dport {port}")
    ends(site.curl(far_end.v4, port, *GIVE_UP, space=near), TIMED_OUT)
    yield finding("gave_up", "application", "dropped_egress", "proved", stage="connect",
                  evidence={"client.drop_reason": "NETFILTER_DROP"},
                  timeline=["dropped@client", "dropped@client", "closed@client"])


@scenario("the same in postrouting, and the kernel gives up")
def postrouting_rule(site):
    near, _, _, far_end = site.wired()
    port = site.port()
    patient(near, 1)
    near.drop("postrouting", f"tcp dport {port}")
    ends(site.curl(far_end.v4, port, "-v", space=near), TIMED_OUT, "Connection timed out")
    yield finding("timed_out", "syn_retries", "dropped_egress", "proved", stage="connect",
                  evidence={"client.drop_reason": "NETFILTER_DROP"})


def dropped_at_server(site, hook):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.nginx(port, "return 200;", space=far)
    far.drop(hook, f"tcp dport {port}")
    ends(site.curl(far_end.v4, port, *GIVE_UP, space=near), TIMED_OUT)
    yield finding("gave_up", "application", "dropped_ingress", "proved", stage="connect",
                  evidence={"server.drop_reason": "NETFILTER_DROP"},
                  timeline=["syn_sent@client", "dropped@server", "syn_sent_again@client", "closed@client"])


@scenario("a firewall rule at the server drops SYN as they come in")
def input_rule(site):
    yield from dropped_at_server(site, "input")


@scenario("the same in prerouting, before anybody knows whose they are")
def prerouting_rule(site):
    yield from dropped_at_server(site, "prerouting")


@scenario("IPv6, dropped at the server")
def input_rule_v6(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    far.drop("input", f"tcp dport {port}")
    ends(site.curl(f"[{far_end.v6}]", port, "-g", *GIVE_UP, space=near), TIMED_OUT)
    yield finding("gave_up", "application", "dropped_ingress", "proved", stage="connect")


@scenario("a firewall rule of a router between the two")
def forward_rule(site):
    near, _, router, far, far_end = site.routed()
    port = site.port()
    router.drop("forward", f"tcp dport {port}")
    ends(site.curl(far_end.v4, port, *GIVE_UP, space=near), TIMED_OUT)
    yield finding("gave_up", "application", "dropped_ingress", "proved", stage="connect",
                  evidence={"drop_reason": "NETFILTER_DROP"})


@scenario("the client's own firewall drops the SYN-ACK")
def answer_dropped(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.nginx(port, "return 200;", space=far)
    near.drop("input", f"tcp sport {port}")
    ends(site.curl(far_end.v4, port, *GIVE_UP, space=near), TIMED_OUT)
    yield finding("gave_up", "application", "dropped_ingress", "proved", stage="connect",
                  evidence={"client.drop_reason": "NETFILTER_DROP"}, timeline=["dropped@client"])


@scenario("the server's firewall drops the SYN-ACK on its way out")
def answer_dropped_egress(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.nginx(port, "return 200;", space=far)
    far.drop("output", f"tcp sport {port}")
    ends(site.curl(far_end.v4, port, *GIVE_UP, space=near), TIMED_OUT)
    yield finding("gave_up", "application", "dropped_egress", "proved", stage="connect",
                  evidence={"server.drop_reason": "NETFILTER_DROP"}, timeline=["dropped@server"])


TCP_IS_SHOT = "6,40 0 0 12,21 0 3 2048,48 0 0 23,21 0 1 6,6 0 0 2,6 0 0 0,"


def traffic_control(space, device, direction, code=TCP_IS_SHOT):
    """A program on the device that drops all TCP (TC_ACT_SHOT), as network plugins do."""
    space.run("tc", "qdisc", "add", "dev", device, "clsact")
    space.run("tc", "filter", "add", "dev", device, direction, "bpf", "da", "bytecode", code)


@scenario("a traffic control program at the server, as network plugins have them")
def tc_ingress(site):
    near, near_end, far, far_end = site.wired()
    port = site.port()
    traffic_control(far, far_end.device, "ingress")
    ends(site.curl(far_end.v4, port, *GIVE_UP, space=near), TIMED_OUT)
    yield finding("gave_up", "application", "dropped_ingress", "proved", stage="connect",
                  evidence={"drop_reason": "TC_INGRESS"})


@scenario("a traffic control program at the client's way out")
def tc_egress(site):
    near, near_end, far, far_end = site.wired()
    port = site.port()
    traffic_control(near, near_end.device, "egress")
    ends(site.curl(far_end.v4, port, *GIVE_UP, space=near), TIMED_OUT)
    yield finding("gave_up", "application", "dropped_egress", "proved", stage="connect",
                  evidence={"drop_reason": "TC_EGRESS"})


@scenario("a queue of the client's device that is too short")
def full_qdisc(site):
    near, near_end, far, far_end = site.wired()
    port = site.port()
    acquaint(near, far_end)
    near.run("tc", "qdisc", "add", "dev", near_end.device, "root", "tbf", "rate", "8kbit", "burst", "50", "limit", "50")
    ends(site.curl(far_end.v4, port, *GIVE_UP, space=near), TIMED_OUT)
    yield finding("gave_up", "application", "dropped_egress", "proved", stage="connect",
                  evidence={"drop_reason": ("QDISC_DROP", "QDISC_OVERLIMIT")})


@scenario("a cgroup program that drops what the client sends")
def cgroup_egress(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    with cgroup.Cgroup() as group:
        group.drop_egress()
        ends(site.start(*group.prefix, *near.prefix, "/usr/bin/curl", "-sS", "--noproxy", "*", *GIVE_UP,
                        f"http://{far_end.v4}:{port}/"), TIMED_OUT)
        yield finding("gave_up", "application", "dropped_egress", "proved", stage="connect",
                      evidence={"client.drop_reason": "BPF_CGROUP_EGRESS"})


@scenario("reverse path filtering at the server: the way back is another one")
def reverse_path(site):
    near, near_end, far, far_end = site.wired()
    other = net.link(near, far)
    port = site.port()
    near.ip("addr", "add", "10.254.7.1/32", "dev", "lo")
    far.ip("route", "add", "10.254.7.1/32", "via", other[0].v4)
    acquaint(near, far_end)
    far.sysctl(f"ipv4/conf/{far_end.device}/rp_filter", 1)
    ends(site.curl(far_end.v4, port, *GIVE_UP, "--interface", "10.254.7.1", space=near), TIMED_OUT)
    assert counted(far, "IPReversePathFilter") >= 1
    yield finding("gave_up", "application", "rp_filter", "proved", stage="connect")


CONNTRACK = "/proc/sys/net/netfilter/nf_conntrack_"


@contextlib.contextmanager
def tracked_at_most(limit):
    """The limit is the machine's: only where it tracks nothing else."""
    if int(open(CONNTRACK + "count").read()):
        raise Skip("this machine tracks connections of its own, and the limit is one for all namespaces")
    before = open(CONNTRACK + "max").read()
    open(CONNTRACK + "max", "w").write(str(limit))
    try:
        yield
    finally:
        open(CONNTRACK + "max", "w").write(before)


@scenario("the server's table of tracked connections is full", alone=True)
def conntrack_table(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.nginx(port, "return 200;", space=far)
    far.filter("input", "ct state invalid drop")
    site.agent.settle()
    with tracked_at_most(4):
        with near.inside():
            for _ in range(4):
                site.connect(far_end.v4, port)
        ends(site.curl(far_end.v4, port, *GIVE_UP, space=near), TIMED_OUT)
        yield finding("gave_up", "application", "conntrack_full", "proved", stage="connect",
                      client=site.named("curl"), server="nginx",
                      evidence={"server.drop_reason": "NETFILTER_DROP", "server.conntrack_drops": at_least(2)},
                      timeline=["syn_sent@client", "dropped@server", "syn_sent_again@client", "closed@client"])


# ---- the server's queues ----

NEVER_ACCEPTS = "print('full', flush=True); sys.stdin.read()"


def full_listener(site, near, far, address, port, backlog=1):
    """A server that does not accept, and so many clients that its queue is full."""
    server = site.serve(port, NEVER_ACCEPTS, backlog=backlog, space=far)
    with near.inside():
        for _ in range(backlog + 1):
            site.connect(address, port)
    return server


# Those that fill the queue wait too.
THAT_FILL = finding("stuck", "pending", "accept_queue_full", "proved", stage="accept", count=2, stuck=2)


@scenario("the accept queue is full: SYN are dropped, curl gives up")
def accept_queue(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    full_listener(site, near, far, far_end.v4, port)
    ends(site.curl(far_end.v4, port, *GIVE_UP, space=near), TIMED_OUT)
    assert counted(far, "ListenOverflows") >= 2
    yield [finding("gave_up", "application", "accept_queue_full", "proved", stage="connect",
                   client=site.named("curl"), server=site.named("server.py"),
                   evidence={"server.listen_overflows": at_least(2), "server.backlog": 2, "server.backlog_limit": 1},
                   timeline=["syn_sent@client", "syn_sent_again@client", "closed@client"]), THAT_FILL]


@scenario("the accept queue is full: the kernel gives up")
def accept_queue_kernel(site):
    near, _, far, far_end = site.wired()
    patient(near, 1)
    port = site.port()
    full_listener(site, near, far, far_end.v4, port)
    ends(site.curl(far_end.v4, port, "-v", space=near), TIMED_OUT, "Connection timed out")
    yield [finding("timed_out", "syn_retries", "accept_queue_full", "proved", stage="connect"), THAT_FILL]



def queued(space, port):
    """In the accept queue of the listener on this port."""
    out = subprocess.run([*space.prefix, "ss", "-Hltn", f"sport = :{port}"], capture_output=True, text=True, check=True)
    return int(out.stdout.split()[1])


def overtaken(site, start, abort=0):
    """
    Three connections wait in a queue for four, four more have sent their SYN. Then all third
    packets arrive at once: one fits. start(address, port, space) starts a client.
    """
    near, far, wire = site.wire()
    address, port = wire.server_end.end.v4, site.port()
    far.sysctl("ipv4/tcp_abort_on_overflow", abort)
    site.serve(port, NEVER_ACCEPTS, backlog=3, space=far)
    with near.inside():
        for _ in range(3):
            site.connect(address, port)
    eventually(lambda: queued(far, port) == 3)
    wire.rule = lambda packet: wire.HOLD if packet.to_server and not packet.flags & SYN else True
    clients = [start(address, port, near) for _ in range(4)]
    eventually(lambda: len({packet.sport for packet in wire.held}) == 4)
    wire.mend()
    wire.release(lambda packet: packet.bare)
    return far, clients


@scenario("the third packet of the handshake finds the accept queue full: the client believes to be connected")
def accept_queue_third_packet(site):
    far, clients = overtaken(site, lambda address, port, space: site.curl(address, port, "-m", 4, space=space))
    assert counted(far, "ListenOverflows") >= 3
    for client in clients:
        ends(client, TIMED_OUT)
    yield [finding("aborted", "application", "accept_queue_full", "proved", stage="accept", count=4,
                   client=site.named("curl"), server=site.named("server.py")),
           finding("stuck", "pending", "accept_queue_full", "proved", stage="accept", count=3, stuck=3)]


@scenario("the same, and net.ipv4.tcp_abort_on_overflow resets")
def abort_on_overflow(site):
    script = site.script("client.py", """
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
try:
    connection.recv(1)
except OSError as error:
    sys.exit(error.errno)
""")
    far, clients = overtaken(site, lambda *where: site.python(script, *where[:2], space=where[2]), abort=1)
    eventually(lambda: sum(client.returncode == errno.ECONNRESET for client in clients) == 3)
    yield [finding("reset", "peer", "reset_on_overflow", "proved", stage="accept", count=3, client=script.name,
                   server=site.named("server.py")),
           finding("stuck", "pending", "accept_queue_full", "proved", stage="accept", count=3, stuck=3, client="pytest"),
           finding("stuck", "pending", "accept_queue_full", "proved", stage="accept", count=1, stuck=1, client=script.name)]


@scenario("too many handshakes under way, and no SYN cookies")
def syn_queue(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    far.sysctl("ipv4/tcp_syncookies", 0)
    far.sysctl("ipv4/tcp_max_syn_backlog", 64)
    site.serve(port, NEVER_ACCEPTS, backlog=8, space=far)
    flood = site.beyond(far)
    flood_syn(flood, port, 12)
    eventually(lambda: half_open(far) >= 9)
    ends(site.curl(far_end.v4, port, *GIVE_UP, space=near), TIMED_OUT)
    assert counted(far, "TCPReqQFullDrop") >= 1
    yield finding("gave_up", "application", "syn_queue_full", "proved", stage="connect",
                  evidence={"server.syn_queue_drops": at_least(1)})


def flood_syn(host, port, count):
    """SYN of hosts that do not answer."""
    target = socket.inet_aton(host.tun.end.v4)
    for i in range(count):
        source = socket.inet_aton(host.address[:-1] + str(10 + i))
        host.send(tcp_packet(source, 2000 + i, target, port, i, 0, SYN, 65535))


def half_open(space):
    return space.run("ss", "-tanH", "state", "syn-recv").count("\n")


@scenario("the SYN-ACK is lost on the way back")
def answer_lost(site):
    near, far, wire = site.wire()
    address, port = wire.server_end.end.v4, site.port()
    site.nginx(port, "return 200;", space=far)
    wire.rule = lambda packet: packet.to_server
    ends(site.curl(address, port, *GIVE_UP, space=near), TIMED_OUT)
    yield finding("gave_up", "application", "synack_lost", "proved", stage="connect", server="nginx",
                  evidence={"server.syn_ack_retransmits": at_least(1)},
                  timeline=["syn_sent@client", "syn_ack_sent_again@server", "closed@client"])


@scenario("the server answers to a hardware address that nobody has")
def answer_to_nobody(site):
    near, near_end, far, far_end = site.wired()
    patient(near, 1)
    port = site.port()
    site.nginx(port, "return 200;", space=far)
    far.ip("neigh", "replace", near_end.v4, "lladdr", "02:00:00:00:00:99", "dev", far_end.device, "nud", "permanent")
    ends(site.curl(far_end.v4, port, "-v", space=near), TIMED_OUT, "Connection timed out")
    yield finding("timed_out", "syn_retries", "synack_lost", "proved", stage="connect")


# ---- somebody says no ----

@scenario("nobody listens")
def nobody_listens(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    # Before 6.10 nothing tells of a reset without a socket: then the address is what shows that the server is here.
    site.serve(site.port(), NEVER_ACCEPTS, space=far)
    site.agent.settle()
    ends(site.curl(far_end.v4, port, "-v", space=near), REFUSED, "Connection refused")
    yield finding("refused", "peer", "no_listener", "proved", stage="connect", client=site.named("curl"),
                  timeline=["syn_sent@client", "reset_received@client", "ended"])


@scenario("nobody listens on localhost")
def nobody_listens_here(site):
    port = site.port()
    ends(site.curl("127.0.0.1", port, "-v"), REFUSED, "Connection refused")
    yield finding("refused", "peer", "no_listener", "proved", stage="connect")


@scenario("nobody listens, at a host beyond this node")
def nobody_listens_there(site):
    space = site.near()
    host, port = site.beyond(space), site.port()
    host.refuse(port)
    ends(site.curl(host.address, port, "-v", space=space), REFUSED, "Connection refused")
    yield finding("refused", "peer", "no_listener", ("proved", "inferred"), stage="connect")


def rejected_by(site, how, text, wanted, hook="input"):
    near, _, far, far_end = site.wired()
    port = site.port()
    (near if hook == "output" else far).filter(hook, f"tcp dport {port} reject with {how}")
    ends(site.curl(far_end.v4, port, "-v", space=near), REFUSED, text)
    yield wanted


REJECTED = finding("refused", "peer", "rejected", ("proved", "inferred"), stage="connect")


@scenario("a firewall rule of the server rejects with ICMP, as services without endpoints do")
def rejected_icmp(site):
    yield from rejected_by(site, "icmpx port-unreachable", "Connection refused", REJECTED)


@scenario("the same, for a client whose connect() blocks")
def rejected_icmp_blocking(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    far.filter("input", f"tcp dport {port} reject with icmpx port-unreachable")
    client = site.python(site.script("client.py", "import socket, sys\n"
                                     "sys.exit(socket.socket().connect_ex((sys.argv[1], int(sys.argv[2]))))\n"),
                         far_end.v4, port, space=near)
    assert client.wait() == errno.ECONNREFUSED
    yield REJECTED


@scenario("a firewall rule of the server rejects with a reset, though nobody listens either")
def rejected_reset(site):
    yield from rejected_by(site, "tcp reset", "Connection refused", REJECTED)


@scenario("a firewall rule rejects with a reset what a server listens for")
def rejected_reset_listening(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    site.nginx(port, "return 200;", space=far)
    far.filter("input", f"tcp dport {port} reject with tcp reset")
    ends(site.curl(far_end.v4, port, "-v", space=near), REFUSED, "Connection refused")
    yield REJECTED


@scenario("the same by IPv6, where the kernel does not tell what ICMP it sends: a pool's client")
def rejected_icmp_v6(site):
    near, _, far, far_end = site.wired()
    works, port = site.port(), site.port()
    site.serve(works, "held = listener.accept()\nsys.stdin.read()\n", address="::", space=far)
    far.filter("input", f"tcp dport {port} reject with icmpx port-unreachable")
    client = site.python(site.script("client.py", """
import socket, sys
pooled = socket.create_connection((sys.argv[1], int(sys.argv[2])))
print("ready", flush=True)
sys.stdin.readline()
with socket.socket(socket.AF_INET6) as client:
    client.setblocking(False)
    client.connect_ex((sys.argv[1], int(sys.argv[3])))
    print(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), flush=True)
sys.stdin.read()
"""), far_end.v6, works, port, space=near)
    client.says("ready")
    site.agent.settle()
    client.tell("go")
    client.says(str(errno.ECONNREFUSED))
    assert counted(near, "LockDroppedIcmps") == 1
    yield finding("refused", "peer", "rejected", "proved", stage="connect",
                  evidence={"client.icmp_in_call": 1, "drop_reason": "NETFILTER_DROP"})


@scenario("the client's own firewall rejects")
def rejected_here(site):
    yield from rejected_by(site, "icmpx port-unreachable", "Connection refused",
                           finding("refused", ("peer", "local"), "rejected", ("proved", "inferred"), stage="connect"),
                           hook="output")


@scenario("a host beyond this node rejects with ICMP")
def rejected_there(site):
    space = site.near()
    host, port = site.beyond(space), site.port()
    host.serve(port, lambda packet: host.send(icmp_unreachable(packet, 3)))
    ends(site.curl(host.address, port, "-v", space=space), REFUSED, "Connection refused")
    yield REJECTED


@scenario("administratively prohibited (ICMP), by a host beyond this node")
def prohibited_there(site):
    space = site.near()
    host, port = site.beyond(space), site.port()
    host.serve(port, lambda packet: host.send(icmp_unreachable(packet, 13)))
    ends(site.curl(host.address, port, "-v", space=space), REFUSED, "No route to host")
    yield finding("unreachable", "peer", ("rejected", "host_unreachable"), ("proved", "inferred"), stage="connect")


@scenario("a firewall rule of a router says that the host cannot be reached")
def unreachable_by_router(site):
    near, _, router, far, far_end = site.routed()
    port = site.port()
    router.filter("forward", f"tcp dport {port} reject with icmp host-unreachable")
    ends(site.curl(far_end.v4, port, "-v", space=near), REFUSED, "No route to host")
    yield finding("unreachable", "peer", "rejected", "proved", stage="connect",
                  evidence={"icmp_sent": "ICMP_HOST_UNREACH", "drop_reason": "NETFILTER_DROP"},
                  timeline=["syn_sent@client", "icmp_sent@server", "dropped@server", "closed@client"])


@scenario("a router that has no route")
def no_route_at_router(site):
    near, _, router, far, far_end = site.routed()
    port = site.port()
    ends(site.curl("10.253.1.1", port, "-v", space=near), REFUSED, "unreachable")
    yield finding("unreachable", "local", "no_route", "proved", stage="connect")


@scenario("a router beyond this node says that the host cannot be reached")
def unreachable_there(site):
    space = site.near()
    host, port = site.beyond(space), site.port()
    host.serve(port, lambda packet: host.send(icmp_unreachable(packet, 1)))
    ends(site.curl(host.address, port, "-v", space=space), REFUSED, "No route to host")
    yield finding("unreachable", "peer", "host_unreachable", ("proved", "inferred"), stage="connect")


# ---- it does not leave this node ----

@scenario("nobody in the subnet has the address")
def no_neighbour(site):
    near, end, _, far_end = site.wired()
    port = site.port()
    near.sysctl(f"ipv4/neigh/{end.device}/retrans_time_ms", 500)
    ends(site.curl(far_end.v4 + "7", port, "-v", space=near), REFUSED, "No route to host")
    yield finding("unreachable", "local", "neighbor_failed", "proved", stage="connect")


@scenario("nobody in the subnet has the IPv6 address")
def no_neighbour_v6(site):
    near, end, _, far_end = site.wired()
    port = site.port()
    near.sysctl(f"ipv6/neigh/{end.device}/retrans_time_ms", 500)
    ends(site.curl(f"[{far_end.v6}7]", port, "-g", "-v", space=near), REFUSED, "No route to host")
    yield finding("unreachable", "local", "neighbor_failed", "proved", stage="connect")


@scenario("there is no route")
def no_route(site):
    space, port = site.space("lonely"), site.port()
    ends(site.curl("10.253.0.1", port, "-v", space=space), REFUSED, "Network is unreachable")
    yield finding("unreachable", "local", "no_route", "proved", stage="connect", client=site.named("curl"),
                  server="10.253.0.1")


@scenario("there is no IPv6 route")
def no_route_v6(site):
    space, port = site.space("lonely"), site.port()
    ends(site.curl("[fd00:fffe::1]", port, "-g", "-v", space=space), REFUSED, "Network is unreachable")
    yield finding("unreachable", "local", "no_route", "proved", stage="connect")


@scenario("an unreachable route")
def unreachable_route(site):
    space, port = site.space("lonely"), site.port()
    space.ip("route", "add", "unreachable", "10.253.0.0/16")
    ends(site.curl("10.253.0.1", port, "-v", space=space), REFUSED, "No route to host")
    yield finding("unreachable", "local", ("no_route", "host_unreachable"), "proved", stage="connect")


@scenario("all local ports are in use")
def no_ports(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    near.sysctl("ipv4/ip_local_port_range", "40000 40003")
    site.nginx(port, "return 200;", http="keepalive_timeout 600;", space=far)
    with near.inside():
        for _ in range(4):
            site.connect(far_end.v4, port)
    ends(site.curl(far_end.v4, port, "-v", space=near), REFUSED, "Cannot assign requested address")
    yield finding("no_ports", "local", "ports_exhausted", "proved", stage="connect", client=site.named("curl"))


@scenario("all local ports are used up by connections in TIME_WAIT")
def no_ports_time_wait(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    near.sysctl("ipv4/ip_local_port_range", "40000 40003")
    near.sysctl("ipv4/tcp_tw_reuse", 0)
    site.nginx(port, "return 200;", space=far)
    for _ in range(4):
        site.curl(far_end.v4, port, space=near).succeed()
    ends(site.curl(far_end.v4, port, "-v", space=near), REFUSED, "Cannot assign requested address")
    yield finding("no_ports", "local", "ports_exhausted", "proved", stage="connect")


@scenario("the port that the program binds before connect() has the same connection already")
def port_in_use(site):
    near, _, far, far_end = site.wired()
    port, fixed = site.port(), site.port()
    site.nginx(port, "return 200;", space=far)
    client = site.python(site.script("client.py", """
import socket, sys
where, fixed = (sys.argv[1], int(sys.argv[2])), int(sys.argv[3])
for _ in range(2):
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(("0.0.0.0", fixed))
    error = client.connect_ex(where)
    print(error, flush=True)
    kept = client if not error else kept
"""), far_end.v4, port, fixed, space=near)
    client.says(r"0\n99\n")
    client.wait()
    yield finding(("in_use", "no_ports"), "local", "address_in_use", "proved", stage="connect")


@scenario("a prohibit route")
def prohibit_route(site):
    space, port = site.space("lonely"), site.port()
    space.ip("route", "add", "prohibit", "10.253.0.0/16")
    ends(site.curl("10.253.0.1", port, "-v", space=space), REFUSED, "Permission denied")
    yield finding("denied", "local", "denied_by_policy", "proved", stage="connect", client=site.named("curl"))


@scenario("a cgroup program that forbids connect()")
def cgroup_connect(site):
    near, _, far, far_end = site.wired()
    port = site.port()
    with cgroup.Cgroup() as group:
        group.deny_connect()
        ends(site.start(*group.prefix, *near.prefix, "/usr/bin/curl", "-vsS", "--noproxy", "*",
                        f"http://{far_end.v4}:{port}/"), REFUSED, "Operation not permitted")
        yield finding("denied", "local", "denied_by_policy", "proved", stage="connect", client="curl")


test_fault = faults.test()
