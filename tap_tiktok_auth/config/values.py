"""Values of settings: read from files and the environment, checked, told apart from secrets.

Nothing here raises an error that contains a value: a value may be a secret that was put into the
wrong place.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.config.settings import BY_NAME, SETTINGS, Kind, Setting
from tap_tiktok_auth.errors import ConfigurationError, spelled_alike

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


_HUGE = 1e15
#: The most characters of a text: TikTok's credentials have a few hundred.
_LONGEST = 8_192
#: What a key looks like that somebody meant as a setting; another one may be a secret.
_SETTING = re.compile(r"[a-z]+(?:_[a-z]+)*", re.IGNORECASE)

#: An address, or parameters of one.
_MORE_THAN_A_CODE = re.compile(r"://|(?:^|[?&])(?:auth_code|code|state|scopes)=", re.IGNORECASE)
#: TikTok's codes have stars and exclamation marks. One that has any of them bare was decoded.
_ENCODED = re.compile(r"(?:[\w.~-]|%[0-9a-f]{2})+", re.IGNORECASE | re.ASCII)

#: For each kind its type or types, and what it is called.
_KINDS: dict[Kind, tuple[Any, str]] = {
    "string": (str, "a text"),
    "integer": (int, "a whole number"),
    "number": ((int, float), "a number"),
    "boolean": (bool, "true or false"),
    "strings": ((list, tuple), "a list of texts"),
    "objects": ((list, tuple), "a list of objects, each with a name"),
    "object": (dict, "an object"),
}
_WORDS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


def from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that environment variables carry.

    Raises:
        ConfigurationError: A variable's text is not of the setting's kind.
    """
    return {
        setting.name: _from_text(setting, environ[setting.env_var], setting.env_var)
        for setting in SETTINGS
        if setting.env_var in environ
    }


def _from_text(setting: Setting, text: str, name: str) -> object:
    if setting.kind == "string":
        return text
    value: object = None
    if setting.kind == "boolean":
        value = _WORDS.get(text.strip().lower())
    elif setting.kind == "strings" and not text.lstrip().startswith(("[", '"')):
        value = [item.strip() for item in text.split(",")]
    else:
        with suppress(ValueError, RecursionError):
            value = json.loads(text)
    if value is None:
        form = ", written as JSON" if setting.kind in {"strings", "objects", "object"} else ""
        raise _wrong(name, f"must be {_KINDS[setting.kind][1]}{form}")
    return value


def read(path: str) -> dict[str, Any]:
    """Return the settings of a JSON file.

    Raises:
        ConfigurationError: It is missing, cannot be read, is not a JSON object, or has a text that
            is not of the setting's kind.
    """
    try:
        config = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ConfigurationError(f"the config file {path} cannot be read: {why}") from None
    except json.JSONDecodeError as error:
        # The error itself holds the whole text, so only its place is told.
        raise ConfigurationError(
            f"the config file {path} is not JSON: see line {error.lineno}, column {error.colno}"
        ) from None
    except (ValueError, RecursionError):
        raise ConfigurationError(f"the config file {path} is not JSON") from None
    if not isinstance(config, dict):
        raise ConfigurationError(f"the config file {path} is not a JSON object")
    return _from_file(config)


def merged(paths: Iterable[str], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of the environment and of files; the later wins, files win.

    Args:
        paths: Config files; the word ENV stands for the environment and may be left out.
        environ: The environment.

    Raises:
        ConfigurationError: A file or a variable is malformed.
    """
    config = from_environment(environ)
    for path in paths:
        config |= from_environment(environ) if path == "ENV" else read(path)
    return config


def _from_file(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with texts read as in the environment.

    Meltano writes as text what its project does not declare the kind of.
    """
    return {
        name: _from_text(BY_NAME[name], value, name)
        if name in BY_NAME and isinstance(value, str)
        else value
        for name, value in config.items()
    }


def validate(config: Mapping[str, Any], known: Mapping[str, Setting], where: str = "") -> None:
    """Check names, kinds, choices and ranges of settings.

    Args:
        config: Settings by name; None means "not set".
        known: The settings that are allowed here.
        where: Prefix of names in errors, such as `connections.acme.`.

    Raises:
        ConfigurationError: A setting is unknown or its value is not allowed.
    """
    for key, value in config.items():
        if key not in known:
            is_one = isinstance(key, str) and len(key) <= 40 and _SETTING.fullmatch(key)
            shown = key if is_one else "…"
            raise _wrong(where + shown, "is not a setting", _suggest(shown, known))
        if value is not None:
            _validate_value(known[key], value, where + key)


def _validate_value(setting: Setting, value: object, name: str) -> None:
    if not _is_of_kind(setting.kind, value):
        raise _wrong(name, f"must be {_KINDS[setting.kind][1]}")
    items = value if isinstance(value, list | tuple) else (value,)
    texts = [text for text in items if isinstance(text, str)]
    if any(len(text) > _LONGEST for text in texts):
        raise _wrong(name, f"is longer than {_LONGEST} characters")
    if "" in texts:
        raise _wrong(name, "is empty", "Give it a value, or remove it.")
    if not all(text.isprintable() for text in texts):
        raise _wrong(name, "contains a line break or another control character")
    if setting.secret and setting.per_connection and not str(value).isascii():
        raise _wrong(name, "contains a character that no credential has")
    if any(text != text.strip() for text in texts):
        raise _wrong(name, "begins or ends with a space")
    if setting.name == "auth_code":
        _check_code(str(value), name)
    if setting.choices and value not in setting.choices:
        raise _wrong(name, f"must be one of: {', '.join(setting.choices)}")
    if setting.minimum is not None and isinstance(value, int | float) and value < setting.minimum:
        raise _wrong(name, f"must be at least {setting.minimum:g}")


def _check_code(code: str, name: str) -> None:
    """Refuse what TikTok would refuse, before the code is used up by it."""
    if _MORE_THAN_A_CODE.search(code):
        raise _wrong(
            name,
            "is more than the code",
            "Give what stands in the address after auth_code= (or code=) and before the next &, "
            "URL-decoded once.",
        )
    if "%" in code and _ENCODED.fullmatch(code):
        raise _wrong(name, "is URL-encoded still", "Decode it once: %2A is *, %21 is !")


def _is_of_kind(kind: Kind, value: object) -> bool:
    if not isinstance(value, _KINDS[kind][0]):
        return False
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, int | float):
        # Not NaN, not infinite, and small enough to be reckoned with as a float.
        return -_HUGE < value < _HUGE
    if isinstance(value, list | tuple):
        return all(isinstance(item, str if kind == "strings" else dict) for item in value)
    return True


def _wrong(name: str, problem: str, next_step: str | None = None) -> ConfigurationError:
    return ConfigurationError(f"setting {name} {problem}", next_step=next_step)


def _suggest(key: str, known: Mapping[str, Setting]) -> str:
    close = spelled_alike(key, known)
    return f"Did you mean {close[0]}?" if close else f"Known are: {', '.join(known)}."


def secrets_of(config: Mapping[str, Any]) -> Iterator[str]:
    """Return all secret values of a config, checked or not."""
    entries = config.get("connections")
    for values in (config, *(entries if isinstance(entries, list | tuple) else ())):
        for name, value in values.items() if isinstance(values, dict | MappingProxyType) else ():
            if name in BY_NAME and BY_NAME[name].secret and isinstance(value, str):
                yield from (value, *value.split(",")) if name == "token_store_key" else (value,)
