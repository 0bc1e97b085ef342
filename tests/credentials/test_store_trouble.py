"""The token store fails at the worst moment: nothing is spent in vain, nothing is lost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.config.parsing import parse
from tap_tiktok_auth.credentials import leases, manager, renewal
from tap_tiktok_auth.credentials.manager import open_manager
from tap_tiktok_auth.errors import StoreUnavailable
from tap_tiktok_auth.store.sql import SqlStore
from tests.standin.world import DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_tiktok_auth.credentials.models import StoredEvent
    from tests.standin.runs import Bench

pytestmark = pytest.mark.usefixtures("waits")


def failing(times: int, true: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of the store that fails a few times before it works."""
    left = [times]

    def method(self: SqlStore, *args: Any, **kwargs: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise StoreUnavailable("the token store cannot be written to", next_step="Mend it.")
        return true(self, *args, **kwargs)

    return method


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "COMMIT_RETRIES", (0.0, 0.0))


def test_a_store_that_takes_no_lease(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the lease, a committed write, nothing is sent to TikTok."""
    config = bench.settings(bench.consented("accounts"))
    with monkeypatch.context() as patch:
        patch.setattr(SqlStore, "claim", failing(9, SqlStore.claim))
        run = bench.run(config)
    assert run.code == 1
    assert "cannot be written to" in run.told("accounts")[0]
    assert bench.standin.token_posts == []
    assert bench.run(config).code == 0


def test_a_store_that_fails_right_before_sending(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent, and a token that has expired is not taken for one that needs a person."""
    config = bench.settings(bench.consented("accounts"))
    bench.run(config)
    bench.pass_time(2 * DAY)
    with monkeypatch.context() as patch:
        patch.setattr(leases, "RECENT", 0.0)
        patch.setattr(SqlStore, "renew", failing(99, SqlStore.renew))
        run = bench.run(config)
    assert run.code == 1
    assert run.row("accounts")["status"] == "refresh_failing"
    assert len(bench.standin.token_posts) == 1
    assert bench.run(config).row("accounts")["status"] == "active"


def test_a_commit_that_fails_for_a_while(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit is tried again, the request is not."""
    config = bench.settings(bench.consented("accounts"))
    with monkeypatch.context() as patch:
        patch.setattr(SqlStore, "commit", failing(2, SqlStore.commit))
        run = bench.run(config)
    assert (run.code, run.row("accounts")["status"]) == (0, "active")
    assert len(bench.standin.token_posts) == 1


def test_a_commit_that_fails_for_good(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token goes into a sealed file that only its owner reads, and the next run takes it in."""
    config = bench.settings(bench.consented("accounts"), bench.consented("marketing"))
    bench.run(config)
    bench.pass_time(2 * DAY)
    with monkeypatch.context() as patch:
        patch.setattr(SqlStore, "commit", failing(99, SqlStore.commit))
        run = bench.run(config)
    assert run.code == 1
    assert "is kept, encrypted, in" in run.told("accounts")[-1]
    assert run.row("marketing")["status"] == "active"
    (file,) = (bench.folder / "store" / "recovery").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert bench.leaks() == []
    second = bench.run(config)
    assert (second.code, second.row("accounts")["status"]) == (0, "active")
    assert len(bench.standin.token_posts) == 3
    assert second.row("accounts")["refresh_count"] == 1
    assert not file.exists()


def test_a_store_that_comes_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that goes on running delivers the token by itself, for other machines too."""
    monkeypatch.setattr(manager, "DELIVER_EVERY", 0.01)
    config = parse(bench.settings(bench.consented("accounts")))
    with open_manager(config) as program:
        with monkeypatch.context() as patch:
            patch.setattr(SqlStore, "commit", failing(99, SqlStore.commit))
            with pytest.raises(StoreUnavailable, match="is kept, encrypted, in"):
                program.get_token(config.connections[0])
        deadline = time.monotonic() + 30
        while bench.record("accounts").token is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert len(bench.standin.token_posts) == 1


def test_a_store_that_goes_away_while_it_is_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read is emitted, one line says what happened, and the next run goes on there."""
    config = bench.settings(bench.consented("accounts"))
    events = SqlStore.events

    def breaking(store: SqlStore, **how: Any) -> Iterator[StoredEvent]:
        yield next(events(store, **how))
        raise StoreUnavailable("the token store broke the connection", next_step="Start it.")

    with monkeypatch.context() as patch:
        patch.setattr(SqlStore, "events", breaking)
        run = bench.run(config)
    assert run.code == 1
    assert "unhandled" not in run.err
    assert run.err.count("the token store broke the connection. Start it.") == 1
    assert run.row("accounts")["status"] == "active"
    assert len(run.rows("token_events")) == 1
    assert bench.run(config, run.state).code == 0


def test_a_wrong_key(bench: Bench) -> None:
    """A key that does not fit is told of in one line before any call."""
    config = bench.settings(bench.consented("accounts"))
    bench.run(config)
    calls = len(bench.standin.calls)
    other = type(bench)(bench.standin, bench.folder).key
    bench.world.issued.add(other)
    run = bench.run(config | {"token_store_key": other})
    assert run.code == 1
    errors = [line for line in run.err.splitlines() if " ERROR " in line]
    assert len(errors) == 1
    assert "key" in errors[0]
    assert len(bench.standin.calls) == calls
    assert run.rows("token_metadata") == []
