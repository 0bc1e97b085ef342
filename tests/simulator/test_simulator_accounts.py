"""The Accounts API of the simulator, and the creator side that shares its endpoints."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest

from tap_tiktok_auth.simulator import Simulator

from .client import Client

V1 = "/open_api/v1.3"


def test_exchange_answers_the_documented_object(client: Client) -> None:
    """An exchange gives a day, a year, and the scopes as one comma string."""
    data = client.exchange("accounts", client.tiktok.authorize("accounts"))["data"]
    assert (data["expires_in"], data["refresh_token_expires_in"]) == (86400, 31536000)
    assert data["token_type"] == "Bearer"
    assert "user.info.basic" in data["scope"].split(",")


def test_scope_order_is_not_stable(client: Client) -> None:
    """The same scopes come in another order from call to call."""
    tokens = client.tiktok.grant("accounts")
    app_id = client.tiktok.app("accounts").app_id
    body = {"app_id": app_id, "access_token": tokens.access_token}
    path = f"{V1}/tt_user/token_info/get/"
    scopes = [client.post(path, **body)["data"]["scope"] for _ in range(5)]
    assert len(set(scopes)) > 1
    assert len({frozenset(scope.split(",")) for scope in scopes}) == 1


def test_code_lives_ten_minutes(client: Client) -> None:
    """A code of the account holder page is refused after ten minutes."""
    code = client.tiktok.authorize("accounts")
    client.tiktok.advance(600)
    assert client.exchange("accounts", code)["code"] == 40110


def test_code_must_be_decoded_exactly_once(client: Client) -> None:
    """A code that is decoded twice, or not at all, is another string and unknown."""
    code = client.tiktok.authorize("accounts")
    assert unquote(code) != code
    assert client.exchange("accounts", unquote(code))["code"] == 40110
    assert client.exchange("accounts", quote(code, safe=""))["code"] == 40110
    assert client.exchange("accounts", code)["code"] == 0


def test_code_of_the_portal_is_refused(client: Client) -> None:
    """A Marketing code at this endpoint is refused with 40131."""
    assert client.exchange("accounts", client.tiktok.authorize("marketing"))["code"] == 40131


def test_redirect_uri_must_be_the_one_of_the_consent(client: Client) -> None:
    """Another redirect URI is refused, and the code is still good."""
    code = client.tiktok.authorize("accounts")
    wrong = client.exchange("accounts", code, redirect_uri="https://example.com/other/")
    assert wrong["code"] == 40002
    assert client.exchange("accounts", code)["code"] == 0


def test_refresh_rotates_and_the_deadline_stays(client: Client) -> None:
    """A refresh kills the old refresh token, spares the old access token, and gains no time."""
    first = client.tiktok.grant("accounts")
    client.tiktok.advance(8686)
    second = client.refresh("accounts", str(first.refresh_token))["data"]
    assert second["refresh_token_expires_in"] == pytest.approx(31527314, abs=2)
    assert client.refresh("accounts", str(first.refresh_token))["code"] == 40107
    assert client.tiktok.token_state(first.access_token) == "live"
    assert client.tiktok.tokens_spent == 1


def test_rotation_can_be_lenient() -> None:
    """Without strict rotation the old refresh token goes on working."""
    with Simulator(strict_rotation=False) as tiktok:
        client, tokens = Client(tiktok), tiktok.grant("accounts")
        codes = [client.refresh("accounts", str(tokens.refresh_token))["code"] for _ in range(2)]
        client.session.close()
    assert codes == [0, 0]


def test_consent_ends_after_a_year(client: Client) -> None:
    """However often it is refreshed, the last refresh token dies a year after the consent."""
    refresh_token = str(client.tiktok.grant("accounts").refresh_token)
    client.tiktok.advance(300 * 86400)
    refresh_token = client.refresh("accounts", refresh_token)["data"]["refresh_token"]
    client.tiktok.advance(65 * 86400)
    assert client.refresh("accounts", refresh_token)["code"] == 40103


def test_access_token_expires_after_a_day(client: Client) -> None:
    """A token of yesterday is 40102, one of a withdrawn consent 40105."""
    tokens = client.tiktok.grant("accounts")
    query = {"business_id": tokens.open_id}
    client.tiktok.advance(86400)
    assert client.get(f"{V1}/business/get/", tokens.access_token, **query)["code"] == 40102
    client.tiktok.revoke(tokens.open_id)
    assert client.get(f"{V1}/business/get/", tokens.access_token, **query)["code"] == 40105
    assert client.refresh("accounts", str(tokens.refresh_token))["code"] == 40105


def test_old_grants_can_be_made(client: Client) -> None:
    """A grant of some age has that much less time left."""
    tokens = client.tiktok.grant("accounts", age=86000)
    assert tokens.expires_in == 400
    assert tokens.refresh_expires_in == 31536000 - 86000


def test_wrong_grant_type(client: Client) -> None:
    """The grant type is checked, and named in the message."""
    code = client.tiktok.authorize("accounts")
    answer = client.exchange("accounts", code, grant_type="client_credentials")
    assert answer["code"] == 40108
    assert "client_credentials" in answer["message"]


@pytest.mark.parametrize("prefix", ["act", "rft"])
def test_access_and_refresh_tokens_are_not_interchangeable(client: Client, prefix: str) -> None:
    """A refresh token opens no data, an access token refreshes nothing."""
    tokens = client.tiktok.grant("accounts")
    if prefix == "act":
        assert client.refresh("accounts", tokens.access_token)["code"] == 40107
    else:
        query = {"business_id": tokens.open_id}
        answer = client.get(f"{V1}/business/get/", str(tokens.refresh_token), **query)
        assert answer["code"] == 40105


def test_business_get_checks_owner_and_scopes(client: Client) -> None:
    """Another account, an unknown field and a field without its scope are refused."""
    tokens = client.tiktok.grant("accounts", scopes=["user.info.basic"])
    path, token = f"{V1}/business/get/", tokens.access_token
    assert client.get(path, token, business_id="someone")["code"] == 40001
    fields = {"business_id": tokens.open_id, "fields": '["shoe_size"]'}
    assert client.get(path, token, **fields)["code"] == 40002
    fields["fields"] = '["username"]'
    assert client.get(path, token, **fields)["code"] == 40001
    data = client.get(path, token, business_id=tokens.open_id)["data"]
    assert set(data) == {"display_name", "profile_image"}


def test_creator_reads_their_profile(client: Client) -> None:
    """A creator's token, exchanged like an account holder's, tells who the creator is."""
    data = client.exchange("creator", client.tiktok.authorize("creator"))["data"]
    query = {"creator_id": data["open_id"]}
    answer = client.get(f"{V1}/tto/creator/authorized/", data["access_token"], **query)
    assert answer["data"]["creator_id"] == data["open_id"]


def test_accounts_api_does_not_exist_at_v2(client: Client) -> None:
    """``tt_user`` at v2.0 is a plain 404; another unknown v2.0 path is 403 with 40006."""
    gone = client.send("POST", "/open_api/v2.0/tt_user/oauth2/token/", json={})
    assert (gone.status_code, gone.text) == (404, "404 page not found")
    odd = client.send("POST", "/open_api/v2.0/business/message/send/", json={})
    assert (odd.status_code, odd.json()["code"]) == (403, 40006)
