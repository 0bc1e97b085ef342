"""From settings to connections: a config checked, and what it means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.apis.platforms import LOGIN_KIT, App, Hosts
from tap_tiktok_auth.config import settings
from tap_tiktok_auth.config.models import (
    DEFAULT_NAME,
    Config,
    Connection,
    Defaults,
    Seed,
    SeedKind,
    is_name,
)
from tap_tiktok_auth.config.values import validate
from tap_tiktok_auth.errors import ConfigurationError
from tap_tiktok_auth.network import is_ip_address, is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A host as it is spelled in ASCII: no other script, no punycode, no empty label, no trailing dot.
_LABEL = r"(?!-|xn--)[a-z0-9-]{1,63}(?<!-)"
_HOST = re.compile(
    rf"https?://(?P<host>{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])(?::[1-9][0-9]{{0,4}})?"
    r"(?:/[a-z0-9_-][a-z0-9._-]*)*/*",
    re.ASCII | re.IGNORECASE,
)
_DEFAULT_API = settings.BY_NAME["api"].default
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII | re.IGNORECASE)
_NAME_RULE = "letters, digits and . _ - @ :, at most 100, beginning with a letter or digit"
#: The settings that hold for a whole run, under their names in `Config`.
_RUN_SETTINGS = (Config.__dataclass_fields__.keys() & settings.BY_NAME.keys()) - {"connections"}
_HOST_SETTINGS = ("business_api_url", "login_kit_api_url", "tiktok_url")
#: What the top level lends to the entries of `connections`.
_LENT = ("api", "app_id", "app_secret", "redirect_uri", "advertiser_ids")


def parse(config: Mapping[str, Any]) -> Config:
    """Check a config and return what it means.

    Args:
        config: Settings by name, as the Singer config has them.

    Raises:
        ConfigurationError: The config is wrong; the message names the setting, never its value.
    """
    config = {key: value for key, value in config.items() if value is not None}
    validate(config, settings.BY_NAME)
    values = {s.name: config.get(s.name, s.default) for s in settings.SETTINGS}
    hosts = Hosts(*(_host(name, values[name]) for name in _HOST_SETTINGS))
    return Config(
        connections=_connections(config),
        defaults=Defaults(*(values[name] for name in Defaults.__dataclass_fields__)),
        hosts=hosts,
        **{name: values[name] for name in _RUN_SETTINGS},
    )


def check_name(name: str, where: str = "name") -> str:
    """Return *name* if it may name a connection.

    Raises:
        ConfigurationError: It may not.
    """
    if not is_name(name):
        msg = f"{where} is not a valid connection name"
        raise ConfigurationError(msg, next_step=f"Allowed are {_NAME_RULE}.")
    return name


def check_app(api: str, app_id: str | None, secret: str | None, where: str = "") -> None:
    """Refuse an app id that cannot be one: it is shown everywhere, and may be the secret.

    Raises:
        ConfigurationError: It cannot be one.
    """
    platform = APIS.platform(api)
    if app_id and not platform.is_app_id(app_id, secret):
        which = "" if platform is LOGIN_KIT else f": those of api {api} are numbers"
        raise ConfigurationError(
            f"setting {where}app_id is no {platform.app_ids}{which}",
            next_step="Did app_id and app_secret change places?",
        )


def _connections(config: Mapping[str, Any]) -> tuple[Connection, ...]:
    top = {name: config[name] for name in settings.PER_CONNECTION if name in config}
    # What a chain starts from belongs to the top level's own connection alone.
    shared = {name: value for name, value in top.items() if name in _LENT}
    found: dict[str, Connection] = {}
    if _has_seed(top):
        found[DEFAULT_NAME] = _connection(DEFAULT_NAME, top, "")
    for position, entry in enumerate(config.get("connections", ()), start=1):
        name, where = _entry_name(entry, position)
        if name in found:
            msg = f"setting connections has two entries named {name}"
            if name == DEFAULT_NAME and _has_seed(top):
                msg = "setting connections has an entry named default beside the top level's seed"
            raise ConfigurationError(msg, next_step="Give each connection a name of its own.")
        own = {k: v for k, v in entry.items() if k != "name" and v is not None}
        validate(own, settings.PER_CONNECTION, where)
        api = own.get("api", shared.get("api", _DEFAULT_API))
        lent = {
            name: value
            for name, value in shared.items()
            if name != "advertiser_ids" or APIS[api].has_advertisers
        }
        found[name] = _connection(name, {**lent, **own}, where)
    return tuple(found.values())


def _entry_name(entry: Mapping[str, Any], position: int) -> tuple[str, str]:
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        msg = f"setting connections: entry {position} has no name"
        raise ConfigurationError(msg, next_step=f"Add a name: {_NAME_RULE}.")
    check_name(name, f"setting connections: the name of entry {position}")
    return name, f"connections.{name}."


def _has_seed(values: Mapping[str, Any]) -> bool:
    return _is_client_credentials(values) or any(name in values for name in settings.SEEDS)


def _is_client_credentials(values: Mapping[str, Any]) -> bool:
    return values.get("grant_type") == "client_credentials"


def _connection(name: str, values: Mapping[str, Any], where: str) -> Connection:
    api = values.get("api", _DEFAULT_API)
    seed = _seed(values, api, where)
    app_id, secret = values.get("app_id"), values.get("app_secret")
    check_app(api, app_id, secret, where)
    advertiser_ids = tuple(values.get("advertiser_ids", ()))
    if advertiser_ids:
        _check_is_for(api, "has_advertisers", f"{where}advertiser_ids", "Remove it.")
    if not (app_id and secret) and not _works_without_app(api, seed, advertiser_ids):
        missing = "app_secret" if app_id else "app_id"
        step = f"Set {where}{missing}."
        if seed is not None and seed.kind == "access_token" and APIS[api].has_advertisers:
            step = (
                f"Set {where}app_id and {where}app_secret, or {where}advertiser_ids: with these "
                "an access_token works alone."
            )
        msg = f"setting {where}{missing} is missing, connection {name} needs it"
        raise ConfigurationError(msg, next_step=step)
    return Connection(
        name=name,
        api=api,
        app=App(app_id, secret) if app_id and secret else None,
        seed=seed,
        redirect_uri=values.get("redirect_uri"),
        advertiser_ids=tuple(dict.fromkeys(advertiser_ids)),
    )


def _works_without_app(api: str, seed: Seed | None, advertiser_ids: tuple[str, ...]) -> bool:
    """Whether nothing that the connection does needs the app's credentials."""
    if seed is None:
        return True
    alone = bool(advertiser_ids) or APIS[api].verifies_without_app
    return seed.kind == "access_token" and alone


def _seed(values: Mapping[str, Any], api: str, where: str) -> Seed | None:
    code, refresh, access = (values.get(name) for name in settings.SEEDS)
    if _is_client_credentials(values):
        grant = f"{where}grant_type client_credentials"
        _check_is_for(api, "client_credentials", grant)
        if code or refresh or access:
            msg = f"setting {grant} stands beside a seed"
            raise ConfigurationError(msg, next_step="Remove one of them.")
        return Seed("client_credentials")
    if code and (refresh or access):
        other = "refresh_token" if refresh else "access_token"
        msg = f"settings {where}auth_code and {where}{other} stand beside each other"
        raise ConfigurationError(msg, next_step="Keep the one that the chain shall start from.")
    if refresh and not APIS[api].refresh_tokens:
        msg = f"setting {where}refresh_token is not for api {api}, whose tokens are not refreshed"
        raise ConfigurationError(msg, next_step="Remove it.")
    verifier = values.get("code_verifier")
    if verifier:
        _check_is_for(api, "pkce", f"{where}code_verifier", "Remove it.")
    if code:
        return Seed("auth_code", auth_code=code, code_verifier=verifier)
    if refresh:
        kind: SeedKind = "access_and_refresh_token" if access else "refresh_token"
        return Seed(kind, refresh_token=refresh, access_token=access)
    return Seed("access_token", access_token=access) if access else None


def _check_is_for(api: str, fact: str, setting: str, next_step: str | None = None) -> None:
    """Refuse a setting that a token system has no use for."""
    if not getattr(APIS[api], fact):
        those = " or ".join(name for name, kind in APIS.items() if getattr(kind, fact))
        raise ConfigurationError(f"setting {setting} is for api {those} only", next_step=next_step)


def _host(name: str, url: str) -> str:
    problem = _host_problem(url)
    if problem is not None:
        step = "Write it like https://host, or http://127.0.0.1:8080 for a simulator."
        raise ConfigurationError(f"setting {name} {problem}", next_step=step)
    return url.rstrip("/")


def _host_problem(url: str) -> str | None:
    parts = _split_url(url)
    if parts is None:
        return "is not a URL"
    if not parts.hostname or parts.scheme not in {"http", "https"}:
        return "is not an http or https URL"
    if parts.username is not None or any(char in url for char in "@?#"):
        return "must have no user, query or fragment"
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        return "must be https; http is allowed on a loopback address only"
    if not _HOST.fullmatch(url) or not _is_plain_host(parts.hostname):
        return "must have a plain host: letters, digits, hyphens and single dots, no other signs"
    return None


def _is_plain_host(host: str) -> bool:
    """Whether a host is a name, or an address in the one form that all programs read alike."""
    if ":" not in host and not _NUMBER.fullmatch(host.rpartition(".")[2]):
        return len(host) <= 253
    return is_ip_address(host)


def _split_url(url: str) -> SplitResult | None:
    if any(char.isspace() or char == "\\" for char in url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None  # its text has a piece of the URL, and would be logged as the error's context
    return parts
