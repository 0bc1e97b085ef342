"""What the commands share: options, settings, sessions, questions."""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import sys
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from tap_tiktok_auth import errors
from tap_tiktok_auth.cli import terminal
from tap_tiktok_auth.cli.output import EXIT_ERROR, tell
from tap_tiktok_auth.config import parsing, values
from tap_tiktok_auth.config.models import DEFAULT_NAME
from tap_tiktok_auth.credentials.manager import TokenManager, open_manager
from tap_tiktok_auth.errors import ConfigurationError, StoreUnavailable
from tap_tiktok_auth.redaction import install, repeatable, teach
from tap_tiktok_auth.store import empty_store, is_postgres, missing_file, sqlite_path
from tap_tiktok_auth.store.keys import Cipher
from tap_tiktok_auth.times import read_moment, read_span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_tiktok_auth.config.models import Config, Connection

_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,3})?")


def duration(text: str) -> float:
    """Read a duration, in seconds: 90s, 30m, 6h, 2d, 1w, or seconds without a unit.

    Raises:
        click.BadParameter: It is none of these.
    """
    seconds = read_span(text)
    if seconds is None and not _SECONDS.fullmatch(text):
        raise click.BadParameter(f"{text!r} is not a duration such as 90s, 30m, 6h or 2d.")
    return float(text) if seconds is None else seconds


def start_time(text: str) -> Callable[[float], float]:
    """Read a time as RFC 3339, a date (midnight UTC), or a duration back from now.

    Returns:
        The time, seconds since the epoch, as a function of now.

    Raises:
        click.BadParameter: It is none of these.
    """
    ago, moment = read_span(text), read_moment(text)
    if ago is not None:
        return lambda now: now - ago
    if moment is not None:
        return lambda _: moment
    raise click.BadParameter(
        f"{text!r} is not a time such as 2026-01-31, 2026-01-31T12:00:00Z, 24h or 7d."
    )


def complete_name(
    context: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a connection, of the config or of a store on this machine.

    Without a key or a network, and without a message about what is wrong.
    """
    found: set[str] = set()
    with suppress(Exception):
        config = values.merged(context.params.get("config_paths") or (), os.environ)
        found.update(str(entry["name"]) for entry in config.get("connections") or ())
        url = config.get("token_store")
        if not is_postgres(url):  # which may be far away
            path = f"{sqlite_path(url).as_uri()}?mode=ro"
            with closing(sqlite3.connect(path, uri=True)) as store:
                found.update(name for (name,) in store.execute("SELECT name FROM connections"))
    return [CompletionItem(name) for name in sorted(found) if name.startswith(incomplete)]


def _check_names(
    _ctx: click.Context, _param: click.Parameter, value: str | tuple[str, ...] | None
) -> str | tuple[str, ...] | None:
    """Refuse what is no name; it is not repeated: it may be a token, or control the terminal."""
    for name in (value,) if isinstance(value, str) else value or ():
        parsing.check_name(name, "the NAME given")
    return value


#: The rule for a command about one connection is `connection_named`.
name_argument = click.argument(
    "name",
    required=False,
    callback=_check_names,
    metavar="[NAME]",
    shell_complete=complete_name,
)
names_argument = click.argument(
    "names",
    nargs=-1,
    callback=_check_names,
    metavar="[NAME]...",
    shell_complete=complete_name,
)
config_option = click.option(
    "--config",
    "config_paths",
    multiple=True,
    metavar="FILE",
    help="Config file of the tap, JSON; repeatable. TAP_TIKTOK_AUTH_* variables are always read.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
min_lifetime_option = click.option(
    "--min-lifetime",
    type=duration,
    default="0",
    metavar="DURATION",
    help="The token must work for at least this long: 90s, 30m, 6h; seconds without a unit.",
)


def load(config_paths: tuple[str, ...]) -> Config:
    """Return the checked settings of the environment and of config files.

    Secrets among them are masked in all logging from here on.

    Raises:
        ConfigurationError: A setting is wrong.
    """
    errors.came_with(config_paths)
    context = click.get_current_context(silent=True)
    if context is not None:  # an error is printed after the command's own context has ended
        context.find_root().call_on_close(lambda: errors.came_with(()))
    settings = values.merged(config_paths, os.environ)
    _set_up_logging(settings)
    return parsing.parse(settings)


def _set_up_logging(settings: dict[str, Any]) -> None:
    level = os.environ.get("TAP_TIKTOK_AUTH_LOGLEVEL", "WARNING").upper()
    known = logging.getLevelName(level)
    logging.basicConfig(
        level=known if isinstance(known, int) else logging.WARNING,
        format="tiktok-auth: %(message)s",
        stream=sys.stderr,
    )
    teach(*values.secrets_of(settings))
    install()


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
        with open_manager(config) as manager:
            yield manager
        return
    if config.token_store_key is not None:
        Cipher.from_text(config.token_store_key)  # an invalid key is an error all the same
    if not seeds:
        name = repeatable(next(iter(wanted), "NAME"))
        raise StoreUnavailable(
            f"there is no token store at {path}",
            next_step=f"Check setting token_store, or run: tiktok-auth login {name}",
        )
    tell(f"there is no token store at {path} yet")
    with closing(empty_store()) as store:
        yield TokenManager(config, store)


def connection_named(manager: TokenManager, name: str | None) -> Connection:
    """Return the connection of that name; without a name the only one, else `default`.

    Raises:
        ConfigurationError: There is none of that name; or there are several, and no `default`.
    """
    if name is not None:
        return manager.connection(name)
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


def confirm(question: str) -> None:
    """Go on only if a person says so.

    Raises:
        click.UsageError: There is nobody to ask.
        click.exceptions.Exit: The answer is no; exit code 1.
    """
    if not terminal.is_attended():
        raise click.UsageError("There is no terminal to ask on; to go on without asking: --yes")
    if not terminal.confirm(question):
        tell("nothing was changed")
        raise click.exceptions.Exit(EXIT_ERROR)
