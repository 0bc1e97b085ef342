"""What is written down about the settings agrees with the settings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.config.parsing import parse
from tap_tiktok_auth.config.settings import SDK_SETTINGS, SETTINGS
from tap_tiktok_auth.tap import TapTikTokAuth
from tests.scripts import ROOT, load

if TYPE_CHECKING:
    from types import ModuleType

DOCUMENTS = ("meltano.yml", "tap-tiktok-auth.plugin.yml", ".env.example", "README.md")


@pytest.fixture(scope="module")
def sync() -> ModuleType:
    """The script that keeps the documents in step."""
    return load("sync_settings")


@pytest.fixture(scope="module")
def extractor(sync: ModuleType) -> dict[str, Any]:
    """The tap's entry in `meltano.yml`."""
    found: dict[str, Any] = sync.extractor((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_is_in_step(sync: ModuleType, name: str) -> None:
    """Every document says what settings.py says."""
    assert sync.expected()[name] == (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_names_every_setting(name: str) -> None:
    """No setting is missing from a document."""
    text = (ROOT / name).read_text(encoding="utf-8")
    missing = [s.name for s in SETTINGS if s.name not in text and s.env_var not in text]
    assert missing == []


def test_check_notices_a_change(sync: ModuleType, tmp_path: Path) -> None:
    """A document that someone edited by hand is reported as out of step."""
    for name in DOCUMENTS:
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    readme = tmp_path / "README.md"
    changed = readme.read_text(encoding="utf-8").replace("`1800`", "`60`")
    readme.write_text(changed, encoding="utf-8")

    assert sync.out_of_step(tmp_path) == ["README.md"]


def test_meltano_treats_every_secret_as_sensitive(extractor: dict[str, Any]) -> None:
    """Meltano redacts each secret setting, and the list that may hold secrets."""
    sensitive = {s["name"] for s in extractor["settings"] if s.get("sensitive")}
    assert sensitive == {s.name for s in SETTINGS if s.secret} | {"connections"}


def test_settings_of_the_sdk_are_those_of_the_capabilities() -> None:
    """Each setting that the SDK adds for the tap's capabilities is declared, with its kind."""
    added: dict[str, Any] = {}
    TapTikTokAuth.append_builtin_config(added)
    kinds = {name: schema["type"][0] for name, schema in added["properties"].items()}
    assert {setting.name: setting.kind for setting in SDK_SETTINGS} == kinds


def test_settings_groups_name_settings(extractor: dict[str, Any]) -> None:
    """The groups of settings that make a valid config name settings that exist."""
    named = {name for group in extractor["settings_group_validation"] for name in group}
    assert named <= {s.name for s in SETTINGS}


_VALUES = {
    "connections": [{"name": "acme", "app_id": "7", "app_secret": "s", "auth_code": "c"}],
    "token_store": "sqlite:////tokens.db",
    "advertiser_ids": ["7000000000000000001"],
}


def test_settings_groups_are_valid(extractor: dict[str, Any]) -> None:
    """What Meltano shows as a sufficient group of settings is a config that the tap takes."""
    for group in extractor["settings_group_validation"]:
        parse({name: _VALUES.get(name, "7") for name in group})


def test_meltano_commands_exist(extractor: dict[str, Any]) -> None:
    """Each Meltano command is a subcommand of tiktok-auth that can show its help."""
    for name, command in extractor["commands"].items():
        assert command["executable"] == "tiktok-auth"
        assert command["args"] == name
        executable = Path(sys.executable).with_name("tiktok-auth")
        done = subprocess.run([executable, name, "--help"], capture_output=True, check=False)
        assert done.returncode == 0, name


def test_meltano_file_is_valid() -> None:
    """The project file is valid against Meltano's schema, without the network."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.meltano"]
    done = subprocess.run(
        [*command, "--output-format", "json", str(ROOT / "meltano.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(done.stdout)["status"] == "ok", done.stdout


@pytest.mark.parametrize("kind", ["extractors", "loaders"])
def test_every_plugin_is_defined_inline(sync: ModuleType, kind: str) -> None:
    """No plugin needs Meltano Hub."""
    plugins = sync.plugins((ROOT / "meltano.yml").read_text(encoding="utf-8"), kind)
    assert plugins
    assert all("namespace" in plugin and "pip_url" in plugin for plugin in plugins)


@pytest.mark.parametrize("name", ["constraints.txt", "scripts/meltano-constraints.txt"])
def test_pins_carry_hashes_and_no_addresses(name: str) -> None:
    """Each pinned distribution has a hash, and no download address stands beside it."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert pins
    assert all("==" in pin and pin.endswith("\\") for pin in pins)
    assert text.count("--hash=sha256:") >= len(pins)


def test_the_drawing_of_states_is_in_step() -> None:
    """The states in the architecture are those that the transitions of the code lead to."""
    script = load("sync_architecture")
    text = (ROOT / script.DOCUMENT).read_text(encoding="utf-8")
    assert script.document(text) == text
