"""What the commands share: settings, sessions, errors as one line, exit codes."""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from tap_tiktok_auth import config_files, configuration, setting_values
from tap_tiktok_auth.errors import AuthorizationRequired, TikTokAuthError
from tap_tiktok_auth.redaction import SECRETS, install, teach
from tap_tiktok_auth.session import session
from tap_tiktok_auth.settings import ENV_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from tap_tiktok_auth.broker import Broker
    from tap_tiktok_auth.connections import Config

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
            return configuration.check_name(value, "the NAME given")
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

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")

yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask first.")


def load(config_paths: tuple[str, ...]) -> Config:
    """Return the checked settings of the environment and of config files.

    Secrets among them are masked in all logging from here on.

    Raises:
        ConfigurationError: A setting is wrong.
    """
    values = config_files.merged(config_paths, os.environ)
    _set_up_logging(values)
    return configuration.parse(values)


@contextmanager
def open_session(config_paths: tuple[str, ...]) -> Iterator[Broker]:
    """Open a broker over the settings' store."""
    with session(load(config_paths)) as broker:
        yield broker


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
    click.echo(f"tiktok-auth: {line}", err=True)


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
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask on; to go on without asking: --yes")
    if not click.confirm(question, err=True):
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
