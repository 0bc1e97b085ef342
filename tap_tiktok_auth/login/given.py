"""Tokens that a person already holds, as they are typed or piped in."""

from __future__ import annotations

import json
from typing import Any

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.config import settings, values
from tap_tiktok_auth.config.models import Seed
from tap_tiktok_auth.errors import ConfigurationError

#: The largest input that is read, in characters.
LIMIT = 65_536
_NAMES = ("access_token", "refresh_token")
_FORMS = (
    "Give JSON with access_token and refresh_token (TikTok's whole answer will do), lines like "
    "access_token=..., or the access token on one line and the refresh token on the next."
)


def read_tokens(text: str) -> dict[str, str]:
    """Return the tokens in a text, by `access_token` and `refresh_token`; one of them at least.

    Args:
        text: A JSON object, TikTok's answer with its envelope included; or lines `name=token`; or
            the access token alone, the refresh token on the line after it.

    Raises:
        ConfigurationError: It holds no token, or something else. The message has none of it.
    """
    if len(text) > LIMIT:
        raise ConfigurationError("the input is too large for tokens", next_step=_FORMS)
    text = text.strip()
    found = _from_json(text) if text.startswith("{") else _from_lines(text)
    return check_tokens(found)


def check_tokens(found: dict[str, Any]) -> dict[str, str]:
    """Return the tokens that are there, once each is known to be fit for one.

    Raises:
        ConfigurationError: There is none, or a character in one is wrong.
    """
    tokens = {name: found[name] for name in _NAMES if found.get(name) not in (None, "")}
    if not tokens:
        raise ConfigurationError("the input has no token", next_step=_FORMS)
    values.validate(tokens, settings.PER_CONNECTION)
    if any(" " in token for token in tokens.values()):
        raise ConfigurationError("a token has a space in it", next_step=_FORMS)
    return tokens


def seed_of(api: str, tokens: dict[str, str]) -> Seed:
    """Return the seed that tokens make.

    Raises:
        ConfigurationError: The token system has no refresh tokens.
    """
    access, refresh = tokens.get("access_token"), tokens.get("refresh_token")
    if refresh is None:
        return Seed("access_token", access_token=access)
    if not APIS[api].refresh_tokens:
        raise ConfigurationError(
            f"tokens of api {api} are not refreshed", next_step="Leave the refresh token out."
        )
    if access is None:
        return Seed("refresh_token", refresh_token=refresh)
    return Seed("access_and_refresh_token", access_token=access, refresh_token=refresh)


def _from_json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigurationError("the input is not whole JSON", next_step=_FORMS) from None
    inner = value.get("data")
    return inner if isinstance(inner, dict) else dict(value)


def _from_lines(text: str) -> dict[str, Any]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = dict(_named(line) for line in lines if _is_named(line))
    bare = [line for line in lines if not _is_named(line)]
    if (named and bare) or len(named) + len(bare) != len(lines) or len(lines) > len(_NAMES):
        raise ConfigurationError("the input has other lines than tokens", next_step=_FORMS)
    return named or dict(zip(_NAMES, bare, strict=False))


def _is_named(line: str) -> bool:
    return line.partition("=")[0].strip() in _NAMES


def _named(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    return name.strip(), value.strip().strip("'\"")
