"""Catalogs that are none: one line, before anything is asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.standin.runs import Bench

IDS = "advertiser_ids"
FIELDS = {"properties": {"connection": {"type": "string"}}}


def entry(**changes: Any) -> dict[str, Any]:
    """Return a catalog of one stream."""
    return {"streams": [{"tap_stream_id": IDS, "schema": FIELDS, **changes}]}


def told(metadata: Any) -> dict[str, Any]:
    """Return a catalog with that metadata of its stream."""
    return entry(metadata=[{"breadcrumb": [], "metadata": metadata}])


def each(make: Callable[[Any], Any], *values: Any) -> list[Any]:
    """Return one catalog for each value."""
    return [make(value) for value in values]


MALFORMED: list[Any] = [
    *([], 7, None, "x", {"streams": None}, {"streams": 7}, {"streams": "x"}, {"streams": [7]}),
    *({"streams": [None]}, {"streams": [{}]}, {"streams": [[]]}, {"streams": [{"schema": FIELDS}]}),
    {"streams": [{"tap_stream_id": IDS}]},
    *each(lambda value: entry(tap_stream_id=value), [], {}, ["a"]),
    *each(lambda value: entry(schema=value), None, 7, [], "x", {}, {"properties": 7}),
    *each(lambda value: entry(schema={"properties": value}), [7], {"a": 7}, {"a": None}, "x"),
    *each(lambda value: entry(metadata=value), 7, "x", [7], [None], [{}], [{"breadcrumb": 7}]),
    *each(lambda value: entry(metadata=[{"breadcrumb": value, "metadata": {}}]), 7, None, [[]]),
    *each(told, 7, None, "x", [7]),
    *each(lambda value: entry(replication_key=value), 7, "nobody", [], {}),
    *each(lambda value: entry(stream=value), 7, "other", []),
]


@pytest.mark.parametrize("catalog", MALFORMED, ids=json.dumps)
def test_a_malformed_catalog_is_one_line(bench: Bench, catalog: Any) -> None:
    """No traceback, no record, and no token is spent for what cannot be read."""
    path = bench.folder / "catalog.json"
    path.write_text(json.dumps(catalog))

    run = bench.run(bench.settings(bench.consented("marketing")), None, "--catalog", str(path))

    assert (run.code, run.out) == (1, "")
    assert [line for line in run.err.splitlines() if " ERROR " in line] == [
        line for line in run.err.splitlines() if "the catalog file is not" in line
    ]
    assert run.err.count("the catalog file is not") == 1
    assert bench.standin.calls == []


def test_the_taps_own_catalog_fits(bench: Bench) -> None:
    """What discovery prints is taken."""
    config = bench.settings(bench.consented("marketing"))
    path = bench.folder / "catalog.json"
    path.write_text(bench.run(config, None, "--discover").out)

    run = bench.run(config, None, "--catalog", str(path))

    assert run.code == 0
    assert len(run.rows("advertiser_ids")) == 2
