"""Whether the settings make sense together."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.apis.platforms import STRANGER
from tap_tiktok_auth.config import settings
from tap_tiktok_auth.config import values as setting_values
from tap_tiktok_auth.doctor.findings import Finding, from_error
from tap_tiktok_auth.errors import ConfigurationError
from tap_tiktok_auth.login.address import check_account_holder_address
from tap_tiktok_auth.network import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_tiktok_auth.config.models import Config, Connection

_CHECK = "config"
#: Variables with our prefix that are no settings.
_OTHER_VARIABLES = frozenset(
    settings.ENV_PREFIX + name for name in ("LOGLEVEL", "LOG_LEVEL", "COPY_KEY", "COPY_TO")
)


def check_environment(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look for variables that were meant as settings and are none."""
    known = {setting.env_var for setting in settings.SETTINGS} | _OTHER_VARIABLES
    # Meltano sets one more for each part of an object.
    parts = tuple(f"{s.env_var}_" for s in settings.SETTINGS if s.kind == "object")
    for name in sorted(environ):
        # Meltano's own begin with two underscores after the prefix.
        is_ours = (
            name.startswith(settings.ENV_PREFIX) and name[len(settings.ENV_PREFIX) :][:1] != "_"
        )
        if is_ours and name not in known and not name.startswith(parts):
            shown = "".join(char if char.isprintable() else "?" for char in name)[:80]
            yield Finding(
                _CHECK,
                "warning",
                f"the environment variable {shown} is no setting and does nothing",
                "Compare its name with: tap-tiktok-auth --about",
            )


def check_files(paths: Iterable[str], environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at config files: who may read them, and what they override."""
    try:
        environment = setting_values.from_environment(environ)
    except ConfigurationError:
        return  # told already
    for path in paths:
        if path == "ENV":
            continue
        try:
            values, mode = setting_values.read(path), Path(path).stat().st_mode
        except (ConfigurationError, OSError):
            continue  # told already
        if any(setting_values.secrets_of(values)) and mode & 0o077:
            yield Finding(
                _CHECK,
                "warning",
                f"the config file {path} has secrets and is open to other users",
                f"chmod 600 {shlex.quote(path)}",
            )
        both = [name for name in values if name in environment]
        hidden = sorted(name for name in both if values[name] != environment[name])
        if hidden:
            yield Finding(
                _CHECK,
                "info",
                f"{path} overrides variables of the environment: {', '.join(hidden)}",
            )


def check_config(config: Config) -> Iterator[Finding]:
    """Look for settings that contradict each other or do nothing."""
    found = [*_check_run(config), *_check_hosts(config)]
    for connection in config.connections:
        found += _check_connection(connection)
    count = len(config.connections)
    named = "1 connection" if count == 1 else f"{count} connections"
    yield from found
    yield Finding(_CHECK, "ok", f"the settings can be read; the config names {named}")


def _check_run(config: Config) -> Iterator[Finding]:
    if not config.long_term_token and config.api_version != "v2.0":
        yield Finding(
            _CHECK,
            "warning",
            "long_term_token does nothing with api_version v1.3, whose tokens have no timer",
            "Remove long_term_token, or set api_version to v2.0.",
        )


def _check_hosts(config: Config) -> Iterator[Finding]:
    hosts = config.hosts
    local = {
        name: is_loopback(urlsplit(url).hostname or "") for name, url in hosts.by_setting().items()
    }
    if len(set(local.values())) > 1:
        here = ", ".join(name for name, is_local in local.items() if is_local)
        yield Finding(
            _CHECK,
            "warning",
            f"{here} points to this machine, the other addresses to TikTok",
            "Set business_api_url, login_kit_api_url and tiktok_url together, or none of them.",
        )
    for name, host in hosts.strangers().items():
        yield Finding(
            _CHECK,
            "warning",
            STRANGER.format(setting=name, host=host),
            f"Unset {name}, unless the host is yours.",
        )
    sandbox = (urlsplit(hosts.business).hostname or "").startswith("sandbox-ads.")
    for connection in config.connections:
        discovers = APIS[connection.api].has_advertisers and not connection.advertiser_ids
        if sandbox and discovers:
            yield Finding(
                _CHECK,
                "warning",
                "TikTok's sandbox does not tell the ad accounts",
                "Set advertiser_ids.",
                connection=connection.name,
            )


def _check_connection(connection: Connection) -> Iterator[Finding]:
    seed, name, api = connection.seed, connection.name, APIS[connection.api]
    if connection.redirect_uri is not None and api.loopback_host is None:
        try:
            advice = check_account_holder_address(connection.redirect_uri)
        except ConfigurationError as error:
            yield from_error(_CHECK, error.of(name), "warning")
        else:
            if advice:
                step = "Register it with a slash too, or leave it if the login works."
                yield Finding(_CHECK, "warning", f"connection {name}: {advice}", step)
    if seed is None:
        return
    if seed.kind == "auth_code" and api.account_holder and connection.redirect_uri is None:
        yield Finding(
            _CHECK,
            "warning",
            "TikTok wants the redirect_uri with the auth_code",
            "Set redirect_uri to the address that is registered for the app.",
            connection=name,
        )
    if seed.kind == "access_token" and api.account_holder:
        yield Finding(
            _CHECK,
            "warning",
            "its access_token ends within a day and cannot be refreshed",
            f"Set refresh_token too, or run: tiktok-auth login {name}",
            connection=name,
        )
