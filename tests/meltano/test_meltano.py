"""Real Meltano, in an environment of its own, runs the tap against the simulator."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.simulator import Simulator
from tests.cli.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

pytestmark = [
    pytest.mark.meltano,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("meltano"),
]

ROOT = Path(__file__).resolve().parent.parent.parent

_COMMAND = """
import json, sys
sys.path.insert(0, sys.argv[1])
import _bootstrap
command = _bootstrap.meltano_command(_bootstrap.find_uv())
json.dump([command, _bootstrap.meltano_environment()], sys.stdout)
"""


class Meltano:
    """A Meltano project in a folder.

    Args:
        project: The project's folder.
        settings: The tap's settings, handed over as environment variables.
    """

    def __init__(self, project: Path, settings: dict[str, Any]) -> None:
        self.project = project
        done = subprocess.run(
            [sys.executable, "-c", _COMMAND, str(ROOT / "scripts")],
            capture_output=True,
            text=True,
            check=True,
        )
        self._command, self.environment = json.loads(done.stdout)
        for name, value in settings.items():
            text = value if isinstance(value, str) else json.dumps(value)
            self.environment[f"TAP_TIKTOK_AUTH_{name.upper()}"] = text

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a Meltano command to its end."""
        return subprocess.run(
            [*self._command, *arguments],
            cwd=self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def on_a_terminal(self, *arguments: str, without: Sequence[str] = ()) -> Terminal:
        """Start a Meltano command on a terminal of its own, without some of the settings."""
        hidden = [f"TAP_TIKTOK_AUTH_{name.upper()}" for name in without]
        return Terminal(
            *arguments,
            command=self._command,
            folder=self.project,
            base={name: text for name, text in self.environment.items() if name not in hidden},
        )

    def succeed(self, *arguments: str) -> str:
        """Run a Meltano command that must succeed; return its standard output."""
        done = self(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def records(self, stream: str) -> list[dict[str, Any]]:
        """What target-jsonl has written of a stream."""
        text = (self.project / "output" / f"{stream}.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module", name="simulator")
def _simulator() -> Iterator[Simulator]:
    with Simulator(seed="meltano") as simulator:
        yield simulator


@pytest.fixture(scope="module", name="settings")
def _settings(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    store = tmp_path_factory.mktemp("store")
    return {
        **simulator.settings("marketing"),
        "token_store": f"sqlite:///{store}/tokens.db",
        "token_store_key": base64.urlsafe_b64encode(os.urandom(32)).decode(),
    }


@pytest.fixture(scope="module", name="meltano")
def _meltano(settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Meltano:
    project = tmp_path_factory.mktemp("project")
    (project / "output").mkdir()
    text = (ROOT / "meltano.yml").read_text(encoding="utf-8")
    text = text.replace("pip_url: -e .[postgres]", f"pip_url: -e '{ROOT}[postgres]'")
    text = text.replace("- name: dev\n", "- name: dev\n- name: prod\n", 1)
    (project / "meltano.yml").write_text(text, encoding="utf-8")
    meltano = Meltano(project, settings)
    meltano.succeed("install", "tap-tiktok-auth", "target-jsonl")
    return meltano


def test_second_run_spends_nothing(meltano: Meltano, simulator: Simulator) -> None:
    """A code that the first run consumed stays in the config, and the second run needs none."""
    meltano.succeed("run", "tap-tiktok-auth", "target-jsonl")
    assert simulator.count(action="exchange") == 1

    meltano.succeed("run", "tap-tiktok-auth", "target-jsonl")

    assert simulator.count(action="exchange") == 1
    rows = meltano.records("token_metadata")
    assert len(rows) == 2
    assert {row["status"] for row in rows} == {"active"}
    assert rows[0]["token_fingerprint"] == rows[1]["token_fingerprint"]
    assert meltano.records("advertiser_ids")


def test_no_secret_reaches_meltano_state_or_output(
    meltano: Meltano, settings: dict[str, Any]
) -> None:
    """Neither the loaded rows, nor the run's log, nor Meltano's database holds a secret."""
    done = meltano("--log-level", "debug", "run", "tap-tiktok-auth", "target-jsonl")
    assert done.returncode == 0, done.stderr

    secrets = [settings[name].encode() for name in ("app_secret", "auth_code", "token_store_key")]
    kept = [*(meltano.project / "output").rglob("*"), meltano.project / ".meltano" / "meltano.db"]
    texts = [path.read_bytes() for path in kept if path.is_file()]
    texts += [done.stdout.encode(), done.stderr.encode()]
    assert not [secret for secret in secrets for text in texts if secret in text]


def test_meltano_redacts_secrets(meltano: Meltano, settings: dict[str, Any]) -> None:
    """`meltano config print` shows none of the secret values."""
    shown = meltano.succeed("config", "print", "tap-tiktok-auth")
    assert settings["app_id"] in shown
    assert settings["app_secret"] not in shown
    assert settings["auth_code"] not in shown


def test_commands_reach_tiktok_auth(meltano: Meltano) -> None:
    """`meltano invoke tap-tiktok-auth:NAME` runs `tiktok-auth NAME` with Meltano's settings."""
    meltano.succeed("run", "tap-tiktok-auth", "target-jsonl")
    for command, expected in (("status", "default"), ("keygen", r"[\w-]{43}=")):
        assert re.search(expected, meltano.succeed("invoke", f"tap-tiktok-auth:{command}"))


def test_next_steps_are_commands_of_the_plugin(meltano: Meltano) -> None:
    """An error names the Meltano command that mends it, in the environment that was chosen."""
    told = meltano("invoke", "tap-tiktok-auth:token", "nobody").stderr
    assert "meltano invoke tap-tiktok-auth:login nobody" in told

    told = meltano("--environment=prod", "invoke", "tap-tiktok-auth:token", "nobody").stderr
    assert "meltano --environment=prod invoke tap-tiktok-auth:login nobody" in told


def test_login_asks_on_the_persons_terminal(meltano: Meltano, simulator: Simulator) -> None:
    """Under Meltano, which shows stderr by lines, every prompt is seen and answered."""
    app = simulator.app("marketing")
    login = ("invoke", "tap-tiktok-auth:login", "acme", "--no-browser")
    terminal = meltano.on_a_terminal(*login, without=("app_id", "app_secret", "auth_code"))
    for prompt, keys in (
        ("App id: ", f"{app.app_id}\n"),
        ("App secret: ", f"{app.app_secret}\n"),
        ("beginning with ", "nonsense\n"),
        ("That is not an address", "\x03"),
    ):
        terminal.wait_for(prompt)
        terminal.type(keys)
    assert terminal.end() != 0
    assert app.app_secret not in terminal.raw
    assert "Traceback" not in terminal.raw


def test_a_question_is_asked_on_the_persons_terminal(
    meltano: Meltano, simulator: Simulator
) -> None:
    """`revoke` under Meltano shows its question, takes the answer, and does as it is told."""
    meltano.succeed("run", "tap-tiktok-auth", "target-jsonl")
    token = meltano.succeed("invoke", "tap-tiktok-auth:token", "default").splitlines()[-1]
    assert simulator.token_state(token) == "live"
    for keys in ("\x03", "n\n"):
        terminal = meltano.on_a_terminal("invoke", "tap-tiktok-auth:revoke", "default")
        terminal.wait_for("[y/N]: ")
        terminal.type(keys)
        assert terminal.end() != 0
        assert "Traceback" not in terminal.raw
    assert simulator.token_state(token) == "live"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("login", "acme"), ":login --complete"),
        (("revoke", "default"), "--yes"),
        (("login", "xx", "--api", "accounts"), ":login --complete"),
    ],
)
def test_without_a_terminal_nothing_waits(
    meltano: Meltano, arguments: tuple[str, ...], words: str
) -> None:
    """In a scheduled job each command that would ask ends at once, and says how to go on."""
    meltano.succeed("run", "tap-tiktok-auth", "target-jsonl")
    command, *rest = arguments
    done = meltano("invoke", f"tap-tiktok-auth:{command}", *rest)
    assert done.returncode != 0
    assert words in done.stdout + done.stderr


def test_add_from_ref(tmp_path: Path) -> None:
    """The plugin definition adds the extractor to a project that has never heard of it."""
    empty = "requires_meltano: '>=4.0'\ndefault_environment: dev\nenvironments:\n- name: dev\n"
    (tmp_path / "meltano.yml").write_text(empty, encoding="utf-8")
    definition = str(ROOT / "tap-tiktok-auth.plugin.yml")
    other = Meltano(tmp_path, {})

    other.succeed("add", "--no-install", "--from-ref", definition, "tap-tiktok-auth")

    listed = other.succeed("config", "list", "tap-tiktok-auth")
    assert "TAP_TIKTOK_AUTH_APP_SECRET" in listed
