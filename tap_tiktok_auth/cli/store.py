"""`tiktok-auth store` and `tiktok-auth keygen`: the token store's key, and its move."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import click

from tap_tiktok_auth.cli import common, output
from tap_tiktok_auth.config.settings import ENV_PREFIX
from tap_tiktok_auth.errors import ConfigurationError
from tap_tiktok_auth.store import is_postgres, keys, open_store
from tap_tiktok_auth.store.keys import Cipher, new_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_tiktok_auth.errors import StoreDamaged
    from tap_tiktok_auth.store import Snapshot, Store

_TO, _KEY = f"{ENV_PREFIX}COPY_TO", f"{ENV_PREFIX}COPY_KEY"


@click.command()
def keygen() -> None:
    """Print a new key for a token store.

    Give the same key to every machine that shares the store, as TAP_TIKTOK_AUTH_TOKEN_STORE_KEY.
    Without it the stored tokens cannot be read.

    \b
      export TAP_TIKTOK_AUTH_TOKEN_STORE_KEY="$(tiktok-auth keygen)"
    """
    click.echo(new_key())


@click.group()
def store() -> None:
    """Change the key of the token store, or copy the store to another database.

    \b
      tiktok-auth store rotate-key
      tiktok-auth store copy postgresql://db.example.com/tokens
    """


@store.command("rotate-key")
@common.config_option
def rotate_key(config_paths: tuple[str, ...]) -> None:
    """Encrypt the secrets in the token store with a new key.

    With a key file, a new key is put at its start; the former keys stay behind it, for backups.
    With the setting token_store_key, its first key encrypts: make a key with keygen, set
    token_store_key to OLD,NEW on every machine, then to NEW,OLD, run this, then set it to NEW. On
    a single machine OLD,NEW may be left out.

    All of it is one transaction, and runs may go on meanwhile. A connection that cannot be
    decrypted stays as it is and is named, with exit code 1.

    \b
      tiktok-auth store rotate-key
      TAP_TIKTOK_AUTH_TOKEN_STORE_KEY="$NEW,$OLD" tiktok-auth store rotate-key
    """
    config = common.load(config_paths)
    given = config.token_store_key
    unread: list[StoreDamaged] = []
    with closing(open_store(config.token_store, given)) as opened:
        if given is None:
            key_file = keys.default_key_file()
            count = keys.rotate(partial(opened.rotate_key, damaged=_into(unread)), key_file)
            next_step = f"The former keys stay in {key_file}, behind the new one."
        else:
            count = opened.rotate_key(_new_cipher(given), _into(unread))
            next_step = "Now set token_store_key to its first key alone, on every machine."
    click.echo(f"{_counted(count, 'connection')} sealed with the new key")
    if unread:
        next_step = "Keep the former keys: what could not be opened may be sealed with one of them."
    output.tell(next_step)
    _exit_with(unread)


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
@common.config_option
def copy(url: str, config_paths: tuple[str, ...]) -> None:
    """Copy the token store of the settings to another, empty one at URL.

    From SQLite to PostgreSQL, so that machines can share it, or back: connections, ad accounts and
    the audit trail, in one transaction. First stop all runs: a token that is refreshed in one
    store no longer works in the other. A connection that cannot be decrypted is left out and
    named, with exit code 1.

    The new store is encrypted with the key in TAP_TIKTOK_AUTH_COPY_KEY, else with token_store_key,
    else, SQLite only, with the key file. If URL has a password, give it as
    TAP_TIKTOK_AUTH_COPY_TO instead, or the password in PGPASSWORD.

    \b
      export TAP_TIKTOK_AUTH_COPY_KEY="$(tiktok-auth keygen)"
      tiktok-auth store copy postgresql://tap@db.example.com/tokens
      tiktok-auth store copy sqlite:////srv/tap/tokens.db
    """
    config = common.load(config_paths)
    key = os.environ.get(_KEY) or config.token_store_key
    if is_postgres(url) and key is None:
        raise ConfigurationError(
            f"a PostgreSQL store needs a key, and neither {_KEY} nor token_store_key is set",
            next_step="Make one with: tiktok-auth keygen",
        )
    unread: list[StoreDamaged] = []
    with (
        closing(open_store(config.token_store, config.token_store_key)) as source,
        closing(_open_target(url, key)) as target,
    ):
        if target.location == source.location:
            raise ConfigurationError(f"{source.location} is the token store of the settings")
        snapshot = source.snapshot(_into(unread))
        target.restore(snapshot)
    _tell_next_steps(source, target, snapshot)
    _exit_with(unread)


def _open_target(url: str, key: str | None) -> Store:
    try:
        return open_store(url, key)
    except ConfigurationError as error:
        # What is wrong is what this command was given, not a setting.
        error.cause = error.cause.replace("setting token_store_key", "the new store's key")
        error.cause = error.cause.replace("setting token_store", "the new store's address")
        raise


def _tell_next_steps(source: Store, target: Store, snapshot: Snapshot) -> None:
    accounts = sum(map(len, snapshot.advertisers.values()))
    click.echo(
        f"copied {_counted(len(snapshot.records), 'connection')},"
        f" {_counted(accounts, 'ad account')} and {_counted(len(snapshot.events), 'event')}"
        f" to {target.location}"
    )
    for stored in snapshot.records:
        if stored.attempt is not None and stored.attempt.outcome == "sent":
            output.tell(
                f"connection {stored.name}: a token request was under way. Check it when all is "
                f"switched: tiktok-auth status {stored.name} --check"
            )
    output.tell(
        "1. On every machine, set token_store to the new store, and token_store_key to its key."
    )
    output.tell("2. See that all connections are there: tiktok-auth status")
    output.tell(
        f"3. Keep {source.location} as a backup only. Never use both: a refresh in one makes the "
        "other's token useless."
    )


def _into(unread: list[StoreDamaged]) -> Callable[[str, str, StoreDamaged], None]:
    """Return what the store calls for a connection that it cannot read and leaves as it is."""
    return lambda _name, _api, error: unread.append(error)


def _exit_with(unread: list[StoreDamaged]) -> None:
    """Name the connections that could not be read, and end with exit code 1 if there are any."""
    for error in unread:
        output.tell(f"left as it is: {error}")
    if unread:
        sys.exit(output.EXIT_ERROR)


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")
