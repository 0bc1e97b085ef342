"""A seed that failed can be taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.checks import check
from tap_tiktok_auth.configuration import parse
from tap_tiktok_auth.errors import AuthorizationRequired, GrantRejected
from tap_tiktok_auth.metadata import token_metadata
from tap_tiktok_auth.session import session

if TYPE_CHECKING:
    from tap_tiktok_auth.simulator import Simulator


def test_the_former_chain_goes_on(
    tiktok_simulator: Simulator, tiktok_connection: dict[str, Any]
) -> None:
    """After a bad new code is taken back, the token from the good one is used as before."""
    with session(parse(tiktok_connection)) as broker:
        good = broker.obtain(broker.connection("default")).token.access_token

    with session(parse({**tiktok_connection, "auth_code": "never-valid"})) as broker:
        report = check(broker, broker.connection("default"))
        assert isinstance(report.error, GrantRejected)
        assert token_metadata(report, broker)["status"] == "reauthorization_required"

    with session(parse(tiktok_connection)) as broker:
        assert broker.obtain(broker.connection("default")).token.access_token == good
        report = check(broker, broker.connection("default"))
        assert token_metadata(report, broker)["status"] == "active"
        assert token_metadata(report, broker)["last_error_code"] is None
    assert tiktok_simulator.count(action="exchange") == 2


@pytest.mark.parametrize("again", [1, 2])
def test_a_refused_code_is_not_sent_again(
    tiktok_simulator: Simulator, tiktok_connection: dict[str, Any], again: int
) -> None:
    """A code that TikTok refused is remembered: later runs say so without asking."""
    config = parse({**tiktok_connection, "auth_code": "never-valid"})
    for _ in range(1 + again):
        with session(config) as broker, pytest.raises(AuthorizationRequired, match="code"):
            broker.obtain(broker.connection("default"))
    assert tiktok_simulator.count(action="exchange") == 1
