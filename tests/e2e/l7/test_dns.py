# SPDX-License-Identifier: GPL-2.0-or-later
"""DNS: dnsmasq asked by dig and by the C library; every query counted once, by name and result."""
import re
import socket
import struct

import pytest

from kit.beyond import Host, ip_packet
from kit.wait import becomes, eventually, fewer, patience

pytestmark = pytest.mark.needs("dnsmasq", "dig", "nft")

UDP = 17
ZONE = ["--local=/test/", "--local=/example.com/",
        "--host-record=a.test,192.0.2.7", "--host-record=b.test,2001:db8::7", "--cname=alias.test,a.test",
        "--host-record=api.example.com,192.0.2.9",
        "--txt-record=big.test," + ",".join("x" * 200 for _ in range(8))]

# Asks the C library for addresses, COUNT times: resolve.py NAME COUNT
RESOLVE = """
import socket, sys
for _ in range(int(sys.argv[2])):
    try:
        socket.getaddrinfo(sys.argv[1], 80, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        print(error)
"""

# Many queries from a few sockets, all under way at once in turns: burst.py SERVER COUNT
BURST = """
import socket, struct, sys
count, sockets = int(sys.argv[2]), [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(8)]
for s in sockets:
    s.connect((sys.argv[1], 53))
    s.settimeout(10)
query = b"\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\1a\\4test\\0\\0\\1\\0\\1"
for number in range(0, count, 32):
    batch = [(sockets[i % 8], struct.pack("!H", i & 0xffff)) for i in range(number, min(number + 32, count))]
    for s, number in batch:
        s.send(number + query)
    for s, number in batch:
        assert len(s.recv(512)) > 12
"""

# Says SERVFAIL, after 50 ms.
SLOW = """
import socket, time
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", 53))
print("ready", flush=True)
while True:
    query, client = server.recvfrom(4096)
    time.sleep(0.05)
    server.sendto(query[:2] + b"\\x81\\x82" + query[4:], client)
"""


class Site:
    """A client and a server of names, in namespaces of their own."""

    def __init__(self, lab):
        self.lab = lab
        self.client, self.client_end, self.server, self.server_end = lab.wired()
        self.dig, self.dnsmasq = lab.copy("dig"), lab.copy("dnsmasq")

    def serve(self, *options, space=None):
        return self.lab.start(self.dnsmasq, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                              "--no-daemon", "--user=root", "--pid-file=", "--port=53", *ZONE, *options,
                              space=space or self.server).listening(53)

    def ask(self, *words, server=None, space=None):
        """dig; its output."""
        return self.lab.start(self.dig, f"@{server or self.server_end.v4}", *words, space=space or self.client,
                              stdin=None).succeed(60).output

    def resolver(self, script, *arguments, resolv="", server=None):
        """A script with a resolv.conf of its own."""
        conf, switch = self.lab.folder / "resolv.conf", self.lab.folder / "nsswitch.conf"
        conf.write_text(f"nameserver {server or self.server_end.v4}\n{resolv}\n")
        switch.write_text("hosts: dns\n")
        mounted = f"mount --bind {conf} /etc/resolv.conf && mount --bind {switch} /etc/nsswitch.conf && exec \"$@\""
        return self.lab.start("unshare", "-m", "sh", "-c", mounted, "sh", "/usr/bin/python3", script, *arguments,
                              space=self.client)


@pytest.fixture
def site(lab):
    return Site(lab)


def lookups(agent, **labels):
    """{(name, error): count} of all lookups with these labels."""
    counts = {}
    for sample in agent.metrics().all("dns_lookup_duration_seconds_count", **labels):
        key = sample.labels["dns_question_name"], sample.labels.get("error_type", "")
        counts[key] = counts.get(key, 0) + int(sample.value)
    return counts


def counted(agent, wanted, **labels):
    """Exactly these, and no more a while later."""
    becomes(lambda: lookups(agent, **labels), wanted)
    agent.settle()
    assert lookups(agent, **labels) == wanted


def value(agent, name, **labels):
    samples = agent.metrics().all(name, **labels)
    assert len(samples) == 1, samples
    return samples[0].value


# ---- names and results ----

def test_lookups(site, agent):
    site.serve()
    for _ in range(20):
        site.ask("a.test", "+tries=1")
    for _ in range(5):
        site.ask("b.test", "AAAA", "+tries=1")
        site.ask("alias.test", "+tries=1")
    for _ in range(7):
        assert "NXDOMAIN" in site.ask("nope.test", "+tries=1")
    for _ in range(3):
        assert "REFUSED" in site.ask("elsewhere.invalid", "MX", "+tries=1")
    labels = {"client": site.dig.name, "server": site.dnsmasq.name, "server_port": 53}
    counted(agent, {("a.test", ""): 20, ("b.test", ""): 5, ("alias.test", ""): 5, ("nope.test", "nxdomain"): 7,
                    ("elsewhere.invalid", "refused"): 3}, **labels)
    edge, = [edge for edge in agent.edges(53) if edge["client"]["name"] == site.dig.name]
    assert edge["server"]["name"] == site.dnsmasq.name
    assert edge["connects"] == 0
    assert value(agent, "hopscope_dns_retries_total", **labels) == 0
    assert value(agent, "hopscope_dns_search_misses_total", **labels) == 0


def test_ipv6(site, agent):
    site.serve()
    for _ in range(4):
        site.ask("a.test", server=site.server_end.v6)
    counted(agent, {("a.test", ""): 4}, client=site.dig.name, server=site.dnsmasq.name)


def test_loopback(site, agent):
    """Client and server in one namespace, asked by an unconnected socket as well."""
    site.serve()
    site.ask("a.test", server="127.0.0.1", space=site.server)
    script = site.lab.script("unconnected.py", """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b"\\0\\7\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\1A\\4tEst\\0\\0\\1\\0\\1", ("127.0.0.1", 53))
s.recv(512)
""")
    site.lab.python(script, space=site.server).succeed()
    counted(agent, {("a.test", ""): 1}, client=site.dig.name, server=site.dnsmasq.name)
    counted(agent, {("a.test", ""): 1}, client=script.name, server=site.dnsmasq.name)


def test_c_library(site, agent):
    """A and AAAA at once on one socket."""
    script = site.lab.script("resolve.py", RESOLVE)
    site.serve()
    assert site.resolver(script, "a.test", 10).succeed().output == ""
    assert site.resolver(script, "nope.test", 3).succeed().output != ""
    counted(agent, {("a.test", ""): 20, ("nope.test", "nxdomain"): 6}, client=script.name, server=site.dnsmasq.name)


def test_burst(site, agent):
    script, count = site.lab.script("burst.py", BURST), fewer(20000, 1000)
    site.serve("--dns-forward-max=1000")
    site.lab.python(script, site.server_end.v4, count, space=site.client).succeed(60)
    counted(agent, {("a.test", ""): count}, client=script.name, server=site.dnsmasq.name)
    assert value(agent, "hopscope_dns_retries_total", client=script.name) == 0
    assert agent.dropped() == {}


def test_durations(site, agent):
    """What the client waits for a server that takes its time."""
    slow = site.lab.script("slow.py", SLOW)
    site.lab.python(slow, space=site.server).says("ready")
    for _ in range(4):
        site.ask("a.test")
    counted(agent, {("a.test", "servfail"): 4}, client=site.dig.name, server=slow.name)
    seconds = agent.metrics().value("dns_lookup_duration_seconds_sum", client=site.dig.name)
    assert 4 * 0.05 <= seconds < 4 * patience(0.1)


# ---- search lists ----

def test_search_list(site, agent):
    """ndots:5 and three domains: three of four queries are in vain, each for A and AAAA."""
    script = site.lab.script("resolve.py", RESOLVE)
    site.serve()
    options = "search shop.svc.test svc.test test\noptions ndots:5"
    assert site.resolver(script, "api.example.com", 5, resolv=options).succeed().output == ""
    counted(agent, {("api.example.com.shop.svc.test", "nxdomain"): 10, ("api.example.com.svc.test", "nxdomain"): 10,
                    ("api.example.com.test", "nxdomain"): 10, ("api.example.com", ""): 10}, client=script.name)
    assert value(agent, "hopscope_dns_search_misses_total", client=script.name, server=site.dnsmasq.name) == 30


def test_search_list_is_right(site, agent):
    """The name is found with the second domain."""
    script = site.lab.script("resolve.py", RESOLVE)
    site.serve()
    assert site.resolver(script, "a", 4, resolv="search svc.test test").succeed().output == ""
    counted(agent, {("a.svc.test", "nxdomain"): 8, ("a.test", ""): 8}, client=script.name)
    assert value(agent, "hopscope_dns_search_misses_total", client=script.name) == 8


# ---- retries and timeouts ----

def count_queries(space):
    """How many have come in so far, by a counter of nftables."""
    return int(re.search(r"packets (\d+)", space.run("nft", "list", "table", "inet", "hopscope"))[1])


def test_timeout(site, agent):
    """The server drops what it gets: three queries, one lookup."""
    site.serve()
    site.server.filter("input", "udp dport 53 counter drop")
    site.lab.start(site.dig, f"@{site.server_end.v4}", "a.test", "+tries=3", "+timeout=1", space=site.client).wait(30)
    assert count_queries(site.server) == 3
    eventually(lambda: lookups(agent, client=site.dig.name), 30)
    counted(agent, {("a.test", "timeout"): 1}, client=site.dig.name)
    assert value(agent, "hopscope_dns_retries_total", client=site.dig.name) == 2
    assert agent.metrics().value("dns_lookup_duration_seconds_sum", client=site.dig.name) > 10


@pytest.mark.parametrize("client", ["dig", "c_library"])
def test_retry(site, agent, client):
    """The first queries are lost; then it answers. What was waited is what the lookup took."""
    site.serve()
    site.server.filter("input", "udp dport 53 counter drop")
    if client == "dig":
        name, queries = site.dig.name, 1
        process = site.lab.start(site.dig, f"@{site.server_end.v4}", "a.test", "+tries=9", "+timeout=2", space=site.client)
    else:
        script, queries = site.lab.script("resolve.py", RESOLVE), 2
        name = script.name
        process = site.resolver(script, "a.test", 1, resolv="options timeout:2 attempts:5")
    eventually(lambda: count_queries(site.server) >= queries)
    site.server.pass_all()
    process.succeed(60)
    counted(agent, {("a.test", ""): queries}, client=name, server=site.dnsmasq.name)
    assert value(agent, "hopscope_dns_retries_total", client=name) == queries
    assert agent.metrics().value("dns_lookup_duration_seconds_sum", client=name) >= 2 * queries


def test_second_server(site, agent):
    """The first nameserver does not answer, the next one does: two edges."""
    script = site.lab.script("resolve.py", RESOLVE)
    site.serve()
    silent = site.server_end.v4[:-1] + "77"
    site.server.ip("addr", "add", f"{silent}/24", "dev", site.server_end.device)
    site.server.filter("input", f"ip daddr {silent} udp dport 53 drop")
    process = site.resolver(script, "a.test", 1, server=silent,
                            resolv=f"nameserver {site.server_end.v4}\noptions timeout:1 attempts:1")
    assert process.succeed().output == ""
    eventually(lambda: lookups(agent, client=script.name).get(("a.test", "timeout")), 30)
    counted(agent, {("a.test", ""): 2, ("a.test", "timeout"): 2}, client=script.name)


# ---- TCP ----

def test_truncated(site, agent):
    """Too large for a datagram: asked again over TCP."""
    site.serve()
    for _ in range(3):
        assert "x" * 200 in site.ask("big.test", "TXT", "+noedns")
    labels = {"client": site.dig.name, "server": site.dnsmasq.name}
    counted(agent, {("big.test", ""): 6}, **labels)
    edge, = [edge for edge in agent.edges(53) if edge["client"]["name"] == site.dig.name]
    assert edge["connects"] == edge["closes"] == 3
    assert value(agent, "hopscope_dns_retries_total", **labels) == 0


def test_tcp(site, agent):
    """Several queries on one connection."""
    site.serve()
    site.ask("+tcp", "+keepopen", "a.test", "nope.test", "b.test", "AAAA", "a.test")
    counted(agent, {("a.test", ""): 2, ("nope.test", "nxdomain"): 1, ("b.test", ""): 1}, client=site.dig.name,
            server=site.dnsmasq.name)


# ---- who is asked, and from where ----

def test_translated(site, agent):
    """A service's address, that the client's own namespace turns into the server's."""
    site.serve()
    site.client.ip("route", "add", "10.96.0.10", "via", site.server_end.v4)
    site.client.nft("table ip hopscope_nat {\n chain output {\n type nat hook output priority -100\n"
                    f" ip daddr 10.96.0.10 dnat to {site.server_end.v4}\n}}\n}}\n")
    for _ in range(5):
        assert "192.0.2.7" in site.ask("a.test", server="10.96.0.10")
    counted(agent, {("a.test", ""): 5}, client=site.dig.name, server=site.dnsmasq.name)
    assert {edge["server"]["name"] for edge in agent.edges(53)
            if edge["client"]["name"] == site.dig.name} == {site.dnsmasq.name}


def query(number, name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    return struct.pack("!6H", number, 0x100, 1, 0, 0, 0) + labels + struct.pack("!HH", 1, 1)


def test_remote_client(lab, site, agent):
    """Only the server is here."""
    host = Host(site.server)
    lab.stack.callback(host.close)
    site.serve()
    for number in range(6):
        message = query(number, "a.test" if number % 2 else "nope.test")
        segment = struct.pack("!HHHH", 5000 + number, 53, 8 + len(message), 0) + message
        host.send(ip_packet(socket.inet_aton(host.address), socket.inet_aton(host.tun.end.v4), UDP, segment))
    counted(agent, {("a.test", ""): 3, ("nope.test", "nxdomain"): 3}, client=host.address, server=site.dnsmasq.name)


# ---- names in the graph ----

# Asks for a name, and connects to what it is: visit.py NAME PORT
VISIT = """
import socket, sys
socket.create_connection((sys.argv[1], int(sys.argv[2])), 10).close()
"""


def visited(site, agent, port, name):
    script = site.lab.script("visit.py", VISIT)
    site.resolver(script, name, port).succeed()

    def servers():
        return [(edge["server"]["name"], edge["server"]["kind"], edge["connects"]) for edge in agent.edges(port)
                if edge["client"]["name"] == script.name]
    return servers


def beyond(site, port):
    """A host that is not of this node, with a name."""
    host = Host(site.client)
    site.lab.stack.callback(host.close)
    host.accept(port)
    site.serve(f"--host-record=far.example.com,{host.address}", "--cname=shop.example.com,far.example.com")
    return host


def test_names(site, agent):
    port = site.lab.port()
    host = beyond(site, port)
    becomes(visited(site, agent, port, "shop.example.com"), [("shop.example.com", "dns", 1)])
    site.lab.python(site.lab.script("plain.py", VISIT), host.address, port, space=site.client).succeed()
    servers = {edge["client"]["name"]: edge["server"]["name"] for edge in eventually(
        lambda: len(agent.edges(port)) == 2 and agent.edges(port))}
    assert servers[site.lab.named("plain.py")] == "shop.example.com"  # nobody calls it otherwise


def test_names_of_this_node(site, agent):
    """A server that is here keeps its own name."""
    port = site.lab.port()
    site.serve(f"--host-record=near.example.com,{site.server_end.v4}")
    site.lab.responder(port, space=site.server)
    becomes(visited(site, agent, port, "near.example.com"), [(site.lab.named("responder.py"), "process", 1)])


def test_names_off(lab, site):
    agent = lab.agent("dns_names = false\n")
    port = lab.port()
    host = beyond(site, port)
    becomes(visited(site, agent, port, "shop.example.com"), [(host.address, "address", 1)])
    agent.stop()


# ---- without datagrams ----

def test_refused(lab, site):
    """A kernel that refuses to read datagrams still has DNS over TCP."""
    agent = lab.agent('disable = "payload:cgroup_skb"\n')
    site.serve()
    site.ask("nope.test")
    site.ask("a.test", "+tcp")
    counted(agent, {("a.test", ""): 1}, client=site.dig.name)
    hook, = [hook for hook in agent.document("status")["hooks"] if hook["hook"] == "payload"]
    assert hook["attached"] and hook["rung"] == "cgroup_skb_tcp"
    agent.stop()
