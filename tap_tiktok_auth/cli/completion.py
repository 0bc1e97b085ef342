"""`tiktok-auth completion`."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import PurePath
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, get_completion_class

from tap_tiktok_auth.config import values
from tap_tiktok_auth.store import is_postgres, sqlite_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SHELLS = ("bash", "zsh", "fish")


def connection_names(config_paths: Sequence[str], incomplete: str) -> list[CompletionItem]:
    """Return the connections that begin so, without a key, a network or a word of what is wrong."""
    found: set[str] = set()
    with suppress(Exception):
        config = values.merged(config_paths, os.environ)
        found.update(str(entry["name"]) for entry in config.get("connections") or ())
        found.update(_stored_names(config.get("token_store")))
    return [CompletionItem(name) for name in sorted(found) if name.startswith(incomplete)]


def _stored_names(url: str | None) -> Iterator[str]:
    if is_postgres(url):
        return  # which may be far away
    with closing(sqlite3.connect(f"{sqlite_path(url).as_uri()}?mode=ro", uri=True)) as store:
        yield from (name for (name,) in store.execute("SELECT name FROM connections"))


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS), required=False)
@click.pass_context
def completion(ctx: click.Context, shell: str | None) -> None:
    """Print the script that lets a shell complete commands, options and connections' names.

    Without a name it is for the shell of the variable SHELL. Put it where your shell looks for
    such scripts, then open a new shell.

    \b
      tiktok-auth completion bash >> ~/.bashrc
      tiktok-auth completion zsh > ~/.zfunc/_tiktok-auth
      tiktok-auth completion fish > ~/.config/fish/completions/tiktok-auth.fish

    For zsh, ~/.zfunc must be in fpath, before compinit, in ~/.zshrc:

    \b
      fpath+=~/.zfunc; autoload -Uz compinit; compinit
    """  # noqa: D301  (click's mark for text that keeps its lines)
    shell = shell or PurePath(os.environ.get("SHELL", "")).name
    kind = get_completion_class(shell) if shell in _SHELLS else None
    if kind is None:
        raise click.UsageError(f"Name your shell: {', '.join(_SHELLS)}.", ctx)
    root = ctx.find_root()
    click.echo(kind(root.command, {}, "tiktok-auth", "_TIKTOK_AUTH_COMPLETE").source())
