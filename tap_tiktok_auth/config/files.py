"""Settings from files and from the environment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.config import values
from tap_tiktok_auth.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


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
    return values.from_file(config)


def merged(paths: Iterable[str], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of the environment and of files; the later wins, files win.

    Args:
        paths: Config files; the word ENV stands for the environment and may be left out.
        environ: The environment.

    Raises:
        ConfigurationError: A file or a variable is malformed.
    """
    config = values.from_environment(environ)
    for path in paths:
        config |= values.from_environment(environ) if path == "ENV" else read(path)
    return config
