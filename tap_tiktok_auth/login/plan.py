"""What a login asks for: token system, app, scopes and redirect URI."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, urlsplit

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.apis.base import check_account_holder_uri, split_redirect_uri
from tap_tiktok_auth.config.models import App, Connection
from tap_tiktok_auth.config.parsing import check_name
from tap_tiktok_auth.errors import ConfigurationError
from tap_tiktok_auth.login.consent import PAGE_PATHS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_tiktok_auth.apis.base import TokenApi
    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.credentials.models import StoredConnection

#: Port of the default redirect URI. Fixed, because TikTok wants redirect URIs registered.
DEFAULT_PORT = 8917
#: The names under which a browser finds a listener on this machine.
LISTENABLE = frozenset({"localhost", "127.0.0.1"})
_SCOPE_ID = re.compile(r"\d{1,20}")
_SCOPE_NAME = re.compile(r"[a-z][A-Za-z0-9._]{0,99}")


def lends_app(lender: str, api: str) -> bool:
    """Whether an app of one token system may serve the other: it is registered at one place."""
    return APIS.platform(lender) is APIS.platform(api)


def plan_login(
    manager: TokenManager, name: str, api: str | None, scope_options: Iterable[str]
) -> tuple[Connection, tuple[str, ...]]:
    """Return the connection that a login is for, and the scopes to ask for.

    The app comes from the settings, the connection's own before the top level's, else from the
    stored connection; so does the redirect URI. Scopes that nobody names are those that the
    connection has.

    Args:
        manager: For its config and store.
        name: The connection.
        api: The token system that the person wants.
        scope_options: The scopes that the person wants, or the app's link from TikTok's portal.

    Returns:
        The connection without a seed, its app or redirect URI None if it must be asked for; no
        scopes stand for the token system's own choice.

    Raises:
        ConfigurationError: The options contradict what the connection is.
    """
    check_name(name)
    scopes, link = _read_scopes(scope_options)
    defaults, configured = manager.config.defaults, manager.config.connection(name)
    stored = manager.store.read(name)
    if stored is not None and stored.token is None:
        stored = None
    _refuse_contradictions(configured, api, configured or stored)
    connection = configured or Connection(name, api or (stored.api if stored else defaults.api))
    if stored is not None and stored.api != connection.api:
        stored = None
    lent = defaults if lends_app(defaults.api, connection.api) else None
    app = connection.app or (lent.app() if lent else None)
    if app is None and stored is not None and stored.app_secret is not None:
        # One that is for another host is not sent to this one: the person gives it again.
        elsewhere = manager.registry.other_host(stored)
        app = None if elsewhere else App(stored.app_id, stored.app_secret)
    if link and app and app.app_id not in {link.get("client_key"), link.get("app_id")}:
        raise ConfigurationError(
            "the link after --scope is that of another app", next_step="Copy it from the same app."
        )
    redirect_uri = (
        connection.redirect_uri
        or (lent.redirect_uri if lent else None)
        or (stored.redirect_uri if stored else None)
        or link.get("redirect_uri")
    )
    if not (scopes or link) and stored is not None and APIS[connection.api].account_holder:
        scopes = stored.scopes or ()
    _check_scopes(connection.api, scopes)
    return replace(connection, app=app, seed=None, redirect_uri=redirect_uri), scopes


def _refuse_contradictions(
    configured: Connection | None, api: str | None, known: Connection | StoredConnection | None
) -> None:
    if known is not None and api not in {None, known.api}:
        raise ConfigurationError(
            f"connection {known.name} is of api {known.api} already",
            next_step="Leave --api out, or give the login another NAME.",
        )
    seed = configured.seed if configured else None
    if configured is not None and seed is not None and seed.kind == "client_credentials":
        raise ConfigurationError(
            f"connection {configured.name} has tokens of the app itself, which nobody logs in for",
            next_step="Give the login another NAME.",
        )


def _read_scopes(options: Iterable[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return scopes, and the parameters of the app's own link from TikTok's portal, if any.

    An option has scopes with commas between, or is that link, which asks for all of the app.
    """
    scopes: list[str] = []
    link: dict[str, str] = {}
    for text in options:
        if "://" not in text:
            scopes += [part for part in text.split(",") if part] or [text]
            continue
        try:
            parts = urlsplit(text.strip())
        except ValueError:
            parts = urlsplit("")
        if not parts.path.startswith(PAGE_PATHS):
            raise ConfigurationError(
                "the address after --scope is not the app's link from TikTok's portal",
                next_step="Copy the authorization URL of the app, or name the scopes.",
            )
        link = dict(parse_qsl(parts.query))
        scopes += re.findall(r'[^][\s",]+', link.get("scope", ""))
    return tuple(dict.fromkeys(scopes)), link


def _check_scopes(api: str, scopes: tuple[str, ...]) -> None:
    by_name = APIS[api].account_holder
    pattern = _SCOPE_NAME if by_name else _SCOPE_ID
    if not all(pattern.fullmatch(scope) for scope in scopes):
        example = "user.info.basic" if by_name else "4"
        raise ConfigurationError(
            f"a scope is not one of api {api}", next_step=f"Write it like --scope {example}"
        )


def choose_redirect_uri(api: type[TokenApi], registered: str | None, port: int | None) -> str:
    """Return the redirect URI of a login; TikTok compares it byte for byte with registered ones.

    Args:
        api: The token system.
        registered: The setting; `*` as its port stands for any, as in TikTok's own list.
        port: The port that the person wants to listen on.

    Raises:
        ConfigurationError: TikTok would refuse the redirect URI, or there is none.
    """
    if api.loopback_host is None:
        if port is not None:
            raise ConfigurationError(
                f"TikTok allows api {api.name} no callback to this machine, so no port either",
                next_step="Leave --port out.",
            )
        if registered is None:
            raise ConfigurationError(
                f"setting redirect_uri is missing, api {api.name} needs it",
                next_step="Set it to the address that is registered for the app.",
            )
        check_account_holder_uri(registered)
        return registered
    if registered is not None:
        parts = split_redirect_uri(registered)
        if parts.scheme == "http" and parts.hostname in LISTENABLE:
            return _with_port(registered, parts, port)
        if port is None:
            return registered
    # TikTok documents which name it may have. (TikTok docs: authorization; Login Kit for Desktop.)
    return f"http://{api.loopback_host}:{port or DEFAULT_PORT}/callback/"


def listening_port(redirect_uri: str) -> int | None:
    """Return the port of this machine to which a browser is sent back.

    None if it is sent elsewhere, so that its address must be pasted. A URI without a port is for
    port 80, which ordinary programs may not listen on.
    """
    parts = urlsplit(redirect_uri)
    if parts.scheme != "http" or parts.hostname not in LISTENABLE:
        return None
    return parts.port or None


def _with_port(registered: str, parts: SplitResult, port: int | None) -> str:
    """Return a loopback URI with the port to listen on, otherwise as it is registered."""
    host, _, own = parts.netloc.partition(":")
    if own != "*" and port in {None, parts.port}:
        return registered
    return registered.replace(parts.netloc, f"{host}:{port or DEFAULT_PORT}", 1)
