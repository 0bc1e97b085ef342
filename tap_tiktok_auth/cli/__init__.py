"""The person's face: `tiktok-auth`.

Each command lives in a module of its own, imported only when it runs, so that `token` answers
at once.
"""

from __future__ import annotations

import importlib
import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from tap_tiktok_auth.process import EXIT_INTERRUPTED, describe, is_closed_pipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from click.shell_completion import CompletionItem

#: The commands: module in this package, attribute, one line of help.
COMMANDS: Mapping[str, tuple[str, str, str]] = {
    "login": ("login", "login", "Let a person consent, and keep the tokens."),
    "token": ("token", "token", "Print a fresh access token."),
    "exec": ("exec", "exec_command", "Run a command with fresh tokens in its environment."),
    "status": ("status", "status", "Show how the connections are."),
    "refresh": ("refresh", "refresh", "Refresh the tokens that are due."),
    "events": ("events", "events", "Show what happened to the tokens."),
    "doctor": ("doctor", "doctor", "Check config, key, store and the way to TikTok."),
    "revoke": ("revoke", "revoke", "End a connection's token at TikTok."),
    "forget": ("forget", "forget", "Remove a connection from the token store."),
    "store": ("store", "store", "Change the store's key, copy it to another database."),
    "keygen": ("keygen", "keygen", "Print a new key for a token store."),
    "simulate": ("simulate", "simulate", "Run a simulated TikTok on this machine."),
    "completion": ("completion", "completion", "Print the completion script of a shell."),
}

#: The commands of the table as the help groups them.
SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Connect": ("login", "revoke", "forget"),
    "Use": ("token", "exec"),
    "Look after": ("status", "refresh", "events", "doctor"),
    "Set up": ("keygen", "store", "completion", "simulate"),
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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; for a misspelled one, name those that are spelled alike."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches  # noqa: PLC0415  (after a mistake only)

            alike = get_close_matches(args[0], COMMANDS)
            if not alike or "Did you mean" in error.message:
                raise
            hint = f"{error.message} Did you mean {' or '.join(alike)}?"
            raise click.UsageError(hint, ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, in groups, without importing any."""
        del ctx
        width = max(map(len, COMMANDS))
        for title, names in SECTIONS.items():
            with formatter.section(title):
                known = [name for name in names if name in COMMANDS]
                formatter.write_dl([(name.ljust(width), COMMANDS[name][2]) for name in known])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the names of commands without importing any."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415  (in completion only)

        return [
            CompletionItem(name, help=about)
            for name, (_, _, about) in COMMANDS.items()
            if name.startswith(incomplete)
        ] + click.Command.shell_complete(self, ctx, incomplete)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:  # noqa: ANN401
        """Parse what stands before the command's name."""
        with _ended_in_one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  (as click has it)
        """Run a command; whatever ends it, the person sees no traceback."""
        with _ended_in_one_line():
            return super().invoke(ctx)


@contextmanager
def _ended_in_one_line() -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, click.Abort):
        sys.exit(EXIT_INTERRUPTED)
    except click.UsageError as error:
        from tap_tiktok_auth.redaction import repeatable  # noqa: PLC0415  (after a mistake only)

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
        sys.exit(1)


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
    """  # noqa: D301  (click's mark for text that keeps its lines)
