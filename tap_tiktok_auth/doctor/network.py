"""Whether TikTok's hosts answer, and what time it is there. No credential is sent."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.apis.base import Request
from tap_tiktok_auth.doctor.findings import Finding
from tap_tiktok_auth.doctor.storage import CLOCK_TOLERANCE
from tap_tiktok_auth.errors import TryAgainLater
from tap_tiktok_auth.http.client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.config.models import Config

#: Seconds to wait for a host at most.
_PATIENCE = 10.0
#: Seconds by which a clock may be wrong before times in records mislead and TLS may fail.
_CLOCK_LIMIT = 900.0


@dataclass(frozen=True)
class Host:
    """A host of TikTok's.

    Attributes:
        setting: The setting that has its address.
        url: Its address.
        needed: Whether connections need it; else only a person's browser does.
    """

    setting: str
    url: str
    needed: bool = True


def check_hosts(config: Config, apis: set[str]) -> list[Finding]:
    """Connect to the hosts and compare clocks.

    Args:
        config: The settings.
        apis: The token systems of the connections; empty if there are none yet.
    """
    wanted = hosts(config, apis)
    client = Client(timeout=min(_PATIENCE, config.request_timeout))
    try:
        with ThreadPoolExecutor(len(wanted)) as pool:
            found = pool.map(lambda host: _check(host, client), wanted)
            return [finding for findings in found for finding in findings]
    finally:
        client.close()


def hosts(config: Config, apis: set[str]) -> list[Host]:
    """Return the hosts to look at, each address once."""
    used = {APIS.platform(api).host_setting for api in apis or APIS if api in APIS}
    found: dict[str, Host] = {}
    for setting, url in config.hosts.by_setting().items():
        found.setdefault(url, Host(setting, url, setting in used))
    return list(found.values())


def _check(host: Host, client: Client) -> list[Finding]:
    name = urlsplit(host.url).netloc
    before = time.time()
    try:
        answer = client.send(Request("read", "HEAD", f"{host.url}/"))
    except TryAgainLater as error:
        return [
            Finding(
                "network",
                "problem" if host.needed else "warning",
                error.cause,
                f"Check the network, the proxy and the setting {host.setting}.",
            )
        ]
    skew = _skew(answer.date, (before + time.time()) / 2)
    reached = Finding("network", "ok", f"{name} answers")
    return [reached, *(clock_findings(name, skew) if skew is not None else ())]


def _skew(told: str, now: float) -> float | None:
    """Return by how many seconds a host's clock is ahead; None if it does not tell its time."""
    try:
        # The header has whole seconds, cut off: half of one is missing on average.
        return parsedate_to_datetime(told).timestamp() + 0.5 - now
    except (ValueError, TypeError, OverflowError):
        return None


def clock_findings(name: str, skew: float) -> Iterator[Finding]:
    """Judge by how many seconds the clock of the host *name* is ahead of this machine's."""
    if abs(skew) <= CLOCK_TOLERANCE:
        yield Finding("clock", "ok", f"this machine's clock agrees with that of {name}")
        return
    yield Finding(
        "clock",
        "problem" if abs(skew) > _CLOCK_LIMIT else "warning",
        f"this machine's clock is {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} "
        f"that of {name}",
        "Set it by NTP: timedatectl set-ntp true",
    )
