"""What every error of the store is: one line with a next step, and nothing secret."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.postgres_server import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.errors import StoreError


@contextmanager
def one_line(kind: type[StoreError], *words: str) -> Iterator[None]:
    """Expect an error whose line has these words and ends with a next step."""
    with pytest.raises(kind) as caught:
        yield
    line = str(caught.value)
    for never in ("\n", "Traceback", "FATAL", PASSWORD):
        assert never not in line
    for word in words:
        assert word in line
    assert caught.value.next_step
    assert caught.value.__context__ is None or caught.value.__suppress_context__
