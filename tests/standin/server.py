"""The stand-in over HTTP, with faults on demand."""

from __future__ import annotations

import json
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from tests.served import Served
from tests.standin.endpoints import ENDPOINTS, Incoming, answer
from tests.standin.world import Refusal, World

#: Names by which Login Kit refuses, for the numbers of the Business API.
_OAUTH_NAMES = {40107: "invalid_grant", 40103: "invalid_grant", 40110: "invalid_grant"}
_OAUTH_NAMES |= {40131: "invalid_grant", 40002: "invalid_request", 40113: "invalid_client"}


class Reply(NamedTuple):
    """An HTTP answer; without a body the connection is closed instead."""

    status: int
    body: bytes | None
    headers: dict[str, str]


@dataclass
class Fault:
    """Something that goes wrong with calls whose path contains a text.

    Attributes:
        path: The text.
        times: For how many calls.
        carried_out: Whether TikTok does what it was asked before things go wrong.
        status: HTTP status of the answer.
        body: The answer; None closes the connection without one, `...` is the true answer.
        gate: The answer waits until this is set.
        headers: More headers of the answer.
        changes: Fields of the true answer that are changed, in its `data` if it has one.
    """

    path: str
    times: int = 1
    carried_out: bool = False
    status: int = 200
    body: Any = None
    gate: threading.Event | None = None
    headers: dict[str, str] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)

    def reply(self, true: Reply | None) -> Reply:
        """Return what is answered in place of the true reply."""
        if self.body is ...:
            assert true is not None
            if not self.changes:
                return true
            answer = json.loads(true.body or b"")
            answer.get("data", answer).update(self.changes)
            return _json(true.status, answer)
        body = self.body
        if not isinstance(body, bytes | None):
            body = json.dumps(body).encode()
        return Reply(self.status, body, self.headers)


class StandIn(Served):
    """A TikTok on a loopback port.

    Attributes:
        world: What it knows.
        calls: All requests that arrived, in their order.
        faults: What goes wrong, each used up by the calls that it matches.
    """

    def __init__(self) -> None:
        self.world = World()
        self.calls: list[Incoming] = []
        self.faults: list[Fault] = []
        self._lock = threading.RLock()
        server = _Server(("127.0.0.1", 0), _Handler)
        server.standin = self
        super().__init__(server)

    def fail(self, path: str, **how: Any) -> None:
        """Let the next calls whose path contains *path* go wrong."""
        self.faults.append(Fault(path, **how))

    @property
    def token_posts(self) -> list[Incoming]:
        """The requests that carried a code or a refresh token."""
        return [call for call in self.calls if call.is_token_request]

    def spent(self) -> Counter[str]:
        """Return how often each single-use credential arrived."""
        found: Counter[str] = Counter()
        for call in self.token_posts:
            for name in ("auth_code", "code", "refresh_token"):
                value = (call.body or {}).get(name)
                if isinstance(value, str):
                    found[value] += 1
        return found

    def answer(self, incoming: Incoming) -> tuple[Fault | None, Reply]:
        """Answer a request."""
        with self._lock:
            self.calls.append(incoming)
            number = len(self.calls)
            fault = next((f for f in self.faults if f.path in incoming.path and f.times), None)
            if fault is None:
                return None, self._true_answer(incoming, number)
            fault.times -= 1
            carried_out = fault.carried_out or fault.body is ...
            return fault, fault.reply(self._true_answer(incoming, number) if carried_out else None)

    def _true_answer(self, incoming: Incoming, number: int) -> Reply:
        request_id, kit = f"20261121{number:022d}AA", incoming.path.startswith("/v2/")
        if (incoming.method, incoming.path) not in ENDPOINTS:
            return Reply(404, b"404 page not found", {"Content-Type": "text/plain"})
        try:
            data = answer(self.world, incoming)
        except Refusal as refusal:
            code, text = refusal.code, refusal.message
            if not kit:
                said: dict[str, Any] = {
                    "code": code,
                    "message": text,
                    "request_id": request_id,
                    "data": {},
                }
                return _json(200, said)
            if incoming.path == "/v2/user/info/":
                error = {"code": "access_token_invalid", "message": text, "log_id": request_id}
                return _json(401, {"data": {}, "error": error})
            name = _OAUTH_NAMES.get(code, code)  # type: ignore[arg-type]
            return _json(400, {"error": name, "error_description": text, "log_id": request_id})
        if incoming.path == "/v2/oauth/revoke/":
            return Reply(200, b"", {})
        if incoming.path == "/v2/user/info/":
            fine = {"code": "ok", "message": "", "log_id": request_id}
            return _json(200, {"data": data, "error": fine})
        envelope = {"code": 0, "message": "OK", "request_id": request_id, "data": data}
        return _json(200, data if kit else envelope)


def _json(status: int, value: Any) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    standin: StandIn

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: two would wait for each other
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *args: Any) -> None:
        """Stay quiet."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        incoming = Incoming(
            self.command,
            parts.path,
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            {name.lower(): value for name, value in self.headers.items()},
            _body(self.headers.get("Content-Type", ""), parts.path, raw),
            self.client_address[1],
        )
        fault, reply = self.server.standin.answer(incoming)
        if fault is not None and fault.gate is not None:
            fault.gate.wait(60)
        with suppress(OSError):
            if reply.body is None:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

    do_GET = do_POST = _serve  # noqa: N815  (http.server's names)


def _body(kind: str, path: str, raw: bytes) -> dict[str, Any] | None:
    """Read a body in the one form that the endpoint takes."""
    form = path.startswith("/v2/")
    wanted = "application/x-www-form-urlencoded" if form else "application/json"
    if kind.partition(";")[0] != wanted:
        return None
    if form:
        return dict(parse_qsl(raw.decode(), keep_blank_values=True))
    try:
        value = json.loads(raw)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
