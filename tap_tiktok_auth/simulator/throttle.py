"""Rate limits, as token buckets that run on the simulator's clock."""

from __future__ import annotations

from dataclasses import dataclass

# TikTok docs: Rate limits (1740029171730433): calls per second, minute and day, per developer app;
# in the sandbox per endpoint. Accounts API rate limits (1738084416214017): 40 a minute for each
# account and endpoint, and 600 (Basic) or 1000 a minute for all Accounts endpoints of an app.
# TikTok docs: /v2/user/info/ 600 a minute.
_TIERS: dict[str, tuple[int, int, int]] = {
    "basic": (10, 600, 864_000),
    "advanced": (20, 1_200, 1_728_000),
    "premium": (30, 1_800, 2_592_000),
    "ultimate": (50, 3_000, 4_320_000),
    "sandbox": (1, 30, 1_000),
}
_PERIODS = (1.0, 60.0, 86_400.0)
_ACCOUNT_PATHS = ("/tt_user/", "/business/get/")

TIERS = ("off", *_TIERS)


@dataclass
class _Bucket:
    level: float
    filled_at: float


class Throttle:
    """Counts calls against the limits of a tier.

    Args:
        tier: One of ``TIERS``; ``off`` allows everything.

    Raises:
        ValueError: If the tier is unknown.
    """

    def __init__(self, tier: str = "off") -> None:
        if tier not in TIERS:
            raise ValueError(f"unknown tier {tier!r}; known are {', '.join(TIERS)}")
        self.tier = tier
        self._buckets: dict[tuple[str, float], _Bucket] = {}

    def allows(self, path: str, app_id: str, subject: str, now: float) -> bool:
        """Tell whether a call is within its limits, and count it.

        Args:
            path: The endpoint.
            app_id: The app that calls.
            subject: The person that the call speaks for, or ``""`` if it is not known yet.
            now: Epoch seconds.
        """
        if self.tier == "off" or path.startswith("/v2/oauth/"):  # no limit is documented there
            return True
        if path.startswith("/v2/"):
            return self._take([(f"v2 {app_id}", 60.0, 600)], now)
        key = f"{app_id} {path}" if self.tier == "sandbox" else app_id
        limits = [
            (key, period, limit) for period, limit in zip(_PERIODS, _TIERS[self.tier], strict=True)
        ]
        if any(part in path for part in _ACCOUNT_PATHS):
            every = 600 if self.tier in {"basic", "sandbox"} else 1_000
            limits.append((f"accounts {app_id}", 60.0, every))
            if subject:
                limits.append((f"{subject} {path}", 60.0, 40))
        return self._take(limits, now)

    def _take(self, limits: list[tuple[str, float, int]], now: float) -> bool:
        buckets = []
        for key, period, limit in limits:
            bucket = self._buckets.setdefault((key, period), _Bucket(float(limit), now))
            gained = max(0.0, now - bucket.filled_at) * limit / period
            bucket.level = min(float(limit), bucket.level + gained)
            bucket.filled_at = now
            buckets.append(bucket)
        # A hair of tolerance: refilling in many small steps must not lose a call to rounding.
        if any(bucket.level < 1.0 - 1e-9 for bucket in buckets):
            return False
        for bucket in buckets:
            bucket.level -= 1.0
        return True
