"""`tiktok-auth revoke`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from tap_tiktok_auth import revocation
from tap_tiktok_auth.cli.common import (
    config_option,
    confirm,
    connection_name,
    one_line_errors,
    open_session,
    tell,
    yes_option,
)
from tap_tiktok_auth.errors import AuthorizationRequired

if TYPE_CHECKING:
    from tap_tiktok_auth.broker import Broker
    from tap_tiktok_auth.connections import Connection


@click.command()
@click.argument("name", type=connection_name)
@config_option
@yes_option
@one_line_errors
def revoke(name: str, config_paths: tuple[str, ...], yes: bool) -> None:
    """End the token of the connection NAME at TikTok.

    Every program that uses the token loses access at once, on every machine. The connection stays
    in the token store with status revoked and without secrets; forget removes it. To revoke a
    connection that is revoked already does nothing.

    \b
      tiktok-auth revoke acme
      tiktok-auth revoke acme --yes && tiktok-auth forget acme --yes
    """  # noqa: D301  (click's mark for text that keeps its lines)
    with open_session(config_paths) as broker:
        connection = broker.connection(name)
        record = broker.store.read(name)
        if record is None or record.token is None:
            done = record is not None and record.status == "revoked"
            click.echo(f"{name}: {'revoked already' if done else 'it has no token to revoke'}")
            return
        question = (
            f"Revoke the token of {name} at TikTok? Every program that uses it loses access,"
            " and only a person can give it again."
        )
        confirm(question, yes=yes)
        _revoke(broker, connection)
    click.echo(f"{name}: revoked at TikTok")
    tell(f"To remove it here too: tiktok-auth forget {name}")


def _revoke(broker: Broker, connection: Connection) -> None:
    """Revoke with a token that works: TikTok takes no notice of one that has expired.

    The seed of the config is left aside, so that no new chain begins just to be revoked.
    """
    stored = replace(connection, seed=None)
    # Where the consent has ended already, what TikTok says about the old token is the last word.
    with suppress(AuthorizationRequired):
        stored = broker.obtain(stored).connection
    revocation.revoke(broker, stored)
