# SPDX-License-Identifier: GPL-2.0-or-later
"""
Quantiles of call durations, against the clients' own clocks. A client that sleeps until its answer is there counts
how long it takes to wake up, too, which is in no packet: so there is one that never sleeps. h2load writes
each request's time into a file. wrk corrects its figures for what a client that waits for answers leaves out; nothing
of that applies where no answer takes twice the mean: so the slow server's times are spread evenly between 2 and 6 ms.
"""
import re
import socket
import sys
import time

from kit import Agent, Server, free_port, nginx, output, wait_for

SLOW = """
import asyncio, random, sys
class Slow(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
    def data_received(self, data):
        asyncio.get_running_loop().call_later(random.uniform(0.002, 0.006), self.transport.write,
                                              b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
async def main():
    await (await asyncio.get_running_loop().create_server(Slow, "127.0.0.1", int(sys.argv[1]))).serve_forever()
asyncio.run(main())
"""


def quantile(times, q):
    return sorted(times)[min(int(q * len(times)), len(times) - 1)]


def awake(directory, port, count):
    """(calls, p50, p99) of a client that asks its socket again and again, in seconds."""
    client, times = socket.create_connection(("127.0.0.1", port)), []
    client.setblocking(False)
    for _ in range(count):
        begin, answer = time.perf_counter(), None
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while not answer:
            try:
                answer = client.recv(4096)
            except BlockingIOError:
                pass
        times.append(time.perf_counter() - begin)
    client.close()
    return count, quantile(times, 0.5), quantile(times, 0.99)


def h2load(directory, port, *options):
    log = f"{directory}/log"
    output("h2load", f"--log-file={log}", "-t", 1, *options, f"http://127.0.0.1:{port}/")
    times = [int(line.split()[2]) / 1e6 for line in open(log)]
    open(log, "w").close()
    return len(times), quantile(times, 0.5), quantile(times, 0.99)


def wrk(directory, port, *options):
    out = output("wrk", "-t1", "--latency", *options, f"http://127.0.0.1:{port}/")
    units = {"us": 1e-6, "ms": 1e-3, "s": 1}
    times = {q: float(value) * units[unit] for q, value, unit in re.findall(r"(\d+)%\s+([\d.]+)(us|ms|s)", out)}
    return int(re.search(r"(\d+) requests in", out)[1]), times["50"], times["99"]


def compare(options, directory, what, port, load, *arguments):
    agent = Agent(options, directory)
    calls, *clock = load(directory, port, *arguments)

    def found():
        items = [item for item in agent.document("graph")["items"] if item["server"]["port"] == port]
        return items and items[0]["calls"] >= calls and items[0]["call_duration"]
    wait_for(lambda: found())
    duration = found()
    agent.stop()
    told = duration["p50_seconds"], duration["p99_seconds"]
    apart = ", ".join(f"p{q} {mine * 1e6:,.0f} us, client {its * 1e6:,.0f} us ({(mine - its) * 1e6:+,.0f} us, {(mine / its - 1) * 100:+.1f} %)"
                      for q, mine, its in zip((50, 99), told, clock))
    print(f"latency, {what}: {calls:,} calls, {apart}", flush=True)


def latency(options, directory):
    server, port = nginx(directory), free_port()
    slow = Server([sys.executable, "-c", SLOW, port], port)
    compare(options, directory, "nginx, a client that never sleeps", server.port, awake, 30000)
    compare(options, directory, "nginx, one connection, h2load", server.port, h2load, "--h1", "-c", 1, "-n", 50000)
    compare(options, directory, "2 to 6 ms, 8 connections, h2load", port, h2load, "--h1", "-c", 8, "-n", 8000)
    compare(options, directory, "2 to 6 ms, 8 connections, wrk", port, wrk, "-c8", "-d4")
    server.stop()
    slow.stop()
    server = nginx(directory, http2=True)
    compare(options, directory, "nginx, HTTP/2, one stream at a time, h2load", server.port, h2load, "-c", 1, "-m", 1, "-n", 50000)
    server.stop()
