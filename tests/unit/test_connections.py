"""Connections: what a config means, and how a contradictory or unsafe one is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.config.models import App, Connection, Hosts, Seed
from tap_tiktok_auth.config.parsing import check_name, parse
from tap_tiktok_auth.config.settings import BY_NAME, SDK_SETTINGS
from tap_tiktok_auth.errors import ConfigurationError
from tap_tiktok_auth.network import is_loopback

#: A busy machine is no failure.
UNHURRIED = settings(deadline=None)
CANARY = "canary5ec23t"
APP = {"app_id": "7", "app_secret": f"{CANARY}-secret"}
CODE = {"auth_code": f"{CANARY}-code"}
REFRESH = {"refresh_token": f"{CANARY}-refresh"}
ACCESS = {"access_token": f"{CANARY}-access"}
BOTH = "Set app_id and app_secret, or advertiser_ids: with these an access_token works alone."
HOST_SETTINGS = ["business_api_url", "login_kit_api_url", "tiktok_url"]
HOST_HELP = " Write it like https://host, or http://127.0.0.1:8080 for a simulator."


def _one(config: dict[str, Any]) -> Connection:
    (connection,) = parse(config).connections
    return connection


def test_empty_config_names_no_connection() -> None:
    """Without any setting there is no connection, and all defaults hold."""
    config = parse({})
    assert config.connections == ()
    assert config.hosts == Hosts(
        "https://business-api.tiktok.com", "https://open.tiktokapis.com", "https://www.tiktok.com"
    )
    assert (config.refresh_margin, config.parallelism, config.on_error) == (1800, 8, "fail")
    assert (config.api_version, config.long_term_token, config.token_store) == ("v1.3", True, None)


def test_top_level_with_a_seed_is_the_default_connection() -> None:
    """The top level alone describes one connection, named default."""
    connection = _one({**APP, **CODE})
    assert connection == Connection(
        name="default",
        api="marketing",
        app=App(APP["app_id"], APP["app_secret"]),
        seed=Seed("auth_code", auth_code=CODE["auth_code"]),
    )
    assert parse({**APP, **CODE}).connection("default") == connection
    assert parse({**APP, **CODE}).connection("other") is None


def test_what_the_top_level_lends() -> None:
    """It lends app, api and callback address to entries, which their own settings precede."""
    own = {"name": "own", "api": "creator", "app_id": "8", "app_secret": "other", **REFRESH}
    shared = {**APP, "api": "accounts", "redirect_uri": "https://example.com/"}
    config = parse({**shared, "connections": [{"name": "acme"}, own]})
    app = App(APP["app_id"], APP["app_secret"])
    seed = Seed("refresh_token", refresh_token=REFRESH["refresh_token"])
    assert config.connections == (
        Connection("acme", "accounts", app, redirect_uri="https://example.com/"),
        Connection("own", "creator", App("8", "other"), seed, "https://example.com/"),
    )
    assert (config.defaults.app(), config.defaults.api) == (app, "accounts")


def test_seeds_are_not_lent() -> None:
    """The top level's seed belongs to its own connection alone."""
    config = parse({**APP, **CODE, "code_verifier": None, "connections": [{"name": "acme"}]})
    assert [(c.name, c.seed is None) for c in config.connections] == [
        ("default", False),
        ("acme", True),
    ]


def test_advertiser_ids_are_lent_to_marketing_only() -> None:
    """Lent ad accounts reach marketing connections, without duplicates, and no others."""
    config = parse(
        {
            "advertiser_ids": ["2", "1", "2"],
            "connections": [{"name": "ads"}, {"name": "creator", "api": "creator"}],
        }
    )
    assert [c.advertiser_ids for c in config.connections] == [("2", "1"), ()]


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (CODE, "auth_code"),
        (REFRESH, "refresh_token"),
        (ACCESS, "access_token"),
        ({**REFRESH, **ACCESS}, "access_and_refresh_token"),
        ({"api": "login_kit", "grant_type": "client_credentials"}, "client_credentials"),
    ],
)
def test_seed_kinds(settings: dict[str, str], kind: str) -> None:
    """Each seed is recognised; an app's own token needs none."""
    seed = _one({**APP, "api": "accounts", **settings}).seed
    assert seed
    assert seed.kind == kind


def test_seeds_with_different_secrets_differ() -> None:
    """No two seeds share the text that tells one from another, even of one value."""
    seeds = [
        Seed("auth_code", auth_code="x"),
        Seed("refresh_token", refresh_token="x"),
        Seed("access_token", access_token="x"),
        Seed("access_and_refresh_token", refresh_token="x", access_token="x"),
        Seed("access_and_refresh_token", refresh_token="x", access_token="y"),
        Seed("client_credentials"),
    ]
    assert len({seed.material for seed in seeds}) == len(seeds)


@pytest.mark.parametrize("name", ["acme", "Acme-1.de", "a@b", "brand:eu", "x" * 100, "7"])
def test_fit_name_is_taken(name: str) -> None:
    """Letters, digits and a few marks make a name."""
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://sandbox-ads.tiktok.com/", "https://sandbox-ads.tiktok.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://[2001:db8::a]:8443", "https://[2001:db8::a]:8443"),
        ("https://proxy.example/tiktok/", "https://proxy.example/tiktok"),
    ],
)
def test_safe_host_is_taken_without_its_slash(url: str, base: str) -> None:
    """An https host, or http on this machine, is taken; paths can be appended to it."""
    assert parse({"business_api_url": url}).hosts.business == base


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.255.0.1", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("128.0.0.1", False),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
        ("", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    """Only addresses that cannot leave this machine are loopback."""
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    "config",
    [
        {**ACCESS, "api": "login_kit"},
        {**ACCESS, "advertiser_ids": ["7001"]},
        {"connections": [{"name": "acme"}]},
    ],
)
def test_app_is_needed_only_where_it_is_used(config: dict[str, Any]) -> None:
    """A Login Kit token, a sandbox token, and a connection of the store work without the app."""
    assert _one(config).app is None


def test_settings_of_the_sdk_are_let_through() -> None:
    """The Singer SDK's own settings do not disturb."""
    samples = {"object": {}, "boolean": True, "integer": 1, "string": "."}
    assert parse({s.name: samples[s.kind] for s in SDK_SETTINGS}).connections == ()


def test_config_shows_no_secret() -> None:
    """No repr of a config shows a secret."""
    store = {"token_store": f"postgresql://me:{CANARY}@h/db", "token_store_key": CANARY}
    entry = {"name": "b", "api": "accounts", **REFRESH, **ACCESS}
    login = {"name": "c", "api": "login_kit", **CODE, "code_verifier": CANARY}
    config = parse({**APP, **CODE, **store, "connections": [entry, login]})
    assert CANARY not in repr(config)
    assert config.token_store_key == CANARY


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


KEEP_ONE = "Keep the one that the chain shall start from."
OWN_NAME = "Give each connection a name of its own."


@pytest.mark.parametrize(
    ("config", "problem", "step"),
    [
        (
            {"connections": [{"name": "acme"}, {"name": "acme"}]},
            "connections has two entries named acme",
            OWN_NAME,
        ),
        (
            {**APP, **CODE, "connections": [{"name": "default"}]},
            "connections has an entry named default beside the top level's seed",
            OWN_NAME,
        ),
        (
            {**APP, **CODE, **REFRESH},
            "auth_code and refresh_token stand beside each other",
            KEEP_ONE,
        ),
        (
            {"connections": [{"name": "x", **APP, **CODE, **ACCESS}]},
            "connections.x.auth_code and connections.x.access_token stand beside each other",
            KEEP_ONE,
        ),
        (
            {"app_secret": CANARY, **CODE},
            "app_id is missing, connection default needs it",
            "Set app_id.",
        ),
        (
            {"app_id": "7", "connections": [{"name": "x", **REFRESH}]},
            "connections.x.app_secret is missing, connection x needs it",
            "Set connections.x.app_secret.",
        ),
        (ACCESS, "app_id is missing, connection default needs it", BOTH),
        (
            {"app_id": "7", "connections": [{"name": "x", **ACCESS}]},
            "connections.x.app_secret is missing, connection x needs it",
            BOTH.replace("app_", "connections.x.app_").replace("adv", "connections.x.adv"),
        ),
        (
            {**REFRESH, "advertiser_ids": ["7001"]},
            "app_id is missing, connection default needs it",
            "Set app_id.",
        ),
        (
            {**ACCESS, "api": "accounts"},
            "app_id is missing, connection default needs it",
            "Set app_id.",
        ),
        (
            {**APP, **REFRESH, "api": "creator_marketplace"},
            "refresh_token is not for api creator_marketplace, whose tokens are not refreshed",
            "Remove it.",
        ),
        (
            {**APP, **CODE, "code_verifier": CANARY},
            "code_verifier is for api login_kit only",
            "Remove it.",
        ),
        (
            {**APP, **CODE, "api": "accounts", "advertiser_ids": [CANARY]},
            "advertiser_ids is for api marketing only",
            "Remove it.",
        ),
        (
            {**APP, "grant_type": "client_credentials"},
            "grant_type client_credentials is for api login_kit only",
            None,
        ),
        (
            {**APP, **ACCESS, "api": "login_kit", "grant_type": "client_credentials"},
            "grant_type client_credentials stands beside a seed",
            "Remove one of them.",
        ),
        (
            {"connections": [{"name": "acme", "acces_token": CANARY}]},
            "connections.acme.acces_token is not a setting",
            "Did you mean access_token?",
        ),
        (
            {"connections": [{"name": "acme", "access_token": ""}]},
            "connections.acme.access_token is empty",
            "Give it a value, or remove it.",
        ),
    ],
)
def test_contradictory_config_is_refused_in_one_line(
    config: dict[str, Any], problem: str, step: str | None
) -> None:
    """A contradiction gives one line that names the settings, never a value."""
    line = _refusal(config).removeprefix("setting").removeprefix("s").strip()
    assert line == (f"{problem}. {step}" if step else f"{problem}.")


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
    assert line.startswith(
        "setting connections: the name of entry 1 is not a valid connection name. "
    )
    assert name not in line


@pytest.mark.parametrize("setting", HOST_SETTINGS)
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


#: Escapes, letters of other scripts, odd dots, and numbers in disguise.
ODD_HOSTS = """
https://tiktok.com. https://tiktok.com./ https://tiktok..com https://.tiktok.com
https://-tiktok.com https://tiktok-.com https://tiktok%2ecom https://tiktok.com%2Eexample.com
https://tiktok.com%00.example.com https://tіktok.com https://ｔiktok.com https://tiktok。com
https://xn--tktok-6xe.com https://www.xn--tktok-6xe.com https://tik_tok.com
https://tiktok.com,example.com https://tiktok.com;a=b https://tiktok.com:0443 https://tiktok.com:
https://0x7f000001 https://2130706433 https://127.1 https://0177.0.0.1 https://999.1.1.1
https://[::1 https://[fe80::1%25eth0] https://[::ffff]x https:///tiktok.com https:/tiktok.com
https://tiktok.com//x https://tiktok.com/../x https://tiktok.com/%2e%2e/x
https://tiktok.com/a/./b https://tiktok.com/;x http://localhost. http://127.0.0.1.
http://①27.0.0.1
"""  # noqa: RUF001  (letters that look like others are the point)
TOO_LONG = [f"https://{'a' * 64}.com", f"https://{'a.' * 126}com"]


@pytest.mark.parametrize("setting", HOST_SETTINGS)
@pytest.mark.parametrize("url", [*ODD_HOSTS.split(), *TOO_LONG])
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
