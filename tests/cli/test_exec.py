"""`tiktok-auth exec`: a command with fresh tokens in its environment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tap_tiktok_auth.cli import exec as exec_module
from tap_tiktok_auth.cli.exec import FIELDS, start_failure
from tap_tiktok_auth.cli.main import main
from tap_tiktok_auth.redaction import teach

from .world import DAY

if TYPE_CHECKING:
    from pathlib import Path

    from .world import World

#: Prints its environment, arguments, process id, open files, and its line in the process list.
SHOW = """
import json, os, pathlib, sys
files = [os.path.realpath(f"/proc/self/fd/{number}") for number in range(64)]
line = pathlib.Path("/proc/self/cmdline").read_text()
print(json.dumps([dict(os.environ), sys.argv, os.getpid(), files, line]))
"""


def shown(world: World, *arguments: str, **environment: str) -> dict[str, str]:
    """Return the environment that a command gets to see.

    The last step, which would put the command in the place of the tests, is left out; tests below
    take it in processes of their own.
    """
    found: list[dict[str, str]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exec_module, "_replace_process", lambda _, variables: found.append(variables))
        result = world.run("exec", *arguments, "--", "env", **environment)
    assert (result.exit_code, result.output) == (0, "")
    return found[0]


def test_default_variables_of_marketing(world: World) -> None:
    """The command gets the token, and the ad accounts as a comma separated list."""
    command = ("exec", "acme", "--", sys.executable, "-c", SHOW)
    code, out, err = world.process(*command, env=world.configure(acme="marketing"))
    seen = json.loads(out)[0]

    assert (code, err) == (0, "")
    assert seen["TIKTOK_ACCESS_TOKEN"] == world.token("acme").access_token
    assert seen["TIKTOK_ADVERTISER_IDS"].split(",") == sorted(world.tiktok.advertiser_ids)
    assert world.tiktok.token_state(seen["TIKTOK_ACCESS_TOKEN"]) == "live"
    assert not [name for name in seen if name.startswith("TAP_TIKTOK_AUTH_")]


@pytest.mark.parametrize("how", ["checked", "new-consent"])
def test_lost_ad_accounts_are_left_out(world: World, how: str) -> None:
    """An ad account that was withdrawn, or that a new consent lacks, is not in the list."""
    environment = world.configure(acme="marketing")
    shown(world, "acme", **environment)
    lost, *rest = sorted(world.tiktok.advertiser_ids)
    if how == "new-consent":
        environment = world.configure(acme="marketing")
    world.tiktok.lose_advertiser(lost)
    if how == "checked":
        assert world.run("status", "--check", **environment).exit_code == 0

    assert shown(world, "acme", **environment)["TIKTOK_ADVERTISER_IDS"].split(",") == rest


def test_ad_accounts_of_a_token_from_elsewhere_are_asked_for(world: World) -> None:
    """Where no ad account was seen yet, TikTok is asked once, and not again."""
    world.keep("acme", "marketing")
    fields = ["--set", "A=advertiser_ids", "--set", "B=advertiser_ids_json"]

    for _ in range(2):
        seen = shown(world, "acme", *fields)
        assert seen["A"].split(",") == sorted(world.tiktok.advertiser_ids)
        assert json.loads(seen["B"]) == sorted(world.tiktok.advertiser_ids)
    assert len(world.tiktok.calls()) == 1


def test_chosen_ad_accounts_are_those_of_the_settings(world: World) -> None:
    """Where the settings choose ad accounts, these are passed on, and TikTok is not asked."""
    world.keep("acme", "marketing")

    seen = shown(world, "acme", TAP_TIKTOK_AUTH_CONNECTIONS=json.dumps(
        [{"name": "acme", "advertiser_ids": ["71", "72"]}]
    ))  # fmt: skip

    assert seen["TIKTOK_ADVERTISER_IDS"] == "71,72"
    assert world.tiktok.calls() == []


@pytest.mark.parametrize(
    ("age", "options", "fresh"),
    [(DAY - 900, [], False), (3 * 3_600, [], True), (3 * 3_600, ["--min-lifetime", "23h"], False)],
    ids=["due", "fresh", "too-short"],
)
def test_token_is_refreshed_first_if_it_must_be(
    world: World, age: float, options: list[str], fresh: bool
) -> None:
    """The command never gets a token that is about to expire, or within `--min-lifetime`."""
    before = world.keep("acme", age=age).token
    assert before is not None

    seen = shown(world, "acme", *options)["TIKTOK_ACCESS_TOKEN"]

    assert seen == world.token("acme").access_token
    assert (seen == before.access_token) == fresh


def test_our_own_secrets_are_not_passed_on(world: World) -> None:
    """No setting of ours, no other token and nothing from the store reaches the command."""
    environment = world.configure(acme="accounts")
    app = world.tiktok.app("accounts")
    extra = {
        "TAP_TIKTOK_AUTH_APP_ID": app.app_id,
        "TAP_TIKTOK_AUTH_APP_SECRET": app.app_secret,
        "TAP_TIKTOK_AUTH_COPY_KEY": "copy-key",
        "tap_tiktok_auth_app_secret": "in-small-letters",
        "MELTANO_EXTRACT_APP_SECRET": app.app_secret,
        "MELTANO_EXTRACT_STREAM_MAPS": "{}",
        "MELTANO_DATABASE_URI": "postgresql://meltano:of-meltano@db/meltano",
        "MELTANO_STATE_BACKEND_S3_AWS_SECRET_ACCESS_KEY": "of-the-state",
        "PGPASSWORD": "of-the-database",
        "TIKTOK_PROD_APP_SECRET": app.app_secret,
        "MY_STORE": f"x {world.key} x",
        "TIKTOK_ADVERTISER_IDS": "of another connection",
    }

    seen = shown(world, "acme", **environment, **extra)

    assert not [name for name in seen if name.startswith("TAP_TIKTOK_AUTH_")]
    hidden = [app.app_secret, world.key, world.token("acme").refresh_token or "", "copy-key"]
    hidden += ["of-meltano", "of-the-state", "of-the-database", "in-small-letters"]
    assert not [name for name, value in seen.items() if any(one in value for one in hidden)]
    assert "TIKTOK_ADVERTISER_IDS" not in seen


def test_what_is_withheld_can_be_kept(world: World) -> None:
    """A command that needs one of the withheld variables gets it if it is named."""
    world.keep("acme")
    extra = {"PGPASSWORD": "of-the-database", "MELTANO_DATABASE_URI": "sqlite:///x", "PGUSER": "me"}

    seen = shown(world, "acme", "--keep", "PGPASSWORD", **extra)

    assert (seen["PGPASSWORD"], seen["PGUSER"]) == ("of-the-database", "me")
    assert "MELTANO_DATABASE_URI" not in seen


def test_simulate_withholds_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A command sees no variable under `simulate` that it would not see under `exec`."""
    world.keep("acme")
    extra = {
        "tap_tiktok_auth_app_secret": "x",
        "TAP_TIKTOK_AUTH__ACME_APP_SECRET": "x",
        "MELTANO_EXTRACT_APP_SECRET": "x",
        "MELTANO_STATE_BACKEND_URI": "x",
        "MELTANO_DATABASE_URI": "x",
        "MELTANO_ENVIRONMENT": "x",
        "PGPASSWORD": "x",
        "PGHOST": "x",
        "TIKTOK_ACCESS_TOKEN": "x",
    }
    for name, value in extra.items():
        monkeypatch.setenv(name, value)
    write = "import json, os, sys; print(json.dumps(dict(os.environ)), file=open(sys.argv[1], 'w'))"
    command = ["--", sys.executable, "-c", write]
    paths = [tmp_path / "exec.json", tmp_path / "simulate.json"]
    assert world.process("exec", "acme", *command, str(paths[0]), env=extra)[0] == 0
    assert world.run("simulate", *command, str(paths[1])).exit_code == 0
    by_exec, by_simulate = (json.loads(path.read_text()) for path in paths)
    settings = [name for name in by_simulate if name.startswith("TAP_TIKTOK_AUTH_")]
    assert set(extra) & set(by_simulate) == {"MELTANO_ENVIRONMENT", "PGHOST"}
    assert set(extra) & set(by_exec) == {"MELTANO_ENVIRONMENT", "PGHOST", "TIKTOK_ACCESS_TOKEN"}
    assert not {by_simulate[name] for name in settings} & set(extra.values())


def test_a_short_password_withholds_nothing_else(world: World) -> None:
    """A database password that is an everyday word takes no other variable away."""
    world.keep("acme")
    teach("postgresql://me:postgres@db/tokens")

    seen = shown(world, "acme", MY_PATH="/usr/lib/postgresql/bin")

    assert seen["MY_PATH"] == "/usr/lib/postgresql/bin"


def test_set_replaces_the_default_variables(world: World) -> None:
    """With `--set` the command gets these variables and no others."""
    stored = world.keep("acme")
    fields = {"A": "access_token", "B": "open_id", "C": "expires_at", "D": "app_id", "E": "api"}
    fields |= {"F": "connection", "G": "scopes", "H": "subject_id"}

    options = [part for pair in fields.items() for part in ("--set", "=".join(pair))]
    seen = shown(world, "acme", *options)

    assert (seen["A"], seen["B"]) == (world.token("acme").access_token, stored.subject_id)
    assert seen["C"].endswith("+00:00")
    assert (seen["D"], seen["E"], seen["F"]) == (stored.app_id, "accounts", "acme")
    assert (seen["G"].split(","), seen["H"]) == ([*(stored.scopes or ())], stored.subject_id)
    assert "TIKTOK_ACCESS_TOKEN" not in seen


def test_field_that_a_connection_does_not_have_is_an_error(world: World) -> None:
    """A variable that was asked for is never silently empty."""
    world.keep("acme")

    result = world.run("exec", "acme", "--set", "A=advertiser_ids", "--", "true")

    assert (result.exit_code, result.stderr) == (
        1,
        "tiktok-auth: connection acme: it has no advertiser_ids.\n",
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["acme"], "write it after --"),
        (["acme", "--"], "write it after --"),
        (["acme", "env"], "write it after --"),
        (["--set", "A=secret", "--", "env"], "'secret' is not one of: access_token"),
        (["--set", "A", "--", "env"], "is not one of"),
        (["--set", "A B=api", "--", "env"], "VAR=FIELD"),
        (["--set", "=api", "--", "env"], "VAR=FIELD"),
        (["acme", "beta", "--", "env"], "unexpected extra argument"),
    ],
)
def test_wrong_usage_is_refused(world: World, arguments: list[str], said: str) -> None:
    """A missing command, a wrong field and a wrong variable are usage errors."""
    result = world.run("exec", *arguments)

    assert result.exit_code == 2
    assert said in result.stderr


def test_help_explains_every_field() -> None:
    """The help lists all fields, without a connection or a command."""
    result = CliRunner().invoke(main, ["exec", "--help"])

    assert result.exit_code == 0
    assert all(f"\n  {field} " in result.output for field in FIELDS)
    assert "[NAME] -- COMMAND [ARGS]..." in result.output


def test_connection_that_needs_a_person_ends_with_three(world: World, tmp_path: Path) -> None:
    """Without a token the command is not run."""
    world.keep("acme", age=400 * DAY)
    mark = tmp_path / "ran"

    code, out, err = world.process("exec", "acme", "--", "touch", str(mark))

    assert (code, out) == (3, "")
    assert err.count("\n") == 1
    assert not mark.exists()


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (["no-such-command"], 127, "tiktok-auth: no such command: no-such-command\n"),
        (["/"], 126, "tiktok-auth: cannot run /: Permission denied\n"),
        ([sys.executable, "-c", "raise SystemExit(7)"], 7, ""),
        (["env", "--", "sh", "-c", "exit 5"], 5, ""),
    ],
)
def test_exit_code_is_the_commands(world: World, command: list[str], code: int, said: str) -> None:
    """The command's exit code is ours; one that cannot run is one line, and 127 or 126."""
    world.keep("acme")

    assert world.process("exec", "acme", "--", *command) == (code, "", said)


def test_command_takes_the_place_of_the_process(world: World) -> None:
    """The command has our process id, its arguments as they stand after `--`, and no open file."""
    world.keep("acme")
    arguments = ["--set", "x y", "--", "$HOME", "*", "--help", ""]

    with world.start("exec", "acme", "--", sys.executable, "-c", SHOW, *arguments) as process:
        out, _ = process.communicate(timeout=60)
    environment, argv, pid, files, line = json.loads(out)

    assert pid == process.pid
    assert argv[1:] == arguments
    assert not [file for file in files if str(world.folder) in file]
    assert environment["TIKTOK_ACCESS_TOKEN"] not in line


def test_command_inherits_the_usual_signals(world: World) -> None:
    """A command in a pipe ends when its reader goes, as it would without us."""
    world.keep("acme")

    with world.start("exec", "acme", "--", "yes") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "y\n"
        process.stdout.close()
        assert process.wait(timeout=60) == -signal.SIGPIPE


@pytest.mark.parametrize(
    ("command", "error", "code", "why"),
    [
        ("nowhere", FileNotFoundError(2, "No such file"), 127, "no such command: nowhere"),
        ("nowhere", PermissionError(13, "Permission denied"), 127, "no such command: nowhere"),
        ("/", PermissionError(13, "Permission denied"), 126, "cannot run /: Permission denied"),
        ("sh", PermissionError(13, "Permission denied"), 126, "cannot run sh: Permission denied"),
        ("", ValueError("empty"), 126, "cannot run the command: its name is empty"),
    ],
)
def test_a_command_that_does_not_start_is_told_as_by_a_shell(
    command: str, error: OSError | ValueError, code: int, why: str
) -> None:
    """A name that is nowhere is not found, even if Python says that it is denied."""
    assert start_failure(command, error, {"PATH": "/bin:/usr/bin"}) == (code, why)


def test_a_file_without_the_right_to_run_is_there(tmp_path: Path) -> None:
    """A file of that name that may not be run is not told as missing."""
    (tmp_path / "mytool").touch(mode=0o644)
    error = PermissionError(13, "Permission denied")
    told = start_failure("mytool", error, {"PATH": str(tmp_path)})
    assert told == (126, "cannot run mytool: Permission denied")


@pytest.mark.parametrize("command", ["no-such-command", "/"])
def test_the_exit_code_is_that_of_a_shell(command: str) -> None:
    """The exit code is that of `sh`."""
    path = {"PATH": os.environ["PATH"]}
    shell = subprocess.run(["sh", "-c", command], env=path, capture_output=True, check=False)
    with pytest.raises(OSError) as caught:  # noqa: PT011  (which one depends on PATH)
        subprocess.run([command], env=path, check=False)
    assert start_failure(command, caught.value, path)[0] == shell.returncode
