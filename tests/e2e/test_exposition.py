# SPDX-License-Identifier: GPL-2.0-or-later
"""/metrics, as promtool and Prometheus read it, and as docs/METRICS.md has it."""
import json
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections import namedtuple

import pytest

from kit.agent import PROJECT
from kit.lab import make_lab
from kit.metrics import Metrics
from kit.process import reset
from kit.wait import eventually, patience

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
PART = re.compile(r"_(bucket|sum|count)$")


@pytest.fixture(scope="module")
def lab():
    with make_lab() as lab:
        yield lab


@pytest.fixture(scope="module")
def agent(lab):
    """One for all tests here: they only look."""
    agent = lab.agent("max_events = 1048576\n")
    yield agent
    assert agent.dropped() == {}
    agent.stop()


@pytest.fixture(scope="module")
def port(lab, agent):
    """Traffic of all kinds: three calls, a SYN sent twice, a refusal, a reset."""
    port, refused = lab.port(), lab.port()
    near, _, far, far_end = lab.wired()
    lab.responder(port, space=far)
    far.drop("input", f"tcp dport {port} limit rate 1/day burst 1 packets")
    lab.caller(far_end.v4, port, "--connections", 3, "--send", 1000, "--receive", 50000, space=near).succeed()
    with near.inside():
        with pytest.raises(ConnectionRefusedError):
            lab.connect(far_end.v4, refused)
        reset(lab.connect(far_end.v4, port))
    eventually(lambda: sum(edge["closes"] for edge in agent.edges(port)) == 4)
    agent.settle()
    return port


# ---- the formats ----

def test_promtool(agent, port):
    metrics = agent.metrics()
    assert metrics.value("hopscope_tcp_connect_failures_total", reason="refused") >= 1
    assert metrics.value("hopscope_tcp_retransmits_total", server_port=port, kind="syn") == 1
    assert metrics.value("hopscope_tcp_resets_total", server_port=port, sender="client") == 1
    check = subprocess.run(["promtool", "check", "metrics"], input=metrics.text, capture_output=True, text=True)
    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")


def ask(agent, accept, encoding="identity"):
    return agent.request("/metrics", {"Accept": accept, "Accept-Encoding": encoding})


@pytest.mark.parametrize("accept, wanted", [
    ("application/openmetrics-text; version=1.0.0", OPENMETRICS),
    ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1", OPENMETRICS),
    ("application/openmetrics-text;version=1.0.0;q=0.2,text/plain;version=0.0.4;q=0.5", TEXT),
    ("text/plain", TEXT),
    ("*/*", TEXT),
    ("text/html", TEXT),
])
def test_negotiation(agent, accept, wanted):
    response = ask(agent, accept)
    assert response.status == 200
    assert response.headers["Content-Type"] == wanted
    assert response.text.endswith("\n# EOF\n") == (wanted == OPENMETRICS)


def series(metrics):
    return {(sample.name, *sorted(sample.labels.items())) for sample in metrics.samples}


def test_both_formats_have_the_same_series(agent, port):
    """All but what is there since the second of the two questions."""
    openmetrics = Metrics(ask(agent, OPENMETRICS).text)
    ours = {line for line in series(openmetrics) if str(port) in dict(line[1:]).values()}
    assert len(ours) > 50
    assert ours <= series(agent.metrics())
    assert openmetrics.types["hopscope_tcp_connects"] == "counter"
    assert openmetrics.types["hopscope_build"] == "info"
    assert "# UNIT hopscope_tcp_rtt_seconds seconds\n" in openmetrics.text


def test_openmetrics_by_its_own_parser(agent, port):
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    families = {family.name: family for family in
                parser.text_string_to_metric_families(ask(agent, OPENMETRICS).text)}
    assert families["hopscope_tcp_rtt_seconds"].type == "histogram"
    connects = [sample.value for sample in families["hopscope_tcp_connects"].samples
                if sample.labels["server_port"] == str(port)]
    assert sum(connects) == 4


def test_gzip(agent, port):
    packed, plain = ask(agent, TEXT, "gzip"), ask(agent, TEXT)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert plain.headers["Content-Encoding"] is None
    assert len(packed.body) < len(plain.body) / 3
    ours = [[line for line in response.text.splitlines() if f'"{port}"' in line] for response in (packed, plain)]
    assert ours[0] == ours[1] != []


# ---- the documentation ----

# Families without samples where nothing has failed so; tests/unit/export has their labels.
RARE = {"hopscope_tcp_connection_failures_total", "hopscope_tcp_stuck_connections", "hopscope_queue_duration_seconds",
        "hopscope_service_duration_seconds", "hopscope_network_duration_seconds"}
# These have none where nobody speaks such a protocol, and no label whose value is not known: see l7/.
CALLS = "Calls", "Service graph"

Family = namedtuple("Family", "type labels")
SECTION_LABELS = {"Connections": {"client", "server", "server_port"},
                  "Calls": {"client", "server", "server_port"},
                  "Service graph": {"client", "server", "connection_type"},
                  "Listeners": {"server", "server_port", "address"},
                  "The agent": set()}


def tables():
    """Rows of all tables of docs/METRICS.md: (section, [cells])."""
    section = None
    for line in (PROJECT / "docs/METRICS.md").read_text().splitlines():
        if line.startswith("## "):
            section = line[3:]
        elif line.startswith("| `"):
            yield section, [cell.strip() for cell in line.strip("|").split("|")]


def quoted(text):
    return re.findall(r"`([^`]+)`", text)


def documented(sections=tuple(SECTION_LABELS)):
    return {quoted(cells[0])[0]: Family(cells[1], SECTION_LABELS[section] | set(quoted(cells[2])))
            for section, cells in tables() if len(cells) == 5 and section in sections}


def documented_values(section, label):
    """The closed set of values that a label has."""
    values, = (cells[1] for where, cells in tables()
               if where == section and len(cells) == 2 and cells[0] == f"`{label}`")
    return set(quoted(values))


def exported(metrics):
    """The same of a scrape."""
    found = {}
    for sample in metrics.samples:
        name = PART.sub("", sample.name) if sample.name not in metrics.types else sample.name
        family = found.setdefault(name, Family(metrics.types[name], set()))
        family.labels.update(set(sample.labels) - {"le"})
    return found


def test_documented_is_exported(agent, port):
    """Every family is there after such traffic, with its type and its labels; and none besides."""
    metrics = agent.metrics()
    found, wanted, calls = exported(metrics), documented(), documented(CALLS)
    assert set(metrics.types) == set(metrics.help) == set(wanted)
    for name in set(calls) & set(found):
        family = found.pop(name)
        assert family.type == wanted[name].type and family.labels <= wanted[name].labels, name
    wanted = {name: family for name, family in wanted.items() if name not in calls}
    assert set(wanted) - set(found) <= RARE, "a family without samples"
    assert found == {name: wanted[name]._replace(type="gauge") if wanted[name].type == "info" else wanted[name]
                     for name in found}


def test_label_values_are_documented(agent, port):
    metrics = agent.metrics()
    for sample in metrics.all("hopscope_tcp_connection_failures_total"):
        assert sample.labels["reason"] in documented_values("Connections", "reason")
    for name, label in [("connect_failures", "reason"), ("resets", "sender"), ("retransmits", "sender"),
                        ("retransmits", "kind")]:
        values = {sample.labels[label] for sample in metrics.all(f"hopscope_tcp_{name}_total")}
        assert values and values <= documented_values("Connections", label)


def test_stages_and_event_kinds_are_documented(agent):
    metrics = agent.metrics()
    kinds = {sample.labels["kind"] for sample in metrics.all("hopscope_events_total")}
    assert kinds == documented_values("The agent", "kind")
    stages = [pattern.replace("*", ".*") for pattern in documented_values("The agent", "stage")
              if not pattern.startswith("/")]
    for sample in metrics.all("hopscope_dropped_total"):
        assert any(re.fullmatch(pattern, sample.labels["stage"]) for pattern in stages), sample


# ---- Prometheus itself ----

class Prometheus:
    def __init__(self, lab, agent):
        self.port = lab.port()
        config, every = lab.folder / "prometheus.yml", int(patience(1))
        config.write_text(f"""
global: {{scrape_interval: {every}s, scrape_timeout: {every}s}}
scrape_configs: [{{job_name: hopscope, static_configs: [{{targets: ["127.0.0.1:{agent.port}"]}}]}}]
""")
        self.process = lab.start("prometheus", f"--config.file={config}", f"--storage.tsdb.path={lab.folder}/tsdb",
                                 f"--web.listen-address=127.0.0.1:{self.port}").listening(self.port, 30)
        eventually(self.ready, 30, "Prometheus")

    def open(self, path):
        return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=patience(10))

    def ready(self):
        try:
            return self.open("-/ready").close() is None
        except urllib.error.HTTPError:
            return False

    def get(self, path):
        with self.open(f"api/v1/{path}") as response:
            return json.load(response)["data"]

    def target(self):
        """The agent, once the configuration is read and it has been scraped; or None."""
        targets = self.get("targets")["activeTargets"]
        return targets[0] if targets and targets[0]["health"] != "unknown" else None

    def query(self, expression):
        """The values of an instant query, by server (or "")."""
        result = self.get("query?" + urllib.parse.urlencode({"query": expression}))["result"]
        return {sample["metric"].get("server", ""): float(sample["value"][1]) for sample in result}


@pytest.mark.needs("prometheus")
def test_prometheus_scrapes(lab, agent):
    port = lab.port()
    lab.responder(port)
    lab.caller("127.0.0.1", port, "--connections", 7, "--send", 1000, "--receive", 50000).succeed()
    agent.edge(port, connects=7, closes=7)
    prometheus = Prometheus(lab, agent)
    target = eventually(prometheus.target, 30, "a scrape")
    assert (target["health"], target["lastError"]) == ("up", "")

    server = lab.named("responder.py")
    selector = f'{{client="{lab.named("caller.py")}",server_port="{port}"}}'
    wanted = {
        "hopscope_tcp_connects_total": 7,
        "hopscope_tcp_active_connections": 0,
        "hopscope_tcp_sent_bytes_total": 7 * 1008,
        "hopscope_tcp_received_bytes_total": 7 * 50000,
        "hopscope_tcp_connect_duration_seconds_count": 7,
    }
    for name, value in wanted.items():
        eventually(lambda: prometheus.query(name + selector) == {server: value}, what=name)
    p95 = prometheus.query("histogram_quantile(0.95, sum by (server, le) "
                           f"(hopscope_tcp_connect_duration_seconds_bucket{selector}))")
    assert 0 < p95[server] < 1
    assert prometheus.query(f'hopscope_tcp_listen_backlog_limit{{server_port="{port}"}}') == {server: 1024}

    lab.caller("127.0.0.1", port, "--connections", 3).succeed()
    eventually(lambda: prometheus.query(f'sum by (server) (hopscope_tcp_connects_total{{server_port="{port}"}})') ==
               {server: 10}, what="the next scrape")
    assert prometheus.query('up{job="hopscope"}') == {"": 1}
