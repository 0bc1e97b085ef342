"""Rules that rarely matter: whose app is used, what a refresh changes besides, who gives up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.config.models import App, Connection, Seed
from tap_tiktok_auth.config.parsing import parse
from tap_tiktok_auth.credentials import renewal
from tap_tiktok_auth.credentials.leases import Leases
from tap_tiktok_auth.credentials.manager import open_manager
from tap_tiktok_auth.errors import (
    AuthorizationRequired,
    ConfigurationError,
    Revoked,
    TryAgainLater,
)
from tests.standin.world import DAY, app_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.credentials.manager import TokenManager
    from tests.standin.runs import Bench

pytestmark = pytest.mark.usefixtures("waits")


@pytest.fixture
def manager(bench: Bench) -> Iterator[TokenManager]:
    """Return the manager of a store into which a person has logged in, with an app of their own."""
    entry = bench.consented("accounts", "acme")
    seed = Seed("auth_code", auth_code=entry["auth_code"])
    app = App(entry["app_id"], entry["app_secret"])
    with open_manager(parse(bench.settings())) as manager:
        manager.log_in(Connection("acme", "accounts", app, seed, entry["redirect_uri"]))
        yield manager


def event_names(manager: TokenManager) -> list[str]:
    """Return the names of all events."""
    return [stored.event.name for stored in manager.store.events()]


def test_scopes_that_a_refresh_changes_are_noted(bench: Bench, manager: TokenManager) -> None:
    """They are noted with the refresh that changes them, and not with one that does not."""
    acme = manager.connection("acme")
    (consent,) = (code.consent for code in bench.world.codes.values())
    manager.get_token(acme, force=True)
    consent.scopes = "video.list,user.info.basic"
    manager.get_token(acme, force=True)
    manager.get_token(acme, force=True)
    assert event_names(manager) == [
        "exchanged", "refreshed", "refreshed", "scopes_changed", "refreshed",
    ]  # fmt: skip


def test_scopes_of_a_new_consent_are_no_change(bench: Bench, manager: TokenManager) -> None:
    """A new login starts a chain with the scopes of its own consent."""
    entry = bench.consented("accounts", "acme")
    consent = bench.world.codes[entry["auth_code"]].consent
    consent.scopes = "video.list,user.info.basic"
    seed = Seed("auth_code", auth_code=entry["auth_code"])
    app = App(entry["app_id"], entry["app_secret"])
    manager.log_in(Connection("acme", "accounts", app, seed, entry["redirect_uri"]))
    assert "scopes_changed" not in event_names(manager)


def sent_app(bench: Bench) -> tuple[Any, Any]:
    """Return id and secret of the app of the last request for a token."""
    body = bench.standin.token_posts[-1].body or {}
    return body.get("client_id"), body.get("client_secret")


@pytest.mark.parametrize("place", ["none", "of the config", "of the connection"])
def test_a_token_is_refreshed_by_its_own_app(
    bench: Bench, manager: TokenManager, place: str
) -> None:
    """Whatever app the config names, the app of the login refreshes its token."""
    del manager
    other = {"app_id": app_of("other"), "app_secret": bench.world.add_app(app_of("other"))}
    settings = bench.settings()
    if place == "of the config":
        settings |= other | {"api": "accounts"}
    elif place == "of the connection":
        settings["connections"] = [{"name": "acme", "api": "accounts", **other}]
    with open_manager(parse(settings)) as manager:
        manager.get_token(manager.connection("acme"), force=True)
    own = app_of("accounts")
    assert sent_app(bench) == (own, bench.world.apps[own])


def test_the_config_has_the_newer_secret(bench: Bench, manager: TokenManager) -> None:
    """The secret that the config gives a connection goes before the stored one: it was changed."""
    del manager
    own = app_of("accounts")
    secret = bench.world.add_app(own)
    entry = bench.connection("accounts", "acme")
    with open_manager(parse(bench.settings(entry))) as manager:
        manager.get_token(manager.connection("acme"), force=True)
    assert sent_app(bench) == (own, secret)


@pytest.mark.parametrize("app", ["accounts", "other"])
def test_a_run_leaves_out_what_only_another_config_can_refresh(bench: Bench, app: str) -> None:
    """A stored connection without a secret of its own belongs to runs with its app."""
    bench.world.add_app(app_of("other"))
    assert bench.run(bench.settings(bench.consented("accounts", "acme"))).code == 0
    default = {
        "api": "accounts",
        "app_id": app_of(app),
        "app_secret": bench.world.apps[app_of(app)],
    }
    config = bench.settings(bench.consented("marketing"), **default)
    with open_manager(parse(config)) as manager:
        names = [connection.name for connection in manager.connections()]
    assert ("acme" in names) == (app == "accounts")


@pytest.mark.parametrize("left", [0.5, -10.0])
def test_who_waits_in_vain(
    bench: Bench, manager: TokenManager, left: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that still works is used with a warning; one that has ended is not."""
    for name in ("PATIENCE_WITH_TOKEN", "PATIENCE_WITHOUT_TOKEN"):
        monkeypatch.setattr(renewal, name, 0.1)
    acme = manager.connection("acme")
    bench.pass_time(DAY - left * 60)
    store, holder = manager.store, Leases(manager.store, 30.0).new_holder()
    assert store.claim("acme", holder, 60.0, lambda record: record).outcome == "held"
    if left > 0:
        held = manager.get_token(acme)
        assert isinstance(held.warning, TryAgainLater)
        assert held.stored.generation == 1
    else:
        with pytest.raises(TryAgainLater, match="another process"):
            manager.get_token(acme)
    assert len(bench.standin.token_posts) == 1


def test_what_never_had_a_token_was_not_revoked(bench: Bench, manager: TokenManager) -> None:
    """A connection whose code was refused says so, also once its code is out of the config."""
    entry = bench.connection("accounts", "new", auth_code="no-such-code")
    assert bench.run(bench.settings(entry)).code == 1
    del entry["auth_code"]
    with open_manager(parse(bench.settings(entry))) as other:
        with pytest.raises(AuthorizationRequired) as caught:
            other.get_token(other.connection("new"))
        assert not isinstance(caught.value, Revoked)
        assert "revoked" not in str(caught.value)
    assert manager.store.read("new") is not None


def test_a_code_that_meets_a_failure_is_no_failed_refresh(bench: Bench) -> None:
    """Of a chain that TikTok refused, a new code that gets no further notes no refresh."""
    former = bench.settings(bench.consented("accounts"))
    bench.run(former)
    bench.world.revoke_all()
    bench.pass_time(2 * DAY)
    refused = bench.run(former)
    assert "refresh_failed" in refused.events("accounts")
    config = bench.settings(bench.consented("accounts"))
    bench.standin.fail("/oauth2/token/", times=9, body={"code": 50000, "message": "later"})
    run = bench.run(config, refused.state)
    assert run.code == 1
    assert "refresh_failed" not in run.events("accounts")


def test_what_is_no_name_is_told_as_such(manager: TokenManager) -> None:
    """A name that no connection can have is not looked for, and nobody is asked to log in as it."""
    with pytest.raises(ConfigurationError) as caught:
        manager.connection("a b")
    assert "there is no connection" not in str(caught.value)
    assert "tiktok-auth login" not in str(caught.value)
