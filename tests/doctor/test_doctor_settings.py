"""`tiktok-auth doctor` on settings and files that are really wrong."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.config.parsing import parse
from tap_tiktok_auth.config.values import from_environment
from tap_tiktok_auth.doctor.settings import check_config
from tests.login.people import run

if TYPE_CHECKING:
    from tests.doctor.patient import Patient


@pytest.mark.parametrize(
    ("settings", "level", "words"),
    [
        ({"api": "nonsense"}, "problem", "setting api must be one of"),
        ({"refresh_margin": "soon"}, "problem", "must be a whole number"),
        ({"connections": "{"}, "problem", "list of objects"),
        ({"token_store": "tokens.db"}, "problem", "token_store is not an address"),
        ({"token_store_key": "short"}, "problem", "token_store_key is not a Fernet key"),
        ({"business_api_url": "http://example.com"}, "problem", "must be https"),
        ({"refresh_token": "r"}, "problem", "stand beside each other"),
        ({"appid": "x"}, "warning", "TAP_TIKTOK_AUTH_APPID is no setting"),
        ({"long_term_token": "false"}, "warning", "long_term_token does nothing"),
        ({"auth_code": "aw%2A3%214964"}, "problem", "URL-encoded still"),
        ({"tiktok_url": "https://127.0.0.2:9"}, "warning", "no connection"),
    ],
)
def test_settings_are_told(
    patient: Patient, settings: dict[str, str], level: str, words: str
) -> None:
    """Errors of the config are findings like all others, and contradictions are warned about."""
    patient.set(**settings)
    code, finding = patient.told(words)
    assert (code, finding["level"]) == (1 if level == "problem" else 0, level)
    assert finding["mend"]


def test_hosts_that_do_not_belong_together_are_told(patient: Patient) -> None:
    """A simulator for one API beside TikTok itself for the other is a mistake."""
    patient.set(login_kit_api_url=None, tiktok_url=None)

    found = list(check_config(parse(from_environment(patient.variables))))
    assert any("business_api_url points to this machine" in f.message for f in found)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"redirect_uri": None}, "wants the redirect_uri"),
        ({"redirect_uri": "https://example.com/x"}, "must end with a slash"),
        ({"auth_code": None, "access_token": "act.made-up"}, "ends within a day"),
    ],
)
def test_account_holders_settings_are_told(
    patient: Patient, settings: dict[str, str | None], words: str
) -> None:
    """What the Accounts API would refuse later is told now."""
    patient.become("accounts")
    patient.set(**settings)
    _, finding = patient.told(words)
    assert finding["level"] == "warning"


def test_config_files_are_looked_at(patient: Patient, tmp_path: Path) -> None:
    """Secrets that others may read, and settings that hide others, are told."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"app_secret": "of-the-file", "refresh_margin": 60}))
    config.chmod(0o644)
    _, finding = patient.told("has secrets and is open", "--config", str(config))
    assert finding["mend"] == f"chmod 600 {config}"
    _, finding = patient.told("overrides variables of the environment", "--config", str(config))
    assert finding["message"].endswith(": app_secret")
    code, finding = patient.told("cannot be read", "--config", str(tmp_path / "none.json"))
    assert (code, finding["level"]) == (1, "problem")


@pytest.mark.parametrize(
    ("name", "mode", "words", "level"),
    [
        (".", 0o755, "is open to other users (mode 755)", "warning"),
        ("tokens.db", 0o644, "is open to other users", "problem"),
    ],
)
def test_modes_are_told_with_the_command_that_mends_them(
    patient: Patient, name: str, mode: int, words: str, level: str
) -> None:
    """Files and folders that others may read are found, and the chmod is right."""
    patient.run()
    place = patient.folder / name
    place.chmod(mode)
    _, finding = patient.told(words)
    assert finding["level"] == level
    command, wanted, path = finding["mend"].removeprefix("Run: ").split()
    assert (command, Path(path)) == ("chmod", place.resolve())
    place.chmod(int(wanted, 8))
    assert not any(words in f["message"] for f in patient.examine()[1])


@pytest.mark.parametrize("mode", [0o1777, 0o777, 0o775])
def test_a_shared_folder_is_not_to_be_closed(patient: Patient, mode: int) -> None:
    """For a store among other people's files the advice is a folder of its own, and it works."""
    patient.run()
    (patient.folder / "somebody-elses.txt").touch()
    patient.folder.chmod(mode)

    _, finding = patient.told("where other users may write")

    assert finding["level"] == "warning"
    assert "chmod" not in finding["mend"]
    command = shlex.split(finding["mend"].partition("run: tiktok-auth ")[2].rpartition(",")[0])
    assert run(patient.variables, *command).exit_code == 0
    patient.set(token_store=command[-1])
    _, findings = patient.examine()
    assert not [f for f in findings if f["check"] == "files"]


def test_a_folder_that_others_may_only_read_is_no_trouble(patient: Patient) -> None:
    """A home folder with the usual mode needs no change: the store's file is closed itself."""
    patient.run()
    (patient.folder / "notes.txt").touch()
    patient.folder.chmod(0o755)

    _, findings = patient.examine()

    assert not [f for f in findings if f["check"] == "files"]


def test_the_temporary_folder_is_never_to_be_closed(patient: Patient) -> None:
    """A folder with the sticky bit belongs to all users, even if nothing else is in it."""
    patient.run()
    patient.folder.chmod(0o1777)

    _, findings = patient.examine()

    assert not any("chmod" in (f["mend"] or "") for f in findings)
