"""Rate limits, on a clock that stands still until it is moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.simulator import Simulator
from tap_tiktok_auth.simulator.throttle import Throttle

from .client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

V1 = "/open_api/v1.3"


def _tiktok(tier: str, **options: bool) -> Iterator[Client]:
    with Simulator(tier=tier, clock=lambda: 1_800_000_000.0, **options) as tiktok:
        client = Client(tiktok)
        yield client
        client.session.close()


@pytest.fixture
def basic() -> Iterator[Client]:
    """Return a client of a simulator with Basic limits."""
    yield from _tiktok("basic")


def _user_info(client: Client, token: str) -> int:
    return int(client.get(f"{V1}/user/info/", token)["code"])


def test_basic_allows_ten_a_second(basic: Client) -> None:
    """Ten calls pass, the eleventh is 40100, and a second later ten pass again."""
    token = basic.tiktok.grant("marketing").access_token
    assert [_user_info(basic, token) for _ in range(11)] == [0] * 10 + [40100]
    basic.tiktok.advance(1)
    assert [_user_info(basic, token) for _ in range(11)] == [0] * 10 + [40100]


def test_limits_are_per_app(basic: Client) -> None:
    """One app's burst leaves another app alone."""
    mine = basic.tiktok.grant("marketing").access_token
    other = basic.tiktok.grant("marketing", name="Other App").access_token
    for _ in range(11):
        _user_info(basic, mine)
    assert _user_info(basic, other) == 0


def test_refused_call_spends_nothing(basic: Client) -> None:
    """A code that met the limit can be exchanged later."""
    token, code = basic.tiktok.grant("marketing").access_token, basic.tiktok.authorize()
    for _ in range(10):
        _user_info(basic, token)
    assert basic.exchange("marketing", code)["code"] == 40100
    basic.tiktok.advance(1)
    assert basic.exchange("marketing", code)["code"] == 0


def test_sandbox_tier_and_mode() -> None:
    """In the sandbox each endpoint takes one call a second, and ad accounts are out of reach."""
    for client in _tiktok("sandbox", sandbox=True):
        tokens = client.tiktok.grant("marketing")
        assert [_user_info(client, tokens.access_token) for _ in range(2)] == [0, 40100]
        path, app = f"{V1}/oauth2/advertiser/get/", client.app_fields()
        assert client.get(path, tokens.access_token, **app)["code"] == 40008
        info = client.get(f"{V1}/advertiser/info/", tokens.access_token, advertiser_ids='["1"]')
        assert info["code"] == 40008


def test_steady_calls_at_the_limit_all_pass() -> None:
    """Six hundred calls, evenly spaced over a minute, stay within Basic."""
    throttle = Throttle("basic")
    passed = [throttle.allows("/open_api/x/", "app", "", n * 0.1) for n in range(600)]
    assert all(passed)


def test_one_account_has_forty_a_minute() -> None:
    """The forty-first call for one account and endpoint within a minute is refused."""
    throttle = Throttle("ultimate")
    calls = [throttle.allows("/business/get/", "app", "me", 0.0) for _ in range(41)]
    assert calls == [True] * 40 + [False]
    assert throttle.allows("/business/get/", "app", "you", 0.0)


def test_login_kit_has_its_own_limit() -> None:
    """``/v2/user/info/`` takes 600 a minute and then answers HTTP 429."""
    for client in _tiktok("basic"):
        token = client.tiktok.grant("login_kit").access_token
        headers = {"Authorization": f"Bearer {token}"}
        query = {"fields": "open_id"}
        for _ in range(600):
            client.send("GET", "/v2/user/info/", params=query, headers=headers)
        answer = client.send("GET", "/v2/user/info/", params=query, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limit_exceeded")


def test_unknown_tier() -> None:
    """A tier that does not exist is refused by name."""
    with pytest.raises(ValueError, match="unknown tier 'gold'"):
        Simulator(tier="gold")
