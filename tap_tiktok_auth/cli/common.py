"""What the commands share: settings, sessions, errors as one line, exit codes."""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from tap_tiktok_auth import next_steps
from tap_tiktok_auth.config import files, parsing
from tap_tiktok_auth.config import values as setting_values
from tap_tiktok_auth.config.models import DEFAULT_NAME
from tap_tiktok_auth.config.settings import ENV_PREFIX
from tap_tiktok_auth.credentials.session import new_manager, session
from tap_tiktok_auth.errors import (
    AuthorizationRequired,
    ConfigurationError,
    StoreUnavailable,
    TikTokAuthError,
)
from tap_tiktok_auth.redaction import SECRETS, install, repeatable, teach
from tap_tiktok_auth.store import empty_store, missing_file
from tap_tiktok_auth.store.keys import Cipher

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from click.shell_completion import CompletionItem

    from tap_tiktok_auth.config.models import Config, Connection
    from tap_tiktok_auth.credentials.manager import TokenManager

#: Variables that no command inherits, in capitals: our settings, by their own names and by those
#: that Meltano gives them too, the credentials of Meltano's databases and of libpq, other tokens.
_WITHHELD_PREFIXES = (ENV_PREFIX, "MELTANO_EXTRACT_", "MELTANO_STATE_BACKEND_")
_WITHHELD = frozenset(
    {"MELTANO_DATABASE_URI", "PGPASSWORD", "TIKTOK_ACCESS_TOKEN", "TIKTOK_ADVERTISER_IDS"}
)

C = TypeVar("C", bound="Callable[..., Any]")

EXIT_ERROR = 1
EXIT_AUTHORIZE = 3


class _ConnectionName(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A NAME; what is none is not repeated: it may be a token, or steer the terminal."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name, or end with one line."""
        del param, ctx
        try:
            return parsing.check_name(value, "the NAME given")
        except TikTokAuthError as error:
            fail(error)


connection_name = _ConnectionName()

config_option = click.option(
    "--config",
    "config_paths",
    multiple=True,
    metavar="FILE",
    help="Config file of the tap, JSON; repeatable. TAP_TIKTOK_AUTH_* variables are always read.",
)


def complete_name(
    context: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a connection, of the config or of a store on this machine."""
    from tap_tiktok_auth.cli.completion import connection_names  # noqa: PLC0415  (rarely needed)

    return connection_names(context.params.get("config_paths") or (), incomplete)


#: The rule for commands about one connection is `only_or_default`.
name_argument = click.argument(
    "name",
    type=connection_name,
    required=False,
    metavar="[NAME]",
    shell_complete=complete_name,
)

names_argument = click.argument(
    "names",
    type=connection_name,
    nargs=-1,
    metavar="[NAME]...",
    shell_complete=complete_name,
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")

yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask first.")


def load(config_paths: tuple[str, ...]) -> Config:
    """Return the checked settings of the environment and of config files.

    Secrets among them are masked in all logging from here on.

    Raises:
        ConfigurationError: A setting is wrong.
    """
    next_steps.came_with(config_paths)
    context = click.get_current_context(silent=True)
    if context is not None:
        context.call_on_close(lambda: next_steps.came_with(()))
    values = files.merged(config_paths, os.environ)
    _set_up_logging(values)
    return parsing.parse(values)


@contextmanager
def open_session(config_paths: tuple[str, ...]) -> Iterator[TokenManager]:
    """Open a manager over the settings' store, which is made where there is none."""
    with session(load(config_paths)) as manager:
        yield manager


@contextmanager
def open_existing(
    config: Config, *names: str | None, begins: bool = False
) -> Iterator[TokenManager]:
    """Open a manager over the settings' store; none is made where its address may be mistyped.

    Where there is none, the config's seeds are seen as if it were empty.

    Args:
        config: The settings.
        names: The connections that are wanted; without any, all.
        begins: Whether a store is made if the config has a seed of such a connection.

    Raises:
        StoreUnavailable: There is no store, and the config has no seed either.
    """
    path = missing_file(config.token_store)
    wanted = set(filter(None, names))
    seeds = {connection.name for connection in config.connections if connection.seed}
    if path is None or (begins and seeds and (not wanted or wanted & seeds)):
        with session(config) as manager:
            yield manager
        return
    if config.token_store_key is not None:
        Cipher.from_text(config.token_store_key)  # what is wrong with it is told all the same
    if not seeds:
        name = repeatable(next(iter(wanted), "NAME"))
        raise StoreUnavailable(
            f"there is no token store at {path}",
            next_step=f"Check setting token_store, or run: tiktok-auth login {name}",
        )
    tell(f"there is no token store at {path} yet")
    with closing(empty_store()) as store:
        yield new_manager(config, store)


def only_or_default(manager: TokenManager) -> Connection:
    """Return the connection that is meant without a name: the only one, else `default`.

    Raises:
        ConfigurationError: There are several, and none of that name.
    """
    connections = {connection.name: connection for connection in manager.connections()}
    if len(connections) == 1:
        return next(iter(connections.values()))
    if DEFAULT_NAME not in connections:
        names = list(connections)
        more = f" and {len(names) - 5} more. See them with: tiktok-auth status"
        raise ConfigurationError(
            f"there are {len(names)} connections, and none is named {DEFAULT_NAME}",
            next_step=f"Name one of: {', '.join(names[:5])}" + (more if len(names) > 5 else ""),
        )
    return connections[DEFAULT_NAME]


def name_to_log_in(manager: TokenManager) -> str:
    """Return the connection that a login without a name is for, which may be a new `default`.

    Raises:
        click.UsageError: It would replace another's tokens, and there is nobody to ask.
        click.exceptions.Exit: The person did not mean that one; exit code 1.
    """
    try:
        connection = only_or_default(manager).name
    except ConfigurationError:
        return DEFAULT_NAME  # there is none, or not the only one
    if connection != DEFAULT_NAME:
        if not sys.stdin.isatty():
            raise click.UsageError(f"Name the connection: {connection} again, or a new one.")
        confirm(f"Log in again as {connection}? (A new connection needs a name.)", yes=False)
    return connection


def one_line_errors(command: C) -> C:
    """Let a command end with one line and the right exit code when something fails.

    Exit code 1 for an error, 3 if a person must authorise.
    """

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        try:
            return command(*args, **kwargs)
        except TikTokAuthError as error:
            fail(error)

    return run  # type: ignore[return-value]


def fail(error: TikTokAuthError) -> NoReturn:
    """Print an error as one line on stderr and exit."""
    tell(str(error))
    sys.exit(exit_code(error))


def exit_code(error: TikTokAuthError) -> int:
    """Return the exit code that an error means."""
    return EXIT_AUTHORIZE if isinstance(error, AuthorizationRequired) else EXIT_ERROR


def tell(line: str) -> None:
    """Print a line for a person, on stderr: stdout is for results."""
    click.echo(f"tiktok-auth: {next_steps.completed(line)}", err=True)


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


def print_json(value: object) -> None:
    """Print JSON on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_json_list(values: Iterable[object]) -> None:
    """Print values as a JSON list on stdout, holding one of them at a time."""
    before = "["
    for value in values:
        click.echo(f"{before}\n{json.dumps(value, ensure_ascii=False)}", nl=False)
        before = ","
    click.echo("[]" if before == "[" else "\n]")


def confirm(question: str, *, yes: bool) -> None:
    """Go on only if a person says so, unless *yes* says it already.

    Raises:
        click.UsageError: There is nobody to ask.
        click.exceptions.Exit: The answer is no; exit code 1.
    """
    if yes:
        return
    from tap_tiktok_auth.cli import terminal  # noqa: PLC0415  (not for a cached token)

    if not terminal.is_attended():
        raise click.UsageError("There is no terminal to ask on; to go on without asking: --yes")
    if not terminal.confirm(question):
        tell("nothing was changed")
        raise click.exceptions.Exit(EXIT_ERROR)


def _set_up_logging(values: dict[str, Any]) -> None:
    level = os.environ.get("TAP_TIKTOK_AUTH_LOGLEVEL", "WARNING").upper()
    known = logging.getLevelName(level)
    logging.basicConfig(
        level=known if isinstance(known, int) else logging.WARNING,
        format="tiktok-auth: %(message)s",
        stream=sys.stderr,
    )
    teach(*setting_values.secrets_of(values))
    install()
