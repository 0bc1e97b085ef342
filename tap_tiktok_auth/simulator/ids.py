"""Random strings in the forms of TikTok's codes, tokens and ids."""

from __future__ import annotations

import random
import string
import time

_LETTERS = string.ascii_letters + string.digits
_HEX = "0123456789ABCDEF"
_PREFIXES = {"access": "act", "refresh": "rft", "client": "clt"}


class Ids:
    """A source of codes, tokens and ids.

    Args:
        seed: The same seed gives the same strings in the same order; ``None`` gives new ones.
    """

    def __init__(self, seed: int | str | None = None) -> None:
        self._random = random.Random(seed)  # noqa: S311  (must be repeatable)

    def text(self, length: int, alphabet: str = _LETTERS) -> str:
        """Return *length* random characters."""
        return "".join(self._random.choices(alphabet, k=length))

    def number(self, digits: int) -> str:
        """Return a decimal number without a leading zero."""
        return self.text(1, "123456789") + self.text(digits - 1, string.digits)

    def code(self) -> str:
        """Return an authorization code.

        It holds ``*`` and ``!``, which travel percent-encoded, and a ``%`` followed by two hex
        digits, so that a client that decodes the callback twice ends up with another string.
        """
        return f"{self.text(32)}-{self.text(2)}%2A*{self.number(1)}!{self.number(4)}"

    def long_term_token(self) -> str:
        """Return a Marketing access token: forty hex digits, no prefix."""
        return self.text(40, _HEX.lower())

    def token(self, kind: str) -> str:
        """Return a token such as ``act.…``, ``rft.…`` or ``clt.…``."""
        return f"{_PREFIXES[kind]}.{self.text(52)}!{self.number(4)}"

    def open_id(self) -> str:
        """Return an id of a TikTok account as seen by one app."""
        return f"-000{self.text(32)}"

    def shuffled(self, values: tuple[str, ...]) -> list[str]:
        """Return *values* in some order: TikTok's scope strings have no stable order."""
        return self._random.sample(values, k=len(values))

    def request_id(self, now: float) -> str:
        """Return a ``request_id``: the UTC time to the second, then 18 hex digits."""
        return time.strftime("%Y%m%d%H%M%S", time.gmtime(now)) + self.text(18, _HEX)
