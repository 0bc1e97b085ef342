"""`tiktok-auth doctor` on settings and files that are really wrong."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.config.parsing import parse
from tap_tiktok_auth.doctor.settings import check_config, check_installation

if TYPE_CHECKING:
    from tests.doctor.conftest import Patient


def test_the_old_backoff_is_told() -> None:
    """The distribution that overwrites files of ours is found, with the commands that fix it."""
    finding = check_installation(lambda name: name == "backoff")
    assert finding.level == "problem"
    assert (finding.fix or "").startswith("pip uninstall -y backoff && ")
    assert check_installation().level == "ok"


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
        ({"appid": "x"}, "warning", "TAP_TIKTOK_AUTH_APPID is not a setting"),
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
    code, found, finding = patient.finds(words)
    assert (code, found) == (1 if level == "problem" else 0, level)
    assert finding["mend"]


def test_variables_of_others_are_no_settings(patient: Patient) -> None:
    """What Meltano and our own logging set besides is not warned about."""
    for name in ("LOGLEVEL", "_NAMESPACE", "STREAM_MAPS_X", "COPY_TO"):
        patient.variables[f"TAP_TIKTOK_AUTH_{name}"] = "x"
    assert not [f for f in patient.examine()[1] if "is not a setting" in f["message"]]


HERE = "http://127.0.0.1:9"
SANDBOX = "https://sandbox-ads.tiktok.com"
TOP = {"app_id": "1", "app_secret": "s"}
ACCOUNTS = {**TOP, "api": "accounts", "redirect_uri": "https://example.com/x/"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"business_api_url": HERE}, "business_api_url points to this machine"),
        (dict.fromkeys(("business_api_url", "login_kit_api_url", "tiktok_url"), HERE), None),
        ({"tiktok_url": "https://tiktok.example"}, "tiktok_url names https://tiktok.example"),
        ({**TOP, "auth_code": "c", "business_api_url": SANDBOX}, "does not tell the ad accounts"),
        (
            {**TOP, "auth_code": "c", "business_api_url": SANDBOX, "advertiser_ids": ["1"]},
            None,
        ),
        ({**ACCOUNTS, "auth_code": "c"}, None),
        ({**ACCOUNTS, "auth_code": "c", "redirect_uri": None}, "wants the redirect_uri"),
        (
            {**ACCOUNTS, "refresh_token": "r", "redirect_uri": "https://example.com/x"},
            "must end with a slash",
        ),
        (
            {**ACCOUNTS, "refresh_token": "r", "redirect_uri": "http://example.com/x"},
            "must begin with https",
        ),
        ({**ACCOUNTS, "access_token": "act.made-up"}, "ends within a day"),
    ],
)
def test_contradictions_are_warned_about(settings: dict[str, Any], words: str | None) -> None:
    """What TikTok would refuse later, or tell nobody, is told now; all else is well."""
    *warnings, last = check_config(parse(settings))
    assert last.level == "ok"
    assert [(f.level, (words or "") in f.text) for f in warnings] == [("warning", True)] * bool(
        words
    )


def test_config_files_are_looked_at(patient: Patient, tmp_path: Path) -> None:
    """Secrets that others may read, and settings that hide others, are told."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"app_secret": "of-the-file", "refresh_margin": 60}))
    config.chmod(0o644)
    option = ("--config", str(config))
    assert patient.finds("has secrets and is open", *option)[2]["mend"] == f"chmod 600 {config}"
    _, level, finding = patient.finds("overrides variables of the environment", *option)
    assert (level, finding["message"].rpartition(": ")[2]) == ("info", "app_secret")
    missing = ("--config", str(tmp_path / "none.json"))
    assert patient.finds("cannot be read", *missing)[:2] == (1, "problem")


@pytest.mark.parametrize(
    ("name", "mode", "words", "level"),
    [
        (".", 0o755, "is open to other users (mode 755)", "warning"),
        ("tokens.db", 0o644, "is open to other users", "problem"),
        ("tokens.db-wal", 0o644, "is open to other users (mode 644)", "warning"),
    ],
)
def test_modes_are_told_with_the_command_that_fixes_them(
    patient: Patient, name: str, mode: int, words: str, level: str
) -> None:
    """Files and folders that others may read are found, and the chmod is right."""
    patient.run()
    place = patient.folder / name
    place.touch()
    place.chmod(mode)
    _, found, finding = patient.finds(words)
    assert found == level
    command, wanted, path = finding["mend"].removeprefix("Run: ").split()
    assert (command, Path(path)) == ("chmod", place.resolve())
    if place.exists():  # SQLite removes its log with the last connection
        place.chmod(int(wanted, 8))
    assert not any(words in f["message"] for f in patient.examine()[1])


@pytest.mark.parametrize("mode", [0o1777, 0o777, 0o775])
def test_a_shared_folder_is_not_to_be_closed(patient: Patient, mode: int) -> None:
    """For a store among other people's files the advice is a folder of its own, and it works."""
    patient.run()
    (patient.folder / "somebody-elses.txt").touch()
    patient.folder.chmod(mode)
    _, level, finding = patient.finds("where other users may write")
    assert (level, "chmod" in finding["mend"]) == ("warning", False)
    command = shlex.split(finding["mend"].partition("run: tiktok-auth ")[2].rpartition(",")[0])
    patient.run(*command)
    patient.set(token_store=command[-1])
    assert not [f for f in patient.examine()[1] if f["check"] == "files"]


@pytest.mark.parametrize(("mode", "other_file"), [(0o755, True), (0o1777, False)])
def test_a_usual_folder_is_never_to_be_closed(
    patient: Patient, mode: int, *, other_file: bool
) -> None:
    """Neither a home folder that others may read, nor one with the sticky bit, is to be closed."""
    patient.run()
    if other_file:
        (patient.folder / "notes.txt").touch()
    patient.folder.chmod(mode)
    found = [f for f in patient.examine()[1] if f["check"] == "files"]
    assert not any("chmod" in f["mend"] for f in found)
    assert bool(found) is (mode != 0o755)
