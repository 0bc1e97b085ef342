"""What a login is about to do, as far as settings and the token store tell."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.config.models import App
from tap_tiktok_auth.config.parsing import check_name
from tap_tiktok_auth.errors import ConfigurationError
from tap_tiktok_auth.login.callback import PAGE_PATHS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_tiktok_auth.config.models import Connection
    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.credentials.models import StoredConnection

_SCOPE_ID = re.compile(r"\d{1,20}")
_SCOPE_NAME = re.compile(r"[a-z][A-Za-z0-9._]{0,99}")


@dataclass(frozen=True)
class Plan:
    """A login before it begins.

    Attributes:
        name: The connection's name.
        api: The token system.
        app: The app; None if it must be asked for.
        redirect_uri: The callback address as registered; None if no setting has it.
        scopes: The scopes to ask for; empty for the token system's own choice.
        advertiser_ids: Ad accounts that the config names.
    """

    name: str
    api: str
    app: App | None = None
    redirect_uri: str | None = None
    scopes: tuple[str, ...] = ()
    advertiser_ids: tuple[str, ...] = ()

    def with_app(self, app_id: str, secret: str) -> Plan:
        """Return the plan with an app."""
        return replace(self, app=App(app_id, secret))


def plan_login(manager: TokenManager, name: str, api: str | None, given: Iterable[str]) -> Plan:
    """Gather what is known of a login.

    The app comes from the settings, the connection's own before the top level's, else from the
    connection as it is stored. Scopes that nobody names are those that the connection has.

    Args:
        manager: For its config and store.
        name: The connection.
        api: The token system that the person wants.
        given: The scopes that the person wants, or the app's link from TikTok's portal.

    Raises:
        ConfigurationError: The wish contradicts what the connection is.
    """
    check_name(name)
    scopes, link = read_scopes(given)
    defaults, configured = manager.config.defaults, manager.config.connection(name)
    record = manager.store.read(name)
    if record is not None and record.token is None:
        record = None
    _refuse_contradictions(name, api, configured, record)
    api = api or _told_api(configured, record) or defaults.api
    if record is not None and record.api != api:
        record = None
    lends = APIS.platform(defaults.api) is APIS.platform(api)
    app = (configured.app if configured else None) or (defaults.app() if lends else None)
    if app is None and record is not None and record.app_secret is not None:
        # One that is for another host is not sent to this one: the person gives it again.
        app = None if manager.registry.elsewhere(record) else App(record.app_id, record.app_secret)
    redirect_uri = (
        (configured.redirect_uri if configured else None)
        or (defaults.redirect_uri if lends else None)
        or (record.redirect_uri if record else None)
        or link.get("redirect_uri")
    )
    if link and app and app.app_id not in {link.get("client_key"), link.get("app_id")}:
        raise ConfigurationError(
            "the link after --scope is that of another app", next_step="Copy it from the same app."
        )
    if not (scopes or link) and record is not None and APIS[api].account_holder:
        scopes = record.scopes or ()
    check_scopes(api, scopes)
    return Plan(
        name,
        api,
        app,
        redirect_uri,
        scopes,
        configured.advertiser_ids if configured and APIS[api].has_advertisers else (),
    )


def check_scopes(api: str, scopes: tuple[str, ...]) -> None:
    """Refuse scopes that cannot be any of the token system.

    Raises:
        ConfigurationError: One is not.
    """
    by_name = APIS[api].account_holder
    pattern = _SCOPE_NAME if by_name else _SCOPE_ID
    if not all(pattern.fullmatch(scope) for scope in scopes):
        example = "user.info.basic" if by_name else "4"
        raise ConfigurationError(
            f"a scope is not one of api {api}", next_step=f"Write it like --scope {example}"
        )


def read_scopes(given: Iterable[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return scopes, and the rest of the app's own link from TikTok's portal if one is given.

    Args:
        given: Scopes, several of them with commas between, or such a link, which asks for all
            scopes of the app.

    Raises:
        ConfigurationError: An address is no such link.
    """
    scopes: list[str] = []
    link: dict[str, str] = {}
    for text in given:
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


def _told_api(configured: Connection | None, record: StoredConnection | None) -> str | None:
    if configured is not None:
        return configured.api
    return record.api if record else None


def _refuse_contradictions(
    name: str, api: str | None, configured: Connection | None, record: StoredConnection | None
) -> None:
    told = _told_api(configured, record)
    if api is not None and told is not None and api != told:
        raise ConfigurationError(
            f"connection {name} is of api {told} already",
            next_step="Leave --api out, or give the login another NAME.",
        )
    seed = configured.seed if configured else None
    if seed is not None and seed.kind == "client_credentials":
        raise ConfigurationError(
            f"connection {name} has tokens of the app itself, which nobody logs in for",
            next_step="Give the login another NAME.",
        )
