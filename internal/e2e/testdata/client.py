"""A client on python3-websockets for the end-to-end tests: client.py SCENARIO URL SECONDS [SOURCE]

SOURCE is the address to dial from. It writes one JSON object a line about what happens; the test judges.
"""
import asyncio
import json
import sys
import time

import websockets

scenario, url, seconds, *source = sys.argv[1:]
timeout = float(seconds)


def say(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


async def raw(ws):
    await ws.send("zwölf €")
    say("text", data=await ws.recv())
    await ws.send(bytes([0, 1, 255]))
    say("binary", data=(await ws.recv()).hex())
    await ws.close(1000)


async def talk(ws, since):
    """Keeps the session alive for three timeouts and leaves."""
    while since() < 3000 * timeout:
        await ws.send(json.dumps({"op": "message", "data": "x", "request_id": int(since())}))
        await asyncio.sleep(timeout / 8)
    await ws.send(json.dumps({"op": "session_info"}))
    await ws.send(json.dumps({"op": "bye"}))


async def main():
    protocol = "curfew.raw" if scenario == "raw" else "curfew.v1"
    more = {"local_addr": (source[0], 0)} if source else {}
    async with websockets.connect(url, subprotocols=[protocol], **more) as ws:
        began = time.monotonic()  # just before the hello is sent

        def since():
            return (time.monotonic() - began) * 1000

        if scenario == "raw":
            await raw(ws)
        else:
            await ws.send(json.dumps({"op": "hello"}))
            talking = None
            try:
                async for message in ws:
                    frame = json.loads(message)
                    say(frame["op"], frame=frame, ms=since())
                    if frame["op"] == "hello_ack" and scenario == "talk":
                        talking = asyncio.ensure_future(talk(ws, since))
            except websockets.ConnectionClosedError:
                pass  # the code is told below
            if talking:
                await talking
        say("close", code=ws.close_code, ms=since())


asyncio.run(main())
