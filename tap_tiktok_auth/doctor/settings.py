"""Whether installation and settings go together, and who else may read the files they name."""

from __future__ import annotations

import os
import shlex
import stat
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.apis.base import check_account_holder_uri
from tap_tiktok_auth.apis.platforms import STRANGER
from tap_tiktok_auth.config import settings, values
from tap_tiktok_auth.doctor.findings import Finding, from_error
from tap_tiktok_auth.errors import ConfigurationError, TikTokAuthError
from tap_tiktok_auth.network import is_loopback
from tap_tiktok_auth.store import is_postgres, keys, sqlite_path
from tap_tiktok_auth.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tap_tiktok_auth.config.models import Config, Connection

#: Variables with our prefix that are no settings.
_OTHER_VARIABLES = frozenset(
    settings.ENV_PREFIX + name for name in ("LOGLEVEL", "LOG_LEVEL", "COPY_KEY", "COPY_TO")
)
_OPEN_TO_OTHERS = 0o077


def _is_installed(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def check_installation(is_installed: Callable[[str], bool] = _is_installed) -> Finding:
    """Check whether the installed distributions go together."""
    if is_installed("backoff"):
        return Finding(
            "installation",
            "problem",
            "the old distribution backoff overwrites files of python-backoff, which we need",
            "pip uninstall -y backoff && pip install --force-reinstall --no-deps python-backoff",
        )
    return Finding("installation", "ok", f"tap-tiktok-auth {VERSION}")


def check_environment(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look for variables that were meant as settings and are none."""
    prefix = settings.ENV_PREFIX
    known = {setting.env_var for setting in settings.SETTINGS} | _OTHER_VARIABLES
    # Meltano sets one more for each part of an object, and some that begin with two underscores.
    parts = tuple(f"{s.env_var}_" for s in settings.SETTINGS if s.kind == "object")
    for name in sorted(environ):
        is_ours = name.startswith(prefix) and not name.startswith(f"{prefix}_")
        if is_ours and name not in known and not name.startswith(parts):
            shown = "".join(char if char.isprintable() else "?" for char in name)[:80]
            yield _warning(
                f"the environment variable {shown} is not a setting and has no effect",
                "Compare its name with: tap-tiktok-auth --about",
            )


def check_files(paths: Iterable[str], environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at config files: who may read them, and what they override."""
    try:
        environment = values.from_environment(environ)
    except ConfigurationError:
        return  # told when the settings are loaded
    for path in paths:
        if path == "ENV":
            continue
        try:
            read, mode = values.read(path), Path(path).stat().st_mode
        except (ConfigurationError, OSError):
            continue  # told when the settings are loaded
        if any(values.secrets_of(read)) and mode & _OPEN_TO_OTHERS:
            yield _warning(
                f"the config file {path} has secrets and is open to other users",
                f"chmod 600 {shlex.quote(path)}",
            )
        hidden = [name for name in read if read[name] != environment.get(name, read[name])]
        if hidden:
            names = ", ".join(sorted(hidden))
            yield Finding(
                "config", "info", f"{path} overrides variables of the environment: {names}"
            )


def check_config(config: Config) -> Iterator[Finding]:
    """Look for settings that contradict each other or do nothing."""
    if not config.long_term_token and config.api_version != "v2.0":
        yield _warning(
            "long_term_token does nothing with api_version v1.3, whose tokens have no timer",
            "Remove long_term_token, or set api_version to v2.0.",
        )
    hosts = config.hosts.by_setting()
    here = [name for name, url in hosts.items() if is_loopback(urlsplit(url).hostname or "")]
    if 0 < len(here) < len(hosts):
        yield _warning(
            f"{', '.join(here)} points to this machine, the other addresses to TikTok",
            "Set business_api_url, login_kit_api_url and tiktok_url together, or none of them.",
        )
    for name, host in config.hosts.strangers().items():
        message = STRANGER.format(setting=name, host=host)
        yield _warning(message, f"Unset {name}, unless the host is yours.")
    is_sandbox = (urlsplit(config.hosts.business).hostname or "").startswith("sandbox-ads.")
    for connection in config.connections:
        yield from _check_connection(connection, is_sandbox=is_sandbox)
    count = len(config.connections)
    named = "1 connection" if count == 1 else f"{count} connections"
    yield Finding("config", "ok", f"the settings can be read; the config names {named}")


def _check_connection(connection: Connection, *, is_sandbox: bool) -> Iterator[Finding]:
    name, api, uri = connection.name, APIS[connection.api], connection.redirect_uri
    if is_sandbox and api.has_advertisers and not connection.advertiser_ids:
        message = "TikTok's sandbox does not tell the ad accounts"
        yield _warning(message, "Set advertiser_ids.", name)
    if uri is not None and api.loopback_host is None:
        try:
            advice = check_account_holder_uri(uri)
        except ConfigurationError as error:
            yield from_error("config", error.of(name), "warning")
        else:
            if advice:
                step = "Register it with a slash too, or leave it if the login works."
                yield _warning(f"connection {name}: {advice}", step)
    seed = connection.seed.kind if connection.seed is not None else None
    if seed == "auth_code" and api.account_holder and uri is None:
        yield _warning(
            "TikTok wants the redirect_uri with the auth_code",
            "Set redirect_uri to the address that is registered for the app.",
            name,
        )
    if seed == "access_token" and api.account_holder:
        yield _warning(
            "its access_token ends within a day and cannot be refreshed",
            f"Set refresh_token too, or run: tiktok-auth login {name}",
            name,
        )


def check_modes(config: Config) -> Iterator[Finding]:
    """Look at who else may read the files and folders of store and key."""
    places: list[Path] = []
    try:
        if not is_postgres(config.token_store):
            path = sqlite_path(config.token_store)
            # The log holds the same secrets as the file, before they are moved there.
            places += [path.with_name(path.name + end) for end in ("-wal", "-shm")]
            if _has_own_folder(path):
                places.append(path.parent)
            else:
                yield from _check_shared_folder(path)
            if config.token_store_key is None:
                places.append(keys.default_key_file().parent)
    except TikTokAuthError:
        return  # told when the store is opened
    for place in places:
        mode = _mode_of(place)
        if mode & _OPEN_TO_OTHERS:
            wanted = "700" if place.is_dir() else "600"
            yield _warning(
                f"{place} is open to other users (mode {mode & 0o777:o})",
                f"chmod {wanted} {shlex.quote(str(place))}",
                check="files",
            )


def _has_own_folder(path: Path) -> bool:
    """Whether the folder of a store is there for the store alone, so that its mode may change."""
    try:
        status, entries = path.parent.stat(), [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return False
    ours = all(name.lstrip(".").startswith((path.stem, "recovery")) for name in entries)
    return ours and status.st_uid == os.geteuid() and not status.st_mode & stat.S_ISVTX


def _check_shared_folder(path: Path) -> Iterator[Finding]:
    """Warn of a folder in which others may put files beside the store, or take it away."""
    if _mode_of(path.parent) & (stat.S_IWGRP | stat.S_IWOTH):
        wanted = path.parent / "tap-tiktok-auth" / path.name
        yield _warning(
            f"the token store is in {path.parent}, where other users may write",
            "Give it a folder of its own: stop all runs, run: tiktok-auth store copy "
            f"{shlex.quote(f'sqlite:///{wanted}')}, and set token_store to that.",
            check="files",
        )


def _mode_of(place: Path) -> int:
    """Return the mode of a file or folder; 0 if there is none."""
    try:
        return place.stat().st_mode
    except OSError:
        return 0


def _warning(
    message: str, fix: str, connection: str | None = None, check: str = "config"
) -> Finding:
    return Finding(check, "warning", message, fix, connection=connection)
