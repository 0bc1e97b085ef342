"""Next steps as the operator can run them: with their config files, or by way of Meltano.

A command that is told without them would work on another token store, with another app.
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

_COMMAND = re.compile(
    r"(?<![\w./:-])tiktok-auth "
    r"(login|token|exec|status|refresh|events|doctor|revoke|forget|keygen"
    r"|store (?:rotate-key|copy))(?![\w-])"
    r"( '[^']*'| [A-Za-z0-9](?:[\w.@:-]*[\w@-])?)?"  # a connection's name
)
#: The commands that have no `--config`, and those that the plugin's definition does not list.
_WITHOUT_CONFIG, _NOT_IN_MELTANO = {"keygen"}, {"exec", "store rotate-key", "store copy"}
_NAMESPACE = "tap_tiktok_auth"
_DEFAULT_ENVIRONMENT = re.compile(r"^default_environment:\s*[\"']?([^\s\"'#]+)", re.MULTILINE)

_config_paths: tuple[str, ...] = ()


def came_with(config_paths: Iterable[str]) -> None:
    """Remember the config files of this command: its next steps name them."""
    global _config_paths  # noqa: PLW0603  (one command line for each process)
    _config_paths = tuple(
        path for path in config_paths if path != "ENV" and not path.startswith("/dev/")
    )


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

    return _COMMAND.sub(one, text)


def _default_environment() -> str | None:
    with suppress(OSError, UnicodeDecodeError):
        project = Path(os.environ.get("MELTANO_PROJECT_ROOT", ""), "meltano.yml")
        found = _DEFAULT_ENVIRONMENT.search(project.read_text(encoding="utf-8"))
        return found[1] if found else None
    return None
