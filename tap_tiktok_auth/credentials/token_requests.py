"""Token requests: what a decision asks of a token system, and what came back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from tap_tiktok_auth.apis.base import TokenResponse, need_app
from tap_tiktok_auth.errors import (
    AccessTokenRejected,
    AuthorizationRequired,
    NoAnswer,
    PermissionMissing,
    TryAgainLater,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_tiktok_auth.apis.base import Identity, Request, TokenApi
    from tap_tiktok_auth.config.models import Seed
    from tap_tiktok_auth.credentials.models import ObtainedBy
    from tap_tiktok_auth.credentials.transitions import TokenRequest
    from tap_tiktok_auth.http.client import Client


class Answer(NamedTuple):
    """A token response, when it was asked for, and how a new chain started with it."""

    response: TokenResponse
    sent_at: float
    obtained_by: ObtainedBy | None


def send(
    due: TokenRequest,
    client: Client,
    api: TokenApi,
    confirm_lease: Callable[[], None],
    now: Callable[[], float],
) -> Answer:
    """Ask TikTok for what is due.

    Args:
        due: The token request.
        client: The HTTP client.
        api: The connection's token system.
        confirm_lease: Called right before each sending; raises if nothing may be sent any more.
        now: The clock by which tokens are dated.

    Raises:
        TikTokAuthError: TikTok refuses, or does not answer.
    """
    sent_at = 0.0

    def before_send() -> None:
        nonlocal sent_at
        confirm_lease()
        sent_at = now()

    def fetch(request: Request) -> TokenResponse:
        return client.fetch(request, api.read_grant, before_send=before_send)

    connection, seed, login = due.connection, due.connection.seed, due.options.login
    if due.action == "refresh" and due.stored.token is not None:
        refresh_token = due.stored.token.refresh_token or ""
        return Answer(fetch(api.refresh(need_app(connection), refresh_token)), sent_at, None)
    if due.action == "client_token":
        response = fetch(api.client_token(need_app(connection)))
        return Answer(response, sent_at, "client_credentials")
    if seed is None:
        raise AuthorizationRequired(
            "it has no token", next_step="Run: tiktok-auth login {connection}"
        )
    how: ObtainedBy = "auth_code"
    if due.action == "exchange":
        response = fetch(
            api.exchange(
                need_app(connection),
                seed.auth_code or "",
                redirect_uri=connection.redirect_uri,
                code_verifier=seed.code_verifier,
            )
        )
    elif (confirmed := _confirm_access_token(due, seed, client, api)) is not None:
        response, sent_at, how = confirmed, now(), "access_token"
    else:
        response, how = (
            fetch(api.refresh(need_app(connection), seed.refresh_token or "")),
            "refresh_token",
        )
        response = replace(response, refresh_token=response.refresh_token or seed.refresh_token)
    due.options.approve(response)
    return Answer(response, sent_at, "login" if login else how)


def _confirm_access_token(
    due: TokenRequest, seed: Seed, client: Client, api: TokenApi
) -> TokenResponse | None:
    """Return the seed's access token if TikTok confirms it; None if it must be refreshed."""
    if seed.access_token is None:
        return None
    identity: Identity | None = None
    try:
        identity = client.fetch(api.verify(due.connection, seed.access_token), api.read_identity)
        due.options.confirmed(seed.access_token, identity)
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
