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


WRONG_FIELDS = {
    "token_number": grant(access_token=7),
    "token_list": grant(access_token=["act.x"]),
    "token_empty": grant(access_token=""),
    "token_null": grant(access_token=None),
    "token_with_newline": grant(access_token="act.x\r\nX-Evil: 1"),
    "token_unprintable": grant(access_token="act.\x00"),
    "token_long": grant(access_token="a" * 100_000),
    "refresh_object": grant(refresh_token={"a": 1}),
    "life_negative": grant(expires_in=-1),
    "life_absurd": grant(expires_in=10**15),
    "life_nan": grant(expires_in=float("nan")),
    "life_infinite": grant(expires_in=float("inf")),
    "life_text": grant(expires_in="a day"),
    "life_true": grant(expires_in=True),
    "refresh_life_negative": grant(refresh_token_expires_in=-5),
    "subject_list": grant(open_id=[1]),
    "subject_controls": grant(open_id="\x1b[31mred"),
    "scope_number": grant(scope=7),
    "scope_objects": grant(scope=[{"a": 1}]),
    "ids_text": grant(advertiser_ids="7001"),
    "ids_objects": grant(advertiser_ids=[{}]),
    "ids_float": grant(advertiser_ids=[1.5]),
}


def test_wrong_fields_of_a_refresh(bench: Bench) -> None:
    """A refresh whose answer cannot be believed changes no stored token, which is used on."""
    config = bench.settings(
        *(bench.consented("accounts", name) for name in WRONG_FIELDS), parallelism=1
    )
    bench.run(config)
    before = {name: bench.record(name).token for name in WRONG_FIELDS}
    bench.pass_time(DAY - 600)
    stored = {name: bench.record(name).token for name in WRONG_FIELDS}
    for body in WRONG_FIELDS.values():
        bench.standin.fail("/refresh_token/", body=body)
    run = bench.run(config)
    assert run.code == 0
    assert {name: bench.record(name).token for name in WRONG_FIELDS} == stored
    for name, token in before.items():
        assert_one_line(run, name)
        assert run.row(name)["status"] == "unconfirmed", name
        assert token is not None
    assert max(bench.standin.spent().values()) == 1
    assert "act.changed" not in run.err + run.out
    assert "rft.changed" not in run.err + run.out


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
