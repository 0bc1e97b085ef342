"""Many who ask at once, and the end of a chain by command."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.config.parsing import parse
from tap_tiktok_auth.credentials.data_calls import replace_rejected
from tap_tiktok_auth.credentials.manager import open_manager
from tap_tiktok_auth.errors import AccessTokenRejected, AuthorizationRequired, NoAnswer
from tests.standin.runs import APIS, TIMED
from tests.standin.world import DAY

if TYPE_CHECKING:
    from tests.standin.runs import Bench

pytestmark = pytest.mark.usefixtures("waits")
ASKERS = 8


@pytest.mark.parametrize("api", TIMED)
def test_one_refresh_for_all(bench: Bench, api: str) -> None:
    """Threads with a store of their own each, all at once: one request, one token for all."""
    config = parse(bench.settings(bench.consented(api)))
    gate = threading.Barrier(ASKERS)

    def ask(_: int) -> str:
        with open_manager(config) as manager:
            gate.wait(30)
            return manager.get_token(config.connections[0]).token.access_token

    with ThreadPoolExecutor(ASKERS) as pool:
        first = set(pool.map(ask, range(ASKERS)))
        bench.pass_time(2 * DAY)
        second = set(pool.map(ask, range(ASKERS)))
    assert (len(first), len(second), len(first | second)) == (1, 1, 2)
    assert len(bench.standin.token_posts) == 2


def test_one_refresh_for_all_whose_token_is_refused(bench: Bench) -> None:
    """Only the very token that was refused is given up: later refusals of it find the new one."""
    config = parse(bench.settings(bench.consented("accounts")))
    with open_manager(config) as manager:
        held = manager.get_token(config.connections[0])
        rejection = AccessTokenRejected("refused", code="40105")
        with ThreadPoolExecutor(ASKERS) as pool:
            tokens = set(
                pool.map(lambda _: replace_rejected(manager, held, rejection).token, range(ASKERS))
            )
    assert len(tokens) == 1
    assert held.token not in tokens
    assert len(bench.standin.token_posts) == 2


def test_a_refused_app_token_is_replaced(bench: Bench) -> None:
    """A token of the app itself that TikTok refuses is asked for again."""
    entry = bench.connection("login_kit", grant_type="client_credentials")
    config = parse(bench.settings(entry))
    with open_manager(config) as manager:
        held = manager.get_token(config.connections[0])
        other = replace_rejected(manager, held, AccessTokenRejected("refused"))
        assert other.token.access_token != held.token.access_token
        assert manager.get_token(config.connections[0]).token == other.token
    assert bench.world.app_tokens == 2


@pytest.mark.parametrize("api", APIS)
def test_revocation(bench: Bench, api: str) -> None:
    """A revoked chain stays ended, its row stays, its secrets go, its seed starts nothing."""
    settings = bench.settings(bench.consented(api))
    config = parse(settings)
    with open_manager(config) as manager:
        manager.get_token(config.connections[0])
        manager.revoke(config.connections[0])
        with pytest.raises(AuthorizationRequired, match="no token to revoke"):
            manager.revoke(config.connections[0])
        with pytest.raises(AuthorizationRequired, match="was revoked"):
            manager.get_token(config.connections[0])
    assert all(access.consent.revoked for access in bench.world.access.values())
    assert bench.record(api).token is None
    run = bench.run(settings)
    row = run.row(api)
    assert (run.code, row["status"], row["token_fingerprint"]) == (0, "revoked", None)
    assert run.events(api) == ["exchanged", "revoked"]
    assert len(bench.standin.token_posts) == 1
    anew = bench.run(bench.settings(bench.consented(api)))
    assert (anew.code, anew.row(api)["status"]) == (0, "active")


@pytest.mark.parametrize("api", APIS)
def test_revocation_of_a_dead_token(bench: Bench, api: str) -> None:
    """A token that TikTok does not know any more is as good as revoked."""
    config = parse(bench.settings(bench.consented(api)))
    with open_manager(config) as manager:
        manager.get_token(config.connections[0])
        bench.world.revoke_all()
        if api == "login_kit":
            body = {"error": "invalid_grant", "error_description": "", "log_id": "20261121AB"}
            bench.standin.fail("/oauth/revoke/", status=400, body=body)
        assert manager.revoke(config.connections[0]).status == "revoked"


def test_revocation_without_an_answer(bench: Bench) -> None:
    """As long as TikTok does not say that it is done the token is kept."""
    config = parse(bench.settings(bench.consented("accounts")))
    with open_manager(config) as manager:
        token = manager.get_token(config.connections[0]).token
        bench.standin.fail("/revoke/", times=100)
        with pytest.raises(NoAnswer):
            manager.revoke(config.connections[0])
    assert bench.record("accounts").token == token
