"""Connections: a contradictory or unsafe config is refused in one line, which shows no value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.config.parsing import parse
from tap_tiktok_auth.config.settings import BY_NAME
from tap_tiktok_auth.errors import ConfigurationError

#: A busy machine is no failure.
UNHURRIED = settings(deadline=None)
CANARY = "canary5ec23t"
APP = {"app_id": "7", "app_secret": f"{CANARY}-secret"}
CODE = {"auth_code": f"{CANARY}-code"}
REFRESH = {"refresh_token": f"{CANARY}-refresh"}
ACCESS = {"access_token": f"{CANARY}-access"}
HOST_HELP = " Write it like https://host, or http://127.0.0.1:8080 for a simulator."


def _refusal(config: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse(config)
    _assert_says_nothing(caught.value)
    return str(caught.value)


def _assert_says_nothing(error: BaseException | None) -> None:
    """Neither the error nor what a log prints as its cause or context shows a value."""
    while error is not None:
        assert CANARY not in str(error)
        assert CANARY not in repr(error)
        assert str(error).isprintable()
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (
            {"connections": [{"name": "acme"}, {"name": "acme"}]},
            (
                "setting connections has two entries named acme. "
                "Give each connection a name of its own."
            ),
        ),
        (
            {**APP, **CODE, "connections": [{"name": "default"}]},
            (
                "setting connections has an entry named default beside the top level's seed. "
                "Give each connection a name of its own."
            ),
        ),
        (
            {**APP, **CODE, **REFRESH},
            (
                "settings auth_code and refresh_token stand beside each other. "
                "Keep the one that the chain shall start from."
            ),
        ),
        (
            {"connections": [{"name": "acme", **APP, **CODE, **ACCESS}]},
            (
                "settings connections.acme.auth_code and connections.acme.access_token stand "
                "beside each other. Keep the one that the chain shall start from."
            ),
        ),
        (
            {"app_secret": CANARY, **CODE},
            "setting app_id is missing, connection default needs it. Set app_id.",
        ),
        (
            {"app_id": "7", "connections": [{"name": "acme", **REFRESH}]},
            (
                "setting connections.acme.app_secret is missing, connection acme needs it. "
                "Set connections.acme.app_secret."
            ),
        ),
        (
            {**ACCESS},
            (
                "setting app_id is missing, connection default needs it. Set app_id and "
                "app_secret, or advertiser_ids: with these an access_token works alone."
            ),
        ),
        (
            {"app_id": "7", "connections": [{"name": "acme", **ACCESS}]},
            (
                "setting connections.acme.app_secret is missing, connection acme needs it. Set "
                "connections.acme.app_id and connections.acme.app_secret, or "
                "connections.acme.advertiser_ids: with these an access_token works alone."
            ),
        ),
        (
            {**ACCESS, "api": "accounts"},
            "setting app_id is missing, connection default needs it. Set app_id.",
        ),
        (
            {**APP, **REFRESH, "api": "creator_marketplace"},
            (
                "setting refresh_token is not for api creator_marketplace, whose tokens are not "
                "refreshed. Remove it."
            ),
        ),
        (
            {**APP, **CODE, "code_verifier": CANARY},
            "setting code_verifier is for api login_kit only. Remove it.",
        ),
        (
            {**APP, **CODE, "api": "accounts", "advertiser_ids": [CANARY]},
            "setting advertiser_ids is for api marketing only. Remove it.",
        ),
        (
            {**APP, "grant_type": "client_credentials"},
            "setting grant_type client_credentials is for api login_kit only.",
        ),
        (
            {**APP, **ACCESS, "api": "login_kit", "grant_type": "client_credentials"},
            "setting grant_type client_credentials stands beside a seed. Remove one of them.",
        ),
        (
            {"connections": [{"name": "acme", "api": CANARY}]},
            (
                "setting connections.acme.api must be one of: "
                "marketing, accounts, creator_marketplace, creator, login_kit."
            ),
        ),
        (
            {"connections": [{"name": "acme", "acces_token": CANARY}]},
            "setting connections.acme.acces_token is not a setting. Did you mean access_token?",
        ),
        (
            {"connections": [{"name": "acme", "access_token": ""}]},
            "setting connections.acme.access_token is empty. Give it a value, or remove it.",
        ),
    ],
)
def test_contradictory_config_is_refused_in_one_line(config: dict[str, Any], line: str) -> None:
    """A contradiction gives one line that names the settings, never a value."""
    assert _refusal(config) == line


@pytest.mark.parametrize("setting", ["token_store", "parallelism", "connections", "on_error"])
def test_settings_of_the_run_are_not_for_entries(setting: str) -> None:
    """What holds for the whole run cannot be set for one connection."""
    line = _refusal({"connections": [{"name": "acme", setting: CANARY}]})
    assert line.startswith(f"setting connections.acme.{setting} is not a setting. ")


@pytest.mark.parametrize("entry", [{}, {"name": None}, {"name": ""}, {"name": 7}])
def test_entry_without_a_name_is_found_by_its_position(entry: dict[str, Any]) -> None:
    """An entry that has no usable name is named by where it stands."""
    line = _refusal({"connections": [{"name": "acme"}, {**entry, **ACCESS}]})
    assert line.startswith("setting connections: entry 2 has no name. Add a name: ")


@pytest.mark.parametrize("name", [f"{CANARY} x", "-x", "a/b", "a\n", "é", "x" * 101, "$(id)"])
def test_unfit_name_is_refused_without_showing_it(name: str) -> None:
    """A name that would not survive a shell, a log or a key is refused."""
    line = _refusal({"connections": [{"name": name}]})
    assert line.startswith("setting connections: the name of entry 1 is not a connection's name. ")
    assert name not in line


@pytest.mark.parametrize("setting", ["business_api_url", "login_kit_api_url", "tiktok_url"])
@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (CANARY, "is not an http or https URL"),
        (f"ftp://{CANARY}", "is not an http or https URL"),
        (f"file:///{CANARY}", "is not an http or https URL"),
        ("https://", "is not an http or https URL"),
        (f"https://app:{CANARY}", "is not a URL"),
        (f"https://[{CANARY}", "is not a URL"),
        (f"https://{CANARY} x", "is not a URL"),
        (f"https://tiktok.com\\{CANARY}", "is not a URL"),
        (f"https://{CANARY}@tiktok.com", "must have no user, query or fragment"),
        (f"https://me:{CANARY}@tiktok.com", "must have no user, query or fragment"),
        (f"http://127.0.0.1:{CANARY}@tiktok.com", "must have no user, query or fragment"),
        (f"https://tiktok.com?{CANARY}", "must have no user, query or fragment"),
        ("https://tiktok.com?", "must have no user, query or fragment"),
        (f"https://tiktok.com#{CANARY}", "must have no user, query or fragment"),
        (
            f"http://{CANARY}.com",
            "must be https; http is allowed on a loopback address only",
        ),
        (
            "http://localhost.example.com",
            "must be https; http is allowed on a loopback address only",
        ),
        ("http://10.0.0.1", "must be https; http is allowed on a loopback address only"),
    ],
)
def test_unsafe_host_is_refused(setting: str, url: str, problem: str) -> None:
    """Secrets go to https hosts only, or to this machine; a refused URL is not shown."""
    assert _refusal({setting: url}) == f"setting {setting} {problem}.{HOST_HELP}"


@pytest.mark.parametrize("setting", ["business_api_url", "login_kit_api_url", "tiktok_url"])
@pytest.mark.parametrize(
    "url",
    [
        "https://tiktok.com.",
        "https://tiktok.com./",
        "https://tiktok..com",
        "https://.tiktok.com",
        "https://-tiktok.com",
        "https://tiktok-.com",
        "https://tiktok%2ecom",
        "https://tiktok.com%2Eexample.com",
        "https://tiktok.com%00.example.com",
        "https://tіktok.com",  # noqa: RUF001  (a Cyrillic letter)
        "https://ｔiktok.com",  # noqa: RUF001  (a wide letter)
        "https://tiktok。com",
        "https://xn--tktok-6xe.com",
        "https://www.xn--tktok-6xe.com",
        "https://tik_tok.com",
        "https://tiktok.com,example.com",
        "https://tiktok.com;a=b",
        "https://tiktok.com:0443",
        "https://tiktok.com:",
        "https://0x7f000001",
        "https://2130706433",
        "https://127.1",
        "https://0177.0.0.1",
        "https://999.1.1.1",
        "https://[::1",
        "https://[fe80::1%25eth0]",
        "https://[::ffff]x",
        "https:///tiktok.com",
        "https:/tiktok.com",
        "https://tiktok.com//x",
        "https://tiktok.com/../x",
        "https://tiktok.com/%2e%2e/x",
        "https://tiktok.com/a/./b",
        "https://tiktok.com/;x",
        f"https://{'a' * 64}.com",
        f"https://{'a.' * 126}com",
        "http://localhost.",
        "http://127.0.0.1.",
        "http://①27.0.0.1",
    ],
)
def test_host_that_programs_read_differently_is_refused(setting: str, url: str) -> None:
    """Escapes, other scripts, odd dots and numbers in disguise are refused, and not shown."""
    line = _refusal({setting: url})
    assert line.startswith(f"setting {setting} ")
    assert line.endswith(HOST_HELP)
    assert url not in line


@pytest.mark.parametrize("api", ["marketing", "accounts", "creator_marketplace", "creator"])
@pytest.mark.parametrize("app_id", [CANARY, "7" * 33, "0x7", "7.0", "-7", "\u0667", "act.7", "7 7"])
def test_what_is_no_number_is_no_app_id(api: str, app_id: str) -> None:
    """An app id is shown in records and logs: what may be the secret instead is refused unsaid."""
    values = {"api": api, "app_id": app_id, "app_secret": "7" * 19, **ACCESS}
    for config, where in (
        (values, ""),
        ({"connections": [{"name": "x", **values}]}, "connections.x."),
    ):
        assert _refusal(config) == (
            f"setting {where}app_id is no app id: those of api {api} are numbers."
            " Did app_id and app_secret change places?"
        )


def test_client_key_in_the_place_of_the_secret() -> None:
    """A client key is known by its form, so an exchange with the secret is noticed there too."""
    values = {"api": "login_kit", "app_id": CANARY, "app_secret": "awq1w2e3r4t5y6u7", **ACCESS}
    assert _refusal(values) == (
        "setting app_id is no client key. Did app_id and app_secret change places?"
    )
    for key in ("awq1w2e3r4t5y6u7", "sbawq1w2e3r4t5y6u7", CANARY):
        parse({**values, "app_id": key, "app_secret": CANARY})


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text().map(lambda text: CANARY + text),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8).map(lambda key: f"k{key}"), inner, max_size=3)
    ),
    max_leaves=6,
)
SENSIBLE = st.sampled_from(
    [CANARY, f"{CANARY}-x", *APIS, "client_credentials", f"http://{CANARY}:1", [CANARY]]
)
SETTINGS = st.sampled_from(sorted(BY_NAME)) | st.text(max_size=8)
# A fit name may be shown; the space makes the others unfit.
NAMES = st.sampled_from(["acme", "brand", "default"]) | JSON.map(
    lambda value: f"{value} x" if isinstance(value, str) else value
)
ENTRIES = st.lists(
    st.builds(
        lambda entry, name: {**entry, "name": name},
        st.dictionaries(SETTINGS, SENSIBLE | JSON, max_size=5),
        NAMES,
    ),
    max_size=3,
)


@UNHURRIED
@given(st.dictionaries(SETTINGS, SENSIBLE | JSON, max_size=6), ENTRIES | SENSIBLE | JSON)
def test_any_config_is_understood_or_refused(config: dict[str, Any], connections: Any) -> None:
    """No config, however odd, raises anything but one clear line, or shows a value."""
    refusal = None
    try:
        names = [c.name for c in parse({**config, "connections": connections}).connections]
    except ConfigurationError as error:
        refusal = error
        names = []
    assert refusal is None or str(refusal).startswith("setting")
    assert len(set(names)) == len(names)
    _assert_says_nothing(refusal)
