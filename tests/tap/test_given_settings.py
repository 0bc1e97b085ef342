"""The tap takes its settings from files and the environment, as its commands do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tap_tiktok_auth.simulator import Simulator

BIN = Path(sys.executable).parent
_TAP, _STATUS = ("tap-tiktok-auth",), ("tiktok-auth", "status", "--check")


def run(
    command: tuple[str, ...], folder: Path, config: dict[str, Any], variables: dict[str, Any]
) -> subprocess.CompletedProcess[str]:
    """Run a command with a config file and variables."""
    path = folder / "config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    texts = {
        f"TAP_TIKTOK_AUTH_{name.upper()}": v if isinstance(v, str) else json.dumps(v)
        for name, v in variables.items()
    }
    return subprocess.run(
        [BIN / command[0], *command[1:], "--config", path],
        env={"PATH": "", "HOME": str(folder), **texts},
        capture_output=True,
        text=True,
        check=False,
    )


def base(tiktok: Simulator, folder: Path) -> dict[str, Any]:
    """Settings of a connection and a store, without a host."""
    settings = tiktok.settings("marketing")
    wanted = ("app_id", "app_secret", "auth_code")
    store = f"sqlite:///{folder / 'tokens.db'}"
    return {**{name: settings[name] for name in wanted}, "token_store": store}


def hosts(tiktok: Simulator) -> dict[str, str]:
    """The hosts of a simulated TikTok."""
    return dict.fromkeys(("business_api_url", "login_kit_api_url", "tiktok_url"), tiktok.url)


def messages(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """What the tap wrote."""
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("command", [_TAP, _STATUS], ids=["tap", "status"])
def test_what_a_file_leaves_out_the_environment_says(
    tiktok_simulator: Simulator, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """A setting that is only in the environment counts beside a config file; the file wins."""
    config, variables = base(tiktok_simulator, tmp_path), hosts(tiktok_simulator)
    done = run(command, tmp_path, config, {**variables, "app_id": "7000000000000000001"})
    assert done.returncode == 0, done.stderr
    assert tiktok_simulator.count(action="exchange") == 1


@pytest.mark.parametrize("command", [_TAP, _STATUS], ids=["tap", "status"])
def test_a_file_may_have_texts(
    tiktok_simulator: Simulator, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """What Meltano writes as text, not knowing its kind, is read as in the environment."""
    entry = base(tiktok_simulator, tmp_path)
    store = entry.pop("token_store")
    texts = {
        "token_store": store,
        "connections": json.dumps([{"name": "acme", **entry}]),
        "parallelism": "4",
        "requests_per_second": "50.5",
        "long_term_token": "true",
        "stream_maps": '{"token_events": null}',
        "flattening_enabled": "false",
    }
    done = run(command, tmp_path, {**texts, **hosts(tiktok_simulator)}, {})
    assert done.returncode == 0, done.stderr
    assert entry["app_secret"] not in done.stdout + done.stderr
    assert tiktok_simulator.count(action="exchange") == 1


@pytest.mark.parametrize("place", ["file", "file as text", "environment"])
def test_stream_maps(tiktok_simulator: Simulator, tmp_path: Path, place: str) -> None:
    """Stream maps and flattening shape the records, wherever they were set."""
    maps = {
        "token_metadata": {
            "connection": "connection",
            "where": "record",
            "team": "config['team']",
            "__else__": None,
        },
        "__else__": None,
    }
    given: dict[str, Any] = {
        "stream_maps": maps,
        "stream_map_config": {"team": "growth"},
        "flattening_enabled": True,
        "flattening_max_depth": 1,
        "flattening_separator": "-",
        "faker_config": None,
    }
    config, variables = {**base(tiktok_simulator, tmp_path), **hosts(tiktok_simulator)}, {}
    if place == "file":
        config |= given
    elif place == "file as text":
        config |= {k: v if v is None else json.dumps(v) for k, v in given.items()}
        config["flattening_separator"] = "-"
    else:
        variables = {name: value for name, value in given.items() if value is not None}
    written = messages(run(_TAP, tmp_path, config, variables))
    records = [m for m in written if m["type"] == "RECORD"]
    assert {m["stream"] for m in records} == {"token_metadata"}
    (record,) = (m["record"] for m in records)
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
    tiktok_simulator: Simulator, tmp_path: Path, name: str, value: object, line: str
) -> None:
    """A wrong setting of the SDK's ends a run in one line, before a code is spent."""
    config = {**base(tiktok_simulator, tmp_path), **hosts(tiktok_simulator), name: value}
    done = run(_TAP, tmp_path, config, {})
    assert (done.returncode, done.stdout) == (1, "")
    errors = [text for text in done.stderr.splitlines() if " ERROR " in text]
    assert len(errors) == 1, done.stderr
    assert line in errors[0]
    assert "Traceback" not in done.stderr
    assert tiktok_simulator.calls() == []


@pytest.mark.parametrize("expression", ["fake.first_name()", "nobody"])
def test_a_map_that_no_record_suits_is_named(
    tiktok_simulator: Simulator, tmp_path: Path, expression: str
) -> None:
    """An expression that fails with the first record ends the run in a line that names it."""
    config = {**base(tiktok_simulator, tmp_path), **hosts(tiktok_simulator)}
    done = run(_TAP, tmp_path, {**config, "stream_maps": {"token_metadata": {"x": expression}}}, {})
    assert done.returncode == 1
    assert "an unexpected" not in done.stderr
    (line,) = (text for text in done.stderr.splitlines() if "cannot use the stream maps" in text)
    assert expression in line
    assert "Correct stream_maps" in line


def test_about_needs_no_settings_that_can_be_read(tmp_path: Path) -> None:
    """`--about` names all settings, the SDK's too, even while one of them is malformed."""
    done = run(("tap-tiktok-auth", "--about", "--format=json"), tmp_path, {}, {"parallelism": "x"})
    assert done.returncode == 0, done.stderr
    assert {"stream_maps", "flattening_separator"} <= json.loads(done.stdout)["settings"][
        "properties"
    ].keys()
