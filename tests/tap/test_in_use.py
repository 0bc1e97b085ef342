"""Tokens in use: refused in the middle, with other scopes or ad accounts, of other versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.standin.runs import TIMED
from tests.standin.world import ADVERTISERS, DAY, SUBJECT, app_of

if TYPE_CHECKING:
    from tests.standin.runs import Bench

pytestmark = pytest.mark.usefixtures("waits")

ID = "20261121AB"


def refused(code: int) -> dict[str, Any]:
    """Return an envelope that refuses a call."""
    return {"code": code, "message": "no", "request_id": ID, "data": {}}


def calls_to(bench: Bench, path: str) -> int:
    """Return how many calls went to an address."""
    return sum(path in call.path for call in bench.standin.calls)


@pytest.mark.parametrize("code", [40102, 40105])
def test_refused_with_http_200(bench: Bench, code: int) -> None:
    """A token refused in the middle of a run is refreshed once and the call is made again."""
    config = bench.settings(bench.consented("accounts"), bench.consented("creator"))
    bench.run(config)
    other = bench.record("creator").token
    bench.standin.fail("/business/get/", body=refused(code))
    before = calls_to(bench, "/business/get/")
    run = bench.run(config)
    assert (run.code, len(bench.standin.token_posts)) == (0, 3)
    assert calls_to(bench, "/business/get/") - before == 3
    assert len(run.rows("tiktok_accounts")) == 2
    assert run.events("accounts") == ["exchanged", "refreshed"]
    assert bench.record("creator").token == other


def test_refused_with_http_401(bench: Bench) -> None:
    """Login Kit's refusal is understood as the same."""
    config = bench.settings(bench.consented("login_kit"))
    bench.run(config)
    bench.world.kill_access_tokens()
    run = bench.run(config)
    assert (run.code, run.row("login_kit")["refresh_count"]) == (0, 1)
    assert len(bench.standin.token_posts) == 2
    assert run.rows("tiktok_accounts")


@pytest.mark.parametrize("api", TIMED)
def test_refused_for_good(bench: Bench, api: str) -> None:
    """A token that is refused even after its refresh fails the connection after one replay."""
    config = bench.settings(bench.consented(api))
    bench.run(config)
    path = "/v2/user/info/" if api == "login_kit" else "/token_info/"
    before = calls_to(bench, path)
    status, body = 200, refused(40105)
    if api == "login_kit":
        status, body = 401, {"code": "access_token_invalid", "message": "no", "log_id": ID}
    bench.standin.fail(path, times=100, status=status, body=body)
    run = bench.run(config)
    assert (run.code, len(bench.standin.token_posts)) == (1, 2)
    assert calls_to(bench, path) - before == 2
    assert ID in run.told(api)[0]
    assert f"Run: tiktok-auth login {api}" in run.told(api)[0]


def test_no_refresh_for_a_refused_long_term_token(bench: Bench) -> None:
    """A long-term token that is refused in a data call is named for what it is."""
    config = bench.settings(bench.consented("marketing"), bench.consented("accounts"))
    bench.run(config)
    bench.standin.fail("/advertiser/info/", times=5, body=refused(40105))
    run = bench.run(config)
    assert (run.code, len(bench.standin.token_posts)) == (1, 2)
    assert "revoked or access withdrawn (TikTok code 40105" in run.told("marketing")[0]
    assert run.row("marketing")["status"] == "active"  # its row was made before
    assert len(run.rows("advertiser_ids", "marketing")) == 2
    bench.standin.faults.clear()
    assert bench.run(config).row("marketing")["status"] == "active"


@pytest.mark.parametrize("code", [40001, 40008, 40009, 40013, 40014])
def test_no_details(bench: Bench, code: int) -> None:
    """Details that TikTok does not show, or the sandbox does not have, are told of, no more."""
    bench.standin.fail("/advertiser/info/", times=5, body=refused(code))
    run = bench.run(bench.settings(bench.consented("marketing")))
    assert (run.code, run.rows("advertisers"), len(run.rows("advertiser_ids"))) == (0, [], 2)
    assert "advertisers is left out" in run.told("marketing")[0]


def test_details_that_are_refused(bench: Bench) -> None:
    """Any other refusal fails the connection, and its other rows are out."""
    bench.standin.fail("/advertiser/info/", times=5, body=refused(40002))
    run = bench.run(bench.settings(bench.consented("marketing")))
    assert (run.code, run.rows("advertisers"), len(run.rows("advertiser_ids"))) == (1, [], 2)
    assert "40002" in run.told("marketing")[0]


@pytest.mark.parametrize(("times", "code"), [(2, 0), (6, 0), (7, 1)])
def test_too_many_ids_at_once(bench: Bench, times: int, code: int) -> None:
    """A batch that TikTok finds too large is halved down to one, each ad account comes once."""
    config = bench.settings(bench.consented("marketing"))
    many = {str(number): f"Shop {number}" for number in range(1000, 1130)}
    bench.world.codes[config["connections"][0]["auth_code"]].consent.advertisers = many
    bench.standin.fail("/advertiser/info/", times=times, body=refused(40011))
    run = bench.run(config)
    found = sorted(row["advertiser_id"] for row in run.rows("advertisers"))
    assert (run.code, found) == (code, sorted(many) if code == 0 else [])


def test_lost_and_regained_ad_accounts(bench: Bench) -> None:
    """An ad account that goes is kept as lost, and comes back as granted; the trail says when."""
    config = bench.settings(bench.consented("marketing"))
    bench.run(config)
    consent = bench.world.codes[config["connections"][0]["auth_code"]].consent
    first, second = ADVERTISERS
    del consent.advertisers[second]
    lost = bench.run(config)
    rows = {row["advertiser_id"]: row for row in lost.rows("advertiser_ids")}
    assert [rows[i]["access"] for i in (first, second)] == ["granted", "lost"]
    assert rows[second]["lost_at"]
    assert lost.row("marketing")["advertiser_count"] == 1
    assert [row["advertiser_id"] for row in lost.rows("advertisers")] == [first]
    consent.advertisers[second] = "Second shop, again"
    regained = bench.run(config)
    rows = {row["advertiser_id"]: row for row in regained.rows("advertiser_ids")}
    assert (rows[second]["access"], rows[second]["lost_at"]) == ("granted", None)
    assert rows[second]["advertiser_name"] == "Second shop, again"
    about = [e["event"] for e in regained.rows("token_events") if e["advertiser_id"] == second]
    assert about == ["advertiser_granted", "advertiser_lost", "advertiser_granted"]


def test_ad_accounts_of_a_chain_that_needs_a_person(bench: Bench) -> None:
    """With no token that works nothing is granted; the rows are not repeated as if it were."""
    config = bench.settings(bench.consented("marketing"))
    bench.run(config)
    bench.world.revoke_all()
    run = bench.run(config)
    assert (run.code, run.rows("advertiser_ids"), run.rows("advertisers")) == (1, [], [])


def test_changed_scopes(bench: Bench) -> None:
    """Scopes that changed are noted once; another order of the same ones is no change."""
    config = bench.settings(bench.consented("accounts"))
    first = bench.run(config)
    consent = bench.world.codes[config["connections"][0]["auth_code"]].consent
    consent.scopes = "video.list,user.info.basic"
    second = bench.run(config, first.state)
    third = bench.run(config, second.state)
    assert second.row("accounts")["scopes"] == ["user.info.basic", "video.list"]
    assert (second.events("accounts"), third.events("accounts")) == (["scopes_changed"], [])
    names = [row["username"] for row in second.rows("tiktok_accounts")]
    assert names == [None]  # the scope for it is gone


def test_events_resume_where_they_ended(bench: Bench) -> None:
    """The state of each run, given to the next, brings every event exactly once."""
    config = bench.settings(bench.consented("accounts"), bench.consented("marketing"))
    state, seen = None, []
    for moment in range(4):
        run = bench.run(config, state)
        seen += [row["event_id"] for row in run.rows("token_events")]
        state = run.state
        bench.pass_time(DAY)
        if moment == 2:
            bench.world.revoke_all()
    whole = [row["event_id"] for row in bench.run(config).rows("token_events")]
    assert seen == whole
    assert len(set(seen)) == len(seen) >= 7
    assert seen == sorted(seen)
    assert {len(event_id) for event_id in seen} == {16}


def test_sandbox(bench: Bench) -> None:
    """With configured ad accounts nothing is discovered: the token is checked as a user's."""
    code = bench.world.consent(app_of("marketing"), timed=False)
    token, _ = bench.world.hand_out(bench.world.codes[code].consent, refreshable=False)
    bench.standin.fail("/advertiser/", times=100, body=refused(40008))
    entry = {"name": "box", "access_token": token, "advertiser_ids": ["7001", "7001", "7002"]}
    run = bench.run(bench.settings(entry))
    assert run.code == 0
    assert calls_to(bench, "/v1.3/user/info/") > 0
    assert calls_to(bench, "/advertiser/get/") == 0
    rows = [(row["advertiser_id"], row["source"]) for row in run.rows("advertiser_ids")]
    assert rows == [("7001", "config"), ("7002", "config")]
    assert run.row("box")["subject_id"] == "7788"
    assert "advertisers is left out" in run.told("box")[0]


def test_ad_accounts_that_left_the_config(bench: Bench) -> None:
    """An ad account that the config no longer names is not emitted as if it were granted."""
    entry = bench.consented("marketing", advertiser_ids=["7001", "7002"])
    bench.run(bench.settings(entry))
    run = bench.run(bench.settings(entry | {"advertiser_ids": ["7002"]}))
    assert [row["advertiser_id"] for row in run.rows("advertiser_ids")] == ["7002"]
    assert run.row("marketing")["advertiser_count"] == 1


@pytest.mark.parametrize("long_term", [True, False])
def test_version_2(bench: Bench, *, long_term: bool) -> None:
    """v2.0 is always told which kind of token is wanted; a short-term one is refreshed there."""
    config = bench.settings(
        bench.consented("marketing"), api_version="v2.0", long_term_token=long_term
    )
    first = bench.run(config)
    (post,) = bench.standin.token_posts
    assert post.path == "/open_api/v2.0/oauth2/access_token/"
    assert post.body is not None
    assert post.body["is_long_term"] is long_term
    row = first.row("marketing")
    assert row["token_lifetime"] == ("long_term" if long_term else "short_term")
    assert row["refreshable"] is not long_term
    bench.pass_time(2 * DAY)
    second = bench.run(config)
    assert (first.code, second.code) == (0, 0)
    assert len(bench.standin.token_posts) == (1 if long_term else 2)
    assert len(second.rows("advertiser_ids")) == 2


def test_the_other_systems_stay_at_version_1_3(bench: Bench) -> None:
    """Only the Marketing token endpoints follow `api_version`."""
    others = ("accounts", "creator", "creator_marketplace")
    config = bench.settings(*(bench.consented(api) for api in others), api_version="v2.0")
    assert bench.run(config).code == 0
    assert not any("/v2.0/" in call.path for call in bench.standin.calls)


def test_who_the_tokens_speak_for(bench: Bench) -> None:
    """Each account has one row, with what its scopes allow to know."""
    run = bench.run(bench.settings(*(bench.consented(api) for api in TIMED)))
    rows = {row["connection"]: row for row in run.rows("tiktok_accounts")}
    assert {rows[api]["open_id"] for api in TIMED} == {SUBJECT}
    assert [rows[api]["business_id"] for api in TIMED] == [SUBJECT, SUBJECT, None]
    assert [rows[api]["username"] for api in TIMED] == ["user1", "user1", None]
    assert rows["login_kit"]["union_id"] == "union-1"


def test_tokens_and_secrets_travel_where_they_belong(bench: Bench) -> None:
    """Data calls have the token in its header; a query has no token, and `token_info` no secret."""
    bench.run(bench.settings(*(bench.consented(api) for api in ("marketing", *TIMED))))
    access = set(bench.world.access)
    for call in bench.standin.calls:
        assert not access & set(call.query.values())
        if call.path.startswith("/v2/user/"):
            assert call.headers["authorization"].startswith("Bearer act.")
            assert "access-token" not in call.headers
        elif call.method == "GET":
            assert call.headers["access-token"] in access
            assert "authorization" not in call.headers
        if "/token_info/" in call.path:
            assert set(call.body or {}) == {"app_id", "access_token"}
