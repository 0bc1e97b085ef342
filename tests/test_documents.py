"""What README and docs claim about commands, streams, statuses and errors holds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from tap_tiktok_auth import errors
from tap_tiktok_auth.apis.return_codes import business_error, login_kit_error
from tap_tiktok_auth.cli.main import COMMANDS, SECTIONS
from tap_tiktok_auth.config.settings import BY_NAME
from tap_tiktok_auth.credentials.models import Status
from tap_tiktok_auth.tap import TapTikTokAuth

if TYPE_CHECKING:
    from tap_tiktok_auth.apis.base import Purpose
    from tap_tiktok_auth.errors import TikTokAuthError

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TROUBLESHOOTING = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
_TOP = ("README.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = [*(ROOT / name for name in _TOP), *sorted((ROOT / "docs").rglob("*.md"))]


def section(text: str, title: str) -> str:
    """Return a section of a page, up to the next one of its level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found is not None, f"there is no section {title}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """Return the cells of the tables of a text, without headings."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_readme_lists_the_commands() -> None:
    """The table of commands has those of the program, in the order of its help."""
    names = [name for names in SECTIONS.values() for name in names]

    expected = [[f"`tiktok-auth {name}`", COMMANDS[name][1]] for name in names]
    listed = [row for row in rows(section(README, "Commands")) if "tiktok-auth" in row[0]]

    assert listed == expected


def test_readme_lists_the_statuses() -> None:
    """Every status that a connection can have is explained, and no other."""
    listed = [row[0].strip("`") for row in rows(section(README, "Commands"))]

    assert {name for name in listed if " " not in name} == set(get_args(Status))


def test_readme_lists_the_streams() -> None:
    """The table of streams has every stream with its key."""
    tap = TapTikTokAuth(config={}, parse_env_config=False, validate_config=False)
    expected = {name: tuple(s.primary_keys or ()) for name, s in tap.streams.items()}

    listed = rows(section(README, "Streams"))

    assert {r[0].strip("`"): tuple(re.findall(r"`(\w+)`", r[1])) for r in listed} == expected


def test_readme_example_for_meltano_names_what_exists() -> None:
    """Settings and commands of the example are those of the program, and secrets are marked."""
    (block,) = re.findall(r"^```yaml\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    settings = dict(re.findall(r"- \{name: (\w+)(.*)\}", block))
    commands = re.findall(r"(\w+): \{executable: tiktok-auth, args: (\w+)\}", block)

    assert settings
    for name, more in settings.items():
        known = BY_NAME[name]
        holds_secrets = known.secret or known.kind == "objects"
        assert more.endswith("sensitive: true") == holds_secrets, name
    assert commands
    assert all(name == args and args in COMMANDS for name, args in commands)


def test_readme_is_short() -> None:
    """The README can be read in one go."""
    assert len(README.splitlines()) < 250


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Each link to a file leads to a file of the repository."""
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))

    lost = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_nothing_is_installed_by_name(page: Path) -> None:
    """No page installs the package by its name: it is on no registry, and anyone could take it."""
    text = page.read_text(encoding="utf-8")

    assert re.findall(r"(?:pip|tool|uv) install [^\n]*?(?<![/\w-])tap-tiktok-auth", text) == []


def test_troubleshooting_draws_the_tree_of_errors() -> None:
    """Every kind of error is in the tree of the page, and no other."""
    tree = section(TROUBLESHOOTING, "Kinds of errors")

    drawn = set(re.findall(r"── (\w+)", tree)) | {"TikTokAuthError"}
    assert drawn == set(errors.__all__)


def told(code: str, purpose: Purpose) -> TikTokAuthError:
    """Return the error that a code means."""
    if code.isdigit():
        return business_error(int(code), purpose)
    return login_kit_error(code, purpose)


_USES: dict[str, Purpose] = {"exchange": "exchange", "refresh": "refresh", "use": "read"}
_CODES = rows(section(TROUBLESHOOTING, "TikTok's codes"))


@pytest.mark.parametrize("row", _CODES, ids=lambda row: f"{row[0]}-{row[1]}")
def test_troubleshooting_tells_what_the_program_tells(row: list[str]) -> None:
    """Cause and next step of a code on the page are those that the program prints."""
    code, use, cause, step = row
    error = told(code.strip("`"), _USES[use])

    assert (cause, step) == (error.cause, (error.next_step or "").replace("{connection}", "NAME"))


@pytest.mark.parametrize("rfc", ["RFC 9700", "RFC 8252", "RFC 7636"])
def test_security_answers_each_recommendation(rfc: str) -> None:
    """Each recommendation has an answer, and each test named as evidence is there."""
    title = next(line[3:] for line in SECURITY.splitlines() if line.startswith(f"## {rfc}"))
    table = [line for line in section(SECURITY, title).splitlines() if line.startswith("|")][2:]

    assert table
    for row in table:
        number, wanted, done, evidence = (cell.strip() for cell in row.strip("|").split("|"))
        assert number
        assert wanted
        assert done
        named = re.findall(r"`(tests/[^`]+)`", evidence)
        assert [path for path in named if not (ROOT / path).exists()] == [], number
    assert "`tests/" in "".join(table)


def test_security_tells_how_to_report_and_who_gets_what() -> None:
    """A person finds where to report; each holder of something has what it gives away."""
    assert "in private" in section(SECURITY, "Reporting a vulnerability")
    model = section(SECURITY, "Threat model")
    for holder in ("key", "role in the same database", "log", "local user", "network", "program"):
        assert re.search(rf"^\| [^|]*\b{holder}\b[^|]*\|", model, re.MULTILINE), holder
    assert "**Not covered, on purpose.**" in model
