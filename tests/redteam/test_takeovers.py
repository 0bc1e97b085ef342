"""A holder that has lost its lease, or whose connection changed under its hands."""

from __future__ import annotations

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tap_tiktok_auth.cli.main import main
from tap_tiktok_auth.config.models import App, Connection, Seed
from tap_tiktok_auth.config.settings import ENV_PREFIX
from tap_tiktok_auth.credentials.leases import Leases
from tap_tiktok_auth.errors import TikTokAuthError
from tests.store.forks import forked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_tiktok_auth.credentials.models import Credentials
    from tests.redteam.conftest import Target

REFRESH = "/refresh_token/"


@contextmanager
def under_way(
    target: Target, kind: str, ask: Callable[[], Credentials]
) -> Iterator[Callable[[], Credentials]]:
    """Ask in a thread, and enter the block once TikTok has the request; yields the asker's end."""
    target.tiktok.scenario("latency", value=400, times=1)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask)
        while not target.tiktok.count(kind):
            time.sleep(0.005)
        yield asked.result


def test_a_refusal_after_a_login(target: Target) -> None:
    """Whoever is refused finds out that there is a new token, and uses it."""
    target.consent()
    target.tiktok.scenario("revoked", path=REFRESH, times=1)
    with target.manager() as manager:
        acme = manager.connection("acme")
        with under_way(target, "refresh", lambda: manager.get_token(acme)) as result:
            new = target.consent(left=3600.0)
        held = result()
    assert held.token == new.token
    assert held.warning is None
    assert target.record() == new


def test_a_login_during_a_refresh(target: Target) -> None:
    """The login waits for the refresh, and its chain is what is stored in the end."""
    target.consent()
    app, code = target.tiktok.app("accounts"), target.tiktok.authorize("accounts")
    seed = Seed("auth_code", auth_code=code)
    new = Connection("acme", "accounts", App(app.app_id, app.app_secret), seed, app.redirect_uri)
    with target.manager() as manager, target.manager() as other:
        acme = manager.connection("acme")
        with under_way(target, "refresh", lambda: manager.get_token(acme)) as result:
            held = other.log_in(new)
        assert result().stored.generation == held.stored.generation - 1
    assert target.record() == held.stored
    assert target.is_live(held.stored)


def test_a_login_that_fails_late(target: Target) -> None:
    """A first login that is refused after its lease was lost does not delete what another made."""
    app = target.tiktok.app("accounts")
    seed = Seed("auth_code", auth_code="no-such-code")
    acme = Connection("acme", "accounts", App(app.app_id, app.app_secret), seed, app.redirect_uri)
    with target.manager() as manager:
        with under_way(target, "exchange", lambda: manager.log_in(acme)) as result:
            with closing(sqlite3.connect(target.path)) as database, database:
                database.execute("UPDATE connections SET held_by = NULL")
            new = target.consent()
        with pytest.raises(TikTokAuthError):
            result()
    assert target.record() == new


def test_a_first_login_that_fails_leaves_nothing(target: Target) -> None:
    """A first login that is refused while it holds its lease leaves no connection behind."""
    app = target.tiktok.app("accounts")
    seed = Seed("auth_code", auth_code="no-such-code")
    acme = Connection("acme", "accounts", App(app.app_id, app.app_secret), seed, app.redirect_uri)
    with target.manager() as manager:
        with pytest.raises(TikTokAuthError):
            manager.log_in(acme)
        assert manager.store.read("acme") is None


def test_forget_waits_for_a_refresh(target: Target) -> None:
    """The answer to a forgotten connection's request does not land in a new one of that name."""
    first = target.consent()
    names = ("token_store", "token_store_key")
    settings = {f"{ENV_PREFIX}{n.upper()}": str(target.settings()[n]) for n in names}
    with target.manager() as manager:
        acme = manager.connection("acme")
        with under_way(target, "refresh", lambda: manager.get_token(acme)) as result:
            done = CliRunner().invoke(main, ["forget", "acme", "--yes"], env=settings)
            assert done.exit_code == 0, done.output
            new = target.consent(left=3600.0)
        held = result()
    assert held.stored.generation == first.generation + 1
    assert target.record() == new


def test_a_forked_child_keeps_its_own_leases_alive(target: Target) -> None:
    """A child forked in the middle of a refresh renews its own lease, and not its parent's."""
    record = target.consent()
    with target.store() as store:
        leases = Leases(store, 30.0)
        leases.ttl = 0.6

        def renews_its_own() -> bool:
            with leases.kept("other", "child"):
                renewed = threading.Event()
                seen: list[tuple[str, str]] = []

                def renew(name: str, holder: str, ttl: float) -> bool:
                    del ttl
                    seen.append((name, holder))
                    renewed.set()
                    return True

                store.renew = renew  # type: ignore[method-assign]
                return renewed.wait(5) and set(seen) == {("other", "child")}

        store.claim("acme", "parent", 60.0, lambda _: replace(record))
        with leases.kept("acme", "parent"):
            assert forked(renews_its_own)
