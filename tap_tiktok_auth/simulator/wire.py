"""Requests and replies as plain data, so that the simulated TikTok needs no network."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"


class Malformed(Exception):
    """A body that is not what the endpoint takes. The text is for the client."""


@dataclass(frozen=True)
class Request:
    """One HTTP request.

    Attributes:
        method: Upper case.
        path: As sent, without the query.
        query: As sent, without the question mark.
        headers: Names in lower case.
        body: The raw body.
    """

    method: str
    path: str
    query: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def content_type(self) -> str:
        """Return the media type of the body, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def bearer(self) -> str | None:
        """Return the token of ``Authorization: Bearer``."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme == "Bearer" and token else None

    def query_fields(self) -> dict[str, Any]:
        """Return the query's fields; of a repeated one the last."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def json_fields(self) -> dict[str, Any]:
        """Return the JSON object of the body.

        Raises:
            Malformed: If the content type or the body is something else.
        """
        if self.content_type() != JSON:
            raise Malformed(f"The Content-Type must be {JSON}.")
        try:
            fields = json.loads(self.body)
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict):
            raise Malformed("The request body must be a JSON object.")
        return fields

    def form_fields(self) -> dict[str, Any]:
        """Return the fields of the form in the body.

        Raises:
            Malformed: If the content type or the body is something else.
        """
        if self.content_type() != FORM:
            raise Malformed(f"The Content-Type must be {FORM}.")
        try:
            text = self.body.decode("ascii")
            return dict(parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text)))
        except ValueError:
            raise Malformed("The request body is not a form.") from None


@dataclass(frozen=True)
class Reply:
    """One HTTP reply, and what the transport shall do with it.

    Attributes:
        status: HTTP status.
        body: The raw body.
        content_type: Its media type.
        headers: Further headers.
        outcome: What the call list notes.
        delay: Seconds to wait before answering.
        transport: ``send``; ``close`` drops the connection; ``hang`` keeps it open in silence.
    """

    status: int = 200
    body: bytes = field(default=b"", repr=False)
    content_type: str = TEXT
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    outcome: str = ""
    delay: float = 0.0
    transport: str = "send"


def json_reply(document: object, status: int = 200, outcome: str = "0") -> Reply:
    """Return *document* as a JSON reply."""
    body = json.dumps(document, separators=(",", ":")).encode()
    return Reply(status, body, JSON, outcome=outcome)


def not_found() -> Reply:
    """Return what TikTok's gateway says to a wrong path or method: plain text, not JSON."""
    return Reply(404, b"404 page not found", TEXT, outcome="404")
