"""Using a token: calls for data, and what becomes of a token that TikTok refuses in one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from tap_tiktok_auth.credentials import lifecycle, transitions
from tap_tiktok_auth.errors import AccessTokenRejected, TikTokAuthError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_tiktok_auth.apis.base import Request, Response
    from tap_tiktok_auth.credentials.manager import Credentials, TokenManager

T = TypeVar("T")


def call(
    manager: TokenManager,
    held: Credentials,
    build: Callable[[str], Request],
    read: Callable[[Response], T],
) -> tuple[T, Credentials]:
    """Make a data call with a token, and once again with a new one if TikTok refuses it.

    Args:
        manager: Renews the token.
        held: The token.
        build: Makes the request from the access token.
        read: Reads the answer.

    Returns:
        What `read` returned, and the token that worked.

    Raises:
        TikTokAuthError: What the last refusal means; the error names the connection.
    """
    name = held.connection.name
    try:
        try:
            return _call(manager, held, build, read), held
        except AccessTokenRejected as rejection:
            held = replace_rejected(manager, held, rejection)
        try:
            return _call(manager, held, build, read), held
        except AccessTokenRejected as rejection:
            note_rejection(manager, held, rejection)
            raise
    except TikTokAuthError as error:
        raise error.of(name) from None


def replace_rejected(
    manager: TokenManager, held: Credentials, rejection: TikTokAuthError
) -> Credentials:
    """Return a new token for one that TikTok refused in use.

    Only the very token that was refused is given up: if someone has replaced it already, theirs
    is returned.

    Raises:
        TikTokAuthError: There is no other token; *rejection* if none can be had.
    """
    note_rejection(manager, held, rejection)
    current = manager.store.read(held.connection.name)
    renewable = lifecycle.can_renew(held.stored, manager.store.now())
    if current is None or (current.generation == held.stored.generation and not renewable):
        raise rejection.of(held.connection.name)
    return manager.get_token(held.connection)


def note_rejection(manager: TokenManager, held: Credentials, rejection: TikTokAuthError) -> None:
    """Remember that TikTok refused a token, unless it was replaced meanwhile."""
    store = manager.store
    record = transitions.after_rejection(held.stored, rejection, store.now())
    ended = record.status == "reauthorization_required" != held.stored.status
    store.amend(
        record,
        ("token", "status", "failure", "request_id"),
        events=transitions.token_events(
            ("reauthorization_required",) if ended else (),
            record,
            before=store.fingerprint(held.token.access_token),
            error=rejection,
        ),
    )


def _call(
    manager: TokenManager,
    held: Credentials,
    build: Callable[[str], Request],
    read: Callable[[Response], T],
) -> T:
    request = build(held.token.access_token)
    if not request.app_id:
        request = replace(request, app_id=held.stored.app_id)
    return manager.client.fetch(request, read)
