"""A seed that failed can be taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.config.parsing import parse
from tap_tiktok_auth.credentials.checks import check
from tap_tiktok_auth.credentials.manager import open_manager
from tap_tiktok_auth.errors import AuthorizationRequired, GrantRejected
from tap_tiktok_auth.metadata import token_metadata

if TYPE_CHECKING:
    from tap_tiktok_auth.simulator import Simulator


def test_the_former_chain_goes_on(
    tiktok_simulator: Simulator, tiktok_connection: dict[str, Any]
) -> None:
    """After a bad new code is taken back, the token from the good one is used as before."""
    with open_manager(parse(tiktok_connection)) as manager:
        good = manager.get_token(manager.connection("default")).token.access_token

    with open_manager(parse({**tiktok_connection, "auth_code": "never-valid"})) as manager:
        report = check(manager, manager.connection("default"))
        assert isinstance(report.error, GrantRejected)
        assert token_metadata(report, manager)["status"] == "reauthorization_required"

    with open_manager(parse(tiktok_connection)) as manager:
        assert manager.get_token(manager.connection("default")).token.access_token == good
        report = check(manager, manager.connection("default"))
        assert token_metadata(report, manager)["status"] == "active"
        assert token_metadata(report, manager)["last_error_code"] is None
    assert tiktok_simulator.count(action="exchange") == 2


@pytest.mark.parametrize("again", [1, 2])
def test_a_refused_code_is_not_sent_again(
    tiktok_simulator: Simulator, tiktok_connection: dict[str, Any], again: int
) -> None:
    """A code that TikTok refused is remembered: later runs say so without asking."""
    config = parse({**tiktok_connection, "auth_code": "never-valid"})
    for _ in range(1 + again):
        with open_manager(config) as manager, pytest.raises(AuthorizationRequired, match="code"):
            manager.get_token(manager.connection("default"))
    assert tiktok_simulator.count(action="exchange") == 1
