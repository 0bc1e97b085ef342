"""What a person types at a login is as secret as what the settings have."""

from __future__ import annotations

import io
import logging
from dataclasses import replace
from typing import Any

import pytest

from tap_tiktok_auth.config.models import App, Seed
from tap_tiktok_auth.config.parsing import parse
from tap_tiktok_auth.credentials.manager import open_manager
from tap_tiktok_auth.errors import TikTokAuthError
from tap_tiktok_auth.redaction import install

SECRETS = ("typed-app-secret", "typed-auth-code", "typed-verifier", "typed-access", "typed-refresh")


def test_it_is_masked_in_logs(
    tiktok_connection: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login that TikTok refuses leaves nothing that was typed to any later line of a log."""
    app_secret, code, verifier, access, refresh = SECRETS
    stream = io.StringIO()
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [logging.StreamHandler(stream)])
    monkeypatch.setattr(logging, "lastResort", None)
    install()
    with open_manager(parse(tiktok_connection)) as manager:
        typed = replace(
            manager.connections()[0],
            app=App("7000000000000000001", app_secret),
            seed=Seed("auth_code", code, refresh, access, verifier),
        )
        with pytest.raises(TikTokAuthError):
            manager.log_in(typed)
    root.warning("%s", SECRETS)
    assert stream.getvalue().endswith("('***', '***', '***', '***', '***')\n")
