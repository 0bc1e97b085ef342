"""`tiktok-auth exec`."""

from __future__ import annotations

import os
import re
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.cli.common import (
    command_environment,
    config_option,
    load,
    name_argument,
    one_line_errors,
    only_or_default,
    open_existing,
    tell,
)
from tap_tiktok_auth.cli.fields import FIELDS, variables
from tap_tiktok_auth.cli.not_run import not_run
from tap_tiktok_auth.cli.times import duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_TOKEN, _ADVERTISERS = "TIKTOK_ACCESS_TOKEN", "TIKTOK_ADVERTISER_IDS"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Key of the command in click's context.
_COMMAND = f"{__name__}.command"
#: What Python ignores for itself, and a command must not inherit.
_IGNORED_BY_PYTHON = ("SIGPIPE", "SIGXFSZ")


class _Exec(click.Command):
    """Keeps what follows `--` out of the parser, and lists the fields in the help."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Set the command to run apart."""
        own, after = args, None
        if "--" in args:
            position = args.index("--")
            own, after = args[:position], args[position + 1 :]
        ctx.meta[_COMMAND] = after or []
        helps = set(own) & set(ctx.help_option_names)
        if not (after or helps or ctx.resilient_parsing):
            raise click.UsageError("The command to run is missing; write it after --", ctx)
        return super().parse_args(ctx, own)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Show where the command goes."""
        return [*super().collect_usage_pieces(ctx), "-- COMMAND [ARGS]..."]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the fields are."""
        super().format_epilog(ctx, formatter)
        with formatter.section("Fields"):
            formatter.write_dl([(name, about) for name, (about, _) in FIELDS.items()])


def _assignments(
    _ctx: click.Context, _param: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str]:
    """Read VAR=FIELD, or end with a usage error."""
    found = {}
    for text in texts:
        variable, _, field = text.partition("=")
        if not _VARIABLE.fullmatch(variable):
            raise click.BadParameter(f"{text!r} is not of the form VAR=FIELD.")
        if field not in FIELDS:
            raise click.BadParameter(f"{field!r} is not one of: {', '.join(FIELDS)}.")
        found[variable] = field
    return found


@click.command("exec", cls=_Exec)
@name_argument
@click.option(
    "assignments",
    "--set",
    multiple=True,
    callback=_assignments,
    metavar="VAR=FIELD",
    help="A variable to set, instead of the two default ones; repeatable.",
)
@click.option(
    "--min-lifetime",
    type=duration,
    default="0",
    metavar="DURATION",
    help="The token must work for at least so long: 90s, 30m, 6h.",
)
@click.option(
    "--keep",
    multiple=True,
    metavar="VAR",
    help="A variable to pass on although it is withheld otherwise; repeatable.",
)
@config_option
@click.pass_context
@one_line_errors
def exec_command(
    ctx: click.Context,
    name: str | None,
    assignments: dict[str, str],
    min_lifetime: float,
    keep: tuple[str, ...],
    config_paths: tuple[str, ...],
) -> None:
    """Run a command with a fresh token in its environment.

    The command gets TIKTOK_ACCESS_TOKEN and, for api marketing, TIKTOK_ADVERTISER_IDS (comma
    separated), or just the variables of --set. It does not get the TAP_TIKTOK_AUTH_* variables,
    which hold the app secret and the store's key, nor MELTANO_EXTRACT_*,
    MELTANO_STATE_BACKEND_*, MELTANO_DATABASE_URI, PGPASSWORD, and any other that has one of these
    secrets in it, unless --keep names it. It takes the place of this process, so signals and its
    exit code are its own. Without NAME the only connection is meant, else the one named default.

    Exit code 127 if the command is not found, 126 if it cannot be run, 3 if a person must
    authorise.

    \b
      tiktok-auth exec acme -- python report.py
      tiktok-auth exec -- sh -c 'echo "$TIKTOK_ADVERTISER_IDS"'
      tiktok-auth exec acme --set MY_TAP_ACCESS_TOKEN=access_token \\
        --set MY_TAP_ACCOUNTS=advertiser_ids_json -- my-tap --config ENV
    """  # noqa: D301  (click's mark for text that keeps its lines)
    with open_existing(load(config_paths), name, begins=True) as manager:
        connection = only_or_default(manager) if name is None else manager.connection(name)
        held = manager.get_token(connection, min_lifetime=min_lifetime)
        if held.warning is not None:
            tell(str(held.warning.of(connection.name)))
        defaults = {_TOKEN: "access_token"}
        if APIS[held.stored.api].has_advertisers:
            defaults[_ADVERTISERS] = "advertiser_ids"
        found = variables(manager, held, assignments or defaults)
    _become(ctx.meta[_COMMAND], {**command_environment(os.environ, keep), **found})


def _become(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Let the command take the place of this process."""
    sys.stdout.flush()
    sys.stderr.flush()
    for name in _IGNORED_BY_PYTHON:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        # The person's own command, run as it was given, without a shell.
        os.execvpe(command[0], list(command), dict(environment))  # noqa: S606
    except (OSError, ValueError) as error:
        code, why = not_run(command[0], error, environment)
        tell(why)
        sys.exit(code)
