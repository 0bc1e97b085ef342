"""A lease is given back whatever goes wrong under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.config.parsing import parse
from tap_tiktok_auth.credentials.manager import open_manager
from tap_tiktok_auth.credentials.renewal import Renewals

if TYPE_CHECKING:
    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.simulator import Simulator


def _broken(_: TokenManager) -> Any:
    raise RuntimeError("a bug of ours")


def test_a_bug_under_the_lease_does_not_lock_others_out(
    tiktok_simulator: Simulator,
    tiktok_connection: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After an unexpected exception the next who asks is served at once, and TikTok asked once."""
    config = parse(tiktok_connection)
    with open_manager(config) as manager:
        with monkeypatch.context() as patch:
            patch.setattr(Renewals, "client", property(_broken))
            with pytest.raises(RuntimeError):
                manager.get_token(manager.connection("default"))

        held = manager.get_token(manager.connection("default"))

    assert held.stored.status == "active"
    assert tiktok_simulator.count(action="exchange") == 1
