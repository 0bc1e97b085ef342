"""What a run is given: settings from files and the environment, a catalog, a state, `--test`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from tests.standin.runs import Bench, Run

HOSTS = ("business_api_url", "login_kit_api_url", "tiktok_url")
IDS = "advertiser_ids"
FIELDS = {"properties": {"connection": {"type": "string"}}}


@pytest.fixture(name="config")
def _config(bench: Bench) -> dict[str, Any]:
    """Return settings of one connection."""
    return bench.settings(bench.consented("marketing", "acme"))


def in_environment(patch: pytest.MonkeyPatch, settings: dict[str, Any]) -> None:
    """Put settings into the environment."""
    for name, value in settings.items():
        text = value if isinstance(value, str) else json.dumps(value)
        patch.setenv(f"TAP_TIKTOK_AUTH_{name.upper()}", text)


def assert_one_error(run: Run, part: str) -> str:
    """Assert that a run ended in one line, with that part, before anything was emitted."""
    assert (run.code, run.out) == (1, "")
    (line,) = (line for line in run.err.splitlines() if " ERROR " in line)
    assert part in line
    return line


def test_what_a_file_leaves_out_the_environment_says(
    bench: Bench,
    config: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    command: Callable[..., Result],
) -> None:
    """A setting that is only in the environment counts beside a config file; the file wins."""
    in_environment(monkeypatch, {name: config.pop(name) for name in HOSTS})
    in_environment(monkeypatch, {"token_store": "sqlite:////nowhere/tokens.db"})
    assert bench.run(config).code == 0
    assert command("status", "--check").exit_code == 0
    assert len(bench.standin.token_posts) == 1


def test_a_file_may_have_texts(
    bench: Bench, config: dict[str, Any], command: Callable[..., Result]
) -> None:
    """What Meltano writes as text, not knowing its kind, is read as in the environment."""
    texts = {
        "connections": json.dumps(config["connections"]),
        "parallelism": "4",
        "requests_per_second": "50.5",
        "request_timeout": "5",
        "long_term_token": "true",
        "stream_maps": '{"token_events": null}',
        "flattening_enabled": "false",
    }
    run = bench.run(config | texts)
    assert (run.code, run.rows("token_events")) == (0, [])
    assert command("status", "--check").exit_code == 0
    assert len(bench.standin.token_posts) == 1


@pytest.mark.parametrize("place", ["file", "file as text", "environment"])
def test_stream_maps(
    bench: Bench, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Stream maps and flattening shape the records, wherever they were set."""
    shown = {"connection": "connection", "where": "record", "team": "config['team']"}
    given: dict[str, Any] = {
        "stream_maps": {"token_metadata": shown | {"__else__": None}, "__else__": None},
        "stream_map_config": {"team": "growth"},
        "flattening_enabled": True,
        "flattening_max_depth": 1,
    }
    if place == "file":
        config |= given | {"faker_config": None}
    elif place == "file as text":
        config |= {name: json.dumps(value) for name, value in given.items()}
    else:
        in_environment(monkeypatch, given)
    run = bench.run(config | {"flattening_separator": "-"})
    ((stream, record),) = ((m["stream"], m["record"]) for m in run.messages if "record" in m)
    assert stream == "token_metadata"
    assert (record["team"], record["where-status"]) == ("growth", "active")


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("stream_maps", "{'a': 1}", "setting stream_maps must be an object, written as JSON."),
        ("stream_maps", "null", "setting stream_maps must be an object, written as JSON."),
        ("stream_maps", "[]", "setting stream_maps must be an object."),
        ("stream_maps", 5, "setting stream_maps must be an object."),
        ("stream_map_config", "team=x", "setting stream_map_config must be an object, written"),
        ("faker_config", '"de_DE"', "setting faker_config must be an object."),
        ("flattening_enabled", "perhaps", "setting flattening_enabled must be true or false."),
        ("flattening_max_depth", "deep", "setting flattening_max_depth must be a whole number."),
        ("flattening_max_depth", -2, "setting flattening_max_depth must be at least 0."),
        ("flattening_max_key_length", "0", "setting flattening_max_key_length must be at least 1."),
        ("flattening_enabled", True, "flattening_max_depth is required when flattening is"),
        ("stream_maps", {"__else__": "x"}, "the Singer SDK cannot use the stream maps"),
        ("stream_maps", {"token_metadata": 7}, "the Singer SDK cannot use the stream maps"),
        ("stream_maps", {"token_metadata": {"x": {}}}, "the Singer SDK cannot use the stream maps"),
        ("stream_maps", {"token_metadata": {"x": "1 +"}}, "the Singer SDK cannot use the stream"),
        ("stream_maps", {"token_metadata": {"x": ""}}, "the Singer SDK cannot use the stream maps"),
    ],
)
def test_what_the_sdk_cannot_use(
    bench: Bench, config: dict[str, Any], name: str, value: object, line: str
) -> None:
    """A wrong setting of the SDK's ends a run in one line, before a code is spent."""
    assert_one_error(bench.run(config | {name: value}), line)
    assert bench.standin.calls == []


@pytest.mark.parametrize("expression", ["fake.first_name()", "nobody"])
def test_a_map_that_no_record_suits_is_named(
    bench: Bench, config: dict[str, Any], expression: str
) -> None:
    """An expression that fails with the first record ends the run in a line that names it."""
    run = bench.run(config | {"stream_maps": {"token_metadata": {"x": expression}}})
    assert run.code == 1
    assert "an unexpected" not in run.err
    (line,) = (text for text in run.err.splitlines() if "cannot use the stream maps" in text)
    assert expression in line
    assert "Correct stream_maps" in line


def test_about_needs_no_settings_that_can_be_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--about` names all settings, the SDK's too, even while one of them is malformed."""
    in_environment(monkeypatch, {"parallelism": "x"})
    run = bench.run({}, None, "--about", "--format=json")
    assert run.code == 0
    known = json.loads(run.out)["settings"]["properties"]
    assert {"stream_maps", "flattening_separator"} <= known.keys()


@pytest.mark.parametrize("spent", [False, True])
def test_a_connection_that_fails_fails_the_test(
    bench: Bench, config: dict[str, Any], *, spent: bool
) -> None:
    """`--test` ends with 0 if all connections are well, and with 1 and one line if not."""
    bench.world.codes[config["connections"][0]["auth_code"]].used = spent
    run = bench.run(config, None, "--test")
    assert (run.code, len(run.told("acme"))) == (int(spent), int(spent))


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
def test_a_malformed_catalog_is_one_line(
    bench: Bench, config: dict[str, Any], catalog: Any
) -> None:
    """No traceback, no record, and no token is spent for what cannot be read."""
    path = bench.folder / "catalog.json"
    path.write_text(json.dumps(catalog))
    run = bench.run(config, None, "--catalog", str(path))
    assert_one_error(run, "the catalog file is not")
    assert bench.standin.calls == []


def test_the_taps_own_catalog_fits(bench: Bench, config: dict[str, Any]) -> None:
    """What discovery prints is taken."""
    path = bench.folder / "catalog.json"
    path.write_text(bench.run(config, None, "--discover").out)
    run = bench.run(config, None, "--catalog", str(path))
    assert (run.code, len(run.rows(IDS))) == (0, 2)


def test_a_state_that_is_none(bench: Bench, config: dict[str, Any]) -> None:
    """A bookmark that is no event id is refused in one line."""
    bookmark = {"replication_key": "event_id", "replication_key_value": "yesterday"}
    run = bench.run(config, {"bookmarks": {"token_events": bookmark}})
    assert_one_error(run, "bookmark of the stream token_events is no event id")


@pytest.mark.parametrize(
    "more",
    [{"partitions": 5}, {"partitions": [1]}, {"progress_markers": 5}, {"partitions": [{}]}],
    ids=str,
)
def test_a_state_with_what_no_stream_has(
    bench: Bench, config: dict[str, Any], more: dict[str, Any]
) -> None:
    """What a state has beside bookmarks of ours keeps no run from its work."""
    first = bench.run(config)
    bookmarks = json.loads(json.dumps(first.state["bookmarks"]))
    bookmarks["token_events"] |= more
    bookmarks["advertisers"] = more
    run = bench.run(config, {"bookmarks": bookmarks})
    assert run.code == 0, run.err
    assert run.state["bookmarks"]["token_events"] == first.state["bookmarks"]["token_events"]
