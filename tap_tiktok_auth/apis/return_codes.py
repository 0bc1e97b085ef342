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

import json
import re
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_tiktok_auth import errors
from tap_tiktok_auth.errors import (
    AccessTokenRejected,
    AuthorizationRequired,
    ConfigurationError,
    GrantRejected,
    PermissionMissing,
    RequestRefused,
    TryAgainLater,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_tiktok_auth.apis.base import Purpose
    from tap_tiktok_auth.errors import TikTokAuthError

#: OK, and "partially successful".
SUCCESS_CODES = frozenset({0, 20001})


class Meaning(NamedTuple):
    """What a code means.

    Attributes:
        kind: The error to raise.
        cause: What happened, in plain words.
        next_step: What the operator does next; `{connection}` stands for the connection's name.
        name: TikTok's name for the code; empty where TikTok's documentation gives none.
    """

    kind: type[TikTokAuthError]
    cause: str
    next_step: str
    name: str = ""


# Read before anything is sent: a package that is replaced under a process that runs must not
# surprise it amidst a refusal.
_DATA = json.loads(Path(__file__).with_name("return_codes.json").read_text(encoding="utf-8"))
_STEPS: dict[str, str] = _DATA["next_steps"]
_LOGIN, _REPORT = _STEPS["login"], _STEPS["report"]


def _meanings(sections: list[dict[str, Any]]) -> Iterator[tuple[str, Meaning]]:
    for section in sections:
        kind, step = getattr(errors, section["error"]), _STEPS[section["next_step"]]
        for code, (name, *cause) in section["codes"].items():
            yield code, Meaning(kind, cause[0] if cause else section["cause"], step, name)


#: The errors among the Business API's return codes, by number.
RETURN_CODES: Mapping[int, Meaning] = MappingProxyType(
    {int(code): meaning for code, meaning in _meanings(_DATA["business"])}
)
#: Login Kit's error names: `error` of its OAuth endpoints, `code` of its API.
LOGIN_KIT_ERRORS: Mapping[str, Meaning] = MappingProxyType(dict(_meanings(_DATA["login_kit"])))

_CODE_REFUSED = (
    "TikTok refuses the authorization code: it was used before, has expired, was URL-decoded twice "
    "or comes from the consent page of another api"
)
_REFRESH_TOKEN_REFUSED = "TikTok refuses the refresh token"  # noqa: S105  (a sentence)
_LONG_TERM_REFUSED = "TikTok refuses the long-term token: revoked or access withdrawn"
_NO_REFRESH = Meaning(
    GrantRejected,
    "this token has no refresh: it is a long-term token, which works until it is revoked",
    f"Set access_token instead of refresh_token, or authorise again. {_LOGIN}",
)
#: What TikTok's own text says more about than the code does.
_TOLD = frozenset({RequestRefused, PermissionMissing})
_UNKNOWN = Meaning(
    RequestRefused,
    "TikTok refuses the request with a code that this version does not know",
    _REPORT,
)
_FAILED = Meaning(TryAgainLater, "a service inside TikTok failed", _STEPS["wait"])
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
        code: The `code` of the response, not a success.
        purpose: What the call was for.
        message: TikTok's text, already cleaned; shown where the code alone says too little.
        request_id: TikTok's id of the call, already cleaned.
        long_term: Whether the token in question does not expire.
    """
    known = RETURN_CODES.get(code)
    meaning = known or (_FAILED if 50000 <= code < 70000 else _UNKNOWN)
    shown = message if known is None or meaning.kind in _TOLD else None
    if purpose == "exchange" and code == 40101:
        # TikTok docs: "Secret and app ID do not match. The authorization code is invalid."
        cause = f"{meaning.cause}, or the authorization code is invalid"
        meaning = Meaning(ConfigurationError, cause, _or_login(meaning.next_step))
    elif code == 40107 and long_term and purpose != "exchange":
        meaning = _NO_REFRESH
    elif code == 40002 and purpose == "refresh":
        # TikTok answers 40002 "Invalid refresh_token" where one would expect 40107.
        meaning = Meaning(GrantRejected, _REFRESH_TOKEN_REFUSED, _LOGIN)
    elif meaning.kind is AccessTokenRejected or purpose == "exchange":
        meaning = _for_purpose(meaning, purpose, long_term=long_term)
    return _error(meaning, str(code), shown, request_id)


def login_kit_error(
    name: str, purpose: Purpose, *, message: str | None = None, log_id: str | None = None
) -> TikTokAuthError:
    """Return the error that an error name of Login Kit means.

    The name is `error` of an OAuth response, or `code` of an API response: any text.
    """
    known = LOGIN_KIT_ERRORS.get(name)
    meaning = known or _UNKNOWN
    code = name if known or _SHOWABLE_NAME.fullmatch(name) else None
    shown = message if meaning.kind in _TOLD else None
    return _error(_for_purpose(meaning, purpose), code, shown, log_id)


def _for_purpose(meaning: Meaning, purpose: Purpose, *, long_term: bool = False) -> Meaning:
    """Return what a refusal means for the credential that was sent."""
    refused = meaning.kind in {GrantRejected, AccessTokenRejected}
    if purpose == "exchange":  # an authorization code, which is not sent again then
        if refused:
            return Meaning(GrantRejected, _CODE_REFUSED, _LOGIN)
        if meaning.kind in {RequestRefused, AuthorizationRequired}:
            own = meaning.next_step not in {_LOGIN, _REPORT}
            step = _or_login(meaning.next_step) if own else _LOGIN
            return Meaning(GrantRejected, meaning.cause, step)
    elif refused and purpose == "refresh":
        return Meaning(GrantRejected, _REFRESH_TOKEN_REFUSED, _LOGIN)
    elif refused and long_term:
        return meaning._replace(cause=_LONG_TERM_REFUSED)
    return meaning


def _or_login(next_step: str) -> str:
    return f"{next_step} If nothing is wrong there, authorise again. {_LOGIN}"


def _error(
    meaning: Meaning, code: str | None, message: str | None, request_id: str | None
) -> TikTokAuthError:
    cause = f'{meaning.cause}: "{message}"' if message else meaning.cause
    return meaning.kind(cause, next_step=meaning.next_step, code=code, request_id=request_id)
