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
    from collections.abc import Iterator, Sequence

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
whole = pytest.mark.parametrize("meltano", ["meltano.yml"], indirect=True)
short = pytest.mark.parametrize("meltano", ["README.md"], indirect=True)
both = pytest.mark.parametrize("meltano", ["meltano.yml", "README.md"], indirect=True)


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
    """Put back all places of settings after each test."""
    file, dotenv = meltano.project / "meltano.yml", meltano.project / ".env"
    before = file.read_text(encoding="utf-8")
    yield
    file.write_text(before, encoding="utf-8")
    dotenv.unlink(missing_ok=True)


def _credentials(meltano: Meltano, simulator: Simulator) -> None:
    """Put an app, a code and a store of their own into `.env`, and no host."""
    values = simulator.settings("marketing")
    store = f"sqlite:///{meltano.project}/{os.urandom(4).hex()}/tokens.db"
    values |= {"token_store": store}
    values |= {"token_store_key": base64.urlsafe_b64encode(os.urandom(32)).decode()}
    lines = [
        f"TAP_TIKTOK_AUTH_{name.upper()}={value}"
        for name, value in values.items()
        if not name.endswith("_url") and name != "redirect_uri"
    ]
    (meltano.project / ".env").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _hosts(simulator: Simulator) -> dict[str, str]:
    names = ("business_api_url", "login_kit_api_url", "tiktok_url")
    return dict.fromkeys(names, simulator.url)


def _assert_all_call(
    meltano: Meltano, here: Simulator, elsewhere: Simulator, options: Sequence[str] = ()
) -> None:
    """Each way of calling ends well and asks one host only."""
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


@both
def test_a_host_in_dotenv(meltano: Meltano, here: Simulator, elsewhere: Simulator) -> None:
    """A host that only `.env` names, declared in the project or not, is called by all alike."""
    _credentials(meltano, here)
    with (meltano.project / ".env").open("a", encoding="utf-8") as file:
        file.writelines(f"TAP_TIKTOK_AUTH_{k.upper()}={v}\n" for k, v in _hosts(here).items())

    _assert_all_call(meltano, here, elsewhere)


@short
def test_a_host_that_was_set(meltano: Meltano, here: Simulator, elsewhere: Simulator) -> None:
    """A host set by `meltano config set` in `meltano.yml` is called by all alike."""
    _credentials(meltano, here)
    for name, url in _hosts(here).items():
        meltano.succeed("config", "set", TAP, name, url)

    _assert_all_call(meltano, here, elsewhere)


@whole
def test_a_host_in_meltanos_database(
    meltano: Meltano, here: Simulator, elsewhere: Simulator
) -> None:
    """A host set by `meltano config set --store=db` is called by all alike."""
    _credentials(meltano, here)
    for name, url in _hosts(here).items():
        meltano.succeed("config", "set", "--store=db", TAP, name, url)
    try:
        _assert_all_call(meltano, here, elsewhere)
    finally:
        for name in _hosts(here):
            meltano.succeed("config", "unset", "--store=db", TAP, name)


@short
def test_a_host_of_an_environment(meltano: Meltano, here: Simulator, elsewhere: Simulator) -> None:
    """A host of one of Meltano's environments is called in that environment by all alike."""
    _credentials(meltano, here)
    for name, url in _hosts(elsewhere).items():
        meltano.succeed("config", "set", TAP, name, url)
    other = ("--environment", "other")
    for name, url in _hosts(here).items():
        meltano.succeed(*other, "config", "set", TAP, name, url)

    _assert_all_call(meltano, here, elsewhere, other)


@both
def test_stream_maps_and_flattening(meltano: Meltano, here: Simulator) -> None:
    """Stream maps and flattening that `meltano config set` has set shape what a run loads."""
    _credentials(meltano, here)
    maps = {
        "advertiser_ids": {"__alias__": "ad_accounts", "advertiser_name": "__NULL__"},
        "token_metadata": {"label": "config['team'] + ' ' + connection", "nested": "record"},
        "token_events": "__NULL__",
    }
    for name, value in {
        **_hosts(here),
        "stream_maps": json.dumps(maps),
        "stream_map_config": '{"team": "growth"}',
        "faker_config": '{"locale": "de_DE"}',
        "flattening_enabled": "true",
        "flattening_max_depth": "1",
        "flattening_separator": "..",
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
    doctor = meltano.succeed("invoke", f"{TAP}:doctor")
    assert "is no setting" not in doctor


@short
def test_what_is_no_json(meltano: Meltano, here: Simulator) -> None:
    """Stream maps that are not JSON end a run and each command with one line, not a traceback."""
    _credentials(meltano, here)
    with (meltano.project / ".env").open("a", encoding="utf-8") as file:
        file.write("TAP_TIKTOK_AUTH_STREAM_MAPS='{advertisers: __NULL__}'\n")

    for call in CALLS:
        done = meltano(*call)
        assert done.returncode == 1
        told = done.stdout + done.stderr
        assert "must be an object, written as JSON" in told
        # Meltano draws a traceback of its own for a discovery that fails; none of it is ours.
        assert "tap_tiktok_auth/" not in told
