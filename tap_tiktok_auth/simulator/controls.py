"""The controls over HTTP, under ``/_simulator/``, for other processes and the shell."""

from __future__ import annotations

import inspect
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tap_tiktok_auth.simulator.envelopes import Answer, json_answer, json_fields
from tap_tiktok_auth.simulator.model import APIS
from tap_tiktok_auth.simulator.scenarios import KINDS

if TYPE_CHECKING:
    from aiohttp import web

PREFIX = "/_simulator/"

# Operation, which is a method of the simulator: HTTP method, what it does, key of the result.
_OPERATIONS = {
    "calls": ("GET", "the calls so far", None),
    "count": ("GET", "how many", "count"),
    "scenarios": ("GET", "the scenarios that are on", None),
    "stats": ("GET", "simulated time, and codes and refresh tokens taken in", None),
    "app": ("POST", "an app", None),
    "settings": ("POST", "settings with a fresh code", None),
    "authorize": ("POST", "the code that a person's consent would give", "code"),
    "grant": ("POST", "tokens without going through a code", None),
    "scenario": ("POST", "let something go wrong", None),
    "clear_scenarios": ("POST", "switch off", None),
    "clear_calls": ("POST", "forget the calls", None),
    "advance": ("POST", "move the clock forward", None),
    "register_redirect": ("POST", "register one more redirect URI", None),
    "lose_advertiser": ("POST", "take an advertiser out of every grant", "grants"),
    "revoke": ("POST", "withdraw consents as the person would", "grants"),
    "token_state": ("POST", "live, expired, revoked, rotated or unknown", "state"),
    "reset": ("POST", "forget everything", None),
}


class Controls:
    """Answers ``/_simulator/…``: GET with a query, POST with a JSON object.

    It has no password, it is on a loopback port. But a web page in the developer's browser can
    reach that port too: requests of browsers and for other host names are refused.

    Args:
        simulator: What is controlled; its methods are the operations.
    """

    def __init__(self, simulator: object) -> None:
        self._simulator = simulator

    async def answer(self, request: web.Request) -> Answer:
        """Run one operation."""
        if not _is_local(request):
            return _problem(403, "controls are for programs on this machine only")
        name = request.path.removeprefix(PREFIX).rstrip("/")
        if not name and request.method == "GET":
            return json_answer(self._about())
        method, _, key = _OPERATIONS.get(name, ("", "", None))
        if method != request.method:
            return _problem(404, f"no such operation; GET {PREFIX} lists them")
        try:
            fields = dict(request.query.items())
            if method == "POST":
                body = await request.read()
                fields = json_fields(request.content_type, body) if body else {}
            unknown = sorted(set(fields) - set(self._fields(name)))
            if unknown:
                return _problem(400, f"unknown field(s): {', '.join(unknown)}")
            result = getattr(self._simulator, name)(**fields)
        except (TypeError, ValueError) as error:
            return _problem(400, str(error))
        if result is None:
            return json_answer({"done": True})
        return json_answer(_plain(result) if key is None else {key: result})

    def _fields(self, name: str) -> list[str]:
        return list(inspect.signature(getattr(self._simulator, name)).parameters)

    def _about(self) -> dict[str, Any]:
        return {
            "what": "controls of the TikTok simulator; POST takes a JSON object",
            "apis": APIS,
            "operations": {
                f"{method} {PREFIX}{name}": {"about": about, "fields": self._fields(name)}
                for name, (method, about, _) in _OPERATIONS.items()
            },
            "scenarios": {name: about for name, (about, _) in KINDS.items()},
        }


def _plain(result: object) -> object:
    """Return what JSON can carry."""
    if isinstance(result, list):
        return [_plain(item) for item in result]
    return asdict(result) if is_dataclass(result) and not isinstance(result, type) else result


def _is_local(request: web.Request) -> bool:
    try:
        host = urlsplit(f"//{request.headers.get('Host', '')}").hostname
    except ValueError:
        return False
    browser = "Origin" in request.headers or request.headers.get("Sec-Fetch-Site", "none") != "none"
    return host in {"127.0.0.1", "localhost", "::1"} and not browser


def _problem(status: int, text: str) -> Answer:
    return json_answer({"error": text}, status, str(status))
