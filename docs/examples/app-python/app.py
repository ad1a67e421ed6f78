"""A chat room behind Curfew, as an example of an application.

connect names the user, a message goes to everybody else, and whoever leaves or falls silent is
forgotten. docs/applications.md explains it; docs/examples/app-go does the same. Nothing but the
standard library is needed: python3 app.py
"""

import argparse
import hmac
import json
import os
import queue
import signal
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY_BYTES_MAX = 1 << 20  # more than curfewd posts by default (--max-message-bytes 65536)

TOOLS = {
    "tools": [
        {
            "name": "who",
            "description": "lists who is in the room",
            "inputSchema": {"type": "object"},
        },
        {
            "name": "whisper",
            "description": "says something to one user",
            "inputSchema": {
                "type": "object",
                "properties": {"to": {"type": "string"}, "text": {"type": "string"}},
                "required": ["to", "text"],
            },
        },
    ]
}


class Room:
    """Knows who is there: a user may have several sessions."""

    def __init__(self):
        self._lock = threading.Lock()
        self._sessions = {}  # session: user

    def enter(self, session, user):
        """Adds a session, and says whether it is the first of its user.

        Entering twice is fine: after a restart the application learns of sessions as they speak.
        """
        with self._lock:
            first = user not in self._sessions.values()
            self._sessions[session] = user
            return first

    def leave(self, session):
        """Forgets a session, and gives its user if it was the last one, else None.

        Leaving twice is fine: curfewd repeats what it is not sure has arrived.
        """
        with self._lock:
            user = self._sessions.pop(session, None)
            return None if user in self._sessions.values() else user

    def users(self):
        with self._lock:
            return sorted(set(self._sessions.values()))


class Pusher:
    """Sends to clients by curfewd's admin API.

    One push goes after the other, so that order is kept, and in the background, so that no event
    waits for it.
    """

    def __init__(self, admin, token):
        self._admin, self._token = admin, token
        self._queue = queue.Queue(maxsize=1000)
        # The admin API is near: no proxy of the environment stands before it.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        threading.Thread(target=self._run, daemon=True).start()

    def send(self, user, data):
        """Queues a push to a user, or to everybody where user is None."""
        try:
            self._queue.put_nowait((user, data))
        except queue.Full:
            print("a push is lost: too many wait", file=sys.stderr)

    def _run(self):
        while True:
            try:
                self._post(*self._queue.get())
            except (OSError, ValueError) as error:
                print("a push is lost:", error, file=sys.stderr)

    def _post(self, user, data):
        path = "/v1/messages"
        if user is not None:
            path = f"/v1/users/{urllib.parse.quote(user, safe='')}/messages"
        request = urllib.request.Request(
            self._admin + path,
            data=json.dumps(data).encode(),
            headers={"Content-Type": "application/json"},
        )
        if self._token:
            request.add_header("Authorization", "Bearer " + self._token)
        try:
            with self._opener.open(request, timeout=5) as response:
                response.read()
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 404:  # 404: the user has just gone
                raise


class Refused(Exception):
    """The answer is a status and nothing else."""

    def __init__(self, status):
        super().__init__(status)
        self.status = status


class App:
    """Answers events: each method gives the headers and the body of a 200, or None for a 204."""

    def __init__(self, users, pushes):
        self._users = users  # token: user
        self._pushes = pushes
        self._room = Room()

    def connect(self, session, body):
        """Lets in who has a token, under the name that belongs to it."""
        user = self._users.get(str(body.get("token", "")))
        if user is None:
            raise Refused(401)
        if self._room.enter(session, user):
            self._pushes.send(None, {"joined": user})
        return {"Curfew-User": user}, None

    def message(self, session, user, body):
        """Sends a message to everybody else, and says to how many."""
        self._room.enter(session, user)
        text = string(body, "text")
        others = [other for other in self._room.users() if other != user]
        for other in others:
            self._pushes.send(other, {"from": user, "text": text})
        return {}, {"sent": len(others)}

    def call(self, session, user, body):
        """Runs a tool."""
        self._room.enter(session, user)
        if body.get("name") == "who":
            return {}, {"text": "\n".join(self._room.users())}
        if body.get("name") == "whisper":
            arguments = body.get("arguments") or {}
            to, text = string(arguments, "to"), string(arguments, "text")
            if to not in self._room.users():
                raise Refused(422)
            self._pushes.send(to, {"from": user, "whisper": text})
            return {}, {"text": "whispered to " + to}
        raise Refused(404)

    def end(self, session):
        """Forgets a session."""
        user = self._room.leave(session)
        if user is not None:
            self._pushes.send(None, {"left": user})
        return {}, None


def string(body, name):
    value = body.get(name)
    if not isinstance(value, str):
        raise Refused(422)
    return value


class Handler(BaseHTTPRequestHandler):
    """Reads events from the wire and writes their answers."""

    protocol_version = "HTTP/1.1"  # connections are kept
    disable_nagle_algorithm = True  # else answers wait for the other side's acknowledgement
    timeout = 60
    app = None
    token = ""

    def do_GET(self):
        self._answer(lambda: ({}, TOOLS))

    def do_POST(self):
        self._answer(self._event)

    def _event(self):
        body = self._body()
        event = self.headers.get("Curfew-Event", "")
        session = self.headers.get("Curfew-Session", "")
        user = self.headers.get("Curfew-User", "")
        if event == "connect":
            return self.app.connect(session, body)
        if event == "message":
            return self.app.message(session, user, body)
        if event == "call":
            return self.app.call(session, user, body)
        if event in ("disconnect", "expire"):
            return self.app.end(session)
        raise Refused(400)

    def _body(self):
        """Reads the body, a JSON object."""
        length = int(self.headers.get("Content-Length", "0"))
        if length > BODY_BYTES_MAX:
            self.close_connection = True  # the body is not read
            raise Refused(413)
        data = self.rfile.read(length)
        if self.headers.get("Content-Type") != "application/json":
            raise Refused(415)
        try:
            body = json.loads(data)
        except ValueError:
            raise Refused(422) from None
        if not isinstance(body, dict):
            raise Refused(422)
        return body

    def _answer(self, event):
        try:
            headers, body = event() if self._trusted() else ({}, None)
        except Refused as refused:
            self._write(refused.status, {}, b"")
            return
        if body is None:
            self._write(204, headers, b"")
            return
        headers["Content-Type"] = "application/json"
        self._write(200, headers, json.dumps(body).encode())

    def _trusted(self):
        """Refuses whoever does not show the token that curfewd has."""
        shown = self.headers.get("Authorization", "").encode()
        if self.token and not hmac.compare_digest(shown, b"Bearer " + self.token.encode()):
            self.close_connection = True  # the body is not read
            raise Refused(401)
        return True

    def _write(self, status, headers, data):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Writes no line for each request."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


def settings():
    """Flags, whose defaults come from the environment: --admin-token from APP_ADMIN_TOKEN."""
    parser = argparse.ArgumentParser(description="A chat room behind Curfew.")
    for name, value, usage in (
        ("listen", "127.0.0.1:9000", "where curfewd posts events"),
        ("token", "", "what curfewd must show (--backend-token-file); empty: nothing"),
        ("tokens", "wonderland=alice,builder=bob", "who may come in, TOKEN=USER,..."),
        ("admin", "http://127.0.0.1:8080", "curfewd's admin API"),
        ("admin-token", "", "its token, where it has one"),
    ):
        variable = "APP_" + name.upper().replace("-", "_")
        parser.add_argument(
            "--" + name, default=os.environ.get(variable) or value, help=usage
        )
    return parser.parse_args()


def main():
    options = settings()
    pairs = (pair.partition("=") for pair in options.tokens.split(",") if "=" in pair)
    users = {token.strip(): user.strip() for token, _, user in pairs}
    Handler.app = App(users, Pusher(options.admin, options.admin_token))
    Handler.token = options.token
    host, _, port = options.listen.rpartition(":")
    with Server((host, int(port)), Handler) as server:
        print("%s:%d" % server.server_address[:2], flush=True)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
