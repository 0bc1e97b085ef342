"""TikTok's codes: all are known, each with the right class, cause and next step."""

from __future__ import annotations

import ast
import importlib.util
import itertools
import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_tiktok_auth.apis.base import Purpose
from tap_tiktok_auth.apis.return_codes import (
    LOGIN_KIT_ERRORS,
    RETURN_CODES,
    SUCCESS_CODES,
    business_error,
    login_kit_error,
)
from tap_tiktok_auth.config.settings import BY_NAME
from tap_tiktok_auth.errors import (
    AccessTokenRejected,
    AuthorizationRequired,
    ConfigurationError,
    GrantRejected,
    PermissionMissing,
    RateLimited,
    RequestRefused,
    TikTokAuthError,
    TryAgainLater,
)

#: A busy machine is no failure.
UNHURRIED = settings(deadline=None)
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
#: In TikTok's documentation, but not in its SDK.
BEYOND_SDK = {40133, 51021}
#: A command of ours in a next step, and settings that a next step asks to correct.
COMMAND = re.compile(r"tiktok-auth (\w+)")
SETTING = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")
#: The errors that an exchange may be tried again after.
NOT_FINAL = {TryAgainLater, RateLimited, PermissionMissing, ConfigurationError}

#: The codes by the class that was decided on; 5xxxx pass by themselves, the rest is refused.
DECIDED: dict[type[TikTokAuthError], list[int | str]] = {
    ConfigurationError: [
        *(40006, 40010, 40051, 40101, 40113, 40400),
        *("invalid_client", "unauthorized_client"),
    ],
    AuthorizationRequired: [40104, 40106, 40112, 40114, 40120, 40309, "access_denied"],
    GrantRejected: [40103, 40107, 40109, 40110, 40115, 40131, "invalid_grant"],
    AccessTokenRejected: [40102, 40105, "access_token_invalid"],
    PermissionMissing: [
        *(40001, 40003, 40117, 40118, 40119, 40121, 40124, 40125, 40130),
        *("invalid_scope", "scope_not_authorized", "scope_permission_missed"),
    ],
    RateLimited: [40016, 40100, 40132, 40133, 51021, 61000, "rate_limit_exceeded"],
    TryAgainLater: [
        *(40201, 40202, 40700, 60001),
        *(code for code in RETURN_CODES if code // 10_000 == 5 and code != 51021),
        *("internal_error", "server_error", "temporarily_unavailable"),
    ],
}
ALL: list[int | str] = [*RETURN_CODES, *LOGIN_KIT_ERRORS]
CODES = {
    code: next((kind for kind, codes in DECIDED.items() if code in codes), RequestRefused)
    for code in ALL
}


def error_of(
    code: int | str, purpose: Purpose, *, long_term: bool = False, message: str | None = None
) -> TikTokAuthError:
    """Return the error that a code of either platform means."""
    if isinstance(code, str):
        return login_kit_error(code, purpose, message=message, log_id="R1")
    return business_error(code, purpose, message=message, request_id="R1", long_term=long_term)


def test_every_code_of_tiktoks_sdk_is_covered() -> None:
    """All 163 codes that TikTok's SDK names are in the table, under their name, or successes."""
    package = importlib.util.find_spec("business_api_client")
    assert package is not None
    assert package.origin
    source = Path(package.origin).parent / "tiktok_business" / "tiktok_code.py"
    published = {
        ast.literal_eval(node.value): node.targets[0].id.removeprefix("ERROR_CODE_")
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(ast.literal_eval(node.value), int)
    }
    ours = {code: row.name for code, row in RETURN_CODES.items() if code not in BEYOND_SDK}
    assert len(published) == 163
    assert ours == {code: name for code, name in published.items() if code not in SUCCESS_CODES}
    assert published.keys() >= SUCCESS_CODES
    assert RETURN_CODES.keys() >= BEYOND_SDK


def test_every_code_has_the_class_that_was_decided() -> None:
    """Each class holds exactly the codes meant for it, of both platforms."""
    assert {code: type(error_of(code, "read")) for code in CODES} == CODES
    assert set().union(*DECIDED.values()) <= CODES.keys()
    assert len(LOGIN_KIT_ERRORS) == 17


def test_table_cannot_be_changed() -> None:
    """The table is read-only, whoever imports it."""
    with pytest.raises(TypeError):
        RETURN_CODES[1] = RETURN_CODES[40000]  # type: ignore[index]


@pytest.mark.parametrize("purpose", PURPOSES)
def test_only_codes_that_say_later_may_be_repeated(purpose: Purpose) -> None:
    """No purpose turns another code into one that the client repeats by itself."""
    repeated = {code for code in CODES if isinstance(error_of(code, purpose), TryAgainLater)}
    assert repeated == {*DECIDED[TryAgainLater], *DECIDED[RateLimited]}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *((code, RequestRefused) for code in (40199, 40064, 49999, 70000, 1, -1, 0)),
        *((code, TryAgainLater) for code in (51305, 59999, 60002, 69999)),
        ("brand_new_error", RequestRefused),
        ("10007", RequestRefused),
    ],
)
def test_unknown_codes_are_classed_by_range(code: int | str, kind: type[TikTokAuthError]) -> None:
    """A code that TikTok has not published gets the class of its range, and shows TikTok's text."""
    error = error_of(code, "refresh", message="Something new")
    assert type(error) is kind
    assert f'"Something new" (TikTok code {code}, request id R1)' in str(error)


@UNHURRIED
@given(st.integers(), st.sampled_from(PURPOSES), st.none() | st.text(max_size=50), st.booleans())
def test_any_code_makes_an_error(
    code: int, purpose: Purpose, message: str | None, long_term: bool
) -> None:
    """Whatever number TikTok answers with, there is an error, and it carries the number."""
    error = error_of(code, purpose, message=message, long_term=long_term)
    assert f"(TikTok code {code}, request id R1)" in str(error)


@UNHURRIED
@given(st.from_regex(r"(act|rft|clt)\.[A-Za-z0-9!*.]{20,60}", fullmatch=True) | st.text())
def test_login_kit_name_that_could_be_a_secret_is_not_shown(name: str) -> None:
    """A text that does not look like an error name stays out of the line."""
    line = str(login_kit_error(name, "refresh"))
    assert line.isprintable()
    if name not in LOGIN_KIT_ERRORS and not re.fullmatch(r"[a-z_]{1,40}|[0-9]{1,8}", name):
        assert "TikTok code" not in line


@pytest.mark.parametrize("code", sorted(DECIDED[AccessTokenRejected], key=str))
@pytest.mark.parametrize("purpose", ["verify", "read", "revoke"])
def test_refused_access_token(code: int | str, purpose: Purpose) -> None:
    """It is about the access token that was sent; one without an end has not "expired"."""
    error = error_of(code, purpose)
    assert type(error) is AccessTokenRejected
    assert "access token" in error.cause
    if isinstance(code, int):
        line = str(error_of(code, purpose, long_term=True))
        assert "revoked or access withdrawn" in line
        assert "expired" not in line


@pytest.mark.parametrize(
    "code",
    [
        *(40002, 40102, 40103, 40105, 40107, 40109, 40110, 40115, 40131),
        *("access_token_invalid", "invalid_grant"),
    ],
)
def test_refused_refresh_token(code: int | str) -> None:
    """Where a refresh token was sent, these codes mean that a person must authorise again."""
    error = error_of(code, "refresh")
    assert type(error) is GrantRejected
    assert "refresh token" in error.cause or code in DECIDED[GrantRejected]
    assert str(error.of("acme")).endswith("Run: tiktok-auth login acme")


@pytest.mark.parametrize(
    "code", [40102, 40105, 40110, 40115, 40131, "access_token_invalid", "invalid_grant"]
)
def test_refused_authorization_code(code: int | str) -> None:
    """On an exchange the line tells the usual reasons: used, expired, decoded twice, wrong page."""
    error = error_of(code, "exchange")
    assert type(error) is GrantRejected
    for reason in ("used before", "expired", "URL-decoded twice", "consent page of another api"):
        assert reason in error.cause


@pytest.mark.parametrize("code", [*CODES, 40199, "brand_new_error"])
def test_a_refused_exchange_is_final(code: int | str) -> None:
    """What an exchange is refused with is final, unless it passes or a permission or app helps."""
    error = error_of(code, "exchange", message="Said so")
    kind = CODES.get(code, RequestRefused)
    assert type(error) is (kind if kind in NOT_FINAL else GrantRejected)
    if kind not in NOT_FINAL:
        assert str(error.of("acme")).endswith("Run: tiktok-auth login acme")


@pytest.mark.parametrize(
    ("code", "purpose", "shown"),
    [
        (40000, "exchange", True),
        (40002, "exchange", True),
        (40064, "exchange", True),
        (40002, "refresh", True),
        (40001, "read", True),
        (40000, "read", True),
        (40105, "read", False),
        (40105, "refresh", False),
    ],
)
def test_tiktoks_text_is_shown_where_the_code_says_too_little(
    code: int, purpose: Purpose, shown: bool
) -> None:
    """Where the code's own cause is clearer, TikTok's text is not repeated."""
    assert (': "Nope"' in error_of(code, purpose, message="Nope").cause) is shown


@pytest.mark.parametrize(
    ("code", "purpose", "long_term", "parts"),
    [
        (
            *(40101, "exchange", False),
            ["do not belong together, or the authorization code is invalid", "app_secret"],
        ),
        (40107, "refresh", True, ["this token has no refresh", "access_token"]),
        ("invalid_request", "client_token", False, ["redirect_uri"]),
    ],
)
def test_special_cases(
    code: int | str, purpose: Purpose, long_term: bool, parts: list[str]
) -> None:
    """App or code, the refresh of a long-term token, and an app's token have their own words."""
    line = str(error_of(code, purpose, long_term=long_term))
    assert all(part in line for part in parts)


@pytest.mark.parametrize("code", CODES)
def test_every_line_reads_well(code: int | str) -> None:
    """Each line is one plain line with a next step, and names only real commands and settings."""
    for purpose, long_term in itertools.product(PURPOSES, [False, True]):
        error = error_of(code, purpose, long_term=long_term)
        line = str(error.of("acme"))
        assert error.cause
        assert not error.cause.endswith(".")
        assert error.next_step
        assert line.isprintable()
        assert "{" not in line
        assert set(COMMAND.findall(line)) <= {"login"}
        if isinstance(error, ConfigurationError):
            assert set(SETTING.findall(error.next_step)) & BY_NAME.keys()
        if isinstance(error, AuthorizationRequired):
            assert "tiktok-auth login acme" in line
        if isinstance(error, TryAgainLater):
            assert "five minutes" in line
