"""The controls over HTTP, under ``/_simulator/``, for other processes and the shell."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tap_tiktok_auth.simulator.grants import APIS
from tap_tiktok_auth.simulator.scenarios import KINDS
from tap_tiktok_auth.simulator.wire import Malformed, Reply, Request, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_tiktok_auth.simulator.controls import Controls

PREFIX = "/_simulator/"

_FILTERS = ("action", "path", "outcome")
_CHOICES = ("api", "name", "scopes", "advertisers", "subject")


@dataclass(frozen=True)
class _Operation:
    method: str
    fields: tuple[str, ...]
    about: str
    run: Callable[..., Any]


class Remote:
    """Answers ``/_simulator/…``: GET with a query, POST with a JSON object.

    It has no password, it is on a loopback port. But a web page in the developer's browser can
    reach that port too: requests of browsers and for other host names are refused.

    Args:
        controls: What is controlled.
    """

    def __init__(self, controls: Controls) -> None:
        self._operations = _operations(controls)

    def answer(self, request: Request) -> Reply:
        """Run one operation."""
        if not _is_local(request):
            return _problem(403, "controls are for programs on this machine only")
        name = request.path.removeprefix(PREFIX).rstrip("/")
        if not name and request.method == "GET":
            return json_reply(self._about())
        operation = self._operations.get(name)
        if operation is None or operation.method != request.method:
            return _problem(404, f"no such operation; GET {PREFIX} lists them")
        try:
            get = request.method == "GET"
            fields = request.query_fields() if get else self._body(request)
            unknown = sorted(set(fields) - set(operation.fields))
            if unknown:
                return _problem(400, f"unknown field(s): {', '.join(unknown)}")
            return json_reply(operation.run(**fields))
        except (Malformed, TypeError, ValueError) as error:
            return _problem(400, str(error))

    def _body(self, request: Request) -> dict[str, Any]:
        return request.json_fields() if request.body else {}

    def _about(self) -> dict[str, Any]:
        return {
            "what": "controls of the TikTok simulator; POST takes a JSON object",
            "apis": APIS,
            "operations": {
                f"{operation.method} {PREFIX}{name}": {
                    "about": operation.about,
                    "fields": operation.fields,
                }
                for name, operation in self._operations.items()
            },
            "scenarios": {name: about for name, (about, _) in KINDS.items()},
        }


def _operations(controls: Controls) -> dict[str, _Operation]:
    def done(run: Callable[..., None]) -> Callable[..., dict[str, bool]]:
        def operation(**fields: Any) -> dict[str, bool]:  # noqa: ANN401 - fields of a JSON object
            run(**fields)
            return {"done": True}

        return operation

    def calls(**fields: str) -> list[dict[str, Any]]:
        return [call.as_json() for call in controls.calls(**fields)]

    def scenarios() -> list[dict[str, Any]]:
        return [scenario.as_json() for scenario in controls.scenarios()]

    def stats() -> dict[str, Any]:
        return {"now": controls.now(), "tokens_spent": controls.tokens_spent}

    table: dict[str, tuple[str, tuple[str, ...], str, Callable[..., Any]]] = {
        "calls": ("GET", _FILTERS, "the calls so far", calls),
        "count": ("GET", _FILTERS, "how many", lambda **f: {"count": controls.count(**f)}),
        "scenarios": ("GET", (), "the scenarios that are on", scenarios),
        "stats": ("GET", (), "simulated time, and codes and refresh tokens taken in", stats),
        "app": ("POST", ("api", "name"), "an app", lambda **f: asdict(controls.app(**f))),
        "settings": ("POST", ("api", "name"), "settings with a fresh code", controls.settings),
        "authorize": (
            "POST",
            (*_CHOICES, "redirect_uri", "code_challenge"),
            "the code that a person's consent would give",
            lambda **f: {"code": controls.authorize(**f)},
        ),
        "grant": (
            "POST",
            (*_CHOICES, "age", "long_term"),
            "tokens without going through a code",
            lambda **f: asdict(controls.grant(**f)),
        ),
        "scenario": (
            "POST",
            ("name", "value", "times", "path"),
            "let something go wrong",
            done(controls.scenario),
        ),
        "clear_scenarios": ("POST", ("name",), "switch off", done(controls.clear_scenarios)),
        "clear_calls": ("POST", (), "forget the calls", done(controls.clear_calls)),
        "advance": ("POST", ("seconds",), "move the clock forward", done(controls.advance)),
        "register_redirect": (
            "POST",
            ("api", "redirect_uri", "name"),
            "register one more redirect URI",
            done(controls.register_redirect),
        ),
        "lose_advertiser": (
            "POST",
            ("advertiser_id",),
            "take an advertiser out of every grant",
            lambda **f: {"grants": controls.lose_advertiser(**f)},
        ),
        "revoke": (
            "POST",
            ("token_or_subject",),
            "withdraw consents as the person would",
            lambda **f: {"grants": controls.revoke(**f)},
        ),
        "token_state": (
            "POST",
            ("token",),
            "live, expired, revoked, rotated or unknown",
            lambda **f: {"state": controls.token_state(**f)},
        ),
        "reset": ("POST", (), "forget everything", done(controls.reset)),
    }
    return {name: _Operation(*row) for name, row in table.items()}


def _is_local(request: Request) -> bool:
    try:
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname
    except ValueError:
        return False
    browser = "origin" in request.headers or request.headers.get("sec-fetch-site", "none") != "none"
    return host in {"127.0.0.1", "localhost", "::1"} and not browser


def _problem(status: int, text: str) -> Reply:
    return json_reply({"error": text}, status, str(status))
