# SPDX-License-Identifier: GPL-2.0-or-later
"""
A client of responder.py: caller.py ADDRESS PORT [--connections N] [--at-once N] [--requests N]
[--send BYTES] [--receive BYTES] [--hold]. Every connection makes its requests and is closed.
With --hold they stay open after that, "holding" is said, every line of input makes one more
request on each and says "again", and the end of input closes them.
"""
import argparse
import socket
import struct
import sys
import threading


def request(connection, options):
    connection.sendall(struct.pack("!II", options.send, options.receive) + b"s" * options.send)
    left = options.receive
    while left:
        got = len(connection.recv(min(left, 1 << 20)))
        if not got:
            sys.exit("the server closed the connection")
        left -= got


def open_one(options):
    connection = socket.create_connection((options.address, options.port))
    for _ in range(options.requests):
        request(connection, options)
    return connection


def worker(options, count):
    for _ in range(count):
        open_one(options).close()


def shares(total, parts):
    return [total // parts + (i < total % parts) for i in range(parts)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    for name, preset in ("connections", 1), ("at-once", 1), ("requests", 1), ("send", 0), ("receive", 0):
        parser.add_argument(f"--{name}", type=int, default=preset)
    parser.add_argument("--hold", action="store_true")
    options = parser.parse_args()

    if options.hold:
        held = [open_one(options) for _ in range(options.connections)]
        print("holding", flush=True)
        for _ in sys.stdin:
            for connection in held:
                request(connection, options)
            print("again", flush=True)
        return
    threads = [threading.Thread(target=worker, args=(options, share))
               for share in shares(options.connections, options.at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("done", flush=True)


main()
