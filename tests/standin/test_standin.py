"""The stand-in is as strict as TikTok's documentation says."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.standin.world import DAY

if TYPE_CHECKING:
    from tests.standin.server import StandIn

BUSINESS = "/open_api/v1.3"


def ask(
    standin: StandIn,
    path: str,
    body: dict[str, Any] | None = None,
    *,
    form: bool = False,
    headers: dict[str, str] | None = None,
) -> tuple[int, Any]:
    """Ask the stand-in, with nothing of the package."""
    data = None
    sent = dict(headers or {})
    if body is not None:
        data = (urllib.parse.urlencode(body) if form else json.dumps(body)).encode()
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        sent["Content-Type"] = kind
    request = urllib.request.Request(standin.url + path, data, sent)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=5) as answer:
            status, raw = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            status, raw = error.code, error.read()
    try:
        return status, json.loads(raw)
    except ValueError:
        return status, raw


@pytest.fixture(name="app")
def _app(standin: StandIn) -> dict[str, str]:
    return {"client_id": "7001", "client_secret": standin.world.add_app("7001")}


def exchange(standin: StandIn, app: dict[str, str], code: str) -> dict[str, Any]:
    """Exchange an account holder's code."""
    body = {**app, "grant_type": "authorization_code", "auth_code": code, "redirect_uri": "x"}
    answer: dict[str, Any] = ask(standin, f"{BUSINESS}/tt_user/oauth2/token/", body)[1]
    return answer


def refresh(standin: StandIn, app: dict[str, str], token: str) -> dict[str, Any]:
    """Refresh an account holder's token."""
    body = {**app, "grant_type": "refresh_token", "refresh_token": token}
    answer: dict[str, Any] = ask(standin, f"{BUSINESS}/tt_user/oauth2/refresh_token/", body)[1]
    return answer


def test_a_code_works_once(standin: StandIn, app: dict[str, str]) -> None:
    """The second exchange of a code is refused, and so is one that is too old."""
    code = standin.world.consent("7001", timed=True)
    assert exchange(standin, app, code)["code"] == 0
    assert exchange(standin, app, code)["code"] == 40110
    late = standin.world.consent("7001", timed=True)
    standin.world.offset += 601
    assert exchange(standin, app, late)["code"] == 40110


def test_a_refresh_token_works_once(standin: StandIn, app: dict[str, str]) -> None:
    """Refreshing kills the refresh token that was sent; the end of the consent does not move."""
    code = standin.world.consent("7001", timed=True)
    first = exchange(standin, app, code)["data"]
    standin.world.offset += DAY
    second = refresh(standin, app, first["refresh_token"])["data"]
    assert first["refresh_token_expires_in"] - second["refresh_token_expires_in"] == DAY
    assert refresh(standin, app, first["refresh_token"])["code"] == 40107
    assert refresh(standin, app, second["refresh_token"])["code"] == 0


def test_a_code_of_the_other_flow(standin: StandIn, app: dict[str, str]) -> None:
    """An advertiser's code is none at the account holders' endpoint."""
    code = standin.world.consent("7001", timed=False)
    assert exchange(standin, app, code)["code"] == 40131


def test_addresses_and_bodies_are_exact(standin: StandIn, app: dict[str, str]) -> None:
    """Without its slash there is no such address; a form is no JSON; a missing field is named."""
    path = f"{BUSINESS}/tt_user/oauth2/token"
    assert ask(standin, path, app) == (404, b"404 page not found")
    assert ask(standin, path.replace("v1.3", "v2.0") + "/", app)[0] == 404
    assert ask(standin, f"{path}/", app, form=True)[1]["code"] == 40002
    assert "auth_code" in ask(standin, f"{path}/", app)[1]["message"]
    assert ask(standin, "/v2/oauth/token/", {"client_key": "7001"})[0] == 400


def test_headers_decide(standin: StandIn) -> None:
    """A token in the query, or in the other platform's header, is no token."""
    code = standin.world.consent("7001", timed=False)
    token, _ = standin.world.hand_out(standin.world.codes[code].consent, refreshable=False)
    path = f"{BUSINESS}/user/info/"
    assert ask(standin, f"{path}?access_token={token}")[1]["code"] == 40104
    assert ask(standin, path, headers={"Authorization": f"Bearer {token}"})[1]["code"] == 40104
    assert ask(standin, path, headers={"Access-Token": token})[1]["code"] == 0
    status, kit = ask(standin, "/v2/user/info/", headers={"Access-Token": token})
    assert (status, kit["error"]["code"]) == (401, "access_token_invalid")
