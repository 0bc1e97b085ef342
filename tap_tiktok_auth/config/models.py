"""The checked config, and its connections: whose tokens are wanted, and what they start from."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.apis.platforms import App, Hosts

if TYPE_CHECKING:
    from tap_tiktok_auth.apis.base import TokenApi

__all__ = ["DEFAULT_NAME", "App", "Config", "Connection", "Defaults", "Hosts", "Seed", "SeedKind"]

SeedKind = Literal[
    "auth_code", "refresh_token", "access_token", "access_and_refresh_token", "client_credentials"
]

#: Name of the connection that the top level of the config describes.
DEFAULT_NAME = "default"
#: What a connection may be named: nothing that a shell or a terminal would act on.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:-]{0,99}")


def is_name(text: object) -> bool:
    """Whether *text* may be a connection's name."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


@dataclass(frozen=True)
class Seed:
    """The credential in the config that a chain of tokens starts from.

    Attributes:
        code_verifier: The PKCE verifier that belongs to the code.
    """

    kind: SeedKind
    auth_code: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)
    code_verifier: str | None = field(default=None, repr=False)

    @property
    def material(self) -> str:
        """The text whose keyed hash tells one seed from another."""
        parts = (self.kind, self.auth_code, self.refresh_token, self.access_token)
        return "\0".join(part or "" for part in parts)


@dataclass(frozen=True)
class Connection:
    """One consent: a name, a token system, the app, and what its chain of tokens starts from.

    Attributes:
        api: The token system, by its name in `APIS`.
        app: The app; None if only the store knows it.
        seed: None for a connection that lives in the store.
        redirect_uri: The callback address as registered.
        advertiser_ids: Ad accounts to use instead of discovering them.
        configured: Whether the config names it; else it was found in the store.
    """

    name: str
    api: str
    app: App | None = None
    seed: Seed | None = None
    redirect_uri: str | None = None
    advertiser_ids: tuple[str, ...] = ()
    configured: bool = True


@dataclass(frozen=True)
class Defaults:
    """What the top level lends to connections that it does not describe itself."""

    api: str
    app_id: str | None
    app_secret: str | None = field(repr=False)
    redirect_uri: str | None

    def app(self) -> App | None:
        """Return the shared app, if both of its credentials are set."""
        return App(self.app_id, self.app_secret) if self.app_id and self.app_secret else None


@dataclass(frozen=True)
class Config:
    """A checked config: what its fields mean is told in the table of settings.

    Attributes:
        connections: The connections that the config names, sorted as there.
        token_store: None for the default.
        token_store_key: None for the key file.
    """

    connections: tuple[Connection, ...]
    defaults: Defaults
    hosts: Hosts
    token_store: str | None = field(repr=False)
    token_store_key: str | None = field(repr=False)
    refresh_margin: int
    consent_warning_days: int
    on_error: Literal["fail", "warn"]
    parallelism: int
    requests_per_second: float
    request_timeout: int
    api_version: Literal["v1.3", "v2.0"]
    long_term_token: bool

    def connection(self, name: str) -> Connection | None:
        """Return the connection of that *name*, if the config has one."""
        return next((c for c in self.connections if c.name == name), None)

    def token_api(self, name: str) -> TokenApi:
        """Return the token system of that *name*, set up as the config says."""
        return APIS[name](
            self.hosts, api_version=self.api_version, long_term_token=self.long_term_token
        )
