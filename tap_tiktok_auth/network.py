"""Addresses: which host is this machine, and where a token may go."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tap_tiktok_auth.errors import ConfigurationError

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

# What two parsers could read in two ways is no plain address.
_REST = r"[\x21-\x5b\x5d-\x7e]*"
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    rf"(?:[/?#]{_REST})?",
    re.ASCII | re.IGNORECASE,
)
_PATH = re.compile(rf"/(?!/){_REST}", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Scheme, host and port of an address."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        """Return it as the start of an address; a usual port is left out."""
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"


def origin(url: str | None) -> Origin | None:
    """Return the origin of a plain http or https address; None for anything else."""
    match = _ADDRESS.fullmatch(url or "")
    if match is None:
        return None
    scheme = match["scheme"].lower()
    return Origin(scheme, match["host"].lower(), int(match["port"] or _DEFAULT_PORTS[scheme]))


def origin_of(url: str) -> str:
    """Return the origin of a base address as a text.

    An address that is not plain stands for itself, so that it equals nothing else.
    """
    return str(origin(url) or url)


def is_ip_address(host: str) -> bool:
    """Whether *host* is an IP address in the one form that all programs read alike."""
    return _ip_address(host) is not None


def is_loopback(host: str) -> bool:
    """Whether *host* is this machine: localhost, 127.0.0.0/8 or ::1."""
    address = _ip_address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def leads_here(url: str) -> bool:
    """Whether an address is one of this machine."""
    there = origin(url)
    return there is not None and is_loopback(there.host.strip("[]"))


def _ip_address(host: str) -> IPv4Address | IPv6Address | None:
    if ":" not in host and not host[-1:].isdecimal():
        return None
    import ipaddress  # noqa: PLC0415  (not for TikTok's own hosts)

    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_home(url: str | None, data_host: str) -> bool:
    """Whether an address is on the host that the token belongs to: scheme, host and port."""
    there = origin(url)
    return there is not None and there == origin(data_host)


def stays_home(location: str, data_host: str) -> bool:
    """Whether a redirect that comes from the token's host leads there again.

    Only a whole address and a path from the root count: of the other forms that a `Location` can
    have TikTok sends none.
    """
    return _PATH.fullmatch(location) is not None or is_home(location, data_host)


def check(url: str | None, data_host: str, connection: str) -> None:
    """Refuse a request that a connection's token must not go to.

    Args:
        url: The request's address.
        data_host: The base address that the token belongs to.
        connection: The connection's name.

    Raises:
        ConfigurationError: It goes to another host, scheme or port.
    """
    if is_home(url, data_host):
        return
    there = origin(url)
    where = f"{there.scheme}://{there.host}:{there.port}" if there else "an unclear address"
    raise ConfigurationError(
        f"the request goes to {where}, the token only to {data_host}",
        next_step="Send the request without this authenticator, or correct the setting "
        "business_api_url or login_kit_api_url.",
    ).of(connection)
