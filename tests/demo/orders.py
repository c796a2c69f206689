# SPDX-License-Identifier: GPL-2.0-or-later
"""The shop's orders: a cache, a database, a payment service, and a legacy system that is gone."""
import http.client
import http.server
import sys
import threading
import time

import wire

ADDRESS, PORT, REDIS, POSTGRES, PAYMENTS, LEGACY = sys.argv[1], *map(int, sys.argv[2:])
PAYMENT_TIMEOUT = 1.5  # it gives up on a payment service that does not accept

cache = wire.Redis((ADDRESS, REDIS))
cache_lock = threading.Lock()


def look_up(number):
    with cache_lock:
        cache.command(b"INCR", b"views")
        cached = cache.command(b"GET", b"order:%d" % number)
    rows = wire.postgres((ADDRESS, POSTGRES), f"SELECT item, price FROM orders WHERE id = {number}")
    with cache_lock:
        cache.command(b"SET", b"order:%d" % number, b" ".join(rows[0]) if rows else b"-")
    return cached


def pay():
    payments = http.client.HTTPConnection(ADDRESS, PAYMENTS, timeout=PAYMENT_TIMEOUT)
    payments.request("POST", "/payment", b"42.00")
    body = payments.getresponse().read()
    payments.close()
    return body


def tell_legacy():
    """Refused each time; nobody has noticed."""
    while True:
        try:
            http.client.HTTPConnection(ADDRESS, LEGACY, timeout=1).request("POST", "/stock")
        except OSError:
            pass
        time.sleep(2)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(look_up, int(self.path.rsplit("/", 1)[-1] or 1))

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.answer(pay)

    def answer(self, work, *args):
        try:
            status, body = 200, work(*args)
        except OSError as error:
            status, body = 504, str(error).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) + 1))
        self.end_headers()
        self.wfile.write(body + b"\n")

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64


threading.Thread(target=tell_legacy, daemon=True).start()
Server((ADDRESS, PORT), Handler).serve_forever()
