"""Ending a token at TikTok, because a person said so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_tiktok_auth.credentials import transitions
from tap_tiktok_auth.errors import AuthorizationRequired, TikTokAuthError
from tap_tiktok_auth.process import deferred

if TYPE_CHECKING:
    from tap_tiktok_auth.config.models import Connection
    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.credentials.models import StoredConnection


def revoke(manager: TokenManager, connection: Connection) -> StoredConnection:
    """Revoke a connection's token at TikTok and forget its secrets; the row stays.

    A token that another process gets meanwhile is revoked too, here or by that process.

    Raises:
        TikTokAuthError: There is no token, TikTok refuses, or the store fails.
    """
    store = manager.store
    try:
        with deferred(manager.stop):
            while True:
                record = store.read(connection.name)
                if record is None or record.token is None:
                    raise AuthorizationRequired("it has no token to revoke")
                manager.revoke_at_tiktok(connection, record)
                revoked = transitions.after_revocation(record)
                before = store.fingerprint(record.token.access_token)
                events = transitions.token_events(("revoked",), revoked, before=before)
                if store.commit(revoked, None, before=record, events=events):
                    return revoked
    except TikTokAuthError as error:
        raise error.of(connection.name) from None
