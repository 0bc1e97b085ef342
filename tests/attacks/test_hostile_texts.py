"""Texts of TikTok that would take over a terminal, a log or a page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from tap_tiktok_auth.cli.main import main
from tap_tiktok_auth.login import browser
from tests.attacks.texts import assert_clean
from tests.standin.world import app_of

if TYPE_CHECKING:
    from tests.standin.runs import Bench, Run

HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x9b1m\r\nERROR forged line\n\u202egnp.exe\u2066\u200b"
    "\0\x7f\ud800 =HYPERLINK(1) <script>alert(1)</script> {connection} %s %(x)s [bold]b[/bold] "
) * 30
COMMANDS = (["status"], ["status", "--check"], ["events"], ["events", "--json"], ["doctor"])

pytestmark = pytest.mark.usefixtures("waits")


def run_all(bench: Bench, connection: dict[str, Any]) -> tuple[Run, str]:
    """Run the tap and all that shows stored texts; return the run and all that was shown."""
    run = bench.run(bench.settings(connection))
    shown = [run.err]
    for command in COMMANDS:
        config = str(bench.folder / "config.json")
        result = CliRunner().invoke(main, [*command, "--config", config])
        assert isinstance(result.exception, SystemExit | None)
        shown.append(result.output)
    for text in shown:
        assert_clean(text)
    return run, "".join(shown)


def test_names_of_ad_accounts(bench: Bench) -> None:
    """A name comes into records as one line of text, and nothing of it steers anything."""
    code = bench.world.consent(app_of("marketing"), timed=False, advertisers={"7001": HOSTILE})
    run, _ = run_all(bench, bench.connection("marketing", auth_code=code))
    (row,) = run.rows("advertiser_ids")
    assert_clean(row["advertiser_name"])
    assert len(row["advertiser_name"]) <= 500


@pytest.mark.parametrize("code", [40002, 40105, 50000, 99999])
def test_messages_and_ids(bench: Bench, code: int) -> None:
    """A refusal in hostile words is told in one clean line, stored and shown as such."""
    body = {"code": code, "message": HOSTILE, "request_id": HOSTILE, "data": {"x": HOSTILE}}
    bench.standin.fail("/", times=9, body=body)
    run, _ = run_all(bench, bench.consented("accounts"))
    assert run.code == 1
    assert_clean(json.dumps(run.row("accounts"), ensure_ascii=False))


@pytest.mark.parametrize("key", ["error", "error_description", "log_id"])
def test_login_kits_errors(bench: Bench, key: str) -> None:
    """So is one in the other token system's words, whichever of them is hostile."""
    body = {"error": "invalid_grant", "error_description": "x", "log_id": "1"} | {key: HOSTILE}
    bench.standin.fail("/", times=9, status=400, body=body)
    run, _ = run_all(bench, bench.consented("login_kit"))
    assert run.code == 1


@pytest.mark.parametrize("field", ["access_token", "refresh_token", "open_id", "scope"])
def test_hostile_fields_of_a_token(bench: Bench, field: str) -> None:
    """Nothing of such a field is shown or stored; a token beside it is kept."""
    connection = bench.consented("accounts")
    bench.standin.fail("/oauth2/token/", body=..., changes={field: HOSTILE})
    run, shown = run_all(bench, connection)
    told = (0, "active") if field != "access_token" else (1, "unconfirmed")
    assert (run.code, run.row("accounts")["status"]) == told
    assert "owned" not in run.out + shown


def test_pages_show_texts_as_texts() -> None:
    """No page of a login turns a text into markup, and none may run a script."""
    hostile = HOSTILE.replace("\ud800", "")
    for page in (
        browser.page("connected", "acme", facts=[("Account", hostile), ("<b>", "<i>")]),
        browser.page("failed", "<script>", hostile),
        browser.page("denied", '"><script>alert(1)</script>'),
    ):
        assert b"<script" not in page
        assert b"<i>" not in page
    assert "default-src 'none'" in browser.HEADERS["Content-Security-Policy"]
    assert "script-src" not in browser.HEADERS["Content-Security-Policy"]
