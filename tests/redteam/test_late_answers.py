"""An answer that is there in full, although the time of its request is over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.errors import NoAnswer
from tap_tiktok_auth.http import client as client_module
from tap_tiktok_auth.http.client import Client
from tests.certificates import server_context
from tests.http.calls import at, body_of, request
from tests.http.servers import RawServer, read_request, serving

if TYPE_CHECKING:
    import socket
    from pathlib import Path

#: Larger than what is read ahead, small enough for the socket.
BODY = b'{"code": 0' + b" " * 40_000 + b"}"
HEADS = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY),
    "none": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
}


@pytest.fixture(autouse=True)
def _stopped_before_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the time be over when the head was read and all of the body has arrived."""
    read = client_module._read_body

    def late(answer: Any, watch: Any) -> bytes:
        time.sleep(0.2)
        watch.cut_off()
        return read(answer, watch)

    monkeypatch.setattr(client_module, "_read_body", late)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_answer_of_known_length(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read to its end from the socket, also through TLS: it may hold the only token."""
    context, trusted = server_context("127.0.0.1", tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))

    def deal(connection: socket.socket, server: RawServer) -> None:
        way = context.wrap_socket(connection, server_side=True) if scheme == "https" else connection
        with way:
            server.received.append(read_request(way))
            way.sendall(HEADS["length"] + BODY)
            server.stopped.wait(5)

    client = Client(timeout=5.0)
    with serving(deal) as server:
        assert client.fetch(request(at(server, scheme), spends=True), body_of) == BODY
        server.stop()
    client.close()
    assert server.accepted == 1


def test_an_answer_of_unknown_length() -> None:
    """Nobody knows whether there is more of it, so it is none."""

    def deal(connection: socket.socket, server: RawServer) -> None:
        server.received.append(read_request(connection))
        connection.sendall(HEADS["none"] + BODY)
        server.stopped.wait(5)

    client = Client(timeout=5.0)
    with serving(deal) as server:
        with pytest.raises(NoAnswer, match="did not answer in time"):
            client.fetch(request(at(server), spends=True), body_of)
        server.stop()
    client.close()
