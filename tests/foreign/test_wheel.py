"""Our wheel, in an environment of its own, serves the tap and the suite of somebody else."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from .environments import ROOT, Uv

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.meltano,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("foreign"),
]

PROJECT = ROOT / "tests" / "foreign" / "tap-reports"


@pytest.fixture(scope="module", name="programs")
def _programs(uv: Uv, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and install it with its extra and pytest, with our pins."""
    folder = tmp_path_factory.mktemp("wheel")
    uv("build", "--quiet", "--wheel", "--out-dir", folder / "dist", ROOT)
    (wheel,) = (folder / "dist").glob("*.whl")
    pins = ("--constraints", ROOT / "constraints.txt")
    return uv.venv(folder / "environment", *pins, f"{wheel}[simulator]", "pytest")


def run(
    programs: Path, folder: Path, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment, far from our own tree."""
    return subprocess.run(
        [programs / arguments[0], *arguments[1:]],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **variables},
    )


def test_suite_of_somebody_else(programs: Path, tmp_path: Path) -> None:
    """Their suite gets simulator, app and connection by naming fixtures, and passes."""
    project = tmp_path / "project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("__pycache__"))
    options = ["-q", "-p", "no:cacheprovider", "--strict-markers", "-W", "error"]
    done = run(programs, project, "python", "-m", "pytest", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout


def test_package_is_the_installed_one(programs: Path, tmp_path: Path) -> None:
    """The environment has the wheel, typed, and not our working tree; its import is light."""
    program = "import sys, tap_tiktok_auth as t; print(t.__file__, *sys.modules)"
    done = run(programs, tmp_path, "python", "-c", program)
    assert done.returncode == 0, done.stderr
    file, *modules = done.stdout.split()
    assert "site-packages" in file
    assert (programs.parent / file).with_name("py.typed").is_file()
    assert not {"requests", "singer_sdk", "cryptography"} & set(modules)


def test_programs_start(programs: Path, tmp_path: Path) -> None:
    """Both programs of the wheel start, and the simulator runs a command."""
    assert run(programs, tmp_path, "tap-tiktok-auth", "--version").returncode == 0
    tiktok_auth = str(programs / "tiktok-auth")
    done = run(programs, tmp_path, "tiktok-auth", "simulate", "--", tiktok_auth, "token", "default")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 1
