"""The person's face: `tiktok-auth`.

Each command lives in a module of its own, imported only when it runs, so that `token` answers
at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The commands: module in this package, attribute, one line of help.
COMMANDS: Mapping[str, tuple[str, str, str]] = {
    "token": ("token", "token", "Print a fresh access token."),
    "status": ("status", "status", "Show how the connections are."),
    "simulate": ("simulate", "simulate", "Run a simulated TikTok on this machine."),
    "keygen": ("keygen", "keygen", "Print a new key for a token store."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
        assert isinstance(command, click.Command)  # noqa: S101  (the table is ours)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, _, about) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tap-tiktok-auth", prog_name="tiktok-auth")
def main() -> None:
    """TikTok tokens for people, scripts and other taps.

    Settings come from TAP_TIKTOK_AUTH_* variables and from --config files of the tap.

    \b
    Get a token, look at it, use it:
      tiktok-auth login acme
      tiktok-auth status
      curl -H "Access-Token: $(tiktok-auth token acme)" https://business-api.tiktok.com/...
    """  # noqa: D301  (click's mark for text that keeps its lines)
