# SPDX-License-Identifier: GPL-2.0-or-later
"""What the benches share: an agent, servers, and ratios of interleaved rounds."""
import atexit
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

NGINX = """
daemon off; worker_processes 1; pid {dir}/nginx.pid; error_log /dev/null;
events {{ worker_connections 16384; }}
http {{ access_log off; keepalive_requests 1000000000;
  client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
  uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  server {{ listen 127.0.0.1:{port} backlog=8192 {http2}; location / {{ return 200 "ok"; }} }} }}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit("bench: waited too long")
        time.sleep(0.005)


def listens(port):
    """Asked of the kernel: some servers take a connection for their only client."""
    wanted = f":{port:04X} "
    return any(wanted in line.split(" 0A ")[0] for line in open("/proc/net/tcp") if " 0A " in line)


def start(argv, **options):
    """A process that does not outlive the bench, however that ends."""
    process = subprocess.Popen([str(arg) for arg in argv], **options)
    atexit.register(process.kill)
    return process


def output(*argv):
    return subprocess.run([str(arg) for arg in argv], capture_output=True, text=True, check=True).stdout


class Server:
    def __init__(self, argv, port):
        self.port = port
        self.process = start(argv, stdout=subprocess.DEVNULL)
        wait_for(lambda: listens(port))

    def stop(self):
        self.process.terminate()
        self.process.wait()


def nginx(directory, http2=False):
    port, config = free_port(), f"{directory}/nginx.conf"
    with open(config, "w") as f:
        f.write(NGINX.format(dir=directory, port=port, http2="http2" if http2 else ""))
    return Server(["/usr/sbin/nginx", "-c", config], port)


class Agent:
    def __init__(self, options, directory, config=""):
        self.port = free_port()
        path = f"{directory}/config"
        with open(path, "w") as f:
            f.write(config + (f'disable = "{options.disable}"\n' if options.disable else ""))
        begin = time.monotonic()
        self.process = start(
            [options.hopscope, "agent", "--listen", f"127.0.0.1:{self.port}", "--socket", f"{directory}/agent.sock",
             "--log-level", "error", "--config", path])
        wait_for(self.ready)
        self.start_seconds = time.monotonic() - begin

    def get(self, path):
        return urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}").read().decode()

    def document(self, name):
        return json.loads(self.get(f"/api/v1/{name}"))

    def ready(self):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=1).status == 200
        except OSError:
            return False

    def metrics(self):
        lines = [line.rsplit(" ", 1) for line in self.get("/metrics").splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines}

    def sum(self, prefix, label="", metrics=None):
        return sum(v for k, v in (metrics or self.metrics()).items() if k.startswith(prefix) and label in k)

    def lost(self):
        """Whatever was not read, of any kind."""
        metrics = self.metrics()
        return int(self.sum("hopscope_dropped_total", metrics=metrics) + self.sum("hopscope_l7_lost", metrics=metrics)
                   + self.sum("hopscope_l7_undecoded_messages", metrics=metrics))

    def cpu_seconds(self):
        tasks = f"/proc/{self.process.pid}/task"
        return sum(int(open(f"{tasks}/{t}/schedstat").read().split()[0]) for t in os.listdir(tasks)) / 1e9

    def memory(self):
        metrics = self.metrics()
        return metrics["process_resident_memory_bytes"], metrics["hopscope_map_memory_bytes"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(20):
            sys.exit("bench: the agent failed")


def ratio(options, directory, what, load, unit="/s", check=None):
    """
    Off, on, off, on …: each round with the agent against the mean of its neighbours without. As a
    control of the method, every other such round has a program in the agent's place that sleeps.

    load() does something for about a second and gives (how much of it, seconds). Each time it is made
    twice, and the second counts: on a machine that has just rested it is some percent slower. check(agent,
    how much) may look at what the agent has counted in a round.
    """
    def rate():
        load()
        amount, seconds = load()
        return amount / seconds

    ratios, controls, cpu, before = [], [], [], rate()
    rates = [before]
    for _ in range(options.rounds):
        sleeper = start(["sleep", "1000"])
        control = rate()
        sleeper.kill()
        sleeper.wait()
        after = rate()
        controls.append(control / ((before + after) / 2))
        before = after
        agent = Agent(options, directory)
        first, _ = load()
        used = agent.cpu_seconds()
        amount, seconds = load()
        cpu.append((agent.cpu_seconds() - used) / amount)
        if check:
            check(agent, first + amount)
        agent.stop()
        after = rate()
        ratios.append(amount / seconds / ((before + after) / 2))
        rates.append(after)
        before = after
    quartiles = statistics.quantiles(ratios, n=4)
    print(f"{what}: kept {statistics.median(ratios):.3f} of the throughput "
          f"(quartiles {quartiles[0]:.3f} to {quartiles[2]:.3f}, {options.rounds} rounds; "
          f"control {statistics.median(controls):.3f}; median {statistics.median(rates):,.0f}{unit} without); "
          f"agent {statistics.median(cpu) * 1e6:.2f} us CPU for each")
