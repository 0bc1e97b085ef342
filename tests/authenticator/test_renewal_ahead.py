"""The token is renewed before it ends, by the store's clock, and kept in memory until then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from tap_tiktok_auth import TikTokAuthenticator
    from tap_tiktok_auth.simulator import Simulator

    from .conftest import Opener

DAY = 86_400.0


def test_thousand_requests_read_the_store_once(
    ahead: TikTokAuthenticator, opener: Opener, tiktok_simulator: Simulator
) -> None:
    """While the token is fresh, requests are authorised without the store."""
    request = requests.Request("GET", f"{tiktok_simulator.url}/x/").prepare()
    ahead(request)
    before = opener.reads
    for _ in range(1000):
        ahead(request)
    assert opener.reads == before
    assert len(request.hooks["response"]) == 1


@pytest.mark.tiktok_api("accounts")
def test_renewed_before_it_ends(ahead: TikTokAuthenticator, tiktok_simulator: Simulator) -> None:
    """Within the margin before its end the token is refreshed, while the old one still works."""
    first = ahead.access_token()
    tiktok_simulator.advance(DAY - 1900)
    assert ahead.access_token() == first
    tiktok_simulator.advance(200)
    assert tiktok_simulator.token_state(first) == "live"
    assert ahead.access_token() != first
    assert tiktok_simulator.count("refresh") == 1


@pytest.mark.tiktok_api("accounts")
def test_failed_renewal_is_not_tried_at_each_request(
    ahead: TikTokAuthenticator, tiktok_simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A refresh that got no answer is warned about; the token that works is used for a minute."""
    first = ahead.access_token()
    tiktok_simulator.advance(DAY - 1000)
    tiktok_simulator.scenario("drop_reply", path="/refresh_token/")
    assert [ahead.access_token() for _ in range(5)] == [first] * 5
    assert tiktok_simulator.count("refresh") == 1
    assert "connection default" in caplog.text
    assert first not in caplog.text

    tiktok_simulator.advance(61)
    assert ahead.access_token() == first
    assert tiktok_simulator.count("refresh") == 2


@pytest.mark.tiktok_api("accounts")
def test_ended_token_is_never_sent(ahead: TikTokAuthenticator, tiktok_simulator: Simulator) -> None:
    """A token whose time is over is not used, even right after a renewal that failed."""
    first = ahead.access_token()
    tiktok_simulator.advance(DAY - 30)
    tiktok_simulator.scenario("drop_before", path="/refresh_token/", times=1)
    assert ahead.access_token() == first
    tiktok_simulator.advance(31)
    second = ahead.access_token()
    assert second != first
    assert tiktok_simulator.token_state(second) == "live"
