"""A token goes to its own host and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_tiktok_auth import TikTokAuthenticator, network
from tap_tiktok_auth.errors import ConfigurationError

from .loopback import Answer, Loopback, envelope

if TYPE_CHECKING:
    from tap_tiktok_auth.simulator import Simulator

    from .conftest import Make

HOME = "https://business-api.tiktok.com"
#: The same scheme, host and port in any spelling is the token's host.
AT_HOME = (
    HOME,
    f"{HOME}/open_api/v1.3/ad/get/?page=1",
    f"{HOME}:443/x",
    "HTTPS://Business-API.TikTok.com/x",
    f"{HOME}?a=b",
)
#: Another scheme, host or port, or an address that could be read in two ways, is not.
ELSEWHERE = (
    None,
    "",
    "business-api.tiktok.com/x",
    "http://business-api.tiktok.com/x",
    f"{HOME}:8443/x",
    f"{HOME}.evil.example/x",
    f"{HOME}./x",
    "https://open.tiktokapis.com/v2/user/info/",
    f"{HOME}@evil.example/x",
    "https://evil.example/?https://business-api.tiktok.com",
    "https://evil.example#@business-api.tiktok.com/",
    f"{HOME}\\@evil.example/x",
    f"{HOME}\n.evil.example/x",
    f"{HOME}/x\n",
    " https://business-api.tiktok.com/x",
    "https://business-api.tiktok.com:/x",
    "https://business-api.tiktok.com:443443/x",
    "https://business\u2010api.tiktok.com/x",
    "ftp://business-api.tiktok.com/x",
)


@pytest.mark.parametrize(
    ("url", "home"), [(url, url in AT_HOME) for url in (*AT_HOME, *ELSEWHERE)], ids=str
)
def test_home(url: str | None, *, home: bool) -> None:
    """Only a plain address of the same scheme, host and port is the token's host."""
    assert network.is_home(url, HOME) is home


@pytest.mark.parametrize(
    ("location", "stays"),
    [
        ("/open_api/v1.3/ad/get/", True),
        (f"{HOME}/x/", True),
        ("//evil.example/x", False),
        ("/\\evil.example/x", False),
        ("/\t/evil.example/x", False),
        ("\\\\evil.example", False),
        ("https:evil.example", False),
        ("http://business-api.tiktok.com/x", False),
        ("", False),
        ("next", False),
    ],
)
def test_redirect_that_stays(location: str, *, stays: bool) -> None:
    """Only an address of the host itself and a path from its root keep the token."""
    assert network.stays_home(location, HOME) is stays


def test_unusable_data_host_is_no_home() -> None:
    """Two addresses that cannot be read are not the same place."""
    assert not network.is_home("nonsense", "nonsense")


@pytest.mark.parametrize("is_tiktoks", [False, True])
def test_another_host_is_refused(
    make: Make, tiktok_connection: dict[str, Any], foreign: Loopback, *, is_tiktoks: bool
) -> None:
    """A request to another host, Login Kit's too, is not sent, and no query is shown."""
    more = {"login_kit_api_url": foreign.url} if is_tiktoks else {}
    auth = make({**tiktok_connection, **more})
    with pytest.raises(ConfigurationError, match=r"goes to http://127\.0\.0\.1") as caught:
        requests.get(f"{foreign.url}/x?note=private", auth=auth, timeout=10)
    assert "the token only to" in str(caught.value)
    assert "private" not in str(caught.value)
    assert foreign.received == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "_api",
    [pytest.param(api, marks=pytest.mark.tiktok_api(api)) for api in ("accounts", "login_kit")],
)
def test_redirect_elsewhere_loses_the_token(
    status: int, _api: str, make: Make, at_host: dict[str, Any], host: Loopback, foreign: Loopback
) -> None:
    """A redirect to another host is followed without the token, whatever that host answers."""
    host.answers["/out/"] = lambda _: Answer(status, b"", {"Location": f"{foreign.url}/catch/"})
    refusal = b'{"code": 40105, "error": {"code": "access_token_invalid"}}'
    foreign.answers["/catch/"] = lambda _: Answer(200, refusal)
    auth = make(at_host)
    assert requests.get(f"{host.url}/out/", auth=auth, timeout=10).content == refusal
    (arrived,) = foreign.received
    assert arrived.token is None
    assert auth.access_token() not in str(arrived)


def test_way_back_has_no_token(
    make: Make, at_host: dict[str, Any], host: Loopback, foreign: Loopback
) -> None:
    """A redirect that comes back from another host does not get the token again."""
    host.answers["/out/"] = lambda _: Answer(302, b"", {"Location": f"{foreign.url}/catch/"})
    foreign.answers["/catch/"] = lambda _: Answer(302, b"", {"Location": f"{host.url}/back/"})
    host.answers["/back/"] = lambda _: envelope(40104)
    answer = requests.get(f"{host.url}/out/", auth=make(at_host), timeout=10)
    assert answer.json()["code"] == 40104
    assert host.at("/back/")[0].token is None


def test_redirect_at_home_keeps_the_token(
    make: Make, at_host: dict[str, Any], host: Loopback, tiktok_simulator: Simulator
) -> None:
    """A redirect on the host itself, such as to the address with a slash, keeps the token."""
    host.answers["/data"] = lambda _: Answer(307, b"", {"Location": "/data/"})
    host.answers["/data/"] = lambda _: envelope(0)
    auth = make(at_host)
    assert requests.get(f"{host.url}/data", auth=auth, timeout=10).json()["code"] == 0
    assert host.at("/data/")[0].token == auth.access_token()
    assert tiktok_simulator.count("exchange") == 1


@pytest.mark.tiktok_api("accounts")
def test_new_token_does_not_follow_a_changed_address(
    make: Make, at_host: dict[str, Any], host: Loopback, foreign: Loopback
) -> None:
    """If a caller bends a signed request elsewhere, a refusal there draws no further token."""
    foreign.answers["/data/"] = lambda _: envelope(40105)
    auth: TikTokAuthenticator = make(at_host)
    with requests.Session() as session:
        signed = session.prepare_request(requests.Request("GET", f"{host.url}/data/", auth=auth))
        signed.url = f"{foreign.url}/data/"
        assert session.send(signed, timeout=10).json()["code"] == 40105
    assert len(foreign.received) == 1
