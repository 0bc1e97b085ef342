"""What `exec` can put into an environment variable."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.credentials.checks import check
from tap_tiktok_auth.errors import ConfigurationError
from tap_tiktok_auth.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_tiktok_auth.credentials.manager import Credentials, TokenManager


@dataclass(frozen=True)
class Facts:
    """What is known of a token.

    Attributes:
        held: The token.
        advertiser_ids: The ad accounts that it grants access to; None if it is no token of
            the Marketing API, or if nobody wants to know.
    """

    held: Credentials
    advertiser_ids: tuple[str, ...] | None = None


#: The fields: what each gives, and how. None where a connection has no such thing.
FIELDS: dict[str, tuple[str, Callable[[Facts], str | None]]] = {
    "access_token": ("the access token", lambda f: f.held.token.access_token),
    "advertiser_ids": (
        "marketing: the ad accounts, comma separated",
        lambda f: None if f.advertiser_ids is None else ",".join(f.advertiser_ids),
    ),
    "advertiser_ids_json": (
        "marketing: the ad accounts, as a JSON list",
        lambda f: None if f.advertiser_ids is None else json.dumps(f.advertiser_ids),
    ),
    "connection": ("the connection's name", lambda f: f.held.connection.name),
    "api": ("TikTok's token system", lambda f: f.held.stored.api),
    "app_id": ("the app id; for Login Kit the client key", lambda f: f.held.stored.app_id or None),
    "open_id": (
        "whom the token speaks for: open id, creator id; marketing has none",
        lambda f: f.held.stored.subject_id,
    ),
    "subject_id": ("the same, as the streams name it", lambda f: f.held.stored.subject_id),
    "scopes": (
        "the scopes, comma separated",
        lambda f: ",".join(f.held.stored.scopes or ()) or None,
    ),
    "expires_at": (
        "when the access token ends, RFC 3339; long-term tokens have no end",
        lambda f: rfc3339(f.held.token.expires_at),
    ),
}

_NEED_ADVERTISERS = {"advertiser_ids", "advertiser_ids_json"}


def variables(manager: TokenManager, held: Credentials, wanted: dict[str, str]) -> dict[str, str]:
    """Return environment variables with facts of a token.

    Args:
        manager: Asked for the ad accounts if they are wanted.
        held: The token.
        wanted: The field of each variable.

    Raises:
        TikTokAuthError: The connection has no such thing, or TikTok was asked and refused.
    """
    facts = Facts(held)
    if APIS[held.stored.api].has_advertisers and _NEED_ADVERTISERS & set(wanted.values()):
        facts = Facts(held, advertiser_ids(manager, held))
    found = {}
    for variable, field in wanted.items():
        value = FIELDS[field][1](facts)
        if value is None:
            raise ConfigurationError(f"it has no {field}").of(held.connection.name)
        found[variable] = value
    return found


def advertiser_ids(manager: TokenManager, held: Credentials) -> tuple[str, ...]:
    """Return the ad accounts of a Marketing token; asks TikTok if none was seen yet.

    Raises:
        TikTokAuthError: TikTok was asked and refused.
    """
    if held.connection.advertiser_ids:
        return held.connection.advertiser_ids
    seen = list(manager.store.advertisers(held.connection.name))
    unconfirmed = held.stored.verified_at is None and not held.stored.refresh_count
    if not seen or unconfirmed:  # what was seen may have been granted by an earlier consent
        report = check(manager, held.connection)
        if report.error is not None:
            raise report.error
        seen = list(manager.store.advertisers(held.connection.name))
    return tuple(one.advertiser_id for one in seen if one.lost_at is None)
