"""Where apps are registered with TikTok, and which hosts may get their secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from tap_tiktok_auth.errors import ConfigurationError
from tap_tiktok_auth.network import leads_here, origin, origin_of

#: What to say of a host that is neither TikTok's nor this machine.
STRANGER = (
    "setting {setting} names {host}, which is not TikTok's: whoever runs it gets what is sent "
    "there, codes, tokens and the app secret among it"
)
_APP_ID = re.compile(r"[0-9]{1,32}", re.ASCII)
_CLIENT_KEY = re.compile(r"(?:sb)?aw[a-z0-9]{12,18}", re.ASCII)


@dataclass(frozen=True)
class App:
    """An app registered with TikTok; for Login Kit the id is the client key."""

    app_id: str
    secret: str = field(repr=False)


class Platform(NamedTuple):
    """A portal of TikTok where apps are registered, with the host that serves their tokens.

    Attributes:
        name: Its field in `Hosts`.
        own_hosts: TikTok's own hosts for it, its sandbox's among them.
        app_ids: What its app ids are, for messages.
    """

    name: str
    own_hosts: tuple[str, ...]
    app_ids: str

    @property
    def host_setting(self) -> str:
        """The setting that names its host."""
        return f"{self.name}_api_url"

    def is_app_id(self, app_id: str, secret: str | None) -> bool:
        """Whether *app_id* can be one, and is not the secret in its place.

        Apps of TikTok for Business are numbered. The client keys of Login Kit have a form that no
        client secret has.
        """
        if self is LOGIN_KIT:
            return bool(_CLIENT_KEY.fullmatch(app_id) or not _CLIENT_KEY.fullmatch(secret or ""))
        return _APP_ID.fullmatch(app_id) is not None


BUSINESS = Platform(
    "business", ("https://business-api.tiktok.com", "https://sandbox-ads.tiktok.com"), "app id"
)
LOGIN_KIT = Platform("login_kit", ("https://open.tiktokapis.com",), "client key")
#: The host of the page on which TikTok account holders consent.
CONSENT_HOST = "https://www.tiktok.com"


class Hosts(NamedTuple):
    """The hosts in the settings: base addresses without a trailing slash."""

    business: str
    login_kit: str
    tiktok: str

    def by_setting(self) -> dict[str, str]:
        """Return the addresses by the setting that names each."""
        return {
            BUSINESS.host_setting: self.business,
            LOGIN_KIT.host_setting: self.login_kit,
            "tiktok_url": self.tiktok,
        }

    def of(self, platform: Platform) -> str:
        """Return where a platform's requests go, those with tokens and those for them."""
        return self.by_setting()[platform.host_setting]

    def refusal(self, bound: str | None, platform: Platform) -> ConfigurationError | None:
        """Return why secrets must not be sent to the host that the settings name, if so.

        Args:
            bound: The origin that they are for; None if an older version stored them. Those are
                for TikTok's own hosts, or came from a simulator on this machine.
            platform: Where their app is registered.
        """
        there = origin_of(self.of(platform))
        if there == bound or (bound is None and (there in platform.own_hosts or leads_here(there))):
            return None
        setting = platform.host_setting
        return ConfigurationError(
            f"its tokens are for {bound or platform.own_hosts[0]}, and the setting {setting} names "
            f"{_shown(there)}; nothing was sent there",
            next_step=f"Correct {setting}; or, to move the connection there on purpose, run: "
            "tiktok-auth login {connection}",
        )

    def strangers(self) -> dict[str, str]:
        """Return the origins that are neither TikTok's nor this machine's, by setting.

        Whoever runs them gets what is sent: codes, tokens, the app secret.
        """
        known = {*BUSINESS.own_hosts, *LOGIN_KIT.own_hosts, CONSENT_HOST}
        found = {setting: origin_of(url) for setting, url in self.by_setting().items()}
        return {
            setting: _shown(there)
            for setting, there in found.items()
            if there not in known and not leads_here(there)
        }


def _shown(there: str) -> str:
    return "an unclear address" if origin(there) is None else there
