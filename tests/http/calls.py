"""Requests to send, and ways for a raw server to deal with them."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.apis.base import Request, Response
from tests.http.servers import RawServer, read_request

if TYPE_CHECKING:
    from tap_tiktok_auth.errors import TikTokAuthError

TOKEN = "act-SECRET-token"
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def request(url: str, *, spends: bool = False, **more: Any) -> Request:
    """Return a request with a token in its header, or with a code in its body."""
    if spends:
        body = {"auth_code": TOKEN}
        return Request("exchange", "POST", url, json=body, spends=True, secrets=(TOKEN,))
    headers = {"Access-Token": TOKEN}
    return Request("read", "GET", url, headers=headers, secrets=(TOKEN,), **more)


def at(server: RawServer, scheme: str = "http") -> str:
    """Return an address at a raw server."""
    return f"{scheme}://127.0.0.1:{server.port}/token/"


def body_of(response: Response) -> bytes:
    """Read an answer as it is."""
    return response.body


def answer(connection: socket.socket, server: RawServer) -> None:
    """Answer one request well."""
    server.received.append(read_request(connection))
    connection.sendall(FINE)


def drop(connection: socket.socket, server: RawServer) -> None:
    """Take one request and answer nothing."""
    server.received.append(read_request(connection))


def free_port() -> int:
    """Return a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert isinstance(port, int)
    return port


def assert_silent(error: TikTokAuthError) -> None:
    """Assert that an error shows no secret, no query and no other library's words."""
    text = f"{error} {error!r}"
    assert TOKEN not in text
    assert "secret" not in text.lower()
    assert "HTTPConnectionPool" not in text
    assert error.__cause__ is None
    assert error.__suppress_context__
