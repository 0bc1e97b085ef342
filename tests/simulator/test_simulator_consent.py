"""The consent pages of the simulator."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

if TYPE_CHECKING:
    import requests

    from .client import Client

PORTAL = "/portal/auth"
AUTHORIZE = "/v2/auth/authorize/"
LOCAL = "http://localhost:8123/callback"
VERIFIER = "v" * 43


def _values(page: requests.Response, name: str) -> list[str]:
    """Return the values of the inputs of that name."""
    return re.findall(rf'<input type="\w+" name="{name}" value="([^"]*)"', page.text)


def _portal(client: Client, **query: Any) -> requests.Response:
    app = client.tiktok.app("marketing")
    asked = {"app_id": app.app_id, "redirect_uri": LOCAL, "state": "s t&te", **query}
    return client.send("GET", PORTAL, params=asked)


def _authorize(client: Client, api: str = "accounts", **query: Any) -> requests.Response:
    app = client.tiktok.app(api)
    asked = {
        "client_key": app.app_id,
        "redirect_uri": app.redirect_uri,
        "response_type": "code",
        "scope": "user.info.basic,video.list",
        "state": "xyz",
        **query,
    }
    return client.send("GET", AUTHORIZE, params=asked)


def _decide(
    client: Client, path: str, page: requests.Response, decision: str, **chosen: Any
) -> requests.Response:
    csrf = _values(page, "csrf")[0]
    return client.send("POST", path, data={"csrf": csrf, "decision": decision, **chosen})


def _callback(answer: requests.Response) -> dict[str, str]:
    assert answer.status_code == 303
    query = urlsplit(answer.headers["Location"]).query
    return {name: values[0] for name, values in parse_qs(query).items()}


def _allow(client: Client, path: str, page: requests.Response, **chosen: Any) -> dict[str, str]:
    return _callback(_decide(client, path, page, "allow", **chosen))


def test_portal_gives_a_code_for_the_chosen_accounts(client: Client) -> None:
    """The person picks advertisers or brands; the callback has auth_code, like code, and state."""
    page = _portal(client)
    offered = _values(page, "advertiser")
    callback = _allow(client, PORTAL, page, advertiser=offered[1:])
    assert callback["state"] == "s t&te"
    assert callback["auth_code"] == callback["code"]
    data = client.exchange("marketing", callback["auth_code"])["data"]
    assert (data["advertiser_ids"], 13000000 in data["scope"]) == (offered[1:], False)
    page = _portal(client)
    brands = _values(page, "tcm_account")
    code = _allow(client, PORTAL, page, tcm_account=brands)["auth_code"]
    data = client.exchange("creator_marketplace", code)["data"]
    assert 13000000 in data["scope"]
    path = "/open_api/v1.3/tto/oauth2/tcm/"
    listed = client.get(path, data["access_token"], **client.app_fields())
    assert listed["data"]["tto_tcm_account_ids"] == brands


@pytest.mark.parametrize("path", [PORTAL, AUTHORIZE])
def test_a_page_needs_a_choice(client: Client, path: str) -> None:
    """Allowing nothing shows the page again, and that page works."""
    page, kind = (
        (_portal(client), "advertiser") if path == PORTAL else (_authorize(client), "account")
    )
    again = _decide(client, path, page, "allow")
    assert 'id="problem"' in again.text
    chosen = {kind: _values(again, kind)[0]}
    api = "marketing" if path == PORTAL else "accounts"
    assert client.exchange(api, _allow(client, path, again, **chosen)["code"])["code"] == 0


def test_portal_takes_a_scope_list(client: Client) -> None:
    """The permissions can be fewer than all; the token carries those."""
    page = _portal(client, scope="[1,4]")
    code = _allow(client, PORTAL, page, advertiser=_values(page, "advertiser"))["code"]
    assert sorted(client.exchange("marketing", code)["data"]["scope"]) == [1, 4]
    for wrong in ("[1,9]", "1", "[[["):
        assert _portal(client, scope=wrong).status_code == 400


def test_account_holder_page(client: Client) -> None:
    """The callback has code, scopes and state, and the code is percent-encoded in it."""
    page = _authorize(client)
    account = _values(page, "account")[0]
    answer = _decide(client, AUTHORIZE, page, "allow", account=account)
    assert re.search(r"code=[^&]*%2A[^&]*%21", answer.headers["Location"])
    callback = _callback(answer)
    assert set(callback) == {"code", "scopes", "state"}
    assert callback["scopes"] == "user.info.basic,video.list"
    assert client.exchange("accounts", callback["code"])["data"]["expires_in"] == 86400


def test_login_kit_desktop_page(client: Client) -> None:
    """A loopback redirect needs a hex challenge, whose verifier redeems the code."""
    wanted = {"redirect_uri": LOCAL + "/", "code_challenge_method": "S256"}
    challenge = hashlib.sha256(VERIFIER.encode()).hexdigest()
    assert _authorize(client, "login_kit", **wanted).status_code == 400
    base64url = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
    refused = _authorize(client, "login_kit", **wanted, code_challenge=base64url)
    assert (refused.status_code, "hex" in refused.text) == (400, True)
    plain = {**wanted, "code_challenge": challenge, "code_challenge_method": "plain"}
    assert "must be S256" in _authorize(client, "login_kit", **plain).text
    page = _authorize(client, "login_kit", **wanted, code_challenge=challenge)
    account = _values(page, "account")[0]
    callback = _allow(client, AUTHORIZE, page, account=account)
    answer = client.exchange(
        "login_kit", callback["code"], redirect_uri=LOCAL + "/", code_verifier=VERIFIER
    )
    assert answer["token_type"] == "Bearer"
    client.tiktok.register_redirect("login_kit", "http://localhost/login/")
    assert (
        "needs a port"
        in _authorize(client, "login_kit", redirect_uri="http://localhost/login/").text
    )


@pytest.mark.parametrize("path", [PORTAL, AUTHORIZE])
def test_denial(client: Client, path: str) -> None:
    """Deny sends the person back with an error and no code."""
    page = _portal(client) if path == PORTAL else _authorize(client)
    callback = _callback(_decide(client, path, page, "deny"))
    assert callback["error"] == "access_denied"
    assert set(callback) == {"error", "error_description", "state"}


def test_same_person_has_the_same_open_id(client: Client) -> None:
    """An account that authorises twice is the same to the app."""
    codes = [_allow(client, AUTHORIZE, _authorize(client), account="boots") for _ in range(2)]
    ids = {client.exchange("accounts", c["code"])["data"]["open_id"] for c in codes}
    assert len(ids) == 1


def test_disable_auto_auth(client: Client) -> None:
    """With 0 a person who has allowed before is not asked again; with 1 always."""
    first = _authorize(client, disable_auto_auth="0")
    assert first.status_code == 200
    _decide(client, AUTHORIZE, first, "allow", account="acme")
    assert _authorize(client, disable_auto_auth="1").status_code == 200
    assert "code" in _callback(_authorize(client, disable_auto_auth="0"))
    more = _authorize(client, disable_auto_auth="0", scope="user.info.basic,video.publish")
    assert more.status_code == 200


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "",
        "/callback/",
        "http://example.com/callback/",
        "https://example.com/elsewhere/",
        "https://example.com/callback/#x",
        "https://me@example.com/callback/",
        "ftp://localhost:1/",
        "http://localhost:99999999/",
        "http://localhost:1/\r\nSet-Cookie: a=b",
    ],
)
def test_portal_refuses_redirects(client: Client, redirect_uri: str) -> None:
    """A redirect URI that is not registered or no clean URL gives an error page, no redirect."""
    answer = _portal(client, redirect_uri=redirect_uri)
    assert (answer.status_code, "Location" in answer.headers) == (400, False)
    assert 'id="error"' in answer.text


@pytest.mark.parametrize(
    ("redirect_uri", "reason"),
    [
        ("http://example.com/tiktok/", "https"),
        ("https://localhost/tiktok/", "not registered"),
        ("https://example.com:8443/tiktok/", "port"),
        ("https://example.com/tiktok", "not registered"),
        ("https://example.com/tiktok/?a=b/", "query"),
        ("https://example.com/tiktok/#/", "fragment"),
        (f"https://example.com/{'x' * 500}/", "length"),
    ],
)
def test_account_holder_rules(client: Client, redirect_uri: str, reason: str) -> None:
    """Each rule of the account holder page is enforced, even for a registered URI."""
    if reason != "not registered":
        client.tiktok.register_redirect("accounts", redirect_uri)
    answer = _authorize(client, redirect_uri=redirect_uri)
    assert answer.status_code == 400
    assert reason in answer.text


def test_redirect_uris_are_compared_byte_for_byte(client: Client) -> None:
    """Neither a slash more nor one less is the registered address, on this machine or elsewhere."""
    for register, show, uri in (
        ("accounts", _authorize, "https://example.com/account/callback"),
        ("marketing", _portal, "http://localhost:8080"),
        ("marketing", _portal, "http://localhost:8081/"),
        ("marketing", _portal, "http://127.0.0.1:8082/a%20b?x=1"),
    ):
        client.tiktok.register_redirect(register, uri)
        assert show(client, redirect_uri=uri).status_code == 200
        for other in (f"{uri}/", uri.rstrip("/"), uri.upper(), f"{uri}?", uri.replace("%20", "+")):
            if other != uri:
                assert show(client, redirect_uri=other).status_code == 400, other


@pytest.mark.parametrize(
    "query",
    [
        {"client_key": "unknown"},
        {"response_type": "token"},
        {"scope": ""},
        {"scope": "user.info.basic,shoe.size"},
    ],
)
def test_authorize_refuses_wrong_links(client: Client, query: dict[str, str]) -> None:
    """Unknown app, response type and scope give an error page."""
    assert _authorize(client, **query).status_code == 400
    assert _portal(client, app_id=client.tiktok.app("login_kit").app_id).status_code == 400


def test_form_works_once_and_only_with_its_secret(client: Client) -> None:
    """A decision without, with a made-up, or with a used CSRF value gives no code."""
    page = _authorize(client)
    for csrf in ("", "made-up"):
        forged = client.send("POST", AUTHORIZE, data={"csrf": csrf, "decision": "allow"})
        assert (forged.status_code, "Location" in forged.headers) == (400, False)
    _decide(client, AUTHORIZE, page, "allow", account="acme")
    assert _decide(client, AUTHORIZE, page, "allow", account="acme").status_code == 400


@pytest.mark.parametrize("wrong", [False, True])
def test_pages_are_locked_down(client: Client, *, wrong: bool) -> None:
    """Pages and error pages allow no script, no framing, no referrer, no caching."""
    answer = _portal(client, redirect_uri="x") if wrong else _portal(client)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert ("form-action 'self' http://localhost:8123;" in policy) is not wrong
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert 'name="viewport"' in answer.text


def test_strings_of_others_are_escaped(client: Client) -> None:
    """App name, scope and state cannot bring markup into the page."""
    evil = "<img src=x onerror=alert(1)>\"'"
    app = client.tiktok.app("marketing", evil)
    asked = {"app_id": app.app_id, "redirect_uri": LOCAL, "state": evil}
    page = client.send("GET", PORTAL, params=asked)
    assert "&lt;img src=x onerror=alert(1)&gt;" in page.text
    assert "<img" not in page.text
    wrong = _authorize(client, scope=evil)
    assert (wrong.status_code, "<img" in wrong.text) == (400, False)
    advertiser = _values(page, "advertiser")
    assert _allow(client, PORTAL, page, advertiser=advertiser)["state"] == evil


def test_buttons_have_stable_ids_and_other_methods_are_not_served(client: Client) -> None:
    """The buttons are #allow and #deny; a page takes GET and POST only."""
    page = _authorize(client).text
    assert 'id="allow"' in page
    assert 'id="deny"' in page
    assert client.send("DELETE", PORTAL).status_code == 404
