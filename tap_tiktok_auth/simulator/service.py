"""The simulated TikTok over HTTP: its endpoints, and what the scenarios do to requests."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache, partial
from itertools import product
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tap_tiktok_auth.simulator import business, consent, login_kit
from tap_tiktok_auth.simulator.business import V1, V2
from tap_tiktok_auth.simulator.consent import AUTHORIZE_PATH, PORTAL_PATH
from tap_tiktok_auth.simulator.controls import PREFIX
from tap_tiktok_auth.simulator.envelopes import (
    API_V2,
    BUSINESS,
    FLAT,
    HTML,
    OAUTH,
    TEXT,
    Answer,
    ApiRequest,
    Envelope,
    Malformed,
    Refusal,
    form_fields,
    json_fields,
)
from tap_tiktok_auth.simulator.model import Call, short_hash

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from aiohttp.typedefs import Handler

    from tap_tiktok_auth.simulator.controls import Controls
    from tap_tiktok_auth.simulator.model import Credential, Model
    from tap_tiktok_auth.simulator.scenarios import Scenario

_SECRETS = "access_token auth_code client_secret code code_verifier refresh_token secret token"
_SECRET_FIELDS = frozenset(_SECRETS.split())
_GARBAGE = b"<!DOCTYPE html><html><body><h1>Welcome</h1></body></html>"
_BAD_GATEWAY = b"<html><head><title>502 Bad Gateway</title></head><body>502</body></html>"


@dataclass(frozen=True)
class Endpoint:
    """One endpoint.

    Attributes:
        method: The only HTTP method that it takes.
        path: Its path, with the trailing slash.
        action: Its name in the call list.
        handler: Does the work; returns the data of the answer.
        envelope: How answers and refusals are wrapped.
    """

    method: str
    path: str
    action: str
    handler: Callable[[Model, ApiRequest], dict[str, Any] | None]
    envelope: Envelope = BUSINESS

    @property
    def fields(self) -> str:
        """Where its fields are: ``query``, ``form`` or ``json``."""
        if self.method == "GET":
            return "query"
        return "form" if self.envelope in {FLAT, OAUTH} else "json"


ENDPOINTS = (
    Endpoint("POST", f"{V1}/oauth2/access_token/", "exchange", business.access_token),
    Endpoint("POST", f"{V2}/oauth2/access_token/", "exchange", business.access_token),
    Endpoint("POST", f"{V1}/oauth/token/", "exchange", business.oauth_token, FLAT),
    Endpoint("POST", f"{V1}/oauth2/refresh_token/", "refresh", business.refresh_token_deprecated),
    Endpoint("POST", f"{V2}/oauth2/refresh_token/", "refresh", business.refresh_token_v2),
    Endpoint("POST", f"{V1}/oauth2/revoke_token/", "revoke", business.revoke_token),
    Endpoint("POST", f"{V2}/oauth2/revoke_token/", "revoke", business.revoke_token),
    Endpoint("GET", f"{V1}/oauth2/advertiser/get/", "advertisers", business.advertisers),
    Endpoint("GET", f"{V2}/oauth2/advertiser/get/", "advertisers", business.advertisers),
    Endpoint("GET", f"{V1}/advertiser/info/", "advertiser_info", business.advertiser_info),
    Endpoint("GET", f"{V2}/advertiser/info/", "advertiser_info", business.advertiser_info),
    Endpoint("GET", f"{V1}/user/info/", "user_info", business.user_info),
    Endpoint("GET", f"{V2}/user/info/", "user_info", business.user_info),
    Endpoint("GET", f"{V1}/tto/oauth2/tcm/", "tcm_accounts", business.brand_accounts),
    Endpoint("GET", f"{V1}/tto/oauth2/info/", "tcm_account_info", business.brand_account_info),
    Endpoint("POST", f"{V1}/tt_user/oauth2/token/", "exchange", business.account_token),
    Endpoint("POST", f"{V1}/tt_user/oauth2/refresh_token/", "refresh", business.account_refresh),
    Endpoint("POST", f"{V1}/tt_user/oauth2/revoke/", "revoke", business.account_revoke),
    Endpoint("POST", f"{V1}/tt_user/token_info/get/", "token_info", business.token_info),
    Endpoint("GET", f"{V1}/business/get/", "account", business.business_get),
    Endpoint("GET", f"{V1}/tto/creator/authorized/", "creator", business.creator_authorized),
    Endpoint("POST", "/v2/oauth/token/", "exchange", login_kit.token, OAUTH),
    Endpoint("POST", "/v2/oauth/revoke/", "revoke", login_kit.revoke, OAUTH),
    Endpoint("GET", "/v2/user/info/", "user_info", login_kit.user_info, API_V2),
)
# One path of Login Kit serves three grants.
_ACTIONS = {"refresh_token": "refresh", "client_credentials": "client_token"}


class Service:
    """Serves TikTok's endpoints, the consent pages and the controls.

    Args:
        model: What TikTok knows.
        controls: Answers what is under ``/_simulator/``.
    """

    def __init__(self, model: Model, controls: Controls) -> None:
        self._model = model
        self._controls = controls

    async def serve(self, listener: socket.socket, stopping: asyncio.Event) -> None:
        """Answer on a port until told to stop."""
        application = web.Application(middlewares=[_deliver])
        add = application.router.add_route
        for endpoint in ENDPOINTS:
            respond = partial(self._endpoint, endpoint)
            add(endpoint.method, endpoint.path, partial(self._handle, respond))
        for path, method in product((PORTAL_PATH, AUTHORIZE_PATH), ("GET", "POST")):
            add(method, path, partial(self._handle, self._consent_page))
        add("*", PREFIX + "{operation:.*}", self._controls.answer)
        add("*", "/{path:(?s:.*)}", partial(self._handle, self._no_such_endpoint))
        # Cancellation lets a reply that hangs end as soon as the client gives up.
        runner = web.AppRunner(
            application, handler_cancellation=True, access_log=None, shutdown_timeout=0.1
        )
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            await stopping.wait()
        finally:
            await runner.cleanup()

    async def _handle(
        self, respond: Callable[[web.Request, ApiRequest], Answer], incoming: web.Request
    ) -> Answer:
        """Answer a request to TikTok, and note it in the call list."""
        body = await incoming.read()
        model = self._model
        with model.lock:
            at = model.now()
            scheme, _, bearer = incoming.headers.get("Authorization", "").partition(" ")
            request = ApiRequest(
                at=at,
                request_id=model.ids.request_id(at),
                path=incoming.rel_url.raw_path,
                body=body,
                access_token=incoming.headers.get("Access-Token"),
                bearer=bearer if scheme == "Bearer" and bearer else None,
            )
            answer = respond(incoming, request)
            slow = self._take("latency", request)
            self._note(incoming, request, answer)
        answer.delay = model.latency + (0 if slow is None else (slow.value or 0) / 1000)
        answer.headers["X-TT-LOGID"] = request.request_id
        answer.headers["Date"] = _http_date(int(at))
        return answer

    def _no_such_endpoint(self, _: web.Request, request: ApiRequest) -> Answer:
        # Seen live: an unknown v2.0 path is HTTP 403 with 40006, but tt_user at v2.0 is a 404.
        known = any(endpoint.path in {request.path, f"{request.path}/"} for endpoint in ENDPOINTS)
        if request.path.startswith(f"{V2}/") and "/tt_user/" not in request.path and not known:
            refusal = Refusal(40006, status=403)
            return BUSINESS.refused(refusal, request.request_id, self._model)
        return Answer(404, b"404 page not found", TEXT, "404")

    def _consent_page(self, incoming: web.Request, request: ApiRequest) -> Answer:
        request.action, request.fields = "consent", dict(incoming.query.items())
        if incoming.method == "GET":
            return consent.show(self._model, incoming.path, request.fields)
        return consent.decide(self._model, incoming.content_type, request.body)

    def _endpoint(self, endpoint: Endpoint, incoming: web.Request, request: ApiRequest) -> Answer:
        """Answer a request to an endpoint, as the scenarios have it."""
        malformed = _read(endpoint, incoming, request)
        if self._take("drop_before", request) is not None:
            return Answer(200, b"", TEXT, "dropped", delivery="drop")
        if self._take("http_500", request) is not None:
            return Answer(500, b"Internal Server Error", TEXT, "500")
        if self._take("http_502", request) is not None:
            return Answer(502, _BAD_GATEWAY, HTML, "502")
        try:
            answer = self._processed(endpoint, request, malformed)
        except Refusal as refusal:
            answer = endpoint.envelope.refused(refusal, request.request_id, self._model)
        for name, delivery in (("drop_reply", "drop"), ("hang", "hang")):
            if self._take(name, request) is not None:
                answer.delivery = delivery
        if self._take("garbage", request) is not None:
            answer.set_status(200)
            answer.headers["Content-Type"], answer.body = HTML, _GARBAGE
        if self._take("truncated", request) is not None and isinstance(answer.body, bytes):
            answer.body = answer.body[: len(answer.body) // 2]
        if self._take("empty", request) is not None:
            answer.body = b""
        return answer

    def _processed(self, endpoint: Endpoint, request: ApiRequest, malformed: str | None) -> Answer:
        model, envelope = self._model, endpoint.envelope
        if self._take("rate_limited", request) is not None:
            raise Refusal(*envelope.busy)
        if self._take("system_error", request) is not None:
            raise Refusal(*envelope.broken)
        held = self._token_sent(request)
        grant = None if held is None else held.grant
        subject = "" if grant is None else grant.subject
        if not model.throttle.allows(request.path, _app_id(request, held), subject, request.at):
            raise Refusal(*envelope.busy)
        if grant is not None and self._take("revoked", request) is not None:
            grant.revoked = True
        if malformed is not None:
            raise envelope.malformed(malformed)
        return envelope.success(endpoint.handler(model, request), request.request_id)

    def _take(self, name: str, request: ApiRequest) -> Scenario | None:
        scenario = self._model.take(name, request.path)
        if scenario is not None:
            request.scenarios.append(name)
        return scenario

    def _token_sent(self, request: ApiRequest) -> Credential | None:
        """Return the first token among what was sent."""
        sent = [request.fields.get(name) for name in ("access_token", "refresh_token", "token")]
        for value in (request.access_token, request.bearer, *sent):
            held = self._model.credentials.get(value) if isinstance(value, str) else None
            if held is not None and held.kind != "code":
                return held
        return None

    def _note(self, incoming: web.Request, request: ApiRequest, answer: Answer) -> None:
        secrets = {name: request.fields[name] for name in _SECRET_FIELDS & request.fields.keys()}
        secrets |= {"Access-Token": request.access_token, "Authorization": request.bearer}
        self._model.calls.append(
            Call(
                number=len(self._model.calls) + 1,
                at=request.at,
                method=incoming.method,
                path=request.path,
                action=request.action,
                fields=tuple(sorted(request.fields)),
                hashes={n: short_hash(v) for n, v in secrets.items() if isinstance(v, str)},
                app_id=_app_id(request, self._token_sent(request)),
                outcome=answer.outcome,
                status=answer.status if answer.delivery == "send" else 0,
                scenarios=tuple(request.scenarios),
            )
        )


def _read(endpoint: Endpoint, incoming: web.Request, request: ApiRequest) -> str | None:
    """Read action and fields of a request; return what is wrong with its body."""
    problem = None
    try:
        if endpoint.fields == "json":
            request.fields = json_fields(incoming.content_type, request.body)
        elif endpoint.fields == "form":
            request.fields = dict(form_fields(incoming.content_type, request.body))
        else:
            request.fields = dict(incoming.query.items())
    except Malformed as malformed:
        problem = str(malformed)
    request.action = endpoint.action
    if endpoint.envelope is OAUTH and endpoint.action == "exchange":
        request.action = _ACTIONS.get(str(request.fields.get("grant_type")), endpoint.action)
    return problem


def _app_id(request: ApiRequest, held: Credential | None) -> str:
    """Return the app that a request names, or the one of its token."""
    named = (request.fields.get(name) for name in ("client_key", "client_id", "app_id"))
    return str(next((name for name in named if name), "" if held is None else held.app_id))


@lru_cache(maxsize=1)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)


@web.middleware
async def _deliver(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Send an answer late, or not at all, if a scenario wants it so."""
    response = await handler(request)
    if isinstance(response, Answer):
        if response.delay:
            await asyncio.sleep(response.delay)
        if response.delivery == "hang":
            await asyncio.Event().wait()
        if response.delivery != "send" and request.transport is not None:
            request.transport.abort()
    return response
