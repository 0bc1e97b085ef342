"""What `tiktok-auth login` asks the person for, on a terminal; secrets are not shown."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.apis.platforms import LOGIN_KIT
from tap_tiktok_auth.cli import terminal
from tap_tiktok_auth.config import settings, values
from tap_tiktok_auth.config.models import App
from tap_tiktok_auth.config.parsing import check_app
from tap_tiktok_auth.errors import ConfigurationError
from tap_tiktok_auth.login.finish import TOKENS_LIMIT, check_tokens, read_tokens

if TYPE_CHECKING:
    from tap_tiktok_auth.config.models import Connection


def complete(connection: Connection, *, app_id: str | None, needs_address: bool) -> Connection:
    """Return the connection with the app and the callback address that its login needs.

    Args:
        connection: The connection.
        app_id: The app id that the settings have, if they lack its secret only.
        needs_address: Whether there is no callback address unless someone gives one.

    Raises:
        ConfigurationError: Something is missing and nobody can be asked.
    """
    app = connection.app
    if app is None:
        what = "app_secret is" if app_id else "app_id and app_secret are"
        _refuse_without_terminal(what, connection)
        id_name, secret_name = (
            ("Client key", "Client secret")
            if APIS.platform(connection.api) is LOGIN_KIT
            else ("App id", "App secret")
        )
        app_id = app_id or _ask(id_name, "app_id")
        app = App(app_id, _ask(secret_name, "app_secret", hidden=True))
    redirect_uri = connection.redirect_uri
    if redirect_uri is None and needs_address:
        _refuse_without_terminal("redirect_uri is", connection)
        redirect_uri = _ask("Callback address, as registered for the app", "redirect_uri")
    check_app(connection.api, app.app_id, app.secret)
    return replace(connection, app=app, redirect_uri=redirect_uri)


def tokens() -> dict[str, str]:
    """Return the tokens that the person holds: typed without echo, or piped into stdin.

    Raises:
        ConfigurationError: There is none, or it is none.
    """
    if not terminal.is_attended():
        return read_tokens(_piped())
    terminal.say("The tokens are not shown while you type. Leave out what you do not have.")
    names = {"access_token": "Access token", "refresh_token": "Refresh token"}
    return check_tokens(
        {name: terminal.ask(label, hidden=True, optional=True) for name, label in names.items()}
    )


def address() -> str:
    """Return the callback's address, pasted or piped in."""
    if terminal.is_attended():
        return terminal.ask("Address of the page after the consent")
    return _piped().partition("\n")[0]


def _piped() -> str:
    """Return what is piped in; nothing from the terminal of a CI job, where nobody types."""
    return "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read(TOKENS_LIMIT + 1)


def _ask(label: str, setting: str, *, hidden: bool = False) -> str:
    value = terminal.ask(label, hidden=hidden)
    values.validate({setting: value}, settings.PER_CONNECTION)
    return value


def _refuse_without_terminal(what: str, connection: Connection) -> None:
    if not terminal.is_attended():
        raise ConfigurationError(
            f"{what} missing for connection {connection.name}",
            next_step="Set TAP_TIKTOK_AUTH_APP_ID, TAP_TIKTOK_AUTH_APP_SECRET and, for the apis "
            "accounts and creator, TAP_TIKTOK_AUTH_REDIRECT_URI; or run this on a terminal.",
        )
