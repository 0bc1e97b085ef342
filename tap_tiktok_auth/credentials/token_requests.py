"""What is due for a connection, and asking TikTok for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_tiktok_auth.apis.base import TokenResponse, need_app
from tap_tiktok_auth.credentials import lifecycle
from tap_tiktok_auth.errors import (
    AccessTokenRejected,
    AuthorizationRequired,
    NoAnswer,
    PermissionMissing,
    TryAgainLater,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_tiktok_auth.apis.base import Identity, TokenApi
    from tap_tiktok_auth.config.models import Connection, Seed
    from tap_tiktok_auth.credentials.lifecycle import Action
    from tap_tiktok_auth.credentials.models import EventName, StoredConnection
    from tap_tiktok_auth.credentials.tokens import ObtainedBy
    from tap_tiktok_auth.http.client import Client


@dataclass(frozen=True)
class Renewal:
    """What is due for a connection whose lease is held.

    Attributes:
        connection: The connection, with the app to use.
        record: What was stored when the lease was taken, without the mark of this attempt.
        claimed: The same as the claim stored it, with the mark.
        action: What to ask TikTok for.
        attempt: Key of this attempt.
        holder: The lease's holder.
        seed_hash: Keyed hash of the seed that the new chain belongs to.
        is_login: A person is waiting: a failure leaves everything as it was.
        is_new: The store had no such connection before.
        was_lost: The former holder died before it could store TikTok's answer.
        told: Called with an access token that TikTok confirmed, and with what it said about it.
        approve: Called with the grant of a login; raises if it is not to be kept.
    """

    connection: Connection
    record: StoredConnection
    claimed: StoredConnection
    action: Action
    attempt: str
    holder: str
    seed_hash: str | None
    is_login: bool
    is_new: bool
    was_lost: bool
    approve: Callable[[TokenResponse], None]
    told: Callable[[str, Identity], None] | None = None


@dataclass(frozen=True)
class Answer:
    """What TikTok gave.

    Attributes:
        grant: The tokens.
        sent_at: When they were asked for, seconds since the epoch.
        obtained_by: How the new chain of tokens started; None if the old one goes on.
        event: What to note of it.
    """

    grant: TokenResponse
    sent_at: float
    obtained_by: ObtainedBy | None
    event: EventName


def ask(
    renewal: Renewal,
    client: Client,
    api: TokenApi,
    confirm: Callable[[], None],
    now: Callable[[], float],
) -> Answer:
    """Ask TikTok for what is due.

    Args:
        renewal: What is due.
        client: The HTTP client.
        api: The connection's token system.
        confirm: Called before each sending; raises if nothing may be sent any more.
        now: The clock by which tokens are dated.

    Raises:
        TikTokAuthError: TikTok refuses, or does not answer.
    """
    connection, seed = renewal.connection, renewal.connection.seed
    sent_at = 0.0

    def before_send() -> None:
        nonlocal sent_at
        confirm()
        sent_at = now()

    def refresh(refresh_token: str) -> TokenResponse:
        request = api.refresh(need_app(connection), refresh_token)
        return client.fetch(request, api.read_grant, before_send=before_send)

    if renewal.action == "refresh" and renewal.record.token is not None:
        grant = refresh(renewal.record.token.refresh_token or "")
        return Answer(grant, sent_at, None, "refreshed")
    if renewal.action == "client_token":
        request = api.client_token(need_app(connection))
        grant = client.fetch(request, api.read_grant, before_send=before_send)
        return Answer(grant, sent_at, "client_credentials", "exchanged")
    if seed is None:
        raise AuthorizationRequired("it has no token", next_step=lifecycle.LOGIN)
    if renewal.action == "exchange":
        request = api.exchange(
            need_app(connection),
            seed.auth_code or "",
            redirect_uri=connection.redirect_uri,
            code_verifier=seed.code_verifier,
        )
        grant = client.fetch(request, api.read_grant, before_send=before_send)
        renewal.approve(grant)
        by: ObtainedBy = "login" if renewal.is_login else "auth_code"
        return Answer(grant, sent_at, by, "exchanged")
    imported = _import_access_token(renewal, seed, client, api)
    if imported is not None:
        renewal.approve(imported)
        by = "login" if renewal.is_login else "access_token"
        return Answer(imported, now(), by, "imported")
    grant = refresh(seed.refresh_token or "")
    if grant.refresh_token is None:
        grant = replace(grant, refresh_token=seed.refresh_token)
    renewal.approve(grant)
    by = "login" if renewal.is_login else "refresh_token"
    return Answer(grant, sent_at, by, "imported")


def _import_access_token(
    renewal: Renewal, seed: Seed, client: Client, api: TokenApi
) -> TokenResponse | None:
    """Return the seed's access token if TikTok confirms it; None if it must be refreshed."""
    if seed.access_token is None:
        return None
    identity: Identity | None = None
    try:
        request = api.verify(renewal.connection, seed.access_token)
        identity = client.fetch(request, api.read_identity)
        if renewal.told is not None:
            renewal.told(seed.access_token, identity)
    except PermissionMissing:
        pass  # a token whose permissions TikTok looked at is one that it knows
    except AccessTokenRejected:
        if seed.refresh_token is None:
            raise
        return None
    except NoAnswer as error:
        # Nothing was spent by asking, so there is nothing to be unsure about.
        raise TryAgainLater(error.cause, next_step=error.next_step) from None
    return TokenResponse(
        access_token=seed.access_token,
        refresh_token=seed.refresh_token,
        subject_id=identity.subject_id if identity else None,
        scopes=identity.scopes if identity else None,
    )
