"""`tiktok-auth store`: care for the token store."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import click

from tap_tiktok_auth.cli.common import EXIT_ERROR, config_option, load, one_line_errors, tell
from tap_tiktok_auth.config.settings import ENV_PREFIX
from tap_tiktok_auth.errors import ConfigurationError
from tap_tiktok_auth.store import is_postgres, keys, open_store
from tap_tiktok_auth.store.keys import Cipher

if TYPE_CHECKING:
    from tap_tiktok_auth.errors import StoreDamaged
    from tap_tiktok_auth.store import Snapshot, Store

_TO, _KEY = f"{ENV_PREFIX}COPY_TO", f"{ENV_PREFIX}COPY_KEY"


class Left:
    """The connections that cannot be read, which are left as, and where, they are."""

    def __init__(self) -> None:
        self.errors: list[StoreDamaged] = []

    def __call__(self, _name: str, _api: str, error: StoreDamaged) -> None:
        """Note one."""
        self.errors.append(error)

    def conclude(self) -> None:
        """Tell of them, and end with exit code 1 if there is one."""
        for error in self.errors:
            tell(f"left as it is: {error}")
        if self.errors:
            sys.exit(EXIT_ERROR)


@click.group()
def store() -> None:
    """Change the key of the token store, or copy the store to another database.

    \b
      tiktok-auth store rotate-key
      tiktok-auth store copy postgresql://db.example.com/tokens
    """  # noqa: D301  (click's mark for text that keeps its lines)


@store.command("rotate-key")
@config_option
@one_line_errors
def rotate_key(config_paths: tuple[str, ...]) -> None:
    """Seal all that is secret in the token store with a new key.

    With a key file, a new key is made and put in front of the file; the former ones stay behind
    it, for backups. With the setting token_store_key, its first key is the one to seal with: make
    a key with keygen, set token_store_key to OLD,NEW on every machine, then to NEW,OLD, run this,
    then set it to NEW. On a single machine OLD,NEW may be left out.

    All of it is one transaction, and runs may go on meanwhile. What cannot be opened stays as it
    is and is named; exit code 1 then.

    \b
      tiktok-auth store rotate-key
      TAP_TIKTOK_AUTH_TOKEN_STORE_KEY="$NEW,$OLD" tiktok-auth store rotate-key
    """  # noqa: D301  (click's mark for text that keeps its lines)
    config = load(config_paths)
    given = config.token_store_key
    opened = open_store(config.token_store, given)
    left = Left()
    try:
        if given is None:
            key_file = keys.default_key_file()
            count = keys.rotate(opened, key_file, left)
            next_step = f"The former keys stay in {key_file}, behind the new one."
        else:
            count = opened.rotate_key(_new_cipher(given), left)
            next_step = "Now set token_store_key to its first key alone, on every machine."
    finally:
        opened.close()
    click.echo(f"{_counted(count, 'connection')} sealed with the new key")
    if left.errors:
        next_step = "Keep the former keys: what could not be opened may be sealed with one of them."
    tell(next_step)
    left.conclude()


def _new_cipher(setting: str) -> Cipher:
    if len({key.strip() for key in setting.split(",") if key.strip()}) < 2:
        raise ConfigurationError(
            "setting token_store_key has one key only, and the token store is sealed with it",
            next_step="Make a new one with: tiktok-auth keygen. On every machine, set "
            "token_store_key to OLD,NEW, then to NEW,OLD; then run this again.",
        )
    return Cipher.from_text(setting)


def _address(ctx: click.Context, _param: click.Parameter, url: str | None) -> str:
    """Return where to copy to; an address with a password must not stand on the command line."""
    if url is None:
        if not os.environ.get(_TO):
            raise click.UsageError(f"Give the new store's address, as URL or in {_TO}.", ctx)
        return os.environ[_TO]
    if is_postgres(url) and _has_password(url):
        raise click.UsageError(
            "Other users can see a command line, so it must hold no password."
            f" Give the address in {_TO}, or the password in PGPASSWORD or ~/.pgpass.",
            ctx,
        )
    return url


def _has_password(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return True  # malformed, perhaps by a password that is not percent-encoded
    options = parse_qs(parts.query, keep_blank_values=True)
    return parts.password is not None or any("password" in name for name in options)


@store.command("copy")
@click.argument("url", required=False, callback=_address, metavar="[URL]")
@config_option
@one_line_errors
def copy(url: str, config_paths: tuple[str, ...]) -> None:
    """Copy the token store of the settings to another, empty one at URL.

    From SQLite to PostgreSQL, so that machines can share it, or back: connections, ad accounts and
    the audit trail, in one transaction. First stop all runs: a token that is refreshed in one
    store is dead in the other. A connection that cannot be opened is left out and named; exit code
    1 then.

    The new store is sealed with the key in TAP_TIKTOK_AUTH_COPY_KEY, else with token_store_key,
    else, SQLite only, with the key file. If URL has a password, give it as
    TAP_TIKTOK_AUTH_COPY_TO instead, or the password in PGPASSWORD.

    \b
      export TAP_TIKTOK_AUTH_COPY_KEY="$(tiktok-auth keygen)"
      tiktok-auth store copy postgresql://tap@db.example.com/tokens
      tiktok-auth store copy sqlite:////srv/tap/tokens.db
    """  # noqa: D301  (click's mark for text that keeps its lines)
    config = load(config_paths)
    key = os.environ.get(_KEY) or config.token_store_key
    if is_postgres(url) and key is None:
        raise ConfigurationError(
            f"a PostgreSQL store needs a key, and neither {_KEY} nor token_store_key is set",
            next_step="Make one with: tiktok-auth keygen",
        )
    source = open_store(config.token_store, config.token_store_key)
    left = Left()
    try:
        target = _open_target(url, key)
        try:
            if target.location == source.location:
                raise ConfigurationError(f"{source.location} is the token store of the settings")
            snapshot = source.snapshot(left)
            target.restore(snapshot)
        finally:
            target.close()
    finally:
        source.close()
    _tell_what_next(source, target, snapshot)
    left.conclude()


def _open_target(url: str, key: str | None) -> Store:
    try:
        return open_store(url, key)
    except ConfigurationError as error:
        # What is wrong is what this command was given, not a setting.
        error.cause = error.cause.replace("setting token_store_key", "the new store's key")
        error.cause = error.cause.replace("setting token_store", "the new store's address")
        raise


def _tell_what_next(source: Store, target: Store, snapshot: Snapshot) -> None:
    accounts = sum(map(len, snapshot.advertisers.values()))
    click.echo(
        f"copied {_counted(len(snapshot.records), 'connection')},"
        f" {_counted(accounts, 'ad account')} and {_counted(len(snapshot.events), 'event')}"
        f" to {target.location}"
    )
    for record in snapshot.records:
        if record.attempt is not None and record.attempt.outcome == "sent":
            tell(
                f"connection {record.name}: a token request was under way. Check it when all is "
                f"switched: tiktok-auth status {record.name} --check"
            )
    tell("1. On every machine, set token_store to the new store, and token_store_key to its key.")
    tell("2. See that all connections are there: tiktok-auth status")
    tell(
        f"3. Keep {source.location} as a backup only. Never use both: a refresh in one makes the "
        "other's token useless."
    )


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")
