"""The stand-in is as strict as TikTok's documentation says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.standin.world import DAY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.standin.server import StandIn

V1 = "/open_api/v1.3"


@pytest.fixture(name="app")
def _app(standin: StandIn) -> dict[str, str]:
    return {"client_id": "7001", "client_secret": standin.world.add_app("7001")}


def post(standin: StandIn, name: str, grant_type: str, **fields: Any) -> dict[str, Any]:
    """Send a request of an account holder."""
    body = {"grant_type": grant_type, "redirect_uri": "x", **fields}
    url = f"{standin.url}{V1}/tt_user/oauth2/{name}/"
    answer: dict[str, Any] = requests.post(url, json=body, timeout=5).json()
    return answer


def test_codes_and_refresh_tokens_work_once(standin: StandIn, app: dict[str, str]) -> None:
    """A used, old or foreign code and a used refresh token are refused; the consent's end stays."""
    codes = [standin.world.consent("7001", timed=timed) for timed in (True, True, False)]
    exchange = ["token", "authorization_code"]
    first = post(standin, *exchange, **app, auth_code=codes[0])["data"]
    standin.world.offset += DAY
    refused = [post(standin, *exchange, **app, auth_code=code)["code"] for code in codes]
    assert refused == [40110, 40110, 40131]
    refresh = {**app, "refresh_token": first["refresh_token"]}
    second = post(standin, "refresh_token", "refresh_token", **refresh)["data"]
    assert first["refresh_token_expires_in"] - second["refresh_token_expires_in"] == DAY
    assert post(standin, "refresh_token", "refresh_token", **refresh)["code"] == 40107
    assert post(standin, "refresh_token", "refresh_token", **{**app, **second})["code"] == 0


@pytest.mark.parametrize(
    ("path", "sent", "status", "said"),
    [
        (f"{V1}/tt_user/oauth2/token", {"json": {}}, 404, "404 page not found"),
        ("/open_api/v2.0/tt_user/oauth2/token/", {"json": {}}, 404, "404 page not found"),
        (f"{V1}/tt_user/oauth2/token/", {"data": {"client_id": "7001"}}, 200, "40002"),
        (f"{V1}/tt_user/oauth2/token/", {"json": {"client_id": "7001"}}, 200, "auth_code"),
        ("/v2/oauth/token/", {"json": {"client_key": "7001"}}, 400, "invalid_request"),
    ],
)
def test_addresses_and_bodies_are_exact(
    standin: StandIn, path: str, sent: Mapping[str, Any], status: int, said: str
) -> None:
    """Without its slash there is no such address; a form is no JSON; a missing field is named."""
    answer = requests.post(standin.url + path, timeout=5, **sent)
    assert (answer.status_code, said in answer.text) == (status, True)


def test_headers_decide(standin: StandIn) -> None:
    """A token in the query, or in the other platform's header, is no token."""
    code = standin.world.consent("7001", timed=False)
    token, _ = standin.world.hand_out(standin.world.codes[code].consent, refreshable=False)
    access, bearer = {"Access-Token": token}, {"Authorization": f"Bearer {token}"}
    for path, headers, said in (
        (f"{V1}/user/info/?access_token={token}", {}, "40104"),
        (f"{V1}/user/info/", bearer, "40104"),
        (f"{V1}/user/info/", access, "7788"),
        ("/v2/user/info/", access, "access_token_invalid"),
        ("/v2/user/info/?fields=open_id", bearer, "ok"),
    ):
        assert said in requests.get(standin.url + path, headers=headers, timeout=5).text
