"""The command group `tiktok-auth`, and how every command ends: with one line and an exit code.

Each command lives in a module that is imported only when the command runs.
"""

from __future__ import annotations

import importlib
import logging
import sys
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from tap_tiktok_auth.cli.output import EXIT_ERROR, fail
from tap_tiktok_auth.errors import TikTokAuthError
from tap_tiktok_auth.process import EXIT_INTERRUPTED, describe, is_closed_pipe
from tap_tiktok_auth.redaction import repeatable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: The commands in the groups of the help: module and function, one line of help.
SECTIONS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Connect": {
        "login": ("login:login", "Let a person consent, and keep the tokens."),
        "revoke": ("revoke:revoke", "End a connection's token at TikTok."),
        "forget": ("revoke:forget", "Remove a connection from the token store."),
    },
    "Use": {
        "token": ("token:token", "Print a fresh access token."),
        "exec": ("exec:exec_command", "Run a command with fresh tokens in its environment."),
    },
    "Maintain": {
        "status": ("status:status", "Show the status of the connections."),
        "refresh": ("refresh:refresh", "Refresh the tokens that are due."),
        "events": ("events:events", "Show what happened to the tokens."),
        "doctor": ("doctor:doctor", "Check config, key, store and the connection to TikTok."),
    },
    "Set up": {
        "keygen": ("store:keygen", "Print a new key for a token store."),
        "store": ("store:store", "Change the store's key, copy it to another database."),
        "simulate": ("simulate:simulate", "Run a simulated TikTok on this machine."),
    },
}
COMMANDS = {name: row for commands in SECTIONS.values() for name, row in commands.items()}


class LazyGroup(click.Group):
    """Click group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order of the help."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name][0].partition(":")
        imported = importlib.import_module(f"tap_tiktok_auth.cli.{module}")
        command: click.Command = getattr(imported, function)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; for a misspelled one, name those that are spelled alike."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            alike = get_close_matches(args[0], COMMANDS)
            if not alike or "Did you mean" in error.message:  # which newer releases of click say
                raise
            hint = f"{error.message} Did you mean {' or '.join(alike)}?"
            raise click.UsageError(hint, ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, in groups, without importing any."""
        del ctx
        width = max(map(len, COMMANDS))
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), row[1]) for name, row in commands.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the names of commands without importing any."""
        found = [name for name in COMMANDS if name.startswith(incomplete)]
        items = [CompletionItem(name, help=COMMANDS[name][1]) for name in found]
        return items + click.Command.shell_complete(self, ctx, incomplete)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: object,
    ) -> click.Context:
        """Parse what stands before the command's name."""
        with _one_line_errors():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> object:
        """Run a command."""
        with _one_line_errors():
            return super().invoke(ctx)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Let whatever ends a command be one line, without a traceback."""
    try:
        yield
    except TikTokAuthError as error:
        fail(error)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(EXIT_INTERRUPTED)
    except click.UsageError as error:
        error.message = repeatable(error.message)  # type: ignore[misc]
        raise
    except (click.ClickException, click.exceptions.Exit):
        raise
    except Exception as error:
        if is_closed_pipe(error):
            raise
        # Logging masks secrets in the traceback.
        logging.getLogger(__name__).debug("%s", type(error).__name__, exc_info=error)
        click.echo(f"tiktok-auth: {describe(error)}", err=True)
        sys.exit(EXIT_ERROR)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tap-tiktok-auth", prog_name="tiktok-auth")
def main() -> None:
    """TikTok tokens for people, scripts and other taps.

    Settings come from TAP_TIKTOK_AUTH_* variables and from --config files of the tap.

    \b
    Get a token, look at it, use it:
      tiktok-auth login acme
      tiktok-auth status
      curl -H "Access-Token: $(tiktok-auth token acme)" "$URL"

    \b
    Complete commands and names in bash (or zsh_source, fish_source):
      eval "$(_TIKTOK_AUTH_COMPLETE=bash_source tiktok-auth)"
    """
