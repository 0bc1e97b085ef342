"""What can go wrong, grouped by what the operator does next.

TikTokAuthError                  never raised itself
├── ConfigurationError           correct a setting
├── AuthorizationRequired        a person must authorise again
│   ├── GrantRejected            TikTok refuses the auth code or the refresh token
│   ├── AccessTokenRejected      TikTok refuses the access token
│   └── Revoked                  a person ended the connection on purpose
├── PermissionMissing            ask TikTok, or the account's owner, for a permission
├── TryAgainLater                wait, then run again
│   ├── RateLimited              too many requests
│   ├── Unreachable              no byte of the request left this machine
│   ├── NoAnswer                 the request left, no usable answer came back
│   └── Interrupted              this process was told to stop
├── RequestRefused               TikTok refuses the request for another reason
└── StoreError                   fix the token store
    ├── StoreUnavailable         it cannot be reached or written to
    ├── StoreDamaged             what is in it cannot be trusted
    ├── StoreTooNew              a newer version of this program wrote it
    └── StoreKeyError            its key is missing or is not the right one

Messages never contain a setting's value, a token or a text that was not checked.
"""

from __future__ import annotations

import os
import re
import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    from typing_extensions import Self

__all__ = [
    "AccessTokenRejected",
    "AuthorizationRequired",
    "ConfigurationError",
    "GrantRejected",
    "Interrupted",
    "NoAnswer",
    "PermissionMissing",
    "RateLimited",
    "RequestRefused",
    "Revoked",
    "StoreDamaged",
    "StoreError",
    "StoreKeyError",
    "StoreTooNew",
    "StoreUnavailable",
    "TikTokAuthError",
    "TryAgainLater",
    "Unreachable",
]


class TikTokAuthError(Exception):
    """Root of all errors of this package, never raised itself.

    Args:
        cause: What happened, in plain words, without a full stop.
        next_step: What the operator does next, a sentence or a command; `{connection}` in it
            stands for the connection's name.
        code: TikTok's return code or error name, as text.
        request_id: TikTok's id of the failed call, for its support.
    """

    def __init__(
        self,
        cause: str,
        *,
        next_step: str | None = None,
        code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(cause)
        self.cause = cause
        self.next_step = next_step
        self.code = code
        self.request_id = request_id
        self.connection: str | None = None

    def of(self, connection: str) -> Self:
        """Name the *connection* that the error is about, and return the error as it leaves us.

        The frames and errors that it came through are dropped: programs write them with all their
        variables, some of which are tokens.
        """
        self.connection = connection
        self.__context__ = None
        return self.with_traceback(None)

    @property
    def advice(self) -> str | None:
        """The next step for this connection, as the operator can run it."""
        if self.next_step is None:
            return None
        name = shlex.quote(self.connection or "NAME")
        return completed(self.next_step.replace("{connection}", name))

    def __str__(self) -> str:
        """Return the one line that a user sees: cause, TikTok's code and request id, next step."""
        origin = [f"TikTok code {self.code}"] if self.code else []
        if self.request_id:
            origin.append(f"request id {self.request_id}")
        line = f"{self.cause} ({', '.join(origin)})." if origin else f"{self.cause}."
        if self.connection:
            line = f"connection {self.connection}: {line}"
        return f"{line} {self.advice}" if self.next_step else line

    def __reduce__(self) -> tuple[object, ...]:
        """Let errors cross process borders with all their fields."""
        return (_rebuild, (type(self), self.__dict__.copy()))


def _rebuild(kind: type[TikTokAuthError], fields: dict[str, str | None]) -> TikTokAuthError:
    error = kind(fields["cause"] or "")
    error.__dict__.update(fields)
    return error


class ConfigurationError(TikTokAuthError):
    """A setting is missing, malformed, contradictory or refused by TikTok."""


class AuthorizationRequired(TikTokAuthError):
    """No token can be had until a person authorises again."""


class GrantRejected(AuthorizationRequired):
    """TikTok refuses the authorization code or the refresh token for good."""


class AccessTokenRejected(AuthorizationRequired):
    """TikTok refuses the access token: expired, revoked, or access withdrawn."""


class Revoked(AuthorizationRequired):
    """A person ended the connection on purpose: there is no token, and nothing is wrong."""


class PermissionMissing(TikTokAuthError):
    """The token or the app lacks a permission for this call."""


class TryAgainLater(TikTokAuthError):
    """The cause passes by itself."""


class RateLimited(TryAgainLater):
    """TikTok restricts requests for the moment."""


class Unreachable(TryAgainLater):
    """The request was not sent: no address, refused connection, failed TLS handshake."""


class NoAnswer(TryAgainLater):
    """The request was sent and no usable answer came back: it may have been carried out."""


class Interrupted(TryAgainLater):
    """The process was told to stop before the work began; nothing was sent."""


class RequestRefused(TikTokAuthError):
    """TikTok refuses the request for a reason that is none of the others."""


class StoreError(TikTokAuthError):
    """The token store needs to be fixed."""


class StoreUnavailable(StoreError):
    """The store cannot be opened, reached or written to."""


class StoreDamaged(StoreError):
    """The store's content is not what this program wrote."""


class StoreTooNew(StoreError):
    """A newer version of this program wrote the store."""


class StoreKeyError(StoreError):
    """The store's key is missing, malformed, or not the one it was written with."""


# Next steps are told as the operator can run them: with their config files, or by way of Meltano.
# Without these a command would work on another token store, with another app.

_COMMAND = (
    r"(?<![\w./:-])tiktok-auth "
    r"(login|token|exec|status|refresh|events|doctor|revoke|forget|keygen"
    r"|store (?:rotate-key|copy))(?![\w-])"
    r"( '[^']*'| [A-Za-z0-9](?:[\w.@:-]*[\w@-])?)?"  # a connection's name
)
#: The commands that have no `--config`, and those that the plugin's definition does not list.
_WITHOUT_CONFIG, _NOT_IN_MELTANO = {"keygen"}, {"exec", "store rotate-key", "store copy"}
_NAMESPACE = "tap_tiktok_auth"

_config_paths: list[str] = []


def came_with(config_paths: Iterable[str]) -> None:
    """Remember the config files of this command: its next steps name them."""
    _config_paths[:] = [
        path for path in config_paths if path != "ENV" and not path.startswith("/dev/")
    ]


def by_meltano() -> str | None:
    """Return the start of a command line of this plugin's Meltano commands, if Meltano runs it."""
    plugin = os.environ.get("MELTANO_EXTRACTOR_NAME")
    if not plugin or os.environ.get("MELTANO_EXTRACTOR_NAMESPACE", _NAMESPACE) != _NAMESPACE:
        return None
    environment = os.environ.get("MELTANO_ENVIRONMENT")
    chosen = environment and environment != _default_environment()
    option = f" --environment={shlex.quote(environment)}" if environment and chosen else ""
    return f"meltano{option} invoke {shlex.quote(plugin)}:"


def completed(text: str) -> str:
    """Return a text whose commands can be run as they stand."""
    meltano = by_meltano()
    options = "".join(f" --config {shlex.quote(path)}" for path in _config_paths)

    def one(found: re.Match[str]) -> str:
        command, name = found[1], found[2] or ""
        start = "tiktok-auth " if meltano is None or command in _NOT_IN_MELTANO else meltano
        is_complete = command in _WITHOUT_CONFIG or text.startswith(" --config", found.end())
        return start + command + name + ("" if is_complete else options)

    return re.sub(_COMMAND, one, text)


def _default_environment() -> str | None:
    with suppress(OSError, UnicodeDecodeError):
        project = Path(os.environ.get("MELTANO_PROJECT_ROOT", ""), "meltano.yml")
        text = project.read_text(encoding="utf-8")
        found = re.search(r"^default_environment:\s*[\"']?([^\s\"'#]+)", text, re.MULTILINE)
        return found[1] if found else None
    return None


def redaction() -> ModuleType:
    """Return the module that masks secrets, loaded only then: a fresh token needs none of it."""
    from tap_tiktok_auth import redaction  # noqa: PLC0415  (6 ms)

    return redaction


def warn(message: str, *values: object) -> None:
    """Log a warning; logging is loaded only then, since a fresh token needs none."""
    import logging  # noqa: PLC0415  (4 ms)

    logging.getLogger("tap_tiktok_auth").warning(message, *values)


def spelled_alike(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names that may have been meant, the most likely first."""
    from difflib import get_close_matches  # noqa: PLC0415  (after a mistake only)

    folded = {other.casefold(): other for other in sorted(known)}
    return [folded[found] for found in get_close_matches(name.casefold(), folded)]
