"""Ending a token at TikTok, because a person said so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tap_tiktok_auth import outcomes
from tap_tiktok_auth.apis.base import need_app
from tap_tiktok_auth.errors import AuthorizationRequired, TikTokAuthError
from tap_tiktok_auth.signals import deferred

if TYPE_CHECKING:
    from tap_tiktok_auth.broker import Broker
    from tap_tiktok_auth.connections import Connection
    from tap_tiktok_auth.records import Record


def revoke(broker: Broker, connection: Connection) -> Record:
    """Revoke a connection's token at TikTok and forget its secrets; the row stays.

    A token that another process gets meanwhile is revoked too.

    Raises:
        TikTokAuthError: There is no token, TikTok refuses, or the store fails.
    """
    store, api = broker.store, broker.api(connection)
    try:
        with deferred(broker.stop):
            while True:
                record = store.read(connection.name)
                if record is None or record.token is None:
                    raise AuthorizationRequired("it has no token to revoke")
                broker.refuse_elsewhere(record)
                app = need_app(replace(connection, app=broker.roster.app(connection, record)))
                request = api.revoke(app, record.token.access_token)
                broker.client.fetch(request, api.read_revoked)
                revoked = outcomes.after_revocation(record)
                before = store.fingerprint(record.token.access_token)
                events = outcomes.token_events(("revoked",), revoked, before=before)
                if store.commit(revoked, None, events=events):
                    return revoked
    except TikTokAuthError as error:
        raise error.of(connection.name) from None
