"""`tiktok-auth completion`."""

from __future__ import annotations

import os
from pathlib import PurePath

import click
from click.shell_completion import get_completion_class

_SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS), required=False)
@click.pass_context
def completion(ctx: click.Context, shell: str | None) -> None:
    """Print the script that lets a shell complete commands and options.

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
