"""A host on this machine whose answers the test writes; what it does not know, TikTok answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import requests

from tests.served import Served

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Received:
    """A request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def token(self) -> str | None:
        """The token in either of TikTok's headers."""
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
        return self.headers.get("access-token") or bearer or None


@dataclass(frozen=True)
class Answer:
    """An answer to send; a body without length goes in chunks."""

    status: int = 200
    body: bytes = b'{"code": 0, "message": "OK", "data": {}}'
    headers: Mapping[str, str] = field(default_factory=dict)
    has_length: bool = True


def envelope(code: int, **data: Any) -> Answer:
    """An answer of the Business API."""
    content = {"code": code, "message": "text", "request_id": "202611210001", "data": data}
    return Answer(body=json.dumps(content).encode(), headers={"Content-Type": "application/json"})


class Loopback(Served):
    """The host.

    Args:
        upstream: Where requests for other paths are passed on to.
        tls: Makes it an https host.
    """

    def __init__(self, upstream: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.received: list[Received] = []
        self.answers: dict[str, Callable[[Received], Answer]] = {}
        self._upstream = upstream
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        super().__init__(server)

    def at(self, path: str) -> list[Received]:
        """Return what arrived at a path."""
        return [request for request in self.received if request.path.partition("?")[0] == path]

    def answer(self, request: Received) -> Answer:
        """Answer a request as the test says, or as upstream does."""
        self.received.append(request)
        written = self.answers.get(request.path.partition("?")[0])
        if written is not None:
            return written(request)
        return self.pass_on(request)

    def pass_on(self, request: Received) -> Answer:
        """Let upstream answer a request."""
        if self._upstream is None:
            return Answer(404, b"")
        passed_on = requests.request(
            request.method,
            self._upstream + request.path,
            headers={k: v for k, v in request.headers.items() if k != "host"},
            data=request.body,
            allow_redirects=False,
            timeout=10,
        )
        kind = passed_on.headers.get("Content-Type", "")
        return Answer(passed_on.status_code, passed_on.content, {"Content-Type": kind})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ConnectionError:
                    self.close_connection = True  # a client may hang up before the end

            def _serve(self) -> None:
                body = self._body()
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = host.answer(Received(self.command, self.path, headers, body))
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.has_length:
                    self.send_header("Content-Length", str(len(answer.body)))
                    self.end_headers()
                    self.wfile.write(answer.body)
                else:
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    size = f"{len(answer.body):x}".encode()
                    self.wfile.write(size + b"\r\n" + answer.body + b"\r\n0\r\n\r\n")

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            do_GET = do_POST = do_PUT = _serve  # noqa: N815  (names that http.server calls)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (its name there)
                del format, args

        return Handler
