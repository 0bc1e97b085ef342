"""The Login Kit of the simulator."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.simulator import Simulator

from .client import Client

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN = "/v2/oauth/token/"
DESKTOP = "http://127.0.0.1:8123/callback/"
VERIFIER = "a-._~" * 10


def _user(client: Client, token: str, fields: str = "open_id") -> tuple[int, Mapping[str, Any]]:
    headers = {"Authorization": f"Bearer {token}"}
    answer = client.send("GET", "/v2/user/info/", params={"fields": fields}, headers=headers)
    return answer.status_code, answer.json()


def test_exchange_answers_flat_with_the_new_lifetimes(client: Client) -> None:
    """An exchange gives two hours and 180 days, with no envelope."""
    answer = client.exchange("login_kit", client.tiktok.authorize("login_kit"))
    assert (answer["expires_in"], answer["refresh_expires_in"]) == (7200, 15552000)
    assert set(answer) == {
        "access_token", "expires_in", "open_id", "refresh_expires_in", "refresh_token", "scope",
        "token_type",
    }  # fmt: skip


def test_refresh_rotates_and_starts_the_life_anew(client: Client) -> None:
    """A refresh kills the old refresh token and gives the new one 180 days again."""
    first = client.tiktok.grant("login_kit")
    client.tiktok.advance(86400)
    second = client.refresh("login_kit", str(first.refresh_token))
    assert second["refresh_expires_in"] == 15552000
    again = client.refresh("login_kit", str(first.refresh_token))
    assert again["error"] == "invalid_grant"
    assert len(again["log_id"]) == 32


def test_client_credentials(client: Client) -> None:
    """An app gets a token for itself, which speaks for no user."""
    fields = {**client.app_fields("login_kit"), "grant_type": "client_credentials"}
    answer = client.form(TOKEN, **fields)
    assert set(answer) == {"access_token", "expires_in", "token_type"}
    status, body = _user(client, answer["access_token"])
    assert (status, body["error"]["code"]) == (401, "access_token_invalid")


def test_desktop_proves_itself_with_a_hex_challenge(client: Client) -> None:
    """A code asked for with a challenge needs its verifier: hex SHA-256, not base64url."""
    challenge = hashlib.sha256(VERIFIER.encode()).hexdigest()
    code = client.tiktok.authorize("login_kit", redirect_uri=DESKTOP, code_challenge=challenge)
    wrong = client.exchange("login_kit", code, redirect_uri=DESKTOP, code_verifier="b" * 43)
    assert wrong["error_description"] == "Code verifier or code challenge is invalid."
    none = client.exchange("login_kit", code, redirect_uri=DESKTOP)
    assert none["error"] == "invalid_request"
    right = client.exchange("login_kit", code, redirect_uri=DESKTOP, code_verifier=VERIFIER)
    assert right["token_type"] == "Bearer"


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"client_secret": ""}, "invalid_request", "Client secret is missed in request."),
        ({"client_secret": "x"}, "invalid_client", "Client key or secret is incorrect."),
        ({"client_key": "x"}, "invalid_client", "Client key or secret is incorrect."),
        ({"code": "x"}, "invalid_grant", "Authorization code is invalid."),
        ({"grant_type": "password"}, "unsupported_grant_type", "Grant type is not supported."),
        (
            {"redirect_uri": "https://example.com/x/"},
            "invalid_request",
            "Redirect_uri is not matched with the uri when requesting code.",
        ),
    ],
)
def test_refused_exchange(client: Client, change: dict[str, str], error: str, text: str) -> None:
    """Each mistake has its OAuth error, with HTTP 200, and does not spend the code."""
    code = client.tiktok.authorize("login_kit")
    app = client.tiktok.app("login_kit")
    fields = {
        **client.app_fields("login_kit"),
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": app.redirect_uri,
    }
    answer = client.send("POST", TOKEN, data={**fields, **change})
    assert answer.status_code == 200
    assert (answer.json()["error"], answer.json()["error_description"]) == (error, text)
    assert client.tiktok.token_state(code) == "live"


def test_code_works_once_and_for_ten_minutes(client: Client) -> None:
    """A used code and an old one are ``invalid_grant``."""
    used, old = client.tiktok.authorize("login_kit"), client.tiktok.authorize("login_kit")
    client.exchange("login_kit", used)
    assert client.exchange("login_kit", used)["error"] == "invalid_grant"
    client.tiktok.advance(600)
    assert client.exchange("login_kit", old)["error"] == "invalid_grant"


def test_json_is_malformed_here(client: Client) -> None:
    """A JSON body is refused where a form is documented."""
    answer = client.post(TOKEN, grant_type="client_credentials")
    assert answer["error_description"] == "The request parameters are malformed."


def test_business_app_is_a_stranger(client: Client) -> None:
    """The app of the API for Business is no client of Login Kit, nor the other way round."""
    business = client.tiktok.app("marketing")
    fields = {"client_key": business.app_id, "client_secret": business.app_secret}
    answer = client.form(TOKEN, **fields, grant_type="client_credentials")
    assert answer["error"] == "invalid_client"
    kit = client.tiktok.app("login_kit")
    refused = client.post(
        "/open_api/v1.3/oauth2/access_token/",
        app_id=kit.app_id, secret=kit.app_secret, auth_code="x",
    )  # fmt: skip
    assert refused["code"] == 40113


def test_revoke_answers_with_an_empty_body(client: Client) -> None:
    """A revoke has no body; a second one is refused."""
    tokens = client.tiktok.grant("login_kit")
    fields = {**client.app_fields("login_kit"), "token": tokens.access_token}
    answer = client.send("POST", "/v2/oauth/revoke/", data=fields)
    assert (answer.status_code, answer.content) == (200, b"")
    assert client.tiktok.token_state(str(tokens.refresh_token)) == "revoked"
    assert client.form("/v2/oauth/revoke/", **fields)["error"] == "invalid_grant"


def test_user_info(client: Client) -> None:
    """The account is described by the fields that were asked for."""
    tokens = client.tiktok.grant("login_kit")
    status, body = _user(client, tokens.access_token, "open_id,union_id,display_name")
    assert (status, body["error"]["code"]) == (200, "ok")
    assert set(body["data"]["user"]) == {"open_id", "union_id", "display_name"}
    assert body["data"]["user"]["open_id"] == tokens.open_id


def test_user_info_refuses_in_the_documented_ways(client: Client) -> None:
    """Wrong fields are 400, a missing scope and a dead token are 401."""
    tokens = client.tiktok.grant("login_kit", scopes=["user.info.basic"])
    assert _user(client, tokens.access_token, "")[0] == 400
    status, body = _user(client, tokens.access_token, "username")
    assert (status, body["error"]["code"]) == (401, "scope_not_authorized")
    client.tiktok.advance(7200)
    status, body = _user(client, tokens.access_token)
    assert (status, body["error"]["code"]) == (401, "access_token_invalid")


def test_errors_can_be_flat_or_have_another_status() -> None:
    """Both documented error shapes, and OAuth errors with HTTP 400, can be had."""
    with Simulator(flat_errors=True, oauth_error_status=400) as tiktok:
        client = Client(tiktok)
        status, body = _user(client, "made-up")
        refused = client.send("POST", TOKEN, data={})
        client.session.close()
    assert (status, body["code"]) == (401, "access_token_invalid")
    assert refused.status_code == 400
