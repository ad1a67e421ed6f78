"""An echo server on websockets with its defaults, but for messages of up to 32 MiB.

    python3 echo.py [MS]   ends, with 4000, a connection whose client sends no message for so long

It serves on a free port of the loopback address and says where in a line of JSON."""

import asyncio
import json
import logging
import sys

import websockets

IDLE = float(sys.argv[1]) / 1000 if len(sys.argv) > 1 else None


async def echo(socket, path="/"):
    try:
        while True:
            await socket.send(await asyncio.wait_for(socket.recv(), IDLE))
    except asyncio.TimeoutError:
        await socket.close(4000, "idle")
    except websockets.ConnectionClosed:
        pass  # websockets has answered the fault


async def main():
    logging.getLogger("websockets").setLevel(logging.CRITICAL)  # faults are what this is for
    async with websockets.serve(echo, "127.0.0.1", 0, max_size=32 << 20) as server:
        port = server.sockets[0].getsockname()[1]
        print(json.dumps({"event": "listening", "address": f"127.0.0.1:{port}"}), flush=True)
        await asyncio.Future()


asyncio.run(main())
