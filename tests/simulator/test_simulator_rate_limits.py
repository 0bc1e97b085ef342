"""Rate limits, on a clock that stands still until it is moved."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.simulator import Simulator
from tap_tiktok_auth.simulator.throttle import Throttle

from .client import V1, Client

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def limited(tier: str, **options: bool) -> Iterator[Client]:
    """Run a simulator of a tier whose clock stands still until it is moved."""
    with Simulator(tier=tier, clock=lambda: 1_800_000_000.0, **options) as tiktok:
        client = Client(tiktok)
        yield client
        client.session.close()


def _user_info(client: Client, token: str) -> int:
    return int(client.get(f"{V1}/user/info/", token)["code"])


def test_basic_allows_ten_a_second_to_an_app() -> None:
    """The eleventh call of a second is 40100 and spends nothing; another app is left alone."""
    with limited("basic") as basic:
        token, code = basic.tiktok.grant("marketing").access_token, basic.tiktok.authorize()
        other = basic.tiktok.grant("marketing", name="Other App").access_token
        assert [_user_info(basic, token) for _ in range(11)] == [0] * 10 + [40100]
        assert _user_info(basic, other) == 0
        assert basic.exchange("marketing", code)["code"] == 40100
        basic.tiktok.advance(1)
        assert basic.exchange("marketing", code)["code"] == 0
        assert [_user_info(basic, token) for _ in range(10)] == [0] * 9 + [40100]


def test_sandbox_tier_and_mode() -> None:
    """In the sandbox each endpoint takes one call a second, and ad accounts are out of reach."""
    with limited("sandbox", sandbox=True) as client:
        token = client.tiktok.grant("marketing").access_token
        assert [_user_info(client, token) for _ in range(2)] == [0, 40100]
        assert client.advertisers(token)["code"] == 40008
        info = client.get(f"{V1}/advertiser/info/", token, advertiser_ids='["1"]')
        assert info["code"] == 40008


def test_login_kit_has_its_own_limit() -> None:
    """``/v2/user/info/`` takes 600 a minute and then answers HTTP 429."""
    with limited("basic") as client:
        token = client.tiktok.grant("login_kit").access_token
        answers = [client.user(token) for _ in range(601)]
    assert {status for status, _ in answers[:600]} == {200}
    status, body = answers[600]
    assert (status, body["error"]["code"]) == (429, "rate_limit_exceeded")


def test_steady_calls_at_the_limit_all_pass() -> None:
    """Six hundred calls, evenly spaced over a minute, stay within Basic."""
    throttle = Throttle("basic")
    assert all(throttle.allows("/open_api/x/", "app", "", n * 0.1) for n in range(600))


@pytest.mark.parametrize(("subject", "most"), [("me", 40), ("", 50)])
def test_one_account_has_forty_a_minute(subject: str, most: int) -> None:
    """The forty-first call for one account and endpoint within a minute is refused."""
    throttle, path = Throttle("ultimate"), "/open_api/v1.3/business/get/"
    calls = [throttle.allows(path, "app", subject, 0.0) for _ in range(most + 1)]
    assert calls == [True] * most + [False]
    assert throttle.allows(path, "app", "you", 0.0) is (subject == "me")
    assert throttle.allows("/v2/oauth/token/", "app", subject, 0.0)


def test_an_idle_hour_saves_nothing_up() -> None:
    """After a pause there are ten calls a second again, not more."""
    throttle = Throttle("basic")
    assert throttle.allows("/open_api/x/", "app", "", 0.0)
    calls = [throttle.allows("/open_api/x/", "app", "", 3600.0) for _ in range(11)]
    assert calls == [True] * 10 + [False]


def test_all_accounts_endpoints_share_a_limit() -> None:
    """At fifty calls a second an app meets the thousand a minute of the Accounts API only."""
    for path, passes in (("/open_api/v1.3/tt_user/x/", False), ("/open_api/v1.3/x/", True)):
        throttle = Throttle("ultimate")
        assert all(throttle.allows(path, "app", "", n * 0.021) for n in range(1_600)) is passes


def test_unknown_tier() -> None:
    """A tier that does not exist is refused by name."""
    with pytest.raises(ValueError, match="unknown tier 'gold'"):
        Simulator(tier="gold")
