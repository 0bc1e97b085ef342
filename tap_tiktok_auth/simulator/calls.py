"""The list of the calls that the simulator got."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.simulator.mint import short_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET_FIELDS = frozenset(
    {
        "access_token",
        "auth_code",
        "client_secret",
        "code",
        "code_verifier",
        "refresh_token",
        "secret",
        "token",
    }
)


@dataclass(frozen=True)
class Call:
    """One request, without any secret in it.

    Attributes:
        number: Counts from 1.
        at: Simulated time of arrival, epoch seconds.
        method: HTTP method.
        path: Path without the query.
        action: What the endpoint does: ``exchange``, ``refresh``, ``revoke``, ``advertisers``, …;
            ``unknown`` for a path that is not served.
        fields: Names of the fields sent, sorted.
        hashes: Short hash of each secret sent, by the name of the field or header.
        app_id: The app named in the request, or the one of its token.
        outcome: TikTok's code or error name, ``0`` or ``ok`` when it went well; ``dropped`` if
            the request was not processed.
        status: HTTP status; 0 if there was no answer.
        scenarios: Names of the scenarios that touched this call.
    """

    number: int
    at: float
    method: str
    path: str
    action: str
    fields: tuple[str, ...]
    hashes: Mapping[str, str] = field(default_factory=dict)
    app_id: str = ""
    outcome: str = ""
    status: int = 0
    scenarios: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the call as a JSON object."""
        return asdict(self)


def hashes_of(fields: Mapping[str, Any], headers: Mapping[str, str | None]) -> dict[str, str]:
    """Return the short hash of every secret among *fields*, and of each of *headers*."""
    secrets = {name: value for name, value in fields.items() if name in SECRET_FIELDS}
    return {
        name: short_hash(value)
        for name, value in (secrets | dict(headers)).items()
        if isinstance(value, str)
    }


class CallList:
    """Calls in the order of their arrival."""

    def __init__(self) -> None:
        self._calls: list[Call] = []

    def next_number(self) -> int:
        """Return the number of the next call."""
        return len(self._calls) + 1

    def add(self, call: Call) -> None:
        """Append *call*."""
        self._calls.append(call)

    def matching(
        self, action: str | None = None, path: str | None = None, outcome: str | None = None
    ) -> list[Call]:
        """Return the calls of that action, with that text in the path, with that outcome."""
        return [
            call
            for call in self._calls
            if (action is None or call.action == action)
            and (path is None or path in call.path)
            and (outcome is None or call.outcome == str(outcome))
        ]

    def clear(self) -> None:
        """Forget all calls."""
        self._calls.clear()
