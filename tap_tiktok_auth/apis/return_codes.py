"""From TikTok's error codes to the errors of this package.

One code can mean different things: the access token that is refused while reading is not the
refresh token that is refused while refreshing. The purpose of the call decides.

Only `TryAgainLater` and its kinds may be repeated without asking, because with them TikTok itself
asks to come back later. A code that TikTok has not published is therefore never put there,
except for 5xxxx (errors on TikTok's side) and 6xxxx (maintenance). In particular an unknown 401xx
may be about a token, a permission or a rate: it becomes `RequestRefused`, which repeats nothing and
throws no token away.

An authorization code is different. It works once and for an hour at most, so an exchange that
TikTok refuses is not sent again unless one of its settings changes: what neither a permission nor
another app would help there becomes `GrantRejected`, also if the number is unknown.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from tap_tiktok_auth.apis.return_code_table import (
    LOGIN,
    LOGIN_KIT_ERRORS,
    REPORT,
    RETURN_CODES,
    SERVICE_FAILED,
    SUCCESS_CODES,
    WAIT,
    Meaning,
    ReturnCode,
)
from tap_tiktok_auth.errors import (
    AccessTokenRejected,
    AuthorizationRequired,
    ConfigurationError,
    GrantRejected,
    PermissionMissing,
    RequestRefused,
    TikTokAuthError,
    TryAgainLater,
)

if TYPE_CHECKING:
    from tap_tiktok_auth.apis.base import Purpose

__all__ = [
    "LOGIN_KIT_ERRORS",
    "RETURN_CODES",
    "SUCCESS_CODES",
    "ReturnCode",
    "business_error",
    "login_kit_error",
]

_CODE_REFUSED = (
    "TikTok refuses the authorization code: it was used before, has expired, was URL-decoded twice "
    "or comes from the consent page of another api"
)
_REFRESH_TOKEN_REFUSED = "TikTok refuses the refresh token"  # noqa: S105  (a sentence)
_LONG_TERM_REFUSED = "TikTok refuses the long-term token: revoked or access withdrawn"
_NO_REFRESH = Meaning(
    GrantRejected,
    "this token has no refresh: it is a long-term token, which works until it is revoked",
    f"Set access_token instead of refresh_token, or authorise again. {LOGIN}",
)
#: What TikTok's own text says more about than the code does.
_TOLD = frozenset({RequestRefused, PermissionMissing})
_UNKNOWN = Meaning(
    RequestRefused, "TikTok refuses the request with a code that this version does not know", REPORT
)
# An unknown name is shown only if no credential can look like it.
_SHOWABLE_NAME = re.compile(r"[a-z_]{1,40}|[0-9]{1,8}")


def business_error(
    code: int,
    purpose: Purpose,
    *,
    message: str | None = None,
    request_id: str | None = None,
    long_term: bool = False,
) -> TikTokAuthError:
    """Return the error that a return code of the Business API means.

    Args:
        code: The `code` of the answer, not a success.
        purpose: What the call was for.
        message: TikTok's text, already cleaned; shown where the code alone says too little.
        request_id: TikTok's id of the call, already cleaned.
        long_term: Whether the token in question has no timer.
    """
    known = RETURN_CODES.get(code)
    meaning = known or _by_range(code)
    tells = known is None or meaning.kind in _TOLD
    meaning = _for_purpose(code, meaning, purpose, long_term=long_term)
    return _error(meaning, str(code), message, request_id, tells=tells)


def login_kit_error(
    name: str, purpose: Purpose, *, message: str | None = None, log_id: str | None = None
) -> TikTokAuthError:
    """Return the error that an error name of Login Kit means.

    Args:
        name: `error` of an OAuth answer, or `code` of an API answer; any text.
        purpose: What the call was for.
        message: TikTok's text, already cleaned; shown where the name alone says too little.
        log_id: TikTok's id of the call, already cleaned.
    """
    known = LOGIN_KIT_ERRORS.get(name)
    meaning = known or _UNKNOWN
    tells = meaning.kind in _TOLD
    if purpose == "exchange":
        meaning = _exchange_refused(meaning)
    elif meaning.kind in {GrantRejected, AccessTokenRejected}:
        meaning = _token_refused(meaning, purpose)
    shown = name if known or _SHOWABLE_NAME.fullmatch(name) else None
    return _error(meaning, shown, message, log_id, tells=tells)


def _error(
    meaning: Meaning, code: str | None, message: str | None, request_id: str | None, *, tells: bool
) -> TikTokAuthError:
    cause = meaning.cause
    if message and tells:
        cause += f': "{message}"'
    return meaning.kind(cause, next_step=meaning.next_step, code=code, request_id=request_id)


def _by_range(code: int) -> Meaning:
    if 50000 <= code < 70000:
        return Meaning(TryAgainLater, SERVICE_FAILED, WAIT)
    return _UNKNOWN


def _for_purpose(code: int, meaning: Meaning, purpose: Purpose, *, long_term: bool) -> Meaning:
    if purpose == "exchange":
        if code == 40101:
            # TikTok docs: "Secret and app ID do not match. The authorization code is invalid."
            cause = f"{meaning.cause}, or the authorization code is invalid"
            next_step = f"{meaning.next_step} If nothing is wrong there, authorise again. {LOGIN}"
            return Meaning(ConfigurationError, cause, next_step)
        return _exchange_refused(meaning)
    if code == 40107 and long_term:
        return _NO_REFRESH
    if code == 40002 and purpose == "refresh":
        # TikTok answers 40002 "Invalid refresh_token" where one would expect 40107.
        return Meaning(GrantRejected, _REFRESH_TOKEN_REFUSED, LOGIN)
    if meaning.kind is AccessTokenRejected:
        if long_term:
            meaning = replace(meaning, cause=_LONG_TERM_REFUSED)
        return _token_refused(meaning, purpose)
    return meaning


def _exchange_refused(meaning: Meaning) -> Meaning:
    """What a refusal means where an authorization code was sent, which is not sent again then."""
    if meaning.kind in {GrantRejected, AccessTokenRejected}:
        return Meaning(GrantRejected, _CODE_REFUSED, LOGIN)
    if meaning.kind not in {RequestRefused, AuthorizationRequired}:
        return meaning
    next_step = LOGIN
    if meaning.next_step not in {LOGIN, REPORT}:
        next_step = f"{meaning.next_step} If nothing is wrong there, authorise again. {LOGIN}"
    return Meaning(GrantRejected, meaning.cause, next_step)


def _token_refused(meaning: Meaning, purpose: Purpose) -> Meaning:
    """What the refusal of a credential means where a refresh token was sent."""
    if purpose == "refresh":
        return Meaning(GrantRejected, _REFRESH_TOKEN_REFUSED, LOGIN)
    return meaning
