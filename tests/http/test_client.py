"""What goes along with a request and what does not, how often it is sent, and when not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.apis.base import Request, Response
from tap_tiktok_auth.errors import (
    ConfigurationError,
    NoAnswer,
    RateLimited,
    TikTokAuthError,
    TryAgainLater,
)
from tap_tiktok_auth.http.client import BODY_LIMIT, Client, Pacer
from tap_tiktok_auth.process import Stop
from tests.http.calls import answer, at, body_of, request
from tests.http.servers import serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.standin.server import StandIn


def test_netrc_is_ignored(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password that lies about for this host is not sent along."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password PASSWORD\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with serving(answer) as server:
        client.send(request(at(server)))
        client.send(request(at(server), spends=True))
    assert b"authorization" not in b"".join(server.received).lower()


def test_cookies_are_not_kept(client: Client, standin: StandIn) -> None:
    """What one answer sets is not sent with the next request of another connection."""
    standin.fail("/x/", body={}, headers={"Set-Cookie": "who=me; Path=/"}, times=1)
    url = f"{standin.url}/x/"
    client.send(request(url))
    client.send(request(url))
    assert "cookie" not in standin.calls[1].headers


def test_reads_share_a_connection_and_token_requests_do_not(
    client: Client, standin: StandIn
) -> None:
    """Reads go over one connection, which stays; each request that spends gets a new one."""
    url = f"{standin.url}/open_api/v1.3/user/info/"
    for _ in range(3):
        client.send(request(url))
    reads = {call.port for call in standin.calls}
    for _ in range(3):
        client.send(request(url, spends=True))
    posts = {call.port for call in standin.calls[3:]}
    assert (len(reads), len(posts)) == (1, 3)
    assert not reads & posts
    client.send(request(url))
    assert {standin.calls[-1].port} == reads


def test_an_idle_connection_that_was_closed(client: Client, waits: list[float]) -> None:
    """A read over a connection that the other side closed meanwhile is made again."""
    del waits
    with serving(answer) as server:
        assert client.fetch(request(at(server)), body_of) == b"{}"
        assert client.fetch(request(at(server)), body_of) == b"{}"
        assert client.fetch(request(at(server), spends=True), body_of) == b"{}"


@pytest.mark.parametrize("header", ["act\r\nX-Evil: 1", "act\n", "act\u2028", "t\u00f6ken\u4e00"])
def test_a_token_that_no_header_takes(client: Client, header: str) -> None:
    """A credential that cannot be sent is a matter of settings, and is not shown."""
    headers = {"Access-Token": header}
    with serving(answer) as server:
        with pytest.raises(ConfigurationError, match="cannot be sent") as caught:
            client.fetch(Request("read", "GET", at(server), headers=headers), body_of)
        assert header not in str(caught.value)
        assert server.received == []


def test_an_answer_at_the_limit(client: Client, standin: StandIn) -> None:
    """Just as much as allowed is read, one byte more is not."""
    standin.fail("/x/", body=b" " * BODY_LIMIT)
    standin.fail("/x/", body=b" " * (BODY_LIMIT + 1))
    url = f"{standin.url}/x/"
    assert len(client.send(request(url)).body) == BODY_LIMIT
    with pytest.raises(NoAnswer, match="larger than 10 MB"):
        client.send(request(url))


def test_retry_after_is_honoured(client: Client, standin: StandIn, waits: list[float]) -> None:
    """A wait that the answer names is at least waited, up to five minutes."""
    standin.fail("/x/", body=b"", status=429, headers={"Retry-After": "42"})
    standin.fail("/x/", body=b"", status=429, headers={"Retry-After": "999999"})
    standin.fail("/x/", body=b"", status=429, headers={"Retry-After": "Wed, 21 Oct 2026"})
    standin.fail("/x/", body=b"fine")

    def read(response: Response) -> bytes:
        if response.status == 429:
            raise RateLimited("slow down")
        return response.body

    assert client.fetch(request(f"{standin.url}/x/"), read) == b"fine"
    assert waits[:2] == [42.0, 300.0]


def test_told_to_stop(standin: StandIn) -> None:
    """Once the process is to end nothing new is sent and no wait goes on."""
    stop = Stop()
    client = Client(stop=stop, requests_per_second=10_000)

    def read(response: Response) -> bytes:
        stop.set()
        raise TryAgainLater(f"HTTP {response.status}")

    with pytest.raises(TryAgainLater, match="told to stop"):
        client.fetch(request(f"{standin.url}/x/"), read)
    with pytest.raises(TryAgainLater, match="told to stop"):
        client.fetch(request(f"{standin.url}/x/"), read)
    assert len(standin.calls) == 1
    client.close()


class Waits(Stop):
    """Is never set; a wait for it ends at once."""

    def __init__(self) -> None:
        super().__init__()
        self.lengths: list[float] = []

    def wait(self, seconds: float) -> bool:
        """Note how long the wait would be."""
        self.lengths.append(seconds)
        return False


def test_requests_of_an_app_keep_their_distance() -> None:
    """They are spaced evenly, a little below the app's limit; another app has its own."""
    pacer = Pacer(2)
    first, second, third, another = (pacer.reserve(app_id) for app_id in ("7", "7", "7", "8"))
    assert first == another == 0
    assert 0 < second <= 0.5 / 0.97
    assert 0.5 < third - second <= 0.5 / 0.97


def test_a_request_waits_for_its_moment() -> None:
    """The client waits as long as the pace asks for before it sends."""
    waits = Waits()
    client = Client(stop=waits, requests_per_second=2)
    with serving(answer) as server:
        for _ in range(2):
            client.fetch(request(at(server), app_id="7"), body_of)
    client.close()
    assert 0 < waits.lengths[0] <= 0.5 / 0.97


@pytest.mark.parametrize("kind", [ConfigurationError, TryAgainLater])
def test_before_send_comes_right_before(
    client: Client, waits: list[float], kind: type[TikTokAuthError]
) -> None:
    """It is called before each sending, and what it raises ends the request, without a retry."""
    called: list[int] = []

    def confirm() -> None:
        called.append(1)
        if len(called) == 2:
            raise kind("not ours any more")

    def read(response: Response) -> bytes:
        raise RateLimited(f"HTTP {response.status}")

    with serving(answer) as server:
        with pytest.raises(kind, match="not ours"):
            client.fetch(request(at(server), spends=True), read, before_send=confirm)
        assert (server.accepted, len(called)) == (1, 2)
    assert len(waits) <= 1


def test_only_our_own_name_is_told(client: Client) -> None:
    """The request says who asks, takes no compressed answer, and nothing of `requests`."""
    with serving(answer) as server:
        client.send(request(at(server)))
    (sent,) = server.received
    assert b"User-Agent: tap-tiktok-auth/" in sent
    assert b"Accept-Encoding: identity" in sent
    assert b"python-requests" not in sent
