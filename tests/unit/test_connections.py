"""Connections: what a config means, and how a contradictory one is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tap_tiktok_auth.config.models import App, Connection, Hosts, Seed
from tap_tiktok_auth.config.parsing import check_name, parse
from tap_tiktok_auth.config.settings import SDK_SETTINGS
from tap_tiktok_auth.network import is_loopback

CANARY = "canary5ec23t"
APP = {"app_id": "7", "app_secret": f"{CANARY}-secret"}
CODE = {"auth_code": f"{CANARY}-code"}
REFRESH = {"refresh_token": f"{CANARY}-refresh"}
ACCESS = {"access_token": f"{CANARY}-access"}


def _one(config: dict[str, Any]) -> Connection:
    (connection,) = parse(config).connections
    return connection


def test_empty_config_names_no_connection() -> None:
    """Without any setting there is no connection, and all defaults hold."""
    config = parse({})
    assert config.connections == ()
    assert config.hosts == Hosts(
        "https://business-api.tiktok.com", "https://open.tiktokapis.com", "https://www.tiktok.com"
    )
    assert (config.refresh_margin, config.parallelism, config.on_error) == (1800, 8, "fail")


def test_top_level_with_a_seed_is_the_default_connection() -> None:
    """The top level alone describes one connection, named default."""
    assert _one({**APP, **CODE}) == Connection(
        name="default",
        api="marketing",
        app=App(APP["app_id"], APP["app_secret"]),
        seed=Seed("auth_code", auth_code=CODE["auth_code"]),
    )


def test_top_level_without_a_seed_only_lends() -> None:
    """Without a seed the top level is no connection, but lends its app to entries."""
    config = parse({**APP, "api": "accounts", "connections": [{"name": "acme"}]})
    (connection,) = config.connections
    assert (connection.name, connection.api) == ("acme", "accounts")
    assert connection.app == App(APP["app_id"], APP["app_secret"])
    assert connection.seed is None
    assert config.defaults.app() == connection.app


def test_seeds_are_not_lent() -> None:
    """The top level's seed belongs to its own connection alone."""
    config = parse({**APP, **CODE, "code_verifier": None, "connections": [{"name": "acme"}]})
    assert [(c.name, c.seed is None) for c in config.connections] == [
        ("default", False),
        ("acme", True),
    ]


def test_an_entrys_own_settings_win() -> None:
    """What an entry says itself it does not take from the top level."""
    entry = {"name": "acme", "api": "creator", "app_id": "8", "app_secret": "other", **REFRESH}
    connection = _one({**APP, "connections": [entry]})
    assert connection.api == "creator"
    assert connection.app == App("8", "other")
    assert connection.seed == Seed("refresh_token", refresh_token=REFRESH["refresh_token"])


def test_advertiser_ids_are_lent_to_marketing_only() -> None:
    """Lent ad accounts reach marketing connections, without duplicates, and no others."""
    config = parse(
        {
            "advertiser_ids": ["2", "1", "2"],
            "connections": [{"name": "ads"}, {"name": "creator", "api": "creator"}],
        }
    )
    assert [c.advertiser_ids for c in config.connections] == [("2", "1"), ()]


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (CODE, "auth_code"),
        (REFRESH, "refresh_token"),
        (ACCESS, "access_token"),
        ({**REFRESH, **ACCESS}, "access_and_refresh_token"),
    ],
)
def test_seed_kinds(settings: dict[str, str], kind: str) -> None:
    """Each seed is recognised; an access token may stand beside a refresh token."""
    seed = _one({**APP, "api": "accounts", **settings}).seed
    assert seed
    assert seed.kind == kind


def test_client_credentials_need_no_seed() -> None:
    """A Login Kit app's own token needs nothing but the app."""
    seed = _one({**APP, "api": "login_kit", "grant_type": "client_credentials"}).seed
    assert seed == Seed("client_credentials")


def test_seeds_with_different_secrets_differ() -> None:
    """No two seeds share the text that tells one from another, even of one value."""
    seeds = [
        Seed("auth_code", auth_code="x"),
        Seed("refresh_token", refresh_token="x"),
        Seed("access_token", access_token="x"),
        Seed("access_and_refresh_token", refresh_token="x", access_token="x"),
        Seed("access_and_refresh_token", refresh_token="x", access_token="y"),
        Seed("client_credentials"),
    ]
    assert len({seed.material for seed in seeds}) == len(seeds)


@pytest.mark.parametrize("name", ["acme", "Acme-1.de", "a@b", "brand:eu", "x" * 100, "7"])
def test_fit_name_is_taken(name: str) -> None:
    """Letters, digits and a few marks make a name."""
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://sandbox-ads.tiktok.com/", "https://sandbox-ads.tiktok.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://proxy.example/tiktok/", "https://proxy.example/tiktok"),
    ],
)
def test_safe_host_is_taken_without_its_slash(url: str, base: str) -> None:
    """An https host, or http on this machine, is taken; paths can be appended to it."""
    assert parse({"business_api_url": url}).hosts.business == base


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.255.0.1", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("128.0.0.1", False),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
        ("", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    """Only addresses that cannot leave this machine are loopback."""
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    "config",
    [
        {**ACCESS, "api": "login_kit"},
        {**ACCESS, "advertiser_ids": ["7001"]},
        {"connections": [{"name": "acme"}]},
    ],
)
def test_app_is_needed_only_where_it_is_used(config: dict[str, Any]) -> None:
    """A Login Kit token, a sandbox token, and a connection of the store work without the app."""
    assert _one(config).app is None


def test_connections_are_found_by_name() -> None:
    """A connection can be asked for by its name."""
    config = parse({"connections": [{"name": "a"}, {"name": "b"}]})
    found = config.connection("b")
    assert found
    assert found.name == "b"
    assert config.connection("c") is None


def test_settings_of_the_sdk_are_let_through() -> None:
    """The Singer SDK's own settings do not disturb."""
    samples = {"object": {}, "boolean": True, "integer": 1, "string": "."}
    assert parse({s.name: samples[s.kind] for s in SDK_SETTINGS}).connections == ()


def test_config_shows_no_secret() -> None:
    """No repr of a config shows a secret."""
    store = {"token_store": f"postgresql://me:{CANARY}@h/db", "token_store_key": CANARY}
    entry = {"name": "b", "api": "accounts", **REFRESH, **ACCESS}
    login = {"name": "c", "api": "login_kit", **CODE, "code_verifier": CANARY}
    config = parse({**APP, **CODE, **store, "connections": [entry, login]})
    assert CANARY not in repr(config)
    assert config.token_store_key == CANARY
