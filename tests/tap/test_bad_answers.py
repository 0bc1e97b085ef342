"""Answers that are none, at every endpoint: one clear line, and nothing else is harmed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.standin.runs import APIS, LONG_TERM
from tests.standin.world import DAY, app_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_tiktok_auth.credentials.models import Token
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


#: Where a token system says whether a token works.
VERIFY = {
    "marketing": "/advertiser/get/",
    "creator_marketplace": "/oauth2/tcm/",
    "login_kit": "/v2/user/info/",
    "accounts": "/token_info/",
}


def several(bench: Bench, api: str, names: Iterable[str]) -> dict[str, Any]:
    """Return a config with connections of one token system, worked on in their order."""
    return bench.settings(*(bench.consented(api, name) for name in names), parallelism=1)


def tokens(bench: Bench, names: Iterable[str]) -> dict[str, Token | None]:
    """Return the stored tokens."""
    return {name: bench.record(name).token for name in names}


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
    config = several(bench, api, bodies)
    bench.world.add_app(app_of("healthy"))
    healthy = bench.consented("healthy", "healthy") | {"api": "marketing"}
    if api in LONG_TERM:
        healthy = bench.consented("accounts", "healthy")
    config["connections"].append(healthy)
    for body in bodies.values():
        bench.standin.fail(token_path(api), body=body)
    run = bench.run(config)
    assert (run.code, run.row("healthy")["status"]) == (1, "active")
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
    config = several(bench, api, bodies)
    bench.run(config)
    before = tokens(bench, bodies)
    for body in bodies.values():
        bench.standin.fail(VERIFY[api], times=5, body=body)
    run = bench.run(config)
    assert run.code == 1
    assert tokens(bench, bodies) == before
    assert len(bench.standin.token_posts) == len(bodies)
    for name in bodies:
        assert_one_line(run, name)
        row = run.row(name)
        assert (row["status"], row["verified_at"]) == ("active", None), name
        assert row["last_error_message"], name


@pytest.mark.parametrize(
    ("api", "path"),
    [
        ("marketing", "/advertiser/info/"),
        ("accounts", "/business/get/"),
        ("creator_marketplace", "/tto/oauth2/info/"),
    ],
)
def test_nonsense_for_details(bench: Bench, api: str, path: str) -> None:
    """What the streams read besides is missing then, and all else is out."""
    names = ("html", "list", "truncated", "empty")
    config = bench.settings(*(bench.consented(api, name) for name in names))
    for name in names:
        bench.standin.fail(path, times=5, body=NONSENSE[name])
    bench.standin.faults[-1].times = 100
    run = bench.run(config)
    assert run.code == 1
    assert {run.row(name)["status"] for name in names} == {"active"}


def grant(access_token: object) -> bytes:
    """Return a token answer with that access token."""
    data = {
        "access_token": access_token,
        "expires_in": DAY,
        "open_id": "me",
        "refresh_token": "rft.changed",
        "refresh_token_expires_in": 365 * DAY,
        "scope": "a,b",
    }
    return json.dumps({"code": 0, "request_id": "20261121AB", "data": data}).encode()


WRONG_TOKENS: dict[str, object] = {
    "number": 7,
    "list": ["act.x"],
    "empty": "",
    "null": None,
    "with_newline": "act.x\r\nX-Evil: 1",
    "unprintable": "act.\x00",
    "long": "a" * 100_000,
}


def test_wrong_tokens_of_a_refresh(bench: Bench) -> None:
    """A refresh whose token cannot be believed changes no stored token, which is used on."""
    config = several(bench, "accounts", WRONG_TOKENS)
    bench.run(config)
    bench.pass_time(DAY - 600)
    before = tokens(bench, WRONG_TOKENS)
    for token in WRONG_TOKENS.values():
        bench.standin.fail("/refresh_token/", body=grant(token))
    run = bench.run(config)
    assert run.code == 0
    assert tokens(bench, WRONG_TOKENS) == before
    for name in WRONG_TOKENS:
        assert_one_line(run, name)
        assert run.row(name)["status"] == "unconfirmed", name
    assert max(bench.standin.spent().values()) == 1
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
ODD = {f"c{number}": field for number, (field, _) in enumerate(ODDITIES)}


@pytest.mark.parametrize("api", APIS)
def test_odd_fields_beside_a_good_token(bench: Bench, api: str) -> None:
    """A token that came is kept, confirmed and used on, whatever else its answer says."""
    config = several(bench, api, ODD)
    for field, value in ODDITIES:
        bench.standin.fail(token_path(api), body=..., changes={field: value})
    first, second = bench.run(config), bench.run(config)
    assert (first.code, second.code) == (0, 0)
    assert set(bench.standin.spent().values()) == {1}
    for name, field in ODD.items():
        (line,) = first.told(name)
        assert f"unusable {field};" in line
        assert "status" in line
        row = second.row(name)
        assert (second.told(name), row["status"], bool(row["verified_at"])) == ([], "active", True)
        if field == "expires_in":
            assert (row["access_token_expires_at"], row["token_lifetime"]) == (None, "short_term")


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
            assert row["status"] == "active"
            assert (row["scopes"], row["subject_id"]) == (before["scopes"], before["subject_id"])


def test_odd_fields_of_a_refresh(bench: Bench) -> None:
    """The refreshed token is kept; the refresh token of before stays if none can be read."""
    config = several(bench, "accounts", ODD)
    bench.run(config)
    bench.pass_time(DAY - 600)
    before = tokens(bench, ODD)
    for field, value in ODDITIES:
        bench.standin.fail("/refresh_token/", body=..., changes={field: value})
    run = bench.run(config)
    assert run.code == 0
    for (name, token), old in zip(tokens(bench, ODD).items(), before.values(), strict=True):
        assert token is not None
        assert old is not None
        assert token.access_token != old.access_token
        assert (token.refresh_token == old.refresh_token) is (ODD[name] == "refresh_token")
        assert (run.row(name)["status"], run.row(name)["refresh_count"]) == ("active", 1)
        assert f"unusable {ODD[name]};" in run.told(name)[0]


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


@pytest.mark.parametrize("api", ["accounts", "login_kit"])
def test_a_token_whose_end_is_unknown_is_renewed_in_time(bench: Bench, api: str) -> None:
    """It is used for an hour, the half of the shortest life that TikTok documents, then renewed.

    A token of the app itself, which Login Kit gives and nobody verifies, is asked for anew.
    """
    entry = bench.consented(api)
    if api == "login_kit":
        entry = bench.connection(api, grant_type="client_credentials")
    config = bench.settings(entry)
    bench.standin.fail("/token/", body=..., changes={"expires_in": "soon"})
    bench.run(config)
    bench.pass_time(3500)
    before = bench.run(config).row(api)["token_fingerprint"]
    bench.pass_time(200)
    row = bench.run(config).row(api)
    assert (row["status"], bool(row["access_token_expires_at"])) == ("active", True)
    assert row["token_fingerprint"] != before


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
    ids, rows = run.rows("advertiser_ids"), run.rows("advertisers")
    assert {row["advertiser_id"] for row in ids} >= {"1", "2", "3", "4", "5", "6"}
    shown = [row.get("advertiser_name", row.get("name")) or "" for row in (*ids, *rows)]
    assert all(name.isprintable() and len(name) <= 500 for name in shown)
    assert [row["balance"] for row in rows] == [None, None, None, 12.5, 7.0]
    assert [row["create_time"] for row in rows] == [
        *(None, None, None, None, "2020-09-13T12:26:40+00:00")
    ]


def test_a_list_that_is_missing_takes_nothing_away(bench: Bench) -> None:
    """An answer without any list of ad accounts does not mean that all of them are lost."""
    config = bench.settings(bench.consented("marketing"))
    bench.run(config)

    def access(data: object) -> list[str]:
        bench.standin.fail("/advertiser/get/", body={"code": 0, "message": "OK", "data": data})
        return [row["access"] for row in bench.run(config).rows("advertiser_ids")]

    for data in ({}, None, {"list": None}):
        assert access(data) == ["granted", "granted"]
    assert access({"list": []}) == ["lost", "lost"]
