"""Looking at everything; what is broken in one place does not keep the rest from being told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tap_tiktok_auth.credentials.health import assess_all, urgency
from tap_tiktok_auth.credentials.session import new_manager
from tap_tiktok_auth.doctor import config as settings_check
from tap_tiktok_auth.doctor import connections, installation, network, storage
from tap_tiktok_auth.doctor.findings import Finding, from_error
from tap_tiktok_auth.errors import ConfigurationError, TikTokAuthError
from tap_tiktok_auth.store import missing_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_tiktok_auth.config.models import Config
    from tap_tiktok_auth.store import Store


def examine(
    load: Callable[[], Config], paths: Sequence[str], environ: Mapping[str, str]
) -> list[Finding]:
    """Look at installation, settings, store, connections and network.

    Args:
        load: Returns the checked settings, or raises what is wrong with them.
        paths: Config files.
        environ: The environment.
    """
    found = [*installation.check_installation(), *settings_check.check_environment(environ)]
    found += settings_check.check_files(paths, environ)
    try:
        config = load()
    except ConfigurationError as error:
        broken = from_error("config", error)
        mend = broken.mend or "Correct it; all settings are told by: tap-tiktok-auth --about"
        return [*found, replace(broken, mend=mend)]
    found += settings_check.check_config(config)
    found += storage.check_modes(config)
    apis = {connection.api for connection in config.connections}
    with storage.opened(config, found.append) as store:
        if store is not None:
            apis |= _check_stored(config, store, found)
    found += network.check_hosts(config, apis)
    return found


def _check_stored(config: Config, store: Store, found: list[Finding]) -> set[str]:
    """Look at the store and what is in it; return the token systems of the connections."""
    try:
        if missing_file(config.token_store) is None:
            found += storage.check_store(store)
        manager = new_manager(config, store)
        reports = sorted(assess_all(manager), key=urgency)
    except ConfigurationError as error:
        found.append(from_error("connection", error, "info"))
        return set()
    except TikTokAuthError as error:
        found.append(from_error("store", error))
        return set()
    found += connections.check_connections(manager, reports)
    return {report.connection.api for report in reports}
