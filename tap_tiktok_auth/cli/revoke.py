"""`tiktok-auth revoke` and `tiktok-auth forget`: the end of a connection, at TikTok and here."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from tap_tiktok_auth.cli import common, output
from tap_tiktok_auth.config.parsing import check_name
from tap_tiktok_auth.errors import AuthorizationRequired, StoreDamaged
from tap_tiktok_auth.store import missing_file
from tap_tiktok_auth.store.rows import name_shown

if TYPE_CHECKING:
    from tap_tiktok_auth.store import Store


yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask first.")


def _check_named(name: str | None, *, yes: bool) -> None:
    """Refuse `--yes` without a name: nobody would have said which connection is meant."""
    if yes and name is None:
        raise click.UsageError("With --yes, name the connection.")


@click.command()
@common.name_argument
@common.config_option
@yes_option
def revoke(name: str | None, config_paths: tuple[str, ...], yes: bool) -> None:
    """End the token of the connection NAME at TikTok.

    Every program that uses the token loses access at once, on every machine. The connection stays
    in the token store with status revoked and without secrets; forget removes it. To revoke a
    connection that is revoked already does nothing. Without NAME the only connection is meant,
    else the one named default, and you are asked first.

    \b
      tiktok-auth revoke acme
      tiktok-auth revoke acme --yes && tiktok-auth forget acme --yes
    """
    _check_named(name, yes=yes)
    with common.open_existing(common.load(config_paths), name) as manager:
        connection = common.connection_named(manager, name)
        name = connection.name
        stored = manager.store.read(name)
        if stored is None or stored.token is None:
            done = stored is not None and stored.status == "revoked"
            click.echo(f"{name}: {'revoked already' if done else 'it has no token to revoke'}")
            return
        if not yes:
            common.confirm(
                f"Revoke the token of {name} at TikTok? Every program that uses it loses access,"
                " and only a person can give it again."
            )
        # The seed of the config is left aside, so that no new chain begins just to be revoked.
        connection = replace(connection, seed=None)
        # TikTok ignores a token that has expired, so one that works is needed. Where the consent
        # has ended, what TikTok says about the old token is final.
        with suppress(AuthorizationRequired):
            connection = manager.get_token(connection).connection
        manager.revoke(connection)
    click.echo(f"{name}: revoked at TikTok")
    output.tell(f"To remove it here too: tiktok-auth forget {name}")


@click.command()
@click.argument(  # unchecked: whoever wrote a row, with whatever name, it can be forgotten
    "name", required=False, metavar="[NAME]", shell_complete=common.complete_name
)
@common.config_option
@yes_option
def forget(name: str | None, config_paths: tuple[str, ...], yes: bool) -> None:
    """Remove the connection NAME and its tokens from the token store.

    TikTok is not told: a token that works goes on working for whoever has it. To end it, revoke it
    first. The audit trail keeps the connection's events. To forget a connection that is not there
    does nothing. Without NAME the only connection is meant, else the one named default, and you
    are asked first.

    \b
      tiktok-auth forget acme
      tiktok-auth revoke acme --yes && tiktok-auth forget acme --yes
    """
    _check_named(name, yes=yes)
    config = common.load(config_paths)
    if name is not None and missing_file(config.token_store) is not None:
        check_name(name, "the NAME given")
    with common.open_existing(config, name) as manager:
        name = common.connection_named(manager, None).name if name is None else name
        present, lives = _find(manager.store, name)
        shown = name_shown(name)
        if not present:
            check_name(name, "the NAME given")
            click.echo(f"{shown}: there is nothing of it in the token store")
            meant = manager.registry.meant(name)
            if meant is not None:
                output.tell(meant)
            return
        if lives:
            output.tell(
                f"the token of {name} stays valid at TikTok. To end it there, first run:"
                f" tiktok-auth revoke {name}"
            )
        if not yes:
            common.confirm(f"Forget {shown} and its tokens?")
        manager.forget(name)
        configured = manager.config.connection(name)
    click.echo(f"{shown}: forgotten")
    if configured is not None:
        output.tell(
            f"the config still has {name}: remove it there too, or the next run starts it again"
        )


def _find(store: Store, name: str) -> tuple[bool, bool]:
    """Return whether a connection is stored, and whether its token may still work at TikTok."""
    try:
        stored = store.read(name)
    except StoreDamaged:
        return True, False  # a damaged row is fixed by forgetting it
    if stored is None or stored.token is None:
        return stored is not None, False
    now = store.now()
    ended = stored.status in {"revoked", "reauthorization_required"}
    expired = stored.token.state(now, 0) == "expired" and not stored.token.can_refresh(now)
    return True, not (ended or expired)
