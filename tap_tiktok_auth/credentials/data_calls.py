"""Using a token: calls for data, and what becomes of a token that TikTok refuses in one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from tap_tiktok_auth.credentials import lifecycle, transitions
from tap_tiktok_auth.errors import AccessTokenRejected, TikTokAuthError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_tiktok_auth.apis.base import Request, Response
    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.credentials.models import Credentials

T = TypeVar("T")


def call(
    manager: TokenManager,
    credentials: Credentials,
    build: Callable[[str], Request],
    read: Callable[[Response], T],
) -> tuple[T, Credentials]:
    """Make a data call with a token, and once again with a new one if TikTok refuses it.

    Args:
        manager: Renews the token.
        credentials: The token.
        build: Makes the request from the access token.
        read: Reads the answer.

    Returns:
        What `read` returned, and the token that worked.

    Raises:
        TikTokAuthError: What the last refusal means; the error names the connection.
    """
    name = credentials.connection.name
    try:
        try:
            return _call(manager, credentials, build, read), credentials
        except AccessTokenRejected as rejection:
            credentials = replace_rejected(manager, credentials, rejection)
        try:
            return _call(manager, credentials, build, read), credentials
        except AccessTokenRejected as rejection:
            note_rejection(manager, credentials, rejection)
            raise
    except TikTokAuthError as error:
        raise error.of(name) from None


def replace_rejected(
    manager: TokenManager, credentials: Credentials, rejection: TikTokAuthError
) -> Credentials:
    """Return a new token for one that TikTok refused in use.

    Only the very token that was refused is given up: if someone has replaced it already, theirs
    is returned.

    Raises:
        TikTokAuthError: There is no other token; *rejection* if none can be had.
    """
    note_rejection(manager, credentials, rejection)
    current = manager.store.read(credentials.connection.name)
    renewable = lifecycle.can_renew(credentials.stored, manager.store.now())
    if current is None or (current.generation == credentials.stored.generation and not renewable):
        raise rejection.of(credentials.connection.name)
    return manager.get_token(credentials.connection)


def note_rejection(
    manager: TokenManager, credentials: Credentials, rejection: TikTokAuthError
) -> None:
    """Remember that TikTok refused a token, unless it was replaced meanwhile."""
    store = manager.store
    change = transitions.rejected(credentials.stored, rejection, store.now(), store.fingerprint)
    store.amend(change.stored, ("token", "status", "failure", "request_id"), events=change.events)


def _call(
    manager: TokenManager,
    credentials: Credentials,
    build: Callable[[str], Request],
    read: Callable[[Response], T],
) -> T:
    request = build(credentials.token.access_token)
    if not request.app_id:
        request = replace(request, app_id=credentials.stored.app_id)
    return manager.client.fetch(request, read)
