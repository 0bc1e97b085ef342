"""What settings, store and options tell about a login before it begins."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.apis.base import check_account_holder_uri
from tap_tiktok_auth.config.models import App, Connection
from tap_tiktok_auth.config.parsing import parse
from tap_tiktok_auth.credentials.manager import TokenManager
from tap_tiktok_auth.credentials.models import StoredConnection, Token
from tap_tiktok_auth.errors import ConfigurationError
from tap_tiktok_auth.login.plan import (
    DEFAULT_PORT,
    choose_redirect_uri,
    listening_port,
    plan_login,
)

if TYPE_CHECKING:
    from tap_tiktok_auth.store import Store

APP = {"app_id": "7001", "app_secret": "top-secret"}
STORED = StoredConnection(
    "acme",
    "accounts",
    "stored",
    generation=1,
    token=Token("token"),
    app_secret="stored-secret",
    redirect_uri="https://stored.example/",
    scopes=("user.info.basic", "video.list"),
)
OWN = {"name": "acme", "api": "accounts", "app_id": "7002", "app_secret": "own-secret"}
Planned = tuple[Connection, tuple[str, ...]]


def plan(store: Store, settings: dict[str, Any], api: str | None = None, *scopes: str) -> Planned:
    """Plan a login of the connection acme."""
    return plan_login(TokenManager(parse(settings), store), "acme", api, scopes)


@pytest.mark.parametrize(
    ("stored", "settings", "expected"),
    [
        (
            None,
            {**APP, "api": "creator_marketplace"},
            Connection("acme", "creator_marketplace", App("7001", "top-secret")),
        ),
        (
            STORED,
            {**APP, "connections": [OWN]},
            Connection(
                "acme",
                "accounts",
                App("7002", "own-secret"),
                redirect_uri="https://stored.example/",
            ),
        ),
        (
            STORED,
            {},
            Connection(
                "acme",
                "accounts",
                App("stored", "stored-secret"),
                redirect_uri="https://stored.example/",
            ),
        ),
        (
            STORED,
            {"connections": [{"name": "acme", "api": "creator"}]},
            Connection("acme", "creator"),
        ),
        (
            None,
            {**APP, "connections": [{"name": "acme", "auth_code": "c", "advertiser_ids": ["1"]}]},
            Connection("acme", "marketing", App("7001", "top-secret"), advertiser_ids=("1",)),
        ),
    ],
    ids=["top level", "own settings", "store", "another api", "ad accounts"],
)
def test_the_nearest_settings_come_first(
    store: Store, stored: StoredConnection | None, settings: dict[str, Any], expected: Connection
) -> None:
    """The entry of that name beats the top level, which beats what is stored; no seed is taken."""
    if stored is not None:
        store.commit(stored, None)
    assert plan(store, settings)[0] == expected


def test_a_stored_connection_asks_for_its_scopes_again(store: Store) -> None:
    """Scopes that nobody names are those that the connection has."""
    store.commit(STORED, None)
    assert plan(store, {})[1] == ("user.info.basic", "video.list")
    assert plan(store, {}, None, "user.info.stats")[1] == ("user.info.stats",)
    portal = "https://www.tiktok.com/v2/auth/authorize?client_key=stored"
    assert plan(store, {}, None, portal)[1] == ()


@pytest.mark.parametrize(("top", "wanted"), [("marketing", "login_kit"), ("login_kit", "accounts")])
def test_apps_of_one_platform_are_not_lent_to_the_other(
    store: Store, top: str, wanted: str
) -> None:
    """A Business app is unknown to Login Kit, and the other way round: it is asked for."""
    settings = {**APP, "api": top, "redirect_uri": "https://example.com/"}
    assert plan(store, settings, wanted) == (Connection("acme", wanted), ())


@pytest.mark.parametrize(
    ("settings", "api", "words"),
    [
        ({}, "marketing", "is of api accounts already"),
        ({"connections": [{"name": "acme", "api": "creator"}]}, "accounts", "is of api creator"),
        (
            {
                "api": "login_kit",
                "connections": [{"name": "acme", "grant_type": "client_credentials"}],
            },
            None,
            "tokens of the app itself",
        ),
    ],
)
def test_contradictions_are_refused(
    store: Store, settings: dict[str, Any], api: str | None, words: str
) -> None:
    """A login never turns a connection into one of another kind."""
    store.commit(STORED, None)
    with pytest.raises(ConfigurationError, match=words):
        plan(store, {**APP, **settings}, api)


def test_a_connection_without_a_token_may_become_another(store: Store) -> None:
    """What was revoked or never worked stands in nobody's way."""
    store.commit(replace(STORED, token=None, status="revoked"), None)
    assert plan(store, APP, "marketing")[0].api == "marketing"


@pytest.mark.parametrize(
    ("api", "scope"),
    [("marketing", "user.info.basic"), ("accounts", "4"), ("login_kit", "a&b=c"), ("accounts", "")],
)
def test_foreign_scopes_are_refused(store: Store, api: str, scope: str) -> None:
    """Scopes are numbers for advertisers and names for account holders."""
    with pytest.raises(ConfigurationError, match=f"not one of api {api}"):
        plan(store, {}, api, scope)


@pytest.mark.parametrize(
    ("registered", "port", "uri", "listens"),
    [
        (None, None, f"http://127.0.0.1:{DEFAULT_PORT}/callback/", DEFAULT_PORT),
        ("http://localhost:4000/x", None, "http://localhost:4000/x", 4000),
        ("http://localhost:8080", None, "http://localhost:8080", 8080),
        ("http://127.0.0.1:8080?a=b", None, "http://127.0.0.1:8080?a=b", 8080),
        (
            "HTTP://LocalHost:04000/X/../%7e?q=%2f&r=",
            None,
            "HTTP://LocalHost:04000/X/../%7e?q=%2f&r=",
            4000,
        ),
        ("http://localhost:04000/x", 4000, "http://localhost:04000/x", 4000),
        ("http://localhost:4000/rückruf", None, "http://localhost:4000/rückruf", 4000),
        ("http://localhost:80/", None, "http://localhost:80/", 80),
        ("http://localhost:0/", None, "http://localhost:0/", None),
        ("http://127.0.0.1:*", None, f"http://127.0.0.1:{DEFAULT_PORT}", DEFAULT_PORT),
        ("http://LOCALHOST:*/cb?x=:*", 4001, "http://LOCALHOST:4001/cb?x=:*", 4001),
        ("http://localhost", 4001, "http://localhost:4001", 4001),
        ("http://localhost?a", None, "http://localhost?a", None),
        ("http://127.0.0.1:*/cb/", None, f"http://127.0.0.1:{DEFAULT_PORT}/cb/", DEFAULT_PORT),
        ("http://localhost:4000/x", 4001, "http://localhost:4001/x", 4001),
        ("http://localhost/x", None, "http://localhost/x", None),
        ("http://[::1]:4000/x", None, "http://[::1]:4000/x", None),
        ("https://localhost:4000/x", None, "https://localhost:4000/x", None),
        ("https://example.com/x", None, "https://example.com/x", None),
        ("https://example.com/x", 4001, "http://127.0.0.1:4001/callback/", 4001),
    ],
)
def test_a_registered_address_is_listened_on_only_where_that_is_possible(
    registered: str | None, port: int | None, uri: str, listens: int | None
) -> None:
    """Only http on this machine's IPv4 name with a port is listened on, and no byte is changed."""
    chosen = choose_redirect_uri(APIS["login_kit"], registered, port)
    assert (chosen, listening_port(chosen)) == (uri, listens)


@pytest.mark.parametrize("api", ["marketing", "creator_marketplace"])
def test_advertisers_come_back_to_localhost(api: str) -> None:
    """A login without redirect_uri listens on the documented name and one fixed port."""
    uri = choose_redirect_uri(APIS[api], None, None)
    assert uri == f"http://localhost:{DEFAULT_PORT}/callback/"


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        (None, "is missing"),
        ("http://example.com/cb/", "https"),
        ("https://example.com:443/cb/", "port"),
        ("https://example.com/?a=b/", "query"),
        ("https://example.com/#/", "query"),
        ("https://e.example/" + "a" * 500 + "/", "10 to 512"),
        ("https://me@example.com/", "user"),
        ("ftp://example.com/", "http"),
        ("https://exa mple.com/", "space"),
        ("https://[x/", "not an address"),
    ],
)
@pytest.mark.parametrize("api", ["accounts", "creator"])
def test_what_the_account_holders_page_refuses_is_told_before(
    api: str, uri: str | None, problem: str
) -> None:
    """TikTok's rules for that page are checked here, where the message can name the setting."""
    with pytest.raises(ConfigurationError, match=f"redirect_uri.*({problem})"):
        choose_redirect_uri(APIS[api], uri, None)


@pytest.mark.parametrize(
    "uri",
    ["https://app.example.com/oauth2/return", "https://example.com", "https://example.com/x/"],
)
def test_an_account_holders_address_is_sent_as_it_is(uri: str) -> None:
    """TikTok asks for the slash at the end and takes addresses without it: a warning, no more."""
    assert choose_redirect_uri(APIS["accounts"], uri, None) == uri
    assert listening_port(uri) is None
    assert ("slash" in (check_account_holder_uri(uri) or "")) is not uri.endswith("/")


def test_a_port_makes_no_sense_where_tiktok_forbids_this_machine() -> None:
    """--port for account holders is an error, not silently ignored."""
    with pytest.raises(ConfigurationError, match="no callback to this machine"):
        choose_redirect_uri(APIS["accounts"], "https://example.com/tiktok/", 4000)
