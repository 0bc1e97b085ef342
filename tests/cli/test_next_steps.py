"""Commands that are told can be run as they stand: the same config, the same way, a real name."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tap_tiktok_auth.cli.main import main
from tests.standin.runs import TAP

from .world import DAY

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from .world import World

PLUGIN = "tap-tiktok-auth--agency"


@pytest.fixture
def file(world: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a config file that alone says where the token store is."""
    path = world.folder / "my config.json"
    settings = {}
    for variable, value in world.environment.items():
        settings[variable.removeprefix("TAP_TIKTOK_AUTH_").lower()] = value
        monkeypatch.delenv(variable)
    path.write_text(json.dumps(settings))
    return path


@pytest.fixture
def _meltano(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be run by Meltano, in a project whose default environment is dev."""
    (world.folder / "meltano.yml").write_text("version: 1\ndefault_environment: dev\n")
    for name, value in {
        "MELTANO_PROJECT_ROOT": str(world.folder),
        "MELTANO_ENVIRONMENT": "dev",
        "MELTANO_EXTRACTOR_NAME": PLUGIN,
        "MELTANO_EXTRACTOR_NAMESPACE": "tap_tiktok_auth",
    }.items():
        monkeypatch.setenv(name, value)


def run(command: str) -> Result:
    """Run a command line of `tiktok-auth`, as a person types it."""
    program, *arguments = shlex.split(command)
    assert program == "tiktok-auth"
    return CliRunner().invoke(main, arguments)


def tap(*arguments: str) -> str:
    """Run the tap with arguments and return what it told."""
    done = subprocess.run(
        [TAP, *arguments], capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode == 1
    return done.stderr


@pytest.mark.parametrize("command", ["token over", "status", "exec over -- true", "refresh"])
def test_a_next_step_goes_to_the_same_store(world: World, file: Path, command: str) -> None:
    """The command after `Run:` repeats the config file, quoted, and works where it is pasted."""
    world.keep("over", age=400 * DAY)
    words = shlex.split(command)

    result = CliRunner().invoke(main, [words[0], "--config", str(file), *words[1:]])

    assert result.exit_code == 3
    (told,) = re.findall(r"Run: (tiktok-auth login .*)", result.stderr)
    assert shlex.split(told) == ["tiktok-auth", "login", "over", "--config", str(file)]
    found = run(told.replace(" login ", " status "))
    assert (found.exit_code, "over" in found.stdout) == (3, True)


def test_a_command_ends_its_line(world: World, file: Path) -> None:
    """What is to be run before a consent ends is the rest of the line, and nothing comes after."""
    world.keep("soon")
    world.change_token("soon", consent_deadline=time.time() + 5 * DAY)

    status = CliRunner().invoke(main, ["status", "--config", str(file)])
    unknown = CliRunner().invoke(main, ["token", "shop", "--config", str(file)])

    for told, name in ((status.stderr, "soon"), (unknown.stderr, "shop")):
        (command,) = re.findall(r"run: (tiktok-auth login .*)", told)
        assert shlex.split(command) == ["tiktok-auth", "login", name, "--config", str(file)]


def test_the_doctor_repeats_the_config(world: World, file: Path) -> None:
    """What the doctor advises names the config file, in text and in JSON."""
    world.keep("over", age=400 * DAY)
    wanted = f"tiktok-auth login over --config {shlex.quote(str(file))}"

    result = CliRunner().invoke(main, ["doctor", "--config", str(file), "--json"])

    assert [f["mend"] for f in json.loads(result.stdout) if f["connection"]] == [f"Run: {wanted}"]
    assert wanted in CliRunner().invoke(main, ["doctor", "--config", str(file)]).stdout


def test_config_files_of_one_command_are_not_those_of_the_next(world: World, file: Path) -> None:
    """In one process, a command without a config file names none, whatever came before."""
    world.keep("over", age=400 * DAY)
    CliRunner().invoke(main, ["status", "--config", str(file)])

    assert "Run: tiktok-auth login over" in world.run("status", **world.environment).stderr


def test_the_tap_repeats_its_config(world: World, file: Path) -> None:
    """An error of the tap names the command with the tap's config file."""
    world.keep("over", age=400 * DAY)

    told = tap("--config", str(file))

    assert f"Run: tiktok-auth login over --config {shlex.quote(str(file))}" in told


@pytest.mark.usefixtures("_meltano")
@pytest.mark.parametrize("command", ["token over", "status", "doctor", "exec over -- true"])
def test_meltano_users_get_meltano_commands(world: World, command: str) -> None:
    """Under Meltano a next step is a command of the plugin, by the name that it has there."""
    world.keep("over", age=400 * DAY)

    result = world.run(*command.split())

    assert result.exit_code == 3
    assert f"Run: meltano invoke {PLUGIN}:login over" in result.output
    assert "tiktok-auth login" not in result.output.replace(f"{PLUGIN}:login", "")


@pytest.mark.usefixtures("_meltano")
def test_the_tap_under_meltano_names_no_file_that_ends_with_it(world: World, file: Path) -> None:
    """Meltano's config file of one run is not part of what a person should type."""
    world.keep("over", age=400 * DAY)

    assert f"Run: meltano invoke {PLUGIN}:login over" in tap("--config", str(file))


@pytest.mark.usefixtures("_meltano")
@pytest.mark.parametrize(
    ("variable", "value", "start"),
    [
        ("ENVIRONMENT", "prod", f"meltano --environment=prod invoke {PLUGIN}:"),
        ("EXTRACTOR_NAMESPACE", "tap_other", "tiktok-auth "),
    ],
)
def test_next_steps_fit_the_meltano_that_runs(
    world: World, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, start: str
) -> None:
    """Another environment is repeated; another extractor, run by `exec`, has no login of ours."""
    monkeypatch.setenv(f"MELTANO_{variable}", value)
    world.keep("over", age=400 * DAY)

    assert f"Run: {start}login over" in world.run("token", "over").stderr


@pytest.mark.parametrize("command", ["token", "status", "refresh", "events", "forget", "revoke"])
def test_a_mistyped_name_is_recognised(world: World, command: str) -> None:
    """Nobody is sent to log in for a name of store or config with a slip in it."""
    world.keep("acme")
    world.keep("zeta-eu")
    yes = ["--yes"] if command in {"forget", "revoke"} else []

    for typed, meant in (("acem", "acme"), ("ACME", "acme"), ("acme-uk", "acme"), ("shpo", "shop")):
        told = world.run(command, typed, *yes, **world.configure(shop="accounts")).stderr
        assert f"Did you mean {meant}?" in told
        assert "login" not in told
    assert world.record("acme") is not None


def test_a_strange_name_is_one_to_log_in(world: World) -> None:
    """Nothing is suggested for a name that resembles none; it may be another store that has it."""
    world.keep("acme")

    told = world.run("token", "xyzzy").stderr

    assert "Did you mean" not in told
    assert f"neither in the config nor in {world.url}" in told
    assert "tiktok-auth login xyzzy" in told


def test_exec_does_not_list_two_hundred_names(world: World) -> None:
    """With many connections a few are named, and the command that lists all."""
    first = world.keep("c000")
    world.keep_many(*(replace(first, name=f"c{number:03}") for number in range(1, 40)))

    told = world.run("exec", "--", "true").stderr

    assert "Name one of: c000, c001, c002, c003, c004 and 35 more" in told
    assert "c005" not in told
    assert "tiktok-auth status" in told
