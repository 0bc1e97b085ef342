"""Read TikTok's answers: two envelopes, several spellings, one meaning.

Nothing of an answer is believed before its kind is checked. An answer that cannot be understood
is `NoAnswer`: the request may have been carried out.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, NoReturn

from tap_tiktok_auth.errors import NoAnswer, RateLimited, RequestRefused, TryAgainLater
from tap_tiktok_auth.redaction import clean, clean_id, clean_message, echoes
from tap_tiktok_auth.return_codes import business_error, login_kit_error
from tap_tiktok_auth.tokens import Grant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_tiktok_auth.apis.messages import Response

#: No lifetime that TikTok documents is longer than a year; what exceeds this is no lifetime.
LONGEST_LIFETIME = 20 * 365 * 86_400

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
    code = envelope.get("code")
    flat = isinstance(envelope.get("access_token"), str)
    request_id = _request_id(response, envelope.get("request_id"))
    if code is None and not flat:
        _not_understood(response, "has no return code")
    if code is not None and (isinstance(code, bool) or not isinstance(code, int)):
        _not_understood(response, "has a return code that is no number")
    if code is not None and abs(code) > _LARGEST_CODE:
        _not_understood(response, "has an impossible return code")
    if code not in {None, 0, _PARTIALLY_SUCCESSFUL}:
        message = clean_message(envelope.get("message"), response.request.secrets)
        raise business_error(
            code,
            response.request.purpose,
            message=message,
            request_id=request_id,
            long_term=long_term,
        )
    if response.status >= 400:
        _refused_by_status(response)
    data = envelope if flat else envelope.get("data")
    if data is None:
        data = {}
    if not isinstance(data, dict):
        _not_understood(response, "has data of a wrong kind")
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
    if code is not None and not isinstance(code, str):
        _not_understood(response, "has an error of a wrong kind")
    if code not in {None, "", "ok"}:
        raise login_kit_error(
            clean_message(code, response.request.secrets, limit=60),
            response.request.purpose,
            message=clean_message(message, response.request.secrets),
            log_id=log_id,
        )
    if response.status >= 400:
        _refused_by_status(response)
    data = answer.get("data", answer)
    if not isinstance(data, dict):
        _not_understood(response, "has data of a wrong kind")
    return {**data, "request_id": log_id}


def login_kit_done(response: Response) -> None:
    """Check an answer that need not say anything, as that of a revocation.

    Raises:
        TikTokAuthError: TikTok refuses, or the answer is an HTTP error.
    """
    if response.status < 400 and not response.body.strip():
        return
    login_kit_data(response)


def grant(response: Response, data: Mapping[str, Any]) -> Grant:
    """Read a token answer.

    Accepts the spellings of all token systems: `open_id` or `creator_id`; `expires_in` or
    `expires`; `refresh_token_expires_in`, `refresh_expires_in` or `refresh_expires`; scopes as a
    list of numbers or as a comma separated text.

    Args:
        response: The answer, for its request.
        data: Its content.

    Raises:
        NoAnswer: There is no token in it, or a field is of a wrong kind.
    """
    token = _token(response, data, "access_token")
    if token is None:
        _not_understood(response, "has no access token")
    return Grant(
        access_token=token,
        refresh_token=_token(response, data, "refresh_token"),
        expires_in=_lifetime(response, data, "expires_in", "expires"),
        refresh_expires_in=_lifetime(
            response, data, "refresh_token_expires_in", "refresh_expires_in", "refresh_expires"
        ),
        subject_id=identifier(response, data, "open_id", "creator_id"),
        scopes=scopes(response, data.get("scope")),
        advertiser_ids=identifiers(response, data.get("advertiser_ids")),
        request_id=data.get("request_id"),
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
    try:
        value = json.loads(response.body)
    except (ValueError, RecursionError):
        if response.status >= 400:
            _refused_by_status(response)
        _not_understood(response, "is not JSON")
    if not isinstance(value, dict):
        _not_understood(response, "is not a JSON object")
    return value


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


def _lifetime(response: Response, data: Mapping[str, Any], *names: str) -> float | None:
    value = next((data[name] for name in names if data.get(name) is not None), None)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        _not_understood(response, f"has a malformed {names[0]}")
    if not 0 <= value <= LONGEST_LIFETIME:
        _not_understood(response, f"has an impossible {names[0]}")
    # Zero is how some token endpoints say "no timer"; a token that ends at once makes no sense.
    return float(value) or None


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
