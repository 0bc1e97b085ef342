"""What the transport promises: it knows what left, ends in time, re-sends nothing by itself."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from urllib3.util import connection as urllib3_connection

from tap_tiktok_auth.errors import GrantRejected, NoAnswer, TryAgainLater, Unreachable
from tap_tiktok_auth.http.client import Client
from tap_tiktok_auth.http.transport import Watch
from tests.http.calls import TOKEN, answer, assert_silent, at, body_of, drop, free_port, request
from tests.http.servers import RawServer, read_request, serving

if TYPE_CHECKING:
    from tap_tiktok_auth.apis.base import Response
    from tests.standin.server import StandIn


@pytest.mark.parametrize("spends", [False, True])
def test_refused_connection(client: Client, waits: list[float], *, spends: bool) -> None:
    """Nothing left, so it is tried again, also with a single-use credential."""
    url = f"http://127.0.0.1:{free_port()}/token/?secret=1"
    with pytest.raises(Unreachable, match="no connection") as caught:
        client.fetch(request(url, spends=spends), body_of)
    assert_silent(caught.value)
    assert len(waits) <= 4


def test_refused_four_times_then_taken(
    client: Client, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that comes back within the tries gets the request, once."""
    del waits
    failures = iter([OSError("refused")] * 4)
    true_connect = urllib3_connection.create_connection

    def connect(*args: Any, **kwargs: Any) -> socket.socket:
        for failure in failures:
            raise failure
        return true_connect(*args, **kwargs)

    with serving(answer) as server:
        monkeypatch.setattr(urllib3_connection, "create_connection", connect)
        assert client.fetch(request(at(server), spends=True), body_of) == b"{}"
        assert server.accepted == 1


@pytest.mark.usefixtures("waits")
def test_unknown_host(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is not known is told as that."""

    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unreachable, match="name is not known") as caught:
        client.fetch(request("https://nowhere.invalid/x/", spends=True), body_of)
    assert_silent(caught.value)


@pytest.mark.usefixtures("waits")
def test_failed_tls_handshake(client: Client) -> None:
    """A handshake that fails has carried nothing of the request, so it is tried again."""

    def deal(connection: socket.socket, server: RawServer) -> None:
        server.received.append(connection.recv(65_536))
        connection.sendall(b"this is no TLS\r\n")

    with serving(deal) as server:
        with pytest.raises(Unreachable, match="TLS") as caught:
            client.fetch(request(at(server, "https"), spends=True), body_of)
        assert server.accepted == 5
    assert_silent(caught.value)
    assert not any(TOKEN.encode() in piece for piece in server.received)


@pytest.mark.usefixtures("waits")
def test_dropped_answer(client: Client) -> None:
    """A credential that left is never sent again; a plain read is."""
    with serving(drop) as server:
        with pytest.raises(NoAnswer, match="broke off") as caught:
            client.fetch(request(at(server), spends=True), body_of)
        assert server.accepted == 1
        assert_silent(caught.value)
        with pytest.raises(NoAnswer, match="broke off"):
            client.fetch(request(at(server)), body_of)
        assert server.accepted == 6


@pytest.mark.parametrize(
    "piece",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
        b"HTTP/1.1 200",
        b"not HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
@pytest.mark.usefixtures("waits")
def test_broken_http(client: Client, piece: bytes) -> None:
    """What cannot be read as an answer is no answer, and the credential is not sent again."""

    def deal(connection: socket.socket, server: RawServer) -> None:
        server.received.append(read_request(connection))
        connection.sendall(piece)

    def read(response: Response) -> bytes:
        if response.body != b"{}":
            raise NoAnswer("not understood")
        return response.body

    with serving(deal) as server:
        with pytest.raises(NoAnswer):
            client.fetch(request(at(server), spends=True), read)
        assert server.accepted == 1


@pytest.mark.parametrize("where", ["head", "body", "endless body"])
def test_a_slow_drip_ends(where: str) -> None:
    """An answer that trickles in for longer than the timeout is cut off."""

    def deal(connection: socket.socket, server: RawServer) -> None:
        read_request(connection)
        if where == "body":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        elif where == "endless body":
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
        while not server.stopped.wait(0.02):
            connection.sendall(b" ")

    slow = Client(timeout=0.3, requests_per_second=10_000)
    with serving(deal) as server:
        done = threading.Event()
        caught: list[Exception] = []

        def send() -> None:
            try:
                slow.send(request(at(server), spends=True))
            except NoAnswer as error:
                caught.append(error)
            done.set()

        thread = threading.Thread(target=send)
        thread.start()
        assert done.wait(10)
        thread.join()
    slow.close()
    assert "did not answer in time" in str(caught[0])


def test_a_cut_off_answer_is_not_whole(client: Client) -> None:
    """An answer without a length that ends early is not taken for all of it when time is up."""
    client.timeout = 0.2

    def deal(connection: socket.socket, server: RawServer) -> None:
        read_request(connection)
        connection.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"code": 0}')
        server.stopped.wait(5)

    with serving(deal) as server:
        with pytest.raises(NoAnswer, match="did not answer in time"):
            client.send(request(at(server), spends=True))
        server.stop()


@pytest.mark.usefixtures("waits")
def test_a_proxy_that_refuses_the_tunnel(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a proxy was told to open the tunnel is not the request: that can be tried again."""

    def deal(connection: socket.socket, server: RawServer) -> None:
        server.received.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

    with serving(deal) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(Unreachable, match="proxy") as caught:
            client.fetch(request("https://business.example/x/", spends=True), body_of)
        assert proxy.accepted == 5
    assert_silent(caught.value)
    assert all(piece.startswith(b"CONNECT business.example:443") for piece in proxy.received)
    assert not any(TOKEN.encode() in piece for piece in proxy.received)


@pytest.mark.usefixtures("waits")
def test_a_tunnel_that_ends_in_nothing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handshake that fails behind the proxy has carried nothing either."""

    def deal(connection: socket.socket, server: RawServer) -> None:
        server.received.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")

    with serving(deal) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(Unreachable):
            client.fetch(request("https://business.example/x/", spends=True), body_of)
        assert proxy.accepted == 5


@pytest.mark.usefixtures("waits")
def test_a_plain_proxy_that_drops_the_request(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that took the request itself may have passed it on."""
    with serving(drop) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(NoAnswer):
            client.fetch(request("http://business.example/x/", spends=True), body_of)
        assert proxy.accepted == 1


def test_what_is_late_before_it_leaves_stays_here() -> None:
    """A request whose time was over while its host was looked up or connected to is not sent."""
    watch = Watch()
    watch.cut_off()
    with pytest.raises(TimeoutError):
        watch.leaves_by(None)
    assert not watch.left


@pytest.mark.usefixtures("waits")
def test_only_what_spends_may_have_been_used_up(client: Client, standin: StandIn) -> None:
    """A refusal after a failure of TikTok's is doubtful only if a credential was at stake."""
    failure = TryAgainLater("TikTok failed", code="50000")

    def told(*, spends: bool) -> str:
        answers = iter([failure, GrantRejected("TikTok refuses")])

        def read(response: Response) -> None:
            del response
            raise next(answers)

        with pytest.raises(GrantRejected) as caught:
            client.fetch(request(f"{standin.url}/x/", spends=spends), read)
        return caught.value.cause

    assert told(spends=False) == "TikTok refuses"
    assert "had failed with 50000 just before" in told(spends=True)
