"""TikTok's own Python SDK, as it is on PyPI, talks to the simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.simulator import Simulator

business_api_client = pytest.importorskip("business_api_client")
TiktokSDKError = business_api_client.TiktokSDKError


@pytest.fixture
def sdk(tiktok_simulator: Simulator) -> Iterator[Any]:
    """Return an SDK client whose documented setting ``host`` points at the simulator."""
    configuration = business_api_client.Configuration()
    configuration.host = tiktok_simulator.url
    api_client = business_api_client.ApiClient(configuration)
    yield api_client
    api_client.rest_client.pool_manager.clear()
    api_client.pool.terminate()
    api_client.pool.join()


def _exchange(sdk: Any, tiktok: Simulator, **changes: str) -> dict[str, Any]:
    app = tiktok.app("marketing")
    fields = {"app_id": app.app_id, "secret": app.app_secret, "auth_code": tiktok.authorize()}
    body = business_api_client.Oauth2AccessTokenBody(**{**fields, **changes})
    answer = business_api_client.AuthenticationApi(sdk).oauth2_access_token(body=body)
    return dict(answer["data"])


def _list(sdk: Any, tiktok: Simulator, token: str) -> Any:
    app = tiktok.app("marketing")
    api = business_api_client.AuthenticationApi(sdk)
    return api.oauth2_advertiser_get(app.app_id, app.app_secret, token)


def test_sdk_exchanges_a_code(sdk: Any, tiktok_simulator: Simulator) -> None:
    """The SDK gets a live long-term token, the advertisers, and no refresh token."""
    data = _exchange(sdk, tiktok_simulator)
    assert tiktok_simulator.token_state(data["access_token"]) == "live"
    assert data["advertiser_ids"] == list(tiktok_simulator.advertiser_ids)
    assert set(data) == {"access_token", "advertiser_ids", "scope"}


def test_sdk_lists_the_advertisers(sdk: Any, tiktok_simulator: Simulator) -> None:
    """The SDK reads the advertisers of a token, which it sends in the header."""
    answer = _list(sdk, tiktok_simulator, tiktok_simulator.grant("marketing").access_token)
    listed = [advertiser["advertiser_id"] for advertiser in answer["data"]["list"]]
    assert listed == list(tiktok_simulator.advertiser_ids)


def test_sdk_describes_an_advertiser(sdk: Any, tiktok_simulator: Simulator) -> None:
    """The SDK reads account details, with its own encoding of the two lists."""
    token = tiktok_simulator.grant("marketing", advertisers=["7001", "7002"])
    answer = business_api_client.AccountManagementApi(sdk).advertiser_info(
        ["7001", "7002"], token.access_token, fields=["name", "currency"]
    )
    assert answer["data"]["list"][1] == {
        "advertiser_id": "7002",
        "name": "Advertiser 7002",
        "currency": "GBP",
    }


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"auth_code": "made-up"}, 40110),
        ({"secret": "wrong"}, 40101),
        ({"app_id": "1"}, 40113),
    ],
)
def test_sdk_understands_a_refused_exchange(
    sdk: Any, tiktok_simulator: Simulator, changes: dict[str, str], code: int
) -> None:
    """The SDK turns a refusal into its own error, with TikTok's code and a request id."""
    with pytest.raises(TiktokSDKError, match=rf"{code}.*\d{{14}}[0-9A-F]{{18}}"):
        _exchange(sdk, tiktok_simulator, **changes)


def test_sdk_understands_a_revoked_token(sdk: Any, tiktok_simulator: Simulator) -> None:
    """The SDK reports 40105 for a token that the person has revoked."""
    token = tiktok_simulator.grant("marketing").access_token
    tiktok_simulator.revoke(token)
    with pytest.raises(TiktokSDKError, match="40105"):
        _list(sdk, tiktok_simulator, token)
