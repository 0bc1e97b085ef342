"""Which callback address a login uses."""

from __future__ import annotations

import pytest

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.config.models import Hosts
from tap_tiktok_auth.errors import ConfigurationError
from tap_tiktok_auth.login.address import (
    DEFAULT_PORT,
    CallbackAddress,
    check_account_holder_address,
    choose_address,
)

HOSTS = Hosts("https://b.example", "https://l.example", "https://t.example")


def choose(api: str, registered: str | None = None, port: int | None = None) -> CallbackAddress:
    """Choose an address for a token system."""
    return choose_address(APIS[api](HOSTS), registered, port)


@pytest.mark.parametrize(
    ("api", "uri"),
    [
        ("marketing", f"http://localhost:{DEFAULT_PORT}/callback/"),
        ("creator_marketplace", f"http://localhost:{DEFAULT_PORT}/callback/"),
        ("login_kit", f"http://127.0.0.1:{DEFAULT_PORT}/callback/"),
    ],
)
def test_without_a_setting_the_documented_address_is_used(api: str, uri: str) -> None:
    """A login without redirect_uri listens on one fixed port, which can be registered."""
    assert choose(api) == CallbackAddress(uri, DEFAULT_PORT)


@pytest.mark.parametrize(
    ("registered", "port", "uri", "listens"),
    [
        ("http://localhost:4000/x", None, "http://localhost:4000/x", 4000),
        ("http://localhost:8080", None, "http://localhost:8080", 8080),
        ("http://127.0.0.1:8080?a=b", None, "http://127.0.0.1:8080?a=b", 8080),
        (
            "HTTP://LocalHost:04000/X/../%7e?q=%2f&r=",
            None,
            "HTTP://LocalHost:04000/X/../%7e?q=%2f&r=",
            4000,
        ),
        ("http://localhost:4000/rückruf", None, "http://localhost:4000/rückruf", 4000),
        ("http://localhost:80/", None, "http://localhost:80/", 80),
        ("http://127.0.0.1:*", None, f"http://127.0.0.1:{DEFAULT_PORT}", DEFAULT_PORT),
        ("http://LOCALHOST:*/cb?x=:*", 4001, "http://LOCALHOST:4001/cb?x=:*", 4001),
        ("http://localhost", 4001, "http://localhost:4001", 4001),
        ("http://localhost", None, "http://localhost", None),
        ("http://localhost?a", None, "http://localhost?a", None),
        ("http://127.0.0.1:4000/", None, "http://127.0.0.1:4000/", 4000),
        ("http://127.0.0.1:*/cb/", None, f"http://127.0.0.1:{DEFAULT_PORT}/cb/", DEFAULT_PORT),
        ("http://127.0.0.1:*/cb/", 4001, "http://127.0.0.1:4001/cb/", 4001),
        ("http://localhost:4000/x", 4001, "http://localhost:4001/x", 4001),
        ("http://localhost/x", None, "http://localhost/x", None),
        ("http://[::1]:4000/x", None, "http://[::1]:4000/x", None),
        ("https://localhost:4000/x", None, "https://localhost:4000/x", None),
        ("https://example.com/x", None, "https://example.com/x", None),
        ("https://example.com/x", 4001, "http://127.0.0.1:4001/callback/", 4001),
    ],
)
def test_a_registered_address_is_listened_on_only_where_that_is_possible(
    registered: str, port: int | None, uri: str, listens: int | None
) -> None:
    """Only http on this machine's IPv4 name with a port is listened on; else one pastes."""
    assert choose("login_kit", registered, port) == CallbackAddress(uri, listens)


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
        choose(api, uri)


def test_account_holders_addresses_are_pasted() -> None:
    """A proper address of that page is used as it is, and nobody listens."""
    uri = "https://example.com/tiktok/"
    assert choose("accounts", uri) == CallbackAddress(uri, None)


def test_a_port_makes_no_sense_where_tiktok_forbids_this_machine() -> None:
    """--port for account holders is an error, not silently ignored."""
    with pytest.raises(ConfigurationError, match="no callback to this machine"):
        choose("accounts", "https://example.com/tiktok/", 4000)


@pytest.mark.parametrize("api", ["accounts", "creator"])
@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example.com/tiktok_organic/oauth2/return",
        "https://chat.example.com/tiktok/callback",
        "https://example.com",
    ],
)
def test_an_address_without_a_slash_at_its_end_is_sent_as_it_is(api: str, uri: str) -> None:
    """TikTok asks for the slash and takes addresses without it: it warns, that is all."""
    assert choose(api, uri) == CallbackAddress(uri, None)
    assert "slash" in (check_account_holder_address(uri) or "")
    assert check_account_holder_address(f"{uri}/") is None
