"""Where a token may go: to its own host, and only by a plain address."""

from __future__ import annotations

import re

from tap_tiktok_auth.errors import ConfigurationError

# What two parsers could read in two ways is no plain address.
_REST = r"[\x21-\x5b\x5d-\x7e]*"
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    rf"(?:[/?#]{_REST})?",
    re.ASCII | re.IGNORECASE,
)
_PATH = re.compile(rf"/(?!/){_REST}", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def origin(url: str | None) -> tuple[str, str, int] | None:
    """Return scheme, host and port of a plain http or https address; None for anything else."""
    match = _ADDRESS.fullmatch(url or "")
    if match is None:
        return None
    scheme = match["scheme"].lower()
    return scheme, match["host"].lower(), int(match["port"] or _DEFAULT_PORTS[scheme])


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
    where = "an unclear address" if there is None else "{}://{}:{}".format(*there)
    raise ConfigurationError(
        f"the request goes to {where}, the token only to {data_host}",
        next_step="Send the request without this authenticator, or correct the setting "
        "business_api_url or login_kit_api_url.",
    ).of(connection)
