"""The Marketing API of the simulator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .client import Client

V1 = "/open_api/v1.3"
V2 = "/open_api/v2.0"


def test_exchange_gives_a_long_term_token_only(client: Client) -> None:
    """An exchange answers token, advertisers and numeric scopes, one of them above 2^53."""
    answer = client.exchange("marketing", client.tiktok.authorize("marketing"))
    assert (answer["code"], answer["message"]) == (0, "OK")
    assert set(answer["data"]) == {"access_token", "advertiser_ids", "scope"}
    assert max(answer["data"]["scope"]) > 2**53
    assert all(isinstance(advertiser, str) for advertiser in answer["data"]["advertiser_ids"])


def test_advertiser_ids_can_be_left_out(client: Client) -> None:
    """With ``return_advertiser_ids`` false the advertisers stay out of the answer."""
    code = client.tiktok.authorize("marketing")
    answer = client.exchange("marketing", code, return_advertiser_ids=False)
    assert "advertiser_ids" not in answer["data"]


def test_form_style_exchange_answers_flat(client: Client) -> None:
    """The second v1.3 endpoint takes a form and answers without ``data``."""
    app = client.tiktok.app("marketing")
    fields = {
        "client_id": app.app_id,
        "client_secret": app.app_secret,
        "code": client.tiktok.authorize("marketing"),
        "grant_type": "authorization_code",
    }
    answer = client.form(f"{V1}/oauth/token/", **fields)
    assert answer["code"] == 0
    assert client.tiktok.token_state(answer["access_token"]) == "live"
    assert "data" not in answer
    wrong = client.form(f"{V1}/oauth/token/", **{**fields, "grant_type": "password"})
    assert wrong["message"] == "Invalid value for grant_type: password is not supported."


def test_code_works_once_and_for_an_hour(client: Client) -> None:
    """A used code and one that is an hour old are refused with 40110."""
    used, old = client.tiktok.authorize("marketing"), client.tiktok.authorize("marketing")
    client.exchange("marketing", used)
    assert client.exchange("marketing", used)["code"] == 40110
    client.tiktok.advance(3600)
    assert client.exchange("marketing", old)["code"] == 40110


def test_code_of_the_account_holder_page_is_refused(client: Client) -> None:
    """A code from the other consent page is refused, and is not spent by that."""
    code = client.tiktok.authorize("accounts")
    assert client.exchange("marketing", code)["code"] == 40115
    assert client.tiktok.token_state(code) == "live"


def test_code_of_another_app_is_refused(client: Client) -> None:
    """A code that was given to another app is refused with 40113."""
    code = client.tiktok.authorize("marketing", name="Other App")
    assert client.exchange("marketing", code)["code"] == 40113


def test_v2_long_term_and_short_term(client: Client) -> None:
    """At v2.0 ``is_long_term`` false gives a token of a day that can be renewed."""
    app, path = client.app_fields(), f"{V2}/oauth2/access_token/"
    codes = [client.tiktok.authorize("marketing") for _ in range(2)]
    long = client.post(path, **app, auth_code=codes[0], is_long_term=True)["data"]
    assert "refresh_token" not in long
    short = client.post(path, **app, auth_code=codes[1], is_long_term=False)["data"]
    assert short["expires_in"] == 86400
    client.tiktok.advance(86400)
    assert client.tiktok.token_state(short["access_token"]) == "expired"
    renewed = client.post(
        f"{V2}/oauth2/refresh_token/", **app, refresh_token=short["refresh_token"]
    )["data"]
    assert renewed["refresh_token_expires_in"] == pytest.approx(31536000 - 86400, abs=2)
    assert client.tiktok.token_state(short["refresh_token"]) == "rotated"


def test_v1_refresh_is_deprecated(client: Client) -> None:
    """The old refresh route answers: 40107 for a long-term token, 40002 for anything else."""
    app, path = client.app_fields(), f"{V1}/oauth2/refresh_token/"
    token = client.tiktok.grant("marketing").access_token
    assert client.post(path, **app, refresh_token=token)["code"] == 40107
    assert client.post(path, **app, refresh_token="made-up")["message"] == (
        "Invalid refresh_token..."
    )


def test_revoke_names_what_is_lost(client: Client) -> None:
    """A revoke answers app and advertisers; a second one is refused, the token being dead."""
    app, tokens = client.app_fields(), client.tiktok.grant("marketing", advertisers=["7001"])
    body = {**app, "access_token": tokens.access_token}
    data = client.post(f"{V1}/oauth2/revoke_token/", **body)["data"]
    assert data == {"app_id": app["app_id"], "advertiser_ids": ["7001"]}
    assert client.post(f"{V1}/oauth2/revoke_token/", **body)["code"] == 40105


def test_lost_advertiser_disappears(client: Client) -> None:
    """An advertiser that withdraws its access is listed no more and may not be read."""
    tokens = client.tiktok.grant("marketing", advertisers=["7001", "7002"])
    assert client.tiktok.lose_advertiser("7001") == 1
    listed = client.get(f"{V1}/oauth2/advertiser/get/", tokens.access_token, **client.app_fields())[
        "data"
    ]["list"]
    assert listed == [{"advertiser_id": "7002", "advertiser_name": "Advertiser 7002"}]
    info = client.get(f"{V1}/advertiser/info/", tokens.access_token, advertiser_ids='["7001"]')
    assert info["code"] == 40001


def test_advertiser_get_needs_the_token_in_the_header(client: Client) -> None:
    """A token in the query, as in v1.2, or as a bearer, is no token: 40104."""
    token = client.tiktok.grant("marketing").access_token
    path, app = f"{V1}/oauth2/advertiser/get/", client.app_fields()
    assert client.get(path, **app, access_token=token)["code"] == 40104
    bearer = client.send("GET", path, params=app, headers={"Authorization": f"Bearer {token}"})
    assert bearer.json()["message"] == (
        "Access token is null, you should set it in http header with key Access-Token."
    )


def test_advertiser_get_checks_app_and_token(client: Client) -> None:
    """Missing and wrong credentials, and tokens of other kinds, each have their code."""
    path, app = f"{V1}/oauth2/advertiser/get/", client.app_fields()
    token = client.tiktok.grant("marketing").access_token
    other = client.tiktok.grant("marketing", name="Other App").access_token
    person = client.tiktok.grant("accounts").access_token
    login_kit = client.tiktok.grant("login_kit").access_token
    assert client.get(path, token)["message"] == "Missing required field(s): app_id, secret."
    assert client.get(path, token, **{**app, "secret": "wrong"})["code"] == 40101
    assert client.get(path, token, **{**app, "app_id": "1"})["code"] == 40113
    assert client.get(path, other, **app)["code"] == 40113
    assert client.get(path, person, **app)["code"] == 40001
    assert client.get(path, login_kit, **app)["code"] == 40105
    assert client.get(path, "made-up", **app)["code"] == 40105


def test_advertiser_info_takes_a_hundred_ids(client: Client) -> None:
    """A hundred ids are answered, a hundred and one are refused with 40011."""
    ids = [str(7001 + number) for number in range(101)]
    token = client.tiktok.grant("marketing", advertisers=ids).access_token
    path = f"{V1}/advertiser/info/"
    data = client.get(path, token, advertiser_ids=json.dumps(ids[:100]), page_size=100)["data"]
    assert [entry["advertiser_id"] for entry in data["list"]] == ids[:100]
    assert client.get(path, token, advertiser_ids=json.dumps(ids))["code"] == 40011


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, 40002),
        ({"advertiser_ids": "7001"}, 40002),
        ({"advertiser_ids": "[7001]"}, 40002),
        ({"advertiser_ids": '["7001"]', "fields": '["shoe_size"]'}, 40002),
        ({"advertiser_ids": '["7009"]'}, 40001),
    ],
)
def test_advertiser_info_checks_its_query(client: Client, query: dict[str, str], code: int) -> None:
    """Only a JSON list of strings that the token may see is taken."""
    token = client.tiktok.grant("marketing", advertisers=["7001"]).access_token
    assert client.get(f"{V1}/advertiser/info/", token, **query)["code"] == code


def test_company_name_editable_comes_alone(client: Client) -> None:
    """The field ``company_name_editable`` drives all others but the id out."""
    token = client.tiktok.grant("marketing", advertisers=["7001"]).access_token
    query = {"advertiser_ids": '["7001"]', "fields": '["name","company_name_editable"]'}
    data = client.get(f"{V1}/advertiser/info/", token, **query)["data"]
    assert data["list"] == [{"advertiser_id": "7001", "company_name_editable": False}]


def test_user_info_tells_who(client: Client) -> None:
    """``/user/info/`` names the core user of the token."""
    tokens = client.tiktok.grant("marketing", subject="6900000000000000001")
    data = client.get(f"{V1}/user/info/", tokens.access_token)["data"]
    assert data["core_user_id"] == "6900000000000000001"


def test_brand_side_of_the_creator_marketplace(client: Client) -> None:
    """A brand's code is exchanged like an advertiser's; its token lists and describes accounts."""
    data = client.exchange("creator_marketplace", client.tiktok.authorize("creator_marketplace"))[
        "data"
    ]
    assert data["advertiser_ids"] == []
    app, token = client.app_fields(), data["access_token"]
    accounts = client.get(f"{V1}/tto/oauth2/tcm/", token, **app)["data"]["tto_tcm_account_ids"]
    info = client.get(f"{V1}/tto/oauth2/info/", token, tto_tcm_account_id=accounts[0])["data"]
    assert info["tto_tcm_account_id"] == accounts[0]
    assert info["business_verification_status"] == "PASSED"
    assert client.get(f"{V1}/tto/oauth2/info/", token, tto_tcm_account_id="1")["code"] == 40001


def test_advertiser_token_is_no_brand_token(client: Client) -> None:
    """A token without brand accounts may not list them."""
    token = client.tiktok.grant("marketing").access_token
    assert client.get(f"{V1}/tto/oauth2/tcm/", token, **client.app_fields())["code"] == 40001
