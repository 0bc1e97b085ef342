"""A finding, and what all of them together mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tap_tiktok_auth.errors import AuthorizationRequired

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_tiktok_auth.errors import TikTokAuthError

Level = Literal["ok", "info", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: What was looked at, a word.
        level: `ok`; `info`: good to know; `warning`: will or may hurt; `problem`: does not work.
        message: What was found, one line without any secret.
        mend: What to do about it, a command or a sentence.
        needs_person: Whether a person must authorise.
    """

    check: str
    level: Level
    message: str
    mend: str | None = None
    needs_person: bool = False

    def as_json(self) -> dict[str, str | None]:
        """Return it as a JSON object."""
        return {
            "check": self.check,
            "level": self.level,
            "message": self.message,
            "mend": self.mend,
        }


def from_error(check: str, error: TikTokAuthError, level: Level = "problem") -> Finding:
    """Return the finding that an error makes."""
    name = error.connection
    origin = [f"TikTok code {error.code}"] if error.code else []
    origin += [f"request id {error.request_id}"] if error.request_id else []
    message = f"connection {name}: {error.cause}" if name else error.cause
    if origin:
        message += f" ({', '.join(origin)})"
    return Finding(
        check,
        level,
        message,
        mend_of(error),
        needs_person=isinstance(error, AuthorizationRequired) and level == "problem",
    )


def mend_of(error: TikTokAuthError) -> str | None:
    """Return what an error says about mending it."""
    return error.what_next or None


def exit_code(findings: Iterable[Finding]) -> int:
    """Return 3 if a person must authorise, 1 if there is another problem, else 0."""
    problems = [finding for finding in findings if finding.level == "problem"]
    if any(finding.needs_person for finding in problems):
        return 3
    return 1 if problems else 0
