"""What TikTok's endpoints answer and refuse, on both platforms."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import quote, unquote

import pytest

from tap_tiktok_auth.simulator import Simulator

from .client import TOKEN, V1, V2, Client, said

DAY = 86_400
YEAR = 365 * DAY
DESKTOP = "http://127.0.0.1:8123/callback/"
VERIFIER = "a-._~" * 10
LISTING = f"{V1}/oauth2/advertiser/get/"
INFO = f"{V1}/advertiser/info/"
BRANDS = f"{V1}/tto/oauth2/tcm/"
BRAND = f"{V1}/tto/oauth2/info/"
PROFILE = f"{V1}/business/get/"
CREATOR = f"{V1}/tto/creator/authorized/"


# Codes


@pytest.mark.parametrize(
    ("api", "lifetime", "refusal"),
    [
        ("marketing", 3600, 40110),
        ("accounts", 600, 40110),
        ("login_kit", 600, "invalid_grant"),
    ],
)
def test_code_works_once_and_for_a_while(
    still: Client, api: str, lifetime: int, refusal: object
) -> None:
    """A used code and one that is too old are refused; until then a code works."""
    used, fresh, old = [still.tiktok.authorize(api) for _ in range(3)]
    assert said(still.exchange(api, used)) in {0, None}
    assert said(still.exchange(api, used)) == refusal
    still.tiktok.advance(lifetime - 1)
    assert said(still.exchange(api, fresh)) in {0, None}
    still.tiktok.advance(1)
    assert said(still.exchange(api, old)) == refusal


@pytest.mark.parametrize(
    ("api", "of", "name", "refusal"),
    [
        ("marketing", "accounts", "Simulated App", 40115),
        ("accounts", "marketing", "Simulated App", 40131),
        ("marketing", "marketing", "Other App", 40113),
        ("login_kit", "login_kit", "Other App", "invalid_grant"),
        ("login_kit", "marketing", "Simulated App", "invalid_grant"),
    ],
)
def test_code_of_another_consent_is_refused(
    client: Client, api: str, of: str, name: str, refusal: object
) -> None:
    """A code of the other consent page or of another app is refused, and is not spent by that."""
    code = client.tiktok.authorize(of, name=name)
    assert said(client.exchange(api, code)) == refusal
    assert client.tiktok.token_state(code) == "live"


def test_code_must_be_decoded_exactly_once(client: Client) -> None:
    """A code that is decoded twice, or not at all, is another string and unknown."""
    code = client.tiktok.authorize("accounts")
    for wrong in (unquote(code), quote(code, safe="")):
        assert wrong != code
        assert client.exchange("accounts", wrong)["code"] == 40110
    assert client.exchange("accounts", code)["code"] == 0


def test_redirect_uri_must_be_the_one_of_the_consent(client: Client) -> None:
    """Another redirect URI is refused, and the code is still good."""
    code = client.tiktok.authorize("accounts")
    wrong = client.exchange("accounts", code, redirect_uri="https://example.com/other/")
    assert wrong["code"] == 40002
    assert client.exchange("accounts", code)["code"] == 0


def test_desktop_proves_itself_with_a_hex_challenge(client: Client) -> None:
    """A code asked for with a challenge needs its verifier: hex SHA-256, not base64url."""
    challenge = hashlib.sha256(VERIFIER.encode()).hexdigest()
    code = client.tiktok.authorize("login_kit", redirect_uri=DESKTOP, code_challenge=challenge)
    for wrong in ({"code_verifier": "b" * 43}, {}):
        answer = client.exchange("login_kit", code, redirect_uri=DESKTOP, **wrong)
        assert answer["error"] == "invalid_request"
        assert answer["error_description"] == "Code verifier or code challenge is invalid."
    plain = client.exchange("login_kit", code_verifier=VERIFIER)
    assert plain["error"] == "invalid_request"
    short = hashlib.sha256(b"short").hexdigest()
    weak = client.tiktok.authorize("login_kit", redirect_uri=DESKTOP, code_challenge=short)
    refused = client.exchange("login_kit", weak, redirect_uri=DESKTOP, code_verifier="short")
    assert refused["error"] == "invalid_request"
    right = client.exchange("login_kit", code, redirect_uri=DESKTOP, code_verifier=VERIFIER)
    assert right["token_type"] == "Bearer"


# Tokens


def test_marketing_exchange_gives_a_long_term_token_only(client: Client) -> None:
    """An exchange answers token, advertisers and numeric scopes, one of them above 2^53."""
    answer = client.exchange("marketing")
    assert (answer["code"], answer["message"]) == (0, "OK")
    assert set(answer["data"]) == {"access_token", "advertiser_ids", "scope"}
    assert max(answer["data"]["scope"]) > 2**53
    assert all(isinstance(advertiser, str) for advertiser in answer["data"]["advertiser_ids"])
    without = client.exchange("marketing", return_advertiser_ids=False)
    assert "advertiser_ids" not in without["data"]


def test_form_style_exchange_answers_flat(client: Client) -> None:
    """The second v1.3 endpoint takes a form and answers without ``data``."""
    app = client.tiktok.app("marketing")
    fields = {
        "client_id": app.app_id,
        "client_secret": app.app_secret,
        "code": client.tiktok.authorize("marketing"),
        "grant_type": "authorization_code",
    }
    wrong = client.form(f"{V1}/oauth/token/", **{**fields, "grant_type": "password"})
    assert wrong["message"] == "Invalid value for grant_type: password is not supported."
    answer = client.form(f"{V1}/oauth/token/", **fields)
    assert (answer["code"], "data" in answer) == (0, False)
    assert client.tiktok.token_state(answer["access_token"]) == "live"


def test_v2_long_term_and_short_term(client: Client) -> None:
    """At v2.0 ``is_long_term`` false gives a token of a day that can be renewed."""
    app, path = client.app_fields(), f"{V2}/oauth2/access_token/"
    for long_term in ({"is_long_term": True}, {}):
        code = client.tiktok.authorize("marketing")
        assert "refresh_token" not in client.post(path, **app, auth_code=code, **long_term)["data"]
    code = client.tiktok.authorize("marketing")
    short = client.post(path, **app, auth_code=code, is_long_term=False)["data"]
    assert short["expires_in"] == DAY
    client.tiktok.advance(DAY)
    assert client.tiktok.token_state(short["access_token"]) == "expired"
    assert client.refresh("marketing", short["refresh_token"])["data"]["expires_in"] == DAY


def test_exchanges_of_people_answer_the_documented_object(client: Client) -> None:
    """Accounts give a day and a year in an envelope, Login Kit two hours and 180 days flat."""
    data = client.exchange("accounts")["data"]
    assert (data["expires_in"], data["refresh_token_expires_in"]) == (DAY, YEAR)
    assert data["token_type"] == "Bearer"
    assert "user.info.basic" in data["scope"].split(",")
    answer = client.exchange("login_kit")
    assert (answer["expires_in"], answer["refresh_expires_in"]) == (7200, 180 * DAY)
    assert set(answer) == {
        "access_token", "expires_in", "open_id", "refresh_expires_in", "refresh_token", "scope",
        "token_type",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("api", "field", "left", "refusal"),
    [
        ("marketing", "refresh_token_expires_in", YEAR - 3600, 40107),
        ("accounts", "refresh_token_expires_in", YEAR - 3600, 40107),
        ("login_kit", "refresh_expires_in", 180 * DAY, "invalid_grant"),
    ],
)
def test_refresh_rotates(still: Client, api: str, field: str, left: int, refusal: object) -> None:
    """A refresh kills the old refresh token and spares the access token; Login Kit's renews."""
    first = still.tiktok.grant(api, long_term=False)
    still.tiktok.advance(3600)
    answer = still.refresh(api, first.refresh_token)
    assert answer.get("data", answer)[field] == left
    assert still.tiktok.token_state(str(first.refresh_token)) == "rotated"
    assert said(still.refresh(api, first.refresh_token)) == refusal
    assert still.tiktok.token_state(first.access_token) == "live"
    assert still.tiktok.tokens_spent == 1


def test_rotation_can_be_lenient() -> None:
    """Without strict rotation the old refresh token goes on working."""
    with Simulator(strict_rotation=False) as tiktok:
        client, tokens = Client(tiktok), tiktok.grant("accounts")
        codes = [client.refresh("accounts", tokens.refresh_token)["code"] for _ in range(2)]
        client.session.close()
    assert codes == [0, 0]


def test_consent_ends_after_a_year(client: Client) -> None:
    """However often it is refreshed, the last refresh token dies a year after the consent."""
    refresh_token = client.tiktok.grant("accounts").refresh_token
    client.tiktok.advance(300 * DAY)
    refresh_token = client.refresh("accounts", refresh_token)["data"]["refresh_token"]
    client.tiktok.advance(65 * DAY)
    assert client.refresh("accounts", refresh_token)["code"] == 40103


def test_tokens_expire_and_are_revoked(client: Client) -> None:
    """A token of yesterday is 40102, one of a withdrawn consent 40105, also for a refresh."""
    tokens = client.tiktok.grant("accounts")
    query = {"business_id": tokens.open_id}
    client.tiktok.advance(DAY)
    assert client.get(PROFILE, tokens.access_token, **query)["code"] == 40102
    assert client.tiktok.revoke(tokens.open_id) == 1
    assert client.get(PROFILE, tokens.access_token, **query)["code"] == 40105
    assert client.refresh("accounts", tokens.refresh_token)["code"] == 40105
    live = client.tiktok.grant("accounts").access_token  # and an access token refreshes nothing
    assert client.refresh("accounts", live)["code"] == 40107


def test_v1_refresh_is_deprecated(client: Client) -> None:
    """The old refresh route answers: 40107 for a long-term token, 40002 for anything else."""
    app, path = client.app_fields(), f"{V1}/oauth2/refresh_token/"
    token = client.tiktok.grant("marketing").access_token
    assert client.post(path, **app, refresh_token=token)["code"] == 40107
    refused = client.post(path, **app, refresh_token="made-up")
    assert refused["message"] == "Invalid refresh_token..."


def test_client_credentials(client: Client) -> None:
    """An app gets a token for itself, which speaks for no user."""
    fields = {**client.app_fields("login_kit"), "grant_type": "client_credentials"}
    answer = client.form(TOKEN, **fields)
    assert set(answer) == {"access_token", "expires_in", "token_type"}
    status, body = client.user(answer["access_token"])
    assert (status, body["error"]["code"]) == (401, "access_token_invalid")


def test_wrong_grant_type(client: Client) -> None:
    """The grant type is checked, and named in the message."""
    answer = client.exchange("accounts", grant_type="client_credentials")
    assert (answer["code"], "client_credentials" in answer["message"]) == (40108, True)


def test_revocations(client: Client) -> None:
    """A revoke answers what is lost, or nothing at Login Kit; a second one is refused."""
    tokens = client.tiktok.grant("marketing", advertisers=["7001"])
    body = {**client.app_fields(), "access_token": tokens.access_token}
    data = client.post(f"{V1}/oauth2/revoke_token/", **body)["data"]
    assert data == {"app_id": body["app_id"], "advertiser_ids": ["7001"]}
    assert client.post(f"{V1}/oauth2/revoke_token/", **body)["code"] == 40105
    tokens = client.tiktok.grant("login_kit")
    fields = {**client.app_fields("login_kit"), "token": tokens.access_token}
    answer = client.send("POST", "/v2/oauth/revoke/", data=fields)
    assert (answer.status_code, answer.content) == (200, b"")
    assert client.tiktok.token_state(str(tokens.refresh_token)) == "revoked"
    assert client.form("/v2/oauth/revoke/", **fields)["error"] == "invalid_grant"


def test_apps_of_the_other_platform_are_strangers(client: Client) -> None:
    """The app of the API for Business is no client of Login Kit, nor the other way round."""
    business, kit = client.tiktok.app("marketing"), client.tiktok.app("login_kit")
    wrong = {"client_key": business.app_id, "client_secret": business.app_secret}
    assert client.exchange("login_kit", **wrong)["error"] == "invalid_client"
    wrong = {"app_id": kit.app_id, "secret": kit.app_secret}
    assert client.exchange("marketing", **wrong)["code"] == 40113


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
def test_refused_login_kit_exchange(
    client: Client, change: dict[str, str], error: str, text: str
) -> None:
    """Each mistake has its OAuth error, and does not spend the code."""
    code = client.tiktok.authorize("login_kit")
    answer = client.exchange("login_kit", **{"code": code, **change})
    assert (answer["error"], answer["error_description"]) == (error, text)
    assert len(answer["log_id"]) == 32
    assert client.tiktok.token_state(code) == "live"


# Data


def test_scope_order_is_not_stable(client: Client) -> None:
    """The same scopes come in another order from call to call."""
    tokens = client.tiktok.grant("accounts")
    body = {"app_id": client.tiktok.app().app_id, "access_token": tokens.access_token}
    path = f"{V1}/tt_user/token_info/get/"
    scopes = [client.post(path, **body)["data"]["scope"] for _ in range(5)]
    assert len(set(scopes)) > 1
    assert len({frozenset(scope.split(",")) for scope in scopes}) == 1


def test_lost_advertiser_disappears(client: Client) -> None:
    """An advertiser that withdraws its access is listed no more and may not be read."""
    tokens = client.tiktok.grant("marketing", advertisers=["7001", "7002"])
    assert client.tiktok.lose_advertiser("7001") == 1
    listed = client.advertisers(tokens.access_token)["data"]["list"]
    assert listed == [{"advertiser_id": "7002", "advertiser_name": "Advertiser 7002"}]
    assert client.get(INFO, tokens.access_token, advertiser_ids='["7001"]')["code"] == 40001


@pytest.mark.parametrize(
    ("path", "whose", "query", "code"),
    [
        (LISTING, "marketing", {"secret": "wrong"}, 40101),
        (LISTING, "marketing", {"app_id": "1"}, 40113),
        (LISTING, "marketing of Other App", {}, 40113),
        (LISTING, "accounts", {}, 40001),
        (LISTING, "login_kit", {}, 40105),
        (LISTING, "refresh", {}, 40105),
        (LISTING, "", {"access_token": "in the query, as in v1.2"}, 40104),
        (INFO, "marketing", {}, 40002),
        (INFO, "marketing", {"advertiser_ids": "7001"}, 40002),
        (INFO, "marketing", {"advertiser_ids": "[7001]"}, 40002),
        (INFO, "marketing", {"advertiser_ids": '["7001"]', "fields": '["shoe_size"]'}, 40002),
        (INFO, "marketing", {"advertiser_ids": '["7009"]'}, 40001),
        (BRANDS, "marketing", {}, 40001),
        (BRAND, "creator_marketplace", {"tto_tcm_account_id": "1"}, 40001),
        (PROFILE, "accounts", {"business_id": "someone"}, 40001),
        (PROFILE, "accounts", {"business_id": "me", "fields": '["shoe_size"]'}, 40002),
        (PROFILE, "accounts", {"business_id": "me", "fields": '["video_views"]'}, 40001),
        (CREATOR, "creator", {"creator_id": "someone"}, 40001),
        (CREATOR, "accounts", {"creator_id": "me"}, 40001),
    ],
)
def test_refused_reads(
    client: Client, path: str, whose: str, query: dict[str, str], code: int
) -> None:
    """Wrong credentials, fields, and tokens of other kinds each have their code."""
    api, _, name = whose.partition(" of ")
    grant, token = client.tiktok.grant, None
    if api == "refresh":
        token = grant("accounts").refresh_token
    elif api:
        scopes = ["user.info.basic"] if api == "accounts" else None
        advertisers = ["7001"] if api == "marketing" else None
        asked: dict[str, Any] = {"scopes": scopes, "advertisers": advertisers, "subject": "me"}
        token = grant(api, name=name or "Simulated App", **asked).access_token
    app = client.app_fields() if path in {LISTING, BRANDS} else {}
    assert client.get(path, token, **{**app, **query})["code"] == code


def test_token_must_be_in_the_header(client: Client) -> None:
    """A bearer is no token here: 40104; with the token, missing credentials are named."""
    token, app = client.tiktok.grant("marketing").access_token, client.app_fields()
    bearer = client.send("GET", LISTING, params=app, headers={"Authorization": f"Bearer {token}"})
    assert bearer.json()["message"] == (
        "Access token is null, you should set it in http header with key Access-Token."
    )
    assert client.get(LISTING, token)["message"] == "Missing required field(s): app_id, secret."


def test_advertiser_info_takes_a_hundred_ids(client: Client) -> None:
    """A hundred ids are answered, a hundred and one are refused with 40011."""
    ids = [str(7001 + number) for number in range(101)]
    token = client.tiktok.grant("marketing", advertisers=ids).access_token
    data = client.get(INFO, token, advertiser_ids=json.dumps(ids[:100]), page_size=100)["data"]
    assert [entry["advertiser_id"] for entry in data["list"]] == ids[:100]
    assert client.get(INFO, token, advertiser_ids=json.dumps(ids))["code"] == 40011


def test_company_name_editable_comes_alone(client: Client) -> None:
    """The field ``company_name_editable`` drives all others but the id out."""
    token = client.tiktok.grant("marketing", advertisers=["7001"]).access_token
    query = {"advertiser_ids": '["7001"]', "fields": '["name","company_name_editable"]'}
    data = client.get(INFO, token, **query)["data"]
    assert data["list"] == [{"advertiser_id": "7001", "company_name_editable": False}]


def test_user_info_tells_who(client: Client) -> None:
    """``/user/info/`` names the core user of the token."""
    tokens = client.tiktok.grant("marketing", subject="6900000000000000001")
    data = client.get(f"{V1}/user/info/", tokens.access_token)["data"]
    assert data["core_user_id"] == "6900000000000000001"


def test_brand_side_of_the_creator_marketplace(client: Client) -> None:
    """A brand's token lists and describes its accounts."""
    data = client.exchange("creator_marketplace")["data"]
    assert data["advertiser_ids"] == []
    token = data["access_token"]
    (account,) = client.get(BRANDS, token, **client.app_fields())["data"]["tto_tcm_account_ids"]
    info = client.get(BRAND, token, tto_tcm_account_id=account)["data"]
    assert info["tto_tcm_account_id"] == account
    assert info["business_verification_status"] == "PASSED"


def test_account_holders_and_creators_read_their_profile(client: Client) -> None:
    """Without a list of fields an account shows two; a creator's token tells who they are."""
    tokens = client.tiktok.grant("accounts", scopes=["user.info.basic"])
    data = client.get(PROFILE, tokens.access_token, business_id=tokens.open_id)["data"]
    assert set(data) == {"display_name", "profile_image"}
    data = client.exchange("creator")["data"]
    answer = client.get(CREATOR, data["access_token"], creator_id=data["open_id"])
    assert answer["data"]["creator_id"] == data["open_id"]


def test_accounts_api_does_not_exist_at_v2(client: Client) -> None:
    """``tt_user`` at v2.0 is a plain 404; another unknown v2.0 path is 403 with 40006."""
    gone = client.send("POST", f"{V2}/tt_user/oauth2/token/", json={})
    assert (gone.status_code, gone.text) == (404, "404 page not found")
    odd = client.send("POST", f"{V2}/business/message/send/", json={})
    assert (odd.status_code, odd.json()["code"]) == (403, 40006)


def test_login_kit_user(client: Client) -> None:
    """The account is described by the fields asked for; mistakes are 400, dead tokens 401."""
    tokens = client.tiktok.grant("login_kit", scopes=["user.info.basic"])
    status, body = client.user(tokens.access_token, "open_id,union_id,display_name")
    assert (status, body["error"]["code"]) == (200, "ok")
    assert set(body["data"]["user"]) == {"open_id", "union_id", "display_name"}
    assert body["data"]["user"]["open_id"] == tokens.open_id
    assert client.user(tokens.access_token, "")[0] == 400
    assert client.user(client.tiktok.grant("accounts").access_token)[0] == 401
    status, body = client.user(tokens.access_token, "username")
    assert (status, body["error"]["code"]) == (401, "scope_not_authorized")
    client.tiktok.advance(7200)
    status, body = client.user(tokens.access_token)
    assert (status, body["error"]["code"]) == (401, "access_token_invalid")


def test_login_kit_errors_can_be_flat_or_have_another_status(client: Client) -> None:
    """Both documented error shapes, and OAuth errors with HTTP 200 or 400, can be had."""
    assert client.send("POST", TOKEN, data={}).status_code == 200
    with Simulator(flat_errors=True, oauth_error_status=400) as tiktok:
        other: Any = Client(tiktok)
        status, body = other.user("made-up")
        refused = other.send("POST", TOKEN, data={})
        other.session.close()
    assert (status, body["code"], refused.status_code) == (401, "access_token_invalid", 400)
