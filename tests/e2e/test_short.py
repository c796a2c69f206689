# SPDX-License-Identifier: GPL-2.0-or-later
"""Short connections, as fast as they come: opened = counted = closed, and nothing lost."""
import re

import pytest

from kit import net
from kit.wait import fewer


def whole_life(edge, count):
    assert edge["client"]["name"] != edge["server"]["name"]
    for histogram in "connect_duration", "accept_delay", "connection_duration":
        assert edge[histogram]["count"] == count, histogram


@pytest.mark.parametrize("at_once", [1, 20])
def test_python(lab, agent, at_once):
    port, count = lab.port(), fewer(5000, 500)
    lab.responder(port)
    lab.caller("127.0.0.1", port, "--connections", count, "--at-once", at_once, "--send", 10, "--receive", 100).succeed(90)
    edge = agent.edge(port, connects=count, closes=count, failed_connects=0, active_connections=0,
                      sent_bytes=18 * count, received_bytes=100 * count,
                      client=lab.named("caller.py"), server=lab.named("responder.py"))
    whole_life(edge, count)


def test_between_namespaces(lab, agent):
    near, _, far, far_end = lab.wired()
    port, count = lab.port(), fewer(5000, 500)
    lab.responder(port, space=far)
    lab.caller(far_end.v4, port, "--connections", count, "--at-once", 10, "--send", 10, space=near).succeed(90)
    edge = agent.edge(port, connects=count, closes=count, failed_connects=0, active_connections=0,
                      sent_bytes=18 * count, retransmitted_segments=net.retransmits(near, far),
                      client=lab.named("caller.py"), server=lab.named("responder.py"))
    whole_life(edge, count)


NGINX = """daemon off; user root; worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{ access_log off; server {{ listen {port} backlog=4096; location / {{ return 200 "hello"; }} }} }}"""


def start_nginx(lab, port, space):
    config = lab.folder / "nginx.conf"
    config.write_text(NGINX.format(folder=lab.folder, port=port))
    return lab.start(lab.copy("nginx"), "-c", config, space=space).listening(port)


@pytest.mark.needs("nginx", "ab")
def test_ab_on_loopback(lab, agent):
    """A C client: a request a connection, 50 at once, and some more at the end that get none."""
    port, space, count = lab.port(), lab.space(), fewer(20000, 1000)
    start_nginx(lab, port, space)
    ab = lab.start(lab.copy("ab"), "-n", count, "-c", 50, f"http://127.0.0.1:{port}/", space=space).succeed(90)
    total, html = (int(re.search(rf"{name} transferred:\s+(\d+)", ab.output)[1]) for name in ("Total", "HTML"))
    assert html == 5 * count
    opened = space.counters()["ActiveOpens"]
    edge = agent.edge(port, connects=opened, closes=opened, failed_connects=0, active_connections=0,
                      received_bytes=total, client=lab.named("ab"), server=lab.named("nginx"))
    whole_life(edge, opened)


@pytest.mark.needs("nginx", "wrk")
def test_wrk_between_namespaces(lab, agent):
    """As fast as this machine goes. Only the kernel knows how many those were."""
    near, _, far, far_end = lab.wired()
    port = lab.port()
    start_nginx(lab, port, far)
    lab.start(lab.copy("wrk"), "-d", "2", "-c", 32, "-t", 1, "-H", "Connection: close", f"http://{far_end.v4}:{port}/",
              space=near).succeed(60)
    opened = near.counters()["ActiveOpens"]
    assert opened == far.counters()["PassiveOpens"] > fewer(2000, 20)
    edge = agent.edge(port, connects=opened, closes=opened, active_connections=0,
                      client=lab.named("wrk"), server=lab.named("nginx"))
    whole_life(edge, opened)
