# SPDX-License-Identifier: GPL-2.0-or-later
"""
A server: responder.py ADDRESS PORT [BACKLOG]. A request begins with two numbers (!II), the
bytes that follow it and the bytes it wants back.
"""
import asyncio
import socket
import struct
import sys


async def serve(reader, writer):
    try:
        while True:
            sent, wanted = struct.unpack("!II", await reader.readexactly(8))
            await reader.readexactly(sent)
            writer.write(b"r" * wanted)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main(address, port, backlog=1024):
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if address == "::":
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind((address, int(port)))
    server = await asyncio.start_server(serve, sock=listener, backlog=int(backlog), limit=1 << 20)
    await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
