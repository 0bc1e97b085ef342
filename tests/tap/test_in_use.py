"""Tokens in use: refused in the middle, with other scopes or ad accounts, of other versions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.standin.runs import TIMED
from tests.standin.world import ADVERTISERS, DAY, SUBJECT, app_of

if TYPE_CHECKING:
    from tests.standin.runs import Bench

pytestmark = pytest.mark.usefixtures("waits")

#: Where the streams read with the token of each system.
READS = {"accounts": "/business/get/", "creator": "/business/get/", "login_kit": "/v2/user/info/"}


def calls_to(bench: Bench, path: str) -> int:
    """Return how many calls went to an address."""
    return sum(path in call.path for call in bench.standin.calls)


@pytest.mark.parametrize("code", [40102, 40105])
def test_refused_with_http_200(bench: Bench, code: int) -> None:
    """A token refused in the middle of a run is refreshed once and the call is made again."""
    config = bench.settings(bench.consented("accounts"), bench.consented("creator"))
    bench.run(config)
    other = bench.record("creator").token
    body = {"code": code, "message": "no", "request_id": "20261121AB", "data": {}}
    bench.standin.fail("/business/get/", body=body)
    before = calls_to(bench, "/business/get/")
    run = bench.run(config)
    assert run.code == 0
    assert len(bench.standin.token_posts) == 3
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
    assert run.code == 0
    assert len(bench.standin.token_posts) == 2
    assert run.row("login_kit")["refresh_count"] == 1
    assert run.rows("tiktok_accounts")


@pytest.mark.parametrize("api", TIMED)
def test_refused_for_good(bench: Bench, api: str) -> None:
    """A token that is refused even after its refresh fails the connection after one replay."""
    config = bench.settings(bench.consented(api))
    bench.run(config)
    path = "/v2/user/info/" if api == "login_kit" else "/token_info/"
    before = calls_to(bench, path)
    body: dict[str, Any] = {"code": 40105, "message": "no", "request_id": "20261121AB"}
    if api == "login_kit":
        body = {"code": "access_token_invalid", "message": "no", "log_id": "20261121AB"}
    bench.standin.fail(path, times=100, status=401 if api == "login_kit" else 200, body=body)
    run = bench.run(config)
    assert run.code == 1
    assert calls_to(bench, path) - before == 2
    assert len(bench.standin.token_posts) == 2
    assert "20261121AB" in run.told(api)[0]
    assert f"Run: tiktok-auth login {api}" in run.told(api)[0]


def test_no_refresh_for_a_refused_long_term_token(bench: Bench) -> None:
    """A long-term token that is refused in a data call is named for what it is."""
    config = bench.settings(bench.consented("marketing"), bench.consented("accounts"))
    bench.run(config)
    body = {"code": 40105, "message": "no", "request_id": "20261121AB", "data": {}}
    bench.standin.fail("/advertiser/info/", times=5, body=body)
    run = bench.run(config)
    assert run.code == 1
    assert "revoked or access withdrawn (TikTok code 40105" in run.told("marketing")[0]
    assert len(bench.standin.token_posts) == 2
    assert run.row("marketing")["status"] == "active"  # its row was made before
    assert len(run.rows("advertiser_ids", "marketing")) == 2
    bench.standin.faults.clear()
    assert bench.run(config).row("marketing")["status"] == "active"


def test_no_permission_for_details(bench: Bench) -> None:
    """Ad accounts whose details TikTok does not show are told of, and the run succeeds."""
    body = {"code": 40001, "message": "No permission", "request_id": "20261121AB", "data": {}}
    bench.standin.fail("/advertiser/info/", times=5, body=body)
    run = bench.run(bench.settings(bench.consented("marketing")))
    assert run.code == 0
    assert run.rows("advertisers") == []
    assert len(run.rows("advertiser_ids")) == 2
    assert "advertisers is left out" in run.told("marketing")[0]


def test_too_many_ids_at_once(bench: Bench) -> None:
    """A batch that TikTok finds too large is asked for in smaller ones, each ad account once."""
    config = bench.settings(bench.consented("marketing"))
    code = config["connections"][0]["auth_code"]
    many = {str(i): f"Shop {i}" for i in range(1000, 1130)}
    bench.world.codes[code].consent.advertisers = many
    body = {"code": 40011, "message": "too many", "request_id": "20261121AB", "data": {}}
    bench.standin.fail("/advertiser/info/", times=2, body=body)
    run = bench.run(config)
    assert run.code == 0
    assert sorted(row["advertiser_id"] for row in run.rows("advertisers")) == sorted(many)


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
    assert run.code == 1
    assert run.rows("advertiser_ids") == []
    assert run.rows("advertisers") == []


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


def test_a_state_that_is_none(bench: Bench) -> None:
    """A bookmark that is no event id is refused in one line."""
    state = {
        "bookmarks": {
            "token_events": {"replication_key": "event_id", "replication_key_value": "yesterday"}
        }
    }
    run = bench.run(bench.settings(bench.consented("accounts")), state)
    assert run.code == 1
    assert "bookmark of the stream token_events is no event id" in run.err


@pytest.mark.parametrize(
    "more",
    [{"partitions": 5}, {"partitions": [1]}, {"progress_markers": 5}, {"partitions": [{}]}],
    ids=str,
)
def test_a_state_with_what_no_stream_has(bench: Bench, more: dict[str, Any]) -> None:
    """What a state has beside bookmarks of ours keeps no run from its work."""
    first = bench.run(settings := bench.settings(bench.consented("accounts")))
    assert first.code == 0
    bookmarks = json.loads(json.dumps(first.state["bookmarks"]))
    bookmarks["token_events"] |= more
    bookmarks["advertisers"] = more
    run = bench.run(settings, {"bookmarks": bookmarks})
    assert run.code == 0, run.err
    assert run.state["bookmarks"]["token_events"] == first.state["bookmarks"]["token_events"]


def test_sandbox(bench: Bench) -> None:
    """With configured ad accounts nothing is discovered: the token is checked as a user's."""
    token = bench.world.hand_out(
        bench.world.codes[bench.world.consent(app_of("marketing"), timed=False)].consent,
        refreshable=False,
    )[0]
    for path in ("/advertiser/get/", "/advertiser/info/"):
        body = {"code": 40008, "message": "not in sandbox", "request_id": "20261121AB"}
        bench.standin.fail(path, times=100, body=body)
    entry = {"name": "box", "access_token": token, "advertiser_ids": ["7001", "7001", "7002"]}
    run = bench.run(bench.settings(entry))
    assert run.code == 0
    assert calls_to(bench, "/v1.3/user/info/") > 0
    assert calls_to(bench, "/advertiser/get/") == 0
    rows = run.rows("advertiser_ids")
    assert [(r["advertiser_id"], r["source"]) for r in rows] == [
        ("7001", "config"),
        ("7002", "config"),
    ]
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
    lifetime = "long_term" if long_term else "short_term"
    assert first.row("marketing")["token_lifetime"] == lifetime
    assert first.row("marketing")["refreshable"] is not long_term
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
