"""PostgreSQL stopped and started while tokens are being refreshed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.credentials.manager import TokenManager
from tests.chaos.worker import refresh_through_outages

if TYPE_CHECKING:
    from tests.chaos.conftest import Chain, Nursery
    from tests.chaos.worker import Place
    from tests.postgres_server import PostgresServer

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.parametrize("store_url", ["postgres"], indirect=True),
]


def test_nothing_is_lost_while_the_server_restarts(
    chain: Chain, place: Place, nursery: Nursery, postgres_server: PostgresServer
) -> None:
    """Six processes refresh while PostgreSQL is stopped and started, and no token is lost."""
    chain.tiktok.scenario("latency", value=30)
    over = nursery.context.Event()
    crowd = [nursery.start(refresh_through_outages, place, over) for _ in range(6)]
    for _, pipe in crowd:
        assert pipe.recv() == "ready"
    for pause in (0.1, 0.5, 1.0):
        time.sleep(0.5)
        before = chain.record.generation
        postgres_server.stop()
        time.sleep(pause)
        postgres_server.start()
        for _ in range(600):
            if chain.record.generation > before + 5:
                break
            time.sleep(0.05)
        assert chain.record.generation > before + 5
    over.set()
    failures = [line for _, pipe in crowd for line in pipe.recv()]
    for process, _ in crowd:
        assert nursery.exit_code(process) == 0
    assert failures
    assert all(line.count(".") and "\n" not in line for line in failures)
    manager = TokenManager(place.config(), chain.store)
    manager.get_token(manager.connection("acme"), force=True)
    manager.close()
    assert chain.answered_refreshes == chain.stored_refreshes
    assert chain.refused_refreshes == 0
    assert chain.refresh_token_state == "live"
