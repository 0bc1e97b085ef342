"""Every token system in every situation, as the rules of a token's life want it.

Each run has one connection of each token system, and where one of them fails one more that is
well: its rows must come out whatever happens to the others.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.standin.runs import APIS, LONG_TERM, TIMED
from tests.standin.world import DAY, app_of, name_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.standin.runs import Bench, Run

pytestmark = pytest.mark.usefixtures("waits")

STALE, EXPIRED = DAY - 600, DAY + 600
#: Where codes are exchanged and tokens refreshed.
EXCHANGE = ("/access_token/", "/tt_user/oauth2/token/", "/v2/oauth/token/")
REFRESH = ("/refresh_token/", "/v2/oauth/token/")
#: How TikTok refuses a refresh token.
REFUSAL = dict.fromkeys(TIMED, "40107") | {"login_kit": "invalid_grant"}
ID = "20261121AB"
FAILED = {"code": 50000, "message": "System error", "request_id": ID}
KIT_FAILED = {"error": "temporarily_unavailable", "error_description": "", "log_id": ID}
ALL_ONCE = dict.fromkeys(APIS, 1)


@pytest.fixture(name="everyone")
def _everyone(bench: Bench) -> dict[str, Any]:
    """Return a config with a consented connection of each token system."""
    return bench.settings(*(bench.consented(api) for api in APIS))


@pytest.fixture(name="and_a_healthy_one")
def _and_a_healthy_one(bench: Bench, everyone: dict[str, Any]) -> dict[str, Any]:
    """Return the config with one more connection, on an app of its own, that is well."""
    bench.world.add_app(app_of("healthy"))
    healthy = bench.consented("healthy", "healthy") | {"api": "marketing"}
    return everyone | {"connections": [*everyone["connections"], healthy]}


def posts(bench: Bench) -> Counter[str]:
    """Return how many token requests each app has sent."""
    names = ("app_id", "client_id", "client_key")
    sent: Counter[str] = Counter()
    for call in bench.standin.token_posts:
        body = call.body or {}
        sent[name_of(next(str(body[name]) for name in names if name in body))] += 1
    return sent


def posted(times: int) -> dict[str, int]:
    """Return the token requests if the tokens that expire had so many and the others one."""
    return ALL_ONCE | dict.fromkeys(TIMED, times)


def states(run: Run, apis: Iterable[str]) -> set[tuple[str, str | None]]:
    """Return in which status and token state connections are."""
    return {(run.row(api)["status"], run.row(api)["token_state"]) for api in apis}


def trails(run: Run, apis: Iterable[str]) -> set[tuple[str, ...]]:
    """Return which events connections have in a run."""
    return {tuple(run.events(api)) for api in apis}


def drop(bench: Bench, paths: tuple[str, ...], *, carried_out: bool) -> None:
    """Let the answer of one token request of each app get lost."""
    for path in paths:
        bench.standin.fail(path, times=2, carried_out=carried_out)


def assert_line(run: Run, name: str, *parts: str) -> None:
    """Assert that one line tells about a connection, and that it has all *parts*."""
    (line,) = run.told(name)
    assert [part for part in parts if part not in line] == [], line


def assert_healthy(run: Run) -> None:
    """Assert that the rows of the connection that is well are out."""
    assert run.row("healthy")["status"] == "active"
    assert len(run.rows("advertiser_ids", "healthy")) == 2


def login(api: str) -> str:
    """Return what a line says if a person must log in."""
    return f"Run: tiktok-auth login {api}"


def test_exchange_and_fresh(bench: Bench, everyone: dict[str, Any]) -> None:
    """The first run exchanges each code once, the second asks for no token at all."""
    first = bench.run(everyone)
    second = bench.run(everyone, first.state)
    assert (first.code, second.code, posts(bench)) == (0, 0, ALL_ONCE)
    assert states(first, APIS) == {("active", "fresh")}
    assert (trails(first, APIS), trails(second, APIS)) == ({("exchanged",)}, {()})
    for api in APIS:
        row = first.row(api)
        assert row["token_lifetime"] == ("long_term" if api in LONG_TERM else "short_term")
        assert (row["obtained_by"], bool(row["verified_at"])) == ("auth_code", True)
        assert first.told(api) == []
        assert second.row(api)["token_fingerprint"] == row["token_fingerprint"]
    code = everyone["connections"][0]["auth_code"]
    ids = [row["advertiser_id"] for row in first.rows("advertiser_ids")]
    assert ids == sorted(bench.world.codes[code].consent.advertisers)
    assert {row["connection"] for row in first.rows("tiktok_accounts")} == set(TIMED)
    assert len(first.rows("creator_marketplace_accounts")) == 1


@pytest.mark.parametrize("age", [STALE, EXPIRED])
def test_stale_and_expired(bench: Bench, everyone: dict[str, Any], age: int) -> None:
    """A token that is stale or expired is refreshed once, and its consent's end does not move."""
    first = bench.run(everyone)
    bench.pass_time(age)
    second = bench.run(everyone, first.state)
    assert (second.code, posts(bench)) == (0, posted(2))
    assert states(second, APIS) == {("active", "fresh")}
    assert (trails(second, TIMED), trails(second, LONG_TERM)) == ({("refreshed",)}, {()})
    assert [second.row(api)["refresh_count"] for api in APIS] == [0, 0, 1, 1, 1]
    for api in TIMED:
        ends = [datetime.fromisoformat(r.row(api)["consent_deadline"]) for r in (first, second)]
        # The store was made older by just that.
        assert (ends[0] - ends[1]).total_seconds() == pytest.approx(age, abs=5)


def test_refresh_rejected_while_the_token_works(bench: Bench, everyone: dict[str, Any]) -> None:
    """The old token is used with a warning; the refused refresh token is never sent again."""
    bench.run(everyone)
    bench.pass_time(STALE)
    for consent in bench.world.refresh.values():
        consent.refresh_token = None
    for _ in range(2):
        run = bench.run(everyone)
        assert (run.code, posts(bench)) == (0, posted(2))
        assert states(run, TIMED) == {("refresh_failing", "stale")}
        for api in TIMED:
            assert_line(run, api, REFUSAL[api], "request id 2026", login(api))
            assert run.row(api)["last_error_code"] == REFUSAL[api]
    assert trails(run, TIMED) == {("exchanged", "refresh_failed")}
    bench.pass_time(DAY)
    ended = bench.run(everyone)
    assert (ended.code, posts(bench)) == (1, posted(2))
    assert states(ended, TIMED) == {("reauthorization_required", "expired")}
    assert states(ended, LONG_TERM) == {("active", "fresh")}
    for api in TIMED:
        assert_line(ended, api, REFUSAL[api], login(api))


def test_refresh_rejected_after_the_token_expired(
    bench: Bench, and_a_healthy_one: dict[str, Any]
) -> None:
    """Without a token that works the connection fails, once at TikTok and then without asking."""
    bench.run(and_a_healthy_one)
    bench.pass_time(EXPIRED)
    for consent in bench.world.refresh.values():
        consent.refresh_token = None
    for _ in range(2):
        run = bench.run(and_a_healthy_one)
        assert (run.code, posts(bench)) == (1, posted(2) | {"healthy": 1})
        assert_healthy(run)
        assert states(run, TIMED) == {("reauthorization_required", "expired")}
        for api in TIMED:
            assert_line(run, api, "TikTok", REFUSAL[api], "request id 2026", login(api))
            assert run.row(api)["request_id"].startswith("2026")
    assert trails(run, TIMED) == {("exchanged", "refresh_failed", "reauthorization_required")}


def test_no_answer_to_an_exchange(bench: Bench, everyone: dict[str, Any]) -> None:
    """A code whose answer got lost is sent once more by the next run, and never again."""
    drop(bench, EXCHANGE, carried_out=True)
    first = bench.run(everyone)
    assert (first.code, posts(bench)) == (1, ALL_ONCE)
    assert states(first, APIS) == {("unconfirmed", None)}
    assert trails(first, APIS) == {("unconfirmed",)}
    for api in APIS:
        assert_line(first, api, "broke off", "Run again later")
    bench.standin.faults.clear()
    for _ in range(2):
        run = bench.run(everyone)
        assert (run.code, posts(bench)) == (1, dict.fromkeys(APIS, 2))
        assert states(run, APIS) == {("reauthorization_required", None)}
        for api in APIS:
            code = "invalid_grant" if api == "login_kit" else "40110"
            assert_line(run, api, code, "got no answer", login(api))


def test_no_answer_to_a_refresh_that_was_carried_out(
    bench: Bench, everyone: dict[str, Any]
) -> None:
    """The old token is used on; the next run tries once more and explains the refusal."""
    bench.run(everyone)
    bench.pass_time(STALE)
    drop(bench, REFRESH, carried_out=True)
    first = bench.run(everyone)
    assert (first.code, posts(bench)) == (0, posted(2))
    assert states(first, TIMED) == {("unconfirmed", "stale")}
    assert trails(first, TIMED) == {("exchanged", "unconfirmed")}
    bench.standin.faults.clear()
    second = bench.run(everyone)
    assert (second.code, posts(bench)) == (0, posted(3))
    assert states(second, TIMED) == {("refresh_failing", "stale")}
    bench.pass_time(DAY)
    third = bench.run(everyone)
    assert (third.code, posts(bench)) == (1, posted(3))
    for api in TIMED:
        assert_line(first, api, "broke off")
        assert_line(second, api, "got no answer", login(api))
        assert_line(third, api, "got no answer", login(api))


def test_no_answer_to_a_refresh_that_was_not_carried_out(
    bench: Bench, everyone: dict[str, Any]
) -> None:
    """The next run's one more try settles everything."""
    bench.run(everyone)
    bench.pass_time(EXPIRED)
    drop(bench, REFRESH, carried_out=False)
    first = bench.run(everyone)
    assert first.code == 1
    assert states(first, TIMED) == {("unconfirmed", "expired")}
    assert states(first, LONG_TERM) == {("active", "fresh")}
    bench.standin.faults.clear()
    second = bench.run(everyone)
    assert (second.code, posts(bench)) == (0, posted(3))
    assert states(second, TIMED) == {("active", "fresh")}
    assert {second.row(api)["last_error_message"] for api in TIMED} == {None}
    assert trails(second, TIMED) == {("exchanged", "unconfirmed", "refreshed")}


def test_revoked_by_the_user(bench: Bench, and_a_healthy_one: dict[str, Any]) -> None:
    """A refused token leads to one refresh at most, and to a line that says what to do."""
    bench.run(and_a_healthy_one)
    for known in bench.world.access.values():
        known.consent.revoked = known.consent.app_id != app_of("healthy")
    for _ in range(2):
        run = bench.run(and_a_healthy_one)
        assert (run.code, posts(bench)) == (1, posted(2) | {"healthy": 1})
        assert_healthy(run)
        for api in TIMED:
            assert_line(run, api, REFUSAL[api], "request id", login(api))
        for api in LONG_TERM:
            cause = "revoked or access withdrawn"
            assert_line(run, api, cause, "40105", "request id", login(api))
        assert states(run, APIS) == {("reauthorization_required", "expired")}
        assert {run.row(api)["verified_at"] for api in APIS} == {None}
        assert run.rows("advertiser_ids", "marketing") == []
    for api in APIS:
        assert run.events(api).count("reauthorization_required") == 1


def rate_limit(bench: Bench, times: int) -> None:
    """Let TikTok restrict the next token requests of each app."""
    body = {"code": 40100, "message": "App reaches the QPS limit.", "request_id": ID}
    kit = {"error": "rate_limit_exceeded", "error_description": "slow", "log_id": ID}
    for path in ("/oauth2/access_token/", "/tt_user/oauth2/"):
        bench.standin.fail(path, times=2 * times, body=body)
    bench.standin.fail("/v2/oauth/token/", times=times, status=429, body=kit)


def test_rate_limited_for_a_while(
    bench: Bench, everyone: dict[str, Any], waits: list[float]
) -> None:
    """A request that TikTok itself put off is sent again until it is taken."""
    rate_limit(bench, 2)
    run = bench.run(everyone)
    assert (run.code, sum(posts(bench).values())) == (0, 15)
    assert len(waits) <= 10
    assert max(waits, default=0) < 10
    assert states(run, APIS) == {("active", "fresh")}
    assert trails(run, APIS) == {("exchanged",)}


def test_rate_limited_for_good(bench: Bench, everyone: dict[str, Any], waits: list[float]) -> None:
    """After TikTok's five minutes it is a failure that passes; the next run starts anew."""
    rate_limit(bench, 100)
    run = bench.run(everyone)
    assert (run.code, posts(bench)) == (1, dict.fromkeys(APIS, 6))
    assert waits.count(300.0) == 5
    assert states(run, APIS) == {("pending", None)}
    assert trails(run, APIS) == {()}
    assert all(ID in run.told(api)[-1] for api in APIS)
    bench.standin.faults.clear()
    assert bench.run(everyone).code == 0


def test_rate_limited_refresh(bench: Bench, everyone: dict[str, Any]) -> None:
    """A token that still works is used while TikTok puts its refresh off."""
    bench.run(everyone)
    bench.pass_time(STALE)
    rate_limit(bench, 100)
    run = bench.run(everyone)
    assert (run.code, posts(bench)) == (0, posted(7))
    assert states(run, TIMED) == {("refresh_failing", "stale")}
    assert trails(run, TIMED) == {("exchanged", "refresh_failed")}
    bench.standin.faults.clear()
    assert states(bench.run(everyone), TIMED) == {("active", "fresh")}


def test_service_failure_that_tiktok_tells(bench: Bench, everyone: dict[str, Any]) -> None:
    """An envelope that says "later" lets a code be sent again."""
    for path in EXCHANGE[:2]:
        bench.standin.fail(path, times=4, body=FAILED)
    bench.standin.fail(EXCHANGE[2], times=3, status=500, body=KIT_FAILED)
    assert bench.run(everyone).code == 0
    assert sum(posts(bench).values()) == 16


@pytest.mark.parametrize("api", APIS)
def test_service_failure_after_the_code_was_used(bench: Bench, api: str) -> None:
    """If TikTok fails only once it has used the code, the refusal of the next try says so."""
    kit = api == "login_kit"
    body, code = (KIT_FAILED, "temporarily_unavailable") if kit else (FAILED, "50000")
    for path in EXCHANGE:
        bench.standin.fail(path, status=500 if kit else 200, carried_out=True, body=body)
    run = bench.run(bench.settings(bench.consented(api)))
    assert (run.code, posts(bench)) == (1, {api: 2})
    assert_line(run, api, f"had failed with {code}", login(api))


def test_server_failure_without_a_word(bench: Bench, everyone: dict[str, Any]) -> None:
    """A bare HTTP 502 may hide a request that was carried out, so nothing is sent again."""
    for path in EXCHANGE:
        bench.standin.fail(path, times=2, status=502, body=b"<html>Bad Gateway</html>")
    run = bench.run(everyone)
    assert (run.code, posts(bench)) == (1, ALL_ONCE)
    assert states(run, APIS) == {("unconfirmed", None)}
    for api in APIS:
        assert_line(run, api, "HTTP 502")
    bench.standin.faults.clear()
    assert bench.run(everyone).code == 0


def test_server_failure_while_verifying(bench: Bench, everyone: dict[str, Any]) -> None:
    """A service that is down while a token is looked at changes nothing about the token."""
    bench.run(everyone)
    before = {api: bench.record(api).token for api in APIS}
    for path in ("/advertiser/get/", "/token_info/", "/tcm/", "/v2/user/info/"):
        bench.standin.fail(path, times=100, status=503, body=b"down")
    run = bench.run(everyone)
    assert (run.code, posts(bench)) == (1, ALL_ONCE)
    assert {api: bench.record(api).token for api in APIS} == before
    assert states(run, APIS) == {("active", "fresh")}
    for api in APIS:
        assert "HTTP 503" in run.told(api)[-1]
        assert run.row(api)["verified_at"] is None
        assert "HTTP 503" in run.row(api)["last_error_message"]
    assert len(run.rows("advertiser_ids", "marketing")) == 2  # what was last seen
    bench.standin.faults.clear()
    mended = bench.run(everyone)
    assert mended.code == 0
    assert {mended.row(api)["last_error_message"] for api in APIS} == {None}
