"""Clocks that are put forward and back by a day while a token lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.credentials.session import new_manager
from tap_tiktok_auth.store import open_store

if TYPE_CHECKING:
    from tests.redteam.conftest import Target

DAY = 86_400.0


@pytest.mark.parametrize("wrong", [DAY, -DAY])
def test_a_clock_that_was_wrong(target: Target, wrong: float) -> None:
    """A token that was issued by a wrong clock is renewed once when the clock is right."""
    target.consent()
    offset = [wrong]
    real = target.tiktok.now
    store = open_store(target.url, target.key, clock=lambda: real() + offset[0])
    manager = new_manager(target.config(), store)
    acme = manager.connection("acme")
    wrongly = manager.get_token(acme, force=True)
    offset[0] = 0.0
    target.tiktok.advance(DAY * 0.99)
    rightly = [manager.get_token(acme).token for _ in range(3)]
    assert wrongly.token != rightly[0]
    assert len({token.access_token for token in rightly}) == 1
    assert target.tiktok.token_state(rightly[0].access_token) == "live"
    assert target.tiktok.count("refresh") == 2
    manager.close()
    store.close()
