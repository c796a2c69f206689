# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls between two hosts whose wire loses packets: what is not counted is counted as lost."""
import re

import pytest

from kit.l7 import HTTP_SERVER, counted, lost
from kit.wait import becomes, eventually, fewer

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
        listen {port};
        root {folder}/www;
    }}
}}
"""


def lose(space, percent):
    """Of all that comes in there."""
    space.filter("input", f"numgen random mod 100 < {percent} drop")


@pytest.mark.needs("nginx", "ab")
@pytest.mark.parametrize("percent", [1, 5])
@pytest.mark.parametrize("keep", [True, False])
def test_http(lab, percent, keep):
    """Answers of 20 KiB: of many segments, of which some are sent again and come out of order."""
    agent = lab.agent("max_events = 1048576\n")
    client, _, server, server_end = lab.wired()
    port, count = lab.port(), fewer(2000 if keep else 500, 100)
    (lab.folder / "www").mkdir()
    (lab.folder / "www" / "page").write_bytes(b"x" * 20480)
    (lab.folder / "nginx.conf").write_text(NGINX.format(folder=lab.folder, port=port))
    lab.start("nginx", "-p", lab.folder, "-c", lab.folder / "nginx.conf", space=server)
    url = f"http://{server_end.v4}:{port}/page"
    eventually(lambda: lab.start("curl", "-s", "-o", "/dev/null", "--noproxy", "*", url, space=client).wait() == 0,
               what="nginx answers")
    lose(client, percent)
    lose(server, percent)
    run = lab.start("ab", "-q", "-n", count, "-c", 16, *(["-k"] if keep else []), url, space=client).succeed(120)
    assert re.search(rf"Complete requests: +{count}\n", run.output), run.output
    client.pass_all()
    server.pass_all()
    logged = len((lab.folder / "access.log").read_text().splitlines())
    assert logged >= count

    def seen():
        """All are counted, as calls or as what could not be read."""
        told = lost(agent, "http")
        return (sum(counted(agent, port, HTTP_SERVER, "http_response_status_code").values())
                + told.get("lost_calls", 0) + told.get("undecoded_messages", 0)) >= logged

    becomes(seen, True)
    # Where the third packet of a handshake is lost the request completes it, and is not seen on its connection.
    least = 0.999 if keep else 1 - 0.03 * percent
    assert logged * least <= counted(agent, port, HTTP_SERVER, "http_response_status_code")["200"] <= logged
    assert agent.dropped() == {}
    agent.stop()
