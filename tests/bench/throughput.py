# SPDX-License-Identifier: GPL-2.0-or-later
"""How much of a load's throughput is kept beside the agent."""
import json
import re

from kit import Server, free_port, nginx, output, ratio, wait_for


def wrk(port, *extra):
    out = output("wrk", "-t1", "-c32", "-d1", *extra, f"http://127.0.0.1:{port}/")
    count, seconds = re.search(r"(\d+) requests in ([\d.]+)s", out).groups()
    return int(count), float(seconds)


def keepalive(options, directory):
    server = nginx(directory)
    ratio(options, directory, "keep-alive requests", lambda: wrk(server.port))
    server.stop()


def short(options, directory):
    server = nginx(directory)
    ratio(options, directory, "a connection per request", lambda: wrk(server.port, "-H", "Connection: close"))
    server.stop()


def counted(metric, port, label=""):
    """A check that all that was asked for in a round has been counted."""
    def check(agent, amount):
        def total():
            return sum(value for name, value in agent.metrics().items()
                       if name.startswith(f"{metric}_count") and f'server_port="{port}"' in name and label in name)
        wait_for(lambda: total() >= amount or agent.lost())
        if total() != amount:
            print(f"  {total():,.0f} of {amount:,} counted, {agent.lost():,} lost")
    return check


def http2(options, directory):
    server = nginx(directory, http2=True)
    count = 60000

    def load():
        out = output("h2load", "-n", count, "-c", 8, "-m", 16, "-t", 1, f"http://127.0.0.1:{server.port}/")
        seconds, unit = re.search(r"finished in ([\d.]+)(m?s)", out).groups()
        return count, float(seconds) / (1000 if unit == "ms" else 1)

    ratio(options, directory, "HTTP/2 requests, 8 connections of 16 streams", load,
          check=counted("http_server_request_duration_seconds", server.port))
    server.stop()


def redis(options, directory):
    port = free_port()
    server = Server(["redis-server", "--port", port, "--save", "", "--dir", directory], port)
    for pipeline, count in (1, 80000), (16, 800000):
        def load():
            out = output("redis-benchmark", "-p", port, "-t", "get", "-n", count, "-c", 50, "-P", pipeline, "--csv")
            return count, count / float(out.splitlines()[1].split(",")[1].strip('"'))

        ratio(options, directory, f"Redis GET, {pipeline} at a time", load,
              check=counted("db_client_operation_duration_seconds", port, 'db_operation_name="GET"'))
    server.stop()


def bulk(options, directory):
    port = free_port()
    server = Server(["iperf3", "--server", "--bind", "127.0.0.1", "--port", port], port)

    def load():
        out = json.loads(output("iperf3", "--client", "127.0.0.1", "--port", port, "--length", "64K", "--time", 1, "--json"))
        received = out["end"]["sum_received"]
        return received["bytes"] / 65536, received["seconds"]

    ratio(options, directory, "bulk transfer, writes of 64 KiB", load)
    server.stop()
