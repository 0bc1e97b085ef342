"""`tiktok-auth exec`, and what any command that we run inherits and how its failure is told."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.cli import common, output
from tap_tiktok_auth.config.settings import ENV_PREFIX
from tap_tiktok_auth.credentials.checks import check
from tap_tiktok_auth.errors import ConfigurationError
from tap_tiktok_auth.redaction import SECRETS
from tap_tiktok_auth.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.credentials.models import Credentials

#: Variables that no command inherits, in capitals: our settings, by their own names and by those
#: that Meltano gives them too, the credentials of Meltano's databases and of libpq, other tokens.
_WITHHELD_PREFIXES = (ENV_PREFIX, "MELTANO_EXTRACT_", "MELTANO_STATE_BACKEND_")
_WITHHELD = frozenset(
    {"MELTANO_DATABASE_URI", "PGPASSWORD", "TIKTOK_ACCESS_TOKEN", "TIKTOK_ADVERTISER_IDS"}
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Key of the command in click's context.
_COMMAND = f"{__name__}.command"
#: What Python ignores for itself, and a command must not inherit.
_IGNORED_BY_PYTHON = ("SIGPIPE", "SIGXFSZ")

#: The fields that a variable can have.
FIELDS = {
    "access_token": "the access token",
    "advertiser_ids": "marketing: the ad accounts, comma separated",
    "advertiser_ids_json": "marketing: the ad accounts, as a JSON list",
    "connection": "the connection's name",
    "api": "TikTok's token system",
    "app_id": "the app id; for Login Kit the client key",
    "open_id": "the account of the token: open id, creator id; marketing has none",
    "subject_id": "the same, as the streams name it",
    "scopes": "the scopes, comma separated",
    "expires_at": "when the access token expires, RFC 3339; a long-term token does not",
}


class ListingCommand(click.Command):
    """Click command whose help ends with a list."""

    section: str
    listed: tuple[tuple[str, str], ...]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list."""
        super().format_epilog(ctx, formatter)
        with formatter.section(self.section):
            formatter.write_dl(self.listed)


class _Exec(ListingCommand):
    """Keeps what follows `--` out of the parser."""

    section = "Fields"
    listed = tuple(FIELDS.items())

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
@common.name_argument
@click.option(
    "assignments",
    "--set",
    multiple=True,
    callback=_assignments,
    metavar="VAR=FIELD",
    help="A variable to set, instead of the two default ones; repeatable.",
)
@common.min_lifetime_option
@click.option(
    "--keep",
    multiple=True,
    metavar="VAR",
    help="A variable to pass on although it is withheld otherwise; repeatable.",
)
@common.config_option
@click.pass_context
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
    secrets in it, unless --keep names it. It replaces this process, so signals and its exit code
    are its own. Without NAME the only connection is meant, else the one named default.

    Exit code 127 if the command is not found, 126 if it cannot be run, 3 if a person must
    authorise.

    \b
      tiktok-auth exec acme -- python report.py
      tiktok-auth exec -- sh -c 'echo "$TIKTOK_ADVERTISER_IDS"'
      tiktok-auth exec acme --set MY_TAP_ACCESS_TOKEN=access_token \\
        --set MY_TAP_ACCOUNTS=advertiser_ids_json -- my-tap --config ENV
    """
    with common.open_existing(common.load(config_paths), name, begins=True) as manager:
        connection = common.connection_named(manager, name)
        held = manager.get_token(connection, min_lifetime=min_lifetime)
        if held.warning is not None:
            output.tell(str(held.warning.of(connection.name)))
        defaults = {"TIKTOK_ACCESS_TOKEN": "access_token"}
        if APIS[held.stored.api].has_advertisers:
            defaults["TIKTOK_ADVERTISER_IDS"] = "advertiser_ids"
        wanted = assignments or defaults
        known = _field_values(manager, held, set(wanted.values()))
        found = {}
        for variable, field in wanted.items():
            value = known[field]
            if value is None:
                raise ConfigurationError(f"it has no {field}").of(connection.name)
            found[variable] = value
    _replace_process(ctx.meta[_COMMAND], {**command_environment(os.environ, keep), **found})


def _field_values(
    manager: TokenManager, held: Credentials, wanted: set[str]
) -> dict[str, str | None]:
    """Return the value of each field, None where a connection has no such thing.

    Raises:
        TikTokAuthError: TikTok was asked for the ad accounts and refused.
    """
    stored, ids = held.stored, None
    if APIS[stored.api].has_advertisers and wanted & {"advertiser_ids", "advertiser_ids_json"}:
        ids = _advertiser_ids(manager, held)
    return {
        "access_token": held.token.access_token,
        "advertiser_ids": None if ids is None else ",".join(ids),
        "advertiser_ids_json": None if ids is None else json.dumps(ids),
        "connection": held.connection.name,
        "api": stored.api,
        "app_id": stored.app_id or None,
        "open_id": stored.subject_id,
        "subject_id": stored.subject_id,
        "scopes": ",".join(stored.scopes or ()) or None,
        "expires_at": rfc3339(held.token.expires_at),
    }


def _advertiser_ids(manager: TokenManager, held: Credentials) -> tuple[str, ...]:
    """Return the ad accounts of a Marketing token; asks TikTok if none was seen yet."""
    if held.connection.advertiser_ids:
        return held.connection.advertiser_ids
    seen = list(manager.store.advertisers(held.connection.name))
    unconfirmed = held.stored.verified_at is None and not held.stored.refresh_count
    if not seen or unconfirmed:  # what was seen may have been granted by an earlier consent
        result = check(manager, held.connection)
        if result.error is not None:
            raise result.error
        seen = list(manager.store.advertisers(held.connection.name))
    return tuple(one.advertiser_id for one in seen if one.lost_at is None)


def _replace_process(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Let the command take the place of this process."""
    sys.stdout.flush()
    sys.stderr.flush()
    for name in _IGNORED_BY_PYTHON:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        # The person's own command, run as it was given, without a shell.
        os.execvpe(command[0], list(command), dict(environment))  # noqa: S606  (what the user typed)
    except (OSError, ValueError) as error:
        code, why = start_failure(command[0], error, environment)
        output.tell(why)
        sys.exit(code)


def command_environment(environ: Mapping[str, str], keep: Collection[str] = ()) -> dict[str, str]:
    """Return what a command that we run inherits: no setting of ours, nor another's credential.

    Args:
        environ: Our own environment.
        keep: Variables that it inherits all the same.
    """

    def is_withheld(name: str, value: str) -> bool:
        return (
            name.upper() in _WITHHELD
            or name.upper().startswith(_WITHHELD_PREFIXES)
            or SECRETS.finds_in(value)
        )

    return {
        name: value
        for name, value in environ.items()
        if name in keep or not is_withheld(name, value)
    }


def start_failure(
    command: str, error: OSError | ValueError, environment: Mapping[str, str]
) -> tuple[int, str]:
    """Return the exit code for a command that could not be started, as of a shell, and a line.

    Args:
        command: The command, by name or by path.
        error: What starting it raised.
        environment: The variables that it was to have; its PATH is where it was looked for.
    """
    # Python says "denied" of a name that is nowhere if PATH has a folder that may not be entered.
    path = environment.get("PATH")
    nowhere = "/" not in command and shutil.which(command, mode=os.F_OK, path=path) is None
    if isinstance(error, FileNotFoundError) or (isinstance(error, PermissionError) and nowhere):
        return 127, f"no such command: {command}"
    why = error.strerror if isinstance(error, OSError) else "its name is empty"
    return 126, f"cannot run {command or 'the command'}: {why}"
