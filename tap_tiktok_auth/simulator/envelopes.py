"""How requests come to an endpoint, and how TikTok wraps answers and refusals."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_tiktok_auth.simulator.model import Model

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"

# TikTok docs: Appendix, return codes (1737172488964097); the two texts of 40100 and those of
# 40104 and 40105 are as seen in real answers.
MESSAGES = {
    0: "OK",
    40000: "The parameters provided are invalid.",
    40001: "No permission to perform the related operation.",
    40002: "Missing required field(s): {fields}.",
    40006: "no schema found",
    40008: "The endpoint is not supported in the sandbox environment.",
    40011: "Too many ids in one request.",
    40100: "Due to too many requests, requests from App are temporarily restricted.",
    40101: "Secret and app ID do not match. The authorization code is invalid.",
    40102: "Access token has expired.",
    40103: "Refresh token has expired.",
    40104: "Access token is null, you should set it in http header with key Access-Token.",
    40105: "Access token is incorrect or has been revoked.",
    40107: "Invalid refresh token.",
    40108: "Invalid value for grant_type: {grant_type} is not supported.",
    40110: "The auth_code is canceled. Please re-authorize and try again with a new auth_code.",
    40113: (
        "The app_id is inconsistent with the token's app information. "
        "Please retry after correcting it."
    ),
    40115: "The authentication timestamp has expired.",
    40131: "Authorization code is expired",
    50000: "System error",
}


class Malformed(ValueError):
    """A body that is not what the endpoint takes. The text is for the client."""


class Refusal(Exception):
    """An answer that is not a success.

    Args:
        code: Number of the API for Business, or error name of Login Kit.
        text: The message for the client; a number has its own by default.
        status: The HTTP status.
    """

    def __init__(self, code: int | str, text: str | None = None, status: int = 200) -> None:
        self.code = code
        self.text = MESSAGES[int(code)] if text is None else text
        self.status = status
        super().__init__(self.text)


@dataclass
class ApiRequest:
    """A request to TikTok: how it came, and what is found out about it.

    Attributes:
        at: Simulated time of arrival, epoch seconds.
        request_id: TikTok's name for it.
        path: The path as it was sent.
        access_token: The ``Access-Token`` header.
        bearer: The token of ``Authorization: Bearer``.
        action: What the endpoint does.
        fields: Fields of the JSON object, form or query.
        scenarios: Names of the scenarios that touched it.
    """

    at: float
    request_id: str
    path: str
    body: bytes = field(repr=False)
    access_token: str | None = field(repr=False)
    bearer: str | None = field(repr=False)
    action: str = "unknown"
    fields: dict[str, Any] = field(default_factory=dict, repr=False)
    scenarios: list[str] = field(default_factory=list)

    def text(self, name: str) -> str:
        """Return a field that is there."""
        return str(self.fields[name])


def json_fields(content_type: str, body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body.

    Raises:
        Malformed: If the content type or the body is something else.
    """
    if content_type != JSON:
        raise Malformed(f"The Content-Type must be {JSON}.")
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise Malformed("The request body must be a JSON object.")
    return fields


def form_fields(content_type: str, body: bytes) -> list[tuple[str, str]]:
    """Return the fields of a form.

    Raises:
        Malformed: If the content type or the body is something else.
    """
    if content_type != FORM:
        raise Malformed(f"The Content-Type must be {FORM}.")
    try:
        text = body.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
    except ValueError:
        raise Malformed("The request body is not a form.") from None


def same_text(left: str, right: str) -> bool:
    """Compare two secrets in constant time."""
    # JSON can carry half a surrogate pair, which UTF-8 alone cannot encode.
    pair = [text.encode(errors="surrogatepass") for text in (left, right)]
    return hmac.compare_digest(*pair)


class Answer(web.Response):
    """A response of TikTok.

    Attributes:
        outcome: What the call list notes.
        delivery: ``send``; ``drop`` closes the connection instead; ``hang`` keeps it open in
            silence.
        delay: Seconds until then.
    """

    def __init__(
        self,
        status: int,
        body: bytes,
        content_type: str,
        outcome: str,
        headers: Mapping[str, str] = MappingProxyType({}),
        delivery: str = "send",
    ) -> None:
        super().__init__(
            status=status, body=body, headers={"Content-Type": content_type, **headers}
        )
        self.outcome = outcome
        self.delivery = delivery
        self.delay = 0.0


def json_answer(document: object, status: int = 200, outcome: str = "0") -> Answer:
    """Return *document* as a JSON answer."""
    body = json.dumps(document, separators=(",", ":")).encode()
    return Answer(status, body, JSON, outcome)


@dataclass(frozen=True, eq=False)
class Envelope:
    """How one family of endpoints wraps what it says.

    Attributes:
        success: Wraps data and request id.
        refused: Wraps a refusal and request id.
        malformed: Makes a refusal of the reason why a body cannot be read.
        busy: Code, text and status of the refusal for too many requests.
        broken: The same for a system error.
    """

    success: Callable[[dict[str, Any] | None, str], Answer]
    refused: Callable[[Refusal, str, Model], Answer]
    malformed: Callable[[str], Refusal]
    busy: tuple[int] | tuple[str, str] | tuple[str, str, int]
    broken: tuple[int] | tuple[str, str] | tuple[str, str, int]


def _enveloped(data: dict[str, Any] | None, request_id: str) -> Answer:
    return _flat({"data": data or {}}, request_id)


def _flat(data: dict[str, Any] | None, request_id: str) -> Answer:
    return json_answer(
        {"code": 0, "message": MESSAGES[0], "request_id": request_id, **(data or {})}
    )


def _business_refused(refusal: Refusal, request_id: str, _: Model) -> Answer:
    answer: dict[str, Any] = {
        "code": refusal.code,
        "message": refusal.text,
        "request_id": request_id,
    }
    if refusal.code != 40002:  # seen without the key, the others with it
        answer["data"] = {}
    return json_answer(answer, refusal.status, str(refusal.code))


def _oauth_success(data: dict[str, Any] | None, _: str) -> Answer:
    # TikTok docs: the answer of a revoke is empty.
    return Answer(200, b"", JSON, "ok") if data is None else json_answer(data, outcome="ok")


def _oauth_refused(refusal: Refusal, log_id: str, model: Model) -> Answer:
    answer = {"error": refusal.code, "error_description": refusal.text, "log_id": log_id}
    return json_answer(answer, model.oauth_error_status, str(refusal.code))


def _v2_success(data: dict[str, Any] | None, log_id: str) -> Answer:
    answer = {"data": data or {}, "error": {"code": "ok", "message": "", "log_id": log_id}}
    return json_answer(answer, outcome="ok")


def _v2_refused(refusal: Refusal, log_id: str, model: Model) -> Answer:
    # TikTok documents two shapes: flat on the error page, nested on the endpoint pages.
    error = {"code": refusal.code, "message": refusal.text, "log_id": log_id}
    answer = error if model.flat_errors else {"data": {}, "error": error}
    return json_answer(answer, refusal.status, str(refusal.code))


BUSINESS = Envelope(
    _enveloped, _business_refused, lambda text: Refusal(40002, text), (40100,), (50000,)
)
FLAT = Envelope(_flat, _business_refused, BUSINESS.malformed, BUSINESS.busy, BUSINESS.broken)
# TikTok docs: OAuth error codes of TikTok for Developers. TikTok answers some of them with 200.
OAUTH = Envelope(
    _oauth_success,
    _oauth_refused,
    lambda _: Refusal("invalid_request", "The request parameters are malformed."),
    busy=("temporarily_unavailable", "Too many requests."),
    broken=("server_error", "Something is wrong. Please try again later."),
)
# TikTok docs: TikTok API v2 error handling.
API_V2 = Envelope(
    _v2_success,
    _v2_refused,
    lambda text: Refusal("invalid_params", text, 400),
    busy=("rate_limit_exceeded", "The API rate limit was exceeded.", 429),
    broken=("internal_error", "Something is wrong. Please try again.", 500),
)
