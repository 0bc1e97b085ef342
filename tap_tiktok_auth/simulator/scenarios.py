"""Things that go wrong on demand."""

from __future__ import annotations

import re
from dataclasses import dataclass

KINDS: dict[str, tuple[str, float | None]] = {
    # name: (what it does, default value; None: it takes no value)
    "latency": ("answers after VALUE milliseconds", 100.0),
    "rate_limited": ("answers 40100, processing nothing", None),
    "system_error": ("answers 50000, processing nothing", None),
    "http_500": ("answers HTTP 500 with a plain text, processing nothing", None),
    "http_502": ("answers HTTP 502 with an HTML page, processing nothing", None),
    "drop_before": ("closes the connection without processing the request", None),
    "drop_reply": ("processes the request, then closes the connection without an answer", None),
    "hang": ("processes the request, then never answers", None),
    "garbage": ("processes the request, then answers an HTML page with HTTP 200", None),
    "truncated": ("processes the request, then sends half of the JSON", None),
    "empty": ("processes the request, then sends an empty body", None),
    "revoked": ("the person withdraws the grant just before the request", None),
    "lost_advertiser": ("the first advertiser of the grant is gone", None),
    "short_lifetimes": ("access tokens live VALUE seconds", 60.0),
    "no_refresh_token_in_refresh": ("a refresh answer carries no refresh token", None),
    "long_lists": ("the grant covers VALUE advertisers (at most 100000)", 1000.0),
}

_SPEC = re.compile(
    r"(?P<name>[a-z_0-9]+?)(?:=(?P<value>\d+(?:\.\d+)?))?(?:x(?P<times>\d+))?(?:@(?P<path>.+))?"
)
_MOST_ADVERTISERS = 100_000


@dataclass
class Scenario:
    """One thing that goes wrong.

    Attributes:
        name: One of ``KINDS``.
        value: Milliseconds, seconds or a count, as the kind says.
        times: How many more calls it touches; ``None`` for all.
        path: Only calls with this text in their path.
    """

    name: str
    value: float | None = None
    times: int | None = None
    path: str | None = None

    def __post_init__(self) -> None:
        """Check name, value and count.

        Raises:
            ValueError: If one of them makes no sense; the text says what does.
        """
        if self.name not in KINDS:
            raise ValueError(
                f"unknown scenario {self.name!r}; known are {', '.join(sorted(KINDS))}"
            )
        default = KINDS[self.name][1]
        if default is None and self.value is not None:
            raise ValueError(f"scenario {self.name!r} takes no value")
        if self.value is None:
            self.value = default
        if self.value is not None and self.value < 0:
            raise ValueError(f"scenario {self.name!r} needs a value of 0 or more")
        if self.name == "long_lists" and (self.value or 0) > _MOST_ADVERTISERS:
            raise ValueError(f"long_lists goes up to {_MOST_ADVERTISERS} advertisers")
        if self.times is not None and self.times < 1:
            raise ValueError(f"scenario {self.name!r} needs a count of 1 or more")

    @classmethod
    def parse(cls, spec: str) -> Scenario:
        """Read ``name[=value][xTIMES][@path]``, as in ``drop_replyx1@/refresh_token/``.

        Raises:
            ValueError: If *spec* cannot be read.
        """
        match = _SPEC.fullmatch(spec.strip())
        if match is None:
            raise ValueError(
                f"cannot read scenario {spec!r}; the form is name[=value][xTIMES][@path]"
            )
        value, times = match["value"], match["times"]
        return cls(
            match["name"],
            None if value is None else float(value),
            None if times is None else int(times),
            match["path"],
        )
