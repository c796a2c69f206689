# SPDX-License-Identifier: GPL-2.0-or-later
"""What the agent takes of the machine: memory, time to start, time of a pass; and whether it counts all."""
import atexit
import contextlib
import os
import re
import resource
import signal
import socket
import statistics
import time

from kit import Agent, nginx, output, wait_for


def start(options, directory):
    times = []
    for _ in range(options.rounds):
        agent = Agent(options, directory)
        times.append(agent.start_seconds)
        agent.stop()
    print(f"start to ready: {statistics.median(times) * 1e3:.0f} ms "
          f"({min(times) * 1e3:.0f} to {max(times) * 1e3:.0f}, {options.rounds} starts)")


def share_of_core(agent, seconds):
    used, begin = agent.cpu_seconds(), time.monotonic()
    time.sleep(seconds)
    return (agent.cpu_seconds() - used) / (time.monotonic() - begin)


def idle(options, directory):
    agent = Agent(options, directory)
    rss, maps = agent.memory()
    share = share_of_core(agent, 30)
    print(f"idle: RSS {rss / 2**20:.1f} MiB + maps {maps / 2**20:.1f} MiB = {(rss + maps) / 2**20:.1f} MiB, "
          f"{share * 100:.3f} % of a core")
    agent.stop()


def exact(options, directory):
    agent, server = Agent(options, directory), nginx(directory)
    label = f'server_port="{server.port}"'
    out = output("ab", "-q", "-n", 200000, "-c", 64, f"http://127.0.0.1:{server.port}/")
    rate = re.search(r"Requests per second: +([\d.]+)", out).group(1)
    wait_for(lambda: agent.sum("hopscope_tcp_active_connections", label) == 0)
    opened = agent.sum("hopscope_tcp_connects_total", label)
    closed = agent.sum("hopscope_tcp_connection_duration_seconds_count", label)
    bytes_sent = agent.sum("hopscope_tcp_sent_bytes_total", label)
    print(f"short connections: 200,000 requests at {rate}/s; {opened:,.0f} connections counted, {closed:,.0f} "
          f"closes, {bytes_sent / 200000:.2f} bytes sent a request, {agent.sum('hopscope_dropped_total'):.0f} records lost")
    server.stop()
    agent.stop()


def hold(count):
    """count connections, held by children in pairs; returns them once all are open."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
    children, left, block = [], count, 0
    while left:
        some, block = min(9000, left), block + 1
        left -= some
        listener = socket.socket()
        listener.bind((f"127.1.{block}.1", 0))
        listener.listen(1024)
        read, write = os.pipe()
        for role in ("server", "client"):
            pid = os.fork()
            if not pid:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                if role == "server":
                    held = [listener.accept()[0] for _ in range(some)]
                else:
                    held = [socket.create_connection(listener.getsockname()) for _ in range(some)]
                os.write(write, b"x")
                while held:
                    signal.pause()
            children.append(pid)
            atexit.register(release, [pid])
        os.read(read, 1)
        os.read(read, 1)
        listener.close()
    return children


def release(children):
    for pid in children:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def sockets(options, directory):
    for count in (1000, 10000, 50000):
        agent, children = Agent(options, directory), hold(count)
        wait_for(lambda: agent.sum("hopscope_tcp_active_connections") >= count, 60)
        passes = []
        for _ in range(5):
            seen = agent.metrics()["hopscope_snapshots_total"]
            wait_for(lambda: agent.metrics()["hopscope_snapshots_total"] > seen, 60)
            passes.append(agent.metrics()["hopscope_snapshot_duration_seconds"])
        share = share_of_core(agent, 10)
        rss, maps = agent.memory()
        agent.document("connections")
        peak, _ = agent.memory()
        print(f"{count:,} connections ({2 * count:,} sockets): pass {statistics.median(passes) * 1e3:.1f} ms, "
              f"{share * 100:.2f} % of a core, RSS {rss / 2**20:.1f} MiB (listed {peak / 2**20:.1f}) "
              f"+ maps {maps / 2**20:.1f} MiB", flush=True)
        release(children)
        agent.stop()


def routes(options, directory, edges=200, by_edge=10, connections=10000):
    """Edges with routes of their own, to servers that are told apart by their ports, and connections that only are there."""
    agent = Agent(options, directory, "max_routes = 4000\n")
    before, maps = agent.memory()
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(edges)]
    for number, listener in enumerate(listeners):
        with socket.create_connection(listener.getsockname()) as client, listener.accept()[0] as server:
            for route in range(by_edge):
                client.sendall(f"GET /service-{chr(97 + number % 26)}/{chr(97 + route)}-page HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                server.recv(65536)
                server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                client.recv(65536)
    children = hold(connections)
    wait_for(lambda: agent.sum("hopscope_tcp_active_connections") >= connections, 60)
    wait_for(lambda: len(agent.document("routes")["items"]) >= edges * by_edge)
    rss, maps = agent.memory()
    found = len(agent.document("routes")["items"]), len(agent.document("graph")["items"])
    size = len(agent.get("/metrics"))
    agent.document("connections")
    peak, _ = agent.memory()
    print(f"{connections:,} connections, {found[1]} edges, {found[0]:,} routes: RSS {rss / 2**20:.1f} MiB "
          f"({before / 2**20:.1f} before, {peak / 2**20:.1f} when all has been listed) + maps {maps / 2**20:.1f} MiB; "
          f"a scrape is {size / 2**20:.1f} MiB")
    release(children)
    agent.stop()
