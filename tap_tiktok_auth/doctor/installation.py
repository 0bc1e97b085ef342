"""Whether the installed packages go together."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from tap_tiktok_auth.doctor.findings import Finding
from tap_tiktok_auth.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CHECK = "installation"


def check_installation(is_installed: Callable[[str], bool] | None = None) -> Iterator[Finding]:
    """Look at the installed distributions.

    Args:
        is_installed: Tells whether a distribution is installed; for tests.
    """
    is_installed = is_installed or _is_installed
    if is_installed("backoff"):
        yield Finding(
            _CHECK,
            "problem",
            "the old distribution backoff overwrites files of python-backoff, which we need",
            "pip uninstall -y backoff && pip install --force-reinstall --no-deps python-backoff",
        )
    else:
        yield Finding(_CHECK, "ok", f"tap-tiktok-auth {VERSION}")


def _is_installed(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
