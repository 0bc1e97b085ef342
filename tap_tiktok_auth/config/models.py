"""Connections: whose tokens are wanted, and what their chains start from."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

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
class App:
    """An app registered with TikTok.

    Attributes:
        app_id: The app id; for Login Kit the client key.
        secret: The app secret; for Login Kit the client secret.
    """

    app_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Hosts:
    """Where TikTok is: base addresses without a trailing slash."""

    business: str
    login_kit: str
    tiktok: str

    def of(self, api: str) -> str:
        """Return where a token system's requests go, those with tokens and those for them."""
        return self.login_kit if api == "login_kit" else self.business


@dataclass(frozen=True)
class Seed:
    """The credential in the config that a chain of tokens starts from.

    Attributes:
        kind: What it is.
        auth_code: The code from the callback.
        refresh_token: A refresh token that the user already holds.
        access_token: An access token that the user already holds.
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
        name: The name the user gave it.
        api: TikTok's token system, one of `settings.API_NAMES`.
        app: The app; None if only the store knows it.
        seed: What the chain starts from; None for a connection that lives in the store.
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
class Config:
    """A checked config.

    Attributes:
        connections: The connections that the config names, sorted as there.
        defaults: The top level's settings that connections share.
        hosts: Where TikTok is.
        token_store: Address of the token store; None for the default.
        token_store_key: Key or keys of the token store; None for the key file.
        refresh_margin: Seconds of remaining life below which a token is refreshed.
        consent_warning_days: Days before a consent ends when warnings begin.
        on_error: Whether a failed connection fails the run.
        parallelism: Connections worked on at once.
        requests_per_second: Limit of requests for each app.
        request_timeout: Seconds that one request may take.
        api_version: Version of the Marketing API.
        long_term_token: Whether v2.0 is asked for tokens without a timer.
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


@dataclass(frozen=True)
class Defaults:
    """What the top level lends to connections that it does not describe itself."""

    api: str
    app_id: str | None
    app_secret: str | None = field(repr=False)
    redirect_uri: str | None

    def app(self) -> App | None:
        """The shared app, if both of its credentials are set."""
        return App(self.app_id, self.app_secret) if self.app_id and self.app_secret else None
