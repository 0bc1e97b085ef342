"""A store whose tables are not what they should be, on every database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.errors import StoreDamaged, StoreError, StoreTooNew
from tap_tiktok_auth.store import schema

if TYPE_CHECKING:
    from tests.store.backends import Backend

_VERSION = "UPDATE meta SET value = '{}' WHERE name = 'schema_version'"


@pytest.mark.parametrize(
    ("statement", "kind", "said"),
    [
        (_VERSION.format(schema.VERSION + 1), StoreTooNew, "newer tap-tiktok-auth.*pip install"),
        (_VERSION.format("99"), StoreTooNew, "newer tap-tiktok-auth.*pip install --upgrade"),
        (_VERSION.format("x"), StoreDamaged, "schema version is not a number"),
        ("DROP TABLE connections", StoreDamaged, "Restore .* from a backup"),
        ("ALTER TABLE connections RENAME scopes TO lost", StoreDamaged, "Restore .* from a backup"),
    ],
)
def test_what_is_not_ours_to_change_is_told(
    backend: Backend, statement: str, kind: type[StoreError], said: str
) -> None:
    """A store of a newer version, or one that lost a part, is refused and left as it is."""
    backend.open().close()
    backend.sql(statement)
    before = backend.sql("SELECT name, value FROM meta ORDER BY name")
    with pytest.raises(kind, match=said) as caught:
        backend.open().records()
    assert "\n" not in str(caught.value)
    assert backend.sql("SELECT name, value FROM meta ORDER BY name") == before
