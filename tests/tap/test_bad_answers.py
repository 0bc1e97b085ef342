"""Answers that are none, at every endpoint: one clear line, and nothing else is harmed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.standin.runs import APIS, LONG_TERM
from tests.standin.world import DAY, app_of

if TYPE_CHECKING:
    from tests.standin.runs import Bench, Run

pytestmark = pytest.mark.usefixtures("waits")

#: The token systems whose answers are read by code of their own; creators' are account holders'.
SYSTEMS = tuple(api for api in APIS if api != "creator")

#: Bodies that no endpoint may answer with.
NONSENSE: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \r\n ",
    "truncated": b'{"code": 0, "message": "OK", "data": {"access_token": "act.half',
    "html": b"<!doctype html><html><title>Login to the hotel's network</title></html>",
    "list": b'[{"code": 0}]',
    "null": b"null",
    "number": b"7",
    "nested": b'{"code": 0, "data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "wrong_encoding": b'{"code": 0, "message": "\xff\xfe\xfa"}',
    "code_as_text": b'{"code": "0", "message": "OK", "data": {}}',
    "code_missing": b'{"message": "OK", "request_id": "20261121AB", "data": {"list": []}}',
    "code_nan": b'{"code": NaN, "data": {}}',
    "code_huge": b'{"code": ' + b"9" * 4000 + b', "data": {}}',
    "code_endless": b'{"code": ' + b"9" * 5000 + b', "data": {}}',
    "code_true": b'{"code": true, "data": {}}',
    "data_is_text": b'{"code": 0, "data": "act.token"}',
    "error_is_number": b'{"code": 0, "error": 7, "data": {}}',
}


def nonsense(api: str) -> dict[str, bytes]:
    """Return the bodies that mean nothing to a token system: each has its own envelope."""
    fine = {"error_is_number"}
    if api == "login_kit":
        fine = {"code_missing", "data_is_text", "code_as_text"}
    return {name: body for name, body in NONSENSE.items() if name not in fine}


def token_path(api: str) -> str:
    """Return where a token system exchanges codes."""
    if api == "login_kit":
        return "/v2/oauth/token/"
    return "/oauth2/access_token/" if api in LONG_TERM else "/tt_user/oauth2/token/"


def verify_path(api: str) -> str:
    """Return where a token system says whether a token works."""
    return {
        "marketing": "/advertiser/get/",
        "creator_marketplace": "/oauth2/tcm/",
        "login_kit": "/v2/user/info/",
    }.get(api, "/token_info/")


def assert_one_line(run: Run, name: str) -> None:
    """Assert that the last line about a connection is fit for a person."""
    line = run.told(name)[-1]
    assert "TikTok's answer" in line or "HTTP" in line
    assert len(line) < 600
    assert line.isprintable()


@pytest.mark.parametrize("api", SYSTEMS)
def test_nonsense_for_an_exchange(bench: Bench, api: str) -> None:
    """The request may have been carried out: nothing is sent again, the others' rows are out."""
    bodies = nonsense(api)
    entries = [bench.consented(api, name) for name in bodies]
    bench.world.add_app(app_of("healthy"))
    entries.append(bench.consented("healthy", "healthy") | {"api": "marketing"})
    if api in LONG_TERM:
        entries[-1] = bench.consented("accounts", "healthy")
    for body in bodies.values():
        bench.standin.fail(token_path(api), body=body)
    run = bench.run(bench.settings(*entries, parallelism=1))
    assert run.code == 1
    assert run.row("healthy")["status"] == "active"
    assert set(bench.standin.spent().values()) == {1}
    for name in bodies:
        assert_one_line(run, name)
        row = run.row(name)
        assert (row["status"], row["token_fingerprint"]) == ("unconfirmed", None), name
        assert row["last_error_message"]


@pytest.mark.parametrize("api", SYSTEMS)
def test_nonsense_for_a_verification(bench: Bench, api: str) -> None:
    """A token that cannot be confirmed is kept as it is, and its connection is marked."""
    bodies = nonsense(api)
    config = bench.settings(*(bench.consented(api, name) for name in bodies), parallelism=1)
    bench.run(config)
    before = {name: bench.record(name).token for name in bodies}
    for body in bodies.values():
        bench.standin.fail(verify_path(api), times=5, body=body)
    run = bench.run(config)
    assert run.code == 1
    assert {name: bench.record(name).token for name in bodies} == before
    assert len(bench.standin.token_posts) == len(bodies)
    for name in bodies:
        assert_one_line(run, name)
        row = run.row(name)
        assert (row["status"], row["verified_at"]) == ("active", None), name
        assert row["last_error_message"], name


@pytest.mark.parametrize("api", ["marketing", "accounts", "creator_marketplace"])
def test_nonsense_for_details(bench: Bench, api: str) -> None:
    """What the streams read besides is missing then, and all else is out."""
    path = {
        "marketing": "/advertiser/info/",
        "accounts": "/business/get/",
        "creator_marketplace": "/tto/oauth2/info/",
    }[api]
    bodies = {k: v for k, v in NONSENSE.items() if k in {"html", "list", "truncated", "empty"}}
    config = bench.settings(*(bench.consented(api, name) for name in bodies))
    for body in bodies.values():
        bench.standin.fail(path, times=5, body=body)
    bench.standin.faults[-1].times = 100
    run = bench.run(config)
    assert run.code == 1
    assert [run.row(name)["status"] for name in bodies] == ["active"] * len(bodies)


def grant(**changes: Any) -> bytes:
    """Return a token answer with some fields changed."""
    data = {
        "access_token": "act.changed",
        "expires_in": DAY,
        "open_id": "me",
        "refresh_token": "rft.changed",
        "refresh_token_expires_in": 365 * DAY,
        "scope": "a,b",
    }
    data |= changes
    return json.dumps({"code": 0, "request_id": "20261121AB", "data": data}).encode()


WRONG_TOKENS = {
    "number": grant(access_token=7),
    "list": grant(access_token=["act.x"]),
    "empty": grant(access_token=""),
    "null": grant(access_token=None),
    "with_newline": grant(access_token="act.x\r\nX-Evil: 1"),
    "unprintable": grant(access_token="act.\x00"),
    "long": grant(access_token="a" * 100_000),
}


def test_wrong_tokens_of_a_refresh(bench: Bench) -> None:
    """A refresh whose token cannot be believed changes no stored token, which is used on."""
    config = bench.settings(
        *(bench.consented("accounts", name) for name in WRONG_TOKENS), parallelism=1
    )
    bench.run(config)
    before = {name: bench.record(name).token for name in WRONG_TOKENS}
    bench.pass_time(DAY - 600)
    stored = {name: bench.record(name).token for name in WRONG_TOKENS}
    for body in WRONG_TOKENS.values():
        bench.standin.fail("/refresh_token/", body=body)
    run = bench.run(config)
    assert run.code == 0
    assert {name: bench.record(name).token for name in WRONG_TOKENS} == stored
    for name, token in before.items():
        assert_one_line(run, name)
        assert run.row(name)["status"] == "unconfirmed", name
        assert token is not None
    assert max(bench.standin.spent().values()) == 1
    assert "act.changed" not in run.err + run.out
    assert "rft.changed" not in run.err + run.out


#: Fields beside the access token, each with values that TikTok does not document.
ODD_FIELDS: dict[str, tuple[Any, ...]] = {
    "expires_in": (-5, 10**12, float("nan"), float("inf"), "soon", True, [], {"s": 1}),
    "refresh_token_expires_in": (-5, "next year", [1]),
    "open_id": ([1], "\x1b[31mred", {}, 1.5),
    "scope": (7, [{"a": 1}], {"a": "b"}, True),
    "advertiser_ids": ("7001", [{}], [1.5], 7),
    "refresh_token": (7, {"a": 1}, ["rft.x"], "rft.two words", "r" * 100_000),
}
ODDITIES = [(field, value) for field, values in ODD_FIELDS.items() for value in values]


@pytest.mark.parametrize("api", APIS)
def test_odd_fields_beside_a_good_token(bench: Bench, api: str) -> None:
    """A token that came is kept, confirmed and used on, whatever else its answer says."""
    odd = {f"c{number}": field for number, (field, _) in enumerate(ODDITIES)}
    config = bench.settings(*(bench.consented(api, name) for name in odd), parallelism=1)
    for field, value in ODDITIES:
        bench.standin.fail(token_path(api), body=..., changes={field: value})
    first, second = bench.run(config), bench.run(config)
    assert (first.code, second.code) == (0, 0)
    assert set(bench.standin.spent().values()) == {1}
    for name, field in odd.items():
        (line,) = first.told(name)
        assert f"unusable {field};" in line
        assert "status" in line
        assert (second.told(name), second.row(name)["status"]) == ([], "active")
        assert second.row(name)["verified_at"]
        if field == "expires_in":
            assert second.row(name)["access_token_expires_at"] is None
            assert second.row(name)["token_lifetime"] == "short_term"


def test_odd_fields_of_a_verification(bench: Bench) -> None:
    """TikTok says that the token works: what is of no use beside that changes nothing."""
    config = bench.settings(bench.consented("accounts"), bench.consented("login_kit"))
    first = bench.run(config)
    values: tuple[Any, ...] = ({}, [[]], 1.5, True, "\x1b[31m")
    for value in values:
        bench.standin.fail("/token_info/", body=..., changes={"scope": value, "creator_id": value})
        bench.standin.fail("/v2/user/", body=..., changes={"user": {"open_id": value}}, times=2)
        run = bench.run(config)
        assert run.code == 0
        for api in ("accounts", "login_kit"):
            before, row = first.row(api), run.row(api)
            assert row["verified_at"]
            assert (row["status"], row["scopes"], row["subject_id"]) == (
                "active",
                before["scopes"],
                before["subject_id"],
            )


def test_odd_fields_of_a_refresh(bench: Bench) -> None:
    """The refreshed token is kept; the refresh token of before stays if none can be read."""
    odd = {f"c{number}": field for number, (field, _) in enumerate(ODDITIES)}
    config = bench.settings(*(bench.consented("accounts", name) for name in odd), parallelism=1)
    bench.run(config)
    bench.pass_time(DAY - 600)
    before = {name: bench.record(name).token for name in odd}
    for field, value in ODDITIES:
        bench.standin.fail("/refresh_token/", body=..., changes={field: value})
    run = bench.run(config)
    assert run.code == 0
    for name, field in odd.items():
        token, old = bench.record(name).token, before[name]
        assert token is not None
        assert old is not None
        assert token.access_token != old.access_token
        assert (token.refresh_token == old.refresh_token) is (field == "refresh_token")
        assert (run.row(name)["status"], run.row(name)["refresh_count"]) == ("active", 1)
        assert f"unusable {field};" in run.told(name)[0]


@pytest.mark.parametrize("ends_in", [600, DAY, 300 * DAY])
def test_a_lifetime_that_is_a_moment(bench: Bench, ends_in: int) -> None:
    """A lifetime that can only be the moment of the end is taken as that."""
    config = bench.settings(bench.consented("accounts"))
    moment = int(bench.world.now()) + ends_in
    bench.standin.fail("/token/", body=..., changes={"expires_in": moment})
    assert bench.run(config).told("accounts") == []
    token = bench.record("accounts").token
    assert token is not None
    assert token.expires_at == pytest.approx(moment)


def test_a_token_whose_end_is_unknown_is_renewed_in_time(bench: Bench) -> None:
    """It is used for an hour, the half of the shortest life that TikTok documents, then renewed."""
    config = bench.settings(bench.consented("accounts"))
    bench.standin.fail("/token/", body=..., changes={"expires_in": "soon"})
    bench.run(config)
    bench.pass_time(3500)
    assert bench.run(config).row("accounts")["refresh_count"] == 0
    bench.pass_time(200)
    row = bench.run(config).row("accounts")
    assert (row["refresh_count"], row["status"]) == (1, "active")
    assert row["access_token_expires_at"]


def test_an_app_token_whose_end_is_unknown_is_renewed_in_time(bench: Bench) -> None:
    """There is no refresh token, and nobody verifies it: a new one is asked for."""
    config = bench.settings(bench.connection("login_kit", grant_type="client_credentials"))
    bench.standin.fail("/v2/oauth/token/", body=..., changes={"expires_in": -1})
    bench.run(config)
    bench.pass_time(3500)
    bench.run(config)
    assert bench.world.app_tokens == 1
    bench.pass_time(200)
    assert bench.run(config).code == 0
    assert bench.world.app_tokens == 2


def test_an_answer_of_eleven_megabytes(bench: Bench) -> None:
    """Reading stops at the limit, and the line says so."""
    bench.standin.fail("/token/", body=b" " * 11_000_000)
    run = bench.run(bench.settings(bench.consented("accounts"), bench.consented("marketing")))
    assert run.code == 1
    assert "larger than 10 MB" in run.told("accounts")[0]
    assert run.row("accounts")["status"] == "unconfirmed"
    assert run.row("marketing")["status"] == "active"


def test_strange_names(bench: Bench) -> None:
    """Names with control characters, of wrong kinds or missing reach no row as they are."""
    config = bench.settings(bench.consented("marketing"))
    names = {"1": "a\x1b[31m\x00b\u202e\r\nc", "2": 7, "3": None, "4": "\ud800", "5": "n" * 10_000}
    listed = [{"advertiser_id": i, "advertiser_name": name} for i, name in names.items()]
    listed += [{"advertiser_id": 6}, {"advertiser_name": "no id"}]
    bench.standin.fail("/advertiser/get/", body={"code": 0, "data": {"list": listed}})
    details: list[dict[str, Any]] = [
        {"advertiser_id": i, "name": name, "create_time": moment, "balance": balance}
        for (i, name), moment, balance in zip(
            names.items(),
            [9e11, -1, "soon", True, 1.6e9],
            ["NaN", 1e400, {}, "12.5", 7],
            strict=True,
        )
    ]
    body = json.dumps({"code": 0, "data": {"list": details}}).encode()
    bench.standin.fail("/advertiser/info/", body=body)
    run = bench.run(config)
    assert run.code == 0
    rows = run.rows("advertiser_ids")
    assert {row["advertiser_id"] for row in rows} >= {"1", "2", "3", "4", "5", "6"}
    for row in (*rows, *run.rows("advertisers")):
        name = row.get("advertiser_name", row.get("name")) or ""
        assert name.isprintable()
        assert len(name) <= 500
    assert len(run.rows("advertisers")) == 5


def test_messages_of_tiktok_are_cleaned(bench: Bench) -> None:
    """A text from outside is shown on one line, short, without what controls a terminal."""
    entry = bench.consented("accounts")
    said = f"bad \x1b[31m code\r\n{entry['auth_code']} {entry['app_secret']} " + "x" * 100_000
    body = {"code": 40002, "message": said, "request_id": "evil\nid\x1b[0m", "data": {}}
    bench.standin.fail("/token/", body=body)
    run = bench.run(bench.settings(entry))
    (line,) = run.told("accounts")
    assert "40002" in line
    assert "\x1b" not in run.err
    assert len(line) < 600
    assert "evil" not in line


def test_a_list_that_is_missing_takes_nothing_away(bench: Bench) -> None:
    """An answer without any list of ad accounts does not mean that all of them are lost."""
    config = bench.settings(bench.consented("marketing"))
    bench.run(config)
    for data in ({}, None, {"list": None}):
        bench.standin.fail("/advertiser/get/", body={"code": 0, "message": "OK", "data": data})
        run = bench.run(config)
        assert [row["access"] for row in run.rows("advertiser_ids")] == ["granted", "granted"]
    bench.standin.fail("/advertiser/get/", body={"code": 0, "message": "OK", "data": {"list": []}})
    run = bench.run(config)
    assert [row["access"] for row in run.rows("advertiser_ids")] == ["lost", "lost"]
