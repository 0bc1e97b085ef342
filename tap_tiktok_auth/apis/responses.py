"""Read TikTok's answers: two envelopes, several spellings, one meaning.

Nothing of an answer is believed before its kind is checked. An answer that cannot be understood
is `NoAnswer`: the request may have been carried out. A usable access token is never lost to what
else its answer says: it was paid for with a credential that works once.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from tap_tiktok_auth.apis.base import TokenResponse
from tap_tiktok_auth.apis.return_codes import business_error, login_kit_error
from tap_tiktok_auth.errors import NoAnswer, RateLimited, RequestRefused, TryAgainLater
from tap_tiktok_auth.redaction import clean, clean_id, clean_message, echoes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_tiktok_auth.apis.base import Response

T = TypeVar("T")

#: No lifetime that TikTok documents is longer than a year; what exceeds this is no lifetime.
LONGEST_LIFETIME = 2 * 365 * 86_400
_YEAR_2100 = 4_102_444_800

_PARTIALLY_SUCCESSFUL = 20001
_LARGEST_CODE = 99_999_999
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)


def business_data(response: Response, *, long_term: bool = False) -> dict[str, Any]:
    """Return the `data` of a Business API answer, with its `request_id` beside.

    The envelope's `code` decides before the HTTP status does, and `message` decides nothing.
    (TikTok docs, return codes: HTTP 200 comes with nearly all errors.) A token answer may also be
    flat, with the token beside `code` or without any `code`.

    Args:
        response: The answer.
        long_term: Whether the token in question has no timer; words the error.

    Raises:
        TikTokAuthError: TikTok refuses, or the answer cannot be understood.
    """
    envelope = _json_object(response)
    code: Any = envelope.get("code")
    request_id = _request_id(response, envelope.get("request_id"))
    is_number = isinstance(code, int) and not isinstance(code, bool)
    is_code = is_number and abs(code) <= _LARGEST_CODE
    if is_code and code not in {0, _PARTIALLY_SUCCESSFUL}:
        message = clean_message(envelope.get("message"), response.request.secrets)
        raise business_error(
            code,
            response.request.purpose,
            message=message,
            request_id=request_id,
            long_term=long_term,
        )
    data = _with_token(envelope)
    if data is None:
        if code is None:
            _not_understood(response, "has no return code")
        if not is_number:
            _not_understood(response, "has a return code that is no number")
        if not is_code:
            _not_understood(response, "has an impossible return code")
        data = _content(response, envelope.get("data"))
    return {**data, "request_id": request_id}


def login_kit_data(response: Response) -> dict[str, Any]:
    """Return the content of a Login Kit answer, with its `log_id` as `request_id`.

    OAuth endpoints answer flat, errors with the key `error` and any HTTP status. API v2 endpoints
    answer `{data, error: {code, message, log_id}}`, or an error as `{code, message, log_id}`.
    (TikTok for Developers docs, error handling; both shapes are documented.)

    Raises:
        TikTokAuthError: TikTok refuses, or the answer cannot be understood.
    """
    answer = _json_object(response)
    error = answer.get("error")
    if isinstance(error, dict):
        code, message, log_id = (error.get(key) for key in ("code", "message", "log_id"))
    elif error is not None:
        code, message, log_id = error, answer.get("error_description"), answer.get("log_id")
    else:
        code, message, log_id = (answer.get(key) for key in ("code", "message", "log_id"))
    log_id = _request_id(response, log_id)
    if isinstance(code, str) and code not in {"", "0", "ok"}:
        raise login_kit_error(
            clean_message(code, response.request.secrets, limit=60),
            response.request.purpose,
            message=clean_message(message, response.request.secrets),
            log_id=log_id,
        )
    data = _with_token(answer)
    if data is None:
        if code is not None and not isinstance(code, str):
            _not_understood(response, "has an error of a wrong kind")
        data = _content(response, answer.get("data", answer))
    return {**data, "request_id": log_id}


def login_kit_done(response: Response) -> None:
    """Check an answer that need not say anything, as that of a revocation.

    Raises:
        TikTokAuthError: TikTok refuses, or the answer is an HTTP error.
    """
    if response.status < 400 and not response.body.strip():
        return
    login_kit_data(response)


def grant(response: Response, data: Mapping[str, Any]) -> TokenResponse:
    """Read a token answer.

    Accepts the spellings of all token systems: `open_id` or `creator_id`; `expires_in` or
    `expires`; `refresh_token_expires_in`, `refresh_expires_in` or `refresh_expires`; scopes as a
    list of numbers or as a comma separated text. A field beside the access token that is of
    another kind counts as not told, and is named in the grant.

    Args:
        response: The answer, for its request.
        data: Its content.

    Raises:
        NoAnswer: There is no usable access token in it.
    """
    token = _token(response, data, "access_token")
    if token is None:
        _not_understood(response, "has no access token")
    unread: list[str] = []

    def told(name: str, read: Callable[..., T], *arguments: object) -> T | None:
        try:
            return read(response, *arguments)
        except NoAnswer:
            unread.append(name)
            return None

    def lifetime(*names: str) -> float | None:
        found = (told(name, _lifetime, data, name) for name in names)
        return next((seconds for seconds in found if seconds is not None), None)

    return TokenResponse(
        access_token=token,
        refresh_token=told("refresh_token", _token, data, "refresh_token"),
        expires_in=lifetime("expires_in", "expires"),
        refresh_expires_in=lifetime(
            "refresh_token_expires_in", "refresh_expires_in", "refresh_expires"
        ),
        subject_id=told("open_id", identifier, data, "open_id", "creator_id"),
        scopes=told("scope", scopes, data.get("scope")),
        advertiser_ids=told("advertiser_ids", identifiers, data.get("advertiser_ids")) or (),
        request_id=data.get("request_id"),
        unread=tuple(unread),
    )


def scopes(response: Response, value: object) -> tuple[str, ...] | None:
    """Return scopes as a sorted tuple of texts; None if the answer does not tell.

    Raises:
        NoAnswer: They are of a wrong kind.
    """
    if value is None:
        return None
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list):
        _not_understood(response, "has scopes of a wrong kind")
    texts = {_id(response, item) for item in items if not _is_blank(item)}
    return tuple(sorted(texts))


def identifiers(response: Response, value: object) -> tuple[str, ...]:
    """Return a list of ids as texts, each once, in TikTok's order.

    Ids came as numbers before v1.3 and exceed 2**53, so they are texts here.

    Raises:
        NoAnswer: They are of a wrong kind.
    """
    if value is None:
        return ()
    if not isinstance(value, list):
        _not_understood(response, "has ids of a wrong kind")
    return tuple(dict.fromkeys(_id(response, item) for item in value))


def identifier(response: Response, data: Mapping[str, Any], *names: str) -> str | None:
    """Return the first id found under *names* as a text; None if there is none.

    Raises:
        NoAnswer: It is of a wrong kind.
    """
    value = next((data[name] for name in names if not _is_blank(data.get(name))), None)
    return None if value is None else _id(response, value)


def if_usable(read: Callable[..., T], *arguments: object) -> T | None:
    """Return what one of the readers above reads; None where it finds a wrong kind.

    What TikTok says beside "this token works" does not make that untrue.
    """
    try:
        return read(*arguments)
    except NoAnswer:
        return None


def text(value: object, limit: int = 500) -> str | None:
    """Return a name or label without control characters, cut to *limit*; None if it is no text."""
    return clean(value, limit=limit) if isinstance(value, str) and value.strip() else None


def objects(response: Response, value: object) -> list[dict[str, Any]]:
    """Return a list of objects as it is; an absent one is empty.

    Raises:
        NoAnswer: It is of a wrong kind.
    """
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        _not_understood(response, "has a list of a wrong kind")
    return value


def _json_object(response: Response) -> dict[str, Any]:
    if not response.body.strip():
        if response.status >= 400:
            _refused_by_status(response)
        _not_understood(response, "is empty")
    # Damaged texts beside a token, or what follows its answer, must not cost the token.
    spends = response.request.spends
    decoder = json.JSONDecoder(parse_int=_integer, strict=not spends)
    try:
        body = response.body.decode(
            json.detect_encoding(response.body), "replace" if spends else "strict"
        ).lstrip()
        # A page may begin with a number, which is JSON too.
        first = spends and body.startswith("{")
        value = decoder.raw_decode(body)[0] if first else decoder.decode(body)
    except (ValueError, RecursionError):
        if response.status >= 400:
            _refused_by_status(response)
        _not_understood(response, "is not JSON")
    if not isinstance(value, dict):
        _not_understood(response, "is not a JSON object")
    return value


def _integer(digits: str) -> float:
    """Return a number of JSON; one of more digits than Python converts is infinite."""
    try:
        return int(digits)
    except ValueError:
        return math.inf


def _with_token(answer: dict[str, Any]) -> dict[str, Any] | None:
    """Return the part of an answer that has a usable access token; None if none has."""
    for part in (answer.get("data"), answer):
        if isinstance(part, dict):
            token = part.get("access_token")
            if isinstance(token, str) and _TOKEN.fullmatch(token):
                return part
    return None


def _content(response: Response, data: object) -> dict[str, Any]:
    """Return the content of an answer that has no token and refuses nothing."""
    if response.status >= 400:
        _refused_by_status(response)
    if data is None:
        return {}
    if not isinstance(data, dict):
        _not_understood(response, "has data of a wrong kind")
    return data


def _refused_by_status(response: Response) -> NoReturn:
    """Raise what an HTTP error without a usable envelope means."""
    status = response.status
    if status == 429:
        raise RateLimited("TikTok restricts requests (HTTP 429)", next_step="Run again later.")
    if status >= 500:
        if response.request.spends:
            raise NoAnswer(f"TikTok failed to answer (HTTP {status})", next_step="Run again later.")
        raise TryAgainLater(
            f"TikTok failed to answer (HTTP {status})", next_step="Run again in five minutes."
        )
    raise RequestRefused(
        f"TikTok does not serve this address (HTTP {status})",
        next_step="Check the settings business_api_url, login_kit_api_url and api_version.",
    )


def _not_understood(response: Response, problem: str) -> NoReturn:
    raise NoAnswer(
        f"TikTok's answer {problem} (HTTP {response.status})",
        next_step="Run again; if it stays so, check the settings business_api_url and "
        "login_kit_api_url and what stands between this machine and TikTok.",
    )


def _request_id(response: Response, value: object) -> str | None:
    identifier = clean_id(value)
    return None if identifier and echoes(identifier, response.request.secrets) else identifier


def _token(response: Response, data: Mapping[str, Any], name: str) -> str | None:
    value = data.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        _not_understood(response, f"has a malformed {name}")
    return value


def _lifetime(response: Response, data: Mapping[str, Any], name: str) -> float | None:
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = _integer(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        _not_understood(response, f"has a malformed {name}")
    if LONGEST_LIFETIME < value < _YEAR_2100:
        value -= response.sent_at  # some token endpoints of TikTok tell the moment of the end
    if not 0 <= value <= LONGEST_LIFETIME:
        _not_understood(response, f"has an impossible {name}")
    # Zero is how some token endpoints say "no timer"; a token that ends at once makes no sense.
    return float(value) if value >= 1 else None


def _id(response: Response, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        _not_understood(response, "has an id of a wrong kind")
    try:
        as_text = str(value).strip()
    except ValueError:  # a number of more than 4,300 digits
        as_text = ""
    if not _ID.fullmatch(as_text):
        _not_understood(response, "has a malformed id")
    return as_text


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
