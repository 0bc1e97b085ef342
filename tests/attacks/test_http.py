"""Where requests with secrets may go, whose answers are read, and how late."""

from __future__ import annotations

import json
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.errors import NoAnswer, Unreachable
from tap_tiktok_auth.http import client as client_module
from tap_tiktok_auth.http.client import Client
from tests.certificates import server_context
from tests.http.calls import TOKEN, answer, at, body_of, request
from tests.http.servers import RawServer, read_request, serving
from tests.store.forks import forked

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

#: Larger than what is read ahead, small enough for the socket.
BODY = b'{"code": 0' + b" " * 40_000 + b"}"
OF_KNOWN_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY)
OF_ANY_LENGTH = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"


@pytest.fixture
def client() -> Iterator[Client]:
    """Return a client that is patient enough for this machine."""
    with closing(Client(timeout=5.0)) as client:
        yield client


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_loopback_goes_through_no_proxy(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent to this machine in clear does not leave it by the environment's proxy."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serving(answer) as proxy, serving(answer) as tiktok:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
        with closing(Client(timeout=5.0)) as client:
            assert client.fetch(request(at(tiktok), spends=True), body_of) == b"{}"
        assert (proxy.accepted, tiktok.accepted) == (0, 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("spends", [False, True])
@pytest.mark.parametrize("same_host", [False, True])
def test_redirects_end_it(client: Client, status: int, *, spends: bool, same_host: bool) -> None:
    """No redirect is followed, neither to the same host nor to another, whatever is sent."""
    with serving(answer) as other:

        def redirect(connection: socket.socket, server: RawServer) -> None:
            server.received.append(read_request(connection))
            there = at(server if same_host else other)
            head = f"HTTP/1.1 {status} Moved\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n"
            connection.sendall(head.encode())

        with serving(redirect) as tiktok:
            assert client.send(request(at(tiktok), spends=spends)).status == status
            assert (tiktok.accepted, other.accepted) == (1, 0)


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_VERIFY"])
@pytest.mark.parametrize("value", ["", "0", "false"])
def test_the_environment_cannot_switch_tls_off(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate that nobody trusts stops the request before the token is sent."""
    context, _ = server_context("127.0.0.1", tmp_path)

    def deal(connection: socket.socket, server: RawServer) -> None:
        with context.wrap_socket(connection, server_side=True) as way:
            server.received.append(read_request(way))

    monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONHTTPSVERIFY", "0")
    with serving(deal) as server, closing(Client(timeout=2.0)) as client:
        with pytest.raises(Unreachable, match=r"trusted TLS|REQUESTS_CA_BUNDLE"):
            client.send(request(at(server, "https"), spends=True))
        assert TOKEN.encode() not in b"".join(server.received)


def test_a_forked_child_reads_its_own_answers(client: Client) -> None:
    """A child does not send on the connection that its parent keeps open."""

    def deal(connection: socket.socket, server: RawServer) -> None:
        connection.settimeout(0.3)
        while read_request(connection):
            body = json.dumps({"accepted": server.accepted}).encode()
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
            connection.sendall(head + body)

    with serving(deal) as server:
        url = at(server)
        assert client.fetch(request(url), body_of) == b'{"accepted": 1}'
        assert forked(lambda: client.fetch(request(url), body_of) == b'{"accepted": 2}')


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("head", [OF_KNOWN_LENGTH, OF_ANY_LENGTH], ids=["known", "any length"])
def test_an_answer_that_is_there_when_its_time_is_over(
    scheme: str, head: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of known length is read, also through TLS: it may hold the only token. Else it is none.

    Of an answer without a length nobody knows whether there is more of it.
    """
    read = client_module._read_body

    def read_late(answer: Any, watch: Any) -> bytes:
        time.sleep(0.2)
        watch.cut_off()
        return read(answer, watch)

    monkeypatch.setattr(client_module, "_read_body", read_late)
    context, trusted = server_context("127.0.0.1", tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))

    def deal(connection: socket.socket, server: RawServer) -> None:
        way = context.wrap_socket(connection, server_side=True) if scheme == "https" else connection
        with way:
            server.received.append(read_request(way))
            way.sendall(head + BODY)
            server.stopped.wait(5)

    with serving(deal) as server, closing(Client(timeout=5.0)) as client:
        asked = request(at(server, scheme), spends=True)
        if head == OF_KNOWN_LENGTH:
            assert client.fetch(asked, body_of) == BODY
        else:
            with pytest.raises(NoAnswer, match="did not answer in time"):
                client.fetch(asked, body_of)
        server.stop()
    assert server.accepted == 1
