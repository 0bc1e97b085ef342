"""Which seed a chain of tokens starts from, and what the next runs make of it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.config.parsing import parse
from tap_tiktok_auth.credentials.manager import open_manager
from tests.standin.runs import APIS, TIMED
from tests.standin.world import DAY, YEAR, Access, app_of

if TYPE_CHECKING:
    from tests.standin.runs import Bench

pytestmark = pytest.mark.usefixtures("waits")

ID = "20261121AB"


def log_in(bench: Bench, connection: dict[str, Any]) -> None:
    """Let a person log in with that connection's code."""
    with open_manager(parse(bench.settings())) as manager:
        manager.log_in(parse(bench.settings(connection)).connections[0])


def held_tokens(bench: Bench, api: str) -> dict[str, str]:
    """Return an access and a refresh token that were granted to someone else's program."""
    consent = bench.world.codes[bench.world.consent(app_of(api), timed=api in TIMED)].consent
    access, refresh = bench.world.hand_out(consent, refreshable=api in TIMED)
    return {"access_token": access, "refresh_token": refresh or ""}


def test_a_new_code_starts_a_new_chain(bench: Bench) -> None:
    """A changed auth_code is exchanged, and only then."""
    first = bench.run(bench.settings(*(bench.consented(api) for api in APIS)))
    config = bench.settings(*(bench.consented(api) for api in APIS))
    second, third = bench.run(config), bench.run(config)
    assert (first.code, second.code, third.code) == (0, 0, 0)
    assert len(bench.standin.token_posts) == 10
    for api in APIS:
        prints = [run.row(api)["token_fingerprint"] for run in (first, second, third)]
        assert prints[0] != prints[1] == prints[2]
        assert third.events(api) == ["exchanged", "exchanged"]


def test_an_old_code_put_back_starts_nothing(bench: Bench) -> None:
    """A code that another one has replaced is never sent again; the line says what happened."""
    old, new = bench.consented("accounts"), bench.consented("accounts")
    bench.run(bench.settings(old))
    bench.run(bench.settings(new))
    run = bench.run(bench.settings(old))
    assert (run.code, len(bench.standin.token_posts)) == (1, 2)
    assert "another one has replaced it" in run.told("accounts")[0]
    assert bench.run(bench.settings(new)).code == 0


@pytest.mark.parametrize(("on_error", "code"), [("fail", 1), ("warn", 0)])
def test_a_spent_code_among_good_ones(bench: Bench, on_error: str, code: int) -> None:
    """The line has TikTok's code and the next step; the others' rows are out; `warn` exits 0."""
    spent = bench.consented("marketing", "spent")
    bench.world.codes[spent["auth_code"]].used = True
    config = bench.settings(spent, bench.consented("accounts"), on_error=on_error, parallelism=1)
    run, again = bench.run(config), bench.run(config)
    assert (run.code, again.code, len(bench.standin.token_posts)) == (code, code, 2)
    (line,) = run.told("spent")
    for part in ("40110", "request id 2026", "Run: tiktok-auth login spent"):
        assert part in line
    row = run.row("spent")
    assert (row["status"], row["last_error_code"]) == ("reauthorization_required", "40110")
    assert run.row("accounts")["status"] == "active"
    assert run.rows("tiktok_accounts", "accounts")
    assert run.events("spent") == ["reauthorization_required"]
    assert "40110" in again.told("spent")[0]


def test_a_code_of_the_other_consent_page(bench: Bench) -> None:
    """A code that was sent to the wrong flow's endpoint gets the hint that it may be that."""
    code = bench.world.consent(app_of("accounts"), timed=True)
    wrong = bench.connection("accounts", "wrong", auth_code=code) | {"api": "marketing"}
    (line,) = bench.run(bench.settings(wrong)).told("wrong")
    assert "40131" in line
    assert "consent page of another api" in line
    assert bench.run(bench.settings(wrong | {"api": "accounts"})).code == 0
    assert bench.record("wrong").api == "accounts"


def test_many_at_once(bench: Bench) -> None:
    """Twenty connections, eight at a time, are exchanged once each."""
    run = bench.run(bench.settings(*(bench.consented("accounts", f"c{i}") for i in range(20))))
    assert (run.code, len(run.rows("token_metadata"))) == (0, 20)
    assert set(bench.standin.spent().values()) == {1}


def test_unreachable_between_two_tries(bench: Bench) -> None:
    """What became of an unanswered request stays open until TikTok itself answers."""
    config = bench.settings(bench.consented("accounts"))
    bench.standin.fail("/token/", carried_out=True)
    bench.run(config)
    silent = bench.run(config | {"business_api_url": "http://127.0.0.1:9"})
    assert "cannot be reached" in silent.told("accounts")[-1]
    assert silent.row("accounts")["status"] == "unconfirmed"
    assert "got no answer" in bench.run(config).told("accounts")[0]
    assert len(bench.standin.token_posts) == 2


def test_no_refresh_token_in_the_answer(bench: Bench) -> None:
    """Without a new refresh token, or with an empty one, the old one is kept and works again."""
    bench.world.rotates = False
    config = bench.settings(bench.consented("accounts"))
    bench.run(config)
    known = bench.record("accounts").token
    assert known is not None
    for answer in ({}, {"refresh_token": ""}):
        bench.pass_time(2 * DAY)
        token = bench.world.secret("act")
        bench.world.access[token] = Access(next(iter(bench.world.refresh.values())), None)
        data = {"access_token": token, "expires_in": DAY, **answer}
        body = {"code": 0, "message": "OK", "request_id": ID, "data": data}
        bench.standin.fail("/refresh_token/", body=body)
        assert bench.run(config).code == 0
    bench.pass_time(2 * DAY)
    assert bench.run(config).code == 0
    sent = [call.body["refresh_token"] for call in bench.standin.token_posts[1:] if call.body]
    assert sent == [known.refresh_token] * 3


def test_the_consent_warning(bench: Bench) -> None:
    """A consent that ends soon is told of, with the day; when it is over a person is needed."""
    config = bench.settings(bench.consented("accounts"))
    bench.run(config)
    bench.pass_time(YEAR - 20 * DAY)
    run = bench.run(config)
    (line,) = run.told("accounts")
    row = run.row("accounts")
    dates = [datetime.fromisoformat(row[n]).date() for n in ("checked_at", "consent_deadline")]
    days = (dates[1] - dates[0]).days
    assert days in {19, 20}  # the second if no midnight lies within the seconds of this test
    assert f"its consent ends on {dates[1]}, in {days} days;" in line
    assert (run.code, row["consent_days_left"], row["status"]) == (0, days, "active")
    assert bench.run(config | {"consent_warning_days": 5}).told("accounts") == []
    bench.pass_time(21 * DAY)
    for _ in range(2):
        over = bench.run(config)
        row = over.row("accounts")
        assert (over.code, len(bench.standin.token_posts)) == (1, 2)
        assert "the consent ended on" in over.told("accounts")[0]
        assert (row["status"], row["token_state"]) == ("reauthorization_required", "expired")
        assert over.events("accounts").count("reauthorization_required") == 1


def test_a_consent_that_has_ended_is_not_announced(bench: Bench) -> None:
    """While the token still works, it is told once in a run that the consent is over."""
    config = bench.settings(bench.consented("accounts"))
    bench.standin.fail("/token/", body=..., changes={"refresh_token_expires_in": 3 * 3600})
    bench.run(config)
    bench.pass_time(4 * 3600)
    for _ in range(2):  # the token is fresh at first, then it is due
        run = bench.run(config)
        (line,) = run.told("accounts")
        assert line.startswith("the consent ended on ")
        assert " Run: tiktok-auth login accounts --config " in line
        assert (run.code, run.row("accounts")["consent_days_left"]) == (0, 0)
        bench.pass_time(20 * 3600 - 600)


def test_a_connection_of_a_login(bench: Bench) -> None:
    """A run takes what a person logged in, without any entry in the config."""
    config = bench.settings()
    log_in(bench, bench.consented("accounts", "person"))
    run = bench.run(config)
    assert (run.code, run.row("person")["obtained_by"]) == (0, "login")
    bench.pass_time(2 * DAY)
    assert bench.run(config).row("person")["refresh_count"] == 1
    app = {k: v for k, v in bench.connection("accounts").items() if k.startswith("app_")}
    assert bench.run(bench.settings({"name": "person", "api": "accounts", **app})).code == 0
    assert len(bench.standin.token_posts) == 2


def test_a_refused_code_does_not_stand_in_the_way_of_a_login(bench: Bench) -> None:
    """Once a person has logged in, a code in the config that TikTok refused does no harm."""
    entry = bench.consented("accounts")
    bench.world.codes[entry["auth_code"]].used = True
    assert bench.run(bench.settings(entry)).code == 1
    bench.world.add_app(app_of("other"))
    code = bench.world.consent(app_of("other"), timed=True)
    log_in(bench, bench.connection("other", "accounts", auth_code=code) | {"api": "accounts"})
    for _ in range(2):
        run = bench.run(bench.settings(entry))
        assert (run.code, run.row("accounts")["obtained_by"]) == (0, "login")
    assert bench.standin.spent()[entry["auth_code"]] == 1


def test_a_corrected_setting_lets_a_refused_code_be_tried_again(bench: Bench) -> None:
    """A refusal counts for the request as it was: with the right secret it is another one."""
    entry = bench.consented("login_kit")
    body = {"error": "invalid_grant", "error_description": "", "log_id": ID}
    bench.standin.fail("/oauth/token/", status=400, body=body)
    wrong = entry | {"redirect_uri": "https://example.com/wrong/"}
    assert [bench.run(bench.settings(wrong)).code for _ in range(2)] == [1, 1]
    assert len(bench.standin.token_posts) == 1
    assert bench.run(bench.settings(entry)).code == 0


#: How TikTok says that a code is dead, or that something about its exchange is wrong.
REFUSALS: dict[str, tuple[int | str, str]] = {
    "invalid_code": (40002, "auth_code invalid"),
    "invalid_parameters": (40000, "The parameters provided are invalid"),
    "no_such_code": (40007, "auth_code does not exist"),
    "app_or_code": (40101, "Invalid auth_code."),
    "no_refresh_token": (40107, "Invalid token"),
    "damaged": (40109, "Deciphering error"),
    "canceled": (40110, "The auth_code is canceled."),
    "timestamp": (40115, "The authentication timestamp has expired"),
    "logged_out": (40114, ""),
    "wrong_page": (40131, "Authorization code is expired"),
    "unknown": (40199, "Something about the code"),
}
KIT_REFUSALS: dict[str, tuple[int | str, str]] = {
    "grant": ("invalid_grant", "Authorization code is expired."),
    "request": ("invalid_request", "Redirect_uri is not matched"),
    "denied": ("access_denied", ""),
    "parameter": ("invalid_param", ""),
    "unknown": ("code_is_dead", ""),
}


@pytest.mark.parametrize("api", APIS)
def test_a_refused_code_is_sent_once(bench: Bench, api: str) -> None:
    """A person is asked to log in, and no later run sends the code again."""
    kit = api == "login_kit"
    refusals = KIT_REFUSALS if kit else REFUSALS
    entries = [bench.consented(api, name) for name in refusals]
    for code, message in refusals.values():
        told: dict[str, Any] = {"code": code, "message": message, "request_id": ID, "data": {}}
        if kit:
            told = {"error": code, "error_description": message, "log_id": ID}
        bench.standin.fail("/v2/oauth/token/" if kit else "/oauth2/", body=told)
    config = bench.settings(*entries, parallelism=1)
    for _ in range(3):
        run = bench.run(config)
        assert run.code == 1
        for name in refusals:
            blames_app = name == "app_or_code"
            status = "pending" if blames_app else "reauthorization_required"
            assert run.row(name)["status"] == status, name
            assert f"un: tiktok-auth login {name} --config " in run.told(name)[0]
            assert ("Correct " in run.told(name)[0]) is blames_app
    assert set(bench.standin.spent().values()) == {1}
    assert len(bench.standin.token_posts) == len(refusals)


@pytest.mark.parametrize("api", TIMED)
def test_a_code_without_a_redirect_uri(bench: Bench, api: str) -> None:
    """What TikTok requires is said before anything is sent; the code works once it is there."""
    entry, others = bench.consented(api), bench.consented("marketing")
    missing = {name: value for name, value in entry.items() if name != "redirect_uri"}
    for _ in range(2):
        run = bench.run(bench.settings(missing, others))
        assert (run.code, run.row(api)["status"]) == (1, "pending")
        assert run.told(api)[0].startswith("setting redirect_uri is missing")
        assert run.row("marketing")["status"] == "active"
    assert entry["auth_code"] not in bench.standin.spent()
    run = bench.run(bench.settings(entry, others))
    assert (run.code, run.row(api)["status"]) == (0, "active")
    assert bench.standin.spent()[entry["auth_code"]] == 1


@pytest.mark.parametrize("version", ["v1.3", "v2.0"])
def test_ad_accounts_are_not_asked_for_with_the_token(bench: Bench, version: str) -> None:
    """An exchange with thousands of ad accounts could time out: their own call tells them."""
    run = bench.run(bench.settings(bench.consented("marketing"), api_version=version))
    (exchange,) = bench.standin.token_posts
    assert (exchange.body or {})["return_advertiser_ids"] is False
    assert {row["source"] for row in run.rows("advertiser_ids")} == {"advertiser_get"}
    assert run.row("marketing")["advertiser_count"] == 2


def test_ad_accounts_that_come_with_the_token_are_taken(bench: Bench) -> None:
    """If TikTok tells them all the same, they are there even while their own call fails."""
    ids = ["7001", "9007199254740993"]
    bench.standin.fail("/oauth2/access_token/", body=..., changes={"advertiser_ids": ids})
    bench.standin.fail("/advertiser/get/", times=9, body={"code": 50000, "message": "", "data": {}})
    run = bench.run(bench.settings(bench.consented("marketing")))
    rows = {(row["advertiser_id"], row["source"]) for row in run.rows("advertiser_ids")}
    assert (run.code, rows) == (1, {(one, "token_response") for one in ids})


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b"404 page not found"),
        (404, {"code": 40400, "message": "not found", "data": {}}),
        (200, {"code": 41001, "message": "interface offline", "data": {}}),
    ],
)
def test_a_refresh_that_v1_3_does_not_have(bench: Bench, status: int, body: object) -> None:
    """What is told is that these tokens have no refresh, not that an address is wrong."""
    bench.world.issued.add("rft.of-elsewhere")
    bench.standin.fail("/oauth2/refresh_token/", status=status, body=body)
    entry = bench.connection("marketing", refresh_token="rft.of-elsewhere")
    (line,) = bench.run(bench.settings(entry)).told("marketing")
    assert "no refresh in v1.3" in line
    assert "access_token" in line
    assert "business_api_url" not in line


def test_no_connection_at_all(bench: Bench) -> None:
    """The one line says how to get one."""
    run = bench.run(bench.settings())
    assert run.code == 1
    assert "there is no connection. Set app_id" in run.err


def test_app_tokens(bench: Bench) -> None:
    """A token of the app itself needs no consent, and is asked for again when it ends."""
    config = bench.settings(bench.connection("login_kit", grant_type="client_credentials"))
    first, second = bench.run(config), bench.run(config)
    assert (first.code, second.code, bench.world.app_tokens) == (0, 0, 1)
    assert first.row("login_kit")["obtained_by"] == "client_credentials"
    bench.pass_time(7100)
    bench.standin.fail("/v2/oauth/token/", times=100, status=503, body=b"")
    third = bench.run(config)
    row = third.row("login_kit")
    assert (third.code, row["status"], row["token_state"]) == (0, "refresh_failing", "stale")
    bench.standin.faults.clear()
    assert bench.run(config).row("login_kit")["status"] == "active"
    assert bench.world.app_tokens == 2


@pytest.mark.parametrize("api", TIMED)
@pytest.mark.parametrize("alive", [False, True])
def test_a_refresh_token_as_a_seed(bench: Bench, api: str, *, alive: bool) -> None:
    """It is used once, and then what came out of it, also beside an access token that is dead."""
    seeds = held_tokens(bench, api)
    if alive:
        del seeds["access_token"]
    else:
        bench.world.issued.add("act.dead-and-gone")
        seeds["access_token"] = "act.dead-and-gone"
    config = bench.settings(bench.connection(api, **seeds))
    first = bench.run(config)
    assert (first.code, first.row(api)["obtained_by"]) == (0, "refresh_token")
    assert first.events(api) == ["imported"]
    assert (bench.run(config).code, len(bench.standin.token_posts)) == (0, 1)
    bench.pass_time(2 * DAY)
    assert bench.run(config).code == 0
    assert list(bench.standin.spent().values()) == [1, 1]


@pytest.mark.parametrize("api", TIMED)
def test_an_access_token_beside_a_refresh_token(bench: Bench, api: str) -> None:
    """A confirmed access token is used as it is; once TikTok refuses it, it is refreshed once."""
    config = bench.settings(bench.connection(api, **held_tokens(bench, api)))
    first = bench.run(config)
    assert (first.code, first.row(api)["obtained_by"]) == (0, "access_token")
    assert bench.standin.token_posts == []
    bench.world.kill_access_tokens()
    second = bench.run(config)
    assert (second.code, second.row(api)["refresh_count"]) == (0, 1)
    assert len(bench.standin.token_posts) == 1


def test_two_tokens_put_back_are_not_sent_again(bench: Bench) -> None:
    """A refresh token that was used up within its chain starts no chain when it is put back."""
    old = bench.settings(bench.connection("accounts", **held_tokens(bench, "accounts")))
    bench.run(old)
    bench.pass_time(2 * DAY)
    bench.world.kill_access_tokens()
    bench.run(old)
    bench.run(bench.settings(bench.consented("accounts")))
    run = bench.run(old)
    assert run.code == 1
    assert "another one has replaced it" in run.told("accounts")[0]
    assert max(bench.standin.spent().values()) == 1


@pytest.mark.parametrize("api", APIS)
def test_an_access_token_as_a_seed(bench: Bench, api: str) -> None:
    """A token that the user holds is confirmed by TikTok before it is believed.

    Asking spends nothing, so no answer is a failure that passes, nothing more.
    """
    token = held_tokens(bench, api)["access_token"]
    config = bench.settings(bench.connection(api, access_token=token))
    bench.standin.fail("/", times=100)
    silent = bench.run(config)
    assert (silent.code, silent.row(api)["status"]) == (1, "pending")
    assert silent.events(api) == []
    bench.standin.faults.clear()
    run = bench.run(config)
    assert (run.code, run.row(api)["status"]) == (0, "active")
    assert (run.row(api)["refreshable"], run.events(api)) == (False, ["imported"])
    bench.world.revoke_all()
    ended = bench.run(config)
    assert (ended.code, ended.row(api)["status"]) == (1, "reauthorization_required")
    assert f"Run: tiktok-auth login {api}" in ended.told(api)[0]
    assert bench.standin.token_posts == []
