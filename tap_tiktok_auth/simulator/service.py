"""The simulated TikTok: from a request to a reply, without a network."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.simulator.calls import Call, hashes_of
from tap_tiktok_auth.simulator.consent import ConsentDesk
from tap_tiktok_auth.simulator.endpoints.table import ENDPOINTS, V2, Endpoint, action_of
from tap_tiktok_auth.simulator.errors import BusinessRefusal, Refusal
from tap_tiktok_auth.simulator.families import API_V2, BUSINESS, FLAT
from tap_tiktok_auth.simulator.incoming import Incoming
from tap_tiktok_auth.simulator.wire import HTML, TEXT, Malformed, Reply, Request, not_found

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_tiktok_auth.simulator.scenarios import Scenario
    from tap_tiktok_auth.simulator.state import State

_GARBAGE = b"<!DOCTYPE html><html><body><h1>Welcome</h1></body></html>"
_BAD_GATEWAY = b"<html><head><title>502 Bad Gateway</title></head><body>502</body></html>"
# Scenarios that answer instead of TikTok, and those that spoil its answer.
_INSTEAD = {
    "drop_before": Reply(0, outcome="dropped", transport="close"),
    "http_500": Reply(500, b"Internal Server Error", TEXT, outcome="500"),
    "http_502": Reply(502, _BAD_GATEWAY, HTML, outcome="502"),
}
_AFTERWARDS: dict[str, Callable[[Reply], Reply]] = {
    "drop_reply": lambda reply: replace(reply, transport="close"),
    "hang": lambda reply: replace(reply, transport="hang"),
    "garbage": lambda reply: replace(reply, status=200, body=_GARBAGE, content_type=HTML),
    "truncated": lambda reply: replace(reply, body=reply.body[: len(reply.body) // 2]),
    "empty": lambda reply: replace(reply, body=b""),
}
_ACCOUNT_PATHS = ("/tt_user/", "/business/get/")


@dataclass
class _Visit:
    """What is found out about a request while it is served."""

    action: str = "unknown"
    fields: dict[str, Any] = field(default_factory=dict)
    malformed: str | None = None
    scenarios: list[str] = field(default_factory=list)


class Service:
    """Answers requests.

    Args:
        state: What TikTok knows.
        latency: Seconds that every answer takes.
    """

    def __init__(self, state: State, latency: float = 0.0) -> None:
        self.state = state
        self._latency = latency
        self._routes = {endpoint.path: endpoint for endpoint in ENDPOINTS}
        self._desk = ConsentDesk(state)

    def answer(self, request: Request) -> Reply:
        """Process a request and note it in the call list."""
        visit = _Visit()
        at = self.state.clock.now()
        request_id = self.state.mint.request_id(at)
        endpoint = self._routes.get(request.path)
        if self._desk.serves(request.path):
            visit.action = "consent"
            visit.fields = request.query_fields()
            reply = self._desk.answer(request)
        elif endpoint is None or endpoint.method != request.method:
            reply = self._no_such_endpoint(request, request_id)
        else:
            self._read(endpoint, request, visit)
            reply = self._disturbed(endpoint, request, request_id, visit)
        slow = self._take("latency", request, visit)
        delay = self._latency + (0.0 if slow is None else (slow.value or 0.0) / 1000)
        self._note(request, visit, reply, at)
        date = formatdate(at, usegmt=True)
        headers = {**reply.headers, "X-TT-LOGID": request_id, "Date": date}
        return replace(reply, delay=delay, headers=headers)

    def _no_such_endpoint(self, request: Request, request_id: str) -> Reply:
        # Seen live: an unknown v2.0 path is HTTP 403 with 40006, but tt_user at v2.0 is a 404.
        known = request.path in self._routes or f"{request.path}/" in self._routes
        if request.path.startswith(f"{V2}/") and "/tt_user/" not in request.path and not known:
            refusal = BusinessRefusal(40006, status=403)
            return BUSINESS.refused(refusal, request_id, self.state.options)
        return not_found()

    def _disturbed(
        self, endpoint: Endpoint, request: Request, request_id: str, visit: _Visit
    ) -> Reply:
        for name, instead in _INSTEAD.items():
            if self._take(name, request, visit) is not None:
                return instead
        reply = self._processed(endpoint, request, request_id, visit)
        for name, spoil in _AFTERWARDS.items():
            if self._take(name, request, visit) is not None:
                return spoil(reply)
        return reply

    def _processed(
        self, endpoint: Endpoint, request: Request, request_id: str, visit: _Visit
    ) -> Reply:
        family = endpoint.family
        try:
            self._check_load(endpoint, request, visit)
            access_token = request.headers.get("access-token")
            call = Incoming(
                request.path, visit.action, visit.fields, access_token, request.bearer()
            )
            self._withdraw(call, request, visit)
            if visit.malformed is not None:
                raise family.malformed(visit.malformed)
            return family.success(endpoint.handler(self.state, call), request_id)
        except Refusal as refusal:
            return family.refused(refusal, request_id, self.state.options)

    def _read(self, endpoint: Endpoint, request: Request, visit: _Visit) -> None:
        readers = {"json": request.json_fields, "form": request.form_fields}
        try:
            visit.fields = readers.get(endpoint.fields, request.query_fields)()
        except Malformed as malformed:
            visit.malformed = str(malformed)
        visit.action = action_of(endpoint, visit.fields)

    def _check_load(self, endpoint: Endpoint, request: Request, visit: _Visit) -> None:
        if self._take("rate_limited", request, visit) is not None:
            raise endpoint.family.busy()
        if self._take("system_error", request, visit) is not None:
            raise endpoint.family.broken()
        now = self.state.clock.now()
        app_id, subject = self._caller(request, visit)
        if endpoint.family is API_V2:
            allowed = self.state.throttle.allows_login_kit(app_id, now)
        elif endpoint.family in {BUSINESS, FLAT}:
            account = subject if any(part in request.path for part in _ACCOUNT_PATHS) else None
            throttle = self.state.throttle
            allowed = throttle.allows_business(app_id, request.path, account, now)
        else:
            allowed = True  # TikTok documents no limit for /v2/oauth/
        if not allowed:
            raise endpoint.family.busy()

    def _withdraw(self, call: Incoming, request: Request, visit: _Visit) -> None:
        sent = [call.access_token, call.bearer, call.fields.get("access_token")]
        sent += [call.fields.get("refresh_token"), call.fields.get("token")]
        for value in sent:
            held = self.state.ledger.token(value) if isinstance(value, str) else None
            if held is None or held.grant is None:
                continue
            if self._take("revoked", request, visit) is not None:
                held.grant.revoked = True
            return

    def _caller(self, request: Request, visit: _Visit) -> tuple[str, str]:
        """Return the app and the person that a request speaks for, as far as it tells."""
        token = request.headers.get("access-token") or request.bearer()
        sent = visit.fields.get("access_token") or visit.fields.get("refresh_token") or token
        held = self.state.ledger.token(str(sent))
        app_id = "" if held is None else held.app_id
        for name in ("app_id", "client_id", "client_key"):
            app_id = str(visit.fields.get(name) or app_id)
        subject = "" if held is None or held.grant is None else held.grant.subject
        return app_id, subject

    def _take(self, name: str, request: Request, visit: _Visit) -> Scenario | None:
        scenario = self.state.scenarios.take(name, request.path)
        if scenario is not None:
            visit.scenarios.append(name)
        return scenario

    def _note(self, request: Request, visit: _Visit, reply: Reply, at: float) -> None:
        headers = {
            "Access-Token": request.headers.get("access-token"),
            "Authorization": request.bearer(),
        }
        self.state.calls.add(
            Call(
                number=self.state.calls.next_number(),
                at=at,
                method=request.method,
                path=request.path,
                action=visit.action,
                fields=tuple(sorted(visit.fields)),
                hashes=hashes_of(visit.fields, headers),
                app_id=self._caller(request, visit)[0],
                outcome=reply.outcome,
                status=reply.status if reply.transport == "send" else 0,
                scenarios=tuple(visit.scenarios),
            )
        )
