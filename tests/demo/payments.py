# SPDX-License-Identifier: GPL-2.0-or-later
"""
The slow one: one payment at a time, room for next to nobody who waits, and now and then a pause
of two and a half seconds, as from a lock or a batch. Meanwhile the kernel drops the SYNs of those
for whom there is no room: some get in a second late, some give up.
"""
import http.server
import sys
import time

PAUSE_EVERY, PAUSE = 12, 2.5
last_pause = time.monotonic()


class Server(http.server.HTTPServer):
    request_queue_size = 1  # the backlog of listen(2)

    def service_actions(self):  # between two requests
        global last_pause
        if time.monotonic() - last_pause > PAUSE_EVERY:
            time.sleep(PAUSE)
            last_pause = time.monotonic()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        time.sleep(0.05)
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"paid\n")

    def log_message(self, *args):
        pass


Server((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
