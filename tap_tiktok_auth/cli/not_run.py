"""Why a command that a person gave does not run, told as a shell does."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def not_run(
    command: str, error: OSError | ValueError, environment: Mapping[str, str]
) -> tuple[int, str]:
    """Return the exit code, and the line to tell.

    Args:
        command: The command, by name or by path.
        error: What came of starting it.
        environment: The variables that it was to have; its PATH is where it was looked for.
    """
    # Python says "denied" of a name that is nowhere if PATH has a folder that may not be entered.
    path = environment.get("PATH")
    nowhere = "/" not in command and shutil.which(command, mode=os.F_OK, path=path) is None
    if isinstance(error, FileNotFoundError) or (isinstance(error, PermissionError) and nowhere):
        return 127, f"no such command: {command}"
    why = error.strerror if isinstance(error, OSError) else "its name is empty"
    return 126, f"cannot run {command or 'the command'}: {why}"
