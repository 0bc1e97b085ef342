"""What a text from outside must not do where it is shown."""

from __future__ import annotations

import unicodedata


def assert_clean(shown: str) -> None:
    """Nothing steers a terminal, turns the reading direction or forges a line."""
    kinds = {unicodedata.category(char) for char in shown.replace("\n", "")}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert not any(line.startswith("ERROR forged") for line in shown.splitlines())
