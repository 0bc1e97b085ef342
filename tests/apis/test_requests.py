"""What goes to TikTok: addresses, field names and bodies as documented, for each token system."""

from __future__ import annotations

from typing import Any

import pytest

from tap_tiktok_auth.apis import APIS
from tests.apis.replies import ACCESS, APP, CODE, REFRESH, SECRET, SECRETS, api, requests_of

B = "https://business.example/open_api/v1.3"
K = "https://kit.example/v2"
CB = "https://example.com/cb/"
BUSINESS_APP = {"app_id": "7001", "secret": SECRET}
CLIENT = {"client_id": "7001", "client_secret": SECRET}
KIT = {"client_key": "7001", "client_secret": SECRET}

EXPECTED: dict[tuple[str, str], tuple[str, str, dict[str, Any] | None]] = {
    ("marketing", "exchange"): (
        "POST",
        f"{B}/oauth2/access_token/",
        {**BUSINESS_APP, "auth_code": CODE, "return_advertiser_ids": False},
    ),
    ("marketing", "verify"): ("GET", f"{B}/oauth2/advertiser/get/", None),
    ("marketing", "sandbox"): ("GET", f"{B}/user/info/", None),
    ("marketing", "details"): ("GET", f"{B}/advertiser/info/", None),
    ("marketing", "revoke"): (
        "POST",
        f"{B}/oauth2/revoke_token/",
        {**BUSINESS_APP, "access_token": ACCESS},
    ),
    ("creator_marketplace", "exchange"): (
        "POST",
        f"{B}/oauth2/access_token/",
        {**BUSINESS_APP, "auth_code": CODE, "return_advertiser_ids": False},
    ),
    ("creator_marketplace", "verify"): ("GET", f"{B}/tto/oauth2/tcm/", None),
    ("creator_marketplace", "account_info"): ("GET", f"{B}/tto/oauth2/info/", None),
    ("accounts", "exchange"): (
        "POST",
        f"{B}/tt_user/oauth2/token/",
        {
            **CLIENT,
            "grant_type": "authorization_code",
            "auth_code": CODE,
            "redirect_uri": CB,
        },
    ),
    ("accounts", "refresh"): (
        "POST",
        f"{B}/tt_user/oauth2/refresh_token/",
        {**CLIENT, "grant_type": "refresh_token", "refresh_token": REFRESH},
    ),
    ("accounts", "verify"): (
        "POST",
        f"{B}/tt_user/token_info/get/",
        {"app_id": "7001", "access_token": ACCESS},
    ),
    ("accounts", "revoke"): (
        "POST",
        f"{B}/tt_user/oauth2/revoke/",
        {**CLIENT, "access_token": ACCESS},
    ),
    ("accounts", "account"): ("GET", f"{B}/business/get/", None),
    ("login_kit", "exchange"): (
        "POST",
        f"{K}/oauth/token/",
        {**KIT, "grant_type": "authorization_code", "code": CODE, "redirect_uri": CB},
    ),
    ("login_kit", "refresh"): (
        "POST",
        f"{K}/oauth/token/",
        {**KIT, "grant_type": "refresh_token", "refresh_token": REFRESH},
    ),
    ("login_kit", "client_token"): (
        "POST",
        f"{K}/oauth/token/",
        {**KIT, "grant_type": "client_credentials"},
    ),
    ("login_kit", "verify"): ("GET", f"{K}/user/info/", None),
    ("login_kit", "revoke"): ("POST", f"{K}/oauth/revoke/", {**KIT, "token": ACCESS}),
}


@pytest.mark.parametrize(("name", "purpose"), EXPECTED)
def test_documented_form(name: str, purpose: str) -> None:
    """Method, address with its trailing slash, and body are the documented ones."""
    request = requests_of(name)[purpose]
    body = request.form if name == "login_kit" else request.json
    assert (request.method, request.url, body) == EXPECTED[name, purpose]
    assert (request.json if name == "login_kit" else request.form) is None


@pytest.mark.parametrize("name", APIS)
def test_what_spends(name: str) -> None:
    """Only requests with a code or a refresh token count as spending one."""
    spending = {p for p, request in requests_of(name).items() if request.spends}
    assert spending == {"exchange", "refresh"}


@pytest.mark.parametrize("name", APIS)
def test_no_secret_in_what_is_shown(name: str) -> None:
    """Neither the address nor the text form of a request has a secret; it lists those it has."""
    for purpose, request in requests_of(name).items():
        shown = repr(request) + request.url
        assert not any(secret in shown for secret in SECRETS), purpose
        sent = f"{request.headers} {request.params} {request.json} {request.form}"
        held = {secret for secret in SECRETS if secret in sent}
        assert held <= set(request.secrets), purpose


def test_the_verifier_of_a_desktop_app() -> None:
    """A PKCE verifier travels with the code, and counts as a secret."""
    request = api("login_kit").exchange(APP, CODE, redirect_uri=CB, code_verifier="verifier-123")
    assert request.form["code_verifier"] == "verifier-123"
    assert "verifier-123" in request.secrets


@pytest.mark.parametrize("long_term", [True, False])
def test_version_2_of_an_exchange(*, long_term: bool) -> None:
    """v2.0 is told which kind of token is wanted, also when it is the default."""
    marketing = api("marketing", api_version="v2.0", long_term_token=long_term)
    request = marketing.exchange(APP, CODE)
    assert request.url == "https://business.example/open_api/v2.0/oauth2/access_token/"
    assert request.json["is_long_term"] is long_term
    assert request.json["return_advertiser_ids"] is False
    assert "/v2.0/" in marketing.revoke(APP, ACCESS).url
    assert "/v2.0/" in marketing.refresh(APP, REFRESH).url
