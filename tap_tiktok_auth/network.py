"""Where a token may go: to its own host, and only by a plain address."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from tap_tiktok_auth.config.parsing import is_loopback
from tap_tiktok_auth.errors import ConfigurationError

if TYPE_CHECKING:
    from tap_tiktok_auth.config.models import Hosts

# What two parsers could read in two ways is no plain address.
_REST = r"[\x21-\x5b\x5d-\x7e]*"
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    rf"(?:[/?#]{_REST})?",
    re.ASCII | re.IGNORECASE,
)
#: What to say of a host that is neither TikTok's nor this machine.
STRANGER = (
    "setting {setting} names {host}, which is not TikTok's: whoever runs it gets what is sent "
    "there, codes, tokens and the app secret among it"
)
_PATH = re.compile(rf"/(?!/){_REST}", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}
#: TikTok's own hosts, its sandbox's among them.
_TIKTOK = {
    "business": ("https://business-api.tiktok.com", "https://sandbox-ads.tiktok.com"),
    "login_kit": ("https://open.tiktokapis.com",),
    "consent": ("https://www.tiktok.com",),
}


def origin(url: str | None) -> tuple[str, str, int] | None:
    """Return scheme, host and port of a plain http or https address; None for anything else."""
    match = _ADDRESS.fullmatch(url or "")
    if match is None:
        return None
    scheme = match["scheme"].lower()
    return scheme, match["host"].lower(), int(match["port"] or _DEFAULT_PORTS[scheme])


def origin_of(url: str) -> str:
    """Return scheme, host and port of a base address as a text; a usual port is left out.

    An address that is not plain stands for itself, so that it equals nothing else.
    """
    there = origin(url)
    if there is None:
        return url
    scheme, host, port = there
    return f"{scheme}://{host}" + ("" if port == _DEFAULT_PORTS[scheme] else f":{port}")


def refusal(bound: str | None, api: str, hosts: Hosts) -> ConfigurationError | None:
    """Return why secrets must not be sent to the host that the settings name, if so.

    Args:
        bound: The origin that they are for; None if an older version stored them. Those are for
            TikTok's own hosts, or came from a simulator on this machine.
        api: Their token system.
        hosts: The settings.
    """
    family = "login_kit" if api == "login_kit" else "business"
    there = origin_of(hosts.of(api))
    ours = there in _TIKTOK[family] or _is_here(there) if bound is None else there == bound
    if ours:
        return None
    setting = f"{family}_api_url"
    return ConfigurationError(
        f"its tokens are for {bound or _TIKTOK[family][0]}, and the setting {setting} names "
        f"{_shown(there)}; nothing was sent there",
        next_step=f"Correct {setting}; or, to move the connection there on purpose, run: "
        "tiktok-auth login {connection}",
    )


def strangers(hosts: Hosts) -> dict[str, str]:
    """Return the origins in the settings that are neither TikTok's nor this machine's, by setting.

    Whoever runs them gets what is sent: codes, tokens, the app secret.
    """
    named = {
        "business_api_url": hosts.business,
        "login_kit_api_url": hosts.login_kit,
        "tiktok_url": hosts.tiktok,
    }
    known = {*itertools.chain(*_TIKTOK.values())}
    found = {setting: origin_of(url) for setting, url in named.items()}
    return {
        setting: _shown(there)
        for setting, there in found.items()
        if there not in known and not _is_here(there)
    }


def _is_here(there: str) -> bool:
    parts = origin(there)
    return parts is not None and is_loopback(parts[1].strip("[]"))


def _shown(there: str) -> str:
    return "an unclear address" if origin(there) is None else there


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
