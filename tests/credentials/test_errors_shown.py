"""Errors that a library's user sees: no secret in any form of them, whatever went wrong."""

from __future__ import annotations

import copy
import pickle
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.config.parsing import parse
from tap_tiktok_auth.credentials.manager import open_manager
from tap_tiktok_auth.errors import TikTokAuthError
from tests.standin.runs import APIS
from tests.standin.world import DAY

if TYPE_CHECKING:
    from tests.standin.runs import Bench

pytestmark = pytest.mark.usefixtures("waits")

FAULTS: dict[str, dict[str, Any]] = {
    "dropped": {},
    "html": {"status": 502, "body": b"<html>"},
    "garbage": {"body": b'{"code": 0, "data": {"access_token": 7}}'},
    "limited": {"body": {"code": 40100, "message": "slow", "request_id": "20261121AB"}},
    "refused": {"body": {"code": 40110, "message": "no", "request_id": "20261121AB"}},
    "unknown": {"body": {"code": 49999, "message": "no", "request_id": "20261121AB"}},
}


def forms(error: BaseException) -> str:
    """Return all that an error can be made to show."""
    chain = [error]
    while (inner := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(inner)
    shown = [f"{one} {one!r} {one.args} {vars(one)}" for one in chain]
    return "\n".join(shown) + "".join(traceback.format_exception(error))


@pytest.mark.parametrize("api", APIS)
def test_no_form_of_an_error_has_a_secret(bench: Bench, api: str) -> None:
    """Text, repr, arguments, attributes, contexts and traceback are all without secrets."""
    for name, fault in FAULTS.items():
        bench.standin.fail("token/", times=20, **fault)
        config = parse(bench.settings(bench.consented(api, name)))
        with open_manager(config) as manager, pytest.raises(TikTokAuthError) as caught:
            manager.get_token(config.connections[0])
        error = caught.value
        assert not [secret for secret in bench.secrets() if secret in forms(error)]
        assert str(error).startswith(f"connection {name}: ")
        for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
            assert (str(twin), type(twin)) == (str(error), type(error))
        bench.standin.faults.clear()


def test_no_value_shows_its_secrets(bench: Bench) -> None:
    """What a debugger prints of configs, connections, records, tokens and requests has none."""
    config = parse(bench.settings(*(bench.consented(api) for api in APIS)))
    with open_manager(config) as manager:
        for connection in config.connections:
            held = manager.get_token(connection)
            api = manager.api(connection)
            assert held.connection.app is not None
            shown = repr((config, connection, held, held.token, held.stored, manager))
            shown += repr(api.verify(held.connection, held.token.access_token))
            shown += repr(api.refresh(held.connection.app, held.token.refresh_token or "rft"))
            assert not [secret for secret in bench.secrets() if secret in shown]


def test_forced_and_long_enough(bench: Bench) -> None:
    """Who wants a newer token, or one that lasts longer, gets it by one refresh."""
    config = parse(bench.settings(bench.consented("accounts")))
    with open_manager(config) as manager:
        connection = config.connections[0]
        first = manager.get_token(connection)
        assert manager.get_token(connection, min_lifetime=DAY // 2).token == first.token
        second = manager.get_token(connection, force=True)
        assert second.token.access_token != first.token.access_token
        bench.pass_time(DAY // 2)
        third = manager.get_token(connection, min_lifetime=DAY * 0.9)
        assert third.token.access_token != second.token.access_token
    assert len(bench.standin.token_posts) == 3
