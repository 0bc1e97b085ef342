"""The examples of the documentation, run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singer_sdk import Tap

if TYPE_CHECKING:
    import pytest

    from tap_tiktok_auth.simulator import Simulator

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"


def examples(name: str) -> list[str]:
    """Return the Python examples of a page."""
    text = (DOCS / name).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_library_page(
    tiktok_connection: dict[str, Any],
    tiktok_simulator: Simulator,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The examples with `requests` and with the Singer SDK run, one after the other."""
    names: dict[str, Any] = {"config": tiktok_connection}
    for example in examples("library.md"):
        code = example.replace("https://business-api.tiktok.com", tiktok_simulator.url)
        exec(compile(code, "library.md", "exec"), names)  # our own page
    assert capsys.readouterr().out == "OK\n"
    names["auth"].close()

    tap = names["TapCampaigns"](config={"tiktok": tiktok_connection}, parse_env_config=False)
    assert isinstance(tap, Tap)
    stream: Any = tap.streams["campaigns"]
    with stream.authenticator as auth:
        assert tiktok_simulator.token_state(auth.access_token()) == "live"
    assert tiktok_simulator.count("exchange") == 1


def test_simulator_page(tmp_path: Path) -> None:
    """The example suite passes in a folder of its own."""
    (suite,) = examples("testing-with-the-simulator.md")
    (tmp_path / "test_example.py").write_text(suite, encoding="utf-8")
    # Without the other plugins of this environment, which take seconds to load.
    options = ["-q", "-p", "no:cacheprovider", "-p", "tap_tiktok_auth.pytest_plugin", "-W", "error"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--rootdir", tmp_path, tmp_path],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    assert "4 passed" in done.stdout, done.stdout + done.stderr
