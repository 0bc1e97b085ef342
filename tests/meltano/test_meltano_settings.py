"""Under real Meltano the tap and its commands have the same settings, wherever they were set."""

from __future__ import annotations

import base64
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tap_tiktok_auth.simulator import Simulator
from tests.meltano.test_meltano import ROOT, Meltano

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = [
    pytest.mark.meltano,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("meltano"),
]

TAP = "tap-tiktok-auth"
#: All ways in which Meltano calls TikTok, or looks whether it is there, for us.
CALLS = (
    ("run", TAP, "target-jsonl"),
    ("invoke", TAP),
    ("invoke", f"{TAP}:status", "--check"),
    ("invoke", f"{TAP}:doctor"),
)
#: The entry that has all settings, and the README's, which leaves most to `.env`.
WHOLE, SHORT = "meltano.yml", "README.md"


@pytest.fixture(scope="module", name="here")
def _here() -> Iterator[Simulator]:
    with Simulator(seed="here") as simulator:
        yield simulator


@pytest.fixture(scope="module", name="elsewhere")
def _elsewhere() -> Iterator[Simulator]:
    with Simulator(seed="elsewhere") as simulator:
        yield simulator


def _entry(document: str) -> dict[str, Any]:
    """The tap's entry: the whole one of `meltano.yml`, or the short one that the README shows."""
    text = (ROOT / document).read_text(encoding="utf-8")
    if document == "README.md":
        text = text.partition("```yaml\nplugins:")[2].partition("```")[0]
        text = "plugins:" + text
    (entry,) = (e for e in yaml.safe_load(text)["plugins"]["extractors"] if e["name"] == TAP)
    assert isinstance(entry, dict)
    return entry | {"pip_url": f"-e '{ROOT}[postgres]'"}


@pytest.fixture(scope="module", name="meltano")
def _meltano(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Meltano:
    project = tmp_path_factory.mktemp("project")
    (project / "output").mkdir()
    content = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    content["plugins"]["extractors"] = [_entry(request.param)]
    content["environments"] = [{"name": "dev"}, {"name": "other"}]
    text = yaml.safe_dump(content, sort_keys=False)
    (project / "meltano.yml").write_text(text, encoding="utf-8")
    meltano = Meltano(project, {})
    meltano.succeed("install", TAP, "target-jsonl")
    return meltano


@pytest.fixture(autouse=True)
def _fresh(meltano: Meltano) -> Iterator[None]:
    """Put back all files with settings after each test."""
    file = meltano.project / "meltano.yml"
    before = file.read_text(encoding="utf-8")
    yield
    file.write_text(before, encoding="utf-8")
    (meltano.project / ".env").unlink(missing_ok=True)


def _credentials(simulator: Simulator, folder: Path) -> dict[str, str]:
    """An app, a code and a store of their own, and no host."""
    settings = simulator.settings("marketing")
    return {
        **{name: settings[name] for name in ("app_id", "app_secret", "auth_code")},
        "token_store": f"sqlite:///{folder}/tokens.db",
        "token_store_key": base64.urlsafe_b64encode(os.urandom(32)).decode(),
    }


def _hosts(simulator: Simulator) -> dict[str, str]:
    names = ("business_api_url", "login_kit_api_url", "tiktok_url")
    return dict.fromkeys(names, simulator.url)


def _dotenv(meltano: Meltano, settings: Mapping[str, str]) -> None:
    lines = [f"TAP_TIKTOK_AUTH_{name.upper()}='{value}'\n" for name, value in settings.items()]
    (meltano.project / ".env").write_text("".join(lines), encoding="utf-8")


def _configure(meltano: Meltano, settings: Mapping[str, object]) -> None:
    """Write settings into `meltano.yml`, as a person does with an editor."""
    file = meltano.project / "meltano.yml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    content["plugins"]["extractors"][0]["config"] = dict(settings)
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _assert_all_call(
    meltano: Meltano, here: Simulator, elsewhere: Simulator, *options: str
) -> None:
    """Each way of calling ends well, asks the one host and not the other."""
    for call in CALLS:
        before, others = len(here.calls()), len(elsewhere.calls())
        done = meltano(*options, *call)
        assert done.returncode == 0, (call, done.stdout + done.stderr)
        if call[-1].endswith(":doctor"):
            assert here.url.partition("//")[2] in done.stdout, done.stdout
            assert elsewhere.url.partition("//")[2] not in done.stdout
        else:
            assert len(here.calls()) > before, call
        assert len(elsewhere.calls()) == others, call


@pytest.mark.parametrize("meltano", [SHORT], indirect=True)
def test_dotenv_counts_for_all_alike(
    meltano: Meltano, here: Simulator, elsewhere: Simulator, tmp_path: Path
) -> None:
    """A host that `.env` names and the project does not declare is called by tap and commands."""
    _dotenv(meltano, {**_credentials(here, tmp_path), **_hosts(here)})

    _assert_all_call(meltano, here, elsewhere)


@pytest.mark.parametrize("meltano", [WHOLE], indirect=True)
def test_each_place_of_meltano_counts_for_all_alike(
    meltano: Meltano, here: Simulator, elsewhere: Simulator, tmp_path: Path
) -> None:
    """Settings in file, environment, `.env` and database of Meltano reach tap and commands."""
    known = _credentials(here, tmp_path)
    _configure(meltano, {**_hosts(elsewhere), "token_store": known.pop("token_store")})
    app_id = known.pop("app_id")
    _dotenv(meltano, known)
    meltano.succeed("config", "set", "--store=db", TAP, "app_id", app_id)
    for name, url in _hosts(here).items():
        meltano.succeed("--environment", "other", "config", "set", TAP, name, url)

    _assert_all_call(meltano, here, elsewhere, "--environment", "other")


@pytest.mark.parametrize("meltano", [WHOLE, SHORT], indirect=True)
def test_stream_maps_and_flattening(meltano: Meltano, here: Simulator, tmp_path: Path) -> None:
    """Stream maps and flattening that `meltano config set` has set shape what a run loads."""
    _dotenv(meltano, {**_credentials(here, tmp_path), **_hosts(here)})
    shared = {"stream_map_config": {"team": "growth"}, "flattening_separator": ".."}
    _configure(meltano, shared)
    maps = {
        "advertiser_ids": {"__alias__": "ad_accounts", "advertiser_name": "__NULL__"},
        "token_metadata": {"label": "config['team'] + ' ' + connection", "nested": "record"},
        "token_events": "__NULL__",
    }
    for name, value in {
        "stream_maps": json.dumps(maps),
        "flattening_enabled": "true",
        "flattening_max_depth": "1",
    }.items():
        meltano.succeed("config", "set", TAP, name, value)
    output = meltano.project / "output"
    for file in output.glob("*.jsonl"):
        file.unlink()

    meltano.succeed("run", TAP, "target-jsonl")

    written = {file.stem for file in output.glob("*.jsonl")}
    assert "ad_accounts" in written
    assert not written & {"advertiser_ids", "token_events"}
    assert all("advertiser_name" not in row for row in meltano.records("ad_accounts"))
    (row,) = meltano.records("token_metadata")
    assert row["label"] == "growth default"
    assert row["nested..status"] == "active"
    assert "is not a setting" not in meltano.succeed("invoke", f"{TAP}:doctor")


@pytest.mark.parametrize("meltano", [SHORT], indirect=True)
def test_what_is_no_json(meltano: Meltano, here: Simulator, tmp_path: Path) -> None:
    """Stream maps that are not JSON end a run, and a command, with one line and no traceback."""
    wrong = {"stream_maps": "{advertisers: __NULL__}"}
    _dotenv(meltano, {**_credentials(here, tmp_path), **_hosts(here), **wrong})

    for call in (CALLS[0], CALLS[-1]):
        done = meltano(*call)
        assert done.returncode == 1
        told = done.stdout + done.stderr
        assert "setting TAP_TIKTOK_AUTH_STREAM_MAPS must be an object, written as JSON" in told
        # Meltano may draw a traceback of its own for a discovery that fails; none of it is ours.
        assert "tap_tiktok_auth/" not in told
