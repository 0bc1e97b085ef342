"""What an endpoint sees of a request, and the checks that all endpoints of a kind share."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.simulator.errors import BusinessRefusal, missing
from tap_tiktok_auth.simulator.grants import PAGE_OF

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_tiktok_auth.simulator.apps import App
    from tap_tiktok_auth.simulator.grants import Grant
    from tap_tiktok_auth.simulator.state import State


@dataclass(frozen=True)
class Incoming:
    """A request that was routed to an endpoint and whose fields were read.

    Attributes:
        path: The path.
        action: What the endpoint does.
        fields: Fields of the JSON object, form or query.
        access_token: The ``Access-Token`` header.
        bearer: The token of ``Authorization: Bearer``.
    """

    path: str
    action: str
    fields: Mapping[str, Any] = field(repr=False)
    access_token: str | None = field(default=None, repr=False)
    bearer: str | None = field(default=None, repr=False)

    def text(self, name: str) -> str:
        """Return a field that was checked by ``require``."""
        return str(self.fields[name])


def require(call: Incoming, *names: str) -> None:
    """Check that fields are there, not empty, and strings.

    Raises:
        BusinessRefusal: 40002, naming the fields.
    """
    absent = [name for name in names if call.fields.get(name) in (None, "")]
    if absent:
        raise missing(*absent)
    for name in names:
        if not isinstance(call.fields[name], str):
            raise BusinessRefusal(40002, f"{name}: Not a valid string.")


def flag(call: Incoming, name: str, *, default: bool) -> bool:
    """Return an optional boolean field.

    Raises:
        BusinessRefusal: 40002, if it is something else.
    """
    value = call.fields.get(name, default)
    if not isinstance(value, bool):
        raise BusinessRefusal(40002, f"{name}: Not a valid boolean.")
    return value


def string_list(call: Incoming, name: str) -> list[str] | None:
    """Return a query field that holds a JSON list of strings, or ``None`` if it is absent.

    Raises:
        BusinessRefusal: 40002, if it is something else.
    """
    if call.fields.get(name) in (None, ""):
        return None
    try:
        values = json.loads(call.fields[name])
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise BusinessRefusal(40002, f"{name}: Not a valid list of strings.")
    return values


def same(left: str, right: str) -> bool:
    """Compare two secrets in constant time."""
    # JSON can carry half a surrogate pair, which UTF-8 alone cannot encode.
    pair = [text.encode(errors="surrogatepass") for text in (left, right)]
    return hmac.compare_digest(*pair)


def business_app(state: State, call: Incoming, id_field: str, secret_field: str | None) -> App:
    """Return the app that a request names, once its secret is checked.

    Raises:
        BusinessRefusal: 40113 if there is no such app, 40101 if the secret is another one.
    """
    app = state.apps.by_id(call.text(id_field))
    if app is None or app.platform != "business":
        raise BusinessRefusal(40113)
    if secret_field is not None and not same(app.secret, call.text(secret_field)):
        raise BusinessRefusal(40101)
    return app


def business_token(state: State, value: str | None, *pages: str, app: App | None = None) -> Grant:
    """Return the grant behind a live access token.

    Args:
        state: The simulated TikTok.
        value: The token as sent.
        pages: Consent pages whose tokens this endpoint takes.
        app: The app that the request names, if it names one.

    Raises:
        BusinessRefusal: 40104 without a token, 40102 if it has expired, 40105 if it is unknown or
            revoked, 40001 if it is of another kind of consent, 40113 if it is another app's.
    """
    if not value:
        raise BusinessRefusal(40104)
    token = state.ledger.token(value)
    grant = None if token is None else token.grant
    if token is None or grant is None or token.kind != "access" or grant.api == "login_kit":
        raise BusinessRefusal(40105)
    condition = token.state(state.clock.now())
    if condition == "expired":
        raise BusinessRefusal(40102)
    if condition != "live":
        raise BusinessRefusal(40105)
    if PAGE_OF[grant.api] not in pages:
        raise BusinessRefusal(40001)
    if app is not None and grant.app_id != app.app_id:
        raise BusinessRefusal(40113)
    return grant
