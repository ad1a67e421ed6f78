"""A client as those of the daemon that Curfew replaces: old_client.py SCENARIO URL [TOKEN]

It knows nothing of Curfew: it dials the root, asks for no subprotocol, brings a session ID of its
own, appends a suffix to the names of tools, and takes frames by their op and request_id. SCENARIO:

  tour     hello, list_tools, calls side by side, errors, health
  hello    a hello and nothing else
  silent   a hello, then it listens until it is told that its session is over

It writes one JSON object a line about what it is told; the test judges.
"""
import asyncio
import json
import sys
import time
import uuid

import websockets

scenario, url, *rest = sys.argv[1:]
token = rest[0] if rest else ""
SUFFIX = "_EXAI-WS"


def say(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


class Client:
    """One connection. What comes is handed to whoever waits for its op or its request_id."""

    def __init__(self, ws):
        self.ws = ws
        self.began = time.monotonic()

    async def send(self, **frame):
        await self.ws.send(json.dumps(frame))

    async def receive(self):
        frame = json.loads(await self.ws.recv())
        say(frame["op"], frame=frame, ms=(time.monotonic() - self.began) * 1000)
        return frame

    async def hello(self):
        await self.send(op="hello", session_id=str(uuid.uuid4()), token=token)
        return await self.receive()

    async def call(self, name, arguments, request_id):
        await self.send(op="call_tool", name=name + SUFFIX, arguments=arguments,
                        request_id=request_id)

    async def until(self, *request_ids):
        """Receives up to the last answer to these requests."""
        missing = set(request_ids)
        while missing:
            frame = await self.receive()
            if frame["op"] in ("call_tool_res", "error"):
                missing.discard(frame.get("request_id"))


async def tour(client):
    await client.hello()
    await client.send(op="list_tools")
    await client.receive()
    slow, fast = uuid.uuid4().hex, uuid.uuid4().hex
    await client.call("sleep", {"ms": 500}, slow)
    await client.call("echo", {"text": "zwölf €" + "x" * 100_000}, fast)
    await client.until(slow, fast)
    await client.call("no_such_tool", {}, "refused")
    await client.until("refused")
    await client.send(op="rotate_token", token=token, new_token="n", request_id="rotate")
    await client.receive()
    await client.send(op="health")
    await client.receive()
    many = [f"call {i}" for i in range(9)]
    for request_id in many:
        await client.call("sleep", {"ms": 1000}, request_id)
    await client.until(*many)
    await client.call("echo", {"text": "again"}, many[-1])
    await client.until(many[-1])
    await client.ws.close()


async def silent(client):
    await client.hello()
    while True:
        await client.receive()


async def main():
    async with websockets.connect(url, max_size=32 * 1024 * 1024) as ws:
        client = Client(ws)
        try:
            if scenario == "tour":
                await tour(client)
            elif scenario == "silent":
                await silent(client)
            else:
                await client.hello()
                await client.receive()
        except websockets.ConnectionClosed:
            pass  # the code is told below
        say("close", code=ws.close_code, ms=(time.monotonic() - client.began) * 1000)


asyncio.run(main())
