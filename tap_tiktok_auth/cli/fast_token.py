"""Fast path of `tiktok-auth token NAME`: no click, no HTTP client and no logging are imported."""

from __future__ import annotations

import os
import sys
from importlib import import_module

from tap_tiktok_auth.config.parsing import check_name, parse
from tap_tiktok_auth.config.values import from_environment
from tap_tiktok_auth.credentials.manager import open_manager
from tap_tiktok_auth.errors import StoreError
from tap_tiktok_auth.process import give_stdout_up
from tap_tiktok_auth.store import missing_file


def print_fresh_token(name: str) -> int | None:
    """Print the connection's access token; return the exit code.

    Returns:
        None if the store has no fresh and settled token: the command line does all else.
    """
    try:
        token = _fresh_token(name)
    except StoreError as error:
        # Now: whoever waited for a store need not wait for it once more.
        import_module("tap_tiktok_auth.cli.output").fail(error)
    except Exception:  # noqa: BLE001  (the command line fails in the same way, and explains it)
        return None
    if token is None:
        return None
    try:
        sys.stdout.write(f"{token}\n")
        sys.stdout.flush()
    except OSError as error:
        give_stdout_up()
        if not isinstance(error, BrokenPipeError):
            sys.stderr.write(f"tiktok-auth: cannot print the token: {error.strerror}\n")
        return 1
    return 0


def _fresh_token(name: str) -> str | None:
    config = parse(from_environment(os.environ))
    if missing_file(config.token_store) is not None:
        return None
    if config.hosts.strangers():
        return None  # the command line warns of them
    with open_manager(config) as manager:
        try:
            stored = manager.store.read(check_name(name))
        except StoreError as error:
            raise error.of(name) from None
        if stored is None or stored.token is None or stored.attempt is not None:
            return None
        step = manager.outlook(manager.connection(name), stored)
    return stored.token.access_token if step.action == "use" and step.error is None else None
