"""Every token system in every situation, as the rules of a token's life want it.

Each run has one connection of each token system, and where one of them fails one more that is
well: its rows must come out whatever happens to the others.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from tests.standin.runs import APIS, LONG_TERM, TIMED
from tests.standin.world import DAY, app_of
from tests.tap.cells import (
    EXCHANGE,
    EXPIRED,
    REFRESH,
    STALE,
    assert_healthy,
    assert_line,
    drop,
    everyone,
    posts,
    refusal,
    reject_refreshes,
    with_a_healthy_one,
)

if TYPE_CHECKING:
    from tests.standin.runs import Bench


@pytest.mark.usefixtures("waits")
def test_exchange_and_fresh(bench: Bench) -> None:
    """The first run exchanges each code once, the second asks for no token at all."""
    config = everyone(bench)
    first = bench.run(config)
    assert first.code == 0
    assert posts(bench) == dict.fromkeys(APIS, 1)
    for api in APIS:
        row = first.row(api)
        assert (row["status"], row["token_state"]) == ("active", "fresh")
        assert row["token_lifetime"] == ("long_term" if api in LONG_TERM else "short_term")
        assert row["obtained_by"] == "auth_code"
        assert row["verified_at"]
        assert first.events(api) == ["exchanged"]
        assert first.told(api) == []
    assert [r["advertiser_id"] for r in first.rows("advertiser_ids")] == sorted(
        bench.world.codes[config["connections"][0]["auth_code"]].consent.advertisers
    )
    assert {r["connection"] for r in first.rows("tiktok_accounts")} == set(TIMED)
    assert len(first.rows("creator_marketplace_accounts")) == 1
    second = bench.run(config, first.state)
    assert second.code == 0
    assert posts(bench) == dict.fromkeys(APIS, 1)
    for api in APIS:
        assert second.row(api)["token_fingerprint"] == first.row(api)["token_fingerprint"]
        assert second.events(api) == []


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("age", [STALE, EXPIRED])
def test_stale_and_expired(bench: Bench, age: int) -> None:
    """A token that is stale or expired is refreshed once, and its consent's end does not move."""
    config = everyone(bench)
    first = bench.run(config)
    bench.pass_time(age)
    second = bench.run(config, first.state)
    assert second.code == 0
    assert posts(bench) == {api: 1 if api in LONG_TERM else 2 for api in APIS}
    for api in APIS:
        row = second.row(api)
        assert (row["status"], row["token_state"]) == ("active", "fresh")
        assert second.events(api) == ([] if api in LONG_TERM else ["refreshed"])
        assert row["refresh_count"] == (0 if api in LONG_TERM else 1)
    for api in TIMED:
        told = [datetime.fromisoformat(r.row(api)["consent_deadline"]) for r in (first, second)]
        moved = (told[0] - told[1]).total_seconds()
        assert abs(moved - age) < 5  # the store was made older by just that


@pytest.mark.usefixtures("waits")
def test_refresh_rejected_while_the_token_works(bench: Bench) -> None:
    """The old token is used with a warning; the refused refresh token is never sent again."""
    config = everyone(bench)
    bench.run(config)
    bench.pass_time(STALE)
    reject_refreshes(bench)
    run = bench.run(config)
    assert run.code == 0
    assert posts(bench) == {api: 1 if api in LONG_TERM else 2 for api in APIS}
    for api in TIMED:
        assert_line(run, api, refusal(api), "request id 2026", f"Run: tiktok-auth login {api}")
        row = run.row(api)
        assert (row["status"], row["token_state"]) == ("refresh_failing", "stale")
        assert row["last_error_code"] == refusal(api)
        assert run.events(api) == ["exchanged", "refresh_failed"]
    again = bench.run(config)
    assert again.code == 0
    assert posts(bench)["accounts"] == 2
    assert_line(again, "accounts", "40107")
    bench.pass_time(DAY)
    ended = bench.run(config)
    assert ended.code == 1
    assert posts(bench)["accounts"] == 2
    for api in TIMED:
        assert_line(ended, api, refusal(api), f"Run: tiktok-auth login {api}")
        assert ended.row(api)["status"] == "reauthorization_required"
        assert ended.row(api)["token_state"] == "expired"
    assert [ended.row(api)["status"] for api in LONG_TERM] == ["active", "active"]


@pytest.mark.usefixtures("waits")
def test_refresh_rejected_after_the_token_expired(bench: Bench) -> None:
    """Without a token that works the connection fails, once at TikTok and then without asking."""
    config = with_a_healthy_one(bench, everyone(bench))
    bench.run(config)
    bench.pass_time(EXPIRED)
    reject_refreshes(bench)
    for _ in range(2):
        run = bench.run(config)
        assert run.code == 1
        assert_healthy(run)
        for api in TIMED:
            assert posts(bench)[api] == 2
            line = ("TikTok", refusal(api), "request id 2026", f"Run: tiktok-auth login {api}")
            assert_line(run, api, *line)
            row = run.row(api)
            assert (row["status"], row["token_state"]) == ("reauthorization_required", "expired")
            assert row["request_id"].startswith("2026")
    assert run.events("accounts") == ["exchanged", "refresh_failed", "reauthorization_required"]


@pytest.mark.usefixtures("waits")
def test_no_answer_to_an_exchange(bench: Bench) -> None:
    """A code whose answer got lost is sent once more by the next run, and never again."""
    config = everyone(bench)
    drop(bench, EXCHANGE, carried_out=True)
    first = bench.run(config)
    assert first.code == 1
    assert posts(bench) == dict.fromkeys(APIS, 1)
    for api in APIS:
        assert_line(first, api, "broke off", "Run again later")
        assert first.row(api)["status"] == "unconfirmed"
        assert first.events(api) == ["unconfirmed"]
    bench.standin.faults.clear()
    second = bench.run(config)
    assert second.code == 1
    assert posts(bench) == dict.fromkeys(APIS, 2)
    for api in APIS:
        code = "invalid_grant" if api == "login_kit" else "40110"
        assert_line(second, api, code, "got no answer", f"Run: tiktok-auth login {api}")
        assert second.row(api)["status"] == "reauthorization_required"
    third = bench.run(config)
    assert third.code == 1
    assert posts(bench) == dict.fromkeys(APIS, 2)
    for api in APIS:
        assert_line(third, api, "got no answer", f"Run: tiktok-auth login {api}")


@pytest.mark.usefixtures("waits")
def test_no_answer_to_a_refresh_that_was_carried_out(bench: Bench) -> None:
    """The old token is used on; the next run tries once more and explains the refusal."""
    config = everyone(bench)
    bench.run(config)
    bench.pass_time(STALE)
    drop(bench, REFRESH, carried_out=True)
    first = bench.run(config)
    assert first.code == 0
    for api in TIMED:
        assert posts(bench)[api] == 2
        assert_line(first, api, "broke off")
        assert (first.row(api)["status"], first.row(api)["token_state"]) == ("unconfirmed", "stale")
        assert first.events(api) == ["exchanged", "unconfirmed"]
    bench.standin.faults.clear()
    second = bench.run(config)
    assert second.code == 0
    for api in TIMED:
        assert posts(bench)[api] == 3
        assert_line(second, api, "got no answer", f"Run: tiktok-auth login {api}")
        assert second.row(api)["status"] == "refresh_failing"
    bench.pass_time(DAY)
    third = bench.run(config)
    assert third.code == 1
    for api in TIMED:
        assert posts(bench)[api] == 3
        assert_line(third, api, "got no answer", f"Run: tiktok-auth login {api}")


@pytest.mark.usefixtures("waits")
def test_no_answer_to_a_refresh_that_was_not_carried_out(bench: Bench) -> None:
    """The next run's one more try mends everything."""
    config = everyone(bench)
    bench.run(config)
    bench.pass_time(EXPIRED)
    drop(bench, REFRESH, carried_out=False)
    first = bench.run(config)
    assert first.code == 1
    assert [first.row(api)["status"] for api in TIMED] == ["unconfirmed"] * 3
    assert [first.row(api)["status"] for api in LONG_TERM] == ["active"] * 2
    bench.standin.faults.clear()
    second = bench.run(config)
    assert second.code == 0
    for api in TIMED:
        assert posts(bench)[api] == 3
        assert second.row(api)["status"] == "active"
        assert second.row(api)["last_error_message"] is None
        assert second.events(api) == ["exchanged", "unconfirmed", "refreshed"]


@pytest.mark.usefixtures("waits")
def test_revoked_by_the_user(bench: Bench) -> None:
    """A refused token leads to one refresh at most, and to a line that says what to do."""
    config = with_a_healthy_one(bench, everyone(bench))
    bench.run(config)
    for known in bench.world.access.values():
        known.consent.revoked = known.consent.app_id != app_of("healthy")
    for _ in range(2):
        run = bench.run(config)
        assert run.code == 1
        assert_healthy(run)
        for api in TIMED:
            assert posts(bench)[api] == 2
            assert_line(run, api, refusal(api), "request id", f"Run: tiktok-auth login {api}")
        for api in LONG_TERM:
            assert posts(bench)[api] == 1
            cause = "revoked or access withdrawn"
            assert_line(run, api, cause, "40105", "request id", f"Run: tiktok-auth login {api}")
        for api in APIS:
            row = run.row(api)
            assert (row["status"], row["token_state"]) == ("reauthorization_required", "expired")
            assert row["verified_at"] is None
        assert run.rows("advertiser_ids", "marketing") == []
    for api in APIS:
        assert run.events(api).count("reauthorization_required") == 1
