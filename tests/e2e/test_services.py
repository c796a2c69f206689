# SPDX-License-Identifier: GPL-2.0-or-later
"""Real servers with their own clients."""
import glob
import shutil

import pytest

from kit.wait import becomes, fewer


@pytest.fixture
def redis(lab):
    port = lab.port()
    lab.start("redis-server", "--port", port, "--save", "", "--appendonly", "no", "--dir", lab.folder).listening(port)
    return port


def redis_info(lab, port, *commands):
    """Run commands and INFO in one connection; the statistics, with that connection in them."""
    script = lab.folder / "commands"
    script.write_text("\n".join([*commands, "info stats", ""]))
    text = lab.start("redis-cli", "-p", port, stdin=open(script)).succeed().output
    body = text[text.index("# Stats"):]
    stats = dict(line.split(":") for line in body.split() if ":" in line)
    return {key: int(value) for key, value in stats.items() if value.isdigit()}, body


@pytest.mark.needs("redis-server", "redis-cli")
def test_redis(lab, agent, redis):
    """Bytes as Redis counts them itself."""
    stats, body = redis_info(lab, redis, f"set key {'v' * 5000}", "get key")
    body = body.replace("\n", "\r\n")  # redis-cli translates
    agent.edge(redis, connects=1, closes=1, sent_bytes=stats["total_net_input_bytes"],
               received_bytes=stats["total_net_output_bytes"] + len(f"${len(body)}\r\n{body}\r\n"),
               client="redis-cli", server="redis-server")


@pytest.mark.needs("redis-server", "redis-benchmark")
def test_redis_benchmark(lab, agent, redis):
    count = fewer(20000, 1000)
    lab.start("redis-benchmark", "-p", redis, "-n", count, "-c", 20, "-t", "ping_mbulk", "-q").succeed(60)
    lab.start("redis-benchmark", "-p", redis, "-n", fewer(3000, 200), "-c", 20, "-k", 0, "-t", "ping_mbulk", "-q").succeed(60)
    received = redis_info(lab, redis)[0]["total_connections_received"] - 1  # its own
    agent.settle()
    edges = {edge["client"]["name"]: edge for edge in agent.edges(redis)}
    assert set(edges) == {"redis-benchmark", "redis-cli"}
    edge = edges["redis-benchmark"]
    assert edge["connects"] == edge["closes"] == received > fewer(3000, 200)
    assert edge["sent_bytes"] >= (count + fewer(3000, 200)) * len("*1\r\n$4\r\nPING\r\n")
    assert edge["active_connections"] == edge["failed_connects"] == 0


@pytest.mark.needs("psql")
def test_postgresql(lab, agent):
    """A process a connection, and a server that other users must not run as root."""
    initdb, = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))[-1:] or pytest.skip("not installed: postgresql")
    port, as_postgres = lab.port(), ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]
    data = lab.folder / "data"
    data.mkdir()
    shutil.chown(data, "postgres", "postgres")
    lab.start(*as_postgres, initdb, "-D", data, "-A", "trust", "-N", "-U", "postgres", "--no-locale").succeed(60)
    lab.start(*as_postgres, initdb.replace("initdb", "postgres"), "-D", data, "-p", port, "-h", "127.0.0.1",
              "-k", "", "-F").listening(port)
    database = f"host=127.0.0.1 port={port} user=postgres sslmode=disable gssencmode=disable"
    for _ in range(2):
        run = lab.start("psql", "-At", database, "-c", "select repeat('x', 100000)").succeed()
        assert run.output == "x" * 100000 + "\n"
    psql = lab.start("psql", "-At", database)
    psql.tell("select pg_backend_pid();")
    backend = int(psql.says(r"(\d+)\n")[1])
    becomes(lambda: [item["server"].get("pid") for item in agent.connections(port=port)], [backend])
    psql.end_input()
    psql.succeed()

    edge = agent.edge(port, connects=3, closes=3, active_connections=0, failed_connects=0, client="psql", server="postgres")
    assert edge["received_bytes"] > 200000


NODE_SERVER = """
const server = require('http').createServer((request, response) => response.end('x'.repeat(1000)))
server.listen(Number(process.argv[2]), '127.0.0.1')
"""

NODE_CLIENT = """
const http = require('http'), port = Number(process.argv[2])
const get = left => left && http.get({ host: '127.0.0.1', port, agent: false }, response => {
    response.resume()
    response.on('end', () => get(left - 1))
})
get(20)
"""


@pytest.mark.needs("node")
def test_node(lab, agent):
    port = lab.port()
    server, client = lab.script("server.js", NODE_SERVER), lab.script("client.js", NODE_CLIENT)
    lab.start("node", server, port).listening(port)
    lab.start("node", client, port).succeed(60)
    edge = agent.edge(port, connects=20, closes=20, active_connections=0, client=client.name, server=server.name)
    assert edge["received_bytes"] > 20 * 1000
