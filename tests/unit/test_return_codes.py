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
USING: tuple[Purpose, ...] = ("verify", "read", "revoke")
#: In TikTok's documentation, but not in its SDK.
BEYOND_SDK = {40133, 51021}
#: A command of ours in a next step, and settings that a next step asks to correct.
COMMAND = re.compile(r"tiktok-auth (\w+)")
SETTING = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")

DECIDED = {
    ConfigurationError: {40006, 40010, 40051, 40101, 40113, 40400},
    AuthorizationRequired: {40104, 40106, 40112, 40114, 40120, 40309},
    GrantRejected: {40103, 40107, 40109, 40110, 40115, 40131},
    AccessTokenRejected: {40102, 40105},
    PermissionMissing: {40001, 40003, 40117, 40118, 40119, 40121, 40124, 40125, 40130},
    RateLimited: {40016, 40100, 40132, 40133, 51021, 61000},
}
LATER = {40201, 40202, 40700, 60001}


def _names_of_tiktoks_sdk() -> dict[int, str]:
    """Read the codes from TikTok's own SDK, without importing all of it."""
    package = importlib.util.find_spec("business_api_client")
    assert package is not None
    assert package.origin
    source = Path(package.origin).parent / "tiktok_business" / "tiktok_code.py"
    tree = ast.parse(source.read_text(encoding="utf-8"))
    return {
        ast.literal_eval(node.value): node.targets[0].id.removeprefix("ERROR_CODE_")
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(ast.literal_eval(node.value), int)
    }


def test_every_code_of_tiktoks_sdk_is_covered() -> None:
    """All 163 codes that TikTok's SDK names are in the table, under their name, or successes."""
    published = _names_of_tiktoks_sdk()
    ours = {code: row.name for code, row in RETURN_CODES.items() if code not in BEYOND_SDK}
    assert len(published) == 163
    assert ours == {code: name for code, name in published.items() if code not in SUCCESS_CODES}
    assert published.keys() >= SUCCESS_CODES
    assert RETURN_CODES.keys() >= BEYOND_SDK


def test_every_code_has_the_class_that_was_decided() -> None:
    """Each class holds exactly the codes meant for it; the rest is refused or, 5xxxx, later."""
    for code, row in RETURN_CODES.items():
        decided = [kind for kind, codes in DECIDED.items() if code in codes]
        if not decided:
            decided = [TryAgainLater if code in LATER or code // 10000 == 5 else RequestRefused]
        assert [row.kind] == decided, code


def test_table_cannot_be_changed() -> None:
    """The table is read-only, whoever imports it."""
    with pytest.raises(TypeError):
        RETURN_CODES[1] = RETURN_CODES[40000]  # type: ignore[index]


@pytest.mark.parametrize("purpose", PURPOSES)
def test_only_codes_that_say_later_may_be_repeated(purpose: Purpose) -> None:
    """No purpose turns another code into one that the client repeats by itself."""
    repeated = {c for c in RETURN_CODES if isinstance(business_error(c, purpose), TryAgainLater)}
    service = {code for code in RETURN_CODES if 50000 <= code < 60000}
    assert repeated == LATER | DECIDED[RateLimited] | service


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (40199, RequestRefused),
        (40064, RequestRefused),
        (49999, RequestRefused),
        (51305, TryAgainLater),
        (59999, TryAgainLater),
        (60002, TryAgainLater),
        (69999, TryAgainLater),
        (70000, RequestRefused),
        (1, RequestRefused),
        (-1, RequestRefused),
        (0, RequestRefused),
    ],
)
def test_unknown_codes_are_classed_by_range(code: int, kind: type[TikTokAuthError]) -> None:
    """A code that TikTok has not published gets the class of its range, and shows TikTok's text."""
    error = business_error(code, "refresh", message="Something new")
    assert type(error) is kind
    assert '"Something new"' in error.cause
    assert error.code == str(code)


@UNHURRIED
@given(st.integers(), st.sampled_from(PURPOSES), st.none() | st.text(max_size=50), st.booleans())
def test_any_code_makes_an_error(
    code: int,
    purpose: Purpose,
    message: str | None,
    long_term: bool,
) -> None:
    """Whatever number TikTok answers with, there is an error, and it carries the number."""
    error = business_error(code, purpose, message=message, request_id="R1", long_term=long_term)
    assert f"(TikTok code {code}, request id R1)" in str(error)


@pytest.mark.parametrize("code", [40102, 40105])
@pytest.mark.parametrize("purpose", USING)
def test_refused_access_token(code: int, purpose: Purpose) -> None:
    """Where an access token was sent, its refusal is about the access token."""
    error = business_error(code, purpose)
    assert type(error) is AccessTokenRejected
    assert "access token" in error.cause


@pytest.mark.parametrize("code", [40002, 40102, 40103, 40105, 40107, 40109, 40110, 40115, 40131])
def test_refused_refresh_token(code: int) -> None:
    """Where a refresh token was sent, these codes mean that a person must authorise again."""
    error = business_error(code, "refresh")
    assert type(error) is GrantRejected
    assert str(error.of("acme")).endswith("Run: tiktok-auth login acme")


@pytest.mark.parametrize("code", [40102, 40105, 40110, 40115, 40131])
def test_refused_authorization_code(code: int) -> None:
    """On an exchange the line tells the usual reasons: used, expired, decoded twice, wrong page."""
    error = business_error(code, "exchange")
    assert type(error) is GrantRejected
    for reason in ("used before", "expired", "URL-decoded twice", "consent page of another api"):
        assert reason in error.cause


def test_a_refused_exchange_is_final() -> None:
    """What an exchange is refused with is final, unless it passes or a permission or app helps."""
    passing = {TryAgainLater, RateLimited, PermissionMissing, ConfigurationError}
    for code, row in RETURN_CODES.items():
        error = business_error(code, "exchange", message="Said so")
        final = row.kind not in passing
        assert type(error) is (GrantRejected if final else row.kind), code
        if final:
            assert str(error.of("acme")).endswith("Run: tiktok-auth login acme")
    for name, kind in LOGIN_KIT_KINDS.items():
        final = kind not in passing
        assert type(login_kit_error(name, "exchange")) is (GrantRejected if final else kind), name
    assert type(business_error(40199, "exchange")) is GrantRejected
    assert type(login_kit_error("brand_new_error", "exchange")) is GrantRejected


@pytest.mark.parametrize("code", [40000, 40002, 40007, 40064])
def test_a_refused_exchange_shows_tiktoks_text(code: int) -> None:
    """It may be the code or another parameter: TikTok's text says which."""
    error = business_error(code, "exchange", message="auth_code invalid")
    assert '"auth_code invalid"' in error.cause


def test_app_or_code() -> None:
    """40101 on an exchange means the app's secret or the code; both are named."""
    line = str(business_error(40101, "exchange").of("acme"))
    assert "app id and secret do not belong together, or the authorization code is invalid" in line
    assert "app_secret" in line


def test_a_refused_app_token_asks_for_no_login() -> None:
    """Nobody logs in for a token of the app itself."""
    error = login_kit_error("invalid_request", "client_token")
    assert type(error) is RequestRefused


def test_parameter_error_on_refresh_shows_tiktoks_text() -> None:
    """40002 on a refresh is about the refresh token, and TikTok's text says so."""
    error = business_error(40002, "refresh", message="Invalid refresh_token...")
    assert error.cause == 'TikTok refuses the refresh token: "Invalid refresh_token..."'


@pytest.mark.parametrize("code", [40102, 40105])
@pytest.mark.parametrize("purpose", USING)
def test_long_term_token_never_expires(code: int, purpose: Purpose) -> None:
    """A refused long-term token was revoked or lost access; "expired" would be untrue."""
    line = str(business_error(code, purpose, long_term=True))
    assert "revoked or access withdrawn" in line
    assert "expired" not in line


def test_long_term_token_has_no_refresh() -> None:
    """40107 for a long-term token says that there is nothing to refresh."""
    error = business_error(40107, "refresh", long_term=True)
    assert "this token has no refresh" in error.cause
    assert "access_token" in str(error)


@pytest.mark.parametrize("code", sorted(RETURN_CODES))
def test_every_line_reads_well(code: int) -> None:
    """Each line is one plain line with a next step, and names only real commands and settings."""
    for purpose, long_term in itertools.product(PURPOSES, [False, True]):
        error = business_error(code, purpose, long_term=long_term)
        assert error.cause
        assert not error.cause.endswith(".")
        assert error.next_step
        _assert_plain(error)


@pytest.mark.parametrize("name", sorted(LOGIN_KIT_ERRORS))
def test_every_login_kit_line_reads_well(name: str) -> None:
    """The same for Login Kit's names."""
    for purpose in PURPOSES:
        _assert_plain(login_kit_error(name, purpose))


def _assert_plain(error: TikTokAuthError) -> None:
    line = str(error.of("acme"))
    assert line.isprintable()
    assert "{" not in line
    assert set(COMMAND.findall(line)) <= {"login"}
    if isinstance(error, ConfigurationError):
        assert set(SETTING.findall(error.next_step or "")) & BY_NAME.keys()
    if isinstance(error, AuthorizationRequired):
        assert "tiktok-auth login acme" in line
    if isinstance(error, TryAgainLater):
        assert "five minutes" in line


def test_message_is_kept_out_where_the_code_says_it_all() -> None:
    """TikTok's text is not repeated where the code's own cause is clearer."""
    assert "Nope" not in str(business_error(40105, "read", message="Nope"))
    assert '"Nope"' in str(business_error(40001, "read", message="Nope"))
    assert '"Nope"' in str(business_error(40000, "read", message="Nope"))


LOGIN_KIT_KINDS = {
    "access_denied": AuthorizationRequired,
    "access_token_invalid": AccessTokenRejected,
    "internal_error": TryAgainLater,
    "invalid_client": ConfigurationError,
    "invalid_grant": GrantRejected,
    "invalid_param": RequestRefused,
    "invalid_params": RequestRefused,
    "invalid_request": RequestRefused,
    "invalid_scope": PermissionMissing,
    "rate_limit_exceeded": RateLimited,
    "scope_not_authorized": PermissionMissing,
    "scope_permission_missed": PermissionMissing,
    "server_error": TryAgainLater,
    "temporarily_unavailable": TryAgainLater,
    "unauthorized_client": ConfigurationError,
    "unsupported_grant_type": RequestRefused,
    "unsupported_response_type": RequestRefused,
}


def test_login_kit_names_have_the_class_that_was_decided() -> None:
    """Every error name that TikTok documents for Login Kit is known, with its class."""
    kinds = {name: type(login_kit_error(name, "read")) for name in LOGIN_KIT_ERRORS}
    assert kinds == LOGIN_KIT_KINDS


@pytest.mark.parametrize("name", ["access_token_invalid", "invalid_grant"])
def test_login_kit_refusal_is_about_what_was_sent(name: str) -> None:
    """On an exchange the code is refused, on a refresh the refresh token."""
    assert "authorization code" in login_kit_error(name, "exchange").cause
    assert "refresh token" in login_kit_error(name, "refresh").cause
    assert type(login_kit_error(name, "refresh")) is GrantRejected


@pytest.mark.parametrize("name", ["brand_new_error", "10007"])
def test_unknown_login_kit_name_is_shown(name: str) -> None:
    """An unknown name is refused, and shown with TikTok's text and id."""
    error = login_kit_error(name, "read", message="Hm", log_id="L1")
    assert type(error) is RequestRefused
    assert f'"Hm" (TikTok code {name}, request id L1)' in str(error)


@UNHURRIED
@given(st.from_regex(r"(act|rft|clt)\.[A-Za-z0-9!*.]{20,60}", fullmatch=True) | st.text())
def test_login_kit_name_that_could_be_a_secret_is_not_shown(name: str) -> None:
    """A text that does not look like an error name stays out of the line."""
    line = str(login_kit_error(name, "refresh"))
    assert line.isprintable()
    if name not in LOGIN_KIT_ERRORS and not re.fullmatch(r"[a-z_]{1,40}|[0-9]{1,8}", name):
        assert "TikTok code" not in line
