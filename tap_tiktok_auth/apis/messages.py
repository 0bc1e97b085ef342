"""What goes to TikTok and what comes back, before and after any meaning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_tiktok_auth.apis.return_codes import Purpose


@dataclass(frozen=True)
class Request:
    """One HTTP request, ready to be sent.

    Attributes:
        purpose: What it is for; decides how a refusal is understood.
        method: The HTTP method.
        url: Address without query.
        app_id: The app whose rate limit it counts against.
        headers: Headers beside the usual ones; may hold a token.
        params: The query; may hold the app secret.
        json: The JSON body; holds secrets.
        form: The form body; holds secrets.
        spends: Whether it carries a credential that works once. Such a request is never sent
            again unless it surely was not carried out.
        secrets: The secret values in it, for redaction.
    """

    purpose: Purpose
    method: Literal["GET", "POST", "HEAD"]
    url: str
    app_id: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] | None = field(default=None, repr=False)
    json: Mapping[str, Any] | None = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    spends: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Response:
    """An answer as it came.

    Attributes:
        request: The request that it answers.
        status: The HTTP status.
        body: The body, at most as large as the client allows; may hold tokens.
        sent_at: When the request was sent, seconds since the epoch.
        retry_after: Seconds to wait, if the answer says so. (TikTok sends none so far.)
        date: The time of day at the host, as HTTP writes it; empty if the answer does not say.
    """

    request: Request
    status: int
    body: bytes = field(repr=False)
    sent_at: float = 0.0
    retry_after: float | None = None
    date: str = ""
