"""Tokens that the user holds already, as what a chain starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.standin.runs import APIS, TIMED
from tests.standin.world import DAY, app_of

if TYPE_CHECKING:
    from tests.standin.runs import Bench

pytestmark = pytest.mark.usefixtures("waits")


def tokens_of(bench: Bench, api: str) -> tuple[str, str]:
    """Return an access and a refresh token that were granted to someone else's program."""
    consent = bench.world.codes[bench.world.consent(app_of(api), timed=True)].consent
    access, refresh = bench.world.hand_out(consent, refreshable=True)
    return access, refresh or ""


@pytest.mark.parametrize("api", TIMED)
def test_refresh_token_as_a_seed(bench: Bench, api: str) -> None:
    """A refresh token is used once, and then what came out of it."""
    _, refresh = tokens_of(bench, api)
    config = bench.settings(bench.connection(api, refresh_token=refresh))
    first = bench.run(config)
    assert (first.code, first.row(api)["obtained_by"]) == (0, "refresh_token")
    assert first.events(api) == ["imported"]
    bench.pass_time(2 * DAY)
    second = bench.run(config)
    assert second.code == 0
    assert set(bench.standin.spent().values()) == {1}
    assert len(bench.standin.token_posts) == 2


@pytest.mark.parametrize("api", TIMED)
def test_access_token_beside_a_refresh_token(bench: Bench, api: str) -> None:
    """A confirmed access token is used as it is; once TikTok refuses it, it is refreshed once."""
    access, refresh = tokens_of(bench, api)
    seeds = {"access_token": access, "refresh_token": refresh}
    config = bench.settings(bench.connection(api, **seeds))
    first = bench.run(config)
    assert (first.code, first.row(api)["obtained_by"]) == (0, "access_token")
    assert bench.standin.token_posts == []
    bench.world.kill_access_tokens()
    second = bench.run(config)
    assert second.code == 0
    assert len(bench.standin.token_posts) == 1
    assert second.row(api)["refresh_count"] == 1


@pytest.mark.parametrize("api", TIMED)
def test_dead_access_token_beside_a_refresh_token(bench: Bench, api: str) -> None:
    """An access token that TikTok refuses at once is not used: the refresh token is."""
    _, refresh = tokens_of(bench, api)
    bench.world.issued.add("act.dead-and-gone")
    seeds = {"access_token": "act.dead-and-gone", "refresh_token": refresh}
    config = bench.settings(bench.connection(api, **seeds))
    assert bench.run(config).row(api)["obtained_by"] == "refresh_token"
    assert len(bench.standin.token_posts) == 1
    assert bench.run(config).code == 0
    assert len(bench.standin.token_posts) == 1


def test_two_tokens_put_back_are_not_sent_again(bench: Bench) -> None:
    """A refresh token that was used up within its chain starts no chain when it is put back."""
    access, refresh = tokens_of(bench, "accounts")
    old = bench.connection("accounts", access_token=access, refresh_token=refresh)
    bench.run(bench.settings(old))
    bench.pass_time(2 * DAY)
    bench.world.kill_access_tokens()
    bench.run(bench.settings(old))
    bench.run(bench.settings(bench.consented("accounts")))
    run = bench.run(bench.settings(old))
    assert run.code == 1
    assert "another one has replaced it" in run.told("accounts")[0]
    assert max(bench.standin.spent().values()) == 1


@pytest.mark.parametrize("api", APIS)
def test_access_token_as_a_seed(bench: Bench, api: str) -> None:
    """A token that the user holds is confirmed by TikTok before it is believed."""
    timed = api in TIMED
    consent = bench.world.codes[bench.world.consent(app_of(api), timed=timed)].consent
    access, _ = bench.world.hand_out(consent, refreshable=timed)
    config = bench.settings(bench.connection(api, access_token=access))
    run = bench.run(config)
    assert (run.code, run.row(api)["status"]) == (0, "active")
    assert run.row(api)["refreshable"] is False
    assert run.events(api) == ["imported"]
    bench.world.revoke_all()
    ended = bench.run(config)
    assert (ended.code, ended.row(api)["status"]) == (1, "reauthorization_required")
    assert f"Run: tiktok-auth login {api}" in ended.told(api)[0]
    assert bench.standin.token_posts == []


def test_access_token_as_a_seed_while_tiktok_is_silent(bench: Bench) -> None:
    """Asking about a token spends nothing, so no answer is a failure that passes, nothing more."""
    access, _ = tokens_of(bench, "accounts")
    bench.standin.fail("/token_info/", times=100)
    config = bench.settings(bench.connection("accounts", access_token=access))
    run = bench.run(config)
    assert (run.code, run.row("accounts")["status"]) == (1, "pending")
    assert run.events("accounts") == []
    bench.standin.faults.clear()
    assert bench.run(config).code == 0
