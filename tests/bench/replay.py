# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast userspace is: recordings, played through the model as fast as it goes."""
import json
import os
import resource
import statistics
import subprocess
import time

from kit import Server, free_port, nginx, output, start


def record(options, directory, load):
    path = f"{directory}/recording"
    recorder = start([options.hopscope, "record", path], stderr=subprocess.PIPE, text=True)
    while "recording to" not in recorder.stderr.readline():
        pass
    load()
    time.sleep(0.5)
    recorder.terminate()
    recorder.wait()
    print(recorder.stderr.read(), end="")  # what is not in it
    return path


def play(options, path, port):
    """(calls, CPU seconds) of the agent's work alone: what it is asked for is as short as can be."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    out = output(options.hopscope, "routes", "--input", path, "-o", "json")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    calls = sum(item["calls"] for item in json.loads(out)["items"] if item["server"]["port"] == port)
    return calls, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def replay(options, directory):
    server = nginx(directory)
    port = free_port()
    redis = Server(["redis-server", "--port", port, "--save", "", "--dir", directory], port)
    os.mkdir(f"{directory}/h2")
    http2 = nginx(f"{directory}/h2", http2=True)
    loads = (
        ("HTTP/1, told by the kernel call by call", server.port,
         ("ab", "-q", "-k", "-n", 100000, "-c", 16, f"http://127.0.0.1:{server.port}/")),
        ("HTTP/1, a connection per request", server.port,
         ("ab", "-q", "-n", 20000, "-c", 16, f"http://127.0.0.1:{server.port}/")),
        ("HTTP/2", http2.port, ("h2load", "-n", 100000, "-c", 8, "-m", 16, "-t", 1, f"http://127.0.0.1:{http2.port}/")),
        ("Redis", port, ("redis-benchmark", "-p", port, "-t", "get", "-n", 100000, "-c", 50, "-q")),
        ("Redis, 16 at a time", port, ("redis-benchmark", "-p", port, "-t", "get", "-n", 400000, "-P", 16, "-q")),
    )
    for what, served, argv in loads:
        path = record(options, directory, lambda: output(*argv))
        rounds = [play(options, path, served) for _ in range(options.rounds)]
        calls, seconds = rounds[0][0], statistics.median(seconds for _, seconds in rounds)
        print(f"replay, {what}: {calls:,} calls from {os.path.getsize(path) / 2**20:.0f} MiB, {calls / seconds:,.0f}/s on one core "
              f"({seconds / calls * 1e6:.2f} us each)", flush=True)
        os.unlink(path)
    for one in server, http2, redis:
        one.stop()
