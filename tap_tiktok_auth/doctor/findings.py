"""What the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tap_tiktok_auth.errors import AuthorizationRequired, completed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_tiktok_auth.credentials.models import Status
    from tap_tiktok_auth.errors import TikTokAuthError

Level = Literal["ok", "info", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """Result of one check.

    Attributes:
        check: What was checked, a word.
        level: `ok`; `info`: good to know; `warning`: will or may hurt; `problem`: does not work.
        message: What was found, one line without any secret.
        fix: What to do about it, a command or a sentence.
        needs_person: Whether a person must authorise.
        connection: The connection that it is about, if it is about one.
        status: That connection's status.
    """

    check: str
    level: Level
    message: str
    fix: str | None = None
    needs_person: bool = False
    connection: str | None = None
    status: Status | None = None

    @property
    def text(self) -> str:
        """The message with the connection that it is about, and its status."""
        subject = [f"connection {self.connection}"] if self.connection else []
        subject += [self.status] if self.status else []
        return ": ".join([*subject, self.message])

    def as_json(self) -> dict[str, str | None]:
        """Return it as a JSON object."""
        return {
            "check": self.check,
            "level": self.level,
            "message": self.text,
            "mend": self.fix and completed(self.fix),
            "connection": self.connection,
            "status": self.status,
        }


def from_error(
    check: str, error: TikTokAuthError, level: Level = "problem", status: Status | None = None
) -> Finding:
    """Return the finding that an error makes."""
    origin = [f"TikTok code {error.code}"] if error.code else []
    origin += [f"request id {error.request_id}"] if error.request_id else []
    return Finding(
        check,
        level,
        error.cause + (f" ({', '.join(origin)})" if origin else ""),
        error.advice,
        needs_person=isinstance(error, AuthorizationRequired) and level == "problem",
        connection=error.connection,
        status=status,
    )


def exit_code(findings: Iterable[Finding]) -> int:
    """Return 3 if a person must authorise, 1 if there is another problem, else 0."""
    problems = [finding for finding in findings if finding.level == "problem"]
    if any(finding.needs_person for finding in problems):
        return 3
    return 1 if problems else 0
