"""Whatever TikTok, or what stands before it, answers: a value or one of our errors, no secret."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.apis.base import TokenResponse
from tap_tiktok_auth.credentials.tokens import token_from_grant
from tap_tiktok_auth.errors import NoAnswer, TikTokAuthError
from tests.apis.replies import SECRETS, reader_of, reply, requests_of

if TYPE_CHECKING:
    from tap_tiktok_auth.apis.base import Request, Response

CALLS = [(name, purpose) for name in APIS for purpose in requests_of(name)]

KEYS = st.sampled_from(
    [
        "code",
        "message",
        "request_id",
        "data",
        "error",
        "error_description",
        "log_id",
        "access_token",
        "refresh_token",
        "expires_in",
        "expires",
        "refresh_token_expires_in",
        "refresh_expires_in",
        "refresh_expires",
        "open_id",
        "creator_id",
        "core_user_id",
        "scope",
        "advertiser_ids",
        "list",
        "advertiser_id",
        "advertiser_name",
        "user",
        "tto_tcm_account_ids",
        "tto_tcm_account_id",
        "account_name",
    ]
)
#: Values that no field expects. Drawn from a list, because thousands of cases shall take seconds.
ODD: tuple[Any, ...] = (
    *(None, True, False, [], {}, [[]], [None], [{}], {"a": 1}, [1.5], ["1", 2, None], [True]),
    *("", " ", "ok", "OK", "0", "act.x", "a,b,,a", "\x1b[31m", "\ud800", "\0", "a\r\nb", "\u202e"),
    *("access_denied", "invalid_grant", "x" * 5000, "1e9", "-1", "NaN", "9" * 30),
    *(0, -1, 1, 20001, 40001, 40002, 40100, 40102, 40105, 40107, 40110, 50000, 60001),
    *(86_400, 2**53 + 1, 10**24, -(10**24), 0.5, -0.0, 1e308, math.nan, math.inf, -math.inf),
    *([9007199254740993, "9007199254740993"], [{"advertiser_id": 7, "advertiser_name": []}]),
    *({"user": {"open_id": 1}}, {"user": []}, {"list": [{"advertiser_id": [1]}]}, {"code": "ok"}),
    *SECRETS,
    *(f"you sent {secret}!" for secret in SECRETS),
)
VALUES: st.SearchStrategy[Any] = st.sampled_from(ODD)
FIELDS = st.dictionaries(KEYS, VALUES, max_size=5)
ENVELOPES = st.one_of(
    FIELDS,
    FIELDS.map(lambda data: {"code": 0, "data": data}),
    FIELDS.map(lambda data: {"code": 0, "access_token": "act.good", **data}),
    FIELDS.map(lambda error: {"data": {}, "error": error}),
    VALUES,
)
BODIES = st.one_of(
    ENVELOPES.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=20),
)
STATUSES = st.sampled_from([200, 200, 200, 201, 302, 400, 401, 403, 404, 429, 500, 502, 503])


def outcome_of(name: str, purpose: str, response: Response) -> tuple[Any, TikTokAuthError | None]:
    """Return what reading an answer brings: a value, or one of our errors and nothing else."""
    try:
        return reader_of(name, purpose)(response), None
    except TikTokAuthError as error:
        return None, error


def assert_fit_to_show(error: TikTokAuthError, request: Request) -> None:
    """Assert that the error is one short line, in plain signs, and without what was sent."""
    assert type(error) is not TikTokAuthError
    assert error.__cause__ is None
    line = str(error.of("acme"))
    assert line.isprintable()
    assert len(line) < 700
    for text in (line, repr(error), error.cause, str(error.code), str(error.request_id)):
        assert not any(secret in text for secret in request.secrets)


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(call=st.sampled_from(CALLS), status=STATUSES, body=BODIES)
def test_a_value_or_an_error_of_ours(call: tuple[str, str], status: int, body: bytes) -> None:
    """Nothing else is ever raised, and what is raised can be shown to anyone."""
    request = requests_of(call[0])[call[1]]
    _, error = outcome_of(*call, reply(request, body, status))
    if error is not None:
        assert_fit_to_show(error, request)


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(list(APIS)),
    fields=FIELDS,
    token=st.sampled_from(["act.good", "", "\x1b", "a" * 5000, "two words"]),
)
def test_a_grant_can_be_believed(name: str, fields: dict[str, Any], token: str) -> None:
    """A token answer that is read has a token, plausible lifetimes and texts as ids."""
    data = {**fields, "access_token": token}
    body = data if name == "login_kit" else {"code": 0, "data": data}
    if name == "login_kit":
        data.pop("code", None)
        data.pop("error", None)
        data.pop("data", None)
    request = requests_of(name)["exchange"]
    grant, error = outcome_of(name, "exchange", reply(request, body))
    if error is not None:
        assert_fit_to_show(error, request)
        assert isinstance(error, NoAnswer)  # it may have been carried out
        return
    assert isinstance(grant, TokenResponse)
    assert grant.access_token == token != ""
    assert grant.refresh_token != ""
    for life in (grant.expires_in, grant.refresh_expires_in):
        assert life is None or 0 < life < 10**9
    ids = (*(grant.scopes or ()), *grant.advertiser_ids)
    assert all(isinstance(one, str) and one.isprintable() and one for one in ids)
    assert list(grant.scopes or ()) == sorted(set(grant.scopes or ()))
    held = token_from_grant(grant, 1_800_000_000.0)
    assert held.state(1_800_000_000.0, 1800) == "fresh"


#: Any JSON at all, in any depth.
JSON = st.recursive(
    st.one_of(VALUES, st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
#: The fields beside the access token.
BESIDE = (
    *("refresh_token", "token_type", "expires_in", "expires", "refresh_token_expires_in"),
    *("refresh_expires_in", "refresh_expires", "open_id", "creator_id", "scope", "advertiser_ids"),
    *("request_id", "message", "log_id", "error_description"),
)
#: What is no return code and no name of an error, where one of them should be.
NO_CODES: st.SearchStrategy[Any] = st.sampled_from(
    [0, 20001, None, "0", "", "ok", False, [], {}, 0.0, 10**30, "absent"]
)


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(list(APIS)),
    purpose=st.sampled_from(["exchange", "refresh"]),
    fields=st.dictionaries(st.sampled_from(BESIDE), JSON, max_size=6),
    code=NO_CODES,
    flat=st.booleans(),
    status=st.sampled_from([200, 200, 201, 400, 500]),
)
def test_a_token_that_came_is_never_lost(
    name: str, purpose: str, fields: dict[str, Any], code: Any, flat: bool, status: int
) -> None:
    """Whatever stands beside a good access token, flat or in an envelope, the token is read."""
    content = {**fields, "access_token": "act.good"}
    answer = content if flat else {**fields, "data": content}
    if code != "absent" and not (name == "login_kit" and code == "0"):
        answer["code"] = code
    request = requests_of(name)[purpose]
    grant, error = outcome_of(name, purpose, reply(request, answer, status))
    assert error is None
    assert grant.access_token == "act.good"
    assert set(grant.unread) <= set(BESIDE)
    for life in (grant.expires_in, grant.refresh_expires_in):
        assert life is None or 0 < life < 10**9
    assert grant.refresh_token is None or grant.refresh_token == fields["refresh_token"]
    assert "scope" not in grant.unread or grant.scopes is None
    assert "open_id" not in grant.unread or grant.subject_id is None


@pytest.mark.parametrize(
    "beside",
    [
        b'"scope": "a\xff\xfe"',
        b'"message": "\xc3("',
        b'"message": "two\nlines"',
        b'"expires_in": ' + b"9" * 5000,
        b'"expires_in": -1e400',
    ],
)
@pytest.mark.parametrize("name", APIS)
def test_damage_beside_a_token(name: str, beside: bytes) -> None:
    """Bytes that are no text, and numbers that Python does not convert, cost no token either."""
    body = b'{"code": 0, "data": {"access_token": "act.good", ' + beside + b"}}"
    if name == "login_kit":
        body = b'{"access_token": "act.good", ' + beside + b"}"
    grant, error = outcome_of(name, "exchange", reply(requests_of(name)["exchange"], body))
    assert error is None
    assert grant.access_token == "act.good"


@pytest.mark.parametrize("behind", [b"\0", b"\n<!-- served by proxy -->", b'{"code": 40002}'])
@pytest.mark.parametrize("name", APIS)
def test_what_follows_a_token_answer(name: str, behind: bytes) -> None:
    """What stands behind the answer costs no token."""
    body = b'{"code": 0, "data": {"access_token": "act.good"}}' + behind
    if name == "login_kit":
        body = b'{"access_token": "act.good"}' + behind
    grant, error = outcome_of(name, "exchange", reply(requests_of(name)["exchange"], body))
    assert error is None
    assert grant.access_token == "act.good"


@settings(max_examples=300, deadline=None, derandomize=True)
@given(codes=st.integers(-(10**9), 10**9), purpose=st.sampled_from(["exchange", "refresh"]))
def test_any_code(codes: int, purpose: str) -> None:
    """Every number that is no success is an error that names it."""
    body = {"code": codes, "message": "said", "request_id": "20261121AB", "data": {}}
    request = requests_of("accounts")[purpose]
    _, error = outcome_of("accounts", purpose, reply(request, body))
    assert error is not None
    assert_fit_to_show(error, request)
    assert error.code == str(codes) or isinstance(error, NoAnswer)
