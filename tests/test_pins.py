"""What is installed from a registry is what was looked at: every file has a pin and a hash."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.scripts import ROOT

PINS = (
    "constraints.txt",
    "requirements.txt",
    "scripts/meltano-constraints.txt",
    "scripts/uv-requirements.txt",
)
#: A Python with pip; the tests' own environment is made by uv and has none.
PYTHON = Path(sys.base_prefix) / "bin" / "python3"
_SAYS_IT_RAN = "#!/bin/sh\necho 'a uv of somebody else'\n"


def pins(name: str) -> dict[str, str]:
    """Return the pinned requirements of a file, each with what stands after it."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    return {line.partition(" ")[0]: line for line in text.splitlines() if line.strip()}


@pytest.mark.parametrize("name", PINS)
def test_every_pin_has_a_hash(name: str) -> None:
    """Each line is one version, with at least one hash, and without an address."""
    found = pins(name)
    assert found
    for requirement, line in found.items():
        assert re.fullmatch(r"[a-z0-9._-]+==[^=]+", requirement)
        assert "--hash=sha256:" in line
        assert "://" not in line


def test_an_installation_has_the_tested_versions() -> None:
    """What the README installs is what the tests run with; only the build backend comes beside."""
    only_installed = set(pins("requirements.txt")) - set(pins("constraints.txt"))
    beside = {"hatchling", "pathspec", "tomlkit", "trove-classifiers"}
    assert {requirement.partition("==")[0] for requirement in only_installed} <= beside


def test_the_readme_installs_pins() -> None:
    """Each `pip install` of the README takes hashed pins, or nothing from a registry at all."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = [line for line in readme.splitlines() if "pip install" in line and "$ " in line]
    assert commands
    for command in commands:
        hashed = re.search(r"--require-hashes -r \S*requirements\.txt$", command)
        assert hashed or "--no-deps --no-build-isolation" in command, command


def wheel_of_somebody_else(folder: Path) -> None:
    """Put a wheel into a folder that has the pinned uv's name and version, and other content."""
    (requirement,) = pins("scripts/uv-requirements.txt")
    version = requirement.partition("==")[2]
    info = f"uv-{version}.dist-info"
    files = {
        f"uv-{version}.data/scripts/uv": _SAYS_IT_RAN,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: uv\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},sha256={_digest(text)},{len(text)}\n" for name, text in files.items())
    with zipfile.ZipFile(folder / f"uv-{version}-py3-none-any.whl", "w") as wheel:
        for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o755 << 16
            wheel.writestr(entry, text)


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def test_the_scripts_take_no_other_uv(tmp_path: Path) -> None:
    """A uv of the right name and version that is not the pinned file is not installed, nor run."""
    if subprocess.run(
        [PYTHON, "-m", "pip", "--version"], capture_output=True, check=False
    ).returncode:
        pytest.skip("this Python has no pip")
    scripts, wheels = tmp_path / "scripts", tmp_path / "wheels"
    shutil.copytree(ROOT / "scripts", scripts)
    wheels.mkdir()
    wheel_of_somebody_else(wheels)
    done = subprocess.run(
        [PYTHON, scripts / "_bootstrap.py"],
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("PIP_")},
            "PATH": str(tmp_path),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
        },
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert "HASHES" in done.stdout + done.stderr
    assert not (tmp_path / ".tools" / "uv" / "bin" / "uv").exists()
