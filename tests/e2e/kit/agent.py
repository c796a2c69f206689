# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent under test, as Prometheus, the API's clients and the command line see it."""
import gzip
import http.client
import json
import os
import re
import signal
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path

from kit.metrics import Metrics
from kit.process import Process
from kit.wait import eventually, patience

PROJECT = Path(__file__).resolve().parents[3]
HOPSCOPE = Path(os.environ.get("HOPSCOPE") or PROJECT / "build/hopscope").absolute()

COUNTS = ("connects", "closes", "cancelled", "failed_connects", "active_connections", "sent_bytes",
          "received_bytes", "retransmitted_segments")
METRIC_OF = {
    "connects": "hopscope_tcp_connects_total",
    "cancelled": "hopscope_tcp_connects_cancelled_total",
    "failed_connects": "hopscope_tcp_connect_failures_total",
    "active_connections": "hopscope_tcp_active_connections",
    "sent_bytes": "hopscope_tcp_sent_bytes_total",
    "received_bytes": "hopscope_tcp_received_bytes_total",
    "retransmitted_segments": "hopscope_tcp_retransmits_total",
}


class Agent:
    def __init__(self, folder, port, config="", options=(), wrapper=(), environment=None):
        self.folder, self.port = Path(folder), port
        self.socket = self.folder / "agent.sock"
        self.config = self.folder / "agent.conf"
        self.config.write_text(config)
        self.argv = [*wrapper, HOPSCOPE, "agent", "--listen", f"127.0.0.1:{port}",
                     "--socket", self.socket, "--config", self.config, *options]
        self.environment = environment
        self.process = None

    # ---- life ----

    def start(self, wait=True):
        self.begun = time.monotonic()
        self.process = Process(self.argv, self.folder / "agent", stdin=subprocess.DEVNULL, env=self.environment)
        if wait:
            self.ready()
        return self

    def ready(self, timeout=20):
        def probe():
            assert self.process.running, f"the agent ended: {self.process!r}"
            return self.answers("/readyz")
        eventually(probe, timeout, "/readyz")
        self.seconds_to_ready = time.monotonic() - self.begun

    def answers(self, path):
        try:
            return self.request(path).status == 200
        except OSError:
            return False

    @property
    def pid(self):
        return self.process.pid

    @property
    def log(self):
        return self.process.errors

    def stop(self):
        """SIGTERM, and the end that it should come to."""
        if self.process.running:
            self.process.signal(signal.SIGCONT)
            self.process.signal(signal.SIGTERM)
        assert self.process.wait(10) == 0, self.process
        assert self.process.output == ""
        for line in self.log.splitlines():
            assert re.match(r"hopscope: (debug|info|warn): ", line), f"the agent said: {self.log}"
        assert not self.socket.exists(), "the socket was left behind"

    def kill(self):
        self.process.signal(signal.SIGKILL)
        self.process.wait()

    # ---- asking ----

    def request(self, path, headers={}, method="GET"):
        """The response, with .body and .text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=patience(20))
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            response.body = response.read()
        finally:
            connection.close()
        plain = gzip.decompress(response.body) if response.headers["Content-Encoding"] == "gzip" else response.body
        response.text = plain.decode()
        return response

    def document(self, name):
        """A document of the API, made after this call began."""
        now = datetime.now(timezone.utc).isoformat()[:23]

        def probe():
            response = self.request(f"/api/v1/{name}")
            assert response.status == 200, response.text
            document = json.loads(response.text)
            return document["time"] >= now and document
        return eventually(probe, what=f"a fresh {name}")

    def metrics(self):
        """A scrape made after this call began."""
        passes = self.document("status")["snapshot"]["passes"]

        def probe():
            metrics = Metrics(self.request("/metrics").text)
            return metrics.value("hopscope_snapshots_total") >= passes and metrics
        return eventually(probe, what="a fresh scrape")

    def settle(self):
        """Wait until all that has happened is accounted: two whole snapshot passes."""
        wanted = self.document("status")["snapshot"]["passes"] + 2
        eventually(lambda: self.document("status")["snapshot"]["passes"] >= wanted, what="two snapshot passes")

    def events(self, query="?last=1000000", **matches):
        """Recent events whose keys match; `port` is the server's."""
        lines = self.request(f"/api/v1/events{query}").text.splitlines()
        return [event for event in map(json.loads, lines) if event["kind"] == "Event" and matching(event, matches)]

    def connections(self, **matches):
        return [item for item in self.document("connections")["items"] if matching(item, matches)]

    def listener(self, port):
        found = [item for item in self.document("listeners")["items"] if item["server"]["port"] == port]
        assert len(found) == 1, f"listeners on {port}: {found}"
        return found[0]

    def edges(self, port):
        return [item for item in self.document("graph")["items"] if item["server"]["port"] == port]

    def edge(self, port, **wanted):
        """
        The only edge to that port, once it has what is wanted. Two passes later it must still:
        neither less is counted, nor more. The metrics must say the same.
        """
        def probe():
            last[:] = self.edges(port)
            return len(last) == 1 and matches_counts(last[0], wanted)
        last = []
        try:
            eventually(probe)
            self.settle()
            assert probe(), "more was counted later"
        except AssertionError as error:
            found = "\n".join(str(brief(edge, *wanted)) for edge in last)
            raise AssertionError(f"{error}\nwanted: {wanted}\nedges to {port}: {found}\n{self.log}") from None
        self.check_metrics(last[0])
        return last[0]

    def check_metrics(self, edge):
        labels = {"client": edge["client"]["name"], "server": edge["server"]["name"],
                  "server_port": edge["server"]["port"]}
        metrics = self.metrics()
        if not edge["active_connections"]:  # else bytes move on
            for key, name in METRIC_OF.items():
                assert metrics.value(name, **labels) == edge[key], name
        assert whole(metrics.by("reason", "hopscope_tcp_connect_failures_total", **labels)) == edge["failures"]
        for sender in "client", "server":
            assert metrics.value("hopscope_tcp_resets_total", sender=sender, **labels) == edge["resets"][sender]
            assert whole(metrics.by("kind", "hopscope_tcp_retransmits_total", sender=sender, **labels)) == \
                edge["retransmits"][sender]

    def dropped(self):
        """What was lost, by stage."""
        return whole(self.metrics().by("stage", "hopscope_dropped_total"))

    def cli(self, *arguments, socket=True, **options):
        """A reading command against this agent; .stdout, .stderr, .returncode."""
        where = ["--socket", self.socket] if socket else []
        return hopscope(*arguments, *where, **options)


def hopscope(*arguments, wrapper=(), timeout=60, **options):
    return subprocess.run([*wrapper, HOPSCOPE, *map(str, arguments)], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=patience(timeout), **options)


def whole(sums):
    return {key: int(value) for key, value in sums.items() if value}


def brief(edge, *keys):
    names = {side: edge[side]["name"] for side in ("client", "server")}
    return {key: edge[key] for key in (*COUNTS, *keys)} | names


def matching(item, wanted):
    """Keys of an event or connection; port is the server's, client and server are names."""
    for key, value in wanted.items():
        if key == "port":
            found = item["server"]["port"]
        elif key in ("client", "server"):
            found = item[key]["name"]
        else:
            found = item.get(key)
        if found != value:
            return False
    return True


def matches_counts(edge, wanted):
    return all(edge[key]["name"] == value if key in ("client", "server") else edge[key] == value
               for key, value in wanted.items())
