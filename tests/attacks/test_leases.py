"""Holders of a lease that stop, lose it, or whose connection changes while TikTok answers."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.credentials.leases import Leases
from tap_tiktok_auth.credentials.manager import TokenManager
from tap_tiktok_auth.errors import GrantRejected, TikTokAuthError
from tap_tiktok_auth.store import open_store
from tests.attacks.conftest import command
from tests.store.forks import forked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.attacks.conftest import Target

DAY = 86_400.0
REFRESH = "/refresh_token/"
COMMAND = Path(sys.executable).with_name("tiktok-auth")


@contextmanager
def stopped(target: Target) -> Iterator[None]:
    """Stop a process that refreshes for two seconds, in which its answer comes; then let it end."""
    target.tiktok.scenario("latency", value=500, times=1, path=REFRESH)
    with subprocess.Popen(
        [COMMAND, "refresh", "acme"], env=target.environment(request_timeout=1),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            while not target.tiktok.count("refresh"):
                time.sleep(0.005)
            process.send_signal(signal.SIGSTOP)
            time.sleep(2.0)
            yield
            process.send_signal(signal.SIGCONT)
            assert process.wait(30) == 0
        finally:
            process.kill()
    record = target.record()
    assert (record.generation, record.status) == (2, "active")
    assert target.is_live(record)


def test_an_answer_that_came_during_a_pause(target: Target) -> None:
    """The answer that waits in the socket is stored although its time was over long ago."""
    target.consent()
    with stopped(target):
        pass
    assert target.tiktok.count("refresh") == 1


def test_a_pause_beyond_the_lease(target: Target) -> None:
    """Another process takes over and is refused; the answer that comes after all mends it."""
    target.consent()
    with stopped(target):
        target.sql("UPDATE connections SET held_until = 0")
        with pytest.raises(GrantRejected, match="got no answer"):
            target.get_token()
        assert target.record().status == "reauthorization_required"


@pytest.mark.parametrize("wrong", [DAY, -DAY])
def test_a_clock_that_was_wrong(target: Target, wrong: float) -> None:
    """A token that was issued by a wrong clock is renewed once when the clock is right."""
    target.consent()
    offset, real = [wrong], target.tiktok.now
    with (
        closing(open_store(target.url, target.key, clock=lambda: real() + offset[0])) as store,
        closing(TokenManager(target.config(), store)) as manager,
    ):
        acme = manager.connection("acme")
        wrongly = manager.get_token(acme, force=True)
        offset[0] = 0.0
        target.tiktok.advance(DAY * 0.99)
        rightly = {manager.get_token(acme).token.access_token for _ in range(3)}
    assert len(rightly) == 1
    assert rightly != {wrongly.token.access_token}
    assert target.tiktok.token_state(*rightly) == "live"
    assert target.tiktok.count("refresh") == 2


def test_a_refusal_after_a_login(target: Target) -> None:
    """Whoever is refused finds out that there is a new token, and uses it."""
    target.consent()
    target.tiktok.scenario("revoked", path=REFRESH, times=1)
    with target.under_way("refresh", target.get_token) as result:
        new = target.consent(left=3600.0)
    assert (result().token, result().warning) == (new.token, None)
    assert target.record() == new


def test_a_login_during_a_refresh(target: Target) -> None:
    """The login waits for the refresh, and its chain is what is stored in the end."""
    target.consent()
    new = target.connection("accounts")
    with target.manager() as other, target.under_way("refresh", target.get_token) as result:
        held = other.log_in(new)
    assert result().stored.generation == held.stored.generation - 1
    assert target.record() == held.stored
    assert target.is_live(held.stored)


def test_a_login_that_fails_late(target: Target) -> None:
    """A first login that is refused after its lease was lost does not delete what another made."""
    acme = target.connection("accounts", "no-such-code")
    with target.manager() as manager:
        with target.under_way("exchange", lambda: manager.log_in(acme)) as result:
            target.sql("UPDATE connections SET held_by = NULL")
            new = target.consent()
        with pytest.raises(TikTokAuthError):
            result()
    assert target.record() == new


def test_a_first_login_that_fails_leaves_nothing(target: Target) -> None:
    """A first login that is refused while it holds its lease leaves no connection behind."""
    with target.manager() as manager:
        with pytest.raises(TikTokAuthError):
            manager.log_in(target.connection("accounts", "no-such-code"))
        assert manager.store.read("acme") is None


def test_forget_waits_for_a_refresh(target: Target) -> None:
    """The answer to a forgotten connection's request does not land in a new one of that name."""
    first = target.consent()
    with target.under_way("refresh", target.get_token) as result:
        done = command(target.settings(), "forget", "acme", "--yes")
        assert done.exit_code == 0, done.output
        new = target.consent(left=3600.0)
    assert result().stored.generation == first.generation + 1
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
