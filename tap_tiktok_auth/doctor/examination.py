"""Examining installation, settings, store, connections and hosts.

What is broken in one place does not keep the rest from being told. TikTok's hosts get no
credential, and nothing is changed.
"""

from __future__ import annotations

import os
import shlex
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.apis.base import Request
from tap_tiktok_auth.credentials import health
from tap_tiktok_auth.credentials.health import status_of
from tap_tiktok_auth.credentials.manager import TokenManager
from tap_tiktok_auth.doctor import settings
from tap_tiktok_auth.doctor.findings import Finding, from_error
from tap_tiktok_auth.errors import ConfigurationError, TikTokAuthError, TryAgainLater
from tap_tiktok_auth.http.client import Client
from tap_tiktok_auth.store import empty_store, missing_file, open_store, recovery
from tap_tiktok_auth.store.keys import Cipher
from tap_tiktok_auth.times import as_date, as_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tap_tiktok_auth.config.models import Config
    from tap_tiktok_auth.credentials.checks import CheckResult
    from tap_tiktok_auth.credentials.models import Token
    from tap_tiktok_auth.doctor.findings import Level
    from tap_tiktok_auth.store import Store

#: Seconds to wait for a host at most.
_PATIENCE = 10.0
#: Seconds by which two clocks may differ before it is worth a word, and before times in records
#: mislead and TLS may fail.
_CLOCK_TOLERANCE, _CLOCK_LIMIT = 60.0, 900.0


def examine(
    load: Callable[[], Config], paths: Sequence[str], environ: Mapping[str, str]
) -> list[Finding]:
    """Examine everything.

    Args:
        load: Returns the checked settings, or raises what is wrong with them.
        paths: Config files.
        environ: The environment.
    """
    found = [settings.check_installation(), *settings.check_environment(environ)]
    found += settings.check_files(paths, environ)
    try:
        config = load()
    except ConfigurationError as error:
        broken = from_error("config", error)
        fix = broken.fix or "Correct it; all settings are told by: tap-tiktok-auth --about"
        return [*found, replace(broken, fix=fix)]
    found += [*settings.check_config(config), *settings.check_modes(config)]
    apis = {connection.api for connection in config.connections}
    try:
        if config.token_store_key is not None:
            Cipher.from_text(config.token_store_key)
        path = missing_file(config.token_store)
        # Where there is no store yet, none is made: an empty one shows what the config names.
        opened = empty_store() if path else open_store(config.token_store, config.token_store_key)
    except TikTokAuthError as error:
        found.append(from_error("store", error))
    else:
        with closing(opened) as store:
            found += [_no_store_yet(path)] if path else []
            apis |= _check_stored(TokenManager(config, store), found, is_new=path is not None)
    return [*found, *check_hosts(config, apis)]


def _no_store_yet(path: Path) -> Finding:
    folder = next(parent for parent in path.parents if parent.exists())
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return Finding("store", "info", f"there is no token store yet; {path} is made when needed")
    return Finding(
        "store",
        "problem",
        f"the token store {path} cannot be made: {folder} cannot be written to",
        f"Check its permissions: ls -ld {shlex.quote(str(folder))}",
    )


def check_store(store: Store, clock: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Examine an open store, whose key fits; *clock* is this machine's."""
    try:
        store.check_writable()
    except TikTokAuthError as error:
        yield from_error("store", error)
    else:
        yield Finding("store", "ok", f"{store.location} can be written to, and its key fits")
        for exposure, fix in store.exposures():
            yield Finding("store", "warning", exposure, fix)
    skew = store.now() - clock()
    if abs(skew) > _CLOCK_TOLERANCE:
        fix = "Let both machines set their clocks by NTP."
        yield _clock_finding("warning", skew, "the token store's", fix)
    for folder in recovery.folders(store):
        # One of the folders is open to all users: only what is sealed for this store counts.
        files = [file for file in folder.glob("*.recovery") if _opens(store, file)]
        waits = "1 new token waits" if len(files) == 1 else f"{len(files)} new tokens wait"
        if files:
            yield Finding(
                "store",
                "warning",
                f"{waits} in {folder}, because the store failed when TikTok answered",
                "Take in what waits: tiktok-auth status",
            )


def _opens(store: Store, file: Path) -> bool:
    if not file.is_file():
        return False
    try:
        store.cipher.open(file.read_text(), recovery=store.location)
    except (TikTokAuthError, OSError, ValueError):
        return False
    return True


def _check_stored(manager: TokenManager, found: list[Finding], *, is_new: bool) -> set[str]:
    """Examine store and connections without asking TikTok, and return their token systems."""
    try:
        found += [] if is_new else check_store(manager.store)
        results = sorted(health.assess_all(manager), key=health.urgency)
    except ConfigurationError as error:
        found.append(from_error("connection", error, "info"))
        return set()
    except TikTokAuthError as error:
        found.append(from_error("store", error))
        return set()
    for result in results:
        found += _check_seed(manager, result)
        found.append(_check_connection(result))
    return {result.connection.api for result in results}


def _check_connection(result: CheckResult) -> Finding:
    status, stored = status_of(result), result.stored
    if result.error is not None and not health.is_revoked(result):
        return from_error("connection", result.error, status=status)
    for trouble in health.troubles(result):
        level: Level = "problem" if health.needs_person(result) else "warning"
        return from_error("connection", trouble, level, status=status)
    if health.is_revoked(result):
        return _about(result, "info", "a person ended it")
    if stored is not None and stored.attempt is not None:
        begun = as_time(stored.attempt.at)
        return _about(result, "info", f"a token request of {begun} is under way, or was cut short")
    if stored is None or stored.token is None:
        return _about(result, "info", "no run has used its seed yet")
    return _about(result, "ok", f"{stored.api}, {_lasts(stored.token, result.checked_at)}")


def _check_seed(manager: TokenManager, result: CheckResult) -> Iterator[Finding]:
    """Tell of a seed that was used up and stands in the config still: harmless, but confusing."""
    seed, stored = result.connection.seed, result.stored
    if seed is None or stored is None or seed.kind not in {"auth_code", "refresh_token"}:
        return
    digest = manager.store.digest(seed.material)
    if digest == stored.seed_hash or digest in stored.spent_seeds:
        message = f"the {seed.kind} of the config was used, and does nothing any more"
        yield _about(result, "info", message)


def _about(result: CheckResult, level: Level, message: str) -> Finding:
    name, status = result.connection.name, status_of(result)
    return Finding("connection", level, message, connection=name, status=status)


def _lasts(token: Token, now: float) -> str:
    if token.consent_deadline is not None:
        return f"refreshed by itself until {as_date(token.consent_deadline)}"
    if token.expires_at is None:
        return "its token does not expire" if token.long_term else "its token's end is not known"
    if token.expires_at <= now:
        return "its token has expired, and the next run renews it"
    return f"its token works until {as_time(token.expires_at)}"


def check_hosts(config: Config, apis: set[str]) -> list[Finding]:
    """Connect to TikTok's hosts and compare clocks.

    Args:
        config: The settings.
        apis: The token systems of the connections; empty if there are none yet.
    """
    used = {APIS.platform(api).host_setting for api in (apis & set(APIS)) or APIS}
    wanted: dict[str, str] = {}  # each address once
    for setting, url in config.hosts.by_setting().items():
        wanted.setdefault(url, setting)
    client = Client(timeout=min(_PATIENCE, config.request_timeout))
    try:
        with ThreadPoolExecutor(len(wanted)) as pool:
            found = pool.map(
                lambda url: _check_host(client, url, wanted[url], wanted[url] in used), wanted
            )
            return [finding for findings in found for finding in findings]
    finally:
        client.close()


def _check_host(client: Client, url: str, setting: str, is_needed: bool) -> list[Finding]:
    name = urlsplit(url).netloc
    before = time.time()
    try:
        answer = client.send(Request("read", "HEAD", f"{url}/"))
    except TryAgainLater as error:
        level: Level = "problem" if is_needed else "warning"
        fix = f"Check the network, the proxy and the setting {setting}."
        return [Finding("network", level, error.cause, fix)]
    found = [Finding("network", "ok", f"{name} answers")]
    try:
        # The header has whole seconds, cut off: half of one is missing on average.
        there = parsedate_to_datetime(answer.date).timestamp() + 0.5
    except (ValueError, TypeError, OverflowError):
        return found
    skew = there - (before + time.time()) / 2
    if abs(skew) <= _CLOCK_TOLERANCE:
        agrees = f"this machine's clock agrees with that of {name}"
        return [*found, Finding("clock", "ok", agrees)]
    level = "problem" if abs(skew) > _CLOCK_LIMIT else "warning"
    fix = "Set it by NTP: timedatectl set-ntp true"
    return [*found, _clock_finding(level, skew, f"that of {name}", fix)]


def _clock_finding(level: Level, skew: float, whose: str, fix: str) -> Finding:
    """Return how many seconds another clock is ahead of this machine's."""
    side = "behind" if skew > 0 else "ahead of"
    message = f"this machine's clock is {abs(skew):.0f} s {side} {whose}"
    return Finding("clock", level, message, fix)
