"""The four ways in which TikTok wraps an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.simulator.errors import (
    MESSAGES,
    ApiV2Refusal,
    BusinessRefusal,
    OAuthRefusal,
    Refusal,
)
from tap_tiktok_auth.simulator.wire import JSON, Reply, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_tiktok_auth.simulator.state import Options


@dataclass(frozen=True)
class Family:
    """How one family of endpoints talks.

    Attributes:
        name: For error messages.
        success: Wraps data and request id.
        refused: Wraps a refusal and request id.
        malformed: Makes a refusal of a body that cannot be read.
        busy: Makes the refusal for too many requests.
        broken: Makes the refusal for a system error.
    """

    name: str
    success: Callable[[dict[str, Any] | None, str], Reply]
    refused: Callable[[Refusal, str, Options], Reply]
    malformed: Callable[[str], Refusal]
    busy: Callable[[], Refusal]
    broken: Callable[[], Refusal]


def _enveloped(data: dict[str, Any] | None, request_id: str) -> Reply:
    return json_reply(
        {"code": 0, "message": MESSAGES[0], "request_id": request_id, "data": data or {}}
    )


def _flat(data: dict[str, Any] | None, request_id: str) -> Reply:
    answer = {"code": 0, "message": MESSAGES[0], "request_id": request_id}
    return json_reply(answer | (data or {}))


def _business_refused(refusal: Refusal, request_id: str, _: Options) -> Reply:
    answer: dict[str, Any] = {
        "code": int(refusal.outcome),
        "message": refusal.text,
        "request_id": request_id,
    }
    if refusal.outcome != "40002":  # seen without the key, the others with it
        answer["data"] = {}
    return json_reply(answer, refusal.status, refusal.outcome)


def _oauth_success(data: dict[str, Any] | None, _: str) -> Reply:
    # TikTok docs: the answer of a revoke is empty.
    return Reply(200, b"", JSON, outcome="ok") if data is None else json_reply(data, outcome="ok")


def _oauth_refused(refusal: Refusal, log_id: str, options: Options) -> Reply:
    answer = {
        "error": refusal.outcome,
        "error_description": refusal.text,
        "log_id": log_id,
    }
    return json_reply(answer, options.oauth_error_status, refusal.outcome)


def _v2_success(data: dict[str, Any] | None, log_id: str) -> Reply:
    answer = {"data": data or {}, "error": {"code": "ok", "message": "", "log_id": log_id}}
    return json_reply(answer, outcome="ok")


def _v2_refused(refusal: Refusal, log_id: str, options: Options) -> Reply:
    # TikTok documents two shapes: flat on the error page, nested on the endpoint pages.
    error = {"code": refusal.outcome, "message": refusal.text, "log_id": log_id}
    answer = error if options.flat_errors else {"data": {}, "error": error}
    return json_reply(answer, refusal.status, refusal.outcome)


BUSINESS = Family(
    "business",
    _enveloped,
    _business_refused,
    malformed=lambda text: BusinessRefusal(40002, text),
    busy=lambda: BusinessRefusal(40100),
    broken=lambda: BusinessRefusal(50000),
)
FLAT = Family("flat", _flat, _business_refused, BUSINESS.malformed, BUSINESS.busy, BUSINESS.broken)
OAUTH = Family(
    "oauth",
    _oauth_success,
    _oauth_refused,
    malformed=lambda _: OAuthRefusal("invalid_request", "The request parameters are malformed."),
    busy=lambda: OAuthRefusal("temporarily_unavailable", "Too many requests."),
    broken=lambda: OAuthRefusal("server_error", "Something is wrong. Please try again later."),
)
API_V2 = Family(
    "api_v2",
    _v2_success,
    _v2_refused,
    malformed=lambda text: ApiV2Refusal("invalid_params", text, 400),
    busy=lambda: ApiV2Refusal("rate_limit_exceeded", "The API rate limit was exceeded.", 429),
    broken=lambda: ApiV2Refusal("internal_error", "Something is wrong. Please try again.", 500),
)
