# SPDX-License-Identifier: GPL-2.0-or-later
"""Where cgroup_skb cannot be had, payload is read at system calls: every call is counted all the same."""
import pytest

from kit.l7 import HTTP_CLIENT, HTTP_SERVER, counted, http_count_to, requests
from kit.wait import eventually
from l7.test_http1 import curl, nginx, test_ab, test_large_bodies, test_methods_routes_statuses, test_pipelined
from l7.test_http1 import test_pipelined_at_once
from l7.test_http2 import grpc, nghttpd, test_grpc, test_grpc_at_once, test_large_responses, test_many_streams
from l7.test_http2 import test_request_bodies
from l7.test_postgresql import server, test_copy, test_large_results, test_pgbench, test_psycopg2
from l7.test_redis import redis, test_benchmark, test_deep_pipeline, test_publish_and_subscribe

pytestmark = pytest.mark.needs("redis-server", "redis-cli", "redis-benchmark")

# In a view of the file system without cgroup v2.
WITHOUT_CGROUPS = ["unshare", "--mount", "--propagation", "private", "sh", "-c", """
while read -r _ place type _; do
    [ "$type" != cgroup2 ] || umount "$place"
done < /proc/self/mounts
exec "$@"
""", "sh"]


@pytest.fixture
def agent(lab):
    """To which cgroup_skb is refused. Nothing is only counted in the kernel: what else this machine does fills its ring."""
    agent = lab.agent('max_events = 1048576\nmax_requests = 65536\nring_kbytes = 65536\n'
                      'disable = "payload:cgroup_skb,payload:cgroup_skb_tcp"\n')
    assert rung(agent) == "syscalls"
    yield agent
    if agent.process.running:
        assert agent.dropped() == {}
    agent.stop()


def rung(agent):
    return next(hook.get("rung") for hook in agent.document("status")["hooks"] if hook["hook"] == "payload")


@pytest.mark.needs("nginx", "curl")
def test_no_cgroups(lab, nginx):
    """No configuration says so: it finds none, says what that costs, and counts."""
    agent = lab.agent(wrapper=WITHOUT_CGROUPS)
    assert rung(agent) == "syscalls"
    told = agent.cli("check").stdout
    assert "cgroup_skb refused: ENOENT: cgroup v2 is not mounted" in told
    assert "syscalls does not see: " in told
    curl(lab, *[nginx.url(f"/users/{number}") for number in range(5)])
    http_count_to(agent, nginx.port, {("GET", "/users/{id}", "200"): 5}, client="curl", server="nginx")
    assert counted(agent, nginx.port, HTTP_CLIENT, "client") == {}
    agent.stop()


@pytest.mark.needs("nginx", "curl")
def test_no_queue_time(lab, agent, nginx):
    """A request has arrived when it is read: how long it waited before is not made up."""
    curl(lab, nginx.url("/users/1"))
    http_count_to(agent, nginx.port, {("GET", "/users/{id}", "200"): 1})
    call, = eventually(lambda: requests(agent, nginx.port))
    assert call["seen_at"] == "server" and call["duration_seconds"] > 0
    edge, = agent.edges(nginx.port)
    assert edge["queue_duration"]["count"] == edge["service_duration"]["count"] == 0
