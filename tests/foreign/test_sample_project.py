"""The sample project of the documentation, run by real Meltano against the simulator."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.config import settings

from .environments import ROOT, meltano

if TYPE_CHECKING:
    from pathlib import Path

    from tap_tiktok_auth.simulator import Simulator

    from .conftest import BusinessApi

SAMPLE = ROOT / "docs" / "sample-meltano-project"
SECRETS = ("app_secret", "auth_code", "token_store_key")


def test_sample_is_valid() -> None:
    """Meltano's own schema accepts the sample's meltano.yml."""
    program = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.meltano"]
    done = subprocess.run(
        [*program, SAMPLE / "meltano.yml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_variables_of_the_sample_are_settings() -> None:
    """Each variable of the sample's .env.example is one that the tap reads."""
    text = (SAMPLE / ".env.example").read_text(encoding="utf-8")
    names = set(re.findall(r"^([A-Z_]+)=", text, re.MULTILINE))
    assert len(names) == 5
    assert names <= {setting.env_var for setting in settings.SETTINGS}


@pytest.fixture(name="project")
def _project(tmp_path: Path, tiktok_connection: dict[str, Any]) -> Path:
    """Copy the sample, with this tree in place of the released package, and write its .env."""
    project = tmp_path / "project"
    shutil.copytree(SAMPLE, project, ignore=shutil.ignore_patterns(".meltano", "output", ".env"))
    (project / "output").mkdir()
    path = project / "meltano.yml"
    text = path.read_text(encoding="utf-8")
    checkout = r"pip_url: -e /path/to/tap-tiktok-auth\[postgres\]\n"
    text, count = re.subn(checkout, f"pip_url: -e '{ROOT}'\n", text)
    assert count == 2
    path.write_text(text, encoding="utf-8")
    names = ("app_id", *SECRETS, "token_store", "business_api_url")
    lines = [f"TAP_TIKTOK_AUTH_{name.upper()}={tiktok_connection[name]}\n" for name in names]
    (project / ".env").write_text("".join(lines), encoding="utf-8")
    return project


def rows(project: Path, stream: str) -> list[dict[str, Any]]:
    """Return what target-jsonl has written of a stream."""
    text = (project / "output" / f"{stream}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.meltano
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("foreign")
def test_second_extractor_uses_our_token(
    project: Path,
    tiktok_connection: dict[str, Any],
    tiktok_simulator: Simulator,
    business_api: BusinessApi,
) -> None:
    """One job loads the rows of both extractors with one token, which stays in no file."""
    meltano(project, "install")
    # Nothing but TikTok is reached from here on: the proxy refuses all other hosts.
    log = meltano(project, "run", "tiktok", UV_OFFLINE="1", **business_api.environment)

    expected = set(tiktok_simulator.advertiser_ids)
    assert {row["advertiser_id"] for row in rows(project, "advertiser_ids")} == expected
    assert {row["advertiser_id"] for row in rows(project, "advertisers")} == expected
    assert [row["status"] for row in rows(project, "token_metadata")] == ["active"]

    (token,) = {request.token for request in business_api.host.received}
    assert token is not None
    assert tiktok_simulator.token_state(token) == "live"
    assert tiktok_simulator.count("exchange") == 1
    assert set(business_api.proxy.asked) == {"business-api.tiktok.com:443"}

    secrets = [token, *(tiktok_connection[name] for name in SECRETS)]
    files = [p for p in project.rglob("*") if p.is_file() and p.name != ".env"]
    leaks = [
        path.relative_to(project)
        for path in files
        if any(secret.encode() in path.read_bytes() for secret in secrets)
    ]
    assert leaks == []
    assert not [secret for secret in secrets if secret in log]
