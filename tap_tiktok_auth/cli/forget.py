"""`tiktok-auth forget`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tap_tiktok_auth.cli.common import (
    complete_name,
    config_option,
    confirm,
    load,
    one_line_errors,
    only_or_default,
    open_existing,
    tell,
    yes_option,
)
from tap_tiktok_auth.config.parsing import check_name
from tap_tiktok_auth.errors import StoreDamaged
from tap_tiktok_auth.store import missing_file
from tap_tiktok_auth.store.rows import name_shown

if TYPE_CHECKING:
    from tap_tiktok_auth.credentials.models import StoredConnection
    from tap_tiktok_auth.store import Store


@click.command()
@click.argument("name", required=False, metavar="[NAME]", shell_complete=complete_name)
@config_option
@yes_option
@one_line_errors
def forget(name: str | None, config_paths: tuple[str, ...], yes: bool) -> None:
    """Remove the connection NAME and its tokens from the token store.

    TikTok is not told: a token that works goes on working for whoever has it. To end it, revoke it
    first. The audit trail keeps the connection's events. To forget a connection that is not there
    does nothing. Without NAME the only connection is meant, else the one named default, and you
    are asked first.

    \b
      tiktok-auth forget acme
      tiktok-auth revoke acme --yes && tiktok-auth forget acme --yes
    """  # noqa: D301  (click's mark for text that keeps its lines)
    if yes and name is None:
        raise click.UsageError("With --yes, name the connection.")
    config = load(config_paths)
    if name is not None and missing_file(config.token_store) is not None:
        check_name(name, "the NAME given")
    with open_existing(config, name) as manager:
        name = only_or_default(manager).name if name is None else name
        present, lives = _found(manager.store, name)
        shown = name_shown(name)
        if not present:
            check_name(name, "the NAME given")  # a row may have any name, whoever wrote it
            click.echo(f"{shown}: there is nothing of it in the token store")
            meant = manager.registry.meant(name)
            if meant is not None:
                tell(meant)
            return
        if lives:
            tell(
                f"the token of {name} stays valid at TikTok. To end it there, first run:"
                f" tiktok-auth revoke {name}"
            )
        confirm(f"Forget {shown} and its tokens?", yes=yes)
        manager.forget(name)
        configured = manager.config.connection(name)
    click.echo(f"{shown}: forgotten")
    if configured is not None:
        tell(f"the config still has {name}: remove it there too, or the next run begins it anew")


def _found(store: Store, name: str) -> tuple[bool, bool]:
    """Return whether a connection is stored, and whether its token may still live at TikTok."""
    try:
        record = store.read(name)
    except StoreDamaged:
        return True, False  # to forget it is how a damaged row is mended
    return record is not None, record is not None and _lives(record, store.now())


def _lives(record: StoredConnection, now: float) -> bool:
    token = record.token
    if token is None or record.status in {"revoked", "reauthorization_required"}:
        return False
    return token.state(now, 0) != "expired" or token.can_refresh(now)
