# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls between two hosts whose wire loses or reorders packets: what is not counted is counted as lost."""
import glob
import random
import re
import shutil

import pytest

from kit.beyond import Wire
from kit.l7 import DB, HTTP_SERVER, counted, lost
from kit.wait import eventually, fewer

AGENT = "max_events = 1048576\nring_kbytes = 65536\n"  # other programs of this machine speak, too

NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log /dev/null;
events {{ worker_connections 512; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    keepalive_requests 1000000;
    server {{
        listen {port}{http2};
        root {folder}/www;
    }}
}}
"""


class Web:
    """nginx with a page of 20 KiB: of many segments, of which some are sent again and come out of order."""
    protocol, metric, ok = "http", HTTP_SERVER, {"http_response_status_code": "200"}

    def __init__(self, lab, client, server, address, http2):
        self.lab, self.client, self.http2 = lab, client, http2
        self.port = lab.port()
        self.url = f"http://{address}:{self.port}/page"
        (lab.folder / "www").mkdir()
        (lab.folder / "www" / "page").write_bytes(b"x" * 20480)
        config = NGINX.format(folder=lab.folder, port=self.port, http2=" http2" if http2 else "")
        (lab.folder / "nginx.conf").write_text(config)
        lab.start("nginx", "-p", lab.folder, "-c", lab.folder / "nginx.conf", space=server).listening(self.port)

    def load(self, count, keep=True):
        if self.http2:
            run = self.lab.start("h2load", "-n", count, "-c", 8, "-m", 8, self.url, space=self.client).succeed(120)
            assert f"{count} succeeded" in run.output, run.output
        else:
            run = self.lab.start("ab", "-q", "-n", count, "-c", 16, *(["-k"] if keep else []), self.url,
                                 space=self.client).succeed(120)
            assert re.search(rf"Complete requests: +{count}\n", run.output), run.output

    def answered(self):
        return len((self.lab.folder / "access.log").read_text().splitlines())


class Redis:
    protocol, metric, ok = "redis", DB, {"client": "redis-benchmark"}

    def __init__(self, lab, client, server, address):
        self.lab, self.client, self.server, self.address = lab, client, server, address
        self.port = lab.port()
        lab.start("redis-server", "--port", self.port, "--save", "", "--protected-mode", "no", "--dir", lab.folder,
                  space=server).listening(self.port)

    def load(self, count):
        self.lab.start("redis-benchmark", "-h", self.address, "-p", self.port, "-n", count, "-c", 20, "-P", 4, "-d", 1000,
                       "-q", "-t", "get,set", space=self.client).succeed(120)

    def answered(self):
        """By its own count, without the question for it."""
        text = self.lab.start("redis-cli", "-p", self.port, "info", "commandstats", space=self.server).succeed().output
        return sum(int(count) for name, count in re.findall(r"cmdstat_([\w|-]+):calls=(\d+)", text) if name != "info")


class Postgresql:
    protocol, metric, ok = "postgresql", DB, {"client": "pgbench"}

    def __init__(self, lab, client, server, address):
        self.lab, self.client, self.address = lab, client, address
        initdb = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))[-1]
        self.port, as_postgres = lab.port(), ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]
        data = lab.folder / "data"
        data.mkdir()
        shutil.chown(data, "postgres", "postgres")
        lab.start(*as_postgres, initdb, "-D", data, "-A", "trust", "-N", "-U", "postgres", "--no-locale").succeed(60)
        (data / "pg_hba.conf").write_text("host all all all trust\n")
        lab.start(*as_postgres, initdb.replace("initdb", "postgres"), "-D", data, "-p", self.port, "-h", "*", "-k", "", "-F",
                  space=server).listening(self.port)
        self.transactions = 0

    def load(self, count):
        """Transactions of two statements; -n: no statements of pgbench's own but two."""
        script = self.lab.folder / "script.sql"
        script.write_text("select repeat('x', 5000);\nselect 1 from pg_catalog.pg_class limit 1;\n")
        program = sorted(glob.glob("/usr/lib/postgresql/*/bin/pgbench"))[-1]
        run = self.lab.start(program, "-n", "-M", "extended", "-c", 8, "-t", count // 16, "-f", script, "-h", self.address,
                             "-p", self.port, "-U", "postgres", "postgres", space=self.client).succeed(120)
        self.transactions = int(re.search(r"actually processed: (\d+)", run.output)[1])

    def answered(self):
        return 2 * self.transactions


def lose(space, percent):
    """Of all that comes in there, third packets of handshakes too: then the first request completes it."""
    space.filter("input", f"numgen random mod 100 < {percent} drop")


def check(agent, service):
    """All that was answered is counted, nearly all as calls, the rest as what could not be read."""
    answered = service.answered()

    def calls():
        return sum(counted(agent, service.port, service.metric, "error_type", **service.ok).values())

    def accounted():
        told = lost(agent, service.protocol)
        return (calls() + told.get("lost_calls", 0) + told.get("undecoded_messages", 0) >= answered
                or told.get("undecoded_bytes", 0) > 0 or agent.dropped())

    eventually(accounted, what=f"{answered} calls, of which {calls()} are known")
    agent.settle()
    assert agent.dropped() == {}
    assert answered * 0.999 <= calls() <= answered, lost(agent, service.protocol)
    agent.stop()


def lossy(lab, make, percent, *load):
    """The service after the load, with the wire whole again."""
    client, _, server, server_end = lab.wired()
    service = make(lab, client, server, server_end.v4)
    lose(client, percent)
    lose(server, percent)
    service.load(*load)
    client.pass_all()
    server.pass_all()
    return service


@pytest.mark.needs("nginx", "ab")
@pytest.mark.parametrize("percent", [1, 5])
@pytest.mark.parametrize("keep", [True, False])
def test_http(lab, percent, keep):
    agent = lab.agent(AGENT)
    count = fewer(2000 if keep else 500, 100)
    service = lossy(lab, lambda *where: Web(*where, http2=False), percent, count, keep)
    check(agent, service)


SERVICES = pytest.mark.parametrize("make", [
    pytest.param(lambda *where: Web(*where, http2=True), id="http2", marks=pytest.mark.needs("nginx", "h2load")),
    pytest.param(Redis, id="redis", marks=pytest.mark.needs("redis-server", "redis-benchmark")),
    pytest.param(Postgresql, id="postgresql"),
])


@SERVICES
@pytest.mark.parametrize("percent", [1, 5])
def test_lost(lab, make, percent):
    agent = lab.agent(AGENT)
    check(agent, lossy(lab, make, percent, fewer(2000, 160)))


@SERVICES
def test_reordered(lab, make):
    """One packet of twenty waits until the next of either side is through."""
    client, server = lab.space("client"), lab.space("server")
    wire, chance = Wire(client, server), random.Random(1)
    lab.stack.callback(wire.close)

    def rule(packet):
        if wire.held:
            wire.send(packet.to_server, packet.data)
            wire.release()
            return False
        return wire.HOLD if packet.payload and chance.random() < 0.05 else True

    service = make(lab, client, server, wire.server_end.end.v4)
    agent = lab.agent(AGENT)
    wire.rule = rule
    service.load(fewer(1000, 160))
    wire.mend()
    assert wire.lost > 10, "hardly anything came out of order"
    check(agent, service)
