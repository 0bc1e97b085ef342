"""Its suite: no TikTok account, no mock, no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
from tap_reports import TapReports

from tap_tiktok_auth import TikTokAuthenticator, TikTokAuthError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.simulator import SimulatedApp, Simulator


@pytest.fixture
def tap(tiktok_connection: dict[str, Any], tiktok_simulator: Simulator) -> Iterator[TapReports]:
    """Return the tap, set up for the simulator."""
    config = {"tiktok": tiktok_connection, "advertiser_ids": list(tiktok_simulator.advertiser_ids)}
    tap = TapReports(config=config, parse_env_config=False)
    yield tap
    tap.tiktok.close()


def rows(tap: TapReports) -> list[Any]:
    """Return the tap's records."""
    return list(tap.streams["advertisers"].get_records(None))


def test_rows(tap: TapReports, tiktok_simulator: Simulator) -> None:
    """The tap gets its rows, and the code is exchanged once."""
    ids = [row["advertiser_id"] for row in rows(tap)]
    assert sorted(ids) == sorted(tiktok_simulator.advertiser_ids)
    assert rows(tap)
    assert tiktok_simulator.count("exchange") == 1


def test_app(tiktok_app: SimulatedApp, tiktok_connection: dict[str, Any]) -> None:
    """The connection belongs to the simulated app."""
    assert tiktok_connection["app_id"] == tiktok_app.app_id


def test_access_withdrawn(tap: TapReports, tiktok_simulator: Simulator) -> None:
    """When the advertiser withdraws, the run ends with the command that mends it."""
    rows(tap)
    tiktok_simulator.revoke(tap.tiktok.access_token())
    with pytest.raises(TikTokAuthError, match="tiktok-auth login default"):
        rows(tap)


@pytest.mark.tiktok_api("accounts")
def test_token_that_ends_early(
    tiktok_connection: dict[str, Any], tiktok_simulator: Simulator
) -> None:
    """A token that ends sooner than it should is refreshed and the request is repeated."""
    with TikTokAuthenticator.from_config(tiktok_connection) as auth:
        auth.access_token()
        tiktok_simulator.advance(2 * 86_400)
        url = f"{tiktok_simulator.url}/open_api/v1.3/business/get/"
        answer = requests.get(url, params={"business_id": "other"}, auth=auth, timeout=10)
    assert answer.json()["code"] == 40001  # whose account that is, TikTok says; not 40102
    assert tiktok_simulator.count("refresh") == 1


@pytest.mark.tiktok_api("login_kit")
def test_login_kit(tiktok_connection: dict[str, Any]) -> None:
    """The marker chooses another token system."""
    url = f"{tiktok_connection['login_kit_api_url']}/v2/user/info/"
    with TikTokAuthenticator.from_config(tiktok_connection) as auth:
        answer = requests.get(url, params={"fields": "open_id"}, auth=auth, timeout=10)
    assert answer.json()["data"]["user"]["open_id"]
