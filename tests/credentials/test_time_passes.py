"""Time that passes while a process waits, and requests that nobody has settled yet."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.config.parsing import parse
from tap_tiktok_auth.credentials import renewal
from tap_tiktok_auth.credentials.manager import open_manager
from tap_tiktok_auth.errors import NoAnswer
from tap_tiktok_auth.store.sql import SqlStore
from tests.standin.world import DAY

if TYPE_CHECKING:
    from tests.standin.runs import Bench

pytestmark = pytest.mark.usefixtures("waits")


def test_a_token_that_ends_while_another_process_is_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who came while the old token worked is served as well as who comes when it has ended."""
    monkeypatch.setattr(renewal, "PATIENCE_WITH_TOKEN", 1.0)
    config = parse(bench.settings(bench.consented("accounts")))
    with open_manager(config) as manager:
        first = manager.get_token(config.connections[0])
    bench.pass_time(DAY - 0.5)
    gate = threading.Event()
    bench.standin.fail("/refresh_token/", carried_out=True, body=..., gate=gate)

    def ask() -> str:
        with open_manager(config) as manager:
            return manager.get_token(config.connections[0]).token.access_token

    with ThreadPoolExecutor(2) as pool:
        holder = pool.submit(ask)
        while len(bench.standin.token_posts) < 2:
            time.sleep(0.01)
        waiter = pool.submit(ask)
        threading.Timer(2.0, gate.set).start()
        assert waiter.result() == holder.result() != first.token.access_token


def test_a_token_that_ends_while_the_store_is_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that has ended before its failed refresh was stored is not handed out."""
    config = parse(bench.settings(bench.consented("accounts")))
    with open_manager(config) as manager:
        manager.get_token(config.connections[0])
    bench.pass_time(DAY - 10)
    bench.standin.fail("/refresh_token/", body=b"")
    commit, passed = SqlStore.commit, [0.0]

    def wait_and_commit(store: SqlStore, *args: Any, **kwargs: Any) -> bool:
        passed[0] += 20
        return commit(store, *args, **kwargs)

    monkeypatch.setattr(SqlStore, "commit", wait_and_commit)
    monkeypatch.setattr(SqlStore, "now", lambda _: time.time() + passed[0])
    with open_manager(config) as manager, pytest.raises(NoAnswer):
        manager.get_token(config.connections[0])


class TestUnconfirmed:
    """A refresh that got no answer, while the old token has much of its life left."""

    @pytest.fixture
    def config(self, bench: Bench) -> dict[str, Any]:
        """Return the config of a connection whose forced refresh got no answer."""
        config = bench.settings(bench.consented("accounts"))
        parsed = parse(config)
        with open_manager(parsed) as manager:
            manager.get_token(parsed.connections[0])
            bench.standin.fail("/refresh_token/", body=None)
            manager.get_token(parsed.connections[0], force=True)
        assert bench.record("accounts").status == "unconfirmed"
        return config

    def test_the_next_run_settles_it(self, bench: Bench, config: dict[str, Any]) -> None:
        """A run of the tap asks once more, though nothing is due."""
        assert bench.run(config).row("accounts")["status"] == "active"
        assert len(bench.standin.token_posts) == 3
        assert bench.run(config).code == 0
        assert len(bench.standin.token_posts) == 3

    def test_the_next_run_hears_that_it_was_carried_out(
        self, bench: Bench, config: dict[str, Any]
    ) -> None:
        """TikTok's refusal is told with what most likely happened; the old token still serves."""
        bench.world.revoke_refresh_tokens()
        run = bench.run(config)
        assert run.row("accounts")["status"] == "refresh_failing"
        assert "got no answer" in run.told("accounts")[0]
        bench.run(config)
        assert len(bench.standin.token_posts) == 3

    def test_a_program_that_needs_the_token_uses_it(
        self, bench: Bench, config: dict[str, Any]
    ) -> None:
        """A library's next request does not wait for TikTok: its token works."""
        parsed = parse(config)
        with open_manager(parsed) as manager:
            assert manager.get_token(parsed.connections[0]).warning is None
        assert len(bench.standin.token_posts) == 2
