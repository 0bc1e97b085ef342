"""Every token system while TikTok restricts requests or fails: what is sent again, and what not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.standin.runs import APIS, TIMED
from tests.tap.cells import EXCHANGE, STALE, assert_line, everyone, posts

if TYPE_CHECKING:
    from tests.standin.runs import Bench


def rate_limit(bench: Bench, times: int) -> None:
    """Let TikTok restrict the next token requests of each app."""
    body = {"code": 40100, "message": "App reaches the QPS limit.", "request_id": "20261121AB"}
    kit = {"error": "rate_limit_exceeded", "error_description": "slow", "log_id": "20261121AB"}
    for path in ("/oauth2/access_token/", "/tt_user/oauth2/"):
        bench.standin.fail(path, times=2 * times, body=body)
    bench.standin.fail("/v2/oauth/token/", times=times, status=429, body=kit)


def test_rate_limited_for_a_while(bench: Bench, waits: list[float]) -> None:
    """A request that TikTok itself put off is sent again until it is taken."""
    rate_limit(bench, 2)
    run = bench.run(everyone(bench))
    assert run.code == 0
    assert sum(posts(bench).values()) == 15
    assert len(waits) <= 10
    assert max(waits, default=0) < 10
    for api in APIS:
        assert run.row(api)["status"] == "active"
        assert run.events(api) == ["exchanged"]


def test_rate_limited_for_good(bench: Bench, waits: list[float]) -> None:
    """After TikTok's five minutes it is a failure that passes; the next run starts anew."""
    rate_limit(bench, 100)
    config = everyone(bench)
    run = bench.run(config)
    assert run.code == 1
    assert posts(bench) == dict.fromkeys(APIS, 6)
    assert waits.count(300.0) == 5
    for api in APIS:
        assert "20261121AB" in run.told(api)[-1]
        assert run.row(api)["status"] == "pending"
        assert run.events(api) == []
    bench.standin.faults.clear()
    assert bench.run(config).code == 0


@pytest.mark.usefixtures("waits")
def test_rate_limited_refresh(bench: Bench) -> None:
    """A token that still works is used while TikTok puts its refresh off."""
    config = everyone(bench)
    bench.run(config)
    bench.pass_time(STALE)
    rate_limit(bench, 100)
    run = bench.run(config)
    assert run.code == 0
    for api in TIMED:
        assert (run.row(api)["status"], posts(bench)[api]) == ("refresh_failing", 7)
        assert run.events(api) == ["exchanged", "refresh_failed"]
    bench.standin.faults.clear()
    again = bench.run(config)
    assert [again.row(api)["status"] for api in TIMED] == ["active"] * 3


FAILED = {"code": 50000, "message": "System error", "request_id": "20261121AB"}
KIT_FAILED = {"error": "temporarily_unavailable", "error_description": "", "log_id": "20261121AB"}


@pytest.mark.usefixtures("waits")
def test_service_failure_that_tiktok_tells(bench: Bench) -> None:
    """An envelope that says "later" lets a code be sent again."""
    for path in EXCHANGE[:2]:
        bench.standin.fail(path, times=4, body=FAILED)
    bench.standin.fail(EXCHANGE[2], times=3, status=500, body=KIT_FAILED)
    run = bench.run(everyone(bench))
    assert run.code == 0
    assert sum(posts(bench).values()) == 16


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("api", APIS)
def test_service_failure_after_the_code_was_used(bench: Bench, api: str) -> None:
    """If TikTok fails only once it has used the code, the refusal of the next try says so."""
    kit = api == "login_kit"
    body, code = (KIT_FAILED, "temporarily_unavailable") if kit else (FAILED, "50000")
    for path in EXCHANGE:
        bench.standin.fail(path, status=500 if kit else 200, carried_out=True, body=body)
    run = bench.run(bench.settings(bench.consented(api)))
    assert run.code == 1
    assert posts(bench) == {api: 2}
    assert_line(run, api, f"had failed with {code}", f"Run: tiktok-auth login {api}")


@pytest.mark.usefixtures("waits")
def test_server_failure_without_a_word(bench: Bench) -> None:
    """A bare HTTP 502 may hide a request that was carried out, so nothing is sent again."""
    for path in EXCHANGE:
        bench.standin.fail(path, times=2, status=502, body=b"<html>Bad Gateway</html>")
    config = everyone(bench)
    run = bench.run(config)
    assert run.code == 1
    assert posts(bench) == dict.fromkeys(APIS, 1)
    for api in APIS:
        assert_line(run, api, "HTTP 502")
        assert run.row(api)["status"] == "unconfirmed"
    bench.standin.faults.clear()
    assert bench.run(config).code == 0


@pytest.mark.usefixtures("waits")
def test_server_failure_while_verifying(bench: Bench) -> None:
    """A service that is down while a token is looked at changes nothing about the token."""
    config = everyone(bench)
    bench.run(config)
    before = {api: bench.record(api).token for api in APIS}
    for path in ("/advertiser/get/", "/token_info/", "/tcm/", "/v2/user/info/"):
        bench.standin.fail(path, times=100, status=503, body=b"down")
    run = bench.run(config)
    assert run.code == 1
    assert {api: bench.record(api).token for api in APIS} == before
    assert posts(bench) == dict.fromkeys(APIS, 1)
    for api in APIS:
        assert "HTTP 503" in run.told(api)[-1]
        row = run.row(api)
        assert (row["status"], row["verified_at"]) == ("active", None)
        assert "HTTP 503" in row["last_error_message"]
    assert len(run.rows("advertiser_ids", "marketing")) == 2  # what was last seen
    bench.standin.faults.clear()
    mended = bench.run(config)
    assert mended.code == 0
    assert [mended.row(api)["last_error_message"] for api in APIS] == [None] * 5
