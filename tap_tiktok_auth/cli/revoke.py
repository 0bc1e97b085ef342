"""`tiktok-auth revoke`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from tap_tiktok_auth.cli.common import (
    config_option,
    confirm,
    load,
    name_argument,
    one_line_errors,
    only_or_default,
    open_existing,
    tell,
    yes_option,
)
from tap_tiktok_auth.credentials import revocation
from tap_tiktok_auth.errors import AuthorizationRequired

if TYPE_CHECKING:
    from tap_tiktok_auth.config.models import Connection
    from tap_tiktok_auth.credentials.manager import TokenManager


@click.command()
@name_argument
@config_option
@yes_option
@one_line_errors
def revoke(name: str | None, config_paths: tuple[str, ...], yes: bool) -> None:
    """End the token of the connection NAME at TikTok.

    Every program that uses the token loses access at once, on every machine. The connection stays
    in the token store with status revoked and without secrets; forget removes it. To revoke a
    connection that is revoked already does nothing. Without NAME the only connection is meant,
    else the one named default, and you are asked first.

    \b
      tiktok-auth revoke acme
      tiktok-auth revoke acme --yes && tiktok-auth forget acme --yes
    """  # noqa: D301  (click's mark for text that keeps its lines)
    if yes and name is None:
        raise click.UsageError("With --yes, name the connection.")
    with open_existing(load(config_paths), name) as manager:
        connection = only_or_default(manager) if name is None else manager.connection(name)
        name = connection.name
        record = manager.store.read(name)
        if record is None or record.token is None:
            done = record is not None and record.status == "revoked"
            click.echo(f"{name}: {'revoked already' if done else 'it has no token to revoke'}")
            return
        question = (
            f"Revoke the token of {name} at TikTok? Every program that uses it loses access,"
            " and only a person can give it again."
        )
        confirm(question, yes=yes)
        _revoke(manager, connection)
    click.echo(f"{name}: revoked at TikTok")
    tell(f"To remove it here too: tiktok-auth forget {name}")


def _revoke(manager: TokenManager, connection: Connection) -> None:
    """Revoke with a token that works: TikTok takes no notice of one that has expired.

    The seed of the config is left aside, so that no new chain begins just to be revoked.
    """
    stored = replace(connection, seed=None)
    # Where the consent has ended already, what TikTok says about the old token is the last word.
    with suppress(AuthorizationRequired):
        stored = manager.get_token(stored).connection
    revocation.revoke(manager, stored)
