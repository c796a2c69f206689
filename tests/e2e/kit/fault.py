# SPDX-License-Identifier: GPL-2.0-or-later
"""
Tables of faults. A scenario is a generator: it makes a fault for real, asserts that the programs
noticed what they should, and yields what the agent has to say about it at that moment. It may go
on and yield again: what hangs can end. All findings about the scenario's ports are its own, so one
incident has to be one finding.

    faults = Table("connect() that fails")

    @faults.scenario("nobody listens")
    def refused(site):
        near, _, far, end = site.wired()
        assert site.curl(end.v4, site.port(), space=near).wait() == REFUSED
        yield finding("refused", "peer", "no_listener", "proved")

    test_fault = faults.test()

The scenarios of a table run at the same time, beside one agent.
"""
import concurrent.futures
import contextlib
import os
import tempfile
import time
import traceback

import pytest

from kit import beyond, net
from kit.lab import Lab
from kit.wait import SLOW, eventually

AT_ONCE = 3 if SLOW else 6

# What curl exits with.
REFUSED, TIMED_OUT = 7, 28


class Skip(Exception):
    """This machine cannot make the fault: why."""


class NotMade(Exception):
    """The fault did not happen."""


class finding:
    """
    What a finding must be. A tuple stands for any of its values. evidence: {signal: value},
    {"end.signal": value} where it matters who says so, a callable as value decides itself.
    timeline: events in this order, others may be between; "event@end" where the end matters.
    """
    PLAIN = ("reason", "ended_by", "cause", "confidence", "stage", "count", "stuck")

    def __init__(self, reason, ended_by, cause, confidence, stage=None, count=1, stuck=0, client=None, server=None,
                 evidence={}, timeline=(), port=None):
        self.reason, self.ended_by, self.cause, self.confidence = reason, ended_by, cause, confidence
        self.stage, self.count, self.stuck, self.port = stage, count, stuck, port
        self.client, self.server, self.evidence, self.timeline = client, server, evidence, timeline

    def differences(self, item):
        found = []
        for key in self.PLAIN:
            wanted = getattr(self, key)
            if wanted is not None and not agrees(item.get(key), wanted):
                found.append(f"{key} is {item.get(key)!r}, not {wanted!r}")
        for side in "client", "server":
            wanted = getattr(self, side)
            if wanted is not None and not agrees(item[side].get("name"), wanted):
                found.append(f"{side} is {item[side].get('name')!r}, not {wanted!r}")
        for name, wanted in self.evidence.items():
            end, _, signal = name.rpartition(".")
            values = [piece["value"] for piece in item.get("evidence", ())
                      if piece["signal"] == signal and (not end or piece.get("end") == end)]
            if not any(agrees(value, wanted) for value in values):
                found.append(f"evidence {name} is {values or 'missing'}, not {describe(wanted)}")
        events = [(moment["event"], moment.get("end")) for moment in item.get("timeline", ())]
        rest = iter(events)
        for wanted in self.timeline:
            event, _, end = wanted.partition("@")
            if not any(event == one and (not end or end == other) for one, other in rest):
                found.append(f"the timeline {[' '.join(filter(None, pair)) for pair in events]} lacks {wanted}")
                break
        return found


def agrees(value, wanted):
    if callable(wanted):
        return value is not None and wanted(value)
    if isinstance(wanted, tuple):
        return value in wanted
    return value == wanted


def describe(wanted):
    return getattr(wanted, "__name__", repr(wanted)) if callable(wanted) else repr(wanted)


def at_least(number):
    def test(value):
        return value >= number
    test.__name__ = f"at least {number}"
    return test


def about(number, part=0.5):
    def test(value):
        return abs(value - number) <= number * part
    test.__name__ = f"about {number}"
    return test


NOTHING = "nothing"


class Site(Lab):
    """Where a scenario happens: a Lab, with what faults are made of. Its ports are its own."""

    def __init__(self, folder, stack, agent):
        super().__init__(folder, stack)
        self.agent, self.ports, self.said, self.gap = agent, [], [], []

    def port(self):
        self.ports.append(super().port())
        return self.ports[-1]

    # ---- networks ----

    def near(self, name="client", retries=None):
        """A namespace for clients, in which connect() may be made to end soon."""
        space = self.space(name)
        if retries is not None:
            patient(space, retries)
        return space

    def beyond(self, space):
        """A host beyond this node, behind that namespace."""
        host = beyond.Host(space)
        self.stack.callback(host.close)
        return host

    def wire(self):
        """Client namespace, server namespace, and a network between that is not this node's."""
        client, server = self.space("client"), self.space("server")
        wire = beyond.Wire(client, server)
        self.stack.callback(wire.close)
        return client, server, wire

    def routed(self):
        """Client, its End, router, server, its End: three namespaces in a row."""
        client, router, server = self.space("client"), self.space("router"), self.space("server")
        left, right = net.link(client, router), net.link(router, server)
        router.sysctl("ipv4/conf/all/forwarding", 1)
        client.ip("route", "add", "default", "via", left[1].v4)
        server.ip("route", "add", "default", "via", right[0].v4)
        return client, left[0], router, server, right[1]

    # ---- programs ----

    def curl(self, address, port, *options, path="/", space=None):
        return self.start(self.copy_once("curl"), "-sS", "--noproxy", "*", "-o", "/dev/null", *options,
                          f"http://{address}:{port}{path}", space=space)

    def copy_once(self, program):
        path = self.folder / self.named(program)
        return path if path.exists() else self.copy(program)

    def serve(self, port, source, *arguments, address="0.0.0.0", backlog=128, name="server.py", space=None, **options):
        """A server in Python: source is what it does with its listener."""
        family = "AF_INET6" if ":" in address else "AF_INET"
        text = f"import os, select, signal, socket, struct, sys, time\nsocket.setdefaulttimeout(None)\n" \
               f"listener = socket.create_server(('{address}', {port}), family=socket.{family}, backlog={backlog})\n"
        return self.python(self.script(name, text + source), *arguments, space=space, **options).listening(port)

    def client(self, address, port, source, *arguments, name="client.py", space=None, **options):
        """A client in Python: source is what it does with its connection."""
        text = f"import os, select, signal, socket, struct, sys, time\n" \
               f"connection = socket.create_connection(('{address}', {port}))\n"
        return self.python(self.script(name, text + source), *arguments, space=space, **options)

    def nginx(self, port, location, http="", main="", server="", space=None, name="nginx"):
        folder = self.folder / f"nginx{port}"
        folder.mkdir()
        (folder / "page").write_text("x" * 1000)
        config = folder / "nginx.conf"
        config.write_text(f"""
daemon off;
user root;
pid {folder}/pid;
worker_processes 1;
error_log stderr;
{main}
events {{ {'' if 'worker_rlimit' in main else 'worker_connections 1024;'} }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {http}
    server {{ listen 0.0.0.0:{port}; root {folder}; {server}
        location / {{ {location} }}
    }}
}}
""")
        return self.start("nginx", "-p", folder, "-c", config, "-e", "stderr", space=space).listening(port)

    # ---- what is said ----

    def findings(self, ports=None):
        ports = self.ports if ports is None else ports
        return [item for item in self.agent.document("findings")["items"] if item["server"]["port"] in ports]

    def expect(self, wanted):
        """The findings become that and stay that."""
        wanted = [] if wanted is None else wanted if isinstance(wanted, (list, tuple)) else [wanted]

        def probe():
            self.said = self.findings()
            self.gap = compare(self.said, wanted)
            return not self.gap
        with contextlib.suppress(AssertionError):
            eventually(probe, 15)
            self.agent.settle()
            probe()
        return not self.gap


def compare(items, wanted):
    """What is wrong with the findings, in words."""
    if len(items) != len(wanted):
        gap = [f"{len(items)} findings instead of {len(wanted)}"]
    else:
        gap = []
    left = list(items)
    for one in wanted:
        best = min(left, key=lambda item: len(one.differences(item)), default=None)
        if best is None:
            gap.append(f"no {one.reason}/{one.ended_by}/{one.cause}")
            continue
        left.remove(best)
        gap += one.differences(best)
    return gap


def patient(space, retries, linear=0):
    """How often a SYN is sent again there."""
    space.sysctl("ipv4/tcp_syn_retries", retries)
    with contextlib.suppress(FileNotFoundError):  # since Linux 6.5
        space.sysctl("ipv4/tcp_syn_linear_timeouts", linear)


class Outcome:
    """How one scenario went."""

    def __init__(self, table, name):
        self.table, self.name, self.text = table.title, name, table.texts[name]
        self.state, self.detail, self.said, self.told, self.seconds = "not run", "", [], "", 0

    def __str__(self):
        said = self.told or self.detail.strip().rpartition("\n")[2]
        return f"{self.name:<26}  {self.state:<13} {self.seconds:5.1f} s  {said}"

    def check(self):
        if self.state == "skipped":
            pytest.skip(self.detail)
        assert self.state == "right", f"{self.state}:\n{self.detail}"


class Table:
    def __init__(self, title, config="", at_once=AT_ONCE):
        self.title, self.config, self.at_once = title, config, at_once
        self.scenarios, self.texts, self.alone = {}, {}, set()

    def scenario(self, text, alone=False):
        """alone: not while others run."""
        def add(function):
            self.scenarios[function.__name__], self.texts[function.__name__] = function, text
            if alone:
                self.alone.add(function.__name__)
            return function
        return add

    def test(self):
        @pytest.mark.parametrize("name", list(self.scenarios))
        def test_fault(name, outcomes):
            outcomes[name].check()
        return test_fault

    def run(self, lab, names):
        agent = lab.agent(self.config)
        together = [name for name in names if name not in self.alone]
        with concurrent.futures.ThreadPoolExecutor(self.at_once) as pool:
            outcomes = list(pool.map(lambda name: self.one(agent, name), together))
        outcomes += [self.one(agent, name) for name in names if name in self.alone]
        if agent.process.running:
            agent.stop()
        return {outcome.name: outcome for outcome in outcomes}

    def one(self, agent, name):
        outcome, begun = Outcome(self, name), time.monotonic()
        with tempfile.TemporaryDirectory(prefix="hopscope-e2e-") as folder, contextlib.ExitStack() as stack:
            os.chmod(folder, 0o755)
            site = Site(folder, stack, agent)
            try:
                self.follow(site, outcome)
            except Skip as error:
                outcome.state, outcome.detail = "skipped", str(error)
            except Exception:
                outcome.state, outcome.detail = "not made", traceback.format_exc()
            try:
                stack.close()
            except Exception:
                outcome.state, outcome.detail = "not made", f"{outcome.detail}\n{traceback.format_exc()}"
        outcome.seconds = time.monotonic() - begun
        print(f"{outcome}\n", end="", flush=True)  # with -s as it goes: all of them take minutes
        return outcome

    def follow(self, site, outcome):
        outcome.state, steps, told = "right", 0, []
        for wanted in self.scenarios[outcome.name](site):
            steps += 1
            right = site.expect(wanted)
            told.append(" + ".join(f"{item['reason']}/{item['ended_by']}/{item['cause']}/{item['confidence']}"
                                   for item in site.said) or NOTHING)
            if not right:
                outcome.state = "wrong verdict"
                outcome.detail += f"step {steps}: " + "\n  ".join(site.gap) + "\nthe agent said:\n" + \
                    "\n".join(map(spell, site.said)) + "\n"
        if not steps:
            outcome.state, outcome.detail = "not made", "it expects nothing"
        outcome.told = ", then ".join(told)


def spell(item):
    """A finding in a few lines."""
    sides = " -> ".join(f"{item[side].get('name')} ({item[side].get('address')}:{item[side].get('port')}, "
                        f"{item[side].get('pid')})" for side in ("client", "server"))
    lines = [" ".join(f"{key}={item.get(key)}" for key in finding.PLAIN) + f" {sides}"]
    lines += ["  evidence " + ", ".join(f"{piece.get('end') or '-'}.{piece['signal']}={piece['value']}"
                                        for piece in item.get("evidence", ()))]
    lines += ["  timeline " + ", ".join(
        f"+{moment.get('offset_seconds', 0):.3f} {moment['event']}"
        + "".join(f" {value}" for key, value in moment.items()
                  if key not in ("time", "offset_seconds", "event")) for moment in item.get("timeline", ()))]
    return "\n".join(lines)
