"""Settings: the contract, their schema, environment variables, and how wrong ones are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.config import settings
from tap_tiktok_auth.config.parsing import parse
from tap_tiktok_auth.config.settings import BY_NAME, PER_CONNECTION, SETTINGS
from tap_tiktok_auth.config.values import from_environment, validate
from tap_tiktok_auth.errors import ConfigurationError

#: A busy machine is no failure.
UNHURRIED = hypothesis_settings(deadline=None)
CANARY = "canary5ec23t"

#: The names and defaults that users rely on.
CONTRACT: dict[str, Any] = {
    "api": "marketing",
    "app_id": None,
    "app_secret": None,
    "auth_code": None,
    "refresh_token": None,
    "access_token": None,
    "grant_type": "authorization_code",
    "redirect_uri": None,
    "code_verifier": None,
    "advertiser_ids": None,
    "connections": None,
    "token_store": None,
    "token_store_key": None,
    "refresh_margin": 1800,
    "consent_warning_days": 30,
    "on_error": "fail",
    "parallelism": 8,
    "requests_per_second": 10,
    "request_timeout": 30,
    "api_version": "v1.3",
    "long_term_token": True,
    "business_api_url": "https://business-api.tiktok.com",
    "login_kit_api_url": "https://open.tiktokapis.com",
    "tiktok_url": "https://www.tiktok.com",
    "stream_maps": None,
    "stream_map_config": None,
    "faker_config": None,
    "flattening_enabled": None,
    "flattening_max_depth": None,
    "flattening_max_key_length": None,
    "flattening_separator": None,
}
SECRET = {
    "app_secret",
    "auth_code",
    "refresh_token",
    "access_token",
    "code_verifier",
    "token_store",
    "token_store_key",
}


def _refusal(config: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        validate(config, BY_NAME)
    return str(caught.value)


def test_names_and_defaults_are_the_contract() -> None:
    """No setting is renamed, lost or given another default by accident."""
    assert {setting.name: setting.default for setting in SETTINGS} == CONTRACT


def test_secret_settings_are_marked() -> None:
    """Exactly the settings that carry secrets are marked secret, also in the schema."""
    properties = settings.json_schema()["properties"]
    assert {setting.name for setting in SETTINGS if setting.secret} == SECRET
    assert {name for name, schema in properties.items() if schema.get("secret")} == SECRET
    assert {name for name, schema in properties.items() if schema.get("writeOnly")} == SECRET


def test_schema_is_a_json_schema_that_takes_the_defaults() -> None:
    """The schema is valid, and a config of all defaults satisfies it and our own checks."""
    schema = settings.json_schema()
    Draft202012Validator.check_schema(schema)
    defaults = {name: value for name, value in CONTRACT.items() if value is not None}
    assert not list(Draft202012Validator(schema).iter_errors(defaults))
    validate(defaults, BY_NAME)


def test_entries_of_connections_inherit_instead_of_having_defaults() -> None:
    """An entry's settings have no defaults, which would hide what the top level lends."""
    entry = settings.json_schema()["properties"]["connections"]["items"]
    assert entry["required"] == ["name"]
    assert entry["properties"].keys() == {"name", *PER_CONNECTION}
    assert not any("default" in schema for schema in entry["properties"].values())


def test_schema_of_a_secret_prints_nothing() -> None:
    """No rule on a secret setting makes jsonschema print its value; a wrong type is ours to say."""
    schema = settings.json_schema()
    for name in SECRET:
        errors = list(Draft202012Validator(schema).iter_errors({name: CANARY}))
        assert errors == []


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ({"app_id": 7}, "setting app_id must be a text."),
        ({"app_secret": 12345678901234567890}, "setting app_secret must be a text."),
        ({"access_token": {"x": CANARY}}, "setting access_token must be a text."),
        ({"access_token": [CANARY]}, "setting access_token must be a text."),
        ({"refresh_margin": "1800"}, "setting refresh_margin must be a whole number."),
        ({"refresh_margin": 1.5}, "setting refresh_margin must be a whole number."),
        ({"refresh_margin": True}, "setting refresh_margin must be a whole number."),
        ({"refresh_margin": 10**400}, "setting refresh_margin must be a whole number."),
        ({"refresh_margin": -1}, "setting refresh_margin must be at least 0."),
        ({"parallelism": 0}, "setting parallelism must be at least 1."),
        ({"request_timeout": 0}, "setting request_timeout must be at least 1."),
        ({"requests_per_second": 0}, "setting requests_per_second must be at least 0.01."),
        ({"requests_per_second": float("nan")}, "setting requests_per_second must be a number."),
        ({"requests_per_second": float("inf")}, "setting requests_per_second must be a number."),
        ({"requests_per_second": 10**400}, "setting requests_per_second must be a number."),
        ({"long_term_token": "true"}, "setting long_term_token must be true or false."),
        ({"long_term_token": 1}, "setting long_term_token must be true or false."),
        ({"advertiser_ids": CANARY}, "setting advertiser_ids must be a list of texts."),
        ({"advertiser_ids": [7]}, "setting advertiser_ids must be a list of texts."),
        (
            {"connections": {"name": CANARY}},
            "setting connections must be a list of objects, each with a name.",
        ),
        (
            {"connections": [CANARY]},
            "setting connections must be a list of objects, each with a name.",
        ),
        ({"stream_maps": [CANARY]}, "setting stream_maps must be an object."),
        ({"flattening_max_depth": -1}, "setting flattening_max_depth must be at least 0."),
        ({"on_error": CANARY}, "setting on_error must be one of: fail, warn."),
        ({"api_version": CANARY}, "setting api_version must be one of: v1.3, v2.0."),
        ({"api": CANARY}, f"setting api must be one of: {', '.join(APIS)}."),
        ({"app_id": ""}, "setting app_id is empty. Give it a value, or remove it."),
        ({"app_secret": ""}, "setting app_secret is empty. Give it a value, or remove it."),
        (
            {"advertiser_ids": [""]},
            "setting advertiser_ids is empty. Give it a value, or remove it.",
        ),
        ({"app_secret": f"{CANARY} "}, "setting app_secret begins or ends with a space."),
        ({"advertiser_ids": [f" {CANARY}"]}, "setting advertiser_ids begins or ends with a space."),
        (
            {"access_token": f"{CANARY}ü"},
            "setting access_token contains a character that no credential has.",
        ),
    ],
)
def test_wrong_value_is_refused_in_one_line(config: dict[str, Any], line: str) -> None:
    """A value of the wrong kind or range gives one line that names the setting, not the value."""
    assert _refusal(config) == line


@pytest.mark.parametrize("where", ["", "connections.acme."])
@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (f"https://example.com/cb/?auth_code={CANARY}&state=s", "is more than the code"),
        (f"http://localhost:8917/callback/?code={CANARY}", "is more than the code"),
        (f"auth_code={CANARY}", "is more than the code"),
        (f"?code={CANARY}", "is more than the code"),
        (f"{CANARY}&state=your_custom_params", "is more than the code"),
        (f"AUTH_CODE={CANARY}", "is more than the code"),
        (f"{CANARY}%2A3%214964", "is URL-encoded still"),
        (f"{CANARY}%2a", "is URL-encoded still"),
        (f"{CANARY}%2Fa%3D%3D", "is URL-encoded still"),
    ],
)
def test_what_is_no_decoded_code_is_refused_before_it_is_sent(
    code: str, problem: str, where: str
) -> None:
    """A whole address, a parameter, or an encoded code would be used up by TikTok's refusal."""
    config: dict[str, Any] = {"auth_code": code}
    if where:
        config = {"connections": [{"name": "acme", **config}]}
    with pytest.raises(ConfigurationError, match=f"^setting {where}auth_code {problem}") as refused:
        parse({"app_id": "7", "app_secret": "s", **config})
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize("code", ["aw*3!4964", "a*%2A", "100%", "act.x%zz", "a=b", "x" * 500])
def test_codes_as_tiktok_means_them_are_taken(code: str) -> None:
    """A decoded code is left alone, whatever percent and equals signs it has."""
    config = parse({"app_id": "7", "app_secret": "s", "auth_code": code})
    assert config.connections[0].seed is not None
    assert config.connections[0].seed.auth_code == code


@pytest.mark.parametrize("char", ["\n", "\r", "\t", "\x00", "\x1b", "\x7f", "\u202e", "\u2028"])
@pytest.mark.parametrize("name", ["app_id", "app_secret", "redirect_uri", "advertiser_ids"])
def test_invisible_characters_are_refused(name: str, char: str) -> None:
    """A line break or control character in a value is refused: it may be an injected header."""
    text = f"{CANARY}{char}x"
    line = _refusal({name: [text] if name == "advertiser_ids" else text})
    assert line == f"setting {name} contains a line break or another control character."


@pytest.mark.parametrize(
    ("key", "guess"), [("acces_token", "access_token"), ("appid", "app_id"), ("apis", "api")]
)
def test_unknown_setting_is_answered_with_a_guess(key: str, guess: str) -> None:
    """A misspelt name is refused with the name that was probably meant."""
    assert _refusal({key: CANARY}) == f"setting {key} is not a setting. Did you mean {guess}?"


def test_unknown_setting_without_a_likeness_lists_all() -> None:
    """A name that resembles none is answered with all that there are."""
    line = _refusal({"zzzzzzzz": CANARY})
    assert line == f"setting zzzzzzzz is not a setting. Known are: {', '.join(BY_NAME)}."


@pytest.mark.parametrize(
    "key",
    [f"{CANARY}7", "0f3a9c1d07be244f", "act.x", "a" * 41, "é", 7, "\x1b[31m\n" + "x" * 500],
)
def test_unknown_setting_that_may_be_a_secret_is_not_shown(key: Any) -> None:
    """Only what is written like a setting is named: a secret may have been put in its place."""
    line = _refusal({key: 1})
    assert line.startswith("setting … is not a setting. ")
    assert line.isprintable()
    assert str(key) not in line.removeprefix("setting … is not a setting. ")


@pytest.mark.parametrize("name", [name for name, s in BY_NAME.items() if s.kind == "string"])
@pytest.mark.parametrize("size", [8_193, 10_000_000])
def test_no_text_is_endless(name: str, size: int) -> None:
    """A text that is far longer than any credential is refused in one line, before any work."""
    assert _refusal({name: "x" * size}) == f"setting {name} is longer than 8192 characters."


@pytest.mark.parametrize("config", [{"access_token": "x" * 8_192}, dict.fromkeys(BY_NAME)])
def test_what_is_let_through(config: dict[str, Any]) -> None:
    """A token may be long, and null means "not set", as Meltano passes it."""
    validate(config, BY_NAME)


def test_where_the_setting_stands_is_said() -> None:
    """Settings of a connection are named with the connection."""
    with pytest.raises(ConfigurationError, match=r"^setting connections\.acme\.api must be"):
        validate({"api": "x"}, PER_CONNECTION, "connections.acme.")


def test_environment_carries_every_kind() -> None:
    """Each kind of setting can be written into an environment variable."""
    found = from_environment(
        {
            "TAP_TIKTOK_AUTH_APP_ID": "7",
            "TAP_TIKTOK_AUTH_REFRESH_MARGIN": "60",
            "TAP_TIKTOK_AUTH_REQUESTS_PER_SECOND": "2.5",
            "TAP_TIKTOK_AUTH_LONG_TERM_TOKEN": " False ",
            "TAP_TIKTOK_AUTH_ADVERTISER_IDS": '["1", "2"]',
            "TAP_TIKTOK_AUTH_CONNECTIONS": '[{"name": "acme"}]',
            "TAP_TIKTOK_AUTH_UNKNOWN": "x",
            "APP_SECRET": "not ours",
        }
    )
    assert found == {
        "app_id": "7",
        "refresh_margin": 60,
        "requests_per_second": 2.5,
        "long_term_token": False,
        "advertiser_ids": ["1", "2"],
        "connections": [{"name": "acme"}],
    }


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("ADVERTISER_IDS", "7001, 7002", ["7001", "7002"]),
        *(("LONG_TERM_TOKEN", word, True) for word in ("true", "TRUE", "1", "yes", "on")),
        *(("LONG_TERM_TOKEN", word, False) for word in ("false", " False ", "0", "no", "off")),
    ],
)
def test_environment_takes_what_people_write(name: str, text: str, value: object) -> None:
    """A list of texts need not be JSON, and a switch has the usual words."""
    assert from_environment({f"TAP_TIKTOK_AUTH_{name}": text}) == {name.lower(): value}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("CONNECTIONS", f"[{CANARY}", "a list of objects, each with a name, written as JSON"),
        ("CONNECTIONS", "null", "a list of objects, each with a name, written as JSON"),
        ("CONNECTIONS", "[" * 100_000, "a list of objects, each with a name, written as JSON"),
        ("ADVERTISER_IDS", f'["{CANARY}', "a list of texts, written as JSON"),
        ("STREAM_MAPS", f"{{{CANARY}", "an object, written as JSON"),
        ("FAKER_CONFIG", "null", "an object, written as JSON"),
        ("REFRESH_MARGIN", CANARY, "a whole number"),
        ("REFRESH_MARGIN", "", "a whole number"),
        ("REFRESH_MARGIN", "9" * 5_000, "a whole number"),
        ("REQUESTS_PER_SECOND", "ten", "a number"),
        ("LONG_TERM_TOKEN", CANARY, "true or false"),
        ("LONG_TERM_TOKEN", "", "true or false"),
    ],
)
def test_wrong_variable_is_refused_by_name(name: str, text: str, expected: str) -> None:
    """A variable that cannot be read gives one line with its name, and nothing of its text."""
    with pytest.raises(ConfigurationError) as caught:
        from_environment({f"TAP_TIKTOK_AUTH_{name}": text})
    assert str(caught.value) == f"setting TAP_TIKTOK_AUTH_{name} must be {expected}."
    assert caught.value.__context__ is None


@UNHURRIED
@given(st.sampled_from(SETTINGS), st.text())
def test_any_variable_is_read_or_refused(setting: settings.Setting, text: str) -> None:
    """Whatever a variable holds, it is read or refused, and never quoted."""
    line = ""
    try:
        validate(from_environment({setting.env_var: CANARY + text}), BY_NAME)
    except ConfigurationError as error:
        line = str(error)
    assert CANARY not in line
    assert line.isprintable()


@UNHURRIED
@given(
    st.sampled_from(SETTINGS),
    st.integers() | st.floats() | st.booleans() | st.lists(st.text()) | st.text(),
)
def test_environment_and_config_agree(setting: settings.Setting, value: object) -> None:
    """A value that the config takes means the same when it is written into the environment."""
    try:
        validate({setting.name: value}, BY_NAME)
    except ConfigurationError:
        return
    text = value if isinstance(value, str) else json.dumps(value)
    assert from_environment({setting.env_var: text}) == {setting.name: value}
