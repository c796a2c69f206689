# SPDX-License-Identifier: GPL-2.0-or-later
"""The load: a few looks and payments a second, whether they are answered or not."""
import http.client
import itertools
import sys
import threading
import time

ADDRESS, PORT = sys.argv[1], int(sys.argv[2])
CALLS_PER_SECOND = 6
PAYMENT_EVERY = 3  # of these


def call(method, path):
    try:
        shop = http.client.HTTPConnection(ADDRESS, PORT, timeout=5)
        shop.request(method, path)
        shop.getresponse().read()
        shop.close()
    except (OSError, http.client.HTTPException):
        pass


for number in itertools.count():
    what = ("POST", "/payments") if number % PAYMENT_EVERY == 0 else ("GET", f"/orders/{number % 100 + 1}")
    threading.Thread(target=call, args=what, daemon=True).start()
    time.sleep(1 / CALLS_PER_SECOND)
